/* Handlers that wait: parked without a thread, run again when the latch fires or the time comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "api/frame.h"
#include "api/parking.h"

#define MANY 200

static sem_t finished;

/* The frame's way back to the loop, replaced: these tests have no loop. */
void http_finish(struct http_exchange *x)
{
    (void)x;
    sem_post(&finished);
}

static struct services services;
static struct arena *arena;
static struct latch *latch;
static struct frame *frame;
static int64_t wait_ns;
static struct slice body;
static bool twice, deny_second;
static atomic_uint acts, authorizes;
static pthread_t ran_on;

static bool authorize(struct request *r)
{
    (void)r;
    atomic_fetch_add(&authorizes, 1);
    return true;
}

static enum outcome act_wait(struct request *r)
{
    ran_on = pthread_self();
    http_fields_add(&r->x->out.fields, r->x->arena, "X-Run", SLICE("x"));
    if (!r->waited || twice) {
        log_put_text(&r->work.log, "first", SLICE("run"));
        batch_put(&r->work.batch, TABLE_X509_CRL, SLICE("row"), SLICE("of the first run"));
        r->x->out.status = 418;
        r->wait = latch_take(latch);
        r->wait_until = deadline_in(&CLOCK_SYSTEM, wait_ns);
        atomic_fetch_add(&acts, 1);
        return ACT_WAIT;
    }
    atomic_fetch_add(&acts, 1);
    if (deny_second) {
        err_set(&r->work.err, ERR_FORBIDDEN, "no");
        return ACT_FAILED;
    }
    assert_int_equal(r->work.log.n, 0);
    respond_json(r, 200, latch_fired(latch) ? SLICE("\"fired\"\n") : SLICE("\"time\"\n"));
    return ACT_DONE;
}

static enum outcome act_now(struct request *r)
{
    ran_on = pthread_self();
    respond_json(r, 200, SLICE("{}\n"));
    return ACT_DONE;
}

static const struct route ROUTES[] = {
    {.method = "POST", .path = "/wait", .authorize = authorize, .act = act_wait},
    {.method = "POST", .path = "/now", .act = act_now},
    {.method = "POST", .path = "/quick", .flags = ROUTE_QUICK, .act = act_now},
    {.method = "POST",
     .path = "/quick-wait",
     .flags = ROUTE_QUICK,
     .authorize = authorize,
     .act = act_wait},
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
    struct frame_options options = {&services, ROUTE_TABLES, false};

    (void)state;
    arena = arena_new(&HEAP_USUAL);
    acts = authorizes = 0;
    twice = deny_second = false;
    wait_ns = 600 * NS_PER_SEC;
    sem_init(&finished, 0, 0);
    services_init(&services, &CLOCK_SYSTEM, &RNG_SYSTEM);
    services.pool = pool_new(1, 1, 2 * MANY); /* one thread: whoever holds it would be noticed */
    services.store = store_memory_open(true, &CLOCK_SYSTEM);
    core = (struct core){.config = &config};
    registry = (struct registry){0};
    ref_init(&core.ref, last);
    ref_init(&registry.ref, last);
    authority_publish(&services, &core, &registry);
    latch = latch_new();
    frame = frame_new(&options);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pool_stop(services.pool);
    assert_int_equal(frame_busy(frame), 0);
    frame_free(frame);
    latch_fire(latch); /* entries that only the latch still knows */
    latch_drop(latch);
    store_close(services.store);
    services_end(&services);
    sem_destroy(&finished);
    arena_free(arena);
    return 0;
}

static struct http_exchange *send(const char *path)
{
    struct http_exchange *x = arena_alloc(arena, sizeof(*x));
    const struct http_app *app = frame_app(frame);

    x->arena = arena_new(&HEAP_USUAL);
    arena_defer(arena, (void (*)(void *))arena_free, x->arena);
    x->in.method_text = SLICE("POST");
    x->in.path = x->in.target = slice_text(path);
    x->in.protocol = "HTTP/1.1";
    x->in.body = body;
    app->dispatch(app->arg, x);
    return x;
}

static void wait_for(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        sem_wait(&finished);
}

static void until_acted(unsigned n)
{
    while (atomic_load(&acts) < n)
        sched_yield();
}

/* An answer leaves a moment before its exchange counts as in again. */
static void until_busy(unsigned n)
{
    while (frame_busy(frame) != n)
        sched_yield();
}

static unsigned fields_named(const struct http_exchange *x, const char *name)
{
    unsigned n = 0;

    for (size_t i = 0; i < x->out.fields.n; i++)
        n += slice_is(x->out.fields.v[i].name, name);
    return n;
}

static bool stored(const char *key)
{
    struct slice value;

    assert_true(store_get(services.store, TABLE_X509_CRL, slice_text(key), arena, &value,
                          DEADLINE_NONE, NULL));
    return value.p != NULL;
}

static void latch_ends_the_wait(void **state)
{
    (void)state;
    struct http_exchange *x = send("/wait");
    until_acted(1);
    latch_fire(latch);
    wait_for(1);
    assert_int_equal(x->out.status, 200);
    assert_true(slice_is(x->out.body, "\"fired\"\n"));
    assert_int_equal(atomic_load(&acts), 2);
    assert_int_equal(atomic_load(&authorizes), 1);
}

static void time_ends_the_wait(void **state)
{
    (void)state;
    wait_ns = 20 * NS_PER_MS;
    struct http_exchange *x = send("/wait");
    wait_for(1);
    assert_int_equal(x->out.status, 200);
    assert_true(slice_is(x->out.body, "\"time\"\n"));
}

static void nothing_of_the_first_run_is_kept(void **state)
{
    (void)state;
    struct http_exchange *x = send("/wait");
    until_acted(1);
    latch_fire(latch);
    wait_for(1);
    assert_int_equal(fields_named(x, "X-Run"), 1);
    assert_int_equal(x->out.status, 200);
    assert_false(stored("row"));
}

static void second_run_may_fail(void **state)
{
    (void)state;
    deny_second = true;
    struct http_exchange *x = send("/wait");
    until_acted(1);
    latch_fire(latch);
    wait_for(1);
    assert_int_equal(x->out.status, 403);
    assert_false(stored("row"));
}

static void latch_that_fired_before_is_no_wait(void **state)
{
    (void)state;
    latch_fire(latch);
    struct http_exchange *x = send("/wait");
    wait_for(1);
    assert_true(slice_is(x->out.body, "\"fired\"\n"));
}

static void two_hundred_wait_and_the_only_worker_is_free(void **state)
{
    struct http_exchange *x[MANY];

    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        x[i] = send("/wait");
    until_acted(MANY);
    struct http_exchange *other = send("/now");
    wait_for(1);
    assert_int_equal(other->out.status, 200);
    until_busy(MANY);
    /* A latch tells 64 of them; the others have their own time, or the end. */
    latch_fire(latch);
    wait_for(64);
    until_busy(MANY - 64);
    frame_stop_waiting(frame);
    wait_for(MANY - 64);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(x[i]->out.status, 200);
}

static void end_of_service_ends_waits_and_allows_none(void **state)
{
    (void)state;
    struct http_exchange *x = send("/wait");
    until_acted(1);
    frame_stop_waiting(frame);
    wait_for(1);
    assert_true(slice_is(x->out.body, "\"time\"\n"));
    x = send("/wait");
    wait_for(1);
    assert_true(slice_is(x->out.body, "\"time\"\n"));
}

static void handler_waits_once(void **state)
{
    (void)state;
    twice = true;
    latch_fire(latch);
    struct http_exchange *x = send("/wait");
    wait_for(1);
    assert_int_equal(x->out.status, 500);
    assert_int_equal(atomic_load(&acts), 2);
}

static void shorter_wait_ends_first(void **state)
{
    (void)state;
    struct http_exchange *x = send("/wait");
    until_acted(1);
    wait_ns = 20 * NS_PER_MS;
    struct http_exchange *y = send("/wait");
    wait_for(1);
    assert_int_equal(y->out.status, 200);
    until_busy(1);
    latch_fire(latch);
    wait_for(1);
    assert_true(slice_is(x->out.body, "\"fired\"\n"));
}

static void quick_routes_run_where_the_request_came_in(void **state)
{
    (void)state;
    send("/quick");
    wait_for(1);
    assert_true(pthread_equal(ran_on, pthread_self()));
    send("/now");
    wait_for(1);
    assert_false(pthread_equal(ran_on, pthread_self()));
    body = arena_copy(arena, slice_of(arena_alloc(arena, 5000), 5000)); /* takes its time to read */
    send("/quick");
    wait_for(1);
    assert_false(pthread_equal(ran_on, pthread_self()));
    body = SLICE_NONE;
    services.store->caps |= STORE_SHARED; /* a server far away may be slow */
    send("/quick");
    wait_for(1);
    assert_false(pthread_equal(ran_on, pthread_self()));
}

static void *fire(void *arg)
{
    latch_fire(arg);
    return NULL;
}

static void quick_route_goes_on_where_the_latch_fires(void **state)
{
    pthread_t thread;

    (void)state;
    struct http_exchange *x = send("/quick-wait");
    assert_int_equal(atomic_load(&acts), 1);
    assert_int_equal(pthread_create(&thread, NULL, fire, latch), 0);
    wait_for(1);
    assert_true(slice_is(x->out.body, "\"fired\"\n"));
    assert_true(pthread_equal(ran_on, thread));
    pthread_join(thread, NULL);
}

/* --- The parking alone --------------------------------------------------------------------------
 */

static atomic_uint resumed[MANY];

static void count(void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

/* Latch, clock and end race for the same entries: each is resumed once. */
static void each_is_resumed_exactly_once(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        struct parking *p = parking_new();
        struct latch *l = latch_new();
        pthread_t thread;
        for (unsigned i = 0; i < MANY; i++)
            atomic_store(&resumed[i], 0);
        for (unsigned i = 0; i < 60; i++)
            parking_put(p, l, deadline_in(&CLOCK_SYSTEM, (int64_t)(i % 7) * NS_PER_MS / 4), count,
                        &resumed[i]);
        assert_int_equal(pthread_create(&thread, NULL, fire, l), 0);
        if (round % 2)
            parking_close(p);
        pthread_join(thread, NULL);
        parking_close(p);
        parking_free(p);
        latch_drop(l);
        for (unsigned i = 0; i < 60; i++)
            assert_int_equal(atomic_load(&resumed[i]), 1);
    }
}

static void latch_may_outlive_the_parking(void **state)
{
    atomic_uint n = 0;

    (void)state;
    struct parking *p = parking_new();
    struct latch *l = latch_new();
    parking_put(p, l, deadline_in(&CLOCK_SYSTEM, 600 * NS_PER_SEC), count, &n);
    parking_close(p);
    assert_int_equal(n, 1);
    parking_free(p);
    latch_fire(l);
    latch_drop(l);
    assert_int_equal(n, 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(latch_ends_the_wait),
        CASE(time_ends_the_wait),
        CASE(nothing_of_the_first_run_is_kept),
        CASE(second_run_may_fail),
        CASE(latch_that_fired_before_is_no_wait),
        CASE(two_hundred_wait_and_the_only_worker_is_free),
        CASE(end_of_service_ends_waits_and_allows_none),
        CASE(handler_waits_once),
        CASE(shorter_wait_ends_first),
        CASE(quick_routes_run_where_the_request_came_in),
        CASE(quick_route_goes_on_where_the_latch_fires),
        cmocka_unit_test(each_is_resumed_exactly_once),
        cmocka_unit_test(latch_may_outlive_the_parking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
