/* Attestation objects of the formats apple and step, and what all formats have in common. */
#include "attest_test.h"

#include "crypto/digest.h"
#include "crypto/key.h"

#define APPLE_SERIAL "1.2.840.113635.100.8.9.1"
#define APPLE_UDID   "1.2.840.113635.100.8.9.2"
#define APPLE_OS     "1.2.840.113635.100.8.10.2"
#define APPLE_NONCE  "1.2.840.113635.100.8.11.1"
#define YUBICO       "1.3.6.1.4.1.41482.3.7"
#define MANAGED      "1.3.6.1.4.1.37476.9000.64.4"

/* --- apple --------------------------------------------------------------------------------------
 */

static struct slice nonce(const char *token)
{
    return digest_bytes(A, DIGEST_SHA256, slice_text(token));
}

static struct slice apple(struct cert_options o)
{
    struct buf b = buf_new(A, 65536);

    if (!o.key)
        o.key = make_key(MADE_P384, 0);
    if (!o.cn)
        o.cn = "device";
    cbor_put_x5c(&b, leaf_make(o));
    return cbor_object("apple", 1, &b);
}

static struct cert_options apple_device(void)
{
    return (struct cert_options){.raw = {{APPLE_SERIAL, SLICE("SN-0001")},
                                         {APPLE_UDID, SLICE("00008030-0001")},
                                         {APPLE_OS, SLICE("17.1")},
                                         {APPLE_NONCE, nonce(TOKEN)}}};
}

static void apple_devices_have_two_names(void **state)
{
    struct slice object = apple(apple_device());

    (void)state;
    struct acme_attestation_order o = order_make(object, "SN-0001");
    assert_attested(&o, make_key(MADE_P384, 0));
    o.identifier = SLICE("00008030-0001");
    assert_attested(&o, make_key(MADE_P384, 0));
    o.identifier = SLICE("sn-0001");
    assert_refused(&o, "permanent identifier does not match",
                   "challenge identifier \"sn-0001\" doesn't match any of the attested hardware "
                   "identifiers [\"00008030-0001\" \"SN-0001\"]");
    o.identifier = SLICE("");
    assert_refused(&o, "permanent identifier does not match",
                   "challenge identifier \"\" doesn't match any of the attested hardware "
                   "identifiers [\"00008030-0001\" \"SN-0001\"]");
}

static void apple_needs_the_nonce_of_this_token(void **state)
{
    struct cert_options none = apple_device(), other = apple_device(), cut = apple_device(),
                        whole = apple_device();
    none.raw[3] = (struct raw_extension){0};
    other.raw[3].value = nonce("another token");
    cut.raw[3].value.n = 31;
    whole.raw[3].value = nonce(KEY_AUTHORIZATION);
    const struct {
        struct cert_options device;
        const char *detail;
    } CASES[] = {{none, "no nonce"},
                 {other, "nonce is not"},
                 {cut, "nonce is not"},
                 {whole, "nonce is not"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct acme_attestation_order o = order_make(apple(CASES[i].device), "SN-0001");
        assert_refused(&o, CASES[i].detail, NULL);
    }
}

static void a_device_without_names_matches_nothing(void **state)
{
    struct cert_options device = {.raw = {{APPLE_NONCE, nonce(TOKEN)}}};
    struct acme_attestation_order o = order_make(apple(device), "");

    (void)state;
    assert_refused(&o, "permanent identifier does not match",
                   "challenge identifier \"\" doesn't match any of the attested hardware "
                   "identifiers []");
}

/* --- step ---------------------------------------------------------------------------------------
 */

struct step_options {
    enum made key;
    EVP_PKEY *own_key; /* instead */
    enum made signer;  /* 0 and foreign false: the key itself */
    bool foreign;
    const char *message;
    const EVP_MD *md;
    struct raw_extension raw[2];
    bool plain_sig, no_sig, junk_behind_sig;
};

static void put_sig(struct buf *b, const struct step_options *o, EVP_PKEY *key)
{
    struct buf inner = buf_new(A, 1024);
    bool ed = EVP_PKEY_is_a(key, "ED25519");
    const EVP_MD *md = ed ? NULL : o->md ? o->md : EVP_sha256();
    struct slice sig = sign(o->foreign ? make_key(o->key, 1) : key, md,
                            slice_text(o->message ? o->message : KEY_AUTHORIZATION));

    cbor_put_bytes(&inner, sig);
    if (o->junk_behind_sig)
        buf_byte(&inner, 0);
    cbor_put_text(b, "sig");
    cbor_put_bytes(b, o->plain_sig ? sig : buf_slice(&inner));
}

static struct slice step(const struct step_options *o)
{
    struct buf b = buf_new(A, 65536);
    EVP_PKEY *key = o->own_key ? o->own_key : make_key(o->key, 0);

    cbor_put_text(&b, "alg");
    buf_byte(&b, 0x26);
    if (!o->no_sig)
        put_sig(&b, o, key);
    cbor_put_x5c(&b, leaf_make((struct cert_options){
                         .cn = "slot 9a", .key = key, .raw = {o->raw[0], o->raw[1]}}));
    return cbor_object("step", o->no_sig ? 2 : 3, &b);
}

#define SERIAL_112233                                                                              \
    {                                                                                              \
        YUBICO, SLICE("\x02\x03\x01\xb6\x69")                                                      \
    } /* 112233 */

static void tokens_sign_with_three_kinds_of_keys(void **state)
{
    static const enum made KINDS[] = {MADE_P256, MADE_RSA, MADE_ED25519};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        struct step_options s = {.key = KINDS[i], .raw = {SERIAL_112233}};
        struct acme_attestation_order o = order_make(step(&s), "112233");
        assert_attested(&o, make_key(KINDS[i], 0));
    }
}

static void signatures_of_others_are_refused(void **state)
{
    static const struct {
        struct step_options s;
        const char *detail;
    } CASES[] = {
        {{.key = MADE_P256, .foreign = true}, "does not verify"},
        {{.key = MADE_RSA, .foreign = true}, "does not verify"},
        {{.key = MADE_ED25519, .foreign = true}, "does not verify"},
        {{.key = MADE_P256, .message = TOKEN}, "does not verify"},
        {{.key = MADE_P256, .plain_sig = true}, "sig: CBOR"},
        {{.key = MADE_P256, .junk_behind_sig = true}, "sig: CBOR"},
        {{.key = MADE_P256, .no_sig = true}, "sig: expected"},
        {{.key = MADE_P384}, "P-256, RSA or Ed25519"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct step_options s = CASES[i].s;
        s.raw[0] = (struct raw_extension)SERIAL_112233;
        struct acme_attestation_order o = order_make(step(&s), "112233");
        assert_refused(&o, CASES[i].detail, NULL);
    }
    struct step_options sha512 = {.key = MADE_P256, .md = EVP_sha512(), .raw = {SERIAL_112233}};
    struct acme_attestation_order o = order_make(step(&sha512), "112233");
    assert_refused(&o, "does not verify", NULL);
}

static void serial_numbers_have_two_forms(void **state)
{
    static const struct {
        struct raw_extension raw[2];
        const char *identifier, *refused, *mismatch; /* refused NULL: attested */
    } CASES[] = {
        {{{YUBICO, SLICE("\x02\x01\x00")}}, "0", NULL, NULL},
        {{{YUBICO, SLICE("\x02\x05\x00\xff\xff\xff\xff")}}, "4294967295", NULL, NULL},
        {{{MANAGED, SLICE("\x30\x06\x0c\x04SN-1")}}, "SN-1", NULL, NULL},
        {{{MANAGED, SLICE("\x30\x09\x13\x04SN-1\x02\x01\x07")}}, "SN-1", NULL, NULL},
        /* the first one counts */
        {{SERIAL_112233, {MANAGED, SLICE("\x30\x06\x0c\x04SN-1")}}, "112233", NULL, NULL},
        {{SERIAL_112233},
         "112234",
         "does not match",
         "challenge identifier \"112234\" doesn't match any of the attested hardware identifiers "
         "[\"112233\"]"},
        {{{NULL}},
         "112233",
         "does not match",
         "challenge identifier \"112233\" doesn't match any of the attested hardware identifiers "
         "[]"},
        {{{YUBICO, SLICE("\x02\x03\x01\xb6\x69\x00")}}, "112233", "cannot be read", NULL},
        {{{YUBICO, SLICE("\x04\x03\x01\xb6\x69")}}, "112233", "cannot be read", NULL},
        {{{YUBICO, SLICE("\x02\x01\xff")}}, "-1", "cannot be read", NULL},
        {{{YUBICO, SLICE("\x02\x03\x01")}}, "1", "cannot be read", NULL},
        {{{MANAGED, SLICE("\x30\x03\x02\x01\x07")}}, "7", "cannot be read", NULL},
        {{{MANAGED, SLICE("\x30\x00")}}, "", "cannot be read", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct step_options s = {.key = MADE_P256};
        memcpy(s.raw, CASES[i].raw, sizeof(s.raw));
        struct acme_attestation_order o = order_make(step(&s), CASES[i].identifier);
        if (CASES[i].refused)
            assert_refused(&o, CASES[i].refused, CASES[i].mismatch);
        else
            assert_attested(&o, make_key(MADE_P256, 0));
    }
}

/* The key of the worked example in docs/reference/acme.md. */
static void the_fingerprint_has_its_form(void **state)
{
    struct key_numbers in = {0};
    struct private_key *key;
    struct acme_attestation out;
    struct slice mismatch;
    struct err e = {0};

    (void)state;
    must(base64_read(A, BASE64_URL_RAW, SLICE("fFnGxgkOhaHphDSyme7zopH5ar0owboTQK7c3Ue4P8E"),
                     &in.x) &&
         base64_read(A, BASE64_URL_RAW, SLICE("czphMYL6lWov_6RxW4tcLxswsNRfZy91oo72ImyJNG0"),
                     &in.y) &&
         base64_read(A, BASE64_URL_RAW, SLICE("uV0kUilfM8P00FEKZEJ8WKNQROMZoQMGFIw0hf9hGLE"),
                     &in.d));
    if (!private_key_from_numbers(A, KEY_P256, &in, &key, &e))
        fail_msg("%s", e.text);
    struct step_options s = {.own_key = key->evp, .raw = {SERIAL_112233}};
    struct acme_attestation_order o = order_make(step(&s), "112233");
    struct acme_result r = acme_attest(A, &o, &out, &mismatch);
    if (r.verdict != ACME_VALID)
        fail_msg("%.*s", SLICE_ARG(r.detail));
    assert_string_equal(arena_cstr(A, out.fingerprint),
                        "SHA256:TKw4rZEAglF0N3ZA/KOUZWZqybMjFXbu0gsOguZnLPA=");
}

/* --- All formats --------------------------------------------------------------------------------
 */

static void without_roots_nothing_is_believed(void **state)
{
    struct acme_attestation_order o = order_make(apple(apple_device()), "SN-0001");
    struct cert_list none = {0};

    (void)state;
    o.roots = NULL;
    assert_refused(&o, "attestationRoots", NULL);
    o.roots = &none;
    assert_refused(&o, "attestationRoots", NULL);
    o.roots = &MAKER.strangers;
    assert_refused(&o, "x5c: certificate chain", NULL);
}

static void chains_are_judged_at_the_time_of_the_order(void **state)
{
    struct cert_options over = apple_device(), future = apple_device();
    over.from = -7200;
    over.until = -60;
    future.from = 60;
    future.until = 7200;
    const struct cert_options CASES[] = {over, future};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct acme_attestation_order o = order_make(apple(CASES[i]), "SN-0001");
        assert_refused(&o, "x5c: certificate chain", NULL);
    }
    struct acme_attestation_order o = order_make(apple(apple_device()), "SN-0001");
    o.now.sec += 7200;
    assert_refused(&o, "x5c: certificate chain", NULL);
}

static void formats_must_be_known_and_enabled(void **state)
{
    struct buf b = buf_new(A, 65536);
    struct acme_attestation_order o = order_make(apple(apple_device()), "SN-0001");
    enum acme_attestation_format f;

    (void)state;
    o.formats = ALL_FORMATS & ~(1u << ACME_ATTEST_APPLE);
    assert_refused(&o, "format \"apple\" is not enabled", NULL);
    cbor_put_x5c(&b, leaf_make((struct cert_options){.cn = "x", .key = make_key(MADE_P256, 0)}));
    o = order_make(cbor_object("android-key", 1, &b), "SN-0001");
    assert_refused(&o, "format \"android-key\" is not one of ours", NULL);
    assert_true(acme_attestation_find(SLICE("TPM"), &f));
    assert_int_equal(f, ACME_ATTEST_TPM);
    assert_false(acme_attestation_find(SLICE("packed"), &f));
}

static void objects_must_have_their_shape(void **state)
{
    static const struct {
        const char *hex, *detail;
    } CASES[] = {
        {"", "empty"},
        {"7b7d", "empty"}, /* {} */
        {"a0", "\"fmt\""},
        {"80", "expected a map"},
        {"a163666d7401", "\"fmt\""},
        {"a263666d74647374657063666d746473746570", "\"fmt\""}, /* twice */
        {"a163666d746473746570", "\"attStmt\""},
        {"a263666d7464737465706761747453746d7480", "\"attStmt\""},
        {"a263666d7464737465706761747453746d74a0", "x5c: expected one array"},
        {"a263666d7464737465706761747453746d74a16378356301", "x5c: expected one array"},
        {"a263666d7464737465706761747453746d74a16378356380", "found 0"},
        {"a263666d7464737465706761747453746d74a1637835638101", "element 0 is not"},
        {"a263666d7464737465706761747453746d74a163783563814430820001", "x5c: element 0"},
        {"a263666d7464737465706761747453746d74a1637835638144308200", "CBOR"},
        {"a000", "CBOR"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice object;
        must(hex_read(A, slice_text(CASES[i].hex), &object));
        struct acme_attestation_order o = order_make(object, "SN-0001");
        assert_refused(&o, CASES[i].detail, NULL);
    }
}

static void no_prefix_and_no_suffix_will_do(void **state)
{
    struct slice object = apple(apple_device());
    struct acme_attestation out;
    struct slice mismatch;

    (void)state;
    for (size_t n = 0; n < object.n; n += 1 + n / 40) {
        struct acme_attestation_order o = order_make(slice_sub(object, 0, n), "SN-0001");
        struct acme_result r = acme_attest(A, &o, &out, &mismatch);
        assert_int_equal(r.verdict, ACME_INVALID);
    }
    struct acme_attestation_order o =
        order_make(arena_format(A, "%.*s", SLICE_ARG(SLICE("x"))), "SN-0001");
    uint8_t *longer = arena_alloc(A, object.n + 1);
    memcpy(longer, object.p, object.n);
    o.object = slice_of(longer, object.n + 1);
    assert_refused(&o, "behind the item", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apple_devices_have_two_names),
        cmocka_unit_test(apple_needs_the_nonce_of_this_token),
        cmocka_unit_test(a_device_without_names_matches_nothing),
        cmocka_unit_test(tokens_sign_with_three_kinds_of_keys),
        cmocka_unit_test(signatures_of_others_are_refused),
        cmocka_unit_test(serial_numbers_have_two_forms),
        cmocka_unit_test(the_fingerprint_has_its_form),
        cmocka_unit_test(without_roots_nothing_is_believed),
        cmocka_unit_test(chains_are_judged_at_the_time_of_the_order),
        cmocka_unit_test(formats_must_be_known_and_enabled),
        cmocka_unit_test(objects_must_have_their_shape),
        cmocka_unit_test(no_prefix_and_no_suffix_will_do),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
