/*
 * Borrowed bytes or text.  A slice never owns what it points to and is never NUL-terminated by
 * assumption: a name with a NUL byte in it is data, and is refused where names are checked.
 * p == NULL is "absent"; n == 0 with p != NULL is "empty".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

struct slice {
    const uint8_t *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){(const uint8_t *)(literal), sizeof(literal) - 1})
#define SLICE_NONE     ((struct slice){NULL, 0})
/* For printf: "%.*s", SLICE_ARG(s).  Only for text that is known to be printable. */
#define SLICE_ARG(s) (int)(s).n, (const char *)((s).p ? (s).p : (const uint8_t *)"")

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){p, n};
}

/* text may be NULL: absent. */
static inline struct slice slice_text(const char *text)
{
    return text ? (struct slice){(const uint8_t *)text, strlen(text)} : SLICE_NONE;
}

static inline bool slice_empty(struct slice s)
{
    return s.n == 0;
}

bool slice_eq(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *text);
/* ASCII letters compare without case; every other byte exactly. */
bool slice_eq_case(struct slice a, struct slice b);
bool slice_is_case(struct slice a, const char *text);
/* Bytewise order, the shorter first when one begins the other: <0, 0, >0. */
int slice_cmp(struct slice a, struct slice b);
bool slice_starts(struct slice s, const char *prefix);
bool slice_ends(struct slice s, const char *suffix);
/* Offset of the first (last) byte b; s.n when there is none. */
size_t slice_find(struct slice s, uint8_t b);
size_t slice_rfind(struct slice s, uint8_t b);
/* Offset of the first occurrence of text; s.n when there is none. */
size_t slice_search(struct slice s, struct slice text);
/* from > s.n gives an empty slice at the end; n is cut to what is there. */
struct slice slice_sub(struct slice s, size_t from, size_t n);
struct slice slice_from(struct slice s, size_t from);
/* Without ASCII white space at both ends; at the end. */
struct slice slice_trim(struct slice s);
/* Without Unicode white space (UTF-8) at the end: the rule for password files. */
struct slice slice_trim_end_unicode(struct slice s);
/* Cuts the text before the first byte b off *rest and skips b.  False when *rest is used up; an
 * input that ends in b yields one last empty part. */
bool slice_split(struct slice *rest, uint8_t b, struct slice *part);
bool slice_has_nul(struct slice s);
/* All bytes are valid UTF-8 (no surrogates, no overlong forms). */
bool slice_is_utf8(struct slice s);
/* Decimal digits only, no sign, no blanks, fits. */
bool slice_to_u64(struct slice s, uint64_t *value) CHECKED;
