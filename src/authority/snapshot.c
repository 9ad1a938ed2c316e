/* The current pair of core and registry: published, taken for a request, dropped after it. */
#include <stdlib.h>

#include "authority/metrics.h"
#include "authority/services.h"

void services_init(struct services *s, struct clock *clock, struct rng *rng)
{
    *s = (struct services){.clock = clock, .rng = rng};
    s->started = instant_truncate(clock->now(clock));
    s->started_mono_ns = clock->mono_ns(clock);
    gate_init(&s->crl_gate, 1);
    gate_init(&s->webhook_gate, WEBHOOKS_AT_ONCE);
    ssh_krl_init(&s->ssh_krl);
    pthread_mutex_init(&s->current_lock, NULL);
    s->metrics = metrics_new(clock);
}

void services_end(struct services *s)
{
    if (s->current)
        authority_drop(s->current);
    s->current = NULL;
    metrics_free(s->metrics);
    gate_destroy(&s->crl_gate);
    gate_destroy(&s->webhook_gate);
    ssh_krl_end(&s->ssh_krl);
    pthread_mutex_destroy(&s->current_lock);
}

static void last_authority(struct ref *ref)
{
    struct authority *a = (struct authority *)ref;

    ref_drop(&a->registry->ref);
    ref_drop(&a->core->ref);
    free(a);
}

void authority_publish(struct services *s, struct core *core, struct registry *registry)
{
    struct authority *a = xcalloc(1, sizeof(*a));
    struct authority *before;

    ref_init(&a->ref, last_authority);
    a->core = core;
    a->registry = registry;
    pthread_mutex_lock(&s->current_lock);
    before = s->current;
    s->current = a;
    pthread_mutex_unlock(&s->current_lock);
    if (before)
        authority_drop(before);
}

struct authority *authority_take(struct services *s)
{
    struct authority *a;

    pthread_mutex_lock(&s->current_lock);
    a = s->current;
    ref_take(&a->ref);
    pthread_mutex_unlock(&s->current_lock);
    return a;
}

void authority_drop(struct authority *a)
{
    ref_drop(&a->ref);
}
