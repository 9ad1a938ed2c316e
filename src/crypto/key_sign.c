/*
 * Signatures.  Everything but Ed25519 is signed and verified over the finished digest: hashing with
 * our own per-thread contexts and EVP_PKEY_sign costs less than EVP_DigestSign, which fetches the
 * digest again.  Keys are shared between threads, a context is one call's; that of the last call
 * with a key is kept for the next one.
 */
#include "crypto/key.h"

#include <openssl/rsa.h>
#include <stdatomic.h>

#include "crypto/key_internal.h"

#define ED25519_SIGNATURE 64u
/* SEQUENCE of two INTEGERs, each with a leading zero: P-521. */
#define ECDSA_DER_MAX (3 + 2 * (2 + EC_FIELD_MAX + 1))

/* --- Contexts ----------------------------------------------------------------------------- */

struct key_spare {
    _Atomic(EVP_PKEY_CTX *) ctx;
};

static void spare_free(void *p)
{
    EVP_PKEY_CTX_free(atomic_load(&((struct key_spare *)p)->ctx));
}

struct key_spare *key_spare_new(struct arena *a, enum key_type t)
{
    if (!key_info(t)->ossl_group)
        return NULL;
    struct key_spare *s = arena_alloc(a, sizeof(*s));
    atomic_init(&s->ctx, NULL);
    arena_defer(a, spare_free, s);
    return s;
}

static EVP_PKEY_CTX *ctx_take(struct key_spare *s, EVP_PKEY *evp, int (*init)(EVP_PKEY_CTX *))
{
    EVP_PKEY_CTX *ctx = s ? atomic_exchange(&s->ctx, NULL) : NULL;

    if (ctx)
        return ctx;
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, evp, NULL);
    if (ctx && init(ctx) > 0)
        return ctx;
    EVP_PKEY_CTX_free(ctx);
    return NULL;
}

/* One that failed is not used again. */
static void ctx_give(struct key_spare *s, EVP_PKEY_CTX *ctx, bool good)
{
    if (s && ctx && good)
        ctx = atomic_exchange(&s->ctx, ctx);
    EVP_PKEY_CTX_free(ctx);
}

/* --- Verifying and signing ---------------------------------------------------------------- */

static bool padding_set(EVP_PKEY_CTX *ctx, struct sig_alg alg)
{
    const EVP_MD *md = ossl_digest(alg.digest);

    switch (alg.scheme) {
    case SIG_RSA_PKCS1:
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
               EVP_PKEY_CTX_set_signature_md(ctx, md) > 0;
    case SIG_RSA_PSS:
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
               EVP_PKEY_CTX_set_signature_md(ctx, md) > 0 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) > 0;
    default:
        return true; /* ECDSA takes the digest as it is */
    }
}

static bool ed25519_verify(const struct key *k, struct slice message, struct slice sig)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const uint8_t *text = message.p ? message.p : (const uint8_t *)"";
    bool good = ctx && sig.n == ED25519_SIGNATURE &&
                EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, k->evp, NULL) > 0 &&
                EVP_DigestVerify(ctx, sig.p, sig.n, text, message.n) == 1;

    EVP_MD_CTX_free(ctx);
    return good;
}

static bool hashed_verify(const struct key *k, struct sig_alg alg, struct slice message,
                          struct slice sig)
{
    uint8_t digest[DIGEST_MAX];
    EVP_PKEY_CTX *ctx = ctx_take(k->spare, k->evp, EVP_PKEY_verify_init);

    digest_of(alg.digest, message, digest);
    bool good = ctx && sig.n && padding_set(ctx, alg) &&
                EVP_PKEY_verify(ctx, sig.p, sig.n, digest, digest_size(alg.digest)) == 1;
    ctx_give(k->spare, ctx, good);
    return good;
}

bool key_verify(const struct key *k, struct sig_alg alg, struct slice message, struct slice sig,
                struct err *e)
{
    if (!sig_alg_fits(k, alg))
        return err_set(e, ERR_MALFORMED, "the signature algorithm is not one of this key's type");
    bool good = alg.scheme == SIG_ED25519 ? ed25519_verify(k, message, sig)
                                          : hashed_verify(k, alg, message, sig);
    if (good)
        return true;
    ossl_forget();
    return err_set(e, ERR_MALFORMED, "signature does not verify");
}

static bool ed25519_sign(const struct private_key *k, struct slice message, struct buf *sig,
                         struct err *e)
{
    uint8_t out[ED25519_SIGNATURE];
    size_t n = sizeof(out);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const uint8_t *text = message.p ? message.p : (const uint8_t *)"";
    bool good = ctx && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, k->evp, NULL) > 0 &&
                EVP_DigestSign(ctx, out, &n, text, message.n) > 0;

    EVP_MD_CTX_free(ctx);
    if (!good)
        return ossl_fail(e, ERR_INTERNAL, "signing");
    buf_put(sig, slice_of(out, n));
    return buf_done(sig, "signature", e);
}

bool private_key_sign_digest(const struct private_key *k, struct sig_alg alg, struct slice digest,
                             struct buf *sig, struct err *e)
{
    uint8_t out[SIGNATURE_BYTES_MAX];
    size_t n = sizeof(out);
    EVP_PKEY_CTX *ctx = ctx_take(k->spare, k->evp, EVP_PKEY_sign_init);
    bool good = ctx && padding_set(ctx, alg) && EVP_PKEY_sign(ctx, out, &n, digest.p, digest.n) > 0;

    ctx_give(k->spare, ctx, good);
    if (!good)
        return ossl_fail(e, ERR_INTERNAL, "signing");
    buf_put(sig, slice_of(out, n));
    return buf_done(sig, "signature", e);
}

bool private_key_sign(const struct private_key *k, struct sig_alg alg, struct slice message,
                      struct buf *sig, struct err *e)
{
    uint8_t digest[DIGEST_MAX];

    if (!sig_alg_fits(k->public_key, alg))
        return err_set(e, ERR_MALFORMED, "the signature algorithm is not one of this key's type");
    if (alg.scheme == SIG_ED25519)
        return ed25519_sign(k, message, sig, e);
    digest_of(alg.digest, message, digest);
    return private_key_sign_digest(k, alg, slice_of(digest, digest_size(alg.digest)), sig, e);
}

/* --- ECDSA signature forms ---------------------------------------------------------------- */

static bool ecdsa_number(struct der *d, size_t field, struct slice *number)
{
    bool negative;

    return der_take_integer(d, number, &negative) && !negative && number->n && number->n <= field;
}

bool sig_ecdsa_to_fixed(struct arena *a, const struct key *k, struct slice der, struct slice *fixed,
                        struct err *e)
{
    size_t field = key_field_size(k->type);
    struct der d = der_reader(der), seq;
    struct slice r, s;

    if (!key_is_ec(k))
        return err_set(e, ERR_INTERNAL, "ECDSA signature: the key is %s",
                       key_info(k->type)->family);
    if (!der_enter(&d, DER_SEQUENCE, &seq) || !der_done(&d) || !ecdsa_number(&seq, field, &r) ||
        !ecdsa_number(&seq, field, &s) || !der_done(&seq))
        return err_set(e, ERR_MALFORMED,
                       "ECDSA signature: RFC 3279 2.2.3: not two numbers below "
                       "the order of the curve");
    uint8_t *p = arena_alloc(a, 2 * field);
    memcpy(p + field - r.n, r.p, r.n);
    memcpy(p + 2 * field - s.n, s.p, s.n);
    *fixed = slice_of(p, 2 * field);
    return true;
}

/* INTEGER; returns its end. */
static uint8_t *put_number(uint8_t *to, struct slice n)
{
    n = number_trim(n);
    bool zero = n.n == 0 || n.p[0] & 0x80;
    *to++ = DER_INTEGER;
    *to++ = (uint8_t)(n.n + zero);
    if (zero)
        *to++ = 0;
    if (n.n)
        memcpy(to, n.p, n.n);
    return to + n.n;
}

/* SEQUENCE of the two halves, each of at most EC_FIELD_MAX bytes. */
static struct slice der_of_fixed(uint8_t out[ECDSA_DER_MAX], struct slice fixed)
{
    uint8_t *content = out + 3, *end;

    end = put_number(content, slice_sub(fixed, 0, fixed.n / 2));
    end = put_number(end, slice_from(fixed, fixed.n / 2));
    size_t n = (size_t)(end - content);
    bool is_long = n > 0x7f;
    uint8_t *at = is_long ? out : out + 1;
    at[0] = DER_SEQUENCE;
    at[1] = is_long ? 0x81 : (uint8_t)n;
    if (is_long)
        at[2] = (uint8_t)n;
    return slice_of(at, (size_t)(end - at));
}

static bool fixed_fits(const struct key *k, struct slice fixed, struct err *e)
{
    size_t field = key_field_size(k->type);

    if (!key_is_ec(k))
        return err_set(e, ERR_INTERNAL, "ECDSA signature: the key is %s",
                       key_info(k->type)->family);
    if (fixed.n != 2 * field)
        return err_set(e, ERR_MALFORMED, "ECDSA signature: RFC 7518 3.4: %zu bytes, not %zu",
                       fixed.n, 2 * field);
    return true;
}

bool sig_ecdsa_from_fixed(struct arena *a, const struct key *k, struct slice fixed,
                          struct slice *der, struct err *e)
{
    uint8_t out[ECDSA_DER_MAX];

    if (!fixed_fits(k, fixed, e))
        return false;
    *der = arena_copy(a, der_of_fixed(out, fixed));
    return true;
}

bool key_verify_fixed(const struct key *k, struct sig_alg alg, struct slice message,
                      struct slice fixed, struct err *e)
{
    uint8_t out[ECDSA_DER_MAX];

    return fixed_fits(k, fixed, e) && key_verify(k, alg, message, der_of_fixed(out, fixed), e);
}

/* --- Encryption with keys ----------------------------------------------------------------- */

static bool encryption_padding_set(EVP_PKEY_CTX *ctx, enum rsa_padding padding)
{
    const EVP_MD *md =
        ossl_digest(padding == RSA_PADDING_OAEP_SHA256 ? DIGEST_SHA256 : DIGEST_SHA1);

    if (padding == RSA_PADDING_PKCS1)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) > 0 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) > 0;
}

static void pkey_ctx_cleanup(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}

bool key_rsa_encrypt(struct arena *a, const struct key *k, enum rsa_padding padding,
                     struct slice plain, struct slice *out, struct err *e)
{
    uint8_t *p = arena_alloc(a, RSA_BYTES_MAX);
    size_t n = RSA_BYTES_MAX;

    if (k->type != KEY_RSA)
        return err_set(e, ERR_MALFORMED, "RSA encryption: the key is %s",
                       key_info(k->type)->family);
    CLEANUP(pkey_ctx_cleanup) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    if (!ctx || EVP_PKEY_encrypt_init(ctx) <= 0 || !encryption_padding_set(ctx, padding) ||
        EVP_PKEY_encrypt(ctx, p, &n, plain.p ? plain.p : p, plain.n) <= 0)
        return ossl_fail(e, ERR_MALFORMED, "RSA encryption");
    *out = slice_of(p, n);
    return true;
}

bool private_key_rsa_decrypt(struct arena *a, const struct private_key *k, enum rsa_padding padding,
                             struct slice in, struct slice *plain, struct err *e)
{
    uint8_t *p = arena_alloc(a, RSA_BYTES_MAX);
    size_t n = RSA_BYTES_MAX;

    if (k->public_key->type != KEY_RSA)
        return err_set(e, ERR_MALFORMED, "RSA decryption: the key is %s",
                       key_info(k->public_key->type)->family);
    CLEANUP(pkey_ctx_cleanup) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    if (!ctx || !in.n || EVP_PKEY_decrypt_init(ctx) <= 0 || !encryption_padding_set(ctx, padding) ||
        EVP_PKEY_decrypt(ctx, p, &n, in.p, in.n) <= 0) {
        /* One text for all causes: RFC 8017 7.1.2 and 7.2.2 want them not to be told apart. */
        ossl_forget();
        return err_set(e, ERR_MALFORMED, "RSA decryption failed");
    }
    *plain = slice_of(p, n);
    return true;
}

bool private_key_agree(struct arena *a, const struct private_key *mine, const struct key *theirs,
                       struct slice *z, struct err *e)
{
    enum key_type t = mine->public_key->type;
    size_t n = EC_FIELD_MAX;

    if (t != theirs->type || !(key_is_ec(theirs) || t == KEY_X25519))
        return err_set(e, ERR_MALFORMED, "key agreement: %s with %s",
                       key_info(t)->curve ? key_info(t)->curve : "RSA",
                       key_info(theirs->type)->curve ? key_info(theirs->type)->curve : "RSA");
    uint8_t *p = arena_alloc(a, n);
    CLEANUP(pkey_ctx_cleanup) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, mine->evp, NULL);
    if (!ctx || EVP_PKEY_derive_init(ctx) <= 0 || EVP_PKEY_derive_set_peer(ctx, theirs->evp) <= 0 ||
        EVP_PKEY_derive(ctx, p, &n) <= 0)
        return ossl_fail(e, ERR_MALFORMED, "key agreement");
    *z = slice_of(p, n);
    return true;
}
