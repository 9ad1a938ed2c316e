/*
 * ASN.1 values from text: a type, which decides how the value is read.  A word that is no type is
 * passed over, as if it were printable.
 */
#include "x509/asn1_text.h"

#include "base/clock.h"
#include "base/encode.h"
#include "crypto/der.h"

#define VALUE_MAX (64u << 10)

struct content {
    struct arena *a;
    struct slice text;
    uint8_t tag; /* universal */
    struct buf *out;
};

static const struct type {
    const char *name;
    uint8_t tag; /* 0: the reader's affair */
    bool (*read)(struct content *c);
} TYPES[];

/* --- One reader for each type ---------------------------------------------------------------- */

static bool fits_printable(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c && strchr(" '()+,-./:=?*", c));
}

static bool fits_numeric(uint8_t c)
{
    return c == ' ' || (c >= '0' && c <= '9');
}

static bool fits_ascii(uint8_t c)
{
    return c < 0x80;
}

static bool all(struct slice text, bool (*fits)(uint8_t))
{
    for (size_t i = 0; i < text.n; i++)
        if (!fits(text.p[i]))
            return false;
    return true;
}

static bool read_string(struct content *c)
{
    bool fits = c->tag == DER_UTF8_STRING      ? slice_is_utf8(c->text)
                : c->tag == DER_IA5_STRING     ? all(c->text, fits_ascii)
                : c->tag == DER_NUMERIC_STRING ? all(c->text, fits_numeric)
                                               : all(c->text, fits_printable);

    buf_put(c->out, c->text);
    return fits;
}

/* Without a type that is known: printable, or UTF-8 where '*' and '&' need it. */
static bool read_any(struct content *c)
{
    bool wide = slice_find(c->text, '*') < c->text.n || slice_find(c->text, '&') < c->text.n;

    c->tag = wide ? DER_UTF8_STRING : DER_PRINTABLE_STRING;
    buf_put(c->out, c->text);
    for (size_t i = 0; i < c->text.n; i++)
        if (!fits_printable(c->text.p[i]) && c->text.p[i] != '&')
            return false;
    return true;
}

/* What a writer of crypto/der.h makes, without its header. */
static void take_body(struct buf *out, const struct buf *element)
{
    buf_put(out, slice_from(buf_slice(element), 2));
}

static bool read_int(struct content *c)
{
    struct buf element = buf_new(c->a, 64);
    bool minus = slice_starts(c->text, "-");
    struct slice digits = slice_from(c->text, minus || slice_starts(c->text, "+") ? 1 : 0);
    uint64_t v;

    if (!slice_to_u64(digits, &v) || v > (uint64_t)INT64_MAX + minus)
        return false;
    der_int(&element, minus ? (int64_t)(0 - v) : (int64_t)v);
    take_body(c->out, &element);
    return true;
}

static bool read_oid(struct content *c)
{
    struct slice content;

    if (!oid_read(c->a, c->text, &content))
        return false;
    buf_put(c->out, content);
    return true;
}

static bool read_bool(struct content *c)
{
    static const char *const WORDS[] = {"1", "t", "T", "TRUE",  "true",  "True",
                                        "0", "f", "F", "FALSE", "false", "False"};

    for (size_t i = 0; i < COUNT_OF(WORDS); i++) {
        if (!slice_is(c->text, WORDS[i]))
            continue;
        buf_byte(c->out, i < COUNT_OF(WORDS) / 2 ? 0xff : 0);
        return true;
    }
    return false;
}

/* RFC 3339, or "2006-01-02 15:04:05.999999999 -0700 MST", which is the same in other places. */
static bool read_moment(struct arena *a, struct slice text, struct instant *t)
{
    if (rfc3339_read(text, t))
        return true;
    size_t first = slice_find(text, ' ');
    struct slice day = slice_sub(text, 0, first), rest = slice_from(text, first + 1);
    size_t second = slice_find(rest, ' ');
    struct slice clock = slice_sub(rest, 0, second), zone = slice_from(rest, second + 1);
    size_t third = slice_find(zone, ' ');
    if (third != 5 || zone.n < 7)
        return false;
    struct slice same =
        arena_format(a, "%.*sT%.*s%.*s:%.*s", SLICE_ARG(day), SLICE_ARG(clock),
                     SLICE_ARG(slice_sub(zone, 0, 3)), SLICE_ARG(slice_sub(zone, 3, 2)));
    return rfc3339_read(same, t);
}

static bool read_time(struct content *c)
{
    struct buf element = buf_new(c->a, 64);
    struct instant t;

    if (!read_moment(c->a, c->text, &t))
        return false;
    if (c->tag == DER_GENERALIZED_TIME)
        der_generalized_time(&element, t);
    else
        der_time(&element, t); /* UTCTime only from 1950 to 2049 */
    if (!buf_ok(&element) || element.n < 2)
        return false;
    c->tag = element.p[0];
    take_body(c->out, &element);
    return true;
}

static const struct type TYPES[] = {
    {"printable", DER_PRINTABLE_STRING, read_string},
    {"utf8", DER_UTF8_STRING, read_string},
    {"ia5", DER_IA5_STRING, read_string},
    {"numeric", DER_NUMERIC_STRING, read_string},
    {"int", DER_INTEGER, read_int},
    {"oid", DER_OID, read_oid},
    {"bool", DER_BOOLEAN, read_bool},
    {"boolean", DER_BOOLEAN, read_bool},
    {"utc", DER_UTC_TIME, read_time},
    {"generalized", DER_GENERALIZED_TIME, read_time},
};
static const struct type ANY = {"", 0, read_any};

/* --- The whole ------------------------------------------------------------------------------- */

/* Options of asn1Enc that the tag of an otherName's value leaves no room for. */
static bool read_word(const struct type **type, struct slice word)
{
    static const char *const REFUSED[] = {"application", "private", "set"};

    for (size_t i = 0; i < COUNT_OF(REFUSED); i++)
        if (slice_is(word, REFUSED[i]))
            return false;
    for (size_t i = 0; i < COUNT_OF(TYPES); i++)
        if (slice_is(word, TYPES[i].name))
            *type = &TYPES[i];
    return true;
}

/* Who knows RFC 5280 has put the tag there already. */
static void put_raw(struct buf *b, struct slice der)
{
    struct der d = der_reader(der);
    struct slice content;
    size_t at;

    if (der_take(&d, DER_CONTEXT_CONSTRUCTED(0), &content) && der_done(&d)) {
        der_raw(b, der);
        return;
    }
    der_open(b, DER_CONTEXT_CONSTRUCTED(0), &at);
    der_raw(b, der);
    der_close(b, at);
}

static bool wrong(struct slice words, struct err *e)
{
    return err_set(e, ERR_MALFORMED, "the value does not fit its type \"%.*s\"",
                   SLICE_ARG(slice_sub(words, 0, 64)));
}

bool asn1_text_put(struct arena *a, struct buf *b, struct slice text, struct err *e)
{
    struct slice value = text, words = SLICE("printable"), word, der;
    size_t colon = slice_find(text, ':'), at;
    const struct type *type = colon < text.n ? &ANY : &TYPES[0];
    struct buf out = buf_new(a, VALUE_MAX);
    struct content c = {.a = a, .out = &out};

    if (colon < text.n) {
        words = slice_sub(text, 0, colon);
        value = slice_from(text, colon + 1);
    }
    if (slice_is(words, "raw")) {
        if (!base64_read(a, BASE64_STD, value, &der))
            return wrong(words, e);
        put_raw(b, der);
        return true;
    }
    for (struct slice rest = words; rest.n && slice_split(&rest, ',', &word);)
        if (!read_word(&type, word))
            return wrong(words, e);
    c.text = value;
    c.tag = type->tag;
    if (!type->read(&c))
        return wrong(words, e);
    der_open(b, DER_CONTEXT_CONSTRUCTED(0), &at);
    der_put(b, c.tag, buf_slice(&out));
    der_close(b, at);
    return buf_done(&out, "ASN.1 value", e);
}
