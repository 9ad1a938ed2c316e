/* Slices: comparing, searching, cutting, and the two texts that are read from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slice.h"

#define S SLICE

static void comparing_is_bytewise_and_absent_equals_empty(void **state UNUSED)
{
    assert_true(slice_eq(S("abc"), S("abc")));
    assert_false(slice_eq(S("abc"), S("abd")));
    assert_false(slice_eq(S("abc"), S("ab")));
    assert_true(slice_eq(SLICE_NONE, S("")));
    assert_true(slice_is(SLICE_NONE, ""));
    assert_true(slice_is(S("a\0b"), "a\0b") == false); /* a C text ends at the NUL */
    assert_true(slice_eq(S("a\0b"), S("a\0b")));
    assert_true(slice_cmp(S("a"), S("b")) < 0);
    assert_true(slice_cmp(S("ab"), S("a")) > 0);
    assert_true(slice_cmp(S("\xff"), S("a")) > 0);
    assert_int_equal(slice_cmp(SLICE_NONE, S("")), 0);
}

static void case_is_ignored_for_ascii_letters_only(void **state UNUSED)
{
    assert_true(slice_is_case(S("CoNtEnT-Type"), "content-tYPE"));
    assert_false(slice_is_case(S("["), "{")); /* differ by 0x20 like letters do */
    assert_false(slice_is_case(S("@"), "`"));
    assert_false(slice_is_case(S("\xc3\x84"), "\xc3\xa4"));
    assert_false(slice_is_case(S("a"), "ab"));
}

static void prefixes_and_suffixes(void **state UNUSED)
{
    assert_true(slice_starts(S("abc"), "ab"));
    assert_false(slice_starts(S("a"), "ab"));
    assert_true(slice_starts(SLICE_NONE, ""));
    assert_true(slice_ends(S("abc"), "bc"));
    assert_false(slice_ends(S("c"), "bc"));
    assert_true(slice_ends(SLICE_NONE, ""));
}

static void finding_gives_the_length_when_there_is_nothing(void **state UNUSED)
{
    assert_int_equal(slice_find(S("a.b.c"), '.'), 1);
    assert_int_equal(slice_rfind(S("a.b.c"), '.'), 3);
    assert_int_equal(slice_find(S("abc"), '.'), 3);
    assert_int_equal(slice_rfind(S("abc"), '.'), 3);
    assert_int_equal(slice_find(SLICE_NONE, '.'), 0);
    assert_int_equal(slice_search(S("hello world"), S("o w")), 4);
    assert_int_equal(slice_search(S("hello"), S("xyz")), 5);
    assert_int_equal(slice_search(S("he"), S("hello")), 2);
    assert_int_equal(slice_search(S("he"), S("")), 0);
}

static void cutting_never_leaves_the_text(void **state UNUSED)
{
    assert_true(slice_is(slice_sub(S("hello"), 1, 3), "ell"));
    assert_true(slice_is(slice_sub(S("hello"), 3, 99), "lo"));
    assert_true(slice_is(slice_sub(S("hello"), 3, SIZE_MAX), "lo"));
    struct slice end = slice_from(S("hello"), 99);
    assert_non_null(end.p);
    assert_int_equal(end.n, 0);
    assert_null(slice_from(SLICE_NONE, 3).p);
}

static void trimming(void **state UNUSED)
{
    static const struct {
        const char *in, *both, *end;
    } CASES[] = {
        {"", "", ""},
        {" \t\r\n\v\f", "", ""},
        {"  a b \n", "a b", "  a b"},
        {"pw\xc2\xa0", "pw\xc2\xa0", "pw"},   /* U+00A0 */
        {"pw\xc2\x85\n", "pw\xc2\x85", "pw"}, /* U+0085 */
        {"pw\xe2\x80\x89 \xe3\x80\x80", "pw\xe2\x80\x89 \xe3\x80\x80", "pw"},
        {"pw\xe1\x9a\x80\xe2\x80\xa8\xe2\x81\x9f", "pw\xe1\x9a\x80\xe2\x80\xa8\xe2\x81\x9f", "pw"},
        {"pw\xe2\x80\x8b", "pw\xe2\x80\x8b", "pw\xe2\x80\x8b"}, /* U+200B is no white space */
        {"pw\xc3\xa0", "pw\xc3\xa0", "pw\xc3\xa0"},
        {"\xa0", "\xa0", "\xa0"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_true(slice_is(slice_trim(slice_text(CASES[i].in)), CASES[i].both));
        assert_true(slice_is(slice_trim_end_unicode(slice_text(CASES[i].in)), CASES[i].end));
    }
}

static void splitting_yields_every_part(void **state UNUSED)
{
    static const struct {
        const char *in;
        const char *parts[5];
    } CASES[] = {
        {"a,b", {"a", "b"}}, {"a,", {"a", ""}}, {",", {"", ""}},
        {"", {""}},          {"abc", {"abc"}},  {"a,,b", {"a", "", "b"}},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice rest = slice_text(CASES[i].in), part;
        size_t n = 0;
        for (; slice_split(&rest, ',', &part); n++) {
            assert_non_null(CASES[i].parts[n]);
            assert_true(slice_is(part, CASES[i].parts[n]));
        }
        assert_null(CASES[i].parts[n]);
    }
    struct slice none = SLICE_NONE, part;
    assert_false(slice_split(&none, ',', &part));
}

static void utf8_is_checked_strictly(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool valid;
    } CASES[] = {
        {"", true},
        {"plain", true},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true},
        {"\xed\x9f\xbf\xee\x80\x80", true}, /* U+D7FF U+E000 */
        {"\xf4\x8f\xbf\xbf", true},         /* U+10FFFF */
        {"\xf4\x90\x80\x80", false},
        {"\xed\xa0\x80", false}, /* a surrogate */
        {"\xc0\x80", false},     /* overlong */
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\x80", false},
        {"\xc3", false},
        {"\xe2\x82", false},
        {"\xe2\x82x", false},
        {"\xf5\x80\x80\x80", false},
        {"a\xff", false},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        assert_int_equal(slice_is_utf8(slice_text(CASES[i].text)), CASES[i].valid);
    assert_true(slice_has_nul(S("a\0b")));
    assert_false(slice_has_nul(S("ab")));
}

static void numbers_are_digits_that_fit(void **state UNUSED)
{
    static const char *const BAD[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "0x1",
                                      "1.0",
                                      "18446744073709551616",
                                      "99999999999999999999999"};
    uint64_t v = 7;

    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_false(slice_to_u64(slice_text(BAD[i]), &v));
    assert_int_equal(v, 7);
    assert_true(slice_to_u64(S("18446744073709551615"), &v));
    assert_true(v == UINT64_MAX);
    assert_true(slice_to_u64(S("007"), &v));
    assert_int_equal(v, 7);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(comparing_is_bytewise_and_absent_equals_empty),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_only),
        cmocka_unit_test(prefixes_and_suffixes),
        cmocka_unit_test(finding_gives_the_length_when_there_is_nothing),
        cmocka_unit_test(cutting_never_leaves_the_text),
        cmocka_unit_test(trimming),
        cmocka_unit_test(splitting_yields_every_part),
        cmocka_unit_test(utf8_is_checked_strictly),
        cmocka_unit_test(numbers_are_digits_that_fit),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
