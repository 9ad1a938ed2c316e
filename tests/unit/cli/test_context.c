/* step path and step context. */
#include "capture.h"

static const struct cli_environment ENV = {.root = &STEP};

static void put_contexts(void)
{
    scratch_put("contexts.json", "{\"Beta\": {\"profile\": \"pb\", \"authority\": \"shared\"},"
                                 " \"alpha\": {\"profile\": \"pa\", \"authority\": \"aa\"},"
                                 " \"gamma\": {\"profile\": \"pb\", \"authority\": \"shared\"}}");
    scratch_put("current-context.json", "{\"context\":\"gamma\"}");
}

static void path_follows_the_context(void **state)
{
    char want[256];

    (void)state;
    assert_int_equal(RUN(&ENV, "path"), 0);
    snprintf(want, sizeof(want), "%s\n", scratch);
    assert_string_equal(said.out, want);
    put_contexts();
    RUN(&ENV, "path");
    snprintf(want, sizeof(want), "%s/authorities/shared\n", scratch);
    assert_string_equal(said.out, want);
    RUN(&ENV, "path", "--profile");
    snprintf(want, sizeof(want), "%s/profiles/pb\n", scratch);
    assert_string_equal(said.out, want);
    RUN(&ENV, "path", "--profile", "--base");
    snprintf(want, sizeof(want), "%s\n", scratch);
    assert_string_equal(said.out, want);
    RUN(&ENV, "path", "--context", "alpha");
    snprintf(want, sizeof(want), "%s/authorities/aa\n", scratch);
    assert_string_equal(said.out, want);
}

static void current_is_a_name_or_json(void **state)
{
    (void)state;
    assert_int_equal(RUN(&ENV, "context", "current"), 1);
    assert_string_equal(said.out, "");
    put_contexts();
    assert_int_equal(RUN(&ENV, "context", "current"), 0);
    assert_string_equal(said.out, "gamma\n");
    assert_int_equal(RUN(&ENV, "context", "current", "--json"), 0);
    assert_string_equal(said.out,
                        "{\"name\":\"gamma\",\"authority\":\"shared\",\"profile\":\"pb\"}\n");
}

static void list_begins_with_the_current_one(void **state)
{
    (void)state;
    put_contexts();
    assert_int_equal(RUN(&ENV, "context", "list"), 0);
    assert_string_equal(said.out, "▶ gamma\nalpha\nBeta\n");
    unlink(scratch_path("current-context.json"));
    assert_int_equal(RUN(&ENV, "context", "list"), 0);
    assert_string_equal(said.out, "alpha\nBeta\ngamma\n");
    assert_string_equal(said.err, "");
}

static void select_writes_the_choice(void **state)
{
    struct stat st;

    (void)state;
    put_contexts();
    unlink(scratch_path("current-context.json"));
    umask(022);
    assert_int_equal(RUN(&ENV, "context", "select", "alpha"), 0);
    assert_string_equal(scratch_get("current-context.json"), "{\"context\":\"alpha\"}");
    assert_int_equal(stat(scratch_path("current-context.json"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(RUN(&ENV, "context", "select", "nobody"), 1);
    assert_string_equal(said.err, "context 'nobody' not found\n");
    assert_string_equal(scratch_get("current-context.json"), "{\"context\":\"alpha\"}");
}

static void remove_takes_what_nobody_else_uses(void **state)
{
    (void)state;
    put_contexts();
    scratch_put("authorities/aa/certs/root_ca.crt", "x");
    scratch_put("profiles/pa/config/defaults.json", "{}");
    scratch_put("authorities/shared/certs/root_ca.crt", "x");
    scratch_put("outside/file", "x");
    scratch_put("ssh/includes", "Include \"/h/.step/authorities/aa/ssh/config\"\n"
                                "Include \"/h/.step/authorities/aaa/ssh/config\"\n");
    char target[256];
    snprintf(target, sizeof(target), "%s", scratch_path("outside"));
    assert_int_equal(symlink(target, scratch_path("authorities/aa/link")), 0);

    assert_int_equal(RUN(&ENV, "context", "remove", "alpha", "--force"), 0);
    assert_string_equal(scratch_get("contexts.json"), "{\n"
                                                      "    \"Beta\": {\n"
                                                      "        \"profile\": \"pb\",\n"
                                                      "        \"authority\": \"shared\"\n"
                                                      "    },\n"
                                                      "    \"gamma\": {\n"
                                                      "        \"profile\": \"pb\",\n"
                                                      "        \"authority\": \"shared\"\n"
                                                      "    }\n"
                                                      "}");
    assert_false(file_exists(scratch_path("authorities/aa")));
    assert_false(file_exists(scratch_path("profiles/pa")));
    assert_true(file_exists(scratch_path("outside/file")));
    assert_string_equal(scratch_get("ssh/includes"),
                        "Include \"/h/.step/authorities/aaa/ssh/config\"\n");

    assert_int_equal(RUN(&ENV, "context", "remove", "Beta", "-f"), 0);
    assert_true(file_exists(scratch_path("authorities/shared/certs/root_ca.crt")));
}

static void remove_refuses(void **state)
{
    static const char *const NO[] = {"Remove the context 'alpha'=n", NULL};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct cli_environment env = {.root = &STEP, .terminal = terminal_script(a, NO)};

    (void)state;
    put_contexts();
    assert_int_equal(RUN(&ENV, "context", "remove", "gamma", "--force"), 1);
    assert_non_null(strstr(said.err, "is the selected one"));
    assert_int_equal(RUN(&ENV, "context", "remove", "nobody", "--force"), 1);
    assert_string_equal(said.err, "context 'nobody' not found\n");
    assert_int_equal(RUN(&env, "context", "remove", "alpha"), 1);
    assert_string_equal(said.err, "context 'alpha' was not removed\n");
    assert_int_equal(RUN(&ENV, "--non-interactive", "context", "remove", "alpha"), 1);
    assert_non_null(strstr(said.err, "use the '--force' flag"));
    assert_non_null(strstr(scratch_get("contexts.json"), "alpha"));
}

static void broken_context_files_stop_every_command(void **state)
{
    (void)state;
    put_contexts();
    scratch_put("current-context.json", "{\"context\":\"gone\"}");
    assert_int_equal(RUN(&ENV, "path"), 1);
    assert_non_null(strstr(said.err, "current-context.json"));
    assert_int_equal(RUN(&ENV, "context", "list"), 1);
    assert_int_equal(RUN(&ENV, "version"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(path_follows_the_context),
        CLI_TEST(current_is_a_name_or_json),
        CLI_TEST(list_begins_with_the_current_one),
        CLI_TEST(select_writes_the_choice),
        CLI_TEST(remove_takes_what_nobody_else_uses),
        CLI_TEST(remove_refuses),
        CLI_TEST(broken_context_files_stop_every_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
