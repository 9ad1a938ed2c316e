/*
 * step oauth: gets a token from an OAuth 2.0 or OpenID Connect provider and prints it.  What the
 * flags mean is decided here; the flows are in oauth_*.c.
 */
#include "cli/oauth.h"

#include "base/uri.h"
#include "cli/tree.h"

#define JSON_MAX (1u << 20)

static const char *text_flag(const struct invocation *inv, const char *name)
{
    const char *value = flag_text(inv, name);

    return value && *value ? value : NULL;
}

/* --- Flags -------------------------------------------------------------------------------- */

static bool choose_flow(struct invocation *inv, enum oauth_flow *flow)
{
    const char *name = text_flag(inv, "console-flow");

    *flow = flag_bool(inv, "console") ? OAUTH_DEVICE : OAUTH_BROWSER;
    if (!name)
        return true;
    bool device = slice_is_case(slice_text(name), "device");
    *flow = device ? OAUTH_DEVICE : OAUTH_OOB;
    return device || slice_is_case(slice_text(name), "oob") ||
           err_set(&inv->err, ERR_MALFORMED,
                   "invalid value '%s' for flag '--console-flow'; options are device, oob", name);
}

static bool check_provider(const struct oauth_wish *w, struct err *e)
{
    bool known = strcmp(w->provider, "google") == 0 || strcmp(w->provider, "github") == 0;

    return known || slice_starts(slice_text(w->provider), "https://") ||
           err_set(e, ERR_MALFORMED,
                   "invalid value '%s' for flag '--provider'; options are google, github, an "
                   "https:// address",
                   w->provider);
}

static bool check_params(const struct oauth_wish *w, struct err *e)
{
    for (size_t i = 0; i < w->n_params; i++) {
        size_t equals = slice_find(w->params[i], '=');
        if (equals == 0 || equals == w->params[i].n)
            return err_set(e, ERR_MALFORMED,
                           "invalid value '%.*s' for flag '--auth-param'; expected key=value",
                           SLICE_ARG(w->params[i]));
    }
    return true;
}

static bool check_url(struct arena *a, const char *flag, const char *url, struct err *e)
{
    struct uri u;

    if (!url)
        return true;
    return (uri_read(a, slice_text(url), &u, NULL) && u.host.n &&
            (slice_is(u.scheme, "http") || slice_is(u.scheme, "https"))) ||
           err_set(e, ERR_MALFORMED, "invalid value '%s' for flag '--%s'; expected a URL", url,
                   flag);
}

static bool check_addresses(struct invocation *inv, const struct oauth_wish *w)
{
    struct slice host, port;

    if (w->listen && !host_port_split(slice_text(w->listen), &host, &port, NULL))
        return err_set(&inv->err, ERR_MALFORMED,
                       "invalid value '%s' for flag '--listen'; expected host:port", w->listen);
    return check_url(inv->arena, "listen-url", w->listen_url, &inv->err) &&
           check_url(inv->arena, "redirect-url", w->redirect_url, &inv->err);
}

static bool check_endpoints(const struct oauth_wish *w, struct err *e)
{
    const char *flag =
        w->authorization ? "authorization-endpoint" : "device-authorization-endpoint";

    return w->token || !(w->authorization || w->device) ||
           err_set(e, ERR_MALFORMED, "flag '--%s' requires the '--token-endpoint' flag", flag);
}

static bool read_flags(struct invocation *inv, struct oauth_wish *w)
{
    *w = (struct oauth_wish){
        .provider = flag_text(inv, "provider"),
        .authorization = text_flag(inv, "authorization-endpoint"),
        .device = text_flag(inv, "device-authorization-endpoint"),
        .token = text_flag(inv, "token-endpoint"),
        .client_id = text_flag(inv, "client-id"),
        .client_secret = text_flag(inv, "client-secret"),
        .email = text_flag(inv, "email"),
        .prompt = text_flag(inv, "prompt"),
        .listen = text_flag(inv, "listen"),
        .listen_url = text_flag(inv, "listen-url"),
        .redirect_url = text_flag(inv, "redirect-url"),
        .browser = text_flag(inv, "browser"),
    };
    w->scopes = flag_texts(inv, "scope", &w->n_scopes);
    w->params = flag_texts(inv, "auth-param", &w->n_params);
    if (!w->client_secret)
        w->client_secret = "";
    return choose_flow(inv, &w->flow) && check_provider(w, &inv->err) &&
           check_params(w, &inv->err) && check_addresses(inv, w) && check_endpoints(w, &inv->err);
}

/* --- A file of an account ----------------------------------------------------------------- */

static const char *joined_scopes(struct invocation *inv, const struct oauth_wish *w)
{
    struct buf b = buf_new(inv->arena, JSON_MAX);

    for (size_t i = 0; i < w->n_scopes; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", SLICE_ARG(w->scopes[i]));
    return arena_cstr(inv->arena, buf_slice(&b));
}

static bool get_by_account(struct invocation *inv, struct oauth_wish *w, struct oauth_token *token)
{
    struct oauth_account account;

    if (!oauth_account_load(inv, text_flag(inv, "account"), &account))
        return false;
    if (!account.service) {
        w->authorization = account.authorization;
        w->token = account.token;
        w->client_id = account.client_id;
        w->client_secret = account.client_secret ? account.client_secret : "";
        return oauth_get(inv, w, token);
    }
    if (!w->n_scopes)
        return err_set(&inv->err, ERR_MALFORMED,
                       "'%s' requires the '--scope' flag for a service account", inv->path);
    return oauth_by_account(inv, &account, joined_scopes(inv, w), flag_bool(inv, "jwt"), token);
}

static bool get_token(struct invocation *inv, struct oauth_token *token)
{
    struct oauth_wish w;

    if (!read_flags(inv, &w))
        return false;
    if (text_flag(inv, "account"))
        return get_by_account(inv, &w, token);
    if (!w.client_id)
        return err_set(&inv->err, ERR_MALFORMED,
                       "'%s' requires the '--client-id' flag: no client is registered for this "
                       "program",
                       inv->path);
    return oauth_get(inv, &w, token);
}

/* --- Output ------------------------------------------------------------------------------- */

static void put_json(struct invocation *inv, const struct oauth_token *t)
{
    struct json *o = json_make_object(inv->arena);
    struct buf b = buf_new(inv->arena, JSON_MAX);
    const struct {
        const char *name;
        struct slice text;
    } TEXTS[] = {{"access_token", t->access}, {"id_token", t->id}, {"refresh_token", t->refresh}};

    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        json_set(o, inv->arena, TEXTS[i].name, json_make_text(inv->arena, TEXTS[i].text));
    json_set(o, inv->arena, "expires_in", json_make_int(inv->arena, t->expires_in));
    json_set(o, inv->arena, "token_type", json_make_text(inv->arena, t->type));
    if (t->scope.n)
        json_set(o, inv->arena, "scope", json_make_text(inv->arena, t->scope));
    json_print(&b, o, "  ");
    buf_byte(&b, '\n');
    out_put(inv, buf_slice(&b));
}

static int run_oauth(struct invocation *inv)
{
    bool oidc = flag_bool(inv, "oidc"), header = flag_bool(inv, "header");
    struct oauth_token token;

    if (!get_token(inv, &token))
        return fail(inv);
    if (!header && !flag_bool(inv, "bare")) {
        put_json(inv, &token);
        return 0;
    }
    struct slice chosen = oidc ? token.id : token.access;
    if (!chosen.n)
        return fail_with(inv, "the provider gave no %s token", oidc ? "identity" : "access");
    if (header)
        out_put(inv, SLICE("Authorization: Bearer "));
    out_line(inv, "%.*s", SLICE_ARG(chosen));
    return 0;
}

static const struct flag OAUTH_FLAGS[] = {
    {"provider,idp", FLAG_TEXT, "<provider>",
     "Who knows the user: google, github, or the https:// address of an OpenID Connect provider.",
     "google", 0},
    {"client-id", FLAG_TEXT, "<id>", "The <id> of the client that is registered there.", NULL, 0},
    {"client-secret", FLAG_TEXT, "<secret>", "The client's <secret>, where it has one.", NULL, 0},
    {"console,c", FLAG_BOOL, NULL, "Log in on another device (RFC 8628).", NULL, 0},
    {"console-flow", FLAG_TEXT, "<flow>",
     "How to do without a browser here: device (as --console), or oob (a code is typed in).", NULL,
     0},
    {"email,e", FLAG_TEXT, "<address>", "The account to log in with.", NULL, 0},
    {"scope", FLAG_TEXTS, "<scope>",
     "What to ask for. Can be given several times. Default: openid and email.", NULL, 0},
    {"prompt", FLAG_TEXT, "<prompt>",
     "What the provider should ask the user: none, login, consent or select_account.", NULL, 0},
    {"auth-param", FLAG_TEXTS, "<key=value>",
     "A further parameter of the authorization request. Can be given several times.", NULL, 0},
    {"authorization-endpoint", FLAG_TEXT, "<url>", "The provider's authorization endpoint.", NULL,
     0},
    {"device-authorization-endpoint", FLAG_TEXT, "<url>",
     "The provider's device authorization endpoint.", NULL, 0},
    {"token-endpoint", FLAG_TEXT, "<url>", "The provider's token endpoint.", NULL, 0},
    {"oidc", FLAG_BOOL, NULL, "Print the identity token with --bare and --header.", NULL, 0},
    {"bare", FLAG_BOOL, NULL, "Print only the token.", NULL, 0},
    {"header", FLAG_BOOL, NULL, "Print the token as an HTTP header.", NULL, 0},
    {"listen", FLAG_TEXT, "<host:port>",
     "Where to wait for the browser. Default: 127.0.0.1 and a free port.", NULL, 0},
    {"listen-url", FLAG_TEXT, "<url>",
     "The <url> that the provider sends the browser to. Default: where this program listens.", NULL,
     0},
    {"redirect-url", FLAG_TEXT, "<url>", "Where the browser goes after a login.", NULL, 0},
    {"browser", FLAG_TEXT, "<program>", "The <program> that opens an address.", NULL, FLAG_HIDDEN},
    {"account", FLAG_FILE, "<file>",
     "A JSON <file> of a client or a service account, as Google's console makes it.", NULL, 0},
    {"jwt", FLAG_BOOL, NULL,
     "Print a token that the service account signed itself, for the audience --scope.", NULL, 0},
    {0}};
static const struct flag *const OAUTH_SETS[] = {OAUTH_FLAGS, NULL};
static const struct flag_rule OAUTH_RULES[] = {
    {RULE_NEEDS, "jwt", "account"}, {RULE_EXCLUSIVE, "bare", "header"}, {0}};

const struct command CMD_OAUTH = {
    .name = "oauth",
    .summary = "get a token from an OAuth 2.0 or OpenID Connect provider",
    .synopsis = "",
    .description =
        "Logs in at a provider and prints the tokens that it gives. Usually a browser is opened, "
        "and this program waits for it on the loopback interface; without a browser use --console. "
        "STEP_OPEN_BROWSER=0 only prints the address to visit.\n\n"
        "A client must be registered at the provider, of the kind of a native application, with "
        "the redirect address http://127.0.0.1.",
    .examples = "An identity token, for a certificate authority with an OIDC provisioner:\n"
                "$ step oauth --provider https://login.example.com --client-id 1234 --oidc --bare\n"
                "\n"
                "A token for an API:\n"
                "$ curl -H \"$(step oauth --client-id 1234 --client-secret 5678 --header)\" \\\n"
                "    https://www.googleapis.com/oauth2/v3/userinfo",
    .flag_sets = OAUTH_SETS,
    .rules = OAUTH_RULES,
    .run = run_oauth,
};
