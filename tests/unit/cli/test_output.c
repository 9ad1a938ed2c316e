/* Writing results, errors and passwords; questions answered by a script, or by nobody. */
#include <fcntl.h>

#include "capture.h"
#include "crypto/secret.h"

/* `step write FILE [FILE]`: asks first, then writes, as commands do. */
static unsigned mode;
static int run_write(struct invocation *inv)
{
    for (int i = 0; i < inv->n_args; i++)
        if (!may_write(inv, arg_text(inv, i), &inv->err))
            return fail(inv);
    note(inv, "asking the CA");
    for (int i = 0; i < inv->n_args; i++)
        if (!write_result(inv, arg_text(inv, i), SLICE("new"), mode, &inv->err))
            return fail(inv);
    return 0;
}
static const struct flag *const WRITE_SETS[] = {FLAGS_FORCE, FLAGS_PASSWORD, NULL};
static const struct command WRITE = {.name = "write",
                                     .summary = "w",
                                     .synopsis = "<file>",
                                     .flag_sets = WRITE_SETS,
                                     .most = -1,
                                     .run = run_write};

static int run_password(struct invocation *inv)
{
    struct slice password;

    if (!password_flag(inv, "password-file", &password, &inv->err))
        return fail(inv);
    out_line(inv, "%s:%.*s", password.p ? "given" : "absent", SLICE_ARG(password));
    return 0;
}
static const struct command PASSWORD = {.name = "password",
                                        .summary = "p",
                                        .synopsis = "",
                                        .flag_sets = WRITE_SETS,
                                        .run = run_password};

static struct err the_error;
static int run_error(struct invocation *inv)
{
    inv->err = the_error;
    return fail(inv);
}
static const struct command ERROR = {
    .name = "error", .summary = "e", .synopsis = "", .run = run_error};

static const struct command *const SUB[] = {&WRITE, &PASSWORD, &ERROR, NULL};
static const struct command ROOT = {.name = "step", .summary = "s", .sub = SUB};
static const struct cli_environment NOBODY = {.root = &ROOT};

static unsigned mode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_mode & 0777 : 0;
}

static void new_file_gets_the_mode(void **state)
{
    (void)state;
    umask(022);
    mode = 0600;
    assert_int_equal(RUN(&NOBODY, "write", scratch_path("a")), 0);
    assert_string_equal(scratch_get("a"), "new");
    assert_int_equal(mode_of(scratch_path("a")), 0600);
    mode = 0644;
    assert_int_equal(RUN(&NOBODY, "write", scratch_path("b")), 0);
    assert_int_equal(mode_of(scratch_path("b")), 0644);
}

static void existing_file_needs_consent_before_anything_happens(void **state)
{
    static const char *const NO[] = {"Would you like to overwrite =n", NULL};
    static const char *const YES[] = {"Would you like to overwrite =Y", NULL};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct cli_environment no = {.root = &ROOT, .terminal = terminal_script(a, NO)};
    struct cli_environment yes = {.root = &ROOT, .terminal = terminal_script(a, YES)};
    char want[512], path[256];

    (void)state;
    mode = 0600;
    scratch_put("a", "old");
    snprintf(path, sizeof(path), "%s", scratch_path("a"));
    assert_int_equal(chmod(path, 0640), 0);

    assert_int_equal(RUN(&no, "write", path), 1);
    snprintf(want, sizeof(want), "open %s failed: file exists\n", path);
    assert_string_equal(said.err, want);
    assert_int_equal(RUN(&NOBODY, "--non-interactive", "write", path), 1);
    assert_non_null(strstr(said.err, "Would you like to overwrite"));
    assert_non_null(strstr(said.err, "use the '--force' flag\n"));
    assert_null(strstr(said.err, "asking the CA"));
    assert_string_equal(scratch_get("a"), "old");

    assert_int_equal(RUN(&yes, "write", path), 0);
    assert_int_equal(terminal_script_left(yes.terminal), 0); /* asked once */
    assert_string_equal(scratch_get("a"), "new");
    assert_int_equal(mode_of(path), 0640);
}

static void force_never_asks(void **state)
{
    (void)state;
    scratch_put("a", "old");
    assert_int_equal(RUN(&NOBODY, "--non-interactive", "write", "-f", scratch_path("a")), 0);
    assert_string_equal(scratch_get("a"), "new");
}

static void directories_are_refused_and_devices_taken(void **state)
{
    (void)state;
    assert_int_equal(RUN(&NOBODY, "write", "-f", scratch), 1);
    assert_non_null(strstr(said.err, "failed: is a directory\n"));
    assert_int_equal(RUN(&NOBODY, "--non-interactive", "write", "/dev/null"), 0);
}

static void same_file_twice_is_written_twice(void **state)
{
    char path[256];

    (void)state;
    snprintf(path, sizeof(path), "%s", scratch_path("a"));
    assert_int_equal(RUN(&NOBODY, "write", path, path), 0);
    assert_string_equal(scratch_get("a"), "new");
}

static void empty_password_file_counts_as_none(void **state)
{
    char path[256];

    (void)state;
    snprintf(path, sizeof(path), "%s", scratch_path("pass"));
    RUN(&NOBODY, "password");
    assert_string_equal(said.out, "absent:\n");
    scratch_put("pass", "  p w \t\n\n");
    RUN(&NOBODY, "password", "--password-file", path);
    assert_string_equal(said.out, "given:  p w\n");
    scratch_put("pass", "\n");
    RUN(&NOBODY, "password", "--password-file", path);
    assert_string_equal(said.out, "absent:\n");
    assert_int_equal(RUN(&NOBODY, "password", "--password-file", "/nonexistent"), 1);
    assert_string_equal(said.err, "open /nonexistent failed: no such file or directory\n");
}

static void remote_errors_point_at_stepdebug(void **state)
{
    static struct err_note note_url = {
        NULL, {(const uint8_t *)"url", 3}, {(const uint8_t *)"https://\033x", 10}};

    (void)state;
    err_set(&the_error, ERR_MALFORMED, "no good");
    assert_int_equal(RUN(&NOBODY, "error"), 1);
    assert_string_equal(said.err, "no good\n");
    err_set(&the_error, ERR_UNAVAILABLE, "connection refused");
    RUN(&NOBODY, "error");
    assert_string_equal(said.err,
                        "connection refused\nRe-run with STEPDEBUG=1 for more information.\n");
    err_set(&the_error, ERR_FORBIDDEN, "not you");
    the_error.notes = &note_url;
    RUN(&NOBODY, "error");
    assert_non_null(strstr(said.err, "STEPDEBUG=1"));
    setenv("STEPDEBUG", "1", 1);
    RUN(&NOBODY, "error");
    assert_string_equal(said.err, "not you\n  kind: forbidden\n  url: https://?x\n");
    err_clear(&the_error);
}

static void full_output_is_an_error(void **state)
{
    static const char *const WORDS[] = {"password", NULL};
    char *argv[] = {(char *)"step", (char *)WORDS[0]};
    int old = dup(1), err = dup(2), full = open("/dev/full", O_WRONLY),
        null = open("/dev/null", O_WRONLY);

    (void)state;
    fflush(stdout);
    dup2(full, 1);
    dup2(null, 2);
    int status = cli_run(&NOBODY, 2, argv);
    dup2(old, 1);
    dup2(err, 2);
    close(full);
    close(null);
    close(old);
    close(err);
    assert_int_equal(status, 1);
}

/* --- Terminals ------------------------------------------------------------------------------- */

static bool digits_only(struct slice s, struct err *e)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return err_set(e, ERR_MALFORMED, "digits only");
    return true;
}

static void script_answers_in_order(void **state)
{
    static const char *const ANSWERS[] = {"Name=Eve",     "Port=",    "Port=x",
                                          "Pass=secret ", "Really=N", "Which=two",
                                          "Which=0",      "Other=x",  NULL};
    static const struct slice ITEMS[] = {{(const uint8_t *)"one", 3}, {(const uint8_t *)"two", 3}};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct terminal *t = terminal_script(a, ANSWERS);
    struct slice answer;
    struct err e = {0};
    size_t chosen;
    bool yes = true;

    (void)state;
    assert_true(t->text(t, a, "Name of it", NULL, NULL, NULL, &answer, &e));
    assert_true(slice_is(answer, "Eve"));
    assert_true(t->text(t, a, "Port", "443", NULL, digits_only, &answer, &e));
    assert_true(slice_is(answer, "443"));
    assert_false(t->text(t, a, "Port", "443", NULL, digits_only, &answer, &e));
    assert_true(t->password(t, a, "Password", NULL, &answer, &e));
    assert_true(slice_is(answer, "secret"));
    assert_true(t->yes_no(t, "Really?", NULL, &yes, &e));
    assert_false(yes);
    assert_true(t->choose(t, "Which?\tIt", ITEMS, 2, NULL, &chosen, &e));
    assert_int_equal(chosen, 1);
    assert_true(t->choose(t, "Which?\tIt", ITEMS, 1, NULL, &chosen, &e)); /* not asked */
    assert_true(t->choose(t, "Which?\tIt", ITEMS, 2, NULL, &chosen, &e));
    assert_int_equal(chosen, 0);
    assert_false(t->text(t, a, "Surprise", NULL, NULL, NULL, &answer, &e));
    assert_int_equal(e.kind, ERR_INTERNAL);
    assert_int_equal(terminal_script_left(t), 1);
}

static void nobody_names_question_and_flag(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct terminal *t = terminal_none(a, "nobody is here");
    struct slice answer;
    struct err e = {0};

    (void)state;
    assert_false(t->available(t));
    assert_false(t->password(t, a, "Password of the key", "--password-file", &answer, &e));
    assert_int_equal(e.kind, ERR_UNAVAILABLE);
    assert_string_equal(e.text, "cannot ask 'Password of the key': nobody is here; use the "
                                "'--password-file' flag");
    assert_false(t->text(t, a, "Name?\tN", NULL, NULL, NULL, &answer, &e));
    assert_string_equal(e.text, "cannot ask 'Name?': nobody is here");
}

static void empty_password_is_made_up(void **state)
{
    static const char *const ANSWERS[] = {"Choose=", "Password=",       "Choose=mine",
                                          "Choose=", "Password=edited", NULL};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_SECRET);
    struct terminal *t = terminal_script(a, ANSWERS);
    struct slice answer;
    struct err e = {0};

    (void)state;
    assert_true(terminal_password_or_generate(t, a, "Choose one", NULL, &answer, &e));
    assert_int_equal(answer.n, 32);
    for (size_t i = 0; i < answer.n; i++)
        assert_true((answer.p[i] >= '0' && answer.p[i] <= '9') ||
                    ((answer.p[i] | 0x20) >= 'a' && (answer.p[i] | 0x20) <= 'z'));
    assert_true(terminal_password_or_generate(t, a, "Choose one", NULL, &answer, &e));
    assert_true(slice_is(answer, "mine"));
    assert_true(terminal_password_or_generate(t, a, "Choose one", NULL, &answer, &e));
    assert_true(slice_is(answer, "edited"));
}

static void password_source_prompts_unless_fixed(void **state)
{
    static const char *const ANSWERS[] = {"Please enter the password to decrypt key.pem=pw", NULL};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_SECRET);
    struct terminal *t = terminal_script(a, ANSWERS);
    struct password_source *s = terminal_password_source(a, t, SLICE("fix"), NULL, 3);
    struct slice answer;
    struct err e = {0};

    (void)state;
    assert_int_equal(s->tries, 1);
    assert_true(s->get(s, "key.pem", 0, a, &answer, &e));
    assert_true(slice_is(answer, "fix"));
    s = terminal_password_source(a, t, SLICE_NONE, "--password-file", 3);
    assert_int_equal(s->tries, 3);
    assert_true(s->get(s, "key.pem", 0, a, &answer, &e));
    assert_true(slice_is(answer, "pw"));
    assert_false(s->get(s, "key.pem", 1, a, &answer, &e));
    assert_non_null(strstr(e.text, "--password-file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(new_file_gets_the_mode),
        CLI_TEST(existing_file_needs_consent_before_anything_happens),
        CLI_TEST(force_never_asks),
        CLI_TEST(directories_are_refused_and_devices_taken),
        CLI_TEST(same_file_twice_is_written_twice),
        CLI_TEST(empty_password_file_counts_as_none),
        CLI_TEST(remote_errors_point_at_stepdebug),
        CLI_TEST(full_output_is_an_error),
        CLI_TEST(script_answers_in_order),
        CLI_TEST(nobody_names_question_and_flag),
        CLI_TEST(empty_password_is_made_up),
        CLI_TEST(password_source_prompts_unless_fixed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
