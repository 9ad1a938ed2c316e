/*
 * `step ca init --helm`: the values of a Helm chart on standard output instead of files.  The
 * configuration is the one that would be written, as YAML.
 */
#include "cli/ca_init.h"

#define VALUES_MAX (4u << 20)

static void indent(struct buf *b, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        buf_text(b, "  ");
}

/* A text of JSON is one of YAML, and so are an empty list, an empty object and a lone line of JSON
 * (YAML 1.2). */
static void put_inline(struct buf *b, const struct json *v)
{
    buf_byte(b, ' ');
    json_print(b, v, NULL);
    buf_byte(b, '\n');
}

static bool is_block(const struct json *v)
{
    return (v->kind == JSON_OBJECT || v->kind == JSON_LIST) && v->n > 0;
}

static void put_members(struct buf *b, unsigned depth, const struct json *object);

/* Objects in lists, which are provisioners and templates, stay on their line. */
static void put_value(struct buf *b, unsigned depth, const struct json *v)
{
    if (!is_block(v)) {
        put_inline(b, v);
        return;
    }
    buf_byte(b, '\n');
    if (v->kind == JSON_OBJECT) {
        put_members(b, depth + 1, v);
        return;
    }
    for (const struct json *item = v->first; item; item = item->next) {
        indent(b, depth + 1);
        buf_byte(b, '-');
        put_inline(b, item);
    }
}

static void put_members(struct buf *b, unsigned depth, const struct json *object)
{
    for (const struct json *m = object->first; m; m = m->next) {
        if (m->kind == JSON_NULL)
            continue;
        indent(b, depth);
        buf_printf(b, "%.*s:", SLICE_ARG(m->name));
        put_value(b, depth, m);
    }
}

/* A block of lines as they are. */
static void put_lines(struct buf *b, unsigned depth, const char *name, struct slice text)
{
    struct slice line;

    indent(b, depth);
    buf_printf(b, "%s: |\n", name);
    text = slice_trim(text);
    while (slice_split(&text, '\n', &line)) {
        if (line.n > 0)
            indent(b, depth + 1);
        buf_printf(b, "%.*s\n", SLICE_ARG(line));
    }
}

static void put_target(struct buf *b, const struct init *i, unsigned depth, const char *name,
                       enum target_kind kind)
{
    if (i->targets[kind].path)
        put_lines(b, depth, name, i->targets[kind].content);
}

static void put_secrets(struct buf *b, const struct init *i)
{
    buf_text(b, "  secrets:\n"
                "    # base64 of the password of the keys below, and of the first provisioner's:\n"
                "    # both are yours to fill in.\n"
                "    ca_password: \"\"\n"
                "    provisioner_password: \"\"\n"
                "    x509:\n");
    put_target(b, i, 3, "intermediate_ca_key", INTERMEDIATE_KEY);
    put_target(b, i, 3, "root_ca_key", ROOT_KEY);
    if (!i->targets[SSH_HOST_KEY].path)
        return;
    buf_text(b, "    ssh:\n");
    put_target(b, i, 3, "host_ca_key", SSH_HOST_KEY);
    put_target(b, i, 3, "user_ca_key", SSH_USER_KEY);
}

bool init_print_values(struct init *i)
{
    struct buf b = buf_new(i->a, VALUES_MAX);

    buf_text(&b, "# Helm values of a certificate authority\n"
                 "inject:\n"
                 "  enabled: true\n"
                 "  config:\n"
                 "    files:\n"
                 "      ca.json:\n");
    put_members(&b, 4, i->configuration);
    buf_text(&b, "      defaults.json:\n");
    put_members(&b, 4, i->defaults);
    buf_text(&b, "  certificates:\n");
    put_target(&b, i, 2, "intermediate_ca", INTERMEDIATE_CERT);
    put_target(&b, i, 2, "root_ca", ROOT_CERT);
    put_target(&b, i, 2, "ssh_host_ca", SSH_HOST_LINE);
    put_target(&b, i, 2, "ssh_user_ca", SSH_USER_LINE);
    put_secrets(&b, i);
    if (!buf_done(&b, "the values", &i->inv->err))
        return false;
    out_put(i->inv, buf_slice(&b));
    return true;
}
