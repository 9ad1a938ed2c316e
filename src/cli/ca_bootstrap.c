/*
 * `step ca bootstrap`: from an address and a fingerprint to a configuration that every other
 * command uses.
 *
 * The root is fetched over a connection that proves nothing; only its digest does.  Nothing is
 * written before the digest was right.
 */
#include "base/file.h"
#include "base/uri.h"
#include "cli/ca_common.h"
#include "cli/truststore.h"
#include "client/contexts.h"

#define DEFAULTS_MAX (64u << 10)
#define TEAM_MAX     (64u << 10)

struct boot {
    struct invocation *inv;
    struct slice typed_url, fingerprint; /* as they will stand in the defaults */
    struct slice redirect, provisioner;
    int64_t password_length; /* 0: not said */
    struct slice url;
    struct cert *root;
    struct context context; /* name empty: contexts are not in use */
    struct contexts contexts;
    struct steppath target;
};

/* --- A team's description (an address that an operator publishes) ---------------------------- */

static struct slice team_url(struct arena *a, struct slice pattern, struct slice team)
{
    size_t at = slice_search(pattern, SLICE("<>"));
    struct slice id = uri_escape_segment(a, team);

    if (at == pattern.n)
        return pattern;
    return arena_format(a, "%.*s%.*s%.*s", SLICE_ARG(slice_sub(pattern, 0, at)), SLICE_ARG(id),
                        SLICE_ARG(slice_from(pattern, at + 2)));
}

static bool fetch_team(struct boot *b, struct slice url, struct json **reply)
{
    struct invocation *inv = b->inv;
    struct http_client *http = ca_cmd_http(inv);
    struct trust public_trust = {.kind = TRUST_SYSTEM};
    struct http_call call = {
        .method = HTTP_GET, .url = url, .trust = &public_trust, .max_reply = TEAM_MAX};
    struct http_reply r = {0};

    if (!slice_starts(url, "https://"))
        return ca_cmd_bad_value(inv, "team-url", flag_text(inv, "team-url"),
                                "must have https scheme");
    if (!http->call(http, &call, inv->arena, &r, deadline_in(inv->clock, 60 * NS_PER_SEC),
                    &inv->err))
        return err_wrap(&inv->err, "GET %.*s", SLICE_ARG(url));
    if (r.status != 200)
        return err_set(&inv->err, err_kind_of_status(r.status), "GET %.*s: status %d",
                       SLICE_ARG(url), r.status);
    *reply = json_read(inv->arena, r.body, &JSON_API, NULL, &inv->err);
    return *reply || err_wrap(&inv->err, "GET %.*s", SLICE_ARG(url));
}

static bool take_team(struct boot *b, const char *team)
{
    struct invocation *inv = b->inv;
    const char *pattern = ca_cmd_text(inv, "team-url"),
               *authority = ca_cmd_text(inv, "team-authority");
    struct json *reply = NULL;

    if (!pattern)
        return err_set(&inv->err, ERR_MALFORMED,
                       "flag '--team' requires the '--team-url' flag: the address at which the "
                       "operator of the CA describes it");
    if (!fetch_team(b, team_url(inv->arena, slice_text(pattern), slice_text(team)), &reply))
        return false;
    b->typed_url = json_text(json_get(reply, "url"));
    b->fingerprint = json_text(json_get(reply, "fingerprint"));
    b->provisioner = json_text(json_get(reply, "provisioner"));
    if (!b->redirect.n)
        b->redirect = json_text(json_get(reply, "redirect-url"));
    if (!json_int(json_get(reply, "min-password-length"), &b->password_length))
        b->password_length = 0;
    b->context.name = arena_format(inv->arena, "%s.%s", authority ? authority : "ssh", team);
    return (b->typed_url.n && b->fingerprint.n) ||
           err_set(&inv->err, ERR_MALFORMED,
                   "team '%s': expected a url and a fingerprint, found neither or one", team);
}

/* --- Where it will stand --------------------------------------------------------------------- */

static struct slice host_of(struct slice url)
{
    struct slice rest = slice_from(url, slice_search(url, SLICE("://")) + 3);

    if (rest.n && rest.p[0] == '[')
        return slice_sub(rest, 1, slice_find(rest, ']') - 1);
    return slice_sub(rest, 0, slice_find(rest, ':'));
}

static bool choose_context(struct boot *b)
{
    struct invocation *inv = b->inv;
    const char *name = ca_cmd_text(inv, "context"), *authority = ca_cmd_text(inv, "authority"),
               *profile = ca_cmd_text(inv, "profile");

    b->target = inv->steppath;
    if (!contexts_load(inv->arena, &inv->steppath, &b->contexts, &inv->err))
        return false;
    if (!b->contexts.enabled && !name && !authority && !profile) {
        b->context.name = SLICE_NONE;
        return steppath_select(inv->arena, &b->target, NULL, NULL, NULL, &inv->err);
    }
    if (name)
        b->context.name = slice_text(name);
    else if (!b->context.name.n)
        b->context.name = authority ? slice_text(authority) : host_of(b->url);
    b->context.authority = authority ? slice_text(authority) : b->context.name;
    b->context.profile = profile ? slice_text(profile) : b->context.name;
    return steppath_select(inv->arena, &b->target, arena_cstr(inv->arena, b->context.name),
                           arena_cstr(inv->arena, b->context.authority),
                           arena_cstr(inv->arena, b->context.profile), &inv->err);
}

static void hint_at_contexts(const struct boot *b)
{
    const char *ca = path_join(b->inv->arena, b->inv->steppath.base, "config/ca.json");

    if (b->context.name.n || !file_exists(ca))
        return;
    note(b->inv,
         "%s has a CA of its own. With '--context <name>' the configuration of another CA is kept "
         "apart from it.",
         b->inv->steppath.base);
}

/* --- Writing --------------------------------------------------------------------------------- */

static void member(struct json *object, struct arena *a, const char *name, struct slice text)
{
    if (text.n)
        json_set_exact(object, a, name, json_make_text(a, text));
}

static struct slice defaults_text(struct boot *b, const char *root_path)
{
    struct arena *a = b->inv->arena;
    struct json *object = json_make_object(a);
    struct buf text = buf_new(a, DEFAULTS_MAX);

    member(object, a, "ca-url", b->typed_url);
    member(object, a, "fingerprint", b->fingerprint);
    member(object, a, "root", slice_text(root_path));
    member(object, a, "redirect-url", b->redirect);
    member(object, a, "provisioner", b->provisioner);
    if (b->password_length > 0)
        json_set_exact(object, a, "min-password-length", json_make_int(a, b->password_length));
    json_print(&text, object, "  ");
    return buf_slice(&text);
}

static bool write_profile(struct boot *b)
{
    struct invocation *inv = b->inv;
    const char *dir = path_join(inv->arena, b->target.profile_path, "config");
    const char *file = path_join(inv->arena, dir, "defaults.json");

    if (!b->context.name.n || file_exists(file))
        return true;
    if (!dir_make(dir, 0700, &inv->err) || !write_result(inv, file, SLICE("{}"), 0600, &inv->err))
        return false;
    note(inv, "The profile configuration has been saved in %s.", file);
    return true;
}

static bool write_context(struct boot *b)
{
    struct invocation *inv = b->inv;

    if (!b->context.name.n)
        return true;
    return contexts_put(inv->arena, &inv->steppath, &b->contexts, &b->context, &inv->err) &&
           contexts_select(inv->arena, &inv->steppath, &b->contexts, b->context.name, &inv->err);
}

static bool write_files(struct boot *b)
{
    struct invocation *inv = b->inv;
    const char *root, *certs = path_join(inv->arena, b->target.path, "certs");
    const char *config = path_join(inv->arena, b->target.path, "config");
    const char *defaults = path_join(inv->arena, config, "defaults.json");
    char *absolute;

    root = path_join(inv->arena, certs, "root_ca.crt");
    if (!path_absolute(inv->arena, root, &absolute, &inv->err) ||
        !may_write(inv, root, &inv->err) || !may_write(inv, defaults, &inv->err) ||
        !dir_make(certs, 0700, &inv->err) || !dir_make(config, 0700, &inv->err))
        return false;
    if (!write_result(inv, root, cert_pem(inv->arena, b->root->der), 0600, &inv->err))
        return false;
    note(inv, "The root certificate has been saved in %s.", root);
    if (!write_result(inv, defaults, defaults_text(b, absolute), 0644, &inv->err))
        return false;
    note(inv, "The authority configuration has been saved in %s.", defaults);
    return write_profile(b) && write_context(b);
}

/* --- The command ----------------------------------------------------------------------------- */

static bool read_flags(struct boot *b)
{
    struct invocation *inv = b->inv;
    const char *url = ca_cmd_text(inv, "ca-url"), *team = ca_cmd_text(inv, "team"),
               *fingerprint = ca_cmd_text(inv, "fingerprint");
    struct err why = {0};

    b->redirect = slice_text(ca_cmd_text(inv, "redirect-url"));
    b->typed_url = slice_text(url);
    b->fingerprint = slice_text(fingerprint);
    if (team && !take_team(b, team))
        return false;
    if (!team && !url)
        return ca_cmd_required(inv, "ca-url");
    if (!team && !fingerprint)
        return ca_cmd_required(inv, "fingerprint");
    if (ca_url_read(inv->arena, b->typed_url, &b->url, &why)) {
        b->typed_url = b->url;
        return true;
    }
    return ca_cmd_bad_value(inv, "ca-url", arena_cstr(inv->arena, b->typed_url), why.text);
}

static int run_bootstrap(struct invocation *inv)
{
    struct boot b = {.inv = inv};

    if (!read_flags(&b) ||
        !ca_root_by_fingerprint(ca_cmd_http(inv), inv->arena, b.url, b.fingerprint, &b.root,
                                &inv->err) ||
        !choose_context(&b) || !write_files(&b))
        return fail(inv);
    hint_at_contexts(&b);
    if (flag_bool(inv, "install") && !truststore_install(inv, b.root))
        return fail(inv);
    return 0;
}

static const struct flag BOOTSTRAP_FLAGS[] = {
    {"ca-url", FLAG_TEXT, "<uri>", "The <uri> of the certificate authority.", NULL, 0},
    {"fingerprint", FLAG_TEXT, "<fingerprint>",
     "The SHA-256 <fingerprint> of the root certificate, from the operator of the CA.", NULL, 0},
    {"install", FLAG_BOOL, NULL,
     "Also install the root certificate in the trust store of the system.", NULL, 0},
    {"redirect-url", FLAG_TEXT, "<url>",
     "Where the browser goes after a login with an OIDC provisioner.", NULL, 0},
    {"context", FLAG_TEXT, "<name>",
     "Keep the configuration in a context of this <name> and select it. Default with contexts: the "
     "host name of the CA.",
     NULL, 0},
    {"profile", FLAG_TEXT, "<name>", "The <name> of the context's profile. Default: the context's.",
     NULL, 0},
    {"authority", FLAG_TEXT, "<name>",
     "The <name> of the context's authority. Default: the context's.", NULL, 0},
    {"team", FLAG_TEXT, "<id>", "The <id> of a team whose CA is described at --team-url.", NULL,
     FLAG_HIDDEN},
    {"team-authority", FLAG_TEXT, "<name>", "The <name> of the team's authority.", NULL,
     FLAG_HIDDEN},
    {"team-url", FLAG_TEXT, "<url>", "Where teams are described; <> stands for the team's id.",
     NULL, FLAG_HIDDEN},
    {0}};
static const struct flag *const BOOTSTRAP_SETS[] = {BOOTSTRAP_FLAGS, FLAGS_FORCE, NULL};
static const struct flag_rule BOOTSTRAP_RULES[] = {{RULE_EXCLUDES, "team", "ca-url"},
                                                   {RULE_EXCLUDES, "team", "fingerprint"},
                                                   {RULE_NEEDS, "team-authority", "team"},
                                                   {0}};

const struct command CMD_CA_BOOTSTRAP = {
    .name = "bootstrap",
    .summary = "trust a CA and make it the one that commands talk to",
    .synopsis = "",
    .description =
        "Downloads the root certificate of a CA, checks that it has the fingerprint that was "
        "given, and writes it together with the CA's address to the step path, where all other "
        "commands find them.\n\n"
        "The fingerprint must come from the operator of the CA on another way than the network: it "
        "is what proves that this is the right CA.",
    .examples = "Trust a CA:\n"
                "$ step ca bootstrap --ca-url https://ca.example.internal:9000 \\\n"
                "  --fingerprint c8d3f2…\n\n"
                "Trust a second one in a context of its own:\n"
                "$ step ca bootstrap --context staging --ca-url https://ca.staging.internal \\\n"
                "  --fingerprint 1a2b3c…",
    .flag_sets = BOOTSTRAP_SETS,
    .rules = BOOTSTRAP_RULES,
    .run = run_bootstrap,
    .no_defaults = true,
};
