/*
 * What the tests of validations share: a resolver that is a table, and servers on the loopback with
 * a thread for each connection, plain or TLS.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "acme/validate.h"

static struct arena *A;

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* --- Names --------------------------------------------------------------------------------------
 */

struct table_name {
    const char *name; /* as asked, final dot included */
    const char *addresses[3];
    const char *texts[3];
    enum err_kind error;
};
struct table_resolver {
    struct resolver base; /* first */
    const struct table_name *v;
    size_t n;
    atomic_uint asked;
};

static const struct table_name *table_find(struct resolver *base, struct slice name, struct err *e)
{
    struct table_resolver *t = (struct table_resolver *)base;

    atomic_fetch_add(&t->asked, 1);
    for (size_t i = 0; i < t->n; i++) {
        if (!slice_is(name, t->v[i].name))
            continue;
        if (t->v[i].error == ERR_NONE)
            return &t->v[i];
        err_set(e, t->v[i].error, "%s: the table says so", t->v[i].name);
        return NULL;
    }
    err_set(e, ERR_NOT_FOUND, "%.*s: no such name", SLICE_ARG(name));
    return NULL;
}

static bool table_addresses(struct resolver *base, struct slice name, struct arena *a,
                            struct ip_list *list, struct deadline d UNUSED, struct err *e)
{
    const struct table_name *found = table_find(base, name, e);

    if (!found)
        return false;
    *list = (struct ip_list){.v = arena_array(a, 3, sizeof(*list->v))};
    for (size_t i = 0; i < 3 && found->addresses[i]; i++)
        must(ip_read(slice_text(found->addresses[i]), &list->v[list->n++]));
    return true;
}

static bool table_txt(struct resolver *base, struct slice name, struct arena *a,
                      struct text_list *list, struct deadline d UNUSED, struct err *e)
{
    const struct table_name *found = table_find(base, name, e);

    if (!found)
        return false;
    *list = (struct text_list){.v = arena_array(a, 3, sizeof(*list->v))};
    for (size_t i = 0; i < 3 && found->texts[i]; i++)
        list->v[list->n++] = slice_text(found->texts[i]);
    return true;
}

UNUSED static struct table_resolver table_make(const struct table_name *v, size_t n)
{
    return (struct table_resolver){{table_addresses, table_txt}, v, n, 0};
}

/* --- Servers ------------------------------------------------------------------------------------
 */

struct visit {
    struct server *server;
    int fd;
    SSL *ssl;
    char request[4096]; /* head, NUL behind; empty when the server only shakes hands */
};
struct server {
    int fd;
    uint16_t port;
    SSL_CTX *ctx;                   /* NULL: plain */
    void (*answer)(struct visit *); /* NULL: nothing more */
    bool speaks_first;
    pthread_t thread;
    int stop[2];
    atomic_uint visits, active;
};

UNUSED static bool visit_send(struct visit *v, const char *p, size_t n)
{
    while (n) {
        long sent = v->ssl ? SSL_write(v->ssl, p, (int)n) : send(v->fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

UNUSED static void visit_reply(struct visit *v, const char *status, const char *headers,
                               const char *body)
{
    char text[4096];
    int n = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                     headers, strlen(body), body);

    (void)visit_send(v, text, (size_t)n);
}

/* Until the peer closes or the server is stopped. */
UNUSED static void visit_hold(struct visit *v)
{
    struct pollfd fds[] = {{.fd = v->fd, .events = POLLRDHUP},
                           {.fd = v->server->stop[0], .events = POLLIN}};

    (void)poll(fds, 2, -1);
}

static void read_request(struct visit *v)
{
    size_t n = 0;

    while (n + 1 < sizeof(v->request) && !strstr(v->request, "\r\n\r\n")) {
        long got = v->ssl ? SSL_read(v->ssl, v->request + n, 1) : recv(v->fd, v->request + n, 1, 0);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
}

static void *visit_run(void *arg)
{
    struct visit *v = arg;
    struct server *s = v->server;
    bool ready = true;

    if (s->ctx) {
        v->ssl = SSL_new(s->ctx);
        SSL_set_fd(v->ssl, v->fd);
        ready = SSL_accept(v->ssl) == 1;
        ERR_clear_error();
    }
    if (ready && s->answer) {
        if (!s->speaks_first)
            read_request(v);
        s->answer(v);
    }
    if (v->ssl)
        SSL_free(v->ssl);
    shutdown(v->fd, SHUT_WR);
    close(v->fd);
    free(v);
    OPENSSL_thread_stop();
    atomic_fetch_sub(&s->active, 1);
    return NULL;
}

static void *server_run(void *arg)
{
    struct server *s = arg;
    struct pollfd fds[] = {{.fd = s->fd, .events = POLLIN}, {.fd = s->stop[0], .events = POLLIN}};
    pthread_t thread;

    while (poll(fds, 2, -1) >= 0 && !fds[1].revents) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0)
            continue;
        struct visit *v = calloc(1, sizeof(*v));
        *v = (struct visit){.server = s, .fd = fd};
        atomic_fetch_add(&s->visits, 1);
        atomic_fetch_add(&s->active, 1);
        must(pthread_create(&thread, NULL, visit_run, v) == 0);
        pthread_detach(thread);
    }
    return NULL;
}

/* address: "127.0.0.1" or "::1"; port 0: any.  False: the machine has no such address. */
static bool server_bind(struct server *s, const char *address, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is_v6 = strchr(address, ':');
    int yes = 1;

    inet_pton(AF_INET, address, &v4.sin_addr);
    inet_pton(AF_INET6, address, &v6.sin6_addr);
    s->fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return false;
    setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (is_v6)
        setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
    const struct sockaddr *sa = is_v6 ? (const void *)&v6 : (const void *)&v4;
    if (bind(s->fd, sa, is_v6 ? sizeof(v6) : sizeof(v4)) != 0) {
        close(s->fd);
        return false;
    }
    struct sockaddr_in6 found;
    socklen_t n = sizeof(found);
    must(getsockname(s->fd, (struct sockaddr *)&found, &n) == 0);
    s->port = ntohs(found.sin6_port); /* at the same place in both */
    return true;
}

UNUSED static bool server_start(struct server *s, const char *address, uint16_t port)
{
    if (!server_bind(s, address, port))
        return false;
    must(listen(s->fd, 256) == 0 && pipe(s->stop) == 0);
    must(pthread_create(&s->thread, NULL, server_run, s) == 0);
    return true;
}

UNUSED static void server_stop(struct server *s)
{
    close(s->stop[1]);
    pthread_join(s->thread, NULL);
    close(s->fd);
    while (atomic_load(&s->active))
        usleep(1000);
    close(s->stop[0]);
}

/* A port where nobody listens: bound, not listening, until the test ends. */
UNUSED static uint16_t closed_port(void)
{
    static struct server s;

    if (!s.port)
        must(server_bind(&s, "127.0.0.1", 0));
    return s.port;
}

/* --- Certificates of servers --------------------------------------------------------------------
 */

struct server_cert {
    const char *sans[3]; /* OpenSSL's words: "DNS:a.test" */
    const char *oid;     /* of an extension; NULL: none */
    bool critical;
    struct slice value;
    long until; /* seconds from now; 0: an hour */
};

static void add_named(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    must(extension && X509_add_ext(x, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

UNUSED static void add_raw(X509 *x, const char *oid, bool critical, struct slice value)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();

    ASN1_OCTET_STRING_set(content, value.p, (int)value.n);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, critical, content);
    must(extension && X509_add_ext(x, extension, -1) == 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(content);
    ASN1_OBJECT_free(object);
}

UNUSED static SSL_CTX *server_context(const struct server_cert *c)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    X509_set_version(x, 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), 77);
    X509_gmtime_adj(X509_getm_notBefore(x), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x), c->until ? c->until : 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"answer", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    char sans[512] = "";
    for (size_t i = 0; i < COUNT_OF(c->sans) && c->sans[i]; i++) {
        size_t n = strlen(sans);
        snprintf(sans + n, sizeof(sans) - n, "%s%s", n ? "," : "", c->sans[i]);
    }
    if (sans[0])
        add_named(x, NID_subject_alt_name, sans);
    if (c->oid)
        add_raw(x, c->oid, c->critical, c->value);
    must(X509_sign(x, key, EVP_sha256()) > 0);
    must(SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    X509_free(x);
    EVP_PKEY_free(key);
    return ctx;
}

/* --- Verdicts -----------------------------------------------------------------------------------
 */

UNUSED static struct deadline soon(void)
{
    return deadline_in(&CLOCK_SYSTEM, 60 * NS_PER_SEC);
}

UNUSED static void assert_result(const struct acme_result *r, enum acme_verdict verdict,
                                 const char *problem, const char *detail)
{
    static const char *const NAMES[] = {"valid", "invalid", "retry"};
    const char *found = r->problem ? r->problem : "none";

    if (r->verdict != verdict || strcmp(found, problem ? problem : "none") != 0)
        fail_msg("expected %s, %s; found %s, %s: %.*s", NAMES[verdict], problem ? problem : "none",
                 NAMES[r->verdict], found, SLICE_ARG(r->detail));
    if (detail && slice_search(r->detail, slice_text(detail)) == r->detail.n)
        fail_msg("\"%.*s\" does not say \"%s\"", SLICE_ARG(r->detail), detail);
}

UNUSED static int arena_up(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    return 0;
}

UNUSED static int arena_down(void **state)
{
    (void)state;
    arena_free(A);
    return 0;
}
