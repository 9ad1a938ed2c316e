/*
 * Nonces (RFC 8555 6.5): each is good once, in this process or in the table that servers share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "acme/acme.h"

#define NOW INT64_C(1767323045) /* 2026-01-02T03:04:05Z */

static int64_t mono;
static struct instant still_now(struct clock *c UNUSED)
{
    return (struct instant){NOW, 678000000};
}
static int64_t still_mono(struct clock *c UNUSED)
{
    return mono;
}
static struct clock STILL = {still_now, still_mono};

struct ground {
    struct arena *a;
    struct store *s;
    struct acme_nonces *here, *first, *second; /* two servers on one store */
};

static int begin(void **state)
{
    struct ground *g = xcalloc(1, sizeof(*g));

    mono = 1000 * NS_PER_SEC;
    g->a = arena_new(&HEAP_USUAL);
    g->s = store_memory_open(true, &STILL);
    g->here = acme_nonces_new(&STILL, &RNG_SYSTEM, g->s);
    g->s->caps |= STORE_SHARED;
    g->first = acme_nonces_new(&STILL, &RNG_SYSTEM, g->s);
    g->second = acme_nonces_new(&STILL, &RNG_SYSTEM, g->s);
    *state = g;
    return 0;
}

static int end(void **state)
{
    struct ground *g = *state;

    acme_nonces_free(g->here);
    acme_nonces_free(g->first);
    acme_nonces_free(g->second);
    store_close(g->s);
    arena_free(g->a);
    free(g);
    return 0;
}

static struct slice make(struct ground *g, struct acme_nonces *n)
{
    struct slice nonce;

    assert_true(acme_nonce_make(n, g->a, DEADLINE_NONE, &nonce, NULL));
    return nonce;
}

static bool spend(struct acme_nonces *n, struct slice nonce)
{
    struct err e = {0};
    struct arena *a = arena_new(&HEAP_USUAL);
    bool spent = acme_nonce_spend(n, a, nonce, DEADLINE_NONE, &e);

    arena_free(a);
    if (!spent)
        assert_int_equal(e.kind, ERR_NOT_FOUND);
    return spent;
}

static struct slice row(struct ground *g, struct slice key)
{
    struct slice value;

    assert_true(store_get(g->s, TABLE_NONCES, key, g->a, &value, DEADLINE_NONE, NULL));
    return value;
}

static void a_nonce_is_good_once(void **state)
{
    struct ground *g = *state;
    struct acme_nonces *all[] = {g->here, g->first};

    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct slice one = make(g, all[i]), other = make(g, all[i]);
        assert_false(slice_eq(one, other));
        assert_true(spend(all[i], other));
        assert_true(spend(all[i], one));
        assert_false(spend(all[i], one));
        assert_false(spend(all[i], other));
    }
}

static void a_nonce_of_one_server_is_good_once_at_another(void **state)
{
    struct ground *g = *state;
    struct slice nonce = make(g, g->first);

    assert_true(spend(g->second, nonce));
    assert_false(spend(g->first, nonce));
    nonce = make(g, g->here);
    assert_int_equal(row(g, nonce).n, 0);
    assert_false(spend(g->first, nonce));
}

static void a_shared_nonce_is_the_reference_s_record(void **state)
{
    struct ground *g = *state;
    struct slice nonce = make(g, g->first);
    struct slice expected = arena_format(g->a,
                                         "{\"ID\":\"%.*s\",\"CreatedAt\":\"2026-01-02T03:04:05Z\","
                                         "\"DeletedAt\":\"0001-01-01T00:00:00Z\"}",
                                         SLICE_ARG(nonce));

    assert_int_equal(nonce.n, 43);
    if (!slice_eq(row(g, nonce), expected))
        fail_msg("%.*s", SLICE_ARG(row(g, nonce)));
    assert_true(spend(g->first, nonce));
    assert_null(row(g, nonce).p);
}

static void what_is_no_nonce_is_not_spent(void **state)
{
    static const char *const CASES[] = {
        "", "x", "AAAAAAAAAAAAAAAAAAAAAA", "_____________________w", "not base64!", NULL};
    struct ground *g = *state;
    uint8_t *big = arena_alloc(g->a, 300);
    struct acme_nonces *all[] = {g->here, g->first};

    memset(big, 'A', 300);
    for (size_t n = 0; n < COUNT_OF(all); n++) {
        for (size_t i = 0; i < COUNT_OF(CASES); i++)
            assert_false(spend(all[n], slice_text(CASES[i])));
        assert_false(spend(all[n], slice_of(big, 300)));
    }
}

static void a_nonce_in_memory_ends_after_an_hour(void **state)
{
    struct ground *g = *state;
    struct slice early = make(g, g->here), late;

    mono += 31 * 60 * NS_PER_SEC;
    late = make(g, g->here);
    mono += 31 * 60 * NS_PER_SEC;
    make(g, g->here);
    assert_false(spend(g->here, early));
    assert_true(spend(g->here, late));
}

static void a_store_that_fails_is_no_bad_nonce(void **state)
{
    struct ground *g = *state;
    struct slice nonce = make(g, g->first), other;
    struct deadline past = {still_mono(&STILL) - 1, &STILL, NULL};
    struct err e = {0};

    assert_false(acme_nonce_spend(g->first, g->a, nonce, past, &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    assert_false(acme_nonce_make(g->first, g->a, past, &other, &e));
    assert_true(spend(g->first, nonce));
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_nonce_is_good_once),
        EACH(a_nonce_of_one_server_is_good_once_at_another),
        EACH(a_shared_nonce_is_the_reference_s_record),
        EACH(what_is_no_nonce_is_not_spent),
        EACH(a_nonce_in_memory_ends_after_an_hour),
        EACH(a_store_that_fails_is_no_bad_nonce),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
