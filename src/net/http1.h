/*
 * HTTP/1.1 requests as bytes (RFC 9112): where a head ends, what it says, how a chunked body comes
 * apart.  No sockets, no globals, no I/O: the same functions run in the loops, in the unit tests
 * and under the fuzzer.
 */
#pragma once

#include "base/err.h"
#include "net/http.h"

#define HTTP1_FIELDS_MAX  256u
#define HTTP1_TARGET_MAX  (64u << 10)
#define HTTP1_TRAILER_MAX (16u << 10)

enum http1_step { HTTP1_MORE, HTTP1_DONE, HTTP1_BAD };

/* Looks for the empty line that ends a head, in bytes that arrive in pieces.  Start from {0}. */
struct http1_scan {
    size_t n;    /* bytes seen, the end of the head included when DONE */
    size_t line; /* bytes of the current line */
    bool begun;  /* a byte of the request line was seen: empty lines in front are skipped */
    bool cr;
};
/* Takes bytes of `in` until the head ends; s->n tells how many so far.  BAD: *why is set. */
enum http1_step http1_scan(struct http1_scan *s, struct slice in, const char **why);

struct http1_framing {
    bool chunked;
    uint64_t length; /* of a body that is not chunked */
    bool expect_continue;
    bool close; /* the client wants the connection to end after this exchange */
};
/* Reads a whole head (the empty line included); everything in *out borrows from head or lives in
 * a.  Returns 0, or the status to refuse it with: 400, 414, 417, 431, 501 or 505; e says why.
 * What was understood until then is in *out. */
int http1_head(struct arena *a, struct slice head, struct http_request *out,
               struct http1_framing *framing, struct err *e) CHECKED;

/* The parts that HTTP/2's reader needs as well.  out->target (and method) come apart into host,
 * path and query: 0, or 400 or 414. */
int http1_target(struct arena *a, struct http_request *out, struct err *e) CHECKED;
enum http_method http1_method(struct slice text);
/* uri-host [ ":" port ], RFC 9110 7.2; loosely: only characters that a host can have. */
bool http1_host_acceptable(struct slice host) CHECKED;

/* RFC 9112 7.1, piece by piece.  Start from {0}. */
struct http1_chunks {
    int state;
    uint64_t left;
    unsigned digits;
    size_t line;
    size_t trailer;
};
/* Takes *used bytes of `in` (all of them, unless data came out or the body ended) and gives at
 * most one piece of body, a part of `in`.  BAD: *why is set. */
enum http1_step http1_chunks(struct http1_chunks *c, struct slice in, size_t *used,
                             struct slice *data, const char **why);

/* Percent-decodes once.  False: an escape that is not two hex digits, or one that stands for NUL.
 */
bool http1_unescape(struct arena *a, struct slice in, struct slice *out) CHECKED;
/* "Not Found"; "Status" for numbers that nobody registered. */
const char *http1_reason(int status);
