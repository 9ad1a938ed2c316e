/*
 * The browser flow (RFC 8252 7.3): a listener of our own on the loopback interface waits for the
 * provider to send the browser back with a code.
 *
 * The request that brings it stays unanswered until the code was traded, so that the page tells how
 * it ended.  Only one is taken; everything else gets a short refusal.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/uri.h"
#include "cli/oauth.h"
#include "cli/program.h"
#include "crypto/secret.h"
#include "net/server.h"

#define STOP_NS (2 * NS_PER_SEC)

struct waiting {
    const char *path;
    pthread_mutex_t lock;
    bool taken;
    struct http_exchange *came; /* the one that brought an answer, until it is answered itself */
    struct latch *latch;
};

/* --- On the server's thread --------------------------------------------------------------- */

static void page(struct http_exchange *x, int status, struct slice text)
{
    x->out.status = status;
    x->out.body = text;
    http_fields_set(&x->out.fields, x->arena, "Content-Type", SLICE("text/html; charset=utf-8"));
    http_fields_set(&x->out.fields, x->arena, "Cache-Control", SLICE("no-store"));
}

static bool has(const struct http_exchange *x, const char *name)
{
    struct slice value;

    return uri_query_get(x->arena, x->in.query, name, &value) && value.n;
}

static bool is_answer(const struct http_exchange *x)
{
    return has(x, "error") || (has(x, "code") && has(x, "state"));
}

/* The first answer is kept, whatever it says. */
static bool keep(struct waiting *w, struct http_exchange *x)
{
    pthread_mutex_lock(&w->lock);
    bool first = !w->taken;
    if (first)
        w->came = x;
    w->taken = true;
    pthread_mutex_unlock(&w->lock);
    return first;
}

static void dispatch(void *arg, struct http_exchange *x)
{
    struct waiting *w = arg;

    if (!slice_is(x->in.path, w->path))
        page(x, 404, SLICE("404 page not found\n"));
    else if (x->in.method == HTTP_OPTIONS)
        page(x, 200, SLICE(""));
    else if (x->in.method != HTTP_GET)
        page(x, 405, SLICE("405 method not allowed\n"));
    else if (!is_answer(x))
        page(x, 400, SLICE("400 the request has no code or no state\n"));
    else if (keep(w, x)) {
        latch_fire(w->latch);
        return; /* answered later */
    } else
        page(x, 409, SLICE("409 there was an answer already\n"));
    http_finish(x);
}

static void limits(void *arg, const struct http_request *head, struct http_limits *out)
{
    (void)arg, (void)head;
    out->body_max = 0;
}

/* --- Opening the browser ------------------------------------------------------------------ */

static void open_browser(struct invocation *inv, const char *browser, const char *url)
{
    static const char *const OPENERS[] = {"xdg-open", "sensible-browser", "x-www-browser",
                                          "www-browser"};
    const char *wanted = getenv("STEP_OPEN_BROWSER");
    bool http =
        slice_starts(slice_text(url), "https://") || slice_starts(slice_text(url), "http://");
    const char *program = browser;

    for (size_t i = 0; !program && i < COUNT_OF(OPENERS); i++) {
        if (program_exists(OPENERS[i]))
            program = OPENERS[i];
    }
    char *const argv[] = {(char *)program, (char *)url, NULL};
    bool opened =
        http && program && !(wanted && strcmp(wanted, "0") == 0) && program_start(argv, NULL);
    note(inv, opened ? "Your web browser has been opened to visit this address:"
                     : "Open this address in a browser and log in there:");
    note(inv, "%s", url);
}

/* --- The flow ----------------------------------------------------------------------------- */

static const char *PAGE_OK =
    "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Success</title>\n<h1>Success</h1>\n"
    "<p>The login is complete. You can close this window and go back to your terminal.</p>\n";
static const char *PAGE_FAILED =
    "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Failure</title>\n<h1>Failure</h1>\n"
    "<p>The login failed. Your terminal tells why.</p>\n";

static bool take_answer(struct oauth *o, struct http_exchange *x, struct oauth_token *token)
{
    struct err *e = &o->inv->err;
    struct slice code = {0}, state = {0}, error = {0}, text = {0};

    if (!uri_query_get(x->arena, x->in.query, "state", &state))
        state = SLICE_NONE;
    if (uri_query_get(x->arena, x->in.query, "error", &error) && error.n) {
        bool more = uri_query_get(x->arena, x->in.query, "error_description", &text) && text.n;
        return err_set(e, ERR_UNAUTHORIZED, "the provider refused: %.*s%s%.*s", SLICE_ARG(error),
                       more ? ": " : "", SLICE_ARG(text));
    }
    if (!secret_equal(state, slice_text(o->state)))
        return err_set(e, ERR_UNAUTHORIZED,
                       "the answer is not one to our question: its state is another one (RFC 6749 "
                       "10.12)");
    return uri_query_get(x->arena, x->in.query, "code", &code) &&
           oauth_trade(o, arena_copy(o->inv->arena, code), token);
}

static void reply(const struct oauth *o, struct http_exchange *x, bool ok)
{
    const char *to = o->wish->redirect_url;

    page(x, ok ? 200 : 400, slice_text(ok ? PAGE_OK : PAGE_FAILED));
    if (ok && to) {
        x->out.status = 302;
        http_fields_set(&x->out.fields, x->arena, "Location", slice_text(to));
    }
    http_finish(x);
}

/* host without port: where we really listen. */
static bool choose_addresses(struct oauth *o, const struct listener *l, struct waiting *w)
{
    struct invocation *inv = o->inv;
    struct slice bound = slice_text(listener_address(l)), host, port;
    struct uri u;

    w->path = "/";
    if (o->wish->listen_url) {
        if (!uri_read(inv->arena, slice_text(o->wish->listen_url), &u, &inv->err))
            return false;
        o->redirect_uri = o->wish->listen_url;
        if (u.path.n)
            w->path = arena_cstr(inv->arena, u.path);
        return true;
    }
    port = slice_from(bound, slice_rfind(bound, ':') + 1);
    host = SLICE("127.0.0.1");
    if (o->wish->listen) {
        struct slice named = slice_text(o->wish->listen);
        size_t colon = slice_rfind(named, ':');
        if (colon)
            host = slice_sub(named, 0, colon);
    }
    o->redirect_uri =
        arena_printf(inv->arena, "http://%.*s:%.*s", SLICE_ARG(host), SLICE_ARG(port));
    return true;
}

/* ":port" means this machine only. */
static const char *listen_address(const struct oauth *o)
{
    const char *listen = o->wish->listen;

    if (!listen)
        return "127.0.0.1:0";
    return *listen == ':' ? arena_printf(o->inv->arena, "127.0.0.1%s", listen) : listen;
}

static struct http_exchange *came(struct waiting *w)
{
    pthread_mutex_lock(&w->lock);
    struct http_exchange *x = w->came;
    w->came = NULL;
    w->taken = true;
    pthread_mutex_unlock(&w->lock);
    return x;
}

static bool wait_and_trade(struct oauth *o, struct waiting *w, struct oauth_token *token)
{
    struct invocation *inv = o->inv;

    if (!latch_wait(w->latch, deadline_in(inv->clock, OAUTH_WAIT_NS)))
        return err_set(&inv->err, ERR_TIMEOUT, "nobody logged in within two minutes");
    struct http_exchange *x = came(w);
    bool ok = take_answer(o, x, token);
    reply(o, x, ok);
    return ok;
}

/* Whoever came too late, after the wait was given up. */
static void drop_late(struct waiting *w)
{
    struct http_exchange *x = came(w);

    if (!x)
        return;
    page(x, 503, slice_text(PAGE_FAILED));
    http_finish(x);
}

bool oauth_by_browser(struct oauth *o, struct oauth_token *token)
{
    const struct http_server_options options = {.loops = 1};
    struct waiting w = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const struct http_app app = {.arg = &w, .limits = limits, .dispatch = dispatch};
    struct err *e = &o->inv->err;
    struct http_server *server = http_server_new(&options, e);
    struct listener *l = server ? listener_open(server, listen_address(o), NULL, &app, e) : NULL;
    bool ok = false;

    w.latch = latch_new();
    if (l && choose_addresses(o, l, &w)) {
        listener_start(l);
        open_browser(o->inv, o->wish->browser, arena_cstr(o->inv->arena, oauth_visit_url(o)));
        ok = wait_and_trade(o, &w, token);
        listener_close(l);
        drop_late(&w);
        http_server_stop(server, deadline_in(&CLOCK_SYSTEM, STOP_NS));
    }
    if (server)
        http_server_free(server);
    latch_drop(w.latch);
    pthread_mutex_destroy(&w.lock);
    return ok;
}
