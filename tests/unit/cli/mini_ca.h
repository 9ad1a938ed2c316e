/*
 * A CA in this process, behind the HTTP client that commands make: it checks tokens and signs, so
 * that commands can be run from end to end.  The test is linked with http_client_new wrapped.
 */
#pragma once

#include "base/encode.h"
#include "base/uri.h"
#include "capture.h"
#include "cli/ca_common.h"
#include "crypto/digest.h"
#include "crypto/keyfile.h"

#define MINI_URL      "https://ca.test:9000"
#define MINI_PASSWORD "top secret"

struct mini_call {
    enum http_method method;
    const char *path, *body, *bearer;
    bool identity, anybody;
};
static struct mini_ca {
    struct http_client client;
    struct arena *arena;
    struct private_key *key, *provisioner;
    struct cert *root;
    struct slice fingerprint, kid, encrypted_key;
    const char *provisioners; /* JSON list */
    const char *x5c_name;     /* a provisioner that believes anybody's chain */
    const char *team;         /* what a team's address answers */
    bool down;
    int64_t lifetime; /* seconds */
    struct mini_call calls[64];
    size_t n_calls;
} CA;

#define ok(call)                                                                                   \
    do {                                                                                           \
        struct err err_ = {0}, *e = &err_;                                                         \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, err_.text);                                                  \
    } while (0)

static struct slice mini_cert(const struct x509_leaf *leaf)
{
    struct issuer issuer = {.key = CA.key->public_key,
                            .signer = signer_local(CA.arena, CA.key, "mini")};
    struct buf der = buf_new(CA.arena, 1u << 16);

    if (CA.root)
        cert_list_add(CA.arena, &issuer.chain, CA.root);
    ok(x509_leaf_sign(leaf, &issuer, &RNG_SYSTEM, &der, DEADLINE_NONE, e));
    return buf_slice(&der);
}

static struct slice mini_leaf(struct slice name, const struct sans *sans, const struct key *key)
{
    struct instant now = CLOCK_SYSTEM.now(&CLOCK_SYSTEM);
    struct x509_leaf leaf = {.subject = {.common_name = name},
                             .not_before = instant_sec(now.sec - 60),
                             .not_after = instant_sec(now.sec + CA.lifetime),
                             .key_usage = KU_DIGITAL_SIGNATURE,
                             .key = key};

    if (sans)
        leaf.sans = *sans;
    return mini_cert(&leaf);
}

static const char *mini_pem_json(struct slice der)
{
    struct buf b = buf_new(CA.arena, 1u << 16);

    json_put_text(&b, cert_pem(CA.arena, der));
    return arena_cstr(CA.arena, buf_slice(&b));
}

static const char *mini_chain(struct slice leaf)
{
    return arena_printf(CA.arena, "{\"crt\":%s,\"certChain\":[%s,%s]}", mini_pem_json(leaf),
                        mini_pem_json(leaf), mini_pem_json(CA.root->der));
}

/* --- Requests -------------------------------------------------------------------------------- */

struct mini_answer {
    int status;
    const char *body;
};
#define REFUSED(text) ((struct mini_answer){401, "{\"status\":401,\"message\":\"" text "\"}"})

static bool mini_token_ok(struct slice ott, const char *path, struct token *t)
{
    struct slice fragment =
        CA.x5c_name ? arena_format(CA.arena, "#x5c/%s", CA.x5c_name) : SLICE_NONE;
    const char *aud = arena_printf(CA.arena, MINI_URL "/1.0%s%.*s", path, SLICE_ARG(fragment));
    struct cert *signer;
    struct slice *ders;
    size_t n;

    if (!token_read(CA.arena, ott, t, NULL) || t->n_aud != 1 || !slice_is(t->aud[0], aud))
        return false;
    if (!CA.x5c_name)
        return slice_eq(t->jws.kid, CA.kid) &&
               jws_verify(&t->jws, CA.provisioner->public_key, NULL);
    return token_chain(CA.arena, t->jws.header, "x5c", &ders, &n, NULL) &&
           cert_read(CA.arena, ders[0], &signer, NULL) && jws_verify(&t->jws, signer->key, NULL);
}

static struct csr *mini_csr(const struct json *body)
{
    struct csr *csr;

    ok(csr_read_text(CA.arena, json_text(json_get(body, "csr")), "csr", true, &csr, e));
    ok(csr_verify(csr, e));
    return csr;
}

static struct mini_answer mini_sign(const struct http_call *call, const struct json *body)
{
    struct csr *csr = mini_csr(body);
    struct token t;

    (void)call;
    if (!mini_token_ok(json_text(json_get(body, "ott")), "/sign", &t))
        return REFUSED("bad token");
    return (struct mini_answer){
        201, mini_chain(mini_leaf(dn_common_name(&csr->subject), &csr->sans, csr->key))};
}

static struct mini_answer mini_renew(const struct http_call *call, const struct json *body)
{
    struct slice bearer = http_fields_get(&call->fields, "Authorization"), *ders;
    struct cert *old;
    struct token t;
    size_t n;

    (void)body;
    if (call->identity) {
        ders = call->identity->chain;
    } else if (!token_read(CA.arena, slice_from(bearer, 7), &t, NULL) ||
               !slice_is(t.aud[0], MINI_URL "/renew") ||
               !token_chain(CA.arena, t.jws.header, "x5cInsecure", &ders, &n, NULL)) {
        return REFUSED("bad renew token");
    }
    ok(cert_read(CA.arena, ders[0], &old, e));
    if (!call->identity && !jws_verify(&t.jws, old->key, NULL))
        return REFUSED("bad signature");
    return (struct mini_answer){
        201, mini_chain(mini_leaf(dn_common_name(&old->subject), &old->sans, old->key))};
}

static struct mini_answer mini_rekey(const struct http_call *call, const struct json *body)
{
    struct csr *csr = mini_csr(body);
    struct cert *old;

    if (!call->identity)
        return REFUSED("no certificate");
    assert_int_equal(csr->subject.n, 0);
    ok(cert_read(CA.arena, call->identity->chain[0], &old, e));
    return (struct mini_answer){
        201, mini_chain(mini_leaf(dn_common_name(&old->subject), &old->sans, csr->key))};
}

static struct mini_answer mini_revoke(const struct http_call *call, const struct json *body)
{
    struct slice ott = json_text(json_get(body, "ott"));
    struct token t;

    if (!call->identity && (!mini_token_ok(ott, "/revoke", &t) ||
                            !slice_eq(t.sub, json_text(json_get(body, "serial")))))
        return REFUSED("bad token");
    return (struct mini_answer){200, "{\"status\":\"ok\"}"};
}

static struct mini_answer mini_get(const char *path)
{
    struct arena *a = CA.arena;

    if (strcmp(path, "/health") == 0)
        return (struct mini_answer){200, "{\"status\":\"ok\"}"};
    if (strcmp(path, arena_printf(a, "/root/%.*s", SLICE_ARG(CA.fingerprint))) == 0)
        return (struct mini_answer){200,
                                    arena_printf(a, "{\"ca\":%s}", mini_pem_json(CA.root->der))};
    if (strcmp(path, "/roots") == 0 || strcmp(path, "/federation") == 0)
        return (struct mini_answer){
            201, arena_printf(a, "{\"crts\":[%s]}", mini_pem_json(CA.root->der))};
    if (strcmp(path, "/provisioners?limit=100") == 0)
        return (struct mini_answer){
            200, arena_printf(a, "{\"provisioners\":%s,\"nextCursor\":\"\"}", CA.provisioners)};
    if (strcmp(path, arena_printf(a, "/provisioners/%.*s/encrypted-key",
                                  SLICE_ARG(uri_escape_segment(a, CA.kid)))) == 0)
        return (struct mini_answer){
            200, arena_printf(a, "{\"key\":\"%.*s\"}", SLICE_ARG(CA.encrypted_key))};
    return (struct mini_answer){404, "{\"status\":404,\"message\":\"not here\"}"};
}

static bool mini_call(struct http_client *c, const struct http_call *call, struct arena *a,
                      struct http_reply *reply, struct deadline d, struct err *e)
{
    static const struct {
        const char *path;
        struct mini_answer (*answer)(const struct http_call *, const struct json *);
    } POSTS[] = {{"/sign", mini_sign},
                 {"/renew", mini_renew},
                 {"/rekey", mini_rekey},
                 {"/revoke", mini_revoke}};
    struct slice bearer = http_fields_get(&call->fields, "Authorization");
    const char *path = arena_cstr(CA.arena, slice_from(call->url, strlen(MINI_URL)));
    struct mini_answer answer = {405, ""};

    (void)c, (void)d;
    if (CA.n_calls < COUNT_OF(CA.calls))
        CA.calls[CA.n_calls++] = (struct mini_call){call->method,
                                                    path,
                                                    arena_cstr(CA.arena, call->body),
                                                    arena_cstr(CA.arena, bearer),
                                                    call->identity != NULL,
                                                    call->trust->kind == TRUST_ANYBODY};
    if (CA.down || !slice_starts(call->url, MINI_URL "/"))
        return err_set(e, ERR_UNAVAILABLE, "connecting to ca.test:9000: connection refused");
    if (call->trust->kind == TRUST_SYSTEM && CA.team && strcmp(path, "/team/a%2Fb") == 0) {
        *reply = (struct http_reply){200, {0}, slice_text(CA.team)};
        return true;
    }
    if (call->trust->kind != TRUST_ANYBODY &&
        (call->trust->kind != TRUST_ANCHORS || call->trust->n == 0 ||
         !slice_eq(call->trust->anchors[0], CA.root->der)))
        return err_set(e, ERR_UNAVAILABLE, "certificate: unable to get local issuer");
    if (call->method == HTTP_GET)
        answer = mini_get(path);
    for (size_t i = 0; call->method == HTTP_POST && i < COUNT_OF(POSTS); i++)
        if (strcmp(path, POSTS[i].path) == 0)
            answer = POSTS[i].answer(
                call, json_read(CA.arena, arena_copy(CA.arena, call->body), &JSON_API, NULL, NULL));
    *reply = (struct http_reply){answer.status, {0}, arena_copy(a, slice_text(answer.body))};
    return true;
}

struct http_client *__wrap_http_client_new(const char *user_agent);
void __wrap_http_client_free(struct http_client *c);

struct http_client *__wrap_http_client_new(const char *user_agent)
{
    assert_true(strncmp(user_agent, "Newel CLI/", 10) == 0);
    return &CA.client;
}

void __wrap_http_client_free(struct http_client *c)
{
    (void)c;
}

static const struct command *const MINI_SUB[] = {&CMD_CA, NULL};
static const struct command MINI_STEP = {.name = "step", .summary = "test", .sub = MINI_SUB};
static struct cli_environment ENV = {.root = &MINI_STEP};

/* --- Set-up ----------------------------------------------------------------------------------- */

static void mini_provisioner(void)
{
    struct jwe_options options = {
        .alg = "PBES2-HS256+A128KW", .enc = "A256GCM", .cty = "jwk+json", .p2c = 1000};
    struct jwe_key password = {.password = SLICE(MINI_PASSWORD)};
    struct jwk jwk;

    ok(private_key_generate(CA.arena, KEY_P256, 0, &CA.provisioner, e));
    ok(jwk_of_key(CA.arena, CA.provisioner->public_key, CA.provisioner, &jwk, e));
    CA.kid = jwk.kid;
    ok(jwe_seal(CA.arena, &options, &password, jwk_text(CA.arena, &jwk, true), JWE_COMPACT,
                &CA.encrypted_key, e));
    CA.provisioners = arena_printf(CA.arena, "[{\"type\":\"JWK\",\"name\":\"ops\",\"key\":%.*s}]",
                                   SLICE_ARG(jwk_text(CA.arena, &jwk, false)));
}

static int mini_setup(void **state)
{
    struct instant now = CLOCK_SYSTEM.now(&CLOCK_SYSTEM);
    struct x509_leaf root = {.subject = {.common_name = SLICE("Mini Root")},
                             .not_before = instant_sec(now.sec - 3600),
                             .not_after = instant_sec(now.sec + 3600 * 24 * 365),
                             .key_usage = KU_CERT_SIGN,
                             .has_basic = true,
                             .basic = {true, 1}};

    if (scratch_setup(state) != 0)
        return -1;
    umask(022);
    CA = (struct mini_ca){
        .client = {mini_call}, .arena = arena_new(&HEAP_USUAL), .lifetime = 24 * 3600};
    ok(private_key_generate(CA.arena, KEY_P256, 0, &CA.key, e));
    root.key = CA.key->public_key;
    struct slice der = mini_cert(&root);
    ok(cert_read(CA.arena, der, &CA.root, e));
    CA.fingerprint = cert_fingerprint(CA.arena, der);
    mini_provisioner();
    ENV.terminal = terminal_none(CA.arena, "there is none in tests");
    scratch_put("pass", MINI_PASSWORD "\n");
    return 0;
}

static int mini_teardown(void **state)
{
    arena_free(CA.arena);
    return scratch_teardown(state);
}

/* What bootstrap would write. */
UNUSED static void mini_trust(void)
{
    scratch_put("certs/root_ca.crt", arena_cstr(CA.arena, cert_pem(CA.arena, CA.root->der)));
    scratch_put("config/defaults.json", "{\"ca-url\":\"" MINI_URL "\"}");
}

/* A path of its own: scratch_path has one buffer. */
static const char *at(const char *name)
{
    return arena_printf(CA.arena, "%s/%s", scratch, name);
}

UNUSED static unsigned mode_of(const char *name)
{
    struct stat st;

    assert_int_equal(stat(at(name), &st), 0);
    return st.st_mode & 0777;
}

static struct cert *leaf_in(const char *name)
{
    struct cert_list list = {0};

    ok(cert_list_load(CA.arena, at(name), &list, e));
    return list.v[0];
}

static struct private_key *key_in(const char *name)
{
    struct private_key *key;

    ok(private_key_load(CA.arena, at(name), NULL, &key, e));
    return key;
}

static void assert_says(const char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("\"%s\" does not say \"%s\"", text, what);
}

/* A certificate of the CA and its key, expiring in so many seconds. */
UNUSED static void put_pair(const char *crt, const char *key_name, int64_t seconds)
{
    struct private_key *key;
    struct slice pem;
    struct cert_list chain = {0};
    struct cert *c;
    struct instant now = CLOCK_SYSTEM.now(&CLOCK_SYSTEM);
    struct x509_leaf leaf = {.subject = {.common_name = SLICE("web.test")},
                             .not_before = instant_sec(now.sec - 3600),
                             .not_after = instant_sec(now.sec + seconds),
                             .key_usage = KU_DIGITAL_SIGNATURE};

    ok(private_key_generate(CA.arena, KEY_P256, 0, &key, e));
    leaf.key = key->public_key;
    ok(cert_read(CA.arena, mini_cert(&leaf), &c, e));
    cert_list_add(CA.arena, &chain, c);
    cert_list_add(CA.arena, &chain, CA.root);
    ok(private_key_pem(CA.arena, key, KEY_TRADITIONAL, &pem, e));
    scratch_put(crt, arena_cstr(CA.arena, cert_list_pem(CA.arena, &chain)));
    scratch_put(key_name, arena_cstr(CA.arena, pem));
}

#define MINI_TEST(name) cmocka_unit_test_setup_teardown(name, mini_setup, mini_teardown)
