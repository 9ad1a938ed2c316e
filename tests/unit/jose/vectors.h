/* What the tests of this folder share: an arena per test, and the fixtures of tests/fixtures/jose,
 * lists of objects under a name. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/encode.h"
#include "base/file.h"
#include "jose/jwk.h"
#include "json/json.h"

static struct arena *mem;

static inline int arena_setup(void **state)
{
    (void)state;
    mem = arena_new(&HEAP_USUAL);
    return 0;
}

static inline int arena_teardown(void **state)
{
    (void)state;
    arena_free(mem);
    mem = NULL;
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, arena_setup, arena_teardown)

static inline const struct json *fixture(const char *file, const char *list)
{
    struct slice text;
    struct err e = {0};
    char *path = arena_printf(mem, "%s/%s", FIXTURES, file);

    if (!file_read(mem, path, false, FILE_MAX_USUAL, &text, &e))
        fail_msg("%s", e.text);
    const struct json *v = json_read(mem, text, &JSON_STRICT, NULL, &e);
    if (!v)
        fail_msg("%s: %s", path, e.text);
    const struct json *found = json_get_exact(v, list);
    assert_non_null(found);
    assert_true(found->n > 0);
    return found;
}

static inline struct slice member(const struct json *v, const char *name)
{
    return json_text(json_get_exact(v, name));
}

static inline struct jwk vector_key(const struct json *v)
{
    struct jwk jwk;
    struct err e = {0};

    if (!jwk_from_json(mem, json_get_exact(v, "jwk"), &jwk, &e))
        fail_msg("%.*s: %s", SLICE_ARG(member(v, "name")), e.text);
    return jwk;
}

static inline struct slice b64(const char *text)
{
    return base64_text(mem, BASE64_URL_RAW, slice_text(text));
}

static inline void assert_slice(struct slice found, const char *expected)
{
    if (!slice_is(found, expected))
        fail_msg("expected \"%s\", found \"%.*s\"", expected, SLICE_ARG(found));
}

static inline void assert_same(struct slice found, struct slice expected)
{
    if (!slice_eq(found, expected))
        fail_msg("expected \"%.*s\", found \"%.*s\"", SLICE_ARG(expected), SLICE_ARG(found));
}
