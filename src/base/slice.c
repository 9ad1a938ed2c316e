/*
 * Borrowed bytes: comparing, searching, cutting.  Pure functions; nothing here allocates.
 *
 * Absent (p == NULL) and empty compare equal: whoever cares asks for p.  memcmp and memchr are
 * never called with n == 0, because their pointers must not be NULL then either.
 */
#include "base/slice.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_is(struct slice a, const char *text)
{
    return slice_eq(a, slice_text(text));
}

bool slice_eq_case(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool slice_is_case(struct slice a, const char *text)
{
    return slice_eq_case(a, slice_text(text));
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;

    if (order)
        return order;
    return (a.n > b.n) - (a.n < b.n);
}

bool slice_starts(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);

    return n == 0 || (s.n >= n && memcmp(s.p, prefix, n) == 0);
}

bool slice_ends(struct slice s, const char *suffix)
{
    size_t n = strlen(suffix);

    return n == 0 || (s.n >= n && memcmp(s.p + (s.n - n), suffix, n) == 0);
}

size_t slice_find(struct slice s, uint8_t b)
{
    const uint8_t *at = s.n ? memchr(s.p, b, s.n) : NULL;

    return at ? (size_t)(at - s.p) : s.n;
}

size_t slice_rfind(struct slice s, uint8_t b)
{
    const uint8_t *at = s.n ? memrchr(s.p, b, s.n) : NULL;

    return at ? (size_t)(at - s.p) : s.n;
}

size_t slice_search(struct slice s, struct slice text)
{
    if (text.n == 0)
        return 0;
    if (s.n < text.n)
        return s.n;
    const uint8_t *at = memmem(s.p, s.n, text.p, text.n);
    return at ? (size_t)(at - s.p) : s.n;
}

struct slice slice_sub(struct slice s, size_t from, size_t n)
{
    if (!s.p)
        return SLICE_NONE;
    if (from > s.n)
        from = s.n;
    if (n > s.n - from)
        n = s.n - from;
    return slice_of(s.p + from, n);
}

struct slice slice_from(struct slice s, size_t from)
{
    return slice_sub(s, from, s.n);
}

static bool ascii_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice slice_trim(struct slice s)
{
    while (s.n && ascii_space(s.p[s.n - 1]))
        s.n--;
    while (s.n && ascii_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    return s;
}

/* Length of the white-space character that ends the text; 0 when it ends in something else.
 * Unicode's White_Space: ASCII, U+0085, U+00A0, U+1680, U+2000-200A, U+2028, U+2029, U+202F,
 * U+205F, U+3000. */
static size_t unicode_space_at_end(struct slice s)
{
    static const uint8_t TWO[][2] = {{0xc2, 0x85}, {0xc2, 0xa0}};
    static const uint8_t THREE[][3] = {{0xe1, 0x9a, 0x80}, {0xe2, 0x80, 0xa8}, {0xe2, 0x80, 0xa9},
                                       {0xe2, 0x80, 0xaf}, {0xe2, 0x81, 0x9f}, {0xe3, 0x80, 0x80}};

    if (s.n && ascii_space(s.p[s.n - 1]))
        return 1;
    for (size_t i = 0; s.n >= 2 && i < COUNT_OF(TWO); i++)
        if (memcmp(s.p + (s.n - 2), TWO[i], 2) == 0)
            return 2;
    if (s.n < 3)
        return 0;
    const uint8_t *end = s.p + (s.n - 3);
    for (size_t i = 0; i < COUNT_OF(THREE); i++)
        if (memcmp(end, THREE[i], 3) == 0)
            return 3;
    if (end[0] == 0xe2 && end[1] == 0x80 && end[2] >= 0x80 && end[2] <= 0x8a)
        return 3;
    return 0;
}

struct slice slice_trim_end_unicode(struct slice s)
{
    for (size_t n; (n = unicode_space_at_end(s)) > 0;)
        s.n -= n;
    return s;
}

bool slice_split(struct slice *rest, uint8_t b, struct slice *part)
{
    /* p == NULL is "used up": the part after a last separator is empty, not absent. */
    if (!rest->p)
        return false;
    size_t at = slice_find(*rest, b);
    *part = slice_of(rest->p, at);
    *rest = at < rest->n ? slice_from(*rest, at + 1) : SLICE_NONE;
    return true;
}

bool slice_has_nul(struct slice s)
{
    return slice_find(s, 0) < s.n;
}

/* Length of the valid sequence at p (RFC 3629 section 4), 0 when there is none. */
static size_t utf8_sequence(const uint8_t *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n < len)
        return 0;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool slice_is_utf8(struct slice s)
{
    for (size_t i = 0; i < s.n;) {
        size_t len = utf8_sequence(s.p + i, s.n - i);
        if (!len)
            return false;
        i += len;
    }
    return true;
}

bool slice_to_u64(struct slice s, uint64_t *value)
{
    uint64_t v = 0;

    if (!s.n)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *value = v;
    return true;
}
