/*
 * HTTP as everything above sees it: a complete request in, a complete response out.  Sockets,
 * TLS and framing belong to the loops; a handler never meets them.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/pool.h"
#include "base/slice.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_PATCH,
    HTTP_OPTIONS,
    HTTP_OTHER
};
const char *http_method_name(enum http_method m);

struct http_field {
    struct slice name, value;
};
struct http_fields {
    struct http_field *v;
    size_t n, cap;
    struct arena *arena;
};
/* Copies neither name nor value.  CR, LF and NUL in a value end the process in debug builds and
 * are replaced by ' ' otherwise. */
void http_fields_add(struct http_fields *f, struct arena *a, const char *name, struct slice value);
void http_fields_set(struct http_fields *f, struct arena *a, const char *name, struct slice value);
/* First value of that name (case-insensitive); p == NULL when absent. */
struct slice http_fields_get(const struct http_fields *f, const char *name);

/* Who is at the other end of a connection; shared by its exchanges. */
struct peer {
    struct ref ref;
    struct ip address;
    struct slice text; /* of the address */
    uint16_t port;
    bool tls;
    /* The client's chain as DER, leaf first; n_chain 0: none given.  verified: the handshake
     * checked it against the anchors. */
    struct slice *chain;
    size_t n_chain;
    bool verified;
    struct arena *arena;
};

struct http_request {
    enum http_method method;
    struct slice method_text;
    struct slice target; /* as received */
    struct slice path;   /* percent-decoded once; no query */
    struct slice raw_path;
    struct slice query; /* p == NULL: absent */
    struct slice host, body;
    struct http_fields fields;
    struct peer *peer;
    const char *protocol; /* "HTTP/1.1" */
};
struct http_response {
    int status;
    struct http_fields fields;
    struct slice body;
    struct ref *keep; /* owner of a shared body, dropped when it was sent; may be NULL */
    int64_t write_ns; /* time for it to leave, then the connection ends; 0: the server's usual */
};

struct http_exchange {
    struct http_request in;
    struct http_response out;
    struct arena *arena;    /* the exchange's; everything above lives in it */
    struct instant started; /* wall clock, when the head was complete */
    int64_t started_mono_ns;
    /* Set by the app or NULL; see http_finish. */
    void (*done)(struct http_exchange *x);
    /* The loop's part. */
    void *connection;
};
/* Gives it back, once, from any thread.  The exchange must not be touched afterwards.  The
 * connection may be gone meanwhile: then it finishes into nothing.  x->done (set before) is
 * called on the loop when the exchange and its arena are about to go; may be NULL. */
void http_finish(struct http_exchange *x);

/* What the loop asks when a request's head is complete, before the body is read. */
struct http_limits {
    size_t body_max; /* larger bodies are answered 413 through `refuse` */
};
struct http_app {
    void *arg;
    void (*limits)(void *arg, const struct http_request *head, struct http_limits *out);
    /* On the loop; the exchange now belongs to the app until http_finish. */
    void (*dispatch)(void *arg, struct http_exchange *x);
    /* The loop answers itself (400, 408, 413, 414, 417, 431, 501, 503, 505): the app fills out
     * (fields and body; status is set) for that status; error is one line for the log and, when
     * the app wants, for the body.  Called on the loop; x->in may be incomplete.  NULL: plain
     * text. */
    void (*refuse)(void *arg, struct http_exchange *x, int status, const char *error);
};
