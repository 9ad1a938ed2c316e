/* step ca policy: a policy as JSON, and the file it stands in. */
#include "capture.h"

#include "cli/policy.h"

static const struct command *const TOP[] = {&CMD_CA_POLICY, NULL};
static const struct command ROOT = {.name = "step", .summary = "test", .sub = TOP};
static const struct cli_environment ENV = {.root = &ROOT};

static const char CONFIG[] = "{\n"
                             "  \"root\": \"/pki/root.crt\", \"crt\": \"/pki/int.crt\",\n"
                             "  \"key\": \"/pki/int.key\", \"address\": \":9000\",\n"
                             "  \"dnsNames\": [\"ca.test\"], \"note\": {\"kept\": 1},\n"
                             "  \"authority\": {\n"
                             "    \"policy\": {\"X509\": {\"own\": 5, \"allow\": {\"DNS\": "
                             "[\"a.test\"]}}},\n"
                             "    \"provisioners\": [\n"
                             "      {\"type\": \"ACME\", \"name\": \"acme\", \"x\": true},\n"
                             "      {\"type\": \"ACME\", \"name\": \"twice\"},\n"
                             "      {\"type\": \"SSHPOP\", \"name\": \"pop\", \"options\": null}\n"
                             "  ]}\n"
                             "}\n";

static struct arena *a;

static int setup(void **state)
{
    a = arena_new(&HEAP_USUAL);
    if (scratch_setup(state) != 0)
        return -1;
    scratch_put("config/ca.json", CONFIG);
    return 0;
}

static int teardown(void **state)
{
    arena_free(a);
    return scratch_teardown(state);
}

static struct json *json_of(const char *text)
{
    struct json *v = json_read(a, slice_text(text), &JSON_STRICT, NULL, NULL);

    assert_non_null(v);
    return json_copy(a, v);
}

static const char *compact(const struct json *v)
{
    struct buf b = buf_new(a, 65536);

    if (!v)
        return "";
    json_print(&b, v, NULL);
    return arena_cstr(a, buf_slice(&b));
}

/* --- The tree -------------------------------------------------------------------------------- */

static void rules_go_into_their_list(void **state)
{
    static const struct policy_words DNS = {LEVEL_AUTHORITY, POLICY_X509, true, POLICY_DNS},
                                     USER = {LEVEL_AUTHORITY, POLICY_SSH_USER, false,
                                             POLICY_PRINCIPAL};
    struct json *v = json_of("{\"ssh\":null,\"own\":{}}");

    (void)state;
    assert_true(policy_tree_add(v, a, &DNS, SLICE("a.test")));
    assert_false(policy_tree_add(v, a, &DNS, SLICE("A.test")));
    assert_true(policy_tree_add(v, a, &USER, SLICE("kim")));
    assert_true(policy_tree_add(v, a, &USER, SLICE("Kim"))); /* principals keep their letters */
    assert_string_equal(compact(v),
                        "{\"ssh\":{\"user\":{\"deny\":{\"principal\":[\"kim\",\"Kim\"]}}},"
                        "\"own\":{},\"x509\":{\"allow\":{\"dns\":[\"a.test\"]}}}");
    assert_false(policy_tree_drop(v, a, &DNS, SLICE("b.test")));
    assert_true(policy_tree_drop(v, a, &DNS, SLICE("A.TEST")));
    assert_true(policy_tree_drop(v, a, &USER, SLICE("kim")));
    assert_true(policy_tree_drop(v, a, &USER, SLICE("Kim")));
    assert_false(policy_tree_prune(v));
    assert_string_equal(compact(v), "{\"own\":{}}");
}

static void what_is_empty_goes(void **state)
{
    static const struct {
        const char *before, *after;
    } ROWS[] = {
        {"{}", "{}"},
        {"{\"x509\":{\"allow\":{\"dns\":[]},\"deny\":{}},\"ssh\":{\"user\":{},\"host\":null}}",
         "{}"},
        {"{\"x509\":{\"allow\":{\"ip\":[],\"dns\":[\"a\"]},\"allowWildcardNames\":true}}",
         "{\"x509\":{\"allow\":{\"dns\":[\"a\"]},\"allowWildcardNames\":true}}"},
        {"{\"x509\":{\"allow\":{\"own\":1}}}", "{\"x509\":{\"allow\":{\"own\":1}}}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct json *v = json_of(ROWS[i].before);
        assert_int_equal(policy_tree_prune(v), strcmp(ROWS[i].after, "{}") == 0);
        assert_string_equal(compact(v), ROWS[i].after);
    }
}

static void it_is_shown_with_the_names_of_the_api(void **state)
{
    const struct json *v = json_of(
        "{\"x509\":{\"deny\":{\"uri\":[\"u\"],\"cn\":[\"c\"],\"email\":[\"e\"],\"ip\":[\"i\"],"
        "\"dns\":[\"d\"]},\"allowWildcardNames\":false},"
        "\"ssh\":{\"host\":{\"allow\":{\"ip\":[\"i\"],\"principal\":[\"p\"]}}}}");

    (void)state;
    assert_string_equal(compact(policy_tree_shown(v, a, true)),
                        "{\"x509\":{\"allow\":{},\"deny\":{\"dns\":[\"d\"],\"ips\":[\"i\"],"
                        "\"emails\":[\"e\"],\"uris\":[\"u\"],\"commonNames\":[\"c\"]}},"
                        "\"ssh\":{\"host\":{\"allow\":{\"ips\":[\"i\"],\"principals\":[\"p\"]},"
                        "\"deny\":{}},\"user\":{\"allow\":{},\"deny\":{}}}}");
    assert_string_equal(compact(policy_tree_shown(json_of("{}"), a, false)),
                        "{\"x509\":{\"allow\":{},\"deny\":{}}}");
}

static void doubts_name_what_is_shut_out(void **state)
{
    static const struct {
        const char *policy;
        enum policy_use use;
        enum policy_level level;
        const char *says; /* NULL: nothing */
    } ROWS[] = {
        {"{}", POLICY_X509, LEVEL_AUTHORITY, NULL},
        {"{\"x509\":{\"deny\":{\"dns\":[\"a\"]}}}", POLICY_X509, LEVEL_AUTHORITY, NULL},
        {"{\"x509\":{\"allow\":{\"dns\":[\"a\"]}}}", POLICY_X509, LEVEL_AUTHORITY,
         "ip, email, uri; and every common name"},
        {"{\"x509\":{\"allow\":{\"cn\":[\"a\"]}}}", POLICY_X509, LEVEL_AUTHORITY,
         "dns, ip, email, uri"},
        {"{\"x509\":{\"allow\":{\"dns\":[\"a\"]}}}", POLICY_X509, LEVEL_ACME, "refused: ip"},
        {"{\"x509\":{\"allow\":{\"dns\":[\"a\"],\"ip\":[\"b\"]}}}", POLICY_X509, LEVEL_ACME, NULL},
        {"{\"x509\":{\"allow\":{\"dns\":[\"a\"]},\"deny\":{\"dns\":[\"A\"]}}}", POLICY_X509,
         LEVEL_ACME, "'a' is allowed and denied"},
        {"{\"ssh\":{\"user\":{\"allow\":{\"email\":[\"a\"]}}}}", POLICY_SSH_USER, LEVEL_AUTHORITY,
         "refused: principal"},
        {"{\"ssh\":{\"host\":{\"allow\":{\"dns\":[\"a\"]}}}}", POLICY_SSH_HOST, LEVEL_AUTHORITY,
         "refused: ip"},
        {"{\"ssh\":{\"host\":{\"allow\":{\"principal\":[\"*\"]}}}}", POLICY_SSH_HOST,
         LEVEL_AUTHORITY, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct policy_words w = {.level = ROWS[i].level, .use = ROWS[i].use};
        const char *said_here = policy_tree_doubt(json_of(ROWS[i].policy), a, &w);
        if (!said_here != !ROWS[i].says || (said_here && !strstr(said_here, ROWS[i].says)))
            fail_msg("row %zu: %s", i, said_here ? said_here : "nothing");
    }
}

/* --- The file -------------------------------------------------------------------------------- */

#define EDIT(...)                                                                                  \
    RUN(&ENV, "policy", __VA_ARGS__, "--ca-config", scratch_path("config/ca.json"),                \
        "--non-interactive")

static const struct json *written(void)
{
    struct slice text = arena_copy(a, slice_text(scratch_get("config/ca.json")));
    struct json *v = json_read(a, text, &JSON_STRICT, NULL, NULL);

    assert_non_null(v);
    return v;
}

static void the_file_keeps_what_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(EDIT("authority", "x509", "deny", "email", "@bad.test"), 0);
    assert_string_equal(compact(json_get(json_get(written(), "authority"), "policy")),
                        "{\"X509\":{\"own\":5,\"allow\":{\"DNS\":[\"a.test\"]},"
                        "\"deny\":{\"email\":[\"@bad.test\"]}}}");
    assert_string_equal(compact(json_get(written(), "note")), "{\"kept\":1}");
    assert_non_null(strstr(said.err, "SIGHUP"));
    assert_int_equal(EDIT("authority", "x509", "allow", "dns", "a.test", "--remove"), 0);
    assert_string_equal(compact(json_get(json_get(written(), "authority"), "policy")),
                        "{\"X509\":{\"own\":5,\"deny\":{\"email\":[\"@bad.test\"]}}}");
}

static void entries_get_options(void **state)
{
    static const char *const NAMES[] = {"acme", "pop"};
    const struct json *v;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        assert_int_equal(
            EDIT("provisioner", "x509", "wildcards", "allow", "--provisioner", NAMES[i]), 0);
    for (v = json_get(json_get(written(), "authority"), "provisioners")->first; v; v = v->next)
        assert_string_equal(compact(json_get(v, "options")),
                            slice_is(json_text(json_get(v, "name")), "twice")
                                ? ""
                                : "{\"policy\":{\"x509\":{\"allowWildcardNames\":true}}}");
    assert_int_equal(EDIT("provisioner", "remove", "--provisioner", "twice"), 1);
    assert_int_equal(EDIT("provisioner", "x509", "wildcards", "deny", "--provisioner", "twice"), 0);
    assert_int_equal(EDIT("provisioner", "x509", "wildcards", "deny", "--provisioner", "acme"), 0);
    v = json_get(json_get(written(), "authority"), "provisioners")->first;
    assert_string_equal(compact(json_get(v, "options")), "{}");
    assert_string_equal(compact(json_get(v, "x")), "true");
}

static void commands_want_their_words(void **state)
{
    (void)state;
    assert_int_equal(EDIT("authority", "x509", "allow", "dns"), 1);
    assert_int_equal(EDIT("authority", "ssh", "user", "allow", "email"), 1);
    assert_int_equal(EDIT("provisioner", "view"), 1);
    assert_non_null(strstr(said.err, "'--provisioner'"));
    assert_int_equal(EDIT("acme", "view", "--provisioner", "acme"), 1);
    assert_non_null(strstr(said.err, "--eab-key-id or --eab-key-reference"));
    assert_string_equal(scratch_get("config/ca.json"), CONFIG);
}

int main(void)
{
#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FILE_TEST(rules_go_into_their_list),
        FILE_TEST(what_is_empty_goes),
        FILE_TEST(it_is_shown_with_the_names_of_the_api),
        FILE_TEST(doubts_name_what_is_shut_out),
        FILE_TEST(the_file_keeps_what_is_unknown),
        FILE_TEST(entries_get_options),
        FILE_TEST(commands_want_their_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
