/*
 * The SQLite engine (docs/reference/storage.md): the file, and the store around its two halves,
 * the writer and the readers.  Our own commands may open the same file while the server runs.
 *
 * The file is made by us with mode 0600 before SQLite sees it; the write-ahead log and its index
 * take their mode from it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "store/sqlite.h"

/* --- The file ------------------------------------------------------------------------------ */

/* The last part of the directory's name is made, not what is above it: a mistyped path shall not
 * become a tree. */
static bool ensure_dir(struct arena *a, const char *path, struct err *e)
{
    const char *dir = path_dir(a, path);

    if (file_is_dir(dir))
        return true;
    if (mkdir(dir, 0700) == 0 || errno == EEXIST)
        return true;
    err_errno(e, errno, "create directory", dir);
    return err_wrap(e, "store %s", path);
}

static bool ensure_file(const char *path, struct err *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd >= 0) {
        close(fd);
        return true;
    }
    if (errno != EEXIST) {
        err_errno(e, errno, "create", path);
        return err_wrap(e, "store");
    }
    if (file_is_regular(path))
        return true;
    return err_set(e, ERR_INTERNAL, "store %s: not a regular file", path);
}

bool sqlite_part_create(const char *part, struct err *e)
{
    int fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return err_errno(e, errno, "create", part);
    close(fd);
    return true;
}

static bool sync_path(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(e, errno, "open", path);
    bool ok = fsync(fd) == 0 || err_errno(e, errno, "sync", path);
    close(fd);
    return ok;
}

/* Takes nobody's place.  Not every file system can rename so; those that cannot have links. */
static bool name_it(const char *part, const char *path, struct err *e)
{
    if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return err_errno(e, errno, "create", path);
    if (link(part, path) != 0)
        return err_errno(e, errno, "create", path);
    unlink(part);
    return true;
}

bool sqlite_part_end(const char *part, const char *path, bool ok, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    if (ok && sync_path(part, e) && name_it(part, path, e))
        return sync_path(path_dir(a, path), e);
    unlink(part);
    unlink(arena_printf(a, "%s-journal", part)); /* of an SQLite that could not go on */
    return false;
}

/* The log's index is shared memory: other machines do not see it. */
static void warn_if_remote(const char *path)
{
    static const uint32_t REMOTE[] = {0x6969 /* NFS */, 0xff534d42 /* CIFS */,
                                      0xfe534d42 /* SMB2 */};
    struct statfs fs;

    if (statfs(path, &fs) != 0)
        return;
    for (size_t i = 0; i < COUNT_OF(REMOTE); i++) {
        if ((uint32_t)fs.f_type == REMOTE[i])
            log_warn("store %s: on a network file system; use it from one machine only", path);
    }
}

/* --- The store ----------------------------------------------------------------------------- */

static void sqlite_submit(struct store *s, struct store_batch *b, struct deadline d,
                          committed_fn *done, void *arg)
{
    struct err why = {0};

    if (batch_check(b, &why))
        sqlite_writer_submit(((struct sqlite_store *)s)->writer, b, d, done, arg);
    else
        done(STORE_LOST, NULL, &why, arg);
}

/* Another database took the file's place, and our log lies beside that: SQLite would leave it, and
 * whoever opens the database next would take what is in it for his.  True: it is in the old file
 * now, whatever name that has. */
static bool log_left_behind(struct sqlite_store *s)
{
    return s->first.db && sqlite_place_log_is_astray(&s->place) &&
           sqlite3_wal_checkpoint_v2(s->first.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
               SQLITE_OK;
}

static void sqlite_close(struct store *base)
{
    struct sqlite_store *s = (struct sqlite_store *)base;

    sqlite_writer_stop(s->writer);
    sqlite_checkpoint_stop(s->checkpoint);
    sqlite_readers_close(&s->readers);
    bool left = log_left_behind(s);
    sqlite_conn_close(&s->first); /* the last one folds the log into the file */
    if (left)
        sqlite_place_remove_log(&s->place);
    pthread_mutex_destroy(&s->probe_lock);
    free(s->path);
    free(s);
}

static const struct store_ops SQLITE = {
    .get = sqlite_get,
    .scan = sqlite_scan,
    .inventory = sqlite_inventory,
    .submit = sqlite_submit,
    .close = sqlite_close,
    .prune = sqlite_prune,
    .tables = sqlite_tables,
    .scan_named = sqlite_scan_named,
    .import = sqlite_import,
    .reindex = sqlite_reindex,
    .check = sqlite_check,
    .backup = sqlite_backup,
    .probe = sqlite_probe,
    .annotate = sqlite_annotate,
};

/* Counting every allocation under one lock is of no use to us. */
static void configure_once(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

void sqlite_configure(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, configure_once);
}

static bool start(struct sqlite_store *s, bool bare, struct err *e)
{
    if (!sqlite_place_note(&s->place, s->path, e) || !sqlite_conn_open(&s->first, s->path, e))
        return false;
    if (!sqlite_schema_ready(&s->first, bare, e) || !sqlite_place_same(&s->place, e)) {
        sqlite_conn_close(&s->first);
        return false;
    }
    sqlite_place_note_log(&s->place);
    sqlite_place_private(s->path);
    s->checkpoint = sqlite_checkpoint_start(&s->place);
    s->writer =
        s->checkpoint ? sqlite_writer_start(&s->first, &s->place, s->checkpoint, s->clock) : NULL;
    if (s->writer)
        return true;
    if (s->checkpoint)
        sqlite_checkpoint_stop(s->checkpoint);
    sqlite_conn_close(&s->first);
    return err_set(e, ERR_UNAVAILABLE, "store %s: cannot start the writer thread", s->path);
}

static struct store *open_store(const char *path, bool bare, struct clock *clock, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    char *full;

    sqlite_configure();
    if (!path_absolute(a, path, &full, e) || !ensure_dir(a, full, e) || !ensure_file(full, e))
        return NULL;
    warn_if_remote(full);
    struct sqlite_store *s = xcalloc(1, sizeof(*s));
    s->base = (struct store){&SQLITE, STORE_DURABLE | STORE_INVENTORY, "sqlite"};
    s->path = xstrdup(full);
    s->clock = clock;
    sqlite_readers_init(&s->readers, &s->place);
    pthread_mutex_init(&s->probe_lock, NULL);
    if (start(s, bare, e))
        return &s->base;
    sqlite_readers_close(&s->readers);
    pthread_mutex_destroy(&s->probe_lock);
    free(s->path);
    free(s);
    return NULL;
}

struct store *store_sqlite_open(const char *path, struct clock *clock, struct err *e)
{
    return open_store(path, false, clock, e);
}

struct store *store_sqlite_open_bare(const char *path, struct clock *clock, struct err *e)
{
    return open_store(path, true, clock, e);
}
