/* Answers, and the envelope in which the API speaks errors (docs/reference/http-api.md). */
#include "api/route.h"

static void respond(struct request *r, int status, const char *content_type, struct slice body)
{
    struct http_response *out = &r->x->out;

    out->status = status;
    out->body = body;
    http_fields_set(&out->fields, r->x->arena, "Content-Type", slice_text(content_type));
}

void respond_json(struct request *r, int status, struct slice body)
{
    respond(r, status, "application/json", body);
}

void respond_bytes(struct request *r, int status, const char *content_type, struct slice body)
{
    respond(r, status, content_type, body);
}

/* What the requester reads: the text where the class or the error says so, else that the log
 * knows more. */
static struct slice message(struct request *r, const struct err *e)
{
    static const struct {
        const char *hidden; /* NULL: the text is shown */
        const char *shown;  /* what stands before it */
    } FORMS[ERR_KINDS] = {
        [ERR_MALFORMED] = {NULL, "the request could not be completed: "},
        [ERR_UNAUTHORIZED] = {"the request lacks the necessary authorization; see the log of the "
                              "certificate authority",
                              ""},
        [ERR_FORBIDDEN] = {NULL, "the certificate authority forbids this request: "},
        [ERR_NOT_FOUND] = {NULL, ""},
        [ERR_EXISTS] = {NULL, ""},
        [ERR_CHANGED] = {NULL, ""},
        [ERR_TOO_LARGE] = {NULL, "the request is too large: "},
        [ERR_RATE] = {NULL, ""},
        [ERR_NOT_IMPLEMENTED] = {"the certificate authority does not implement this request; see "
                                 "its log",
                                 ""},
        [ERR_UNAVAILABLE] = {"the certificate authority cannot serve the request at the moment; "
                             "try again later",
                             ""},
        [ERR_TIMEOUT] = {"the certificate authority could not serve the request in time; try again "
                         "later",
                         ""},
        [ERR_INTERNAL] = {"the certificate authority met an internal error; see its log", ""},
    };
    const char *hidden = FORMS[e->kind].hidden;

    if (hidden && !e->tell)
        return slice_text(hidden);
    return arena_format(r->x->arena, "%s%s", FORMS[e->kind].shown ? FORMS[e->kind].shown : "",
                        e->text);
}

void respond_error(struct request *r, int status, const struct err *e)
{
    struct buf b = buf_new(r->x->arena, 8u << 10);
    struct json_writer j = json_writer(&b);

    json_open(&j, NULL);
    json_member_int(&j, "status", status);
    json_member_text(&j, "message", message(r, e));
    json_close(&j);
    buf_byte(&b, '\n');
    respond_json(r, status, buf_slice(&b));
    if (status == 503 || status == 429)
        http_fields_set(&r->x->out.fields, r->x->arena, "Retry-After", SLICE("1"));
}

static void api_error(struct request *r, const struct err *e)
{
    respond_error(r, err_status(e->kind == ERR_NONE ? ERR_INTERNAL : e->kind), e);
}

const struct voice VOICE_API = {api_error};
