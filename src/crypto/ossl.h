/*
 * Private to this folder: libcrypto's algorithm objects, fetched once, and its errors told as ours.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/err.h"
#include "crypto/digest.h"

enum ossl_cipher {
    CIPHER_AES128_CBC,
    CIPHER_AES192_CBC,
    CIPHER_AES256_CBC,
    CIPHER_AES128_CTR,
    CIPHER_AES192_CTR,
    CIPHER_AES256_CTR,
    CIPHER_AES128_GCM,
    CIPHER_AES192_GCM,
    CIPHER_AES256_GCM,
    CIPHER_AES128_WRAP,
    CIPHER_AES192_WRAP,
    CIPHER_AES256_WRAP,
    CIPHER_DES3_CBC,
    CIPHER_KINDS
};

const EVP_MD *ossl_digest(enum digest d);
const EVP_CIPHER *ossl_cipher(enum ossl_cipher c);
EVP_MAC *ossl_hmac(void);
EVP_KDF *ossl_pbkdf2(void);
EVP_KDF *ossl_scrypt(void);
/* Single DES, only for old key files: from the legacy provider, which is loaded into a library
 * context of its own, so that nothing else ever sees it.  NULL when it is not installed. */
const EVP_CIPHER *ossl_des_cbc(void);

/* A failure that is not the input's: libcrypto cannot do what it must.  Ends the process. */
NORETURN void ossl_die(const char *what);
/* "what: libcrypto's reason"; empties its error queue (a leftover would show up as a TLS error in
 * this thread).  Returns false. */
bool ossl_fail(struct err *e, enum err_kind kind, const char *what);
/* Empties the error queue without telling. */
void ossl_forget(void);
