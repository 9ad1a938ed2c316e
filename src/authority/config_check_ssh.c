/*
 * ssh and templates of ca.json, as far as the file itself tells: types, names, public keys.  What
 * they point to is opened in ssh_ca.c and ssh_files.c.
 */
#include "authority/config.h"
#include "jose/jwk.h"
#include "ssh/key.h"

struct checker {
    struct arena *a;
    const struct config *c;
    struct err *e;
};

#define wrong(k, key, ...) config_wrong((k)->a, (k)->c, key, (k)->e, __VA_ARGS__)

static const char *at(const struct checker *k, const char *list, size_t i, const char *member)
{
    return arena_printf(k->a, "%s[%zu].%s", list, i, member);
}

/* --- ssh ------------------------------------------------------------------------------------- */

static bool check_key(const struct checker *k, size_t i, const struct config_ssh_key *entry)
{
    struct ssh_key key;
    struct jwk jwk;

    if (!slice_is(entry->type, "host") && !slice_is(entry->type, "user"))
        return wrong(k, at(k, "ssh.keys", i, "type"), "\"%.*s\" is neither host nor user",
                     SLICE_ARG(entry->type));
    if (!entry->key || entry->key->kind != JSON_OBJECT)
        return wrong(k, at(k, "ssh.keys", i, "key"), "expected a public key as JWK (RFC 7517)");
    if (!jwk_public_from_json(k->a, entry->key, &jwk, k->e) ||
        !ssh_key_from(k->a, jwk.key, &key, k->e)) {
        err_classify(k->e, ERR_MALFORMED);
        return err_wrap(k->e, "%s", config_where(k->a, k->c, at(k, "ssh.keys", i, "key")));
    }
    return true;
}

static bool check_ssh(const struct checker *k)
{
    const struct config_ssh_key *keys = k->c->ssh->keys.v;

    for (size_t i = 0; i < k->c->ssh->keys.n; i++) {
        if (!check_key(k, i, &keys[i]))
            return false;
    }
    return true;
}

/* --- templates ------------------------------------------------------------------------------- */

static bool known_type(struct slice type)
{
    static const char *const TYPES[] = {"snippet", "prepend-line", "file", "directory"};

    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        if (slice_is(type, TYPES[i]))
            return true;
    }
    return false;
}

static bool check_file(const struct checker *k, const char *list, size_t i,
                       const struct config_ssh_file *f)
{
    bool directory = slice_is(f->type, "directory");

    if (f->name.n == 0)
        return wrong(k, at(k, list, i, "name"), "is missing or empty");
    if (!known_type(f->type))
        return wrong(k, at(k, list, i, "type"),
                     "\"%.*s\" is none of snippet, prepend-line, file, directory",
                     SLICE_ARG(f->type));
    if (directory && f->source.n > 0)
        return wrong(k, at(k, list, i, "template"), "a directory has no template");
    if (!directory && f->source.n == 0)
        return wrong(k, at(k, list, i, "template"),
                     "is missing or empty; expected the path of a template");
    if (f->path.n == 0)
        return wrong(k, at(k, list, i, "path"),
                     "is missing or empty; expected the path of the file on the client");
    return true;
}

static bool check_files(const struct checker *k, const char *list, const struct objects *files)
{
    const struct config_ssh_file *v = files->v;

    for (size_t i = 0; i < files->n; i++) {
        if (!check_file(k, list, i, &v[i]))
            return false;
    }
    return true;
}

static bool check_data(const struct checker *k, const struct json *data)
{
    static const char *const OURS[] = {"Step", "User"};

    if (!data || data->kind == JSON_NULL)
        return true;
    if (data->kind != JSON_OBJECT)
        return wrong(k, "templates.data", "expected an object");
    for (size_t i = 0; i < COUNT_OF(OURS); i++) {
        if (json_get_exact(data, OURS[i]))
            return wrong(k, arena_printf(k->a, "templates.data.%s", OURS[i]),
                         "the name is taken: templates get this from the CA");
    }
    return true;
}

bool config_ssh_validate(struct arena *a, const struct config *c, struct err *e)
{
    struct checker k = {a, c, e};
    const struct config_templates *t = c->templates;

    if (c->ssh && !check_ssh(&k))
        return false;
    if (!t)
        return true;
    return (!t->ssh || (check_files(&k, "templates.ssh.user", &t->ssh->user) &&
                        check_files(&k, "templates.ssh.host", &t->ssh->host))) &&
           check_data(&k, t->data);
}
