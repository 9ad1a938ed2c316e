/*
 * What every engine must do: the same cases on the memory engine, on SQLite, and on SQL servers
 * when there are some.
 */
#include "store_testing.h"

/* --- Keys and values ----------------------------------------------------------------------- */

static void get_tells_a_missing_row_from_an_empty_value(void **state)
{
    struct ground *g = *state;

    assert_row(g->s, TABLE_ACME_ORDERS, SLICE("o1"), SLICE_NONE);
    put(g->s, TABLE_ACME_ORDERS, SLICE("o1"), SLICE(""));
    assert_row(g->s, TABLE_ACME_ORDERS, SLICE("o1"), SLICE(""));
    put(g->s, TABLE_ACME_CERTS, SLICE("c1"), SLICE(""));
    assert_row(g->s, TABLE_ACME_CERTS, SLICE("c1"), SLICE(""));
}

static void put_replaces_and_tables_are_apart(void **state)
{
    struct ground *g = *state;

    for (int t = 0; t < TABLES; t++)
        put(g->s, (enum table)t, SLICE("1"), slice_text(table_name((enum table)t)));
    for (int t = 0; t < TABLES; t++)
        assert_row(g->s, (enum table)t, SLICE("1"), slice_text(table_name((enum table)t)));
    put(g->s, TABLE_ADMINS, SLICE("1"), SLICE("new"));
    assert_row(g->s, TABLE_ADMINS, SLICE("1"), SLICE("new"));
    assert_row(g->s, TABLE_PROVISIONERS, SLICE("1"), SLICE("provisioners"));
}

static void keys_and_values_are_bytes(void **state)
{
    struct ground *g = *state;
    struct slice key = SLICE("\0\xff'\";\n\x80"), value = SLICE("\0\0\xfe");

    for (int t = 0; t < TABLES; t++) {
        put(g->s, (enum table)t, key, value);
        assert_row(g->s, (enum table)t, key, value);
        assert_row(g->s, (enum table)t, slice_sub(key, 0, key.n - 1), SLICE_NONE);
    }
}

static void long_values_are_kept(void **state)
{
    struct ground *g = *state;
    size_t n = 3u << 20;
    uint8_t *p = arena_alloc(g->a, n);

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + i / 251);
    put(g->s, TABLE_X509_CRL, SLICE("crl"), slice_of(p, n));
    assert_row(g->s, TABLE_X509_CRL, SLICE("crl"), slice_of(p, n));
    put(g->s, TABLE_ACME_ORDERS, SLICE("o"), slice_of(p, n));
    assert_row(g->s, TABLE_ACME_ORDERS, SLICE("o"), slice_of(p, n));
}

static void insert_is_refused_when_the_key_is_there(void **state)
{
    struct ground *g = *state;

    batch_insert(&g->b, TABLE_USED_OTT, SLICE("jti"), SLICE("1"), &USED);
    assert_commit(g->s, &g->b);
    batch_insert(&g->b, TABLE_USED_OTT, SLICE("jti"), SLICE("2"), &USED);
    assert_refused(g, &USED);
    assert_row(g->s, TABLE_USED_OTT, SLICE("jti"), SLICE("1"));
    batch_insert(&g->b, TABLE_USED_OTT, SLICE("jti"), SLICE("2"), NULL);
    assert_refused(g, &STORE_RUN_AGAIN);
}

static void insert_counts_an_empty_value_as_absent(void **state)
{
    struct ground *g = *state;

    put(g->s, TABLE_ACME_ACCOUNT_ORDERS_INDEX, SLICE("a"), SLICE(""));
    batch_insert(&g->b, TABLE_ACME_ACCOUNT_ORDERS_INDEX, SLICE("a"), SLICE("[1]"), &USED);
    assert_commit(g->s, &g->b);
    assert_row(g->s, TABLE_ACME_ACCOUNT_ORDERS_INDEX, SLICE("a"), SLICE("[1]"));
}

static void swap_wants_the_bytes_that_were_read(void **state)
{
    static const struct {
        const char *stored, *old;
        bool swapped;
    } CASES[] = {
        {"{\"a\":1}", "{\"a\":1}", true},
        {"{\"a\":1}", "{\"a\": 1}", false},
        {"{\"a\":1}", "", false},
        {"", "", true},
        {NULL, "", true},
        {NULL, "x", false},
        {"", "x", false},
        {"ab", "a", false},
    };
    struct ground *g = *state;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice key = arena_format(g->a, "k%zu", i), stored = slice_text(CASES[i].stored);
        if (stored.p)
            put(g->s, TABLE_ACME_ACCOUNTS, key, stored);
        batch_swap(&g->b, TABLE_ACME_ACCOUNTS, key, slice_text(CASES[i].old), SLICE("new"));
        if (CASES[i].swapped)
            assert_commit(g->s, &g->b);
        else
            assert_refused(g, &STORE_RUN_AGAIN);
        assert_row(g->s, TABLE_ACME_ACCOUNTS, key, CASES[i].swapped ? SLICE("new") : stored);
    }
}

static void swap_to_nothing_removes_the_row(void **state)
{
    struct ground *g = *state;

    put(g->s, TABLE_ACME_ACCOUNT_ORDERS_INDEX, SLICE("a"), SLICE("[\"o1\"]"));
    batch_swap(&g->b, TABLE_ACME_ACCOUNT_ORDERS_INDEX, SLICE("a"), SLICE("[]"), SLICE(""));
    assert_refused(g, &STORE_RUN_AGAIN);
    batch_swap(&g->b, TABLE_ACME_ACCOUNT_ORDERS_INDEX, SLICE("a"), SLICE("[\"o1\"]"), SLICE(""));
    assert_commit(g->s, &g->b);
    assert_row(g->s, TABLE_ACME_ACCOUNT_ORDERS_INDEX, SLICE("a"), SLICE_NONE);
}

static void remove_counts_one_row_exactly_once(void **state)
{
    struct ground *g = *state;

    put(g->s, TABLE_NONCES, SLICE("n"), SLICE("{}"));
    batch_remove(&g->b, TABLE_NONCES, SLICE("n"), &NO_NONCE);
    assert_commit(g->s, &g->b);
    assert_row(g->s, TABLE_NONCES, SLICE("n"), SLICE_NONE);
    batch_remove(&g->b, TABLE_NONCES, SLICE("n"), &NO_NONCE);
    assert_refused(g, &NO_NONCE);
    batch_remove(&g->b, TABLE_NONCES, SLICE("n"), NULL);
    assert_commit(g->s, &g->b);
    put(g->s, TABLE_NONCES, SLICE("n"), SLICE(""));
    batch_remove(&g->b, TABLE_NONCES, SLICE("n"), &NO_NONCE);
    assert_refused(g, &NO_NONCE);
}

static void a_row_that_must_not_be_there_counts_by_its_key(void **state)
{
    static const struct {
        enum table t;
        const char *stored; /* NULL: no row */
    } CASES[] = {
        {TABLE_REVOKED_X509_CERTS, NULL}, {TABLE_REVOKED_X509_CERTS, ""},
        {TABLE_REVOKED_X509_CERTS, "{}"}, {TABLE_REVOKED_SSH_CERTS, NULL},
        {TABLE_REVOKED_SSH_CERTS, ""},    {TABLE_REVOKED_SSH_CERTS, "{}"},
        {TABLE_X509_CERTS, NULL},         {TABLE_X509_CERTS, "der"},
        {TABLE_ACME_CERTS, NULL},         {TABLE_ACME_CERTS, ""},
    };
    struct ground *g = *state;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice key = arena_format(g->a, "k%zu", i), stored = slice_text(CASES[i].stored);
        if (stored.p)
            put(g->s, CASES[i].t, key, stored);
        for (int twice = 0; twice < 2; twice++) {
            batch_put(&g->b, TABLE_ADMINS, key, SLICE("x"));
            batch_absent(&g->b, CASES[i].t, key, &REVOKED);
            if (stored.p)
                assert_refused(g, &REVOKED);
            else
                assert_commit(g->s, &g->b);
            assert_row(g->s, CASES[i].t, key, stored);
            assert_row(g->s, TABLE_ADMINS, key, stored.p ? SLICE_NONE : SLICE("x"));
        }
        batch_absent(&g->b, CASES[i].t, key, NULL);
        if (stored.p)
            assert_refused(g, &STORE_RUN_AGAIN);
        else
            assert_commit(g->s, &g->b);
    }
}

static void a_revoked_certificate_has_no_successor(void **state)
{
    struct ground *g = *state;

    for (int ssh = 0; ssh < 2; ssh++) {
        enum table revocations = ssh ? TABLE_REVOKED_SSH_CERTS : TABLE_REVOKED_X509_CERTS;
        enum table certificates = ssh ? TABLE_SSH_CERTS : TABLE_X509_CERTS;
        struct issued old = ssh ? ssh_certificate("9") : certificate("9");
        struct issued next = ssh ? ssh_certificate("10") : certificate("10");
        struct issued last = ssh ? ssh_certificate("11") : certificate("11");
        issue_one(g->s, &old);
        batch_issue(&g->b, &next);
        batch_absent(&g->b, revocations, SLICE("9"), &REVOKED);
        assert_commit(g->s, &g->b);
        assert_row(g->s, certificates, SLICE("10"), next.der);
        revoke_in(g->s, ssh, "9");
        batch_insert(&g->b, TABLE_USED_OTT, SLICE("t"), SLICE("1"), &USED);
        batch_issue(&g->b, &last);
        batch_absent(&g->b, revocations, SLICE("9"), &REVOKED);
        assert_refused(g, &REVOKED);
        assert_row(g->s, certificates, SLICE("11"), SLICE_NONE);
        assert_row(g->s, TABLE_USED_OTT, SLICE("t"), SLICE_NONE);
        /* Of the other space of serial numbers nothing is known. */
        batch_absent(&g->b, revocations, SLICE("10"), &REVOKED);
        assert_commit(g->s, &g->b);
        batch_remove(&g->b, revocations, SLICE("9"), NULL);
        assert_commit(g->s, &g->b);
        batch_absent(&g->b, revocations, SLICE("9"), &REVOKED);
        assert_commit(g->s, &g->b);
    }
}

/* --- Batches ------------------------------------------------------------------------------- */

static void a_refused_batch_writes_nothing(void **state)
{
    struct ground *g = *state;
    struct issued i = certificate("77");

    put(g->s, TABLE_USED_OTT, SLICE("jti"), SLICE("1"));
    batch_put(&g->b, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    batch_issue(&g->b, &i);
    batch_insert(&g->b, TABLE_USED_OTT, SLICE("jti"), SLICE("2"), &USED);
    assert_refused(g, &USED);
    assert_row(g->s, TABLE_ADMINS, SLICE("a"), SLICE_NONE);
    assert_row(g->s, TABLE_X509_CERTS, SLICE("77"), SLICE_NONE);
    assert_row(g->s, TABLE_USED_OTT, SLICE("jti"), SLICE("1"));
}

static void a_batch_that_contradicts_itself_is_an_internal_error(void **state)
{
    struct ground *g = *state;
    struct issued i = certificate("5");

    for (int kind = 0; kind < 5; kind++) {
        batch_put(&g->b, TABLE_ADMINS, SLICE("a"), SLICE("x"));
        if (kind == 0)
            batch_remove(&g->b, TABLE_ADMINS, SLICE("a"), NULL);
        if (kind == 1)
            batch_put(&g->b, TABLE_ADMINS, SLICE(""), SLICE("x"));
        if (kind == 2) {
            batch_put(&g->b, TABLE_X509_CERTS, SLICE("5"), SLICE("x"));
            batch_issue(&g->b, &i);
        }
        if (kind == 3) {
            for (int n = 0; n < 100; n++)
                batch_put(&g->b, TABLE_NONCES, arena_format(g->a, "n%d", n % 99), SLICE("x"));
        }
        if (kind == 4)
            batch_absent(&g->b, TABLE_ADMINS, SLICE("a"), NULL);
        assert_false(store_commit(g->s, &g->b, DEADLINE_NONE, &g->e));
        assert_int_equal(g->e.kind, ERR_INTERNAL);
        assert_row(g->s, TABLE_ADMINS, SLICE("a"), SLICE_NONE);
        batch_clear(&g->b);
    }
}

static void an_empty_batch_commits(void **state)
{
    struct ground *g = *state;

    assert_commit(g->s, &g->b);
}

static void a_long_batch_commits_as_one(void **state)
{
    struct ground *g = *state;

    for (int i = 0; i < 2000; i++)
        batch_put(&g->b, i % 2 ? TABLE_ACME_ORDERS : TABLE_SSH_CERTS, arena_format(g->a, "%d", i),
                  arena_format(g->a, "v%d", i));
    assert_int_equal(g->b.n, 2000);
    assert_commit(g->s, &g->b);
    assert_row(g->s, TABLE_ACME_ORDERS, SLICE("1999"), SLICE("v1999"));
    assert_row(g->s, TABLE_SSH_CERTS, SLICE("0"), SLICE("v0"));
}

static void kept_ops_survive_dropping_the_rest(void **state)
{
    struct ground *g = *state;

    batch_insert(&g->b, TABLE_USED_OTT, SLICE("t"), SLICE("1"), &USED);
    batch_keep(&g->b);
    batch_put(&g->b, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    batch_remove(&g->b, TABLE_NONCES, SLICE("n"), NULL);
    batch_keep(&g->b);
    batch_drop_unkept(&g->b);
    assert_int_equal(g->b.n, 2);
    assert_ptr_equal(g->b.first->next, g->b.last);
    batch_put(&g->b, TABLE_ADMINS, SLICE("b"), SLICE("y"));
    assert_commit(g->s, &g->b);
    assert_row(g->s, TABLE_USED_OTT, SLICE("t"), SLICE("1"));
    assert_row(g->s, TABLE_ADMINS, SLICE("a"), SLICE_NONE);
    assert_row(g->s, TABLE_ADMINS, SLICE("b"), SLICE("y"));
}

static void a_deadline_that_has_passed_loses_the_batch(void **state)
{
    struct ground *g = *state;
    struct deadline past = {still_mono(&STILL) - 1, &STILL, NULL};
    struct slice value;

    batch_put(&g->b, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    assert_false(store_commit(g->s, &g->b, past, &g->e));
    assert_int_equal(g->e.kind, ERR_TIMEOUT);
    assert_row(g->s, TABLE_ADMINS, SLICE("a"), SLICE_NONE);
    assert_false(store_get(g->s, TABLE_ADMINS, SLICE("a"), g->a, &value, past, &g->e));
    assert_int_equal(g->e.kind, ERR_TIMEOUT);
}

/* --- Certificates -------------------------------------------------------------------------- */

static void a_certificate_stands_in_both_tables(void **state)
{
    struct ground *g = *state;
    struct issued i = certificate("340282366920938463463374607431768211455");
    struct issued bare = certificate("2");

    bare.data = SLICE_NONE;
    issue_one(g->s, &i);
    issue_one(g->s, &bare);
    assert_row(g->s, TABLE_X509_CERTS, i.serial, i.der);
    assert_row(g->s, TABLE_X509_CERTS_DATA, i.serial, i.data);
    assert_row(g->s, TABLE_X509_CERTS, SLICE("2"), bare.der);
    assert_row(g->s, TABLE_X509_CERTS_DATA, SLICE("2"), SLICE_NONE);
}

static void a_serial_is_issued_once(void **state)
{
    struct ground *g = *state;
    struct issued i = certificate("9");

    issue_one(g->s, &i);
    i.der = SLICE("other");
    batch_issue(&g->b, &i);
    assert_refused(g, &STORE_RUN_AGAIN);
    put(g->s, TABLE_X509_CERTS, SLICE("10"), SLICE("imported"));
    i.serial = SLICE("10");
    batch_issue(&g->b, &i);
    assert_refused(g, &STORE_RUN_AGAIN);
    assert_row(g->s, TABLE_X509_CERTS, SLICE("10"), SLICE("imported"));
}

static void a_put_changes_an_issued_certificate(void **state)
{
    struct ground *g = *state;
    struct issued i = certificate("9");

    issue_one(g->s, &i);
    put(g->s, TABLE_X509_CERTS, SLICE("9"), SLICE("DER"));
    put(g->s, TABLE_X509_CERTS_DATA, SLICE("9"), SLICE("{}"));
    assert_row(g->s, TABLE_X509_CERTS, SLICE("9"), SLICE("DER"));
    assert_row(g->s, TABLE_X509_CERTS_DATA, SLICE("9"), SLICE("{}"));
    batch_swap(&g->b, TABLE_X509_CERTS_DATA, SLICE("9"), SLICE("{}"), SLICE("{1}"));
    assert_commit(g->s, &g->b);
    assert_row(g->s, TABLE_X509_CERTS_DATA, SLICE("9"), SLICE("{1}"));
}

static void removing_a_certificate_keeps_its_data_record(void **state)
{
    struct ground *g = *state;
    struct issued i = certificate("9");

    issue_one(g->s, &i);
    batch_remove(&g->b, TABLE_X509_CERTS, SLICE("9"), &NO_NONCE);
    assert_commit(g->s, &g->b);
    assert_row(g->s, TABLE_X509_CERTS, SLICE("9"), SLICE_NONE);
    assert_row(g->s, TABLE_X509_CERTS_DATA, SLICE("9"), i.data);
    batch_remove(&g->b, TABLE_X509_CERTS_DATA, SLICE("9"), &NO_NONCE);
    assert_commit(g->s, &g->b);
    assert_row(g->s, TABLE_X509_CERTS_DATA, SLICE("9"), SLICE_NONE);
    issue_one(g->s, &i);
    batch_remove(&g->b, TABLE_X509_CERTS_DATA, SLICE("9"), &NO_NONCE);
    assert_commit(g->s, &g->b);
    assert_row(g->s, TABLE_X509_CERTS, SLICE("9"), i.der);
    assert_row(g->s, TABLE_X509_CERTS_DATA, SLICE("9"), SLICE_NONE);
}

static void a_serial_is_revoked_once_known_or_not(void **state)
{
    struct ground *g = *state;
    struct issued i = certificate("9");
    struct revoked r = {.serial = SLICE("9"), .record = SLICE("{\"again\":1}"), .at = NOW};

    issue_one(g->s, &i);
    revoke_serial(g->s, "9");
    revoke_serial(g->s, "unknown");
    assert_row(g->s, TABLE_REVOKED_X509_CERTS, SLICE("9"), REVOCATION);
    assert_row(g->s, TABLE_REVOKED_X509_CERTS, SLICE("unknown"), REVOCATION);
    batch_revoke(&g->b, &r, &REVOKED);
    assert_refused(g, &REVOKED);
    r.serial = SLICE("unknown");
    batch_revoke(&g->b, &r, &REVOKED);
    assert_refused(g, &REVOKED);
    assert_row(g->s, TABLE_REVOKED_X509_CERTS, SLICE("9"), REVOCATION);
}

static void serials_of_ssh_are_a_space_of_their_own(void **state)
{
    struct ground *g = *state;
    struct issued x = certificate("9"), i = ssh_certificate("9");
    struct revoked again = {.ssh = true, .serial = SLICE("9"), .record = SLICE("{}")};

    issue_one(g->s, &x);
    issue_one(g->s, &i);
    assert_row(g->s, TABLE_X509_CERTS, SLICE("9"), x.der);
    assert_row(g->s, TABLE_SSH_CERTS, SLICE("9"), i.der);
    batch_issue(&g->b, &i);
    assert_refused(g, &STORE_RUN_AGAIN);
    put(g->s, TABLE_SSH_CERTS, SLICE("10"), SLICE("imported"));
    i.serial = SLICE("10");
    batch_issue(&g->b, &i);
    assert_refused(g, &STORE_RUN_AGAIN);
    put(g->s, TABLE_SSH_CERTS, SLICE("9"), SLICE("changed"));
    assert_row(g->s, TABLE_X509_CERTS, SLICE("9"), x.der);
    assert_row(g->s, TABLE_SSH_CERTS, SLICE("9"), SLICE("changed"));

    revoke_in(g->s, true, "9");
    assert_row(g->s, TABLE_REVOKED_X509_CERTS, SLICE("9"), SLICE_NONE);
    assert_row(g->s, TABLE_REVOKED_SSH_CERTS, SLICE("9"), REVOCATION);
    revoke_serial(g->s, "9");
    batch_revoke(&g->b, &again, &REVOKED);
    assert_refused(g, &REVOKED);

    batch_remove(&g->b, TABLE_SSH_CERTS, SLICE("9"), &NO_NONCE);
    assert_commit(g->s, &g->b);
    assert_row(g->s, TABLE_SSH_CERTS, SLICE("9"), SLICE_NONE);
    assert_row(g->s, TABLE_X509_CERTS, SLICE("9"), x.der);
    assert_row(g->s, TABLE_X509_CERTS_DATA, SLICE("9"), x.data);
}

/* --- Scan ---------------------------------------------------------------------------------- */

struct seen {
    struct arena *a;
    struct buf text;
    unsigned stop_after, n;
    struct slice last;
};

static bool see(struct slice key, struct slice value, void *arg)
{
    struct seen *seen = arg;

    buf_put(&seen->text, key);
    buf_text(&seen->text, "=");
    buf_put(&seen->text, value);
    buf_text(&seen->text, " ");
    seen->last = arena_copy(seen->a, key);
    return ++seen->n != seen->stop_after;
}

static void assert_scan(struct ground *g, enum table t, const char *after, unsigned limit,
                        unsigned stop_after, const char *expected)
{
    struct seen seen = {.a = g->a, .text = buf_new(g->a, 1 << 20), .stop_after = stop_after};

    assert_true(
        g->s->ops->scan(g->s, t, slice_text(after), limit, see, &seen, DEADLINE_NONE, &g->e));
    assert_slice(buf_slice(&seen.text), slice_text(expected));
}

static void scan_goes_in_key_order_page_by_page(void **state)
{
    struct ground *g = *state;
    static const char *const KEYS[] = {"b", "a", "ab", "\xff", "c", "B"};

    put(g->s, TABLE_ACME_AUTHZS, SLICE("x"), SLICE("not here"));
    put(g->s, TABLE_ACME_CHALLENGES, SLICE("a"), SLICE("not here"));
    for (size_t i = 0; i < COUNT_OF(KEYS); i++)
        put(g->s, TABLE_ACME_ORDERS, slice_text(KEYS[i]), arena_format(g->a, "%zu", i));
    assert_scan(g, TABLE_ACME_ORDERS, "", 100, 0, "B=5 a=1 ab=2 b=0 c=4 \xff=3 ");
    assert_scan(g, TABLE_ACME_ORDERS, "", 0, 0, "B=5 a=1 ab=2 b=0 c=4 \xff=3 ");
    assert_scan(g, TABLE_ACME_ORDERS, "", 2, 0, "B=5 a=1 ");
    assert_scan(g, TABLE_ACME_ORDERS, "a", 2, 0, "ab=2 b=0 ");
    assert_scan(g, TABLE_ACME_ORDERS, "aa", 1, 0, "ab=2 ");
    assert_scan(g, TABLE_ACME_ORDERS, "\xff", 2, 0, "");
    assert_scan(g, TABLE_ACME_ORDERS, "", 0, 3, "B=5 a=1 ab=2 ");
    assert_scan(g, TABLE_ACME_ACCOUNTS, "", 0, 0, "");
    assert_scan(g, TABLE_ACME_CERTS, "", 0, 0, "");
}

static void scan_joins_issued_and_imported_certificates(void **state)
{
    struct ground *g = *state;

    for (int i = 1; i < 6; i += 2) {
        struct issued c = certificate(arena_printf(g->a, "%d", i));
        c.der = arena_format(g->a, "der%d", i);
        c.data = i == 3 ? SLICE_NONE : arena_format(g->a, "data%d", i);
        issue_one(g->s, &c);
    }
    put(g->s, TABLE_X509_CERTS, SLICE("2"), SLICE("imp2"));
    put(g->s, TABLE_X509_CERTS, SLICE("9"), SLICE("imp9"));
    put(g->s, TABLE_X509_CERTS_DATA, SLICE("2"), SLICE("{}"));
    put(g->s, TABLE_X509_CERTS_DATA, SLICE("3"), SLICE("late"));
    assert_scan(g, TABLE_X509_CERTS, "", 0, 0, "1=der1 2=imp2 3=der3 5=der5 9=imp9 ");
    assert_scan(g, TABLE_X509_CERTS, "1", 3, 0, "2=imp2 3=der3 5=der5 ");
    assert_scan(g, TABLE_X509_CERTS, "", 0, 2, "1=der1 2=imp2 ");
    assert_scan(g, TABLE_X509_CERTS_DATA, "", 0, 0, "1=data1 2={} 3=late 5=data5 ");
    assert_scan(g, TABLE_X509_CERTS_DATA, "2", 1, 0, "3=late ");
}

static void data_that_came_before_its_certificate_is_listed_once(void **state)
{
    struct ground *g = *state;
    struct issued c = certificate("4");

    put(g->s, TABLE_X509_CERTS_DATA, SLICE("4"), SLICE("early"));
    c.data = SLICE("late");
    issue_one(g->s, &c);
    assert_row(g->s, TABLE_X509_CERTS_DATA, SLICE("4"), SLICE("late"));
    assert_scan(g, TABLE_X509_CERTS_DATA, "", 0, 0, "4=late ");
    batch_remove(&g->b, TABLE_X509_CERTS_DATA, SLICE("4"), NULL);
    assert_commit(g->s, &g->b);
    assert_row(g->s, TABLE_X509_CERTS_DATA, SLICE("4"), SLICE_NONE);
}

static bool get_inside(struct slice key, struct slice value, void *arg)
{
    struct ground *g = arg;

    assert_row(g->s, TABLE_ADMINS, key, value);
    put(g->s, TABLE_PROVISIONERS, key, value);
    return true;
}

static void a_visitor_may_use_the_store(void **state)
{
    struct ground *g = *state;

    put(g->s, TABLE_ADMINS, SLICE("1"), SLICE("x"));
    put(g->s, TABLE_ADMINS, SLICE("2"), SLICE("y"));
    assert_true(
        g->s->ops->scan(g->s, TABLE_ADMINS, SLICE_NONE, 10, get_inside, g, DEADLINE_NONE, &g->e));
    assert_row(g->s, TABLE_PROVISIONERS, SLICE("2"), SLICE("y"));
}

/* --- Pruning ------------------------------------------------------------------------------- */

static void prune_removes_what_has_expired_and_nothing_else(void **state)
{
    struct ground *g = *state;
    uint64_t removed;

    if (g->s->caps & STORE_SHARED)
        skip(); /* the reference's tables do not say when a row ends */
    for (int i = 0; i < 700; i++) {
        batch_insert(&g->b, TABLE_USED_OTT, arena_format(g->a, "t%d", i), SLICE("1"), &USED);
        batch_expires(&g->b, NOW + i);
    }
    batch_put(&g->b, TABLE_USED_OTT, SLICE("for ever"), SLICE("1"));
    batch_put(&g->b, TABLE_ACME_CERTS, SLICE("big"), SLICE("1"));
    batch_expires(&g->b, NOW);
    assert_commit(g->s, &g->b);

    assert_true(g->s->ops->prune(g->s, NOW, &removed, &g->e));
    assert_int_equal(removed, 0);
    assert_true(g->s->ops->prune(g->s, NOW + 600, &removed, &g->e));
    assert_int_equal(removed, 601);
    assert_row(g->s, TABLE_USED_OTT, SLICE("t599"), SLICE_NONE);
    assert_row(g->s, TABLE_USED_OTT, SLICE("t600"), SLICE("1"));
    assert_row(g->s, TABLE_USED_OTT, SLICE("for ever"), SLICE("1"));
    assert_row(g->s, TABLE_ACME_CERTS, SLICE("big"), SLICE_NONE);
    /* A later put says anew when it expires. */
    put(g->s, TABLE_USED_OTT, SLICE("t650"), SLICE("2"));
    assert_true(g->s->ops->prune(g->s, NOW + 10000, &removed, &g->e));
    assert_int_equal(removed, 99);
    assert_row(g->s, TABLE_USED_OTT, SLICE("t650"), SLICE("2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(get_tells_a_missing_row_from_an_empty_value),
        EACH(put_replaces_and_tables_are_apart),
        EACH(keys_and_values_are_bytes),
        EACH(long_values_are_kept),
        EACH(insert_is_refused_when_the_key_is_there),
        EACH(insert_counts_an_empty_value_as_absent),
        EACH(swap_wants_the_bytes_that_were_read),
        EACH(swap_to_nothing_removes_the_row),
        EACH(remove_counts_one_row_exactly_once),
        EACH(a_row_that_must_not_be_there_counts_by_its_key),
        EACH(a_revoked_certificate_has_no_successor),
        EACH(a_refused_batch_writes_nothing),
        EACH(a_batch_that_contradicts_itself_is_an_internal_error),
        EACH(an_empty_batch_commits),
        EACH(a_long_batch_commits_as_one),
        EACH(kept_ops_survive_dropping_the_rest),
        EACH(a_deadline_that_has_passed_loses_the_batch),
        EACH(a_certificate_stands_in_both_tables),
        EACH(a_serial_is_issued_once),
        EACH(a_put_changes_an_issued_certificate),
        EACH(removing_a_certificate_keeps_its_data_record),
        EACH(a_serial_is_revoked_once_known_or_not),
        EACH(serials_of_ssh_are_a_space_of_their_own),
        EACH(scan_goes_in_key_order_page_by_page),
        EACH(scan_joins_issued_and_imported_certificates),
        EACH(data_that_came_before_its_certificate_is_listed_once),
        EACH(a_visitor_may_use_the_store),
        EACH(prune_removes_what_has_expired_and_nothing_else),
    };

    return RUN_ON_BOTH(tests) + RUN_ON_SERVERS(tests);
}
