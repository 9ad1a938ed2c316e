/* Renderings: a certificate that never changes (fixed keys, serial and times, a deterministic
 * signature) has texts that never change. */
#include "x509_test.h"

#include "json/json.h"

static struct private_key *fixed_key(enum key_type type, uint8_t fill, size_t n)
{
    struct key_numbers numbers = {0};
    struct private_key *key = NULL;
    uint8_t *d = arena_alloc(A, n);

    memset(d, fill, n);
    if (type == KEY_ED25519) {
        /* The public half of a seed. */
        EVP_PKEY *evp = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, d, n);
        uint8_t *x = arena_alloc(A, 32);
        size_t size = 32;
        assert_int_equal(EVP_PKEY_get_raw_public_key(evp, x, &size), 1);
        EVP_PKEY_free(evp);
        numbers.x = slice_of(x, 32);
    } else {
        /* The generator of P-256: d = 1. */
        memset(d, 0, n);
        d[n - 1] = 1;
        assert_true(
            hex_read(A, text("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
                     &numbers.x));
        assert_true(
            hex_read(A, text("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"),
                     &numbers.y));
    }
    numbers.d = slice_of(d, n);
    ok(private_key_from_numbers(A, type, &numbers, &key, e));
    return key;
}

static struct cert *fixed_cert(void)
{
    static struct slice eku[2], names[4];
    struct private_key *ca = fixed_key(KEY_ED25519, 7, 32), *leaf_key = fixed_key(KEY_P256, 1, 32);
    struct signer *s = signer_local(A, ca, "CA");
    struct issuer issuer = {.key = s->public_key, .signer = s};
    struct slice org[] = {SLICE("Example")};
    struct x509_leaf root = leaf_new(s->public_key, "Example Intermediate CA");
    struct x509_leaf leaf = leaf_new(leaf_key->public_key, "web.example.internal");
    struct provisioner_extension p = {
        .type = 1, .name = SLICE("ops@example.com"), .credential_id = SLICE("1aF8abcdefx0Kc")};
    struct buf value = buf_new(A, 200);

    root.subject.organization = org;
    root.subject.n_organization = 1;
    root.has_basic = root.basic.ca = true;
    root.basic.path_len = 0;
    root.key_usage = KU_CERT_SIGN | KU_CRL_SIGN;
    root.serial = SLICE("\x01");
    cert_list_add(A, &issuer.chain, sign(&root, &issuer));

    eku[0] = slice_of(OID_EKU_SERVER.p, OID_EKU_SERVER.n);
    eku[1] = slice_of(OID_EKU_CLIENT.p, OID_EKU_CLIENT.n);
    names[0] = SLICE("web.example.internal");
    names[1] = SLICE("10.0.0.7");
    names[2] = SLICE("www.example.internal");
    names[3] = SLICE("ops@example.com");
    provisioner_extension_put(&value, &p);
    leaf.eku = eku;
    leaf.n_eku = 2;
    leaf.provisioner = buf_slice(&value);
    leaf.serial = SLICE("\x01\x23\x45\x67\x89\xab\xcd\xef");
    leaf.not_before = at("2026-02-03T10:19:30Z");
    leaf.not_after = at("2026-02-14T10:20:30Z");
    sans_split(A, names, 4, &leaf.sans);
    return sign(&leaf, &issuer);
}

static void assert_text(struct buf *b, const char *expected)
{
    struct slice got = buf_slice(b), want = slice_text(expected);
    size_t line = 1;

    for (size_t i = 0; i < got.n && i < want.n && got.p[i] == want.p[i]; i++)
        line += got.p[i] == '\n';
    if (!slice_eq(got, want))
        fail_msg("line %zu of:\n%.*s", line, SLICE_ARG(got));
}

static void show_hex_upper(struct buf *b, struct slice bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        buf_printf(b, i ? ":%02X" : "%02X", bytes.p[i]);
}

static void long_text_is_the_documented_one(void **state)
{
    (void)state;
    struct cert *c = fixed_cert();
    struct buf b = buf_new(A, 100000);
    struct buf expected = buf_new(A, 100000);

    cert_show_text(&b, c);
    buf_text(&expected, "Certificate:\n"
                        "    Data:\n"
                        "        Version: 3 (0x2)\n"
                        "        Serial Number: 81985529216486895 (0x0123456789abcdef)\n"
                        "        Signature Algorithm: Ed25519\n"
                        "        Issuer: O=Example,CN=Example Intermediate CA\n"
                        "        Validity\n"
                        "            Not Before: Feb 3 10:19:30 2026 UTC\n"
                        "            Not After : Feb 14 10:20:30 2026 UTC\n"
                        "        Subject: CN=web.example.internal\n"
                        "        Subject Public Key Info:\n"
                        "            Public Key Algorithm: ECDSA\n"
                        "                Public-Key: (256 bit)\n"
                        "                X:\n"
                        "                    6b:17:d1:f2:e1:2c:42:47:f8:bc:e6:e5:63:a4:40:\n"
                        "                    f2:77:03:7d:81:2d:eb:33:a0:f4:a1:39:45:d8:98:\n"
                        "                    c2:96\n"
                        "                Y:\n"
                        "                    4f:e3:42:e2:fe:1a:7f:9b:8e:e7:eb:4a:7c:0f:9e:\n"
                        "                    16:2b:ce:33:57:6b:31:5e:ce:cb:b6:40:68:37:bf:\n"
                        "                    51:f5\n"
                        "                Curve: P-256\n"
                        "        X509v3 extensions:\n"
                        "            X509v3 Key Usage: critical\n"
                        "                Digital Signature\n"
                        "            X509v3 Extended Key Usage:\n"
                        "                Server Authentication, Client Authentication\n"
                        "            X509v3 Subject Key Identifier:\n"
                        "                ");
    show_hex_upper(&expected, c->ski);
    buf_text(&expected, "\n            X509v3 Authority Key Identifier:\n                ");
    show_hex_upper(&expected, c->aki);
    buf_text(&expected, "\n"
                        "            X509v3 Subject Alternative Name:\n"
                        "                DNS:web.example.internal, DNS:www.example.internal\n"
                        "                email:ops@example.com\n"
                        "                IP Address:10.0.0.7\n"
                        "            X509v3 Step Provisioner:\n"
                        "                Type: JWK\n"
                        "                Name: ops@example.com\n"
                        "                CredentialID: 1aF8abcdefx0Kc\n"
                        "    Signature Algorithm: Ed25519\n");
    for (size_t i = 0; i < 64; i++) {
        buf_text(&expected, i % 18 ? "" : "         ");
        buf_printf(&expected, "%02x", c->signature.p[i]);
        buf_text(&expected, i == 63 ? "" : ":");
        buf_text(&expected, i % 18 == 17 || i == 63 ? "\n" : "");
    }
    assert_text(&b, arena_cstr(A, buf_slice(&expected)));
}

static void short_text_is_the_documented_one(void **state)
{
    (void)state;
    struct buf b = buf_new(A, 10000);

    cert_show_short(&b, fixed_cert());
    assert_text(&b, "X.509v3 TLS Certificate (ECDSA P-256) [Serial: 8198...6895]\n"
                    "  Subject:     web.example.internal\n"
                    "               www.example.internal\n"
                    "               10.0.0.7\n"
                    "               ops@example.com\n"
                    "  Issuer:      Example Intermediate CA\n"
                    "  Provisioner: ops@example.com [ID: 1aF8...x0Kc]\n"
                    "  Valid from:  2026-02-03T10:19:30Z\n"
                    "          to:  2026-02-14T10:20:30Z\n");
    buf_reset(&b);
    csr_show_short(&b, csr_fixture("empty-subject.csr"));
    assert_text(&b, "X.509v3 Certificate Signing Request (ECDSA P-256)\n"
                    "  Subject:     csr.example.com\n"
                    "               www.csr.example.com\n"
                    "               192.0.2.1\n"
                    "               csr@example.com\n"
                    "               spiffe://example.com/csr\n");
}

static void kinds_and_keys_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name, *line;
    } CASES[] = {
        {"ca.crt", "X.509v3 Root CA Certificate (ECDSA P-384)"},
        {"rsa.crt", "X.509v3 TLS Certificate (RSA 2048)"},
        {"ed25519.crt", "X.509v3 TLS Certificate (Ed25519 256)"},
        {"v1.crt", "X.509v1 TLS Certificate (RSA 2048)"},
        {"ed448.crt", "X.509v3 Intermediate CA Certificate (Ed448)"},
        {"empty-subject.crt", "X.509v3 TLS Certificate (ECDSA P-256)"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf b = buf_new(A, 10000);
        cert_show_short(&b, cert_fixture(CASES[i].name));
        if (!slice_starts(buf_slice(&b), CASES[i].line))
            fail_msg("%s: %.*s", CASES[i].name, SLICE_ARG(buf_slice(&b)));
    }
}

static void has(struct buf *b, const char *what)
{
    if (slice_search(buf_slice(b), text(what)) == b->n)
        fail_msg("\"%s\" is not in:\n%.*s", what, SLICE_ARG(buf_slice(b)));
}

static void every_extension_is_rendered(void **state)
{
    (void)state;
    static const char *const PARTS[] = {
        "        Issuer: C=DE,O=Example & Söhne,OU=One,OU=Two,CN=everything.example.com,"
        "emailAddress=admin@example.com\n",
        "            Public Key Algorithm: RSA\n                Public-Key: (2048 bit)\n"
        "                Modulus:\n",
        "                Exponent: 65537 (0x10001)\n",
        "            X509v3 Extended Key Usage:\n                Server Authentication, Client "
        "Authentication, E-mail Protection, 1.2.3.4.5\n",
        "            X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "                IP Address:10.1.2.3, IP Address:2001:db8::7\n",
        "                UPN: user@example.com\n",
        "                Permanent Identifier: serial-77, Assigner: 1.2.3.4.5\n",
        "                Hardware Module Name: Type: 1.2.3.4.6, Serial Number: 1234\n",
        "                Policy: 1.2.3.4\n                Policy: 1.3.5.8\n",
        "                OCSP - URI:http://ocsp.example.com/a,URI:http://ocsp.example.com/b\n"
        "                CA Issuers - URI:http://ca.example.com/ca.crt\n",
        "                Full Name:\n                  URI:http://crl.example.com/1.crl, "
        "URI:http://crl.example.com/2.crl\n",
        "            Netscape Comment:\n                made for tests\n",
        "            1.2.3.4.5.6:\n                ..private extension\n",
        "    Signature Algorithm: SHA256-RSA\n         ",
    };
    struct buf b = buf_new(A, 100000);

    cert_show_text(&b, cert_fixture("rsa.crt"));
    for (size_t i = 0; i < COUNT_OF(PARTS); i++)
        has(&b, PARTS[i]);
    buf_reset(&b);
    cert_show_text(&b, cert_fixture("constrained.crt"));
    has(&b, "            X509v3 Name Constraints: critical\n"
            "                Permitted:\n"
            "                  DNS: example.com, .example.org\n"
            "                  Email: .example.com\n"
            "                  URI: .example.com\n"
            "                  IP Range: 10.0.0.0/8\n"
            "                Excluded:\n"
            "                  DNS: secret.example.com\n"
            "                  Email: root@mail.example.com\n"
            "                  IP Range: 10.9.0.0/16, 2001:db8::/32\n");
    buf_reset(&b);
    cert_show_text(&b, cert_fixture("ca.crt"));
    has(&b, "                CA:TRUE, pathlen:3\n");
    has(&b, "                Certificate Sign, CRL Sign\n");
    buf_reset(&b);
    cert_show_text(&b, cert_fixture("ed448.crt"));
    has(&b, "            Public Key Algorithm: Ed448\n                Raw Bytes:\n");
}

/* One extension in a certificate of its own. */
static struct slice shown(struct extension x)
{
    struct issuer root = ca_new(signer_new(KEY_P256, 0), "Root", NULL);
    struct x509_leaf leaf = leaf_new(root.key, "leaf");
    struct buf b = buf_new(A, 100000);

    leaf.raw = (struct extensions){&x, 1};
    leaf.copy_extensions = true;
    cert_show_text(&b, sign(&leaf, &root));
    size_t from = slice_search(buf_slice(&b), SLICE("extensions:\n"));
    size_t to = slice_search(buf_slice(&b), SLICE("\n    Signature Algorithm: "));
    struct slice all = slice_sub(buf_slice(&b), from + 12, to + 1 - from - 12);
    size_t skip = slice_search(all, SLICE("Key Identifier:\n")) + 16;
    return slice_from(all, skip + slice_find(slice_from(all, skip), '\n') + 1);
}

static void odd_values_are_shown(void **state)
{
    (void)state;
    static const struct {
        const char *oid, *value; /* hexadecimal */
        bool critical;
        const char *text;
    } CASES[] = {
        {"551d0f", "030100", true,
         "            X509v3 Key Usage: critical\n                None\n"},
        {"551d0f", "0303070180", false,
         "            X509v3 Key Usage:\n                Encipher Only, Decipher Only\n"},
        {"551d20", "0500", false, "            X509v3 Certificate Policies:\n                ..\n"},
        {"551d1e", "41421b", true,
         "            X509v3 Name Constraints: critical\n                AB.\n"},
        {"551d24", "3000", false, "            Unknown extension 2.5.29.36:\n                0.\n"},
        {"2a0304", "1b5b33316d", true, "            1.2.3.4: critical\n                .[31m\n"},
        {"2b0601040182a464c62840"
         "01",
         "300702016304026f6b0400", false,
         "            X509v3 Step Provisioner:\n                0...c..ok..\n"},
        {"2b0601040182a464c62840"
         "01",
         "300902016304026f6b0400", false,
         "            X509v3 Step Provisioner:\n                Type: 99 (unknown)\n"
         "                Name: ok\n"},
        {"2b0601040182a464c62840"
         "01",
         "301302010404016104016230081301"
         "6b130176"
         "1300",
         false,
         "            X509v3 Step Provisioner:\n                Type: AWS\n                Name: "
         "a\n"
         "                CredentialID: b\n                k: v\n"},
        {"2b0601040182a464c62840"
         "02",
         "30080c0161"
         "0c0162"
         "3000",
         false,
         "            X509v3 Step Registration Authority:\n                Type: a\n"
         "                CertificateID: b\n"},
        {"2b0601040182c40a0303", "050207", false,
         "            X509v3 YubiKey Firmware Version:\n                5.2.7\n"},
        {"2b0601040182c40a0307", "020301e240", false,
         "            X509v3 YubiKey Serial Number:\n                123456\n"},
        {"2b0601040182c40a0308", "0302", false,
         "            X509v3 YubiKey Policy:\n                PIN policy: always\n"
         "                Touch policy: always\n"},
        {"2b06010401d679020402", "0402ffff", false,
         "            RFC6962 Certificate Transparency SCT:\n                ....\n"},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct extension x = {.critical = CASES[i].critical};
        assert_true(hex_read(A, text(CASES[i].oid), &x.oid));
        assert_true(hex_read(A, text(CASES[i].value), &x.value));
        struct slice got = shown(x);
        if (!slice_is(got, CASES[i].text))
            fail_msg("case %zu:\n%.*s\n%s", i, SLICE_ARG(got), CASES[i].text);
    }
}

static void transparency_timestamps_are_decoded(void **state)
{
    (void)state;
    struct buf b = buf_new(A, 1000);
    struct slice head, oid;

    assert_true(hex_read(A, text("2b06010401d679020402"), &oid));
    /* OCTET STRING, list of one of 52 bytes: v1, log id, time, no extensions, ECDSA with SHA-256,
     * signature of 3 bytes. */
    assert_true(hex_read(A,
                         text("0436"
                              "0034"
                              "0032"
                              "00"),
                         &head));
    buf_put(&b, head);
    for (int i = 0; i < 32; i++)
        buf_byte(&b, 0);
    buf_u64(&b, 1770113970123);
    assert_true(hex_read(A,
                         text("0000"
                              "0403"
                              "0003"
                              "aabbcc"),
                         &head));
    buf_put(&b, head);
    struct slice got = shown((struct extension){.oid = oid, .value = buf_slice(&b)});
    assert_slice(got, "            RFC6962 Certificate Transparency SCT:\n"
                      "                SCT [0]:\n"
                      "                    Version: V1 (0x0)\n"
                      "                    LogID: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
                      "                    Timestamp: Feb 3 10:19:30.123 2026 UTC\n"
                      "                    Signature Algorithm: SHA256-ECDSA\n"
                      "                        aa:bb:cc\n");
}

static void requests_show_unknown_extensions_as_attributes(void **state)
{
    (void)state;
    struct buf b = buf_new(A, 100000);

    csr_show_text(&b, csr_fixture("ec.csr"));
    has(&b, "Certificate Request:\n    Data:\n        Version: 0 (0x0)\n        Subject: C=DE,");
    has(&b, "        Requested Extensions:\n"
            "            X509v3 Subject Alternative Name:\n"
            "                DNS:csr.example.com, DNS:www.csr.example.com\n"
            "                email:csr@example.com\n"
            "                IP Address:192.0.2.1\n"
            "                URI:spiffe://example.com/csr\n"
            "            X509v3 Key Usage: critical\n"
            "                Digital Signature\n"
            "            X509v3 Extended Key Usage:\n"
            "                Server Authentication, UNKNOWN(1.2.3.4.5)\n"
            "            X509v3 Basic Constraints:\n"
            "                CA:FALSE\n"
            "        Attributes:\n"
            "            1.2.3.4.5.6:\n"
            "                ...A\n"
            "                0102FF41\n"
            "    Signature Algorithm: ECDSA-SHA256\n");
}

static const struct json *member(const struct json *o, const char *path)
{
    struct slice rest = slice_text(path), name;

    while (slice_split(&rest, '.', &name)) {
        o = json_get_exact(o, arena_cstr(A, name));
        if (!o)
            fail_msg("no member %s", path);
    }
    return o;
}

static void json_has_the_documented_members(void **state)
{
    (void)state;
    static const char *const MEMBERS[] = {"version",
                                          "serial_number",
                                          "signature_algorithm.name",
                                          "signature_algorithm.oid",
                                          "issuer.common_name",
                                          "issuer_dn",
                                          "validity.start",
                                          "validity.end",
                                          "validity.length",
                                          "subject.common_name",
                                          "subject_dn",
                                          "subject_key_info.key_algorithm.name",
                                          "subject_key_info.ecdsa_public_key.curve",
                                          "subject_key_info.ecdsa_public_key.x",
                                          "subject_key_info.fingerprint_sha256",
                                          "extensions.key_usage.digital_signature",
                                          "extensions.key_usage.value",
                                          "extensions.basic_constraints.is_ca",
                                          "extensions.subject_alt_name.dns_names",
                                          "extensions.subject_alt_name.other_names",
                                          "extensions.subject_alt_name.directory_names",
                                          "extensions.extended_key_usage.server_auth",
                                          "extensions.subject_key_id",
                                          "extensions.crl_distribution_points",
                                          "extensions.authority_info_access.ocsp_urls",
                                          "extensions.certificate_policies",
                                          "unknown_extensions",
                                          "signature.value",
                                          "signature.valid",
                                          "signature.self_signed",
                                          "fingerprint_md5",
                                          "fingerprint_sha1",
                                          "fingerprint_sha256",
                                          "tbs_fingerprint",
                                          "names",
                                          "redacted"};
    struct buf b = buf_new(A, 100000);
    struct cert *c = cert_fixture("ec.crt");
    int64_t length;

    cert_show_json(&b, c, "  ");
    struct json *o = json_read(A, buf_slice(&b), &JSON_STRICT, NULL, NULL);
    assert_non_null(o);
    for (size_t i = 0; i < COUNT_OF(MEMBERS); i++)
        assert_non_null(member(o, MEMBERS[i]));
    assert_true(slice_eq(json_text(member(o, "serial_number")), serial_decimal(A, c->serial)));
    assert_true(slice_eq(json_text(member(o, "fingerprint_sha256")), cert_fingerprint(A, c->der)));
    assert_true(json_int(member(o, "validity.length"), &length));
    assert_int_equal(length, c->not_after.sec - c->not_before.sec);
    assert_true(member(o, "signature.self_signed")->truth);
    has(&b, "\n  \"version\": 3,\n");
    assert_int_equal(member(o, "extensions.certificate_policies")->n, 2);

    static const char *const OTHERS[] = {
        "rsa.crt", "v1.crt", "ed448.crt", "constrained.crt", "empty-subject.crt", "ed25519.crt"};
    for (size_t i = 0; i < COUNT_OF(OTHERS); i++) {
        buf_reset(&b);
        cert_show_json(&b, cert_fixture(OTHERS[i]), "  ");
        assert_non_null(json_read(A, buf_slice(&b), &JSON_STRICT, NULL, NULL));
    }
    buf_reset(&b);
    csr_show_json(&b, csr_fixture("rsa.csr"), "  ");
    o = json_read(A, buf_slice(&b), &JSON_STRICT, NULL, NULL);
    assert_true(member(o, "signature.valid")->truth);
    assert_int_equal(member(o, "subject_alt_name.dns_names")->n, 2);
}

static void crl_is_shown(void **state)
{
    (void)state;
    struct buf b = buf_new(A, 100000);
    struct crl crl;

    ok(crl_read(A, fixture_der("ca.crl"), &crl, e));
    crl_show_text(&b, &crl, NULL);
    has(&b,
        "Certificate Revocation List (CRL):\n    Data:\n        Valid: true\n"
        "        Version: 2 (0x1)\n    Signature algorithm: ECDSA-SHA256\n        Issuer: C=DE,");
    has(&b, "            X509v3 CRL Number:\n                7\n"
            "        Revoked Certificates:\n"
            "            Serial Number: 255 (0xFF)\n"
            "                Revocation Date: 2026-01-01 00:00:00 +0000 UTC\n"
            "                CRL Entry Extensions:\n"
            "                    X509v3 CRL Reason Code:\n"
            "                        Key Compromise\n"
            "            Serial Number: 1512366075204170929049582354406559215 "
            "(0x0123456789ABCDEF0123456789ABCDEF)\n");
    buf_reset(&b);
    crl.n = 0;
    crl_show_text(&b, &crl, "Signature does not match");
    has(&b, "        Valid: false\n        Reason: Signature does not match\n");
    has(&b, "        No Revoked Certificates.\n    Signature Algorithm: ");
    buf_reset(&b);
    ok(crl_read(A, fixture_der("ca.crl"), &crl, e));
    crl_show_json(&b, &crl, "CRL has expired", "  ");
    struct json *o = json_read(A, buf_slice(&b), &JSON_STRICT, NULL, NULL);
    assert_non_null(o);
    assert_false(member(o, "signature.valid")->truth);
    assert_slice(json_text(member(o, "signature.reason")), "CRL has expired");
    assert_slice(json_text(member(o, "issuer.common_name")), "everything.example.com");
    assert_int_equal(member(o, "revoked_certificates")->n, 2);
    assert_slice(json_text(member(member(o, "extensions")->first->next, "crl_number")), "7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(long_text_is_the_documented_one),
        TEST(short_text_is_the_documented_one),
        TEST(kinds_and_keys_are_told_apart),
        TEST(every_extension_is_rendered),
        TEST(odd_values_are_shown),
        TEST(transparency_timestamps_are_decoded),
        TEST(requests_show_unknown_extensions_as_attributes),
        TEST(json_has_the_documented_members),
        TEST(crl_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
