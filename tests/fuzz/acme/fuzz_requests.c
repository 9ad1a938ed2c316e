/*
 * Requests to a whole ACME authority, store and frame included.  The first byte chooses the
 * resource, the second what is wrong with the envelope: a payload that is signed well, one whose
 * protected header is the input's too, or a body that is the input alone.  Whatever comes, there is
 * one answer, and a 5xx only where the specification has one.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "acme/acme.h"
#include "api/frame.h"
#include "base/encode.h"
#include "base/file.h"
#include "cli/pki.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"

#define INPUTS_A_WORLD 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum envelope { WELL_SIGNED, OWN_HEADER, RAW };

static struct world {
    struct arena *arena;
    struct services services;
    struct frame *frame;
    struct private_key *account_key;
    struct slice jwk, kid;
    const char *paths[16];
    size_t n_paths;
    unsigned inputs;
} W;
static sem_t finished;

/* The frame's way back to the loop. */
void http_finish(struct http_exchange *x)
{
    (void)x;
    sem_post(&finished);
}

static void must(bool done, const struct err *e)
{
    if (done)
        return;
    fprintf(stderr, "fuzz_requests: %s\n", e->text);
    abort();
}

static struct http_exchange *ask(struct arena *a, const char *method, const char *path,
                                 struct slice body)
{
    struct http_exchange *x = arena_alloc(a, sizeof(*x));
    const struct http_app *app = frame_app(W.frame);

    x->arena = a;
    x->in.method_text = slice_text(method);
    x->in.path = x->in.target = slice_text(path);
    x->in.protocol = "HTTP/1.1";
    x->in.host = SLICE("ca.test");
    x->in.body = body;
    http_fields_add(&x->in.fields, a, "Content-Type", SLICE("application/jose+json"));
    app->dispatch(app->arg, x);
    while (sem_wait(&finished) != 0) { /* interrupted by the fuzzer's own clock */
    }
    return x;
}

static struct slice envelope(struct arena *a, const char *path, struct slice members,
                             struct slice payload)
{
    struct http_exchange *x = ask(a, "HEAD", "/acme/acme/new-nonce", SLICE(""));
    struct slice nonce = http_fields_get(&x->out.fields, "Replay-Nonce");
    struct buf header = buf_new(a, 1u << 20);
    struct slice jws;

    buf_printf(&header, "{\"alg\":\"ES256\",\"nonce\":\"%.*s\",\"url\":\"https://ca.test%s\"%.*s}",
               SLICE_ARG(nonce), path, SLICE_ARG(members));
    if (!jws_sign(a, buf_slice(&header), payload, signer_local(a, W.account_key, "account"),
                  JWS_ES256, DEADLINE_NONE, &jws, NULL))
        return payload; /* its header is no JSON */
    size_t first = slice_find(jws, '.'), second = slice_rfind(jws, '.');
    return arena_format(a, "{\"protected\":\"%.*s\",\"payload\":\"%.*s\",\"signature\":\"%.*s\"}",
                        SLICE_ARG(slice_sub(jws, 0, first)),
                        SLICE_ARG(slice_sub(jws, first + 1, second - first - 1)),
                        SLICE_ARG(slice_from(jws, second + 1)));
}

static struct slice by_key(struct arena *a)
{
    return arena_format(a, ",\"jwk\":%.*s", SLICE_ARG(W.jwk));
}

static struct slice by_account(struct arena *a)
{
    return arena_format(a, ",\"kid\":\"%.*s\"", SLICE_ARG(W.kid));
}

/* --- A world ------------------------------------------------------------------------------------
 */

static const char *put(const char *dir, const char *name, struct slice content)
{
    const char *path = arena_printf(W.arena, "%s/%s", dir, name);
    struct err e = {0};

    must(file_write(path, content, 0600, 0, &e), &e);
    return path;
}

static void load(void)
{
    static const char CONFIG[] =
        "{\"root\":\"%s\",\"crt\":\"%s\",\"key\":\"%s\",\"address\":\":443\","
        "\"dnsNames\":[\"ca.test\"],\"authority\":{\"provisioners\":[{\"type\":\"ACME\",\"name\":"
        "\"acme\",\"challenges\":[\"device-attest-01\",\"http-01\"]}]}}";
    struct arena *a = W.arena, *own = arena_new(&HEAP_USUAL), *secrets = arena_new(&HEAP_SECRET);
    char dir[] = "/tmp/newel-fuzz-XXXXXX";
    struct core_passwords none = {0};
    struct pki_pair root, issuer;
    struct config *config;
    struct slice pem = SLICE_NONE;
    struct err e = {0};
    bool cut;

    must(mkdtemp(dir) != NULL, &e);
    must(pki_root(a, a, SLICE("Fuzz"), CLOCK_SYSTEM.now(&CLOCK_SYSTEM), &RNG_SYSTEM, &root, &e) &&
             pki_intermediate(a, a, SLICE("Fuzz"), &root, CLOCK_SYSTEM.now(&CLOCK_SYSTEM),
                              &RNG_SYSTEM, &issuer, &cut, &e) &&
             private_key_pem(a, issuer.key, KEY_PKCS8, &pem, &e),
         &e);
    const char *files[] = {put(dir, "root", cert_pem(a, root.cert->der)),
                           put(dir, "crt", cert_pem(a, issuer.cert->der)), put(dir, "key", pem)};
    struct slice text = arena_format(own, CONFIG, files[0], files[1], files[2]);
    must(config_read(own, text, "ca.json", &config, NULL, NULL, &e), &e);
    struct core *core = core_build(&W.services, own, secrets, config, &none, &e);
    must(core != NULL, &e);
    struct registry *registry = registry_build(&W.services, core, &e);
    must(registry != NULL, &e);
    authority_publish(&W.services, core, registry);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        unlink(files[i]);
    rmdir(dir);
}

/* https://ca.test/… of an answer as a path. */
static void add_url(struct slice url)
{
    static const char ORIGIN[] = "https://ca.test";

    if (slice_starts(url, ORIGIN) && W.n_paths < COUNT_OF(W.paths))
        W.paths[W.n_paths++] = arena_cstr(W.arena, slice_from(url, sizeof(ORIGIN) - 1));
}

static const struct json *answer(struct http_exchange *x, int status)
{
    struct err e = {0};

    err_set(&e, ERR_INTERNAL, "status %d: %.*s", x->out.status, SLICE_ARG(x->out.body));
    must(x->out.status == status, &e);
    const struct json *v = json_read(W.arena, x->out.body, &JSON_API, NULL, &e);
    must(v != NULL, &e);
    return v;
}

static void open_account(void)
{
    static const char *const FIXED[] = {"/acme/acme/new-account", "/acme/acme/new-order",
                                        "/acme/acme/key-change", "/acme/acme/revoke-cert"};
    struct arena *a = W.arena;
    struct jwk jwk;
    struct err e = {0};

    must(private_key_generate(a, KEY_P256, 0, &W.account_key, &e) &&
             jwk_of_key(a, W.account_key->public_key, NULL, &jwk, &e),
         &e);
    W.jwk = jwk_text(a, &jwk, false);
    for (size_t i = 0; i < COUNT_OF(FIXED); i++)
        W.paths[W.n_paths++] = FIXED[i];
    struct http_exchange *x =
        ask(a, "POST", FIXED[0], envelope(a, FIXED[0], by_key(a), SLICE("{}")));
    answer(x, 201);
    W.kid = arena_copy(a, http_fields_get(&x->out.fields, "Location"));
    add_url(W.kid);
    x = ask(a, "POST", FIXED[1],
            envelope(a, FIXED[1], by_account(a),
                     SLICE("{\"identifiers\":[{\"type\":\"permanent-identifier\",\"value\":"
                           "\"dev\"}]}")));
    const struct json *order = answer(x, 201);
    add_url(http_fields_get(&x->out.fields, "Location"));
    add_url(json_text(json_get(order, "finalize")));
    add_url(json_text(json_get(order, "authorizations")->first));
    const char *authz = W.paths[W.n_paths - 1];
    x = ask(a, "POST", authz, envelope(a, authz, by_account(a), SLICE("")));
    add_url(json_text(json_get(json_get(answer(x, 200), "challenges")->first, "url")));
}

static void world_begin(void)
{
    static const struct route *const TABLES[] = {ACME_ROUTES, NULL};
    struct acme_validation_settings settings = {.clock = &CLOCK_SYSTEM, .http_port = 80};

    W = (struct world){.arena = arena_new(&HEAP_USUAL)};
    services_init(&W.services, &CLOCK_SYSTEM, &RNG_SYSTEM);
    W.services.pool = pool_new(1, 4, 16);
    W.services.store = store_memory_open(true, &CLOCK_SYSTEM);
    W.services.acme = acme_service_new(&W.services, &settings);
    W.frame = frame_new(&(struct frame_options){&W.services, TABLES, false});
    load();
    open_account();
}

static void world_end(void)
{
    pool_stop(W.services.pool);
    frame_free(W.frame);
    acme_service_stop(W.services.acme);
    acme_service_free(W.services.acme);
    store_close(W.services.store);
    services_end(&W.services);
    arena_free(W.arena);
    W.arena = NULL;
}

/* --- One input ----------------------------------------------------------------------------------
 */

static struct slice body_of(struct arena *a, const char *path, enum envelope how, bool own_key,
                            struct slice rest)
{
    struct slice members;

    if (how == RAW)
        return rest;
    if (how == OWN_HEADER && slice_split(&rest, '\n', &members))
        return envelope(a, path, arena_format(a, ",%.*s", SLICE_ARG(members)), rest);
    return envelope(a, path, own_key ? by_key(a) : by_account(a), rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (!W.arena) {
        sem_init(&finished, 0, 0);
        world_begin();
    }
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    size_t i = data[0] % W.n_paths;
    bool own_key = i == 0 || (i == 3 && (data[1] & 4));
    struct slice body = body_of(a, W.paths[i], (enum envelope)(data[1] & 3 ? data[1] & 3 : 0) % 3,
                                own_key, slice_of(data + 2, size - 2));
    struct http_exchange *x = ask(a, "POST", W.paths[i], body);
    if (x->out.status < 200 || x->out.status == 500) {
        fprintf(stderr, "%s: %d %.*s\n", W.paths[i], x->out.status, SLICE_ARG(x->out.body));
        __builtin_trap();
    }
    if (++W.inputs == INPUTS_A_WORLD)
        world_end();
    return 0;
}
