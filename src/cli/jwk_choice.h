/* Which JWK to make, and which algorithms fit it (RFC 7518 3.1, 4.1). */
#pragma once

#include "cli/cli.h"
#include "jose/jwk.h"

struct jwk_wish {
    const char *kty, *crv; /* crv NULL: none given */
    bool size_given;
    int64_t size;
    bool insecure;
};
struct jwk_kind {
    enum jwk_kty kty;
    enum key_type type; /* KEY_NONE: oct */
    size_t size;        /* RSA: bits; oct: bytes; else 0 */
};
bool jwk_choose(const struct jwk_wish *wish, struct jwk_kind *kind, struct err *e) CHECKED;
/* The algorithm of a key with that use: wish when it fits, the usual one when wish is NULL.  A use
 * that is neither "sig" nor "enc" takes anything, also none (NULL). */
bool jwk_alg_choose(const struct jwk *jwk, const char *use, const char *wish, const char **alg,
                    struct err *e) CHECKED;
