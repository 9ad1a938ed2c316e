/* Issuance of SSH certificates, step by step. */
#include "ssh_testing.h"

static void a_token_becomes_a_certificate(void **state)
{
    static const struct {
        const char *ssh, *type, *names, *seen;
    } ROWS[] = {
        {"{}", "", "", "user|alice|alice||" SSH_FIVE},
        {"{\"certType\":\"user\",\"principals\":[\"alice\",\"alice@x.io\"]}", "user", "",
         "user|alice|alice,alice@x.io||" SSH_FIVE},
        {"{\"certType\":\"host\",\"keyID\":\"k\",\"principals\":[\"a.test\"]}", "host", "a.test",
         "host|k|a.test||"},
        /* A part of what is granted may be asked for; the spelling is the grant's. */
        {"{\"principals\":[\"a\",\"b\",\"c\"]}", "", "c,A", "user|alice|a,c||" SSH_FIVE},
        {"{\"principals\":[\"a\",\"b\"]}", "", "b,a", "user|alice|a,b||" SSH_FIVE},
        /* A token without principals is for its subject, whatever is asked for. */
        {"{}", "user", "root", "user|alice|alice||" SSH_FIVE},
        {"{}", "user", "root,alice", "user|alice|alice||" SSH_FIVE},
    };

    (void)state;
    ssh_start(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct ssh_request r = ssh_asked(ROWS[i].type, ROWS[i].names);
        struct work w = work_new();
        struct ssh_issued out;
        r.wish.key_id = SLICE("root"); /* never counts */
        work_ok(&w, ssh_ask(&w, ssh_token("alice", ROWS[i].ssh), &r, &out));
        struct ssh_cert c = ssh_seen(&out);
        if (strcmp(ssh_text(&c), ROWS[i].seen) != 0)
            fail_msg("row %zu: %s", i, ssh_text(&c));
        assert_int_equal(c.nonce.n, 32);
        assert_int_not_equal(c.serial, 0);
        assert_int_equal(c.serial, out.cert.serial);
        assert_int_equal(c.valid_after, NOW_SEC - 60);
        assert_int_equal(c.valid_before, NOW_SEC + (c.type == SSH_HOST ? 720 * 3600 : 16 * 3600));
        assert_slice(out.by->name, "ops");
    }
}

static void contradictions_are_refused(void **state)
{
    static const struct {
        const char *ssh, *type, *names, *says;
        enum err_kind kind;
    } ROWS[] = {
        {"{\"certType\":\"user\"}", "host", "", "certType: wanted user, got host", ERR_FORBIDDEN},
        {"{\"principals\":[\"alice\"]}", "", "root", "wanted [alice], got [root]", ERR_FORBIDDEN},
        {"{\"principals\":[\"alice\"]}", "", "alice,root", "got [alice, root]", ERR_FORBIDDEN},
        {"{\"certType\":\"foo\"}", "", "", "foo", ERR_MALFORMED},
        {"{\"principals\":[\"a,b\"]}", "", "", "comma", ERR_MALFORMED},
        {"{\"principals\":[\"a\\nb\"]}", "", "", "control", ERR_MALFORMED},
        {"{\"principals\":[\"a\\u0000b\"]}", "", "", "control", ERR_MALFORMED},
    };

    (void)state;
    ssh_start(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct ssh_request r = ssh_asked(ROWS[i].type, ROWS[i].names);
        struct work w = work_new();
        struct ssh_issued out;
        work_refused(&w, ssh_ask(&w, ssh_token("alice", ROWS[i].ssh), &r, &out), ROWS[i].kind,
                     ROWS[i].says);
    }
}

/* Seconds from now, or the refusal. */
static void validity_is_computed_and_limited(void **state)
{
    static const struct {
        const char *type, *token_after, *token_before, *after, *before;
        int64_t begin, end;
        enum err_kind kind;
    } ROWS[] = {
        {"user", "", "", "", "", -60, 16 * 3600, ERR_NONE},
        {"user", "", "", "", "24h", -60, 86400, ERR_NONE},
        {"user", "", "", "", "24h1s", 0, 0, ERR_FORBIDDEN},
        {"user", "", "", "", "4m", -60, 240, ERR_NONE},
        {"user", "", "", "", "1s", 0, 0, ERR_FORBIDDEN},
        {"user", "", "", "", "10000h", 0, 0, ERR_FORBIDDEN},
        {"user", "", "", "1h", "2h", 3600, 7200, ERR_NONE}, /* both from now */
        {"user", "", "", "2h", "1h", 0, 0, ERR_MALFORMED},
        {"user", "", "", "-2h", "-1h", 0, 0, ERR_MALFORMED},
        {"user", "", "2h", "", "", -60, 7200, ERR_NONE},
        {"user", "", "2h", "", "120m", -60, 7200, ERR_NONE},
        {"user", "", "2h", "", "3h", 0, 0, ERR_FORBIDDEN},
        {"user", "", "2h", "3h", "", 0, 0, ERR_MALFORMED}, /* the token's end is before it */
        {"user", "1h", "", "", "30m", 0, 0, ERR_MALFORMED},
        {"host", "", "", "", "", -60, 720 * 3600, ERR_NONE},
        {"host", "", "", "", "721h", 0, 0, ERR_FORBIDDEN},
        {"user", "", "", "9999-12-31T23:59:59Z", "", 253402300799 - NOW_SEC,
         253402300799 - NOW_SEC + 16 * 3600, ERR_NONE},
        {"user", "", "", "1969-12-31T23:59:59Z", "", 0, 0, ERR_MALFORMED},
        {"user", "", "", "", "9999-12-31T23:59:59Z", 0, 0, ERR_FORBIDDEN},
    };

    (void)state;
    ssh_start(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const char *ssh =
            arena_printf(A, "{\"certType\":\"%s\",\"validAfter\":\"%s\",\"validBefore\":\"%s\"}",
                         ROWS[i].type, ROWS[i].token_after, ROWS[i].token_before);
        struct ssh_request r = ssh_asked("", "");
        struct work w = work_new();
        struct ssh_issued out;
        ok(time_or_duration_read(slice_text(ROWS[i].after), &r.wish.valid_after, e));
        ok(time_or_duration_read(slice_text(ROWS[i].before), &r.wish.valid_before, e));
        bool good = ssh_ask(&w, ssh_token("alice", ssh), &r, &out);
        if (good != !ROWS[i].kind || w.err.kind != ROWS[i].kind ||
            (good && ((int64_t)out.cert.valid_after - NOW_SEC != ROWS[i].begin ||
                      (int64_t)out.cert.valid_before - NOW_SEC != ROWS[i].end)))
            fail_msg("row %zu: %s", i, w.err.text);
    }
}

static void weak_keys_are_refused(void **state)
{
    struct ssh_request r = ssh_asked("", "");
    struct work w;
    struct ssh_issued out;

    (void)state;
    ssh_start(true);
    w = work_new();
    r.key = ssh_key_of(key_new(KEY_RSA, 1024));
    work_refused(&w, ssh_ask(&w, ssh_token("alice", "{}"), &r, &out), ERR_FORBIDDEN, "2048");
    r.key = ssh_key_of(key_new(KEY_RSA, 2048));
    w = work_new();
    work_ok(&w, ssh_ask(&w, ssh_token("alice", "{}"), &r, &out));
}

static void each_type_has_its_own_key(void **state)
{
    struct ssh_request r = ssh_asked("", "");
    struct work w;
    struct ssh_issued out;

    (void)state;
    S.ca.host.signer = NULL;
    ssh_start(true);
    w = work_new();
    work_ok(&w, ssh_ask(&w, ssh_token("alice", "{\"certType\":\"user\"}"), &r, &out));
    w = work_new();
    work_refused(&w, ssh_ask(&w, ssh_token("alice", "{\"certType\":\"host\"}"), &r, &out),
                 ERR_NOT_IMPLEMENTED, "ssh.hostKey");
}

/* --- What is written down ----------------------------------------------------------------------
 */

static struct ssh_issued issue(const char *sub, const char *ssh)
{
    struct ssh_request r = ssh_asked("", "");
    struct work w = work_new();
    struct json *c = ops_claims();
    struct ssh_issued out;
    struct grant *g;
    static unsigned n;

    json_change(c, "aud", "\"https://ca.test/1.0/ssh/sign\"");
    json_change(c, "sub", arena_printf(A, "\"%s\"", sub));
    json_change(c, "jti", arena_printf(A, "\"%u\"", n++));
    json_change(c, "step", arena_printf(A, "{\"ssh\":%s}", ssh));
    work_ok(&w, authorize_token(&w, ops_token(c), METHOD_SSH_SIGN, &g));
    work_ok(&w, ssh_sign(&w, g, &r, &out));
    work_ok(&w, work_commit(&w));
    return out;
}

static bool add_name(struct slice name, void *arg)
{
    buf_printf(arg, "%.*s ", SLICE_ARG(name));
    return true;
}

static const char *hosts(void)
{
    struct buf b = buf_new(A, 65536);
    struct work w = work_new();

    work_ok(&w, ssh_hosts(&w, add_name, &b));
    return arena_cstr(A, buf_slice(&b));
}

static bool known(const char *name)
{
    struct work w = work_new();
    bool out;

    work_ok(&w, ssh_host_known(&w, slice_text(name), &out));
    return out;
}

static void certificates_and_names_are_recorded(void **state)
{
    (void)state;
    ssh_start(true);
    struct ssh_issued host = issue(
        "h", "{\"certType\":\"host\",\"principals\":[\"Web1.test\",\"web1.TEST\",\"10.0.0.1\"]}");
    struct slice serial = ssh_serial_text(A, host.cert.serial);
    assert_true(slice_eq(stored(TABLE_SSH_CERTS, serial), host.cert.blob));
    assert_true(slice_eq(stored(TABLE_SSH_HOSTS, SLICE("web1.test")), serial));
    assert_slice(stored(TABLE_SSH_HOST_PRINCIPALS, SLICE("10.0.0.1")),
                 arena_printf(A, "{\"Serial\":\"%.*s\",\"Expiry\":%llu}", SLICE_ARG(serial),
                              (unsigned long long)host.cert.valid_before));
    assert_false(stored(TABLE_SSH_USERS, SLICE("web1.test")).p != NULL);
    struct ssh_issued user = issue("alice", "{\"principals\":[\"Alice\"]}");
    assert_true(
        slice_eq(stored(TABLE_SSH_USERS, SLICE("alice")), ssh_serial_text(A, user.cert.serial)));
    assert_true(known("WEB1.test") && known("10.0.0.1"));
    assert_false(known("alice") || known("web2.test"));
    assert_string_equal(hosts(), "10.0.0.1 web1.test ");
    /* The last one counts, and after its end the host is known but not listed. */
    issue("h", "{\"certType\":\"host\",\"principals\":[\"web1.test\"],\"validBefore\":\"10m\"}");
    test_now.sec += 601;
    assert_string_equal(hosts(), "10.0.0.1 ");
    assert_true(known("web1.test"));
    assert_int_not_equal(host.cert.serial, user.cert.serial);
}

static void without_a_database_there_are_no_hosts(void **state)
{
    struct work w;
    struct buf b = buf_new(A, 1024);
    bool is;

    (void)state;
    ssh_start(false);
    issue("h", "{\"certType\":\"host\"}");
    w = work_new();
    work_refused(&w, ssh_host_known(&w, SLICE("h"), &is), ERR_NOT_IMPLEMENTED, "database");
    work_refused(&w, ssh_hosts(&w, add_name, &b), ERR_NOT_IMPLEMENTED, "database");
}

static void records_of_others_do_not_disturb_the_list(void **state)
{
    static const struct {
        const char *name, *record;
    } ROWS[] = {{"a", "{\"Serial\":\"1\",\"Expiry\":18446744073709551615}"},
                {"b", "{\"Serial\":\"1\",\"Expiry\":9223372036854775808}"},
                {"c", "{\"Serial\":\"1\",\"Expiry\":1}"},
                {"d", "{\"Serial\":\"1\"}"},
                {"e", "no json"},
                {"f", "{\"Serial\":\"1\",\"Expiry\":-5}"}};
    struct work w;

    (void)state;
    ssh_start(true);
    w = work_new();
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        batch_put(&w.batch, TABLE_SSH_HOST_PRINCIPALS, slice_text(ROWS[i].name),
                  slice_text(ROWS[i].record));
    work_ok(&w, work_commit(&w));
    assert_string_equal(hosts(), "a b ");
}

/* --- Policies ----------------------------------------------------------------------------------
 */

static void policies_decide(void **state)
{
    static const struct {
        const char *policy; /* of ssh */
        const char *type, *principals;
        bool good;
    } ROWS[] = {
        {"{}", "user", "\"x:y\"", true}, /* nothing is classified without rules */
        {"{\"user\":{\"allow\":{\"principal\":[\"kim\"]}}}", "user", "\"kim\"", true},
        {"{\"user\":{\"allow\":{\"principal\":[\"kim\"]}}}", "user", "\"KIM\"", true},
        {"{\"user\":{\"allow\":{\"principal\":[\"kim\"]}}}", "user", "\"kim\",\"root\"", false},
        {"{\"user\":{\"allow\":{\"principal\":[\"*\"]}}}", "user", "\"root\"", true},
        {"{\"user\":{\"allow\":{\"principal\":[\"*\"]}}}", "user", "\"a@x.io\"", false},
        {"{\"user\":{\"allow\":{\"principal\":[\"*\"]},\"deny\":{\"principal\":[\"root\"]}}}",
         "user", "\"root\"", false},
        {"{\"user\":{\"allow\":{\"email\":[\"@x.io\"]}}}", "user", "\"a@x.io\"", true},
        {"{\"user\":{\"allow\":{\"email\":[\"@x.io\"]}}}", "user", "\"a@y.io\"", false},
        {"{\"user\":{\"deny\":{\"email\":[\"a@x.io\"]}}}", "user", "\"a@x.io\"", false},
        {"{\"user\":{\"deny\":{\"email\":[\"a@x.io\"]}}}", "user", "\"root\"", true},
        {"{\"user\":{\"deny\":{\"principal\":[\"root\"]}}}", "user", "\"10.0.0.1\"", false},
        {"{\"user\":{\"deny\":{\"principal\":[\"root\"]}}}", "user", "\"web1:22\"", false},
        {"{\"user\":{\"deny\":{\"principal\":[\"root\"]}}}", "host", "\"a.test\"", false},
        {"{\"host\":{\"deny\":{\"dns\":[\"b.test\"]}}}", "user", "\"kim\"", false},
        {"{\"host\":{\"allow\":{\"dns\":[\"*.test\"]}}}", "host", "\"a.test\"", true},
        {"{\"host\":{\"allow\":{\"dns\":[\"*.test\"]}}}", "host", "\"a.b.test\"", false},
        {"{\"host\":{\"allow\":{\"dns\":[\"*.test\"]}}}", "host", "\"10.0.0.1\"", false},
        {"{\"host\":{\"allow\":{\"ip\":[\"10.0.0.0/8\"]}}}", "host", "\"10.0.0.1\"", true},
        {"{\"host\":{\"allow\":{\"ip\":[\"10.0.0.0/8\"]}}}", "host", "\"11.0.0.1\"", false},
        {"{\"host\":{\"deny\":{\"dns\":[\"bad.test\"]}}}", "host", "\"BAD.test\"", false},
        {"{\"host\":{\"deny\":{\"dns\":[\"bad.test\"]}}}", "host", "\"a.test:22\"", false},
    };

    (void)state;
    world_services(true);
    for (size_t i = 0; i < 2 * COUNT_OF(ROWS); i++) {
        size_t k = i / 2;
        const char *ssh = arena_printf(A, "{\"certType\":\"%s\",\"principals\":[%s]}", ROWS[k].type,
                                       ROWS[k].principals);
        const char *policy = arena_printf(A, "{\"ssh\":%s}", ROWS[k].policy);
        struct ssh_request r = ssh_asked("", "");
        struct ssh_issued out;
        /* Of the authority, then of the provisioner. */
        json_change(world_authority(), "policy", i % 2 == 0 ? policy : NULL);
        json_change(world_provisioner(0), "options",
                    i % 2 == 0 ? NULL : arena_printf(A, "{\"policy\":%s}", policy));
        ssh_load();
        struct work w = work_new();
        bool good = ssh_ask(&w, ssh_token("alice", ssh), &r, &out);
        if (good != ROWS[k].good || (!good && w.err.kind != ERR_FORBIDDEN))
            fail_msg("row %zu of %s: %s %s", k, i % 2 ? "provisioner" : "authority",
                     err_kind_name(w.err.kind), w.err.text);
    }
}

/* --- Accounts on hosts -------------------------------------------------------------------------
 */

static bool add_user(struct work *w, const char *ssh, struct ssh_issued *out, bool *made)
{
    struct ssh_request r = ssh_asked("", "");
    struct ssh_key key = ssh_key_of(key_new(KEY_ED25519, 0));
    struct ssh_issued user;
    struct grant *g;

    return authorize_token(w, ssh_token("alice", ssh), METHOD_SSH_SIGN, &g) &&
           ssh_sign(w, g, &r, &user) && ssh_add_user(w, g, &user, &key, out, made) &&
           (!*made || (out->cert.valid_after == user.cert.valid_after &&
                       out->cert.valid_before == user.cert.valid_before &&
                       out->cert.serial != user.cert.serial));
}

static void accounts_are_made_for_plain_users(void **state)
{
    static const struct {
        const char *ssh, *seen; /* NULL: none is made */
    } ROWS[] = {
        {"{\"principals\":[\"kim\"]}",
         "user|kim-provisioner|provisioner|force-command=sudo useradd "
         "-m kim; nc -q0 localhost 22|"},
        {"{\"principals\":[\"kim\",\"kim@x.io\"]}",
         "user|kim-provisioner|provisioner|force-command=sudo useradd -m kim; nc -q0 localhost "
         "22|"},
        {"{\"principals\":[\"kim\",\"root\"]}", NULL},
        {"{\"principals\":[\"kim\",\"@x.io\"]}", NULL},
        {"{\"principals\":[\"a\",\"b\",\"a@x.io\"]}", NULL},
        {"{\"certType\":\"host\",\"principals\":[\"kim\"]}", NULL},
    };

    (void)state;
    ssh_start(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct work w = work_new();
        struct ssh_issued out;
        bool made = false;
        work_ok(&w, add_user(&w, ROWS[i].ssh, &out, &made));
        assert_int_equal(made, ROWS[i].seen != NULL);
        if (!made)
            continue;
        struct ssh_cert c = ssh_seen(&out);
        if (strcmp(ssh_text(&c), ROWS[i].seen) != 0)
            fail_msg("row %zu: %s", i, ssh_text(&c));
    }
}

/* The principal becomes part of a command of root's. */
static void commands_are_not_for_the_requester_to_write(void **state)
{
    static const char *const BAD[] = {
        "a;id",
        "a b",
        "$(id)",
        "`id`",
        "-rf",
        "a|b",
        "a&b",
        "a>b",
        "a\\\\b",
        "a'b",
        "a*",
        "a/b",
        "ä",
        "a#b",
        "a~b",
        "0123456789012345678901234567890123456789012345678901234567890"
        "12345"};
    static const char *const GOOD[] = {
        "kim",
        "K.im_9",
        "a-b",
        "a@b",
        "a+b",
        "0123456789012345678901234567890123456789012345678901234567890"
        "123"};

    (void)state;
    ssh_start(true);
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct work w = work_new();
        struct ssh_issued out;
        bool made;
        work_refused(
            &w, add_user(&w, arena_printf(A, "{\"principals\":[\"%s\"]}", BAD[i]), &out, &made),
            ERR_FORBIDDEN, "command");
    }
    for (size_t i = 0; i < COUNT_OF(GOOD); i++) {
        struct work w = work_new();
        struct ssh_issued out;
        bool made;
        work_ok(&w,
                add_user(&w, arena_printf(A, "{\"principals\":[\"%s\"]}", GOOD[i]), &out, &made));
    }
}

static void the_command_is_the_operators(void **state)
{
    struct work w;
    struct ssh_issued out;
    bool made;

    (void)state;
    S.ca.add_user_principal = SLICE("adm");
    S.ca.add_user_command = SLICE("<principal><principal> x <principal");
    ssh_start(true);
    w = work_new();
    work_ok(&w, add_user(&w, "{\"principals\":[\"kim\"]}", &out, &made));
    struct ssh_cert c = ssh_seen(&out);
    assert_string_equal(ssh_text(&c), "user|kim-adm|adm|force-command=kimkim x <principal|");
}

static void one_commit_may_hold_both(void **state)
{
    struct work w;
    struct ssh_issued out;
    bool made;

    (void)state;
    ssh_start(true);
    w = work_new();
    /* The user is called like the principal of the command: the last certificate counts. */
    work_ok(&w, add_user(&w, "{\"principals\":[\"provisioner\"]}", &out, &made));
    work_ok(&w, work_commit(&w));
    assert_true(slice_eq(stored(TABLE_SSH_USERS, SLICE("provisioner")),
                         ssh_serial_text(A, out.cert.serial)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SSH_WORLD_TEST(a_token_becomes_a_certificate),
        SSH_WORLD_TEST(contradictions_are_refused),
        SSH_WORLD_TEST(validity_is_computed_and_limited),
        SSH_WORLD_TEST(weak_keys_are_refused),
        SSH_WORLD_TEST(each_type_has_its_own_key),
        SSH_WORLD_TEST(certificates_and_names_are_recorded),
        SSH_WORLD_TEST(without_a_database_there_are_no_hosts),
        SSH_WORLD_TEST(records_of_others_do_not_disturb_the_list),
        SSH_WORLD_TEST(policies_decide),
        SSH_WORLD_TEST(accounts_are_made_for_plain_users),
        SSH_WORLD_TEST(commands_are_not_for_the_requester_to_write),
        SSH_WORLD_TEST(the_command_is_the_operators),
        SSH_WORLD_TEST(one_commit_may_hold_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
