/* Certificate JSON: each member in each form, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ssh/json.h"

static bool read_text(struct arena *a, const char *text, struct ssh_cert_json *out, struct err *e)
{
    struct json *v = json_read(a, slice_text(text), &JSON_API, NULL, e);

    return v && ssh_cert_from_json(a, v, out, e);
}

static void all_members_are_read(void **state)
{
    struct arena *a = arena_new(NULL);
    struct ssh_cert_json c;

    (void)state;
    assert_true(read_text(a,
                          "{\"type\":\"Host\",\"keyId\":\"id\",\"principals\":[\"b\",\"a\"],"
                          "\"validAfter\":\"2023-11-14T22:13:20Z\","
                          "\"validBefore\":\"2023-11-15T14:13:20Z\","
                          "\"criticalOptions\":{\"force-command\":\"x\"},"
                          "\"extensions\":{\"permit-pty\":\"\",\"login@github.com\":\"alice\"},"
                          "\"serial\":18446744073709551615,\"nonce\":\"Tk4=\","
                          "\"reserved\":\"UlI=\",\"other\":1}",
                          &c, NULL));
    assert_int_equal(c.cert.type, SSH_HOST);
    assert_true(slice_is(c.cert.key_id, "id"));
    assert_true(slice_is(c.cert.principals[0], "b"));
    assert_int_equal(c.cert.n_principals, 2);
    assert_int_equal(c.valid_after, 1700000000);
    assert_int_equal(c.valid_before, 1700057600);
    assert_int_equal(c.cert.extensions.n, 2);
    assert_true(slice_is(c.cert.extensions.v[1].value, "alice"));
    assert_true(c.has_serial && c.cert.serial == UINT64_MAX);
    assert_true(slice_is(c.cert.nonce, "NN") && slice_is(c.cert.reserved, "RR"));
    arena_free(a);
}

static void null_is_nothing(void **state)
{
    struct arena *a = arena_new(NULL);
    struct ssh_cert_json c;

    (void)state;
    assert_true(read_text(a,
                          "{\"type\":\"user\",\"keyId\":\"\",\"principals\":null,"
                          "\"extensions\":null,\"criticalOptions\":null,\"serial\":0}",
                          &c, NULL));
    assert_false(c.has_serial);
    assert_int_equal(c.cert.n_principals + c.cert.extensions.n + c.cert.critical.n, 0);
    arena_free(a);
}

static void what_is_no_certificate_is_refused_by_name(void **state)
{
    static const char *const CASES[][2] = {
        {"[]", "object"},
        {"{}", "type"},
        {"{\"type\":\"both\"}", "type"},
        {"{\"type\":1}", "type"},
        {"{\"type\":\"user\",\"keyId\":7}", "keyId"},
        {"{\"type\":\"user\",\"principals\":\"alice\"}", "principals"},
        {"{\"type\":\"user\",\"principals\":[1]}", "principals"},
        {"{\"type\":\"user\",\"extensions\":[]}", "extensions"},
        {"{\"type\":\"user\",\"extensions\":{\"a\":1}}", "extensions"},
        {"{\"type\":\"user\",\"criticalOptions\":{\"a\":null}}", "criticalOptions"},
        {"{\"type\":\"user\",\"serial\":-1}", "serial"},
        {"{\"type\":\"user\",\"serial\":18446744073709551616}", "serial"},
        {"{\"type\":\"user\",\"nonce\":\"?\"}", "nonce"},
        {"{\"type\":\"user\",\"validAfter\":\"tomorrow\"}", "validAfter"},
        {"{\"type\":\"user\",\"validBefore\":5}", "validBefore"},
        {"{\"type\":\"user\",\"validBefore\":\"1969-12-31T23:59:59Z\"}", "validBefore"},
    };
    struct arena *a = arena_new(NULL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ssh_cert_json c;
        struct err e = {0};
        if (read_text(a, CASES[i][0], &c, &e) || !strstr(e.text, CASES[i][1]))
            fail_msg("%s: %s", CASES[i][0], e.text);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members_are_read),
        cmocka_unit_test(null_is_nothing),
        cmocka_unit_test(what_is_no_certificate_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
