/*
 * Old databases become files of ours: all of it, byte for byte, or nothing; and what stands behind
 * the commands that move and mend.
 */
#include "legacy_testing.h"

#include <sqlite3.h>

#include "store/import.h"

/* As far as a store is concerned: a decimal key and a SEQUENCE. */
static bool describe(struct arena *a UNUSED, enum table t, struct slice key, struct slice der,
                     struct issued *out)
{
    uint64_t n = 0;

    for (size_t i = 0; i < key.n; i++)
        n += key.p[i] >= '0' && key.p[i] <= '9';
    bool ssh = t == TABLE_SSH_CERTS;
    if (key.n == 0 || n != key.n || der.n < 2 || der.p[0] != (ssh ? 's' : 0x30))
        return false;
    *out = (struct issued){.kind = ssh ? CERT_SSH_HOST : CERT_X509,
                           .serial = key,
                           .der = der,
                           .subject = SLICE("CN=x"),
                           .common_name = SLICE("x"),
                           .names = SLICE("dns:x"),
                           .fingerprint = SLICE("ff"),
                           .key_type = SLICE("k"),
                           .not_before = 1,
                           .not_after = 100,
                           .issued_at = 1};
    return true;
}

static char *target_of(struct sample *s)
{
    return arena_printf(s->a, "%s/newel.sqlite", s->dir);
}

static bool import_sample(struct sample *s, const char *name, struct import_report *r)
{
    struct legacy_place p = place_of(s, name);

    return store_sqlite_from_legacy(target_of(s), &p, describe, &STILL, s->a, r, &s->e);
}

static struct store *open_target(struct sample *s)
{
    struct store *store = store_sqlite_open(target_of(s), &STILL, &s->e);

    if (!store)
        fail_msg("%s", s->e.text);
    return store;
}

/* --- Content of a store ---------------------------------------------------------------------- */

struct expected {
    struct sample *s;
    struct store *store;
    const struct json *tables, *row;
    struct slice table;
    size_t n_tables;
};

static bool expect_row(struct slice key, struct slice value, void *arg)
{
    struct expected *x = arg;

    if (!x->row)
        fail_msg("%.*s: one row too many", SLICE_ARG(x->table));
    if (!slice_eq(decoded(x->s->a, x->row, "k"), key) || !value_is(x->s->a, x->row, value))
        fail_msg("%.*s: row %.*s differs", SLICE_ARG(x->table), SLICE_ARG(key));
    x->row = x->row->next;
    return true;
}

static bool expect_table(struct slice name, void *arg)
{
    struct expected *x = arg;
    const struct json *t = x->tables->first;

    if (slice_starts(name, "newel_"))
        return true;
    while (t && !slice_eq(t->name, name))
        t = t->next;
    if (!t) {
        fail_msg("table %.*s should not be there", SLICE_ARG(name));
        return false;
    }
    x->n_tables++;
    x->table = name;
    x->row = t->first;
    assert_true(x->store->ops->scan_named(x->store, name, SLICE_NONE, 0, expect_row, x,
                                          DEADLINE_NONE, &x->s->e));
    if (x->row)
        fail_msg("%.*s: rows are missing", SLICE_ARG(name));
    return true;
}

static void assert_store_holds(struct sample *s, struct store *store, const char *name)
{
    struct expected x = {.s = s, .store = store, .tables = sample_content(s, name)};

    assert_true(store->ops->tables(store, expect_table, &x, &s->e));
    assert_int_equal(x.n_tables, x.tables->n);
}

static const char *const SAMPLES[] = {
    "badgerv1",        "badgerv2-unclean", "badgerv2-multi-zstd",
    "bbolt",           "bbolt-multi",      "bbolt-badmeta",
    "stepca-badgerv1", "stepca-badgerv2",  "stepca-bbolt-crash",
};

/* --- Import -------------------------------------------------------------------------------- */

static void an_import_holds_exactly_what_the_source_held(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(SAMPLES); i++) {
        struct sample s;
        struct import_report r;
        sample_open(&s, SAMPLES[i]);
        if (!import_sample(&s, SAMPLES[i], &r))
            fail_msg("%s: %s", SAMPLES[i], s.e.text);
        struct stat st;
        assert_int_equal(stat(target_of(&s), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        struct store *store = open_target(&s);
        assert_store_holds(&s, store, SAMPLES[i]);
        struct slice record;
        assert_true(
            store_get(store, TABLE_IMPORTS, SLICE("last"), s.a, &record, DEADLINE_NONE, &s.e));
        assert_non_null(record.p);
        struct legacy_place p = place_of(&s, SAMPLES[i]);
        struct slice print;
        assert_true(legacy_fingerprint(&p, s.a, &print, &s.e));
        assert_slice(import_record_fingerprint(s.a, record), print);
        store_close(store);
        sample_close(&s);
    }
}

static bool count_row(const struct inventory_row *row, void *arg)
{
    int *n = arg;

    n[row->revoked_at != 0]++;
    n[2] += row->provisioner_name.n > 0;
    return true;
}

static void certificates_of_an_import_stand_in_the_inventory(void **state UNUSED)
{
    struct inventory_query q = {0};
    struct import_report r;
    struct sample s;
    int n[3] = {0};

    sample_open(&s, "stepca-badgerv1");
    assert_true(import_sample(&s, "stepca-badgerv1", &r));
    assert_int_equal(r.certificates, 9);
    assert_string_equal(r.format, "badgerv1");
    struct store *store = open_target(&s);
    assert_true(store->ops->inventory(store, &q, count_row, n, DEADLINE_NONE, &s.e));
    assert_int_equal(n[0] + n[1], 9);
    assert_int_equal(n[1], 4);
    assert_int_equal(n[2], 8); /* by their data records */
    store_close(store);
    sample_close(&s);
}

static void a_failed_import_leaves_nothing(void **state UNUSED)
{
    struct import_report r;
    struct sample s;

    sample_open(&s, "badgerv2");
    run_shell("printf x | dd of=%s/000002.sst bs=1 seek=60000 conv=notrunc 2>/dev/null", s.path);
    run_shell("touch %s.import-999999999 %s.import-%d", target_of(&s), target_of(&s),
              (int)getpid());
    assert_false(import_sample(&s, "badgerv2", &r));
    assert_non_null(strstr(s.e.text, "000002.sst"));
    run_shell("test -z \"$(ls %s | grep -v '^badgerv2$')\"", s.dir);
    sample_close(&s);
}

static void an_import_takes_nobodys_place(void **state UNUSED)
{
    struct import_report r;
    struct sample s;

    sample_open(&s, "bbolt");
    run_shell("echo mine > %s", target_of(&s));
    assert_false(import_sample(&s, "bbolt", &r));
    assert_int_equal(s.e.kind, ERR_EXISTS);
    run_shell("test \"$(cat %s)\" = mine", target_of(&s));
    sample_close(&s);
}

/* --- Rows of an import through the store ---------------------------------------------------- */

static struct sample empty_place(void)
{
    return (struct sample){.dir = scratch_make(), .a = arena_new(&HEAP_USUAL)};
}

static void import_row(struct sample *s, struct store *store, const char *table, struct slice key,
                       struct slice value)
{
    struct pair p = {key, value};

    if (!store->ops->import(store, slice_text(table), &p, key.p ? 1 : 0, describe, &s->e))
        fail_msg("%s", s->e.text);
}

static void assert_sql(struct sample *s, const char *sql, const char *expected)
{
    sqlite3_stmt *st;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(target_of(s), &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    const char *got = (const char *)sqlite3_column_text(st, 0);
    assert_string_equal(got ? got : "NULL", expected);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static bool append_name(struct slice name, void *arg)
{
    buf_printf(arg, "%.*s ", SLICE_ARG(name));
    return true;
}

static void unknown_tables_and_rows_that_are_no_certificates_are_kept(void **state UNUSED)
{
    struct sample s = empty_place();
    struct store *store = store_sqlite_open_bare(target_of(&s), &STILL, &s.e);

    assert_non_null(store);
    import_row(&s, store, "t1", SLICE("a\0\xff"), SLICE("\x00\x01"));
    import_row(&s, store, "t1", SLICE("b"), SLICE(""));
    import_row(&s, store, "empty", SLICE_NONE, SLICE_NONE);
    import_row(&s, store, "KV", SLICE("name of ours"), SLICE("v"));
    import_row(&s, store, "x509_certs", SLICE("\xff\x00z"), SLICE("binary"));
    import_row(&s, store, "x509_certs", SLICE("7"), SLICE(""));
    import_row(&s, store, "x509_certs", SLICE("8"), SLICE("0\x03\x02\x01\x00"));
    import_row(&s, store, "x509_certs_data", SLICE("9"), SLICE("{}"));
    struct buf names = buf_new(s.a, 4096);
    assert_true(store->ops->tables(store, append_name, &names, &s.e));
    assert_slice(buf_slice(&names), SLICE("KV empty t1 x509_certs x509_certs_data "));
    assert_sql(&s, "SELECT count(*) FROM t1", "2");
    assert_sql(&s, "SELECT count(*) FROM empty", "0");
    assert_sql(&s, "SELECT hex(nkey) FROM t1 WHERE typeof(nkey)='blob'", "6100FF");
    assert_sql(&s, "SELECT hex(nvalue) FROM t1 WHERE nkey='b'", "");
    assert_sql(&s, "SELECT count(*) FROM x509_certs", "3");
    assert_sql(&s, "SELECT count(*) FROM certificates", "1");
    assert_sql(&s, "SELECT hex(nkey) FROM x509_certs WHERE nvalue=CAST('binary' AS BLOB)",
               "FF007A");
    assert_sql(&s, "SELECT count(*) FROM x509_certs_data", "1");
    store_close(store);
    sample_close(&s);
}

static void importing_the_same_rows_again_changes_nothing(void **state UNUSED)
{
    struct sample s = empty_place();
    struct store *store = store_sqlite_open_bare(target_of(&s), &STILL, &s.e);

    for (int twice = 0; twice < 2; twice++) {
        import_row(&s, store, "revoked_x509_certs", SLICE("8"), SLICE("{\"ReasonCode\":4}"));
        import_row(&s, store, "x509_certs", SLICE("8"), SLICE("0\x03\x02\x01\x00"));
        import_row(&s, store, "x509_certs_data", SLICE("8"),
                   SLICE("{\"provisioner\":{\"id\":\"i\",\"name\":\"n\",\"type\":\"JWK\"}}"));
        import_row(&s, store, "t1", SLICE("k"), SLICE("v"));
    }
    assert_sql(&s,
               "SELECT serial||reason_code||provisioner_id||provisioner_name||provisioner_type"
               " FROM certificates",
               "84inJWK");
    assert_sql(&s, "SELECT count(*) FROM kvbig", "1");
    assert_sql(&s, "SELECT count(*) FROM tables WHERE id>=1000", "1");
    store_close(store);
    sample_close(&s);
}

/* --- Mending ------------------------------------------------------------------------------- */

static void append_problem(const char *text, void *arg)
{
    buf_printf(arg, "%s\n", text);
}

static void assert_problems(struct sample *s, struct store *store, const char *expected)
{
    struct buf problems = buf_new(s->a, 1u << 16);

    assert_true(store->ops->check(store, describe, append_problem, &problems, &s->e));
    buf_byte(&problems, 0);
    if (expected[0] ? !strstr((char *)problems.p, expected) : problems.n > 1)
        fail_msg("problems: \"%s\", expected \"%s\"", problems.p, expected);
}

static void reindex_finds_certificates_that_came_as_bare_rows(void **state UNUSED)
{
    struct sample s = empty_place();
    struct store *store = store_sqlite_open(target_of(&s), &STILL, &s.e);
    char serial[20];
    uint64_t n;

    for (int i = 0; i < 450; i++) {
        snprintf(serial, sizeof(serial), "%d", 1000 + i);
        put(store, TABLE_X509_CERTS, slice_text(serial), SLICE("0\x03\x02\x01\x00"));
    }
    put(store, TABLE_X509_CERTS, SLICE("no number"), SLICE("0\x03\x02\x01\x00"));
    put(store, TABLE_X509_CERTS_DATA, SLICE("1003"), SLICE("{\"provisioner\":{\"name\":\"adm\"}}"));
    put(store, TABLE_REVOKED_X509_CERTS, SLICE("1004"), SLICE("{\"ReasonCode\":3}"));
    assert_true(store->ops->reindex(store, describe, &n, &s.e));
    assert_int_equal(n, 450);
    assert_sql(&s, "SELECT count(*) FROM certificates", "450");
    assert_sql(&s, "SELECT count(*) FROM kvbig", "1");
    assert_sql(&s, "SELECT count(*) FROM x509_certs", "451");
    assert_sql(&s, "SELECT provisioner_name FROM certificates WHERE serial='1003'", "adm");
    assert_sql(&s, "SELECT count(*) FROM kv WHERE tbl=2", "0");
    assert_sql(&s, "SELECT reason_code FROM certificates WHERE serial='1004'", "3");
    assert_sql(&s, "SELECT count(*) FROM certificate_names WHERE value='x' AND type='dns'", "450");
    assert_problems(&s, store, "");
    store_close(store);
    sample_close(&s);
}

static void check_finds_what_reindex_mends(void **state UNUSED)
{
    static const struct {
        const char *harm, *problem;
        bool mends;
    } CASES[] = {
        {"UPDATE certificates SET not_after=7", "run reindex", true},
        {"UPDATE certificates SET revoked_at=5", "revocation", true},
        {"DELETE FROM certificate_names", "", true},
        {"UPDATE certificates SET der='junk'", "cannot be read", false},
        {"INSERT INTO kv VALUES(11,'a','{',NULL)", "acme_accounts: the record of \"a\"", false},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct sample s = empty_place();
        struct store *store = store_sqlite_open(target_of(&s), &STILL, &s.e);
        uint64_t n;
        import_row(&s, store, "x509_certs", SLICE("8"), SLICE("0\x03\x02\x01\x00"));
        assert_problems(&s, store, "");
        sqlite3 *db;
        assert_int_equal(sqlite3_open(target_of(&s), &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, CASES[i].harm, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        assert_problems(&s, store, CASES[i].problem);
        assert_true(store->ops->reindex(store, describe, &n, &s.e));
        assert_problems(&s, store, CASES[i].mends ? "" : CASES[i].problem);
        store_close(store);
        sample_close(&s);
    }
}

static void a_backup_is_a_store_and_takes_nobodys_place(void **state UNUSED)
{
    struct sample s = empty_place();
    struct store *store = store_sqlite_open(target_of(&s), &STILL, &s.e);
    const char *path = arena_printf(s.a, "%s/copy", s.dir);

    put(store, TABLE_NONCES, SLICE("n"), SLICE("{}"));
    assert_true(store->ops->backup(store, path, &s.e));
    put(store, TABLE_NONCES, SLICE("later"), SLICE("{}"));
    assert_false(store->ops->backup(store, path, &s.e));
    assert_int_equal(s.e.kind, ERR_EXISTS);
    store_close(store);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    store = store_sqlite_open(path, &STILL, &s.e);
    assert_non_null(store);
    assert_row(store, TABLE_NONCES, SLICE("n"), SLICE("{}"));
    assert_row(store, TABLE_NONCES, SLICE("later"), SLICE_NONE);
    store_close(store);
    run_shell("test $(ls %s | wc -l) = 2", s.dir);
    sample_close(&s);
}

static void a_store_that_can_write_is_ready(void **state UNUSED)
{
    struct sample s = empty_place();
    struct store *store = store_sqlite_open(target_of(&s), &STILL, &s.e);

    assert_true(store->ops->probe(store, DEADLINE_NONE, &s.e));
    store_close(store);
    sample_close(&s);
}

/* --- Older schemas ------------------------------------------------------------------------- */

static void make_old(struct sample *s, const char *schema)
{
    struct slice sql;
    sqlite3 *db;
    char *why = NULL;

    assert_true(file_read(s->a, arena_printf(s->a, FIXTURES "/../store/%s", schema), false,
                          1u << 20, &sql, &s->e));
    assert_int_equal(sqlite3_open(target_of(s), &db), SQLITE_OK);
    if (sqlite3_exec(db, arena_cstr(s->a, sql), NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", schema, why);
    sqlite3_close(db);
}

static const char *const OLD_SCHEMAS[] = {"schema-v1.sql", "schema-v2.sql", "schema-v3.sql"};

static void older_schemas_are_brought_up(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(OLD_SCHEMAS); i++) {
        struct sample s = empty_place();
        make_old(&s, OLD_SCHEMAS[i]);
        for (int twice = 0; twice < 2; twice++) {
            struct store *store = open_target(&s);
            assert_row(store, TABLE_X509_CERTS, SLICE("99"), SLICE("no certificate"));
            assert_row(store, TABLE_X509_CERTS, SLICE("12"), SLICE("\x30\x03\x02\x01\x00"));
            assert_row(store, TABLE_USED_OTT, SLICE("\xff\x00z"), SLICE("used"));
            assert_row(store, TABLE_ACME_ORDERS, SLICE("o1"), SLICE("{}"));
            assert_row(store, TABLE_ACME_CHALLENGES, SLICE("c1"), SLICE("{\"a\":1}"));
            put(store, TABLE_IMPORTS, SLICE("k"), SLICE("v"));
            import_row(&s, store, "t1", SLICE("k"), SLICE("v"));
            store_close(store);
        }
        assert_sql(&s, "PRAGMA user_version", "4");
        assert_sql(&s, "SELECT nkey||nvalue FROM acme_orders", "o1{}");
        assert_sql(&s, "SELECT expires FROM kvbig WHERE tbl=14", "1760000000");
        assert_sql(&s, "SELECT count(*) FROM kv WHERE tbl IN (14,15,16)", "0");
        assert_sql(&s, "SELECT hex(nkey) FROM used_ott", "FF007A");
        assert_sql(&s, "SELECT nkey FROM newel_imports", "k");
        assert_sql(&s, "SELECT nkey FROM t1", "k");
        assert_sql(&s, "SELECT kind||serial||reason FROM revoked", "x50912stolen");
        assert_sql(&s, "PRAGMA integrity_check", "ok");
        sample_close(&s);
    }
}

/* A serial number of X.509 and the same of SSH, which stands there as it came until reindex. */
static void schema_2_keeps_its_ssh_certificates(void **state UNUSED)
{
    struct sample s = empty_place();
    uint64_t n;

    make_old(&s, "schema-v2.sql");
    struct store *store = open_target(&s);
    assert_row(store, TABLE_SSH_CERTS, SLICE("12"), SLICE("ssh"));
    assert_sql(&s, "SELECT nvalue FROM t0", "v");
    assert_sql(&s, "SELECT count(*) FROM certificates", "1");
    assert_true(store->ops->reindex(store, describe, &n, &s.e));
    assert_int_equal(n, 2);
    assert_sql(&s, "SELECT count(*) FROM certificates", "2");
    assert_row(store, TABLE_SSH_CERTS, SLICE("12"), SLICE("ssh"));
    assert_row(store, TABLE_X509_CERTS, SLICE("12"), SLICE("\x30\x03\x02\x01\x00"));
    store_close(store);
    sample_close(&s);
}

static void schema_3_keeps_its_acme_orders_and_their_ends(void **state UNUSED)
{
    struct sample s = empty_place();
    struct inventory_query ssh = {.only_ssh = true, .san = SLICE("ann")};
    uint64_t removed;
    int n[3] = {0};

    make_old(&s, "schema-v3.sql");
    struct store *store = open_target(&s);
    assert_row(store, TABLE_ACME_ORDERS, SLICE("order"), SLICE("{}"));
    assert_row(store, TABLE_ACME_AUTHZS, SLICE("authz"), SLICE("{}"));
    assert_row(store, TABLE_ACME_CHALLENGES, SLICE("challenge"), SLICE("{}"));
    assert_row(store, TABLE_SSH_CERTS, SLICE("12"), SLICE("ssh-blob"));
    assert_true(store->ops->inventory(store, &ssh, count_row, n, DEADLINE_NONE, &s.e));
    assert_int_equal(n[0] + n[1], 1);
    assert_sql(&s, "SELECT count(*) FROM acme_orders WHERE nkey='order'", "1");
    assert_true(store->ops->prune(store, 1770000000, &removed, &s.e));
    assert_row(store, TABLE_ACME_ORDERS, SLICE("order"), SLICE_NONE);
    assert_row(store, TABLE_ACME_AUTHZS, SLICE("authz"), SLICE("{}"));
    store_close(store);
    sample_close(&s);
}

/* A new file and one that was brought up have the same objects. */
static void schemas_are_the_same_however_they_came(void **state UNUSED)
{
    const char *objects =
        "SELECT group_concat(name||' '||replace(replace(sql,'''',''),'\"',''),char(10)) FROM"
        " (SELECT name,sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT IN ('tables','t0')"
        " ORDER BY name)";

    for (size_t i = 0; i < COUNT_OF(OLD_SCHEMAS); i++) {
        struct sample s = empty_place(), n = empty_place();
        sqlite3 *db, *fresh;
        sqlite3_stmt *a, *b;
        make_old(&s, OLD_SCHEMAS[i]);
        store_close(open_target(&s));
        store_close(open_target(&n));
        assert_int_equal(sqlite3_open(target_of(&s), &db), SQLITE_OK);
        assert_int_equal(sqlite3_open(target_of(&n), &fresh), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, objects, -1, &a, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(fresh, objects, -1, &b, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(a), SQLITE_ROW);
        assert_int_equal(sqlite3_step(b), SQLITE_ROW);
        assert_string_equal((const char *)sqlite3_column_text(a, 0),
                            (const char *)sqlite3_column_text(b, 0));
        sqlite3_finalize(a);
        sqlite3_finalize(b);
        sqlite3_close(db);
        sqlite3_close(fresh);
        sample_close(&s);
        sample_close(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_import_holds_exactly_what_the_source_held),
        cmocka_unit_test(certificates_of_an_import_stand_in_the_inventory),
        cmocka_unit_test(a_failed_import_leaves_nothing),
        cmocka_unit_test(an_import_takes_nobodys_place),
        cmocka_unit_test(unknown_tables_and_rows_that_are_no_certificates_are_kept),
        cmocka_unit_test(importing_the_same_rows_again_changes_nothing),
        cmocka_unit_test(reindex_finds_certificates_that_came_as_bare_rows),
        cmocka_unit_test(check_finds_what_reindex_mends),
        cmocka_unit_test(a_backup_is_a_store_and_takes_nobodys_place),
        cmocka_unit_test(a_store_that_can_write_is_ready),
        cmocka_unit_test(older_schemas_are_brought_up),
        cmocka_unit_test(schema_2_keeps_its_ssh_certificates),
        cmocka_unit_test(schema_3_keeps_its_acme_orders_and_their_ends),
        cmocka_unit_test(schemas_are_the_same_however_they_came),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
