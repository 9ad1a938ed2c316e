/*
 * Trees of JSON values: looking things up, making them, editing them.  A node stands in one
 * container at a time; container->n counts its children, and `last` is only valid while there are
 * any.  Nothing is freed: nodes live as long as their arena.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/json.h"

#define NUMBER_MAX 64 /* digits of a number that is kept as double */

/* --- Looking up --------------------------------------------------------------------------- */

const struct json *json_get(const struct json *object, const char *name)
{
    if (!object || object->kind != JSON_OBJECT)
        return NULL;
    const struct json *exact = NULL, *similar = NULL;
    for (const struct json *m = object->first; m; m = m->next) {
        if (slice_is(m->name, name))
            exact = m;
        else if (slice_is_case(m->name, name))
            similar = m;
    }
    return exact ? exact : similar;
}

const struct json *json_get_exact(const struct json *object, const char *name)
{
    if (!object || object->kind != JSON_OBJECT)
        return NULL;
    const struct json *found = NULL;
    for (const struct json *m = object->first; m; m = m->next)
        if (slice_is(m->name, name))
            found = m;
    return found;
}

struct slice json_text(const struct json *v)
{
    return v && v->kind == JSON_TEXT ? v->text : SLICE_NONE;
}

bool json_uint(const struct json *v, uint64_t *value)
{
    return v && v->kind == JSON_NUMBER && slice_to_u64(v->text, value);
}

bool json_int(const struct json *v, int64_t *value)
{
    if (!v || v->kind != JSON_NUMBER)
        return false;
    bool minus = v->text.n > 0 && v->text.p[0] == '-';
    uint64_t magnitude;
    if (!slice_to_u64(slice_from(v->text, minus), &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + minus)
        return false;
    *value = (int64_t)(minus ? 0 - magnitude : magnitude);
    return true;
}

/* No program of ours calls setlocale(3), so strtod reads the decimal point as '.'. */
bool json_double(const struct json *v, double *value)
{
    if (!v || v->kind != JSON_NUMBER || v->text.n == 0 || v->text.n > NUMBER_MAX)
        return false;
    char digits[NUMBER_MAX + 1];
    memcpy(digits, v->text.p, v->text.n);
    digits[v->text.n] = 0;
    char *end;
    double d = strtod(digits, &end);
    if (*end || !isfinite(d))
        return false;
    *value = d;
    return true;
}

/* --- Making ------------------------------------------------------------------------------- */

static struct json *make(struct arena *a, enum json_kind kind)
{
    struct json *v = arena_alloc(a, sizeof *v);
    v->kind = kind;
    return v;
}

struct json *json_make_object(struct arena *a)
{
    return make(a, JSON_OBJECT);
}

struct json *json_make_list(struct arena *a)
{
    return make(a, JSON_LIST);
}

struct json *json_make_text(struct arena *a, struct slice text)
{
    struct json *v = make(a, JSON_TEXT);
    v->text = arena_copy(a, text.p ? text : SLICE(""));
    return v;
}

struct json *json_make_int(struct arena *a, int64_t value)
{
    struct json *v = make(a, JSON_NUMBER);
    v->text = arena_format(a, "%lld", (long long)value);
    return v;
}

struct json *json_make_uint(struct arena *a, uint64_t value)
{
    struct json *v = make(a, JSON_NUMBER);
    v->text = arena_format(a, "%llu", (unsigned long long)value);
    return v;
}

struct json *json_make_bool(struct arena *a, bool value)
{
    struct json *v = make(a, JSON_BOOL);
    v->truth = value;
    return v;
}

struct json *json_make_null(struct arena *a)
{
    return make(a, JSON_NULL);
}

struct json *json_copy(struct arena *a, const struct json *v)
{
    struct json *copy = make(a, v->kind);
    copy->truth = v->truth;
    if (v->text.p)
        copy->text = arena_copy(a, v->text);
    for (const struct json *child = v->first; child; child = child->next) {
        struct json *c = json_copy(a, child);
        if (child->name.p)
            c->name = arena_copy(a, child->name);
        json_append(copy, c);
    }
    return copy;
}

/* --- Editing ------------------------------------------------------------------------------ */

void json_append(struct json *list, struct json *value)
{
    value->next = NULL;
    if (list->first)
        list->last->next = value;
    else
        list->first = value;
    list->last = value;
    list->n++;
}

typedef bool name_match(struct slice name, const char *wanted);

/* The members, taken out of the object; it is filled again with json_append. */
static struct json *detach(struct json *object)
{
    struct json *m = object->first;
    object->first = object->last = NULL;
    object->n = 0;
    return m;
}

/* Puts value where the first matching member stands and drops all matching ones; without value
 * only drops them.  True when there was one. */
static bool replace(struct json *object, const char *name, name_match *match, struct json *value)
{
    bool found = false;
    for (struct json *m = detach(object), *next; m; m = next) {
        next = m->next;
        if (!match(m->name, name)) {
            json_append(object, m);
            continue;
        }
        if (value && !found)
            json_append(object, value);
        found = true;
    }
    return found;
}

static void set(struct json *object, struct arena *a, const char *name, name_match *match,
                struct json *value)
{
    value->name = arena_copy(a, slice_text(name));
    if (!replace(object, name, match, value))
        json_append(object, value);
}

void json_set(struct json *object, struct arena *a, const char *name, struct json *value)
{
    set(object, a, name, slice_is_case, value);
}

void json_set_exact(struct json *object, struct arena *a, const char *name, struct json *value)
{
    set(object, a, name, slice_is, value);
}

bool json_remove(struct json *object, const char *name)
{
    return replace(object, name, slice_is_case, NULL);
}

bool json_remove_exact(struct json *object, const char *name)
{
    return replace(object, name, slice_is, NULL);
}

bool json_remove_item(struct json *list, const struct json *item)
{
    bool found = false;
    for (struct json *v = detach(list), *next; v; v = next) {
        next = v->next;
        if (v == item)
            found = true;
        else
            json_append(list, v);
    }
    return found;
}

static size_t rank(struct slice name, const char *const *names)
{
    size_t i = 0;
    while (names[i] && !slice_is_case(name, names[i]))
        i++;
    return i;
}

void json_order(struct json *object, const char *const *names)
{
    size_t n = 0;
    while (names[n])
        n++;
    struct json *members = detach(object);
    for (size_t i = 0; i <= n; i++) {
        struct json **link = &members;
        while (*link) {
            struct json *m = *link;
            if (rank(m->name, names) != i) {
                link = &m->next;
                continue;
            }
            *link = m->next;
            json_append(object, m);
        }
    }
}
