/*
 * Certificates and contexts: the part of TLS that servers and clients have in common.  Keys are
 * handed to libssl as they are in memory; nothing is written to a file on the way.
 */
#include "net/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "crypto/key.h"

bool tls_error(struct err *e, enum err_kind kind, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    err_set(e, kind, "%s: %s", what, reason ? reason : "refused by the TLS library");
    ERR_clear_error();
    return false;
}

X509 *tls_x509(struct slice der, const char *what, struct err *e)
{
    const unsigned char *p = der.p;
    X509 *x = der.p && der.n <= INT32_MAX ? d2i_X509(NULL, &p, (long)der.n) : NULL;

    if (x && p == der.p + der.n)
        return x;
    X509_free(x);
    ERR_clear_error();
    err_set(e, ERR_MALFORMED, "%s: not an X.509 certificate (RFC 5280 4.1)", what);
    return NULL;
}

bool tls_store_add(X509_STORE *store, const struct slice *anchors, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        X509 *x = tls_x509(anchors[i], "trust anchor", e);
        if (!x)
            return false;
        bool added = X509_STORE_add_cert(store, x) == 1;
        X509_free(x);
        if (!added)
            return tls_error(e, ERR_INTERNAL, "trust anchor");
    }
    return true;
}

static bool use_leaf(SSL_CTX *ctx, X509 *leaf, const struct private_key *key, struct err *e)
{
    if (SSL_CTX_use_certificate(ctx, leaf) != 1)
        return tls_error(e, ERR_MALFORMED, "TLS certificate");
    if (!key || !key->evp || SSL_CTX_use_PrivateKey(ctx, key->evp) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return tls_error(e, ERR_MALFORMED, "TLS certificate: private key");
    return true;
}

bool tls_use_chain(SSL_CTX *ctx, const struct slice *chain, size_t n, const struct private_key *key,
                   struct err *e)
{
    if (!n)
        return err_set(e, ERR_MALFORMED, "TLS certificate: none given");
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN); /* what was given is sent, no anchors behind */
    for (size_t i = 0; i < n; i++) {
        X509 *x = tls_x509(chain[i], "TLS certificate", e);
        if (!x)
            return false;
        bool ok = i == 0 ? use_leaf(ctx, x, key, e) : SSL_CTX_add1_chain_cert(ctx, x) == 1;
        X509_free(x);
        if (!ok)
            return i == 0 ? false : tls_error(e, ERR_MALFORMED, "TLS certificate chain");
    }
    return true;
}

bool tls_believe(SSL_CTX *ctx, const struct trust *trust, struct err *e)
{
    static const struct trust SYSTEM = {.kind = TRUST_SYSTEM};
    const struct trust *t = trust ? trust : &SYSTEM;

    if (t->kind == TRUST_ANYBODY) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return true;
    }
    X509_STORE *store = X509_STORE_new();
    if (!store)
        return tls_error(e, ERR_INTERNAL, "trust store");
    SSL_CTX_set_cert_store(ctx, store); /* owns it now */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (t->kind != TRUST_ANCHORS && X509_STORE_set_default_paths(store) != 1)
        return tls_error(e, ERR_INTERNAL, "system trust store");
    return t->kind == TRUST_SYSTEM || tls_store_add(store, t->anchors, t->n, e);
}

static struct slice der_of(struct arena *a, const X509 *x)
{
    int n = i2d_X509(x, NULL);

    if (n <= 0)
        return SLICE_NONE;
    uint8_t *der = arena_alloc(a, (size_t)n), *p = der;
    i2d_X509(x, &p);
    return slice_of(der, (size_t)n);
}

void tls_peer_certificates(const SSL *ssl, struct arena *a, struct slice **chain, size_t *n)
{
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    STACK_OF(X509) *all = SSL_get_peer_cert_chain(ssl);
    int count = all ? sk_X509_num(all) : 0;

    *n = 0;
    if (!leaf)
        return;
    *chain = arena_array(a, (size_t)count + 1, sizeof(**chain));
    (*chain)[(*n)++] = der_of(a, leaf);
    /* On a client's side the list begins with the leaf, on a server's it does not. */
    for (int i = SSL_is_server(ssl) ? 0 : 1; i < count; i++)
        (*chain)[(*n)++] = der_of(a, sk_X509_value(all, i));
}

static void drop_key(void *key)
{
    EVP_PKEY_free(key);
}

bool tls_used_chain(const SSL_CTX *ctx, struct arena *a, struct tls_credentials *out)
{
    X509 *leaf = SSL_CTX_get0_certificate(ctx);
    EVP_PKEY *evp = SSL_CTX_get0_privatekey(ctx);
    STACK_OF(X509) *rest = NULL;

    if (!leaf || !evp)
        return false;
    SSL_CTX_get0_chain_certs((SSL_CTX *)ctx, &rest);
    int n = rest ? sk_X509_num(rest) : 0;
    struct private_key *key = arena_alloc(a, sizeof(*key));
    EVP_PKEY_up_ref(evp);
    arena_defer(a, drop_key, evp);
    key->evp = evp;
    *out = (struct tls_credentials){.chain = arena_array(a, (size_t)n + 1, sizeof(*out->chain)),
                                    .key = key};
    out->chain[out->n_chain++] = der_of(a, leaf);
    for (int i = 0; i < n; i++)
        out->chain[out->n_chain++] = der_of(a, sk_X509_value(rest, i));
    return true;
}
