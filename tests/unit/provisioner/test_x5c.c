/* X5C provisioners: the chain in the token's header decides. */
#include "provisioner_testing.h"

static struct private_key *ROOT_KEY, *INT_KEY, *LEAF_KEY;
static struct cert *ROOT, *INT, *LEAF;
static struct provisioner *EDGE;

static struct x509_leaf client_leaf(void)
{
    struct x509_leaf leaf = leaf_new(LEAF_KEY, "device 7");

    use_for(&leaf, &OID_EKU_CLIENT);
    return leaf;
}

static int setup(void **state)
{
    struct x509_leaf leaf;

    arena_setup(state);
    test_now = instant_sec(NOW_SEC);
    ROOT_KEY = key_new(KEY_P256, 0);
    INT_KEY = key_new(KEY_P256, 0);
    LEAF_KEY = key_new(KEY_P256, 0);
    leaf = ca_leaf(ROOT_KEY, "partner root");
    ROOT = cert_sign(&leaf, ROOT_KEY, NULL);
    leaf = ca_leaf(INT_KEY, "partner intermediate");
    INT = cert_sign(&leaf, ROOT_KEY, ROOT);
    leaf = client_leaf();
    LEAF = cert_sign(&leaf, INT_KEY, INT);
    EDGE = provisioner_of(x5c_object("edge", ROOT));
    if (EDGE->trouble)
        fail_msg("%s", EDGE->trouble);
    return 0;
}

static struct json *claims_new(void)
{
    struct json *c = json_of("{\"iss\":\"edge\",\"sub\":\"foo.test\",\"aud\":\"https://ca.test/1.0/"
                             "sign#x5c/edge\",\"jti\":\"once\"}");

    json_set_exact(c, A, "iat", json_make_int(A, NOW_SEC));
    json_set_exact(c, A, "exp", json_make_int(A, NOW_SEC + 300));
    return c;
}

static const char *header(struct cert *const *chain, size_t n)
{
    struct buf b = buf_new(A, 65536);

    buf_text(&b, "{\"alg\":\"ES256\",\"x5c\":[");
    for (size_t i = 0; i < n; i++) {
        buf_text(&b, i ? ",\"" : "\"");
        base64_put(&b, BASE64_STD, chain[i]->der);
        buf_byte(&b, '"');
    }
    buf_text(&b, "]}");
    return arena_cstr(A, buf_slice(&b));
}

static struct slice token_by(struct cert *leaf, const struct private_key *key,
                             const struct json *claims)
{
    struct cert *chain[] = {leaf, INT};

    return token_sign(key, JWS_ES256, header(chain, 2), claims);
}

static bool sign_says(struct slice token, struct err *e)
{
    struct grant g;

    return judge(EDGE, token, METHOD_SIGN, &g, e);
}

static void a_good_chain_grants_within_its_validity(void **state)
{
    struct grant g;

    (void)state;
    assert_slice(EDGE->token_id, "x5c/edge");
    ok(judge(EDGE, token_by(LEAF, LEAF_KEY, claims_new()), METHOD_SIGN, &g, e));
    assert_slice(g.subject, "foo.test");
    assert_slice(g.use_key, "once");
    assert_int_equal(g.x509.credential_id.n, 0);
    assert_true(g.x509.limited);
    assert_int_equal(g.x509.not_before_floor.sec, LEAF->not_before.sec);
    assert_int_equal(g.x509.not_after_ceiling.sec, LEAF->not_after.sec);
    /* The common name is the subject, not just one of the names. */
    struct json *c = claims_new();
    json_change(c, "sans", "[\"foo.test\",\"bar.test\"]");
    ok(judge(EDGE, token_by(LEAF, LEAF_KEY, c), METHOD_SIGN, &g, e));
    ok(csr_rules_check(A, g.x509.rules, g.x509.n_rules, csr_new(LEAF_KEY, "foo.test", NULL), e));
    refused(
        csr_rules_check(A, g.x509.rules, g.x509.n_rules, csr_new(LEAF_KEY, "bar.test", NULL), e),
        ERR_FORBIDDEN, "bar.test");
}

static void the_audience_names_the_provisioner(void **state)
{
    static const struct {
        const char *aud;
        bool good;
    } ROWS[] = {
        {"\"https://ca.test:9000/sign#x5c/edge\"", true},
        {"\"https://ca.test/sign#x5c%2Fedge\"", true},
        {"\"step-certificate-authority#x5c/edge\"", true},
        {"\"https://ca.test/sign\"", false},
        {"\"https://ca.test/sign#x5c/other\"", false},
        {"\"https://ca.test/renew#x5c/edge\"", false},
        {"\"step-certificate-authority\"", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct json *c = claims_new();
        struct err e = {0};
        json_change(c, "aud", ROWS[i].aud);
        bool good = sign_says(token_by(LEAF, LEAF_KEY, c), &e);
        if (good != ROWS[i].good || (!good && e.kind != ERR_UNAUTHORIZED))
            fail_msg("row %zu: %s", i, e.text);
    }
}

static void other_roots_are_strangers(void **state)
{
    struct private_key *key = key_new(KEY_P256, 0);
    struct x509_leaf leaf = ca_leaf(key, "partner root"); /* the same name */
    struct cert *root = cert_sign(&leaf, key, NULL);
    struct cert *chain[2] = {NULL, root};

    (void)state;
    leaf = client_leaf();
    chain[0] = cert_sign(&leaf, key, root);
    refused(sign_says(token_sign(LEAF_KEY, JWS_ES256, header(chain, 2), claims_new()), e),
            ERR_UNAUTHORIZED, "x5c");
    refused(sign_says(token_sign(LEAF_KEY, JWS_ES256, header(chain, 1), claims_new()), e),
            ERR_UNAUTHORIZED, "x5c");
    /* Its own intermediate is missing. */
    chain[0] = LEAF;
    refused(sign_says(token_sign(LEAF_KEY, JWS_ES256, header(chain, 1), claims_new()), e),
            ERR_UNAUTHORIZED, "x5c");
}

static void the_leaf_must_be_fit(void **state)
{
    struct x509_leaf leaf = client_leaf();

    (void)state;
    use_for(&leaf, &OID_EKU_SERVER);
    refused(sign_says(token_by(cert_sign(&leaf, INT_KEY, INT), LEAF_KEY, claims_new()), e),
            ERR_UNAUTHORIZED, "x5c");
    leaf = client_leaf();
    leaf.key_usage = KU_KEY_AGREEMENT;
    refused(sign_says(token_by(cert_sign(&leaf, INT_KEY, INT), LEAF_KEY, claims_new()), e),
            ERR_UNAUTHORIZED, "digitalSignature");
    leaf.key_usage = 0;
    refused(sign_says(token_by(cert_sign(&leaf, INT_KEY, INT), LEAF_KEY, claims_new()), e),
            ERR_UNAUTHORIZED, "digitalSignature");
    leaf = client_leaf();
    leaf.not_after = instant_sec(NOW_SEC - 1);
    refused(sign_says(token_by(cert_sign(&leaf, INT_KEY, INT), LEAF_KEY, claims_new()), e),
            ERR_UNAUTHORIZED, "expired");
    leaf = client_leaf();
    leaf.not_before = instant_sec(NOW_SEC + 1);
    refused(sign_says(token_by(cert_sign(&leaf, INT_KEY, INT), LEAF_KEY, claims_new()), e),
            ERR_UNAUTHORIZED, "x5c");
}

static void the_leafs_key_must_have_signed(void **state)
{
    (void)state;
    refused(sign_says(token_by(LEAF, INT_KEY, claims_new()), e), ERR_UNAUTHORIZED, "");
    refused(sign_says(token_by(LEAF, key_new(KEY_P256, 0), claims_new()), e), ERR_UNAUTHORIZED, "");
}

static void broken_headers_are_refused(void **state)
{
    static const char *const HEADERS[] = {
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"x5c\":[]}",
        "{\"alg\":\"ES256\",\"x5c\":\"AAAA\"}",
        "{\"alg\":\"ES256\",\"x5c\":[5]}",
        "{\"alg\":\"ES256\",\"x5c\":[\"AAAA\"]}",
        "{\"alg\":\"ES256\",\"x5c\":[\"!\"]}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(HEADERS); i++) {
        struct slice token = token_sign(LEAF_KEY, JWS_ES256, HEADERS[i], claims_new());
        refused(sign_says(token, e), ERR_UNAUTHORIZED, "x5c");
    }
}

static void bad_claims_are_refused(void **state)
{
    static const struct {
        const char *claim, *json;
    } ROWS[] = {
        {"iss", "\"other\""},   {"sub", NULL},          {"exp", "1"},
        {"iat", "99999999999"}, {"nbf", "99999999999"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct json *c = claims_new();
        json_change(c, ROWS[i].claim, ROWS[i].json);
        refused(sign_says(token_by(LEAF, LEAF_KEY, c), e), ERR_UNAUTHORIZED, "");
    }
}

static void revocation_is_allowed_by_its_own_audience(void **state)
{
    struct json *c = claims_new();
    struct grant g;

    (void)state;
    refused(judge(EDGE, token_by(LEAF, LEAF_KEY, c), METHOD_REVOKE, &g, e), ERR_UNAUTHORIZED,
            "audience");
    json_change(c, "aud", "\"https://ca.test/revoke#x5c/edge\"");
    ok(judge(EDGE, token_by(LEAF, LEAF_KEY, c), METHOD_REVOKE, &g, e));
    assert_slice(g.subject, "foo.test");
}

#define X5C_TEST(name) cmocka_unit_test_setup_teardown(name, setup, arena_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        X5C_TEST(a_good_chain_grants_within_its_validity),
        X5C_TEST(the_audience_names_the_provisioner),
        X5C_TEST(other_roots_are_strangers),
        X5C_TEST(the_leaf_must_be_fit),
        X5C_TEST(the_leafs_key_must_have_signed),
        X5C_TEST(broken_headers_are_refused),
        X5C_TEST(bad_claims_are_refused),
        X5C_TEST(revocation_is_allowed_by_its_own_audience),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
