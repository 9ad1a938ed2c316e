/* Revocation, and the CRL that tells of it. */
#include "authority_testing.h"
#include "x509/crl.h"

static struct private_key *KEY;

static int setup(void **state)
{
    if (world_begin(state) != 0)
        return -1;
    KEY = key_new(KEY_P256, 0);
    json_change(W.config, "crl", "{\"enabled\":true,\"cacheDuration\":\"12h\"}");
    return 0;
}

static void revoke_serial(const char *serial, int code, const char *reason)
{
    struct revocation r = {
        .serial = slice_text(serial), .reason_code = code, .reason = slice_text(reason)};
    struct grant g = {.by = W.s.current->registry->all[0], .use_key = SLICE("k")};
    struct token t = {.jti = SLICE("k")};
    struct work w = work_new();

    g.token = &t;
    r.grant = &g;
    work_ok(&w, revoke_x509(&w, &r));
    work_ok(&w, work_commit(&w));
}

static struct crl generated(void)
{
    struct work w = work_new();
    struct instant next;
    struct crl crl = {0};
    struct slice der;

    work_ok(&w, crl_generate(&w));
    work_ok(&w, crl_load(&w, &der, &next));
    ok(crl_read(A, der, &crl, e));
    ok(crl_signed_by(&crl, W.inter, e));
    assert_int_equal(next.sec, crl.next_update.sec);
    return crl;
}

static void the_record_tells_who_when_and_why(void **state)
{
    (void)state;
    world_start(true);
    test_now.nsec = 123456789;
    revoke_serial("4711", 1, "lost <it>");
    assert_slice(
        stored(TABLE_REVOKED_X509_CERTS, SLICE("4711")),
        arena_printf(A,
                     "{\"Serial\":\"4711\",\"ProvisionerID\":\"ops:%.*s\",\"ReasonCode\":1,"
                     "\"Reason\":\"lost \\u003cit\\u003e\",\"RevokedAt\":"
                     "\"2026-02-03T10:20:30.123456789Z\",\"ExpiresAt\":"
                     "\"0001-01-01T00:00:00Z\",\"TokenID\":\"k\",\"MTLS\":false,"
                     "\"ACME\":false}",
                     SLICE_ARG(W.ops.kid)));
}

static void the_end_of_a_known_certificate_is_noted(void **state)
{
    struct work w;

    (void)state;
    world_start(true);
    struct cert *c = issued_to(KEY, "j1", "2h");
    struct slice serial = serial_decimal(A, c->serial);
    struct revocation r = {.serial = serial, .cert = c};
    w = work_new();
    work_ok(&w, revoke_x509(&w, &r));
    work_ok(&w, work_commit(&w));
    const struct json *v = json_of(arena_cstr(A, stored(TABLE_REVOKED_X509_CERTS, serial)));
    assert_slice(json_text(json_get_exact(v, "ExpiresAt")), "2026-02-03T12:20:30Z");
    assert_slice(json_text(json_get_exact(v, "ProvisionerID")),
                 arena_printf(A, "ops:%.*s", SLICE_ARG(W.ops.kid)));
    assert_slice(json_text(json_get_exact(v, "TokenID")), "");
    assert_true(json_get_exact(v, "MTLS")->truth);
    /* By serial alone it is looked up. */
    c = issued_to(KEY, "j2", "3h");
    serial = serial_decimal(A, c->serial);
    revoke_serial(arena_cstr(A, serial), 0, "");
    v = json_of(arena_cstr(A, stored(TABLE_REVOKED_X509_CERTS, serial)));
    assert_slice(json_text(json_get_exact(v, "ExpiresAt")), "2026-02-03T13:20:30Z");
}

static void nothing_is_revoked_twice(void **state)
{
    struct revocation r = {.serial = SLICE("4711")};
    struct work w;

    (void)state;
    world_start(true);
    revoke_serial("4711", 1, "first");
    struct slice before = stored(TABLE_REVOKED_X509_CERTS, SLICE("4711"));
    r.cert = W.inter;
    w = work_new();
    work_ok(&w, revoke_x509(&w, &r));
    work_refused(&w, work_commit(&w), ERR_MALFORMED, "already revoked");
    assert_true(slice_eq(stored(TABLE_REVOKED_X509_CERTS, SLICE("4711")), before));
}

static void revocation_needs_a_database(void **state)
{
    struct revocation r = {.serial = SLICE("4711")};
    struct work w;

    (void)state;
    json_change(W.config, "db", NULL);
    json_change(W.config, "crl", NULL);
    world_start(false);
    r.cert = W.inter;
    w = work_new();
    work_refused(&w, revoke_x509(&w, &r), ERR_NOT_IMPLEMENTED, "db");
}

/* --- The CRL ------------------------------------------------------------------------------------
 */

static void numbers_grow_from_zero(void **state)
{
    struct instant next;
    struct slice der;
    struct work w;

    (void)state;
    world_start(true);
    w = work_new();
    work_ok(&w, crl_load(&w, &der, &next));
    assert_null(der.p);
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(generated().number, i);
}

static void an_empty_list_has_its_extensions(void **state)
{
    static const struct oid *const ORDER[] = {&OID_EXT_AKI, &OID_EXT_CRL_NUMBER, &OID_EXT_IDP};

    (void)state;
    world_start(true);
    test_now.nsec = 999999999;
    struct crl crl = generated();
    assert_int_equal(crl.version, 2);
    assert_int_equal(crl.n, 0);
    assert_true(slice_eq(crl.issuer.raw, W.inter->subject.raw));
    assert_true(slice_eq(crl.aki, W.inter->ski));
    assert_int_equal(crl.this_update.sec, NOW_SEC);
    assert_int_equal(crl.next_update.sec, NOW_SEC + 12 * 3600);
    assert_int_equal(crl.extensions.n, COUNT_OF(ORDER));
    for (size_t i = 0; i < COUNT_OF(ORDER); i++)
        assert_true(slice_eq(crl.extensions.v[i].oid, slice_of(ORDER[i]->p, ORDER[i]->n)));
    const struct extension *idp = extensions_get(&crl.extensions, &OID_EXT_IDP);
    struct slice url = SLICE("https://ca.test/1.0/crl");
    assert_true(idp->critical);
    assert_int_equal(slice_search(idp->value, url), idp->value.n - url.n);
}

static void the_url_can_be_given(void **state)
{
    (void)state;
    json_change(W.config, "crl", "{\"enabled\":true,\"idpURL\":\"http://crl.test/x\"}");
    world_start(true);
    struct crl crl = generated();
    const struct extension *idp = extensions_get(&crl.extensions, &OID_EXT_IDP);
    assert_true(slice_search(idp->value, SLICE("http://crl.test/x")) < idp->value.n);
    assert_int_equal(crl.next_update.sec, NOW_SEC + 24 * 3600);
}

static const struct crl_entry *entry_of(const struct crl *crl, const char *serial)
{
    for (size_t i = 0; i < crl->n; i++) {
        if (slice_is(serial_decimal(A, crl->entries[i].serial), serial))
            return &crl->entries[i];
    }
    return NULL;
}

static void entries_have_time_and_reason(void **state)
{
    static const struct {
        const char *serial;
        int code, listed;
    } ROWS[] = {{"1", 0, 0},    {"255", 1, 1},
                {"4711", 4, 4}, {"340282366920938463463374607431768211455", 10, 10},
                {"7", 7, 0},  /* no such reason */
                {"8", 8, 0}}; /* only in delta CRLs */

    (void)state;
    world_start(true);
    test_now.nsec = 5;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++)
        revoke_serial(ROWS[i].serial, ROWS[i].code, "");
    struct crl crl = generated();
    assert_int_equal(crl.n, COUNT_OF(ROWS));
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const struct crl_entry *entry = entry_of(&crl, ROWS[i].serial);
        assert_non_null(entry);
        assert_int_equal(entry->reason, ROWS[i].listed);
        assert_int_equal(entry->at.sec, NOW_SEC);
    }
}

static void ended_certificates_leave_after_an_hour(void **state)
{
    (void)state;
    world_start(true);
    struct cert *c = issued_to(KEY, "j1", "1h");
    const char *serial = arena_cstr(A, serial_decimal(A, c->serial));
    revoke_serial(serial, 0, "");
    revoke_serial("4711", 0, ""); /* nobody knows when it ends: it stays */
    test_now = instant_sec(NOW_SEC + 7200);
    struct crl crl = generated();
    assert_non_null(entry_of(&crl, serial));
    test_now = instant_sec(NOW_SEC + 7201);
    crl = generated();
    assert_null(entry_of(&crl, serial));
    assert_non_null(entry_of(&crl, "4711"));
}

static void what_cannot_be_read_still_counts(void **state)
{
    static const char *const RECORDS[] = {"x", "[]", "{\"RevokedAt\":5}", "{\"ReasonCode\":\"1\"}"};
    struct work w;

    (void)state;
    world_start(true);
    for (size_t i = 0; i < COUNT_OF(RECORDS); i++) {
        w = work_new();
        batch_put(&w.batch, TABLE_REVOKED_X509_CERTS, arena_format(A, "%zu", i + 1),
                  slice_text(RECORDS[i]));
        work_ok(&w, work_commit(&w));
    }
    w = work_new();
    batch_put(&w.batch, TABLE_REVOKED_X509_CERTS, SLICE("no number"), SLICE("{}"));
    work_ok(&w, work_commit(&w));
    struct crl crl = generated();
    assert_int_equal(crl.n, COUNT_OF(RECORDS));
    assert_non_null(entry_of(&crl, "1"));
}

static void more_than_one_page_is_listed(void **state)
{
    struct work w;

    (void)state;
    world_start(true);
    w = work_new();
    for (size_t i = 1; i <= 2001; i++)
        batch_put(&w.batch, TABLE_REVOKED_X509_CERTS, arena_format(A, "%zu", i), SLICE("{}"));
    work_ok(&w, work_commit(&w));
    struct crl crl = generated();
    assert_int_equal(crl.n, 2001);
    assert_non_null(entry_of(&crl, "2001"));
}

static void an_issuer_without_crl_sign_makes_none(void **state)
{
    struct x509_leaf leaf = ca_leaf(W.int_key, "Test Intermediate");
    struct work w;

    (void)state;
    leaf.key_usage = KU_CERT_SIGN;
    world_intermediate(&leaf);
    world_start(true);
    w = work_new();
    work_refused(&w, crl_generate(&w), ERR_INTERNAL, "cRLSign");
}

static void a_broken_record_is_our_fault(void **state)
{
    struct instant next;
    struct slice der;
    struct work w;

    (void)state;
    world_start(true);
    w = work_new();
    batch_put(&w.batch, TABLE_X509_CRL, SLICE("crl"), SLICE("{\"Number\":\"x\"}"));
    work_ok(&w, work_commit(&w));
    work_refused(&w, crl_load(&w, &der, &next), ERR_INTERNAL, "CRL");
    work_refused(&w, crl_generate(&w), ERR_INTERNAL, "CRL");
}

static void without_the_switch_there_is_none(void **state)
{
    struct instant next;
    struct slice der;
    struct work w;

    (void)state;
    json_change(W.config, "crl", "{\"enabled\":false}");
    world_start(true);
    w = work_new();
    work_ok(&w, crl_generate(&w));
    work_ok(&w, crl_load(&w, &der, &next));
    assert_null(der.p);
}

static void the_stored_form(void **state)
{
    (void)state;
    world_start(true);
    struct crl crl = generated();
    const struct json *v = json_of(arena_cstr(A, stored(TABLE_X509_CRL, SLICE("crl"))));
    int64_t duration = 0;
    assert_true(json_int(json_get_exact(v, "Duration"), &duration));
    assert_int_equal(duration, 12 * 3600 * NS_PER_SEC);
    assert_slice(json_text(json_get_exact(v, "ExpiresAt")), "2026-02-03T22:20:30Z");
    struct slice der = base64_text(A, BASE64_STD, crl.der);
    assert_true(slice_eq(json_text(json_get_exact(v, "DER")), der));
}

#define REVOKE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REVOKE_TEST(the_record_tells_who_when_and_why),
        REVOKE_TEST(the_end_of_a_known_certificate_is_noted),
        REVOKE_TEST(nothing_is_revoked_twice),
        REVOKE_TEST(revocation_needs_a_database),
        REVOKE_TEST(numbers_grow_from_zero),
        REVOKE_TEST(an_empty_list_has_its_extensions),
        REVOKE_TEST(the_url_can_be_given),
        REVOKE_TEST(entries_have_time_and_reason),
        REVOKE_TEST(ended_certificates_leave_after_an_hour),
        REVOKE_TEST(what_cannot_be_read_still_counts),
        REVOKE_TEST(more_than_one_page_is_listed),
        REVOKE_TEST(an_issuer_without_crl_sign_makes_none),
        REVOKE_TEST(a_broken_record_is_our_fault),
        REVOKE_TEST(without_the_switch_there_is_none),
        REVOKE_TEST(the_stored_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
