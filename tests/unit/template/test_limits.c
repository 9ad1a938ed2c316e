/* A template cannot hang or exhaust the process: each bound, reached in every way there is. */
#include "template_testing.h"

#include <pthread.h>

/* A clock that moves a millisecond with every look: time limits do not depend on the machine. */
static int64_t ticks;

static struct instant tick_now(struct clock *c)
{
    (void)c;
    return instant_sec(1700000000);
}

static int64_t tick_mono(struct clock *c)
{
    (void)c;
    return ticks += NS_PER_MS;
}

static struct clock TICKING = {tick_now, tick_mono};

/* Patience for slow machines where another limit is tested. */
static void be_patient(struct attempt *t)
{
    t->limits.time_ns = 60 * NS_PER_SEC;
}

static void output_is_bounded(void **state)
{
    static const char *const TEXTS[] = {
        "{{ range until 2000 }}{{ repeat 1000 \"x\" }}{{ end }}",
        "{{ $s := repeat 100000 \"x\" }}{{ range 20 }}{{ $s }}{{ end }}",
        "{{ $l := list 1 2 }}{{ range 18 }}{{ $l = list $l $l }}{{ end }}{{ $l }}{{ $l }}",
    };
    struct attempt *t = *state;

    be_patient(t);
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        assert_error(t, TEXTS[i], ERR_TOO_LARGE, "template: t:1:");
    t->limits.output = 4;
    assert_output(t, "four", "four");
    assert_error(t, "fives", ERR_TOO_LARGE, "template: t:1:0: ");
}

static void memory_is_bounded(void **state)
{
    static const char *const TEXTS[] = {
        "{{ repeat 1000000000 \"x\" }}",
        "{{ until 1000000000 | len }}",
        "{{ untilStep 0 9223372036854775807 1 | len }}",
        "{{ untilStep 0 -9223372036854775808 -1 | len }}",
        "{{ seq 1 100000000 }}",
        "{{ indent 1000000000 \"x\" | len }}",
        "{{ nindent 1000000000 \"x\" | len }}",
        "{{ $s := repeat 1000000 \"x\" }}{{ replace \"x\" $s $s | len }}",
        "{{ $s := repeat 1000000 \"x\" }}{{ replace \"\" $s $s | len }}",
        "{{ $s := repeat 1000000 \"x\" }}{{ regexReplaceAll \"x\" $s $s | len }}",
        "{{ $s := repeat 1000000 \"x\" }}{{ splitList \"\" $s | join $s | len }}",
        "{{ $s := repeat 1000000 \"x\" }}{{ wrapWith 1 $s $s | len }}",
        "{{ $f := repeat 100 \"%1000000[1]d\" }}{{ printf $f 1 | len }}",
        "{{ $s := \"xx\" }}{{ range 100 }}{{ $s = print $s $s }}{{ end }}",
        "{{ $s := \"\\xff\" }}{{ range 100 }}{{ $s = quote $s $s }}{{ end }}",
        "{{ $l := list 1 }}{{ range 100 }}{{ $l = concat $l $l }}{{ end }}",
        "{{ $l := list 1 }}{{ range 60 }}{{ $l = list $l $l }}{{ end }}{{ toJson $l | len }}",
        "{{ $l := list 1 }}{{ range 60 }}{{ $l = list $l $l }}{{ end }}{{ deepCopy $l | len }}",
        "{{ randAlpha 1000000000 | len }}",
        "{{ randBytes 1000000000 | len }}",
        "{{ range $i := until 1000 }}{{ $x := until 10000 }}{{ end }}",
    };
    struct attempt *t = *state;

    be_patient(t);
    t->limits.iterations = UINT64_MAX;
    t->limits.memory = 4u << 20;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        struct arena_mark mark = arena_mark(t->a);
        assert_error(t, TEXTS[i], ERR_TOO_LARGE, "template: t:1:");
        arena_rewind(t->a, mark);
    }
}

static void time_is_bounded(void **state)
{
    static const char *const TEXTS[] = {
        "{{ range 1000000 }}{{ end }}",
        "{{ define \"r\" }}{{ $n := int (sub . 1) }}{{ if . }}{{ range 10 }}"
        "{{ template \"r\" $n }}{{ end }}{{ end }}{{ end }}{{ template \"r\" 50 }}",
        "{{ $l := list 1 }}{{ $m := list 1 }}{{ range 60 }}{{ $l = list $l $l }}"
        "{{ $m = list $m $m }}{{ end }}{{ deepEqual $l $m }}",
        "{{ range until 200 }}{{ $x := uniq (until 2000) }}{{ end }}",
        "{{ range until 200 }}{{ $x := regexFindAll \"a*\" \"aabbaabb\" -1 }}"
        "{{ range until 200 }}{{ end }}{{ end }}",
    };
    struct attempt *t = *state;

    t->options.clock = &TICKING;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        struct arena_mark mark = arena_mark(t->a);
        if (attempt(t, TEXTS[i]))
            fail_msg("%s ran", TEXTS[i]);
        assert_int_equal(t->e.kind, ERR_TIMEOUT);
        assert_non_null(strstr(t->e.text, "longer than 100 ms"));
        arena_rewind(t->a, mark);
    }
}

static void rounds_of_loops_are_bounded(void **state)
{
    struct attempt *t = *state;

    be_patient(t);
    t->limits.iterations = 100;
    assert_output(t, "{{ range 100 }}{{ end }}ok", "ok");
    assert_error(t, "{{ range 101 }}{{ end }}", ERR_TOO_LARGE, "template: t:1:9: ");
    assert_error(t, "{{ range 10 }}{{ range 10 }}{{ end }}{{ end }}", ERR_TOO_LARGE,
                 "template: t:");
    assert_error(t, "{{ range 9223372036854775807 }}{{ end }}", ERR_TOO_LARGE, "template: t:1:");
}

static void nesting_of_templates_is_bounded(void **state)
{
    struct attempt *t = *state;

    be_patient(t);
    assert_error(t, "{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}",
                 ERR_INTERNAL, "template: t:1:");
    assert_non_null(strstr(t->e.text, "exceeded maximum template depth (1000)"));
    assert_output(t,
                  "{{ define \"r\" }}{{ if . }}{{ template \"r\" (int (sub . 1)) }}{{ else }}end"
                  "{{ end }}{{ end }}{{ template \"r\" 900 }}",
                  "end");
}

static void repeat_text(struct buf *b, const char *text, int n)
{
    for (int i = 0; i < n; i++)
        buf_text(b, text);
}

static void nesting_of_the_text_is_bounded(void **state)
{
    static const struct {
        const char *open, *middle, *close;
    } SHAPES[] = {
        {"{{ if 1 }}", "x", "{{ end }}"},
        {"{{ range 1 }}", "x", "{{ end }}"},
        {"{{ with 1 }}", "x", "{{ end }}"},
        {"{{ block \"b\" . }}", "x", "{{ end }}"},
    };
    struct attempt *t = *state;

    for (size_t i = 0; i < COUNT_OF(SHAPES); i++)
        for (int n = 90; n <= 100000; n *= 30) {
            struct buf b = buf_new(t->a, 16u << 20);
            repeat_text(&b, SHAPES[i].open, n);
            buf_text(&b, SHAPES[i].middle);
            repeat_text(&b, SHAPES[i].close, n);
            bool ran = attempt(t, arena_cstr(t->a, buf_slice(&b)));
            assert_int_equal(ran, n == 90 && i < 3);
        }
    for (int n = 90; n <= 100000; n *= 30) {
        struct buf b = buf_new(t->a, 16u << 20);
        buf_text(&b, "{{ ");
        repeat_text(&b, "(", n);
        buf_text(&b, "1");
        repeat_text(&b, ")", n);
        buf_text(&b, " }}");
        assert_int_equal(attempt(t, arena_cstr(t->a, buf_slice(&b))), n == 90);
    }
}

/* A chain is not nesting: it may be long. */
static void long_chains_of_else_if_work(void **state)
{
    struct attempt *t = *state;
    struct buf b = buf_new(t->a, 1u << 20);

    buf_text(&b, "{{ if 0 }}no");
    repeat_text(&b, "{{ else if 0 }}no", 2000);
    buf_text(&b, "{{ else }}yes{{ end }}");
    assert_output(t, arena_cstr(t->a, buf_slice(&b)), "yes");
}

static void values_in_themselves_are_refused(void **state)
{
    static const char *const FUNCTIONS[] = {
        "{{ $d }}",
        "{{ print $d }}",
        "{{ printf \"%v %#v\" $d $d }}",
        "{{ mustToJson $d }}",
        "{{ deepCopy $d }}",
        "{{ toString $d }}",
        "{{ quote $d }}",
        "{{ merge (dict \"self\" (deepCopy (dict))) $d $d | toJson }}",
        "{{ $e := dict }}{{ $_ := set $e \"self\" $e }}{{ deepEqual $d $e }}",
        "{{ asn1Marshal (list $d) }}",
        "{{ html $d }}",
        "{{ cat $d }}",
        "{{ join \",\" (list $d) }}",
    };
    struct attempt *t = *state;

    for (size_t i = 0; i < COUNT_OF(FUNCTIONS); i++) {
        const char *text =
            arena_printf(t->a, "{{ $d := dict }}{{ $_ := set $d \"self\" $d }}%s", FUNCTIONS[i]);
        if (attempt(t, text))
            fail_msg("%s ran: %.100s", text, t->output);
    }
    assert_output(t, "{{ $d := dict }}{{ $_ := set $d \"self\" $d }}{{ toJson $d }}|", "|");
    assert_output(t, "{{ $d := dict \"a\" 1 }}{{ $_ := set $d \"d\" $d }}{{ $d.d.d.d.a }}", "1");
}

static void regular_expressions_stop(void **state)
{
    static const char *const PATTERNS[] = {"(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*)(.*)(.*)(.*)[^a]",
                                           "(x+x+)+y"};
    struct attempt *t = *state;

    be_patient(t);
    for (size_t i = 0; i < COUNT_OF(PATTERNS); i++) {
        const char *text =
            arena_printf(t->a, "{{ regexMatch \"%s\" (print (repeat 5000 \"%s\") \"!\") }}",
                         PATTERNS[i], i == 4 ? "x" : "a");
        /* Either an answer or the limit, soon. */
        if (!attempt(t, text))
            assert_int_equal(t->e.kind, ERR_TOO_LARGE);
    }
    assert_error(t, "{{ regexMatch \"(a+)+$\" (print (repeat 40 \"a\") \"!\") }}", ERR_TOO_LARGE,
                 "template: t:1:3: ");
}

/* --- The deepest there is, on the stack of a worker thread ---------------------------------------
 */

#if defined(__SANITIZE_ADDRESS__)
#define WORKER_STACK (2u << 20)
#else
#define WORKER_STACK (256u << 10)
#endif

static void *run_deep(void *arg)
{
    struct attempt *t = arg;
    struct buf b = buf_new(t->a, 1u << 20);

    buf_text(&b, "{{ $l := list 1 }}{{ range 195 }}{{ $l = list $l }}{{ end }}{{ ");
    repeat_text(&b, "print (", 95);
    buf_text(&b, "printf \"%v%s\" $l (toJson $l)");
    repeat_text(&b, ")", 95);
    buf_text(&b, " | len }}{{ deepEqual $l (deepCopy $l) }}{{ asn1Marshal $l | len }}");
    for (int i = 0; i < 2; i++) {
        buf_text(&b, "{{ regexMatch \"");
        repeat_text(&b, i ? "(?i:a|(" : "((", 24);
        buf_text(&b, "x");
        repeat_text(&b, i ? ")*)+" : ")?)*", 24);
        buf_text(&b, "$\" \"y\" }}");
    }
    buf_text(&b, "{{ fromJson \"");
    repeat_text(&b, "[", 120);
    repeat_text(&b, "]", 120);
    buf_text(&b, "\" | toJson | len }}");
    repeat_text(&b, "{{ if 1 }}", 95);
    repeat_text(&b, "{{ end }}", 95);
    return attempt(t, arena_cstr(t->a, buf_slice(&b))) ? NULL : t;
}

static void the_deepest_fits_a_workers_stack(void **state)
{
    struct attempt *t = *state;
    pthread_attr_t attr;
    pthread_t thread;
    void *bad;

    be_patient(t);
    pthread_attr_init(&attr);
    assert_int_equal(pthread_attr_setstacksize(&attr, WORKER_STACK), 0);
    assert_int_equal(pthread_create(&thread, &attr, run_deep, t), 0);
    assert_int_equal(pthread_join(thread, &bad), 0);
    pthread_attr_destroy(&attr);
    if (bad)
        fail_msg("%s", t->e.text);
}

static void big_texts_are_refused(void **state)
{
    struct attempt *t = *state;
    struct buf b = buf_new(t->a, 4u << 20);

    repeat_text(&b, "0123456789abcdef", 65536);
    be_patient(t);
    assert_true(attempt(t, arena_cstr(t->a, buf_slice(&b))));
    buf_byte(&b, 'x');
    assert_error(t, arena_cstr(t->a, buf_slice(&b)), ERR_TOO_LARGE, "template: t: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, attempt_up, attempt_down)
        TEST(output_is_bounded),
        TEST(memory_is_bounded),
        TEST(time_is_bounded),
        TEST(rounds_of_loops_are_bounded),
        TEST(nesting_of_templates_is_bounded),
        TEST(nesting_of_the_text_is_bounded),
        TEST(long_chains_of_else_if_work),
        TEST(values_in_themselves_are_refused),
        TEST(regular_expressions_stop),
        TEST(the_deepest_fits_a_workers_stack),
        TEST(big_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
