/* Renewal and rekeying: who may, and what comes out. */
#include "authority_testing.h"

static struct private_key *KEY;

static int setup(void **state)
{
    if (world_begin(state) != 0)
        return -1;
    KEY = key_new(KEY_P256, 0);
    return 0;
}

static struct slice oid_slice(const struct oid *oid)
{
    return slice_of(oid->p, oid->n);
}

/* authorize_renewal and renew_x509 as one. */
static bool renew(struct work *w, struct cert *old, const struct key *key, struct cert **c)
{
    struct issued_cert out;
    struct renewal r;

    *w = work_new();
    if (!authorize_renewal(w, old, &r) || !renew_x509(w, &r, key, &out))
        return false;
    ok(cert_read(A, out.der, c, e));
    return true;
}

/* A leaf with the extension of provisioner `name` that nobody wrote down. */
static struct x509_leaf unrecorded_leaf(const char *name)
{
    struct x509_leaf leaf = leaf_new(KEY, "foo.test");
    struct buf b = buf_new(A, 4096);
    struct provisioner_extension x = {.type = 1, .name = slice_text(name)};

    use_for(&leaf, &OID_EKU_CLIENT);
    if (name) {
        provisioner_extension_put(&b, &x);
        leaf.provisioner = buf_slice(&b);
    }
    return leaf;
}

/* --- What comes out ------------------------------------------------------------------------------
 */

static void a_renewed_certificate_is_the_old_one_later(void **state)
{
    struct cert *old, *c = NULL;
    struct work w;

    (void)state;
    json_change(world_authority(), "template", "{\"organization\":\"Example\"}");
    world_start(true);
    old = issued_to(KEY, "j1", "2h");
    test_now = instant_sec(NOW_SEC + 3600);
    work_ok(&w, renew(&w, old, NULL, &c));
    work_ok(&w, work_commit(&w));
    assert_true(slice_eq(c->subject.raw, old->subject.raw));
    assert_true(key_eq(c->key, old->key));
    assert_false(slice_eq(c->serial, old->serial));
    assert_int_equal(c->not_before.sec, NOW_SEC + 3600 - 60);
    assert_int_equal(instant_sub(c->not_after, c->not_before),
                     instant_sub(old->not_after, old->not_before));
    /* AKI first, then the old ones as they stood. */
    assert_int_equal(c->extensions.n, old->extensions.n);
    assert_true(slice_eq(c->extensions.v[0].oid, oid_slice(&OID_EXT_AKI)));
    size_t k = 1;
    for (size_t i = 0; i < old->extensions.n; i++) {
        if (slice_eq(old->extensions.v[i].oid, oid_slice(&OID_EXT_AKI)))
            continue;
        assert_true(slice_eq(c->extensions.v[k++].raw, old->extensions.v[i].raw));
    }
    ok(cert_signed_by(c, W.inter, e));
    struct slice serial = serial_decimal(A, c->serial);
    assert_true(slice_eq(stored(TABLE_X509_CERTS, serial), c->der));
    assert_true(slice_eq(stored(TABLE_X509_CERTS_DATA, serial),
                         stored(TABLE_X509_CERTS_DATA, serial_decimal(A, old->serial))));
}

static void a_rekeyed_certificate_has_the_new_key(void **state)
{
    struct private_key *fresh = key_new(KEY_P384, 0);
    struct cert *old, *c = NULL;
    struct work w;

    (void)state;
    world_start(true);
    old = issued_to(KEY, "j1", NULL);
    work_ok(&w, renew(&w, old, fresh->public_key, &c));
    assert_true(key_eq(c->key, fresh->public_key));
    assert_true(slice_eq(c->ski, slice_of(fresh->public_key->ski, 20)));
    assert_true(slice_eq(c->extensions.v[0].oid, oid_slice(&OID_EXT_SKI)));
    assert_true(slice_eq(c->extensions.v[1].oid, oid_slice(&OID_EXT_AKI)));
    assert_int_equal(c->extensions.n, old->extensions.n);
    assert_true(slice_eq(c->subject.raw, old->subject.raw));
    work_refused(&w, renew(&w, old, key_new(KEY_RSA, 1024)->public_key, &c), ERR_FORBIDDEN, "2048");
}

static void a_new_issuer_takes_over(void **state)
{
    struct cert *old, *c = NULL;
    struct work w;

    (void)state;
    world_start(true);
    old = issued_to(KEY, "j1", NULL);
    W.int_key = key_new(KEY_P384, 0);
    world_put_key("int.key", W.int_key);
    world_intermediate(NULL);
    world_load();
    work_ok(&w, renew(&w, old, NULL, &c));
    assert_true(slice_eq(c->aki, W.inter->ski));
    assert_false(slice_eq(c->aki, old->aki));
    ok(cert_signed_by(c, W.inter, e));
}

static void the_length_has_room_for_the_backdating(void **state)
{
    struct x509_leaf leaf = unrecorded_leaf("ops");
    struct cert *c = NULL;
    struct work w;

    (void)state;
    world_start(true);
    leaf.not_before = instant_sec(NOW_SEC);
    leaf.not_after = instant_sec(NOW_SEC + 60);
    work_refused(&w, renew(&w, foreign_leaf(&leaf), NULL, &c), ERR_INTERNAL, "backdate");
    leaf.not_after = instant_sec(NOW_SEC + 61);
    work_ok(&w, renew(&w, foreign_leaf(&leaf), NULL, &c));
    assert_int_equal(c->not_after.sec, NOW_SEC + 1);
}

static void limits_and_constraints(void **state)
{
    static const uint8_t PERMITTED[] = {0x30, 0x0a, 0xa0, 0x08, 0x30, 0x06,
                                        0x82, 0x04, 't',  'e',  's',  't'};
    struct x509_leaf leaf = unrecorded_leaf("ops"), ca = ca_leaf(W.int_key, "Test Intermediate");
    struct slice names[] = {SLICE("foo.example")};
    struct cert *c = NULL;
    struct work w;

    (void)state;
    world_start(true);
    /* The provisioner's maximum is not asked again. */
    leaf.not_after = instant_sec(NOW_SEC + 100 * 86400);
    sans_split(A, names, 1, &leaf.sans);
    work_ok(&w, renew(&w, foreign_leaf(&leaf), NULL, &c));
    assert_int_equal(c->not_after.sec, NOW_SEC + 100 * 86400 + 3600 - 60);
    /* The end of the chain is, and so are name constraints. */
    ca.not_after = instant_sec(NOW_SEC + 86400);
    world_intermediate(&ca);
    world_load();
    work_ok(&w, renew(&w, foreign_leaf(&leaf), NULL, &c));
    assert_int_equal(c->not_after.sec, NOW_SEC + 86400);
    ca.name_constraints = slice_of(PERMITTED, sizeof(PERMITTED));
    world_intermediate(&ca);
    world_load();
    work_refused(&w, renew(&w, foreign_leaf(&leaf), NULL, &c), ERR_FORBIDDEN, "foo.example");
}

/* --- Who may
 * -------------------------------------------------------------------------------------- */

static void revoked_certificates_are_refused(void **state)
{
    struct cert *old, *c;
    struct work w;

    (void)state;
    world_start(true);
    old = issued_to(KEY, "j1", NULL);
    struct revocation r = {.serial = serial_decimal(A, old->serial), .cert = old};
    w = work_new();
    work_ok(&w, revoke_x509(&w, &r));
    work_ok(&w, work_commit(&w));
    work_refused(&w, renew(&w, old, NULL, &c), ERR_UNAUTHORIZED, "revoked");
}

static void revoke_now(struct cert *c)
{
    struct revocation r = {.serial = serial_decimal(A, c->serial), .cert = c};
    struct work w = work_new();

    work_ok(&w, revoke_x509(&w, &r));
    work_ok(&w, work_commit(&w));
}

/* Everything was looked at and signed when the revocation came. */
static void a_revocation_before_the_commit_is_not_overtaken(void **state)
{
    struct private_key *fresh = key_new(KEY_P384, 0);

    (void)state;
    world_start(true);
    for (int rekey = 0; rekey < 2; rekey++) {
        struct cert *old = issued_to(KEY, rekey ? "j2" : "j1", NULL), *c = NULL;
        struct work w;
        work_ok(&w, renew(&w, old, rekey ? fresh->public_key : NULL, &c));
        revoke_now(old);
        work_refused(&w, work_commit(&w), ERR_UNAUTHORIZED, " is revoked");
        assert_false(stored(TABLE_X509_CERTS, serial_decimal(A, c->serial)).p != NULL);
    }
}

static void claims_decide_about_time(void **state)
{
    static const struct {
        const char *claims;
        int64_t at; /* seconds from notBefore (negative) or notAfter */
        const char *says;
        bool aloud;
    } ROWS[] = {
        {"{}", -1, "not valid before", false},
        {"{}", 0, NULL, false},
        {"{}", 1, "expired on 2026-02-04T10:20:30Z", true},
        {"{\"allowRenewalAfterExpiry\":true}", 1, NULL, false},
        {"{\"allowRenewalAfterExpiry\":true}", 86400 * 365, NULL, false},
        {"{\"allowRenewalAfterExpiry\":true}", -1, "not valid before", false},
        {"{\"disableRenewal\":true}", 0, "disabled", false},
    };
    struct cert *c;

    (void)state;
    world_services(true);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct x509_leaf leaf = unrecorded_leaf("ops");
        struct work w;
        test_now = instant_sec(NOW_SEC);
        json_change(world_provisioner(0), "claims", ROWS[i].claims);
        world_load();
        struct cert *old = foreign_leaf(&leaf);
        test_now.sec =
            ROWS[i].at < 0 ? old->not_before.sec + ROWS[i].at : old->not_after.sec + ROWS[i].at;
        bool good = renew(&w, old, NULL, &c);
        if (good != !ROWS[i].says ||
            (!good && (w.err.kind != ERR_UNAUTHORIZED || !strstr(w.err.text, ROWS[i].says) ||
                       w.err.tell != ROWS[i].aloud)))
            fail_msg("row %zu: %s", i, w.err.text);
    }
}

static void the_provisioner_must_be_there(void **state)
{
    struct x509_leaf leaf = unrecorded_leaf("gone");
    struct cert *c;
    struct work w;

    (void)state;
    world_start(true);
    work_refused(&w, renew(&w, foreign_leaf(&leaf), NULL, &c), ERR_UNAUTHORIZED, "not configured");
    json_change(world_provisioner(0), "claims", "{\"maxTLSCertDuration\":\"1m\"}");
    world_load();
    leaf = unrecorded_leaf("ops");
    work_refused(&w, renew(&w, foreign_leaf(&leaf), NULL, &c), ERR_UNAUTHORIZED, "disabled");
    assert_true(w.err.tell);
}

static void an_unreadable_extension_is_no_provisioner(void **state)
{
    struct x509_leaf leaf = unrecorded_leaf(NULL);
    struct cert *c;
    struct work w;

    (void)state;
    world_start(true);
    leaf.provisioner = SLICE("\x04\x01x");
    work_refused(&w, renew(&w, foreign_leaf(&leaf), NULL, &c), ERR_UNAUTHORIZED, "not configured");
}

/* The record survives a rename, the extension does not. */
static void the_record_names_the_provisioner_first(void **state)
{
    struct x509_leaf leaf = unrecorded_leaf("gone");
    struct issued row = {.data = SLICE("{\"provisioner\":{\"id\":\"x5c/edge\",\"name\":\"gone\","
                                       "\"type\":\"X5C\"}}")};
    struct cert *old, *c;
    struct renewal r;
    struct work w;

    (void)state;
    world_start(true);
    old = foreign_leaf(&leaf);
    row.serial = serial_decimal(A, old->serial);
    row.der = old->der;
    w = work_new();
    batch_issue(&w.batch, &row);
    work_ok(&w, work_commit(&w));
    w = work_new();
    work_ok(&w, authorize_renewal(&w, old, &r));
    assert_slice(r.by->name, "edge");
    work_ok(&w, renew(&w, old, NULL, &c));
}

static void without_the_extension_the_global_claims_count(void **state)
{
    struct x509_leaf leaf = unrecorded_leaf(NULL);
    struct renewal r;
    struct cert *c;
    struct work w;

    (void)state;
    world_start(true);
    w = work_new();
    work_ok(&w, authorize_renewal(&w, foreign_leaf(&leaf), &r));
    assert_null(r.by);
    work_ok(&w, renew(&w, foreign_leaf(&leaf), NULL, &c));
    assert_null(extensions_get(&c->extensions, &OID_EXT_PROVISIONER));
}

static void ca_certificates_are_not_renewed(void **state)
{
    struct renewal r;
    struct work w;

    (void)state;
    world_start(true);
    w = work_new();
    work_refused(&w, authorize_renewal(&w, W.inter, &r), ERR_UNAUTHORIZED, "CA certificate");
}

/* --- Renew tokens
 * --------------------------------------------------------------------------------- */

static struct json *renew_claims(void)
{
    struct json *c = json_of("{\"iss\":\"step-ca-client/1.0\",\"sub\":\"foo.test\",\"aud\":"
                             "\"https://ca.test:9000/renew\"}");

    json_set_exact(c, A, "iat", json_make_int(A, test_now.sec));
    json_set_exact(c, A, "nbf", json_make_int(A, test_now.sec));
    json_set_exact(c, A, "exp", json_make_int(A, test_now.sec + 300));
    return c;
}

static struct slice renew_token(struct cert *leaf, const struct private_key *key,
                                const struct json *claims)
{
    struct slice der = base64_text(A, BASE64_STD, leaf->der);
    struct slice inter = base64_text(A, BASE64_STD, W.inter->der);

    return token_sign(key, JWS_ES256,
                      arena_printf(A, "{\"alg\":\"ES256\",\"x5cInsecure\":[\"%.*s\",\"%.*s\"]}",
                                   SLICE_ARG(der), SLICE_ARG(inter)),
                      claims);
}

static bool judge_token(struct work *w, struct slice token)
{
    struct renewal r;

    *w = work_new();
    return authorize_renew_token(w, token, &r);
}

static void a_renew_token_counts_once(void **state)
{
    struct slice token;
    struct renewal r;
    struct work w;

    (void)state;
    world_start(true);
    struct cert *old = issued_to(KEY, "j1", NULL);
    token = renew_token(old, KEY, renew_claims());
    w = work_new();
    work_ok(&w, authorize_renew_token(&w, token, &r));
    assert_slice(r.by->name, "ops");
    assert_true(slice_eq(r.cert->der, old->der));
    work_ok(&w, work_commit(&w));
    assert_true(judge_token(&w, token));
    work_refused(&w, work_commit(&w), ERR_UNAUTHORIZED, "already used");
    /* jti plays no role: another text is another token. */
    struct json *c = renew_claims();
    json_change(c, "x", "1");
    assert_true(judge_token(&w, renew_token(old, KEY, c)));
    work_ok(&w, work_commit(&w));
}

static void a_renew_token_is_not_spent_when_a_revocation_comes_first(void **state)
{
    struct issued_cert out;
    struct renewal r;
    struct work w;

    (void)state;
    world_start(true);
    struct cert *old = issued_to(KEY, "j1", NULL);
    struct slice token = renew_token(old, KEY, renew_claims());
    w = work_new();
    work_ok(&w, authorize_renew_token(&w, token, &r) && renew_x509(&w, &r, NULL, &out));
    struct slice use = w.batch.first->key;
    revoke_now(old);
    work_refused(&w, work_commit(&w), ERR_UNAUTHORIZED, " is revoked");
    assert_false(stored(TABLE_X509_CERTS, out.serial).p != NULL);
    assert_false(stored(TABLE_USED_OTT, use).p != NULL);
}

static void an_expired_leaf_renews_by_token_where_allowed(void **state)
{
    struct work w;

    (void)state;
    json_change(world_provisioner(0), "claims", "{\"allowRenewalAfterExpiry\":true}");
    world_start(true);
    struct cert *old = issued_to(KEY, "j1", "1h");
    test_now = instant_sec(NOW_SEC + 10 * 86400);
    if (!judge_token(&w, renew_token(old, KEY, renew_claims())))
        fail_msg("%s", w.err.text);
    json_change(world_provisioner(0), "claims", NULL);
    world_load();
    assert_false(judge_token(&w, renew_token(old, KEY, renew_claims())));
    assert_non_null(strstr(w.err.text, "expired"));
    assert_true(w.err.tell);
}

static void bad_claims_of_renew_tokens(void **state)
{
    static const struct {
        const char *claim, *json, *says; /* NULL: fine */
    } ROWS[] = {
        {"iss", "\"ops\"", NULL}, /* old clients */
        {"aud", "[\"https://x.test/renew\",\"https://ca.test/1.0/renew\"]", NULL},
        {"exp", NULL, NULL},
        {"iss", "\"other\"", "issuer"},
        {"iss", NULL, "issuer"},
        {"sub", "\"bar.test\"", "subject"},
        {"sub", NULL, "subject"},
        {"aud", "\"https://ca.test/sign\"", "audience"},
        {"aud", "\"https://other.test/renew\"", "audience"},
        {"aud", NULL, "audience"},
        {"exp", "1", "expired"},
        {"nbf", "99999999999", "not valid before"},
        {"iat", "99999999999", "future"},
    };
    struct work w;

    (void)state;
    world_start(true);
    struct cert *old = issued_to(KEY, "j1", NULL);
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct json *c = renew_claims();
        json_change(c, ROWS[i].claim, ROWS[i].json);
        bool good = judge_token(&w, renew_token(old, KEY, c));
        if (good != !ROWS[i].says ||
            (!good && (w.err.kind != ERR_UNAUTHORIZED || !strstr(w.err.text, ROWS[i].says))))
            fail_msg("row %zu (%s): %s", i, ROWS[i].claim, w.err.text);
    }
}

static void bad_chains_of_renew_tokens(void **state)
{
    static const char *const HEADERS[] = {
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"x5cInsecure\":[]}",
        "{\"alg\":\"ES256\",\"x5cInsecure\":5}",
        "{\"alg\":\"ES256\",\"x5cInsecure\":[5]}",
        "{\"alg\":\"ES256\",\"x5cInsecure\":[\"AAAA\"]}",
    };
    struct x509_leaf leaf;
    struct work w;

    (void)state;
    world_start(true);
    for (size_t i = 0; i < COUNT_OF(HEADERS); i++) {
        assert_false(judge_token(&w, token_sign(KEY, JWS_ES256, HEADERS[i], renew_claims())));
        assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    }
    struct cert *old = issued_to(KEY, "j1", NULL);
    /* Another key signed. */
    assert_false(judge_token(&w, renew_token(old, W.ops_key, renew_claims())));
    assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    /* Another root. */
    leaf = unrecorded_leaf("ops");
    struct cert *stranger = cert_sign(&leaf, W.edge_key, W.edge_root);
    assert_false(judge_token(&w, renew_token(stranger, KEY, renew_claims())));
    assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    /* Not for client authentication, not for signing. */
    use_for(&leaf, &OID_EKU_SERVER);
    assert_false(judge_token(&w, renew_token(foreign_leaf(&leaf), KEY, renew_claims())));
    assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    leaf = unrecorded_leaf("ops");
    leaf.key_usage = KU_KEY_AGREEMENT;
    assert_false(judge_token(&w, renew_token(foreign_leaf(&leaf), KEY, renew_claims())));
    assert_non_null(strstr(w.err.text, "digitalSignature"));
    /* Without a provisioner mTLS would do, a token does not. */
    leaf = unrecorded_leaf(NULL);
    assert_false(judge_token(&w, renew_token(foreign_leaf(&leaf), KEY, renew_claims())));
    assert_int_equal(w.err.kind, ERR_UNAUTHORIZED);
    assert_int_equal(w.batch.n, 0);
    leaf = unrecorded_leaf("ops");
    assert_true(judge_token(&w, renew_token(foreign_leaf(&leaf), KEY, renew_claims())));
}

#define RENEW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RENEW_TEST(a_renewed_certificate_is_the_old_one_later),
        RENEW_TEST(a_rekeyed_certificate_has_the_new_key),
        RENEW_TEST(a_new_issuer_takes_over),
        RENEW_TEST(the_length_has_room_for_the_backdating),
        RENEW_TEST(limits_and_constraints),
        RENEW_TEST(revoked_certificates_are_refused),
        RENEW_TEST(a_revocation_before_the_commit_is_not_overtaken),
        RENEW_TEST(claims_decide_about_time),
        RENEW_TEST(the_provisioner_must_be_there),
        RENEW_TEST(an_unreadable_extension_is_no_provisioner),
        RENEW_TEST(the_record_names_the_provisioner_first),
        RENEW_TEST(without_the_extension_the_global_claims_count),
        RENEW_TEST(ca_certificates_are_not_renewed),
        RENEW_TEST(a_renew_token_counts_once),
        RENEW_TEST(a_renew_token_is_not_spent_when_a_revocation_comes_first),
        RENEW_TEST(an_expired_leaf_renews_by_token_where_allowed),
        RENEW_TEST(bad_claims_of_renew_tokens),
        RENEW_TEST(bad_chains_of_renew_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
