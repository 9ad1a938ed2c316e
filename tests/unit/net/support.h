/*
 * What the tests of net share: a CA made on the spot, a client that sends exact bytes, and an app
 * with a few routes.
 */
#pragma once

#include <openssl/ssl.h>

#include "net/http_client.h"
#include "net/server.h"

/* --- Certificates ---------------------------------------------------------------------------- */

struct entity {
    EVP_PKEY *evp;
    X509 *x;
    struct slice der; /* in the arena given */
    struct private_key key;
};
struct entity_options {
    const char *name;
    const struct entity *issuer; /* NULL: self-signed */
    bool ca;
    long from, until;      /* seconds from now; 0, 0: an hour ago to in an hour */
    const char *eku, *san; /* OpenSSL's configuration syntax, or NULL */
};
void entity_make(struct arena *a, struct entity *out, const struct entity_options *o);
void entity_free(struct entity *x);

/* --- A client of exact bytes -------------------------------------------------------------------
 */

struct wire {
    int fd;
    SSL *ssl;
};
/* address: "127.0.0.1:1234".  Ends the test when it cannot connect. */
struct wire wire_open(const char *address);
/* Handshake; false: refused (also when TLS 1.3 tells so after the handshake). */
bool wire_tls(struct wire *w, SSL_CTX *ctx);
void wire_close(struct wire *w);
/* False: the connection is gone. */
bool wire_send(struct wire *w, const char *text);
bool wire_send_n(struct wire *w, const void *p, size_t n);
/* Bytes read, 0 at the end of the connection, -1 on a reset. */
long wire_read(struct wire *w, void *p, size_t n);
/* False: the connection ended before. */
bool wire_read_all(struct wire *w, void *to, size_t n);

struct answer {
    int status; /* 0: the connection ended before a whole answer */
    char head[4096];
    char *body; /* malloc, NUL behind */
    size_t n;
};
/* One response; without_body for HEAD.  Bytes of the next one are not touched. */
void answer_read(struct wire *w, struct answer *out, bool without_body);
void answer_free(struct answer *a);
bool answer_has(const struct answer *a, const char *text); /* in its head */

/* --- An app ------------------------------------------------------------------------------------
 */

/*
 * /hello      "hello"
 * /echo       method, path, query and body
 * /peer       "tls=1 chain=2 verified=1"
 * /hold       stays out until app_release
 * /thread     is finished by another thread
 * /big        8 MiB, shared
 * /hasty      the same, to be taken within 200 ms
 * /large      100 KiB, in the exchange's arena
 * /nothing    204
 * /small/...  body_max 10
 */
struct app {
    struct http_app http;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct http_exchange *held[64];
    unsigned n_held;
    atomic_uint dispatched, refused, done, big_alive;
    atomic_int last_refused;
    const char *greeting;
};
void app_init(struct app *a);
void app_wait_held(struct app *a, unsigned n);
/* Finishes what is held, on this thread. */
void app_release(struct app *a);
/* Waits until the condition holds, at most some seconds; fails the test otherwise. */
#define eventually(condition)                                                                      \
    do {                                                                                           \
        int tries_ = 0;                                                                            \
        while (!(condition) && tries_++ < 2000)                                                    \
            usleep(5000);                                                                          \
        assert_true(condition);                                                                    \
    } while (0)
