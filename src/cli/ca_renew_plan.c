/*
 * When a certificate is renewed.  A little chance in it keeps many machines from asking their CA
 * all at once.
 */
#include "cli/ca_renew.h"

#define JITTER_PART 20 /* a 20th */
#define RETRY_FIRST (60 * NS_PER_SEC)

int64_t renew_random(struct rng *rng, int64_t x)
{
    uint64_t v;

    if (x <= 0)
        return 0;
    rng->fill(rng, &v, sizeof(v));
    return (int64_t)(v % (uint64_t)x);
}

static int64_t validity(const struct cert *leaf)
{
    return instant_sub(leaf->not_after, leaf->not_before);
}

bool renew_due(const struct cert *leaf, int64_t expires_in, struct instant now, struct rng *rng)
{
    int64_t left = instant_sub(leaf->not_after, now);

    return left - expires_in <= renew_random(rng, expires_in / JITTER_PART);
}

int64_t renew_next(const struct cert *leaf, const struct renew_timing *t, struct instant now,
                   struct rng *rng)
{
    int64_t left = instant_sub(leaf->not_after, now), jitter = validity(leaf) / JITTER_PART;

    if (t->period > 0)
        return left <= t->period ? 0 : t->period;
    int64_t wait = left - (t->has_expires_in ? t->expires_in : validity(leaf) / 3);
    if (wait <= 0)
        return 0;
    return wait < jitter ? renew_random(rng, wait) : wait - renew_random(rng, jitter);
}

int64_t renew_retry(const struct cert *leaf, struct instant now, unsigned failures)
{
    int64_t left = instant_sub(leaf->not_after, now), most = validity(leaf) / JITTER_PART;
    int64_t wait = RETRY_FIRST;

    for (unsigned i = 1; i < failures && wait < most; i++)
        wait *= 2;
    if (wait > most)
        wait = most;
    if (left > 0 && wait >= left)
        wait = left / 2;
    return wait < NS_PER_SEC ? NS_PER_SEC : wait;
}

int64_t renew_rounded(int64_t ns)
{
    int64_t half = ns < 0 ? -NS_PER_SEC / 2 : NS_PER_SEC / 2;

    return (ns + half) / NS_PER_SEC * NS_PER_SEC;
}
