/*
 * Certificates in programs for Windows: the PKCS#7 signatures (Authenticode) in the certificate
 * table of a PE file.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct winpe_certs {
    struct slice *v; /* DER, in the order of the file */
    size_t n;
};
/* Certificates of every signature of the table.  None at all is an error. */
bool winpe_read(struct arena *a, struct slice file, struct winpe_certs *certs,
                struct err *e) CHECKED;
/* The certificates of a SignedData (RFC 2315 9.1), appended. */
bool winpe_pkcs7(struct arena *a, struct slice der, struct winpe_certs *certs,
                 struct err *e) CHECKED;
