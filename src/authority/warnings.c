/* What an operator should know at start and could otherwise learn too late. */
#include <sys/stat.h>

#include "authority/ssh.h"

/* Keys that public documentation prints together with their passwords. */
static const char *const PUBLISHED_KIDS[] = {
    "4vn46fbZT68Uxfs9LBwHkTvrjEvxQqx-W8nnE-qDjts",
    "NPM_9Gz_omTqchS6Xx9Yfvs-EuxkYo6VAk4sL7gyyM4",
};

static void warn_published(const struct registry *r)
{
    for (size_t i = 0; i < r->n; i++) {
        for (size_t k = 0; k < COUNT_OF(PUBLISHED_KIDS); k++) {
            if (slice_is(r->all[i]->kid, PUBLISHED_KIDS[k]))
                log_warn("provisioner \"%.*s\" uses an example key from public documentation: "
                         "everybody can obtain its private key",
                         SLICE_ARG(r->all[i]->name));
        }
    }
}

static void warn_lifetimes(const struct services *s, const struct core *core,
                           const struct registry *r, struct arena *a)
{
    struct instant now = s->clock->now(s->clock);
    int64_t left = instant_sub(core->issuer_ends, now);

    if (left < 30 * 24 * 3600 * NS_PER_SEC)
        log_warn("the issuing chain ends on %.*s; certificates never outlive it",
                 SLICE_ARG(rfc3339(a, core->issuer_ends)));
    for (size_t i = 0; i < r->n; i++) {
        if (!r->all[i]->trouble && r->all[i]->claims.tls.most > left)
            log_warn("provisioner \"%.*s\" allows certificates longer than the issuing chain lasts "
                     "(until %.*s); they will be cut",
                     SLICE_ARG(r->all[i]->name), SLICE_ARG(rfc3339(a, core->issuer_ends)));
    }
}

static bool has_webhook_secret(const struct registry *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct webhooks *all = &r->all[i]->webhooks;
        for (size_t k = 0; k < all->n; k++) {
            if (all->v[k].secret.n > 0 || all->v[k].authorization.n > 0)
                return true;
        }
    }
    return false;
}

static void warn_readable(const struct core *core, const struct registry *r)
{
    bool password = core->config->password.n > 0;
    struct stat st;

    if ((!password && !has_webhook_secret(r)) || stat(core->config->path, &st) != 0)
        return;
    if (st.st_mode & (S_IRGRP | S_IROTH))
        log_warn("%s holds a %s and is readable by others; chmod 600 it", core->config->path,
                 password ? "password" : "webhook's secret");
}

static void warn_acme(const struct services *s, const struct registry *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->all[i]->type->number == 6 && !services_durable(s))
            log_warn("ACME provisioner \"%.*s\" is disabled: ACME needs a database (db)",
                     SLICE_ARG(r->all[i]->name));
    }
}

static bool signs_ssh(const struct provisioner *p)
{
    return !p->trouble && p->claims.enable_ssh_ca && p->type->authorize[METHOD_SSH_SIGN];
}

static void warn_ssh(const struct core *core, const struct registry *r)
{
    const struct ssh_ca *ssh = core->ssh;
    bool somebody = false;

    if (!ssh || (!ssh->user.signer && !ssh->host.signer))
        return;
    if (ssh->user.signer && ssh->host.signer && slice_eq(ssh->user.key.blob, ssh->host.key.blob))
        log_warn("ssh.hostKey and ssh.userKey are the same key: a certificate of a host and one of "
                 "a user should not come from one key");
    for (size_t i = 0; i < r->n; i++)
        somebody |= signs_ssh(r->all[i]);
    if (!somebody)
        log_warn("ssh has keys, but no provisioner has enableSSHCA in its claims: nobody can "
                 "obtain an SSH certificate");
}

void authority_warn(const struct services *s, const struct core *core, const struct registry *r)
{
    struct arena *a = arena_new(&HEAP_USUAL);

    warn_published(r);
    warn_lifetimes(s, core, r, a);
    warn_readable(core, r);
    warn_acme(s, r);
    warn_ssh(core, r);
    arena_free(a);
}
