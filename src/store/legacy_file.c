/* Files of the old databases: opened for reading only, locked as their own programs lock them. */
#include "store/legacy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool legacy_damage(const char *path, struct err *e, const char *fmt, ...)
{
    char text[300];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return err_set(e, ERR_MALFORMED, "%s: damaged: %s", path, text);
}

void legacy_warn(const struct legacy_place *p, const char *fmt, ...)
{
    char text[480];
    va_list args;

    if (!p->warn)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    p->warn(p->arg, text);
}

bool legacy_file_open(struct legacy_file *f, const char *path, struct err *e)
{
    struct stat st;

    *f = (struct legacy_file){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), .path = path};
    if (f->fd < 0)
        return err_errno(e, errno, "open", path);
    if (fstat(f->fd, &st) != 0)
        return err_errno(e, errno, "stat", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_MALFORMED, "%s: not a regular file", path);
    f->size = (uint64_t)st.st_size;
    return true;
}

void legacy_file_close(struct legacy_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

bool legacy_file_read(const struct legacy_file *f, uint64_t at, void *to, size_t n, struct err *e)
{
    uint8_t *p = to;

    while (n > 0) {
        ssize_t got = pread(f->fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(e, errno, "read", f->path);
        if (got == 0)
            return legacy_damage(f->path, e, "it ends at %llu, before what it should hold",
                                 (unsigned long long)at);
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

bool legacy_lock(int fd, const char *path, struct err *e)
{
    if (flock(fd, LOCK_SH | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return err_set(e, ERR_UNAVAILABLE,
                       "%s: locked: another process (a server?) is still using it; stop that first",
                       path);
    return err_errno(e, errno, "lock", path);
}
