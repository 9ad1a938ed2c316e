/*
 * Databases that Badger and bbolt wrote: their exact content, what is refused, and that nothing is
 * changed in them.
 */
#include "legacy_testing.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

/* --- Content ------------------------------------------------------------------------------- */

struct compare {
    struct arena *a;
    const struct json *tables; /* expected */
    const struct json *table, *row;
    struct slice last_table;
    size_t n_tables;
    bool any;
};

static const struct json *table_called(const struct json *tables, struct slice name)
{
    for (const struct json *t = tables->first; t; t = t->next) {
        if (slice_eq(t->name, name))
            return t;
    }
    return NULL;
}

static void end_table(struct compare *c)
{
    if (c->row)
        fail_msg("table %.*s: rows are missing", SLICE_ARG(c->table->name));
}

static bool compare_row(struct slice table, struct slice key, struct slice value, void *arg,
                        struct err *e UNUSED)
{
    struct compare *c = arg;
    struct arena_mark mark = arena_mark(c->a);

    if (!key.p) {
        end_table(c);
        if (c->any && slice_cmp(c->last_table, table) >= 0)
            fail_msg("tables are not sorted");
        c->any = true;
        c->last_table = arena_copy(c->a, table);
        c->table = table_called(c->tables, table);
        if (!c->table)
            fail_msg("table %.*s should not be there", SLICE_ARG(table));
        c->row = c->table->first;
        c->n_tables++;
        return true;
    }
    if (!c->row)
        fail_msg("table %.*s: one row too many", SLICE_ARG(table));
    if (!slice_eq(decoded(c->a, c->row, "k"), key))
        fail_msg("table %.*s: key %.*s is not expected here", SLICE_ARG(table), SLICE_ARG(key));
    if (!value_is(c->a, c->row, value))
        fail_msg("table %.*s: wrong value of %.*s", SLICE_ARG(table), SLICE_ARG(key));
    c->row = c->row->next;
    arena_rewind(c->a, mark);
    return true;
}

static void assert_content(struct sample *s, const char *name)
{
    struct compare c = {.a = s->a, .tables = sample_content(s, name)};
    struct legacy_place p = place_of(s, name);
    struct legacy *l = legacy_open(&p, &s->e);

    if (!l)
        fail_msg("%s: %s", name, s->e.text);
    for (int twice = 0; twice < 2; twice++) {
        c.n_tables = 0;
        c.any = false;
        if (!legacy_visit(l, compare_row, &c, &s->e))
            fail_msg("%s: %s", name, s->e.text);
        end_table(&c);
        c.row = NULL;
        if (c.n_tables != c.tables->n)
            fail_msg("%s: %zu tables, expected %zu", name, c.n_tables, c.tables->n);
    }
    legacy_close(l);
}

static void every_sample_gives_its_content(void **state UNUSED)
{
    static const struct {
        const char *name, *warning;
    } CASES[] = {
        {"badgerv1", NULL},
        {"badgerv2", NULL},
        {"bbolt", NULL},
        {"badgerv1-unclean", NULL},
        {"badgerv2-unclean", NULL},
        {"badgerv1-torn", "incomplete last transaction"},
        {"badgerv2-zerotail", "incomplete last transaction"},
        {"badgerv1-valuedir", NULL},
        {"badgerv2-valuedir", NULL},
        {"badgerv2-multi-none", NULL},
        {"badgerv2-multi-zstd", NULL},
        {"bbolt-multi", NULL},
        {"bbolt-badmeta", "meta page"},
        {"stepca-badgerv1", NULL},
        {"stepca-badgerv1-crash", NULL},
        {"stepca-badgerv2", NULL},
        {"stepca-bbolt", NULL},
        {"stepca-bbolt-crash", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct sample s;
        sample_open(&s, CASES[i].name);
        assert_content(&s, CASES[i].name);
        bool warned = CASES[i].warning && strstr(s.warnings, CASES[i].warning);
        if (CASES[i].warning ? !warned : s.warnings[0] != '\0')
            fail_msg("%s: warnings \"%s\"", CASES[i].name, s.warnings);
        sample_close(&s);
    }
}

/* --- Refusals ------------------------------------------------------------------------------ */

static bool ignore_row(struct slice table UNUSED, struct slice key UNUSED, struct slice value,
                       void *arg, struct err *e UNUSED)
{
    uint64_t *sum = arg;

    for (size_t i = 0; i < value.n; i++) /* every byte can be read */
        *sum += value.p[i];
    return true;
}

static bool reads(struct sample *s, const char *name)
{
    struct legacy_place p = place_of(s, name);
    struct legacy *l = legacy_open(&p, &s->e);
    uint64_t sum = 0;

    if (!l)
        return false;
    bool ok = legacy_visit(l, ignore_row, &sum, &s->e);
    legacy_close(l);
    return ok;
}

static void assert_not_read(struct sample *s, const char *name, const char *why)
{
    if (reads(s, name))
        fail_msg("%s was read, expected: %s", name, why);
    if (!strstr(s->e.text, why) || !strstr(s->e.text, s->dir))
        fail_msg("%s: \"%s\" does not say \"%s\" and the file", name, s->e.text, why);
}

static void an_encrypted_store_is_refused(void **state UNUSED)
{
    struct sample s;

    sample_open(&s, "badgerv2-encrypted");
    assert_not_read(&s, "badgerv2-encrypted", "encrypted");
    sample_close(&s);
}

/* Another process, since locks of one process do not meet here. */
static pid_t hold_lock(const char *path)
{
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(path, O_RDONLY);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void a_store_in_use_is_refused_and_a_stale_lock_file_is_not(void **state UNUSED)
{
    static const char *const NAMES[] = {"badgerv1", "badgerv2-unclean", "bbolt"};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        struct sample s;
        sample_open(&s, NAMES[i]);
        pid_t child = hold_lock(s.path);
        assert_not_read(&s, NAMES[i], "locked");
        assert_int_equal(s.e.kind, ERR_UNAVAILABLE);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        if (!is_bbolt(NAMES[i]))
            run_shell("echo 1 > %s/LOCK", s.path);
        assert_true(reads(&s, NAMES[i]));
        sample_close(&s);
    }
}

static void a_locked_value_directory_is_refused(void **state UNUSED)
{
    struct sample s;

    sample_open(&s, "badgerv1-valuedir");
    pid_t child = hold_lock(path_join(s.a, s.path, "value"));
    assert_not_read(&s, "badgerv1-valuedir", "locked");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    sample_close(&s);
}

static void damage_that_loses_rows_is_refused(void **state UNUSED)
{
    /* $P: the path. */
    static const struct {
        const char *name, *how, *why;
    } CASES[] = {
        {"badgerv1", "rm $P/000002.sst", "000002.sst"},
        {"badgerv1", "rm $P/000000.vlog", "value log"},
        {"badgerv1", "truncate -s -100 $P/000000.vlog", "000000.vlog"},
        {"badgerv1", "truncate -s 100 $P/MANIFEST && rm $P/MANIFEST", "MANIFEST"},
        {"badgerv1", "printf x | dd of=$P/000002.sst bs=1 seek=5000 conv=notrunc", "checksum"},
        {"badgerv2", "printf x | dd of=$P/000002.sst bs=1 seek=5000 conv=notrunc", "checksum"},
        {"badgerv2", "printf x | dd of=$P/MANIFEST bs=1 seek=20 conv=notrunc", "MANIFEST"},
        {"badgerv2", "printf '\\10' | dd of=$P/MANIFEST bs=1 seek=7 conv=notrunc", "version 8"},
        {"badgerv2", "touch $P/00001.mem", "v3"},
        {"badgerv2-multi-none", "rm $P/000003.vlog", "no value log"},
        {"badgerv1-unclean", "printf x | dd of=$P/000000.vlog bs=1 seek=370000 conv=notrunc",
         "others follow it"},
        {"badgerv2-unclean", "printf x | dd of=$P/000000.vlog bs=1 seek=350000 conv=notrunc",
         "000000.vlog"},
        {"badgerv1-unclean", "printf x | dd of=$P/000000.vlog bs=1 seek=393660 conv=notrunc",
         "is damaged"},
        {"stepca-badgerv1-crash", "printf x | dd of=$P/000000.vlog bs=1 seek=30 conv=notrunc",
         "others follow it"},
        {"bbolt", "truncate -s 100000 $P", "damaged"},
        {"bbolt", "truncate -s 0 $P", "not a bbolt database"},
        {"bbolt", "dd if=/dev/zero of=$P bs=4096 count=2 conv=notrunc", "both meta pages"},
        {"bbolt-multi", "dd if=/dev/zero of=$P bs=1024 seek=700 count=300 conv=notrunc", "damaged"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct sample s;
        sample_open(&s, CASES[i].name);
        setenv("P", s.path, 1);
        run_shell("(%s) 2>/dev/null", CASES[i].how);
        assert_not_read(&s, CASES[i].name, CASES[i].why);
        sample_close(&s);
    }
}

static void what_is_no_database_is_refused(void **state UNUSED)
{
    struct sample s;

    sample_open(&s, "bbolt");
    assert_false(legacy_exists(LEGACY_BADGER, s.dir));
    assert_true(legacy_exists(LEGACY_BBOLT, s.path));
    assert_false(legacy_exists(LEGACY_BBOLT, s.dir));
    snprintf(s.path, sizeof(s.path), "%s/nothing", s.dir);
    assert_false(legacy_exists(LEGACY_BADGER, s.path));
    assert_false(legacy_exists(LEGACY_BBOLT, s.path));
    assert_not_read(&s, "badgerv1", "nothing");
    assert_not_read(&s, "bbolt", "nothing");
    assert_int_equal(mkdir(s.path, 0700), 0);
    assert_not_read(&s, "badgerv1", "no MANIFEST");
    assert_int_equal(s.e.kind, ERR_NOT_FOUND);
    sample_close(&s);
}

/* --- What a crash leaves --------------------------------------------------------------------- */

static void any_torn_end_of_the_newest_log_is_left_out(void **state UNUSED)
{
    /* Everything of badgerv1-unclean behind its tables was written in the last 33813 bytes. */
    for (int cut = 1; cut < 33000; cut += 1777) {
        struct sample s;
        sample_open(&s, "badgerv1-unclean");
        run_shell("truncate -s -%d %s/000000.vlog", cut, s.path);
        if (!reads(&s, "badgerv1-unclean"))
            fail_msg("cut by %d: %s", cut, s.e.text);
        assert_non_null(strstr(s.warnings, "000000.vlog"));
        run_shell("truncate -s +100000 %s/000000.vlog", s.path);
        if (!reads(&s, "badgerv1-unclean"))
            fail_msg("cut by %d and zeros: %s", cut, s.e.text);
        sample_close(&s);
    }
}

static void zero_bytes_behind_a_whole_log_are_left_out(void **state UNUSED)
{
    struct sample s;

    sample_open(&s, "badgerv2-unclean");
    run_shell("truncate -s +100000 %s/000000.vlog", s.path);
    assert_content(&s, "badgerv2-unclean");
    assert_non_null(strstr(s.warnings, "zero bytes"));
    sample_close(&s);
}

/* --- Nothing changes, and nothing crashes ------------------------------------------------------
 */

static void reading_changes_nothing(void **state UNUSED)
{
    static const char *const NAMES[] = {"badgerv1-torn", "badgerv2-unclean", "bbolt-badmeta"};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        struct sample s;
        sample_open(&s, NAMES[i]);
        run_shell("cd %s && find . -type f -printf '%%p %%s %%T@\\n' -exec sha256sum {} + | sort "
                  "> /tmp/newel-before-%d",
                  s.dir, (int)getpid());
        assert_true(reads(&s, NAMES[i]));
        run_shell("cd %s && find . -type f -printf '%%p %%s %%T@\\n' -exec sha256sum {} + | sort | "
                  "cmp - /tmp/newel-before-%d && rm /tmp/newel-before-%d",
                  s.dir, (int)getpid(), (int)getpid());
        sample_close(&s);
    }
}

static void the_fingerprint_tells_states_apart(void **state UNUSED)
{
    static const char *const NAMES[] = {"badgerv1", "badgerv2-valuedir", "bbolt"};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        struct sample s;
        struct slice before, copy, after;
        sample_open(&s, NAMES[i]);
        struct legacy_place p = place_of(&s, NAMES[i]);
        assert_true(legacy_fingerprint(&p, s.a, &before, &s.e));
        assert_int_equal(before.n, 64);
        run_shell("touch %s", s.path);
        assert_true(legacy_fingerprint(&p, s.a, &copy, &s.e));
        assert_slice(copy, before);
        if (is_bbolt(NAMES[i])) /* a meta page less: another state */
            run_shell("dd if=/dev/zero of=%s bs=4096 count=1 conv=notrunc 2>/dev/null", s.path);
        else
            run_shell("find %s -name '*.vlog' -exec truncate -s +10 {} +", s.path);
        assert_true(legacy_fingerprint(&p, s.a, &after, &s.e));
        if (!is_bbolt(NAMES[i]))
            assert_false(slice_eq(before, after));
        sample_close(&s);
    }
}

/* A byte here and there: content or an error, never a crash.  Files are changed in place. */
static void flip(const char *path, long every)
{
    int fd = open(path, O_RDWR);
    struct stat st;

    if (fd < 0)
        return;
    assert_int_equal(fstat(fd, &st), 0);
    uint8_t byte;
    long at = every % (st.st_size + 1);
    if (pread(fd, &byte, 1, at) == 1) {
        byte ^= (uint8_t)(1 + every % 255);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
}

static void flipped_bytes_do_no_harm(void **state UNUSED)
{
    static const char *const NAMES[] = {"stepca-badgerv1", "stepca-badgerv2", "stepca-bbolt",
                                        "badgerv2-multi-zstd", "bbolt-multi"};
    static const char *const FILES[] = {
        "MANIFEST", "000000.vlog", "000003.vlog", "000004.sst", "000014.sst", "KEYREGISTRY", ""};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        struct sample s;
        sample_open(&s, NAMES[i]);
        run_shell("cp -r %s/%s %s/kept", s.dir, NAMES[i], s.dir);
        for (long n = 0; n < 60; n++) {
            const char *file = FILES[n % (long)COUNT_OF(FILES)];
            flip(is_bbolt(NAMES[i]) ? s.path : arena_printf(s.a, "%s/%s", s.path, file),
                 n * 9973 + 97);
            (void)!reads(&s, NAMES[i]);
            if (n % 3 == 2)
                run_shell("rm -rf %s/%s && cp -r %s/kept %s/%s", s.dir, NAMES[i], s.dir, s.dir,
                          NAMES[i]);
        }
        sample_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_gives_its_content),
        cmocka_unit_test(an_encrypted_store_is_refused),
        cmocka_unit_test(a_store_in_use_is_refused_and_a_stale_lock_file_is_not),
        cmocka_unit_test(a_locked_value_directory_is_refused),
        cmocka_unit_test(damage_that_loses_rows_is_refused),
        cmocka_unit_test(what_is_no_database_is_refused),
        cmocka_unit_test(any_torn_end_of_the_newest_log_is_left_out),
        cmocka_unit_test(zero_bytes_behind_a_whole_log_are_left_out),
        cmocka_unit_test(reading_changes_nothing),
        cmocka_unit_test(the_fingerprint_tells_states_apart),
        cmocka_unit_test(flipped_bytes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
