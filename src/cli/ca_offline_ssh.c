/*
 * The SSH certificate authority without a server: the steps of the API's routes, in this process.
 */
#include "authority/ssh.h"
#include "cli/ca_offline.h"

static const struct ssh_ca *ssh_of(const struct ca_offline *o)
{
    return o->authority->core->ssh;
}

/* --- Issuance -------------------------------------------------------------------------------- */

struct ordered {
    struct ssh_request request;
    struct ssh_key add_user_key;
    bool add_user;
};

static bool read_wish(struct ca_offline *o, const struct ca_ssh_sign_wish *wish,
                      struct ordered *out, struct err *e)
{
    struct arena *a = o->inv->arena;
    struct ssh_wish *w = &out->request.wish;

    *w = (struct ssh_wish){.type = wish->type,
                           .key_id = wish->key_id,
                           .principals = wish->principals,
                           .n_principals = wish->n_principals};
    out->add_user = wish->add_user_key.n > 0;
    if (wish->template_data.n > 0) {
        out->request.user = json_read(a, wish->template_data, &JSON_API, NULL, e);
        if (!out->request.user)
            return false;
    }
    return time_or_duration_read(wish->valid_after, &w->valid_after, e) &&
           time_or_duration_read(wish->valid_before, &w->valid_before, e) &&
           ssh_key_read(a, wish->public_key, &out->request.key, e) &&
           (!out->add_user || ssh_key_read(a, wish->add_user_key, &out->add_user_key, e));
}

bool ca_offline_ssh_sign(struct ca_offline *o, const struct ca_ssh_sign_wish *wish,
                         struct ca_ssh_reply *reply, struct err *e)
{
    struct ordered ordered = {0};
    struct ssh_issued cert, add_user;
    struct grant *grant;
    struct work w;
    bool made = false;

    ca_offline_begin(o, &w);
    if (!read_wish(o, wish, &ordered, e))
        return false;
    if (!authorize_token(&w, wish->ott, METHOD_SSH_SIGN, &grant))
        return ca_offline_failed(&w, e);
    if (!ssh_sign(&w, grant, &ordered.request, &cert) ||
        (ordered.add_user &&
         !ssh_add_user(&w, grant, &cert, &ordered.add_user_key, &add_user, &made)))
        return ca_offline_give_up(&w, e);
    if (!work_commit(&w))
        return ca_offline_failed(&w, e);
    *reply = (struct ca_ssh_reply){.crt = cert.cert.blob};
    if (made)
        reply->add_user_crt = add_user.cert.blob;
    return true;
}

bool ca_offline_ssh_renew(struct ca_offline *o, struct slice ott, struct slice public_key,
                          struct ca_ssh_reply *reply, struct err *e)
{
    enum method method = public_key.n ? METHOD_SSH_REKEY : METHOD_SSH_RENEW;
    struct ssh_issued cert;
    struct ssh_key key;
    struct grant *grant;
    struct work w;

    ca_offline_begin(o, &w);
    if (public_key.n && !ssh_key_read(o->inv->arena, public_key, &key, e))
        return false;
    if (!authorize_token(&w, ott, method, &grant))
        return ca_offline_failed(&w, e);
    if (!ssh_renew(&w, grant, public_key.n ? &key : NULL, &cert))
        return ca_offline_give_up(&w, e);
    if (!work_commit(&w))
        return ca_offline_failed(&w, e);
    *reply = (struct ca_ssh_reply){.crt = cert.cert.blob};
    return true;
}

bool ca_offline_ssh_revoke(struct ca_offline *o, const struct ca_revoke_wish *wish, struct err *e)
{
    struct ssh_revocation r = {
        .serial = wish->serial, .reason_code = wish->reason_code, .reason = wish->reason};
    struct grant *grant;
    struct work w;

    ca_offline_begin(o, &w);
    if (!authorize_token(&w, wish->ott, METHOD_SSH_REVOKE, &grant))
        return ca_offline_failed(&w, e);
    r.grant = grant;
    if (!ssh_revoke(&w, &r))
        return ca_offline_give_up(&w, e);
    return work_commit(&w) || ca_offline_failed(&w, e);
}

/* --- What is published ----------------------------------------------------------------------- */

/* The core goes away before the keys are used. */
static bool copy_keys(struct arena *a, const struct ssh_keys *in, struct ssh_keys *out,
                      struct err *e)
{
    out->v = arena_array(a, in->n + 1, sizeof(*out->v));
    for (out->n = 0; out->n < in->n; out->n++)
        if (!ssh_key_read(a, arena_copy(a, in->v[out->n].blob), &out->v[out->n], e))
            return false;
    return true;
}

bool ca_offline_ssh_roots(struct ca_offline *o, struct ssh_trust *out, struct err *e)
{
    const struct ssh_ca *ca = ssh_of(o);
    struct arena *a = o->inv->arena;

    if (!ca || (ca->roots.user.n == 0 && ca->roots.host.n == 0))
        return err_set(e, ERR_NOT_FOUND, "the CA publishes no SSH keys");
    return copy_keys(a, &ca->roots.user, &out->user, e) &&
           copy_keys(a, &ca->roots.host, &out->host, e);
}

bool ca_offline_ssh_bastion(struct ca_offline *o, struct slice host, struct ca_ssh_bastion *out,
                            struct err *e)
{
    const struct ssh_ca *ca = ssh_of(o);
    struct arena *a = o->inv->arena;

    *out = (struct ca_ssh_bastion){.hostname = SLICE("")};
    if (!ca)
        return err_set(e, ERR_NOT_FOUND, "SSH is not configured");
    if (slice_eq_case(ca->bastion.hostname, host))
        return true;
    *out = (struct ca_ssh_bastion){.hostname = arena_copy(a, ca->bastion.hostname),
                                   .user = arena_copy(a, ca->bastion.user),
                                   .port = arena_copy(a, ca->bastion.port),
                                   .cmd = arena_copy(a, ca->bastion.cmd),
                                   .flags = arena_copy(a, ca->bastion.flags)};
    return true;
}
