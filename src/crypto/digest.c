/*
 * Digests.  Each thread keeps one context for each algorithm: making one costs more than hashing a
 * certificate.  Contexts that live across calls (struct digest_run) are their own.
 */
#include "crypto/digest.h"

#include <openssl/core_names.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "crypto/ossl.h"

static const struct {
    size_t size;
    const char *name;
} DIGESTS[DIGEST_KINDS] = {
    [DIGEST_NONE] = {0, "none"},
    [DIGEST_MD5] = {16, "MD5"},
    [DIGEST_SHA1] = {20, "SHA1"},
    [DIGEST_SHA224] = {28, "SHA224"},
    [DIGEST_SHA256] = {32, "SHA256"},
    [DIGEST_SHA384] = {48, "SHA384"},
    [DIGEST_SHA512] = {64, "SHA512"},
    [DIGEST_SHA512_224] = {28, "SHA512-224"},
    [DIGEST_SHA512_256] = {32, "SHA512-256"},
};

struct contexts {
    EVP_MD_CTX *of[DIGEST_KINDS];
};

static __thread struct contexts *mine;
static pthread_key_t contexts_key;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;

static void contexts_free(void *p)
{
    struct contexts *c = p;

    for (size_t i = 0; i < DIGEST_KINDS; i++)
        EVP_MD_CTX_free(c->of[i]);
    free(c);
    mine = NULL;
}

static void contexts_key_make(void)
{
    if (pthread_key_create(&contexts_key, contexts_free) != 0)
        ossl_die("pthread_key_create");
}

static EVP_MD_CTX *context_of(enum digest d)
{
    if (!mine) {
        pthread_once(&contexts_once, contexts_key_make);
        mine = xcalloc(1, sizeof(*mine));
        pthread_setspecific(contexts_key, mine);
    }
    if (!mine->of[d] && !(mine->of[d] = EVP_MD_CTX_new()))
        ossl_die("EVP_MD_CTX_new");
    return mine->of[d];
}

size_t digest_size(enum digest d)
{
    return DIGESTS[d].size;
}

const char *digest_name(enum digest d)
{
    return DIGESTS[d].name;
}

static void begin(EVP_MD_CTX *ctx, enum digest d)
{
    const EVP_MD *md = ossl_digest(d);

    if (!md || !EVP_DigestInit_ex2(ctx, md, NULL))
        ossl_die(DIGESTS[d].name);
}

static void add(EVP_MD_CTX *ctx, struct slice s)
{
    if (s.n && !EVP_DigestUpdate(ctx, s.p, s.n))
        ossl_die("EVP_DigestUpdate");
}

static void end(EVP_MD_CTX *ctx, uint8_t out[DIGEST_MAX])
{
    if (!EVP_DigestFinal_ex(ctx, out, NULL))
        ossl_die("EVP_DigestFinal_ex");
}

void digest_of(enum digest d, struct slice message, uint8_t out[DIGEST_MAX])
{
    EVP_MD_CTX *ctx = context_of(d);

    begin(ctx, d);
    add(ctx, message);
    end(ctx, out);
}

struct slice digest_bytes(struct arena *a, enum digest d, struct slice message)
{
    uint8_t out[DIGEST_MAX];

    digest_of(d, message, out);
    return arena_copy(a, slice_of(out, digest_size(d)));
}

struct slice sha256_hex(struct arena *a, struct slice message)
{
    uint8_t out[DIGEST_MAX];

    digest_of(DIGEST_SHA256, message, out);
    return hex_text(a, slice_of(out, digest_size(DIGEST_SHA256)));
}

void hmac_of(enum digest d, struct slice key, struct slice message, uint8_t out[DIGEST_MAX])
{
    char name[16];
    OSSL_PARAM params[2] = {OSSL_PARAM_END, OSSL_PARAM_END};
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(ossl_hmac());
    /* A NULL key would mean "the key that is set already". */
    const uint8_t *key_bytes = key.n ? key.p : (const uint8_t *)"";

    snprintf(name, sizeof(name), "%s", DIGESTS[d].name);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
    if (!ctx || !EVP_MAC_init(ctx, key_bytes, key.n, params) ||
        (message.n && !EVP_MAC_update(ctx, message.p, message.n)) ||
        !EVP_MAC_final(ctx, out, NULL, DIGEST_MAX))
        ossl_die("HMAC");
    EVP_MAC_CTX_free(ctx);
}

struct digest_run digest_begin(enum digest d)
{
    struct digest_run r = {EVP_MD_CTX_new(), d};

    if (!r.ctx)
        ossl_die("EVP_MD_CTX_new");
    begin(r.ctx, d);
    return r;
}

void digest_add(struct digest_run *r, struct slice s)
{
    add(r->ctx, s);
}

void digest_end(struct digest_run *r, uint8_t out[DIGEST_MAX])
{
    end(r->ctx, out);
    EVP_MD_CTX_free(r->ctx);
    r->ctx = NULL;
}
