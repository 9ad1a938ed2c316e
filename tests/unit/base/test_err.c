/* Errors: one printable line, a kind, context in front. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/err.h"

static void setting_replaces_and_returns_false(void **state UNUSED)
{
    struct err e = {.kind = ERR_RATE, .code = "old", .tell = true, .text = "old"};

    errno = EINTR;
    assert_false(err_set(&e, ERR_FORBIDDEN, "name %s is not allowed", "x"));
    assert_int_equal(errno, EINTR);
    assert_int_equal(e.kind, ERR_FORBIDDEN);
    assert_string_equal(e.text, "name x is not allowed");
    assert_null(e.code);
    assert_false(e.tell);
    assert_false(err_set(NULL, ERR_INTERNAL, "nobody listens"));
    /* its own text as an argument */
    err_set(&e, ERR_MALFORMED, "again: %s", e.text);
    assert_string_equal(e.text, "again: name x is not allowed");
}

static void control_characters_never_get_through(void **state UNUSED)
{
    struct err e = {0};

    err_set(&e, ERR_MALFORMED,
            "a\nb\x1b[31mc\x7f\xc2\x9b"
            "d \xc3\xa9");
    assert_string_equal(e.text, "a?b?[31mc???d \xc3\xa9");
    err_wrap(&e, "x\ty");
    assert_string_equal(e.text, "x?y: a?b?[31mc???d \xc3\xa9");
    /* no UTF-8: C1 as single bytes, a cut character, a surrogate; and what turns a line around */
    err_set(&e, ERR_MALFORMED, "%s",
            "\x8b\x9b"
            "a\xff \xe2\x82 \xed\xa0\x80 \xe2\x80\xae \xe2\x82\xac\xc3");
    assert_string_equal(e.text, "??a? ?? ??? ??? \xe2\x82\xac?");
}

static void wrapping_puts_context_in_front(void **state UNUSED)
{
    struct err e = {0};

    err_set(&e, ERR_NOT_FOUND, "inner");
    e.code = "gone";
    e.tell = true;
    assert_false(err_wrap(&e, "outer %d", 7));
    assert_string_equal(e.text, "outer 7: inner");
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_string_equal(e.code, "gone");
    assert_true(e.tell);
    assert_false(err_wrap(NULL, "x"));
    struct err empty = {0};
    err_wrap(&empty, "alone");
    assert_string_equal(empty.text, "alone");
}

static void long_text_is_cut_with_dots(void **state UNUSED)
{
    struct err e = {0};
    char text[2000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    err_set(&e, ERR_INTERNAL, "%s", text);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    assert_true(slice_ends(slice_text(e.text), "xxx..."));
    err_wrap(&e, "front");
    assert_true(slice_starts(slice_text(e.text), "front: xxx"));
    assert_true(slice_ends(slice_text(e.text), "x..."));
    /* never in the middle of a character */
    for (size_t pad = 0; pad < 4; pad++) {
        for (size_t i = pad; i + 1 < sizeof(text); i++)
            text[i] = "\xe2\x82\xac"[(i - pad) % 3];
        err_set(&e, ERR_INTERNAL, "%s", text);
        assert_true(slice_is_utf8(slice_text(e.text)));
        assert_true(slice_ends(slice_text(e.text), "..."));
        text[pad] = 'x';
    }
}

static void only_vague_kinds_are_classified(void **state UNUSED)
{
    for (unsigned k = 0; k < ERR_KINDS; k++) {
        struct err e = {.kind = (enum err_kind)k};
        bool vague = k == ERR_MALFORMED || k == ERR_INTERNAL;
        assert_false(err_classify(&e, ERR_UNAUTHORIZED));
        assert_int_equal(e.kind, vague ? ERR_UNAUTHORIZED : k);
    }
    assert_false(err_classify(NULL, ERR_RATE));
}

static void errno_becomes_kind_and_sentence(void **state UNUSED)
{
    static const struct {
        int value;
        enum err_kind kind;
        const char *text;
    } CASES[] = {
        {ENOENT, ERR_NOT_FOUND, "open /x failed: no such file or directory"},
        {EACCES, ERR_FORBIDDEN, "open /x failed: permission denied"},
        {EPERM, ERR_FORBIDDEN, "open /x failed: operation not permitted"},
        {EEXIST, ERR_EXISTS, "open /x failed: file exists"},
        {ENOSPC, ERR_INTERNAL, "open /x failed: no space left on device"},
    };
    struct err e = {0};

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_false(err_errno(&e, CASES[i].value, "open", "/x"));
        assert_int_equal(e.kind, CASES[i].kind);
        assert_string_equal(e.text, CASES[i].text);
    }
    err_errno(&e, ENOENT, "getcwd", NULL);
    assert_string_equal(e.text, "getcwd failed: no such file or directory");
    assert_false(err_errno(NULL, ENOENT, "a", "b"));
}

static void kinds_have_their_status(void **state UNUSED)
{
    static const int STATUS[ERR_KINDS] = {200, 400, 401, 403, 404, 409, 409,
                                          413, 429, 501, 503, 503, 500};

    for (unsigned k = 0; k < ERR_KINDS; k++) {
        assert_int_equal(err_status((enum err_kind)k), STATUS[k]);
        assert_int_equal(err_status(err_kind_of_status(STATUS[k])), STATUS[k]);
        assert_non_null(err_kind_name((enum err_kind)k));
    }
    assert_int_equal(err_kind_of_status(503), ERR_UNAVAILABLE);
    assert_int_equal(err_kind_of_status(409), ERR_EXISTS);
    assert_int_equal(err_kind_of_status(201), ERR_NONE);
    assert_int_equal(err_kind_of_status(418), ERR_MALFORMED);
    assert_int_equal(err_kind_of_status(502), ERR_UNAVAILABLE);
    assert_int_equal(err_kind_of_status(599), ERR_INTERNAL);
}

static void moving_and_clearing(void **state UNUSED)
{
    struct err a = {0}, b = {0};

    err_set(&a, ERR_RATE, "slow down");
    err_move(&b, &a);
    assert_int_equal(b.kind, ERR_RATE);
    assert_string_equal(b.text, "slow down");
    err_move(NULL, &a);
    err_move(&b, NULL);
    assert_int_equal(b.kind, ERR_RATE);
    err_clear(&b);
    assert_int_equal(b.kind, ERR_NONE);
    assert_string_equal(b.text, "");
    err_clear(NULL);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(setting_replaces_and_returns_false),
        cmocka_unit_test(control_characters_never_get_through),
        cmocka_unit_test(wrapping_puts_context_in_front),
        cmocka_unit_test(long_text_is_cut_with_dots),
        cmocka_unit_test(only_vague_kinds_are_classified),
        cmocka_unit_test(errno_becomes_kind_and_sentence),
        cmocka_unit_test(kinds_have_their_status),
        cmocka_unit_test(moving_and_clearing),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
