/* Tokens made by a client: exact claims, and what our own reader says about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encode.h"
#include "client/make_token.h"
#include "crypto/signer.h"

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

static void fill_with_ab(struct rng *r, void *p, size_t n)
{
    (void)r;
    memset(p, 0xab, n);
}
static struct rng RNG_AB = {fill_with_ab};

static struct private_key *make_key(enum key_type type, unsigned bits)
{
    struct private_key *key;
    struct err e = {0};

    if (!private_key_generate(A, type, bits, &key, &e))
        fail_msg("%s", e.text);
    return key;
}

static struct token read_back(struct slice text, const struct private_key *key)
{
    struct token t;
    struct err e = {0};

    if (!token_read(A, text, &t, &e) || !jws_verify(&t.jws, key->public_key, &e))
        fail_msg("%s", e.text);
    return t;
}

static struct slice header_text(struct slice token)
{
    struct slice bytes;

    assert_true(
        base64_read(A, BASE64_URL_RAW, slice_sub(token, 0, slice_find(token, '.')), &bytes));
    return bytes;
}

static struct token_wish plain_wish(void)
{
    return (struct token_wish){
        .issuer = SLICE("ops"),
        .audience = SLICE("https://ca.test:9000/1.0/sign"),
        .subject = SLICE("foo.test"),
        .kid = SLICE("k1"),
        .not_before = instant_sec(1700000000),
        .not_after = instant_sec(1700000300),
    };
}

static void claims_stand_in_order(void **state)
{
    struct private_key *key = make_key(KEY_P256, 0);
    struct slice sans[] = {SLICE("a.test"), SLICE("10.0.0.1")}, token;
    struct token_wish wish = plain_wish();
    struct err e = {0};

    (void)state;
    wish.root_fingerprint = SLICE("00ff");
    wish.has_sans = true;
    wish.sans = sans;
    wish.n_sans = 2;
    wish.cnf = SLICE("abc");
    wish.user = SLICE("{ \"n\" : 3 }");
    wish.step = SLICE("{\"ra\":{}}");
    wish.issued_at = instant_sec(1699999999);
    if (!token_make(A, &wish, key, JWS_NONE, &RNG_AB, &token, &e))
        fail_msg("%s", e.text);
    struct token t = read_back(token, key);
    assert_slice(header_text(token), "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\"}");
    assert_slice(t.jws.payload,
                 "{\"aud\":\"https://ca.test:9000/1.0/sign\",\"cnf\":{\"x5rt#S256\":\"abc\"},"
                 "\"exp\":1700000300,\"iat\":1699999999,\"iss\":\"ops\",\"jti\":"
                 "\"abababababababababababababababababababababababababababababababab\","
                 "\"nbf\":1700000000,\"sans\":[\"a.test\",\"10.0.0.1\"],\"sha\":\"00ff\","
                 "\"step\":{\"ra\":{}},\"sub\":\"foo.test\",\"user\":{\"n\":3}}");
}

static void names_default_to_the_subject(void **state)
{
    struct private_key *key = make_key(KEY_P256, 0);
    struct token_wish wish = plain_wish();
    struct slice token, *sans;
    size_t n;
    struct err e = {0};

    (void)state;
    assert_true(token_make(A, &wish, key, JWS_NONE, &RNG_AB, &token, &e));
    assert_null(json_get_exact(read_back(token, key).claims, "sans"));
    wish.has_sans = true;
    assert_true(token_make(A, &wish, key, JWS_NONE, &RNG_AB, &token, &e));
    assert_true(token_texts(A, read_back(token, key).claims, "sans", &sans, &n, &e));
    assert_int_equal(n, 1);
    assert_slice(sans[0], "foo.test");
}

static void algorithm_follows_the_key(void **state)
{
    static const struct {
        enum key_type type;
        unsigned bits;
        enum jws_alg asked, got;
    } CASES[] = {
        {KEY_P256, 0, JWS_NONE, JWS_ES256},   {KEY_P384, 0, JWS_NONE, JWS_ES384},
        {KEY_P521, 0, JWS_NONE, JWS_ES512},   {KEY_ED25519, 0, JWS_NONE, JWS_EDDSA},
        {KEY_RSA, 2048, JWS_NONE, JWS_RS256}, {KEY_RSA, 2048, JWS_PS384, JWS_PS384},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct private_key *key = make_key(CASES[i].type, CASES[i].bits);
        struct token_wish wish = plain_wish();
        struct slice token;
        struct err e = {0};
        if (!token_make(A, &wish, key, CASES[i].asked, &RNG_AB, &token, &e))
            fail_msg("%s", e.text);
        assert_int_equal(read_back(token, key).jws.alg, CASES[i].got);
    }
}

static void algorithm_of_another_key_is_refused(void **state)
{
    struct token_wish wish = plain_wish();
    struct slice token;
    struct err e = {0};

    (void)state;
    assert_false(token_make(A, &wish, make_key(KEY_P384, 0), JWS_ES256, &RNG_AB, &token, &e));
    assert_false(token_make(A, &wish, make_key(KEY_X25519, 0), JWS_NONE, &RNG_AB, &token, &e));
}

static void headers_are_sorted_and_the_thumbprint_is_the_usual_kid(void **state)
{
    struct private_key *key = make_key(KEY_P256, 0);
    struct slice der[] = {SLICE("\x30\x00"), SLICE("\x30\x01")}, token;
    struct slice kid = jwk_thumbprint(A, key->public_key);
    struct token_wish wish = plain_wish();
    struct err e = {0};

    (void)state;
    wish.kid = SLICE_NONE;
    wish.x5c = der;
    wish.n_x5c = 2;
    assert_true(token_make(A, &wish, key, JWS_NONE, &RNG_AB, &token, &e));
    assert_slice(header_text(token),
                 arena_printf(A,
                              "{\"alg\":\"ES256\",\"kid\":\"%.*s\",\"typ\":\"JWT\","
                              "\"x5c\":[\"MAA=\",\"MAE=\"]}",
                              SLICE_ARG(kid)));
    wish.n_x5c = 0;
    wish.header_extra_name = SLICE("sshpop");
    wish.header_extra_value = SLICE("AAAA");
    assert_true(token_make(A, &wish, key, JWS_NONE, &RNG_AB, &token, &e));
    assert_slice(header_text(token),
                 arena_printf(A,
                              "{\"alg\":\"ES256\",\"kid\":\"%.*s\",\"sshpop\":\"AAAA\","
                              "\"typ\":\"JWT\"}",
                              SLICE_ARG(kid)));
}

static void renew_token_carries_the_chain_and_no_id(void **state)
{
    struct private_key *key = make_key(KEY_P256, 0);
    struct issuer issuer = {.key = key->public_key, .signer = signer_local(A, key, "test")};
    struct x509_leaf leaf = {.subject = {.common_name = SLICE("foo.test")},
                             .not_before = instant_sec(1600000000),
                             .not_after = instant_sec(1650000000),
                             .key = key->public_key};
    struct buf der = buf_new(A, 1u << 16);
    struct cert_list chain = {0}, none = {0};
    struct slice token, *ders;
    struct cert *c;
    size_t n;
    struct err e = {0};

    (void)state;
    assert_true(x509_leaf_sign(&leaf, &issuer, &RNG_SYSTEM, &der, DEADLINE_NONE, &e));
    assert_true(cert_read(A, buf_slice(&der), &c, &e));
    cert_list_add(A, &chain, c);
    if (!renew_token_make(A, SLICE("https://ca.test/renew"), &chain, key, instant_sec(1700000000),
                          &RNG_AB, &token, &e))
        fail_msg("%s", e.text);
    struct token t = read_back(token, key);
    assert_slice(t.jws.payload,
                 "{\"aud\":\"https://ca.test/renew\",\"exp\":1700000300,\"iat\":1700000000,"
                 "\"iss\":\"step-ca-client/1.0\",\"nbf\":1700000000,\"sub\":\"foo.test\"}");
    assert_true(token_chain(A, t.jws.header, "x5cInsecure", &ders, &n, &e));
    assert_int_equal(n, 1);
    assert_true(slice_eq(ders[0], c->der));
    assert_false(renew_token_make(A, SLICE("x"), &none, key, instant_sec(1), &RNG_AB, &token, &e));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(claims_stand_in_order),
        T(names_default_to_the_subject),
        T(algorithm_follows_the_key),
        T(algorithm_of_another_key_is_refused),
        T(headers_are_sorted_and_the_thumbprint_is_the_usual_kid),
        T(renew_token_carries_the_chain_and_no_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
