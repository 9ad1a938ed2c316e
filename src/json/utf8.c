/*
 * UTF-8, one code point at a time.  The table holds for each lead byte what RFC 3629 section 4
 * allows as its second byte; overlong forms and surrogates fall out of that range.
 */
#include "json/utf8.h"

struct lead {
    uint8_t first, last; /* lead bytes */
    uint8_t length;
    uint8_t low, high; /* second byte */
    uint8_t bits;      /* of the lead byte that count */
};
static const struct lead LEADS[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf, 0x1f}, {0xe0, 0xe0, 3, 0xa0, 0xbf, 0x0f},
    {0xe1, 0xec, 3, 0x80, 0xbf, 0x0f}, {0xed, 0xed, 3, 0x80, 0x9f, 0x0f},
    {0xee, 0xef, 3, 0x80, 0xbf, 0x0f}, {0xf0, 0xf0, 4, 0x90, 0xbf, 0x07},
    {0xf1, 0xf3, 4, 0x80, 0xbf, 0x07}, {0xf4, 0xf4, 4, 0x80, 0x8f, 0x07},
};

static const struct lead *lead_find(uint8_t byte)
{
    for (size_t i = 0; i < COUNT_OF(LEADS); i++)
        if (byte >= LEADS[i].first && byte <= LEADS[i].last)
            return &LEADS[i];
    return NULL;
}

size_t json_utf8_step(struct slice s, size_t at, uint32_t *rune)
{
    const uint8_t *p = s.p + at;
    if (p[0] < 0x80) {
        *rune = p[0];
        return 1;
    }
    *rune = RUNE_BAD;
    const struct lead *lead = lead_find(p[0]);
    if (!lead || s.n - at < lead->length || p[1] < lead->low || p[1] > lead->high)
        return 1;
    uint32_t value = p[0] & lead->bits;
    for (size_t i = 1; i < lead->length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 1;
        value = value << 6 | (p[i] & 0x3fu);
    }
    *rune = value;
    return lead->length;
}

size_t json_utf8_put(uint8_t out[4], uint32_t rune)
{
    if (rune < 0x80) {
        out[0] = (uint8_t)rune;
        return 1;
    }
    size_t n = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
    static const uint8_t MARKS[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (rune & 0x3f));
        rune >>= 6;
    }
    out[0] = (uint8_t)(MARKS[n] | rune);
    return n;
}
