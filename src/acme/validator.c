/*
 * The validator: jobs, and threads that run them beside the requests.
 *
 * All jobs stand in one list, oldest first, and in a table by challenge id.  A job is waiting (its
 * turn has not come, or its target has enough visitors), paused (tried again when it is due) or
 * running; only running jobs have a thread, so a target that never answers holds at most
 * TARGET_MAX threads, however many names of it are asked for.
 *
 * A transient failure is tried again with growing pauses until 30 s after the job came to run
 * first; then the last result counts.  A job that never gets a turn ends after WAIT_NS.
 *
 * Whoever started a job may wait for its latch.  It fires when the job is gone from the table, or
 * pauses for the first time: then nobody knows how long it will take.
 *
 * Whoever is given a result may need another thread's help to store it (the store's writer): the
 * job runs on until he says that it is over, but the thread is free.
 *
 * Threads are detached and counted.  Invariant, under the lock: as long as jobs wait or pause, one
 * thread is idle and looks at the list and the clock, or is on its way there, or all THREADS_MAX
 * threads are busy.  Whoever takes a job and leaves more behind than threads are on their way wakes
 * or makes the next one.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "acme/validate_internal.h"
#include "base/log.h"

#define THREADS_MAX  256u
#define TARGET_MAX   8u
#define JOBS_MAX     4096u
#define BUCKETS      1024u
#define STACK_SIZE   ((size_t)1 << 20)
#define IDLE_NS      (10 * NS_PER_SEC)
#define WAIT_NS      (60 * NS_PER_SEC) /* for a turn */
#define PAUSE_NS     (NS_PER_SEC / 2)  /* the first; each one is twice as long */
#define STOP_GRACE_S 1                 /* what runs may end by itself */
#define TURN_NS      (50 * NS_PER_MS)  /* with a clock that is not the system's */
#define AGAIN_MAX    10                /* a result is given */

struct target {
    struct target *next; /* in its bucket */
    struct slice name;   /* lower case, malloc */
    unsigned jobs, running;
};

struct acme_validation_job {
    struct acme_validation_job *next, *prev; /* the list */
    struct acme_validation_job *chain;       /* its bucket */
    struct arena *arena;                     /* owns v */
    struct acme_validation v;
    struct acme_validator *validator;
    struct target *target;
    struct latch *news;
    bool running, decided; /* decided: last is the result, and shall be given again */
    unsigned tries, again;
    struct acme_result last; /* of the last try; in arena */
    int64_t due, give_up;    /* mono_ns; give_up: end of waiting, then of trying */
};
struct acme_validator {
    struct acme_validation_settings settings;
    acme_validated_fn *done;
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t work, gone; /* something changed; a thread left */
    struct acme_validation_job *first, *last, *by_challenge[BUCKETS];
    struct target *targets[BUCKETS];
    unsigned jobs, running, threads, idle;
    unsigned starting, rung; /* threads on their way to the list: new ones, and idle ones that were
                                woken and do not know yet */
    bool stopping;
    atomic_bool cancelled;
};

static acme_validate_fn *const VALIDATE[ACME_CHALLENGE_TYPES] = {
    [ACME_HTTP_01] = acme_validate_http01,
    [ACME_DNS_01] = acme_validate_dns01,
    [ACME_TLS_ALPN_01] = acme_validate_tls_alpn01,
};

static int64_t now_ns(struct acme_validator *w)
{
    return w->settings.clock->mono_ns(w->settings.clock);
}

/* --- Tables -------------------------------------------------------------------------------------
 */

/* FNV-1a; ids are ours and random, and names only share a bucket's length of work. */
static unsigned bucket_of(struct slice s)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < s.n; i++)
        h = (h ^ s.p[i]) * 16777619u;
    return h % BUCKETS;
}

static struct acme_validation_job *job_find(struct acme_validator *w, struct slice challenge)
{
    struct acme_validation_job *j = w->by_challenge[bucket_of(challenge)];

    while (j && !slice_eq(j->v.challenge, challenge))
        j = j->chain;
    return j;
}

static struct target *target_take(struct acme_validator *w, struct slice name)
{
    struct target **head = &w->targets[bucket_of(name)], *t = *head;

    while (t && !slice_eq(t->name, name))
        t = t->next;
    if (!t) {
        t = xcalloc(1, sizeof(*t));
        t->name = slice_text(xstrdup((const char *)name.p));
        t->next = *head;
        *head = t;
    }
    t->jobs++;
    return t;
}

static void target_drop(struct acme_validator *w, struct target *t)
{
    struct target **at = &w->targets[bucket_of(t->name)];

    if (--t->jobs)
        return;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    free((void *)(uintptr_t)t->name.p);
    free(t);
}

/* With a NUL behind it. */
static struct slice lower(struct arena *a, struct slice s)
{
    char *text = arena_cstr(a, s);
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] - 'A' + 'a');
    return slice_of(text, n);
}

static struct acme_validation_job *job_new(struct acme_validator *w,
                                           const struct acme_validation *v)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct acme_validation_job *j = arena_alloc(a, sizeof(*j));

    *j = (struct acme_validation_job){.arena = a, .validator = w, .v = *v};
    j->v.challenge = arena_copy(a, v->challenge);
    j->v.authorization = arena_copy(a, v->authorization);
    j->v.account = arena_copy(a, v->account);
    j->v.value = arena_copy(a, v->value);
    j->v.token = arena_copy(a, v->token);
    j->v.key_authorization = arena_copy(a, v->key_authorization);
    if (v->challenge_record.p)
        j->v.challenge_record = arena_copy(a, v->challenge_record);
    if (v->authorization_record.p)
        j->v.authorization_record = arena_copy(a, v->authorization_record);
    j->target = target_take(w, lower(a, v->value));
    j->news = latch_new();
    j->due = now_ns(w);
    j->give_up = j->due + WAIT_NS;
    return j;
}

static void job_link(struct acme_validator *w, struct acme_validation_job *j)
{
    struct acme_validation_job **chain = &w->by_challenge[bucket_of(j->v.challenge)];

    j->chain = *chain;
    *chain = j;
    j->prev = w->last;
    *(w->last ? &w->last->next : &w->first) = j;
    w->last = j;
    w->jobs++;
}

/* Locked, but whoever waits is told without the lock. */
static void job_free(struct acme_validator *w, struct acme_validation_job *j)
{
    struct latch *news = j->news;
    struct arena *a = j->arena;
    struct acme_validation_job **chain = &w->by_challenge[bucket_of(j->v.challenge)];

    while (*chain != j)
        chain = &(*chain)->chain;
    *chain = j->chain;
    *(j->prev ? &j->prev->next : &w->first) = j->next;
    *(j->next ? &j->next->prev : &w->last) = j->prev;
    w->jobs--;
    target_drop(w, j->target);
    pthread_mutex_unlock(&w->lock);
    arena_free(a);
    latch_fire(news);
    latch_drop(news);
    pthread_mutex_lock(&w->lock);
}

/* --- Threads ------------------------------------------------------------------------------------
 */

static void *thread_main(void *arg);

/* Signals are the main thread's. */
static bool thread_new(struct acme_validator *w)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int error = pthread_create(&thread, &attr, thread_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    w->threads += error == 0;
    w->starting += error == 0;
    return error == 0;
}

/* Locked.  Somebody looks at the list soon, when the caller rings after it has unlocked, if *ring
 * is set: who is woken wants the lock.  False: there is nobody. */
static bool wake(struct acme_validator *w, bool *ring)
{
    *ring = w->idle > w->rung;
    w->rung += *ring;
    return *ring || (w->threads < THREADS_MAX && thread_new(w)) || w->threads;
}

static void unlock_and_ring(struct acme_validator *w, bool ring)
{
    pthread_mutex_unlock(&w->lock);
    if (ring)
        pthread_cond_signal(&w->work);
}

static void wait_ns(struct acme_validator *w, int64_t ns)
{
    struct timespec ts;

    if (w->settings.clock != &CLOCK_SYSTEM && ns > TURN_NS)
        ns = TURN_NS;
    if (ns < NS_PER_MS)
        ns = NS_PER_MS;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += ns / NS_PER_SEC;
    ts.tv_nsec += ns % NS_PER_SEC;
    if (ts.tv_nsec >= NS_PER_SEC) {
        ts.tv_nsec -= NS_PER_SEC;
        ts.tv_sec++;
    }
    w->idle++;
    pthread_cond_timedwait(&w->work, &w->lock, &ts);
    w->idle--;
    if (w->rung)
        w->rung--; /* whoever was meant: this one looks now */
}

/* --- One job ------------------------------------------------------------------------------------
 */

/* The first job that may run now; *next: when another one may.  Every job is looked at: there are
 * at most JOBS_MAX, and each of them costs a connection. */
static struct acme_validation_job *job_choose(struct acme_validator *w, int64_t *next)
{
    int64_t now = now_ns(w);

    *next = INT64_MAX;
    for (struct acme_validation_job *j = w->first; j && !w->stopping; j = j->next) {
        int64_t then = j->target->running < TARGET_MAX ? j->due : j->give_up;
        if (j->running)
            continue;
        if (now >= then)
            return j;
        if (then < *next)
            *next = then;
    }
    return NULL;
}

/* Called locked, left unlocked. */
static void job_begin(struct acme_validator *w, struct acme_validation_job *j)
{
    bool ring = false;

    j->running = true;
    j->target->running++;
    w->running++;
    if (w->jobs - w->running > w->rung + w->starting)
        (void)wake(w, &ring);
    unlock_and_ring(w, ring);
}

static struct acme_result job_try(struct acme_validator *w, struct acme_validation_job *j,
                                  struct arena *a)
{
    struct deadline d = {j->give_up, w->settings.clock, &w->cancelled};

    return VALIDATE[j->v.type](a, &j->v, &w->settings, d);
}

/* It stood before a full target for too long. */
static struct acme_result no_turn(struct arena *a, const struct acme_validation_job *j)
{
    if (j->tries)
        return j->last;
    return validation_result(a, ACME_RETRY, "connection",
                             "%.*s: too many validations of this name at a time",
                             SLICE_ARG(j->v.value));
}

static void keep_result(struct acme_validation_job *j, const struct acme_result *r)
{
    j->last = *r;
    j->last.detail = arena_copy(j->arena, r->detail);
}

/* Locked.  False: there is no time for another try. */
static bool job_pause(struct acme_validator *w, struct acme_validation_job *j,
                      const struct acme_result *r)
{
    int64_t due = now_ns(w) + (PAUSE_NS << (j->tries < 8 ? j->tries : 8));

    if (due >= j->give_up)
        return false;
    j->tries++;
    j->due = due;
    keep_result(j, r);
    return true;
}

/* Locked.  Another thread may run it from here on, and free it. */
static void job_stop_running(struct acme_validator *w, struct acme_validation_job *j)
{
    j->running = false;
    j->target->running--;
    w->running--;
}

/* Locked on the way in, not on the way out.  As long as it is not gone it counts as running, so
 * that w stays. */
static void job_over(struct acme_validator *w, struct acme_validation_job *j)
{
    bool was_full = j->target->running >= TARGET_MAX, ring = false;

    j->target->running--;
    job_free(w, j);
    w->running--;
    if (w->jobs > w->running && ((was_full && w->idle) || !w->threads) && !w->stopping)
        (void)wake(w, &ring);
    if (w->stopping)
        pthread_cond_broadcast(&w->gone);
    else if (ring)
        pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock); /* the last touch */
}

/* After a transient failure.  True: it counts all the same. */
static bool job_settles(struct acme_validator *w, struct acme_validation_job *j, bool has_turn,
                        const struct acme_result *r)
{
    pthread_mutex_lock(&w->lock);
    if (w->stopping) {
        job_over(w, j); /* a try that was cut short says nothing */
        return false;
    }
    bool pauses = has_turn && job_pause(w, j, r);
    struct latch *news = pauses ? latch_take(j->news) : NULL;
    if (pauses)
        job_stop_running(w, j);
    pthread_mutex_unlock(&w->lock);
    if (pauses) {
        latch_fire(news);
        latch_drop(news);
    }
    return !pauses;
}

/* Called and left locked; the job is gone, paused, or somebody else's then. */
static void job_run(struct acme_validator *w, struct acme_validation_job *j)
{
    bool late = j->tries && now_ns(w) >= j->give_up;
    bool has_turn = !late && j->target->running < TARGET_MAX;
    struct arena *a = arena_new(&HEAP_USUAL);
    struct acme_result r = j->last;

    if (has_turn && !j->tries)
        j->give_up = now_ns(w) + VALIDATION_NS;
    job_begin(w, j);
    if (!j->decided)
        r = has_turn ? job_try(w, j, a) : no_turn(a, j);
    if (j->decided || r.verdict != ACME_RETRY || job_settles(w, j, has_turn, &r))
        w->done(w->arg, &j->v, &r, j);
    arena_free(a);
    pthread_mutex_lock(&w->lock);
}

void acme_validation_over(struct acme_validation_job *j)
{
    struct acme_validator *w = j->validator;

    pthread_mutex_lock(&w->lock);
    job_over(w, j);
}

bool acme_validation_again(struct acme_validation_job *j, const struct acme_result *r)
{
    struct acme_validator *w = j->validator;
    bool ring = false;

    if (++j->again >= AGAIN_MAX)
        return false;
    pthread_mutex_lock(&w->lock);
    if (w->stopping) {
        job_over(w, j);
        return true;
    }
    if (!j->decided)
        keep_result(j, r);
    j->decided = true;
    j->v.challenge_record = j->v.authorization_record = SLICE_NONE;
    j->due = now_ns(w);
    job_stop_running(w, j);
    (void)wake(w, &ring);
    unlock_and_ring(w, ring);
    return true;
}

/* Locked.  False: this thread has nothing to do any more. */
static bool idle_turn(struct acme_validator *w, int64_t next, int64_t since)
{
    int64_t now = now_ns(w), end = since + IDLE_NS;
    bool watch = w->idle == 0 && w->jobs > w->running; /* somebody must */

    if (w->stopping || (now >= end && !watch))
        return false;
    int64_t until = watch && now >= end ? now + IDLE_NS : end;
    wait_ns(w, (next < until ? next : until) - now);
    return true;
}

static void *thread_main(void *arg)
{
    struct acme_validator *w = arg;
    int64_t next;

    pthread_mutex_lock(&w->lock);
    w->starting--;
    for (int64_t since = now_ns(w);;) {
        struct acme_validation_job *j = job_choose(w, &next);
        if (j) {
            job_run(w, j);
            since = now_ns(w);
        } else if (!idle_turn(w, next, since)) {
            break;
        }
    }
    w->threads--;
    pthread_cond_broadcast(&w->gone);
    pthread_mutex_unlock(&w->lock); /* the last touch: whoever stops may free w now */
    return NULL;
}

/* --- What others call ---------------------------------------------------------------------------
 */

struct acme_validator *acme_validator_new(const struct acme_validation_settings *s,
                                          acme_validated_fn *done, void *arg)
{
    struct acme_validator *w = xcalloc(1, sizeof(*w));
    pthread_condattr_t attr;

    w->settings = *s;
    w->done = done;
    w->arg = arg;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->work, &attr);
    pthread_cond_init(&w->gone, &attr);
    pthread_condattr_destroy(&attr);
    return w;
}

/* Locked. */
static struct latch *start(struct acme_validator *w, const struct acme_validation *v, bool *ring)
{
    struct acme_validation_job *j = job_find(w, v->challenge);

    if (j)
        return latch_take(j->news);
    if (w->stopping || w->jobs >= JOBS_MAX || !VALIDATE[v->type])
        return NULL;
    j = job_new(w, v);
    job_link(w, j);
    if (!wake(w, ring)) {
        job_free(w, j);
        log_error("ACME: no thread for a validation");
        return NULL;
    }
    return latch_take(j->news);
}

struct latch *acme_validator_start(struct acme_validator *w, const struct acme_validation *v)
{
    if ((unsigned)v->type >= ACME_CHALLENGE_TYPES)
        return NULL;
    bool ring = false;
    pthread_mutex_lock(&w->lock);
    struct latch *news = start(w, v, &ring);
    unlock_and_ring(w, ring);
    return news;
}

bool acme_validator_busy(struct acme_validator *w, struct slice challenge)
{
    pthread_mutex_lock(&w->lock);
    bool busy = job_find(w, challenge) != NULL;
    pthread_mutex_unlock(&w->lock);
    return busy;
}

static struct acme_validation_job *job_that_waits(struct acme_validator *w)
{
    struct acme_validation_job *j = w->first;

    while (j && j->running)
        j = j->next;
    return j;
}

/* Locked. */
static void drop_what_waits(struct acme_validator *w)
{
    for (struct acme_validation_job *j; (j = job_that_waits(w)) != NULL;)
        job_free(w, j);
}

void acme_validator_stop(struct acme_validator *w)
{
    struct timespec until;

    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    drop_what_waits(w);
    pthread_cond_broadcast(&w->work);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STOP_GRACE_S;
    while ((w->threads || w->running) &&
           pthread_cond_timedwait(&w->gone, &w->lock, &until) != ETIMEDOUT) {}
    atomic_store(&w->cancelled, true);
    while (w->threads || w->running)
        pthread_cond_wait(&w->gone, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->gone);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
