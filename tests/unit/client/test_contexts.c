/* contexts.json, current-context.json and defaults.json. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "client/contexts.h"

static char dir[64];
static struct arena *a;
static struct steppath sp;
static struct contexts c;
static struct err e;

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/newel-contexts-XXXXXX");
    a = arena_new(&HEAP_USUAL);
    e = (struct err){0};
    umask(022);
    return mkdtemp(dir) && setenv("STEPPATH", dir, 1) == 0 && steppath_base(a, &sp, &e) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    arena_free(a);
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
    return path_join(a, dir, name);
}

static void put(const char *name, const char *text)
{
    assert_true(dir_make(path_dir(a, path_of(name)), 0700, &e));
    assert_true(file_write(path_of(name), slice_text(text), 0600, 0, &e));
}

static struct slice get(const char *name)
{
    struct slice text = SLICE("");

    assert_true(file_read(a, path_of(name), false, 1u << 20, &text, &e));
    return text;
}

static unsigned mode_of(const char *name)
{
    struct stat st;

    return stat(path_of(name), &st) == 0 ? st.st_mode & 0777 : 0;
}

#define TWO                                                                                        \
    "{\"b\": {\"profile\": \"pb\", \"authority\": \"ab\"}, \"a\": {\"Profile\": \"pa\", "          \
    "\"authority\": \"aa\"}}"

static void missing_files_mean_no_contexts(void **state)
{
    (void)state;
    assert_true(contexts_load(a, &sp, &c, &e));
    assert_int_equal(c.n, 0);
    assert_false(c.enabled);
    assert_int_equal(e.kind, ERR_NONE);
}

static void entries_are_sorted_and_found_exactly(void **state)
{
    (void)state;
    put("contexts.json", TWO);
    put("current-context.json", "{\"context\":\"b\"}");
    assert_true(contexts_load(a, &sp, &c, &e));
    assert_int_equal(c.n, 2);
    assert_true(c.enabled);
    assert_true(slice_is(c.v[0].name, "a"));
    assert_true(slice_is(c.v[0].profile, "pa"));
    assert_true(slice_is(c.current, "b"));
    assert_null(contexts_find(&c, SLICE("A")));
    assert_true(slice_is(contexts_find(&c, SLICE("b"))->authority, "ab"));
}

static void malformed_files_are_errors_that_name_them(void **state)
{
    static const struct {
        const char *file, *text, *message;
    } CASES[] = {
        {"contexts.json", "", "contexts.json: "},
        {"contexts.json", "[]", "contexts.json: expected a JSON object"},
        {"contexts.json", "{\"x\": 1}", "context 'x': \"profile\" must be"},
        {"contexts.json", "{\"x\": {\"profile\": \"p\"}}", "context 'x': \"authority\" must be"},
        {"contexts.json", "{\"x\": {\"profile\": \"\", \"authority\": \"a\"}}",
         "context 'x': \"profile\" must be"},
        {"contexts.json", "{\"x\": {\"profile\": \"p\", \"authority\": \"../a\"}}",
         "context 'x': \"authority\" must be"},
        {"contexts.json", "{\"x\": {\"profile\": \"p\", \"authority\": [\"a\"]}}",
         "context 'x': \"authority\" must be"},
        {"contexts.json", "{\"\": {\"profile\": \"p\", \"authority\": \"a\"}}",
         "cannot be the name of a context"},
        {"contexts.json", "{} x", "contexts.json: "},
        {"current-context.json", "{\"context\": 1}", "\"context\" must be a text"},
        {"current-context.json", "{\"context\": \"z\"}", "'z' is not in contexts.json"},
        {"current-context.json", "b", "current-context.json: "},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        put("contexts.json", TWO);
        put("current-context.json", "{\"context\":\"b\"}");
        put(CASES[i].file, CASES[i].text);
        err_clear(&e);
        assert_false(contexts_load(a, &sp, &c, &e));
        if (!strstr(e.text, CASES[i].message) || !strstr(e.text, CASES[i].file))
            fail_msg("case %zu: %s", i, e.text);
    }
}

static void nothing_selected_is_fine(void **state)
{
    static const char *const TEXTS[] = {"{}", "{\"context\": \"\"}", "{\"context\": null}"};

    (void)state;
    put("contexts.json", TWO);
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        put("current-context.json", TEXTS[i]);
        assert_true(contexts_load(a, &sp, &c, &e));
        assert_true(slice_empty(c.current));
        assert_true(c.enabled);
    }
}

static void put_writes_what_load_reads(void **state)
{
    struct context one = {SLICE("m"), SLICE("p<"), SLICE("a")};
    struct context two = {SLICE("b"), SLICE("p2"), SLICE("a2")};
    struct context bad = {SLICE("b"), SLICE("p/2"), SLICE("a2")};

    (void)state;
    assert_true(contexts_load(a, &sp, &c, &e));
    assert_true(contexts_put(a, &sp, &c, &one, &e));
    assert_true(contexts_put(a, &sp, &c, &two, &e));
    assert_false(contexts_put(a, &sp, &c, &bad, &e));
    one.authority = SLICE("new");
    assert_true(contexts_put(a, &sp, &c, &one, &e));
    assert_true(slice_is(get("contexts.json"), "{\n"
                                               "    \"b\": {\n"
                                               "        \"profile\": \"p2\",\n"
                                               "        \"authority\": \"a2\"\n"
                                               "    },\n"
                                               "    \"m\": {\n"
                                               "        \"profile\": \"p\\u003c\",\n"
                                               "        \"authority\": \"new\"\n"
                                               "    }\n"
                                               "}"));
    assert_int_equal(mode_of("contexts.json"), 0600);
    assert_true(contexts_load(a, &sp, &c, &e));
    assert_int_equal(c.n, 2);
    assert_true(slice_is(c.v[1].profile, "p<"));
    assert_true(contexts_remove(a, &sp, &c, SLICE("b"), &e));
    assert_false(contexts_remove(a, &sp, &c, SLICE("b"), &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_true(contexts_load(a, &sp, &c, &e));
    assert_int_equal(c.n, 1);
}

static void select_leads_steppath(void **state)
{
    (void)state;
    put("contexts.json", TWO);
    assert_true(steppath_load(a, NULL, &sp, &c, &e));
    assert_null(sp.context);
    assert_string_equal(sp.path, dir);
    assert_false(contexts_select(a, &sp, &c, SLICE("z"), &e));
    assert_true(contexts_select(a, &sp, &c, SLICE("a"), &e));
    assert_true(slice_is(get("current-context.json"), "{\"context\":\"a\"}"));
    assert_int_equal(mode_of("current-context.json"), 0644);
    assert_true(steppath_load(a, NULL, &sp, &c, &e));
    assert_string_equal(sp.context, "a");
    assert_string_equal(sp.path, path_of("authorities/aa"));
    assert_string_equal(sp.profile_path, path_of("profiles/pa"));
    assert_true(steppath_load(a, "b", &sp, &c, &e));
    assert_string_equal(sp.path, path_of("authorities/ab"));
    assert_false(steppath_load(a, "z", &sp, &c, &e));
    assert_string_equal(e.text, "context 'z' not found");
}

static void profile_overlays_authority(void **state)
{
    struct json *d;

    (void)state;
    put("contexts.json", TWO);
    put("config/defaults.json", "{\"x\": \"base\"}");
    assert_true(steppath_load(a, NULL, &sp, &c, &e));
    assert_true(defaults_load(a, &sp, NULL, &d, &e));
    assert_true(slice_is(json_text(json_get(d, "x")), "base"));
    assert_true(steppath_load(a, "a", &sp, &c, &e));
    assert_true(defaults_load(a, &sp, NULL, &d, &e));
    assert_int_equal(d->n, 0);
    put("authorities/aa/config/defaults.json", "{\"x\": \"authority\", \"y\": 10}");
    put("profiles/pa/config/defaults.json", "{\"x\": \"profile\", \"X\": true}");
    assert_true(defaults_load(a, &sp, NULL, &d, &e));
    assert_int_equal(d->n, 3);
    assert_true(slice_is(json_text(json_get_exact(d, "x")), "profile"));
    assert_true(slice_is(json_get_exact(d, "y")->text, "10"));
    assert_true(json_get_exact(d, "X")->truth);
    put("profiles/pa/config/defaults.json", "[1]");
    assert_false(defaults_load(a, &sp, NULL, &d, &e));
    assert_non_null(strstr(e.text, "profiles/pa/config/defaults.json: expected a JSON object"));
    assert_true(defaults_load(a, &sp, path_of("config/defaults.json"), &d, &e));
    assert_false(defaults_load(a, &sp, path_of("none.json"), &d, &e));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(missing_files_mean_no_contexts),
        TEST(entries_are_sorted_and_found_exactly),
        TEST(malformed_files_are_errors_that_name_them),
        TEST(nothing_selected_is_fine),
        TEST(put_writes_what_load_reads),
        TEST(select_leads_steppath),
        TEST(profile_overlays_authority),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
