/* The policy of one provisioner: `options.policy`. */
#include "provisioner_testing.h"

static struct json *with_policy(const char *text)
{
    struct jwk jwk = jwk_new(key_new(KEY_P256, 0));
    struct json *v = jwk_object("ops", &jwk);
    struct json *options = json_of("{}");

    json_change(options, "policy", text);
    json_set_exact(v, A, "options", options);
    return v;
}

static bool allows(const struct policy *p, enum policy_kind kind, const char *name)
{
    return policy_check_name(A, p, kind, slice_text(name), NULL);
}

static void each_kind_of_certificate_has_its_engine(void **state)
{
    const struct provisioner *p =
        provisioner_of(with_policy("{\"x509\":{\"allow\":{\"dns\":[\"*.lab.test\"]}},"
                                   "\"ssh\":{\"user\":{\"deny\":{\"principal\":[\"root\"]}},"
                                   "\"host\":{\"allow\":{\"ip\":[\"10.0.0.0/8\"]}}}}"));

    (void)state;
    assert_null(p->trouble);
    assert_true(allows(p->policies.x509, POLICY_DNS, "a.lab.test"));
    assert_false(allows(p->policies.x509, POLICY_DNS, "a.other.test"));
    assert_false(allows(p->policies.ssh_user, POLICY_PRINCIPAL, "root"));
    assert_true(allows(p->policies.ssh_user, POLICY_PRINCIPAL, "kim"));
    assert_true(allows(p->policies.ssh_host, POLICY_IP, "10.1.2.3"));
    assert_false(allows(p->policies.ssh_host, POLICY_IP, "11.1.2.3"));
}

static void without_rules_there_is_no_engine(void **state)
{
    static const char *const NONE[] = {NULL, "null", "{}", "{\"x509\":null,\"ssh\":{}}",
                                       "{\"x509\":{\"allow\":{\"dns\":[]}}}"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NONE); i++) {
        const struct provisioner *p = provisioner_of(with_policy(NONE[i]));
        assert_null(p->policies.x509);
        assert_null(p->policies.ssh_user);
        assert_null(p->policies.ssh_host);
    }
}

static void a_bad_rule_is_a_configuration_error_with_its_path(void **state)
{
    static const struct {
        const char *policy, *says;
    } ROWS[] = {
        {"[]", "options.policy"},
        {"{\"x509\":5}", "options.policy.x509"},
        {"{\"x509\":{\"allow\":{\"dns\":[\"a..b\"]}}}", "options.policy.x509.allow.dns"},
        {"{\"x509\":{\"deny\":{\"ip\":[\"10\"]}}}", "options.policy.x509.deny.ip"},
        {"{\"x509\":{\"deny\":{\"principal\":[\"x\"]}}}", "options.policy.x509.deny"},
        {"{\"ssh\":[]}", "options.policy.ssh"},
        {"{\"ssh\":{\"user\":{\"allow\":{\"dns\":[\"a\"]}}}}", "options.policy.ssh.user.allow"},
        {"{\"ssh\":{\"host\":{\"allow\":{\"ip\":[\"a\"]}}}}", "options.policy.ssh.host.allow.ip"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct provisioner_env env = env_new();
        struct provisioner *p;
        struct err why = {0};
        bool made = provisioner_make(A, with_policy(ROWS[i].policy), "authority.provisioners[3]",
                                     &env, &p, &why);
        if (made || why.kind != ERR_MALFORMED || !strstr(why.text, ROWS[i].says) ||
            !strstr(why.text, "authority.provisioners[3]"))
            fail_msg("row %zu: \"%s\"", i, made ? "accepted" : why.text);
    }
}

static void it_is_not_shown_to_everybody(void **state)
{
    const struct provisioner *p =
        provisioner_of(with_policy("{\"x509\":{\"allow\":{\"dns\":[\"inner.test\"]}}}"));

    (void)state;
    assert_non_null(p->policies.x509);
    assert_true(slice_search(p->listing, SLICE("inner.test")) == p->listing.n);
    assert_true(slice_search(p->listing, SLICE("\"name\":\"ops\"")) < p->listing.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_kind_of_certificate_has_its_engine),
        TEST(without_rules_there_is_no_engine),
        TEST(a_bad_rule_is_a_configuration_error_with_its_path),
        TEST(it_is_not_shown_to_everybody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
