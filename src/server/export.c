/* A configuration in the shape that migration tools of the reference read. */
#include "server/export.h"

#include <stdio.h>

#include "base/duration.h"
#include "base/encode.h"
#include "base/file.h"
#include "server/candidate.h"
#include "server/serve.h"

struct exporter {
    struct arena *a;
    const struct core *core;
    const struct steppath *sp;
    struct json *top, *files;
    struct err *e;
};

static struct json *text(const struct exporter *x, struct slice s)
{
    return json_make_text(x->a, s);
}

static void put_text(const struct exporter *x, struct json *object, const char *name,
                     struct slice s)
{
    if (s.n > 0)
        json_set(object, x->a, name, text(x, s));
}

/* Members of the file that go over as they stand, when they are there and not empty. */
static void put_member(const struct exporter *x, struct json *object, const char *name,
                       const struct json *from, const char *member)
{
    const struct json *v = json_get(from, member);

    if (!v || v->kind == JSON_NULL ||
        ((v->kind == JSON_OBJECT || v->kind == JSON_LIST) && v->n == 0))
        return;
    json_set(object, x->a, name, json_copy(x->a, v));
}

/* The name below the step path when the file stands there. */
static bool add_file(struct exporter *x, struct slice path)
{
    const char *name = arena_cstr(x->a, path);
    size_t base = strlen(x->sp->path);
    struct slice content;

    if (path.n == 0)
        return true;
    if (!file_read(x->a, name, false, FILE_MAX_USUAL, &content, x->e))
        return false;
    if (strncmp(name, x->sp->path, base) == 0 && name[base] == '/')
        name += base + 1;
    json_set_exact(x->files, x->a, name, text(x, base64_text(x->a, BASE64_STD, content)));
    return true;
}

/* The same name as add_file gives it. */
static struct slice file_name(const struct exporter *x, struct slice path)
{
    size_t base = strlen(x->sp->path);

    if (path.n > base + 1 && slice_starts(path, x->sp->path) && path.p[base] == '/')
        return slice_from(path, base + 1);
    return path;
}

static bool put_file_name(struct exporter *x, struct json *object, const char *name,
                          struct slice path)
{
    put_text(x, object, name, file_name(x, path));
    return slice_starts(path, "softkms:") || add_file(x, path);
}

static struct slice upper(const struct exporter *x, struct slice s)
{
    uint8_t *p = arena_alloc(x->a, s.n + 1);

    for (size_t i = 0; i < s.n; i++) {
        p[i] = s.p[i] == '-' ? '_' : s.p[i];
        if (p[i] >= 'a' && p[i] <= 'z')
            p[i] = (uint8_t)(p[i] - 'a' + 'A');
    }
    return slice_of(p, s.n);
}

static void put_ssh_keys(const struct exporter *x, struct json *ssh, const struct objects *keys)
{
    const struct config_ssh_key *v = keys->v;
    struct json *list = json_make_list(x->a);

    for (size_t i = 0; i < keys->n; i++) {
        struct json *key = json_make_object(x->a);
        put_text(x, key, "type", upper(x, v[i].type));
        if (v[i].federated)
            json_set(key, x->a, "federated", json_make_bool(x->a, true));
        json_set(key, x->a, "key", json_copy(x->a, v[i].key));
        json_append(list, key);
    }
    if (list->n > 0)
        json_set(ssh, x->a, "keys", list);
}

static bool put_ssh(struct exporter *x)
{
    const struct config_ssh *c = x->core->config->ssh;
    struct json *ssh = json_make_object(x->a);

    if (!c)
        return true;
    if (!put_file_name(x, ssh, "hostKey", c->host_key) ||
        !put_file_name(x, ssh, "userKey", c->user_key))
        return false;
    put_ssh_keys(x, ssh, &c->keys);
    put_text(x, ssh, "addUserPrincipal", c->add_user_principal);
    put_text(x, ssh, "addUserCommand", c->add_user_command);
    put_member(x, ssh, "bastion", json_get(x->core->config->tree, "ssh"), "bastion");
    json_set(x->top, x->a, "ssh", ssh);
    return true;
}

static bool put_ssh_files(struct exporter *x, struct json *ssh, const char *name,
                          const struct objects *files)
{
    const struct config_ssh_file *v = files->v;
    struct json *list = json_make_list(x->a);

    for (size_t i = 0; i < files->n; i++) {
        struct json *f = json_make_object(x->a), *requires = json_make_list(x->a);
        const char *path = steppath_abs(x->a, x->sp, arena_cstr(x->a, v[i].source));
        put_text(x, f, "type", upper(x, v[i].type));
        put_text(x, f, "name", v[i].name);
        if (v[i].source.n > 0 && !put_file_name(x, f, "template", slice_text(path)))
            return false;
        put_text(x, f, "path", v[i].path);
        put_text(x, f, "comment", v[i].comment);
        for (size_t k = 0; k < v[i].requires.n; k++)
            json_append(requires, text(x, v[i].requires.v[k]));
        if (requires->n > 0)
            json_set(f, x->a, "requires", requires);
        json_append(list, f);
    }
    if (list->n > 0)
        json_set(ssh, x->a, name, list);
    return true;
}

static bool put_templates(struct exporter *x)
{
    const struct config_templates *t = x->core->config->templates;
    struct json *templates = json_make_object(x->a), *ssh = json_make_object(x->a);

    if (!t)
        return true;
    if (t->ssh && (!put_ssh_files(x, ssh, "users", &t->ssh->user) ||
                   !put_ssh_files(x, ssh, "hosts", &t->ssh->host)))
        return false;
    json_set(templates, x->a, "ssh", ssh);
    put_member(x, templates, "data", json_get(x->core->config->tree, "templates"), "data");
    json_set(x->top, x->a, "templates", templates);
    return true;
}

static bool put_paths(struct exporter *x, const char *name, const struct texts *paths)
{
    struct json *list = json_make_list(x->a);

    for (size_t i = 0; i < paths->n; i++) {
        if (paths->v[i].n == 0)
            continue;
        json_append(list, text(x, paths->v[i]));
        if (!add_file(x, paths->v[i]))
            return false;
    }
    if (list->n > 0)
        json_set(x->top, x->a, name, list);
    return true;
}

static struct json *tls_object(const struct exporter *x)
{
    const struct config_tls *t = &x->core->config->tls;
    struct json *tls = json_make_object(x->a), *suites = json_make_list(x->a);

    for (size_t i = 0; i < t->cipher_suites.n; i++)
        json_append(suites, text(x, t->cipher_suites.v[i]));
    json_set(tls, x->a, "cipherSuites", suites);
    json_set(tls, x->a, "minVersion", text(x, arena_format(x->a, "%.1f", t->min_version)));
    json_set(tls, x->a, "maxVersion", text(x, arena_format(x->a, "%.1f", t->max_version)));
    if (t->renegotiation)
        json_set(tls, x->a, "renegotiation", json_make_bool(x->a, true));
    return tls;
}

static bool put_provisioners(const struct exporter *x, struct json *authority,
                             const struct registry *registry)
{
    struct json *list = json_make_list(x->a);

    for (size_t i = 0; i < registry->n; i++) {
        struct json *one = json_read(x->a, registry->all[i]->listing, &JSON_STRICT, NULL, x->e);
        if (!one)
            return false;
        one = json_copy(x->a, one);
        json_remove(one, "state");
        json_remove(one, "stateReason");
        json_append(list, one);
    }
    if (list->n > 0)
        json_set(authority, x->a, "provisioners", list);
    return true;
}

static bool put_authority(const struct exporter *x, const struct registry *registry)
{
    const struct config *c = x->core->config;
    const struct json *from = json_get(c->tree, "authority");
    struct json *authority = json_make_object(x->a);

    put_text(x, authority, "id", c->authority.authority_id);
    if (!put_provisioners(x, authority, registry))
        return false;
    put_member(x, authority, "claims", from, "claims");
    put_member(x, authority, "template", from, "template");
    json_set(authority, x->a, "backdate", text(x, duration_text(x->a, c->backdate)));
    if (c->authority.disable_issued_at_check)
        json_set(authority, x->a, "disableIssuedAtCheck", json_make_bool(x->a, true));
    put_text(x, authority, "deploymentType", c->authority.deployment_type);
    json_set(x->top, x->a, "authority", authority);
    return true;
}

static bool fill(struct exporter *x, const struct registry *registry)
{
    const struct config *c = x->core->config;
    struct json *names = json_make_list(x->a);

    json_set(x->top, x->a, "version", text(x, SLICE("1.0")));
    if (!put_paths(x, "root", &c->root) || !put_paths(x, "federatedRoots", &c->federated_roots))
        return false;
    put_text(x, x->top, "intermediate", c->crt);
    put_text(x, x->top, "intermediateKey", c->key);
    put_text(x, x->top, "address", c->address);
    put_text(x, x->top, "insecureAddress", c->insecure_address);
    for (size_t i = 0; i < c->dns_names.n; i++)
        json_append(names, text(x, c->dns_names.v[i]));
    json_set(x->top, x->a, "dnsNames", names);
    if (!put_ssh(x))
        return false;
    put_member(x, x->top, "kms", c->tree, "kms");
    put_member(x, x->top, "logger", c->tree, "logger");
    put_member(x, x->top, "db", c->tree, "db");
    put_member(x, x->top, "monitoring", c->tree, "monitoring");
    if (!put_authority(x, registry))
        return false;
    json_set(x->top, x->a, "tls", tls_object(x));
    if (!put_templates(x) || !add_file(x, c->crt) ||
        (!slice_starts(c->key, "softkms:") && !add_file(x, c->key)))
        return false;
    json_set(x->top, x->a, "files", x->files);
    return true;
}

bool export_configuration(struct arena *a, const struct core *core, const struct registry *registry,
                          const struct steppath *sp, struct buf *out, struct err *e)
{
    struct exporter x = {a, core, sp, json_make_object(a), json_make_object(a), e};

    if (!fill(&x, registry))
        return false;
    json_print(out, x.top, "\t");
    buf_byte(out, '\n');
    return buf_done(out, "export", e);
}

static bool load_and_export(const struct options *o, const struct steppath *sp, const char *path,
                            struct services *s, struct passwords *p, struct buf *out, struct err *e)
{
    struct arena *a = arena_new(&HEAP_WIPED);
    struct candidate c = {0};
    struct config *config;

    if (!config_load(a, path, &config, candidate_warn, NULL, e) || !passwords_read(p, o, e) ||
        !config_validate(a, config, candidate_warn, NULL, e)) {
        arena_free(a);
        return false;
    }
    if (!candidate_build(&c, s, p, a, config, e))
        return false;
    bool ok = export_configuration(c.core->arena, c.core, c.registry, sp, out, e);
    candidate_drop(&c);
    return ok;
}

int export_command(const struct options *o, const struct steppath *sp, const char *config)
{
    struct passwords passwords = {0};
    struct buf out = buf_new(NULL, 256u << 20);
    struct services services;
    struct err e = {0};

    services_init(&services, &CLOCK_SYSTEM, &RNG_SYSTEM);
    services.sp = sp;
    bool ok = load_and_export(o, sp, config, &services, &passwords, &out, &e);
    if (ok)
        ok = fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    else
        fprintf(stderr, "%s\n", e.text);
    buf_free(&out);
    passwords_end(&passwords);
    services_end(&services);
    return ok ? EXIT_OK : EXIT_FATAL;
}
