/*
 * Runes: one step through UTF-8 that may be broken, and the character classes of the Unicode
 * standard as the language and its functions use them.  ASCII is answered without tables.
 */
#include <unicase.h>
#include <unictype.h>

#include "template/internal.h"
#include "json/utf8.h"

size_t rune_at(struct slice s, size_t at, uint32_t *rune)
{
    if (s.p[at] < 0x80) {
        *rune = s.p[at];
        return 1;
    }
    size_t n = json_utf8_step(s, at, rune);
    if (*rune == RUNE_BAD)
        *rune = RUNE_REPLACEMENT;
    return n;
}

size_t rune_before(struct slice s, size_t end, uint32_t *rune)
{
    size_t start = end - 1, lowest = end > 4 ? end - 4 : 0;

    while (start > lowest && (s.p[start] & 0xc0) == 0x80)
        start--;
    for (; start < end; start++)
        if (start + rune_at(slice_of(s.p, end), start, rune) == end &&
            (*rune != RUNE_REPLACEMENT || end - start > 1))
            return end - start;
    *rune = s.p[end - 1] < 0x80 ? s.p[end - 1] : RUNE_REPLACEMENT;
    return 1;
}

size_t rune_count(struct slice s)
{
    size_t n = 0;
    uint32_t rune;

    for (size_t i = 0; i < s.n; n++)
        i += rune_at(s, i, &rune);
    return n;
}

void rune_put(struct buf *b, uint32_t rune)
{
    uint8_t bytes[4];

    if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
        rune = RUNE_REPLACEMENT;
    size_t n = json_utf8_put(bytes, rune);
    buf_put(b, slice_of(bytes, n));
}

bool rune_is_letter(uint32_t r)
{
    if (r < 0x80)
        return (r | 0x20) >= 'a' && (r | 0x20) <= 'z';
    return uc_is_general_category_withtable(r, UC_CATEGORY_MASK_L);
}

bool rune_is_digit(uint32_t r)
{
    if (r < 0x80)
        return r >= '0' && r <= '9';
    return uc_is_general_category_withtable(r, UC_CATEGORY_MASK_Nd);
}

bool rune_is_space(uint32_t r)
{
    if (r < 0x100)
        return (r >= '\t' && r <= '\r') || r == ' ' || r == 0x85 || r == 0xa0;
    return uc_is_property_white_space(r);
}

bool rune_is_upper(uint32_t r)
{
    if (r < 0x80)
        return r >= 'A' && r <= 'Z';
    return uc_is_general_category_withtable(r, UC_CATEGORY_MASK_Lu);
}

bool rune_is_lower(uint32_t r)
{
    if (r < 0x80)
        return r >= 'a' && r <= 'z';
    return uc_is_general_category_withtable(r, UC_CATEGORY_MASK_Ll);
}

bool rune_is_title(uint32_t r)
{
    return r >= 0x80 && uc_is_general_category_withtable(r, UC_CATEGORY_MASK_Lt);
}

bool rune_is_punct(uint32_t r)
{
    return uc_is_general_category_withtable(r, UC_CATEGORY_MASK_P);
}

bool rune_is_number(uint32_t r)
{
    if (r < 0x80)
        return r >= '0' && r <= '9';
    return uc_is_general_category_withtable(r, UC_CATEGORY_MASK_N);
}

/* Letters, marks, numbers, punctuation, symbols and the ASCII blank. */
bool rune_printable(uint32_t r)
{
    if (r < 0x80)
        return r >= 0x20 && r < 0x7f;
    return uc_is_general_category_withtable(r, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_M |
                                                   UC_CATEGORY_MASK_N | UC_CATEGORY_MASK_P |
                                                   UC_CATEGORY_MASK_S);
}

uint32_t rune_upper(uint32_t r)
{
    if (r < 0x80)
        return r >= 'a' && r <= 'z' ? r - 32 : r;
    return uc_toupper(r);
}

uint32_t rune_lower(uint32_t r)
{
    if (r < 0x80)
        return r >= 'A' && r <= 'Z' ? r + 32 : r;
    return uc_tolower(r);
}

uint32_t rune_title(uint32_t r)
{
    if (r < 0x80)
        return rune_upper(r);
    return uc_totitle(r);
}
