/*
 * The worker pool, gates, latches, references.  Jobs meet at counters under one lock; a test that
 * hangs is ended by the runner, so nothing here measures time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/pool.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int started, inside, most, done;
static bool go;

static void reset(void)
{
    started = inside = most = done = 0;
    go = false;
}

static void await(const int *counter, int value)
{
    pthread_mutex_lock(&lock);
    while (*counter < value)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void await_go(void)
{
    pthread_mutex_lock(&lock);
    while (!go)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void let_go(void)
{
    pthread_mutex_lock(&lock);
    go = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void enter(void)
{
    pthread_mutex_lock(&lock);
    started++;
    if (++inside > most)
        most = inside;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void leave(void)
{
    pthread_mutex_lock(&lock);
    inside--;
    done++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int value_of(const int *counter)
{
    pthread_mutex_lock(&lock);
    int v = *counter;
    pthread_mutex_unlock(&lock);
    return v;
}

static void job_short(struct job *job UNUSED)
{
    enter();
    leave();
}

static void job_until_go(struct job *job UNUSED)
{
    enter();
    await_go();
    leave();
}

static void job_declares_its_wait(struct job *job UNUSED)
{
    enter();
    pool_wait_begin();
    pool_wait_begin(); /* they may nest */
    await_go();
    pool_wait_end();
    pool_wait_end();
    leave();
}

static void every_job_runs_once(void **state UNUSED)
{
    enum { N = 5000 };
    struct pool *p = pool_new(2, 8, N);
    struct job *jobs = xcalloc(N, sizeof(*jobs));

    reset();
    for (size_t i = 0; i < N; i++) {
        jobs[i].run = job_short;
        assert_true(pool_post(p, &jobs[i]));
    }
    pool_stop(p);
    assert_int_equal(done, N);
    assert_true(most <= 2);
    free(jobs);
}

static void no_more_than_running_jobs_run(void **state UNUSED)
{
    struct pool *p = pool_new(2, 16, 100);
    struct job jobs[6];

    reset();
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        jobs[i].run = job_until_go;
        assert_true(pool_post(p, &jobs[i]));
    }
    await(&started, 2);
    usleep(20000); /* a third would have started by now, most probably */
    assert_int_equal(value_of(&started), 2);
    let_go();
    pool_stop(p);
    assert_int_equal(done, 6);
    assert_int_equal(most, 2);
}

static void declared_waits_let_more_jobs_run(void **state UNUSED)
{
    struct pool *p = pool_new(1, 64, 100);
    struct job waiting[20], last = {.run = job_short};

    reset();
    for (size_t i = 0; i < COUNT_OF(waiting); i++) {
        waiting[i].run = job_declares_its_wait;
        assert_true(pool_post(p, &waiting[i]));
    }
    await(&started, 20);
    assert_true(pool_post(p, &last));
    await(&done, 1);
    let_go();
    pool_stop(p);
    assert_int_equal(done, 21);
}

static void threads_have_a_maximum(void **state UNUSED)
{
    struct pool *p = pool_new(1, 3, 100);
    struct job waiting[5];

    reset();
    for (size_t i = 0; i < COUNT_OF(waiting); i++) {
        waiting[i].run = job_declares_its_wait;
        assert_true(pool_post(p, &waiting[i]));
    }
    await(&started, 3);
    usleep(20000);
    assert_int_equal(value_of(&started), 3);
    let_go();
    pool_stop(p);
    assert_int_equal(done, 5);
}

static void a_full_queue_refuses(void **state UNUSED)
{
    struct pool *p = pool_new(1, 1, 2);
    struct job jobs[4];

    reset();
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        jobs[i].run = job_until_go;
    assert_true(pool_post(p, &jobs[0]));
    await(&started, 1);
    assert_true(pool_post(p, &jobs[1]));
    assert_true(pool_post(p, &jobs[2]));
    assert_false(pool_post(p, &jobs[3]));
    let_go();
    await(&done, 3);
    assert_true(pool_post(p, &jobs[3]));
    pool_stop(p);
    assert_int_equal(done, 4);
}

struct posting {
    struct job job;
    struct pool *pool;
    struct job child;
    bool posted;
};

static void job_posts_another(struct job *job)
{
    struct posting *self = (struct posting *)job;

    enter();
    await_go();
    self->posted = pool_post(self->pool, &self->child);
    leave();
}

static void *stop_pool(void *arg)
{
    pool_stop(arg);
    return NULL;
}

static void stopping_runs_what_is_queued_and_refuses_the_rest(void **state UNUSED)
{
    struct pool *p = pool_new(1, 4, 100);
    struct posting first = {{.run = job_posts_another}, p, {.run = job_short}, false};
    struct posting late = {{.run = job_posts_another}, p, {.run = job_short}, true};
    struct job queued[10];
    pthread_t thread;

    reset();
    /* while it works, a job may post another one */
    assert_true(pool_post(p, &first.job));
    let_go();
    await(&done, 2);
    assert_true(first.posted);

    reset();
    assert_true(pool_post(p, &late.job));
    await(&started, 1);
    for (size_t i = 0; i < COUNT_OF(queued); i++) {
        queued[i].run = job_short;
        assert_true(pool_post(p, &queued[i]));
    }
    assert_int_equal(pthread_create(&thread, NULL, stop_pool, p), 0);
    usleep(50000); /* now it is stopping */
    let_go();
    pthread_join(thread, NULL);
    assert_false(late.posted);
    assert_int_equal(done, 11);
}

static void an_idle_pool_stops(void **state UNUSED)
{
    struct job job = {.run = job_short};

    pool_stop(pool_new(4, 8, 1));
    pool_stop(NULL);
    struct pool *p = pool_new(4, 8, 1);
    reset();
    assert_true(pool_post(p, &job));
    await(&done, 1);
    usleep(10000); /* asleep */
    pool_stop(p);
}

static void outside_a_pool_waits_mean_nothing(void **state UNUSED)
{
    pool_wait_begin();
    pool_wait_end();
}

/* --- Gate ------------------------------------------------------------------------------------ */

static struct gate gate;
static atomic_int in_gate, most_in_gate, refused;

static void job_through_gate(struct job *job UNUSED)
{
    if (!gate_enter(&gate, DEADLINE_NONE, NULL)) {
        atomic_fetch_add(&refused, 1);
        return;
    }
    int now = atomic_fetch_add(&in_gate, 1) + 1;
    for (int seen = atomic_load(&most_in_gate);
         now > seen && !atomic_compare_exchange_weak(&most_in_gate, &seen, now);)
        ;
    usleep(200);
    atomic_fetch_sub(&in_gate, 1);
    gate_leave(&gate);
    enter();
    leave();
}

static void a_gate_lets_its_limit_in(void **state UNUSED)
{
    struct pool *p = pool_new(8, 64, 1000);
    struct job jobs[200];

    reset();
    gate_init(&gate, 3);
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        jobs[i].run = job_through_gate;
        assert_true(pool_post(p, &jobs[i]));
    }
    pool_stop(p);
    assert_int_equal(done, 200);
    assert_int_equal(atomic_load(&refused), 0);
    assert_true(atomic_load(&most_in_gate) <= 3);
    gate_destroy(&gate);
}

static void a_full_gate_refuses_at_the_deadline(void **state UNUSED)
{
    struct err e = {0};
    atomic_bool cancelled = true;
    struct deadline d = deadline_in(&CLOCK_SYSTEM, 10 * NS_PER_SEC);

    gate_init(&gate, 1);
    assert_true(gate_enter(&gate, deadline_in(&CLOCK_SYSTEM, 0), &e)); /* free: no wait needed */
    assert_false(gate_enter(&gate, deadline_in(&CLOCK_SYSTEM, 5 * NS_PER_MS), &e));
    assert_int_equal(e.kind, ERR_UNAVAILABLE);
    d.cancelled = &cancelled;
    assert_false(gate_enter(&gate, d, NULL));
    gate_leave(&gate);
    assert_true(gate_enter(&gate, d, NULL));
    gate_leave(&gate);
    gate_destroy(&gate);
}

static void job_in_closed_gate(struct job *job UNUSED)
{
    enter();
    assert_true(gate_enter(&gate, DEADLINE_NONE, NULL));
    gate_leave(&gate);
    leave();
}

static void waiting_at_a_gate_is_declared(void **state UNUSED)
{
    struct pool *p = pool_new(1, 8, 100);
    struct job waiting[4], other = {.run = job_short};

    reset();
    gate_init(&gate, 1);
    assert_true(gate_enter(&gate, DEADLINE_NONE, NULL));
    for (size_t i = 0; i < COUNT_OF(waiting); i++) {
        waiting[i].run = job_in_closed_gate;
        assert_true(pool_post(p, &waiting[i]));
    }
    await(&started, 4);
    assert_true(pool_post(p, &other));
    await(&done, 1);
    gate_leave(&gate);
    pool_stop(p);
    assert_int_equal(done, 5);
    gate_destroy(&gate);
}

/* --- Latch ----------------------------------------------------------------------------------- */

static atomic_int told;

static void tell(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static struct latch *latch;

static void job_waits_for_latch(struct job *job UNUSED)
{
    enter();
    assert_true(latch_wait(latch, deadline_in(&CLOCK_SYSTEM, 60 * NS_PER_SEC)));
    leave();
}

static void a_latch_wakes_all_who_wait(void **state UNUSED)
{
    struct pool *p = pool_new(1, 16, 100);
    struct job jobs[10];

    reset();
    latch = latch_new();
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        jobs[i].run = job_waits_for_latch;
        assert_true(pool_post(p, &jobs[i]));
    }
    await(&started, 10);
    assert_false(latch_fired(latch));
    latch_fire(latch);
    assert_true(latch_fired(latch));
    pool_stop(p);
    assert_int_equal(done, 10);
    latch_drop(latch);
}

static void a_latch_tells_each_listener_once(void **state UNUSED)
{
    struct latch *l = latch_new();

    atomic_store(&told, 0);
    for (int i = 0; i < 64; i++)
        assert_true(latch_tell(l, tell, &told));
    assert_false(latch_tell(l, tell, &told));
    assert_int_equal(atomic_load(&told), 0);
    latch_fire(l);
    assert_int_equal(atomic_load(&told), 64);
    latch_fire(l);
    assert_int_equal(atomic_load(&told), 64);
    assert_true(latch_tell(l, tell, &told)); /* at once */
    assert_int_equal(atomic_load(&told), 65);
    latch_drop(latch_take(l));
    latch_drop(l);
    latch_drop(NULL);
}

static void drop_it(void *arg)
{
    latch_drop(arg);
}

static void a_listener_may_drop_the_latch(void **state UNUSED)
{
    struct latch *l = latch_new();

    assert_true(latch_tell(l, drop_it, l));
    latch_fire(l);
}

static void waiting_for_a_latch_ends_at_the_deadline(void **state UNUSED)
{
    struct latch *l = latch_new();

    assert_false(latch_wait(l, deadline_in(&CLOCK_SYSTEM, 5 * NS_PER_MS)));
    latch_fire(l);
    assert_true(latch_wait(l, deadline_in(&CLOCK_SYSTEM, 0)));
    assert_true(latch_wait(l, DEADLINE_NONE));
    latch_drop(l);
}

/* --- References ------------------------------------------------------------------------------ */

static int lasts;

static void last(struct ref *r UNUSED)
{
    lasts++;
}

static void the_last_reference_ends_it(void **state UNUSED)
{
    struct ref r;

    ref_init(&r, last);
    ref_take(&r);
    ref_drop(&r);
    assert_int_equal(lasts, 0);
    ref_drop(&r);
    assert_int_equal(lasts, 1);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(every_job_runs_once),
        cmocka_unit_test(no_more_than_running_jobs_run),
        cmocka_unit_test(declared_waits_let_more_jobs_run),
        cmocka_unit_test(threads_have_a_maximum),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(stopping_runs_what_is_queued_and_refuses_the_rest),
        cmocka_unit_test(an_idle_pool_stops),
        cmocka_unit_test(outside_a_pool_waits_mean_nothing),
        cmocka_unit_test(a_gate_lets_its_limit_in),
        cmocka_unit_test(a_full_gate_refuses_at_the_deadline),
        cmocka_unit_test(waiting_at_a_gate_is_declared),
        cmocka_unit_test(a_latch_wakes_all_who_wait),
        cmocka_unit_test(a_latch_tells_each_listener_once),
        cmocka_unit_test(a_listener_may_drop_the_latch),
        cmocka_unit_test(waiting_for_a_latch_ends_at_the_deadline),
        cmocka_unit_test(the_last_reference_ends_it),
    };

    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
