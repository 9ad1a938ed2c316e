/* The server over TLS: versions, suites, client certificates, the slot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: ca\r\n\r\n"

static struct arena *A;
static struct app APP;
static struct http_server *S;
static struct listener *L;
static struct tls_slot *SLOT;
static struct entity ROOT, MIDDLE, LEAF, OTHER_ROOT;
static struct slice ANCHORS[2], CHAIN[2];
static struct tls_settings SETTINGS;
static struct tls_credentials CREDENTIALS;

static int group_up(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    entity_make(A, &ROOT, &(struct entity_options){.name = "Root", .ca = true});
    entity_make(A, &OTHER_ROOT, &(struct entity_options){.name = "Other Root", .ca = true});
    entity_make(A, &MIDDLE,
                &(struct entity_options){.name = "Middle", .ca = true, .issuer = &ROOT});
    entity_make(
        A, &LEAF,
        &(struct entity_options){
            .name = "ca", .issuer = &MIDDLE, .eku = "serverAuth", .san = "DNS:ca,IP:127.0.0.1"});
    ANCHORS[0] = ROOT.der;
    ANCHORS[1] = MIDDLE.der;
    CHAIN[0] = LEAF.der;
    CHAIN[1] = MIDDLE.der;
    CREDENTIALS = (struct tls_credentials){CHAIN, 2, &LEAF.key};
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    entity_free(&ROOT);
    entity_free(&OTHER_ROOT);
    entity_free(&MIDDLE);
    entity_free(&LEAF);
    arena_free(A);
    return 0;
}

static struct instant in_seconds(long seconds)
{
    return instant_add(CLOCK_SYSTEM.now(&CLOCK_SYSTEM), seconds * NS_PER_SEC);
}

static int set_up(void **state)
{
    struct err e = {0};

    (void)state;
    app_init(&APP);
    SETTINGS = (struct tls_settings){.client_anchors = ANCHORS, .n_client_anchors = 2};
    SLOT = tls_slot_new();
    assert_true(tls_slot_set(SLOT, &SETTINGS, &CREDENTIALS, in_seconds(3600), &e));
    S = http_server_new(&(struct http_server_options){.loops = 2}, &e);
    assert_non_null(S);
    L = listener_open(S, "127.0.0.1:0", SLOT, &APP.http, &e);
    assert_non_null(L);
    listener_start(L);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    listener_close(L);
    tls_slot_free(SLOT);
    http_server_stop(S, deadline_in(&CLOCK_SYSTEM, 0));
    http_server_free(S);
    ERR_clear_error();
    return 0;
}

/* A client that believes ROOT; client: its own certificate or NULL; extra goes along. */
static SSL_CTX *client_context(const struct entity *client, const struct entity *extra)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ROOT.x);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
    if (client) {
        assert_int_equal(SSL_CTX_use_certificate(ctx, client->x), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, client->evp), 1);
    }
    if (extra)
        assert_int_equal(SSL_CTX_add1_chain_cert(ctx, extra->x), 1);
    return ctx;
}

/* The body of one GET; "" when the server refused. */
static void get(SSL_CTX *ctx, const char *request, char *body, size_t n)
{
    struct wire w = wire_open(listener_address(L));
    struct answer a = {0};

    body[0] = 0;
    if (wire_tls(&w, ctx) && wire_send(&w, request)) {
        answer_read(&w, &a, false);
        snprintf(body, n, "%s", a.status ? a.body : "");
        answer_free(&a);
    }
    wire_close(&w);
    ERR_clear_error();
}

static void expect_peer(const struct entity *client, const struct entity *extra, const char *text)
{
    SSL_CTX *ctx = client_context(client, extra);
    char body[128];

    get(ctx, GET("/peer"), body, sizeof(body));
    SSL_CTX_free(ctx);
    assert_string_equal(body, text);
}

static void serves_without_client_certificate(void **state)
{
    (void)state;
    expect_peer(NULL, NULL, "tls=1 chain=0 verified=0");
}

static void serves_both_versions_over_one_connection_each(void **state)
{
    static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(VERSIONS); i++) {
        SSL_CTX *ctx = client_context(NULL, NULL);
        struct wire w = wire_open(listener_address(L));
        struct answer a;
        SSL_CTX_set_min_proto_version(ctx, VERSIONS[i]);
        SSL_CTX_set_max_proto_version(ctx, VERSIONS[i]);
        SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x08http/1.1", 9);
        assert_true(wire_tls(&w, ctx));
        const unsigned char *alpn;
        unsigned n;
        SSL_get0_alpn_selected(w.ssl, &alpn, &n);
        assert_int_equal(n, 8);
        assert_memory_equal(alpn, "http/1.1", 8);
        wire_send(&w, GET("/hello") GET("/thread") GET("/big"));
        for (int j = 0; j < 2; j++) {
            answer_read(&w, &a, false);
            assert_string_equal(a.body, "hello");
            answer_free(&a);
        }
        answer_read(&w, &a, false);
        assert_int_equal(a.n, 8u << 20);
        assert_int_equal(a.body[a.n - 1], 'b');
        answer_free(&a);
        wire_close(&w);
        SSL_CTX_free(ctx);
    }
    eventually(atomic_load(&APP.done) == 6);
}

static void client_certificates_are_verified(void **state)
{
    static const struct {
        struct entity_options o;
        bool sent_middle;
        const char *answer; /* "": refused */
    } CASES[] = {
        {{.name = "good", .issuer = &MIDDLE, .eku = "clientAuth"},
         true,
         "tls=1 chain=2 verified=1"},
        {{.name = "leaf only", .issuer = &MIDDLE, .eku = "serverAuth,clientAuth"},
         false,
         "tls=1 chain=1 verified=1"},
        {{.name = "no usage", .issuer = &MIDDLE}, false, "tls=1 chain=1 verified=1"},
        {{.name = "any usage", .issuer = &MIDDLE, .eku = "anyExtendedKeyUsage"},
         false,
         "tls=1 chain=1 verified=1"},
        {{.name = "by the root", .issuer = &ROOT, .eku = "clientAuth"},
         false,
         "tls=1 chain=1 verified=1"},
        {{.name = "server only", .issuer = &MIDDLE, .eku = "serverAuth"}, true, ""},
        {{.name = "expired", .issuer = &MIDDLE, .from = -7200, .until = -3600}, true, ""},
        {{.name = "not yet", .issuer = &MIDDLE, .from = 3600, .until = 7200}, true, ""},
        {{.name = "by another", .issuer = &OTHER_ROOT, .eku = "clientAuth"}, false, ""},
        {{.name = "self-signed", .eku = "clientAuth"}, false, ""},
        /* A leaf is no CA, even when it has the right issuer. */
        {{.name = "below a leaf", .issuer = &LEAF, .eku = "clientAuth"}, false, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct entity client;
        entity_make(A, &client, &CASES[i].o);
        const struct entity *extra = CASES[i].sent_middle ? &MIDDLE : NULL;
        expect_peer(&client, CASES[i].o.issuer == &LEAF ? &LEAF : extra, CASES[i].answer);
        entity_free(&client);
    }
}

static int look_at_issuers(SSL *ssl, X509 **x UNUSED, EVP_PKEY **key UNUSED)
{
    unsigned *seen = SSL_get_ex_data(ssl, 0);
    const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(ssl);

    for (int i = 0; i < sk_X509_NAME_num(names); i++) {
        X509_NAME *name = sk_X509_NAME_value(names, i);
        *seen |= X509_NAME_cmp(name, X509_get_subject_name(ROOT.x)) == 0 ? 1u : 0;
        *seen |= X509_NAME_cmp(name, X509_get_subject_name(MIDDLE.x)) == 0 ? 2u : 0;
    }
    return 0;
}

static void all_anchors_are_listed_to_clients(void **state)
{
    SSL_CTX *ctx = client_context(NULL, NULL);
    struct wire w = wire_open(listener_address(L));
    unsigned seen = 0;

    (void)state;
    SSL_CTX_set_client_cert_cb(ctx, look_at_issuers);
    w.ssl = SSL_new(ctx);
    SSL_set_ex_data(w.ssl, 0, &seen);
    SSL_set_fd(w.ssl, w.fd);
    assert_int_equal(SSL_connect(w.ssl), 1);
    assert_int_equal(seen, 3);
    wire_close(&w);
    SSL_CTX_free(ctx);
}

static bool handshake(int low, int high, const char *suites)
{
    SSL_CTX *ctx = client_context(NULL, NULL);
    struct wire w = wire_open(listener_address(L));

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, low);
    SSL_CTX_set_max_proto_version(ctx, high);
    if (suites)
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, suites), 1);
    bool ok = wire_tls(&w, ctx);
    wire_close(&w);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static void old_versions_and_other_suites_are_refused(void **state)
{
    (void)state;
    assert_false(handshake(TLS1_VERSION, TLS1_1_VERSION, NULL));
    assert_true(handshake(TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"));
    assert_true(handshake(TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"));
    assert_false(handshake(TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"));
    assert_true(handshake(TLS1_3_VERSION, TLS1_3_VERSION, NULL));
}

static void old_versions_work_where_configured(void **state)
{
    struct slice suites[] = {SLICE("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
                             SLICE("TLS_ECDHE_ECDSA_WITH_RC4_128_SHA")};
    struct err e = {0};

    (void)state;
    SETTINGS.min_version = 10;
    SETTINGS.max_version = 12;
    SETTINGS.suites = suites;
    SETTINGS.n_suites = 2;
    assert_true(tls_slot_set(SLOT, &SETTINGS, &CREDENTIALS, in_seconds(3600), &e));
    assert_true(handshake(TLS1_VERSION, TLS1_VERSION, NULL));
    assert_true(handshake(TLS1_1_VERSION, TLS1_1_VERSION, NULL));
    assert_true(handshake(TLS1_2_VERSION, TLS1_2_VERSION, NULL));
    assert_false(handshake(TLS1_3_VERSION, TLS1_3_VERSION, NULL));
}

static void settings_that_cannot_work_are_refused(void **state)
{
    struct slice rc4[] = {SLICE("TLS_RSA_WITH_RC4_128_SHA")}, odd[] = {SLICE("TLS_X")};
    struct slice garbage[] = {SLICE("garbage")};
    const struct {
        struct tls_settings settings;
        struct tls_credentials credentials;
        const char *text;
    } cases[] = {
        {{.min_version = 13, .max_version = 12}, CREDENTIALS, "minVersion <= maxVersion"},
        {{.min_version = 9}, CREDENTIALS, "minVersion"},
        {{.suites = odd, .n_suites = 1}, CREDENTIALS, "TLS_X"},
        {{.suites = rc4, .n_suites = 1, .max_version = 12}, CREDENTIALS, "usable"},
        {{.client_anchors = garbage, .n_client_anchors = 1}, CREDENTIALS, "anchor"},
        {{0}, {garbage, 1, &LEAF.key}, "certificate"},
        {{0}, {CHAIN, 2, &ROOT.key}, "private key"},
        {{0}, {CHAIN, 0, &LEAF.key}, "none given"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = {0};
        assert_false(
            tls_slot_set(SLOT, &cases[i].settings, &cases[i].credentials, in_seconds(60), &e));
        if (!strstr(e.text, cases[i].text))
            fail_msg("case %zu: \"%s\"", i, e.text);
    }
    expect_peer(NULL, NULL, "tls=1 chain=0 verified=0"); /* the old context is still there */
    struct err e = {0};
    struct tls_settings only_13 = {.suites = rc4, .n_suites = 1};
    assert_true(tls_slot_set(SLOT, &only_13, &CREDENTIALS, in_seconds(60), &e));
    assert_false(handshake(TLS1_2_VERSION, TLS1_2_VERSION, NULL));
    assert_true(handshake(TLS1_3_VERSION, TLS1_3_VERSION, NULL));
}

static void suites_are_known_by_their_names(void **state)
{
    const char *name;

    (void)state;
    assert_int_equal(tls_suite_find(SLICE("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"), &name),
                     TLS_SUITE_USABLE);
    assert_string_equal(name, "ECDHE-ECDSA-CHACHA20-POLY1305");
    assert_int_equal(tls_suite_find(SLICE("TLS_RSA_WITH_RC4_128_SHA"), &name), TLS_SUITE_KNOWN);
    assert_null(name);
    assert_int_equal(tls_suite_find(SLICE("TLS_AES_128_GCM_SHA256"), &name), TLS_SUITE_13);
    assert_int_equal(tls_suite_find(SLICE("tls_aes_128_gcm_sha256"), NULL), TLS_SUITE_UNKNOWN);
}

static void every_usable_suite_is_one_that_the_library_has(void **state)
{
    static const char *const NAMES[] = {
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_AES_256_CBC_SHA",
        "TLS_RSA_WITH_AES_128_CBC_SHA256",
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    };
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    const char *name;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        assert_int_equal(tls_suite_find(slice_text(NAMES[i]), &name), TLS_SUITE_USABLE);
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, name), 1);
    }
    SSL_CTX_free(ctx);
}

static void sessions_are_not_resumed(void **state)
{
    static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(VERSIONS); i++) {
        SSL_CTX *ctx = client_context(NULL, NULL);
        struct answer a;
        SSL_CTX_set_max_proto_version(ctx, VERSIONS[i]);
        struct wire w = wire_open(listener_address(L));
        assert_true(wire_tls(&w, ctx));
        wire_send(&w, GET("/hello"));
        answer_read(&w, &a, false);
        answer_free(&a);
        SSL_SESSION *session = SSL_get1_session(w.ssl);
        wire_close(&w);
        w = wire_open(listener_address(L));
        w.ssl = SSL_new(ctx);
        SSL_set_session(w.ssl, session);
        SSL_set_fd(w.ssl, w.fd);
        assert_int_equal(SSL_connect(w.ssl), 1);
        assert_false(SSL_session_reused(w.ssl));
        wire_close(&w);
        SSL_SESSION_free(session);
        SSL_CTX_free(ctx);
    }
}

static void a_swapped_certificate_serves_new_connections_only(void **state)
{
    SSL_CTX *ctx = client_context(NULL, NULL);
    struct wire old = wire_open(listener_address(L));
    struct entity leaf;
    struct answer a;
    struct err e = {0};

    (void)state;
    assert_true(wire_tls(&old, ctx));
    entity_make(A, &leaf,
                &(struct entity_options){.name = "new", .issuer = &MIDDLE, .san = "DNS:ca"});
    struct slice chain[] = {leaf.der, MIDDLE.der};
    struct tls_credentials credentials = {chain, 2, &leaf.key};
    assert_true(tls_slot_set(SLOT, &SETTINGS, &credentials, in_seconds(3600), &e));
    wire_send(&old, GET("/hello"));
    answer_read(&old, &a, false);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    struct wire young = wire_open(listener_address(L));
    assert_true(wire_tls(&young, ctx));
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(young.ssl), leaf.x), 0);
    assert_int_equal(X509_cmp(SSL_get0_peer_certificate(old.ssl), LEAF.x), 0);
    wire_close(&old);
    wire_close(&young);
    entity_free(&leaf);
    SSL_CTX_free(ctx);
}

static atomic_uint asked;

static bool must_wait(void *arg)
{
    atomic_fetch_add(&asked, 1);
    return *(bool *)arg;
}

static void *get_thread(void *arg)
{
    SSL_CTX *ctx = client_context(NULL, NULL);

    get(ctx, GET("/hello"), arg, 128);
    SSL_CTX_free(ctx);
    return NULL;
}

static void handshakes_wait_for_a_new_certificate(void **state)
{
    bool wait = true;
    char bodies[4][128];
    pthread_t threads[4];
    struct err e = {0};

    (void)state;
    atomic_store(&asked, 0);
    tls_slot_on_expiring(SLOT, must_wait, &wait);
    expect_peer(NULL, NULL, "tls=1 chain=0 verified=0");
    assert_int_equal(atomic_load(&asked), 0); /* an hour left */
    assert_true(tls_slot_set(SLOT, &SETTINGS, &CREDENTIALS, in_seconds(30), &e));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_thread, bodies[i]), 0);
    eventually(atomic_load(&asked) == 4);
    usleep(50000);
    assert_int_equal(atomic_load(&APP.dispatched), 1);
    assert_true(tls_slot_set(SLOT, &SETTINGS, &CREDENTIALS, in_seconds(3600), &e));
    tls_slot_resume(SLOT);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_string_equal(bodies[i], "hello");
    }
    /* Somebody whose certificate could not be made: served with the old one. */
    wait = false;
    assert_true(tls_slot_set(SLOT, &SETTINGS, &CREDENTIALS, in_seconds(30), &e));
    expect_peer(NULL, NULL, "tls=1 chain=0 verified=0");
    assert_int_equal(atomic_load(&asked), 5);
    tls_slot_on_expiring(SLOT, NULL, NULL);
}

static void plain_http_gets_a_readable_answer(void **state)
{
    struct wire w = wire_open(listener_address(L));
    char text[512] = "";
    size_t n = 0;
    long got;

    (void)state;
    wire_send(&w, GET("/hello"));
    while (n < sizeof(text) - 1 && (got = wire_read(&w, text + n, sizeof(text) - 1 - n)) > 0)
        n += (size_t)got;
    assert_non_null(strstr(text, "400 Bad Request"));
    assert_non_null(strstr(text, "HTTP request to an HTTPS server"));
    wire_close(&w);
}

static void a_handshake_that_does_not_come_is_cut(void **state)
{
    struct err e = {0};
    struct http_server *s =
        http_server_new(&(struct http_server_options){.loops = 1, .head_ns = 100 * NS_PER_MS}, &e);
    struct listener *l = listener_open(s, "127.0.0.1:0", SLOT, &APP.http, &e);
    char c;

    (void)state;
    listener_start(l);
    struct wire w = wire_open(listener_address(l));
    wire_send(&w, "\x16\x03\x01");
    assert_true(wire_read(&w, &c, 1) <= 0);
    wire_close(&w);
    http_server_free(s); /* closes l, without a stop before it */
}

static void refusals_reach_clients_that_are_still_sending(void **state)
{
    static char chunk[65536];
    SSL_CTX *ctx = client_context(NULL, NULL);
    struct wire w = wire_open(listener_address(L));
    struct answer a;

    (void)state;
    assert_true(wire_tls(&w, ctx));
    wire_send(&w, "POST /echo HTTP/1.1\r\nHost: ca\r\nContent-Length: 4194304\r\n\r\n");
    for (int i = 0; i < 64; i++)
        assert_true(wire_send_n(&w, chunk, sizeof(chunk)));
    answer_read(&w, &a, false);
    assert_int_equal(a.status, 413);
    answer_free(&a);
    wire_close(&w);
    SSL_CTX_free(ctx);
}

static void *load_thread(void *arg)
{
    char body[128];
    intptr_t failed = 0;

    for (int i = 0; i < 5; i++) {
        get(arg, i % 2 ? GET("/thread") : GET("/hello"), body, sizeof(body));
        failed += strcmp(body, "hello") != 0;
    }
    return (void *)failed;
}

static void serves_many_while_certificates_change(void **state)
{
    static pthread_t threads[50];
    SSL_CTX *ctx = client_context(NULL, NULL);
    struct err e = {0};
    void *failed;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load_thread, ctx), 0);
    for (int i = 0; i < 50; i++) {
        assert_true(tls_slot_set(SLOT, &SETTINGS, &CREDENTIALS, in_seconds(3600), &e));
        tls_slot_resume(SLOT);
        usleep(1000);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], &failed);
        assert_int_equal((intptr_t)failed, 0);
    }
    SSL_CTX_free(ctx);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(serves_without_client_certificate),
        T(serves_both_versions_over_one_connection_each),
        T(client_certificates_are_verified),
        T(all_anchors_are_listed_to_clients),
        T(old_versions_and_other_suites_are_refused),
        T(old_versions_work_where_configured),
        T(settings_that_cannot_work_are_refused),
        cmocka_unit_test(suites_are_known_by_their_names),
        cmocka_unit_test(every_usable_suite_is_one_that_the_library_has),
        T(sessions_are_not_resumed),
        T(a_swapped_certificate_serves_new_connections_only),
        T(handshakes_wait_for_a_new_certificate),
        T(plain_http_gets_a_readable_answer),
        T(a_handshake_that_does_not_come_is_cut),
        T(refusals_reach_clients_that_are_still_sending),
        T(serves_many_while_certificates_change),
    };

    return cmocka_run_group_tests(tests, group_up, group_down);
}
