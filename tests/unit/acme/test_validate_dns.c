/* dns-01 with a resolver that is a table. */
#include "targets.h"

/* From the worked example of docs/reference/acme.md. */
#define KEY_AUTHORIZATION                                                                          \
    "b7QmV2cXoK0tS9wEzN4yLgP1hRjD6uFa.MFxT_XxYjKTpO-jRdcfdtbaX6IaRxvm-jpk5t-Jv7Bo"
#define RECORD "ZWmdUlRqvUYmuoXW_dV-6zptMj_itfTb0lccoSz36KE"

static const struct table_name TABLE[] = {
    {"_acme-challenge.good.test", {0}, {RECORD}, ERR_NONE},
    {"_acme-challenge.several.test", {0}, {"v=spf1", "", RECORD}, ERR_NONE},
    {"_acme-challenge.wrong.test", {0}, {RECORD "x", " " RECORD, KEY_AUTHORIZATION}, ERR_NONE},
    {"_acme-challenge.none.test", {0}, {0}, ERR_NONE},
    {"_acme-challenge.broken.test", {0}, {0}, ERR_UNAVAILABLE},
    {"_acme-challenge.slow.test", {0}, {0}, ERR_TIMEOUT},
    {"_acme-challenge.rooted.test.", {0}, {RECORD}, ERR_NONE},
};

static struct acme_result validate(const char *name, bool strict)
{
    struct table_resolver names = table_make(TABLE, COUNT_OF(TABLE));
    struct acme_validation_settings s = {
        .resolver = &names.base, .clock = &CLOCK_SYSTEM, .strict_fqdn = strict};
    struct ip ip;
    struct acme_validation v = {.type = ACME_DNS_01,
                                .value = slice_text(name),
                                .ip = ip_read(slice_text(name), &ip),
                                .key_authorization = SLICE(KEY_AUTHORIZATION)};

    return acme_validate_dns01(A, &v, &s, soon());
}

static void records_decide(void **state)
{
    static const struct {
        const char *name;
        bool strict;
        enum acme_verdict verdict;
        const char *problem, *detail;
    } CASES[] = {
        {"good.test", false, ACME_VALID, NULL, NULL},
        {"several.test", false, ACME_VALID, NULL, NULL},
        {"wrong.test", false, ACME_RETRY, "incorrectResponse", "3 TXT record"},
        {"none.test", false, ACME_RETRY, "incorrectResponse", "0 TXT record"},
        {"nowhere.test", false, ACME_RETRY, "dns", "no such name"},
        {"broken.test", false, ACME_RETRY, "dns", "the table says so"},
        {"slow.test", false, ACME_RETRY, "dns", "the table says so"},
        {"rooted.test", true, ACME_VALID, NULL, NULL},
        {"rooted.test.", true, ACME_VALID, NULL, NULL},
        {"good.test", true, ACME_RETRY, "dns", "_acme-challenge.good.test.: no such name"},
        {"192.0.2.1", false, ACME_INVALID, "rejectedIdentifier", "RFC 8738"},
        {"a b", false, ACME_INVALID, "rejectedIdentifier", "DNS name"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct acme_result r = validate(CASES[i].name, CASES[i].strict);
        assert_result(&r, CASES[i].verdict, CASES[i].problem, CASES[i].detail);
    }
}

static void the_expected_record_is_not_told(void **state)
{
    (void)state;
    struct acme_result r = validate("wrong.test", false);
    assert_int_equal(slice_search(r.detail, SLICE(RECORD)), r.detail.n);
}

static void challenge_types_have_names(void **state)
{
    static const char *const NAMES[] = {"http-01", "dns-01", "tls-alpn-01", "device-attest-01"};
    enum acme_challenge_type t;

    (void)state;
    for (unsigned i = 0; i < ACME_CHALLENGE_TYPES; i++) {
        assert_string_equal(acme_challenge_name((enum acme_challenge_type)i), NAMES[i]);
        assert_true(acme_challenge_find(slice_text(NAMES[i]), &t));
        assert_int_equal(t, i);
    }
    assert_true(acme_challenge_find(SLICE("HTTP-01"), &t));
    assert_int_equal(t, ACME_HTTP_01);
    assert_false(acme_challenge_find(SLICE("http-02"), &t));
    assert_false(acme_challenge_find(SLICE(""), &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_decide),
        cmocka_unit_test(the_expected_record_is_not_told),
        cmocka_unit_test(challenge_types_have_names),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
