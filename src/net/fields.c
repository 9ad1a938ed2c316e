/*
 * Method names and header fields.  A response's field value may carry text that a client chose;
 * what would end a header line is taken out here, so that no handler has to think of it.
 */
#include "net/http.h"

#include <stdlib.h>

static const char *const METHODS[] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_DELETE] = "DELETE", [HTTP_PATCH] = "PATCH",
    [HTTP_OPTIONS] = "OPTIONS", [HTTP_OTHER] = "OTHER",
};

const char *http_method_name(enum http_method m)
{
    return (size_t)m < COUNT_OF(METHODS) ? METHODS[m] : "OTHER";
}

static bool ends_line(uint8_t c)
{
    return c == '\r' || c == '\n' || c == 0;
}

static struct slice value_safe(struct arena *a, struct slice value)
{
    size_t i = 0;

    while (i < value.n && !ends_line(value.p[i]))
        i++;
    if (i == value.n)
        return value.p ? value : SLICE("");
#ifndef __OPTIMIZE__
    abort(); /* a debug build: somebody forgot to check what goes into a header */
#endif
    uint8_t *copy = arena_alloc(a, value.n);
    for (i = 0; i < value.n; i++)
        copy[i] = ends_line(value.p[i]) ? ' ' : value.p[i];
    return slice_of(copy, value.n);
}

void http_fields_add(struct http_fields *f, struct arena *a, const char *name, struct slice value)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 8;
        struct http_field *v = arena_array(a, cap, sizeof(*v));
        if (f->n)
            memcpy(v, f->v, f->n * sizeof(*v));
        f->v = v;
        f->cap = cap;
    }
    f->arena = a;
    f->v[f->n++] = (struct http_field){slice_text(name), value_safe(a, value)};
}

void http_fields_set(struct http_fields *f, struct arena *a, const char *name, struct slice value)
{
    struct slice wanted = slice_text(name);
    size_t kept = 0;

    for (size_t i = 0; i < f->n; i++) {
        if (f->v[i].name.n == wanted.n && slice_eq_case(f->v[i].name, wanted))
            continue;
        if (kept != i)
            f->v[kept] = f->v[i];
        kept++;
    }
    f->n = kept;
    http_fields_add(f, a, name, value);
}

struct slice http_fields_get(const struct http_fields *f, const char *name)
{
    struct slice wanted = slice_text(name);

    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].name.n == wanted.n && slice_eq_case(f->v[i].name, wanted))
            return f->v[i].value;
    return SLICE_NONE;
}
