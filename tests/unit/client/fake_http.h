/*
 * A CA that is a table of answers: what was asked is kept for the test to look at.  A path with
 * several answers gives them in turn, the last one for ever.
 */
#pragma once

#include "net/http_client.h"

struct fake_answer {
    enum http_method method;
    const char *path; /* what follows host and port */
    int status;       /* 0: no connection */
    const char *body;
    unsigned used;
};
struct fake_call {
    enum http_method method;
    struct slice url, body, bearer, request_id, content_type;
    bool anybody, identity;
    size_t n_anchors;
    unsigned redirects;
};
#define FAKE_CALLS_MAX 64
struct fake_http {
    struct http_client client;
    struct fake_answer *answers; /* ended by path NULL */
    struct arena *arena;
    struct fake_call calls[FAKE_CALLS_MAX];
    size_t n_calls;
};

static struct slice fake_path(struct slice url)
{
    size_t start = slice_search(url, SLICE("://")) + 3;
    struct slice rest = slice_from(url, start);

    return slice_from(rest, slice_find(rest, '/'));
}

static struct fake_answer *fake_find(struct fake_http *f, const struct http_call *call)
{
    struct fake_answer *found = NULL;

    for (struct fake_answer *r = f->answers; r->path; r++) {
        if (r->method != call->method || !slice_is(fake_path(call->url), r->path))
            continue;
        found = r;
        if (!r->used)
            break;
    }
    return found;
}

static bool fake_call(struct http_client *c, const struct http_call *call, struct arena *a,
                      struct http_reply *reply, struct deadline d, struct err *e)
{
    struct fake_http *f = (struct fake_http *)c;
    struct fake_answer *r = fake_find(f, call);
    struct slice authorization = http_fields_get(&call->fields, "Authorization");

    (void)d;
    if (f->n_calls < FAKE_CALLS_MAX)
        f->calls[f->n_calls++] = (struct fake_call){
            .method = call->method,
            .url = arena_copy(f->arena, call->url),
            .body = call->body.p ? arena_copy(f->arena, call->body) : SLICE_NONE,
            .bearer = slice_starts(authorization, "Bearer ")
                          ? arena_copy(f->arena, slice_from(authorization, 7))
                          : SLICE_NONE,
            .request_id = arena_copy(f->arena, http_fields_get(&call->fields, "X-Request-Id")),
            .content_type = arena_copy(f->arena, http_fields_get(&call->fields, "Content-Type")),
            .anybody = call->trust && call->trust->kind == TRUST_ANYBODY,
            .n_anchors = call->trust ? call->trust->n : 0,
            .identity = call->identity != NULL,
            .redirects = call->redirects,
        };
    if (!r)
        return err_set(e, ERR_INTERNAL, "the fake CA has no answer for %.*s", SLICE_ARG(call->url));
    r->used++;
    if (r->status == 0)
        return err_set(e, ERR_UNAVAILABLE, "connecting to ca.test:443: connection refused");
    reply->status = r->status;
    reply->body = arena_copy(a, slice_text(r->body));
    return true;
}

static inline void fake_http_init(struct fake_http *f, struct arena *a, struct fake_answer *answers)
{
    *f = (struct fake_http){.client = {fake_call}, .answers = answers, .arena = a};
}
