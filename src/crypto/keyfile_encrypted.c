/*
 * Encrypted private keys in PEM: PKCS#8 with PBES2, and the older form whose headers name cipher
 * and IV and whose key comes from one round of MD5 (what OpenSSL's "traditional" keys and earlier
 * CAs wrote).  Costs that a file asks for are bounded before anything is computed.
 */
#include "base/clock.h"
#include "base/encode.h"
#include "crypto/cipher_internal.h"
#include "crypto/keyfile_internal.h"

#define PBKDF2_ROUNDS     600000
#define PBKDF2_ROUNDS_MAX 10000000
#define SALT_BYTES        16u
#define DEK_SALT          8u

#define OID(literal)                                                                               \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const struct oid PBES2 = OID("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d");
static const struct oid PBKDF2 = OID("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c");
static const struct oid SCRYPT = OID("\x2b\x06\x01\x04\x01\xda\x47\x04\x0b");
static const struct oid HMAC_SHA256 = OID("\x2a\x86\x48\x86\xf7\x0d\x02\x09");

static const struct prf {
    struct oid oid;
    enum digest digest;
} PRFS[] = {
    {OID("\x2a\x86\x48\x86\xf7\x0d\x02\x07"), DIGEST_SHA1},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x02\x08"), DIGEST_SHA224},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x02\x09"), DIGEST_SHA256},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x02\x0a"), DIGEST_SHA384},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x02\x0b"), DIGEST_SHA512},
};

/* CIPHER_KINDS stands for single DES, which is not one of the usual provider's. */
static const struct file_cipher {
    struct oid oid;
    const char *name; /* in DEK-Info */
    enum ossl_cipher cipher;
    uint8_t key, iv;
} CIPHERS[] = {
    {OID("\x60\x86\x48\x01\x65\x03\x04\x01\x02"), "AES-128-CBC", CIPHER_AES128_CBC, 16, 16},
    {OID("\x60\x86\x48\x01\x65\x03\x04\x01\x16"), "AES-192-CBC", CIPHER_AES192_CBC, 24, 16},
    {OID("\x60\x86\x48\x01\x65\x03\x04\x01\x2a"), "AES-256-CBC", CIPHER_AES256_CBC, 32, 16},
    {OID("\x2a\x86\x48\x86\xf7\x0d\x03\x07"), "DES-EDE3-CBC", CIPHER_DES3_CBC, 24, 8},
    {OID("\x2b\x0e\x03\x02\x07"), "DES-CBC", CIPHER_KINDS, 8, 8},
};
#define AES256 (&CIPHERS[2])

/* cipher_open, with the one error that means "try another password". */
static bool open_body(struct arena *secrets, const struct file_cipher *c, struct slice key,
                      struct slice iv, struct slice in, struct slice *der, struct err *e)
{
    const EVP_CIPHER *evp = c->cipher == CIPHER_KINDS ? ossl_des_cbc() : ossl_cipher(c->cipher);

    if (!evp)
        return err_set(e, ERR_MALFORMED, "%s is not available in libcrypto", c->name);
    if (!in.n || in.n % c->iv)
        return err_set(e, ERR_MALFORMED, "%zu bytes are not whole blocks of %s", in.n, c->name);
    if (cipher_open(secrets, evp, key, iv, in, der, NULL))
        return true;
    return err_set(e, ERR_UNAUTHORIZED, "password incorrect");
}

/* --- PBES2 -------------------------------------------------------------------------------- */

struct pbes2 {
    struct slice salt, iv, body;
    const struct file_cipher *cipher;
    bool scrypt;
    enum digest prf; /* PBKDF2 */
    uint32_t rounds;
    uint64_t n; /* scrypt */
    uint32_t r, p;
};

/* An optional keyLength, which must be the cipher's. */
static bool key_length_read(struct der *d, int64_t *length)
{
    *length = 0;
    return !der_is(d, DER_INTEGER) || (der_take_int(d, length) && *length > 0);
}

static bool prf_read(struct der *params, enum digest *prf, struct err *e)
{
    struct der seq;
    struct slice oid, null;
    bool there;

    *prf = DIGEST_SHA1; /* RFC 8018 A.2: the default */
    if (der_done(params))
        return true;
    if (!der_enter(params, DER_SEQUENCE, &seq) || !der_take_oid(&seq, &oid) ||
        !der_optional(&seq, DER_NULL, &there, &null) || !der_done(&seq) || !der_done(params))
        return err_set(e, ERR_MALFORMED, "PBKDF2: RFC 8018 A.2: bad pseudo-random function");
    for (size_t i = 0; i < COUNT_OF(PRFS); i++) {
        if (!oid_eq(&PRFS[i].oid, oid))
            continue;
        *prf = PRFS[i].digest;
        return true;
    }
    return err_set(e, ERR_MALFORMED, "PBKDF2: unsupported pseudo-random function");
}

static bool pbkdf2_read(struct der params, struct pbes2 *p, int64_t *key_length, struct err *e)
{
    int64_t rounds;

    if (!der_take(&params, DER_OCTET_STRING, &p->salt) || !der_take_int(&params, &rounds) ||
        !key_length_read(&params, key_length))
        return err_set(e, ERR_MALFORMED, "PBKDF2: RFC 8018 A.2: bad parameters");
    if (rounds < 1 || rounds > PBKDF2_ROUNDS_MAX)
        return err_set(e, ERR_MALFORMED, "PBKDF2: %lld rounds, not 1 to %d", (long long)rounds,
                       PBKDF2_ROUNDS_MAX);
    p->rounds = (uint32_t)rounds;
    return prf_read(&params, &p->prf, e);
}

static bool scrypt_read(struct der params, struct pbes2 *p, int64_t *key_length, struct err *e)
{
    int64_t n, r, parallel;

    p->scrypt = true;
    if (!der_take(&params, DER_OCTET_STRING, &p->salt) || !der_take_int(&params, &n) ||
        !der_take_int(&params, &r) || !der_take_int(&params, &parallel) ||
        !key_length_read(&params, key_length) || !der_done(&params) || n < 2 || r < 1 ||
        r > INT32_MAX || parallel < 1 || parallel > INT32_MAX)
        return err_set(e, ERR_MALFORMED, "scrypt: RFC 7914 7: bad parameters");
    p->n = (uint64_t)n;
    p->r = (uint32_t)r;
    p->p = (uint32_t)parallel;
    return true;
}

static bool scheme_read(struct der *scheme, struct pbes2 *p, struct err *e)
{
    struct slice oid;

    if (!der_take_oid(scheme, &oid))
        return err_set(e, ERR_MALFORMED, "PBES2: RFC 8018 A.4: bad encryption scheme");
    for (size_t i = 0; i < COUNT_OF(CIPHERS); i++) {
        if (oid_eq(&CIPHERS[i].oid, oid))
            p->cipher = &CIPHERS[i];
    }
    if (!p->cipher)
        return err_set(e, ERR_MALFORMED, "PBES2: unsupported cipher");
    if (!der_take(scheme, DER_OCTET_STRING, &p->iv) || !der_done(scheme) ||
        p->iv.n != p->cipher->iv)
        return err_set(e, ERR_MALFORMED, "PBES2: RFC 8018 B.2: bad IV for %s", p->cipher->name);
    return true;
}

static bool pbes2_read(struct slice in, struct pbes2 *p, struct err *e)
{
    struct der d = der_reader(in), outer, alg, params, kdf, kdf_params, scheme;
    struct slice oid;
    int64_t key_length;

    if (!der_enter(&d, DER_SEQUENCE, &outer) || !der_done(&d) ||
        !der_enter(&outer, DER_SEQUENCE, &alg) || !der_take_oid(&alg, &oid) ||
        !der_take(&outer, DER_OCTET_STRING, &p->body) || !der_done(&outer))
        return err_set(e, ERR_MALFORMED, "PKCS#8: RFC 5958 3: not an EncryptedPrivateKeyInfo");
    if (!oid_eq(&PBES2, oid))
        return err_set(e, ERR_MALFORMED, "PKCS#8: encrypted with another scheme than PBES2");
    if (!der_enter(&alg, DER_SEQUENCE, &params) || !der_done(&alg) ||
        !der_enter(&params, DER_SEQUENCE, &kdf) || !der_enter(&params, DER_SEQUENCE, &scheme) ||
        !der_done(&params) || !der_take_oid(&kdf, &oid) ||
        !der_enter(&kdf, DER_SEQUENCE, &kdf_params) || !der_done(&kdf))
        return err_set(e, ERR_MALFORMED, "PBES2: RFC 8018 A.4: bad parameters");
    if (!oid_eq(&PBKDF2, oid) && !oid_eq(&SCRYPT, oid))
        return err_set(e, ERR_MALFORMED, "PBES2: neither PBKDF2 nor scrypt");
    bool good = oid_eq(&SCRYPT, oid) ? scrypt_read(kdf_params, p, &key_length, e)
                                     : pbkdf2_read(kdf_params, p, &key_length, e);
    if (!good || !scheme_read(&scheme, p, e))
        return false;
    if (key_length && key_length != p->cipher->key)
        return err_set(e, ERR_MALFORMED, "PBES2: the key length is not the one of %s",
                       p->cipher->name);
    return true;
}

bool pbes2_open(struct arena *secrets, struct slice in, struct slice password, struct slice *der,
                struct err *e)
{
    struct pbes2 p = {0};
    struct slice key;

    if (!pbes2_read(in, &p, e))
        return false;
    bool derived =
        p.scrypt ? cipher_scrypt(secrets, password, p.salt, p.n, p.r, p.p, p.cipher->key, &key, e)
                 : pbkdf2(secrets, p.prf, password, p.salt, p.rounds, p.cipher->key, &key, e);
    return derived && open_body(secrets, p.cipher, key, p.iv, p.body, der, e);
}

/* RFC 8018 A.4, as the reference tools write and read it: no keyLength, a PRF with NULL. */
static void pbes2_put(struct buf *b, struct slice salt, struct slice iv, struct slice body)
{
    size_t outer, alg, params, kdf, kdf_params, prf, scheme;

    der_open(b, DER_SEQUENCE, &outer);
    der_open(b, DER_SEQUENCE, &alg);
    der_oid(b, &PBES2);
    der_open(b, DER_SEQUENCE, &params);
    der_open(b, DER_SEQUENCE, &kdf);
    der_oid(b, &PBKDF2);
    der_open(b, DER_SEQUENCE, &kdf_params);
    der_octets(b, salt);
    der_int(b, PBKDF2_ROUNDS);
    der_open(b, DER_SEQUENCE, &prf);
    der_oid(b, &HMAC_SHA256);
    der_null(b);
    der_close(b, prf);
    der_close(b, kdf_params);
    der_close(b, kdf);
    der_open(b, DER_SEQUENCE, &scheme);
    der_oid(b, &AES256->oid);
    der_octets(b, iv);
    der_close(b, scheme);
    der_close(b, params);
    der_close(b, alg);
    der_octets(b, body);
    der_close(b, outer);
}

bool pbes2_seal(struct arena *secrets, struct slice der, struct slice password, struct slice *out,
                struct err *e)
{
    uint8_t salt[SALT_BYTES], iv[CIPHER_BLOCK_MAX];
    struct buf b = buf_new(secrets, KEYFILE_DER_MAX);
    struct slice key, body;

    RNG_SYSTEM.fill(&RNG_SYSTEM, salt, sizeof(salt));
    RNG_SYSTEM.fill(&RNG_SYSTEM, iv, sizeof(iv));
    if (!pbkdf2(secrets, DIGEST_SHA256, password, slice_of(salt, sizeof(salt)), PBKDF2_ROUNDS,
                AES256->key, &key, e) ||
        !aes_cbc_seal(secrets, key, slice_of(iv, sizeof(iv)), der, &body, e))
        return false;
    pbes2_put(&b, slice_of(salt, sizeof(salt)), slice_of(iv, sizeof(iv)), body);
    *out = buf_slice(&b);
    return buf_done(&b, "private key", e);
}

/* --- DEK-Info ----------------------------------------------------------------------------- */

/* D_i = MD5(D_i-1 || password || salt), as many as the key needs. */
static struct slice md5_key(struct arena *secrets, struct slice password, struct slice salt,
                            size_t n)
{
    const size_t md5 = digest_size(DIGEST_MD5);
    uint8_t *out = arena_alloc(secrets, n + DIGEST_MAX);

    for (size_t at = 0; at < n; at += md5) {
        struct digest_run run = digest_begin(DIGEST_MD5);
        digest_add(&run, slice_of(out + at - (at ? md5 : 0), at ? md5 : 0));
        digest_add(&run, password);
        digest_add(&run, salt);
        digest_end(&run, out + at);
    }
    return slice_of(out, n);
}

bool dek_open(struct arena *secrets, struct slice dek_info, struct slice in, struct slice password,
              struct slice *der, struct err *e)
{
    size_t comma = slice_find(dek_info, ',');
    struct slice name = slice_trim(slice_sub(dek_info, 0, comma)), iv;
    const struct file_cipher *c = NULL;

    for (size_t i = 0; i < COUNT_OF(CIPHERS); i++) {
        if (slice_is(name, CIPHERS[i].name))
            c = &CIPHERS[i];
    }
    if (!c)
        return err_set(e, ERR_MALFORMED, "DEK-Info: RFC 1421 4.6.1.3: unsupported cipher");
    if (!hex_read(secrets, slice_trim(slice_from(dek_info, comma + 1)), &iv) || iv.n != c->iv)
        return err_set(e, ERR_MALFORMED, "DEK-Info: RFC 1421 4.6.1.3: no IV of %u bytes", c->iv);
    if (!ossl_digest(DIGEST_MD5))
        return err_set(e, ERR_MALFORMED, "DEK-Info: MD5 is not available in libcrypto");
    struct slice key = md5_key(secrets, password, slice_sub(iv, 0, DEK_SALT), c->key);
    return open_body(secrets, c, key, iv, in, der, e);
}
