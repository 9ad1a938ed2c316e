/* One-time tokens: whose they are, and that each counts once. */
#include "authority_testing.h"

#include <openssl/bn.h>

#include "base/encode.h"

static bool authorize(struct slice token, enum method m, struct work *w)
{
    struct grant *g;

    *w = work_new();
    return authorize_token(w, token, m, &g);
}

static void a_token_finds_its_provisioner(void **state)
{
    struct work w;

    (void)state;
    world_start(true);
    w = work_new();
    struct grant *g = usual_grant(&w);
    assert_slice(g->by->name, "ops");
    assert_slice(g->subject, "foo.test");
    assert_slice(g->use_key, "once");
    assert_int_equal(w.batch.n, 1);
}

static void strange_tokens_are_unauthorized(void **state)
{
    static const struct {
        const char *claim, *json, *says;
    } ROWS[] = {
        {"iss", "\"other\"", "no provisioner"},
        {"iss", NULL, "no provisioner"},
        {"aud", "\"https://other.test/1.0/sign\"", "no provisioner"},
        {"aud", NULL, "no provisioner"},
        {"aud", "\"https://CA.test/1.0/sign\"", "no provisioner"},
        {"aud", "\"https://ca.test/1.0/sign/\"", "no provisioner"},
        {"aud", "\"https://ca.test/1.0/sign#x5c/nobody\"", "no provisioner"},
        {"aud", "\"https://ca.test/1.0/renew\"", "audience"},
        {"aud", "\"https://ca.test/1.0/revoke\"", "audience"},
        {"aud", "\"https://ca.test/1.0/sign#x5c/edge\"", "x5c"}, /* not its provisioner */
        {"sub", NULL, "subject"},
        {"sub", "5", "sub"},
        {"exp", "1", "expired"},
        {"exp", "\"x\"", "exp"},
        {"aud", "5", "aud"},
        {"aud", "[5]", "aud"},
    };
    struct work w;

    (void)state;
    world_start(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct json *c = ops_claims();
        json_change(c, ROWS[i].claim, ROWS[i].json);
        bool good = authorize(ops_token(c), METHOD_SIGN, &w);
        if (good || w.err.kind != ERR_UNAUTHORIZED || !strstr(w.err.text, ROWS[i].says))
            fail_msg("row %zu: %s \"%s\"", i, err_kind_name(w.err.kind), w.err.text);
        assert_int_equal(w.batch.n, 0); /* nothing is written down for what is not believed */
    }
}

static void strange_texts_are_unauthorized(void **state)
{
    static const char *const TEXTS[] = {"", "a", "a.b", "a.b.c", "a.b.c.d", "..", "e30.e30.", "{}"};
    struct work w;

    (void)state;
    world_start(true);
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        assert_false(authorize(slice_text(TEXTS[i]), METHOD_SIGN, &w));
        if (w.err.kind != ERR_UNAUTHORIZED)
            fail_msg("row %zu: %s", i, err_kind_name(w.err.kind));
    }
}

static void headers_decide_nothing(void **state)
{
    struct slice payload, token, plain = jwk_text(A, &W.ops, false);
    struct work w;

    (void)state;
    world_start(true);
    payload = json_line(ops_claims());
    const char *kid = arena_cstr(A, W.ops.kid);
    assert_false(authorize(
        token_sign(W.ops_key, JWS_ES256, "{\"alg\":\"ES256\",\"kid\":\"other\"}", ops_claims()),
        METHOD_SIGN, &w));
    assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    assert_false(authorize(token_sign(W.ops_key, JWS_ES256, "{\"alg\":\"ES256\"}", ops_claims()),
                           METHOD_SIGN, &w));
    assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    token = jws_raw(arena_printf(A, "{\"alg\":\"none\",\"kid\":\"%s\"}", kid), payload, SLICE(""));
    assert_false(authorize(token, METHOD_SIGN, &w));
    assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    ok(jws_sign_hmac(A, arena_format(A, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid), payload, plain,
                     JWS_HS256, &token, e));
    assert_false(authorize(token, METHOD_SIGN, &w));
    assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    token = token_sign(W.int_key, JWS_ES256,
                       arena_printf(A, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid), ops_claims());
    assert_false(authorize(token, METHOD_SIGN, &w));
    assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
}

static void white_space_is_removed(void **state)
{
    struct slice token;
    struct work w;

    (void)state;
    world_start(true);
    token = ops_token(ops_claims());
    token = arena_format(A, " %.*s\n%.*s\r\n ", SLICE_ARG(slice_sub(token, 0, 20)),
                         SLICE_ARG(slice_from(token, 20)));
    assert_true(authorize(token, METHOD_SIGN, &w));
}

static void a_disabled_provisioner_is_named_aloud(void **state)
{
    struct work w;

    (void)state;
    json_change(world_provisioner(0), "claims", "{\"maxTLSCertDuration\":\"1m\"}");
    world_start(true);
    assert_false(authorize(ops_token(ops_claims()), METHOD_SIGN, &w));
    assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    assert_non_null(strstr(w.err.text, "\"ops\""));
    assert_non_null(strstr(w.err.text, "disabled"));
    assert_true(w.err.tell);
}

static void acme_has_no_tokens(void **state)
{
    struct json *c;
    struct work w;

    (void)state;
    json_append(world_provisioners(), json_of("{\"type\":\"ACME\",\"name\":\"acme\"}"));
    world_start(true);
    c = ops_claims();
    json_change(c, "aud", "\"https://ca.test/sign#acme/acme\"");
    assert_false(authorize(ops_token(c), METHOD_SIGN, &w));
    assert_int_equal(w.err.kind, ERR_MALFORMED);
    assert_non_null(strstr(w.err.text, "ACME"));
}

static void unsupported_operations_are_unauthorized(void **state)
{
    static const enum method METHODS_WITHOUT[] = {METHOD_RENEW, METHOD_SSH_SIGN, METHOD_SSH_RENEW};
    struct work w;

    (void)state;
    world_start(true);
    for (size_t i = 0; i < COUNT_OF(METHODS_WITHOUT); i++) {
        assert_false(authorize(ops_token(ops_claims()), METHODS_WITHOUT[i], &w));
        assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    }
}

static void tokens_from_before_the_start_are_refused(void **state)
{
    struct json *c;
    struct work w;

    (void)state;
    test_now.nsec = 999999999;
    world_start(true);
    c = ops_claims();
    json_change(c, "iat", arena_printf(A, "%lld", (long long)test_now.sec - 1));
    assert_false(authorize(ops_token(c), METHOD_SIGN, &w));
    assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    assert_non_null(strstr(w.err.text, "iat"));
    json_change(c, "iat", arena_printf(A, "%lld", (long long)test_now.sec)); /* whole seconds */
    assert_true(authorize(ops_token(c), METHOD_SIGN, &w));
    json_change(c, "iat", NULL);
    assert_true(authorize(ops_token(c), METHOD_SIGN, &w));
}

static void the_issued_at_check_can_be_switched_off(void **state)
{
    struct json *c;
    struct work w;

    (void)state;
    json_change(world_authority(), "disableIssuedAtCheck", "true");
    world_start(true);
    c = ops_claims();
    json_change(c, "iat", "1");
    assert_true(authorize(ops_token(c), METHOD_SIGN, &w));
}

/* --- Once --------------------------------------------------------------------------------------
 */

static void used_once(bool durable)
{
    struct json *c;
    struct work w;

    world_start(durable);
    c = ops_claims();
    assert_true(authorize(ops_token(c), METHOD_SIGN, &w));
    work_ok(&w, work_commit(&w));
    assert_slice(stored(TABLE_USED_OTT, SLICE("once")), "used");
    assert_true(authorize(ops_token(c), METHOD_SIGN, &w));
    work_refused(&w, work_commit(&w), ERR_UNAUTHORIZED, "already used");
    /* Another token with that identifier is that token. */
    json_change(c, "sub", "\"bar.test\"");
    assert_true(authorize(ops_token(c), METHOD_SIGN, &w));
    work_refused(&w, work_commit(&w), ERR_UNAUTHORIZED, "already used");
    json_change(c, "jti", "\"twice\"");
    assert_true(authorize(ops_token(c), METHOD_SIGN, &w));
    work_ok(&w, work_commit(&w));
}

static void a_token_is_used_once_with_a_database(void **state)
{
    (void)state;
    used_once(true);
}

static void a_token_is_used_once_without_a_database(void **state)
{
    (void)state;
    json_change(W.config, "db", NULL);
    used_once(false);
}

/* (r, n - s): valid as well, and anybody can make it. */
static struct slice other_form(struct slice token)
{
    size_t dot = slice_rfind(token, '.');
    struct slice signature;
    BIGNUM *s = NULL, *n = NULL;
    uint8_t raw[64];

    assert_true(base64_read(A, BASE64_URL_RAW, slice_from(token, dot + 1), &signature));
    assert_int_equal(signature.n, 64);
    BN_hex2bn(&n, "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
    s = BN_bin2bn(signature.p + 32, 32, NULL);
    BN_sub(s, n, s);
    memcpy(raw, signature.p, 32);
    BN_bn2binpad(s, raw + 32, 32);
    BN_free(s);
    BN_free(n);
    return arena_format(A, "%.*s.%.*s", SLICE_ARG(slice_sub(token, 0, dot)),
                        SLICE_ARG(base64_text(A, BASE64_URL_RAW, slice_of(raw, 64))));
}

static void without_jti_a_signature_counts(void **state)
{
    struct json *c;
    struct slice token;
    struct work w;

    (void)state;
    world_start(true);
    c = ops_claims();
    json_change(c, "jti", NULL);
    token = ops_token(c);
    assert_true(authorize(token, METHOD_SIGN, &w));
    work_ok(&w, work_commit(&w));
    assert_true(authorize(token, METHOD_SIGN, &w));
    work_refused(&w, work_commit(&w), ERR_UNAUTHORIZED, "already used");
    assert_true(authorize(other_form(token), METHOD_SIGN, &w));
    work_refused(&w, work_commit(&w), ERR_UNAUTHORIZED, "already used");
    /* The same claims signed again, as a client does that lost an answer, are another token. */
    assert_true(authorize(ops_token(c), METHOD_SIGN, &w));
    work_ok(&w, work_commit(&w));
}

static void a_long_jti_is_hashed(void **state)
{
    char jti[400];
    struct json *c;
    struct work w;

    (void)state;
    world_start(true);
    memset(jti, 'x', sizeof(jti) - 1);
    jti[sizeof(jti) - 1] = 0;
    c = ops_claims();
    json_change(c, "jti", arena_printf(A, "\"%s\"", jti));
    assert_true(authorize(ops_token(c), METHOD_SIGN, &w));
    work_ok(&w, work_commit(&w));
    assert_slice(stored(TABLE_USED_OTT, sha256_hex(A, slice_text(jti))), "used");
}

static void the_use_stands_when_the_rest_fails(void **state)
{
    struct work w;

    (void)state;
    world_start(true);
    assert_true(authorize(ops_token(ops_claims()), METHOD_SIGN, &w));
    batch_put(&w.batch, TABLE_NONCES, SLICE("n"), SLICE("v"));
    batch_drop_unkept(&w.batch);
    work_ok(&w, work_commit(&w));
    assert_slice(stored(TABLE_USED_OTT, SLICE("once")), "used");
    assert_null(stored(TABLE_NONCES, SLICE("n")).p);
}

static void a_use_is_forgotten_a_day_after_its_token(void **state)
{
    struct work w;
    uint64_t gone;
    int64_t exp;

    (void)state;
    world_start(true);
    exp = test_now.sec + 300;
    assert_true(authorize(ops_token(ops_claims()), METHOD_SIGN, &w));
    work_ok(&w, work_commit(&w));
    ok(W.s.store->ops->prune(W.s.store, exp + 86400, &gone, e));
    assert_non_null(stored(TABLE_USED_OTT, SLICE("once")).p);
    ok(W.s.store->ops->prune(W.s.store, exp + 86401, &gone, e));
    assert_null(stored(TABLE_USED_OTT, SLICE("once")).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_token_finds_its_provisioner),
        WORLD_TEST(strange_tokens_are_unauthorized),
        WORLD_TEST(strange_texts_are_unauthorized),
        WORLD_TEST(headers_decide_nothing),
        WORLD_TEST(white_space_is_removed),
        WORLD_TEST(a_disabled_provisioner_is_named_aloud),
        WORLD_TEST(acme_has_no_tokens),
        WORLD_TEST(unsupported_operations_are_unauthorized),
        WORLD_TEST(tokens_from_before_the_start_are_refused),
        WORLD_TEST(the_issued_at_check_can_be_switched_off),
        WORLD_TEST(a_token_is_used_once_with_a_database),
        WORLD_TEST(a_token_is_used_once_without_a_database),
        WORLD_TEST(without_jti_a_signature_counts),
        WORLD_TEST(a_long_jti_is_hashed),
        WORLD_TEST(the_use_stands_when_the_rest_fails),
        WORLD_TEST(a_use_is_forgotten_a_day_after_its_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
