/* The certificate commands: URLs, expiry, roots, and what they ask on a terminal. */
#include "capture.h"
#include "cli/certificate_common.h"
#include "crypto/secret.h"
#include "x509/cert.h"

static struct cli_environment env = {.root = &STEP};

/* --- Pure parts --------------------------------------------------------------------------- */

static void expires_in_reads_percentages_and_durations(void **state)
{
    static const struct {
        const char *text;
        bool ok, relative;
        int64_t value;
    } CASES[] = {
        {"0%", true, true, 0},
        {"66%", true, true, 66},
        {"100%", true, true, 100},
        {"24h", true, false, 24 * 3600 * NS_PER_SEC},
        {"0s", true, false, 0},
        {"-1h", true, false, -3600 * NS_PER_SEC},
        {"101%", false, false, 0},
        {"-1%", false, false, 0},
        {"6.5%", false, false, 0},
        {" 5%", false, false, 0},
        {"%", false, false, 0},
        {"%5", false, false, 0},
        {"99999999999999999999%", false, false, 0},
        {"x", false, false, 0},
        {"", false, false, 0},
        {"5", false, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct expires_in x;
        bool ok = expires_in_read(slice_text(CASES[i].text), &x, NULL);
        assert_int_equal(ok, CASES[i].ok);
        if (!ok)
            continue;
        assert_int_equal(x.relative, CASES[i].relative);
        assert_int_equal(x.relative ? x.percent : x.ns, CASES[i].value);
    }
}

static void expires_in_is_reached_at_the_boundary(void **state)
{
    static const struct {
        const char *in;
        int64_t from, to, now;
        bool reached;
    } CASES[] = {
        {"66%", 1000, 2000, 1659, false},  {"66%", 1000, 2000, 1660, true},
        {"0%", 1000, 2000, 1000, true},    {"0%", 1000, 2000, 999, true}, /* cut towards zero */
        {"1%", 1000, 2000, 999, false},    {"100%", 1000, 2000, 1999, false},
        {"100%", 1000, 2000, 2000, true},  {"66%", 1000, 1000, 999, false}, /* no lifetime at all */
        {"66%", 1000, 1000, 1000, true},   {"66%", -62135596800, 253402300799, 253402300798, true},
        {"10s", 1000, 2000, 1989, false},  {"10s", 1000, 2000, 1990, true},
        {"0s", 1000, 2000, 1999, false},   {"0s", 1000, 2000, 2000, true},
        {"-10s", 1000, 2000, 2009, false}, {"-10s", 1000, 2000, 2010, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct expires_in x;
        assert_true(expires_in_read(slice_text(CASES[i].in), &x, NULL));
        assert_int_equal(expires_in_reached(&x, instant_sec(CASES[i].from),
                                            instant_sec(CASES[i].to), instant_sec(CASES[i].now)),
                         CASES[i].reached);
    }
}

static void url_gives_host_and_port(void **state)
{
    static const struct {
        const char *text, *host, *port; /* host NULL: an error */
    } CASES[] = {
        {"https://example.com", "example.com", "443"},
        {"HTTPS://example.com/path?q#f", "example.com", "443"},
        {"tcp://example.com", "example.com", "443"},
        {"tls://example.com:8443", "example.com", "8443"},
        {"smtps://mail", "mail", "465"},
        {"ldaps://dir", "dir", "636"},
        {"https://[::1]:9000/", "::1", "9000"},
        {"https://10.0.0.7", "10.0.0.7", "443"},
        {"https://user@example.com", "example.com", "443"},
        {"https://", NULL, NULL},
        {"https:///path", NULL, NULL},
        {"https://:443", NULL, NULL},
        {"https://example.com:0", NULL, NULL},
        {"https://example.com:65536", NULL, NULL},
        {"https://example.com:x", NULL, NULL},
        {"https://exa mple.com", NULL, NULL},
    };
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct cert_url url;
        struct err e = {0};
        assert_true(cert_url_looks_like(slice_text(CASES[i].text)));
        bool ok = cert_url_read(a, slice_text(CASES[i].text), &url, &e);
        if (ok != (CASES[i].host != NULL))
            fail_msg("%s: %s", CASES[i].text, ok ? url.host : e.text);
        if (!ok)
            continue;
        assert_string_equal(url.host, CASES[i].host);
        assert_string_equal(url.port, CASES[i].port);
    }
    assert_false(cert_url_looks_like(SLICE("web.crt")));
    assert_false(cert_url_looks_like(SLICE("https:/web")));
    assert_false(cert_url_looks_like(SLICE("http://web")));
    assert_false(cert_url_looks_like(SLICE("")));
}

/* --- Commands ----------------------------------------------------------------------------- */

static void make_root(const char *crt, const char *key)
{
    RUN(&env, "certificate", "create", "Root", crt, key, "--profile", "root-ca", "--no-password",
        "--insecure");
    if (said.status)
        fail_msg("%s", said.err);
}

static const char *in_scratch(struct arena *a, const char *name)
{
    return arena_printf(a, "%s/%s", scratch, name);
}

static void roots_come_from_files_lists_and_directories(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const char *one = in_scratch(a, "r/one.crt"), *two = in_scratch(a, "r/two.crt");
    const char *key = in_scratch(a, "r/one.key"), *dir = in_scratch(a, "r");
    struct cert_list list;
    struct err e = {0};

    (void)state;
    scratch_put("r/readme", "nothing of interest\n");
    make_root(one, key);
    make_root(two, in_scratch(a, "r/two.key"));
    assert_true(cert_roots_load(a, one, &list, &e));
    assert_int_equal(list.n, 1);
    assert_true(cert_roots_load(a, arena_printf(a, " %s , %s ", one, two), &list, &e));
    assert_int_equal(list.n, 2);
    assert_true(cert_roots_load(a, dir, &list, &e));
    assert_int_equal(list.n, 2);

    assert_false(cert_roots_load(a, in_scratch(a, "r/none"), &list, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_false(cert_roots_load(a, key, &list, &e));
    assert_non_null(strstr(e.text, "no certificate"));
    assert_false(
        cert_roots_load(a, arena_printf(a, "%s,%s", one, in_scratch(a, "r/none")), &list, &e));
    assert_false(cert_roots_load(a, ",", &list, &e));
    scratch_put("empty/readme", "nothing of interest\n");
    assert_false(cert_roots_load(a, in_scratch(a, "empty"), &list, &e));
}

static void new_key_asks_until_the_password_is_not_empty(void **state)
{
    static const char *const ANSWERS[] = {"Please enter the password to encrypt the private key=",
                                          "Please enter the password to encrypt the private key=x",
                                          NULL};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct cli_environment asked = {.root = &STEP, .terminal = terminal_script(a, ANSWERS)};

    (void)state;
    RUN(&asked, "certificate", "create", "Root", in_scratch(a, "c"), in_scratch(a, "k"),
        "--profile", "root-ca");
    assert_string_equal(strstr(said.err, "Your"),
                        arena_printf(a,
                                     "Your certificate has been saved in %s/c.\n"
                                     "Your private key has been saved in %s/k.\n",
                                     scratch, scratch));
    assert_int_equal(said.status, 0);
    assert_int_equal(terminal_script_left(asked.terminal), 0);
    assert_non_null(strstr(scratch_get("k"), "-----BEGIN ENCRYPTED PRIVATE KEY-----"));
}

static void existing_file_stays_without_consent(void **state)
{
    static const char *const ANSWERS[] = {"Would you like to overwrite=n", NULL};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct cli_environment asked = {.root = &STEP, .terminal = terminal_script(a, ANSWERS)};

    (void)state;
    scratch_put("c", "precious");
    RUN(&asked, "certificate", "create", "Root", in_scratch(a, "c"), in_scratch(a, "k"),
        "--profile", "root-ca", "--no-password", "--insecure");
    assert_int_equal(said.status, 1);
    assert_string_equal(scratch_get("c"), "precious");
    assert_null(scratch_get("k"));
}

static void key_of_another_ca_is_refused(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    make_root(in_scratch(a, "one.crt"), in_scratch(a, "one.key"));
    make_root(in_scratch(a, "two.crt"), in_scratch(a, "two.key"));
    RUN(&env, "certificate", "create", "web", in_scratch(a, "web.crt"), in_scratch(a, "web.key"),
        "--ca", in_scratch(a, "one.crt"), "--ca-key", in_scratch(a, "two.key"), "--no-password",
        "--insecure");
    assert_int_equal(said.status, 1);
    assert_non_null(strstr(said.err, "does not belong to the certificate"));
    assert_null(scratch_get("web.crt"));
    assert_null(scratch_get("web.key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expires_in_reads_percentages_and_durations),
        cmocka_unit_test(expires_in_is_reached_at_the_boundary),
        cmocka_unit_test(url_gives_host_and_port),
        CLI_TEST(roots_come_from_files_lists_and_directories),
        CLI_TEST(new_key_asks_until_the_password_is_not_empty),
        CLI_TEST(existing_file_stays_without_consent),
        CLI_TEST(key_of_another_ca_is_refused),
    };
    secret_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
