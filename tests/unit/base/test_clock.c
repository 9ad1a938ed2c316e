/* Instants, civil time, RFC 3339 and RFC 9110 texts, deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

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

static void rfc3339_reads_what_it_should(void **state)
{
    static const struct {
        const char *text;
        int64_t sec;
        uint32_t nsec;
        const char *printed; /* with nanoseconds */
    } CASES[] = {
        {"1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"},
        {"2026-02-03T10:20:30Z", 1770114030, 0, "2026-02-03T10:20:30Z"},
        {"0001-01-01T00:00:00Z", -62135596800, 0, "0001-01-01T00:00:00Z"},
        {"9999-12-31T23:59:59.999999999Z", 253402300799, 999999999,
         "9999-12-31T23:59:59.999999999Z"},
        /* the examples of RFC 3339 5.8 */
        {"1985-04-12T23:20:50.52Z", 482196050, 520000000, "1985-04-12T23:20:50.52Z"},
        {"1996-12-19T16:39:57-08:00", 851042397, 0, "1996-12-20T00:39:57Z"},
        {"1937-01-01T12:00:27.87+00:20", -1041337173, 870000000, "1937-01-01T11:40:27.87Z"},
        {"2024-05-01T10:20:30.120004Z", 1714558830, 120004000, "2024-05-01T10:20:30.120004Z"},
        {"2024-02-29T00:00:00+23:59", 1709078460, 0, "2024-02-28T00:01:00Z"},
        {"2000-02-29T12:00:00-00:00", 951825600, 0, "2000-02-29T12:00:00Z"},
        {"1969-12-31T23:59:59.000000001Z", -1, 1, "1969-12-31T23:59:59.000000001Z"},
        {"2024-05-01T10:20:30.1234567899999Z", 1714558830, 123456789,
         "2024-05-01T10:20:30.123456789Z"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct instant t = {7, 7};
        assert_true(rfc3339_read(slice_text(CASES[i].text), &t));
        assert_int_equal(t.sec, CASES[i].sec);
        assert_int_equal(t.nsec, CASES[i].nsec);
        assert_string_equal((const char *)rfc3339_nano(*state, t).p, CASES[i].printed);
    }
    struct instant zero;
    assert_true(rfc3339_read(SLICE("0001-01-01T00:00:00Z"), &zero));
    assert_true(instant_is_zero(zero));
    assert_true(instant_cmp(zero, INSTANT_ZERO_GO) == 0);
    assert_string_equal((const char *)rfc3339(*state, (struct instant){1, 5}).p,
                        "1970-01-01T00:00:01Z");
}

static void rfc3339_refuses_the_rest(void **state UNUSED)
{
    static const char *const BAD[] = {
        "",
        "2026-02-03",
        "2026-02-03T10:20:30",  /* no zone */
        "2026-02-03t10:20:30Z", /* lower case */
        "2026-02-03T10:20:30z",
        "2026-02-03 10:20:30Z",
        "2026-02-03T10:20Z",
        "2026-02-03T10:20:30.Z",
        "2026-02-03T10:20:30,5Z",
        "2026-02-03T10:20:30Z ",
        " 2026-02-03T10:20:30Z",
        "2026-2-3T10:20:30Z",
        "2026-02-30T10:20:30Z",
        "2025-02-29T10:20:30Z",
        "1900-02-29T10:20:30Z",
        "2026-13-01T10:20:30Z",
        "2026-00-01T10:20:30Z",
        "2026-01-00T10:20:30Z",
        "2026-04-31T10:20:30Z",
        "2026-02-03T24:00:00Z",
        "2026-02-03T10:60:00Z",
        "2026-02-03T10:20:60Z",
        "2026-02-03T10:20:30+1:00",
        "2026-02-03T10:20:30+0100",
        "2026-02-03T10:20:30+24:00",
        "2026-02-03T10:20:30+01:60",
        "2026-02-03T10:20:30+01:00Z",
        "0000-12-31T23:59:59Z",
        "0001-01-01T00:00:00+00:01", /* before the year 1 */
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
        "-001-01-01T00:00:00Z",
        "+026-02-03T10:20:30Z",
    };
    struct instant t = {42, 0};

    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        if (rfc3339_read(slice_text(BAD[i]), &t))
            fail_msg("accepted %s", BAD[i]);
    assert_int_equal(t.sec, 42);
    assert_false(rfc3339_read(SLICE_NONE, &t));
}

static void civil_time_goes_both_ways(void **state UNUSED)
{
    /* every 10 007 hours from the year 1 to the year 9999, and the last second */
    for (int64_t sec = -62135596800; sec <= 253402300799; sec += INT64_C(10007) * 3601) {
        struct civil c = instant_civil(instant_sec(sec));
        struct instant t;
        assert_true(civil_instant(&c, &t));
        assert_int_equal(t.sec, sec);
    }
    struct civil last = instant_civil(instant_sec(253402300799));
    assert_int_equal(last.year, 9999);
    assert_int_equal(last.month, 12);
    assert_int_equal(last.day, 31);
    assert_int_equal(last.weekday, 5);
    struct civil first = instant_civil(INSTANT_ZERO_GO);
    assert_int_equal(first.year, 1);
    assert_int_equal(first.month, 1);
    assert_int_equal(first.day, 1);
    assert_int_equal(first.weekday, 1);
}

static void http_dates(void **state)
{
    /* RFC 9110 5.6.7 */
    assert_string_equal((const char *)http_date(*state, instant_sec(784111777)).p,
                        "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal((const char *)http_date(*state, instant_sec(1770114030)).p,
                        "Tue, 03 Feb 2026 10:20:30 GMT");
}

static void instants_add_and_subtract(void **state UNUSED)
{
    struct instant t = {10, 500000000};

    assert_int_equal(instant_add(t, 600000000).sec, 11);
    assert_int_equal(instant_add(t, 600000000).nsec, 100000000);
    assert_int_equal(instant_add(t, -600000000).sec, 9);
    assert_int_equal(instant_add(t, -600000000).nsec, 900000000);
    assert_int_equal(instant_add(t, -11 * NS_PER_SEC).sec, -1);
    assert_int_equal(instant_sub(instant_add(t, 123456789012345), t), 123456789012345);
    assert_int_equal(instant_sub(t, instant_add(t, 5)), -5);
    /* saturation */
    struct instant end = instant_add(instant_sec(253402300700), INT64_MAX);
    assert_int_equal(end.sec, 253402300799);
    assert_true(instant_is_zero(instant_add(INSTANT_ZERO_GO, -1)));
    assert_true(instant_sub(end, INSTANT_ZERO_GO) == INT64_MAX);
    assert_true(instant_sub(INSTANT_ZERO_GO, end) == INT64_MIN);
    assert_true(instant_cmp((struct instant){1, 2}, (struct instant){1, 3}) < 0);
    assert_true(instant_cmp((struct instant){2, 0}, (struct instant){1, 3}) > 0);
    assert_true(instant_cmp(t, t) == 0);
    assert_int_equal(instant_truncate(t).nsec, 0);
}

static int64_t fake_ns;

static int64_t fake_mono(struct clock *c UNUSED)
{
    return fake_ns;
}

static void deadlines_pass_and_are_cancelled(void **state UNUSED)
{
    struct clock clock = {NULL, fake_mono};
    atomic_bool cancelled = false;
    struct err e = {0};

    fake_ns = 1000;
    struct deadline d = deadline_in(&clock, 50);
    assert_true(deadline_ok(d, &e));
    assert_int_equal(deadline_left(d), 50);
    fake_ns = 1049;
    assert_int_equal(deadline_left(d), 1);
    fake_ns = 1050;
    assert_int_equal(deadline_left(d), 0);
    assert_false(deadline_ok(d, &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    fake_ns = 5000;
    assert_int_equal(deadline_left(d), 0);
    d = deadline_in(&clock, INT64_MAX);
    assert_true(deadline_ok(d, NULL));
    d.cancelled = &cancelled;
    assert_true(deadline_ok(d, &e));
    atomic_store(&cancelled, true);
    assert_false(deadline_ok(d, &e));
    assert_string_equal(e.text, "cancelled");
    assert_true(deadline_ok(DEADLINE_NONE, &e));
    assert_true(deadline_left(DEADLINE_NONE) == INT64_MAX);
}

static void the_system_gives_time_and_randomness(void **state UNUSED)
{
    uint8_t a[1000] = {0}, b[1000] = {0};

    assert_true(CLOCK_SYSTEM.now(&CLOCK_SYSTEM).sec > 1700000000);
    int64_t first = CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM);
    assert_true(CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM) >= first);
    RNG_SYSTEM.fill(&RNG_SYSTEM, a, sizeof(a));
    RNG_SYSTEM.fill(&RNG_SYSTEM, b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a + 900, b + 900, 100);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(rfc3339_reads_what_it_should),
        cmocka_unit_test(rfc3339_refuses_the_rest),
        cmocka_unit_test(civil_time_goes_both_ways),
        cmocka_unit_test(http_dates),
        cmocka_unit_test(instants_add_and_subtract),
        cmocka_unit_test(deadlines_pass_and_are_cancelled),
        cmocka_unit_test(the_system_gives_time_and_randomness),
    };

    return cmocka_run_group_tests(TESTS, setup, teardown);
}
