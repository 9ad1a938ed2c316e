/*
 * The SQLite file: how it is made, what is refused, what an operator sees in it, and that other
 * processes may use it at the same time.
 */
#include "store_testing.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"

struct place {
    char *dir;
    char path[4096];
    struct arena *a;
    struct err e;
};

static int begin_place(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));

    p->dir = scratch_make();
    p->a = arena_new(&HEAP_USUAL);
    snprintf(p->path, sizeof(p->path), "%s/newel.sqlite", p->dir);
    *state = p;
    return 0;
}

static int end_place(void **state)
{
    struct place *p = *state;

    scratch_remove(p->dir);
    arena_free(p->a);
    free(p);
    return 0;
}

static struct store *open_store(struct place *p)
{
    struct store *s = store_sqlite_open(p->path, &STILL, &p->e);

    if (!s)
        fail_msg("%s", p->e.text);
    return s;
}

static void assert_does_not_open(struct place *p, const char *why)
{
    struct store *s = store_sqlite_open(p->path, &STILL, &p->e);

    assert_null(s);
    if (!strstr(p->e.text, why) || !strstr(p->e.text, p->dir))
        fail_msg("\"%s\" does not say \"%s\" and the path", p->e.text, why);
}

static unsigned mode_of(const char *path, const char *suffix)
{
    char full[5000];
    struct stat st;

    snprintf(full, sizeof(full), "%s%s", path, suffix);
    return stat(full, &st) == 0 ? st.st_mode & 0777 : 0;
}

/* Somebody with the SQLite shell. */
static void shell(struct place *p, const char *sql)
{
    sqlite3 *db;
    char *why = NULL;

    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}

static void assert_shell(struct place *p, const char *sql, const char *expected)
{
    sqlite3 *db;
    sqlite3_stmt *st;

    assert_int_equal(sqlite3_open_v2(p->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    const char *got = (const char *)sqlite3_column_text(st, 0);
    assert_string_equal(got ? got : "NULL", expected);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

/* --- Making -------------------------------------------------------------------------------- */

static void files_are_for_the_owner_only(void **state)
{
    struct place *p = *state;
    mode_t before = umask(0);

    snprintf(p->path, sizeof(p->path), "%s/db", p->dir);
    char *sub = xstrdup(p->path);
    snprintf(p->path, sizeof(p->path), "%s/db/newel.sqlite", p->dir);
    struct store *s = open_store(p);
    umask(before);
    put(s, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    assert_int_equal(mode_of(sub, ""), 0700);
    assert_int_equal(mode_of(p->path, ""), 0600);
    assert_int_equal(mode_of(p->path, "-wal"), 0600);
    assert_int_equal(mode_of(p->path, "-shm"), 0600);
    store_close(s);
    assert_int_equal(mode_of(p->path, "-wal"), 0);
    scratch_remove(sub);
}

static void the_parent_of_the_directory_must_exist(void **state)
{
    struct place *p = *state;

    snprintf(p->path, sizeof(p->path), "%s/no/such/newel.sqlite", p->dir);
    assert_does_not_open(p, "/no/such");
    assert_int_equal(p->e.kind, ERR_NOT_FOUND);
    snprintf(p->path, sizeof(p->path), "%s", p->dir);
    assert_does_not_open(p, "not a regular file");
}

static void the_file_has_our_settings(void **state)
{
    struct place *p = *state;

    close(open(p->path, O_CREAT | O_WRONLY, 0600)); /* as a crash in creation leaves it */
    store_close(open_store(p));
    assert_shell(p, "PRAGMA journal_mode", "wal");
    assert_shell(p, "PRAGMA auto_vacuum", "2");
    assert_shell(p, "PRAGMA application_id", "1314342220");
    assert_shell(p, "PRAGMA user_version", "4");
    assert_shell(p, "PRAGMA integrity_check", "ok");
    assert_shell(p, "SELECT count(*) FROM tables", "29");
}

static void rows_are_there_after_opening_again(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    struct issued c = certificate("12");

    issue_one(s, &c);
    revoke_serial(s, "12");
    store_close(s);
    s = open_store(p);
    assert_row(s, TABLE_X509_CERTS, SLICE("12"), c.der);
    assert_row(s, TABLE_REVOKED_X509_CERTS, SLICE("12"), REVOCATION);
    store_close(s);
}

static void a_relative_path_stays_what_it_was(void **state)
{
    struct place *p = *state;
    char before[4096];

    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(p->dir), 0);
    struct store *s = store_sqlite_open("newel.sqlite", &STILL, &p->e);
    assert_int_equal(chdir(before), 0);
    assert_non_null(s);
    put(s, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    assert_row(s, TABLE_ADMINS, SLICE("a"), SLICE("x")); /* the reader opens only now */
    store_close(s);
    assert_true(file_exists(p->path));
}

/* --- Refusing ------------------------------------------------------------------------------ */

static void a_newer_schema_is_refused(void **state)
{
    struct place *p = *state;

    store_close(open_store(p));
    shell(p, "PRAGMA user_version=5");
    assert_does_not_open(p, "newer release (schema 5, this one knows 4)");
}

static void a_file_of_another_program_is_refused_and_left_alone(void **state)
{
    struct place *p = *state;
    struct slice before, after;

    shell(p, "CREATE TABLE x(y); INSERT INTO x VALUES(1)");
    assert_true(file_read(p->a, p->path, false, FILE_MAX_USUAL, &before, &p->e));
    assert_does_not_open(p, "another program");
    assert_true(file_read(p->a, p->path, false, FILE_MAX_USUAL, &after, &p->e));
    assert_slice(after, before);
    shell(p, "PRAGMA application_id=17");
    assert_does_not_open(p, "application id 0x00000011");
}

static void what_is_no_database_is_refused(void **state)
{
    struct place *p = *state;
    char text[8192];

    memset(text, 'x', sizeof(text));
    assert_true(file_write(p->path, slice_of(text, sizeof(text)), 0600, 0, &p->e));
    assert_does_not_open(p, "not a database");
    assert_int_equal(p->e.kind, ERR_INTERNAL);
}

static void overwrite(const char *path, off_t from, size_t n)
{
    int fd = open(path, O_WRONLY);
    char junk[512];

    memset(junk, 0xa5, sizeof(junk));
    for (size_t done = 0; done < n; done += sizeof(junk))
        assert_int_equal(pwrite(fd, junk, sizeof(junk), from + (off_t)done), sizeof(junk));
    close(fd);
}

static void a_damaged_schema_is_told_at_start(void **state)
{
    struct place *p = *state;

    store_close(open_store(p));
    overwrite(p->path, 1024, 3072);
    assert_does_not_open(p, "malformed");
}

static void a_truncated_file_is_told_at_start(void **state)
{
    struct place *p = *state;

    store_close(open_store(p));
    assert_int_equal(truncate(p->path, 5000), 0);
    assert_does_not_open(p, "malformed");
}

static void a_damaged_row_is_an_error_and_not_an_absent_row(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    struct slice value;
    struct stat st;

    for (int i = 0; i < 500; i++)
        put(s, TABLE_USED_OTT, arena_format(p->a, "%d", i), SLICE("0123456789012345678901234567"));
    store_close(s);
    assert_int_equal(stat(p->path, &st), 0);
    s = open_store(p);
    /* Behind the schema's pages everything is junk, except that the lengths stay. */
    overwrite(p->path, st.st_size - 16384, 16384);
    bool told = false;
    for (int i = 0; i < 500; i++) {
        p->e = (struct err){0};
        bool ok = store_get(s, TABLE_USED_OTT, arena_format(p->a, "%d", i), p->a, &value,
                            DEADLINE_NONE, &p->e);
        told |= !ok && strstr(p->e.text, "malformed") && strstr(p->e.text, p->path);
        assert_true(!ok || value.p);
    }
    assert_true(told);
    store_close(s);
}

/* In a child, because root may write everything. */
static void a_read_only_file_is_refused(void **state)
{
    struct place *p = *state;

    store_close(open_store(p));
    assert_int_equal(chmod(p->path, 0444), 0);
    assert_int_equal(chmod(p->dir, 0755), 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && seteuid(65534) != 0)
            _exit(2);
        struct store *s = store_sqlite_open(p->path, &STILL, &p->e);
        _exit(!s && strstr(p->e.text, "not writable") && strstr(p->e.text, p->path) ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

/* --- Sharing ------------------------------------------------------------------------------- */

static void a_second_process_may_use_the_file(void **state)
{
    struct place *p = *state;
    struct store *server = open_store(p), *command = open_store(p);
    struct store_batch b = {.arena = p->a};

    batch_insert(&b, TABLE_USED_OTT, SLICE("t"), SLICE("1"), &USED);
    assert_commit(server, &b);
    batch_insert(&b, TABLE_USED_OTT, SLICE("t"), SLICE("1"), &USED);
    assert_false(store_commit(command, &b, DEADLINE_NONE, &p->e));
    assert_int_equal(p->e.kind, ERR_UNAUTHORIZED);
    put(command, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    assert_row(server, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    store_close(command);
    put(server, TABLE_ADMINS, SLICE("a"), SLICE("y"));
    store_close(server);
}

static void the_tables_of_the_reference_are_views(void **state)
{
    struct place *p = *state;
    struct store *s = open_store(p);
    struct issued c = certificate("12");

    issue_one(s, &c);
    put(s, TABLE_X509_CERTS, SLICE("13"), SLICE("import"));
    put(s, TABLE_ACME_KEY_ACCOUNT_INDEX, SLICE("thumb"), SLICE("account"));
    revoke_serial(s, "12");
    assert_shell(p, "SELECT hex(nvalue) FROM x509_certs WHERE nkey='12'", "3003020100");
    assert_shell(p, "SELECT CAST(nvalue AS TEXT) FROM x509_certs WHERE nkey='13'", "import");
    assert_shell(p, "SELECT count(*) FROM x509_certs", "2");
    assert_shell(p, "SELECT nkey FROM x509_certs_data", "12");
    assert_shell(p, "SELECT count(*) FROM revoked_x509_certs", "1");
    assert_shell(p, "SELECT nvalue FROM acme_keyID_accountID_index WHERE nkey='thumb'", "account");
    assert_shell(p, "SELECT reason FROM revoked", "stolen");
    assert_shell(p,
                 "SELECT common_name || datetime(not_after,'unixepoch') FROM certificates"
                 " WHERE not_after < 1999999999",
                 "host.example2025-06-16 15:06:40");
    assert_shell(p, "SELECT count(*) FROM active", "0");
    assert_shell(p, "SELECT count(*) FROM expiring", "0");
    store_close(s);
}

static void questions_use_the_indexes(void **state)
{
    static const char *const PLANS[][2] = {
        {"SELECT v FROM kv WHERE tbl=1 AND k=x'00'", "PRIMARY KEY"},
        {"SELECT der FROM certificates WHERE serial='1' AND ssh=0", "certificates_serial"},
        {"SELECT serial FROM certificates WHERE serial>'1' AND ssh=1 ORDER BY serial LIMIT 1",
         "certificates_serial"},
        {"SELECT der FROM certificates WHERE not_after IS NOT NULL AND ssh IN (0,1) AND serial='1'",
         "certificates_serial"},
        {"SELECT k FROM kv WHERE expires IS NOT NULL AND expires<1 LIMIT 1", "kv_expires"},
        {"SELECT id FROM kvbig WHERE expires IS NOT NULL AND expires<1 LIMIT 1", "kvbig_expires"},
        {"SELECT certificate FROM certificate_names WHERE value='a' AND type='dns'", "PRIMARY KEY"},
    };
    struct place *p = *state;
    char sql[400];

    store_close(open_store(p));
    for (size_t i = 0; i < COUNT_OF(PLANS); i++) {
        sqlite3 *db;
        sqlite3_stmt *st;
        snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", PLANS[i][0]);
        assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(st), SQLITE_ROW);
        const char *plan = (const char *)sqlite3_column_text(st, 3);
        if (strncmp(plan, "SEARCH", 6) != 0 || !strstr(plan, PLANS[i][1]))
            fail_msg("%s: %s", PLANS[i][0], plan);
        sqlite3_finalize(st);
        sqlite3_close(db);
    }
}

/* --- Reading alone ------------------------------------------------------------------------- */

static struct store *read_alone(struct place *p)
{
    struct store *s = store_sqlite_open_read(p->path, &STILL, &p->e);

    if (!s)
        fail_msg("%s", p->e.text);
    return s;
}

static bool count_row(const struct inventory_row *row UNUSED, void *arg)
{
    ++*(int *)arg;
    return true;
}

static void who_reads_alone_leaves_no_trace_and_writes_nothing(void **state)
{
    static const struct inventory_query NAMED[] = {
        {.san = SLICE("host.example")},
        {.san = SLICE("ip:10.0.0.1")},
        {.subject = SLICE("HOST.example")},
        {0},
    };
    struct place *p = *state;
    struct store *s = open_store(p);
    struct issued c = certificate("12");
    struct store_batch b = {.arena = p->a};

    issue_one(s, &c); /* whose names are in no index yet */
    store_close(s);
    s = read_alone(p);
    for (size_t i = 0; i < COUNT_OF(NAMED); i++) {
        int rows = 0;
        assert_true(s->ops->inventory(s, &NAMED[i], count_row, &rows, DEADLINE_NONE, &p->e));
        assert_int_equal(rows, 1);
    }
    assert_row(s, TABLE_X509_CERTS, SLICE("12"), SLICE("\x30\x03\x02\x01\x00"));
    batch_put(&b, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    assert_false(store_commit(s, &b, DEADLINE_NONE, &p->e));
    assert_int_equal(mode_of(p->path, "-wal"), 0);
    assert_int_equal(mode_of(p->path, "-shm"), 0);
    store_close(s);
    assert_shell(p, "SELECT value FROM meta WHERE name='names_indexed'", "0");
}

static void an_answer_from_a_file_that_changed_meanwhile_is_not_given(void **state)
{
    struct place *p = *state;
    struct slice value;

    store_close(open_store(p));
    struct store *s = read_alone(p);
    assert_row(s, TABLE_ADMINS, SLICE("a"), SLICE_NONE);
    usleep(50000); /* the clock of the file system */
    struct store *server = open_store(p);
    put(server, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    store_close(server);
    assert_false(store_get(s, TABLE_ADMINS, SLICE("b"), p->a, &value, DEADLINE_NONE, &p->e));
    assert_non_null(strstr(p->e.text, "began to write"));
    store_close(s);
}

static void who_reads_alone_beside_a_service_sees_what_it_writes(void **state)
{
    struct place *p = *state;
    struct store *server = open_store(p);

    put(server, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    struct store *s = read_alone(p);
    assert_row(s, TABLE_ADMINS, SLICE("a"), SLICE("x"));
    put(server, TABLE_ADMINS, SLICE("a"), SLICE("y"));
    assert_row(s, TABLE_ADMINS, SLICE("a"), SLICE("y"));
    store_close(s);
    store_close(server);
}

static void reading_alone_makes_no_database(void **state)
{
    struct place *p = *state;

    assert_null(store_sqlite_open_read(p->path, &STILL, &p->e));
    assert_int_equal(p->e.kind, ERR_NOT_FOUND);
    close(open(p->path, O_CREAT | O_WRONLY, 0600));
    assert_null(store_sqlite_open_read(p->path, &STILL, &p->e));
    assert_non_null(strstr(p->e.text, "no database"));
    assert_int_equal(mode_of(p->path, "-wal"), 0);
}

int main(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, begin_place, end_place)
    const struct CMUnitTest tests[] = {
        PLACED(files_are_for_the_owner_only),
        PLACED(the_parent_of_the_directory_must_exist),
        PLACED(the_file_has_our_settings),
        PLACED(rows_are_there_after_opening_again),
        PLACED(a_relative_path_stays_what_it_was),
        PLACED(a_newer_schema_is_refused),
        PLACED(a_file_of_another_program_is_refused_and_left_alone),
        PLACED(what_is_no_database_is_refused),
        PLACED(a_damaged_schema_is_told_at_start),
        PLACED(a_truncated_file_is_told_at_start),
        PLACED(a_damaged_row_is_an_error_and_not_an_absent_row),
        PLACED(a_read_only_file_is_refused),
        PLACED(a_second_process_may_use_the_file),
        PLACED(the_tables_of_the_reference_are_views),
        PLACED(questions_use_the_indexes),
        PLACED(who_reads_alone_leaves_no_trace_and_writes_nothing),
        PLACED(an_answer_from_a_file_that_changed_meanwhile_is_not_given),
        PLACED(who_reads_alone_beside_a_service_sees_what_it_writes),
        PLACED(reading_alone_makes_no_database),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
