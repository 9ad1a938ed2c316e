/*
 * HTTP/2 as bytes (RFC 9113): frames in, requests out; responses in, frames out.  No sockets and no
 * timers: the same code runs in the loops and under the fuzzer.  Framing, flow control and header
 * compression are nghttp2's; what a request may look like is decided here, by the rules of
 * HTTP/1.1's reader.
 */
#pragma once

#include "net/http.h"

#define HTTP2_STREAMS_MAX 32u
#define HTTP2_HEAD_MAX    (64u << 10) /* names and values, and 32 bytes for each; beyond: 431 */

struct http2;
struct http2_stream {
    struct http2 *session;
    int32_t id;
    bool expect_continue;
    bool ended;      /* the request is complete */
    uint64_t length; /* of the body as the client said; 0: it said nothing */
    void *owner;     /* the host's */
    /* Where the request goes; set in host.begin. */
    struct arena *arena;
    struct http_request *in;
};

/* Who takes the requests of a session.  Called from http2_input and http2_output only. */
struct http2_host {
    void *arg;
    /* A request begins.  False: it is refused, the client may try again (RFC 9113 8.7). */
    bool (*begin)(void *arg, struct http2_stream *s);
    /* The head is so large by now.  False: the request is answered 503. */
    bool (*room)(void *arg, struct http2_stream *s, size_t head);
    /* The head is complete; the body, if any, follows in pieces. */
    void (*head)(void *arg, struct http2_stream *s);
    void (*data)(void *arg, struct http2_stream *s, struct slice data);
    void (*end)(void *arg, struct http2_stream *s);
    /* Cannot be read, or is too large: to be answered with this status. */
    void (*refuse)(void *arg, struct http2_stream *s, int status, const char *why);
    /* The answer has left before the request was complete.  What still comes of it is thrown away;
     * http2_hang_up tells the client so. */
    void (*answered)(void *arg, struct http2_stream *s);
    /* The stream is over, answered or not; s goes. */
    void (*gone)(void *arg, struct http2_stream *s);
};

/* *host is copied. */
struct http2 *http2_new(const struct http2_host *host, struct err *e) CHECKED;
/* Streams go without a word to the host. */
void http2_free(struct http2 *h);
/* False: the connection has to end, after what is still to be sent. */
bool http2_input(struct http2 *h, struct slice in) CHECKED;
/* Copies frames that are to be sent into out, as many as fit; 0: there are no more.  room: at least
 * HTTP2_FRAME_ROOM. */
#define HTTP2_FRAME_ROOM (17u << 10)
size_t http2_output(struct http2 *h, uint8_t *out, size_t room);
/* Everything was said, by both sides. */
bool http2_over(const struct http2 *h);
/* "100 Continue". */
void http2_continue(struct http2_stream *s);
/* What of `out` is framing's is left out; its body must live until `gone`.  Once for a stream. */
void http2_respond(struct http2_stream *s, struct arena *a, const struct http_response *out,
                   struct slice date);
/* The rest of the request is not wanted (RFC 9113 8.1). */
void http2_hang_up(struct http2_stream *s);
/* No stream begins any more. */
void http2_goaway(struct http2 *h);
