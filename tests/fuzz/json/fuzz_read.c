/*
 * The reader under every set of rules.  What was read is printed (compact and indented) and read
 * again: the trees are equal.  What is valid without the comma rule reads the same with it.
 */
#include <stdlib.h>

#include "json/json.h"

static const struct json_rules ANY = {.depth = 1000, .values = 10000000, .reject_rest = true};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void same(const struct json *x, const struct json *y, bool places)
{
    check(x->kind == y->kind && x->truth == y->truth && x->n == y->n);
    check(slice_eq(x->text, y->text) && slice_eq(x->name, y->name));
    check(!places || (x->line == y->line && x->column == y->column && slice_eq(x->raw, y->raw)));
    const struct json *a = x->first, *b = y->first;
    size_t n = 0;
    for (; a && b; a = a->next, b = b->next, n++)
        same(a, b, places);
    check(!a && !b && n == x->n);
}

static void read_again(struct arena *a, const struct json *v, const struct buf *b)
{
    check(buf_ok(b) && slice_is_utf8(buf_slice(b)));
    const struct json *w = json_read(a, buf_slice(b), &ANY, NULL, NULL);
    check(w != NULL);
    same(v, w, false);
}

static void print_and_read(struct arena *a, const struct json *v)
{
    static const char *const INDENTS[] = {NULL, "\t", "  "};
    for (size_t i = 0; i < COUNT_OF(INDENTS); i++) {
        struct buf b = buf_new(a, 1u << 28);
        json_print(&b, v, INDENTS[i]);
        read_again(a, v, &b);
    }
    struct buf b = buf_new(a, 1u << 28);
    json_put_compact(&b, v->raw);
    read_again(a, v, &b);
    same(v, json_copy(a, v), false);
}

static void numbers(const struct json *v)
{
    int64_t i;
    uint64_t u;
    double d;
    if (json_int(v, &i) && json_uint(v, &u))
        check((uint64_t)i == u);
    if (json_double(v, &d))
        check(v->kind == JSON_NUMBER);
    for (const struct json *child = v->first; child; child = child->next)
        numbers(child);
}

static void one(struct slice in, const struct json_rules *rules)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct json_notes notes;
    struct err e = {0};
    const struct json *v = json_read(a, in, rules, &notes, &e);
    check((v == NULL) == (e.kind != ERR_NONE));
    if (v) {
        check(rules->allow_trailing_comma || notes.trailing_commas == 0);
        check(!rules->reject_rest || !notes.rest);
        numbers(v);
        print_and_read(a, v);
        struct json_rules with = *rules;
        with.allow_trailing_comma = true;
        const struct json *w = json_read(a, in, &with, NULL, NULL);
        check(w != NULL);
        same(v, w, true);
    } else {
        check(slice_is_utf8(slice_text(e.text)));
    }
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct json_rules *const RULES[] = {&JSON_API, &JSON_JOSE, &JSON_CONFIG,
                                                     &JSON_STRICT, &JSON_RECORD};
    for (size_t i = 0; i < COUNT_OF(RULES); i++)
        one(slice_of(data, size), RULES[i]);
    return 0;
}
