/*
 * Answers of OCSP responders: read completely before anything in them is looked at, and believed
 * only when the issuer, or somebody whom the issuer authorized for this, has signed them.
 */
#include "x509/ocsp_part.h"
#include "x509/sigalg.h"

/* --- Reading ------------------------------------------------------------------------------ */

static bool bad(struct err *e, const char *field, const char *expected)
{
    return ocsp_bad(e, field, expected, "4.2.1");
}

static bool enumerated_take(struct der *d, int *v)
{
    struct slice content;

    if (!der_take(d, DER_ENUMERATED, &content) || content.n != 1 || content.p[0] > 0x7f)
        return false;
    *v = content.p[0];
    return true;
}

static bool generalized_take(struct der *d, struct instant *t)
{
    return der_is(d, DER_GENERALIZED_TIME) && der_take_time(d, t);
}

static bool revoked_read(struct slice content, struct ocsp_single *s, struct err *e)
{
    struct der in = der_reader(content), reason;

    if (!generalized_take(&in, &s->revoked_at))
        return bad(e, "revocation time", "a GeneralizedTime in UTC with seconds");
    if (der_done(&in))
        return true;
    if (!der_enter(&in, DER_CONTEXT_CONSTRUCTED(0), &reason) || !der_done(&in) ||
        !enumerated_take(&reason, &s->reason) || !der_done(&reason) || s->reason > 10)
        return bad(e, "revocation reason", "a reason code from 0 to 10");
    return true;
}

static bool status_take(struct der *in, struct ocsp_single *s, struct err *e)
{
    static const struct {
        uint8_t tag;
        enum ocsp_status status;
    } STATES[] = {
        {DER_CONTEXT(0), OCSP_GOOD},
        {DER_CONTEXT_CONSTRUCTED(1), OCSP_REVOKED},
        {DER_CONTEXT(2), OCSP_UNKNOWN},
    };
    struct slice content;
    uint8_t tag;

    s->reason = -1;
    if (!der_next(in, &tag, &content, NULL))
        return bad(e, "status", "good, revoked or unknown");
    for (size_t i = 0; i < COUNT_OF(STATES); i++) {
        if (STATES[i].tag != tag)
            continue;
        s->status = STATES[i].status;
        return s->status == OCSP_REVOKED ? revoked_read(content, s, e)
                                         : content.n == 0 || bad(e, "status", "no content");
    }
    return bad(e, "status", "good, revoked or unknown");
}

/* Extensions of an answer may be critical; none that changes what the answer says is known to us.
 */
static bool extensions_take(struct arena *a, struct der *in, struct slice *nonce, struct err *e)
{
    struct extensions x;
    struct slice content;
    bool there;

    if (!der_optional(in, DER_CONTEXT_CONSTRUCTED(1), &there, &content) || !der_done(in))
        return bad(e, "answer", "only extensions at the end");
    if (!there)
        return true;
    if (!extensions_read(a, content, &x, e))
        return err_wrap(e, "OCSP answer");
    for (size_t i = 0; i < x.n; i++) {
        if (x.v[i].critical && !oid_eq(&OID_OCSP_NONCE, x.v[i].oid))
            return bad(e, "extensions", "no critical one that is not understood");
    }
    *nonce = ocsp_nonce_of(&x);
    return true;
}

static bool single_take(struct arena *a, struct der *list, struct ocsp_single *s, struct err *e)
{
    struct der in, next;
    struct slice unused;

    s->next_update = INSTANT_ZERO_GO;
    if (!der_enter(list, DER_SEQUENCE, &in) || !ocsp_id_take(&in, &s->id))
        return bad(e, "answer", "a CertID");
    if (!status_take(&in, s, e))
        return false;
    if (!generalized_take(&in, &s->this_update))
        return bad(e, "thisUpdate", "a GeneralizedTime in UTC with seconds");
    if (der_is(&in, DER_CONTEXT_CONSTRUCTED(0)) &&
        (!der_enter(&in, DER_CONTEXT_CONSTRUCTED(0), &next) ||
         !generalized_take(&next, &s->next_update) || !der_done(&next)))
        return bad(e, "nextUpdate", "a GeneralizedTime in UTC with seconds");
    return extensions_take(a, &in, &unused, e);
}

static bool singles_take(struct arena *a, struct der *data, struct ocsp_response *r, struct err *e)
{
    struct der list, count;
    size_t n = 0;

    if (!der_enter(data, DER_SEQUENCE, &list))
        return bad(e, "responses", "a SEQUENCE");
    for (count = list; der_next(&count, NULL, NULL, NULL); n++)
        ;
    if (!der_done(&count))
        return bad(e, "responses", "a SEQUENCE of answers");
    r->singles = arena_array(a, n ? n : 1, sizeof(*r->singles));
    for (; r->n < n; r->n++) {
        if (!single_take(a, &list, &r->singles[r->n], e))
            return false;
    }
    return true;
}

static bool responder_take(struct der *data, struct ocsp_response *r, struct err *e)
{
    struct der in;

    if (der_enter(data, DER_CONTEXT_CONSTRUCTED(1), &in)) {
        return (der_is(&in, DER_SEQUENCE) && der_next(&in, NULL, NULL, &r->responder_name) &&
                der_done(&in)) ||
               bad(e, "responder", "a Name");
    }
    return (der_enter(data, DER_CONTEXT_CONSTRUCTED(2), &in) &&
            der_take(&in, DER_OCTET_STRING, &r->responder_key) && r->responder_key.n == 20 &&
            der_done(&in)) ||
           bad(e, "responder", "a Name or the SHA-1 of a key");
}

static bool data_read(struct arena *a, struct slice tbs, struct ocsp_response *r, struct err *e)
{
    struct der outer = der_reader(tbs), data, version;
    int64_t v;

    if (!der_enter(&outer, DER_SEQUENCE, &data))
        return bad(e, "answer", "a ResponseData");
    if (der_is(&data, DER_CONTEXT_CONSTRUCTED(0)) &&
        (!der_enter(&data, DER_CONTEXT_CONSTRUCTED(0), &version) || !der_take_int(&version, &v) ||
         v != 0 || !der_done(&version)))
        return bad(e, "version", "v1");
    if (!responder_take(&data, r, e))
        return false;
    if (!generalized_take(&data, &r->produced_at))
        return bad(e, "producedAt", "a GeneralizedTime in UTC with seconds");
    return singles_take(a, &data, r, e) && extensions_take(a, &data, &r->nonce, e);
}

static bool certs_read(struct arena *a, struct slice content, struct ocsp_response *r,
                       struct err *e)
{
    struct der outer = der_reader(content), list;
    struct slice whole;
    struct cert *c;

    if (!der_enter(&outer, DER_SEQUENCE, &list) || !der_done(&outer))
        return bad(e, "certificates", "a SEQUENCE");
    for (size_t i = 0; !der_done(&list); i++) {
        if (i == OCSP_CERTS_MAX)
            return err_set(e, ERR_TOO_LARGE, "OCSP answer: more than %u certificates",
                           OCSP_CERTS_MAX);
        if (!der_next(&list, NULL, NULL, &whole))
            return bad(e, "certificates", "a SEQUENCE of certificates");
        if (cert_read(a, whole, &c, NULL))
            cert_list_add(a, &r->certs, c);
    }
    return true;
}

static bool basic_read(struct arena *a, struct slice der, struct ocsp_response *r, struct err *e)
{
    struct der outer = der_reader(der), in;
    struct slice certs;
    unsigned unused;
    bool there;

    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_done(&outer) || !der_is(&in, DER_SEQUENCE) ||
        !der_next(&in, NULL, NULL, &r->tbs) || !sig_alg_take(&in, &r->sig_oid, &r->sig_alg, NULL) ||
        !der_take_bits(&in, &r->signature, &unused) || unused)
        return bad(e, "answer", "data, an AlgorithmIdentifier and a BIT STRING");
    if (!der_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &there, &certs) || !der_done(&in))
        return bad(e, "answer", "only certificates at the end");
    return (!there || certs_read(a, certs, r, e)) && data_read(a, r->tbs, r, e);
}

bool ocsp_response_read(struct arena *a, struct slice der, struct ocsp_response *r, struct err *e)
{
    struct der outer, in, bytes, inner;
    struct slice type, basic;
    int outcome;

    *r = (struct ocsp_response){0};
    if (der.n > OCSP_RESPONSE_MAX)
        return err_set(e, ERR_TOO_LARGE, "OCSP answer: %zu bytes, at most %u are read", der.n,
                       OCSP_RESPONSE_MAX);
    outer = der_reader(arena_copy(a, der));
    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_done(&outer) ||
        !enumerated_take(&in, &outcome))
        return bad(e, "answer", "a status");
    r->outcome = (enum ocsp_outcome)outcome;
    if (r->outcome != OCSP_SUCCESSFUL)
        return der_done(&in) || bad(e, "answer", "nothing behind the status of a failure");
    if (!der_enter(&in, DER_CONTEXT_CONSTRUCTED(0), &bytes) || !der_done(&in) ||
        !der_enter(&bytes, DER_SEQUENCE, &inner) || !der_done(&bytes) ||
        !der_take_oid(&inner, &type) || !der_take(&inner, DER_OCTET_STRING, &basic) ||
        !der_done(&inner))
        return bad(e, "answer", "response bytes");
    if (!oid_eq(&OID_OCSP_BASIC, type))
        return bad(e, "answer", "id-pkix-ocsp-basic");
    return basic_read(a, basic, r, e);
}

/* --- Believing ---------------------------------------------------------------------------- */

static bool is_responder(const struct ocsp_response *r, const struct cert *c)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice bits;

    if (r->responder_name.n)
        return slice_eq(r->responder_name, c->subject.raw);
    return spki_shape(c->spki, NULL, &bits) &&
           slice_eq(digest_bytes(a, DIGEST_SHA1, bits), r->responder_key);
}

static bool has_ocsp_use(const struct cert *c)
{
    for (size_t i = 0; i < c->n_eku; i++) {
        if (oid_eq(&OID_EKU_OCSP, c->eku[i]))
            return true;
    }
    return false;
}

/* RFC 6960 4.2.2.2: directly by the issuer of the certificate, for this purpose. */
static bool is_authorized(const struct cert *c, const struct cert *issuer, struct instant now,
                          struct err *e)
{
    if (!has_ocsp_use(c))
        return err_set(e, ERR_UNAUTHORIZED,
                       "OCSP: the responder's certificate is not for OCSP signing (RFC 6960 "
                       "4.2.2.2)");
    if (c->has_key_usage && !(c->key_usage & KU_DIGITAL_SIGNATURE))
        return err_set(e, ERR_UNAUTHORIZED,
                       "OCSP: the responder's key usage lacks digitalSignature (RFC 5280 4.2.1.3)");
    if (!slice_eq(c->issuer.raw, issuer->subject.raw) || !cert_signed_by(c, issuer, NULL))
        return err_set(e, ERR_UNAUTHORIZED,
                       "OCSP: the responder's certificate is not of the same issuer (RFC 6960 "
                       "4.2.2.2)");
    return (instant_cmp(c->not_before, now) <= 0 && instant_cmp(now, c->not_after) <= 0) ||
           err_set(e, ERR_UNAUTHORIZED, "OCSP: the responder's certificate is not valid now");
}

static bool signed_by(const struct ocsp_response *r, const struct cert *c, struct err *e)
{
    if (!c->key || r->sig_alg.scheme == SIG_ANY || r->sig_alg.digest == DIGEST_MD5 ||
        !sig_alg_fits(c->key, r->sig_alg))
        return err_set(e, ERR_MALFORMED,
                       "OCSP: the signature algorithm does not fit the responder's key (RFC 6960 "
                       "4.2.1)");
    return key_verify(c->key, r->sig_alg, r->tbs, r->signature, e) ||
           err_wrap(e, "OCSP (RFC 6960 4.2.1)");
}

bool ocsp_signed_for(const struct ocsp_response *r, const struct cert *issuer, struct instant now,
                     struct err *e)
{
    if (is_responder(r, issuer))
        return signed_by(r, issuer, e);
    for (size_t i = 0; i < r->certs.n; i++) {
        const struct cert *c = r->certs.v[i];
        if (is_responder(r, c))
            return is_authorized(c, issuer, now, e) && signed_by(r, c, e);
    }
    return err_set(e, ERR_UNAUTHORIZED,
                   "OCSP: the answer is not of the issuer, and its responder's certificate is not "
                   "there (RFC 6960 4.2.2.2)");
}

const struct ocsp_single *ocsp_find(const struct ocsp_response *r, const struct ocsp_id *id)
{
    for (size_t i = 0; i < r->n; i++) {
        if (ocsp_id_eq(&r->singles[i].id, id))
            return &r->singles[i];
    }
    return NULL;
}

bool ocsp_is_current(const struct ocsp_response *r, const struct ocsp_single *s, struct instant now,
                     int64_t skew_ns, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    if (instant_cmp(s->this_update, instant_add(now, skew_ns)) > 0)
        return err_set(e, ERR_UNAUTHORIZED,
                       "the OCSP answer is not valid before %.*s (RFC 6960 4.2.2.1)",
                       SLICE_ARG(rfc3339(a, s->this_update)));
    if (instant_is_zero(s->next_update)) {
        return instant_cmp(now, instant_add(r->produced_at, skew_ns)) <= 0 ||
               err_set(e, ERR_UNAUTHORIZED,
                       "the OCSP answer has no next update and is old: it was produced at %.*s "
                       "(RFC 6960 4.2.2.1)",
                       SLICE_ARG(rfc3339(a, r->produced_at)));
    }
    return instant_cmp(now, instant_add(s->next_update, skew_ns)) <= 0 ||
           err_set(e, ERR_UNAUTHORIZED,
                   "the OCSP answer is out of date since %.*s (RFC 6960 4.2.2.1)",
                   SLICE_ARG(rfc3339(a, s->next_update)));
}
