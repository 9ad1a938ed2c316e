/* Claims: the table of merging, and what is acceptable after it. */
#include "base/duration.h"
#include "provisioner_testing.h"

static struct claims_config config_of(const char *text)
{
    struct claims_config c = {0};

    ok(shape_read(&CLAIMS_SHAPE, json_of(text), &c, A, e));
    return c;
}

static void limits(const struct duration_limits *l, const char *want, size_t row)
{
    struct slice least = duration_text(A, l->least), most = duration_text(A, l->most),
                 usual = duration_text(A, l->usual);
    char *text =
        arena_printf(A, "%.*s %.*s %.*s", SLICE_ARG(least), SLICE_ARG(most), SLICE_ARG(usual));

    if (strcmp(text, want) != 0)
        fail_msg("row %zu: %s, not %s", row, text, want);
}

static void built_in_values(void **state)
{
    (void)state;
    limits(&CLAIMS_BUILT_IN.tls, "5m0s 24h0m0s 24h0m0s", 0);
    limits(&CLAIMS_BUILT_IN.user_ssh, "5m0s 24h0m0s 16h0m0s", 1);
    limits(&CLAIMS_BUILT_IN.host_ssh, "5m0s 720h0m0s 720h0m0s", 2);
    assert_false(CLAIMS_BUILT_IN.enable_ssh_ca);
    assert_false(CLAIMS_BUILT_IN.disable_renewal);
    assert_false(CLAIMS_BUILT_IN.allow_renewal_after_expiry);
    assert_false(CLAIMS_BUILT_IN.disable_smallstep_extensions);
}

/* least, most, usual of the TLS family after one merge over the built-in values. */
static void own_values_lie_over_the_parents(void **state)
{
    static const struct {
        const char *own, *want, *trouble;
    } ROWS[] = {
        {"{}", "5m0s 24h0m0s 24h0m0s", NULL},
        {"{\"minTLSCertDuration\":\"10m\"}", "10m0s 24h0m0s 24h0m0s", NULL},
        {"{\"maxTLSCertDuration\":\"48h\"}", "5m0s 48h0m0s 24h0m0s", NULL},
        {"{\"defaultTLSCertDuration\":\"1h\"}", "5m0s 24h0m0s 1h0m0s", NULL},
        /* An own default outside the inherited limits widens them … */
        {"{\"defaultTLSCertDuration\":\"2m\"}", "2m0s 24h0m0s 2m0s", NULL},
        {"{\"defaultTLSCertDuration\":\"100h\"}", "5m0s 100h0m0s 100h0m0s", NULL},
        /* … but an own limit wins. */
        {"{\"defaultTLSCertDuration\":\"2m\",\"minTLSCertDuration\":\"1m\"}", "1m0s 24h0m0s 2m0s",
         NULL},
        {"{\"defaultTLSCertDuration\":\"2m\",\"minTLSCertDuration\":\"3m\"}", "3m0s 24h0m0s 2m0s",
         "defaultTLSCertDuration (2m0s) is below minTLSCertDuration (3m0s)"},
        {"{\"defaultTLSCertDuration\":\"100h\",\"maxTLSCertDuration\":\"50h\"}",
         "5m0s 50h0m0s 100h0m0s",
         "defaultTLSCertDuration (100h0m0s) exceeds maxTLSCertDuration (50h0m0s)"},
        {"{\"maxTLSCertDuration\":\"1h\"}", "5m0s 1h0m0s 24h0m0s",
         "defaultTLSCertDuration (24h0m0s) exceeds maxTLSCertDuration (1h0m0s)"},
        {"{\"minTLSCertDuration\":\"48h\"}", "48h0m0s 24h0m0s 24h0m0s",
         "maxTLSCertDuration (24h0m0s) is below minTLSCertDuration (48h0m0s)"},
        {"{\"maxTLSCertDuration\":\"1m\"}", "5m0s 1m0s 24h0m0s", "maxTLSCertDuration (1m0s)"},
        {"{\"minTLSCertDuration\":\"0s\"}", "0s 24h0m0s 24h0m0s", "minTLSCertDuration (0s)"},
        {"{\"minTLSCertDuration\":\"-1s\"}", "-1s 24h0m0s 24h0m0s", "minTLSCertDuration (-1s)"},
        {"{\"maxTLSCertDuration\":\"0s\"}", "5m0s 0s 24h0m0s", "maxTLSCertDuration (0s)"},
        {"{\"defaultTLSCertDuration\":\"0s\"}", "0s 24h0m0s 0s", "(0s) must be positive"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct claims_config own = config_of(ROWS[i].own);
        struct claims got;
        struct err e = {0};
        claims_resolve(&CLAIMS_BUILT_IN, &own, &got);
        limits(&got.tls, ROWS[i].want, i);
        limits(&got.user_ssh, "5m0s 24h0m0s 16h0m0s", i);
        bool good = claims_check(&got, &e);
        if (good != !ROWS[i].trouble || (ROWS[i].trouble && !strstr(e.text, ROWS[i].trouble)))
            fail_msg("row %zu: \"%s\", not \"%s\"", i, e.text,
                     ROWS[i].trouble ? ROWS[i].trouble : "");
    }
}

static void merging_is_done_twice(void **state)
{
    struct claims_config global = config_of("{\"maxTLSCertDuration\":\"48h\",\"enableSSHCA\":true,"
                                            "\"disableRenewal\":true,"
                                            "\"minUserSSHCertDuration\":\"1m\"}");
    struct claims_config own =
        config_of("{\"defaultTLSCertDuration\":\"1m\",\"disableRenewal\":false,"
                  "\"allowRenewalAfterExpiry\":true,\"defaultHostSSHCertDuration\":\"1000h\"}");
    struct claims middle, got;

    (void)state;
    claims_resolve(&CLAIMS_BUILT_IN, &global, &middle);
    claims_resolve(&middle, &own, &got);
    limits(&got.tls, "1m0s 48h0m0s 1m0s", 0);
    limits(&got.user_ssh, "1m0s 24h0m0s 16h0m0s", 1);
    limits(&got.host_ssh, "5m0s 1000h0m0s 1000h0m0s", 2);
    assert_true(got.enable_ssh_ca);
    assert_false(got.disable_renewal); /* an explicit false counts */
    assert_true(got.allow_renewal_after_expiry);
    assert_false(got.disable_smallstep_extensions);
    claims_resolve(&middle, NULL, &got);
    assert_memory_equal(&got.tls, &middle.tls, sizeof(got.tls));
    assert_true(got.disable_renewal);
}

static void ssh_families_only_warn(void **state)
{
    struct claims_config bad = config_of("{\"maxUserSSHCertDuration\":\"1m\"}");
    struct claims got;

    (void)state;
    claims_resolve(&CLAIMS_BUILT_IN, &bad, &got);
    ok(claims_check(&got, e));
    assert_non_null(strstr(claims_ssh_trouble(A, &got), "maxUserSSHCertDuration"));
    assert_null(claims_ssh_trouble(A, &CLAIMS_BUILT_IN));
}

static void durations_need_a_unit(void **state)
{
    static const char *const ROWS[] = {
        "{\"defaultTLSCertDuration\":\"24\"}", "{\"defaultTLSCertDuration\":24}",
        "{\"defaultTLSCertDuration\":\"1d\"}", "{\"enableSSHCA\":\"yes\"}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct claims_config c = {0};
        refused(shape_read(&CLAIMS_SHAPE, json_of(ROWS[i]), &c, A, e), ERR_MALFORMED,
                i == 3 ? "enableSSHCA" : "defaultTLSCertDuration");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(built_in_values),       TEST(own_values_lie_over_the_parents),
        TEST(merging_is_done_twice), TEST(ssh_families_only_warn),
        TEST(durations_need_a_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
