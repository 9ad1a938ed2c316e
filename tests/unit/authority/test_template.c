/* Certificates by template: what the provisioner's text makes of a grant, and what stays out of its
 * reach. */
#include "authority/template_leaf.h"
#include "authority_testing.h"

static struct private_key *KEY;
static const char *const NONE[] = {NULL};

static int setup(void **state)
{
    if (world_begin(state) != 0)
        return -1;
    KEY = key_new(KEY_P256, 0);
    return 0;
}

#define TEMPLATE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_end)

/* The provisioner "ops" with this template and, when not NULL, this data. */
static void use_template(const char *text, const char *data)
{
    struct json *options = json_of("{}"), *x509 = json_of("{}");

    if (text)
        json_set_exact(x509, A, "template", json_make_text(A, slice_text(text)));
    if (data)
        json_set_exact(x509, A, "templateData", json_of(data));
    json_set_exact(options, A, "x509", x509);
    json_set_exact(world_provisioners()->first, A, "options", options);
}

static bool sign_with(const struct private_key *key, const char *user, struct cert **c,
                      struct err *why)
{
    struct work w = work_new();
    struct validity_wish none = {0};
    struct issued_cert out;

    bool done = sign_x509(&w, usual_grant(&w), csr_new(key, "foo.test", NONE), &none,
                          user ? json_of(user) : NULL, &out);
    if (why)
        err_move(why, &w.err);
    if (done)
        ok(cert_read(A, out.der, c, e));
    return done;
}

static struct cert *signed_by(const char *text, const char *data, const char *user)
{
    struct cert *c = NULL;
    struct err why = {0};

    use_template(text, data);
    world_start(true);
    if (!sign_with(KEY, user, &c, &why))
        fail_msg("%s: %s", text, why.text);
    return c;
}

static void extension_values(struct cert *c, struct buf *b)
{
    for (size_t i = 0; i < c->extensions.n; i++) {
        buf_put(b, c->extensions.v[i].oid);
        buf_byte(b, c->extensions.v[i].critical);
        buf_put(b, c->extensions.v[i].value);
    }
    buf_put(b, c->subject.raw);
}

/* What makes skipping the text right: it would have said the same. */
static void the_usual_leaf_is_what_its_template_says(void **state)
{
    static const enum key_type TYPES[] = {KEY_P256, KEY_RSA, KEY_ED25519};
    struct cert *direct = NULL, *by_text = NULL;
    struct err why = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        struct private_key *key = key_new(TYPES[i], TYPES[i] == KEY_RSA ? 2048 : 0);
        struct buf x = buf_new(A, 8192), y = buf_new(A, 8192);
        use_template(NULL, NULL);
        if (i == 0)
            world_start(true);
        else
            world_load();
        assert_true(sign_with(key, NULL, &direct, &why));
        use_template(TEMPLATE_LEAF, NULL);
        world_load();
        if (!sign_with(key, NULL, &by_text, &why))
            fail_msg("%s", why.text);
        extension_values(direct, &x);
        extension_values(by_text, &y);
        assert_true(slice_eq(buf_slice(&x), buf_slice(&y)));
    }
}

static void a_template_says_what_the_certificate_holds(void **state)
{
    (void)state;
    struct cert *c = signed_by("{\"subject\":{\"commonName\":{{toJson .Subject.CommonName}},"
                               "\"organization\":{{toJson .team}}},"
                               "\"sans\":{{toJson .SANs}},\"keyUsage\":[\"keyAgreement\"],"
                               "\"extKeyUsage\":[\"codeSigning\"],"
                               "\"extensions\":[{\"id\":\"1.2.3.4\",\"value\":\"BQA=\"}]}",
                               "{\"team\":[\"Platform\",\"Ops\"]}", NULL);
    assert_slice(dn_text(A, &c->subject), "O=Ops,O=Platform,CN=foo.test");
    assert_int_equal(c->key_usage, KU_KEY_AGREEMENT);
    assert_int_equal(c->n_eku, 1);
    assert_int_equal(c->sans.n, 1);
    assert_true(key_eq(c->key, KEY->public_key));
}

static void what_the_request_says_is_insecure_user(void **state)
{
    static const char TEXT[] = "{\"subject\":{{toJson .Insecure.User.name}},"
                               "\"dnsNames\":{{toJson .Insecure.CR.Subject.CommonName}}}";
    struct cert *c;

    (void)state;
    c = signed_by(TEXT, NULL, "{\"name\":\"from user\"}");
    assert_slice(dn_get(&c->subject, &OID_CN), "from user");
    assert_slice(c->sans.v[0].text, "foo.test");
}

/* A request cannot close the text that it is put into. */
static void data_stays_data(void **state)
{
    struct cert *c = signed_by(
        "{\"subject\":{{toJson .Insecure.User.name}},\"sans\":{{toJson .SANs}}}", NULL,
        "{\"name\":\"x\\\",\\\"basicConstraints\\\":{\\\"isCA\\\":true},\\\"y\\\":\\\"\"}");

    (void)state;
    assert_false(c->has_basic);
    assert_true(slice_starts(dn_get(&c->subject, &OID_CN), "x\","));
}

static void the_key_is_never_the_templates(void **state)
{
    struct cert *c = signed_by(
        "{\"subject\":\"a\",\"publicKey\":\"AAAA\",\"publicKeyAlgorithm\":\"RSA\"}", NULL, NULL);

    (void)state;
    assert_true(key_eq(c->key, KEY->public_key));
}

static void times_of_the_template_count_when_the_request_has_none(void **state)
{
    const char *text = "{\"subject\":\"a\",\"notAfter\":{{toJson (now | mustDateModify \"2h\" | "
                       "formatTime)}}}";
    struct cert *c = signed_by(text, NULL, NULL);

    (void)state;
    assert_int_equal(c->not_after.sec, test_now.sec + 7200);
}

static void data_alone_changes_the_usual_leaf(void **state)
{
    struct cert *c =
        signed_by(NULL, "{\"Subject\":{\"commonName\":\"fixed\",\"country\":\"DE\"}}", NULL);

    (void)state;
    assert_slice(dn_text(A, &c->subject), "C=DE,CN=fixed");
    assert_int_equal(c->n_eku, 2);
}

static void a_serial_number_may_be_given(void **state)
{
    struct cert *c = signed_by("{\"subject\":\"a\",\"serialNumber\":\"0x1234\"}", NULL, NULL);

    (void)state;
    assert_slice(serial_decimal(A, c->serial), "4660");
}

static void what_a_template_cannot_do_is_refused(void **state)
{
    static const struct {
        const char *text;
        enum err_kind kind;
        const char *says;
    } ROWS[] = {
        {"{{fail \"not on a Sunday\"}}", ERR_MALFORMED, "not on a Sunday"},
        {"{{ .Subject.Nothing }}", ERR_INTERNAL, "template:1:"},
        {"{{ if }}", ERR_INTERNAL, "missing value"},
        {"{{ nope }}", ERR_INTERNAL, "nope"},
        {"{\"subject\":", ERR_INTERNAL, "error applying certificate template"},
        {"{\"subject\":5}", ERR_INTERNAL, "subject"},
        {"{\"keyUsage\":\"everything\"}", ERR_INTERNAL, "everything"},
        {"{\"dnsNames\":[1]}", ERR_INTERNAL, "dnsNames"},
        {"{\"extensions\":[{\"id\":\"x\",\"value\":\"\"}]}", ERR_INTERNAL, "extensions"},
        {"{\"signatureAlgorithm\":\"MD5-RSA\"}", ERR_INTERNAL, "signatureAlgorithm"},
        {"{{ bcrypt \"x\" }}", ERR_INTERNAL, "authority.templateFunctions"},
        {"{{ env \"HOME\" }}", ERR_INTERNAL, "env"},
        {"!!!", ERR_INTERNAL, "base64"},
        {"{{ range until 100000000 }}x{{ end }}", ERR_INTERNAL, ""},
        {"{\"subject\":\"a\",\"notAfter\":\"2001-01-01T00:00:00Z\"}", ERR_MALFORMED, "past"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct cert *c = NULL;
        struct err why = {0};
        use_template(ROWS[i].text, NULL);
        if (i == 0)
            world_start(true);
        else
            world_load();
        if (sign_with(KEY, NULL, &c, &why))
            fail_msg("%s was accepted", ROWS[i].text);
        if (err_status(why.kind) != err_status(ROWS[i].kind) || !strstr(why.text, ROWS[i].says))
            fail_msg("%s: %s \"%s\"", ROWS[i].text, err_kind_name(why.kind), why.text);
    }
}

/* A file is read for each request: an edit counts at once, a missing one is no reason not to
 * start. */
static void a_file_is_read_when_it_is_needed(void **state)
{
    struct json *options = json_of("{}"), *x509 = json_of("{}");
    struct cert *c = NULL;
    struct err why = {0};

    (void)state;
    json_set_exact(x509, A, "templateFile", json_make_text(A, slice_text(world_path("leaf.tpl"))));
    json_set_exact(options, A, "x509", x509);
    json_set_exact(world_provisioners()->first, A, "options", options);
    world_services(true);
    W.s.sp = &(struct steppath){.path = "/nowhere", .home = "/nowhere"};
    world_load();
    assert_non_null(W.s.current->registry->all[0]->warning);
    assert_false(sign_with(KEY, NULL, &c, &why));
    assert_int_equal(why.kind, ERR_INTERNAL);
    assert_non_null(strstr(why.text, "leaf.tpl"));
    world_put("leaf.tpl", SLICE("{\"subject\":\"first\"}"));
    assert_true(sign_with(KEY, NULL, &c, &why));
    assert_slice(dn_get(&c->subject, &OID_CN), "first");
    world_put("leaf.tpl", SLICE("{\"subject\":\"second\"}"));
    assert_true(sign_with(KEY, NULL, &c, &why));
    assert_slice(dn_get(&c->subject, &OID_CN), "second");
    world_put("leaf.tpl", SLICE("{{"));
    assert_false(sign_with(KEY, NULL, &c, &why));
    assert_int_equal(why.kind, ERR_INTERNAL);
}

static void policies_see_the_final_names(void **state)
{
    struct cert *c = NULL;
    struct err why = {0};

    (void)state;
    json_set_exact(world_authority(), A, "policy",
                   json_of("{\"x509\":{\"allow\":{\"dns\":[\"foo.test\"]}}}"));
    use_template("{\"subject\":\"foo.test\",\"extensions\":[{\"id\":\"2.5.29.17\",\"value\":"
                 "{{toJson (asn1Seq (asn1Enc \"utf8:x\"))}}}]}",
                 NULL);
    world_start(true);
    assert_false(sign_with(KEY, NULL, &c, &why));
    use_template("{\"subject\":\"foo.test\",\"dnsNames\":\"other.test\"}", NULL);
    world_load();
    assert_false(sign_with(KEY, NULL, &c, &why));
    assert_int_equal(why.kind, ERR_FORBIDDEN);
    use_template("{\"subject\":\"foo.test\",\"dnsNames\":\"foo.test\"}", NULL);
    world_load();
    assert_true(sign_with(KEY, NULL, &c, &why));
}

/* --- What templates see of certificates ------------------------------------------------------- */

/* The text that a template makes of this certificate as its dot. */
static const char *of_certificate(const struct cert *c, const char *text)
{
    struct tvalue dot = tobject_certificate(c);
    struct buf out = buf_new(A, 8192);
    struct template *t = NULL;

    ok((t = template_parse(A, "test", slice_text(text), NULL, e)));
    ok(template_run(t, &dot, A, NULL, &out, e));
    return arena_cstr(A, buf_slice(&out));
}

static const char RICH[] =
    "{\"subject\":{\"commonName\":\"rich; #1\",\"country\":\"CH\",\"organization\":\"O\","
    "\"organizationalUnit\":[\"U1\",\"U2\"],\"locality\":\"L\",\"extraNames\":[{\"type\":\"1.2.3."
    "4\",\"value\":\"x\"}]},\"serialNumber\":\"0xffffffffffffffffff\","
    "\"dnsNames\":\"a.test\",\"emailAddresses\":\"x@a.test\",\"ipAddresses\":[\"10.0.0.1\",\"::1\"]"
    ","
    "\"uris\":\"https://u.test:8443/p?q\",\"keyUsage\":[\"digitalSignature\",\"keyAgreement\"],"
    "\"extKeyUsage\":[\"serverAuth\",\"ocspSigning\",\"microsoftServerGatedCrypto\"],"
    "\"unknownExtKeyUsage\":\"1.2.3.4\",\"ocspServer\":[\"http://o/1\",\"http://o/2\"],"
    "\"issuingCertificateURL\":\"http://i/\",\"crlDistributionPoints\":\"http://c/\","
    "\"policyIdentifiers\":[\"1.2.3\",\"2.23.140.1.2.1\"],"
    "\"nameConstraints\":{\"critical\":true,\"permittedDNSDomains\":[\"a.test\"],"
    "\"excludedIPRanges\":\"10.0.0.0/8\"},"
    "\"extensions\":[{\"id\":\"1.2.3.5\",\"critical\":true,\"value\":\"BQA=\"}]}";

static void a_certificate_has_the_fields_that_templates_know(void **state)
{
    static const struct {
        const char *text, *seen;
    } ROWS[] = {
        {"{{.Subject}}", "CN=rich\\; #1,OU=U1+OU=U2,O=O,L=L,C=CH,1.2.3.4=#130178"},
        {"{{.Subject.String | len}}", "53"},
        {"{{.Subject.CommonName}} {{.Subject.OrganizationalUnit}}", "rich; #1 [U1 U2]"},
        {"{{range .Subject.Names}}{{.Type}}={{.Value}} {{end}}",
         "2.5.4.6=CH 2.5.4.7=L 2.5.4.10=O 2.5.4.11=U1 2.5.4.11=U2 2.5.4.3=rich; #1 1.2.3.4=x "},
        {"{{(index .Issuer.Names 0).Type | toJson}}", "[2,5,4,3]"},
        {"{{.Issuer.CommonName | empty}}{{.Subject.ExtraNames}}", "false[]"},
        {"{{.SerialNumber}} {{.SerialNumber.Text 16}} {{printf \"%x %d\" .SerialNumber 1}}",
         "4722366482869645213695 ffffffffffffffffff ffffffffffffffffff 1"},
        {"{{toJson .SerialNumber}} {{typeOf .SerialNumber}}", "4722366482869645213695 *big.Int"},
        {"{{.SignatureAlgorithm}} {{toJson .SignatureAlgorithm}}", "ECDSA-SHA256 10"},
        {"{{.PublicKeyAlgorithm}} {{toJson .PublicKeyAlgorithm}} {{.PublicKeyAlgorithm.String}}",
         "ECDSA 3 ECDSA"},
        {"{{.KeyUsage}} {{toJson .KeyUsage}} {{printf \"%d\" .KeyUsage}}", "KeyUsage(17) 17 17"},
        {"{{.ExtKeyUsage}} {{toJson .ExtKeyUsage}}", "[serverAuth OCSPSigning msSGC] [1,9,10]"},
        {"{{.UnknownExtKeyUsage}} {{typeOf .UnknownExtKeyUsage}}",
         "[1.2.3.4] []asn1.ObjectIdentifier"},
        {"{{.OCSPServer}} {{.IssuingCertificateURL}} {{.CRLDistributionPoints}}",
         "[http://o/1 http://o/2] [http://i/] [http://c/]"},
        {"{{.PolicyIdentifiers}} {{toJson .Policies}}",
         "[1.2.3 2.23.140.1.2.1] [\"1.2.3\",\"2.23.140.1.2.1\"]"},
        {"{{.PermittedDNSDomainsCritical}} {{.PermittedDNSDomains}} {{.ExcludedIPRanges}} "
         "{{.ExcludedDNSDomains}}",
         "true [a.test] [10.0.0.0/8] []"},
        {"{{.UnhandledCriticalExtensions}} {{.ExtraExtensions}}", "[1.2.3.5] []"},
        {"{{range .Extensions}}{{if eq .Id.String \"1.2.3.5\"}}{{.Critical}} {{.Value}}{{end}}"
         "{{end}}",
         "true [5 0]"},
        {"{{.BasicConstraintsValid}} {{.IsCA}} {{.MaxPathLen}} {{.MaxPathLenZero}}",
         "false false 0 false"},
        {"{{eq (len .RawIssuer) 0}}{{eq (len .RawTBSCertificate) 0}}"
         "{{eq (len .RawSubjectPublicKeyInfo) 0}}{{eq (len .Signature) 0}}",
         "falsefalsefalsefalse"},
        {"{{range .IPAddresses}}{{.}} {{.IsPrivate}} {{.IsLoopback}} {{.To4}};{{end}}",
         "10.0.0.1 true false 10.0.0.1;::1 false true <no value>;"},
        {"{{with index .URIs 0}}{{.}} {{.Host}} {{.Hostname}} {{.Port}} {{.Path}} {{.RawQuery}} "
         "{{.Scheme}} {{.String}}{{end}}",
         "https://u.test:8443/p?q u.test:8443 u.test 8443 /p q https https://u.test:8443/p?q"},
        {"{{toJson .URIs}} {{toJson .IPAddresses}} {{join \",\" .URIs}}",
         "[\"https://u.test:8443/p?q\"] [\"10.0.0.1\",\"::1\"] https://u.test:8443/p?q"},
    };
    struct cert *c = signed_by(RICH, NULL, NULL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const char *seen = of_certificate(c, ROWS[i].text);
        if (strcmp(seen, ROWS[i].seen) != 0)
            fail_msg("%s: %s", ROWS[i].text, seen);
    }
}

static void a_subject_goes_from_one_certificate_into_the_next(void **state)
{
    struct cert *c = signed_by(RICH, NULL, NULL);
    const char *text = of_certificate(c, "{\"subject\":{{toJson .Subject}}}");
    struct leaf_json read;

    (void)state;
    ok(leaf_json_read(A, json_of(text), &read, e));
    assert_slice(read.leaf.subject.common_name, "rich; #1");
    assert_int_equal(read.leaf.subject.n_unit, 2);
}

/* What an operator writes there is not what a requester said. */
static void data_of_the_provisioner_is_never_insecure(void **state)
{
    static const char TEXT[] = "{\"subject\":{{ printf \"%v-%v\" .Insecure.User.a .Insecure.X | "
                               "toJson }}}",
                      DATA[] = "{\"Insecure\":{\"User\":{\"a\":\"evil\"},\"X\":1}}";

    (void)state;
    assert_slice(dn_get(&signed_by(TEXT, DATA, NULL)->subject, &OID_CN), "<nil>-<nil>");
}

static void the_algorithm_of_a_request_is_a_number_with_a_name(void **state)
{
    static const char TEXT[] =
        "{\"subject\":{{ printf \"%v %s %d\" .Insecure.CR.PublicKeyAlgorithm (toJson "
        ".Insecure.CR.PublicKeyAlgorithm) .Insecure.CR.PublicKeyAlgorithm | toJson }}}";

    (void)state;
    assert_slice(dn_get(&signed_by(TEXT, NULL, NULL)->subject, &OID_CN), "ECDSA 3 3");
}

static void a_key_identifier_can_be_left_out(void **state)
{
    (void)state;
    assert_null(signed_by("{\"subject\":\"a\",\"subjectKeyId\":\"\"}", NULL, NULL)->ski.p);
}

static void policies_see_a_common_name_among_the_extra_ones(void **state)
{
    struct cert *c = NULL;
    struct err why = {0};

    (void)state;
    json_set_exact(world_authority(), A, "policy",
                   json_of("{\"x509\":{\"allow\":{\"dns\":[\"foo.test\"]}}}"));
    use_template("{\"subject\":{\"commonName\":\"foo.test\",\"extraNames\":[{\"type\":\"2.5.4.3\","
                 "\"value\":\"bar.test\"}]},\"dnsNames\":\"foo.test\"}",
                 NULL);
    world_start(true);
    assert_false(sign_with(KEY, NULL, &c, &why));
    assert_int_equal(why.kind, ERR_FORBIDDEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMPLATE_TEST(the_usual_leaf_is_what_its_template_says),
        TEMPLATE_TEST(a_template_says_what_the_certificate_holds),
        TEMPLATE_TEST(what_the_request_says_is_insecure_user),
        TEMPLATE_TEST(data_stays_data),
        TEMPLATE_TEST(the_key_is_never_the_templates),
        TEMPLATE_TEST(times_of_the_template_count_when_the_request_has_none),
        TEMPLATE_TEST(data_alone_changes_the_usual_leaf),
        TEMPLATE_TEST(a_serial_number_may_be_given),
        TEMPLATE_TEST(what_a_template_cannot_do_is_refused),
        TEMPLATE_TEST(a_file_is_read_when_it_is_needed),
        TEMPLATE_TEST(policies_see_the_final_names),
        TEMPLATE_TEST(a_certificate_has_the_fields_that_templates_know),
        TEMPLATE_TEST(a_subject_goes_from_one_certificate_into_the_next),
        TEMPLATE_TEST(data_of_the_provisioner_is_never_insecure),
        TEMPLATE_TEST(the_algorithm_of_a_request_is_a_number_with_a_name),
        TEMPLATE_TEST(a_key_identifier_can_be_left_out),
        TEMPLATE_TEST(policies_see_a_common_name_among_the_extra_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
