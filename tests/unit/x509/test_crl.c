/* CRLs: made so that libcrypto reads and verifies them, read when libcrypto made them. */
#include "x509_test.h"

static struct crl_entry ENTRIES[] = {
    {.serial = {(const uint8_t *)"\xff", 1}, .at = {1767225600, 0}, .reason = 1},
    {.serial = {(const uint8_t *)"\x01\x23", 2}, .at = {1767225601, 0}},
    {.serial = {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                16},
     .at = {1767225602, 0},
     .reason = 10},
};

static struct crl_order order_new(void)
{
    return (struct crl_order){
        .number = 5,
        .this_update = at("2026-02-03T10:00:00Z"),
        .next_update = at("2026-02-04T10:00:00Z"),
        .entries = ENTRIES,
        .n = COUNT_OF(ENTRIES),
        .idp_url = SLICE("https://ca.example.internal/1.0/crl"),
    };
}

static X509_CRL *openssl_crl(struct slice der)
{
    const unsigned char *p = der.p;
    X509_CRL *c = d2i_X509_CRL(NULL, &p, (long)der.n);

    return c && p == der.p + der.n ? c : NULL;
}

static void made_lists_are_read_by_libcrypto_and_by_us(void **state)
{
    (void)state;
    static const enum key_type TYPES[] = {KEY_RSA, KEY_P256, KEY_P384, KEY_ED25519};

    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        struct issuer ca = ca_new(signer_new(TYPES[i], 2048), "CA", NULL);
        struct crl_order o = order_new();
        struct buf der = buf_new(A, CRL_MAX);
        struct crl crl;

        ok(crl_make(&o, &ca, &der, DEADLINE_NONE, e));
        X509_CRL *c = openssl_crl(buf_slice(&der));
        assert_non_null(c);
        X509 *issuer = openssl_cert(ca.chain.v[0]->der);
        assert_int_equal(X509_CRL_verify(c, X509_get0_pubkey(issuer)), 1);
        assert_int_equal(X509_CRL_get_version(c), 1);
        assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(c)), 3);
        ISSUING_DIST_POINT *idp =
            X509_CRL_get_ext_d2i(c, NID_issuing_distribution_point, NULL, NULL);
        assert_non_null(idp);
        ISSUING_DIST_POINT_free(idp);
        X509_free(issuer);
        X509_CRL_free(c);

        ok(crl_read(A, buf_slice(&der), &crl, e));
        ok(crl_signed_by(&crl, ca.chain.v[0], e));
        assert_int_equal(crl.n, 3);
        assert_int_equal(crl.number, 5);
        assert_int_equal(crl.version, 2);
        assert_false(crl.not_understood);
        assert_true(slice_eq(crl.aki, ca.chain.v[0]->ski));
        assert_int_equal(crl.next_update.sec, o.next_update.sec);
        for (size_t k = 0; k < crl.n; k++) {
            assert_true(slice_eq(crl.entries[k].serial, ENTRIES[k].serial));
            assert_int_equal(crl.entries[k].reason, ENTRIES[k].reason);
            assert_int_equal(crl.entries[k].at.sec, ENTRIES[k].at.sec);
        }
        static const uint8_t IDP[] = {0x06, 0x03, 0x55, 0x1d, 0x1c, 0x01, 0x01, 0xff, 0x04, 0x2b,
                                      0x30, 0x29, 0xa0, 0x27, 0xa0, 0x25, 0x86, 0x23, 'h',  't'};
        assert_true(slice_search(buf_slice(&der), slice_of(IDP, sizeof(IDP))) < der.n);
    }
}

static void empty_list_has_no_list(void **state)
{
    (void)state;
    struct issuer ca = ca_new(signer_new(KEY_P256, 0), "CA", NULL);
    struct crl_order o = order_new();
    struct buf der = buf_new(A, CRL_MAX);
    struct crl crl;

    o.n = 0;
    o.number = UINT64_MAX;
    o.idp_url = SLICE_NONE;
    ok(crl_make(&o, &ca, &der, DEADLINE_NONE, e));
    ok(crl_read(A, buf_slice(&der), &crl, e));
    assert_int_equal(crl.n, 0);
    assert_int_equal(crl.number, INT64_MAX);
    assert_int_equal(crl.extensions.n, 2);
    X509_CRL *c = openssl_crl(buf_slice(&der));
    assert_null(X509_CRL_get_REVOKED(c));
    X509_CRL_free(c);
}

static void issuers_that_may_not_are_refused(void **state)
{
    (void)state;
    struct signer *s = signer_new(KEY_P256, 0);
    struct issuer ca = {.key = s->public_key, .signer = s};
    struct x509_leaf leaf = leaf_new(s->public_key, "CA");
    struct crl_order o = order_new();
    struct buf der = buf_new(A, CRL_MAX);

    refused(crl_make(&o, &ca, &der, DEADLINE_NONE, e), "no certificate");
    leaf.key_usage = KU_CERT_SIGN;
    cert_list_add(A, &ca.chain, sign(&leaf, &ca));
    refused(crl_make(&o, &ca, &der, DEADLINE_NONE, e), "cRLSign");
    struct crl_entry bad = {.serial = SLICE("\x01"), .reason = 7};
    ca = ca_new(s, "CA", NULL);
    o.entries = &bad;
    o.n = 1;
    refused(crl_make(&o, &ca, &der, DEADLINE_NONE, e), "no reason code");
}

static void list_of_libcrypto_is_read(void **state)
{
    (void)state;
    struct crl crl;
    struct cert *ca = cert_fixture("ca.crt");

    ok(crl_read(A, fixture_der("ca.crl"), &crl, e));
    ok(crl_signed_by(&crl, ca, e));
    assert_int_equal(crl.n, 2);
    assert_int_equal(crl.number, 7);
    assert_int_equal(crl.entries[0].reason, 1);
    assert_slice(serial_decimal(A, crl.entries[1].serial), "1512366075204170929049582354406559215");
    assert_int_equal(crl.entries[1].at.sec, at("2026-01-02T00:00:00Z").sec);
    refused(crl_signed_by(&crl, cert_fixture("rsa.crt"), e), "cRLSign");
    crl.signature = SLICE("x");
    refused(crl_signed_by(&crl, ca, e), "does not verify");
    crl.issuer.raw = SLICE("");
    refused(crl_signed_by(&crl, ca, e), "another name");
}

static void nothing_is_read_that_libcrypto_refuses(void **state)
{
    (void)state;
    struct slice der = fixture_der("ca.crl");
    uint8_t *copy = arena_alloc(A, der.n);

    for (size_t i = 0; i < der.n * 8; i++) {
        struct arena_mark mark = arena_mark(A);
        struct crl crl;
        memcpy(copy, der.p, der.n);
        copy[i / 8] ^= (uint8_t)(1u << (i % 8));
        if (crl_read(A, slice_of(copy, der.n), &crl, NULL)) {
            X509_CRL *c = openssl_crl(slice_of(copy, der.n));
            if (!c)
                fail_msg("byte %zu", i / 8);
            X509_CRL_free(c);
        }
        arena_rewind(A, mark);
    }
    for (size_t n = 0; n < der.n; n++) {
        struct crl crl;
        assert_false(crl_read(A, slice_of(der.p, n), &crl, NULL));
    }
    ERR_clear_error();
}

static void scopes_that_are_not_processed_are_told(void **state)
{
    (void)state;
    struct slice der = fixture_der("ca.crl");
    uint8_t *copy = arena_alloc(A, der.n);
    struct crl crl;
    /* The CRL number as an extension that nobody knows; then the same one critical. */
    size_t where = slice_search(der, SLICE("\x06\x03\x55\x1d\x14"));

    assert_true(where < der.n);
    memcpy(copy, der.p, der.n);
    copy[where + 4] = 0x1b; /* delta CRL indicator */
    ok(crl_read(A, slice_of(copy, der.n), &crl, e));
    assert_int_equal(crl.number, -1);
    assert_false(crl.not_understood);

    struct issuer ca = ca_new(signer_new(KEY_P256, 0), "CA", NULL);
    struct crl_order o = order_new();
    struct buf b = buf_new(A, CRL_MAX);
    ok(crl_make(&o, &ca, &b, DEADLINE_NONE, e));
    where = slice_search(buf_slice(&b), SLICE("\x06\x03\x55\x1d\x1c\x01\x01\xff"));
    b.p[where + 4] = 0x1b;
    ok(crl_read(A, buf_slice(&b), &crl, e));
    assert_true(crl.not_understood);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(made_lists_are_read_by_libcrypto_and_by_us),
        TEST(empty_list_has_no_list),
        TEST(issuers_that_may_not_are_refused),
        TEST(list_of_libcrypto_is_read),
        TEST(nothing_is_read_that_libcrypto_refuses),
        TEST(scopes_that_are_not_processed_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
