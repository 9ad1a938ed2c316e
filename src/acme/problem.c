/*
 * Problem documents (RFC 7807, RFC 8555 6.7) and the headers of ACME answers.  err.code names the
 * type; without one the kind decides.
 */
#include <stdarg.h>
#include <stdio.h>

#include "acme/acme.h"

struct type_status {
    const char *type;
    int status;
};
static const struct type_status STATUSES[] = {
    {"accountDoesNotExist", 400},
    {"alreadyReplaced", 409},
    {"alreadyRevoked", 400},
    {"badAttestationStatement", 400},
    {"badCSR", 400},
    {"badNonce", 400},
    {"badPublicKey", 400},
    {"badRevocationReason", 400},
    {"badSignatureAlgorithm", 400},
    {"externalAccountRequired", 400},
    {"invalidContact", 400},
    {"orderNotReady", 403},
    {"rateLimited", 429},
    {"rejectedIdentifier", 403},
    {"unsupportedIdentifier", 400},
};
static const char *const KIND_TYPES[ERR_KINDS] = {
    [ERR_NONE] = "serverInternal",        [ERR_MALFORMED] = "malformed",
    [ERR_UNAUTHORIZED] = "unauthorized",  [ERR_FORBIDDEN] = "rejectedIdentifier",
    [ERR_NOT_FOUND] = "malformed",        [ERR_EXISTS] = "malformed",
    [ERR_CHANGED] = "serverInternal",     [ERR_TOO_LARGE] = "malformed",
    [ERR_RATE] = "rateLimited",           [ERR_NOT_IMPLEMENTED] = "serverInternal",
    [ERR_UNAVAILABLE] = "serverInternal", [ERR_TIMEOUT] = "serverInternal",
    [ERR_INTERNAL] = "serverInternal",
};

/* Types of our own floors that are no ACME type (the store's "tokenUsed"…) count as the kind's. */
static const char *type_of(const struct err *e)
{
    for (size_t i = 0; e->code && i < COUNT_OF(STATUSES); i++) {
        if (strcmp(STATUSES[i].type, e->code) == 0)
            return STATUSES[i].type;
    }
    if (e->code && (strcmp(e->code, "unauthorized") == 0 || strcmp(e->code, "malformed") == 0))
        return e->code;
    return KIND_TYPES[e->kind];
}

static int status_of(const struct err *e, const char *type)
{
    for (size_t i = 0; i < COUNT_OF(STATUSES); i++) {
        if (STATUSES[i].type == type)
            return STATUSES[i].status;
    }
    return err_status(e->kind == ERR_NONE ? ERR_INTERNAL : e->kind);
}

bool acme_error(struct request *r, enum err_kind kind, const char *type, const char *fmt, ...)
{
    struct err *e = &r->work.err;
    char text[sizeof(e->text)];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    err_set(e, kind, "%s", text);
    e->code = type;
    return false;
}

/* name: type, type of the identifier and its value, a line each. */
static void add_note(struct request *r, struct slice name, struct slice text)
{
    struct err_note *note = arena_alloc(r->work.arena, sizeof(*note));
    struct err_note **end = &r->work.err.notes;

    note->name = name;
    note->text = text;
    while (*end)
        end = &(*end)->next;
    *end = note;
}

void acme_error_about(struct request *r, const char *type, const struct acme_identifier *id,
                      const char *detail)
{
    struct arena *a = r->work.arena;

    add_note(r,
             arena_format(a, ACME_ERROR_PREFIX "%s\n%.*s\n%.*s", type, SLICE_ARG(id->type),
                          SLICE_ARG(id->value)),
             arena_copy(a, slice_text(detail)));
}

void acme_error_foreign(struct request *r, struct slice code, struct slice detail)
{
    code = slice_sub(code, 0, slice_find(code, '\n'));
    add_note(r, arena_format(r->work.arena, "urn:smallstep:acme:error:%.*s\n\n", SLICE_ARG(code)),
             arena_copy(r->work.arena, detail));
}

static void put_subproblems(struct json_writer *j, const struct err_note *notes)
{
    if (!notes)
        return;
    json_open_list(j, "subproblems");
    for (const struct err_note *n = notes; n; n = n->next) {
        struct slice rest = n->name, type, id_type;
        if (!slice_split(&rest, '\n', &type) || !slice_split(&rest, '\n', &id_type))
            continue;
        json_open(j, NULL);
        json_member_text(j, "type", type);
        json_member_text(j, "detail", n->text);
        if (id_type.n > 0) {
            json_open(j, "identifier");
            json_member_text(j, "type", id_type);
            json_member_text(j, "value", rest);
            json_close(j);
        }
        json_close(j);
    }
    json_close(j);
}

static void put_algorithms(struct json_writer *j)
{
    static const char *const NAMES[] = {"ES256", "ES384", "ES512", "EdDSA", "RS256",
                                        "RS384", "RS512", "PS256", "PS384", "PS512"};

    json_open_list(j, "algorithms");
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        json_member_text(j, NULL, slice_text(NAMES[i]));
    json_close(j);
}

static void speak(struct request *r, const struct err *e)
{
    struct arena *a = r->x->arena;
    struct buf b = buf_new(a, 256u << 10);
    struct json_writer j = json_writer(&b);
    const char *type = r->refused && r->refused < 500 ? "malformed" : type_of(e);
    int status = r->refused ? r->refused : status_of(e, type);
    struct slice detail = slice_text(e->text);

    if (status >= 500 && !e->tell)
        detail = status == 503 ? SLICE("the server cannot serve the request now; try again later")
                               : SLICE("the server met an internal error; see its log");
    json_open(&j, NULL);
    json_member_text(&j, "type", arena_format(a, ACME_ERROR_PREFIX "%s", type));
    json_member_text(&j, "detail", detail);
    json_member_int(&j, "status", status);
    if (strcmp(type, "badSignatureAlgorithm") == 0)
        put_algorithms(&j);
    put_subproblems(&j, e->notes);
    json_close(&j);
    buf_byte(&b, '\n');
    respond_bytes(r, status, "application/problem+json", buf_slice(&b));
    if (status == 503 || status == 429)
        http_fields_set(&r->x->out.fields, a, "Retry-After", SLICE("5"));
    acme_headers(r);
}

/* RFC 8555 6.5: an answer to a POST has a nonce, whoever gives it. */
static void greet(struct request *r)
{
    const struct store *store = r->work.services->store;
    struct err why = r->work.err;

    if (acme_authorize_public(r) && slice_is(slice_text(r->route->method), "POST") &&
        !(store && store->caps & STORE_SHARED) &&
        !acme_nonce_make(acme_of(r)->service->nonces, r->x->arena, r->work.deadline,
                         &acme_of(r)->nonce, NULL))
        acme_of(r)->nonce = SLICE_NONE;
    r->work.err = why;
}

const struct voice VOICE_ACME = {speak, greet};

void acme_headers(struct request *r)
{
    struct http_fields *f = &r->x->out.fields;
    struct acme_request *q = acme_of(r);
    struct arena *a = r->x->arena;

    if (!q || q->nonce.n == 0)
        return;
    http_fields_set(f, a, "Replay-Nonce", q->nonce);
    http_fields_set(f, a, "Cache-Control", SLICE("no-store"));
    http_fields_add(f, a, "Link",
                    acme_join(a, SLICE("<"), q->base, SLICE("/directory>;rel=\"index\"")));
    log_put_text(&r->work.log, "nonce", q->nonce);
}

void acme_respond(struct request *r, int status, struct slice json)
{
    respond_json(r, status, json);
    acme_headers(r);
    log_put_text(&r->work.log, "response", slice_trim(json));
}

void acme_location(struct request *r, struct slice url)
{
    http_fields_set(&r->x->out.fields, r->x->arena, "Location", url);
}

struct acme_problem *acme_problem_make(struct arena *a, const char *type, struct slice detail)
{
    struct acme_problem *p = arena_alloc(a, sizeof(*p));

    p->type = arena_format(a, ACME_ERROR_PREFIX "%s", type);
    p->detail = arena_copy(a, detail);
    return p;
}

void acme_put_problem(struct json_writer *j, const char *name, const struct acme_problem *p)
{
    const struct acme_subproblem *sub = p->subproblems.v;

    json_open(j, name);
    json_member_text(j, "type", p->type);
    json_member_text(j, "detail", p->detail);
    if (p->subproblems.n > 0)
        json_open_list(j, "subproblems");
    for (size_t i = 0; i < p->subproblems.n; i++) {
        json_open(j, NULL);
        json_member_text(j, "type", sub[i].type);
        json_member_text(j, "detail", sub[i].detail);
        if (sub[i].identifier) {
            json_open(j, "identifier");
            json_member_text(j, "type", sub[i].identifier->type);
            json_member_text(j, "value", sub[i].identifier->value);
            json_close(j);
        }
        json_close(j);
    }
    if (p->subproblems.n > 0)
        json_close(j);
    json_close(j);
}
