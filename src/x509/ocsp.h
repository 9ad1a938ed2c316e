/*
 * The Online Certificate Status Protocol (RFC 6960): requests and answers as values.  Both sides
 * are here: what a client asks and believes, and what a responder reads and signs.
 */
#pragma once

#include "x509/cert.h"

#define OCSP_REQUEST_MAX  (16u << 10)
#define OCSP_RESPONSE_MAX (256u << 10)
#define OCSP_CERTS_MAX    16u

/* Whose status: issuer and serial number (CertID, RFC 6960 4.1.1). */
struct ocsp_id {
    enum digest digest; /* of the two hashes; DIGEST_NONE: one that we do not know */
    struct slice name_hash, key_hash;
    struct slice serial; /* magnitude */
    struct slice raw;    /* the whole CertID, when it was read or made by ocsp_id_of */
};
/* The id of a certificate of that issuer; SHA-1 is what every responder understands. */
struct ocsp_id ocsp_id_of(struct arena *a, enum digest digest, const struct cert *issuer,
                          struct slice serial);
bool ocsp_id_eq(const struct ocsp_id *a, const struct ocsp_id *b);
/* The id speaks of certificates of this issuer. */
bool ocsp_id_is_of(const struct ocsp_id *id, const struct cert *issuer);

/* --- Requests ----------------------------------------------------------------------------- */

struct ocsp_request {
    struct ocsp_id *ids; /* at least one */
    size_t n;
    struct slice nonce;  /* absent: none */
    bool not_understood; /* a critical extension that nobody here processes */
};
/* Not signed; nonce may be absent. */
void ocsp_request_put(struct buf *b, const struct ocsp_id *ids, size_t n, struct slice nonce);
/* Exactly one DER request, copied into a.  A signature on it is not looked at.  ERR_MALFORMED. */
bool ocsp_request_read(struct arena *a, struct slice der, struct ocsp_request *request,
                       struct err *e) CHECKED;

/* --- Answers ------------------------------------------------------------------------------ */

enum ocsp_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN };
struct ocsp_single {
    struct ocsp_id id;
    enum ocsp_status status;
    struct instant revoked_at;
    int reason;                              /* RFC 5280 5.3.1; -1: not told */
    struct instant this_update, next_update; /* INSTANT_ZERO_GO: no next update */
};
/* OCSPResponseStatus */
enum ocsp_outcome {
    OCSP_SUCCESSFUL = 0,
    OCSP_MALFORMED_REQUEST = 1,
    OCSP_INTERNAL_ERROR = 2,
    OCSP_TRY_LATER = 3,
    OCSP_SIG_REQUIRED = 5,
    OCSP_UNAUTHORIZED = 6
};
struct ocsp_response {
    enum ocsp_outcome outcome; /* not successful: the rest is empty */
    struct slice tbs, sig_oid, signature;
    struct sig_alg sig_alg;
    struct slice responder_name; /* a whole Name, or */
    struct slice responder_key;  /* SHA-1 of the key bits */
    struct instant produced_at;
    struct ocsp_single *singles;
    size_t n;
    struct slice nonce;
    /* What the responder sent along; those that cannot be read are left out. */
    struct cert_list certs;
};
/* Exactly one DER answer, copied into a.  Its signature is not verified.  ERR_MALFORMED. */
bool ocsp_response_read(struct arena *a, struct slice der, struct ocsp_response *r,
                        struct err *e) CHECKED;
/* RFC 6960 4.2.2.2: the issuer signed it, or a certificate of the issuer for OCSP signing that came
 * with it and is valid now.  ERR_MALFORMED, ERR_UNAUTHORIZED. */
bool ocsp_signed_for(const struct ocsp_response *r, const struct cert *issuer, struct instant now,
                     struct err *e) CHECKED;
/* The status of that certificate; NULL when the answer is about others. */
const struct ocsp_single *ocsp_find(const struct ocsp_response *r, const struct ocsp_id *id);
/* RFC 6960 4.2.2.1, with clocks that may differ by skew_ns.  Without a next update the answer must
 * be fresh: produced within skew_ns of now.  ERR_UNAUTHORIZED. */
bool ocsp_is_current(const struct ocsp_response *r, const struct ocsp_single *s, struct instant now,
                     int64_t skew_ns, struct err *e) CHECKED;
const char *ocsp_outcome_name(enum ocsp_outcome outcome); /* "tryLater" */

/* --- Answering ---------------------------------------------------------------------------- */

struct ocsp_order {
    struct instant produced_at;
    const struct ocsp_single *singles; /* ids with raw: they go out as they came in */
    size_t n;
    struct slice nonce;     /* absent: none */
    struct cert_list certs; /* the responder's own when the issuer does not sign itself */
};
/* A successful answer, responder by key hash, signed by s with the usual algorithm of its key (or
 * the one it is bound to). */
bool ocsp_response_make(const struct ocsp_order *o, struct signer *s, struct buf *der,
                        struct deadline d, struct err *e) CHECKED;
/* An answer without content: everything but OCSP_SUCCESSFUL. */
void ocsp_error_put(struct buf *b, enum ocsp_outcome outcome);
