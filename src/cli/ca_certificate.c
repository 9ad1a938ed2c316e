/*
 * `step ca certificate`: a new key, a request for it, a certificate.
 *
 * Everything that can fail without the CA is tried before it is asked: whether the files may be
 * written, whether the token is for this subject.  The key is on disk before the certificate.
 *
 * With --attestation-uri the key is in a device already, which vouches for it: there is nothing to
 * write but the certificate.
 */
#include "cli/ca_acme.h"
#include "cli/ca_offline.h"
#include "cli/key_choice.h"
#include "crypto/keyfile.h"

struct issue {
    struct invocation *inv;
    struct slice subject;
    const char *crt, *key_path;
    enum key_type type;
    unsigned bits;
    const struct slice *sans;
    size_t n_sans;
    struct slice data; /* template data */
    struct slice ott;
    struct slice acme;  /* name of an ACME provisioner that was chosen: no token */
    const char *device; /* URI of a key that is attested, or NULL */
    struct ca ca;
    struct ca_offline offline; /* open: instead of ca */
};

/* A token that was handed over: it says which CA, and must be for this subject. */
static bool take_token(struct issue *i, const char *text)
{
    struct invocation *inv = i->inv;
    struct token t;
    enum ott_kind kind;

    if (!ott_read(inv->arena, slice_text(text), &t, &kind, &inv->err))
        return false;
    if (kind == OTT_JWK && i->n_sans)
        return err_set(&inv->err, ERR_MALFORMED,
                       "flag '--token' and flag '--san' are mutually exclusive");
    if (ott_binds_subject(kind) && !slice_eq_case(t.sub, i->subject))
        return err_set(&inv->err, ERR_MALFORMED,
                       "token: subject '%.*s' and argument '%.*s' do not match", SLICE_ARG(t.sub),
                       SLICE_ARG(i->subject));
    i->ott = t.jws.text;
    return ca_cmd_connect_for(inv, &t, &i->ca);
}

static bool make_token(struct issue *i)
{
    struct invocation *inv = i->inv;
    struct token_order order = {.kind = TOKEN_SIGN,
                                .subject = i->subject,
                                .sans = i->sans,
                                .n_sans = i->n_sans,
                                .acme = &i->acme};
    struct cert_list roots = {0};
    struct token_source source;

    if (i->offline.open)
        return token_source_offline(inv, &source) && token_flow(inv, &source, &order, &i->ott);
    if (!ca_cmd_text(inv, "ca-url"))
        return err_set(&inv->err, ERR_MALFORMED,
                       "flag '--ca-url' is required unless the '--token' flag is provided");
    return ca_cmd_connect(inv, &i->ca, &roots) &&
           token_source_online(inv, &i->ca, &roots, &source) &&
           token_flow(inv, &source, &order, &i->ott);
}

static bool make_request(struct issue *i, struct private_key **key, struct slice *pem)
{
    struct invocation *inv = i->inv;
    struct ott_names names;
    struct token t;

    return token_read(inv->arena, i->ott, &t, &inv->err) &&
           ott_names(inv->arena, &t, i->subject, i->sans, i->n_sans, &names, &inv->err) &&
           private_key_generate(inv->secrets, i->type, i->bits, key, &inv->err) &&
           ca_cmd_csr(inv->arena, *key, names.common_name, &names.sans, pem, &inv->err);
}

static bool write_pair(struct issue *i, struct private_key *key, const struct cert_list *chain)
{
    struct invocation *inv = i->inv;
    struct slice pem;
    struct ca_held held;

    if (!ca_held_make(inv->arena, chain, key, "the answer of the CA", "the request", &held,
                      &inv->err))
        return false;
    return private_key_pem(inv->secrets, key, KEY_TRADITIONAL, &pem, &inv->err) &&
           write_result(inv, i->key_path, pem, 0600, &inv->err) &&
           write_result(inv, i->crt, cert_list_pem(inv->arena, chain), 0600, &inv->err);
}

static bool ask(struct issue *i, const struct ca_sign_wish *wish, struct cert_list *chain)
{
    struct invocation *inv = i->inv;
    struct slice url = i->offline.open ? ca_offline_url(&i->offline) : i->ca.url;

    note_selected(inv, "CA", arena_cstr(inv->arena, url));
    return i->offline.open ? ca_offline_sign(&i->offline, wish, chain, &inv->err)
                           : ca_sign(&i->ca, inv->arena, wish, chain, &inv->err);
}

static bool issue(struct issue *i)
{
    struct invocation *inv = i->inv;
    const char *not_before = ca_cmd_text(inv, "not-before"),
               *not_after = ca_cmd_text(inv, "not-after");
    struct ca_sign_wish wish = {.not_before = slice_text(not_before),
                                .not_after = slice_text(not_after),
                                .template_data = i->data};
    struct cert_list chain = {0};
    struct private_key *key;

    if (!make_request(i, &key, &wish.csr_pem))
        return false;
    wish.ott = i->ott;
    return ask(i, &wish, &chain) && write_pair(i, key, &chain);
}

/* --- By ACME --------------------------------------------------------------------------------- */

static bool issue_by_acme(struct issue *i)
{
    struct invocation *inv = i->inv;
    struct sans names = ca_acme_names(inv->arena, i->sans, i->n_sans, i->subject);
    struct csr_wish wish = {.common_name = i->subject, .sans = names};
    struct cert_list chain = {0};
    struct private_key *key;
    struct slice csr;

    if (i->data.n)
        return err_set(&inv->err, ERR_MALFORMED,
                       "flags '--set' and '--set-file' have no place in an ACME order");
    return private_key_generate(inv->secrets, i->type, i->bits, &key, &inv->err) &&
           csr_make(inv->arena, &wish, signer_local(inv->arena, key, "new key"), &csr, &inv->err) &&
           ca_acme_order(inv, &i->ca, i->acme, &names, csr, &chain) && write_pair(i, key, &chain);
}

/* Of the certificate only: the key stays where it is. */
static bool write_certificate(struct issue *i, const struct key *key, const struct cert_list *chain)
{
    struct invocation *inv = i->inv;
    const struct key *in_cert = chain->v[0]->key;

    if (!in_cert || !key_eq(in_cert, key))
        return err_set(&inv->err, ERR_MALFORMED,
                       "the key in the device does not belong to the certificate in the answer of "
                       "the CA");
    return write_result(inv, i->crt, cert_list_pem(inv->arena, chain), 0600, &inv->err);
}

static bool issue_by_attestation(struct issue *i)
{
    struct invocation *inv = i->inv;
    struct csr_wish wish = {.common_name = i->subject};
    struct cert_list chain = {0};
    struct kms_plugin plugin;
    struct ca_acme_device device = {i->subject, &plugin};
    struct signer *signer;
    struct slice csr;

    return kms_plugin_open(inv, i->device, &plugin, &inv->err) &&
           kms_plugin_signer(&plugin, &signer, &inv->err) &&
           csr_make(inv->arena, &wish, signer, &csr, &inv->err) &&
           ca_acme_order_for_device(inv, &i->ca, i->acme, &device, csr, &chain) &&
           write_certificate(i, signer->public_key, &chain);
}

static bool get(struct issue *i)
{
    const char *token = ca_cmd_text(i->inv, "token");

    if (ca_cmd_text(i->inv, "acme"))
        return i->device ? issue_by_attestation(i) : issue_by_acme(i);
    if (!(token ? take_token(i, token) : make_token(i)))
        return false;
    if (i->device && !i->acme.n)
        return err_set(&i->inv->err, ERR_MALFORMED,
                       "flag '--attestation-uri' requires a provisioner of type ACME");
    if (i->device)
        return issue_by_attestation(i);
    return i->acme.n ? issue_by_acme(i) : issue(i);
}

/* Two arguments where the key is in a device, else three. */
static bool check_arguments(struct issue *i)
{
    struct invocation *inv = i->inv;

    if (i->device && i->key_path)
        return err_set(&inv->err, ERR_MALFORMED,
                       "too many positional arguments were provided in '%s <subject> <crt-file>': "
                       "with '--attestation-uri' no key is written",
                       inv->path);
    if (!i->device && !i->key_path)
        return err_set(&inv->err, ERR_MALFORMED,
                       "not enough positional arguments were provided in '%s <subject> <crt-file> "
                       "<key-file>'",
                       inv->path);
    if (i->key_path && strcmp(i->crt, i->key_path) == 0)
        return err_set(&inv->err, ERR_MALFORMED,
                       "positional arguments <crt-file> and <key-file> cannot be equal in "
                       "'%s <subject> <crt-file> <key-file>'",
                       inv->path);
    return true;
}

static int run_certificate(struct invocation *inv)
{
    struct issue i = {.inv = inv,
                      .subject = inv->args[0],
                      .crt = arg_text(inv, 1),
                      .key_path = inv->n_args > 2 ? arg_text(inv, 2) : NULL,
                      .device = ca_cmd_text(inv, "attestation-uri")};

    if (!check_arguments(&i))
        return fail(inv);
    i.sans = flag_texts(inv, "san", &i.n_sans);
    if (!key_choice(inv, false, &i.type, &i.bits, &inv->err) ||
        !ca_cmd_template_data(inv, &i.data) || !may_write(inv, i.crt, &inv->err) ||
        (i.key_path && !may_write(inv, i.key_path, &inv->err)))
        return fail(inv);
    if (flag_bool(inv, "offline") && !ca_offline_open(inv, &i.offline))
        return fail(inv);
    bool issued = get(&i);
    ca_offline_close(&i.offline);
    if (!issued)
        return fail(inv);
    note_selected(inv, "Certificate", i.crt);
    note_selected(inv, "Private Key", i.device ? i.device : i.key_path);
    return 0;
}

static const struct flag CERTIFICATE_FLAGS[] = {
    {"token", FLAG_TEXT, "<token>",
     "The one-time <token> that grants the certificate. Without it one is made.", NULL, 0},
    {"san", FLAG_TEXTS, "<name>",
     "A DNS name, IP address, email address or URI that the certificate shall have. Without any: "
     "the subject. Can be given several times.",
     NULL, 0},
    {"attestation-uri", FLAG_TEXT, "<uri>",
     "The <uri> of a key in a device that vouches for it, such as yubikey:slot-id=9a, which gets a "
     "certificate by ACME's device-attest-01; <subject> is the device's permanent identifier. The "
     "program step-kms-plugin speaks to the device.",
     NULL, 0},
    {"k8ssa-token-path", FLAG_FILE, "<file>",
     "The <file> with the service account token, for a provisioner of type K8sSA.", NULL, 0},
    {0}};
static const struct flag *const CERTIFICATE_SETS[] = {
    CERTIFICATE_FLAGS, FLAGS_KEY, FLAGS_VALIDITY, FLAGS_PROVISIONER, FLAGS_X5C,   FLAGS_TEMPLATE,
    FLAGS_OFFLINE,     FLAGS_CA,  FLAGS_FORCE,    FLAGS_ACME,        FLAGS_LOGIN, NULL};
static const struct flag_rule CERTIFICATE_RULES[] = {
    {RULE_EXCLUDES, "offline", "token"},
    {RULE_NEEDS, "x5c-cert", "x5c-key"},
    {RULE_NEEDS, "x5c-key", "x5c-cert"},
    {RULE_EXCLUDES, "offline", "attestation-uri"},
    {RULE_EXCLUDES, "token", "attestation-uri"},
    {RULE_EXCLUDES, "attestation-uri", "san"},
    {RULE_EXCLUDES, "attestation-uri", "set"},
    {RULE_EXCLUDES, "attestation-uri", "set-file"},
    {RULE_EXCLUDES, "attestation-uri", "kty"},
    {RULE_EXCLUDES, "attestation-uri", "curve"},
    {RULE_EXCLUDES, "attestation-uri", "size"},
    {RULE_EXCLUDES, "attestation-uri", "standalone"},
    {RULE_EXCLUDES, "attestation-uri", "webroot"},
    {RULE_EXCLUDES, "attestation-uri", "tls-alpn-listen"},
    RULES_ACME,
    {0}};

const struct command CMD_CA_CERTIFICATE = {
    .name = "certificate",
    .summary = "make a key and get a certificate for it",
    .synopsis = "<subject> <crt-file> [<key-file>]",
    .description =
        "Makes a private key and asks the CA for a certificate. The right to get it comes from a "
        "one-time token: one that was handed over with '--token', or one that is made here with "
        "the help of a provisioner. With a provisioner of type ACME, or the directory of any ACME "
        "server ('--acme'), there is no token: control of the names is proven by a web server on "
        "port 80 ('--standalone', '--webroot') or a TLS server on port 443 "
        "('--tls-alpn-listen').\n\n"
        "The key is written without a password and can be read by its owner only; the certificate "
        "file has the leaf first, then the intermediate certificates.",
    .arguments = "subject\tThe common name of the certificate, and its only name unless '--san' "
                 "says otherwise.\n"
                 "crt-file\tWhere to write the certificate and its chain (PEM).\n"
                 "key-file\tWhere to write the private key (PEM). Not with "
                 "'--attestation-uri'.",
    .examples = "A certificate for a web server:\n"
                "$ step ca certificate web.example.internal web.crt web.key\n\n"
                "With several names, an RSA key, valid for two hours:\n"
                "$ step ca certificate web --san web.example.internal --san 10.0.0.5 \\\n"
                "  --kty RSA --size 3072 --not-after 2h web.crt web.key\n\n"
                "On a machine that knows nothing but a token:\n"
                "$ step ca certificate --token $TOKEN web.example.internal web.crt web.key",
    .flag_sets = CERTIFICATE_SETS,
    .rules = CERTIFICATE_RULES,
    .least = 2,
    .most = 3,
    .run = run_certificate,
};
