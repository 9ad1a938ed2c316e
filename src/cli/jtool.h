/*
 * What `step crypto jwt`, `jws` and `jwe` share: which key, which algorithm, what stands in the
 * header of a signature, and how a token is shown (docs/reference/command-line.md).
 *
 * The algorithm comes from the key or from --alg, never from the token alone (RFC 8725 3.1).
 * Functions that return bool leave their error in inv->err.
 */
#pragma once

#include "cli/cli.h"
#include "jose/jwe.h"
#include "jose/jws.h"

/* --- Keys --------------------------------------------------------------------------------- */

enum jtool_use { JTOOL_SIGN, JTOOL_VERIFY, JTOOL_ENCRYPT, JTOOL_DECRYPT, JTOOL_USES };
struct jtool_key {
    struct jwk jwk;
    const char *file; /* where it comes from, for messages */
    const char *alg;  /* JTOOL_DECRYPT: NULL, the message says it */
};

/* --key, --jwks, --kid, --password-file; jwks and key exclude each other. */
extern const struct flag JTOOL_KEY_FLAGS[];
extern const struct flag JTOOL_SUBTLE_FLAGS[];
/* token_kid: what a message names, for --jwks without --kid; else SLICE_NONE. */
/* A set needs a name to choose by; told before anything else is asked for. */
bool jtool_kid_given(struct invocation *inv);
bool jtool_key_load(struct invocation *inv, enum jtool_use use, struct slice token_kid,
                    struct jtool_key *key);
/* The algorithm for a key: the wish, else what the key is for, else the usual one; which an RSA or
 * oct key has in JTOOL_VERIFY only when that is insecure enough.  file is for messages. */
struct jtool_wish {
    const char *alg; /* NULL: none */
    bool subtle, insecure;
};
bool jtool_alg(struct arena *a, const struct jwk *jwk, const char *file, enum jtool_use use,
               const struct jtool_wish *wish, const char **alg, struct err *e) CHECKED;
/* Content of a JWE under a password (PBES2): --password-file, else up to three prompts. */
bool jtool_open(struct invocation *inv, const struct jwe *jwe, const char *name,
                struct slice *plain);

/* --- Signing ------------------------------------------------------------------------------ */

/* --x5c-cert, --x5t-cert, --no-kid. */
extern const struct flag JTOOL_SIGN_FLAGS[];
#define JTOOL_KEY_RULES                                                                            \
    {RULE_ONE_OF, "key", "jwks"},                                                                  \
    {                                                                                              \
        RULE_EXCLUSIVE, "key", "jwks"                                                              \
    }
#define JTOOL_SIGN_RULES                                                                           \
    {RULE_EXCLUSIVE, "x5c-cert", "x5t-cert"}, {RULE_EXCLUSIVE, "x5c-cert", "jwks"},                \
    {                                                                                              \
        RULE_EXCLUSIVE, "x5t-cert", "jwks"                                                         \
    }
/* Puts alg, kid and the certificates into the header, sorts it, signs. */
bool jtool_sign(struct invocation *inv, const struct jtool_key *key, struct json *header,
                struct slice payload, struct slice *token);
/* Members by name. */
void jtool_sort(struct arena *a, struct json *object);

/* --- Reading ------------------------------------------------------------------------------ */

/* Compact or JSON, one signature.  "error parsing token: …". */
bool jtool_jws_read(struct arena *a, struct slice text, struct jws *jws, struct err *e) CHECKED;
/* The same without judging what is in the header: to be looked at, never to be believed. */
bool jtool_jws_look(struct arena *a, struct slice text, struct jws *jws, struct err *e) CHECKED;
/* what: "JWT". "validation failed: invalid signature", or the algorithm does not match. */
bool jtool_verify(const struct jws *jws, const struct jtool_key *key, const char *what,
                  struct err *e) CHECKED;
/* {"header", "payload", "signature"}, indented: the payload as JSON, or as base64url when
 * it is NULL. */
struct slice jtool_show(struct arena *a, const struct jws *jws, const struct json *payload);

/* The other serialization of a JWS or JWE. */
bool jtool_swap(struct arena *a, struct slice text, struct slice *swapped, struct err *e) CHECKED;
