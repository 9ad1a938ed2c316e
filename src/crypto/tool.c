/*
 * Signatures over files, and primes.  Certificates and tokens never come here: their algorithms are
 * the few of sig_alg_fits, these are whatever a person names.
 */
#include "crypto/tool.h"

#include <openssl/bn.h>
#include <openssl/rsa.h>

#include "crypto/key_internal.h"

static void context_gone(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}

static bool padding_set(EVP_PKEY_CTX *ctx, enum digest d, bool pss, int salt)
{
    const EVP_MD *md = ossl_digest(d);

    if (!md)
        return false;
    if (!pss)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
               EVP_PKEY_CTX_set_signature_md(ctx, md) > 0;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_signature_md(ctx, md) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) > 0;
}

static bool can_sign(const struct key *k, struct err *e)
{
    return k->type != KEY_X25519 || err_set(e, ERR_MALFORMED, "a key of type X25519 cannot sign");
}

/* P-224 has no place in certificates and tokens, so its usual digest is theirs; people expect the
 * one of its size. */
static struct sig_alg alg_of(const struct key *k)
{
    return k->type == KEY_P224 ? (struct sig_alg){SIG_ECDSA, DIGEST_SHA224} : sig_alg_usual(k);
}

bool tool_sign(const struct private_key *k, enum digest d, bool pss, struct slice message,
               struct buf *sig, struct err *e)
{
    uint8_t hash[DIGEST_MAX], out[RSA_BYTES_MAX];
    size_t n = sizeof(out);

    if (!can_sign(k->public_key, e))
        return false;
    if (k->public_key->type != KEY_RSA)
        return private_key_sign(k, alg_of(k->public_key), message, sig, e);
    digest_of(d, message, hash);
    CLEANUP(context_gone) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    if (!ctx || EVP_PKEY_sign_init(ctx) <= 0 || !padding_set(ctx, d, pss, RSA_PSS_SALTLEN_MAX) ||
        EVP_PKEY_sign(ctx, out, &n, hash, digest_size(d)) <= 0)
        return ossl_fail(e, ERR_MALFORMED, "signing");
    buf_put(sig, slice_of(out, n));
    return buf_done(sig, "signature", e);
}

bool tool_verify(const struct key *k, enum digest d, bool pss, struct slice message,
                 struct slice sig, struct err *e)
{
    uint8_t hash[DIGEST_MAX];

    if (!can_sign(k, e))
        return false;
    if (k->type != KEY_RSA)
        return key_verify(k, alg_of(k), message, sig, e) || err_classify(e, ERR_UNAUTHORIZED);
    digest_of(d, message, hash);
    CLEANUP(context_gone) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    if (ctx && sig.n && EVP_PKEY_verify_init(ctx) > 0 &&
        padding_set(ctx, d, pss, RSA_PSS_SALTLEN_AUTO) &&
        EVP_PKEY_verify(ctx, sig.p, sig.n, hash, digest_size(d)) == 1)
        return true;
    ossl_forget();
    return err_set(e, ERR_UNAUTHORIZED, "signature does not verify");
}

/* --- Numbers ------------------------------------------------------------------------------ */

static void number_gone(BIGNUM **n)
{
    BN_clear_free(*n);
}

static struct slice number_text(struct arena *a, const BIGNUM *n)
{
    char *text = BN_bn2dec(n);

    if (!text)
        ossl_die("BN_bn2dec");
    struct slice copy = arena_copy(a, slice_text(text));
    OPENSSL_clear_free(text, strlen(text));
    return copy;
}

bool tool_prime(struct arena *a, unsigned bits, struct slice *decimal, struct err *e)
{
    CLEANUP(number_gone) BIGNUM *n = BN_secure_new();
    BN_CTX *ctx = BN_CTX_secure_new();

    if (bits < 2 || bits > TOOL_PRIME_MAX) {
        BN_CTX_free(ctx);
        return err_set(e, ERR_MALFORMED, "a prime has 2 to %u bits", TOOL_PRIME_MAX);
    }
    bool made = n && ctx && BN_generate_prime_ex2(n, (int)bits, 0, NULL, NULL, NULL, ctx);
    BN_CTX_free(ctx);
    if (!made)
        return ossl_fail(e, ERR_INTERNAL, "prime");
    *decimal = number_text(a, n);
    return true;
}
