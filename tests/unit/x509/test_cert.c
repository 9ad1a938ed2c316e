/* Certificates read: what libcrypto made reads as libcrypto reads it; what is broken is refused. */
#include "x509_test.h"

static void reads_everything_in_a_full_certificate(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"rsa.crt", "ec.crt", "p521.crt", "ed25519.crt"};
    static const enum key_type TYPES[] = {KEY_RSA, KEY_P256, KEY_P521, KEY_ED25519};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        struct cert *c = cert_fixture(NAMES[i]);
        X509 *x = openssl_cert(c->der);
        assert_int_equal(c->version, 3);
        assert_int_equal(c->key->type, TYPES[i]);
        assert_int_equal(c->key_usage, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
        assert_int_equal(c->n_eku, 4);
        assert_true(c->has_basic && !c->basic.ca && c->basic.path_len == -1);
        assert_memory_equal(c->ski.p, c->key->ski, 20);
        assert_slice(dn_common_name(&c->subject), "everything.example.com");
        assert_slice(dn_text(A, &c->issuer),
                     "C=DE,O=Example & Söhne,OU=One,OU=Two,CN=everything.example.com,"
                     "emailAddress=admin@example.com");
        BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
        char *decimal = BN_bn2dec(serial);
        assert_slice(serial_decimal(A, c->serial), decimal);
        OPENSSL_free(decimal);
        BN_free(serial);
        struct tm tm;
        assert_true(ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm));
        assert_int_equal(c->not_after.sec, timegm(&tm));
        assert_true(cert_self_signed(c));
        assert_int_equal(c->extensions.n, X509_get_ext_count(x));
        X509_free(x);
    }
}

static void reads_names_of_every_kind(void **state)
{
    (void)state;
    struct cert *c = cert_fixture("ec.crt");
    static const struct {
        enum san_kind kind;
        const char *text;
    } EXPECTED[] = {
        {SAN_DNS, "everything.example.com"},
        {SAN_DNS, "*.example.com"},
        {SAN_EMAIL, "admin@example.com"},
        {SAN_IP, "10.1.2.3"},
        {SAN_IP, "2001:db8::7"},
        {SAN_URI, "https://example.com/path?x=1"},
        {SAN_RID, NULL},
        {SAN_OTHER, NULL},
        {SAN_OTHER, NULL},
        {SAN_OTHER, NULL},
        {SAN_DIRECTORY, NULL},
    };

    assert_int_equal(c->sans.n, COUNT_OF(EXPECTED));
    for (size_t i = 0; i < COUNT_OF(EXPECTED); i++) {
        assert_int_equal(c->sans.v[i].kind, EXPECTED[i].kind);
        if (EXPECTED[i].text)
            assert_slice(c->sans.v[i].text, EXPECTED[i].text);
    }
}

static void reads_version_1_and_empty_subjects(void **state)
{
    (void)state;
    struct cert *c = cert_fixture("v1.crt");
    assert_int_equal(c->version, 1);
    assert_int_equal(c->extensions.n, 0);
    assert_true(cert_self_signed(c));

    c = cert_fixture("empty-subject.crt");
    assert_int_equal(c->subject.n, 0);
    assert_null(dn_common_name(&c->subject).p);
    assert_slice(dn_text(A, &c->subject), "");
    assert_slice(serial_decimal(A, c->serial), "340193404210632335760508365704335069440");
    assert_slice(c->sans.v[0].text, "only.example.com");
}

static void knows_algorithms(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum sig_scheme scheme;
        enum digest digest;
        bool key;
    } CASES[] = {
        {"rsa.crt", SIG_RSA_PKCS1, DIGEST_SHA256, true},
        {"rsa-pss.crt", SIG_RSA_PSS, DIGEST_SHA384, true},
        {"ca.crt", SIG_ECDSA, DIGEST_SHA256, true},
        {"ed25519.crt", SIG_ED25519, DIGEST_NONE, true},
        {"ed448.crt", SIG_ANY, DIGEST_NONE, false},
        {"secp256k1.crt", SIG_ECDSA, DIGEST_SHA256, false},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct cert *c = cert_fixture(CASES[i].name);
        assert_int_equal(c->sig_alg.scheme, CASES[i].scheme);
        assert_int_equal(c->sig_alg.digest, CASES[i].digest);
        assert_int_equal(c->key != NULL, CASES[i].key);
        assert_int_equal(cert_self_signed(c), CASES[i].key);
    }
}

static void changed_certificate_is_not_signed(void **state)
{
    (void)state;
    struct slice der = fixture_der("ec.crt");
    struct cert *c;
    uint8_t *copy = arena_alloc(A, der.n);

    memcpy(copy, der.p, der.n);
    struct slice name = {(const uint8_t *)"everything", 10};
    size_t where = slice_search(der, name);
    assert_true(where < der.n);
    copy[where] = 'E';
    copy[where + slice_search(slice_from(der, where + 1), name) + 1] = 'E';
    ok(cert_read(A, slice_of(copy, der.n), &c, e));
    assert_false(cert_self_signed(c));
    refused(cert_signed_by(c, c, e), "does not verify");
    refused(cert_signed_by(c, cert_fixture("rsa.crt"), e), "does not belong");
    refused(cert_signed_by(c, cert_fixture("ed448.crt"), e), "not supported");
}

/* Every prefix and every changed byte is read by us only when libcrypto reads it too. */
static void nothing_is_read_that_libcrypto_refuses(void **state)
{
    (void)state;
    struct slice der = fixture_der("ec.crt");
    uint8_t *copy = arena_alloc(A, der.n);
    size_t accepted = 0;

    for (size_t n = 0; n < der.n; n++) {
        struct cert *c;
        assert_false(cert_read(A, slice_of(der.p, n), &c, NULL));
    }
    for (size_t i = 0; i < der.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct arena_mark mark = arena_mark(A);
            struct cert *c;
            memcpy(copy, der.p, der.n);
            copy[i] ^= (uint8_t)(1u << bit);
            if (cert_read(A, slice_of(copy, der.n), &c, NULL)) {
                const unsigned char *p = copy;
                X509 *x = d2i_X509(NULL, &p, (long)der.n);
                if (!x)
                    fail_msg("byte %zu bit %u", i, bit);
                X509_free(x);
                accepted++;
            }
            arena_rewind(A, mark);
        }
    }
    ERR_clear_error();
    assert_true(accepted > 0);
}

/* One element of a good certificate replaced by another. */
static void broken_fields_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to; /* hexadecimal, same length */
        const char *error;
    } CASES[] = {
        {"a003020102", "a003020103", "version"},
        {"a003020102", "a003020100", "v3 only"},
        {"551d0f0101ff", "551d0f010101", "BOOLEAN"},
        {"551d0f0101ff04040302", "551d0e0101ff04040302", "twice"},
        {"0603551d11", "0603551d0e", "twice"},
        {"87040a010203", "8e040a010203", "GeneralName"},
        {"821665", "8a1665", "GeneralName"},
        {"300d06092a864886f70d01010b0500", "300d06092a864886f70d01010c0500", "outside"},
        {"060355040a", "06035504ca", "issuer"},
        {"550406130244", "55040602024445", "issuer"},
        {"3036313132343036", "3036313132343036", NULL},
    };
    struct slice der = fixture_der("rsa.crt");

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice from, to;
        struct cert *c;
        uint8_t *copy = arena_alloc(A, der.n);
        if (!CASES[i].error || strlen(CASES[i].from) != strlen(CASES[i].to))
            continue;
        assert_true(hex_read(A, text(CASES[i].from), &from));
        assert_true(hex_read(A, text(CASES[i].to), &to));
        size_t where = slice_search(der, from);
        if (where == der.n)
            fail_msg("%s is not in the fixture", CASES[i].from);
        memcpy(copy, der.p, der.n);
        memcpy(copy + where, to.p, to.n);
        refused(cert_read(A, slice_of(copy, der.n), &c, e), CASES[i].error);
    }
}

static void serial_numbers_are_read_and_printed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *decimal; /* NULL: refused */
    } CASES[] = {
        {"0", "0"},
        {"1", "1"},
        {"255", "255"},
        {"0xff", "255"},
        {"0XFF", "255"},
        {"0b101", "5"},
        {"0o17", "15"},
        {"017", "15"},
        {"00", "0"},
        {"1_000", "1000"},
        {"0x_ff", "255"},
        {"0_7", "7"},
        {"81985529216486895", "81985529216486895"},
        {"340282366920938463463374607431768211455", "340282366920938463463374607431768211455"},
        {"0xffffffffffffffffffffffffffffffff", "340282366920938463463374607431768211455"},
        {"", NULL},
        {"_1", NULL},
        {"1_", NULL},
        {"1__0", NULL},
        {"0x", NULL},
        {"08", NULL},
        {"0b2", NULL},
        {"-1", NULL},
        {"+1", NULL},
        {" 1", NULL},
        {"1 ", NULL},
        {"12a", NULL},
        {"0xg", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice magnitude;
        struct err e = {0};
        bool good = serial_read(A, text(CASES[i].text), &magnitude, &e);
        if (good != (CASES[i].decimal != NULL))
            fail_msg("\"%s\": %s", CASES[i].text, e.text);
        if (good)
            assert_slice(serial_decimal(A, magnitude), CASES[i].decimal);
    }
    /* 64 octets fit, 65 do not. */
    struct slice magnitude;
    char digits[131];
    struct slice sixty_four = {(const uint8_t *)digits, 130}, sixty_five;
    memset(digits, '0', sizeof(digits));
    digits[1] = 'x';
    digits[129] = '1';
    assert_true(serial_read(A, sixty_four, &magnitude, NULL));
    assert_int_equal(magnitude.n, 1);
    memset(digits + 2, 'f', sizeof(digits) - 2);
    assert_true(serial_read(A, sixty_four, &magnitude, NULL));
    assert_int_equal(magnitude.n, 64);
    sixty_five = slice_of(digits, sizeof(digits));
    refused(serial_read(A, sixty_five, &magnitude, e), "64 octets");
}

static void bundles_are_read(void **state)
{
    (void)state;
    struct slice one = fixture("ec.crt"), two = fixture("rsa.crt"), csr = fixture("ec.csr");
    struct cert_list list;

    ok(cert_list_read(A, one, "f", &list, e));
    assert_int_equal(list.n, 1);
    struct slice all =
        arena_format(A, "junk\n%.*smore\n%.*s%.*s", SLICE_ARG(one), SLICE_ARG(csr), SLICE_ARG(two));
    ok(cert_list_read(A, all, "f", &list, e));
    assert_int_equal(list.n, 2);
    assert_int_equal(list.v[1]->key->type, KEY_RSA);
    struct slice again = cert_list_pem(A, &list);
    ok(cert_list_read(A, again, "f", &list, e));
    assert_int_equal(list.n, 2);
    ok(cert_list_read(A, fixture_der("ec.crt"), "f", &list, e));
    assert_int_equal(list.n, 1);
    assert_true(slice_eq(cert_pem(A, list.v[0]->der), one));
    refused(cert_list_read(A, csr, "f.csr", &list, e), "f.csr contains no certificate");
    refused(cert_list_read(A, SLICE(""), "f", &list, e), "f contains no certificate");
    refused(cert_list_read(A, SLICE("hello"), "f", &list, e), "f: ");
    struct slice bad = arena_format(
        A, "%.*s-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", SLICE_ARG(one));
    refused(cert_list_read(A, bad, "f", &list, e), "certificate 2");
    ok(cert_list_load(A, FIXTURES "ca.crt", &list, e));
    refused(cert_list_load(A, FIXTURES "nothing-here", &list, e), "nothing-here");
}

static void fingerprint_is_sha256_of_the_der(void **state)
{
    (void)state;
    struct slice der = fixture_der("ec.crt");
    uint8_t md[32];

    EVP_Q_digest(NULL, "SHA256", NULL, der.p, der.n, md, NULL);
    assert_true(slice_eq(cert_fingerprint(A, der), hex_text(A, slice_of(md, 32))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_everything_in_a_full_certificate),
        TEST(reads_names_of_every_kind),
        TEST(reads_version_1_and_empty_subjects),
        TEST(knows_algorithms),
        TEST(changed_certificate_is_not_signed),
        TEST(nothing_is_read_that_libcrypto_refuses),
        TEST(broken_fields_are_named),
        TEST(serial_numbers_are_read_and_printed),
        TEST(bundles_are_read),
        TEST(fingerprint_is_sha256_of_the_der),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
