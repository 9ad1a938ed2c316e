/*
 * The state machine of RFC 8555 7.1.6 on records: no storage, no requests.
 */
#include "acme/acme.h"

static struct acme_problem *with_identifier(struct arena *a, const struct acme_problem *about,
                                            const struct acme_identifier *id)
{
    struct acme_problem *p = arena_alloc(a, sizeof(*p));
    struct acme_subproblem *sub = arena_alloc(a, sizeof(*sub));

    sub->type = about->type;
    sub->detail = about->detail;
    sub->identifier = arena_alloc(a, sizeof(*sub->identifier));
    *sub->identifier = *id;
    *p = (struct acme_problem){about->type, about->detail, {sub, 1}};
    return p;
}

void acme_apply_result(struct arena *a, const struct acme_result *result, struct instant now,
                       struct acme_challenge *challenge, struct acme_authz *authz)
{
    if (!slice_is(challenge->status, "pending") || !slice_is(authz->status, "pending"))
        return;
    if (result->verdict == ACME_VALID) {
        challenge->status = authz->status = SLICE("valid");
        challenge->validated = rfc3339(a, now);
        challenge->error = NULL;
        return;
    }
    challenge->error = acme_problem_make(a, result->problem, result->detail);
    if (result->verdict == ACME_RETRY)
        return;
    challenge->status = authz->status = SLICE("invalid");
    authz->error = challenge->error;
}

bool acme_authz_refresh(struct arena *a, struct acme_authz *authz, struct instant now)
{
    if (!slice_is(authz->status, "pending") || instant_cmp(now, authz->expires) <= 0)
        return false;
    authz->status = SLICE("invalid");
    authz->error = acme_problem_make(a, "malformed", SLICE("the authorization expired"));
    return true;
}

bool acme_order_refresh(struct arena *a, struct acme_order *order, const struct acme_authz *authzs,
                        size_t n, struct instant now)
{
    size_t valid = 0;

    if (!slice_is(order->status, "pending") && !slice_is(order->status, "ready"))
        return false;
    if (instant_cmp(now, order->expires) > 0) {
        order->status = SLICE("invalid");
        order->error = acme_problem_make(a, "malformed", SLICE("the order expired"));
        return true;
    }
    if (!slice_is(order->status, "pending"))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (slice_is(authzs[i].status, "valid")) {
            valid++;
            continue;
        }
        if (slice_is(authzs[i].status, "pending"))
            continue;
        struct acme_problem gone = {SLICE(ACME_ERROR_PREFIX "unauthorized"),
                                    SLICE("an authorization was deactivated"),
                                    {NULL, 0}};
        order->status = SLICE("invalid");
        order->error =
            with_identifier(a, authzs[i].error ? authzs[i].error : &gone, &authzs[i].identifier);
        return true;
    }
    if (n == 0 || valid < n)
        return false;
    order->status = SLICE("ready");
    return true;
}
