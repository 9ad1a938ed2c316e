/*
 * Reading: a few connections that are lent to one thread at a time.  In WAL mode a reader sees
 * what was committed before it began, and neither waits for the writer nor holds it up.
 */
#include <stdlib.h>
#include <time.h>

#include "store/sqlite.h"

/* --- Connections --------------------------------------------------------------------------- */

void sqlite_readers_init(struct readers *r, const struct sqlite_place *p)
{
    pthread_condattr_t attr;

    r->place = p;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->given, &attr);
    pthread_condattr_destroy(&attr);
}

/* Under the lock: until a connection is idle or may be opened.  At most 5 s: a query is short. */
static bool wait_for_one(struct readers *r, struct deadline d)
{
    if (r->idle || r->open < READERS_MAX)
        return true;
    int64_t left = deadline_left(d) < 5 * NS_PER_SEC ? deadline_left(d) : 5 * NS_PER_SEC;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nsec = until.tv_nsec + left % NS_PER_SEC;
    until.tv_sec += left / NS_PER_SEC + nsec / NS_PER_SEC;
    until.tv_nsec = nsec % NS_PER_SEC;
    while (!r->idle && r->open >= READERS_MAX) {
        if (pthread_cond_timedwait(&r->given, &r->lock, &until) != 0)
            break;
    }
    return r->idle || r->open < READERS_MAX;
}

static void count_down(struct readers *r)
{
    pthread_mutex_lock(&r->lock);
    r->open--;
    pthread_cond_signal(&r->given);
    pthread_mutex_unlock(&r->lock);
}

/* What came in the place of the file is another database. */
static bool open_conn(const struct readers *r, struct conn *c, struct err *e)
{
    const char *path = r->place->path;

    if (r->alone ? !sqlite_conn_open_read(c, path, r->immutable, e)
                 : !sqlite_conn_open(c, path, e) || !sqlite_conn_reads(c, e))
        return false;
    return sqlite_place_same(r->place, e);
}

static struct conn *reader_open(struct readers *r, struct err *e)
{
    struct conn *c = xcalloc(1, sizeof(*c));

    if (open_conn(r, c, e))
        return c;
    sqlite_conn_close(c);
    free(c);
    count_down(r);
    return NULL;
}

struct conn *sqlite_reader_take(struct readers *r, struct deadline d, struct err *e)
{
    if (!deadline_ok(d, e))
        return NULL;
    pthread_mutex_lock(&r->lock);
    bool free_one = wait_for_one(r, d);
    struct conn *c = r->idle;
    if (c)
        r->idle = c->next;
    else if (free_one)
        r->open++;
    pthread_mutex_unlock(&r->lock);
    if (c)
        return c;
    if (free_one)
        return reader_open(r, e);
    err_set(e, ERR_UNAVAILABLE, "store %s: all %d reading connections are busy", r->place->path,
            READERS_MAX);
    return NULL;
}

void sqlite_reader_give(struct readers *r, struct conn *c)
{
    if (c->broken) {
        sqlite_conn_close(c);
        free(c);
        count_down(r);
        return;
    }
    pthread_mutex_lock(&r->lock);
    c->next = r->idle;
    r->idle = c;
    pthread_cond_signal(&r->given);
    pthread_mutex_unlock(&r->lock);
}

void sqlite_readers_close(struct readers *r)
{
    for (struct conn *c = r->idle, *next; c; c = next) {
        next = c->next;
        sqlite_conn_close(c);
        free(c);
    }
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->given);
}

/* --- get ----------------------------------------------------------------------------------- */

bool sqlite_get(struct store *s, enum table t, struct slice key, struct arena *a,
                struct slice *value, struct deadline d, struct err *e)
{
    struct sqlite_store *q = (struct sqlite_store *)s;
    struct conn *c = sqlite_reader_take(&q->readers, d, e);
    sqlite3_stmt *st;
    struct slice found;

    *value = SLICE_NONE;
    if (!c)
        return false;
    bool ok = sqlite_find(c, t, key, &st, &found, e);
    if (ok && st)
        *value = arena_copy(a, found);
    if (ok && st)
        sqlite3_reset(st);
    sqlite_reader_give(&q->readers, c);
    return ok;
}

/* --- scan ---------------------------------------------------------------------------------- */

/* One or two sorted streams of rows: keys and values, and for two tables the certificates. */
struct stream {
    sqlite3_stmt *st; /* NULL: none, or at its end */
    struct slice key, value;
};

static bool stream_next(struct conn *c, struct stream *s, struct err *e)
{
    bool row;

    if (!s->st)
        return true;
    if (!sqlite_conn_step(c, s->st, &row, e)) {
        s->st = NULL;
        return false;
    }
    if (!row) {
        s->st = NULL;
        return true;
    }
    s->key = sqlite_column(s->st, 0);
    s->value = sqlite_column(s->st, 1);
    return true;
}

static void stream_end(struct stream *s)
{
    if (s->st)
        sqlite3_reset(s->st);
}

/* Any number is before any blob, the empty one too. */
void sqlite_bind_after(sqlite3_stmt *st, int at, struct slice after)
{
    if (after.n)
        sqlite_bind_blob(st, at, after);
    else
        sqlite3_bind_int(st, at, 0);
}

static bool stream_pairs(struct conn *c, struct stream *s, enum table t, struct slice after,
                         int64_t limit, struct err *e)
{
    const struct table_info *info = &TABLE_INFO[t];
    sqlite3_stmt *st = sqlite_conn_stmt(c, info->big ? ST_BIG_SCAN : ST_KV_SCAN, e);

    if (!st)
        return false;
    sqlite3_bind_int(st, 1, info->id);
    sqlite_bind_after(st, 2, after);
    sqlite3_bind_int64(st, 3, limit);
    s->st = st;
    return stream_next(c, s, e);
}

static bool stream_certificates(struct conn *c, struct stream *s, enum table t, struct slice after,
                                int64_t limit, struct err *e)
{
    bool data = t == TABLE_X509_CERTS_DATA;

    if (t != TABLE_X509_CERTS && t != TABLE_SSH_CERTS && !data)
        return true;
    sqlite3_stmt *st = sqlite_conn_stmt(c, data ? ST_DATA_SCAN : ST_CERT_SCAN, e);
    if (!st)
        return false;
    sqlite_bind_text(st, 1, after);
    if (!data)
        sqlite3_bind_int(st, 2, sqlite_is_ssh(t));
    sqlite3_bind_int64(st, data ? 2 : 3, limit);
    s->st = st;
    return stream_next(c, s, e);
}

/* The smaller key goes; of two equal ones the certificate's, as in get. */
static bool merge(struct conn *c, struct stream *certs, struct stream *pairs, unsigned limit,
                  visit_fn *visit, void *arg, struct err *e)
{
    for (unsigned n = 0; (certs->st || pairs->st) && (limit == 0 || n < limit); n++) {
        int order = !pairs->st ? -1 : !certs->st ? 1 : slice_cmp(certs->key, pairs->key);
        struct stream *first = order <= 0 ? certs : pairs;
        if (!visit(first->key, first->value, arg))
            return true;
        if (!stream_next(c, first, e))
            return false;
        if (order == 0 && !stream_next(c, pairs, e))
            return false;
    }
    return true;
}

bool sqlite_conn_scan(struct conn *c, enum table t, struct slice after, unsigned limit,
                      visit_fn *visit, void *arg, struct err *e)
{
    struct stream certs = {0}, pairs = {0};
    int64_t rows = limit ? (int64_t)limit : -1;
    bool ok = stream_certificates(c, &certs, t, after, rows, e) &&
              stream_pairs(c, &pairs, t, after, rows, e) &&
              merge(c, &certs, &pairs, limit, visit, arg, e);

    stream_end(&certs);
    stream_end(&pairs);
    return ok;
}

bool sqlite_scan(struct store *s, enum table t, struct slice after, unsigned limit, visit_fn *visit,
                 void *arg, struct deadline d, struct err *e)
{
    struct sqlite_store *q = (struct sqlite_store *)s;
    struct conn *c = sqlite_reader_take(&q->readers, d, e);

    if (!c)
        return false;
    sqlite_conn_deadline(c, d);
    bool ok = sqlite_conn_scan(c, t, after, limit, visit, arg, e);
    sqlite_conn_deadline(c, DEADLINE_NONE);
    sqlite_reader_give(&q->readers, c);
    return ok;
}
