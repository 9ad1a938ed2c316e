/*
 * Characters of texts that somebody else wrote, on their way into a message, a log or a terminal.
 */
#include "base/rune.h"

bool rune_read(struct slice s, uint32_t *rune, size_t *n)
{
    static const uint8_t LENGTH[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    size_t len = LENGTH[s.p[0] >> 4];

    *n = 1;
    *rune = s.p[0];
    if (s.p[0] < 0x80)
        return true;
    if (len > s.n || !slice_is_utf8(slice_sub(s, 0, len)))
        return false;
    *rune = s.p[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++)
        *rune = *rune << 6 | (s.p[i] & 0x3fu);
    *n = len;
    return true;
}

bool rune_visible(uint32_t rune)
{
    static const uint32_t HIDDEN[][2] = {
        {0x00, 0x1f},        {0x7f, 0xa0},     {0xad, 0xad},       {0x600, 0x605},
        {0x61c, 0x61c},      {0x6dd, 0x6dd},   {0x70f, 0x70f},     {0x1680, 0x1680},
        {0x180e, 0x180e},    {0x2000, 0x200f}, {0x2028, 0x202f},   {0x205f, 0x206f},
        {0x3000, 0x3000},    {0xe000, 0xf8ff}, {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},
        {0xfff0, 0xfffb},    {0xfffe, 0xffff}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
        {0xe0000, 0x10ffff},
    };

    for (size_t i = 0; i < COUNT_OF(HIDDEN); i++)
        if (rune >= HIDDEN[i][0] && rune <= HIDDEN[i][1])
            return (rune >= 0xe0100 && rune <= 0xe01ef); /* variation selectors are marks */
    return true;
}

void text_clean(uint8_t *p, size_t n)
{
    uint32_t rune;

    for (size_t len; n; p += len, n -= len) {
        bool plain = p[0] >= 0x20 && p[0] < 0x7f; /* nearly all are */
        len = 1;
        bool shown = plain || (rune_read(slice_of(p, n), &rune, &len) && rune_visible(rune));
        for (size_t i = 0; !shown && i < len; i++)
            p[i] = '?';
    }
}

char rune_escape(uint32_t rune, bool json)
{
    static const char GO[] = "abtnvfr"; /* 7 to 13 */

    if (rune == '"' || rune == '\\')
        return (char)rune;
    if (rune < 7 || rune > 13 || (json && (rune == 7 || rune == 11)))
        return 0;
    return GO[rune - 7];
}

size_t rune_plain_run(struct slice s, bool json)
{
    size_t n = 0;

    while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f && s.p[n] != '"' && s.p[n] != '\\' &&
           !(json && (s.p[n] == '<' || s.p[n] == '>' || s.p[n] == '&')))
        n++;
    return n;
}

static void put_quoted_rune(struct buf *b, struct slice s, uint32_t rune)
{
    char letter = rune_escape(rune, false);

    if (letter) {
        buf_byte(b, '\\');
        buf_byte(b, (uint8_t)letter);
    } else if (rune_visible(rune)) {
        buf_put(b, s);
    } else {
        buf_printf(b, rune < 0x80 ? "\\x%02x" : rune < 0x10000 ? "\\u%04x" : "\\U%08x", rune);
    }
}

void text_quote(struct buf *b, struct slice s)
{
    uint32_t rune;

    buf_byte(b, '"');
    for (size_t n; s.n; s = slice_from(s, n)) {
        n = rune_plain_run(s, false);
        if (n)
            buf_put(b, slice_sub(s, 0, n));
        else if (rune_read(s, &rune, &n))
            put_quoted_rune(b, slice_sub(s, 0, n), rune);
        else
            buf_printf(b, "\\x%02x", s.p[0]);
    }
    buf_byte(b, '"');
}
