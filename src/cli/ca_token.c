/*
 * `step ca token`: a one-time token for somebody else to use.
 */
#include "base/encode.h"
#include "base/file.h"
#include "cli/ca_common.h"
#include "crypto/digest.h"

static const char *const KEY_PASSWORDS[] = {"password-file", NULL};

/* Digest of the request that the token is bound to (docs/reference/tokens.md "cnf"). */
static bool read_cnf(struct invocation *inv, struct slice *cnf)
{
    const char *path = ca_cmd_text(inv, "cnf-file");
    struct slice text;
    struct csr *csr;

    *cnf = slice_text(ca_cmd_text(inv, "cnf"));
    if (!path)
        return true;
    if (!file_read(inv->arena, path, true, CSR_MAX * 2, &text, &inv->err) ||
        !csr_read_text(inv->arena, text, path, true, &csr, &inv->err))
        return false;
    *cnf =
        base64_text(inv->arena, BASE64_URL_RAW, digest_bytes(inv->arena, DIGEST_SHA256, csr->der));
    return true;
}

static bool write_token(struct invocation *inv, struct slice token)
{
    const char *path = ca_cmd_text(inv, "output-file");

    if (path)
        return write_result(inv, path, token, 0600, &inv->err);
    out_line(inv, "%.*s", SLICE_ARG(token));
    return true;
}

/* The certificate speaks for itself: no provisioner, no password but the key's. */
static bool make_renew_token(struct invocation *inv, struct slice subject, struct slice *token)
{
    const char *crt = ca_cmd_text(inv, "x5c-cert"), *key = ca_cmd_text(inv, "x5c-key");
    struct slice url;
    struct ca_held held;

    if (!crt || !key)
        return err_set(&inv->err, ERR_MALFORMED, "flag '--renew' requires the '--%s' flag",
                       crt ? "x5c-key" : "x5c-cert");
    if (!ca_cmd_url(inv, &url) || !ca_held_load(inv, crt, key, KEY_PASSWORDS, &held))
        return false;
    struct slice name = dn_common_name(&held.chain.v[0]->subject);
    if (!slice_eq(name, subject))
        return err_set(&inv->err, ERR_MALFORMED,
                       "the subject must be the common name of %s: expected '%.*s', found '%.*s'",
                       crt, SLICE_ARG(name), SLICE_ARG(subject));
    struct slice base = arena_format(inv->arena, "%.*s/1.0", SLICE_ARG(url));
    return renew_token_make(inv->arena, token_audience(inv->arena, base, TOKEN_RENEW, SLICE_NONE),
                            &held.chain, held.key, inv->clock->now(inv->clock), inv->rng, token,
                            &inv->err);
}

static bool make_token(struct invocation *inv, struct token_order *order, struct slice *token)
{
    struct token_source source;
    struct cert_list roots = {0};
    struct ca ca;

    if (flag_bool(inv, "offline"))
        return token_source_offline(inv, &source) && token_flow(inv, &source, order, token);
    return ca_cmd_connect(inv, &ca, &roots) && token_source_online(inv, &ca, &roots, &source) &&
           token_flow(inv, &source, order, token);
}

static int run_token(struct invocation *inv)
{
    struct token_order order = {
        .kind = flag_bool(inv, "revoke") ? TOKEN_REVOKE : TOKEN_SIGN,
        .subject = inv->args[0],
        .not_before = flag_time(inv, "not-before"),
        .not_after = flag_time(inv, "not-after"),
        .own_key = true,
    };
    const char *path = ca_cmd_text(inv, "output-file");
    struct instant now = inv->clock->now(inv->clock), begin, end;
    struct slice token;
    bool renew = flag_bool(inv, "renew") && !flag_bool(inv, "revoke");

    order.sans = flag_texts(inv, "san", &order.n_sans);
    if (!read_cnf(inv, &order.cnf) || !ca_cmd_template_data(inv, &order.user) ||
        !token_validity(&order, now, &begin, &end, &inv->err) ||
        (path && !may_write(inv, path, &inv->err)))
        return fail(inv);
    if (!(renew ? make_renew_token(inv, order.subject, &token) : make_token(inv, &order, &token)) ||
        !write_token(inv, token))
        return fail(inv);
    return 0;
}

static const struct flag TOKEN_FLAGS[] = {
    {"kid", FLAG_TEXT, "<kid>",
     "The key id of the JWK provisioner (or the client id of the OIDC provisioner) to use.", NULL,
     0},
    {"san", FLAG_TEXTS, "<name>",
     "A DNS name, IP address, email address or URI that the certificate may have. Without any: "
     "the subject. Can be given several times.",
     NULL, 0},
    {"key", FLAG_FILE, "<file>",
     "Sign with the private key in <file> instead of the provisioner's key that the CA keeps in "
     "encrypted form.",
     NULL, 0},
    {"cnf", FLAG_TEXT, "<fingerprint>",
     "Bind the token to one certificate request: the base64url <fingerprint> (SHA-256) of its DER "
     "form.",
     NULL, 0},
    {"cnf-file", FLAG_FILE, "<file>", "Bind the token to the certificate request in <file>.", NULL,
     0},
    {"k8ssa-token-path", FLAG_FILE, "<file>",
     "The <file> with the service account token, for a provisioner of type K8sSA.", NULL, 0},
    {"output-file", FLAG_FILE, "<file>", "Write the token to <file> instead of standard output.",
     NULL, 0},
    {"revoke", FLAG_BOOL, NULL,
     "Make a token that revokes; the subject is the serial number of the certificate.", NULL, 0},
    {"renew", FLAG_BOOL, NULL,
     "Make a token that renews the certificate in --x5c-cert; needs --x5c-key.", NULL, 0},
    {"rekey", FLAG_BOOL, NULL, "Without --ssh the same as a token for a new certificate.", NULL,
     FLAG_HIDDEN},
    {0}};
static const struct flag *const TOKEN_SETS[] = {
    TOKEN_FLAGS,   FLAGS_VALIDITY, FLAGS_PROVISIONER, FLAGS_X5C,   FLAGS_TEMPLATE,
    FLAGS_OFFLINE, FLAGS_CA,       FLAGS_FORCE,       FLAGS_LOGIN, NULL};
static const struct flag_rule TOKEN_RULES[] = {{RULE_EXCLUDES, "cnf-file", "cnf"},
                                               {RULE_EXCLUDES, "revoke", "san"},
                                               {RULE_EXCLUDES, "offline", "set"},
                                               {RULE_EXCLUDES, "offline", "set-file"},
                                               {RULE_NEEDS, "x5c-cert", "x5c-key"},
                                               {RULE_NEEDS, "x5c-key", "x5c-cert"},
                                               {0}};

const struct command CMD_CA_TOKEN = {
    .name = "token",
    .summary = "make a one-time token that grants access to the CA",
    .synopsis = "<subject>",
    .description =
        "Makes a token with which one certificate can be requested (or revoked) within the next "
        "minutes. The token is signed with the key of a provisioner, or with the key of a "
        "certificate that an X5C provisioner believes.\n\n"
        "Whoever has the token needs nothing else: it says where the CA is and which root to "
        "believe.",
    .arguments = "subject\tThe name that the certificate will be for; with --revoke the serial "
                 "number of a certificate.",
    .examples = "A token for a web server with two names:\n"
                "$ step ca token web.example.internal --san web.example.internal --san 10.0.0.5\n\n"
                "Make it with a password from a file, and use it:\n"
                "$ TOKEN=$(step ca token web.example.internal --provisioner-password-file "
                "pass.txt)\n"
                "$ step ca certificate --token $TOKEN web.example.internal web.crt web.key\n\n"
                "A token that revokes:\n"
                "$ step ca token --revoke 146103349666685108195655980390445292315",
    .flag_sets = TOKEN_SETS,
    .rules = TOKEN_RULES,
    .least = 1,
    .most = 1,
    .run = run_token,
};
