/*
 * Tokens that a client signs itself: one-time tokens of JWK and X5C provisioners, and the token
 * that renews a certificate without mTLS.
 *
 * Header and claims are written with their names in order, as the reference's encoder does, so
 * that equal wishes give equal tokens.
 */
#include "client/make_token.h"

#include <stdlib.h>

#include "base/encode.h"
#include "crypto/signer.h"

#define RENEW_ISSUER   "step-ca-client/1.0"
#define RENEW_LIFETIME (5 * 60)
#define JTI_BYTES      32
#define HEADER_MEMBERS 5

struct member {
    const char *name;
    struct slice json;
};

static int member_order(const void *a, const void *b)
{
    const struct member *left = a, *right = b;

    return strcmp(left->name, right->name);
}

static struct slice quoted(struct arena *a, struct slice text)
{
    struct buf b = buf_new(a, TOKEN_MAX);

    json_put_text_plain(&b, text);
    return buf_slice(&b);
}

/* RFC 7515 4.1.6: standard base64 with padding, not base64url. */
static struct slice chain_json(struct arena *a, const struct slice *ders, size_t n)
{
    struct buf b = buf_new(a, TOKEN_MAX);

    buf_byte(&b, '[');
    for (size_t i = 0; i < n; i++) {
        buf_text(&b, i ? ",\"" : "\"");
        base64_put(&b, BASE64_STD, ders[i]);
        buf_byte(&b, '"');
    }
    buf_byte(&b, ']');
    return buf_slice(&b);
}

static bool write_header(struct arena *a, const struct token_wish *wish,
                         const struct private_key *key, enum jws_alg alg, struct slice *header,
                         struct err *e)
{
    struct slice kid = wish->kid.n ? wish->kid : jwk_thumbprint(a, key->public_key);
    struct member m[HEADER_MEMBERS] = {
        {"alg", quoted(a, slice_text(jws_alg_name(alg)))},
        {"kid", quoted(a, kid)},
        {"typ", SLICE("\"JWT\"")},
    };
    size_t n = 3;
    struct buf b = buf_new(a, TOKEN_MAX);
    struct json_writer w = json_writer(&b);

    if (wish->n_x5c)
        m[n++] = (struct member){wish->x5c_insecure ? "x5cInsecure" : "x5c",
                                 chain_json(a, wish->x5c, wish->n_x5c)};
    if (wish->header_extra_name.n)
        m[n++] = (struct member){arena_cstr(a, wish->header_extra_name),
                                 quoted(a, wish->header_extra_value)};
    qsort(m, n, sizeof(*m), member_order);
    json_open(&w, NULL);
    for (size_t i = 0; i < n; i++)
        json_member_raw(&w, m[i].name, m[i].json);
    json_close(&w);
    *header = buf_slice(&b);
    return buf_done(&b, "token header", e);
}

static void put_names(struct json_writer *w, const struct token_wish *wish)
{
    json_open_list(w, "sans");
    for (size_t i = 0; i < wish->n_sans; i++)
        json_member_text(w, NULL, wish->sans[i]);
    if (wish->n_sans == 0)
        json_member_text(w, NULL, wish->subject);
    json_close(w);
}

/* RFC 7800 3.1, with the thumbprint of a request instead of a certificate. */
static void put_confirmation(struct json_writer *w, struct slice fingerprint)
{
    json_open(w, "cnf");
    json_member_text(w, "x5rt#S256", fingerprint);
    json_close(w);
}

static struct slice random_id(struct arena *a, struct rng *rng)
{
    uint8_t bytes[JTI_BYTES];

    rng->fill(rng, bytes, sizeof(bytes));
    return hex_text(a, slice_of(bytes, sizeof(bytes)));
}

static struct slice compact(struct arena *a, struct slice json)
{
    struct buf b = buf_new(a, TOKEN_MAX);

    json_put_compact(&b, json);
    return buf_slice(&b);
}

static bool write_claims(struct arena *a, const struct token_wish *wish, struct rng *rng,
                         struct slice *claims, struct err *e)
{
    struct buf b = buf_new(a, TOKEN_MAX);
    struct json_writer w = json_writer(&b);
    int64_t issued = wish->issued_at.sec ? wish->issued_at.sec : wish->not_before.sec;

    json_open(&w, NULL);
    json_member_text(&w, "aud", wish->audience);
    if (wish->cnf.n)
        put_confirmation(&w, wish->cnf);
    json_member_int(&w, "exp", wish->not_after.sec);
    json_member_int(&w, "iat", issued);
    json_member_text(&w, "iss", wish->issuer);
    if (!wish->no_jti)
        json_member_text(&w, "jti", random_id(a, rng));
    json_member_int(&w, "nbf", wish->not_before.sec);
    if (wish->has_sans)
        put_names(&w, wish);
    if (wish->root_fingerprint.n)
        json_member_text(&w, "sha", wish->root_fingerprint);
    if (wish->step.n)
        json_member_raw(&w, "step", compact(a, wish->step));
    json_member_text(&w, "sub", wish->subject);
    if (wish->user.n)
        json_member_raw(&w, "user", compact(a, wish->user));
    json_close(&w);
    *claims = buf_slice(&b);
    return buf_done(&b, "token claims", e);
}

bool token_make(struct arena *a, const struct token_wish *wish, const struct private_key *key,
                enum jws_alg alg, struct rng *rng, struct slice *token, struct err *e)
{
    struct slice header, claims;
    enum jws_alg used = alg == JWS_NONE ? jws_alg_usual(key->public_key) : alg;

    if (used == JWS_NONE)
        return err_set(e, ERR_MALFORMED, "token: a key of type %.*s cannot sign (RFC 7518 3.1)",
                       SLICE_ARG(key_describe(a, key->public_key)));
    if (!jws_alg_fits(used, key->public_key))
        return err_set(e, ERR_MALFORMED, "token: algorithm %s does not fit a key of type %.*s",
                       jws_alg_name(used), SLICE_ARG(key_describe(a, key->public_key)));
    if (!write_header(a, wish, key, used, &header, e) || !write_claims(a, wish, rng, &claims, e))
        return false;
    return jws_sign(a, header, claims, signer_local(a, key, "token key"), used, DEADLINE_NONE,
                    token, e);
}

bool renew_token_make(struct arena *a, struct slice audience, const struct cert_list *chain,
                      const struct private_key *key, struct instant now, struct rng *rng,
                      struct slice *token, struct err *e)
{
    struct token_wish wish = {
        .issuer = SLICE(RENEW_ISSUER),
        .audience = audience,
        .not_before = now,
        .not_after = instant_add(now, RENEW_LIFETIME * NS_PER_SEC),
        .x5c_insecure = true,
        .no_jti = true,
    };

    if (chain->n == 0)
        return err_set(e, ERR_MALFORMED, "renew token: expected a certificate, found none");
    wish.subject = dn_common_name(&chain->v[0]->subject);
    wish.x5c = arena_array(a, chain->n, sizeof(*wish.x5c));
    for (size_t i = 0; i < chain->n; i++)
        wish.x5c[wish.n_x5c++] = chain->v[i]->der;
    return token_make(a, &wish, key, JWS_NONE, rng, token, e);
}
