/*
 * Files that must fit each other, replaced on a file system that renames one at a time: a private
 * key and what belongs to it.
 *
 * All are complete on disk under another name, <file>.rekey, before the first takes its place; the
 * key goes first, the certificate last.  The moment that can leave a new key beside an old
 * certificate leaves the rest in those files, and the next run puts them where they belong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/ca_renew.h"
#include "cli/joint.h"

#define WAITING ".rekey"

const char *joint_waiting(struct arena *a, const char *path)
{
    return arena_printf(a, "%s" WAITING, path);
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

/* Owner and mode of the file that will be replaced. */
static bool prepare(const char *name, const struct joint_file *f, struct err *e)
{
    mode_t kept = f->secret ? 0700 : 0777;
    struct stat old;
    bool there = lstat(f->path, &old) == 0 && S_ISREG(old.st_mode);

    if (unlink(name) != 0 && errno != ENOENT)
        return err_errno(e, errno, "remove", name);
    CLEANUP(close_fd)
    int fd =
        open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, there ? 0600 : f->mode);
    if (fd < 0)
        return err_errno(e, errno, "open", name);
    if (there && fchown(fd, old.st_uid, old.st_gid) != 0 && errno != EPERM)
        return err_errno(e, errno, "chown", name);
    if (there && fchmod(fd, old.st_mode & kept) != 0)
        return err_errno(e, errno, "chmod", name);
    return write_all(fd, f->content) || err_errno(e, errno, "write", name);
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

static bool put_in_place(const char *name, const char *target, bool fresh, struct err *e)
{
    return (fresh ? move_exclusive(name, target) : rename(name, target) == 0) ||
           err_errno(e, errno, "rename", name);
}

/* One directory keeps the order of its renames through a power failure; of two, the first one's
 * must be on disk first.  Without that wait there is next to no time in which the files do not fit.
 */
static void sync_between(struct arena *a, const char *first, const char *next)
{
    if (strcmp(path_dir(a, first), path_dir(a, next)) != 0)
        sync_dir(a, first);
}

static bool replaceable(const char *path)
{
    return !file_exists(path) || file_is_regular(path);
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

static bool all_replaceable(const struct joint_file *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!replaceable(v[i].path))
            return false;
    }
    return true;
}

/* Everything is as it was. */
static bool prepare_all(struct arena *a, const struct joint_file *v, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (!prepare(joint_waiting(a, v[i].path), &v[i], e))
            return false;
    }
    return put_in_place(joint_waiting(a, v[0].path), v[0].path, v[0].fresh, e);
}

bool joint_write(struct arena *a, const struct joint_file *v, size_t n, struct err *e)
{
    if (!all_replaceable(v, n))
        return write_plainly(v, n, e);
    if (!prepare_all(a, v, n, e)) {
        for (size_t i = 0; i < n; i++)
            unlink(joint_waiting(a, v[i].path));
        return false;
    }
    for (size_t i = 1; i < n; i++) {
        sync_between(a, v[i - 1].path, v[i].path);
        if (!put_in_place(joint_waiting(a, v[i].path), v[i].path, v[i].fresh, e))
            return false;
    }
    sync_dir(a, v[n - 1].path);
    return true;
}

bool joint_mend(struct arena *a, const char *path, struct err *e)
{
    if (!put_in_place(joint_waiting(a, path), path, false, e))
        return false;
    sync_dir(a, path);
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
