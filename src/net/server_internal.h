/*
 * The inside of the HTTP server.
 *
 * Who touches what: a connection, its bufferevent, SSL and timer belong to one loop's thread, and
 * so does everything an exchange points to while it is not out.  Whoever else wants something from
 * a loop posts a mail.  Nothing of libevent is called from outside its loop, so its own locking
 * stays off.
 *
 * What keeps what alive: a connection and a listener hold the server; an exchange that is out
 * holds it too, so that http_finish may come after http_server_free.  A connection holds its
 * listener and its peer.
 */
#pragma once

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "net/http1.h"
#include "net/server.h"
#include "net/tls_internal.h"

/* --- Loops (loop.c) -------------------------------------------------------------------------- */

/* Something to be done on a loop's thread; part of what it is about. */
struct mail {
    struct mail *next;
    void (*run)(struct mail *);
};

struct loop {
    struct http_server *server;
    struct event_base *base;
    pthread_t thread;
    bool running;

    pthread_mutex_t lock; /* the five below */
    struct mail *first, **last;
    bool sleeping, closed;
    int wake_fd;

    struct event wake; /* the rest is the loop's own */
    bool stop, draining;
    struct conn *conns;
    atomic_uint n_conns; /* written by the loop, read by the acceptor */
    int64_t date_sec;
    char date[32];
};

bool loop_init(struct loop *l, struct http_server *s, struct err *e) CHECKED;
bool loop_start(struct loop *l, struct err *e) CHECKED;
/* False: the loop has ended; the mail was not taken. */
bool loop_post(struct loop *l, struct mail *m) CHECKED;
/* run on the loop's thread, and wait for it; at once when the loop does not run. */
void loop_call(struct loop *l, void (*run)(void *arg), void *arg);
/* Ends the thread and takes no more mail. */
void loop_stop(struct loop *l);
void loop_destroy(struct loop *l);
/* CLOCK_MONOTONIC: what timers measure, whatever clock the application was given. */
int64_t loop_now(void);
/* The Date field's value (RFC 9110 6.6.1), made once a second. */
struct slice loop_date(struct loop *l);

/* --- The server (server.c) -------------------------------------------------------------------- */

struct http_server {
    struct ref ref;
    struct http_server_options options; /* every 0 replaced */
    struct loop *loops;
    unsigned n_loops;
    pthread_mutex_t lock; /* listeners; quiet */
    pthread_cond_t quiet; /* the last connection of a stopping server went */
    struct listener *listeners;
    atomic_bool stopping;
    atomic_uint n_conns, n_exchanges;
    atomic_size_t budget; /* bytes of heads and bodies in flight */
};

/* False: the budget is used up; nothing was taken. */
bool server_budget_take(struct http_server *s, size_t n) CHECKED;
void server_budget_give(struct http_server *s, size_t n);
void server_conn_gone(struct http_server *s);

/* --- Listeners (listener.c) ------------------------------------------------------------------- */

struct listener {
    struct ref ref; /* the owner's and one for each connection */
    struct http_server *server;
    struct listener *next;
    char *address;
    int fd;
    struct event readable, retry; /* loop 0's */
    bool accepting;               /* loop 0's: events are set up */
    unsigned turn;
    struct tls_slot *tls;
    struct tls_watch watch;
    pthread_mutex_t lock;
    struct http_app app;
};
struct http_app listener_app(struct listener *l);
/* Closes the socket; the object stays. */
void listener_shut(struct listener *l);

/* --- Exchanges (exchange.c) ------------------------------------------------------------------- */

enum stream_phase { STREAM_HEAD, STREAM_BODY, STREAM_OUT, STREAM_ANSWERED, STREAM_LINGER };

struct exchange {
    struct http_exchange x;
    struct mail mail;
    struct http_server *server;
    struct loop *loop;
    struct conn *conn; /* the loop's; NULL: it died */
    struct http_app app;
    struct http1_framing framing;
    struct buf body; /* what x.in.body will be */
    size_t body_max;
    size_t charged; /* of the budget, for the body */
    size_t head_charged;

    /* HTTP/2 */
    struct http2_stream *stream;   /* NULL: the client took it back */
    struct exchange *next, **link; /* of the connection */
    enum stream_phase phase;
    int64_t deadline_ns; /* of the phase; 0: none */
};
struct exchange *exchange_new(struct conn *c);
/* Appends to the body: 0, 413, or 503 when the budget is used up. */
int exchange_body(struct exchange *ex, struct slice data) CHECKED;
/* Hands it to the app. */
void exchange_dispatch(struct exchange *ex);
/* Lets the app fill in an answer that the loop gives by itself. */
void exchange_refuse(struct exchange *ex, int status, const char *error);
void exchange_free(struct exchange *ex);

/* --- Connections (conn.c) --------------------------------------------------------------------- */

enum conn_state {
    CONN_WAIT, /* for the server's new certificate, before the handshake */
    CONN_HANDSHAKE,
    CONN_IDLE, /* no byte of a request yet */
    CONN_HEAD,
    CONN_BODY,
    CONN_OUT,    /* the exchange is the app's */
    CONN_WRITE,  /* the response is on its way */
    CONN_LINGER, /* answered and shut; what the client still sends is thrown away */
};

/* What a protocol does with a connection; chosen by ALPN. */
struct protocol {
    void (*begin)(struct conn *); /* connected, handshake done */
    void (*input)(struct conn *); /* bytes have come */
    void (*respond)(struct conn *, struct exchange *);
    void (*sent)(struct conn *);    /* the output has left */
    void (*expired)(struct conn *); /* the deadline passed */
    void (*drain)(struct conn *);   /* the server stops */
    /* Of the budget, for requests that are not complete; and: their time is up. */
    size_t (*held)(const struct conn *);
    void (*evict)(struct conn *);
    void (*gone)(struct conn *); /* the connection dies: let go of exchanges */
};
extern const struct protocol PROTOCOL_HTTP1, PROTOCOL_HTTP2;

struct conn {
    struct mail mail; /* its way from the acceptor to its loop */
    struct loop *loop;
    struct listener *listener;
    struct conn *next, **link;
    const struct protocol *protocol;
    enum conn_state state;
    int fd;
    SSL *ssl; /* bev's; NULL: plain, or no handshake yet */
    struct bufferevent *bev;
    struct peer *peer;
    struct event timer;
    int64_t deadline_ns, timer_ns; /* 0: none; when the timer is set to fire */
    bool reading;                  /* EV_READ is on */
    bool eof;                      /* the peer has shut its side */

    /* HTTP/1.1 */
    struct exchange *x; /* the current one, wherever it is */
    struct http1_scan scan;
    struct http1_chunks chunks;
    size_t charged; /* of the budget, for a large head that is still coming */
    bool served;    /* a request was answered before */
    bool close;     /* after the response in hand */
    bool unread;    /* the request was not read to its end */
    size_t thrown;  /* bytes, while lingering */

    struct http2_conn *h2; /* HTTP/2 */
};

/* On loop 0: takes fd over and gives it to a loop. */
void conn_accept(struct listener *l, int fd, const struct ip *address, uint16_t port);
/* Of the server's budget.  When it is used up, connections of the same loop that hold more for an
 * incomplete request than c would then are ended first. */
bool conn_budget_take(struct conn *c, size_t n) CHECKED;
/* From now; 0: none. */
void conn_deadline(struct conn *c, int64_t ns);
void conn_reading(struct conn *c, bool on);
/* Sends text now as far as the socket takes it, the rest through the bufferevent.  True: all of it
 * has left, `sent` will not be called. */
bool conn_send(struct conn *c, struct slice text) CHECKED;
/* Through the bufferevent, without a copy; done(arg) when it left or the connection died. */
void conn_send_shared(struct conn *c, struct slice text, void (*done)(void *), void *arg);
/* Says goodbye in order: after a close_notify, reads on for a moment when the client is still
 * sending, so that it gets to see the answer (RFC 9112 9.6). */
void conn_close(struct conn *c);
/* At once.  Nothing of c may be touched afterwards. */
void conn_free(struct conn *c);
/* On their loop: handshakes that wait for this slot begin; idle connections end; all end. */
void conn_resume_all(struct loop *l, const struct tls_slot *slot);
void conn_drain_all(struct loop *l);
void conn_free_all(struct loop *l);
