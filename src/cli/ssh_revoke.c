/*
 * `step ssh revoke`: by serial number with a token, or with the certificate and its key (SSHPOP).
 */
#include "cli/ssh_common.h"

static const char *const KEY_PASSWORDS[] = {"provisioner-password-file", "password-file", NULL};

struct revoking {
    struct invocation *inv;
    struct ssh_desk desk;
    struct ca_revoke_wish wish;
    struct ssh_held held;
    bool by_certificate;
};

static bool read_serial(struct revoking *r, struct slice text)
{
    uint64_t serial;

    if (!slice_to_u64(text, &serial) || serial == 0)
        return err_set(&r->inv->err, ERR_MALFORMED,
                       "serial number '%.*s': expected a decimal number of 1 to 2^64-1",
                       SLICE_ARG(slice_sub(text, 0, 64)));
    r->wish.serial = ssh_serial_text(r->inv->arena, serial);
    return true;
}

/* A certificate says its own serial number. */
static bool load_certificate(struct revoking *r)
{
    struct invocation *inv = r->inv;
    const char *crt = ca_cmd_text(inv, "sshpop-cert"), *key = ca_cmd_text(inv, "sshpop-key");

    if (!ssh_held_load(inv, crt, key, KEY_PASSWORDS, &r->held))
        return false;
    struct slice own = ssh_serial_text(inv->arena, r->held.cert.serial);
    if (r->wish.serial.n && !slice_eq(own, r->wish.serial))
        return err_set(&inv->err, ERR_MALFORMED,
                       "the certificate in %s has the serial number %.*s, not %.*s", crt,
                       SLICE_ARG(own), SLICE_ARG(r->wish.serial));
    r->wish.serial = own;
    return true;
}

static bool prepare(struct revoking *r)
{
    struct invocation *inv = r->inv;

    r->by_certificate = ca_cmd_text(inv, "sshpop-cert") != NULL;
    if (!r->by_certificate && inv->n_args == 0)
        return err_set(&inv->err, ERR_MALFORMED,
                       "not enough positional arguments were provided in '%s <serial-number>'",
                       inv->path);
    r->wish.reason = slice_text(ca_cmd_text(inv, "reason"));
    return revoke_reason_read(slice_text(ca_cmd_text(inv, "reasonCode")), &r->wish.reason_code,
                              &inv->err) &&
           (inv->n_args == 0 || read_serial(r, inv->args[0])) &&
           (!r->by_certificate || load_certificate(r));
}

static bool take_token(struct revoking *r, const char *text)
{
    struct ssh_desk *d = &r->desk;

    if (!ssh_desk_take_token(d, text))
        return false;
    r->wish.ott = d->given.jws.text;
    return slice_eq(d->given.sub, r->wish.serial) ||
           err_set(&r->inv->err, ERR_MALFORMED,
                   "token: subject '%.*s' and serial number '%.*s' do not match",
                   SLICE_ARG(d->given.sub), SLICE_ARG(r->wish.serial));
}

static bool revoke(struct revoking *r)
{
    struct ssh_desk *d = &r->desk;
    const char *token = ca_cmd_text(r->inv, "token");
    struct token_order order = {.kind = TOKEN_SSH_REVOKE,
                                .subject = r->wish.serial,
                                .held = r->by_certificate ? &r->held : NULL};

    if (!ca_cmd_template_data(r->inv, &order.user) || !ssh_desk_open(r->inv, "password-file", d) ||
        !(token ? take_token(r, token) : ssh_desk_token(d, &order, &r->wish.ott)))
        return false;
    ssh_desk_note(d);
    return ssh_desk_revoke(d, &r->wish);
}

static int run_revoke(struct invocation *inv)
{
    struct revoking r = {.inv = inv};
    bool ok = prepare(&r) && revoke(&r);

    ssh_desk_close(&r.desk);
    if (!ok)
        return fail(inv);
    note(inv, "SSH certificate with serial number %.*s has been revoked.",
         SLICE_ARG(r.wish.serial));
    return 0;
}

static const struct flag REVOKE_FLAGS[] = {
    {"token", FLAG_TEXT, "<token>",
     "The one-time <token> that grants the revocation. Without it one is made.", NULL, 0},
    {"reason", FLAG_TEXT, "<text>", "Why, in words: the CA keeps it with the record.", NULL, 0},
    {"reasonCode", FLAG_TEXT, "<code>",
     "Why, as RFC 5280 5.3.1 counts: a number from 0 to 10 or a name such as KeyCompromise or "
     "Superseded.",
     NULL, 0},
    {0}};
static const struct flag *const REVOKE_SETS[] = {
    REVOKE_FLAGS,   FLAGS_SSHPOP,  FLAGS_PROVISIONER, FLAGS_LOGIN,
    FLAGS_TEMPLATE, FLAGS_OFFLINE, FLAGS_CA,          NULL};
static const struct flag_rule REVOKE_RULES[] = {
    RULES_SSHPOP,
    {RULE_EXCLUDES, "token", "sshpop-cert"},
    {RULE_EXCLUDES, "token", "provisioner-password-file"},
    {0}};

const struct command CMD_SSH_REVOKE = {
    .name = "revoke",
    .summary = "revoke an SSH certificate",
    .synopsis = "<serial-number>",
    .description =
        "Tells the CA that a certificate must not be used any more. From then on it is not "
        "renewed, and it is in the list of revoked certificates that sshd reads "
        "(GET /ssh/krl, 'RevokedKeys' in sshd_config).\n\n"
        "The right to do so comes from a one-time token whose subject is the serial number, or "
        "from the certificate itself with its key; then the serial number can be left out.",
    .arguments = "serial-number\tThe serial number, decimal, as 'step ssh inspect' shows it.",
    .examples = "Revoke by serial number:\n"
                "$ step ssh revoke --reasonCode KeyCompromise 4108854421353232186\n\n"
                "With the certificate and its key:\n"
                "$ step ssh revoke --sshpop-cert id_ecdsa-cert.pub --sshpop-key id_ecdsa",
    .flag_sets = REVOKE_SETS,
    .rules = REVOKE_RULES,
    .least = 0,
    .most = 1,
    .run = run_revoke,
};
