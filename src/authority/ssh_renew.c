/* Renewal and rekey of SSH host certificates by SSHPOP: the same names and length, signed by the
 * current key (docs/reference/ssh.md "Renewal"). */
#include "authority/revocations.h"
#include "authority/ssh_internal.h"

/* The old length from now on; the start is backdated and the end is as much earlier. */
static bool new_times(struct work *w, const struct ssh_cert *old, struct ssh_cert *c)
{
    uint64_t now = (uint64_t)w->services->clock->now(w->services->clock).sec;
    uint64_t backdate = (uint64_t)(w->authority->core->backdate / NS_PER_SEC);
    uint64_t length = old->valid_before - old->valid_after;

    if (old->valid_after == 0 || old->valid_before == 0 || old->valid_before == SSH_FOREVER)
        return err_set(&w->err, ERR_MALFORMED,
                       "a certificate without beginning or end cannot be renewed");
    if (old->valid_before <= old->valid_after)
        return err_set(&w->err, ERR_MALFORMED,
                       "a certificate that ends before it begins cannot be renewed");
    if (length <= backdate)
        return err_set(&w->err, ERR_INTERNAL,
                       "the certificate's whole length is not above authority.backdate");
    c->valid_after = now > backdate ? now - backdate : 1;
    return !__builtin_add_overflow(c->valid_after, length, &c->valid_before) ||
           err_set(&w->err, ERR_MALFORMED, "the certificate's length cannot be had again");
}

bool ssh_renew(struct work *w, const struct grant *g, const struct ssh_key *key,
               struct ssh_issued *out)
{
    const struct ssh_cert *old = g->ssh.held;
    struct ssh_cert *c = arena_alloc(w->arena, sizeof(*c));
    struct slice serial = ssh_serial_text(w->arena, old->serial);

    if (old->type != SSH_HOST)
        return err_set(&w->err, ERR_MALFORMED, "only host certificates are renewed");
    *c = (struct ssh_cert){
        .key = key ? *key : old->key,
        .type = old->type,
        .key_id = old->key_id,
        .principals = old->principals,
        .n_principals = old->n_principals,
        .critical = old->critical,
        .extensions = old->extensions,
        .reserved = old->reserved,
    };
    if (!revocation_none(w, true, serial) || !new_times(w, old, c))
        return false;
    if (key && (!ssh_key_check(key, "publicKey", &w->err) || !ssh_cert_check(w, c, g->by)))
        return false;
    if (!ssh_issue(w, c, g->by, serial, out))
        return false;
    revocation_none_at_commit(w, true, serial);
    return true;
}
