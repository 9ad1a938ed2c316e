/* STEPPATH and contexts; what this build says of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/steppath.h"
#include "base/version.h"

static int setup(void **state)
{
    *state = arena_new(&HEAP_USUAL);
    setenv("HOME", "/home/me/", 1);
    unsetenv("STEPPATH");
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static void the_base_comes_from_the_environment(void **state)
{
    static const struct {
        const char *home, *steppath, *base;
    } CASES[] = {
        {"/home/me/", NULL, "/home/me/.step"},
        {"/home/me", "", "/home/me/.step"},
        {"/home/me", "/etc//step/./x/..", "/etc/step"},
        {"/", NULL, "/.step"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct steppath sp;
        struct err e = {0};
        setenv("HOME", CASES[i].home, 1);
        if (CASES[i].steppath)
            setenv("STEPPATH", CASES[i].steppath, 1);
        else
            unsetenv("STEPPATH");
        assert_true(steppath_base(*state, &sp, &e));
        assert_string_equal(sp.base, CASES[i].base);
        assert_string_equal(sp.path, CASES[i].base);
        assert_string_equal(sp.profile_path, CASES[i].base);
        assert_null(sp.context);
    }
}

static void without_home_the_passwd_entry_counts(void **state)
{
    struct steppath sp;
    struct err e = {0};

    unsetenv("HOME");
    if (!steppath_base(*state, &sp, &e)) {
        assert_int_equal(e.kind, ERR_INTERNAL); /* a user without an entry */
        return;
    }
    assert_int_equal(sp.home[0], '/');
    assert_string_equal(sp.base, path_join(*state, sp.home, ".step"));
}

static void a_context_has_its_own_directories(void **state)
{
    struct steppath sp;
    struct err e = {0};

    assert_true(steppath_base(*state, &sp, &e));
    assert_true(steppath_select(*state, &sp, "work", "ca.example.com", "me", &e));
    assert_string_equal(sp.context, "work");
    assert_string_equal(sp.path, "/home/me/.step/authorities/ca.example.com");
    assert_string_equal(sp.profile_path, "/home/me/.step/profiles/me");
    assert_string_equal(sp.base, "/home/me/.step");
    assert_true(steppath_select(*state, &sp, NULL, NULL, NULL, &e));
    assert_string_equal(sp.path, "/home/me/.step");
    assert_null(sp.context);
}

static void names_cannot_lead_elsewhere(void **state)
{
    static const char *const BAD[] = {"", ".", "..", "a/b", "/", "../x"};
    struct steppath sp;
    struct err e = {0};

    assert_true(steppath_base(*state, &sp, &e));
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_false(steppath_component(slice_text(BAD[i])));
        assert_false(steppath_select(*state, &sp, BAD[i], "a", "p", &e));
        assert_false(steppath_select(*state, &sp, "c", BAD[i], "p", &e));
        assert_false(steppath_select(*state, &sp, "c", "a", BAD[i], &e));
        assert_int_equal(e.kind, ERR_MALFORMED);
        assert_string_equal(sp.path, "/home/me/.step");
    }
    assert_false(steppath_component(SLICE("a\0b")));
    assert_false(steppath_component(SLICE_NONE));
    assert_true(steppath_component(SLICE("...")));
    assert_true(steppath_component(SLICE("a b")));
}

static void step_paths_become_absolute(void **state)
{
    struct steppath sp;
    char here[4096];

    assert_true(steppath_base(*state, &sp, NULL));
    assert_true(steppath_select(*state, &sp, "c", "a", "p", NULL));
    assert_non_null(getcwd(here, sizeof(here)));
    assert_string_equal(steppath_abs(*state, &sp, "/x//y"), "/x/y");
    assert_string_equal(steppath_abs(*state, &sp, "~/x"), "/home/me/x");
    assert_string_equal(steppath_abs(*state, &sp, "./x"), path_join(*state, here, "x"));
    assert_string_equal(steppath_abs(*state, &sp, "../x"), path_join(*state, here, "../x"));
    assert_string_equal(steppath_abs(*state, &sp, "templates/leaf.tpl"),
                        "/home/me/.step/authorities/a/templates/leaf.tpl");
    assert_string_equal(steppath_abs(*state, &sp, "~x"), "/home/me/.step/authorities/a/~x");
    assert_string_equal(steppath_abs(*state, &sp, ".x"), "/home/me/.step/authorities/a/.x");
}

static void the_version_splits_at_slash_and_blank(void **state)
{
    char *line = version_line(*state, "Newel CA"), *date = version_date(*state);
    struct slice s = slice_text(line);

    assert_true(slice_starts(s, "Newel CA/" NEWEL_VERSION " ("));
    assert_true(slice_ends(s, ")"));
    assert_true(slice_search(s, SLICE("unknown")) == s.n);
#if defined(__linux__) && defined(__x86_64__)
    assert_true(slice_ends(s, " (linux/amd64)"));
#endif
    assert_true(slice_starts(slice_text(date), "Release Date: "));
    assert_true(slice_ends(slice_text(date), " UTC"));
    assert_int_equal(strlen(date), strlen("Release Date: 2026-11-24 10:20 UTC"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        TEST(the_base_comes_from_the_environment), TEST(without_home_the_passwd_entry_counts),
        TEST(a_context_has_its_own_directories),   TEST(names_cannot_lead_elsewhere),
        TEST(step_paths_become_absolute),          TEST(the_version_splits_at_slash_and_blank),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
