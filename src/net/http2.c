/*
 * A session of nghttp2, which checks frames, states, flow control and the rules of HTTP messaging
 * (RFC 9113 8).  Ours: what a target, a host and the size of a head may be, and how much a client
 * may send that brings no request forward.
 */
#include "net/http2.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "base/buf.h"
#include "net/http1.h"

/* Frames that only keep us busy (PING, SETTINGS, PRIORITY, empty DATA, …) between two requests. */
#define NOISE_MAX 2000u
/* Requests that the client took back, more than were answered; nghttp2 limits their rate as well.
 */
#define RESETS_MAX 200u
/* Of a request that was answered before it was complete: not every client that is told so at once
 * gets to see the answer. */
#define THROWN_MAX (8u << 20)

/* The public part first: s and its stream are the same address. */
struct stream {
    struct http2_stream s;
    struct stream *next, **link;
    size_t head;  /* its size as RFC 9113 10.5.1 counts */
    bool whole;   /* the head is */
    bool refused; /* what comes is thrown away */
    bool answered;
    size_t thrown;
    struct slice body; /* what is left of it to be sent */
};
struct http2 {
    nghttp2_session *session;
    struct http2_host host;
    struct stream *streams;
    unsigned noise, resets;
};

/* --- Streams --------------------------------------------------------------------------------- */

static struct stream *stream_of(struct http2 *h, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h->session, id);
}

static void stream_free(struct stream *t)
{
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    free(t);
}

static void refuse(struct http2 *h, struct stream *t, int status, const char *why)
{
    if (t->refused || t->answered)
        return;
    t->refused = true;
    h->host.refuse(h->host.arg, &t->s, status, why);
}

/* RFC 9113 10.5: such a client is told to calm down. */
static int too_much(struct http2 *h)
{
    return nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static int noise(struct http2 *h)
{
    return ++h->noise > NOISE_MAX ? too_much(h) : 0;
}

/* --- A head ---------------------------------------------------------------------------------- */

static int begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *h = arg;
    struct stream *t;

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    t = xcalloc(1, sizeof(*t));
    t->s.session = h;
    t->s.id = frame->hd.stream_id;
    if (!h->host.begin(h->host.arg, &t->s)) {
        free(t);
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                         NGHTTP2_REFUSED_STREAM);
    }
    t->next = h->streams;
    t->link = &h->streams;
    if (t->next)
        t->next->link = &t->next;
    h->streams = t;
    return nghttp2_session_set_stream_user_data(session, t->s.id, t);
}

static void take_pseudo(struct stream *t, struct slice name, struct slice value)
{
    struct http_request *in = t->s.in;

    if (slice_is(name, ":method")) {
        in->method_text = value;
        in->method = http1_method(value);
    } else if (slice_is(name, ":path")) {
        in->target = value;
    } else if (slice_is(name, ":authority")) {
        in->host = value;
    }
}

static int header(nghttp2_session *session UNUSED, const nghttp2_frame *frame, const uint8_t *name,
                  size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags UNUSED,
                  void *arg)
{
    struct http2 *h = arg;
    struct stream *t = stream_of(h, frame->hd.stream_id);

    if (!t || t->refused)
        return 0;
    t->head += n_name + n_value + 32;
    if (t->head > HTTP2_HEAD_MAX || t->s.in->fields.n == HTTP1_FIELDS_MAX) {
        refuse(h, t, 431, "request head: too large");
        return 0;
    }
    if (!h->host.room(h->host.arg, &t->s, t->head)) {
        refuse(h, t, 503, "too many large requests at a time");
        return 0;
    }
    if (t->whole) /* trailers: they mean nothing to anybody here */
        return 0;
    struct slice n = arena_copy(t->s.arena, slice_of(name, n_name));
    struct slice v = arena_copy(t->s.arena, slice_of(value, n_value));
    if (n.n && n.p[0] == ':')
        take_pseudo(t, n, v);
    else
        http_fields_add(&t->s.in->fields, t->s.arena, arena_cstr(t->s.arena, n), v);
    return 0;
}

/* 0, or the status to refuse it with. */
static int judge_head(struct stream *t, struct err *e)
{
    struct http_request *in = t->s.in;
    struct slice expect, length = http_fields_get(&in->fields, "Content-Length");

    in->protocol = "HTTP/2.0";
    if (!in->host.p)
        in->host = http_fields_get(&in->fields, "Host");
    if (!http1_host_acceptable(in->host) || in->method_text.n > 32) {
        err_set(e, ERR_MALFORMED, "RFC 9113 8.3.1: request: bad authority or method");
        return 400;
    }
    if (!slice_starts(in->target, "/") && !slice_is(in->target, "*")) {
        err_set(e, ERR_MALFORMED, "RFC 9113 8.3.1: request: :path: expected a path");
        return 400;
    }
    if (length.p && !slice_to_u64(length, &t->s.length))
        t->s.length = 0; /* nghttp2 has refused what is no number */
    expect = http_fields_get(&in->fields, "Expect");
    t->s.expect_continue = expect.p && slice_is_case(expect, "100-continue");
    if (expect.p && !t->s.expect_continue) {
        err_set(e, ERR_MALFORMED, "RFC 9110 10.1.1: Expect: only 100-continue is understood");
        return 417;
    }
    return http1_target(t->s.arena, in, e);
}

static void head_came(struct http2 *h, struct stream *t)
{
    struct err e = {0};

    t->whole = true;
    if (t->refused)
        return;
    int status = judge_head(t, &e);
    if (status)
        refuse(h, t, status, e.text);
    else
        h->host.head(h->host.arg, &t->s);
}

/* --- Frames ---------------------------------------------------------------------------------- */

static void request_ended(struct http2 *h, struct stream *t)
{
    t->s.ended = true;
    h->noise = 0;
    if (!t->refused && !t->answered)
        h->host.end(h->host.arg, &t->s);
}

static int frame_came(nghttp2_session *session UNUSED, const nghttp2_frame *frame, void *arg)
{
    struct http2 *h = arg;
    struct stream *t = stream_of(h, frame->hd.stream_id);
    bool data = frame->hd.type == NGHTTP2_DATA, heads = frame->hd.type == NGHTTP2_HEADERS;

    if (frame->hd.type == NGHTTP2_RST_STREAM && ++h->resets > RESETS_MAX)
        return too_much(h);
    if ((!data && !heads) || (data && frame->hd.length == 0))
        return noise(h);
    if (!t)
        return 0;
    if (heads && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        t->s.ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        head_came(h, t);
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        request_ended(h, t);
    return 0;
}

static int data_came(nghttp2_session *session UNUSED, uint8_t flags UNUSED, int32_t id,
                     const uint8_t *p, size_t n, void *arg)
{
    struct http2 *h = arg;
    struct stream *t = stream_of(h, id);

    if (!t)
        return 0;
    if (!t->refused && !t->answered) {
        h->host.data(h->host.arg, &t->s, slice_of(p, n));
        return 0;
    }
    t->thrown += n;
    if (t->thrown > THROWN_MAX)
        http2_hang_up(&t->s);
    return 0;
}

static int stream_closed(nghttp2_session *session UNUSED, int32_t id, uint32_t code UNUSED,
                         void *arg)
{
    struct http2 *h = arg;
    struct stream *t = stream_of(h, id);

    if (!t)
        return 0;
    h->host.gone(h->host.arg, &t->s);
    stream_free(t);
    return 0;
}

/* --- Answers --------------------------------------------------------------------------------- */

static ssize_t read_body(nghttp2_session *session UNUSED, int32_t id UNUSED, uint8_t *out,
                         size_t room, uint32_t *flags, nghttp2_data_source *source,
                         void *arg UNUSED)
{
    struct stream *t = source->ptr;
    struct slice piece = slice_sub(t->body, 0, room);

    memcpy(out, piece.p, piece.n);
    t->body = slice_from(t->body, piece.n);
    if (!t->body.n)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)piece.n;
}

/* Of the connection (RFC 9113 8.2.2), or written here. */
static bool ours(struct slice name)
{
    static const char *const NAMES[] = {"Content-Length",   "Transfer-Encoding", "Connection",
                                        "Proxy-Connection", "Keep-Alive",        "Date",
                                        "Upgrade"};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (slice_is_case(name, NAMES[i]))
            return true;
    return false;
}

static struct slice lower(struct arena *a, struct slice name)
{
    uint8_t *p = arena_alloc(a, name.n);

    for (size_t i = 0; i < name.n; i++)
        p[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] | 0x20 : name.p[i];
    return slice_of(p, name.n);
}

static nghttp2_nv pair(struct slice name, struct slice value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n,
                        value.n, NGHTTP2_NV_FLAG_NONE};
}

void http2_respond(struct http2_stream *s, struct arena *a, const struct http_response *out,
                   struct slice date)
{
    struct stream *t = (struct stream *)s; /* its first member */
    nghttp2_nv *nv = arena_array(a, out->fields.n + 3, sizeof(*nv));
    bool bodyless = out->status == 204 || out->status == 304; /* RFC 9110 15.3.5, 15.4.5 */
    size_t n = 0;

    nv[n++] = pair(SLICE(":status"), arena_format(a, "%d", out->status));
    nv[n++] = pair(SLICE("date"), date);
    for (size_t i = 0; i < out->fields.n; i++) {
        if (!ours(out->fields.v[i].name))
            nv[n++] = pair(lower(a, out->fields.v[i].name), out->fields.v[i].value);
    }
    if (!bodyless)
        nv[n++] = pair(SLICE("content-length"), arena_format(a, "%zu", out->body.n));
    t->answered = true;
    t->body = bodyless || s->in->method == HTTP_HEAD ? SLICE_NONE : out->body;
    nghttp2_data_provider body = {.source.ptr = t, .read_callback = read_body};
    if (nghttp2_submit_response(s->session->session, s->id, nv, n, t->body.n ? &body : NULL) != 0)
        (void)nghttp2_submit_rst_stream(s->session->session, NGHTTP2_FLAG_NONE, s->id,
                                        NGHTTP2_INTERNAL_ERROR);
}

void http2_continue(struct http2_stream *s)
{
    nghttp2_nv nv = pair(SLICE(":status"), SLICE("100"));

    (void)nghttp2_submit_headers(s->session->session, NGHTTP2_FLAG_NONE, s->id, NULL, &nv, 1, NULL);
}

void http2_hang_up(struct http2_stream *s)
{
    (void)nghttp2_submit_rst_stream(s->session->session, NGHTTP2_FLAG_NONE, s->id,
                                    NGHTTP2_NO_ERROR);
}

static int frame_sent(nghttp2_session *session UNUSED, const nghttp2_frame *frame, void *arg)
{
    struct stream *t = stream_of(arg, frame->hd.stream_id);
    bool carries = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;

    if (!t || !carries || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    t->s.session->resets -= t->s.session->resets > 0;
    if (!t->s.ended)
        t->s.session->host.answered(t->s.session->host.arg, &t->s);
    return 0;
}

/* --- The session ------------------------------------------------------------------------------ */

static nghttp2_session *session_new(struct http2 *h)
{
    nghttp2_session *session = NULL;
    nghttp2_session_callbacks *calls = NULL;
    nghttp2_option *option = NULL;

    if (nghttp2_session_callbacks_new(&calls) == 0 && nghttp2_option_new(&option) == 0) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(calls, begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(calls, header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(calls, frame_came);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, data_came);
        nghttp2_session_callbacks_set_on_stream_close_callback(calls, stream_closed);
        nghttp2_session_callbacks_set_on_frame_send_callback(calls, frame_sent);
        nghttp2_option_set_no_closed_streams(option, 1);
        if (nghttp2_session_server_new2(&session, calls, h, option) != 0)
            session = NULL;
    }
    nghttp2_session_callbacks_del(calls);
    nghttp2_option_del(option);
    return session;
}

struct http2 *http2_new(const struct http2_host *host, struct err *e)
{
    static const nghttp2_settings_entry SETTINGS[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP2_HEAD_MAX},
    };
    struct http2 *h = xcalloc(1, sizeof(*h));

    h->host = *host;
    h->session = session_new(h);
    if (h->session &&
        nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, SETTINGS, COUNT_OF(SETTINGS)) == 0)
        return h;
    http2_free(h);
    err_set(e, ERR_INTERNAL, "HTTP/2: no session could be made");
    return NULL;
}

void http2_free(struct http2 *h)
{
    while (h->streams)
        stream_free(h->streams);
    nghttp2_session_del(h->session);
    free(h);
}

bool http2_input(struct http2 *h, struct slice in)
{
    ssize_t n = nghttp2_session_mem_recv(h->session, in.p, in.n);

    return n >= 0 && (size_t)n == in.n;
}

size_t http2_output(struct http2 *h, uint8_t *out, size_t room)
{
    size_t n = 0;

    while (room - n >= HTTP2_FRAME_ROOM) {
        const uint8_t *p = NULL;
        ssize_t more = nghttp2_session_mem_send(h->session, &p);
        if (more <= 0)
            break;
        memcpy(out + n, p, (size_t)more);
        n += (size_t)more;
    }
    return n;
}

bool http2_over(const struct http2 *h)
{
    return !nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session);
}

void http2_goaway(struct http2 *h)
{
    (void)nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(h->session),
                                NGHTTP2_NO_ERROR, NULL, 0);
}
