/* The protocol between the shells' scripts and step, and the scripts. */
#include "capture.h"
#include "sample.h"

static const struct cli_environment ENV = {.root = &SAMPLE};
static const struct cli_environment REAL = {.root = &STEP};

#define ASK "--generate-bash-completion"

static void candidates_fit_what_was_typed(void **state)
{
    static const struct {
        const char *words[8];
        const char *want;
    } CASES[] = {
        {{ASK}, "make\ndeep\n"},
        {{"de", ASK}, "deep\n"},
        {{"deep", ASK}, "make\n"},
        {{"deep", "x", ASK}, ""},
        {{"deep", "h", ASK}, "help\nh\n"},
        {{"--", ASK}, "--config\n--non-interactive\n--help\n--version\n"},
        {{"-v", ASK}, "--version\n-v\n"},
        {{"deep", "-", ASK}, "--help\n"},
        {{"make", ASK}, ""},
        {{"make", "--o", ASK}, "--out\n--output-file\n--offline\n"},
        {{"make", "a", "-f", ASK}, "--force\n-f\n"},
        {{"make", "--f", ASK}, "--force\n"},
        {{"make", "--force", "--f", ASK}, ""},
        {{"make", "--out=x", "--ou", ASK}, ""},
        {{"make", "--san", "x", "--sa", ASK}, "--san\n"},
        {{"make", "--ins", ASK}, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        made[0] = 0;
        assert_int_equal(capture_run(&ENV, CASES[i].words), 0);
        if (strcmp(said.out, CASES[i].want) != 0)
            fail_msg("case %zu: '%s' instead of '%s'", i, said.out, CASES[i].want);
        assert_string_equal(said.err, "");
        assert_string_equal(made, ""); /* nothing ran */
    }
}

static void the_word_counts_only_at_the_end(void **state)
{
    (void)state;
    assert_int_equal(RUN(&ENV, "make", ASK, "x"), 1);
    assert_string_equal(said.err, "unknown flag '" ASK "'\n");
}

static void zsh_gets_descriptions(void **state)
{
    (void)state;
    setenv("_CLI_ZSH_AUTOCOMPLETE_HACK", "1", 1);
    RUN(&ENV, ASK);
    assert_string_equal(said.out, "make:make a thing\ndeep:a group of commands\n");
}

static void names_of_contexts_are_completed(void **state)
{
    (void)state;
    scratch_put("contexts.json", "{\"beta\": {\"profile\": \"p\", \"authority\": \"q\"},"
                                 " \"alpha\": {\"profile\": \"p\", \"authority\": \"q\"}}");
    RUN(&REAL, "context", "select", ASK);
    assert_string_equal(said.out, "alpha\nbeta\n");
    RUN(&REAL, "context", "remove", "b", ASK);
    assert_string_equal(said.out, "beta\n");
    RUN(&REAL, "path", "--context", ASK);
    assert_string_equal(said.out, "alpha\nbeta\n");
    scratch_put("contexts.json", "{");
    assert_int_equal(RUN(&REAL, "context", "select", ASK), 0);
    assert_string_equal(said.out, "");
}

static void each_shell_has_its_script(void **state)
{
    (void)state;
    assert_int_equal(RUN(&REAL, "completion", "bash"), 0);
    assert_non_null(strstr(said.out, "complete -o bashdefault -o default -F _step_complete step"));
    assert_int_equal(RUN(&REAL, "completion", "zsh"), 0);
    assert_int_equal(strncmp(said.out, "#compdef step\n", 14), 0);
    assert_int_equal(RUN(&REAL, "completion", "fish"), 0);
    assert_non_null(strstr(said.out, "complete -c step -n '__step_at context' -f -a select -d "
                                     "'select the context that commands are for'\n"));
    assert_non_null(strstr(said.out, "complete -c step -n '__step_in context remove' -l force -s f "
                                     "-f -d "));
    assert_int_equal(RUN(&REAL, "completion", "tcsh"), 1);
    assert_string_equal(said.err, "unsupported shell 'tcsh'; options are bash, zsh, fish\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(candidates_fit_what_was_typed), CLI_TEST(the_word_counts_only_at_the_end),
        CLI_TEST(zsh_gets_descriptions),         CLI_TEST(names_of_contexts_are_completed),
        CLI_TEST(each_shell_has_its_script),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
