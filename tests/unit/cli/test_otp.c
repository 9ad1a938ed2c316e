/* One-time passwords: the vectors of RFC 6238 and RFC 4648, and URLs that authenticators read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/otp.h"

static void codes_are_those_of_rfc6238_appendix_b(void **state)
{
    static const struct slice SECRETS[] = {
        {(const uint8_t *)"12345678901234567890", 20},
        {(const uint8_t *)"12345678901234567890123456789012", 32},
        {(const uint8_t *)"1234567890123456789012345678901234567890123456789012345678901234", 64}};
    static const enum digest ALGS[] = {DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512};
    static const struct {
        uint64_t time;
        const char *codes[3];
    } CASES[] = {
        {59, {"94287082", "46119246", "90693936"}},
        {1111111109, {"07081804", "68084774", "25091201"}},
        {1111111111, {"14050471", "67062674", "99943326"}},
        {1234567890, {"89005924", "91819424", "93441116"}},
        {2000000000, {"69279037", "90698825", "38618901"}},
        {20000000000, {"65353130", "77737706", "47863826"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        for (size_t k = 0; k < COUNT_OF(ALGS); k++) {
            const struct otp o = {SECRETS[k], ALGS[k], 8, 30};
            char code[OTP_DIGITS_MAX + 1];
            otp_code(&o, CASES[i].time / o.period, code);
            assert_string_equal(code, CASES[i].codes[k]);
        }
    }
}

static void a_code_has_as_many_digits_as_asked(void **state)
{
    struct otp o = {SLICE("12345678901234567890"), DIGEST_SHA1, 1, 30};
    char code[OTP_DIGITS_MAX + 1];

    (void)state;
    for (o.digits = 1; o.digits <= OTP_DIGITS_MAX; o.digits++) {
        otp_code(&o, 1, code);
        assert_int_equal(strlen(code), o.digits);
    }
    assert_string_equal(code, "1094287082"); /* RFC 4226 appendix D, count 1, padded by nothing */
}

static void base32_is_that_of_rfc4648_section_10(void **state)
{
    static const char *const CASES[][2] = {{"", ""},
                                           {"f", "MY"},
                                           {"fo", "MZXQ"},
                                           {"foo", "MZXW6"},
                                           {"foob", "MZXW6YQ"},
                                           {"fooba", "MZXW6YTB"},
                                           {"foobar", "MZXW6YTBOI"}};
    static const char *const SAME[] = {"MZXW6YTBOI======", "mzxw6ytboi", " MZXW 6YTB OI\n",
                                       "mzxw-6ytb-oi"};
    static const char *const BAD[] = {"M", "MZX", "MZXW6Y", "MZXW1", "MZXW8", "M=ZXW6", "MZXW6YT!"};
    struct arena *a = arena_new(&HEAP_USUAL);
    struct slice bytes;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_true(slice_is(base32_text(a, slice_text(CASES[i][0])), CASES[i][1]));
        assert_true(base32_read(a, slice_text(CASES[i][1]), &bytes));
        assert_true(slice_is(bytes, CASES[i][0]));
    }
    for (size_t i = 0; i < COUNT_OF(SAME); i++) {
        assert_true(base32_read(a, slice_text(SAME[i]), &bytes));
        assert_true(slice_is(bytes, "foobar"));
    }
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        if (base32_read(a, slice_text(BAD[i]), &bytes))
            fail_msg("%s was read", BAD[i]);
    }
    arena_free(a);
}

static void urls_carry_everything(void **state)
{
    const struct otp o = {SLICE("12345678901234567890"), DIGEST_SHA256, 8, 60};
    struct otp back = {.alg = DIGEST_SHA1, .digits = 6, .period = 30};
    struct arena *a = arena_new(&HEAP_USUAL);
    struct err e = {0};

    (void)state;
    struct slice url = otp_url(a, &o, "Some CA&Co", "a@b.test");
    assert_true(slice_is(url, "otpauth://totp/Some%20CA%26Co:a@b.test?algorithm=SHA256&digits=8&"
                              "issuer=Some%20CA%26Co&period=60&"
                              "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"));
    assert_true(otp_url_read(a, url, &back, &e));
    assert_true(slice_eq(back.secret, o.secret));
    assert_int_equal(back.alg, DIGEST_SHA256);
    assert_int_equal(back.digits, 8);
    assert_int_equal(back.period, 60);
    arena_free(a);
}

static void what_a_url_leaves_out_stays(void **state)
{
    struct otp o = {.alg = DIGEST_SHA512, .digits = 7, .period = 31};
    struct arena *a = arena_new(&HEAP_USUAL);
    struct err e = {0};

    (void)state;
    assert_true(otp_url_read(a, SLICE("otpauth://totp/x?secret=MZXW6\n"), &o, &e));
    assert_true(slice_is(o.secret, "foo"));
    assert_int_equal(o.alg, DIGEST_SHA512);
    assert_int_equal(o.digits, 7);
    assert_int_equal(o.period, 31);
    arena_free(a);
}

static void bad_urls_are_refused(void **state)
{
    static const char *const CASES[] = {
        "",
        "otpauth:",
        "otpauth://hotp/x?secret=MZXW6&counter=1",
        "https://totp/x?secret=MZXW6",
        "otpauth://totp/x",
        "otpauth://totp/x?secret=",
        "otpauth://totp/x?secret=1",
        "otpauth://totp/x?secret=MZXW6&algorithm=MD5",
        "otpauth://totp/x?secret=MZXW6&digits=0",
        "otpauth://totp/x?secret=MZXW6&digits=11",
        "otpauth://totp/x?secret=MZXW6&digits=x",
        "otpauth://totp/x?secret=MZXW6&period=0",
        "otpauth://totp/x?secret=MZXW6&period=99999999999999999999",
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct otp o = {.alg = DIGEST_SHA1, .digits = 6, .period = 30};
        struct err e = {0};
        if (otp_url_read(a, slice_text(CASES[i]), &o, &e))
            fail_msg("%s was read", CASES[i]);
        assert_true(strstr(e.text, "otpauth URL"));
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_rfc6238_appendix_b),
        cmocka_unit_test(a_code_has_as_many_digits_as_asked),
        cmocka_unit_test(base32_is_that_of_rfc4648_section_10),
        cmocka_unit_test(urls_carry_everything),
        cmocka_unit_test(what_a_url_leaves_out_stays),
        cmocka_unit_test(bad_urls_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
