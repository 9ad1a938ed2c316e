/* What a round of pruning removes, and what it must not: on the engines that keep rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "authority/inventory.h"
#include "base/encode.h"
#include "server/prune.h"

#define NOW INT64_C(1735862400) /* 2025-01-03T00:00:00Z */
#define DAY 86400

static struct instant still_now(struct clock *c UNUSED)
{
    return instant_sec(NOW);
}
static struct clock STILL = {still_now, NULL};

/* Serial number 4711, old.example, of the first of January 2025. */
static const char CERTIFICATE[] =
    "MIIBNjCB3KADAgECAgISZzAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtvbGQuZXhhbXBsZTAeFw0yNTAxMDEwMDAw"
    "MDBaFw0yNTAxMDIwMDAwMDBaMBYxFDASBgNVBAMMC29sZC5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD"
    "QgAEjRnAs1ykiXfYW1BqF7yUE6/Oa0wr+3ZTOPRDG5VeECSBt05D8C3e8TV2mVBp6VuoeOgVVrkfCK+ONzLB9ABt"
    "9aMaMBgwFgYDVR0RBA8wDYILb2xkLmV4YW1wbGUwCgYIKoZIzj0EAwIDSQAwRgIhAJajkzm677e2+59W0Ji679Ax"
    "3WUTM/59tuDlZ28nlR05AiEAnEB79U58SaAVmr1xdpl+4TvQBDfiToOgtR4b8P8/6/E=";
/* Serial number 815, key id ann@example.org, principals ann and root, of the same day. */
static const char SSH_CERTIFICATE[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAICq84wWV7eV2sJY1izdF0F20wgnR7HEw8oJZ"
    "U+EQ/g9wAAAAIHKp6+f505wq0Y6BJqmz7VmL4LYXETeP+CgILl5lDYFCAAAAAAAAAy8AAAABAAAAD2FubkBleGFt"
    "cGxlLm9yZwAAAA8AAAADYW5uAAAABHJvb3QAAAAAZ3SFgAAAAABnddcAAAAAAAAAAIIAAAAVcGVybWl0LVgxMS1m"
    "b3J3YXJkaW5nAAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2Fy"
    "ZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVk"
    "MjU1MTkAAAAg5jABAqEM2W4h+h6BKhv0VimGUJfolcx8gjjqiWjIMAEAAABTAAAAC3NzaC1lZDI1NTE5AAAAQM7h"
    "6oXRMZdBkTdNaGTRqFk2kqVwo0D5wGEdcL6TMAGcc5edTnlhNnrtKiOtrd2+l/5W+hwxS8FG0NkH/YIN7g4=";

struct ground {
    struct store *s;
    struct arena *a;
    char dir[32];
    struct slice der, ssh;
};

static int begin_with(void **state, bool sqlite)
{
    struct ground *g = xcalloc(1, sizeof(*g));
    struct err e = {0};

    g->a = arena_new(&HEAP_USUAL);
    memcpy(g->dir, "/tmp/newel-prune-XXXXXX", sizeof("/tmp/newel-prune-XXXXXX"));
    assert_non_null(mkdtemp(g->dir));
    g->s = sqlite ? store_sqlite_open(arena_printf(g->a, "%s/db", g->dir), &STILL, &e)
                  : store_memory_open(true, &STILL);
    assert_non_null(g->s);
    assert_true(base64_read(g->a, BASE64_STD, slice_text(CERTIFICATE), &g->der));
    assert_true(base64_read(g->a, BASE64_STD, slice_text(SSH_CERTIFICATE), &g->ssh));
    *state = g;
    return 0;
}

static int begin_memory(void **state)
{
    return begin_with(state, false);
}

static int begin_sqlite(void **state)
{
    return begin_with(state, true);
}

static int end(void **state)
{
    struct ground *g = *state;

    store_close(g->s);
    unlink(arena_printf(g->a, "%s/db", g->dir));
    rmdir(g->dir);
    arena_free(g->a);
    free(g);
    return 0;
}

static void put(struct ground *g, enum table t, const char *key, struct slice value)
{
    struct store_batch b = {.arena = g->a};
    struct err e = {0};

    batch_put(&b, t, slice_text(key), value);
    assert_true(store_commit(g->s, &b, DEADLINE_NONE, &e));
}

static bool has(struct ground *g, enum table t, const char *key)
{
    struct slice value;

    assert_true(store_get(g->s, t, slice_text(key), g->a, &value, DEADLINE_NONE, NULL));
    return value.p != NULL;
}

static struct pruning run(struct ground *g, int64_t now, int64_t retention, uint64_t rows)
{
    struct pruning p = {.store = g->s, .now = now, .retention = retention};
    struct err e = {0};
    bool done = false;

    while (!done) {
        if (!prune_some(&p, rows, &done, &e))
            fail_msg("%s", e.text);
    }
    return p;
}

/* --- Rows that say when they end
 * ------------------------------------------------------------------ */

static const struct specimen {
    enum table t;
    const char *key, *value;
    bool goes;
} SPECIMENS[] = {
    {TABLE_NONCES, "n1", "{\"CreatedAt\":\"2025-01-01T23:00:00Z\"}", true},
    {TABLE_NONCES, "n2", "{\"CreatedAt\":\"2025-01-02T01:00:00Z\"}", false},
    {TABLE_NONCES, "n3", "{", false},
    {TABLE_USED_OTT, "once", "e30.eyJqdGkiOiJvbmNlIiwiZXhwIjoxNzM1ODU4MDAwfQ.x", true},
    {TABLE_USED_OTT, "instance", "e30.eyJqdGkiOiJvbmNlIiwiZXhwIjoxNzM1ODU4MDAwfQ.x", false},
    {TABLE_USED_OTT, "later", "e30.eyJqdGkiOiJsYXRlciIsImV4cCI6MTczNTg2MjAwMH0.x", false},
    {TABLE_USED_OTT, "mine", "used", false},
    {TABLE_ACME_ORDERS, "o1", "{\"status\":\"pending\",\"expiresAt\":\"2024-12-26T00:00:00Z\"}",
     true},
    {TABLE_ACME_ORDERS, "o2", "{\"status\":\"pending\",\"expiresAt\":\"2024-12-28T00:00:00Z\"}",
     false},
    {TABLE_ACME_ORDERS, "o3",
     "{\"status\":\"valid\",\"expiresAt\":\"2024-12-01T00:00:00Z\","
     "\"notAfter\":\"2024-12-20T00:00:00Z\"}",
     false},
    {TABLE_ACME_ORDERS, "o4",
     "{\"status\":\"valid\",\"expiresAt\":\"2024-11-01T00:00:00Z\","
     "\"notAfter\":\"2024-12-01T00:00:00Z\"}",
     true},
    {TABLE_ACME_ORDERS, "o5", "{\"status\":\"valid\",\"expiresAt\":\"0001-01-01T00:00:00Z\"}",
     false},
    {TABLE_ACME_AUTHZS, "a1", "{\"status\":\"valid\",\"expiresAt\":\"2024-12-26T00:00:00Z\"}",
     true},
    {TABLE_ACME_AUTHZS, "a2", "{\"status\":\"valid\",\"expiresAt\":\"2024-12-28T00:00:00Z\"}",
     false},
    {TABLE_ACME_CHALLENGES, "c1", "{\"createdAt\":\"2024-10-01T00:00:00Z\"}", true},
    {TABLE_ACME_CHALLENGES, "c2", "{\"createdAt\":\"2024-12-01T00:00:00Z\"}", false},
    {TABLE_ACME_REPLACES, "r1", "o1", true},
    {TABLE_ACME_REPLACES, "r2", "o2", false},
    {TABLE_ACME_REPLACES, "r3", "never was", true},
    {TABLE_ACME_ACCOUNTS, "x", "{\"createdAt\":\"2001-01-01T00:00:00Z\"}", false},
    {TABLE_REVOKED_X509_CERTS, "12", "{\"ExpiresAt\":\"2001-01-01T00:00:00Z\"}", false},
};

static void only_what_has_ended_goes(void **state)
{
    struct ground *g = *state;
    uint64_t expected = 0;

    for (size_t i = 0; i < COUNT_OF(SPECIMENS); i++) {
        put(g, SPECIMENS[i].t, SPECIMENS[i].key, slice_text(SPECIMENS[i].value));
        expected += SPECIMENS[i].goes;
    }
    struct pruning p = run(g, NOW, -1, UINT64_MAX);
    assert_int_equal(p.rows, expected);
    for (size_t i = 0; i < COUNT_OF(SPECIMENS); i++) {
        if (has(g, SPECIMENS[i].t, SPECIMENS[i].key) == SPECIMENS[i].goes)
            fail_msg("%s: %s", table_name(SPECIMENS[i].t), SPECIMENS[i].key);
    }
    assert_int_equal(run(g, NOW, -1, UINT64_MAX).rows, 0);
}

static void a_long_table_is_gone_through_in_pieces(void **state)
{
    struct ground *g = *state;

    for (int i = 0; i < 1000; i++)
        put(g, TABLE_NONCES, arena_printf(g->a, "n%d", i),
            i % 3 ? SLICE("{\"CreatedAt\":\"2024-01-01T00:00:00Z\"}") : SLICE("{}"));
    struct pruning p = {.store = g->s, .now = NOW, .retention = -1};
    struct err e = {0};
    bool done;
    assert_true(prune_some(&p, 300, &done, &e));
    assert_false(done);
    assert_in_range(p.rows, 300, 500);
    for (int n = 0; n < 10 && !done; n++)
        assert_true(prune_some(&p, 300, &done, &e));
    assert_true(done);
    assert_int_equal(p.rows, 666);
    prune_free(&p);
}

static void the_records_of_an_acme_certificate_go_together(void **state)
{
    struct ground *g = *state;
    struct slice pem = cert_pem(g->a, g->der);
    struct slice record = arena_format(g->a, "{\"id\":\"k\",\"leaf\":\"%.*s\"}",
                                       SLICE_ARG(base64_text(g->a, BASE64_STD, pem)));

    put(g, TABLE_ACME_CERTS, "k", record);
    put(g, TABLE_ACME_CERTS, "none", SLICE("{\"leaf\":null}"));
    put(g, TABLE_ACME_SERIAL_CERTS_INDEX, "4711", SLICE("{}"));
    run(g, NOW + 28 * DAY, -1, UINT64_MAX);
    assert_true(has(g, TABLE_ACME_CERTS, "k") && has(g, TABLE_ACME_SERIAL_CERTS_INDEX, "4711"));
    run(g, NOW + 30 * DAY, -1, UINT64_MAX);
    assert_false(has(g, TABLE_ACME_CERTS, "k") || has(g, TABLE_ACME_SERIAL_CERTS_INDEX, "4711"));
    assert_true(has(g, TABLE_ACME_CERTS, "none"));
}

/* --- Certificates
 * ----------------------------------------------------------------------------------- */

static void issue(struct ground *g, enum table t, const char *serial, struct slice der,
                  bool revoked)
{
    struct store_batch b = {.arena = g->a};
    struct err e = {0};
    struct issued i;
    struct revoked r = {.ssh = t == TABLE_SSH_CERTS,
                        .serial = slice_text(serial),
                        .record = SLICE("{}"),
                        .at = NOW};

    assert_true(inventory_describe(g->a, t, slice_text(serial), der, &i));
    if (t == TABLE_X509_CERTS)
        i.data = SLICE("{}");
    batch_issue(&b, &i);
    if (revoked)
        batch_revoke(&b, &r, NULL);
    assert_true(store_commit(g->s, &b, DEADLINE_NONE, &e));
}

static void certificates_stay_until_their_retention_is_over(void **state)
{
    struct ground *g = *state;

    issue(g, TABLE_X509_CERTS, "4711", g->der, true);
    issue(g, TABLE_SSH_CERTS, "815", g->ssh, true);
    put(g, TABLE_X509_CERTS, "4712", SLICE("no certificate"));
    assert_int_equal(run(g, NOW + 1000 * DAY, -1, UINT64_MAX).certificates, 0);
    assert_int_equal(run(g, NOW, 10 * DAY, UINT64_MAX).certificates, 0);
    assert_true(has(g, TABLE_X509_CERTS, "4711") && has(g, TABLE_SSH_CERTS, "815"));
    assert_int_equal(run(g, NOW + 10 * DAY, 10 * DAY, UINT64_MAX).certificates, 2);
    assert_false(has(g, TABLE_X509_CERTS, "4711") || has(g, TABLE_SSH_CERTS, "815"));
    assert_false(has(g, TABLE_X509_CERTS_DATA, "4711"));
    assert_true(has(g, TABLE_X509_CERTS, "4712"));
    /* What was revoked stays so, whatever may be renewed after its end. */
    assert_true(has(g, TABLE_REVOKED_X509_CERTS, "4711"));
    assert_true(has(g, TABLE_REVOKED_SSH_CERTS, "815"));
}

/* As in a database of a server without our tables. */
static void certificates_go_without_an_inventory_too(void **state)
{
    struct ground *g = *state;
    unsigned caps = g->s->caps;

    g->s->caps &= ~(unsigned)STORE_INVENTORY;
    issue(g, TABLE_X509_CERTS, "4711", g->der, false);
    issue(g, TABLE_SSH_CERTS, "815", g->ssh, false);
    put(g, TABLE_X509_CERTS, "4712", SLICE("no certificate"));
    assert_int_equal(run(g, NOW, 10 * DAY, UINT64_MAX).certificates, 0);
    struct pruning p = run(g, NOW + 10 * DAY, 10 * DAY, UINT64_MAX);
    assert_int_equal(p.certificates, 2);
    assert_int_equal(p.rows, 0);
    assert_false(has(g, TABLE_X509_CERTS, "4711") || has(g, TABLE_X509_CERTS_DATA, "4711"));
    assert_false(has(g, TABLE_SSH_CERTS, "815"));
    assert_true(has(g, TABLE_X509_CERTS, "4712"));
    g->s->caps = caps;
}

static bool see_ssh(const struct inventory_row *row, void *arg)
{
    struct ground *g = arg;

    assert_int_equal(row->kind, CERT_SSH_USER);
    assert_true(slice_is(row->subject, "ann@example.org"));
    assert_true(slice_is(row->names, "principal:ann\nprincipal:root"));
    assert_true(slice_starts(row->fingerprint, "SHA256:") && slice_starts(row->ca_key, "SHA256:"));
    assert_true(slice_eq(row->der, g->ssh));
    assert_int_equal(row->not_after, NOW - DAY);
    return true;
}

static void a_blob_of_ssh_is_described(void **state)
{
    struct ground *g = *state;
    struct inventory_query q = {.san = SLICE("root")};
    struct issued i;

    assert_false(inventory_describe(g->a, TABLE_SSH_CERTS, SLICE("816"), g->ssh, &i));
    assert_false(inventory_describe(g->a, TABLE_SSH_CERTS, SLICE("4711"), g->der, &i));
    assert_false(inventory_describe(g->a, TABLE_X509_CERTS, SLICE("815"), g->ssh, &i));
    issue(g, TABLE_SSH_CERTS, "815", g->ssh, false);
    assert_true(g->s->ops->inventory(g->s, &q, see_ssh, g, DEADLINE_NONE, NULL));
}

int main(void)
{
#define ON(engine, test) cmocka_unit_test_setup_teardown(test, begin_##engine, end)
    const struct CMUnitTest tests[] = {
        ON(memory, only_what_has_ended_goes),
        ON(sqlite, only_what_has_ended_goes),
        ON(memory, a_long_table_is_gone_through_in_pieces),
        ON(sqlite, a_long_table_is_gone_through_in_pieces),
        ON(sqlite, the_records_of_an_acme_certificate_go_together),
        ON(memory, certificates_stay_until_their_retention_is_over),
        ON(sqlite, certificates_stay_until_their_retention_is_over),
        ON(sqlite, certificates_go_without_an_inventory_too),
        ON(sqlite, a_blob_of_ssh_is_described),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
