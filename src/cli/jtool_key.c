/*
 * Which key, and which algorithm.  Files hold PEM, a JWK, an encrypted JWK, a set of JWKs, or (only
 * for HMAC) any bytes; what is PEM or a JWK is never taken for the bytes of a secret, so a public
 * key cannot become one (RFC 8725 2.1).
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/version.h"
#include "cli/jtool.h"
#include "cli/jwk_choice.h"
#include "cli/key_files.h"
#include "cli/terminal.h"
#include "crypto/pem.h"
#include "net/http_client.h"

#define FETCH_NS      (60 * NS_PER_SEC)
#define FETCH_HOPS    5u
#define JOSE_TRIES    3u
#define KEY_BYTES_MAX (1u << 20)

const struct flag JTOOL_KEY_FLAGS[] = {
    {"key,x5c-key,x5t-key", FLAG_FILE, "<file>",
     "The <file> or https URL with the key: PEM or JWK, encrypted or not.", NULL, 0},
    {"jwks", FLAG_FILE, "<file>",
     "The <file> or https URL with a set of JWKs, of which --kid names one.", NULL, 0},
    {"kid", FLAG_TEXT, "<text>",
     "The key's name: that of the JWK if it has one; chooses one of a set.", NULL, 0},
    {"password-file", FLAG_FILE, "<file>", "The <file> with the password that decrypts the key.",
     NULL, 0},
    {0}};
const struct flag JTOOL_SUBTLE_FLAGS[] = {{"subtle", FLAG_BOOL, NULL,
                                           "Confirm a choice that is easily made wrong.", NULL,
                                           FLAG_HIDDEN | FLAG_NO_DEFAULTS},
                                          {0}};

/* --- Text --------------------------------------------------------------------------------- */

static void http_gone(void *client)
{
    http_client_free(client);
}

static bool fetch(struct invocation *inv, const char *url, struct slice *text)
{
    struct http_client *http = http_client_new(version_line(inv->arena, "Newel CLI"));
    const struct http_call call = {.method = HTTP_GET,
                                   .url = slice_text(url),
                                   .max_reply = KEY_BYTES_MAX,
                                   .redirects = FETCH_HOPS};
    struct http_reply reply;

    arena_defer(inv->arena, http_gone, http);
    if (!http->call(http, &call, inv->arena, &reply, deadline_in(inv->clock, FETCH_NS), &inv->err))
        return err_wrap(&inv->err, "error reading %s", url);
    *text = reply.body;
    return reply.status == 200 ||
           err_set(&inv->err, ERR_UNAVAILABLE,
                   "error reading %s: the server answered with status %d", url, reply.status);
}

static bool load_text(struct invocation *inv, const char *file, struct slice *text)
{
    if (slice_starts(slice_text(file), "https://"))
        return fetch(inv, file, text);
    if (access(file, R_OK) != 0) {
        struct err why = {0};
        err_errno(&why, errno, "open", file);
        const char *reason = strstr(why.text, " failed: ");
        return err_set(&inv->err, why.kind, "error reading %s: open %s: %s", file, file,
                       reason ? reason + strlen(" failed: ") : why.text);
    }
    return file_read(inv->secrets, file, false, KEY_BYTES_MAX, text, &inv->err) ||
           err_wrap(&inv->err, "error reading %s", file);
}

static bool unsupported(struct invocation *inv, const char *file)
{
    return err_set(&inv->err, ERR_MALFORMED, "error reading %s: unsupported format", file);
}

/* --- Encrypted ---------------------------------------------------------------------------- */

bool jtool_open(struct invocation *inv, const struct jwe *jwe, const char *name,
                struct slice *plain)
{
    struct slice fixed = SLICE_NONE;

    if (!slice_starts(jwe->alg, "PBES2-"))
        return err_set(&inv->err, ERR_UNAUTHORIZED,
                       "%s is encrypted with '%.*s', which a password does not open", name,
                       SLICE_ARG(slice_sub(jwe->alg, 0, 32)));
    if (!password_flag(inv, "password-file", &fixed, &inv->err))
        return false;
    struct password_source *source =
        terminal_password_source(inv->arena, inv->terminal, fixed, "--password-file", JOSE_TRIES);
    for (unsigned attempt = 0; attempt < source->tries; attempt++) {
        struct jwe_key key = {SLICE_NONE};
        if (!source->get(source, name, attempt, inv->secrets, &key.password, &inv->err))
            return false;
        if (jwe_open(inv->secrets, jwe, &key, plain, &inv->err))
            return true;
        if (inv->err.kind != ERR_UNAUTHORIZED)
            return err_wrap(&inv->err, "error decrypting %s", name);
    }
    return err_set(&inv->err, ERR_UNAUTHORIZED, "error decrypting %s: password incorrect", name);
}

/* --- One key ------------------------------------------------------------------------------ */

static const char *given(const struct invocation *inv, const char *flag)
{
    const char *text = flag_listed(inv, flag) ? flag_text(inv, flag) : NULL;

    return text && *text ? text : NULL;
}

static bool is_hmac(const char *alg)
{
    return alg && strncmp(alg, "HS", 2) == 0 && jws_alg_of(slice_text(alg)) != JWS_NONE;
}

static bool is_jose(struct invocation *inv, struct slice text)
{
    struct jwe jwe;

    text = slice_trim(bom_skip(text));
    if (slice_starts(text, "{"))
        return true;
    return jwe_looks_like(text) && jwe_read(inv->arena, text, &jwe, NULL);
}

/* A key file says nothing about its use, other than a JWK: no alg, no use, and a kid of our own. */
static bool take_pem(struct invocation *inv, const char *file, struct slice text, struct jwk *jwk)
{
    struct key_file pem;

    if (!key_file_read(inv, text, file, "password-file", &pem) ||
        !jwk_of_key(inv->secrets, pem.key, pem.secret, jwk, &inv->err))
        return false;
    jwk->use = jwk->alg = SLICE_NONE;
    if (given(inv, "kid"))
        jwk->kid = slice_text(given(inv, "kid"));
    return true;
}

static bool take_jwk(struct invocation *inv, const char *file, struct slice text, struct jwk *jwk)
{
    const char *kid = given(inv, "kid");
    struct key_file found;

    if (!key_file_read(inv, text, file, "password-file", &found))
        return false;
    *jwk = found.jwk;
    if (kid && !jwk->kid.n)
        jwk->kid = slice_text(kid);
    return !kid || slice_is(jwk->kid, kid) ||
           err_set(&inv->err, ERR_MALFORMED, "kid %s does not match the kid on %s", kid, file);
}

static bool take_key(struct invocation *inv, const char *file, struct jwk *jwk)
{
    struct slice text;

    if (!load_text(inv, file, &text))
        return false;
    if (slice_starts(slice_trim(bom_skip(text)), "-----BEGIN "))
        return take_pem(inv, file, text, jwk);
    if (is_jose(inv, text))
        return take_jwk(inv, file, text, jwk);
    if (!is_hmac(given(inv, "alg")))
        return unsupported(inv, file);
    *jwk = (struct jwk){.kty = JWK_OCT, .octets = text};
    if (given(inv, "kid"))
        jwk->kid = slice_text(given(inv, "kid"));
    return text.n || err_set(&inv->err, ERR_MALFORMED, "error reading %s: the file is empty", file);
}

/* --- One key of a set --------------------------------------------------------------------- */

static bool load_set(struct invocation *inv, const char *file, struct jwk **keys, size_t *n)
{
    struct slice text;
    struct jwe jwe;

    if (!load_text(inv, file, &text))
        return false;
    text = slice_trim(bom_skip(text));
    if (jwe_looks_like(text)) {
        if (!jwe_read(inv->secrets, text, &jwe, &inv->err))
            return err_wrap(&inv->err, "error reading %s", file);
        if (!jtool_open(inv, &jwe, file, &text))
            return false;
    }
    if (!slice_starts(text, "{"))
        return unsupported(inv, file);
    return jwk_set_read(inv->secrets, text, keys, n, &inv->err) ||
           err_wrap(&inv->err, "error reading %s", file);
}

/* The text is the reference's, which scripts match. */
bool jtool_kid_given(struct invocation *inv)
{
    if (!given(inv, "jwks") || given(inv, "kid"))
        return true;
    return err_set(&inv->err, ERR_MALFORMED, "flag '--kid' requires the '--jwks' flag");
}

static bool take_of_set(struct invocation *inv, const char *file, struct slice token_kid,
                        struct jwk *jwk)
{
    struct slice kid = given(inv, "kid") ? slice_text(given(inv, "kid")) : token_kid;
    struct jwk *keys;
    size_t n, matches = 0;

    if (!kid.n)
        return jtool_kid_given(inv);
    if (!load_set(inv, file, &keys, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!slice_eq(keys[i].kid, kid))
            continue;
        *jwk = keys[i];
        matches++;
    }
    if (matches == 1)
        return true;
    kid = slice_sub(kid, 0, 128);
    if (!matches)
        return err_set(&inv->err, ERR_MALFORMED, "cannot find key with kid %.*s on %s",
                       SLICE_ARG(kid), file);
    return err_set(&inv->err, ERR_MALFORMED, "multiple keys with kid %.*s have been found on %s",
                   SLICE_ARG(kid), file);
}

/* --- What it may be used for -------------------------------------------------------------- */

static const struct use {
    const char *use, *other, *shown, *other_shown;
    const char *purpose; /* key Ed25519 cannot be used for … */
    const char *needs;   /* cannot use a public key for …; NULL: it can */
} USES[JTOOL_USES] = {
    [JTOOL_SIGN] = {"sig", "enc", "'sig' (signature)", "'enc'", "signing", "signing"},
    [JTOOL_VERIFY] = {"sig", "enc", "'sig' (signature)", "'enc'", "signing", NULL},
    [JTOOL_ENCRYPT] = {"enc", "sig", "'enc' (encryption)", "'sig' (signature)", "encryption", NULL},
    [JTOOL_DECRYPT] = {"enc", "sig", "'enc' (encryption)", "'sig' (signature)", "encryption",
                       "decryption"},
};

static bool use_fits(const struct jwk *jwk, const struct use *u, struct err *e)
{
    if (!jwk->use.n || slice_is(jwk->use, u->use))
        return true;
    if (slice_is(jwk->use, u->other))
        return err_set(e, ERR_MALFORMED, "invalid jwk use: found %s, expecting %s", u->other_shown,
                       u->shown);
    return err_set(e, ERR_MALFORMED, "invalid jwk use: found '%.*s', expecting %s",
                   SLICE_ARG(slice_sub(jwk->use, 0, 32)), u->shown);
}

/* An Ed25519 key does not encrypt, an X25519 key does not sign (RFC 8037 3). */
static bool type_fits(const struct jwk *jwk, const struct use *u, struct err *e)
{
    enum key_type never = strcmp(u->use, "sig") == 0 ? KEY_X25519 : KEY_ED25519;

    if (!jwk->key || jwk->key->type != never)
        return true;
    return err_set(e, ERR_MALFORMED, "key %s cannot be used for %s", key_curve_name(never),
                   u->purpose);
}

/* The table of jwk_alg_choose knows keys that this program makes; X25519 comes from others. */
static bool alg_of_x25519(const char *wish, const char **alg, struct err *e)
{
    static const char *const ALGS[] = {"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW",
                                       "ECDH-ES+A256KW"};

    *alg = wish ? wish : ALGS[0];
    for (size_t i = 0; i < COUNT_OF(ALGS); i++) {
        if (strcmp(ALGS[i], *alg) == 0)
            return true;
    }
    return err_set(e, ERR_MALFORMED, "alg '%s' is not compatible with kty 'OKP' and crv 'X25519'",
                   *alg);
}

bool jtool_alg(struct arena *a, const struct jwk *jwk, const char *file, enum jtool_use use,
               const struct jtool_wish *wish, const char **alg, struct err *e)
{
    const char *own = jwk->alg.n ? arena_cstr(a, jwk->alg) : NULL;
    const char *name = wish->alg ? wish->alg : own;
    bool guessable = jwk->kty == JWK_EC || jwk->kty == JWK_OKP;

    *alg = NULL;
    if (!type_fits(jwk, &USES[use], e))
        return false;
    if (use == JTOOL_DECRYPT)
        return true;
    if (wish->alg && own && strcmp(wish->alg, own) != 0 && !wish->subtle)
        return err_set(e, ERR_MALFORMED, "alg %s does not match the alg on %s", wish->alg, file);
    if (!name && use == JTOOL_VERIFY && !guessable && !wish->insecure)
        return err_set(e, ERR_MALFORMED, "flag '--alg' is required with the given key");
    if (jwk->key && jwk->key->type == KEY_X25519)
        return alg_of_x25519(name, alg, e);
    return jwk_alg_choose(jwk, USES[use].use, name, alg, e);
}

static bool has_private(const struct jwk *jwk)
{
    return jwk->secret || jwk->kty == JWK_OCT;
}

static bool truth(const struct invocation *inv, const char *flag)
{
    return flag_listed(inv, flag) && flag_bool(inv, flag);
}

bool jtool_key_load(struct invocation *inv, enum jtool_use use, struct slice token_kid,
                    struct jtool_key *key)
{
    const char *file = given(inv, "key"), *set = given(inv, "jwks");
    struct err *e = &inv->err;

    *key = (struct jtool_key){.file = file ? file : set};
    if (!(file ? take_key(inv, file, &key->jwk) : take_of_set(inv, set, token_kid, &key->jwk)))
        return false;
    if (!(use == JTOOL_VERIFY && truth(inv, "subtle")) && !use_fits(&key->jwk, &USES[use], e))
        return false;
    if (USES[use].needs && !has_private(&key->jwk))
        return err_set(e, ERR_MALFORMED, "cannot use a public key for %s", USES[use].needs);
    const struct jtool_wish wish = {given(inv, "alg"), truth(inv, "subtle"),
                                    truth(inv, "insecure")};
    return jtool_alg(inv->arena, &key->jwk, key->file, use, &wish, &key->alg, e);
}
