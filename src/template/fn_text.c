/* Functions on texts: cutting, joining, quoting, splitting. */
#include <stdlib.h>

#include "template/internal.h"

static struct tvalue texts(struct trun *run, const struct tlist_maker *m)
{
    return list_made(run, m, &TTYPE_TEXTS);
}

/* --- Trimming and cutting -------------------------------------------------------------------- */

static bool fn_trim(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    uint32_t rune;
    size_t from = 0, size;

    (void)run, (void)n;
    while (from < s.n && (size = rune_at(s, from, &rune), rune_is_space(rune)))
        from += size;
    while (s.n > from && (size = rune_before(s, s.n, &rune), rune_is_space(rune)))
        s.n -= size;
    *out = tvalue_text(slice_from(s, from));
    return true;
}

static bool in_set(struct slice set, uint32_t rune)
{
    uint32_t r;

    for (size_t i = 0; i < set.n;) {
        i += rune_at(set, i, &r);
        if (r == rune)
            return true;
    }
    return false;
}

static bool fn_trim_all(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice set = args[0].text, s = args[1].text;
    uint32_t rune;
    size_t from = 0, size;

    (void)n;
    if (!run_steps(run, s.n / 16 * (set.n + 1)))
        return false;
    while (from < s.n && (size = rune_at(s, from, &rune), in_set(set, rune)))
        from += size;
    while (s.n > from && (size = rune_before(s, s.n, &rune), in_set(set, rune)))
        s.n -= size;
    *out = tvalue_text(slice_from(s, from));
    return true;
}

static bool starts(struct slice s, struct slice with)
{
    return s.n >= with.n && slice_eq(slice_sub(s, 0, with.n), with);
}

static bool ends(struct slice s, struct slice with)
{
    return s.n >= with.n && slice_eq(slice_from(s, s.n - with.n), with);
}

static bool fn_trim_prefix(struct trun *run, const struct tvalue *args, size_t n,
                           struct tvalue *out)
{
    struct slice s = args[1].text;

    (void)run, (void)n;
    *out = tvalue_text(starts(s, args[0].text) ? slice_from(s, args[0].text.n) : s);
    return true;
}

static bool fn_trim_suffix(struct trun *run, const struct tvalue *args, size_t n,
                           struct tvalue *out)
{
    struct slice s = args[1].text;

    (void)run, (void)n;
    *out = tvalue_text(ends(s, args[0].text) ? slice_sub(s, 0, s.n - args[0].text.n) : s);
    return true;
}

static bool fn_substr(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t start = args[0].i, end = args[1].i, size = (int64_t)args[2].text.n;

    (void)n;
    if (start < 0)
        start = 0;
    else if (end < 0 || end > size)
        end = size;
    if (end < start || end > size)
        return run_fail(run, "slice bounds out of range [%lld:%lld]", (long long)start,
                        (long long)end);
    *out = tvalue_text(slice_sub(args[2].text, (size_t)start, (size_t)(end - start)));
    return true;
}

static bool fn_trunc(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t c = args[0].i, size = (int64_t)args[1].text.n;
    struct slice s = args[1].text;

    (void)run, (void)n;
    if (c < 0 && c > -size)
        s = slice_from(s, (size_t)(size + c));
    else if (c >= 0 && size > c)
        s = slice_sub(s, 0, (size_t)c);
    *out = tvalue_text(s);
    return true;
}

static bool fn_repeat(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);
    struct slice s = args[1].text;

    (void)n;
    if (args[0].i < 0)
        return run_fail(run, "strings: negative Repeat count");
    for (int64_t i = 0; s.n && i < args[0].i && !b.failed; i++)
        buf_put(&b, s);
    return run_text(run, &b, out);
}

/* --- Questions ------------------------------------------------------------------------------- */

static bool fn_contains(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice part = args[0].text, s = args[1].text;

    (void)run, (void)n;
    *out = tvalue_bool(!part.n || slice_search(s, part) < s.n);
    return true;
}

static bool fn_has_prefix(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_bool(starts(args[1].text, args[0].text));
    return true;
}

static bool fn_has_suffix(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_bool(ends(args[1].text, args[0].text));
    return true;
}

/* --- Quoting and joining --------------------------------------------------------------------- */

static bool fn_quote(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);
    bool first = true;

    for (size_t i = 0; i < n; i++) {
        struct slice s;
        if (args[i].kind == T_NIL)
            continue;
        if (!value_text(run, &args[i], &s))
            return false;
        if (!first)
            buf_byte(&b, ' ');
        first = false;
        quote_put(&b, s, '"', false);
    }
    return run_text(run, &b, out);
}

static bool fn_squote(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);
    bool first = true;

    for (size_t i = 0; i < n; i++) {
        if (args[i].kind == T_NIL)
            continue;
        buf_text(&b, first ? "'" : " '");
        first = false;
        if (!print_plain(run, &b, &args[i]))
            return false;
        buf_byte(&b, '\'');
    }
    return run_text(run, &b, out);
}

static bool fn_cat(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);
    bool first = true;

    for (size_t i = 0; i < n; i++) {
        if (args[i].kind == T_NIL)
            continue;
        if (!first)
            buf_byte(&b, ' ');
        first = false;
        if (!print_plain(run, &b, &args[i]))
            return false;
    }
    return run_text(run, &b, out);
}

static bool put_indented(struct trun *run, struct buf *b, int64_t spaces, struct slice s)
{
    if (spaces < 0)
        return run_fail(run, "strings: negative Repeat count");
    for (size_t i = 0; i <= s.n && !b->failed; i++) {
        if (i == 0 || s.p[i - 1] == '\n')
            for (int64_t k = 0; k < spaces && !b->failed; k++)
                buf_byte(b, ' ');
        if (i < s.n)
            buf_byte(b, s.p[i]);
    }
    return true;
}

static bool fn_indent(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);

    (void)n;
    return put_indented(run, &b, args[0].i, args[1].text) && run_text(run, &b, out);
}

static bool fn_nindent(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);

    (void)n;
    buf_byte(&b, '\n');
    return put_indented(run, &b, args[0].i, args[1].text) && run_text(run, &b, out);
}

/* An empty old text stands before each rune and at the end. */
static void replace_empty(struct buf *b, struct slice s, struct slice new)
{
    uint32_t rune;

    for (size_t i = 0; i < s.n && !b->failed;) {
        size_t size = rune_at(s, i, &rune);
        buf_put(b, new);
        buf_put(b, slice_sub(s, i, size));
        i += size;
    }
    buf_put(b, new);
}

static bool fn_replace(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice old = args[0].text, new = args[1].text, s = args[2].text;
    struct buf b = run_buf(run);

    (void)n;
    if (!old.n) {
        replace_empty(&b, s, new);
        return run_text(run, &b, out);
    }
    for (size_t at; (at = slice_search(s, old)) < s.n && !b.failed;) {
        buf_put(&b, slice_sub(s, 0, at));
        buf_put(&b, new);
        s = slice_from(s, at + old.n);
    }
    buf_put(&b, s);
    return run_text(run, &b, out);
}

static bool fn_plural(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = args[args[2].i == 1 ? 0 : 1];
    return true;
}

static bool fn_to_string(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s;

    (void)n;
    if (!value_text(run, &args[0], &s))
        return false;
    *out = tvalue_text(s);
    return true;
}

/* The elements of a list as texts without nil; anything else as one text, nil as none. */
static bool to_texts(struct trun *run, const struct tvalue *v, struct tlist_maker *m)
{
    struct slice s;

    if (!value_is_list(v)) {
        if (v->kind == T_NIL)
            return true;
        return value_text(run, v, &s) && list_add(run, m, tvalue_text(s));
    }
    for (size_t i = 0; i < value_count(v); i++) {
        struct tvalue item = value_item(v, i);
        if (item.kind == T_NIL)
            continue;
        if (!value_text(run, &item, &s) || !list_add(run, m, tvalue_text(s)))
            return false;
    }
    return true;
}

static bool fn_to_strings(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};

    (void)n;
    if (!to_texts(run, &args[0], &m))
        return false;
    *out = texts(run, &m);
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    const struct tvalue *left = a, *right = b;
    return slice_cmp(left->text, right->text);
}

static bool fn_sort_alpha(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};

    (void)n;
    if (args[0].kind == T_NIL) { /* as the reference: the text of nil */
        if (!list_add(run, &m, tvalue_text(SLICE("<nil>"))))
            return false;
    } else if (!to_texts(run, &args[0], &m)) {
        return false;
    }
    if (m.n)
        qsort(m.items, m.n, sizeof(*m.items), by_bytes);
    *out = texts(run, &m);
    return true;
}

static bool fn_join(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};
    struct buf b = run_buf(run);

    (void)n;
    if (!to_texts(run, &args[1], &m))
        return false;
    for (size_t i = 0; i < m.n && !b.failed; i++) {
        if (i)
            buf_put(&b, args[0].text);
        buf_put(&b, m.items[i].text);
    }
    return run_text(run, &b, out);
}

/* --- Splitting ------------------------------------------------------------------------------- */

/* At most `most` parts (negative: all). An empty separator splits into runes. */
static bool split(struct trun *run, struct slice sep, struct slice s, int64_t most,
                  struct tlist_maker *m)
{
    uint32_t rune;

    if (most == 0)
        return true;
    while (most < 0 || (int64_t)m->n + 1 < most) {
        size_t at = slice_search(s, sep), skip = sep.n;
        if (!sep.n) {
            at = s.n ? rune_at(s, 0, &rune) : 0;
            if (at == s.n)
                break;
        } else if (at == s.n) {
            break;
        }
        if (!list_add(run, m, tvalue_text(slice_sub(s, 0, at))))
            return false;
        s = slice_from(s, at + skip);
    }
    if (!sep.n && !s.n)
        return true;
    return list_add(run, m, tvalue_text(s));
}

static bool split_map(struct trun *run, struct slice sep, struct slice s, int64_t most,
                      struct tvalue *out)
{
    struct tlist_maker m = {0};

    *out = tvalue_map(run->a, &TTYPE_TEXT_MAP);
    if (!split(run, sep, s, most, &m))
        return false;
    for (size_t i = 0; i < m.n; i++) {
        struct slice name = arena_format(run->a, "_%zu", i);
        run_map_set(run, out->map, name, m.items[i]);
        if (!run_step(run))
            return false;
    }
    return run_memory_ok(run);
}

static bool fn_split(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return split_map(run, args[0].text, args[1].text, -1, out);
}

static bool fn_splitn(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return split_map(run, args[0].text, args[2].text, args[1].i, out);
}

static bool fn_split_list(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};

    (void)n;
    if (!split(run, args[0].text, args[1].text, -1, &m))
        return false;
    *out = texts(run, &m);
    return true;
}

static bool fn_hello(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)args, (void)n;
    *out = tvalue_text(SLICE("Hello!"));
    return true;
}

/* What the requester is told.  The run ends here. */
static bool fn_fail(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;

    (void)n, (void)out;
    if (!s.n)
        return run_fail(run, "%s", "");
    struct err_note *note = arena_alloc(run->a, sizeof(*note));
    *note = (struct err_note){NULL, SLICE(TEMPLATE_FAIL), arena_copy(run->a, s)};
    err_set(run->e, ERR_MALFORMED, "%.*s", SLICE_ARG(s));
    if (run->e) {
        run->e->code = TEMPLATE_FAIL;
        run->e->tell = true;
        run->e->notes = note;
    }
    run->told = run->failed = true;
    return false;
}

static const struct tfunc FUNCTIONS[] = {
    {"trim", "s", fn_trim, 0},
    {"trimAll", "ss", fn_trim_all, 0},
    {"trimall", "ss", fn_trim_all, 0},
    {"trimPrefix", "ss", fn_trim_prefix, 0},
    {"trimSuffix", "ss", fn_trim_suffix, 0},
    {"substr", "iis", fn_substr, 0},
    {"trunc", "is", fn_trunc, 0},
    {"repeat", "is", fn_repeat, 0},
    {"contains", "ss", fn_contains, 0},
    {"hasPrefix", "ss", fn_has_prefix, 0},
    {"hasSuffix", "ss", fn_has_suffix, 0},
    {"quote", "a*", fn_quote, 0},
    {"squote", "a*", fn_squote, 0},
    {"cat", "a*", fn_cat, 0},
    {"indent", "is", fn_indent, 0},
    {"nindent", "is", fn_nindent, 0},
    {"replace", "sss", fn_replace, 0},
    {"plural", "ssi", fn_plural, 0},
    {"toString", "a", fn_to_string, 0},
    {"toStrings", "a", fn_to_strings, 0},
    {"sortAlpha", "a", fn_sort_alpha, 0},
    {"join", "sa", fn_join, 0},
    {"split", "ss", fn_split, 0},
    {"splitn", "sis", fn_splitn, 0},
    {"splitList", "ss", fn_split_list, 0},
    {"hello", "", fn_hello, 0},
    {"fail", "s", fn_fail, 0},
};
const struct function_table FUNCTIONS_TEXT = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
