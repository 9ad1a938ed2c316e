/*
 * The resolver on c-ares.  A call has a channel to itself, and sockets of its own: no two questions
 * come from one port.  Setting a channel up means reading the system's configuration, so a few that
 * have served well are kept, for half a minute at most.  /etc/hosts, search list, timeouts and
 * attempts come from the system's configuration; the name servers too, unless one was named.
 *
 * Names below "localhost" never leave the machine (RFC 6761 6.3).
 */
#include "net/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/uri.h"

#define NAME_TEXT_MAX 255u /* RFC 1035 2.3.4, with a final dot */
#define RECORDS_MAX   256u
#define TXT_BYTES_MAX (128u << 10)
#define TURN_MS       50 /* somebody may have cancelled */
#define KEPT_MAX      8u
#define KEPT_NS       (30 * NS_PER_SEC) /* then the configuration is read again */

struct cares_resolver {
    struct resolver base; /* first */
    char *server;         /* as given; NULL: the system's */
    struct ip ip;
    int port;
    pthread_mutex_t lock; /* the two below; last in, first out */
    struct kept {
        ares_channel channel;
        int64_t made;
    } kept[KEPT_MAX];
    unsigned n_kept;
};

/* One question under way. */
struct question {
    struct cares_resolver *resolver;
    ares_channel channel;
    int64_t made;     /* the channel, CLOCK_SYSTEM */
    const char *name; /* for messages */
    const char *server;
    int status; /* c-ares' */
    bool answered;
    bool heard;       /* some answer has come */
    unsigned refusal; /* RCODE of the last answer that was none; 0: there was no such */
    struct ip from;   /* whose it was */
    struct arena *arena;
    struct ip_list *addresses;
    struct text_list *texts;
};

static void library_init(void)
{
    ares_library_init(ARES_LIB_INIT_ALL);
}

/* --- Channels --------------------------------------------------------------------------------- */

#define HEADER_SIZE 12 /* RFC 1035 4.1.1 */

struct ip ip_of_sockaddr(const struct sockaddr *sa)
{
    struct ip ip = {.n = 0};

    if (sa->sa_family == AF_INET) {
        ip.n = 4;
        memcpy(ip.bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    }
    if (sa->sa_family == AF_INET6) {
        ip.n = 16;
        memcpy(ip.bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
    }
    return ip;
}

/* A server that answers "I cannot" is passed over by c-ares, as if it were silent: who said so, and
 * what, is kept here for the message. */
static ares_ssize_t receive(ares_socket_t s, void *data, size_t n, int flags, struct sockaddr *from,
                            ares_socklen_t *n_from, void *arg)
{
    ssize_t got = recvfrom(s, data, n, flags, from, n_from);
    const uint8_t *header = data;
    struct question *q = arg;

    if (!q || got < HEADER_SIZE)
        return got;
    q->heard = true;
    if (!from) /* a part of what comes by TCP */
        return got;
    unsigned code = header[3] & 15u;
    if (code == ns_r_servfail || code == ns_r_notimpl || code == ns_r_refused) {
        q->refusal = code;
        q->from = ip_of_sockaddr(from);
    }
    return got;
}

static ares_socket_t open_socket(int family, int type, int protocol, void *arg UNUSED)
{
    return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int close_socket(ares_socket_t s, void *arg UNUSED)
{
    return close(s);
}

static int connect_socket(ares_socket_t s, const struct sockaddr *to, ares_socklen_t n,
                          void *arg UNUSED)
{
    return connect(s, to, n);
}

static ares_ssize_t send_parts(ares_socket_t s, const struct iovec *parts, int n, void *arg UNUSED)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)n};

    return sendmsg(s, &message, MSG_NOSIGNAL);
}

/* All or none: c-ares 1.18 calls each without a look. */
static const struct ares_socket_functions SOCKETS = {open_socket, close_socket, connect_socket,
                                                     receive, send_parts};

static bool use_server(ares_channel channel, const struct cares_resolver *r)
{
    struct ares_addr_port_node node = {.udp_port = r->port, .tcp_port = r->port};

    node.family = r->ip.n == 4 ? AF_INET : AF_INET6;
    memcpy(&node.addr, r->ip.bytes, r->ip.n);
    return ares_set_servers_ports(channel, &node) == ARES_SUCCESS;
}

static bool kept_take(struct cares_resolver *r, struct question *q)
{
    struct kept old = {0};
    int64_t now = CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM);

    pthread_mutex_lock(&r->lock);
    if (r->n_kept > 0)
        old = r->kept[--r->n_kept];
    pthread_mutex_unlock(&r->lock);
    if (!old.channel)
        return false;
    if (now - old.made > KEPT_NS) {
        ares_destroy(old.channel);
        return false;
    }
    q->channel = old.channel;
    q->made = old.made;
    return true;
}

static bool kept_give(struct cares_resolver *r, struct question *q)
{
    ares_set_socket_functions(q->channel, &SOCKETS, NULL);
    pthread_mutex_lock(&r->lock);
    bool room = r->n_kept < KEPT_MAX;
    if (room)
        r->kept[r->n_kept++] = (struct kept){q->channel, q->made};
    pthread_mutex_unlock(&r->lock);
    return room;
}

static bool channel_open(struct cares_resolver *r, struct question *q, struct err *e)
{
    q->resolver = r;
    if (kept_take(r, q)) {
        ares_set_socket_functions(q->channel, &SOCKETS, q);
        return true;
    }
    q->made = CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM);
    int status = ares_init(&q->channel);

    if (status != ARES_SUCCESS) {
        q->channel = NULL;
        return err_set(e, ERR_UNAVAILABLE, "%s: the name service cannot be set up: %s", q->name,
                       ares_strerror(status));
    }
    ares_set_socket_functions(q->channel, &SOCKETS, q);
    if (r->server && !use_server(q->channel, r))
        return err_set(e, ERR_UNAVAILABLE, "%s: name server %s cannot be used", q->name, r->server);
    return true;
}

static void channel_close(struct question *q)
{
    if (!q->channel)
        return;
    /* With an answer nothing is under way any more; c-ares closed the sockets. */
    bool good = q->answered && q->status == ARES_SUCCESS;
    if (!good || !kept_give(q->resolver, q))
        ares_destroy(q->channel); /* whoever still waits is called with ARES_EDESTRUCTION */
}

static int turn_ms(const struct question *q, struct deadline d)
{
    struct timeval most = {.tv_usec = TURN_MS * 1000}, tv;
    int64_t left = deadline_left(d) / NS_PER_MS + 1;
    struct timeval *t = ares_timeout(q->channel, &most, &tv);
    int64_t ms = t->tv_sec * 1000 + (t->tv_usec + 999) / 1000;

    return (int)(ms < left ? ms : left);
}

static void turn(struct question *q, struct deadline d)
{
    ares_socket_t socks[ARES_GETSOCK_MAXNUM];
    struct pollfd fds[ARES_GETSOCK_MAXNUM];
    unsigned bits = (unsigned)ares_getsock(q->channel, socks, ARES_GETSOCK_MAXNUM);
    nfds_t n = 0;

    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        bool in = bits & (1u << i), out = bits & (1u << (i + ARES_GETSOCK_MAXNUM));
        if (!in && !out)
            break;
        fds[n++] = (struct pollfd){.fd = socks[i],
                                   .events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0))};
    }
    if (poll(fds, n, turn_ms(q, d)) <= 0) {
        ares_process_fd(q->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* timeouts */
        return;
    }
    for (nfds_t i = 0; i < n; i++)
        if (fds[i].revents)
            ares_process_fd(q->channel,
                            fds[i].revents & (POLLIN | POLLERR | POLLHUP) ? fds[i].fd
                                                                          : ARES_SOCKET_BAD,
                            fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
}

static bool wait_for_answer(struct question *q, struct deadline d, struct err *e)
{
    pool_wait_begin();
    while (!q->answered && deadline_ok(d, NULL))
        turn(q, d);
    pool_wait_end();
    return q->answered ||
           err_set(e, ERR_TIMEOUT, "%s: %s did not answer in time", q->name, q->server);
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void add_address(struct question *q, const struct sockaddr *sa)
{
    struct ip ip = ip_of_sockaddr(sa);

    if (ip.n && q->addresses->n < RECORDS_MAX)
        q->addresses->v[q->addresses->n++] = ip;
}

static void take_addresses(void *arg, int status, int timeouts UNUSED, struct ares_addrinfo *found)
{
    struct question *q = arg;

    q->status = status;
    q->answered = true;
    if (status == ARES_SUCCESS)
        for (struct ares_addrinfo_node *n = found->nodes; n; n = n->ai_next)
            add_address(q, n->ai_addr);
    if (found)
        ares_freeaddrinfo(found);
}

/* The strings of one record follow each other; record_start is set on the first. */
static void join_texts(struct question *q, const struct ares_txt_ext *strings)
{
    struct buf b = buf_new(q->arena, TXT_BYTES_MAX);

    for (const struct ares_txt_ext *s = strings; s;) {
        const struct ares_txt_ext *next = s->next;
        buf_reset(&b);
        buf_put(&b, slice_of(s->txt, s->length));
        for (; next && !next->record_start; next = next->next)
            buf_put(&b, slice_of(next->txt, next->length));
        if (q->texts->n < RECORDS_MAX && buf_ok(&b))
            q->texts->v[q->texts->n++] = arena_copy(q->arena, buf_slice(&b));
        s = next;
    }
}

static void take_texts(void *arg, int status, int timeouts UNUSED, unsigned char *reply, int n)
{
    struct question *q = arg;
    struct ares_txt_ext *strings = NULL;

    q->status = status;
    q->answered = true;
    if (status != ARES_SUCCESS)
        return;
    q->status = ares_parse_txt_reply_ext(reply, n, &strings);
    if (q->status == ARES_SUCCESS)
        join_texts(q, strings);
    ares_free_data(strings);
}

static bool cannot(const struct question *q, struct err *e)
{
    static const char *const CODES[] = {
        [ns_r_servfail] = "SERVFAIL", [ns_r_notimpl] = "NOTIMP", [ns_r_refused] = "REFUSED"};
    const char *from =
        q->resolver->server || !q->from.n
            ? ""
            : arena_printf(q->arena, " %.*s", SLICE_ARG(ip_text(q->arena, &q->from)));

    return err_set(e, ERR_UNAVAILABLE, "%s: %s%s answered %s", q->name, q->server, from,
                   CODES[q->refusal]);
}

static bool unreadable(const struct question *q, struct err *e)
{
    return err_set(e, ERR_UNAVAILABLE, "%s: the answer of %s cannot be read", q->name, q->server);
}

static bool verdict(const struct question *q, const char *records, size_t n, struct err *e)
{
    if (q->status == ARES_SUCCESS && n)
        return true;
    switch (q->status) {
    case ARES_ENOTFOUND:
        return err_set(e, ERR_NOT_FOUND, "%s: no such name", q->name);
    case ARES_SUCCESS:
    case ARES_ENODATA:
        return err_set(e, ERR_NOT_FOUND, "%s: has no %s", q->name, records);
    case ARES_EBADNAME:
        if (!q->heard)
            return err_set(e, ERR_NOT_FOUND, "%s: is no DNS name", q->name);
        return unreadable(q, e); /* for the sake of a name in it */
    case ARES_ETIMEOUT:
        return err_set(e, ERR_UNAVAILABLE, "%s: %s did not answer in time", q->name, q->server);
    case ARES_EFORMERR:
        return err_set(e, ERR_UNAVAILABLE, "%s: %s answered FORMERR", q->name, q->server);
    case ARES_EBADRESP:
        return unreadable(q, e);
    case ARES_ECONNREFUSED: /* and whatever else c-ares calls so */
    case ARES_ESERVFAIL:
        return q->refusal
                   ? cannot(q, e)
                   : err_set(e, ERR_UNAVAILABLE, "%s: %s cannot be reached", q->name, q->server);
    default:
        return err_set(e, ERR_UNAVAILABLE, "%s: %s did not answer: %s", q->name, q->server,
                       ares_strerror(q->status));
    }
}

/* --- The two questions ------------------------------------------------------------------------ */

static bool name_ok(struct slice name, struct err *e)
{
    if (!name.n || name.n > NAME_TEXT_MAX || slice_has_nul(name))
        return err_set(e, ERR_NOT_FOUND,
                       "DNS name: expected 1 to %u characters (RFC 1035 2.3.4), found %zu",
                       NAME_TEXT_MAX, name.n);
    return true;
}

static bool is_localhost(struct slice name)
{
    static const struct slice SUFFIX = {(const uint8_t *)".localhost", 10};

    if (slice_ends(name, "."))
        name.n--;
    return slice_is_case(name, "localhost") ||
           (name.n > SUFFIX.n && slice_eq_case(slice_from(name, name.n - SUFFIX.n), SUFFIX));
}

static void put_loopback(struct ip_list *list)
{
    list->v[0] = (struct ip){.bytes = {[15] = 1}, .n = 16};
    list->v[1] = (struct ip){.bytes = {127, 0, 0, 1}, .n = 4};
    list->n = 2;
}

static bool cares_addresses(struct resolver *base, struct slice name, struct arena *a,
                            struct ip_list *list, struct deadline d, struct err *e)
{
    struct cares_resolver *r = (struct cares_resolver *)base;
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    *list = (struct ip_list){.v = arena_array(a, RECORDS_MAX + 1, sizeof(struct ip))};
    if (!name_ok(name, e))
        return false;
    if (ip_read(name, &list->v[0])) {
        list->n = 1;
        return true;
    }
    if (is_localhost(name)) {
        put_loopback(list);
        return true;
    }
    struct question q CLEANUP(channel_close) = {.name = arena_cstr(a, name),
                                                .server = r->server ? r->server : "the name server",
                                                .arena = a,
                                                .addresses = list};
    if (!channel_open(r, &q, e))
        return false;
    ares_getaddrinfo(q.channel, q.name, NULL, &hints, take_addresses, &q);
    return wait_for_answer(&q, d, e) && verdict(&q, "address", list->n, e);
}

static bool cares_txt(struct resolver *base, struct slice name, struct arena *a,
                      struct text_list *list, struct deadline d, struct err *e)
{
    struct cares_resolver *r = (struct cares_resolver *)base;

    *list = (struct text_list){.v = arena_array(a, RECORDS_MAX, sizeof(struct slice))};
    if (!name_ok(name, e))
        return false;
    struct question q CLEANUP(channel_close) = {.name = arena_cstr(a, name),
                                                .server = r->server ? r->server : "the name server",
                                                .arena = a,
                                                .texts = list};
    if (!channel_open(r, &q, e))
        return false;
    /* As the system's resolver asks: the search list holds for names without a final dot. */
    ares_search(q.channel, q.name, ns_c_in, ns_t_txt, take_texts, &q);
    return wait_for_answer(&q, d, e) && verdict(&q, "TXT record", list->n, e);
}

/* --- Making ----------------------------------------------------------------------------------- */

static bool read_server(struct cares_resolver *r, const char *server, struct err *e)
{
    struct slice host, port;
    uint64_t number;

    if (!host_port_split(slice_text(server), &host, &port, e))
        return err_wrap(e, "name server \"%s\"", server);
    if (!ip_read(host, &r->ip) || !slice_to_u64(port, &number) || !number || number > UINT16_MAX)
        return err_set(e, ERR_MALFORMED,
                       "name server \"%s\": expected ADDRESS:PORT with an IP address", server);
    r->port = (int)number;
    return true;
}

struct resolver *resolver_new(const char *server, struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct cares_resolver *r = xcalloc(1, sizeof(*r));

    pthread_once(&once, library_init);
    r->base = (struct resolver){cares_addresses, cares_txt};
    if (server && !read_server(r, server, e)) {
        free(r);
        return NULL;
    }
    r->server = server ? xstrdup(server) : NULL;
    pthread_mutex_init(&r->lock, NULL);
    return &r->base;
}

void resolver_free(struct resolver *base)
{
    struct cares_resolver *r = (struct cares_resolver *)base;

    if (!r)
        return;
    for (unsigned i = 0; i < r->n_kept; i++)
        ares_destroy(r->kept[i].channel);
    pthread_mutex_destroy(&r->lock);
    free(r->server);
    free(r);
}
