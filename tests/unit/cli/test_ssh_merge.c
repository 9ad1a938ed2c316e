/* One file out of what a CA answers for several pairs of key and certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/ssh_config_files.h"

#include <cmocka.h> /* its fail() is a macro */

#define HOST(name) "\tHostCertificate /etc/ssh/" name "-cert.pub\n\tHostKey /etc/ssh/" name

static struct arena *A;

static int setup(void **state)
{
    (void)state;
    A = arena_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(A);
    return 0;
}

static void lines_that_differ_stand_one_after_the_other(void **state)
{
    static const struct {
        const char *answers[3], *expected;
    } CASES[] = {
        {{"same\n", "same\n", "same\n"}, "same\n"},
        {{"", "", ""}, ""},
        /* as the templates have it that are built in: no line feed at the end */
        {{"Match all\n\tTrustedUserCAKeys x\n" HOST("a"),
          "Match all\n\tTrustedUserCAKeys x\n" HOST("b"),
          "Match all\n\tTrustedUserCAKeys x\n" HOST("c")},
         "Match all\n\tTrustedUserCAKeys x\n" HOST("a") "\n" HOST("b") "\n" HOST("c")},
        /* what follows stays behind */
        {{"one\n" HOST("a") "\n\nMatch User x\n\tPermitTTY no\n",
          "one\n" HOST("b") "\n\nMatch User x\n\tPermitTTY no\n",
          "one\n" HOST("c") "\n\nMatch User x\n\tPermitTTY no\n"},
         "one\n" HOST("a") "\n" HOST("b") "\n" HOST("c") "\n\nMatch User x\n\tPermitTTY no\n"},
        /* two places, and a line of one answer in another's place */
        {{"k a\nx\nc a\n", "k b\nx\nc b\n", "k c\nx\nc a\n"}, "k a\nk b\nk c\nx\nc a\nc b\n"},
        {{"a\n", "b", "c\n"}, "a\nb\nc\n"},
        {{"a\nb\n", "b\na\n", "a\nb\n"}, "a\nb\na\n"},
        {{"", "a\n", "b"}, "a\nb\n"},
        {{"\n", "a", "\n\n"}, "\na\n\n"},
        {{"a\n\nb\n", "a\n\nc\n", "a\n\nb\n"}, "a\n\nb\nc\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice text = slice_text(CASES[i].answers[0]);
        struct err e = {0};
        for (size_t k = 1; k < 3; k++)
            if (!ssh_config_merge(A, &text, slice_text(CASES[i].answers[k]), &e))
                fail_msg("%zu: %s", i, e.text);
        if (!slice_is(text, CASES[i].expected))
            fail_msg("%zu: '%.*s' instead of '%s'", i, SLICE_ARG(text), CASES[i].expected);
    }
}

static void what_is_long_is_refused(void **state)
{
    struct buf b = buf_new(A, 1u << 20);
    struct err e = {0};

    (void)state;
    for (int i = 0; i < 5000; i++)
        buf_printf(&b, "%d\n", i);
    struct slice text = buf_slice(&b);
    assert_true(ssh_config_merge(A, &text, buf_slice(&b), NULL)); /* nothing to do */
    assert_false(ssh_config_merge(A, &text, SLICE("x\n"), &e));
    assert_int_equal(e.kind, ERR_TOO_LARGE);
    text = SLICE("x\n");
    assert_false(ssh_config_merge(A, &text, buf_slice(&b), NULL));
    /* both fit, the sum does not */
    struct slice whole = buf_slice(&b), one = slice_sub(whole, 0, 10000),
                 other = slice_from(whole, 10000);
    assert_false(ssh_config_merge(A, &one, slice_sub(other, 0, 13000), NULL));
}

static struct ca_ssh_file file(const char *path, const char *type, const char *content)
{
    return (struct ca_ssh_file){
        .path = slice_text(path), .type = slice_text(type), .content = slice_text(content)};
}

static void files_are_merged_by_what_they_are(void **state)
{
    struct ca_ssh_file files[] = {file("/a", "snippet", "1\n"), file("/b", "file", "1\n"),
                                  file("/c", "prepend-line", "1"), file("/d", "directory", "")};
    struct ca_ssh_file more[] = {file("/a", "snippet", "2\n"), file("/b", "file", "2\n"),
                                 file("/c", "prepend-line", "1"), file("/d", "directory", "")};
    struct err e = {0};

    (void)state;
    assert_true(ssh_config_merge_all(A, files, 4, more, 4, NULL));
    assert_true(slice_is(files[0].content, "1\n2\n") && slice_is(files[1].content, "1\n2\n"));
    more[2].content = SLICE("2");
    assert_false(ssh_config_merge_all(A, files, 4, more, 4, &e));
    assert_non_null(strstr(e.text, "/c"));
    assert_false(ssh_config_merge_all(A, files, 4, more, 3, NULL));
    more[0].path = SLICE("/x");
    assert_false(ssh_config_merge_all(A, files, 4, more, 4, &e));
    assert_int_equal(e.kind, ERR_CHANGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_that_differ_stand_one_after_the_other, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_long_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_merged_by_what_they_are, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
