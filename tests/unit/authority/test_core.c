/* From a configuration to a core and a registry: files matched, provisioners told apart. */
#include "authority_testing.h"

static int setup(void **state)
{
    if (world_begin(state) != 0)
        return -1;
    world_services(true);
    return 0;
}

static struct core *built(void)
{
    struct core *core = NULL;

    ok((core = world_core(e)));
    return core;
}

static bool registry_says(struct err *e)
{
    struct core *core = built();
    struct registry *r = registry_build(&W.s, core, e);

    if (r)
        ref_drop(&r->ref);
    ref_drop(&core->ref);
    return r != NULL;
}

static struct slice json_of_pem(const struct cert *c)
{
    return quoted(cert_pem(A, c->der));
}

static void bodies_are_ready(void **state)
{
    struct core *core = built();
    struct slice root = json_of_pem(W.root), inter = json_of_pem(W.inter);

    (void)state;
    assert_slice(core->roots_json, arena_printf(A, "{\"crts\":[%.*s]}\n", SLICE_ARG(root)));
    assert_slice(core->federation_json, arena_printf(A, "{\"crts\":[%.*s]}\n", SLICE_ARG(root)));
    assert_slice(core->intermediates_json,
                 arena_printf(A, "{\"crts\":[%.*s]}\n", SLICE_ARG(inter)));
    assert_true(slice_eq(core->roots_pem, cert_pem(A, W.root->der)));
    assert_slice(core->chain_json, arena_printf(A, ",%.*s", SLICE_ARG(inter)));
    assert_true(slice_eq(core->issuer_json, inter));
    assert_slice(core->tls_json,
                 "{\"cipherSuites\":[\"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\","
                 "\"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\"],\"minVersion\":1.2,"
                 "\"maxVersion\":1.3,\"renegotiation\":false}");
    assert_true(slice_eq(core->root_fingerprints[0], cert_fingerprint(A, W.root->der)));
    assert_slice(core->dns_primary, "ca.test");
    assert_int_equal(core->own_names.n, 2);
    assert_int_equal(core->tls.n_client_anchors, 2);
    assert_int_equal(core->tls.min_version, 12);
    assert_int_equal(core->tls.max_version, 13);
    assert_int_equal(core->issuer_ends.sec, W.inter->not_after.sec);
    ref_drop(&core->ref);
}

static void several_roots_and_federated_ones(void **state)
{
    struct slice both[] = {cert_pem(A, W.edge_root->der), cert_pem(A, W.root->der)};
    struct slice root = json_of_pem(W.root), edge = json_of_pem(W.edge_root);
    struct core *core;

    (void)state;
    world_put("other.pem", arena_format(A, "%.*s%.*s", SLICE_ARG(both[0]), SLICE_ARG(both[1])));
    json_change(W.config, "federatedRoots", arena_printf(A, "\"%s\"", world_path("other.pem")));
    core = built();
    assert_slice(core->roots_json, arena_printf(A, "{\"crts\":[%.*s]}\n", SLICE_ARG(root)));
    assert_slice(core->federation_json,
                 arena_printf(A, "{\"crts\":[%.*s,%.*s]}\n", SLICE_ARG(root), SLICE_ARG(edge)));
    /* Federated roots are no anchors for clients. */
    assert_int_equal(core->tls.n_client_anchors, 2);
    ref_drop(&core->ref);
    json_change(
        W.config, "root",
        arena_printf(A, "[\"%s\",\"%s\"]", world_path("root.crt"), world_path("other.pem")));
    core = built();
    assert_int_equal(core->roots.n, 3);
    assert_int_equal(core->tls.n_client_anchors, 4);
    ref_drop(&core->ref);
}

static void ipv6_stands_in_brackets_in_urls(void **state)
{
    (void)state;
    json_change(W.config, "dnsNames", "[\"::1\",\"ca.test\"]");
    json_change(W.config, "crl", "{\"enabled\":true}");
    struct core *core = built();
    assert_slice(core->dns_primary, "[::1]");
    assert_slice(core->crl.idp_url, "https://[::1]/1.0/crl");
    ref_drop(&core->ref);
}

static void files_that_do_not_fit_are_refused(void **state)
{
    struct x509_leaf leaf;

    (void)state;
    world_put_key("int.key", W.ops_key);
    refused(world_core(e), ERR_MALFORMED, "does not belong");
    world_put_key("int.key", W.int_key);
    leaf = ca_leaf(W.int_key, "x");
    leaf.has_basic = false;
    world_intermediate(&leaf);
    refused(world_core(e), ERR_MALFORMED, "not a CA certificate");
    leaf = ca_leaf(W.int_key, "x");
    leaf.key_usage = KU_CRL_SIGN;
    world_intermediate(&leaf);
    refused(world_core(e), ERR_MALFORMED, "keyCertSign");
    leaf = ca_leaf(W.int_key, "x");
    leaf.not_after = instant_sec(NOW_SEC - 1);
    world_intermediate(&leaf);
    refused(world_core(e), ERR_MALFORMED, "expired");
    world_intermediate(NULL);
    world_put("root.crt", SLICE("no certificate\n"));
    refused(world_core(e), ERR_MALFORMED, "root");
    json_change(W.config, "root", "\"/nonexistent\"");
    refused(world_core(e), ERR_NOT_FOUND, "root");
}

static void keys_open_with_the_password_of_the_file(void **state)
{
    struct slice pem;
    struct core *core;

    (void)state;
    ok(private_key_pem_encrypted(A, W.int_key, SLICE("right"), &pem, e));
    world_put("int.key", pem);
    refused(world_core(e), ERR_UNAUTHORIZED, "key");
    json_change(W.config, "password", "\"wrong\"");
    refused(world_core(e), ERR_UNAUTHORIZED, "password incorrect");
    json_change(W.config, "password", "\"right\"");
    core = built();
    ref_drop(&core->ref);
    /* A URI of the key store for files. */
    json_change(W.config, "key", arena_printf(A, "\"softkms:path=%s\"", world_path("int.key")));
    core = built();
    ref_drop(&core->ref);
    json_change(W.config, "key", arena_printf(A, "\"softkms:%s\"", world_path("int.key")));
    core = built();
    ref_drop(&core->ref);
}

static void a_chain_ends_with_its_first_end(void **state)
{
    struct x509_leaf leaf = ca_leaf(W.root_key, "Test Root");
    struct core *core;

    (void)state;
    leaf.not_after = instant_sec(NOW_SEC + 1000);
    W.root = cert_sign(&leaf, W.root_key, NULL);
    world_put("root.crt", cert_pem(A, W.root->der));
    world_intermediate(NULL);
    core = built();
    assert_int_equal(core->issuer_ends.sec, NOW_SEC + 1000);
    ref_drop(&core->ref);
}

static void provisioners_are_found_by_each_of_their_names(void **state)
{
    struct core *core = built();
    struct registry *r = NULL;

    (void)state;
    json_change(world_provisioner(0), "encryptedKey", "\"a.b.c.d.e\"");
    ref_drop(&core->ref);
    core = built();
    ok((r = registry_build(&W.s, core, e)));
    assert_int_equal(r->n, 2);
    assert_ptr_equal(registry_by_name(r, SLICE("edge")), r->all[1]);
    assert_ptr_equal(registry_by_id(r, SLICE("x5c/edge")), r->all[1]);
    assert_ptr_equal(registry_by_token_id(r, SLICE("x5c/edge")), r->all[1]);
    assert_ptr_equal(registry_by_kid(r, W.ops.kid), r->all[0]);
    assert_null(registry_by_name(r, SLICE("Edge")));
    assert_null(registry_by_name(r, SLICE("")));
    assert_null(registry_by_id(r, SLICE_NONE));
    assert_null(registry_by_kid(r, SLICE("other")));
    ref_drop(&r->ref);
    ref_drop(&core->ref);
}

static void provisioners_are_told_apart(void **state)
{
    struct jwk other = jwk_new(key_new(KEY_P256, 0));

    (void)state;
    ok(registry_says(e));
    /* The same name. */
    json_append(world_provisioners(), jwk_object("ops", &other));
    refused(registry_says(e), ERR_MALFORMED, "the same name \"ops\"");
    json_change(world_provisioner(2), "name", "\"ops2\"");
    ok(registry_says(e));
    /* Two of Kubernetes have one token identifier. */
    json_append(world_provisioners(), json_of("{\"type\":\"K8sSA\",\"name\":\"k1\"}"));
    ok(registry_says(e));
    json_append(world_provisioners(), json_of("{\"type\":\"K8sSA\",\"name\":\"k2\"}"));
    refused(registry_says(e), ERR_MALFORMED, "authority.provisioners[4]");
}

static void null_elements_are_skipped_and_broken_ones_named(void **state)
{
    (void)state;
    json_append(world_provisioners(), json_of("null"));
    ok(registry_says(e));
    json_append(world_provisioners(), json_of("{\"type\":\"foo\",\"name\":\"bar\"}"));
    refused(registry_says(e), ERR_MALFORMED, "authority.provisioners[3]");
    refused(registry_says(e), ERR_MALFORMED, "\"foo\" (provisioner \"bar\")");
}

static void one_disabled_provisioner_leaves_the_others(void **state)
{
    struct registry *r = NULL;
    struct core *core;

    (void)state;
    json_change(world_provisioner(0), "claims", "{\"maxTLSCertDuration\":\"1m\"}");
    core = built();
    ok((r = registry_build(&W.s, core, e)));
    assert_non_null(r->all[0]->trouble);
    assert_null(r->all[1]->trouble);
    ref_drop(&r->ref);
    ref_drop(&core->ref);
}

static void global_claims_reach_the_provisioners(void **state)
{
    struct registry *r = NULL;
    struct core *core;

    (void)state;
    json_change(world_authority(), "claims",
                "{\"maxTLSCertDuration\":\"48h\",\"disableRenewal\":true}");
    json_change(world_provisioner(1), "claims", "{\"disableRenewal\":false}");
    core = built();
    ok((r = registry_build(&W.s, core, e)));
    assert_int_equal(r->all[0]->claims.tls.most, 48 * 3600 * NS_PER_SEC);
    assert_true(r->all[0]->claims.disable_renewal);
    assert_false(r->all[1]->claims.disable_renewal);
    ref_drop(&r->ref);
    ref_drop(&core->ref);
}

static void a_request_keeps_its_authority_over_a_reload(void **state)
{
    struct authority *before;

    (void)state;
    world_load();
    before = authority_take(&W.s);
    world_load();
    assert_ptr_not_equal(before, W.s.current);
    assert_non_null(registry_by_name(before->registry, SLICE("ops")));
    authority_drop(before);
}

static void the_servers_own_certificate(void **state)
{
    struct instant not_after;
    int64_t renew_in;
    struct core *core = built();

    (void)state;
    ok(server_cert_issue(&W.s, core, &renew_in, &not_after, e));
    assert_int_equal(not_after.sec, NOW_SEC + 86400);
    /* Two thirds of a day, up to a twentieth of a day earlier. */
    assert_true(renew_in <= 16 * 3600 * NS_PER_SEC);
    assert_true(renew_in >= (16 * 3600 - 4320) * NS_PER_SEC);
    test_now = instant_sec(core->issuer_ends.sec - 30);
    refused(server_cert_issue(&W.s, core, &renew_in, &not_after, e), ERR_INTERNAL, "minute");
    ref_drop(&core->ref);
}

#define CORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CORE_TEST(bodies_are_ready),
        CORE_TEST(several_roots_and_federated_ones),
        CORE_TEST(ipv6_stands_in_brackets_in_urls),
        CORE_TEST(files_that_do_not_fit_are_refused),
        CORE_TEST(keys_open_with_the_password_of_the_file),
        CORE_TEST(a_chain_ends_with_its_first_end),
        CORE_TEST(provisioners_are_found_by_each_of_their_names),
        CORE_TEST(provisioners_are_told_apart),
        CORE_TEST(null_elements_are_skipped_and_broken_ones_named),
        CORE_TEST(one_disabled_provisioner_leaves_the_others),
        CORE_TEST(global_claims_reach_the_provisioners),
        CORE_TEST(a_request_keeps_its_authority_over_a_reload),
        CORE_TEST(the_servers_own_certificate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
