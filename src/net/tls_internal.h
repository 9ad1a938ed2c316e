/*
 * What the files of net/ share about TLS: certificates out of DER, contexts that use them, the
 * inside of a slot.  Includes OpenSSL; not for other floors.
 */
#pragma once

#include <openssl/ssl.h>

#include "net/http_client.h"
#include "net/tls.h"

/* err_set with libcrypto's newest reason behind the text; empties the thread's error queue. */
bool tls_error(struct err *e, enum err_kind kind, const char *what);
/* One certificate, nothing behind it. */
X509 *tls_x509(struct slice der, const char *what, struct err *e) CHECKED;
bool tls_store_add(X509_STORE *store, const struct slice *anchors, size_t n, struct err *e) CHECKED;
/* Makes the context speak as that leaf, chain behind it. */
bool tls_use_chain(SSL_CTX *ctx, const struct slice *chain, size_t n, const struct private_key *key,
                   struct err *e) CHECKED;
/* Makes the context (of a client) believe what `trust` says; not the name. */
bool tls_believe(SSL_CTX *ctx, const struct trust *trust, struct err *e) CHECKED;
/* Versions and suites of a server for a context of a client, but TLS 1.2 at least. */
bool tls_limit_client(SSL_CTX *ctx, const struct tls_settings *s, struct err *e) CHECKED;
/* The peer's chain, leaf first, as DER in a.  n 0: it gave none. */
void tls_peer_certificates(const SSL *ssl, struct arena *a, struct slice **chain, size_t *n);

/* "h2" was agreed on. */
bool tls_speaks_http2(const SSL *ssl);

/* What tls_use_chain put into a context; the key is counted, and dropped when a goes. */
bool tls_used_chain(const SSL_CTX *ctx, struct arena *a, struct tls_credentials *out) CHECKED;

/* A context for a server; never NULL when it returns true. */
bool tls_context_new(const struct tls_settings *settings, const struct tls_credentials *credentials,
                     SSL_CTX **out, struct err *e) CHECKED;

/* --- Slots ---------------------------------------------------------------------------------- */

/* Told (on the thread that resumes) that waiting handshakes may begin. */
struct tls_watch {
    struct tls_watch *next;
    void (*resumed)(struct tls_watch *);
};
/* Listeners keep a slot alive beyond tls_slot_free. */
void tls_slot_watch(struct tls_slot *s, struct tls_watch *w);
void tls_slot_unwatch(struct tls_slot *s, struct tls_watch *w);
/* The current context with a reference for the caller; NULL before the first tls_slot_set. */
SSL_CTX *tls_slot_take(struct tls_slot *s);
/* Asks `expiring` when it is time; true: this handshake waits for tls_slot_resume. */
bool tls_slot_must_wait(struct tls_slot *s, struct instant now);
