/* From an element of authority.provisioners to a provisioner: what is refused, what is disabled,
 * what everybody may see. */
#include "provisioner/acme.h"
#include "provisioner_testing.h"

static bool make(const struct json *object, struct provisioner **p, struct err *e)
{
    struct provisioner_env env = env_new();

    return provisioner_make(A, object, "authority.provisioners[3]", &env, p, e);
}

static struct json *good_jwk(void)
{
    struct jwk jwk = jwk_new(key_new(KEY_P256, 0));

    return jwk_object("ops", &jwk);
}

static void types_are_found_ignoring_case(void **state)
{
    static const char *const NAMES[] = {"JWK", "OIDC",  "GCP",    "AWS",  "Azure", "ACME",
                                        "X5C", "K8sSA", "SSHPOP", "SCEP", "Nebula"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        const struct provisioner_type *t = provisioner_type_numbered((int64_t)i + 1);
        assert_string_equal(t->name, NAMES[i]);
        assert_ptr_equal(provisioner_type_find(slice_text(NAMES[i])), t);
        assert_ptr_equal(provisioner_type_find(slice_text(t->written)), t);
    }
    assert_non_null(provisioner_type_find(SLICE("jwk")));
    assert_non_null(provisioner_type_find(SLICE("k8ssa")));
    assert_null(provisioner_type_find(SLICE("jwks")));
    assert_null(provisioner_type_find(SLICE("")));
    assert_null(provisioner_type_numbered(0));
    assert_null(provisioner_type_numbered(12));
}

static void broken_objects_are_configuration_errors(void **state)
{
    static const struct {
        const char *text, *says;
        enum err_kind kind;
    } ROWS[] = {
        {"5", "expected an object", ERR_MALFORMED},
        {"{}", "type", ERR_MALFORMED},
        {"{\"type\":\"\"}", "type", ERR_MALFORMED},
        {"{\"type\":5}", "type", ERR_MALFORMED},
        {"{\"type\":\"foo\",\"name\":\"x\"}", "\"foo\" (provisioner \"x\")", ERR_MALFORMED},
        {"{\"type\":\"X5C\",\"name\":5}", "name", ERR_MALFORMED},
        {"{\"type\":\"X5C\",\"name\":\"x\",\"claims\":5}", "claims", ERR_MALFORMED},
        {"{\"type\":\"X5C\",\"name\":\"x\",\"claims\":{\"minTLSCertDuration\":\"24\"}}",
         "claims.minTLSCertDuration", ERR_MALFORMED},
        {"{\"type\":\"X5C\",\"name\":\"x\",\"claims\":{\"enableSSHCA\":1}}", "claims.enableSSHCA",
         ERR_MALFORMED},
        {"{\"type\":\"X5C\",\"name\":\"x\",\"options\":[]}", "options", ERR_MALFORMED},
        {"{\"type\":\"X5C\",\"name\":\"x\",\"roots\":5}", "roots", ERR_MALFORMED},
        {"{\"type\":\"X5C\",\"name\":\"x\",\"roots\":\"?\"}", "roots", ERR_MALFORMED},
        {"{\"type\":\"JWK\",\"name\":\"x\",\"key\":5}", "key", ERR_MALFORMED},
        {"{\"type\":\"JWK\",\"name\":\"x\",\"key\":{\"kty\":\"EC\"}}", "key", ERR_MALFORMED},
        {"{\"type\":\"ACME\",\"name\":\"x\",\"challenges\":\"http-01\"}", "challenges",
         ERR_MALFORMED},
        {"{\"type\":\"X5C\",\"name\":\"x\",\"options\":{\"ssh\":{\"template\":5}}}", "options.ssh",
         ERR_MALFORMED},
        {"{\"type\":\"X5C\",\"name\":\"x\",\"options\":{\"webhooks\":[{}]}}",
         "options.webhooks[0]: name", ERR_MALFORMED},
        {"{\"type\":\"X5C\",\"name\":\"x\",\"options\":{\"webhooks\":{}}}", "options.webhooks",
         ERR_MALFORMED},
    };
    struct provisioner *p;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct err e = {0};
        if (make(json_of(ROWS[i].text), &p, &e) || e.kind != ROWS[i].kind ||
            !strstr(e.text, ROWS[i].says) || !strstr(e.text, "authority.provisioners[3]"))
            fail_msg("row %zu: %s \"%s\"", i, err_kind_name(e.kind), e.text);
    }
}

static void empty_options_are_fine(void **state)
{
    struct json *v = good_jwk();
    struct provisioner *p;

    (void)state;
    json_change(v, "options", "{\"x509\":{},\"ssh\":{},\"webhooks\":[]}");
    ok(make(v, &p, e));
    assert_null(p->trouble);
    json_change(v, "options", "{\"x509\":{\"template\":\"\",\"templateData\":null},\"ssh\":null}");
    ok(make(v, &p, e));
    json_change(v, "options", "null");
    json_change(v, "claims", "null");
    ok(make(v, &p, e));
    assert_null(p->trouble);
}

/* Listed with the reason, and ids that tokens can find. */
static void trouble_is_listed(void **state)
{
    struct json *v = good_jwk();
    struct provisioner *p;

    (void)state;
    json_change(v, "claims", "{\"maxTLSCertDuration\":\"1m\"}");
    ok(make(v, &p, e));
    assert_non_null(p->trouble);
    assert_true(p->token_id.n > 4);
    const struct json *listing = json_of(arena_cstr(A, p->listing));
    assert_slice(json_text(json_get(listing, "state")), "Uninitialized");
    assert_slice(json_text(json_get(listing, "stateReason")), p->trouble);
    assert_non_null(strstr(p->trouble, "maxTLSCertDuration"));
    assert_slice(json_text(json_get(listing, "name")), "ops");

    v = good_jwk();
    json_change(v, "name", "\"\"");
    ok(make(v, &p, e));
    assert_non_null(strstr(p->trouble, "name"));
}

static void a_jwk_without_key_is_disabled(void **state)
{
    static const char *const ROWS[] = {"{\"type\":\"JWK\",\"name\":\"x\"}",
                                       "{\"type\":\"JWK\",\"name\":\"x\",\"key\":null}"};
    struct provisioner *p;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        ok(make(json_of(ROWS[i]), &p, e));
        assert_non_null(strstr(p->trouble, "key"));
        assert_slice(p->token_id, "x:");
        const struct json *listing = json_of(arena_cstr(A, p->listing));
        assert_slice(json_text(json_get(listing, "state")), "Uninitialized");
        assert_int_equal(json_get(listing, "key")->kind, JSON_NULL);
    }
}

static void private_keys_are_neither_used_nor_shown(void **state)
{
    struct jwk jwk = jwk_new(key_new(KEY_P256, 0));
    struct json *v = jwk_object("ops", &jwk);
    struct provisioner *p;

    (void)state;
    json_set_exact(v, A, "key", jwk_json(A, &jwk, true));
    struct slice d = json_text(json_get(json_get(v, "key"), "d"));
    assert_true(d.n > 0);
    ok(make(v, &p, e));
    assert_non_null(strstr(p->trouble, "private key"));
    assert_int_equal(slice_search(p->listing, d), p->listing.n);
    assert_null(json_get(json_get(json_of(arena_cstr(A, p->listing)), "key"), "d"));
}

static void symmetric_keys_are_neither_used_nor_shown(void **state)
{
    static const char SECRET[] = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0";
    struct json *v = json_of("{\"type\":\"JWK\",\"name\":\"ops\"}");
    struct provisioner *p;

    (void)state;
    json_change(v, "key", arena_printf(A, "{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"%s\"}", SECRET));
    ok(make(v, &p, e));
    assert_non_null(strstr(p->trouble, "symmetric"));
    assert_int_equal(slice_search(p->listing, slice_text(SECRET)), p->listing.n);
    assert_slice(p->token_id, "ops:k");
}

static void keys_that_are_weak_or_cannot_sign_are_not_used(void **state)
{
    static const struct {
        enum key_type type;
        unsigned bits;
    } ROWS[] = {{KEY_RSA, 1024}, {KEY_X25519, 0}};
    struct provisioner *p;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct jwk jwk = jwk_new(key_new(ROWS[i].type, ROWS[i].bits));
        ok(make(jwk_object("ops", &jwk), &p, e));
        if (!p->trouble)
            fail_msg("row %zu is used", i);
    }
}

static void a_key_without_kid_gets_its_thumbprint(void **state)
{
    struct jwk jwk = jwk_new(key_new(KEY_P256, 0));
    struct slice kid = jwk.kid;
    struct provisioner *p;

    (void)state;
    jwk.kid = SLICE_NONE;
    ok(make(jwk_object("ops", &jwk), &p, e));
    assert_null(p->trouble);
    assert_non_null(p->warning);
    assert_true(slice_eq(p->kid, kid));
    assert_slice(p->token_id, arena_printf(A, "ops:%.*s", SLICE_ARG(kid)));
}

static void a_jwk_listing_has_its_members_in_order(void **state)
{
    struct jwk jwk = jwk_new(key_new(KEY_P256, 0));
    struct json *v = jwk_object("ops", &jwk);
    struct slice key = jwk_text(A, &jwk, false);
    struct provisioner *p;

    (void)state;
    json_change(v, "type", "\"jWk\"");
    json_change(v, "unknown", "{\"secret\":1}");
    json_change(v, "claims", "{\"enableSSHCA\":false,\"maxTLSCertDuration\":\"48h\"}");
    json_change(v, "encryptedKey", "\"a.b.c.d.e\"");
    ok(make(v, &p, e));
    assert_slice(p->listing,
                 arena_printf(A,
                              "{\"type\":\"jWk\",\"name\":\"ops\",\"key\":%.*s,"
                              "\"encryptedKey\":\"a.b.c.d.e\",\"claims\":{\"maxTLSCertDuration\":"
                              "\"48h0m0s\",\"enableSSHCA\":false}}",
                              SLICE_ARG(key)));
    assert_slice(p->encrypted_key, "a.b.c.d.e");
}

static void x5c_roots_must_be_certificates(void **state)
{
    static const struct {
        const char *roots, *says;
    } ROWS[] = {
        {NULL, "found none"},
        {"\"\"", "found none"},
        {"\"aGVsbG8=\"", "found none"},
        {"\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=\"",
         "certificate 1"},
    };
    struct private_key *key = key_new(KEY_P256, 0);
    struct x509_leaf leaf = ca_leaf(key, "root");
    struct json *v = x5c_object("edge", cert_sign(&leaf, key, NULL));
    struct provisioner *p;

    (void)state;
    ok(make(v, &p, e));
    assert_null(p->trouble);
    assert_slice(p->listing, arena_cstr(A, json_line(v)));
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        json_change(v, "roots", ROWS[i].roots);
        ok(make(v, &p, e));
        if (!p->trouble || !strstr(p->trouble, ROWS[i].says))
            fail_msg("row %zu: %s", i, p->trouble ? p->trouble : "fine");
    }
}

static void unserved_types_are_known_by_their_ids(void **state)
{
    static const struct {
        const char *text, *id;
        bool no_tokens;
    } ROWS[] = {
        {"{\"type\":\"OIDC\",\"name\":\"g\",\"clientID\":\"cid\"}", "cid", false},
        {"{\"type\":\"gcp\",\"name\":\"g\"}", "gcp/g", false},
        {"{\"type\":\"AWS\",\"name\":\"g\"}", "aws/g", false},
        {"{\"type\":\"azure\",\"name\":\"g\",\"tenantID\":\"tid\"}", "tid", false},
        {"{\"type\":\"K8sSA\",\"name\":\"g\"}", "k8ssa/k8sSA-default", false},
        {"{\"type\":\"SCEP\",\"name\":\"g\"}", "scep/g", true},
        {"{\"type\":\"Nebula\",\"name\":\"g\"}", "nebula/g", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct provisioner *p = provisioner_of(json_of(ROWS[i].text));
        assert_slice(p->token_id, ROWS[i].id);
        assert_non_null(p->trouble);
        assert_non_null(strstr(p->trouble, "not served"));
        assert_int_equal(p->type->no_tokens, ROWS[i].no_tokens);
        assert_null(p->type->authorize[METHOD_SIGN]);
        assert_non_null(json_get(json_of(arena_cstr(A, p->listing)), "state"));
    }
}

static void acme_offers_what_is_known(void **state)
{
    static const struct {
        const char *more, *trouble;
        unsigned challenges, formats;
    } ROWS[] = {
        {"{}", NULL, 7, 7},
        {"{\"challenges\":[],\"attestationFormats\":[]}", NULL, 7, 7},
        {"{\"challenges\":[\"HTTP-01\"],\"attestationFormats\":[\"TPM\"]}", NULL, 1, 4},
        {"{\"challenges\":[\"device-attest-01\",\"dns-01\"]}", NULL, 10, 7},
        {"{\"challenges\":[\"smtp-01\"]}", "smtp-01", 0, 0},
        {"{\"challenges\":[\"wire-oidc-01\"]}", "not supported", 0, 0},
        {"{\"attestationFormats\":[\"x\"]}", "attestationFormats", 0, 0},
        {"{\"attestationRoots\":\"aGVsbG8=\"}", "attestationRoots", 0, 0},
        {"{\"name\":\"a/b\"}", "name", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct json *v = json_of("{\"type\":\"acme\",\"name\":\"g\"}");
        for (struct json *m = json_of(ROWS[i].more)->first, *next; m; m = next) {
            next = m->next;
            json_set_exact(v, A, arena_cstr(A, m->name), m);
        }
        const struct provisioner *p = provisioner_of(v);
        const struct acme_detail *d = acme_detail_of(p);
        bool as_wanted = ROWS[i].trouble ? p->trouble && strstr(p->trouble, ROWS[i].trouble) && !d
                                         : d && d->challenges == ROWS[i].challenges &&
                                               d->formats == ROWS[i].formats;
        if (!as_wanted)
            fail_msg("row %zu: %s", i, p->trouble ? p->trouble : "fine");
        assert_true(p->type->no_tokens);
        assert_true(slice_starts(p->token_id, "acme/"));
    }
}

static void secrets_are_not_listed(void **state)
{
    static const char SCEP[] =
        "{\"type\":\"SCEP\",\"name\":\"s\",\"challenge\":\"TOPSECRET\","
        "\"decrypterKey\":\"TOPSECRET\",\"decrypterKeyURI\":\"TOPSECRET\","
        "\"decrypterKeyPassword\":\"TOPSECRET\","
        "\"decrypterKeyPEM\":\"VE9QU0VDUkVU\",\"decrypterCertificate\":\"VE9QU0VDUkVU\","
        "\"options\":{\"webhooks\":[{\"name\":\"w\",\"secret\":\"TOPSECRET\",\"bearerToken\":"
        "\"TOPSECRET\",\"basicAuth\":{\"password\":\"TOPSECRET\"}}]}}";
    struct provisioner *p = provisioner_of(json_of(SCEP));
    const struct json *v = json_of(arena_cstr(A, p->listing));

    (void)state;
    assert_int_equal(slice_search(p->listing, SLICE("TOPSECRET")), p->listing.n);
    assert_int_equal(slice_search(p->listing, SLICE("VE9QU0VDUkVU")), p->listing.n);
    assert_slice(json_text(json_get(v, "challenge")), "*** REDACTED ***");
    assert_slice(json_text(json_get(v, "decrypterCertificate")), "KioqIFJFREFDVEVEICoqKg==");
    const struct json *hook = json_get(json_get(v, "options"), "webhooks")->first;
    assert_slice(json_text(json_get(hook, "name")), "w");
    assert_null(json_get(hook, "secret"));
}

/* Whatever an operator notes in an object stays in the file. */
static void unknown_members_are_not_listed(void **state)
{
    static const char NOTES[] = "\"_old\":\"HIDDEN\",\"//\":\"HIDDEN\",\"x\":{\"y\":\"HIDDEN\"}";
    static const char *const TYPES[] = {"OIDC",  "GCP", "AWS",    "Azure", "ACME",
                                        "K8sSA", "X5C", "SSHPOP", "SCEP",  "Nebula"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        const char *text = arena_printf(
            A,
            "{\"type\":\"%s\",\"name\":\"n\",%s,\"claims\":{\"enableSSHCA\":false,%s},"
            "\"options\":{%s,\"x509\":{\"template\":\"{}\",%s},\"webhooks\":[{\"name\":\"w\","
            "\"url\":\"https://h/\",\"kind\":\"ENRICHING\",%s}],\"wire\":{\"oidc\":{%s,"
            "\"config\":{\"clientId\":\"shown\",%s}},%s}}}",
            TYPES[i], NOTES, NOTES, NOTES, NOTES, NOTES, NOTES, NOTES, NOTES);
        struct provisioner *p = provisioner_of(json_of(text));
        if (slice_search(p->listing, SLICE("HIDDEN")) < p->listing.n ||
            slice_search(p->listing, SLICE("enableSSHCA")) == p->listing.n)
            fail_msg("%s: %.*s", TYPES[i], SLICE_ARG(p->listing));
    }
}

/* Members that clients look for stand there even when the file has none of them. */
static void unserved_types_list_their_members(void **state)
{
    static const struct {
        const char *text, *listing;
    } ROWS[] = {
        {"{\"clientSecret\":\"public\",\"type\":\"OIDC\",\"name\":\"n\",\"clientid\":\"c\"}",
         "{\"type\":\"OIDC\",\"name\":\"n\",\"clientID\":\"c\",\"clientSecret\":\"public\","
         "\"configurationEndpoint\":\"\""},
        {"{\"type\":\"AWS\",\"name\":\"n\"}",
         "{\"type\":\"AWS\",\"name\":\"n\",\"accounts\":null,\"disableCustomSANs\":false,"
         "\"disableTrustOnFirstUse\":false,\"imdsVersions\":null,\"instanceAge\":\"0s\""},
        {"{\"type\":\"GCP\",\"name\":\"n\",\"instanceAge\":\"1h\"}",
         "{\"type\":\"GCP\",\"name\":\"n\",\"disableCustomSANs\":false,"
         "\"disableTrustOnFirstUse\":false,\"disableSSHCAUser\":true,\"disableSSHCAHost\":false,"
         "\"instanceAge\":\"1h0m0s\""},
        {"{\"type\":\"Azure\",\"name\":\"n\",\"tenantId\":\"t\"}",
         "{\"type\":\"Azure\",\"name\":\"n\",\"tenantID\":\"t\",\"resourceGroups\":null,"
         "\"subscriptionIDs\":null,\"objectIDs\":null,"
         "\"audience\":\"https://management.azure.com/\",\"disableCustomSANs\":false,"
         "\"disableTrustOnFirstUse\":false"},
        {"{\"type\":\"SCEP\",\"name\":\"n\",\"includeRoot\":true}",
         "{\"type\":\"SCEP\",\"name\":\"n\",\"challenge\":\"*** REDACTED ***\","
         "\"includeRoot\":true,\"decrypterCertificate\":\"KioqIFJFREFDVEVEICoqKg==\","
         "\"decrypterKeyPEM\":\"KioqIFJFREFDVEVEICoqKg==\",\"decrypterKey\":\"*** REDACTED ***\","
         "\"decrypterKeyPassword\":\"*** REDACTED ***\""},
        {"{\"type\":\"Nebula\",\"name\":\"n\"}",
         "{\"type\":\"Nebula\",\"name\":\"n\",\"roots\":null"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct provisioner *p = provisioner_of(json_of(ROWS[i].text));
        const char *wanted = arena_printf(A, "%s,\"state\":\"Uninitialized\",", ROWS[i].listing);
        if (!slice_starts(p->listing, wanted))
            fail_msg("row %zu: %.*s", i, SLICE_ARG(p->listing));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(types_are_found_ignoring_case),
        TEST(broken_objects_are_configuration_errors),
        TEST(empty_options_are_fine),
        TEST(trouble_is_listed),
        TEST(a_jwk_without_key_is_disabled),
        TEST(private_keys_are_neither_used_nor_shown),
        TEST(symmetric_keys_are_neither_used_nor_shown),
        TEST(keys_that_are_weak_or_cannot_sign_are_not_used),
        TEST(a_key_without_kid_gets_its_thumbprint),
        TEST(a_jwk_listing_has_its_members_in_order),
        TEST(x5c_roots_must_be_certificates),
        TEST(unserved_types_are_known_by_their_ids),
        TEST(acme_offers_what_is_known),
        TEST(secrets_are_not_listed),
        TEST(unknown_members_are_not_listed),
        TEST(unserved_types_list_their_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
