/*
 * `step api token create`: trades a client certificate for a token of a management service.  There
 * is no service of ours behind it: --api-url says which one.  And `step beta ca acme`, an old name
 * that scripts still use.
 */
#include "base/encode.h"
#include "base/uri.h"
#include "cli/ca_common.h"
#include "cli/download.h"
#include "cli/tree.h"

#define REQUEST_MAX (1u << 20)

static const char *const KEY_PASSWORDS[] = {"password-file", NULL};

/* 8-4-4-4-12 hexadecimal digits. */
static bool is_uuid(struct slice text)
{
    if (text.n != 36)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool digit = (text.p[i] >= '0' && text.p[i] <= '9') ||
                     ((text.p[i] | 0x20) >= 'a' && (text.p[i] | 0x20) <= 'f');
        if (dash ? text.p[i] != '-' : !digit)
            return false;
    }
    return true;
}

static struct slice request_body(struct invocation *inv, const struct ca_held *held)
{
    struct arena *a = inv->arena;
    struct json *o = json_make_object(a), *bundle = json_make_list(a);
    struct buf b = buf_new(a, REQUEST_MAX);
    const char *audience = ca_cmd_text(inv, "audience");

    json_set(o, a, is_uuid(inv->args[0]) ? "teamID" : "teamSlug", json_make_text(a, inv->args[0]));
    for (size_t i = 0; i < held->chain.n; i++)
        json_append(bundle, json_make_text(a, base64_text(a, BASE64_STD, held->chain.v[i]->der)));
    json_set(o, a, "bundle", bundle);
    if (audience)
        json_set(o, a, "audience", json_make_text(a, slice_text(audience)));
    json_print(&b, o, NULL);
    return buf_slice(&b);
}

static bool service_url(struct invocation *inv, struct slice *url)
{
    const char *given = ca_cmd_text(inv, "api-url");
    struct slice text = slice_text(given);
    struct uri u;

    if (!given)
        return ca_cmd_required(inv, "api-url");
    if (!uri_read(inv->arena, text, &u, NULL) || !slice_is(u.scheme, "https") || !u.host.n)
        return ca_cmd_bad_value(inv, "api-url", given, "expected an https:// address");
    while (slice_ends(text, "/"))
        text.n--;
    *url = arena_format(inv->arena, "%.*s/api/auth", SLICE_ARG(text));
    return true;
}

static bool take_answer(struct invocation *inv, const struct http_reply *reply, struct slice *token)
{
    const struct json *o = json_read(inv->arena, reply->body, &JSON_API, NULL, NULL);
    struct slice message = json_text(json_get(o, "message"));

    *token = json_text(json_get(o, "token"));
    if (reply->status == 201 && token->n)
        return true;
    if (reply->status == 201)
        return err_set(&inv->err, ERR_MALFORMED, "the service's answer has no token");
    return err_set(&inv->err, ERR_UNAVAILABLE, "the service answered with status %d%s%.*s",
                   reply->status, message.n ? ": " : "", SLICE_ARG(message));
}

static int run_create(struct invocation *inv)
{
    struct http_call call = {.method = HTTP_POST};
    struct http_client *http = download_client(inv);
    struct http_reply reply;
    struct ca_held held;
    struct slice token;

    if (!service_url(inv, &call.url) ||
        !ca_held_load(inv, arg_text(inv, 1), arg_text(inv, 2), KEY_PASSWORDS, &held))
        return fail(inv);
    call.identity = &held.identity;
    call.body = request_body(inv, &held);
    http_fields_add(&call.fields, inv->arena, "Content-Type", SLICE("application/json"));
    if (!http->call(http, &call, inv->arena, &reply, deadline_in(inv->clock, DOWNLOAD_NS),
                    &inv->err) ||
        !take_answer(inv, &reply, &token))
        return fail(inv);
    note(inv, "Token successfully generated");
    out_line(inv, "%.*s", SLICE_ARG(token));
    return 0;
}

static const struct flag CREATE_FLAGS[] = {
    {"api-url", FLAG_TEXT, "<url>", "The https:// address of the service. Required.", NULL, 0},
    {"audience", FLAG_TEXT, "<name>", "Whom the token is for.", NULL, 0},
    {0}};
static const struct flag *const CREATE_SETS[] = {CREATE_FLAGS, FLAGS_PASSWORD, NULL};

static const struct command CMD_TOKEN_CREATE = {
    .name = "create",
    .summary = "get a token of a management service for a client certificate",
    .synopsis = "<team> <crt-file> <key-file>",
    .description = "Shows a client certificate to a management service and prints the token that "
                   "it gives. The certificate of the service must verify under the roots of the "
                   "system.",
    .arguments = "team\tThe name of a team at the service, or its number (a UUID).\n"
                 "crt-file\tThe file with the client certificate and its chain (PEM).\n"
                 "key-file\tThe file with its private key.",
    .examples = "A token for an API:\n"
                "$ step api token create --api-url https://manage.example.com ops web.crt web.key\n"
                "\n"
                "For another audience:\n"
                "$ step api token create --api-url https://manage.example.com --audience other \\\n"
                "    ops web.crt web.key",
    .flag_sets = CREATE_SETS,
    .least = 3,
    .most = 3,
    .run = run_create,
};
static const struct command *const TOKEN_SUB[] = {&CMD_TOKEN_CREATE, NULL};
static const struct command CMD_TOKEN = {
    .name = "token",
    .summary = "tokens of a management service",
    .description = "Tokens for the API of a management service.",
    .sub = TOKEN_SUB,
};
static const struct command *const API_SUB[] = {&CMD_TOKEN, NULL};
const struct command CMD_API = {
    .name = "api",
    .summary = "authenticate to the API of a management service",
    .description = "Gets what the API of a management service asks for.",
    .sub = API_SUB,
};

/* --- step beta ------------------------------------------------------------------------------- */

extern const struct command CMD_CA_ACME; /* acme_eab.c */
static const struct command *const BETA_CA_SUB[] = {&CMD_CA_ACME, NULL};
static const struct command CMD_BETA_CA = {
    .name = "ca",
    .summary = "commands of 'step ca' by their old names",
    .description = "The same as the commands of these names below 'step ca'.",
    .sub = BETA_CA_SUB,
};
static const struct command *const BETA_SUB[] = {&CMD_BETA_CA, NULL};
const struct command CMD_BETA = {
    .name = "beta",
    .summary = "commands by their old names",
    .description = "Commands that once were new here and have found another place; scripts can "
                   "still use these names.",
    .sub = BETA_SUB,
    .hidden = true,
};
