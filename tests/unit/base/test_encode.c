/* Hexadecimal and base64: the vectors of RFC 4648, and texts that must not be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encode.h"

static int setup(void **state)
{
    *state = arena_new(&HEAP_USUAL);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static void hex_goes_both_ways(void **state)
{
    struct slice bytes;
    CLEANUP(buf_free) struct buf b = buf_new(NULL, 100);

    assert_true(slice_is(hex_text(*state, SLICE("\x00\x01\xab\xff")), "0001abff"));
    hex_put(&b, SLICE("\xde\xad"));
    assert_true(slice_is(buf_slice(&b), "dead"));
    assert_true(hex_read(*state, SLICE("0001aBfF"), &bytes));
    assert_true(slice_eq(bytes, SLICE("\x00\x01\xab\xff")));
    assert_true(hex_read(*state, SLICE(""), &bytes));
    assert_true(bytes.p && bytes.n == 0);
    assert_false(hex_read(*state, SLICE("abc"), &bytes));
    assert_false(hex_read(*state, SLICE("0g"), &bytes));
    assert_false(hex_read(*state, SLICE(" 0"), &bytes));
    assert_false(hex_read(*state, SLICE("0x"), &bytes));
}

static void base64_knows_the_vectors_of_rfc4648(void **state)
{
    static const struct {
        const char *bytes, *padded, *raw;
    } CASES[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    };
    static const enum base64_form FORMS[] = {BASE64_STD, BASE64_STD_RAW, BASE64_URL, BASE64_URL_RAW,
                                             BASE64_PEM};

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        for (size_t k = 0; k < COUNT_OF(FORMS); k++) {
            bool raw = FORMS[k] == BASE64_STD_RAW || FORMS[k] == BASE64_URL_RAW;
            const char *text = raw ? CASES[i].raw : CASES[i].padded;
            CLEANUP(buf_free) struct buf b = buf_new(NULL, 100);
            struct slice bytes;
            assert_true(slice_is(base64_text(*state, FORMS[k], slice_text(CASES[i].bytes)), text));
            base64_put(&b, FORMS[k], slice_text(CASES[i].bytes));
            assert_true(slice_is(buf_slice(&b), text));
            assert_true(base64_read(*state, FORMS[k], slice_text(text), &bytes));
            assert_true(slice_is(bytes, CASES[i].bytes));
        }
    }
}

static void the_alphabets_differ(void **state)
{
    struct slice bytes = SLICE("\xfb\xff\xfe"), out;

    assert_true(slice_is(base64_text(*state, BASE64_STD, bytes), "+//+"));
    assert_true(slice_is(base64_text(*state, BASE64_URL_RAW, bytes), "-__-"));
    assert_false(base64_read(*state, BASE64_STD, SLICE("-__-"), &out));
    assert_false(base64_read(*state, BASE64_URL_RAW, SLICE("+//+"), &out));
    assert_true(base64_read(*state, BASE64_URL, SLICE("-__-"), &out));
    assert_true(slice_eq(out, bytes));
}

static void every_byte_string_comes_back(void **state)
{
    uint8_t all[256];

    for (size_t i = 0; i < 256; i++)
        all[i] = (uint8_t)(255 - i);
    for (size_t n = 0; n <= 256; n++) {
        struct slice bytes;
        assert_true(base64_read(*state, BASE64_URL_RAW,
                                base64_text(*state, BASE64_URL_RAW, slice_of(all, n)), &bytes));
        assert_int_equal(bytes.n, n);
        assert_memory_equal(bytes.p, all, n);
    }
}

static void one_value_has_one_text(void **state)
{
    static const struct {
        enum base64_form form;
        const char *text;
    } BAD[] = {
        {BASE64_STD, "Zg"},        {BASE64_STD, "Zg="},       {BASE64_STD, "Zg==="},
        {BASE64_STD, "Zh=="}, /* spare bits */
        {BASE64_STD, "Zm9="},      {BASE64_STD, "Z==="},      {BASE64_STD, "===="},
        {BASE64_STD, "="},         {BASE64_STD, "Zg==Zg=="},  {BASE64_STD, "Z=g="},
        {BASE64_STD, "Zm9v\n"},    {BASE64_STD, "Zm 9v"},     {BASE64_STD, "Zm9v\xc3\xa4"},
        {BASE64_URL_RAW, "Zg=="},  {BASE64_URL_RAW, "Zh"},    {BASE64_URL_RAW, "Z"},
        {BASE64_URL_RAW, "Zm9vZ"}, {BASE64_URL_RAW, "Zm9v "}, {BASE64_URL_RAW, "Zm9v."},
        {BASE64_STD_RAW, "Zg=="},  {BASE64_PEM, "Zg"},        {BASE64_PEM, "Zh=="},
        {BASE64_PEM, "Zg=\v="},
    };
    struct slice bytes = SLICE("kept");

    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        if (base64_read(*state, BAD[i].form, slice_text(BAD[i].text), &bytes))
            fail_msg("accepted %s", BAD[i].text);
    assert_true(slice_is(bytes, "kept"));
    assert_false(base64_read(*state, BASE64_STD, SLICE("Zg\0="), &bytes));
}

static void pem_text_may_have_blanks(void **state)
{
    struct slice bytes;

    assert_true(base64_read(*state, BASE64_PEM, SLICE("Zm9v\r\n Y\tmE=\n"), &bytes));
    assert_true(slice_is(bytes, "fooba"));
}

static void a_small_buffer_takes_all_or_nothing(void **state UNUSED)
{
    CLEANUP(buf_free) struct buf b = buf_new(NULL, 7);

    base64_put(&b, BASE64_STD, SLICE("fooba"));
    assert_false(buf_ok(&b));
    assert_int_equal(b.n, 0);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(hex_goes_both_ways),
        cmocka_unit_test(base64_knows_the_vectors_of_rfc4648),
        cmocka_unit_test(the_alphabets_differ),
        cmocka_unit_test(every_byte_string_comes_back),
        cmocka_unit_test(one_value_has_one_text),
        cmocka_unit_test(pem_text_may_have_blanks),
        cmocka_unit_test(a_small_buffer_takes_all_or_nothing),
    };

    return cmocka_run_group_tests(TESTS, setup, teardown);
}
