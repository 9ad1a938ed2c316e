/*
 * An ACME order as RFC 8555 7.1 draws it: directory, account, order, a challenge for each
 * authorization, finalize, certificate.
 *
 * The account is made for this one order and its key forgotten: what the private CA's clients keep
 * is the certificate, which renews itself (`ca renew`).  A nonce is taken from each answer; the CA
 * that lost it (a restart) says badNonce and the request is repeated once with the new one
 * (RFC 8555 6.5).
 */
#include "client/acme.h"

#include <time.h>

#include "base/encode.h"
#include "base/uri.h"

#define CALL_TIMEOUT_NS (60 * NS_PER_SEC)
#define REPLY_MAX       (1u << 20)
#define AUTHZ_MAX       1000
#define POLL_NS         NS_PER_SEC
#define POLL_LONGEST_NS (10 * NS_PER_SEC)
#define POLL_TOTAL_NS   (120 * NS_PER_SEC)

struct talk {
    struct acme_client *c;
    struct arena *a;
    struct private_key *key;
    struct signer *signer;
    enum jws_alg alg;
    struct slice new_nonce, new_account, new_order;
    struct slice nonce, account; /* account: its URL, once there is one */
};
struct answer {
    struct http_reply http;
    const struct json *body; /* NULL: no JSON */
};

/* --- One request ----------------------------------------------------------------------------- */

static const char PREFIX[] = "urn:ietf:params:acme:error:";

static struct slice short_type(const struct json *problem)
{
    struct slice type = json_text(json_get(problem, "type"));

    return slice_starts(type, PREFIX) ? slice_from(type, sizeof(PREFIX) - 1) : type;
}

/* "unauthorized: detail: detail of a sub-problem; detail of another" */
static bool tell_problem(struct arena *a, const struct json *problem, enum err_kind kind,
                         struct err *e)
{
    struct slice type = short_type(problem), detail = json_text(json_get(problem, "detail"));
    struct buf b = buf_new(a, 4096);
    const struct json *subs = json_get(problem, "subproblems");

    buf_printf(&b, "%.*s%s%.*s", SLICE_ARG(type), type.n && detail.n ? ": " : "",
               SLICE_ARG(detail));
    for (const struct json *s = subs ? subs->first : NULL; s; s = s->next) {
        const struct json *id = json_get(s, "identifier");
        struct slice name = json_text(json_get(id, "value"));
        buf_printf(&b, "%s%.*s%s%.*s", s == subs->first ? ": " : "; ", SLICE_ARG(name),
                   name.n ? ": " : "", SLICE_ARG(json_text(json_get(s, "detail"))));
    }
    struct slice text = buf_slice(&b);
    if (!text.n)
        text = SLICE("no reason was given");
    return err_set(e, kind, "%.*s", SLICE_ARG(text));
}

static bool is_problem(const struct answer *r, const char *type)
{
    return r->http.status >= 400 && slice_is(short_type(r->body), type);
}

static bool call(struct talk *t, const struct http_call *call, struct answer *r, struct err *e)
{
    int64_t limit = t->c->timeout_ns > 0 ? t->c->timeout_ns : CALL_TIMEOUT_NS;

    *r = (struct answer){0};
    if (!t->c->http->call(t->c->http, call, t->a, &r->http, deadline_in(t->c->clock, limit), e))
        return err_wrap(e, "%s %.*s", http_method_name(call->method), SLICE_ARG(call->url));
    struct slice nonce = http_fields_get(&r->http.fields, "Replay-Nonce");
    if (nonce.n)
        t->nonce = nonce;
    struct slice type = http_fields_get(&r->http.fields, "Content-Type");
    if (slice_search(type, SLICE("json")) < type.n)
        r->body = json_read(t->a, r->http.body, &JSON_API, NULL, NULL);
    return true;
}

static bool refused(struct talk *t, const struct http_call *c, const struct answer *r,
                    struct err *e)
{
    if (r->http.status >= 200 && r->http.status < 300)
        return true;
    if (r->body)
        tell_problem(t->a, r->body, err_kind_of_status(r->http.status), e);
    else
        err_set(e, err_kind_of_status(r->http.status), "status %d", r->http.status);
    return err_wrap(e, "%s %.*s", http_method_name(c->method), SLICE_ARG(c->url));
}

static struct http_call a_call(struct talk *t, enum http_method method, struct slice url)
{
    return (struct http_call){
        .method = method, .url = url, .trust = &t->c->trust, .max_reply = REPLY_MAX};
}

static bool get(struct talk *t, enum http_method method, struct slice url, struct answer *r,
                struct err *e)
{
    struct http_call c = a_call(t, method, url);

    return call(t, &c, r, e) && refused(t, &c, r, e);
}

/* RFC 8555 6.2: who asks is the account, or before there is one the key itself. */
static bool protected_header(struct talk *t, struct slice url, struct slice *header, struct err *e)
{
    struct buf b = buf_new(t->a, 16384);
    struct json_writer w = json_writer(&b);
    struct jwk jwk;

    json_open(&w, NULL);
    json_member_text(&w, "alg", slice_text(jws_alg_name(t->alg)));
    if (t->account.n) {
        json_member_text(&w, "kid", t->account);
    } else {
        if (!jwk_of_key(t->a, t->key->public_key, NULL, &jwk, e))
            return false;
        json_member_raw(&w, "jwk", jwk_text(t->a, &jwk, false));
    }
    json_member_text(&w, "nonce", t->nonce);
    json_member_text(&w, "url", url);
    json_close(&w);
    *header = buf_slice(&b);
    return buf_done(&b, "ACME request header", e);
}

/* RFC 7515 7.2.2: the three parts of the compact form, named. */
static bool flattened(struct talk *t, struct slice url, struct slice payload, struct slice *body,
                      struct err *e)
{
    static const char *const NAMES[] = {"protected", "payload", "signature"};
    struct buf b = buf_new(t->a, REPLY_MAX);
    struct json_writer w = json_writer(&b);
    struct slice header, token, part;
    struct deadline d = deadline_in(t->c->clock, CALL_TIMEOUT_NS);

    if (!protected_header(t, url, &header, e) ||
        !jws_sign(t->a, header, payload, t->signer, t->alg, d, &token, e))
        return false;
    json_open(&w, NULL);
    for (size_t i = 0; i < COUNT_OF(NAMES) && slice_split(&token, '.', &part); i++)
        json_member_text(&w, NAMES[i], part);
    json_close(&w);
    *body = buf_slice(&b);
    return buf_done(&b, "ACME request", e);
}

static bool post_once(struct talk *t, struct slice url, struct slice payload, struct answer *r,
                      struct http_call *c, struct err *e)
{
    struct answer fresh;

    if (!t->nonce.n && !get(t, HTTP_HEAD, t->new_nonce, &fresh, e))
        return false;
    if (!t->nonce.n)
        return err_set(e, ERR_MALFORMED, "%.*s: expected a Replay-Nonce (RFC 8555 7.2), found none",
                       SLICE_ARG(t->new_nonce));
    *c = a_call(t, HTTP_POST, url);
    http_fields_add(&c->fields, t->a, "Content-Type", SLICE("application/jose+json"));
    bool made = flattened(t, url, payload, &c->body, e);
    t->nonce = SLICE_NONE; /* spent, whatever comes back */
    return made && call(t, c, r, e);
}

/* payload empty: POST-as-GET (RFC 8555 6.3). */
static bool post(struct talk *t, struct slice url, struct slice payload, struct answer *r,
                 struct err *e)
{
    struct http_call c;

    if (!post_once(t, url, payload, r, &c, e))
        return false;
    if (is_problem(r, "badNonce") && !post_once(t, url, payload, r, &c, e))
        return false;
    return refused(t, &c, r, e);
}

static bool post_for_object(struct talk *t, struct slice url, struct slice payload,
                            struct answer *r, struct err *e)
{
    if (!post(t, url, payload, r, e))
        return false;
    return (r->body && r->body->kind == JSON_OBJECT) ||
           err_set(e, ERR_MALFORMED, "POST %.*s: expected a JSON object, found something else",
                   SLICE_ARG(url));
}

static bool need(const struct json *object, const char *name, const char *where,
                 struct slice *value, struct err *e)
{
    *value = json_text(json_get(object, name));
    return value->n > 0 ||
           err_set(e, ERR_MALFORMED, "%s: expected member '%s', found none", where, name);
}

/* --- Waiting --------------------------------------------------------------------------------- */

static void sleep_ns(struct talk *t, int64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / NS_PER_SEC),
                            .tv_nsec = (long)(ns % NS_PER_SEC)};

    if (t->c->sleep) {
        t->c->sleep(ns);
        return;
    }
    while (nanosleep(&left, &left) != 0)
        ;
}

/* Retry-After in seconds, within reason. */
static int64_t pause_of(const struct answer *r)
{
    struct slice text = http_fields_get(&r->http.fields, "Retry-After");
    uint64_t seconds;

    if (!slice_to_u64(text, &seconds) || seconds == 0)
        return POLL_NS;
    return seconds > POLL_LONGEST_NS / NS_PER_SEC ? POLL_LONGEST_NS : (int64_t)seconds * NS_PER_SEC;
}

/* A challenge that is pending again, with an error, was tried and given up for now (RFC 8555 8.2).
 */
static bool is_open(const struct answer *r, struct slice status, const char *const *unsettled)
{
    const struct json *error = json_get(r->body, "error");

    if (slice_is(status, "pending") && error && error->kind == JSON_OBJECT)
        return false;
    for (size_t i = 0; unsettled[i]; i++)
        if (slice_is(status, unsettled[i]))
            return true;
    return false;
}

/* Asks until the status is none of these. */
static bool settle(struct talk *t, struct slice url, const char *const *unsettled, struct answer *r,
                   struct slice *status, struct err *e)
{
    int64_t waited = 0;

    for (;;) {
        *status = json_text(json_get(r->body, "status"));
        if (!is_open(r, *status, unsettled))
            return true;
        if (waited >= POLL_TOTAL_NS)
            return err_set(e, ERR_TIMEOUT, "%.*s: still '%.*s' after %d seconds", SLICE_ARG(url),
                           SLICE_ARG(*status), (int)(POLL_TOTAL_NS / NS_PER_SEC));
        int64_t pause = pause_of(r);
        sleep_ns(t, pause);
        waited += pause;
        if (!post_for_object(t, url, SLICE_NONE, r, e))
            return false;
    }
}

/* --- Account and order ----------------------------------------------------------------------- */

static bool open_directory(struct talk *t, struct slice url, struct err *e)
{
    struct answer r;

    if (!get(t, HTTP_GET, url, &r, e))
        return false;
    const char *where = "ACME directory (RFC 8555 7.1.1)";
    return need(r.body, "newNonce", where, &t->new_nonce, e) &&
           need(r.body, "newAccount", where, &t->new_account, e) &&
           need(r.body, "newOrder", where, &t->new_order, e);
}

static bool open_account(struct talk *t, const struct acme_wish *wish, struct err *e)
{
    struct buf b = buf_new(t->a, 65536);
    struct json_writer w = json_writer(&b);
    struct answer r;

    json_open(&w, NULL);
    json_member_bool(&w, "termsOfServiceAgreed", true);
    if (wish->n_contacts) {
        json_open_list(&w, "contact");
        for (size_t i = 0; i < wish->n_contacts; i++)
            json_member_text(&w, NULL, wish->contacts[i]);
        json_close(&w);
    }
    json_close(&w);
    if (!buf_done(&b, "contacts", e) || !post(t, t->new_account, buf_slice(&b), &r, e))
        return false;
    t->account = http_fields_get(&r.http.fields, "Location");
    return t->account.n > 0 ||
           err_set(e, ERR_MALFORMED, "new account: expected a Location (RFC 8555 7.3), found none");
}

static void put_time(struct talk *t, struct json_writer *w, const char *name, struct instant at)
{
    if (!instant_is_zero(at))
        json_member_text(w, name, rfc3339(t->a, at));
}

static bool open_order(struct talk *t, const struct acme_wish *wish, struct slice *url,
                       struct answer *r, struct err *e)
{
    struct buf b = buf_new(t->a, REPLY_MAX / 2);
    struct json_writer w = json_writer(&b);

    json_open(&w, NULL);
    json_open_list(&w, "identifiers");
    if (wish->device.n) {
        json_open(&w, NULL);
        json_member_text(&w, "type", SLICE("permanent-identifier"));
        json_member_text(&w, "value", wish->device);
        json_close(&w);
    }
    for (size_t i = 0; !wish->device.n && i < wish->names->n; i++) {
        const struct san *name = &wish->names->v[i];
        json_open(&w, NULL);
        json_member_text(&w, "type", name->kind == SAN_IP ? SLICE("ip") : SLICE("dns"));
        json_member_text(&w, "value", name->text);
        json_close(&w);
    }
    json_close(&w);
    put_time(t, &w, "notBefore", wish->not_before);
    put_time(t, &w, "notAfter", wish->not_after);
    json_close(&w);
    if (!buf_done(&b, "ACME order", e) || !post_for_object(t, t->new_order, buf_slice(&b), r, e))
        return false;
    *url = http_fields_get(&r->http.fields, "Location");
    return url->n > 0 ||
           err_set(e, ERR_MALFORMED, "new order: expected a Location (RFC 8555 7.4), found none");
}

/* --- Proofs ---------------------------------------------------------------------------------- */

static const struct json *find_challenge(const struct json *authz, const char *type)
{
    const struct json *list = json_get(authz, "challenges");

    for (const struct json *c = list ? list->first : NULL; c; c = c->next)
        if (slice_is(json_text(json_get(c, "type")), type))
            return c;
    return NULL;
}

/* RFC 8555 8: only these characters may stand in a token, and so in a path. */
static bool token_ok(struct slice token, struct err *e)
{
    for (size_t i = 0; i < token.n; i++) {
        uint8_t c = token.p[i];
        bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '-' || c == '_';
        if (!fine)
            return err_set(e, ERR_MALFORMED,
                           "challenge: the token is no base64url text (RFC 8555 8.3)");
    }
    return true;
}

static bool answer_challenge(struct talk *t, const struct json *challenge,
                             struct acme_responder *responder, struct acme_proof *proof,
                             struct err *e)
{
    static const char *const OPEN[] = {"pending", "processing", NULL};
    struct slice url, status, payload = SLICE("{}");
    struct answer r;

    if (!need(challenge, "url", "challenge", &url, e) ||
        !need(challenge, "token", "challenge", &proof->token, e) || !token_ok(proof->token, e))
        return false;
    proof->key_authorization = arena_format(t->a, "%.*s.%.*s", SLICE_ARG(proof->token),
                                            SLICE_ARG(jwk_thumbprint(t->a, t->key->public_key)));
    if (!responder->begin(responder, proof, e))
        return false;
    bool told = (!responder->answer || responder->answer(responder, t->a, proof, &payload, e)) &&
                post_for_object(t, url, payload, &r, e) && settle(t, url, OPEN, &r, &status, e);
    responder->end(responder);
    if (!told)
        return false;
    return slice_is(status, "valid") ||
           tell_problem(t->a, json_get(r.body, "error"), ERR_FORBIDDEN, e);
}

static bool prove(struct talk *t, struct slice url, struct acme_responder *responder, struct err *e)
{
    struct acme_proof proof = {0};
    struct answer r;

    if (!post_for_object(t, url, SLICE_NONE, &r, e))
        return false;
    const struct json *id = json_get(r.body, "identifier");
    proof.ip = slice_is(json_text(json_get(id, "type")), "ip");
    if (slice_is(json_text(json_get(r.body, "status")), "valid"))
        return true;
    if (!need(id, "value", "authorization (RFC 8555 7.1.4)", &proof.name, e))
        return false;
    const struct json *challenge = find_challenge(r.body, responder->challenge);
    if (!challenge)
        return err_set(e, ERR_NOT_FOUND, "%.*s: the CA does not offer the challenge %s",
                       SLICE_ARG(proof.name), responder->challenge);
    if (t->c->tell)
        t->c->tell(t->c->tell_arg, &proof, false, false);
    bool ok = answer_challenge(t, challenge, responder, &proof, e);
    if (t->c->tell)
        t->c->tell(t->c->tell_arg, &proof, true, ok);
    return ok || err_wrap(e, "%s for %.*s", responder->challenge, SLICE_ARG(proof.name));
}

static bool prove_all(struct talk *t, const struct json *order, struct acme_responder *responder,
                      struct err *e)
{
    const struct json *list = json_get(order, "authorizations");

    if (!list || list->kind != JSON_LIST || list->n > AUTHZ_MAX)
        return err_set(e, ERR_MALFORMED,
                       "order: expected at most %d authorizations (RFC 8555 7.1.3)", AUTHZ_MAX);
    for (const struct json *v = list->first; v; v = v->next)
        if (!prove(t, json_text(v), responder, e))
            return false;
    return true;
}

/* --- The certificate ------------------------------------------------------------------------- */

static bool finalize(struct talk *t, struct slice csr, struct slice order, struct answer *r,
                     struct err *e)
{
    struct buf b = buf_new(t->a, REPLY_MAX / 2);
    struct json_writer w = json_writer(&b);
    struct slice url;

    if (!need(r->body, "finalize", "order (RFC 8555 7.1.3)", &url, e))
        return false;
    json_open(&w, NULL);
    json_member_text(&w, "csr", base64_text(t->a, BASE64_URL_RAW, csr));
    json_close(&w);
    if (!buf_done(&b, "ACME certificate request", e))
        return false;
    return post_for_object(t, url, buf_slice(&b), r, e) ||
           err_wrap(e, "order %.*s", SLICE_ARG(order));
}

static bool expect(struct talk *t, const struct answer *r, struct slice status, const char *wanted,
                   struct err *e)
{
    const struct json *problem = json_get(r->body, "error");

    if (slice_is(status, wanted))
        return true;
    if (problem && problem->kind == JSON_OBJECT)
        tell_problem(t->a, problem, ERR_FORBIDDEN, e);
    else
        err_set(e, ERR_FORBIDDEN, "expected status '%s', found '%.*s'", wanted, SLICE_ARG(status));
    return err_wrap(e, "order");
}

static bool fetch(struct talk *t, const struct json *order, struct cert_list *chain, struct err *e)
{
    struct answer r;
    struct slice url;

    *chain = (struct cert_list){0};
    return need(order, "certificate", "order (RFC 8555 7.4.2)", &url, e) &&
           post(t, url, SLICE_NONE, &r, e) &&
           cert_list_read(t->a, r.http.body, "certificate of the CA", chain, e);
}

static bool run_order(struct talk *t, const struct acme_wish *wish,
                      struct acme_responder *responder, struct cert_list *chain, struct err *e)
{
    static const char *const BEFORE[] = {"pending", NULL};
    static const char *const AFTER[] = {"ready", "processing", NULL};
    struct slice url, status;
    struct answer r;

    if (!open_directory(t, wish->directory, e) || !open_account(t, wish, e) ||
        !open_order(t, wish, &url, &r, e) || !prove_all(t, r.body, responder, e))
        return false;
    if (!post_for_object(t, url, SLICE_NONE, &r, e) || !settle(t, url, BEFORE, &r, &status, e) ||
        !expect(t, &r, status, "ready", e))
        return false;
    return finalize(t, wish->csr, url, &r, e) && settle(t, url, AFTER, &r, &status, e) &&
           expect(t, &r, status, "valid", e) && fetch(t, r.body, chain, e);
}

bool acme_client_order(struct acme_client *c, struct arena *a, const struct acme_wish *wish,
                       struct acme_responder *responder, struct cert_list *chain, struct err *e)
{
    struct talk t = {.c = c, .a = a};

    if ((!wish->device.n && !acme_names_check(wish->names, responder->challenge, e)) ||
        !private_key_generate(a, KEY_P256, 0, &t.key, e))
        return false;
    t.signer = signer_local(a, t.key, "account key");
    t.alg = jws_alg_usual(t.key->public_key);
    return run_order(&t, wish, responder, chain, e);
}

/* --- Names ----------------------------------------------------------------------------------- */

struct slice acme_directory_url(struct arena *a, struct slice ca_url, struct slice provisioner)
{
    return arena_format(a, "%.*s/acme/%.*s/directory", SLICE_ARG(ca_url),
                        SLICE_ARG(uri_escape_segment(a, provisioner)));
}

bool acme_names_check(const struct sans *names, const char *challenge, struct err *e)
{
    if (!names->n)
        return err_set(e, ERR_MALFORMED, "ACME: expected a DNS name or an address, found none");
    for (size_t i = 0; i < names->n; i++) {
        const struct san *name = &names->v[i];
        if (name->kind != SAN_DNS && name->kind != SAN_IP)
            return err_set(e, ERR_MALFORMED,
                           "ACME: '%.*s' is neither a DNS name nor an IP address, and cannot be "
                           "had by ACME",
                           SLICE_ARG(slice_sub(name->text, 0, 200)));
        if (slice_starts(name->text, "*."))
            return err_set(e, ERR_MALFORMED,
                           "ACME: the wildcard '%.*s' cannot be proven by %s (RFC 8555 7.1.3)",
                           SLICE_ARG(slice_sub(name->text, 0, 200)), challenge);
    }
    return true;
}
