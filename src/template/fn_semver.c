/*
 * Semantic versions (semver.org 2.0.0), read leniently ("v1", "1.2"), and constraints on them:
 * alternatives split by "||", each a list of comparisons that must all hold.  "x" or a missing part
 * makes a comparison a range.  A constraint without a pre-release never accepts one.
 */
#include "template/internal.h"
#include "json/json.h"

#define CONSTRAINT_MAX 4096u

struct version {
    uint64_t major, minor, patch;
    struct slice pre, metadata, original;
};

/* --- Reading --------------------------------------------------------------------------------- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_identifier(uint8_t c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-';
}

static size_t count(struct slice s, size_t from, bool (*in)(uint8_t))
{
    size_t n = from;

    while (n < s.n && in(s.p[n]))
        n++;
    return n - from;
}

/* The parts of a version as written; lengths 0: absent. */
struct shape {
    struct slice number[3], pre, metadata;
};

/* [0-9A-Za-z-]+(.[0-9A-Za-z-]+)* */
static size_t identifiers(struct slice s, size_t from)
{
    size_t at = from, n = count(s, at, is_identifier);

    while (n) {
        at += n;
        if (at >= s.n || s.p[at] != '.')
            break;
        n = count(s, at + 1, is_identifier);
        at += n ? 1 : 0;
    }
    return at - from;
}

/* How much of s is a version; 0: nothing. */
static size_t read_shape(struct slice s, bool (*digit)(uint8_t), struct shape *v)
{
    size_t at = s.n && s.p[0] == 'v', n;

    *v = (struct shape){0};
    for (size_t i = 0; i < 3; i++) {
        size_t point = i && at < s.n && s.p[at] == '.';
        n = i && !point ? 0 : count(s, at + point, digit);
        if (!n)
            break;
        v->number[i] = slice_sub(s, at + point, n);
        at += point + n;
    }
    if (!v->number[0].n)
        return 0;
    n = at < s.n && s.p[at] == '-' ? identifiers(s, at + 1) : 0;
    v->pre = slice_sub(s, at + 1, n);
    at += n ? n + 1 : 0;
    n = at < s.n && s.p[at] == '+' ? identifiers(s, at + 1) : 0;
    v->metadata = slice_sub(s, at + 1, n);
    return at + (n ? n + 1 : 0);
}

static bool all_digits(struct slice s)
{
    return count(s, 0, is_digit) == s.n;
}

/* Numeric identifiers have no leading zero. */
static bool pre_fits(struct slice pre)
{
    struct slice part;

    while (pre.n && slice_split(&pre, '.', &part))
        if (all_digits(part) && part.n > 1 && part.p[0] == '0')
            return false;
    return true;
}

static bool fill(const struct shape *v, struct version *out)
{
    uint64_t *const numbers[] = {&out->major, &out->minor, &out->patch};

    for (size_t i = 0; i < 3; i++)
        if (v->number[i].n && !slice_to_u64(v->number[i], numbers[i]))
            return false;
    out->pre = v->pre;
    out->metadata = v->metadata;
    return pre_fits(v->pre);
}

static bool read_version(struct slice s, struct version *out)
{
    struct shape v;

    *out = (struct version){.original = s};
    return s.n && read_shape(s, is_digit, &v) == s.n && fill(&v, out);
}

/* --- Comparing ------------------------------------------------------------------------------- */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* Numbers come before words; a missing part first of all. */
static int compare_parts(struct slice a, struct slice b)
{
    uint64_t left = 0, right = 0;

    if (slice_eq(a, b))
        return 0;
    if (!a.n || !b.n)
        return a.n ? 1 : -1;
    bool left_number = slice_to_u64(a, &left), right_number = slice_to_u64(b, &right);
    if (!left_number && !right_number)
        return slice_cmp(a, b) > 0 ? 1 : -1;
    if (left_number != right_number)
        return left_number ? -1 : 1;
    return left > right ? 1 : -1;
}

static int compare_pre(struct slice a, struct slice b)
{
    if (!a.n || !b.n)
        return !a.n - !b.n;
    for (;;) {
        struct slice left = SLICE(""), right = SLICE("");
        bool more_left = a.n && slice_split(&a, '.', &left);
        bool more_right = b.n && slice_split(&b, '.', &right);
        if (!more_left && !more_right)
            return 0;
        int order = compare_parts(left, right);
        if (order)
            return order;
    }
}

static int compare(const struct version *a, const struct version *b)
{
    int order = compare_numbers(a->major, b->major);

    if (!order)
        order = compare_numbers(a->minor, b->minor);
    if (!order)
        order = compare_numbers(a->patch, b->patch);
    return order ? order : compare_pre(a->pre, b->pre);
}

/* --- Constraints ----------------------------------------------------------------------------- */

enum operation { OP_NONE, OP_NE, OP_GT, OP_LT, OP_GE, OP_LE, OP_TILDE, OP_CARET };

struct constraint {
    enum operation op;
    struct version than;
    bool any, minor_any, patch_any; /* "x" or absent from there on; any: at all */
};

static bool tilde(const struct version *v, const struct constraint *c)
{
    if (compare(v, &c->than) < 0)
        return false;
    if (!c->than.major && !c->than.minor && !c->than.patch && !c->minor_any && !c->patch_any)
        return true;
    return v->major == c->than.major && (v->minor == c->than.minor || c->minor_any);
}

static bool caret(const struct version *v, const struct constraint *c)
{
    if (compare(v, &c->than) < 0)
        return false;
    if (c->than.major > 0 || c->minor_any)
        return v->major == c->than.major;
    if (v->major > 0)
        return false;
    if (c->than.minor > 0 || c->patch_any)
        return v->minor == c->than.minor;
    return v->minor == 0 && v->patch == c->than.patch;
}

static bool greater(const struct version *v, const struct constraint *c)
{
    if (!c->any)
        return compare(v, &c->than) > 0;
    if (v->major != c->than.major)
        return v->major > c->than.major;
    if (c->minor_any)
        return false;
    return c->patch_any ? v->minor > c->than.minor : compare(v, &c->than) > 0;
}

static bool at_most(const struct version *v, const struct constraint *c)
{
    if (!c->any)
        return compare(v, &c->than) <= 0;
    return v->major < c->than.major ||
           (v->major == c->than.major && (v->minor <= c->than.minor || c->minor_any));
}

static bool not_equal(const struct version *v, const struct constraint *c)
{
    if (!c->any)
        return compare(v, &c->than) != 0;
    if (v->pre.n && !c->than.pre.n)
        return false;
    if (v->major != c->than.major)
        return true;
    if (c->minor_any)
        return false;
    if (v->minor != c->than.minor)
        return true;
    if (c->patch_any)
        return (v->pre.n || c->than.pre.n) && compare_pre(v->pre, c->than.pre) != 0;
    return compare(v, &c->than) != 0;
}

static bool holds(const struct version *v, const struct constraint *c)
{
    if (c->op == OP_NE)
        return not_equal(v, c);
    if (v->pre.n && !c->than.pre.n)
        return false;
    switch (c->op) {
    case OP_GT:
        return greater(v, c);
    case OP_LT:
        return compare(v, &c->than) < 0;
    case OP_GE:
        return compare(v, &c->than) >= 0;
    case OP_LE:
        return at_most(v, c);
    case OP_TILDE:
        return tilde(v, c);
    case OP_CARET:
        return caret(v, c);
    default:
        return c->any ? tilde(v, c) : compare(v, &c->than) == 0;
    }
}

static bool is_wild_digit(uint8_t c)
{
    return is_digit(c) || c == 'x' || c == 'X' || c == '*';
}

static bool is_wild(struct slice s)
{
    return !s.n || slice_is(s, "x") || slice_is(s, "X") || slice_is(s, "*");
}

static size_t skip_blanks(struct slice s, size_t at)
{
    while (at < s.n && s.p[at] && strchr(" \t\n\f\r", s.p[at]))
        at++;
    return at;
}

static enum operation read_operation(struct slice s, size_t *at)
{
    static const struct {
        const char *text;
        enum operation op;
    } OPERATIONS[] = {
        {"!=", OP_NE}, {">=", OP_GE},    {"=>", OP_GE},   {"<=", OP_LE},
        {"=<", OP_LE}, {"~>", OP_TILDE}, {"=", OP_NONE},  {">", OP_GT},
        {"<", OP_LT},  {"~", OP_TILDE},  {"^", OP_CARET},
    };

    for (size_t i = 0; i < COUNT_OF(OPERATIONS); i++)
        if (slice_starts(slice_from(s, *at), OPERATIONS[i].text)) {
            *at += strlen(OPERATIONS[i].text);
            return OPERATIONS[i].op;
        }
    return OP_NONE;
}

static bool read_constraint(struct slice s, size_t *at, struct constraint *c)
{
    struct shape v;

    *c = (struct constraint){.op = read_operation(s, at)};
    *at = skip_blanks(s, *at);
    size_t n = read_shape(slice_from(s, *at), is_wild_digit, &v);
    if (!n)
        return false;
    *at += n;
    c->any = is_wild(v.number[0]) || is_wild(v.number[1]) || is_wild(v.number[2]);
    if (is_wild(v.number[0])) {
        v.number[0] = v.number[1] = v.number[2] = SLICE("");
    } else if (is_wild(v.number[1])) {
        c->minor_any = true;
        v.number[1] = v.number[2] = SLICE("");
    } else if (is_wild(v.number[2])) {
        c->patch_any = true;
        v.number[2] = SLICE("");
    }
    return fill(&v, &c->than);
}

/* One alternative: comparisons, with blanks or a comma between them. */
static bool all_hold(struct slice s, const struct version *v, bool *good)
{
    size_t at = skip_blanks(s, 0);
    struct constraint c;

    *good = true;
    do {
        if (!read_constraint(s, &at, &c))
            return false;
        *good &= holds(v, &c);
        size_t from = at;
        at = skip_blanks(s, at);
        bool comma = at < s.n && s.p[at] == ',';
        if (comma)
            at = skip_blanks(s, at + 1);
        if (at < s.n && at == from)
            return false;
        if (comma && at == s.n)
            return false;
    } while (at < s.n);
    return true;
}

/* "1.2 - 2.3" is ">= 1.2, <= 2.3". */
static bool range_at(struct slice s, struct buf *b, size_t *next)
{
    size_t at = skip_blanks(s, *next), from = at, n;
    struct shape v;

    n = read_shape(slice_from(s, at), is_wild_digit, &v);
    struct slice low = slice_sub(s, from, n);
    at = skip_blanks(s, from + n);
    if (!n || at == from + n || at >= s.n || s.p[at] != '-')
        return false;
    from = skip_blanks(s, at + 1);
    if (from == at + 1)
        return false;
    n = read_shape(slice_from(s, from), is_wild_digit, &v);
    if (!n)
        return false;
    buf_text(b, ">= ");
    buf_put(b, low);
    buf_text(b, ", <= ");
    buf_put(b, slice_sub(s, from, n));
    buf_byte(b, ' ');
    *next = skip_blanks(s, from + n);
    return true;
}

static struct slice without_ranges(struct trun *run, struct slice s)
{
    struct buf b = buf_new(run->a, 8 * s.n + 64);

    for (size_t at = 0; at < s.n;)
        if (!range_at(s, &b, &at))
            buf_byte(&b, s.p[at++]);
    return buf_slice(&b);
}

static bool fn_semver_compare(struct trun *run, const struct tvalue *args, size_t n,
                              struct tvalue *out)
{
    struct version v;
    struct slice rest;
    bool any = false, more = true;

    (void)n;
    if (args[0].text.n > CONSTRAINT_MAX)
        return run_fail(run, "improper constraint: longer than %u bytes", CONSTRAINT_MAX);
    rest = without_ranges(run, args[0].text);
    bool version_good = read_version(args[1].text, &v);
    while (more) {
        size_t end = slice_search(rest, SLICE("||"));
        struct slice one = slice_sub(rest, 0, end);
        bool good;
        more = end < rest.n;
        rest = slice_from(rest, end + 2);
        if (!all_hold(one, &v, &good))
            return run_fail(run, "improper constraint: %.*s", SLICE_ARG(one));
        any |= good;
    }
    if (!version_good)
        return run_fail(run, "Invalid Semantic Version");
    *out = tvalue_bool(any);
    return true;
}

/* --- The value ------------------------------------------------------------------------------- */

static const struct version *self_of(const struct tvalue *v)
{
    return v->self;
}

static void put_version(struct buf *b, const struct version *v)
{
    buf_printf(b, "%llu.%llu.%llu", (unsigned long long)v->major, (unsigned long long)v->minor,
               (unsigned long long)v->patch);
    if (v->pre.n) {
        buf_byte(b, '-');
        buf_put(b, v->pre);
    }
    if (v->metadata.n) {
        buf_byte(b, '+');
        buf_put(b, v->metadata);
    }
}

static bool version_text(const struct tvalue *v, struct buf *b)
{
    put_version(b, v->self);
    return true;
}

static bool version_json(const struct tvalue *v, struct buf *b)
{
    buf_byte(b, '"');
    put_version(b, v->self);
    buf_byte(b, '"');
    return true;
}

#define METHOD(symbol, expression)                                                                 \
    static bool symbol(struct trun *run, const struct tvalue *self, const struct tvalue *args,     \
                       struct tvalue *out)                                                         \
    {                                                                                              \
        const struct version *v = self_of(self);                                                   \
        (void)run, (void)args;                                                                     \
        *out = (expression);                                                                       \
        return true;                                                                               \
    }
METHOD(m_major, tvalue_uint64(v->major))
METHOD(m_minor, tvalue_uint64(v->minor))
METHOD(m_patch, tvalue_uint64(v->patch))
METHOD(m_prerelease, tvalue_text(v->pre))
METHOD(m_metadata, tvalue_text(v->metadata))
METHOD(m_original, tvalue_text(v->original))
METHOD(m_compare, tvalue_int(compare(v, self_of(&args[0]))))
METHOD(m_greater, tvalue_bool(compare(v, self_of(&args[0])) > 0))
METHOD(m_greater_equal, tvalue_bool(compare(v, self_of(&args[0])) >= 0))
METHOD(m_less, tvalue_bool(compare(v, self_of(&args[0])) < 0))
METHOD(m_less_equal, tvalue_bool(compare(v, self_of(&args[0])) <= 0))
METHOD(m_equal, tvalue_bool(compare(v, self_of(&args[0])) == 0))

static bool m_string(struct trun *run, const struct tvalue *self, const struct tvalue *args,
                     struct tvalue *out)
{
    struct buf b = run_buf(run);

    (void)args;
    put_version(&b, self_of(self));
    return run_text(run, &b, out);
}

static const struct tmethod METHODS[] = {
    {"Major", "", m_major},          {"Minor", "", m_minor},
    {"Patch", "", m_patch},          {"Prerelease", "", m_prerelease},
    {"Metadata", "", m_metadata},    {"Original", "", m_original},
    {"String", "", m_string},        {"Compare", "o", m_compare},
    {"GreaterThan", "o", m_greater}, {"GreaterThanEqual", "o", m_greater_equal},
    {"LessThan", "o", m_less},       {"LessThanEqual", "o", m_less_equal},
    {"Equal", "o", m_equal},
};
static const struct ttype TTYPE_VERSION = {
    .name = "*semver.Version",
    .kind = "ptr",
    .is = T_OBJECT,
    .methods = METHODS,
    .n_methods = COUNT_OF(METHODS),
    .text = version_text,
    .json = version_json,
};

static bool fn_semver(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct version *v = run_alloc(run, sizeof(*v));

    (void)n;
    if (!read_version(args[0].text, v))
        return run_fail(run, "Invalid Semantic Version");
    *out = tvalue_object(&TTYPE_VERSION, v);
    return true;
}

static const struct tfunc FUNCTIONS[] = {
    {"semver", "s", fn_semver, 0},
    {"semverCompare", "ss", fn_semver_compare, 0},
};
const struct function_table FUNCTIONS_SEMVER = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
