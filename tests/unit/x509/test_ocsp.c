/* OCSP: libcrypto reads our requests and answers, we read its. */
#include <openssl/ocsp.h>

#include "x509_test.h"

#include "x509/ocsp.h"

#define NOW "2026-06-01T12:00:00Z"

static struct signer *root_signer;
static struct issuer root;
static struct cert *leaf;

static void world(void)
{
    root_signer = signer_new(KEY_P256, 0);
    root = ca_new(root_signer, "Root", NULL);
    struct x509_leaf l = leaf_new(signer_new(KEY_P256, 0)->public_key, "leaf");
    leaf = sign(&l, &root);
}

static struct ocsp_id leaf_id(enum digest digest)
{
    return ocsp_id_of(A, digest, root.chain.v[0], leaf->serial);
}

/* A responder's certificate of that issuer. */
static struct cert *responder_new(struct signer *s, const struct issuer *by, bool for_ocsp,
                                  const char *from, const char *to)
{
    struct slice use = slice_of(OID_EKU_OCSP.p, OID_EKU_OCSP.n);
    struct x509_leaf l = leaf_new(s->public_key, "OCSP");

    l.not_before = at(from);
    l.not_after = at(to);
    if (for_ocsp) {
        l.eku = &use;
        l.n_eku = 1;
    }
    return sign(&l, by);
}

static struct ocsp_single single(enum ocsp_status status)
{
    return (struct ocsp_single){
        .id = leaf_id(DIGEST_SHA1),
        .status = status,
        .revoked_at = at("2026-05-01T00:00:00Z"),
        .reason = status == OCSP_REVOKED ? 4 : -1,
        .this_update = at(NOW),
        .next_update = at("2026-06-02T12:00:00Z"),
    };
}

static struct slice answer(const struct ocsp_single *s, size_t n, struct signer *by,
                           struct cert *with, struct slice nonce)
{
    struct buf der = buf_new(A, OCSP_RESPONSE_MAX);
    struct ocsp_order o = {.produced_at = at(NOW), .singles = s, .n = n, .nonce = nonce};

    if (with)
        cert_list_add(A, &o.certs, with);
    ok(ocsp_response_make(&o, by, &der, DEADLINE_NONE, e));
    return buf_slice(&der);
}

/* --- Requests ----------------------------------------------------------------------------- */

static void request_is_what_libcrypto_would_ask(void **state)
{
    struct buf b = buf_new(A, OCSP_REQUEST_MAX);

    (void)state;
    world();
    X509 *subject = openssl_cert(leaf->der), *issuer = openssl_cert(root.chain.v[0]->der);
    for (int with_nonce = 0; with_nonce < 2; with_nonce++) {
        struct ocsp_id id = leaf_id(DIGEST_SHA1);
        buf_reset(&b);
        ocsp_request_put(&b, &id, 1, with_nonce ? SLICE("12345678") : SLICE_NONE);
        const unsigned char *p = b.p;
        OCSP_REQUEST *request = d2i_OCSP_REQUEST(NULL, &p, (long)b.n);
        assert_non_null(request);
        assert_ptr_equal(p, b.p + b.n);
        assert_int_equal(OCSP_request_onereq_count(request), 1);
        OCSP_CERTID *theirs = OCSP_cert_to_id(EVP_sha1(), subject, issuer);
        OCSP_CERTID *ours = OCSP_onereq_get0_id(OCSP_request_onereq_get0(request, 0));
        assert_int_equal(OCSP_id_cmp(theirs, ours), 0);
        OCSP_CERTID_free(theirs);
        OCSP_REQUEST_free(request);
    }
    X509_free(subject);
    X509_free(issuer);
}

static void request_of_libcrypto_is_read(void **state)
{
    static const struct {
        const EVP_MD *(*md)(void);
        enum digest digest;
        bool nonce;
    } CASES[] = {{EVP_sha1, DIGEST_SHA1, false},
                 {EVP_sha256, DIGEST_SHA256, true},
                 {EVP_sha384, DIGEST_SHA384, true},
                 {EVP_sha224, DIGEST_NONE, false}};

    (void)state;
    world();
    X509 *subject = openssl_cert(leaf->der), *issuer = openssl_cert(root.chain.v[0]->der);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        OCSP_REQUEST *request = OCSP_REQUEST_new();
        unsigned char *der = NULL;
        struct ocsp_request r;
        OCSP_request_add0_id(request, OCSP_cert_to_id(CASES[i].md(), subject, issuer));
        OCSP_request_add0_id(request, OCSP_cert_to_id(CASES[i].md(), issuer, issuer));
        if (CASES[i].nonce)
            OCSP_request_add1_nonce(request, NULL, 32);
        int n = i2d_OCSP_REQUEST(request, &der);
        ok(ocsp_request_read(A, slice_of(der, (size_t)n), &r, e));
        assert_int_equal(r.n, 2);
        assert_int_equal(r.ids[0].digest, CASES[i].digest);
        assert_int_equal(r.nonce.n, CASES[i].nonce ? 32 : 0);
        assert_true(slice_eq(r.ids[0].serial, leaf->serial));
        bool known = CASES[i].digest != DIGEST_NONE;
        assert_int_equal(ocsp_id_is_of(&r.ids[0], root.chain.v[0]), known);
        assert_false(ocsp_id_is_of(&r.ids[0], leaf));
        if (known) {
            struct ocsp_id ours = leaf_id(CASES[i].digest);
            assert_true(ocsp_id_eq(&ours, &r.ids[0]));
            assert_false(ocsp_id_eq(&ours, &r.ids[1]));
        }
        OPENSSL_free(der);
        OCSP_REQUEST_free(request);
    }
    X509_free(subject);
    X509_free(issuer);
}

static void request_that_is_none_is_refused(void **state)
{
    static const char *const CASES[] = {"", "\x30\x01", "\x31\x00", "\x30\x02\x30\x00"};
    struct buf b = buf_new(A, OCSP_REQUEST_MAX);
    struct ocsp_request r;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        refused(ocsp_request_read(A, slice_of(CASES[i], i == 3 ? 4 : strlen(CASES[i])), &r, e),
                "OCSP request");
    ocsp_request_put(&b, NULL, 0, SLICE_NONE);
    refused(ocsp_request_read(A, buf_slice(&b), &r, e), "at least one");
    world();
    struct ocsp_id id = leaf_id(DIGEST_SHA1);
    buf_reset(&b);
    ocsp_request_put(&b, &id, 1, SLICE(""));
    refused(ocsp_request_read(A, buf_slice(&b), &r, e), "nonce");
    buf_reset(&b);
    ocsp_request_put(&b, &id, 1, SLICE_NONE);
    for (size_t n = 0; n < b.n; n++)
        assert_false(ocsp_request_read(A, slice_sub(buf_slice(&b), 0, n), &r, NULL));
    buf_byte(&b, 0);
    refused(ocsp_request_read(A, buf_slice(&b), &r, e), "OCSP request");
    char *big = arena_alloc(A, OCSP_REQUEST_MAX + 1);
    refused(ocsp_request_read(A, slice_of(big, OCSP_REQUEST_MAX + 1), &r, e), "at most");
}

/* --- Answers ------------------------------------------------------------------------------ */

static void answer_satisfies_libcrypto(void **state)
{
    static const int EXPECTED[] = {
        [OCSP_GOOD] = V_OCSP_CERTSTATUS_GOOD,
        [OCSP_REVOKED] = V_OCSP_CERTSTATUS_REVOKED,
        [OCSP_UNKNOWN] = V_OCSP_CERTSTATUS_UNKNOWN,
    };

    (void)state;
    world();
    X509 *subject = openssl_cert(leaf->der), *issuer = openssl_cert(root.chain.v[0]->der);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_add_cert(store, issuer);
    X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)at(NOW).sec);
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), subject, issuer);
    for (int delegated = 0; delegated < 2; delegated++) {
        struct signer *by = delegated ? signer_new(KEY_RSA, 2048) : root_signer;
        struct cert *with = delegated ? responder_new(by, &root, true, "2026-01-01T00:00:00Z",
                                                      "2027-01-01T00:00:00Z")
                                      : NULL;
        for (enum ocsp_status s = OCSP_GOOD; s <= OCSP_UNKNOWN; s++) {
            struct ocsp_single one = single(s);
            struct slice der = answer(&one, 1, by, with, SLICE("nonce"));
            const unsigned char *p = der.p;
            int status, reason;
            OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)der.n);
            assert_non_null(r);
            assert_int_equal(OCSP_response_status(r), OCSP_RESPONSE_STATUS_SUCCESSFUL);
            OCSP_BASICRESP *basic = OCSP_response_get1_basic(r);
            STACK_OF(X509) *certs = sk_X509_new_null();
            sk_X509_push(certs, issuer);
            assert_int_equal(OCSP_basic_verify(basic, certs, store, 0), 1);
            assert_int_equal(OCSP_resp_find_status(basic, id, &status, &reason, NULL, NULL, NULL),
                             1);
            assert_int_equal(status, EXPECTED[s]);
            if (s == OCSP_REVOKED)
                assert_int_equal(reason, 4);
            sk_X509_free(certs);
            OCSP_BASICRESP_free(basic);
            OCSP_RESPONSE_free(r);
        }
    }
    OCSP_CERTID_free(id);
    X509_STORE_free(store);
    X509_free(subject);
    X509_free(issuer);
}

static void answer_comes_back_as_it_was_made(void **state)
{
    (void)state;
    world();
    struct ocsp_single two[] = {single(OCSP_REVOKED), single(OCSP_GOOD)};
    two[0].id = ocsp_id_of(A, DIGEST_SHA1, root.chain.v[0], SLICE("\x05"));
    two[0].next_update = INSTANT_ZERO_GO;
    struct slice der = answer(two, 2, root_signer, NULL, SLICE("12345678"));
    struct ocsp_response r;
    struct ocsp_id id = leaf_id(DIGEST_SHA1), other = leaf_id(DIGEST_SHA256);

    ok(ocsp_response_read(A, der, &r, e));
    assert_int_equal(r.outcome, OCSP_SUCCESSFUL);
    assert_int_equal(r.n, 2);
    assert_slice(r.nonce, "12345678");
    assert_int_equal(instant_cmp(r.produced_at, at(NOW)), 0);
    assert_ptr_equal(ocsp_find(&r, &id), &r.singles[1]);
    assert_null(ocsp_find(&r, &other));
    assert_int_equal(r.singles[0].status, OCSP_REVOKED);
    assert_int_equal(r.singles[0].reason, 4);
    assert_int_equal(instant_cmp(r.singles[0].revoked_at, two[0].revoked_at), 0);
    assert_true(instant_is_zero(r.singles[0].next_update));
    assert_int_equal(r.singles[1].reason, -1);
    ok(ocsp_signed_for(&r, root.chain.v[0], at(NOW), e));
}

static void answer_of_somebody_else_is_not_believed(void **state)
{
    (void)state;
    world();
    struct signer *other = signer_new(KEY_P256, 0), *s = signer_new(KEY_P256, 0);
    struct issuer foreign = ca_new(other, "Root", NULL);
    const char *FROM = "2026-01-01T00:00:00Z", *TO = "2027-01-01T00:00:00Z";
    const struct {
        struct cert *with;
        struct signer *by;
        const char *why; /* NULL: believed */
    } CASES[] = {
        {NULL, root_signer, NULL},
        {responder_new(s, &root, true, FROM, TO), s, NULL},
        {NULL, s, "is not there"},
        {NULL, other, "is not there"},
        {responder_new(s, &root, false, FROM, TO), s, "not for OCSP signing"},
        {responder_new(s, &foreign, true, FROM, TO), s, "not of the same issuer"},
        {responder_new(s, &root, true, FROM, "2026-05-01T00:00:00Z"), s, "not valid now"},
        {responder_new(s, &root, true, "2026-07-01T00:00:00Z", TO), s, "not valid now"},
    };
    struct ocsp_single one = single(OCSP_GOOD);

    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct ocsp_response r;
        ok(ocsp_response_read(A, answer(&one, 1, CASES[i].by, CASES[i].with, SLICE_NONE), &r, e));
        if (CASES[i].why)
            refused(ocsp_signed_for(&r, root.chain.v[0], at(NOW), e), CASES[i].why);
        else
            ok(ocsp_signed_for(&r, root.chain.v[0], at(NOW), e));
    }
}

static void answer_that_was_changed_does_not_verify(void **state)
{
    (void)state;
    world();
    struct ocsp_single one = single(OCSP_GOOD);
    struct slice der = answer(&one, 1, root_signer, NULL, SLICE_NONE);
    unsigned believed = 0;

    for (size_t i = 0; i < der.n; i++) {
        CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
        struct slice copy = arena_copy(a, der);
        struct ocsp_response r;
        ((uint8_t *)copy.p)[i] ^= 1;
        believed += ocsp_response_read(a, copy, &r, NULL) && r.outcome == OCSP_SUCCESSFUL &&
                    ocsp_signed_for(&r, root.chain.v[0], at(NOW), NULL);
    }
    assert_int_equal(believed, 0);
}

static void answer_is_current_between_its_updates(void **state)
{
    static const struct {
        const char *this_update, *next_update, *produced, *why;
    } CASES[] = {
        {NOW, "2026-06-01T12:00:00Z", NOW, NULL},
        {"2026-06-01T12:05:00Z", "2026-06-02T12:00:00Z", NOW, NULL},
        {"2026-06-01T12:05:01Z", "2026-06-02T12:00:00Z", NOW, "not valid before"},
        {"2026-05-01T12:00:00Z", "2026-06-01T11:55:00Z", NOW, NULL},
        {"2026-05-01T12:00:00Z", "2026-06-01T11:54:59Z", NOW, "out of date"},
        {"2026-05-01T12:00:00Z", NULL, "2026-06-01T11:55:00Z", NULL},
        {"2026-05-01T12:00:00Z", NULL, "2026-06-01T11:54:59Z", "is old"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const struct ocsp_response r = {.produced_at = at(CASES[i].produced)};
        const struct ocsp_single s = {
            .this_update = at(CASES[i].this_update),
            .next_update = CASES[i].next_update ? at(CASES[i].next_update) : INSTANT_ZERO_GO,
        };
        if (CASES[i].why)
            refused(ocsp_is_current(&r, &s, at(NOW), 300 * NS_PER_SEC, e), CASES[i].why);
        else
            ok(ocsp_is_current(&r, &s, at(NOW), 300 * NS_PER_SEC, e));
    }
}

static void failures_have_names(void **state)
{
    static const struct {
        enum ocsp_outcome outcome;
        const char *name;
    } CASES[] = {{OCSP_MALFORMED_REQUEST, "malformedRequest"},
                 {OCSP_TRY_LATER, "tryLater"},
                 {OCSP_UNAUTHORIZED, "unauthorized"},
                 {(enum ocsp_outcome)4, "unknown"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct buf b = buf_new(A, 64);
        struct ocsp_response r;
        ocsp_error_put(&b, CASES[i].outcome);
        ok(ocsp_response_read(A, buf_slice(&b), &r, e));
        assert_int_equal(r.outcome, CASES[i].outcome);
        assert_int_equal(r.n, 0);
        assert_string_equal(ocsp_outcome_name(r.outcome), CASES[i].name);
        const unsigned char *p = b.p;
        OCSP_RESPONSE *theirs = d2i_OCSP_RESPONSE(NULL, &p, (long)b.n);
        assert_int_equal(OCSP_response_status(theirs), CASES[i].outcome);
        OCSP_RESPONSE_free(theirs);
    }
}

static void answer_that_is_none_is_refused(void **state)
{
    struct ocsp_response r;

    (void)state;
    world();
    struct ocsp_single one = single(OCSP_REVOKED);
    struct slice der = answer(&one, 1, root_signer, root.chain.v[0], SLICE("n"));
    for (size_t n = 0; n < der.n; n++)
        assert_false(ocsp_response_read(A, slice_sub(der, 0, n), &r, NULL));
    refused(ocsp_response_read(A, SLICE("\x30\x03\x0a\x01\x00"), &r, e), "response bytes");
    refused(ocsp_response_read(A, SLICE("<html>"), &r, e), "status");
    char *big = arena_alloc(A, OCSP_RESPONSE_MAX + 1);
    refused(ocsp_response_read(A, slice_of(big, OCSP_RESPONSE_MAX + 1), &r, e), "at most");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(request_is_what_libcrypto_would_ask),
        TEST(request_of_libcrypto_is_read),
        TEST(request_that_is_none_is_refused),
        TEST(answer_satisfies_libcrypto),
        TEST(answer_comes_back_as_it_was_made),
        TEST(answer_of_somebody_else_is_not_believed),
        TEST(answer_that_was_changed_does_not_verify),
        TEST(answer_is_current_between_its_updates),
        TEST(failures_have_names),
        TEST(answer_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
