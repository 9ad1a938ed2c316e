/*
 * An exchange's life: made when a request begins, filled by the loop, lent to the app, given back
 * from any thread by http_finish, freed on its loop.  It has its own arena; the body alone is on
 * the usual heap, so that a growing one does not leave its former selves behind.
 */
#include "net/server_internal.h"

#include <stdlib.h>

struct exchange *exchange_new(struct conn *c)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct exchange *ex = arena_alloc(a, sizeof(*ex));
    struct http_server *s = c->loop->server;

    ex->x.arena = a;
    ex->x.connection = ex;
    ex->x.started = s->options.clock->now(s->options.clock);
    ex->x.started_mono_ns = s->options.clock->mono_ns(s->options.clock);
    ex->x.in.method = HTTP_OTHER;
    ex->x.in.protocol = "HTTP/1.1";
    ex->x.in.fields.arena = a;
    ex->x.in.peer = c->peer;
    ex->x.out.fields.arena = a;
    ex->server = s;
    ex->loop = c->loop;
    ex->conn = c;
    ex->app = listener_app(c->listener);
    ref_take(&c->peer->ref);
    ref_take(&s->ref);
    return ex;
}

int exchange_body(struct exchange *ex, struct slice data)
{
    if (data.n > ex->body_max - ex->body.n)
        return 413;
    if (!ex->body.max)
        ex->body = buf_new(NULL, ex->body_max);
    buf_put(&ex->body, data);
    size_t more = ex->body.cap - (ex->charged < ex->body.cap ? ex->charged : ex->body.cap);
    if (!conn_budget_take(ex->conn, more))
        return 503;
    ex->charged += more;
    return 0;
}

void exchange_dispatch(struct exchange *ex)
{
    ex->x.in.body = ex->body.n ? buf_slice(&ex->body) : SLICE("");
    atomic_fetch_add(&ex->server->n_exchanges, 1);
    ex->app.dispatch(ex->app.arg, &ex->x);
}

void exchange_refuse(struct exchange *ex, int status, const char *error)
{
    ex->x.out.status = status;
    if (ex->app.refuse) {
        ex->app.refuse(ex->app.arg, &ex->x, status, error);
        return;
    }
    http_fields_add(&ex->x.out.fields, ex->x.arena, "Content-Type",
                    SLICE("text/plain; charset=utf-8"));
    ex->x.out.body = arena_format(ex->x.arena, "%d %s\n", status, http1_reason(status));
}

static void finish_run(struct mail *m)
{
    struct exchange *ex = (struct exchange *)((char *)m - offsetof(struct exchange, mail));

    atomic_fetch_sub(&ex->server->n_exchanges, 1);
    if (!ex->conn) {
        exchange_free(ex);
        return;
    }
    ex->conn->protocol->respond(ex->conn, ex);
}

void http_finish(struct http_exchange *x)
{
    struct exchange *ex = x->connection;

    ex->mail.run = finish_run;
    /* A loop that has ended left no connection behind. */
    if (!loop_post(ex->loop, &ex->mail))
        finish_run(&ex->mail);
}

void exchange_free(struct exchange *ex)
{
    struct http_server *s = ex->server;

    if (ex->x.done)
        ex->x.done(&ex->x);
    if (ex->x.out.keep)
        ref_drop(ex->x.out.keep);
    ref_drop(&ex->x.in.peer->ref);
    buf_free(&ex->body);
    server_budget_give(s, ex->charged + ex->head_charged);
    arena_free(ex->x.arena);
    ref_drop(&s->ref);
}
