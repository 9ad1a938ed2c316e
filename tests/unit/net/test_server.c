/* The server over plain sockets on loopback: framing, keep-alive, limits, timers, end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"

#define H         "Host: ca\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"

static struct app APP;
static struct http_server *S;
static struct listener *L;

static void start(struct http_server_options o)
{
    struct err e = {0};

    app_init(&APP);
    if (!o.loops)
        o.loops = 2;
    S = http_server_new(&o, &e);
    assert_non_null(S);
    L = listener_open(S, "127.0.0.1:0", NULL, &APP.http, &e);
    assert_non_null(L);
    listener_start(L);
}

static int set_up(void **state)
{
    (void)state;
    start((struct http_server_options){0});
    return 0;
}

static int tear_down(void **state)
{
    unsigned connections, exchanges;

    (void)state;
    listener_close(L);
    http_server_stop(S, deadline_in(&CLOCK_SYSTEM, 0));
    http_server_counts(S, &connections, &exchanges);
    assert_int_equal(connections, 0);
    assert_int_equal(exchanges, 0);
    http_server_free(S);
    return 0;
}

static struct wire open_wire(void)
{
    return wire_open(listener_address(L));
}

static void expect(struct wire *w, int status, const char *body)
{
    struct answer a;

    answer_read(w, &a, false);
    assert_int_equal(a.status, status);
    if (body)
        assert_string_equal(a.body, body);
    answer_free(&a);
}

static void expect_end(struct wire *w)
{
    char c;

    assert_int_equal(wire_read(w, &c, 1), 0);
}

static void answers_and_keeps_the_connection(void **state)
{
    struct wire w = open_wire();
    struct answer a;

    (void)state;
    for (int i = 0; i < 3; i++) {
        wire_send(&w, GET("/hello"));
        answer_read(&w, &a, false);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "hello");
        assert_true(answer_has(&a, "HTTP/1.1 200 OK\r\n"));
        assert_true(answer_has(&a, "\r\nDate: "));
        assert_true(answer_has(&a, " GMT\r\n"));
        assert_true(answer_has(&a, "\r\nContent-Type: text/plain\r\n"));
        assert_false(answer_has(&a, "\r\nConnection:"));
        answer_free(&a);
    }
    eventually(atomic_load(&APP.done) == 3);
    wire_close(&w);
}

static void closes_when_asked_to(void **state)
{
    static const char *const REQUESTS[] = {
        "GET /hello HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
        "GET /hello HTTP/1.0\r\n\r\n",
    };
    struct answer a;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(REQUESTS); i++) {
        struct wire w = open_wire();
        wire_send(&w, REQUESTS[i]);
        answer_read(&w, &a, false);
        assert_int_equal(a.status, 200);
        assert_true(answer_has(&a, "\r\nConnection: close\r\n"));
        answer_free(&a);
        expect_end(&w);
        wire_close(&w);
    }
}

static void answers_pipelined_requests_in_order(void **state)
{
    struct wire w = open_wire();

    (void)state;
    wire_send(&w, GET("/thread")
                      GET("/echo/1") "POST /echo/2 HTTP/1.1\r\n" H
                                     "Content-Length: 3\r\n\r\nabc" GET("/echo/3") "GET /ech");
    expect(&w, 200, "hello");
    expect(&w, 200, "GET /echo/1 ? host=ca []");
    expect(&w, 200, "POST /echo/2 ? host=ca [abc]");
    expect(&w, 200, "GET /echo/3 ? host=ca []");
    wire_send(&w, "o/4 HTTP/1.1\r\n" H "\r\n");
    expect(&w, 200, "GET /echo/4 ? host=ca []");
    wire_close(&w);
}

static void head_has_the_length_but_no_body(void **state)
{
    struct wire w = open_wire();
    struct answer a;

    (void)state;
    wire_send(&w, "HEAD /hello HTTP/1.1\r\n" H "\r\n" GET("/nothing") GET("/hello"));
    answer_read(&w, &a, true);
    assert_int_equal(a.status, 200);
    assert_true(answer_has(&a, "\r\nContent-Length: 5\r\n"));
    answer_free(&a);
    answer_read(&w, &a, true);
    assert_int_equal(a.status, 204);
    assert_false(answer_has(&a, "Content-Length"));
    answer_free(&a);
    expect(&w, 200, "hello");
    wire_close(&w);
}

static void says_continue_before_a_body(void **state)
{
    struct wire w = open_wire();
    struct answer a;

    (void)state;
    wire_send(&w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    answer_read(&w, &a, true);
    assert_string_equal(a.head, "HTTP/1.1 100 Continue\r\n\r\n");
    answer_free(&a);
    wire_send(&w, "body");
    expect(&w, 200, "POST /echo ? host=ca [body]");
    /* A body that will be refused is not asked for. */
    wire_send(&w,
              "POST /small/x HTTP/1.1\r\n" H "Content-Length: 11\r\nExpect: 100-continue\r\n\r\n");
    expect(&w, 413, NULL);
    expect_end(&w);
    wire_close(&w);
}

static void reads_chunked_bodies(void **state)
{
    static const char BODY[] = "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nT: r\r\n\r\n";
    struct wire w = open_wire();

    (void)state;
    wire_send(&w, BODY);
    expect(&w, 200, "POST /echo ? host=ca [hello, world]");
    for (const char *p = BODY; *p; p++) {
        wire_send_n(&w, p, 1);
        if (p - BODY > 40)
            usleep(200);
    }
    expect(&w, 200, "POST /echo ? host=ca [hello, world]");
    wire_close(&w);
}

static void refuses_what_it_cannot_frame(void **state)
{
    static const struct {
        int status;
        const char *request;
    } CASES[] = {
        {400, "GET /\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET /\nHost: ca\n\n"},
        {400, "POST /echo HTTP/1.1\r\n" H
              "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"},
        {501, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: br\r\n\r\n"},
        {417, "POST /echo HTTP/1.1\r\n" H "Expect: x\r\n\r\n"},
        {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {413, "POST /small/x HTTP/1.1\r\n" H "Content-Length: 11\r\n\r\n01234567890"},
        {413, "POST /small/x HTTP/1.1\r\n" H
              "Transfer-Encoding: chunked\r\n\r\n9\r\n012345678\r\n2\r\n90\r\n0\r\n\r\n"},
    };
    struct answer a;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct wire w = open_wire();
        wire_send(&w, CASES[i].request);
        answer_read(&w, &a, false);
        if (a.status != CASES[i].status)
            fail_msg("case %zu: expected %d, found %d", i, CASES[i].status, a.status);
        assert_true(answer_has(&a, "\r\nConnection: close\r\n"));
        assert_memory_equal(a.body, "refused: ", 9);
        answer_free(&a);
        shutdown(w.fd, SHUT_WR);
        expect_end(&w);
        wire_close(&w);
    }
    assert_int_equal(atomic_load(&APP.refused), COUNT_OF(CASES));
    assert_int_equal(atomic_load(&APP.dispatched), 0);
}

static void accepts_a_body_up_to_its_limit(void **state)
{
    struct wire w = open_wire();

    (void)state;
    wire_send(&w, "POST /small/x HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\n0123456789");
    expect(&w, 200, "POST /small/x ? host=ca [0123456789]");
    wire_close(&w);
}

static void a_large_body_is_refused_before_it_is_read(void **state)
{
    static char chunk[65536];
    struct wire w = open_wire();
    struct answer a;

    (void)state;
    wire_send(&w, "POST /echo HTTP/1.1\r\n" H "Content-Length: 10485760\r\n\r\n");
    /* A client that does not look up until it has sent all of it still sees the answer. */
    for (int i = 0; i < 160; i++)
        assert_true(wire_send_n(&w, chunk, sizeof(chunk)));
    answer_read(&w, &a, false);
    assert_int_equal(a.status, 413);
    answer_free(&a);
    wire_close(&w);
}

static void a_large_head_is_refused(void **state)
{
    static char chunk[65536];
    struct wire w = open_wire();

    (void)state;
    memset(chunk, 'a', sizeof(chunk));
    wire_send(&w, "GET / HTTP/1.1\r\n" H "X: ");
    for (int i = 0; i < 17; i++)
        wire_send_n(&w, chunk, sizeof(chunk));
    expect(&w, 431, NULL);
    wire_close(&w);
}

static void slow_heads_and_bodies_are_cut(void **state)
{
    static const struct {
        const char *first;
        int status;
    } CASES[] = {
        {"GET / HTTP/1.1\r\n" H "X: ", 408},
        {"POST /echo HTTP/1.1\r\n" H "Content-Length: 1000\r\n\r\n", 408},
    };

    tear_down(state);
    start((struct http_server_options){
        .head_ns = 300 * NS_PER_MS, .body_ns = 300 * NS_PER_MS, .idle_ns = 60 * NS_PER_SEC});
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct wire w = open_wire();
        wire_send(&w, CASES[i].first);
        /* It keeps sending: idleness is not what is measured. */
        for (int j = 0; j < 12 && wire_send(&w, "a"); j++)
            usleep(40000);
        expect(&w, CASES[i].status, NULL);
        wire_close(&w);
    }
    /* Nothing sent at all: no answer either. */
    struct wire w = open_wire();
    expect_end(&w);
    wire_close(&w);
}

static void idle_connections_end(void **state)
{
    tear_down(state);
    start((struct http_server_options){.idle_ns = 100 * NS_PER_MS});
    struct wire w = open_wire();
    wire_send(&w, GET("/hello"));
    expect(&w, 200, "hello");
    expect_end(&w);
    wire_close(&w);
}

static void a_client_that_does_not_read_is_cut(void **state)
{
    tear_down(state);
    start((struct http_server_options){.write_ns = 200 * NS_PER_MS});
    struct wire w = open_wire();
    wire_send(&w, GET("/big"));
    eventually(atomic_load(&APP.dispatched) == 1);
    eventually(atomic_load(&APP.done) == 1 && atomic_load(&APP.big_alive) == 0);
    wire_close(&w);
}

static void an_answer_may_have_less_time_than_usual(void **state)
{
    struct wire w = open_wire(), other = open_wire();

    (void)state;
    wire_send(&other, GET("/big"));
    eventually(atomic_load(&APP.dispatched) == 1);
    wire_send(&w, GET("/hasty"));
    eventually(atomic_load(&APP.done) == 1 && atomic_load(&APP.big_alive) == 1);
    wire_close(&w);
    wire_close(&other);
    eventually(atomic_load(&APP.done) == 2 && atomic_load(&APP.big_alive) == 0);
}

static void large_answers_arrive_whole(void **state)
{
    struct wire w = open_wire();
    struct answer a;

    (void)state;
    wire_send(&w, GET("/big") GET("/large") GET("/hello"));
    answer_read(&w, &a, false);
    assert_int_equal(a.n, 8u << 20);
    for (size_t i = 0; i < a.n; i += 4093)
        assert_int_equal(a.body[i], 'b');
    answer_free(&a);
    answer_read(&w, &a, false);
    assert_int_equal(a.n, 100u << 10);
    answer_free(&a);
    expect(&w, 200, "hello");
    eventually(atomic_load(&APP.big_alive) == 0 && atomic_load(&APP.done) == 3);
    wire_close(&w);
}

static void a_half_closed_client_gets_its_answer(void **state)
{
    struct wire w = open_wire();

    (void)state;
    wire_send(&w, GET("/hold"));
    app_wait_held(&APP, 1);
    shutdown(w.fd, SHUT_WR);
    usleep(20000);
    app_release(&APP);
    expect(&w, 200, "hello");
    expect_end(&w);
    wire_close(&w);
}

static void finishing_after_the_connection_died_is_harmless(void **state)
{
    unsigned connections, exchanges;

    (void)state;
    for (int i = 0; i < 8; i++) {
        struct wire w = open_wire();
        struct linger reset = {.l_onoff = 1};
        wire_send(&w, GET("/hold"));
        app_wait_held(&APP, 1 + (unsigned)i);
        setsockopt(w.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        wire_close(&w);
    }
    eventually((http_server_counts(S, &connections, &exchanges), connections == 0));
    assert_int_equal(exchanges, 8);
    app_release(&APP);
    eventually((http_server_counts(S, &connections, &exchanges), exchanges == 0));
    eventually(atomic_load(&APP.done) == 8);
}

static void finishing_after_the_server_went_is_harmless(void **state)
{
    struct wire w = open_wire();

    wire_send(&w, GET("/hold"));
    app_wait_held(&APP, 1);
    listener_close(L);
    http_server_stop(S, deadline_in(&CLOCK_SYSTEM, 0));
    http_server_free(S);
    assert_int_equal(atomic_load(&APP.done), 0);
    app_release(&APP);
    assert_int_equal(atomic_load(&APP.done), 1);
    wire_close(&w);
    set_up(state);
}

static void *stop_thread(void *arg)
{
    (void)arg;
    http_server_stop(S, deadline_in(&CLOCK_SYSTEM, 20 * NS_PER_SEC));
    return NULL;
}

static void a_graceful_stop_lets_requests_finish(void **state)
{
    struct wire idle = open_wire(), busy = open_wire(), reading = open_wire();
    struct answer a;
    pthread_t thread;

    (void)state;
    wire_send(&idle, GET("/hello"));
    expect(&idle, 200, "hello");
    wire_send(&busy, GET("/hold"));
    app_wait_held(&APP, 1);
    wire_send(&reading,
              "POST /echo HTTP/1.1\r\n" H "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    answer_read(&reading, &a, true); /* now the server is in the middle of it */
    answer_free(&a);
    wire_send(&reading, "ab");
    assert_int_equal(pthread_create(&thread, NULL, stop_thread, NULL), 0);
    expect_end(&idle);
    wire_send(&reading, "cd");
    answer_read(&reading, &a, false);
    assert_string_equal(a.body, "POST /echo ? host=ca [abcd]");
    assert_true(answer_has(&a, "\r\nConnection: close\r\n"));
    answer_free(&a);
    app_release(&APP);
    answer_read(&busy, &a, false);
    assert_int_equal(a.status, 200);
    assert_true(answer_has(&a, "\r\nConnection: close\r\n"));
    answer_free(&a);
    expect_end(&busy);
    pthread_join(thread, NULL);
    wire_close(&idle);
    wire_close(&busy);
    wire_close(&reading);
}

static void listener_errors_name_address_and_cause(void **state)
{
    struct err e = {0};
    char expected[128];

    (void)state;
    assert_null(listener_open(S, listener_address(L), NULL, &APP.http, &e));
    snprintf(expected, sizeof(expected), "listening on %s: address already in use",
             listener_address(L));
    assert_string_equal(e.text, expected);
    assert_int_equal(e.kind, ERR_UNAVAILABLE);
    assert_null(listener_open(S, "127.0.0.1", NULL, &APP.http, &e));
    assert_non_null(strstr(e.text, "listening on 127.0.0.1"));
    assert_null(listener_open(S, "192.0.2.1:0", NULL, &APP.http, &e));
    assert_non_null(strstr(e.text, "listening on 192.0.2.1:0: cannot assign"));
}

static void an_empty_host_takes_ipv4_too(void **state)
{
    struct err e = {0};
    struct listener *l = listener_open(S, ":0", NULL, &APP.http, &e);

    (void)state;
    assert_non_null(l);
    listener_start(l);
    struct wire w = wire_open(listener_address(l));
    wire_send(&w, GET("/hello"));
    expect(&w, 200, "hello");
    wire_close(&w);
    listener_close(l);
}

static void a_new_app_takes_new_requests_of_old_connections(void **state)
{
    struct wire w = open_wire();
    struct app other;

    (void)state;
    wire_send(&w, GET("/hello"));
    expect(&w, 200, "hello");
    eventually(atomic_load(&APP.done) == 1);
    app_init(&other);
    other.greeting = "other";
    listener_set_app(L, &other.http);
    wire_send(&w, GET("/hello"));
    expect(&w, 200, "other");
    wire_close(&w);
    eventually(atomic_load(&other.done) == 1);
    listener_set_app(L, &APP.http);
}

static void connections_beyond_the_limit_wait(void **state)
{
    struct wire w[4];

    tear_down(state);
    start((struct http_server_options){.connections_max = 2});
    for (size_t i = 0; i < COUNT_OF(w); i++) {
        w[i] = open_wire();
        wire_send(&w[i], "GET /hello HTTP/1.1\r\n" H "\r\n");
    }
    expect(&w[0], 200, "hello");
    expect(&w[1], 200, "hello");
    assert_int_equal(atomic_load(&APP.dispatched), 2);
    wire_close(&w[0]);
    wire_close(&w[1]);
    expect(&w[2], 200, "hello");
    expect(&w[3], 200, "hello");
    wire_close(&w[2]);
    wire_close(&w[3]);
}

static void bodies_share_a_budget(void **state)
{
    static char chunk[65536];
    struct wire w[4];
    struct answer a;
    int refused = 0;

    tear_down(state);
    start((struct http_server_options){.body_budget = 300000});
    for (size_t i = 0; i < COUNT_OF(w); i++) {
        w[i] = open_wire();
        wire_send(&w[i], "POST /hold HTTP/1.1\r\n" H "Content-Length: 131072\r\n\r\n");
        wire_send_n(&w[i], chunk, sizeof(chunk));
        wire_send_n(&w[i], chunk, sizeof(chunk));
        if (i < 2)
            app_wait_held(&APP, (unsigned)i + 1); /* one after the other: both fit */
    }
    eventually(atomic_load(&APP.refused) == 2);
    app_release(&APP);
    for (size_t i = 0; i < COUNT_OF(w); i++) {
        answer_read(&w[i], &a, false);
        assert_true(a.status == 200 || a.status == 503);
        refused += a.status == 503;
        answer_free(&a);
        wire_close(&w[i]);
    }
    assert_int_equal(refused, 2);
    /* What was taken was given back. */
    struct wire again = open_wire();
    wire_send(&again, "POST /hello HTTP/1.1\r\n" H "Content-Length: 131072\r\n\r\n");
    wire_send_n(&again, chunk, sizeof(chunk));
    wire_send_n(&again, chunk, sizeof(chunk));
    expect(&again, 200, "hello");
    wire_close(&again);
}

/* Clients that keep large bodies to themselves make room for others. */
static void large_bodies_that_stall_give_way_to_small_ones(void **state)
{
    static char chunk[65536];
    struct wire w[8];

    tear_down(state);
    start((struct http_server_options){.body_budget = 4 * 65536 + 1000, .loops = 1});
    for (size_t i = 0; i < COUNT_OF(w); i++) {
        w[i] = open_wire();
        wire_send(&w[i], "POST /echo HTTP/1.1\r\n" H "Content-Length: 131072\r\n\r\n");
        wire_send_n(&w[i], chunk, sizeof(chunk));
    }
    eventually(atomic_load(&APP.refused) >= 4); /* at most four fit */
    for (int i = 0; i < 20; i++) {
        struct wire small = open_wire();
        wire_send(&small, "POST /hello HTTP/1.1\r\n" H "Content-Length: 4096\r\n\r\n");
        wire_send_n(&small, chunk, 4096);
        expect(&small, 200, "hello");
        wire_close(&small);
    }
    for (size_t i = 0; i < COUNT_OF(w); i++)
        wire_close(&w[i]);
}

#define CLIENTS  200
#define REQUESTS 20

static void *load_thread(void *arg)
{
    struct wire w = open_wire();
    intptr_t failed = 0;
    struct answer a;

    (void)arg;
    for (int i = 0; i < REQUESTS; i++) {
        bool async = i % 4 == 3;
        wire_send(&w, async ? GET("/thread") : GET("/hello"));
        answer_read(&w, &a, false);
        failed += a.status != 200 || strcmp(a.body, "hello") != 0;
        answer_free(&a);
    }
    wire_close(&w);
    return (void *)failed;
}

static void serves_many_connections_at_a_time(void **state)
{
    static pthread_t threads[CLIENTS];
    void *failed;

    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load_thread, NULL), 0);
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], &failed);
        assert_int_equal((intptr_t)failed, 0);
    }
    eventually(atomic_load(&APP.done) == CLIENTS * REQUESTS);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(answers_and_keeps_the_connection),
        T(closes_when_asked_to),
        T(answers_pipelined_requests_in_order),
        T(head_has_the_length_but_no_body),
        T(says_continue_before_a_body),
        T(reads_chunked_bodies),
        T(refuses_what_it_cannot_frame),
        T(accepts_a_body_up_to_its_limit),
        T(a_large_body_is_refused_before_it_is_read),
        T(a_large_head_is_refused),
        T(slow_heads_and_bodies_are_cut),
        T(idle_connections_end),
        T(a_client_that_does_not_read_is_cut),
        T(an_answer_may_have_less_time_than_usual),
        T(large_answers_arrive_whole),
        T(a_half_closed_client_gets_its_answer),
        T(finishing_after_the_connection_died_is_harmless),
        T(finishing_after_the_server_went_is_harmless),
        T(a_graceful_stop_lets_requests_finish),
        T(listener_errors_name_address_and_cause),
        T(an_empty_host_takes_ipv4_too),
        T(a_new_app_takes_new_requests_of_old_connections),
        T(connections_beyond_the_limit_wait),
        T(bodies_share_a_budget),
        T(large_bodies_that_stall_give_way_to_small_ones),
        T(serves_many_connections_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
