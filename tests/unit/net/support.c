/* See support.h. */
#include "support.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* --- Certificates ---------------------------------------------------------------------------- */

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(extension && X509_add_ext(x, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

void entity_make(struct arena *a, struct entity *out, const struct entity_options *o)
{
    X509 *x = X509_new();
    uint64_t serial;

    *out = (struct entity){.evp = EVP_EC_gen("P-256"), .x = x};
    RAND_bytes((unsigned char *)&serial, sizeof(serial));
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1);
    X509_set_version(x, 2);
    X509_gmtime_adj(X509_getm_notBefore(x), o->from || o->until ? o->from : -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), o->from || o->until ? o->until : 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)o->name, -1, -1, 0);
    X509_set_pubkey(x, out->evp);
    X509 *issuer = o->issuer ? o->issuer->x : x;
    X509_set_issuer_name(x, X509_get_subject_name(issuer));
    add_extension(x, issuer, NID_basic_constraints, o->ca ? "critical,CA:TRUE" : "CA:FALSE");
    add_extension(x, issuer, NID_key_usage,
                  o->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    if (o->eku)
        add_extension(x, issuer, NID_ext_key_usage, o->eku);
    if (o->san)
        add_extension(x, issuer, NID_subject_alt_name, o->san);
    must(X509_sign(x, o->issuer ? o->issuer->evp : out->evp, EVP_sha256()) > 0);
    int n = i2d_X509(x, NULL);
    uint8_t *der = arena_alloc(a, (size_t)n), *p = der;
    i2d_X509(x, &p);
    out->der = slice_of(der, (size_t)n);
    out->key = (struct private_key){.evp = out->evp};
}

void entity_free(struct entity *x)
{
    EVP_PKEY_free(x->evp);
    X509_free(x->x);
}

/* --- A client of exact bytes -------------------------------------------------------------------
 */

struct wire wire_open(const char *address)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    const char *colon = strrchr(address, ':');
    struct timeval patience = {.tv_sec = 30};
    struct wire w = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    sa.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(w.fd >= 0 && connect(w.fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
    setsockopt(w.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return w;
}

bool wire_tls(struct wire *w, SSL_CTX *ctx)
{
    w->ssl = SSL_new(ctx);
    SSL_set_fd(w->ssl, w->fd);
    return SSL_connect(w->ssl) == 1;
}

void wire_close(struct wire *w)
{
    if (w->ssl)
        SSL_free(w->ssl);
    if (w->fd >= 0)
        close(w->fd);
    *w = (struct wire){.fd = -1};
}

bool wire_send_n(struct wire *w, const void *p, size_t n)
{
    const char *from = p;

    while (n) {
        ssize_t sent =
            w->ssl ? SSL_write(w->ssl, from, (int)n) : send(w->fd, from, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        from += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool wire_send(struct wire *w, const char *text)
{
    return wire_send_n(w, text, strlen(text));
}

long wire_read(struct wire *w, void *p, size_t n)
{
    if (!w->ssl)
        return recv(w->fd, p, n, 0);
    int got = SSL_read(w->ssl, p, (int)n);
    if (got > 0)
        return got;
    return SSL_get_error(w->ssl, got) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

bool wire_read_all(struct wire *w, void *to, size_t n)
{
    char *p = to;

    while (n) {
        long got = wire_read(w, p, n);
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

void answer_read(struct wire *w, struct answer *out, bool without_body)
{
    size_t n = 0;

    *out = (struct answer){0};
    /* Byte by byte: nothing of the next response may be taken. */
    while (n < sizeof(out->head) - 1 && !(n >= 4 && !memcmp(out->head + n - 4, "\r\n\r\n", 4)))
        if (wire_read(w, out->head + n++, 1) != 1)
            return;
    const char *length = strcasestr(out->head, "\r\nContent-Length: ");
    out->n = length && !without_body ? strtoul(length + 18, NULL, 10) : 0;
    out->body = calloc(1, out->n + 1);
    if (wire_read_all(w, out->body, out->n))
        out->status = (int)strtoul(out->head + 9, NULL, 10);
}

void answer_free(struct answer *a)
{
    free(a->body);
    *a = (struct answer){0};
}

bool answer_has(const struct answer *a, const char *text)
{
    return strcasestr(a->head, text) != NULL;
}

/* --- An app ------------------------------------------------------------------------------------
 */

struct big {
    struct ref ref;
    struct app *app;
    uint8_t bytes[8u << 20];
};

static void big_last(struct ref *r)
{
    struct big *b = (struct big *)r;

    atomic_fetch_sub(&b->app->big_alive, 1);
    free(b);
}

static void limits(void *arg, const struct http_request *head, struct http_limits *out)
{
    (void)arg;
    if (slice_starts(head->path, "/small/"))
        out->body_max = 10;
}

static _Atomic(struct app *) counting; /* whose exchanges are counted when they end */

static void count_done(struct http_exchange *x)
{
    (void)x;
    atomic_fetch_add(&atomic_load(&counting)->done, 1);
}

static void *finish_thread(void *arg)
{
    usleep(2000);
    http_finish(arg);
    return NULL;
}

static void hold(struct app *a, struct http_exchange *x)
{
    pthread_mutex_lock(&a->lock);
    a->held[a->n_held++] = x;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

static void say_peer(struct http_exchange *x)
{
    const struct peer *p = x->in.peer;

    x->out.body =
        arena_format(x->arena, "tls=%d chain=%zu verified=%d", p->tls, p->n_chain, p->verified);
}

static void say_echo(struct http_exchange *x)
{
    struct http_request *in = &x->in;

    x->out.body = arena_format(x->arena, "%s %.*s ?%.*s host=%.*s [%.*s]",
                               http_method_name(in->method), SLICE_ARG(in->path),
                               SLICE_ARG(in->query), SLICE_ARG(in->host), SLICE_ARG(in->body));
}

static void say_big(struct app *a, struct http_exchange *x)
{
    struct big *b = malloc(sizeof(*b));

    memset(b->bytes, 'b', sizeof(b->bytes));
    b->app = a;
    ref_init(&b->ref, big_last);
    atomic_fetch_add(&a->big_alive, 1);
    x->out.keep = &b->ref;
    x->out.body = slice_of(b->bytes, sizeof(b->bytes));
}

static void dispatch(void *arg, struct http_exchange *x)
{
    struct app *a = arg;
    struct slice path = x->in.path;
    pthread_t thread;

    atomic_fetch_add(&a->dispatched, 1);
    x->done = count_done;
    x->out.status = 200;
    http_fields_add(&x->out.fields, x->arena, "Content-Type", SLICE("text/plain"));
    x->out.body = slice_text(a->greeting);
    if (slice_is(path, "/hold")) {
        hold(a, x);
        return;
    }
    if (slice_is(path, "/thread")) {
        must(pthread_create(&thread, NULL, finish_thread, x) == 0);
        pthread_detach(thread);
        return;
    }
    if (slice_starts(path, "/echo") || slice_starts(path, "/small/"))
        say_echo(x);
    if (slice_is(path, "/peer"))
        say_peer(x);
    if (slice_is(path, "/big") || slice_is(path, "/hasty"))
        say_big(a, x);
    if (slice_is(path, "/hasty"))
        x->out.write_ns = 200 * NS_PER_MS;
    if (slice_is(path, "/large")) {
        uint8_t *p = arena_alloc(x->arena, 100u << 10);
        memset(p, 'l', 100u << 10);
        x->out.body = slice_of(p, 100u << 10);
    }
    if (slice_is(path, "/nothing"))
        x->out.status = 204;
    http_finish(x);
}

static void refuse(void *arg, struct http_exchange *x, int status, const char *error)
{
    struct app *a = arg;

    atomic_fetch_add(&a->refused, 1);
    atomic_store(&a->last_refused, status);
    must(x->out.status == status && error && *error);
    x->out.body = arena_format(x->arena, "refused: %s", error);
}

void app_init(struct app *a)
{
    memset(a, 0, sizeof(*a));
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    a->greeting = "hello";
    a->http = (struct http_app){a, limits, dispatch, refuse};
    atomic_store(&counting, a);
}

void app_wait_held(struct app *a, unsigned n)
{
    pthread_mutex_lock(&a->lock);
    while (a->n_held < n)
        pthread_cond_wait(&a->changed, &a->lock);
    pthread_mutex_unlock(&a->lock);
}

void app_release(struct app *a)
{
    pthread_mutex_lock(&a->lock);
    unsigned n = a->n_held;
    a->n_held = 0;
    pthread_mutex_unlock(&a->lock);
    for (unsigned i = 0; i < n; i++)
        http_finish(a->held[i]);
}
