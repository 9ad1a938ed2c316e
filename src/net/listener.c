/*
 * Listening sockets.  Loop 0 accepts and gives each connection to the loop with the fewest.  When
 * there are too many connections, or no descriptors, accepting pauses: newcomers wait in the
 * kernel's backlog instead of being cut off.
 */
#include "net/server_internal.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/uri.h"

#define ACCEPT_BATCH 64
#define BACKLOG      1024

static const struct timeval PAUSE = {.tv_usec = 50000};

/* --- Accepting (loop 0) ------------------------------------------------------------------------
 */

static void address_of(const struct sockaddr_storage *ss, struct ip *ip, uint16_t *port)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)ss;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)ss;

    *ip = (struct ip){.n = 4};
    if (ss->ss_family == AF_INET) {
        memcpy(ip->bytes, &v4->sin_addr, 4);
        *port = ntohs(v4->sin_port);
        return;
    }
    *port = ntohs(v6->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        memcpy(ip->bytes, v6->sin6_addr.s6_addr + 12, 4);
        return;
    }
    ip->n = 16;
    memcpy(ip->bytes, v6->sin6_addr.s6_addr, 16);
}

static void pause_accepting(struct listener *l)
{
    event_del(&l->readable);
    event_add(&l->retry, &PAUSE);
}

/* Errors of one connection that was on its way; everything else is ours (RFC 9293 says nothing,
 * accept(2) does). */
static bool is_passing(int error)
{
    static const int ERRORS[] = {ECONNABORTED, EINTR,        EPROTO,      ENETDOWN,   ENETUNREACH,
                                 EHOSTDOWN,    EHOSTUNREACH, ENOPROTOOPT, EOPNOTSUPP, EPERM};

    for (size_t i = 0; i < COUNT_OF(ERRORS); i++)
        if (error == ERRORS[i])
            return true;
    return false;
}

static void accept_some(evutil_socket_t fd, short what UNUSED, void *arg)
{
    struct listener *l = arg;
    struct http_server *s = l->server;

    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage ss = {0};
        socklen_t n = sizeof(ss);
        struct ip ip;
        uint16_t port;
        if (atomic_load(&s->n_conns) >= s->options.connections_max) {
            pause_accepting(l);
            return;
        }
        int got = accept4(fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (got < 0 && is_passing(errno))
            continue;
        if (got < 0 && errno != EAGAIN)
            pause_accepting(l); /* no descriptors or no memory: give others time to end */
        if (got < 0)
            return;
        address_of(&ss, &ip, &port);
        conn_accept(l, got, &ip, port);
    }
}

static void accept_again(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
    struct listener *l = arg;

    event_add(&l->readable, NULL);
}

static void start_accepting(void *arg)
{
    struct listener *l = arg;

    if (l->accepting || l->fd < 0)
        return;
    l->accepting = true;
    event_assign(&l->readable, l->server->loops[0].base, l->fd, EV_READ | EV_PERSIST, accept_some,
                 l);
    evtimer_assign(&l->retry, l->server->loops[0].base, accept_again, l);
    event_add(&l->readable, NULL);
}

static void stop_accepting(void *arg)
{
    struct listener *l = arg;

    if (l->accepting) {
        event_del(&l->readable);
        event_del(&l->retry);
    }
    l->accepting = false;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

/* --- Handshakes that wait -----------------------------------------------------------------------
 */

struct resume {
    struct mail mail;
    struct loop *loop;
    const struct tls_slot *slot; /* compared, never looked into */
};

static void resume_run(struct mail *m)
{
    struct resume *r = (struct resume *)m; /* its first member */

    conn_resume_all(r->loop, r->slot);
    free(r);
}

static void slot_resumed(struct tls_watch *w)
{
    struct listener *l = (struct listener *)((char *)w - offsetof(struct listener, watch));

    for (unsigned i = 0; i < l->server->n_loops; i++) {
        struct resume *r = xcalloc(1, sizeof(*r));
        *r = (struct resume){{.run = resume_run}, &l->server->loops[i], l->tls};
        if (!loop_post(r->loop, &r->mail))
            free(r);
    }
}

/* --- Opening ------------------------------------------------------------------------------------
 */

static bool listen_failed(struct err *e, const char *address, int error)
{
    char reason[128];

    snprintf(reason, sizeof(reason), "%s", strerror(error));
    reason[0] = (char)tolower((unsigned char)reason[0]);
    return err_set(e, ERR_UNAVAILABLE, "listening on %s: %s", address, reason);
}

static int listen_on(const struct sockaddr *sa, socklen_t n)
{
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, off = 0;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    /* Only [::] can take IPv4 too; for other addresses this means nothing. */
    if (sa->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, sa, n) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* "": IPv6 with IPv4 in it, or IPv4 where the machine has no IPv6. */
static int listen_everywhere(const char *port)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found;
    static const int FAMILIES[] = {AF_INET6, AF_INET};
    int fd = -1;

    for (size_t i = 0; i < COUNT_OF(FAMILIES) && fd < 0; i++) {
        hints.ai_family = FAMILIES[i];
        if (getaddrinfo(NULL, port, &hints, &found) != 0)
            continue;
        fd = listen_on(found->ai_addr, found->ai_addrlen);
        int error = errno;
        freeaddrinfo(found);
        errno = error;
        if (fd < 0 && error != EAFNOSUPPORT && error != EADDRNOTAVAIL)
            return -1;
    }
    return fd;
}

static int open_socket(const char *address, struct err *e)
{
    struct arena *a CLEANUP(arena_cleanup) = arena_new(&HEAP_USUAL);
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found;
    struct slice host, port;
    int fd;

    if (!host_port_split(slice_text(address), &host, &port, e)) {
        err_wrap(e, "listening on %s", address);
        return -1;
    }
    const char *service = port.n ? arena_cstr(a, port) : "0";
    if (!host.n) {
        if ((fd = listen_everywhere(service)) < 0)
            listen_failed(e, address, errno);
        return fd;
    }
    int failed = getaddrinfo(arena_cstr(a, host), service, &hints, &found);
    if (failed) {
        err_set(e, ERR_UNAVAILABLE, "listening on %s: %s", address, gai_strerror(failed));
        return -1;
    }
    if ((fd = listen_on(found->ai_addr, found->ai_addrlen)) < 0)
        listen_failed(e, address, errno);
    freeaddrinfo(found);
    return fd;
}

static char *bound_address(int fd)
{
    struct arena *a CLEANUP(arena_cleanup) = arena_new(&HEAP_USUAL);
    struct sockaddr_storage ss = {0};
    socklen_t n = sizeof(ss);
    struct ip ip;
    uint16_t port;

    getsockname(fd, (struct sockaddr *)&ss, &n);
    address_of(&ss, &ip, &port);
    struct slice text = ip_text(a, &ip);
    return xstrdup(
        arena_printf(a, ip.n == 16 ? "[%.*s]:%u" : "%.*s:%u", SLICE_ARG(text), (unsigned)port));
}

static void listener_last(struct ref *r)
{
    struct listener *l = (struct listener *)r; /* its first member */
    struct http_server *s = l->server;

    if (l->tls)
        tls_slot_unwatch(l->tls, &l->watch);
    pthread_mutex_destroy(&l->lock);
    free(l->address);
    free(l);
    ref_drop(&s->ref);
}

struct listener *listener_open(struct http_server *s, const char *address, struct tls_slot *tls,
                               const struct http_app *app, struct err *e)
{
    int fd = open_socket(address, e);

    if (fd < 0)
        return NULL;
    struct listener *l = xcalloc(1, sizeof(*l));
    ref_init(&l->ref, listener_last);
    ref_take(&s->ref);
    l->server = s;
    l->fd = fd;
    l->address = bound_address(fd);
    l->app = *app;
    l->tls = tls;
    pthread_mutex_init(&l->lock, NULL);
    l->watch.resumed = slot_resumed;
    if (tls)
        tls_slot_watch(tls, &l->watch);
    pthread_mutex_lock(&s->lock);
    l->next = s->listeners;
    s->listeners = l;
    pthread_mutex_unlock(&s->lock);
    return l;
}

void listener_start(struct listener *l)
{
    loop_call(&l->server->loops[0], start_accepting, l);
}

const char *listener_address(const struct listener *l)
{
    return l->address;
}

void listener_set_app(struct listener *l, const struct http_app *app)
{
    pthread_mutex_lock(&l->lock);
    l->app = *app;
    pthread_mutex_unlock(&l->lock);
}

struct http_app listener_app(struct listener *l)
{
    pthread_mutex_lock(&l->lock);
    struct http_app app = l->app;
    pthread_mutex_unlock(&l->lock);
    return app;
}

void listener_shut(struct listener *l)
{
    loop_call(&l->server->loops[0], stop_accepting, l);
}

void listener_close(struct listener *l)
{
    struct http_server *s = l->server;

    listener_shut(l);
    pthread_mutex_lock(&s->lock);
    struct listener **p = &s->listeners;
    while (*p && *p != l)
        p = &(*p)->next;
    if (*p)
        *p = l->next;
    pthread_mutex_unlock(&s->lock);
    ref_drop(&l->ref);
}
