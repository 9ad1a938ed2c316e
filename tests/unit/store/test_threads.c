/*
 * Many threads at one store, on each engine: a token is used once, no issue is lost, and of two
 * batches that exclude each other one is refused.
 */
#include "store_testing.h"

#include <pthread.h>
#include <stdatomic.h>

#define ROUNDS  200
#define THREADS 16
#define ISSUES  500

static atomic_uint wins, losses, strange;
static atomic_int round_now;

/* No assertion on these threads: cmocka leaves a test by longjmp. */
static void *use_tokens(void *arg)
{
    struct store *s = arg;
    struct arena *a = arena_new(&HEAP_USUAL);
    struct arena_mark mark = arena_mark(a);

    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&round_now, 1);
        while (atomic_load(&round_now) < 2 * (i + 1))
            sched_yield();
        struct store_batch b = {.arena = a};
        struct err e = {0};
        batch_insert(&b, TABLE_USED_OTT, arena_format(a, "token-%d", i), SLICE("1"), &USED);
        bool won = store_commit(s, &b, DEADLINE_NONE, &e);
        atomic_fetch_add(won ? &wins : e.kind == USED.kind ? &losses : &strange, 1);
        arena_rewind(a, mark);
    }
    arena_free(a);
    return NULL;
}

static void of_two_threads_exactly_one_uses_a_token(void **state)
{
    struct ground *g = *state;
    pthread_t threads[2];

    wins = losses = strange = 0;
    round_now = 0;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_tokens, g->s), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wins, ROUNDS);
    assert_int_equal(losses, ROUNDS);
    assert_int_equal(strange, 0);
}

struct excluding {
    struct store *s;
    bool second;
};

/* Each writes the row that the other one says is absent. */
static void *exclude(void *arg)
{
    const struct excluding *who = arg;
    struct arena *a = arena_new(&HEAP_USUAL);
    struct arena_mark mark = arena_mark(a);

    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&round_now, 1);
        while (atomic_load(&round_now) < 2 * (i + 1))
            sched_yield();
        struct store_batch b = {.arena = a};
        struct err e = {0};
        struct slice key = arena_format(a, "%d", i);
        if (who->second) {
            batch_absent(&b, TABLE_X509_CERTS, key, &REVOKED);
            batch_put(&b, TABLE_REVOKED_X509_CERTS, key, REVOCATION);
        } else {
            batch_put(&b, TABLE_X509_CERTS, key, SLICE("der"));
            batch_absent(&b, TABLE_REVOKED_X509_CERTS, key, &REVOKED);
        }
        bool won = store_commit(who->s, &b, DEADLINE_NONE, &e);
        atomic_fetch_add(won ? &wins : e.kind == REVOKED.kind ? &losses : &strange, 1);
        arena_rewind(a, mark);
    }
    arena_free(a);
    return NULL;
}

static void of_two_that_exclude_each_other_exactly_one_commits(void **state)
{
    struct ground *g = *state;
    struct excluding who[2] = {{g->s, false}, {g->s, true}};
    pthread_t threads[2];

    wins = losses = strange = 0;
    round_now = 0;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, exclude, &who[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(strange, 0);
    assert_int_equal(wins, ROUNDS);
    assert_int_equal(losses, ROUNDS);
}

struct issuer {
    struct store *s;
    int number;
};

static void *issue_many(void *arg)
{
    struct issuer *who = arg;
    struct arena *a = arena_new(&HEAP_USUAL);
    struct arena_mark mark = arena_mark(a);

    for (int i = 0; i < ISSUES; i++) {
        struct store_batch b = {.arena = a};
        struct issued c = certificate(arena_printf(a, "%02d%04d", who->number, i));
        struct slice value = SLICE_NONE;
        batch_insert(&b, TABLE_USED_OTT, c.serial, SLICE("1"), &USED);
        batch_issue(&b, &c);
        /* What was acknowledged is read back at once. */
        bool ok = store_commit(who->s, &b, DEADLINE_NONE, NULL) &&
                  store_get(who->s, TABLE_X509_CERTS, c.serial, a, &value, DEADLINE_NONE, NULL) &&
                  slice_eq(value, c.der);
        atomic_fetch_add(ok ? &wins : &strange, 1);
        arena_rewind(a, mark);
    }
    arena_free(a);
    return NULL;
}

static bool count(struct slice key UNUSED, struct slice value UNUSED, void *arg)
{
    ++*(unsigned *)arg;
    return true;
}

static void sixteen_threads_lose_no_issue(void **state)
{
    struct ground *g = *state;
    pthread_t threads[THREADS];
    struct issuer issuers[THREADS];
    unsigned certificates = 0, tokens = 0;

    wins = strange = 0;
    for (int i = 0; i < THREADS; i++) {
        issuers[i] = (struct issuer){g->s, i};
        assert_int_equal(pthread_create(&threads[i], NULL, issue_many, &issuers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(strange, 0);
    assert_int_equal(wins, THREADS * ISSUES);
    assert_true(g->s->ops->scan(g->s, TABLE_X509_CERTS, SLICE_NONE, 0, count, &certificates,
                                DEADLINE_NONE, &g->e));
    assert_true(
        g->s->ops->scan(g->s, TABLE_USED_OTT, SLICE_NONE, 0, count, &tokens, DEADLINE_NONE, &g->e));
    assert_int_equal(certificates, THREADS * ISSUES);
    assert_int_equal(tokens, THREADS * ISSUES);
}

struct order {
    atomic_uint ended;
    unsigned refused;
};

static void note(enum committed how, const struct store_op *refused UNUSED,
                 const struct err *why UNUSED, void *arg)
{
    struct order *o = arg;

    o->refused += how == STORE_REFUSED;
    atomic_fetch_add(&o->ended, 1);
}

/* Batches of one group see what the earlier ones of it wrote. */
static void a_queue_of_swaps_is_judged_one_after_the_other(void **state)
{
    struct ground *g = *state;
    struct store_batch batches[100];
    struct order o = {0};

    put(g->s, TABLE_ADMINS, SLICE("n"), SLICE("0"));
    for (int i = 0; i < 100; i++) {
        batches[i] = (struct store_batch){.arena = g->a};
        /* Every second one is too late. */
        batch_swap(&batches[i], TABLE_ADMINS, SLICE("n"), arena_format(g->a, "%d", i / 2),
                   arena_format(g->a, "%d", i / 2 + 1));
        g->s->ops->submit(g->s, &batches[i], DEADLINE_NONE, note, &o);
    }
    while (atomic_load(&o.ended) < 100)
        sched_yield();
    assert_int_equal(o.refused, 50);
    assert_row(g->s, TABLE_ADMINS, SLICE("n"), SLICE("50"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(of_two_threads_exactly_one_uses_a_token),
        EACH(of_two_that_exclude_each_other_exactly_one_commits),
        EACH(sixteen_threads_lose_no_issue),
        EACH(a_queue_of_swaps_is_judged_one_after_the_other),
    };

    return RUN_ON_BOTH(tests) + RUN_ON_SERVERS(tests);
}
