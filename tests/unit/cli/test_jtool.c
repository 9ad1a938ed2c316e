/* Tokens: which algorithm a key may have, and how serializations are read and changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* Commands have a fail() of their own. */
#undef fail
#undef fail_msg
#define fail_msg(...) (print_error(__VA_ARGS__), print_error("\n"), _fail(__FILE__, __LINE__))

#include "cli/jtool.h"
#include "cli/keyset.h"

/* RFC 7515 A.3 (ES256) and A.1 (HS256). */
#define ES256_HEADER "eyJhbGciOiJFUzI1NiJ9"
#define HS256_HEADER "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
#define PAYLOAD                                                                                    \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"
#define ES256_SIG                                                                                  \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define HS256_SIG "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define ES256_KEY                                                                                  \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","     \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define HS256_KEY                                                                                  \
    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"                       \
    "1qS0gZH75aKtMN3Yj0iPS4h"                                                                      \
    "cgUuTwjAzZr1Z9CAow\"}"

static struct jwk jwk_of(struct arena *a, const char *text)
{
    struct err e = {0};
    struct jwk jwk;

    if (!jwk_read(a, slice_text(text), &jwk, &e))
        fail_msg("%s", e.text);
    return jwk;
}

/* --- Algorithms --------------------------------------------------------------------------- */

static const char *kind_text(const char *kind)
{
    return strcmp(kind, "EC") == 0 ? ES256_KEY : HS256_KEY;
}

static void the_key_or_the_flag_says_the_algorithm(void **state)
{
    static const struct {
        const char *kty, *own;
        enum jtool_use use;
        struct jtool_wish wish;
        const char *alg, *error;
    } CASES[] = {
        {"EC", NULL, JTOOL_SIGN, {0}, "ES256", NULL},
        {"EC", NULL, JTOOL_VERIFY, {0}, "ES256", NULL},
        {"EC", NULL, JTOOL_ENCRYPT, {0}, "ECDH-ES", NULL},
        {"EC", "ECDH-ES+A128KW", JTOOL_ENCRYPT, {0}, "ECDH-ES+A128KW", NULL},
        {"EC", NULL, JTOOL_VERIFY, {.alg = "ES256"}, "ES256", NULL},
        {"EC",
         NULL,
         JTOOL_VERIFY,
         {.alg = "ES384"},
         NULL,
         "alg 'ES384' is not compatible with kty 'EC' and crv 'P-256'"},
        {"EC",
         NULL,
         JTOOL_VERIFY,
         {.alg = "HS256", .subtle = true, .insecure = true},
         NULL,
         "alg 'HS256' is not compatible with kty 'EC' and crv 'P-256'"},
        {"EC",
         NULL,
         JTOOL_VERIFY,
         {.alg = "none", .subtle = true, .insecure = true},
         NULL,
         "alg 'none' is not compatible with kty 'EC' and crv 'P-256'"},
        {"EC",
         "none",
         JTOOL_VERIFY,
         {0},
         NULL,
         "alg 'none' is not compatible with kty 'EC' and crv 'P-256'"},
        {"EC",
         "ES256",
         JTOOL_VERIFY,
         {.alg = "ES384"},
         NULL,
         "alg ES384 does not match the alg on F"},
        {"oct", NULL, JTOOL_SIGN, {0}, "HS256", NULL},
        {"oct", NULL, JTOOL_VERIFY, {0}, NULL, "flag '--alg' is required with the given key"},
        {"oct", NULL, JTOOL_VERIFY, {.insecure = true}, "HS256", NULL},
        {"oct", "HS512", JTOOL_VERIFY, {0}, "HS512", NULL},
        {"oct",
         "HS512",
         JTOOL_VERIFY,
         {.alg = "HS256"},
         NULL,
         "alg HS256 does not match the alg on F"},
        {"oct", "HS512", JTOOL_VERIFY, {.alg = "HS256", .subtle = true}, "HS256", NULL},
        {"oct",
         NULL,
         JTOOL_VERIFY,
         {.alg = "RS256"},
         NULL,
         "alg 'RS256' is not compatible with kty 'oct'"},
        {"oct", NULL, JTOOL_ENCRYPT, {0}, "A256GCMKW", NULL},
        {"oct", NULL, JTOOL_ENCRYPT, {.alg = "dir"}, "dir", NULL},
        {"oct", NULL, JTOOL_DECRYPT, {0}, NULL, NULL},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct jwk jwk = jwk_of(a, kind_text(CASES[i].kty));
        struct err e = {0};
        const char *alg = "untouched";
        jwk.alg = slice_text(CASES[i].own);
        bool good = jtool_alg(a, &jwk, "F", CASES[i].use, &CASES[i].wish, &alg, &e);
        if (good != !CASES[i].error)
            fail_msg("case %zu: %s", i, good ? alg : e.text);
        if (CASES[i].error)
            assert_string_equal(e.text, CASES[i].error);
        else if (CASES[i].alg)
            assert_string_equal(alg, CASES[i].alg);
        else
            assert_null(alg);
    }
    arena_free(a);
}

static void keys_that_cannot_are_told(void **state)
{
    static const struct {
        enum key_type type;
        enum jtool_use use;
        const char *error;
    } CASES[] = {
        {KEY_ED25519, JTOOL_ENCRYPT, "key Ed25519 cannot be used for encryption"},
        {KEY_ED25519, JTOOL_DECRYPT, "key Ed25519 cannot be used for encryption"},
        {KEY_X25519, JTOOL_SIGN, "key X25519 cannot be used for signing"},
        {KEY_X25519, JTOOL_VERIFY, "key X25519 cannot be used for signing"},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const struct jtool_wish none = {0};
        struct private_key *key;
        struct err e = {0};
        struct jwk jwk = {.kty = JWK_OKP};
        const char *alg;
        assert_true(private_key_generate(a, CASES[i].type, 0, &key, &e));
        jwk.key = key->public_key;
        assert_false(jtool_alg(a, &jwk, "F", CASES[i].use, &none, &alg, &e));
        assert_string_equal(e.text, CASES[i].error);
    }
    arena_free(a);
}

/* --- Verifying ---------------------------------------------------------------------------- */

static void signatures_of_the_rfc_verify_under_their_algorithm_only(void **state)
{
    static const struct {
        const char *token, *key, *alg, *error;
    } CASES[] = {
        {ES256_HEADER "." PAYLOAD "." ES256_SIG, ES256_KEY, "ES256", NULL},
        {HS256_HEADER "." PAYLOAD "." HS256_SIG, HS256_KEY, "HS256", NULL},
        {ES256_HEADER "." PAYLOAD "." ES256_SIG, HS256_KEY, "HS256",
         "alg HS256 does not match the alg on JWT (ES256)"},
        {HS256_HEADER "." PAYLOAD "." HS256_SIG, ES256_KEY, "ES256",
         "alg ES256 does not match the alg on JWT (HS256)"},
        {HS256_HEADER "." PAYLOAD "." ES256_SIG, HS256_KEY, "HS256",
         "validation failed: invalid signature"},
        {"eyJhbGciOiJub25lIn0." PAYLOAD ".", ES256_KEY, "ES256",
         "alg ES256 does not match the alg on JWT (none)"},
        {"eyJhbGciOiJub25lIn0." PAYLOAD ".", HS256_KEY, "none",
         "alg none does not match the alg on JWT (none)"},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const struct jtool_key key = {jwk_of(a, CASES[i].key), "F", CASES[i].alg};
        struct err e = {0};
        struct jws jws;
        if (!jtool_jws_read(a, slice_text(CASES[i].token), &jws, &e))
            fail_msg("%s", e.text);
        assert_int_equal(jtool_verify(&jws, &key, "JWT", &e), !CASES[i].error);
        if (CASES[i].error)
            assert_string_equal(e.text, CASES[i].error);
    }
    arena_free(a);
}

static void tokens_that_are_none_are_told(void **state)
{
    static const struct {
        const char *token, *error;
    } CASES[] = {
        {"", "error parsing token: compact JWS format must have three parts"},
        {"invalid token", "error parsing token: compact JWS format must have three parts"},
        {"a.b", "error parsing token: compact JWS format must have three parts"},
        {"a.b.c.d", "error parsing token: compact JWS format must have three parts"},
        {"!.b.c", "error parsing token: "},
        {"bm8.b.c", "error parsing token: "},
        {"eyJhbGciOiJFUzI1NiIsImNyaXQiOlsieCJdfQ.e30.AAAA", "RFC 7515 4.1.11"},
        {"{\"payload\":\"\",\"signatures\":[{\"protected\":\"" ES256_HEADER
         "\",\"signature\":\"AA\"},{\"protected\":\"" ES256_HEADER "\",\"signature\":\"AA\"}]}",
         "expected exactly one signature"},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        struct jws jws;
        assert_false(jtool_jws_read(a, slice_text(CASES[i].token), &jws, &e));
        if (!strstr(e.text, CASES[i].error))
            fail_msg("%s", e.text);
    }
    arena_free(a);
}

static void a_look_shows_what_verifying_refuses(void **state)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct err e = {0};
    struct jws jws;

    (void)state;
    assert_true(
        jtool_jws_look(a, SLICE("eyJhbGciOiJFUzI1NiIsImNyaXQiOlsieCJdfQ.e30.AAAA"), &jws, &e));
    assert_true(slice_is(jtool_show(a, &jws, NULL), "{\n"
                                                    "  \"header\": {\n"
                                                    "    \"alg\": \"ES256\",\n"
                                                    "    \"crit\": [\n"
                                                    "      \"x\"\n"
                                                    "    ]\n"
                                                    "  },\n"
                                                    "  \"payload\": \"e30\",\n"
                                                    "  \"signature\": \"AAAA\"\n"
                                                    "}\n"));
    arena_free(a);
}

/* --- Serializations ----------------------------------------------------------------------- */

static void each_serialization_becomes_the_other(void **state)
{
    static const struct {
        const char *compact, *json;
    } CASES[] = {
        {ES256_HEADER "." PAYLOAD "." ES256_SIG,
         "{\"payload\":\"" PAYLOAD "\",\"protected\":\"" ES256_HEADER
         "\",\"signature\":\"" ES256_SIG "\"}"},
        {ES256_HEADER ".." ES256_SIG,
         "{\"payload\":\"\",\"protected\":\"" ES256_HEADER "\",\"signature\":\"" ES256_SIG "\"}"},
        {ES256_HEADER ".QUJD.AAAA.QQ.AQID",
         "{\"protected\":\"" ES256_HEADER "\",\"encrypted_key\":\"QUJD\",\"iv\":\"AAAA\","
         "\"ciphertext\":\"QQ\",\"tag\":\"AQID\"}"},
        {ES256_HEADER "..AAAA.QQ.AQID",
         "{\"protected\":\"" ES256_HEADER
         "\",\"iv\":\"AAAA\",\"ciphertext\":\"QQ\",\"tag\":\"AQID\"}"},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        struct slice out;
        if (!jtool_swap(a, slice_text(CASES[i].compact), &out, &e))
            fail_msg("%s", e.text);
        assert_true(slice_is(out, CASES[i].json));
        if (!jtool_swap(a, slice_text(CASES[i].json), &out, &e))
            fail_msg("%s", e.text);
        assert_true(slice_is(out, CASES[i].compact));
    }
    arena_free(a);
}

static void what_compact_has_no_place_for_is_refused(void **state)
{
    static const struct {
        const char *text, *error;
    } CASES[] = {
        {"foo", "must have three parts"},
        {"{\"a\":1}", "missing payload in JWS message"},
        {"{\"payload\":\"\",\"protected\":\"" ES256_HEADER "\"}", "expected a text as 'signature'"},
        {"{\"payload\":\"\",\"protected\":\"" ES256_HEADER
         "\",\"signature\":\"AA\",\"header\":{\"kid\":\"x\"}}",
         "'header' has no place"},
        {"{\"ciphertext\":\"QQ\",\"protected\":\"" ES256_HEADER
         "\",\"iv\":\"AAAA\",\"tag\":\"AAAA\",\"aad\":\"AA\"}",
         "'aad' has no place"},
        {"{\"payload\":\"\",\"signatures\":[]}", "exactly one"},
        {"{\"payload\":\"!\",\"protected\":\"" ES256_HEADER "\",\"signature\":\"AA\"}",
         "not base64url"},
        {ES256_HEADER ".!.AA", "not base64url"},
        {"bm8.AA.AA", "header"},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        struct slice out;
        assert_false(jtool_swap(a, slice_text(CASES[i].text), &out, &e));
        if (!strstr(e.text, CASES[i].error))
            fail_msg("%s: %s", CASES[i].text, e.text);
    }
    arena_free(a);
}

/* --- Sets --------------------------------------------------------------------------------- */

static void sets_keep_what_they_do_not_know(void **state)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct json *whole, *list;
    struct buf b = buf_new(a, 4096);
    struct err e = {0};

    (void)state;
    assert_true(keyset_read(
        a,
        SLICE(
            "{\"x\":1,\"keys\":[{\"kid\":\"a\",\"new\":[2]},{\"kid\":\"b\"},{\"kid\":\"a\"},{}]}"),
        "F", &whole, &list, &e));
    assert_true(keyset_remove(list, "b"));
    assert_false(keyset_remove(list, "b"));
    assert_false(keyset_remove(list, ""));
    json_print(&b, whole, NULL);
    assert_true(slice_is(buf_slice(&b),
                         "{\"x\":1,\"keys\":[{\"kid\":\"a\",\"new\":[2]},{\"kid\":\"a\"},{}]}"));
    assert_true(keyset_remove(list, "a"));
    assert_int_equal(list->n, 1);
    arena_free(a);
}

static void what_is_no_set_is_refused(void **state)
{
    static const char *const CASES[] = {"[]",
                                        "{}",
                                        "1",
                                        "{\"keys\":{}}",
                                        "{\"keys\":[1]}",
                                        "{\"keys\":[],\"keys\":[]}",
                                        "{\"keys\":[]} x",
                                        "{\"keys\":["};
    struct arena *a = arena_new(&HEAP_USUAL);
    struct json *whole, *list;
    struct err e = {0};

    (void)state;
    assert_true(keyset_read(a, SLICE(" \n"), "F", &whole, &list, &e));
    assert_int_equal(list->n, 0);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        if (keyset_read(a, slice_text(CASES[i]), "F", &whole, &list, &e))
            fail_msg("%s was read", CASES[i]);
        assert_true(strstr(e.text, "error reading F: ") == e.text);
    }
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_or_the_flag_says_the_algorithm),
        cmocka_unit_test(keys_that_cannot_are_told),
        cmocka_unit_test(signatures_of_the_rfc_verify_under_their_algorithm_only),
        cmocka_unit_test(tokens_that_are_none_are_told),
        cmocka_unit_test(a_look_shows_what_verifying_refuses),
        cmocka_unit_test(each_serialization_becomes_the_other),
        cmocka_unit_test(what_compact_has_no_place_for_is_refused),
        cmocka_unit_test(sets_keep_what_they_do_not_know),
        cmocka_unit_test(what_is_no_set_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
