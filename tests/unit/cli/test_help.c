/* Help: the layout, the ways to ask for it, and the sanity of the whole tree. */
#include "capture.h"
#include "sample.h"

static const struct cli_environment ENV = {.root = &SAMPLE};
static const struct cli_environment REAL = {.root = &STEP};

static void command_help_has_its_sections_in_order(void **state)
{
    static const char WANT[] =
        "NAME\n"
        "      step make -- make a thing\n"
        "\n"
        "USAGE\n"
        "      step make <subject> [<file>] [--out=<file>] [--size=<bits>] "
        "[--san=<name>]\n"
        "          [--mtls] [--expires-in=<duration>] [--profile=<name>]\n"
        "          [--token=<token>] --ca-url=<uri> [--root=<file>] [--context=<name>]\n";
    static const char MIDDLE[] =
        "\n"
        "DESCRIPTION\n"
        "      First line of a paragraph that is quite long and has to be wrapped\n"
        "      somewhere near the eightieth column.\n"
        "\n"
        "      - one\n"
        "      - two\n"
        "\n"
        "          kept   as it is\n"
        "\n"
        "POSITIONAL ARGUMENTS\n"
        "      subject\n"
        "          What it is for.\n"
        "\n"
        "      file\n"
        "          Where it goes.\n"
        "\n"
        "OPTIONS\n"
        "      --out=<file>, --output-file=<file>\n"
        "          Write the result to <file>.\n"
        "\n"
        "      --size=<bits>\n"
        "          The size in <bits>. Default: 7.\n";
    static const char END[] = "\n"
                              "EXIT CODES\n"
                              "      0 always.\n"
                              "\n"
                              "EXAMPLES\n"
                              "      Make one:\n"
                              "      $ step make a \\\n"
                              "          --force\n"
                              "\n"
                              "      Another:\n"
                              "      $ step make b\n";

    (void)state;
    make_rules[0] = (struct flag_rule){RULE_REQUIRED, "ca-url", NULL};
    assert_int_equal(RUN(&ENV, "make", "--help"), 0);
    make_rules[0] = (struct flag_rule){0};
    assert_string_equal(said.err, "");
    assert_int_equal(strncmp(said.out, WANT, sizeof(WANT) - 1), 0);
    assert_non_null(strstr(said.out, MIDDLE));
    assert_string_equal(said.out + strlen(said.out) - (sizeof(END) - 1), END);
    assert_non_null(strstr(said.out, "\n      --force, -f\n          Overwrite"));
    assert_null(strstr(said.out, "insecure"));
}

static void group_help_lists_commands(void **state)
{
    static const char WANT[] = "NAME\n"
                               "      step deep -- a group of commands\n"
                               "\n"
                               "USAGE\n"
                               "      step deep <command> [arguments]\n"
                               "\n"
                               "COMMANDS\n"
                               "      make  make a deep thing\n";

    (void)state;
    assert_int_equal(RUN(&ENV, "deep"), 0);
    assert_string_equal(said.out, WANT);
    assert_int_equal(RUN(&ENV, "deep", "-h"), 0);
    assert_string_equal(said.out, WANT);
}

static void every_way_to_ask_gives_the_same_help(void **state)
{
    static const char *const WAYS[][6] = {
        {"context", "select", "--help"},     {"help", "context", "select"},
        {"h", "context", "select"},          {"context", "help", "select"},
        {"context", "h", "select"},          {"context", "select", "-h", "--nope"},
        {"context", "select", "x", "-help"},
    };
    static char first[SAID_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(WAYS); i++) {
        assert_int_equal(capture_run(&REAL, WAYS[i]), 0);
        if (i == 0)
            memcpy(first, said.out, sizeof(first));
        assert_string_equal(said.out, first);
        assert_string_equal(said.err, "");
    }
    assert_non_null(strstr(first, "step context select <name>"));
}

static void unknown_help_topics_exit_3(void **state)
{
    (void)state;
    assert_int_equal(RUN(&REAL, "help", "bogus"), 3);
    assert_string_equal(said.err, "No help topic for 'bogus'\n");
    assert_int_equal(RUN(&REAL, "context", "help", "bogus"), 3);
    assert_int_equal(RUN(&REAL, "help", "context", "list", "more"), 3);
}

static void help_does_not_need_good_files(void **state)
{
    (void)state;
    scratch_put("contexts.json", "{");
    assert_int_equal(RUN(&REAL, "path", "--help"), 0);
    assert_int_equal(RUN(&REAL, "--help"), 0);
    assert_int_equal(RUN(&REAL, "path"), 1);
    assert_non_null(strstr(said.err, "contexts.json"));
}

static void version_has_two_lines(void **state)
{
    static const char *const WAYS[][2] = {{"version"}, {"--version"}, {"-v"}, {"-version"}};
    int major, minor, patch, n = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(WAYS); i++) {
        assert_int_equal(capture_run(&REAL, WAYS[i]), 0);
        assert_int_equal(sscanf(said.out, "Newel CLI/%d.%d.%d (linux/%*[a-z0-9])\nRelease Date: %n",
                                &major, &minor, &patch, &n),
                         3);
        assert_true(n > 0);
        assert_ptr_equal(strchr(strchr(said.out, '\n') + 1, '\n'), said.out + strlen(said.out) - 1);
    }
}

/* --- The whole tree -------------------------------------------------------------------------- */

static void check_line_lengths(const char *text, const char *command)
{
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n"), width = 0;
        bool prose = strncmp(line, "      $ ", 8) != 0 && !strchr("-", line[6]);
        for (size_t i = 0; i < n; i++)
            width += ((unsigned char)line[i] & 0xc0) != 0x80;
        if (width > 80 && prose && memchr(line + 6, ' ', n - 6))
            fail_msg("'%s': a line of %zu columns: %.*s", command, width, (int)n, line);
        line += n + (line[n] != 0);
    }
}

/* No name twice, defaults that read, rules about flags that exist. */
static void check_flags(struct arena *a, const struct command *c, const char *words)
{
    struct value_set set;

    values_init(&set, a, c->flag_sets, FLAGS_EVERYWHERE);
    for (size_t i = 0; i < set.n; i++) {
        const struct flag *f = set.v[i].flag;
        struct slice rest = slice_text(f->names), name;
        while (slice_split(&rest, ',', &name)) {
            if (slice_empty(name) || name.p[0] == '-' || name.p[0] == ' ')
                fail_msg("'%s': the flag names '%s'", words, f->names);
            if (values_find(&set, name) != &set.v[i])
                fail_msg("'%s': two flags are called '%.*s'", words, SLICE_ARG(name));
        }
        if (f->fallback && set.v[i].source != SOURCE_FALLBACK)
            fail_msg("'%s': default '%s' of '%s' does not read", words, f->fallback, f->names);
        if (!f->help || !*f->help)
            fail_msg("'%s': flag '%s' has no help", words, f->names);
    }
    for (const struct flag_rule *r = c->rules; r && r->a; r++) {
        const char *sides[] = {r->a, r->b, r->kind == RULE_INSECURE ? "insecure" : NULL,
                               r->kind == RULE_SUBTLE ? "subtle" : NULL};
        for (size_t i = 0; i < COUNT_OF(sides); i++) {
            struct slice name = slice_text(sides[i]);
            if (sides[i] && !values_find(&set, slice_sub(name, 0, slice_find(name, '='))))
                fail_msg("'%s': a rule about the unknown flag '%s'", words, sides[i]);
        }
    }
}

static void check_command(struct arena *a, const struct command **path, size_t depth)
{
    const struct command *c = path[depth - 1];
    const char *words = command_path(a, path, depth);
    struct buf b = buf_new(a, SAID_MAX);

    assert_true(depth < CLI_DEPTH);
    if (!c->summary || !*c->summary || (c->sub != NULL) == (c->run != NULL))
        fail_msg("'%s' needs a summary, and either sub-commands or run", words);
    if (c->run && (!c->synopsis || (c->most >= 0 && c->most < c->least)))
        fail_msg("'%s' needs a synopsis and sensible numbers of arguments", words);
    check_flags(a, c, words);
    help_text(&b, path, depth, false);
    assert_true(buf_ok(&b));
    buf_byte(&b, 0);
    assert_null(strchr((char *)b.p, '\033'));
    check_line_lengths((char *)b.p, words);
    for (size_t i = 0; c->sub && c->sub[i]; i++) {
        path[depth] = c->sub[i];
        for (size_t j = 0; j < i; j++)
            if (strcmp(c->sub[j]->name, c->sub[i]->name) == 0)
                fail_msg("'%s' has '%s' twice", words, c->sub[i]->name);
        check_command(a, path, depth + 1);
    }
}

static void whole_tree_is_sound(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct command *path[CLI_DEPTH] = {&STEP};

    (void)state;
    check_command(a, path, 1);
}

static void manual_pages_cover_the_tree(void **state)
{
    char dir[256];

    (void)state;
    snprintf(dir, sizeof(dir), "%s", scratch_path("man"));
    assert_int_equal(RUN(&ENV, "help", "--man", dir), 3); /* the sample has no help command */
    assert_int_equal(RUN(&REAL, "help", "--man", dir), 0);
    const char *page = scratch_get("man/step-context-select.1");
    assert_non_null(page);
    assert_non_null(strstr(page, ".TH \"step-context-select\" 1"));
    assert_non_null(strstr(page, ".SH NAME\nstep\\-context\\-select \\- select the context"));
    assert_non_null(strstr(page, ".SH SYNOPSIS\n"));
    assert_non_null(scratch_get("man/step.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(command_help_has_its_sections_in_order),
        CLI_TEST(group_help_lists_commands),
        CLI_TEST(every_way_to_ask_gives_the_same_help),
        CLI_TEST(unknown_help_topics_exit_3),
        CLI_TEST(help_does_not_need_good_files),
        CLI_TEST(version_has_two_lines),
        CLI_TEST(whole_tree_is_sound),
        CLI_TEST(manual_pages_cover_the_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
