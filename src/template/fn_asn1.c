/*
 * The asn1 functions of X.509 templates: values as DER, in base64.  Options behind a type are the
 * reference's: another string or time type, and an implicit or explicit tag around the element.
 */
#include <stdlib.h>

#include "base/encode.h"
#include "crypto/der.h"
#include "template/internal.h"

#define TAG_MAX 0x7fffffffu

struct options {
    uint8_t text, time; /* the tag that was asked for; 0: none */
    bool explicit_tag, optional, set, omit_empty, application, private, has_tag, has_default;
    uint32_t tag;
    int64_t usual; /* default:N */
};

static void read_option(struct slice part, struct options *o)
{
    static const struct {
        const char *name;
        uint8_t tag;
    } TEXTS[] = {{"ia5", DER_IA5_STRING},
                 {"printable", DER_PRINTABLE_STRING},
                 {"numeric", DER_NUMERIC_STRING},
                 {"utf8", DER_UTF8_STRING}};
    const struct {
        const char *name;
        bool *flag;
        bool tags;
    } FLAGS[] = {{"explicit", &o->explicit_tag, true},
                 {"optional", &o->optional, false},
                 {"set", &o->set, false},
                 {"omitempty", &o->omit_empty, false},
                 {"application", &o->application, true},
                 {"private", &o->private, true}};
    int64_t number;

    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        if (slice_is(part, TEXTS[i].name))
            o->text = TEXTS[i].tag;
    for (size_t i = 0; i < COUNT_OF(FLAGS); i++)
        if (slice_is(part, FLAGS[i].name)) {
            *FLAGS[i].flag = true;
            o->has_tag |= FLAGS[i].tags;
        }
    if (slice_is(part, "utc"))
        o->time = DER_UTC_TIME;
    else if (slice_is(part, "generalized"))
        o->time = DER_GENERALIZED_TIME;
    else if (slice_starts(part, "tag:") && number_int(slice_from(part, 4), 10, &number) &&
             number >= 0 && number <= TAG_MAX) {
        o->has_tag = true;
        o->tag = (uint32_t)number;
    } else if (slice_starts(part, "default:") && number_int(slice_from(part, 8), 10, &number)) {
        o->has_default = true;
        o->usual = number;
    }
}

static void read_options(struct slice s, struct options *o)
{
    struct slice part;

    while (s.n && slice_split(&s, ',', &part))
        read_option(part, o);
}

/* --- Elements -------------------------------------------------------------------------------- */

static void put_length(struct buf *b, size_t n)
{
    uint8_t bytes[8];
    int k = 0;

    if (n < 0x80)
        return buf_byte(b, (uint8_t)n);
    for (; n; n >>= 8)
        bytes[k++] = (uint8_t)n;
    buf_byte(b, (uint8_t)(0x80 | k));
    while (k > 0)
        buf_byte(b, bytes[--k]);
}

static void put_tag(struct buf *b, uint8_t class_bits, uint32_t tag)
{
    int shift = 28;

    if (tag < 31)
        return buf_byte(b, (uint8_t)(class_bits | tag));
    buf_byte(b, class_bits | 31);
    while (shift > 0 && !(tag >> shift))
        shift -= 7;
    for (; shift >= 0; shift -= 7)
        buf_byte(b, (uint8_t)((tag >> shift & 0x7f) | (shift ? 0x80 : 0)));
}

/* An element with its universal tag, and what the options make of it. */
static void put_element(struct trun *run, struct buf *b, const struct options *o, uint8_t tag,
                        struct slice body)
{
    uint8_t constructed = tag & 0x20;
    uint8_t class_bits = o->application ? 0x40 : o->private ? 0xc0 : 0x80;

    if (o->has_tag && !o->explicit_tag) {
        put_tag(b, class_bits | constructed, o->tag);
    } else if (o->has_tag) {
        struct buf inner = run_buf(run);
        buf_byte(&inner, tag);
        put_length(&inner, body.n);
        buf_put(&inner, body);
        put_tag(b, class_bits | 0x20, o->tag);
        put_length(b, inner.n);
        buf_put(b, buf_slice(&inner));
        return;
    } else {
        buf_byte(b, tag);
    }
    put_length(b, body.n);
    buf_put(b, body);
}

static bool is_printable(struct slice s, bool star, bool ampersand)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool fits = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                    (c && strchr(" '()+,-./:=?", c)) || (star && c == '*') ||
                    (ampersand && c == '&');
        if (!fits)
            return false;
    }
    return true;
}

static bool is_numeric(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && (s.p[i] < '0' || s.p[i] > '9'))
            return false;
    return true;
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 0x80)
            return false;
    return true;
}

static bool put_text(struct trun *run, struct buf *b, const struct options *o, struct slice s)
{
    uint8_t tag = o->text;
    bool fits = true;

    if (!tag)
        tag = is_printable(s, false, false) ? DER_PRINTABLE_STRING : DER_UTF8_STRING;
    if (tag == DER_IA5_STRING)
        fits = is_ascii(s);
    else if (tag == DER_NUMERIC_STRING)
        fits = is_numeric(s);
    else if (tag == DER_PRINTABLE_STRING)
        fits = is_printable(s, true, false);
    else if (!o->text)
        fits = slice_is_utf8(s);
    if (!fits)
        return run_fail(run, "asn1: the text has characters that its type does not allow");
    put_element(run, b, o, tag, s);
    return true;
}

static bool put_time(struct trun *run, struct buf *b, const struct options *o,
                     const struct ttime *t)
{
    struct tcivil c = civil_of(t);
    bool general = o->time == DER_GENERALIZED_TIME || c.year < 1950 || c.year >= 2050;
    struct buf text = run_buf(run);

    if (c.year < 0 || c.year > 9999)
        return run_fail(run, "asn1: cannot represent time as GeneralizedTime");
    time_put(&text, t, general ? SLICE("20060102150405") : SLICE("060102150405"));
    if (c.offset / 60 == 0)
        buf_byte(&text, 'Z');
    else
        time_put(&text, t, SLICE("-0700"));
    put_element(run, b, o, general ? DER_GENERALIZED_TIME : DER_UTC_TIME, buf_slice(&text));
    return true;
}

static void put_int(struct trun *run, struct buf *b, const struct options *o, int64_t v)
{
    uint8_t bytes[8];
    size_t from = 0;

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)v >> (56 - 8 * i));
    while (from < 7 && ((bytes[from] == 0 && !(bytes[from + 1] & 0x80)) ||
                        (bytes[from] == 0xff && (bytes[from + 1] & 0x80))))
        from++;
    put_element(run, b, o, DER_INTEGER, slice_of(bytes + from, 8 - from));
}

static void put_bool(struct trun *run, struct buf *b, const struct options *o, bool v)
{
    uint8_t byte = v ? 0xff : 0;
    put_element(run, b, o, DER_BOOLEAN, slice_of(&byte, 1));
}

/* --- asn1Marshal ----------------------------------------------------------------------------- */

static bool put_value(struct trun *run, struct buf *b, const struct tvalue *v,
                      const struct options *o, unsigned depth);

static int by_bytes(const void *a, const void *b)
{
    const struct slice *left = a, *right = b;
    return slice_cmp(*left, *right);
}

static bool put_list(struct trun *run, struct buf *b, const struct tvalue *v,
                     const struct options *o, unsigned depth)
{
    static const struct options NONE;
    size_t n = value_count(v);
    struct slice *parts = run_alloc(run, (n + 1) * sizeof(*parts));
    struct buf body = run_buf(run);

    for (size_t i = 0; i < n; i++) {
        struct tvalue item = value_item(v, i);
        struct buf one = run_buf(run);
        if (!put_value(run, &one, &item, &NONE, depth + 1) || !run_buf_done(run, &one))
            return false;
        parts[i] = buf_slice(&one);
    }
    if (o->set && n)
        qsort(parts, n, sizeof(*parts), by_bytes);
    for (size_t i = 0; i < n; i++)
        buf_put(&body, parts[i]);
    put_element(run, b, o, o->set ? DER_SET : DER_SEQUENCE, buf_slice(&body));
    return run_buf_done(run, &body);
}

/* optional leaves out the default, or the type's zero. */
static bool left_out(const struct tvalue *v, const struct options *o)
{
    if (value_is_list(v) && !value_count(v) && o->omit_empty)
        return true;
    if (!o->optional)
        return false;
    if (o->has_default && v->kind == T_INT)
        return v->i == o->usual;
    if (o->has_default)
        return false;
    if (v->kind == T_TIME)
        return instant_is_zero(v->time->at);
    if (value_is_list(v) || v->kind == T_MAP)
        return value_is_nil(v);
    return value_empty(v);
}

static bool put_value(struct trun *run, struct buf *b, const struct tvalue *v,
                      const struct options *o, unsigned depth)
{
    bool list = v->kind == T_LIST;

    if (depth > VALUE_DEPTH || !run_step(run))
        return run_fail(run, "asn1: a value is nested too deeply");
    if (v->kind == T_NONE || v->kind == T_NIL)
        return run_fail(run, "asn1: cannot marshal nil value");
    if (left_out(v, o))
        return true;
    if (o->time && v->kind != T_TIME)
        return run_fail(run, "asn1: structure error: explicit time type given to non-time member");
    if (o->text && v->kind != T_TEXT)
        return run_fail(run,
                        "asn1: structure error: explicit string type given to non-string member");
    if (o->set && !list)
        return run_fail(run, "asn1: structure error: non sequence tagged as set");
    switch (v->kind) {
    case T_BOOL:
        return put_bool(run, b, o, v->truth), true;
    case T_INT:
        return put_int(run, b, o, v->i), true;
    case T_TEXT:
        return put_text(run, b, o, v->text);
    case T_BYTES:
        return put_element(run, b, o, DER_OCTET_STRING, v->text), true;
    case T_TIME:
        return put_time(run, b, o, v->time);
    case T_LIST:
        return put_list(run, b, v, o, depth);
    default:
        return run_fail(run, "asn1: structure error: unknown Go type: %s", value_type_name(v));
    }
}

static bool base64_out(struct trun *run, const struct buf *der, struct tvalue *out)
{
    struct buf b = run_buf(run);

    base64_put(&b, BASE64_STD, buf_slice(der));
    return run_buf_done(run, der) && run_text(run, &b, out);
}

static bool fn_marshal(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct options o = {0};
    struct buf der = run_buf(run);

    for (size_t i = 1; i < n; i++)
        read_options(args[i].text, &o);
    return put_value(run, &der, &args[0], &o, 0) && base64_out(run, &der, out);
}

/* --- asn1Enc: "type,option:value" ------------------------------------------------------------ */

typedef bool typed_fn(struct trun *run, struct buf *b, const struct options *o, struct slice s);

static bool enc_int(struct trun *run, struct buf *b, const struct options *o, struct slice s)
{
    int64_t v;

    if (!number_int(s, 10, &v))
        return run_fail(run, "invalid int value");
    struct tvalue value = tvalue_int(v);
    return put_value(run, b, &value, o, 0);
}

static bool enc_bool(struct trun *run, struct buf *b, const struct options *o, struct slice s)
{
    static const char *const WORDS[] = {"1", "t", "T", "TRUE",  "true",  "True",
                                        "0", "f", "F", "FALSE", "false", "False"};

    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (slice_is(s, WORDS[i])) {
            struct tvalue value = tvalue_bool(i < COUNT_OF(WORDS) / 2);
            return put_value(run, b, &value, o, 0);
        }
    return run_fail(run, "invalid bool value");
}

static bool enc_oid(struct trun *run, struct buf *b, const struct options *o, struct slice s)
{
    struct slice content;

    if (!oid_read(run->a, s, &content))
        return run_fail(run, "invalid oid value");
    put_element(run, b, o, DER_OID, content);
    return true;
}

static bool read_base64(struct trun *run, struct slice text, struct slice *bytes)
{
    run->memory += text.n;
    return base64_read(run->a, BASE64_STD, text, bytes);
}

static bool enc_raw(struct trun *run, struct buf *b, const struct options *o, struct slice s)
{
    struct slice bytes;

    (void)o;
    if (!read_base64(run, s, &bytes))
        return run_fail(run, "illegal base64 data");
    buf_put(b, bytes);
    return true;
}

static bool enc_time(struct trun *run, struct buf *b, const struct options *o, struct slice s)
{
    const struct tzone *local = zone_local(run);
    struct ttime t;
    const char *why;

    if (!time_read(run, SLICE("2006-01-02 15:04:05.999999999 -0700 MST"), s, NULL, local, &t,
                   &why) &&
        !time_read(run, SLICE("2006-01-02T15:04:05Z07:00"), s, NULL, local, &t, &why))
        return run_fail(run, "invalid time value: %s", why);
    struct tvalue value = {.kind = T_TIME, .type = &TTYPE_TIME, .time = &t};
    return put_value(run, b, &value, o, 0);
}

static bool enc_text(struct trun *run, struct buf *b, const struct options *o, struct slice s)
{
    struct tvalue value = tvalue_text(s);

    if (o->text == DER_UTF8_STRING && !slice_is_utf8(s))
        return run_fail(run, "invalid utf8 value");
    if ((!o->text || o->text == DER_PRINTABLE_STRING) && !is_printable(s, true, true))
        return run_fail(run, "invalid printable value");
    return put_value(run, b, &value, o, 0);
}

static const struct {
    const char *name;
    typed_fn *put;
    bool option; /* it is an option of the encoder, too */
} TYPES[] = {
    {"int", enc_int, false},         {"oid", enc_oid, false},       {"bool", enc_bool, false},
    {"boolean", enc_bool, false},    {"raw", enc_raw, false},       {"utc", enc_time, true},
    {"generalized", enc_time, true}, {"utf8", enc_text, true},      {"ia5", enc_text, true},
    {"numeric", enc_text, true},     {"printable", enc_text, true},
};

static bool fn_enc(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice value = args[0].text, params = SLICE("printable"), part;
    size_t colon = slice_find(value, ':');
    struct options o = {0};
    struct buf der = run_buf(run);
    typed_fn *put = enc_text;

    (void)n;
    if (colon < value.n) {
        params = slice_sub(value, 0, colon);
        value = slice_from(value, colon + 1);
    }
    while (params.n && slice_split(&params, ',', &part)) {
        size_t i = 0;
        while (i < COUNT_OF(TYPES) && !slice_is(part, TYPES[i].name))
            i++;
        if (i < COUNT_OF(TYPES))
            put = TYPES[i].put;
        if (i == COUNT_OF(TYPES) || TYPES[i].option)
            read_option(part, &o);
    }
    return put(run, &der, &o, value) && base64_out(run, &der, out);
}

/* --- Concatenations -------------------------------------------------------------------------- */

/* In the given order, also in a SET. */
static bool wrap(struct trun *run, uint8_t tag, const struct tvalue *args, size_t n,
                 struct tvalue *out)
{
    static const struct options NONE;
    struct buf body = run_buf(run), der = run_buf(run);
    struct slice bytes;

    for (size_t i = 0; i < n; i++) {
        if (!read_base64(run, args[i].text, &bytes))
            return run_fail(run, "illegal base64 data in argument %zu", i + 1);
        buf_put(&body, bytes);
    }
    put_element(run, &der, &NONE, tag, buf_slice(&body));
    return run_buf_done(run, &body) && base64_out(run, &der, out);
}

static bool fn_seq(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    return wrap(run, DER_SEQUENCE, args, n, out);
}

static bool fn_set(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    return wrap(run, DER_SET, args, n, out);
}

static const struct tfunc FUNCTIONS[] = {
    {"asn1Enc", "s", fn_enc, FUNCTION_ASN1},
    {"asn1Marshal", "as*", fn_marshal, FUNCTION_ASN1},
    {"asn1Seq", "s*", fn_seq, FUNCTION_ASN1},
    {"asn1Set", "s*", fn_set, FUNCTION_ASN1},
};
const struct function_table FUNCTIONS_ASN1 = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
