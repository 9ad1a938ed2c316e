/* The language's own functions: comparison, logic, index, printing and escaping. */
#include "template/internal.h"

/* --- Logic and comparison -------------------------------------------------------------------- */

static bool fn_logic(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)args, (void)n, (void)out;
    return run_fail(run, "and, or: evaluated elsewhere");
}

static bool fn_not(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_bool(!value_truth(&args[0]));
    return true;
}

enum basic { NOT_BASIC, B_BOOL, B_COMPLEX, B_INT, B_FLOAT, B_TEXT, B_UINT };

static enum basic basic_of(const struct tvalue *v)
{
    static const enum basic BASIC[] = {
        [T_BOOL] = B_BOOL,   [T_COMPLEX] = B_COMPLEX, [T_INT] = B_INT,
        [T_FLOAT] = B_FLOAT, [T_TEXT] = B_TEXT,       [T_UINT] = B_UINT,
    };
    return v->kind <= T_TEXT ? BASIC[v->kind] : NOT_BASIC;
}

static bool is_missing(const struct tvalue *v)
{
    return v->kind == T_NONE || v->kind == T_NIL;
}

/* -1, 0, 1 of two whole numbers of any sign. */
static int compare_whole(const struct tvalue *a, const struct tvalue *b)
{
    if (a->kind == T_INT && b->kind == T_INT)
        return a->i < b->i ? -1 : a->i > b->i;
    if (a->kind == T_INT && a->i < 0)
        return -1;
    if (b->kind == T_INT && b->i < 0)
        return 1;
    return a->u < b->u ? -1 : a->u > b->u;
}

/* What is neither number nor text: times and pointers compare, containers only with nil. */
static bool equal_other(struct trun *run, const struct tvalue *a, const struct tvalue *b,
                        bool *equal)
{
    if (value_is_nil(a) || value_is_nil(b)) {
        bool same_kind =
            is_missing(a) || is_missing(b) || !strcmp(value_kind_name(a), value_kind_name(b));
        if (!same_kind)
            return run_fail(run, "non-comparable types %s and %s", value_type_name(a),
                            value_type_name(b));
        *equal = value_is_nil(a) && value_is_nil(b);
        return true;
    }
    if (strcmp(value_kind_name(a), value_kind_name(b)) != 0)
        return run_fail(run, "non-comparable types %s and %s", value_type_name(a),
                        value_type_name(b));
    const char *kind = value_kind_name(b);
    if (b->kind == T_LIST || b->kind == T_BYTES || b->kind == T_MAP || !strcmp(kind, "slice") ||
        !strcmp(kind, "map"))
        return run_fail(run, "non-comparable type %s", value_type_name(b));
    return value_equal(run, a, b, equal);
}

static bool equal(struct trun *run, const struct tvalue *a, const struct tvalue *b, bool *same)
{
    enum basic left = basic_of(a), right = basic_of(b);
    bool whole = (left == B_INT || left == B_UINT) && (right == B_INT || right == B_UINT);

    *same = false;
    if (whole) {
        *same = compare_whole(a, b) == 0;
        return true;
    }
    if (left != right)
        return is_missing(a) || is_missing(b) ||
               run_fail(run, "incompatible types for comparison: %s and %s", value_type_name(a),
                        value_type_name(b));
    switch (left) {
    case B_BOOL:
        *same = a->truth == b->truth;
        return true;
    case B_COMPLEX:
        *same = a->c.re == b->c.re && a->c.im == b->c.im;
        return true;
    case B_FLOAT:
        *same = a->f == b->f;
        return true;
    case B_TEXT:
        *same = slice_eq(a->text, b->text);
        return true;
    default:
        return equal_other(run, a, b, same);
    }
}

static bool fn_eq(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    bool same = false;

    if (n < 2)
        return run_fail(run, "missing argument for comparison");
    for (size_t i = 1; i < n && !same; i++)
        if (!equal(run, &args[0], &args[i], &same))
            return false;
    *out = tvalue_bool(same);
    return true;
}

static bool fn_ne(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    bool same;

    (void)n;
    if (!equal(run, &args[0], &args[1], &same))
        return false;
    *out = tvalue_bool(!same);
    return true;
}

/* less: a < b; same: a == b (both false with a NaN). */
static bool order(struct trun *run, const struct tvalue *a, const struct tvalue *b, bool *less,
                  bool *same)
{
    enum basic left = basic_of(a), right = basic_of(b);
    int c;

    if (left == NOT_BASIC || right == NOT_BASIC)
        return run_fail(run, "invalid type for comparison");
    if ((left == B_INT || left == B_UINT) && (right == B_INT || right == B_UINT)) {
        c = compare_whole(a, b);
    } else if (left != right) {
        return run_fail(run, "incompatible types for comparison: %s and %s", value_type_name(a),
                        value_type_name(b));
    } else if (left == B_FLOAT) {
        *less = a->f < b->f;
        *same = a->f == b->f;
        return true;
    } else if (left == B_TEXT) {
        c = slice_cmp(a->text, b->text);
    } else {
        return run_fail(run, "invalid type for comparison");
    }
    *less = c < 0;
    *same = c == 0;
    return true;
}

static bool fn_lt(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    bool less, same;

    (void)n;
    if (!order(run, &args[0], &args[1], &less, &same))
        return false;
    *out = tvalue_bool(less);
    return true;
}

static bool fn_le(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    bool less, same;

    (void)n;
    if (!order(run, &args[0], &args[1], &less, &same))
        return false;
    *out = tvalue_bool(less || same);
    return true;
}

static bool fn_gt(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    if (!fn_le(run, args, n, out))
        return false;
    out->truth = !out->truth;
    return true;
}

static bool fn_ge(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    if (!fn_lt(run, args, n, out))
        return false;
    out->truth = !out->truth;
    return true;
}

/* --- Containers ------------------------------------------------------------------------------ */

static bool fn_len(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    const struct tvalue *v = &args[0];

    (void)n;
    if (v->kind == T_TEXT)
        *out = tvalue_int((int64_t)v->text.n);
    else if (value_is_list(v))
        *out = tvalue_int((int64_t)value_count(v));
    else if (v->kind == T_MAP)
        *out = tvalue_int(v->map ? (int64_t)v->map->n : 0);
    else if (value_is_nil(v))
        return run_fail(run, "len of nil pointer");
    else
        return run_fail(run, "len of type %s", value_type_name(v));
    return true;
}

static bool whole_index(struct trun *run, const struct tvalue *i, size_t n, size_t *at)
{
    if (is_missing(i))
        return run_fail(run, "cannot index slice/array with nil");
    if (i->kind != T_INT && i->kind != T_UINT)
        return run_fail(run, "cannot index slice/array with type %s", value_type_name(i));
    if (i->i < 0 || (uint64_t)i->i >= n)
        return run_fail(run, "index out of range: %lld", (long long)i->i);
    *at = (size_t)i->i;
    return true;
}

/* What a map of that type holds under an absent name. */
static struct tvalue zero_of(const struct ttype *elem)
{
    if (elem == &TTYPE_TEXT)
        return tvalue_text(SLICE(""));
    return tvalue_nil();
}

static bool index_once(struct trun *run, const struct tvalue *i, struct tvalue *v)
{
    size_t at;

    if (v->kind == T_TEXT) {
        if (!whole_index(run, i, v->text.n, &at))
            return false;
        *v = (struct tvalue){.kind = T_UINT, .type = &TTYPE_UINT8, .u = v->text.p[at]};
        return true;
    }
    if (value_is_list(v)) {
        if (!whole_index(run, i, value_count(v), &at))
            return false;
        *v = value_item(v, at);
        return true;
    }
    if (value_is_nil(v) && v->kind != T_MAP)
        return run_fail(run, "index of nil pointer");
    if (v->kind != T_MAP)
        return run_fail(run, "can't index item of type %s", value_type_name(v));
    if (is_missing(i))
        return run_fail(run, "value is nil; should be of type string");
    if (i->type != &TTYPE_TEXT)
        return run_fail(run, "value has type %s; should be string", value_type_name(i));
    const struct tvalue *member = v->map ? tmap_get(v->map, i->text) : NULL;
    *v = member ? *member : zero_of(v->type->elem);
    return true;
}

static bool fn_index(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    *out = args[0];
    if (is_missing(out))
        return run_fail(run, "index of untyped nil");
    for (size_t i = 1; i < n; i++)
        if (!index_once(run, &args[i], out))
            return false;
    return true;
}

static bool fn_call(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n, (void)out;
    if (is_missing(&args[0]))
        return run_fail(run, "call of nil");
    return run_fail(run, "non-function of type %s", value_type_name(&args[0]));
}

/* --- Printing -------------------------------------------------------------------------------- */

static bool fn_print(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);
    return print_all(run, &b, args, n, false) && run_text(run, &b, out);
}

static bool fn_println(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);
    return print_all(run, &b, args, n, true) && run_text(run, &b, out);
}

static bool fn_printf(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);
    return print_format(run, &b, args[0].text, args + 1, n - 1) && run_text(run, &b, out);
}

/* The arguments as one text: a single text as it is, nil as actions print it. */
static bool joined(struct trun *run, const struct tvalue *args, size_t n, struct slice *text)
{
    struct tvalue v, *shown;

    if (n == 1 && args[0].type == &TTYPE_TEXT) {
        *text = args[0].text;
        return true;
    }
    shown = run_alloc(run, (n + 1) * sizeof(*shown));
    for (size_t i = 0; i < n; i++)
        shown[i] = is_missing(&args[i]) ? tvalue_text(SLICE("<no value>")) : args[i];
    if (!fn_print(run, shown, n, &v))
        return false;
    *text = v.text;
    return true;
}

static bool fn_html(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    static const char SPECIAL[] = "\"'&<>";
    static const char *const ESCAPED[] = {"&#34;", "&#39;", "&amp;", "&lt;", "&gt;"};
    struct buf b = run_buf(run);
    struct slice s;

    if (!joined(run, args, n, &s))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(SPECIAL, s.p[i]) : NULL;
        if (at)
            buf_text(&b, ESCAPED[at - SPECIAL]);
        else if (!s.p[i])
            rune_put(&b, 0xfffd);
        else
            buf_byte(&b, s.p[i]);
    }
    return run_text(run, &b, out);
}

static bool fn_js(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);
    struct slice s;
    uint32_t rune;

    if (!joined(run, args, n, &s))
        return false;
    for (size_t i = 0; i < s.n;) {
        size_t size = rune_at(s, i, &rune);
        if (rune == '\\' || rune == '\'' || rune == '"') {
            buf_byte(&b, '\\');
            buf_byte(&b, (uint8_t)rune);
        } else if (rune < 0x80 ? rune < ' ' || strchr("<>&=", (int)rune) : !rune_printable(rune)) {
            buf_printf(&b, "\\u%04X", rune);
        } else {
            buf_put(&b, slice_sub(s, i, size));
        }
        i += size;
    }
    return run_text(run, &b, out);
}

static bool fn_urlquery(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    static const char HEX[] = "0123456789ABCDEF";
    struct buf b = run_buf(run);
    struct slice s;

    if (!joined(run, args, n, &s))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool plain =
            (c < 0x80 && (rune_is_letter(c) || rune_is_digit(c))) || (c && strchr("-_.~", c));
        if (plain || c == ' ') {
            buf_byte(&b, c == ' ' ? '+' : c);
            continue;
        }
        buf_byte(&b, '%');
        buf_byte(&b, (uint8_t)HEX[c >> 4]);
        buf_byte(&b, (uint8_t)HEX[c & 15]);
    }
    return run_text(run, &b, out);
}

static const struct tfunc FUNCTIONS[] = {
    {"and", "v*", fn_logic, FUNCTION_AND},
    {"or", "v*", fn_logic, FUNCTION_OR},
    {"not", "v", fn_not, 0},
    {"eq", "vv*", fn_eq, 0},
    {"ne", "vv", fn_ne, 0},
    {"lt", "vv", fn_lt, 0},
    {"le", "vv", fn_le, 0},
    {"gt", "vv", fn_gt, 0},
    {"ge", "vv", fn_ge, 0},
    {"len", "v", fn_len, 0},
    {"index", "vv*", fn_index, 0},
    {"call", "vv*", fn_call, 0},
    {"print", "a*", fn_print, 0},
    {"println", "a*", fn_println, 0},
    {"printf", "sa*", fn_printf, 0},
    {"html", "a*", fn_html, 0},
    {"js", "a*", fn_js, 0},
    {"urlquery", "a*", fn_urlquery, 0},
};
const struct function_table FUNCTIONS_BUILTIN = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
