/*
 * What a client may send behind the preface.  The first byte tells when the host answers, the
 * second how large the pieces are; streams must come and go in order, and nothing of one be used
 * after it went.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "net/http1.h"
#include "net/http2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool condition)
{
    if (!condition)
        abort();
}

struct owner;
struct host {
    unsigned when, begun, gone;
    struct http2_stream *last;
    struct owner *owners;
};
struct owner {
    struct owner *next, **link;
    struct http_request in;
    struct http_response out;
    struct arena *arena;
    bool head, end, answered;
};

static void answer(struct http2_stream *s, int status)
{
    struct owner *o = s->owner;

    must(!o->answered);
    o->answered = true;
    o->out.status = status;
    o->out.body = SLICE("answered\n");
    http_fields_add(&o->out.fields, o->arena, "X-Method", SLICE("any"));
    http2_respond(s, o->arena, &o->out, SLICE("Thu, 01 Jan 1970 00:00:00 GMT"));
}

static bool begin(void *arg, struct http2_stream *s)
{
    struct host *h = arg;
    struct arena *a = arena_new(&HEAP_USUAL);
    struct owner *o = arena_alloc(a, sizeof(*o));

    if (h->begun - h->gone >= HTTP2_STREAMS_MAX || h->when == 4) {
        arena_free(a);
        return false;
    }
    *o = (struct owner){.arena = a, .next = h->owners, .link = &h->owners};
    if (o->next)
        o->next->link = &o->next;
    h->owners = o;
    o->in.fields.arena = o->out.fields.arena = a;
    s->owner = o;
    s->arena = a;
    s->in = &o->in;
    h->last = s;
    h->begun++;
    return true;
}

static bool room(void *arg, struct http2_stream *s UNUSED, size_t head)
{
    struct host *h = arg;

    must(head <= HTTP2_HEAD_MAX);
    return h->when != 3 || head < 300;
}

static void head(void *arg, struct http2_stream *s)
{
    struct owner *o = s->owner;
    struct host *h = arg;

    must(!o->head && !o->answered);
    must(s->in->path.n > 0 && !slice_has_nul(s->in->path) && s->in->fields.n <= HTTP1_FIELDS_MAX);
    for (size_t i = 0; i < s->in->fields.n; i++)
        must(slice_find(s->in->fields.v[i].value, '\n') == s->in->fields.v[i].value.n);
    o->head = true;
    if (s->expect_continue && !s->ended)
        http2_continue(s);
    if (h->when == 1)
        answer(s, 204);
}

static void body(void *arg UNUSED, struct http2_stream *s, struct slice data UNUSED)
{
    struct owner *o = s->owner;

    must(o->head && !o->end && !o->answered);
}

static void end(void *arg, struct http2_stream *s)
{
    struct owner *o = s->owner;
    struct host *h = arg;

    must(o->head && !o->end && !o->answered);
    o->end = true;
    if (h->when == 0)
        answer(s, 200);
}

static void refuse(void *arg UNUSED, struct http2_stream *s, int status, const char *why)
{
    must(status >= 400 && why && *why);
    answer(s, status);
}

static void answered(void *arg, struct http2_stream *s)
{
    struct host *h = arg;

    if (h->when != 1)
        http2_hang_up(s);
}

static void owner_free(struct owner *o)
{
    *o->link = o->next;
    if (o->next)
        o->next->link = o->link;
    arena_free(o->arena);
}

static void gone(void *arg, struct http2_stream *s)
{
    struct owner *o = s->owner;
    struct host *h = arg;

    h->gone++;
    if (h->last == s)
        h->last = NULL;
    owner_free(o);
}

static void take_output(struct http2 *h)
{
    uint8_t out[HTTP2_FRAME_ROOM + 100];

    while (http2_output(h, out, sizeof(out)) > 0)
        continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    if (n < 2)
        return 0;
    struct host host = {.when = data[0] % 6};
    struct http2_host calls = {&host, begin, room, head, body, end, refuse, answered, gone};
    struct http2 *h = http2_new(&calls, NULL);

    must(h != NULL);
    size_t piece = data[1] ? data[1] : 4096;
    struct slice rest = slice_of(data + 2, n - 2);
    bool ok = http2_input(h, slice_of((const uint8_t *)PREFACE, sizeof(PREFACE) - 1));
    must(ok);
    for (; ok && rest.n; rest = slice_from(rest, slice_sub(rest, 0, piece).n)) {
        ok = http2_input(h, slice_sub(rest, 0, piece));
        if (host.when == 5 && host.last && !((struct owner *)host.last->owner)->answered)
            answer(host.last, 200);
        take_output(h);
    }
    http2_goaway(h);
    take_output(h);
    must(host.gone <= host.begun);
    http2_free(h);
    while (host.owners)
        owner_free(host.owners);
    return 0;
}
