/*
 * Values: their types, containers, and the questions that everybody asks (is it true, empty, equal,
 * which number is it).  A map is an array of members in ascending order of names: what iterates,
 * prints or encodes it needs them so, and maps of templates are small.
 */
#include <math.h>

#include "template/internal.h"

static bool month_text(const struct tvalue *v, struct buf *out)
{
    if (v->i >= 1 && v->i <= 12)
        buf_text(out, MONTHS[v->i - 1]);
    else
        buf_printf(out, "%%!Month(%lld)", (long long)v->i);
    return true;
}

static bool weekday_text(const struct tvalue *v, struct buf *out)
{
    if (v->i >= 0 && v->i <= 6)
        buf_text(out, WEEKDAYS[v->i]);
    else
        buf_printf(out, "%%!Weekday(%lld)", (long long)v->i);
    return true;
}

#define BASIC(symbol, type_name, kind_name, repr)                                                  \
    const struct ttype symbol = {.name = (type_name), .kind = (kind_name), .is = (repr)}
BASIC(TTYPE_BOOL, "bool", "bool", T_BOOL);
BASIC(TTYPE_INT, "int", "int", T_INT);
BASIC(TTYPE_INT32, "int32", "int32", T_INT);
BASIC(TTYPE_INT64, "int64", "int64", T_INT);
BASIC(TTYPE_UINT8, "uint8", "uint8", T_UINT);
BASIC(TTYPE_UINT32, "uint32", "uint32", T_UINT);
BASIC(TTYPE_UINT64, "uint64", "uint64", T_UINT);
BASIC(TTYPE_FLOAT, "float64", "float64", T_FLOAT);
BASIC(TTYPE_COMPLEX, "complex128", "complex128", T_COMPLEX);
BASIC(TTYPE_TEXT, "string", "string", T_TEXT);
BASIC(TTYPE_BYTES, "[]uint8", "slice", T_BYTES);
const struct ttype TTYPE_MONTH = {
    .name = "time.Month", .kind = "int", .is = T_INT, .text = month_text};
const struct ttype TTYPE_WEEKDAY = {
    .name = "time.Weekday", .kind = "int", .is = T_INT, .text = weekday_text};

#define CONTAINER(symbol, type_name, kind_name, repr, of)                                          \
    const struct ttype symbol = {                                                                  \
        .name = (type_name), .kind = (kind_name), .is = (repr), .elem = (of)}
CONTAINER(TTYPE_LIST, "[]interface {}", "slice", T_LIST, NULL);
CONTAINER(TTYPE_TEXTS, "[]string", "slice", T_LIST, &TTYPE_TEXT);
CONTAINER(TTYPE_INTS, "[]int", "slice", T_LIST, &TTYPE_INT);
CONTAINER(TTYPE_LISTS, "[][]interface {}", "slice", T_LIST, &TTYPE_LIST);
CONTAINER(TTYPE_MAP, "map[string]interface {}", "map", T_MAP, NULL);
CONTAINER(TTYPE_TEXT_MAP, "map[string]string", "map", T_MAP, &TTYPE_TEXT);

/* --- Makers ---------------------------------------------------------------------------------- */

struct tvalue tvalue_time(struct arena *a, struct instant at)
{
    struct ttime *t = arena_alloc(a, sizeof(*t));
    t->at = at;
    return (struct tvalue){.kind = T_TIME, .type = &TTYPE_TIME, .time = t};
}

struct tvalue tvalue_list(struct arena *a, const struct ttype *type, size_t n)
{
    struct tlist *list = arena_alloc(a, sizeof(*list));

    list->n = n;
    list->items = arena_array(a, n ? n : 1, sizeof(*list->items));
    return (struct tvalue){.kind = T_LIST, .type = type, .list = list};
}

struct tvalue tvalue_texts(struct arena *a, const struct ttype *type, const struct slice *texts,
                           size_t n)
{
    struct tvalue v = tvalue_list(a, type, n);

    for (size_t i = 0; i < n; i++)
        v.list->items[i] = tvalue_text(texts[i]);
    return v;
}

struct tvalue tvalue_map(struct arena *a, const struct ttype *type)
{
    struct tmap *m = arena_alloc(a, sizeof(*m));
    return (struct tvalue){.kind = T_MAP, .type = type, .map = m};
}

/* Where name is, or where it belongs. */
static size_t place_of(const struct tmap *m, struct slice name, bool *there)
{
    size_t low = 0, high = m->n;

    /* Names mostly come in order. */
    if (m->n && slice_cmp(m->members[m->n - 1].name, name) < 0)
        low = m->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slice_cmp(m->members[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *there = low < m->n && slice_eq(m->members[low].name, name);
    return low;
}

static void make_room(struct tmap *m, struct arena *a)
{
    size_t cap = m->cap ? 2 * m->cap : 8;
    struct tmember *grown = arena_array(a, cap, sizeof(*grown));

    if (m->n)
        memcpy(grown, m->members, m->n * sizeof(*grown));
    m->members = grown;
    m->cap = cap;
}

void tmap_set(struct tmap *m, struct arena *a, struct slice name, struct tvalue value)
{
    bool there;
    size_t at = place_of(m, name, &there);

    if (there) {
        *m->members[at].value = value;
        return;
    }
    if (m->n == m->cap)
        make_room(m, a);
    memmove(m->members + at + 1, m->members + at, (m->n - at) * sizeof(*m->members));
    m->members[at].name = name;
    m->members[at].value = arena_alloc(a, sizeof(value));
    *m->members[at].value = value;
    m->n++;
}

const struct tvalue *tmap_get(const struct tmap *m, struct slice name)
{
    bool there;
    size_t at = place_of(m, name, &there);
    return there ? m->members[at].value : NULL;
}

bool tmap_remove(struct tmap *m, struct slice name)
{
    bool there;
    size_t at = place_of(m, name, &there);

    if (!there)
        return false;
    m->n--;
    memmove(m->members + at, m->members + at + 1, (m->n - at) * sizeof(*m->members));
    return true;
}

struct tvalue tvalue_from_json(struct arena *a, const struct json *v)
{
    struct tvalue out;
    double number = 0;
    size_t i = 0;

    switch (v ? v->kind : JSON_NULL) {
    case JSON_BOOL:
        return tvalue_bool(v->truth);
    case JSON_NUMBER:
        return tvalue_float(json_double(v, &number) ? number : INFINITY);
    case JSON_TEXT:
        return tvalue_text(v->text);
    case JSON_LIST:
        out = tvalue_list(a, &TTYPE_LIST, v->n);
        for (const struct json *j = v->first; j && i < v->n; j = j->next)
            out.list->items[i++] = tvalue_from_json(a, j);
        return out;
    case JSON_OBJECT:
        out = tvalue_map(a, &TTYPE_MAP);
        for (const struct json *j = v->first; j; j = j->next)
            tmap_set(out.map, a, j->name, tvalue_from_json(a, j));
        return out;
    default:
        return tvalue_nil();
    }
}

/* --- Questions ------------------------------------------------------------------------------- */

bool value_is_nil(const struct tvalue *v)
{
    switch (v->kind) {
    case T_NONE:
    case T_NIL:
        return true;
    case T_LIST:
        return !v->list;
    case T_MAP:
        return !v->map;
    case T_BYTES:
        return !v->text.p;
    case T_OBJECT:
        return !v->self;
    default:
        return false;
    }
}

static bool value_zero(const struct tvalue *v)
{
    switch (v->kind) {
    case T_BOOL:
        return !v->truth;
    case T_INT:
        return v->i == 0;
    case T_UINT:
        return v->u == 0;
    case T_FLOAT:
        return v->f == 0;
    case T_COMPLEX:
        return v->c.re == 0 && v->c.im == 0;
    case T_TEXT:
    case T_BYTES:
        return v->text.n == 0;
    case T_LIST:
        return !v->list || v->list->n == 0;
    case T_MAP:
        return !v->map || v->map->n == 0;
    case T_TIME:
        return false;
    case T_OBJECT:
        return !v->self;
    default:
        return true;
    }
}

bool value_truth(const struct tvalue *v)
{
    return !value_zero(v);
}

bool value_empty(const struct tvalue *v)
{
    return value_zero(v);
}

bool value_is_text(const struct tvalue *v)
{
    return v->kind == T_TEXT;
}

bool value_is_list(const struct tvalue *v)
{
    return v->kind == T_LIST || v->kind == T_BYTES;
}

size_t value_count(const struct tvalue *v)
{
    if (v->kind == T_BYTES)
        return v->text.n;
    return v->list ? v->list->n : 0;
}

struct tvalue value_item(const struct tvalue *v, size_t i)
{
    if (v->kind == T_BYTES)
        return (struct tvalue){.kind = T_UINT, .type = &TTYPE_UINT8, .u = v->text.p[i]};
    return v->list->items[i];
}

const char *value_kind_name(const struct tvalue *v)
{
    return v->type ? v->type->kind : "invalid";
}

const char *value_type_name(const struct tvalue *v)
{
    return v->type ? v->type->name : "<nil>";
}

bool type_fits(const struct ttype *value, const struct ttype *parameter)
{
    return value == parameter || value->plain == parameter;
}

/* --- Equality -------------------------------------------------------------------------------- */

static bool equal_at(struct trun *run, const struct tvalue *a, const struct tvalue *b,
                     unsigned depth, bool *equal);

static bool equal_lists(struct trun *run, const struct tvalue *a, const struct tvalue *b,
                        unsigned depth, bool *equal)
{
    size_t n = value_count(a);

    *equal = !a->list == !b->list && n == value_count(b);
    if (a->list == b->list)
        return true;
    for (size_t i = 0; *equal && i < n; i++)
        if (!equal_at(run, &a->list->items[i], &b->list->items[i], depth + 1, equal))
            return false;
    return true;
}

static bool equal_maps(struct trun *run, const struct tvalue *a, const struct tvalue *b,
                       unsigned depth, bool *equal)
{
    *equal = a->map && b->map ? a->map->n == b->map->n : a->map == b->map;
    if (a->map == b->map)
        return true;
    for (size_t i = 0; *equal && i < a->map->n; i++) {
        const struct tmember *left = &a->map->members[i], *right = &b->map->members[i];
        *equal = slice_eq(left->name, right->name);
        if (*equal && !equal_at(run, left->value, right->value, depth + 1, equal))
            return false;
    }
    return true;
}

static bool equal_at(struct trun *run, const struct tvalue *a, const struct tvalue *b,
                     unsigned depth, bool *equal)
{
    if (!run_step(run))
        return false;
    if (depth > VALUE_DEPTH)
        return run_fail(run, "a value is nested too deeply to be compared");
    *equal = a->type == b->type;
    if (!*equal)
        return true;
    switch (a->kind) {
    case T_BOOL:
        *equal = a->truth == b->truth;
        return true;
    case T_INT:
    case T_UINT:
        *equal = a->u == b->u;
        return true;
    case T_FLOAT:
        *equal = a->f == b->f;
        return true;
    case T_COMPLEX:
        *equal = a->c.re == b->c.re && a->c.im == b->c.im;
        return true;
    case T_TEXT:
        *equal = slice_eq(a->text, b->text);
        return true;
    case T_BYTES:
        *equal = !a->text.p == !b->text.p && slice_eq(a->text, b->text);
        return true;
    case T_TIME:
        *equal = !instant_cmp(a->time->at, b->time->at) && a->time->zone == b->time->zone &&
                 a->time->has_mono == b->time->has_mono && a->time->mono == b->time->mono;
        return true;
    case T_LIST:
        return equal_lists(run, a, b, depth, equal);
    case T_MAP:
        return equal_maps(run, a, b, depth, equal);
    case T_OBJECT:
        *equal = a->self == b->self;
        return true;
    default:
        return true;
    }
}

bool value_equal(struct trun *run, const struct tvalue *a, const struct tvalue *b, bool *equal)
{
    return equal_at(run, a, b, 0, equal);
}

/* --- Numbers --------------------------------------------------------------------------------- */

static bool is_plain_number(const struct tvalue *v)
{
    static const struct ttype *const PLAIN[] = {
        &TTYPE_INT,   &TTYPE_INT32, &TTYPE_INT64, &TTYPE_UINT8,   &TTYPE_UINT32, &TTYPE_UINT64,
        &TTYPE_FLOAT, &TTYPE_BOOL,  &TTYPE_MONTH, &TTYPE_WEEKDAY, &TTYPE_TEXT,
    };

    for (size_t i = 0; i < COUNT_OF(PLAIN); i++)
        if (v->type == PLAIN[i])
            return true;
    return false;
}

double value_to_float(const struct tvalue *v)
{
    double d = 0;

    if (!is_plain_number(v))
        return 0;
    switch (v->kind) {
    case T_INT:
        return (double)v->i;
    case T_UINT:
        return (double)v->u;
    case T_FLOAT:
        return v->f;
    case T_BOOL:
        return v->truth;
    default:
        return number_float(v->text, &d) ? d : 0;
    }
}

/* "3.00" is 3: zeros behind the point go, if only zeros are there. */
static struct slice without_zero_fraction(struct slice s)
{
    bool zero = false;

    for (size_t i = s.n; i > 0; i--) {
        if (s.p[i - 1] == '.' && zero)
            return slice_sub(s, 0, i - 1);
        if (s.p[i - 1] == '0')
            zero = true;
        else if (s.p[i - 1] != '.')
            break;
    }
    return s;
}

int64_t value_to_int(const struct tvalue *v)
{
    int64_t i = 0;

    if (!is_plain_number(v))
        return 0;
    switch (v->kind) {
    case T_INT:
    case T_UINT:
        return v->i;
    case T_FLOAT:
        return float_to_int(v->f);
    case T_BOOL:
        return v->truth;
    default:
        return number_int(without_zero_fraction(v->text), 0, &i) ? i : 0;
    }
}
