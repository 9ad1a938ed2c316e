/* The options of a provisioner: its certificate templates. */
#include "base/file.h"
#include "cli/provisioner_edit.h"

#define DATA_FILE_MAX (1u << 20)

/* One kind of certificate: its member of `options`, and the flags for it. */
struct template_flags {
    const char *member, *text, *data;
    struct template_options options;
};
static const struct template_flags KINDS[] = {
    {"x509", "x509-template", "x509-template-data", {.set = TEMPLATE_X509}},
    {"ssh", "ssh-template", "ssh-template-data", {.set = TEMPLATE_SSH}},
};

static struct json *object_at(struct arena *a, struct json *parent, const char *name)
{
    const struct json *there = json_get(parent, name);
    struct json *object =
        there && there->kind == JSON_OBJECT ? json_copy(a, there) : json_make_object(a);

    json_set(parent, a, name, object);
    return object;
}

static bool read_template(struct invocation *inv, const struct template_options *options,
                          const char *path, struct slice *text)
{
    if (!file_read(inv->arena, path, true, TEMPLATE_TEXT_MAX, text, &inv->err))
        return false;
    *text = slice_trim(*text);
    if (text->n == 0 || text->p[0] != '{')
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: a certificate template begins with '{', for what it makes is JSON",
                       path);
    return template_parse(inv->arena, "template", *text, options, &inv->err) ||
           err_wrap(&inv->err, "%s", path);
}

static bool put_template(struct invocation *inv, const struct template_flags *kind,
                         struct json *object)
{
    const char *path = flag_text(inv, kind->text);
    struct slice text;

    if (!flag_set(inv, kind->text))
        return true;
    json_remove(object, "template");
    if (!*path)
        return true;
    if (!read_template(inv, &kind->options, path, &text))
        return false;
    json_remove(object, "templateFile");
    json_set(object, inv->arena, "template", json_make_text(inv->arena, text));
    return true;
}

static bool put_data(struct invocation *inv, const struct template_flags *kind, struct json *object)
{
    const char *path = flag_text(inv, kind->data);
    struct slice text;
    struct json *data;

    if (!flag_set(inv, kind->data))
        return true;
    json_remove(object, "templateData");
    if (!*path)
        return true;
    if (!file_read(inv->arena, path, true, DATA_FILE_MAX, &text, &inv->err))
        return false;
    data = json_read(inv->arena, text, &JSON_STRICT, NULL, &inv->err);
    if (!data)
        return err_wrap(&inv->err, "%s", path);
    if (data->kind != JSON_OBJECT)
        return err_set(&inv->err, ERR_MALFORMED, "%s: expected a JSON object", path);
    json_set(object, inv->arena, "templateData", data);
    return true;
}

bool provisioner_options_fit(struct invocation *inv, const struct provisioner_type *type)
{
    for (size_t i = 0; !provisioner_has_options(type) && i < COUNT_OF(KINDS); i++) {
        const char *const flags[] = {KINDS[i].text, KINDS[i].data};
        for (size_t k = 0; k < COUNT_OF(flags); k++) {
            if (flag_source(inv, flags[k]) == SOURCE_LINE)
                return err_set(&inv->err, ERR_MALFORMED,
                               "flag '--%s' is incompatible with flag '--type %s'", flags[k],
                               type->written);
        }
    }
    return true;
}

bool provisioner_has_options(const struct provisioner_type *type)
{
    return strcmp(type->name, "SSHPOP") != 0;
}

bool provisioner_put_options(struct invocation *inv, const struct provisioner_type *type,
                             struct json *entry)
{
    struct json *options;

    if (!provisioner_has_options(type))
        return true;
    options = object_at(inv->arena, entry, "options");
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        struct json *object = object_at(inv->arena, options, KINDS[i].member);
        if (!put_template(inv, &KINDS[i], object) || !put_data(inv, &KINDS[i], object))
            return false;
    }
    return true;
}
