/*
 * How the content encryption key of a JWE travels (RFC 7518 4): encrypted with a password, with a
 * shared key or an RSA key, agreed on by ECDH, or known already.
 *
 * Each algorithm is a row of the table at the end; a family of algorithms is a pair of functions.
 * What a header says wrongly is ERR_MALFORMED and told; from the moment a secret is used there is
 * one answer only (jwe_refused).  All keys live in the secret arena of the call.
 */
#include "base/clock.h"
#include "base/encode.h"
#include "crypto/cipher.h"
#include "crypto/secret.h"
#include "jose/jwe_part.h"
#include "jose/part.h"

#define P2S_MIN  8u /* RFC 7518 4.8.1.1 */
#define P2S_MAX  1024u
#define P2S_OURS 16u
#define GCM_IV   12u
#define GCM_TAG  16u

static struct slice random_bytes(struct arena *a, size_t n)
{
    uint8_t *p = arena_alloc(a, n);

    RNG_SYSTEM.fill(&RNG_SYSTEM, p, n);
    return slice_of(p, n);
}

static bool header_bytes(const struct jwe_unwrap *u, const char *name, struct slice *bytes,
                         struct err *e)
{
    struct slice text;

    *bytes = SLICE_NONE;
    if (!jose_text(u->header, name, "JWE header", &text, e))
        return false;
    return !text.p || jose_part_padded(u->secrets, text, "JWE header", bytes, e);
}

/* The unwrapped key serves only when it is as long as the content encryption wants it. */
static bool unwrap(const struct jwe_unwrap *u, struct slice kek, struct slice *cek, struct err *e)
{
    if (!aes_unwrap(u->secrets, kek, u->encrypted_key, cek, NULL) || cek->n != u->enc->cek)
        return jwe_refused(e);
    return true;
}

/* --- PBES2 (RFC 7518 4.8) -------------------------------------------------------------------- */

/* salt = name of the algorithm, a zero byte, p2s. */
static bool password_key(struct arena *secrets, const struct jwe_alg *alg, struct slice password,
                         struct slice p2s, uint32_t p2c, struct slice *kek, struct err *e)
{
    struct buf salt = buf_new(secrets, P2S_MAX + 64);

    if (slice_empty(password))
        return err_set(e, ERR_UNAUTHORIZED, "JWE: %s needs a password that is not empty",
                       alg->name);
    buf_text(&salt, alg->name);
    buf_byte(&salt, 0);
    buf_put(&salt, p2s);
    return buf_done(&salt, "JWE salt", e) &&
           pbkdf2(secrets, alg->digest, password, buf_slice(&salt), p2c, alg->kek, kek, e);
}

static bool pbes2_open(const struct jwe_alg *alg, const struct jwe_unwrap *u, struct slice *cek,
                       struct err *e)
{
    struct slice p2s, kek;
    uint64_t p2c;

    if (!json_uint(json_get_exact(u->header, "p2c"), &p2c) || p2c == 0 || p2c > JWE_P2C_MAX)
        return err_set(e, ERR_MALFORMED,
                       "JWE: RFC 7518 4.8.1.2: expected a whole number of 1 to %u as 'p2c'",
                       JWE_P2C_MAX);
    if (!header_bytes(u, "p2s", &p2s, e))
        return false;
    if (p2s.n < P2S_MIN || p2s.n > P2S_MAX)
        return err_set(e, ERR_MALFORMED,
                       "JWE: RFC 7518 4.8.1.1: expected %u to %u bytes in 'p2s', found %zu",
                       P2S_MIN, P2S_MAX, p2s.n);
    return password_key(u->secrets, alg, u->key->password, p2s, (uint32_t)p2c, &kek, e) &&
           unwrap(u, kek, cek, e);
}

static bool pbes2_seal(const struct jwe_alg *alg, struct jwe_wrap *w, struct err *e)
{
    struct slice kek;

    w->p2s = random_bytes(w->secrets, P2S_OURS);
    return password_key(w->secrets, alg, w->key->password, w->p2s, w->p2c, &kek, e) &&
           aes_wrap(w->secrets, kek, w->cek, &w->encrypted_key, e);
}

/* --- Shared keys (RFC 7518 4.4, 4.5, 4.7) ----------------------------------------------------- */

static bool octets_of(const char *name, const struct jwe_key *key, size_t n, struct err *e)
{
    if (key->octets.n == n)
        return true;
    return err_set(e, ERR_UNAUTHORIZED, "JWE: %s needs a shared key of %zu bytes, found %zu", name,
                   n, key->octets.n);
}

static bool direct_open(const struct jwe_alg *alg, const struct jwe_unwrap *u, struct slice *cek,
                        struct err *e)
{
    *cek = u->key->octets;
    return octets_of(alg->name, u->key, u->enc->cek, e);
}

static bool direct_seal(const struct jwe_alg *alg, struct jwe_wrap *w, struct err *e)
{
    w->cek = w->key->octets;
    return octets_of(alg->name, w->key, w->enc->cek, e);
}

static bool wrap_open(const struct jwe_alg *alg, const struct jwe_unwrap *u, struct slice *cek,
                      struct err *e)
{
    return octets_of(alg->name, u->key, alg->kek, e) && unwrap(u, u->key->octets, cek, e);
}

static bool wrap_seal(const struct jwe_alg *alg, struct jwe_wrap *w, struct err *e)
{
    return octets_of(alg->name, w->key, alg->kek, e) &&
           aes_wrap(w->secrets, w->key->octets, w->cek, &w->encrypted_key, e);
}

static bool gcm_open(const struct jwe_alg *alg, const struct jwe_unwrap *u, struct slice *cek,
                     struct err *e)
{
    struct slice iv, tag;

    if (!header_bytes(u, "iv", &iv, e) || !header_bytes(u, "tag", &tag, e))
        return false;
    if (iv.n != GCM_IV || tag.n != GCM_TAG)
        return err_set(e, ERR_MALFORMED,
                       "JWE: RFC 7518 4.7.1: expected %u bytes as 'iv' and %u as 'tag'", GCM_IV,
                       GCM_TAG);
    if (!octets_of(alg->name, u->key, alg->kek, e))
        return false;
    if (!aes_gcm_open(u->secrets, u->key->octets, iv, SLICE(""), u->encrypted_key, tag, cek,
                      NULL) ||
        cek->n != u->enc->cek)
        return jwe_refused(e);
    return true;
}

static bool gcm_seal(const struct jwe_alg *alg, struct jwe_wrap *w, struct err *e)
{
    uint8_t *tag = arena_alloc(w->secrets, GCM_TAG);

    if (!octets_of(alg->name, w->key, alg->kek, e))
        return false;
    w->iv = random_bytes(w->secrets, GCM_IV);
    w->tag = slice_of(tag, GCM_TAG);
    return aes_gcm_seal(w->secrets, w->key->octets, w->iv, SLICE(""), w->cek, &w->encrypted_key,
                        tag, e);
}

/* --- ECDH-ES (RFC 7518 4.6, RFC 8037 3.2) ----------------------------------------------------- */

static bool can_agree(const struct key *k)
{
    return k && k->type != KEY_P224 && (key_is_ec(k) || k->type == KEY_X25519);
}

static void put_counted(struct buf *b, struct slice s)
{
    buf_u32(b, (uint32_t)s.n);
    buf_put(b, s);
}

/* Concat KDF (NIST SP 800-56A 5.8.1) with SHA-256; out of n <= 64 bytes. */
static bool concat_kdf(struct arena *secrets, struct slice z, struct slice algorithm,
                       struct slice apu, struct slice apv, size_t n, struct slice *out,
                       struct err *e)
{
    uint8_t *key = arena_alloc(secrets, 2 * DIGEST_MAX);
    struct buf info = buf_new(secrets, JWE_MAX);
    size_t have = 0;

    put_counted(&info, algorithm);
    put_counted(&info, apu);
    put_counted(&info, apv);
    buf_u32(&info, (uint32_t)n * 8);
    if (!buf_done(&info, "JWE: apu and apv", e))
        return false;
    for (uint8_t round = 1; have < n; round++) {
        const uint8_t counter[4] = {0, 0, 0, round};
        struct digest_run run = digest_begin(DIGEST_SHA256);
        digest_add(&run, slice_of(counter, sizeof(counter)));
        digest_add(&run, z);
        digest_add(&run, buf_slice(&info));
        digest_end(&run, key + have);
        have += digest_size(DIGEST_SHA256);
    }
    *out = slice_of(key, n);
    return true;
}

/* The agreed key is the CEK itself, or wraps it. */
static bool agreed_key(struct arena *secrets, const struct jwe_alg *alg, const struct jwe_enc *enc,
                       struct slice z, struct slice apu, struct slice apv, struct slice *key,
                       struct err *e)
{
    const char *name = alg->no_cek ? enc->name : alg->name;

    return concat_kdf(secrets, z, slice_text(name), apu, apv, alg->no_cek ? enc->cek : alg->kek,
                      key, e);
}

static bool ephemeral_read(const struct jwe_unwrap *u, const struct key **epk, struct err *e)
{
    const struct json *v = json_get_exact(u->header, "epk");
    struct jwk jwk;

    if (!v)
        return err_set(e, ERR_MALFORMED, "JWE: RFC 7518 4.6.1.1: 'epk' is missing");
    if (!jwk_public_from_json(u->secrets, v, &jwk, e))
        return err_wrap(e, "JWE: epk");
    if (!can_agree(jwk.key))
        return err_set(e, ERR_MALFORMED,
                       "JWE: RFC 7518 4.6.1.1: expected a public EC or X25519 key as 'epk'");
    *epk = jwk.key;
    return true;
}

static bool ecdh_open(const struct jwe_alg *alg, const struct jwe_unwrap *u, struct slice *cek,
                      struct err *e)
{
    const struct private_key *mine = u->key->secret;
    const struct key *epk = NULL;
    struct slice apu, apv, z, agreed;

    if (!mine || !can_agree(mine->public_key))
        return err_set(e, ERR_UNAUTHORIZED, "JWE: %s needs an EC or X25519 private key", alg->name);
    if (!ephemeral_read(u, &epk, e) || !header_bytes(u, "apu", &apu, e) ||
        !header_bytes(u, "apv", &apv, e))
        return false;
    if (epk->type != mine->public_key->type || !private_key_agree(u->secrets, mine, epk, &z, NULL))
        return jwe_refused(e);
    if (!agreed_key(u->secrets, alg, u->enc, z, apu, apv, &agreed, e))
        return false;
    *cek = agreed;
    return alg->no_cek || unwrap(u, agreed, cek, e);
}

static bool ecdh_seal(const struct jwe_alg *alg, struct jwe_wrap *w, struct err *e)
{
    const struct key *theirs = w->key->key;
    struct private_key *fresh;
    struct slice z, agreed;

    if (!can_agree(theirs))
        return err_set(e, ERR_MALFORMED, "JWE: %s needs an EC or X25519 public key", alg->name);
    if (!private_key_generate(w->secrets, theirs->type, 0, &fresh, e) ||
        !private_key_agree(w->secrets, fresh, theirs, &z, e) ||
        !agreed_key(w->secrets, alg, w->enc, z, SLICE_NONE, SLICE_NONE, &agreed, e))
        return false;
    struct jwk epk = {.kty = key_is_ec(theirs) ? JWK_EC : JWK_OKP, .key = fresh->public_key};
    w->epk = jwk_json(w->secrets, &epk, false);
    if (!alg->no_cek)
        return aes_wrap(w->secrets, agreed, w->cek, &w->encrypted_key, e);
    w->cek = agreed;
    return true;
}

/* --- RSA (RFC 7518 4.2, 4.3) ------------------------------------------------------------------ */

/* RSA1_5: a bad padding must look like a good one (RFC 7516 11.5), so a random key stands in and
 * the content's tag decides.  OAEP has no such oracle, and takes the same path. */
static bool rsa_open(const struct jwe_alg *alg, const struct jwe_unwrap *u, struct slice *cek,
                     struct err *e)
{
    const struct private_key *mine = u->key->secret;
    struct slice found, instead = random_bytes(u->secrets, u->enc->cek);

    if (!mine || mine->public_key->type != KEY_RSA)
        return err_set(e, ERR_UNAUTHORIZED, "JWE: %s needs an RSA private key", alg->name);
    bool good =
        private_key_rsa_decrypt(u->secrets, mine, alg->padding, u->encrypted_key, &found, NULL) &&
        found.n == u->enc->cek;
    *cek = good ? found : instead;
    return true;
}

static bool rsa_seal(const struct jwe_alg *alg, struct jwe_wrap *w, struct err *e)
{
    if (!w->key->key || w->key->key->type != KEY_RSA)
        return err_set(e, ERR_MALFORMED, "JWE: %s needs an RSA public key", alg->name);
    return key_rsa_encrypt(w->secrets, w->key->key, alg->padding, w->cek, &w->encrypted_key, e);
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct jwe_alg ALGS[] = {
    {"PBES2-HS256+A128KW", 16, .digest = DIGEST_SHA256, .open = pbes2_open, .seal = pbes2_seal},
    {"PBES2-HS384+A192KW", 24, .digest = DIGEST_SHA384, .open = pbes2_open, .seal = pbes2_seal},
    {"PBES2-HS512+A256KW", 32, .digest = DIGEST_SHA512, .open = pbes2_open, .seal = pbes2_seal},
    {"dir", 0, .no_cek = true, .open = direct_open, .seal = direct_seal},
    {"A128KW", 16, .open = wrap_open, .seal = wrap_seal},
    {"A192KW", 24, .open = wrap_open, .seal = wrap_seal},
    {"A256KW", 32, .open = wrap_open, .seal = wrap_seal},
    {"A128GCMKW", 16, .open = gcm_open, .seal = gcm_seal},
    {"A192GCMKW", 24, .open = gcm_open, .seal = gcm_seal},
    {"A256GCMKW", 32, .open = gcm_open, .seal = gcm_seal},
    {"ECDH-ES", 0, .no_cek = true, .open = ecdh_open, .seal = ecdh_seal},
    {"ECDH-ES+A128KW", 16, .open = ecdh_open, .seal = ecdh_seal},
    {"ECDH-ES+A192KW", 24, .open = ecdh_open, .seal = ecdh_seal},
    {"ECDH-ES+A256KW", 32, .open = ecdh_open, .seal = ecdh_seal},
    {"RSA1_5", 0, .padding = RSA_PADDING_PKCS1, .open = rsa_open, .seal = rsa_seal},
    {"RSA-OAEP", 0, .padding = RSA_PADDING_OAEP_SHA1, .open = rsa_open, .seal = rsa_seal},
    {"RSA-OAEP-256", 0, .padding = RSA_PADDING_OAEP_SHA256, .open = rsa_open, .seal = rsa_seal},
};

const struct jwe_alg *jwe_alg_of(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(ALGS); i++)
        if (slice_is(name, ALGS[i].name))
            return &ALGS[i];
    return NULL;
}
