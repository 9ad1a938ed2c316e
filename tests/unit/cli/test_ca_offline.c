/* --offline: the commands are the CA; its database remembers. */
#include "mini_ca.h"

#define OFFLINE "--offline", "--ca-config", at("config/ca.json")
#define PASS    "--provisioner-password-file", at("pass")

static struct cert *make_ca(const char *name, struct cert *issuer, struct private_key *by,
                            struct private_key *key, int path_len)
{
    struct instant now = CLOCK_SYSTEM.now(&CLOCK_SYSTEM);
    struct x509_leaf leaf = {.subject = {.common_name = slice_text(name)},
                             .not_before = instant_sec(now.sec - 3600),
                             .not_after = instant_sec(now.sec + 365 * 24 * 3600),
                             .key_usage = KU_CERT_SIGN | KU_CRL_SIGN,
                             .has_basic = true,
                             .basic = {true, path_len},
                             .key = key->public_key};
    struct issuer i = {.key = by->public_key, .signer = signer_local(CA.arena, by, name)};
    struct buf der = buf_new(CA.arena, 1u << 16);
    struct cert *c;

    if (issuer)
        cert_list_add(CA.arena, &i.chain, issuer);
    ok(x509_leaf_sign(&leaf, &i, &RNG_SYSTEM, &der, DEADLINE_NONE, e));
    ok(cert_read(CA.arena, buf_slice(&der), &c, e));
    return c;
}

/* A CA as `ca init` leaves it. */
static int offline_setup(void **state)
{
    struct private_key *root_key, *key;
    struct slice pem;

    if (mini_setup(state) != 0)
        return -1;
    ok(private_key_generate(CA.arena, KEY_P256, 0, &root_key, e));
    ok(private_key_generate(CA.arena, KEY_P256, 0, &key, e));
    struct cert *root = make_ca("Root", NULL, root_key, root_key, 1);
    struct cert *issuer = make_ca("Issuer", root, root_key, key, 0);
    ok(private_key_pem_encrypted(CA.arena, key, SLICE("ca password"), &pem, e));
    scratch_put("certs/root_ca.crt", arena_cstr(CA.arena, cert_pem(CA.arena, root->der)));
    scratch_put("certs/issuer.crt", arena_cstr(CA.arena, cert_pem(CA.arena, issuer->der)));
    scratch_put("secrets/key", arena_cstr(CA.arena, pem));
    scratch_put("capass", "ca password\n");
    const char *list = strstr(CA.provisioners, "\"key\":") + strlen("\"key\":");
    scratch_put("config/ca.json",
                arena_printf(
                    CA.arena,
                    "{\"root\":\"%s\",\"crt\":\"%s\",\"key\":\"%s\",\"address\":\":9000\","
                    "\"dnsNames\":[\"ca.test\"],\"db\":{\"type\":\"sqlite\",\"dataSource\":\"%s\"},"
                    "\"authority\":{\"provisioners\":[{\"type\":\"JWK\",\"name\":\"ops\","
                    "\"encryptedKey\":\"%.*s\",\"key\":%.*s}]}}",
                    at("certs/root_ca.crt"), at("certs/issuer.crt"), at("secrets/key"),
                    at("db.sqlite"), SLICE_ARG(CA.encrypted_key), (int)(strlen(list) - 2), list));
    CA.down = true;
    return 0;
}
#define OFFLINE_TEST(name) cmocka_unit_test_setup_teardown(name, offline_setup, mini_teardown)

static void issue(const char *crt, const char *key)
{
    if (RUN(&ENV, "ca", "certificate", "web.test", at(crt), at(key), "--force", OFFLINE, PASS,
            "--password-file", at("capass")) != 0)
        fail_msg("%s", said.err);
}

static void certificate_is_issued_without_a_server(void **state)
{
    struct cert_list chain = {0};

    (void)state;
    issue("c", "k");
    ok(cert_list_load(CA.arena, at("c"), &chain, e));
    assert_int_equal(chain.n, 2);
    ok(cert_signed_by(chain.v[0], chain.v[1], e));
    assert_true(key_eq(chain.v[0]->key, key_in("k")->public_key));
    assert_non_null(extensions_get(&chain.v[0]->extensions, &OID_EXT_PROVISIONER));
    assert_says(said.err, "✔ CA: https://ca.test\n");
    assert_int_equal(CA.n_calls, 0);
}

static void key_of_the_ca_needs_its_password(void **state)
{
    (void)state;
    assert_int_equal(RUN(&ENV, "ca", "certificate", "web.test", at("c"), at("k"), OFFLINE, PASS),
                     1);
    assert_says(said.err, "--password-file");
    assert_false(file_exists(at("c")));
    assert_false(file_exists(at("k")));
}

static void request_is_signed_without_a_server(void **state)
{
    struct private_key *key;
    struct slice text = SLICE("web.test"), pem;
    struct sans sans;

    (void)state;
    ok(private_key_generate(CA.arena, KEY_P256, 0, &key, e));
    sans_split(CA.arena, &text, 1, &sans);
    ok(ca_cmd_csr(CA.arena, key, SLICE("web.test"), &sans, &pem, e));
    scratch_put("r", arena_cstr(CA.arena, pem));
    if (RUN(&ENV, "ca", "sign", at("r"), at("c"), "--not-after", "1h", OFFLINE, PASS,
            "--password-file", at("capass")) != 0)
        fail_msg("%s", said.err);
    assert_true(key_eq(leaf_in("c")->key, key->public_key));
    assert_true(instant_sub(leaf_in("c")->not_after, leaf_in("c")->not_before) <
                2 * 3600 * NS_PER_SEC);
}

static void renewal_and_rekey_work_until_revocation(void **state)
{
    (void)state;
    issue("c", "k");
    struct cert *first = leaf_in("c");
    if (RUN(&ENV, "ca", "renew", "--force", at("c"), at("k"), OFFLINE, "--password-file",
            at("capass")) != 0)
        fail_msg("%s", said.err);
    assert_false(slice_eq(first->serial, leaf_in("c")->serial));
    assert_true(key_eq(first->key, leaf_in("c")->key));
    if (RUN(&ENV, "ca", "renew", "--force", "--mtls=false", at("c"), at("k"), OFFLINE,
            "--password-file", at("capass")) != 0)
        fail_msg("%s", said.err);
    if (RUN(&ENV, "ca", "rekey", "--force", at("c"), at("k"), OFFLINE, "--password-file",
            at("capass")) != 0)
        fail_msg("%s", said.err);
    assert_false(key_eq(first->key, leaf_in("c")->key));
    assert_true(key_eq(leaf_in("c")->key, key_in("k")->public_key));

    const char *serial = arena_cstr(CA.arena, serial_decimal(CA.arena, leaf_in("c")->serial));
    if (RUN(&ENV, "ca", "revoke", serial, OFFLINE, PASS, "--password-file", at("capass")) != 0)
        fail_msg("%s", said.err);
    assert_int_equal(RUN(&ENV, "ca", "revoke", "--cert", at("c"), "--key", at("k"), OFFLINE,
                         "--password-file", at("capass")),
                     1);
    assert_says(said.err, "already");
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", at("c"), at("k"), OFFLINE,
                         "--password-file", at("capass")),
                     1);
    assert_says(said.err, "revoked");
}

static void certificate_revokes_itself(void **state)
{
    (void)state;
    issue("c", "k");
    if (RUN(&ENV, "ca", "revoke", "--cert", at("c"), "--key", at("k"), OFFLINE, "--password-file",
            at("capass")) != 0)
        fail_msg("%s", said.err);
}

static void certificate_of_another_ca_is_not_renewed(void **state)
{
    (void)state;
    put_pair("c", "k", 3600);
    assert_int_equal(RUN(&ENV, "ca", "renew", "--force", at("c"), at("k"), OFFLINE,
                         "--password-file", at("capass")),
                     1);
    assert_int_equal(RUN(&ENV, "ca", "revoke", "--cert", at("c"), "--key", at("k"), OFFLINE,
                         "--password-file", at("capass")),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OFFLINE_TEST(certificate_is_issued_without_a_server),
        OFFLINE_TEST(key_of_the_ca_needs_its_password),
        OFFLINE_TEST(request_is_signed_without_a_server),
        OFFLINE_TEST(renewal_and_rekey_work_until_revocation),
        OFFLINE_TEST(certificate_revokes_itself),
        OFFLINE_TEST(certificate_of_another_ca_is_not_renewed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
