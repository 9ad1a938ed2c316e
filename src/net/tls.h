/*
 * TLS of the listeners: settings from ca.json, the server certificate in a slot that is swapped
 * while connections live on, client certificates asked for and verified when given.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/pool.h"
#include "crypto/key.h"

/* IANA names that ca.json may list. */
enum tls_suite_use { TLS_SUITE_UNKNOWN, TLS_SUITE_KNOWN, TLS_SUITE_USABLE, TLS_SUITE_13 };
/* The OpenSSL name (NULL unless USABLE). */
enum tls_suite_use tls_suite_find(struct slice name, const char **openssl_name);

struct tls_settings {
    struct slice *suites; /* IANA names */
    size_t n_suites;
    int min_version, max_version; /* 10, 11, 12, 13 */
    /* Client certificates: anchors (roots and intermediates), DER.  n 0: not asked for. */
    struct slice *client_anchors;
    size_t n_client_anchors;
    bool acme_tls; /* offers "acme-tls/1" alone (RFC 8737) instead of HTTP */
};
struct tls_credentials { /* the server's own */
    struct slice *chain; /* DER, leaf first */
    size_t n_chain;
    const struct private_key *key;
};

struct tls_slot;
/* Once the slot's certificate has less than a minute left, `expiring` (may be NULL) is called on
 * the loop for each new connection; it returns true when the handshake must wait, and the app
 * calls tls_slot_resume when a new certificate is in place (or could not be made). */
struct tls_slot *tls_slot_new(void);
void tls_slot_on_expiring(struct tls_slot *s, bool (*expiring)(void *arg), void *arg);
void tls_slot_resume(struct tls_slot *s);
/* Builds a context and swaps it in.  Old connections keep theirs.  not_after: when the leaf ends.
 */
bool tls_slot_set(struct tls_slot *s, const struct tls_settings *settings,
                  const struct tls_credentials *credentials, struct instant not_after,
                  struct err *e) CHECKED;
/* What the slot holds now, for calls of ours to other servers: it lives as long as a.  False:
 * nothing is in it yet. */
bool tls_slot_credentials(struct tls_slot *s, struct arena *a, struct tls_credentials *out) CHECKED;
void tls_slot_free(struct tls_slot *s);
