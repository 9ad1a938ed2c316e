/*
 * Two files that must fit each other, replaced on a file system that renames one at a time.
 *
 * Both are complete on disk under another name before either takes its place; the key goes first.
 * The one moment that can leave a new key beside an old certificate leaves the new certificate in
 * <crt>.rekey, and the next run puts it where it belongs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/ca_renew.h"

#define WAITING ".rekey"

static const char *waiting_name(struct arena *a, const char *path)
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

/* Owner and mode of the file that will be replaced; 0600 when there is none. */
static bool prepare(const char *name, const char *target, struct slice content, struct err *e)
{
    struct stat old;
    bool there = lstat(target, &old) == 0 && S_ISREG(old.st_mode);

    if (unlink(name) != 0 && errno != ENOENT)
        return err_errno(e, errno, "remove", name);
    CLEANUP(close_fd)
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(e, errno, "open", name);
    if (there && fchown(fd, old.st_uid, old.st_gid) != 0 && errno != EPERM)
        return err_errno(e, errno, "chown", name);
    if (there && fchmod(fd, old.st_mode & 0777) != 0)
        return err_errno(e, errno, "chmod", name);
    return write_all(fd, content) || err_errno(e, errno, "write", name);
}

static void sync_dir(struct arena *a, const char *path)
{
    CLEANUP(close_fd) int fd = open(path_dir(a, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        (void)!fsync(fd);
}

static bool put_in_place(const char *name, const char *target, struct err *e)
{
    return rename(name, target) == 0 || err_errno(e, errno, "rename", name);
}

/* One directory keeps the order of its renames through a power failure; of two, the key's must be
 * on disk first.  Without that wait there is next to no time in which the files do not fit. */
static void sync_between(struct arena *a, const char *key, const char *crt)
{
    if (strcmp(path_dir(a, key), path_dir(a, crt)) != 0)
        sync_dir(a, key);
}

static bool replaceable(const char *path)
{
    return !file_exists(path) || file_is_regular(path);
}

bool pair_write(struct arena *a, const char *key, struct slice key_pem, const char *crt,
                struct slice crt_pem, struct err *e)
{
    const char *key_waits = waiting_name(a, key), *crt_waits = waiting_name(a, crt);

    /* Pipes and devices have no crash to survive. */
    if (!replaceable(key) || !replaceable(crt))
        return file_write(key, key_pem, 0600, FILE_KEEP_MODE, e) &&
               file_write(crt, crt_pem, 0600, FILE_KEEP_MODE, e);
    if (!prepare(key_waits, key, key_pem, e) || !prepare(crt_waits, crt, crt_pem, e) ||
        !put_in_place(key_waits, key, e)) {
        unlink(key_waits);
        unlink(crt_waits);
        return false;
    }
    sync_between(a, key, crt);
    if (!put_in_place(crt_waits, crt, e))
        return false;
    sync_dir(a, crt);
    return true;
}

bool pair_mend(struct arena *a, const struct private_key *key, const char *crt,
               struct cert_list *chain, struct err *e)
{
    const char *waits = waiting_name(a, crt);
    struct cert_list list = {0};

    if (!file_exists(waits) || !cert_list_load(a, waits, &list, NULL) || !list.v[0]->key ||
        !key_eq(list.v[0]->key, key->public_key))
        return false;
    *chain = list;
    if (!put_in_place(waits, crt, e))
        return false;
    sync_dir(a, crt);
    return true;
}
