/* Name constraints before signing: tables of constraint, name and verdict. */
#include "x509_test.h"

/* A CA that is constrained: a subtree is its GeneralName tag and content. */
static struct cert *constrained(uint8_t tag, struct slice permitted, struct slice excluded)
{
    static struct signer *s;
    struct slice trees[] = {permitted, excluded};
    struct buf b = buf_new(A, 4096);
    size_t all, list, tree;
    struct extension raw[1];

    s = signer_new(KEY_P256, 0);
    struct x509_leaf ca = leaf_new(s->public_key, "Constrained");
    struct issuer self = {.key = s->public_key, .signer = s};
    der_open(&b, DER_SEQUENCE, &all);
    for (size_t i = 0; i < 2; i++) {
        if (!trees[i].p)
            continue;
        der_open(&b, DER_CONTEXT_CONSTRUCTED(i), &list);
        der_open(&b, DER_SEQUENCE, &tree);
        der_put(&b, tag, trees[i]);
        der_close(&b, tree);
        der_close(&b, list);
    }
    der_close(&b, all);
    raw[0] = (struct extension){
        .oid = slice_of(OID_EXT_NAME_CONSTRAINTS.p, 3), .critical = true, .value = buf_slice(&b)};
    ca.raw = (struct extensions){raw, 1};
    return sign(&ca, &self);
}

static bool allowed(struct cert *ca, const char *name, struct err *e)
{
    struct slice one = slice_text(name);
    struct cert_list issuers = {&ca, 1};
    struct sans names;

    sans_split(A, &one, 1, &names);
    return name_constraints_check(A, &issuers, &names, e);
}

#define DNS   DER_CONTEXT(2)
#define EMAIL DER_CONTEXT(1)
#define URI   DER_CONTEXT(6)
#define IP    DER_CONTEXT(7)

static void verdicts_follow_rfc_5280(void **state)
{
    (void)state;
    static const struct {
        uint8_t tag;
        const char *constraint, *name;
        bool within;    /* permitted by it */
        bool untouched; /* not excluded by it */
    } CASES[] = {
        {DNS, "example.com", "example.com", true, false},
        {DNS, "example.com", "EXAMPLE.com", true, false},
        {DNS, "example.com", "a.b.example.com", true, false},
        {DNS, "example.com", "badexample.com", false, true},
        {DNS, "example.com", "example.com.evil", false, true},
        {DNS, "example.com", "com", false, true},
        {DNS, ".example.com", "example.com", false, true},
        {DNS, ".example.com", "a.example.com", true, false},
        {DNS, "", "anything.at.all", true, false},
        {DNS, "example.com", "*.example.com", true, false},
        {DNS, "a.example.com", "*.example.com", false, false}, /* '*' reaches a */
        {DNS, "b.a.example.com", "*.example.com", false, true},
        {DNS, "example.com", "example.com.", false, false}, /* unclear: refused both ways */
        {DNS, "example.com", "a..example.com", false, false},
        {DNS, "example.com", ".example.com", false, false},
        {EMAIL, "user@example.com", "user@example.com", true, false},
        {EMAIL, "user@example.com", "user@EXAMPLE.com", true, false},
        {EMAIL, "user@example.com", "User@example.com", false, true},
        {EMAIL, "user@example.com", "user@a.example.com", false, true},
        {EMAIL, "example.com", "any@example.com", true, false},
        {EMAIL, "example.com", "any@a.example.com", false, true},
        {EMAIL, ".example.com", "any@a.example.com", true, false},
        {EMAIL, ".example.com", "any@example.com", false, true},
        {EMAIL, "example.com", "\"a@b\"@example.com", true, false},
        {EMAIL, "example.com", "@example.com", false, false},
        {EMAIL, "example.com", "a@", false, false},
        {URI, "example.com", "https://example.com/x", true, false},
        {URI, "example.com", "https://user@example.com:8443/x", true, false},
        {URI, "example.com", "https://a.example.com/", false, true},
        {URI, ".example.com", "https://a.example.com/", true, false},
        {URI, ".example.com", "https://example.com/", false, true},
        {URI, "example.com", "https://10.0.0.1/", false, false},
        {URI, "example.com", "https://[::1]/", false, false},
        {URI, "example.com", "urn:uuid:1", false, false},
        {URI, "example.com", "https:///x", false, false},
        {IP, "\x0a\x01\x00\x00\xff\xff\x00\x00", "10.1.2.3", true, false},
        {IP, "\x0a\x01\x00\x00\xff\xff\x00\x00", "10.2.2.3", false, true},
        {IP, "\x0a\x01\x00\x00\xff\xff\x00\x00", "::ffff:10.1.2.3", true, false},
        {IP, "\x0a\x01\x00\x00\xff\xff\x00\x00", "2001:db8::1", false, true},
        {IP, "\x00\x00\x00\x00\x00\x00\x00\x00", "1.2.3.4", true, false},
        /* other kinds are not touched */
        {DNS, "example.com", "10.0.0.1", true, true},
        {DNS, "example.com", "a@evil.com", true, true},
        {EMAIL, "example.com", "evil.com", true, true},
        {IP, "\x0a\x01\x00\x00\xff\xff\x00\x00", "evil.com", true, true},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice tree =
            CASES[i].tag == IP ? slice_of(CASES[i].constraint, 8) : slice_text(CASES[i].constraint);
        struct cert *permits = constrained(CASES[i].tag, tree, SLICE_NONE);
        struct cert *excludes = constrained(CASES[i].tag, SLICE_NONE, tree);
        struct err e = {0};
        if (allowed(permits, CASES[i].name, &e) != CASES[i].within)
            fail_msg("case %zu, permitted: %s: %s", i, CASES[i].name, e.text);
        if (!CASES[i].within && (e.kind != ERR_FORBIDDEN || !strstr(e.text, "4.2.1.10")))
            fail_msg("case %zu: %s", i, e.text);
        if (allowed(excludes, CASES[i].name, &e) != CASES[i].untouched)
            fail_msg("case %zu, excluded: %s: %s", i, CASES[i].name, e.text);
    }
}

static void excluding_wins_over_permitting(void **state)
{
    (void)state;
    struct cert *ca = constrained(DNS, SLICE("example.com"), SLICE("secret.example.com"));

    ok(allowed(ca, "a.example.com", e));
    refused(allowed(ca, "secret.example.com", e), "excluded by");
    refused(allowed(ca, "x.secret.example.com", e), "excluded by");
    refused(allowed(ca, "other.com", e), "not permitted by");
}

static void every_certificate_of_the_chain_has_its_say(void **state)
{
    (void)state;
    struct cert *chain[] = {constrained(DNS, SLICE("example.com"), SLICE_NONE),
                            constrained(DNS, SLICE("a.example.com"), SLICE_NONE)};
    struct cert_list issuers = {chain, 2};
    struct slice names[] = {SLICE("x.a.example.com"), SLICE("b.example.com")};
    struct sans sans;

    sans_split(A, names, 1, &sans);
    ok(name_constraints_check(A, &issuers, &sans, e));
    sans_split(A, names, 2, &sans);
    refused(name_constraints_check(A, &issuers, &sans, e), "b.example.com");
    issuers.n = 0;
    ok(name_constraints_check(A, &issuers, &sans, e));
}

static void what_is_not_understood_forbids(void **state)
{
    (void)state;
    struct cert *bad[] = {
        constrained(IP, SLICE("\x0a\x01\x00\x00\xff\x00\xff\x00"), SLICE_NONE), /* holes */
        constrained(IP, SLICE("\x0a\x01\x00\x00"), SLICE_NONE),
        constrained(DNS, SLICE("b\xc3\xbc.example"), SLICE_NONE),
        constrained(0x13, SLICE("x"), SLICE_NONE), /* no GeneralName */
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        refused(allowed(bad[i], "example.com", e), "cannot be understood");
}

static void fixture_of_libcrypto_is_understood(void **state)
{
    (void)state;
    struct cert *ca = cert_fixture("constrained.crt");
    static const struct {
        const char *name;
        bool good;
    } CASES[] = {
        {"example.com", true},
        {"www.example.com", true},
        {"secret.example.com", false},
        {"example.org", false},
        {"a.example.org", true},
        {"a@mail.example.com", true},
        {"root@mail.example.com", false},
        {"a@example.com", false},
        {"https://www.example.com/", true},
        {"https://example.org/", false},
        {"10.1.1.1", true},
        {"10.9.1.1", false},
        {"11.1.1.1", false},
        {"2001:db8::1", false},
        {"2001:db9::1", false}, /* only IPv4 is permitted */
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        if (allowed(ca, CASES[i].name, NULL) != CASES[i].good)
            fail_msg("%s", CASES[i].name);
    }
    struct sans permitted, excluded;
    const struct extension *x = extensions_get(&ca->extensions, &OID_EXT_NAME_CONSTRAINTS);
    assert_true(name_constraints_read(A, x->value, &permitted, &excluded));
    assert_int_equal(permitted.n, 5);
    assert_slice(permitted.v[4].text, "10.0.0.0/8");
    assert_slice(excluded.v[3].text, "2001:db8::/32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(verdicts_follow_rfc_5280),
        TEST(excluding_wins_over_permitting),
        TEST(every_certificate_of_the_chain_has_its_say),
        TEST(what_is_not_understood_forbids),
        TEST(fixture_of_libcrypto_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
