/* Names: the split rule, subjects and GeneralNames, held against libcrypto. */
#include "x509_test.h"

static void texts_are_split_by_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum san_kind kind;
    } CASES[] = {
        {"example.com", SAN_DNS},
        {"*.example.com", SAN_DNS},
        {"localhost", SAN_DNS},
        {"10.0.0.1", SAN_IP},
        {"::1", SAN_IP},
        {"2001:db8::1", SAN_IP},
        {"::ffff:10.0.0.1", SAN_IP},
        {"10.0.0.1:80", SAN_DNS},
        {"010.0.0.1", SAN_DNS},
        {"[::1]", SAN_DNS},
        {"host:8443", SAN_URI},
        {"spiffe://td/x", SAN_URI},
        {"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", SAN_URI},
        {"https://example.com", SAN_URI},
        {"mailto:a@example.com", SAN_URI},
        {"a@example.com", SAN_EMAIL},
        {"@", SAN_EMAIL},
        {"1a:b", SAN_DNS},
        {"a_b", SAN_DNS},
        {":a", SAN_DNS},
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        if (san_kind_of(text(CASES[i].text)) != CASES[i].kind)
            fail_msg("%s is of kind %d", CASES[i].text, san_kind_of(text(CASES[i].text)));
    }
}

static void split_orders_kinds_and_skips_empty_texts(void **state)
{
    (void)state;
    const struct slice in[] = {
        SLICE("u:1"),   SLICE("b@c"),   SLICE("::FFFF:1.2.3.4"), SLICE(""),
        SLICE("z.com"), SLICE("a.com"), SLICE("2001:DB8:0::1"),  SLICE("a@b")};
    static const char *const EXPECTED[] = {"z.com", "a.com", "1.2.3.4", "2001:db8::1",
                                           "b@c",   "a@b",   "u:1"};
    struct sans out;

    sans_split(A, in, COUNT_OF(in), &out);
    assert_int_equal(out.n, COUNT_OF(EXPECTED));
    for (size_t i = 0; i < out.n; i++)
        assert_slice(out.v[i].text, EXPECTED[i]);
    assert_int_equal(out.v[2].ip.n, 4);
    sans_split(A, NULL, 0, &out);
    assert_int_equal(out.n, 0);
}

static void names_are_written_in_order_of_kinds(void **state)
{
    (void)state;
    const struct slice in[] = {SLICE("https://x/"), SLICE("10.0.0.1"), SLICE("a@b"), SLICE("d")};
    struct buf b = buf_new(A, 1000);
    struct sans s, again;

    sans_split(A, in, COUNT_OF(in), &s);
    ok(sans_put(&b, &s, e));
    assert_slice(hex_text(A, buf_slice(&b)), "301a"
                                             "820164"
                                             "8103614062"
                                             "87040a000001"
                                             "860a68747470733a2f2f782f");
    ok(sans_read(A, buf_slice(&b), &again, e));
    assert_int_equal(again.n, 4);
    assert_int_equal(again.v[3].kind, SAN_URI);

    const unsigned char *p = b.p;
    GENERAL_NAMES *g = d2i_GENERAL_NAMES(NULL, &p, (long)b.n);
    assert_int_equal(sk_GENERAL_NAME_num(g), 4);
    GENERAL_NAMES_free(g);
}

static void names_outside_ascii_are_not_written(void **state)
{
    (void)state;
    struct san cases[] = {
        {.kind = SAN_DNS, .text = SLICE("b\xc3\xbc.example")},
        {.kind = SAN_EMAIL, .text = SLICE("\xc3\xbc@example")},
        {.kind = SAN_URI, .text = SLICE("http://\xc3\xbc/")},
        {.kind = SAN_DNS, .text = SLICE("a\0b")},
        {.kind = SAN_DNS, .text = SLICE("")},
        {.kind = SAN_IP, .text = SLICE("no address")},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sans s = {&cases[i], 1};
        struct buf b = buf_new(A, 1000);
        assert_false(sans_put(&b, &s, NULL));
    }
}

static void bad_general_names_are_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "",         /* nothing */
        "8200",     /* no SEQUENCE */
        "30038201", /* cut */
        "3003820161"
        "00", /* more behind */
        "3003"
        "820100", /* NUL */
        "3003"
        "8201ff", /* not ASCII */
        "3005"
        "8703010203", /* 3 bytes of address */
        "3002"
        "8a00", /* no such name */
        "3002"
        "a000", /* otherName without a type */
        "3004"
        "a4023100", /* directoryName that is no Name */
        "3080820161"
        "0000", /* indefinite */
    };
    struct slice der;
    struct sans s;

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_true(hex_read(A, text(CASES[i]), &der));
        if (sans_read(A, der, &s, NULL))
            fail_msg("%s was accepted", CASES[i]);
    }
    ok(sans_read(A, SLICE("\x30\x00"), &s, e));
    assert_int_equal(s.n, 0);
}

static void too_many_names_are_refused(void **state)
{
    (void)state;
    struct buf b = buf_new(A, 100000);
    struct sans s;
    size_t at;

    der_open(&b, DER_SEQUENCE, &at);
    for (size_t i = 0; i <= SANS_MAX; i++)
        der_put(&b, DER_CONTEXT(2), SLICE("a"));
    der_close(&b, at);
    refused(sans_read(A, buf_slice(&b), &s, e), "at most 1000");
}

static void mapped_addresses_are_judged_as_ipv4(void **state)
{
    (void)state;
    struct sans s;
    struct slice der;

    assert_true(hex_read(A, SLICE("3012871000000000000000000000ffff0a000001"), &der));
    ok(sans_read(A, der, &s, e));
    assert_int_equal(s.v[0].ip.n, 4);
    assert_slice(s.v[0].text, "10.0.0.1");
}

/* --- Distinguished names ------------------------------------------------------------------ */

static void subject_has_the_order_and_the_strings_of_the_reference(void **state)
{
    (void)state;
    struct slice c[] = {SLICE("DE")}, o[] = {SLICE("Zeta"), SLICE("Alpha")}, ou[] = {SLICE("a_b")},
                 l[] = {SLICE("Köln")}, st[] = {SLICE("NRW")}, street[] = {SLICE("Way 1")},
                 zip[] = {SLICE("50667")};
    struct dn_attribute extra[] = {
        {.type = slice_of(OID_EMAIL_ADDRESS.p, OID_EMAIL_ADDRESS.n), .value = SLICE("a@b")},
        {.type = SLICE("\x2a\x03\x04"), .value = SLICE("free")},
        {.type = SLICE("\x2a\x03\x05"), .value = SLICE("12"), .tag = DER_NUMERIC_STRING},
    };
    struct subject s = {
        .country = c,
        .n_country = 1,
        .organization = o,
        .n_organization = 2,
        .unit = ou,
        .n_unit = 1,
        .locality = l,
        .n_locality = 1,
        .province = st,
        .n_province = 1,
        .street = street,
        .n_street = 1,
        .postal_code = zip,
        .n_postal_code = 1,
        .common_name = SLICE("name"),
        .serial_number = SLICE("42"),
        .extra = extra,
        .n_extra = 3,
    };
    struct buf b = buf_new(A, 4096);
    struct dn dn;

    assert_false(subject_is_empty(&s));
    subject_put(&b, &s);
    ok(dn_read(A, buf_slice(&b), &dn, e));
    assert_slice(dn_text(A, &dn), "C=DE,ST=NRW,L=Köln,STREET=Way 1,POSTALCODE=50667,O=Zeta,O=Alpha,"
                                  "OU=a_b,CN=name,SERIALNUMBER=42,emailAddress=a@b,1.2.3.4=free,"
                                  "1.2.3.5=12");
    static const uint8_t TAGS[] = {
        DER_PRINTABLE_STRING, DER_PRINTABLE_STRING, DER_UTF8_STRING,      DER_PRINTABLE_STRING,
        DER_PRINTABLE_STRING, DER_PRINTABLE_STRING, DER_PRINTABLE_STRING, DER_UTF8_STRING,
        DER_PRINTABLE_STRING, DER_PRINTABLE_STRING, DER_IA5_STRING,       DER_PRINTABLE_STRING,
        DER_NUMERIC_STRING,
    };
    assert_int_equal(dn.n, COUNT_OF(TAGS));
    for (size_t i = 0; i < dn.n; i++) {
        assert_int_equal(dn.v[i].tag, TAGS[i]);
        assert_int_equal(dn.v[i].joined, i == 6); /* the second O shares the RDN, sorted by DER */
    }

    const unsigned char *p = b.p;
    X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)b.n);
    assert_non_null(name);
    assert_int_equal(X509_NAME_entry_count(name), 13);
    X509_NAME_free(name);
}

static void empty_subject_is_an_empty_sequence(void **state)
{
    (void)state;
    struct subject s = {0};
    struct buf b = buf_new(A, 100);

    assert_true(subject_is_empty(&s));
    subject_put(&b, &s);
    assert_slice(hex_text(A, buf_slice(&b)), "3000");
}

static void bad_texts_make_no_subject(void **state)
{
    (void)state;
    struct subject s = {.common_name = SLICE("a\0b")};
    refused(subject_ok(&s, e), "NUL");
    s.common_name = SLICE("\xff");
    refused(subject_ok(&s, e), "UTF-8");
    s.common_name = SLICE("fine");
    ok(subject_ok(&s, e));
}

static void names_as_software_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *text; /* NULL: refused */
    } CASES[] = {
        {"3000", ""},
        {"300c310a3008060355040313"
         "0161",
         "CN=a"},
        {"300c310a300806035504030c"
         "01ff",
         NULL}, /* not UTF-8 */
        {"300c310a3008060355040314"
         "01fc",
         "CN=ü"}, /* T61 as Latin-1 */
        {"300d310b300906035504031e"
         "0200fc",
         "CN=ü"}, /* BMP */
        {"300c310a300806035504031e"
         "01fc",
         NULL}, /* BMP of an odd length */
        {"300f310d300b06035504031c"
         "04000000fc",
         "CN=ü"}, /* Universal */
        {"300c310a3008060355040313"
         "0140",
         "CN=@"}, /* '@' in a PrintableString */
        {"300c310a3008060355040313"
         "01fc",
         NULL},
        {"300c310a300806035504030c"
         "010a",
         "CN=?"}, /* shown without control characters */
        {"300d310b3009060355042d03"
         "020080",
         "UnknownOID=2.5.4.45"},
        {"300c310a300806035504031a"
         "0161",
         NULL}, /* libcrypto refuses VisibleString */
        {"300c310a3008060355040302"
         "0161",
         NULL},             /* INTEGER */
        {"30023100", NULL}, /* empty RDN */
        {"3100", NULL},
        {"300c310a3008060355048313"
         "0161",
         NULL}, /* OID that does not end */
    };

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice der;
        struct dn dn;
        struct err e = {0};
        assert_true(hex_read(A, text(CASES[i].hex), &der));
        bool good = dn_read(A, der, &dn, &e);
        if (good != (CASES[i].text != NULL))
            fail_msg("%s: %s", CASES[i].hex, e.text);
        if (good)
            assert_slice(dn_text(A, &dn), CASES[i].text);
        const unsigned char *p = der.p;
        X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)der.n);
        if (good)
            assert_non_null(name);
        X509_NAME_free(name);
        ERR_clear_error();
    }
}

static void common_name_is_the_last_one(void **state)
{
    (void)state;
    struct slice der;
    struct dn dn;

    assert_true(hex_read(A, SLICE("3018310a30080603550403130161310a30080603550403130162"), &der));
    ok(dn_read(A, der, &dn, e));
    assert_slice(dn_common_name(&dn), "b");
}

/* --- The provisioner extension ------------------------------------------------------------ */

static void provisioner_extension_has_the_documented_bytes(void **state)
{
    (void)state;
    struct provisioner_extension p = {
        .type = 1, .name = SLICE("ops"), .credential_id = SLICE("k1")};
    struct slice pairs[] = {SLICE("InstanceID"), SLICE("i-0_1")}, bytes;
    struct buf b = buf_new(A, 200);

    provisioner_extension_put(&b, &p);
    assert_slice(hex_text(A, buf_slice(&b)), "300c02010104036f707304026b31");
    buf_reset(&b);
    p.pairs = pairs;
    p.n_pairs = 2;
    provisioner_extension_put(&b, &p);
    buf_byte(&b, 0); /* what follows does not count */
    bytes = arena_copy(A, buf_slice(&b));
    struct provisioner_extension again;
    ok(provisioner_extension_read(A, bytes, &again, e));
    assert_int_equal(again.type, 1);
    assert_slice(again.name, "ops");
    assert_slice(again.credential_id, "k1");
    assert_int_equal(again.n_pairs, 2);
    assert_slice(again.pairs[1], "i-0_1");
    refused(provisioner_extension_read(A, SLICE("\x30\x03\x02\x01\x01"), &again, e), "name");
    refused(provisioner_extension_read(A, SLICE(""), &again, e), "SEQUENCE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(texts_are_split_by_kind),
        TEST(split_orders_kinds_and_skips_empty_texts),
        TEST(names_are_written_in_order_of_kinds),
        TEST(names_outside_ascii_are_not_written),
        TEST(bad_general_names_are_refused),
        TEST(too_many_names_are_refused),
        TEST(mapped_addresses_are_judged_as_ipv4),
        TEST(subject_has_the_order_and_the_strings_of_the_reference),
        TEST(empty_subject_is_an_empty_sequence),
        TEST(bad_texts_make_no_subject),
        TEST(names_as_software_writes_them),
        TEST(common_name_is_the_last_one),
        TEST(provisioner_extension_has_the_documented_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
