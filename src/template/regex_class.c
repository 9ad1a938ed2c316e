/*
 * What stands in brackets: code points, ranges, and classes by name.  Classes of ASCII are written
 * as ranges, because PCRE2's \s, \w and [:space:] are not quite RE2's; properties go through by
 * name.
 */
#include <unictype.h>

#include "template/regex.h"

#define RUNE_LAST 0x10ffffu

void regex_put_rune(struct buf *b, uint32_t rune)
{
    buf_printf(b, "\\x{%x}", rune);
}

static bool is_surrogate(uint32_t rune)
{
    return rune >= 0xd800 && rune < 0xe000;
}

/* Without surrogates, which PCRE2 does not take. */
void regex_put_range(struct buf *b, uint32_t low, uint32_t high)
{
    if (low < 0xd800 && high >= 0xd800) {
        regex_put_range(b, low, 0xd7ff);
        low = 0xe000;
    }
    if (is_surrogate(low))
        low = 0xe000;
    if (is_surrogate(high))
        high = 0xd7ff;
    if (low > high)
        return;
    regex_put_rune(b, low);
    if (high > low) {
        buf_byte(b, '-');
        regex_put_rune(b, high);
    }
}

struct ascii_class {
    const char *name;
    const char *ranges; /* pairs */
};
static const struct ascii_class PERL[] = {{"d", "09"}, {"s", "\t\n\f\r  "}, {"w", "09AZ__az"}};
static const struct ascii_class POSIX[] = {
    {"alnum", "09AZaz"},
    {"alpha", "AZaz"},
    {"ascii", "\x01\x7f"},
    {"blank", "\t\t  "},
    {"cntrl", "\x01\x1f\x7f\x7f"},
    {"digit", "09"},
    {"graph", "!~"},
    {"lower", "az"},
    {"print", " ~"},
    {"punct", "!/:@[`{~"},
    {"space", "\t\r  "},
    {"upper", "AZ"},
    {"word", "09AZ__az"},
    {"xdigit", "09AFaf"},
};

/* The two runes beyond ASCII that fold to ASCII letters. */
#define LONG_S 0x17fu
#define KELVIN 0x212au

static void fold_ascii(bool in[128], bool *s, bool *k)
{
    for (int c = 'a'; c <= 'z'; c++)
        in[c] = in[c - 32] = in[c] || in[c - 32];
    *s = in['s'];
    *k = in['k'];
}

static void put_gaps(struct buf *b, bool s, bool k)
{
    uint32_t from = 0x80;

    if (s) {
        regex_put_range(b, from, LONG_S - 1);
        from = LONG_S + 1;
    }
    if (k) {
        regex_put_range(b, from, KELVIN - 1);
        from = KELVIN + 1;
    }
    regex_put_range(b, from, RUNE_LAST);
}

/* As members of a bracket. */
static void put_ascii_class(struct buf *b, const struct ascii_class *c, bool negative, bool fold)
{
    bool in[128] = {false}, s = false, k = false;

    for (const char *p = c->ranges; *p; p += 2)
        for (int ch = p[0]; ch <= p[1]; ch++)
            in[ch] = true;
    in[0] = !strcmp(c->name, "ascii") || !strcmp(c->name, "cntrl");
    if (fold)
        fold_ascii(in, &s, &k);
    for (uint32_t low = 0; low < 128; low++) {
        if (in[low] == negative)
            continue;
        uint32_t high = low;
        while (high + 1 < 128 && in[high + 1] != negative)
            high++;
        regex_put_range(b, low, high);
        low = high;
    }
    if (negative)
        put_gaps(b, s, k);
}

bool regex_put_perl(struct buf *b, uint8_t letter, bool fold)
{
    bool negative = letter < 'a';

    for (size_t i = 0; i < COUNT_OF(PERL); i++)
        if ((letter | 0x20) == (uint8_t)PERL[i].name[0]) {
            put_ascii_class(b, &PERL[i], negative, fold);
            return true;
        }
    return false;
}

bool regex_put_posix(struct buf *b, struct slice name, bool negative, bool fold)
{
    for (size_t i = 0; i < COUNT_OF(POSIX); i++)
        if (slice_is(name, POSIX[i].name)) {
            put_ascii_class(b, &POSIX[i], negative, fold);
            return true;
        }
    return false;
}

static bool is_category(const char *name)
{
    static const char *const NAMES[] = {
        "C",  "Cc", "Cf", "Cn", "Co", "Cs", "L",  "Ll", "Lm", "Lo", "Lt", "Lu", "M",
        "Mc", "Me", "Mn", "N",  "Nd", "Nl", "No", "P",  "Pc", "Pd", "Pe", "Pf", "Pi",
        "Po", "Ps", "S",  "Sc", "Sk", "Sm", "So", "Z",  "Zl", "Zp", "Zs",
    };

    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (!strcmp(NAMES[i], name))
            return true;
    return false;
}

bool regex_put_property(struct arena *a, struct buf *b, struct slice name, bool negative, bool fold)
{
    const char *text = arena_cstr(a, name);
    bool cased = !strcmp(text, "Lu") || !strcmp(text, "Ll") || !strcmp(text, "Lt");

    if (!strcmp(text, "Any")) {
        if (!negative)
            regex_put_range(b, 0, RUNE_LAST);
        return true;
    }
    if (is_category(text)) { /* upper case without regard to case is all that has case */
        buf_printf(b, "\\%c{%s}", negative ? 'P' : 'p', cased && fold ? "L&" : text);
        return true;
    }
    if (slice_has_nul(name) || name.n > 40 || !uc_script_byname(text))
        return false;
    buf_printf(b, "\\%c{sc:%s}", negative ? 'P' : 'p', text);
    return true;
}
