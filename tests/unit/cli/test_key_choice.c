/* Which key, and which JWK, the flags ask for; the texts are those that scripts match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef fail

#include "cli/jwk_choice.h"
#include "cli/key_choice.h"

#define SIZE(n) .size_given = true, .size = (n)

static void key_choice_follows_the_table(void **state)
{
    static const struct {
        struct key_wish wish;
        enum key_type type;
        unsigned bits;
        const char *error; /* NULL: passes */
    } CASES[] = {
        {{0}, KEY_P256, 0, NULL},
        {{.kty = "EC"}, KEY_P256, 0, NULL},
        {{.kty = "EC", .curve = "P-256"}, KEY_P256, 0, NULL},
        {{.kty = "EC", .curve = "P-384"}, KEY_P384, 0, NULL},
        {{.kty = "EC", .curve = "P-521"}, KEY_P521, 0, NULL},
        {{.kty = "OKP"}, KEY_ED25519, 0, NULL},
        {{.kty = "OKP", .curve = "Ed25519"}, KEY_ED25519, 0, NULL},
        {{.kty = "RSA"}, KEY_RSA, 2048, NULL},
        {{.kty = "RSA", SIZE(3072)}, KEY_RSA, 3072, NULL},
        {{.kty = "RSA", SIZE(16), .insecure = true}, KEY_RSA, 16, NULL},
        {{.curve = "P-384"}, 0, 0, "flag '--curve' requires the '--kty' flag"},
        {{SIZE(2048)}, 0, 0, "flag '--size' requires the '--kty' flag"},
        {{.kty = "RSA", .curve = "P-256"},
         0,
         0,
         "flag '--curve' is incompatible with flag '--kty RSA'"},
        {{.kty = "RSA", SIZE(2047), .insecure_listed = true},
         0,
         0,
         "flag '--size' requires at least 2048 unless '--insecure' flag is provided"},
        {{.kty = "RSA", SIZE(1024)},
         0,
         0,
         "flag '--size' requires at least 2048 bits for an RSA key"},
        {{.kty = "RSA", SIZE(0), .insecure_listed = true},
         0,
         0,
         "flag '--size' requires at least 2048 unless '--insecure' flag is provided"},
        {{.kty = "RSA", SIZE(0), .insecure = true},
         0,
         0,
         "flag '--size' must be greater than or equal to 0"},
        {{.kty = "RSA", SIZE(-1), .insecure = true},
         0,
         0,
         "flag '--size' must be greater than or equal to 0"},
        {{.kty = "RSA", SIZE(16385)}, 0, 0, "flag '--size' must be at most 16384"},
        {{.kty = "RSA", SIZE(INT64_MAX)}, 0, 0, "flag '--size' must be at most 16384"},
        {{.kty = "EC", .curve = "Ed25519"},
         0,
         0,
         "flag '--kty EC' is incompatible with flag '--curve Ed25519'; options are P-256, P-384, "
         "P-521"},
        {{.kty = "EC", SIZE(256)}, 0, 0, "flag '--size' is incompatible with flag '--kty EC'"},
        {{.kty = "OKP", .curve = "P-256"},
         0,
         0,
         "flag '--kty OKP' is incompatible with flag '--curve P-256'; options are Ed25519"},
        {{.kty = "OKP", SIZE(256)}, 0, 0, "flag '--size' is incompatible with flag '--kty OKP'"},
        {{.kty = "rsa"}, 0, 0, "invalid value 'rsa' for flag '--kty'; options are RSA, EC, OKP"},
        {{.kty = ""}, 0, 0, "missing value for flag '--kty'; options are RSA, EC, OKP"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        enum key_type type = KEY_NONE;
        unsigned bits = 7;
        struct err e = {0};
        bool ok = key_choice_of(&CASES[i].wish, &type, &bits, &e);
        assert_string_equal(e.text, CASES[i].error ? CASES[i].error : "");
        assert_int_equal(ok, !CASES[i].error);
        if (!ok)
            continue;
        assert_int_equal(type, CASES[i].type);
        assert_int_equal(bits, CASES[i].bits);
    }
}

static void jwk_choice_follows_the_table(void **state)
{
    static const struct {
        struct jwk_wish wish;
        struct jwk_kind kind;
        const char *error;
    } CASES[] = {
        {{.kty = "EC"}, {JWK_EC, KEY_P256, 0}, NULL},
        {{.kty = "EC", .crv = "P-521"}, {JWK_EC, KEY_P521, 0}, NULL},
        {{.kty = "OKP"}, {JWK_OKP, KEY_ED25519, 0}, NULL},
        {{.kty = "RSA"}, {JWK_RSA, KEY_RSA, 2048}, NULL},
        {{.kty = "RSA", SIZE(4096)}, {JWK_RSA, KEY_RSA, 4096}, NULL},
        {{.kty = "oct"}, {JWK_OCT, KEY_NONE, 32}, NULL},
        {{.kty = "oct", SIZE(16)}, {JWK_OCT, KEY_NONE, 16}, NULL},
        {{.kty = "oct", SIZE(1), .insecure = true}, {JWK_OCT, KEY_NONE, 1}, NULL},
        {{.kty = "rsa"},
         {0},
         "invalid value 'rsa' for flag '--kty'; options are EC, RSA, OKP, or oct"},
        {{.kty = "OCT"},
         {0},
         "invalid value 'OCT' for flag '--kty'; options are EC, RSA, OKP, or oct"},
        {{.kty = ""}, {0}, "missing value for flag '--kty'; options are EC, RSA, OKP, or oct"},
        {{.kty = "EC", SIZE(256)}, {0}, "flag '--size' is incompatible with '--kty EC'"},
        {{.kty = "OKP", SIZE(256)}, {0}, "flag '--size' is incompatible with '--kty OKP'"},
        {{.kty = "oct", .crv = "P-256"}, {0}, "flag '--crv' is incompatible with '--kty oct'"},
        {{.kty = "RSA", .crv = "P-256"}, {0}, "flag '--crv' is incompatible with '--kty RSA'"},
        {{.kty = "RSA", SIZE(1024)},
         {0},
         "flag '--size' requires at least 2048 unless '--insecure' flag is provided"},
        {{.kty = "RSA", SIZE(1024), .insecure = true},
         {0},
         "the size of the RSA key should be at least 2048 bits"},
        {{.kty = "oct", SIZE(15)},
         {0},
         "flag '--size' requires at least 16 unless '--insecure' flag is provided"},
        {{.kty = "oct", SIZE(0), .insecure = true},
         {0},
         "flag '--size' must be greater than or equal to 0"},
        {{.kty = "oct", SIZE(1 << 20)}, {0}, "flag '--size' must be at most 8192"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct jwk_kind kind = {0};
        struct err e = {0};
        bool ok = jwk_choose(&CASES[i].wish, &kind, &e);
        assert_string_equal(e.text, CASES[i].error ? CASES[i].error : "");
        assert_int_equal(ok, !CASES[i].error);
        if (!ok)
            continue;
        assert_int_equal(kind.kty, CASES[i].kind.kty);
        assert_int_equal(kind.type, CASES[i].kind.type);
        assert_int_equal(kind.size, CASES[i].kind.size);
    }
}

static void algorithm_fits_key_and_use(void **state)
{
    static const struct key P256 = {.type = KEY_P256}, P384 = {.type = KEY_P384},
                            ED = {.type = KEY_ED25519}, RSA = {.type = KEY_RSA};
    static const struct {
        enum jwk_kty kty;
        const struct key *key;
        const char *use, *wish, *alg, *error;
    } CASES[] = {
        {JWK_EC, &P256, "sig", NULL, "ES256", NULL},
        {JWK_EC, &P384, "sig", NULL, "ES384", NULL},
        {JWK_EC, &P384, "sig", "ES384", "ES384", NULL},
        {JWK_OKP, &ED, "sig", NULL, "EdDSA", NULL},
        {JWK_RSA, &RSA, "sig", NULL, "RS256", NULL},
        {JWK_RSA, &RSA, "sig", "PS512", "PS512", NULL},
        {JWK_OCT, NULL, "sig", NULL, "HS256", NULL},
        {JWK_OCT, NULL, "sig", "HS512", "HS512", NULL},
        {JWK_EC, &P256, "enc", NULL, "ECDH-ES", NULL},
        {JWK_EC, &P256, "enc", "ECDH-ES+A256KW", "ECDH-ES+A256KW", NULL},
        {JWK_RSA, &RSA, "enc", NULL, "RSA-OAEP-256", NULL},
        {JWK_RSA, &RSA, "enc", "RSA1_5", "RSA1_5", NULL},
        {JWK_OCT, NULL, "enc", NULL, "A256GCMKW", NULL},
        {JWK_OCT, NULL, "enc", "dir", "dir", NULL},
        {JWK_OCT, NULL, "enc", "A192GCMKW", "A192GCMKW", NULL},
        {JWK_RSA, &RSA, "whatever", "any", "any", NULL},
        {JWK_RSA, &RSA, "", NULL, NULL, NULL},
        {JWK_RSA, &RSA, "sig", "ES256", NULL, "alg 'ES256' is not compatible with kty 'RSA'"},
        {JWK_EC, &P256, "sig", "ES384", NULL,
         "alg 'ES384' is not compatible with kty 'EC' and crv 'P-256'"},
        {JWK_OCT, NULL, "sig", "RS256", NULL, "alg 'RS256' is not compatible with kty 'oct'"},
        {JWK_OKP, &ED, "sig", "ES256", NULL,
         "alg 'ES256' is not compatible with kty 'OKP' and crv 'Ed25519'"},
        {JWK_OKP, &ED, "enc", NULL, NULL,
         "'--use enc' is not compatible with a key of type 'Ed25519'"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct jwk jwk = {.kty = CASES[i].kty, .key = CASES[i].key};
        const char *alg = NULL;
        struct err e = {0};
        bool ok = jwk_alg_choose(&jwk, CASES[i].use, CASES[i].wish, &alg, &e);
        assert_string_equal(e.text, CASES[i].error ? CASES[i].error : "");
        assert_int_equal(ok, !CASES[i].error);
        if (ok && CASES[i].alg)
            assert_string_equal(alg, CASES[i].alg);
        else if (ok)
            assert_null(alg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_choice_follows_the_table),
        cmocka_unit_test(jwk_choice_follows_the_table),
        cmocka_unit_test(algorithm_fits_key_and_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
