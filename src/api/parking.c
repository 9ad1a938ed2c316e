/*
 * Parked exchanges: a list, soonest first, and one thread that looks at the clock.
 *
 * An entry belongs to the list and to its latch, and is freed by whoever lets go of it last: a
 * latch that fires late finds an entry that is over, and a latch cannot be told to forget.  Who
 * takes `waiting` away under the lock resumes.
 *
 * The thread is made with the first entry.  It is not disturbed when an entry leaves: it finds out
 * when it wakes up next, so that waits which end early, as nearly all do, cost no wake-up.
 */
#include "api/parking.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

#define TURN_NS (50 * NS_PER_MS) /* with a clock that is not the system's */

struct entry {
    struct entry *next, *prev;
    struct parking *parking;
    struct deadline until;
    void (*resume)(void *);
    void *arg;
    bool waiting;     /* in the list */
    unsigned holders; /* under the parking's lock */
};

struct parking {
    pthread_mutex_t lock;
    pthread_cond_t sooner;
    pthread_t thread;
    bool has_thread, closed, ending;
    unsigned holders; /* the owner, and entries that a latch knows */
    int64_t looks_at; /* when the thread wakes up by itself */
    struct entry *first, *last;
};

/* --- Entries: all with the lock held -------------------------------------------------------------
 */

/* Waits are all of about one length: the place is near the end. */
static void list_put(struct parking *p, struct entry *e)
{
    struct entry *before = p->last;

    while (before && before->until.mono_ns > e->until.mono_ns)
        before = before->prev;
    e->prev = before;
    e->next = before ? before->next : p->first;
    *(e->prev ? &e->prev->next : &p->first) = e;
    *(e->next ? &e->next->prev : &p->last) = e;
    e->waiting = true;
    e->holders++;
}

static void list_remove(struct parking *p, struct entry *e)
{
    *(e->prev ? &e->prev->next : &p->first) = e->next;
    *(e->next ? &e->next->prev : &p->last) = e->prev;
    e->waiting = false;
    e->holders--;
}

static void entry_drop_if_over(struct entry *e)
{
    if (e->holders == 0)
        free(e);
}

static void parking_release(struct parking *p)
{
    bool over = --p->holders == 0;

    pthread_mutex_unlock(&p->lock);
    if (!over)
        return;
    pthread_cond_destroy(&p->sooner);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* The first one leaves the list; its call is made without the lock. */
static void resume_first(struct parking *p)
{
    struct entry *e = p->first;
    void (*resume)(void *) = e->resume;
    void *arg = e->arg;

    list_remove(p, e);
    entry_drop_if_over(e);
    pthread_mutex_unlock(&p->lock);
    resume(arg);
    pthread_mutex_lock(&p->lock);
}

/* --- The latch ----------------------------------------------------------------------------------
 */

static void fired(void *arg)
{
    struct entry *e = arg;
    struct parking *p = e->parking;
    void (*resume)(void *) = e->resume;
    void *of = e->arg;

    pthread_mutex_lock(&p->lock);
    bool mine = e->waiting;
    if (mine)
        list_remove(p, e);
    e->holders--;
    entry_drop_if_over(e);
    parking_release(p);
    if (mine)
        resume(of);
}

/* --- The clock ----------------------------------------------------------------------------------
 */

static void sleep_until(struct parking *p, const struct entry *e)
{
    struct timespec ts;
    int64_t ns = deadline_left(e->until);

    if (e->until.clock != &CLOCK_SYSTEM && ns > TURN_NS)
        ns = TURN_NS;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += ns / NS_PER_SEC;
    ts.tv_nsec += ns % NS_PER_SEC;
    if (ts.tv_nsec >= NS_PER_SEC) {
        ts.tv_nsec -= NS_PER_SEC;
        ts.tv_sec++;
    }
    p->looks_at = e->until.mono_ns;
    pthread_cond_timedwait(&p->sooner, &p->lock, &ts);
}

static void *watch(void *arg)
{
    struct parking *p = arg;

    pthread_mutex_lock(&p->lock);
    while (!p->ending) {
        if (!p->first) {
            p->looks_at = INT64_MAX;
            pthread_cond_wait(&p->sooner, &p->lock);
        } else if (deadline_ok(p->first->until, NULL)) {
            sleep_until(p, p->first);
        } else {
            resume_first(p);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Locked.  Signals are the main thread's. */
static bool watch_begin(struct parking *p)
{
    sigset_t all, old;

    if (p->has_thread)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    p->has_thread = pthread_create(&p->thread, NULL, watch, p) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!p->has_thread)
        log_error("no thread for requests that wait");
    return p->has_thread;
}

/* --- What others call ---------------------------------------------------------------------------
 */

struct parking *parking_new(void)
{
    struct parking *p = xcalloc(1, sizeof(*p));
    pthread_condattr_t attr;

    p->holders = 1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->sooner, &attr);
    pthread_condattr_destroy(&attr);
    return p;
}

static struct entry *entry_new(struct parking *p, struct deadline until, void (*resume)(void *),
                               void *arg)
{
    struct entry *e = xcalloc(1, sizeof(*e));

    *e = (struct entry){.parking = p, .until = until, .resume = resume, .arg = arg};
    return e;
}

/* The latch knows an entry that is over already: only its memory waits. */
static void latch_forgot(struct parking *p, struct entry *e)
{
    pthread_mutex_lock(&p->lock);
    e->holders--;
    entry_drop_if_over(e);
    parking_release(p);
}

void parking_put(struct parking *p, struct latch *l, struct deadline until, void (*resume)(void *),
                 void *arg)
{
    pthread_mutex_lock(&p->lock);
    if (p->closed || !watch_begin(p)) {
        pthread_mutex_unlock(&p->lock);
        resume(arg);
        return;
    }
    struct entry *e = entry_new(p, until, resume, arg);
    e->holders = 1; /* the latch's */
    p->holders++;
    list_put(p, e);
    if (until.mono_ns < p->looks_at)
        pthread_cond_signal(&p->sooner);
    pthread_mutex_unlock(&p->lock);
    /* From here on e and arg may be gone at any moment, but not p: its owner is our caller. */
    if (!latch_tell(l, fired, e))
        latch_forgot(p, e); /* too many listen: the time alone ends this wait */
}

void parking_close(struct parking *p)
{
    pthread_mutex_lock(&p->lock);
    p->closed = true;
    while (p->first)
        resume_first(p);
    pthread_mutex_unlock(&p->lock);
}

void parking_free(struct parking *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_signal(&p->sooner);
    bool join = p->has_thread;
    pthread_mutex_unlock(&p->lock);
    if (join)
        pthread_join(p->thread, NULL);
    pthread_mutex_lock(&p->lock);
    parking_release(p);
}
