/*
 * What was acknowledged stays, what was not is told: a killed process, a full disk, a writer that
 * is behind, a store that closes under load.
 */
#include "store_testing.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/log.h"

static char *path_in(struct ground *g)
{
    return arena_printf(g->a, "%s/store.sqlite", g->dir);
}

/* --- A killed process ---------------------------------------------------------------------- */

static void commit_and_report(const char *path, int to, unsigned round)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct arena_mark mark = arena_mark(a);
    struct store *s = store_sqlite_open(path, &STILL, NULL);

    for (unsigned i = 0; s && i < 100000; i++) {
        struct store_batch b = {.arena = a};
        struct issued c = certificate(arena_printf(a, "%u%06u", round, i));
        batch_insert(&b, TABLE_USED_OTT, c.serial, SLICE("1"), &USED);
        batch_issue(&b, &c);
        if (!store_commit(s, &b, DEADLINE_NONE, NULL))
            break;
        if (write(to, &i, sizeof(i)) != sizeof(i))
            break;
        arena_rewind(a, mark);
    }
    _exit(1);
}

/* Kills the child after some acknowledgements; how many there were in all. */
static unsigned kill_under_load(const char *path, unsigned round)
{
    int ends[2];
    unsigned n = 0, number;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        commit_and_report(path, ends[1], round);
    close(ends[1]);
    while (read(ends[0], &number, sizeof(number)) == sizeof(number)) {
        assert_int_equal(number, n++);
        if (n == 100 + 37 * round)
            kill(child, SIGKILL);
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    return n;
}

/* All of a batch or nothing of it, and what was acknowledged in any case. */
static void assert_round(struct ground *g, unsigned round, unsigned acknowledged)
{
    for (unsigned i = 0; i < acknowledged + 5; i++) {
        CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
        struct slice serial = arena_format(a, "%u%06u", round, i), token, der;
        assert_true(store_get(g->s, TABLE_X509_CERTS, serial, a, &der, DEADLINE_NONE, &g->e));
        assert_true(store_get(g->s, TABLE_USED_OTT, serial, a, &token, DEADLINE_NONE, &g->e));
        assert_int_equal(der.p != NULL, token.p != NULL);
        assert_true(i >= acknowledged || der.p);
    }
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    struct ground *g = *state;
    unsigned acknowledged[6];

    for (unsigned round = 1; round <= 5; round++) {
        store_close(g->s); /* a connection must not be carried through a fork */
        acknowledged[round] = kill_under_load(path_in(g), round);
        assert_true(acknowledged[round] >= 100);
        g->s = store_sqlite_open(path_in(g), &STILL, &g->e);
        assert_non_null(g->s);
        for (unsigned r = 1; r <= round; r++)
            assert_round(g, r, acknowledged[r]);
    }
}

/* --- A full disk --------------------------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The log is lent a sink: a file on the full disk would not take it. */
static void swallow(const char *line UNUSED, size_t n UNUSED, void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static bool put_large(struct ground *g, unsigned n, struct slice value)
{
    batch_put(&g->b, TABLE_ACME_CERTS, arena_format(g->a, "%u", n), value);
    bool ok = store_commit(g->s, &g->b, DEADLINE_NONE, &g->e);
    batch_clear(&g->b);
    return ok;
}

static void a_full_disk_loses_the_batch_and_nothing_before(void **state)
{
    struct ground *g = *state;
    struct slice value = slice_of(arena_alloc(g->a, 64u << 10), 64u << 10);
    bool kept[1000];
    unsigned n = 0;

    limit_files(1u << 20);
    /* Making the connection anew may empty the log once and so make room. */
    for (unsigned lost_in_a_row = 0; lost_in_a_row < 5; n++) {
        assert_true(n < COUNT_OF(kept));
        kept[n] = put_large(g, n, value);
        lost_in_a_row = kept[n] ? 0 : lost_in_a_row + 1;
        if (kept[n])
            continue;
        assert_int_equal(g->e.kind, ERR_UNAVAILABLE);
        if (!strstr(g->e.text, path_in(g)) || !strstr(g->e.text, "File too large"))
            fail_msg("the text says neither file nor reason: %s", g->e.text);
    }
    assert_true(kept[0]);
    assert_row(g->s, TABLE_ACME_CERTS, SLICE("0"), value); /* reading goes on */

    limit_files(0);
    assert_true(put_large(g, n, value));
    kept[n++] = true;
    for (int opened = 0; opened < 2; opened++) {
        for (unsigned i = 0; i < n; i++)
            assert_row(g->s, TABLE_ACME_CERTS, arena_format(g->a, "%u", i),
                       kept[i] ? value : SLICE_NONE);
        store_close(g->s);
        g->s = store_sqlite_open(path_in(g), &STILL, &g->e);
        assert_non_null(g->s);
    }
}

/* --- Groups -------------------------------------------------------------------------------- */

struct gate_here {
    atomic_bool open, reached;
};

/* Holds the writer, so that what is submitted meanwhile becomes one group. */
static void hold(enum committed how UNUSED, const struct store_op *refused UNUSED,
                 const struct err *why UNUSED, void *arg)
{
    struct gate_here *gate = arg;

    atomic_store(&gate->reached, true);
    while (!atomic_load(&gate->open))
        usleep(1000);
}

static void hold_writer(struct ground *g, struct gate_here *gate, struct store_batch *b)
{
    *b = (struct store_batch){.arena = g->a};
    g->s->ops->submit(g->s, b, DEADLINE_NONE, hold, gate);
    while (!atomic_load(&gate->reached))
        usleep(1000);
}

struct tally {
    atomic_uint ended, committed, refused, lost;
    enum err_kind kind;
};

static void count(enum committed how, const struct store_op *refused UNUSED, const struct err *why,
                  void *arg)
{
    struct tally *t = arg;

    if (how == STORE_LOST)
        t->kind = why->kind;
    atomic_fetch_add(how == STORE_COMMITTED ? &t->committed
                     : how == STORE_REFUSED ? &t->refused
                                            : &t->lost,
                     1);
    atomic_fetch_add(&t->ended, 1);
}

static void wait_for(struct tally *t, unsigned n)
{
    while (atomic_load(&t->ended) < n)
        usleep(1000);
}

static void of_a_group_only_the_guilty_batch_is_lost(void **state)
{
    struct ground *g = *state;
    struct gate_here gate = {0};
    struct tally good = {0}, bad = {0}, again = {0};
    struct store_batch held, batches[9];
    size_t huge = 24u << 20; /* more than SQLite keeps in memory: written before the commit */
    uint8_t *value = arena_alloc(g->a, huge);

    hold_writer(g, &gate, &held);
    limit_files(8u << 20);
    for (int i = 0; i < 9; i++) {
        batches[i] = (struct store_batch){.arena = g->a};
        batch_insert(&batches[i], TABLE_USED_OTT, arena_format(g->a, "t%d", i % 8), SLICE("1"),
                     &USED);
        batch_put(&batches[i], TABLE_ACME_CERTS, arena_format(g->a, "c%d", i),
                  slice_of(value, i == 4 ? huge : 100));
        g->s->ops->submit(g->s, &batches[i], DEADLINE_NONE, count,
                          i == 4   ? &bad
                          : i == 8 ? &again
                                   : &good);
    }
    atomic_store(&gate.open, true);
    wait_for(&good, 7);
    wait_for(&bad, 1);
    wait_for(&again, 1);
    limit_files(0);
    assert_int_equal(good.committed, 7);
    assert_int_equal(bad.lost, 1);
    assert_int_equal(bad.kind, ERR_UNAVAILABLE);
    assert_int_equal(again.refused, 1);
    assert_row(g->s, TABLE_USED_OTT, SLICE("t4"), SLICE_NONE);
    assert_row(g->s, TABLE_USED_OTT, SLICE("t7"), SLICE("1"));
    assert_row(g->s, TABLE_ACME_CERTS, SLICE("c8"), SLICE_NONE);
}

static void the_queue_has_an_end(void **state)
{
    struct ground *g = *state;
    struct gate_here gate = {0};
    struct tally t = {0};
    struct store_batch held, *batches = xcalloc(5000, sizeof(*batches));

    hold_writer(g, &gate, &held);
    for (int i = 0; i < 5000; i++) {
        batches[i].arena = g->a;
        batch_put(&batches[i], TABLE_NONCES, arena_format(g->a, "%d", i), SLICE("{}"));
        g->s->ops->submit(g->s, &batches[i], DEADLINE_NONE, count, &t);
    }
    assert_int_equal(t.lost, 5000 - 4096);
    assert_int_equal(t.kind, ERR_UNAVAILABLE);
    atomic_store(&gate.open, true);
    wait_for(&t, 5000);
    assert_int_equal(t.committed, 4096);
    assert_row(g->s, TABLE_NONCES, SLICE("4095"), SLICE("{}"));
    assert_row(g->s, TABLE_NONCES, SLICE("4096"), SLICE_NONE);
    free(batches);
}

static void close_commits_what_is_queued(void **state)
{
    struct ground *g = *state;
    struct tally t = {0};
    struct store_batch batches[600];

    for (int i = 0; i < 600; i++) {
        batches[i] = (struct store_batch){.arena = g->a};
        batch_put(&batches[i], TABLE_NONCES, arena_format(g->a, "%d", i), SLICE("{}"));
        g->s->ops->submit(g->s, &batches[i], DEADLINE_NONE, count, &t);
    }
    store_close(g->s);
    assert_int_equal(t.committed, 600);
    g->s = store_sqlite_open(path_in(g), &STILL, &g->e);
    assert_non_null(g->s);
    assert_row(g->s, TABLE_NONCES, SLICE("599"), SLICE("{}"));
}

int main(void)
{
    static atomic_uint lines;
    const struct CMUnitTest tests[] = {
        EACH(what_was_acknowledged_survives_a_kill),
        EACH(a_full_disk_loses_the_batch_and_nothing_before),
        EACH(of_a_group_only_the_guilty_batch_is_lost),
        EACH(the_queue_has_an_end),
        EACH(close_commits_what_is_queued),
    };

    on_sqlite = true;
    log_sink(swallow, &lines);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
