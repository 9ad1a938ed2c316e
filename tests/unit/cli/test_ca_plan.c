/* When a certificate is renewed, and what happens then: the parts that are pure. */
#include <signal.h>
#include <sys/wait.h>

#include "capture.h"
#include "cli/ca_renew.h"
#include "cli/program.h"

#define HOUR   (3600 * NS_PER_SEC)
#define MINUTE (60 * NS_PER_SEC)
#define T0     INT64_C(1800000000)

static struct arena *A;

static int setup(void **state)
{
    A = arena_new(&HEAP_USUAL);
    return scratch_setup(state);
}

static int teardown(void **state)
{
    arena_free(A);
    return scratch_teardown(state);
}

/* Randomness that a test sets: the same number again and again. */
static uint64_t DRAW;
static void fill_draw(struct rng *r, void *p, size_t n)
{
    (void)r;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)(i < 8 ? DRAW >> (8 * i) : 0);
}
static struct rng RNG_DRAW = {fill_draw};

/* A day, from T0. */
static struct cert day(void)
{
    return (struct cert){.not_before = {T0, 0}, .not_after = {T0 + 24 * 3600, 0}};
}

static struct instant at(int64_t ns_after)
{
    return instant_add(instant_sec(T0), ns_after);
}

/* --- Timing ---------------------------------------------------------------------------------- */

static void daemon_waits_for_two_thirds_less_a_bit_of_chance(void **state)
{
    struct cert leaf = day();
    struct renew_timing t = {0};

    (void)state;
    DRAW = 0;
    assert_true(renew_next(&leaf, &t, at(0), &RNG_DRAW) == 16 * HOUR);
    assert_true(renew_next(&leaf, &t, at(6 * HOUR), &RNG_DRAW) == 10 * HOUR);
    assert_true(renew_next(&leaf, &t, at(16 * HOUR), &RNG_DRAW) == 0);
    assert_true(renew_next(&leaf, &t, at(30 * HOUR), &RNG_DRAW) == 0);
    DRAW = UINT64_C(72) * 60 * 1000000000 - 1; /* P/20 is 72 minutes */
    assert_true(renew_next(&leaf, &t, at(0), &RNG_DRAW) == 16 * HOUR - 72 * MINUTE + 1);
    DRAW = UINT64_C(72) * 60 * 1000000000;
    assert_true(renew_next(&leaf, &t, at(0), &RNG_DRAW) == 16 * HOUR);
    /* Less than P/20 to wait: anywhere in it. */
    DRAW = 7;
    assert_true(renew_next(&leaf, &t, at(15 * HOUR + 30 * MINUTE), &RNG_DRAW) == 7);
}

static void daemon_honours_expires_in_and_period(void **state)
{
    struct cert leaf = day();
    struct renew_timing early = {.has_expires_in = true, .expires_in = 20 * HOUR};
    struct renew_timing period = {.period = 5 * HOUR};

    (void)state;
    DRAW = 0;
    assert_true(renew_next(&leaf, &early, at(0), &RNG_DRAW) == 4 * HOUR);
    assert_true(renew_next(&leaf, &period, at(0), &RNG_DRAW) == 5 * HOUR);
    assert_true(renew_next(&leaf, &period, at(18 * HOUR), &RNG_DRAW) == 5 * HOUR);
    assert_true(renew_next(&leaf, &period, at(19 * HOUR), &RNG_DRAW) == 0);
}

static void daemons_spread_over_a_twentieth(void **state)
{
    struct cert leaf = day();
    struct renew_timing t = {0};
    int64_t least = INT64_MAX, most = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t wait = renew_next(&leaf, &t, at(0), &RNG_SYSTEM);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_true(least > 16 * HOUR - 72 * MINUTE && most <= 16 * HOUR);
    assert_true(most - least > 60 * MINUTE);
}

static void one_run_is_due_when_little_is_left(void **state)
{
    struct cert leaf = day();

    (void)state;
    DRAW = 0;
    assert_false(renew_due(&leaf, 8 * HOUR, at(16 * HOUR - 1), &RNG_DRAW));
    assert_true(renew_due(&leaf, 8 * HOUR, at(16 * HOUR), &RNG_DRAW));
    assert_true(renew_due(&leaf, 8 * HOUR, at(40 * HOUR), &RNG_DRAW));
    assert_true(renew_due(&leaf, 24 * HOUR, at(0), &RNG_DRAW));
    DRAW = UINT64_C(20) * 60 * 1000000000; /* of at most 8 h / 20 */
    assert_true(renew_due(&leaf, 8 * HOUR, at(16 * HOUR - 20 * MINUTE), &RNG_DRAW));
    assert_false(renew_due(&leaf, 8 * HOUR, at(16 * HOUR - 21 * MINUTE), &RNG_DRAW));
}

static void failures_are_retried_less_and_less_often(void **state)
{
    struct cert leaf = day(), brief = day();

    (void)state;
    assert_true(renew_retry(&leaf, at(16 * HOUR), 1) == MINUTE);
    assert_true(renew_retry(&leaf, at(16 * HOUR), 2) == 2 * MINUTE);
    assert_true(renew_retry(&leaf, at(16 * HOUR), 4) == 8 * MINUTE);
    assert_true(renew_retry(&leaf, at(16 * HOUR), 8) == 72 * MINUTE);
    assert_true(renew_retry(&leaf, at(16 * HOUR), 4000000000u) == 72 * MINUTE);
    /* Always once more before the end. */
    assert_true(renew_retry(&leaf, at(23 * HOUR + 30 * MINUTE), 8) == 15 * MINUTE);
    assert_true(renew_retry(&leaf, at(24 * HOUR - 1), 1) == NS_PER_SEC);
    assert_true(renew_retry(&leaf, at(25 * HOUR), 1) == MINUTE);
    brief.not_after = instant_sec(T0 + 120);
    assert_true(renew_retry(&brief, at(0), 1) == 6 * NS_PER_SEC);
}

static void rounding_is_to_whole_seconds(void **state)
{
    (void)state;
    assert_true(renew_rounded(1499999999) == NS_PER_SEC);
    assert_true(renew_rounded(1500000000) == 2 * NS_PER_SEC);
    assert_true(renew_rounded(-1500000000) == -2 * NS_PER_SEC);
    assert_true(renew_rounded(0) == 0);
}

/* --- Words ----------------------------------------------------------------------------------- */

static void words_are_split_with_quotes_honoured(void **state)
{
    static const struct {
        const char *text, *words[5];
    } CASES[] = {
        {"nginx", {"nginx"}},
        {"  systemctl\treload  nginx ", {"systemctl", "reload", "nginx"}},
        {"a 'b c' d", {"a", "b c", "d"}},
        {"a \"b c\"d", {"a", "b cd"}},
        {"a b\\ c", {"a", "b c"}},
        {"'a\\b' \"c\\d\\\"\\\\\"", {"a\\b", "c\\d\"\\"}},
        {"a '' \"\"", {"a", "", ""}},
        {"echo $HOME; `id` | x > y", {"echo", "$HOME;", "`id`", "|", "x"}},
        {"it\\'s", {"it's"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        char **argv;
        size_t n;
        if (!program_split(A, slice_text(CASES[i].text), &argv, &n, &e))
            fail_msg("%s: %s", CASES[i].text, e.text);
        for (size_t k = 0; k < 5 && CASES[i].words[k]; k++)
            assert_string_equal(argv[k], CASES[i].words[k]);
        assert_null(argv[n]);
    }
}

static void words_that_do_not_end_are_refused(void **state)
{
    static const char *const CASES[] = {"", "  ", "a 'b", "a \"b", "a\\", "\"a\\\""};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        char **argv;
        size_t n;
        assert_false(program_split(A, slice_text(CASES[i]), &argv, &n, &e));
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

static void program_runs_without_a_shell(void **state)
{
    char tee[] = "tee", fails[] = "false", absent[] = "/does/not/exist";
    char *copy[] = {tee, (char *)scratch_path("out"), NULL}, *no[] = {fails, NULL},
         *gone[] = {absent, NULL};
    struct err e = {0};

    (void)state;
    assert_true(program_run(copy, SLICE("$(id)"), &e));
    assert_string_equal(scratch_get("out"), "$(id)");
    assert_false(program_run(no, SLICE_NONE, &e));
    assert_non_null(strstr(e.text, "status 1"));
    assert_false(program_run(gone, SLICE_NONE, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_true(program_exists("tee"));
    assert_false(program_exists("no-such-program-anywhere"));
}

/* --- Signals --------------------------------------------------------------------------------- */

static void pid_file_holds_one_process_that_may_be_signalled(void **state)
{
    static const struct {
        const char *text;
        int64_t pid; /* 0: refused */
    } CASES[] = {{"1234", 1234}, {" 99 \n", 99}, {"2", 2},     {"1", 0},          {"0", 0},
                 {"-5", 0},      {"", 0},        {"12 34", 0}, {"4294967298", 0}, {"x", 0}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        int64_t pid = 0;
        scratch_put("pid", CASES[i].text);
        bool ok = pid_file_read(A, scratch_path("pid"), &pid, &e);
        if (ok != (CASES[i].pid != 0) || pid != CASES[i].pid)
            fail_msg("\"%s\": %lld %s", CASES[i].text, (long long)pid, e.text);
    }
    struct err e = {0};
    int64_t pid;
    assert_false(pid_file_read(A, scratch_path("none"), &pid, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_false(pid_file_read(A, scratch, &pid, &e));
}

static void root_does_not_believe_what_others_write(void **state)
{
    struct err e = {0};
    int64_t pid;

    (void)state;
    if (geteuid() != 0)
        skip();
    scratch_put("pid", "1234");
    assert_int_equal(chmod(scratch_path("pid"), 0666), 0);
    assert_false(pid_file_read(A, scratch_path("pid"), &pid, &e));
    assert_int_equal(e.kind, ERR_FORBIDDEN);
    assert_int_equal(chmod(scratch_path("pid"), 0644), 0);
    assert_true(pid_file_read(A, scratch_path("pid"), &pid, &e));
    assert_int_equal(chown(scratch_path("pid"), 65534, 65534), 0);
    assert_false(pid_file_read(A, scratch_path("pid"), &pid, &e));
}

static void process_gets_the_signal(void **state)
{
    pid_t child = fork();
    struct renew_after after = {.signal = SIGTERM};
    struct err e = {0};
    int status;

    (void)state;
    if (child == 0) {
        for (;;)
            pause();
    }
    scratch_put("pid", arena_printf(A, "%d\n", (int)child));
    after.pid_file = scratch_path("pid");
    assert_true(renew_after_run(A, &after, &e));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* --- Reasons --------------------------------------------------------------------------------- */

static void reason_is_a_number_or_a_name(void **state)
{
    static const struct {
        const char *text;
        int code; /* -1: refused */
    } CASES[] = {
        {"", 0},
        {NULL, 0},
        {"0", 0},
        {"4", 4},
        {"7", 7},
        {"10", 10},
        {"11", -1},
        {"-1", -1},
        {"4x", -1},
        {"bogus", -1},
        {"unspecified", 0},
        {"KeyCompromise", 1},
        {"key compromise", 1},
        {" CA  Compromise ", 2},
        {"AFFILIATIONCHANGED", 3},
        {"superseded", 4},
        {"Cessation Of Operation", 5},
        {"certificateHold", 6},
        {"RemoveFromCRL", 8},
        {"PrivilegeWithdrawn", 9},
        {"AACompromise", 10},
        {"PrivilegeWithdrawnPrivilegeWithdrawnPrivilegeWithdrawn", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        int code = -1;
        bool ok = revoke_reason_read(slice_text(CASES[i].text), &code, &e);
        if (ok != (CASES[i].code >= 0) || (ok && code != CASES[i].code))
            fail_msg("\"%s\": %d %s", CASES[i].text, code, e.text);
        assert_true(ok || strstr(e.text, "'--reasonCode'"));
    }
}

int main(void)
{
    (void)capture_run;
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(daemon_waits_for_two_thirds_less_a_bit_of_chance),
        T(daemon_honours_expires_in_and_period),
        T(daemons_spread_over_a_twentieth),
        T(one_run_is_due_when_little_is_left),
        T(failures_are_retried_less_and_less_often),
        T(rounding_is_to_whole_seconds),
        T(words_are_split_with_quotes_honoured),
        T(words_that_do_not_end_are_refused),
        T(program_runs_without_a_shell),
        T(pid_file_holds_one_process_that_may_be_signalled),
        T(root_does_not_believe_what_others_write),
        T(process_gets_the_signal),
        T(reason_is_a_number_or_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
