/* A condition variable, three due times, and work when one has passed. */
#include "server/keeper.h"

#include <malloc.h>
#include <stdlib.h>

#include "authority/work.h"
#include "base/log.h"
#include "server/prune.h"

#define PRUNE_EVERY  (10 * 60 * NS_PER_SEC)
#define PRUNE_FIRST  (30 * NS_PER_SEC)
#define PRUNE_ROWS   20000 /* looked at in one go */
#define LIFETIME     (24 * 3600 * NS_PER_SEC)
#define CRL_DEADLINE (300 * NS_PER_SEC)
#define CRL_RETRY    (60 * NS_PER_SEC)

enum task { TASK_CERT, TASK_CRL, TASK_PRUNE, TASKS };

struct keeper {
    struct services *s;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool started, stopping;
    int64_t due[TASKS]; /* monotonic; INT64_MAX: never */
    struct pruning pruning;
};

static int64_t mono(const struct keeper *k)
{
    return k->s->clock->mono_ns(k->s->clock);
}

static int64_t crl_period(struct keeper *k)
{
    struct authority *a = authority_take(k->s);
    int64_t period = a->core->crl.enabled ? a->core->crl.renew : 0;

    authority_drop(a);
    return period;
}

struct keeper *keeper_new(struct services *s)
{
    struct keeper *k = xcalloc(1, sizeof(*k));
    pthread_condattr_t attr;

    k->s = s;
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->changed, &attr);
    pthread_condattr_destroy(&attr);
    k->due[TASK_CERT] = k->due[TASK_CRL] = INT64_MAX;
    k->due[TASK_PRUNE] = mono(k) + PRUNE_FIRST;
    return k;
}

void keeper_schedule(struct keeper *k, int64_t cert_renew_in_ns)
{
    int64_t period = crl_period(k);

    pthread_mutex_lock(&k->lock);
    k->due[TASK_CERT] = mono(k) + cert_renew_in_ns;
    k->due[TASK_CRL] = period > 0 ? mono(k) + period : INT64_MAX;
    pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

void keeper_renew_now(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    k->due[TASK_CERT] = 0;
    pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

/* A failed renewal is tried again after a fortieth to a twentieth of the period. */
static int64_t renew_certificate(struct keeper *k)
{
    struct authority *a = authority_take(k->s);
    struct instant not_after;
    struct err e = {0};
    int64_t in;
    uint32_t dice;

    if (!server_cert_issue(k->s, a->core, &in, &not_after, &e)) {
        log_error("%s; it is tried again", e.text);
        k->s->rng->fill(k->s->rng, &dice, sizeof(dice));
        in = LIFETIME / 40 + (int64_t)(dice % 1000) * (LIFETIME / 40 / 1000);
    }
    authority_drop(a);
    tls_slot_resume(k->s->tls);
    return in;
}

static int64_t make_crl(struct keeper *k)
{
    struct authority *a = authority_take(k->s);
    struct arena *arena = arena_new(&HEAP_USUAL);
    struct work w;
    int64_t in = a->core->crl.enabled ? a->core->crl.renew : INT64_MAX / 2;

    work_init(&w, k->s, a, arena, deadline_in(k->s->clock, CRL_DEADLINE));
    if (!crl_generate(&w)) {
        log_error("the CRL could not be made: %s; it is tried again in a minute", w.err.text);
        in = CRL_RETRY < in ? CRL_RETRY : in;
    }
    arena_free(arena);
    authority_drop(a);
    return in;
}

/* Seconds that certificates are kept after their end; negative: for ever. */
static int64_t retention(struct keeper *k)
{
    struct authority *a = authority_take(k->s);
    const struct config_db *db = a->core->config->db;
    int64_t kept =
        db && db->retention.set && db->retention.ns > 0 ? db->retention.ns / NS_PER_SEC : -1;

    authority_drop(a);
    return kept;
}

static int64_t prune(struct keeper *k)
{
    struct pruning *p = &k->pruning;
    struct err e = {0};
    uint64_t removed;
    bool end;

    p->store = k->s->store;
    p->now = k->s->clock->now(k->s->clock).sec;
    p->retention = retention(k);
    if ((p->store->ops->prune && !p->store->ops->prune(p->store, p->now, &removed, &e)) ||
        !prune_some(p, PRUNE_ROWS, &end, &e))
        log_error("removing ended rows from the store: %s", e.text);
    if (p->certificates > 0)
        log_line("%llu certificates were removed: they ended longer ago than db.retention says",
                 (unsigned long long)p->certificates);
    p->certificates = 0;
    malloc_trim(0); /* what a flood of large requests took is given back */
    return PRUNE_EVERY;
}

static int64_t run_task(struct keeper *k, enum task task)
{
    static int64_t (*const RUN[TASKS])(struct keeper *) = {
        [TASK_CERT] = renew_certificate, [TASK_CRL] = make_crl, [TASK_PRUNE] = prune};

    return RUN[task](k);
}

static void wait_until(struct keeper *k, int64_t due)
{
    struct timespec at = {due / NS_PER_SEC, due % NS_PER_SEC};

    if (due == INT64_MAX)
        pthread_cond_wait(&k->changed, &k->lock);
    else
        pthread_cond_timedwait(&k->changed, &k->lock, &at);
}

static void *run(void *arg)
{
    struct keeper *k = arg;

    pthread_mutex_lock(&k->lock);
    while (!k->stopping) {
        enum task next = TASK_CERT;
        for (enum task t = TASK_CERT; t < TASKS; t++) {
            if (k->due[t] < k->due[next])
                next = t;
        }
        int64_t due = k->due[next];
        if (mono(k) < due) {
            wait_until(k, due);
            continue;
        }
        pthread_mutex_unlock(&k->lock);
        int64_t in = run_task(k, next);
        pthread_mutex_lock(&k->lock);
        if (k->due[next] == due) /* else somebody rescheduled it meanwhile */
            k->due[next] = in > INT64_MAX - mono(k) ? INT64_MAX : mono(k) + in;
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

void keeper_start(struct keeper *k)
{
    k->started = pthread_create(&k->thread, NULL, run, k) == 0;
    if (!k->started)
        log_error("the keeper thread could not be started; nothing will be renewed");
}

void keeper_stop(struct keeper *k)
{
    if (!k)
        return;
    pthread_mutex_lock(&k->lock);
    k->stopping = true;
    pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->lock);
    if (k->started)
        pthread_join(k->thread, NULL);
    prune_free(&k->pruning);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
    free(k);
}
