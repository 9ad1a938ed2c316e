/* The service: nonces, validations, and what a finished validation does to its records. */
#include <stdlib.h>

#include "acme/acme.h"
#include "base/log.h"

#define APPLY_TRIES    10
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

static bool apply_once(struct work *w, const struct acme_validation *v,
                       const struct acme_result *result)
{
    struct clock *clock = w->services->clock;
    struct acme_challenge c;
    struct acme_authz a;
    bool there;

    if (!load_pair(w, v, &c, &a, &there))
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
    return work_commit(w);
}

static void apply(void *arg, const struct acme_validation *v, const struct acme_result *result)
{
    struct acme_service *s = arg;
    struct arena *arena = arena_new(&HEAP_USUAL);
    struct authority *authority = authority_take(s->services);
    struct work w;
    bool ok = false;

    for (int i = 0; i < APPLY_TRIES && !ok; i++) {
        work_init(&w, s->services, authority, arena,
                  deadline_in(s->services->clock, APPLY_DEADLINE));
        ok = apply_once(&w, v, result);
        if (!ok && w.err.kind != ERR_CHANGED)
            break;
    }
    if (!ok)
        log_error("the result of ACME challenge %.*s could not be stored: %s",
                  SLICE_ARG(v->challenge), w.err.text);
    authority_drop(authority);
    arena_free(arena);
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
