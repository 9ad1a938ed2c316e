/*
 * A file that is read and not changed: for commands that only look, for another user, for a medium
 * that cannot be written, and for a backup that shall stay what it is.
 *
 * Who reads in WAL mode needs the log's index, a file beside it, and would have to make it.  But
 * without a log nobody has the file open, and then everything is in it: it is read as one that
 * does not change (SQLite's "immutable"), without locks.  Somebody may begin to write to it all the
 * same; so after each question the file has to be what it was, or the answer is not given.
 * Beside a log that is not empty the reading is SQLite's usual one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "store/sqlite.h"

/* --- Is it still the same? ------------------------------------------------------------------- */

static bool state_of(const char *path, int64_t *size, int64_t *changed_ns, struct err *e)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return err_errno(e, errno, "open", path);
    *size = st.st_size;
    *changed_ns = (int64_t)st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
    return true;
}

bool sqlite_unchanged(const struct sqlite_store *s, struct err *e)
{
    int64_t size, changed_ns;

    if (!s->readers.immutable)
        return true;
    if (!sqlite_place_same(&s->place, e) || !state_of(s->path, &size, &changed_ns, e))
        return false;
    return (size == s->size && changed_ns == s->changed_ns) ||
           err_set(e, ERR_UNAVAILABLE,
                   "store %s: somebody began to write to it while it was read; run it again",
                   s->path);
}

/* --- The store ------------------------------------------------------------------------------- */

#define STORE(s) ((struct sqlite_store *)(s))

/* Of a file that changed under the reader an error says nothing, nor does an answer. */
static bool still(struct store *s, bool ok, struct err *e)
{
    struct err why = {0};

    if (sqlite_unchanged(STORE(s), &why))
        return ok;
    if (e)
        err_move(e, &why);
    return false;
}

static bool alone_get(struct store *s, enum table t, struct slice key, struct arena *a,
                      struct slice *value, struct deadline d, struct err *e)
{
    return still(s, sqlite_get(s, t, key, a, value, d, e), e);
}

static bool alone_scan(struct store *s, enum table t, struct slice after, unsigned limit,
                       visit_fn *visit, void *arg, struct deadline d, struct err *e)
{
    return still(s, sqlite_scan(s, t, after, limit, visit, arg, d, e), e);
}

static bool alone_inventory(struct store *s, const struct inventory_query *q, inventory_fn *visit,
                            void *arg, struct deadline d, struct err *e)
{
    return still(s, sqlite_inventory(s, q, visit, arg, d, e), e);
}

static bool alone_tables(struct store *s, table_fn *visit, void *arg, struct err *e)
{
    return still(s, sqlite_tables(s, visit, arg, e), e);
}

static bool alone_scan_named(struct store *s, struct slice table, struct slice after,
                             unsigned limit, visit_fn *visit, void *arg, struct deadline d,
                             struct err *e)
{
    return still(s, sqlite_scan_named(s, table, after, limit, visit, arg, d, e), e);
}

static bool alone_check(struct store *s, describe_fn *describe, problem_fn *tell, void *arg,
                        struct err *e)
{
    return still(s, sqlite_check(s, describe, tell, arg, e), e);
}

static void alone_submit(struct store *s, struct store_batch *b UNUSED, struct deadline d UNUSED,
                         committed_fn *done, void *arg)
{
    struct err why = {0};

    err_set(&why, ERR_INTERNAL, "store %s: was opened for reading alone", STORE(s)->path);
    done(STORE_LOST, NULL, &why, arg);
}

static void alone_close(struct store *base)
{
    struct sqlite_store *s = STORE(base);

    sqlite_readers_close(&s->readers);
    pthread_mutex_destroy(&s->probe_lock);
    free(s->path);
    free(s);
}

static const struct store_ops ALONE = {
    .get = alone_get,
    .scan = alone_scan,
    .inventory = alone_inventory,
    .submit = alone_submit,
    .close = alone_close,
    .tables = alone_tables,
    .scan_named = alone_scan_named,
    .check = alone_check,
    .backup = sqlite_backup,
};

/* --- Opening --------------------------------------------------------------------------------- */

/* -1: there is none. */
static int64_t size_of(const char *path, const char *suffix)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct stat st;

    return stat(sqlite_beside(a, path, suffix), &st) == 0 ? (int64_t)st.st_size : -1;
}

static bool not_permitted(int code)
{
    static const int CODES[] = {SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_BUSY,
                                SQLITE_IOERR};

    for (size_t i = 0; i < COUNT_OF(CODES); i++) {
        if ((code & 0xff) == CODES[i])
            return true;
    }
    return false;
}

/* The first connection shows whether it can be read; it stays for the first question. */
static bool try_reading(struct sqlite_store *s, bool immutable, bool *permitted, struct err *e)
{
    struct conn *c = xcalloc(1, sizeof(*c));

    if (sqlite_conn_open_read(c, s->path, immutable, e) && sqlite_place_same(&s->place, e)) {
        s->readers.immutable = immutable;
        s->readers.open = 1;
        s->readers.idle = c;
        return true;
    }
    *permitted = !not_permitted(c->broken);
    sqlite_conn_close(c);
    free(c);
    return false;
}

static bool begin_reading(struct sqlite_store *s, struct err *e)
{
    int64_t log = size_of(s->path, "-wal"), journal = size_of(s->path, "-journal");
    bool permitted = true, quiet = log <= 0 && journal <= 0;

    if (quiet && (log < 0 || size_of(s->path, "-shm") < 0))
        return try_reading(s, true, &permitted, e);
    if (try_reading(s, false, &permitted, e))
        return true;
    if (permitted)
        return false;
    if (quiet)
        return try_reading(s, true, &permitted, e);
    return err_wrap(
        e,
        "%s has a write-ahead log beside it and cannot be read with it by this user, who "
        "has to read %s, %s-wal and %s-shm and, while no service has it open, to write "
        "to the directory; a copy made by `step-ca db backup` needs none of that",
        s->path, path_base(s->path), path_base(s->path), path_base(s->path));
}

struct store *store_sqlite_open_read(const char *path, struct clock *clock, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    char *full;

    sqlite_configure();
    if (!path_absolute(a, path, &full, e))
        return NULL;
    if (!file_is_regular(full)) {
        err_set(e, file_exists(full) ? ERR_INTERNAL : ERR_NOT_FOUND, "store %s: %s", full,
                file_exists(full) ? "not a regular file" : "no such file");
        return NULL;
    }
    struct sqlite_store *s = xcalloc(1, sizeof(*s));
    s->base = (struct store){&ALONE, STORE_DURABLE | STORE_INVENTORY, "sqlite"};
    s->path = xstrdup(full);
    s->clock = clock;
    sqlite_readers_init(&s->readers, &s->place);
    s->readers.alone = true;
    pthread_mutex_init(&s->probe_lock, NULL);
    if (sqlite_place_note(&s->place, s->path, e) &&
        state_of(s->path, &s->size, &s->changed_ns, e) && begin_reading(s, e))
        return &s->base;
    alone_close(&s->base);
    return NULL;
}
