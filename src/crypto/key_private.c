/*
 * Private keys: made, taken apart into numbers and put together again.  Numbers that come from a
 * file are checked against each other before they become a key (the public point is computed from
 * the private number, the RSA factors must multiply to the modulus), so a damaged file is refused
 * at load and not found out by a signature that nobody can verify.
 *
 * Numbers live in secret BIGNUMs meanwhile; struct numbers owns all of them.
 */
#include "crypto/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "crypto/key_internal.h"
#include "crypto/secret.h"

#define RSA_GENERATE_BITS_MIN 1024u
#define FACTOR_ATTEMPTS       32u /* each finds the factors with at least even odds */

/* --- Parts -------------------------------------------------------------------------------- */

static void bn_cleanup(BIGNUM **bn)
{
    BN_clear_free(*bn);
}

/* A secret number; empty is 0. */
static BIGNUM *bn_secret(struct slice s)
{
    BIGNUM *bn = BN_secure_new();

    if (!bn || !BN_bin2bn(s.n ? s.p : (const uint8_t *)"", (int)s.n, bn))
        ossl_die("BN_bin2bn");
    BN_set_flags(bn, BN_FLG_CONSTTIME);
    return bn;
}

/* A parameter of the key, n octets; n = 0: as many as it has. */
static bool number_of(struct arena *a, EVP_PKEY *evp, const char *param, size_t n,
                      struct slice *out, struct err *e)
{
    CLEANUP(bn_cleanup) BIGNUM *bn = BN_secure_new();

    if (!bn || !EVP_PKEY_get_bn_param(evp, param, &bn))
        return ossl_fail(e, ERR_INTERNAL, "private key");
    size_t size = n ? n : (size_t)BN_num_bytes(bn);
    uint8_t *p = arena_alloc(a, size);
    if (BN_bn2binpad(bn, p, (int)size) < 0)
        return ossl_fail(e, ERR_INTERNAL, "private key");
    *out = slice_of(p, size);
    return true;
}

static bool public_numbers(struct arena *a, enum key_type t, EVP_PKEY *evp, struct key_numbers *out,
                           struct err *e)
{
    size_t field = key_field_size(t);

    if (t == KEY_RSA)
        return number_of(a, evp, OSSL_PKEY_PARAM_RSA_N, 0, &out->n, e) &&
               number_of(a, evp, OSSL_PKEY_PARAM_RSA_E, 0, &out->e, e);
    if (key_info(t)->ossl_group)
        return number_of(a, evp, OSSL_PKEY_PARAM_EC_PUB_X, field, &out->x, e) &&
               number_of(a, evp, OSSL_PKEY_PARAM_EC_PUB_Y, field, &out->y, e);
    uint8_t *p = arena_alloc(a, field);
    out->x = slice_of(p, field);
    return EVP_PKEY_get_raw_public_key(evp, p, &field) > 0 ||
           ossl_fail(e, ERR_INTERNAL, "private key");
}

bool private_key_of_evp(struct arena *a, enum key_type t, EVP_PKEY *evp, struct private_key **key,
                        struct err *e)
{
    struct private_key *k = arena_alloc(a, sizeof(*k));
    struct key_numbers numbers = {0};

    k->evp = evp;
    key_keep(a, evp);
    k->spare = key_spare_new(a, t);
    if (!public_numbers(a, t, evp, &numbers, e) ||
        !key_from_numbers(a, t, &numbers, &k->public_key, e))
        return err_wrap(e, "private key");
    *key = k;
    return true;
}

bool private_key_generate(struct arena *a, enum key_type type, unsigned bits,
                          struct private_key **key, struct err *e)
{
    const struct key_info *info = key_info(type);
    EVP_PKEY *evp;

    if (!info->ossl_name)
        return err_set(e, ERR_INTERNAL, "private key: unknown type");
    if (type == KEY_RSA && (bits < RSA_GENERATE_BITS_MIN || bits > RSA_BITS_MAX))
        return err_set(e, ERR_MALFORMED, "RSA keys are made with %u to %u bits, not %u",
                       RSA_GENERATE_BITS_MIN, RSA_BITS_MAX, bits);
    if (type == KEY_RSA)
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
    else if (info->ossl_group)
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", info->ossl_group);
    else
        evp = EVP_PKEY_Q_keygen(NULL, NULL, info->ossl_name);
    if (!evp)
        return ossl_fail(e, ERR_INTERNAL, "private key: generation");
    return private_key_of_evp(a, type, evp, key, e);
}

bool private_key_numbers(struct arena *a, const struct private_key *k, struct key_numbers *out,
                         struct err *e)
{
    static const struct {
        const char *param;
        size_t at;
    } RSA[] = {
        {OSSL_PKEY_PARAM_RSA_D, offsetof(struct key_numbers, d)},
        {OSSL_PKEY_PARAM_RSA_FACTOR1, offsetof(struct key_numbers, p)},
        {OSSL_PKEY_PARAM_RSA_FACTOR2, offsetof(struct key_numbers, q)},
        {OSSL_PKEY_PARAM_RSA_EXPONENT1, offsetof(struct key_numbers, dp)},
        {OSSL_PKEY_PARAM_RSA_EXPONENT2, offsetof(struct key_numbers, dq)},
        {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, offsetof(struct key_numbers, qi)},
    };
    enum key_type t = k->public_key->type;
    size_t field = key_field_size(t);

    if (!key_numbers(a, k->public_key, out, e))
        return false;
    if (key_info(t)->ossl_group)
        return number_of(a, k->evp, OSSL_PKEY_PARAM_PRIV_KEY, field, &out->d, e);
    for (size_t i = 0; t == KEY_RSA && i < COUNT_OF(RSA); i++) {
        struct slice *to = (struct slice *)((uint8_t *)out + RSA[i].at);
        if (!number_of(a, k->evp, RSA[i].param, 0, to, e))
            return false;
    }
    if (t == KEY_RSA)
        return true;
    uint8_t *p = arena_alloc(a, field);
    out->d = slice_of(p, field);
    return EVP_PKEY_get_raw_private_key(k->evp, p, &field) > 0 ||
           ossl_fail(e, ERR_INTERNAL, "private key");
}

/* --- Putting together --------------------------------------------------------------------- */

static EVP_PKEY *pair_of(const char *name, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, name, NULL);
    EVP_PKEY *evp = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_KEYPAIR, params) <= 0)
        evp = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return evp;
}

/* The uncompressed point d * G; d is 1 .. order - 1. */
static bool ec_point_of(const struct key_info *info, const BIGNUM *d, uint8_t *point, size_t n)
{
    EC_GROUP *group =
        EC_GROUP_new_by_curve_name_ex(NULL, NULL, EC_curve_nist2nid(info->ossl_group));
    bool done = false;

    if (!group)
        return false;
    EC_POINT *q = EC_POINT_new(group);
    if (q && EC_POINT_mul(group, q, d, NULL, NULL, NULL))
        done = EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED, point, n, NULL) == n;
    EC_POINT_clear_free(q);
    EC_GROUP_free(group);
    return done;
}

static bool ec_private(struct arena *a, enum key_type type, const struct key_numbers *in,
                       EVP_PKEY **evp, struct err *e)
{
    const struct key_info *info = key_info(type);
    size_t field = info->field, n = 1 + 2 * field;
    uint8_t point[1 + 2 * EC_FIELD_MAX];
    struct slice d, x, y;

    if (!number_trim(in->d).n || !number_pad(a, in->d, field, &d) || slice_cmp(d, info->order) >= 0)
        return err_set(e, ERR_MALFORMED,
                       "private key: RFC 5915 3: not a number from 1 to the order of %s",
                       info->curve);
    CLEANUP(bn_cleanup) BIGNUM *bn = bn_secret(d);
    if (!ec_point_of(info, bn, point, n))
        return ossl_fail(e, ERR_INTERNAL, "private key: EC_POINT_mul");
    if (in->x.p && (!number_pad(a, in->x, field, &x) || !number_pad(a, in->y, field, &y) ||
                    !slice_eq(x, slice_of(point + 1, field)) ||
                    !slice_eq(y, slice_of(point + 1 + field, field))))
        return err_set(e, ERR_MALFORMED, "private key: the public key belongs to another one");
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (build &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, info->ossl_group, 0) &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, n) &&
        OSSL_PARAM_BLD_push_BN_pad(build, OSSL_PKEY_PARAM_PRIV_KEY, bn, field))
        *evp = pair_of("EC", build);
    OSSL_PARAM_BLD_free(build);
    return *evp || ossl_fail(e, ERR_INTERNAL, "private key");
}

static bool edwards_private(enum key_type type, const struct key_numbers *in, EVP_PKEY **evp,
                            struct err *e)
{
    const struct key_info *info = key_info(type);
    uint8_t x[32];
    size_t n = sizeof(x);

    if (in->d.n != info->field)
        return err_set(e, ERR_MALFORMED, "private key: RFC 8410 7: %s has %u bytes, not %zu",
                       info->curve, info->field, in->d.n);
    *evp = EVP_PKEY_new_raw_private_key_ex(NULL, info->ossl_name, NULL, in->d.p, in->d.n);
    if (!*evp || EVP_PKEY_get_raw_public_key(*evp, x, &n) <= 0)
        return ossl_fail(e, ERR_INTERNAL, "private key");
    if (in->x.p && !slice_eq(in->x, slice_of(x, n)))
        return err_set(e, ERR_MALFORMED, "private key: the public key belongs to another one");
    return true;
}

/* --- RSA ---------------------------------------------------------------------------------- */

struct rsa {
    BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qi;
    BIGNUM *p1, *q1, *product; /* p - 1, q - 1 */
    BN_CTX *ctx;
};

static void rsa_cleanup(struct rsa *r)
{
    BIGNUM *all[] = {r->n, r->e, r->d, r->p, r->q, r->dp, r->dq, r->qi, r->p1, r->q1, r->product};

    for (size_t i = 0; i < COUNT_OF(all); i++)
        BN_clear_free(all[i]);
    BN_CTX_free(r->ctx);
}

/* One attempt of NIST SP 800-56B C.1 with base g: y = g^r, squared t times, passes through a
 * square root of 1 that is neither 1 nor -1 for at least half of all bases. */
static bool factor_with(struct rsa *r, BN_ULONG g, const BIGNUM *odd, int t, BIGNUM *y, BIGNUM *z)
{
    if (!BN_set_word(y, g) || !BN_mod_exp(y, y, odd, r->n, r->ctx))
        return false;
    if (BN_is_one(y))
        return false;
    for (int i = 0; i < t; i++) {
        if (!BN_mod_sqr(z, y, r->n, r->ctx))
            return false;
        if (!BN_is_one(z)) {
            if (!BN_copy(y, z))
                return false;
            continue;
        }
        return BN_sub_word(y, 1) && BN_gcd(r->p, y, r->n, r->ctx) && !BN_is_one(r->p) &&
               BN_cmp(r->p, r->n) != 0 && BN_div(r->q, NULL, r->n, r->p, r->ctx);
    }
    return false;
}

/* The factors of n from e and d.  False as well when d is not an inverse of e at all. */
static bool rsa_factor(struct rsa *r)
{
    CLEANUP(bn_cleanup) BIGNUM *odd = BN_secure_new();
    CLEANUP(bn_cleanup) BIGNUM *y = BN_secure_new();
    CLEANUP(bn_cleanup) BIGNUM *z = BN_secure_new();
    int t = 0;

    if (!odd || !y || !z || !BN_mul(odd, r->d, r->e, r->ctx) || !BN_sub_word(odd, 1) ||
        BN_is_zero(odd))
        return false;
    while (!BN_is_bit_set(odd, t))
        t++;
    if (!t || !BN_rshift(odd, odd, t))
        return false;
    for (BN_ULONG g = 2; g < 2 + FACTOR_ATTEMPTS; g++) {
        if (factor_with(r, g, odd, t, y, z))
            return BN_cmp(r->p, r->q) > 0 || (BN_swap(r->p, r->q), true);
    }
    return false;
}

/* n = p q, and d inverts e modulo prime - 1. */
static bool rsa_exponent_fits(struct rsa *r, const BIGNUM *prime_1, BIGNUM *exponent)
{
    return BN_mod(exponent, r->d, prime_1, r->ctx) &&
           BN_mod_mul(r->product, exponent, r->e, prime_1, r->ctx) && BN_is_one(r->product);
}

static bool rsa_complete(struct rsa *r)
{
    if (BN_is_zero(r->p) && !rsa_factor(r))
        return false;
    if (!BN_mul(r->product, r->p, r->q, r->ctx) || BN_cmp(r->product, r->n) != 0 ||
        BN_num_bits(r->p) < 2 || BN_num_bits(r->q) < 2)
        return false;
    if (!BN_copy(r->p1, r->p) || !BN_sub_word(r->p1, 1) || !BN_copy(r->q1, r->q) ||
        !BN_sub_word(r->q1, 1))
        return false;
    return rsa_exponent_fits(r, r->p1, r->dp) && rsa_exponent_fits(r, r->q1, r->dq) &&
           BN_mod_inverse(r->qi, r->q, r->p, r->ctx);
}

static bool rsa_push(OSSL_PARAM_BLD *build, const struct rsa *r)
{
    return OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, r->n) &&
           OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, r->e) &&
           OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_D, r->d) &&
           OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_FACTOR1, r->p) &&
           OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_FACTOR2, r->q) &&
           OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_EXPONENT1, r->dp) &&
           OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_EXPONENT2, r->dq) &&
           OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, r->qi);
}

static bool rsa_private(struct arena *a, const struct key_numbers *in, EVP_PKEY **evp,
                        struct err *e)
{
    const struct key *checked;

    /* Bounds of modulus and exponent, before any arithmetic. */
    if (!key_from_numbers(a, KEY_RSA, in, &checked, e))
        return false;
    if (!in->d.n || in->d.n > RSA_BYTES_MAX || in->p.n > RSA_BYTES_MAX || in->q.n > RSA_BYTES_MAX ||
        !in->p.n != !in->q.n)
        return err_set(e, ERR_MALFORMED, "private key: RFC 8017 3.2: parts are missing");
    CLEANUP(rsa_cleanup)
    struct rsa r = {
        bn_secret(in->n), bn_secret(in->e), bn_secret(in->d), bn_secret(in->p),
        bn_secret(in->q), BN_secure_new(),  BN_secure_new(),  BN_secure_new(),
        BN_secure_new(),  BN_secure_new(),  BN_secure_new(),  BN_CTX_secure_new(),
    };
    if (!r.dp || !r.dq || !r.qi || !r.p1 || !r.q1 || !r.product || !r.ctx)
        return ossl_fail(e, ERR_INTERNAL, "private key: no secret memory");
    if (!rsa_complete(&r))
        return ossl_fail(e, ERR_MALFORMED,
                         "private key: RFC 8017 3.2: the RSA numbers do not belong together");
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (build && rsa_push(build, &r))
        *evp = pair_of("RSA", build);
    OSSL_PARAM_BLD_free(build);
    return *evp || ossl_fail(e, ERR_INTERNAL, "private key");
}

bool private_key_from_numbers(struct arena *a, enum key_type type, const struct key_numbers *in,
                              struct private_key **key, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *work = arena_new(&HEAP_SECRET);
    EVP_PKEY *evp = NULL;
    bool good;

    if (type == KEY_NONE || type >= KEY_TYPES)
        return err_set(e, ERR_MALFORMED, "private key: unknown type");
    if (type == KEY_RSA)
        good = rsa_private(work, in, &evp, e);
    else if (key_info(type)->ossl_group)
        good = ec_private(work, type, in, &evp, e);
    else
        good = edwards_private(type, in, &evp, e);
    if (!good) {
        EVP_PKEY_free(evp);
        return false;
    }
    return private_key_of_evp(a, type, evp, key, e);
}
