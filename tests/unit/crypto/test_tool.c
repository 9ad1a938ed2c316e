/* Signatures over files with any digest, primes, and the digests that only files have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encode.h"
#include "crypto/tool.h"

static struct private_key *make(struct arena *a, enum key_type type, unsigned bits)
{
    struct private_key *key;
    struct err e = {0};

    if (!private_key_generate(a, type, bits, &key, &e))
        fail_msg("%s", e.text);
    return key;
}

/* FIPS 180-4: the examples for "abc". */
static void truncated_sha512_matches_its_vectors(void **state)
{
    static const struct {
        enum digest d;
        const char *hex;
    } CASES[] = {
        {DIGEST_SHA512_224, "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa"},
        {DIGEST_SHA512_256, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"},
    };
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice hex = hex_text(a, digest_bytes(a, CASES[i].d, SLICE("abc")));
        assert_true(slice_is(hex, CASES[i].hex));
    }
    arena_free(a);
}

static void rsa_signs_with_every_digest(void **state)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct private_key *key = make(a, KEY_RSA, 2048);

    (void)state;
    for (unsigned d = DIGEST_MD5; d < DIGEST_KINDS; d++) {
        for (int pss = 0; pss < 2; pss++) {
            struct buf sig = buf_new(a, 4096);
            struct err e = {0};
            if (!tool_sign(key, d, pss, SLICE("message"), &sig, &e))
                fail_msg("digest %u: %s", d, e.text);
            assert_int_equal(sig.n, 256);
            if (!tool_verify(key->public_key, d, pss, SLICE("message"), buf_slice(&sig), &e))
                fail_msg("digest %u: %s", d, e.text);
            assert_false(
                tool_verify(key->public_key, d, pss, SLICE("massage"), buf_slice(&sig), &e));
            assert_int_equal(e.kind, ERR_UNAUTHORIZED);
            assert_false(
                tool_verify(key->public_key, d, !pss, SLICE("message"), buf_slice(&sig), &e));
        }
    }
    arena_free(a);
}

/* A salt of the digest's length is what other programs write. */
static void pss_with_a_shorter_salt_verifies(void **state)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct private_key *key = make(a, KEY_RSA, 2048);
    struct buf sig = buf_new(a, 4096);
    struct err e = {0};

    (void)state;
    assert_true(
        private_key_sign(key, (struct sig_alg){SIG_RSA_PSS, DIGEST_SHA256}, SLICE("m"), &sig, &e));
    assert_true(tool_verify(key->public_key, DIGEST_SHA256, true, SLICE("m"), buf_slice(&sig), &e));
    assert_false(
        tool_verify(key->public_key, DIGEST_SHA384, true, SLICE("m"), buf_slice(&sig), &e));
    arena_free(a);
}

static void other_keys_have_their_own_digest(void **state)
{
    static const enum key_type TYPES[] = {KEY_P256, KEY_P384, KEY_P521, KEY_ED25519};
    struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        struct private_key *key = make(a, TYPES[i], 0);
        struct buf sig = buf_new(a, 4096);
        struct err e = {0};
        assert_true(tool_sign(key, DIGEST_MD5, true, SLICE("m"), &sig, &e));
        assert_true(key_verify(key->public_key, sig_alg_usual(key->public_key), SLICE("m"),
                               buf_slice(&sig), &e));
        assert_true(
            tool_verify(key->public_key, DIGEST_SHA1, false, SLICE("m"), buf_slice(&sig), &e));
        assert_false(
            tool_verify(key->public_key, DIGEST_SHA1, false, SLICE("n"), buf_slice(&sig), &e));
        assert_int_equal(e.kind, ERR_UNAUTHORIZED);
        assert_false(tool_verify(key->public_key, DIGEST_SHA1, false, SLICE("m"), SLICE(""), &e));
    }
    arena_free(a);
}

static void agreement_keys_do_not_sign(void **state)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct private_key *key = make(a, KEY_X25519, 0);
    struct buf sig = buf_new(a, 4096);
    struct err e = {0};

    (void)state;
    assert_false(tool_sign(key, DIGEST_SHA256, false, SLICE("m"), &sig, &e));
    assert_false(tool_verify(key->public_key, DIGEST_SHA256, false, SLICE("m"), SLICE("s"), &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
    arena_free(a);
}

static bool is_prime(uint64_t n)
{
    for (uint64_t d = 2; d * d <= n; d++)
        if (n % d == 0)
            return false;
    return n > 1;
}

static void primes_have_the_size_asked_for(void **state)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct slice decimal;
    struct err e = {0};
    uint64_t n;

    (void)state;
    for (unsigned bits = 2; bits <= 32; bits++) {
        assert_true(tool_prime(a, bits, &decimal, &e));
        assert_true(slice_to_u64(decimal, &n));
        assert_true(is_prime(n));
        assert_int_equal(n >> (bits - 1), 1);
    }
    assert_false(tool_prime(a, 1, &decimal, &e));
    assert_false(tool_prime(a, TOOL_PRIME_MAX + 1, &decimal, &e));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_sha512_matches_its_vectors),
        cmocka_unit_test(rsa_signs_with_every_digest),
        cmocka_unit_test(pss_with_a_shorter_salt_verifies),
        cmocka_unit_test(other_keys_have_their_own_digest),
        cmocka_unit_test(agreement_keys_do_not_sign),
        cmocka_unit_test(primes_have_the_size_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
