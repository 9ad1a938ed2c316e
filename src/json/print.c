/*
 * JSON text: single values in the byte form that records require, and whole trees.
 *
 * The output is always valid UTF-8 and valid JSON, whatever the bytes of a text are.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "json/json.h"
#include "json/utf8.h"

/* --- Texts -------------------------------------------------------------------------------- */

/* "" for what stands for itself. */
static const char *short_escape(uint32_t rune)
{
    switch (rune) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return "";
    }
}

static bool is_html(uint32_t rune)
{
    return rune == '<' || rune == '>' || rune == '&';
}

static bool is_separator(uint32_t rune)
{
    return rune == 0x2028 || rune == 0x2029;
}

/* Bytes that every form prints as they are: what a run of is copied at once. */
static const bool PLAIN[256] = {
    [' ' ... '!'] = true, ['#' ... '%'] = true, ['\'' ... ';'] = true,
    ['='] = true,         ['?' ... '['] = true, [']' ... 0x7f] = true,
};

static size_t plain_run(struct slice text, size_t at)
{
    size_t to = at;

    while (to < text.n && PLAIN[text.p[to]])
        to++;
    return to - at;
}

static void put_rune(struct buf *b, struct slice sequence, uint32_t rune, bool html)
{
    const char *escape = short_escape(rune);
    if (*escape)
        buf_text(b, escape);
    else if (rune == RUNE_BAD)
        buf_text(b, "\\ufffd");
    else if (rune < 0x20 || is_separator(rune) || (html && is_html(rune)))
        buf_printf(b, "\\u%04x", (unsigned)rune);
    else
        buf_put(b, sequence);
}

/* The whole of a text with nothing to escape. */
static void put_plain(struct buf *b, struct slice text)
{
    uint8_t *room = buf_room(b, text.n + 2);

    if (!room)
        return;
    room[0] = '"';
    if (text.n)
        memcpy(room + 1, text.p, text.n);
    room[text.n + 1] = '"';
    buf_used(b, text.n + 2);
}

static void put_text(struct buf *b, struct slice text, bool html)
{
    size_t at = plain_run(text, 0);
    if (at == text.n) {
        put_plain(b, text);
        return;
    }
    buf_byte(b, '"');
    buf_put(b, slice_sub(text, 0, at));
    while (at < text.n) {
        size_t run = plain_run(text, at);
        if (run) {
            buf_put(b, slice_of(text.p + at, run));
            at += run;
            continue;
        }
        uint32_t rune;
        size_t n = json_utf8_step(text, at, &rune);
        put_rune(b, slice_of(text.p + at, n), rune, html);
        at += n;
    }
    buf_byte(b, '"');
}

void json_put_name(struct buf *b, bool comma, const char *name)
{
    struct slice text = slice_text(name);
    size_t n = text.n + 3 + comma;

    if (plain_run(text, 0) != text.n) {
        if (comma)
            buf_byte(b, ',');
        put_text(b, text, true);
        buf_byte(b, ':');
        return;
    }
    uint8_t *room = buf_room(b, n);
    if (!room)
        return;
    if (comma)
        *room++ = ',';
    *room++ = '"';
    memcpy(room, name, text.n);
    room[text.n] = '"';
    room[text.n + 1] = ':';
    buf_used(b, n);
}

void json_put_text(struct buf *b, struct slice text)
{
    put_text(b, text, true);
}

void json_put_text_plain(struct buf *b, struct slice text)
{
    put_text(b, text, false);
}

/* --- Numbers, times, bytes ---------------------------------------------------------------- */

void json_put_uint(struct buf *b, uint64_t v)
{
    uint8_t digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_put(b, slice_of(digits + at, sizeof digits - at));
}

void json_put_int(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_byte(b, '-');
    json_put_uint(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* The fewest digits that read back as v: d.ddde±xx in out, up to 17 of them. */
static void shortest(double v, char out[32])
{
    for (int precision = 0; precision < 17; precision++) {
        snprintf(out, 32, "%.*e", precision, v);
        if (strtod(out, NULL) == v)
            return;
    }
}

/* Plain notation between 1e-6 and 1e21, else with exponent: the form of the reference. */
void json_put_double(struct buf *b, double v)
{
    if (!isfinite(v)) {
        buf_text(b, "null");
        return;
    }
    char text[32], digits[20];
    shortest(v, text);
    size_t n = 0;
    for (const char *p = text; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9' && n < sizeof digits)
            digits[n++] = *p;
    const char *e = strchr(text, 'e');
    int exponent = e ? (int)strtol(e + 1, NULL, 10) : 0;

    if (text[0] == '-')
        buf_byte(b, '-');
    if (exponent < -6 || exponent >= 21) {
        buf_byte(b, (uint8_t)digits[0]);
        if (n > 1)
            buf_byte(b, '.');
        buf_put(b, slice_of(digits + 1, n - 1));
        buf_printf(b, "e%+d", exponent);
        return;
    }
    if (exponent < 0)
        buf_text(b, "0.");
    for (int i = -1; i > exponent; i--)
        buf_byte(b, '0');
    int shown = (int)n > exponent + 1 ? (int)n : exponent + 1;
    for (int i = 0; i < shown; i++) {
        if (i == exponent + 1 && i > 0)
            buf_byte(b, '.');
        buf_byte(b, i < (int)n ? (uint8_t)digits[i] : '0');
    }
}

#define SECOND_MIN INT64_C(-62135596800) /* 0001-01-01 */
#define SECOND_MAX INT64_C(253402300799) /* 9999-12-31 */

/* n digits. */
static uint8_t *put_digits(uint8_t *to, unsigned value, int n)
{
    for (int i = n; i > 0; i--, value /= 10)
        to[i - 1] = (uint8_t)('0' + value % 10);
    return to + n;
}

static uint8_t *put_date(uint8_t *to, const struct civil *c)
{
    const struct {
        int value, digits;
        uint8_t after;
    } parts[] = {{c->year, 4, '-'}, {c->month, 2, '-'},  {c->day, 2, 'T'},
                 {c->hour, 2, ':'}, {c->minute, 2, ':'}, {c->second, 2, 0}};

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        to = put_digits(to, (unsigned)parts[i].value, parts[i].digits);
        if (parts[i].after)
            *to++ = parts[i].after;
    }
    return to;
}

static void put_time(struct buf *b, struct instant t, bool fraction)
{
    uint8_t text[40], *to = text;

    if (t.sec < SECOND_MIN)
        t = (struct instant){SECOND_MIN, 0};
    if (t.sec > SECOND_MAX)
        t = (struct instant){SECOND_MAX, 0};
    struct civil c = instant_civil(t);
    *to++ = '"';
    to = put_date(to, &c);
    if (fraction && t.nsec > 0 && t.nsec < NS_PER_SEC) {
        unsigned value = t.nsec;
        int width = 9;
        for (; value % 10 == 0; value /= 10)
            width--;
        *to++ = '.';
        to = put_digits(to, value, width);
    }
    *to++ = 'Z';
    *to++ = '"';
    buf_put(b, slice_of(text, (size_t)(to - text)));
}

void json_put_time(struct buf *b, struct instant t)
{
    put_time(b, t, false);
}

void json_put_time_nano(struct buf *b, struct instant t)
{
    put_time(b, t, true);
}

void json_put_bytes(struct buf *b, struct slice bytes)
{
    if (!bytes.p) {
        buf_text(b, "null");
        return;
    }
    buf_byte(b, '"');
    base64_put(b, BASE64_STD, bytes);
    buf_byte(b, '"');
}

/* --- Trees -------------------------------------------------------------------------------- */

static void new_line(struct buf *b, const char *indent, unsigned level)
{
    if (!indent)
        return;
    buf_byte(b, '\n');
    for (unsigned i = 0; i < level; i++)
        buf_text(b, indent);
}

static void print(struct buf *b, const struct json *v, const char *indent, unsigned level);

static void print_container(struct buf *b, const struct json *v, const char *indent, unsigned level)
{
    bool object = v->kind == JSON_OBJECT;
    buf_byte(b, object ? '{' : '[');
    for (const struct json *child = v->first; child; child = child->next) {
        if (child != v->first)
            buf_byte(b, ',');
        new_line(b, indent, level + 1);
        if (object) {
            json_put_text(b, child->name);
            buf_text(b, indent ? ": " : ":");
        }
        print(b, child, indent, level + 1);
    }
    if (v->first)
        new_line(b, indent, level);
    buf_byte(b, object ? '}' : ']');
}

static void print(struct buf *b, const struct json *v, const char *indent, unsigned level)
{
    switch (v->kind) {
    case JSON_NULL:
        buf_text(b, "null");
        return;
    case JSON_BOOL:
        buf_text(b, v->truth ? "true" : "false");
        return;
    case JSON_NUMBER:
        buf_put(b, v->text);
        return;
    case JSON_TEXT:
        json_put_text(b, v->text);
        return;
    case JSON_LIST:
    case JSON_OBJECT:
        print_container(b, v, indent, level);
        return;
    }
}

void json_print(struct buf *b, const struct json *v, const char *indent)
{
    print(b, v, indent, 0);
}

/* --- A value's own text ------------------------------------------------------------------- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The text that begins at json.p[at], as written but for the characters that json_put_text never
 * leaves bare.  Returns where it ends. */
static size_t put_text_as_written(struct buf *b, struct slice json, size_t at)
{
    buf_byte(b, '"');
    for (at++; at < json.n && json.p[at] != '"';) {
        if (json.p[at] == '\\' && json.n - at >= 2) {
            buf_put(b, slice_sub(json, at, 2));
            at += 2;
            continue;
        }
        uint32_t rune;
        size_t n = json_utf8_step(json, at, &rune);
        if (rune == RUNE_BAD || is_separator(rune) || is_html(rune))
            buf_printf(b, "\\u%04x", rune == RUNE_BAD ? RUNE_REPLACEMENT : (unsigned)rune);
        else
            buf_put(b, slice_sub(json, at, n));
        at += n;
    }
    buf_byte(b, '"');
    return at < json.n ? at + 1 : at;
}

void json_put_compact(struct buf *b, struct slice json)
{
    bool comma = false; /* held back: a tolerated trailing comma is never written */
    for (size_t at = 0; at < json.n;) {
        uint8_t c = json.p[at];
        if (is_blank(c) || c == ',') {
            comma |= c == ',';
            at++;
            continue;
        }
        if (comma && c != '}' && c != ']')
            buf_byte(b, ',');
        comma = false;
        if (c == '"') {
            at = put_text_as_written(b, json, at);
            continue;
        }
        buf_byte(b, c);
        at++;
    }
}
