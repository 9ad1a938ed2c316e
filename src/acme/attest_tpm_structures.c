/* See attest_tpm_structures.h. */
#include "acme/attest_tpm_structures.h"

#include "crypto/der.h"

#define COORDINATE_MAX 66u
#define RSA_BITS_MIN   2048u
#define EXPONENT_USUAL 65537u

/* TPM_ALG_ID, Part 2 6.3 */
enum tpm_alg {
    TPM_RSA = 0x0001,
    TPM_SHA1 = 0x0004,
    TPM_SHA256 = 0x000b,
    TPM_SHA384 = 0x000c,
    TPM_SHA512 = 0x000d,
    TPM_NULL = 0x0010,
    TPM_RSASSA = 0x0014,
    TPM_RSAES = 0x0015,
    TPM_RSAPSS = 0x0016,
    TPM_OAEP = 0x0017,
    TPM_ECDSA = 0x0018,
    TPM_ECDH = 0x0019,
    TPM_ECDAA = 0x001a,
    TPM_SM2 = 0x001b,
    TPM_ECSCHNORR = 0x001c,
    TPM_ECMQV = 0x001d,
    TPM_ECC = 0x0023
};

/* --- Reading: after a failure everything reads as 0 ---------------------------------------------
 */

struct reader {
    const uint8_t *p, *end;
    bool bad;
};

static struct reader reader_of(struct slice in)
{
    return (struct reader){in.p, in.p + in.n, false};
}

static struct slice take(struct reader *r, size_t n)
{
    if (r->bad || n > (size_t)(r->end - r->p)) {
        r->bad = true;
        return SLICE("");
    }
    r->p += n;
    return slice_of(r->p - n, n);
}

static uint32_t number(struct reader *r, size_t n)
{
    struct slice s = take(r, n);
    uint32_t v = 0;

    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | s.p[i];
    return v;
}

static uint16_t u16(struct reader *r)
{
    return (uint16_t)number(r, 2);
}

static uint32_t u32(struct reader *r)
{
    return number(r, 4);
}

/* TPM2B: a length and that many bytes. */
static struct slice sized(struct reader *r)
{
    return take(r, u16(r));
}

static bool finish(const struct reader *r, const char *what, struct err *e)
{
    if (r->bad)
        return err_set(e, ERR_MALFORMED, "%s: ends too early", what);
    if (r->p != r->end)
        return err_set(e, ERR_MALFORMED, "%s: %zu bytes too many", what, (size_t)(r->end - r->p));
    return true;
}

static enum digest digest_of_id(uint16_t id)
{
    static const struct {
        uint16_t id;
        enum digest digest;
    } DIGESTS[] = {{TPM_SHA1, DIGEST_SHA1},
                   {TPM_SHA256, DIGEST_SHA256},
                   {TPM_SHA384, DIGEST_SHA384},
                   {TPM_SHA512, DIGEST_SHA512}};

    for (size_t i = 0; i < COUNT_OF(DIGESTS); i++)
        if (DIGESTS[i].id == id)
            return DIGESTS[i].digest;
    return DIGEST_NONE;
}

/* --- Keys ---------------------------------------------------------------------------------------
 */

/* TPMT_SYM_DEF_OBJECT: an algorithm, and of a real one key bits and mode. */
static void skip_symmetric(struct reader *r)
{
    if (u16(r) != TPM_NULL)
        (void)take(r, 4);
}

/* TPMT_RSA_SCHEME, TPMT_ECC_SCHEME: an algorithm and its details. */
static bool skip_scheme(struct reader *r)
{
    static const struct {
        uint16_t id;
        size_t details;
    } SCHEMES[] = {{TPM_NULL, 0}, {TPM_RSASSA, 2},    {TPM_RSAES, 0}, {TPM_RSAPSS, 2},
                   {TPM_OAEP, 2}, {TPM_ECDSA, 2},     {TPM_ECDH, 2},  {TPM_ECDAA, 4},
                   {TPM_SM2, 2},  {TPM_ECSCHNORR, 2}, {TPM_ECMQV, 2}};
    uint16_t id = u16(r);

    for (size_t i = 0; i < COUNT_OF(SCHEMES); i++) {
        if (SCHEMES[i].id == id) {
            (void)take(r, SCHEMES[i].details);
            return true;
        }
    }
    return false;
}

static bool read_rsa(struct arena *a, struct reader *r, const struct key **key, struct err *e)
{
    skip_symmetric(r);
    if (!skip_scheme(r))
        return err_set(e, ERR_MALFORMED, "pubArea: unknown RSA scheme");
    unsigned bits = u16(r);
    uint32_t exponent = u32(r);
    struct slice modulus = sized(r);
    if (!finish(r, "pubArea", e))
        return false;
    if (bits < RSA_BITS_MIN || modulus.n != bits / 8 || bits % 8)
        return err_set(e, ERR_MALFORMED,
                       "pubArea: expected an RSA key of at least %u bits, found %u bits in %zu "
                       "bytes",
                       RSA_BITS_MIN, bits, modulus.n);
    uint32_t v = exponent ? exponent : EXPONENT_USUAL;
    uint8_t *big = arena_alloc(a, 4);
    for (size_t i = 0; i < 4; i++)
        big[i] = (uint8_t)(v >> (24 - 8 * i));
    struct key_numbers numbers = {.n = modulus, .e = slice_of(big, 4)};
    while (numbers.e.p[0] == 0)
        numbers.e = slice_from(numbers.e, 1);
    return key_from_numbers(a, KEY_RSA, &numbers, key, e) || err_wrap(e, "pubArea");
}

static bool pad(struct arena *a, struct slice in, size_t n, struct slice *out)
{
    if (in.n > n)
        return false;
    uint8_t *p = arena_alloc(a, n);
    if (in.n)
        memcpy(p + (n - in.n), in.p, in.n);
    *out = slice_of(p, n);
    return true;
}

static bool read_ecc(struct arena *a, struct reader *r, const struct key **key, struct err *e)
{
    static const enum key_type CURVES[] = {[3] = KEY_P256, [4] = KEY_P384, [5] = KEY_P521};

    skip_symmetric(r);
    if (!skip_scheme(r))
        return err_set(e, ERR_MALFORMED, "pubArea: unknown ECC scheme");
    unsigned curve = u16(r);
    if (u16(r) != TPM_NULL) /* key derivation */
        (void)take(r, 2);
    struct slice x = sized(r), y = sized(r);
    if (!finish(r, "pubArea", e))
        return false;
    enum key_type type = curve < COUNT_OF(CURVES) ? CURVES[curve] : KEY_NONE;
    if (type == KEY_NONE)
        return err_set(e, ERR_MALFORMED,
                       "pubArea: expected curve P-256, P-384 or P-521, found TPM_ECC_CURVE 0x%04x",
                       curve);
    struct key_numbers numbers = {0};
    if (!pad(a, x, key_field_size(type), &numbers.x) ||
        !pad(a, y, key_field_size(type), &numbers.y))
        return err_set(e, ERR_MALFORMED, "pubArea: a coordinate is too long");
    return key_from_numbers(a, type, &numbers, key, e) || err_wrap(e, "pubArea");
}

bool tpm_public_read(struct arena *a, struct slice in, struct tpm_public *out, struct err *e)
{
    struct reader r = reader_of(in);
    uint16_t type = u16(&r);

    *out = (struct tpm_public){.name_alg_id = u16(&r)};
    out->name_alg = digest_of_id(out->name_alg_id);
    out->attributes = u32(&r);
    (void)sized(&r); /* authPolicy */
    if (r.bad)
        return finish(&r, "pubArea", e);
    if (out->name_alg == DIGEST_NONE)
        return err_set(e, ERR_MALFORMED, "pubArea: unknown nameAlg 0x%04x", out->name_alg_id);
    if (type == TPM_RSA)
        return read_rsa(a, &r, &out->key, e);
    if (type == TPM_ECC)
        return read_ecc(a, &r, &out->key, e);
    return err_set(e, ERR_MALFORMED, "pubArea: expected an RSA or ECC key, found type 0x%04x",
                   type);
}

/* --- Certification ------------------------------------------------------------------------------
 */

#define TPM_GENERATED_VALUE   0xff544347u
#define TPM_ST_ATTEST_CERTIFY 0x8017u
#define CLOCK_AND_FIRMWARE    (8u + 4 + 4 + 1 + 8)

bool tpm_certification_read(struct slice in, struct tpm_certification *out, struct err *e)
{
    struct reader r = reader_of(in);
    uint32_t magic = u32(&r);
    unsigned type = u16(&r);

    if (!r.bad && magic != TPM_GENERATED_VALUE)
        return err_set(e, ERR_MALFORMED, "certInfo: not made by a TPM (magic 0x%08x)", magic);
    if (!r.bad && type != TPM_ST_ATTEST_CERTIFY)
        return err_set(e, ERR_MALFORMED, "certInfo: expected a certification, found type 0x%04x",
                       type);
    (void)sized(&r); /* qualifiedSigner */
    out->extra_data = sized(&r);
    (void)take(&r, CLOCK_AND_FIRMWARE);
    out->name = sized(&r);
    (void)sized(&r); /* qualifiedName */
    return finish(&r, "certInfo", e);
}

/* --- Signature ----------------------------------------------------------------------------------
 */

static bool read_ecdsa(struct arena *a, struct reader *r, struct slice *sig, struct err *e)
{
    struct slice x = sized(r), y = sized(r);
    struct buf b = buf_new(a, 256);
    size_t at;

    if (!finish(r, "sig", e))
        return false;
    if (!x.n || !y.n || x.n > COORDINATE_MAX || y.n > COORDINATE_MAX)
        return err_set(e, ERR_MALFORMED, "sig: expected two numbers of 1 to %u bytes",
                       COORDINATE_MAX);
    der_open(&b, DER_SEQUENCE, &at);
    der_uint(&b, x);
    der_uint(&b, y);
    der_close(&b, at);
    *sig = buf_slice(&b);
    return buf_done(&b, "sig", e);
}

bool tpm_signature_read(struct arena *a, struct slice in, struct tpm_signature *out, struct err *e)
{
    struct reader r = reader_of(in);
    unsigned scheme = u16(&r), hash = u16(&r);

    *out = (struct tpm_signature){.alg.digest = digest_of_id((uint16_t)hash)};
    if (r.bad)
        return finish(&r, "sig", e);
    if (out->alg.digest == DIGEST_NONE)
        return err_set(e, ERR_MALFORMED, "sig: unknown hash 0x%04x", hash);
    if (scheme == TPM_ECDSA) {
        out->alg.scheme = SIG_ECDSA;
        return read_ecdsa(a, &r, &out->sig, e);
    }
    if (scheme != TPM_RSASSA)
        return err_set(e, ERR_MALFORMED, "sig: expected RSASSA or ECDSA, found 0x%04x", scheme);
    out->alg.scheme = SIG_RSA_PKCS1;
    out->sig = sized(&r);
    return finish(&r, "sig", e);
}
