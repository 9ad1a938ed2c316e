/* AlgorithmIdentifier of signatures (RFC 5280 4.1.1.2, RFC 4055, RFC 5758, RFC 8410), and the
 * shapes that every signed object of PKIX shares. */
#pragma once

#include "crypto/der.h"
#include "crypto/signer.h"

/* What a signature algorithm's OID stands for; SIG_ANY for one that we do not know and for
 * RSASSA-PSS, whose digest stands in its parameters. */
struct sig_alg sig_alg_of_oid(struct slice oid);
/* OID content; p == NULL for a pair that has none. */
struct slice sig_alg_oid(struct sig_alg alg);
/* The whole AlgorithmIdentifier.  False (nothing written): no OID for it. */
bool sig_alg_put(struct buf *b, struct sig_alg alg) CHECKED;
/* The next element, an AlgorithmIdentifier.  False only when it is no such thing; an algorithm or
 * parameters that we do not know leave SIG_ANY.  whole may be NULL. */
bool sig_alg_take(struct der *d, struct slice *oid, struct sig_alg *alg,
                  struct slice *whole) CHECKED;

/* One value of any type (ASN.1 ANY): universal types are primitive or constructed as they should
 * be, and their content is well-formed.  content and tag may be NULL. */
bool der_take_any(struct der *d, uint8_t *tag, struct slice *content, struct slice *whole) CHECKED;
/* SEQUENCE { AlgorithmIdentifier, BIT STRING } whatever the algorithm; both out may be NULL. */
bool spki_shape(struct slice spki, struct slice *algorithm_oid, struct slice *bits) CHECKED;
/* SEQUENCE { what is signed, AlgorithmIdentifier, BIT STRING } and nothing else. */
struct signed_object {
    struct slice body; /* DER of the first element, a SEQUENCE */
    struct slice oid;
    struct sig_alg alg;
    struct slice algorithm; /* the whole AlgorithmIdentifier */
    struct slice signature;
};
bool signed_object_read(struct slice der, struct signed_object *o) CHECKED;

/* Writes one, signing body.  Appends to der. */
bool signed_object_put(struct buf *der, struct slice body, struct sig_alg alg,
                       struct signer *signer, struct deadline d, struct err *e) CHECKED;
