/* The reader of heads and chunks: what is taken, what is refused, and with which status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "net/http1.h"

#define H "Host: ca\r\n"

static struct arena *A;

static int set_up(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(A);
    return 0;
}

/* The head on a heap of its own size, so that ASan sees every byte too many. */
static int read_head(const char *text, size_t n, struct http_request *in,
                     struct http1_framing *framing)
{
    uint8_t *copy = malloc(n + 1);
    struct err e = {0};

    memcpy(copy, text, n);
    arena_defer(A, free, copy);
    *in = (struct http_request){0};
    int status = http1_head(A, slice_of(copy, n), in, framing, &e);
    if (status)
        assert_true(e.kind == ERR_MALFORMED && e.text[0]);
    return status;
}

static void assert_slice(struct slice s, const char *text)
{
    if (!text) {
        assert_null(s.p);
        return;
    }
    if (!slice_is(s, text))
        fail_msg("expected \"%s\", found \"%.*s\"", text, SLICE_ARG(s));
}

static void reads_targets(void **state)
{
    static const struct {
        const char *head;
        enum http_method method;
        const char *path, *raw, *query, *host;
    } CASES[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/", "/", NULL, "ca"},
        {"\r\n\r\nGET /a HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/a", "/a", NULL, "ca"},
        {"HEAD /health?x=1&y HTTP/1.1\r\n" H "\r\n", HTTP_HEAD, "/health", "/health", "x=1&y",
         "ca"},
        {"GET /? HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/", "/", "", "ca"},
        {"GET /a%20b%2Fc HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/a b/c", "/a%20b%2Fc", NULL, "ca"},
        {"GET /%2525 HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/%25", "/%2525", NULL, "ca"},
        {"GET /x%3Fy?z HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/x?y", "/x%3Fy", "z", "ca"},
        {"GET /m\xc3\xbcller HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/m\xc3\xbcller", "/m\xc3\xbcller",
         NULL, "ca"},
        {"GET http://other:80/p?q HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/p", "/p", "q", "other:80"},
        {"GET https://other HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/", "/", NULL, "other"},
        {"GET HTTPS://[::1]:9?q HTTP/1.1\r\n" H "\r\n", HTTP_GET, "/", "/", "q", "[::1]:9"},
        {"OPTIONS * HTTP/1.1\r\n" H "\r\n", HTTP_OPTIONS, "*", "*", NULL, "ca"},
        {"PROPFIND / HTTP/1.1\r\n" H "\r\n", HTTP_OTHER, "/", "/", NULL, "ca"},
        {"get / HTTP/1.1\r\n" H "\r\n", HTTP_OTHER, "/", "/", NULL, "ca"},
        {"GET / HTTP/1.0\r\n\r\n", HTTP_GET, "/", "/", NULL, NULL},
        {"GET /a//b/../c HTTP/1.1\r\nHost:\r\n\r\n", HTTP_GET, "/a//b/../c", "/a//b/../c", NULL,
         ""},
    };
    struct http_request in;
    struct http1_framing framing;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_int_equal(read_head(CASES[i].head, strlen(CASES[i].head), &in, &framing), 0);
        assert_int_equal(in.method, CASES[i].method);
        assert_slice(in.path, CASES[i].path);
        assert_slice(in.raw_path, CASES[i].raw);
        assert_slice(in.query, CASES[i].query);
        assert_slice(in.host, CASES[i].host);
    }
}

static void reads_framing(void **state)
{
    static const struct {
        const char *head;
        bool chunked;
        uint64_t length;
        bool expect, close;
    } CASES[] = {
        {"GET / HTTP/1.1\r\n" H "\r\n", false, 0, false, false},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 12\r\n\r\n", false, 12, false, false},
        {"POST / HTTP/1.1\r\n" H "content-length:\t 12 \t\r\n\r\n", false, 12, false, false},
        {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", true, 0, false, false},
        {"POST / HTTP/1.1\r\n" H "TRANSFER-ENCODING: Chunked\r\n\r\n", true, 0, false, false},
        {"POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n", false, 1,
         true, false},
        {"GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", false, 0, false, true},
        {"GET / HTTP/1.1\r\n" H "Connection: TE, Close\r\n\r\n", false, 0, false, true},
        {"GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n", false, 0, false, false},
        {"GET / HTTP/1.0\r\n\r\n", false, 0, false, true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, 0, false, true},
        {"POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", false, 3, false,
         true},
    };
    struct http_request in;
    struct http1_framing framing;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_int_equal(read_head(CASES[i].head, strlen(CASES[i].head), &in, &framing), 0);
        assert_int_equal(framing.chunked, CASES[i].chunked);
        assert_int_equal(framing.length, CASES[i].length);
        assert_int_equal(framing.expect_continue, CASES[i].expect);
        assert_int_equal(framing.close, CASES[i].close);
    }
}

static void refuses_bad_heads(void **state)
{
    static const struct {
        int status;
        const char *head;
    } CASES[] = {
        {400, ""},
        {400, "\r\n"},
        {400, "\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" H},
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" H H "\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
        {400, "GET /\r\n" H "\r\n"},
        {400, "GET  / HTTP/1.1\r\n" H "\r\n"},
        {400, "GET / HTTP/1.1 \r\n" H "\r\n"},
        {400, "GET / x HTTP/1.1\r\n" H "\r\n"},
        {400, " GET / HTTP/1.1\r\n" H "\r\n"},
        {400, "G(T / HTTP/1.1\r\n" H "\r\n"},
        {400, "GET / http/1.1\r\n" H "\r\n"},
        {400, "GET / HTTP/1.10\r\n" H "\r\n"},
        {400, "GET / HTTP/1,1\r\n" H "\r\n"},
        {505, "GET / HTTP/2.0\r\n" H "\r\n"},
        {505, "PRI * HTTP/2.0\r\n\r\n"},
        {505, "GET / HTTP/0.9\r\n" H "\r\n"},
        {400, "GET x HTTP/1.1\r\n" H "\r\n"},
        {400, "GET * HTTP/1.1\r\n" H "\r\n"},
        {400, "CONNECT a:1 HTTP/1.1\r\n" H "\r\n"},
        {400, "GET ftp://a/ HTTP/1.1\r\n" H "\r\n"},
        {400, "GET http:///x HTTP/1.1\r\n" H "\r\n"},
        {400, "GET http://u@a/x HTTP/1.1\r\n" H "\r\n"},
        {400, "GET /a#b HTTP/1.1\r\n" H "\r\n"},
        {400, "GET /\x01 HTTP/1.1\r\n" H "\r\n"},
        {400, "GET /\x7f HTTP/1.1\r\n" H "\r\n"},
        {400, "GET /% HTTP/1.1\r\n" H "\r\n"},
        {400, "GET /%4 HTTP/1.1\r\n" H "\r\n"},
        {400, "GET /%4g HTTP/1.1\r\n" H "\r\n"},
        {400, "GET /%zz HTTP/1.1\r\n" H "\r\n"},
        {400, "GET /a%00b HTTP/1.1\r\n" H "\r\n"},
        {400, "GET / HTTP/1.1\r\n" H " folded\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" H "A: b\r\n\tfolded\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" H "A : b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" H "A\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" H ": b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" H "A(: b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" H "A: b\rc\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" H "A: b\nC: d\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" H "A: \x01\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" H "A: \x7f\r\n\r\n"},
        {400, "GET / HTTP/1.1\n" H "\n"},
        {400, "GET / HTTP/1.1\r\n" H "\r\nmore"},
        {400, "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n" H "Content-Length: 1, 1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n" H "Content-Length: 0x1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n" H "Content-Length: 1 1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n"},
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;q=1\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\n" H
              "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {417, "POST / HTTP/1.1\r\n" H "Expect: a-pony\r\n\r\n"},
    };
    struct http_request in;
    struct http1_framing framing;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        int status = read_head(CASES[i].head, strlen(CASES[i].head), &in, &framing);
        if (status != CASES[i].status)
            fail_msg("case %zu \"%s\": expected %d, found %d", i, CASES[i].head, CASES[i].status,
                     status);
        assert_true(framing.close);
    }
    assert_int_equal(read_head("GET / HTTP/1.1\r\n" H "A: b\0c\r\n\r\n", 36, &in, &framing), 400);
}

static void bounds_targets_and_fields(void **state)
{
    struct http_request in;
    struct http1_framing framing;
    struct buf b = buf_new(A, 1u << 20);

    (void)state;
    buf_text(&b, "GET /");
    for (size_t i = 0; i < HTTP1_TARGET_MAX; i++)
        buf_byte(&b, 'a');
    buf_text(&b, " HTTP/1.1\r\n" H "\r\n");
    assert_int_equal(read_head((const char *)b.p, b.n, &in, &framing), 414);
    buf_reset(&b);
    buf_text(&b, "GET / HTTP/1.1\r\n" H);
    for (size_t i = 1; i < HTTP1_FIELDS_MAX; i++)
        buf_printf(&b, "a%zu: b\r\n", i);
    size_t before = b.n;
    buf_text(&b, "\r\n");
    assert_int_equal(read_head((const char *)b.p, b.n, &in, &framing), 0);
    assert_int_equal(in.fields.n, HTTP1_FIELDS_MAX);
    assert_slice(http_fields_get(&in.fields, "A255"), "b");
    b.n = before;
    buf_text(&b, "c: d\r\n\r\n");
    assert_int_equal(read_head((const char *)b.p, b.n, &in, &framing), 431);
}

static enum http1_step scan(const char *text, size_t piece, size_t *end)
{
    struct http1_scan s = {0};
    const char *why = NULL;
    enum http1_step step = HTTP1_MORE;
    struct slice rest = slice_text(text);

    while (step == HTTP1_MORE && rest.n) {
        size_t before = s.n;
        step = http1_scan(&s, slice_sub(rest, 0, piece), &why);
        rest = slice_from(rest, s.n - before);
    }
    assert_true((step == HTTP1_BAD) == (why != NULL));
    *end = s.n;
    return step;
}

static void finds_the_end_of_a_head_in_any_pieces(void **state)
{
    static const struct {
        const char *text;
        enum http1_step step;
        size_t end;
    } CASES[] = {
        {"GET / HTTP/1.1\r\nA: b\r\n\r\nrest", HTTP1_DONE, 24},
        {"\r\n\r\nGET /\r\n\r\n", HTTP1_DONE, 13},
        {"GET / HTTP/1.1\r\nA: b\r\n", HTTP1_MORE, 22},
        {"\r\n\r\n", HTTP1_MORE, 4},
        {"GET / HTTP/1.1\n", HTTP1_BAD, 15},
        {"GET /\r HTTP/1.1", HTTP1_BAD, 7},
        {"GET / HTTP/1.1\r\r\n", HTTP1_BAD, 16},
        {"\n", HTTP1_BAD, 1},
        {"\x16\x03\x01", HTTP1_BAD, 1},
    };
    size_t end;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        for (size_t piece = 1; piece < 40; piece++) {
            assert_int_equal(scan(CASES[i].text, piece, &end), CASES[i].step);
            assert_int_equal(end, CASES[i].end);
        }
    }
}

static enum http1_step unchunk(struct slice rest, size_t piece, struct buf *out, size_t *used_all)
{
    struct http1_chunks c = {0};
    enum http1_step step = HTTP1_MORE;
    struct slice data;
    const char *why;
    size_t used;

    *used_all = 0;
    while (step == HTTP1_MORE && rest.n) {
        step = http1_chunks(&c, slice_sub(rest, 0, piece), &used, &data, &why);
        buf_put(out, data);
        rest = slice_from(rest, used);
        *used_all += used;
    }
    return step;
}

static void takes_chunks_apart_in_any_pieces(void **state)
{
    static const struct {
        const char *text;
        enum http1_step step;
        const char *body;
        size_t rest;
    } CASES[] = {
        {"0\r\n\r\n", HTTP1_DONE, "", 0},
        {"0\r\n\r\nGET", HTTP1_DONE, "", 3},
        {"5\r\nhello\r\n0\r\n\r\n", HTTP1_DONE, "hello", 0},
        {"5\r\nhello\r\n1\r\n!\r\n000\r\n\r\n", HTTP1_DONE, "hello!", 0},
        {"A;name=\"v\"\r\n0123456789\r\n0;x\r\n\r\n", HTTP1_DONE, "0123456789", 0},
        {"a\r\n0123456789\r\n0\r\nTrailer: x\r\nB: c\r\n\r\n", HTTP1_DONE, "0123456789", 0},
        {"5\r\nhel", HTTP1_MORE, "hel", 0},
        {"5\r\nhello0\r\n", HTTP1_BAD, "hello", 4},
        {"5\nhello\r\n0\r\n\r\n", HTTP1_BAD, "", 0},
        {"5\r\nhello\n0\r\n\r\n", HTTP1_BAD, "hello", 0},
        {"\r\n", HTTP1_BAD, "", 0},
        {"x\r\n", HTTP1_BAD, "", 0},
        {"-1\r\n", HTTP1_BAD, "", 0},
        {"0x5\r\nhello\r\n", HTTP1_BAD, "", 0},
        {" 5\r\nhello\r\n", HTTP1_BAD, "", 0},
        {"5 \r\nhello\r\n", HTTP1_BAD, "", 0},
        {"5;\x01\r\nhello\r\n", HTTP1_BAD, "", 0},
        {"5;a\nb\r\nhello\r\n", HTTP1_BAD, "", 0},
        {"1000000000000000\r\n", HTTP1_BAD, "", 0},
        {"ffffffffffffffffff\r\n", HTTP1_BAD, "", 0},
        {"0\r\nA: b\n\r\n", HTTP1_BAD, "", 0},
        {"0\r\n\rX", HTTP1_BAD, "", 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        for (size_t piece = 1; piece < 40; piece++) {
            struct buf out CLEANUP(buf_free) = buf_new(NULL, 4096);
            size_t used;
            enum http1_step step = unchunk(slice_text(CASES[i].text), piece, &out, &used);
            if (step != CASES[i].step)
                fail_msg("\"%s\" in pieces of %zu: step %d", CASES[i].text, piece, (int)step);
            assert_slice(buf_slice(&out), CASES[i].body);
            if (step == HTTP1_DONE)
                assert_int_equal(strlen(CASES[i].text) - used, CASES[i].rest);
        }
    }
}

static void bounds_chunk_extensions_and_trailers(void **state)
{
    struct buf b = buf_new(A, 1u << 20), out = buf_new(A, 4096);
    size_t used;

    (void)state;
    buf_text(&b, "5;");
    for (int i = 0; i < 300; i++)
        buf_byte(&b, 'x');
    assert_int_equal(unchunk(buf_slice(&b), 64, &out, &used), HTTP1_BAD);
    buf_reset(&b);
    buf_text(&b, "0\r\n");
    for (int i = 0; i < 2000; i++)
        buf_text(&b, "trailer: x\r\n");
    assert_int_equal(unchunk(buf_slice(&b), 64, &out, &used), HTTP1_BAD);
}

static void fields_are_found_without_case_and_stay_one_line(void **state)
{
    struct http_fields f = {0};

    (void)state;
    http_fields_add(&f, A, "Link", SLICE("a"));
    http_fields_add(&f, A, "link", SLICE("b"));
    http_fields_add(&f, A, "Other", SLICE("c"));
    assert_slice(http_fields_get(&f, "LINK"), "a");
    assert_slice(http_fields_get(&f, "nope"), NULL);
    http_fields_set(&f, A, "Link", SLICE("d"));
    assert_int_equal(f.n, 2);
    assert_slice(http_fields_get(&f, "link"), "d");
    for (int i = 0; i < 40; i++)
        http_fields_add(&f, A, "More", SLICE_NONE);
    assert_int_equal(f.n, 42);
    assert_slice(http_fields_get(&f, "more"), "");
#ifdef __OPTIMIZE__
    http_fields_set(&f, A, "X", SLICE("a\r\nSet-Cookie: b\0c"));
    assert_slice(http_fields_get(&f, "x"), "a  Set-Cookie: b c");
#endif
    assert_string_equal(http_method_name(HTTP_PATCH), "PATCH");
    assert_string_equal(http1_reason(404), "Not Found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_targets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_framing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_bad_heads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds_targets_and_fields, set_up, tear_down),
        cmocka_unit_test(finds_the_end_of_a_head_in_any_pieces),
        cmocka_unit_test_setup_teardown(takes_chunks_apart_in_any_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds_chunk_extensions_and_trailers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_are_found_without_case_and_stay_one_line, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
