/*
 * What a CA tells everybody who asks, wherever it is.  One that tells only those whom it knows gets
 * a second request after a login.
 */
#include "cli/ssh_published.h"

#include "authority/ssh.h"
#include "cli/ssh_identity.h"

#define HOSTS_MAX (1u << 20)

bool ssh_published_open(struct invocation *inv, struct ssh_desk *d)
{
    return ssh_desk_open(inv, "password-file", d) && ssh_desk_connect(d);
}

static bool failed(struct ssh_desk *d, const struct work *w)
{
    return ca_offline_failed(w, &d->inv->err);
}

static bool not_configured(struct ssh_desk *d)
{
    return err_set(&d->inv->err, ERR_NOT_FOUND, "the CA's configuration has no \"ssh\"");
}

/* The snapshot goes away before its user does. */
static bool copy_keys(struct ssh_desk *d, const struct ssh_keys *from, struct ssh_keys *to)
{
    struct arena *a = d->inv->arena;

    to->v = arena_array(a, from->n + 1, sizeof(*to->v));
    for (to->n = 0; to->n < from->n; to->n++) {
        struct slice blob = arena_copy(a, from->v[to->n].blob);
        if (!ssh_key_read(a, blob, &to->v[to->n], &d->inv->err))
            return false;
    }
    return true;
}

bool ssh_published_keys(struct ssh_desk *d, bool federation, struct ssh_trust *out)
{
    const struct ssh_ca *ssh;

    if (!d->offline.open)
        return ca_ssh_roots(&d->ca, d->inv->arena, federation, out, &d->inv->err) ||
               (ssh_again(d) && ca_ssh_roots(&d->ca, d->inv->arena, federation, out, &d->inv->err));
    ssh = d->offline.authority->core->ssh;
    if (!ssh)
        return not_configured(d);
    const struct ssh_trust *t = federation ? &ssh->federation : &ssh->roots;
    return copy_keys(d, &t->user, &out->user) && copy_keys(d, &t->host, &out->host);
}

bool ssh_published_files(struct ssh_desk *d, uint32_t type, struct slice data,
                         struct ca_ssh_file **files, size_t *n)
{
    struct arena *a = d->inv->arena;
    struct err *e = &d->inv->err;
    const struct json *given, *reply;
    struct slice body;
    struct work w;

    if (!d->offline.open)
        return ca_ssh_config(&d->ca, a, type, data, files, n, e) ||
               (ssh_again(d) && ca_ssh_config(&d->ca, a, type, data, files, n, e));
    if (!d->offline.authority->core->ssh)
        return not_configured(d);
    given = json_read(a, data, &JSON_API, NULL, e);
    if (!given)
        return false;
    ca_offline_begin(&d->offline, &w);
    if (!ssh_files_render(&w, type, given, &body))
        return failed(d, &w);
    reply = json_read(a, body, &JSON_API, NULL, e);
    return reply && ca_ssh_files_read(a, reply, type, files, n, e);
}

bool ssh_published_host(struct ssh_desk *d, struct slice host, bool *exists)
{
    struct slice token;
    struct work w;

    if (!d->offline.open)
        return ssh_identity_token(d->inv, d->ca.identity, host, &token) &&
               ca_ssh_check_host(&d->ca, d->inv->arena, host, token, exists, &d->inv->err);
    ca_offline_begin(&d->offline, &w);
    return ssh_host_known(&w, host, exists) || failed(d, &w);
}

struct collecting {
    struct arena *a;
    struct ca_ssh_host *v;
    size_t n, cap;
};

static bool collect(struct slice name, void *arg)
{
    struct collecting *c = arg;

    if (c->n == c->cap) {
        struct ca_ssh_host *more = arena_array(c->a, 2 * c->cap + 16, sizeof(*more));
        if (c->n > 0)
            memcpy(more, c->v, c->n * sizeof(*more));
        c->v = more;
        c->cap = 2 * c->cap + 16;
    }
    c->v[c->n++] = (struct ca_ssh_host){.name = arena_copy(c->a, name)};
    return c->n < HOSTS_MAX;
}

bool ssh_published_hosts(struct ssh_desk *d, struct ca_ssh_host **v, size_t *n)
{
    struct collecting c = {.a = d->inv->arena};
    struct work w;

    if (!d->offline.open)
        return ca_ssh_hosts(&d->ca, d->inv->arena, v, n, &d->inv->err) ||
               (ssh_again(d) && ca_ssh_hosts(&d->ca, d->inv->arena, v, n, &d->inv->err));
    ca_offline_begin(&d->offline, &w);
    if (!ssh_hosts(&w, collect, &c))
        return failed(d, &w);
    *v = c.v;
    *n = c.n;
    return true;
}

bool ssh_published_krl(struct ssh_desk *d, struct slice *krl)
{
    struct work w;

    if (!d->offline.open)
        return ca_ssh_krl(&d->ca, d->inv->arena, krl, &d->inv->err) ||
               (ssh_again(d) && ca_ssh_krl(&d->ca, d->inv->arena, krl, &d->inv->err));
    ca_offline_begin(&d->offline, &w);
    return ssh_krl_current(&w, krl) || failed(d, &w);
}
