/*
 * A server's SSL_CTX out of ca.json's settings and the server's certificate.
 *
 * Client certificates are asked for, not demanded; one that is given and does not verify ends the
 * handshake.  Every anchor ends a path, intermediates too, because many clients send their leaf
 * only.  Resumption is off: a resumed session would carry a client certificate past its end or
 * past a change of the anchors.
 */
#include "net/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/buf.h"

static unsigned char HTTP2_PROTOCOLS[] = "\x02h2\x08http/1.1";
static unsigned char HTTP_PROTOCOLS[] = "\x08http/1.1";
static unsigned char ACME_PROTOCOLS[] = "\nacme-tls/1"; /* ten bytes */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                           const unsigned char *in, unsigned in_n, void *protocols)
{
    unsigned char *chosen = NULL;

    if (protocols == HTTP2_PROTOCOLS && SSL_version(ssl) < TLS1_2_VERSION) /* RFC 9113 9.2 */
        protocols = HTTP_PROTOCOLS;
    const char *ours = protocols;
    if (SSL_select_next_proto(&chosen, out_n, protocols, (unsigned)strlen(ours), in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2 */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

bool tls_speaks_http2(const SSL *ssl)
{
    const unsigned char *name = NULL;
    unsigned n = 0;

    SSL_get0_alpn_selected(ssl, &name, &n);
    return slice_is(slice_of(name, n), "h2");
}

/* With TLS 1.2 only where a suite is allowed that HTTP/2 may use in all implementations (RFC 9113
 * 9.2.2): the reference's server wants one of these two. */
static bool offers_http2(const struct tls_settings *s)
{
    static const char *const SUITES[] = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                                         "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"};

    if (s->min_version >= 13 || !s->n_suites)
        return true;
    for (size_t i = 0; i < s->n_suites; i++) {
        if (slice_is(s->suites[i], SUITES[0]) || slice_is(s->suites[i], SUITES[1]))
            return true;
    }
    return false;
}

/* RFC 5280 4.2.1.12 along the path.  Not libcrypto's purpose check: it refuses
 * anyExtendedKeyUsage, and key usages that clients of a private CA do have. */
static bool may_authenticate(const X509_STORE_CTX *path)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(path);

    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *x = sk_X509_value(chain, i);
        if ((X509_get_extension_flags(x) & EXFLAG_XKUSAGE) &&
            !(X509_get_extended_key_usage(x) & (XKU_SSL_CLIENT | XKU_ANYEKU)))
            return false;
    }
    return true;
}

static int verify_client(X509_STORE_CTX *path, void *arg UNUSED)
{
    if (X509_verify_cert(path) != 1)
        return 0;
    if (may_authenticate(path))
        return 1;
    X509_STORE_CTX_set_error(path, X509_V_ERR_INVALID_PURPOSE);
    return 0;
}

static bool set_versions(SSL_CTX *ctx, const struct tls_settings *s, bool has_suites, struct err *e)
{
    static const int VERSIONS[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
    int low = s->min_version ? s->min_version : 12, high = s->max_version ? s->max_version : 13;

    if (low < 10 || high > 13 || low > high)
        return err_set(e, ERR_MALFORMED,
                       "TLS versions: expected 1.0 to 1.3 and minVersion <= maxVersion");
    if (!has_suites && high < 13)
        return err_set(e, ERR_MALFORMED, "TLS cipherSuites: none of them is usable below TLS 1.3");
    if (!has_suites)
        low = 13;
    if (SSL_CTX_set_min_proto_version(ctx, VERSIONS[low - 10]) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, VERSIONS[high - 10]) != 1)
        return tls_error(e, ERR_MALFORMED, "TLS versions");
    return true;
}

static bool set_suites(SSL_CTX *ctx, const struct tls_settings *s, bool *any, struct err *e)
{
    struct buf list CLEANUP(buf_free) = buf_new(NULL, 16384);
    const char *name;

    *any = false;
    for (size_t i = 0; i < s->n_suites; i++) {
        enum tls_suite_use use = tls_suite_find(s->suites[i], &name);
        if (use == TLS_SUITE_UNKNOWN)
            return err_set(e, ERR_MALFORMED, "TLS cipherSuites: unknown name %.*s",
                           SLICE_ARG(slice_sub(s->suites[i], 0, 80)));
        if (use != TLS_SUITE_USABLE)
            continue;
        buf_printf(&list, "%s%s", list.n ? ":" : "", name);
        *any = true;
    }
    if (!s->n_suites) {
        buf_text(&list, "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256");
        *any = true;
    }
    /* The handshakes of TLS 1.0 and 1.1 are signed over MD5 and SHA-1, which every security level
     * above 0 refuses.  Whoever sets minVersion that low means it. */
    if (s->min_version && s->min_version < 12)
        SSL_CTX_set_security_level(ctx, 0);
    buf_byte(&list, 0);
    if (!*any)
        return true;
    if (!buf_done(&list, "TLS cipherSuites", e))
        return false;
    if (SSL_CTX_set_cipher_list(ctx, (const char *)list.p) != 1)
        return tls_error(e, ERR_MALFORMED, "TLS cipherSuites");
    return true;
}

/* Clients choose a certificate by the issuers that are listed: every anchor's subject. */
static bool list_anchors(SSL_CTX *ctx, const struct tls_settings *s, struct err *e)
{
    for (size_t i = 0; i < s->n_client_anchors; i++) {
        X509 *x = tls_x509(s->client_anchors[i], "client trust anchor", e);
        if (!x)
            return false;
        const STACK_OF(X509_NAME) *listed = SSL_CTX_get_client_CA_list(ctx);
        bool known = false;
        for (int j = 0; j < sk_X509_NAME_num(listed); j++)
            known |= X509_NAME_cmp(sk_X509_NAME_value(listed, j), X509_get_subject_name(x)) == 0;
        bool ok = known || SSL_CTX_add_client_CA(ctx, x) == 1;
        X509_free(x);
        if (!ok)
            return tls_error(e, ERR_INTERNAL, "client trust anchor");
    }
    return true;
}

static bool set_client_trust(SSL_CTX *ctx, const struct tls_settings *s, struct err *e)
{
    if (!s->n_client_anchors)
        return true;
    X509_STORE *store = X509_STORE_new();
    if (!store)
        return tls_error(e, ERR_INTERNAL, "client trust store");
    SSL_CTX_set_cert_store(ctx, store);
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(ctx), X509_PURPOSE_ANY);
    SSL_CTX_set_cert_verify_callback(ctx, verify_client, NULL);
    return tls_store_add(store, s->client_anchors, s->n_client_anchors, e) &&
           list_anchors(ctx, s, e);
}

static void set_habits(SSL_CTX *ctx, const struct tls_settings *s)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol,
                               s->acme_tls       ? ACME_PROTOCOLS
                               : offers_http2(s) ? HTTP2_PROTOCOLS
                                                 : HTTP_PROTOCOLS);
}

bool tls_context_new(const struct tls_settings *settings, const struct tls_credentials *credentials,
                     SSL_CTX **out, struct err *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    bool any;

    if (!ctx)
        return tls_error(e, ERR_INTERNAL, "TLS context");
    set_habits(ctx, settings);
    if (!set_suites(ctx, settings, &any, e) || !set_versions(ctx, settings, any, e) ||
        !set_client_trust(ctx, settings, e) ||
        !tls_use_chain(ctx, credentials->chain, credentials->n_chain, credentials->key, e)) {
        SSL_CTX_free(ctx);
        return false;
    }
    *out = ctx;
    return true;
}

bool tls_limit_client(SSL_CTX *ctx, const struct tls_settings *s, struct err *e)
{
    struct tls_settings own = *s;
    bool any = true;

    own.min_version = s->min_version < 12 ? 12 : s->min_version;
    own.max_version = s->max_version < 12 ? 13 : s->max_version;
    return (!s->n_suites || set_suites(ctx, &own, &any, e)) && set_versions(ctx, &own, any, e);
}
