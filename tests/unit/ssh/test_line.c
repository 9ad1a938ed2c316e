/* Lines of .pub files, with all that may stand around the key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ssh/key.h"

#define KEY  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJp2bToENd9SwakisnQk5D6Xpit6mmqX1OUEF9dB1ga2"
#define KEY2 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJp2bToENd9SwakisnQk5D6Xpit6mmqX1OUEF9dB1ga3"

static void the_first_line_with_a_key_is_found(void **state)
{
    static const struct {
        const char *text, *comment;
    } CASES[] = {
        {KEY, ""},
        {KEY "\n", ""},
        {KEY " a comment  of words \n", "a comment  of words"},
        {KEY "\r\n", ""},
        {"  \t" KEY "\tc", "c"},
        {"\n\n# " KEY2 " no\n\n" KEY " yes\n" KEY2 " no\n", "yes"},
        {"nonsense\n" KEY " yes\n", "yes"},
        {"ssh-ed25519\n" KEY " yes\n", "yes"},
        {"ssh-ed25519 !!!!\n" KEY " yes\n", "yes"},
        {"ssh-rsa" KEY "\n" KEY " yes", "yes"},
        {"cert-authority " KEY " c", "c"},
        {"no-pty,command=\"echo \\\"hi there\\\"\",from=\"a b\" " KEY " c", "c"},
    };
    struct arena *a = arena_new(NULL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ssh_line line;
        struct err e = {0};
        if (!ssh_line_read(a, slice_text(CASES[i].text), &line, &e))
            fail_msg("%s: %s", CASES[i].text, e.text);
        assert_true(slice_is(line.type, "ssh-ed25519"));
        assert_int_equal(line.blob.p[line.blob.n - 1], 0xb6);
        if (!slice_is(line.comment, CASES[i].comment))
            fail_msg("%s", CASES[i].text);
    }
    arena_free(a);
}

static void text_without_a_key_is_refused(void **state)
{
    static const char *const CASES[] = {
        "",
        "\n",
        "#" KEY,
        "ssh-ed25519",
        "ssh-ed25519 ",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJp2bToENd9SwakisnQk5D6Xpit6mmqX1OUEF9dB1ga2",
        "a=\"open " KEY,
        "two words " KEY,
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    };
    struct arena *a = arena_new(NULL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ssh_line line;
        struct err e = {0};
        if (ssh_line_read(a, slice_text(CASES[i]), &line, &e))
            fail_msg("%s", CASES[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
    arena_free(a);
}

static void a_line_is_made_as_it_was_read(void **state)
{
    struct arena *a = arena_new(NULL);
    struct ssh_line line;

    (void)state;
    assert_true(ssh_line_read(a, SLICE(KEY " me"), &line, NULL));
    assert_true(slice_is(ssh_line_make(a, line.blob, line.comment), KEY " me\n"));
    assert_true(slice_is(ssh_line_make(a, line.blob, SLICE("")), KEY "\n"));
    assert_null(ssh_line_make(a, SLICE("abc"), SLICE("")).p);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_with_a_key_is_found),
        cmocka_unit_test(text_without_a_key_is_refused),
        cmocka_unit_test(a_line_is_made_as_it_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
