/*
 * Who proves control of a name: one page of a server of our own, one file in the folder of a
 * server that runs already (both http-01, RFC 8555 8.3), one certificate of a TLS server
 * (tls-alpn-01, RFC 8737).
 *
 * Our own servers listen only while a validation runs, and know nothing but the one proof.
 */
#include <unistd.h>

#include "base/file.h"
#include "client/acme.h"
#include "crypto/digest.h"
#include "net/server.h"

#define PATH_PREFIX "/.well-known/acme-challenge/"
#define STOP_NS     (2 * NS_PER_SEC)

/* --- A server of our own --------------------------------------------------------------------- */

struct served {
    struct acme_responder base;
    struct arena *a;
    const char *listen;
    struct clock *clock;
    struct rng *rng;
    struct http_server *server;
    struct tls_slot *slot;     /* tls-alpn-01 */
    struct slice path, answer; /* http-01 */
};

static void limits(void *arg, const struct http_request *head, struct http_limits *out)
{
    (void)arg;
    (void)head;
    out->body_max = 1024;
}

static void dispatch(void *arg, struct http_exchange *x)
{
    const struct served *s = arg;
    bool get = x->in.method == HTTP_GET || x->in.method == HTTP_HEAD;
    bool ours = get && s->answer.n && slice_eq(x->in.path, s->path);

    x->out.status = ours ? 200 : 404;
    x->out.body = ours ? s->answer : SLICE("404 page not found\n");
    http_fields_add(&x->out.fields, x->arena, "Content-Type",
                    ours ? SLICE("application/octet-stream") : SLICE("text/plain; charset=utf-8"));
    http_finish(x);
}

static void stop(struct served *s)
{
    if (s->server) {
        http_server_stop(s->server, deadline_in(&CLOCK_SYSTEM, STOP_NS));
        http_server_free(s->server);
    }
    if (s->slot)
        tls_slot_free(s->slot);
    s->server = NULL;
    s->slot = NULL;
}

static bool start(struct served *s, struct err *e)
{
    const struct http_server_options options = {.loops = 1};
    const struct http_app app = {.arg = s, .limits = limits, .dispatch = dispatch};
    struct listener *l;

    s->server = http_server_new(&options, e);
    l = s->server ? listener_open(s->server, s->listen, s->slot, &app, e) : NULL;
    if (!l) {
        stop(s);
        return err_wrap(e, "answering the challenge");
    }
    listener_start(l);
    return true;
}

static void end_served(struct acme_responder *r)
{
    stop((struct served *)r);
}

static bool begin_http(struct acme_responder *r, const struct acme_proof *p, struct err *e)
{
    struct served *s = (struct served *)r;

    s->path = arena_format(s->a, PATH_PREFIX "%.*s", SLICE_ARG(p->token));
    s->answer = p->key_authorization;
    return start(s, e);
}

struct acme_responder *acme_respond_standalone(struct arena *a, const char *listen)
{
    struct served *s = arena_alloc(a, sizeof(*s));

    *s = (struct served){
        .base = {"http-01", "standalone", begin_http, end_served}, .a = a, .listen = listen};
    return &s->base;
}

/* --- tls-alpn-01 ----------------------------------------------------------------------------- */

/* RFC 8737 3: 1.3.6.1.5.5.7.1.31, critical, the digest of the key authorization. */
static struct extension acme_identifier(struct arena *a, struct slice key_authorization)
{
    static const uint8_t OID[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1f};
    struct buf b = buf_new(a, 64);

    der_octets(&b, digest_bytes(a, DIGEST_SHA256, key_authorization));
    return (struct extension){
        .oid = slice_of(OID, sizeof(OID)), .critical = true, .value = buf_slice(&b)};
}

static bool make_proof(struct served *s, const struct acme_proof *p, struct private_key *key,
                       struct slice *der, struct instant *ends, struct err *e)
{
    struct instant now = s->clock->now(s->clock);
    struct extension identifier = acme_identifier(s->a, p->key_authorization);
    struct sans names = {0};
    struct issuer self = {.key = key->public_key, .signer = signer_local(s->a, key, "challenge")};
    struct buf b = buf_new(s->a, CERT_MAX);

    sans_split(s->a, &p->name, 1, &names);
    *ends = instant_add(now, 3600 * NS_PER_SEC);
    struct x509_leaf leaf = {
        .subject = {.common_name = SLICE("ACME challenge")},
        .sans = names,
        .not_before = instant_truncate(instant_add(now, -3600 * NS_PER_SEC)),
        .not_after = instant_truncate(*ends),
        .key_usage = KU_DIGITAL_SIGNATURE,
        .raw = {&identifier, 1},
        .key = key->public_key,
    };
    bool made = x509_leaf_sign(&leaf, &self, s->rng, &b, deadline_in(s->clock, STOP_NS), e);
    *der = buf_slice(&b);
    return made;
}

static bool begin_tls(struct acme_responder *r, const struct acme_proof *p, struct err *e)
{
    static const struct tls_settings SETTINGS = {.acme_tls = true};
    struct served *s = (struct served *)r;
    struct private_key *key;
    struct instant ends;
    struct slice der;

    if (!private_key_generate(s->a, KEY_P256, 0, &key, e) || !make_proof(s, p, key, &der, &ends, e))
        return false;
    struct tls_credentials credentials = {&der, 1, key};
    s->slot = tls_slot_new();
    if (tls_slot_set(s->slot, &SETTINGS, &credentials, ends, e))
        return start(s, e);
    stop(s);
    return false;
}

struct acme_responder *acme_respond_tls_alpn(struct arena *a, const char *listen,
                                             struct clock *clock, struct rng *rng)
{
    struct served *s = arena_alloc(a, sizeof(*s));

    *s = (struct served){.base = {"tls-alpn-01", "TLS", begin_tls, end_served},
                         .a = a,
                         .listen = listen,
                         .clock = clock,
                         .rng = rng};
    return &s->base;
}

/* --- Somebody else's server ------------------------------------------------------------------ */

struct webroot {
    struct acme_responder base;
    struct arena *a;
    const char *folder, *file;
};

static bool begin_file(struct acme_responder *r, const struct acme_proof *p, struct err *e)
{
    struct webroot *w = (struct webroot *)r;
    const char *folder = path_join(w->a, w->folder, ".well-known/acme-challenge");

    if (!file_is_dir(w->folder))
        return err_set(e, ERR_NOT_FOUND, "webroot %s: no such directory", w->folder);
    w->file = path_join(w->a, folder, arena_cstr(w->a, p->token));
    return dir_make(folder, 0755, e) && file_write(w->file, p->key_authorization, 0644, 0, e);
}

static void end_file(struct acme_responder *r)
{
    unlink(((struct webroot *)r)->file);
}

struct acme_responder *acme_respond_webroot(struct arena *a, const char *folder)
{
    struct webroot *w = arena_alloc(a, sizeof(*w));

    *w = (struct webroot){
        .base = {"http-01", "webroot", begin_file, end_file}, .a = a, .folder = folder};
    return &w->base;
}
