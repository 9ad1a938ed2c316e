/*
 * The inventory of a SQL server while services run: its tables come and go, certificates that are
 * missing are added, by several at once.  Without a server (NEWEL_TEST_MYSQL,
 * NEWEL_TEST_POSTGRESQL) nothing is tested here; tests/integration/test_sql_databases.py starts
 * servers and runs this.
 */
#include "store/sql_ledger.h"
#include "store_testing.h"

#include <stdatomic.h>
#include <time.h>

struct place {
    char name[64];
    struct arena *a;
    struct store *service; /* with a thread that looks after the inventory */
};

static bool describe(struct arena *a, enum table t, struct slice key, struct slice der,
                     struct issued *out)
{
    const char *serial = arena_cstr(a, key);

    *out = t == TABLE_SSH_CERTS ? ssh_certificate(serial) : certificate(serial);
    out->provisioner_id = out->provisioner_name = out->provisioner_type = SLICE_NONE;
    return !slice_is(der, "no certificate");
}

static struct store *open_as(const char *name, bool inventory, bool service)
{
    struct store_source_options o = {
        .make = true, .inventory = inventory, .describe = service ? describe : NULL};
    struct err e = {0};
    struct store *s = store_source_open_with(slice_text(on_server), slice_text(server_source),
                                             slice_text(name), &o, &CLOCK_SYSTEM, &e);

    if (!s)
        fail_msg("%s", e.text);
    return s;
}

static int open_place(void **state)
{
    static unsigned n;
    struct place *p = xcalloc(1, sizeof(*p));

    p->a = arena_new(&HEAP_USUAL);
    snprintf(p->name, sizeof(p->name), "newel_tend_%d_%u", (int)getpid(), ++n);
    *state = p;
    return 0;
}

static int close_place(void **state)
{
    struct place *p = *state;

    store_close(p->service);
    arena_free(p->a);
    free(p);
    return 0;
}

static bool count_row(struct slice key UNUSED, struct slice value UNUSED, void *arg)
{
    (*(unsigned *)arg)++;
    return true;
}

static unsigned certificates(struct store *s)
{
    unsigned n = 0;

    assert_true(
        s->ops->scan(s, TABLE_X509_CERTS, SLICE_NONE, 0, count_row, &n, DEADLINE_NONE, NULL));
    assert_true(
        s->ops->scan(s, TABLE_SSH_CERTS, SLICE_NONE, 0, count_row, &n, DEADLINE_NONE, NULL));
    return n;
}

static bool count_listed(const struct inventory_row *row, void *arg)
{
    unsigned *n = arg;

    if (!slice_is(row->provisioner_name, row->kind == CERT_X509 ? "admin" : "people") &&
        !(row->kind != CERT_X509 && row->provisioner_name.n == 0))
        fail_msg("certificate %.*s of provisioner \"%.*s\"", SLICE_ARG(row->serial),
                 SLICE_ARG(row->provisioner_name));
    ++*n;
    return true;
}

static unsigned listed(struct store *s)
{
    struct inventory_query q = {0};
    struct err e = {0};
    unsigned n = 0;

    if (!s->ops->inventory(s, &q, count_listed, &n, DEADLINE_NONE, &e))
        fail_msg("%s", e.text);
    return n;
}

static void tell(const char *text, void *arg)
{
    if (strncmp(text, "note: ", 6) != 0)
        buf_printf(arg, "%s\n", text);
}

static void assert_sound(struct place *p, struct store *s)
{
    struct buf problems = buf_new(p->a, 1 << 16);

    assert_true(s->ops->check(s, describe, tell, &problems, NULL));
    assert_slice(buf_slice(&problems), SLICE(""));
}

static void pause_ms(int ms)
{
    struct timespec ts = {0, ms * NS_PER_MS};

    nanosleep(&ts, NULL);
}

static bool in_time(unsigned *n)
{
    pause_ms(50);
    return ++*n < 1200;
}

static void issue_some(struct store *s, struct arena *a, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++) {
        struct issued c = certificate(arena_printf(a, "%u", i));
        issue_one(s, &c);
    }
}

static void drop_tables(struct store *s)
{
    static const char *const SQL[] = {"DROP TABLE " SQL_LEDGER_NAMES, "DROP TABLE " SQL_LEDGER};

    for (size_t i = 0; i < COUNT_OF(SQL); i++)
        assert_true(
            sql_query((struct sql_store *)s, SQL[i], NULL, 0, DEADLINE_NONE, NULL, NULL, NULL));
}

/* --- They come ------------------------------------------------------------------------------- */

struct issuing {
    struct store *s;
    unsigned first;
    atomic_uint issued;
    atomic_bool ending, failed;
    pthread_t thread;
};

static void *issue_on(void *arg)
{
    struct issuing *k = arg;
    struct arena *a = arena_new(&HEAP_USUAL);

    for (unsigned i = k->first; !k->ending; i++) {
        struct store_batch b = {.arena = a};
        struct issued c = certificate(arena_printf(a, "%u", i));
        batch_issue(&b, &c);
        if (!store_commit(k->s, &b, DEADLINE_NONE, NULL))
            k->failed = true;
        k->issued++;
        pause_ms(2);
    }
    arena_free(a);
    return NULL;
}

static void a_running_service_notices_and_catches_up(void **state)
{
    struct place *p = *state;
    struct issuing k = {.first = 10000};
    struct issued ssh = ssh_certificate("7");
    unsigned n = 0;

    p->service = k.s = open_as(p->name, false, true);
    assert_false(p->service->caps & STORE_INVENTORY);
    issue_some(p->service, p->a, 1, 20);
    issue_one(p->service, &ssh);
    put(p->service, TABLE_X509_CERTS, SLICE("0"), SLICE("no certificate"));
    assert_int_equal(pthread_create(&k.thread, NULL, issue_on, &k), 0);
    while (k.issued < 20)
        pause_ms(1);
    struct store *maker = open_as(p->name, true, false);
    while (!(p->service->caps & STORE_INVENTORY) && in_time(&n))
        ;
    unsigned then = k.issued;
    while (k.issued < then + 20)
        pause_ms(1);
    k.ending = true;
    pthread_join(k.thread, NULL);
    assert_false(k.failed);
    while (listed(p->service) + 1 < certificates(p->service) && in_time(&n))
        ;
    assert_int_equal(listed(maker) + 1, certificates(maker));
    assert_sound(p, maker);
    store_close(maker);
}

/* --- They go --------------------------------------------------------------------------------- */

static void tables_that_go_stop_nobody_and_may_come_back(void **state)
{
    struct place *p = *state;
    struct issued c = certificate("500");
    struct store_batch b = {.arena = p->a};
    struct issued last = certificate("501");
    unsigned n = 0;

    p->service = open_as(p->name, true, true);
    issue_some(p->service, p->a, 1, 5);
    assert_int_equal(listed(p->service), 5);
    drop_tables(p->service);
    batch_insert(&b, TABLE_USED_OTT, SLICE("t"), SLICE("1"), &USED);
    batch_issue(&b, &c);
    assert_commit(p->service, &b);
    assert_false(p->service->caps & STORE_INVENTORY);
    assert_row(p->service, TABLE_X509_CERTS, SLICE("500"), c.der);
    assert_row(p->service, TABLE_X509_CERTS_DATA, SLICE("500"), c.data);
    batch_remove(&b, TABLE_X509_CERTS, SLICE("3"), NULL);
    assert_commit(p->service, &b);

    store_close(open_as(p->name, true, false));
    while (!(p->service->caps & STORE_INVENTORY) && in_time(&n))
        ;
    while (listed(p->service) < 5 && in_time(&n))
        ;
    issue_one(p->service, &last);
    assert_int_equal(listed(p->service), 6);
    assert_sound(p, p->service);

    /* Nobody issues: it is noticed all the same. */
    drop_tables(p->service);
    while ((p->service->caps & STORE_INVENTORY) && in_time(&n))
        ;
    assert_false(p->service->caps & STORE_INVENTORY);
}

/* --- Several at once ------------------------------------------------------------------------- */

#define WALKERS 6
#define ROWS    1300

struct walker {
    struct store *s;
    bool ok;
    uint64_t added;
    pthread_t thread;
};

static void *walk(void *arg)
{
    struct walker *w = arg;
    struct sql_walk k = {0};
    bool end = false;

    w->ok = true;
    while (w->ok && !end)
        w->ok = sql_walk_on((struct sql_store *)w->s, &k, NULL, &end, NULL);
    w->added = k.added;
    return NULL;
}

static void fill(struct store *s, struct arena *a)
{
    struct store_batch b = {.arena = a};
    struct issued i = certificate("1");

    for (int k = 0; k < ROWS; k++) {
        struct slice key = arena_format(a, "%d", k + 1);
        batch_put(&b, k % 10 ? TABLE_X509_CERTS : TABLE_SSH_CERTS, key, i.der);
        if (k % 10)
            batch_put(&b, TABLE_X509_CERTS_DATA, key, i.data);
    }
    assert_commit(s, &b);
}

static void several_add_the_same_while_others_issue_and_remove(void **state)
{
    struct place *p = *state;
    struct walker w[WALKERS];
    struct store *s[2] = {open_as(p->name, true, false), open_as(p->name, false, false)};
    struct issuing k = {.s = s[0], .first = 10000};
    uint64_t added = 0;

    for (int i = 0; i < 2; i++)
        ((struct sql_store *)s[i])->options.describe = describe;
    fill(s[0], p->a);
    assert_int_equal(listed(s[0]), 0);
    assert_int_equal(pthread_create(&k.thread, NULL, issue_on, &k), 0);
    for (int i = 0; i < WALKERS; i++) {
        w[i] = (struct walker){.s = s[i % 2]};
        assert_int_equal(pthread_create(&w[i].thread, NULL, walk, &w[i]), 0);
    }
    for (int i = 2; i < ROWS; i += 13) {
        struct store_batch b = {.arena = p->a};
        batch_remove(&b, i % 10 ? TABLE_X509_CERTS : TABLE_SSH_CERTS,
                     arena_format(p->a, "%d", i + 1), NULL);
        assert_commit(s[i % 2], &b);
    }
    for (int i = 0; i < WALKERS; i++) {
        pthread_join(w[i].thread, NULL);
        assert_true(w[i].ok);
        added += w[i].added;
    }
    k.ending = true;
    pthread_join(k.thread, NULL);
    assert_false(k.failed);
    assert_true(added >= ROWS - ROWS / 13 - 1);
    assert_sound(p, s[1]);
    assert_int_equal(listed(s[0]), certificates(s[1]));
    /* Nothing is missing now. */
    w[0].s = s[0];
    walk(&w[0]);
    assert_true(w[0].ok && w[0].added == 0);
    store_close(s[0]);
    store_close(s[1]);
}

#define EACH_PLACE(test) cmocka_unit_test_setup_teardown(test, open_place, close_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_PLACE(a_running_service_notices_and_catches_up),
        EACH_PLACE(tables_that_go_stop_nobody_and_may_come_back),
        EACH_PLACE(several_add_the_same_while_others_issue_and_remove),
    };

    return RUN_ON_SERVERS(tests);
}
