/* A certificate in the header of a token that its key, which is also the CA's here, has signed:
 * seeds get to the end. */
#include "base/encode.h"
#include "provisioner/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct arena *a;
    struct private_key *key;
    struct ssh_key own;
    struct ssh_trust trust;
    struct audiences audiences;
    struct provisioner *pop;
} F;

/* The Ed25519 key of 32 bytes 0x01. */
static void make_world(void)
{
    static uint8_t seed[32];
    struct slice host = SLICE("ca.test");
    struct key_numbers numbers = {.d = slice_of(seed, sizeof(seed))};
    struct provisioner_env env = {
        .audiences = &F.audiences, .global = &CLAIMS_BUILT_IN, .ssh_roots = &F.trust};
    struct json *config;

    memset(seed, 1, sizeof(seed));
    F.a = arena_new(&HEAP_USUAL);
    audiences_build(F.a, &host, 1, &F.audiences);
    config =
        json_read(F.a, SLICE("{\"type\":\"SSHPOP\",\"name\":\"sshpop\"}"), &JSON_API, NULL, NULL);
    if (!private_key_from_numbers(F.a, KEY_ED25519, &numbers, &F.key, NULL) ||
        !ssh_key_from(F.a, F.key->public_key, &F.own, NULL) ||
        !provisioner_make(F.a, config, "p", &env, &F.pop, NULL))
        __builtin_trap();
    F.trust = (struct ssh_trust){{&F.own, 1}, {&F.own, 1}};
}

static struct slice make_token(struct arena *a, struct slice blob, const char *method)
{
    struct slice text = base64_text(a, BASE64_STD, blob), token = SLICE_NONE;
    struct slice header =
        arena_format(a, "{\"alg\":\"EdDSA\",\"sshpop\":\"%.*s\"}", SLICE_ARG(text));
    struct slice payload = arena_format(
        a,
        "{\"iss\":\"sshpop\",\"sub\":\"42\",\"jti\":\"x\",\"aud\":\"https://ca.test/ssh/"
        "%s#sshpop/sshpop\"}",
        method);

    bool ok = jws_sign(a, header, payload, signer_local(a, F.key, "fuzz"), JWS_EDDSA, DEADLINE_NONE,
                       &token, NULL);
    (void)ok;
    return token;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        const char *name;
        enum method method;
    } METHOD_LIST[] = {
        {"renew", METHOD_SSH_RENEW}, {"rekey", METHOD_SSH_REKEY}, {"revoke", METHOD_SSH_REVOKE}};

    if (!F.a)
        make_world();
    struct arena *a = arena_new(&HEAP_USUAL);
    struct asking ask = {a, instant_sec(1770114030), DEADLINE_NONE};
    for (size_t i = 0; i < COUNT_OF(METHOD_LIST); i++) {
        struct slice text = make_token(a, slice_of(data, size), METHOD_LIST[i].name);
        struct token t;
        struct grant g = {.by = F.pop, .token = &t};
        struct err e = {0};
        if (token_read(a, text, &t, NULL) &&
            F.pop->type->authorize[METHOD_LIST[i].method](F.pop, &t, &ask, &g, &e) &&
            (!g.ssh.held || !ssh_cert_verify(a, g.ssh.held, NULL)))
            __builtin_trap();
    }
    arena_free(a);
    return 0;
}
