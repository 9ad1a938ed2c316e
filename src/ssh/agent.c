/* Messages of the ssh-agent protocol (draft-ietf-sshm-ssh-agent 3). */
#include "ssh/agent.h"

#include "crypto/ssh_wire.h"

enum {
    AGENT_FAILURE = 5,
    AGENT_SUCCESS = 6,
    AGENT_REQUEST_IDENTITIES = 11,
    AGENT_IDENTITIES_ANSWER = 12,
    AGENT_SIGN_REQUEST = 13,
    AGENT_SIGN_RESPONSE = 14,
    AGENT_ADD_IDENTITY = 17,
    AGENT_REMOVE_IDENTITY = 18,
    AGENT_REMOVE_ALL_IDENTITIES = 19,
    AGENT_ADD_ID_CONSTRAINED = 25,
    CONSTRAIN_LIFETIME = 1
};
#define IDENTITIES_MAX 2048 /* what OpenSSH's agent holds at most */

/* --- Requests -------------------------------------------------------------------------------- */

void ssh_agent_put_list(struct buf *b)
{
    buf_byte(b, AGENT_REQUEST_IDENTITIES);
}

void ssh_agent_put_remove(struct buf *b, struct slice blob)
{
    buf_byte(b, AGENT_REMOVE_IDENTITY);
    ssh_put_string(b, blob);
}

void ssh_agent_put_remove_all(struct buf *b)
{
    buf_byte(b, AGENT_REMOVE_ALL_IDENTITIES);
}

void ssh_agent_put_sign(struct buf *b, struct slice blob, struct slice data, uint32_t flags)
{
    buf_byte(b, AGENT_SIGN_REQUEST);
    ssh_put_string(b, blob);
    ssh_put_string(b, data);
    buf_u32(b, flags);
}

static void put_seed_and_public(struct buf *b, const struct key_numbers *n)
{
    size_t at = ssh_open_string(b);

    buf_put(b, n->d);
    buf_put(b, n->x);
    ssh_close_string(b, at);
}

/* What follows a certificate: the private parts alone (Ed25519: the public key once more). */
static void put_private_parts(struct buf *b, enum ssh_key_kind kind, const struct key_numbers *n)
{
    if (kind == SSH_KEY_RSA) {
        const struct slice parts[] = {n->d, n->qi, n->p, n->q};
        for (size_t i = 0; i < COUNT_OF(parts); i++)
            ssh_put_mpint(b, parts[i]);
        return;
    }
    if (kind != SSH_KEY_ED25519) {
        ssh_put_mpint(b, n->d);
        return;
    }
    ssh_put_string(b, n->x);
    put_seed_and_public(b, n);
}

/* What follows the type name of a plain key. */
static void put_whole_key(struct buf *b, const struct ssh_key *k, const struct key_numbers *n)
{
    struct slice fields = k->blob, name;

    if (k->kind == SSH_KEY_RSA) { /* the other way round than in the public key */
        ssh_put_mpint(b, n->n);
        ssh_put_mpint(b, n->e);
        put_private_parts(b, k->kind, n);
        return;
    }
    if (ssh_take_string(&fields, &name))
        buf_put(b, fields);
    if (k->kind == SSH_KEY_ED25519)
        put_seed_and_public(b, n);
    else
        ssh_put_mpint(b, n->d);
}

bool ssh_agent_put_add(struct buf *b, const struct private_key *key, const struct ssh_cert *cert,
                       struct slice comment, uint32_t lifetime, struct arena *secrets,
                       struct err *e)
{
    struct key_numbers n;
    struct ssh_key k;

    if (!ssh_key_from(secrets, key->public_key, &k, e) || !private_key_numbers(secrets, key, &n, e))
        return false;
    if (cert && !slice_eq(cert->key.blob, k.blob))
        return err_set(e, ERR_MALFORMED, "the certificate belongs to another key");
    buf_byte(b, lifetime ? AGENT_ADD_ID_CONSTRAINED : AGENT_ADD_IDENTITY);
    if (cert) {
        ssh_put_string(b, slice_text(ssh_cert_type_name(k.kind)));
        ssh_put_string(b, cert->blob);
        put_private_parts(b, k.kind, &n);
    } else {
        ssh_put_string(b, slice_text(ssh_key_type_name(k.kind)));
        put_whole_key(b, &k, &n);
    }
    ssh_put_string(b, comment);
    if (lifetime) {
        buf_byte(b, CONSTRAIN_LIFETIME);
        buf_u32(b, lifetime);
    }
    return buf_done(b, "message to the agent", e);
}

/* --- Answers --------------------------------------------------------------------------------- */

/* The type that is awaited; what follows it stays in *message. */
static bool expect(struct slice *message, uint8_t type, struct err *e)
{
    uint8_t found;

    if (!ssh_take_byte(message, &found))
        return err_set(e, ERR_MALFORMED, "ssh-agent: an empty answer");
    if (found == type)
        return true;
    if (found == AGENT_FAILURE)
        return err_set(e, ERR_FORBIDDEN, "the agent refused");
    return err_set(e, ERR_MALFORMED, "ssh-agent: expected an answer of type %u, found %u", type,
                   found);
}

static bool cut_off(struct err *e)
{
    return err_set(e, ERR_MALFORMED, "ssh-agent: the answer is damaged");
}

bool ssh_agent_read_success(struct slice message, struct err *e)
{
    return expect(&message, AGENT_SUCCESS, e);
}

bool ssh_agent_read_list(struct arena *a, struct slice message, struct ssh_identity **v, size_t *n,
                         struct err *e)
{
    uint32_t count;

    *n = 0;
    if (!expect(&message, AGENT_IDENTITIES_ANSWER, e))
        return false;
    if (!ssh_take_u32(&message, &count) || count > IDENTITIES_MAX)
        return cut_off(e);
    *v = arena_array(a, (size_t)count + 1, sizeof(**v));
    while (*n < count) {
        struct ssh_identity *one = &(*v)[*n];
        if (!ssh_take_string(&message, &one->blob) || !ssh_take_string(&message, &one->comment))
            return cut_off(e);
        ++*n;
    }
    return message.n == 0 || cut_off(e);
}

bool ssh_agent_read_signature(struct slice message, struct slice *blob, struct err *e)
{
    if (!expect(&message, AGENT_SIGN_RESPONSE, e))
        return false;
    return (ssh_take_string(&message, blob) && message.n == 0) || cut_off(e);
}
