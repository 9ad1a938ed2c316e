/* PKCS #12 files that we write, opened by libcrypto. */
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include "crypto/pkcs12.h"
#include "crypto_testing.h"

struct arena *arena;

#define PASSWORD "correct h\xc3\xb6rse"

/* A certificate as bare as can be; the subject's CN is name. */
static struct slice cert_new(const struct private_key *key, const char *name)
{
    X509 *x = X509_new();
    unsigned char *out = NULL;

    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key->evp);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    assert_true(X509_sign(x, key->evp, EVP_sha256()) > 0);
    int n = i2d_X509(x, &out);
    struct slice der = arena_copy(arena, slice_of(out, (size_t)n));
    OPENSSL_free(out);
    X509_free(x);
    return der;
}

static struct private_key *key_new(void)
{
    struct private_key *key = NULL;

    assert_true(private_key_generate(arena, KEY_P256, 0, &key, NULL));
    return key;
}

static PKCS12 *parse(struct slice der)
{
    const unsigned char *p = der.p;
    PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)der.n);

    assert_non_null(p12);
    assert_ptr_equal(p, der.p + der.n);
    return p12;
}

static void identity_opens_with_its_password(void **state)
{
    struct private_key *key = key_new(), *other = key_new();
    const struct pkcs12_cert certs[] = {{cert_new(key, "leaf"), {0}, false},
                                        {cert_new(other, "ca"), {0}, false}};
    const struct {
        const char *password, *wrong;
    } CASES[] = {{PASSWORD, "correct horse"}, {"", "x"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const struct pkcs12_order o = {key, certs, 2, slice_text(CASES[i].password), false};
        struct slice der;
        struct err e = {0};
        EVP_PKEY *pkey = NULL;
        X509 *leaf = NULL;
        STACK_OF(X509) *rest = NULL;

        if (!pkcs12_make(arena, &o, &der, &e))
            fail_msg("%s", e.text);
        PKCS12 *p12 = parse(der);
        assert_int_equal(PKCS12_parse(p12, CASES[i].wrong, &pkey, &leaf, &rest), 0);
        ERR_clear_error();
        assert_int_equal(PKCS12_parse(p12, CASES[i].password, &pkey, &leaf, &rest), 1);
        assert_int_equal(EVP_PKEY_eq(pkey, key->evp), 1);
        unsigned char *out = NULL;
        int n = i2d_X509(leaf, &out);
        assert_true(slice_eq(slice_of(out, (size_t)n), certs[0].der));
        OPENSSL_free(out);
        assert_int_equal(sk_X509_num(rest), 1);
        sk_X509_pop_free(rest, X509_free);
        X509_free(leaf);
        EVP_PKEY_free(pkey);
        PKCS12_free(p12);
    }
}

static void trust_store_has_names_and_the_attribute_of_java(void **state)
{
    const struct pkcs12_cert cert = {cert_new(key_new(), "root"), SLICE("CN=root - 00ff"), true};
    const struct pkcs12_order o = {NULL, &cert, 1, SLICE(PASSWORD), false};
    /* 2.16.840.1.113894.746875.1.1 { SET { 2.5.29.37.0 } } */
    static const uint8_t ATTRIBUTE[] = {0x30, 0x16, 0x06, 0x0c, 0x60, 0x86, 0x48, 0x01,
                                        0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 0x01, 0x01,
                                        0x31, 0x06, 0x06, 0x04, 0x55, 0x1d, 0x25, 0x00};
    struct slice der;

    (void)state;
    assert_true(pkcs12_make(arena, &o, &der, NULL));
    PKCS12 *p12 = parse(der);
    assert_int_equal(PKCS12_verify_mac(p12, PASSWORD, -1), 1);
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p12);
    assert_int_equal(sk_PKCS7_num(safes), 1);
    STACK_OF(PKCS12_SAFEBAG) *bags =
        PKCS12_unpack_p7encdata(sk_PKCS7_value(safes, 0), PASSWORD, -1);
    assert_int_equal(sk_PKCS12_SAFEBAG_num(bags), 1);
    PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, 0);
    char *name = PKCS12_get_friendlyname(bag);
    assert_string_equal(name, "CN=root - 00ff");
    OPENSSL_free(name);
    bool found = false;
    const STACK_OF(X509_ATTRIBUTE) *attributes = PKCS12_SAFEBAG_get0_attrs(bag);
    for (int i = 0; i < sk_X509_ATTRIBUTE_num(attributes); i++) {
        unsigned char *out = NULL;
        int n = i2d_X509_ATTRIBUTE(sk_X509_ATTRIBUTE_value(attributes, i), &out);
        found |= slice_eq(slice_of(out, (size_t)n), slice_of(ATTRIBUTE, sizeof(ATTRIBUTE)));
        OPENSSL_free(out);
    }
    assert_true(found);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    PKCS12_free(p12);
}

static bool holds(struct slice der, const uint8_t *oid, size_t n)
{
    return slice_search(der, slice_of(oid, n)) < der.n;
}

static void forms_use_their_algorithms(void **state)
{
    static const uint8_t AES[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a};
    static const uint8_t PRF[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09};
    static const uint8_t RC2[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x06};
    static const uint8_t DES3[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x03};
    struct private_key *key = key_new();
    const struct pkcs12_cert cert = {cert_new(key, "leaf"), {0}, false};
    struct pkcs12_order o = {key, &cert, 1, SLICE(PASSWORD), false};
    struct slice der;
    struct err e = {0};

    (void)state;
    assert_true(pkcs12_make(arena, &o, &der, NULL));
    assert_true(holds(der, AES, sizeof(AES)) && holds(der, PRF, sizeof(PRF)));
    assert_false(holds(der, DES3, sizeof(DES3)));
    PKCS12 *p12 = parse(der);
    assert_true(PKCS12_mac_present(p12));
    PKCS12_free(p12);
    o.legacy = true;
    if (!pkcs12_make(arena, &o, &der, &e)) {
        assert_int_equal(e.kind, ERR_NOT_IMPLEMENTED);
        skip();
    }
    assert_true(holds(der, RC2, sizeof(RC2)) && holds(der, DES3, sizeof(DES3)));
    assert_false(holds(der, AES, sizeof(AES)));
    /* Nothing of the old provider stays behind. */
    assert_int_equal(OSSL_PROVIDER_available(NULL, "legacy"), 0);
}

static void what_cannot_be_written_is_refused(void **state)
{
    struct private_key *key = key_new();
    const struct pkcs12_cert cert = {cert_new(key, "leaf"), {0}, false};
    const struct pkcs12_cert broken = {SLICE("\x30\x03"), {0}, false};
    const struct pkcs12_order ORDERS[] = {
        {key, &cert, 0, SLICE("x"), false},
        {key, &cert, 1, SLICE("a\0b"), false},
        {key, &cert, 1, SLICE("\xff"), false},
        {key, &broken, 1, SLICE("x"), false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ORDERS); i++) {
        struct slice der;
        struct err e = {0};
        assert_false(pkcs12_make(arena, &ORDERS[i], &der, &e));
        assert_true(e.text[0]);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(identity_opens_with_its_password),
        TEST(trust_store_has_names_and_the_attribute_of_java),
        TEST(forms_use_their_algorithms),
        TEST(what_cannot_be_written_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
