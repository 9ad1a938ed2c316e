/* Webhooks in ca.json: what is read, what is refused and named, and that secrets are shown nowhere.
 */
#include "provisioner_testing.h"

#define GOOD_URL "\"url\":\"https://hook.test/x\""
#define GOOD     "{\"name\":\"w\",\"kind\":\"ENRICHING\"," GOOD_URL

/* A JWK provisioner with these webhooks. */
static bool make(const char *webhooks, struct provisioner **p, struct err *e)
{
    struct provisioner_env env = env_new();
    struct jwk jwk = jwk_new(key_new(KEY_P256, 0));
    struct json *v = jwk_object("ops", &jwk);

    json_change(v, "options", arena_printf(A, "{\"webhooks\":%s}", webhooks));
    return provisioner_make(A, v, "authority.provisioners[0]", &env, p, e);
}

static void members_are_read(void **state)
{
    struct provisioner *p;

    (void)state;
    ok(make("[{\"id\":\"1\",\"name\":\"a\"," GOOD_URL
            ",\"kind\":\"enriching\",\"secret\":\"AQID\",\"bearerToken\":\"t\"},"
            "{\"name\":\"b\",\"url\":\"HTTPS://[::1]:8443/{{ .Token.sub }}?a={{ .x }}\","
            "\"kind\":\"Authorizing\",\"certType\":\"x509\",\"disableTLSClientAuth\":true,"
            "\"basicAuth\":{\"username\":\"Aladdin\",\"password\":\"open sesame\"}},"
            "{\"name\":\"c\"," GOOD_URL ",\"kind\":\"NOTIFYING\",\"certType\":\"ssh\","
            "\"bearerToken\":{\"bearerToken\":\"u\"},\"basicAuth\":{\"username\":\"x\"}},"
            "{\"name\":\"d\"," GOOD_URL ",\"kind\":\"SCEPCHALLENGE\",\"certType\":\"\","
            "\"secret\":\"\",\"bearerToken\":null,\"basicAuth\":null}]",
            &p, e));
    const struct webhook *v = p->webhooks.v;
    assert_int_equal(p->webhooks.n, 4);
    assert_slice(v[0].id, "1");
    assert_slice(v[0].secret, "\1\2\3");
    assert_slice(v[0].authorization, "Bearer t");
    assert_true(v[0].kind == WEBHOOK_ENRICHING && v[0].cert == WEBHOOK_ALL);
    assert_true(v[1].kind == WEBHOOK_AUTHORIZING && v[1].cert == WEBHOOK_X509);
    assert_true(v[1].no_client_certificate && !v[0].no_client_certificate);
    assert_slice(v[1].authorization, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="); /* RFC 7617 2 */
    assert_true(v[2].kind == WEBHOOK_NOTIFYING && v[2].cert == WEBHOOK_SSH);
    assert_slice(v[2].authorization, "Bearer u"); /* wins */
    assert_true(v[3].kind == WEBHOOK_SCEPCHALLENGE && v[3].cert == WEBHOOK_ALL);
    assert_int_equal(v[3].authorization.n + v[3].secret.n, 0);
    assert_null(p->trouble);
}

static void mistakes_are_named_without_secrets(void **state)
{
    static const struct {
        const char *webhook, *says;
    } ROWS[] = {
        {"{}", "name: "},
        {"null", "name: "},
        {"5", "options.webhooks[0]"},
        {"{\"name\":5}", "name"},
        {"{\"name\":\"w\\u0000\"," GOOD_URL ",\"kind\":\"ENRICHING\"}", "name: "},
        {"{\"name\":\"w\"," GOOD_URL "}", "kind: "},
        {"{\"name\":\"w\"," GOOD_URL ",\"kind\":\"\"}", "kind: "},
        {"{\"name\":\"w\"," GOOD_URL ",\"kind\":\"ENRICH\"}", "\"ENRICH\""},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\"}", "url: "},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\",\"url\":\"http://hook.test\"}", "url: "},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\",\"url\":\"hook.test\"}", "url: "},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\",\"url\":\"https://\"}", "url: "},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\",\"url\":\"https:///{{ .x }}\"}", "url: "},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\",\"url\":\"https://{{ .x }}@a/\"}", "url: "},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\",\"url\":\"{{ .x }}://a/\"}", "url: "},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\",\"url\":\"https://TOPSECRET:x@a/\"}", "url: "},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\",\"url\":\"https://a/{{ nosuch }}\"}", "nosuch"},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\",\"url\":\"https://a/{{ env \\\"X\\\" }}\"}",
         "env"},
        {GOOD ",\"certType\":\"PGP\"}", "certType: "},
        {GOOD ",\"id\":\"a b\"}", "id: "},
        {GOOD ",\"disableTLSClientAuth\":1}", "disableTLSClientAuth"},
        {GOOD ",\"secret\":\"TOPSECRET\"}", "secret: "},
        {GOOD ",\"secret\":[\"TOPSECRET\"]}", "secret"},
        {GOOD ",\"bearerToken\":[\"TOPSECRET\"]}", "bearerToken: "},
        {GOOD ",\"bearerToken\":\"TOPSECRET\\r\\nX: y\"}", "bearerToken: "},
        {GOOD ",\"basicAuth\":\"TOPSECRET\"}", "basicAuth: "},
        {GOOD ",\"basicAuth\":{\"username\":\"TOPSECRET:x\"}}", "basicAuth: "},
    };
    struct provisioner *p;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct err e = {0};
        if (make(arena_printf(A, "[%s]", ROWS[i].webhook), &p, &e) || e.kind != ERR_MALFORMED ||
            !strstr(e.text, ROWS[i].says) || strstr(e.text, "TOPSECRET") ||
            !strstr(e.text, "authority.provisioners[0]") || !strstr(e.text, "options.webhooks[0]"))
            fail_msg("row %zu: %s \"%s\"", i, err_kind_name(e.kind), e.text);
    }
    refused(make("[" GOOD "}," GOOD "}]", &p, e), ERR_MALFORMED, "options.webhooks[1]: name: ");
    refused(make("5", &p, e), ERR_MALFORMED, "options.webhooks");
    ok(make("null", &p, e));
    assert_int_equal(p->webhooks.n, 0);
}

static void what_looks_wrong_is_a_warning(void **state)
{
    static const struct {
        const char *webhook, *says;
    } ROWS[] = {
        {GOOD "}", NULL},
        {"{\"name\":\"w\",\"kind\":\"NOTIFYING\"," GOOD_URL "}", "only SCEP"},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\",\"url\":\"https://a{{ .x }}.test/\"}",
         "action in the host"},
        {"{\"name\":\"w\",\"kind\":\"ENRICHING\",\"url\":\"https://a.test/{{ .x }}\"}", NULL},
        {GOOD ",\"disableTLSClientAuth\":true}", "who calls"},
        {GOOD ",\"disableTLSClientAuth\":true,\"secret\":\"AQID\"}", NULL},
    };
    struct provisioner *p;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        ok(make(arena_printf(A, "[%s]", ROWS[i].webhook), &p, e));
        if (ROWS[i].says ? !p->warning || !strstr(p->warning, ROWS[i].says) : p->warning != NULL)
            fail_msg("row %zu: %s", i, p->warning ? p->warning : "no warning");
    }
}

static void secrets_are_not_listed(void **state)
{
    struct provisioner *p;

    (void)state;
    ok(make("[{\"id\":\"1\",\"name\":\"a\"," GOOD_URL
            ",\"kind\":\"ENRICHING\",\"certType\":\"ALL\","
            "\"secret\":\"VE9QU0VDUkVU\",\"bearerToken\":\"TOPSECRET\",\"basicAuth\":{"
            "\"username\":\"TOPSECRET\",\"password\":\"TOPSECRET\"}}]",
            &p, e));
    const struct json *v = json_of(arena_cstr(A, p->listing));
    struct buf b = buf_new(A, 8192);
    json_print(&b, json_get(json_get(v, "options"), "webhooks"), NULL);
    assert_slice(buf_slice(&b), "[{\"id\":\"1\",\"name\":\"a\"," GOOD_URL
                                ",\"kind\":\"ENRICHING\",\"certType\":\"ALL\"}]");
    assert_int_equal(slice_search(p->listing, SLICE("TOPSECRET")), p->listing.n);
    assert_int_equal(slice_search(p->listing, SLICE("VE9QU0VDUkVU")), p->listing.n);
}

static void rendered_urls_are_judged(void **state)
{
    static const struct {
        const char *url, *becomes; /* NULL: refused */
    } ROWS[] = {
        {"https://hook.test", "https://hook.test"},
        {"HTTPS://Hook.Test:8443/a b?x=%20#fragment", "https://Hook.Test:8443/a%20b?x=%20"},
        {"https://[2001:db8::1]/", "https://[2001:db8::1]/"},
        {"https://a_b-c.test/\xc3\xa9", "https://a_b-c.test/%C3%A9"},
        {"http://hook.test/", NULL},
        {"//hook.test/", NULL},
        {"hook.test", NULL},
        {"https:hook.test", NULL},
        {"https://", NULL},
        {"https:///x", NULL},
        {"https://:443/", NULL},
        {"https://user@hook.test/", NULL},
        {"https://@hook.test/", NULL},
        {"https://a:b@hook.test/", NULL},
        {"https://hook.test\\@evil.test/", NULL},
        {"https://hook.test:44x/", NULL},
        {"https://hook.test%00.evil/", NULL},
        {"https://hook.test%2eevil/", NULL},
        {"https://hook test/", NULL},
        {"https://h\xc3\xb6.test/", NULL},
        {"https://a<b>.test/", NULL},
        {"https://hook.test/\r\nX: y", NULL},
        {"https://hook.test/?a b", NULL},
        {"https://hook.test/?\xc3\xa9", NULL},
        {"https://hook.test/%zz", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct slice url;
        struct err e = {0};
        bool read = webhook_url_read(A, slice_text(ROWS[i].url), &url, &e);
        if (read != (ROWS[i].becomes != NULL) || (read && !slice_is(url, ROWS[i].becomes)))
            fail_msg("row %zu \"%s\": %s", i, ROWS[i].url, read ? arena_cstr(A, url) : e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_are_read),
        TEST(mistakes_are_named_without_secrets),
        TEST(what_looks_wrong_is_a_warning),
        TEST(secrets_are_not_listed),
        TEST(rendered_urls_are_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
