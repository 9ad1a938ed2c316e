/*
 * `step ca revoke`: by serial number with a token, or with the certificate itself (mTLS).
 */
#include "cli/ca_offline.h"

static const char *const KEY_PASSWORDS[] = {"password-file", NULL};

bool revoke_reason_read(struct slice text, int *code, struct err *e)
{
    static const struct {
        const char *name;
        int code;
    } NAMES[] = {
        {"unspecified", 0},        {"keycompromise", 1}, {"cacompromise", 2},
        {"affiliationchanged", 3}, {"superseded", 4},    {"cessationofoperation", 5},
        {"certificatehold", 6},    {"removefromcrl", 8}, {"privilegewithdrawn", 9},
        {"aacompromise", 10},
    };
    char word[32];
    size_t n = 0;
    uint64_t number;

    *code = 0;
    for (size_t i = 0; i < text.n && n < sizeof(word); i++)
        if (text.p[i] != ' ' && text.p[i] != '\t')
            word[n++] = (char)text.p[i];
    struct slice bare = slice_of(word, n);
    if (n == 0)
        return true;
    if (slice_to_u64(bare, &number) && number <= 10) {
        *code = (int)number;
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (slice_is_case(bare, NAMES[i].name)) {
            *code = NAMES[i].code;
            return true;
        }
    return err_set(e, ERR_MALFORMED,
                   "invalid value '%.*s' for flag '--reasonCode'; options are 0 to 10, "
                   "Unspecified, KeyCompromise, CACompromise, AffiliationChanged, Superseded, "
                   "CessationOfOperation, CertificateHold, RemoveFromCRL, PrivilegeWithdrawn, "
                   "AACompromise (RFC 5280 5.3.1)",
                   SLICE_ARG(slice_sub(text, 0, 64)));
}

/* --- Three ways ------------------------------------------------------------------------------ */

struct revoking {
    struct invocation *inv;
    struct ca_revoke_wish wish;
    struct ca ca;
    struct ca_held held;
    struct ca_offline offline; /* open: instead of ca */
};

static bool with_certificate(struct revoking *r)
{
    struct invocation *inv = r->inv;

    if (!ca_held_load(inv, flag_text(inv, "cert"), flag_text(inv, "key"), KEY_PASSWORDS,
                      &r->held) ||
        (!r->offline.open && !ca_cmd_connect(inv, &r->ca, NULL)))
        return false;
    r->ca.identity = &r->held.identity;
    r->wish.serial = serial_decimal(inv->arena, r->held.chain.v[0]->serial);
    return true;
}

static bool with_given_token(struct revoking *r, const char *text)
{
    struct invocation *inv = r->inv;
    struct token t;

    if (!token_read(inv->arena, slice_text(text), &t, &inv->err))
        return err_wrap(&inv->err, "token");
    if (!slice_eq(t.sub, r->wish.serial))
        return err_set(&inv->err, ERR_MALFORMED,
                       "token: subject '%.*s' and serial number '%.*s' do not match",
                       SLICE_ARG(t.sub), SLICE_ARG(r->wish.serial));
    r->wish.ott = t.jws.text;
    return ca_cmd_connect_for(inv, &t, &r->ca);
}

static bool with_new_token(struct revoking *r)
{
    struct invocation *inv = r->inv;
    struct token_order order = {.kind = TOKEN_REVOKE, .subject = r->wish.serial};
    struct cert_list roots = {0};
    struct token_source source;

    if (r->offline.open)
        return token_source_offline(inv, &source) && token_flow(inv, &source, &order, &r->wish.ott);
    return ca_cmd_connect(inv, &r->ca, &roots) &&
           token_source_online(inv, &r->ca, &roots, &source) &&
           token_flow(inv, &source, &order, &r->wish.ott);
}

static bool with_serial(struct revoking *r)
{
    struct invocation *inv = r->inv;
    const char *token = ca_cmd_text(inv, "token");
    struct slice magnitude;

    if (!serial_read(inv->arena, inv->args[0], &magnitude, &inv->err))
        return err_wrap(&inv->err, "serial number '%.*s'", SLICE_ARG(inv->args[0]));
    r->wish.serial = serial_decimal(inv->arena, magnitude);
    return token ? with_given_token(r, token) : with_new_token(r);
}

static bool ask(struct revoking *r)
{
    struct invocation *inv = r->inv;

    if (!r->offline.open)
        return ca_revoke(&r->ca, inv->arena, &r->wish, &inv->err);
    return ca_offline_revoke(&r->offline, &r->wish, r->held.key ? &r->held : NULL, &inv->err);
}

/* A certificate says its own serial number; without one it must be said. */
static bool check_arguments(struct invocation *inv, bool by_certificate)
{
    if (by_certificate && inv->n_args > 0)
        return err_set(&inv->err, ERR_MALFORMED,
                       "too many positional arguments were provided in '%s <serial-number>': with "
                       "'--cert' the serial number is that of the certificate",
                       inv->path);
    return by_certificate || inv->n_args > 0 ||
           err_set(&inv->err, ERR_MALFORMED,
                   "not enough positional arguments were provided in '%s <serial-number>'",
                   inv->path);
}

static int run_revoke(struct invocation *inv)
{
    struct revoking r = {.inv = inv};
    bool by_certificate = ca_cmd_text(inv, "cert") != NULL;

    if (!check_arguments(inv, by_certificate))
        return fail(inv);
    r.wish.reason = slice_text(ca_cmd_text(inv, "reason"));
    if (!revoke_reason_read(slice_text(ca_cmd_text(inv, "reasonCode")), &r.wish.reason_code,
                            &inv->err))
        return fail(inv);
    if (flag_bool(inv, "offline") && !ca_offline_open(inv, &r.offline))
        return fail(inv);
    bool revoked = (by_certificate ? with_certificate(&r) : with_serial(&r)) && ask(&r);
    ca_offline_close(&r.offline);
    if (!revoked)
        return fail(inv);
    note(inv, "Certificate with Serial Number %.*s has been revoked.", SLICE_ARG(r.wish.serial));
    return 0;
}

static const struct flag REVOKE_FLAGS[] = {
    {"cert", FLAG_FILE, "<file>",
     "The certificate <file> (PEM) to revoke, with which the request is authenticated.", NULL, 0},
    {"key", FLAG_FILE, "<file>", "The private key <file> of --cert.", NULL, 0},
    {"reason", FLAG_TEXT, "<text>", "Why, in words, for the CA's records.", NULL, 0},
    {"reasonCode", FLAG_TEXT, "<code>",
     "Why, as a <code> of RFC 5280: a number, or one of Unspecified (0, the default), "
     "KeyCompromise (1), CACompromise (2), AffiliationChanged (3), Superseded (4), "
     "CessationOfOperation (5), CertificateHold (6), RemoveFromCRL (8), PrivilegeWithdrawn (9), "
     "AACompromise (10).",
     NULL, 0},
    {"token", FLAG_TEXT, "<token>",
     "The one-time <token> whose subject is the serial number. Without it one is made.", NULL, 0},
    {0}};
static const struct flag *const REVOKE_SETS[] = {
    REVOKE_FLAGS, FLAGS_PROVISIONER, FLAGS_X5C, FLAGS_OFFLINE, FLAGS_CA, FLAGS_LOGIN, NULL};
static const struct flag_rule REVOKE_RULES[] = {{RULE_NEEDS, "cert", "key"},
                                                {RULE_NEEDS, "key", "cert"},
                                                {RULE_EXCLUDES, "cert", "token"},
                                                {RULE_EXCLUDES, "offline", "token"},
                                                {RULE_NEEDS, "x5c-cert", "x5c-key"},
                                                {RULE_NEEDS, "x5c-key", "x5c-cert"},
                                                {0}};

const struct command CMD_CA_REVOKE = {
    .name = "revoke",
    .summary = "revoke a certificate",
    .synopsis = "[serial-number]",
    .description =
        "Revokes a certificate: from then on the CA does not renew it, and lists it in its CRL "
        "when it keeps one. Clients that do not look at the CRL accept the certificate until it "
        "expires.\n\n"
        "With a serial number the right to revoke comes from a one-time token; with '--cert' and "
        "'--key' from the certificate itself.",
    .arguments = "serial-number\tThe serial number, decimal or hexadecimal with 0x; not with "
                 "'--cert'.",
    .examples = "Revoke by serial number:\n"
                "$ step ca revoke 308893286343609293989051180431574390766\n\n"
                "Say why:\n"
                "$ step ca revoke --reasonCode KeyCompromise --reason \"laptop was lost\" 0x1f\n\n"
                "Revoke one's own certificate:\n"
                "$ step ca revoke --cert web.crt --key web.key",
    .flag_sets = REVOKE_SETS,
    .rules = REVOKE_RULES,
    .most = 1,
    .run = run_revoke,
};
