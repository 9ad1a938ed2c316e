/*
 * HTTP/1.1 on a connection: one request at a time.
 *
 *     IDLE -> HEAD -> BODY -> OUT -> WRITE -> IDLE
 *
 * What a client sends ahead stays in the input buffer until its turn; while a request is out, not
 * more than one round of it is read.  A request that cannot be read is answered by the loop and
 * ends the connection, since nobody knows where the next one would begin.
 */
#include "net/server_internal.h"

#include <event2/buffer.h>

#include "base/log.h"

#define BODY_COPIED_MAX (16u << 10) /* a smaller body leaves in one piece with its head */
#define HEAD_UNCHARGED  (16u << 10)
#define HEAD_OUT_MAX    (1u << 20)
#define BODY_MAX_USUAL  (1u << 20)

static void next_request(struct conn *c);

/* --- Answering ---------------------------------------------------------------------------------
 */

/* Framing is the loop's: what an app says about it would only be wrong. */
static bool ours(struct slice name)
{
    static const char *const NAMES[] = {"Content-Length", "Transfer-Encoding", "Connection",
                                        "Keep-Alive", "Date"};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (slice_is_case(name, NAMES[i]))
            return true;
    return false;
}

static void put_head(struct buf *b, struct conn *c, const struct http_response *out, bool bodyless)
{
    buf_printf(b, "HTTP/1.1 %d %s\r\nDate: ", out->status, http1_reason(out->status));
    buf_put(b, loop_date(c->loop));
    for (size_t i = 0; i < out->fields.n; i++) {
        if (ours(out->fields.v[i].name))
            continue;
        buf_text(b, "\r\n");
        buf_put(b, out->fields.v[i].name);
        buf_text(b, ": ");
        buf_put(b, out->fields.v[i].value);
    }
    if (!bodyless)
        buf_printf(b, "\r\nContent-Length: %zu", out->body.n);
    if (c->close)
        buf_text(b, "\r\nConnection: close");
    buf_text(b, "\r\n\r\n");
}

static void body_left(void *arg)
{
    exchange_free(arg);
}

static void respond(struct conn *c, struct exchange *ex)
{
    struct http_response *out = &ex->x.out;
    struct buf b = buf_new(ex->x.arena, HEAD_OUT_MAX + BODY_COPIED_MAX);

    if (out->status < 200 || out->status > 599)
        out->status = 500;
    bool bodyless = out->status == 204 || out->status == 304; /* RFC 9110 15.3.5, 15.4.5 */
    c->close |= ex->framing.close || c->eof || c->loop->draining;
    put_head(&b, c, out, bodyless);
    size_t n = bodyless || ex->x.in.method == HTTP_HEAD ? 0 : out->body.n;
    bool large = n > BODY_COPIED_MAX;
    if (!large)
        buf_put(&b, slice_sub(out->body, 0, n));
    c->x = NULL;
    if (!buf_ok(&b)) {
        log_error("HTTP response: header beyond 1 MiB");
        exchange_free(ex);
        conn_free(c);
        return;
    }
    c->state = CONN_WRITE;
    conn_deadline(c, out->write_ns ? out->write_ns : c->loop->server->options.write_ns);
    bool left = conn_send(c, buf_slice(&b));
    if (large) {
        conn_send_shared(c, out->body, body_left, ex);
        return;
    }
    exchange_free(ex);
    if (left)
        next_request(c);
}

/* Always false: there is no more to read. */
static bool refuse(struct conn *c, int status, const char *why)
{
    struct exchange *ex = c->x ? c->x : exchange_new(c);

    c->x = ex;
    c->close = true;
    c->unread = true;
    exchange_refuse(ex, status, why);
    respond(c, ex);
    return false;
}

/* --- Reading -----------------------------------------------------------------------------------
 */

static bool dispatch(struct conn *c)
{
    c->unread = false;
    c->state = CONN_OUT;
    conn_deadline(c, 0);
    exchange_dispatch(c->x);
    return false;
}

/* The next contiguous bytes of input from offset on. */
static struct slice input_at(struct conn *c, size_t offset)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    struct evbuffer_ptr at;
    struct evbuffer_iovec v;

    if (offset >= evbuffer_get_length(in) ||
        evbuffer_ptr_set(in, &at, offset, EVBUFFER_PTR_SET) != 0 ||
        evbuffer_peek(in, -1, &at, &v, 1) < 1)
        return SLICE_NONE;
    return slice_of(v.iov_base, v.iov_len);
}

/* A large head that is still coming is paid out of the same budget as bodies. */
static bool charge_head(struct conn *c)
{
    if (c->scan.n <= HEAD_UNCHARGED || c->scan.n <= c->charged)
        return true;
    size_t more = c->scan.n - c->charged;
    if (!conn_budget_take(c, more))
        return false;
    c->charged += more;
    return true;
}

static bool begin_body(struct conn *c)
{
    struct exchange *ex = c->x;
    struct http_limits limits = {.body_max = BODY_MAX_USUAL};

    if (ex->app.limits)
        ex->app.limits(ex->app.arg, &ex->x.in, &limits);
    ex->body_max = limits.body_max;
    if (ex->framing.length > ex->body_max)
        return refuse(c, 413, "request body: larger than this path accepts");
    if (!ex->framing.chunked && ex->framing.length == 0)
        return dispatch(c);
    c->state = CONN_BODY;
    c->unread = true;
    conn_deadline(c, c->loop->server->options.body_ns);
    if (ex->framing.expect_continue)
        (void)!conn_send(c, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    return true;
}

static bool take_head(struct conn *c)
{
    struct exchange *ex = exchange_new(c);
    size_t n = c->scan.n;
    uint8_t *head = arena_alloc(ex->x.arena, n);
    struct err e = {0};

    c->x = ex;
    evbuffer_remove(bufferevent_get_input(c->bev), head, n);
    ex->head_charged = c->charged;
    c->charged = 0;
    c->scan = (struct http1_scan){0};
    c->chunks = (struct http1_chunks){0};
    int status = http1_head(ex->x.arena, slice_of(head, n), &ex->x.in, &ex->framing, &e);
    if (status)
        return refuse(c, status, e.text);
    return begin_body(c);
}

static bool read_head(struct conn *c)
{
    size_t head_max = c->loop->server->options.head_max;
    enum http1_step step = HTTP1_MORE;
    const char *why = NULL;

    for (struct slice in; step == HTTP1_MORE && (in = input_at(c, c->scan.n)).n;) {
        if (c->state == CONN_IDLE && c->served) /* the first head's time began with accept */
            conn_deadline(c, c->loop->server->options.head_ns);
        c->state = CONN_HEAD;
        step = http1_scan(&c->scan, in, &why);
    }
    if (step == HTTP1_BAD)
        return refuse(c, 400, why);
    if (c->scan.n > head_max)
        return refuse(c, 431, "request head: too large");
    if (!charge_head(c))
        return refuse(c, 503, "too many large requests at a time");
    return step == HTTP1_DONE && take_head(c);
}

static bool take_body(struct conn *c, struct slice data, size_t used)
{
    int status = exchange_body(c->x, data);

    if (status == 413)
        return refuse(c, 413, "request body: larger than this path accepts");
    if (status)
        return refuse(c, status, "too many large requests at a time");
    evbuffer_drain(bufferevent_get_input(c->bev), used);
    return true;
}

static bool read_chunks(struct conn *c)
{
    struct slice in, data;
    const char *why;
    size_t used;

    while ((in = input_at(c, 0)).n) {
        enum http1_step step = http1_chunks(&c->chunks, in, &used, &data, &why);
        if (step == HTTP1_BAD)
            return refuse(c, 400, why);
        if (!take_body(c, data, used))
            return false;
        if (step == HTTP1_DONE)
            return dispatch(c);
    }
    return false;
}

static bool read_body(struct conn *c)
{
    struct slice in;

    if (c->x->framing.chunked)
        return read_chunks(c);
    while ((in = input_at(c, 0)).n) {
        size_t left = (size_t)c->x->framing.length - c->x->body.n;
        in = slice_sub(in, 0, left);
        if (!take_body(c, in, in.n))
            return false;
        if (in.n == left)
            return dispatch(c);
    }
    return false;
}

static void input(struct conn *c)
{
    for (;;) {
        bool more = false;
        switch (c->state) {
        case CONN_IDLE:
        case CONN_HEAD:
            more = read_head(c);
            break;
        case CONN_BODY:
            more = read_body(c);
            break;
        default: /* sent ahead */
            conn_reading(c, false);
            break;
        }
        if (!more)
            return;
    }
}

/* --- The rest of the table ---------------------------------------------------------------------
 */

/* The response has left. */
static void next_request(struct conn *c)
{
    if (c->close) {
        conn_close(c);
        return;
    }
    c->state = CONN_IDLE;
    c->served = true;
    conn_deadline(c, c->loop->server->options.idle_ns);
    conn_reading(c, true);
    input(c);
}

static void begin(struct conn *c)
{
    c->state = CONN_IDLE;
    input(c);
}

static void expired(struct conn *c)
{
    if (c->state == CONN_HEAD)
        refuse(c, 408, "request head: did not arrive in time");
    else if (c->state == CONN_BODY)
        refuse(c, 408, "request body: did not arrive in time");
    else
        conn_free(c);
}

static void drain(struct conn *c)
{
    if (c->state == CONN_IDLE)
        conn_free(c);
    else
        c->close = true;
}

static size_t held(const struct conn *c)
{
    return c->state == CONN_HEAD   ? c->charged
           : c->state == CONN_BODY ? c->x->charged + c->x->head_charged
                                   : 0;
}

static void evict(struct conn *c)
{
    refuse(c, 503, "too many large requests at a time");
}

static void gone(struct conn *c)
{
    struct exchange *ex = c->x;

    if (ex && c->state == CONN_OUT)
        ex->conn = NULL; /* the app's; http_finish will free it */
    else if (ex)
        exchange_free(ex);
    c->x = NULL;
}

const struct protocol PROTOCOL_HTTP1 = {
    .begin = begin,
    .input = input,
    .respond = respond,
    .sent = next_request,
    .expired = expired,
    .drain = drain,
    .held = held,
    .evict = evict,
    .gone = gone,
};
