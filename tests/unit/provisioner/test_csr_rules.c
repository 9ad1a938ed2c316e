/* What a grant demands of the request. */
#include "crypto/digest.h"
#include "provisioner_testing.h"

static struct sans sans_of(const char *const *names)
{
    struct slice texts[16];
    struct sans out = {0};
    size_t n = 0;

    for (; names[n]; n++)
        texts[n] = slice_text(names[n]);
    sans_split(A, texts, n, &out);
    return out;
}

static bool holds(const struct csr_rule *rule, const struct csr *csr, struct err *e)
{
    return csr_rules_check(A, rule, 1, csr, e);
}

static void fingerprint_binds_to_one_request(void **state)
{
    struct private_key *key = key_new(KEY_P256, 0);
    const struct csr *csr = csr_new(key, "a.test", NULL), *other = csr_new(key, "b.test", NULL);
    struct slice text = base64_text(A, BASE64_URL_RAW, digest_bytes(A, DIGEST_SHA256, csr->der));
    struct csr_rule rule = {.kind = CSR_RULE_FINGERPRINT, .texts = &text, .n_texts = 1};
    static const char *const BAD[] = {"", "AAAA", "not base64!", "YWJj="};

    (void)state;
    ok(holds(&rule, csr, e));
    refused(holds(&rule, other, e), ERR_FORBIDDEN, "cnf");
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        text = slice_text(BAD[i]);
        refused(holds(&rule, csr, e), ERR_FORBIDDEN, "cnf");
    }
}

static void common_name_is_absent_or_allowed(void **state)
{
    struct private_key *key = key_new(KEY_P256, 0);
    struct slice allowed[] = {SLICE("a.test"), SLICE("b.test")};
    struct csr_rule rule = {.kind = CSR_RULE_CN_IN, .texts = allowed, .n_texts = 2};

    (void)state;
    ok(holds(&rule, csr_new(key, "a.test", NULL), e));
    ok(holds(&rule, csr_new(key, "b.test", NULL), e));
    ok(holds(&rule, csr_new(key, "", NULL), e));
    refused(holds(&rule, csr_new(key, "c.test", NULL), e), ERR_FORBIDDEN, "c.test");
    refused(holds(&rule, csr_new(key, "A.test", NULL), e), ERR_FORBIDDEN, "A.test");
    rule.n_texts = 1;
    refused(holds(&rule, csr_new(key, "b.test", NULL), e), ERR_FORBIDDEN, "b.test");
}

static void names_are_none_or_the_same_set_by_kind(void **state)
{
    static const char *const TOKEN[] = {"a.test",   "b.test",        "10.0.0.1",
                                        "x@y.test", "spiffe://td/w", NULL};
    static const struct {
        const char *names[7];
        const char *trouble;
    } ROWS[] = {
        {{NULL}, NULL},
        {{"a.test", "b.test", "10.0.0.1", "x@y.test", "spiffe://td/w"}, NULL},
        {{"b.test", "a.test"}, NULL},
        {{"a.test", "b.test", "a.test"}, NULL}, /* a set */
        {{"10.0.0.1"}, NULL},
        {{"x@y.test"}, NULL},
        {{"spiffe://td/w"}, NULL},
        {{"a.test"}, "DNS names"},
        {{"a.test", "b.test", "c.test"}, "DNS names"},
        {{"a.test", "c.test"}, "DNS names"},
        {{"10.0.0.1", "10.0.0.2"}, "IP addresses"},
        {{"10.0.0.2"}, "IP addresses"},
        {{"x@y.test", "z@y.test"}, "email addresses"},
        {{"spiffe://td/w", "spiffe://td/v"}, "URIs"},
    };
    struct private_key *key = key_new(KEY_P256, 0);
    struct sans sans = sans_of(TOKEN);
    struct csr_rule rule = {.kind = CSR_RULE_SANS_EQUAL, .sans = &sans};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const struct csr *csr = csr_new(key, "a.test", ROWS[i].names);
        struct err e = {0};
        bool good = holds(&rule, csr, &e);
        if (good != !ROWS[i].trouble ||
            (!good && (e.kind != ERR_FORBIDDEN || !strstr(e.text, ROWS[i].trouble))))
            fail_msg("row %zu: %s", i, e.text);
    }
}

static void names_of_a_kind_the_token_lacks_are_refused(void **state)
{
    static const char *const TOKEN[] = {"a.test", NULL}, *const ASKED[] = {"10.0.0.1", NULL};
    struct sans sans = sans_of(TOKEN);
    struct csr_rule rule = {.kind = CSR_RULE_SANS_EQUAL, .sans = &sans};

    (void)state;
    refused(holds(&rule, csr_new(key_new(KEY_P256, 0), "a.test", ASKED), e), ERR_FORBIDDEN,
            "IP addresses");
}

static void dns_subset_lets_fewer_pass(void **state)
{
    static const char *const TOKEN[] = {"a.test", "b.test", NULL};
    static const char *const FEWER[] = {"b.test", NULL}, *const MORE[] = {"a.test", "c.test", NULL};
    struct private_key *key = key_new(KEY_P256, 0);
    struct sans sans = sans_of(TOKEN);
    struct csr_rule rule = {.kind = CSR_RULE_DNS_SUBSET, .sans = &sans};

    (void)state;
    ok(holds(&rule, csr_new(key, "", FEWER), e));
    ok(holds(&rule, csr_new(key, "", TOKEN), e));
    refused(holds(&rule, csr_new(key, "", MORE), e), ERR_FORBIDDEN, "c.test");
}

static void weak_keys_are_refused(void **state)
{
    struct csr_rule rule = {.kind = CSR_RULE_KEY, .rsa_bits = 2048};

    (void)state;
    ok(holds(&rule, csr_new(key_new(KEY_P256, 0), "a", NULL), e));
    ok(holds(&rule, csr_new(key_new(KEY_P521, 0), "a", NULL), e));
    ok(holds(&rule, csr_new(key_new(KEY_ED25519, 0), "a", NULL), e));
    ok(holds(&rule, csr_new(key_new(KEY_RSA, 2048), "a", NULL), e));
    refused(holds(&rule, csr_new(key_new(KEY_RSA, 1024), "a", NULL), e), ERR_FORBIDDEN, "2048");
}

static void the_first_rule_that_fails_speaks(void **state)
{
    struct slice allowed = SLICE("a.test");
    struct csr_rule rules[] = {{.kind = CSR_RULE_CN_IN, .texts = &allowed, .n_texts = 1},
                               {.kind = CSR_RULE_KEY, .rsa_bits = 2048}};
    struct private_key *weak = key_new(KEY_RSA, 1024);

    (void)state;
    refused(csr_rules_check(A, rules, 2, csr_new(weak, "b.test", NULL), e), ERR_FORBIDDEN,
            "b.test");
    refused(csr_rules_check(A, rules, 2, csr_new(weak, "a.test", NULL), e), ERR_FORBIDDEN, "2048");
    ok(csr_rules_check(A, rules, 0, csr_new(weak, "b.test", NULL), e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fingerprint_binds_to_one_request),
        TEST(common_name_is_absent_or_allowed),
        TEST(names_are_none_or_the_same_set_by_kind),
        TEST(names_of_a_kind_the_token_lacks_are_refused),
        TEST(dns_subset_lets_fewer_pass),
        TEST(weak_keys_are_refused),
        TEST(the_first_rule_that_fails_speaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
