/*
 * The HTTP server: one event loop per core owns sockets, TLS and framing; slow or hostile clients
 * cost a buffer and a timer, never a thread.
 *
 * HTTP/1.1 with keep-alive (RFC 9112, strict: one framing, no folding, no bare CR), and over TLS
 * HTTP/2 (RFC 9113) for clients that ask for it.
 */
#pragma once

#include "base/err.h"
#include "net/http.h"
#include "net/tls.h"

struct http_server; /* the loops and what they own: one per process */

struct http_server_options {
    unsigned loops;                              /* 0: one per core */
    int64_t head_ns, body_ns, write_ns, idle_ns; /* 0: 15 s each */
    size_t head_max;                             /* 0: 1 MiB; beyond: 431 */
    size_t body_budget;                          /* 0: 64 MiB for all bodies in flight */
    unsigned connections_max; /* 0: 10 000; beyond, accepting pauses.  Never more than
                               * RLIMIT_NOFILE leaves room for. */
    struct clock *clock;      /* NULL: the system's.  For Date, `started` and certificates;
                               * timers always run by CLOCK_MONOTONIC. */
};
struct http_server *http_server_new(const struct http_server_options *o, struct err *e) CHECKED;

struct listener;
/* Binds and listens ("host:port"; port 0: chosen by the kernel; "" host: dual-stack).  tls NULL:
 * plain HTTP.  ERR_UNAVAILABLE names the address and why.  Accepting starts with listener_start. */
struct listener *listener_open(struct http_server *s, const char *address, struct tls_slot *tls,
                               const struct http_app *app, struct err *e) CHECKED;
void listener_start(struct listener *l);
/* The address really bound: "127.0.0.1:43121". */
const char *listener_address(const struct listener *l);
/* What new requests of this listener use from now on; *app is copied, here and in listener_open. */
void listener_set_app(struct listener *l, const struct http_app *app);
/* Stops accepting and closes the listening socket; open connections go on and keep the app (and
 * the slot, which may be freed).  Not from a loop's thread, like everything below. */
void listener_close(struct listener *l);

/* Graceful end: close idle connections, answer "Connection: close", wait until no connection is
 * busy or the deadline comes, then close all; stop the loops.  Sockets of listeners that are still
 * open are closed first (listener_close must still be called, or http_server_free). */
void http_server_stop(struct http_server *s, struct deadline d);
/* Stops at once when it was not stopped; listeners that are left go too.  Exchanges that are still
 * out may be finished later. */
void http_server_free(struct http_server *s);
/* Open connections and exchanges that are out, for tests and metrics. */
void http_server_counts(struct http_server *s, unsigned *connections, unsigned *exchanges);
