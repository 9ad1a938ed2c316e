/* step ca provisioner add, update, remove on a file. */
#include "capture.h"

#include "authority/config.h"
#include "base/encode.h"
#include "cli/pki.h"
#include "cli/provisioner_edit.h"
#include "jose/jwe.h"

static const struct command *const TOP[] = {&CMD_CA_PROVISIONER, NULL};
static const struct command ROOT = {.name = "step", .summary = "test", .sub = TOP};
static const struct cli_environment ENV = {.root = &ROOT};

static const char CONFIG[] = "{\n"
                             "  \"root\": [\"/pki/root.crt\"],\n"
                             "  \"federatedRoots\": \"/pki/other.crt\",\n"
                             "  \"crt\": \"/pki/int.crt\", \"key\": \"/pki/int.key\",\n"
                             "  \"address\": \":9000\", \"dnsNames\": \"ca.test, 127.0.0.1\",\n"
                             "  \"note\": {\"kept\": 1},\n"
                             "  \"authority\": {\"x-own\": [1.50, \"<&>\"], \"provisioners\": [\n"
                             "    {\"type\": \"acme\", \"name\": \"acme\", \"x\": true},\n"
                             "    {\"type\": \"X5C\", \"name\": \"other\", \"roots\": \"\"},\n"
                             "  ]}\n"
                             "}\n";

/* Paths of one call stand side by side. */
static const char *at(const char *name)
{
    static char paths[8][256];
    static size_t next;
    char *path = paths[next++ % COUNT_OF(paths)];

    snprintf(path, sizeof(paths[0]), "%s/%s", scratch, name);
    return path;
}

static const char *config_path(void)
{
    return at("config/ca.json");
}

static int setup(void **state)
{
    if (scratch_setup(state) != 0)
        return -1;
    scratch_put("config/ca.json", CONFIG);
    scratch_put("password", "secret password\n");
    return 0;
}

#define EDIT(...)                                                                                  \
    RUN(&ENV, "provisioner", __VA_ARGS__, "--ca-config", config_path(), "--non-interactive")

static const struct json *written(struct arena *a)
{
    struct slice text = arena_copy(a, slice_text(scratch_get("config/ca.json")));
    struct json *v = json_read(a, text, &JSON_STRICT, NULL, NULL);

    if (!v)
        fail_msg("%s", "the written file is no strict JSON");
    return v;
}

static const struct json *entry(struct arena *a, const char *name)
{
    const struct json *list = json_get(json_get(written(a), "authority"), "provisioners");

    for (const struct json *v = list->first; v; v = v->next)
        if (slice_is(json_text(json_get(v, "name")), name))
            return v;
    return NULL;
}

static const char *compact(struct arena *a, const struct json *v)
{
    struct buf b = buf_new(a, 65536);

    json_print(&b, v, NULL);
    return arena_cstr(a, buf_slice(&b));
}

static void assert_untouched(void)
{
    assert_int_equal(said.status, 1);
    assert_string_equal(scratch_get("config/ca.json"), CONFIG);
}

/* A root in STEPPATH/root.crt; without keyCertSign it is STEPPATH/leaf.crt. */
static void put_roots(void)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct pki_pair root;
    struct err e = {0};

    assert_true(pki_root(a, a, SLICE("Test"), instant_sec(1770000000), &RNG_SYSTEM, &root, &e));
    scratch_put("root.crt", arena_cstr(a, cert_pem(a, root.cert->der)));
    struct x509_leaf leaf = {.key = root.key->public_key,
                             .subject = {.common_name = SLICE("leaf")},
                             .not_before = instant_sec(1770000000),
                             .not_after = instant_sec(1780000000),
                             .key_usage = KU_DIGITAL_SIGNATURE};
    struct issuer self = {.key = leaf.key, .signer = signer_local(a, root.key, "test")};
    struct buf der = buf_new(a, CERT_MAX);
    assert_true(x509_leaf_sign(&leaf, &self, &RNG_SYSTEM, &der, DEADLINE_NONE, &e));
    scratch_put("leaf.crt", arena_cstr(a, cert_pem(a, buf_slice(&der))));
}

static const char FOUR[] = "\"enableSSHCA\":true,\"disableRenewal\":false,"
                           "\"allowRenewalAfterExpiry\":false,"
                           "\"disableSmallstepExtensions\":false";

static void add_creates_a_jwk_provisioner(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct password_fixed fixed;
    struct jwk public_half, secret;
    struct err e = {0};

    (void)state;
    EDIT("add", "ops", "--create", "--password-file", at("password"));
    if (said.status != 0)
        fail_msg("%s", said.err);
    assert_string_equal(said.out, "");
    assert_non_null(strstr(said.err, "✔ CA Configuration: "));
    assert_non_null(strstr(said.err, "SIGHUP"));
    const struct json *v = entry(a, "ops");
    assert_non_null(v);
    assert_true(slice_is(json_text(json_get(v, "type")), "JWK"));
    assert_true(jwk_from_json(a, json_get(v, "key"), &public_half, &e));
    assert_null(public_half.secret);
    assert_true(slice_eq(public_half.kid, jwk_thumbprint(a, public_half.key)));
    assert_true(jwk_open(a, json_text(json_get(v, "encryptedKey")), "key",
                         password_fixed_init(&fixed, SLICE("secret password")), &secret, &e));
    assert_true(key_eq(secret.key, public_half.key));
    assert_true(slice_eq(secret.kid, public_half.kid));
    const char *claims = compact(a, json_get(v, "claims"));
    assert_string_equal(claims, arena_printf(a, "{%s}", FOUR));
    assert_string_equal(compact(a, json_get(v, "options")), "{\"x509\":{},\"ssh\":{}}");
    assert_true(slice_is(v->first->name, "type"));
    assert_true(slice_is(v->last->name, "options"));
}

static void the_rest_of_the_file_is_kept(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct stat st;

    (void)state;
    assert_int_equal(chmod(config_path(), 0640), 0);
    assert_int_equal(EDIT("add", "two", "--type", "Acme", "--require-eab"), 0);
    assert_int_equal(stat(config_path(), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    const struct json *v = written(a), *authority = json_get(v, "authority");
    assert_string_equal(compact(a, json_get(v, "root")), "\"/pki/root.crt\"");
    assert_string_equal(compact(a, json_get(v, "federatedRoots")), "[\"/pki/other.crt\"]");
    assert_string_equal(compact(a, json_get(v, "dnsNames")), "[\"ca.test\",\"127.0.0.1\"]");
    assert_string_equal(compact(a, json_get(v, "note")), "{\"kept\":1}");
    assert_non_null(strstr(scratch_get("config/ca.json"), "1.50"));
    assert_non_null(json_get(authority, "x-own"));
    assert_string_equal(compact(a, entry(a, "acme")),
                        "{\"type\":\"acme\",\"name\":\"acme\",\"x\":true}");
    assert_string_equal(
        compact(a, entry(a, "two")),
        arena_printf(a,
                     "{\"type\":\"ACME\",\"name\":\"two\",\"requireEAB\":true,\"claims\":{%s},"
                     "\"options\":{\"x509\":{},\"ssh\":{}}}",
                     FOUR));
    assert_non_null(strstr(scratch_get("config/ca.json"), "\n\t\"root\": "));
    assert_int_equal(scratch_get("config/ca.json")[strlen(scratch_get("config/ca.json")) - 1],
                     '\n');
    assert_non_null(strstr(said.err, "trailing comma"));
}

static void a_link_to_the_file_stays_a_link(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    char link_path[256];
    struct stat st;

    (void)state;
    snprintf(link_path, sizeof(link_path), "%s", at("ca-link.json"));
    assert_int_equal(symlink(config_path(), link_path), 0);
    RUN(&ENV, "provisioner", "add", "two", "--type", "ACME", "--ca-config", link_path);
    assert_int_equal(said.status, 0);
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_non_null(entry(a, "two"));
}

static void add_takes_claims(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    assert_int_equal(EDIT("add", "two", "--type", "ACME", "--x509-min-dur", "10m", "--x509-max-dur",
                          "100h", "--x509-default-dur", "90m", "--ssh-host-max-dur", "24h",
                          "--ssh-host-default-dur", "24h", "--ssh=false", "--disable-renewal",
                          "--allow-renewal-after-expiry", "--disable-smallstep-extensions"),
                     0);
    assert_string_equal(compact(a, json_get(entry(a, "two"), "claims")),
                        "{\"minTLSCertDuration\":\"10m0s\",\"maxTLSCertDuration\":\"100h0m0s\","
                        "\"defaultTLSCertDuration\":\"1h30m0s\","
                        "\"maxHostSSHCertDuration\":\"24h0m0s\","
                        "\"defaultHostSSHCertDuration\":\"24h0m0s\",\"enableSSHCA\":false,"
                        "\"disableRenewal\":true,\"allowRenewalAfterExpiry\":true,"
                        "\"disableSmallstepExtensions\":true}");
}

static void add_takes_key_files(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct private_key *key, *other;
    struct password_fixed fixed;
    struct jwk jwk, read;
    struct slice pem, sealed = SLICE_NONE;
    struct err e = {0};
    (void)state;
    assert_true(private_key_generate(a, KEY_P384, 0, &key, &e) &&
                private_key_generate(a, KEY_P384, 0, &other, &e));
    scratch_put("pub.pem", arena_cstr(a, public_key_pem(a, key->public_key)));
    assert_true(private_key_pem(a, key, KEY_PKCS8, &pem, &e));
    scratch_put("key.pem", arena_cstr(a, pem));
    assert_true(private_key_pem(a, other, KEY_PKCS8, &pem, &e));
    scratch_put("other.pem", arena_cstr(a, pem));
    assert_true(jwk_of_key(a, key->public_key, key, &jwk, &e) &&
                jwe_seal_jwk(a, &jwk, SLICE("x"), JWE_FLATTENED, &sealed, &e));
    scratch_put("key.json", arena_cstr(a, sealed));

    EDIT("add", "bad", "--public-key", at("pub.pem"), "--private-key", at("other.pem"),
         "--password-file", at("password"));
    assert_untouched();
    assert_non_null(strstr(said.err, "does not belong"));
    EDIT("add", "bad", "--public-key", at("pub.pem"), "--private-key", at("pub.pem"),
         "--password-file", at("password"));
    assert_untouched();

    assert_int_equal(EDIT("add", "only", "--public-key", at("pub.pem")), 0);
    assert_null(json_get(entry(a, "only"), "encryptedKey"));
    assert_true(jwk_from_json(a, json_get(entry(a, "only"), "key"), &read, &e));
    assert_true(key_eq(read.key, key->public_key));
    assert_true(slice_eq(read.kid, jwk.kid));
    /* The same key again under another name is another provisioner. */
    assert_int_equal(EDIT("add", "both", "--public-key", at("pub.pem"), "--private-key",
                          at("key.pem"), "--password-file", at("password")),
                     0);
    assert_true(jwk_open(a, json_text(json_get(entry(a, "both"), "encryptedKey")), "key",
                         password_fixed_init(&fixed, SLICE("secret password")), &read, &e));
    assert_true(key_eq(read.key, key->public_key));
    /* Somebody else's password: the JWE is kept, in its compact form. */
    assert_int_equal(
        EDIT("add", "flat", "--public-key", at("pub.pem"), "--private-key", at("key.json")), 0);
    sealed = json_text(json_get(entry(a, "flat"), "encryptedKey"));
    assert_false(slice_starts(sealed, "{"));
    assert_true(jwk_open(a, sealed, "key", password_fixed_init(&fixed, SLICE("x")), &read, &e));
    assert_true(key_eq(read.key, key->public_key));
    /* Without the private key: an empty name takes it away. */
    assert_int_equal(EDIT("update", "flat", "--private-key", ""), 0);
    assert_null(json_get(entry(a, "flat"), "encryptedKey"));
}

static void symmetric_keys_are_refused(void **state)
{
    (void)state;
    scratch_put("oct.json", "{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"c2VjcmV0c2VjcmV0c2VjcmV0\"}");
    EDIT("add", "bad", "--public-key", at("oct.json"));
    assert_untouched();
    assert_non_null(strstr(said.err, "symmetric"));
}

static void x5c_roots_must_sign_certificates(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice pem;

    (void)state;
    put_roots();
    EDIT("add", "x", "--type", "x5c");
    assert_untouched();
    assert_non_null(strstr(said.err, "'--type X5C' requires the '--x5c-roots' flag"));
    EDIT("add", "x", "--type", "x5c", "--x5c-roots", at("leaf.crt"));
    assert_untouched();
    assert_non_null(strstr(said.err, "keyCertSign"));
    assert_int_equal(EDIT("add", "x", "--type", "x5c", "--x5c-root", at("root.crt")), 0);
    assert_true(slice_is(json_text(json_get(entry(a, "x"), "type")), "X5C"));
    assert_true(base64_read(a, BASE64_STD, json_text(json_get(entry(a, "x"), "roots")), &pem));
    assert_string_equal(arena_cstr(a, pem), scratch_get("root.crt"));
}

static void update_adds_and_removes_in_lists(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    put_roots();
    assert_int_equal(EDIT("update", "acme", "--challenge", "HTTP-01", "--challenge", "dns-01",
                          "--attestation-format", "step", "--force-cn", "--attestation-roots",
                          at("root.crt")),
                     0);
    const struct json *v = entry(a, "acme");
    assert_string_equal(compact(a, json_get(v, "challenges")), "[\"http-01\",\"dns-01\"]");
    assert_string_equal(compact(a, json_get(v, "attestationFormats")), "[\"step\"]");
    assert_non_null(json_get(v, "attestationRoots"));
    assert_string_equal(compact(a, json_get(v, "x")), "true");
    assert_string_equal(compact(a, json_get(v, "type")), "\"acme\"");
    assert_int_equal(EDIT("update", "acme", "--challenge", "tls-alpn-01", "--remove-challenge",
                          "http-01", "--remove-attestation-format", "step", "--force-cn=false"),
                     0);
    v = entry(a, "acme");
    assert_string_equal(compact(a, json_get(v, "challenges")), "[\"dns-01\",\"tls-alpn-01\"]");
    assert_null(json_get(v, "attestationFormats"));
    assert_null(json_get(v, "forceCN"));
    EDIT("update", "acme", "--challenge", "smtp-01");
    assert_int_equal(said.status, 1);
    assert_non_null(strstr(said.err, "invalid value 'smtp-01' for flag '--challenge'"));
    EDIT("update", "acme", "--attestation-roots", at("leaf.crt"));
    assert_int_equal(said.status, 1);
}

static void update_keeps_what_no_flag_speaks_of(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct jwk before, after;
    struct err e = {0};

    (void)state;
    assert_int_equal(EDIT("add", "ops", "--create", "--password-file", at("password"),
                          "--x509-max-dur", "48h", "--disable-renewal", "--ssh=false"),
                     0);
    assert_true(jwk_from_json(a, json_get(entry(a, "ops"), "key"), &before, &e));
    assert_int_equal(EDIT("update", "ops", "--name", "operations", "--x509-min-dur", "1h"), 0);
    assert_null(entry(a, "ops"));
    assert_true(jwk_from_json(a, json_get(entry(a, "operations"), "key"), &after, &e));
    assert_true(slice_eq(before.kid, after.kid));
    assert_string_equal(compact(a, json_get(entry(a, "operations"), "claims")),
                        "{\"minTLSCertDuration\":\"1h0m0s\",\"maxTLSCertDuration\":\"48h0m0s\","
                        "\"enableSSHCA\":false,\"disableRenewal\":true,"
                        "\"allowRenewalAfterExpiry\":false,\"disableSmallstepExtensions\":false}");
    assert_int_equal(EDIT("update", "operations", "--create", "--password-file", at("password"),
                          "--x509-min-dur", ""),
                     0);
    assert_true(jwk_from_json(a, json_get(entry(a, "operations"), "key"), &after, &e));
    assert_false(slice_eq(before.kid, after.kid));
    assert_null(json_get(json_get(entry(a, "operations"), "claims"), "minTLSCertDuration"));
}

static void remove_takes_one_away(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    (void)state;
    assert_int_equal(EDIT("remove", "other"), 0);
    assert_null(entry(a, "other"));
    assert_non_null(entry(a, "acme"));
    assert_int_equal(EDIT("remove", "other"), 1);
    assert_non_null(strstr(said.err, "provisioner 'other' not found"));
}

static void errors_leave_the_file_untouched(void **state)
{
    static const struct {
        const char *words[8], *says;
    } ROWS[] = {
        {{"add", "ops"}, "requires the '--public-key' flag"},
        {{"add", "ops", "--create", "--public-key", "x"}, "flag '--create' is incompatible with"},
        {{"add", "ops", "--create", "--private-key", "x"}, "flag '--create' is incompatible with"},
        {{"add", "ops", "--create"}, "--password-file"},
        {{"add", "acme", "--type", "ACME"}, "exists already"},
        {{"add", "", "--type", "ACME"}, "must not be empty"},
        {{"add", "o", "--type", "oidc"}, "type OIDC is not supported by this version"},
        {{"add", "o", "--type", "k8ssa"}, "type K8sSA is not supported by this version"},
        {{"add", "o", "--type", "foo"}, "invalid value 'foo' for flag '--type'; options are JWK"},
        {{"add", "o", "--type", "ACME", "--create"}, "flag '--create' is incompatible with"},
        {{"add", "o", "--type", "ACME", "--x509-min-dur", "1d"}, "--x509-min-dur"},
        {{"add", "o", "--public-key", "/nonexistent"}, "open /nonexistent failed"},
        {{"update", "nobody", "--name", "x"}, "provisioner 'nobody' not found"},
        {{"update", "acme", "--name", "other"}, "have the same name"},
        {{"update", "acme", "--name", ""}, "--name"},
        {{"update", "acme", "--create"}, "flag '--create' is incompatible with"},
        {{"remove", "nobody"}, "provisioner 'nobody' not found"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        const char *words[16] = {"provisioner", "--non-interactive"};
        size_t n = 1;
        for (size_t k = 0; ROWS[i].words[k]; k++)
            words[n++] = ROWS[i].words[k];
        words[n++] = "--ca-config";
        words[n++] = config_path();
        words[n++] = "--non-interactive";
        capture_run(&ENV, words);
        if (said.status != 1 || !strstr(said.err, ROWS[i].says) ||
            strcmp(scratch_get("config/ca.json"), CONFIG) != 0)
            fail_msg("row %zu (%s %s): %d %s", i, ROWS[i].words[0], ROWS[i].words[1], said.status,
                     said.err);
    }
}

static void a_provisioner_that_would_not_work_is_refused(void **state)
{
    (void)state;
    /* min > max */
    put_roots();
    EDIT("add", "x", "--type", "X5C", "--x5c-roots", at("root.crt"), "--x509-min-dur", "48h");
    assert_untouched();
    assert_non_null(strstr(said.err, "minTLSCertDuration"));
}

static void a_broken_file_is_refused_with_its_place(void **state)
{
    (void)state;
    scratch_put("config/ca.json", "{\n \"root\": \"r\",\n \"address\" \":9000\"}");
    assert_int_equal(EDIT("add", "x", "--type", "ACME"), 1);
    assert_non_null(strstr(said.err, "ca.json:3:12: "));
    scratch_put("config/ca.json", "{\"root\":\"r\",\"crt\":\"c\",\"key\":\"k\",\"address\":\":1\","
                                  "\n\"kms\":{\"type\":\"pkcs11\"}}");
    assert_int_equal(EDIT("add", "x", "--type", "ACME"), 1);
    assert_non_null(strstr(said.err, "ca.json:2:"));
}

/* ca-config in defaults.json is no order to leave the CA alone. */
static void without_the_flag_the_authority_is_asked(void **state)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    char text[512];

    (void)state;
    put_roots();
    RUN(&ENV, "provisioner", "add", "two", "--type", "ACME");
    assert_untouched();
    assert_non_null(strstr(said.err, "requires the '--ca-url' flag"));
    snprintf(text, sizeof(text), "{\"ca-config\": \"%s\"}", config_path());
    scratch_put("config/defaults.json", text);
    RUN(&ENV, "provisioner", "add", "two", "--type", "ACME");
    assert_untouched();
    assert_non_null(strstr(said.err, "requires the '--ca-url' flag"));
    /* Nobody there: the file. */
    RUN(&ENV, "provisioner", "add", "two", "--type", "ACME", "--ca-url", "https://127.0.0.1:1",
        "--root", at("root.crt"));
    assert_int_equal(said.status, 0);
    assert_non_null(entry(a, "two"));
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(add_creates_a_jwk_provisioner),
        FILE_TEST(the_rest_of_the_file_is_kept),
        FILE_TEST(a_link_to_the_file_stays_a_link),
        FILE_TEST(add_takes_claims),
        FILE_TEST(add_takes_key_files),
        FILE_TEST(symmetric_keys_are_refused),
        FILE_TEST(x5c_roots_must_sign_certificates),
        FILE_TEST(update_adds_and_removes_in_lists),
        FILE_TEST(update_keeps_what_no_flag_speaks_of),
        FILE_TEST(remove_takes_one_away),
        FILE_TEST(errors_leave_the_file_untouched),
        FILE_TEST(a_provisioner_that_would_not_work_is_refused),
        FILE_TEST(a_broken_file_is_refused_with_its_place),
        FILE_TEST(without_the_flag_the_authority_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
