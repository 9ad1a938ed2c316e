/*
 * One transfer with libcurl, as the HTTP client and tls_peer_chain share it.
 */
#pragma once

#include <curl/curl.h>

#include "base/buf.h"
#include "net/resolver.h"
#include "net/tls_internal.h"

/* What curl's callbacks of one transfer work on. */
struct transfer {
    CURL *curl;
    struct arena *arena;
    struct deadline deadline;
    const struct trust *trust;
    const struct identity *identity;
    const struct tls_settings *tls; /* NULL: none */
    struct slice **chain;           /* where the peer's goes; may be NULL */
    size_t *n_chain;
    const char *host, *port; /* for messages: the origin */
    const char *name;        /* whom the certificate must be for; NULL: host */
    struct http_reply *reply;
    struct buf body;
    size_t head_bytes;
    struct slice tried; /* addresses: "::1, 127.0.0.1" */
    unsigned n_tried;
    bool connected; /* the request is on its way */
    bool too_large;
    struct err local; /* of a callback of ours; kind ERR_NONE: none */
    char text[CURL_ERROR_SIZE];
};

void curl_begin(void); /* curl_global_init, once */
/* Options that every transfer has: timeouts, TLS, trust, protocols. */
void transfer_set(struct transfer *t);
/* The address that the connection stands to, else those that were tried. */
struct slice transfer_peer(struct transfer *t);
/* --- Names ---------------------------------------------------------------------------------- */

/* NO_PROXY: names ("example.org" with what is below it, ".example.org" only what is below),
 * addresses, CIDR blocks, each with or without a port; "*" is everything. */
bool names_bypass_proxy(const char *list, const char *host, const char *port);
/* What the call connects to, looked up by r: entries for CURLOPT_RESOLVE.  proxy "": none; a name
 * that a proxy looks up is not ours.  *list is the caller's to free, also on failure. */
struct names_wanted {
    const char *host, *port, *proxy;
    bool rooted;
};
bool names_look_up(struct arena *a, struct resolver *r, const struct names_wanted *w,
                   struct curl_slist **list, struct deadline d, struct err *e) CHECKED;

/* Runs it as a declared wait. */
bool transfer_run(struct transfer *t, struct err *e) CHECKED;
