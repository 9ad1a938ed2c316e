/*
 * A handshake by hand: a non-blocking socket, and libssl between two memory buffers, so that the
 * deadline holds for every byte and a peer that closes early raises no signal.
 */
#include "net/tls_alpn.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pool.h"
#include "net/tls_internal.h"

#define HANDSHAKE_MAX (256u << 10) /* bytes from the peer */
#define ALPN_MAX      255u
#define TURN_MS       50 /* somebody may have cancelled */

struct caller {
    struct arena *arena;
    const char *where; /* "address:port" */
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out; /* the SSL's */
    size_t received;
    struct deadline deadline;
};

static void caller_free(struct caller *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    if (c->fd >= 0)
        close(c->fd);
}

/* --- The socket ---------------------------------------------------------------------------------
 */

static bool wait_for(struct caller *c, short events, struct err *e)
{
    struct pollfd p = {.fd = c->fd, .events = events};

    while (deadline_ok(c->deadline, NULL)) {
        int64_t left = deadline_left(c->deadline) / NS_PER_MS + 1;
        if (poll(&p, 1, left < TURN_MS ? (int)left : TURN_MS) > 0)
            return true;
    }
    return err_set(e, ERR_TIMEOUT, "%s: no answer in time", c->where);
}

static bool not_connected(struct caller *c, int error, struct err *e)
{
    return err_set(e, ERR_UNAVAILABLE, "connecting to %s: %s", c->where, strerror(error));
}

static bool connect_to(struct caller *c, const struct ip *ip, uint16_t port, struct err *e)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is_v4 = ip->n == 4;
    int error = 0;
    socklen_t n = sizeof(error);

    memcpy(&v4.sin_addr, ip->bytes, 4);
    memcpy(&v6.sin6_addr, ip->bytes, 16);
    c->fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return not_connected(c, errno, e);
    const struct sockaddr *sa = is_v4 ? (const void *)&v4 : (const void *)&v6;
    if (connect(c->fd, sa, is_v4 ? sizeof(v4) : sizeof(v6)) == 0)
        return true;
    if (errno != EINPROGRESS)
        return not_connected(c, errno, e);
    if (!wait_for(c, POLLOUT, e))
        return err_wrap(e, "connecting");
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        error = errno;
    return !error || not_connected(c, error, e);
}

static bool flush(struct caller *c, struct err *e)
{
    char *p = NULL;
    long n = BIO_get_mem_data(c->out, &p);

    while (n > 0) {
        ssize_t sent = send(c->fd, p, (size_t)n, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (!wait_for(c, POLLOUT, e))
                return false;
            continue;
        }
        if (sent < 0)
            return err_set(e, ERR_MALFORMED, "%s: TLS handshake: %s", c->where, strerror(errno));
        p += sent;
        n -= sent;
    }
    (void)BIO_reset(c->out);
    return true;
}

static bool receive(struct caller *c, struct err *e)
{
    uint8_t block[4096];

    if (!wait_for(c, POLLIN, e))
        return false;
    ssize_t got = recv(c->fd, block, sizeof(block), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got < 0)
        return err_set(e, ERR_MALFORMED, "%s: TLS handshake: %s", c->where, strerror(errno));
    if (got == 0)
        return err_set(e, ERR_MALFORMED, "%s: TLS handshake: the connection ended", c->where);
    c->received += (size_t)got;
    if (c->received > HANDSHAKE_MAX || BIO_write(c->in, block, (int)got) != got)
        return err_set(e, ERR_MALFORMED, "%s: TLS handshake: more than %u bytes", c->where,
                       HANDSHAKE_MAX);
    return true;
}

/* --- The handshake ------------------------------------------------------------------------------
 */

static bool set_up(struct caller *c, const char *sni, const char *alpn, struct err *e)
{
    uint8_t list[1 + ALPN_MAX];
    size_t n = strlen(alpn);

    if (!n || n > ALPN_MAX)
        return err_set(e, ERR_INTERNAL, "ALPN: expected 1 to %u bytes (RFC 7301 3.1)", ALPN_MAX);
    list[0] = (uint8_t)n;
    memcpy(list + 1, alpn, n);
    c->ctx = SSL_CTX_new(TLS_client_method());
    if (!c->ctx || SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1)
        return tls_error(e, ERR_INTERNAL, "TLS client");
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_security_level(c->ctx, 0); /* its key only has to show the answer */
    c->ssl = SSL_new(c->ctx);
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    if (!c->ssl || !c->in || !c->out) {
        BIO_free(c->in);
        BIO_free(c->out);
        return tls_error(e, ERR_INTERNAL, "TLS client");
    }
    SSL_set_bio(c->ssl, c->in, c->out);
    if (SSL_set_tlsext_host_name(c->ssl, sni) != 1 ||
        SSL_set_alpn_protos(c->ssl, list, (unsigned)n + 1) != 0)
        return tls_error(e, ERR_MALFORMED, "TLS client: server name");
    return true;
}

static bool refused(struct caller *c, struct err *e)
{
    unsigned long error = ERR_peek_last_error();
    bool no_protocol = ERR_GET_LIB(error) == ERR_LIB_SSL &&
                       ERR_GET_REASON(error) == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL;

    (void)tls_error(e, no_protocol ? ERR_NOT_IMPLEMENTED : ERR_MALFORMED, "TLS handshake");
    return err_wrap(e, "%s", c->where);
}

static bool shake_hands(struct caller *c, struct err *e)
{
    for (;;) {
        ERR_clear_error();
        int done = SSL_connect(c->ssl);
        int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, done);
        if (why != SSL_ERROR_NONE && why != SSL_ERROR_WANT_READ)
            return refused(c, e);
        if (!flush(c, e))
            return false;
        if (why == SSL_ERROR_NONE)
            return true;
        if (!receive(c, e))
            return false;
    }
}

static bool look(struct caller *c, struct slice *leaf, struct slice *negotiated, struct err *e)
{
    X509 *x = SSL_get1_peer_certificate(c->ssl);
    int n = x ? i2d_X509(x, NULL) : 0;
    const unsigned char *protocol = NULL;
    unsigned n_protocol = 0;

    if (n > 0) {
        uint8_t *der = arena_alloc(c->arena, (size_t)n), *p = der;
        *leaf = slice_of(der, (size_t)i2d_X509(x, &p));
    }
    X509_free(x);
    SSL_get0_alpn_selected(c->ssl, &protocol, &n_protocol);
    *negotiated = protocol ? arena_copy(c->arena, slice_of(protocol, n_protocol)) : SLICE_NONE;
    return n > 0 || err_set(e, ERR_MALFORMED, "%s: showed no certificate", c->where);
}

bool tls_alpn_peer(struct arena *a, const struct ip *address, uint16_t port, const char *sni,
                   const char *alpn, struct slice *leaf, struct slice *negotiated,
                   struct deadline d, struct err *e)
{
    struct slice text = ip_text(a, address);
    const char *where =
        arena_printf(a, address->n == 16 ? "[%.*s]:%u" : "%.*s:%u", SLICE_ARG(text), port);
    struct caller c CLEANUP(caller_free) = {.arena = a, .where = where, .fd = -1, .deadline = d};

    *leaf = *negotiated = SLICE_NONE;
    if (!set_up(&c, sni, alpn, e))
        return false;
    pool_wait_begin();
    bool ok = connect_to(&c, address, port, e) && shake_hands(&c, e);
    pool_wait_end();
    return ok && look(&c, leaf, negotiated, e);
}
