/* The validator: threads, targets, tries.  Time is a clock of the test that runs fast. */
#include "targets.h"

#include <dirent.h>

#define KEY_AUTHORIZATION "token.MFxT_XxYjKTpO-jRdcfdtbaX6IaRxvm-jpk5t-Jv7Bo"
#define RECORD            "3QV4Y-h4QBkvBuwdi8cFhB0NbHY3tv-6urqCE1dCOiY"

/* --- A clock that runs `speed` times as fast ----------------------------------------------------
 */

static int64_t speed = 1;

static int64_t fast_mono(struct clock *c UNUSED)
{
    return CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM) * speed;
}

static struct instant fast_now(struct clock *c UNUSED)
{
    return CLOCK_SYSTEM.now(&CLOCK_SYSTEM);
}

static struct clock FAST = {fast_now, fast_mono};

/* --- A resolver that the test governs -----------------------------------------------------------
 */

/* The name begins with what happens: "good", "bad", "flaky" (good from the third time), "wait"
 * (until released, or the deadline). */
static struct {
    struct resolver base;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool released;
    unsigned inside, most_inside, calls, flaky;
    struct slice record; /* of good names */
} R = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static bool wait_for_release(struct deadline d)
{
    while (!R.released && deadline_ok(d, NULL)) {
        struct timespec ts;
        clock_gettime(CLOCK_REALTIME, &ts);
        ts.tv_nsec += 5000000;
        if (ts.tv_nsec >= NS_PER_SEC) {
            ts.tv_nsec -= NS_PER_SEC;
            ts.tv_sec++;
        }
        pthread_cond_timedwait(&R.changed, &R.lock, &ts);
    }
    return R.released;
}

static bool decide(struct slice name, struct deadline d)
{
    if (slice_eq_case(slice_sub(name, 0, 20), SLICE("_acme-challenge.wait")))
        return wait_for_release(d);
    if (slice_starts(name, "_acme-challenge.flaky"))
        return ++R.flaky >= 3;
    return slice_starts(name, "_acme-challenge.good");
}

static bool governed_txt(struct resolver *base UNUSED, struct slice name, struct arena *a,
                         struct text_list *list, struct deadline d, struct err *e)
{
    pthread_mutex_lock(&R.lock);
    unsigned call = ++R.calls;
    R.inside++;
    if (R.inside > R.most_inside)
        R.most_inside = R.inside;
    bool good = decide(name, d);
    R.inside--;
    pthread_mutex_unlock(&R.lock);
    *list = (struct text_list){.v = arena_alloc(a, sizeof(*list->v)), .n = 1};
    list->v[0] = R.record;
    return good || err_set(e, ERR_UNAVAILABLE, "%.*s: try %u", SLICE_ARG(name), call);
}

static void release(void)
{
    pthread_mutex_lock(&R.lock);
    R.released = true;
    pthread_cond_broadcast(&R.changed);
    pthread_mutex_unlock(&R.lock);
}

/* --- Results ------------------------------------------------------------------------------------
 */

#define RESULTS_MAX 512

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n, valid, retry, records;
    char challenge[RESULTS_MAX][32], detail[RESULTS_MAX][256];
    enum acme_verdict verdict[RESULTS_MAX];
    bool was_busy;
    unsigned again;                  /* so often a result is wanted once more */
    bool late;                       /* the test says when a job is over */
    struct acme_validation_job *job; /* the last one then */
} GOT = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct acme_validator *W;

static void take(void *arg, const struct acme_validation *v, const struct acme_result *r,
                 struct acme_validation_job *job)
{
    bool busy = acme_validator_busy(W, v->challenge);

    must(arg == &GOT && slice_is(v->authorization, "authz") && slice_is(v->account, "account"));
    pthread_mutex_lock(&GOT.lock);
    must(GOT.n < RESULTS_MAX);
    GOT.was_busy = busy;
    snprintf(GOT.challenge[GOT.n], 32, "%.*s", SLICE_ARG(v->challenge));
    snprintf(GOT.detail[GOT.n], 256, "%.*s", SLICE_ARG(r->detail));
    GOT.verdict[GOT.n++] = r->verdict;
    GOT.records += v->challenge_record.p && v->authorization_record.p;
    GOT.valid += r->verdict == ACME_VALID;
    GOT.retry += r->verdict == ACME_RETRY;
    bool again = GOT.again > 0, late = GOT.late;
    GOT.again -= again;
    GOT.job = late ? job : NULL;
    pthread_cond_broadcast(&GOT.changed);
    pthread_mutex_unlock(&GOT.lock);
    if (late || (again && acme_validation_again(job, r)))
        return;
    acme_validation_over(job);
}

static void wait_for_results(unsigned n)
{
    pthread_mutex_lock(&GOT.lock);
    while (GOT.n < n)
        pthread_cond_wait(&GOT.changed, &GOT.lock);
    pthread_mutex_unlock(&GOT.lock);
}

static void set_up(int64_t times)
{
    struct acme_validation_settings s = {.resolver = &R.base,
                                         .clock = times == 1 ? &CLOCK_SYSTEM : &FAST};

    speed = times;
    R.base.txt = governed_txt;
    R.released = false;
    R.inside = R.most_inside = R.calls = R.flaky = 0;
    GOT.n = GOT.valid = GOT.retry = GOT.again = GOT.records = 0;
    GOT.late = false;
    W = acme_validator_new(&s, take, &GOT);
}

static struct latch *begin(const char *challenge, const char *name)
{
    struct acme_validation v = {.challenge = slice_text(challenge),
                                .authorization = SLICE("authz"),
                                .account = SLICE("account"),
                                .type = ACME_DNS_01,
                                .value = slice_text(name),
                                .token = SLICE("token"),
                                .key_authorization = SLICE(KEY_AUTHORIZATION),
                                .challenge_record = SLICE("{}"),
                                .authorization_record = SLICE("{}")};

    return acme_validator_start(W, &v);
}

static bool start(const char *challenge, const char *name)
{
    struct latch *over = begin(challenge, name);

    latch_drop(over);
    return over != NULL;
}

static unsigned inside(void)
{
    pthread_mutex_lock(&R.lock);
    unsigned n = R.inside;
    pthread_mutex_unlock(&R.lock);
    return n;
}

#define eventually(condition)                                                                      \
    do {                                                                                           \
        int tries_ = 0;                                                                            \
        while (!(condition) && tries_++ < 4000)                                                    \
            usleep(5000);                                                                          \
        assert_true(condition);                                                                    \
    } while (0)

/* --- Tests --------------------------------------------------------------------------------------
 */

static void a_validation_runs_and_is_told_once(void **state)
{
    (void)state;
    set_up(1);
    assert_false(acme_validator_busy(W, SLICE("c1")));
    assert_true(start("c1", "good.test"));
    wait_for_results(1);
    assert_int_equal(GOT.valid, 1);
    assert_true(GOT.was_busy); /* until the result is applied */
    assert_string_equal(GOT.challenge[0], "c1");
    eventually(!acme_validator_busy(W, SLICE("c1")));
    acme_validator_stop(W);
    assert_int_equal(GOT.n, 1);
}

static void a_challenge_has_one_job(void **state)
{
    (void)state;
    set_up(1);
    assert_true(start("c1", "wait.test"));
    assert_true(start("c1", "wait.test"));
    assert_true(start("c1", "wait.test"));
    assert_true(acme_validator_busy(W, SLICE("c1")));
    assert_false(acme_validator_busy(W, SLICE("c2")));
    eventually(inside() == 1);
    release();
    wait_for_results(1);
    eventually(!acme_validator_busy(W, SLICE("c1")));
    assert_true(start("c1", "good.test")); /* again, later */
    wait_for_results(2);
    acme_validator_stop(W);
    assert_int_equal(GOT.n, 2);
    assert_int_equal(R.calls, 2);
}

static void two_hundred_run_at_a_time(void **state)
{
    char id[32], name[32];

    (void)state;
    set_up(1);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        snprintf(name, sizeof(name), "wait%u.test", i);
        assert_true(start(id, name));
    }
    eventually(inside() == 200);
    release();
    wait_for_results(200);
    acme_validator_stop(W);
    assert_int_equal(GOT.valid, 200);
}

static void a_target_has_eight_visitors(void **state)
{
    char id[32];

    (void)state;
    set_up(1);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        assert_true(start(id, i % 2 ? "wait.test" : "WAIT.test"));
    }
    eventually(inside() == 8);
    assert_true(start("other", "good.test")); /* is delayed by nobody */
    wait_for_results(1);
    assert_string_equal(GOT.challenge[0], "other");
    assert_int_equal(R.most_inside, 9);
    release();
    wait_for_results(41);
    acme_validator_stop(W);
    assert_int_equal(GOT.valid, 41);
}

static void silence_of_one_target_ends_for_all_of_it(void **state)
{
    char id[32];

    (void)state;
    set_up(100); /* 30 s are 0.3 s */
    for (unsigned i = 0; i < 60; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        assert_true(start(id, "wait.test"));
    }
    wait_for_results(60);
    acme_validator_stop(W);
    assert_int_equal(GOT.retry, 60);
    unsigned without_turn = 0;
    for (unsigned i = 0; i < 60; i++)
        without_turn += strstr(GOT.detail[i], "too many validations") != NULL;
    assert_true(without_turn > 0 && without_turn < 60);
}

static void transient_failures_are_tried_again(void **state)
{
    (void)state;
    set_up(10);
    assert_true(start("c1", "flaky.test"));
    wait_for_results(1);
    acme_validator_stop(W);
    assert_int_equal(GOT.valid, 1);
    assert_int_equal(R.flaky, 3);
}

static void the_last_failure_is_told_after_half_a_minute(void **state)
{
    (void)state;
    set_up(10);
    assert_true(start("c1", "bad.test"));
    wait_for_results(1);
    acme_validator_stop(W);
    assert_int_equal(GOT.retry, 1);
    assert_true(R.calls >= 2 && R.calls <= 6); /* pauses of 1/2, 1, 2, 4, 8 s fit */
    char expected[32];
    snprintf(expected, sizeof(expected), "try %u", R.calls);
    assert_non_null(strstr(GOT.detail[0], expected));
}

static void many_pause_and_all_come_back(void **state)
{
    char id[32], name[32];

    (void)state;
    set_up(100);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        snprintf(name, sizeof(name), "bad%u.test", i);
        assert_true(start(id, name));
    }
    wait_for_results(100);
    acme_validator_stop(W);
    assert_int_equal(GOT.retry, 100);
}

static unsigned count_threads(void)
{
    DIR *d = opendir("/proc/self/task");
    unsigned n = 0;

    must(d);
    for (struct dirent *entry; (entry = readdir(d));)
        n += entry->d_name[0] != '.';
    closedir(d);
    return n;
}

static void idle_threads_leave(void **state)
{
    char id[32], name[32];
    unsigned before = count_threads();

    (void)state;
    set_up(100); /* 10 s are 0.1 s */
    for (unsigned i = 0; i < 50; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        snprintf(name, sizeof(name), "wait%u.test", i);
        assert_true(start(id, name));
    }
    eventually(count_threads() >= 50);
    release();
    wait_for_results(50);
    eventually(count_threads() <= before);
    assert_true(start("again", "good.test"));
    wait_for_results(51);
    acme_validator_stop(W);
}

static void stop_drops_what_waits_and_cuts_what_runs(void **state)
{
    char id[32];

    (void)state;
    set_up(1);
    for (unsigned i = 0; i < 20; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        assert_true(start(id, "wait.test"));
    }
    eventually(inside() == 8);
    acme_validator_stop(W); /* nobody releases them */
    assert_int_equal(GOT.n, 0);
    acme_validator_stop(NULL);
}

static void stop_lets_results_be_told(void **state)
{
    (void)state;
    set_up(1);
    assert_true(start("c1", "wait.test"));
    eventually(inside() == 1);
    release();
    acme_validator_stop(W);
    assert_int_equal(GOT.valid, 1);
}

/* Whoever is told finds the job gone and its result applied. */
static void look_around(void *arg)
{
    *(bool *)arg = !acme_validator_busy(W, SLICE("c1")) && GOT.n == 1;
}

static void who_waits_is_told_when_it_is_over(void **state)
{
    bool seen = false;

    (void)state;
    set_up(1);
    struct latch *over = begin("c1", "wait.test"), *same = begin("c1", "wait.test");
    assert_ptr_equal(over, same);
    latch_drop(same);
    assert_true(latch_tell(over, look_around, &seen));
    eventually(inside() == 1);
    assert_false(latch_fired(over));
    release();
    assert_true(latch_wait(over, deadline_in(&CLOCK_SYSTEM, 10 * NS_PER_SEC)));
    latch_drop(over);
    acme_validator_stop(W);
    assert_true(seen);
}

static void who_waits_is_told_of_a_first_failure(void **state)
{
    (void)state;
    set_up(1);
    struct latch *news = begin("c1", "bad.test");
    assert_true(latch_wait(news, deadline_in(&CLOCK_SYSTEM, 10 * NS_PER_SEC)));
    assert_true(acme_validator_busy(W, SLICE("c1"))); /* it goes on */
    assert_int_equal(GOT.n, 0);
    latch_drop(news);
    acme_validator_stop(W);
}

static void who_waits_is_told_of_the_end(void **state)
{
    char id[] = "c0";

    (void)state;
    set_up(1);
    for (; id[1] < '8'; id[1]++)
        assert_true(start(id, "wait.test"));
    struct latch *news = begin("c8", "wait.test"); /* stands in line */
    eventually(inside() == 8);
    assert_false(latch_fired(news));
    acme_validator_stop(W);
    assert_true(latch_fired(news));
    latch_drop(news);
}

static void a_result_is_told_again_when_asked_for(void **state)
{
    (void)state;
    set_up(1);
    GOT.again = 3;
    struct latch *over = begin("c1", "good.test");
    assert_true(latch_wait(over, DEADLINE_NONE));
    latch_drop(over);
    acme_validator_stop(W);
    assert_int_equal(GOT.n, 4);
    assert_int_equal(GOT.valid, 4);
    assert_int_equal(R.calls, 1);     /* looked at once */
    assert_int_equal(GOT.records, 1); /* the others read them anew */
}

static void a_result_is_not_told_for_ever(void **state)
{
    (void)state;
    set_up(1);
    GOT.again = 1000;
    struct latch *over = begin("c1", "good.test");
    assert_true(latch_wait(over, DEADLINE_NONE));
    latch_drop(over);
    acme_validator_stop(W);
    assert_int_equal(GOT.n, 10);
}

static void *end_the_job(void *arg)
{
    usleep(50000);
    acme_validation_over(arg);
    return NULL;
}

static void a_job_is_over_when_another_thread_says_so(void **state)
{
    pthread_t thread;

    (void)state;
    set_up(1);
    GOT.late = true;
    struct latch *over = begin("c1", "good.test");
    wait_for_results(1);
    assert_true(acme_validator_busy(W, SLICE("c1")));
    assert_false(latch_fired(over));
    assert_true(start("c1", "good.test")); /* the same job */
    assert_int_equal(pthread_create(&thread, NULL, end_the_job, GOT.job), 0);
    acme_validator_stop(W); /* not before that */
    assert_true(latch_fired(over));
    latch_drop(over);
    pthread_join(thread, NULL);
    assert_int_equal(GOT.n, 1);
}

/* Eight results of one target are on their way into the store: the ninth job begins when one of
 * them is there, although no thread of ours looks at it. */
static void a_full_target_goes_on_when_a_job_is_over(void **state)
{
    struct acme_validation_job *jobs[8];
    char id[32];

    (void)state;
    set_up(1);
    GOT.late = true;
    for (unsigned i = 0; i < 8; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        assert_true(start(id, "good.test"));
        wait_for_results(i + 1);
        jobs[i] = GOT.job;
    }
    assert_true(start("c8", "good.test"));
    usleep(50000);
    assert_int_equal(R.calls, 8);
    GOT.late = false;
    acme_validation_over(jobs[0]);
    wait_for_results(9);
    for (unsigned i = 1; i < 8; i++)
        acme_validation_over(jobs[i]);
    acme_validator_stop(W);
    assert_int_equal(GOT.valid, 9);
}

static void only_network_challenges_run_here(void **state)
{
    struct acme_validation v = {.challenge = SLICE("c1"), .type = ACME_DEVICE_ATTEST_01};

    (void)state;
    set_up(1);
    assert_null(acme_validator_start(W, &v));
    v.type = ACME_CHALLENGE_TYPES;
    assert_null(acme_validator_start(W, &v));
    acme_validator_stop(W);
}

static void too_many_are_refused(void **state)
{
    char id[32];
    unsigned started = 0;

    (void)state;
    set_up(1);
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        started += start(id, "wait.test");
    }
    assert_int_equal(started, 4096);
    acme_validator_stop(W);
}

static int group_up(void **state)
{
    R.record = SLICE(RECORD);
    return arena_up(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_validation_runs_and_is_told_once),
        cmocka_unit_test(a_challenge_has_one_job),
        cmocka_unit_test(two_hundred_run_at_a_time),
        cmocka_unit_test(a_target_has_eight_visitors),
        cmocka_unit_test(silence_of_one_target_ends_for_all_of_it),
        cmocka_unit_test(transient_failures_are_tried_again),
        cmocka_unit_test(the_last_failure_is_told_after_half_a_minute),
        cmocka_unit_test(many_pause_and_all_come_back),
        cmocka_unit_test(idle_threads_leave),
        cmocka_unit_test(stop_drops_what_waits_and_cuts_what_runs),
        cmocka_unit_test(stop_lets_results_be_told),
        cmocka_unit_test(who_waits_is_told_when_it_is_over),
        cmocka_unit_test(who_waits_is_told_of_a_first_failure),
        cmocka_unit_test(who_waits_is_told_of_the_end),
        cmocka_unit_test(a_result_is_told_again_when_asked_for),
        cmocka_unit_test(a_result_is_not_told_for_ever),
        cmocka_unit_test(a_job_is_over_when_another_thread_says_so),
        cmocka_unit_test(a_full_target_goes_on_when_a_job_is_over),
        cmocka_unit_test(only_network_challenges_run_here),
        cmocka_unit_test(too_many_are_refused),
    };

    return cmocka_run_group_tests(tests, group_up, arena_down);
}
