/*
 * What only the SQL engines have to show: two of our processes on one database, tables by name,
 * limits, unused nonces.  Without a server (NEWEL_TEST_MYSQL, NEWEL_TEST_POSTGRESQL) nothing is
 * tested here; tests/integration/test_sql_databases.py starts servers and runs this.
 */
#include "store_testing.h"

#include <pthread.h>
#include <stdatomic.h>

/* Two stores on one database, as two processes would have them. */
struct pair_of_stores {
    struct store *s[2];
    char name[64];
    struct arena *a;
};

static struct store *open_one(const char *name, bool make, struct err *e)
{
    return store_source_open(slice_text(on_server), slice_text(server_source), slice_text(name),
                             make, &CLOCK_SYSTEM, e);
}

static int open_both(void **state)
{
    static unsigned n;
    struct pair_of_stores *p = xcalloc(1, sizeof(*p));

    p->a = arena_new(&HEAP_USUAL);
    snprintf(p->name, sizeof(p->name), "newel_two_%d_%u", (int)getpid(), ++n);
    for (int i = 0; i < 2; i++) {
        struct err e = {0};
        p->s[i] = open_one(p->name, true, &e);
        if (!p->s[i])
            fail_msg("%s", e.text);
    }
    *state = p;
    return 0;
}

static int close_both(void **state)
{
    struct pair_of_stores *p = *state;

    store_close(p->s[0]);
    store_close(p->s[1]);
    arena_free(p->a);
    free(p);
    return 0;
}

/* --- At the same time ---------------------------------------------------------------------- */

#define THREADS 12
#define ROUNDS  40

struct worker {
    struct pair_of_stores *p;
    unsigned number;
    pthread_barrier_t *start;
    pthread_t thread;
};
static atomic_uint wins, losses, strange;
static char strange_text[480];

static void count(bool ok, const struct err *e, enum err_kind refusal)
{
    atomic_fetch_add(ok ? &wins : e->kind == refusal ? &losses : &strange, 1);
    if (!ok && e->kind != refusal)
        memcpy(strange_text, e->text, sizeof(strange_text));
}

static void run_workers(struct pair_of_stores *p, void *(*run)(void *))
{
    struct worker w[THREADS];
    pthread_barrier_t start;

    wins = losses = strange = 0;
    strange_text[0] = 0;
    pthread_barrier_init(&start, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        w[i] = (struct worker){p, i, &start, 0};
        assert_int_equal(pthread_create(&w[i].thread, NULL, run, &w[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(w[i].thread, NULL);
    pthread_barrier_destroy(&start);
    if (strange)
        fail_msg("%u strange errors, one of them: %s", strange, strange_text);
}

static void *use_tokens(void *arg)
{
    struct worker *w = arg;
    struct arena *a = arena_new(&HEAP_USUAL);

    for (int i = 0; i < ROUNDS; i++) {
        struct store_batch b = {.arena = a};
        struct err e = {0};
        struct issued c = certificate(arena_printf(a, "%d%03u", i + 1, w->number));
        pthread_barrier_wait(w->start);
        batch_issue(&b, &c);
        batch_insert(&b, TABLE_USED_OTT, arena_format(a, "token-%d", i), SLICE("1"), &USED);
        count(store_commit(w->p->s[w->number % 2], &b, DEADLINE_NONE, &e), &e, USED.kind);
    }
    arena_free(a);
    return NULL;
}

static bool count_row(struct slice key UNUSED, struct slice value UNUSED, void *arg)
{
    (*(unsigned *)arg)++;
    return true;
}

static unsigned rows_of(struct store *s, enum table t)
{
    unsigned n = 0;

    assert_true(s->ops->scan(s, t, SLICE_NONE, 0, count_row, &n, DEADLINE_NONE, NULL));
    return n;
}

static void a_token_is_used_once_on_two_servers(void **state)
{
    struct pair_of_stores *p = *state;

    run_workers(p, use_tokens);
    assert_int_equal(wins, ROUNDS);
    assert_int_equal(losses, ROUNDS * (THREADS - 1));
    assert_int_equal(rows_of(p->s[0], TABLE_X509_CERTS), ROUNDS);
    assert_int_equal(rows_of(p->s[1], TABLE_USED_OTT), ROUNDS);
}

static void *spend_nonces(void *arg)
{
    struct worker *w = arg;
    struct arena *a = arena_new(&HEAP_USUAL);

    for (int i = 0; i < ROUNDS; i++) {
        struct store_batch b = {.arena = a};
        struct err e = {0};
        pthread_barrier_wait(w->start);
        batch_remove(&b, TABLE_NONCES, arena_format(a, "nonce-%d", i), &NO_NONCE);
        count(store_commit(w->p->s[w->number % 2], &b, DEADLINE_NONE, &e), &e, NO_NONCE.kind);
    }
    arena_free(a);
    return NULL;
}

static void a_nonce_is_spent_once_on_two_servers(void **state)
{
    struct pair_of_stores *p = *state;

    for (int i = 0; i < ROUNDS; i++)
        put(p->s[0], TABLE_NONCES, arena_format(p->a, "nonce-%d", i), SLICE("{}"));
    run_workers(p, spend_nonces);
    assert_int_equal(wins, ROUNDS);
    assert_int_equal(losses, ROUNDS * (THREADS - 1));
    assert_int_equal(rows_of(p->s[0], TABLE_NONCES), 0);
}

/* Each adds its mark to one list, as orders are added to an account's. */
static bool append(struct store *s, struct arena *a, struct slice mark, struct err *e)
{
    struct store_batch b = {.arena = a};
    struct slice old;

    if (!store_get(s, TABLE_ACME_ACCOUNT_ORDERS_INDEX, SLICE("a"), a, &old, DEADLINE_NONE, e))
        return false;
    batch_swap(&b, TABLE_ACME_ACCOUNT_ORDERS_INDEX, SLICE("a"), old,
               arena_format(a, "%.*s%.*s", SLICE_ARG(old), SLICE_ARG(mark)));
    batch_put(&b, TABLE_ACME_ORDERS, mark, SLICE("{}"));
    return store_commit(s, &b, DEADLINE_NONE, e);
}

static void *append_marks(void *arg)
{
    struct worker *w = arg;
    struct arena *a = arena_new(&HEAP_USUAL);

    pthread_barrier_wait(w->start);
    for (int i = 0; i < 5; i++) {
        struct slice mark = arena_format(a, "<%02u-%02d>", w->number, i);
        struct err e = {0};
        bool ok = false;
        for (int n = 0; n < 2000 && !ok; n++) {
            err_clear(&e);
            ok = append(w->p->s[w->number % 2], a, mark, &e);
            if (!ok && e.kind != ERR_CHANGED)
                break;
        }
        count(ok, &e, ERR_CHANGED);
    }
    arena_free(a);
    return NULL;
}

static void no_swap_is_lost_on_two_servers(void **state)
{
    struct pair_of_stores *p = *state;
    struct slice list;

    run_workers(p, append_marks);
    assert_int_equal(wins, 5 * THREADS);
    assert_true(store_get(p->s[0], TABLE_ACME_ACCOUNT_ORDERS_INDEX, SLICE("a"), p->a, &list,
                          DEADLINE_NONE, NULL));
    assert_int_equal(list.n, 7 * 5 * THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        for (int k = 0; k < 5; k++)
            assert_true(slice_search(list, arena_format(p->a, "<%02u-%02d>", i, k)) < list.n);
    }
}

/* Neighbours, missing rows, and the order turned round: what makes a server find deadlocks. */
static void *write_crosswise(void *arg)
{
    struct worker *w = arg;
    struct arena *a = arena_new(&HEAP_USUAL);

    for (int i = 0; i < ROUNDS; i++) {
        struct store_batch b = {.arena = a};
        struct err e = {0};
        pthread_barrier_wait(w->start);
        for (unsigned k = 0; k < 6; k++) {
            unsigned at = w->number % 2 ? k : 5 - k;
            struct slice key = arena_format(a, "%d-%u", i, at);
            if ((at + w->number) % 3 == 0)
                batch_remove(&b, TABLE_ACME_AUTHZS, key, NULL);
            else
                batch_put(&b, at % 2 ? TABLE_ACME_AUTHZS : TABLE_ACME_ORDERS, key, SLICE("{}"));
        }
        count(store_commit(w->p->s[w->number % 2], &b, DEADLINE_NONE, &e), &e, ERR_NONE);
    }
    arena_free(a);
    return NULL;
}

static void crosswise_batches_all_end_well(void **state)
{
    struct pair_of_stores *p = *state;

    run_workers(p, write_crosswise);
    assert_int_equal(wins, ROUNDS * THREADS);
}

/* Half of them say that a row is absent which the other half writes. */
static void *exclude(void *arg)
{
    struct worker *w = arg;
    struct arena *a = arena_new(&HEAP_USUAL);

    for (int i = 0; i < ROUNDS; i++) {
        struct store_batch b = {.arena = a};
        struct err e = {0};
        const char *mine = w->number / 2 % 2 ? "a" : "b", *other = w->number / 2 % 2 ? "b" : "a";
        pthread_barrier_wait(w->start);
        batch_insert(&b, TABLE_ACME_ORDERS, arena_format(a, "%d-%s", i, mine), SLICE("1"),
                     &REVOKED);
        batch_absent(&b, TABLE_ACME_ORDERS, arena_format(a, "%d-%s", i, other), &REVOKED);
        count(store_commit(w->p->s[w->number % 2], &b, DEADLINE_NONE, &e), &e, REVOKED.kind);
    }
    arena_free(a);
    return NULL;
}

static void one_of_those_that_exclude_each_other_commits(void **state)
{
    struct pair_of_stores *p = *state;

    run_workers(p, exclude);
    assert_int_equal(wins, ROUNDS);
    assert_int_equal(losses, ROUNDS * (THREADS - 1));
    assert_int_equal(rows_of(p->s[0], TABLE_ACME_ORDERS), ROUNDS);
}

/* Renewals of one certificate: they wait for each other, and none is refused or given up. */
static void *renew(void *arg)
{
    struct worker *w = arg;
    struct arena *a = arena_new(&HEAP_USUAL);

    for (int i = 0; i < ROUNDS; i++) {
        struct store_batch b = {.arena = a};
        struct err e = {0};
        struct issued c = certificate(arena_printf(a, "%d%03u", i + 1, w->number));
        pthread_barrier_wait(w->start);
        batch_issue(&b, &c);
        batch_absent(&b, TABLE_REVOKED_X509_CERTS, SLICE("7"), &REVOKED);
        count(store_commit(w->p->s[w->number % 2], &b, DEADLINE_NONE, &e), &e, ERR_NONE);
    }
    arena_free(a);
    return NULL;
}

static void renewals_of_one_certificate_all_end_well(void **state)
{
    struct pair_of_stores *p = *state;

    run_workers(p, renew);
    assert_int_equal(wins, ROUNDS * THREADS);
    assert_int_equal(rows_of(p->s[1], TABLE_X509_CERTS), ROUNDS * THREADS);
    assert_int_equal(rows_of(p->s[1], TABLE_REVOKED_X509_CERTS), 0);
}

/* --- Limits ---------------------------------------------------------------------------------- */

static void long_keys_are_refused_and_never_found(void **state)
{
    struct pair_of_stores *p = *state;
    uint8_t key[256];
    struct store_batch b = {.arena = p->a};
    struct err e = {0};

    memset(key, 'k', sizeof(key));
    batch_put(&b, TABLE_SSH_HOSTS, slice_of(key, 255), SLICE("1"));
    assert_commit(p->s[0], &b);
    assert_row(p->s[1], TABLE_SSH_HOSTS, slice_of(key, 255), SLICE("1"));
    batch_put(&b, TABLE_SSH_HOSTS, slice_of(key, 256), SLICE("1"));
    assert_false(store_commit(p->s[0], &b, DEADLINE_NONE, &e));
    assert_int_equal(e.kind, ERR_TOO_LARGE);
    assert_row(p->s[0], TABLE_SSH_HOSTS, slice_of(key, 256), SLICE_NONE);
}

static void a_value_is_kept_whole_or_refused(void **state)
{
    static const size_t SIZES[] = {65535, 65536, 1u << 20, 40u << 20};
    struct pair_of_stores *p = *state;

    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        uint8_t *value = arena_alloc(p->a, SIZES[i]);
        struct store_batch b = {.arena = p->a};
        struct err e = {0};
        memset(value, 'x', SIZES[i]);
        batch_put(&b, TABLE_X509_CRL, SLICE("crl"), slice_of(value, SIZES[i]));
        if (store_commit(p->s[i % 2], &b, DEADLINE_NONE, &e)) {
            assert_row(p->s[0], TABLE_X509_CRL, SLICE("crl"), slice_of(value, SIZES[i]));
            continue;
        }
        assert_string_equal(on_server, "mysql");
        assert_true(SIZES[i] > 16u << 20);
        assert_int_equal(e.kind, ERR_TOO_LARGE);
    }
}

/* --- Tables by name ----------------------------------------------------------------------------
 */

static bool note_name(struct slice name, void *arg)
{
    buf_put(arg, name);
    buf_text(arg, " ");
    return true;
}

static void rows_of_unknown_tables_are_kept(void **state)
{
    struct pair_of_stores *p = *state;
    struct store *s = p->s[0];
    const struct pair rows[] = {{SLICE("\0k"), SLICE("")}, {SLICE("k"), SLICE("v\xff")}};
    struct slice odd = SLICE("odd \"name`'@\xc3\xa9");
    struct buf names = buf_new(p->a, 1 << 16);
    unsigned n = 0;

    for (int twice = 0; twice < 2; twice++)
        assert_true(s->ops->import(s, odd, rows, 2, NULL, NULL));
    assert_true(s->ops->import(s, SLICE("zzz"), NULL, 0, NULL, NULL));
    assert_true(s->ops->import(s, SLICE("acme_orders"), rows, 2, NULL, NULL));
    assert_row(s, TABLE_ACME_ORDERS, rows[0].key, SLICE(""));

    assert_true(s->ops->tables(s, note_name, &names, NULL));
    assert_true(slice_search(buf_slice(&names), odd) < names.n);
    assert_true(slice_search(buf_slice(&names), SLICE("x509_crl zzz ")) < names.n);
    assert_int_equal(slice_search(buf_slice(&names), SLICE("newel_meta")), names.n);
    assert_true(s->ops->scan_named(s, odd, SLICE_NONE, 0, count_row, &n, DEADLINE_NONE, NULL));
    assert_int_equal(n, 2);
    assert_true(
        s->ops->scan_named(s, SLICE("none"), SLICE_NONE, 0, count_row, &n, DEADLINE_NONE, NULL));
    assert_int_equal(n, 2);
    assert_false(s->ops->import(s, SLICE(""), NULL, 0, NULL, NULL));
}

static void an_import_that_cannot_be_kept_puts_nothing(void **state)
{
    struct pair_of_stores *p = *state;
    uint8_t key[300] = {0};
    const struct pair rows[] = {{SLICE("a"), SLICE("1")}, {slice_of(key, sizeof(key)), SLICE("2")}};
    struct err e = {0};

    assert_false(p->s[0]->ops->import(p->s[0], SLICE("admins"), rows, 2, NULL, &e));
    assert_int_equal(e.kind, ERR_TOO_LARGE);
    assert_row(p->s[0], TABLE_ADMINS, SLICE("a"), SLICE_NONE);
}

static void who_only_reads_makes_no_database(void **state)
{
    struct pair_of_stores *p = *state;
    struct err e = {0};
    const char *name = arena_printf(p->a, "%s_not", p->name);

    for (int twice = 0; twice < 2; twice++) {
        assert_null(open_one(name, false, &e));
        if (!strstr(e.text, name))
            fail_msg("%s", e.text);
    }
    struct store *s = open_one(p->name, false, &e);
    assert_non_null(s);
    store_close(s);
}

/* --- Care --------------------------------------------------------------------------------------
 */

static void unused_nonces_go_after_a_day(void **state)
{
    struct pair_of_stores *p = *state;
    struct store *s = p->s[0];
    struct store_batch b = {.arena = p->a};
    struct instant then;
    uint64_t removed;

    assert_true(rfc3339_read(SLICE("2026-01-02T00:00:00Z"), &then));
    for (int i = 0; i < 700; i++) {
        const char *day = i % 2 ? "2026-01-01T12:00:00Z" : "2025-12-31T12:00:00Z";
        batch_put(
            &b, TABLE_NONCES, arena_format(p->a, "%d", i),
            arena_format(p->a, "{\"ID\":\"%d\",\"CreatedAt\":\"%s\",\"DeletedAt\":\"\"}", i, day));
    }
    batch_put(&b, TABLE_NONCES, SLICE("unreadable"), SLICE("{"));
    assert_commit(s, &b);
    assert_true(s->ops->prune(s, then.sec, &removed, NULL));
    assert_int_equal(removed, 350);
    assert_row(s, TABLE_NONCES, SLICE("0"), SLICE_NONE);
    assert_int_equal(rows_of(s, TABLE_NONCES), 351);
    assert_true(s->ops->prune(s, then.sec, &removed, NULL));
    assert_int_equal(removed, 0);
}

static void used_tokens_go_after_their_end(void **state)
{
    struct pair_of_stores *p = *state;
    struct store *s = p->s[0];
    struct store_batch b = {.arena = p->a};
    uint64_t removed;

    for (int i = 0; i < 700; i++) {
        batch_insert(&b, TABLE_USED_OTT, arena_format(p->a, "t%d", i), SLICE("used"), &USED);
        batch_expires(&b, NOW + i);
    }
    batch_put(&b, TABLE_USED_OTT, SLICE("for ever"), SLICE("used"));
    batch_put(&b, TABLE_USED_OTT, SLICE("instance"), SLICE("used until later"));
    assert_commit(s, &b);
    assert_row(s, TABLE_USED_OTT, SLICE("t7"), SLICE("used until 1750000007"));
    assert_true(s->ops->prune(s, NOW + 600, &removed, NULL));
    assert_int_equal(removed, 600);
    assert_row(s, TABLE_USED_OTT, SLICE("t599"), SLICE_NONE);
    assert_row(s, TABLE_USED_OTT, SLICE("t600"), SLICE("used until 1750000600"));
    assert_int_equal(rows_of(s, TABLE_USED_OTT), 102);
}

static void a_server_that_answers_can_be_written_to(void **state)
{
    struct pair_of_stores *p = *state;

    assert_true(p->s[0]->ops->probe(p->s[0], DEADLINE_NONE, NULL));
    assert_true(p->s[0]->ops->probe(p->s[0], DEADLINE_NONE, NULL));
    assert_true((p->s[0]->caps & STORE_SHARED) && !(p->s[0]->caps & STORE_INVENTORY));
}

#define EACH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_both, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_PAIR(a_token_is_used_once_on_two_servers),
        EACH_PAIR(a_nonce_is_spent_once_on_two_servers),
        EACH_PAIR(no_swap_is_lost_on_two_servers),
        EACH_PAIR(crosswise_batches_all_end_well),
        EACH_PAIR(one_of_those_that_exclude_each_other_commits),
        EACH_PAIR(renewals_of_one_certificate_all_end_well),
        EACH_PAIR(long_keys_are_refused_and_never_found),
        EACH_PAIR(a_value_is_kept_whole_or_refused),
        EACH_PAIR(rows_of_unknown_tables_are_kept),
        EACH_PAIR(an_import_that_cannot_be_kept_puts_nothing),
        EACH_PAIR(who_only_reads_makes_no_database),
        EACH_PAIR(unused_nonces_go_after_a_day),
        EACH_PAIR(used_tokens_go_after_their_end),
        EACH_PAIR(a_server_that_answers_can_be_written_to),
    };

    return RUN_ON_SERVERS(tests);
}
