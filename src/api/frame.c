/*
 * The frame: one exchange from dispatch to answer.
 *
 * A ticket is an exchange's way through it: the route is found, and on a worker (or, for what is
 * quick, on the loop) `authorize` and `act` run; the batch they filled is submitted and the worker
 * is free; the store's answer (on whatever thread) completes the ticket, runs it again, or turns a
 * refusal into an error.  The response leaves only after its commit.  An `act` that has to wait for
 * something leaves the worker too: the ticket is parked, and `act` begins anew.
 */
#include "api/frame.h"

#include <stdlib.h>

#include "api/access_log.h"
#include "api/match.h"
#include "api/parking.h"
#include "authority/metrics.h"

#define RUNS_MAX      64 /* many orders of one account meet in one list */
#define BODY_IGNORED  (64u << 10)
#define SECONDS_USUAL 30
#define QUICK_BODY    4096

struct frame {
    struct services *services;
    const struct route *const *tables;
    bool insecure;
    struct http_app app;
    struct access_log_options log;
    atomic_uint busy;
    struct parking *parking;
};

struct ticket {
    struct job job;
    struct frame *frame;
    struct request request;
    struct arena_mark mark;
    enum outcome outcome;
    struct log_fields log_at_mark;
    struct http_response out_at_mark;
    unsigned runs;
    bool failed;   /* act or authorize failed: only kept ops are committed */
    bool prepared; /* authorize is behind us */
    bool denied;   /* authorize failed: act must never run */
};

/* --- The end -------------------------------------------------------------------------------- */

static void tell_error(struct ticket *t)
{
    struct request *r = &t->request;
    const struct voice *voice = r->route && r->route->voice ? r->route->voice : &VOICE_API;

    if (!t->prepared && voice->greet)
        voice->greet(r);
    voice->error(r, &r->work.err);
}

static void complete(struct ticket *t)
{
    struct request *r = &t->request;
    struct frame *f = t->frame;
    struct http_exchange *x = r->x;
    struct authority *authority = r->work.authority;

    if (r->counted)
        metrics_count(f->services->metrics, (enum metric)r->metric, r->metric_provisioner,
                      x->out.status < 400);
    access_log_write(r, &f->log);
    authority_drop(authority);
    http_finish(x);
    atomic_fetch_sub(&f->busy, 1);
}

static void complete_error(struct ticket *t)
{
    tell_error(t);
    complete(t);
}

/* --- Committing ----------------------------------------------------------------------------- */

static void work_on(struct job *job);

static void finish_committed(struct job *job)
{
    struct ticket *t = (struct ticket *)job;

    if (!t->request.route->then(&t->request)) {
        complete_error(t);
        return;
    }
    complete(t);
}

static void after_commit(struct ticket *t)
{
    if (t->failed) {
        complete_error(t);
        return;
    }
    if (!t->request.route->then) {
        complete(t);
        return;
    }
    t->job.run = finish_committed;
    if (pool_post(t->frame->services->pool, &t->job))
        return;
    err_set(&t->request.work.err, ERR_UNAVAILABLE, "too many requests are waiting");
    complete_error(t);
}

/* What act would have answered never left: its log fields, its status, header and body go. */
static void forget_answer(struct ticket *t)
{
    struct http_response *out = &t->request.x->out;

    t->request.work.log = t->log_at_mark;
    if (out->keep && out->keep != t->out_at_mark.keep)
        ref_drop(out->keep);
    *out = t->out_at_mark;
}

static bool run_again(struct ticket *t, const struct store_op *refused)
{
    struct work *w = &t->request.work;

    if (t->denied || !refused->refusal || refused->refusal->kind != ERR_CHANGED || w->committed ||
        ++t->runs >= RUNS_MAX || !deadline_ok(w->deadline, NULL))
        return false;
    batch_drop_unkept(&w->batch);
    forget_answer(t);
    arena_rewind(t->request.x->arena, t->mark);
    err_clear(&w->err);
    t->failed = false;
    t->job.run = work_on;
    return pool_post(t->frame->services->pool, &t->job);
}

static void on_committed(enum committed how, const struct store_op *refused, const struct err *why,
                         void *arg)
{
    struct ticket *t = arg;
    struct work *w = &t->request.work;

    if (how == STORE_COMMITTED) {
        after_commit(t);
        return;
    }
    if (how == STORE_REFUSED && run_again(t, refused))
        return;
    if (!t->denied)
        forget_answer(t);
    if (how == STORE_REFUSED) {
        const struct refusal *r = refused->refusal;
        err_set(&w->err, r ? r->kind : ERR_INTERNAL, "%s", r ? r->text : "the record changed");
        w->err.code = r ? r->code : NULL;
        w->err.tell = false;
    } else {
        err_set(&w->err, ERR_UNAVAILABLE, "storing the result: %s",
                why && why->kind != ERR_NONE ? why->text : "the store failed");
    }
    complete_error(t);
}

/* --- Deciding ------------------------------------------------------------------------------- */

static bool prepare(struct ticket *t)
{
    struct request *r = &t->request;

    t->prepared = true;
    return !r->route->authorize || r->route->authorize(r);
}

/* With a list of its own: act may replace a field in place, and a second run begins anew. */
static struct http_response copy_answer(const struct http_exchange *x)
{
    struct http_response out = x->out;

    out.fields.v = arena_array(x->arena, out.fields.n + 1, sizeof(*out.fields.v));
    if (out.fields.n > 0)
        memcpy(out.fields.v, x->out.fields.v, out.fields.n * sizeof(*out.fields.v));
    out.fields.cap = out.fields.n;
    return out;
}

static void decide(struct ticket *t)
{
    struct request *r = &t->request;

    if (!t->prepared && !prepare(t)) {
        t->failed = t->denied = true;
        return;
    }
    t->out_at_mark = copy_answer(r->x);
    t->mark = arena_mark(r->x->arena);
    t->log_at_mark = r->work.log;
    t->outcome = r->route->act(r);
    if (t->outcome == ACT_WAIT && r->waited) {
        latch_drop(r->wait);
        err_set(&r->work.err, ERR_INTERNAL, "a handler would wait twice");
        t->outcome = ACT_FAILED;
    }
    t->failed = t->outcome == ACT_FAILED;
}

/* Handing a request to a worker and back costs more than many a request; but reading a large body
 * is not quick, whoever sent it. */
static bool runs_here(const struct ticket *t)
{
    const struct store *store = t->frame->services->store;

    return t->request.route->flags & ROUTE_QUICK && t->request.x->in.body.n <= QUICK_BODY &&
           store && !(store->caps & STORE_SHARED);
}

static void start(struct ticket *t)
{
    if (runs_here(t)) {
        t->job.run(&t->job);
        return;
    }
    if (pool_post(t->frame->services->pool, &t->job))
        return;
    err_set(&t->request.work.err, ERR_UNAVAILABLE, "too many requests are waiting");
    complete_error(t);
}

/* --- Waiting -------------------------------------------------------------------------------- */

static void go_on(void *arg)
{
    struct ticket *t = arg;

    t->job.run = work_on;
    start(t);
}

/* Whatever this run would have done or said is void. */
static void park(struct ticket *t)
{
    struct request *r = &t->request;
    struct parking *parking = t->frame->parking;
    struct latch *latch = r->wait;

    batch_drop_unkept(&r->work.batch);
    forget_answer(t);
    arena_rewind(r->x->arena, t->mark);
    err_clear(&r->work.err);
    r->wait = NULL;
    r->waited = true;
    t->outcome = ACT_DONE;
    parking_put(parking, latch, r->wait_until, go_on, t); /* t may be gone from here on */
    latch_drop(latch);
}

static void answer_unknown(struct ticket *t, const struct match *m)
{
    struct http_exchange *x = t->request.x;

    if (m->allow) {
        x->out.status = 405;
        http_fields_set(&x->out.fields, x->arena, "Allow", slice_text(m->allow));
        complete(t);
        return;
    }
    http_fields_set(&x->out.fields, x->arena, "X-Content-Type-Options", SLICE("nosniff"));
    respond_bytes(&t->request, 404, "text/plain; charset=utf-8", SLICE("404 page not found\n"));
    complete(t);
}

static void work_on(struct job *job)
{
    struct ticket *t = (struct ticket *)job;
    struct request *r = &t->request;

    decide(t);
    if (t->outcome == ACT_WAIT) {
        park(t);
        return;
    }
    if (t->failed)
        batch_drop_unkept(&r->work.batch);
    if (r->work.batch.n == 0) {
        after_commit(t);
        return;
    }
    r->work.services->store->ops->submit(r->work.services->store, &r->work.batch, r->work.deadline,
                                         on_committed, t);
}

/* --- The beginning -------------------------------------------------------------------------- */

static struct ticket *ticket_new(struct frame *f, struct http_exchange *x)
{
    struct ticket *t = arena_alloc(x->arena, sizeof(*t));
    struct request *r = &t->request;

    atomic_fetch_add(&f->busy, 1);
    t->frame = f;
    t->job.run = work_on;
    r->x = x;
    work_init(&r->work, f->services, authority_take(f->services), x->arena, DEADLINE_NONE);
    request_id_settle(r);
    return t;
}

/* False: the ticket is complete. */
static bool find_route(struct ticket *t)
{
    struct request *r = &t->request;
    struct frame *f = t->frame;
    struct match m =
        route_match(r->x->arena, f->tables, f->insecure, r->x->in.method_text, r->x->in.path);

    if (!m.route) {
        answer_unknown(t, &m);
        return false;
    }
    r->route = m.route;
    memcpy(r->args, m.args, sizeof(r->args));
    int64_t seconds = m.route->seconds ? m.route->seconds : SECONDS_USUAL;
    r->work.deadline = deadline_in(f->services->clock, seconds * NS_PER_SEC);
    return true;
}

static void dispatch(void *arg, struct http_exchange *x)
{
    struct ticket *t = ticket_new(arg, x);

    if (find_route(t))
        start(t);
}

static void limits(void *arg, const struct http_request *head, struct http_limits *out)
{
    struct frame *f = arg;
    struct match m = route_match(NULL, f->tables, f->insecure, head->method_text, head->path);

    out->body_max = m.route && m.route->body_max ? m.route->body_max : BODY_IGNORED;
}

/* False: no such route, or it speaks as the API does. */
static bool refuse_by_voice(struct frame *f, struct request *r, int status)
{
    struct match m = route_match(NULL, f->tables, f->insecure, r->x->in.method_text, r->x->in.path);

    if (!m.route || !m.route->voice || !m.route->voice->greet)
        return false;
    r->route = m.route;
    r->refused = status;
    memcpy(r->args, m.args, sizeof(r->args));
    m.route->voice->greet(r);
    m.route->voice->error(r, &r->work.err);
    return true;
}

static void refuse(void *arg, struct http_exchange *x, int status, const char *error)
{
    struct frame *f = arg;
    struct request r = {.x = x};

    work_init(&r.work, f->services, authority_take(f->services), x->arena, DEADLINE_NONE);
    request_id_settle(&r);
    err_set(&r.work.err, err_kind_of_status(status), "%s", error);
    r.work.err.tell = true; /* it is about the request's form, whatever the class */
    if (!refuse_by_voice(f, &r, status))
        respond_error(&r, status, &r.work.err);
    access_log_write(&r, &f->log);
    authority_drop(r.work.authority);
}

struct frame *frame_new(const struct frame_options *o)
{
    struct frame *f = xcalloc(1, sizeof(*f));

    f->services = o->services;
    f->tables = o->tables;
    f->insecure = o->insecure;
    f->log = access_log_options_from_env();
    f->parking = parking_new();
    f->app = (struct http_app){f, limits, dispatch, refuse};
    return f;
}

void frame_free(struct frame *f)
{
    parking_free(f->parking);
    free(f);
}

const struct http_app *frame_app(struct frame *f)
{
    return &f->app;
}

void frame_stop_waiting(struct frame *f)
{
    parking_close(f->parking);
}

unsigned frame_busy(const struct frame *f)
{
    return atomic_load(&((struct frame *)f)->busy);
}
