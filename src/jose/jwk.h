/* JSON Web Keys (RFC 7517, RFC 7518 6, RFC 8037). */
#pragma once

#include "crypto/key.h"
#include "json/json.h"

enum jwk_kty { JWK_EC, JWK_RSA, JWK_OKP, JWK_OCT };
struct jwk {
    enum jwk_kty kty;
    struct slice kid, use, alg; /* n == 0: absent */
    const struct key *key;      /* EC, RSA, OKP: public half */
    struct private_key *secret; /* NULL for a public key */
    struct slice octets;        /* oct */
    struct slice x5c_first;     /* DER of the first x5c certificate, when there */
};

/* Exact member names, duplicates refused.  A private member makes it private; it must belong to
 * the public ones.  RSA at least 1024 bits here; who needs more checks.  x5c, when there, must hold
 * the same key. */
bool jwk_from_json(struct arena *a, const struct json *v, struct jwk *jwk, struct err *e) CHECKED;
/* For keys that strangers send (a JWS header, epk): private members and "oct" are refused before
 * anything is computed with them. */
bool jwk_public_from_json(struct arena *a, const struct json *v, struct jwk *jwk,
                          struct err *e) CHECKED;
bool jwk_read(struct arena *a, struct slice text, struct jwk *jwk, struct err *e) CHECKED;
/* {"keys":[…]}: entries that are unusable are skipped. */
bool jwk_set_read(struct arena *a, struct slice text, struct jwk **keys, size_t *n,
                  struct err *e) CHECKED;
/* Member order of the reference: use, kty, kid, crv, alg, k, x, y, n, e, d, p, q, dp, dq, qi, x5c
 * (the first certificate only).  "k" is private: without it an oct key shows no secret. */
struct json *jwk_json(struct arena *a, const struct jwk *jwk, bool with_private);
/* Compact JSON of it. */
struct slice jwk_text(struct arena *a, const struct jwk *jwk, bool with_private);
/* RFC 7638 with SHA-256, base64url without padding.  The curve must have a JWK name: not P-224. */
struct slice jwk_thumbprint(struct arena *a, const struct key *key);
/* kid = thumbprint, use "sig", alg by the key's type (X25519: neither).  key and secret are
 * borrowed.  P-224: ERR_MALFORMED. */
bool jwk_of_key(struct arena *a, const struct key *key, struct private_key *secret, struct jwk *jwk,
                struct err *e) CHECKED;
