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
