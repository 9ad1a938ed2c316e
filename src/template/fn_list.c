/* Functions on lists.  Lists never change: what adds or drops makes a new one. */
#include "template/internal.h"

static bool want_list(struct trun *run, const struct tvalue *v, const char *what)
{
    if (value_is_list(v))
        return true;
    if (v->kind == T_NIL)
        return run_fail(run, "cannot %s nil", what);
    return run_fail(run, "cannot %s type %s", what, value_kind_name(v));
}

/* Elements [from, to) as a list of anything. */
static bool part(struct trun *run, const struct tvalue *v, size_t from, size_t to,
                 struct tlist_maker *m)
{
    for (size_t i = from; i < to; i++)
        if (!list_add(run, m, value_item(v, i)))
            return false;
    return true;
}

static bool made(struct trun *run, const struct tlist_maker *m, struct tvalue *out)
{
    *out = list_made(run, m, &TTYPE_LIST);
    return true;
}

static bool contains(struct trun *run, const struct tvalue *items, size_t n, const struct tvalue *v,
                     bool *found)
{
    *found = false;
    for (size_t i = 0; i < n && !*found; i++)
        if (!value_equal(run, v, &items[i], found))
            return false;
    return true;
}

static bool fn_list(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    *out = run_list(run, &TTYPE_LIST, n);
    if (n)
        memcpy(out->list->items, args, n * sizeof(*args));
    return true;
}

static bool fn_first(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    if (!want_list(run, &args[0], "find first on"))
        return false;
    *out = value_count(&args[0]) ? value_item(&args[0], 0) : tvalue_nil();
    return true;
}

static bool fn_last(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    size_t count;

    (void)n;
    if (!want_list(run, &args[0], "find last on"))
        return false;
    count = value_count(&args[0]);
    *out = count ? value_item(&args[0], count - 1) : tvalue_nil();
    return true;
}

/* All but the first or the last; nil of an empty list. */
static bool shorter(struct trun *run, const struct tvalue *v, size_t skip, const char *what,
                    struct tvalue *out)
{
    struct tlist_maker m = {0};

    if (!want_list(run, v, what))
        return false;
    *out = (struct tvalue){.kind = T_LIST, .type = &TTYPE_LIST};
    if (!value_count(v))
        return true;
    return part(run, v, skip, value_count(v) - 1 + skip, &m) && made(run, &m, out);
}

static bool fn_rest(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return shorter(run, &args[0], 1, "find rest on", out);
}

static bool fn_initial(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    return shorter(run, &args[0], 0, "find initial on", out);
}

static bool fn_append(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};

    (void)n;
    return want_list(run, &args[0], "push on") &&
           part(run, &args[0], 0, value_count(&args[0]), &m) && list_add(run, &m, args[1]) &&
           made(run, &m, out);
}

static bool fn_prepend(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};

    (void)n;
    return want_list(run, &args[0], "prepend on") && list_add(run, &m, args[1]) &&
           part(run, &args[0], 0, value_count(&args[0]), &m) && made(run, &m, out);
}

/* Nothing at all is a nil list. */
static bool fn_concat(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};

    for (size_t i = 0; i < n; i++)
        if (!want_list(run, &args[i], "concat") ||
            !part(run, &args[i], 0, value_count(&args[i]), &m))
            return false;
    *out = (struct tvalue){.kind = T_LIST, .type = &TTYPE_LIST};
    return !m.n || made(run, &m, out);
}

static bool fn_reverse(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};

    (void)n;
    if (!want_list(run, &args[0], "find reverse on"))
        return false;
    for (size_t i = value_count(&args[0]); i > 0; i--)
        if (!list_add(run, &m, value_item(&args[0], i - 1)))
            return false;
    return made(run, &m, out);
}

static bool fn_uniq(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};
    bool known;

    (void)n;
    if (!want_list(run, &args[0], "find uniq on"))
        return false;
    for (size_t i = 0; i < value_count(&args[0]); i++) {
        struct tvalue item = value_item(&args[0], i);
        if (!contains(run, m.items, m.n, &item, &known) || (!known && !list_add(run, &m, item)))
            return false;
    }
    return made(run, &m, out);
}

static bool fn_compact(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};

    (void)n;
    if (!want_list(run, &args[0], "compact"))
        return false;
    for (size_t i = 0; i < value_count(&args[0]); i++) {
        struct tvalue item = value_item(&args[0], i);
        if (!value_empty(&item) && !list_add(run, &m, item))
            return false;
    }
    return made(run, &m, out);
}

static bool fn_without(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker m = {0};
    bool unwanted;

    if (!want_list(run, &args[0], "find without on"))
        return false;
    for (size_t i = 0; i < value_count(&args[0]); i++) {
        struct tvalue item = value_item(&args[0], i);
        if (!contains(run, args + 1, n - 1, &item, &unwanted) ||
            (!unwanted && !list_add(run, &m, item)))
            return false;
    }
    return made(run, &m, out);
}

static bool fn_has(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    bool found = false;

    (void)n;
    if (args[1].kind != T_NIL && !want_list(run, &args[1], "find has on"))
        return false;
    for (size_t i = 0; args[1].kind != T_NIL && i < value_count(&args[1]) && !found; i++) {
        struct tvalue item = value_item(&args[1], i);
        if (!value_equal(run, &args[0], &item, &found))
            return false;
    }
    *out = tvalue_bool(found);
    return true;
}

static bool fn_slice(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    int64_t from = 0, to;

    if (!want_list(run, &args[0], "slice"))
        return false;
    *out = tvalue_nil();
    to = (int64_t)value_count(&args[0]);
    if (!to)
        return true;
    if (n > 1)
        from = value_to_int(&args[1]);
    int64_t size = to;
    if (n > 2)
        to = value_to_int(&args[2]);
    if (from < 0 || to < from || to > size)
        return run_fail(run, "slice index out of bounds [%lld:%lld] of %lld", (long long)from,
                        (long long)to, (long long)size);
    *out = args[0];
    if (args[0].kind == T_BYTES) {
        out->text = slice_sub(args[0].text, (size_t)from, (size_t)(to - from));
        return true;
    }
    out->list = run_alloc(run, sizeof(*out->list));
    out->list->items = args[0].list->items + from;
    out->list->n = (size_t)(to - from);
    return true;
}

static bool fn_chunk(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct tlist_maker chunks = {0};
    struct tvalue one;
    size_t count, size = (size_t)args[0].i;

    (void)n;
    if (!want_list(run, &args[1], "chunk"))
        return false;
    if (args[0].i <= 0)
        return run_fail(run, "a chunk has at least one element");
    count = value_count(&args[1]);
    for (size_t at = 0; at < count; at += size) {
        struct tlist_maker m = {0};
        size_t end = count - at < size ? count : at + size;
        if (!part(run, &args[1], at, end, &m) || !made(run, &m, &one) ||
            !list_add(run, &chunks, one))
            return false;
        if (size > count)
            break;
    }
    *out = list_made(run, &chunks, &TTYPE_LISTS);
    return true;
}

static const struct tfunc FUNCTIONS[] = {
    {"list", "a*", fn_list, 0},
    {"tuple", "a*", fn_list, 0},
    {"first", "a", fn_first, 0},
    {"mustFirst", "a", fn_first, 0},
    {"last", "a", fn_last, 0},
    {"mustLast", "a", fn_last, 0},
    {"rest", "a", fn_rest, 0},
    {"mustRest", "a", fn_rest, 0},
    {"initial", "a", fn_initial, 0},
    {"mustInitial", "a", fn_initial, 0},
    {"append", "aa", fn_append, 0},
    {"mustAppend", "aa", fn_append, 0},
    {"push", "aa", fn_append, 0},
    {"mustPush", "aa", fn_append, 0},
    {"prepend", "aa", fn_prepend, 0},
    {"mustPrepend", "aa", fn_prepend, 0},
    {"concat", "a*", fn_concat, 0},
    {"reverse", "a", fn_reverse, 0},
    {"mustReverse", "a", fn_reverse, 0},
    {"uniq", "a", fn_uniq, 0},
    {"mustUniq", "a", fn_uniq, 0},
    {"compact", "a", fn_compact, 0},
    {"mustCompact", "a", fn_compact, 0},
    {"without", "aa*", fn_without, 0},
    {"mustWithout", "aa*", fn_without, 0},
    {"has", "aa", fn_has, 0},
    {"mustHas", "aa", fn_has, 0},
    {"slice", "aa*", fn_slice, 0},
    {"mustSlice", "aa*", fn_slice, 0},
    {"chunk", "ia", fn_chunk, 0},
    {"mustChunk", "ia", fn_chunk, 0},
};
const struct function_table FUNCTIONS_LIST = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
