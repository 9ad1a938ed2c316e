/* Where values come from: command line, environment, defaults.json, built-in; and contexts. */
#include "capture.h"
#include "cli/terminal.h"
#include "sample.h"

static const struct cli_environment ENV = {.root = &SAMPLE};

static void assert_made(const char *part)
{
    if (!strstr(made, part))
        fail_msg("'%s' is not in '%s' (said '%s')", part, made, said.err);
}

static void better_source_wins(void **state)
{
    (void)state;
    RUN(&ENV, "make", "a");
    assert_made("ca-url=-/0");
    scratch_put("config/defaults.json", "{\"ca-url\": \"https://three\", \"size\": 3}");
    RUN(&ENV, "make", "a");
    assert_made("ca-url=https://three/2");
    assert_made("size=3/2 3");
    setenv("STEP_CA_URL", "https://two", 1);
    RUN(&ENV, "make", "a");
    assert_made("ca-url=https://two/3");
    RUN(&ENV, "make", "a", "--ca-url", "https://one");
    assert_made("ca-url=https://one/4");
    assert_made("size=3/2 3");
}

static void config_flag_replaces_the_file(void **state)
{
    char file[256];

    (void)state;
    scratch_put("config/defaults.json", "{\"ca-url\": \"https://three\", \"size\": 3}");
    scratch_put("other.json", "{\"ca-url\": \"https://four\"}");
    snprintf(file, sizeof(file), "%s", scratch_path("other.json"));
    assert_int_equal(RUN(&ENV, "--config", file, "make", "a"), 0);
    assert_made("ca-url=https://four/2");
    assert_made("size=7/1");
    assert_int_equal(RUN(&ENV, "--config", "/nonexistent/x", "make", "a"), 1);
    assert_non_null(strstr(said.err, "open /nonexistent/x failed: no such file or directory"));
    assert_int_equal(RUN(&ENV, "make", "a", "--config", file), 1);
}

static void defaults_keep_their_text(void **state)
{
    (void)state;
    scratch_put("config/defaults.json",
                "{\"size\": 1000000, \"force\": true, \"mtls\": false, \"san\": [\"a,b\", \"c\"],"
                " \"output-file\": \"x\", \"unknown\": {}, \"offline\": null}");
    assert_int_equal(RUN(&ENV, "make", "a"), 0);
    assert_made("size=1000000/2 1000000");
    assert_made("out=x/2");
    assert_made("force=1 mtls=0 offline=0 san=<a,b><c>");
    RUN(&ENV, "make", "a", "--san", "line");
    assert_made("san=<line>");
}

static void wrong_defaults_name_the_file(void **state)
{
    static const struct {
        const char *text, *message;
    } CASES[] = {
        {"{\"size\": \"big\"}", "config/defaults.json: invalid value 'big' for flag '--size'"},
        {"{\"size\": {}}", "config/defaults.json: the value for flag '--size' must be"},
        {"{\"size\": [1]}", "config/defaults.json: the value for flag '--size' must be"},
        {"[]", "config/defaults.json: expected a JSON object"},
        {"{", "config/defaults.json: "},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        scratch_put("config/defaults.json", CASES[i].text);
        assert_int_equal(RUN(&ENV, "make", "a"), 1);
        if (!strstr(said.err, CASES[i].message))
            fail_msg("'%s' is not in '%s'", CASES[i].message, said.err);
    }
}

static void environment_follows_the_first_name(void **state)
{
    (void)state;
    setenv("STEP_OUT", "here", 1);
    setenv("STEP_OUTPUT_FILE", "not", 1);
    setenv("STEP_F", "1", 1);
    setenv("STEP_SAN", "a, b ,c", 1);
    setenv("STEP_TOKEN", "never", 1);
    RUN(&ENV, "make", "a");
    assert_made("out=here/3");
    assert_made("force=1");
    assert_made("san=<a><b><c>");
    unsetenv("STEP_F");
    setenv("STEP_FORCE", "true", 1);
    RUN(&ENV, "make", "a", "--san", "z");
    assert_made("force=1");
    assert_made("san=<z>");
}

static void empty_variable_counts_as_set(void **state)
{
    (void)state;
    scratch_put("config/defaults.json", "{\"offline\": true, \"ca-url\": \"https://three\"}");
    setenv("STEP_OFFLINE", "", 1);
    setenv("STEP_CA_URL", "", 1);
    assert_int_equal(RUN(&ENV, "make", "a"), 0);
    assert_made("offline=0");
    assert_made("ca-url=/3");
    setenv("STEP_OFFLINE", "maybe", 1);
    assert_int_equal(RUN(&ENV, "make", "a"), 1);
    assert_string_equal(said.err, "invalid value 'maybe' for flag '--offline' (from the variable "
                                  "STEP_OFFLINE)\n");
    assert_string_equal(said.out, "");
}

static void guards_do_not_come_from_files(void **state)
{
    (void)state;
    scratch_put("config/defaults.json", "{\"insecure\": true, \"subtle\": true, \"token\": \"t\"}");
    make_rules[0] = (struct flag_rule){RULE_INSECURE, "out", NULL};
    make_rules[1] = (struct flag_rule){RULE_SUBTLE, "ca-config", NULL};
    assert_int_equal(RUN(&ENV, "make", "a", "--out", "x"), 1);
    assert_string_equal(said.err, "flag '--out' requires the '--insecure' flag\n");
    assert_int_equal(RUN(&ENV, "make", "a", "--ca-config", "x"), 1);
    assert_string_equal(said.err, "flag '--ca-config' requires the '--subtle' flag\n");
    assert_int_equal(RUN(&ENV, "make", "a", "--out", "x", "--insecure"), 0);
    memset(make_rules, 0, sizeof(make_rules));
}

static void put_contexts(void)
{
    scratch_put("contexts.json", "{\"beta\": {\"profile\": \"pb\", \"authority\": \"ab\"},"
                                 " \"alpha\": {\"profile\": \"pa\", \"authority\": \"aa\"}}");
    scratch_put("authorities/aa/config/defaults.json",
                "{\"ca-url\": \"https://aa\", \"size\": 1, \"context\": \"beta\"}");
    scratch_put("profiles/pa/config/defaults.json", "{\"size\": 2}");
    scratch_put("authorities/ab/config/defaults.json", "{\"ca-url\": \"https://ab\"}");
    scratch_put("config/defaults.json", "{\"ca-url\": \"https://base\"}");
}

static void context_brings_its_defaults(void **state)
{
    (void)state;
    put_contexts();
    scratch_put("current-context.json", "{\"context\":\"alpha\"}");
    assert_int_equal(RUN(&ENV, "make", "a"), 0);
    assert_made("ca-url=https://aa/2");
    assert_made("size=2/2");
    assert_string_equal(said.err, "'context' in the defaults of context 'alpha' is ignored\n");
    assert_int_equal(RUN(&ENV, "make", "a", "--context", "beta"), 0);
    assert_made("ca-url=https://ab/2");
    setenv("STEP_CONTEXT", "beta", 1);
    assert_int_equal(RUN(&ENV, "make", "a"), 0);
    assert_made("ca-url=https://ab/2");
    assert_int_equal(RUN(&ENV, "make", "a", "--context", "gamma"), 1);
    assert_string_equal(said.err, "context 'gamma' not found\n");
    assert_string_equal(scratch_get("current-context.json"), "{\"context\":\"alpha\"}");
}

static void unselected_context_is_asked_for_once(void **state)
{
    static const char *const ANSWERS[] = {"Select a context=beta", NULL};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct cli_environment env = {.root = &SAMPLE, .terminal = terminal_script(a, ANSWERS)};

    (void)state;
    put_contexts();
    assert_int_equal(RUN(&env, "make", "a"), 0);
    assert_made("ca-url=https://ab/2");
    assert_int_equal(RUN(&env, "make", "a"), 0);
    assert_made("ca-url=https://ab/2");
    assert_string_equal(scratch_get("current-context.json"), "{\"context\":\"beta\"}");
}

static void unselected_context_without_terminal_is_an_error(void **state)
{
    (void)state;
    put_contexts();
    assert_int_equal(RUN(&ENV, "--non-interactive", "make", "a"), 1);
    assert_non_null(strstr(said.err, "use the '--context' flag"));
    setenv("STEP_NON_INTERACTIVE", "1", 1);
    assert_int_equal(RUN(&ENV, "make", "a"), 1);
    assert_non_null(strstr(said.err, "use the '--context' flag"));
    assert_null(strstr(said.err, "STEPDEBUG"));
    assert_int_equal(RUN(&ENV, "make", "a", "--context", "beta"), 0);
}

static void only_context_is_selected_without_asking(void **state)
{
    (void)state;
    scratch_put("contexts.json", "{\"one\": {\"profile\": \"p\", \"authority\": \"q\"}}");
    assert_int_equal(RUN(&ENV, "--non-interactive", "make", "a"), 0);
    assert_string_equal(said.err, "✔ Context: one\n");
    assert_string_equal(scratch_get("current-context.json"), "{\"context\":\"one\"}");
}

static void config_flag_is_not_for_contexts(void **state)
{
    char file[256];

    (void)state;
    put_contexts();
    snprintf(file, sizeof(file), "%s", scratch_path("config/defaults.json"));
    assert_int_equal(RUN(&ENV, "--config", file, "make", "a", "--context", "beta"), 0);
    assert_made("ca-url=https://ab/2");
    assert_non_null(strstr(said.err, "'--config' is not used"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(better_source_wins),
        CLI_TEST(config_flag_replaces_the_file),
        CLI_TEST(defaults_keep_their_text),
        CLI_TEST(wrong_defaults_name_the_file),
        CLI_TEST(environment_follows_the_first_name),
        CLI_TEST(empty_variable_counts_as_set),
        CLI_TEST(guards_do_not_come_from_files),
        CLI_TEST(context_brings_its_defaults),
        CLI_TEST(unselected_context_is_asked_for_once),
        CLI_TEST(unselected_context_without_terminal_is_an_error),
        CLI_TEST(only_context_is_selected_without_asking),
        CLI_TEST(config_flag_is_not_for_contexts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
