/* Words of the command line: flags anywhere, one dash or two, and what is refused. */
#include "capture.h"
#include "cli/internal.h"
#include "sample.h"

static const struct cli_environment ENV = {.root = &SAMPLE};

static void flags_and_arguments_mix_freely(void **state)
{
    static const struct {
        const char *words[8];
        const char *want;
    } CASES[] = {
        {{"a", "--size", "9"}, "[a] ca-url=-/0 out=-/0 size=9/4 9 force=0 mtls=1 offline=0 san="},
        {{"-size", "9", "a"}, "[a] ca-url=-/0 out=-/0 size=9/4 9 force=0 mtls=1 offline=0 san="},
        {{"-size=0x10", "a", "b"},
         "[a] [b] ca-url=-/0 out=-/0 size=0x10/4 16 force=0 mtls=1 offline=0 san="},
        {{"a", "-f", "b"}, "[a] [b] ca-url=-/0 out=-/0 size=7/1 7 force=1 mtls=1 offline=0 san="},
        {{"a", "--force=false", "b"},
         "[a] [b] ca-url=-/0 out=-/0 size=7/1 7 force=0 mtls=1 offline=0 san="},
        {{"a", "--force", "false"},
         "[a] [false] ca-url=-/0 out=-/0 size=7/1 7 force=1 mtls=1 offline=0 san="},
        {{"--mtls=F", "a"}, "[a] ca-url=-/0 out=-/0 size=7/1 7 force=0 mtls=0 offline=0 san="},
        {{"--", "--size", "-"},
         "[--size] [-] ca-url=-/0 out=-/0 size=7/1 7 force=0 mtls=1 offline=0 san="},
        {{"-", "--out", "--force"},
         "[-] ca-url=-/0 out=--force/4 size=7/1 7 force=0 mtls=1 offline=0 san="},
        {{"a", "--output-file="}, "[a] ca-url=-/0 out=/4 size=7/1 7 force=0 mtls=1 offline=0 san="},
        {{"a", "--san", "x,y", "--san=", "-san", "z"},
         "[a] ca-url=-/0 out=-/0 size=7/1 7 force=0 mtls=1 offline=0 san=<x,y><><z>"},
        {{"a", "--size", "1", "--size", "2"},
         "[a] ca-url=-/0 out=-/0 size=2/4 2 force=0 mtls=1 offline=0 san="},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const char *words[10] = {"make"};
        memcpy(words + 1, CASES[i].words, sizeof(CASES[i].words));
        assert_int_equal(capture_run(&ENV, words), 0);
        assert_string_equal(made, CASES[i].want);
    }
}

static void wrong_syntax_shows_help_and_fails(void **state)
{
    static const struct {
        const char *words[6], *message;
    } CASES[] = {
        {{"a", "--nope", "x"}, "unknown flag '--nope'\n"},
        {{"a", "-fo"}, "unknown flag '--fo'\n"},
        {{"a", "---size", "1"}, "bad flag syntax: ---size\n"},
        {{"a", "--=1"}, "bad flag syntax: --=1\n"},
        {{"a", "--size"}, "missing value for flag '--size'\n"},
        {{"a", "--size", "x"}, "invalid value 'x' for flag '--size'\n"},
        {{"a", "--size", ""}, "invalid value '' for flag '--size'\n"},
        {{"a", "--force=maybe"}, "invalid value 'maybe' for flag '--force'\n"},
        {{"a", "-f=yes"}, "invalid value 'yes' for flag '--f'\n"},
        {{"a", "--force", "-f"}, "cannot use two forms of the same flag: '--force' and '--f'\n"},
        {{"a", "--out", "x", "--output-file", "x"},
         "cannot use two forms of the same flag: '--out' and '--output-file'\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char want[256];
        const char *words[8] = {"make"};
        memcpy(words + 1, CASES[i].words, sizeof(CASES[i].words));
        assert_int_equal(capture_run(&ENV, words), 1);
        assert_string_equal(said.err, CASES[i].message);
        snprintf(want, sizeof(want), "Incorrect Usage: %s\nNAME\n      step make -- make a thing\n",
                 CASES[i].message);
        assert_int_equal(strncmp(said.out, want, strlen(want)), 0);
    }
}

static void bad_times_are_errors_without_help(void **state)
{
    (void)state;
    assert_int_equal(RUN(&ENV, "make", "a", "--not-after", "soon"), 1);
    assert_string_equal(said.err, "invalid value 'soon' for flag '--not-after'\n");
    assert_string_equal(said.out, "");
    assert_int_equal(RUN(&ENV, "make", "a", "--expires-in", "1 day"), 1);
    assert_string_equal(said.err, "invalid value '1 day' for flag '--expires-in'\n");
    assert_int_equal(RUN(&ENV, "make", "a", "--not-before", "-1m", "--expires-in", "-1h"), 0);
}

static void number_of_arguments_is_checked(void **state)
{
    (void)state;
    assert_int_equal(RUN(&ENV, "make"), 1);
    assert_string_equal(said.err, "not enough positional arguments were provided in 'step make "
                                  "<subject> [<file>]'\n");
    assert_int_equal(RUN(&ENV, "make", "a", "b", "c"), 1);
    assert_string_equal(said.err, "too many positional arguments were provided in 'step make "
                                  "<subject> [<file>]'\n");
    assert_string_equal(said.out, "");
    assert_int_equal(RUN(&ENV, "deep", "make", "x"), 1);
    assert_string_equal(said.err,
                        "too many positional arguments were provided in 'step deep make'\n");
}

static void unknown_words_exit_3(void **state)
{
    (void)state;
    assert_int_equal(RUN(&ENV, "bogus"), 3);
    assert_string_equal(said.err, "No help topic for 'bogus'\n");
    assert_int_equal(RUN(&ENV, "deep", "bogus", "--help"), 3);
    assert_string_equal(said.err, "No help topic for 'bogus'\n");
    assert_int_equal(RUN(&ENV, "kms", "create"), 1);
    assert_non_null(strstr(said.err, "step-kms-plugin"));
    assert_int_equal(RUN(&ENV, "deep", "--ca-url", "x", "make"), 1);
    assert_string_equal(said.err, "unknown flag '--ca-url'\n");
    assert_int_equal(RUN(&ENV, "deep", "--version"), 1);
}

static void integers_are_read_in_every_base(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } CASES[] = {
        {"0", true, 0},
        {"42", true, 42},
        {"-1", true, -1},
        {"+5", true, 5},
        {"0x1F", true, 31},
        {"0X1f", true, 31},
        {"0o17", true, 15},
        {"017", true, 15},
        {"0b101", true, 5},
        {"1_000", true, 1000},
        {"0x_ff", true, 255},
        {"0_7", true, 7},
        {"-0x10", true, -16},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"0xffffffffffffffffff", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"0x", false, 0},
        {"_1", false, 0},
        {"1_", false, 0},
        {"1__0", false, 0},
        {"08", false, 0},
        {"0b2", false, 0},
        {"1.0", false, 0},
        {" 1", false, 0},
        {"--1", false, 0},
        {"1h", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        int64_t value = 0;
        bool ok = read_int(slice_text(CASES[i].text), &value);
        if (ok != CASES[i].ok || (ok && value != CASES[i].value))
            fail_msg("%s", CASES[i].text);
    }
}

static void booleans_have_twelve_spellings(void **state)
{
    static const char *const GOOD[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                       "0", "f", "F", "false", "FALSE", "False"};
    static const char *const BAD[] = {"", "yes", "no", "tRUE", "10", "on", "true "};
    bool value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(GOOD); i++) {
        assert_true(read_bool(slice_text(GOOD[i]), &value));
        assert_int_equal(value, i < 6);
    }
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_false(read_bool(slice_text(BAD[i]), &value));
}

static void plugin_gets_words_and_its_failure_is_1(void **state)
{
    (void)state;
    scratch_put("plugins/step-hello-plugin", "#!/bin/sh\necho \"got $# $1 $2\"\nexit 7\n");
    assert_int_equal(chmod(scratch_path("plugins/step-hello-plugin"), 0700), 0);
    assert_int_equal(RUN(&ENV, "hello", "--flag", "a b"), 1);
    assert_string_equal(said.out, "got 2 --flag a b\n");
    assert_string_equal(said.err, "");
    scratch_put("plugins/step-good-plugin", "#!/bin/sh\nexit 0\n");
    assert_int_equal(chmod(scratch_path("plugins/step-good-plugin"), 0700), 0);
    assert_int_equal(RUN(&ENV, "good"), 0);
    assert_int_equal(RUN(&ENV, "../plugins/step-good"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(flags_and_arguments_mix_freely),
        CLI_TEST(wrong_syntax_shows_help_and_fails),
        CLI_TEST(bad_times_are_errors_without_help),
        CLI_TEST(number_of_arguments_is_checked),
        CLI_TEST(unknown_words_exit_3),
        CLI_TEST(integers_are_read_in_every_base),
        CLI_TEST(booleans_have_twelve_spellings),
        CLI_TEST(plugin_gets_words_and_its_failure_is_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
