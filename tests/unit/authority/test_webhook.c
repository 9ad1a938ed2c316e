/* Webhooks at issuance, with a server that is a table of answers: who is called with what, what an
 * answer does, and what a request costs the others. */
#include "authority/webhook.h"

#include "authority_testing.h"
#include "client/fake_http.h"

static const char *const NONE[] = {NULL};
static struct fake_http HTTP;
static struct private_key *KEY;

static int setup(void **state)
{
    if (world_begin(state) != 0)
        return -1;
    KEY = key_new(KEY_P256, 0);
    return 0;
}
#define HOOK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_end)

/* "ops" with these webhooks and this template, and a server with these answers. */
static void begin(const char *webhooks, const char *template, struct fake_answer *answers)
{
    struct json *options = json_of(arena_printf(A, "{\"webhooks\":[%s]}", webhooks));

    if (template) {
        struct json *x509 = json_of("{}");
        json_set_exact(x509, A, "template", json_make_text(A, slice_text(template)));
        json_set_exact(options, A, "x509", x509);
    }
    json_set_exact(world_provisioners()->first, A, "options", options);
    world_start(true);
    fake_http_init(&HTTP, A, answers);
    W.s.http = &HTTP.client;
}

static bool sign(struct work *w, struct cert **c)
{
    struct validity_wish none = {0};
    struct issued_cert out;

    *w = work_new();
    if (!sign_x509(w, usual_grant(w), csr_new(KEY, "foo.test", NONE), &none, NULL, &out))
        return false;
    ok(cert_read(A, out.der, c, e));
    return true;
}

#define HOOK(name, kind, more)                                                                     \
    "{\"name\":\"" name "\",\"kind\":\"" kind "\",\"url\":\"https://hook.test/" name               \
    "\",\"secret\":\"a2V5\"" more "}"
#define POST(path, status, body)                                                                   \
    {                                                                                              \
        HTTP_POST, path, status, body, 0                                                           \
    }
#define YES "{\"allow\":true}"

static void they_are_called_in_order_until_one_refuses(void **state)
{
    struct fake_answer answers[] = {POST("/a", 200, YES), POST("/b", 200, YES),
                                    POST("/c", 200, YES), POST("/d", 200, "{\"allow\":false}"),
                                    POST("/e", 200, YES), {0}};
    struct work w;
    struct cert *c;

    (void)state;
    begin(
        HOOK("c", "AUTHORIZING", "") "," HOOK("a", "ENRICHING", "") "," HOOK(
            "s", "ENRICHING",
            ",\"certType\":\"SSH\"") "," HOOK("n", "NOTIFYING",
                                              "") "," HOOK("b", "ENRICHING",
                                                           ",\"certType\":\"X509\"") "," HOOK("d",
                                                                                              "AUTH"
                                                                                              "ORIZ"
                                                                                              "ING",
                                                                                              "") "," HOOK("e",
                                                                                                           "AUTHORIZING",
                                                                                                           ""),
        NULL, answers);
    assert_false(sign(&w, &c));
    assert_int_equal(w.err.kind, ERR_FORBIDDEN);
    assert_string_equal(w.err.code, WEBHOOK_DENIED);
    static const char *const ORDER[] = {"/a", "/b", "/c", "/d"};
    assert_int_equal(HTTP.n_calls, COUNT_OF(ORDER));
    for (size_t i = 0; i < COUNT_OF(ORDER); i++)
        assert_slice(fake_path(HTTP.calls[i].url), ORDER[i]);
    assert_true(HTTP.calls[0].n_anchors >= 2 && !HTTP.calls[0].anybody);
    assert_int_equal(HTTP.calls[0].redirects, 0);
}

/* The use of the token is written down before somebody else hears of the request. */
static void a_request_that_was_told_is_not_run_again(void **state)
{
    struct fake_answer answers[] = {POST("/a", 200, YES), {0}};
    struct grant *g;
    struct work w;
    struct cert *c;

    (void)state;
    begin(HOOK("a", "ENRICHING", ""), NULL, answers);
    assert_true(sign(&w, &c));
    assert_true(w.committed);
    w = work_new();
    g = usual_grant(&w);
    struct validity_wish none = {0};
    struct issued_cert out;
    work_refused(&w, sign_x509(&w, g, csr_new(KEY, "foo.test", NONE), &none, NULL, &out),
                 ERR_UNAUTHORIZED, "");
    assert_int_equal(HTTP.n_calls, 1);
}

static void data_reaches_template_and_later_urls(void **state)
{
    struct fake_answer answers[] = {
        POST("/a", 200, "{\"allow\":true,\"data\":{\"unit\":\"U \\\" x\",\"id\":7}}"),
        POST("/b/foo.test/7", 200, "{\"allow\":true,\"data\":null}"),
        POST("/c/7/foo.test", 200, YES),
        {0}};
    struct work w;
    struct cert *c;

    (void)state;
    begin(HOOK("a", "ENRICHING",
               "") ",{\"name\":\"b\",\"kind\":\"ENRICHING\",\"url\":"
                   "\"https://hook.test/b/{{ .Token.sub }}/{{ .Webhooks.a.id }}\"},"
                   "{\"name\":\"c\",\"kind\":\"AUTHORIZING\",\"url\":"
                   "\"https://hook.test/c/{{ .Webhooks.a.id }}/{{ .Insecure.CR.Subject.CommonName "
                   "}}\"}",
          "{\"subject\":{\"commonName\":\"x\",\"organizationalUnit\":{{toJson .Webhooks.a.unit}}},"
          "\"sans\":{{toJson .SANs}}}",
          answers);
    if (!sign(&w, &c))
        fail_msg("%s", w.err.text);
    assert_slice(dn_get(&c->subject, &OID_OU), "U \" x");
    assert_int_equal(HTTP.n_calls, 3);
}

static void only_a_plain_yes_is_one(void **state)
{
    static const struct {
        int status;
        const char *body, *code, *says;
        unsigned calls;
    } ROWS[] = {
        {200, "{\"allow\":false}", WEBHOOK_DENIED, "not allowed by a webhook", 1},
        {200, "{}", WEBHOOK_DENIED, "not allowed", 1},
        {200, "{\"allow\":null}", WEBHOOK_DENIED, "not allowed", 1},
        {200, "{\"allow\":false,\"error\":null}", WEBHOOK_DENIED, "not allowed", 1},
        {200, "{\"allow\":false,\"error\":{\"code\":\"C\",\"message\":\"no %s\\n\"}}",
         WEBHOOK_DENIED, "no %s? (C)", 1},
        {200, "{\"allow\":false,\"error\":{\"message\":\"only words\"}}", WEBHOOK_DENIED,
         "only words", 1},
        {200, "{\"allow\":1}", WEBHOOK_FAILED, "not allowed", 1},
        {200, "[true]", WEBHOOK_FAILED, "not allowed", 1},
        {200, "", WEBHOOK_FAILED, "not allowed", 1},
        {200, "allow", WEBHOOK_FAILED, "not allowed", 1},
        {201, "x", WEBHOOK_FAILED, "not allowed", 1},
        {302, YES, WEBHOOK_FAILED, "not allowed", 1},
        {404, YES, WEBHOOK_FAILED, "not allowed", 1},
        {500, YES, WEBHOOK_FAILED, "not allowed", 2},
        {0, "", WEBHOOK_FAILED, "not allowed", 2},
    };
    struct work w;
    struct cert *c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct fake_answer answers[] = {{HTTP_POST, "/a", ROWS[i].status, ROWS[i].body, 0}, {0}};
        if (i == 0) {
            begin(HOOK("a", "ENRICHING", ""), NULL, answers);
        } else {
            store_close(W.s.store);
            W.s.store = store_memory_open(true, &TEST_CLOCK);
            fake_http_init(&HTTP, A, answers);
        }
        if (sign(&w, &c) || w.err.kind != ERR_FORBIDDEN || strcmp(w.err.code, ROWS[i].code) != 0 ||
            !strstr(w.err.text, ROWS[i].says) || HTTP.n_calls != ROWS[i].calls)
            fail_msg("row %zu: %s \"%s\", %zu calls", i, err_kind_name(w.err.kind), w.err.text,
                     HTTP.n_calls);
    }
}

static void words_of_an_authorizing_webhook_are_noted_only(void **state)
{
    struct fake_answer answers[] = {
        POST("/a", 200, "{\"allow\":false,\"error\":{\"code\":\"C 1\",\"message\":\"why\"}}"), {0}};
    struct work w;
    struct cert *c;

    (void)state;
    begin(HOOK("a", "AUTHORIZING", ""), NULL, answers);
    assert_false(sign(&w, &c));
    assert_null(strstr(w.err.text, "why"));
    assert_false(w.err.tell);
    assert_slice(w.err.notes->name, WEBHOOK_NOTE "C 1");
    assert_slice(w.err.notes->text, "why");
}

/* Somebody else's slow webhook must not take every worker. */
static void too_many_waiting_are_refused_at_once(void **state)
{
    struct fake_answer answers[] = {POST("/a", 200, YES), {0}};
    struct webhook *h;
    struct work w;
    struct cert *c;

    (void)state;
    begin(HOOK("a", "ENRICHING", ""), NULL, answers);
    h = &W.s.current->registry->all[0]->webhooks.v[0];
    atomic_store(&h->busy, 1000);
    assert_false(sign(&w, &c));
    assert_int_equal(w.err.kind, ERR_UNAVAILABLE);
    assert_int_equal(atomic_load(&h->busy), 1000);
    atomic_store(&h->busy, 0);
    atomic_store(&W.s.webhook_busy, WEBHOOKS_WAITING);
    store_close(W.s.store);
    W.s.store = store_memory_open(true, &TEST_CLOCK);
    assert_false(sign(&w, &c));
    assert_int_equal(w.err.kind, ERR_UNAVAILABLE);
    assert_int_equal(HTTP.n_calls, 0);
    assert_int_equal(atomic_load(&h->busy), 0);
    atomic_store(&W.s.webhook_busy, 0);
    store_close(W.s.store);
    W.s.store = store_memory_open(true, &TEST_CLOCK);
    assert_true(sign(&w, &c));
    assert_int_equal(atomic_load(&W.s.webhook_busy), 0);
    assert_int_equal(W.s.webhook_gate.inside, 0);
}

/* --- Bodies -------------------------------------------------------------------------------------
 */

static const struct json *body_of(const struct grant *g, const struct webhook_subject *about)
{
    struct slice body;

    ok(webhook_body(A, test_now, g, about, &body, e));
    return json_of(arena_cstr(A, body));
}

static struct slice names_of(const struct json *object)
{
    struct buf b = buf_new(A, 8192);

    for (const struct json *m = object->first; m; m = m->next)
        buf_printf(&b, "%s%.*s", b.n > 0 ? " " : "", SLICE_ARG(m->name));
    return buf_slice(&b);
}

static void a_request_body_has_its_members_in_order(void **state)
{
    static const char *const SANS[] = {"foo.test", "10.0.0.1", NULL};
    struct csr *csr = csr_new(KEY, "foo.test", SANS);

    (void)state;
    world_start(true);
    struct work w = work_new();
    struct grant *g = usual_grant(&w);
    const struct json *v = body_of(g, &(struct webhook_subject){.csr = csr});
    assert_slice(names_of(v), "timestamp provisionerName x509CertificateRequest");
    assert_slice(json_text(json_get(v, "timestamp")), "2026-02-03T10:20:30Z");
    const struct json *r = json_get(v, "x509CertificateRequest");
    assert_slice(names_of(r),
                 "version subject rawSubject dnsNames emailAddresses ipAddresses uris sans "
                 "extensions keyUsage extKeyUsage unknownExtKeyUsage basicConstraints "
                 "signatureAlgorithm publicKey publicKeyAlgorithm raw");
    assert_slice(json_text(json_get(r, "raw")),
                 arena_cstr(A, base64_text(A, BASE64_STD, csr->der)));
    assert_slice(json_text(json_get(r, "publicKey")),
                 arena_cstr(A, base64_text(A, BASE64_STD, csr->spki)));
    assert_int_equal(json_get(r, "emailAddresses")->kind, JSON_NULL);
    assert_int_equal(json_get(r, "extKeyUsage")->kind, JSON_LIST);
}

static void a_certificate_body_says_everything(void **state)
{
    struct x509_leaf leaf = leaf_new(KEY, "foo.test");

    (void)state;
    world_start(true);
    struct work w = work_new();
    struct grant *g = usual_grant(&w);
    g->principal = SLICE("i-0123");
    g->x509.device = SLICE("SERIAL");
    const struct json *v = body_of(g, &(struct webhook_subject){.leaf = &leaf});
    assert_slice(names_of(v), "timestamp provisionerName attestationData authorizationPrincipal "
                              "x509Certificate");
    assert_slice(json_text(json_get(json_get(v, "attestationData"), "permanentIdentifier")),
                 "SERIAL");
    assert_slice(json_text(json_get(v, "authorizationPrincipal")), "i-0123");
    v = json_get(v, "x509Certificate");
    assert_slice(names_of(v),
                 "version subject rawSubject issuer serialNumber dnsNames emailAddresses "
                 "ipAddresses uris sans extensions keyUsage extKeyUsage unknownExtKeyUsage "
                 "subjectKeyId authorityKeyId ocspServer issuingCertificateURL "
                 "crlDistributionPoints policyIdentifiers basicConstraints nameConstraints "
                 "signatureAlgorithm publicKey publicKeyAlgorithm notBefore notAfter raw");
    assert_int_equal(json_get(v, "raw")->kind, JSON_NULL);
    assert_int_equal(json_get(v, "serialNumber")->kind, JSON_NULL);
    assert_slice(json_text(json_get(v, "publicKeyAlgorithm")), "ECDSA");
}

static void the_certificate_that_asked_is_told(void **state)
{
    struct x509_leaf leaf = leaf_new(KEY, "edge device");
    struct cert *c = cert_sign(&leaf, W.edge_key, W.edge_root);

    (void)state;
    world_start(true);
    struct work w = work_new();
    struct grant *g = usual_grant(&w);
    g->credential = c;
    const struct json *v =
        body_of(g, &(struct webhook_subject){.csr = csr_new(KEY, "foo.test", NONE)});
    assert_slice(json_text(json_get(v, "authorizationPrincipal")), "edge device");
    const struct json *x = json_get(v, "x5cCertificate");
    assert_slice(names_of(x), "raw publicKey publicKeyAlgorithm notBefore notAfter");
    assert_slice(json_text(json_get(x, "raw")), arena_cstr(A, base64_text(A, BASE64_STD, c->der)));
}

static void ssh_bodies_have_their_members(void **state)
{
    static const struct webhook_ssh_pair PAIRS[] = {{SLICE("force-command"), SLICE("/bin/x")}};
    struct slice principals[] = {SLICE("ann"), SLICE("ops")};
    struct webhook_ssh s = {.request = true,
                            .public_key = SLICE("\1\2\3"),
                            .type = SLICE("user"),
                            .key_id = SLICE("ann@x.test"),
                            .principals = principals,
                            .n_principals = 2,
                            .serial = UINT64_MAX,
                            .valid_after = 1,
                            .valid_before = 2,
                            .critical_options = PAIRS,
                            .n_critical_options = 1};
    struct buf b = buf_new(A, 8192);

    (void)state;
    world_start(true);
    struct work w = work_new();
    struct grant *g = usual_grant(&w);
    const struct json *v = body_of(g, &(struct webhook_subject){.ssh = &s});
    json_print(&b, json_get(v, "sshCertificateRequest"), NULL);
    assert_slice(buf_slice(&b), "{\"publicKey\":\"AQID\",\"type\":\"user\",\"keyID\":"
                                "\"ann@x.test\",\"principals\":[\"ann\",\"ops\"]}");
    s.request = false;
    buf_reset(&b);
    v = body_of(g, &(struct webhook_subject){.ssh = &s});
    json_print(&b, json_get(v, "sshCertificate"), NULL);
    assert_slice(buf_slice(&b),
                 "{\"nonce\":null,\"serial\":18446744073709551615,\"type\":\"user\",\"keyId\":"
                 "\"ann@x.test\",\"principals\":[\"ann\",\"ops\"],\"criticalOptions\":{"
                 "\"force-command\":\"/bin/x\"},\"extensions\":null,\"reserved\":null,"
                 "\"publicKey\":\"AQID\",\"signatureKey\":null,\"validBefore\":2,"
                 "\"validAfter\":1}");
}

static void the_token_is_never_sent(void **state)
{
    struct fake_answer answers[] = {POST("/a", 200, YES), POST("/b", 200, YES), {0}};
    struct work w = {0};
    struct cert *c;

    (void)state;
    begin(HOOK("a", "ENRICHING", "") "," HOOK("b", "AUTHORIZING", ""), NULL, answers);
    assert_true(sign(&w, &c));
    assert_int_equal(HTTP.n_calls, 2);
    struct slice head = SLICE("eyJ"); /* how every token begins */
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(slice_search(HTTP.calls[i].body, head), HTTP.calls[i].body.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOOK_TEST(they_are_called_in_order_until_one_refuses),
        HOOK_TEST(a_request_that_was_told_is_not_run_again),
        HOOK_TEST(data_reaches_template_and_later_urls),
        HOOK_TEST(only_a_plain_yes_is_one),
        HOOK_TEST(words_of_an_authorizing_webhook_are_noted_only),
        HOOK_TEST(too_many_waiting_are_refused_at_once),
        HOOK_TEST(a_request_body_has_its_members_in_order),
        HOOK_TEST(a_certificate_body_says_everything),
        HOOK_TEST(the_certificate_that_asked_is_told),
        HOOK_TEST(ssh_bodies_have_their_members),
        HOOK_TEST(the_token_is_never_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
