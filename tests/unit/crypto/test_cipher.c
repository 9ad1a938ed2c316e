/* Ciphers, digests and key derivation against published vectors. */
#include <pthread.h>

#include "crypto/cipher.h"
#include "crypto/cipher_internal.h"
#include "crypto/digest.h"
#include "crypto_testing.h"

struct arena *arena;

static void digests_match_their_vectors(void **state)
{
    static const struct {
        enum digest d;
        const char *abc;
    } CASES[] = {
        {DIGEST_MD5, "900150983cd24fb0d6963f7d28e17f72"},
        {DIGEST_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {DIGEST_SHA224, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"},
        {DIGEST_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {DIGEST_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                        "8086072ba1e7cc2358baeca134c825a7"},
        {DIGEST_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    };
    uint8_t bytes[DIGEST_MAX];

    (void)state;
    for (unsigned round = 0; round < 2; round++) { /* a context that was used before */
        for (size_t i = 0; i < COUNT_OF(CASES); i++) {
            struct slice expected = hex(CASES[i].abc);
            assert_int_equal(digest_size(CASES[i].d), expected.n);
            assert_slice(digest_bytes(arena, CASES[i].d, SLICE("abc")), expected);
            struct digest_run run = digest_begin(CASES[i].d);
            digest_add(&run, SLICE("a"));
            digest_add(&run, SLICE_NONE);
            digest_add(&run, SLICE("bc"));
            digest_end(&run, bytes);
            assert_slice(slice_of(bytes, expected.n), expected);
        }
    }
    assert_text(sha256_hex(arena, SLICE("")),
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(digest_name(DIGEST_SHA256), "SHA256");
}

static void *hash_in_a_thread(void *out)
{
    for (unsigned i = 0; i < 200; i++)
        digest_of(i % 2 ? DIGEST_SHA256 : DIGEST_SHA512, SLICE("abc"), out);
    return NULL;
}

static void digests_work_in_every_thread(void **state)
{
    pthread_t threads[4];
    uint8_t out[4][DIGEST_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_in_a_thread, out[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_slice(slice_of(out[i], 32), digest_bytes(arena, DIGEST_SHA256, SLICE("abc")));
    }
}

/* RFC 4231 4.2, 4.3, 4.7 and RFC 2202 3. */
static void hmac_matches_rfc_4231(void **state)
{
    uint8_t out[DIGEST_MAX], long_key[131];

    (void)state;
    hmac_of(DIGEST_SHA256, hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"), SLICE("Hi There"), out);
    assert_slice(slice_of(out, 32),
                 hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    hmac_of(DIGEST_SHA512, SLICE("Jefe"), SLICE("what do ya want for nothing?"), out);
    assert_slice(slice_of(out, 64),
                 hex("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                     "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"));
    memset(long_key, 0xaa, sizeof(long_key));
    hmac_of(DIGEST_SHA256, slice_of(long_key, sizeof(long_key)),
            SLICE("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_slice(slice_of(out, 32),
                 hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
    hmac_of(DIGEST_SHA1, SLICE("Jefe"), SLICE("what do ya want for nothing?"), out);
    assert_slice(slice_of(out, 20), hex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
    hmac_of(DIGEST_SHA256, SLICE(""), SLICE(""), out);
    assert_slice(slice_of(out, 32),
                 hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 1, 4, 10 and 16. */
static void gcm_matches_its_vectors(void **state)
{
    static const char PLAIN[] = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                                "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    static const char AAD[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    static const struct {
        const char *key, *iv, *aad, *plain, *out, *tag;
    } CASES[] = {
        {"00000000000000000000000000000000", "000000000000000000000000", "", "", "",
         "58e2fccefa7e3061367f1d57a4e7455a"},
        {"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", AAD, PLAIN,
         "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
         "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
         "5bc94fbc3221a5db94fae95ae7121a47"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c", "cafebabefacedbaddecaf888", AAD, PLAIN,
         "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c"
         "7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
         "2519498e80f1478f37ba55bd6d27618c"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
         "cafebabefacedbaddecaf888", AAD, PLAIN,
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
         "76fc6ece0f4e1768cddf8853bb2d551b"},
    };
    struct err e = {0};
    struct slice out, plain;
    uint8_t tag[16];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice key = hex(CASES[i].key), iv = hex(CASES[i].iv), aad = hex(CASES[i].aad);
        assert_good(aes_gcm_seal(arena, key, iv, aad, hex(CASES[i].plain), &out, tag, &e), &e);
        assert_slice(out, hex(CASES[i].out));
        assert_slice(slice_of(tag, 16), hex(CASES[i].tag));
        assert_good(aes_gcm_open(arena, key, iv, aad, out, slice_of(tag, 16), &plain, &e), &e);
        assert_slice(plain, hex(CASES[i].plain));
        tag[15] ^= 1;
        assert_error(aes_gcm_open(arena, key, iv, aad, out, slice_of(tag, 16), &plain, &e), &e,
                     ERR_MALFORMED, "tag");
        tag[15] ^= 1;
        assert_error(aes_gcm_open(arena, key, iv, SLICE("x"), out, slice_of(tag, 16), &plain, &e),
                     &e, ERR_MALFORMED, "tag");
        assert_error(aes_gcm_open(arena, key, iv, aad, out, slice_of(tag, 12), &plain, &e), &e,
                     ERR_MALFORMED, "tag of 12");
    }
    assert_error(aes_gcm_seal(arena, hex("00"), hex("00"), SLICE_NONE, SLICE_NONE, &out, tag, &e),
                 &e, ERR_MALFORMED, "16, 24 or 32");
}

/* NIST SP 800-38A F.2.5; the padding block is ours. */
static void cbc_matches_its_vector_and_checks_padding(void **state)
{
    struct slice key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    struct slice iv = hex("000102030405060708090a0b0c0d0e0f");
    struct slice plain = hex("6bc1bee22e409f96e93d7e117393172a"), out, back;
    struct err e = {0};

    (void)state;
    assert_good(aes_cbc_seal(arena, key, iv, plain, &out, &e), &e);
    assert_int_equal(out.n, 32);
    assert_slice(slice_sub(out, 0, 16), hex("f58c4c04d6e5f1ba779eabfb5f7bfbd6"));
    assert_good(aes_cbc_open(arena, key, iv, out, &back, &e), &e);
    assert_slice(back, plain);
    assert_error(aes_cbc_open(arena, key, iv, slice_sub(out, 0, 16), &back, &e), &e, ERR_MALFORMED,
                 "padding");
    assert_error(aes_cbc_open(arena, key, iv, slice_sub(out, 0, 15), &back, &e), &e, ERR_MALFORMED,
                 "padding");
    assert_error(aes_cbc_open(arena, key, iv, SLICE_NONE, &back, &e), &e, ERR_MALFORMED, "padding");
    assert_error(aes_cbc_open(arena, key, slice_sub(iv, 0, 8), out, &back, &e), &e, ERR_MALFORMED,
                 "IV of 8");
    assert_good(aes_cbc_seal(arena, key, iv, SLICE(""), &out, &e), &e);
    assert_good(aes_cbc_open(arena, key, iv, out, &back, &e), &e);
    assert_int_equal(back.n, 0);
}

/* RFC 3394 4. */
static void key_wrap_matches_rfc_3394(void **state)
{
    static const struct {
        const char *kek, *key, *out;
    } CASES[] = {
        {"000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
         "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
        {"000102030405060708090a0b0c0d0e0f1011121314151617", "00112233445566778899aabbccddeeff",
         "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"},
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
         "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
         "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
    };
    struct slice out, key;
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice kek = hex(CASES[i].kek);
        assert_good(aes_wrap(arena, kek, hex(CASES[i].key), &out, &e), &e);
        assert_slice(out, hex(CASES[i].out));
        assert_good(aes_unwrap(arena, kek, out, &key, &e), &e);
        assert_slice(key, hex(CASES[i].key));
        uint8_t *damaged = (uint8_t *)(uintptr_t)out.p;
        damaged[3] ^= 0x20;
        assert_error(aes_unwrap(arena, kek, out, &key, &e), &e, ERR_MALFORMED, "integrity");
        assert_error(aes_unwrap(arena, kek, slice_sub(out, 0, 16), &key, &e), &e, ERR_MALFORMED,
                     "16 bytes");
        assert_error(aes_unwrap(arena, kek, slice_sub(out, 0, 23), &key, &e), &e, ERR_MALFORMED,
                     "23 bytes");
    }
    assert_error(aes_wrap(arena, hex(CASES[0].kek), SLICE("12345678"), &out, &e), &e, ERR_MALFORMED,
                 "8 bytes");
}

/* RFC 6070 2, RFC 7914 11. */
static void pbkdf2_matches_its_vectors(void **state)
{
    static const struct {
        enum digest d;
        const char *password, *salt;
        uint32_t rounds;
        const char *out;
    } CASES[] = {
        {DIGEST_SHA1, "password", "salt", 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"},
        {DIGEST_SHA1, "password", "salt", 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"},
        {DIGEST_SHA1, "password", "salt", 4096, "4b007901b765489abead49d926f721d065a429c1"},
        {DIGEST_SHA256, "passwd", "salt", 1,
         "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
         "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
         "c2"},
    };
    struct slice key;
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice expected = hex(CASES[i].out);
        assert_good(pbkdf2(arena, CASES[i].d, slice_text(CASES[i].password),
                           slice_text(CASES[i].salt), CASES[i].rounds, expected.n, &key, &e),
                    &e);
        assert_slice(key, expected);
    }
    assert_error(pbkdf2(arena, DIGEST_SHA256, SLICE("x"), SLICE("y"), 0, 32, &key, &e), &e,
                 ERR_MALFORMED, "0 rounds");
    assert_good(pbkdf2(arena, DIGEST_SHA256, SLICE(""), SLICE(""), 1, 32, &key, &e), &e);
}

/* RFC 7914 12. */
static void scrypt_matches_rfc_7914_and_is_bounded(void **state)
{
    struct slice key;
    struct err e = {0};

    (void)state;
    assert_good(cipher_scrypt(arena, SLICE("password"), SLICE("NaCl"), 1024, 8, 16, 64, &key, &e),
                &e);
    assert_slice(key, hex("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
                          "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"));
    assert_error(
        cipher_scrypt(arena, SLICE("p"), SLICE("s"), UINT64_C(1) << 40, 8, 1, 32, &key, &e), &e,
        ERR_MALFORMED, "1 GiB");
    assert_error(cipher_scrypt(arena, SLICE("p"), SLICE("s"), 16384, INT32_MAX, 1, 32, &key, &e),
                 &e, ERR_MALFORMED, "1 GiB");
    assert_error(cipher_scrypt(arena, SLICE("p"), SLICE("s"), 16384, 8, INT32_MAX, 32, &key, &e),
                 &e, ERR_MALFORMED, "1 GiB");
    assert_error(cipher_scrypt(arena, SLICE("p"), SLICE("s"), 1000, 8, 1, 32, &key, &e), &e,
                 ERR_MALFORMED, "parameters");
}

static void bcrypt_matches_a_known_answer(void **state)
{
    struct slice key;
    struct err e = {0};

    (void)state;
    assert_good(bcrypt_pbkdf(arena, SLICE("password"), SLICE("salt"), 12, 32, &key, &e), &e);
    assert_slice(key, hex("1ae42c05d487bc02f64921a4ebe4ea93bcacfe135fda99974c06b7b01fae149a"));
    assert_error(bcrypt_pbkdf(arena, SLICE(""), SLICE("salt"), 1, 32, &key, &e), &e, ERR_MALFORMED,
                 "empty");
    assert_error(bcrypt_pbkdf(arena, SLICE("p"), SLICE("salt"), 0, 32, &key, &e), &e, ERR_MALFORMED,
                 "0 rounds");
    assert_error(bcrypt_pbkdf(arena, SLICE("p"), SLICE("salt"), UINT32_MAX, 32, &key, &e), &e,
                 ERR_MALFORMED, "rounds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(digests_match_their_vectors),
        TEST(digests_work_in_every_thread),
        TEST(hmac_matches_rfc_4231),
        TEST(gcm_matches_its_vectors),
        TEST(cbc_matches_its_vector_and_checks_padding),
        TEST(key_wrap_matches_rfc_3394),
        TEST(pbkdf2_matches_its_vectors),
        TEST(scrypt_matches_rfc_7914_and_is_bounded),
        TEST(bcrypt_matches_a_known_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
