/* The client of the CA's API against a table of answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/ca.h"
#include "client/fake_http.h"
#include "crypto/signer.h"

static struct arena *A;
static struct fake_http HTTP;

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

static struct ca ca_with(struct fake_answer *answers)
{
    fake_http_init(&HTTP, A, answers);
    return (struct ca){.http = &HTTP.client,
                       .url = SLICE("https://ca.test:9000"),
                       .trust = {.kind = TRUST_ANCHORS},
                       .clock = &CLOCK_SYSTEM,
                       .rng = &RNG_SYSTEM};
}

#define assert_slice(s, text) assert_string_equal(arena_cstr(A, (s)), (text))

static struct slice make_cert(const char *name)
{
    struct private_key *key;
    struct err e = {0};
    struct buf der = buf_new(A, 1u << 16);

    assert_true(private_key_generate(A, KEY_P256, 0, &key, &e));
    struct issuer issuer = {.key = key->public_key, .signer = signer_local(A, key, "test")};
    struct x509_leaf leaf = {.subject = {.common_name = slice_text(name)},
                             .not_before = instant_sec(1700000000),
                             .not_after = instant_sec(1900000000),
                             .key = key->public_key};
    if (!x509_leaf_sign(&leaf, &issuer, &RNG_SYSTEM, &der, DEADLINE_NONE, &e))
        fail_msg("%s", e.text);
    return buf_slice(&der);
}

static const char *json_pem(struct slice der)
{
    struct buf b = buf_new(A, 1u << 16);

    json_put_text(&b, cert_pem(A, der));
    return arena_cstr(A, buf_slice(&b));
}

/* --- Addresses ------------------------------------------------------------------------------ */

static void url_is_read_as_people_write_it(void **state)
{
    static const char *const CASES[][2] = {
        {"ca.test", "https://ca.test"},
        {"ca.test:9000", "https://ca.test:9000"},
        {" https://ca.test ", "https://ca.test"},
        {"HTTPS://ca.test:9000/some/path?q#f", "https://ca.test:9000"},
        {"https://ca.test?x", "https://ca.test"},
        {"127.0.0.1:443", "https://127.0.0.1:443"},
        {"::1", "https://[::1]"},
        {"::1:9000", "https://[::1]:9000"},
        {"2001:db8::1", "https://[2001:db8::1]"},
        {"[::1]", "https://[::1]"},
        {"https://[::1]:9000/x", "https://[::1]:9000"},
        {"1:2:3:4:5:6:7:8:9000", "https://[1:2:3:4:5:6:7:8]:9000"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        struct slice url;
        if (!ca_url_read(A, slice_text(CASES[i][0]), &url, &e))
            fail_msg("%s: %s", CASES[i][0], e.text);
        assert_slice(url, CASES[i][1]);
    }
}

static void url_with_another_scheme_or_no_host_is_refused(void **state)
{
    static const char *const CASES[] = {"",           "http://ca.test",
                                        "ftp://x",    "https://",
                                        "https:///x", "ca.test:",
                                        "ca.test:0",  "ca.test:70000",
                                        "ca.test:9a", "[::1",
                                        "[::1]9000",  "[::1]:",
                                        "[ca.test]",  "user@ca.test",
                                        "ca test",    "https://a\x01b",
                                        "a:b:c",      "https://ca.te%73t"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        struct slice url;
        if (ca_url_read(A, slice_text(CASES[i]), &url, &e))
            fail_msg("%s was accepted", CASES[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

/* --- Calls ------------------------------------------------------------------------------------ */

static void health_is_asked_with_an_id_and_without_redirects(void **state)
{
    struct fake_answer answers[] = {{HTTP_GET, "/health", 200, "{\"status\":\"ok\"}", 0}, {0}};
    struct ca ca = ca_with(answers);
    struct slice status;
    struct err e = {0};

    (void)state;
    assert_true(ca_health(&ca, A, &status, &e));
    assert_slice(status, "ok");
    assert_int_equal(HTTP.n_calls, 1);
    assert_slice(HTTP.calls[0].url, "https://ca.test:9000/health");
    assert_int_equal(HTTP.calls[0].request_id.n, 36);
    assert_int_equal(HTTP.calls[0].request_id.p[14], '4');
    assert_int_equal(HTTP.calls[0].redirects, 0);
    assert_null(HTTP.calls[0].body.p);
}

static void error_tells_the_message_of_the_ca(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum err_kind kind;
        const char *says;
    } CASES[] = {
        {401, "{\"status\":401,\"message\":\"no way\"}", ERR_UNAUTHORIZED,
         "401 Unauthorized: no way"},
        {403, "{\"message\":\"a\\u001b[31mb\"}", ERR_FORBIDDEN, "403 Forbidden: a?[31mb"},
        {404, "404 page not found\n", ERR_NOT_FOUND, "404 Not Found"},
        {302, "", ERR_UNAVAILABLE, "302"},
        {500, "", ERR_INTERNAL, "500 Internal Server Error"},
        {0, "", ERR_UNAVAILABLE, "connection refused"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct fake_answer answers[] = {{HTTP_GET, "/health", CASES[i].status, CASES[i].body, 0},
                                        {0}};
        struct ca ca = ca_with(answers);
        struct slice status;
        struct err e = {0};
        assert_false(ca_health(&ca, A, &status, &e));
        assert_int_equal(e.kind, CASES[i].kind);
        if (!strstr(e.text, CASES[i].says) || !strstr(e.text, "https://ca.test:9000/health"))
            fail_msg("\"%s\" does not say \"%s\"", e.text, CASES[i].says);
        assert_true(CASES[i].status == 0 || e.notes);
    }
}

static void answer_that_is_not_json_is_refused(void **state)
{
    static const char *const BODIES[] = {"", "ok", "{\"status\":", "[]", "{\"status\":5}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(BODIES); i++) {
        struct fake_answer answers[] = {{HTTP_GET, "/health", 200, BODIES[i], 0}, {0}};
        struct ca ca = ca_with(answers);
        struct slice status;
        struct err e = {0};
        assert_false(ca_health(&ca, A, &status, &e));
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

/* --- Roots --------------------------------------------------------------------------------------
 */

static struct slice as_typed(struct slice hex)
{
    struct buf b = buf_new(A, 256);

    buf_text(&b, "  ");
    for (size_t i = 0; i < hex.n; i++) {
        if (i == 8)
            buf_byte(&b, '-');
        uint8_t c = hex.p[i];
        buf_byte(&b, c >= 'a' && c <= 'f' ? (uint8_t)(c - 32) : c);
    }
    buf_text(&b, "\n");
    return buf_slice(&b);
}

static void root_is_believed_only_under_its_whole_digest(void **state)
{
    struct slice der = make_cert("Root"), other = make_cert("Other");
    struct slice hex = cert_fingerprint(A, der), url = SLICE("https://ca.test:9000");
    const char *path = arena_printf(A, "/root/%.*s", SLICE_ARG(hex));
    const char *good = arena_printf(A, "{\"ca\":%s}", json_pem(der));
    const char *bad = arena_printf(A, "{\"ca\":%s}", json_pem(other));
    struct fake_answer answers[] = {{HTTP_GET, path, 200, good, 0},
                                    {HTTP_GET, path, 200, bad, 0},
                                    {HTTP_GET, path, 200, "{\"ca\":null}", 0},
                                    {0}};
    struct cert *root = NULL;
    struct err e = {0};

    (void)state;
    fake_http_init(&HTTP, A, answers);
    assert_true(ca_root_by_fingerprint(&HTTP.client, A, url, as_typed(hex), &root, &e));
    assert_true(slice_eq(root->der, der));
    assert_true(HTTP.calls[0].anybody);

    assert_false(ca_root_by_fingerprint(&HTTP.client, A, url, hex, &root, &e));
    assert_int_equal(e.kind, ERR_UNAUTHORIZED);
    assert_null(root);
    assert_false(ca_root_by_fingerprint(&HTTP.client, A, url, hex, &root, &e));
}

static void short_fingerprint_is_refused_before_any_request(void **state)
{
    static const char *const CASES[] = {
        "", "abcd", "zz", "0123456789012345678901234567890123456789012345678901234567890123a",
        "g123456789012345678901234567890123456789012345678901234567890123"};
    struct fake_answer answers[] = {{0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct cert *root = NULL;
        struct err e = {0};
        fake_http_init(&HTTP, A, answers);
        assert_false(ca_root_by_fingerprint(&HTTP.client, A, SLICE("https://ca.test"),
                                            slice_text(CASES[i]), &root, &e));
        assert_int_equal(e.kind, ERR_MALFORMED);
        assert_int_equal(HTTP.n_calls, 0);
    }
}

static void roots_and_federation_come_in_order(void **state)
{
    struct slice one = make_cert("One"), two = make_cert("Two");
    const char *body = arena_printf(A, "{\"crts\":[%s,%s]}", json_pem(one), json_pem(two));
    struct fake_answer answers[] = {{HTTP_GET, "/roots", 201, body, 0},
                                    {HTTP_GET, "/federation", 201, "{\"crts\":[]}", 0},
                                    {0}};
    struct ca ca = ca_with(answers);
    struct cert_list list;
    struct err e = {0};

    (void)state;
    assert_true(ca_roots(&ca, A, false, &list, &e));
    assert_int_equal(list.n, 2);
    assert_true(slice_eq(list.v[0]->der, one));
    assert_true(slice_eq(list.v[1]->der, two));
    assert_false(ca_roots(&ca, A, true, &list, &e));
}

/* --- Provisioners ----------------------------------------------------------------------------- */

static void all_pages_of_provisioners_are_read(void **state)
{
    struct fake_answer answers[] = {
        {HTTP_GET, "/provisioners?limit=100", 200,
         "{\"provisioners\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"nextCursor\":\"1f &\"}", 0},
        {HTTP_GET, "/provisioners?cursor=1f+%26&limit=100", 200,
         "{\"provisioners\":[{\"name\":\"c\"}],\"nextCursor\":\"\"}", 0},
        {0}};
    struct ca ca = ca_with(answers);
    const struct json **list;
    size_t n;
    struct err e = {0};

    (void)state;
    if (!ca_provisioners(&ca, A, &list, &n, &e))
        fail_msg("%s", e.text);
    assert_int_equal(n, 3);
    assert_slice(json_text(json_get(list[2], "name")), "c");
}

static void provisioners_without_end_are_refused(void **state)
{
    struct fake_answer answers[] = {{HTTP_GET, "/provisioners?limit=100", 200,
                                     "{\"provisioners\":null,\"nextCursor\":\"a\"}", 0},
                                    {HTTP_GET, "/provisioners?cursor=a&limit=100", 200,
                                     "{\"provisioners\":[],\"nextCursor\":\"a\"}", 0},
                                    {0}};
    struct ca ca = ca_with(answers);
    const struct json **list;
    size_t n;
    struct err e = {0};

    (void)state;
    assert_false(ca_provisioners(&ca, A, &list, &n, &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
}

static void encrypted_key_path_is_escaped(void **state)
{
    struct fake_answer answers[] = {
        {HTTP_GET, "/provisioners/a%2Fb%20c/encrypted-key", 200, "{\"key\":\"ey.1.2.3.4\"}", 0},
        {0}};
    struct ca ca = ca_with(answers);
    struct slice jwe;
    struct err e = {0};

    (void)state;
    if (!ca_encrypted_key(&ca, A, SLICE("a/b c"), &jwe, &e))
        fail_msg("%s", e.text);
    assert_slice(jwe, "ey.1.2.3.4");
}

/* --- Certificates
 * --------------------------------------------------------------------------------- */

static void sign_sends_only_what_is_set(void **state)
{
    struct slice leaf = make_cert("Leaf"), issuer = make_cert("Issuer");
    const char *body =
        arena_printf(A, "{\"crt\":%s,\"ca\":%s,\"certChain\":[%s,%s]}", json_pem(leaf),
                     json_pem(issuer), json_pem(leaf), json_pem(issuer));
    const char *old = arena_printf(A, "{\"crt\":%s,\"ca\":null}", json_pem(leaf));
    struct fake_answer answers[] = {{HTTP_POST, "/sign", 201, body, 0},
                                    {HTTP_POST, "/sign", 201, old, 0},
                                    {HTTP_POST, "/sign", 201, "{}", 0},
                                    {0}};
    struct ca ca = ca_with(answers);
    struct ca_sign_wish wish = {.csr_pem = SLICE("C\n"), .ott = SLICE("t.t.t")};
    struct cert_list chain;
    struct err e = {0};

    (void)state;
    assert_true(ca_sign(&ca, A, &wish, &chain, &e));
    assert_int_equal(chain.n, 2);
    assert_slice(HTTP.calls[0].body, "{\"csr\":\"C\\n\",\"ott\":\"t.t.t\"}");
    assert_slice(HTTP.calls[0].content_type, "application/json");

    wish.not_before = SLICE("1m");
    wish.not_after = SLICE("24h");
    wish.template_data = SLICE("{\"a\":1}");
    assert_true(ca_sign(&ca, A, &wish, &chain, &e));
    assert_int_equal(chain.n, 1);
    assert_slice(HTTP.calls[1].body, "{\"csr\":\"C\\n\",\"ott\":\"t.t.t\",\"notAfter\":\"24h\","
                                     "\"notBefore\":\"1m\",\"templateData\":{\"a\":1}}");
    assert_false(ca_sign(&ca, A, &wish, &chain, &e));
}

static void renewal_shows_either_certificate_or_token(void **state)
{
    struct slice leaf = make_cert("Leaf");
    const char *body = arena_printf(A, "{\"certChain\":[%s]}", json_pem(leaf));
    struct fake_answer answers[] = {{HTTP_POST, "/renew", 201, body, 0}, {0}};
    struct ca ca = ca_with(answers);
    struct identity identity = {0};
    struct cert_list chain;
    struct err e = {0};

    (void)state;
    ca.identity = &identity;
    assert_true(ca_renew(&ca, A, SLICE_NONE, &chain, &e));
    assert_true(HTTP.calls[0].identity);
    assert_null(HTTP.calls[0].body.p);
    assert_int_equal(HTTP.calls[0].bearer.n, 0);
    assert_true(ca_renew(&ca, A, SLICE("a.b.c"), &chain, &e));
    assert_false(HTTP.calls[1].identity);
    assert_slice(HTTP.calls[1].bearer, "a.b.c");
}

static void revocation_is_passive(void **state)
{
    struct fake_answer answers[] = {{HTTP_POST, "/revoke", 200, "{\"status\":\"ok\"}", 0}, {0}};
    struct ca ca = ca_with(answers);
    struct ca_revoke_wish wish = {SLICE("31"), SLICE("a.b.c"), SLICE("lost \"it\""), 1};
    struct err e = {0};

    (void)state;
    assert_true(ca_revoke(&ca, A, &wish, &e));
    assert_slice(HTTP.calls[0].body, "{\"serial\":\"31\",\"ott\":\"a.b.c\",\"reasonCode\":1,"
                                     "\"reason\":\"lost \\\"it\\\"\",\"passive\":true}");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(url_is_read_as_people_write_it),
        T(url_with_another_scheme_or_no_host_is_refused),
        T(health_is_asked_with_an_id_and_without_redirects),
        T(error_tells_the_message_of_the_ca),
        T(answer_that_is_not_json_is_refused),
        T(root_is_believed_only_under_its_whole_digest),
        T(short_fingerprint_is_refused_before_any_request),
        T(roots_and_federation_come_in_order),
        T(all_pages_of_provisioners_are_read),
        T(provisioners_without_end_are_refused),
        T(encrypted_key_path_is_escaped),
        T(sign_sends_only_what_is_set),
        T(renewal_shows_either_certificate_or_token),
        T(revocation_is_passive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
