/*
 * The token of an OIDC provisioner: whoever asks logs in at the provider that the provisioner
 * names, and the identity token goes to the CA as it is.
 *
 * The variables STEP_LISTEN, STEP_LISTEN_URL, STEP_CONSOLE_FLOW and STEP_BROWSER say what the flags
 * of `step oauth` say.
 */
#include <stdlib.h>

#include "cli/ca_common.h"
#include "cli/oauth.h"

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static const char *member(struct arena *a, const struct json *provisioner, const char *name)
{
    struct slice text = json_text(json_get(provisioner, name));

    return text.n ? arena_cstr(a, text) : NULL;
}

static const struct slice *members(struct arena *a, const struct json *provisioner,
                                   const char *name, size_t *n)
{
    const struct json *list = json_get(provisioner, name);
    struct slice *texts = arena_array(a, list ? list->n + 1 : 1, sizeof(*texts));

    *n = 0;
    if (!list || list->kind != JSON_LIST)
        return texts;
    for (const struct json *v = list->first; v; v = v->next)
        if (v->kind == JSON_TEXT)
            texts[(*n)++] = v->text;
    return texts;
}

static bool choose_flow(struct invocation *inv, enum oauth_flow *flow)
{
    const char *name = variable("STEP_CONSOLE_FLOW");

    *flow = flag_listed(inv, "console") && flag_bool(inv, "console") ? OAUTH_DEVICE : OAUTH_BROWSER;
    if (!name)
        return true;
    bool device = slice_is_case(slice_text(name), "device");
    *flow = device ? OAUTH_DEVICE : OAUTH_OOB;
    return device || slice_is_case(slice_text(name), "oob") ||
           err_set(&inv->err, ERR_MALFORMED,
                   "invalid value '%s' of the variable STEP_CONSOLE_FLOW; options are device, oob",
                   name);
}

bool token_by_login(struct invocation *inv, const struct json *provisioner, struct slice *token)
{
    struct arena *a = inv->arena;
    const char *listen = variable("STEP_LISTEN");
    struct oauth_wish wish = {
        .provider = member(a, provisioner, "configurationEndpoint"),
        .client_id = member(a, provisioner, "clientID"),
        .client_secret = member(a, provisioner, "clientSecret"),
        .listen = listen ? listen : member(a, provisioner, "listenAddress"),
        .listen_url = variable("STEP_LISTEN_URL"),
        .browser = variable("STEP_BROWSER"),
    };
    struct oauth_token tokens;
    struct slice name = json_text(json_get(provisioner, "name"));

    wish.scopes = members(a, provisioner, "scopes", &wish.n_scopes);
    wish.params = members(a, provisioner, "authParams", &wish.n_params);
    if (!wish.client_secret)
        wish.client_secret = "";
    if (!wish.provider || !wish.client_id)
        return err_set(&inv->err, ERR_MALFORMED,
                       "provisioner '%.*s' has no configurationEndpoint or no clientID",
                       SLICE_ARG(name));
    if (!choose_flow(inv, &wish.flow) || !oauth_get(inv, &wish, &tokens))
        return err_wrap(&inv->err, "provisioner '%.*s'", SLICE_ARG(name));
    *token = tokens.id;
    return token->n > 0 ||
           err_set(&inv->err, ERR_UNAVAILABLE,
                   "provisioner '%.*s': the provider gave no identity token", SLICE_ARG(name));
}
