/*
 * Certificate revocation lists, version 2 (RFC 5280 5): written around signer_sign like
 * certificates, and read by our own reader, entry after entry without keeping their extensions.
 */
#include "x509/crl.h"

#include "x509/sigalg.h"

#define ENTRY_ROOM 128u /* more than any entry that we write */

/* --- Making ------------------------------------------------------------------------------- */

static void number_bytes(uint64_t v, uint8_t out[8])
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        out[i] = (uint8_t)v;
}

static void reason_put(struct buf *b, int reason)
{
    uint8_t code = (uint8_t)reason, value[3] = {DER_ENUMERATED, 1, code};
    struct extension x = {
        .oid = slice_of(OID_EXT_REASON.p, OID_EXT_REASON.n),
        .value = slice_of(value, sizeof(value)),
    };
    size_t list;

    der_open(b, DER_SEQUENCE, &list);
    extension_put(b, &x);
    der_close(b, list);
}

static bool entry_put(struct buf *b, const struct crl_entry *entry, struct err *e)
{
    size_t at;

    if (entry->reason < 0 || entry->reason > 10 || entry->reason == 7)
        return err_set(e, ERR_INTERNAL, "CRL: %d is no reason code (RFC 5280 5.3.1)",
                       entry->reason);
    der_open(b, DER_SEQUENCE, &at);
    der_uint(b, entry->serial);
    der_time(b, entry->at);
    if (entry->reason)
        reason_put(b, entry->reason);
    der_close(b, at);
    return true;
}

static bool entries_put(struct buf *b, const struct crl_order *o, struct err *e)
{
    size_t at;

    if (!o->n)
        return true; /* RFC 5280 5.1.2.6: absent, not empty */
    der_open(b, DER_SEQUENCE, &at);
    for (size_t i = 0; i < o->n; i++) {
        if (!entry_put(b, &o->entries[i], e))
            return false;
    }
    der_close(b, at);
    return true;
}

static void aki_put(struct buf *b, struct slice ski)
{
    size_t at;

    der_open(b, DER_SEQUENCE, &at);
    der_put(b, DER_CONTEXT(0), ski);
    der_close(b, at);
}

/* IssuingDistributionPoint with a distribution point of one URI and nothing else. */
static void idp_put(struct buf *b, struct slice url)
{
    size_t idp, name, full;

    der_open(b, DER_SEQUENCE, &idp);
    der_open(b, DER_CONTEXT_CONSTRUCTED(0), &name);
    der_open(b, DER_CONTEXT_CONSTRUCTED(0), &full);
    der_put(b, DER_CONTEXT(6), url);
    der_close(b, full);
    der_close(b, name);
    der_close(b, idp);
}

static void crl_extension_put(struct buf *b, const struct oid *oid, bool critical,
                              struct buf *value)
{
    struct extension x = {slice_of(oid->p, oid->n), critical, buf_slice(value), SLICE_NONE};

    extension_put(b, &x);
    buf_reset(value);
}

static bool crl_extensions_put(struct buf *b, const struct crl_order *o, struct slice ski,
                               struct err *e)
{
    CLEANUP(buf_free) struct buf value = buf_new(NULL, CERT_MAX);
    uint8_t number[8];
    size_t outer, list;

    number_bytes(o->number, number);
    der_open(b, DER_CONTEXT_CONSTRUCTED(0), &outer);
    der_open(b, DER_SEQUENCE, &list);
    aki_put(&value, ski);
    crl_extension_put(b, &OID_EXT_AKI, false, &value);
    der_uint(&value, slice_of(number, sizeof(number)));
    crl_extension_put(b, &OID_EXT_CRL_NUMBER, false, &value);
    if (!slice_empty(o->idp_url)) {
        idp_put(&value, o->idp_url);
        if (!buf_done(&value, "CRL: distribution point", e))
            return false;
        crl_extension_put(b, &OID_EXT_IDP, true, &value);
    }
    der_close(b, list);
    der_close(b, outer);
    return true;
}

static bool issuer_ok(const struct issuer *issuer, struct err *e)
{
    if (!issuer->chain.n)
        return err_set(e, ERR_INTERNAL, "CRL: the issuer has no certificate");
    const struct cert *c = issuer->chain.v[0];
    if (!(c->key_usage & KU_CRL_SIGN))
        return err_set(e, ERR_INTERNAL,
                       "CRL: the issuer's key usage lacks cRLSign (RFC 5280 4.2.1.3)");
    return c->ski.n || err_set(e, ERR_INTERNAL,
                               "CRL: the issuer has no subject key identifier (RFC 5280 5.2.1)");
}

static bool tbs_put(struct buf *b, const struct crl_order *o, const struct cert *issuer,
                    struct sig_alg alg, struct err *e)
{
    size_t at;

    der_open(b, DER_SEQUENCE, &at);
    der_int(b, 1);
    if (!sig_alg_put(b, alg))
        return err_set(e, ERR_INTERNAL, "signature algorithm has no OID");
    der_raw(b, issuer->subject.raw);
    der_time(b, o->this_update);
    der_time(b, o->next_update);
    if (!entries_put(b, o, e) || !crl_extensions_put(b, o, issuer->ski, e))
        return false;
    der_close(b, at);
    return buf_done(b, "CRL", e);
}

bool crl_make(const struct crl_order *o, const struct issuer *issuer, struct buf *der,
              struct deadline d, struct err *e)
{
    if (!issuer_ok(issuer, e))
        return false;
    if (o->n > CRL_MAX / ENTRY_ROOM)
        return err_set(e, ERR_TOO_LARGE, "CRL: %zu entries, at most %u are written", o->n,
                       CRL_MAX / ENTRY_ROOM);
    CLEANUP(buf_free) struct buf tbs = buf_new(NULL, CRL_MAX);
    struct sig_alg alg =
        issuer->signer->only.scheme != SIG_ANY ? issuer->signer->only : sig_alg_usual(issuer->key);
    return tbs_put(&tbs, o, issuer->chain.v[0], alg, e) &&
           signed_object_put(der, buf_slice(&tbs), alg, issuer->signer, d, e);
}

/* --- Reading ------------------------------------------------------------------------------ */

static bool bad(struct err *e, const char *field, const char *expected, const char *section)
{
    return err_set(e, ERR_MALFORMED, "CRL: %s: expected %s (RFC 5280 %s)", field, expected,
                   section);
}

static bool reason_read(struct arena *a, struct der *in, struct crl_entry *entry, struct err *e)
{
    struct extensions x;
    struct slice whole, code;

    if (!der_next(in, NULL, NULL, &whole))
        return bad(e, "entry", "a list of extensions after the date", "5.1.2.6");
    entry->extensions = whole;
    if (!extensions_read(a, whole, &x, e))
        return err_wrap(e, "CRL: entry");
    const struct extension *reason = extensions_get(&x, &OID_EXT_REASON);
    if (!reason)
        return true;
    struct der d = der_reader(reason->value);
    if (!der_take(&d, DER_ENUMERATED, &code) || !der_done(&d) || code.n != 1 || code.p[0] > 10)
        return bad(e, "reason code", "an ENUMERATED from 0 to 10", "5.3.1");
    entry->reason = code.p[0];
    return true;
}

static bool entry_take(struct arena *a, struct der *list, struct crl_entry *entry, struct err *e)
{
    struct der in;
    bool negative;

    if (!der_enter(list, DER_SEQUENCE, &in) || !der_take_integer(&in, &entry->serial, &negative) ||
        negative || !der_take_time(&in, &entry->at))
        return bad(e, "entry", "a serial number and a date", "5.1.2.6");
    if (!entry->serial.n)
        entry->serial = SLICE("\0");
    if (der_done(&in))
        return true;
    struct arena_mark mark = arena_mark(a);
    bool ok = reason_read(a, &in, entry, e);
    arena_rewind(a, mark);
    return ok && (der_done(&in) || bad(e, "entry", "nothing after its extensions", "5.1.2.6"));
}

static bool entries_take(struct arena *a, struct der *tbs, struct crl *crl, struct err *e)
{
    struct der list, count;
    size_t n = 0;

    if (!der_is(tbs, DER_SEQUENCE))
        return true;
    if (!der_enter(tbs, DER_SEQUENCE, &list))
        return bad(e, "revokedCertificates", "a SEQUENCE", "5.1.2.6");
    for (count = list; der_next(&count, NULL, NULL, NULL); n++)
        ;
    if (!der_done(&count))
        return bad(e, "revokedCertificates", "a SEQUENCE of entries", "5.1.2.6");
    crl->entries = arena_array(a, n ? n : 1, sizeof(*crl->entries));
    for (; crl->n < n; crl->n++) {
        if (!entry_take(a, &list, &crl->entries[crl->n], e))
            return false;
    }
    return true;
}

/* Only what restricts to one distribution point or to user or CA certificates is processed. */
static bool idp_understood(struct slice value)
{
    struct der outer = der_reader(value), in;
    uint8_t tag;

    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_done(&outer))
        return false;
    while (der_next(&in, &tag, NULL, NULL)) {
        if (tag != DER_CONTEXT_CONSTRUCTED(0) && tag != DER_CONTEXT(1) && tag != DER_CONTEXT(2))
            return false;
    }
    return der_done(&in);
}

static bool is_understood(const struct extension *x)
{
    if (oid_eq(&OID_EXT_IDP, x->oid))
        return idp_understood(x->value);
    return oid_eq(&OID_EXT_AKI, x->oid) || oid_eq(&OID_EXT_CRL_NUMBER, x->oid);
}

static bool known_extensions_read(struct crl *crl, struct err *e)
{
    const struct extension *aki = extensions_get(&crl->extensions, &OID_EXT_AKI);
    const struct extension *number = extensions_get(&crl->extensions, &OID_EXT_CRL_NUMBER);
    bool there, negative;

    crl->number = -1;
    for (size_t i = 0; i < crl->extensions.n; i++) {
        const struct extension *x = &crl->extensions.v[i];
        crl->not_understood |= x->critical && !is_understood(x);
    }
    if (number) {
        struct der d = der_reader(number->value), check = d;
        struct slice magnitude;
        if (!der_take_integer(&check, &magnitude, &negative) || negative || !der_done(&check))
            return bad(e, "CRL number", "a number", "5.2.3");
        if (!der_take_int(&d, &crl->number))
            crl->number = INT64_MAX; /* RFC 5280 allows 20 octets */
    }
    if (aki) {
        struct der outer = der_reader(aki->value), in;
        if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_done(&outer) ||
            !der_optional(&in, DER_CONTEXT(0), &there, &crl->aki))
            return bad(e, "authority key identifier", "a SEQUENCE", "5.2.1");
    }
    return true;
}

static bool head_take(struct arena *a, struct der *tbs, const struct signed_object *o,
                      struct crl *crl, struct err *e)
{
    struct slice oid, algorithm, name;
    struct sig_alg alg;
    int64_t version;

    crl->version = 1;
    if (der_is(tbs, DER_INTEGER)) {
        if (!der_take_int(tbs, &version) || version != 1)
            return bad(e, "version", "v2 (1)", "5.1.2.1");
        crl->version = 2;
    }
    if (!sig_alg_take(tbs, &oid, &alg, &algorithm) || !slice_eq(algorithm, o->algorithm))
        return bad(e, "signature", "the algorithm that stands outside", "5.1.1.2");
    if (!der_is(tbs, DER_SEQUENCE) || !der_next(tbs, NULL, NULL, &name))
        return bad(e, "issuer", "a Name", "5.1.2.3");
    if (!dn_read(a, name, &crl->issuer, e))
        return err_wrap(e, "CRL: issuer");
    crl->next_update = INSTANT_ZERO_GO;
    if (!der_take_time(tbs, &crl->this_update))
        return bad(e, "thisUpdate", "a time in UTC with seconds", "5.1.2.4");
    bool next = der_is(tbs, DER_UTC_TIME) || der_is(tbs, DER_GENERALIZED_TIME);
    return !next || der_take_time(tbs, &crl->next_update) ||
           bad(e, "nextUpdate", "a time in UTC with seconds", "5.1.2.5");
}

bool crl_read(struct arena *a, struct slice der, struct crl *crl, struct err *e)
{
    struct signed_object o;
    struct der outer, tbs;
    struct slice content;
    bool there;

    *crl = (struct crl){0};
    if (der.n > CRL_MAX)
        return err_set(e, ERR_MALFORMED, "CRL: %zu bytes, at most %u are read", der.n, CRL_MAX);
    crl->der = arena_copy(a, der);
    if (!signed_object_read(crl->der, &o))
        return bad(e, "DER", "a SEQUENCE, an AlgorithmIdentifier and a BIT STRING", "5.1");
    crl->tbs = o.body;
    crl->sig_oid = o.oid;
    crl->sig_alg = o.alg;
    crl->signature = o.signature;
    outer = der_reader(crl->tbs);
    if (!der_enter(&outer, DER_SEQUENCE, &tbs))
        return bad(e, "DER", "a TBSCertList", "5.1.2");
    if (!head_take(a, &tbs, &o, crl, e) || !entries_take(a, &tbs, crl, e))
        return false;
    if (!der_optional(&tbs, DER_CONTEXT_CONSTRUCTED(0), &there, &content) ||
        (there && crl->version != 2))
        return bad(e, "extensions", "them in v2 only", "5.1.2.7");
    if (there && !extensions_read(a, content, &crl->extensions, e))
        return err_wrap(e, "CRL");
    return der_done(&tbs) ? known_extensions_read(crl, e)
                          : bad(e, "DER", "nothing after the extensions", "5.1");
}

bool crl_signed_by(const struct crl *crl, const struct cert *issuer, struct err *e)
{
    if (!slice_eq(crl->issuer.raw, issuer->subject.raw))
        return err_set(e, ERR_MALFORMED, "CRL: issuer is another name (RFC 5280 6.3.3)");
    if (issuer->has_key_usage && !(issuer->key_usage & KU_CRL_SIGN))
        return err_set(e, ERR_MALFORMED, "CRL: issuer's key usage lacks cRLSign (RFC 5280 6.3.3)");
    if (!issuer->key || crl->sig_alg.scheme == SIG_ANY || crl->sig_alg.digest == DIGEST_MD5 ||
        !sig_alg_fits(issuer->key, crl->sig_alg))
        return err_set(e, ERR_MALFORMED,
                       "CRL: signature algorithm is not supported by the issuer's key (RFC 5280 "
                       "5.1.1.2)");
    return key_verify(issuer->key, crl->sig_alg, crl->tbs, crl->signature, e) ||
           err_wrap(e, "CRL (RFC 5280 5.1.1.3)");
}
