/*
 * Algorithm objects of libcrypto.  An implicit fetch takes a lock and compares names on every use
 * (OpenSSL 3.0), so all of them are fetched together at first use and stay until the process ends.
 */
#include "crypto/ossl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const DIGEST_NAMES[DIGEST_KINDS] = {
    [DIGEST_MD5] = "MD5",
    [DIGEST_SHA1] = "SHA1",
    [DIGEST_SHA224] = "SHA224",
    [DIGEST_SHA256] = "SHA256",
    [DIGEST_SHA384] = "SHA384",
    [DIGEST_SHA512] = "SHA512",
    [DIGEST_SHA512_224] = "SHA512-224",
    [DIGEST_SHA512_256] = "SHA512-256",
};
static const char *const CIPHER_NAMES[CIPHER_KINDS] = {
    [CIPHER_AES128_CBC] = "AES-128-CBC",   [CIPHER_AES192_CBC] = "AES-192-CBC",
    [CIPHER_AES256_CBC] = "AES-256-CBC",   [CIPHER_AES128_CTR] = "AES-128-CTR",
    [CIPHER_AES192_CTR] = "AES-192-CTR",   [CIPHER_AES256_CTR] = "AES-256-CTR",
    [CIPHER_AES128_GCM] = "AES-128-GCM",   [CIPHER_AES192_GCM] = "AES-192-GCM",
    [CIPHER_AES256_GCM] = "AES-256-GCM",   [CIPHER_AES128_WRAP] = "AES-128-WRAP",
    [CIPHER_AES192_WRAP] = "AES-192-WRAP", [CIPHER_AES256_WRAP] = "AES-256-WRAP",
    [CIPHER_DES3_CBC] = "DES-EDE3-CBC",
};

static struct {
    EVP_MD *digests[DIGEST_KINDS];
    EVP_CIPHER *ciphers[CIPHER_KINDS];
    EVP_MAC *hmac;
    EVP_KDF *pbkdf2, *scrypt;
} algorithms;
static pthread_once_t algorithms_once = PTHREAD_ONCE_INIT;

static const EVP_CIPHER *des_cbc;
static pthread_once_t des_once = PTHREAD_ONCE_INIT;

void ossl_die(const char *what)
{
    fprintf(stderr, "libcrypto: %s failed\n", what);
    abort();
}

static void fetch_all(void)
{
    for (size_t i = 0; i < DIGEST_KINDS; i++) {
        if (!DIGEST_NAMES[i])
            continue;
        /* MD5 is missing in a FIPS configuration; only its users must fail. */
        algorithms.digests[i] = EVP_MD_fetch(NULL, DIGEST_NAMES[i], NULL);
        if (!algorithms.digests[i] && i != DIGEST_MD5)
            ossl_die(DIGEST_NAMES[i]);
    }
    for (size_t i = 0; i < CIPHER_KINDS; i++)
        algorithms.ciphers[i] = EVP_CIPHER_fetch(NULL, CIPHER_NAMES[i], NULL);
    algorithms.hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    algorithms.pbkdf2 = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_PBKDF2, NULL);
    algorithms.scrypt = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_SCRYPT, NULL);
    if (!algorithms.hmac)
        ossl_die("HMAC");
    ERR_clear_error();
}

static void fetched(void)
{
    pthread_once(&algorithms_once, fetch_all);
}

const EVP_MD *ossl_digest(enum digest d)
{
    fetched();
    return algorithms.digests[d];
}

const EVP_CIPHER *ossl_cipher(enum ossl_cipher c)
{
    fetched();
    return algorithms.ciphers[c];
}

EVP_MAC *ossl_hmac(void)
{
    fetched();
    return algorithms.hmac;
}

EVP_KDF *ossl_pbkdf2(void)
{
    fetched();
    return algorithms.pbkdf2;
}

EVP_KDF *ossl_scrypt(void)
{
    fetched();
    return algorithms.scrypt;
}

static void fetch_des(void)
{
    OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();

    if (ctx && OSSL_PROVIDER_load(ctx, "legacy"))
        des_cbc = EVP_CIPHER_fetch(ctx, "DES-CBC", NULL);
    ERR_clear_error();
}

const EVP_CIPHER *ossl_des_cbc(void)
{
    pthread_once(&des_once, fetch_des);
    return des_cbc;
}

bool ossl_fail(struct err *e, enum err_kind kind, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    if (reason)
        err_set(e, kind, "%s: %s", what, reason);
    else
        err_set(e, kind, "%s", what);
    ERR_clear_error();
    return false;
}

void ossl_forget(void)
{
    ERR_clear_error();
}
