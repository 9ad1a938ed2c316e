/*
 * The JSON reader (RFC 8259).  One pass, recursive, bounded by the rules' depth; a value's nodes
 * come from the caller's arena, and texts without escapes are not copied.
 *
 * Invariants: r->at never passes r->in.n; on failure the error is set exactly once, by fail() or
 * expected(), at the place where reading stopped.  Errors never show the text of a value (it may
 * be a password): only member names and single characters.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/json.h"
#include "json/utf8.h"

#define DEPTH_MAX  1000 /* whatever the rules say: nesting uses the stack */
#define NAME_SHOWN 40   /* longest name that an error quotes */
#define FEW        8    /* members that are compared without sorting them */

const struct json_rules JSON_API = {.depth = 64, .values = 50000};
/* RFC 7515 section 5.2 requires UTF-8, section 4 unique names. */
const struct json_rules JSON_JOSE = {.depth = 32,
                                     .values = 10000,
                                     .reject_duplicates = true,
                                     .reject_rest = true,
                                     .bare_utf8 = true};
const struct json_rules JSON_CONFIG = {
    .depth = 100, .values = 1000000, .allow_trailing_comma = true, .skip_bom = true};
const struct json_rules JSON_STRICT = {
    .depth = 100, .values = 100000, .reject_rest = true, .skip_bom = true};
const struct json_rules JSON_RECORD = {.depth = 100, .values = 1000000, .reject_rest = true};

/* Where an offset stands, in lines and characters, both from 1. */
struct place {
    size_t at;
    uint32_t line, column;
};

struct reader {
    struct arena *a;
    struct slice in;
    size_t at;
    const struct json_rules *rules;
    struct json_notes *notes;
    struct err *e;
    unsigned depth, values;
    size_t begin;       /* after a byte order mark */
    struct place place; /* the last one asked for: asking in order costs one pass in all */
};

static const struct slice BOM = {(const uint8_t *)"\xef\xbb\xbf", 3};

static struct place place_of(struct reader *r, size_t at)
{
    struct place p = r->place;
    if (at < p.at)
        p = (struct place){r->begin, 1, 1};
    while (p.at < at) {
        uint64_t v = at - p.at >= 8 ? eight_bytes(r->in.p + p.at) : EACH_BYTE('\n');
        if (!any_beyond_ascii(v) && !any_equal(v, '\n')) {
            p.at += 8;
            p.column += 8;
            continue;
        }
        uint8_t c = r->in.p[p.at];
        if (c == '\n') {
            p.line++;
            p.column = 1;
        } else if ((c & 0xc0) != 0x80) {
            p.column++;
        }
        p.at++;
    }
    r->place = p;
    return p;
}

static bool at_end(const struct reader *r)
{
    return r->at >= r->in.n;
}

/* The byte here; 0 at the end, which no rule of the grammar accepts. */
static uint8_t here(const struct reader *r)
{
    return at_end(r) ? 0 : r->in.p[r->at];
}

static bool take(struct reader *r, uint8_t byte)
{
    if (at_end(r) || r->in.p[r->at] != byte)
        return false;
    r->at++;
    return true;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct reader *r)
{
    while (!at_end(r) && is_blank(r->in.p[r->at]))
        r->at++;
}

/* --- Errors ------------------------------------------------------------------------------- */

static bool fail(struct reader *r, size_t at, const char *fmt, ...) PRINTF(3, 4);

static bool fail(struct reader *r, size_t at, const char *fmt, ...)
{
    char text[320];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct place p = place_of(r, at);
    return err_set(r->e, ERR_MALFORMED, "%u:%u: %s", p.line, p.column, text);
}

/* The text that begins here when it is a member's name, short and valid; else absent. */
static struct slice name_here(const struct reader *r)
{
    size_t from = r->at + 1, to = from;
    while (to < r->in.n && r->in.p[to] != '"' && r->in.p[to] != '\\' && r->in.p[to] >= 0x20)
        to++;
    if (to >= r->in.n || r->in.p[to] != '"' || to - from > NAME_SHOWN)
        return SLICE_NONE;
    struct slice name = slice_of(r->in.p + from, to - from);
    for (to++; to < r->in.n && is_blank(r->in.p[to]); to++)
        ;
    bool colon = to < r->in.n && r->in.p[to] == ':';
    return colon && slice_is_utf8(name) ? name : SLICE_NONE;
}

/* What stands here, for "… before X". */
static const char *describe(const struct reader *r, char out[64])
{
    if (at_end(r))
        return "end of input";
    uint8_t c = here(r);
    if (c == '"') {
        struct slice name = name_here(r);
        if (!name.p)
            return "a text";
        snprintf(out, 64, "\"%.*s\"", SLICE_ARG(name));
        return out;
    }
    if (is_digit(c) || c == '-')
        return "a number";
    uint32_t rune;
    json_utf8_step(r->in, r->at, &rune);
    if (rune == 0xfeff)
        return "a byte order mark";
    if (rune == '\'')
        return "a single quote";
    if (rune > ' ' && rune < 0x7f)
        snprintf(out, 64, "'%c'", (int)rune);
    else if (rune >= 0x80 && rune != RUNE_BAD)
        snprintf(out, 64, "U+%04X", (unsigned)rune);
    else
        snprintf(out, 64, "byte 0x%02x", c);
    return out;
}

static const char *hint(const struct reader *r)
{
    uint8_t c = here(r), next = r->at + 1 < r->in.n ? r->in.p[r->at + 1] : 0;
    if (c == '#' || (c == '/' && (next == '/' || next == '*')))
        return "; JSON has no comments: rename a member to disable it, e.g. \"_db\", or note "
               "something in a member called \"//\"";
    return "";
}

static bool expected(struct reader *r, const char *what)
{
    char found[64];
    return fail(r, r->at, "expected %s before %s%s", what, describe(r, found), hint(r));
}

/* --- Texts -------------------------------------------------------------------------------- */

static int hex_digit(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The four digits at p[at]; RUNE_BAD when they are none. */
static uint32_t hex4(struct slice s, size_t at)
{
    if (at > s.n || s.n - at < 4)
        return RUNE_BAD;
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit(s.p[at + i]);
        if (digit < 0)
            return RUNE_BAD;
        value = value << 4 | (uint32_t)digit;
    }
    return value;
}

/* '"' -> '"', 'n' -> LF …; 0 for what may not follow a backslash. */
static uint8_t escape_of(uint8_t c)
{
    static const char FROM[] = "\"\\/bfnrt", TO[] = "\"\\/\b\f\n\r\t";
    const char *p = c ? strchr(FROM, c) : NULL;
    return p ? (uint8_t)TO[p - FROM] : 0;
}

static bool check_escape(struct reader *r)
{
    r->at++;
    if (take(r, 'u')) {
        if (hex4(r->in, r->at) == RUNE_BAD)
            return fail(r, r->at, "expected four hexadecimal digits after \\u");
        r->at += 4;
        return true;
    }
    if (!escape_of(here(r)))
        return expected(r, "one of \" \\ / b f n r t u after the backslash");
    r->at++;
    return true;
}

/* Over what stands for itself in a text, as far as that is quick. */
static void skip_plain(struct reader *r)
{
    while (r->in.n - r->at >= 8) {
        uint64_t v = eight_bytes(r->in.p + r->at);
        if (any_beyond_ascii(v) | any_below(v, 0x20) | any_equal(v, '"') | any_equal(v, '\\'))
            return;
        r->at += 8;
    }
}

/* Moves past the closing quote.  *plain: the bytes between are the text itself; *grow: how many
 * bytes more than the input the decoded text may need. */
static bool scan_text(struct reader *r, bool *plain, size_t *grow)
{
    size_t start = r->at++;
    *plain = true;
    *grow = 0;
    skip_plain(r);
    for (;;) {
        if (at_end(r))
            return fail(r, start, "expected '\"' before end of input (a text begins here)");
        uint8_t c = r->in.p[r->at];
        if (c == '"')
            break;
        if (c == '\n' || c == '\r')
            return fail(r, r->at, "expected '\"' before end of line");
        if (c < 0x20)
            return fail(r, r->at, "expected \\u%04x for a control character in a text", c);
        if (c == '\\') {
            *plain = false;
            if (!check_escape(r))
                return false;
            skip_plain(r);
            continue;
        }
        if (c < 0x80) {
            r->at++;
            continue;
        }
        uint32_t rune;
        size_t n = json_utf8_step(r->in, r->at, &rune);
        if (rune == RUNE_BAD && r->rules->bare_utf8)
            return fail(r, r->at,
                        "expected UTF-8 (RFC 8259 section 8.1) before "
                        "byte 0x%02x",
                        c);
        if (rune == RUNE_BAD) {
            *plain = false;
            *grow += 2;
        }
        r->at += n;
    }
    r->at++;
    return true;
}

/* The code point of the \u escape whose digits begin at *at, with the second half of a surrogate
 * pair when it is there; a lone half is U+FFFD. */
static uint32_t decode_unicode(struct slice s, size_t *at)
{
    uint32_t high = hex4(s, *at);
    *at += 4;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff || s.n - *at < 6 || s.p[*at] != '\\' || s.p[*at + 1] != 'u')
        return RUNE_REPLACEMENT;
    uint32_t low = hex4(s, *at + 2);
    if (low < 0xdc00 || low > 0xdfff)
        return RUNE_REPLACEMENT;
    *at += 6;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* s has passed scan_text. */
static struct slice decode_text(struct arena *a, struct slice s, size_t grow)
{
    uint8_t *out = arena_alloc(a, s.n + grow);
    size_t n = 0, at = 0;
    while (at < s.n) {
        uint32_t rune;
        if (s.p[at] == '\\' && s.p[at + 1] == 'u') {
            at += 2;
            rune = decode_unicode(s, &at);
        } else if (s.p[at] == '\\') {
            rune = escape_of(s.p[at + 1]);
            at += 2;
        } else {
            at += json_utf8_step(s, at, &rune);
        }
        n += json_utf8_put(out + n, rune == RUNE_BAD ? RUNE_REPLACEMENT : rune);
    }
    return slice_of(out, n);
}

static bool read_text(struct reader *r, struct slice *text)
{
    size_t start = r->at, grow;
    bool plain;
    if (!scan_text(r, &plain, &grow))
        return false;
    struct slice inside = slice_of(r->in.p + start + 1, r->at - start - 2);
    *text = plain ? inside : decode_text(r->a, inside, grow);
    return true;
}

/* --- Numbers and words -------------------------------------------------------------------- */

static bool skip_digits(struct reader *r, const char *where)
{
    if (!is_digit(here(r)))
        return expected(r, where);
    while (is_digit(here(r)))
        r->at++;
    return true;
}

static bool read_number(struct reader *r, struct json *v)
{
    size_t start = r->at;
    take(r, '-');
    if (!take(r, '0') && !skip_digits(r, "a digit"))
        return false;
    if (take(r, '.') && !skip_digits(r, "a digit of the fraction"))
        return false;
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            take(r, '-');
        if (!skip_digits(r, "a digit of the exponent"))
            return false;
    }
    v->kind = JSON_NUMBER;
    v->text = slice_of(r->in.p + start, r->at - start);
    return true;
}

static const struct word {
    const char *text;
    enum json_kind kind;
    bool truth;
} WORDS[] = {{"true", JSON_BOOL, true}, {"false", JSON_BOOL, false}, {"null", JSON_NULL, false}};

static bool read_word(struct reader *r, struct json *v, const char *wanted)
{
    struct slice rest = slice_from(r->in, r->at);
    for (size_t i = 0; i < COUNT_OF(WORDS); i++) {
        if (!slice_starts(rest, WORDS[i].text))
            continue;
        r->at += strlen(WORDS[i].text);
        v->kind = WORDS[i].kind;
        v->truth = WORDS[i].truth;
        return true;
    }
    return expected(r, wanted);
}

/* --- Containers --------------------------------------------------------------------------- */

static struct json *read_value(struct reader *r, const char *wanted);

static void note_comma(struct reader *r, size_t at)
{
    if (r->notes->trailing_commas++)
        return;
    struct place p = place_of(r, at);
    r->notes->comma_line = p.line;
    r->notes->comma_column = p.column;
}

enum more { MORE_NO, MORE_YES, MORE_ERROR };

/* After an element: a comma and another one, or the end of the container, which is taken. */
static enum more read_more(struct reader *r, uint8_t closer)
{
    skip_blanks(r);
    if (take(r, closer))
        return MORE_NO;
    size_t comma = r->at;
    if (!take(r, ',')) {
        expected(r, closer == '}' ? "',' or '}'" : "',' or ']'");
        return MORE_ERROR;
    }
    skip_blanks(r);
    if (here(r) != closer)
        return MORE_YES;
    if (!r->rules->allow_trailing_comma) {
        expected(r, closer == '}' ? "a member after ','" : "a value after ','");
        return MORE_ERROR;
    }
    note_comma(r, comma);
    r->at++;
    return MORE_NO;
}

static bool read_member(struct reader *r, struct json *object)
{
    if (here(r) != '"')
        return expected(r, object->n ? "a member's name in double quotes"
                                     : "a member's name in double quotes or '}'");
    struct slice name;
    if (!read_text(r, &name))
        return false;
    skip_blanks(r);
    if (!take(r, ':'))
        return expected(r, "':'");
    skip_blanks(r);
    struct json *v = read_value(r, "a value");
    if (!v)
        return false;
    v->name = name;
    json_append(object, v);
    return true;
}

static int member_order(const void *x, const void *y)
{
    const struct json *a = *(const struct json *const *)x, *b = *(const struct json *const *)y;
    int order = slice_cmp(a->name, b->name);
    if (order)
        return order;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->column < b->column ? -1 : a->column > b->column;
}

/* Few members are compared with each other: nearly always that is all. */
static bool all_differ(const struct json *object)
{
    if (object->n > FEW)
        return false;
    for (const struct json *m = object->first; m; m = m->next)
        for (const struct json *other = m->next; other; other = other->next)
            if (slice_eq(m->name, other->name))
                return false;
    return true;
}

static bool check_duplicates(struct reader *r, const struct json *object)
{
    if (all_differ(object))
        return true;
    const struct json **sorted = arena_array(r->a, object->n, sizeof(const struct json *));
    size_t n = 0;
    for (const struct json *m = object->first; m; m = m->next)
        sorted[n++] = m;
    qsort(sorted, n, sizeof(const struct json *), member_order);
    for (size_t i = 1; i < n; i++) {
        const struct json *m = sorted[i];
        if (!slice_eq(sorted[i - 1]->name, m->name))
            continue;
        bool show = m->name.n <= NAME_SHOWN && slice_is_utf8(m->name) && !slice_has_nul(m->name);
        return err_set(r->e, ERR_MALFORMED,
                       "%u:%u: expected each member once, found \"%.*s\" again", m->line, m->column,
                       SLICE_ARG(show ? m->name : SLICE("...")));
    }
    return true;
}

static bool read_object(struct reader *r, struct json *v)
{
    v->kind = JSON_OBJECT;
    r->at++;
    skip_blanks(r);
    if (take(r, '}'))
        return true;
    enum more more = MORE_YES;
    while (more == MORE_YES) {
        if (!read_member(r, v))
            return false;
        more = read_more(r, '}');
    }
    if (more == MORE_ERROR)
        return false;
    return !r->rules->reject_duplicates || check_duplicates(r, v);
}

static bool read_list(struct reader *r, struct json *v)
{
    v->kind = JSON_LIST;
    r->at++;
    skip_blanks(r);
    if (take(r, ']'))
        return true;
    enum more more = MORE_YES;
    while (more == MORE_YES) {
        struct json *element = read_value(r, v->n ? "a value" : "a value or ']'");
        if (!element)
            return false;
        json_append(v, element);
        more = read_more(r, ']');
    }
    return more == MORE_NO;
}

static bool read_container(struct reader *r, struct json *v)
{
    unsigned limit = r->rules->depth < DEPTH_MAX ? r->rules->depth : DEPTH_MAX;
    if (r->depth >= limit)
        return fail(r, r->at, "expected at most %u levels of nesting", limit);
    r->depth++;
    bool ok = here(r) == '{' ? read_object(r, v) : read_list(r, v);
    r->depth--;
    return ok;
}

static bool read_kind(struct reader *r, struct json *v, const char *wanted)
{
    uint8_t c = here(r);
    if (c == '{' || c == '[')
        return read_container(r, v);
    if (c == '"') {
        v->kind = JSON_TEXT;
        return read_text(r, &v->text);
    }
    if (c == '-' || is_digit(c))
        return read_number(r, v);
    return read_word(r, v, wanted);
}

static struct json *read_value(struct reader *r, const char *wanted)
{
    if (r->values >= r->rules->values) {
        fail(r, r->at, "expected at most %u values", r->rules->values);
        return NULL;
    }
    r->values++;
    struct json *v = arena_alloc(r->a, sizeof *v);
    struct place p = place_of(r, r->at);
    v->line = p.line;
    v->column = p.column;
    size_t start = r->at;
    if (!read_kind(r, v, wanted))
        return NULL;
    v->raw = slice_of(r->in.p + start, r->at - start);
    return v;
}

struct json *json_read(struct arena *a, struct slice input, const struct json_rules *rules,
                       struct json_notes *notes, struct err *e)
{
    struct json_notes unwanted;
    struct reader r = {.a = a, .in = input, .rules = rules, .e = e};
    r.notes = notes ? notes : &unwanted;
    *r.notes = (struct json_notes){0};
    if (rules->skip_bom && slice_starts(input, (const char *)BOM.p))
        r.at = r.begin = BOM.n;
    r.place = (struct place){r.begin, 1, 1};
    skip_blanks(&r);
    struct json *v = read_value(&r, "a value");
    if (!v)
        return NULL;
    skip_blanks(&r);
    if (at_end(&r))
        return v;
    if (!rules->reject_rest) {
        r.notes->rest = true;
        return v;
    }
    expected(&r, "end of input");
    return NULL;
}
