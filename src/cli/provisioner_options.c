/* The options of a provisioner: its certificate template. */
#include "base/file.h"
#include "cli/provisioner_edit.h"

#define DATA_FILE_MAX (1u << 20)

static struct json *object_at(struct arena *a, struct json *parent, const char *name)
{
    const struct json *there = json_get(parent, name);
    struct json *object =
        there && there->kind == JSON_OBJECT ? json_copy(a, there) : json_make_object(a);

    json_set(parent, a, name, object);
    return object;
}

static bool read_template(struct invocation *inv, const char *path, struct slice *text)
{
    static const struct template_options OPTIONS = {.set = TEMPLATE_X509};

    if (!file_read(inv->arena, path, true, TEMPLATE_TEXT_MAX, text, &inv->err))
        return false;
    *text = slice_trim(*text);
    if (text->n == 0 || text->p[0] != '{')
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: a certificate template begins with '{', for what it makes is JSON",
                       path);
    return template_parse(inv->arena, "template", *text, &OPTIONS, &inv->err) ||
           err_wrap(&inv->err, "%s", path);
}

static bool put_template(struct invocation *inv, struct json *x509)
{
    const char *path = flag_text(inv, "x509-template");
    struct slice text;

    if (!flag_set(inv, "x509-template"))
        return true;
    json_remove(x509, "template");
    if (!*path)
        return true;
    if (!read_template(inv, path, &text))
        return false;
    json_remove(x509, "templateFile");
    json_set(x509, inv->arena, "template", json_make_text(inv->arena, text));
    return true;
}

static bool put_data(struct invocation *inv, struct json *x509)
{
    const char *path = flag_text(inv, "x509-template-data");
    struct slice text;
    struct json *data;

    if (!flag_set(inv, "x509-template-data"))
        return true;
    json_remove(x509, "templateData");
    if (!*path)
        return true;
    if (!file_read(inv->arena, path, true, DATA_FILE_MAX, &text, &inv->err))
        return false;
    data = json_read(inv->arena, text, &JSON_STRICT, NULL, &inv->err);
    if (!data)
        return err_wrap(&inv->err, "%s", path);
    if (data->kind != JSON_OBJECT)
        return err_set(&inv->err, ERR_MALFORMED, "%s: expected a JSON object", path);
    json_set(x509, inv->arena, "templateData", data);
    return true;
}

bool provisioner_put_options(struct invocation *inv, struct json *entry)
{
    struct json *options = object_at(inv->arena, entry, "options");
    struct json *x509 = object_at(inv->arena, options, "x509");

    object_at(inv->arena, options, "ssh");
    return put_template(inv, x509) && put_data(inv, x509);
}
