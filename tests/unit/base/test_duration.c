/* Durations: the grammar, its limits, the canonical text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/duration.h"

#define SEC  NS_PER_SEC
#define MIN  (60 * SEC)
#define HOUR (60 * MIN)

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

static void durations_read_and_print(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
        const char *printed;
    } CASES[] = {
        {"0", 0, "0s"},
        {"+0", 0, "0s"},
        {"-0", 0, "0s"},
        {"0s", 0, "0s"},
        {"1ns", 1, "1ns"},
        {"999ns", 999, "999ns"},
        {"1500ns", 1500, "1.5\xc2\xb5s"},
        {"1us", 1000, "1\xc2\xb5s"},
        {"1\xc2\xb5s", 1000, "1\xc2\xb5s"},
        {"1\xce\xbcs", 1000, "1\xc2\xb5s"},
        {"1.234567ms", 1234567, "1.234567ms"},
        {"300ms", 300000000, "300ms"},
        {"1s", SEC, "1s"},
        {"1.5s", SEC + SEC / 2, "1.5s"},
        {"1.000000001s", SEC + 1, "1.000000001s"},
        {"61s", 61 * SEC, "1m1s"},
        {"5m", 5 * MIN, "5m0s"},
        {"24h", 24 * HOUR, "24h0m0s"},
        {"24h0m0s", 24 * HOUR, "24h0m0s"},
        {"1h30m1.5s", 90 * MIN + SEC + SEC / 2, "1h30m1.5s"},
        {"30m1h", 90 * MIN, "1h30m0s"},
        {"720h", 720 * HOUR, "720h0m0s"},
        {"1m1m", 2 * MIN, "2m0s"},
        {"-1h30m", -90 * MIN, "-1h30m0s"},
        {"+1h", HOUR, "1h0m0s"},
        {"1.h", HOUR, "1h0m0s"},
        {".5h", 30 * MIN, "30m0s"},
        {"0.1ns", 0, "0s"},
        {"1.9ns", 1, "1ns"},
        {"0.0000000019s", 1, "1ns"},
        {"0.33333333333333333333333333333h", 1199999999999, "19m59.999999999s"},
        {"00001h", HOUR, "1h0m0s"},
        {"9223372036854775807ns", INT64_MAX, "2562047h47m16.854775807s"},
        {"-9223372036854775808ns", INT64_MIN, "-2562047h47m16.854775808s"},
        {"2562047h47m16.854775807s", INT64_MAX, "2562047h47m16.854775807s"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        int64_t ns = 1234;
        char out[DURATION_TEXT_MAX];
        struct err e = {0};
        if (!duration_read(slice_text(CASES[i].text), &ns, &e))
            fail_msg("%s", e.text);
        if (ns != CASES[i].ns)
            fail_msg("%s: %lld", CASES[i].text, (long long)ns);
        duration_put(out, ns);
        assert_string_equal(out, CASES[i].printed);
        assert_true(slice_is(duration_text(*state, ns), CASES[i].printed));
        assert_true(duration_read(slice_text(out), &ns, &e));
        assert_true(ns == CASES[i].ns);
    }
}

static void bad_durations_are_refused(void **state UNUSED)
{
    static const char *const BAD[] = {
        "",
        "+",
        "-",
        "+-1s",
        "--1s",
        "1",
        "10",
        "1.5",
        "00",
        ".",
        ".s",
        "1 s",
        " 1s",
        "1s ",
        "1d",
        "1w",
        "1y",
        "1S",
        "1H",
        "s",
        "1sm",
        "1h 30m",
        "1h30",
        "1h-30m",
        "1e3s",
        "1,5s",
        "0x1s",
        "1..5s",
        "1.5.5s",
        "\xc2\xb5s",
        "1\xc2s",
        "inf",
        "9223372036854775808ns",
        "-9223372036854775809ns",
        "2562047h47m16.854775808s",
        "2562048h",
        "9223372036854775807ns1ns",
        "99999999999999999999999999s",
        "9223372036854775807h",
        "1h9223372036854775807ns",
    };

    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct err e = {0};
        int64_t ns = 1234;
        if (duration_read(slice_text(BAD[i]), &ns, &e))
            fail_msg("accepted \"%s\"", BAD[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
        assert_int_equal(ns, 1234);
    }
    assert_false(duration_read(SLICE_NONE, &(int64_t){0}, NULL));
    assert_false(duration_read(SLICE("1s\0"), &(int64_t){0}, NULL));
}

static void time_or_duration_prefers_the_time(void **state UNUSED)
{
    struct instant base = {1000, 5};
    struct time_or_duration t;
    struct err e = {0};

    assert_true(time_or_duration_read(SLICE(""), &t, &e));
    assert_false(t.set);
    assert_int_equal(time_or_duration_from(&t, base).sec, 1000);

    assert_true(time_or_duration_read(SLICE("1970-01-01T00:00:09+00:00"), &t, &e));
    assert_true(t.set && !t.relative);
    assert_int_equal(time_or_duration_from(&t, base).sec, 9);

    assert_true(time_or_duration_read(SLICE("-5m"), &t, &e));
    assert_true(t.set && t.relative);
    assert_int_equal(time_or_duration_from(&t, base).sec, 700);
    assert_int_equal(time_or_duration_from(&t, base).nsec, 5);

    assert_false(time_or_duration_read(SLICE("tomorrow"), &t, &e));
    assert_false(t.set);
    assert_int_equal(e.kind, ERR_MALFORMED);
    assert_false(time_or_duration_read(SLICE("2026-02-03"), &t, NULL));
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(durations_read_and_print),
        cmocka_unit_test(bad_durations_are_refused),
        cmocka_unit_test(time_or_duration_prefers_the_time),
    };

    return cmocka_run_group_tests(TESTS, setup, teardown);
}
