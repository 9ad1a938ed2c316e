/*
 * Worker threads with declared waits.
 *
 * A worker is in one of three states: active (runs a job, counts against `running`), waiting (in a
 * job that declared a wait, counts for nothing) or asleep (on the list of sleepers, no job).  The
 * invariant, under the lock: when jobs are queued, either `running` workers are active, or every
 * thread that may exist is busy.  Each event that could break it (a job comes, a worker begins to
 * wait) wakes or starts at most one worker; only a sleeper is ever signalled.
 *
 * pool_wait_end never blocks: a worker comes back even when its core was taken meanwhile, and then
 * there is one active worker too many until somebody finishes.  Making it queue for a core instead
 * would deadlock whoever waits while holding a lock that an active worker wants.
 *
 * Threads join each other when they leave: each joins the one that left before, pool_stop the last.
 */
#include "base/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* Frames are several times larger under a sanitizer. */
#ifdef SANITIZED
#define STACK_SIZE ((size_t)2 << 20)
#else
#define STACK_SIZE ((size_t)256 << 10)
#endif
#define IDLE_SECONDS 10

struct worker {
    struct pool *pool;
    struct worker *next; /* among the sleepers */
    pthread_cond_t wake;
    bool awake;     /* taken from the sleepers by somebody who has work */
    unsigned waits; /* declared waits may nest; only the outermost counts */
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t empty; /* the last thread is about to leave */
    unsigned running, threads_max, queue_max;
    unsigned threads, active, queued;
    bool stopping, somebody_left;
    pthread_t left;
    struct worker *sleepers; /* last in, first out: warm caches, and the cold ones time out */
    struct job *first, *last;
};

static _Thread_local struct worker *me;

/* --- Conditions on the monotonic clock ------------------------------------------------------- */

static void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

/* False when the time is up. */
static bool cond_wait_ns(pthread_cond_t *c, pthread_mutex_t *lock, int64_t ns)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += ns / NS_PER_SEC;
    ts.tv_nsec += ns % NS_PER_SEC;
    if (ts.tv_nsec >= NS_PER_SEC) {
        ts.tv_nsec -= NS_PER_SEC;
        ts.tv_sec++;
    }
    return pthread_cond_timedwait(c, lock, &ts) != ETIMEDOUT;
}

/* One turn of waiting for a condition; false when the deadline has come.  Nobody signals that
 * `cancelled` was set or that a test moved its clock: look now and then. */
static bool cond_wait_deadline(pthread_cond_t *c, pthread_mutex_t *lock, struct deadline d)
{
    int64_t left = deadline_left(d);

    if (!deadline_ok(d, NULL))
        return false;
    if (left == INT64_MAX && !d.cancelled) {
        pthread_cond_wait(c, lock);
        return true;
    }
    if ((d.cancelled || d.clock != &CLOCK_SYSTEM) && left > 50 * NS_PER_MS)
        left = 50 * NS_PER_MS;
    if (left > 3600 * NS_PER_SEC)
        left = 3600 * NS_PER_SEC;
    cond_wait_ns(c, lock, left);
    return true;
}

/* --- Workers --------------------------------------------------------------------------------- */

static struct job *job_take(struct pool *p)
{
    struct job *job = p->first;

    p->first = job->next;
    if (!p->first)
        p->last = NULL;
    p->queued--;
    return job;
}

/* Runs jobs while this worker has a core; gives the core back.  Called and left locked. */
static void work(struct pool *p)
{
    while (p->first && (p->active <= p->running || p->stopping)) {
        struct job *job = job_take(p);
        pthread_mutex_unlock(&p->lock);
        job->run(job);
        pthread_mutex_lock(&p->lock);
    }
    p->active--;
}

static void unlink_sleeper(struct pool *p, struct worker *w)
{
    struct worker **at = &p->sleepers;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

/* False: nothing to do any more, the thread leaves. */
static bool sleep_until_woken(struct pool *p, struct worker *w)
{
    w->awake = false;
    w->next = p->sleepers;
    p->sleepers = w;
    while (!w->awake && !p->stopping) {
        if (p->threads <= p->running)
            pthread_cond_wait(&w->wake, &p->lock);
        else if (!cond_wait_ns(&w->wake, &p->lock, IDLE_SECONDS * NS_PER_SEC) && !w->awake &&
                 p->threads > p->running)
            break;
    }
    if (w->awake) /* whoever woke us has counted us active */
        return true;
    unlink_sleeper(p, w);
    return false;
}

static void leave(struct pool *p)
{
    bool join = p->somebody_left;
    pthread_t before = p->left;

    p->left = pthread_self();
    p->somebody_left = true;
    if (--p->threads == 0)
        pthread_cond_signal(&p->empty);
    pthread_mutex_unlock(&p->lock);
    if (join)
        pthread_join(before, NULL);
}

static void *worker_main(void *arg)
{
    struct pool *p = arg;
    struct worker w = {.pool = p};

    me = &w;
    cond_init(&w.wake);
    pthread_mutex_lock(&p->lock);
    do
        work(p);
    while (!p->stopping && sleep_until_woken(p, &w));
    pthread_cond_destroy(&w.wake);
    leave(p);
    return NULL;
}

/* Signals belong to the main thread. */
static bool thread_start(struct pool *p)
{
    sigset_t all, old;
    pthread_attr_t attr;
    pthread_t thread;

    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool started = pthread_create(&thread, &attr, worker_main, p) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    return started;
}

/* One more active worker, if a core is free and there is somebody. */
static void activate_one(struct pool *p)
{
    struct worker *w = p->sleepers;

    if (p->active >= p->running)
        return;
    if (w) {
        p->sleepers = w->next;
        w->awake = true;
        p->active++;
        pthread_cond_signal(&w->wake);
        return;
    }
    if (p->threads >= p->threads_max || !thread_start(p))
        return;
    p->threads++;
    p->active++;
}

/* --- The pool -------------------------------------------------------------------------------- */

struct pool *pool_new(unsigned running, unsigned threads_max, unsigned queue_max)
{
    struct pool *p = xcalloc(1, sizeof(*p));

    p->running = running ? running : 1;
    p->threads_max = threads_max > p->running ? threads_max : p->running;
    p->queue_max = queue_max;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->empty, NULL);
    return p;
}

bool pool_post(struct pool *p, struct job *job)
{
    pthread_mutex_lock(&p->lock);
    bool ok = !p->stopping && p->queued < p->queue_max;
    if (ok)
        activate_one(p);
    /* Without a single thread (pthread_create failed) nobody would ever look at the queue. */
    ok = ok && p->threads > 0;
    if (ok) {
        job->next = NULL;
        if (p->last)
            p->last->next = job;
        else
            p->first = job;
        p->last = job;
        p->queued++;
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void pool_stop(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    for (struct worker *w = p->sleepers; w; w = w->next)
        pthread_cond_signal(&w->wake);
    while (p->threads)
        pthread_cond_wait(&p->empty, &p->lock);
    bool join = p->somebody_left;
    pthread_t last = p->left;
    pthread_mutex_unlock(&p->lock);
    if (join)
        pthread_join(last, NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->empty);
    free(p);
}

void pool_wait_begin(void)
{
    if (!me || me->waits++)
        return;
    struct pool *p = me->pool;
    pthread_mutex_lock(&p->lock);
    p->active--;
    if (p->first)
        activate_one(p);
    pthread_mutex_unlock(&p->lock);
}

void pool_wait_end(void)
{
    if (!me || --me->waits)
        return;
    struct pool *p = me->pool;
    pthread_mutex_lock(&p->lock);
    p->active++;
    pthread_mutex_unlock(&p->lock);
}

/* --- Gates ----------------------------------------------------------------------------------- */

void gate_init(struct gate *g, unsigned limit)
{
    *g = (struct gate){.limit = limit ? limit : 1};
    pthread_mutex_init(&g->lock, NULL);
    cond_init(&g->free);
}

void gate_destroy(struct gate *g)
{
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->free);
}

static bool gate_try(struct gate *g)
{
    if (g->inside >= g->limit)
        return false;
    g->inside++;
    return true;
}

bool gate_enter(struct gate *g, struct deadline d, struct err *e)
{
    pthread_mutex_lock(&g->lock);
    bool in = gate_try(g);
    if (!in) {
        pool_wait_begin();
        while (!(in = gate_try(g)) && cond_wait_deadline(&g->free, &g->lock, d))
            ;
        pool_wait_end();
    }
    pthread_mutex_unlock(&g->lock);
    if (!in)
        return err_set(e, ERR_UNAVAILABLE, "no free place before the deadline (limit %u)",
                       g->limit);
    return true;
}

void gate_leave(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->inside--;
    pthread_cond_signal(&g->free);
    pthread_mutex_unlock(&g->lock);
}

/* --- Latches --------------------------------------------------------------------------------- */

#define LISTENERS_MAX 64u

struct latch {
    struct ref ref;
    pthread_mutex_t lock;
    pthread_cond_t fired_now;
    atomic_bool fired;
    unsigned n;
    struct listener {
        void (*tell)(void *);
        void *arg;
    } listeners[LISTENERS_MAX];
};

static void latch_last(struct ref *r)
{
    struct latch *l = (struct latch *)r; /* the first member */

    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->fired_now);
    free(l);
}

struct latch *latch_new(void)
{
    struct latch *l = xcalloc(1, sizeof(*l));

    ref_init(&l->ref, latch_last);
    pthread_mutex_init(&l->lock, NULL);
    cond_init(&l->fired_now);
    return l;
}

struct latch *latch_take(struct latch *l)
{
    ref_take(&l->ref);
    return l;
}

void latch_drop(struct latch *l)
{
    if (l)
        ref_drop(&l->ref);
}

void latch_fire(struct latch *l)
{
    /* A listener may drop the caller's reference. */
    latch_take(l);
    pthread_mutex_lock(&l->lock);
    /* Once fired nobody is added any more: the list may be walked without the lock. */
    unsigned n = atomic_load(&l->fired) ? 0 : l->n;
    atomic_store(&l->fired, true);
    pthread_cond_broadcast(&l->fired_now);
    pthread_mutex_unlock(&l->lock);
    for (unsigned i = 0; i < n; i++)
        l->listeners[i].tell(l->listeners[i].arg);
    latch_drop(l);
}

bool latch_fired(const struct latch *l)
{
    return atomic_load(&l->fired);
}

bool latch_wait(struct latch *l, struct deadline d)
{
    if (latch_fired(l))
        return true;
    pool_wait_begin();
    pthread_mutex_lock(&l->lock);
    while (!latch_fired(l) && cond_wait_deadline(&l->fired_now, &l->lock, d))
        ;
    pthread_mutex_unlock(&l->lock);
    pool_wait_end();
    return latch_fired(l);
}

bool latch_tell(struct latch *l, void (*tell)(void *), void *arg)
{
    pthread_mutex_lock(&l->lock);
    bool fired = latch_fired(l), room = l->n < LISTENERS_MAX;
    if (!fired && room)
        l->listeners[l->n++] = (struct listener){tell, arg};
    pthread_mutex_unlock(&l->lock);
    if (fired)
        tell(arg);
    return fired || room;
}

/* --- References ------------------------------------------------------------------------------ */

void ref_init(struct ref *r, void (*last)(struct ref *))
{
    atomic_init(&r->n, 1);
    r->last = last;
}

void ref_take(struct ref *r)
{
    atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);
}

void ref_drop(struct ref *r)
{
    if (atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel) == 1)
        r->last(r);
}
