/* One-time tokens: whose they are, what request goes with them, how they are made. */
#include "base/encode.h"
#include "capture.h"
#include "cli/ca_common.h"

static struct arena *A;

static int setup(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(A);
    return 0;
}

#define assert_slice(s, text) assert_string_equal(arena_cstr(A, (s)), (text))

static struct token token_with(const char *claims)
{
    struct slice payload = base64_text(A, BASE64_URL_RAW, slice_text(claims));
    struct token t;
    struct err e = {0};

    if (!token_read(A, arena_format(A, "eyJhbGciOiJFUzI1NiJ9.%.*s.AAAA", SLICE_ARG(payload)), &t,
                    &e))
        fail_msg("%s: %s", claims, e.text);
    return t;
}

static void kind_follows_from_the_claims(void **state)
{
    static const struct {
        const char *claims;
        enum ott_kind kind;
    } CASES[] = {
        {"{\"google\":{\"compute_engine\":{}},\"sha\":\"a\"}", OTT_GCP},
        {"{\"amazon\":{\"document\":\"\"}}", OTT_AWS},
        {"{\"iss\":\"https://sts.windows.net/x\",\"xms_mirid\":\"/a/b\"}", OTT_AZURE},
        {"{\"iss\":\"kubernetes/serviceaccount\",\"sub\":\"x\"}", OTT_K8SSA},
        {"{\"iss\":\"ops\",\"sha\":\"00\"}", OTT_JWK},
        {"{\"iss\":\"ops\",\"sans\":[\"a\"]}", OTT_JWK},
        {"{\"iss\":\"https://idp\",\"sub\":\"1\",\"aud\":\"c\",\"exp\":2,\"iat\":1}", OTT_OIDC},
        {"{\"iss\":\"https://sts.windows.net/x\",\"sub\":\"1\",\"aud\":\"c\",\"exp\":2,\"iat\":1}",
         OTT_OIDC},
        {"{\"iss\":\"ops\",\"sub\":\"a\",\"sans\":[]}", OTT_UNKNOWN},
        {"{}", OTT_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct token t = token_with(CASES[i].claims);
        if (ott_kind_of(&t) != CASES[i].kind)
            fail_msg("%s: %d", CASES[i].claims, ott_kind_of(&t));
    }
}

static const char *names_text(const struct ott_names *n)
{
    struct buf b = buf_new(A, 4096);

    buf_put(&b, n->common_name);
    for (size_t i = 0; i < n->sans.n; i++)
        buf_printf(&b, " %.*s", SLICE_ARG(n->sans.v[i].text));
    return arena_cstr(A, buf_slice(&b));
}

static void request_has_the_names_of_the_token(void **state)
{
    static const struct {
        const char *claims, *subject, *sans[3], *names;
    } CASES[] = {
        {"{\"sha\":\"a\",\"sub\":\"Foo.test\",\"sans\":[\"b.test\",\"10.0.0.1\"]}",
         "foo.test",
         {0},
         "Foo.test b.test 10.0.0.1"},
        {"{\"sha\":\"a\",\"sub\":\"foo.test\"}", "foo.test", {0}, "foo.test foo.test"},
        {"{\"sha\":\"a\",\"sub\":\"foo\",\"sans\":[\"x@y.test\",\"a\",\"a\",\"\",\"::1\"]}",
         "foo",
         {"a", "spiffe://td/w"},
         "foo a ::1 x@y.test spiffe://td/w"},
        {"{\"iss\":\"https://idp\",\"sub\":\"77\",\"aud\":\"c\",\"exp\":2,\"iat\":1,"
         "\"email\":\"eve@x.test\"}",
         "EVE@x.test",
         {0},
         "77 eve@x.test https://idp#77"},
        {"{\"iss\":\"https://idp\",\"sub\":\"77\",\"aud\":\"c\",\"exp\":2,\"iat\":1,"
         "\"email\":\"eve@x.test\"}",
         "web.test",
         {0},
         "web.test web.test"},
        {"{\"iss\":\"https://idp\",\"sub\":\"77\",\"aud\":\"c\",\"exp\":2,\"iat\":1,"
         "\"email\":\"eve@x.test\"}",
         "eve@x.test",
         {"a.test"},
         "eve@x.test a.test"},
        {"{\"iss\":\"kubernetes/serviceaccount\",\"sub\":\"sa\"}", "pod", {0}, "pod pod"},
        {"{\"google\":{\"compute_engine\":{\"instance_name\":\"vm\",\"project_id\":\"p\","
         "\"zone\":\"z\"}}}",
         "me",
         {"u@x"},
         "me vm.c.p.internal vm.z.c.p.internal me u@x"},
        /* {"privateIp":"10.1.2.3","region":"us-west-2"} */
        {"{\"amazon\":{\"document\":\"eyJwcml2YXRlSXAiOiIxMC4xLjIuMyIsInJlZ2lvbiI6InVzLXdlc3QtMiJ9"
         "\"}}",
         "me",
         {0},
         "me ip-10-1-2-3.us-west-2.compute.internal me 10.1.2.3"},
        {"{\"iss\":\"https://sts.windows.net/x\",\"xms_mirid\":\"/s/virtualMachines/vm1\"}",
         "me",
         {0},
         "me vm1 me"},
        {"{\"iss\":\"https://sts.windows.net/x\",\"xms_mirid\":\"/s/virtualMachines/vm1\"}",
         "me",
         {"b.test"},
         "me b.test"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct token t = token_with(CASES[i].claims);
        struct slice sans[3];
        size_t n = 0;
        struct ott_names names;
        struct err e = {0};
        while (n < 3 && CASES[i].sans[n]) {
            sans[n] = slice_text(CASES[i].sans[n]);
            n++;
        }
        assert_true(ott_names(A, &t, slice_text(CASES[i].subject), sans, n, &names, &e));
        assert_string_equal(names_text(&names), CASES[i].names);
    }
}

static void audience_names_the_operation(void **state)
{
    struct slice base = SLICE("https://ca.test:9000/1.0");

    (void)state;
    assert_slice(token_audience(A, base, TOKEN_SIGN, SLICE_NONE), "https://ca.test:9000/1.0/sign");
    assert_slice(token_audience(A, base, TOKEN_REVOKE, SLICE_NONE),
                 "https://ca.test:9000/1.0/revoke");
    assert_slice(token_audience(A, SLICE("https://ca.test"), TOKEN_RENEW, SLICE_NONE),
                 "https://ca.test/renew");
    assert_slice(token_audience(A, base, TOKEN_SIGN, SLICE("x5c/my ca%")),
                 "https://ca.test:9000/1.0/sign#x5c/my%20ca%25");
    assert_slice(token_audience(A, SLICE("https://[::1]:9000/1.0"), TOKEN_SIGN, SLICE("x5c/a")),
                 "https://[::1]:9000/1.0/sign#x5c/a");
}

static void validity_of_a_token_is_bounded(void **state)
{
    static const struct {
        const char *begin, *end;
        int64_t from, to; /* seconds from now; to 0: refused */
    } CASES[] = {
        {"", "", 0, 300},    {"-1m", "", -60, 240},   {"", "10s", 0, 10},      {"", "9s", 0, 0},
        {"", "1h", 0, 3600}, {"", "3601s", 0, 0},     {"30m", "", 1800, 2100}, {"1801s", "", 0, 0},
        {"", "-1m", 0, 0},   {"5m", "1h", 300, 3600}, {"2h", "150m", 0, 0},
    };
    struct instant now = instant_sec(1800000000);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct token_order order = {0};
        struct instant begin, end;
        struct err e = {0};
        assert_true(time_or_duration_read(slice_text(CASES[i].begin), &order.not_before, &e));
        assert_true(time_or_duration_read(slice_text(CASES[i].end), &order.not_after, &e));
        bool ok = token_validity(&order, now, &begin, &end, &e);
        if (ok != (CASES[i].to != 0))
            fail_msg("%s %s: %s", CASES[i].begin, CASES[i].end, e.text);
        if (ok) {
            assert_true(begin.sec - now.sec == CASES[i].from);
            assert_true(end.sec - now.sec == CASES[i].to);
        }
    }
}

static void provisioners_have_a_label(void **state)
{
    static const char *const CASES[][2] = {
        {"{\"type\":\"JWK\",\"name\":\"ops\",\"key\":{\"kid\":\"k1\"}}", "ops (JWK) [kid: k1]"},
        {"{\"type\":\"jwk\",\"name\":\"ops\"}", "ops (JWK)"},
        {"{\"type\":\"OIDC\",\"name\":\"google\",\"clientID\":\"c\"}", "google (OIDC) [client: c]"},
        {"{\"type\":\"Azure\",\"name\":\"az\",\"tenantID\":\"t\"}", "az (Azure) [tenant: t]"},
        {"{\"type\":\"K8SSA\",\"name\":\"k\"}", "k (K8sSA)"},
        {"{\"type\":\"ACME\",\"name\":\"acme\"}", "acme (ACME)"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        struct json *v = json_read(A, slice_text(CASES[i][0]), &JSON_API, NULL, &e);
        assert_slice(provisioner_label(A, v), CASES[i][1]);
    }
    struct json *odd = json_read(A, SLICE("{\"type\":\"Odd\"}"), &JSON_API, NULL, NULL);
    assert_null(provisioner_type_name(odd));
}

static void template_data_is_json_or_text(void **state)
{
    struct slice sets[] = {SLICE("n=3"), SLICE("b=true"),        SLICE("a=[\"x\"]"),
                           SLICE("t=x"), SLICE("url=http://=y"), SLICE("e=")};
    struct slice json;
    struct err e = {0};

    (void)state;
    assert_true(ca_template_data(A, SLICE_NONE, NULL, sets, COUNT_OF(sets), &json, &e));
    assert_slice(json, "{\"n\":3,\"b\":true,\"a\":[\"x\"],\"t\":\"x\",\"url\":\"http://=y\","
                       "\"e\":\"\"}");
    assert_true(
        ca_template_data(A, SLICE("{\"n\":1,\"k\":{\"x\":null}}"), "f", sets, 1, &json, &e));
    assert_slice(json, "{\"n\":3,\"k\":{\"x\":null}}");
    assert_false(ca_template_data(A, SLICE("[1]"), "f.json", NULL, 0, &json, &e));
    assert_non_null(strstr(e.text, "f.json"));
    assert_false(ca_template_data(A, SLICE("{"), "f.json", NULL, 0, &json, &e));
    sets[0] = SLICE("novalue");
    assert_false(ca_template_data(A, SLICE_NONE, NULL, sets, 1, &json, &e));
    assert_non_null(strstr(e.text, "invalid value 'novalue' for flag '--set'"));
}

static void names_are_joined_without_repetition(void **state)
{
    struct slice more[] = {SLICE("b"), SLICE(""), SLICE("a"), SLICE("b")}, out[8] = {SLICE("a")};

    (void)state;
    assert_int_equal(names_join(out, 1, more, 4), 2);
    assert_slice(out[1], "b");
}

int main(void)
{
    (void)capture_run, (void)scratch_setup, (void)scratch_teardown;
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(kind_follows_from_the_claims),        T(request_has_the_names_of_the_token),
        T(audience_names_the_operation),        T(validity_of_a_token_is_bounded),
        T(provisioners_have_a_label),           T(template_data_is_json_or_text),
        T(names_are_joined_without_repetition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
