/*
 * Tokens: a JWS whose payload is an object of claims (RFC 7519).  Reading checks types, so that
 * whoever uses a claim later need not; judging times takes the caller's clock.
 *
 * Members are compared by their exact names, and no name may stand twice (RFC 7519 4).
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/encode.h"
#include "crypto/digest.h"
#include "jose/jws.h"
#include "jose/part.h"

#define CHAIN_MAX 16u

/* --- Claims ---------------------------------------------------------------------------------- */

/* NumericDate (RFC 7519 2): any JSON number; the fraction is cut.  What does not fit into 64 bits
 * is no date: refused, since a saturated one would be valid for ever. */
static bool claim_time(const struct json *claims, const char *name, struct claim_time *t,
                       struct err *e)
{
    const struct json *v = json_get_exact(claims, name);
    double d;

    *t = (struct claim_time){0};
    if (!v || v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_NUMBER)
        return err_set(e, ERR_MALFORMED, "token: RFC 7519 2: expected a number as '%s'", name);
    t->set = true;
    if (json_int(v, &t->sec))
        return true;
    if (!json_double(v, &d) || !(d > -0x1p63 && d < 0x1p63))
        return err_set(e, ERR_MALFORMED, "token: RFC 7519 2: '%s' is out of range", name);
    t->sec = (int64_t)d;
    return true;
}

static bool claims_read(struct arena *a, struct token *t, struct err *e)
{
    const struct json *claims = t->claims;

    return jose_text(claims, "iss", "token", &t->iss, e) &&
           jose_text(claims, "sub", "token", &t->sub, e) &&
           jose_text(claims, "jti", "token", &t->jti, e) &&
           token_texts(a, claims, "aud", &t->aud, &t->n_aud, e) &&
           claim_time(claims, "exp", &t->exp, e) && claim_time(claims, "nbf", &t->nbf, e) &&
           claim_time(claims, "iat", &t->iat, e);
}

bool token_read(struct arena *a, struct slice text, struct token *token, struct err *e)
{
    *token = (struct token){0};
    if (text.n > TOKEN_MAX)
        return err_set(e, ERR_MALFORMED, "token: more than %u bytes", TOKEN_MAX);
    if (!jws_read(a, text, &token->jws, e))
        return err_wrap(e, "token");
    token->claims = json_read(a, token->jws.payload, &JSON_JOSE, NULL, e);
    if (!token->claims)
        return err_wrap(e, "token claims");
    if (token->claims->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "token: RFC 7519 7.2: expected an object of claims");
    return claims_read(a, token, e);
}

struct slice token_identity(struct arena *a, const struct token *token)
{
    const struct jws *j = &token->jws;
    bool ecdsa = j->alg == JWS_ES256 || j->alg == JWS_ES384 || j->alg == JWS_ES512;
    struct slice fixed = slice_sub(j->signature, 0, j->signature.n / (ecdsa ? 2 : 1));

    return sha256_hex(a, arena_format(a, "%.*s.%.*s", SLICE_ARG(j->signing_input),
                                      SLICE_ARG(hex_text(a, fixed))));
}

bool token_texts(struct arena *a, const struct json *claims, const char *name, struct slice **v,
                 size_t *n, struct err *e)
{
    const struct json *claim = json_get_exact(claims, name);

    *v = NULL;
    *n = 0;
    if (!claim || claim->kind == JSON_NULL)
        return true;
    if (claim->kind != JSON_TEXT && claim->kind != JSON_LIST)
        return err_set(e, ERR_MALFORMED, "token: expected a text or a list of texts as '%s'", name);
    bool list = claim->kind == JSON_LIST;
    struct slice *texts = arena_array(a, list ? claim->n : 1, sizeof(*texts));
    size_t count = 0;
    for (const struct json *item = list ? claim->first : claim; item;
         item = list ? item->next : NULL) {
        if (item->kind != JSON_TEXT)
            return err_set(e, ERR_MALFORMED, "token: expected only texts in '%s'", name);
        texts[count++] = json_text(item);
    }
    *v = texts;
    *n = count;
    return true;
}

/* --- Times ----------------------------------------------------------------------------------- */

static int64_t saturated(int64_t a, int64_t b)
{
    int64_t sum;

    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

/* "2026-02-03T10:20:30Z", or the number when no calendar has it. */
static void time_text(char out[32], int64_t sec)
{
    static const int64_t YEAR_1 = INT64_C(-62135596800), YEAR_9999_END = INT64_C(253402300799);

    if (sec < YEAR_1 || sec > YEAR_9999_END) {
        snprintf(out, 32, "%" PRId64, sec);
        return;
    }
    struct civil c = instant_civil(instant_sec(sec));
    snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour, c.minute,
             c.second);
}

bool token_times(const struct token *token, struct instant now, int64_t leeway, struct err *e)
{
    const struct claim_time *nbf = &token->nbf, *exp = &token->exp, *iat = &token->iat;
    int64_t latest = saturated(now.sec, leeway), earliest = saturated(now.sec, -leeway);
    char when[32];

    if (nbf->set && latest < nbf->sec) {
        time_text(when, nbf->sec);
        return err_set(e, ERR_UNAUTHORIZED, "token not valid before %s", when);
    }
    /* A part of a second after exp is after it. */
    if (exp->set && (earliest > exp->sec || (earliest == exp->sec && now.nsec > 0))) {
        time_text(when, exp->sec);
        return err_set(e, ERR_UNAUTHORIZED, "token expired at %s", when);
    }
    if (iat->set && latest < iat->sec) {
        time_text(when, iat->sec);
        return err_set(e, ERR_UNAUTHORIZED, "token issued in the future: %s", when);
    }
    return true;
}

/* --- Certificates in headers ----------------------------------------------------------------- */

bool token_chain(struct arena *a, const struct json *header, const char *name, struct slice **ders,
                 size_t *n, struct err *e)
{
    const struct json *list = json_get_exact(header, name);

    *ders = NULL;
    *n = 0;
    if (!list)
        return err_set(e, ERR_MALFORMED, "token header: '%s' is missing", name);
    if (list->kind != JSON_LIST || list->n == 0 || list->n > CHAIN_MAX)
        return err_set(e, ERR_MALFORMED,
                       "token header: RFC 7515 4.1.6: expected a list of 1 to %u certificates as "
                       "'%s'",
                       CHAIN_MAX, name);
    struct slice *chain = arena_array(a, list->n, sizeof(*chain));
    size_t count = 0;
    for (const struct json *item = list->first; item; item = item->next, count++) {
        struct slice text = json_text(item);
        if (text.n == 0 || !base64_read(a, BASE64_STD, text, &chain[count]))
            return err_set(e, ERR_MALFORMED,
                           "token header: RFC 7515 4.1.6: '%s' number %zu is not base64 of a "
                           "certificate",
                           name, count + 1);
    }
    *ders = chain;
    *n = count;
    return true;
}
