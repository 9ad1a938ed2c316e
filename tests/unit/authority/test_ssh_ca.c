/* ssh of ca.json: which keys are loaded, with which password, and what is published of them. */
#include "authority/ssh.h"
#include "authority_testing.h"
#include "base/encode.h"

#define JWK_X                                                                                      \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"

static struct steppath paths;
static struct core_passwords passwords;
static unsigned asked;
static const char *asked_about[4];

static int setup(void **state)
{
    if (world_begin(state) != 0)
        return -1;
    world_services(true);
    paths = (struct steppath){.home = W.dir, .base = W.dir, .path = W.dir};
    W.s.sp = &paths;
    passwords = (struct core_passwords){0};
    asked = 0;
    return 0;
}

static struct core *built(struct err *e)
{
    struct arena *a = arena_new(&HEAP_USUAL), *secrets = arena_new(&HEAP_SECRET);
    struct config *c;

    if (config_read(a, arena_copy(a, json_line(W.config)), world_path("ca.json"), &c, NULL, NULL,
                    e) &&
        config_validate(a, c, NULL, NULL, e))
        return core_build(&W.s, a, secrets, c, &passwords, e);
    arena_free(secrets);
    arena_free(a);
    return NULL;
}

static void configure(const char *ssh)
{
    json_change(W.config, "ssh", ssh);
}

/* "hostKey":"/…/name" and the like. */
static const char *members(const char *host, const char *user, const char *more)
{
    return arena_printf(A, "{\"hostKey\":\"%s\",\"userKey\":\"%s\"%s}",
                        *host ? world_path(host) : "", *user ? world_path(user) : "", more);
}

static struct ssh_key ssh_key_of(const struct private_key *key)
{
    struct ssh_key k = {0};

    ok(ssh_key_from(A, key->public_key, &k, e));
    return k;
}

static struct slice b64(const struct private_key *key)
{
    return base64_text(A, BASE64_STD, ssh_key_of(key).blob);
}

static void without_ssh_there_is_none(void **state)
{
    static const char *const ROWS[] = {NULL, "null"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct core *core = NULL;
        configure(ROWS[i]);
        ok((core = built(e)));
        assert_null(core->ssh);
        ref_drop(&core->ref);
    }
}

static void an_empty_section_signs_and_publishes_nothing(void **state)
{
    struct core *core = NULL;

    (void)state;
    configure("{}");
    ok((core = built(e)));
    assert_non_null(core->ssh);
    assert_null(core->ssh->user.signer);
    assert_null(core->ssh->host.signer);
    assert_int_equal(core->ssh->roots_json.n, 0);
    assert_int_equal(core->ssh->federation_json.n, 0);
    assert_slice(core->ssh->add_user_principal, "provisioner");
    assert_slice(core->ssh->add_user_command, "sudo useradd -m <principal>; nc -q0 localhost 22");
    assert_int_equal(core->ssh->bastion.hostname.n, 0);
    assert_int_equal(core->ssh->files.n_user, 4);
    assert_int_equal(core->ssh->files.n_host, 2);
    ref_drop(&core->ref);
}

static void lists_are_in_order_and_federated_keys_stay_apart(void **state)
{
    struct private_key *host = key_new(KEY_ED25519, 0), *user = key_new(KEY_P384, 0);
    struct slice x = SLICE("AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea");
    struct core *core = NULL;

    (void)state;
    world_put_key("host", host);
    world_put_key("user", user);
    configure(members("host", "user",
                      ",\"addUserPrincipal\":\"p\",\"addUserCommand\":\"c\",\"bastion\":{"
                      "\"hostname\":\"b.test\",\"user\":\"u\",\"port\":\"22\",\"cmd\":\"nc\","
                      "\"flags\":\"-v\"},\"keys\":["
                      "{\"type\":\"host\",\"key\":" JWK_X "},"
                      "{\"type\":\"user\",\"federated\":true,\"key\":" JWK_X "}]"));
    ok((core = built(e)));
    assert_slice(core->ssh->roots_json,
                 arena_printf(A, "{\"userKey\":[\"%.*s\"],\"hostKey\":[\"%.*s\",\"%.*s\"]}\n",
                              SLICE_ARG(b64(user)), SLICE_ARG(b64(host)), SLICE_ARG(x)));
    assert_slice(core->ssh->federation_json,
                 arena_printf(A, "{\"userKey\":[\"%.*s\",\"%.*s\"],\"hostKey\":[\"%.*s\"]}\n",
                              SLICE_ARG(b64(user)), SLICE_ARG(x), SLICE_ARG(b64(host))));
    assert_int_equal(core->ssh->roots.host.n, 2);
    assert_int_equal(core->ssh->roots.user.n, 1);
    assert_true(ssh_keys_have(&core->ssh->roots.user, ssh_key_of(user).blob));
    assert_slice(core->ssh->add_user_principal, "p");
    assert_slice(core->ssh->add_user_command, "c");
    assert_slice(core->ssh->bastion.hostname, "b.test");
    assert_slice(core->ssh->bastion.flags, "-v");
    ref_drop(&core->ref);
}

static void one_key_is_enough(void **state)
{
    struct private_key *user = key_new(KEY_P256, 0);
    struct core *core = NULL;

    (void)state;
    world_put_key("user", user);
    configure(arena_printf(A, "{\"userKey\":\"softkms:path=%s\"}", world_path("user")));
    ok((core = built(e)));
    assert_null(core->ssh->host.signer);
    assert_slice(core->ssh->roots_json,
                 arena_printf(A, "{\"userKey\":[\"%.*s\"]}\n", SLICE_ARG(b64(user))));
    ref_drop(&core->ref);
    configure(arena_printf(A, "{\"hostKey\":\"softkms:%s\"}", world_path("user")));
    ok((core = built(e)));
    assert_null(core->ssh->user.signer);
    assert_non_null(core->ssh->host.signer);
    ref_drop(&core->ref);
}

static void every_kind_of_key_signs(void **state)
{
    static const struct {
        enum key_type type;
        unsigned bits;
        const char *name;
    } ROWS[] = {{KEY_RSA, 2048, "ssh-rsa"},
                {KEY_P256, 0, "ecdsa-sha2-nistp256"},
                {KEY_P384, 0, "ecdsa-sha2-nistp384"},
                {KEY_P521, 0, "ecdsa-sha2-nistp521"},
                {KEY_ED25519, 0, "ssh-ed25519"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct core *core = NULL;
        world_put_key("k", key_new(ROWS[i].type, ROWS[i].bits));
        configure(members("k", "k", ""));
        ok((core = built(e)));
        assert_string_equal(ssh_key_type_name(core->ssh->host.key.kind), ROWS[i].name);
        assert_true(slice_eq(core->ssh->user.key.blob, core->ssh->host.key.blob));
        ref_drop(&core->ref);
    }
}

static void keys_that_cannot_be_used_are_named(void **state)
{
    static const struct {
        const char *content, *says;
    } ROWS[] = {{"", "not a valid PEM"}, {"-----BEGIN PUBLIC KEY-----\n", "k"}};

    (void)state;
    configure(members("nowhere", "", ""));
    refused(built(e), ERR_NOT_FOUND, "ssh.hostKey: open");
    configure(members("", "nowhere", ""));
    refused(built(e), ERR_NOT_FOUND, "ssh.userKey: open");
    world_put_key("k", key_new(KEY_P224, 0));
    configure(members("k", "", ""));
    refused(built(e), ERR_MALFORMED, arena_printf(A, "ssh.hostKey: %s", world_path("k")));
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        world_put("k", slice_text(ROWS[i].content));
        refused(built(e), ERR_MALFORMED, ROWS[i].says);
    }
    configure(arena_printf(A, "{\"userKey\":\"%s\"}", W.dir));
    refused(built(e), ERR_INTERNAL, "ssh.userKey");
}

/* --- Passwords -------------------------------------------------------------------------------- */

static void world_put_sealed(const char *name, const char *password)
{
    struct slice pem;

    ok(private_key_pem_encrypted(A, key_new(KEY_P256, 0), slice_text(password), &pem, e));
    world_put(name, pem);
}

static bool answer(struct password_source *source, const char *what, unsigned attempt,
                   struct arena *secrets, struct slice *password, struct err *e)
{
    (void)source, (void)attempt, (void)secrets, (void)e;
    assert_true(asked < COUNT_OF(asked_about));
    asked_about[asked++] = arena_cstr(A, slice_text(what));
    *password = SLICE("typed");
    return true;
}

static void passwords_fall_back_in_order(void **state)
{
    static const struct {
        const char *host_key, *user_key;             /* what the files are sealed with */
        const char *own_host, *own_user, *ca, *json; /* what is known */
        const char *says;                            /* NULL: works */
    } ROWS[] = {
        {"h", "u", "h", "u", "", "", NULL},          {"h", "u", "h", "u", "c", "j", NULL},
        {"c", "c", "", "", "c", "", NULL},           {"c", "c", "", "", "c", "j", NULL},
        {"j", "j", "", "", "", "j", NULL},           {"h", "j", "h", "", "", "j", NULL},
        {"c", "u", "", "u", "c", "j", NULL},         {"h", "u", "", "u", "c", "", "ssh.hostKey"},
        {"h", "u", "h", "", "c", "", "ssh.userKey"}, {"h", "u", "x", "u", "h", "", "ssh.hostKey"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct err e = {0};
        struct core *core;
        world_put_sealed("host", ROWS[i].host_key);
        world_put_sealed("user", ROWS[i].user_key);
        configure(members("host", "user", ""));
        json_change(W.config, "password",
                    *ROWS[i].json ? arena_printf(A, "\"%s\"", ROWS[i].json) : NULL);
        passwords = (struct core_passwords){.ca = slice_text(ROWS[i].ca),
                                            .ssh_host = slice_text(ROWS[i].own_host),
                                            .ssh_user = slice_text(ROWS[i].own_user)};
        core = built(&e);
        if (!core != (ROWS[i].says != NULL) ||
            (!core && (e.kind != ERR_UNAUTHORIZED || !strstr(e.text, ROWS[i].says))))
            fail_msg("row %zu: %s \"%s\"", i, err_kind_name(e.kind), e.text);
        if (core)
            ref_drop(&core->ref);
    }
}

static void an_unknown_password_is_asked_for_once_for_each_key(void **state)
{
    struct password_source prompt = {answer, 1};
    struct core *core = NULL;

    (void)state;
    world_put_sealed("host", "typed");
    world_put_sealed("user", "typed");
    configure(members("host", "user", ""));
    refused(built(e), ERR_UNAUTHORIZED, "encrypted");
    passwords.prompt = &prompt;
    ok((core = built(e)));
    assert_int_equal(asked, 2);
    assert_string_equal(asked_about[0], world_path("host"));
    assert_string_equal(asked_about[1], world_path("user"));
    ref_drop(&core->ref);
    world_put_sealed("user", "other");
    asked = 0;
    refused(built(e), ERR_UNAUTHORIZED, "ssh.userKey");
    assert_int_equal(asked, 2);
}

int main(void)
{
#define CA_TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_end)
    const struct CMUnitTest tests[] = {
        CA_TEST(without_ssh_there_is_none),
        CA_TEST(an_empty_section_signs_and_publishes_nothing),
        CA_TEST(lists_are_in_order_and_federated_keys_stay_apart),
        CA_TEST(one_key_is_enough),
        CA_TEST(every_kind_of_key_signs),
        CA_TEST(keys_that_cannot_be_used_are_named),
        CA_TEST(passwords_fall_back_in_order),
        CA_TEST(an_unknown_password_is_asked_for_once_for_each_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
