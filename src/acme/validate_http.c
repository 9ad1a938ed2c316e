/*
 * http-01 (RFC 8555 8.3; addresses: RFC 8738 4): the key authorization stands at a well-known place
 * of the host's web server.  Redirects go anywhere, https is believed without a certificate that
 * we know: what proves control is that the name leads to the answer.
 */
#include "acme/validate_internal.h"
#include "base/log.h"
#include "base/rune.h"
#include "crypto/secret.h"

#define BODY_MAX  (64u << 10)
#define REDIRECTS 10u
#define LOG_BYTES 120u

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '_')
            return false;
    }
    return s.n > 0;
}

/* White space of Unicode at both ends: editors and web servers add some. */
static struct slice trim(struct slice s)
{
    for (size_t n = 1; n <= 3 && n <= s.n; n++) {
        if (slice_empty(slice_trim_end_unicode(slice_sub(s, 0, n)))) {
            s = slice_from(s, n);
            n = 0;
        }
    }
    return slice_trim_end_unicode(s);
}

static struct slice make_url(struct arena *a, const struct acme_validation *v, const struct ip *ip,
                             uint16_t port)
{
    struct slice host = ip->n ? ip_text(a, ip) : v->value;
    const char *open = ip->n == 16 ? "[" : "", *close = ip->n == 16 ? "]" : "";
    const char *suffix = port && port != 80 ? arena_printf(a, ":%u", port) : "";

    if (!ip->n && slice_ends(host, "."))
        host.n--;
    return arena_format(a, "http://%s%.*s%s%s/.well-known/acme-challenge/%.*s", open,
                        SLICE_ARG(host), close, suffix, SLICE_ARG(v->token));
}

/* The last address of a way that may have been long. */
static struct slice who(const struct http_reply *reply)
{
    return reply->peer.n ? reply->peer : SLICE("the server");
}

/* The body is for the log only: a requester must not read what our network shows to us. */
static struct acme_result wrong_body(struct arena *a, struct slice url,
                                     const struct http_reply *reply)
{
    struct slice body = reply->body;
    struct slice start = slice_sub(body, 0, LOG_BYTES);

    struct buf quoted = buf_new(a, 12 * LOG_BYTES);

    text_quote(&quoted, start);
    log_info("http-01: %.*s answered %.*s%s instead of the key authorization", SLICE_ARG(url),
             SLICE_ARG(buf_slice(&quoted)), start.n < body.n ? " ..." : "");
    return validation_result(a, ACME_INVALID, "incorrectResponse",
                             "%.*s: the body (%zu bytes) from %.*s is not the key authorization "
                             "of this account (RFC 8555 8.3)",
                             SLICE_ARG(url), body.n, SLICE_ARG(who(reply)));
}

static struct acme_result no_answer(struct arena *a, struct slice url, struct err *e)
{
    bool too_large = e->kind == ERR_TOO_LARGE;

    err_wrap(e, "%.*s", SLICE_ARG(url));
    return validation_failed(a, too_large ? ACME_INVALID : ACME_RETRY,
                             too_large ? "incorrectResponse" : "connection", e);
}

struct acme_result acme_validate_http01(struct arena *a, const struct acme_validation *v,
                                        const struct acme_validation_settings *s, struct deadline d)
{
    static const struct trust ANYBODY = {.kind = TRUST_ANYBODY};
    struct http_reply reply;
    struct err e = {0};
    struct ip ip;

    if (!validation_name_ok(v, &ip, &e))
        return validation_failed(a, ACME_INVALID, "rejectedIdentifier", &e);
    if (!is_token(v->token))
        return validation_result(a, ACME_INVALID, "malformed",
                                 "token: expected base64url characters (RFC 8555 8.3)");
    struct slice url = make_url(a, v, &ip, s->http_port);
    struct http_call call = {.method = HTTP_GET,
                             .url = url,
                             .trust = &ANYBODY,
                             .max_reply = BODY_MAX,
                             .redirects = REDIRECTS,
                             .redirects_anywhere = true,
                             .rooted = !ip.n && (s->strict_fqdn || slice_ends(v->value, ".")),
                             .fresh = true};
    if (!s->http->call(s->http, &call, a, &reply, validation_deadline(s, d), &e))
        return no_answer(a, url, &e);
    if (reply.status >= 400)
        return validation_result(a, ACME_RETRY, "connection",
                                 "%.*s: %.*s answered with status %d (RFC 8555 8.3)",
                                 SLICE_ARG(url), SLICE_ARG(who(&reply)), reply.status);
    if (!secret_equal(trim(reply.body), v->key_authorization))
        return wrong_body(a, url, &reply);
    return validation_valid();
}
