/*
 * Writing DER.  A constructed element is opened with one octet of room for its length; closing it
 * knows the length and moves the content when the length needs more octets.  Contents are short
 * (a certificate is some 600 bytes), so the move costs less than computing sizes beforehand, and
 * the code reads forward.
 */
#include "crypto/der.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

#define SHORT_LENGTH_MAX 127u
#define UTC_TIME_FIRST   1950
#define UTC_TIME_LAST    2049

/* Octets of a length, first octet included. */
static size_t length_octets(size_t n)
{
    size_t octets = 1;

    if (n <= SHORT_LENGTH_MAX)
        return 1;
    for (; n; n >>= 8)
        octets++;
    return octets;
}

static void length_write(uint8_t *p, size_t octets, size_t n)
{
    if (octets == 1) {
        p[0] = (uint8_t)n;
        return;
    }
    p[0] = (uint8_t)(0x80 | (octets - 1));
    for (size_t i = octets - 1; i > 0; i--, n >>= 8)
        p[i] = (uint8_t)n;
}

/* Tag and length. */
static void header_put(struct buf *b, uint8_t tag, size_t n)
{
    uint8_t header[2 + sizeof(size_t)];
    size_t octets = length_octets(n);

    header[0] = tag;
    length_write(header + 1, octets, n);
    buf_put(b, slice_of(header, 1 + octets));
}

void der_open(struct buf *b, uint8_t tag, size_t *at)
{
    buf_byte(b, tag);
    buf_byte(b, 0);
    *at = b->n;
}

void der_close(struct buf *b, size_t at)
{
    if (b->failed)
        return;
    size_t n = b->n - at;
    size_t more = length_octets(n) - 1;
    if (!buf_room(b, more))
        return;
    if (more)
        memmove(b->p + at + more, b->p + at, n);
    length_write(b->p + at - 1, more + 1, n);
    buf_used(b, more);
}

void der_put(struct buf *b, uint8_t tag, struct slice content)
{
    header_put(b, tag, content.n);
    buf_put(b, content);
}

void der_raw(struct buf *b, struct slice der)
{
    buf_put(b, der);
}

void der_oid(struct buf *b, const struct oid *oid)
{
    der_put(b, DER_OID, slice_of(oid->p, oid->n));
}

void der_oid_content(struct buf *b, struct slice content)
{
    der_put(b, DER_OID, content);
}

void der_uint(struct buf *b, struct slice big_endian)
{
    struct slice s = big_endian;

    while (s.n && s.p[0] == 0)
        s = slice_from(s, 1);
    bool zero_first = !s.n || s.p[0] & 0x80; /* else it would read as negative, or as nothing */
    header_put(b, DER_INTEGER, s.n + zero_first);
    if (zero_first)
        buf_byte(b, 0);
    buf_put(b, s);
}

void der_int(struct buf *b, int64_t v)
{
    uint8_t octets[8];
    size_t skip = 0;

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)((uint64_t)v >> (56 - 8 * i));
    /* X.690 8.3.2: the first nine bits are not all equal. */
    uint8_t fill = v < 0 ? 0xff : 0;
    while (skip < 7 && octets[skip] == fill && (octets[skip + 1] & 0x80) == (fill & 0x80))
        skip++;
    der_put(b, DER_INTEGER, slice_of(octets + skip, sizeof(octets) - skip));
}

void der_bool(struct buf *b, bool v)
{
    uint8_t octet = v ? 0xff : 0;

    der_put(b, DER_BOOLEAN, slice_of(&octet, 1));
}

void der_null(struct buf *b)
{
    header_put(b, DER_NULL, 0);
}

void der_octets(struct buf *b, struct slice bytes)
{
    der_put(b, DER_OCTET_STRING, bytes);
}

void der_bits(struct buf *b, struct slice bytes)
{
    header_put(b, DER_BIT_STRING, bytes.n + 1);
    buf_byte(b, 0);
    buf_put(b, bytes);
}

void der_named_bits(struct buf *b, uint32_t bits)
{
    uint8_t octets[5] = {0};
    size_t n = 0;

    for (unsigned i = 0; i < 32; i++) {
        if (!(bits >> i & 1))
            continue;
        n = i / 8 + 1;
        octets[n] |= (uint8_t)(0x80 >> (i % 8));
        octets[0] = (uint8_t)(7 - i % 8); /* unused bits, as of the last one set */
    }
    der_put(b, DER_BIT_STRING, slice_of(octets, n + 1));
}

static void time_put(struct buf *b, uint8_t tag, const struct civil *c)
{
    char text[64];
    int n = tag == DER_UTC_TIME ? snprintf(text, sizeof(text), "%02d", c->year % 100)
                                : snprintf(text, sizeof(text), "%04d", c->year);

    n += snprintf(text + n, sizeof(text) - (size_t)n, "%02d%02d%02d%02d%02dZ", c->month, c->day,
                  c->hour, c->minute, c->second);
    der_put(b, tag, slice_of(text, (size_t)n));
}

void der_time(struct buf *b, struct instant t)
{
    struct civil c = instant_civil(t);
    bool utc = c.year >= UTC_TIME_FIRST && c.year <= UTC_TIME_LAST;

    time_put(b, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, &c);
}

void der_generalized_time(struct buf *b, struct instant t)
{
    struct civil c = instant_civil(t);

    time_put(b, DER_GENERALIZED_TIME, &c);
}

static bool is_printable_string(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool alphanumeric =
            (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alphanumeric && !(c && strchr(" '()+,-./:=?", c)))
            return false;
    }
    return true;
}

void der_directory_string(struct buf *b, struct slice text)
{
    der_put(b, is_printable_string(text) ? DER_PRINTABLE_STRING : DER_UTF8_STRING, text);
}

static int compare_encodings(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;

    return slice_cmp(*x, *y);
}

static size_t count_elements(struct slice set, bool *good)
{
    struct der d = der_reader(set);
    size_t n = 0;

    while (!der_done(&d)) {
        if (!der_next(&d, NULL, NULL, NULL)) {
            *good = false;
            return 0;
        }
        n++;
    }
    *good = true;
    return n;
}

/* No encoding is the beginning of another one, so plain bytewise order is the order of X.690
 * 11.6, which pads the shorter one with zeros. */
void der_close_set_of(struct buf *b, size_t at)
{
    bool good;

    if (b->failed)
        return;
    struct slice set = slice_from(buf_slice(b), at);
    size_t n = count_elements(set, &good);
    if (!good) {
        b->failed = true;
        return;
    }
    if (n > 1) {
        uint8_t *copy = xmalloc(set.n);
        struct slice *elements = xcalloc(n, sizeof(*elements));
        memcpy(copy, set.p, set.n);
        struct der d = der_reader(slice_of(copy, set.n));
        for (size_t i = 0; i < n; i++)
            good = der_next(&d, NULL, NULL, &elements[i]) && good;
        qsort(elements, n, sizeof(*elements), compare_encodings);
        uint8_t *to = b->p + at;
        for (size_t i = 0; i < n; to += elements[i].n, i++)
            memcpy(to, elements[i].p, elements[i].n);
        free(elements);
        free(copy);
    }
    der_close(b, at);
}
