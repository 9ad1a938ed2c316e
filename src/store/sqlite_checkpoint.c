/*
 * The write-ahead log goes back into the file on a thread of its own: that writes pages all over a
 * large file and syncs twice, and nobody who waits for a commit shall wait for that too.
 *
 * A log that is never wholly in the file, because commits follow each other without a pause, does
 * not begin anew.  So when it has become long the writer does the rest itself: that is little,
 * since the thread did most of it.
 */
#include <signal.h>
#include <stdlib.h>

#include "store/sqlite.h"

#define PAGES_EACH  4000  /* of the log, after which the thread works: 16 MB */
#define PAGES_MANY  16000 /* then the writer does */
#define PAGES_LATER 2000  /* behind that, when it could not begin anew */

struct checkpoint {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool wanted, stopping;
    int done_at, next_many; /* pages in the log; the writer's own */
    struct conn conn;       /* the thread's own */
    const struct sqlite_place *place;
};

static void work(struct conn *c, const struct sqlite_place *p)
{
    if (!sqlite_place_same(p, NULL)) /* the next commit says so */
        return;
    if ((!c->db || c->broken) && !sqlite_conn_open(c, c->path, NULL))
        return;
    int code = sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (code == SQLITE_OK || code == SQLITE_BUSY)
        return;
    sqlite_conn_close(c); /* what is wrong shows at the next commit */
}

static void *run(void *arg)
{
    struct checkpoint *k = arg;

    pthread_mutex_lock(&k->lock);
    while (!k->stopping) {
        if (!k->wanted) {
            pthread_cond_wait(&k->changed, &k->lock);
            continue;
        }
        k->wanted = false;
        pthread_mutex_unlock(&k->lock);
        work(&k->conn, k->place);
        pthread_mutex_lock(&k->lock);
    }
    pthread_mutex_unlock(&k->lock);
    sqlite_conn_close(&k->conn);
    return NULL;
}

/* After each commit, on the writer's thread.  The number of pages falls when the log began anew. */
static int after_commit(void *arg, sqlite3 *db, const char *name UNUSED, int pages)
{
    struct checkpoint *k = arg;

    if (pages < k->done_at) {
        k->done_at = 0;
        k->next_many = PAGES_MANY;
    }
    if (pages >= k->next_many) {
        sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        k->done_at = pages;
        k->next_many = pages + PAGES_LATER;
    } else if (pages - k->done_at >= PAGES_EACH) {
        k->done_at = pages;
        pthread_mutex_lock(&k->lock);
        k->wanted = true;
        pthread_cond_signal(&k->changed);
        pthread_mutex_unlock(&k->lock);
    }
    return SQLITE_OK;
}

void sqlite_checkpoint_watch(struct checkpoint *k, struct conn *c)
{
    sqlite3_wal_hook(c->db, after_commit, k);
}

struct checkpoint *sqlite_checkpoint_start(const struct sqlite_place *p)
{
    struct checkpoint *k = xcalloc(1, sizeof(*k));
    sigset_t all, before;

    k->conn.path = p->path;
    k->place = p;
    k->next_many = PAGES_MANY;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->changed, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&k->thread, NULL, run, k);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed)
        return k;
    free(k);
    return NULL;
}

void sqlite_checkpoint_stop(struct checkpoint *k)
{
    pthread_mutex_lock(&k->lock);
    k->stopping = true;
    pthread_cond_signal(&k->changed);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->changed);
    free(k);
}
