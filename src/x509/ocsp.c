/*
 * OCSP (RFC 6960): who is asked about, requests, and signed answers, written with our DER writer
 * and read with our bounded reader.  Reading and believing answers is ocsp_response.c.
 */
#include "x509/ocsp_part.h"

#include "x509/sigalg.h"

#define NONCE_MAX  128u /* RFC 9654 2.1 */
#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define NIST(last) BYTES(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last)
#define OCSP(last) BYTES(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, last)

const struct oid OID_OCSP_BASIC = {OCSP(1)}, OID_OCSP_NONCE = {OCSP(2)};

static const struct {
    struct oid oid;
    enum digest digest;
} DIGESTS[] = {
    {{BYTES(0x2b, 0x0e, 0x03, 0x02, 0x1a)}, DIGEST_SHA1},
    {{NIST(0x01)}, DIGEST_SHA256},
    {{NIST(0x02)}, DIGEST_SHA384},
    {{NIST(0x03)}, DIGEST_SHA512},
};

bool ocsp_bad(struct err *e, const char *field, const char *expected, const char *section)
{
    return err_set(e, ERR_MALFORMED, "OCSP %s: expected %s (RFC 6960 %s)", field, expected,
                   section);
}

const char *ocsp_outcome_name(enum ocsp_outcome outcome)
{
    static const char *const NAMES[] = {
        [OCSP_SUCCESSFUL] = "successful",        [OCSP_MALFORMED_REQUEST] = "malformedRequest",
        [OCSP_INTERNAL_ERROR] = "internalError", [OCSP_TRY_LATER] = "tryLater",
        [OCSP_SIG_REQUIRED] = "sigRequired",     [OCSP_UNAUTHORIZED] = "unauthorized",
    };

    return (size_t)outcome < COUNT_OF(NAMES) && NAMES[outcome] ? NAMES[outcome] : "unknown";
}

/* --- CertID ------------------------------------------------------------------------------- */

/* RFC 6960 4.1.1: of the content of the BIT STRING, without tag, length and unused bits. */
static struct slice key_hash(struct arena *a, enum digest digest, const struct cert *issuer)
{
    struct slice bits;

    return spki_shape(issuer->spki, NULL, &bits) ? digest_bytes(a, digest, bits) : SLICE_NONE;
}

static void id_put(struct buf *b, const struct ocsp_id *id)
{
    size_t at, algorithm;

    der_open(b, DER_SEQUENCE, &at);
    der_open(b, DER_SEQUENCE, &algorithm);
    for (size_t i = 0; i < COUNT_OF(DIGESTS); i++) {
        if (DIGESTS[i].digest == id->digest)
            der_oid(b, &DIGESTS[i].oid);
    }
    der_null(b);
    der_close(b, algorithm);
    der_octets(b, id->name_hash);
    der_octets(b, id->key_hash);
    der_uint(b, id->serial);
    der_close(b, at);
}

struct ocsp_id ocsp_id_of(struct arena *a, enum digest digest, const struct cert *issuer,
                          struct slice serial)
{
    struct ocsp_id id = {
        .digest = digest,
        .name_hash = digest_bytes(a, digest, issuer->subject.raw),
        .key_hash = key_hash(a, digest, issuer),
        .serial = serial,
    };
    struct buf b = buf_new(a, OCSP_REQUEST_MAX);

    id_put(&b, &id);
    id.raw = buf_slice(&b);
    return id;
}

bool ocsp_id_eq(const struct ocsp_id *a, const struct ocsp_id *b)
{
    return a->digest != DIGEST_NONE && a->digest == b->digest &&
           slice_eq(a->name_hash, b->name_hash) && slice_eq(a->key_hash, b->key_hash) &&
           slice_eq(a->serial, b->serial);
}

bool ocsp_id_is_of(const struct ocsp_id *id, const struct cert *issuer)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    if (id->digest == DIGEST_NONE)
        return false;
    struct ocsp_id own = ocsp_id_of(a, id->digest, issuer, id->serial);
    return ocsp_id_eq(&own, id);
}

/* The parameters are NULL or absent. */
static bool digest_take(struct der *d, enum digest *digest)
{
    struct der in;
    struct slice oid, content;

    if (!der_enter(d, DER_SEQUENCE, &in) || !der_take_oid(&in, &oid))
        return false;
    if (!der_done(&in) && (!der_take_any(&in, NULL, &content, NULL) || !der_done(&in)))
        return false;
    *digest = DIGEST_NONE;
    for (size_t i = 0; i < COUNT_OF(DIGESTS); i++) {
        if (oid_eq(&DIGESTS[i].oid, oid))
            *digest = DIGESTS[i].digest;
    }
    return true;
}

bool ocsp_id_take(struct der *d, struct ocsp_id *id)
{
    struct der at = *d, in;
    struct slice content;
    bool negative;

    *id = (struct ocsp_id){0};
    if (!der_is(&at, DER_SEQUENCE) || !der_next(&at, NULL, &content, &id->raw))
        return false;
    in = der_reader(content);
    if (!digest_take(&in, &id->digest) || !der_take(&in, DER_OCTET_STRING, &id->name_hash) ||
        !der_take(&in, DER_OCTET_STRING, &id->key_hash) ||
        !der_take_integer(&in, &id->serial, &negative) || negative || !der_done(&in))
        return false;
    if (!id->serial.n)
        id->serial = SLICE("\0");
    *d = at;
    return true;
}

/* --- Nonce -------------------------------------------------------------------------------- */

static void nonce_put(struct buf *b, uint8_t tag, struct slice nonce)
{
    CLEANUP(buf_free) struct buf value = buf_new(NULL, OCSP_REQUEST_MAX);
    size_t outer, list;

    if (!nonce.p)
        return;
    der_octets(&value, nonce);
    const struct extension x = {
        .oid = slice_of(OID_OCSP_NONCE.p, OID_OCSP_NONCE.n),
        .value = buf_slice(&value),
    };
    der_open(b, tag, &outer);
    der_open(b, DER_SEQUENCE, &list);
    extension_put(b, &x);
    der_close(b, list);
    der_close(b, outer);
}

struct slice ocsp_nonce_of(const struct extensions *x)
{
    const struct extension *nonce = extensions_get(x, &OID_OCSP_NONCE);
    struct slice inner;

    if (!nonce)
        return SLICE_NONE;
    struct der d = der_reader(nonce->value);
    return der_take(&d, DER_OCTET_STRING, &inner) && der_done(&d) ? inner : nonce->value;
}

/* --- Requests ----------------------------------------------------------------------------- */

void ocsp_request_put(struct buf *b, const struct ocsp_id *ids, size_t n, struct slice nonce)
{
    size_t outer, tbs, list, one;

    der_open(b, DER_SEQUENCE, &outer);
    der_open(b, DER_SEQUENCE, &tbs);
    der_open(b, DER_SEQUENCE, &list);
    for (size_t i = 0; i < n; i++) {
        der_open(b, DER_SEQUENCE, &one);
        id_put(b, &ids[i]);
        der_close(b, one);
    }
    der_close(b, list);
    nonce_put(b, DER_CONTEXT_CONSTRUCTED(2), nonce);
    der_close(b, tbs);
    der_close(b, outer);
}

static bool critical_unknown(const struct extensions *x)
{
    for (size_t i = 0; i < x->n; i++) {
        if (x->v[i].critical && !oid_eq(&OID_OCSP_NONCE, x->v[i].oid))
            return true;
    }
    return false;
}

/* [tag] EXPLICIT Extensions OPTIONAL, the last element. */
static bool last_extensions(struct arena *a, struct der *in, uint8_t tag, struct extensions *x,
                            struct err *e)
{
    struct slice content;
    bool there;

    *x = (struct extensions){0};
    if (!der_optional(in, tag, &there, &content) || !der_done(in))
        return ocsp_bad(e, "request", "only extensions at the end", "4.1.1");
    return !there || extensions_read(a, content, x, e) || err_wrap(e, "OCSP request");
}

static bool one_take(struct arena *a, struct der *list, struct ocsp_request *r, struct err *e)
{
    struct der in;
    struct extensions x;

    if (!der_enter(list, DER_SEQUENCE, &in) || !ocsp_id_take(&in, &r->ids[r->n]))
        return ocsp_bad(e, "request", "a CertID", "4.1.1");
    if (!last_extensions(a, &in, DER_CONTEXT_CONSTRUCTED(0), &x, e))
        return false;
    r->not_understood |= critical_unknown(&x);
    r->n++;
    return true;
}

static bool list_take(struct arena *a, struct der *tbs, struct ocsp_request *r, struct err *e)
{
    struct der list, count;
    size_t n = 0;

    if (!der_enter(tbs, DER_SEQUENCE, &list))
        return ocsp_bad(e, "request", "a list of requests", "4.1.1");
    for (count = list; der_next(&count, NULL, NULL, NULL); n++)
        ;
    if (!n || !der_done(&count))
        return ocsp_bad(e, "request", "at least one request", "4.1.1");
    r->ids = arena_array(a, n, sizeof(*r->ids));
    while (r->n < n) {
        if (!one_take(a, &list, r, e))
            return false;
    }
    return true;
}

static bool tbs_take(struct arena *a, struct der *tbs, struct ocsp_request *r, struct err *e)
{
    struct slice content;
    struct extensions x;
    int64_t version;
    bool there;

    if (!der_optional(tbs, DER_CONTEXT_CONSTRUCTED(0), &there, &content))
        return ocsp_bad(e, "version", "v1", "4.1.1");
    struct der number = der_reader(content);
    if (there && (!der_take_int(&number, &version) || version != 0 || !der_done(&number)))
        return ocsp_bad(e, "version", "v1", "4.1.1");
    if (!der_optional(tbs, DER_CONTEXT_CONSTRUCTED(1), &there, &content))
        return ocsp_bad(e, "requestor", "a GeneralName", "4.1.1");
    if (!list_take(a, tbs, r, e) || !last_extensions(a, tbs, DER_CONTEXT_CONSTRUCTED(2), &x, e))
        return false;
    r->not_understood |= critical_unknown(&x);
    r->nonce = ocsp_nonce_of(&x);
    return !r->nonce.p || (r->nonce.n && r->nonce.n <= NONCE_MAX) ||
           err_set(e, ERR_MALFORMED,
                   "OCSP nonce: expected 1 to %u octets, found %zu (RFC 9654 2.1)", NONCE_MAX,
                   r->nonce.n);
}

bool ocsp_request_read(struct arena *a, struct slice der, struct ocsp_request *request,
                       struct err *e)
{
    struct der outer, in, tbs;
    struct slice signature;
    bool there;

    *request = (struct ocsp_request){0};
    if (der.n > OCSP_REQUEST_MAX)
        return err_set(e, ERR_TOO_LARGE, "OCSP request: %zu bytes, at most %u are read", der.n,
                       OCSP_REQUEST_MAX);
    outer = der_reader(arena_copy(a, der));
    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_done(&outer) ||
        !der_enter(&in, DER_SEQUENCE, &tbs) ||
        !der_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &there, &signature) || !der_done(&in))
        return ocsp_bad(e, "request", "a TBSRequest and perhaps a signature", "4.1.1");
    return tbs_take(a, &tbs, request, e);
}

/* --- Answering ---------------------------------------------------------------------------- */

static void outcome_put(struct buf *b, enum ocsp_outcome outcome)
{
    const uint8_t value = (uint8_t)outcome;

    der_put(b, DER_ENUMERATED, slice_of(&value, 1));
}

void ocsp_error_put(struct buf *b, enum ocsp_outcome outcome)
{
    size_t at;

    der_open(b, DER_SEQUENCE, &at);
    outcome_put(b, outcome);
    der_close(b, at);
}

static void status_put(struct buf *b, const struct ocsp_single *s)
{
    const uint8_t reason = (uint8_t)s->reason;
    size_t at, inner;

    if (s->status != OCSP_REVOKED) {
        der_put(b, DER_CONTEXT(s->status), SLICE(""));
        return;
    }
    der_open(b, DER_CONTEXT_CONSTRUCTED(1), &at);
    der_generalized_time(b, s->revoked_at);
    if (s->reason >= 0) {
        der_open(b, DER_CONTEXT_CONSTRUCTED(0), &inner);
        der_put(b, DER_ENUMERATED, slice_of(&reason, 1));
        der_close(b, inner);
    }
    der_close(b, at);
}

static void single_put(struct buf *b, const struct ocsp_single *s)
{
    size_t at, next;

    der_open(b, DER_SEQUENCE, &at);
    der_raw(b, s->id.raw);
    status_put(b, s);
    der_generalized_time(b, s->this_update);
    if (!instant_is_zero(s->next_update)) {
        der_open(b, DER_CONTEXT_CONSTRUCTED(0), &next);
        der_generalized_time(b, s->next_update);
        der_close(b, next);
    }
    der_close(b, at);
}

static void data_put(struct buf *b, const struct ocsp_order *o, const struct key *key)
{
    size_t at, inner;

    der_open(b, DER_SEQUENCE, &at);
    der_open(b, DER_CONTEXT_CONSTRUCTED(2), &inner);
    der_octets(b, slice_of(key->ski, sizeof(key->ski))); /* the same hash: RFC 6960 4.2.1 */
    der_close(b, inner);
    der_generalized_time(b, o->produced_at);
    der_open(b, DER_SEQUENCE, &inner);
    for (size_t i = 0; i < o->n; i++)
        single_put(b, &o->singles[i]);
    der_close(b, inner);
    nonce_put(b, DER_CONTEXT_CONSTRUCTED(1), o->nonce);
    der_close(b, at);
}

static bool basic_put(struct buf *b, const struct ocsp_order *o, struct signer *s,
                      struct deadline d, struct err *e)
{
    struct sig_alg alg = s->only.scheme != SIG_ANY ? s->only : sig_alg_usual(s->public_key);
    CLEANUP(buf_free) struct buf data = buf_new(NULL, OCSP_RESPONSE_MAX);
    CLEANUP(buf_free) struct buf signature = buf_new(NULL, CERT_MAX);
    size_t at, certs, list;

    data_put(&data, o, s->public_key);
    if (!buf_done(&data, "OCSP answer", e) ||
        !signer_sign(s, alg, buf_slice(&data), &signature, d, e))
        return false;
    der_open(b, DER_SEQUENCE, &at);
    der_raw(b, buf_slice(&data));
    if (!sig_alg_put(b, alg))
        return err_set(e, ERR_INTERNAL, "signature algorithm has no OID");
    der_bits(b, buf_slice(&signature));
    if (o->certs.n) {
        der_open(b, DER_CONTEXT_CONSTRUCTED(0), &certs);
        der_open(b, DER_SEQUENCE, &list);
        for (size_t i = 0; i < o->certs.n; i++)
            der_raw(b, o->certs.v[i]->der);
        der_close(b, list);
        der_close(b, certs);
    }
    der_close(b, at);
    return buf_done(b, "OCSP answer", e);
}

bool ocsp_response_make(const struct ocsp_order *o, struct signer *s, struct buf *der,
                        struct deadline d, struct err *e)
{
    CLEANUP(buf_free) struct buf basic = buf_new(NULL, OCSP_RESPONSE_MAX);
    size_t at, bytes, inner;

    if (!basic_put(&basic, o, s, d, e))
        return false;
    der_open(der, DER_SEQUENCE, &at);
    outcome_put(der, OCSP_SUCCESSFUL);
    der_open(der, DER_CONTEXT_CONSTRUCTED(0), &bytes);
    der_open(der, DER_SEQUENCE, &inner);
    der_oid(der, &OID_OCSP_BASIC);
    der_octets(der, buf_slice(&basic));
    der_close(der, inner);
    der_close(der, bytes);
    der_close(der, at);
    return buf_done(der, "OCSP answer", e);
}
