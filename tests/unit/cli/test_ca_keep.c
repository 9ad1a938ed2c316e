/* step ca renew, rekey and revoke against a CA in this process. */
#include <signal.h>
#include <sys/wait.h>

#include "cli/ca_renew.h"
#include "mini_ca.h"

static int keep_setup(void **state)
{
    int failed = mini_setup(state);

    if (failed == 0)
        mini_trust();
    return failed;
}
#define KEEP_TEST(name) cmocka_unit_test_setup_teardown(name, keep_setup, mini_teardown)

static const struct mini_call *last(void)
{
    return &CA.calls[CA.n_calls - 1];
}

/* --- renew ----------------------------------------------------------------------------------- */

static void renewal_shows_the_certificate(void **state)
{
    (void)state;
    put_pair("c", "k", 3600);
    struct cert *old = leaf_in("c");
    assert_int_equal(chmod(at("c"), 0644), 0);
    assert_int_equal(RUN(&ENV, "ca", "renew", at("c"), at("k")), 1);
    assert_int_equal(CA.n_calls, 0);
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", at("c"), at("k")), 0);
    assert_true(last()->identity);
    assert_string_equal(last()->bearer, "");
    assert_false(slice_eq(leaf_in("c")->serial, old->serial));
    assert_true(key_eq(leaf_in("c")->key, key_in("k")->public_key));
    assert_int_equal(mode_of("c"), 0644);
    assert_says(said.err, "Your certificate has been saved in ");
}

static void renewal_can_write_another_file(void **state)
{
    (void)state;
    put_pair("c", "k", 3600);
    const char *before = arena_printf(CA.arena, "%s", scratch_get("c"));
    assert_int_equal(RUN(&ENV, "ca", "renew", at("c"), at("k"), "--out", at("n")), 0);
    assert_string_equal(scratch_get("c"), before);
    assert_int_equal(mode_of("n"), 0600);
}

static void renewal_by_token_when_asked_or_expired(void **state)
{
    (void)state;
    put_pair("c", "k", 3600);
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", "--mtls=false", at("c"), at("k")), 0);
    assert_false(last()->identity);
    assert_true(strncmp(last()->bearer, "Bearer ", 7) == 0);
    put_pair("c", "k", -10);
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", at("c"), at("k")), 0);
    assert_false(last()->identity);
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", at("c"), at("k")), 0);
    assert_true(last()->identity);
}

static void renewal_that_is_too_early_is_no_error(void **state)
{
    (void)state;
    put_pair("c", "k", 20 * 3600);
    assert_int_equal(RUN(&ENV, "ca", "renew", "--expires-in", "1h", at("c"), at("k")), 0);
    assert_says(said.err, "certificate not renewed: expires in ");
    assert_int_equal(CA.n_calls, 0);
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", "--expires-in", "20h", at("c"), at("k")),
                     0);
    assert_int_equal(CA.n_calls, 1);
}

static void renewal_flags_are_checked(void **state)
{
    static const struct {
        const char *words[6], *says;
    } CASES[] = {
        {{"--expires-in", "25h"}, "invalid value '25h' for flag '--expires-in'"},
        {{"--renew-period", "1h"}, "flag '--renew-period' requires the '--daemon' flag"},
        {{"--daemon", "--renew-period", "25h"}, "invalid value '25h' for flag '--renew-period'"},
        {{"--daemon", "--renew-period", "1h", "--expires-in", "1h"}, "mutually exclusive"},
        {{"--pid", "0"}, "invalid value '0' for flag '--pid'"},
        {{"--pid", "1"}, "invalid value '1' for flag '--pid'"},
        {{"--pid", "99", "--pid-file", "x"},
         "flag '--pid' and flag '--pid-file' are mutually exclusive"},
        {{"--pid-file", "/none"}, "open /none failed"},
        {{"--signal", "0"}, "invalid value '0' for flag '--signal'"},
        {{"--exec", "a 'b"}, "flag '--exec'"},
        {{"--offline", "--daemon"}, "flag '--daemon' is incompatible with '--offline'"},
    };

    (void)state;
    put_pair("c", "k", 20 * 3600);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const char *words[14] = {"ca", "renew", "--force", at("c"), at("k")};
        memcpy(words + 5, CASES[i].words, sizeof(CASES[i].words));
        assert_int_equal(capture_run(&ENV, words), 1);
        assert_says(said.err, CASES[i].says);
        assert_int_equal(CA.n_calls, 0);
    }
}

static void renewal_needs_the_key_of_the_certificate(void **state)
{
    (void)state;
    put_pair("c", "k", 3600);
    put_pair("c2", "k2", 3600);
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", at("c"), at("k2")), 1);
    assert_says(said.err, "does not belong to the certificate");
    assert_int_equal(CA.n_calls, 0);
}

static void command_runs_after_renewal(void **state)
{
    (void)state;
    put_pair("c", "k", 3600);
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", "--exec",
                         arena_printf(CA.arena, "cp '%s' \"%s\"", at("c"), at("copy of c")),
                         at("c"), at("k")),
                     0);
    assert_true(slice_eq(leaf_in("copy of c")->der, leaf_in("c")->der));
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", "--exec", "false", at("c"), at("k")), 1);
    assert_says(said.err, "status 1");
}

static void refusal_of_the_ca_leaves_the_file(void **state)
{
    (void)state;
    put_pair("c", "k", 3600);
    const char *before = arena_printf(CA.arena, "%s", scratch_get("c"));
    CA.down = true;
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", at("c"), at("k")), 1);
    assert_string_equal(scratch_get("c"), before);
}

/* --- The daemon ------------------------------------------------------------------------------ */

/* The daemon in a process of its own; what it says comes back through a pipe. */
static pid_t start_daemon(const char *command, const char *exec, FILE **out)
{
    int ends[2];
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        char *argv[] = {(char *)"step",     (char *)"ca",     (char *)command,
                        (char *)"--daemon", (char *)"--exec", (char *)exec,
                        (char *)at("c"),    (char *)at("k"),  NULL};
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        _exit(cli_run(&ENV, 8, argv));
    }
    close(ends[1]);
    *out = fdopen(ends[0], "r");
    return child;
}

/* The next line that has the text; the daemon is alive and well. */
static void expect_line(FILE *out, const char *what)
{
    char line[1024];

    while (fgets(line, sizeof(line), out))
        if (strstr(line, what))
            return;
    fail_msg("the daemon never said \"%s\"", what);
}

static void stop_daemon(pid_t child, FILE *out)
{
    int status = -1;

    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    fclose(out);
}

static void daemon_renews_on_hangup_and_ends_on_term(void **state)
{
    FILE *out;

    (void)state;
    put_pair("c", "k", 20 * 3600);
    struct cert *old = leaf_in("c");
    pid_t child = start_daemon("renew", "false", &out);
    expect_line(out, "first renewal in ");
    assert_int_equal(kill(child, SIGHUP), 0);
    expect_line(out, "web.test certificate renewed, next in ");
    expect_line(out, "ERROR: "); /* --exec failed: that ends nothing */
    struct cert *second = leaf_in("c");
    assert_false(slice_eq(second->serial, old->serial));
    assert_int_equal(kill(child, SIGHUP), 0);
    expect_line(out, "web.test certificate renewed, next in ");
    assert_false(slice_eq(leaf_in("c")->serial, second->serial));
    stop_daemon(child, out);
}

static void daemon_renews_at_once_what_is_due(void **state)
{
    FILE *out;

    (void)state;
    put_pair("c", "k", 600); /* a sixth of its life is left */
    pid_t child = start_daemon("renew", "true", &out);
    expect_line(out, "first renewal in 0s");
    expect_line(out, "certificate renewed, next in 1");
    stop_daemon(child, out);
}

static void daemon_tries_again_after_a_failure(void **state)
{
    FILE *out;

    (void)state;
    put_pair("c", "k", 20 * 3600);
    CA.down = true;
    pid_t child = start_daemon("renew", "true", &out);
    expect_line(out, "first renewal in ");
    assert_int_equal(kill(child, SIGHUP), 0);
    expect_line(out, "ERROR: ");
    expect_line(out, "next attempt in 1m0s");
    assert_int_equal(kill(child, SIGHUP), 0);
    expect_line(out, "next attempt in 2m0s");
    stop_daemon(child, out);
}

static void daemon_of_rekey_makes_a_new_key_each_time(void **state)
{
    FILE *out;

    (void)state;
    put_pair("c", "k", 20 * 3600);
    struct private_key *first = key_in("k");
    pid_t child = start_daemon("rekey", "true", &out);
    expect_line(out, "first rekey in ");
    assert_int_equal(kill(child, SIGHUP), 0);
    expect_line(out, "web.test certificate rekeyed, next in ");
    struct private_key *second = key_in("k");
    assert_int_equal(kill(child, SIGHUP), 0);
    expect_line(out, "web.test certificate rekeyed, next in ");
    struct private_key *third = key_in("k");
    stop_daemon(child, out);
    assert_false(key_eq(first->public_key, second->public_key));
    assert_false(key_eq(second->public_key, third->public_key));
    assert_true(key_eq(leaf_in("c")->key, third->public_key));
}

/* --- rekey ----------------------------------------------------------------------------------- */

static void rekey_replaces_both_files(void **state)
{
    (void)state;
    put_pair("c", "k", 3600);
    struct private_key *old = key_in("k");
    assert_int_equal(chmod(at("k"), 0640), 0);
    assert_int_equal(RUN(&ENV, "ca", "rekey", at("c"), at("k")), 1);
    assert_int_equal(CA.n_calls, 0);
    assert_int_equal(
        RUN(&ENV, "ca", "rekey", "--force", "--kty", "EC", "--crv", "P-384", at("c"), at("k")), 0);
    assert_true(last()->identity);
    assert_false(key_eq(old->public_key, key_in("k")->public_key));
    assert_int_equal(key_in("k")->public_key->type, KEY_P384);
    assert_true(key_eq(leaf_in("c")->key, key_in("k")->public_key));
    assert_int_equal(mode_of("k"), 0640);
    assert_false(file_exists(at("c.rekey")));
    assert_false(file_exists(at("k.rekey")));
    assert_says(said.err, "✔ Certificate: ");
    assert_says(said.err, "✔ Private Key: ");
}

static void rekey_can_use_other_files_and_a_given_key(void **state)
{
    (void)state;
    put_pair("c", "k", 3600);
    put_pair("unused", "mine", 3600);
    const char *key = arena_printf(CA.arena, "%s", scratch_get("k"));
    assert_int_equal(
        RUN(&ENV, "ca", "rekey", at("c"), at("k"), "--out-cert", at("nc"), "--out-key", at("nk")),
        0);
    assert_true(key_eq(leaf_in("nc")->key, key_in("nk")->public_key));
    assert_int_equal(mode_of("nk"), 0600);
    assert_string_equal(scratch_get("k"), key);
    assert_int_equal(RUN(&ENV, "ca", "rekey", at("c"), at("k"), "--out-cert", at("mc"),
                         "--private-key", at("mine")),
                     0);
    assert_true(key_eq(leaf_in("mc")->key, key_in("mine")->public_key));
    assert_string_equal(scratch_get("k"), key);
    assert_null(strstr(said.err, "Private Key"));
}

static void rekey_of_an_expired_certificate_is_refused(void **state)
{
    (void)state;
    put_pair("c", "k", -10);
    assert_int_equal(RUN(&ENV, "ca", "rekey", "--force", at("c"), at("k")), 1);
    assert_string_equal(said.err, "cannot rekey an expired certificate\n");
    assert_int_equal(CA.n_calls, 0);
}

static void interrupted_rekey_is_finished_by_the_next_run(void **state)
{
    (void)state;
    put_pair("c", "k", 3600);
    put_pair("c.rekey", "k", 3600); /* the crash: a new key, its certificate still waits */
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", at("c"), at("k")), 0);
    assert_says(said.err, "interrupted rekey");
    assert_true(key_eq(leaf_in("c")->key, key_in("k")->public_key));
    assert_false(file_exists(at("c.rekey")));

    put_pair("c", "k", 3600);
    put_pair("c.rekey", "other", 3600); /* fits nobody: left alone */
    put_pair("unused", "k", 3600);
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", at("c"), at("k")), 1);
    assert_says(said.err, "does not belong");
}

static void pair_survives_a_key_that_cannot_be_written(void **state)
{
    struct err e = {0};

    (void)state;
    put_pair("c", "k", 3600);
    assert_int_equal(mkdir(at("k.rekey"), 0700), 0);
    assert_false(pair_write(CA.arena, at("k"), SLICE("key"), at("c"), SLICE("crt"), &e));
    assert_true(key_eq(leaf_in("c")->key, key_in("k")->public_key));
    assert_false(file_exists(at("c.rekey")));
}

/* --- revoke ---------------------------------------------------------------------------------- */

#define PASS "--provisioner-password-file", at("pass")

static void revocation_by_serial_makes_a_token(void **state)
{
    (void)state;
    assert_int_equal(
        RUN(&ENV, "ca", "revoke", "0x1F", "--reasonCode", "key compromise", "--reason", "x", PASS),
        0);
    assert_says(last()->body, "{\"serial\":\"31\",");
    assert_says(last()->body, "\"reasonCode\":1,\"reason\":\"x\",\"passive\":true}");
    assert_string_equal(strstr(said.err, "Certificate"),
                        "Certificate with Serial Number 31 has been revoked.\n");
}

static void revocation_with_the_certificate_needs_no_token(void **state)
{
    (void)state;
    put_pair("c", "k", 3600);
    assert_int_equal(RUN(&ENV, "ca", "revoke", "--cert", at("c"), "--key", at("k")), 0);
    assert_true(last()->identity);
    assert_says(last()->body, "\"ott\":\"\"");
    assert_says(last()->body,
                arena_printf(CA.arena, "{\"serial\":\"%.*s\"",
                             SLICE_ARG(serial_decimal(CA.arena, leaf_in("c")->serial))));
}

static void revocation_with_a_token_must_be_for_this_serial(void **state)
{
    (void)state;
    assert_int_equal(RUN(&ENV, "ca", "token", "31", "--revoke", PASS), 0);
    char *token = arena_cstr(CA.arena, slice_trim(slice_text(said.out)));
    unlink(at("certs/root_ca.crt"));
    assert_int_equal(RUN(&ENV, "ca", "revoke", "32", "--token", token), 1);
    assert_says(said.err, "do not match");
    assert_int_equal(RUN(&ENV, "ca", "revoke", "0b11111", "--token", token), 0);
}

static void revocation_arguments_are_checked(void **state)
{
    static const struct {
        const char *words[6], *says;
    } CASES[] = {
        {{NULL}, "not enough positional arguments"},
        {{"12x"}, "serial number '12x'"},
        {{"12", "--reasonCode", "11"}, "invalid value '11' for flag '--reasonCode'"},
        {{"12", "--reasonCode", "bogus"}, "invalid value 'bogus' for flag '--reasonCode'"},
        {{"--cert", "a"}, "flag '--cert' requires the '--key' flag"},
        {{"--cert", "a", "--key", "b", "--token", "c"},
         "flag '--cert' is incompatible with '--token'"},
        {{"12", "--cert", "a", "--key", "b"}, "too many positional arguments"},
        {{"12", "--offline", "--token", "x"}, "flag '--offline' is incompatible with '--token'"},
        {{"12", "--offline"}, "config/ca.json"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const char *words[12] = {"ca", "revoke"};
        memcpy(words + 2, CASES[i].words, sizeof(CASES[i].words));
        assert_int_equal(capture_run(&ENV, words), 1);
        assert_says(said.err, CASES[i].says);
        assert_int_equal(CA.n_calls, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEEP_TEST(renewal_shows_the_certificate),
        KEEP_TEST(renewal_can_write_another_file),
        KEEP_TEST(renewal_by_token_when_asked_or_expired),
        KEEP_TEST(renewal_that_is_too_early_is_no_error),
        KEEP_TEST(renewal_flags_are_checked),
        KEEP_TEST(renewal_needs_the_key_of_the_certificate),
        KEEP_TEST(command_runs_after_renewal),
        KEEP_TEST(refusal_of_the_ca_leaves_the_file),
        KEEP_TEST(daemon_renews_on_hangup_and_ends_on_term),
        KEEP_TEST(daemon_renews_at_once_what_is_due),
        KEEP_TEST(daemon_tries_again_after_a_failure),
        KEEP_TEST(daemon_of_rekey_makes_a_new_key_each_time),
        KEEP_TEST(rekey_replaces_both_files),
        KEEP_TEST(rekey_can_use_other_files_and_a_given_key),
        KEEP_TEST(rekey_of_an_expired_certificate_is_refused),
        KEEP_TEST(interrupted_rekey_is_finished_by_the_next_run),
        KEEP_TEST(pair_survives_a_key_that_cannot_be_written),
        KEEP_TEST(revocation_by_serial_makes_a_token),
        KEEP_TEST(revocation_with_the_certificate_needs_no_token),
        KEEP_TEST(revocation_with_a_token_must_be_for_this_serial),
        KEEP_TEST(revocation_arguments_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
