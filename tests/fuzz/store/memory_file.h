/* Bytes as a file that has a path and takes no disk. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"

struct memory_file {
    int fd;
    char path[64];
};

static inline struct memory_file memory_file_make(const void *data, size_t n)
{
    struct memory_file f = {.fd = memfd_create("fuzz", MFD_CLOEXEC)};

    if (f.fd < 0 || write(f.fd, data, n) != (ssize_t)n)
        abort();
    snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
    return f;
}
