/* X5C: the token is signed by the key of a certificate that chains to configured roots. */
#include "crypto/pem.h"
#include "provisioner/internal.h"
#include "x509/chain.h"

struct x5c_config {
    struct common_config common;
    struct slice roots;
};
#define AT(member) offsetof(struct x5c_config, member)
static const struct field X5C_FIELDS[] = {
    {"type", FIELD_TEXT, AT(common.type), 0, NULL},
    {"name", FIELD_TEXT, AT(common.name), 0, NULL},
    {"roots", FIELD_BYTES, AT(roots), FIELD_NULL_WHEN_NONE, NULL},
    {"claims", FIELD_OBJECT, AT(common.claims), FIELD_OMIT_EMPTY, &CLAIMS_SHAPE},
    {"options", FIELD_OBJECT, AT(common.options), FIELD_OMIT_EMPTY, &OPTIONS_SHAPE},
};
const struct shape X5C_SHAPE = {"X5C provisioner", sizeof(struct x5c_config), X5C_FIELDS,
                                COUNT_OF(X5C_FIELDS), false};

struct x5c_detail {
    struct cert_list roots;
};

/* Every block must be a certificate, whatever its label. */
static bool read_roots(struct arena *a, struct slice text, struct cert_list *roots, struct err *e)
{
    struct slice rest = text;
    struct pem block;
    struct err why = {0};

    while (pem_next(a, &rest, &block, &why)) {
        struct cert *c;
        if (!cert_read(a, block.der, &c, e))
            return err_wrap(e, "roots: certificate %zu", roots->n + 1);
        cert_list_add(a, roots, c);
    }
    if (why.kind != ERR_NONE) {
        err_move(e, &why);
        return err_wrap(e, "roots");
    }
    if (roots->n == 0)
        return err_set(e, ERR_MALFORMED, "roots: expected PEM certificates in base64, found none");
    return true;
}

static bool init(struct provisioner *p, struct arena *a, const struct provisioner_env *env,
                 bool *fatal, struct err *e)
{
    struct x5c_config *c = arena_alloc(a, sizeof(*c));
    struct x5c_detail *d = arena_alloc(a, sizeof(*d));
    struct buf b = buf_new(a, 1u << 20);

    (void)env;
    *fatal = true;
    if (!shape_read(&X5C_SHAPE, p->config, c, a, e))
        return false;
    *fatal = false;
    p->token_id = arena_format(a, "x5c/%.*s", SLICE_ARG(p->name));
    p->detail = d;
    shape_write(&X5C_SHAPE, c, &b);
    p->listing = buf_slice(&b);
    return read_roots(a, c->roots, &d->roots, e);
}

/* The leaf of the x5c header, its chain verified for client authentication. */
static bool read_leaf(const struct provisioner *p, const struct token *t, const struct asking *ask,
                      struct cert **leaf, struct err *e)
{
    const struct x5c_detail *d = p->detail;
    struct chain_rules rules = {.anchors = d->roots, .at = ask->now, .use = CHAIN_CLIENT};
    struct slice *ders;
    size_t n;

    if (!token_chain(ask->arena, t->jws.header, "x5c", &ders, &n, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct cert *c;
        if (!cert_read(ask->arena, ders[i], &c, e))
            return err_wrap(e, "token header x5c: certificate %zu", i + 1);
        if (i == 0)
            *leaf = c;
        else
            cert_list_add(ask->arena, &rules.intermediates, c);
    }
    if (!chain_verify(ask->arena, *leaf, &rules, NULL, e))
        return err_wrap(e, "token header x5c");
    if (!(*leaf)->has_key_usage || !((*leaf)->key_usage & KU_DIGITAL_SIGNATURE))
        return err_set(e, ERR_UNAUTHORIZED,
                       "token header x5c: the certificate lacks the key usage digitalSignature");
    if (!(*leaf)->key)
        return err_set(e, ERR_UNAUTHORIZED,
                       "token header x5c: the certificate's key is of no supported type");
    return true;
}

static bool check_token(const struct provisioner *p, const struct token *t, enum method m,
                        const struct asking *ask, struct cert **leaf, struct err *e)
{
    if (!read_leaf(p, t, ask, leaf, e) || !jws_verify(&t->jws, (*leaf)->key, e))
        return err_classify(e, ERR_UNAUTHORIZED);
    return token_claims_check(p, t, m, p->token_id, ask, e);
}

static bool authorize_sign(const struct provisioner *p, const struct token *t,
                           const struct asking *ask, struct grant *g, struct err *e)
{
    struct cert *leaf;

    if (!check_token(p, t, METHOD_SIGN, ask, &leaf, e) || !token_grant(t, ask, false, g, e))
        return false;
    g->credential = leaf;
    g->x509.limited = true;
    g->x509.not_before_floor = leaf->not_before;
    g->x509.not_after_ceiling = leaf->not_after;
    return true;
}

static bool authorize_revoke(const struct provisioner *p, const struct token *t,
                             const struct asking *ask, struct grant *g, struct err *e)
{
    struct cert *leaf;

    g->subject = t->sub;
    g->use_key = t->jti;
    return check_token(p, t, METHOD_REVOKE, ask, &leaf, e);
}

static bool authorize_ssh_sign(const struct provisioner *p, const struct token *t,
                               const struct asking *ask, struct grant *g, struct err *e)
{
    struct cert *leaf;

    if (!ssh_enabled_check(p, e) || !check_token(p, t, METHOD_SSH_SIGN, ask, &leaf, e) ||
        !token_grant_ssh(t, ask, g, e))
        return false;
    g->credential = leaf;
    g->ssh.limited = true;
    g->ssh.ceiling = leaf->not_after;
    return true;
}

const struct provisioner_type PROVISIONER_X5C = {
    .name = "X5C",
    .written = "X5C",
    .data_name = "X5C",
    .number = 7,
    .served = true,
    .members = &X5C_SHAPE,
    .init = init,
    .authorize = {[METHOD_SIGN] = authorize_sign,
                  [METHOD_REVOKE] = authorize_revoke,
                  [METHOD_SSH_SIGN] = authorize_ssh_sign},
};
