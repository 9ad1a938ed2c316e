/* JWK: the token is signed by a key that the configuration names. */
#include "provisioner/internal.h"

struct jwk_config {
    struct common_config common;
    const struct json *key;
    struct slice encrypted_key;
};
#define AT(member) offsetof(struct jwk_config, member)
static const struct field JWK_FIELDS[] = {
    {"type", FIELD_TEXT, AT(common.type), 0, NULL},
    {"name", FIELD_TEXT, AT(common.name), 0, NULL},
    {"key", FIELD_RAW, AT(key), 0, NULL},
    {"encryptedKey", FIELD_TEXT, AT(encrypted_key), FIELD_OMIT_EMPTY, NULL},
    {"claims", FIELD_OBJECT, AT(common.claims), FIELD_OMIT_EMPTY, &CLAIMS_SHAPE},
    {"options", FIELD_OBJECT, AT(common.options), FIELD_OMIT_EMPTY, &OPTIONS_SHAPE},
};
const struct shape JWK_SHAPE = {"JWK provisioner", sizeof(struct jwk_config), JWK_FIELDS,
                                COUNT_OF(JWK_FIELDS), false};

struct jwk_detail {
    const struct key *key;
};

static void list(struct provisioner *p, struct arena *a, struct jwk_config *c, struct json *key)
{
    struct buf b = buf_new(a, 64u << 10);

    c->key = key;
    shape_write(&JWK_SHAPE, c, &b);
    p->listing = buf_slice(&b);
}

/* Without a key there is nobody to believe, but the others can work. */
static bool no_key(struct provisioner *p, struct arena *a, struct jwk_config *c, bool *fatal,
                   struct err *e)
{
    *fatal = false;
    p->token_id = arena_format(a, "%.*s:", SLICE_ARG(p->name));
    list(p, a, c, NULL);
    return err_set(e, ERR_MALFORMED, "key: a JWK provisioner needs its public key here");
}

static bool init(struct provisioner *p, struct arena *a, const struct provisioner_env *env,
                 bool *fatal, struct err *e)
{
    struct jwk_config *c = arena_alloc(a, sizeof(*c));
    struct jwk jwk = {0};

    (void)env;
    *fatal = true;
    if (!shape_read(&JWK_SHAPE, p->config, c, a, e))
        return false;
    if (!c->key)
        return no_key(p, a, c, fatal, e);
    if (c->key->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "key: expected an object (RFC 7517)");
    if (!jwk_from_json(a, c->key, &jwk, e))
        return err_wrap(e, "key");
    if (jwk.kid.n == 0 && jwk.key) {
        jwk.kid = jwk_thumbprint(a, jwk.key);
        p->warning = "its key has no kid; the RFC 7638 thumbprint is used";
    }
    *fatal = false;
    p->kid = jwk.kid;
    p->encrypted_key = c->encrypted_key;
    p->token_id = arena_format(a, "%.*s:%.*s", SLICE_ARG(p->name), SLICE_ARG(jwk.kid));
    list(p, a, c, jwk.key ? jwk_json(a, &jwk, false) : NULL);

    if (jwk.kty == JWK_OCT)
        return err_set(e, ERR_MALFORMED,
                       "key: a symmetric key would be published; use EC, RSA or "
                       "OKP");
    if (jwk.secret)
        return err_set(e, ERR_MALFORMED,
                       "key: a private key stands where the public one belongs; replace both");
    if (!key_check_strength(jwk.key, 2048, e))
        return err_wrap(e, "key");
    if (jws_alg_usual(jwk.key) == JWS_NONE)
        return err_set(e, ERR_MALFORMED, "key: this type of key cannot sign tokens");
    struct jwk_detail *d = arena_alloc(a, sizeof(*d));
    d->key = jwk.key;
    p->detail = d;
    return true;
}

static bool check_token(const struct provisioner *p, const struct token *t, enum method m,
                        const struct asking *ask, struct err *e)
{
    const struct jwk_detail *d = p->detail;

    if (!jws_verify(&t->jws, d->key, e))
        return err_classify(e, ERR_UNAUTHORIZED);
    return token_claims_check(p, t, m, SLICE_NONE, ask, e);
}

static bool authorize_sign(const struct provisioner *p, const struct token *t,
                           const struct asking *ask, struct grant *g, struct err *e)
{
    if (!check_token(p, t, METHOD_SIGN, ask, e) || !token_grant(t, ask, true, g, e))
        return false;
    g->x509.credential_id = p->kid;
    return true;
}

static bool authorize_revoke(const struct provisioner *p, const struct token *t,
                             const struct asking *ask, struct grant *g, struct err *e)
{
    g->subject = t->sub;
    g->use_key = t->jti;
    return check_token(p, t, METHOD_REVOKE, ask, e);
}

static bool authorize_ssh_sign(const struct provisioner *p, const struct token *t,
                               const struct asking *ask, struct grant *g, struct err *e)
{
    return ssh_enabled_check(p, e) && check_token(p, t, METHOD_SSH_SIGN, ask, e) &&
           token_grant_ssh(t, ask, g, e);
}

static bool authorize_ssh_revoke(const struct provisioner *p, const struct token *t,
                                 const struct asking *ask, struct grant *g, struct err *e)
{
    g->subject = t->sub;
    g->use_key = t->jti;
    return check_token(p, t, METHOD_SSH_REVOKE, ask, e);
}

const struct provisioner_type PROVISIONER_JWK = {
    .name = "JWK",
    .written = "JWK",
    .data_name = "JWK",
    .number = 1,
    .served = true,
    .members = &JWK_SHAPE,
    .init = init,
    .authorize = {[METHOD_SIGN] = authorize_sign,
                  [METHOD_REVOKE] = authorize_revoke,
                  [METHOD_SSH_SIGN] = authorize_ssh_sign,
                  [METHOD_SSH_REVOKE] = authorize_ssh_revoke},
};
