/* JSON Web Keys: what is accepted, what is refused, how they are written. */
#include "vectors.h"

#include "jose/jwk.h"

#define X256  "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define Y256  "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
#define D256  "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"
#define EC256 "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\""

static void rfc_keys_are_read(void **state)
{
    const struct json *list = fixture("rfc.json", "keys");

    (void)state;
    for (const struct json *v = list->first; v; v = v->next) {
        struct jwk jwk = vector_key(v);
        assert_int_equal(jwk.secret != NULL, json_get_exact(v, "private")->truth);
        assert_non_null(jwk.key);
    }
}

static void thumbprints_agree_with_rfc_7638_and_others(void **state)
{
    const char *const files[] = {"rfc.json", "vectors.json"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++)
        for (const struct json *v = fixture(files[i], "thumbprints")->first; v; v = v->next) {
            struct jwk jwk = vector_key(v);
            assert_same(jwk_thumbprint(mem, jwk.key), member(v, "thumbprint"));
        }
}

static void members_are_kept(void **state)
{
    struct jwk jwk;
    struct err e = {0};

    (void)state;
    assert_true(jwk_read(mem,
                         SLICE("{" EC256 ",\"use\":\"sig\",\"kid\":\"me\",\"alg\":\"ES256\","
                               "\"key_ops\":[\"verify\"],\"ext\":true}"),
                         &jwk, &e));
    assert_int_equal(jwk.kty, JWK_EC);
    assert_slice(jwk.kid, "me");
    assert_slice(jwk.use, "sig");
    assert_slice(jwk.alg, "ES256");
    assert_null(jwk.secret);
    assert_int_equal(jwk.key->type, KEY_P256);
}

static void acceptable_spellings(void **state)
{
    static const char *const good[] = {
        "{" EC256 "}",
        /* Padding that other people's encoders leave. */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X256 "=\",\"y\":\"" Y256 "=\"}",
        "{" EC256 ",\"kid\":null,\"d\":null}",
        "{" EC256 ",\"d\":\"" D256 "\"}",
        /* Other case: other members, ignored. */
        "{" EC256 ",\"KTY\":\"RSA\",\"D\":7}",
        "{\"kty\":\"oct\",\"k\":\"AA\"}",
        " {" EC256 "} ",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct jwk jwk;
        struct err e = {0};
        if (!jwk_read(mem, slice_text(good[i]), &jwk, &e))
            fail_msg("%s: %s", good[i], e.text);
    }
}

static void bad_keys_are_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", ""},
        {"[]", "expected a JSON object"},
        {"{}", "unknown key type"},
        {"{" EC256, ""},
        {"{" EC256 "} x", ""},
        {"{\"kty\":\"ec\",\"crv\":\"P-256\"}", "unknown key type 'ec'"},
        {"{\"kty\":1}", "expected a text as 'kty'"},
        {"{" EC256 ",\"kty\":\"EC\"}", ""},
        {"{" EC256 ",\"kid\":1}", "expected a text as 'kid'"},
        {"{" EC256 ",\"use\":[]}", "expected a text as 'use'"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X256 "\"}", "'y' is missing"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\",\"y\":\"" Y256 "\"}", "'x' is empty"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"" Y256 "\"}",
         "expected 32 bytes in 'x', found 1"},
        {"{\"kty\":\"EC\",\"crv\":\"P-224\",\"x\":\"AA\",\"y\":\"AA\"}", "unknown curve 'P-224'"},
        {"{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"" X256 "\",\"y\":\"AA\"}", "unknown curve"},
        {"{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" X256 "\"}", "unknown curve"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}", "expected 32 bytes in 'x'"},
        {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"}",
         "expected 48 bytes"},
        /* Not on the curve: y is x. */
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X256 "\",\"y\":\"" X256 "\"}", "JWK: "},
        /* The alphabet of PEM, three paddings, a spare bit. */
        {"{\"kty\":\"oct\",\"k\":\"A+/A\"}", "not base64url"},
        {"{\"kty\":\"oct\",\"k\":\"AA===\"}", "not base64url"},
        {"{\"kty\":\"oct\",\"k\":\"AB\"}", "not base64url"},
        {"{\"kty\":\"oct\"}", "'k' is missing"},
        {"{\"kty\":\"oct\",\"k\":\"\"}", "'k' is empty"},
        {"{" EC256 ",\"d\":\"AA\"}", "expected 32 bytes in 'd'"},
        /* Another key's private number. */
        {"{" EC256 ",\"d\":\"" X256 "\"}", "JWK: "},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "JWK: "},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\"}", "'e' is missing"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"p\":\"AQAB\"}", "'d' is missing"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"oth\":[]}", "more than two primes"},
        {"{" EC256 ",\"x5c\":[]}", "1 to 16 certificates"},
        {"{" EC256 ",\"x5c\":\"AAAA\"}", "1 to 16 certificates"},
        {"{" EC256 ",\"x5c\":[1]}", "not base64"},
        {"{" EC256 ",\"x5c\":[\"AA==\"]}", "x5c"},
        {"{\"kty\":\"oct\",\"k\":\"AA\",\"x5c\":[\"AAAA\"]}", "beside a shared secret"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct jwk jwk;
        struct err e = {0};
        if (jwk_read(mem, slice_text(bad[i].text), &jwk, &e))
            fail_msg("accepted: %s", bad[i].text);
        if (!strstr(e.text, bad[i].why))
            fail_msg("%s: expected \"%s\" in \"%s\"", bad[i].text, bad[i].why, e.text);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

/* A tree may have been read with rules under which the last of two members wins. */
static void duplicates_in_lenient_trees_are_refused(void **state)
{
    struct jwk jwk;
    struct err e = {0};
    const struct json *v =
        json_read(mem, SLICE("{" EC256 ",\"x\":\"" X256 "\"}"), &JSON_CONFIG, NULL, &e);

    (void)state;
    assert_non_null(v);
    assert_false(jwk_from_json(mem, v, &jwk, &e));
    assert_non_null(strstr(e.text, "'x' stands twice"));
}

/* A private number of every key type, with a bit changed.  RSA's dp, dq and qi follow from the
 * others: they are computed, not believed. */
static void damaged_private_numbers_are_refused(void **state)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi"};
    static const size_t believed = 3;
    static const enum key_type types[] = {KEY_RSA, KEY_P256, KEY_P521, KEY_ED25519, KEY_X25519};

    (void)state;
    for (size_t t = 0; t < COUNT_OF(types); t++)
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            struct private_key *k;
            struct jwk jwk;
            struct err e = {0};
            struct slice bytes;
            assert_true(private_key_generate(mem, types[t], 1024, &k, &e));
            assert_true(jwk_of_key(mem, k->public_key, k, &jwk, &e));
            struct json *v = jwk_json(mem, &jwk, true);
            if (!json_get_exact(v, names[i]))
                continue;
            assert_true(base64_read(mem, BASE64_URL_RAW, member(v, names[i]), &bytes));
            /* In the middle: 25519 ignores bits at both ends. */
            ((uint8_t *)(uintptr_t)bytes.p)[bytes.n / 2] ^= 4;
            json_set(v, mem, names[i],
                     json_make_text(mem, base64_text(mem, BASE64_URL_RAW, bytes)));
            struct slice before = jwk_text(mem, &jwk, true);
            bool good = jwk_from_json(mem, v, &jwk, &e);
            if (i >= believed) {
                assert_true(good);
                assert_same(jwk_text(mem, &jwk, true), before);
                continue;
            }
            if (good)
                fail_msg("type %d: accepted another '%s'", (int)types[t], names[i]);
            assert_int_equal(e.kind, ERR_MALFORMED);
        }
}

static void strangers_send_public_keys_only(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"{" EC256 "}", true},
        {"{" EC256 ",\"d\":null}", true},
        {"{" EC256 ",\"d\":\"" D256 "\"}", false},
        {"{" EC256 ",\"k\":\"AA\"}", false},
        {"{\"kty\":\"oct\",\"k\":\"AA\"}", false},
        {"{\"kty\":\"oct\"}", false},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"qi\":\"AQ\"}", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct jwk jwk;
        struct err e = {0};
        const struct json *v = json_read(mem, slice_text(cases[i].text), &JSON_JOSE, NULL, NULL);
        bool good = jwk_public_from_json(mem, v, &jwk, &e);
        if (good != cases[i].good)
            fail_msg("%s: %s", cases[i].text, good ? "accepted" : e.text);
        if (!good)
            assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

static void x5c_of_another_key_is_refused(void **state)
{
    const struct json *v = fixture("rfc.json", "keys")->first;
    struct slice certificate = SLICE_NONE;
    struct jwk jwk;
    struct err e = {0};

    (void)state;
    for (; v; v = v->next)
        if (json_get_exact(json_get_exact(v, "jwk"), "x5c"))
            certificate = json_text(json_get_exact(json_get_exact(v, "jwk"), "x5c")->first);
    assert_true(certificate.n > 0);
    struct slice text = arena_format(mem, "{" EC256 ",\"x5c\":[\"%.*s\"]}", SLICE_ARG(certificate));
    assert_false(jwk_read(mem, text, &jwk, &e));
    assert_non_null(strstr(e.text, "for another key"));
}

static void small_rsa_keys_are_refused(void **state)
{
    struct private_key *k;
    struct jwk jwk;
    struct err e = {0};
    struct key_numbers numbers;

    (void)state;
    assert_true(private_key_generate(mem, KEY_RSA, 1024, &k, &e));
    assert_true(jwk_of_key(mem, k->public_key, NULL, &jwk, &e));
    assert_true(jwk_read(mem, jwk_text(mem, &jwk, false), &jwk, &e));
    /* A modulus of 1016 bits: the lowest byte is dropped, and the number made odd. */
    assert_true(key_numbers(mem, k->public_key, &numbers, &e));
    uint8_t n[127];
    memcpy(n, numbers.n.p, sizeof(n));
    n[126] |= 1;
    struct slice text =
        arena_format(mem, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%.*s\"}",
                     SLICE_ARG(base64_text(mem, BASE64_URL_RAW, slice_of(n, sizeof(n)))));
    assert_false(jwk_read(mem, text, &jwk, &e));
    assert_non_null(strstr(e.text, "at least 1024 bits"));
}

static void sets_skip_what_is_unusable(void **state)
{
    struct jwk *keys;
    size_t n;
    struct err e = {0};
    struct slice text =
        SLICE("{\"more\":1,\"keys\":[{" EC256 ",\"kid\":\"1\"},{\"kty\":\"XYZ\"},7,{"
              "" EC256 ",\"kid\":\"2\",\"kid\":\"3\"},{" EC256 ",\"kid\":\"4\"}]}");

    (void)state;
    assert_true(jwk_set_read(mem, text, &keys, &n, &e));
    assert_int_equal(n, 2);
    assert_slice(keys[0].kid, "1");
    assert_slice(keys[1].kid, "4");
    assert_true(jwk_set_read(mem, SLICE("{\"keys\":[]}"), &keys, &n, &e));
    assert_int_equal(n, 0);
}

static void bad_sets_are_refused(void **state)
{
    static const char *const bad[] = {
        "", "[]", "{}", "{\"keys\":1}", "{\"keys\":[],\"keys\":[]}", "{\"keys\":[]} x"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct jwk *keys;
        size_t n;
        struct err e = {0};
        if (jwk_set_read(mem, slice_text(bad[i]), &keys, &n, &e))
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

static void members_are_written_in_order(void **state)
{
    struct jwk jwk;
    struct err e = {0};

    (void)state;
    assert_true(
        jwk_read(mem,
                 SLICE("{\"y\":\"" Y256 "\",\"d\":\"" D256 "\",\"x\":\"" X256
                       "\",\"alg\":\"ES256\",\"crv\":\"P-256\",\"kid\":\"me\",\"kty\":\"EC\""
                       ",\"use\":\"sig\"}"),
                 &jwk, &e));
    assert_slice(jwk_text(mem, &jwk, false),
                 "{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\"me\",\"crv\":\"P-256\","
                 "\"alg\":\"ES256\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"}");
    assert_slice(jwk_text(mem, &jwk, true),
                 "{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\"me\",\"crv\":\"P-256\","
                 "\"alg\":\"ES256\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\",\"d\":\"" D256 "\"}");
}

static void oct_keys_show_no_secret(void **state)
{
    struct jwk jwk;
    struct err e = {0};

    (void)state;
    assert_true(jwk_read(mem, SLICE("{\"kty\":\"oct\",\"k\":\"AAEC\",\"kid\":\"a\"}"), &jwk, &e));
    assert_slice(jwk_text(mem, &jwk, true), "{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"AAEC\"}");
    assert_slice(jwk_text(mem, &jwk, false), "{\"kty\":\"oct\",\"kid\":\"a\"}");
}

static void written_keys_read_back(void **state)
{
    static const struct {
        enum key_type type;
        const char *start;
    } kinds[] = {
        {KEY_RSA, "{\"use\":\"sig\",\"kty\":\"RSA\",\"kid\":\""},
        {KEY_P256, "{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\""},
        {KEY_P384, "{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\""},
        {KEY_P521, "{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\""},
        {KEY_ED25519, "{\"use\":\"sig\",\"kty\":\"OKP\",\"kid\":\""},
        {KEY_X25519, "{\"kty\":\"OKP\",\"kid\":\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct private_key *k;
        struct jwk jwk, again;
        struct err e = {0};
        assert_true(private_key_generate(mem, kinds[i].type, 2048, &k, &e));
        assert_true(jwk_of_key(mem, k->public_key, k, &jwk, &e));
        struct slice text = jwk_text(mem, &jwk, true);
        assert_true(slice_starts(text, kinds[i].start));
        if (!jwk_read(mem, text, &again, &e))
            fail_msg("%.*s: %s", SLICE_ARG(text), e.text);
        assert_non_null(again.secret);
        assert_true(key_eq(again.key, k->public_key));
        assert_same(jwk_text(mem, &again, true), text);
        assert_same(again.kid, jwk_thumbprint(mem, again.key));
        assert_true(jwk_read(mem, jwk_text(mem, &jwk, false), &again, &e));
        assert_null(again.secret);
    }
}

static void rsa_members_stand_in_order(void **state)
{
    static const char *const order[] = {
        "\"n\":", "\"e\":", "\"d\":", "\"p\":", "\"q\":", "\"dp\":", "\"dq\":", "\"qi\":"};
    struct private_key *k;
    struct jwk jwk;
    struct err e = {0};
    size_t at = 0;

    (void)state;
    assert_true(private_key_generate(mem, KEY_RSA, 2048, &k, &e));
    assert_true(jwk_of_key(mem, k->public_key, k, &jwk, &e));
    assert_slice(jwk.alg, "RS256");
    struct slice text = jwk_text(mem, &jwk, true);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        size_t here = slice_search(text, slice_text(order[i]));
        assert_true(here < text.n && here > at);
        at = here;
    }
}

static void p224_has_no_name(void **state)
{
    struct private_key *k;
    struct jwk jwk;
    struct err e = {0};

    (void)state;
    assert_true(private_key_generate(mem, KEY_P224, 0, &k, &e));
    assert_false(jwk_of_key(mem, k->public_key, k, &jwk, &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rfc_keys_are_read),
        TEST(thumbprints_agree_with_rfc_7638_and_others),
        TEST(members_are_kept),
        TEST(acceptable_spellings),
        TEST(bad_keys_are_refused),
        TEST(duplicates_in_lenient_trees_are_refused),
        TEST(damaged_private_numbers_are_refused),
        TEST(strangers_send_public_keys_only),
        TEST(x5c_of_another_key_is_refused),
        TEST(small_rsa_keys_are_refused),
        TEST(sets_skip_what_is_unusable),
        TEST(bad_sets_are_refused),
        TEST(members_are_written_in_order),
        TEST(oct_keys_show_no_secret),
        TEST(written_keys_read_back),
        TEST(rsa_members_stand_in_order),
        TEST(p224_has_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
