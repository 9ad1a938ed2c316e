/*
 * The writer: one thread, one connection.  It takes everything that has queued up, runs it as one
 * transaction, commits once, and tells everybody: the cost of an fsync is shared by all who came
 * during the one before.  There is no waiting for company.
 *
 * Nothing is told before its commit.  When a write fails, the group is rolled back and run again
 * one by one, so that only the guilty one fails.  When the commit itself fails nobody can be
 * guilty, and all are lost.  After a failure that may lie in the connection it is made anew; so a
 * disk that has room again is used again, without a restart.
 */
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/sqlite.h"

#define GROUP_MAX 256
#define QUEUE_MAX 4096

struct write_job {
    struct write_job *next;
    struct store_batch *batch; /* NULL: a call */
    write_call *call;
    void *call_arg;
    struct deadline deadline;
    committed_fn *done;
    void *arg;

    enum committed outcome;
    const struct store_op *refused;
    struct err why;
};

struct writer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct write_job *first, *last;
    unsigned queued;
    bool waiting, stopping;

    /* The thread's own. */
    struct conn *conn;
    struct sqlite_place *place;
    struct checkpoint *checkpoint;
    struct clock *clock;
    struct write_job *group[GROUP_MAX];
    bool lost;        /* a group failed: said once in the log, and once when it works again */
    bool full;        /* for want of room */
    int64_t tried_ns; /* when it was last tried since; 0: not yet */

    struct err down; /* under the lock; ERR_NONE: not */
};

/* --- The queue ----------------------------------------------------------------------------- */

static bool enqueue(struct writer *w, struct write_job *job, struct err *e)
{
    bool ok = true;

    pthread_mutex_lock(&w->lock);
    if (w->stopping)
        ok = err_set(e, ERR_UNAVAILABLE, "store: closing");
    else if (w->queued >= QUEUE_MAX)
        ok = err_set(e, ERR_UNAVAILABLE, "store: %d commits are waiting already", QUEUE_MAX);
    if (ok) {
        *(w->last ? &w->last->next : &w->first) = job;
        w->last = job;
        w->queued++;
        if (w->waiting)
            pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    return ok;
}

/* 0: stopping, and nothing is left. */
static unsigned dequeue(struct writer *w)
{
    unsigned n = 0;

    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->stopping) {
        w->waiting = true;
        pthread_cond_wait(&w->work, &w->lock);
        w->waiting = false;
    }
    for (; w->first && n < GROUP_MAX; n++) {
        w->group[n] = w->first;
        w->first = w->first->next;
        w->group[n]->next = NULL;
    }
    if (!w->first)
        w->last = NULL;
    w->queued -= n;
    pthread_mutex_unlock(&w->lock);
    return n;
}

static void submit(struct writer *w, const struct write_job *from)
{
    struct write_job *job = xmalloc(sizeof(*job));

    *job = *from;
    if (enqueue(w, job, &job->why))
        return;
    job->done(STORE_LOST, NULL, &job->why, job->arg);
    free(job);
}

void sqlite_writer_submit(struct writer *w, struct store_batch *b, struct deadline d,
                          committed_fn *done, void *arg)
{
    submit(w, &(struct write_job){.batch = b, .deadline = d, .done = done, .arg = arg});
}

bool sqlite_writer_call(struct writer *w, write_call *call, void *arg, struct deadline d,
                        struct err *e)
{
    struct commit_wait wait;

    commit_wait_begin(&wait);
    submit(
        w,
        &(struct write_job){
            .call = call, .call_arg = arg, .deadline = d, .done = commit_wait_done, .arg = &wait});
    return commit_wait_end(&wait, e);
}

/* --- One transaction ----------------------------------------------------------------------- */

enum verdict {
    VERDICT_COMMITTED,
    VERDICT_NO_BEGIN,  /* locked, or the file is gone: would fail for each of them */
    VERDICT_BAD_WRITE, /* one of them cannot be written */
    VERDICT_NO_COMMIT,
};

static void roll_back(struct conn *c)
{
    if (sqlite3_get_autocommit(c->db))
        return; /* SQLite did it */
    if (!sqlite_conn_do(c, ST_ROLLBACK, NULL) && !c->broken)
        c->broken = SQLITE_ERROR;
}

/* False: a write failed. */
static bool run_job(struct writer *w, struct write_job *job)
{
    job->why = (struct err){0};
    job->outcome = STORE_COMMITTED;
    if (!deadline_ok(job->deadline, &job->why)) {
        job->outcome = STORE_LOST;
        return true;
    }
    if (!job->batch)
        return job->call(w->conn, job->call_arg, &job->why);
    enum applied how = batch_apply(w->conn, job->batch, w->clock, &job->refused, &job->why);
    if (how == APPLIED_REFUSED)
        job->outcome = STORE_REFUSED;
    return how != APPLIED_FAILED;
}

static enum verdict transaction(struct writer *w, struct write_job **jobs, unsigned n,
                                struct err *e)
{
    struct conn *c = w->conn;

    if (!sqlite_conn_do(c, ST_BEGIN, e))
        return VERDICT_NO_BEGIN;
    for (unsigned i = 0; i < n; i++) {
        if (run_job(w, jobs[i]))
            continue;
        err_move(e, &jobs[i]->why);
        roll_back(c);
        return VERDICT_BAD_WRITE;
    }
    if (sqlite_conn_do(c, ST_COMMIT, e))
        return VERDICT_COMMITTED;
    roll_back(c);
    return VERDICT_NO_COMMIT;
}

static void lose(struct write_job **jobs, unsigned n, const struct err *why)
{
    for (unsigned i = 0; i < n; i++) {
        jobs[i]->outcome = STORE_LOST;
        jobs[i]->refused = NULL;
        err_move(&jobs[i]->why, why);
    }
}

/* --- Groups -------------------------------------------------------------------------------- */

static bool connection_ready(struct writer *w, struct err *e)
{
    struct conn *c = w->conn;

    if (c->db && !c->broken)
        return true;
    sqlite_conn_close(c);
    if (!sqlite_conn_open(c, c->path, e) || !sqlite_place_same(w->place, e) ||
        !sqlite_schema_ready(c, false, e))
        return false;
    sqlite_place_note_log(w->place);
    sqlite_checkpoint_watch(w->checkpoint, c);
    return true;
}

/* A connection that was not made, or not wholly, is tried again by the next. */
static bool connect_again(struct writer *w, struct err *e)
{
    if (connection_ready(w, e))
        return true;
    w->full |= w->conn->full;
    sqlite_conn_close(w->conn);
    return false;
}

static bool one_by_one(struct writer *w, unsigned n, struct err *e)
{
    bool all = true;

    for (unsigned i = 0; i < n; i++) {
        enum verdict v =
            connect_again(w, e) ? transaction(w, &w->group[i], 1, e) : VERDICT_NO_BEGIN;
        if (v == VERDICT_COMMITTED)
            continue;
        all = false;
        bool hopeless = v == VERDICT_NO_BEGIN;
        lose(&w->group[i], hopeless ? n - i : 1, e);
        if (hopeless)
            break;
    }
    return all;
}

static bool run_group(struct writer *w, unsigned n, struct err *e)
{
    if (!sqlite_place_same(w->place, e) || !connect_again(w, e)) {
        lose(w->group, n, e);
        return false;
    }
    enum verdict v = transaction(w, w->group, n, e);
    if (v == VERDICT_COMMITTED)
        return true;
    if (v == VERDICT_BAD_WRITE && n > 1)
        return one_by_one(w, n, e);
    lose(w->group, n, e);
    return false;
}

/* --- Does it work? ---------------------------------------------------------------------------
 *
 * After a failure a small commit may succeed where the next certificate will not: there is always a
 * bit of room at the end of the log.  So the store works again only when more was written than an
 * issue takes and, if the disk was full, there is room on it.  That is tried behind a commit that
 * succeeded, that of a probe too, at most once a second.
 */

#define TRY_BYTES  (48u << 10)
#define ROOM_BYTES (128u << 10)

static void set_down(struct writer *w, const struct err *why)
{
    pthread_mutex_lock(&w->lock);
    err_clear(&w->down);
    if (why)
        err_move(&w->down, why);
    pthread_mutex_unlock(&w->lock);
}

bool sqlite_writer_works(struct writer *w, struct err *e)
{
    pthread_mutex_lock(&w->lock);
    bool works = w->down.kind == ERR_NONE;
    if (!works && e)
        err_move(e, &w->down);
    pthread_mutex_unlock(&w->lock);
    return works;
}

static bool try_value(struct writer *w, int bytes, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(w->conn, ST_PROBE, e);

    if (!st || !sqlite_conn_do(w->conn, ST_BEGIN, e))
        return false;
    if (bytes)
        sqlite3_bind_zeroblob(st, 1, bytes);
    else
        sqlite3_bind_int(st, 1, 0);
    if (sqlite_conn_run(w->conn, st, e) && sqlite_conn_do(w->conn, ST_COMMIT, e))
        return true;
    roll_back(w->conn);
    return false;
}

static bool has_room(struct writer *w, struct err *e)
{
    return (!w->full || sqlite_place_room(w->conn->path, ROOM_BYTES, e)) &&
           try_value(w, TRY_BYTES, e) && try_value(w, 0, e);
}

static bool works_again(struct writer *w)
{
    int64_t now = w->clock->mono_ns(w->clock);
    struct err why = {0};

    if (sqlite_writer_works(w, NULL))
        return true;
    if (w->tried_ns && now - w->tried_ns < NS_PER_SEC)
        return false;
    w->tried_ns = now;
    bool works = has_room(w, &why);
    w->full |= w->conn->full;
    set_down(w, works ? NULL : &why);
    return works;
}

static void failed(struct writer *w, const struct err *why)
{
    const struct conn *c = w->conn;

    if (!w->lost)
        log_error("%s", why->text);
    w->lost = true;
    w->full |= c->full;
    w->tried_ns = 0;
    /* Else one batch cannot be written, and others can. */
    if (why->kind == ERR_UNAVAILABLE || !c->db || c->broken)
        set_down(w, why);
}

/* Of those that were refused or came too late nothing was written. */
static bool wrote(const struct writer *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (w->group[i]->outcome == STORE_COMMITTED)
            return true;
    }
    return false;
}

static void note(struct writer *w, unsigned n, bool ok, const struct err *why)
{
    if (!ok) {
        failed(w, why);
        return;
    }
    if (!w->lost || !wrote(w, n) || !works_again(w))
        return;
    log_line("store %s: works again", w->conn->path);
    w->lost = w->full = w->conn->full = false;
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;

    for (unsigned n; (n = dequeue(w)) > 0;) {
        struct err why = {0};
        note(w, n, run_group(w, n, &why), &why);
        for (unsigned i = 0; i < n; i++) {
            struct write_job *job = w->group[i];
            bool told = job->outcome == STORE_LOST;
            job->done(job->outcome, job->refused, told ? &job->why : NULL, job->arg);
            free(job);
        }
    }
    return NULL;
}

struct writer *sqlite_writer_start(struct conn *c, struct sqlite_place *p, struct checkpoint *k,
                                   struct clock *clock)
{
    struct writer *w = xcalloc(1, sizeof(*w));

    w->conn = c;
    w->place = p;
    w->checkpoint = k;
    sqlite_checkpoint_watch(k, c);
    w->clock = clock;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    /* Signals are for the threads that wait for them. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&w->thread, NULL, writer_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed)
        return w;
    free(w);
    return NULL;
}

void sqlite_writer_stop(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->work);
    free(w);
}
