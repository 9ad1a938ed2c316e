/*
 * Growing bytes with a hard maximum.  Every writer goes through buf_room, which is the only place
 * that grows and the only one that fails.  A failed buffer keeps what it had, so that a partial
 * text is never mistaken for a whole one: buf_done tells.
 *
 * In an arena the old bytes stay behind when the buffer grows (the arena frees them at its end);
 * doubling keeps that waste below the final size.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

#define FIRST_ROOM 256u

struct buf buf_new(struct arena *arena, size_t max)
{
    return (struct buf){.max = max, .arena = arena};
}

void buf_free(struct buf *b)
{
    if (!b->arena)
        free(b->p);
    b->p = NULL;
    b->n = b->cap = 0;
}

void buf_reset(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

static void grow(struct buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : FIRST_ROOM;

    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > b->max)
        cap = b->max; /* need <= max was checked by the caller */
    if (!b->arena) {
        b->p = xrealloc(b->p, cap);
        b->cap = cap;
        return;
    }
    uint8_t *p = arena_alloc(b->arena, cap);
    if (b->n)
        memcpy(p, b->p, b->n);
    b->p = p;
    b->cap = cap;
}

uint8_t *buf_room(struct buf *b, size_t n)
{
    static uint8_t nothing[1];

    if (b->failed)
        return NULL;
    if (b->n > b->max || n > b->max - b->n) {
        b->failed = true;
        return NULL;
    }
    if (n > b->cap - b->n)
        grow(b, b->n + n);
    return b->p ? b->p + b->n : nothing; /* p is NULL only when n is 0 */
}

void buf_used(struct buf *b, size_t n)
{
    if (b->failed)
        return;
    if (n > b->cap - b->n) /* a caller's mistake must not become a wild length */
        abort();
    b->n += n;
}

void buf_put(struct buf *b, struct slice s)
{
    uint8_t *room = buf_room(b, s.n);

    if (!room || !s.n)
        return;
    memcpy(room, s.p, s.n);
    b->n += s.n;
}

void buf_byte(struct buf *b, uint8_t byte)
{
    buf_put(b, slice_of(&byte, 1));
}

void buf_text(struct buf *b, const char *text)
{
    buf_put(b, slice_text(text));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[256];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if ((size_t)n < sizeof(small)) {
        buf_put(b, slice_of(small, (size_t)n));
        return;
    }
    char *text = xmalloc((size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    buf_put(b, slice_of(text, (size_t)n));
    free(text);
}

static void put_big_endian(struct buf *b, uint64_t v, size_t n)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    buf_put(b, slice_of(bytes, n));
}

void buf_u16(struct buf *b, uint16_t v)
{
    put_big_endian(b, v, 2);
}

void buf_u32(struct buf *b, uint32_t v)
{
    put_big_endian(b, v, 4);
}

void buf_u64(struct buf *b, uint64_t v)
{
    put_big_endian(b, v, 8);
}

bool buf_done(const struct buf *b, const char *what, struct err *e)
{
    if (!b->failed)
        return true;
    return err_set(e, ERR_TOO_LARGE, "%s: more than %zu bytes", what, b->max);
}
