/* What the tests of templates share: one run of a text, and what came of it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "template/template.h"

struct attempt {
    struct arena *a;
    struct template_options options;
    struct template_limits limits;
    struct tvalue data;
    struct err e;
    bool parsed, ran;
    const char *output; /* NUL-terminated; NULL when it did not run */
};

static UNUSED int attempt_up(void **state)
{
    struct attempt *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    t->a = arena_new(&HEAP_USUAL);
    t->limits = TEMPLATE_LIMITS;
    t->data = tvalue_map(t->a, &TTYPE_MAP);
    *state = t;
    return 0;
}

static UNUSED int attempt_down(void **state)
{
    struct attempt *t = *state;
    arena_free(t->a);
    free(t);
    return 0;
}

/* Member of the root map. */
static UNUSED void give(struct attempt *t, const char *name, struct tvalue v)
{
    tmap_set(t->data.map, t->a, slice_text(name), v);
}

static UNUSED bool attempt(struct attempt *t, const char *text)
{
    struct buf out = buf_new(t->a, 4u << 20);

    err_clear(&t->e);
    t->output = NULL;
    struct template *parsed = template_parse(t->a, "t", slice_text(text), &t->options, &t->e);
    t->parsed = parsed != NULL;
    t->ran = parsed && template_run(parsed, &t->data, t->a, &t->limits, &out, &t->e);
    if (t->ran)
        t->output = arena_cstr(t->a, buf_slice(&out));
    return t->ran;
}

static UNUSED void assert_output(struct attempt *t, const char *text, const char *wanted)
{
    if (!attempt(t, text))
        fail_msg("%s: %s", text, t->e.text);
    assert_string_equal(t->output, wanted);
}

/* The error's text begins with this; it never runs. */
static UNUSED void assert_error(struct attempt *t, const char *text, enum err_kind kind,
                                const char *begins)
{
    if (attempt(t, text))
        fail_msg("%s ran: %s", text, t->output);
    if (strncmp(t->e.text, begins, strlen(begins)) != 0)
        fail_msg("%s: wanted \"%s\", got \"%s\"", text, begins, t->e.text);
    assert_int_equal(t->e.kind, kind);
}
