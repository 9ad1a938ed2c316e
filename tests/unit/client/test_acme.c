/* The ACME client against a table of answers, and those who prove names against real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "client/acme.h"
#include "crypto/digest.h"
#include "net/tls_alpn.h"

#define URL(path) "https://ca.test/acme/acme" path

static struct arena *A;

static int setup(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(A);
    return 0;
}

#define assert_slice(s, text) assert_string_equal(arena_cstr(A, (s)), (text))
#define ok(call)                                                                                   \
    do {                                                                                           \
        struct err err_ = {0}, *e = &err_;                                                         \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, err_.text);                                                  \
    } while (0)

/* --- An ACME server that is a table ---------------------------------------------------------- */

struct said {
    const char *path; /* of the URL, behind /acme/acme */
    int status;
    const char *body;
    const char *location, *retry_after;
    unsigned times; /* how often; 0: for ever */
};
struct asked {
    struct slice path, payload;
    bool jwk, kid;
};
static struct server {
    struct http_client client;
    struct said *table;
    struct asked calls[64];
    size_t n;
    unsigned nonce;
    bool no_nonces;
    const struct key *key;
    int64_t slept, naps;
} S;

static struct slice part(const struct json *jws, const char *name)
{
    struct slice decoded = SLICE_NONE;
    struct slice text = json_text(json_get_exact(jws, name));

    assert_true(text.p != NULL);
    if (text.n)
        assert_true(base64_read(A, BASE64_URL_RAW, text, &decoded));
    return decoded;
}

/* RFC 8555 6.2, 6.4, 6.5: what every POST must be. */
static void check_post(const struct http_call *call, struct asked *asked)
{
    struct jws jws;
    struct jwk jwk;

    assert_slice(http_fields_get(&call->fields, "Content-Type"), "application/jose+json");
    ok(jws_read_json(A, call->body, &jws, e));
    const struct json *v = json_read(A, call->body, &JSON_JOSE, NULL, NULL);
    assert_non_null(v);
    assert_slice(json_text(json_get_exact(jws.header, "url")), arena_cstr(A, call->url));
    assert_slice(json_text(json_get_exact(jws.header, "nonce")),
                 arena_printf(A, "nonce-%u", S.nonce));
    asked->jwk = json_get_exact(jws.header, "jwk") != NULL;
    asked->kid = json_get_exact(jws.header, "kid") != NULL;
    assert_true(asked->jwk != asked->kid);
    if (asked->jwk) {
        ok(jwk_public_from_json(A, json_get_exact(jws.header, "jwk"), &jwk, e));
        S.key = jwk.key;
    } else {
        assert_slice(json_text(json_get_exact(jws.header, "kid")), URL("/account/1"));
    }
    ok(jws_verify(&jws, S.key, e));
    asked->payload = part(v, "payload");
}

static struct said *find(struct slice path)
{
    for (struct said *s = S.table; s->path; s++) {
        if (!slice_is(path, s->path))
            continue;
        if (s->times == 0)
            return s;
        if (s->times == 1000) /* used up */
            continue;
        s->times = s->times == 1 ? 1000 : s->times - 1;
        return s;
    }
    return NULL;
}

static bool serve(struct http_client *c, const struct http_call *call, struct arena *a,
                  struct http_reply *reply, struct deadline d, struct err *e)
{
    struct slice path = slice_from(call->url, sizeof(URL("")) - 1);
    struct asked *asked = &S.calls[S.n < 63 ? S.n++ : 63];

    (void)c;
    (void)d;
    assert_true(slice_starts(call->url, URL("")));
    *asked = (struct asked){.path = arena_copy(A, path)};
    if (call->method == HTTP_POST)
        check_post(call, asked);
    struct said *s = find(path);
    if (!s)
        return err_set(e, ERR_INTERNAL, "no answer for %.*s", SLICE_ARG(path));
    if (!S.no_nonces)
        http_fields_add(&reply->fields, a, "Replay-Nonce", arena_format(a, "nonce-%u", ++S.nonce));
    bool pem = s->body && s->body[0] == '-';
    http_fields_add(&reply->fields, a, "Content-Type",
                    s->status >= 400 ? SLICE("application/problem+json")
                    : pem            ? SLICE("application/pem-certificate-chain")
                                     : SLICE("application/json"));
    if (s->location)
        http_fields_add(&reply->fields, a, "Location", slice_text(s->location));
    if (s->retry_after)
        http_fields_add(&reply->fields, a, "Retry-After", slice_text(s->retry_after));
    reply->status = s->status;
    reply->body = slice_text(s->body ? s->body : "");
    return true;
}

static void nap(int64_t ns)
{
    S.slept += ns;
    S.naps++;
}

/* --- A responder that remembers -------------------------------------------------------------- */

static struct memory {
    struct acme_responder base;
    unsigned begun, ended;
    struct slice name, authorization;
    bool fails;
} M;

static bool remember(struct acme_responder *r, const struct acme_proof *p, struct err *e)
{
    (void)r;
    if (M.fails)
        return err_set(e, ERR_UNAVAILABLE, "the port is taken");
    assert_int_equal(M.begun, M.ended);
    M.begun++;
    M.name = arena_copy(A, p->name);
    M.authorization = arena_copy(A, p->key_authorization);
    return true;
}

static void forget(struct acme_responder *r)
{
    (void)r;
    M.ended++;
}

/* --- Running one order ----------------------------------------------------------------------- */

static const char *pem_chain(void)
{
    struct private_key *key;
    struct buf der = buf_new(A, 1u << 16);

    ok(private_key_generate(A, KEY_P256, 0, &key, e));
    struct issuer issuer = {.key = key->public_key, .signer = signer_local(A, key, "test")};
    struct x509_leaf leaf = {.subject = {.common_name = SLICE("leaf")},
                             .not_before = instant_sec(1700000000),
                             .not_after = instant_sec(1900000000),
                             .key = key->public_key};
    ok(x509_leaf_sign(&leaf, &issuer, &RNG_SYSTEM, &der, DEADLINE_NONE, e));
    return arena_cstr(A, cert_pem(A, buf_slice(&der)));
}

#define DIRECTORY                                                                                  \
    {                                                                                              \
        "/directory", 200,                                                                         \
            "{\"newNonce\":\"" URL("/new-nonce") "\",\"newAccount\":\"" URL(                       \
                "/new-account") "\",\"newOrder\":\"" URL("/new-order") "\"}",                      \
            NULL, NULL, 0                                                                          \
    }
#define NONCE                                                                                      \
    {                                                                                              \
        "/new-nonce", 200, NULL, NULL, NULL, 0                                                     \
    }
#define ACCOUNT                                                                                    \
    {                                                                                              \
        "/new-account", 201, "{\"status\":\"valid\"}", URL("/account/1"), NULL, 0                  \
    }
#define ORDER_BODY(status, more)                                                                   \
    "{\"status\":\"" status                                                                        \
    "\",\"authorizations\":[\"" URL("/authz/1") "\"],\"finalize\":\"" URL("/finalize/1") "\"" more \
                                                                                         "}"
#define ORDER(status, times)                                                                       \
    {                                                                                              \
        "/order/1", 200, ORDER_BODY(status, ""), NULL, NULL, times                                 \
    }
#define NEW_ORDER                                                                                  \
    {                                                                                              \
        "/new-order", 201, ORDER_BODY("pending", ""), URL("/order/1"), NULL, 0                     \
    }
#define AUTHZ(token)                                                                               \
    {                                                                                              \
        "/authz/1", 200,                                                                           \
            "{\"identifier\":{\"type\":\"dns\",\"value\":\"web.test\"},\"status\":\"pending\","    \
            "\"challenges\":[{\"type\":\"dns-01\",\"url\":\"" URL(                                 \
                "/ch/0") "\",\"token\":\"x\"},{"                                                   \
                         "\"type\":\"http-01\","                                                   \
                         "\"url\":\"" URL("/ch/1") "\","                                           \
                                                   "\"token"                                       \
                                                   "\":"                                           \
                                                   "\"" token "\"}]}",                             \
            NULL, NULL, 0                                                                          \
    }
#define CHALLENGE(status, more, retry, times)                                                      \
    {                                                                                              \
        "/ch/1", 200, "{\"status\":\"" status "\"" more "}", NULL, retry, times                    \
    }
#define VALID ",\"certificate\":\"" URL("/cert/1") "\""

static bool run(struct said *table, const struct acme_wish *more, struct cert_list *chain,
                struct err *e)
{
    const struct slice texts[] = {SLICE("web.test"), SLICE("10.0.0.1")};
    struct sans names = {0};
    struct acme_wish wish = more ? *more : (struct acme_wish){0};
    struct acme_client client = {
        .http = &S.client, .clock = &CLOCK_SYSTEM, .rng = &RNG_SYSTEM, .sleep = nap};

    S = (struct server){.client = {serve}, .table = table};
    M = (struct memory){.base = {"http-01", "test", remember, forget}, .fails = M.fails};
    sans_split(A, texts, COUNT_OF(texts), &names);
    wish.directory = SLICE(URL("/directory"));
    wish.names = &names;
    wish.csr = SLICE("csr");
    if (!more)
        wish.not_before = wish.not_after = INSTANT_ZERO_GO;
    return acme_client_order(&client, A, &wish, &M.base, chain, e);
}

static const struct asked *call_of(const char *path, unsigned which)
{
    for (size_t i = 0; i < S.n; i++)
        if (slice_is(S.calls[i].path, path) && which-- == 0)
            return &S.calls[i];
    fail_msg("%s was not asked for", path);
    return NULL;
}

static void order_walks_from_directory_to_chain(void **state)
{
    struct said table[] = {DIRECTORY,
                           NONCE,
                           ACCOUNT,
                           NEW_ORDER,
                           AUTHZ("token_-1"),
                           CHALLENGE("processing", "", "3", 1),
                           CHALLENGE("valid", "", NULL, 0),
                           ORDER("ready", 1),
                           {"/finalize/1", 200, ORDER_BODY("processing", ""), NULL, NULL, 0},
                           {"/order/1", 200, ORDER_BODY("valid", VALID), NULL, NULL, 0},
                           {"/cert/1", 200, pem_chain(), NULL, NULL, 0},
                           {0}};
    const struct slice contacts[] = {SLICE("mailto:ops@test")};
    struct acme_wish wish = {.contacts = contacts,
                             .n_contacts = 1,
                             .not_before = INSTANT_ZERO_GO,
                             .not_after = instant_sec(1800000000)};
    struct cert_list chain;

    (void)state;
    ok(run(table, &wish, &chain, e));
    assert_int_equal(chain.n, 1);
    assert_slice(dn_common_name(&chain.v[0]->subject), "leaf");
    assert_true(call_of("/new-account", 0)->jwk && call_of("/new-order", 0)->kid);
    assert_slice(call_of("/new-account", 0)->payload,
                 "{\"termsOfServiceAgreed\":true,\"contact\":[\"mailto:ops@test\"]}");
    assert_slice(call_of("/new-order", 0)->payload,
                 "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"web.test\"},{\"type\":\"ip\","
                 "\"value\":\"10.0.0.1\"}],\"notAfter\":\"2027-01-15T08:00:00Z\"}");
    assert_int_equal(call_of("/authz/1", 0)->payload.n, 0);
    assert_slice(call_of("/ch/1", 0)->payload, "{}");
    assert_int_equal(call_of("/ch/1", 1)->payload.n, 0);
    assert_slice(call_of("/finalize/1", 0)->payload, "{\"csr\":\"Y3Ny\"}");
    assert_int_equal(M.begun, 1);
    assert_int_equal(M.ended, 1);
    assert_slice(M.name, "web.test");
    assert_slice(M.authorization,
                 arena_printf(A, "token_-1.%.*s", SLICE_ARG(jwk_thumbprint(A, S.key))));
    assert_int_equal(S.naps, 2);
    assert_int_equal(S.slept, (3 + 1) * NS_PER_SEC); /* Retry-After, then our own */
}

static const char BAD_NONCE[] = "{\"type\":\"urn:ietf:params:acme:error:badNonce\","
                                "\"detail\":\"again\"}";

static void lost_nonce_is_repeated_once(void **state)
{
    struct said once[] = {
        DIRECTORY,
        NONCE,
        {"/new-account", 400, BAD_NONCE, NULL, NULL, 1},
        ACCOUNT,
        {"/new-order", 403, "{\"type\":\"x\",\"detail\":\"enough\"}", NULL, NULL, 0},
        {0}};
    struct said always[] = {DIRECTORY, NONCE, {"/new-account", 400, BAD_NONCE, NULL, NULL, 0}, {0}};
    struct cert_list chain;
    struct err e = {0};

    (void)state;
    assert_false(run(once, NULL, &chain, &e));
    assert_non_null(strstr(e.text, "enough"));
    assert_int_equal(e.kind, ERR_FORBIDDEN);
    assert_false(run(always, NULL, &chain, &e));
    assert_non_null(strstr(e.text, "badNonce: again"));
    call_of("/new-account", 1);
    assert_int_equal(S.n, 3); /* the directory has a nonce already, then twice */
}

static void challenges_that_fail_say_why(void **state)
{
    static const struct {
        const char *status, *more, *found;
    } CASES[] = {
        {"invalid",
         ",\"error\":{\"type\":\"urn:ietf:params:acme:error:incorrectResponse\","
         "\"detail\":\"found nothing\"}",
         "http-01 for web.test: incorrectResponse: found nothing"},
        {"pending",
         ",\"error\":{\"type\":\"urn:ietf:params:acme:error:connection\",\"detail\":\"refused\"}",
         "connection: refused"},
        {"invalid",
         ",\"error\":{\"detail\":\"two\",\"subproblems\":[{\"detail\":\"first\",\"identifier\":"
         "{\"type\":\"dns\",\"value\":\"a.test\"}},{\"detail\":\"second\"}]}",
         "two: a.test: first; second"},
        {"invalid", "", "no reason was given"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct said table[] = {
            DIRECTORY,
            NONCE,
            ACCOUNT,
            NEW_ORDER,
            AUTHZ("t"),
            {"/ch/1", 200, arena_printf(A, "{\"status\":\"%s\"%s}", CASES[i].status, CASES[i].more),
             NULL, NULL, 0},
            {0}};
        struct cert_list chain;
        struct err e = {0};
        assert_false(run(table, NULL, &chain, &e));
        if (!strstr(e.text, CASES[i].found))
            fail_msg("expected %s, found %s", CASES[i].found, e.text);
        assert_int_equal(M.begun, 1);
        assert_int_equal(M.ended, 1);
    }
}

static void tokens_that_are_paths_are_refused(void **state)
{
    struct said table[] = {DIRECTORY, NONCE, ACCOUNT, NEW_ORDER, AUTHZ("../../etc/passwd"), {0}};
    struct cert_list chain;
    struct err e = {0};

    (void)state;
    assert_false(run(table, NULL, &chain, &e));
    assert_non_null(strstr(e.text, "token"));
    assert_int_equal(M.begun, 0);
}

static void who_cannot_answer_does_not_ask(void **state)
{
    struct said table[] = {DIRECTORY, NONCE, ACCOUNT, NEW_ORDER, AUTHZ("t"), {0}};
    struct cert_list chain;
    struct err e = {0};

    (void)state;
    M.fails = true;
    assert_false(run(table, NULL, &chain, &e));
    M.fails = false;
    assert_non_null(strstr(e.text, "the port is taken"));
    for (size_t i = 0; i < S.n; i++)
        assert_false(slice_is(S.calls[i].path, "/ch/1"));
    assert_int_equal(M.ended, 0);
}

static void waiting_ends(void **state)
{
    struct said table[] = {DIRECTORY, NONCE,      ACCOUNT,
                           NEW_ORDER, AUTHZ("t"), CHALLENGE("processing", "", "86400", 0),
                           {0}};
    struct cert_list chain;
    struct err e = {0};

    (void)state;
    assert_false(run(table, NULL, &chain, &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
    assert_true(S.slept <= 130 * NS_PER_SEC); /* whatever Retry-After says */
    assert_int_equal(M.ended, 1);
}

static void orders_that_end_otherwise_are_errors(void **state)
{
    struct said invalid[] = {DIRECTORY,
                             NONCE,
                             ACCOUNT,
                             NEW_ORDER,
                             AUTHZ("t"),
                             CHALLENGE("valid", "", NULL, 0),
                             {"/order/1", 200,
                              ORDER_BODY("invalid", ",\"error\":{\"detail\":\"too late\"}"), NULL,
                              NULL, 0},
                             {0}};
    struct said still_ready[] = {DIRECTORY,
                                 NONCE,
                                 ACCOUNT,
                                 NEW_ORDER,
                                 AUTHZ("t"),
                                 CHALLENGE("valid", "", NULL, 0),
                                 ORDER("ready", 0),
                                 {"/finalize/1", 200, ORDER_BODY("ready", ""), NULL, NULL, 0},
                                 {0}};
    struct cert_list chain;
    struct err e = {0};

    (void)state;
    assert_false(run(invalid, NULL, &chain, &e));
    assert_non_null(strstr(e.text, "too late"));
    assert_false(run(still_ready, NULL, &chain, &e));
    assert_int_equal(e.kind, ERR_TIMEOUT);
}

static void answers_that_lack_something_are_errors(void **state)
{
    struct said no_directory[] = {{"/directory", 200, "{}", NULL, NULL, 0}, {0}};
    struct said no_location[] = {DIRECTORY, NONCE, {"/new-account", 201, "{}", NULL, NULL, 0}, {0}};
    struct said no_json[] = {
        DIRECTORY, NONCE, ACCOUNT, {"/new-order", 201, "-", NULL, NULL, 0}, {0}};
    struct said *const TABLES[] = {no_directory, no_location, no_json};
    static const char *const WORDS[] = {"newNonce", "Location", "JSON"};
    struct cert_list chain;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(TABLES); i++) {
        struct err e = {0};
        assert_false(run(TABLES[i], NULL, &chain, &e));
        if (!strstr(e.text, WORDS[i]))
            fail_msg("expected %s, found %s", WORDS[i], e.text);
    }
}

/* --- Names ----------------------------------------------------------------------------------- */

static void names_that_acme_can_prove(void **state)
{
    static const struct {
        const char *name, *word; /* NULL: fine */
    } CASES[] = {
        {"web.test", NULL},         {"10.0.0.1", NULL},          {"::1", NULL},
        {"*.web.test", "wildcard"}, {"ops@web.test", "ops@web"}, {"spiffe://a/b", "spiffe"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct slice text = slice_text(CASES[i].name);
        struct sans names = {0};
        struct err e = {0};
        sans_split(A, &text, 1, &names);
        bool fine = acme_names_check(&names, "http-01", &e);
        assert_int_equal(fine, CASES[i].word == NULL);
        assert_true(fine || strstr(e.text, CASES[i].word));
    }
    assert_false(acme_names_check(&(struct sans){0}, "http-01", NULL));
}

static void directory_url_escapes_the_name(void **state)
{
    (void)state;
    assert_slice(acme_directory_url(A, SLICE("https://ca.test:9000"), SLICE("my acme/1")),
                 "https://ca.test:9000/acme/my%20acme%2F1/directory");
}

/* --- Responders ------------------------------------------------------------------------------ */

static const struct acme_proof PROOF = {.name = {(const uint8_t *)"web.test", 8},
                                        .token = {(const uint8_t *)"token", 5},
                                        .key_authorization = {(const uint8_t *)"token.print", 11}};

/* Ports are tried until one is free. */
static struct acme_responder *begin_somewhere(bool tls, uint16_t *port)
{
    for (unsigned i = 0; i < 50; i++) {
        uint16_t dice;
        struct err e = {0};
        RNG_SYSTEM.fill(&RNG_SYSTEM, &dice, sizeof(dice));
        *port = (uint16_t)(20000 + dice % 20000);
        const char *listen = arena_printf(A, "127.0.0.1:%u", *port);
        struct acme_responder *r =
            tls ? acme_respond_tls_alpn(A, listen, &CLOCK_SYSTEM, &RNG_SYSTEM)
                : acme_respond_standalone(A, listen);
        if (r->begin(r, &PROOF, &e))
            return r;
    }
    fail_msg("no port is free");
    return NULL;
}

static int get(struct http_client *http, uint16_t port, const char *path, struct slice *body)
{
    struct http_call call = {.method = HTTP_GET,
                             .url = arena_format(A, "http://127.0.0.1:%u%s", port, path),
                             .no_proxy = true,
                             .fresh = true};
    struct http_reply reply = {0};

    if (!http->call(http, &call, A, &reply, deadline_in(&CLOCK_SYSTEM, 10 * NS_PER_SEC), NULL))
        return 0;
    *body = reply.body;
    return reply.status;
}

static void standalone_serves_one_page_while_it_is_wanted(void **state)
{
    struct http_client *http = http_client_new("test");
    struct slice body;
    uint16_t port;

    (void)state;
    struct acme_responder *r = begin_somewhere(false, &port);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(get(http, port, "/.well-known/acme-challenge/token", &body), 200);
        assert_slice(body, "token.print");
        assert_int_equal(get(http, port, "/.well-known/acme-challenge/else", &body), 404);
        assert_int_equal(get(http, port, "/", &body), 404);
        r->end(r);
        assert_int_equal(get(http, port, "/.well-known/acme-challenge/token", &body), 0);
        if (round == 0)
            ok(r->begin(r, &PROOF, e));
    }
    http_client_free(http);
}

static void standalone_says_which_address_is_taken(void **state)
{
    struct err e = {0};
    uint16_t port;

    (void)state;
    struct acme_responder *first = begin_somewhere(false, &port);
    struct acme_responder *second =
        acme_respond_standalone(A, arena_printf(A, "127.0.0.1:%u", port));
    assert_false(second->begin(second, &PROOF, &e));
    assert_non_null(strstr(e.text, arena_printf(A, "%u", port)));
    first->end(first);
}

static void tls_alpn_shows_the_certificate_of_rfc_8737(void **state)
{
    static const uint8_t OID[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1f};
    const struct ip loopback = {{127, 0, 0, 1}, 4};
    struct slice der, negotiated, content;
    struct deadline d = deadline_in(&CLOCK_SYSTEM, 10 * NS_PER_SEC);
    struct cert *c;
    struct err why = {0};
    uint16_t port;

    (void)state;
    struct acme_responder *r = begin_somewhere(true, &port);
    ok(tls_alpn_peer(A, &loopback, port, "web.test", "acme-tls/1", &der, &negotiated, d, e));
    assert_slice(negotiated, "acme-tls/1");
    ok(cert_read(A, der, &c, e));
    assert_int_equal(c->sans.n, 1);
    assert_slice(c->sans.v[0].text, "web.test");
    const struct oid oid = {OID, sizeof(OID)};
    const struct extension *x = extensions_get(&c->extensions, &oid);
    assert_true(x && x->critical);
    struct der inside = der_reader(x->value);
    assert_true(der_take(&inside, DER_OCTET_STRING, &content) && der_done(&inside));
    assert_true(slice_eq(content, digest_bytes(A, DIGEST_SHA256, PROOF.key_authorization)));
    assert_false(
        tls_alpn_peer(A, &loopback, port, "web.test", "http/1.1", &der, &negotiated, d, &why));
    r->end(r);
}

static void webroot_holds_the_file_while_it_is_wanted(void **state)
{
    char folder[] = "/tmp/newel-webroot-XXXXXX";
    struct slice content;

    (void)state;
    assert_non_null(mkdtemp(folder));
    const char *file = arena_printf(A, "%s/.well-known/acme-challenge/token", folder);
    struct acme_responder *r = acme_respond_webroot(A, folder);
    ok(r->begin(r, &PROOF, e));
    ok(file_read(A, file, false, 100, &content, e));
    assert_slice(content, "token.print");
    r->end(r);
    assert_false(file_exists(file));
    rmdir(arena_printf(A, "%s/.well-known/acme-challenge", folder));
    rmdir(arena_printf(A, "%s/.well-known", folder));
    rmdir(folder);
    struct err why = {0};
    assert_false(r->begin(r, &PROOF, &why)); /* the folder must be there */
    assert_non_null(strstr(why.text, folder));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(order_walks_from_directory_to_chain),
        TEST(lost_nonce_is_repeated_once),
        TEST(challenges_that_fail_say_why),
        TEST(tokens_that_are_paths_are_refused),
        TEST(who_cannot_answer_does_not_ask),
        TEST(waiting_ends),
        TEST(orders_that_end_otherwise_are_errors),
        TEST(answers_that_lack_something_are_errors),
        TEST(names_that_acme_can_prove),
        TEST(directory_url_escapes_the_name),
        TEST(standalone_serves_one_page_while_it_is_wanted),
        TEST(standalone_says_which_address_is_taken),
        TEST(tls_alpn_shows_the_certificate_of_rfc_8737),
        TEST(webroot_holds_the_file_while_it_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
