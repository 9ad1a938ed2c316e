/* The linter: clean certificates are clean, and each fault is found by its rule. */
#include "x509_test.h"

struct findings {
    struct buf rules;
    unsigned errors;
};

static void note(void *arg, enum lint_level level, const char *rule, const char *text_)
{
    struct findings *f = arg;

    buf_printf(&f->rules, " %s ", rule);
    f->errors += level == LINT_ERROR;
    assert_true(strlen(text_) > 10);
}

static const char *lint(const struct cert *c)
{
    struct findings f = {buf_new(A, 10000), 0};

    unsigned errors = cert_lint(c, note, &f);
    assert_int_equal(errors, f.errors);
    return arena_cstr(A, buf_slice(&f.rules));
}

struct world {
    struct issuer root;
    struct x509_leaf leaf;
};

static struct world world_new(enum key_type type)
{
    static struct slice names[1];
    struct world w = {ca_new(signer_new(KEY_P256, 0), "Root", NULL),
                      leaf_new(signer_new(type, 2048)->public_key, "a.example.com")};

    names[0] = SLICE("a.example.com");
    sans_split(A, names, 1, &w.leaf.sans);
    return w;
}

static void what_we_issue_is_clean(void **state)
{
    (void)state;
    struct world w = world_new(KEY_P256);

    assert_string_equal(lint(w.root.chain.v[0]), "");
    assert_string_equal(lint(sign(&w.leaf, &w.root)), "");
    w.leaf.not_after = at("2050-01-01T00:00:00Z");
    w.leaf.subject = (struct subject){0};
    assert_string_equal(lint(sign(&w.leaf, &w.root)), "");
}

static void finds(struct world *w, const char *rule)
{
    struct cert *c = sign(&w->leaf, &w->root);
    const char *found = lint(c);

    if (!strstr(found, arena_printf(A, " %s ", rule)))
        fail_msg("%s is not among [%s]", rule, found);
}

static void faults_of_keys_and_usages_are_found(void **state)
{
    (void)state;
    struct world w = world_new(KEY_P256);
    w.leaf.key_usage = KU_KEY_ENCIPHERMENT;
    finds(&w, "key_usage_unfit");
    w.leaf.key_usage = KU_CERT_SIGN;
    finds(&w, "cert_sign_without_ca");
    w.leaf.key_usage = KU_ENCIPHER_ONLY;
    finds(&w, "only_without_agreement");
    w.leaf.key_usage = KU_DIGITAL_SIGNATURE;
    w.leaf.has_basic = true;
    w.leaf.basic = (struct basic_constraints){true, -1};
    finds(&w, "ca_without_cert_sign");
    w.leaf.subject = (struct subject){0};
    finds(&w, "ca_without_subject");
    w = world_new(KEY_ED25519);
    w.leaf.key_usage = KU_KEY_AGREEMENT;
    finds(&w, "key_usage_unfit");
    w.leaf.serial = SLICE("\x01");
    finds(&w, "serial_guessable");
}

static void faults_of_extensions_are_found(void **state)
{
    (void)state;
    static const struct {
        const struct oid *oid;
        bool critical;
        struct slice value;
        const char *rule;
    } CASES[] = {
        {&OID_EXT_KEY_USAGE, false, SLICE("\x03\x02\x07\x80"), "key_usage_not_critical"},
        {&OID_EXT_KEY_USAGE, true, SLICE("\x03\x01\x00"), "key_usage_empty"},
        {&OID_EXT_SKI, true, SLICE("\x04\x01x"), "ski_critical"},
        {&OID_EXT_AKI, true, SLICE("\x30\x03\x80\x01x"), "aki_critical"},
        {&OID_EXT_AKI, false, SLICE("\x30\x00"), "aki_without_id"},
        {&OID_EXT_BASIC, true, SLICE("\x30\x03\x02\x01\x00"), "path_len_of_leaf"},
        {&OID_EXT_BASIC, false, SLICE("\x30\x03\x01\x01\xff"), "basic_not_critical"},
        {&OID_EXT_EKU, true, SLICE("\x30\x06\x06\x04\x55\x1d\x25\x00"), "any_purpose_critical"},
        {&OID_EXT_NAME_CONSTRAINTS, true, SLICE("\x30\x00"), "constraints_broken"},
        {&OID_EXT_NAME_CONSTRAINTS, false, SLICE("\x30\x00"), "constraints_not_critical"},
        {&OID_EXT_NAME_CONSTRAINTS, true, SLICE("\x30\x00"), "constraints_of_leaf"},
        {&OID_EXT_AIA, false, SLICE("\x30\x00"), "aia_broken"},
        {&OID_EXT_AIA, true, SLICE("\x30\x00"), "aia_critical"},
        {&OID_EXT_CRL_POINTS, false, SLICE("\x05\x00"), "crl_points_broken"},
        {&OID_EXT_CRL_POINTS, true, SLICE("\x05\x00"), "crl_points_critical"},
        {&OID_EXT_POLICIES, false, SLICE("\x05\x00"), "policies_broken"},
        {&OID_EXT_POLICIES, false,
         SLICE("\x30\x0c\x30\x04\x06\x02\x2a\x03\x30\x04\x06\x02\x2a\x03"), "policy_twice"},
        {&OID_EXT_PROVISIONER, true, SLICE("\x05\x00"), "unknown_critical"},
        {&OID_EXT_SAN, false, SLICE("\x30\x00"), "san_empty"},
        {&OID_EXT_SAN, true, SLICE("\x30\x03\x82\x01x"), "san_critical"},
        {&OID_EXT_SAN, false, SLICE("\x30\x03\x82\x01x"), "cn_not_in_san"},
        {&OID_EXT_SAN, false, SLICE("\x30\x06\x82\x01x\x82\x01x"), "san_twice"},
        {&OID_EXT_SAN, false,
         SLICE("\x30\x05\x82\x03"
               "a b"),
         "dns_wrong"},
        {&OID_EXT_SAN, false,
         SLICE("\x30\x05\x82\x03"
               "a_b"),
         "dns_underscore"},
        {&OID_EXT_SAN, false,
         SLICE("\x30\x05\x82\x03"
               "a*b"),
         "dns_wrong"},
        {&OID_EXT_SAN, false, SLICE("\x30\x03\x81\x01x"), "email_wrong"},
        {&OID_EXT_SAN, false, SLICE("\x30\x03\x86\x01x"), "uri_wrong"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct world w = world_new(KEY_P256);
        struct extension raw = {.oid = slice_of(CASES[i].oid->p, CASES[i].oid->n),
                                .critical = CASES[i].critical,
                                .value = CASES[i].value};
        w.leaf.raw = (struct extensions){&raw, 1};
        /* Kept even when it is the provisioner's. */
        w.leaf.copy_extensions = CASES[i].oid == &OID_EXT_PROVISIONER;
        finds(&w, CASES[i].rule);
    }
}

static void missing_extensions_are_found(void **state)
{
    (void)state;
    struct world w = world_new(KEY_P256);

    w.leaf.copy_extensions = true; /* nothing but the authority key */
    finds(&w, "leaf_without_ski");
    finds(&w, "leaf_without_san");
    w.leaf.subject = (struct subject){0};
    finds(&w, "nameless");
    assert_non_null(strstr(lint(cert_fixture("v1.crt")), " version_not_3 "));
    assert_non_null(strstr(lint(cert_fixture("ed448.crt")), " key_unknown "));
    assert_non_null(strstr(lint(cert_fixture("ed448.crt")), " signature_unknown "));
}

static void faults_of_names_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *rule;
    } CASES[] = {
        {"300c310a3008060355040314"
         "0161",
         "old_string"},
        {"300e310c300a060355040613"
         "03444555",
         "country_wrong"},
        {"300d310b300906035504060c"
         "024445",
         "country_wrong"},
        {"300c310a300806035504050c"
         "0161",
         "string_wrong"},
        {"300b310930070603550403"
         "1300",
         "attribute_empty"},
        {"3018310a3008060355040313"
         "0161310a3008060355040313"
         "0161",
         "attribute_twice"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct world w = world_new(KEY_P256);
        assert_true(hex_read(A, text(CASES[i].hex), &w.leaf.raw_subject));
        finds(&w, CASES[i].rule);
    }
    struct world w = world_new(KEY_P256);
    w.leaf.subject.common_name = arena_format(A, "%065d", 1);
    finds(&w, "attribute_long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_we_issue_is_clean),         TEST(faults_of_keys_and_usages_are_found),
        TEST(faults_of_extensions_are_found), TEST(missing_extensions_are_found),
        TEST(faults_of_names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
