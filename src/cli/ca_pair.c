/*
 * Files that must fit each other, replaced on a file system that renames one at a time: a private
 * key and what belongs to it.
 *
 * All are complete on disk under another name, <file>.rekey, before the first takes its place; the
 * key goes first, the certificate last.  The moment that can leave a new key beside an old
 * certificate leaves the rest in those files, and the next run puts them where they belong.
 *
 * All of it happens where symbolic links lead.  A file that cannot be replaced is written where it
 * is, which a crash may interrupt: a mounted one from its complete <file>.rekey, one in a directory
 * that is not ours without.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/ca_renew.h"
#include "cli/joint.h"

#define WAITING     ".rekey"
#define WAITING_MAX (1u << 20)

struct place {
    const struct joint_file *file;
    const char *path, *waits;
    bool direct; /* nothing waits: no file can be made beside it */
    bool begun;  /* written to where it is */
};

const char *joint_waiting(struct arena *a, const char *path)
{
    char *real;

    return arena_printf(a, "%s" WAITING, file_behind_links(a, path, &real, NULL) ? real : path);
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static bool write_all(int fd, struct slice content)
{
    for (size_t done = 0; done < content.n;) {
        ssize_t n = write(fd, content.p + done, content.n - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0;
}

static mode_t most(const struct joint_file *f)
{
    return f->secret ? 0700 : 0777;
}

static bool writable(const char *path)
{
    CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);

    return fd >= 0;
}

/* Owner and mode of the file that will be replaced. */
static bool prepare(struct place *p, struct err *e)
{
    const struct joint_file *f = p->file;
    struct stat old;
    bool there = lstat(p->path, &old) == 0 && S_ISREG(old.st_mode);

    if (unlink(p->waits) != 0 && errno != ENOENT && !file_has_no_room_beside(errno))
        return err_errno(e, errno, "remove", p->waits);
    CLEANUP(close_fd)
    int fd = open(p->waits, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  there ? 0600 : f->mode);
    int why = errno;
    p->direct = fd < 0 && there && !f->fresh && file_has_no_room_beside(why) && writable(p->path);
    if (p->direct)
        return true;
    if (fd < 0)
        return err_errno(e, why, "open", p->waits);
    if (there && fchown(fd, old.st_uid, old.st_gid) != 0 && errno != EPERM)
        return err_errno(e, errno, "chown", p->waits);
    if (there && fchmod(fd, old.st_mode & most(f)) != 0)
        return err_errno(e, errno, "chmod", p->waits);
    return write_all(fd, f->content) || err_errno(e, errno, "write", p->waits);
}

static void sync_dir(struct arena *a, const char *path)
{
    CLEANUP(close_fd) int fd = open(path_dir(a, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        (void)!fsync(fd);
}

/* RENAME_NOREPLACE is more than some file systems can do. */
static bool move_exclusive(const char *name, const char *target)
{
    if (renameat2(AT_FDCWD, name, AT_FDCWD, target, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL || link(name, target) != 0)
        return false;
    unlink(name);
    return true;
}

static bool put_in_place(struct place *p, struct err *e)
{
    const struct joint_file *f = p->file;

    if (!p->direct &&
        (f->fresh ? move_exclusive(p->waits, p->path) : rename(p->waits, p->path) == 0))
        return true;
    if (!p->direct && (f->fresh || !file_is_pinned(errno)))
        return err_errno(e, errno, "rename", p->waits);
    p->begun = true;
    if (!file_overwrite(p->path, f->content, most(f), e))
        return false;
    if (!p->direct)
        unlink(p->waits);
    return true;
}

/* One directory keeps the order of its renames through a power failure; of two, the first one's
 * must be on disk first.  Without that wait there is next to no time in which the files do not fit.
 */
static void sync_between(struct arena *a, const char *first, const char *next)
{
    if (strcmp(path_dir(a, first), path_dir(a, next)) != 0)
        sync_dir(a, first);
}

/* Not /dev/stdout, whatever it leads to; what cannot be followed is told later. */
static bool replaceable(struct arena *a, const char *path)
{
    struct stat st;
    char *real;

    return !file_behind_links(a, path, &real, NULL) || lstat(real, &st) != 0 || S_ISREG(st.st_mode);
}

/* Pipes and devices have no crash to survive. */
static bool write_plainly(const struct joint_file *v, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (!file_write(v[i].path, v[i].content, v[i].mode,
                        v[i].fresh ? FILE_EXCLUSIVE : FILE_KEEP_MODE, e))
            return false;
    }
    return true;
}

static bool all_replaceable(struct arena *a, const struct joint_file *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!replaceable(a, v[i].path))
            return false;
    }
    return true;
}

static struct place *places(struct arena *a, const struct joint_file *v, size_t n, struct err *e)
{
    struct place *p = arena_alloc(a, n * sizeof(*p));

    for (size_t i = 0; i < n; i++) {
        char *real;
        if (!file_behind_links(a, v[i].path, &real, e))
            return NULL;
        p[i] = (struct place){.file = &v[i], .path = real, .waits = joint_waiting(a, real)};
    }
    return p;
}

static bool prepare_all(struct place *p, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (!prepare(&p[i], e))
            return false;
    }
    return put_in_place(&p[0], e);
}

bool joint_write(struct arena *a, const struct joint_file *v, size_t n, struct err *e)
{
    if (!all_replaceable(a, v, n))
        return write_plainly(v, n, e);
    struct place *p = places(a, v, n, e);
    if (!p)
        return false;
    if (!prepare_all(p, n, e)) {
        /* Half a key is nothing to go on with; what waits may be all there is. */
        for (size_t i = 0; i < n && !p[0].begun; i++)
            unlink(p[i].waits);
        return false;
    }
    for (size_t i = 1; i < n; i++) {
        sync_between(a, p[i - 1].path, p[i].path);
        if (!put_in_place(&p[i], e))
            return false;
    }
    sync_dir(a, p[n - 1].path);
    return true;
}

bool joint_mend(struct arena *a, const char *path, struct err *e)
{
    struct joint_file f = {.path = path};
    struct place *p = places(a, &f, 1, e);

    if (!p || !file_read(a, p->waits, false, WAITING_MAX, &f.content, e) || !put_in_place(p, e))
        return false;
    sync_dir(a, p->path);
    return true;
}

/* --- X.509 ------------------------------------------------------------------------------------ */

bool pair_write(struct arena *a, const char *key, struct slice key_pem, const char *crt,
                struct slice crt_pem, struct err *e)
{
    const struct joint_file files[] = {{.path = key, .content = key_pem, .mode = 0600},
                                       {.path = crt, .content = crt_pem, .mode = 0600}};

    return joint_write(a, files, COUNT_OF(files), e);
}

bool pair_mend(struct arena *a, const struct private_key *key, const char *crt,
               struct cert_list *chain, struct err *e)
{
    const char *waits = joint_waiting(a, crt);
    struct cert_list list = {0};

    if (!file_exists(waits) || !cert_list_load(a, waits, &list, NULL) || !list.v[0]->key ||
        !key_eq(list.v[0]->key, key->public_key))
        return false;
    *chain = list;
    return joint_mend(a, crt, e);
}
