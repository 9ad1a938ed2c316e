/* Pure parts of the toolbox: ranges and paths of the file server, addresses and answers of OAuth,
 * names of trust stores, path lengths, exit codes of early errors. */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>

#include "cli/certificate_issue.h"
#include "cli/fileserver.h"
#include "cli/oauth.h"
#include "cli/truststore.h"

static struct cli_environment env = {.root = &STEP};

/* --- File server -------------------------------------------------------------------------- */

static void range_is_read_or_ignored(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
        bool ok;
        uint64_t from, n;
    } CASES[] = {
        {"bytes=0-0", 10, true, 0, 1},
        {"bytes=0-", 10, true, 0, 10},
        {"bytes=9-9", 10, true, 9, 1},
        {"bytes=9-99", 10, true, 9, 1},
        {"bytes=10-", 10, true, 10, 0},
        {"bytes=0-", 0, true, 0, 0},
        {"bytes=-3", 10, true, 7, 3},
        {"bytes=-99", 10, true, 0, 10},
        {"bytes=-0", 10, true, 10, 0},
        {"bytes=1-18446744073709551615", 10, true, 1, 9},
        {"bytes=0-18446744073709551615", 10, true, 0, 10},
        {"bytes=1-18446744073709551616", 10, false, 0, 0},
        {"bytes=5-4", 10, false, 0, 0},
        {"bytes=-", 10, false, 0, 0},
        {"bytes=", 10, false, 0, 0},
        {"bytes=1", 10, false, 0, 0},
        {"bytes=1-2,3-4", 10, false, 0, 0},
        {"bytes=+1-2", 10, false, 0, 0},
        {"bytes= 1-2", 10, false, 0, 0},
        {"items=1-2", 10, false, 0, 0},
        {"", 10, false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        uint64_t from = 77, n = 88;
        bool ok = files_range(slice_text(CASES[i].text), CASES[i].size, &from, &n);
        if (ok != CASES[i].ok || from != (ok ? CASES[i].from : 77) || n != (ok ? CASES[i].n : 88))
            fail_msg("%s of %d: %d %d %d", CASES[i].text, (int)CASES[i].size, ok, (int)from,
                     (int)n);
    }
}

static void type_goes_by_the_extension(void **state)
{
    (void)state;
    assert_string_equal(files_type("a/b.html"), "text/html; charset=utf-8");
    assert_string_equal(files_type("B.HTM"), "text/html; charset=utf-8");
    assert_string_equal(files_type("x.tar.gz"), "application/gzip");
    assert_string_equal(files_type("html"), "application/octet-stream");
    assert_string_equal(files_type(""), "application/octet-stream");
    assert_string_equal(files_type("a."), "application/octet-stream");
}

static void paths_stay_below_the_directory(void **state)
{
    static const struct {
        const char *path;
        bool ok;
    } CASES[] = {
        {"", true},
        {"file", true},
        {"sub/", true},
        {"sub/../file", true},
        {"inside", true},
        {"none", false},
        {"../outside", false},
        {"sub/../../outside", false},
        {"outside", false},
        {"absolute", false},
        {"up", false},
        {"/etc/passwd", false},
    };
    char link[256];

    (void)state;
    scratch_put("outside", "secret");
    scratch_put("dir/file", "text");
    scratch_put("dir/sub/x", "text");
    assert_int_equal(symlink("file", scratch_path("dir/inside")), 0);
    assert_int_equal(symlink("../outside", scratch_path("dir/outside")), 0);
    assert_int_equal(symlink("..", scratch_path("dir/up")), 0);
    snprintf(link, sizeof(link), "%s", scratch_path("outside"));
    assert_int_equal(symlink(link, scratch_path("dir/absolute")), 0);
    int dir = open(scratch_path("dir"), O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        int fd = files_open(dir, CASES[i].path);
        if ((fd >= 0) != CASES[i].ok)
            fail_msg("\"%s\": %d (%s)", CASES[i].path, fd, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    close(dir);
}

/* --- OAuth -------------------------------------------------------------------------------- */

static void secrets_go_only_to_safe_addresses(void **state)
{
    static const struct {
        const char *url;
        bool ok;
    } CASES[] = {
        {"https://idp.test/token", true},
        {"https://idp.test", true},
        {"HTTPS://idp.test", true},
        {"http://127.0.0.1:1/x", true},
        {"http://127.9.9.9/x", true},
        {"http://[::1]/x", true},
        {"http://localhost/x", true},
        {"http://idp.test/x", false},
        {"http://10.0.0.1/x", false},
        {"http://localhost.evil.test/", false},
        {"http://127.0.0.1.evil.test/", false},
        {"http://[::2]/", false},
        {"ftp://127.0.0.1/", false},
        {"https:///x", false},
        {"idp.test", false},
        {"", false},
        {"javascript:alert(1)", false},
    };
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct err e = {0};
        bool ok = oauth_endpoint_ok(a, "endpoint", CASES[i].url, &e);
        if (ok != CASES[i].ok || ok == (e.text[0] != 0))
            fail_msg("%s: %s", CASES[i].url, e.text);
    }
}

static void forms_are_escaped(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct buf b = buf_new(a, 1000);

    (void)state;
    oauth_form(&b, a, "a", SLICE("1 & 2=3"));
    oauth_form(&b, a, "b/c", SLICE("\xc3\xb6%\n"));
    oauth_form(&b, a, "d", SLICE(""));
    buf_byte(&b, 0);
    assert_string_equal((const char *)b.p, "a=1+%26+2%3D3&b%2Fc=%C3%B6%25%0A&d=");
}

static void answers_of_a_provider_are_read(void **state)
{
    static const struct {
        const char *json, *access, *id, *error; /* error NULL: a token */
        int64_t expires_in;
    } CASES[] = {
        {"{\"access_token\":\"a\",\"id_token\":\"i\",\"expires_in\":60}", "a", "i", NULL, 60},
        {"{\"access_token\":\"a\",\"expires_in\":\"soon\"}", "a", NULL, NULL, 0},
        {"{\"id_token\":\"i\"}", NULL, "i", NULL, 0},
        {"{}", NULL, NULL, "no token", 0},
        {"[]", NULL, NULL, "no token", 0},
        {"{\"access_token\":1}", NULL, NULL, "no token", 0},
        {"{\"error\":\"e\",\"error_description\":\"t\\u001b[1m\"}", NULL, NULL, "refused: e: t?[1m",
         0},
        {"{\"error\":\"e\"}", NULL, NULL, "refused: e", 0},
    };
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct json *object = json_read(a, slice_text(CASES[i].json), &JSON_API, NULL, NULL);
        struct oauth_token t = {.expires_in = 0};
        struct err e = {0};
        bool ok = !oauth_told(object, &e) && oauth_token_read(object, &t, &e);
        assert_int_equal(ok, !CASES[i].error);
        if (!ok && !strstr(e.text, CASES[i].error))
            fail_msg("%s: %s", CASES[i].json, e.text);
        if (!ok)
            continue;
        assert_true(slice_eq(t.access, slice_text(CASES[i].access ? CASES[i].access : "")));
        assert_true(slice_eq(t.id, slice_text(CASES[i].id ? CASES[i].id : "")));
        assert_int_equal(t.expires_in, CASES[i].expires_in);
    }
    assert_false(oauth_told(NULL, NULL));
    assert_false(oauth_token_read(NULL, &(struct oauth_token){.expires_in = 0}, NULL));
}

/* --- Trust stores ------------------------------------------------------------------------- */

static void store_names_are_safe(void **state)
{
    static const struct {
        const char *cn, *name, *file;
    } CASES[] = {
        {"Root CA", "Root CA 255", "Root_CA_255"},
        {"../../etc/x", "../../etc/x 255", "_._.._etc_x_255"},
        {"$(id);`", "$(id);` 255", "__id____255"},
        {".hidden", ".hidden 255", "_hidden_255"},
        {NULL, "Newel 255", "Newel_255"},
    };
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct dn_attribute cn = {.type = slice_of(OID_CN.p, OID_CN.n),
                                  .value = slice_text(CASES[i].cn),
                                  .tag = DER_UTF8_STRING};
        const struct cert c = {.serial = SLICE("\xff"), .subject = {&cn, CASES[i].cn != NULL, {0}}};
        assert_string_equal(truststore_name(a, &c, NULL), CASES[i].name);
        assert_true(slice_is(truststore_file_name(a, &c), CASES[i].file));
        assert_string_equal(truststore_name(a, &c, "x"), "x255");
    }
}

/* --- Path length -------------------------------------------------------------------------- */

static void path_length_shrinks_downwards(void **state)
{
    static const struct {
        int above, below;
        bool ok;
    } CASES[] = {
        {0, 0, false},  {0, -1, false}, {1, 0, true},  {1, 1, false},
        {1, -1, false}, {2, 1, true},   {2, 2, false}, {-1, 0, true},
        {-1, 9, true},  {-1, -1, true}, {5, 4, true},  {5, 255, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const struct cert ca = {.has_basic = true, .basic = {true, CASES[i].above}};
        struct err e = {0};
        if (issuing_path_ok(&ca, CASES[i].below, &e) != CASES[i].ok)
            fail_msg("%d above %d: %s", CASES[i].above, CASES[i].below, e.text);
        assert_int_equal(e.text[0] != 0, !CASES[i].ok);
    }
}

/* --- Exit codes --------------------------------------------------------------------------- */

static int run_nothing(struct invocation *inv)
{
    (void)inv;
    return 0;
}

static void early_errors_end_with_the_code_of_the_command(void **state)
{
    static const struct flag FLAGS[] = {{"number", FLAG_INT, NULL, "A number.", NULL, 0},
                                        {"other", FLAG_BOOL, NULL, "Another.", NULL, 0},
                                        {0}};
    static const struct flag *const SETS[] = {FLAGS, NULL};
    static const struct flag_rule RULES[] = {{RULE_NEEDS, "number", "other"}, {0}};
    static const struct command OWN = {.name = "own",
                                       .synopsis = "<x>",
                                       .flag_sets = SETS,
                                       .rules = RULES,
                                       .least = 1,
                                       .most = 1,
                                       .run = run_nothing,
                                       .error_status = 255};
    static const struct command USUAL = {.name = "usual",
                                         .synopsis = "<x>",
                                         .flag_sets = SETS,
                                         .rules = RULES,
                                         .least = 1,
                                         .most = 1,
                                         .run = run_nothing};
    static const struct command *const SUB[] = {&OWN, &USUAL, NULL};
    static const struct command ROOT = {.name = "step", .summary = "", .sub = SUB};
    static const char *const CASES[][4] = {
        {NULL}, {"x", "y"}, {"x", "--nothing"}, {"x", "--number=z"}, {"x", "--number=1"}};
    const struct cli_environment own = {.root = &ROOT};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        RUN(&own, "own", CASES[i][0], CASES[i][1]);
        assert_int_equal(said.status, 255);
        RUN(&own, "usual", CASES[i][0], CASES[i][1]);
        assert_int_equal(said.status, 1);
    }
    assert_int_equal(RUN(&own, "own", "x"), 0);
    assert_int_equal(RUN(&own, "own", "--help"), 0);
    assert_int_equal(RUN(&env, "certificate", "needs-renewal"), 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range_is_read_or_ignored),
        cmocka_unit_test(type_goes_by_the_extension),
        CLI_TEST(paths_stay_below_the_directory),
        cmocka_unit_test(secrets_go_only_to_safe_addresses),
        cmocka_unit_test(forms_are_escaped),
        cmocka_unit_test(answers_of_a_provider_are_read),
        cmocka_unit_test(store_names_are_safe),
        cmocka_unit_test(path_length_shrinks_downwards),
        CLI_TEST(early_errors_end_with_the_code_of_the_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
