/* Signature blobs: RFC 4253 6.6, RFC 8332 3, RFC 5656 3.1.2, RFC 8709 6. */
#include "ssh/key_private.h"

#define SIG_MAX (4u << 10)

bool ssh_signature_read(struct slice blob, struct slice *format, struct slice *bytes, struct err *e)
{
    uint32_t counter;
    uint8_t flags;

    if (!ssh_take_string(&blob, format) || !ssh_take_string(&blob, bytes))
        return err_set(e, ERR_MALFORMED, "SSH signature: cut off (RFC 4253 6.6)");
    if (slice_starts(*format, "sk-") &&
        (!ssh_take_byte(&blob, &flags) || !ssh_take_u32(&blob, &counter)))
        return err_set(e, ERR_MALFORMED, "SSH signature: cut off (PROTOCOL.u2f of OpenSSH)");
    if (blob.n > 0)
        return err_set(e, ERR_MALFORMED, "SSH signature: %zu bytes too many", blob.n);
    return true;
}

/* r and s as numbers of SSH; ours are in DER. */
static bool put_ecdsa(struct arena *a, struct buf *b, const struct key *k, struct slice der,
                      struct err *e)
{
    size_t field = key_field_size(k->type);
    struct slice fixed;

    if (!sig_ecdsa_to_fixed(a, k, der, &fixed, e))
        return false;
    size_t at = ssh_open_string(b);
    ssh_put_mpint(b, slice_sub(fixed, 0, field));
    ssh_put_mpint(b, slice_from(fixed, field));
    ssh_close_string(b, at);
    return true;
}

bool ssh_signature_make(struct signer *s, bool rsa_512, struct slice message, struct buf *blob,
                        struct deadline d, struct err *e)
{
    const struct key *k = s->public_key;
    CLEANUP(arena_cleanup) struct arena *a = arena_new(NULL);
    struct buf sig = buf_new(a, SIG_MAX);
    struct sig_alg alg = sig_alg_usual(k);
    struct ssh_key shown;

    if (k->type == KEY_RSA && rsa_512 && s->only.scheme == SIG_ANY)
        alg.digest = DIGEST_SHA512;
    if (!ssh_key_from(a, k, &shown, e) || !signer_sign(s, alg, message, &sig, d, e))
        return false;
    const char *rsa = alg.digest == DIGEST_SHA512 ? "rsa-sha2-512" : "rsa-sha2-256";
    const char *format = shown.kind == SSH_KEY_RSA ? rsa : ssh_key_type_name(shown.kind);
    ssh_put_string(blob, slice_text(format));
    if (key_is_ec(k))
        return put_ecdsa(a, blob, k, buf_slice(&sig), e);
    ssh_put_string(blob, buf_slice(&sig));
    return true;
}

static bool put_padded(struct buf *out, struct slice number, size_t n)
{
    if (number.n == 0 || number.n > n)
        return false;
    for (size_t i = number.n; i < n; i++)
        buf_byte(out, 0);
    buf_put(out, number);
    return true;
}

/* The other way round. */
static bool ecdsa_der(struct arena *a, const struct key *k, struct slice bytes, struct slice *der,
                      struct err *e)
{
    size_t field = key_field_size(k->type);
    struct buf fixed = buf_new(a, 2 * field);
    struct slice r, s;

    if (!ssh_take_mpint(&bytes, &r) || !ssh_take_mpint(&bytes, &s) || bytes.n > 0 ||
        !put_padded(&fixed, r, field) || !put_padded(&fixed, s, field))
        return err_set(e, ERR_MALFORMED, "SSH signature: not two numbers (RFC 5656 3.1.2)");
    return sig_ecdsa_from_fixed(a, k, buf_slice(&fixed), der, e);
}

static bool rsa_alg(struct slice format, struct sig_alg *alg, struct err *e)
{
    alg->scheme = SIG_RSA_PKCS1;
    if (slice_is(format, "rsa-sha2-256"))
        alg->digest = DIGEST_SHA256;
    else if (slice_is(format, "rsa-sha2-512"))
        alg->digest = DIGEST_SHA512;
    else
        return err_set(e, ERR_MALFORMED,
                       "SSH signature: expected rsa-sha2-256 or rsa-sha2-512 (RFC 8332)");
    return true;
}

bool ssh_signature_verify(struct arena *a, const struct ssh_key *k, struct slice message,
                          struct slice blob, struct err *e)
{
    struct sig_alg alg = sig_alg_usual(k->key);
    struct slice format, bytes;

    if (ssh_key_is_sk(k->kind))
        return err_set(e, ERR_MALFORMED, "SSH signature: security keys do not sign here");
    if (!ssh_signature_read(blob, &format, &bytes, e))
        return false;
    if (k->kind == SSH_KEY_RSA) {
        if (!rsa_alg(format, &alg, e))
            return false;
    } else if (!slice_is(format, ssh_key_type_name(k->kind))) {
        return err_set(e, ERR_MALFORMED, "SSH signature: expected format %s, found another",
                       ssh_key_type_name(k->kind));
    }
    if (key_is_ec(k->key) && !ecdsa_der(a, k->key, bytes, &bytes, e))
        return false;
    return key_verify(k->key, alg, message, bytes, e);
}
