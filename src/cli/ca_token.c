/*
 * `step ca token`: a one-time token for somebody else to use.
 */
#include "base/encode.h"
#include "base/file.h"
#include "cli/ssh_common.h"
#include "crypto/digest.h"

static const char *const KEY_PASSWORDS[] = {"password-file", NULL};

/* Tokens for SSH certificates are bound to no key: the file is only looked at. */
static bool check_ssh_cnf(struct invocation *inv)
{
    const char *path = ca_cmd_text(inv, "cnf-file");
    struct ssh_line line;
    struct ssh_key key;

    return !path || (ssh_input_line(inv, path, &line, &inv->err) &&
                     (ssh_key_read(inv->arena, line.blob, &key, &inv->err) ||
                      err_wrap(&inv->err, "%s", path)));
}

/* Digest of the request that the token is bound to (docs/reference/tokens.md "cnf"). */
static bool read_cnf(struct invocation *inv, struct slice *cnf)
{
    const char *path = ca_cmd_text(inv, "cnf-file");
    struct slice text;
    struct csr *csr;

    *cnf = SLICE_NONE;
    if (flag_bool(inv, "ssh"))
        return check_ssh_cnf(inv);
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

static enum token_kind kind_of(const struct invocation *inv)
{
    static const struct {
        const char *flag;
        enum token_kind kind;
    } SSH[] = {
        {"revoke", TOKEN_SSH_REVOKE}, {"renew", TOKEN_SSH_RENEW}, {"rekey", TOKEN_SSH_REKEY}};

    if (!flag_bool(inv, "ssh"))
        return flag_bool(inv, "revoke") ? TOKEN_REVOKE : TOKEN_SIGN;
    for (size_t i = 0; i < COUNT_OF(SSH); i++)
        if (flag_bool(inv, SSH[i].flag))
            return SSH[i].kind;
    return TOKEN_SSH_SIGN;
}

/* What the certificate may be. */
static bool read_ssh(struct invocation *inv, struct ca_ssh_sign_wish *ssh)
{
    *ssh = (struct ca_ssh_sign_wish){
        .type = flag_bool(inv, "host") ? SLICE("host") : SLICE("user"),
        .key_id = inv->args[0],
        .valid_after = slice_text(ca_cmd_text(inv, "cert-not-before")),
        .valid_before = slice_text(ca_cmd_text(inv, "cert-not-after")),
    };
    ssh->principals = flag_texts(inv, "principal", &ssh->n_principals);
    for (size_t i = 0; i < ssh->n_principals; i++)
        if (!ssh_name_check("a principal", ssh->principals[i], &inv->err))
            return false;
    return true;
}

static int run_token(struct invocation *inv)
{
    struct ca_ssh_sign_wish ssh;
    struct token_order order = {
        .kind = kind_of(inv),
        .subject = inv->args[0],
        .not_before = flag_time(inv, "not-before"),
        .not_after = flag_time(inv, "not-after"),
        .own_key = true,
    };
    const char *path = ca_cmd_text(inv, "output-file");
    struct instant now = inv->clock->now(inv->clock), begin, end;
    struct slice token;
    bool renew = order.kind == TOKEN_SIGN && flag_bool(inv, "renew");

    order.sans = flag_texts(inv, "san", &order.n_sans);
    if (!read_ssh(inv, &ssh))
        return fail(inv);
    if (order.kind == TOKEN_SSH_SIGN)
        order.ssh = &ssh;
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
    {"rekey", FLAG_BOOL, NULL,
     "With --ssh: make a token that gives a host a new key. Otherwise the same as a token for a "
     "new "
     "certificate.",
     NULL, 0},
    {"ssh", FLAG_BOOL, NULL,
     "Make a token for the SSH certificate of a user, or with --revoke, --renew and --rekey for "
     "one that is there.",
     NULL, 0},
    {"host", FLAG_BOOL, NULL, "With --ssh: for the certificate of a host.", NULL, 0},
    {"principal,n", FLAG_TEXTS, "<name>",
     "With --ssh: an account or a host name that the certificate may be good for. Can be given "
     "several times.",
     NULL, 0},
    {"cert-not-before", FLAG_TIME, "<time|duration>",
     "With --ssh: when the validity of the certificate begins.", NULL, 0},
    {"cert-not-after", FLAG_TIME, "<time|duration>",
     "With --ssh: when the validity of the certificate ends.", NULL, 0},
    {0}};
static const struct flag *const TOKEN_SETS[] = {
    TOKEN_FLAGS,   FLAGS_VALIDITY, FLAGS_PROVISIONER, FLAGS_X5C,   FLAGS_SSHPOP, FLAGS_TEMPLATE,
    FLAGS_OFFLINE, FLAGS_CA,       FLAGS_FORCE,       FLAGS_LOGIN, NULL};
static const struct flag_rule TOKEN_RULES[] = {{RULE_EXCLUDES, "ssh", "san"},
                                               {RULE_EXCLUDES, "host", "san"},
                                               {RULE_EXCLUDES, "principal", "san"},
                                               {RULE_NEEDS, "host", "ssh"},
                                               {RULE_NEEDS, "principal", "ssh"},
                                               {RULE_EXCLUDES, "cnf-file", "cnf"},
                                               {RULE_EXCLUDES, "revoke", "san"},
                                               {RULE_EXCLUDES, "offline", "set"},
                                               {RULE_EXCLUDES, "offline", "set-file"},
                                               {RULE_NEEDS, "x5c-cert", "x5c-key"},
                                               {RULE_NEEDS, "x5c-key", "x5c-cert"},
                                               RULES_SSHPOP,
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
                "$ step ca token --revoke 146103349666685108195655980390445292315\n\n"
                "A token for the SSH certificate of a user, good for two accounts:\n"
                "$ step ca token --ssh -n deploy -n backup ci@example.com",
    .flag_sets = TOKEN_SETS,
    .rules = TOKEN_RULES,
    .least = 1,
    .most = 1,
    .run = run_token,
};
