/*
 * Private keys as DER: PKCS#1 (RFC 8017 A.1.2), SEC 1 (RFC 5915) and PKCS#8 (RFC 5958), told apart
 * by what follows the version.  Reading collects the numbers; private_key_from_numbers judges them.
 */
#include "crypto/keyfile_internal.h"
#include "crypto/secret.h"

/* --- Reading ------------------------------------------------------------------------------ */

struct parsed {
    enum key_type type;
    struct key_numbers numbers;
};

static bool unsigned_take(struct der *d, struct slice *number)
{
    bool negative;

    return der_take_integer(d, number, &negative) && !negative;
}

static bool pkcs1_read(struct der seq, struct parsed *out, struct err *e)
{
    struct key_numbers *n = &out->numbers;
    int64_t version;

    out->type = KEY_RSA;
    if (!der_take_int(&seq, &version) || version != 0 || !unsigned_take(&seq, &n->n) ||
        !unsigned_take(&seq, &n->e) || !unsigned_take(&seq, &n->d) || !unsigned_take(&seq, &n->p) ||
        !unsigned_take(&seq, &n->q) || !unsigned_take(&seq, &n->dp) ||
        !unsigned_take(&seq, &n->dq) || !unsigned_take(&seq, &n->qi) || !der_done(&seq))
        return err_set(e, ERR_MALFORMED,
                       "private key: RFC 8017 A.1.2: not an RSAPrivateKey of two primes");
    return true;
}

static bool curve_take(struct der *d, enum key_type *type, struct err *e)
{
    struct slice oid;

    if (!der_take_oid(d, &oid) || !der_done(d))
        return err_set(e, ERR_MALFORMED, "private key: RFC 5480 2.1.1: no named curve");
    *type = key_type_of_curve(oid);
    return *type != KEY_NONE || err_set(e, ERR_MALFORMED, "private key: unsupported curve");
}

/* out->type is the curve when PKCS#8 has told it already, else KEY_NONE. */
static bool sec1_read(struct der seq, struct parsed *out, struct err *e)
{
    struct der params, public_key;
    struct slice point = SLICE_NONE;
    enum key_type type = out->type;
    int64_t version;
    unsigned unused = 0;

    if (!der_take_int(&seq, &version) || version != 1 ||
        !der_take(&seq, DER_OCTET_STRING, &out->numbers.d))
        return err_set(e, ERR_MALFORMED, "private key: RFC 5915 3: not an ECPrivateKey");
    if (der_is(&seq, DER_CONTEXT_CONSTRUCTED(0))) {
        if (!der_enter(&seq, DER_CONTEXT_CONSTRUCTED(0), &params))
            return err_set(e, ERR_MALFORMED, "private key: RFC 5915 3: bad parameters");
        if (!curve_take(&params, &type, e))
            return false;
    }
    if (type == KEY_NONE || (out->type != KEY_NONE && out->type != type))
        return err_set(e, ERR_MALFORMED, "private key: RFC 5915 3: which curve is not told");
    out->type = type;
    if (der_is(&seq, DER_CONTEXT_CONSTRUCTED(1)) &&
        (!der_enter(&seq, DER_CONTEXT_CONSTRUCTED(1), &public_key) ||
         !der_take_bits(&public_key, &point, &unused) || unused || !der_done(&public_key)))
        return err_set(e, ERR_MALFORMED, "private key: RFC 5915 3: bad public key");
    if (!der_done(&seq))
        return err_set(e, ERR_MALFORMED, "private key: RFC 5915 3: more than an ECPrivateKey");
    /* A compressed point is left aside: the point is computed anyway. */
    size_t field = key_field_size(type);
    if (point.n == 1 + 2 * field && point.p[0] == 4) {
        out->numbers.x = slice_sub(point, 1, field);
        out->numbers.y = slice_from(point, 1 + field);
    }
    return true;
}

/* The privateKey of PKCS#8, by algorithm. */
static bool inner_read(struct slice inner, struct der *params, struct parsed *out, struct err *e)
{
    struct der d = der_reader(inner), seq;
    struct slice null = SLICE_NONE;
    bool there;

    if (out->type == KEY_P256 && !curve_take(params, &out->type, e))
        return false;
    if (out->type == KEY_RSA && (!der_optional(params, DER_NULL, &there, &null) || null.n))
        return err_set(e, ERR_MALFORMED, "private key: RFC 3279 2.3.1: parameters are not NULL");
    if (!der_done(params))
        return err_set(e, ERR_MALFORMED, "private key: RFC 5958 2: unexpected parameters");
    if (out->type == KEY_ED25519 || out->type == KEY_X25519) {
        if (!der_take(&d, DER_OCTET_STRING, &out->numbers.d) || !der_done(&d))
            return err_set(e, ERR_MALFORMED, "private key: RFC 8410 7: not a CurvePrivateKey");
        return true;
    }
    if (!der_enter(&d, DER_SEQUENCE, &seq) || !der_done(&d))
        return err_set(e, ERR_MALFORMED, "private key: RFC 5958 2: bad privateKey");
    return out->type == KEY_RSA ? pkcs1_read(seq, out, e) : sec1_read(seq, out, e);
}

static bool pkcs8_read(struct der seq, struct parsed *out, struct err *e)
{
    struct der alg;
    struct slice oid, inner, attributes, public_key;
    bool there;
    int64_t version;

    if (!der_take_int(&seq, &version) || version < 0 || version > 1 ||
        !der_enter(&seq, DER_SEQUENCE, &alg) || !der_take_oid(&alg, &oid) ||
        !der_take(&seq, DER_OCTET_STRING, &inner) ||
        !der_optional(&seq, DER_CONTEXT_CONSTRUCTED(0), &there, &attributes) ||
        !der_optional(&seq, DER_CONTEXT(1), &there, &public_key) || !der_done(&seq))
        return err_set(e, ERR_MALFORMED, "private key: RFC 5958 2: not a OneAsymmetricKey");
    out->type = key_type_of_algorithm(oid);
    if (out->type == KEY_NONE)
        return err_set(e, ERR_MALFORMED, "private key: unsupported algorithm");
    return inner_read(inner, &alg, out, e);
}

static bool der_parse(struct slice der, struct parsed *out, struct err *e)
{
    static const struct {
        uint8_t tag;
        bool (*read)(struct der, struct parsed *, struct err *);
    } AFTER_VERSION[] = {
        {DER_INTEGER, pkcs1_read},
        {DER_OCTET_STRING, sec1_read},
        {DER_SEQUENCE, pkcs8_read},
    };
    struct der d = der_reader(der), seq;
    int64_t version;

    if (!der_enter(&d, DER_SEQUENCE, &seq) || !der_done(&d))
        return err_set(e, ERR_MALFORMED, "private key: not DER");
    struct der after = seq;
    if (!der_take_int(&after, &version))
        return err_set(e, ERR_MALFORMED, "private key: no version");
    for (size_t i = 0; i < COUNT_OF(AFTER_VERSION); i++) {
        if (der_is(&after, AFTER_VERSION[i].tag))
            return AFTER_VERSION[i].read(seq, out, e);
    }
    return err_set(e, ERR_MALFORMED, "private key: neither PKCS#1, SEC 1 nor PKCS#8");
}

bool private_key_from_der(struct arena *a, struct slice der, struct private_key **key,
                          struct err *e)
{
    struct parsed p = {0};

    return der_parse(der, &p, e) && private_key_from_numbers(a, p.type, &p.numbers, key, e);
}

/* --- Writing ------------------------------------------------------------------------------ */

static void pkcs1_put(struct buf *b, const struct key_numbers *n)
{
    const struct slice all[] = {n->n, n->e, n->d, n->p, n->q, n->dp, n->dq, n->qi};
    size_t at;

    der_open(b, DER_SEQUENCE, &at);
    der_int(b, 0);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        der_uint(b, all[i]);
    der_close(b, at);
}

/* Inside PKCS#8 the curve stands outside (RFC 5958 leaves it to both; the field's tools omit it
 * here). */
static void sec1_put(struct buf *b, const struct private_key *k, const struct key_numbers *n,
                     bool with_curve)
{
    size_t at, tagged;

    der_open(b, DER_SEQUENCE, &at);
    der_int(b, 1);
    der_octets(b, n->d);
    if (with_curve) {
        der_open(b, DER_CONTEXT_CONSTRUCTED(0), &tagged);
        der_oid(b, &key_info(k->public_key->type)->named_curve);
        der_close(b, tagged);
    }
    der_open(b, DER_CONTEXT_CONSTRUCTED(1), &tagged);
    der_bits(b, k->public_key->point);
    der_close(b, tagged);
    der_close(b, at);
}

static void pkcs8_put(struct buf *b, const struct private_key *k, const struct key_numbers *n)
{
    size_t at, inner;

    der_open(b, DER_SEQUENCE, &at);
    der_int(b, 0);
    key_put_algorithm(b, k->public_key->type);
    der_open(b, DER_OCTET_STRING, &inner);
    if (k->public_key->type == KEY_RSA)
        pkcs1_put(b, n);
    else if (key_is_ec(k->public_key))
        sec1_put(b, k, n, false);
    else
        der_octets(b, n->d);
    der_close(b, inner);
    der_close(b, at);
}

static bool is_traditional(const struct private_key *k, enum key_encoding form)
{
    return form == KEY_TRADITIONAL && (k->public_key->type == KEY_RSA || key_is_ec(k->public_key));
}

bool private_key_der(struct arena *a, const struct private_key *k, enum key_encoding form,
                     struct slice *der, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct buf b = buf_new(secrets, KEYFILE_DER_MAX);
    struct key_numbers n;

    if (!private_key_numbers(secrets, k, &n, e))
        return false;
    if (!is_traditional(k, form))
        pkcs8_put(&b, k, &n);
    else if (k->public_key->type == KEY_RSA)
        pkcs1_put(&b, &n);
    else
        sec1_put(&b, k, &n, true);
    if (!buf_done(&b, "private key", e))
        return false;
    *der = arena_copy(a, buf_slice(&b));
    return true;
}

/* The text is made among secrets and copied at the end, so that a does not keep what the growing
 * buffer left behind. */
static bool pem_of(struct arena *a, struct arena *secrets, const char *label, struct slice der,
                   struct slice *pem, struct err *e)
{
    struct buf b = buf_new(secrets, 2 * KEYFILE_DER_MAX);

    pem_put(&b, label, der);
    if (!buf_done(&b, "private key", e))
        return false;
    *pem = arena_copy(a, buf_slice(&b));
    return true;
}

bool private_key_pem(struct arena *a, const struct private_key *k, enum key_encoding form,
                     struct slice *pem, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    const char *label = "PRIVATE KEY";
    struct slice der;

    if (is_traditional(k, form))
        label = k->public_key->type == KEY_RSA ? "RSA PRIVATE KEY" : "EC PRIVATE KEY";
    return private_key_der(secrets, k, form, &der, e) && pem_of(a, secrets, label, der, pem, e);
}

bool private_key_pem_encrypted(struct arena *a, const struct private_key *k, struct slice password,
                               struct slice *pem, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct slice der, sealed;

    if (!password.n)
        return err_set(e, ERR_MALFORMED, "private key: the password is empty");
    return private_key_der(secrets, k, KEY_PKCS8, &der, e) &&
           pbes2_seal(secrets, der, password, &sealed, e) &&
           pem_of(a, secrets, "ENCRYPTED PRIVATE KEY", sealed, pem, e);
}
