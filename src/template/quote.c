/*
 * Go's quoted strings and characters, written (%q, quote) and read (literals of the language).
 */
#include "template/internal.h"
#include "json/utf8.h"

static const char HEX[] = "0123456789abcdef";

static void put_hex(struct buf *b, uint32_t v, int digits)
{
    while (digits-- > 0)
        buf_byte(b, (uint8_t)HEX[v >> (4 * digits) & 15]);
}

static void put_escaped(struct buf *b, uint32_t r, char quote, bool ascii)
{
    static const char PLAIN[] = "\a\b\f\n\r\t\v", LETTER[] = "abfnrtv";
    const char *known = r && r < 0x80 ? strchr(PLAIN, (int)r) : NULL;

    if (r == (uint8_t)quote || r == '\\') {
        buf_byte(b, '\\');
        buf_byte(b, (uint8_t)r);
    } else if (rune_printable(r) && (!ascii || r < 0x80)) {
        rune_put(b, r);
    } else if (known) {
        buf_byte(b, '\\');
        buf_byte(b, (uint8_t)LETTER[known - PLAIN]);
    } else if (r < ' ' || r == 0x7f) {
        buf_text(b, "\\x");
        put_hex(b, r, 2);
    } else if (r < 0x10000) {
        buf_text(b, "\\u");
        put_hex(b, r, 4);
    } else {
        buf_text(b, "\\U");
        put_hex(b, r, 8);
    }
}

void quote_put(struct buf *b, struct slice s, char quote, bool ascii)
{
    buf_byte(b, (uint8_t)quote);
    for (size_t i = 0; i < s.n;) {
        uint32_t rune;
        size_t n = json_utf8_step(s, i, &rune);
        if (rune == RUNE_BAD) {
            buf_text(b, "\\x");
            put_hex(b, s.p[i], 2);
        } else {
            put_escaped(b, rune, quote, ascii);
        }
        i += n;
    }
    buf_byte(b, (uint8_t)quote);
}

void quote_rune_put(struct buf *b, uint32_t rune, bool ascii)
{
    if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
        rune = RUNE_REPLACEMENT;
    buf_byte(b, '\'');
    put_escaped(b, rune, '\'', ascii);
    buf_byte(b, '\'');
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct slice s, size_t *at, int digits, uint32_t *v)
{
    *v = 0;
    for (; digits > 0; digits--) {
        int d = *at < s.n ? hex_value(s.p[(*at)++]) : -1;
        if (d < 0)
            return false;
        *v = *v << 4 | (uint32_t)d;
    }
    return true;
}

/* What follows a backslash at s.p[*at].  *byte: the value is one byte, not a code point. */
static bool read_escape(struct slice s, size_t *at, char quote, uint32_t *v, bool *byte)
{
    static const char LETTER[] = "abfnrtv\\", PLAIN[] = "\a\b\f\n\r\t\v\\";

    *byte = false;
    if (*at >= s.n)
        return false;
    uint8_t c = s.p[(*at)++];
    const char *known = c ? strchr(LETTER, c) : NULL;
    if (known) {
        *v = (uint8_t)PLAIN[known - LETTER];
        return true;
    }
    if (c == '\'' || c == '"') {
        *v = c;
        return c == (uint8_t)quote;
    }
    if (c == 'x') {
        *byte = true;
        return read_hex(s, at, 2, v);
    }
    if (c == 'u' || c == 'U')
        return read_hex(s, at, c == 'u' ? 4 : 8, v) && *v <= 0x10ffff &&
               (*v < 0xd800 || *v > 0xdfff);
    if (c < '0' || c > '7')
        return false;
    *byte = true;
    *v = c - '0';
    for (int i = 0; i < 2; i++) {
        uint8_t d = *at < s.n ? s.p[(*at)++] : 0;
        if (d < '0' || d > '7')
            return false;
        *v = *v << 3 | (uint32_t)(d - '0');
    }
    return *v <= 255;
}

static bool unquote_raw(struct arena *a, struct slice inside, struct slice *text)
{
    uint8_t *to = arena_alloc(a, inside.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < inside.n; i++)
        if (inside.p[i] != '\r')
            to[n++] = inside.p[i];
    *text = slice_of(to, n);
    return true;
}

bool unquote(struct arena *a, struct slice quoted, struct slice *text)
{
    if (quoted.n < 2 || quoted.p[quoted.n - 1] != quoted.p[0])
        return false;
    struct slice inside = slice_sub(quoted, 1, quoted.n - 2);
    if (quoted.p[0] == '`')
        return unquote_raw(a, inside, text);

    /* A bad byte becomes three. */
    struct buf b = buf_new(a, 3 * inside.n + 4);
    for (size_t i = 0; i < inside.n;) {
        uint32_t rune;
        bool byte = false;
        if (inside.p[i] == '\\') {
            i++;
            if (!read_escape(inside, &i, '"', &rune, &byte))
                return false;
        } else {
            i += rune_at(inside, i, &rune);
            if (rune == '\n' || rune == '"')
                return false;
        }
        if (byte)
            buf_byte(&b, (uint8_t)rune);
        else
            rune_put(&b, rune);
    }
    *text = buf_slice(&b);
    return buf_ok(&b);
}

bool unquote_char(struct slice quoted, uint32_t *rune)
{
    size_t at = 1;
    bool byte;

    if (quoted.n < 3 || quoted.p[1] == '\'')
        return false;
    if (quoted.p[at] == '\\') {
        at++;
        if (!read_escape(quoted, &at, '\'', rune, &byte))
            return false;
    } else {
        at += rune_at(quoted, at, rune);
    }
    return at + 1 == quoted.n && quoted.p[at] == '\'';
}
