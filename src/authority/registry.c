/* The provisioners of a configuration, made, checked against each other and found again. */
#include <stdlib.h>

#include "authority/services.h"
#include "authority/ssh.h"
#include "authority/template_hooks.h"
#include "crypto/secret.h"

#define PROVISIONERS_MAX 10000

static void last_registry(struct ref *ref)
{
    struct registry *r = (struct registry *)ref;

    arena_free(r->arena);
}

typedef struct slice member_fn(const struct provisioner *p);
static struct slice member_id(const struct provisioner *p)
{
    return p->id;
}
static struct slice member_name(const struct provisioner *p)
{
    return p->name;
}
static struct slice member_token_id(const struct provisioner *p)
{
    return p->token_id;
}

static struct provisioner *find(const struct registry *r, member_fn *member, struct slice wanted)
{
    if (wanted.n == 0)
        return NULL;
    for (size_t i = 0; i < r->n; i++) {
        if (slice_eq(member(r->all[i]), wanted))
            return r->all[i];
    }
    return NULL;
}

struct provisioner *registry_by_id(const struct registry *r, struct slice id)
{
    return find(r, member_id, id);
}

struct provisioner *registry_by_name(const struct registry *r, struct slice name)
{
    return find(r, member_name, name);
}

struct provisioner *registry_by_token_id(const struct registry *r, struct slice token_id)
{
    return find(r, member_token_id, token_id);
}

/* Of several with one kid the last wins. */
struct provisioner *registry_by_kid(const struct registry *r, struct slice kid)
{
    for (size_t i = r->n; i-- > 0;) {
        if (r->all[i]->encrypted_key.n > 0 && slice_eq(r->all[i]->kid, kid))
            return r->all[i];
    }
    return NULL;
}

static bool check_unique(const struct registry *r, const struct provisioner *p, const char *path,
                         struct err *e)
{
    static const struct {
        const char *what;
        member_fn *member;
    } MEMBERS[] = {{"id", member_id}, {"name", member_name}, {"token identifier", member_token_id}};

    for (size_t i = 0; i < COUNT_OF(MEMBERS); i++) {
        struct slice value = MEMBERS[i].member(p);
        if (find(r, MEMBERS[i].member, value))
            return err_set(e, ERR_MALFORMED, "%s: another provisioner has the same %s \"%.*s\"",
                           path, MEMBERS[i].what, SLICE_ARG(value));
    }
    return true;
}

static bool add_all(struct registry *r, const struct core *core, const struct provisioner_env *env,
                    struct err *e)
{
    const struct json *list = core->config->authority.provisioners;
    size_t index = 0;

    for (const struct json *v = list ? list->first : NULL; v; v = v->next, index++) {
        const char *key = arena_printf(r->arena, "authority.provisioners[%zu]", index);
        const char *where = config_where(r->arena, core->config, key);
        struct provisioner *p;
        if (v->kind == JSON_NULL)
            continue;
        if (!provisioner_make(r->arena, v, where, env, &p, e) || !check_unique(r, p, where, e))
            return false;
        if (p->trouble)
            log_warn("failed to initialize %s provisioner \"%.*s\": %s", p->type->name,
                     SLICE_ARG(p->name), p->trouble);
        if (p->warning)
            log_warn("%s provisioner \"%.*s\": %s", p->type->name, SLICE_ARG(p->name), p->warning);
        r->all[r->n++] = p;
    }
    return true;
}

static struct template_env *template_env(struct arena *a, const struct services *s,
                                         const struct texts *allow)
{
    struct template_env *env = arena_alloc(a, sizeof(*env));
    const char **names = arena_array(a, allow->n + 1, sizeof(*names));

    for (size_t i = 0; i < allow->n; i++)
        names[i] = arena_cstr(a, allow->v[i]);
    *env = (struct template_env){.sp = s->sp,
                                 .clock = s->clock,
                                 .allow = names,
                                 .n_allow = allow->n,
                                 .hooks = &TEMPLATE_HOOKS};
    return env;
}

struct registry *registry_build(struct services *s, const struct core *core, struct err *e)
{
    struct arena *a = arena_new(&HEAP_WIPED); /* secrets of webhooks are in it */
    struct registry *r = arena_alloc(a, sizeof(*r));
    const struct json *list = core->config->authority.provisioners;
    struct provisioner_env env = {
        .clock = s->clock,
        .audiences = &core->audiences,
        .global = &core->claims,
        .templates = template_env(a, s, &core->config->authority.template_functions),
        .ssh_roots = core->ssh ? &core->ssh->roots : NULL,
    };
    size_t n = list ? list->n : 0;

    ref_init(&r->ref, last_registry);
    r->arena = a;
    if (n > PROVISIONERS_MAX) {
        err_set(e, ERR_MALFORMED, "authority.provisioners: more than %d", PROVISIONERS_MAX);
        arena_free(a);
        return NULL;
    }
    r->all = arena_array(a, n + 1, sizeof(struct provisioner *));
    if (!add_all(r, core, &env, e)) {
        arena_free(a);
        return NULL;
    }
    return r;
}
