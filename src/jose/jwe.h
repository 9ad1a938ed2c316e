/*
 * JSON Web Encryption (RFC 7516, 7518 4 and 5): compact, and flattened or general JSON with one
 * recipient when read.
 * alg: PBES2-HS256+A128KW, PBES2-HS384+A192KW, PBES2-HS512+A256KW, dir, A128KW A192KW A256KW,
 * A128GCMKW A192GCMKW A256GCMKW, ECDH-ES, ECDH-ES+A128KW/A192KW/A256KW, RSA1_5, RSA-OAEP,
 * RSA-OAEP-256.  enc: A128GCM A192GCM A256GCM A128CBC-HS256 A192CBC-HS384 A256CBC-HS512.
 * Why our own: the reference writes p2c 600 000, which Debian's José refuses.
 */
#pragma once

#include "jose/jwk.h"

#define JWE_P2C_MAX     1000000u
#define JWE_P2C_DEFAULT 600000u
#define JWE_MAX         (1u << 20)

struct jwe {
    struct json *header; /* protected (joined with unprotected ones for reading) */
    struct slice alg, enc, kid, cty;
    struct slice protected_text, encrypted_key, iv, ciphertext, tag, aad_text;
};
bool jwe_looks_like(struct slice text); /* compact with five parts, or JSON with "ciphertext" */
/* White space is removed; a name in two headers, "crit" and "zip" are refused.  ERR_MALFORMED, or
 * ERR_TOO_LARGE above JWE_MAX. */
bool jwe_read(struct arena *a, struct slice text, struct jwe *jwe, struct err *e) CHECKED;
/* With a password (PBES2), octets (dir, A*KW, A*GCMKW) or a private key.  One of the three is
 * used, by alg.  Wrong key: ERR_UNAUTHORIZED; p2c above JWE_P2C_MAX: ERR_MALFORMED.  Constant
 * behaviour for RSA1_5 failures.  plain in a. */
struct jwe_key {
    struct slice password;
    struct slice octets;
    const struct private_key *secret; /* opening */
    const struct key *key;            /* sealing */
    struct slice kid;
};
bool jwe_open(struct arena *a, const struct jwe *jwe, const struct jwe_key *key,
              struct slice *plain, struct err *e) CHECKED;

enum jwe_form { JWE_COMPACT, JWE_FLATTENED };
struct jwe_options {
    const char *alg, *enc;
    const char *typ, *cty; /* NULL: absent */
    uint32_t p2c;          /* 0: JWE_P2C_DEFAULT */
};
/* Header members sorted by name: alg, apu…, cty, enc, kid, p2c, p2s, typ. */
bool jwe_seal(struct arena *a, const struct jwe_options *o, const struct jwe_key *key,
              struct slice plain, enum jwe_form form, struct slice *text, struct err *e) CHECKED;
/* The provisioner form (docs/reference/key-files.md): PBES2-HS256+A128KW, A256GCM, cty "jwk+json",
 * compact.  password must not be empty. */
bool jwe_seal_jwk(struct arena *a, const struct jwk *jwk, struct slice password, enum jwe_form form,
                  struct slice *text, struct err *e) CHECKED;
/* A private JWK out of a JWE or plain JWK text. source as for key files; tries as it says. */
struct password_source;
bool jwk_open(struct arena *a, struct slice text, const char *name, struct password_source *source,
              struct jwk *jwk, struct err *e) CHECKED;
/* A key file of any kind: PEM ("-----BEGIN "; kid = thumbprint), JWE, or JWK. */
bool jose_key_read(struct arena *a, struct slice text, const char *name,
                   struct password_source *source, struct jwk *jwk, struct err *e) CHECKED;
