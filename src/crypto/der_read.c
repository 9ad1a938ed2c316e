/*
 * Reading DER, strictly: low tag numbers, definite and minimal lengths, minimal integers, canonical
 * booleans and bit strings.  Nothing here recurses or allocates (but for strings, which become
 * UTF-8).  A reader whose call failed stands where it stood.
 */
#include "crypto/der.h"

#include "base/arena.h"

#define HIGH_TAG_NUMBER 0x1f

struct der der_reader(struct slice in)
{
    const uint8_t *p = in.p ? in.p : (const uint8_t *)"";

    return (struct der){p, p + in.n};
}

bool der_done(const struct der *d)
{
    return d->p == d->end;
}

bool der_peek(const struct der *d, uint8_t *tag)
{
    if (der_done(d))
        return false;
    *tag = *d->p;
    return true;
}

bool der_is(const struct der *d, uint8_t tag)
{
    return !der_done(d) && *d->p == tag;
}

/* The length octets at p; *skip is how many they are. */
static bool length_read(const uint8_t *p, size_t left, size_t *length, size_t *skip)
{
    if (!left)
        return false;
    if (p[0] < 0x80) {
        *length = p[0];
        *skip = 1;
        return true;
    }
    size_t octets = p[0] & 0x7f;
    /* 0 octets is the indefinite form; 4 are 4 GiB, more than any input. */
    if (octets == 0 || octets > 4 || octets > left - 1 || p[1] == 0)
        return false;
    size_t n = 0;
    for (size_t i = 1; i <= octets; i++)
        n = n << 8 | p[i];
    if (n < 0x80)
        return false;
    *length = n;
    *skip = octets + 1;
    return true;
}

bool der_next(struct der *d, uint8_t *tag, struct slice *content, struct slice *whole)
{
    size_t left = (size_t)(d->end - d->p), n, skip;

    if (!left || (d->p[0] & HIGH_TAG_NUMBER) == HIGH_TAG_NUMBER)
        return false;
    if (!length_read(d->p + 1, left - 1, &n, &skip) || n > left - 1 - skip)
        return false;
    if (tag)
        *tag = d->p[0];
    if (content)
        *content = slice_of(d->p + 1 + skip, n);
    if (whole)
        *whole = slice_of(d->p, 1 + skip + n);
    d->p += 1 + skip + n;
    return true;
}

bool der_take(struct der *d, uint8_t tag, struct slice *content)
{
    return der_is(d, tag) && der_next(d, NULL, content, NULL);
}

bool der_enter(struct der *d, uint8_t tag, struct der *inside)
{
    struct slice content;

    if (!der_take(d, tag, &content))
        return false;
    *inside = der_reader(content);
    return true;
}

bool der_optional(struct der *d, uint8_t tag, bool *there, struct slice *content)
{
    *there = der_is(d, tag);
    return !*there || der_next(d, NULL, content, NULL);
}

bool der_take_bool(struct der *d, bool *v)
{
    struct der at = *d;
    struct slice c;

    if (!der_take(&at, DER_BOOLEAN, &c) || c.n != 1 || (c.p[0] != 0 && c.p[0] != 0xff))
        return false;
    *v = c.p[0] != 0;
    *d = at;
    return true;
}

/* X.690 8.3.2. */
static bool integer_minimal(struct slice c)
{
    if (!c.n)
        return false;
    if (c.n == 1)
        return true;
    return !(c.p[0] == 0 && c.p[1] < 0x80) && !(c.p[0] == 0xff && c.p[1] >= 0x80);
}

bool der_take_int(struct der *d, int64_t *v)
{
    struct der at = *d;
    struct slice c;

    if (!der_take(&at, DER_INTEGER, &c) || !integer_minimal(c) || c.n > 8)
        return false;
    uint64_t u = c.p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < c.n; i++)
        u = u << 8 | c.p[i];
    *v = (int64_t)u;
    *d = at;
    return true;
}

bool der_take_integer(struct der *d, struct slice *magnitude, bool *negative)
{
    struct der at = *d;
    struct slice c;

    if (!der_take(&at, DER_INTEGER, &c) || !integer_minimal(c))
        return false;
    *negative = c.p[0] & 0x80;
    *magnitude = c.p[0] == 0 ? slice_from(c, 1) : c;
    *d = at;
    return true;
}

/* X.690 8.19.2: every arc ends, none starts with a padding octet. */
static bool oid_valid(struct slice c)
{
    bool start = true;

    if (!c.n || c.p[c.n - 1] & 0x80)
        return false;
    for (size_t i = 0; i < c.n; i++) {
        if (start && c.p[i] == 0x80)
            return false;
        start = !(c.p[i] & 0x80);
    }
    return true;
}

bool der_take_oid(struct der *d, struct slice *content)
{
    struct der at = *d;
    struct slice c;

    if (!der_take(&at, DER_OID, &c) || !oid_valid(c))
        return false;
    *content = c;
    *d = at;
    return true;
}

bool der_take_bits(struct der *d, struct slice *bytes, unsigned *unused)
{
    struct der at = *d;
    struct slice c;

    if (!der_take(&at, DER_BIT_STRING, &c) || !c.n || c.p[0] > 7)
        return false;
    unsigned bits = c.p[0];
    /* X.690 11.2.1: unused bits exist only in a last octet, and are zero. */
    if (bits && (c.n == 1 || c.p[c.n - 1] & ((1u << bits) - 1)))
        return false;
    *bytes = slice_from(c, 1);
    *unused = bits;
    *d = at;
    return true;
}

bool der_take_named_bits(struct der *d, uint32_t *bits)
{
    struct der at = *d;
    struct slice bytes;
    unsigned unused;

    if (!der_take_bits(&at, &bytes, &unused))
        return false;
    uint32_t v = 0;
    for (size_t i = 0; i < bytes.n * 8; i++) {
        if (!(bytes.p[i / 8] & 0x80 >> (i % 8)))
            continue;
        if (i >= 32)
            return false;
        v |= UINT32_C(1) << i;
    }
    *bits = v;
    *d = at;
    return true;
}

/* n decimal digits at p. */
static bool digits(const uint8_t *p, size_t n, int *v)
{
    *v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *v = *v * 10 + (p[i] - '0');
    }
    return true;
}

bool der_take_time(struct der *d, struct instant *t)
{
    struct der at = *d;
    struct slice c;
    struct civil civil = {0};
    bool utc = der_is(&at, DER_UTC_TIME);
    size_t year_digits = utc ? 2 : 4;

    if (!der_take(&at, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, &c))
        return false;
    if (c.n != year_digits + 11 || c.p[c.n - 1] != 'Z' || !digits(c.p, year_digits, &civil.year))
        return false;
    if (utc)
        civil.year += civil.year < 50 ? 2000 : 1900;
    int *fields[] = {&civil.month, &civil.day, &civil.hour, &civil.minute, &civil.second};
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (!digits(c.p + year_digits + 2 * i, 2, fields[i]))
            return false;
    }
    if (!civil_instant(&civil, t))
        return false;
    *d = at;
    return true;
}

/* --- Strings ------------------------------------------------------------------------------ */

/* Which characters a type allows: all are ASCII. */
static bool is_numeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || c == ' ';
}

/* X.680 41.4, and '*' and '&', which certificates have had there since ever. */
static bool is_printable(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c && strchr(" '()+,-./:=?*&", c));
}

static bool is_ia5(uint8_t c)
{
    return c < 0x80;
}

static bool is_visible(uint8_t c)
{
    return c >= 0x20 && c < 0x7f;
}

static void utf8_put(struct buf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_byte(b, (uint8_t)c);
        return;
    }
    if (c < 0x800) {
        buf_byte(b, (uint8_t)(0xc0 | c >> 6));
    } else if (c < 0x10000) {
        buf_byte(b, (uint8_t)(0xe0 | c >> 12));
        buf_byte(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    } else {
        buf_byte(b, (uint8_t)(0xf0 | c >> 18));
        buf_byte(b, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        buf_byte(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
    }
    buf_byte(b, (uint8_t)(0x80 | (c & 0x3f)));
}

/* Characters of `width` octets each. */
static bool wide_to_utf8(struct arena *a, struct slice c, size_t width, struct slice *utf8)
{
    struct buf b = buf_new(a, c.n * 2 + 1);

    if (c.n % width)
        return false;
    for (size_t i = 0; i < c.n; i += width) {
        uint32_t v = 0;
        for (size_t k = 0; k < width; k++)
            v = v << 8 | c.p[i + k];
        if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
            return false;
        utf8_put(&b, v);
    }
    *utf8 = buf_slice(&b);
    return buf_ok(&b);
}

static const struct string_type {
    uint8_t tag;
    uint8_t width;            /* octets of a character that must be converted; 0: UTF-8 as it is */
    bool (*allowed)(uint8_t); /* NULL: any valid UTF-8 */
} STRING_TYPES[] = {
    {DER_UTF8_STRING, 0, NULL},          {DER_PRINTABLE_STRING, 0, is_printable},
    {DER_IA5_STRING, 0, is_ia5},         {DER_NUMERIC_STRING, 0, is_numeric},
    {DER_VISIBLE_STRING, 0, is_visible}, {DER_T61_STRING, 1, NULL},
    {DER_BMP_STRING, 2, NULL},           {DER_UNIVERSAL_STRING, 4, NULL},
};

static bool string_read(struct arena *a, const struct string_type *type, struct slice c,
                        struct slice *utf8)
{
    if (type->width)
        return wide_to_utf8(a, c, type->width, utf8);
    for (size_t i = 0; type->allowed && i < c.n; i++) {
        if (!type->allowed(c.p[i]))
            return false;
    }
    *utf8 = c;
    return type->allowed || slice_is_utf8(c);
}

bool der_take_string(struct der *d, struct arena *a, struct slice *utf8)
{
    struct der at = *d;
    struct slice c;
    uint8_t tag;

    if (!der_next(&at, &tag, &c, NULL))
        return false;
    for (size_t i = 0; i < COUNT_OF(STRING_TYPES); i++) {
        if (STRING_TYPES[i].tag != tag)
            continue;
        if (!string_read(a, &STRING_TYPES[i], c, utf8))
            return false;
        *d = at;
        return true;
    }
    return false;
}
