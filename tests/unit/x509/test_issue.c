/* Certificates written: libcrypto reads and verifies each of them. */
#include "x509_test.h"

static void openssl_verifies(const struct cert *c, const struct cert *issuer)
{
    X509 *x = openssl_cert(c->der), *by = openssl_cert(issuer->der);

    assert_int_equal(X509_verify(x, X509_get0_pubkey(by)), 1);
    assert_int_equal(X509_check_issued(by, x), X509_V_OK);
    X509_free(x);
    X509_free(by);
}

static void every_key_type_signs(void **state)
{
    (void)state;
    static const struct {
        enum key_type type;
        enum sig_scheme scheme;
        enum digest digest;
    } CASES[] = {
        {KEY_P224, SIG_ECDSA, DIGEST_SHA256},    {KEY_P256, SIG_ECDSA, DIGEST_SHA256},
        {KEY_P384, SIG_ECDSA, DIGEST_SHA384},    {KEY_P521, SIG_ECDSA, DIGEST_SHA512},
        {KEY_RSA, SIG_RSA_PKCS1, DIGEST_SHA256}, {KEY_ED25519, SIG_ED25519, DIGEST_NONE},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct issuer root = ca_new(signer_new(CASES[i].type, 2048), "Root", NULL);
        struct x509_leaf leaf = leaf_new(signer_new(KEY_P256, 0)->public_key, "leaf");
        struct cert *c = sign(&leaf, &root);
        openssl_verifies(root.chain.v[0], root.chain.v[0]);
        openssl_verifies(c, root.chain.v[0]);
        assert_int_equal(c->sig_alg.scheme, CASES[i].scheme);
        assert_int_equal(c->sig_alg.digest, CASES[i].digest);
        ok(cert_signed_by(c, root.chain.v[0], e));
    }
}

static void rsa_issuers_keep_the_algorithm_of_their_certificate(void **state)
{
    (void)state;
    struct signer *s = signer_new(KEY_RSA, 2048);
    static const struct sig_alg ALGS[] = {
        {SIG_RSA_PSS, DIGEST_SHA256},   {SIG_RSA_PSS, DIGEST_SHA384},
        {SIG_RSA_PSS, DIGEST_SHA512},   {SIG_RSA_PKCS1, DIGEST_SHA384},
        {SIG_RSA_PKCS1, DIGEST_SHA512},
    };

    for (size_t i = 0; i < COUNT_OF(ALGS); i++) {
        struct x509_leaf leaf = leaf_new(s->public_key, "Root");
        struct issuer root = {.key = s->public_key, .signer = s};
        leaf.alg = ALGS[i];
        leaf.key_usage = KU_CERT_SIGN;
        struct cert *self = sign(&leaf, &root);
        openssl_verifies(self, self);
        cert_list_add(A, &root.chain, self);
        assert_int_equal(issuer_alg(&root).scheme, ALGS[i].scheme);
        leaf = leaf_new(signer_new(KEY_ED25519, 0)->public_key, "leaf");
        struct cert *c = sign(&leaf, &root);
        assert_int_equal(c->sig_alg.scheme, ALGS[i].scheme);
        assert_int_equal(c->sig_alg.digest, ALGS[i].digest);
        openssl_verifies(c, self);
        s->only = (struct sig_alg){SIG_RSA_PKCS1, DIGEST_SHA256};
        assert_int_equal(issuer_alg(&root).digest, DIGEST_SHA256);
        s->only = (struct sig_alg){SIG_ANY, DIGEST_NONE};
    }
}

static void unfit_and_weak_algorithms_are_refused(void **state)
{
    (void)state;
    struct issuer root = ca_new(signer_new(KEY_P256, 0), "Root", NULL);
    struct x509_leaf leaf = leaf_new(root.key, "leaf");
    struct buf der = buf_new(A, CERT_MAX);

    leaf.alg = (struct sig_alg){SIG_RSA_PKCS1, DIGEST_SHA256};
    refused(x509_leaf_sign(&leaf, &root, &RNG_SYSTEM, &der, DEADLINE_NONE, e), "does not fit");
    leaf.alg = (struct sig_alg){SIG_ECDSA, DIGEST_SHA1};
    refused(x509_leaf_sign(&leaf, &root, &RNG_SYSTEM, &der, DEADLINE_NONE, e), "too weak");
}

static const uint8_t *serial_bytes;
static size_t serial_round;
static void serial_fill(struct rng *r, void *p, size_t n)
{
    (void)r;
    memset(p, serial_bytes[serial_round++], n);
}

static void serial_numbers_have_128_bits_and_are_never_zero(void **state)
{
    (void)state;
    static const uint8_t ROUNDS[] = {0, 0, 0xff};
    struct rng rng = {serial_fill};
    struct issuer root = ca_new(signer_new(KEY_P256, 0), "Root", NULL);
    struct x509_leaf leaf = leaf_new(root.key, "leaf");
    struct buf der = buf_new(A, CERT_MAX);
    struct cert *c;

    serial_bytes = ROUNDS;
    ok(x509_leaf_sign(&leaf, &root, &rng, &der, DEADLINE_NONE, e));
    assert_int_equal(serial_round, 3);
    ok(cert_read(A, buf_slice(&der), &c, e));
    assert_slice(serial_decimal(A, c->serial), "340282366920938463463374607431768211455");
    leaf.serial = SLICE("\0\0\x12\x34");
    assert_slice(hex_text(A, sign(&leaf, &root)->serial), "1234");
    leaf.serial = SLICE("\0\0");
    refused(x509_leaf_sign(&leaf, &root, &rng, &der, DEADLINE_NONE, e), "positive");
    leaf.serial = SLICE("\x80"
                        "2345678901234567890");
    refused(x509_leaf_sign(&leaf, &root, &rng, &der, DEADLINE_NONE, e), "20 octets");
}

static void key_identifiers_can_be_said(void **state)
{
    (void)state;
    struct issuer root = ca_new(signer_new(KEY_P256, 0), "Root", NULL);
    struct issuer self = {.key = root.key, .signer = root.signer};
    struct x509_leaf leaf = leaf_new(root.key, "leaf");

    leaf.no_ski = true;
    leaf.aki = SLICE("\1\2\3");
    struct cert *c = sign(&leaf, &self);
    assert_null(c->ski.p);
    assert_slice(hex_text(A, c->aki), "010203");
    leaf.has_basic = leaf.basic.ca = true;
    assert_non_null(sign(&leaf, &self)->ski.p);
    /* Whose key signed is not the leaf's to say. */
    assert_true(slice_eq(sign(&leaf, &root)->aki, root.chain.v[0]->ski));
}

static void times_change_their_form_in_2050(void **state)
{
    (void)state;
    struct issuer root = ca_new(signer_new(KEY_P256, 0), "Root", NULL);
    struct x509_leaf leaf = leaf_new(root.key, "leaf");

    leaf.not_before = at("2049-12-31T23:59:59Z");
    leaf.not_after = at("2050-01-01T00:00:00Z");
    struct cert *c = sign(&leaf, &root);
    assert_int_equal(c->not_before.sec, leaf.not_before.sec);
    assert_int_equal(c->not_after.sec, leaf.not_after.sec);
    X509 *x = openssl_cert(c->der);
    assert_int_equal(X509_get0_notBefore(x)->type, V_ASN1_UTCTIME);
    assert_int_equal(X509_get0_notAfter(x)->type, V_ASN1_GENERALIZEDTIME);
    X509_free(x);
    leaf.not_after = at("2049-01-01T00:00:00Z");
    struct buf der = buf_new(A, CERT_MAX);
    refused(x509_leaf_sign(&leaf, &root, &RNG_SYSTEM, &der, DEADLINE_NONE, e), "before it begins");
}

static struct slice oid(const struct oid *o)
{
    return slice_of(o->p, o->n);
}

/* Extension OIDs of a certificate in order, with '!' after critical ones. */
static const char *order(const struct cert *c)
{
    struct buf b = buf_new(A, 4096);

    for (size_t i = 0; i < c->extensions.n; i++) {
        if (i)
            buf_byte(&b, ' ');
        buf_put(&b, oid_text(A, c->extensions.v[i].oid));
        if (c->extensions.v[i].critical)
            buf_byte(&b, '!');
    }
    return arena_cstr(A, buf_slice(&b));
}

static struct x509_leaf full_leaf(void)
{
    static struct slice eku[2], ocsp[1], ca[1], policies[1], crl[2], names[1];
    static struct extension raw[1];
    struct x509_leaf leaf = leaf_new(signer_new(KEY_P256, 0)->public_key, "leaf");
    struct provisioner_extension p = {.type = 1, .name = SLICE("ops"), .credential_id = SLICE("k")};
    struct buf b = buf_new(A, 200);

    provisioner_extension_put(&b, &p);
    eku[0] = oid(&OID_EKU_SERVER);
    eku[1] = oid(&OID_EKU_CLIENT);
    ocsp[0] = SLICE("http://ocsp/");
    ca[0] = SLICE("http://ca/");
    policies[0] = SLICE("\x2a\x03\x04");
    crl[0] = SLICE("http://crl/1");
    crl[1] = SLICE("http://crl/2");
    names[0] = SLICE("a.example.com");
    raw[0] = (struct extension){.oid = SLICE("\x2a\x03\x04\x05"), .value = SLICE("\x05\x00")};
    leaf.eku = eku, leaf.n_eku = 2;
    leaf.ocsp = ocsp, leaf.n_ocsp = 1;
    leaf.ca_issuers = ca, leaf.n_ca_issuers = 1;
    leaf.policies = policies, leaf.n_policies = 1;
    leaf.crl_points = crl, leaf.n_crl_points = 2;
    leaf.has_basic = true;
    leaf.basic.path_len = -1;
    leaf.name_constraints = SLICE("\x30\x08\xa0\x06\x30\x04\x82\x02"
                                  "ab");
    leaf.name_constraints_critical = true;
    leaf.raw = (struct extensions){raw, 1};
    leaf.provisioner = buf_slice(&b);
    sans_split(A, names, 1, &leaf.sans);
    return leaf;
}

static void extensions_stand_in_the_documented_order(void **state)
{
    (void)state;
    struct issuer root = ca_new(signer_new(KEY_P256, 0), "Root", NULL);
    struct x509_leaf leaf = full_leaf();
    struct cert *c = sign(&leaf, &root);

    assert_string_equal(order(root.chain.v[0]), "2.5.29.15! 2.5.29.19! 2.5.29.14");
    assert_string_equal(order(c), "2.5.29.15! 2.5.29.37 2.5.29.19! 2.5.29.14 2.5.29.35 "
                                  "1.3.6.1.5.5.7.1.1 2.5.29.17 2.5.29.32 2.5.29.30! 2.5.29.31 "
                                  "1.2.3.4.5 1.3.6.1.4.1.37476.9000.64.1");
    assert_true(slice_eq(c->aki, root.chain.v[0]->ski));
    assert_memory_equal(c->ski.p, leaf.key->ski, 20);

    /* libcrypto decodes every one. */
    static const int NIDS[] = {NID_key_usage,
                               NID_ext_key_usage,
                               NID_basic_constraints,
                               NID_subject_key_identifier,
                               NID_authority_key_identifier,
                               NID_info_access,
                               NID_subject_alt_name,
                               NID_certificate_policies,
                               NID_name_constraints,
                               NID_crl_distribution_points};
    X509 *x = openssl_cert(c->der);
    for (size_t i = 0; i < COUNT_OF(NIDS); i++) {
        const X509V3_EXT_METHOD *m = X509V3_EXT_get_nid(NIDS[i]);
        void *value = X509_get_ext_d2i(x, NIDS[i], NULL, NULL);
        if (!value)
            fail_msg("libcrypto does not read %s", OBJ_nid2sn(NIDS[i]));
        if (m->it)
            ASN1_item_free(value, ASN1_ITEM_ptr(m->it));
        else
            m->ext_free(value);
    }
    X509_free(x);
}

static void raw_extensions_replace_generated_ones(void **state)
{
    (void)state;
    struct issuer root = ca_new(signer_new(KEY_P256, 0), "Root", NULL);
    struct x509_leaf leaf = full_leaf();
    struct extension raw[] = {
        {.oid = oid(&OID_EXT_SAN), .critical = true, .value = SLICE("\x30\x05\x82\x03raw")},
        {.oid = oid(&OID_EXT_PROVISIONER), .critical = true, .value = SLICE("\x05\x00")},
        {.oid = oid(&OID_EXT_KEY_USAGE), .value = SLICE("\x03\x02\x05\xa0")},
    };
    struct sans names;

    leaf.raw = (struct extensions){raw, 3};
    struct cert *c = sign(&leaf, &root);
    assert_string_equal(order(c), "2.5.29.37 2.5.29.19! 2.5.29.14 2.5.29.35 1.3.6.1.5.5.7.1.1 "
                                  "2.5.29.32 2.5.29.30! 2.5.29.31 2.5.29.17! "
                                  "1.3.6.1.4.1.37476.9000.64.1 2.5.29.15");
    assert_true(
        slice_eq(extensions_get(&c->extensions, &OID_EXT_PROVISIONER)->value, leaf.provisioner));
    ok(x509_leaf_names(A, &leaf, &names, e));
    assert_int_equal(names.n, 1);
    assert_slice(names.v[0].text, "raw");

    leaf.provisioner = SLICE_NONE; /* a forged one goes */
    c = sign(&leaf, &root);
    assert_null(extensions_get(&c->extensions, &OID_EXT_PROVISIONER));
    raw[1] = raw[0];
    struct buf der = buf_new(A, CERT_MAX);
    refused(x509_leaf_sign(&leaf, &root, &RNG_SYSTEM, &der, DEADLINE_NONE, e), "twice");
}

static void names_are_critical_without_a_subject(void **state)
{
    (void)state;
    struct issuer root = ca_new(signer_new(KEY_P256, 0), "Root", NULL);
    struct x509_leaf leaf = full_leaf();

    assert_false(extensions_get(&sign(&leaf, &root)->extensions, &OID_EXT_SAN)->critical);
    leaf.subject = (struct subject){0};
    assert_true(extensions_get(&sign(&leaf, &root)->extensions, &OID_EXT_SAN)->critical);
    leaf.raw_subject = root.chain.v[0]->subject.raw;
    struct cert *c = sign(&leaf, &root);
    assert_false(extensions_get(&c->extensions, &OID_EXT_SAN)->critical);
    assert_slice(dn_text(A, &c->subject), "CN=Root");
    assert_null(c->aki.p); /* same name as the issuer */
}

static void renewed_certificates_take_everything_over_but_the_authority_key(void **state)
{
    (void)state;
    struct issuer old = ca_new(signer_new(KEY_P256, 0), "Root", NULL);
    struct issuer new = ca_new(signer_new(KEY_P384, 0), "New", NULL);
    struct x509_leaf leaf = full_leaf();
    struct cert *c = sign(&leaf, &old);
    struct x509_leaf again = {
        .raw_subject = c->subject.raw,
        .not_before = at("2026-06-01T00:00:00Z"),
        .not_after = at("2026-07-01T00:00:00Z"),
        .raw = c->extensions,
        .key = c->key,
        .copy_extensions = true,
    };
    struct cert *renewed = sign(&again, &new);
    assert_string_equal(order(renewed),
                        "2.5.29.35 2.5.29.15! 2.5.29.37 2.5.29.19! 2.5.29.14 "
                        "1.3.6.1.5.5.7.1.1 2.5.29.17 2.5.29.32 2.5.29.30! 2.5.29.31 "
                        "1.2.3.4.5 1.3.6.1.4.1.37476.9000.64.1");
    assert_true(slice_eq(renewed->aki, new.chain.v[0]->ski));
    assert_true(slice_eq(renewed->subject.raw, c->subject.raw));
    assert_true(slice_eq(renewed->issuer.raw, new.chain.v[0]->subject.raw));
    openssl_verifies(renewed, new.chain.v[0]);

    struct signer *s = signer_new(KEY_P256, 0);
    again.key = s->public_key;
    again.ski = slice_of(s->public_key->ski, 20);
    struct cert *rekeyed = sign(&again, &new);
    assert_string_equal(order(rekeyed),
                        "2.5.29.14 2.5.29.35 2.5.29.15! 2.5.29.37 2.5.29.19! "
                        "1.3.6.1.5.5.7.1.1 2.5.29.17 2.5.29.32 2.5.29.30! 2.5.29.31 "
                        "1.2.3.4.5 1.3.6.1.4.1.37476.9000.64.1");
    assert_memory_equal(rekeyed->ski.p, s->public_key->ski, 20);
    struct sans names;
    ok(x509_leaf_names(A, &again, &names, e));
    assert_slice(names.v[0].text, "a.example.com");
}

static void bad_wishes_are_refused(void **state)
{
    (void)state;
    struct issuer root = ca_new(signer_new(KEY_P256, 0), "Root", NULL);
    struct signer *other = signer_new(KEY_P256, 0);
    struct issuer self = {.key = other->public_key, .signer = other};
    struct x509_leaf leaf = leaf_new(root.key, "a\xff");
    struct buf der = buf_new(A, CERT_MAX);
    struct slice url[] = {SLICE("http://a b/")};

    refused(x509_leaf_sign(&leaf, &root, &RNG_SYSTEM, &der, DEADLINE_NONE, e), "UTF-8");
    leaf.subject.common_name = SLICE("a");
    refused(x509_leaf_sign(&leaf, &self, &RNG_SYSTEM, &der, DEADLINE_NONE, e), "another key");
    leaf.crl_points = url, leaf.n_crl_points = 1;
    refused(x509_leaf_sign(&leaf, &root, &RNG_SYSTEM, &der, DEADLINE_NONE, e), "ASCII URL");
    leaf.n_crl_points = 0;
    leaf.key = NULL;
    refused(x509_leaf_sign(&leaf, &root, &RNG_SYSTEM, &der, DEADLINE_NONE, e), "no public key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_key_type_signs),
        TEST(rsa_issuers_keep_the_algorithm_of_their_certificate),
        TEST(unfit_and_weak_algorithms_are_refused),
        TEST(serial_numbers_have_128_bits_and_are_never_zero),
        TEST(key_identifiers_can_be_said),
        TEST(times_change_their_form_in_2050),
        TEST(extensions_stand_in_the_documented_order),
        TEST(raw_extensions_replace_generated_ones),
        TEST(names_are_critical_without_a_subject),
        TEST(renewed_certificates_take_everything_over_but_the_authority_key),
        TEST(bad_wishes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
