/*
 * SSHPOP: the token is signed by the key of an SSH certificate that this CA (or a key that its
 * configuration lists) has issued.  Host certificates renew and rekey themselves with it; any
 * certificate revokes itself.
 */
#include "base/encode.h"
#include "provisioner/internal.h"

struct sshpop_config {
    struct common_config common;
};
#define AT(member) offsetof(struct sshpop_config, member)
static const struct field SSHPOP_FIELDS[] = {
    {"type", FIELD_TEXT, AT(common.type), 0, NULL},
    {"name", FIELD_TEXT, AT(common.name), 0, NULL},
    {"claims", FIELD_OBJECT, AT(common.claims), FIELD_OMIT_EMPTY, &CLAIMS_SHAPE},
};
static const struct shape SSHPOP_SHAPE = {"SSHPOP provisioner", sizeof(struct sshpop_config),
                                          SSHPOP_FIELDS, COUNT_OF(SSHPOP_FIELDS), false};

struct sshpop_detail {
    const struct ssh_trust *roots; /* NULL: nobody's */
};

static bool init(struct provisioner *p, struct arena *a, const struct provisioner_env *env,
                 bool *fatal, struct err *e)
{
    struct sshpop_config *c = arena_alloc(a, sizeof(*c));
    struct sshpop_detail *d = arena_alloc(a, sizeof(*d));
    struct buf b = buf_new(a, 1u << 20);

    *fatal = true;
    if (!shape_read(&SSHPOP_SHAPE, p->config, c, a, e))
        return false;
    *fatal = false;
    p->token_id = arena_format(a, "sshpop/%.*s", SLICE_ARG(p->name));
    shape_write(&SSHPOP_SHAPE, c, &b);
    p->listing = buf_slice(&b);
    d->roots = env->ssh_roots;
    p->detail = d;
    return true;
}

/* Header "sshpop": base64 of the certificate. */
static bool read_held(const struct token *t, struct arena *a, struct ssh_cert *c, struct err *e)
{
    struct slice text = json_text(json_get_exact(t->jws.header, "sshpop")), blob;

    if (text.n == 0)
        return err_set(e, ERR_UNAUTHORIZED, "token header sshpop: is missing or no text");
    if (!base64_read(a, BASE64_STD, text, &blob))
        return err_set(e, ERR_UNAUTHORIZED, "token header sshpop: no base64");
    return ssh_cert_read(a, blob, c, e) || err_wrap(e, "token header sshpop");
}

/* The key that the certificate names is believed only because the configuration has it. */
static bool check_issuer(const struct provisioner *p, const struct ssh_cert *c, struct arena *a,
                         struct err *e)
{
    const struct ssh_trust *roots = ((const struct sshpop_detail *)p->detail)->roots;
    const char *type = ssh_cert_type_text(c->type);

    if (!roots || !ssh_keys_have(c->type == SSH_HOST ? &roots->host : &roots->user, c->ca.blob))
        return err_set(e, ERR_UNAUTHORIZED,
                       "token header sshpop: the certificate is signed by %.*s, no key for %s "
                       "certificates of this CA",
                       SLICE_ARG(ssh_fingerprint(a, c->ca.blob)), type);
    return ssh_cert_verify(a, c, e) || err_wrap(e, "token header sshpop");
}

static bool check_key(const struct ssh_cert *c, struct err *e)
{
    return !ssh_key_is_sk(c->key.kind) ||
           err_set(e, ERR_UNAUTHORIZED, "token header sshpop: %s keys do not sign tokens",
                   ssh_key_type_name(c->key.kind));
}

/* Everything but the certificate's times. */
static bool check_token(const struct provisioner *p, const struct token *t, enum method m,
                        const struct asking *ask, struct grant *g, struct err *e)
{
    struct ssh_cert *c = arena_alloc(ask->arena, sizeof(*c));

    if (!read_held(t, ask->arena, c, e) || !check_issuer(p, c, ask->arena, e) || !check_key(c, e) ||
        !jws_verify(&t->jws, c->key.key, e))
        return err_classify(e, ERR_UNAUTHORIZED);
    if (!token_claims_check(p, t, m, p->token_id, ask, e))
        return false;
    g->subject = t->sub;
    g->use_key = t->jti;
    g->ssh.held = c;
    return true;
}

static bool check_valid(const struct ssh_cert *c, const struct asking *ask, struct err *e)
{
    return ssh_cert_is_valid_at(c, ask->now.sec) ||
           err_set(e, ERR_UNAUTHORIZED, "the certificate is not valid at this time");
}

/* User certificates never renew themselves: a stolen one would live for ever. */
static bool check_host(const struct ssh_cert *c, struct err *e)
{
    if (c->type == SSH_HOST)
        return true;
    err_set(e, ERR_MALFORMED, "only host certificates can be renewed or rekeyed, not %s ones",
            ssh_cert_type_text(c->type));
    if (e)
        e->tell = true; /* meant as it is: 400 */
    return false;
}

static bool check_claims(const struct provisioner *p, struct err *e)
{
    return !p->claims.disable_renewal ||
           err_set(e, ERR_UNAUTHORIZED, "renewal is disabled: claim disableRenewal");
}

/* As valid at its end, so that an expired one passes that was good then. */
static bool check_renewable(const struct provisioner *p, const struct ssh_cert *c,
                            const struct asking *ask, struct err *e)
{
    if (!p->claims.allow_renewal_after_expiry || ssh_cert_is_valid_at(c, ask->now.sec))
        return check_valid(c, ask, e);
    return (c->valid_before > c->valid_after && c->valid_before <= (uint64_t)INT64_MAX &&
            c->valid_before <= (uint64_t)ask->now.sec) ||
           check_valid(c, ask, e);
}

static bool authorize_renew(const struct provisioner *p, const struct token *t,
                            const struct asking *ask, struct grant *g, struct err *e)
{
    return check_token(p, t, METHOD_SSH_RENEW, ask, g, e) && check_host(g->ssh.held, e) &&
           check_claims(p, e) && check_renewable(p, g->ssh.held, ask, e);
}

static bool authorize_rekey(const struct provisioner *p, const struct token *t,
                            const struct asking *ask, struct grant *g, struct err *e)
{
    return check_token(p, t, METHOD_SSH_REKEY, ask, g, e) && check_valid(g->ssh.held, ask, e) &&
           check_host(g->ssh.held, e) && check_claims(p, e);
}

static bool authorize_revoke(const struct provisioner *p, const struct token *t,
                             const struct asking *ask, struct grant *g, struct err *e)
{
    if (!check_token(p, t, METHOD_SSH_REVOKE, ask, g, e) || !check_valid(g->ssh.held, ask, e))
        return false;
    struct slice serial = ssh_serial_text(ask->arena, g->ssh.held->serial);
    return slice_eq(t->sub, serial) ||
           err_set(e, ERR_FORBIDDEN,
                   "the token's subject \"%.*s\" is not the certificate's serial number %.*s",
                   SLICE_ARG(slice_sub(t->sub, 0, 128)), SLICE_ARG(serial));
}

const struct provisioner_type PROVISIONER_SSHPOP = {
    .name = "SSHPOP",
    .written = "SSHPOP",
    .data_name = "SSHPOP",
    .number = 9,
    .served = true,
    .members = &SSHPOP_SHAPE,
    .init = init,
    .authorize = {[METHOD_SSH_RENEW] = authorize_renew,
                  [METHOD_SSH_REKEY] = authorize_rekey,
                  [METHOD_SSH_REVOKE] = authorize_revoke},
};
