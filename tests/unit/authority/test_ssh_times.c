/* Validity of SSH certificates: sums that do not wrap, limits to the second. */
#include "authority/ssh_internal.h"
#include "provisioner/provisioner_testing.h"

#define T     UINT64_C(1770114030)
#define HOUR  UINT64_C(3600)
#define LAST  (SSH_FOREVER - 1)
#define BELOW UINT64_C(0x7fffffffffffffff)

static void what_is_not_set_is_filled(void **state)
{
    static const struct {
        uint64_t after, before; /* asked for */
        uint64_t usual, ceiling;
        uint64_t begin, end; /* 0: refused */
    } ROWS[] = {
        {0, 0, 16 * HOUR, 0, T - 60, T + 16 * HOUR},
        {0, T + HOUR, 16 * HOUR, 0, T - 60, T + HOUR},
        {T + 5, 0, HOUR, 0, T + 5, T + 5 + HOUR}, /* asked for: not backdated */
        {T - 5, T + 5, HOUR, 0, T - 5, T + 5},
        {1, 0, HOUR, 0, 1, 1 + HOUR},
        {LAST, 0, HOUR, 0, LAST, LAST}, /* no wrap, and never "for ever" */
        {SSH_FOREVER, 0, HOUR, 0, SSH_FOREVER, LAST},
        {0, SSH_FOREVER, HOUR, 0, T - 60, SSH_FOREVER},
        {0, 0, SSH_FOREVER, 0, T - 60, LAST},
        {BELOW, 0, BELOW, 0, BELOW, LAST},
        /* Not beyond a credential. */
        {0, 0, HOUR, T + 100, T - 60, T + 100},
        {0, 0, HOUR, T + HOUR, T - 60, T + HOUR},
        {0, T + 100, HOUR, T + 100, T - 60, T + 100},
        {0, T + 101, HOUR, T + 100, 0, 0},
        {T + 100, 0, HOUR, T + 100, T + 100, T + 100},
        {T + 101, 0, HOUR, T + 100, 0, 0},
        {0, SSH_FOREVER, HOUR, T + 100, 0, 0},
        {0, 0, HOUR, T - 1, 0, 0}, /* it has ended */
        {0, 0, SSH_FOREVER, T + 100, T - 60, T + 100},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct ssh_times_rules rules = {.now = T,
                                        .backdate = 60,
                                        .usual = ROWS[i].usual,
                                        .limited = ROWS[i].ceiling != 0,
                                        .ceiling = ROWS[i].ceiling};
        struct ssh_times t = {ROWS[i].after, ROWS[i].before};
        struct err e = {0};
        bool good = ssh_times_settle(&rules, &t, &e);
        if (good != (ROWS[i].begin != 0) || (!good && e.kind != ERR_FORBIDDEN) ||
            (good && (t.after != ROWS[i].begin || t.before != ROWS[i].end)))
            fail_msg("row %zu: %s", i, e.text);
    }
}

static void a_clock_near_the_epoch_does_not_wrap(void **state)
{
    static const uint64_t NOWS[] = {1, 59, 60, 61};
    static const uint64_t BEGINS[] = {1, 59, 60, 1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NOWS); i++) {
        struct ssh_times_rules rules = {.now = NOWS[i], .backdate = 60, .usual = HOUR};
        struct ssh_times t = {0};
        ok(ssh_times_settle(&rules, &t, e));
        assert_int_equal(t.after, BEGINS[i]);
    }
}

static void limits_hold_to_the_second(void **state)
{
    static const struct duration_limits USUAL = {300 * NS_PER_SEC, 86400 * NS_PER_SEC, 0},
                                        FINE = {1500 * NS_PER_MS, 2500 * NS_PER_MS, 0},
                                        WIDE = {0, INT64_MAX, 0};
    static const struct {
        uint64_t after, before;
        const struct duration_limits *limits;
        int64_t backdate; /* ns */
        enum err_kind kind;
        const char *says;
    } ROWS[] = {
        {T, T + 300, &USUAL, 0, ERR_NONE, ""},
        {T, T + 299, &USUAL, 0, ERR_FORBIDDEN, "less than the authorized 5m0s"},
        {T, T + 86400, &USUAL, 0, ERR_NONE, ""},
        {T, T + 86401, &USUAL, 0, ERR_FORBIDDEN, "more than the authorized 24h0m0s"},
        {T - 60, T + 86400, &USUAL, 60 * NS_PER_SEC, ERR_NONE, ""},
        {T - 61, T + 86400, &USUAL, 60 * NS_PER_SEC, ERR_FORBIDDEN, "more than"},
        {T, T + 1, &FINE, 0, ERR_FORBIDDEN, "less than"},
        {T, T + 2, &FINE, 0, ERR_NONE, ""},
        {T, T + 3, &FINE, 0, ERR_FORBIDDEN, "more than"},
        {T, T + 3, &FINE, 500 * NS_PER_MS, ERR_NONE, ""},
        {0, T + 300, &USUAL, 0, ERR_MALFORMED, "validAfter"},
        {T - 600, T, &USUAL, 0, ERR_NONE, ""},
        {T - 600, T - 1, &USUAL, 0, ERR_MALFORMED, "past"},
        {T + 600, T + 300, &USUAL, 0, ERR_MALFORMED, "before validAfter"},
        {LAST, T + 300, &USUAL, 0, ERR_MALFORMED, "before validAfter"},
        {T, SSH_FOREVER, &WIDE, INT64_MAX, ERR_FORBIDDEN, "for ever"},
        {1, LAST, &WIDE, INT64_MAX, ERR_FORBIDDEN, "more than"},
        {T, T + UINT64_C(9223372036), &WIDE, 0, ERR_NONE, ""},
        {T, T + UINT64_C(9223372037), &WIDE, 0, ERR_FORBIDDEN, "more than"},
        {T, T, &WIDE, 0, ERR_NONE, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct ssh_times t = {ROWS[i].after, ROWS[i].before};
        struct err e = {0};
        bool good = ssh_times_check(&t, T, ROWS[i].limits, ROWS[i].backdate, &e);
        if (good != (ROWS[i].kind == ERR_NONE) || e.kind != ROWS[i].kind ||
            !strstr(e.text, ROWS[i].says))
            fail_msg("row %zu: %s %s", i, err_kind_name(e.kind), e.text);
    }
}

static void wishes_become_seconds(void **state)
{
    static const struct {
        const char *text;
        uint64_t sec; /* 0: refused; 7: as it was */
    } ROWS[] = {
        {"", 7},
        {"1h", T + HOUR},
        {"-1h", T - HOUR},
        {"1500ms", T + 1},
        {"1970-01-01T00:00:01Z", 1},
        {"1970-01-01T00:00:00Z", 0},
        {"0001-01-01T00:00:01Z", 0},
        {"9999-12-31T23:59:59Z", UINT64_C(253402300799)},
        {"-2562047h47m16s", 0},
        {"2562047h47m16s", T + UINT64_C(9223372036)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct time_or_duration wish;
        uint64_t sec = 7;
        struct err why = {0};
        ok(time_or_duration_read(slice_text(ROWS[i].text), &wish, e));
        bool good = ssh_times_wish(&wish, instant_sec((int64_t)T), "validAfter", &sec, &why);
        if (good != (ROWS[i].sec != 0) || (good && sec != ROWS[i].sec))
            fail_msg("row %zu: %s", i, why.text);
        if (!good && why.kind != ERR_MALFORMED)
            fail_msg("row %zu: %s", i, err_kind_name(why.kind));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_set_is_filled),
        TEST(a_clock_near_the_epoch_does_not_wrap),
        TEST(limits_hold_to_the_second),
        TEST(wishes_become_seconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
