/* Rules between flags, with the texts that scripts know. */
#include "capture.h"
#include "sample.h"

static const struct cli_environment ENV = {.root = &SAMPLE};

static void every_rule_has_its_text(void **state)
{
    static const struct {
        struct flag_rule rule;
        const char *words[6];
        const char *message; /* NULL: passes */
    } CASES[] = {
        {{RULE_REQUIRED, "ca-url", NULL}, {NULL}, "'step make' requires the '--ca-url' flag\n"},
        {{RULE_REQUIRED, "ca-url", NULL},
         {"--ca-url="},
         "'step make' requires the '--ca-url' flag\n"},
        {{RULE_REQUIRED, "ca-url", NULL}, {"--ca-url=x"}, NULL},
        {{RULE_REQUIRED, "offline", NULL}, {"--offline=false"}, NULL},
        {{RULE_REQUIRED, "offline", NULL}, {NULL}, "'step make' requires the '--offline' flag\n"},
        {{RULE_NEEDS, "curve", "kty"},
         {"--crv", "P-256"},
         "flag '--curve' requires the '--kty' flag\n"},
        {{RULE_NEEDS, "curve", "kty"}, {"--crv", "P-256", "--kty=EC"}, NULL},
        {{RULE_NEEDS, "curve", "kty"}, {NULL}, NULL},
        {{RULE_NEEDS, "profile=leaf", "root"},
         {NULL},
         "'--profile leaf' requires the '--root' flag\n"},
        {{RULE_NEEDS, "profile=leaf", "root"}, {"--profile=x"}, NULL},
        {{RULE_EXCLUDES, "offline", "token"},
         {"--offline", "--token", "x"},
         "flag '--offline' is incompatible with '--token'\n"},
        {{RULE_EXCLUDES, "offline", "token"}, {"--offline=false", "--token", "x"}, NULL},
        {{RULE_EXCLUDES, "offline", "token"}, {"--offline", "--token", ""}, NULL},
        {{RULE_EXCLUDES, "curve", "kty=RSA"},
         {"--kty=RSA", "--curve=P-256"},
         "flag '--curve' is incompatible with flag '--kty RSA'\n"},
        {{RULE_EXCLUDES, "kty=EC", "curve=Ed25519"},
         {"--kty=EC", "--curve=Ed25519"},
         "flag '--kty EC' is incompatible with flag '--curve Ed25519'\n"},
        {{RULE_EXCLUDES, "kty=EC", "size"},
         {"--kty=EC", "--size=1"},
         "flag '--kty EC' is incompatible with '--size'\n"},
        {{RULE_EXCLUDES, "kty=EC", "size"}, {"--kty=EC"}, NULL},
        {{RULE_EXCLUSIVE, "san", "out"},
         {"--san=x", "--out=y"},
         "flag '--san' and flag '--out' are mutually exclusive\n"},
        {{RULE_EXCLUSIVE, "san", "out"}, {"--san=x"}, NULL},
        {{RULE_INSECURE, "out", NULL},
         {"--out=x"},
         "flag '--out' requires the '--insecure' flag\n"},
        {{RULE_INSECURE, "kty=md5", NULL},
         {"--kty=md5"},
         "flag '--kty md5' requires the '--insecure' flag\n"},
        {{RULE_INSECURE, "out", NULL}, {"--out=x", "--insecure"}, NULL},
        {{RULE_SUBTLE, "out", NULL}, {"--out=x"}, "flag '--out' requires the '--subtle' flag\n"},
        {{RULE_SUBTLE, "out", NULL}, {"--out=x", "--subtle"}, NULL},
        {{RULE_ONE_OF, "out", "token"}, {NULL}, "one of flag --out or --token is required\n"},
        {{RULE_ONE_OF, "out", "token"}, {"--token=t"}, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const char *words[10] = {"make", "a"};
        memcpy(words + 2, CASES[i].words, sizeof(CASES[i].words));
        make_rules[0] = CASES[i].rule;
        assert_int_equal(capture_run(&ENV, words), CASES[i].message ? 1 : 0);
        assert_string_equal(said.err, CASES[i].message ? CASES[i].message : "");
        assert_string_equal(said.out, "");
    }
    make_rules[0] = (struct flag_rule){0};
}

static void first_broken_rule_is_told(void **state)
{
    (void)state;
    make_rules[0] = (struct flag_rule){RULE_NEEDS, "out", "kty"};
    make_rules[1] = (struct flag_rule){RULE_REQUIRED, "ca-url", NULL};
    make_rules[2] = (struct flag_rule){RULE_REQUIRED, "root", NULL};
    RUN(&ENV, "make", "a", "--out=x");
    assert_string_equal(said.err, "flag '--out' requires the '--kty' flag\n");
    RUN(&ENV, "make", "a");
    assert_string_equal(said.err, "'step make' requires the '--ca-url' flag\n");
    memset(make_rules, 0, sizeof(make_rules));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLI_TEST(every_rule_has_its_text),
        CLI_TEST(first_broken_rule_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
