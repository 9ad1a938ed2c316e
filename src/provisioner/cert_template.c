/* Inline text is parsed when the configuration is loaded, a file when it is needed. */
#include "provisioner/cert_template.h"

#include "base/encode.h"
#include "base/file.h"

static const struct template *parse(const struct cert_template *t, struct arena *a,
                                    struct slice text, struct err *e)
{
    const struct template_env *env = t->env;
    struct template_options *o = arena_alloc(a, sizeof(*o));

    *o = (struct template_options){.set = t->set,
                                   .allow = env->allow,
                                   .n_allow = env->n_allow,
                                   .hooks = env->hooks,
                                   .clock = env->clock};
    return template_parse(a, "template", text, o, e);
}

/* Text that begins with '{' is a template; anything else is base64 of one. */
static bool inline_text(struct arena *a, struct slice text, struct slice *out, struct err *e)
{
    text = slice_trim(text);
    *out = text;
    if (text.n > 0 && text.p[0] == '{')
        return true;
    return base64_read(a, BASE64_STD, text, out) ||
           err_set(e, ERR_MALFORMED, "neither a template nor base64");
}

static const struct template *parse_file(const struct cert_template *t, struct arena *a,
                                         struct err *e)
{
    struct slice text;

    if (!file_read(a, t->file, false, TEMPLATE_TEXT_MAX, &text, e))
        return NULL;
    const struct template *parsed = parse(t, a, text, e);
    if (!parsed)
        err_wrap(e, "%s", t->file);
    return parsed;
}

/* As it would be for a request now; the tree is thrown away. */
static void try_file(const struct cert_template *t, struct arena *keep, const char **warning)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct err e = {0};

    if (!parse_file(t, a, &e))
        *warning = arena_printf(keep, "templateFile: %s", e.text);
    arena_free(a);
}

bool cert_template_make(struct arena *a, const struct template_env *env, enum template_set set,
                        struct slice text, struct slice file, const struct json *data,
                        struct cert_template **out, const char **warning, struct err *e)
{
    struct cert_template *t = arena_alloc(a, sizeof(*t));
    struct slice body;

    *out = NULL;
    *warning = NULL;
    if (data && data->kind != JSON_OBJECT && data->kind != JSON_NULL)
        return err_set(e, ERR_MALFORMED, "templateData: expected an object");
    t->data = data && data->kind == JSON_OBJECT ? data : NULL;
    t->env = env;
    t->set = set;
    if (!env || (text.n == 0 && file.n == 0 && !t->data))
        return true;
    *out = t;
    if (text.n > 0) {
        if (inline_text(a, text, &body, &t->trouble))
            t->parsed = parse(t, a, body, &t->trouble);
        if (!t->parsed)
            *warning = arena_printf(a, "template: %s", t->trouble.text);
    } else if (file.n > 0) {
        if (!env->sp)
            return err_set(e, ERR_INTERNAL, "templateFile: there is no step path");
        t->file = steppath_abs(a, env->sp, arena_cstr(a, file));
        try_file(t, a, warning);
    }
    return true;
}

bool cert_template_open(const struct cert_template *t, struct arena *a, const struct template **out,
                        struct err *e)
{
    *out = t->parsed;
    if (t->trouble.kind != ERR_NONE)
        return err_set(e, ERR_INTERNAL, "%s", t->trouble.text);
    if (t->file) {
        *out = parse_file(t, a, e);
        if (!*out) {
            e->kind = ERR_INTERNAL;
            return false;
        }
    }
    return true;
}
