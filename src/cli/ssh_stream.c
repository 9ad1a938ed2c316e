/*
 * A TCP connection, and copying between it and two descriptors.
 *
 * Each direction has one buffer that is filled only when it is empty: no data waits in us while
 * the other side could not take it.  The two descriptors are ssh's: they may be shared with other
 * processes and keep their mode; only the socket is non-blocking.
 */
#include "cli/ssh_stream.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define CONNECT_NS (60 * NS_PER_SEC) /* for one address */
#define CHUNK      (32u << 10)

/* --- Connecting ------------------------------------------------------------------------------ */

/* 0, or errno. */
static int wait_connected(int fd)
{
    struct deadline d = deadline_in(&CLOCK_SYSTEM, CONNECT_NS);
    struct pollfd p = {fd, POLLOUT, 0};
    socklen_t size = sizeof(int);
    int problem = 0, n = 0;

    do
        n = poll(&p, 1, (int)(deadline_left(d) / NS_PER_MS) + 1);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? errno : ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 ? problem : errno;
}

static int connect_to(const struct addrinfo *at, int *problem)
{
    int one = 1;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *problem = errno;
    if (fd < 0)
        return -1;
    *problem = connect(fd, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
    if (*problem == EINPROGRESS)
        *problem = wait_connected(fd);
    if (*problem == 0) {
        /* ssh is interactive; without it everything still works */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        return fd;
    }
    close(fd);
    return -1;
}

/* ssh gives an IPv6 address without brackets; people may write them. */
static struct slice bare_host(struct slice host)
{
    bool bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';

    return bracketed ? slice_sub(host, 1, host.n - 2) : host;
}

bool ssh_stream_open(struct arena *a, const struct ssh_target *t, int *fd, struct err *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    const char *host = arena_cstr(a, bare_host(t->host)), *port = arena_cstr(a, t->port);
    int problem = ENOENT;
    int code = getaddrinfo(host, port, &hints, &list);

    *fd = -1;
    if (code != 0)
        return err_set(e, ERR_NOT_FOUND, "%s port %s: %s", host, port, gai_strerror(code));
    for (const struct addrinfo *at = list; at && *fd < 0; at = at->ai_next)
        *fd = connect_to(at, &problem);
    freeaddrinfo(list);
    return *fd >= 0 || err_set(e, ERR_UNAVAILABLE, "cannot connect to %s port %s: %s", host, port,
                               strerror(problem));
}

/* --- Copying --------------------------------------------------------------------------------- */

struct way {
    int from, to;
    uint8_t bytes[CHUNK];
    size_t begin, end;
    bool ended; /* nothing more comes */
};

static bool is_empty(const struct way *w)
{
    return w->begin == w->end;
}

static bool later(int problem)
{
    return problem == EAGAIN || problem == EINTR;
}

/* An error of the source is its end: what came before is delivered. */
static void fill(struct way *w)
{
    ssize_t n = read(w->from, w->bytes, sizeof(w->bytes));

    if (n > 0) {
        w->begin = 0;
        w->end = (size_t)n;
    }
    w->ended = n == 0 || (n < 0 && !later(errno));
}

/* False when the target takes no more. */
static bool drain(struct way *w)
{
    ssize_t n = write(w->to, w->bytes + w->begin, w->end - w->begin);

    if (n > 0)
        w->begin += (size_t)n;
    return n >= 0 || later(errno);
}

static short wanted(const struct way *w, int fd)
{
    short events = 0;

    if (fd == w->from && is_empty(w) && !w->ended)
        events |= POLLIN;
    if (fd == w->to && !is_empty(w))
        events |= POLLOUT;
    return events;
}

/* One round of one direction; false when its target is gone. */
static bool move(struct way *w, short from, short to)
{
    if (is_empty(w) && !w->ended && (from & (POLLIN | POLLHUP | POLLERR | POLLNVAL)))
        fill(w);
    return is_empty(w) || !(to & (POLLOUT | POLLHUP | POLLERR | POLLNVAL)) || drain(w);
}

static bool copy(struct way *up, struct way *down, struct err *e)
{
    int socket = up->to;
    bool told = false; /* the end of our input */

    while (!(down->ended && is_empty(down))) {
        struct pollfd p[] = {
            {up->from, wanted(up, up->from), 0},
            {socket, (short)(wanted(up, socket) | wanted(down, socket)), 0},
            {down->to, wanted(down, down->to), 0},
        };
        for (size_t i = 0; i < COUNT_OF(p); i++)
            if (!p[i].events)
                p[i].fd = -1; /* a hangup would wake us for nothing */
        if (poll(p, COUNT_OF(p), -1) < 0 && errno != EINTR)
            return err_set(e, ERR_INTERNAL, "poll failed: %s", strerror(errno));
        if (!move(down, p[1].revents, p[2].revents))
            return true; /* whoever reads us is gone */
        if (!move(up, p[0].revents, p[1].revents)) {
            up->begin = up->end;
            up->ended = told = true;
        }
        if (up->ended && is_empty(up) && !told) {
            shutdown(socket, SHUT_WR);
            told = true;
        }
    }
    return true;
}

bool ssh_stream_copy(int socket, int in, int out, struct err *e)
{
    struct way up = {.from = in, .to = socket}, down = {.from = socket, .to = out};

    return copy(&up, &down, e);
}
