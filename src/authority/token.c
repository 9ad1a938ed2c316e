/*
 * One-time tokens: which provisioner a token belongs to, whether it is good, and that it counts
 * once.  It is verified first and recorded after; the record is part of the same commit as what
 * the token was for.
 */
#include "authority/work.h"
#include "crypto/digest.h"

#define USE_KEY_MAX    256
#define KEPT_AFTER_EXP (24 * 3600) /* seconds that a used token is remembered after its end */
#define KUBERNETES_ISS "kubernetes/serviceaccount"
#define KUBERNETES_ID  "k8ssa/k8sSA-default"

static const struct refusal TOKEN_USED = {ERR_UNAUTHORIZED, "tokenUsed",
                                          "the token was already used"};

static struct provisioner *by_claims(const struct registry *r, const struct token *t)
{
    struct slice azp = json_text(json_get_exact(t->claims, "azp"));
    struct slice tid = json_text(json_get_exact(t->claims, "tid"));
    struct slice email = json_text(json_get_exact(t->claims, "email"));
    struct provisioner *p = NULL;

    if (slice_is(t->iss, KUBERNETES_ISS))
        return registry_by_token_id(r, SLICE(KUBERNETES_ID));
    if (t->n_aud == 0)
        return NULL;
    if (azp.n > 0)
        p = registry_by_token_id(r, azp);
    if (!p && tid.n > 0 && email.n > 0)
        p = registry_by_token_id(r, t->aud[0]);
    if (!p && tid.n > 0)
        p = registry_by_token_id(r, tid);
    return p ? p : registry_by_token_id(r, t->aud[0]);
}

/* docs/reference/tokens.md "Finding the provisioner". */
static struct provisioner *find_provisioner(struct work *w, const struct token *t)
{
    const struct registry *r = w->authority->registry;
    const struct audiences *ours = &w->authority->core->audiences;
    struct slice fragment = audience_fragment(w->arena, t->aud, t->n_aud);

    if (!audience_match(w->arena, t->aud, t->n_aud, &ours->all, fragment))
        return by_claims(r, t);
    if (fragment.p)
        return registry_by_token_id(r, fragment);
    return registry_by_token_id(
        r, arena_format(w->arena, "%.*s:%.*s", SLICE_ARG(t->iss), SLICE_ARG(t->jws.kid)));
}

static struct slice audiences_text(struct arena *a, const struct token *t)
{
    struct buf b = buf_new(a, 200);

    for (size_t i = 0; i < t->n_aud && buf_ok(&b); i++) {
        if (i > 0)
            buf_text(&b, ", ");
        buf_put(&b, t->aud[i]);
    }
    return buf_slice(&b);
}

static bool check_issued_at(struct work *w, const struct token *t)
{
    if (w->authority->core->config->authority.disable_issued_at_check || !t->iat.set)
        return true;
    if (t->iat.sec >= w->services->started.sec)
        return true;
    return err_set(&w->err, ERR_UNAUTHORIZED,
                   "the token was issued before this CA was started (claim iat)");
}

static struct slice use_key(struct arena *a, const struct token *t, struct slice wanted)
{
    if (wanted.n > 0 && wanted.n <= USE_KEY_MAX)
        return wanted;
    return wanted.n > 0 ? sha256_hex(a, wanted) : token_identity(a, t);
}

static void record(struct work *w, const struct token *t, struct slice key,
                   const struct refusal *used)
{
    batch_insert(&w->batch, TABLE_USED_OTT, key, SLICE("used"), used);
    batch_keep(&w->batch);
    if (t->exp.set && t->exp.sec > 0 && t->exp.sec < INT64_MAX - KEPT_AFTER_EXP)
        batch_expires(&w->batch, t->exp.sec + KEPT_AFTER_EXP);
}

void token_spend(struct work *w, const struct token *t, struct slice key,
                 const struct refusal *used)
{
    record(w, t, key, used);
    if (t->jti.n == 0)
        record(w, t, sha256_hex(w->arena, t->jws.text), used);
}

static void log_token(struct work *w, const struct token *t, const struct provisioner *p)
{
    log_put_text(&w->log, "token-id", use_key(w->arena, t, t->jti));
    if (p)
        log_put_text(&w->log, "provisioner", p->name);
}

/* What a provisioner says is the requester's mistake stays one. */
static bool classify(struct err *e, const struct provisioner *p)
{
    if (e->kind != ERR_MALFORMED || !e->tell)
        err_classify(e, ERR_UNAUTHORIZED);
    return err_wrap(e, "provisioner \"%.*s\"", SLICE_ARG(p->name));
}

static bool authorize(struct work *w, struct slice ott, enum method method, struct grant **out)
{
    struct err *e = &w->err;
    struct token *t = arena_alloc(w->arena, sizeof(*t));
    struct grant *g = arena_alloc(w->arena, sizeof(*g));
    struct asking ask = {w->arena, w->services->clock->now(w->services->clock), w->deadline};

    if (!token_read(w->arena, ott, t, e)) {
        err_classify(e, ERR_UNAUTHORIZED);
        return err_wrap(e, "token");
    }
    struct provisioner *p = find_provisioner(w, t);
    log_token(w, t, p);
    if (!p) {
        struct slice aud = audiences_text(w->arena, t);
        return err_set(e, ERR_UNAUTHORIZED,
                       "no provisioner for the token, or its audience [%.*s] is not this CA's",
                       SLICE_ARG(aud));
    }
    if (p->trouble) {
        err_set(e, ERR_UNAUTHORIZED,
                "provisioner \"%.*s\" is disabled because of an initialization error",
                SLICE_ARG(p->name));
        e->tell = true;
        return false;
    }
    if (p->type->no_tokens)
        return err_set(e, ERR_MALFORMED, "%s provisioners do not support tokens", p->type->name);
    if (!check_issued_at(w, t))
        return false;
    if (!p->type->authorize[method])
        return err_set(e, ERR_UNAUTHORIZED, "%s provisioners do not support %s", p->type->name,
                       method_name(method));
    g->by = p;
    g->token = t;
    if (!p->type->authorize[method](p, t, &ask, g, e))
        return classify(e, p);
    g->use_key = use_key(w->arena, t, g->use_key);
    *out = g;
    return true;
}

bool authorize_token(struct work *w, struct slice ott, enum method method, struct grant **out)
{
    if (!authorize(w, ott, method, out))
        return false;
    if (!(*out)->reusable)
        token_spend(w, (*out)->token, (*out)->use_key, &TOKEN_USED);
    return true;
}

bool authorize_token_again(struct work *w, struct slice ott, enum method method, struct grant **out)
{
    return authorize(w, ott, method, out);
}
