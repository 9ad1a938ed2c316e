/*
 * Writing JSON Web Keys, and their thumbprints (RFC 7638).  Members stand in the order in which
 * the reference writes them, so that files and configurations of both can be compared.
 */
#include "base/encode.h"
#include "crypto/digest.h"
#include "jose/jwk.h"
#include "jose/jws.h"

/* --- Members --------------------------------------------------------------------------------- */

static void put_text(struct arena *a, struct json *o, const char *name, struct slice text)
{
    if (text.n)
        json_set(o, a, name, json_make_text(a, text));
}

static void put_bytes(struct arena *a, struct json *o, const char *name, struct slice bytes)
{
    if (bytes.n)
        put_text(a, o, name, base64_text(a, BASE64_URL_RAW, bytes));
}

static void put_x5c(struct arena *a, struct json *o, struct slice der)
{
    if (!der.n)
        return;
    struct json *list = json_make_list(a);
    json_append(list, json_make_text(a, base64_text(a, BASE64_STD, der)));
    json_set(o, a, "x5c", list);
}

static const char *kty_name(enum jwk_kty kty)
{
    static const char *const KTYS[] = {
        [JWK_EC] = "EC", [JWK_RSA] = "RSA", [JWK_OKP] = "OKP", [JWK_OCT] = "oct"};

    return KTYS[kty];
}

struct json *jwk_json(struct arena *a, const struct jwk *jwk, bool with_private)
{
    struct key_numbers numbers = {0};
    struct json *o = json_make_object(a);

    /* The numbers of a key that exists can always be told; private ones include the public ones
     * only where the key type says so, hence two calls. */
    if (jwk->key && !key_numbers(a, jwk->key, &numbers, NULL))
        return o;
    struct key_numbers secret = {0};
    if (with_private && jwk->secret && !private_key_numbers(a, jwk->secret, &secret, NULL))
        return o;

    put_text(a, o, "use", jwk->use);
    put_text(a, o, "kty", slice_text(kty_name(jwk->kty)));
    put_text(a, o, "kid", jwk->kid);
    if (jwk->key)
        put_text(a, o, "crv", slice_text(key_curve_name(jwk->key->type)));
    put_text(a, o, "alg", jwk->alg);
    if (with_private)
        put_bytes(a, o, "k", jwk->octets);

    const struct {
        const char *name;
        struct slice bytes;
    } rest[] = {
        {"x", numbers.x}, {"y", numbers.y}, {"n", numbers.n},  {"e", numbers.e},  {"d", secret.d},
        {"p", secret.p},  {"q", secret.q},  {"dp", secret.dp}, {"dq", secret.dq}, {"qi", secret.qi},
    };
    for (size_t i = 0; i < COUNT_OF(rest); i++)
        put_bytes(a, o, rest[i].name, rest[i].bytes);
    put_x5c(a, o, jwk->x5c_first);
    return o;
}

struct slice jwk_text(struct arena *a, const struct jwk *jwk, bool with_private)
{
    struct buf b = buf_new(a, 1u << 20);

    json_print(&b, jwk_json(a, jwk, with_private), NULL);
    return buf_slice(&b);
}

/* --- Thumbprints ----------------------------------------------------------------------------- */

/* The required members, sorted, without white space (RFC 7638 3). */
static struct slice canonical(struct arena *a, const struct key *key)
{
    struct key_numbers in = {0};

    if (!key_numbers(a, key, &in, NULL))
        return SLICE_NONE;
    struct slice x = base64_text(a, BASE64_URL_RAW, in.x);
    if (key_is_ec(key))
        return arena_format(a, "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"%.*s\",\"y\":\"%.*s\"}",
                            key_curve_name(key->type), SLICE_ARG(x),
                            SLICE_ARG(base64_text(a, BASE64_URL_RAW, in.y)));
    if (key->type != KEY_RSA)
        return arena_format(a, "{\"crv\":\"%s\",\"kty\":\"OKP\",\"x\":\"%.*s\"}",
                            key_curve_name(key->type), SLICE_ARG(x));
    return arena_format(a, "{\"e\":\"%.*s\",\"kty\":\"RSA\",\"n\":\"%.*s\"}",
                        SLICE_ARG(base64_text(a, BASE64_URL_RAW, in.e)),
                        SLICE_ARG(base64_text(a, BASE64_URL_RAW, in.n)));
}

struct slice jwk_thumbprint(struct arena *a, const struct key *key)
{
    uint8_t hash[DIGEST_MAX];
    CLEANUP(arena_cleanup) struct arena *scratch = arena_new(&HEAP_USUAL);
    struct slice text = canonical(scratch, key);

    if (!text.p)
        return SLICE_NONE;
    digest_of(DIGEST_SHA256, text, hash);
    return base64_text(a, BASE64_URL_RAW, slice_of(hash, digest_size(DIGEST_SHA256)));
}

/* --- From keys ------------------------------------------------------------------------------- */

bool jwk_of_key(struct arena *a, const struct key *key, struct private_key *secret, struct jwk *jwk,
                struct err *e)
{
    *jwk = (struct jwk){.key = key, .secret = secret};
    if (key->type == KEY_P224 || key->type == KEY_NONE)
        return err_set(e, ERR_MALFORMED,
                       "JWK: RFC 7518 6.2.1.1 has no name for the curve of the "
                       "key (%.*s)",
                       SLICE_ARG(key_describe(a, key)));
    jwk->kty = key->type == KEY_RSA ? JWK_RSA : key_is_ec(key) ? JWK_EC : JWK_OKP;
    jwk->kid = jwk_thumbprint(a, key);
    /* X25519 agrees on secrets and signs nothing. */
    enum jws_alg alg = jws_alg_usual(key);
    if (alg == JWS_NONE)
        return true;
    jwk->use = SLICE("sig");
    jwk->alg = slice_text(jws_alg_name(alg));
    return true;
}
