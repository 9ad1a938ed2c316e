/* step ca health, bootstrap, root, token, certificate and sign against a CA in this process. */
#include "cli/truststore.h"
#include "mini_ca.h"

#define PASS "--provisioner-password-file", at("pass")

static struct token said_token(void)
{
    struct token t;

    ok(token_read(CA.arena, slice_text(said.out), &t, e));
    return t;
}

static const char *claim_text(const struct token *t, const char *name)
{
    return arena_cstr(CA.arena, json_text(json_get_exact(t->claims, name)));
}

/* --- health, root ---------------------------------------------------------------------------- */

static void health_prints_the_state(void **state)
{
    (void)state;
    assert_int_equal(RUN(&ENV, "ca", "health"), 1);
    assert_string_equal(said.err, "'step ca health' requires the '--ca-url' flag\n");
    assert_int_equal(RUN(&ENV, "ca", "health", "--ca-url", "ca.test:9000"), 1);
    assert_string_equal(said.err, "'step ca health' requires the '--root' flag\n");
    assert_int_equal(RUN(&ENV, "ca", "health", "--ca-url", "http://ca.test"), 1);
    assert_says(said.err, "invalid value 'http://ca.test' for flag '--ca-url'; must have https");
    assert_int_equal(RUN(&ENV, "ca", "health", "--ca-url", "ca.test", "--root", "/none"), 1);
    assert_says(said.err, "open /none failed");
    mini_trust();
    assert_int_equal(CA.n_calls, 0);
    assert_int_equal(RUN(&ENV, "ca", "health"), 0);
    assert_string_equal(said.out, "ok\n");
    CA.down = true;
    assert_int_equal(RUN(&ENV, "ca", "health"), 1);
    assert_says(said.err, "connection refused");
    assert_string_equal(said.out, "");
}

static void root_goes_to_output_or_file(void **state)
{
    const char *fp = arena_cstr(CA.arena, CA.fingerprint);

    (void)state;
    assert_int_equal(RUN(&ENV, "ca", "root", "--ca-url", MINI_URL), 1);
    assert_says(said.err, "requires the '--fingerprint' flag");
    assert_int_equal(RUN(&ENV, "ca", "root", "--ca-url", MINI_URL, "--fingerprint", fp), 0);
    assert_string_equal(said.out, arena_cstr(CA.arena, cert_pem(CA.arena, CA.root->der)));
    assert_true(CA.calls[0].anybody);
    assert_int_equal(
        RUN(&ENV, "ca", "root", at("r.crt"), "--ca-url", MINI_URL, "--fingerprint", fp), 0);
    assert_int_equal(mode_of("r.crt"), 0600);
    assert_int_equal(
        RUN(&ENV, "ca", "root", at("r.crt"), "--ca-url", MINI_URL, "--fingerprint", fp), 1);
    assert_says(said.err, "exists");
}

static void roots_are_asked_for_over_a_verified_connection(void **state)
{
    (void)state;
    mini_trust();
    assert_int_equal(RUN(&ENV, "ca", "roots"), 0);
    assert_string_equal(said.out, arena_cstr(CA.arena, cert_pem(CA.arena, CA.root->der)));
    assert_int_equal(RUN(&ENV, "ca", "federation", at("f.crt")), 0);
    assert_says(said.err, "has been saved in");
    assert_false(CA.calls[0].anybody);
    scratch_put(
        "other.crt",
        arena_cstr(CA.arena, cert_pem(CA.arena, mini_leaf(SLICE("x"), NULL, CA.key->public_key))));
    assert_int_equal(RUN(&ENV, "ca", "roots", "--root", at("other.crt")), 1);
    assert_says(said.err, "unable to get local issuer");
}

/* --- bootstrap ------------------------------------------------------------------------------- */

static void bootstrap_writes_root_and_defaults(void **state)
{
    const char *fp = arena_cstr(CA.arena, CA.fingerprint);

    (void)state;
    assert_int_equal(RUN(&ENV, "ca", "bootstrap", "--ca-url", MINI_URL, "--fingerprint", fp), 0);
    assert_string_equal(scratch_get("certs/root_ca.crt"),
                        arena_cstr(CA.arena, cert_pem(CA.arena, CA.root->der)));
    assert_string_equal(scratch_get("config/defaults.json"),
                        arena_printf(CA.arena,
                                     "{\n  \"ca-url\": \"" MINI_URL "\",\n"
                                     "  \"fingerprint\": \"%s\",\n"
                                     "  \"root\": \"%s/certs/root_ca.crt\"\n}",
                                     fp, scratch));
    assert_int_equal(mode_of("certs/root_ca.crt"), 0600);
    assert_int_equal(mode_of("certs"), 0700);
    assert_int_equal(mode_of("config/defaults.json"), 0644);
    assert_int_equal(RUN(&ENV, "ca", "health"), 0);
    assert_int_equal(RUN(&ENV, "ca", "bootstrap", "--ca-url", MINI_URL, "--fingerprint", fp), 1);
    assert_int_equal(
        RUN(&ENV, "ca", "bootstrap", "--ca-url", MINI_URL, "--fingerprint", fp, "--force"), 0);
}

static void bootstrap_with_a_wrong_fingerprint_writes_nothing(void **state)
{
    char *fp = arena_cstr(CA.arena, CA.fingerprint);

    (void)state;
    assert_int_equal(RUN(&ENV, "ca", "bootstrap", "--ca-url", MINI_URL), 1);
    assert_string_equal(said.err, "'step ca bootstrap' requires the '--fingerprint' flag\n");
    fp[0] = fp[0] == '0' ? '1' : '0';
    assert_int_equal(RUN(&ENV, "ca", "bootstrap", "--ca-url", MINI_URL, "--fingerprint", fp), 1);
    assert_false(file_exists(at("certs")));
    assert_false(file_exists(at("config")));
    assert_int_equal(RUN(&ENV, "ca", "bootstrap", "--team", "x", "--ca-url", MINI_URL), 1);
    assert_says(said.err, "flag '--team' is incompatible with '--ca-url'");
    assert_int_equal(RUN(&ENV, "ca", "bootstrap", "--team", "x"), 1);
    assert_says(said.err, "--team-url");
}

static void bootstrap_into_a_context_selects_it(void **state)
{
    const char *fp = arena_cstr(CA.arena, CA.fingerprint);

    (void)state;
    assert_int_equal(RUN(&ENV, "ca", "bootstrap", "--ca-url", MINI_URL, "--fingerprint", fp,
                         "--context", "mini"),
                     0);
    assert_true(file_exists(at("authorities/mini/certs/root_ca.crt")));
    assert_string_equal(scratch_get("profiles/mini/config/defaults.json"), "{}");
    assert_says(scratch_get("contexts.json"), "\"mini\"");
    assert_says(scratch_get("current-context.json"), "\"mini\"");
    assert_int_equal(RUN(&ENV, "ca", "health"), 0);
    /* Once there are contexts, the host names the next one. */
    assert_int_equal(RUN(&ENV, "ca", "bootstrap", "--ca-url", MINI_URL, "--fingerprint", fp), 0);
    assert_true(file_exists(at("authorities/ca.test/config/defaults.json")));
}

static void bootstrap_of_a_team_reads_its_description(void **state)
{
    (void)state;
    CA.team = arena_printf(CA.arena,
                           "{\"url\":\"" MINI_URL "\",\"fingerprint\":\"%.*s\",\"provisioner\":"
                           "\"ops\",\"min-password-length\":12}",
                           SLICE_ARG(CA.fingerprint));
    assert_int_equal(RUN(&ENV, "ca", "bootstrap", "--team", "a/b", "--team-url", "http://x/<>"), 1);
    assert_int_equal(CA.n_calls, 0);
    assert_int_equal(
        RUN(&ENV, "ca", "bootstrap", "--team", "a/b", "--team-url", MINI_URL "/team/<>"), 0);
    assert_says(scratch_get("config/defaults.json"),
                "\"provisioner\": \"ops\",\n  \"min-password-length\": 12\n}");
}

static void name_in_the_trust_store_is_a_plain_file_name(void **state)
{
    static const char *const CASES[][2] = {
        {"My Root", "My_Root_"}, {"../x/y", "_._x_y_"}, {"", "Newel_"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct cert *c;
        ok(cert_read(CA.arena, mini_leaf(slice_text(CASES[i][0]), NULL, CA.key->public_key), &c,
                     e));
        assert_true(slice_starts(truststore_file_name(CA.arena, c), CASES[i][1]));
        assert_false(truststore_install(&(struct invocation){.arena = CA.arena}, c));
    }
}

/* --- token ----------------------------------------------------------------------------------- */

static void token_is_signed_by_the_only_provisioner(void **state)
{
    (void)state;
    mini_trust();
    assert_int_equal(RUN(&ENV, "ca", "token", "foo.test", "--san", "a.test", "--san", "10.0.0.1",
                         "--set", "n=3", PASS),
                     0);
    struct token t = said_token();
    ok(jws_verify(&t.jws, CA.provisioner->public_key, e));
    assert_string_equal(claim_text(&t, "aud"), MINI_URL "/1.0/sign");
    assert_string_equal(claim_text(&t, "iss"), "ops");
    assert_string_equal(claim_text(&t, "sub"), "foo.test");
    assert_string_equal(claim_text(&t, "sha"), arena_cstr(CA.arena, CA.fingerprint));
    assert_int_equal(json_get_exact(t.claims, "sans")->n, 2);
    assert_int_equal(t.exp.sec - t.nbf.sec, 300);
    assert_int_equal(strlen(claim_text(&t, "jti")), 64);
    assert_non_null(json_get_exact(json_get_exact(t.claims, "user"), "n"));
    assert_says(said.err, "✔ Provisioner: ops (JWK) [kid: ");
}

static void token_goes_to_a_file_in_silence(void **state)
{
    (void)state;
    mini_trust();
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--output-file", at("t"), PASS), 0);
    assert_string_equal(said.out, "");
    assert_int_equal(mode_of("t"), 0600);
    assert_null(strchr(scratch_get("t"), '\n'));
}

static void token_with_a_wrong_password_is_refused(void **state)
{
    (void)state;
    mini_trust();
    scratch_put("bad", "nope\n");
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--password-file", at("bad")), 1);
    assert_string_equal(said.out, "");
    assert_says(said.err, "provisioner 'ops'");
    assert_int_equal(RUN(&ENV, "ca", "token", "foo"), 1);
    assert_says(said.err, "--provisioner-password-file");
}

static void token_flags_are_checked_before_any_request(void **state)
{
    static const struct {
        const char *words[6], *says;
    } CASES[] = {
        {{"--cnf", "a", "--cnf-file", "b"}, "flag '--cnf-file' is incompatible with '--cnf'"},
        {{"--revoke", "--san", "a"}, "flag '--revoke' is incompatible with '--san'"},
        {{"--offline", "--set", "a=b"}, "flag '--offline' is incompatible with '--set'"},
        {{"--not-after", "2h"}, "1 hour"},
        {{"--not-after", "tomorrow"}, "invalid value 'tomorrow' for flag '--not-after'"},
        {{"--set", "x"}, "invalid value 'x' for flag '--set'"},
        {{"--x5c-cert", "a"}, "flag '--x5c-cert' requires the '--x5c-key' flag"},
        {{"--renew"}, "flag '--renew' requires the '--x5c-cert' flag"},
    };

    (void)state;
    mini_trust();
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        const char *words[12] = {"ca", "token", "foo"};
        memcpy(words + 3, CASES[i].words, sizeof(CASES[i].words));
        assert_int_equal(capture_run(&ENV, words), 1);
        assert_says(said.err, CASES[i].says);
        assert_int_equal(CA.n_calls, 0);
    }
}

static void token_can_be_made_with_a_key_of_ones_own(void **state)
{
    struct slice pem;
    struct private_key *other;

    (void)state;
    mini_trust();
    ok(private_key_pem(CA.arena, CA.provisioner, KEY_TRADITIONAL, &pem, e));
    scratch_put("own.key", arena_cstr(CA.arena, pem));
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--key", at("own.key")), 0);
    struct token t = said_token();
    assert_true(slice_eq(t.jws.kid, CA.kid));
    ok(private_key_generate(CA.arena, KEY_P256, 0, &other, e));
    ok(private_key_pem(CA.arena, other, KEY_TRADITIONAL, &pem, e));
    scratch_put("other.key", arena_cstr(CA.arena, pem));
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--key", at("other.key")), 1);
    assert_says(said.err, "is not the key of provisioner 'ops'");
}

static void token_without_a_server_needs_the_configuration(void **state)
{
    (void)state;
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--offline"), 1);
    assert_says(said.err, "requires the '--provisioner' flag");
    mini_trust();
    /* The list's tail "}]" belongs to the server's answer. */
    const char *list = strstr(CA.provisioners, "\"key\":") + strlen("\"key\":");
    char *key = arena_printf(CA.arena, "%.*s", (int)(strlen(list) - 2), list);
    scratch_put("config/ca.json",
                arena_printf(CA.arena,
                             "{\"root\":\"%s\",\"crt\":\"c\",\"key\":\"k\",\"address\":\":9000\","
                             "\"dnsNames\":[\"::1\",\"b\"],\"authority\":{\"provisioners\":[{"
                             "\"type\":\"JWK\",\"name\":\"ops\",\"key\":%s,"
                             "\"encryptedKey\":\"%.*s\"}]}}",
                             at("certs/root_ca.crt"), key, SLICE_ARG(CA.encrypted_key)));
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--offline", PASS), 0);
    struct token t = said_token();
    assert_string_equal(claim_text(&t, "aud"), "https://[::1]/sign");
    assert_string_equal(claim_text(&t, "sha"), arena_cstr(CA.arena, CA.fingerprint));
    ok(jws_verify(&t.jws, CA.provisioner->public_key, e));
    assert_int_equal(CA.n_calls, 0);
}

static void token_without_server_and_configuration_needs_flags(void **state)
{
    struct slice pem;

    (void)state;
    mini_trust();
    ok(private_key_pem(CA.arena, CA.provisioner, KEY_TRADITIONAL, &pem, e));
    scratch_put("own.key", arena_cstr(CA.arena, pem));
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--offline", "--provisioner", "ops"), 1);
    assert_says(said.err, "requires the '--key' flag");
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--offline", "--provisioner", "ops", "--key",
                         at("own.key"), "--kid", "k9"),
                     0);
    struct token t = said_token();
    assert_string_equal(claim_text(&t, "aud"), MINI_URL "/1.0/sign");
    assert_true(slice_is(t.jws.kid, "k9"));
    assert_int_equal(CA.n_calls, 0);
}

static void provisioner_is_chosen_by_flag_or_question(void **state)
{
    static const char *const ANSWERS[] = {"What provisioner=acme (ACME)", NULL};
    const char *list = arena_printf(CA.arena,
                                    "%.*s,{\"type\":\"ACME\",\"name\":\"acme\"},"
                                    "{\"type\":\"Odd\",\"name\":\"odd\"},"
                                    "{\"type\":\"OIDC\",\"name\":\"idp\",\"clientID\":"
                                    "\"c\"}]",
                                    (int)strlen(CA.provisioners) - 1, CA.provisioners);

    (void)state;
    mini_trust();
    CA.provisioners = list;
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", PASS), 1);
    assert_says(said.err, "'--provisioner' flag");
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--issuer", "ops", PASS), 0);
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--kid", arena_cstr(CA.arena, CA.kid), PASS),
                     0);
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--provisioner", "odd", PASS), 1);
    assert_says(said.err, "invalid value 'odd' for flag '--provisioner'");
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--provisioner", "acme", PASS), 1);
    assert_says(said.err, "does not support token flows");
    assert_int_equal(RUN(&ENV, "ca", "token", "foo", "--provisioner", "idp", PASS), 1);
    assert_says(said.err, "provisioner 'idp' has no configurationEndpoint");
    ENV.terminal = terminal_script(CA.arena, ANSWERS);
    assert_int_equal(RUN(&ENV, "ca", "certificate", "foo", at("c"), at("k"), PASS), 1);
    assert_says(said.err, "/acme/acme/directory: status 404");
    assert_false(file_exists(at("k")));
}

static void x5c_token_carries_the_chain(void **state)
{
    (void)state;
    mini_trust();
    put_pair("x.crt", "x.key", 3600);
    CA.x5c_name = "edge";
    CA.provisioners = "[{\"type\":\"JWK\",\"name\":\"ops\",\"key\":{\"kid\":\"k\"}},"
                      "{\"type\":\"X5C\",\"name\":\"edge\",\"roots\":\"\"}]";
    assert_int_equal(RUN(&ENV, "ca", "certificate", "foo.test", at("c"), at("k"), "--x5c-cert",
                         at("x.crt"), "--x5c-key", at("x.key")),
                     0);
    assert_says(said.err, "✔ Provisioner: edge (X5C)\n");
    assert_int_equal(RUN(&ENV, "ca", "token", "foo.test", "--x5c-insecure", "--x5c-cert",
                         at("x.crt"), "--x5c-key", at("x.key")),
                     0);
    struct token t = said_token();
    assert_int_equal(json_get_exact(t.jws.header, "x5cInsecure")->n, 2);
    assert_string_equal(claim_text(&t, "aud"), MINI_URL "/1.0/sign#x5c/edge");
    put_pair("y.crt", "y.key", 3600);
    assert_int_equal(
        RUN(&ENV, "ca", "token", "foo.test", "--x5c-cert", at("x.crt"), "--x5c-key", at("y.key")),
        1);
    assert_says(said.err, "does not belong to the certificate");
}

static void service_account_token_is_passed_on(void **state)
{
    (void)state;
    mini_trust();
    CA.provisioners = "[{\"type\":\"K8SSA\",\"name\":\"k8s\"}]";
    scratch_put("sa", "eyJh.eyJi.c2ln\n");
    assert_int_equal(RUN(&ENV, "ca", "token", "pod", "--k8ssa-token-path", at("sa")), 0);
    assert_string_equal(said.out, "eyJh.eyJi.c2ln\n");
}

static void renew_token_needs_nothing_but_the_certificate(void **state)
{
    (void)state;
    put_pair("x.crt", "x.key", 3600);
    assert_int_equal(RUN(&ENV, "ca", "token", "web.test", "--renew", "--ca-url", MINI_URL,
                         "--x5c-cert", at("x.crt"), "--x5c-key", at("x.key")),
                     0);
    struct token t = said_token();
    assert_string_equal(claim_text(&t, "aud"), MINI_URL "/1.0/renew");
    assert_string_equal(claim_text(&t, "iss"), "step-ca-client/1.0");
    assert_int_equal(RUN(&ENV, "ca", "token", "other", "--renew", "--ca-url", MINI_URL,
                         "--x5c-cert", at("x.crt"), "--x5c-key", at("x.key")),
                     1);
    assert_says(said.err, "expected 'web.test', found 'other'");
}

/* --- certificate ----------------------------------------------------------------------------- */

static void certificate_writes_key_and_chain(void **state)
{
    struct cert_list chain = {0};

    (void)state;
    mini_trust();
    assert_int_equal(RUN(&ENV, "ca", "certificate", "foo.test", at("c"), at("k"), "--san", "a.test",
                         "--not-after", "2h", PASS),
                     0);
    ok(cert_list_load(CA.arena, at("c"), &chain, e));
    assert_int_equal(chain.n, 2);
    assert_true(key_eq(chain.v[0]->key, key_in("k")->public_key));
    assert_int_equal(chain.v[0]->sans.n, 1);
    assert_says(scratch_get("k"), "-----BEGIN EC PRIVATE KEY-----");
    assert_int_equal(mode_of("k"), 0600);
    assert_int_equal(mode_of("c"), 0600);
    assert_says(said.err, "✔ CA: " MINI_URL "\n");
    assert_says(said.err,
                arena_printf(CA.arena, "✔ Certificate: %s\n✔ Private Key: %s\n", at("c"), at("k")));
    assert_says(CA.calls[CA.n_calls - 1].body, "\"notAfter\":\"2h\"");
    assert_null(strstr(CA.calls[CA.n_calls - 1].body, "notBefore"));
    assert_string_equal(said.out, "");
}

static void certificate_with_a_token_needs_no_configuration(void **state)
{
    char *token;

    (void)state;
    mini_trust();
    assert_int_equal(RUN(&ENV, "ca", "token", "foo.test", PASS), 0);
    token = arena_cstr(CA.arena, slice_trim(slice_text(said.out)));
    unlink(at("certs/root_ca.crt"));
    unlink(at("config/defaults.json"));
    assert_int_equal(RUN(&ENV, "ca", "certificate", "FOO.test", at("c"), at("k"), "--token", token),
                     0);
    assert_true(slice_is(dn_common_name(&leaf_in("c")->subject), "foo.test"));

    assert_int_equal(RUN(&ENV, "ca", "certificate", "bar.test", at("d"), at("l"), "--token", token),
                     1);
    assert_says(said.err, "do not match");
    assert_int_equal(RUN(&ENV, "ca", "certificate", "foo.test", at("d"), at("l"), "--token", token,
                         "--san", "x"),
                     1);
    assert_says(said.err, "flag '--token' and flag '--san' are mutually exclusive");
    assert_int_equal(RUN(&ENV, "ca", "certificate", "foo.test", at("d"), at("l"), "--token", "x"),
                     1);
    assert_int_equal(RUN(&ENV, "ca", "certificate", "foo.test", at("d"), at("l")), 1);
    assert_says(said.err, "flag '--ca-url' is required unless the '--token' flag is provided");
}

static void certificate_asks_nothing_of_the_ca_when_files_exist(void **state)
{
    (void)state;
    mini_trust();
    scratch_put("k", "precious");
    assert_int_equal(RUN(&ENV, "ca", "certificate", "foo", at("c"), at("k"), PASS), 1);
    assert_int_equal(CA.n_calls, 0);
    assert_string_equal(scratch_get("k"), "precious");
    assert_int_equal(RUN(&ENV, "ca", "certificate", "foo", at("k"), at("k"), PASS), 1);
    assert_says(said.err, "cannot be equal");
    assert_int_equal(RUN(&ENV, "ca", "certificate", "foo", at("c"), at("k"), "--force", PASS), 0);
    assert_true(key_eq(leaf_in("c")->key, key_in("k")->public_key));
}

static void certificate_key_follows_the_flags(void **state)
{
    (void)state;
    mini_trust();
    assert_int_equal(RUN(&ENV, "ca", "certificate", "foo", at("c"), at("k"), "--kty", "OKP", PASS),
                     0);
    assert_int_equal(key_in("k")->public_key->type, KEY_ED25519);
    assert_int_equal(
        RUN(&ENV, "ca", "certificate", "foo", at("c"), at("k"), "--kty", "rsa", "--force", PASS),
        1);
    assert_says(said.err, "invalid value 'rsa' for flag '--kty'");
    assert_int_equal(RUN(&ENV, "ca", "certificate", "foo", at("c"), at("k"), "--kty", "RSA",
                         "--size", "1024", "--force", PASS),
                     1);
    assert_says(said.err, "requires at least 2048");
}

static void certificate_offline_is_refused_clearly(void **state)
{
    (void)state;
    assert_int_equal(
        RUN(&ENV, "ca", "certificate", "a", at("c"), at("k"), "--offline", "--token", "x"), 1);
    assert_says(said.err, "flag '--offline' is incompatible with '--token'");
}

/* --- sign ------------------------------------------------------------------------------------ */

static struct slice make_request(const char *name)
{
    struct private_key *key;
    struct slice texts[] = {SLICE("x@y.test"), SLICE("b.test"), SLICE("10.0.0.1")};
    struct sans sans;
    struct slice pem;

    ok(private_key_generate(CA.arena, KEY_P256, 0, &key, e));
    sans_split(CA.arena, texts, COUNT_OF(texts), &sans);
    ok(ca_cmd_csr(CA.arena, key, slice_text(name), &sans, &pem, e));
    return pem;
}

static void sign_binds_the_token_to_the_request(void **state)
{
    struct slice pem = make_request("foo.test");
    struct csr *csr;
    struct token t;

    (void)state;
    mini_trust();
    scratch_put("r", arena_cstr(CA.arena, pem));
    assert_int_equal(RUN(&ENV, "ca", "sign", at("r"), at("c"), PASS), 0);
    ok(csr_read_text(CA.arena, pem, "r", true, &csr, e));
    assert_true(key_eq(leaf_in("c")->key, csr->key));
    struct json *body =
        json_read(CA.arena, slice_text(CA.calls[CA.n_calls - 1].body), &JSON_API, NULL, NULL);
    ok(token_read(CA.arena, json_text(json_get(body, "ott")), &t, e));
    struct slice digest = digest_bytes(CA.arena, DIGEST_SHA256, csr->der);
    assert_true(slice_eq(json_text(json_get_exact(json_get_exact(t.claims, "cnf"), "x5rt#S256")),
                         base64_text(CA.arena, BASE64_URL_RAW, digest)));
    const struct json *first = json_get_exact(t.claims, "sans")->first;
    assert_true(slice_is(json_text(first), "b.test"));
    assert_true(slice_is(json_text(first->next), "10.0.0.1"));
    assert_true(slice_is(json_text(first->next->next), "x@y.test"));
}

static void sign_refuses_an_altered_request_before_any_call(void **state)
{
    struct slice pem = make_request("foo.test");
    struct csr *csr;

    (void)state;
    mini_trust();
    ok(csr_read_text(CA.arena, pem, "r", true, &csr, e));
    uint8_t *der = (uint8_t *)arena_cstr(CA.arena, csr->der);
    der[csr->der.n - 1] ^= 1;
    scratch_put("r", arena_cstr(CA.arena, pem_text(CA.arena, "CERTIFICATE REQUEST",
                                                   slice_of(der, csr->der.n))));
    assert_int_equal(RUN(&ENV, "ca", "sign", at("r"), at("c"), PASS), 1);
    scratch_put("r", "no request");
    assert_int_equal(RUN(&ENV, "ca", "sign", at("r"), at("c"), PASS), 1);
    assert_int_equal(CA.n_calls, 0);
    assert_false(file_exists(at("c")));
}

static void sign_refuses_a_token_for_somebody_else(void **state)
{
    (void)state;
    mini_trust();
    scratch_put("r", arena_cstr(CA.arena, make_request("foo.test")));
    assert_int_equal(RUN(&ENV, "ca", "token", "bar.test", PASS), 0);
    char *token = arena_cstr(CA.arena, slice_trim(slice_text(said.out)));
    assert_int_equal(RUN(&ENV, "ca", "sign", at("r"), at("c"), "--token", token), 1);
    assert_says(said.err, "do not match");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MINI_TEST(health_prints_the_state),
        MINI_TEST(root_goes_to_output_or_file),
        MINI_TEST(roots_are_asked_for_over_a_verified_connection),
        MINI_TEST(bootstrap_writes_root_and_defaults),
        MINI_TEST(bootstrap_with_a_wrong_fingerprint_writes_nothing),
        MINI_TEST(bootstrap_into_a_context_selects_it),
        MINI_TEST(bootstrap_of_a_team_reads_its_description),
        MINI_TEST(name_in_the_trust_store_is_a_plain_file_name),
        MINI_TEST(token_is_signed_by_the_only_provisioner),
        MINI_TEST(token_goes_to_a_file_in_silence),
        MINI_TEST(token_with_a_wrong_password_is_refused),
        MINI_TEST(token_flags_are_checked_before_any_request),
        MINI_TEST(token_can_be_made_with_a_key_of_ones_own),
        MINI_TEST(token_without_a_server_needs_the_configuration),
        MINI_TEST(token_without_server_and_configuration_needs_flags),
        MINI_TEST(provisioner_is_chosen_by_flag_or_question),
        MINI_TEST(x5c_token_carries_the_chain),
        MINI_TEST(service_account_token_is_passed_on),
        MINI_TEST(renew_token_needs_nothing_but_the_certificate),
        MINI_TEST(certificate_writes_key_and_chain),
        MINI_TEST(certificate_with_a_token_needs_no_configuration),
        MINI_TEST(certificate_asks_nothing_of_the_ca_when_files_exist),
        MINI_TEST(certificate_key_follows_the_flags),
        MINI_TEST(certificate_offline_is_refused_clearly),
        MINI_TEST(sign_binds_the_token_to_the_request),
        MINI_TEST(sign_refuses_an_altered_request_before_any_call),
        MINI_TEST(sign_refuses_a_token_for_somebody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
