/*
 * Content encryption of a JWE (RFC 7518 5): AES-GCM, and AES-CBC with HMAC, which checks the tag
 * before a single block is decrypted.
 */
#include "base/clock.h"
#include "crypto/cipher.h"
#include "crypto/secret.h"
#include "jose/jwe_part.h"

static const struct jwe_enc ENCS[] = {
    {"A128GCM", 16, 12, 16, DIGEST_NONE},         {"A192GCM", 24, 12, 16, DIGEST_NONE},
    {"A256GCM", 32, 12, 16, DIGEST_NONE},         {"A128CBC-HS256", 32, 16, 16, DIGEST_SHA256},
    {"A192CBC-HS384", 48, 16, 24, DIGEST_SHA384}, {"A256CBC-HS512", 64, 16, 32, DIGEST_SHA512},
};

const struct jwe_enc *jwe_enc_of(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(ENCS); i++)
        if (slice_is(name, ENCS[i].name))
            return &ENCS[i];
    return NULL;
}

bool jwe_refused(struct err *e)
{
    return err_set(e, ERR_UNAUTHORIZED,
                   "JWE: cannot be decrypted: wrong key or password, or altered text");
}

/* RFC 7518 5.2.2.1: the first half of the key authenticates, the second half encrypts; the tag is
 * the first half of HMAC(aad, iv, ciphertext, length of aad in bits as 64-bit number). */
static void cbc_tag(struct arena *a, const struct jwe_enc *enc, struct slice cek, struct slice aad,
                    struct slice iv, struct slice ciphertext, uint8_t mac[DIGEST_MAX])
{
    struct arena_mark mark = arena_mark(a);
    struct buf b = buf_new(a, SIZE_MAX / 2);

    if (buf_room(&b, aad.n + iv.n + ciphertext.n + 8)) /* grows once */
        buf_put(&b, aad);
    buf_put(&b, iv);
    buf_put(&b, ciphertext);
    buf_u64(&b, (uint64_t)aad.n * 8);
    hmac_of(enc->mac, slice_sub(cek, 0, enc->cek / 2), buf_slice(&b), mac);
    arena_rewind(a, mark);
}

static bool cbc_seal(struct arena *a, const struct jwe_enc *enc, struct slice cek, struct slice aad,
                     struct slice plain, struct jwe_content *out, struct err *e)
{
    uint8_t mac[DIGEST_MAX];

    if (!aes_cbc_seal(a, slice_from(cek, enc->cek / 2), out->iv, plain, &out->ciphertext, e))
        return false;
    cbc_tag(a, enc, cek, aad, out->iv, out->ciphertext, mac);
    out->tag = arena_copy(a, slice_of(mac, enc->tag));
    return true;
}

bool jwe_content_seal(struct arena *a, const struct jwe_enc *enc, struct slice cek,
                      struct slice aad, struct slice plain, struct jwe_content *out, struct err *e)
{
    uint8_t *iv = arena_alloc(a, enc->iv);
    uint8_t *tag;

    RNG_SYSTEM.fill(&RNG_SYSTEM, iv, enc->iv);
    out->iv = slice_of(iv, enc->iv);
    if (enc->mac != DIGEST_NONE)
        return cbc_seal(a, enc, cek, aad, plain, out, e);
    tag = arena_alloc(a, enc->tag);
    out->tag = slice_of(tag, enc->tag);
    return aes_gcm_seal(a, cek, out->iv, aad, plain, &out->ciphertext, tag, e);
}

static bool cbc_open(struct arena *a, const struct jwe_enc *enc, struct slice cek, struct slice aad,
                     const struct jwe_content *in, struct slice *plain)
{
    uint8_t mac[DIGEST_MAX];

    cbc_tag(a, enc, cek, aad, in->iv, in->ciphertext, mac);
    bool good = secret_equal(slice_of(mac, enc->tag), in->tag);
    secret_wipe(mac, sizeof(mac));
    return good &&
           aes_cbc_open(a, slice_from(cek, enc->cek / 2), in->iv, in->ciphertext, plain, NULL);
}

bool jwe_content_open(struct arena *a, const struct jwe_enc *enc, struct slice cek,
                      struct slice aad, const struct jwe_content *in, struct slice *plain,
                      struct err *e)
{
    bool good = enc->mac != DIGEST_NONE
                    ? cbc_open(a, enc, cek, aad, in, plain)
                    : aes_gcm_open(a, cek, in->iv, aad, in->ciphertext, in->tag, plain, NULL);

    return good || jwe_refused(e);
}
