/*
 * PKCS #12 (RFC 7292): a key with its certificates, or certificates to trust, in one file under a
 * password.  Only written here; libcrypto does the format.
 */
#pragma once

#include "crypto/key.h"

struct pkcs12_cert {
    struct slice der;
    struct slice name; /* friendlyName, UTF-8; empty: none */
    bool trusted;      /* with the attribute by which Java knows what it may trust */
};
struct pkcs12_order {
    const struct private_key *key;   /* NULL: a trust store */
    const struct pkcs12_cert *certs; /* with a key its certificate first */
    size_t n;
    struct slice password; /* may be empty; UTF-8 without NUL */
    /* PBE with SHA-1: RC2-40 for certificates, 3DES for the key, one MAC iteration; for readers
     * that know nothing else.  Else PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC, MAC HMAC-SHA256.
     */
    bool legacy;
};
/* DER, in a (make it a secret arena).  ERR_NOT_IMPLEMENTED: this libcrypto has no legacy ciphers.
 */
bool pkcs12_make(struct arena *a, const struct pkcs12_order *o, struct slice *der,
                 struct err *e) CHECKED;
