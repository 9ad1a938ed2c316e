/*
 * Public keys.  A SubjectPublicKeyInfo is read by our own DER reader and handed to libcrypto as
 * a point: its generic decoder would take 90 µs where this takes 7.
 *
 * The subjectPublicKey of every accepted key has one encoding only (uncompressed points, DER of
 * RSA), so two keys are equal when type and point are.
 */
#include "crypto/key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <pthread.h>

#include "crypto/key_internal.h"

#define SPKI_MAX (8u << 10)

struct slice number_trim(struct slice s)
{
    while (s.n && s.p[0] == 0)
        s = slice_from(s, 1);
    return s;
}

bool number_pad(struct arena *a, struct slice s, size_t n, struct slice *out)
{
    s = number_trim(s);
    if (s.n > n)
        return false;
    uint8_t *p = arena_alloc(a, n);
    if (s.n)
        memcpy(p + n - s.n, s.p, s.n);
    *out = slice_of(p, n);
    return true;
}

static void undo_evp(void *p)
{
    EVP_PKEY_free(p);
}

void key_keep(struct arena *a, EVP_PKEY *evp)
{
    arena_defer(a, undo_evp, evp);
}

void key_put_algorithm(struct buf *b, enum key_type t)
{
    const struct key_info *info = key_info(t);
    size_t at;

    der_open(b, DER_SEQUENCE, &at);
    der_oid(b, &info->algorithm);
    if (t == KEY_RSA)
        der_null(b);
    if (info->named_curve.n)
        der_oid(b, &info->named_curve);
    der_close(b, at);
}

struct slice key_spki_of_point(struct arena *a, enum key_type t, struct slice point)
{
    struct buf b = buf_new(a, point.n + 64);
    size_t at;

    der_open(&b, DER_SEQUENCE, &at);
    key_put_algorithm(&b, t);
    der_bits(&b, point);
    der_close(&b, at);
    return buf_slice(&b);
}

/* --- Reading ------------------------------------------------------------------------------ */

/* RFC 5280 4.1: the outer structure.  The algorithm's parameters must be the ones of its type. */
static bool spki_parse(struct slice spki, enum key_type *type, struct slice *point, struct err *e)
{
    struct der d = der_reader(spki), seq, alg;
    struct slice oid, curve, null;
    unsigned unused;

    if (!der_enter(&d, DER_SEQUENCE, &seq) || !der_done(&d) ||
        !der_enter(&seq, DER_SEQUENCE, &alg) || !der_take_oid(&alg, &oid))
        return err_set(e, ERR_MALFORMED, "public key: RFC 5280 4.1: not a SubjectPublicKeyInfo");
    *type = key_type_of_algorithm(oid);
    if (*type == KEY_NONE)
        return err_set(e, ERR_MALFORMED, "public key: unsupported algorithm");
    if (*type == KEY_P256) {
        if (!der_take_oid(&alg, &curve))
            return err_set(e, ERR_MALFORMED, "public key: RFC 5480 2.1.1: no named curve");
        *type = key_type_of_curve(curve);
        if (*type == KEY_NONE)
            return err_set(e, ERR_MALFORMED, "public key: unsupported curve");
    } else if (*type == KEY_RSA && (!der_take(&alg, DER_NULL, &null) || null.n)) {
        return err_set(e, ERR_MALFORMED, "public key: RFC 3279 2.3.1: parameters are not NULL");
    }
    if (!der_done(&alg))
        return err_set(e, ERR_MALFORMED, "public key: unexpected algorithm parameters");
    if (!der_take_bits(&seq, point, &unused) || unused || !der_done(&seq))
        return err_set(e, ERR_MALFORMED, "public key: RFC 5280 4.1: bad subjectPublicKey");
    return true;
}

static bool rsa_number_valid(struct der *seq, struct slice *n)
{
    bool negative;

    return der_take_integer(seq, n, &negative) && !negative && n->n && n->p[n->n - 1] & 1;
}

static unsigned bit_length(struct slice magnitude)
{
    if (!magnitude.n)
        return 0;
    unsigned top = 8;
    while (!(magnitude.p[0] >> (top - 1)))
        top--;
    return (unsigned)(magnitude.n - 1) * 8 + top;
}

/* RFC 8017 A.1.1. */
static bool rsa_parse(struct slice point, struct slice *n, struct slice *exponent, struct err *e)
{
    struct der d = der_reader(point), seq;

    if (!der_enter(&d, DER_SEQUENCE, &seq) || !der_done(&d) || !rsa_number_valid(&seq, n) ||
        !rsa_number_valid(&seq, exponent) || !der_done(&seq))
        return err_set(e, ERR_MALFORMED,
                       "public key: RFC 8017 A.1.1: not an RSAPublicKey of two odd numbers");
    unsigned bits = bit_length(*n);
    if (n->n > RSA_BYTES_MAX || bits < RSA_BITS_MIN)
        return err_set(e, ERR_MALFORMED, "public key: RSA modulus of %u bits, not %u to %u", bits,
                       RSA_BITS_MIN, RSA_BITS_MAX);
    if (exponent->n > RSA_EXPONENT_MAX || (exponent->n == 1 && exponent->p[0] < 3))
        return err_set(e, ERR_MALFORMED, "public key: RSA exponent not between 3 and 2^64");
    return true;
}

/* --- To libcrypto ------------------------------------------------------------------------- */

static EVP_PKEY *from_params(const char *name, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, name, NULL);
    EVP_PKEY *evp = NULL;

    if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        evp = NULL;
    EVP_PKEY_CTX_free(ctx);
    return evp;
}

/* One key without a point for each curve: a copy of it costs a quarter of what making the group
 * anew does.  They stay until the process ends. */
static EVP_PKEY *curves[KEY_TYPES];
static pthread_once_t curves_once = PTHREAD_ONCE_INIT;

static EVP_PKEY *curve_alone(const char *group)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *evp = NULL;

    if (!ctx || EVP_PKEY_paramgen_init(ctx) <= 0 || EVP_PKEY_CTX_set_group_name(ctx, group) <= 0 ||
        EVP_PKEY_paramgen(ctx, &evp) <= 0)
        evp = NULL;
    EVP_PKEY_CTX_free(ctx);
    return evp;
}

static void make_curves(void)
{
    for (int t = 0; t < KEY_TYPES; t++) {
        const struct key_info *info = key_info((enum key_type)t);
        if (info && info->ossl_group)
            curves[t] = curve_alone(info->ossl_group);
    }
}

/* The point must lie on the curve: libcrypto checks. */
static EVP_PKEY *ec_evp(enum key_type type, struct slice point)
{
    EVP_PKEY *evp;

    pthread_once(&curves_once, make_curves);
    evp = curves[type] ? EVP_PKEY_dup(curves[type]) : NULL;
    if (evp && EVP_PKEY_set1_encoded_public_key(evp, point.p, point.n) == 1)
        return evp;
    EVP_PKEY_free(evp);
    return NULL;
}

/* libcrypto's parameters hold numbers in the machine's order. */
static void native_order(uint8_t *to, struct slice big_endian)
{
    for (size_t i = 0; i < big_endian.n; i++) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        to[i] = big_endian.p[big_endian.n - 1 - i];
#else
        to[i] = big_endian.p[i];
#endif
    }
}

static EVP_PKEY *rsa_evp(struct slice n, struct slice exponent)
{
    uint8_t n_native[RSA_BYTES_MAX], e_native[RSA_EXPONENT_MAX];

    native_order(n_native, n);
    native_order(e_native, exponent);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, n_native, n.n),
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_E, e_native, exponent.n),
        OSSL_PARAM_construct_end(),
    };
    return from_params("RSA", params);
}

static bool evp_of_point(struct key *k, struct err *e)
{
    const struct key_info *info = key_info(k->type);
    struct slice n, exponent;

    k->bits = info->bits;
    if (k->type == KEY_RSA) {
        if (!rsa_parse(k->point, &n, &exponent, e))
            return false;
        k->bits = bit_length(n);
        k->evp = rsa_evp(n, exponent);
    } else if (key_is_ec(k)) {
        if (k->point.n != 2 * (size_t)info->field + 1 || k->point.p[0] != 4)
            return err_set(e, ERR_MALFORMED,
                           "public key: RFC 5480 2.2: not an uncompressed point of %s",
                           info->curve);
        k->evp = ec_evp(k->type, k->point);
    } else {
        if (k->point.n != info->field)
            return err_set(e, ERR_MALFORMED, "public key: RFC 8410 4: %s has %u bytes, not %zu",
                           info->curve, info->field, k->point.n);
        k->evp =
            EVP_PKEY_new_raw_public_key_ex(NULL, info->ossl_name, NULL, k->point.p, k->point.n);
    }
    return k->evp || ossl_fail(e, ERR_MALFORMED, "public key");
}

bool key_from_spki(struct arena *a, struct slice spki, const struct key **key, struct err *e)
{
    uint8_t sha1[DIGEST_MAX];
    struct slice point;
    enum key_type type = KEY_NONE;

    if (spki.n > SPKI_MAX)
        return err_set(e, ERR_MALFORMED, "public key: more than %u bytes", SPKI_MAX);
    if (!spki_parse(spki, &type, &point, e))
        return false;
    struct key *k = arena_alloc(a, sizeof(*k));
    k->type = type;
    k->spki = arena_copy(a, spki);
    k->point = slice_from(k->spki, (size_t)(point.p - spki.p));
    if (!evp_of_point(k, e))
        return false;
    key_keep(a, k->evp);
    k->spare = key_spare_new(a, k->type);
    digest_of(DIGEST_SHA1, k->point, sha1);
    memcpy(k->ski, sha1, sizeof(k->ski));
    *key = k;
    return true;
}

bool key_eq(const struct key *a, const struct key *b)
{
    return a->type == b->type && slice_eq(a->point, b->point);
}

/* --- Numbers ------------------------------------------------------------------------------ */

bool key_numbers(struct arena *a UNUSED, const struct key *k, struct key_numbers *out,
                 struct err *e)
{
    size_t field = key_field_size(k->type);

    *out = (struct key_numbers){0};
    if (k->type == KEY_RSA)
        return rsa_parse(k->point, &out->n, &out->e, e);
    if (key_is_ec(k)) {
        out->x = slice_sub(k->point, 1, field);
        out->y = slice_from(k->point, 1 + field);
        return true;
    }
    out->x = k->point;
    return true;
}

static bool ec_point(struct arena *a, enum key_type type, const struct key_numbers *in,
                     struct slice *point, struct err *e)
{
    size_t field = key_field_size(type);
    struct buf b = buf_new(a, 1 + 2 * field);
    struct slice x, y;

    if (!in->x.n || !in->y.n || !number_pad(a, in->x, field, &x) ||
        !number_pad(a, in->y, field, &y))
        return err_set(e, ERR_MALFORMED, "public key: coordinates of %s have %zu bytes",
                       key_curve_name(type), field);
    buf_byte(&b, 4);
    buf_put(&b, x);
    buf_put(&b, y);
    *point = buf_slice(&b);
    return true;
}

static struct slice rsa_point(struct arena *a, const struct key_numbers *in)
{
    struct buf b = buf_new(a, in->n.n + in->e.n + 32);
    size_t at;

    der_open(&b, DER_SEQUENCE, &at);
    der_uint(&b, in->n);
    der_uint(&b, in->e);
    der_close(&b, at);
    return buf_slice(&b);
}

bool key_from_numbers(struct arena *a, enum key_type type, const struct key_numbers *in,
                      const struct key **key, struct err *e)
{
    struct slice point = in->x;

    if (type == KEY_NONE || type >= KEY_TYPES)
        return err_set(e, ERR_MALFORMED, "public key: unknown type");
    if (type == KEY_RSA)
        point = rsa_point(a, in);
    else if (key_info(type)->ossl_group && !ec_point(a, type, in, &point, e))
        return false;
    return key_from_spki(a, key_spki_of_point(a, type, point), key, e);
}
