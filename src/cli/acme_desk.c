/* The configuration read, the provisioner found, the database opened. */
#include "cli/acme_desk.h"

#include "base/file.h"
#include "crypto/secret.h"
#include "store/sqlite.h"

static void warn(void *arg, const char *text)
{
    note(arg, "%s", text);
}

static bool find_provisioner(struct desk *d, const struct config *c, struct slice name)
{
    struct invocation *inv = d->inv;
    const struct json *list = c->authority.provisioners;
    struct audiences *audiences = arena_alloc(inv->arena, sizeof(*audiences));
    struct claims *claims = arena_alloc(inv->arena, sizeof(*claims));
    struct provisioner_env env = {inv->clock, audiences, claims};

    claims_resolve(&CLAIMS_BUILT_IN, c->authority.claims, claims);
    audiences_build(inv->arena, c->dns_names.v, c->dns_names.n, audiences);
    for (const struct json *v = list ? list->first : NULL; v; v = v->next)
        if (slice_eq(json_text(json_get(v, "name")), name))
            return provisioner_make(inv->arena, v, arena_cstr(inv->arena, name), &env,
                                    &d->provisioner, &inv->err);
    return err_set(&inv->err, ERR_NOT_FOUND, "%s: there is no provisioner '%.*s'", c->path,
                   SLICE_ARG(name));
}

static bool check_usable(struct desk *d)
{
    const struct provisioner *p = d->provisioner;

    if (!slice_is_case(slice_text(p->type->name), "ACME"))
        return err_set(&d->inv->err, ERR_MALFORMED,
                       "provisioner '%.*s' is of type %s: external account keys belong to "
                       "provisioners of type ACME",
                       SLICE_ARG(p->name), p->type->name);
    return !p->trouble || err_set(&d->inv->err, ERR_MALFORMED, "provisioner '%.*s': %s",
                                  SLICE_ARG(p->name), p->trouble);
}

static bool open_store(struct desk *d, const struct config *c)
{
    struct invocation *inv = d->inv;

    if (!c->db)
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: expected a 'db', found none: ACME keeps its accounts and keys there",
                       c->path);
    d->services.store = db_open_beside(c, inv->clock, &inv->err);
    return d->services.store;
}

void desk_close(struct desk *d)
{
    if (d->services.store)
        store_close(d->services.store);
    services_end(&d->services);
    arena_free(d->secrets);
}

bool desk_open(struct invocation *inv, struct slice provisioner, struct desk *d)
{
    const char *given = ca_cmd_text(inv, "ca-config");
    const char *path = given ? given : path_join(inv->arena, inv->steppath.path, "config/ca.json");
    struct config *c;

    *d = (struct desk){.inv = inv, .secrets = arena_new(&HEAP_SECRET)};
    services_init(&d->services, inv->clock, inv->rng);
    if (config_load(d->secrets, path, &c, warn, inv, &inv->err) &&
        config_validate(d->secrets, c, warn, inv, &inv->err) &&
        find_provisioner(d, c, provisioner) && check_usable(d) && open_store(d, c))
        return true;
    desk_close(d);
    return false;
}
