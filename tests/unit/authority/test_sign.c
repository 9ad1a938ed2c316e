/* Issuance, step by step. */
#include "authority_testing.h"

static struct private_key *KEY;

static int setup(void **state)
{
    if (world_begin(state) != 0)
        return -1;
    KEY = key_new(KEY_P256, 0);
    return 0;
}

static struct validity_wish wish_of(const char *not_before, const char *not_after)
{
    struct validity_wish wish = {0};

    ok(time_or_duration_read(slice_text(not_before), &wish.not_before, e));
    ok(time_or_duration_read(slice_text(not_after), &wish.not_after, e));
    return wish;
}

static bool sign_for(struct work *w, struct grant *g, const struct validity_wish *wish,
                     struct cert **c)
{
    static const char *const NONE[] = {NULL};
    struct issued_cert out;

    if (!sign_x509(w, g, csr_new(KEY, "foo.test", NONE), wish, NULL, &out))
        return false;
    ok(cert_read(A, out.der, c, e));
    assert_true(slice_eq(out.serial, serial_decimal(A, (*c)->serial)));
    assert_int_equal(out.not_after.sec, (*c)->not_after.sec);
    return true;
}

static struct cert *issue(void)
{
    struct work w = work_new();
    struct validity_wish none = {0};
    struct cert *c = NULL;

    work_ok(&w, sign_for(&w, usual_grant(&w), &none, &c));
    return c;
}

static struct slice oid_slice(const struct oid *oid)
{
    return slice_of(oid->p, oid->n);
}

static void the_default_certificate(void **state)
{
    static const struct oid *const ORDER[] = {&OID_EXT_KEY_USAGE, &OID_EXT_EKU,
                                              &OID_EXT_SKI,       &OID_EXT_AKI,
                                              &OID_EXT_SAN,       &OID_EXT_PROVISIONER};
    struct chain_rules rules = {.at = test_now, .use = CHAIN_CLIENT};
    struct provisioner_extension x;
    bool present;

    (void)state;
    world_start(true);
    struct cert *c = issue();
    assert_slice(dn_text(A, &c->subject), "CN=foo.test");
    assert_int_equal(c->key_usage, KU_DIGITAL_SIGNATURE);
    assert_int_equal(c->n_eku, 2);
    assert_true(slice_eq(c->eku[0], oid_slice(&OID_EKU_SERVER)));
    assert_true(slice_eq(c->eku[1], oid_slice(&OID_EKU_CLIENT)));
    assert_false(c->has_basic && c->basic.ca);
    assert_int_equal(c->sans.n, 1);
    assert_slice(c->sans.v[0].text, "foo.test");
    assert_int_equal(c->extensions.n, COUNT_OF(ORDER));
    for (size_t i = 0; i < COUNT_OF(ORDER); i++)
        assert_true(slice_eq(c->extensions.v[i].oid, oid_slice(ORDER[i])));
    assert_true(cert_provisioner(A, c, &x, &present));
    assert_int_equal(x.type, 1);
    assert_slice(x.name, "ops");
    assert_true(slice_eq(x.credential_id, W.ops.kid));
    assert_true(c->serial.n > 14 && c->serial.n <= 20);
    assert_true(key_eq(c->key, KEY->public_key));
    cert_list_add(A, &rules.anchors, W.root);
    cert_list_add(A, &rules.intermediates, W.inter);
    ok(chain_verify(A, c, &rules, NULL, e));
}

static void rsa_keys_may_encipher(void **state)
{
    (void)state;
    KEY = key_new(KEY_RSA, 2048);
    world_start(true);
    assert_int_equal(issue()->key_usage, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
}

/* Seconds from now of notBefore and notAfter, or the refusal. */
static void validity_is_computed_and_limited(void **state)
{
    static const struct {
        const char *not_before, *not_after;
        int64_t begin, end;
        enum err_kind kind;
    } ROWS[] = {
        {"", "", -60, 86400, ERR_NONE},
        {"", "2h", -60, 7200, ERR_NONE},
        {"1h", "", 3600, 3600 + 86400, ERR_NONE},
        {"1h", "1h", 3600, 7200, ERR_NONE}, /* counts from notBefore */
        {"-10m", "", -600, -600 + 86400, ERR_NONE},
        {"", "2026-02-03T12:20:30Z", -60, 7200, ERR_NONE},
        {"2026-02-03T10:20:30Z", "2026-02-03T11:20:30+00:00", 0, 3600, ERR_NONE},
        {"", "24h", -60, 86400, ERR_NONE},
        {"", "5m", -60, 300, ERR_NONE},
        {"", "4m", -60, 240, ERR_NONE}, /* five minutes with the backdating */
        {"0s", "4m", 0, 0, ERR_FORBIDDEN},
        {"", "1m", 0, 0, ERR_FORBIDDEN},
        {"", "25h", 0, 0, ERR_FORBIDDEN},
        {"", "24h1s", 0, 0, ERR_FORBIDDEN},
        {"0s", "24h1m", 0, 86460, ERR_NONE}, /* the maximum has room for the backdating */
        {"0s", "24h61s", 0, 0, ERR_FORBIDDEN},
        {"-2h", "1h", 0, 0, ERR_MALFORMED}, /* past */
        {"", "-1s", 0, 0, ERR_MALFORMED},
        {"2h", "-1h", 0, 0, ERR_MALFORMED}, /* ends before it begins */
        {"", "2020-01-01T00:00:00Z", 0, 0, ERR_MALFORMED},
    };

    (void)state;
    world_start(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct validity_wish wish = wish_of(ROWS[i].not_before, ROWS[i].not_after);
        struct work w = work_new();
        struct cert *c = NULL;
        bool good = sign_for(&w, usual_grant(&w), &wish, &c);
        if (good != !ROWS[i].kind || w.err.kind != ROWS[i].kind ||
            (good && (c->not_before.sec - NOW_SEC != ROWS[i].begin ||
                      c->not_after.sec - NOW_SEC != ROWS[i].end)))
            fail_msg("row %zu (%s, %s): %s", i, ROWS[i].not_before, ROWS[i].not_after, w.err.text);
    }
    struct work w = work_new();
    struct validity_wish wish = wish_of("0s", "1m");
    struct cert *c;
    work_refused(&w, sign_for(&w, usual_grant(&w), &wish, &c), ERR_FORBIDDEN, "1m0s");
    work_refused(&w, sign_for(&w, usual_grant(&w), &wish, &c), ERR_FORBIDDEN, "5m0s");
}

static void a_fraction_of_a_second_is_cut(void **state)
{
    (void)state;
    world_start(true);
    test_now.nsec = 999999999;
    struct cert *c = issue();
    assert_int_equal(c->not_before.sec, NOW_SEC - 60);
    assert_int_equal(c->not_after.sec, NOW_SEC + 86400);
}

static void without_backdating_the_length_is_exact(void **state)
{
    (void)state;
    json_change(world_authority(), "backdate", "\"0s\"");
    world_start(true);
    struct cert *c = issue();
    assert_int_equal(c->not_before.sec, NOW_SEC);
    assert_int_equal(c->not_after.sec, NOW_SEC + 86400);
}

static void claims_of_the_provisioner_count(void **state)
{
    struct validity_wish wish;
    struct cert *c = NULL;
    struct work w;

    (void)state;
    json_change(world_provisioner(0), "claims",
                "{\"minTLSCertDuration\":\"1m\",\"defaultTLSCertDuration\":\"2h\","
                "\"maxTLSCertDuration\":\"3h\",\"disableSmallstepExtensions\":true}");
    world_start(true);
    c = issue();
    assert_int_equal(c->not_after.sec, NOW_SEC + 7200);
    assert_null(extensions_get(&c->extensions, &OID_EXT_PROVISIONER));
    w = work_new();
    wish = wish_of("", "4h");
    work_refused(&w, sign_for(&w, usual_grant(&w), &wish, &c), ERR_FORBIDDEN, "3h");
}

/* X5C: the certificate stays within the credential. */
static void limited_grants_stay_inside(void **state)
{
    static const struct {
        const char *not_before, *not_after;
        int64_t begin, end;
        enum err_kind kind;
    } ROWS[] = {
        {"", "", -60, 7200, ERR_NONE}, /* the default is cut */
        {"", "1h", -60, 3600, ERR_NONE},     {"", "2h", -60, 7200, ERR_NONE},
        {"", "2h1s", 0, 0, ERR_FORBIDDEN},   {"-1h", "2h", -3600, 3600, ERR_NONE},
        {"-61m", "2h", 0, 0, ERR_FORBIDDEN},
    };

    (void)state;
    world_start(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct validity_wish wish = wish_of(ROWS[i].not_before, ROWS[i].not_after);
        struct work w = work_new();
        struct grant *g = usual_grant(&w);
        struct cert *c = NULL;
        g->x509.limited = true;
        g->x509.not_before_floor = instant_sec(NOW_SEC - 3600);
        g->x509.not_after_ceiling = instant_sec(NOW_SEC + 7200);
        bool good = sign_for(&w, g, &wish, &c);
        if (good != !ROWS[i].kind || w.err.kind != ROWS[i].kind ||
            (good && (c->not_before.sec - NOW_SEC != ROWS[i].begin ||
                      c->not_after.sec - NOW_SEC != ROWS[i].end)))
            fail_msg("row %zu: %s", i, w.err.text);
    }
}

static void no_leaf_outlives_its_issuer(void **state)
{
    struct x509_leaf leaf = ca_leaf(W.int_key, "Test Intermediate");
    struct validity_wish none = {0};
    struct cert *c;
    struct work w;

    (void)state;
    leaf.not_after = instant_sec(NOW_SEC + 3600);
    world_intermediate(&leaf);
    world_start(true);
    assert_int_equal(issue()->not_after.sec, NOW_SEC + 3600);
    for (int64_t later = 3600; later < 10000000000; later *= 10) { /* the last one: year 2343 */
        struct validity_wish wish = {
            .not_before = {.set = true, .at = instant_sec(NOW_SEC + later)}};
        w = work_new();
        work_refused(&w, sign_for(&w, usual_grant(&w), &wish, &c), ERR_FORBIDDEN,
                     "end of the issuing chain");
    }
    test_now = instant_sec(NOW_SEC + 7200);
    w = work_new();
    work_refused(&w, sign_for(&w, usual_grant(&w), &none, &c), ERR_INTERNAL, "chain ended");
}

static void names_obey_the_issuers_constraints(void **state)
{
    /* permittedSubtrees: dNSName "test" (RFC 5280 4.2.1.10). */
    static const uint8_t PERMITTED[] = {0x30, 0x0a, 0xa0, 0x08, 0x30, 0x06,
                                        0x82, 0x04, 't',  'e',  's',  't'};
    struct x509_leaf leaf = ca_leaf(W.int_key, "Test Intermediate");
    struct validity_wish none = {0};
    struct json *claims;
    struct cert *c;
    struct work w;

    (void)state;
    leaf.name_constraints = slice_of(PERMITTED, sizeof(PERMITTED));
    leaf.name_constraints_critical = true;
    world_intermediate(&leaf);
    world_start(true);
    assert_non_null(issue());
    w = work_new();
    claims = ops_claims();
    json_change(claims, "sans", "[\"foo.test\",\"foo.example\"]");
    work_refused(&w, sign_for(&w, granted(&w, claims), &none, &c), ERR_FORBIDDEN, "foo.example");
    assert_int_equal(w.batch.n, 1); /* only the token */
    /* The CA's own names are checked at start. */
    json_change(W.config, "dnsNames", "[\"ca.example\"]");
    refused(world_core(e), ERR_FORBIDDEN, "ca.example");
}

static void the_request_obeys_the_token(void **state)
{
    static const char *const EXTRA[] = {"foo.test", "bar.test", NULL}, *const NONE[] = {NULL};
    struct validity_wish none = {0};
    struct issued_cert out;
    struct work w;

    (void)state;
    world_start(true);
    w = work_new();
    struct grant *g = usual_grant(&w);
    work_refused(&w, sign_x509(&w, g, csr_new(KEY, "foo.test", EXTRA), &none, NULL, &out),
                 ERR_FORBIDDEN, "bar.test");
    work_refused(&w, sign_x509(&w, g, csr_new(KEY, "bar.test", NONE), &none, NULL, &out),
                 ERR_FORBIDDEN, "bar.test");
    work_refused(
        &w, sign_x509(&w, g, csr_new(key_new(KEY_RSA, 1024), "foo.test", NONE), &none, NULL, &out),
        ERR_FORBIDDEN, "2048");
    assert_int_equal(w.batch.n, 1);
}

/* Whatever else the request asks for does not survive. */
static void extensions_of_the_request_are_ignored(void **state)
{
    static const uint8_t CA_TRUE[] = {0x30, 0x03, 0x01, 0x01, 0xff};
    struct extension asked[] = {
        {oid_slice(&OID_EXT_BASIC), true, slice_of(CA_TRUE, sizeof(CA_TRUE))},
        {oid_slice(&OID_EXT_PROVISIONER), false, slice_of(CA_TRUE, sizeof(CA_TRUE))}};
    struct csr_wish csr_wish = {.common_name = SLICE("foo.test"),
                                .extra = {.v = asked, .n = COUNT_OF(asked)}};
    struct validity_wish none = {0};
    struct issued_cert out;
    struct slice der;
    struct csr *csr;
    struct cert *c;
    struct work w;

    (void)state;
    world_start(true);
    ok(csr_make(A, &csr_wish, signer_local(A, KEY, "test"), &der, e));
    ok(csr_read(A, der, &csr, e));
    w = work_new();
    work_ok(&w, sign_x509(&w, usual_grant(&w), csr, &none, NULL, &out));
    ok(cert_read(A, out.der, &c, e));
    assert_false(c->has_basic);
    assert_int_equal(c->extensions.n, 6);
    const struct extension *x = extensions_get(&c->extensions, &OID_EXT_PROVISIONER);
    assert_false(slice_eq(x->value, slice_of(CA_TRUE, sizeof(CA_TRUE))));
}

static void subject_defaults_fill_what_is_empty(void **state)
{
    (void)state;
    json_change(world_authority(), "template",
                "{\"country\":\"DE\",\"organization\":\"Example\",\"organizationalUnit\":\"U\","
                "\"locality\":\"L\",\"province\":\"P\",\"streetAddress\":\"S\",\"serialNumber\":"
                "\"7\",\"commonName\":\"unused\"}");
    world_start(true);
    struct cert *c = issue();
    assert_slice(dn_get(&c->subject, &OID_C), "DE");
    assert_slice(dn_get(&c->subject, &OID_O), "Example");
    assert_slice(dn_get(&c->subject, &OID_OU), "U");
    assert_slice(dn_get(&c->subject, &OID_L), "L");
    assert_slice(dn_get(&c->subject, &OID_ST), "P");
    assert_slice(dn_get(&c->subject, &OID_STREET), "S");
    assert_slice(dn_get(&c->subject, &OID_SERIAL_NUMBER), "7");
    assert_slice(dn_common_name(&c->subject), "foo.test");
}

static void a_forced_common_name_is_the_first_dns_name(void **state)
{
    static const char *const NONE[] = {NULL};
    struct validity_wish none = {0};
    struct issued_cert out;
    struct work w;
    struct slice names[] = {SLICE("10.0.0.1"), SLICE("b.test"), SLICE("a.test")};

    (void)state;
    world_start(true);
    w = work_new();
    struct grant *g = usual_grant(&w);
    g->x509.n_rules = 0;
    g->x509.subject.common_name = SLICE_NONE;
    g->x509.force_cn = true;
    sans_split(A, names, 3, &g->x509.sans);
    work_ok(&w, sign_x509(&w, g, csr_new(KEY, "", NONE), &none, NULL, &out));
    assert_slice(out.common_name, "b.test");
    sans_split(A, names, 1, &g->x509.sans);
    work_refused(&w, sign_x509(&w, g, csr_new(KEY, "", NONE), &none, NULL, &out), ERR_MALFORMED,
                 "common name");
}

static void what_no_certificate_can_carry_is_the_requesters_mistake(void **state)
{
    static const char *const BAD[] = {"\"a\\u0000b\"", "\"b\\u00fccher.test\""};
    struct validity_wish none = {0};
    struct issued_cert out;

    (void)state;
    world_start(true);
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        struct work w = work_new();
        struct json *claims = ops_claims();
        json_change(claims, "sub", BAD[i]);
        struct grant *g = granted(&w, claims);
        work_refused(&w, sign_x509(&w, g, csr_new(KEY, "", NULL), &none, NULL, &out), ERR_MALFORMED,
                     "");
    }
}

static void what_is_issued_is_recorded(void **state)
{
    (void)state;
    world_start(true);
    struct cert *c = issued_to(KEY, "j1", NULL);
    struct slice serial = serial_decimal(A, c->serial);
    assert_true(slice_eq(stored(TABLE_X509_CERTS, serial), c->der));
    assert_slice(stored(TABLE_X509_CERTS_DATA, serial),
                 arena_printf(A,
                              "{\"provisioner\":{\"id\":\"ops:%.*s\",\"name\":\"ops\",\"type\":"
                              "\"JWK\"}}",
                              SLICE_ARG(W.ops.kid)));
}

static bool take_row(const struct inventory_row *row, void *arg)
{
    struct cert *c = arg;

    assert_slice(row->common_name, "foo.test");
    assert_slice(row->names, "dns:foo.test");
    assert_slice(row->key_type, "ECDSA P-256");
    assert_slice(row->provisioner_name, "ops");
    assert_slice(row->provisioner_type, "JWK");
    assert_true(slice_eq(row->fingerprint, cert_fingerprint(A, c->der)));
    assert_int_equal(row->not_after, c->not_after.sec);
    assert_int_equal(row->issued_at, NOW_SEC);
    assert_int_equal(row->revoked_at, 0);
    return true;
}

static void the_inventory_knows_it(void **state)
{
    struct inventory_query query = {0};

    (void)state;
    world_start(true);
    struct cert *c = issued_to(KEY, "j1", NULL);
    query.serial = serial_decimal(A, c->serial);
    ok(W.s.store->ops->inventory(W.s.store, &query, take_row, c, DEADLINE_NONE, e));
}

static void without_a_database_only_the_token_is_kept(void **state)
{
    (void)state;
    json_change(W.config, "db", NULL);
    world_start(false);
    struct cert *c = issued_to(KEY, "j1", NULL);
    assert_null(stored(TABLE_X509_CERTS, serial_decimal(A, c->serial)).p);
    assert_non_null(stored(TABLE_USED_OTT, SLICE("j1")).p);
}

static void an_ra_leaves_its_mark_in_the_record(void **state)
{
    struct validity_wish none = {0};
    struct json *claims;
    struct cert *c = NULL;
    struct work w;

    (void)state;
    world_start(true);
    w = work_new();
    claims = ops_claims();
    json_change(claims, "step",
                "{\"ra\":{\"provisionerName\":\"p\",\"authorityId\":\"a\",\"other\":\"x\","
                "\"endpointId\":5}}");
    work_ok(&w, sign_for(&w, granted(&w, claims), &none, &c));
    work_ok(&w, work_commit(&w));
    struct slice data = stored(TABLE_X509_CERTS_DATA, serial_decimal(A, c->serial));
    assert_true(slice_ends(data, ",\"ra\":{\"authorityId\":\"a\",\"provisionerName\":\"p\"}}"));
}

#define SIGN_TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGN_TEST(the_default_certificate),
        SIGN_TEST(rsa_keys_may_encipher),
        SIGN_TEST(validity_is_computed_and_limited),
        SIGN_TEST(a_fraction_of_a_second_is_cut),
        SIGN_TEST(without_backdating_the_length_is_exact),
        SIGN_TEST(claims_of_the_provisioner_count),
        SIGN_TEST(limited_grants_stay_inside),
        SIGN_TEST(no_leaf_outlives_its_issuer),
        SIGN_TEST(names_obey_the_issuers_constraints),
        SIGN_TEST(the_request_obeys_the_token),
        SIGN_TEST(extensions_of_the_request_are_ignored),
        SIGN_TEST(subject_defaults_fill_what_is_empty),
        SIGN_TEST(a_forced_common_name_is_the_first_dns_name),
        SIGN_TEST(what_no_certificate_can_carry_is_the_requesters_mistake),
        SIGN_TEST(what_is_issued_is_recorded),
        SIGN_TEST(the_inventory_knows_it),
        SIGN_TEST(without_a_database_only_the_token_is_kept),
        SIGN_TEST(an_ra_leaves_its_mark_in_the_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
