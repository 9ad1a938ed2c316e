/*
 * Device attestation (draft-ietf-acme-device-attest): the statement of a device-attest-01
 * challenge, formats apple, step and tpm.  CBOR by libcbor behind a depth and size limit.
 */
#pragma once

#include "acme/validate.h"
#include "x509/cert.h"

enum acme_attestation_format { ACME_ATTEST_APPLE, ACME_ATTEST_STEP, ACME_ATTEST_TPM, ACME_ATTESTS };
bool acme_attestation_find(struct slice name, enum acme_attestation_format *f) CHECKED;

struct acme_attestation_order {
    struct slice object;     /* attObj, decoded from base64url */
    struct slice identifier; /* permanent-identifier value */
    struct slice token, key_authorization;
    unsigned formats;              /* bit per enabled format */
    const struct cert_list *roots; /* configured roots; NULL or n 0: none (step, apple: the
                                      built-in fingerprints cannot verify a chain; refused) */
    struct instant now;
};
struct acme_attestation {
    /* "SHA256:" + padded base64 of SHA-256 over the subjectPublicKey bits of the attested key. */
    struct slice fingerprint;
};
/* verdict INVALID with problem badAttestationStatement or rejectedIdentifier; *mismatch is set
 * when the identifier is not among the attested ones (its text: for a sub-problem). */
struct acme_result acme_attest(struct arena *a, const struct acme_attestation_order *o,
                               struct acme_attestation *out, struct slice *mismatch);
