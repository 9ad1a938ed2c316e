/*
 * The HTTP API of a CA from the client's side (docs/reference/http-api.md): one function per
 * request, each a body written, a call, and what was asked for taken out of the answer.
 *
 * Nothing an answer says is believed beyond what TLS proves; where TLS proves nothing
 * (ca_root_by_fingerprint) only bytes with the right digest are.
 */
#include "client/ca_internal.h"

#include "base/encode.h"
#include "base/uri.h"
#include "crypto/digest.h"
#include "crypto/pem.h"

#define CALL_TIMEOUT_NS (60 * NS_PER_SEC)
#define REPLY_MAX       (16u << 20)
#define BODY_MAX        (4u << 20)
#define PAGES_MAX       10000
#define FINGERPRINT_HEX 64

/* --- One request ----------------------------------------------------------------------------- */

/* RFC 9562 5.4. */
static struct slice request_id(struct arena *a, struct rng *rng)
{
    uint8_t b[16];

    rng->fill(rng, b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    struct slice h = hex_text(a, slice_of(b, sizeof(b)));
    return arena_format(a, "%.*s-%.*s-%.*s-%.*s-%.*s", SLICE_ARG(slice_sub(h, 0, 8)),
                        SLICE_ARG(slice_sub(h, 8, 4)), SLICE_ARG(slice_sub(h, 12, 4)),
                        SLICE_ARG(slice_sub(h, 16, 4)), SLICE_ARG(slice_sub(h, 20, 12)));
}

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } TEXTS[] = {
        {400, "Bad Request"},       {401, "Unauthorized"},       {403, "Forbidden"},
        {404, "Not Found"},         {405, "Method Not Allowed"}, {409, "Conflict"},
        {413, "Content Too Large"}, {429, "Too Many Requests"},  {500, "Internal Server Error"},
        {501, "Not Implemented"},   {502, "Bad Gateway"},        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        if (TEXTS[i].status == status)
            return TEXTS[i].text;
    return "";
}

static void add_note(struct err *e, struct arena *a, const char *name, struct slice text)
{
    struct err_note *n = arena_alloc(a, sizeof(*n));

    if (!e || !text.n)
        return;
    *n = (struct err_note){e->notes, slice_text(name), text};
    e->notes = n;
}

/* The message of the error envelope; empty when the body is something else. */
static struct slice envelope_message(struct arena *a, struct slice body)
{
    struct json *v = body.n ? json_read(a, body, &JSON_API, NULL, NULL) : NULL;
    struct slice message = json_text(json_get(v, "message"));

    return message.n ? message : json_text(json_get(v, "detail"));
}

static bool check_status(struct arena *a, const struct http_call *call, struct slice id,
                         const struct http_reply *reply, struct err *e)
{
    if (reply->status >= 200 && reply->status < 300)
        return true;
    const char *method = http_method_name(call->method);
    if (reply->status >= 300 && reply->status < 400) {
        err_set(e, ERR_UNAVAILABLE,
                "%s %.*s: expected an answer, found status %d: redirects are not followed", method,
                SLICE_ARG(call->url), reply->status);
    } else {
        struct slice message = envelope_message(a, reply->body);
        err_set(e, err_kind_of_status(reply->status), "%s %.*s: %d %s%s%.*s", method,
                SLICE_ARG(call->url), reply->status, status_text(reply->status),
                message.n ? ": " : "", SLICE_ARG(message));
    }
    struct slice theirs = http_fields_get(&reply->fields, "X-Request-Id");
    add_note(e, a, "request id", theirs.n ? theirs : id);
    add_note(e, a, "url", call->url);
    add_note(e, a, "status", arena_format(a, "%d", reply->status));
    return false;
}

bool ca_call(struct ca *ca, struct arena *a, enum http_method method, const char *path,
             struct slice body, struct slice bearer, struct http_reply *reply, struct err *e)
{
    int64_t limit = ca->timeout_ns > 0 ? ca->timeout_ns : CALL_TIMEOUT_NS;
    struct slice id = request_id(a, ca->rng);
    struct http_call call = {
        .method = method,
        .url = arena_format(a, "%.*s%s", SLICE_ARG(ca->url), path),
        .body = body,
        .trust = &ca->trust,
        .identity = bearer.n ? NULL : ca->identity,
        .max_reply = ca->reply_max > 0 ? ca->reply_max : REPLY_MAX,
    };

    http_fields_add(&call.fields, a, "X-Request-Id", id);
    if (method == HTTP_POST || method == HTTP_PUT)
        http_fields_add(&call.fields, a, "Content-Type", SLICE("application/json"));
    if (bearer.n)
        http_fields_add(&call.fields, a, "Authorization",
                        arena_format(a, "Bearer %.*s", SLICE_ARG(bearer)));
    memset(reply, 0, sizeof(*reply));
    if (!ca->http->call(ca->http, &call, a, reply, deadline_in(ca->clock, limit), e))
        return err_wrap(e, "%s %.*s", http_method_name(method), SLICE_ARG(call.url));
    return check_status(a, &call, id, reply, e);
}

bool ca_call_json(struct ca *ca, struct arena *a, enum http_method method, const char *path,
                  struct slice body, struct slice bearer, struct json **reply, struct err *e)
{
    struct http_reply raw;

    if (!ca_call(ca, a, method, path, body, bearer, &raw, e))
        return false;
    *reply = json_read(a, raw.body, &JSON_API, NULL, e);
    return *reply || err_wrap(e, "%s %.*s%s: the answer is no JSON", http_method_name(method),
                              SLICE_ARG(ca->url), path);
}

static bool get_json(struct ca *ca, struct arena *a, const char *path, struct json **reply,
                     struct err *e)
{
    return ca_call_json(ca, a, HTTP_GET, path, SLICE_NONE, SLICE_NONE, reply, e);
}

/* --- Certificates in answers ----------------------------------------------------------------- */

/* The first block counts, whatever its label. */
static bool cert_of_text(struct arena *a, struct slice text, struct cert **cert, struct err *e)
{
    struct slice rest = text;
    struct pem block;
    struct err why = {0};

    if (pem_next(a, &rest, &block, &why))
        return cert_read(a, block.der, cert, e);
    if (why.kind != ERR_NONE && e)
        err_move(e, &why);
    else
        err_set(e, ERR_MALFORMED, "expected a PEM certificate, found none");
    return false;
}

bool ca_read_certs(struct arena *a, const struct json *list, struct cert_list *out, struct err *e)
{
    for (const struct json *v = list && list->kind == JSON_LIST ? list->first : NULL; v;
         v = v->next) {
        struct cert *c;
        if (!cert_of_text(a, json_text(v), &c, e))
            return false;
        cert_list_add(a, out, c);
    }
    return true;
}

/* certChain, or crt and ca of older servers. */
static bool read_chain(struct arena *a, const struct json *reply, struct cert_list *chain,
                       struct err *e)
{
    static const char *const OLD[] = {"crt", "ca"};

    memset(chain, 0, sizeof(*chain));
    if (!ca_read_certs(a, json_get(reply, "certChain"), chain, e))
        return err_wrap(e, "certChain in the CA's answer");
    for (size_t i = 0; i < COUNT_OF(OLD) && chain->n == i; i++) {
        struct slice text = json_text(json_get(reply, OLD[i]));
        struct cert *c;
        if (!text.n)
            break;
        if (!cert_of_text(a, text, &c, e))
            return err_wrap(e, "%s in the CA's answer", OLD[i]);
        cert_list_add(a, chain, c);
    }
    return chain->n > 0 ||
           err_set(e, ERR_MALFORMED, "the CA's answer: expected a certificate, found none");
}

/* --- The requests ---------------------------------------------------------------------------- */

bool ca_health(struct ca *ca, struct arena *a, struct slice *status, struct err *e)
{
    struct json *reply;

    if (!get_json(ca, a, "/health", &reply, e))
        return false;
    *status = json_text(json_get(reply, "status"));
    return status->n > 0 || err_set(e, ERR_MALFORMED, "GET /health: expected a status, found none");
}

static bool fingerprint_normal(struct arena *a, struct slice text, struct slice *hex, struct err *e)
{
    struct buf b = buf_new(a, FINGERPRINT_HEX);
    struct slice trimmed = slice_trim(text), bytes;

    for (size_t i = 0; i < trimmed.n; i++) {
        uint8_t c = trimmed.p[i];
        if (c == '-' || c == ':' || c == ' ')
            continue;
        buf_byte(&b, c >= 'A' && c <= 'F' ? (uint8_t)(c - 'A' + 'a') : c);
    }
    *hex = buf_slice(&b);
    if (buf_ok(&b) && hex->n == FINGERPRINT_HEX && hex_read(a, *hex, &bytes))
        return true;
    return err_set(e, ERR_MALFORMED,
                   "fingerprint: expected the 64 hexadecimal digits of a SHA-256, found '%.*s'",
                   SLICE_ARG(slice_sub(trimmed, 0, 80)));
}

bool ca_root_by_fingerprint(struct http_client *http, struct arena *a, struct slice url,
                            struct slice fingerprint, struct cert **root, struct err *e)
{
    struct ca ca = {.http = http,
                    .url = url,
                    .trust = {.kind = TRUST_ANYBODY},
                    .clock = &CLOCK_SYSTEM,
                    .rng = &RNG_SYSTEM};
    struct slice hex, found;
    struct json *reply;

    if (!fingerprint_normal(a, fingerprint, &hex, e) ||
        !get_json(&ca, a, arena_printf(a, "/root/%.*s", SLICE_ARG(hex)), &reply, e))
        return false;
    if (!cert_of_text(a, json_text(json_get(reply, "ca")), root, e))
        return err_wrap(e, "root certificate from %.*s", SLICE_ARG(url));
    found = cert_fingerprint(a, (*root)->der);
    if (slice_eq(found, hex))
        return true;
    *root = NULL;
    return err_set(e, ERR_UNAUTHORIZED,
                   "root certificate from %.*s: expected the fingerprint %.*s, found %.*s: this "
                   "is not the CA that was asked for",
                   SLICE_ARG(url), SLICE_ARG(hex), SLICE_ARG(found));
}

bool ca_roots(struct ca *ca, struct arena *a, bool federation, struct cert_list *roots,
              struct err *e)
{
    const char *path = federation ? "/federation" : "/roots";
    struct json *reply;

    memset(roots, 0, sizeof(*roots));
    if (!get_json(ca, a, path, &reply, e))
        return false;
    if (!ca_read_certs(a, json_get(reply, "crts"), roots, e))
        return err_wrap(e, "GET %s", path);
    return roots->n > 0 ||
           err_set(e, ERR_MALFORMED, "GET %s: expected certificates, found none", path);
}

struct provisioner_pages {
    const struct json **v;
    size_t n, cap;
};

static void pages_add(struct provisioner_pages *p, struct arena *a, const struct json *object)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 128;
        const struct json **bigger = arena_array(a, cap, sizeof(*bigger));
        if (p->n)
            memcpy(bigger, p->v, p->n * sizeof(*bigger));
        p->v = bigger;
        p->cap = cap;
    }
    p->v[p->n++] = object;
}

bool ca_provisioners(struct ca *ca, struct arena *a, const struct json ***list, size_t *n,
                     struct err *e)
{
    struct provisioner_pages pages = {0};
    struct slice cursor = SLICE_NONE;

    for (unsigned i = 0; i < PAGES_MAX; i++) {
        struct json *reply;
        const char *path = cursor.n ? arena_printf(a, "/provisioners?cursor=%.*s&limit=100",
                                                   SLICE_ARG(uri_escape_query(a, cursor)))
                                    : "/provisioners?limit=100";
        if (!get_json(ca, a, path, &reply, e))
            return false;
        const struct json *page = json_get(reply, "provisioners");
        for (const struct json *v = page ? page->first : NULL; v; v = v->next)
            pages_add(&pages, a, v);
        struct slice next = json_text(json_get(reply, "nextCursor"));
        *list = pages.v;
        *n = pages.n;
        if (!next.n)
            return true;
        if (slice_eq(next, cursor))
            break;
        cursor = next;
    }
    return err_set(e, ERR_MALFORMED, "GET /provisioners: the list of provisioners does not end");
}

bool ca_encrypted_key(struct ca *ca, struct arena *a, struct slice kid, struct slice *jwe,
                      struct err *e)
{
    struct json *reply;
    const char *path =
        arena_printf(a, "/provisioners/%.*s/encrypted-key", SLICE_ARG(uri_escape_segment(a, kid)));

    if (!get_json(ca, a, path, &reply, e))
        return false;
    *jwe = json_text(json_get(reply, "key"));
    return jwe->n > 0 || err_set(e, ERR_MALFORMED, "GET %s: expected a key, found none", path);
}

static void put_when_given(struct json_writer *w, const char *name, struct slice text)
{
    if (text.n)
        json_member_text(w, name, text);
}

static bool post_for_chain(struct ca *ca, struct arena *a, const char *path, struct slice body,
                           struct slice bearer, struct cert_list *chain, struct err *e)
{
    struct json *reply;

    return ca_call_json(ca, a, HTTP_POST, path, body, bearer, &reply, e) &&
           read_chain(a, reply, chain, e);
}

bool ca_sign(struct ca *ca, struct arena *a, const struct ca_sign_wish *wish,
             struct cert_list *chain, struct err *e)
{
    struct buf b = buf_new(a, BODY_MAX);
    struct json_writer w = json_writer(&b);

    json_open(&w, NULL);
    json_member_text(&w, "csr", wish->csr_pem);
    json_member_text(&w, "ott", wish->ott);
    put_when_given(&w, "notAfter", wish->not_after);
    put_when_given(&w, "notBefore", wish->not_before);
    if (wish->template_data.n)
        json_member_raw(&w, "templateData", wish->template_data);
    json_close(&w);
    return buf_done(&b, "POST /sign", e) &&
           post_for_chain(ca, a, "/sign", buf_slice(&b), SLICE_NONE, chain, e);
}

bool ca_renew(struct ca *ca, struct arena *a, struct slice bearer, struct cert_list *chain,
              struct err *e)
{
    return post_for_chain(ca, a, "/renew", SLICE_NONE, bearer, chain, e);
}

bool ca_rekey(struct ca *ca, struct arena *a, struct slice csr_pem, struct cert_list *chain,
              struct err *e)
{
    struct buf b = buf_new(a, BODY_MAX);
    struct json_writer w = json_writer(&b);

    json_open(&w, NULL);
    json_member_text(&w, "csr", csr_pem);
    json_close(&w);
    return buf_done(&b, "POST /rekey", e) &&
           post_for_chain(ca, a, "/rekey", buf_slice(&b), SLICE_NONE, chain, e);
}

bool ca_post_revoke(struct ca *ca, struct arena *a, const char *path,
                    const struct ca_revoke_wish *wish, struct err *e)
{
    struct buf b = buf_new(a, BODY_MAX);
    struct json_writer w = json_writer(&b);
    struct http_reply reply;

    json_open(&w, NULL);
    json_member_text(&w, "serial", wish->serial);
    json_member_text(&w, "ott", wish->ott);
    json_member_int(&w, "reasonCode", wish->reason_code);
    json_member_text(&w, "reason", wish->reason);
    json_member_bool(&w, "passive", true);
    json_close(&w);
    return buf_done(&b, path, e) &&
           ca_call(ca, a, HTTP_POST, path, buf_slice(&b), SLICE_NONE, &reply, e);
}

bool ca_revoke(struct ca *ca, struct arena *a, const struct ca_revoke_wish *wish, struct err *e)
{
    return ca_post_revoke(ca, a, "/revoke", wish, e);
}
