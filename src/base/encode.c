/*
 * Hexadecimal and base64 (RFC 4648).  Reading is strict: one text for one value, so that a
 * signature or a token cannot be written in two ways (RFC 4648 section 12).  None of it is constant
 * time; private keys in PEM are read once, at start.
 */
#include "base/encode.h"

/* --- Hexadecimal ----------------------------------------------------------------------------- */

static const char HEX[] = "0123456789abcdef";

void hex_put(struct buf *b, struct slice bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        buf_byte(b, (uint8_t)HEX[bytes.p[i] >> 4]);
        buf_byte(b, (uint8_t)HEX[bytes.p[i] & 15]);
    }
}

struct slice hex_text(struct arena *a, struct slice bytes)
{
    uint8_t *text = arena_array(a, bytes.n + 1, 2);

    for (size_t i = 0; i < bytes.n; i++) {
        text[2 * i] = (uint8_t)HEX[bytes.p[i] >> 4];
        text[2 * i + 1] = (uint8_t)HEX[bytes.p[i] & 15];
    }
    return slice_of(text, bytes.n * 2);
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_read(struct arena *a, struct slice text, struct slice *bytes)
{
    if (text.n % 2)
        return false;
    uint8_t *out = arena_alloc(a, text.n / 2 + 1);
    for (size_t i = 0; i < text.n / 2; i++) {
        int high = hex_digit(text.p[2 * i]), low = hex_digit(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    *bytes = slice_of(out, text.n / 2);
    return true;
}

/* --- Base64 ---------------------------------------------------------------------------------- */

static const char STD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool is_url(enum base64_form form)
{
    return form == BASE64_URL || form == BASE64_URL_RAW;
}

static bool is_padded(enum base64_form form)
{
    return form != BASE64_STD_RAW && form != BASE64_URL_RAW;
}

static size_t text_size(enum base64_form form, size_t n)
{
    size_t rest = n % 3;
    size_t last = !rest ? 0 : is_padded(form) ? 4 : rest + 1;

    return n / 3 * 4 + last;
}

static void encode(uint8_t *out, enum base64_form form, struct slice bytes)
{
    const char *alphabet = is_url(form) ? URL : STD;
    const uint8_t *p = bytes.p;
    size_t n = bytes.n;

    for (; n >= 3; n -= 3, p += 3, out += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        for (unsigned i = 0; i < 4; i++)
            out[i] = (uint8_t)alphabet[v >> (18 - 6 * i) & 63];
    }
    if (!n)
        return;
    uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
    out[0] = (uint8_t)alphabet[v >> 18 & 63];
    out[1] = (uint8_t)alphabet[v >> 12 & 63];
    if (n == 2)
        out[2] = (uint8_t)alphabet[v >> 6 & 63];
    else if (is_padded(form))
        out[2] = '=';
    if (is_padded(form))
        out[3] = '=';
}

struct slice base64_text(struct arena *a, enum base64_form form, struct slice bytes)
{
    size_t n = text_size(form, bytes.n);
    uint8_t *text = arena_alloc(a, n + 1);

    encode(text, form, bytes);
    return slice_of(text, n);
}

void base64_put(struct buf *b, enum base64_form form, struct slice bytes)
{
    size_t n = text_size(form, bytes.n);
    uint8_t *room = buf_room(b, n);

    if (!room)
        return;
    encode(room, form, bytes);
    buf_used(b, n);
}

#define BAD 64 /* above every digit, alone in its bit */
#define ROW BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD
/* What both alphabets have; plus, minus, slash and underscore are for each to say. */
#define DIGITS(plus, minus, slash, underscore)                                                     \
    {                                                                                              \
        ROW, ROW, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, plus, BAD, minus, BAD,    \
            slash, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, BAD, BAD, BAD, BAD, BAD, BAD, BAD, 0,   \
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, \
            25, BAD, BAD, BAD, BAD, underscore, BAD, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36,   \
            37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, BAD, BAD, BAD, BAD, BAD,   \
            ROW, ROW, ROW, ROW, ROW, ROW, ROW, ROW                                                 \
    }
static const uint8_t STD_DIGITS[256] = DIGITS(62, BAD, 63, BAD);
static const uint8_t URL_DIGITS[256] = DIGITS(BAD, 62, BAD, 63);

static struct slice without_blanks(struct arena *a, struct slice text)
{
    uint8_t *out = arena_alloc(a, text.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '\r' && text.p[i] != '\n' && text.p[i] != ' ' && text.p[i] != '\t')
            out[n++] = text.p[i];
    return slice_of(out, n);
}

/* Takes the padding off; false when there is not exactly as much as there must be. */
static bool unpad(struct slice *text)
{
    if (text->n % 4)
        return false;
    for (int i = 0; i < 2 && text->n && text->p[text->n - 1] == '='; i++)
        text->n--;
    return true;
}

/* text.n % 4 is not 1. */
static bool decode(uint8_t *out, const uint8_t digits[256], struct slice text)
{
    const uint8_t *p = text.p, *end = p + text.n / 4 * 4;
    unsigned wrong = 0, rest = text.n % 4;

    for (; p < end; p += 4, out += 3) {
        unsigned a = digits[p[0]], b = digits[p[1]], c = digits[p[2]], d = digits[p[3]];
        wrong |= a | b | c | d;
        out[0] = (uint8_t)(a << 2 | b >> 4);
        out[1] = (uint8_t)(b << 4 | c >> 2);
        out[2] = (uint8_t)(c << 6 | d);
    }
    if (rest) {
        unsigned a = digits[p[0]], b = digits[p[1]], c = rest == 3 ? digits[p[2]] : 0;
        wrong |= a | b | c;
        out[0] = (uint8_t)(a << 2 | b >> 4);
        if (rest == 3)
            out[1] = (uint8_t)(b << 4 | c >> 2);
        /* Bits that stand for no byte must be zero (RFC 4648 3.5). */
        if (rest == 3 ? c & 3 : b & 15)
            return false;
    }
    return !(wrong & BAD);
}

bool base64_read(struct arena *a, enum base64_form form, struct slice text, struct slice *bytes)
{
    if (form == BASE64_PEM)
        text = without_blanks(a, text);
    if (is_padded(form) && !unpad(&text))
        return false;
    if (text.n % 4 == 1)
        return false;
    size_t n = text.n / 4 * 3 + (text.n % 4 ? text.n % 4 - 1 : 0);
    uint8_t *out = arena_alloc(a, n + 1);
    if (!decode(out, is_url(form) ? URL_DIGITS : STD_DIGITS, text))
        return false;
    *bytes = slice_of(out, n);
    return true;
}
