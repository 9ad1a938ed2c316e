/*
 * HTTP calls to the outside: blocking with declared waits, any thread.  The real one is libcurl;
 * tests hand over a table of answers.
 */
#pragma once

#include "base/err.h"
#include "crypto/key.h"
#include "net/http.h"

/* Whom to believe. */
struct trust {
    enum { TRUST_ANCHORS, TRUST_SYSTEM, TRUST_SYSTEM_AND_ANCHORS, TRUST_ANYBODY } kind;
    struct slice *anchors; /* DER; each an anchor even when not self-signed */
    size_t n;
};
/* Our certificate towards the peer. */
struct identity {
    struct slice *chain; /* DER, leaf first */
    size_t n;
    const struct private_key *key;
};

struct tls_settings; /* net/tls.h */
struct http_call {
    enum http_method method;
    struct slice url, body;
    struct http_fields fields;
    const struct trust *trust;       /* NULL: TRUST_SYSTEM */
    const struct identity *identity; /* NULL: none */
    /* Versions and suites of a server of ours that hold for this call as well, though never less
     * than TLS 1.2; NULL: the usual ones. */
    const struct tls_settings *tls;
    size_t max_reply;   /* 0: 1 MiB */
    unsigned redirects; /* how many may be followed (same scheme, https only) */
    bool no_proxy;
    bool redirects_anywhere; /* redirects may lead from and to http too */
    bool rooted;             /* names are absolute: ours to look up with a final dot, which neither
                                Host nor the certificate's name has */
    bool fresh;              /* a connection of its own, closed afterwards */
    /* The peer's chain (DER, leaf first), filled after the handshake when not NULL. */
    struct slice **peer_chain;
    size_t *n_peer_chain;
};
struct http_reply {
    int status;
    struct http_fields fields;
    struct slice body;
    /* Of the last hop: the address that answered, else those that were tried ("::1, 127.0.0.1");
     * filled by a call that fails as well.  May be empty. */
    struct slice peer;
};
/* An error status is a reply, not an error.  Errors: ERR_UNAVAILABLE "connecting to HOST:PORT
 * (ADDRESS): connection refused", "… certificate: unable to get local issuer", "… name mismatch";
 * ERR_TIMEOUT; ERR_TOO_LARGE. */
struct http_client {
    bool (*call)(struct http_client *, const struct http_call *, struct arena *,
                 struct http_reply *, struct deadline, struct err *);
};
/* Keeps idle handles per (origin, trust, identity).  user_agent is copied.  HTTPS_PROXY,
 * HTTP_PROXY, NO_PROXY hold unless no_proxy. */
struct http_client *http_client_new(const char *user_agent);
void http_client_free(struct http_client *c);
/* From now on names (of proxies too) are looked up by r, which must outlive the client; before the
 * first call. */
struct resolver;
void http_client_set_resolver(struct http_client *c, struct resolver *r);

/* A TLS handshake only (SNI servername or host; verified against trust and name unless
 * TRUST_ANYBODY): the peer's chain.  For `certificate inspect https://…`. */
bool tls_peer_chain(struct arena *a, const char *host, const char *port, const char *servername,
                    const struct trust *trust, struct slice **chain, size_t *n, struct deadline d,
                    struct err *e) CHECKED;
