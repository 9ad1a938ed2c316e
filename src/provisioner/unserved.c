/*
 * Types that this version knows but does not serve: their members are read and their ids computed,
 * they are listed and stay disabled; their tokens get 401.  What everybody may see of them is made
 * from the tables below, never from the object as it is written: a member that no table names may
 * hold anything.
 */
#include "provisioner/internal.h"

/* The members of all of them. */
struct unserved_config {
    struct common_config common;
    struct slice client_id, client_secret, configuration_endpoint, listen_address; /* OIDC */
    struct texts admins, domains, groups, scopes, auth_params;
    struct slice tenant_id; /* OIDC, Azure */
    struct texts resource_groups, subscription_ids, object_ids;
    struct slice audience;
    struct texts accounts, imds_versions; /* AWS */
    struct slice iid_roots;
    struct texts service_accounts, project_ids; /* GCP */
    struct slice organization_id;
    int8_t disable_ssh_user, disable_ssh_host;
    bool disable_custom_sans, disable_trust_on_first_use; /* the three clouds */
    struct opt_duration instance_age;
    struct slice public_keys, roots; /* K8sSA, Nebula */
    struct slice challenge, decrypter_certificate, decrypter_key_pem, decrypter_key, /* SCEP */
        decrypter_key_uri, decrypter_key_password;
    struct texts capabilities;
    bool force_cn, include_root, exclude_intermediate;
    int64_t key_length, encryption;
};

#define AT(member) offsetof(struct unserved_config, member)
#define TYPE_AND_NAME                                                                              \
    {"type", FIELD_TEXT, AT(common.type), 0, NULL},                                                \
    {                                                                                              \
        "name", FIELD_TEXT, AT(common.name), 0, NULL                                               \
    }
#define CLAIMS_AND_OPTIONS                                                                         \
    {"claims", FIELD_OBJECT, AT(common.claims), FIELD_OMIT_EMPTY, &CLAIMS_SHAPE},                  \
    {                                                                                              \
        "options", FIELD_OBJECT, AT(common.options), FIELD_OMIT_EMPTY, &OPTIONS_SHAPE              \
    }
#define CLOUD_SWITCHES                                                                             \
    {"disableCustomSANs", FIELD_BOOL, AT(disable_custom_sans), 0, NULL},                           \
    {                                                                                              \
        "disableTrustOnFirstUse", FIELD_BOOL, AT(disable_trust_on_first_use), 0, NULL              \
    }
static const struct field OIDC_FIELDS[] = {
    TYPE_AND_NAME,
    {"clientID", FIELD_TEXT, AT(client_id), 0, NULL},
    {"clientSecret", FIELD_TEXT, AT(client_secret), 0, NULL}, /* clients need it: it is public */
    {"configurationEndpoint", FIELD_TEXT, AT(configuration_endpoint), 0, NULL},
    {"tenantID", FIELD_TEXT, AT(tenant_id), FIELD_OMIT_EMPTY, NULL},
    {"admins", FIELD_TEXTS, AT(admins), FIELD_OMIT_EMPTY, NULL},
    {"domains", FIELD_TEXTS, AT(domains), FIELD_OMIT_EMPTY, NULL},
    {"groups", FIELD_TEXTS, AT(groups), FIELD_OMIT_EMPTY, NULL},
    {"listenAddress", FIELD_TEXT, AT(listen_address), FIELD_OMIT_EMPTY, NULL},
    CLAIMS_AND_OPTIONS,
    {"scopes", FIELD_TEXTS, AT(scopes), FIELD_OMIT_EMPTY, NULL},
    {"authParams", FIELD_TEXTS, AT(auth_params), FIELD_OMIT_EMPTY, NULL},
};
static const struct field AWS_FIELDS[] = {
    TYPE_AND_NAME,
    {"accounts", FIELD_TEXTS, AT(accounts), FIELD_NULL_WHEN_NONE, NULL},
    CLOUD_SWITCHES,
    {"imdsVersions", FIELD_TEXTS, AT(imds_versions), FIELD_NULL_WHEN_NONE, NULL},
    {"instanceAge", FIELD_DURATION, AT(instance_age), 0, NULL},
    {"iidRoots", FIELD_TEXT, AT(iid_roots), FIELD_OMIT_EMPTY, NULL},
    CLAIMS_AND_OPTIONS,
};
static const struct field GCP_FIELDS[] = {
    TYPE_AND_NAME,
    {"serviceAccounts", FIELD_TEXTS, AT(service_accounts), FIELD_OMIT_EMPTY, NULL},
    {"projectIDs", FIELD_TEXTS, AT(project_ids), FIELD_OMIT_EMPTY, NULL},
    {"organizationID", FIELD_TEXT, AT(organization_id), FIELD_OMIT_EMPTY, NULL},
    CLOUD_SWITCHES,
    {"disableSSHCAUser", FIELD_OPT_BOOL, AT(disable_ssh_user), FIELD_OMIT_EMPTY, NULL},
    {"disableSSHCAHost", FIELD_OPT_BOOL, AT(disable_ssh_host), FIELD_OMIT_EMPTY, NULL},
    {"instanceAge", FIELD_DURATION, AT(instance_age), 0, NULL},
    CLAIMS_AND_OPTIONS,
};
static const struct field AZURE_FIELDS[] = {
    TYPE_AND_NAME,
    {"tenantID", FIELD_TEXT, AT(tenant_id), 0, NULL},
    {"resourceGroups", FIELD_TEXTS, AT(resource_groups), FIELD_NULL_WHEN_NONE, NULL},
    {"subscriptionIDs", FIELD_TEXTS, AT(subscription_ids), FIELD_NULL_WHEN_NONE, NULL},
    {"objectIDs", FIELD_TEXTS, AT(object_ids), FIELD_NULL_WHEN_NONE, NULL},
    {"audience", FIELD_TEXT, AT(audience), FIELD_OMIT_EMPTY, NULL},
    CLOUD_SWITCHES,
    CLAIMS_AND_OPTIONS,
};
static const struct field K8SSA_FIELDS[] = {
    TYPE_AND_NAME,
    {"publicKeys", FIELD_BYTES, AT(public_keys), FIELD_OMIT_EMPTY, NULL},
    CLAIMS_AND_OPTIONS,
};
static const struct field SCEP_FIELDS[] = {
    TYPE_AND_NAME,
    {"forceCN", FIELD_BOOL, AT(force_cn), FIELD_OMIT_EMPTY, NULL},
    {"challenge", FIELD_TEXT, AT(challenge), 0, NULL},
    {"capabilities", FIELD_TEXTS, AT(capabilities), FIELD_OMIT_EMPTY, NULL},
    {"includeRoot", FIELD_BOOL, AT(include_root), FIELD_OMIT_EMPTY, NULL},
    {"excludeIntermediate", FIELD_BOOL, AT(exclude_intermediate), FIELD_OMIT_EMPTY, NULL},
    {"minimumPublicKeyLength", FIELD_INT, AT(key_length), FIELD_OMIT_EMPTY, NULL},
    {"decrypterCertificate", FIELD_BYTES, AT(decrypter_certificate), 0, NULL},
    {"decrypterKeyPEM", FIELD_BYTES, AT(decrypter_key_pem), 0, NULL},
    {"decrypterKey", FIELD_TEXT, AT(decrypter_key), 0, NULL},
    {"decrypterKeyURI", FIELD_TEXT, AT(decrypter_key_uri), FIELD_SECRET, NULL},
    {"decrypterKeyPassword", FIELD_TEXT, AT(decrypter_key_password), 0, NULL},
    {"encryptionAlgorithmIdentifier", FIELD_INT, AT(encryption), FIELD_OMIT_EMPTY, NULL},
    CLAIMS_AND_OPTIONS,
};
static const struct field NEBULA_FIELDS[] = {
    TYPE_AND_NAME,
    {"roots", FIELD_BYTES, AT(roots), FIELD_NULL_WHEN_NONE, NULL},
    CLAIMS_AND_OPTIONS,
};
#undef AT

static struct slice token_id(const struct provisioner *p, struct arena *a,
                             const struct unserved_config *c)
{
    static const struct {
        const struct provisioner_type *type;
        const char *prefix;
    } NAMED[] = {{&PROVISIONER_GCP, "gcp"},
                 {&PROVISIONER_AWS, "aws"},
                 {&PROVISIONER_SCEP, "scep"},
                 {&PROVISIONER_NEBULA, "nebula"}};

    for (size_t i = 0; i < COUNT_OF(NAMED); i++) {
        if (p->type == NAMED[i].type)
            return arena_format(a, "%s/%.*s", NAMED[i].prefix, SLICE_ARG(p->name));
    }
    if (p->type == &PROVISIONER_K8SSA)
        return SLICE("k8ssa/k8sSA-default");
    return p->type == &PROVISIONER_OIDC ? c->client_id : c->tenant_id;
}

/* What is listed even when it is not written. */
static void fill_in(struct unserved_config *c)
{
    c->instance_age.set = true;
    if (c->disable_ssh_user < 0)
        c->disable_ssh_user = 1;
    if (c->disable_ssh_host < 0)
        c->disable_ssh_host = 0;
    if (c->audience.n == 0)
        c->audience = SLICE("https://management.azure.com/");
}

static void redact(struct unserved_config *c)
{
    static const char REDACTED[] = "*** REDACTED ***";
    struct slice *const secrets[] = {&c->challenge, &c->decrypter_certificate,
                                     &c->decrypter_key_pem, &c->decrypter_key,
                                     &c->decrypter_key_password};

    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        *secrets[i] = slice_text(REDACTED);
}

static bool init_unserved(struct provisioner *p, struct arena *a, const struct provisioner_env *env,
                          bool *fatal, struct err *e)
{
    struct unserved_config *c = arena_alloc(a, sizeof(*c));
    struct buf b = buf_new(a, 1u << 20);

    (void)env;
    *fatal = true;
    if (!shape_read(p->type->members, p->config, c, a, e))
        return false;
    *fatal = false;
    p->token_id = token_id(p, a, c);
    fill_in(c);
    redact(c);
    shape_write(p->type->members, c, &b);
    p->listing = buf_slice(&b);
    return err_set(e, ERR_NOT_IMPLEMENTED, "provisioners of type %s are not served by this version",
                   p->type->name);
}

#define UNSERVED(variable, type_name, type_written, record_name, type_number, without_tokens,      \
                 table)                                                                            \
    static const struct shape table##_SHAPE = {type_name " provisioner",                           \
                                               sizeof(struct unserved_config), table##_FIELDS,     \
                                               COUNT_OF(table##_FIELDS), false};                   \
    const struct provisioner_type variable = {.name = (type_name),                                 \
                                              .written = (type_written),                           \
                                              .data_name = (record_name),                          \
                                              .number = (type_number),                             \
                                              .no_tokens = (without_tokens),                       \
                                              .members = &table##_SHAPE,                           \
                                              .init = init_unserved}
UNSERVED(PROVISIONER_OIDC, "OIDC", "OIDC", "OIDC", 2, false, OIDC);
UNSERVED(PROVISIONER_GCP, "GCP", "GCP", "GCP", 3, false, GCP);
UNSERVED(PROVISIONER_AWS, "AWS", "AWS", "AWS", 4, false, AWS);
UNSERVED(PROVISIONER_AZURE, "Azure", "AZURE", "Azure", 5, false, AZURE);
UNSERVED(PROVISIONER_K8SSA, "K8sSA", "K8SSA", "K8sSA", 8, false, K8SSA);
UNSERVED(PROVISIONER_SCEP, "SCEP", "SCEP", "SCEP", 10, true, SCEP);
UNSERVED(PROVISIONER_NEBULA, "Nebula", "NEBULA", "Nebula", 11, false, NEBULA);
