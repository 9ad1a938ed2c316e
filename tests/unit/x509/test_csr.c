/* Certification requests: read and verified like libcrypto does, made so that it agrees. */
#include "x509_test.h"

static X509_REQ *openssl_csr(struct slice der)
{
    const unsigned char *p = der.p;
    X509_REQ *r = d2i_X509_REQ(NULL, &p, (long)der.n);

    return r && p == der.p + der.n ? r : NULL;
}

static void requests_verify_as_they_should(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum key_type type;
        const char *error; /* NULL: verifies */
    } CASES[] = {
        {"rsa.csr", KEY_RSA, NULL},
        {"rsa-sha1.csr", KEY_RSA, NULL},
        {"rsa-sha512.csr", KEY_RSA, NULL},
        {"rsa-md5.csr", KEY_RSA, "expected a signature by"},
        {"rsa-pss.csr", KEY_RSA, NULL},
        {"rsa-pss-salt20.csr", KEY_RSA, "expected a signature by"},
        {"ec.csr", KEY_P256, NULL},
        {"ec-sha1.csr", KEY_P256, NULL},
        {"ec-plain.csr", KEY_P256, NULL},
        {"p384.csr", KEY_P384, NULL},
        {"p521.csr", KEY_P521, NULL},
        {"ed25519.csr", KEY_ED25519, NULL},
        {"empty-subject.csr", KEY_P256, NULL},
        {"secp256k1.csr", KEY_NONE, "unsupported curve"},
        {"ed448.csr", KEY_NONE, "unsupported algorithm"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct csr *c = csr_fixture(CASES[i].name);
        assert_int_equal(c->key ? c->key->type : KEY_NONE, CASES[i].type);
        if (CASES[i].error)
            refused(csr_verify(c, e), CASES[i].error);
        else
            ok(csr_verify(c, e));
        if (c->key)
            ok(key_check_strength(c->key, 2048, e));
        else
            refused(key_check_strength(c->key, 2048, e), "expected RSA");
    }
}

static void requested_names_and_extensions_are_read(void **state)
{
    (void)state;
    struct csr *c = csr_fixture("ec.csr");

    assert_int_equal(c->sans.n, 5);
    assert_slice(c->sans.v[0].text, "csr.example.com");
    assert_slice(c->sans.v[4].text, "spiffe://example.com/csr");
    assert_int_equal(c->extensions.n, 5);
    assert_true(extensions_get(&c->extensions, &OID_EXT_KEY_USAGE)->critical);
    assert_int_equal(csr_fixture("empty-subject.csr")->subject.n, 0);
    assert_int_equal(csr_fixture("ec-plain.csr")->extensions.n, 0);
}

static void changed_request_does_not_verify(void **state)
{
    (void)state;
    struct slice der = fixture_der("ec.csr");
    uint8_t *copy = arena_alloc(A, der.n);
    struct csr *c;

    memcpy(copy, der.p, der.n);
    copy[slice_search(der, SLICE("www.csr"))] = 'x';
    ok(csr_read(A, slice_of(copy, der.n), &c, e));
    refused(csr_verify(c, e), "does not verify under its own key");
}

static void nothing_is_accepted_that_libcrypto_refuses(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"ec.csr", "ed25519.csr"};
    size_t accepted = 0;

    for (size_t k = 0; k < COUNT_OF(NAMES); k++) {
        struct slice der = fixture_der(NAMES[k]);
        uint8_t *copy = arena_alloc(A, der.n);
        for (size_t i = 0; i < der.n * 8; i++) {
            struct arena_mark mark = arena_mark(A);
            struct csr *c;
            memcpy(copy, der.p, der.n);
            copy[i / 8] ^= (uint8_t)(1u << (i % 8));
            if (csr_read(A, slice_of(copy, der.n), &c, NULL)) {
                X509_REQ *r = openssl_csr(slice_of(copy, der.n));
                if (!r)
                    fail_msg("%s: byte %zu", NAMES[k], i / 8);
                assert_false(csr_verify(c, NULL));
                X509_REQ_free(r);
                accepted++;
            }
            arena_rewind(A, mark);
        }
    }
    ERR_clear_error();
    assert_true(accepted > 100);
}

static void texts_are_read(void **state)
{
    (void)state;
    struct csr *c;
    struct slice crt = fixture("ec.crt"), csr = fixture("ec.csr"),
                 both = arena_format(A, "%.*s%.*s", SLICE_ARG(crt), SLICE_ARG(csr));

    ok(csr_read_text(A, csr, "f", false, &c, e));
    ok(csr_read_text(A, fixture("newhdr.csr"), "f", true, &c, e));
    ok(csr_read_text(A, fixture_der("ec.csr"), "f", true, &c, e));
    ok(csr_read_text(A, both, "f", true, &c, e));
    refused(csr_read_text(A, both, "f", false, &c, e), "error parsing f: CSR: ");
    refused(csr_read_text(A, crt, "f", true, &c, e), "f contains no certificate request");
    refused(csr_read_text(A, SLICE(""), "f", false, &c, e), "error parsing f");
    struct slice other = arena_format(A, "-----BEGIN ANY-----\n%.*s\n-----END ANY-----\n",
                                      SLICE_ARG(base64_text(A, BASE64_STD, fixture_der("ec.csr"))));
    ok(csr_read_text(A, other, "f", false, &c, e));
    refused(csr_read(A, slice_of(arena_alloc(A, CSR_MAX + 1), CSR_MAX + 1), &c, e), "at most");
}

static void short_rsa_keys_are_forbidden(void **state)
{
    (void)state;
    struct signer *s = signer_new(KEY_RSA, 1024);
    struct err e = {0};

    assert_false(key_check_strength(s->public_key, 2048, &e));
    assert_int_equal(e.kind, ERR_FORBIDDEN);
    assert_true(key_check_strength(s->public_key, 1024, &e));
    s = signer_new(KEY_X25519, 0);
    assert_false(key_check_strength(s->public_key, 2048, &e));
    assert_int_equal(e.kind, ERR_MALFORMED);
}

static void made_requests_are_read_by_libcrypto_and_by_us(void **state)
{
    (void)state;
    static const enum key_type TYPES[] = {KEY_RSA,  KEY_P224, KEY_P256,
                                          KEY_P384, KEY_P521, KEY_ED25519};
    const struct slice names[] = {SLICE("a.example.com"), SLICE("10.0.0.1"),
                                  SLICE("x@example.com")};
    struct extension extra[] = {
        {.oid = SLICE("\x2a\x03\x04"), .critical = true, .value = SLICE("\x05\x00")}};

    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        struct signer *s = signer_new(TYPES[i], 2048);
        struct csr_wish wish = {.common_name = SLICE("a.example.com"), .extra = {extra, 1}};
        struct slice der;
        struct csr *c;
        sans_split(A, names, 3, &wish.sans);
        ok(csr_make(A, &wish, s, &der, e));
        ok(csr_read(A, der, &c, e));
        ok(csr_verify(c, e));
        assert_slice(dn_common_name(&c->subject), "a.example.com");
        assert_int_equal(c->sans.n, 3);
        assert_int_equal(c->extensions.n, 2);
        X509_REQ *r = openssl_csr(der);
        assert_non_null(r);
        assert_int_equal(X509_REQ_verify(r, X509_REQ_get0_pubkey(r)), 1);
        X509_REQ_free(r);
    }
    struct csr_wish nothing = {0};
    struct slice der;
    struct csr *c;
    ok(csr_make(A, &nothing, signer_new(KEY_P256, 0), &der, e));
    ok(csr_read(A, der, &c, e));
    assert_int_equal(c->subject.n, 0);
    assert_int_equal(c->extensions.n, 0);
}

/* Requests built by hand around one wrong element; the signature does not matter here. */
static struct slice by_hand(const char *version, const char *attributes)
{
    struct csr *good = csr_fixture("ec-plain.csr");
    struct buf b = buf_new(A, 8192);
    struct slice v, att;
    size_t csr, info;

    assert_true(hex_read(A, text(version), &v));
    assert_true(hex_read(A, text(attributes), &att));
    der_open(&b, DER_SEQUENCE, &csr);
    der_open(&b, DER_SEQUENCE, &info);
    der_raw(&b, v);
    der_raw(&b, good->subject.raw);
    der_raw(&b, good->spki);
    der_raw(&b, att);
    der_close(&b, info);
    der_raw(&b, SLICE("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"));
    der_bits(&b, SLICE("x"));
    der_close(&b, csr);
    return buf_slice(&b);
}

#define EXTENSION_REQUEST "06092a864886f70d01090e"

static void attributes_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *version, *attributes;
        bool good;
    } CASES[] = {
        {"020100", "a000", true},
        {"020100", "", true},
        {"020102", "a000", true},
        {"020103", "a000", false},
        {"0201ff", "a000", false},
        {"", "a000", false},
        {"020100", "a00000", false},
        {"020100", "a100", false},
        {"020100", "a0023000", false},
        {"020100", "a009300706032a03043100", true},
        {"020100", "a00b300906032a030431020500", true},
        {"020100", "a00c300a06032a03043103050100", false},              /* NULL with content */
        {"020100", "a011300f" EXTENSION_REQUEST "31023000", true},      /* no extensions */
        {"020100", "a00f300d" EXTENSION_REQUEST "3100", false},         /* no value */
        {"020100", "a0133011" EXTENSION_REQUEST "310430003000", false}, /* two */
        {"020100", "a022300f" EXTENSION_REQUEST "31023000300f" EXTENSION_REQUEST "31023000", false},
        {"020100", "a0133011" EXTENSION_REQUEST "310430023000", false}, /* extension without OID */
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice der = by_hand(CASES[i].version, CASES[i].attributes);
        struct csr *c;
        struct err e = {0};
        if (csr_read(A, der, &c, &e) != CASES[i].good)
            fail_msg("%s %s: %s", CASES[i].version, CASES[i].attributes, e.text);
        X509_REQ *r = openssl_csr(der);
        if (CASES[i].good)
            assert_non_null(r);
        X509_REQ_free(r);
        ERR_clear_error();
    }
}

static const struct oid CHALLENGE = {
    (const uint8_t[]){0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07}, 9};

static void attributes_are_found(void **state)
{
    (void)state;
    struct slice der = by_hand("020100", "a0153013"
                                         "06092a864886f70d010907"
                                         "3106"
                                         "0c0470617373");
    struct slice value;
    struct csr *c;

    ok(csr_read(A, der, &c, e));
    assert_true(csr_attribute(c, &CHALLENGE, &value));
    assert_slice(hex_text(A, value), "0c0470617373");
    assert_false(csr_attribute(c, &OID_CN, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_verify_as_they_should),
        TEST(requested_names_and_extensions_are_read),
        TEST(changed_request_does_not_verify),
        TEST(nothing_is_accepted_that_libcrypto_refuses),
        TEST(texts_are_read),
        TEST(short_rsa_keys_are_forbidden),
        TEST(made_requests_are_read_by_libcrypto_and_by_us),
        TEST(attributes_are_checked),
        TEST(attributes_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
