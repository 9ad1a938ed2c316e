/*
 * A connection below HTTP: socket, handshake, one timer, sending, closing.
 *
 * One timer serves all deadlines.  A later deadline is only noted; the timer that fires too early
 * is set again.  Deadlines count from the event that began the phase, never from the last byte, so
 * that a client that sends one byte a second gains nothing.
 *
 * Functions that may free the connection are called last by whoever calls them.
 */
#include "net/server_internal.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define LINGER_NS  (2 * NS_PER_SEC)
#define LINGER_MAX (64u << 20)

/* --- Timer ----------------------------------------------------------------------------------- */

static void set_timer(struct conn *c, int64_t now)
{
    int64_t left = c->deadline_ns > now ? c->deadline_ns - now : 0;
    struct timeval t = {.tv_sec = left / NS_PER_SEC, .tv_usec = left % NS_PER_SEC / 1000 + 1};

    c->timer_ns = c->deadline_ns;
    event_add(&c->timer, &t);
}

void conn_deadline(struct conn *c, int64_t ns)
{
    if (!ns) {
        c->deadline_ns = 0;
        return;
    }
    int64_t now = loop_now();
    c->deadline_ns = now + ns;
    if (!c->timer_ns || c->timer_ns > c->deadline_ns)
        set_timer(c, now);
}

static void timer_fired(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
    struct conn *c = arg;
    int64_t now = loop_now();

    c->timer_ns = 0;
    if (!c->deadline_ns)
        return;
    if (c->deadline_ns > now) {
        set_timer(c, now);
        return;
    }
    c->deadline_ns = 0;
    if (c->state >= CONN_IDLE && c->state < CONN_LINGER)
        c->protocol->expired(c);
    else
        conn_free(c);
}

/* --- Life ------------------------------------------------------------------------------------ */

static void peer_last(struct ref *r)
{
    struct peer *p = (struct peer *)((char *)r - offsetof(struct peer, ref));

    arena_free(p->arena);
}

static struct peer *peer_new(const struct ip *address, uint16_t port)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct peer *p = arena_alloc(a, sizeof(*p));

    p->arena = a;
    p->address = *address;
    p->text = ip_text(a, address);
    p->port = port;
    ref_init(&p->ref, peer_last);
    return p;
}

/* What no loop took, or what a loop has finished with. */
static void discard(struct conn *c)
{
    struct http_server *s = c->loop->server;
    struct listener *l = c->listener;

    atomic_fetch_sub(&c->loop->n_conns, 1);
    if (!c->bev)
        close(c->fd);
    ref_drop(&c->peer->ref);
    free(c);
    server_conn_gone(s);
    ref_drop(&l->ref);
}

void conn_free(struct conn *c)
{
    if (c->protocol)
        c->protocol->gone(c);
    server_budget_give(c->loop->server, c->charged);
    event_del(&c->timer);
    if (c->bev)
        bufferevent_free(c->bev); /* closes the socket, after a close_notify */
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    discard(c);
}

static void bytes_came(struct bufferevent *bev UNUSED, void *arg)
{
    struct conn *c = arg;

    if (c->state != CONN_LINGER) {
        c->protocol->input(c);
        return;
    }
    struct evbuffer *in = bufferevent_get_input(c->bev);
    c->thrown += evbuffer_get_length(in);
    evbuffer_drain(in, evbuffer_get_length(in));
    if (c->thrown > LINGER_MAX)
        conn_free(c);
}

static void bytes_left(struct bufferevent *bev, void *arg)
{
    struct conn *c = arg;

    if (c->state == CONN_WRITE && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
        c->protocol->sent(c);
}

/* A browser or script that speaks plain HTTP to the TLS port gets an answer it can read. */
static void answer_plain(struct conn *c)
{
    static const char TEXT[] =
        "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Connection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

    (void)!send(c->fd, TEXT, sizeof(TEXT) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void handshake_failed(struct conn *c)
{
    unsigned long code = bufferevent_get_openssl_error(c->bev);
    long verdict = SSL_get_verify_result(c->ssl);
    struct slice ip = ip_text(c->peer->arena, &c->peer->address);

    if (code && ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST)
        answer_plain(c);
    if (verdict != X509_V_OK)
        log_info("TLS handshake with %.*s: client certificate refused: %s", SLICE_ARG(ip),
                 X509_verify_cert_error_string(verdict));
    else if (code && log_debug_enabled())
        log_line("TLS handshake with %.*s: %s", SLICE_ARG(ip), ERR_reason_error_string(code));
}

static void handshake_done(struct conn *c)
{
    struct peer *p = c->peer;

    p->tls = true;
    tls_peer_certificates(c->ssl, p->arena, &p->chain, &p->n_chain);
    p->verified = p->n_chain > 0 && SSL_get_verify_result(c->ssl) == X509_V_OK;
    c->state = CONN_IDLE;
    c->protocol = tls_speaks_http2(c->ssl) ? &PROTOCOL_HTTP2 : &PROTOCOL_HTTP1;
    c->protocol->begin(c);
}

static void something_happened(struct bufferevent *bev UNUSED, short what, void *arg)
{
    struct conn *c = arg;

    if (what & BEV_EVENT_CONNECTED) {
        handshake_done(c);
        return;
    }
    if (c->state == CONN_HANDSHAKE)
        handshake_failed(c);
    /* Half closed: the client waits for its answer.  TLS has no such thing (RFC 8446 6.1 allows
     * it, libevent stops writing). */
    bool waiting = c->state == CONN_OUT || c->state == CONN_WRITE;
    if ((what & BEV_EVENT_EOF) && waiting && !c->ssl) {
        c->eof = true;
        c->reading = false;
        return;
    }
    conn_free(c);
}

static void attach(struct conn *c, struct bufferevent *bev)
{
    c->bev = bev;
    if (!bev) {
        conn_free(c);
        return;
    }
    bufferevent_setcb(bev, bytes_came, bytes_left, something_happened, c);
    c->reading = true;
    bufferevent_enable(bev, EV_READ | EV_WRITE);
    if (c->state == CONN_IDLE)
        c->protocol->begin(c);
}

static void begin_handshake(struct conn *c)
{
    SSL_CTX *ctx = tls_slot_take(c->listener->tls);

    c->ssl = ctx ? SSL_new(ctx) : NULL;
    SSL_CTX_free(ctx);
    if (!c->ssl) {
        conn_free(c);
        return;
    }
    c->state = CONN_HANDSHAKE;
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        c->loop->base, c->fd, c->ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (!bev)
        SSL_free(c->ssl);
    else
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    attach(c, bev);
}

/* On its loop, fresh from the acceptor. */
static void conn_begin(struct mail *m)
{
    struct conn *c = (struct conn *)m; /* its first member */
    struct loop *l = c->loop;

    c->next = l->conns;
    c->link = &l->conns;
    if (c->next)
        c->next->link = &c->next;
    l->conns = c;
    evtimer_assign(&c->timer, l->base, timer_fired, c);
    if (l->draining) {
        conn_free(c);
        return;
    }
    conn_deadline(c, l->server->options.head_ns);
    if (!c->listener->tls) {
        c->protocol = &PROTOCOL_HTTP1;
        c->state = CONN_IDLE;
        attach(c, bufferevent_socket_new(l->base, c->fd, BEV_OPT_CLOSE_ON_FREE));
        return;
    }
    struct clock *clock = l->server->options.clock;
    if (!tls_slot_must_wait(c->listener->tls, clock->now(clock)))
        begin_handshake(c);
}

/* The loop with the fewest connections; the search starts somewhere else each time. */
static struct loop *choose_loop(struct http_server *s, unsigned start)
{
    struct loop *best = &s->loops[start % s->n_loops];

    for (unsigned i = 1; i < s->n_loops; i++) {
        struct loop *l = &s->loops[(start + i) % s->n_loops];
        if (atomic_load(&l->n_conns) < atomic_load(&best->n_conns))
            best = l;
    }
    return best;
}

void conn_accept(struct listener *listener, int fd, const struct ip *address, uint16_t port)
{
    struct http_server *s = listener->server;
    struct conn *c = xcalloc(1, sizeof(*c));
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    c->mail.run = conn_begin;
    c->loop = choose_loop(s, listener->turn++);
    c->listener = listener;
    c->fd = fd;
    c->peer = peer_new(address, port);
    ref_take(&listener->ref);
    atomic_fetch_add(&c->loop->n_conns, 1);
    atomic_fetch_add(&s->n_conns, 1);
    if (!loop_post(c->loop, &c->mail))
        discard(c);
}

/* --- The budget -------------------------------------------------------------------------------
 */

/* Large bodies that never come to their end must not keep the small ones of everybody else out. */
static struct conn *largest_holder(const struct conn *asking, size_t than)
{
    struct conn *found = NULL;

    for (struct conn *c = asking->loop->conns; c; c = c->next) {
        if (c == asking || c->state < CONN_IDLE || c->state == CONN_LINGER)
            continue;
        size_t held = c->protocol->held(c);
        if (held > than) {
            than = held;
            found = c;
        }
    }
    return found;
}

bool conn_budget_take(struct conn *c, size_t n)
{
    while (!server_budget_take(c->loop->server, n)) {
        struct conn *other = largest_holder(c, c->protocol->held(c) + n);
        if (!other)
            return false;
        other->protocol->evict(other);
    }
    return true;
}

/* --- Sending and closing ---------------------------------------------------------------------- */

void conn_reading(struct conn *c, bool on)
{
    if (c->reading == on || c->eof)
        return;
    c->reading = on;
    if (on)
        bufferevent_enable(c->bev, EV_READ);
    else
        bufferevent_disable(c->bev, EV_READ);
}

/* How much the socket took without waiting; 0 when it did not want any (an error shows again when
 * the bufferevent tries). */
static size_t send_now(struct conn *c, struct slice text)
{
    if (!c->ssl) {
        ssize_t n = send(c->fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        return n > 0 ? (size_t)n : 0;
    }
    size_t n = 0;
    ERR_clear_error();
    if (SSL_write_ex(c->ssl, text.p, text.n, &n) != 1)
        n = 0;
    ERR_clear_error();
    return n;
}

bool conn_send(struct conn *c, struct slice text)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);

    /* Straight to the socket spares two epoll_ctl and a round of the loop: nearly always it fits.
     */
    if (evbuffer_get_length(out) == 0)
        text = slice_from(text, send_now(c, text));
    if (!text.n)
        return evbuffer_get_length(out) == 0;
    /* In one piece: a TLS write that blocked must be repeated with the same bytes in front. */
    struct evbuffer_iovec room;
    if (evbuffer_reserve_space(out, (ev_ssize_t)text.n, &room, 1) != 1)
        return false;
    memcpy(room.iov_base, text.p, text.n);
    room.iov_len = text.n;
    evbuffer_commit_space(out, &room, 1);
    return false;
}

struct shared {
    void (*done)(void *);
    void *arg;
};

static void shared_sent(const void *data UNUSED, size_t n UNUSED, void *arg)
{
    struct shared s = *(struct shared *)arg;

    free(arg);
    s.done(s.arg);
}

void conn_send_shared(struct conn *c, struct slice text, void (*done)(void *), void *arg)
{
    struct shared *s = xmalloc(sizeof(*s));

    *s = (struct shared){done, arg};
    if (evbuffer_add_reference(bufferevent_get_output(c->bev), text.p, text.n, shared_sent, s) != 0)
        shared_sent(NULL, 0, s);
}

void conn_close(struct conn *c)
{
    bool rest = c->unread || evbuffer_get_length(bufferevent_get_input(c->bev)) > 0;

    if (!rest || c->eof) {
        conn_free(c);
        return;
    }
    if (c->ssl)
        SSL_shutdown(c->ssl);
    shutdown(c->fd, SHUT_WR);
    c->state = CONN_LINGER;
    conn_deadline(c, LINGER_NS);
    conn_reading(c, true);
    bytes_came(c->bev, c);
}

/* --- All of a loop -----------------------------------------------------------------------------
 */

void conn_resume_all(struct loop *l, const struct tls_slot *slot)
{
    for (struct conn *c = l->conns, *next; c; c = next) {
        next = c->next;
        if (c->state == CONN_WAIT && c->listener->tls == slot)
            begin_handshake(c);
    }
}

void conn_drain_all(struct loop *l)
{
    l->draining = true;
    for (struct conn *c = l->conns, *next; c; c = next) {
        next = c->next;
        if (c->state < CONN_IDLE)
            conn_free(c);
        else if (c->state != CONN_LINGER)
            c->protocol->drain(c);
    }
}

void conn_free_all(struct loop *l)
{
    while (l->conns)
        conn_free(l->conns);
}
