/*
 * The file as the operating system has it: is it still the one that was opened, who may read it,
 * and how much room is beside it.
 *
 * A file that was removed or replaced under a running service still takes commits, and all of them
 * are gone with the process.  So it is looked at before each group of commits: that costs a
 * microsecond, and the group an fsync.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "store/sqlite.h"

bool sqlite_place_note(struct sqlite_place *p, const char *path, struct err *e)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return err_errno(e, errno, "open", path);
    *p = (struct sqlite_place){path, st.st_dev, st.st_ino, 0};
    return true;
}

bool sqlite_place_same(const struct sqlite_place *p, struct err *e)
{
    struct stat st;
    int code = stat(p->path, &st) == 0 ? 0 : errno;

    if (!code && st.st_dev == p->device && st.st_ino == p->inode)
        return true;
    if (code && code != ENOENT && code != ENOTDIR) {
        return err_set(e, ERR_UNAVAILABLE, "store %s: the database file is out of sight: %s",
                       p->path, strerror(code));
    }
    return err_set(e, ERR_UNAVAILABLE,
                   "store %s: the database file was %s while it was in use; nothing is written any "
                   "more: put it back, or restart",
                   p->path, code ? "removed" : "replaced");
}

/* SQLite keeps them beside what a symbolic link points to. */
const char *sqlite_beside(struct arena *a, const char *path, const char *suffix)
{
    char *real = realpath(path, NULL);
    const char *full = arena_printf(a, "%s%s", real ? real : path, suffix);

    free(real);
    return full;
}

static ino_t log_inode(const char *path)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct stat st;

    return stat(sqlite_beside(a, path, "-wal"), &st) == 0 ? st.st_ino : 0;
}

void sqlite_place_note_log(struct sqlite_place *p)
{
    p->log = log_inode(p->path);
}

bool sqlite_place_log_is_astray(const struct sqlite_place *p)
{
    return p->log && !sqlite_place_same(p, NULL) && log_inode(p->path) == p->log;
}

void sqlite_place_remove_log(const struct sqlite_place *p)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    if (!sqlite_place_log_is_astray(p))
        return;
    unlink(sqlite_beside(a, p->path, "-wal"));
    unlink(sqlite_beside(a, p->path, "-shm"));
}

/* The old mode when it was changed, 0: nothing was to be done or could be. */
static unsigned make_private(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 0077) == 0)
        return 0;
    if ((st.st_uid == geteuid() || geteuid() == 0) && chmod(path, 0600) == 0)
        return st.st_mode & 07777;
    log_warn("store %s: its mode is %04o, so others may read what is in it, and it cannot be "
             "changed by this user",
             path, (unsigned)st.st_mode & 07777);
    return 0;
}

void sqlite_place_private(const char *path)
{
    static const char *const SUFFIXES[] = {"", "-wal", "-shm"};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    for (size_t i = 0; i < COUNT_OF(SUFFIXES); i++) {
        const char *file = sqlite_beside(a, path, SUFFIXES[i]);
        unsigned before = make_private(file);
        if (before)
            log_line("store %s: its mode was %04o and is 0600 now", file, before);
    }
}

bool sqlite_place_room(const char *path, uint64_t bytes, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct statvfs fs;

    /* A file system that does not say how large it is says nothing about its room either. */
    if (statvfs(path_dir(a, path), &fs) != 0 || fs.f_blocks == 0)
        return true;
    uint64_t blocks = geteuid() == 0 ? fs.f_bfree : fs.f_bavail;
    if (blocks >= bytes / (fs.f_frsize ? fs.f_frsize : 1) + 1)
        return true;
    return err_set(e, ERR_UNAVAILABLE,
                   "store %s: less than %u KiB are free on its file system since it was full", path,
                   (unsigned)(bytes >> 10));
}
