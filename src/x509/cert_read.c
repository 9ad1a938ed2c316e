/*
 * Reading certificates (RFC 5280 4.1): one function a field, in the order of the ASN.1 module.
 * The certificate keeps its own copy of the DER and everything else points into it.  Extensions
 * that decide something (key usage, names, key identifiers…) are decoded here and a bad one makes
 * the certificate bad; all others are left to who asks for them.
 */
#include "x509/cert.h"
#include "x509/sigalg.h"

#define SERIAL_OCTETS_MAX 64
#define EKU_MAX           64

static bool bad(struct err *e, const char *field, const char *expected, const char *section)
{
    return err_set(e, ERR_MALFORMED, "certificate: %s: expected %s (RFC 5280 %s)", field, expected,
                   section);
}

/* --- Fields of TBSCertificate --------------------------------------------------------------- */

static bool version_take(struct der *tbs, struct cert *c, struct err *e)
{
    struct der inside;
    int64_t v;

    c->version = 1;
    if (!der_is(tbs, DER_CONTEXT_CONSTRUCTED(0)))
        return true;
    if (!der_enter(tbs, DER_CONTEXT_CONSTRUCTED(0), &inside) || !der_take_int(&inside, &v) ||
        !der_done(&inside) || v < 0 || v > 2)
        return bad(e, "version", "v1, v2 or v3", "4.1.2.1");
    c->version = (int)v + 1;
    return true;
}

static bool serial_take(struct der *tbs, struct cert *c, struct err *e)
{
    bool negative;

    if (!der_take_integer(tbs, &c->serial, &negative))
        return bad(e, "serial number", "an INTEGER", "4.1.2.2");
    if (negative || c->serial.n > SERIAL_OCTETS_MAX)
        return bad(e, "serial number", "a positive number of at most 20 octets", "4.1.2.2");
    if (!c->serial.n)
        c->serial = SLICE("\0");
    return true;
}

static bool inner_algorithm_take(struct der *tbs, const struct signed_object *o, struct err *e)
{
    struct sig_alg alg;
    struct slice oid, whole;

    if (!sig_alg_take(tbs, &oid, &alg, &whole))
        return bad(e, "signature", "an AlgorithmIdentifier", "4.1.2.3");
    if (!slice_eq(whole, o->algorithm))
        return bad(e, "signature", "the algorithm that stands outside", "4.1.1.2");
    return true;
}

static bool name_take(struct arena *a, struct der *tbs, const char *field, struct dn *dn,
                      struct err *e)
{
    struct slice whole;

    if (!der_is(tbs, DER_SEQUENCE) || !der_next(tbs, NULL, NULL, &whole))
        return bad(e, field, "a Name", "4.1.2.4");
    return dn_read(a, whole, dn, e) || err_wrap(e, "certificate: %s", field);
}

static bool validity_take(struct der *tbs, struct cert *c, struct err *e)
{
    struct der inside;

    if (!der_enter(tbs, DER_SEQUENCE, &inside) || !der_take_time(&inside, &c->not_before) ||
        !der_take_time(&inside, &c->not_after) || !der_done(&inside))
        return bad(e, "validity", "two times in UTC with seconds", "4.1.2.5");
    return true;
}

static bool key_take(struct arena *a, struct der *tbs, struct cert *c, struct err *e)
{
    if (!der_is(tbs, DER_SEQUENCE) || !der_next(tbs, NULL, NULL, &c->spki) ||
        !spki_shape(c->spki, NULL, NULL))
        return bad(e, "subjectPublicKeyInfo", "an algorithm and a key", "4.1.2.7");
    if (!key_from_spki(a, c->spki, &c->key, NULL))
        c->key = NULL;
    return true;
}

/* issuerUniqueID [1], subjectUniqueID [2]: skipped. */
static bool unique_ids_skip(struct der *tbs, const struct cert *c, struct err *e)
{
    for (uint8_t i = 1; i <= 2; i++) {
        struct slice content;
        bool there;
        if (!der_optional(tbs, DER_CONTEXT(i), &there, &content))
            return bad(e, "unique identifier", "a BIT STRING", "4.1.2.8");
        if (!there)
            continue;
        if (c->version == 1 || !content.n || content.p[0] > 7 || (content.n == 1 && content.p[0]))
            return bad(e, "unique identifier", "a BIT STRING of v2 or v3", "4.1.2.8");
    }
    return true;
}

static bool extensions_take(struct arena *a, struct der *tbs, struct cert *c, struct err *e)
{
    struct slice content;

    if (!der_is(tbs, DER_CONTEXT_CONSTRUCTED(3)))
        return true;
    if (c->version != 3 || !der_take(tbs, DER_CONTEXT_CONSTRUCTED(3), &content))
        return bad(e, "extensions", "them in v3 only", "4.1.2.9");
    return extensions_read(a, content, &c->extensions, e) || err_wrap(e, "certificate");
}

/* --- Extensions that decide --------------------------------------------------------------- */

static bool key_usage_read(struct arena *a, struct cert *c, struct slice value, struct err *e)
{
    struct der d = der_reader(value);

    (void)a;
    c->has_key_usage = true;
    return (der_take_named_bits(&d, &c->key_usage) && der_done(&d)) ||
           bad(e, "key usage", "a BIT STRING", "4.2.1.3");
}

static bool eku_read(struct arena *a, struct cert *c, struct slice value, struct err *e)
{
    struct der outer = der_reader(value), list, count;
    size_t n = 0;

    c->has_eku = true;
    if (!der_enter(&outer, DER_SEQUENCE, &list) || !der_done(&outer))
        return bad(e, "extended key usage", "a SEQUENCE", "4.2.1.12");
    for (count = list; der_next(&count, NULL, NULL, NULL); n++)
        ;
    if (!n || n > EKU_MAX)
        return bad(e, "extended key usage", "1 to 64 purposes", "4.2.1.12");
    c->eku = arena_array(a, n, sizeof(*c->eku));
    for (; !der_done(&list); c->n_eku++) {
        if (c->n_eku == n || !der_take_oid(&list, &c->eku[c->n_eku]))
            return bad(e, "extended key usage", "OIDs", "4.2.1.12");
    }
    return true;
}

static bool basic_read(struct arena *a, struct cert *c, struct slice value, struct err *e)
{
    struct der outer = der_reader(value), in;
    int64_t path_len = -1;

    (void)a;
    c->has_basic = true;
    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_done(&outer))
        return bad(e, "basic constraints", "a SEQUENCE", "4.2.1.9");
    if (der_is(&in, DER_BOOLEAN) && !der_take_bool(&in, &c->basic.ca))
        return bad(e, "basic constraints", "cA as a BOOLEAN", "4.2.1.9");
    if (!der_done(&in) && (!der_take_int(&in, &path_len) || path_len < 0 || path_len > INT32_MAX))
        return bad(e, "basic constraints", "a path length of 0 or more", "4.2.1.9");
    c->basic.path_len = (int)path_len;
    return der_done(&in) || bad(e, "basic constraints", "nothing after pathLen", "4.2.1.9");
}

static bool ski_read(struct arena *a, struct cert *c, struct slice value, struct err *e)
{
    struct der d = der_reader(value);

    (void)a;
    return (der_take(&d, DER_OCTET_STRING, &c->ski) && der_done(&d)) ||
           bad(e, "subject key identifier", "an OCTET STRING", "4.2.1.2");
}

static bool aki_read(struct arena *a, struct cert *c, struct slice value, struct err *e)
{
    struct der outer = der_reader(value), in;
    bool there;
    static const uint8_t REST[] = {DER_CONTEXT_CONSTRUCTED(1), DER_CONTEXT(2)};

    (void)a;
    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_done(&outer) ||
        !der_optional(&in, DER_CONTEXT(0), &there, &c->aki))
        return bad(e, "authority key identifier", "a SEQUENCE", "4.2.1.1");
    if (!there)
        c->aki = SLICE_NONE;
    for (size_t i = 0; i < COUNT_OF(REST); i++) {
        if (der_is(&in, REST[i]) && !der_next(&in, NULL, NULL, NULL))
            break;
    }
    return der_done(&in) || bad(e, "authority key identifier", "at most three members", "4.2.1.1");
}

static bool san_read(struct arena *a, struct cert *c, struct slice value, struct err *e)
{
    return sans_read(a, value, &c->sans, e) || err_wrap(e, "certificate: subject alternative name");
}

static const struct {
    const struct oid *oid;
    bool (*read)(struct arena *, struct cert *, struct slice, struct err *);
} DECIDING[] = {
    {&OID_EXT_KEY_USAGE, key_usage_read},
    {&OID_EXT_EKU, eku_read},
    {&OID_EXT_BASIC, basic_read},
    {&OID_EXT_SKI, ski_read},
    {&OID_EXT_AKI, aki_read},
    {&OID_EXT_SAN, san_read},
};

static bool deciding_read(struct arena *a, struct cert *c, bool look, struct err *e)
{
    c->basic.path_len = -1;
    for (size_t i = 0; i < COUNT_OF(DECIDING); i++) {
        const struct extension *x = extensions_get(&c->extensions, DECIDING[i].oid);
        struct cert before = *c;
        if (!x || DECIDING[i].read(a, c, x->value, look ? NULL : e))
            continue;
        if (!look)
            return false;
        *c = before;
    }
    return true;
}

static bool read_cert(struct arena *a, struct slice der, bool look, struct cert **cert,
                      struct err *e)
{
    struct signed_object o;
    struct der outer, tbs;

    if (der.n > CERT_MAX)
        return err_set(e, ERR_MALFORMED, "certificate: %zu bytes, at most %u are read", der.n,
                       CERT_MAX);
    struct cert *c = arena_alloc(a, sizeof(*c));
    c->der = arena_copy(a, der);
    if (!signed_object_read(c->der, &o))
        return bad(e, "DER", "a SEQUENCE, an AlgorithmIdentifier and a BIT STRING", "4.1");
    c->tbs = o.body;
    c->sig_oid = o.oid;
    c->sig_alg = o.alg;
    c->signature = o.signature;
    outer = der_reader(c->tbs);
    if (!der_enter(&outer, DER_SEQUENCE, &tbs))
        return bad(e, "DER", "a TBSCertificate", "4.1.2");
    if (!version_take(&tbs, c, e) || !serial_take(&tbs, c, e) ||
        !inner_algorithm_take(&tbs, &o, e) || !name_take(a, &tbs, "issuer", &c->issuer, e) ||
        !validity_take(&tbs, c, e) || !name_take(a, &tbs, "subject", &c->subject, e) ||
        !key_take(a, &tbs, c, e) || !unique_ids_skip(&tbs, c, e) || !extensions_take(a, &tbs, c, e))
        return false;
    if (!der_done(&tbs))
        return bad(e, "DER", "nothing after the extensions", "4.1");
    if (!deciding_read(a, c, look, e))
        return false;
    *cert = c;
    return true;
}

bool cert_read(struct arena *a, struct slice der, struct cert **cert, struct err *e)
{
    return read_cert(a, der, false, cert, e);
}

bool cert_look(struct arena *a, struct slice der, struct cert **cert, struct err *e)
{
    return read_cert(a, der, true, cert, e);
}

/* --- Signatures --------------------------------------------------------------------------- */

bool cert_signed_by(const struct cert *child, const struct cert *issuer, struct err *e)
{
    if (!issuer->key)
        return err_set(e, ERR_MALFORMED, "issuer's key is of a type that is not supported");
    if (child->sig_alg.scheme == SIG_ANY || child->sig_alg.digest == DIGEST_MD5)
        return err_set(e, ERR_MALFORMED, "signature algorithm is not supported (RFC 5280 4.1.1.2)");
    if (!sig_alg_fits(issuer->key, child->sig_alg))
        return err_set(
            e, ERR_MALFORMED,
            "signature algorithm does not belong to the issuer's key (RFC 5280 4.1.1.2)");
    return key_verify(issuer->key, child->sig_alg, child->tbs, child->signature, e) ||
           err_wrap(e, "certificate (RFC 5280 4.1.1.3)");
}

bool cert_self_signed(const struct cert *c)
{
    return slice_eq(c->subject.raw, c->issuer.raw) && cert_signed_by(c, c, NULL);
}
