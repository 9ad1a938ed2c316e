/*
 * Symmetric ciphers and key derivation, all over EVP.  One function runs every cipher; the public
 * ones choose the algorithm by the key's length and check what EVP would take on trust.
 */
#include "crypto/cipher.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <stdio.h>

#include "crypto/cipher_internal.h"

#define GCM_IV           12u
#define GCM_TAG          16u
#define WRAP_UNIT        8u
#define SCRYPT_MEMORY    (UINT64_C(1) << 30)
#define SCRYPT_WORK      (UINT64_C(1) << 26)
#define DERIVED_SIZE_MAX 1024u

struct run {
    const EVP_CIPHER *cipher;
    struct slice key, iv, aad, in;
    bool seal, unpadded;
    const uint8_t *tag_in; /* GCM */
    uint8_t *tag_out;
};

static void ctx_cleanup(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx); /* wipes the key */
}

static bool run_start(EVP_CIPHER_CTX *ctx, const struct run *r)
{
    int n;

    /* RFC 3394 must be asked for. */
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (!EVP_CipherInit_ex2(ctx, r->cipher, r->key.p, r->iv.n ? r->iv.p : NULL, r->seal, NULL))
        return false;
    if (r->unpadded)
        EVP_CIPHER_CTX_set_padding(ctx, 0);
    if (r->tag_in &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, (void *)(uintptr_t)r->tag_in) <= 0)
        return false;
    return !r->aad.n || EVP_CipherUpdate(ctx, NULL, &n, r->aad.p, (int)r->aad.n);
}

static bool run_cipher(struct arena *a, const struct run *r, struct slice *out)
{
    CLEANUP(ctx_cleanup) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;

    if (!ctx || r->in.n > INT_MAX - 2 * CIPHER_BLOCK_MAX || r->aad.n > INT_MAX)
        return false;
    uint8_t *p = arena_alloc(a, r->in.n + 2 * CIPHER_BLOCK_MAX);
    if (!run_start(ctx, r))
        return false;
    /* EVP takes a NULL input for the end. */
    if (r->in.n && !EVP_CipherUpdate(ctx, p, &n, r->in.p, (int)r->in.n))
        return false;
    if (EVP_CipherFinal_ex(ctx, p + n, &last) <= 0)
        return false;
    if (r->tag_out && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, r->tag_out) <= 0)
        return false;
    *out = slice_of(p, (size_t)n + (size_t)last);
    return true;
}

static bool sizes_fit(const EVP_CIPHER *c, struct slice key, struct slice iv, struct err *e)
{
    if (!c)
        return err_set(e, ERR_INTERNAL, "cipher: not available in libcrypto");
    if (key.n != (size_t)EVP_CIPHER_get_key_length(c) ||
        iv.n != (size_t)EVP_CIPHER_get_iv_length(c))
        return err_set(e, ERR_MALFORMED, "cipher: a key of %zu and an IV of %zu bytes do not fit",
                       key.n, iv.n);
    return true;
}

bool cipher_seal(struct arena *a, const EVP_CIPHER *c, struct slice key, struct slice iv,
                 struct slice plain, struct slice *out, struct err *e)
{
    struct run r = {.cipher = c, .key = key, .iv = iv, .in = plain, .seal = true};

    if (!sizes_fit(c, key, iv, e))
        return false;
    return run_cipher(a, &r, out) || ossl_fail(e, ERR_INTERNAL, "encryption");
}

static bool open_with(struct arena *a, const EVP_CIPHER *c, struct slice key, struct slice iv,
                      struct slice in, bool unpadded, struct slice *plain, struct err *e)
{
    struct run r = {.cipher = c, .key = key, .iv = iv, .in = in, .unpadded = unpadded};

    if (!sizes_fit(c, key, iv, e))
        return false;
    if (run_cipher(a, &r, plain))
        return true;
    ossl_forget();
    return err_set(e, ERR_MALFORMED, "decryption: the padding does not fit");
}

bool cipher_open(struct arena *a, const EVP_CIPHER *c, struct slice key, struct slice iv,
                 struct slice in, struct slice *plain, struct err *e)
{
    return open_with(a, c, key, iv, in, false, plain, e);
}

bool cipher_open_unpadded(struct arena *a, const EVP_CIPHER *c, struct slice key, struct slice iv,
                          struct slice in, struct slice *plain, struct err *e)
{
    return open_with(a, c, key, iv, in, true, plain, e);
}

/* --- AES by key length -------------------------------------------------------------------- */

enum aes_mode { AES_CBC, AES_GCM, AES_WRAP };

static const EVP_CIPHER *aes_of(enum aes_mode mode, struct slice key, struct err *e)
{
    static const enum ossl_cipher AES[][3] = {
        [AES_CBC] = {CIPHER_AES128_CBC, CIPHER_AES192_CBC, CIPHER_AES256_CBC},
        [AES_GCM] = {CIPHER_AES128_GCM, CIPHER_AES192_GCM, CIPHER_AES256_GCM},
        [AES_WRAP] = {CIPHER_AES128_WRAP, CIPHER_AES192_WRAP, CIPHER_AES256_WRAP},
    };

    if (key.n != 16 && key.n != 24 && key.n != 32) {
        err_set(e, ERR_MALFORMED, "AES: a key has 16, 24 or 32 bytes, not %zu", key.n);
        return NULL;
    }
    const EVP_CIPHER *c = ossl_cipher(AES[mode][key.n / 8 - 2]);
    if (!c)
        err_set(e, ERR_INTERNAL, "AES: not available in libcrypto");
    return c;
}

bool aes_gcm_seal(struct arena *a, struct slice key, struct slice iv, struct slice aad,
                  struct slice plain, struct slice *out, uint8_t tag[16], struct err *e)
{
    const EVP_CIPHER *c = aes_of(AES_GCM, key, e);
    struct run r = {
        .cipher = c, .key = key, .iv = iv, .aad = aad, .in = plain, .seal = true, .tag_out = tag};

    if (!c)
        return false;
    if (iv.n != GCM_IV)
        return err_set(e, ERR_MALFORMED, "AES-GCM: an IV has %u bytes, not %zu", GCM_IV, iv.n);
    return run_cipher(a, &r, out) || ossl_fail(e, ERR_INTERNAL, "AES-GCM");
}

bool aes_gcm_open(struct arena *a, struct slice key, struct slice iv, struct slice aad,
                  struct slice in, struct slice tag, struct slice *plain, struct err *e)
{
    const EVP_CIPHER *c = aes_of(AES_GCM, key, e);
    struct run r = {.cipher = c, .key = key, .iv = iv, .aad = aad, .in = in, .tag_in = tag.p};

    if (!c)
        return false;
    if (iv.n != GCM_IV || tag.n != GCM_TAG)
        return err_set(e, ERR_MALFORMED,
                       "AES-GCM: an IV of %zu and a tag of %zu bytes, not %u "
                       "and %u",
                       iv.n, tag.n, GCM_IV, GCM_TAG);
    if (run_cipher(a, &r, plain))
        return true;
    ossl_forget();
    return err_set(e, ERR_MALFORMED, "AES-GCM: the tag does not fit");
}

bool aes_cbc_seal(struct arena *a, struct slice key, struct slice iv, struct slice plain,
                  struct slice *out, struct err *e)
{
    const EVP_CIPHER *c = aes_of(AES_CBC, key, e);

    return c && cipher_seal(a, c, key, iv, plain, out, e);
}

bool aes_cbc_open(struct arena *a, struct slice key, struct slice iv, struct slice in,
                  struct slice *plain, struct err *e)
{
    const EVP_CIPHER *c = aes_of(AES_CBC, key, e);

    return c && cipher_open(a, c, key, iv, in, plain, e);
}

/* Without IV EVP uses the one of RFC 3394 2.2.3.1. */
bool aes_wrap(struct arena *a, struct slice kek, struct slice key, struct slice *out, struct err *e)
{
    const EVP_CIPHER *c = aes_of(AES_WRAP, kek, e);
    struct run r = {.cipher = c, .key = kek, .in = key, .seal = true};

    if (!c)
        return false;
    if (key.n % WRAP_UNIT || key.n < 2 * WRAP_UNIT)
        return err_set(e, ERR_MALFORMED, "AES key wrap: RFC 3394 2: %zu bytes to wrap", key.n);
    return run_cipher(a, &r, out) || ossl_fail(e, ERR_INTERNAL, "AES key wrap");
}

bool aes_unwrap(struct arena *a, struct slice kek, struct slice in, struct slice *key,
                struct err *e)
{
    const EVP_CIPHER *c = aes_of(AES_WRAP, kek, e);
    struct run r = {.cipher = c, .key = kek, .in = in};

    if (!c)
        return false;
    if (in.n % WRAP_UNIT || in.n < 3 * WRAP_UNIT)
        return err_set(e, ERR_MALFORMED, "AES key wrap: RFC 3394 2: %zu bytes to unwrap", in.n);
    if (run_cipher(a, &r, key))
        return true;
    ossl_forget();
    return err_set(e, ERR_MALFORMED, "AES key wrap: RFC 3394 2.2.3: the integrity check fails");
}

/* --- Key derivation ----------------------------------------------------------------------- */

static bool derive(struct arena *a, EVP_KDF *kdf, OSSL_PARAM *params, size_t n, struct slice *key,
                   const char *what, struct err *e)
{
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    uint8_t *p = arena_alloc(a, n);
    bool done = ctx && EVP_KDF_derive(ctx, p, n, params) > 0;

    EVP_KDF_CTX_free(ctx);
    *key = slice_of(p, n);
    return done || ossl_fail(e, ERR_INTERNAL, what);
}

static OSSL_PARAM octets_param(const char *name, struct slice s)
{
    return OSSL_PARAM_construct_octet_string(
        name, s.n ? (void *)(uintptr_t)s.p : (void *)(uintptr_t) "", s.n);
}

bool pbkdf2(struct arena *a, enum digest d, struct slice password, struct slice salt,
            uint32_t rounds, size_t n, struct slice *key, struct err *e)
{
    char name[16];
    uint64_t iterations = rounds;
    int lower_bounds_off = 1; /* SP 800-132 has some that old key files do not meet */

    if (!rounds || !n || n > DERIVED_SIZE_MAX || !digest_size(d))
        return err_set(e, ERR_MALFORMED, "PBKDF2: RFC 8018 5.2: %u rounds to %zu bytes", rounds, n);
    snprintf(name, sizeof(name), "%s", digest_name(d));
    OSSL_PARAM params[] = {
        octets_param(OSSL_KDF_PARAM_PASSWORD, password),
        octets_param(OSSL_KDF_PARAM_SALT, salt),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &iterations),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &lower_bounds_off),
        OSSL_PARAM_construct_end(),
    };
    return derive(a, ossl_pbkdf2(), params, n, key, "PBKDF2", e);
}

bool cipher_scrypt(struct arena *a, struct slice password, struct slice salt, uint64_t n,
                   uint32_t r, uint32_t p, size_t size, struct slice *key, struct err *e)
{
    uint64_t memory_max = SCRYPT_MEMORY + (SCRYPT_MEMORY >> 4);

    if (n < 2 || n & (n - 1) || !r || !p || !size || size > DERIVED_SIZE_MAX)
        return err_set(e, ERR_MALFORMED, "scrypt: RFC 7914 2: bad parameters");
    if (r > SCRYPT_MEMORY / 128 / n || p > SCRYPT_WORK / r / n)
        return err_set(e, ERR_MALFORMED, "scrypt: RFC 7914 2: costs above 1 GiB");
    OSSL_PARAM params[] = {
        octets_param(OSSL_KDF_PARAM_PASSWORD, password),
        octets_param(OSSL_KDF_PARAM_SALT, salt),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory_max),
        OSSL_PARAM_construct_end(),
    };
    return derive(a, ossl_scrypt(), params, size, key, "scrypt", e);
}
