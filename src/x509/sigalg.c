/*
 * Signature algorithms on the wire.  One table says which OID is which pair of scheme and digest,
 * in both directions.  RSASSA-PSS alone carries its digest in parameters; of those exactly one
 * form is taken (RFC 4055 3.1 with everything explicit): MGF1 with the digest of the message, a
 * salt as long as the digest.  Everything else is an algorithm that we do not know, which is an
 * error only for who wants to verify something.
 */
#include "x509/sigalg.h"

#define OID_BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define PKCS1(last)    OID_BYTES(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last)
#define ECDSA2(last)   OID_BYTES(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, last)

enum parameters { NONE_AT_ALL, NONE_OR_NULL, NULL_ALWAYS, PSS };

static const struct sig_oid {
    const uint8_t *p;
    size_t n;
    struct sig_alg alg;
    enum parameters parameters;
} SIG_OIDS[] = {
    {ECDSA2(0x02), {SIG_ECDSA, DIGEST_SHA256}, NONE_OR_NULL},
    {ECDSA2(0x03), {SIG_ECDSA, DIGEST_SHA384}, NONE_OR_NULL},
    {ECDSA2(0x04), {SIG_ECDSA, DIGEST_SHA512}, NONE_OR_NULL},
    {ECDSA2(0x01), {SIG_ECDSA, DIGEST_SHA224}, NONE_OR_NULL},
    {OID_BYTES(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01), {SIG_ECDSA, DIGEST_SHA1}, NONE_OR_NULL},
    {PKCS1(0x0b), {SIG_RSA_PKCS1, DIGEST_SHA256}, NULL_ALWAYS},
    {PKCS1(0x0c), {SIG_RSA_PKCS1, DIGEST_SHA384}, NULL_ALWAYS},
    {PKCS1(0x0d), {SIG_RSA_PKCS1, DIGEST_SHA512}, NULL_ALWAYS},
    {PKCS1(0x0e), {SIG_RSA_PKCS1, DIGEST_SHA224}, NULL_ALWAYS},
    {PKCS1(0x05), {SIG_RSA_PKCS1, DIGEST_SHA1}, NULL_ALWAYS},
    {PKCS1(0x04), {SIG_RSA_PKCS1, DIGEST_MD5}, NULL_ALWAYS},
    {PKCS1(0x0a), {SIG_RSA_PSS, DIGEST_NONE}, PSS},
    {OID_BYTES(0x2b, 0x65, 0x70), {SIG_ED25519, DIGEST_NONE}, NONE_AT_ALL},
};

static const struct oid OID_MGF1 = {PKCS1(0x08)};

/* Digests that PSS may name. */
static const struct digest_oid {
    struct oid oid;
    enum digest digest;
    int64_t salt;
} PSS_DIGESTS[] = {
    {{OID_BYTES(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01)}, DIGEST_SHA256, 32},
    {{OID_BYTES(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02)}, DIGEST_SHA384, 48},
    {{OID_BYTES(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03)}, DIGEST_SHA512, 64},
};

static const struct sig_oid *sig_oid_find(struct slice oid)
{
    for (size_t i = 0; i < COUNT_OF(SIG_OIDS); i++) {
        if (slice_eq(oid, slice_of(SIG_OIDS[i].p, SIG_OIDS[i].n)))
            return &SIG_OIDS[i];
    }
    return NULL;
}

struct sig_alg sig_alg_of_oid(struct slice oid)
{
    const struct sig_oid *found = sig_oid_find(oid);

    if (!found || found->parameters == PSS)
        return (struct sig_alg){SIG_ANY, DIGEST_NONE};
    return found->alg;
}

static const struct sig_oid *sig_oid_of(struct sig_alg alg)
{
    for (size_t i = 0; i < COUNT_OF(SIG_OIDS); i++) {
        const struct sig_oid *s = &SIG_OIDS[i];
        if (s->alg.scheme == alg.scheme &&
            (s->alg.digest == alg.digest || s->parameters == PSS || alg.scheme == SIG_ED25519))
            return s;
    }
    return NULL;
}

struct slice sig_alg_oid(struct sig_alg alg)
{
    const struct sig_oid *s = sig_oid_of(alg);

    return s ? slice_of(s->p, s->n) : SLICE_NONE;
}

static const struct digest_oid *pss_digest(enum digest d)
{
    for (size_t i = 0; i < COUNT_OF(PSS_DIGESTS); i++) {
        if (PSS_DIGESTS[i].digest == d)
            return &PSS_DIGESTS[i];
    }
    return NULL;
}

/* --- Writing ------------------------------------------------------------------------------ */

static void digest_alg_put(struct buf *b, const struct digest_oid *d)
{
    size_t at;

    der_open(b, DER_SEQUENCE, &at);
    der_oid(b, &d->oid);
    der_null(b);
    der_close(b, at);
}

/* RSASSA-PSS-params (RFC 4055 3.1); the trailer field has only its default. */
static void pss_put(struct buf *b, const struct digest_oid *d)
{
    size_t params, field, mgf;

    der_open(b, DER_SEQUENCE, &params);
    der_open(b, DER_CONTEXT_CONSTRUCTED(0), &field);
    digest_alg_put(b, d);
    der_close(b, field);
    der_open(b, DER_CONTEXT_CONSTRUCTED(1), &field);
    der_open(b, DER_SEQUENCE, &mgf);
    der_oid(b, &OID_MGF1);
    digest_alg_put(b, d);
    der_close(b, mgf);
    der_close(b, field);
    der_open(b, DER_CONTEXT_CONSTRUCTED(2), &field);
    der_int(b, d->salt);
    der_close(b, field);
    der_close(b, params);
}

bool sig_alg_put(struct buf *b, struct sig_alg alg)
{
    const struct sig_oid *s = sig_oid_of(alg);
    const struct digest_oid *d = pss_digest(alg.digest);
    size_t at;

    if (!s || (s->parameters == PSS && !d))
        return false;
    der_open(b, DER_SEQUENCE, &at);
    der_oid_content(b, slice_of(s->p, s->n));
    if (s->parameters == NULL_ALWAYS)
        der_null(b);
    if (s->parameters == PSS)
        pss_put(b, d);
    der_close(b, at);
    return true;
}

/* --- Reading ------------------------------------------------------------------------------ */

static bool null_take(struct der *d)
{
    struct slice content;

    return der_take(d, DER_NULL, &content) && content.n == 0;
}

static const struct digest_oid *digest_alg_take(struct der *d)
{
    struct der inside;
    struct slice oid;

    if (!der_enter(d, DER_SEQUENCE, &inside) || !der_take_oid(&inside, &oid))
        return NULL;
    if (!der_done(&inside) && !null_take(&inside))
        return NULL;
    if (!der_done(&inside))
        return NULL;
    for (size_t i = 0; i < COUNT_OF(PSS_DIGESTS); i++) {
        if (oid_eq(&PSS_DIGESTS[i].oid, oid))
            return &PSS_DIGESTS[i];
    }
    return NULL;
}

static bool mgf1_take(struct der *d, const struct digest_oid *digest)
{
    struct der inside;
    struct slice oid;

    return der_enter(d, DER_SEQUENCE, &inside) && der_take_oid(&inside, &oid) &&
           oid_eq(&OID_MGF1, oid) && digest_alg_take(&inside) == digest && der_done(&inside);
}

static enum digest pss_read(struct der *parameters)
{
    struct der params, field;
    int64_t number;

    if (!der_enter(parameters, DER_SEQUENCE, &params) || !der_done(parameters))
        return DIGEST_NONE;
    if (!der_enter(&params, DER_CONTEXT_CONSTRUCTED(0), &field))
        return DIGEST_NONE;
    const struct digest_oid *digest = digest_alg_take(&field);
    if (!digest || !der_done(&field))
        return DIGEST_NONE;
    if (!der_enter(&params, DER_CONTEXT_CONSTRUCTED(1), &field) || !mgf1_take(&field, digest) ||
        !der_done(&field))
        return DIGEST_NONE;
    if (!der_enter(&params, DER_CONTEXT_CONSTRUCTED(2), &field) || !der_take_int(&field, &number) ||
        number != digest->salt || !der_done(&field))
        return DIGEST_NONE;
    if (der_done(&params))
        return digest->digest;
    if (!der_enter(&params, DER_CONTEXT_CONSTRUCTED(3), &field) || !der_take_int(&field, &number) ||
        number != 1 || !der_done(&field) || !der_done(&params))
        return DIGEST_NONE;
    return digest->digest;
}

static struct sig_alg alg_read(const struct sig_oid *s, struct der parameters)
{
    struct sig_alg unknown = {SIG_ANY, DIGEST_NONE};

    if (!s)
        return unknown;
    if (s->parameters == PSS) {
        enum digest d = pss_read(&parameters);
        return d == DIGEST_NONE ? unknown : (struct sig_alg){SIG_RSA_PSS, d};
    }
    if (der_done(&parameters))
        return s->alg;
    /* RFC 4055 wants NULL after PKCS#1 v1.5 and RFC 5758 nothing after ECDSA; both forms are met
     * with either.  RFC 8410 3 is newer and has been followed. */
    if (s->parameters == NONE_AT_ALL || !null_take(&parameters) || !der_done(&parameters))
        return unknown;
    return s->alg;
}

bool sig_alg_take(struct der *d, struct slice *oid, struct sig_alg *alg, struct slice *whole)
{
    struct der at = *d, inside;
    struct slice content, all;

    if (!der_is(&at, DER_SEQUENCE) || !der_next(&at, NULL, &content, &all))
        return false;
    inside = der_reader(content);
    if (!der_take_oid(&inside, oid))
        return false;
    struct der parameters = inside;
    if (!der_done(&inside) && !der_take_any(&inside, NULL, NULL, NULL))
        return false;
    if (!der_done(&inside))
        return false;
    *alg = alg_read(sig_oid_find(*oid), parameters);
    if (whole)
        *whole = all;
    *d = at;
    return true;
}

/* --- Shapes ------------------------------------------------------------------------------- */

#define CONSTRUCTED 0x20

static bool constructed_as_should(uint8_t tag)
{
    uint8_t type = tag & 0x1f;
    bool constructed = tag & CONSTRUCTED;

    return constructed == (type == (DER_SEQUENCE & 0x1f) || type == (DER_SET & 0x1f));
}

bool der_take_any(struct der *d, uint8_t *tag, struct slice *content, struct slice *whole)
{
    struct der at = *d, self;
    struct slice body, bits;
    uint8_t t;
    bool negative, ok = true;
    unsigned unused;

    if (!der_next(&at, &t, &body, whole))
        return false;
    if (!(t & 0xc0)) {
        if (t == 0 || !constructed_as_should(t))
            return false;
        self = *d;
        /* An ENUMERATED has the content of an INTEGER and no other rule of its own. */
        if (t == DER_INTEGER)
            ok = der_take_integer(&self, &bits, &negative);
        if (t == DER_ENUMERATED)
            ok = body.n == 1 || (body.n > 1 && !(body.p[0] == 0 && body.p[1] < 0x80) &&
                                 !(body.p[0] == 0xff && body.p[1] >= 0x80));
        if (t == DER_BOOLEAN)
            ok = body.n == 1 && (body.p[0] == 0 || body.p[0] == 0xff);
        if (t == DER_NULL)
            ok = body.n == 0;
        if (t == DER_OID)
            ok = der_take_oid(&self, &bits);
        if (t == DER_BIT_STRING)
            ok = der_take_bits(&self, &bits, &unused);
        if (t == DER_BMP_STRING)
            ok = body.n % 2 == 0;
        if (t == DER_UNIVERSAL_STRING)
            ok = body.n % 4 == 0;
    }
    if (!ok)
        return false;
    if (tag)
        *tag = t;
    if (content)
        *content = body;
    *d = at;
    return true;
}

bool spki_shape(struct slice spki, struct slice *algorithm_oid, struct slice *bits)
{
    struct der outer = der_reader(spki), inside, algorithm;
    struct slice oid, key;
    unsigned unused;

    if (!der_enter(&outer, DER_SEQUENCE, &inside) || !der_done(&outer))
        return false;
    if (!der_enter(&inside, DER_SEQUENCE, &algorithm) || !der_take_oid(&algorithm, &oid))
        return false;
    if (!der_done(&algorithm) && !der_take_any(&algorithm, NULL, NULL, NULL))
        return false;
    if (!der_done(&algorithm) || !der_take_bits(&inside, &key, &unused) || unused ||
        !der_done(&inside))
        return false;
    if (algorithm_oid)
        *algorithm_oid = oid;
    if (bits)
        *bits = key;
    return true;
}

bool signed_object_read(struct slice der, struct signed_object *o)
{
    struct der outer = der_reader(der), inside;
    unsigned unused;

    return der_enter(&outer, DER_SEQUENCE, &inside) && der_done(&outer) &&
           der_is(&inside, DER_SEQUENCE) && der_next(&inside, NULL, NULL, &o->body) &&
           sig_alg_take(&inside, &o->oid, &o->alg, &o->algorithm) &&
           der_take_bits(&inside, &o->signature, &unused) && unused == 0 && der_done(&inside);
}
