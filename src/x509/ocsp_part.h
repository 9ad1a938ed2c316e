/* What ocsp.c and ocsp_response.c share. */
#pragma once

#include "x509/ocsp.h"

extern const struct oid OID_OCSP_BASIC, OID_OCSP_NONCE;

/* The next element, a CertID. */
bool ocsp_id_take(struct der *d, struct ocsp_id *id) CHECKED;
/* nonce: what an extension holds, an OCTET STRING in it or (older clients) bare octets. */
struct slice ocsp_nonce_of(const struct extensions *x);
/* "OCSP …: expected … (RFC 6960 …)" */
bool ocsp_bad(struct err *e, const char *field, const char *expected, const char *section);
