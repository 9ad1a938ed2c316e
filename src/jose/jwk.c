/*
 * Reading JSON Web Keys (RFC 7517).  One walk over the members sorts the known ones into a table
 * and refuses a second one of the same name; then the key type's own reader takes what it needs.
 *
 * A private key is believed only when it belongs to the public members that stand beside it:
 * somebody who could swap one half would make us publish one key and sign with another.
 */
#include "jose/jwk.h"

#include "base/encode.h"
#include "crypto/keyfile.h"
#include "crypto/pem.h"
#include "jose/part.h"

#define RSA_BITS_MIN 1024u
#define X5C_MAX      16u
#define SHOWN        32u /* how much of a stranger's text an error repeats */

/* --- Members --------------------------------------------------------------------------------- */

enum member { KTY, USE, KID, ALG, CRV, X, Y, N, E, D, P, Q, DP, DQ, QI, OTH, K, X5C, MEMBERS };
static const char *const NAMES[MEMBERS] = {"kty", "use", "kid", "alg", "crv", "x",
                                           "y",   "n",   "e",   "d",   "p",   "q",
                                           "dp",  "dq",  "qi",  "oth", "k",   "x5c"};

struct members {
    const struct json *v[MEMBERS]; /* NULL: absent, or null */
    struct arena *arena;
};

static enum member member_of(struct slice name)
{
    unsigned i = 0;

    while (i < MEMBERS && !slice_is(name, NAMES[i]))
        i++;
    return (enum member)i;
}

static bool members_read(const struct json *v, struct members *m, struct err *e)
{
    bool seen[MEMBERS] = {false};

    if (!v || v->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "JWK: RFC 7517 4: expected a JSON object");
    for (const struct json *item = v->first; item; item = item->next) {
        enum member i = member_of(item->name);
        if (i == MEMBERS)
            continue;
        if (seen[i])
            return err_set(e, ERR_MALFORMED, "JWK: RFC 7517 4: '%s' stands twice", NAMES[i]);
        seen[i] = true;
        if (item->kind != JSON_NULL)
            m->v[i] = item;
    }
    return true;
}

/* Absent: SLICE_NONE. */
static bool text_of(const struct members *m, enum member i, struct slice *text, struct err *e)
{
    *text = json_text(m->v[i]);
    if (m->v[i] && m->v[i]->kind != JSON_TEXT)
        return err_set(e, ERR_MALFORMED, "JWK: expected a text as '%s'", NAMES[i]);
    return true;
}

/* Decoded bytes; absent: SLICE_NONE. */
static bool bytes_of(const struct members *m, enum member i, struct slice *bytes, struct err *e)
{
    struct slice text;

    *bytes = SLICE_NONE;
    if (!text_of(m, i, &text, e))
        return false;
    if (!text.p)
        return true;
    if (!jose_part_padded(m->arena, text, NAMES[i], bytes, e))
        return err_wrap(e, "JWK");
    if (bytes->n == 0)
        return err_set(e, ERR_MALFORMED, "JWK: '%s' is empty", NAMES[i]);
    return true;
}

static bool bytes_required(const struct members *m, enum member i, struct slice *bytes,
                           struct err *e)
{
    if (!bytes_of(m, i, bytes, e))
        return false;
    if (!bytes->p)
        return err_set(e, ERR_MALFORMED, "JWK: RFC 7518 6: '%s' is missing", NAMES[i]);
    return true;
}

/* --- Curves ---------------------------------------------------------------------------------- */

static const struct curve {
    enum jwk_kty kty;
    enum key_type type;
} CURVES[] = {
    {JWK_EC, KEY_P256},     {JWK_EC, KEY_P384},    {JWK_EC, KEY_P521},
    {JWK_OKP, KEY_ED25519}, {JWK_OKP, KEY_X25519},
};

static bool curve_read(const struct members *m, enum jwk_kty kty, enum key_type *type,
                       struct err *e)
{
    struct slice crv;

    if (!text_of(m, CRV, &crv, e))
        return false;
    for (size_t i = 0; i < COUNT_OF(CURVES); i++) {
        if (CURVES[i].kty != kty || !slice_is(crv, key_curve_name(CURVES[i].type)))
            continue;
        *type = CURVES[i].type;
        return true;
    }
    return err_set(e, ERR_MALFORMED, "JWK: RFC 7518 6.2.1.1: unknown curve '%.*s'",
                   SLICE_ARG(slice_sub(crv, 0, SHOWN)));
}

static bool full_length(enum key_type type, enum member i, struct slice bytes, struct err *e)
{
    if (bytes.n == key_field_size(type))
        return true;
    return err_set(e, ERR_MALFORMED, "JWK: RFC 7518 6.2.1.2: expected %zu bytes in '%s', found %zu",
                   key_field_size(type), NAMES[i], bytes.n);
}

/* --- Key types ------------------------------------------------------------------------------- */

/* Crypto checks the private numbers against the public ones (and computes an RSA key's CRT values
 * anew). */
static bool make_key(struct arena *a, enum key_type type, const struct key_numbers *in,
                     struct jwk *jwk, struct err *e)
{
    if (!in->d.p)
        return key_from_numbers(a, type, in, &jwk->key, e) || err_wrap(e, "JWK");
    if (!private_key_from_numbers(a, type, in, &jwk->secret, e))
        return err_wrap(e, "JWK");
    jwk->key = jwk->secret->public_key;
    return true;
}

static bool read_ec(const struct members *m, struct jwk *jwk, struct err *e)
{
    struct key_numbers in = {0};
    enum key_type type = KEY_NONE;

    return curve_read(m, JWK_EC, &type, e) && bytes_required(m, X, &in.x, e) &&
           full_length(type, X, in.x, e) && bytes_required(m, Y, &in.y, e) &&
           full_length(type, Y, in.y, e) && bytes_of(m, D, &in.d, e) &&
           (!in.d.p || full_length(type, D, in.d, e)) && make_key(m->arena, type, &in, jwk, e);
}

static bool read_okp(const struct members *m, struct jwk *jwk, struct err *e)
{
    struct key_numbers in = {0};
    enum key_type type = KEY_NONE;

    return curve_read(m, JWK_OKP, &type, e) && bytes_required(m, X, &in.x, e) &&
           full_length(type, X, in.x, e) && bytes_of(m, D, &in.d, e) &&
           (!in.d.p || full_length(type, D, in.d, e)) && make_key(m->arena, type, &in, jwk, e);
}

static bool read_rsa(const struct members *m, struct jwk *jwk, struct err *e)
{
    struct key_numbers in = {0};

    if (m->v[OTH])
        return err_set(e, ERR_MALFORMED,
                       "JWK: RFC 7518 6.3.2.7: RSA keys of more than two primes are not accepted");
    if (!bytes_required(m, N, &in.n, e) || !bytes_required(m, E, &in.e, e) ||
        !bytes_of(m, D, &in.d, e) || !bytes_of(m, P, &in.p, e) || !bytes_of(m, Q, &in.q, e) ||
        !bytes_of(m, DP, &in.dp, e) || !bytes_of(m, DQ, &in.dq, e) || !bytes_of(m, QI, &in.qi, e))
        return false;
    if (!in.d.p && (in.p.p || in.q.p || in.dp.p || in.dq.p || in.qi.p))
        return err_set(e, ERR_MALFORMED, "JWK: RFC 7518 6.3.2: 'd' is missing");
    if (!make_key(m->arena, KEY_RSA, &in, jwk, e))
        return false;
    if (jwk->key->bits < RSA_BITS_MIN)
        return err_set(e, ERR_MALFORMED, "JWK: expected an RSA key of at least %u bits, found %u",
                       RSA_BITS_MIN, jwk->key->bits);
    return true;
}

static bool read_oct(const struct members *m, struct jwk *jwk, struct err *e)
{
    return bytes_required(m, K, &jwk->octets, e);
}

static const struct kty {
    const char *name;
    enum jwk_kty kty;
    bool (*read)(const struct members *m, struct jwk *jwk, struct err *e);
} KTYS[] = {
    {"EC", JWK_EC, read_ec},
    {"RSA", JWK_RSA, read_rsa},
    {"OKP", JWK_OKP, read_okp},
    {"oct", JWK_OCT, read_oct},
};

static bool read_by_kty(const struct members *m, struct jwk *jwk, struct err *e)
{
    struct slice kty;

    if (!text_of(m, KTY, &kty, e))
        return false;
    for (size_t i = 0; i < COUNT_OF(KTYS); i++) {
        if (!slice_is(kty, KTYS[i].name))
            continue;
        jwk->kty = KTYS[i].kty;
        return KTYS[i].read(m, jwk, e);
    }
    return err_set(e, ERR_MALFORMED, "JWK: RFC 7518 6.1: unknown key type '%.*s'",
                   SLICE_ARG(slice_sub(kty, 0, SHOWN)));
}

/* --- Certificates ---------------------------------------------------------------------------- */

/* RFC 7517 4.7: the first certificate holds this key. */
static bool x5c_fits(const struct members *m, const struct jwk *jwk, struct err *e)
{
    const struct key *certified;
    struct slice pem = pem_text(m->arena, "CERTIFICATE", jwk->x5c_first);

    if (!jwk->key)
        return err_set(e, ERR_MALFORMED, "JWK: 'x5c' beside a shared secret");
    if (!public_key_read(m->arena, pem, "x5c", NULL, &certified, e))
        return err_wrap(e, "JWK");
    if (!key_eq(certified, jwk->key))
        return err_set(e, ERR_MALFORMED,
                       "JWK: RFC 7517 4.7: the first 'x5c' certificate is for "
                       "another key");
    return true;
}

static bool read_x5c(const struct members *m, struct jwk *jwk, struct err *e)
{
    const struct json *list = m->v[X5C];

    if (!list)
        return true;
    if (list->kind != JSON_LIST || list->n == 0 || list->n > X5C_MAX)
        return err_set(e, ERR_MALFORMED,
                       "JWK: RFC 7517 4.7: expected 1 to %u certificates in "
                       "'x5c'",
                       X5C_MAX);
    for (const struct json *item = list->first; item; item = item->next) {
        struct slice der, text = json_text(item);
        if (text.n == 0 || !base64_read(m->arena, BASE64_STD, text, &der))
            return err_set(e, ERR_MALFORMED, "JWK: RFC 7517 4.7: 'x5c' is not base64");
        if (item == list->first)
            jwk->x5c_first = der;
    }
    return x5c_fits(m, jwk, e);
}

/* --- Whole keys ------------------------------------------------------------------------------ */

static bool read_whole(const struct members *m, struct jwk *jwk, struct err *e)
{
    return text_of(m, KID, &jwk->kid, e) && text_of(m, USE, &jwk->use, e) &&
           text_of(m, ALG, &jwk->alg, e) && read_by_kty(m, jwk, e) && read_x5c(m, jwk, e);
}

bool jwk_from_json(struct arena *a, const struct json *v, struct jwk *jwk, struct err *e)
{
    struct members m = {.arena = a};

    *jwk = (struct jwk){0};
    return members_read(v, &m, e) && read_whole(&m, jwk, e);
}

/* Before any arithmetic: a private RSA key of a stranger would make us compute for seconds. */
static bool public_only(const struct members *m, struct err *e)
{
    static const enum member PRIVATE[] = {D, P, Q, DP, DQ, QI, OTH, K};

    for (size_t i = 0; i < COUNT_OF(PRIVATE); i++)
        if (m->v[PRIVATE[i]])
            return err_set(e, ERR_MALFORMED, "JWK: expected a public key, found '%s'",
                           NAMES[PRIVATE[i]]);
    return true;
}

bool jwk_public_from_json(struct arena *a, const struct json *v, struct jwk *jwk, struct err *e)
{
    struct members m = {.arena = a};

    *jwk = (struct jwk){0};
    return members_read(v, &m, e) && public_only(&m, e) && read_whole(&m, jwk, e);
}

bool jwk_read(struct arena *a, struct slice text, struct jwk *jwk, struct err *e)
{
    const struct json *v = json_read(a, text, &JSON_JOSE, NULL, e);

    *jwk = (struct jwk){0};
    if (!v)
        return err_wrap(e, "JWK");
    return jwk_from_json(a, v, jwk, e);
}

bool jwk_set_read(struct arena *a, struct slice text, struct jwk **keys, size_t *n, struct err *e)
{
    /* Duplicates are left to jwk_from_json: one bad entry must not cost the others. */
    static const struct json_rules RULES = {.depth = 32, .values = 20000, .reject_rest = true};
    const struct json *v = json_read(a, text, &RULES, NULL, e);
    const struct json *list = NULL;

    *keys = NULL;
    *n = 0;
    if (!v)
        return err_wrap(e, "JWK set");
    for (const struct json *item = v->kind == JSON_OBJECT ? v->first : NULL; item;
         item = item->next) {
        if (!slice_is(item->name, "keys"))
            continue;
        if (list)
            return err_set(e, ERR_MALFORMED, "JWK set: RFC 7517 5: 'keys' stands twice");
        list = item;
    }
    if (!list || list->kind != JSON_LIST)
        return err_set(e, ERR_MALFORMED,
                       "JWK set: RFC 7517 5.1: expected an object with a list "
                       "'keys'");
    struct jwk *set = arena_array(a, list->n ? list->n : 1, sizeof(*set));
    size_t count = 0;
    for (const struct json *item = list->first; item; item = item->next)
        if (jwk_from_json(a, item, &set[count], NULL))
            count++;
    *keys = set;
    *n = count;
    return true;
}
