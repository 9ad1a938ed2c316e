/*
 * JSON Web Signatures and tokens (RFC 7515, 7519), compact serialization.  A token that has been
 * read is shape only: nothing in it is believed until jws_verify.
 */
#pragma once

#include "base/clock.h"
#include "crypto/signer.h"
#include "jose/jwk.h"
#include "json/json.h"

#define TOKEN_MAX (64u << 10)

enum jws_alg {
    JWS_NONE, /* "none" or unknown: never verifies */
    JWS_ES256,
    JWS_ES384,
    JWS_ES512,
    JWS_RS256,
    JWS_RS384,
    JWS_RS512,
    JWS_PS256,
    JWS_PS384,
    JWS_PS512,
    JWS_EDDSA,
    JWS_HS256,
    JWS_HS384,
    JWS_HS512,
    JWS_ALGS
};
const char *jws_alg_name(enum jws_alg alg);
enum jws_alg jws_alg_of(struct slice name); /* JWS_NONE when unknown */
/* ES256 for P-256, RS256 for RSA, EdDSA…; JWS_NONE when the key cannot sign. */
enum jws_alg jws_alg_usual(const struct key *k);
/* By type and curve; RSA from 1024 bits. */
bool jws_alg_fits(enum jws_alg alg, const struct key *k);

struct jws {
    struct slice text;          /* the whole token, white space removed */
    struct slice signing_input; /* "header.payload" */
    struct slice payload;       /* decoded */
    struct slice signature;     /* decoded */
    enum jws_alg alg;
    struct json *header;
    struct slice kid;
};
/* Three base64url parts; the header is a JSON object without duplicate names; "crit" is refused
 * (none is understood).  White space anywhere is removed first. ERR_MALFORMED. */
bool jws_read(struct arena *a, struct slice text, struct jws *jws, struct err *e) CHECKED;
/* Flattened JSON, or general with exactly one signature (RFC 7515 7.2): ACME's form.  "payload"
 * must be there, and may be "".  An unprotected header must be absent or empty, "crit" as above.
 * Padding behind base64url is dropped. ERR_MALFORMED. */
bool jws_read_json(struct arena *a, struct slice text, struct jws *jws, struct err *e) CHECKED;
/* The algorithms come from the key; alg must fit its type and curve.  ERR_UNAUTHORIZED. */
bool jws_verify(const struct jws *jws, const struct key *key, struct err *e) CHECKED;
bool jws_verify_hmac(const struct jws *jws, struct slice secret, struct err *e) CHECKED;
/* header: JSON object text whose alg is this one. */
bool jws_sign(struct arena *a, struct slice header, struct slice payload, struct signer *s,
              enum jws_alg alg, struct deadline d, struct slice *token, struct err *e) CHECKED;
bool jws_sign_hmac(struct arena *a, struct slice header, struct slice payload, struct slice secret,
                   enum jws_alg alg, struct slice *token, struct err *e) CHECKED;

struct claim_time {
    bool set;    /* null counts as absent */
    int64_t sec; /* fraction cut */
};
struct token {
    struct jws jws;
    struct json *claims; /* object, exact names, no duplicates */
    struct slice iss, sub, jti;
    struct slice *aud;
    size_t n_aud;
    struct claim_time exp, nbf, iat;
};
/* jws_read plus claims of the right types. ERR_MALFORMED. */
bool token_read(struct arena *a, struct slice text, struct token *token, struct err *e) CHECKED;
/* SHA-256 (hex) of what only the holder of the key can have made: what is signed, and the
 * signature; of ECDSA's only r, since anybody can turn (r, s) into (r, n - s). */
struct slice token_identity(struct arena *a, const struct token *token);
/* RFC 7519 4.1.4–6 with leeway seconds; an absent claim passes.  ERR_UNAUTHORIZED "token expired
 * at …", "token not valid before …", "token issued in the future: …". */
bool token_times(const struct token *token, struct instant now, int64_t leeway,
                 struct err *e) CHECKED;
/* Texts of an array claim (or of a lone text); n 0 when absent; false on a wrong type. */
bool token_texts(struct arena *a, const struct json *claims, const char *name, struct slice **v,
                 size_t *n, struct err *e) CHECKED;
/* x5c / x5cInsecure header: standard base64 DER, 1..16 certificates; absent is an error too.
 * ERR_MALFORMED. */
bool token_chain(struct arena *a, const struct json *header, const char *name, struct slice **ders,
                 size_t *n, struct err *e) CHECKED;
