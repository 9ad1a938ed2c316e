/* The certificate JSON of templates: every member, in every accepted form, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "x509/leaf_json.h"

static struct arena *a;

static int set_up(void **state)
{
    (void)state;
    a = arena_new(&HEAP_USUAL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(a);
    return 0;
}

static bool try_read(const char *text, struct leaf_json *out, struct err *e)
{
    const struct json *v = json_read(a, slice_text(text), &JSON_API, NULL, NULL);

    assert_non_null(v);
    return leaf_json_read(a, v, out, e);
}

static struct x509_leaf read(const char *text)
{
    struct leaf_json out;
    struct err e = {0};

    if (!try_read(text, &out, &e))
        fail_msg("%s: %s", text, e.text);
    return out.leaf;
}

static void subject_is_a_text_or_an_object(void **state)
{
    (void)state;
    struct x509_leaf leaf = read("{\"subject\":\"a.test\"}");
    assert_true(slice_is(leaf.subject.common_name, "a.test"));
    leaf = read(
        "{\"Subject\":{\"commonName\":\"a\",\"country\":\"CH\",\"organization\":[\"O1\",\"O2\"],"
        "\"serialNumber\":\"7\",\"extraNames\":[{\"type\":\"1.2.840.113549.1.9.1\","
        "\"value\":\"a@b.test\"},{\"type\":\"1.2.3.4\",\"value\":\"x\"}]}}");
    assert_int_equal(leaf.subject.n_country, 1);
    assert_int_equal(leaf.subject.n_organization, 2);
    assert_true(slice_is(leaf.subject.serial_number, "7"));
    assert_int_equal(leaf.subject.n_extra, 2);
    assert_int_equal(leaf.subject.extra[0].tag, DER_IA5_STRING);
}

/* The subject as it is signed. */
static const char *signed_subject(const char *json)
{
    struct subject subject;
    struct buf der = buf_new(a, 4096);
    struct dn dn;
    struct err e = {0};

    assert_true(subject_json_read(a, json_read(a, slice_text(json), &JSON_API, NULL, NULL),
                                  "subject", &subject, &e));
    subject_put(&der, &subject);
    assert_true(dn_read(a, buf_slice(&der), &dn, &e));
    /* What judges the common name sees the one that is signed. */
    assert_true(slice_eq(dn_common_name(&dn), subject.common_name));
    return arena_cstr(a, dn_text(a, &dn));
}

static void extra_names_stand_for_those_of_their_type(void **state)
{
    static const struct {
        const char *json, *text;
    } CASES[] = {
        {"{\"commonName\":\"a\",\"extraNames\":[{\"type\":\"2.5.4.3\",\"value\":\"b\"}]}", "CN=b"},
        {"{\"extraNames\":[{\"type\":\"2.5.4.3\",\"value\":\"b\"}],\"commonName\":\"a\"}", "CN=b"},
        {"{\"commonName\":\"a\",\"organization\":[\"o\",\"p\"],\"extraNames\":[{\"type\":\"2.5.4."
         "10\","
         "\"value\":\"b\"},{\"type\":\"2.5.4.10\",\"value\":\"c\"}]}",
         "CN=a,O=b,O=c"},
        {"{\"commonName\":\"a\",\"serialNumber\":\"5\",\"extraNames\":[{\"type\":\"2.5.4.5\","
         "\"value\":"
         "\"6\"}]}",
         "CN=a,SERIALNUMBER=6"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        if (strcasecmp(signed_subject(CASES[i].json), CASES[i].text) != 0)
            fail_msg("%s: %s", CASES[i].json, signed_subject(CASES[i].json));
}

static void key_identifiers(void **state)
{
    (void)state;
    assert_false(read("{}").no_ski);
    assert_false(read("{\"subjectKeyId\":null}").no_ski);
    assert_false(read("{\"subjectKeyId\":\"AQID\"}").no_ski);
    assert_true(read("{\"subjectKeyId\":\"\"}").no_ski);
    assert_int_equal(read("{\"authorityKeyId\":\"AQID\"}").aki.n, 3);
}

static void names_come_from_five_members(void **state)
{
    (void)state;
    struct x509_leaf leaf = read(
        "{\"dnsNames\":\"a.test\",\"emailAddresses\":[\"x@a.test\"],\"ipAddresses\":\"10.0.0.1\","
        "\"uris\":[\"https://a.test/\"],\"sans\":[{\"type\":\"dns\",\"value\":\"b.test\"},"
        "{\"type\":\"auto\",\"value\":\"::1\"},{\"value\":\"y@a.test\"},"
        "{\"type\":\"ip\",\"value\":\"nonsense\"},{\"type\":\"dns\",\"value\":\"\"}]}");
    assert_int_equal(leaf.sans.n, 7);
    assert_int_equal(leaf.sans.v[5].kind, SAN_IP);
    assert_int_equal(leaf.sans.v[6].kind, SAN_EMAIL);
    assert_int_equal(leaf.raw.n, 0);
}

static void other_kinds_of_names_build_the_whole_extension(void **state)
{
    (void)state;
    struct x509_leaf leaf = read("{\"dnsNames\":[\"a.test\"],\"extensions\":[{\"id\":\"1.2.3\","
                                 "\"value\":\"BQA=\"}],\"sans\":["
                                 "{\"type\":\"permanentIdentifier\",\"value\":\"SN1\"},"
                                 "{\"type\":\"registeredID\",\"value\":\"1.2.3.4\"},"
                                 "{\"type\":\"userPrincipalName\",\"value\":\"u@a.test\"},"
                                 "{\"type\":\"hardwareModuleName\",\"asn1Value\":{\"type\":\"1.2."
                                 "3\",\"serialNumber\":\"AQI=\"}},"
                                 "{\"type\":\"dn\",\"asn1Value\":{\"commonName\":\"x\"}},"
                                 "{\"type\":\"1.2.3.5\",\"value\":\"utf8:hello\"}]}");
    struct sans names;
    struct err e = {0};

    assert_int_equal(leaf.sans.n, 0);
    assert_int_equal(leaf.raw.n, 2);
    assert_true(oid_eq(&OID_EXT_SAN, leaf.raw.v[0].oid));
    assert_true(leaf.raw.v[0].critical); /* no subject */
    assert_true(sans_read(a, leaf.raw.v[0].value, &names, &e));
    assert_int_equal(names.n, 7);
    assert_int_equal(names.v[0].kind, SAN_DNS);
}

/* The value of an otherName 1.2.3 with that text; NULL: it is refused. */
static const char *other_name(const char *text)
{
    char json[512];
    struct leaf_json out;
    struct sans names;
    struct err e = {0};

    snprintf(json, sizeof(json),
             "{\"subject\":\"x\",\"sans\":[{\"type\":\"1.2.3\",\"value\":\"%s\"}]}", text);
    struct json *v = json_read(a, slice_text(json), &JSON_API, NULL, &e);
    assert_non_null(v);
    if (!leaf_json_read(a, v, &out, &e))
        return NULL;
    assert_true(sans_read(a, out.leaf.raw.v[0].value, &names, &e));
    assert_int_equal(names.v[0].kind, SAN_OTHER);
    /* [0] { 06 02 2a03, value } */
    return arena_cstr(a, hex_text(a, slice_from(names.v[0].text, 6)));
}

static void values_of_other_names_have_types(void **state)
{
    static const struct {
        const char *text, *der;
    } CASES[] = {
        {"hello", "a007130568656c6c6f"},
        {"a*b", "a0051303612a62"},
        {"utf8:\xc3\xa9", "a0040c02c3a9"},
        {"ia5:x@y", "a0051603784079"},
        {"numeric:1 2", "a0051203312032"},
        {"int:5", "a003020105"},
        {"int:-129", "a0040202ff7f"},
        {"int:+128", "a00402020080"},
        {"int:-9223372036854775808", "a00a02088000000000000000"},
        {"oid:1.2.3", "a00406022a03"},
        {"bool:true", "a0030101ff"},
        {"boolean:F", "a003010100"},
        {"utc:2023-03-29T02:03:57Z", "a00f170d3233303332393032303335375a"},
        {"utc:2023-03-29 04:03:57.5 +0200 CEST", "a00f170d3233303332393032303335375a"},
        {"utc:2123-03-29T02:03:57Z", "a011180f32313233303332393032303335375a"},
        {"generalized:2023-03-29T02:03:57Z", "a011180f32303233303332393032303335375a"},
        {"raw:BQA=", "a0020500"},
        {"raw:oAIFAA==", "a0020500"}, /* with its tag already */
        {"other:a*b", "a0050c03612a62"},
        {"other:ab", "a00413026162"},
        {"utf8,explicit:x", "a0030c0178"},
        {"x:y:z", "a0051303793a7a"},
        {"ia5:\xc3\xa9", NULL},
        {"numeric:a", NULL},
        {"int:x", NULL},
        {"int:", NULL},
        {"int:-", NULL},
        {"int:9223372036854775808", NULL},
        {"int:99999999999999999999", NULL},
        {"oid:1", NULL},
        {"bool:yes", NULL},
        {"utc:yesterday", NULL},
        {"utc:2023-03-29 02:03:57", NULL},
        {"generalized:", NULL},
        {"raw:!", NULL},
        {"printable:a&b", NULL},
        {"a&b", NULL},
        {"a_b", NULL},
        {"other:a@b", NULL},
        {"set:x", NULL},
        {"application:x", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const char *der = other_name(CASES[i].text);
        if (!der || !CASES[i].der || strcmp(der, CASES[i].der) != 0) {
            if (der || CASES[i].der)
                fail_msg("%s: %s, expected %s", CASES[i].text, der ? der : "refused",
                         CASES[i].der ? CASES[i].der : "refused");
        }
    }
}

static void uris_are_escaped(void **state)
{
    (void)state;
    struct x509_leaf leaf = read("{\"uris\":[\"x y\",\"https://x/\xc3\xa9\"]}");
    assert_true(slice_is(leaf.sans.v[0].text, "x%20y"));
    assert_true(slice_is(leaf.sans.v[1].text, "https://x/%C3%A9"));
}

static void a_given_extension_wins_over_names(void **state)
{
    (void)state;
    struct x509_leaf leaf = read(
        "{\"dnsNames\":[\"a.test\"],\"extensions\":[{\"id\":\"2.5.29.17\",\"value\":\"MAA=\"}]}");
    assert_int_equal(leaf.sans.n, 0);
    assert_int_equal(leaf.raw.n, 1);
}

static void usages_are_found_by_name(void **state)
{
    (void)state;
    struct x509_leaf leaf =
        read("{\"keyUsage\":[\"digitalSignature\",\"CERT_SIGN\",\"nonrepudiation\"],"
             "\"extKeyUsage\":\"serverAuth\",\"unknownExtKeyUsage\":[\"1.2.3\"]}");
    assert_int_equal(leaf.key_usage, KU_DIGITAL_SIGNATURE | KU_CERT_SIGN | KU_CONTENT_COMMITMENT);
    assert_int_equal(leaf.n_eku, 2);
    assert_true(oid_eq(&OID_EKU_SERVER, leaf.eku[0]));
}

static void constraints_and_lists(void **state)
{
    (void)state;
    struct x509_leaf leaf =
        read("{\"basicConstraints\":{\"isCA\":true,\"maxPathLen\":0},\"ocspServer\":\"http://o/\","
             "\"issuingCertificateURL\":[\"http://i/\"],\"crlDistributionPoints\":[\"http://c/\"],"
             "\"policyIdentifiers\":[\"1.2.3.4\"],\"nameConstraints\":{\"critical\":true,"
             "\"permittedDNSDomains\":[\"a.test\"],\"excludedIPRanges\":\"10.0.0.0/8\"},"
             "\"subjectKeyId\":\"AQIDBA==\",\"serialNumber\":\"0x1F\",\"signatureAlgorithm\":"
             "\"ecdsa-sha384\"}");
    assert_true(leaf.has_basic && leaf.basic.ca);
    assert_int_equal(leaf.basic.path_len, 0);
    assert_int_equal(leaf.n_ocsp + leaf.n_ca_issuers + leaf.n_crl_points + leaf.n_policies, 4);
    assert_true(leaf.name_constraints_critical);
    static const char WANT[] = "301aa00a30088206612e74657374a10c300a87080a000000ff000000";
    assert_true(slice_is(hex_text(a, leaf.name_constraints), WANT));
    assert_int_equal(leaf.ski.n, 4);
    assert_int_equal(leaf.serial.p[0], 31);
    assert_int_equal(leaf.alg.digest, DIGEST_SHA384);
    leaf = read("{\"basicConstraints\":{\"isCA\":true,\"maxPathLen\":-1}}");
    assert_int_equal(leaf.basic.path_len, -1);
    leaf = read("{\"basicConstraints\":{}}");
    assert_true(leaf.has_basic && !leaf.basic.ca);
}

static void times_are_optional(void **state)
{
    struct leaf_json out;
    struct err e = {0};

    (void)state;
    assert_true(try_read("{\"notBefore\":\"2026-01-01T00:00:00Z\",\"notAfter\":null}", &out, &e));
    assert_true(out.has_before && !out.has_after);
}

static void wrong_values_are_refused(void **state)
{
    static const char *const TEXTS[] = {
        "[]",
        "{\"subject\":5}",
        "{\"subject\":{\"country\":5}}",
        "{\"subject\":{\"commonName\":[]}}",
        "{\"dnsNames\":[1]}",
        "{\"dnsNames\":{}}",
        "{\"ipAddresses\":[\"x\"]}",
        "{\"sans\":{}}",
        "{\"sans\":[{\"type\":\"DNS\",\"value\":\"a\"}]}",
        "{\"sans\":[{\"type\":\"x400Address\",\"value\":\"a\"}]}",
        "{\"sans\":[{\"type\":\"dn\",\"asn1Value\":{}}]}",
        "{\"sans\":[{\"type\":\"registeredID\",\"value\":\"x\"}]}",
        "{\"sans\":[{\"type\":\"userPrincipalName\",\"asn1Value\":{\"upn\":\"u@d\"}}]}",
        "{\"sans\":[{\"type\":\"auto\",\"asn1Value\":\"x\"},{\"type\":\"registeredID\",\"value\":"
        "\"1.2.3\"}]}",
        "{\"keyUsage\":\"x\"}",
        "{\"extKeyUsage\":\"x\"}",
        "{\"unknownExtKeyUsage\":\"x\"}",
        "{\"serialNumber\":\"x\"}",
        "{\"serialNumber\":-1}",
        "{\"serialNumber\":1.5}",
        "{\"notBefore\":\"yesterday\"}",
        "{\"extensions\":[{\"id\":\"x\"}]}",
        "{\"extensions\":{}}",
        "{\"extensions\":[{\"id\":\"1.2\",\"value\":\"%\"}]}",
        "{\"subjectKeyId\":\"%\"}",
        "{\"signatureAlgorithm\":\"SHA1-RSA\"}",
        "{\"signatureAlgorithm\":\"MD5-RSA\"}",
        "{\"nameConstraints\":{\"permittedIPRanges\":[\"10.0.0.1\"]}}",
        "{\"basicConstraints\":5}",
        "{\"rawSubject\":\"AQ==\"}",
        "{\"version\":\"x\"}",
        "{\"issuer\":5}",
        "{\"authorityKeyId\":5}",
        "{\"serialNumber\":\"\"}",
        "{\"uris\":\"https://\xc3\xa9/\"}",
        "{\"sans\":[{\"type\":5}]}",
        "{\"sans\":[{\"value\":5}]}",
        "{\"sans\":[5]}",
        "{\"sans\":[{\"type\":\"permanentIdentifier\",\"asn1Value\":\"x\"}]}",
        "{\"nameConstraints\":{\"permittedDNSDomains\":\"\xc3\xa9\"}}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        struct leaf_json out;
        struct err e = {0};
        if (try_read(TEXTS[i], &out, &e))
            fail_msg("accepted: %s", TEXTS[i]);
        assert_int_equal(e.kind, ERR_MALFORMED);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(subject_is_a_text_or_an_object),
        CASE(extra_names_stand_for_those_of_their_type),
        CASE(key_identifiers),
        CASE(names_come_from_five_members),
        CASE(other_kinds_of_names_build_the_whole_extension),
        CASE(values_of_other_names_have_types),
        CASE(uris_are_escaped),
        CASE(a_given_extension_wins_over_names),
        CASE(usages_are_found_by_name),
        CASE(constraints_and_lists),
        CASE(times_are_optional),
        CASE(wrong_values_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
