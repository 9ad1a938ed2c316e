/* Template -> text -> JSON -> SSH certificate. */
#include "authority/ssh_template.h"

#include "authority/template_part.h"
#include "authority/webhook.h"

/* --- Variables ------------------------------------------------------------------------------- */

static bool key_type(struct trun *run, const struct tvalue *self, const struct tvalue *args,
                     struct tvalue *out)
{
    const struct ssh_key *k = self->self;

    (void)run, (void)args;
    *out = tvalue_text(slice_text(ssh_key_type_name(k->kind)));
    return true;
}

static bool key_marshal(struct trun *run, const struct tvalue *self, const struct tvalue *args,
                        struct tvalue *out)
{
    const struct ssh_key *k = self->self;

    (void)run, (void)args;
    *out = tvalue_bytes(k->blob);
    return true;
}

static const struct tmethod KEY_METHODS[] = {{"Marshal", "", key_marshal}, {"Type", "", key_type}};
static const struct ttype KEY_TYPE = {.name = "ssh.PublicKey",
                                      .kind = "ptr",
                                      .is = T_OBJECT,
                                      .methods = KEY_METHODS,
                                      .n_methods = COUNT_OF(KEY_METHODS)};

struct tvalue tobject_ssh_key(const struct ssh_key *k)
{
    return tvalue_object(&KEY_TYPE, k);
}

#define GET(name) static bool name(struct trun *run UNUSED, const void *self, struct tvalue *out)

GET(request_key)
{
    *out = tobject_ssh_key(&((const struct ssh_request *)self)->key);
    return true;
}

GET(request_type)
{
    *out = tvalue_text(((const struct ssh_request *)self)->wish.type);
    return true;
}

GET(request_key_id)
{
    *out = tvalue_text(((const struct ssh_request *)self)->wish.key_id);
    return true;
}

static struct tvalue texts(struct arena *a, const struct ssh_wish *w)
{
    if (w->n_principals == 0)
        return (struct tvalue){.kind = T_LIST, .type = &TTYPE_TEXTS};
    return tvalue_texts(a, &TTYPE_TEXTS, w->principals, w->n_principals);
}

GET(request_principals)
{
    *out = texts(trun_arena(run), &((const struct ssh_request *)self)->wish);
    return true;
}

static const struct tfield REQUEST_FIELDS[] = {
    {"Key", NULL, false, request_key},
    {"Type", "Type", false, request_type},
    {"KeyID", "KeyID", false, request_key_id},
    {"Principals", "Principals", false, request_principals}};
static const struct ttype REQUEST_TYPE = {.name = "sshutil.CertificateRequest",
                                          .kind = "struct",
                                          .is = T_OBJECT,
                                          .fields = REQUEST_FIELDS,
                                          .n_fields = COUNT_OF(REQUEST_FIELDS)};

static struct tvalue extensions(struct arena *a, struct slice type)
{
    struct tvalue map = {.kind = T_MAP, .type = &TTYPE_MAP};

    if (!slice_is(type, "user"))
        return map;
    map = tvalue_map(a, &TTYPE_MAP);
    for (size_t i = 0; i < SSH_USER_EXTENSIONS.n; i++)
        tmap_set(map.map, a, SSH_USER_EXTENSIONS.v[i].name, tvalue_text(SLICE("")));
    return map;
}

struct tvalue template_data_ssh(struct arena *a, const struct template_inputs *in,
                                const struct ssh_wish *granted)
{
    struct tvalue data = tvalue_map(a, &TTYPE_MAP);

    template_set(a, &data, "Type", tvalue_text(granted->type));
    template_set(a, &data, "KeyID", tvalue_text(granted->key_id));
    template_set(a, &data, "Principals", texts(a, granted));
    template_set(a, &data, "Extensions", extensions(a, granted->type));
    template_set_common(a, &data, in);
    return data;
}

void template_data_ssh_request(struct arena *a, struct tvalue *data, const struct ssh_request *r)
{
    template_set_insecure(a, data, "CR", tvalue_object(&REQUEST_TYPE, r));
}

/* --- Without a template ---------------------------------------------------------------------- */

#define HEAD(type, key_id, principals)                                                             \
    "{\"keyId\":{{toJson " key_id "}},\"type\":{{toJson " type                                     \
    "}},\"principals\":{{toJson " principals "}},"
#define OPTIONS(extensions)                                                                        \
    "\"criticalOptions\":{{toJson .CriticalOptions}},\"extensions\":{{toJson " extensions "}}}"
/* What .Extensions holds for users, where the grant is not about one. */
#define FIVE                                                                                       \
    "(dict \"permit-X11-forwarding\" \"\" \"permit-agent-forwarding\" \"\" "                       \
    "\"permit-port-forwarding\" \"\" \"permit-pty\" \"\" \"permit-user-rc\" \"\")"

#define FOR_USERS "{{if eq .Insecure.CR.Type \"user\"}}"
#define ELSE_NONE "{{else}}\"extensions\":null}{{end}}"

#define SOME_PRINCIPALS "(or .Insecure.CR.Principals .Principals)"
#define AS_ASKED                                                                                   \
    HEAD(".Insecure.CR.Type", ".Insecure.CR.KeyID", ".Insecure.CR.Principals")                     \
    FOR_USERS OPTIONS("(or .Extensions " FIVE ")") ELSE_NONE

const char *const SSH_TEMPLATES[] = {
    [SSH_AS_GRANTED] = HEAD(".Type", ".KeyID", ".Principals") OPTIONS(".Extensions"),
    [SSH_AS_ASKED] = AS_ASKED,
    [SSH_PRINCIPALS_ASKED] = HEAD(".Type", ".KeyID", SOME_PRINCIPALS) OPTIONS(".Extensions"),
};

static bool replaces_usual(const struct json *data)
{
    static const char *const NAMES[] = {"Type",       "KeyID",           "Principals",
                                        "Extensions", "CriticalOptions", "Insecure"};

    for (size_t i = 0; data && i < COUNT_OF(NAMES); i++) {
        if (json_get_exact(data, NAMES[i]))
            return true;
    }
    return false;
}

bool ssh_template_wanted(const struct grant *g)
{
    const struct cert_template *t = g->by->ssh;

    return t && (t->parsed || t->file || t->trouble.kind != ERR_NONE || replaces_usual(t->data));
}

void ssh_from_grant(const struct grant *g, const struct ssh_wish *granted,
                    const struct ssh_request *r, struct ssh_cert_json *out)
{
    enum ssh_fallback how = g->ssh.fallback;
    const struct ssh_wish *base = how == SSH_AS_ASKED ? &r->wish : granted;
    bool asked = how == SSH_PRINCIPALS_ASKED && r->wish.n_principals > 0;
    const struct ssh_wish *names = asked ? &r->wish : base;

    *out = (struct ssh_cert_json){0};
    out->cert.type = slice_is(base->type, "host") ? SSH_HOST : SSH_USER;
    out->cert.key_id = base->key_id;
    out->cert.principals = (struct slice *)names->principals;
    out->cert.n_principals = names->n_principals;
    if (out->cert.type == SSH_USER)
        out->cert.extensions = SSH_USER_EXTENSIONS;
}

/* --- By template ----------------------------------------------------------------------------- */

bool ssh_template_run(struct arena *a, const struct template *t, const struct tvalue *data,
                      struct ssh_cert_json *out, struct err *e)
{
    const struct json *v;

    return template_run_json(a, t, data, &v, e) &&
           (ssh_cert_from_json(a, v, out, e) || template_no_certificate(e));
}

static bool open_template(struct work *w, const struct grant *g, const struct template **out,
                          bool *usual)
{
    static const struct template_options PLAIN = {.set = TEMPLATE_SSH};

    if (!cert_template_open(g->by->ssh, w->arena, out, &w->err))
        return false;
    *usual = !*out;
    if (*usual)
        *out = template_parse(w->arena, "template", slice_text(SSH_TEMPLATES[g->ssh.fallback]),
                              &PLAIN, &w->err);
    return *out;
}

static bool enrich(struct work *w, const struct grant *g, const struct ssh_request *r,
                   struct tvalue *data)
{
    struct webhook_ssh asked = {.request = true,
                                .public_key = r->key.blob,
                                .type = r->wish.type,
                                .key_id = r->wish.key_id,
                                .principals = r->wish.principals,
                                .n_principals = r->wish.n_principals};

    return webhooks_enrich(w, g, &(struct webhook_subject){.ssh = &asked}, data);
}

static bool by_template(struct work *w, const struct grant *g, const struct ssh_wish *granted,
                        const struct ssh_request *r, struct tvalue *data, struct ssh_cert_json *out)
{
    const struct template *t;
    bool usual;

    if (!open_template(w, g, &t, &usual))
        return false;
    struct template_inputs in = {
        .grant = g, .data = g->by->ssh->data, .user = usual ? NULL : r->user};
    *data = template_data_ssh(w->arena, &in, granted);
    if (!enrich(w, g, r, data))
        return false;
    template_data_ssh_request(w->arena, data, r);
    return ssh_template_run(w->arena, t, data, out, &w->err);
}

/* What enriching webhooks say is of no use then, but they may refuse. */
static bool directly(struct work *w, const struct grant *g, const struct ssh_wish *granted,
                     const struct ssh_request *r, struct tvalue *data, struct ssh_cert_json *out)
{
    struct template_inputs in = {.grant = g, .data = g->by->ssh ? g->by->ssh->data : NULL};

    ssh_from_grant(g, granted, r, out);
    if (g->by->webhooks.n == 0)
        return true;
    *data = template_data_ssh(w->arena, &in, granted);
    if (!enrich(w, g, r, data))
        return false;
    template_data_ssh_request(w->arena, data, r);
    return true;
}

bool ssh_shape(struct work *w, const struct grant *g, const struct ssh_wish *granted,
               const struct ssh_request *r, struct tvalue *data, struct ssh_cert_json *out)
{
    return ssh_template_wanted(g) ? by_template(w, g, granted, r, data, out)
                                  : directly(w, g, granted, r, data, out);
}
