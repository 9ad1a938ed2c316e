/* Which JWK to make: types, their curves and sizes, and a table of algorithms. */
#include "cli/jwk_choice.h"

#include "cli/key_choice.h"

#define OCT_USUAL 32
#define OCT_LEAST 16
#define OCT_MOST  8192
#define RSA_USUAL 2048
#define RSA_MOST  16384

/* --- Kind --------------------------------------------------------------------------------- */

static bool no_size(const struct jwk_wish *w, struct err *e)
{
    return !w->size_given ||
           err_set(e, ERR_MALFORMED, "flag '--size' is incompatible with '--kty %s'", w->kty);
}

static bool no_crv(const struct jwk_wish *w, struct err *e)
{
    return !w->crv ||
           err_set(e, ERR_MALFORMED, "flag '--crv' is incompatible with '--kty %s'", w->kty);
}

static bool choose_ec(const struct jwk_wish *w, struct jwk_kind *k, struct err *e)
{
    *k = (struct jwk_kind){JWK_EC, w->crv ? key_choice_curve(w->crv) : KEY_P256, 0};
    if (k->type == KEY_NONE)
        return err_set(e, ERR_MALFORMED,
                       "flag '--kty EC' is incompatible with flag '--crv %s'; options are P-256, "
                       "P-384, P-521",
                       w->crv);
    return no_size(w, e);
}

static bool choose_okp(const struct jwk_wish *w, struct jwk_kind *k, struct err *e)
{
    *k = (struct jwk_kind){JWK_OKP, KEY_ED25519, 0};
    if (w->crv && strcmp(w->crv, "Ed25519") != 0)
        return err_set(e, ERR_MALFORMED,
                       "flag '--kty OKP' is incompatible with flag '--crv %s'; options are Ed25519",
                       w->crv);
    return no_size(w, e);
}

static bool choose_size(const struct jwk_wish *w, int64_t usual, int64_t least, int64_t most,
                        size_t *size, struct err *e)
{
    int64_t n = w->size_given ? w->size : usual;

    if (n < least && !w->insecure)
        return err_set(e, ERR_MALFORMED,
                       "flag '--size' requires at least %lld unless '--insecure' flag is provided",
                       (long long)least);
    if (n <= 0)
        return err_set(e, ERR_MALFORMED, "flag '--size' must be greater than or equal to 0");
    if (n > most)
        return err_set(e, ERR_MALFORMED, "flag '--size' must be at most %lld", (long long)most);
    *size = (size_t)n;
    return true;
}

static bool choose_rsa(const struct jwk_wish *w, struct jwk_kind *k, struct err *e)
{
    *k = (struct jwk_kind){JWK_RSA, KEY_RSA, 0};
    if (!no_crv(w, e) || !choose_size(w, RSA_USUAL, RSA_USUAL, RSA_MOST, &k->size, e))
        return false;
    /* RFC 7518 3.3 asks for it, whatever the user confirms. */
    return k->size >= RSA_USUAL ||
           err_set(e, ERR_MALFORMED, "the size of the RSA key should be at least 2048 bits");
}

static bool choose_oct(const struct jwk_wish *w, struct jwk_kind *k, struct err *e)
{
    *k = (struct jwk_kind){JWK_OCT, KEY_NONE, 0};
    return no_crv(w, e) && choose_size(w, OCT_USUAL, OCT_LEAST, OCT_MOST, &k->size, e);
}

bool jwk_choose(const struct jwk_wish *w, struct jwk_kind *kind, struct err *e)
{
    static const struct {
        const char *kty;
        bool (*choose)(const struct jwk_wish *, struct jwk_kind *, struct err *);
    } TYPES[] = {{"EC", choose_ec}, {"RSA", choose_rsa}, {"OKP", choose_okp}, {"oct", choose_oct}};

    for (size_t i = 0; w->kty && i < COUNT_OF(TYPES); i++) {
        if (strcmp(w->kty, TYPES[i].kty) == 0)
            return TYPES[i].choose(w, kind, e);
    }
    if (!w->kty || !*w->kty)
        return err_set(e, ERR_MALFORMED,
                       "missing value for flag '--kty'; options are EC, RSA, OKP, or oct");
    return err_set(e, ERR_MALFORMED,
                   "invalid value '%s' for flag '--kty'; options are EC, RSA, OKP, or oct", w->kty);
}

/* --- Algorithm ---------------------------------------------------------------------------- */

#define ALGS_MAX 8
/* The first algorithm of a row is the usual one. */
static const struct fitting {
    const char *use;
    enum jwk_kty kty;
    enum key_type type; /* KEY_NONE: any of that kty */
    const char *algs[ALGS_MAX];
} FITTING[] = {
    {"sig", JWK_EC, KEY_P256, {"ES256"}},
    {"sig", JWK_EC, KEY_P384, {"ES384"}},
    {"sig", JWK_EC, KEY_P521, {"ES512"}},
    {"sig", JWK_OKP, KEY_ED25519, {"EdDSA"}},
    {"sig", JWK_RSA, KEY_NONE, {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}},
    {"sig", JWK_OCT, KEY_NONE, {"HS256", "HS384", "HS512"}},
    {"enc", JWK_EC, KEY_NONE, {"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"}},
    {"enc", JWK_RSA, KEY_NONE, {"RSA-OAEP-256", "RSA-OAEP", "RSA1_5"}},
    {"enc",
     JWK_OCT,
     KEY_NONE,
     {"A256GCMKW", "dir", "A128KW", "A192KW", "A256KW", "A128GCMKW", "A192GCMKW"}},
};

static const struct fitting *fitting_find(const struct jwk *jwk, const char *use)
{
    for (size_t i = 0; i < COUNT_OF(FITTING); i++) {
        const struct fitting *f = &FITTING[i];
        bool type = f->type == KEY_NONE || (jwk->key && jwk->key->type == f->type);
        if (strcmp(f->use, use) == 0 && f->kty == jwk->kty && type)
            return f;
    }
    return NULL;
}

static bool not_compatible(const struct jwk *jwk, const char *alg, struct err *e)
{
    static const char *const KTY[] = {
        [JWK_EC] = "EC", [JWK_RSA] = "RSA", [JWK_OKP] = "OKP", [JWK_OCT] = "oct"};
    const char *crv = jwk->key ? key_curve_name(jwk->key->type) : NULL;

    if (!crv)
        return err_set(e, ERR_MALFORMED, "alg '%s' is not compatible with kty '%s'", alg,
                       KTY[jwk->kty]);
    return err_set(e, ERR_MALFORMED, "alg '%s' is not compatible with kty '%s' and crv '%s'", alg,
                   KTY[jwk->kty], crv);
}

bool jwk_alg_choose(const struct jwk *jwk, const char *use, const char *wish, const char **alg,
                    struct err *e)
{
    *alg = wish;
    if (strcmp(use, "sig") != 0 && strcmp(use, "enc") != 0)
        return true;
    const struct fitting *f = fitting_find(jwk, use);
    if (!f)
        return err_set(e, ERR_MALFORMED, "'--use %s' is not compatible with a key of type '%s'",
                       use, jwk->key ? key_curve_name(jwk->key->type) : "oct");
    *alg = wish ? wish : f->algs[0];
    for (size_t i = 0; i < ALGS_MAX && f->algs[i]; i++) {
        if (strcmp(f->algs[i], *alg) == 0)
            return true;
    }
    return not_compatible(jwk, wish, e);
}
