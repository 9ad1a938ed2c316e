/*
 * Members that nobody reads in those parts of ca.json which are kept as they stand: provisioners
 * and policies.  A misspelt restriction does not hold, so each is told by its path.
 */
#include "authority/config.h"
#include "crypto/secret.h"
#include "provisioner/provisioner.h"

struct rules_record {
    const struct json *cn, *dns, *ip, *email, *uri, *principal;
};
#define AT(member) offsetof(struct rules_record, member)
static const struct field RULES_FIELDS[] = {
    {"cn", FIELD_RAW, AT(cn), 0, NULL},   {"dns", FIELD_RAW, AT(dns), 0, NULL},
    {"ip", FIELD_RAW, AT(ip), 0, NULL},   {"email", FIELD_RAW, AT(email), 0, NULL},
    {"uri", FIELD_RAW, AT(uri), 0, NULL}, {"principal", FIELD_RAW, AT(principal), 0, NULL},
};
#undef AT
static const struct shape RULES_SHAPE = {"policy", sizeof(struct rules_record), RULES_FIELDS,
                                         COUNT_OF(RULES_FIELDS), false};

struct engine_record {
    struct rules_record *allow, *deny;
    const struct json *wildcards;
};
#define AT(member) offsetof(struct engine_record, member)
static const struct field X509_FIELDS[] = {
    {"allow", FIELD_OBJECT, AT(allow), 0, &RULES_SHAPE},
    {"deny", FIELD_OBJECT, AT(deny), 0, &RULES_SHAPE},
    {"allowWildcardNames", FIELD_RAW, AT(wildcards), 0, NULL},
};
#undef AT
static const struct shape X509_SHAPE = {"policy", sizeof(struct engine_record), X509_FIELDS,
                                        COUNT_OF(X509_FIELDS), false};
/* The same without the last. */
static const struct shape SSH_ENGINE_SHAPE = {"policy", sizeof(struct engine_record), X509_FIELDS,
                                              COUNT_OF(X509_FIELDS) - 1, false};

struct policy_record {
    struct engine_record *x509, *user, *host;
    struct policy_record *ssh;
};
#define AT(member) offsetof(struct policy_record, member)
static const struct field SSH_FIELDS[] = {
    {"user", FIELD_OBJECT, AT(user), 0, &SSH_ENGINE_SHAPE},
    {"host", FIELD_OBJECT, AT(host), 0, &SSH_ENGINE_SHAPE},
};
static const struct shape SSH_SHAPE = {"policy", sizeof(struct policy_record), SSH_FIELDS,
                                       COUNT_OF(SSH_FIELDS), false};
static const struct field POLICY_FIELDS[] = {
    {"x509", FIELD_OBJECT, AT(x509), 0, &X509_SHAPE},
    {"ssh", FIELD_OBJECT, AT(ssh), 0, &SSH_SHAPE},
};
#undef AT
static const struct shape POLICY_SHAPE = {"policy", sizeof(struct policy_record), POLICY_FIELDS,
                                          COUNT_OF(POLICY_FIELDS), false};

struct looking {
    struct arena *a;
    const char *in;
    shape_unknown_fn *unknown;
    void *arg;
};

static void tell(const char *path, const struct json *member, void *arg)
{
    const struct looking *l = arg;

    l->unknown(arena_printf(l->a, "%s.%s", l->in, path), member, l->arg);
}

/* What cannot be read is an error later on, where the value is used. */
static void look(struct looking *l, const struct shape *shape, const struct json *v, const char *in)
{
    if (!v || v->kind != JSON_OBJECT)
        return;
    l->in = in;
    bool read = shape_read_noting(shape, v, arena_alloc(l->a, shape->size), l->a, tell, l, NULL);
    (void)read;
}

void config_unknown_members(const struct config *c, shape_unknown_fn *unknown, void *arg)
{
    const struct json *list = c->authority.provisioners;
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_WIPED); /* keys are read into it */
    struct looking l = {.a = a, .unknown = unknown, .arg = arg};
    size_t i = 0;

    look(&l, &POLICY_SHAPE, c->authority.policy, "authority.policy");
    for (const struct json *v = list && list->kind == JSON_LIST ? list->first : NULL; v;
         v = v->next, i++) {
        const struct provisioner_type *type = provisioner_type_find(json_text(json_get(v, "type")));
        const char *in = arena_printf(a, "authority.provisioners[%zu]", i);
        if (!type)
            continue;
        look(&l, type->members, v, in);
        look(&l, &POLICY_SHAPE, json_get(json_get(v, "options"), "policy"),
             arena_printf(a, "%s.options.policy", in));
    }
}
