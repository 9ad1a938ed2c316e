/* What the tests of this folder share: one arena for a test, hex, fixtures. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"

extern struct arena *arena;

static inline int arena_setup(void **state)
{
    (void)state;
    arena = arena_new(&HEAP_USUAL);
    return 0;
}

static inline int arena_teardown(void **state)
{
    (void)state;
    arena_free(arena);
    arena = NULL;
    return 0;
}
#define TEST(f) cmocka_unit_test_setup_teardown(f, arena_setup, arena_teardown)

/* Bytes of a hex literal; blanks between are allowed. */
static inline struct slice hex(const char *text)
{
    char *dense = arena_cstr(arena, slice_text(text));
    size_t n = 0;
    struct slice bytes;

    for (const char *p = text; *p; p++) {
        if (*p != ' ')
            dense[n++] = *p;
    }
    assert_true(hex_read(arena, slice_of(dense, n), &bytes));
    return bytes;
}

static inline void assert_slice(struct slice got, struct slice expected)
{
    if (slice_eq(got, expected))
        return;
    fail_msg("got %.*s, expected %.*s", SLICE_ARG(hex_text(arena, got)),
             SLICE_ARG(hex_text(arena, expected)));
}

static inline void assert_text(struct slice got, const char *expected)
{
    if (!slice_is(got, expected))
        fail_msg("got '%.*s', expected '%s'", SLICE_ARG(got), expected);
}

/* The call must have succeeded; else its error is told. */
static inline void assert_good(bool good, const struct err *e)
{
    if (!good)
        fail_msg("%s: %s", err_kind_name(e->kind), e->text);
}

static inline void assert_error(bool good, const struct err *e, enum err_kind kind,
                                const char *part)
{
    if (good)
        fail_msg("no error, expected '%s'", part);
    if (e->kind != kind || !strstr(e->text, part))
        fail_msg("%s: '%s', expected %s: '%s'", err_kind_name(e->kind), e->text,
                 err_kind_name(kind), part);
}

#ifdef FIXTURES
static inline struct slice fixture(const char *name)
{
    struct err e = {0};
    struct slice content;

    assert_good(file_read(arena, arena_printf(arena, "%s/%s", FIXTURES, name), false, 1 << 20,
                          &content, &e),
                &e);
    return content;
}
#endif
