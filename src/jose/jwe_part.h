/*
 * The two halves of a JWE that jwe.c puts together: how the content encryption key (CEK) reaches
 * the reader (jwe_key.c), and how it encrypts the content (jwe_content.c).  Not for other floors.
 */
#pragma once

#include "crypto/digest.h"
#include "crypto/key.h"
#include "jose/jwe.h"

/* RFC 7518 5.1. */
struct jwe_enc {
    const char *name;
    size_t cek;      /* bytes of the whole key */
    size_t iv, tag;  /* bytes */
    enum digest mac; /* DIGEST_NONE: AES-GCM; else AES-CBC with that HMAC */
};
const struct jwe_enc *jwe_enc_of(struct slice name); /* NULL: unknown */

struct jwe_content {
    struct slice iv, ciphertext, tag;
};
/* A fresh IV. */
bool jwe_content_seal(struct arena *a, const struct jwe_enc *enc, struct slice cek,
                      struct slice aad, struct slice plain, struct jwe_content *out,
                      struct err *e) CHECKED;
/* jwe_refused when the tag does not fit. */
bool jwe_content_open(struct arena *a, const struct jwe_enc *enc, struct slice cek,
                      struct slice aad, const struct jwe_content *in, struct slice *plain,
                      struct err *e) CHECKED;

/* One error for everything that goes wrong once secrets are in play, so that a stranger cannot
 * tell which step failed (RFC 7516 11.5). */
bool jwe_refused(struct err *e);

/* RFC 7518 4.1. */
struct jwe_unwrap {
    struct arena *secrets;
    const struct json *header;
    struct slice encrypted_key;
    const struct jwe_enc *enc;
    const struct jwe_key *key;
};
struct jwe_wrap {
    struct arena *secrets;
    const struct jwe_enc *enc;
    const struct jwe_key *key;
    struct slice cek;           /* made already; dir and ECDH-ES put theirs here */
    struct slice encrypted_key; /* empty for dir and ECDH-ES */
    /* Header members, when there. */
    struct slice p2s, iv, tag;
    uint32_t p2c;
    const struct json *epk;
};
struct jwe_alg {
    const char *name;
    size_t kek;         /* bytes of the key that wraps; 0: none, or the CEK itself */
    enum digest digest; /* PBES2 */
    enum rsa_padding padding;
    bool no_cek; /* dir, ECDH-ES: the CEK follows from the key */
    bool (*open)(const struct jwe_alg *, const struct jwe_unwrap *, struct slice *cek,
                 struct err *);
    bool (*seal)(const struct jwe_alg *, struct jwe_wrap *, struct err *);
};
const struct jwe_alg *jwe_alg_of(struct slice name); /* NULL: unknown */
