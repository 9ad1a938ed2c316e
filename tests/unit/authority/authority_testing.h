/*
 * What tests of the authority share: a whole CA in a scratch directory with a store in memory, and
 * a clock that the test moves.
 *
 *     world_begin();                     keys and certificates, a configuration to change
 *     json_change(W.config, "crl", "{\"enabled\":true}");
 *     world_start(true);                 reads it, builds core and registry
 *     struct work w = work_new();
 */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "authority/metrics.h"
#include "authority/work.h"
#include "base/file.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"
#include "provisioner/provisioner_testing.h"
#include "x509/chain.h"

static struct {
    char dir[64];
    struct private_key *root_key, *int_key, *ops_key, *edge_key;
    struct cert *root, *inter, *edge_root;
    struct jwk ops;
    struct json *config;
    struct services s;
    bool started;
} W;

UNUSED static const char *world_path(const char *name)
{
    return path_join(A, W.dir, name);
}

UNUSED static void world_put(const char *name, struct slice content)
{
    ok(file_write(world_path(name), content, 0600, 0, e));
}

UNUSED static void world_put_key(const char *name, const struct private_key *key)
{
    struct slice pem;

    ok(private_key_pem(A, key, KEY_PKCS8, &pem, e));
    world_put(name, pem);
}

UNUSED static struct json *world_provisioners(void)
{
    return (struct json *)json_get(json_get(W.config, "authority"), "provisioners");
}

UNUSED static struct json *world_authority(void)
{
    return (struct json *)json_get(W.config, "authority");
}

/* The provisioner at index, to be changed. */
UNUSED static struct json *world_provisioner(size_t index)
{
    struct json *v = world_provisioners()->first;

    while (index-- > 0)
        v = v->next;
    return v;
}

/* leaf: what the intermediate is like; NULL: the usual. */
UNUSED static void world_intermediate(const struct x509_leaf *leaf)
{
    struct x509_leaf usual = ca_leaf(W.int_key, "Test Intermediate");

    W.inter = cert_sign(leaf ? leaf : &usual, W.root_key, W.root);
    world_put("int.crt", cert_pem(A, W.inter->der));
}

UNUSED static int world_begin(void **state)
{
    static const char CONFIG[] =
        "{\"address\":\":0\",\"dnsNames\":[\"ca.test\",\"127.0.0.1\"],\"db\":{\"type\":\"sqlite\","
        "\"dataSource\":\"db\"},\"authority\":{\"provisioners\":[]}}";
    struct x509_leaf leaf;

    arena_setup(state);
    test_now = instant_sec(NOW_SEC);
    memset(&W, 0, sizeof(W));
    snprintf(W.dir, sizeof(W.dir), "/tmp/newel-authority-XXXXXX");
    if (!mkdtemp(W.dir))
        return -1;
    W.root_key = key_new(KEY_P256, 0);
    W.int_key = key_new(KEY_P256, 0);
    W.ops_key = key_new(KEY_P256, 0);
    W.edge_key = key_new(KEY_P256, 0);
    leaf = ca_leaf(W.root_key, "Test Root");
    W.root = cert_sign(&leaf, W.root_key, NULL);
    world_put("root.crt", cert_pem(A, W.root->der));
    world_intermediate(NULL);
    world_put_key("int.key", W.int_key);
    leaf = ca_leaf(W.edge_key, "Edge Root");
    W.edge_root = cert_sign(&leaf, W.edge_key, NULL);
    W.ops = jwk_new(W.ops_key);
    W.config = json_of(CONFIG);
    json_set_exact(W.config, A, "root", json_make_text(A, slice_text(world_path("root.crt"))));
    json_set_exact(W.config, A, "crt", json_make_text(A, slice_text(world_path("int.crt"))));
    json_set_exact(W.config, A, "key", json_make_text(A, slice_text(world_path("int.key"))));
    json_append(world_provisioners(), jwk_object("ops", &W.ops));
    json_append(world_provisioners(), x5c_object("edge", W.edge_root));
    return 0;
}

/* The configuration as a core and a registry; NULL with e. */
UNUSED static struct core *world_core(struct err *e)
{
    struct arena *a = arena_new(&HEAP_USUAL), *secrets = arena_new(&HEAP_SECRET);
    struct core_passwords none = {0};
    struct config *c;

    if (config_read(a, arena_copy(a, json_line(W.config)), world_path("ca.json"), &c, NULL, NULL,
                    e) &&
        config_validate(a, c, NULL, NULL, e))
        return core_build(&W.s, a, secrets, c, &none, e);
    arena_free(secrets);
    arena_free(a);
    return NULL;
}

UNUSED static void world_services(bool durable)
{
    services_init(&W.s, &TEST_CLOCK, &TEST_RNG);
    W.s.store = store_memory_open(durable, &TEST_CLOCK);
    W.started = true;
}

/* Reads the configuration (again) and publishes what comes of it. */
UNUSED static void world_load(void)
{
    struct core *core = NULL;
    struct registry *registry = NULL;

    ok((core = world_core(e)));
    ok((registry = registry_build(&W.s, core, e)));
    authority_publish(&W.s, core, registry);
}

UNUSED static void world_start(bool durable)
{
    world_services(durable);
    world_load();
}

static int world_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

UNUSED static int world_end(void **state)
{
    if (W.started) {
        struct store *store = W.s.store;
        services_end(&W.s);
        store_close(store);
    }
    nftw(W.dir, world_remove, 8, FTW_DEPTH | FTW_PHYS);
    return arena_teardown(state);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)

UNUSED static struct work work_new(void)
{
    struct work w;

    work_init(&w, &W.s, W.s.current, A, DEADLINE_NONE);
    return w;
}

/* Like ok and refused, with the error of the work. */
#define work_ok(w, call)                                                                           \
    do {                                                                                           \
        err_clear(&(w)->err);                                                                      \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, (w)->err.text);                                              \
    } while (0)
#define work_refused(w, call, wanted, what)                                                        \
    do {                                                                                           \
        err_clear(&(w)->err);                                                                      \
        if (call)                                                                                  \
            fail_msg("%s was accepted", #call);                                                    \
        if ((w)->err.kind != (wanted) || !strstr((w)->err.text, (what)))                           \
            fail_msg("%s: %s \"%s\", not %s with \"%s\"", #call, err_kind_name((w)->err.kind),     \
                     (w)->err.text, err_kind_name(wanted), what);                                  \
    } while (0)

UNUSED static struct slice stored(enum table t, struct slice key)
{
    struct slice value = SLICE_NONE;

    ok(store_get(W.s.store, t, key, A, &value, DEADLINE_NONE, e));
    return value;
}

/* --- Tokens and certificates --------------------------------------------------------------------
 */

UNUSED static struct json *ops_claims(void)
{
    struct json *c = json_of("{\"iss\":\"ops\",\"sub\":\"foo.test\",\"aud\":\"https://ca.test/1.0/"
                             "sign\",\"jti\":\"once\"}");

    json_set_exact(c, A, "iat", json_make_int(A, test_now.sec));
    json_set_exact(c, A, "exp", json_make_int(A, test_now.sec + 300));
    return c;
}

UNUSED static struct slice ops_token(const struct json *claims)
{
    const char *header =
        arena_printf(A, "{\"alg\":\"ES256\",\"kid\":\"%.*s\"}", SLICE_ARG(W.ops.kid));

    return token_sign(W.ops_key, JWS_ES256, header, claims);
}

UNUSED static struct grant *granted(struct work *w, const struct json *claims)
{
    struct grant *g = NULL;

    work_ok(w, authorize_token(w, ops_token(claims), METHOD_SIGN, &g));
    return g;
}

UNUSED static struct grant *usual_grant(struct work *w)
{
    return granted(w, ops_claims());
}

/* A leaf issued to key by the whole way, recorded; jti: of its token. */
UNUSED static struct cert *issued_to(const struct private_key *key, const char *jti,
                                     const char *not_after)
{
    static const char *const NONE[] = {NULL};
    struct work w = work_new();
    struct validity_wish wish = {0};
    struct json *claims = ops_claims();
    struct issued_cert out;
    struct cert *c = NULL;

    json_change(claims, "jti", arena_printf(A, "\"%s\"", jti));
    if (not_after)
        ok(time_or_duration_read(slice_text(not_after), &wish.not_after, e));
    struct grant *g = granted(&w, claims);
    work_ok(&w, sign_x509(&w, g, csr_new(key, "foo.test", NONE), &wish, NULL, &out));
    work_ok(&w, work_commit(&w));
    ok(cert_read(A, out.der, &c, e));
    return c;
}

/* A leaf of the intermediate that the authority did not write down; changed by the caller. */
UNUSED static struct cert *foreign_leaf(const struct x509_leaf *leaf)
{
    return cert_sign(leaf, W.int_key, W.inter);
}
