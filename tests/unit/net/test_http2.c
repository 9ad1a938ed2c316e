/* The server over HTTP/2, with frames made by hand: time limits, requests that are taken back, the
 * end.  What frames may say is tested with other programs' clients (tests/integration). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };
#define MS(n) ((n)*NS_PER_MS)

static struct arena *A;
static struct app APP;
static struct http_server *S;
static struct listener *L;
static struct tls_slot *SLOT;
static struct entity LEAF;

static int group_up(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    entity_make(A, &LEAF, &(struct entity_options){.name = "ca", .san = "IP:127.0.0.1"});
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    entity_free(&LEAF);
    arena_free(A);
    return 0;
}

static void start(struct http_server_options o)
{
    static struct tls_settings settings;
    struct tls_credentials credentials = {&LEAF.der, 1, &LEAF.key};
    struct instant later = CLOCK_SYSTEM.now(&CLOCK_SYSTEM);
    struct err e = {0};

    later.sec += 3600;
    app_init(&APP);
    o.loops = 2;
    SLOT = tls_slot_new();
    assert_true(tls_slot_set(SLOT, &settings, &credentials, later, &e));
    S = http_server_new(&o, &e);
    assert_non_null(S);
    L = listener_open(S, "127.0.0.1:0", SLOT, &APP.http, &e);
    assert_non_null(L);
    listener_start(L);
}

static int tear_down(void **state)
{
    unsigned connections, exchanges;

    (void)state;
    listener_close(L);
    tls_slot_free(SLOT);
    http_server_stop(S, deadline_in(&CLOCK_SYSTEM, 0));
    http_server_counts(S, &connections, &exchanges);
    assert_int_equal(connections, 0);
    assert_int_equal(exchanges, 0);
    http_server_free(S);
    assert_int_equal(atomic_load(&APP.big_alive), 0);
    return 0;
}

/* --- Frames ---------------------------------------------------------------------------------- */

static void send_frame(struct wire *w, int type, int flags, unsigned stream, const void *p,
                       size_t n)
{
    uint8_t head[9] = {(uint8_t)(n >> 16),      (uint8_t)(n >> 8),      (uint8_t)n,
                       (uint8_t)type,           (uint8_t)flags,         (uint8_t)(stream >> 24),
                       (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};

    assert_true(wire_send_n(w, head, 9));
    assert_true(n == 0 || wire_send_n(w, p, n));
}

/* RFC 7541 6.2.2: literals with their names, not indexed. */
static size_t put_field(uint8_t *out, const char *name, const char *value)
{
    size_t n = strlen(name), m = strlen(value);

    out[0] = 0;
    out[1] = (uint8_t)n;
    memcpy(out + 2, name, n);
    out[2 + n] = (uint8_t)m;
    memcpy(out + 3 + n, value, m);
    return 3 + n + m;
}

static void ask(struct wire *w, unsigned stream, const char *method, const char *path, int flags)
{
    uint8_t block[512];
    size_t n = put_field(block, ":method", method);

    n += put_field(block + n, ":scheme", "https");
    n += put_field(block + n, ":authority", "ca");
    n += put_field(block + n, ":path", path);
    send_frame(w, HEADERS, flags, stream, block, n);
}

static void get(struct wire *w, unsigned stream, const char *path)
{
    ask(w, stream, "GET", path, END_STREAM | END_HEADERS);
}

struct frame {
    int type, flags; /* type -1: the connection has ended */
    unsigned stream;
    uint8_t payload[17000];
    size_t n;
};

/* The next that is about the stream, or about the connection's end. */
static void next_frame(struct wire *w, struct frame *f, unsigned stream)
{
    uint8_t head[9];

    do {
        f->type = -1;
        if (!wire_read_all(w, head, 9))
            return;
        f->n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        assert_true(f->n <= sizeof(f->payload));
        if (!wire_read_all(w, f->payload, f->n))
            return;
        f->type = head[3];
        f->flags = head[4];
        f->stream = (unsigned)head[5] << 24 | (unsigned)head[6] << 16 | (unsigned)head[7] << 8 |
                    (unsigned)head[8];
    } while (f->stream != stream && f->type != GOAWAY);
}

/* The status in a block that begins with it, when the table of RFC 7541 (appendix A) has it. */
static int status_of(const struct frame *f)
{
    static const int TABLE[] = {200, 204, 206, 304, 400, 404, 500};

    assert_int_equal(f->type, HEADERS);
    assert_in_range(f->payload[0], 0x88, 0x8e);
    return TABLE[f->payload[0] - 0x88];
}

static void expect_answer(struct wire *w, unsigned stream, int status, const char *body)
{
    struct frame f;

    next_frame(w, &f, stream);
    assert_int_equal(status_of(&f), status);
    if (f.flags & END_STREAM)
        return;
    next_frame(w, &f, stream);
    assert_int_equal(f.type, DATA);
    if (body) {
        assert_int_equal(f.n, strlen(body));
        assert_memory_equal(f.payload, body, f.n);
    }
}

static void expect_end(struct wire *w)
{
    struct frame f;

    do
        next_frame(w, &f, 0);
    while (f.type >= 0);
}

static struct wire open_h2(unsigned window)
{
    struct wire w = wire_open(listener_address(L));
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    uint8_t setting[6] = {0,
                          4,
                          (uint8_t)(window >> 24),
                          (uint8_t)(window >> 16),
                          (uint8_t)(window >> 8),
                          (uint8_t)window};

    SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2", 3);
    assert_true(wire_tls(&w, ctx));
    SSL_CTX_free(ctx);
    assert_true(wire_send(&w, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    send_frame(&w, SETTINGS, 0, 0, setting, sizeof(setting));
    return w;
}

/* --- Tests ----------------------------------------------------------------------------------- */

static void requests_are_answered_in_any_order(void **state)
{
    (void)state;
    start((struct http_server_options){0});
    struct wire w = open_h2(65535);
    get(&w, 1, "/hold");
    get(&w, 3, "/hello");
    expect_answer(&w, 3, 200, "hello");
    ask(&w, 5, "POST", "/echo?a=b", END_HEADERS);
    send_frame(&w, DATA, 0, 5, "one ", 4);
    send_frame(&w, DATA, END_STREAM, 5, "two", 3);
    expect_answer(&w, 5, 200, NULL);
    get(&w, 7, "/thread");
    expect_answer(&w, 7, 200, NULL);
    get(&w, 9, "/nothing");
    expect_answer(&w, 9, 204, NULL);
    app_wait_held(&APP, 1);
    app_release(&APP);
    expect_answer(&w, 1, 200, NULL);
    wire_close(&w);
}

static void a_head_that_does_not_come_ends_the_connection(void **state)
{
    (void)state;
    start((struct http_server_options){.head_ns = MS(200)});
    struct wire w = open_h2(65535);
    get(&w, 1, "/hello");
    expect_answer(&w, 1, 200, "hello");
    ask(&w, 3, "GET", "/hello", END_STREAM);
    expect_end(&w);
    wire_close(&w);
}

static void a_body_that_does_not_come_is_answered(void **state)
{
    struct frame f;

    (void)state;
    start((struct http_server_options){.body_ns = MS(200)});
    struct wire w = open_h2(65535);
    ask(&w, 1, "POST", "/echo", END_HEADERS);
    send_frame(&w, DATA, 0, 1, "some", 4);
    next_frame(&w, &f, 1);
    assert_int_equal(f.type, HEADERS);
    eventually(atomic_load(&APP.last_refused) == 408);
    /* Others go on, and what still comes of it does no harm. */
    send_frame(&w, DATA, END_STREAM, 1, "more", 4);
    get(&w, 3, "/hello");
    expect_answer(&w, 3, 200, "hello");
    assert_int_equal(atomic_load(&APP.dispatched), 1);
    wire_close(&w);
}

static void a_body_that_goes_on_after_its_answer_is_hung_up_on(void **state)
{
    struct frame f;

    (void)state;
    start((struct http_server_options){0});
    struct wire w = open_h2(65535);
    ask(&w, 1, "POST", "/small/x", END_HEADERS);
    send_frame(&w, DATA, 0, 1, "more than ten", 13);
    do
        next_frame(&w, &f, 1);
    while (f.type == HEADERS || f.type == DATA);
    assert_int_equal(f.type, RST_STREAM);
    assert_int_equal(f.payload[3], 0); /* NO_ERROR */
    assert_int_equal(atomic_load(&APP.last_refused), 413);
    get(&w, 3, "/hello");
    expect_answer(&w, 3, 200, "hello");
    wire_close(&w);
}

static void an_answer_that_nobody_takes_ends_the_connection(void **state)
{
    (void)state;
    start((struct http_server_options){.write_ns = MS(300)});
    struct wire w = open_h2(0); /* a window of nothing */
    get(&w, 1, "/big");
    expect_end(&w);
    wire_close(&w);
    eventually(atomic_load(&APP.big_alive) == 0);
}

static void an_idle_connection_is_told_and_ended(void **state)
{
    struct frame f;

    (void)state;
    start((struct http_server_options){.idle_ns = MS(200)});
    struct wire w = open_h2(65535);
    get(&w, 1, "/hello");
    expect_answer(&w, 1, 200, "hello");
    next_frame(&w, &f, 1);
    assert_int_equal(f.type, GOAWAY);
    assert_int_equal(f.payload[3], 1); /* the last stream that was served */
    assert_int_equal(f.payload[7], 0); /* NO_ERROR */
    expect_end(&w);
    wire_close(&w);
}

/* They count until the app gives them back: taking back is no way to make more work. */
static void requests_that_were_taken_back_still_count(void **state)
{
    static const uint8_t CANCEL[4] = {0, 0, 0, 8};
    struct frame f;

    (void)state;
    start((struct http_server_options){0});
    struct wire w = open_h2(65535);
    for (unsigned i = 0; i < 32; i++) {
        get(&w, 1 + 2 * i, "/hold");
        send_frame(&w, RST_STREAM, 0, 1 + 2 * i, CANCEL, 4);
    }
    app_wait_held(&APP, 32);
    get(&w, 65, "/hello");
    next_frame(&w, &f, 65);
    assert_int_equal(f.type, RST_STREAM);
    assert_int_equal(f.payload[3], 7); /* REFUSED_STREAM */
    app_release(&APP);
    eventually(atomic_load(&APP.done) >= 32);
    get(&w, 67, "/hello");
    expect_answer(&w, 67, 200, "hello");
    wire_close(&w);
}

static void a_connection_may_go_while_the_app_has_its_requests(void **state)
{
    unsigned connections;

    (void)state;
    start((struct http_server_options){0});
    struct wire w = open_h2(65535);
    get(&w, 1, "/hold");
    get(&w, 3, "/hold");
    app_wait_held(&APP, 2);
    wire_close(&w);
    do
        http_server_counts(S, &connections, NULL);
    while (connections > 0 && usleep(1000) == 0);
    app_release(&APP);
    eventually(atomic_load(&APP.done) == 2);
}

static void *stop(void *arg)
{
    http_server_stop(arg, deadline_in(&CLOCK_SYSTEM, 5 * NS_PER_SEC));
    return NULL;
}

static void the_end_waits_for_what_is_under_way(void **state)
{
    pthread_t thread;
    struct frame f;

    (void)state;
    start((struct http_server_options){0});
    struct wire w = open_h2(65535);
    get(&w, 1, "/hold");
    app_wait_held(&APP, 1);
    pthread_create(&thread, NULL, stop, S);
    next_frame(&w, &f, 1);
    assert_int_equal(f.type, GOAWAY);
    assert_int_equal(f.payload[3], 1);
    app_release(&APP);
    expect_answer(&w, 1, 200, NULL);
    wire_close(&w);
    pthread_join(thread, NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, NULL, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(requests_are_answered_in_any_order),
        TEST(a_head_that_does_not_come_ends_the_connection),
        TEST(a_body_that_does_not_come_is_answered),
        TEST(a_body_that_goes_on_after_its_answer_is_hung_up_on),
        TEST(an_answer_that_nobody_takes_ends_the_connection),
        TEST(an_idle_connection_is_told_and_ended),
        TEST(requests_that_were_taken_back_still_count),
        TEST(a_connection_may_go_while_the_app_has_its_requests),
        TEST(the_end_waits_for_what_is_under_way),
    };
#undef TEST
    return cmocka_run_group_tests_name("net/http2", tests, group_up, group_down);
}
