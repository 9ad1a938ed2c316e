/*
 * Keys as operators keep them: a JWK in the clear, a JWK inside a JWE under a password (the form of
 * a JWK provisioner's encryptedKey), or PEM.
 */
#include "base/clock.h"
#include "crypto/keyfile.h"
#include "crypto/pem.h"
#include "crypto/secret.h"
#include "jose/jwe.h"

bool jwe_seal_jwk(struct arena *a, const struct jwk *jwk, struct slice password, enum jwe_form form,
                  struct slice *text, struct err *e)
{
    static const struct jwe_options PROVISIONER = {
        .alg = "PBES2-HS256+A128KW", .enc = "A256GCM", .cty = "jwk+json"};
    const struct jwe_key key = {.password = password};

    if (slice_empty(password))
        return err_set(e, ERR_MALFORMED, "JWK: the password to encrypt it must not be empty");
    if (!jwk->secret && !jwk->octets.n)
        return err_set(e, ERR_MALFORMED, "JWK: a public key is not encrypted");
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    return jwe_seal(a, &PROVISIONER, &key, jwk_text(secrets, jwk, true), form, text, e);
}

/* As often as the source says: a wrong password is told apart from a broken file, which no other
 * password would mend. */
static bool open_with_passwords(struct arena *a, const struct jwe *jwe, const char *name,
                                struct password_source *source, struct slice *plain, struct err *e)
{
    if (!source)
        return err_set(e, ERR_UNAUTHORIZED, "%s is encrypted", name);
    if (!slice_starts(jwe->alg, "PBES2-"))
        return err_set(e, ERR_UNAUTHORIZED,
                       "%s is encrypted with '%.*s', which a password does not open", name,
                       SLICE_ARG(slice_sub(jwe->alg, 0, 32)));
    for (unsigned attempt = 0; attempt < source->tries; attempt++) {
        CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
        struct jwe_key key = {SLICE_NONE};
        struct err why = {0};
        if (!source->get(source, name, attempt, secrets, &key.password, e))
            return false;
        if (jwe_open(a, jwe, &key, plain, &why))
            return true;
        if (why.kind != ERR_UNAUTHORIZED) {
            err_move(e, &why);
            return err_wrap(e, "error decrypting %s", name);
        }
    }
    return err_set(e, ERR_UNAUTHORIZED, "error decrypting %s: password incorrect", name);
}

bool jwk_open(struct arena *a, struct slice text, const char *name, struct password_source *source,
              struct jwk *jwk, struct err *e)
{
    struct jwe jwe;
    struct slice plain;

    text = slice_trim(bom_skip(text));
    *jwk = (struct jwk){0};
    if (!jwe_looks_like(text))
        return jwk_read(a, text, jwk, e) || err_wrap(e, "error reading %s", name);
    if (!jwe_read(a, text, &jwe, e))
        return err_wrap(e, "error reading %s", name);
    if (!open_with_passwords(a, &jwe, name, source, &plain, e))
        return false;
    return jwk_read(a, plain, jwk, e) || err_wrap(e, "error reading %s", name);
}

/* The first label decides: whatever is not private is a public key, a certificate or a request,
 * and refused by its reader when it is none of them. */
static bool pem_is_private(struct slice text)
{
    static const char *const BEGIN = "-----BEGIN ";
    struct slice rest = slice_from(text, slice_search(text, slice_text(BEGIN)) + strlen(BEGIN));
    struct slice label = slice_sub(rest, 0, slice_search(rest, SLICE("-----")));

    return slice_ends(label, "PRIVATE KEY") || slice_is(label, "EC PARAMETERS");
}

static bool read_pem(struct arena *a, struct slice text, const char *name,
                     struct password_source *source, struct jwk *jwk, struct err *e)
{
    const struct key *key;
    struct private_key *secret;

    if (!pem_is_private(text))
        return public_key_read(a, text, name, source, &key, e) && jwk_of_key(a, key, NULL, jwk, e);
    return private_key_read(a, text, name, source, &secret, e) &&
           jwk_of_key(a, secret->public_key, secret, jwk, e);
}

bool jose_key_read(struct arena *a, struct slice text, const char *name,
                   struct password_source *source, struct jwk *jwk, struct err *e)
{
    *jwk = (struct jwk){0};
    if (pem_looks_like(text))
        return read_pem(a, text, name, source, jwk, e);
    return jwk_open(a, text, name, source, jwk, e);
}
