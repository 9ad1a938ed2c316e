/* The table of provisioner types, and how one element of authority.provisioners becomes a
 * provisioner. */
#include "provisioner/internal.h"

const struct provisioner_type *const PROVISIONER_TYPES[] = {
    &PROVISIONER_JWK,    &PROVISIONER_OIDC, &PROVISIONER_GCP,    &PROVISIONER_AWS,
    &PROVISIONER_AZURE,  &PROVISIONER_ACME, &PROVISIONER_X5C,    &PROVISIONER_K8SSA,
    &PROVISIONER_SSHPOP, &PROVISIONER_SCEP, &PROVISIONER_NEBULA, NULL,
};

const struct provisioner_type *provisioner_type_find(struct slice name)
{
    for (size_t i = 0; PROVISIONER_TYPES[i]; i++) {
        if (slice_is_case(name, PROVISIONER_TYPES[i]->name))
            return PROVISIONER_TYPES[i];
    }
    return NULL;
}

const struct provisioner_type *provisioner_type_numbered(int64_t number)
{
    for (size_t i = 0; PROVISIONER_TYPES[i]; i++) {
        if (PROVISIONER_TYPES[i]->number == number)
            return PROVISIONER_TYPES[i];
    }
    return NULL;
}

#define AT(member) offsetof(struct options_template, member)
static const struct field TEMPLATE_FIELDS[] = {
    {"template", FIELD_TEXT, AT(text), FIELD_OMIT_EMPTY, NULL},
    {"templateFile", FIELD_TEXT, AT(file), FIELD_OMIT_EMPTY, NULL},
    {"templateData", FIELD_RAW, AT(data), FIELD_OMIT_EMPTY, NULL},
};
#undef AT
static const struct shape TEMPLATE_SHAPE = {"template options", sizeof(struct options_template),
                                            TEMPLATE_FIELDS, COUNT_OF(TEMPLATE_FIELDS), false};
#define AT(member) offsetof(struct wire_config, member)
static const struct field WIRE_PROVIDER_FIELDS[] = {
    {"discoveryBaseUrl", FIELD_TEXT, AT(discovery_base_url), FIELD_OMIT_EMPTY, NULL},
    {"issuerUrl", FIELD_TEXT, AT(issuer_url), FIELD_OMIT_EMPTY, NULL},
    {"authorizationUrl", FIELD_TEXT, AT(authorization_url), FIELD_OMIT_EMPTY, NULL},
    {"tokenUrl", FIELD_TEXT, AT(token_url), FIELD_OMIT_EMPTY, NULL},
    {"jwksUrl", FIELD_TEXT, AT(jwks_url), FIELD_OMIT_EMPTY, NULL},
    {"userInfoUrl", FIELD_TEXT, AT(user_info_url), FIELD_OMIT_EMPTY, NULL},
    {"signatureAlgorithms", FIELD_TEXTS, AT(algorithms), FIELD_OMIT_EMPTY, NULL},
};
static const struct field WIRE_CONFIG_FIELDS[] = {
    {"clientId", FIELD_TEXT, AT(client_id), FIELD_OMIT_EMPTY, NULL},
    {"signatureAlgorithms", FIELD_TEXTS, AT(algorithms), FIELD_OMIT_EMPTY, NULL},
};
static const struct field WIRE_DPOP_FIELDS[] = {
    {"key", FIELD_BYTES, AT(key), FIELD_OMIT_EMPTY, NULL},
    {"target", FIELD_TEXT, AT(target), FIELD_OMIT_EMPTY, NULL},
};
#define WIRE_SHAPE_OF(table)                                                                       \
    {                                                                                              \
        "wire", sizeof(struct wire_config), table, COUNT_OF(table), false                          \
    }
static const struct shape WIRE_PROVIDER_SHAPE = WIRE_SHAPE_OF(WIRE_PROVIDER_FIELDS);
static const struct shape WIRE_CONFIG_SHAPE = WIRE_SHAPE_OF(WIRE_CONFIG_FIELDS);
static const struct shape WIRE_DPOP_SHAPE = WIRE_SHAPE_OF(WIRE_DPOP_FIELDS);
static const struct field WIRE_OIDC_FIELDS[] = {
    {"provider", FIELD_OBJECT, AT(provider), FIELD_OMIT_EMPTY, &WIRE_PROVIDER_SHAPE},
    {"config", FIELD_OBJECT, AT(config), FIELD_OMIT_EMPTY, &WIRE_CONFIG_SHAPE},
    {"transform", FIELD_TEXT, AT(transform), FIELD_OMIT_EMPTY, NULL},
};
static const struct shape WIRE_OIDC_SHAPE = WIRE_SHAPE_OF(WIRE_OIDC_FIELDS);
static const struct field WIRE_FIELDS[] = {
    {"oidc", FIELD_OBJECT, AT(oidc), FIELD_OMIT_EMPTY, &WIRE_OIDC_SHAPE},
    {"dpop", FIELD_OBJECT, AT(dpop), FIELD_OMIT_EMPTY, &WIRE_DPOP_SHAPE},
};
static const struct shape WIRE_SHAPE = WIRE_SHAPE_OF(WIRE_FIELDS);
#undef AT
#define AT(member) offsetof(struct options_config, member)
static const struct field OPTIONS_FIELDS[] = {
    {"x509", FIELD_OBJECT, AT(x509), FIELD_OMIT_EMPTY, &TEMPLATE_SHAPE},
    {"ssh", FIELD_OBJECT, AT(ssh), FIELD_OMIT_EMPTY, &TEMPLATE_SHAPE},
    {"webhooks", FIELD_OBJECTS, AT(webhooks), FIELD_OMIT_EMPTY, &WEBHOOK_SHAPE},
    {"wire", FIELD_OBJECT, AT(wire), FIELD_OMIT_EMPTY, &WIRE_SHAPE},
    /* Honoured, but not shown to everybody who lists provisioners. */
    {"policy", FIELD_RAW, AT(policy), FIELD_OMIT_EMPTY | FIELD_SECRET, NULL},
};
#undef AT
const struct shape OPTIONS_SHAPE = {"options", sizeof(struct options_config), OPTIONS_FIELDS,
                                    COUNT_OF(OPTIONS_FIELDS), false};

#define AT(member) offsetof(struct common_config, member)
static const struct field COMMON_FIELDS[] = {
    {"type", FIELD_TEXT, AT(type), 0, NULL},
    {"name", FIELD_TEXT, AT(name), 0, NULL},
    {"claims", FIELD_OBJECT, AT(claims), 0, &CLAIMS_SHAPE},
    {"options", FIELD_OBJECT, AT(options), 0, &OPTIONS_SHAPE},
};
#undef AT
static const struct shape COMMON_SHAPE = {"provisioner", sizeof(struct common_config),
                                          COMMON_FIELDS, COUNT_OF(COMMON_FIELDS), false};

static bool make_template(struct provisioner *p, struct arena *a, const char *name,
                          enum template_set set, const struct options_template *o,
                          const struct template_env *env, struct cert_template **out, struct err *e)
{
    const char *warning;

    if (!o)
        return true;
    if (!cert_template_make(a, env, set, o->text, o->file, o->data, out, &warning, e))
        return err_wrap(e, "options.%s", name);
    if (warning)
        p->warning =
            arena_printf(a, "%s%soptions.%s.%s; its requests fail", p->warning ? p->warning : "",
                         p->warning ? "; " : "", name, warning);
    return true;
}

static bool make_templates(struct provisioner *p, struct arena *a, const struct options_config *o,
                           const struct template_env *env, struct err *e)
{
    return !o || (make_template(p, a, "x509", TEMPLATE_X509, o->x509, env, &p->x509, e) &&
                  make_template(p, a, "ssh", TEMPLATE_SSH, o->ssh, env, &p->ssh, e));
}

struct noted {
    struct provisioner *p;
    struct arena *a;
};

static void note_policy(void *arg, const char *text)
{
    struct noted *n = arg;
    const char *before = n->p->warning;

    n->p->warning = arena_printf(n->a, "%s%s%s", before ? before : "", before ? "; " : "", text);
}

static bool make_webhooks(struct provisioner *p, struct arena *a, const struct options_config *o,
                          const struct template_env *env, struct err *e)
{
    bool scep = p->type->number == PROVISIONER_SCEP.number;
    const char *warning;

    if (!o)
        return true;
    if (!webhooks_make(a, env, &o->webhooks, scep, &p->webhooks, &warning, e))
        return false;
    if (warning)
        p->warning = arena_printf(a, "%s%s%s", p->warning ? p->warning : "", p->warning ? "; " : "",
                                  warning);
    return true;
}

static void mark_trouble(struct provisioner *p, struct arena *a, const struct err *why)
{
    struct buf b = buf_new(a, 2u << 20);
    struct slice body = p->listing;

    p->trouble = arena_cstr(a, slice_text(why->text));
    if (body.n < 2)
        body = SLICE("{}");
    buf_put(&b, slice_sub(body, 0, body.n - 1));
    buf_text(&b, body.n > 2 ? ",\"state\":\"Uninitialized\",\"stateReason\":"
                            : "\"state\":\"Uninitialized\",\"stateReason\":");
    json_put_text(&b, slice_text(p->trouble));
    buf_byte(&b, '}');
    p->listing = buf_slice(&b);
}

bool provisioner_make(struct arena *a, const struct json *config, const char *path,
                      const struct provisioner_env *env, struct provisioner **out, struct err *e)
{
    struct common_config common = {0};
    struct provisioner *p = arena_alloc(a, sizeof(*p));
    struct err why = {0};
    bool fatal = false;

    if (config->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "%s: expected an object", path);
    if (!shape_read(&COMMON_SHAPE, config, &common, a, e))
        return err_wrap(e, "%s", path);
    if (common.type.n == 0)
        return err_set(e, ERR_MALFORMED, "%s.type: is missing or empty", path);
    p->type = provisioner_type_find(common.type);
    if (!p->type)
        return err_set(e, ERR_MALFORMED,
                       "%s.type: unknown provisioner type \"%.*s\" (provisioner \"%.*s\")", path,
                       SLICE_ARG(common.type), SLICE_ARG(common.name));
    p->type_text = common.type;
    p->name = common.name;
    p->config = config;
    p->audiences = env->audiences;
    /* SSHPOP has no options; what stands there is ignored. */
    if (p->type == &PROVISIONER_SSHPOP)
        common.options = NULL;
    if (p->type->served && !policy_set_read(a, common.options ? common.options->policy : NULL,
                                            "options.policy", &p->policies, e))
        return err_wrap(e, "%s", path);
    if (p->type->served && common.options) {
        struct noted noted = {p, a};
        policy_notes(a, common.options->policy, "options.policy", note_policy, &noted);
    }

    bool ready = p->type->init(p, a, env, &fatal, &why);
    if (!ready && fatal) {
        err_move(e, &why);
        return err_wrap(e, "%s (%s \"%.*s\")", path, p->type->name, SLICE_ARG(p->name));
    }
    p->id = p->token_id;
    claims_resolve(env->global, common.claims, &p->claims);
    if (ready && p->name.n == 0)
        ready = err_set(&why, ERR_MALFORMED, "name is empty");
    if (ready)
        ready = claims_check(&p->claims, &why);
    if (ready && p->type->served && !make_templates(p, a, common.options, env->templates, e))
        return err_wrap(e, "%s", path);
    if (p->type->served && !make_webhooks(p, a, common.options, env->templates, e))
        return err_wrap(e, "%s", path);
    if (!ready)
        mark_trouble(p, a, &why);
    *out = p;
    return true;
}
