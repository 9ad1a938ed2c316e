/*
 * A service looks after the inventory that its database has: one thread asks every few seconds
 * whether the two tables are there.
 *
 * They appear: another server of ours made them, or a command.  From here on certificates are
 * written to them; then those are awaited that began before and leave them out; then whatever is
 * missing is added (sql_walk.c).  So the time in which a server has not noticed yet leaves no gap.
 * A minute later the walk is repeated, for those who come late: a commit whose connection broke, a
 * command that opened the database before.  The same walk follows every start, for what a process
 * issued that ended before its walk did.
 *
 * They disappear: nothing more is written to them.  A batch that finds it out first says so
 * (sql_ledger_lost) and goes on without.
 */
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/sql_ledger.h"

#define EVERY_NS   (3 * NS_PER_SEC)
#define BETWEEN_NS (20 * NS_PER_MS) /* pieces of a walk: others have work to do, too */
#define LATE_NS    (60 * NS_PER_SEC)

struct sql_tender {
    struct sql_store *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_bool stopping;

    /* The thread's own. */
    bool walking;
    bool refused, stuck; /* said already: they are not ours to write; the walk cannot go on */
    struct sql_walk walk;
    int64_t again; /* when to walk once more; 0: never */
};

static int64_t mono(void)
{
    return CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM);
}

static void pause_for(struct sql_tender *t, int64_t ns)
{
    int64_t due = mono() + ns;
    struct timespec at = {due / NS_PER_SEC, due % NS_PER_SEC};

    pthread_mutex_lock(&t->lock);
    while (!t->stopping && pthread_cond_timedwait(&t->changed, &t->lock, &at) == 0)
        ;
    pthread_mutex_unlock(&t->lock);
}

static void begin_walk(struct sql_tender *t, bool twice)
{
    t->walk = (struct sql_walk){0};
    t->walking = true;
    t->again = twice ? mono() + LATE_NS : 0;
}

static void await_unaware(struct sql_tender *t)
{
    while (!t->stopping && atomic_load(&t->store->unaware) > 0)
        pause_for(t, BETWEEN_NS);
}

static void notice(struct sql_tender *t)
{
    struct sql_store *s = t->store;
    struct err e = {0};

    if (!sql_ledger_writable(s, &e)) {
        if (!t->refused && e.kind != ERR_UNAVAILABLE)
            log_error("%s; the inventory is not kept", e.text);
        t->refused = t->refused || e.kind != ERR_UNAVAILABLE;
        return;
    }
    t->refused = false;
    atomic_fetch_or(&s->base.caps, STORE_INVENTORY);
    log_line("%s: there are tables of an inventory now; certificates are written to them",
             s->driver->name);
    await_unaware(t);
    begin_walk(t, true);
}

/* A database that does not answer is the pool's to tell. */
static void look(struct sql_tender *t)
{
    struct deadline d = deadline_in(&CLOCK_SYSTEM, SQL_ANSWER_SECONDS * NS_PER_SEC);
    bool had = (t->store->base.caps & STORE_INVENTORY) != 0, there;

    d.cancelled = &t->stopping;
    if (!sql_ledger_look(t->store, &there, d, NULL))
        return;
    if (there && !had)
        notice(t);
    if (there)
        return;
    sql_ledger_forget(t->store, NULL);
    t->walking = t->refused = false;
    t->again = 0;
}

/* False: it cannot go on now. */
static bool walk_on(struct sql_tender *t)
{
    struct err e = {0};
    bool end;

    if (!sql_walk_on(t->store, &t->walk, &t->stopping, &end, &e)) {
        look(t); /* maybe they are gone */
        bool strange = t->walking && !t->stopping && e.kind != ERR_UNAVAILABLE;
        if (strange && !t->stuck)
            log_error("adding certificates to the inventory: %s; it is tried again", e.text);
        t->stuck = t->stuck || strange;
        return false;
    }
    t->stuck = false;
    t->walking = !end;
    if (end && t->walk.added > 0)
        log_line("%s: %llu certificates were added to the inventory", t->store->driver->name,
                 (unsigned long long)t->walk.added);
    return true;
}

static void *run(void *arg)
{
    struct sql_tender *t = arg;
    int64_t due = mono() + EVERY_NS;

    while (!t->stopping) {
        bool going = t->walking && walk_on(t) && t->walking;
        pause_for(t, going ? BETWEEN_NS : EVERY_NS);
        if (t->stopping || mono() < due)
            continue;
        look(t);
        if (t->again && mono() >= t->again && !t->walking)
            begin_walk(t, false);
        due = mono() + EVERY_NS;
    }
    return NULL;
}

/* --- Beginning and end -------------------------------------------------------------------------
 */

static void discard(struct sql_tender *t)
{
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

bool sql_tend_start(struct sql_store *s, struct err *e)
{
    struct sql_tender *t = xcalloc(1, sizeof(*t));
    pthread_condattr_t attr;
    sigset_t all, before;

    t->store = s;
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (s->base.caps & STORE_INVENTORY)
        begin_walk(t, s->ledger_made);
    /* Signals are for the threads that wait for them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&t->thread, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        discard(t);
        return err_set(e, ERR_UNAVAILABLE, "the thread of the inventory could not be started");
    }
    s->tender = t;
    return true;
}

void sql_tend_stop(struct sql_store *s)
{
    struct sql_tender *t = s->tender;

    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    discard(t);
    s->tender = NULL;
}
