/*
 * Downloads of the certificate commands.  What comes back is bytes of a stranger: signatures and
 * times are the caller's business.
 */
#include "cli/download.h"

#include "base/version.h"
#include "crypto/pem.h"

#define REDIRECTS_MAX 5u

struct trust download_trust(struct arena *a, const struct cert_list *roots)
{
    struct trust t = {.kind = TRUST_ANCHORS,
                      .anchors = arena_array(a, roots->n + 1, sizeof(*t.anchors))};

    for (; t.n < roots->n; t.n++)
        t.anchors[t.n] = roots->v[t.n]->der;
    return t;
}

static void client_gone(void *client)
{
    http_client_free(client);
}

struct http_client *download_client(struct invocation *inv)
{
    struct http_client *http = http_client_new(version_line(inv->arena, "Newel CLI"));

    arena_defer(inv->arena, client_gone, http);
    return http;
}

static bool run(struct invocation *inv, const struct http_call *call, struct slice *body,
                struct err *e)
{
    struct http_client *http = download_client(inv);
    struct http_reply reply;

    if (!http->call(http, call, inv->arena, &reply, deadline_in(inv->clock, DOWNLOAD_NS), e))
        return false;
    *body = reply.body;
    return reply.status == 200 ||
           err_set(e, ERR_UNAVAILABLE, "the server answered with status %d", reply.status);
}

bool download(struct invocation *inv, const struct trust *trust, struct slice url,
              struct slice *body, struct err *e)
{
    const struct http_call call = {
        .method = HTTP_GET,
        .url = url,
        .trust = trust,
        .max_reply = DOWNLOAD_MAX,
        .redirects = REDIRECTS_MAX,
    };

    return run(inv, &call, body, e);
}

bool download_post(struct invocation *inv, const struct trust *trust, struct slice url,
                   const char *content_type, struct slice sent, struct slice *body, struct err *e)
{
    struct http_call call = {
        .method = HTTP_POST,
        .url = url,
        .body = sent,
        .trust = trust,
        .max_reply = DOWNLOAD_MAX,
    };

    http_fields_add(&call.fields, inv->arena, "Content-Type", slice_text(content_type));
    return run(inv, &call, body, e);
}

bool download_der(struct arena *a, struct slice text, struct slice *der, struct err *e)
{
    struct pem block;

    *der = text;
    if (!pem_looks_like(text))
        return true;
    if (!pem_next(a, &text, &block, e))
        return err_set(e, ERR_MALFORMED, "not a valid PEM encoded block");
    *der = block.der;
    return true;
}
