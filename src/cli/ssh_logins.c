/*
 * The certificates in an ssh-agent, and which of them let their owner in.
 *
 * An agent says what it likes: a certificate counts as the CA's only when its signature verifies
 * under a key that the CA publishes.
 */
#include <stdlib.h>

#include "cli/ssh_common.h"

static void gone(void *agent)
{
    agent_close(agent);
}

bool ssh_agent_connect(struct invocation *inv, struct agent *agent, struct err *e)
{
    const char *path = getenv("SSH_AUTH_SOCK");

    if (!agent_open(path, agent, e))
        return false;
    arena_defer(inv->arena, gone, agent);
    return true;
}

bool ssh_logins(struct invocation *inv, struct agent *agent, struct ssh_login **v, size_t *n,
                struct err *e)
{
    struct ssh_identity *all;
    size_t count;

    *n = 0;
    if (!agent_list(agent, inv->arena, &all, &count, e))
        return false;
    *v = arena_array(inv->arena, count + 1, sizeof(**v));
    for (size_t i = 0; i < count; i++) {
        struct ssh_login *l = &(*v)[*n];
        l->comment = all[i].comment;
        if (ssh_blob_is_cert(all[i].blob) && ssh_cert_read(inv->arena, all[i].blob, &l->cert, NULL))
            ++*n;
    }
    return true;
}

bool ssh_login_by(struct invocation *inv, const struct ssh_login *login,
                  const struct ssh_keys *keys)
{
    return login->cert.type == SSH_USER && ssh_keys_have(keys, login->cert.ca.blob) &&
           ssh_cert_verify(inv->arena, &login->cert, NULL);
}

const struct ssh_login *ssh_login_find(struct invocation *inv, const struct ssh_login *v, size_t n,
                                       const struct ssh_keys *keys, struct slice comment)
{
    int64_t now = inv->clock->now(inv->clock).sec;

    for (size_t i = 0; i < n; i++)
        if ((!comment.n || slice_eq(v[i].comment, comment)) &&
            ssh_cert_is_valid_at(&v[i].cert, now) && ssh_login_by(inv, &v[i], keys))
            return &v[i];
    return NULL;
}
