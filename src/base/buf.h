/*
 * Growing bytes with a hard maximum.  Past the maximum the buffer is `failed`: sticky, nothing
 * more is written, checked once at the end with buf_done or buf_ok.
 */
#pragma once

#include "base/arena.h"
#include "base/slice.h"

struct err;

struct buf {
    uint8_t *p;
    size_t n, cap, max;
    bool failed;
    struct arena *arena; /* NULL: malloc, given back by buf_free */
};

/* In an arena (nothing to free), or on the usual heap when arena is NULL. */
struct buf buf_new(struct arena *arena, size_t max);
void buf_free(struct buf *b); /* wipes nothing; CLEANUP(buf_free) works */
void buf_reset(struct buf *b);

void buf_put(struct buf *b, struct slice s);
void buf_byte(struct buf *b, uint8_t byte);
void buf_text(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* Room for n more bytes; NULL when it would pass the maximum.  buf_used says how many of them
 * were filled. */
uint8_t *buf_room(struct buf *b, size_t n);
void buf_used(struct buf *b, size_t n);
void buf_u16(struct buf *b, uint16_t v); /* big-endian */
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->p ? b->p : (const uint8_t *)"", b->n};
}
static inline bool buf_ok(const struct buf *b)
{
    return !b->failed;
}
/* buf_ok, or ERR_TOO_LARGE "what: more than N bytes". */
bool buf_done(const struct buf *b, const char *what, struct err *e) CHECKED;
