/* Which hosts have certificates: the tables that issuance fills. */
#include "authority/ssh_internal.h"

static bool need_database(struct work *w)
{
    if (services_durable(w->services))
        return true;
    err_set(&w->err, ERR_NOT_IMPLEMENTED, "hosts are known only with a database: configure db");
    w->err.tell = true;
    return false;
}

bool ssh_host_known(struct work *w, struct slice principal, bool *known)
{
    struct slice value;

    if (!need_database(w))
        return false;
    if (!store_get(w->services->store, TABLE_SSH_HOSTS, ssh_name_key(w->arena, principal), w->arena,
                   &value, w->deadline, &w->err))
        return err_wrap(&w->err, "looking up the host");
    *known = value.n > 0;
    return true;
}

struct hosts_scan {
    struct work *w;
    ssh_host_fn *visit;
    void *arg;
    uint64_t now;
};

static bool is_current(struct arena *a, struct slice record, uint64_t now)
{
    const struct json *v = json_read(a, record, &JSON_RECORD, NULL, NULL);
    uint64_t end;

    return v && json_uint(json_get(v, "Expiry"), &end) && end > now;
}

static bool on_row(struct slice key, struct slice value, void *arg)
{
    struct hosts_scan *s = arg;
    struct arena_mark mark = arena_mark(s->w->arena);
    bool current = is_current(s->w->arena, value, s->now);

    arena_rewind(s->w->arena, mark);
    return !current || s->visit(key, s->arg);
}

bool ssh_hosts(struct work *w, ssh_host_fn *visit, void *arg)
{
    struct store *store = w->services->store;
    struct hosts_scan scan = {w, visit, arg,
                              (uint64_t)w->services->clock->now(w->services->clock).sec};

    if (!need_database(w))
        return false;
    return store->ops->scan(store, TABLE_SSH_HOST_PRINCIPALS, SLICE_NONE, 0, on_row, &scan,
                            w->deadline, &w->err) ||
           err_wrap(&w->err, "listing hosts");
}
