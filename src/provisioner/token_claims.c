/* What self-made tokens (JWK, X5C) have in common: their claims, and the grant that they give. */
#include "provisioner/internal.h"

#define TOKEN_LEEWAY 60 /* seconds, docs/reference/tokens.md */

bool token_claims_check(const struct provisioner *p, const struct token *t, enum method m,
                        struct slice fragment, const struct asking *ask, struct err *e)
{
    if (!slice_eq(t->iss, p->name))
        return err_set(e, ERR_UNAUTHORIZED, "token issuer \"%.*s\" is not provisioner \"%.*s\"",
                       SLICE_ARG(t->iss), SLICE_ARG(p->name));
    if (!token_times(t, ask->now, TOKEN_LEEWAY, e))
        return err_classify(e, ERR_UNAUTHORIZED);
    if (!audience_match(ask->arena, t->aud, t->n_aud, &p->audiences->by_method[m], fragment))
        return err_set(e, ERR_UNAUTHORIZED, "token audience is not one of \"%s\" at this CA",
                       method_name(m));
    if (t->sub.n == 0)
        return err_set(e, ERR_UNAUTHORIZED, "token has no subject");
    return true;
}

static void add_rule(struct grant_x509 *x, struct csr_rule rule)
{
    x->rules[x->n_rules++] = rule;
}

bool token_confirmation(const struct token *t, struct slice *text, struct err *e)
{
    const struct json *cnf = json_get_exact(t->claims, "cnf");

    *text = SLICE_NONE;
    if (!cnf || cnf->kind == JSON_NULL)
        return true;
    if (cnf->kind != JSON_OBJECT)
        return err_set(e, ERR_UNAUTHORIZED, "token claim cnf: expected an object (RFC 7800 3.1)");
    const struct json *digest = json_get_exact(cnf, "x5rt#S256");
    if (!digest)
        return true;
    *text = json_text(digest);
    return text->n > 0 || err_set(e, ERR_UNAUTHORIZED, "token claim cnf: x5rt#S256 is not a text");
}

/* It binds the token to one request. */
static bool confirmation(const struct token *t, const struct asking *ask, struct grant *g,
                         struct err *e)
{
    struct slice *text = arena_alloc(ask->arena, sizeof(*text));

    if (!token_confirmation(t, text, e))
        return false;
    if (text->n > 0)
        add_rule(&g->x509,
                 (struct csr_rule){.kind = CSR_RULE_FINGERPRINT, .texts = text, .n_texts = 1});
    return true;
}

bool token_grant(const struct token *t, const struct asking *ask, bool cn_any, struct grant *g,
                 struct err *e)
{
    struct slice *texts;
    size_t n;

    if (!token_texts(ask->arena, t->claims, "sans", &texts, &n, e))
        return err_classify(e, ERR_UNAUTHORIZED);
    if (n > SANS_MAX)
        return err_set(e, ERR_UNAUTHORIZED, "token has more than %d sans", SANS_MAX);
    struct slice *names = arena_array(ask->arena, n + 1, sizeof(*names));
    names[0] = t->sub;
    for (size_t i = 0; i < n; i++)
        names[i + 1] = texts[i];
    if (n == 0)
        sans_split(ask->arena, names, 1, &g->x509.sans);
    else
        sans_split(ask->arena, names + 1, n, &g->x509.sans);

    g->subject = t->sub;
    g->use_key = t->jti;
    g->x509.subject.common_name = t->sub;
    g->x509.fallback = LEAF_TOKEN;
    g->ra = json_get_exact(json_get_exact(t->claims, "step"), "ra");
    if (!confirmation(t, ask, g, e))
        return false;
    add_rule(&g->x509, (struct csr_rule){
                           .kind = CSR_RULE_CN_IN, .texts = names, .n_texts = cn_any ? n + 1 : 1});
    add_rule(&g->x509, (struct csr_rule){.kind = CSR_RULE_KEY, .rsa_bits = 2048});
    add_rule(&g->x509, (struct csr_rule){.kind = CSR_RULE_SANS_EQUAL, .sans = &g->x509.sans});
    return true;
}
