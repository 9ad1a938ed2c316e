/*
 * The code flow with PKCE (RFC 6749 4.1, RFC 7636): which endpoints, what the browser visits, and
 * how a code becomes a token.  PKCE is always used, with S256; state and nonce are random and
 * checked.
 */
#include "base/encode.h"
#include "base/uri.h"
#include "cli/download.h"
#include "cli/oauth.h"
#include "cli/terminal.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "jose/jws.h"

#define STATE_CHARS    32
#define VERIFIER_CHARS 64
#define NONCE_BYTES    32
#define URL_MAX        (64u << 10)
#define OOB_URI        "urn:ietf:wg:oauth:2.0:oob"

static const struct known {
    const char *name, *authorization, *device, *token;
} KNOWN[] = {
    {"google", "https://accounts.google.com/o/oauth2/v2/auth",
     "https://oauth2.googleapis.com/device/code", "https://www.googleapis.com/oauth2/v4/token"},
    {"github", "https://github.com/login/oauth/authorize", "https://github.com/login/device/code",
     "https://github.com/login/oauth/access_token"},
};

/* --- Endpoints ---------------------------------------------------------------------------- */

static bool is_loopback(struct slice host)
{
    struct ip ip;

    if (slice_is_case(host, "localhost"))
        return true;
    if (!ip_read(host, &ip))
        return false;
    static const uint8_t V6[16] = {[15] = 1};
    return ip.n == 4 ? ip.bytes[0] == 127 : memcmp(ip.bytes, V6, 16) == 0;
}

bool oauth_endpoint_ok(struct arena *a, const char *what, const char *url, struct err *e)
{
    struct uri u;

    if (!uri_read(a, slice_text(url), &u, e))
        return err_wrap(e, "%s '%s'", what, url);
    bool plain = slice_is(u.scheme, "http") && is_loopback(u.host);
    return (u.host.n && (slice_is(u.scheme, "https") || plain)) ||
           err_set(e, ERR_MALFORMED, "%s '%s': expected an https:// address", what, url);
}

/* An issuer's address, or that of its document itself (OpenID Connect Discovery 4). */
static struct slice discovery_url(struct arena *a, const char *provider)
{
    struct slice text = slice_text(provider);

    if (slice_search(text, SLICE("/.well-known/")) < text.n)
        return text;
    while (slice_ends(text, "/"))
        text.n--;
    return arena_format(a, "%.*s/.well-known/openid-configuration", SLICE_ARG(text));
}

static const char *member(struct arena *a, const struct json *o, const char *name)
{
    struct slice text = json_text(json_get(o, name));

    return text.n && !slice_has_nul(text) ? arena_cstr(a, text) : NULL;
}

static bool discover(struct oauth *o)
{
    struct invocation *inv = o->inv;
    const struct http_call call = {
        .method = HTTP_GET,
        .url = discovery_url(inv->arena, o->wish->provider),
        .redirects = 5,
    };
    struct http_reply reply;
    struct json *document;

    if (!o->http->call(o->http, &call, inv->arena, &reply, deadline_in(inv->clock, OAUTH_HTTP_NS),
                       &inv->err))
        return err_wrap(&inv->err, "provider");
    if (reply.status != 200)
        return err_set(&inv->err, ERR_UNAVAILABLE, "%.*s: the server answered with status %d",
                       SLICE_ARG(call.url), reply.status);
    document = json_read(inv->arena, reply.body, &JSON_API, NULL, &inv->err);
    if (!document)
        return err_wrap(&inv->err, "%.*s", SLICE_ARG(call.url));
    o->authorization = member(inv->arena, document, "authorization_endpoint");
    o->device = member(inv->arena, document, "device_authorization_endpoint");
    o->token = member(inv->arena, document, "token_endpoint");
    return true;
}

static bool known_provider(struct oauth *o)
{
    for (size_t i = 0; i < COUNT_OF(KNOWN); i++) {
        if (strcmp(KNOWN[i].name, o->wish->provider) != 0)
            continue;
        o->authorization = KNOWN[i].authorization;
        o->device = KNOWN[i].device;
        o->token = KNOWN[i].token;
        return true;
    }
    return false;
}

static bool find_endpoints(struct oauth *o)
{
    const struct oauth_wish *w = o->wish;
    struct invocation *inv = o->inv;
    bool all_given = w->token && (w->flow == OAUTH_DEVICE ? w->device : w->authorization);

    if (!all_given && !known_provider(o)) {
        if (!oauth_endpoint_ok(inv->arena, "provider", w->provider, &inv->err) || !discover(o))
            return false;
    }
    o->authorization = w->authorization ? w->authorization : o->authorization;
    o->device = w->device ? w->device : o->device;
    o->token = w->token ? w->token : o->token;
    const char *first = w->flow == OAUTH_DEVICE ? o->device : o->authorization;
    if (!first || !o->token)
        return err_set(&inv->err, ERR_NOT_IMPLEMENTED, "the provider has no %s endpoint",
                       !o->token                 ? "token"
                       : w->flow == OAUTH_DEVICE ? "device authorization (RFC 8628)"
                                                 : "authorization");
    return oauth_endpoint_ok(inv->arena, "endpoint", first, &inv->err) &&
           oauth_endpoint_ok(inv->arena, "endpoint", o->token, &inv->err);
}

/* --- Random texts ------------------------------------------------------------------------- */

static const char *random_text(struct invocation *inv, size_t n)
{
    static const char SIGNS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    char *text = arena_alloc(inv->arena, n + 1);
    uint8_t byte;

    for (size_t i = 0; i < n;) {
        inv->rng->fill(inv->rng, &byte, 1);
        if (byte < 4 * (sizeof(SIGNS) - 1)) /* no sign more often than another */
            text[i++] = SIGNS[byte % (sizeof(SIGNS) - 1)];
    }
    return text;
}

static void draw(struct oauth *o)
{
    uint8_t nonce[NONCE_BYTES];

    o->inv->rng->fill(o->inv->rng, nonce, sizeof(nonce));
    o->nonce = arena_cstr(o->inv->arena, hex_text(o->inv->arena, slice_of(nonce, sizeof(nonce))));
    o->state = random_text(o->inv, STATE_CHARS);
    o->verifier = random_text(o->inv, VERIFIER_CHARS);
}

/* --- The address to visit ----------------------------------------------------------------- */

void oauth_form(struct buf *b, struct arena *a, const char *name, struct slice value)
{
    if (b->n)
        buf_byte(b, '&');
    buf_put(b, uri_escape_query(a, slice_text(name)));
    buf_byte(b, '=');
    buf_put(b, uri_escape_query(a, value));
}

static void put_params(struct buf *b, const struct oauth *o)
{
    struct arena *a = o->inv->arena;

    for (size_t i = 0; i < o->wish->n_params; i++) {
        struct slice param = o->wish->params[i];
        size_t equals = slice_find(param, '=');
        oauth_form(b, a, arena_cstr(a, slice_sub(param, 0, equals)), slice_from(param, equals + 1));
    }
}

struct slice oauth_visit_url(struct oauth *o)
{
    struct arena *a = o->inv->arena;
    const struct oauth_wish *w = o->wish;
    struct slice challenge = digest_bytes(a, DIGEST_SHA256, slice_text(o->verifier));
    struct slice endpoint = slice_text(o->authorization);
    struct buf q = buf_new(a, URL_MAX);

    oauth_form(&q, a, "client_id", slice_text(w->client_id));
    oauth_form(&q, a, "redirect_uri", slice_text(o->redirect_uri));
    oauth_form(&q, a, "response_type", SLICE("code"));
    oauth_form(&q, a, "code_challenge_method", SLICE("S256"));
    oauth_form(&q, a, "code_challenge", base64_text(a, BASE64_URL_RAW, challenge));
    oauth_form(&q, a, "scope", slice_text(o->scope));
    if (w->prompt)
        oauth_form(&q, a, "prompt", slice_text(w->prompt));
    oauth_form(&q, a, "state", slice_text(o->state));
    oauth_form(&q, a, "nonce", slice_text(o->nonce));
    if (w->email)
        oauth_form(&q, a, "login_hint", slice_text(w->email));
    put_params(&q, o);
    endpoint = slice_sub(endpoint, 0, slice_find(endpoint, '#'));
    const char *between = slice_find(endpoint, '?') == endpoint.n ? "?"
                          : slice_ends(endpoint, "?")             ? ""
                                                                  : "&";
    return arena_format(a, "%.*s%s%.*s", SLICE_ARG(endpoint), between, SLICE_ARG(buf_slice(&q)));
}

/* --- Answers ------------------------------------------------------------------------------ */

bool oauth_post(struct oauth *o, const char *url, struct slice form, int *status,
                const struct json **object)
{
    struct invocation *inv = o->inv;
    struct http_call call = {.method = HTTP_POST, .url = slice_text(url), .body = form};
    struct http_reply reply;

    http_fields_add(&call.fields, inv->arena, "Content-Type",
                    SLICE("application/x-www-form-urlencoded"));
    http_fields_add(&call.fields, inv->arena, "Accept", SLICE("application/json"));
    if (!o->http->call(o->http, &call, inv->arena, &reply, deadline_in(inv->clock, OAUTH_HTTP_NS),
                       &inv->err))
        return false;
    *status = reply.status;
    *object = json_read(inv->arena, reply.body, &JSON_API, NULL, NULL);
    if (*object && (*object)->kind != JSON_OBJECT)
        *object = NULL;
    return true;
}

bool oauth_told(const struct json *object, struct err *e)
{
    struct slice error = json_text(json_get(object, "error"));
    struct slice text = json_text(json_get(object, "error_description"));

    if (!error.n)
        return false;
    if (text.n)
        err_set(e, ERR_UNAUTHORIZED, "the provider refused: %.*s: %.*s", SLICE_ARG(error),
                SLICE_ARG(text));
    else
        err_set(e, ERR_UNAUTHORIZED, "the provider refused: %.*s", SLICE_ARG(error));
    return true;
}

bool oauth_token_read(const struct json *object, struct oauth_token *token, struct err *e)
{
    *token = (struct oauth_token){
        .access = json_text(json_get(object, "access_token")),
        .id = json_text(json_get(object, "id_token")),
        .refresh = json_text(json_get(object, "refresh_token")),
        .type = json_text(json_get(object, "token_type")),
        .scope = json_text(json_get(object, "scope")),
    };
    if (!json_int(json_get(object, "expires_in"), &token->expires_in))
        token->expires_in = 0;
    return token->access.n || token->id.n ||
           err_set(e, ERR_MALFORMED, "the provider's answer has no token (RFC 6749 5.1)");
}

/* OpenID Connect Core 3.1.3.7: over TLS from the provider itself, so that its signature need not be
 * looked at; but it must be for us and for this login. */
static bool identity_ok(struct oauth *o, struct slice text, struct err *e)
{
    struct token token;
    bool ours = false;

    if (!text.n)
        return true;
    if (!token_read(o->inv->arena, text, &token, e))
        return err_wrap(e, "identity token");
    for (size_t i = 0; i < token.n_aud; i++)
        ours |= slice_is(token.aud[i], o->wish->client_id);
    if (!ours)
        return err_set(e, ERR_UNAUTHORIZED,
                       "the identity token is not for this client (OpenID Connect Core 3.1.3.7)");
    struct slice nonce = json_text(json_get_exact(token.claims, "nonce"));
    return secret_equal(nonce, slice_text(o->nonce)) ||
           err_set(e, ERR_UNAUTHORIZED,
                   "the identity token is not of this login: its nonce is another one (OpenID "
                   "Connect Core 3.1.3.7)");
}

bool oauth_trade(struct oauth *o, struct slice code, struct oauth_token *token)
{
    struct arena *a = o->inv->arena;
    struct err *e = &o->inv->err;
    struct buf form = buf_new(a, URL_MAX);
    const struct json *object = NULL;
    int status;

    oauth_form(&form, a, "code", code);
    oauth_form(&form, a, "client_id", slice_text(o->wish->client_id));
    oauth_form(&form, a, "client_secret", slice_text(o->wish->client_secret));
    oauth_form(&form, a, "redirect_uri", slice_text(o->redirect_uri));
    oauth_form(&form, a, "grant_type", SLICE("authorization_code"));
    oauth_form(&form, a, "code_verifier", slice_text(o->verifier));
    if (!buf_done(&form, "request", e) ||
        !oauth_post(o, o->token, buf_slice(&form), &status, &object))
        return false;
    if (oauth_told(object, e))
        return false;
    if (status >= 400)
        return err_set(e, ERR_UNAVAILABLE, "the provider answered with status %d", status);
    return oauth_token_read(object, token, e) && identity_ok(o, token->id, e);
}

/* --- By hand ------------------------------------------------------------------------------ */

static bool by_hand(struct oauth *o, struct oauth_token *token)
{
    struct invocation *inv = o->inv;
    struct slice code;

    o->redirect_uri = OOB_URI;
    note(inv, "Open this address in a browser and log in there:");
    note(inv, "%.*s", SLICE_ARG(oauth_visit_url(o)));
    if (!inv->terminal->text(inv->terminal, inv->arena, "Enter verification code", NULL, NULL, NULL,
                             &code, &inv->err))
        return false;
    code = slice_trim(code);
    return code.n ? oauth_trade(o, code, token)
                  : err_set(&inv->err, ERR_MALFORMED, "there is no code");
}

bool oauth_get(struct invocation *inv, const struct oauth_wish *wish, struct oauth_token *token)
{
    static bool (*const FLOWS[])(struct oauth *, struct oauth_token *) = {
        [OAUTH_BROWSER] = oauth_by_browser,
        [OAUTH_DEVICE] = oauth_by_device,
        [OAUTH_OOB] = by_hand,
    };
    struct oauth o = {.inv = inv, .wish = wish, .http = download_client(inv)};
    struct buf scope = buf_new(inv->arena, URL_MAX);

    for (size_t i = 0; i < wish->n_scopes; i++)
        buf_printf(&scope, "%s%.*s", i ? " " : "", SLICE_ARG(wish->scopes[i]));
    o.scope = wish->n_scopes ? arena_cstr(inv->arena, buf_slice(&scope)) : "openid email";
    draw(&o);
    return find_endpoints(&o) && FLOWS[wish->flow](&o, token);
}
