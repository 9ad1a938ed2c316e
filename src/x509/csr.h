/* Certification requests (RFC 2986). */
#pragma once

#include "x509/cert.h"

struct csr {
    struct slice der, info;
    struct dn subject;
    struct slice spki;
    const struct key *key; /* NULL: a key type that is not ours (key_error says which) */
    struct slice sig_oid;
    struct sig_alg sig_alg;
    struct slice signature;
    struct extensions extensions; /* of the extensionRequest attribute */
    struct sans sans;
    struct err key_error;
    struct slice attributes; /* content of [0]: checked Attributes */
};
#define CSR_MAX (64u << 10)
/* Exactly one DER request, copied into a. ERR_MALFORMED. */
bool csr_read(struct arena *a, struct slice der, struct csr **csr, struct err *e) CHECKED;
/* PEM: the first block, whatever its label (exact_label: a block whose label ends in CERTIFICATE
 * REQUEST), or DER. */
bool csr_read_text(struct arena *a, struct slice text, const char *name, bool exact_label,
                   struct csr **csr, struct err *e) CHECKED;
/* First value (whole DER) of an attribute: challengePassword and its like. */
bool csr_attribute(const struct csr *csr, const struct oid *type, struct slice *value) CHECKED;
/* RFC 2986 4.2: the signature verifies under the request's own key.  RSA PKCS#1 and PSS, ECDSA
 * with SHA-1/256/384/512, Ed25519. */
bool csr_verify(const struct csr *csr, struct err *e) CHECKED;
/* Key rules of issuance: RSA 2048..16384 (ERR_FORBIDDEN below), P-224..P-521, Ed25519; other
 * types ERR_MALFORMED. */
bool key_check_strength(const struct key *key, unsigned rsa_bits, struct err *e) CHECKED;

struct csr_wish {
    struct slice common_name;      /* empty: an empty subject */
    const struct subject *subject; /* when not NULL: instead of common_name */
    struct slice raw_subject;      /* a whole Name, DER: wins over both */
    struct sans sans;
    struct extensions extra;
    struct sig_alg alg; /* SIG_ANY: the key's usual one */
};
bool csr_make(struct arena *a, const struct csr_wish *wish, struct signer *signer,
              struct slice *der, struct err *e) CHECKED;
