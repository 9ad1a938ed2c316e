/*
 * RE2's regular expressions, read by their own grammar and written anew for PCRE2.  What RE2 does
 * not know (backreferences, look-around, possessive repetition …) is refused here; what both know
 * and read differently ($, ^, ., \s, case folding of classes) is spelled out, so that PCRE2 never
 * sees the template's own text: every literal is an escaped code point.
 */
#include "template/regex.h"

#define PATTERN_MAX 4096u
#define GROUPS_MAX  200u
#define DEPTH_MAX   50u /* PCRE2's compiler recurses, and worker threads have small stacks */
#define REPEAT_MAX  1000
#define RUNE_LAST   0x10ffffu

struct flags {
    bool fold, multi, dot_all, lazy;
};

struct reader {
    struct arena *a;
    struct slice s;
    size_t at;
    struct buf b;
    const char *why;
    struct flags flags;
    unsigned depth;
    struct slice names[GROUPS_MAX + 1];
    size_t groups;
    /* the last atom, for the repetition behind it */
    bool has_atom, repeated;
    size_t atom;
    int weight; /* how often something in it is repeated */
};

static bool fail(struct reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

static uint8_t peek(const struct reader *r, size_t ahead)
{
    return r->at + ahead < r->s.n ? r->s.p[r->at + ahead] : 0;
}

static bool at_end(const struct reader *r)
{
    return r->at >= r->s.n;
}

static bool here(const struct reader *r, const char *text)
{
    return slice_starts(slice_from(r->s, r->at), text);
}

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* --- Writing --------------------------------------------------------------------------------- */

static void begin_atom(struct reader *r)
{
    r->atom = r->b.n;
    r->has_atom = true;
    r->repeated = false;
    r->weight = 1;
}

static void put_literal(struct reader *r, uint32_t rune)
{
    begin_atom(r);
    if ((rune >= 0xd800 && rune < 0xe000))
        return buf_text(&r->b, "(?!)"); /* no text has it */
    buf_text(&r->b, r->flags.fold ? "(?i:" : "");
    regex_put_rune(&r->b, rune);
    buf_text(&r->b, r->flags.fold ? ")" : "");
}

static void put_atom(struct reader *r, const char *text)
{
    begin_atom(r);
    buf_text(&r->b, text);
}

/* \pL \p{Greek} \P{^Lu}, at the letter p; as members of a bracket. */
static bool unicode_class(struct reader *r)
{
    bool negative = peek(r, 0) == 'P';
    uint32_t first;
    struct slice name;

    r->at++;
    if (at_end(r))
        return fail(r, "invalid character class range");
    if (peek(r, 0) == '{') {
        size_t n = slice_find(slice_from(r->s, r->at), '}');
        if (r->at + n >= r->s.n)
            return fail(r, "invalid character class range");
        name = slice_sub(r->s, r->at + 1, n - 1);
        r->at += n + 1;
    } else {
        size_t n = rune_at(r->s, r->at, &first);
        name = slice_sub(r->s, r->at, n);
        r->at += n;
    }
    if (name.n && name.p[0] == '^') {
        negative = !negative;
        name = slice_from(name, 1);
    }
    return regex_put_property(r->a, &r->b, name, negative, r->flags.fold) ||
           fail(r, "invalid character class range");
}

/* --- Escapes --------------------------------------------------------------------------------- */

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hex_escape(struct reader *r, uint32_t *rune)
{
    bool braces = peek(r, 0) == '{';
    unsigned digits = 0;

    *rune = 0;
    r->at += braces;
    for (; braces || digits < 2; digits++, r->at++) {
        int d = hex_value(peek(r, 0));
        if (d < 0)
            break;
        *rune = *rune * 16 + (uint32_t)d;
        if (*rune > RUNE_LAST)
            return fail(r, "invalid escape sequence");
    }
    if (braces ? !digits || peek(r, 0) != '}' : digits != 2)
        return fail(r, "invalid escape sequence");
    r->at += braces;
    return true;
}

/* What follows a backslash and is one rune. */
static bool escaped_rune(struct reader *r, uint32_t *rune)
{
    static const char LETTERS[] = "afnrtv", PLAIN[] = "\a\f\n\r\t\v";
    uint8_t c = peek(r, 0), next = peek(r, 1);
    const char *known = c ? strchr(LETTERS, c) : NULL;

    if (at_end(r))
        return fail(r, "trailing backslash at end of expression");
    if (c >= '0' && c <= '7' && (c == '0' || (next >= '0' && next <= '7'))) {
        *rune = 0;
        for (int i = 0; i < 3 && peek(r, 0) >= '0' && peek(r, 0) <= '7'; i++)
            *rune = *rune * 8 + (uint32_t)(r->s.p[r->at++] - '0');
        return true;
    }
    r->at++;
    if (known) {
        *rune = (uint8_t)PLAIN[known - LETTERS];
        return true;
    }
    if (c == 'x')
        return hex_escape(r, rune);
    *rune = c;
    return (c < 0x80 && !is_alnum(c)) || fail(r, "invalid escape sequence");
}

static bool quoted_literal(struct reader *r)
{
    uint32_t rune;

    r->at += 2;
    while (!at_end(r) && !here(r, "\\E")) {
        r->at += rune_at(r->s, r->at, &rune);
        put_literal(r, rune);
    }
    r->at += at_end(r) ? 0 : 2;
    return true;
}

static bool escape(struct reader *r)
{
    static const struct {
        char letter;
        const char *pattern;
    } ASSERTIONS[] = {{'A', "\\A"}, {'b', "\\b"}, {'B', "\\B"}, {'z', "\\z"}};
    uint8_t c = peek(r, 1);
    uint32_t rune;

    for (size_t i = 0; i < COUNT_OF(ASSERTIONS); i++)
        if (c == (uint8_t)ASSERTIONS[i].letter) {
            r->at += 2;
            put_atom(r, ASSERTIONS[i].pattern);
            return true;
        }
    if (c == 'Q')
        return quoted_literal(r);
    r->at++;
    if (c == 'p' || c == 'P' || (c && strchr("dswDSW", c))) {
        begin_atom(r);
        buf_text(&r->b, r->flags.fold ? "(?i:[" : "[");
        size_t before = r->b.n;
        bool good = true;
        if (c == 'p' || c == 'P')
            good = unicode_class(r);
        else
            regex_put_perl(&r->b, c, r->flags.fold);
        r->at += c != 'p' && c != 'P';
        if (good && r->b.n == before) { /* an empty class */
            r->b.n = r->atom;
            buf_text(&r->b, "(?!)");
            return true;
        }
        buf_text(&r->b, r->flags.fold ? "])" : "]");
        return good;
    }
    if (!escaped_rune(r, &rune))
        return false;
    put_literal(r, rune);
    return true;
}

/* --- Brackets -------------------------------------------------------------------------------- */

/* [:alpha:]; *found says whether it is one. */
static bool posix_class(struct reader *r, bool *found)
{
    struct slice rest = slice_from(r->s, r->at + 2);
    size_t n = slice_search(rest, SLICE(":]"));

    *found = n < rest.n;
    if (!*found)
        return true;
    struct slice name = slice_sub(rest, 0, n);
    bool negative = name.n && name.p[0] == '^';
    name = slice_from(name, negative);
    r->at += n + 4;
    return regex_put_posix(&r->b, name, negative, r->flags.fold) ||
           fail(r, "invalid character class range");
}

static bool class_rune(struct reader *r, uint32_t *rune)
{
    if (at_end(r))
        return fail(r, "missing closing ]");
    if (peek(r, 0) == '\\') {
        r->at++;
        return escaped_rune(r, rune);
    }
    r->at += rune_at(r->s, r->at, rune);
    return true;
}

static bool class_member(struct reader *r)
{
    uint32_t low, high;
    bool found = false;

    if (here(r, "[:") && !posix_class(r, &found))
        return false;
    if (found)
        return true;
    if (peek(r, 0) == '\\') {
        uint8_t c = peek(r, 1);
        if (c == 'p' || c == 'P') {
            r->at++;
            return unicode_class(r);
        }
        if (c && strchr("dswDSW", c)) {
            regex_put_perl(&r->b, c, r->flags.fold);
            r->at += 2;
            return true;
        }
    }
    if (!class_rune(r, &low))
        return false;
    high = low;
    if (peek(r, 0) == '-' && r->at + 1 < r->s.n && peek(r, 1) != ']') {
        r->at++;
        if (!class_rune(r, &high))
            return false;
        if (high < low)
            return fail(r, "invalid character class range");
    }
    regex_put_range(&r->b, low, high);
    return true;
}

static bool bracket(struct reader *r)
{
    bool negative = peek(r, 1) == '^', first = true;

    begin_atom(r);
    buf_text(&r->b, r->flags.fold ? "(?i:[" : "[");
    buf_text(&r->b, negative ? "^" : "");
    r->at += 1 + negative;
    size_t before = r->b.n;
    while (first || peek(r, 0) != ']') {
        first = false;
        if (at_end(r))
            return fail(r, "missing closing ]");
        if (!class_member(r))
            return false;
    }
    r->at++;
    if (r->b.n == before) { /* nothing but surrogates */
        r->b.n = r->atom;
        buf_text(&r->b, negative ? "(?s:.)" : "(?!)");
        return true;
    }
    buf_text(&r->b, r->flags.fold ? "])" : "]");
    return true;
}

/* --- Repetition ------------------------------------------------------------------------------ */

static bool repeat_number(struct reader *r, int *v)
{
    size_t from = r->at;

    *v = 0;
    while (peek(r, 0) >= '0' && peek(r, 0) <= '9') {
        *v = *v > REPEAT_MAX ? *v : *v * 10 + (peek(r, 0) - '0');
        r->at++;
    }
    /* No leading zeros. */
    return r->at > from && !(r->at - from > 1 && r->s.p[from] == '0');
}

/* {2} {2,} {2,5}; anything else is a literal brace.  max -1: no end. */
static bool repeat_counts(struct reader *r, int *min, int *max)
{
    size_t from = r->at;

    r->at++;
    bool good = repeat_number(r, min);
    *max = *min;
    if (good && peek(r, 0) == ',') {
        r->at++;
        *max = -1;
        if (peek(r, 0) != '}')
            good = repeat_number(r, max);
    }
    if (good && peek(r, 0) == '}') {
        r->at++;
        return true;
    }
    r->at = from;
    return false;
}

static bool wrap_repeat(struct reader *r, struct slice counts)
{
    bool lazy = peek(r, 0) == '?';

    r->at += lazy;
    if (!r->has_atom)
        return fail(r, "missing argument to repetition operator");
    if (r->repeated)
        return fail(r, "invalid nested repetition operator");
    struct slice atom = arena_copy(r->a, slice_from(buf_slice(&r->b), r->atom));
    r->b.n = r->atom;
    buf_text(&r->b, "(?:");
    buf_put(&r->b, atom);
    buf_byte(&r->b, ')');
    buf_put(&r->b, counts);
    if (lazy != r->flags.lazy)
        buf_byte(&r->b, '?');
    r->repeated = true;
    return true;
}

static bool repetition(struct reader *r)
{
    int min, max;

    if (peek(r, 0) != '{') {
        struct slice sign = slice_sub(r->s, r->at++, 1);
        return wrap_repeat(r, sign);
    }
    size_t from = r->at;
    if (!repeat_counts(r, &min, &max)) {
        r->at++;
        put_literal(r, '{');
        return true;
    }
    if (min > REPEAT_MAX || max > REPEAT_MAX || (max >= 0 && min > max))
        return fail(r, "invalid repeat count");
    struct slice counts = slice_sub(r->s, from, r->at - from);
    if (!wrap_repeat(r, counts))
        return false;
    int times = max < 0 ? min : max;
    if (times > 0 && (r->weight *= times) > REPEAT_MAX && times > 1)
        return fail(r, "invalid repeat count");
    if (!times)
        r->weight = 1;
    return true;
}

/* --- Groups ---------------------------------------------------------------------------------- */

static bool alternation(struct reader *r);

static bool group_name(struct reader *r, struct slice *name)
{
    size_t n = slice_find(slice_from(r->s, r->at), '>');

    if (r->at + n >= r->s.n)
        return fail(r, "invalid named capture");
    *name = slice_sub(r->s, r->at, n);
    r->at += n + 1;
    for (size_t i = 0; i < n; i++)
        if (!is_alnum(name->p[i]) && name->p[i] != '_')
            return fail(r, "invalid named capture");
    return n > 0 || fail(r, "invalid named capture");
}

/* (?i-s) or (?i:…), behind "(?"; *group says which. */
static bool group_flags(struct reader *r, struct flags *f, bool *group)
{
    bool on = true, any = false;

    for (;;) {
        uint8_t c = peek(r, 0);
        r->at++;
        bool *const flag = c == 'i'   ? &f->fold
                           : c == 'm' ? &f->multi
                           : c == 's' ? &f->dot_all
                           : c == 'U' ? &f->lazy
                                      : NULL;
        if (flag) {
            *flag = on;
            any = true;
            continue;
        }
        if (c == '-' && on) {
            on = any = false;
            continue;
        }
        *group = c == ':';
        if ((c == ':' || c == ')') && (on || any))
            return true;
        return fail(r, "invalid or unsupported Perl syntax");
    }
}

static bool group(struct reader *r)
{
    struct flags outer = r->flags;
    struct slice name = SLICE_NONE;
    bool capture = true;

    r->at++;
    if (here(r, "?P<") || here(r, "?<")) {
        r->at += peek(r, 1) == 'P' ? 3 : 2;
        if (!group_name(r, &name))
            return false;
    } else if (peek(r, 0) == '?') {
        r->at++;
        struct flags inner = r->flags;
        bool colon;
        if (!group_flags(r, &inner, &colon))
            return false;
        r->flags = inner;
        if (!colon) { /* to the end of the group around it; an atom before it stays the last one */
            r->repeated = false;
            return true;
        }
        capture = false;
    }
    if (capture && r->groups >= GROUPS_MAX)
        return fail(r, "too many groups");
    if (capture)
        r->names[++r->groups] = name;
    if (++r->depth > DEPTH_MAX)
        return fail(r, "expression nests too deeply");
    size_t start = r->b.n;
    buf_text(&r->b, capture ? "(" : "(?:");
    r->has_atom = false;
    if (!alternation(r))
        return false;
    if (peek(r, 0) != ')')
        return fail(r, "missing closing )");
    r->at++;
    buf_byte(&r->b, ')');
    r->depth--;
    r->flags = outer;
    int weight = r->weight;
    begin_atom(r);
    r->atom = start;
    r->weight = weight;
    return true;
}

static bool atom(struct reader *r)
{
    uint8_t c = peek(r, 0);
    uint32_t rune;

    switch (c) {
    case '(':
        return group(r);
    case '[':
        return bracket(r);
    case '\\':
        return escape(r);
    case '*':
    case '+':
    case '?':
    case '{':
        return repetition(r);
    case '.':
        r->at++;
        put_atom(r, r->flags.dot_all ? "(?s:.)" : "[^\\n]");
        return true;
    case '^':
        r->at++;
        put_atom(r, r->flags.multi ? "(?<![^\\n])" : "\\A");
        return true;
    case '$':
        r->at++;
        put_atom(r, r->flags.multi ? "(?![^\\n])" : "\\z");
        return true;
    default:
        r->at += rune_at(r->s, r->at, &rune);
        put_literal(r, rune);
        return true;
    }
}

/* Up to ')' or the end.  Leaves in r->weight the heaviest of what it read. */
static bool alternation(struct reader *r)
{
    int heaviest = 1, last = 1;

    r->weight = 1;
    while (!at_end(r) && peek(r, 0) != ')') {
        if (peek(r, 0) == '|') {
            r->at++;
            buf_byte(&r->b, '|');
            r->has_atom = false;
            continue;
        }
        if (!atom(r))
            return false;
        last = r->weight;
        heaviest = last > heaviest ? last : heaviest;
    }
    r->weight = heaviest;
    r->has_atom = false;
    return true;
}

bool regex_translate(struct arena *a, struct slice re, struct regex *out, const char **why)
{
    struct reader *r = arena_alloc(a, sizeof(*r));

    *why = "invalid UTF-8";
    if (!slice_is_utf8(re))
        return false;
    *why = "expression is too long";
    if (re.n > PATTERN_MAX)
        return false;
    r->a = a;
    r->s = re;
    r->b = buf_new(a, 64 * (size_t)PATTERN_MAX);
    bool good = alternation(r);
    if (good && !at_end(r))
        good = fail(r, "unexpected )");
    if (good && r->b.failed)
        good = fail(r, "expression is too long");
    *why = r->why;
    out->pattern = buf_slice(&r->b);
    out->groups = r->groups;
    out->names = arena_array(a, r->groups + 1, sizeof(*out->names));
    for (size_t i = 1; i <= r->groups; i++)
        out->names[i] = r->names[i];
    return good;
}
