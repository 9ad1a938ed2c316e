/* Certificate revocation lists (RFC 5280 5). */
#pragma once

#include "x509/cert.h"

struct crl_entry {
    struct slice serial; /* magnitude */
    struct instant at;
    int reason;              /* 0: no extension */
    struct slice extensions; /* read: their list, DER; empty when there is none */
};
struct crl_order {
    uint64_t number;
    struct instant this_update, next_update;
    struct crl_entry *entries;
    size_t n;
    struct slice idp_url;
};
/* v2; AKI, CRL number, issuing distribution point (critical).  The issuer must have cRLSign and a
 * SKI. */
bool crl_make(const struct crl_order *o, const struct issuer *issuer, struct buf *der,
              struct deadline d, struct err *e) CHECKED;
struct crl {
    struct slice der, tbs, sig_oid, signature;
    struct sig_alg sig_alg;
    struct dn issuer;
    struct instant this_update, next_update;
    struct crl_entry *entries;
    size_t n;
    struct extensions extensions;
    struct slice aki;
    int64_t number; /* -1 when absent, INT64_MAX when it does not fit */
    int version;    /* 1 or 2 */
    /* A critical extension (or scope) that nobody here processes: the list says nothing about a
     * certificate that is not in it (RFC 5280 5.2). */
    bool not_understood;
};
#define CRL_MAX (256u << 20)
/* Exactly one DER CRL, copied into a.  next_update is INSTANT_ZERO_GO when absent.  ERR_MALFORMED.
 */
bool crl_read(struct arena *a, struct slice der, struct crl *crl, struct err *e) CHECKED;
/* Issuer's name, cRLSign when it has a key usage, and signature (RFC 5280 6.3.3 (f), (g)). */
bool crl_signed_by(const struct crl *crl, const struct cert *issuer, struct err *e) CHECKED;
