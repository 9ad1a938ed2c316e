/* What `ca init --ssh` adds. */
#include "cli/pki_ssh.h"

#include "authority/ssh_files.h"
#include "ssh/key.h"

#define FOLDER "templates/ssh/"

bool pki_ssh_key(struct arena *a, struct arena *secrets, struct slice password, struct slice *line,
                 struct slice *pem, struct err *e)
{
    struct private_key *key;
    struct ssh_key public_key;

    if (!private_key_generate(secrets, KEY_P256, 0, &key, e) ||
        !ssh_key_from(a, key->public_key, &public_key, e) ||
        !private_key_pem_encrypted(secrets, key, password, pem, e))
        return err_wrap(e, "making an SSH key");
    *line = ssh_line_make(a, public_key.blob, SLICE(""));
    return true;
}

void pki_ssh_templates(struct arena *a, struct pki_ssh_template out[PKI_SSH_TEMPLATES])
{
    static const struct ssh_builtin *const LISTS[] = {SSH_BUILTIN_USER, SSH_BUILTIN_HOST};
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(LISTS); i++) {
        for (const struct ssh_builtin *f = LISTS[i]; f->name && n < PKI_SSH_TEMPLATES; f++)
            out[n++] = (struct pki_ssh_template){arena_printf(a, FOLDER "%s", f->name),
                                                 slice_text(f->source)};
    }
}

static void set_text(struct json *object, struct arena *a, const char *name, const char *value)
{
    json_set(object, a, name, json_make_text(a, slice_text(value)));
}

static struct json *files_list(struct arena *a, const struct ssh_builtin *files)
{
    struct json *list = json_make_list(a);

    for (const struct ssh_builtin *f = files; f->name; f++) {
        struct json *entry = json_make_object(a), *requires = json_make_list(a);
        set_text(entry, a, "name", f->name);
        set_text(entry, a, "type", f->type);
        set_text(entry, a, "template", arena_printf(a, FOLDER "%s", f->name));
        set_text(entry, a, "path", f->path);
        set_text(entry, a, "comment", "#");
        for (const char *const *name = f->requires; name && *name; name++)
            json_append(requires, json_make_text(a, slice_text(*name)));
        if (requires->n > 0)
            json_set(entry, a, "requires", requires);
        json_append(list, entry);
    }
    return list;
}

struct json *pki_ssh_templates_object(struct arena *a)
{
    struct json *templates = json_make_object(a), *ssh = json_make_object(a);

    json_set(ssh, a, "user", files_list(a, SSH_BUILTIN_USER));
    json_set(ssh, a, "host", files_list(a, SSH_BUILTIN_HOST));
    json_set(templates, a, "ssh", ssh);
    return templates;
}

struct json *pki_ssh_object(struct arena *a, const char *host_key, const char *user_key)
{
    struct json *ssh = json_make_object(a);

    set_text(ssh, a, "hostKey", host_key);
    set_text(ssh, a, "userKey", user_key);
    return ssh;
}

struct json *pki_ssh_claims(struct arena *a)
{
    struct json *claims = json_make_object(a);

    json_set(claims, a, "enableSSHCA", json_make_bool(a, true));
    return claims;
}

struct json *pki_sshpop_provisioner(struct arena *a, const char *name)
{
    struct json *p = json_make_object(a);

    set_text(p, a, "type", "SSHPOP");
    set_text(p, a, "name", name);
    json_set(p, a, "claims", pki_ssh_claims(a));
    return p;
}
