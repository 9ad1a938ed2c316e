/*
 * Files.  Reading is bounded and never asks for the size first: what is read may be a pipe, or
 * a file that grows.  Writing goes through a temporary file beside the target, so that a reader
 * sees the old content or the new one, and a key never lies on disk with a wider mode than asked.
 * The target is what symbolic links lead to: they stay.  Only a file that cannot be replaced, for
 * it is mounted or its directory is not ours, is written where it is.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"

#define CHUNK     16384u
#define LINKS_MAX 40 /* as many as the kernel follows */

/* --- Reading --------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    errno = saved;
}

static ssize_t read_some(int fd, void *p, size_t n)
{
    ssize_t got;

    do
        got = read(fd, p, n);
    while (got < 0 && errno == EINTR);
    return got;
}

/* All of fd into the arena.  Room doubles; the arena keeps the smaller copies until it goes. */
static bool read_all(struct arena *a, int fd, const char *path, size_t max, struct slice *content,
                     struct err *e)
{
    size_t cap = max < CHUNK ? max + 1 : CHUNK, n = 0;
    uint8_t *p = arena_alloc(a, cap + 1);

    for (;;) {
        if (n == cap) {
            size_t larger = cap > max / 2 ? max + 1 : cap * 2;
            uint8_t *q = arena_alloc(a, larger + 1);
            memcpy(q, p, n);
            p = q;
            cap = larger;
        }
        ssize_t got = read_some(fd, p + n, cap - n);
        if (got < 0)
            return err_errno(e, errno, "read", path);
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max)
            return err_set(e, ERR_TOO_LARGE, "read %s failed: more than %zu bytes", path, max);
    }
    p[n] = 0; /* not counted: for those who hand the text to a C library */
    *content = slice_of(p, n);
    return true;
}

bool file_read(struct arena *a, const char *path, bool dash, size_t max, struct slice *content,
               struct err *e)
{
    if (max > SIZE_MAX / 4)
        max = SIZE_MAX / 4;
    if (dash && strcmp(path, "-") == 0)
        return read_all(a, STDIN_FILENO, "standard input", max, content, e);
    CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_errno(e, errno, "open", path);
    return read_all(a, fd, path, max, content, e);
}

bool file_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

bool file_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool file_is_regular(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* --- Symbolic links -------------------------------------------------------------------------- */

/* With its slash; unlike path_dir it does not take "link/.." for nothing. */
static char *dir_prefix(struct arena *a, const char *path)
{
    return arena_cstr(a, slice_of(path, (size_t)(path_base(path) - path)));
}

static const char *dir_of(struct arena *a, const char *path)
{
    const char *dir = dir_prefix(a, path);

    return *dir ? dir : ".";
}

/* In a directory where everybody may put something (/tmp), a link leads where its owner wants, and
 * what is written there is his.  The rule of Linux' fs.protected_symlinks, which need not be on. */
static bool may_follow(struct arena *a, const char *link, const struct stat *st)
{
    struct stat dir;

    if (st->st_uid == geteuid())
        return true;
    return stat(dir_of(a, link), &dir) == 0 &&
           (!(dir.st_mode & S_IWOTH) || dir.st_uid == st->st_uid);
}

/* /proc/self/fd/1: what it reads as is a description, not always a path. */
static bool in_proc(struct arena *a, const char *link)
{
    struct statfs fs;

    return statfs(dir_of(a, link), &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

static char *link_target(struct arena *a, const char *link)
{
    char text[PATH_MAX];
    ssize_t n = readlink(link, text, sizeof(text));

    if (n < 0)
        return NULL;
    if ((size_t)n == sizeof(text)) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    const char *dir = n && text[0] == '/' ? "" : dir_prefix(a, link);
    return arena_printf(a, "%s%.*s", dir, (int)n, text);
}

bool file_behind_links(struct arena *a, const char *path, char **real, struct err *e)
{
    struct stat st;
    char *at = arena_printf(a, "%s", path);

    for (int links = 0; lstat(at, &st) == 0 && S_ISLNK(st.st_mode) && !in_proc(a, at); links++) {
        if (links == LINKS_MAX)
            return err_errno(e, ELOOP, "write", path);
        if (!may_follow(a, at, &st))
            return err_set(e, ERR_FORBIDDEN,
                           "write %s failed: %s is another user's symbolic link in a directory "
                           "that everybody may write to",
                           path, at);
        at = link_target(a, at);
        if (!at)
            return err_errno(e, errno, "readlink", path);
    }
    *real = at;
    return true;
}

/* --- Writing --------------------------------------------------------------------------------- */

static bool write_all(int fd, struct slice s)
{
    while (s.n) {
        ssize_t done = write(fd, s.p, s.n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        s = slice_from(s, (size_t)done);
    }
    return true;
}

/* Pipes, devices, and what a process has open. */
static bool write_through(const char *path, struct slice content, struct err *e)
{
    CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    if (fd < 0)
        return err_errno(e, errno, "open", path);
    if (!write_all(fd, content) ||
        (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(fd, (off_t)content.n) != 0))
        return err_errno(e, errno, "write", path);
    return true;
}

/* Cut last: the blocks that the old content has are there for the new one. */
bool file_overwrite(const char *path, struct slice content, mode_t most, struct err *e)
{
    CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(e, errno, "open", path);
    if ((st.st_mode & 0777 & ~most) && fchmod(fd, st.st_mode & most) != 0)
        return err_errno(e, errno, "chmod", path);
    if (!write_all(fd, content) || ftruncate(fd, (off_t)content.n) != 0)
        return err_errno(e, errno, "write", path);
    return fsync(fd) == 0 || err_errno(e, errno, "sync", path);
}

bool file_is_pinned(int why)
{
    return why == EBUSY || why == EXDEV;
}

bool file_has_no_room_beside(int why)
{
    return why == EACCES || why == EPERM || why == EROFS;
}

/* A name nobody else has, "<target>.<random>.tmp", created with `mode` less the umask. */
static int temporary(struct arena *a, const char *path, mode_t mode, char **name)
{
    for (int tries = 0; tries < 100; tries++) {
        uint64_t random;
        RNG_SYSTEM.fill(&RNG_SYSTEM, &random, sizeof(random));
        *name = arena_printf(a, "%s.%016llx.tmp", path, (unsigned long long)random);
        int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* Ownership first: chown takes set-id bits off, and a file of ours must not be opened up to a group
 * before that group is the right one.  Only root may give a file away; others keep what they can.
 */
static bool take_over(int fd, const struct stat *old)
{
    if (fchown(fd, old->st_uid, old->st_gid) != 0 && fchown(fd, (uid_t)-1, old->st_gid) != 0 &&
        errno != EPERM)
        return false;
    return fchmod(fd, old->st_mode & 0777) == 0;
}

static bool sync_dir(struct arena *a, const char *path)
{
    CLEANUP(close_fd) int fd = open(dir_of(a, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    /* Some file systems cannot sync a directory and say EINVAL; then there is nothing to do. */
    return fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
}

/* link(2) fails when the target exists; rename(2) would replace it.  File systems without hard
 * links get renameat2(2). */
static bool move_exclusive(const char *from, const char *to)
{
    if (link(from, to) == 0) {
        unlink(from);
        return true;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return false;
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0;
}

static bool fill(int fd, const char *path, struct slice content, const struct stat *keep,
                 struct err *e)
{
    if (keep && !take_over(fd, keep))
        return err_errno(e, errno, "chmod", path);
    if (!write_all(fd, content))
        return err_errno(e, errno, "write", path);
    return fsync(fd) == 0 || err_errno(e, errno, "sync", path);
}

static bool move(const char *name, const char *path, unsigned flags)
{
    return flags & FILE_EXCLUSIVE ? move_exclusive(name, path) : rename(name, path) == 0;
}

bool file_write(const char *path, struct slice content, mode_t mode, unsigned flags, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    mode_t most = flags & FILE_KEEP_MODE ? 0777 : mode;
    struct stat old;
    char *real, *name;

    if (!file_behind_links(a, path, &real, e))
        return false;
    bool there = lstat(real, &old) == 0;
    if (!there && errno != ENOENT)
        return err_errno(e, errno, "write", path);
    if (there && (flags & FILE_EXCLUSIVE))
        return err_errno(e, EEXIST, "write", path);
    if (there && S_ISDIR(old.st_mode))
        return err_errno(e, EISDIR, "write", path);
    if (there && !S_ISREG(old.st_mode))
        return write_through(real, content, e);

    CLEANUP(close_fd) int fd = temporary(a, real, mode, &name);
    if (fd < 0 && there && file_has_no_room_beside(errno))
        return file_overwrite(real, content, most, e);
    if (fd < 0)
        return err_errno(e, errno, "open", path);
    bool keep = there && (flags & FILE_KEEP_MODE);
    if (!fill(fd, path, content, keep ? &old : NULL, e)) {
        unlink(name);
        return false;
    }
    if (!move(name, real, flags)) {
        int why = errno;
        unlink(name);
        return there && file_is_pinned(why) ? file_overwrite(real, content, most, e)
                                            : err_errno(e, why, "write", path);
    }
    return sync_dir(a, real) || err_errno(e, errno, "sync", path);
}

bool dir_make(const char *path, mode_t mode, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    char *clean = path_clean(a, path);

    for (char *at = clean + 1; at[-1]; at++) {
        if (*at && *at != '/')
            continue;
        char kept = *at;
        *at = 0;
        int why = mkdir(clean, mode) == 0 ? 0 : errno;
        if (why && !file_is_dir(clean))
            return err_errno(e, why == EEXIST ? ENOTDIR : why, "mkdir", clean);
        *at = kept;
        if (!kept)
            break;
    }
    return true;
}

/* --- Paths ----------------------------------------------------------------------------------- */

/* Length of out[0..n) without its last component; the root stays. */
static size_t drop_component(const char *out, size_t n, size_t root)
{
    while (n > root && out[n - 1] != '/')
        n--;
    return n > root ? n - 1 : root;
}

char *path_clean(struct arena *a, const char *path)
{
    struct slice rest = slice_text(path), part;
    size_t root = slice_starts(rest, "/") ? 1 : 0, n = root, depth = 0;
    char *out = arena_alloc(a, rest.n + 2);

    memcpy(out, root ? "/" : ".", 1);
    while (slice_split(&rest, '/', &part)) {
        if (part.n == 0 || slice_is(part, "."))
            continue;
        bool up = slice_is(part, "..");
        if (up && depth) {
            n = drop_component(out, n, root);
            depth--;
            continue;
        }
        if (up && root)
            continue;
        if (n > root)
            out[n++] = '/';
        memcpy(out + n, part.p, part.n);
        n += part.n;
        depth += !up; /* a leading ".." cannot be taken back */
    }
    if (n == 0)
        out[n++] = '.';
    out[n] = 0;
    return out;
}

char *path_join(struct arena *a, const char *dir, const char *name)
{
    if (!*dir)
        return *name ? path_clean(a, name) : arena_cstr(a, SLICE(""));
    return path_clean(a, arena_printf(a, "%s/%s", dir, name));
}

char *path_dir(struct arena *a, const char *path)
{
    struct slice s = slice_text(path);
    size_t at = slice_rfind(s, '/');

    if (at == s.n)
        return arena_cstr(a, SLICE("."));
    return path_clean(a, arena_cstr(a, slice_sub(s, 0, at + 1)));
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool path_absolute(struct arena *a, const char *path, char **out, struct err *e)
{
    char here[PATH_MAX];

    if (*path == '/') {
        *out = path_clean(a, path);
        return true;
    }
    if (!getcwd(here, sizeof(here)))
        return err_errno(e, errno, "getcwd", NULL);
    *out = path_join(a, here, path);
    return true;
}
