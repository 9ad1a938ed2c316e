/*
 * `step ca sign`: a certificate for a request that exists already.  The token that is made here is
 * bound to this very request.
 */
#include "base/encode.h"
#include "base/file.h"
#include "cli/ca_acme.h"
#include "cli/ca_offline.h"
#include "crypto/digest.h"
#include "crypto/pem.h"

static bool read_request(struct invocation *inv, const char *path, struct csr **csr)
{
    struct slice text;

    if (!file_read(inv->arena, path, true, 2 * CSR_MAX, &text, &inv->err) ||
        !csr_read_text(inv->arena, text, path, true, csr, &inv->err))
        return false;
    return csr_verify(*csr, &inv->err) || err_wrap(&inv->err, "%s", path);
}

/* DNS, IP, email, URI: the order of the split rule; other kinds cannot stand in a token. */
static size_t request_names(struct arena *a, const struct csr *csr, struct slice **names)
{
    static const enum san_kind ORDER[] = {SAN_DNS, SAN_IP, SAN_EMAIL, SAN_URI};
    size_t n = 0;

    *names = arena_array(a, csr->sans.n + 1, sizeof(**names));
    for (size_t k = 0; k < COUNT_OF(ORDER); k++)
        for (size_t i = 0; i < csr->sans.n; i++)
            if (csr->sans.v[i].kind == ORDER[k])
                n = names_join(*names, n, &csr->sans.v[i].text, 1);
    return n;
}

/* Where the request goes: to a CA, or to ourselves. */
struct where {
    struct ca ca;
    struct ca_offline offline; /* open: instead of ca */
    struct slice acme;         /* name of an ACME provisioner that was chosen: no token */
};

static bool take_token(struct invocation *inv, const char *text, struct slice common_name,
                       struct slice *ott, struct where *to)
{
    struct token t;
    enum ott_kind kind;

    if (!ott_read(inv->arena, slice_text(text), &t, &kind, &inv->err))
        return false;
    if (ott_binds_subject(kind) && !slice_eq_case(t.sub, common_name))
        return err_set(&inv->err, ERR_MALFORMED,
                       "token: subject '%.*s' and common name '%.*s' of the request do not match",
                       SLICE_ARG(t.sub), SLICE_ARG(common_name));
    *ott = t.jws.text;
    return ca_cmd_connect_for(inv, &t, &to->ca);
}

static bool make_token(struct invocation *inv, const struct csr *csr, struct slice common_name,
                       struct slice *ott, struct where *to)
{
    struct slice *names, digest = digest_bytes(inv->arena, DIGEST_SHA256, csr->der);
    struct token_order order = {.kind = TOKEN_SIGN,
                                .subject = common_name,
                                .n_sans = request_names(inv->arena, csr, &names),
                                .cnf = base64_text(inv->arena, BASE64_URL_RAW, digest),
                                .acme = &to->acme};
    struct cert_list roots = {0};
    struct token_source source;

    order.sans = names;
    if (!to->offline.open && !ca_cmd_text(inv, "ca-url"))
        return err_set(&inv->err, ERR_MALFORMED,
                       "flag '--ca-url' is required unless the '--token' flag is provided");
    if (to->offline.open)
        return token_source_offline(inv, &source) && token_flow(inv, &source, &order, ott);
    return ca_cmd_connect(inv, &to->ca, &roots) &&
           token_source_online(inv, &to->ca, &roots, &source) &&
           token_flow(inv, &source, &order, ott);
}

static bool ask(struct invocation *inv, struct where *to, const struct ca_sign_wish *wish,
                struct cert_list *chain)
{
    struct slice url = to->offline.open ? ca_offline_url(&to->offline) : to->ca.url;

    note_selected(inv, "CA", arena_cstr(inv->arena, url));
    return to->offline.open ? ca_offline_sign(&to->offline, wish, chain, &inv->err)
                            : ca_sign(&to->ca, inv->arena, wish, chain, &inv->err);
}

static bool sign_by_token(struct invocation *inv, const struct csr *csr, struct slice ott,
                          struct slice template_data, struct where *to, struct cert_list *chain)
{
    const char *not_before = ca_cmd_text(inv, "not-before"),
               *not_after = ca_cmd_text(inv, "not-after");
    struct ca_sign_wish wish = {.csr_pem = pem_text(inv->arena, "CERTIFICATE REQUEST", csr->der),
                                .ott = ott,
                                .template_data = template_data,
                                .not_before = slice_text(not_before),
                                .not_after = slice_text(not_after)};

    return ask(inv, to, &wish, chain);
}

static bool sign_by_acme(struct invocation *inv, const struct csr *csr, struct slice template_data,
                         struct where *to, struct cert_list *chain)
{
    struct slice *texts;
    size_t n = request_names(inv->arena, csr, &texts);
    struct sans names = ca_acme_names(inv->arena, texts, n, dn_common_name(&csr->subject));

    if (template_data.n)
        return err_set(&inv->err, ERR_MALFORMED,
                       "flags '--set' and '--set-file' have no place in an ACME order");
    return ca_acme_order(inv, &to->ca, to->acme, &names, csr->der, chain);
}

static bool get(struct invocation *inv, const struct csr *csr, struct slice template_data,
                struct where *to, struct cert_list *chain)
{
    const char *token = ca_cmd_text(inv, "token");
    struct slice common_name = dn_common_name(&csr->subject), ott;

    if (ca_cmd_text(inv, "acme"))
        return sign_by_acme(inv, csr, template_data, to, chain);
    if (!(token ? take_token(inv, token, common_name, &ott, to)
                : make_token(inv, csr, common_name, &ott, to)))
        return false;
    return to->acme.n ? sign_by_acme(inv, csr, template_data, to, chain)
                      : sign_by_token(inv, csr, ott, template_data, to, chain);
}

static bool sign(struct invocation *inv, const struct csr *csr, const char *crt, struct where *to)
{
    struct cert_list chain = {0};
    struct slice template_data;

    if (!ca_cmd_template_data(inv, &template_data) || !may_write(inv, crt, &inv->err) ||
        !get(inv, csr, template_data, to, &chain))
        return false;
    if (!slice_eq(chain.v[0]->spki, csr->spki))
        return err_set(&inv->err, ERR_MALFORMED,
                       "the CA's answer: the certificate is for another key than the request");
    return write_result(inv, crt, cert_list_pem(inv->arena, &chain), 0600, &inv->err);
}

static int run_sign(struct invocation *inv)
{
    const char *crt = arg_text(inv, 1);
    struct where to = {0};
    struct csr *csr;

    if (!read_request(inv, arg_text(inv, 0), &csr) ||
        (flag_bool(inv, "offline") && !ca_offline_open(inv, &to.offline)))
        return fail(inv);
    bool signed_it = sign(inv, csr, crt, &to);
    ca_offline_close(&to.offline);
    if (!signed_it)
        return fail(inv);
    note_selected(inv, "Certificate", crt);
    return 0;
}

static const struct flag SIGN_FLAGS[] = {
    {"token", FLAG_TEXT, "<token>",
     "The one-time <token> that grants the certificate. Without it one is made.", NULL, 0},
    {"k8ssa-token-path", FLAG_FILE, "<file>",
     "The <file> with the service account token, for a provisioner of type K8sSA.", NULL, 0},
    {0}};
static const struct flag *const SIGN_SETS[] = {
    SIGN_FLAGS,    FLAGS_VALIDITY, FLAGS_PROVISIONER, FLAGS_X5C,  FLAGS_TEMPLATE,
    FLAGS_OFFLINE, FLAGS_CA,       FLAGS_FORCE,       FLAGS_ACME, FLAGS_LOGIN,
    NULL};
static const struct flag_rule SIGN_RULES[] = {{RULE_EXCLUDES, "offline", "token"},
                                              {RULE_NEEDS, "x5c-cert", "x5c-key"},
                                              {RULE_NEEDS, "x5c-key", "x5c-cert"},
                                              RULES_ACME,
                                              {0}};

const struct command CMD_CA_SIGN = {
    .name = "sign",
    .summary = "get a certificate for a certificate request",
    .synopsis = "<csr-file> <crt-file>",
    .description = "Sends a certificate request to the CA and writes the certificate. The "
                   "signature of the request is checked first. A token that is made here is bound "
                   "to this request: nobody can use it for another one. With an ACME "
                   "provisioner, or '--acme', there is no token: the names of the request are "
                   "proven, as in 'step ca certificate'.",
    .arguments = "csr-file\tThe certificate request (PEM or DER), or '-' for standard input.\n"
                 "crt-file\tWhere to write the certificate and its chain (PEM).",
    .examples = "Sign a request that openssl made:\n"
                "$ openssl req -new -newkey rsa:2048 -nodes -keyout web.key -subj "
                "/CN=web.example.internal -out web.csr\n"
                "$ step ca sign web.csr web.crt",
    .flag_sets = SIGN_SETS,
    .rules = SIGN_RULES,
    .least = 2,
    .most = 2,
    .run = run_sign,
};
