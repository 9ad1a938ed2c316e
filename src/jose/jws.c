/*
 * JSON Web Signatures (RFC 7515), read, verified and made.
 *
 * Reading decodes and checks the shape; it looks at no key.  Verifying starts from the key: the
 * table below says for each algorithm which key types may use it, so that neither "none" nor a
 * public key taken for an HMAC secret can ever be chosen by a header (RFC 8725 3.1).
 *
 * A token is read for every certificate: its text is borrowed, and the payload and the header are
 * decoded once, into the arena.
 */
#include "jose/jws.h"

#include "base/encode.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "jose/part.h"

#define RSA_BITS_MIN 1024u

/* --- Algorithms (RFC 7518 3.1, RFC 8037 3.1) ------------------------------------------------- */

struct alg {
    const char *name;
    enum key_type type; /* KEY_NONE: HMAC */
    struct sig_alg sig;
};
static const struct alg ALGS[JWS_ALGS] = {
    [JWS_NONE] = {"none", KEY_NONE, {SIG_ANY, DIGEST_NONE}},
    [JWS_ES256] = {"ES256", KEY_P256, {SIG_ECDSA, DIGEST_SHA256}},
    [JWS_ES384] = {"ES384", KEY_P384, {SIG_ECDSA, DIGEST_SHA384}},
    [JWS_ES512] = {"ES512", KEY_P521, {SIG_ECDSA, DIGEST_SHA512}},
    [JWS_RS256] = {"RS256", KEY_RSA, {SIG_RSA_PKCS1, DIGEST_SHA256}},
    [JWS_RS384] = {"RS384", KEY_RSA, {SIG_RSA_PKCS1, DIGEST_SHA384}},
    [JWS_RS512] = {"RS512", KEY_RSA, {SIG_RSA_PKCS1, DIGEST_SHA512}},
    [JWS_PS256] = {"PS256", KEY_RSA, {SIG_RSA_PSS, DIGEST_SHA256}},
    [JWS_PS384] = {"PS384", KEY_RSA, {SIG_RSA_PSS, DIGEST_SHA384}},
    [JWS_PS512] = {"PS512", KEY_RSA, {SIG_RSA_PSS, DIGEST_SHA512}},
    [JWS_EDDSA] = {"EdDSA", KEY_ED25519, {SIG_ED25519, DIGEST_NONE}},
    [JWS_HS256] = {"HS256", KEY_NONE, {SIG_ANY, DIGEST_SHA256}},
    [JWS_HS384] = {"HS384", KEY_NONE, {SIG_ANY, DIGEST_SHA384}},
    [JWS_HS512] = {"HS512", KEY_NONE, {SIG_ANY, DIGEST_SHA512}},
};

const char *jws_alg_name(enum jws_alg alg)
{
    return (unsigned)alg < JWS_ALGS ? ALGS[alg].name : ALGS[JWS_NONE].name;
}

enum jws_alg jws_alg_of(struct slice name)
{
    for (unsigned i = JWS_NONE + 1; i < JWS_ALGS; i++)
        if (slice_is(name, ALGS[i].name))
            return (enum jws_alg)i;
    return JWS_NONE;
}

/* The first algorithm of the table with that type: ES*, RS256, EdDSA. */
enum jws_alg jws_alg_usual(const struct key *k)
{
    for (unsigned i = JWS_NONE + 1; i < JWS_ALGS; i++)
        if (jws_alg_fits((enum jws_alg)i, k))
            return (enum jws_alg)i;
    return JWS_NONE;
}

bool jws_alg_fits(enum jws_alg alg, const struct key *k)
{
    if ((unsigned)alg >= JWS_ALGS || ALGS[alg].type == KEY_NONE || ALGS[alg].type != k->type)
        return false;
    return k->type != KEY_RSA || k->bits >= RSA_BITS_MIN;
}

static bool is_hmac(enum jws_alg alg)
{
    return alg == JWS_HS256 || alg == JWS_HS384 || alg == JWS_HS512;
}

/* --- Reading --------------------------------------------------------------------------------- */

/* What every serialization has: a protected header with "alg". */
static bool header_members(struct jws *jws, struct err *e)
{
    struct slice alg;

    if (!jose_header_crit(jws->header, "JWS header", e))
        return false;
    if (!jose_text_required(jws->header, "alg", "JWS header", &alg, e))
        return false;
    jws->alg = jws_alg_of(alg);
    return jose_text(jws->header, "kid", "JWS header", &jws->kid, e);
}

bool jws_read(struct arena *a, struct slice text, struct jws *jws, struct err *e)
{
    *jws = (struct jws){.text = jose_strip(a, text)};
    size_t header_end = slice_find(jws->text, '.');
    size_t input_end = slice_rfind(jws->text, '.');
    if (header_end >= input_end || input_end == jws->text.n)
        return err_set(e, ERR_MALFORMED,
                       "JWS: RFC 7515 7.1: expected three parts separated by periods");

    struct slice header = slice_sub(jws->text, 0, header_end);
    struct slice payload = slice_sub(jws->text, header_end + 1, input_end - header_end - 1);
    struct slice signature = slice_from(jws->text, input_end + 1);
    if (slice_find(payload, '.') != payload.n)
        return err_set(e, ERR_MALFORMED,
                       "JWS: RFC 7515 7.1: expected three parts separated by periods, found more");
    jws->signing_input = slice_sub(jws->text, 0, input_end);

    return jose_header_read(a, header, "JWS header", &jws->header, e) && header_members(jws, e) &&
           jose_part(a, payload, "JWS payload", &jws->payload, e) &&
           jose_part(a, signature, "JWS signature", &jws->signature, e);
}

/* The object that holds "protected" and "signature": the whole of it, or the one in
 * "signatures" (RFC 7515 7.2.1). */
static bool signature_object(const struct json *whole, const struct json **holder, struct err *e)
{
    const struct json *list = json_get_exact(whole, "signatures");

    *holder = whole;
    if (!list)
        return true;
    if (json_get_exact(whole, "signature") || json_get_exact(whole, "protected"))
        return err_set(e, ERR_MALFORMED, "JWS: RFC 7515 7.2.2: both 'signature' and 'signatures'");
    if (list->kind != JSON_LIST || list->n != 1)
        return err_set(e, ERR_MALFORMED, "JWS: expected exactly one signature");
    *holder = list->first;
    if (list->first->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "JWS: RFC 7515 7.2.1: expected objects in 'signatures'");
    return true;
}

static struct slice joined(struct arena *a, struct slice header, struct slice payload)
{
    uint8_t *p = arena_alloc(a, header.n + 1 + payload.n);

    memcpy(p, header.p, header.n);
    p[header.n] = '.';
    if (payload.n)
        memcpy(p + header.n + 1, payload.p, payload.n);
    return slice_of(p, header.n + 1 + payload.n);
}

bool jws_read_json(struct arena *a, struct slice text, struct jws *jws, struct err *e)
{
    struct slice header, payload, signature;
    const struct json *holder;

    *jws = (struct jws){.text = jose_strip(a, text)};
    struct json *whole = json_read(a, jws->text, &JSON_JOSE, NULL, e);
    if (!whole)
        return err_wrap(e, "JWS");
    if (whole->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "JWS: RFC 7515 7.2: expected a JSON object");
    if (!signature_object(whole, &holder, e))
        return false;
    /* What is not signed is not read: refused, so that nobody thinks it was. */
    const struct json *unprotected = json_get_exact(holder, "header");
    if (unprotected && !(unprotected->kind == JSON_OBJECT && unprotected->n == 0))
        return err_set(e, ERR_MALFORMED, "JWS: an unprotected header is not accepted");
    if (!jose_text_required(holder, "protected", "JWS", &header, e) ||
        !jose_text_required(whole, "payload", "JWS", &payload, e) ||
        !jose_text_required(holder, "signature", "JWS", &signature, e))
        return false;

    header = jose_unpad(header);
    payload = jose_unpad(payload);
    jws->signing_input = joined(a, header, payload);
    return jose_header_read(a, header, "JWS header", &jws->header, e) && header_members(jws, e) &&
           jose_part(a, payload, "JWS payload", &jws->payload, e) &&
           jose_part_padded(a, signature, "JWS signature", &jws->signature, e);
}

/* --- Verifying ------------------------------------------------------------------------------- */

#define SHOWN 32u /* how much of a stranger's text an error repeats */

static bool wrong_alg(const struct jws *jws, const char *with, struct err *e)
{
    struct slice alg = slice_sub(json_text(json_get_exact(jws->header, "alg")), 0, SHOWN);

    return err_set(e, ERR_UNAUTHORIZED, "JWS: RFC 8725 3.1: algorithm '%.*s' does not fit %s",
                   SLICE_ARG(alg), with);
}

/* ECDSA signatures are r and s at fixed length (RFC 7518 3.4), and DER everywhere else here. */
static bool verify_ecdsa(const struct jws *jws, const struct key *key, struct err *e)
{
    size_t expected = 2 * key_field_size(key->type);

    if (jws->signature.n != expected)
        return err_set(e, ERR_UNAUTHORIZED,
                       "JWS: RFC 7518 3.4: expected a signature of %zu bytes, found %zu", expected,
                       jws->signature.n);
    return key_verify_fixed(key, ALGS[jws->alg].sig, jws->signing_input, jws->signature, e);
}

bool jws_verify(const struct jws *jws, const struct key *key, struct err *e)
{
    if (!jws_alg_fits(jws->alg, key)) {
        CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
        return wrong_alg(jws, arena_printf(a, "the key (%.*s)", SLICE_ARG(key_describe(a, key))),
                         e);
    }
    bool good = ALGS[jws->alg].sig.scheme == SIG_ECDSA
                    ? verify_ecdsa(jws, key, e)
                    : key_verify(key, ALGS[jws->alg].sig, jws->signing_input, jws->signature, e);
    if (good)
        return true;
    err_wrap(e, "JWS");
    return err_classify(e, ERR_UNAUTHORIZED);
}

bool jws_verify_hmac(const struct jws *jws, struct slice secret, struct err *e)
{
    uint8_t mac[DIGEST_MAX];

    if (!is_hmac(jws->alg))
        return wrong_alg(jws, "a shared secret", e);
    if (slice_empty(secret))
        return err_set(e, ERR_UNAUTHORIZED, "JWS: RFC 7518 3.2: the shared secret is empty");
    enum digest d = ALGS[jws->alg].sig.digest;
    hmac_of(d, secret, jws->signing_input, mac);
    bool good = secret_equal(slice_of(mac, digest_size(d)), jws->signature);
    secret_wipe(mac, sizeof(mac));
    if (!good)
        return err_set(e, ERR_UNAUTHORIZED, "JWS: signature does not verify");
    return true;
}

/* --- Signing --------------------------------------------------------------------------------- */

/* A header that names another algorithm than the one used is a mistake of the caller, and would
 * only be noticed by whoever receives the token. */
static bool header_names(struct arena *a, struct slice header, enum jws_alg alg, struct err *e)
{
    struct slice name;
    struct json *v = json_read(a, header, &JSON_JOSE, NULL, e);

    if (!v)
        return err_wrap(e, "JWS header");
    if (v->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "JWS header: RFC 7515 4: expected a JSON object");
    if (!jose_text_required(v, "alg", "JWS header", &name, e))
        return false;
    if (!slice_is(name, jws_alg_name(alg)))
        return err_set(e, ERR_MALFORMED, "JWS header: 'alg' is '%.*s', expected '%s'",
                       SLICE_ARG(slice_sub(name, 0, SHOWN)), jws_alg_name(alg));
    return true;
}

static bool sign_input(struct arena *a, struct slice header, struct slice payload, enum jws_alg alg,
                       struct buf *token, struct err *e)
{
    if (!header_names(a, header, alg, e))
        return false;
    *token = buf_new(a, SIZE_MAX / 2);
    base64_put(token, BASE64_URL_RAW, header);
    buf_byte(token, '.');
    base64_put(token, BASE64_URL_RAW, payload);
    return buf_done(token, "JWS", e);
}

static bool sign_end(struct buf *token, struct slice signature, struct slice *text, struct err *e)
{
    buf_byte(token, '.');
    base64_put(token, BASE64_URL_RAW, signature);
    *text = buf_slice(token);
    return buf_done(token, "JWS", e);
}

bool jws_sign(struct arena *a, struct slice header, struct slice payload, struct signer *s,
              enum jws_alg alg, struct deadline d, struct slice *token, struct err *e)
{
    const struct key *key = s->public_key;
    struct buf text, sig = buf_new(a, 4096);

    if (!jws_alg_fits(alg, key))
        return err_set(e, ERR_MALFORMED, "JWS: algorithm '%s' does not fit the key (%.*s)",
                       jws_alg_name(alg), SLICE_ARG(key_describe(a, key)));
    if (!sign_input(a, header, payload, alg, &text, e))
        return false;
    if (!signer_sign(s, ALGS[alg].sig, buf_slice(&text), &sig, d, e))
        return err_wrap(e, "JWS");
    struct slice signature = buf_slice(&sig);
    if (ALGS[alg].sig.scheme == SIG_ECDSA && !sig_ecdsa_to_fixed(a, key, signature, &signature, e))
        return err_wrap(e, "JWS");
    return sign_end(&text, signature, token, e);
}

bool jws_sign_hmac(struct arena *a, struct slice header, struct slice payload, struct slice secret,
                   enum jws_alg alg, struct slice *token, struct err *e)
{
    struct buf text;
    uint8_t mac[DIGEST_MAX];

    if (!is_hmac(alg))
        return err_set(e, ERR_MALFORMED, "JWS: algorithm '%s' does not fit a shared secret",
                       jws_alg_name(alg));
    if (slice_empty(secret))
        return err_set(e, ERR_MALFORMED, "JWS: RFC 7518 3.2: the shared secret is empty");
    if (!sign_input(a, header, payload, alg, &text, e))
        return false;
    enum digest d = ALGS[alg].sig.digest;
    hmac_of(d, secret, buf_slice(&text), mac);
    return sign_end(&text, slice_of(mac, digest_size(d)), token, e);
}
