/*
 * HTTP/2 on a connection: up to 32 requests at a time.
 *
 *     HEAD -> BODY -> OUT -> ANSWERED [-> LINGER]
 *
 * Each phase but OUT, which is the app's, has an end in time, and the connection's one timer waits
 * for the next of them.  A request that the client takes back while the app has it counts until the
 * app gives it back: opening and resetting streams makes no more work than waiting for answers.
 */
#include <event2/buffer.h>

#include "net/http2.h"
#include "net/server_internal.h"

#define OUT_MAX        (64u << 10) /* bytes that wait for the socket; more are not made */
#define HEAD_UNCHARGED (16u << 10)
#define STREAM_COST    (8u << 10) /* of the budget, for each request beside the first */
#define BODY_MAX_USUAL (1u << 20)
#define LINGER_NS      (1 * NS_PER_SEC)

struct http2_conn {
    struct http2 *session;
    struct exchange *exchanges;
    unsigned n;
    int64_t idle_ns; /* when the last exchange went */
    bool broken;     /* ends when what is to be sent has left */
};

static const struct http_server_options *options(const struct conn *c)
{
    return &c->loop->server->options;
}

static void phase(struct exchange *ex, enum stream_phase next, int64_t ns)
{
    ex->phase = next;
    ex->deadline_ns = ns ? loop_now() + ns : 0;
}

static void unlink_exchange(struct exchange *ex)
{
    *ex->link = ex->next;
    if (ex->next)
        ex->next->link = ex->link;
}

static void drop(struct conn *c, struct exchange *ex)
{
    unlink_exchange(ex);
    c->h2->n--;
    c->h2->idle_ns = loop_now();
    exchange_free(ex);
}

static void answer(struct conn *c, struct exchange *ex)
{
    struct http_response *out = &ex->x.out;

    if (out->status < 200 || out->status > 599)
        out->status = 500;
    phase(ex, STREAM_ANSWERED, out->write_ns ? out->write_ns : options(c)->write_ns);
    http2_respond(ex->stream, ex->x.arena, out, loop_date(c->loop));
}

/* --- What the session finds --------------------------------------------------------------------
 */

static bool begin_stream(void *arg, struct http2_stream *s)
{
    struct conn *c = arg;
    struct http2_conn *h = c->h2;
    size_t cost = h->n > 0 ? STREAM_COST : 0;

    if (h->n >= HTTP2_STREAMS_MAX || !conn_budget_take(c, cost))
        return false;
    struct exchange *ex = exchange_new(c);
    ex->head_charged = cost;
    ex->x.in.protocol = "HTTP/2.0";
    ex->stream = s;
    s->owner = ex;
    s->arena = ex->x.arena;
    s->in = &ex->x.in;
    ex->next = h->exchanges;
    ex->link = &h->exchanges;
    if (ex->next)
        ex->next->link = &ex->next;
    h->exchanges = ex;
    h->n++;
    phase(ex, STREAM_HEAD, options(c)->head_ns);
    return true;
}

static bool room_for_head(void *arg, struct http2_stream *s, size_t head)
{
    struct conn *c = arg;
    struct exchange *ex = s->owner;

    if (head <= HEAD_UNCHARGED || head <= ex->head_charged)
        return true;
    if (!conn_budget_take(c, head - ex->head_charged))
        return false;
    ex->head_charged = head;
    return true;
}

static void refuse_stream(void *arg, struct http2_stream *s, int status, const char *why)
{
    exchange_refuse(s->owner, status, why);
    answer(arg, s->owner);
}

static void head_complete(void *arg, struct http2_stream *s)
{
    struct conn *c = arg;
    struct exchange *ex = s->owner;
    struct http_limits limits = {.body_max = BODY_MAX_USUAL};

    if (ex->app.limits)
        ex->app.limits(ex->app.arg, &ex->x.in, &limits);
    ex->body_max = limits.body_max;
    if (s->length > ex->body_max) {
        refuse_stream(c, s, 413, "request body: larger than this path accepts");
        return;
    }
    phase(ex, STREAM_BODY, options(c)->body_ns);
    if (s->expect_continue && !s->ended)
        http2_continue(s);
}

static void body_came(void *arg, struct http2_stream *s, struct slice data)
{
    int status = exchange_body(s->owner, data);

    if (status)
        refuse_stream(arg, s, status,
                      status == 413 ? "request body: larger than this path accepts"
                                    : "too many large requests at a time");
}

static void request_complete(void *arg UNUSED, struct http2_stream *s)
{
    struct exchange *ex = s->owner;

    phase(ex, STREAM_OUT, 0);
    exchange_dispatch(ex);
}

static void answer_left(void *arg UNUSED, struct http2_stream *s)
{
    phase(s->owner, STREAM_LINGER, LINGER_NS);
}

static void stream_gone(void *arg, struct http2_stream *s)
{
    struct exchange *ex = s->owner;

    ex->stream = NULL;
    if (ex->phase != STREAM_OUT)
        drop(arg, ex);
}

/* --- The connection ----------------------------------------------------------------------------
 */

static size_t waiting(struct conn *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->bev));
}

static void flush(struct conn *c)
{
    uint8_t frames[2 * HTTP2_FRAME_ROOM];
    size_t n;

    while (waiting(c) < OUT_MAX && (n = http2_output(c->h2->session, frames, sizeof(frames))) > 0)
        (void)!conn_send(c, slice_of(frames, n));
}

static void set_deadline(struct conn *c)
{
    int64_t now = loop_now(), first = 0;

    if (c->h2->broken)
        first = c->deadline_ns ? c->deadline_ns : now + options(c)->write_ns;
    else if (c->h2->n == 0)
        first = c->h2->idle_ns + options(c)->idle_ns;
    for (struct exchange *ex = c->h2->exchanges; ex && !c->h2->broken; ex = ex->next) {
        if (ex->deadline_ns && (!first || ex->deadline_ns < first))
            first = ex->deadline_ns;
    }
    conn_deadline(c, !first ? 0 : first > now ? first - now : 1);
}

/* After everything that happens; the last call, since the connection may end here. */
static void settle(struct conn *c)
{
    struct http2_conn *h = c->h2;

    flush(c);
    size_t left = waiting(c);
    bool over = h->broken || http2_over(h->session) || (c->loop->draining && h->n == 0);
    if (over && left == 0) {
        /* A client that reads its last answer still sends window updates. */
        c->unread |= loop_now() - h->idle_ns < LINGER_NS;
        conn_close(c);
        return;
    }
    c->state = left ? CONN_WRITE : h->n ? CONN_OUT : CONN_IDLE;
    conn_reading(c, left < OUT_MAX && !h->broken);
    set_deadline(c);
}

static void input(struct conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    struct evbuffer_iovec v;

    while (!c->h2->broken && evbuffer_peek(in, -1, NULL, &v, 1) > 0) {
        c->h2->broken = !http2_input(c->h2->session, slice_of(v.iov_base, v.iov_len));
        evbuffer_drain(in, v.iov_len);
    }
    c->unread |= c->h2->broken;
    settle(c);
}

static void begin(struct conn *c)
{
    struct http2_host host = {
        .arg = c,
        .begin = begin_stream,
        .room = room_for_head,
        .head = head_complete,
        .data = body_came,
        .end = request_complete,
        .refuse = refuse_stream,
        .answered = answer_left,
        .gone = stream_gone,
    };
    struct http2 *session = http2_new(&host, NULL);

    if (!session) {
        c->protocol = NULL;
        conn_free(c);
        return;
    }
    c->h2 = xcalloc(1, sizeof(*c->h2));
    c->h2->session = session;
    c->h2->idle_ns = loop_now();
    input(c);
}

static void respond(struct conn *c, struct exchange *ex)
{
    if (ex->stream)
        answer(c, ex);
    else
        drop(c, ex);
    settle(c);
}

/* A body that does not come in time is answered, and not read any further some time after an
 * answer. A head that does not come, or an answer that nobody takes, ends the connection. */
static bool end_phase(struct conn *c, struct exchange *ex)
{
    if (ex->phase == STREAM_BODY) {
        refuse_stream(c, ex->stream, 408, "request body: did not arrive in time");
        return true;
    }
    if (ex->phase != STREAM_LINGER)
        return false;
    http2_hang_up(ex->stream);
    phase(ex, STREAM_ANSWERED, options(c)->write_ns);
    return true;
}

static bool end_late(struct conn *c)
{
    int64_t now = loop_now();

    for (struct exchange *ex = c->h2->exchanges; ex; ex = ex->next) {
        if (ex->deadline_ns && ex->deadline_ns <= now && !end_phase(c, ex))
            return false;
    }
    return true;
}

static void expired(struct conn *c)
{
    if (c->h2->broken || !end_late(c)) {
        conn_free(c);
        return;
    }
    if (c->h2->n == 0) {
        http2_goaway(c->h2->session);
        c->h2->broken = true;
    }
    settle(c);
}

static void drain(struct conn *c)
{
    http2_goaway(c->h2->session);
    settle(c);
}

static size_t held(const struct conn *c)
{
    size_t n = 0;

    for (const struct exchange *ex = c->h2->exchanges; ex; ex = ex->next) {
        if (ex->phase == STREAM_HEAD || ex->phase == STREAM_BODY)
            n += ex->charged + ex->head_charged;
    }
    return n;
}

static void gone(struct conn *c)
{
    struct http2_conn *h = c->h2;

    if (!h)
        return;
    for (struct exchange *ex = h->exchanges, *next; ex; ex = next) {
        next = ex->next;
        ex->stream = NULL;
        if (ex->phase == STREAM_OUT)
            ex->conn = NULL; /* the app's; http_finish will free it */
        else
            exchange_free(ex);
    }
    http2_free(h->session);
    free(h);
    c->h2 = NULL;
}

const struct protocol PROTOCOL_HTTP2 = {
    .begin = begin,
    .input = input,
    .respond = respond,
    .sent = settle,
    .expired = expired,
    .drain = drain,
    .held = held,
    .evict = conn_free,
    .gone = gone,
};
