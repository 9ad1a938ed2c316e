/* Symmetric encryption and key derivation for key files and JWE. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "crypto/digest.h"

/* AES-GCM, 12-byte IV, 16-byte tag; key 16, 24 or 32 bytes.  out: as long as plain, tag separate.
 */
bool aes_gcm_seal(struct arena *a, struct slice key, struct slice iv, struct slice aad,
                  struct slice plain, struct slice *out, uint8_t tag[16], struct err *e) CHECKED;
/* ERR_MALFORMED when the tag does not fit. */
bool aes_gcm_open(struct arena *a, struct slice key, struct slice iv, struct slice aad,
                  struct slice in, struct slice tag, struct slice *plain, struct err *e) CHECKED;
/* AES-CBC with PKCS#7 padding. */
bool aes_cbc_seal(struct arena *a, struct slice key, struct slice iv, struct slice plain,
                  struct slice *out, struct err *e) CHECKED;
bool aes_cbc_open(struct arena *a, struct slice key, struct slice iv, struct slice in,
                  struct slice *plain, struct err *e) CHECKED;
/* RFC 3394. */
bool aes_wrap(struct arena *a, struct slice kek, struct slice key, struct slice *out,
              struct err *e) CHECKED;
bool aes_unwrap(struct arena *a, struct slice kek, struct slice in, struct slice *key,
                struct err *e) CHECKED;
bool pbkdf2(struct arena *a, enum digest d, struct slice password, struct slice salt,
            uint32_t rounds, size_t n, struct slice *key, struct err *e) CHECKED;
/* OpenSSH's bcrypt_pbkdf. */
bool bcrypt_pbkdf(struct arena *a, struct slice password, struct slice salt, uint32_t rounds,
                  size_t n, struct slice *key, struct err *e) CHECKED;
/* RFC 7914.  n is a power of two; memory (128 n r) and work (n r p) are bounded: ERR_MALFORMED. */
bool cipher_scrypt(struct arena *a, struct slice password, struct slice salt, uint64_t n,
                   uint32_t r, uint32_t p, size_t size, struct slice *key, struct err *e) CHECKED;
