/* The service: nonces, validations, and what a finished validation does to its records. */
#include <stdlib.h>

#include "acme/acme.h"
#include "base/log.h"

#define APPLY_DEADLINE (30 * NS_PER_SEC)

static bool load_pair(struct work *w, const struct acme_validation *v, struct acme_challenge *c,
                      struct acme_authz *a, bool *there)
{
    bool found_challenge, found_authz;

    if (!ACME_LOAD(w, TABLE_ACME_CHALLENGES, ACME_CHALLENGE_SHAPE, v->challenge, c,
                   &found_challenge) ||
        !ACME_LOAD(w, TABLE_ACME_AUTHZS, ACME_AUTHZ_SHAPE, v->authorization, a, &found_authz))
        return false;
    *there = found_challenge && found_authz;
    return true;
}

/* As they stood when the validation began: nearly always they still do, and where not, the swap is
 * refused and the result given again. */
static bool known_pair(struct work *w, const struct acme_validation *v, struct acme_challenge *c,
                       struct acme_authz *a)
{
    struct slice challenge = v->challenge_record, authz = v->authorization_record;

    memset(c, 0, sizeof(*c)); /* a record does not tell what is absent */
    memset(a, 0, sizeof(*a));
    if (!challenge.p || !authz.p ||
        !acme_record_read(w->arena, &ACME_CHALLENGE_SHAPE, v->challenge, challenge, c, NULL) ||
        !acme_record_read(w->arena, &ACME_AUTHZ_SHAPE, v->authorization, authz, a, NULL))
        return false;
    c->raw = challenge;
    a->raw = authz;
    return true;
}

/* What the verdict changes goes into the batch. */
static bool decide(struct work *w, const struct acme_validation *v,
                   const struct acme_result *result)
{
    struct clock *clock = w->services->clock;
    struct acme_challenge c = {0};
    struct acme_authz a = {0};
    bool there = true;

    /* What is no verdict may leave the authorization alone, and no swap would tell of a change. */
    bool known = result->verdict != ACME_RETRY && known_pair(w, v, &c, &a);
    if (!known && !load_pair(w, v, &c, &a, &there))
        return false;
    acme_authz_refresh(w->arena, &a, clock->now(clock));
    if (!there || !slice_is(c.status, "pending") || !slice_is(a.status, "pending"))
        return true; /* expired, deactivated or decided by another challenge meanwhile */
    acme_apply_result(w->arena, result, instant_truncate(clock->now(clock)), &c, &a);
    batch_swap(&w->batch, TABLE_ACME_CHALLENGES, c.id, c.raw,
               acme_record(w->arena, &ACME_CHALLENGE_SHAPE, &c));
    batch_expires(&w->batch, a.expires.sec + ACME_KEEP_PENDING);
    if (!slice_is(a.status, "pending")) {
        batch_swap(&w->batch, TABLE_ACME_AUTHZS, a.id, a.raw,
                   acme_record(w->arena, &ACME_AUTHZ_SHAPE, &a));
        batch_expires(&w->batch, a.expires.sec + ACME_KEEP_PENDING);
    }
    return true;
}

/* A verdict on its way into the store.  Nobody waits for the commit: the validation is over in the
 * call that tells of it, or decided again on what somebody else wrote. */
struct verdict {
    struct work work;
    struct acme_validation_job *job;
    struct acme_result result;
    struct slice challenge;
};

static void verdict_free(struct verdict *d)
{
    authority_drop(d->work.authority);
    arena_free(d->work.arena); /* d lives in it */
}

static void verdict_end(struct verdict *d, const char *failure)
{
    struct acme_validation_job *job = d->job;

    if (failure)
        log_error("the result of ACME challenge %.*s could not be stored: %s",
                  SLICE_ARG(d->challenge), failure);
    verdict_free(d);
    acme_validation_over(job);
}

static void on_stored(enum committed how, const struct store_op *refused, const struct err *why,
                      void *arg)
{
    const struct refusal *r = refused ? refused->refusal : NULL;
    struct verdict *d = arg;

    if (how == STORE_COMMITTED) {
        verdict_end(d, NULL);
        return;
    }
    if (how != STORE_REFUSED) {
        verdict_end(d, why && why->kind != ERR_NONE ? why->text : "the store failed");
        return;
    }
    if (r && r->kind == ERR_CHANGED && acme_validation_again(d->job, &d->result)) {
        verdict_free(d);
        return;
    }
    verdict_end(d, r ? r->text : "the record changed");
}

static void apply(void *arg, const struct acme_validation *v, const struct acme_result *result,
                  struct acme_validation_job *job)
{
    struct services *s = ((struct acme_service *)arg)->services;
    struct arena *a = arena_new(&HEAP_USUAL);
    struct verdict *d = arena_alloc(a, sizeof(*d));
    struct work *w = &d->work;

    work_init(w, s, authority_take(s), a, deadline_in(s->clock, APPLY_DEADLINE));
    d->job = job;
    d->result = *result;
    d->result.detail = arena_copy(a, result->detail);
    d->challenge = arena_copy(a, v->challenge);
    if (!decide(w, v, result))
        verdict_end(d, w->err.text);
    else if (w->batch.n == 0)
        verdict_end(d, NULL);
    else
        s->store->ops->submit(s->store, &w->batch, w->deadline, on_stored, d);
}

struct acme_service *acme_service_new(struct services *s,
                                      const struct acme_validation_settings *settings)
{
    struct acme_service *a = xcalloc(1, sizeof(*a));

    a->services = s;
    a->validation = *settings;
    a->nonces = acme_nonces_new(s->clock, s->rng, s->store);
    a->accounts = acme_account_cache_new();
    a->validator = acme_validator_new(&a->validation, apply, a);
    return a;
}

void acme_service_stop(struct acme_service *a)
{
    acme_validator_stop(a->validator);
    a->validator = NULL;
}

void acme_service_free(struct acme_service *a)
{
    if (!a)
        return;
    acme_nonces_free(a->nonces);
    acme_account_cache_free(a->accounts);
    free(a);
}
