/* The frame with a store that refuses or loses: an answer leaves only after its commit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>
#include <string.h>

#include "api/frame.h"

static sem_t finished;

/* The frame's way back to the loop, replaced: these tests have no loop. */
void http_finish(struct http_exchange *x)
{
    (void)x;
    sem_post(&finished);
}

static struct services services;
static struct arena *arena;
static unsigned acts, authorizes, thens;
static enum err_kind deny, fail_with;
static bool keep_in_authorize;
static const struct refusal TAKEN = {ERR_UNAUTHORIZED, "taken", "already there"};

static bool authorize(struct request *r)
{
    authorizes++;
    if (keep_in_authorize) {
        batch_insert(&r->work.batch, TABLE_USED_OTT, SLICE("token"), SLICE("used"), &TAKEN);
        batch_keep(&r->work.batch);
    }
    return deny == ERR_NONE || err_set(&r->work.err, deny, "denied");
}

static enum outcome act(struct request *r)
{
    acts++;
    if (fail_with != ERR_NONE) {
        err_set(&r->work.err, fail_with, "refused by the handler");
        return ACT_FAILED;
    }
    batch_put(&r->work.batch, TABLE_X509_CRL, SLICE("row"), SLICE("value"));
    respond_json(r, 201, SLICE("{}\n"));
    return ACT_DONE;
}

static bool then(struct request *r)
{
    (void)r;
    thens++;
    return true;
}

static enum outcome act_insert(struct request *r)
{
    acts++;
    batch_insert(&r->work.batch, TABLE_X509_CRL, SLICE("row"), SLICE("value"), &STORE_RUN_AGAIN);
    for (int i = 0; i < 20; i++)
        http_fields_add(&r->x->out.fields, r->x->arena, "X-Run",
                        arena_format(r->x->arena, "%u", acts));
    respond_json(r, 200, SLICE("{}\n"));
    return ACT_DONE;
}

static void greet(struct request *r)
{
    http_fields_set(&r->x->out.fields, r->x->arena, "X-Greeted", r->args[0]);
}

static void speak(struct request *r, const struct err *e)
{
    respond_bytes(r, r->refused ? r->refused : err_status(e->kind), "text/plain",
                  arena_copy(r->x->arena, slice_text(e->text)));
}

static const struct voice POLITE = {speak, greet};

static const struct route ROUTES[] = {
    {.method = "POST",
     .path = "/polite/{name}",
     .authorize = authorize,
     .act = act,
     .voice = &POLITE},
    {.method = "POST",
     .path = "/make/{name}",
     .flags = ROUTE_ALIAS_1_0,
     .authorize = authorize,
     .act = act,
     .then = then,
     .voice = &VOICE_API},
    {.method = "POST", .path = "/insert", .act = act_insert, .voice = &VOICE_API},
    {.method = "GET", .path = "/both", .act = act, .voice = &VOICE_API},
    {.method = "DELETE", .path = "/both", .act = act, .voice = &VOICE_API},
    {0},
};
static const struct route *const ROUTE_TABLES[] = {ROUTES, NULL};

static void last(struct ref *ref)
{
    (void)ref;
}

static int set_up(void **state)
{
    static struct core core;
    static struct registry registry;
    static struct config config;

    (void)state;
    arena = arena_new(&HEAP_USUAL);
    acts = authorizes = thens = 0;
    deny = fail_with = ERR_NONE;
    keep_in_authorize = false;
    sem_init(&finished, 0, 0);
    services_init(&services, &CLOCK_SYSTEM, &RNG_SYSTEM);
    services.pool = pool_new(2, 4, 16);
    services.store = store_memory_open(true, &CLOCK_SYSTEM);
    core = (struct core){.config = &config};
    registry = (struct registry){0};
    ref_init(&core.ref, last);
    ref_init(&registry.ref, last);
    authority_publish(&services, &core, &registry);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pool_stop(services.pool);
    store_close(services.store);
    services_end(&services);
    sem_destroy(&finished);
    arena_free(arena);
    return 0;
}

static struct http_exchange *run(const char *method, const char *path)
{
    struct frame_options options = {&services, ROUTE_TABLES, false};
    struct frame *frame = frame_new(&options);
    struct http_exchange *x = arena_alloc(arena, sizeof(*x));
    const struct http_app *app = frame_app(frame);

    x->arena = arena;
    x->in.method_text = slice_text(method);
    x->in.path = x->in.target = slice_text(path);
    x->in.protocol = "HTTP/1.1";
    app->dispatch(app->arg, x);
    sem_wait(&finished);
    pool_stop(services.pool); /* the worker is out of the frame */
    services.pool = pool_new(2, 4, 16);
    assert_int_equal(frame_busy(frame), 0);
    frame_free(frame);
    return x;
}

static bool stored(enum table t, const char *key)
{
    struct slice value;

    assert_true(store_get(services.store, t, slice_text(key), arena, &value, DEADLINE_NONE, NULL));
    return value.p != NULL;
}

static void good_request_is_committed_then_answered(void **state)
{
    (void)state;
    struct http_exchange *x = run("POST", "/make/a");
    assert_int_equal(x->out.status, 201);
    assert_true(stored(TABLE_X509_CRL, "row"));
    assert_int_equal(thens, 1);
    x = run("POST", "/1.0/make/a");
    assert_int_equal(x->out.status, 201);
}

static void lost_commit_is_no_answer(void **state)
{
    static const enum committed HOW[] = {STORE_LOST, STORE_UNKNOWN};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(HOW); i++) {
        services.store = store_faulty(services.store, 1, HOW[i]);
        struct http_exchange *x = run("POST", "/make/a");
        assert_int_equal(x->out.status, 503);
        assert_int_equal(thens, 0);
        assert_true(http_fields_get(&x->out.fields, "Retry-After").n > 0);
        assert_int_equal(run("POST", "/make/a")->out.status, 201);
        thens = 0;
    }
}

static void lost_race_runs_the_handler_again(void **state)
{
    (void)state;
    services.store = store_faulty(services.store, 1, STORE_REFUSED);
    struct http_exchange *x = run("POST", "/insert");
    assert_int_equal(x->out.status, 200);
    assert_int_equal(acts, 2);
    unsigned fields = 0;
    for (size_t i = 0; i < x->out.fields.n; i++) {
        if (!slice_is(x->out.fields.v[i].name, "X-Run"))
            continue;
        fields++;
        assert_true(slice_is(x->out.fields.v[i].value, "2")); /* nothing of the first run is left */
    }
    assert_int_equal(fields, 20);
}

static void race_that_is_always_lost_ends_in_conflict(void **state)
{
    (void)state;
    assert_int_equal(run("POST", "/insert")->out.status, 200);
    acts = 0;
    struct http_exchange *x = run("POST", "/insert");
    assert_int_equal(x->out.status, 409);
    assert_int_equal(acts, 64);
    assert_null(http_fields_get(&x->out.fields, "X-Run").p);
}

static void kept_operation_stands_when_the_handler_fails(void **state)
{
    (void)state;
    keep_in_authorize = true;
    fail_with = ERR_FORBIDDEN;
    assert_int_equal(run("POST", "/make/a")->out.status, 403);
    assert_true(stored(TABLE_USED_OTT, "token"));
    assert_false(stored(TABLE_X509_CRL, "row"));
}

static void refused_kept_operation_decides(void **state)
{
    (void)state;
    keep_in_authorize = true;
    assert_int_equal(run("POST", "/make/a")->out.status, 201);
    struct http_exchange *x = run("POST", "/make/a");
    assert_int_equal(x->out.status, 401);
    assert_true(slice_search(x->out.body, SLICE("already there")) == x->out.body.n);
}

static void denied_request_never_reaches_the_handler(void **state)
{
    (void)state;
    deny = ERR_UNAUTHORIZED;
    keep_in_authorize = true;
    services.store = store_faulty(services.store, 1, STORE_REFUSED);
    assert_int_equal(run("POST", "/make/a")->out.status, 401);
    assert_int_equal(acts, 0);
    assert_int_equal(authorizes, 1);
}

static void unknown_paths_and_methods(void **state)
{
    (void)state;
    struct http_exchange *x = run("GET", "/nope");
    assert_int_equal(x->out.status, 404);
    assert_true(slice_is(x->out.body, "404 page not found\n"));
    assert_int_equal(run("POST", "/make/a/b")->out.status, 404);
    assert_int_equal(run("POST", "/make/")->out.status, 404);
    x = run("POST", "/both");
    assert_int_equal(x->out.status, 405);
    assert_true(slice_is(http_fields_get(&x->out.fields, "Allow"), "GET, HEAD, DELETE"));
    assert_int_equal(acts, 0);
    assert_int_equal(run("HEAD", "/both")->out.status, 201);
}

static void error_texts_follow_their_class(void **state)
{
    static const struct {
        enum err_kind kind;
        int status;
        bool shown;
    } CASES[] = {{ERR_MALFORMED, 400, true},        {ERR_UNAUTHORIZED, 401, false},
                 {ERR_FORBIDDEN, 403, true},        {ERR_NOT_FOUND, 404, true},
                 {ERR_NOT_IMPLEMENTED, 501, false}, {ERR_UNAVAILABLE, 503, false},
                 {ERR_INTERNAL, 500, false}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        fail_with = CASES[i].kind;
        struct http_exchange *x = run("POST", "/make/a");
        bool shown = slice_search(x->out.body, SLICE("refused by the handler")) < x->out.body.n;
        assert_int_equal(x->out.status, CASES[i].status);
        assert_int_equal(shown, CASES[i].shown);
    }
}

static void a_refused_request_hears_the_voice_of_its_route(void **state)
{
    static const struct {
        const char *method, *path;
        int status;
        const char *type, *greeted;
    } CASES[] = {{"POST", "/polite/ann", 413, "text/plain", "ann"},
                 {"POST", "/polite/ann", 408, "text/plain", "ann"},
                 {"POST", "/polite/ann", 503, "text/plain", "ann"},
                 {"GET", "/polite/ann", 413, "application/json", ""},
                 {"POST", "/insert", 413, "application/json", ""},
                 {"", "", 400, "application/json", ""}};
    struct frame_options options = {&services, ROUTE_TABLES, false};
    struct frame *frame = frame_new(&options);
    const struct http_app *app = frame_app(frame);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct http_exchange *x = arena_alloc(arena, sizeof(*x));
        x->arena = arena;
        x->in.method_text = slice_text(CASES[i].method);
        x->in.path = x->in.target = slice_text(CASES[i].path);
        x->in.protocol = "HTTP/1.1";
        app->refuse(app->arg, x, CASES[i].status, "no");
        assert_int_equal(x->out.status, CASES[i].status);
        assert_true(slice_is(http_fields_get(&x->out.fields, "Content-Type"), CASES[i].type));
        assert_true(slice_is(http_fields_get(&x->out.fields, "X-Greeted"), CASES[i].greeted));
    }
    assert_int_equal(authorizes + acts, 0);
    frame_free(frame);
}

static void only_who_was_not_heard_yet_is_greeted(void **state)
{
    (void)state;
    fail_with = ERR_NOT_FOUND;
    struct http_exchange *x = run("POST", "/polite/ann");
    assert_int_equal(x->out.status, 404);
    assert_null(http_fields_get(&x->out.fields, "X-Greeted").p);
    pool_stop(services.pool);
    services.pool = pool_new(1, 1, 0); /* takes nothing */
    x = arena_alloc(arena, sizeof(*x));
    struct frame_options options = {&services, ROUTE_TABLES, false};
    struct frame *frame = frame_new(&options);
    x->arena = arena;
    x->in.method_text = SLICE("POST");
    x->in.path = x->in.target = SLICE("/polite/ann");
    x->in.protocol = "HTTP/1.1";
    frame_app(frame)->dispatch(frame_app(frame)->arg, x);
    sem_wait(&finished);
    assert_int_equal(x->out.status, 503);
    assert_true(slice_is(http_fields_get(&x->out.fields, "X-Greeted"), "ann"));
    frame_free(frame);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(good_request_is_committed_then_answered),
        CASE(lost_commit_is_no_answer),
        CASE(lost_race_runs_the_handler_again),
        CASE(race_that_is_always_lost_ends_in_conflict),
        CASE(kept_operation_stands_when_the_handler_fails),
        CASE(refused_kept_operation_decides),
        CASE(denied_request_never_reaches_the_handler),
        CASE(unknown_paths_and_methods),
        CASE(error_texts_follow_their_class),
        CASE(a_refused_request_hears_the_voice_of_its_route),
        CASE(only_who_was_not_heard_yet_is_greeted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
