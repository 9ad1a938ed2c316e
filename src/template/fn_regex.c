/*
 * Regular expressions: RE2's language (regex_read.c) run by PCRE2, without its JIT compiler, with
 * limits on steps and memory.  A subject that is not valid UTF-8 is matched with U+FFFD in place of
 * each bad byte; results are cut from the original.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "template/regex.h"
#include "json/utf8.h"

#define MATCH_STEPS  1000000u
#define MATCH_MEMORY 20480u /* KiB */

struct matcher {
    struct trun *run;
    struct regex re;
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    struct slice s, subject; /* original; as matched */
    size_t *map;             /* subject offset -> original offset; NULL: the same */
    size_t *at;              /* of the last match: start and end for each group, SIZE_MAX: none */
};

static void matcher_free(struct matcher *m)
{
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->limits);
    pcre2_code_free(m->code);
}

/* The offset in the subject of an original offset. */
static size_t in_subject(const struct matcher *m, size_t original)
{
    size_t low = 0, high = m->subject.n;

    if (!m->map)
        return original;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->map[middle] < original)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void repair(struct matcher *m)
{
    struct trun *run = m->run;
    uint8_t *to = run_alloc(run, 3 * m->s.n + 1);
    size_t n = 0;

    m->map = run_alloc(run, (3 * m->s.n + 1) * sizeof(*m->map));
    for (size_t i = 0; i < m->s.n;) {
        uint32_t rune;
        size_t size = rune_at(m->s, i, &rune), put = json_utf8_put(to + n, rune);
        for (size_t k = 0; k < put; k++)
            m->map[n + k] = i;
        n += put;
        i += size;
    }
    m->map[n] = m->s.n;
    m->subject = slice_of(to, n);
}

/* What is wrong with the expression, or NULL. */
static const char *compile(struct matcher *m, struct trun *run, struct slice re)
{
    PCRE2_UCHAR text[120];
    PCRE2_SIZE at;
    const char *why;
    int code;

    *m = (struct matcher){.run = run};
    run->memory += 8192 + 16 * re.n; /* the reader's */
    if (!regex_translate(run->a, re, &m->re, &why))
        return why;
    m->code =
        pcre2_compile(m->re.pattern.p, m->re.pattern.n,
                      PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP, &code, &at, NULL);
    if (!m->code) {
        pcre2_get_error_message(code, text, sizeof(text));
        return arena_printf(run->a, "%s", (const char *)text);
    }
    m->data = pcre2_match_data_create_from_pattern(m->code, NULL);
    m->limits = pcre2_match_context_create(NULL);
    if (!m->data || !m->limits)
        return "out of memory";
    pcre2_set_match_limit(m->limits, MATCH_STEPS);
    pcre2_set_depth_limit(m->limits, MATCH_STEPS);
    pcre2_set_heap_limit(m->limits, MATCH_MEMORY);
    m->at = run_alloc(run, (m->re.groups + 1) * 2 * sizeof(*m->at));
    return NULL;
}

static bool start(struct matcher *m, struct trun *run, const struct tvalue *re, struct slice s)
{
    const char *why = compile(m, run, re->text);

    if (why) {
        matcher_free(m);
        return run_fail(run, "error parsing regexp: %s: `%.*s`", why,
                        SLICE_ARG(slice_sub(re->text, 0, 80)));
    }
    m->s = m->subject = s;
    if (!slice_is_utf8(s))
        repair(m);
    return true;
}

/* The first match from an original offset on. */
static bool find(struct matcher *m, size_t from, bool *found)
{
    *found = false;
    if (!run_step(m->run))
        return false;
    int n = pcre2_match(m->code, m->subject.p, m->subject.n, in_subject(m, from),
                        PCRE2_NO_UTF_CHECK, m->data, m->limits);
    if (n == PCRE2_ERROR_NOMATCH)
        return true;
    if (n < 0)
        return run_fail_kind(m->run, ERR_TOO_LARGE,
                             "the regular expression takes too many steps or too much memory");
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m->data);
    for (size_t i = 0; i < 2 * (m->re.groups + 1); i++)
        m->at[i] = at[i] == PCRE2_UNSET ? SIZE_MAX : m->map ? m->map[at[i]] : at[i];
    *found = true;
    return true;
}

static size_t rune_size(const struct matcher *m, size_t at)
{
    uint32_t rune;
    return at < m->s.n ? rune_at(m->s, at, &rune) : 0;
}

static struct slice matched(const struct matcher *m)
{
    return slice_sub(m->s, m->at[0], m->at[1] - m->at[0]);
}

/* --- Match and find -------------------------------------------------------------------------- */

static bool fn_must_match(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct matcher m;
    bool found;

    (void)n;
    if (!start(&m, run, &args[0], args[1].text))
        return false;
    bool good = find(&m, 0, &found);
    matcher_free(&m);
    *out = tvalue_bool(found);
    return good;
}

/* An invalid expression matches nothing. */
static bool fn_match(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    if (fn_must_match(run, args, n, out))
        return true;
    if (run->kind != ERR_INTERNAL)
        return false;
    run->failed = false;
    *out = tvalue_bool(false);
    return true;
}

static bool fn_find(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct matcher m;
    bool found;

    (void)n;
    if (!start(&m, run, &args[0], args[1].text))
        return false;
    bool good = find(&m, 0, &found);
    *out = tvalue_text(found ? matched(&m) : SLICE(""));
    matcher_free(&m);
    return good;
}

/* Calls take for each match, at most `most` times (negative: all).  An empty match right behind
 * another one does not count. */
static bool each_match(struct matcher *m, int64_t most, bool (*take)(struct matcher *m, void *user),
                       void *user)
{
    size_t at = 0, before = SIZE_MAX;
    int64_t taken = 0;
    bool found;

    while ((most < 0 || taken < most) && at <= m->s.n) {
        if (!find(m, at, &found))
            return false;
        if (!found)
            return true;
        bool accept = true;
        if (m->at[1] == at) {
            accept = m->at[0] != before;
            at += at < m->s.n ? rune_size(m, at) : 1;
        } else {
            at = m->at[1];
        }
        before = m->at[1];
        if (accept && !take(m, user))
            return false;
        taken += accept;
    }
    return true;
}

static bool take_text(struct matcher *m, void *user)
{
    return list_add(m->run, user, tvalue_text(matched(m)));
}

static bool fn_find_all(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker list = {0};
    struct matcher m;

    (void)n;
    if (!start(&m, run, &args[0], args[1].text))
        return false;
    bool good = each_match(&m, args[2].i, take_text, &list);
    matcher_free(&m);
    *out = (struct tvalue){.kind = T_LIST, .type = &TTYPE_TEXTS};
    if (list.n)
        *out = list_made(run, &list, &TTYPE_TEXTS);
    return good;
}

/* --- Splitting ------------------------------------------------------------------------------- */

struct splitting {
    struct tlist_maker list;
    size_t begin, end;
    int64_t most;
};

static bool take_part(struct matcher *m, void *user)
{
    struct splitting *s = user;

    if (s->most > 0 && (int64_t)s->list.n >= s->most - 1)
        return true;
    s->end = m->at[0];
    size_t from = s->begin;
    s->begin = m->at[1];
    return m->at[1] == 0 ||
           list_add(m->run, &s->list, tvalue_text(slice_sub(m->s, from, s->end - from)));
}

static bool fn_split(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct splitting s = {.most = args[2].i};
    struct matcher m;

    (void)n;
    if (!start(&m, run, &args[0], args[1].text))
        return false;
    *out = (struct tvalue){.kind = T_LIST, .type = &TTYPE_TEXTS};
    bool good = true, empty = args[0].text.n && !m.s.n;
    if (s.most && !empty)
        good = each_match(&m, s.most, take_part, &s);
    if (good && s.most && (empty || s.end != m.s.n))
        good = list_add(run, &s.list, tvalue_text(slice_from(m.s, s.begin)));
    matcher_free(&m);
    if (s.most)
        *out = list_made(run, &s.list, &TTYPE_TEXTS);
    return good;
}

/* --- Replacing ------------------------------------------------------------------------------- */

static bool is_name(uint32_t r)
{
    return r == '_' || rune_is_letter(r) || rune_is_digit(r);
}

/* "$name" or "${name}" at the start of s, whose '$' is past: how long it is, 0 when it is none. */
static size_t reference(struct slice s, struct slice *name)
{
    bool brace = s.n && s.p[0] == '{';
    size_t at = brace, from = at;
    uint32_t rune;

    while (at < s.n) {
        size_t size = rune_at(s, at, &rune);
        if (!is_name(rune))
            break;
        at += size;
    }
    *name = slice_sub(s, from, at - from);
    if (at == from || (brace && (at >= s.n || s.p[at] != '}')))
        return 0;
    return at + brace;
}

static bool all_digits(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

static void put_group(const struct matcher *m, struct buf *b, struct slice name)
{
    uint64_t number = 0;
    size_t group = SIZE_MAX;

    if (all_digits(name) && name.n <= 8 && !(name.n > 1 && name.p[0] == '0')) {
        if (slice_to_u64(name, &number) && number <= m->re.groups)
            group = (size_t)number;
    } else {
        for (size_t i = 1; i <= m->re.groups && group == SIZE_MAX; i++)
            if (m->re.names[i].p && slice_eq(m->re.names[i], name) && m->at[2 * i] != SIZE_MAX)
                group = i; /* of several with that name the first that matched */
    }
    if (group == SIZE_MAX || m->at[2 * group] == SIZE_MAX)
        return;
    buf_put(b, slice_sub(m->s, m->at[2 * group], m->at[2 * group + 1] - m->at[2 * group]));
}

static void expand(const struct matcher *m, struct buf *b, struct slice with)
{
    while (with.n && !b->failed) {
        size_t plain = slice_find(with, '$');
        struct slice name;
        buf_put(b, slice_sub(with, 0, plain));
        if (plain == with.n)
            return;
        with = slice_from(with, plain + 1);
        if (with.n && with.p[0] == '$') {
            buf_byte(b, '$');
            with = slice_from(with, 1);
            continue;
        }
        size_t n = reference(with, &name);
        if (n)
            put_group(m, b, name);
        else
            buf_byte(b, '$');
        with = slice_from(with, n);
    }
}

static bool replace(struct matcher *m, struct buf *b, struct slice with, bool literal)
{
    size_t at = 0, end = 0;
    bool found;

    while (at <= m->s.n && !b->failed) {
        if (!find(m, at, &found))
            return false;
        if (!found)
            break;
        buf_put(b, slice_sub(m->s, end, m->at[0] - end));
        if (m->at[1] > end || m->at[0] == 0) {
            if (literal)
                buf_put(b, with);
            else
                expand(m, b, with);
        }
        end = m->at[1];
        size_t size = rune_size(m, at);
        if (at + size > end)
            at += size;
        else
            at = at + 1 > end ? at + 1 : end;
    }
    buf_put(b, slice_from(m->s, end));
    return true;
}

static bool replace_all(struct trun *run, const struct tvalue *args, bool literal,
                        struct tvalue *out)
{
    struct matcher m;
    struct buf b = run_buf(run);

    if (!start(&m, run, &args[0], args[1].text))
        return false;
    bool good = replace(&m, &b, args[2].text, literal);
    matcher_free(&m);
    return good && run_text(run, &b, out);
}

static bool fn_replace(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return replace_all(run, args, false, out);
}

static bool fn_replace_literal(struct trun *run, const struct tvalue *args, size_t n,
                               struct tvalue *out)
{
    (void)n;
    return replace_all(run, args, true, out);
}

static bool fn_quote_meta(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    struct buf b = run_buf(run);

    (void)n;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] && strchr("\\.+*?()|[]{}^$", s.p[i]))
            buf_byte(&b, '\\');
        buf_byte(&b, s.p[i]);
    }
    return run_text(run, &b, out);
}

static const struct tfunc FUNCTIONS[] = {
    {"regexMatch", "ss", fn_match, 0},
    {"mustRegexMatch", "ss", fn_must_match, 0},
    {"regexFind", "ss", fn_find, 0},
    {"mustRegexFind", "ss", fn_find, 0},
    {"regexFindAll", "ssi", fn_find_all, 0},
    {"mustRegexFindAll", "ssi", fn_find_all, 0},
    {"regexReplaceAll", "sss", fn_replace, 0},
    {"mustRegexReplaceAll", "sss", fn_replace, 0},
    {"regexReplaceAllLiteral", "sss", fn_replace_literal, 0},
    {"mustRegexReplaceAllLiteral", "sss", fn_replace_literal, 0},
    {"regexSplit", "ssi", fn_split, 0},
    {"mustRegexSplit", "ssi", fn_split, 0},
    {"regexQuoteMeta", "s", fn_quote_meta, 0},
};
const struct function_table FUNCTIONS_REGEX = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
