/* The HTTP client against our own server: trust, names, identity, errors, limits, redirects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"

static struct arena *A;
static struct app APP;
static struct http_server *S;
static struct listener *PLAIN, *TLS;
static struct tls_slot *SLOT;
static struct http_client *C;
static struct entity ROOT, MIDDLE, LEAF, OTHER_ROOT, CLIENT;
static struct slice ANCHORS[2], CHAIN[2], OTHER[1], ROOT_ONLY[1], MIDDLE_ONLY[1];
static struct trust TRUST;

/* Answers of this app: redirects by path, headers of the request. */
static void dispatch(void *arg, struct http_exchange *x)
{
    struct slice to = x->in.query;

    x->out.status = 302;
    if (slice_is(x->in.path, "/to")) { /* /to?LOCATION */
        http_fields_add(&x->out.fields, x->arena, "Location", to);
        x->out.body = SLICE("moved");
        http_finish(x);
        return;
    }
    if (slice_is(x->in.path, "/header")) { /* /header?NAME */
        struct slice v = http_fields_get(&x->in.fields, arena_cstr(x->arena, to));
        x->out.status = 200;
        x->out.body = arena_format(x->arena, "%s[%.*s]", v.p ? "" : "none", SLICE_ARG(v));
        http_finish(x);
        return;
    }
    APP.http.dispatch(arg, x);
}

static void start_server(void)
{
    struct err e = {0};
    struct tls_settings settings = {.client_anchors = ANCHORS, .n_client_anchors = 2};
    struct tls_credentials credentials = {CHAIN, 2, &LEAF.key};
    static struct http_app app;

    app_init(&APP);
    app = APP.http;
    app.dispatch = dispatch;
    SLOT = tls_slot_new();
    struct instant end = instant_add(CLOCK_SYSTEM.now(&CLOCK_SYSTEM), 3600 * NS_PER_SEC);
    assert_true(tls_slot_set(SLOT, &settings, &credentials, end, &e));
    S = http_server_new(&(struct http_server_options){.loops = 2}, &e);
    assert_non_null(S);
    PLAIN = listener_open(S, "127.0.0.1:0", NULL, &app, &e);
    TLS = listener_open(S, "127.0.0.1:0", SLOT, &app, &e);
    assert_true(PLAIN && TLS);
    listener_start(PLAIN);
    listener_start(TLS);
}

static int group_up(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    entity_make(A, &ROOT, &(struct entity_options){.name = "Root", .ca = true});
    entity_make(A, &OTHER_ROOT, &(struct entity_options){.name = "Another", .ca = true});
    entity_make(A, &MIDDLE,
                &(struct entity_options){.name = "Middle", .ca = true, .issuer = &ROOT});
    entity_make(A, &LEAF,
                &(struct entity_options){.name = "ca",
                                         .issuer = &MIDDLE,
                                         .eku = "serverAuth",
                                         .san = "DNS:ca.test,IP:127.0.0.1"});
    entity_make(A, &CLIENT,
                &(struct entity_options){.name = "me", .issuer = &MIDDLE, .eku = "clientAuth"});
    ANCHORS[0] = ROOT.der;
    ANCHORS[1] = MIDDLE.der;
    CHAIN[0] = LEAF.der;
    CHAIN[1] = MIDDLE.der;
    OTHER[0] = OTHER_ROOT.der;
    ROOT_ONLY[0] = ROOT.der;
    MIDDLE_ONLY[0] = MIDDLE.der;
    TRUST = (struct trust){TRUST_ANCHORS, ROOT_ONLY, 1};
    static const char *const PROXIES[] = {"HTTP_PROXY",  "http_proxy", "HTTPS_PROXY",
                                          "https_proxy", "NO_PROXY",   "no_proxy"};
    for (size_t i = 0; i < COUNT_OF(PROXIES); i++)
        unsetenv(PROXIES[i]);
    start_server();
    C = http_client_new("Newel test/1");
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    http_client_free(C);
    http_server_free(S);
    tls_slot_free(SLOT);
    entity_free(&ROOT);
    entity_free(&OTHER_ROOT);
    entity_free(&MIDDLE);
    entity_free(&LEAF);
    entity_free(&CLIENT);
    arena_free(A);
    return 0;
}

static struct deadline soon(void)
{
    return deadline_in(&CLOCK_SYSTEM, 30 * NS_PER_SEC);
}

static struct slice url(const char *scheme, struct listener *l, const char *path)
{
    return arena_format(A, "%s://%s%s", scheme, listener_address(l), path);
}

static void assert_body(const struct http_reply *r, const char *text)
{
    if (!slice_is(r->body, text))
        fail_msg("expected \"%s\", found \"%.*s\"", text, SLICE_ARG(r->body));
}

static void must_call(const struct http_call *call, struct http_reply *reply)
{
    struct err e = {0};

    if (!C->call(C, call, A, reply, soon(), &e))
        fail_msg("%s", e.text);
}

static void must_fail(const struct http_call *call, enum err_kind kind, const char *text)
{
    struct err e = {0};
    struct http_reply reply;

    assert_false(C->call(C, call, A, &reply, soon(), &e));
    if (e.kind != kind || !strstr(e.text, text))
        fail_msg("expected %s \"%s\", found %s \"%s\"", err_kind_name(kind), text,
                 err_kind_name(e.kind), e.text);
}

static void methods_bodies_and_headers_arrive(void **state)
{
    static const struct {
        enum http_method method;
        const char *path, *body, *answer;
    } CASES[] = {
        {HTTP_GET, "/echo?a=b", "", "GET /echo ?a=b host=%s []"},
        {HTTP_POST, "/echo", "text", "POST /echo ? host=%s [text]"},
        {HTTP_POST, "/echo/..//x", "", "POST /echo/..//x ? host=%s []"},
        {HTTP_PUT, "/echo", "text", "PUT /echo ? host=%s [text]"},
        {HTTP_PATCH, "/echo", "text", "PATCH /echo ? host=%s [text]"},
        {HTTP_DELETE, "/echo", "", "DELETE /echo ? host=%s []"},
        {HTTP_DELETE, "/echo", "text", "DELETE /echo ? host=%s [text]"},
        {HTTP_HEAD, "/echo", "", ""},
        {HTTP_GET, "/header?User-Agent", "", "[Newel test/1]"},
        {HTTP_GET, "/header?X-A", "", "[one; two]"},
        {HTTP_GET, "/header?X-Empty", "", "[]"},
        {HTTP_POST, "/header?Content-Type", "{}", "none[]"},
        {HTTP_POST, "/header?Expect", "{}", "none[]"},
    };
    struct http_reply reply;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct http_call call = {.method = CASES[i].method,
                                 .url = url("http", PLAIN, CASES[i].path),
                                 .body = slice_text(CASES[i].body)};
        http_fields_add(&call.fields, A, "X-A", SLICE("one; two"));
        http_fields_add(&call.fields, A, "X-Empty", SLICE(""));
        char expected[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(expected, sizeof(expected), CASES[i].answer, listener_address(PLAIN));
#pragma GCC diagnostic pop
        must_call(&call, &reply);
        assert_int_equal(reply.status, 200);
        assert_body(&reply, expected);
        assert_true(slice_is(http_fields_get(&reply.fields, "content-type"), "text/plain") ||
                    slice_starts(slice_text(CASES[i].path), "/header"));
    }
}

static void verifies_the_server(void **state)
{
    struct trust other = {TRUST_ANCHORS, OTHER, 1}, none = {TRUST_ANCHORS, NULL, 0};
    struct trust middle = {TRUST_ANCHORS, MIDDLE_ONLY, 1}, anybody = {.kind = TRUST_ANYBODY};
    struct trust both = {TRUST_SYSTEM_AND_ANCHORS, ROOT_ONLY, 1};
    struct http_call call = {.url = url("https", TLS, "/hello"), .trust = &TRUST};
    const struct trust *good[] = {&TRUST, &middle, &anybody, &both};
    const struct trust *bad[] = {&other, &none, NULL};
    struct http_reply reply;
    char refused[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        call.trust = good[i];
        must_call(&call, &reply);
        assert_body(&reply, "hello");
    }
    snprintf(refused, sizeof(refused),
             "connecting to %s: certificate: unable to get local issuer certificate",
             listener_address(TLS));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        call.trust = bad[i];
        must_fail(&call, ERR_UNAVAILABLE, refused);
    }
    /* The connections that good calls left behind are not for the others. */
    call.trust = &TRUST;
    must_call(&call, &reply);
}

static void verifies_the_name(void **state)
{
    const char *port = strrchr(listener_address(TLS), ':') + 1;
    struct http_call call = {.trust = &TRUST,
                             .url = arena_format(A, "https://localhost:%s/hello", port)};

    (void)state;
    must_fail(&call, ERR_UNAVAILABLE, "certificate: name mismatch");
    must_fail(&call, ERR_UNAVAILABLE, "connecting to localhost:");
}

static void gives_the_peers_chain(void **state)
{
    struct slice *chain = NULL;
    size_t n = 0;
    struct http_call call = {.url = url("https", TLS, "/hello"),
                             .trust = &TRUST,
                             .peer_chain = &chain,
                             .n_peer_chain = &n};
    struct http_reply reply;

    (void)state;
    for (int i = 0; i < 2; i++) { /* a kept connection tells it again */
        n = 7;
        must_call(&call, &reply);
        assert_int_equal(n, 2);
        assert_true(slice_eq(chain[0], LEAF.der) && slice_eq(chain[1], MIDDLE.der));
    }
    call.url = url("http", PLAIN, "/hello");
    must_call(&call, &reply);
    assert_int_equal(n, 0);
}

static void shows_its_identity(void **state)
{
    struct slice chain[] = {CLIENT.der, MIDDLE.der};
    struct identity identity = {chain, 2, &CLIENT.key}, broken = {chain + 1, 1, &CLIENT.key};
    struct http_call call = {.url = url("https", TLS, "/peer"), .trust = &TRUST};
    struct http_reply reply;

    (void)state;
    call.identity = &identity;
    must_call(&call, &reply);
    assert_body(&reply, "tls=1 chain=2 verified=1");
    call.identity = NULL; /* not over the same connection */
    must_call(&call, &reply);
    assert_body(&reply, "tls=1 chain=0 verified=0");
    call.identity = &broken;
    must_fail(&call, ERR_MALFORMED, "private key");
}

static void keeps_connections(void **state)
{
    struct http_call call = {.url = url("https", TLS, "/hello"), .trust = &TRUST};
    struct http_reply reply;
    unsigned before, after;

    (void)state;
    must_call(&call, &reply);
    http_server_counts(S, &before, NULL);
    for (int i = 0; i < 5; i++)
        must_call(&call, &reply);
    http_server_counts(S, &after, NULL);
    assert_true(after <= before);
}

/* However many there are: none is kept, and none of another call is used. */
static void fresh_calls_leave_no_connection(void **state)
{
    struct http_call call = {.url = url("https", TLS, "/hello"), .trust = &TRUST, .fresh = true};
    struct http_call kept = {.url = call.url, .trust = &TRUST};
    struct http_reply reply;
    unsigned before, after;

    (void)state;
    must_call(&kept, &reply);
    http_server_counts(S, &before, NULL);
    for (int i = 0; i < 250; i++) { /* more than a handle serves */
        must_call(&call, &reply);
        assert_int_equal(reply.status, 200);
    }
    for (int i = 0; i < 1000; i++) {
        http_server_counts(S, &after, NULL);
        if (after <= before)
            return;
        usleep(10000);
    }
    fail_msg("%u connections stay, %u were there", after, before);
}

/* What one call believes is not what the next one believes. */
static void fresh_calls_share_no_trust(void **state)
{
    struct trust anybody = {.kind = TRUST_ANYBODY};
    struct http_call call = {.url = url("https", TLS, "/hello"), .trust = &anybody, .fresh = true};
    struct trust stranger = {TRUST_ANCHORS, OTHER, 1};
    struct http_reply reply;

    (void)state;
    must_call(&call, &reply);
    call.trust = &stranger;
    must_fail(&call, ERR_UNAVAILABLE, "certificate");
    call.trust = &TRUST;
    must_call(&call, &reply);
}

static void an_error_status_is_a_reply(void **state)
{
    struct http_call call = {
        .method = HTTP_POST, .url = url("http", PLAIN, "/small/x"), .body = SLICE("0123456789abc")};
    struct http_reply reply;

    (void)state;
    must_call(&call, &reply);
    assert_int_equal(reply.status, 413);
    assert_true(slice_starts(reply.body, "refused: "));
}

static void bounds_replies(void **state)
{
    struct http_call call = {.url = url("http", PLAIN, "/large"), .max_reply = 1000};
    struct http_reply reply;

    (void)state;
    must_fail(&call, ERR_TOO_LARGE, "too large");
    call.max_reply = 100u << 10;
    must_call(&call, &reply);
    assert_int_equal(reply.body.n, 100u << 10);
    call.url = url("http", PLAIN, "/big");
    call.max_reply = 0;
    must_fail(&call, ERR_TOO_LARGE, "too large");
}

static void refused_ports_are_named(void **state)
{
    struct err e = {0};
    struct listener *l = listener_open(S, "127.0.0.1:0", NULL, &APP.http, &e);
    char text[128];

    (void)state;
    struct http_call call = {.url = url("https", l, "/hello"), .trust = &TRUST};
    snprintf(text, sizeof(text), "connecting to %s: connection refused", listener_address(l));
    listener_close(l);
    must_fail(&call, ERR_UNAVAILABLE, text);
}

static void calls_end_at_their_deadline(void **state)
{
    struct http_call call = {.url = url("http", PLAIN, "/hold")};
    struct http_reply reply;
    struct err e = {0};

    (void)state;
    assert_false(C->call(C, &call, A, &reply, deadline_in(&CLOCK_SYSTEM, 100 * NS_PER_MS), &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "no complete answer in time"));
    app_wait_held(&APP, 1);
    app_release(&APP);
    /* A socket that listens and never speaks TLS. */
    struct listener *l = listener_open(S, "127.0.0.1:0", NULL, &APP.http, &e);
    call.url = url("https", l, "/hello");
    assert_false(C->call(C, &call, A, &reply, deadline_in(&CLOCK_SYSTEM, 100 * NS_PER_MS), &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    assert_non_null(strstr(e.text, "timed out"));
    listener_close(l);
    assert_false(C->call(C, &call, A, &reply, deadline_in(&CLOCK_SYSTEM, -1), &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
}

static void *cancel_thread(void *arg)
{
    app_wait_held(&APP, 1);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

static void calls_can_be_cancelled(void **state)
{
    struct http_call call = {.url = url("http", PLAIN, "/hold")};
    struct http_reply reply;
    struct err e = {0};
    atomic_bool cancelled = false;
    struct deadline d = soon();
    pthread_t thread;

    (void)state;
    d.cancelled = &cancelled;
    assert_int_equal(pthread_create(&thread, NULL, cancel_thread, &cancelled), 0);
    assert_false(C->call(C, &call, A, &reply, d, &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    pthread_join(thread, NULL);
    app_release(&APP);
}

static void urls_are_checked(void **state)
{
    static const char *const URLS[] = {"",           "ftp://a/",    "file:///etc/passwd",
                                       "https://",   "gopher://a/", "http://a:99999/",
                                       "http://a b/"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(URLS); i++) {
        struct http_call call = {.url = slice_text(URLS[i])};
        struct http_reply reply;
        struct err e = {0};
        assert_false(C->call(C, &call, A, &reply, soon(), &e));
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
    struct http_call call = {.url = url("http", PLAIN, "/hello")};
    struct http_field split = {SLICE("X"), SLICE("a\r\nb: c")};
    call.fields = (struct http_fields){.v = &split, .n = 1};
    must_fail(&call, ERR_MALFORMED, "not one line");
}

static void redirects_are_followed_within_https_only(void **state)
{
    struct slice chain[] = {CLIENT.der, MIDDLE.der};
    struct identity identity = {chain, 2, &CLIENT.key};
    struct http_call call = {.trust = &TRUST, .redirects = 2};
    struct http_reply reply;

    (void)state;
    call.url = url("https", TLS, "/to?/to?/hello");
    must_call(&call, &reply);
    assert_int_equal(reply.status, 200);
    assert_body(&reply, "hello");
    call.url = url("https", TLS, "/to?/to?/to?/hello");
    must_fail(&call, ERR_UNAVAILABLE, "more than 2 redirects");
    call.url = arena_format(A, "https://%s/to?http://%s/hello", listener_address(TLS),
                            listener_address(PLAIN));
    must_fail(&call, ERR_UNAVAILABLE, "only redirects from https to https");
    call.url = arena_format(A, "https://%s/to?https://u:p@%s/hello", listener_address(TLS),
                            listener_address(TLS));
    must_fail(&call, ERR_UNAVAILABLE, "cannot be read");
    call.url = arena_format(A, "https://%s/to?file:///etc/passwd", listener_address(TLS));
    must_fail(&call, ERR_UNAVAILABLE, "redirect");
    call.url = url("http", PLAIN, "/to?/hello");
    must_fail(&call, ERR_UNAVAILABLE, "only redirects from https to https");
    /* Not followed at all: */
    call.url = url("https", TLS, "/to?/hello");
    call.method = HTTP_POST;
    must_call(&call, &reply);
    assert_int_equal(reply.status, 302);
    call.method = HTTP_GET;
    call.identity = &identity;
    must_call(&call, &reply);
    assert_int_equal(reply.status, 302);
    call.identity = NULL;
    http_fields_add(&call.fields, A, "Authorization", SLICE("Bearer x"));
    must_call(&call, &reply);
    assert_int_equal(reply.status, 302);
    call.fields.n = 0;
    call.redirects = 0;
    must_call(&call, &reply);
    assert_int_equal(reply.status, 302);
    assert_body(&reply, "moved");
}

static void proxies_of_the_environment_hold(void **state)
{
    struct http_call call = {.url = SLICE("http://elsewhere.invalid/echo")};
    struct http_reply reply;

    (void)state;
    setenv("HTTP_PROXY", arena_printf(A, "http://%s", listener_address(PLAIN)), 1);
    must_call(&call, &reply);
    assert_body(&reply, "GET /echo ? host=elsewhere.invalid []");
    call.no_proxy = true;
    must_fail(&call, ERR_UNAVAILABLE, "no such host");
    call.no_proxy = false;
    setenv("NO_PROXY", "elsewhere.invalid", 1);
    must_fail(&call, ERR_UNAVAILABLE, "no such host");
    unsetenv("NO_PROXY");
    setenv("REQUEST_METHOD", "GET", 1);
    must_fail(&call, ERR_UNAVAILABLE, "no such host");
    unsetenv("REQUEST_METHOD");
    /* This machine is never asked for through a proxy. */
    setenv("HTTP_PROXY", "http://proxy.invalid:1", 1);
    call.url = url("http", PLAIN, "/hello");
    must_call(&call, &reply);
    unsetenv("HTTP_PROXY");
}

static void a_handshake_alone_gives_the_chain(void **state)
{
    const char *port = strrchr(listener_address(TLS), ':') + 1;
    struct trust anybody = {.kind = TRUST_ANYBODY}, other = {TRUST_ANCHORS, OTHER, 1};
    const struct {
        const char *host, *servername;
        const struct trust *trust;
        const char *error; /* NULL: works */
    } cases[] = {
        {"127.0.0.1", NULL, &TRUST, NULL},
        {"127.0.0.1", "ca.test", &TRUST, NULL},
        {"localhost", "ca.test", &TRUST, NULL},
        {"localhost", NULL, &anybody, NULL},
        {"localhost", NULL, &TRUST, "name mismatch: it is not for localhost"},
        {"127.0.0.1", "other.test", &TRUST, "name mismatch: it is not for other.test"},
        {"127.0.0.1", NULL, &other, "unable to get local issuer"},
        {"127.0.0.1", NULL, NULL, "unable to get local issuer"},
        {"a b", NULL, &TRUST, "expected a host"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct slice *chain = NULL;
        struct err e = {0};
        size_t n = 0;
        bool ok = tls_peer_chain(A, cases[i].host, port, cases[i].servername, cases[i].trust,
                                 &chain, &n, soon(), &e);
        if (ok != !cases[i].error || (cases[i].error && !strstr(e.text, cases[i].error)))
            fail_msg("case %zu: %s", i, e.text);
        if (ok) {
            assert_int_equal(n, 2);
            assert_true(slice_eq(chain[0], LEAF.der));
        }
    }
    struct slice *chain;
    struct err e = {0};
    size_t n;
    const char *plain = strrchr(listener_address(PLAIN), ':') + 1;
    assert_false(tls_peer_chain(A, "127.0.0.1", plain, NULL, &TRUST, &chain, &n, soon(), &e));
    assert_int_equal(e.kind, ERR_UNAVAILABLE);
}

static void *call_thread(void *arg)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct http_call call = {.url = arena_format(a, "https://%s/hello", listener_address(TLS)),
                             .trust = &TRUST};
    intptr_t failed = 0;

    (void)arg;
    for (int i = 0; i < 20; i++) {
        struct http_reply reply;
        failed += !C->call(C, &call, a, &reply, soon(), NULL) || !slice_is(reply.body, "hello");
    }
    arena_free(a);
    return (void *)failed;
}

static void many_threads_call(void **state)
{
    pthread_t threads[16];
    void *failed;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_thread, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        pthread_join(threads[i], &failed);
        assert_int_equal((intptr_t)failed, 0);
    }
}

static void *half_answer(void *arg)
{
    static const char PART[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart";
    int fd = accept(*(int *)arg, NULL, NULL);
    char c;

    (void)!read(fd, &c, 1);
    (void)!write(fd, PART, sizeof(PART) - 1);
    close(fd);
    return NULL;
}

static void a_connection_that_ends_is_an_error(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(sa);
    pthread_t thread;

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(listen(fd, 5), 0);
    getsockname(fd, (struct sockaddr *)&sa, &n);
    assert_int_equal(pthread_create(&thread, NULL, half_answer, &fd), 0);
    struct http_call call = {
        .url = arena_format(A, "http://127.0.0.1:%u/", (unsigned)ntohs(sa.sin_port))};
    must_fail(&call, ERR_UNAVAILABLE, "connecting to 127.0.0.1:");
    pthread_join(thread, NULL);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_bodies_and_headers_arrive),
        cmocka_unit_test(verifies_the_server),
        cmocka_unit_test(verifies_the_name),
        cmocka_unit_test(gives_the_peers_chain),
        cmocka_unit_test(shows_its_identity),
        cmocka_unit_test(keeps_connections),
        cmocka_unit_test(fresh_calls_leave_no_connection),
        cmocka_unit_test(fresh_calls_share_no_trust),
        cmocka_unit_test(an_error_status_is_a_reply),
        cmocka_unit_test(bounds_replies),
        cmocka_unit_test(refused_ports_are_named),
        cmocka_unit_test(calls_end_at_their_deadline),
        cmocka_unit_test(calls_can_be_cancelled),
        cmocka_unit_test(urls_are_checked),
        cmocka_unit_test(redirects_are_followed_within_https_only),
        cmocka_unit_test(proxies_of_the_environment_hold),
        cmocka_unit_test(a_handshake_alone_gives_the_chain),
        cmocka_unit_test(many_threads_call),
        cmocka_unit_test(a_connection_that_ends_is_an_error),
    };

    return cmocka_run_group_tests(tests, group_up, group_down);
}
