/* JSON Web Signatures: reading, verifying under the right and the wrong key, signing. */
#include "vectors.h"

#include "jose/jws.h"

static bool is_json(struct slice text)
{
    return text.n && text.p[0] == '{';
}

static struct jws must_read(struct slice text)
{
    struct jws jws;
    struct err e = {0};
    bool good = is_json(text) ? jws_read_json(mem, text, &jws, &e) : jws_read(mem, text, &jws, &e);

    if (!good)
        fail_msg("%.*s: %s", SLICE_ARG(text), e.text);
    return jws;
}

static bool verify(const struct jws *jws, const struct jwk *jwk, struct err *e)
{
    return jwk->key ? jws_verify(jws, jwk->key, e) : jws_verify_hmac(jws, jwk->octets, e);
}

typedef void vector_fn(const struct json *v);
static void for_each_vector(vector_fn *f)
{
    const char *const files[] = {"rfc.json", "vectors.json"};

    for (size_t i = 0; i < COUNT_OF(files); i++)
        for (const struct json *v = fixture(files[i], "jws")->first; v; v = v->next)
            f(v);
}

static void vector_verifies(const struct json *v)
{
    struct jws jws = must_read(member(v, "text"));
    struct jwk jwk = vector_key(v);
    struct err e = {0};

    if (!verify(&jws, &jwk, &e))
        fail_msg("%.*s: %s", SLICE_ARG(member(v, "name")), e.text);
    assert_same(jws.payload, member(v, "payload"));
}

static void vectors_verify(void **state)
{
    (void)state;
    for_each_vector(vector_verifies);
}

/* Bit by bit in the signature, byte by byte in what is signed. */
static void vector_altered(const struct json *v)
{
    struct jws good = must_read(member(v, "text"));
    struct jwk jwk = vector_key(v);

    for (size_t bit = 0; bit < good.signature.n * 8; bit += 7) {
        struct jws bad = good;
        uint8_t *p = (uint8_t *)(uintptr_t)arena_copy(mem, good.signature).p;
        struct err e = {0};
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bad.signature = slice_of(p, good.signature.n);
        assert_false(verify(&bad, &jwk, &e));
        assert_int_equal(e.kind, ERR_UNAUTHORIZED);
    }
    for (size_t i = 0; i < good.signing_input.n; i += 11) {
        struct jws bad = good;
        uint8_t *p = (uint8_t *)(uintptr_t)arena_copy(mem, good.signing_input).p;
        p[i] ^= 1;
        bad.signing_input = slice_of(p, good.signing_input.n);
        assert_false(verify(&bad, &jwk, NULL));
    }
    for (size_t n = 0; n < good.signature.n; n += n < 4 ? 1 : 13) {
        struct jws bad = good;
        bad.signature.n = n;
        assert_false(verify(&bad, &jwk, NULL));
    }
}

static void altered_signatures_do_not_verify(void **state)
{
    (void)state;
    for_each_vector(vector_altered);
}

/* Every vector's signature under every other algorithm and every other vector's key. */
static void algorithms_are_bound_to_keys(void **state)
{
    const struct json *list = fixture("vectors.json", "jws");
    struct jwk *keys = arena_array(mem, list->n, sizeof(*keys));
    size_t n = 0;

    (void)state;
    for (const struct json *v = list->first; v; v = v->next)
        keys[n++] = vector_key(v);
    size_t i = 0;
    for (const struct json *v = list->first; v; v = v->next, i++) {
        const struct jws good = must_read(member(v, "text"));
        for (unsigned alg = JWS_NONE; alg < JWS_ALGS; alg++) {
            struct jws jws = good;
            struct err e = {0};
            jws.alg = (enum jws_alg)alg;
            assert_int_equal(verify(&jws, &keys[i], &e), jws.alg == good.alg);
            if (jws.alg != good.alg)
                assert_int_equal(e.kind, ERR_UNAUTHORIZED);
        }
        for (size_t other = 0; other < n; other++) {
            bool same = keys[other].key && keys[i].key
                            ? key_eq(keys[other].key, keys[i].key)
                            : slice_eq(keys[other].octets, keys[i].octets) && !keys[other].key &&
                                  !keys[i].key;
            assert_int_equal(verify(&good, &keys[other], NULL), same);
        }
    }
}

/* RFC 8725 2.1: a public key must never serve as a shared secret. */
static void public_keys_are_no_hmac_secrets(void **state)
{
    struct private_key *k;
    struct slice token;
    struct jws jws;
    struct err e = {0};

    (void)state;
    assert_true(private_key_generate(mem, KEY_P256, 0, &k, &e));
    assert_true(jws_sign_hmac(mem, SLICE("{\"alg\":\"HS256\"}"), SLICE("x"), k->public_key->spki,
                              JWS_HS256, &token, &e));
    assert_true(jws_read(mem, token, &jws, &e));
    assert_false(jws_verify(&jws, k->public_key, &e));
    assert_int_equal(e.kind, ERR_UNAUTHORIZED);
    assert_non_null(strstr(e.text, "'HS256' does not fit"));
}

static void none_and_unknown_never_verify(void **state)
{
    static const char *const headers[] = {"{\"alg\":\"none\"}", "{\"alg\":\"None\"}",
                                          "{\"alg\":\"\"}", "{\"alg\":\"es256\"}",
                                          "{\"alg\":\"ES256K\"}"};
    struct private_key *k;

    (void)state;
    assert_true(private_key_generate(mem, KEY_P256, 0, &k, NULL));
    for (size_t i = 0; i < COUNT_OF(headers); i++)
        for (unsigned with = 0; with < 2; with++) {
            struct jws jws = must_read(
                arena_format(mem, "%.*s.e30.%s", SLICE_ARG(b64(headers[i])), with ? "AAAA" : ""));
            assert_int_equal(jws.alg, JWS_NONE);
            assert_false(jws_verify(&jws, k->public_key, NULL));
            assert_false(jws_verify_hmac(&jws, SLICE("secret"), NULL));
        }
}

static void compact_form_is_strict(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "three parts"},
        {"eyJhbGciOiJFUzI1NiJ9", "three parts"},
        {"eyJhbGciOiJFUzI1NiJ9.e30", "three parts"},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AA.AA", "found more"},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AA.AA.AA", "found more"},
        {".e30.AA", "JWS header"},
        {"eyJhbGciOiJFUzI1NiJ9=.e30.AA", "JWS header: RFC 7515 2"},
        {"eyJhbGciOiJFUzI1NiJ9.e30=.AA", "JWS payload: RFC 7515 2"},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AA==", "JWS signature: RFC 7515 2"},
        {"eyJhbGciOiJFUzI1NiJ9.e30.AB", "JWS signature: RFC 7515 2"}, /* spare bits */
        {"eyJhbGciOiJFUzI1NiJ9.e30.A", "JWS signature: RFC 7515 2"},  /* length 1 */
        {"eyJhbGciOiJFUzI1NiJ9.e31.AA", "JWS payload: RFC 7515 2"},   /* spare bits */
        {"eyJhbGciOiJFUzI1NiJ9.e3+/.AA", "JWS payload: RFC 7515 2"},  /* PEM's alphabet */
        {"eyJhbGciOiJFUzI1NiJ9.\"e30.AA", "JWS payload: RFC 7515 2"},
        {"{\"protected\":\"e30\",\"payload\":\"\",\"signature\":\"\"}", "three parts"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct jws jws;
        struct err e = {0};
        if (jws_read(mem, slice_text(bad[i].text), &jws, &e))
            fail_msg("accepted: %s", bad[i].text);
        assert_int_equal(e.kind, ERR_MALFORMED);
        if (!strstr(e.text, bad[i].why))
            fail_msg("%s: expected \"%s\" in \"%s\"", bad[i].text, bad[i].why, e.text);
    }
}

static void headers_are_strict(void **state)
{
    static const struct {
        const char *header, *why;
    } bad[] = {
        {"", ""},
        {"[]", "expected a JSON object"},
        {"7", "expected a JSON object"},
        {"{", ""},
        {"{} {}", ""},
        {"{}", "'alg' is missing"},
        {"{\"alg\":null}", "'alg' is missing"},
        {"{\"ALG\":\"ES256\"}", "'alg' is missing"},
        {"{\"alg\":1}", "expected a text as 'alg'"},
        {"{\"alg\":\"ES256\",\"alg\":\"none\"}", ""},
        {"{\"alg\":\"ES256\",\"x\":{\"a\":1,\"a\":1}}", ""},
        {"{\"alg\":\"ES256\",\"kid\":1}", "expected a text as 'kid'"},
        {"{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", "RFC 7515 4.1.11"},
        {"{\"alg\":\"ES256\",\"crit\":[]}", "RFC 7515 4.1.11"},
        {"{\"alg\":\"ES256\",\"crit\":null}", "RFC 7515 4.1.11"},
        {"{\"alg\":\"ES256\",\"b64\":false}", "RFC 7797"},
        {"{\"alg\":\"ES256\",}", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct jws jws;
        struct err e = {0};
        struct slice text = arena_format(mem, "%.*s.e30.AA", SLICE_ARG(b64(bad[i].header)));
        if (jws_read(mem, text, &jws, &e))
            fail_msg("accepted: %s", bad[i].header);
        assert_int_equal(e.kind, ERR_MALFORMED);
        if (!strstr(e.text, bad[i].why))
            fail_msg("%s: expected \"%s\" in \"%s\"", bad[i].header, bad[i].why, e.text);
    }
}

static void every_truncation_is_refused(void **state)
{
    const struct json *v = fixture("rfc.json", "jws")->first->next->next;
    struct slice text = member(v, "text");
    struct jwk jwk = vector_key(v);

    (void)state;
    for (size_t n = 0; n < text.n; n++) {
        struct jws jws;
        if (jws_read(mem, slice_sub(text, 0, n), &jws, NULL))
            assert_false(verify(&jws, &jwk, NULL));
    }
}

static void white_space_is_removed(void **state)
{
    static const struct slice spaces[] = {
        {(const uint8_t *)" ", 1},
        {(const uint8_t *)"\r\n", 2},
        {(const uint8_t *)"\t\v\f", 3},
        {(const uint8_t *)"\xc2\xa0", 2},
        {(const uint8_t *)"\xe2\x80\xa8", 3},
        {(const uint8_t *)"\xe3\x80\x80", 3},
    };
    const struct json *v = fixture("rfc.json", "jws")->first;
    struct slice text = member(v, "text");
    struct jwk jwk = vector_key(v);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(spaces); i++)
        for (size_t at = 0; at <= text.n; at += 5) {
            struct buf b = buf_new(mem, 4096);
            buf_put(&b, slice_sub(text, 0, at));
            buf_put(&b, spaces[i]);
            buf_put(&b, slice_from(text, at));
            buf_put(&b, spaces[i]);
            struct jws jws = must_read(buf_slice(&b));
            assert_same(jws.text, text);
            assert_true(verify(&jws, &jwk, NULL));
        }
    /* The start of such a character is none. */
    struct jws jws;
    assert_false(jws_read(mem, SLICE("eyJhbGciOiJFUzI1NiJ9.e30.AA\xe2\x80"), &jws, NULL));
    assert_false(jws_read(mem, SLICE("eyJhbGciOiJFUzI1NiJ9.e30.AA\xe2\x80\x8b"), &jws, NULL));
}

/* The hot path: a token without white space is not copied. */
static void clean_texts_are_borrowed(void **state)
{
    struct slice text = SLICE("eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.e30.AAAA");
    struct jws jws = must_read(text);

    (void)state;
    assert_ptr_equal(jws.text.p, text.p);
    assert_ptr_equal(jws.signing_input.p, text.p);
    assert_slice(jws.signing_input, "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.e30");
    assert_slice(jws.payload, "{}");
    assert_slice(jws.kid, "k");
    assert_int_equal(jws.signature.n, 3);
}

static void json_form_is_strict(void **state)
{
#define H "eyJhbGciOiJFUzI1NiJ9" /* {"alg":"ES256"} */
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", ""},
        {H ".e30.AA", ""},
        {"[]", "RFC 7515 7.2"},
        {"{\"protected\":\"" H "\",\"signature\":\"AA\"}", "'payload' is missing"},
        {"{\"payload\":\"\",\"signature\":\"AA\"}", "'protected' is missing"},
        {"{\"payload\":\"\",\"protected\":\"" H "\"}", "'signature' is missing"},
        {"{\"payload\":1,\"protected\":\"" H "\",\"signature\":\"AA\"}", "expected a text"},
        {"{\"payload\":\"\",\"payload\":\"\",\"protected\":\"" H "\",\"signature\":\"AA\"}", ""},
        {"{\"payload\":\"\",\"protected\":\"" H
         "\",\"signature\":\"AA\",\"header\":{\"kid\":\"\"}}",
         "unprotected header"},
        {"{\"payload\":\"\",\"protected\":\"" H "\",\"signature\":\"AA\",\"header\":1}",
         "unprotected header"},
        {"{\"payload\":\"\",\"signatures\":[]}", "exactly one signature"},
        {"{\"payload\":\"\",\"signatures\":[{\"protected\":\"" H "\",\"signature\":\"AA\"},"
         "{\"protected\":\"" H "\",\"signature\":\"AA\"}]}",
         "exactly one signature"},
        {"{\"payload\":\"\",\"signatures\":[7]}", "expected objects"},
        {"{\"payload\":\"\",\"signature\":\"AA\",\"signatures\":[{\"protected\":\"" H
         "\",\"signature\":\"AA\"}]}",
         "both"},
        {"{\"payload\":\"\",\"signatures\":[{\"header\":{\"a\":1},\"protected\":\"" H
         "\",\"signature\":\"AA\"}]}",
         "unprotected header"},
        {"{\"payload\":\"+\",\"protected\":\"" H "\",\"signature\":\"AA\"}", "JWS payload"},
        {"{\"payload\":\"\",\"protected\":\"\",\"signature\":\"AA\"}", "JWS header"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct jws jws;
        struct err e = {0};
        if (jws_read_json(mem, slice_text(bad[i].text), &jws, &e))
            fail_msg("accepted: %s", bad[i].text);
        assert_int_equal(e.kind, ERR_MALFORMED);
        if (!strstr(e.text, bad[i].why))
            fail_msg("%s: expected \"%s\" in \"%s\"", bad[i].text, bad[i].why, e.text);
    }
}

static void json_form_drops_padding_and_takes_empty_payloads(void **state)
{
    struct jws jws = must_read(SLICE("{\"payload\":\"\", \"protected\":\"" H "\",\n"
                                     " \"signature\":\"AA==\", \"header\":{}}"));

    (void)state;
    assert_int_equal(jws.payload.n, 0);
    assert_int_equal(jws.signature.n, 1);
    assert_slice(jws.signing_input, H ".");
    jws = must_read(SLICE("{\"payload\":\"AA==\",\"protected\":\"" H "\",\"signature\":\"\"}"));
    assert_slice(jws.signing_input, H ".AA");
}

static struct slice sign_with(enum key_type type, enum jws_alg alg, struct private_key **k)
{
    struct slice token = SLICE_NONE;
    struct err e = {0};
    struct slice header =
        arena_format(mem, "{\"alg\":\"%s\",\"kid\":\"k\",\"typ\":\"JWT\"}", jws_alg_name(alg));

    if (!private_key_generate(mem, type, 2048, k, &e) ||
        !jws_sign(mem, header, SLICE("{\"sub\":\"x\"}"), signer_local(mem, *k, "test"), alg,
                  DEADLINE_NONE, &token, &e))
        fail_msg("%s: %s", jws_alg_name(alg), e.text);
    return token;
}

static void signatures_verify_and_have_the_right_length(void **state)
{
    static const struct {
        enum key_type type;
        enum jws_alg alg;
        size_t n;
    } kinds[] = {
        {KEY_P256, JWS_ES256, 64},    {KEY_P384, JWS_ES384, 96}, {KEY_P521, JWS_ES512, 132},
        {KEY_ED25519, JWS_EDDSA, 64}, {KEY_RSA, JWS_RS256, 256}, {KEY_RSA, JWS_RS384, 256},
        {KEY_RSA, JWS_RS512, 256},    {KEY_RSA, JWS_PS256, 256}, {KEY_RSA, JWS_PS384, 256},
        {KEY_RSA, JWS_PS512, 256},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct private_key *k;
        struct jws jws = must_read(sign_with(kinds[i].type, kinds[i].alg, &k));
        struct err e = {0};
        assert_int_equal(jws.alg, kinds[i].alg);
        assert_int_equal(jws.signature.n, kinds[i].n);
        assert_slice(jws.payload, "{\"sub\":\"x\"}");
        if (!jws_verify(&jws, k->public_key, &e))
            fail_msg("%s: %s", jws_alg_name(kinds[i].alg), e.text);
    }
}

/* ES256 with DER instead of r and s, one byte more, and one less. */
static void ecdsa_lengths_are_exact(void **state)
{
    struct private_key *k;
    struct jws jws = must_read(sign_with(KEY_P256, JWS_ES256, &k)), bad = jws;
    struct err e = {0};

    (void)state;
    assert_true(sig_ecdsa_from_fixed(mem, k->public_key, jws.signature, &bad.signature, &e));
    assert_false(jws_verify(&bad, k->public_key, &e));
    assert_int_equal(e.kind, ERR_UNAUTHORIZED);
    assert_non_null(strstr(e.text, "expected a signature of 64 bytes"));

    uint8_t longer[65] = {0};
    memcpy(longer + 1, jws.signature.p, 64);
    bad.signature = slice_of(longer, 65);
    assert_false(jws_verify(&bad, k->public_key, &e));
    bad.signature = slice_sub(jws.signature, 0, 63);
    assert_false(jws_verify(&bad, k->public_key, &e));
    /* r = s = 0 */
    bad.signature = slice_of((uint8_t[64]){0}, 64);
    assert_false(jws_verify(&bad, k->public_key, &e));
    assert_int_equal(e.kind, ERR_UNAUTHORIZED);
}

static void signing_needs_a_fitting_header_and_key(void **state)
{
    struct private_key *k;
    struct slice token;
    struct err e = {0};

    (void)state;
    assert_true(private_key_generate(mem, KEY_P256, 0, &k, &e));
    struct signer *s = signer_local(mem, k, "test");
    assert_false(jws_sign(mem, SLICE("{\"alg\":\"RS256\"}"), SLICE("x"), s, JWS_ES256,
                          DEADLINE_NONE, &token, &e));
    assert_false(jws_sign(mem, SLICE("{\"alg\":\"RS256\"}"), SLICE("x"), s, JWS_RS256,
                          DEADLINE_NONE, &token, &e));
    assert_false(jws_sign(mem, SLICE("[]"), SLICE("x"), s, JWS_ES256, DEADLINE_NONE, &token, &e));
    assert_false(jws_sign_hmac(mem, SLICE("{\"alg\":\"ES256\"}"), SLICE("x"), SLICE("s"), JWS_ES256,
                               &token, &e));
    assert_false(jws_sign_hmac(mem, SLICE("{\"alg\":\"HS256\"}"), SLICE("x"), SLICE(""), JWS_HS256,
                               &token, &e));
}

static void empty_secrets_never_verify(void **state)
{
    struct slice token;
    struct err e = {0};

    (void)state;
    assert_true(jws_sign_hmac(mem, SLICE("{\"alg\":\"HS256\"}"), SLICE("x"), SLICE("s"), JWS_HS256,
                              &token, &e));
    struct jws jws = must_read(token);
    assert_true(jws_verify_hmac(&jws, SLICE("s"), &e));
    assert_false(jws_verify_hmac(&jws, SLICE("t"), &e));
    assert_int_equal(e.kind, ERR_UNAUTHORIZED);
    assert_false(jws_verify_hmac(&jws, SLICE(""), &e));
}

static void usual_algorithms(void **state)
{
    static const struct {
        enum key_type type;
        enum jws_alg alg;
    } kinds[] = {{KEY_RSA, JWS_RS256},  {KEY_P224, JWS_NONE},  {KEY_P256, JWS_ES256},
                 {KEY_P384, JWS_ES384}, {KEY_P521, JWS_ES512}, {KEY_ED25519, JWS_EDDSA},
                 {KEY_X25519, JWS_NONE}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct key key = {.type = kinds[i].type, .bits = 2048};
        assert_int_equal(jws_alg_usual(&key), kinds[i].alg);
    }
    for (unsigned i = JWS_NONE + 1; i < JWS_ALGS; i++)
        assert_int_equal(jws_alg_of(slice_text(jws_alg_name((enum jws_alg)i))), i);
    assert_int_equal(jws_alg_of(SLICE("none")), JWS_NONE);
    struct key small = {.type = KEY_RSA, .bits = 1023};
    assert_int_equal(jws_alg_usual(&small), JWS_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(vectors_verify),
        TEST(altered_signatures_do_not_verify),
        TEST(algorithms_are_bound_to_keys),
        TEST(public_keys_are_no_hmac_secrets),
        TEST(none_and_unknown_never_verify),
        TEST(compact_form_is_strict),
        TEST(headers_are_strict),
        TEST(every_truncation_is_refused),
        TEST(white_space_is_removed),
        TEST(clean_texts_are_borrowed),
        TEST(json_form_is_strict),
        TEST(json_form_drops_padding_and_takes_empty_payloads),
        TEST(signatures_verify_and_have_the_right_length),
        TEST(ecdsa_lengths_are_exact),
        TEST(signing_needs_a_fitting_header_and_key),
        TEST(empty_secrets_never_verify),
        TEST(usual_algorithms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
