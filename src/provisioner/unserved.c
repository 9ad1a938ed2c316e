/*
 * Types that this version knows but does not serve: their common members and ids are checked,
 * they are listed as written (secrets redacted) and stay disabled; their tokens get 401.
 */
#include "provisioner/internal.h"

static const char REDACTED[] = "*** REDACTED ***";
static const char REDACTED_BASE64[] = "KioqIFJFREFDVEVEICoqKg==";

static void redact(struct json *object, struct arena *a, const char *name, const char *with)
{
    if (json_get(object, name))
        json_set(object, a, name, json_make_text(a, slice_text(with)));
}

/* The object as written, without what must not be shown on a public route. */
static void list_as_written(struct provisioner *p, struct arena *a)
{
    struct json *copy = json_copy(a, p->config);
    struct json *options = (struct json *)json_get(copy, "options");
    const struct json *webhooks = json_get(options, "webhooks");
    struct buf b = buf_new(a, 1u << 20);

    for (struct json *w = webhooks ? webhooks->first : NULL; w; w = w->next) {
        json_remove(w, "secret");
        json_remove(w, "bearerToken");
        json_remove(w, "basicAuth");
    }
    if (p->type->number == PROVISIONER_SCEP.number) {
        redact(copy, a, "challenge", REDACTED);
        redact(copy, a, "decrypterKey", REDACTED);
        redact(copy, a, "decrypterKeyPassword", REDACTED);
        redact(copy, a, "decrypterCertificate", REDACTED_BASE64);
        redact(copy, a, "decrypterKeyPEM", REDACTED_BASE64);
    }
    json_print(&b, copy, NULL);
    p->listing = buf_slice(&b);
}

static bool init_unserved(struct provisioner *p, struct arena *a, bool *fatal, struct err *e)
{
    *fatal = false;
    list_as_written(p, a);
    return err_set(e, ERR_NOT_IMPLEMENTED, "provisioners of type %s are not served by this version",
                   p->type->name);
}

/* "<prefix>/<name>" */
static bool init_named(struct provisioner *p, struct arena *a, const char *prefix, bool *fatal,
                       struct err *e)
{
    p->token_id = arena_format(a, "%s/%.*s", prefix, SLICE_ARG(p->name));
    return init_unserved(p, a, fatal, e);
}

/* The token id is the text of a member. */
static bool init_member(struct provisioner *p, struct arena *a, const char *member, bool *fatal,
                        struct err *e)
{
    p->token_id = json_text(json_get(p->config, member));
    return init_unserved(p, a, fatal, e);
}

#define NAMED_INIT(function, prefix)                                                               \
    static bool function(struct provisioner *p, struct arena *a,                                   \
                         const struct provisioner_env *env, bool *fatal, struct err *e)            \
    {                                                                                              \
        (void)env;                                                                                 \
        return init_named(p, a, prefix, fatal, e);                                                 \
    }
#define MEMBER_INIT(function, member)                                                              \
    static bool function(struct provisioner *p, struct arena *a,                                   \
                         const struct provisioner_env *env, bool *fatal, struct err *e)            \
    {                                                                                              \
        (void)env;                                                                                 \
        return init_member(p, a, member, fatal, e);                                                \
    }
NAMED_INIT(init_gcp, "gcp")
NAMED_INIT(init_aws, "aws")
NAMED_INIT(init_scep, "scep")
NAMED_INIT(init_nebula, "nebula")
MEMBER_INIT(init_oidc, "clientID")
MEMBER_INIT(init_azure, "tenantID")

static bool init_k8ssa(struct provisioner *p, struct arena *a, const struct provisioner_env *env,
                       bool *fatal, struct err *e)
{
    (void)env;
    p->token_id = SLICE("k8ssa/k8sSA-default");
    return init_unserved(p, a, fatal, e);
}

#define UNSERVED(variable, type_name, type_written, record_name, type_number, without_tokens,      \
                 initialize)                                                                       \
    const struct provisioner_type variable = {.name = (type_name),                                 \
                                              .written = (type_written),                           \
                                              .data_name = (record_name),                          \
                                              .number = (type_number),                             \
                                              .no_tokens = (without_tokens),                       \
                                              .init = (initialize)}
UNSERVED(PROVISIONER_OIDC, "OIDC", "OIDC", "OIDC", 2, false, init_oidc);
UNSERVED(PROVISIONER_GCP, "GCP", "GCP", "GCP", 3, false, init_gcp);
UNSERVED(PROVISIONER_AWS, "AWS", "AWS", "AWS", 4, false, init_aws);
UNSERVED(PROVISIONER_AZURE, "Azure", "AZURE", "Azure", 5, false, init_azure);
UNSERVED(PROVISIONER_K8SSA, "K8sSA", "K8SSA", "K8sSA", 8, false, init_k8ssa);
UNSERVED(PROVISIONER_SCEP, "SCEP", "SCEP", "SCEP", 10, true, init_scep);
UNSERVED(PROVISIONER_NEBULA, "Nebula", "NEBULA", "Nebula", 11, false, init_nebula);
