/* One step through UTF-8 that may be broken: what the reader and the writer of texts share. */
#pragma once

#include "base/slice.h"

#define RUNE_BAD         UINT32_MAX /* a byte that begins no valid sequence */
#define RUNE_REPLACEMENT 0xfffdu

/* Length of the sequence at s.p[at] and its code point; 1 and RUNE_BAD for a byte that is not
 * part of valid UTF-8 (RFC 3629: no surrogates, no overlong forms).  at must be below s.n. */
size_t json_utf8_step(struct slice s, size_t at, uint32_t *rune);
/* Writes the 1 to 4 bytes of a code point, which must be none of the surrogates. */
size_t json_utf8_put(uint8_t out[4], uint32_t rune);

/* --- Eight bytes at a time: whether none of them needs to be looked at by itself -------------- */

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

static inline uint64_t eight_bytes(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* Not 0 when one of them is below `limit`, which is at most 0x80.  (Which one it does not tell.) */
static inline uint64_t any_below(uint64_t v, uint8_t limit)
{
    return (v - EACH_BYTE(limit)) & ~v & EACH_BYTE(0x80);
}

static inline uint64_t any_equal(uint64_t v, uint8_t byte)
{
    return any_below(v ^ EACH_BYTE(byte), 1);
}

static inline uint64_t any_beyond_ascii(uint64_t v)
{
    return v & EACH_BYTE(0x80);
}
