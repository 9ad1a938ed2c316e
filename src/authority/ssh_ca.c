/*
 * The SSH half of a snapshot: keys that sign, keys that are published, the finished bodies of
 * /ssh/roots and /ssh/federation.  Everything is made once; requests only read it.
 */
#include "authority/ssh_files.h"

#include "authority/key_load.h"
#include "base/encode.h"
#include "jose/jwk.h"

#define BODY_MAX (16u << 20)

struct builder {
    struct arena *a, *secrets;
    const struct config *config;
    const struct core_passwords *passwords;
    struct err *e;
};

/* --- Keys that sign -------------------------------------------------------------------------- */

static bool load_signer(struct builder *b, const char *member, struct slice name,
                        struct slice own_password, struct ssh_signer *out)
{
    const struct core_passwords *p = b->passwords;
    struct slice general = p->ca.n > 0 ? p->ca : b->config->password;
    struct key_source from = {b->config, member, name, own_password.n > 0 ? own_password : general,
                              p->prompt};
    struct private_key *key;
    const char *path;

    if (name.n == 0)
        return true;
    if (!signing_key_load(b->a, b->secrets, &from, &key, &path, b->e))
        return false;
    if (!ssh_key_from(b->a, key->public_key, &out->key, b->e))
        return err_wrap(b->e, "%s: %s", config_where(b->a, b->config, member), path);
    out->signer = signer_local(b->secrets, key, path);
    return true;
}

static bool load_signers(struct builder *b, struct ssh_ca *ca)
{
    const struct config_ssh *c = b->config->ssh;

    return load_signer(b, "ssh.hostKey", c->host_key, b->passwords->ssh_host, &ca->host) &&
           load_signer(b, "ssh.userKey", c->user_key, b->passwords->ssh_user, &ca->user);
}

/* --- Keys that are published ----------------------------------------------------------------- */

static void room(struct builder *b, struct ssh_keys *list, const struct ssh_signer *first)
{
    list->v = arena_array(b->a, b->config->ssh->keys.n + 1, sizeof(*list->v));
    if (first->signer)
        list->v[list->n++] = first->key;
}

static bool add_key(struct builder *b, struct ssh_ca *ca, const struct config_ssh_key *entry)
{
    struct ssh_trust *trust = entry->federated ? &ca->federation : &ca->roots;
    struct ssh_keys *list = slice_is(entry->type, "host") ? &trust->host : &trust->user;
    struct jwk jwk;

    return jwk_public_from_json(b->a, entry->key, &jwk, b->e) &&
           ssh_key_from(b->a, jwk.key, &list->v[list->n++], b->e);
}

static bool collect_keys(struct builder *b, struct ssh_ca *ca)
{
    const struct objects *keys = &b->config->ssh->keys;
    const struct config_ssh_key *v = keys->v;

    room(b, &ca->roots.host, &ca->host);
    room(b, &ca->roots.user, &ca->user);
    room(b, &ca->federation.host, &ca->host);
    room(b, &ca->federation.user, &ca->user);
    for (size_t i = 0; i < keys->n; i++) {
        if (!add_key(b, ca, &v[i]))
            return err_wrap(b->e, "%s",
                            config_where(b->a, b->config, arena_printf(b->a, "ssh.keys[%zu]", i)));
    }
    return true;
}

static void put_keys(struct json_writer *w, const char *name, const struct ssh_keys *list,
                     struct arena *a)
{
    if (list->n == 0)
        return;
    json_open_list(w, name);
    for (size_t i = 0; i < list->n; i++)
        json_member_text(w, NULL, base64_text(a, BASE64_STD, list->v[i].blob));
    json_close(w);
}

/* {"userKey":["…"],"hostKey":["…"]} and LF; nothing when there is no key. */
static struct slice keys_json(struct arena *a, const struct ssh_trust *trust)
{
    struct buf b = buf_new(a, BODY_MAX);
    struct json_writer w = json_writer(&b);

    if (trust->user.n == 0 && trust->host.n == 0)
        return SLICE_NONE;
    json_open(&w, NULL);
    put_keys(&w, "userKey", &trust->user, a);
    put_keys(&w, "hostKey", &trust->host, a);
    json_close(&w);
    buf_byte(&b, '\n');
    return buf_slice(&b);
}

/* --- The rest -------------------------------------------------------------------------------- */

static struct slice or_usual(struct slice given, const char *usual)
{
    return given.n > 0 ? given : slice_text(usual);
}

static void settle(const struct config_ssh *c, struct ssh_ca *ca)
{
    const struct config_bastion *from = c->bastion;

    ca->add_user_principal = or_usual(c->add_user_principal, "provisioner");
    ca->add_user_command =
        or_usual(c->add_user_command, "sudo useradd -m <principal>; nc -q0 localhost 22");
    if (from)
        ca->bastion =
            (struct ssh_bastion){from->hostname, from->user, from->port, from->cmd, from->flags};
}

static bool build(struct builder *b, struct ssh_ca *ca)
{
    if (!load_signers(b, ca) || !collect_keys(b, ca))
        return false;
    settle(b->config->ssh, ca);
    ca->roots_json = keys_json(b->a, &ca->roots);
    ca->federation_json = keys_json(b->a, &ca->federation);
    return true;
}

bool ssh_ca_build(struct arena *a, struct arena *secrets, const struct config *config,
                  const struct core_passwords *passwords, const struct services *s,
                  struct ssh_ca **out, struct err *e)
{
    struct builder b = {a, secrets, config, passwords, e};
    struct ssh_files files;

    *out = NULL;
    if (!ssh_files_build(a, config, s->sp, &files, e))
        return false;
    if (!config->ssh)
        return true;
    struct ssh_ca *ca = arena_alloc(a, sizeof(*ca));
    ca->files = files;
    if (!build(&b, ca))
        return false;
    *out = ca;
    return true;
}
