/* What is shown of lists, names and policies beyond the documented example, and of certificates
 * that nothing else would accept. */
#include "x509_test.h"

static void has(struct buf *b, const char *what)
{
    if (slice_search(buf_slice(b), text(what)) == b->n)
        fail_msg("\"%s\" is not in:\n%.*s", what, SLICE_ARG(buf_slice(b)));
}

static struct slice hex(const char *digits)
{
    struct slice bytes;

    assert_true(hex_read(A, text(digits), &bytes));
    return bytes;
}

/* What a list says about its scope, and an entry beyond its reason. */
static void crl_scope_and_entry_extensions_are_shown(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text, *json;
    } CASES[] = {
        {"3014a00ca00a8608687474703a2f2f618101ff8401ff",
         "                Full Name:\n"
         "                    URI:http://a\n"
         "                Only User Certificates\n"
         "                Indirect CRL\n",
         "{\"full_names\":[\"URI:http://"
         "a\"],\"only_user_certificates\":true,\"indirect_crl\":true}"},
        {"300483020560", "                Only Some Reasons: Key Compromise, CA Compromise\n",
         "{\"only_some_reasons\":[\"Key Compromise\",\"CA Compromise\"]}"},
        {"30068201ff8501ff",
         "                Only CA Certificates\n                Only Attribute Certificates\n",
         "{\"only_ca_certificates\":true,\"only_attribute_certificates\":true}"},
    };
    struct buf b = buf_new(A, 100000);
    struct extension idp = {.oid = slice_of(OID_EXT_IDP.p, OID_EXT_IDP.n), .critical = true};
    struct crl crl;

    ok(crl_read(A, fixture_der("ca.crl"), &crl, e));
    crl.extensions = (struct extensions){&idp, 1};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        idp.value = hex(CASES[i].value);
        buf_reset(&b);
        crl_show_text(&b, &crl, NULL);
        has(&b, arena_printf(A, "X509v3 Issuing Distribution Point: critical\n%s        Revoked",
                             CASES[i].text));
        buf_reset(&b);
        crl_show_json(&b, &crl, NULL, NULL);
        has(&b, arena_printf(A, "\"issuing_distribution_point\":%s", CASES[i].json));
    }
    idp.value = hex("3004a002a100"); /* relative to the issuer */
    buf_reset(&b);
    crl_show_text(&b, &crl, NULL);
    has(&b, "2.5.29.28: critical\n                0.....\n");

    crl.entries[0].extensions =
        hex("301e300a0603551d1504030a010130100603551d17040906072a8648ce380202");
    buf_reset(&b);
    crl_show_text(&b, &crl, NULL);
    has(&b, "                CRL Entry Extensions:\n"
            "                    X509v3 CRL Reason Code:\n"
            "                        Key Compromise\n"
            "                    2.5.29.23\n"
            "                        ..*.H.8..\n");
    buf_reset(&b);
    crl_show_json(&b, &crl, NULL, NULL);
    has(&b, "\"extensions\":[{\"crl_reason_code\":\"Key Compromise\"},"
            "{\"2.5.29.23\":\"BgcqhkjOOAIC\"}]");
}

static void json_tells_what_the_text_leaves_out(void **state)
{
    (void)state;
    static const struct {
        const char *oid, *value, *json;
    } CASES[] = {
        {"551d20",
         "30333031"
         "06022b05"
         "302b300d06082b06010505070201160175"
         "301a06082b06010505070202300e30080c014f30030201010c026869",
         "\"certificate_policies\":[{\"id\":\"1.3.5\",\"cps\":[\"u\"],\"user_notice\":[{"
         "\"explicit_text\":\"hi\",\"notice_reference\":[{\"organization\":\"O\","
         "\"notice_numbers\":[1]}]}]}]"},
        {"551d1e", "3014a0123010a40e300c310a3008060355040a0c0178",
         "\"permitted_directory_names\":[{\"organization\":[\"x\"]}]"},
        {"551d12", "300688012a820169",
         "\"issuer_alt_name\":{\"dns_names\":[\"i\"],\"registered_ids\":[\"1.2\"]}"},
        {"2b06010401d679020403", "0500", "\"ct_poison\":true"},
        {"551d20", "3000", "\"unknown_extensions\":[{\"id\":\"2.5.29.32\""},
    };
    struct buf b = buf_new(A, 100000);
    struct extension x = {0};
    struct cert c = *cert_fixture("ec.crt");

    c.extensions = (struct extensions){&x, 1};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        x.oid = hex(CASES[i].oid);
        x.value = hex(CASES[i].value);
        buf_reset(&b);
        cert_show_json(&b, &c, NULL);
        has(&b, CASES[i].json);
    }
    ok(dn_read(
        A, hex("3025310a300806035504610c0156310b3009060355040303020001310a3008060355042a0c0147"),
        &c.subject, e));
    buf_reset(&b);
    cert_show_json(&b, &c, NULL);
    has(&b, "\"subject_dn\":\"2.5.4.97=V, CN=#03020001, GN=G\"");
    has(&b, "\"given_name\":[\"G\"]");
}

/* Inside the value of the extension: another type than it must be. */
static struct slice broken(struct slice der, uint8_t last)
{
    struct slice copy = arena_copy(A, der);
    uint8_t id[] = {0x06, 0x03, 0x55, 0x1d, last};
    size_t at = slice_search(copy, slice_of(id, sizeof(id))) + sizeof(id);
    uint8_t *p = (uint8_t *)copy.p;

    assert_true(at < copy.n);
    at += p[at] == 0x01 ? 3 : 0; /* critical */
    assert_int_equal(p[at], 0x04);
    p[at + 2 + (p[at + 1] & 0x80 ? p[at + 1] & 0x7f : 0)] = 0x05;
    return copy;
}

static void certificates_with_broken_extensions_can_be_looked_at(void **state)
{
    (void)state;
    static const struct {
        uint8_t last;
        const char *oid, *title;
    } CASES[] = {{15, "2.5.29.15", "X509v3 Key Usage:"},
                 {37, "2.5.29.37", "X509v3 Extended Key Usage:"},
                 {19, "2.5.29.19", "X509v3 Basic Constraints:"},
                 {14, "2.5.29.14", "X509v3 Subject Key Identifier:"},
                 {17, "2.5.29.17", "X509v3 Subject Alternative Name:"}};
    struct buf b = buf_new(A, 100000);
    struct cert_list list;
    struct cert *c;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice der = broken(fixture_der("ec.crt"), CASES[i].last);
        assert_false(cert_read(A, der, &c, NULL));
        ok(cert_look(A, der, &c, e));
        buf_reset(&b);
        cert_show_text(&b, c);
        has(&b, CASES[i].title);
        has(&b, "    Signature Algorithm: ECDSA-SHA256\n");
        buf_reset(&b);
        cert_show_json(&b, c, NULL);
        has(&b, arena_printf(A, "{\"id\":\"%s\"", CASES[i].oid));
        buf_reset(&b);
        cert_show_short(&b, c);
        assert_false(cert_list_read(A, der, "it", &list, NULL));
        ok(cert_list_look(A, cert_pem(A, der), "it", &list, e));
        assert_int_equal(list.n, 1);
    }
    assert_false(cert_look(A, slice_sub(fixture_der("ec.crt"), 0, 100), &c, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(crl_scope_and_entry_extensions_are_shown),
        TEST(json_tells_what_the_text_leaves_out),
        TEST(certificates_with_broken_extensions_can_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
