/* What both readers do with files: open, lock, read at an offset. */
#pragma once

#include <stdlib.h>

#include "store/legacy.h"

struct legacy_file {
    int fd;
    uint64_t size;
    const char *path;
};
#define LEGACY_FILE_NONE ((struct legacy_file){.fd = -1})
bool legacy_file_open(struct legacy_file *f, const char *path, struct err *e) CHECKED;
void legacy_file_close(struct legacy_file *f);
/* Exactly n bytes. */
bool legacy_file_read(const struct legacy_file *f, uint64_t at, void *to, size_t n,
                      struct err *e) CHECKED;
/* "PATH: damaged: …", ERR_MALFORMED; returns false. */
bool legacy_damage(const char *path, struct err *e, const char *fmt, ...) PRINTF(3, 4);
/* A shared lock that does not wait; ERR_UNAVAILABLE when somebody writes. */
bool legacy_lock(int fd, const char *path, struct err *e) CHECKED;
void legacy_warn(const struct legacy_place *p, const char *fmt, ...) PRINTF(2, 3);

/* A buffer that only grows. */
struct room {
    uint8_t *p;
    size_t cap;
};
static inline uint8_t *room_for(struct room *r, size_t n)
{
    if (n > r->cap || !r->p) {
        free(r->p);
        r->cap = n < 4096 ? 4096 : n;
        r->p = xmalloc(r->cap);
    }
    return r->p;
}
static inline void room_free(struct room *r)
{
    free(r->p);
    *r = (struct room){0};
}

static inline uint16_t read_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t read_le32(const uint8_t *p)
{
    return (uint32_t)read_le16(p) | (uint32_t)read_le16(p + 2) << 16;
}
static inline uint64_t read_le64(const uint8_t *p)
{
    return (uint64_t)read_le32(p) | (uint64_t)read_le32(p + 4) << 32;
}
static inline uint16_t read_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t read_be32(const uint8_t *p)
{
    return (uint32_t)read_be16(p) << 16 | read_be16(p + 2);
}
static inline uint64_t read_be64(const uint8_t *p)
{
    return (uint64_t)read_be32(p) << 32 | read_be32(p + 4);
}
