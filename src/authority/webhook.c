/*
 * Calling webhooks: URL rendered and judged again, body signed, one POST, one retry, the answer.
 *
 * Nothing that came from a webhook's server or network is told to the requester except the error
 * that the webhook itself wrote; the rest stands in the log.  A request that calls webhooks holds
 * a worker for up to ten seconds each, so there are only so many of them at a time, and of one
 * webhook fewer still.
 */
#include "authority/webhook.h"

#include "authority/metrics.h"
#include "base/encode.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

#define CALL_TIME    (10 * NS_PER_SEC)
#define RETRY_AFTER  NS_PER_SEC
#define URL_MAX      8192
#define REPLY_MAX    (1u << 20)
#define WAITING_EACH 48 /* requests that one webhook may hold up */

struct asked {
    struct work *w;
    const struct grant *g;
    enum webhook_kind kind;
    struct webhook_subject about;
    struct tvalue *data;
};
struct answer {
    bool allow;
    const struct json *data;
    struct slice code, message; /* of its error */
};

/* --- One call -------------------------------------------------------------------------------- */

static bool render_url(const struct asked *q, const struct webhook *h, struct slice *url,
                       struct err *why)
{
    struct arena *a = q->w->arena;
    struct buf text = buf_new(a, URL_MAX);

    if (!template_run(h->url, q->data, a, NULL, &text, why) ||
        !webhook_url_read(a, buf_slice(&text), url, why))
        return err_wrap(why, "its URL");
    return true;
}

/* Not longer than a call may take, and never beyond the request's own end. */
static struct deadline call_deadline(const struct work *w)
{
    struct deadline d = deadline_in(w->services->clock, CALL_TIME);

    d.cancelled = w->deadline.cancelled;
    if (w->deadline.clock && w->deadline.mono_ns < d.mono_ns)
        d.mono_ns = w->deadline.mono_ns;
    return d;
}

/* False: no time is left for a second attempt. */
static bool pause_before_retry(struct deadline d)
{
    struct latch *never;

    if (deadline_left(d) <= RETRY_AFTER)
        return false;
    never = latch_new();
    (void)!latch_wait(never, deadline_in(&CLOCK_SYSTEM, RETRY_AFTER)); /* a declared wait */
    latch_drop(never);
    return deadline_ok(d, NULL);
}

static void put_headers(struct http_fields *f, struct arena *a, const struct work *w,
                        const struct webhook *h, struct slice body)
{
    uint8_t mac[DIGEST_MAX];

    hmac_of(DIGEST_SHA256, h->secret, body, mac);
    http_fields_add(f, a, "Content-Type", SLICE("application/json"));
    http_fields_add(f, a, "X-Smallstep-Signature",
                    hex_text(a, slice_of(mac, digest_size(DIGEST_SHA256))));
    http_fields_add(f, a, "X-Smallstep-Webhook-ID", h->id);
    if (w->request_id.n > 0)
        http_fields_add(f, a, "X-Request-Id", w->request_id);
    if (h->authorization.n > 0)
        http_fields_add(f, a, "Authorization", h->authorization);
}

static bool is_retried(bool answered, const struct http_reply *r, const struct err *why)
{
    return answered ? r->status >= 500 : why->kind == ERR_UNAVAILABLE;
}

static bool check_status(const struct http_reply *r, struct err *why)
{
    if (r->status >= 300 && r->status < 400)
        return err_set(why, ERR_UNAVAILABLE, "answered with status %d; redirects are not followed",
                       r->status);
    return (r->status >= 200 && r->status < 300) ||
           err_set(why, ERR_UNAVAILABLE, "answered with status %d", r->status);
}

static bool post(struct http_client *client, const struct http_call *call, struct arena *a,
                 struct http_reply *reply, struct deadline d, struct err *why)
{
    bool answered = client->call(client, call, a, reply, d, why);

    if (is_retried(answered, reply, why) && pause_before_retry(d)) {
        err_clear(why);
        answered = client->call(client, call, a, reply, d, why);
    }
    return answered && check_status(reply, why);
}

/* scratch: wiped afterwards, for headers with credentials pass through it. */
static bool exchange(const struct asked *q, const struct webhook *h, struct arena *scratch,
                     struct slice url, struct slice body, struct http_reply *reply, struct err *why)
{
    const struct services *s = q->w->services;
    const struct tls_settings *tls = &q->w->authority->core->tls;
    struct trust trust = {TRUST_SYSTEM_AND_ANCHORS, tls->client_anchors, tls->n_client_anchors};
    struct http_call call = {.method = HTTP_POST,
                             .url = url,
                             .body = body,
                             .trust = &trust,
                             .tls = tls,
                             .max_reply = REPLY_MAX};
    struct tls_credentials own;
    struct identity identity;

    if (!s->http)
        return err_set(why, ERR_UNAVAILABLE, "there is nothing here to call it with");
    put_headers(&call.fields, scratch, q->w, h, body);
    if (!h->no_client_certificate && s->tls && tls_slot_credentials(s->tls, scratch, &own)) {
        identity = (struct identity){own.chain, own.n_chain, own.key};
        call.identity = &identity;
    }
    return post(s->http, &call, scratch, reply, call_deadline(q->w), why);
}

/* --- The answer ------------------------------------------------------------------------------ */

static bool read_answer(struct arena *a, struct slice body, struct answer *out, struct err *why)
{
    const struct json *v = json_read(a, body, &JSON_API, NULL, why), *allow, *error;

    if (!v)
        return err_wrap(why, "its answer is not JSON");
    if (v->kind != JSON_OBJECT)
        return err_set(why, ERR_MALFORMED, "its answer: expected an object");
    allow = json_get(v, "allow");
    if (allow && allow->kind != JSON_BOOL && allow->kind != JSON_NULL)
        return err_set(why, ERR_MALFORMED, "its answer: allow: expected true or false");
    error = json_get(v, "error");
    *out = (struct answer){.allow = allow && allow->kind == JSON_BOOL && allow->truth,
                           .data = json_get(v, "data"),
                           .code = json_text(json_get(error, "code")),
                           .message = json_text(json_get(error, "message"))};
    return true;
}

static bool ask(const struct asked *q, const struct webhook *h, struct answer *out, struct err *why)
{
    struct arena *a = q->w->arena, *scratch;
    struct instant now = q->w->services->clock->now(q->w->services->clock);
    struct slice url, body;
    struct http_reply reply;

    if (!render_url(q, h, &url, why) || !webhook_body(a, now, q->g, &q->about, &body, why))
        return false;
    scratch = arena_new(&HEAP_WIPED);
    bool ok = exchange(q, h, scratch, url, body, &reply, why);
    if (ok)
        reply.body = arena_copy(a, reply.body);
    arena_free(scratch);
    return ok && read_answer(a, reply.body, out, why);
}

/* --- What it means --------------------------------------------------------------------------- */

static void note_trouble(const struct asked *q, const struct webhook *h, const char *what)
{
    struct slice id = q->w->request_id;

    log_warn("%s webhook \"%.*s\" of provisioner \"%.*s\": %s%s%.*s", webhook_kind_name(h->kind),
             SLICE_ARG(h->name), SLICE_ARG(q->g->by->name), what, id.n > 0 ? "; request " : "",
             SLICE_ARG(id));
}

static bool failed(const struct asked *q, const struct webhook *h, const struct err *why)
{
    struct err *e = &q->w->err;

    note_trouble(q, h, why->text);
    err_set(e, ERR_FORBIDDEN, "the request was not allowed by a webhook");
    e->code = WEBHOOK_FAILED;
    return false;
}

/* The webhook's own words are for the requester when it was asked about the request; for ACME they
 * are noted in any case. */
static bool denied(const struct asked *q, const struct webhook *h, const struct answer *said)
{
    struct arena *a = q->w->arena;
    struct err *e = &q->w->err;
    bool spoke = said->message.n > 0 || said->code.n > 0;
    const char *text = arena_printf(a, said->code.n > 0 ? "%.*s (%.*s)" : "%.*s",
                                    SLICE_ARG(said->message), SLICE_ARG(said->code));

    note_trouble(q, h, spoke ? arena_printf(a, "denied: %s", text) : "denied");
    if (spoke && q->kind == WEBHOOK_ENRICHING) {
        err_set(e, ERR_FORBIDDEN, "%s", text);
        e->tell = true;
    } else {
        err_set(e, ERR_FORBIDDEN, "the request was not allowed by a webhook");
    }
    e->code = WEBHOOK_DENIED;
    if (said->code.n > 0 && said->message.n > 0) {
        e->notes = arena_alloc(a, sizeof(*e->notes));
        e->notes->name = arena_format(a, WEBHOOK_NOTE "%.*s", SLICE_ARG(said->code));
        e->notes->text = said->message;
    }
    return false;
}

static bool consult(const struct asked *q, const struct webhook *h)
{
    struct answer said = {0};
    struct err why = {0};

    if (!ask(q, h, &said, &why))
        return failed(q, h, &why);
    if (!said.allow)
        return denied(q, h, &said);
    if (q->kind == WEBHOOK_ENRICHING)
        template_data_webhook(q->w->arena, q->data, h->name, said.data);
    return true;
}

/* --- Turns ----------------------------------------------------------------------------------- */

static bool count_in(atomic_uint *n, unsigned most)
{
    if (atomic_fetch_add(n, 1) < most)
        return true;
    atomic_fetch_sub(n, 1);
    return false;
}

/* A worker that waits for its turn is held up as well, so few may wait. */
static bool take_turn(struct work *w, struct webhook *h)
{
    struct services *s = w->services;

    if (!count_in(&h->busy, WAITING_EACH))
        return err_set(&w->err, ERR_UNAVAILABLE, "too many requests wait for webhook \"%.*s\"",
                       SLICE_ARG(h->name));
    if (count_in(&s->webhook_busy, WEBHOOKS_WAITING)) {
        if (gate_enter(&s->webhook_gate, w->deadline, &w->err))
            return true;
        atomic_fetch_sub(&s->webhook_busy, 1);
    } else {
        err_set(&w->err, ERR_UNAVAILABLE, "too many requests wait for webhooks");
    }
    atomic_fetch_sub(&h->busy, 1);
    return false;
}

static void end_turn(struct work *w, struct webhook *h)
{
    gate_leave(&w->services->webhook_gate);
    atomic_fetch_sub(&w->services->webhook_busy, 1);
    atomic_fetch_sub(&h->busy, 1);
}

/* From here on the request is known to somebody else and is not run again. */
static bool leave_for_good(struct work *w)
{
    if (!work_commit(w))
        return false;
    w->committed = true;
    return true;
}

static bool consult_each(const struct asked *q, bool *called)
{
    const struct webhooks *all = &q->g->by->webhooks;
    enum webhook_cert other = q->about.ssh ? WEBHOOK_X509 : WEBHOOK_SSH;
    struct work *w = q->w;

    for (size_t i = 0; i < all->n; i++) {
        struct webhook *h = &all->v[i];
        if (h->kind != q->kind || h->cert == other)
            continue;
        *called = true;
        if (!leave_for_good(w) || !take_turn(w, h))
            return false;
        bool ok = consult(q, h);
        end_turn(w, h);
        if (!ok)
            return false;
    }
    return true;
}

static bool consult_all(const struct asked *q)
{
    static const enum metric COUNTED[2][2] = {
        {METRIC_X509_ENRICHED, METRIC_X509_AUTHORIZED},
        {METRIC_SSH_ENRICHED, METRIC_SSH_AUTHORIZED},
    };
    enum metric metric = COUNTED[q->about.ssh != NULL][q->kind == WEBHOOK_AUTHORIZING];
    bool called = false, ok = consult_each(q, &called);

    if (called)
        metrics_count(q->w->services->metrics, metric, q->g->by->name, ok);
    return ok;
}

bool webhooks_enrich(struct work *w, const struct grant *g, const struct webhook_subject *about,
                     struct tvalue *data)
{
    struct asked q = {w, g, WEBHOOK_ENRICHING, *about, data};

    return consult_all(&q);
}

bool webhooks_authorize(struct work *w, const struct grant *g, const struct webhook_subject *about,
                        struct tvalue *data)
{
    struct asked q = {w, g, WEBHOOK_AUTHORIZING, *about, data};

    return consult_all(&q);
}
