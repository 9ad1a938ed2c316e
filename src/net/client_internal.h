/*
 * One transfer with libcurl, as the HTTP client and tls_peer_chain share it.
 */
#pragma once

#include <curl/curl.h>

#include "base/buf.h"
#include "net/tls_internal.h"

/* What curl's callbacks of one transfer work on. */
struct transfer {
    CURL *curl;
    struct arena *arena;
    struct deadline deadline;
    const struct trust *trust;
    const struct identity *identity;
    struct slice **chain; /* where the peer's goes; may be NULL */
    size_t *n_chain;
    const char *host, *port; /* for messages: the origin */
    const char *name;        /* whom the certificate must be for; NULL: host */
    struct http_reply *reply;
    struct buf body;
    size_t head_bytes;
    bool connected; /* the request is on its way */
    bool too_large;
    struct err local; /* of a callback of ours; kind ERR_NONE: none */
    char text[CURL_ERROR_SIZE];
};

void curl_begin(void); /* curl_global_init, once */
/* Options that every transfer has: timeouts, TLS, trust, protocols. */
void transfer_set(struct transfer *t);
/* Runs it as a declared wait. */
bool transfer_run(struct transfer *t, struct err *e) CHECKED;
