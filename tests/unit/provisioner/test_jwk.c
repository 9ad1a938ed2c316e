/* JWK provisioners: which tokens they believe, and what those grant. */
#include "crypto/digest.h"
#include "provisioner_testing.h"

static struct private_key *KEY;
static struct jwk JWK;
static struct provisioner *OPS;

static int setup(void **state)
{
    arena_setup(state);
    test_now = instant_sec(NOW_SEC);
    KEY = key_new(KEY_P256, 0);
    JWK = jwk_new(KEY);
    OPS = provisioner_of(jwk_object("ops", &JWK));
    if (OPS->trouble)
        fail_msg("%s", OPS->trouble);
    return 0;
}

static struct json *claims_new(void)
{
    struct json *c = json_of("{\"iss\":\"ops\",\"sub\":\"foo.test\",\"aud\":\"https://ca.test/1.0/"
                             "sign\",\"jti\":\"once\",\"sans\":[\"foo.test\",\"10.0.0.1\"]}");

    json_set_exact(c, A, "iat", json_make_int(A, NOW_SEC));
    json_set_exact(c, A, "nbf", json_make_int(A, NOW_SEC));
    json_set_exact(c, A, "exp", json_make_int(A, NOW_SEC + 300));
    return c;
}

static const char *header(const char *alg)
{
    return arena_printf(A, "{\"alg\":\"%s\",\"kid\":\"%.*s\",\"typ\":\"JWT\"}", alg,
                        SLICE_ARG(JWK.kid));
}

static struct slice token_with(const char *name, const char *json)
{
    struct json *c = claims_new();

    json_change(c, name, json);
    return token_sign(KEY, JWS_ES256, header("ES256"), c);
}

static void ids_come_from_name_and_kid(void **state)
{
    (void)state;
    assert_slice(OPS->token_id, arena_printf(A, "ops:%.*s", SLICE_ARG(JWK.kid)));
    assert_true(slice_eq(OPS->id, OPS->token_id));
    assert_true(slice_eq(OPS->kid, JWK.kid));
    assert_int_equal(OPS->type->number, 1);
}

static void a_good_token_grants_its_names(void **state)
{
    static const enum csr_rule_kind RULES[] = {CSR_RULE_CN_IN, CSR_RULE_KEY, CSR_RULE_SANS_EQUAL};
    struct grant g;

    (void)state;
    ok(judge(OPS, token_with("typ", NULL), METHOD_SIGN, &g, e));
    assert_slice(g.subject, "foo.test");
    assert_slice(g.use_key, "once");
    assert_false(g.reusable);
    assert_slice(g.x509.subject.common_name, "foo.test");
    assert_int_equal(g.x509.sans.n, 2);
    assert_slice(g.x509.sans.v[0].text, "foo.test");
    assert_slice(g.x509.sans.v[1].text, "10.0.0.1");
    assert_true(slice_eq(g.x509.credential_id, JWK.kid));
    assert_false(g.x509.limited);
    assert_int_equal(g.x509.n_rules, COUNT_OF(RULES));
    for (size_t i = 0; i < COUNT_OF(RULES); i++)
        assert_int_equal(g.x509.rules[i].kind, RULES[i]);
    /* The common name may be the subject or any of the names. */
    ok(csr_rules_check(A, g.x509.rules, g.x509.n_rules, csr_new(KEY, "10.0.0.1", NULL), e));
    ok(csr_rules_check(A, g.x509.rules, g.x509.n_rules, csr_new(KEY, "foo.test", NULL), e));
    refused(csr_rules_check(A, g.x509.rules, g.x509.n_rules, csr_new(KEY, "x.test", NULL), e),
            ERR_FORBIDDEN, "x.test");
}

static void without_sans_the_subject_is_the_name(void **state)
{
    static const char *const NONE[] = {NULL, "[]", "null"};
    struct grant g;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NONE); i++) {
        ok(judge(OPS, token_with("sans", NONE[i]), METHOD_SIGN, &g, e));
        assert_int_equal(g.x509.sans.n, 1);
        assert_slice(g.x509.sans.v[0].text, "foo.test");
    }
}

static void confirmation_becomes_a_rule(void **state)
{
    struct csr *csr = csr_new(KEY, "foo.test", NULL);
    struct slice digest = digest_bytes(A, DIGEST_SHA256, csr->der);
    struct slice text = base64_text(A, BASE64_URL_RAW, digest);
    char *cnf = arena_printf(A, "{\"x5rt#S256\":\"%.*s\"}", SLICE_ARG(text));
    struct grant g;

    (void)state;
    ok(judge(OPS, token_with("cnf", cnf), METHOD_SIGN, &g, e));
    assert_int_equal(g.x509.rules[0].kind, CSR_RULE_FINGERPRINT);
    ok(csr_rules_check(A, g.x509.rules, g.x509.n_rules, csr, e));
    refused(csr_rules_check(A, g.x509.rules, g.x509.n_rules,
                            csr_new(key_new(KEY_P256, 0), "foo.test", NULL), e),
            ERR_FORBIDDEN, "cnf");
    ok(judge(OPS, token_with("cnf", "{\"kid\":\"other member\"}"), METHOD_SIGN, &g, e));
    assert_int_equal(g.x509.rules[0].kind, CSR_RULE_CN_IN);
}

static void times_have_a_minute_of_leeway(void **state)
{
    static const struct {
        const char *claim;
        int64_t offset;
        bool good;
    } ROWS[] = {
        {"exp", -30, true}, {"exp", -60, true}, {"exp", -61, false},
        {"nbf", 30, true},  {"nbf", 60, true},  {"nbf", 61, false},
        {"iat", 60, true},  {"iat", 61, false}, {"iat", -86400, true},
    };
    struct grant g;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        char *number = arena_printf(A, "%lld", (long long)(NOW_SEC + ROWS[i].offset));
        struct err e = {0};
        bool good = judge(OPS, token_with(ROWS[i].claim, number), METHOD_SIGN, &g, &e);
        if (good != ROWS[i].good || (!good && e.kind != ERR_UNAUTHORIZED))
            fail_msg("row %zu: %s", i, e.text);
    }
    ok(judge(OPS, token_with("exp", NULL), METHOD_SIGN, &g, e));
    ok(judge(OPS, token_with("nbf", NULL), METHOD_SIGN, &g, e));
    ok(judge(OPS, token_with("iat", NULL), METHOD_SIGN, &g, e));
    /* Fractions are cut. */
    ok(judge(OPS, token_with("exp", arena_printf(A, "%lld.9", (long long)NOW_SEC - 60)),
             METHOD_SIGN, &g, e));
}

static void bad_claims_are_refused(void **state)
{
    static const struct {
        const char *claim, *json, *says;
    } ROWS[] = {
        {"iss", "\"other\"", "issuer"},
        {"iss", "\"OPS\"", "issuer"},
        {"iss", NULL, "issuer"},
        {"sub", NULL, "subject"},
        {"sub", "\"\"", "subject"},
        {"aud", NULL, "audience"},
        {"aud", "[]", "audience"},
        {"aud", "\"https://other.test/1.0/sign\"", "audience"},
        {"aud", "\"https://ca.test/1.0/renew\"", "audience"},
        {"aud", "\"https://ca.test/1.0/revoke\"", "audience"},
        {"aud", "\"https://ca.test/1.0/sign/\"", "audience"},
        {"aud", "\"https://CA.test/1.0/sign\"", "audience"},
        {"aud", "\"https://ca.test/1.0/sign#x5c/ops\"", "audience"},
        {"sans", "\"foo.test\"", NULL}, /* a lone text is a list of one */
        {"sans", "[5]", "sans"},
        {"sans", "{}", "sans"},
        {"cnf", "\"x\"", "cnf"},
        {"cnf", "{\"x5rt#S256\":5}", "cnf"},
        {"cnf", "{\"x5rt#S256\":\"\"}", "cnf"},
    };
    struct grant g;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct err e = {0};
        bool good = judge(OPS, token_with(ROWS[i].claim, ROWS[i].json), METHOD_SIGN, &g, &e);
        if (good != !ROWS[i].says ||
            (!good && (e.kind != ERR_UNAUTHORIZED || !strstr(e.text, ROWS[i].says))))
            fail_msg("row %zu (%s %s): %s", i, ROWS[i].claim, ROWS[i].json, e.text);
    }
}

static void several_and_old_audiences_pass(void **state)
{
    static const char *const GOOD[] = {
        "[\"https://other.test/sign\",\"https://ca.test/1.0/sign\"]",
        "\"https://ca.test:9000/1.0/sign\"",
        "\"https://127.0.0.1/sign\"",
        "\"step-certificate-authority\"",
        "[\"https://ca.test/ssh/sign\"]",
    };
    struct grant g;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(GOOD); i++)
        ok(judge(OPS, token_with("aud", GOOD[i]), METHOD_SIGN, &g, e));
}

static struct slice es256_of(const struct private_key *key, struct slice input)
{
    struct buf der = buf_new(A, 1024);
    struct sig_alg alg = {SIG_ECDSA, DIGEST_SHA256};
    static uint8_t both[2 * 48];

    ok(private_key_sign(key, alg, input, &der, e));
    /* ECDSA-Sig-Value to R and S of the P-384 field. */
    const uint8_t *p = der.p + 2;
    for (size_t i = 0; i < 2; i++) {
        size_t n = p[1];
        const uint8_t *v = p + 2;
        p = v + n;
        for (; n > 48; n--)
            v++;
        memset(both + 48 * i, 0, 48 - n);
        memcpy(both + 48 * (i + 1) - n, v, n);
    }
    return slice_of(both, sizeof(both));
}

static void bad_signatures_are_refused(void **state)
{
    struct json *claims = claims_new();
    struct slice payload = json_line(claims), token, plain = jwk_text(A, &JWK, false);
    struct private_key *other = key_new(KEY_P256, 0), *p384 = key_new(KEY_P384, 0);
    struct grant g;

    (void)state;
    refused(judge(OPS, jws_raw(header("none"), payload, SLICE("")), METHOD_SIGN, &g, e),
            ERR_UNAUTHORIZED, "");
    refused(judge(OPS, jws_raw(header("None"), payload, SLICE("x")), METHOD_SIGN, &g, e),
            ERR_UNAUTHORIZED, "");
    ok(jws_sign_hmac(A, slice_text(header("HS256")), payload, plain, JWS_HS256, &token, e));
    refused(judge(OPS, token, METHOD_SIGN, &g, e), ERR_UNAUTHORIZED, "");
    token = token_sign(other, JWS_ES256, header("ES256"), claims);
    refused(judge(OPS, token, METHOD_SIGN, &g, e), ERR_UNAUTHORIZED, "");
    token = token_sign(key_new(KEY_ED25519, 0), JWS_EDDSA, header("EdDSA"), claims);
    refused(judge(OPS, token, METHOD_SIGN, &g, e), ERR_UNAUTHORIZED, "");

    /* A signature that is good but for the algorithm, which does not belong to the curve. */
    struct jwk jwk = jwk_new(p384);
    struct provisioner *p = provisioner_of(jwk_object("ops", &jwk));
    ok(judge(p, token_sign(p384, JWS_ES384, header("ES384"), claims), METHOD_SIGN, &g, e));
    struct slice unsigned_token = jws_raw(header("ES256"), payload, SLICE(""));
    struct slice input = slice_sub(unsigned_token, 0, unsigned_token.n - 1);
    token = jws_raw(header("ES256"), payload, es256_of(p384, input));
    refused(judge(p, token, METHOD_SIGN, &g, e), ERR_UNAUTHORIZED, "");

    /* One character of the payload. */
    token = token_with("typ", NULL);
    uint8_t *byte = (uint8_t *)token.p + slice_find(token, '.') + 8;
    *byte = *byte == 'A' ? 'B' : 'A';
    struct err e = {0};
    assert_false(judge(OPS, token, METHOD_SIGN, &g, &e));
}

static void critical_headers_are_refused(void **state)
{
    struct slice token =
        token_sign(KEY, JWS_ES256, "{\"alg\":\"ES256\",\"crit\":[\"x\"],\"x\":1}", claims_new());
    struct grant g;
    struct err e = {0};

    (void)state;
    assert_false(judge(OPS, token, METHOD_SIGN, &g, &e));
    assert_non_null(strstr(e.text, "crit"));
}

static void every_kind_of_key_signs_tokens(void **state)
{
    static const struct {
        enum key_type type;
        unsigned bits;
        enum jws_alg algs[4];
    } ROWS[] = {
        {KEY_P256, 0, {JWS_ES256}},
        {KEY_P384, 0, {JWS_ES384}},
        {KEY_P521, 0, {JWS_ES512}},
        {KEY_ED25519, 0, {JWS_EDDSA}},
        {KEY_RSA, 2048, {JWS_RS256, JWS_RS512, JWS_PS256, JWS_PS384}},
    };
    struct grant g;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct private_key *key = key_new(ROWS[i].type, ROWS[i].bits);
        struct jwk jwk = jwk_new(key);
        struct provisioner *p = provisioner_of(jwk_object("ops", &jwk));
        for (size_t k = 0; k < 4 && ROWS[i].algs[k]; k++) {
            const char *h = header(jws_alg_name(ROWS[i].algs[k]));
            ok(judge(p, token_sign(key, ROWS[i].algs[k], h, claims_new()), METHOD_SIGN, &g, e));
        }
    }
}

static void revocation_has_audiences_of_its_own(void **state)
{
    struct grant g;

    (void)state;
    refused(judge(OPS, token_with("aud", "\"https://ca.test/sign\""), METHOD_REVOKE, &g, e),
            ERR_UNAUTHORIZED, "audience");
    ok(judge(OPS, token_with("aud", "\"https://ca.test/1.0/revoke\""), METHOD_REVOKE, &g, e));
    assert_slice(g.subject, "foo.test");
    assert_slice(g.use_key, "once");
    refused(judge(OPS, token_with("sub", "\"\""), METHOD_REVOKE, &g, e), ERR_UNAUTHORIZED, "");
    assert_null(OPS->type->authorize[METHOD_RENEW]);
}

#define JWK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, arena_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JWK_TEST(ids_come_from_name_and_kid),           JWK_TEST(a_good_token_grants_its_names),
        JWK_TEST(without_sans_the_subject_is_the_name), JWK_TEST(confirmation_becomes_a_rule),
        JWK_TEST(times_have_a_minute_of_leeway),        JWK_TEST(bad_claims_are_refused),
        JWK_TEST(several_and_old_audiences_pass),       JWK_TEST(bad_signatures_are_refused),
        JWK_TEST(critical_headers_are_refused),         JWK_TEST(every_kind_of_key_signs_tokens),
        JWK_TEST(revocation_has_audiences_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
