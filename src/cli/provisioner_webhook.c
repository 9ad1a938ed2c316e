/*
 * `step ca provisioner webhook`: webhooks of a provisioner in the authority's ca.json
 * (docs/reference/webhooks.md).  Id and secret are made here; the secret is shown once.
 */
#include "cli/provisioner_edit.h"

#include "base/encode.h"
#include "crypto/secret.h"

#define SECRET_BYTES 64

/* --- The entry ------------------------------------------------------------------------------- */

/* The member, made when it is not there. */
static struct json *member(struct arena *a, struct json *object, const char *name,
                           enum json_kind kind)
{
    struct json *v = (struct json *)json_get(object, name);

    if (v && v->kind == kind)
        return v;
    v = kind == JSON_LIST ? json_make_list(a) : json_make_object(a);
    json_set(object, a, name, v);
    return v;
}

static struct json *find(const struct json *list, struct slice name)
{
    for (struct json *v = list->first; v; v = v->next)
        if (slice_eq(json_text(json_get(v, "name")), name))
            return v;
    return NULL;
}

struct target {
    struct provisioner_file file;
    struct json *entry, *list; /* the provisioner, its webhooks */
    struct json *webhook;      /* the one called like the second argument, or NULL */
};

static bool open_target(struct invocation *inv, struct target *t)
{
    if (!provisioner_file_open(inv, &t->file))
        return false;
    t->entry = provisioner_file_find(inv, &t->file, inv->args[0]);
    if (!t->entry)
        return false;
    t->list = member(inv->arena, member(inv->arena, t->entry, "options", JSON_OBJECT), "webhooks",
                     JSON_LIST);
    t->webhook = find(t->list, inv->args[1]);
    return true;
}

static bool not_found(struct invocation *inv)
{
    return err_set(&inv->err, ERR_NOT_FOUND, "provisioner '%.*s' has no webhook '%.*s'",
                   SLICE_ARG(inv->args[0]), SLICE_ARG(inv->args[1]));
}

/* --- Members --------------------------------------------------------------------------------- */

static void put_flag(struct invocation *inv, struct json *webhook, const char *flag,
                     const char *name)
{
    const char *text = flag_text(inv, flag);

    if (text)
        json_set(webhook, inv->arena, name, json_make_text(inv->arena, slice_text(text)));
}

static bool put_credentials(struct invocation *inv, struct json *webhook)
{
    const char *user = flag_text(inv, "basic-auth-username");
    struct arena *a = inv->arena;
    struct slice token, password;

    if (!password_flag(inv, "bearer-token-file", &token, &inv->err) ||
        !password_flag(inv, "basic-auth-password-file", &password, &inv->err))
        return false;
    if (token.n > 0) {
        json_remove(webhook, "basicAuth");
        json_set(webhook, a, "bearerToken", json_make_text(a, token));
    }
    if (user) {
        struct json *basic = json_make_object(a);
        json_set(basic, a, "username", json_make_text(a, slice_text(user)));
        json_set(basic, a, "password", json_make_text(a, password));
        json_remove(webhook, "bearerToken");
        json_set(webhook, a, "basicAuth", basic);
    }
    return true;
}

static bool put_members(struct invocation *inv, struct json *webhook)
{
    static const char *const ORDER[] = {
        "id",     "name",        "url",       "kind", "certType", "disableTLSClientAuth",
        "secret", "bearerToken", "basicAuth", NULL};

    put_flag(inv, webhook, "url", "url");
    put_flag(inv, webhook, "kind", "kind");
    put_flag(inv, webhook, "cert-type", "certType");
    if (flag_set(inv, "disable-tls-client-auth")) {
        json_remove(webhook, "disableTLSClientAuth");
        if (flag_bool(inv, "disable-tls-client-auth"))
            json_set(webhook, inv->arena, "disableTLSClientAuth", json_make_bool(inv->arena, true));
    }
    if (!put_credentials(inv, webhook))
        return false;
    json_order(webhook, ORDER);
    return true;
}

/* RFC 9562 5.4. */
static struct slice new_id(struct invocation *inv)
{
    uint8_t b[16];

    inv->rng->fill(inv->rng, b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    struct slice hex = hex_text(inv->arena, slice_of(b, sizeof(b)));
    return arena_format(inv->arena, "%.*s-%.*s-%.*s-%.*s-%.*s", SLICE_ARG(slice_sub(hex, 0, 8)),
                        SLICE_ARG(slice_sub(hex, 8, 4)), SLICE_ARG(slice_sub(hex, 12, 4)),
                        SLICE_ARG(slice_sub(hex, 16, 4)), SLICE_ARG(slice_from(hex, 20)));
}

static struct slice new_secret(struct invocation *inv)
{
    uint8_t b[SECRET_BYTES];

    inv->rng->fill(inv->rng, b, sizeof(b));
    struct slice text = base64_text(inv->secrets, BASE64_STD, slice_of(b, sizeof(b)));
    secret_wipe(b, sizeof(b));
    return text;
}

/* --- Commands -------------------------------------------------------------------------------- */

static int run_add(struct invocation *inv)
{
    struct json *webhook = json_make_object(inv->arena);
    struct arena *a = inv->arena;
    struct slice id = new_id(inv), secret = new_secret(inv);
    struct target t;

    if (!open_target(inv, &t))
        return fail(inv);
    if (t.webhook)
        return fail_with(inv, "provisioner '%.*s' has a webhook '%.*s' already",
                         SLICE_ARG(inv->args[0]), SLICE_ARG(inv->args[1]));
    json_set(webhook, a, "id", json_make_text(a, id));
    json_set(webhook, a, "name", json_make_text(a, inv->args[1]));
    json_set(webhook, a, "secret", json_make_text(a, secret));
    if (!put_members(inv, webhook))
        return fail(inv);
    json_append(t.list, webhook);
    if (!provisioner_file_save(inv, &t.file, t.entry))
        return fail(inv);
    out_line(inv, "Webhook ID: %.*s", SLICE_ARG(id));
    out_line(inv, "Secret: %.*s", SLICE_ARG(secret));
    return 0;
}

static int run_update(struct invocation *inv)
{
    struct target t;

    if (!open_target(inv, &t))
        return fail(inv);
    if (!t.webhook && !not_found(inv))
        return fail(inv);
    return put_members(inv, t.webhook) && provisioner_file_save(inv, &t.file, t.entry) ? 0
                                                                                       : fail(inv);
}

static int run_remove(struct invocation *inv)
{
    struct target t;

    if (!open_target(inv, &t))
        return fail(inv);
    if (!t.webhook && !not_found(inv))
        return fail(inv);
    json_remove_item(t.list, t.webhook);
    return provisioner_file_save(inv, &t.file, t.entry) ? 0 : fail(inv);
}

/* --- Tables ---------------------------------------------------------------------------------- */

#define KINDS                                                                                      \
    "ENRICHING asks for data before the certificate's template is run, AUTHORIZING for "           \
    "permission "                                                                                  \
    "before it is signed. SCEPCHALLENGE and NOTIFYING are used by SCEP provisioners only."

static const struct flag COMMON_FLAGS[] = {
    {"url", FLAG_TEXT, "<url>",
     "The https <url> to call. It may hold template actions, such as {{ .Token.sub }}.", NULL,
     FLAG_NO_ENV},
    {"bearer-token-file", FLAG_FILE, "<file>",
     "The <file> with a token that is sent as 'Authorization: Bearer'.", NULL, 0},
    {"basic-auth-username", FLAG_TEXT, "<name>", "The <name> for basic authentication.", NULL, 0},
    {"basic-auth-password-file", FLAG_FILE, "<file>",
     "The <file> with the password for basic authentication.", NULL, 0},
    {"disable-tls-client-auth", FLAG_BOOL, NULL,
     "The authority does not present its certificate to this webhook.", NULL, 0},
    {0}};
static const struct flag ADD_FLAGS[] = {
    {"kind", FLAG_TEXT, "<kind>", "The <kind> of webhook. " KINDS, "ENRICHING", FLAG_NO_ENV},
    {"cert-type", FLAG_TEXT, "<type>",
     "The <type> of certificates it is called for: ALL, X509 or SSH.", "ALL", FLAG_NO_ENV},
    {0}};
static const struct flag UPDATE_FLAGS[] = {
    {"kind", FLAG_TEXT, "<kind>", "The new <kind> of the webhook. " KINDS, NULL, FLAG_NO_ENV},
    {"cert-type", FLAG_TEXT, "<type>",
     "The <type> of certificates it is called for: ALL, X509 or SSH.", NULL, FLAG_NO_ENV},
    {0}};
static const struct flag *const ADD_SETS[] = {COMMON_FLAGS, ADD_FLAGS, FLAGS_CA_CONFIG, FLAGS_CA,
                                              NULL};
static const struct flag *const UPDATE_SETS[] = {COMMON_FLAGS, UPDATE_FLAGS, FLAGS_CA_CONFIG,
                                                 FLAGS_CA, NULL};
static const struct flag *const REMOVE_SETS[] = {FLAGS_CA_CONFIG, FLAGS_CA, NULL};

#define CREDENTIAL_RULES                                                                           \
    {RULE_EXCLUDES, "bearer-token-file", "basic-auth-username"},                                   \
        {RULE_NEEDS, "basic-auth-username", "basic-auth-password-file"},                           \
    {                                                                                              \
        RULE_NEEDS, "basic-auth-password-file", "basic-auth-username"                              \
    }
static const struct flag_rule ADD_RULES[] = {{RULE_REQUIRED, "url", NULL}, CREDENTIAL_RULES, {0}};
static const struct flag_rule UPDATE_RULES[] = {CREDENTIAL_RULES, {0}};

#define ARGUMENTS                                                                                  \
    "provisioner\tThe name of the provisioner.\n"                                                  \
    "name\tThe name of the webhook, under which templates find its data."

static const struct command ADD = {
    .name = "add",
    .summary = "add a webhook to a provisioner",
    .synopsis = "<provisioner> <name>",
    .description =
        "Adds a webhook to a provisioner in the authority's configuration file, and prints its "
        "identifier and its secret. The webhook's server needs both to know that a request comes "
        "from this authority; the secret is not shown again.",
    .arguments = ARGUMENTS,
    .examples =
        "Ask a directory who somebody is:\n"
        "$ step ca provisioner webhook add ops people --url https://people.internal/hook\n\n"
        "Ask for permission, with a token:\n"
        "$ step ca provisioner webhook add ops gate --kind AUTHORIZING \\\n"
        "  --url https://gate.internal/x509 --bearer-token-file token.txt",
    .flag_sets = ADD_SETS,
    .rules = ADD_RULES,
    .least = 2,
    .most = 2,
    .run = run_add,
};
static const struct command UPDATE = {
    .name = "update",
    .summary = "change a webhook of a provisioner",
    .synopsis = "<provisioner> <name>",
    .description = "Changes what flags speak of; identifier and secret stay as they are.",
    .arguments = ARGUMENTS,
    .examples = "$ step ca provisioner webhook update ops people --url "
                "https://people2.internal/hook",
    .flag_sets = UPDATE_SETS,
    .rules = UPDATE_RULES,
    .least = 2,
    .most = 2,
    .run = run_update,
};
static const struct command REMOVE = {
    .name = "remove",
    .summary = "remove a webhook from a provisioner",
    .synopsis = "<provisioner> <name>",
    .description = "Removes a webhook from a provisioner in the authority's configuration file.",
    .arguments = ARGUMENTS,
    .examples = "$ step ca provisioner webhook remove ops people",
    .flag_sets = REMOVE_SETS,
    .least = 2,
    .most = 2,
    .run = run_remove,
};
static const struct command *const SUB[] = {&ADD, &UPDATE, &REMOVE, NULL};

const struct command CMD_CA_PROVISIONER_WEBHOOK = {
    .name = "webhook",
    .summary = "manage the webhooks of a provisioner",
    .description =
        "A webhook is a server that the authority asks when it issues certificates: for data that "
        "the certificate's template uses, or for permission. The authority has to be told to read "
        "its configuration again (signal SIGHUP) or restarted after a change.",
    .sub = SUB,
};
