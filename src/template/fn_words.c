/* Functions on words and letters: case, abbreviations, wrapping. */
#include "template/internal.h"

/* --- Case ------------------------------------------------------------------------------------ */

static bool map_runes(struct trun *run, struct slice s, uint32_t (*map)(uint32_t),
                      struct tvalue *out)
{
    struct buf b = run_buf(run);
    uint32_t r;

    for (size_t i = 0; i < s.n && !b.failed;) {
        i += rune_at(s, i, &r);
        rune_put(&b, map(r));
    }
    return run_text(run, &b, out);
}

static bool fn_upper(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return map_runes(run, args[0].text, rune_upper, out);
}

static bool fn_lower(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return map_runes(run, args[0].text, rune_lower, out);
}

/* What stands between words. */
static bool separates(uint32_t r)
{
    if (r < 0x80)
        return !rune_is_letter(r) && !rune_is_digit(r) && r != '_';
    return !rune_is_letter(r) && !rune_is_digit(r) && rune_is_space(r);
}

static bool fn_title(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    struct buf b = run_buf(run);
    uint32_t before = ' ', r;

    (void)n;
    for (size_t i = 0; i < s.n && !b.failed; before = r) {
        i += rune_at(s, i, &r);
        rune_put(&b, separates(before) ? rune_title(r) : r);
    }
    return run_text(run, &b, out);
}

static bool fn_untitle(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    struct buf b = run_buf(run);
    bool first = true;
    uint32_t r;

    (void)n;
    for (size_t i = 0; i < s.n && !b.failed;) {
        i += rune_at(s, i, &r);
        bool space = rune_is_space(r);
        rune_put(&b, first && !space ? rune_lower(r) : r);
        first = space;
    }
    return run_text(run, &b, out);
}

static bool fn_swapcase(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    struct buf b = run_buf(run);
    bool space = true;
    uint32_t r;

    (void)n;
    for (size_t i = 0; i < s.n && !b.failed;) {
        i += rune_at(s, i, &r);
        if (rune_is_upper(r) || rune_is_title(r)) {
            rune_put(&b, rune_lower(r));
            space = false;
        } else if (rune_is_lower(r)) {
            rune_put(&b, space ? rune_title(r) : rune_upper(r));
            space = false;
        } else {
            rune_put(&b, r);
            space = rune_is_space(r);
        }
    }
    return run_text(run, &b, out);
}

static bool fn_snakecase(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);

    (void)n;
    words_join(&b, args[0].text, '_');
    return run_text(run, &b, out);
}

static bool fn_kebabcase(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);

    (void)n;
    words_join(&b, args[0].text, '-');
    return run_text(run, &b, out);
}

static bool fn_camelcase(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);

    (void)n;
    words_camel(&b, args[0].text);
    return run_text(run, &b, out);
}

/* --- Letters --------------------------------------------------------------------------------- */

/* Byte by byte, as the reference does: what is beyond ASCII comes out as Latin-1 read as runes. */
static bool fn_nospace(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    struct buf b = run_buf(run);
    size_t spaces = 0;

    (void)n;
    for (size_t i = 0; i < s.n; i++) {
        bool space = rune_is_space(s.p[i]);
        spaces += space;
        if (!space)
            rune_put(&b, s.p[i]);
    }
    if (spaces)
        return run_text(run, &b, out);
    *out = args[0];
    return true;
}

static bool fn_initials(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    struct buf b = run_buf(run);
    bool gap = true;

    (void)n;
    for (size_t i = 0; i < s.n; i++) {
        bool space = rune_is_space(s.p[i]);
        if (gap && !space)
            rune_put(&b, s.p[i]);
        gap = space;
    }
    return run_text(run, &b, out);
}

/* Cut to width bytes with "..." at the end, and in front when it begins far enough inside. */
static void abbreviate(struct buf *b, struct slice s, int64_t offset, int64_t width)
{
    int64_t size = (int64_t)s.n;

    if (width < 4)
        return;
    if (size <= width)
        return buf_put(b, s);
    if (offset > size)
        offset = size;
    if (size - offset < width - 3)
        offset = size - (width - 3);
    if (offset <= 4) {
        buf_put(b, slice_sub(s, 0, (size_t)(width - 3)));
        return buf_text(b, "...");
    }
    if (width < 7)
        return;
    buf_text(b, "...");
    if (offset + width - 3 < size)
        return abbreviate(b, slice_from(s, (size_t)offset), 0, width - 3);
    buf_put(b, slice_from(s, (size_t)(size - (width - 3))));
}

static bool fn_abbrev(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);

    (void)n;
    if (args[0].i < 4) {
        *out = args[1];
        return true;
    }
    abbreviate(&b, args[1].text, 0, args[0].i);
    return run_text(run, &b, out);
}

static bool fn_abbrevboth(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t left = args[0].i, right = args[1].i;
    struct buf b = run_buf(run);

    (void)n;
    if (right < 4 || (left > 0 && right < 7)) {
        *out = args[2];
        return true;
    }
    abbreviate(&b, args[2].text, left, right);
    return run_text(run, &b, out);
}

/* --- Wrapping -------------------------------------------------------------------------------- */

/* Where the line that begins at `at` ends, and where the next one begins; long: words that do not
 * fit are broken. */
static size_t line_end(struct slice s, size_t at, size_t width, bool break_long, size_t *next)
{
    size_t space = slice_rfind(slice_sub(s, at, width + 1), ' ');

    if (space <= width) {
        *next = at + space + 1;
        return at + space;
    }
    if (break_long) {
        *next = at + width;
        return at + width;
    }
    space = at + width + slice_find(slice_from(s, at + width), ' ');
    *next = space < s.n ? space + 1 : s.n;
    return space;
}

static bool wrap(struct trun *run, struct slice s, int64_t columns, struct slice newline,
                 bool break_long, struct tvalue *out)
{
    struct buf b = run_buf(run);
    size_t width = columns < 1 ? 1 : (size_t)columns, at = 0;

    if (!newline.n)
        newline = SLICE("\n");
    while (s.n - at > width && !b.failed) {
        size_t next;
        if (s.p[at] == ' ') {
            at++;
            continue;
        }
        size_t end = line_end(s, at, width, break_long, &next);
        buf_put(&b, slice_sub(s, at, end - at));
        if (end < s.n)
            buf_put(&b, newline);
        at = next;
    }
    buf_put(&b, slice_from(s, at));
    return run_text(run, &b, out);
}

static bool fn_wrap(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return wrap(run, args[1].text, args[0].i, SLICE(""), false, out);
}

static bool fn_wrap_with(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return wrap(run, args[2].text, args[0].i, args[1].text, true, out);
}

static const struct tfunc FUNCTIONS[] = {
    {"upper", "s", fn_upper, 0},         {"lower", "s", fn_lower, 0},
    {"title", "s", fn_title, 0},         {"untitle", "s", fn_untitle, 0},
    {"swapcase", "s", fn_swapcase, 0},   {"snakecase", "s", fn_snakecase, 0},
    {"kebabcase", "s", fn_kebabcase, 0}, {"camelcase", "s", fn_camelcase, 0},
    {"nospace", "s", fn_nospace, 0},     {"initials", "s", fn_initials, 0},
    {"abbrev", "is", fn_abbrev, 0},      {"abbrevboth", "iis", fn_abbrevboth, 0},
    {"wrap", "is", fn_wrap, 0},          {"wrapWith", "iss", fn_wrap_with, 0},
};
const struct function_table FUNCTIONS_WORDS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
