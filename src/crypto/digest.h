/* Digests and keyed digests; algorithm objects are fetched once (the implicit fetch takes a lock
 * in OpenSSL 3.0). */
#pragma once

#include "base/arena.h"
#include "base/slice.h"

enum digest {
    DIGEST_NONE,
    DIGEST_MD5,
    DIGEST_SHA1,
    DIGEST_SHA224,
    DIGEST_SHA256,
    DIGEST_SHA384,
    DIGEST_SHA512,
    /* FIPS 180-4 5.3.6; only for files on this machine: no certificate or token uses them. */
    DIGEST_SHA512_224,
    DIGEST_SHA512_256,
    DIGEST_KINDS
};
#define DIGEST_MAX 64

size_t digest_size(enum digest d);
const char *digest_name(enum digest d); /* "SHA256" */
void digest_of(enum digest d, struct slice message, uint8_t out[DIGEST_MAX]);
struct slice digest_bytes(struct arena *a, enum digest d, struct slice message);
/* Lower-case hex of SHA-256: the root fingerprint. */
struct slice sha256_hex(struct arena *a, struct slice message);
void hmac_of(enum digest d, struct slice key, struct slice message, uint8_t out[DIGEST_MAX]);

/* Several pieces. */
struct digest_run {
    void *ctx;
    enum digest d;
};
struct digest_run digest_begin(enum digest d);
void digest_add(struct digest_run *r, struct slice s);
void digest_end(struct digest_run *r, uint8_t out[DIGEST_MAX]);
