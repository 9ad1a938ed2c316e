/* Path validation: what is accepted, and each reason for refusing. */
#include "x509_test.h"

struct world {
    struct issuer root, middle;
    struct x509_leaf leaf;
    struct chain_rules rules;
};

static struct world world_new(void)
{
    static struct slice names[3], eku[2];
    struct world w = {0};

    names[0] = SLICE("a.example.com");
    names[1] = SLICE("*.w.example.com");
    names[2] = SLICE("10.0.0.1");
    eku[0] = slice_of(OID_EKU_SERVER.p, OID_EKU_SERVER.n);
    eku[1] = slice_of(OID_EKU_CLIENT.p, OID_EKU_CLIENT.n);
    w.root = ca_new(signer_new(KEY_P256, 0), "Root", NULL);
    w.middle = ca_new(signer_new(KEY_P256, 0), "Middle", &w.root);
    w.leaf = leaf_new(signer_new(KEY_P256, 0)->public_key, "leaf");
    w.leaf.eku = eku;
    w.leaf.n_eku = 2;
    sans_split(A, names, 3, &w.leaf.sans);
    cert_list_add(A, &w.rules.anchors, w.root.chain.v[0]);
    cert_list_add(A, &w.rules.intermediates, w.middle.chain.v[0]);
    w.rules.at = at("2026-06-01T00:00:00Z");
    return w;
}

static void good_chains_are_accepted(void **state)
{
    (void)state;
    struct world w = world_new();
    struct cert *leaf = sign(&w.leaf, &w.middle);
    struct cert_list chain;

    ok(chain_verify(A, leaf, &w.rules, &chain, e));
    assert_int_equal(chain.n, 3);
    assert_ptr_equal(chain.v[0], leaf);
    assert_ptr_equal(chain.v[1], w.middle.chain.v[0]);
    assert_ptr_equal(chain.v[2], w.root.chain.v[0]);
    w.rules.use = CHAIN_CLIENT;
    ok(chain_verify(A, leaf, &w.rules, NULL, e));
    w.rules.use = CHAIN_SERVER;
    ok(chain_verify(A, leaf, &w.rules, NULL, e));

    /* An intermediate, or the leaf itself, may be the anchor. */
    struct chain_rules partial = {.at = w.rules.at};
    cert_list_add(A, &partial.anchors, w.middle.chain.v[0]);
    ok(chain_verify(A, leaf, &partial, &chain, e));
    assert_int_equal(chain.n, 2);
    partial.anchors = (struct cert_list){&leaf, 1};
    ok(chain_verify(A, leaf, &partial, &chain, e));
    assert_int_equal(chain.n, 1);
}

static void missing_links_are_refused(void **state)
{
    (void)state;
    struct world w = world_new(), other = world_new();
    struct cert *leaf = sign(&w.leaf, &w.middle);
    struct err why = {0};

    w.rules.intermediates = (struct cert_list){0};
    assert_false(chain_verify(A, leaf, &w.rules, NULL, &why));
    assert_int_equal(why.kind, ERR_UNAUTHORIZED);
    refused(chain_verify(A, leaf, &w.rules, NULL, e), "RFC 5280 6");
    refused(chain_verify(A, leaf, &other.rules, NULL, e), "depth");
    other.rules.anchors = (struct cert_list){0};
    refused(chain_verify(A, leaf, &other.rules, NULL, e), "depth");
}

static void dates_are_checked(void **state)
{
    (void)state;
    struct world w = world_new();
    struct cert *leaf = sign(&w.leaf, &w.middle);

    w.rules.at = at("2025-12-31T23:59:59Z");
    refused(chain_verify(A, leaf, &w.rules, NULL, e), "not yet valid");
    w.rules.at = at("2027-01-01T00:00:01Z");
    refused(chain_verify(A, leaf, &w.rules, NULL, e), "has expired at depth 0");
    w.rules.at = at("2026-12-31T23:59:59Z");
    ok(chain_verify(A, leaf, &w.rules, NULL, e));
}

static void purposes_must_be_allowed_all_the_way(void **state)
{
    (void)state;
    struct world w = world_new();
    struct slice server[] = {slice_of(OID_EKU_SERVER.p, OID_EKU_SERVER.n)};
    struct slice any[] = {slice_of(OID_EKU_ANY.p, OID_EKU_ANY.n)};

    w.leaf.eku = server;
    w.leaf.n_eku = 1;
    struct cert *leaf = sign(&w.leaf, &w.middle);
    w.rules.use = CHAIN_CLIENT;
    refused(chain_verify(A, leaf, &w.rules, NULL, e), "client authentication at depth 0");
    w.leaf.eku = any;
    ok(chain_verify(A, sign(&w.leaf, &w.middle), &w.rules, NULL, e));
    w.leaf.n_eku = 0;
    ok(chain_verify(A, sign(&w.leaf, &w.middle), &w.rules, NULL, e));

    /* An intermediate that is for servers only. */
    struct signer *s = signer_new(KEY_P256, 0);
    struct x509_leaf ca = leaf_new(s->public_key, "Servers only");
    struct issuer narrow = {.key = s->public_key, .signer = s};
    ca.key_usage = KU_CERT_SIGN;
    ca.has_basic = ca.basic.ca = true;
    ca.basic.path_len = 0;
    ca.eku = server;
    ca.n_eku = 1;
    cert_list_add(A, &narrow.chain, sign(&ca, &w.root));
    cert_list_add(A, &w.rules.intermediates, narrow.chain.v[0]);
    leaf = sign(&w.leaf, &narrow);
    refused(chain_verify(A, leaf, &w.rules, NULL, e), "client authentication at depth 1");
    w.rules.use = CHAIN_SERVER;
    ok(chain_verify(A, leaf, &w.rules, NULL, e));
}

static void only_cas_issue(void **state)
{
    (void)state;
    struct world w = world_new();
    static const struct {
        bool has_basic, ca;
        uint32_t usage;
        bool good;
    } CASES[] = {
        {true, true, KU_CERT_SIGN, true},          {true, true, 0, true},
        {true, true, KU_DIGITAL_SIGNATURE, false}, {true, false, KU_CERT_SIGN, false},
        {false, false, KU_CERT_SIGN, false},       {false, false, 0, false},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct signer *s = signer_new(KEY_P256, 0);
        struct x509_leaf ca = leaf_new(s->public_key, "Between");
        struct issuer between = {.key = s->public_key, .signer = s};
        struct chain_rules rules = w.rules;
        ca.has_basic = CASES[i].has_basic;
        ca.basic = (struct basic_constraints){CASES[i].ca, -1};
        ca.key_usage = CASES[i].usage;
        cert_list_add(A, &between.chain, sign(&ca, &w.root));
        cert_list_add(A, &rules.intermediates, between.chain.v[0]);
        struct cert *leaf = sign(&w.leaf, &between);
        bool good = chain_verify(A, leaf, &rules, NULL, NULL);
        if (good != CASES[i].good)
            fail_msg("case %zu as an intermediate", i);
        /* Nor as an anchor. */
        rules.anchors = between.chain;
        good = chain_verify(A, leaf, &rules, NULL, NULL);
        if (good != CASES[i].good)
            fail_msg("case %zu as an anchor", i);
    }
}

static void path_length_is_checked(void **state)
{
    (void)state;
    struct world w = world_new();
    struct signer *s = signer_new(KEY_P256, 0);
    struct x509_leaf ca = leaf_new(s->public_key, "Short");
    struct issuer limited = {.key = s->public_key, .signer = s};

    ca.key_usage = KU_CERT_SIGN;
    ca.has_basic = true;
    ca.basic = (struct basic_constraints){true, 0};
    cert_list_add(A, &limited.chain, sign(&ca, &w.root));
    struct issuer below = ca_new(signer_new(KEY_P256, 0), "Below", &limited);
    cert_list_add(A, &w.rules.intermediates, limited.chain.v[0]);
    cert_list_add(A, &w.rules.intermediates, below.chain.v[0]);
    ok(chain_verify(A, sign(&w.leaf, &limited), &w.rules, NULL, e));
    refused(chain_verify(A, sign(&w.leaf, &below), &w.rules, NULL, e), "path length");
}

static void unknown_critical_extensions_are_refused(void **state)
{
    (void)state;
    struct world w = world_new();
    struct extension raw[] = {{.oid = SLICE("\x2a\x03\x04"), .value = SLICE("\x05\x00")}};

    w.leaf.raw = (struct extensions){raw, 1};
    ok(chain_verify(A, sign(&w.leaf, &w.middle), &w.rules, NULL, e));
    raw[0].critical = true;
    refused(chain_verify(A, sign(&w.leaf, &w.middle), &w.rules, NULL, e), "critical extension");
}

static void forged_signatures_are_refused(void **state)
{
    (void)state;
    struct world w = world_new();
    struct cert *leaf = sign(&w.leaf, &w.middle), *forged;
    uint8_t *copy = arena_alloc(A, leaf->der.n);

    memcpy(copy, leaf->der.p, leaf->der.n);
    copy[slice_search(leaf->der, SLICE("a.example.com"))] = 'b';
    ok(cert_read(A, slice_of(copy, leaf->der.n), &forged, e));
    refused(chain_verify(A, forged, &w.rules, NULL, e), "signature");
}

static void hosts_match_names(void **state)
{
    (void)state;
    struct world w = world_new();
    struct cert *leaf = sign(&w.leaf, &w.middle);
    static const struct {
        struct slice host;
        bool good;
    } CASES[] = {
        {SLICE("a.example.com"), true},
        {SLICE("A.Example.COM"), true},
        {SLICE("b.w.example.com"), true},
        {SLICE("10.0.0.1"), true},
        {SLICE(""), true},
        {SLICE("w.example.com"), false},
        {SLICE("c.b.w.example.com"), false},
        {SLICE("example.com"), false},
        {SLICE("leaf"), false}, /* the common name is no host name */
        {SLICE("10.0.0.2"), false},
        {SLICE("::1"), false},
        {SLICE("a.example.com\0.evil"), false},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        w.rules.host = CASES[i].host;
        if (chain_verify(A, leaf, &w.rules, NULL, NULL) != CASES[i].good)
            fail_msg("%.*s", SLICE_ARG(CASES[i].host));
    }
}

static void constraints_of_the_chain_hold(void **state)
{
    (void)state;
    struct world w = world_new();
    struct signer *s = signer_new(KEY_P256, 0);
    struct x509_leaf ca = leaf_new(s->public_key, "Constrained");
    struct issuer limited = {.key = s->public_key, .signer = s};

    ca.key_usage = KU_CERT_SIGN;
    ca.has_basic = true;
    ca.basic = (struct basic_constraints){true, 0};
    ca.name_constraints = SLICE("\x30\x0c\xa0\x0a\x30\x08\x82\x06"
                                "other.");
    ca.name_constraints_critical = true;
    cert_list_add(A, &limited.chain, sign(&ca, &w.root));
    cert_list_add(A, &w.rules.intermediates, limited.chain.v[0]);
    refused(chain_verify(A, sign(&w.leaf, &limited), &w.rules, NULL, e), "permitted subtree");
}

static void old_anchors_are_what_the_operator_says(void **state)
{
    (void)state;
    struct chain_rules rules = {.at = at("2030-01-01T00:00:00Z")};
    struct cert *v1 = cert_fixture("v1.crt");

    cert_list_add(A, &rules.anchors, v1);
    ok(chain_verify(A, v1, &rules, NULL, e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_chains_are_accepted),
        TEST(missing_links_are_refused),
        TEST(dates_are_checked),
        TEST(purposes_must_be_allowed_all_the_way),
        TEST(only_cas_issue),
        TEST(path_length_is_checked),
        TEST(unknown_critical_extensions_are_refused),
        TEST(forged_signatures_are_refused),
        TEST(hosts_match_names),
        TEST(constraints_of_the_chain_hold),
        TEST(old_anchors_are_what_the_operator_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
