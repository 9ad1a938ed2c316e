/* Extensions (RFC 5280 4.2) and the provisioner extension 1.3.6.1.4.1.37476.9000.64.1. */
#pragma once

#include "x509/names.h"

struct extension {
    struct slice oid; /* content octets */
    bool critical;
    struct slice value; /* what the OCTET STRING holds */
    struct slice raw;   /* the whole Extension, DER, when it was read */
};
struct extensions {
    struct extension *v;
    size_t n;
};
#define EXTENSIONS_MAX 64
extern const struct oid OID_EXT_SKI, OID_EXT_KEY_USAGE, OID_EXT_SAN, OID_EXT_BASIC,
    OID_EXT_NAME_CONSTRAINTS, OID_EXT_CRL_POINTS, OID_EXT_POLICIES, OID_EXT_AKI, OID_EXT_EKU,
    OID_EXT_AIA, OID_EXT_CRL_NUMBER, OID_EXT_REASON, OID_EXT_IDP, OID_EXT_PROVISIONER,
    OID_EXT_AUTHORITY;

const struct extension *extensions_get(const struct extensions *x, const struct oid *oid);
/* SEQUENCE OF Extension; a duplicate OID is an error (RFC 5280 4.2). */
bool extensions_read(struct arena *a, struct slice der, struct extensions *x,
                     struct err *e) CHECKED;
void extension_put(struct buf *b, const struct extension *x);

/* libcrypto's x509v3.h has macros of these names with other values: a file that needs it includes
 * it before this one. */
#undef KU_DIGITAL_SIGNATURE
#undef KU_KEY_ENCIPHERMENT
#undef KU_DATA_ENCIPHERMENT
#undef KU_KEY_AGREEMENT
#undef KU_CRL_SIGN
#undef KU_ENCIPHER_ONLY
#undef KU_DECIPHER_ONLY
/* RFC 5280 4.2.1.3: bit 0 digitalSignature … 8 decipherOnly, as 1 << bit. */
enum key_usage {
    KU_DIGITAL_SIGNATURE = 1 << 0,
    KU_CONTENT_COMMITMENT = 1 << 1,
    KU_KEY_ENCIPHERMENT = 1 << 2,
    KU_DATA_ENCIPHERMENT = 1 << 3,
    KU_KEY_AGREEMENT = 1 << 4,
    KU_CERT_SIGN = 1 << 5,
    KU_CRL_SIGN = 1 << 6,
    KU_ENCIPHER_ONLY = 1 << 7,
    KU_DECIPHER_ONLY = 1 << 8
};
extern const struct oid OID_EKU_ANY, OID_EKU_SERVER, OID_EKU_CLIENT, OID_EKU_CODE, OID_EKU_EMAIL,
    OID_EKU_TIME, OID_EKU_OCSP;
extern const struct oid OID_AD_OCSP, OID_AD_CA_ISSUERS; /* access methods: RFC 5280 4.2.2.1 */

struct basic_constraints {
    bool ca;
    int path_len; /* -1: none */
};

/* --- Values that are read where they are needed: false when they do not decode. ----------- */

struct urls {
    struct slice *v;
    size_t n;
};
/* Authority information access: URLs of OCSP responders and of issuers' certificates. */
bool aia_read(struct arena *a, struct slice value, struct urls *ocsp, struct urls *issuers) CHECKED;
/* URLs of all CRL distribution points. */
bool crl_points_read(struct arena *a, struct slice value, struct urls *out) CHECKED;
/* Policies with the CPS URL of each (empty when there is none). */
struct policies {
    struct policy {
        struct slice oid, cps;
    } * v;
    size_t n;
};
bool policies_read(struct arena *a, struct slice value, struct policies *out) CHECKED;

/* docs/reference/provisioner-extension.md */
struct provisioner_extension {
    int64_t type;
    struct slice name, credential_id;
    struct slice *pairs; /* key, value, key, value… */
    size_t n_pairs;
};
void provisioner_extension_put(struct buf *b,
                               const struct provisioner_extension *p); /* the value */
/* Bytes after the SEQUENCE are ignored. */
bool provisioner_extension_read(struct arena *a, struct slice value,
                                struct provisioner_extension *p, struct err *e) CHECKED;
