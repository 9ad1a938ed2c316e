/*
 * The memory engine of a CA without a database, the wrapper that fails, and the list of tables.
 */
#include "store_testing.h"

static int begin_memory(void **state)
{
    struct ground *g = xcalloc(1, sizeof(*g));

    g->a = arena_new(&HEAP_USUAL);
    g->b.arena = g->a;
    g->dir = scratch_make();
    g->s = store_memory_open(false, &STILL);
    *state = g;
    return 0;
}

static void without_a_database_only_used_tokens_stay(void **state)
{
    struct ground *g = *state;
    struct issued c = certificate("1");

    assert_int_equal(g->s->caps, 0);
    batch_insert(&g->b, TABLE_USED_OTT, SLICE("jti"), SLICE("1"), &USED);
    batch_issue(&g->b, &c);
    batch_put(&g->b, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    assert_commit(g->s, &g->b);
    revoke_serial(g->s, "1");
    assert_row(g->s, TABLE_X509_CERTS, SLICE("1"), SLICE_NONE);
    assert_row(g->s, TABLE_X509_CERTS_DATA, SLICE("1"), SLICE_NONE);
    assert_row(g->s, TABLE_REVOKED_X509_CERTS, SLICE("1"), SLICE_NONE);
    assert_row(g->s, TABLE_ADMINS, SLICE("a"), SLICE_NONE);
    assert_row(g->s, TABLE_USED_OTT, SLICE("jti"), SLICE("1"));
    batch_insert(&g->b, TABLE_USED_OTT, SLICE("jti"), SLICE("1"), &USED);
    assert_refused(g, &USED);
}

static void used_tokens_go_when_they_have_expired(void **state)
{
    struct ground *g = *state;
    uint64_t removed = 0, all = 0;

    for (int i = 0; i < 50000; i++) {
        batch_insert(&g->b, TABLE_USED_OTT, arena_format(g->a, "%d", i), SLICE("1"), &USED);
        batch_expires(&g->b, i % 2 ? NOW : 0);
    }
    assert_commit(g->s, &g->b);
    /* Each call looks at a bounded number of rows; together they get round. */
    for (int i = 0; i < 5; i++) {
        assert_true(g->s->ops->prune(g->s, NOW + 1, &removed, &g->e));
        all += removed;
    }
    assert_int_equal(all, 25000);
    assert_row(g->s, TABLE_USED_OTT, SLICE("49999"), SLICE_NONE);
    assert_row(g->s, TABLE_USED_OTT, SLICE("49998"), SLICE("1"));
}

static void the_faulty_store_fails_once_in_the_way_given(void **state)
{
    static const struct {
        enum committed how;
        enum err_kind kind;
        bool kept;
    } CASES[] = {
        {STORE_REFUSED, ERR_UNAUTHORIZED, false},
        {STORE_LOST, ERR_UNAVAILABLE, false},
        {STORE_UNKNOWN, ERR_UNAVAILABLE, true},
        {STORE_COMMITTED, ERR_NONE, true},
    };
    struct ground *g = *state;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct store *s = store_faulty(store_memory_open(true, &STILL), 2, CASES[i].how);
        put(s, TABLE_ADMINS, SLICE("first"), SLICE("1"));
        g->e = (struct err){0};
        batch_put(&g->b, TABLE_ADMINS, SLICE("second"), SLICE("2"));
        batch_insert(&g->b, TABLE_USED_OTT, SLICE("t"), SLICE("1"), &USED);
        bool ok = store_commit(s, &g->b, DEADLINE_NONE, &g->e);
        assert_int_equal(ok, CASES[i].how == STORE_COMMITTED);
        assert_int_equal(g->e.kind, CASES[i].kind);
        batch_clear(&g->b);
        assert_row(s, TABLE_ADMINS, SLICE("second"), CASES[i].kept ? SLICE("2") : SLICE_NONE);
        put(s, TABLE_ADMINS, SLICE("third"), SLICE("3"));
        assert_row(s, TABLE_ADMINS, SLICE("third"), SLICE("3"));
        assert_int_equal(s->caps, STORE_DURABLE | STORE_INVENTORY);
        store_close(s);
    }
}

static void the_faulty_store_refuses_batches_that_expect_nothing(void **state)
{
    struct ground *g = *state;
    struct store *s = store_faulty(store_memory_open(true, &STILL), 1, STORE_REFUSED);

    assert_false(store_commit(s, &g->b, DEADLINE_NONE, &g->e));
    assert_int_equal(g->e.kind, ERR_CHANGED);
    store_close(s);
}

static void tables_have_the_names_of_the_reference(void **state UNUSED)
{
    enum table t;

    assert_string_equal(table_name(TABLE_X509_CERTS), "x509_certs");
    assert_string_equal(table_name(TABLE_ACME_KEY_ACCOUNT_INDEX), "acme_keyID_accountID_index");
    assert_string_equal(table_name(TABLE_POLICIES), "authority_policies");
    for (int i = 0; i < TABLES; i++) {
        assert_true(table_find(slice_text(table_name((enum table)i)), &t));
        assert_int_equal(t, i);
    }
    assert_false(table_find(SLICE("X509_CERTS"), &t));
    assert_false(table_find(SLICE("x509_cert"), &t));
    assert_false(table_find(SLICE(""), &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_database_only_used_tokens_stay, begin_memory,
                                        end),
        cmocka_unit_test_setup_teardown(used_tokens_go_when_they_have_expired, begin_memory, end),
        cmocka_unit_test_setup_teardown(the_faulty_store_fails_once_in_the_way_given, begin_memory,
                                        end),
        cmocka_unit_test_setup_teardown(the_faulty_store_refuses_batches_that_expect_nothing,
                                        begin_memory, end),
        cmocka_unit_test(tables_have_the_names_of_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
