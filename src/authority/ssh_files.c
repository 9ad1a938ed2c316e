/*
 * Files for `step ssh config`: made of templates that the operator names, or of the built-in ones.
 * A template in a file is parsed when the configuration is loaded, so that a mistake shows at
 * once, and read again for each request, so that an edit needs no reload.
 */
#include "authority/ssh_files.h"

#include "authority/ssh_template.h"
#include "base/encode.h"
#include "base/file.h"
#include "template/template.h"

#define SOURCE_MAX (1u << 20)
#define OUTPUT_MAX (1u << 20)
#define BODY_MAX   (16u << 20)

static const struct template_options TEXT_SET = {.set = TEMPLATE_TEXT};

/* --- When the configuration is loaded -------------------------------------------------------- */

struct builder {
    struct arena *a;
    const struct config *config;
    const struct steppath *sp;
    struct err *e;
};

static const struct template *parse_file(struct arena *a, const struct ssh_file *f,
                                         struct slice *text, struct err *e)
{
    if (!file_read(a, f->source, false, SOURCE_MAX, text, e))
        return NULL;
    const struct template *parsed = template_parse(a, arena_cstr(a, f->name), *text, &TEXT_SET, e);
    if (!parsed)
        err_wrap(e, "%s", f->source);
    return parsed;
}

/* Old installations have the sshd template without `requires`; with it, a client that forgets a
 * value is told instead of getting a broken sshd_config. */
static void complete_requires(struct arena *a, struct ssh_file *f, struct slice text)
{
    const struct ssh_builtin *usual = &SSH_BUILTIN_HOST[0];
    struct slice *names;

    if (f->n_requires > 0 || !slice_is_case(f->name, usual->name) ||
        !slice_eq(slice_trim(text), slice_trim(slice_text(usual->source))))
        return;
    names = arena_array(a, 2, sizeof(*names));
    while (usual->requires[f->n_requires]) {
        names[f->n_requires] = slice_text(usual->requires[f->n_requires]);
        f->n_requires++;
    }
    f->requires = names;
}

/* The tree is thrown away: requests read the file again. */
static bool try_file(struct builder *b, struct ssh_file *f)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct slice text;
    bool ok;

    if (file_exists(f->source) && !file_is_regular(f->source))
        ok = err_set(b->e, ERR_MALFORMED, "%s is not a regular file", f->source);
    else
        ok = parse_file(a, f, &text, b->e) != NULL;
    if (ok)
        complete_requires(b->a, f, text);
    arena_free(a);
    return ok;
}

static bool from_config(struct builder *b, const struct config_ssh_file *c, struct ssh_file *f)
{
    *f = (struct ssh_file){.name = c->name,
                           .type = c->type,
                           .path = c->path,
                           .comment = c->comment,
                           .requires = c->requires.v,
                           .n_requires = c->requires.n};
    if (c->source.n == 0)
        return true;
    if (f->comment.n == 0)
        f->comment = SLICE("#");
    if (!b->sp)
        return err_set(b->e, ERR_INTERNAL, "there is no step path");
    f->source = steppath_abs(b->a, b->sp, arena_cstr(b->a, c->source));
    return try_file(b, f);
}

static bool from_configs(struct builder *b, const char *list, const struct objects *from,
                         struct ssh_file **out, size_t *n)
{
    const struct config_ssh_file *v = from->v;

    *n = from->n;
    *out = arena_array(b->a, from->n + 1, sizeof(**out));
    for (size_t i = 0; i < from->n; i++) {
        if (from_config(b, &v[i], &(*out)[i]))
            continue;
        err_classify(b->e, ERR_MALFORMED);
        return err_wrap(
            b->e, "%s",
            config_where(b->a, b->config, arena_printf(b->a, "%s[%zu].template", list, i)));
    }
    return true;
}

static bool from_builtin(struct builder *b, const struct ssh_builtin *from, struct ssh_file **out,
                         size_t *n)
{
    size_t count = 0;

    while (from[count].name)
        count++;
    *n = count;
    *out = arena_array(b->a, count, sizeof(**out));
    for (size_t i = 0; i < count; i++) {
        struct ssh_file *f = &(*out)[i];
        struct slice source = slice_text(from[i].source);
        *f = (struct ssh_file){.name = slice_text(from[i].name),
                               .type = slice_text(from[i].type),
                               .path = slice_text(from[i].path),
                               .comment = SLICE("#")};
        if (from[i].requires)
            complete_requires(b->a, f, source);
        f->parsed = template_parse(b->a, from[i].name, source, &TEXT_SET, b->e);
        if (!f->parsed)
            return false;
    }
    return true;
}

bool ssh_files_build(struct arena *a, const struct config *config, const struct steppath *sp,
                     struct ssh_files *out, struct err *e)
{
    struct builder b = {a, config, sp, e};
    const struct config_templates *t = config->templates;

    *out = (struct ssh_files){0};
    if (!t)
        return from_builtin(&b, SSH_BUILTIN_USER, &out->user, &out->n_user) &&
               from_builtin(&b, SSH_BUILTIN_HOST, &out->host, &out->n_host);
    out->data = t->data;
    return !t->ssh ||
           (from_configs(&b, "templates.ssh.user", &t->ssh->user, &out->user, &out->n_user) &&
            from_configs(&b, "templates.ssh.host", &t->ssh->host, &out->host, &out->n_host));
}

/* --- Variables ------------------------------------------------------------------------------- */

/* Stands for a key that the CA has not: false to `if` and `with`; a line that prints it all the
 * same is left out, instead of a half line or an error for the whole file. */
#define NO_KEY "\x1b(no key)\x1b"

static bool no_type(struct trun *run, const struct tvalue *self, const struct tvalue *args,
                    struct tvalue *out)
{
    (void)run, (void)self, (void)args;
    *out = tvalue_text(SLICE(NO_KEY));
    return true;
}

static bool no_blob(struct trun *run, const struct tvalue *self, const struct tvalue *args,
                    struct tvalue *out)
{
    (void)run, (void)self, (void)args;
    *out = tvalue_bytes(SLICE(NO_KEY));
    return true;
}

static const struct tmethod NO_METHODS[] = {{"Marshal", "", no_blob}, {"Type", "", no_type}};
static const struct ttype NO_KEY_TYPE = {.name = "ssh.PublicKey",
                                         .kind = "ptr",
                                         .is = T_TEXT,
                                         .methods = NO_METHODS,
                                         .n_methods = COUNT_OF(NO_METHODS)};

static void set(struct arena *a, struct tvalue *map, const char *name, struct tvalue value)
{
    tmap_set(map->map, a, slice_text(name), value);
}

static struct tvalue key_value(const struct ssh_signer *s)
{
    if (s->signer)
        return tobject_ssh_key(&s->key);
    return (struct tvalue){.kind = T_TEXT, .type = &NO_KEY_TYPE, .text = SLICE("")};
}

/* Without the key that signs, which stands first. */
static struct tvalue key_values(struct arena *a, const struct ssh_keys *keys,
                                const struct ssh_signer *s)
{
    size_t skip = s->signer ? 1 : 0;
    struct tvalue list = tvalue_list(a, &TTYPE_LIST, keys->n - skip);

    for (size_t i = skip; i < keys->n; i++)
        list.list->items[i - skip] = tobject_ssh_key(&keys->v[i]);
    return list;
}

static struct tvalue user_value(struct arena *a, const struct json *data)
{
    struct tvalue map = tvalue_map(a, &TTYPE_TEXT_MAP);

    for (const struct json *m = data->first; m; m = m->next)
        tmap_set(map.map, a, m->name, tvalue_text(json_text(m)));
    return map;
}

static struct tvalue variables(struct arena *a, const struct ssh_ca *ca, const struct json *data)
{
    struct tvalue top = tvalue_map(a, &TTYPE_MAP), step = tvalue_map(a, &TTYPE_MAP),
                  ssh = tvalue_map(a, &TTYPE_MAP);

    if (ca->files.data) {
        for (const struct json *m = ca->files.data->first; m; m = m->next)
            tmap_set(top.map, a, m->name, tvalue_from_json(a, m));
    }
    set(a, &ssh, "HostKey", key_value(&ca->host));
    set(a, &ssh, "UserKey", key_value(&ca->user));
    set(a, &ssh, "HostFederatedKeys", key_values(a, &ca->federation.host, &ca->host));
    set(a, &ssh, "UserFederatedKeys", key_values(a, &ca->federation.user, &ca->user));
    set(a, &step, "SSH", ssh);
    set(a, &top, "Step", step);
    if (data && data->n > 0)
        set(a, &top, "User", user_value(a, data));
    return top;
}

/* --- One request ------------------------------------------------------------------------------ */

struct renderer {
    struct work *w;
    const struct ssh_ca *ca;
    const struct json *data; /* an object, or NULL */
    bool old_client;         /* older than the prepend-line type */
    uint32_t type;
};

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < 0x20 || text.p[i] == 0x7f)
            return false;
    }
    return true;
}

/* Values go into files that sshd and ssh read line by line. */
static bool check_data(struct work *w, const struct json *data)
{
    if (!data || data->kind == JSON_NULL)
        return true;
    if (data->kind != JSON_OBJECT)
        return err_set(&w->err, ERR_MALFORMED, "data: expected an object of texts");
    for (const struct json *m = data->first; m; m = m->next) {
        struct slice name = slice_sub(m->name, 0, 64);
        if (m->kind != JSON_TEXT && m->kind != JSON_NULL)
            return err_set(&w->err, ERR_MALFORMED, "data.%.*s: expected a text", SLICE_ARG(name));
        if (!is_printable(m->name) || !is_printable(json_text(m)))
            return err_set(&w->err, ERR_MALFORMED, "data.%.*s: control characters are not accepted",
                           SLICE_ARG(name));
    }
    return true;
}

static const struct json *datum(const struct renderer *r, struct slice name)
{
    return r->data ? json_get_exact(r->data, arena_cstr(r->w->arena, name)) : NULL;
}

/* The whole command: what was given, and what is missing. */
static bool tell_missing(struct renderer *r, const struct ssh_file *f, struct slice missing)
{
    struct buf b = buf_new(r->w->arena, 4096);

    for (size_t i = 0; i < f->n_requires; i++) {
        const struct json *there = datum(r, f->requires[i]);
        struct slice value = there ? json_text(there) : SLICE("VALUE");
        buf_printf(&b, " --set %.*s=%.*s", SLICE_ARG(f->requires[i]), SLICE_ARG(value));
    }
    return err_set(&r->w->err, ERR_MALFORMED,
                   "%.*s needs a value for %.*s; please use: step ssh config%s%.*s",
                   SLICE_ARG(f->name), SLICE_ARG(missing), r->type == SSH_HOST ? " --host" : "",
                   SLICE_ARG(buf_slice(&b)));
}

static bool check_requires(struct renderer *r, const struct ssh_file *f)
{
    for (size_t i = 0; i < f->n_requires; i++) {
        if (!datum(r, f->requires[i]))
            return tell_missing(r, f, f->requires[i]);
    }
    return true;
}

/* Lines that wanted a key which the CA has not. */
static struct slice without_missing(struct arena *a, struct slice text)
{
    static const struct slice MARK = {(const uint8_t *)NO_KEY, sizeof(NO_KEY) - 1};
    struct buf b;

    if (!memmem(text.p, text.n, MARK.p, MARK.n))
        return text;
    b = buf_new(a, OUTPUT_MAX);
    while (text.n > 0) {
        size_t n = slice_find(text, '\n');
        struct slice line = slice_sub(text, 0, n + (n < text.n));
        if (!memmem(line.p, line.n, MARK.p, MARK.n))
            buf_put(&b, line);
        text = slice_from(text, line.n);
    }
    return buf_slice(&b);
}

/* What `fail` says is for the requester; everything else is the operator's to read in the log. */
static bool run(struct work *w, const struct template *t, struct tvalue *data, struct buf *out)
{
    if (template_run(t, data, w->arena, NULL, out, &w->err))
        return true;
    if (!w->err.code || strcmp(w->err.code, TEMPLATE_FAIL) != 0)
        w->err.kind = ERR_INTERNAL;
    return false;
}

static bool render_one(struct renderer *r, const struct ssh_file *f, struct slice *content)
{
    struct work *w = r->w;
    const struct template *t = f->parsed;
    struct buf out = buf_new(w->arena, OUTPUT_MAX);
    struct tvalue data;
    struct slice text;

    if (f->source)
        t = parse_file(w->arena, f, &text, &w->err);
    if (!t) {
        w->err.kind = ERR_INTERNAL;
        return false;
    }
    data = variables(w->arena, r->ca, r->data);
    if (!run(w, t, &data, &out))
        return false;
    *content = without_missing(w->arena, buf_slice(&out));
    return true;
}

/* Clients before 0.18 know no prepend-line. */
static void for_old_client(struct slice *type, struct slice *path)
{
    *type = SLICE("file");
    if (slice_starts(*path, "${STEPPATH}/"))
        *path = slice_from(*path, strlen("${STEPPATH}/"));
}

static bool put_file(struct renderer *r, const struct ssh_file *f, struct json_writer *out)
{
    struct slice type = f->type, path = f->path, content = SLICE_NONE;
    bool directory = !f->source && !f->parsed;

    if (!check_requires(r, f))
        return false;
    if (!directory && !render_one(r, f, &content))
        return err_wrap(&r->w->err, "%.*s", SLICE_ARG(f->name));
    if (r->old_client && slice_is(f->name, "step_includes.tpl"))
        for_old_client(&type, &path);
    json_open(out, NULL);
    json_member_text(out, "name", f->name);
    json_member_text(out, "type", type);
    json_member_text(out, "path", path);
    json_member_text(out, "comment", f->comment);
    if (directory)
        json_member_null(out, "content");
    else
        json_member_text(out, "content", base64_text(r->w->arena, BASE64_STD, content));
    json_close(out);
    return true;
}

static bool put_files(struct renderer *r, const struct ssh_file *v, size_t n, const char *name,
                      struct json_writer *out)
{
    if (n == 0)
        return true;
    json_open_list(out, name);
    for (size_t i = 0; i < n; i++) {
        if (!put_file(r, &v[i], out))
            return false;
    }
    json_close(out);
    return true;
}

bool ssh_files_render(struct work *w, uint32_t type, const struct json *data, struct slice *body)
{
    const struct ssh_ca *ca = w->authority->core->ssh;
    struct buf b = buf_new(w->arena, BODY_MAX);
    struct json_writer out = json_writer(&b);
    struct renderer r = {.w = w, .ca = ca, .type = type};

    if (!ca || (!ca->user.signer && !ca->host.signer)) {
        err_set(&w->err, ERR_NOT_FOUND, "SSH is not configured");
        w->err.tell = true;
        return false;
    }
    if (!check_data(w, data))
        return false;
    r.data = data && data->kind == JSON_OBJECT ? data : NULL;
    r.old_client = !datum(&r, SLICE("StepSSHTemplateVersion"));
    json_open(&out, NULL);
    if (type == SSH_HOST ? !put_files(&r, ca->files.host, ca->files.n_host, "hostTemplates", &out)
                         : !put_files(&r, ca->files.user, ca->files.n_user, "userTemplates", &out))
        return false;
    json_close(&out);
    buf_byte(&b, '\n');
    *body = buf_slice(&b);
    return buf_done(&b, "files", &w->err);
}
