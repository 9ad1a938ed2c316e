/* Keys, signatures, numbers and key agreement. */
#include <openssl/err.h>
#include <pthread.h>

#include "crypto/der.h"
#include "crypto/key.h"
#include "crypto/pem.h"
#include "crypto/secret.h"
#include "crypto_testing.h"

struct arena *arena;

static const struct {
    enum key_type type;
    unsigned bits;
    const char *describe;
} KINDS[] = {
    {KEY_RSA, 2048, "RSA 2048"},    {KEY_P224, 224, "ECDSA P-224"}, {KEY_P256, 256, "ECDSA P-256"},
    {KEY_P384, 384, "ECDSA P-384"}, {KEY_P521, 521, "ECDSA P-521"}, {KEY_ED25519, 256, "Ed25519"},
    {KEY_X25519, 256, "X25519"},
};

static struct private_key *generate(enum key_type type, unsigned bits)
{
    struct private_key *k;
    struct err e = {0};

    assert_good(private_key_generate(arena, type, bits, &k, &e), &e);
    return k;
}

static const struct key *from_hex_spki(const char *spki)
{
    const struct key *k;
    struct err e = {0};

    assert_good(key_from_spki(arena, hex(spki), &k, &e), &e);
    return k;
}

static void generated_keys_survive_every_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        struct private_key *k = generate(KINDS[i].type, KINDS[i].bits), *again;
        const struct key *pub = k->public_key, *pub2, *pub3;
        struct key_numbers n, public_n;
        struct err e = {0};
        assert_int_equal(pub->type, KINDS[i].type);
        assert_int_equal(pub->bits, KINDS[i].bits);
        assert_text(key_describe(arena, pub), KINDS[i].describe);
        assert_slice(slice_of(pub->ski, 20), digest_bytes(arena, DIGEST_SHA1, pub->point));
        assert_good(key_from_spki(arena, pub->spki, &pub2, &e), &e);
        assert_true(key_eq(pub, pub2));
        assert_good(key_numbers(arena, pub, &public_n, &e), &e);
        assert_good(key_from_numbers(arena, pub->type, &public_n, &pub3, &e), &e);
        assert_slice(pub3->spki, pub->spki);
        assert_good(private_key_numbers(arena, k, &n, &e), &e);
        assert_good(private_key_from_numbers(arena, pub->type, &n, &again, &e), &e);
        assert_true(key_eq(again->public_key, pub));
        if (key_is_ec(pub))
            assert_int_equal(n.d.n, key_field_size(pub->type));
        assert_false(key_eq(pub, generate(KINDS[i].type, KINDS[i].bits)->public_key));
    }
    assert_string_equal(key_curve_name(KEY_P256), "P-256");
    assert_null(key_curve_name(KEY_RSA));
}

static void generation_refuses_odd_sizes(void **state)
{
    struct private_key *k;
    struct err e = {0};

    (void)state;
    assert_error(private_key_generate(arena, KEY_RSA, 1023, &k, &e), &e, ERR_MALFORMED, "1023");
    assert_error(private_key_generate(arena, KEY_RSA, 16385, &k, &e), &e, ERR_MALFORMED, "16385");
    assert_error(private_key_generate(arena, KEY_NONE, 0, &k, &e), &e, ERR_INTERNAL, "type");
}

/* One P-256 key, and what can be wrong with its SubjectPublicKeyInfo. */
static void spki_is_read_strictly(void **state)
{
#define P256_ALG  "301306072a8648ce3d020106082a8648ce3d030107"
#define POINT_X   "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define POINT_Y   "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define OFF_CURVE "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462298"
    static const struct {
        const char *spki, *error;
    } CASES[] = {
        {"3059" P256_ALG "034200 04" POINT_X POINT_Y, NULL},
        {"3059" P256_ALG "034200 04" POINT_X OFF_CURVE, "public key"},
        {"3059" P256_ALG "034200 06" POINT_X POINT_Y, "uncompressed"},
        {"3039" P256_ALG "032200 03" POINT_X, "uncompressed"},
        {"3018" P256_ALG "030100", "uncompressed"},
        {"3019" P256_ALG "03020000", "uncompressed"}, /* the point at infinity */
        {"305a" P256_ALG "034200 04" POINT_X POINT_Y "00", "subjectPublicKey"},
        {"3059" P256_ALG "034200 04" POINT_X POINT_Y "00", "SubjectPublicKeyInfo"},
        {"3081 59" P256_ALG "034200 04" POINT_X POINT_Y, "SubjectPublicKeyInfo"},
        {"3059" P256_ALG "034204 04" POINT_X
         "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c2"
         "94d4462290",
         "subjectPublicKey"},
        {"3056 3010 06072a8648ce3d0201 06052b8104000a 034200 04" POINT_X POINT_Y,
         "unsupported curve"},
        {"304f 3009 06072a8648ce3d0201 034200 04" POINT_X POINT_Y, "named curve"},
        {"3051 300b 06072a8648ce3d0201 0500 034200 04" POINT_X POINT_Y, "named curve"},
        {"302a 3005 06032b6570 032100" POINT_X, NULL},
        {"302c 3007 06032b65700500 032100" POINT_X, "parameters"},
        {"3029 3005 06032b6570 032000"
         "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29f",
         "31"},
        {"302a 3005 06032b656e 032100" POINT_X, NULL},
        {"302a 3005 06032b6571 032100" POINT_X, "unsupported algorithm"},
        {"", "SubjectPublicKeyInfo"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const struct key *k;
        struct err e = {0};
        bool good = key_from_spki(arena, hex(CASES[i].spki), &k, &e);
        if (CASES[i].error)
            assert_error(good, &e, ERR_MALFORMED, CASES[i].error);
        else
            assert_good(good, &e);
        assert_int_equal(ERR_peek_error(), 0); /* nothing left for TLS to stumble over */
    }
}

static bool rsa_spki_accepted(struct slice modulus, struct slice exponent, bool with_null)
{
    static const uint8_t RSA[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
    struct buf b = buf_new(arena, 1 << 16), point = buf_new(arena, 1 << 16);
    const struct oid oid = {RSA, sizeof(RSA)};
    const struct key *k;
    size_t at, alg, key;

    der_open(&point, DER_SEQUENCE, &key);
    der_uint(&point, modulus);
    der_uint(&point, exponent);
    der_close(&point, key);
    der_open(&b, DER_SEQUENCE, &at);
    der_open(&b, DER_SEQUENCE, &alg);
    der_oid(&b, &oid);
    if (with_null)
        der_null(&b);
    der_close(&b, alg);
    der_bits(&b, buf_slice(&point));
    der_close(&b, at);
    return key_from_spki(arena, buf_slice(&b), &k, NULL);
}

static void rsa_keys_are_bounded(void **state)
{
    uint8_t modulus[2049];
    struct slice e65537 = hex("010001");

    (void)state;
    memset(modulus, 0xff, sizeof(modulus));
    assert_true(rsa_spki_accepted(slice_of(modulus, 64), e65537, true));
    assert_true(rsa_spki_accepted(slice_of(modulus, 2048), e65537, true));
    assert_false(rsa_spki_accepted(slice_of(modulus, 64), e65537, false)); /* NULL is required */
    assert_false(rsa_spki_accepted(slice_of(modulus, 2049), e65537, true));
    assert_false(rsa_spki_accepted(slice_of(modulus, 63), e65537, true));
    assert_false(rsa_spki_accepted(slice_of(modulus, 64), hex("01"), true));
    assert_false(rsa_spki_accepted(slice_of(modulus, 64), hex("00"), true));
    assert_false(rsa_spki_accepted(slice_of(modulus, 64), hex("010000"), true));
    assert_true(rsa_spki_accepted(slice_of(modulus, 64), hex("03"), true));
    assert_true(rsa_spki_accepted(slice_of(modulus, 64), hex("ffffffffffffffff"), true));
    assert_false(rsa_spki_accepted(slice_of(modulus, 64), hex("010000000000000001"), true));
    modulus[63] = 0xfe;
    assert_false(rsa_spki_accepted(slice_of(modulus, 64), e65537, true)); /* even */
}

/* --- Signatures --------------------------------------------------------------------------- */

static const struct sig_alg ALL_ALGS[] = {
    {SIG_ECDSA, DIGEST_SHA1},       {SIG_ECDSA, DIGEST_SHA256},     {SIG_ECDSA, DIGEST_SHA384},
    {SIG_ECDSA, DIGEST_SHA512},     {SIG_RSA_PKCS1, DIGEST_SHA1},   {SIG_RSA_PKCS1, DIGEST_SHA256},
    {SIG_RSA_PKCS1, DIGEST_SHA384}, {SIG_RSA_PKCS1, DIGEST_SHA512}, {SIG_RSA_PSS, DIGEST_SHA256},
    {SIG_RSA_PSS, DIGEST_SHA384},   {SIG_RSA_PSS, DIGEST_SHA512},   {SIG_ED25519, DIGEST_NONE},
};

static void sign_and_verify(const struct private_key *k, const struct private_key *other,
                            struct sig_alg alg)
{
    struct slice message = SLICE("a message"), sig;
    struct buf b = buf_new(arena, 4096);
    struct err e = {0};

    assert_good(private_key_sign(k, alg, message, &b, &e), &e);
    sig = buf_slice(&b);
    assert_good(key_verify(k->public_key, alg, message, sig, &e), &e);
    assert_error(key_verify(k->public_key, alg, SLICE("a massage"), sig, &e), &e, ERR_MALFORMED,
                 "signature does not verify");
    assert_error(key_verify(other->public_key, alg, message, sig, &e), &e, ERR_MALFORMED,
                 "signature does not verify");
    assert_error(key_verify(k->public_key, alg, message, slice_sub(sig, 0, sig.n - 1), &e), &e,
                 ERR_MALFORMED, "signature does not verify");
    assert_error(key_verify(k->public_key, alg, message, SLICE_NONE, &e), &e, ERR_MALFORMED,
                 "signature does not verify");
    b.p[b.n / 2] ^= 4;
    assert_error(key_verify(k->public_key, alg, message, sig, &e), &e, ERR_MALFORMED,
                 "signature does not verify");
    assert_int_equal(ERR_peek_error(), 0);
}

static void signatures_verify_under_their_key_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        struct private_key *k = generate(KINDS[i].type, KINDS[i].bits);
        struct private_key *other = generate(KINDS[i].type, KINDS[i].bits);
        unsigned fitting = 0;
        for (size_t j = 0; j < COUNT_OF(ALL_ALGS); j++) {
            struct buf b = buf_new(arena, 4096);
            struct err e = {0};
            if (sig_alg_fits(k->public_key, ALL_ALGS[j])) {
                sign_and_verify(k, other, ALL_ALGS[j]);
                fitting++;
                continue;
            }
            assert_error(private_key_sign(k, ALL_ALGS[j], SLICE("x"), &b, &e), &e, ERR_MALFORMED,
                         "type");
            assert_error(key_verify(k->public_key, ALL_ALGS[j], SLICE("x"), SLICE("y"), &e), &e,
                         ERR_MALFORMED, "type");
        }
        assert_int_equal(fitting > 0, KINDS[i].type != KEY_X25519);
        if (KINDS[i].type != KEY_X25519)
            assert_true(sig_alg_fits(k->public_key, sig_alg_usual(k->public_key)));
    }
}

static void unhashed_and_md5_signatures_do_not_fit(void **state)
{
    struct private_key *ec = generate(KEY_P256, 0), *rsa = generate(KEY_RSA, 1024);

    (void)state;
    assert_false(sig_alg_fits(ec->public_key, (struct sig_alg){SIG_ECDSA, DIGEST_NONE}));
    assert_false(sig_alg_fits(ec->public_key, (struct sig_alg){SIG_ECDSA, DIGEST_MD5}));
    assert_false(sig_alg_fits(ec->public_key, (struct sig_alg){SIG_ANY, DIGEST_SHA256}));
    assert_false(sig_alg_fits(rsa->public_key, (struct sig_alg){SIG_RSA_PKCS1, DIGEST_MD5}));
    assert_false(sig_alg_fits(rsa->public_key, (struct sig_alg){SIG_RSA_PSS, DIGEST_NONE}));
}

/* RFC 6979 A.2.5: P-256, "sample", SHA-256; RFC 8032 7.1 test 2. */
static void published_signatures_verify(void **state)
{
    const struct key *p256 = from_hex_spki("3059" P256_ALG "034200 04" POINT_X POINT_Y);
    struct slice fixed = hex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                             "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    struct slice der, back;
    struct err e = {0};

    (void)state;
    assert_good(sig_ecdsa_from_fixed(arena, p256, fixed, &der, &e), &e);
    assert_good(
        key_verify(p256, (struct sig_alg){SIG_ECDSA, DIGEST_SHA256}, SLICE("sample"), der, &e), &e);
    assert_good(sig_ecdsa_to_fixed(arena, p256, der, &back, &e), &e);
    assert_slice(back, fixed);

    const struct key *ed = from_hex_spki(
        "302a300506032b65700321003d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    assert_good(key_verify(ed, (struct sig_alg){SIG_ED25519, DIGEST_NONE}, hex("72"),
                           hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                               "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
                           &e),
                &e);
}

/* Over all curves, with numbers that are short or begin with a high bit; a signature that fails in
 * between leaves the key as it was. */
static void fixed_signatures_verify_like_der(void **state)
{
    static const enum key_type CURVES[] = {KEY_P224, KEY_P256, KEY_P384, KEY_P521};

    (void)state;
    for (size_t i = 0; i < 4 * 40; i++) {
        struct private_key *k = generate(CURVES[i % 4], 0);
        struct sig_alg alg = sig_alg_usual(k->public_key);
        struct slice message = slice_of(&i, sizeof(i)), fixed, der;
        struct buf sig = buf_new(arena, 256);
        struct err e = {0};
        assert_good(private_key_sign(k, alg, message, &sig, &e), &e);
        assert_good(sig_ecdsa_to_fixed(arena, k->public_key, buf_slice(&sig), &fixed, &e), &e);
        assert_good(sig_ecdsa_from_fixed(arena, k->public_key, fixed, &der, &e), &e);
        assert_true(slice_eq(der, buf_slice(&sig)));
        assert_good(key_verify_fixed(k->public_key, alg, message, fixed, &e), &e);
        uint8_t *last = (uint8_t *)(uintptr_t)fixed.p + fixed.n - 1;
        *last ^= 1;
        assert_false(key_verify_fixed(k->public_key, alg, message, fixed, &e));
        *last ^= 1;
        assert_false(key_verify_fixed(k->public_key, alg, SLICE("another"), fixed, &e));
        assert_false(key_verify_fixed(k->public_key, alg, message, slice_sub(fixed, 0, 7), &e));
        err_clear(&e);
        assert_good(key_verify_fixed(k->public_key, alg, message, fixed, &e), &e);
    }
}

static void ecdsa_forms_are_checked(void **state)
{
    struct private_key *k = generate(KEY_P256, 0), *rsa = generate(KEY_RSA, 1024);
    static const char *const BAD[] = {
        "",
        "3000",
        "3003020101",
        "30060201010201ff",       /* negative */
        "3006020101020100",       /* zero */
        "300702020001020101",     /* not minimal */
        "3006020101020101 00",    /* more behind */
        "3009020101020101020101", /* three numbers */
        "3027 0222 0100000000000000000000000000000000000000000000000000000000000000000000 020101",
    };
    struct slice out;
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        if (sig_ecdsa_to_fixed(arena, k->public_key, hex(BAD[i]), &out, &e))
            fail_msg("accepted %s", BAD[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
    assert_good(sig_ecdsa_to_fixed(arena, k->public_key, hex("3006020101020102"), &out, &e), &e);
    assert_int_equal(out.n, 64);
    assert_int_equal(out.p[31], 1);
    assert_int_equal(out.p[63], 2);
    assert_error(sig_ecdsa_from_fixed(arena, k->public_key, slice_sub(out, 0, 63), &out, &e), &e,
                 ERR_MALFORMED, "63 bytes");
    assert_error(sig_ecdsa_to_fixed(arena, rsa->public_key, hex("3006020101020102"), &out, &e), &e,
                 ERR_INTERNAL, "RSA");
}

struct signing_thread {
    const struct private_key *k;
    unsigned good;
};

static void *sign_in_a_thread(void *arg)
{
    struct signing_thread *t = arg;
    struct sig_alg alg = sig_alg_usual(t->k->public_key);

    for (unsigned i = 0; i < 50; i++) {
        struct buf b = buf_new(NULL, 4096);
        t->good += private_key_sign(t->k, alg, SLICE("m"), &b, NULL) &&
                   key_verify(t->k->public_key, alg, SLICE("m"), buf_slice(&b), NULL);
        buf_free(&b);
    }
    return NULL;
}

static void one_key_signs_in_many_threads(void **state)
{
    static const enum key_type TYPES[] = {KEY_P256, KEY_ED25519, KEY_RSA};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        struct private_key *k = generate(TYPES[i], 1024);
        struct signing_thread work[4];
        pthread_t threads[4];
        for (size_t j = 0; j < 4; j++) {
            work[j] = (struct signing_thread){k, 0};
            assert_int_equal(pthread_create(&threads[j], NULL, sign_in_a_thread, &work[j]), 0);
        }
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal(pthread_join(threads[j], NULL), 0);
            assert_int_equal(work[j].good, 50);
        }
    }
}

/* --- Numbers ------------------------------------------------------------------------------ */

static void rsa_parts_are_computed_when_missing(void **state)
{
    struct private_key *k = generate(KEY_RSA, 2048), *again;
    struct key_numbers n, m, got;
    struct err e = {0};

    (void)state;
    assert_good(private_key_numbers(arena, k, &n, &e), &e);
    m = (struct key_numbers){.n = n.n, .e = n.e, .d = n.d, .p = n.p, .q = n.q};
    assert_good(private_key_from_numbers(arena, KEY_RSA, &m, &again, &e), &e);
    assert_good(private_key_numbers(arena, again, &got, &e), &e);
    assert_slice(got.dp, n.dp);
    assert_slice(got.dq, n.dq);
    assert_slice(got.qi, n.qi);
    /* From the exponents alone. */
    m = (struct key_numbers){.n = n.n, .e = n.e, .d = n.d};
    assert_good(private_key_from_numbers(arena, KEY_RSA, &m, &again, &e), &e);
    assert_good(private_key_numbers(arena, again, &got, &e), &e);
    assert_true((slice_eq(got.p, n.p) && slice_eq(got.q, n.q)) ||
                (slice_eq(got.p, n.q) && slice_eq(got.q, n.p)));
    sign_and_verify(again, generate(KEY_RSA, 1024), (struct sig_alg){SIG_RSA_PSS, DIGEST_SHA256});
}

static struct slice damaged(struct slice s)
{
    struct slice copy = arena_copy(arena, s);

    ((uint8_t *)(uintptr_t)copy.p)[copy.n - 1] ^= 2;
    return copy;
}

static void numbers_that_do_not_belong_together_are_refused(void **state)
{
    struct private_key *k = generate(KEY_RSA, 1024), *ec = generate(KEY_P256, 0), *again;
    struct private_key *ed = generate(KEY_ED25519, 0);
    struct key_numbers n, m;
    struct err e = {0};

    (void)state;
    assert_good(private_key_numbers(arena, k, &n, &e), &e);
    m = n, m.d = damaged(n.d);
    assert_error(private_key_from_numbers(arena, KEY_RSA, &m, &again, &e), &e, ERR_MALFORMED,
                 "belong together");
    m = n, m.p = damaged(n.p);
    assert_error(private_key_from_numbers(arena, KEY_RSA, &m, &again, &e), &e, ERR_MALFORMED,
                 "belong together");
    m = n, m.q = SLICE_NONE;
    assert_error(private_key_from_numbers(arena, KEY_RSA, &m, &again, &e), &e, ERR_MALFORMED,
                 "missing");
    m = n, m.d = SLICE_NONE;
    assert_error(private_key_from_numbers(arena, KEY_RSA, &m, &again, &e), &e, ERR_MALFORMED,
                 "missing");
    m = n, m.p = hex("01"), m.q = n.n;
    assert_error(private_key_from_numbers(arena, KEY_RSA, &m, &again, &e), &e, ERR_MALFORMED,
                 "belong together");
    m = (struct key_numbers){.n = n.n, .e = n.e, .d = damaged(n.d)};
    assert_error(private_key_from_numbers(arena, KEY_RSA, &m, &again, &e), &e, ERR_MALFORMED,
                 "belong together");

    assert_good(private_key_numbers(arena, ec, &n, &e), &e);
    m = n, m.d = damaged(n.d);
    assert_error(private_key_from_numbers(arena, KEY_P256, &m, &again, &e), &e, ERR_MALFORMED,
                 "another one");
    m = (struct key_numbers){.d = SLICE_NONE};
    assert_error(private_key_from_numbers(arena, KEY_P256, &m, &again, &e), &e, ERR_MALFORMED,
                 "order");
    m.d = hex("00");
    assert_error(private_key_from_numbers(arena, KEY_P256, &m, &again, &e), &e, ERR_MALFORMED,
                 "order");
    m.d = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    assert_error(private_key_from_numbers(arena, KEY_P256, &m, &again, &e), &e, ERR_MALFORMED,
                 "order");
    m.d = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550");
    assert_good(private_key_from_numbers(arena, KEY_P256, &m, &again, &e), &e);
    m.x = hex("00"), m.y = n.y;
    const struct key *pub;
    assert_false(key_from_numbers(arena, KEY_P256, &m, &pub, &e));
    m.x = SLICE_NONE;
    assert_error(key_from_numbers(arena, KEY_P256, &m, &pub, &e), &e, ERR_MALFORMED, "32 bytes");

    assert_good(private_key_numbers(arena, ed, &n, &e), &e);
    m = n, m.d = damaged(n.d);
    assert_error(private_key_from_numbers(arena, KEY_ED25519, &m, &again, &e), &e, ERR_MALFORMED,
                 "another one");
    m = n, m.d = slice_sub(n.d, 0, 31);
    assert_error(private_key_from_numbers(arena, KEY_ED25519, &m, &again, &e), &e, ERR_MALFORMED,
                 "32 bytes");
}

/* RFC 6979 A.2.3 to A.2.7: the public point of a private number. */
static void public_points_are_computed(void **state)
{
    static const struct {
        enum key_type type;
        const char *d, *x;
    } CASES[] = {
        {KEY_P224, "f220266e1105bfe3083e03ec7a3a654651f45e37167e88600bf257c1",
         "00cf08da5ad719e42707fa431292dea11244d64fc51610d94b130d6c"},
        {KEY_P256, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721", POINT_X},
        {KEY_P384,
         "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"
         "96d5724e4c70a825f872c9ea60d2edf5",
         "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"
         "def8f0ea9055866064a254515480bc13"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct key_numbers in = {.d = hex(CASES[i].d)}, out;
        struct private_key *k;
        struct err e = {0};
        assert_good(private_key_from_numbers(arena, CASES[i].type, &in, &k, &e), &e);
        assert_good(private_key_numbers(arena, k, &out, &e), &e);
        assert_slice(out.x, hex(CASES[i].x));
        assert_slice(out.d, in.d);
    }
}

/* --- Encryption --------------------------------------------------------------------------- */

static void rsa_encrypts_and_decrypts(void **state)
{
    static const enum rsa_padding PADDINGS[] = {RSA_PADDING_PKCS1, RSA_PADDING_OAEP_SHA1,
                                                RSA_PADDING_OAEP_SHA256};
    struct private_key *k = generate(KEY_RSA, 2048), *ec = generate(KEY_P256, 0);
    struct slice out, plain;
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(PADDINGS); i++) {
        enum rsa_padding p = PADDINGS[i];
        assert_good(key_rsa_encrypt(arena, k->public_key, p, SLICE("secret"), &out, &e), &e);
        assert_int_equal(out.n, 256);
        assert_good(private_key_rsa_decrypt(arena, k, p, out, &plain, &e), &e);
        assert_text(plain, "secret");
        assert_good(key_rsa_encrypt(arena, k->public_key, p, SLICE_NONE, &out, &e), &e);
        assert_good(private_key_rsa_decrypt(arena, k, p, out, &plain, &e), &e);
        assert_int_equal(plain.n, 0);
        assert_error(private_key_rsa_decrypt(arena, k, p, slice_sub(out, 0, 255), &plain, &e), &e,
                     ERR_MALFORMED, "RSA decryption failed");
        assert_error(private_key_rsa_decrypt(arena, k, p, SLICE_NONE, &plain, &e), &e,
                     ERR_MALFORMED, "RSA decryption failed");
        assert_error(key_rsa_encrypt(arena, ec->public_key, p, SLICE("s"), &out, &e), &e,
                     ERR_MALFORMED, "ECDSA");
        assert_error(private_key_rsa_decrypt(arena, ec, p, SLICE("s"), &out, &e), &e, ERR_MALFORMED,
                     "ECDSA");
    }
    assert_good(key_rsa_encrypt(arena, k->public_key, RSA_PADDING_OAEP_SHA1, SLICE("x"), &out, &e),
                &e);
    assert_error(private_key_rsa_decrypt(arena, k, RSA_PADDING_OAEP_SHA256, out, &plain, &e), &e,
                 ERR_MALFORMED, "RSA decryption failed");
}

/* RFC 5903 8.1, RFC 7748 6.1. */
static void key_agreement_matches_its_vectors(void **state)
{
    struct key_numbers mine = {
        .d = hex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433")};
    struct key_numbers theirs = {
        .x = hex("d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"),
        .y = hex("56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab")};
    struct private_key *k, *x25519;
    const struct key *peer, *x_peer;
    struct slice z;
    struct err e = {0};

    (void)state;
    assert_good(private_key_from_numbers(arena, KEY_P256, &mine, &k, &e), &e);
    assert_good(key_from_numbers(arena, KEY_P256, &theirs, &peer, &e), &e);
    assert_good(private_key_agree(arena, k, peer, &z, &e), &e);
    assert_slice(z, hex("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"));

    mine = (struct key_numbers){
        .d = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")};
    theirs = (struct key_numbers){
        .x = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")};
    assert_good(private_key_from_numbers(arena, KEY_X25519, &mine, &x25519, &e), &e);
    assert_good(key_from_numbers(arena, KEY_X25519, &theirs, &x_peer, &e), &e);
    assert_good(private_key_agree(arena, x25519, x_peer, &z, &e), &e);
    assert_slice(z, hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));

    assert_error(private_key_agree(arena, k, x_peer, &z, &e), &e, ERR_MALFORMED, "P-256 with");
    assert_error(private_key_agree(arena, k, generate(KEY_P384, 0)->public_key, &z, &e), &e,
                 ERR_MALFORMED, "P-384");
    struct private_key *rsa = generate(KEY_RSA, 1024);
    assert_error(private_key_agree(arena, rsa, rsa->public_key, &z, &e), &e, ERR_MALFORMED, "RSA");
}

int main(void)
{
    secret_init();
    const struct CMUnitTest tests[] = {
        TEST(generated_keys_survive_every_form),
        TEST(generation_refuses_odd_sizes),
        TEST(spki_is_read_strictly),
        TEST(rsa_keys_are_bounded),
        TEST(signatures_verify_under_their_key_only),
        TEST(unhashed_and_md5_signatures_do_not_fit),
        TEST(published_signatures_verify),
        TEST(fixed_signatures_verify_like_der),
        TEST(ecdsa_forms_are_checked),
        TEST(one_key_signs_in_many_threads),
        TEST(rsa_parts_are_computed_when_missing),
        TEST(numbers_that_do_not_belong_together_are_refused),
        TEST(public_points_are_computed),
        TEST(rsa_encrypts_and_decrypts),
        TEST(key_agreement_matches_its_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
