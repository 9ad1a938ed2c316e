/* What anybody may ask the SSH certificate authority: its keys, configuration files, hosts
 * (docs/reference/ssh.md). */
#include "api/routes.h"
#include "authority/ssh.h"

#define NAME_MAX_BYTES 4096 /* of a host */

struct question {
    struct slice type, principal, user, hostname;
    const struct json *data;
};
#define AT(member) offsetof(struct question, member)
#define SHAPE_OF(variable, fields, text)                                                           \
    static const struct shape variable = {text, sizeof(struct question), fields, COUNT_OF(fields), \
                                          false}
static const struct field FILES_FIELDS[] = {
    {"type", FIELD_TEXT, AT(type), 0, NULL},
    {"data", FIELD_RAW, AT(data), 0, NULL},
};
SHAPE_OF(FILES_SHAPE, FILES_FIELDS, "SSH config request");
static const struct field CHECK_FIELDS[] = {
    {"type", FIELD_TEXT, AT(type), 0, NULL},
    {"principal", FIELD_TEXT, AT(principal), 0, NULL},
};
SHAPE_OF(CHECK_SHAPE, CHECK_FIELDS, "SSH check-host request");
static const struct field BASTION_FIELDS[] = {
    {"user", FIELD_TEXT, AT(user), 0, NULL},
    {"hostname", FIELD_TEXT, AT(hostname), 0, NULL},
};
SHAPE_OF(BASTION_SHAPE, BASTION_FIELDS, "SSH bastion request");
#undef AT

static const struct ssh_ca *ssh_of(const struct request *r)
{
    return r->work.authority->core->ssh;
}

/* --- What is published ----------------------------------------------------------------------- */

static enum outcome not_found(struct request *r, const char *text)
{
    err_set(&r->work.err, ERR_NOT_FOUND, "%s", text);
    return ACT_FAILED;
}

static enum outcome published(struct request *r, struct slice body)
{
    if (body.n == 0)
        return not_found(r, "there are no SSH keys");
    respond_json(r, 200, body);
    return ACT_DONE;
}

enum outcome act_ssh_roots(struct request *r)
{
    return published(r, ssh_of(r) ? ssh_of(r)->roots_json : SLICE_NONE);
}

enum outcome act_ssh_federation(struct request *r)
{
    return published(r, ssh_of(r) ? ssh_of(r)->federation_json : SLICE_NONE);
}

enum outcome act_ssh_krl(struct request *r)
{
    struct slice bytes;

    if (!ssh_of(r))
        return not_found(r, "SSH certificates are not configured");
    if (!ssh_krl_current(&r->work, &bytes))
        return ACT_FAILED;
    respond_bytes(r, 200, "application/octet-stream", bytes);
    return ACT_DONE;
}

/* --- POST /ssh/config ------------------------------------------------------------------------ */

/* Texts go into configuration files of whoever asks. */
static bool check_data(struct request *r, const struct json *data)
{
    struct err *e = &r->work.err;

    if (!data || data->kind == JSON_NULL)
        return true;
    if (data->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "data: expected an object of texts");
    for (const struct json *m = data->first; m; m = m->next) {
        struct slice text = json_text(m);
        if (m->kind != JSON_TEXT)
            return err_set(e, ERR_MALFORMED, "data.%.*s: expected a text",
                           SLICE_ARG(slice_sub(m->name, 0, 128)));
        for (size_t i = 0; i < text.n; i++) {
            if (text.p[i] < 0x20 || text.p[i] == 0x7f)
                return err_set(e, ERR_MALFORMED, "data.%.*s: holds a control character",
                               SLICE_ARG(slice_sub(m->name, 0, 128)));
        }
    }
    return true;
}

/* Of the body, else of the path; they must not contradict each other. */
static bool config_type(struct request *r, const struct question *body, uint32_t *type)
{
    struct slice text = body->type, in_path = r->args[0];

    if (text.n > 0 && in_path.n > 0 && !slice_eq(text, in_path))
        return err_set(&r->work.err, ERR_MALFORMED, "type: the path says \"%.*s\"",
                       SLICE_ARG(slice_sub(in_path, 0, 64)));
    if (text.n == 0)
        text = in_path;
    if (text.n > 0 && !slice_is(text, "user") && !slice_is(text, "host"))
        return err_set(&r->work.err, ERR_MALFORMED, "type \"%.*s\": expected user or host",
                       SLICE_ARG(slice_sub(text, 0, 64)));
    *type = slice_is(text, "host") ? SSH_HOST : SSH_USER;
    return true;
}

enum outcome act_ssh_config(struct request *r)
{
    struct question body = {0};
    const struct ssh_ca *ca = ssh_of(r);
    struct slice answer;
    uint32_t type = SSH_USER;

    if (!body_read(r, &FILES_SHAPE, &body) || !config_type(r, &body, &type) ||
        !check_data(r, body.data))
        return ACT_FAILED;
    if (!ca || (!ca->user.signer && !ca->host.signer))
        return not_found(r, "SSH certificates are not configured");
    const struct json *data = body.data && body.data->kind == JSON_OBJECT ? body.data : NULL;
    if (!ssh_files_render(&r->work, type, data, &answer))
        return ACT_FAILED;
    respond_json(r, 200, answer);
    return ACT_DONE;
}

/* --- Hosts ----------------------------------------------------------------------------------- */

enum outcome act_ssh_check_host(struct request *r)
{
    struct question body = {0};
    bool known;

    if (!body_read(r, &CHECK_SHAPE, &body))
        return ACT_FAILED;
    if (!slice_is(body.type, "host")) {
        err_set(&r->work.err, ERR_MALFORMED, "type \"%.*s\": expected host",
                SLICE_ARG(slice_sub(body.type, 0, 64)));
        return ACT_FAILED;
    }
    if (body.principal.n == 0 || body.principal.n > NAME_MAX_BYTES) {
        err_set(&r->work.err, ERR_MALFORMED, "principal is %s",
                body.principal.n == 0 ? "missing" : "too long");
        return ACT_FAILED;
    }
    if (!ssh_host_known(&r->work, body.principal, &known))
        return ACT_FAILED;
    respond_json(r, 200, known ? SLICE("{\"exists\":true}\n") : SLICE("{\"exists\":false}\n"));
    return ACT_DONE;
}

static bool put_host(struct slice name, void *arg)
{
    struct json_writer *j = arg;

    json_open(j, NULL);
    json_member_text(j, "hid", SLICE(""));
    json_member_null(j, "host_tags");
    json_member_text(j, "hostname", name);
    json_close(j);
    return buf_ok(j->b);
}

enum outcome act_ssh_hosts(struct request *r)
{
    struct buf b = buf_new(r->work.arena, 64u << 20);
    struct json_writer j = json_writer(&b);

    if (r->work.authority->core->config->authority.disable_get_ssh_hosts)
        return not_found(r, "the list of hosts is disabled");
    json_open(&j, NULL);
    json_open_list(&j, "hosts");
    if (!ssh_hosts(&r->work, put_host, &j))
        return ACT_FAILED;
    json_close(&j);
    json_close(&j);
    buf_byte(&b, '\n');
    if (!buf_done(&b, "list of hosts", &r->work.err))
        return ACT_FAILED;
    respond_json(r, 200, buf_slice(&b));
    return ACT_DONE;
}

static void put_bastion(struct json_writer *j, const struct ssh_bastion *bastion)
{
    const struct {
        const char *name;
        struct slice text;
    } members[] = {{"user", bastion->user},
                   {"port", bastion->port},
                   {"cmd", bastion->cmd},
                   {"flags", bastion->flags}};

    json_open(j, "bastion");
    json_member_text(j, "hostname", bastion->hostname);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        if (members[i].text.n > 0)
            json_member_text(j, members[i].name, members[i].text);
    }
    json_close(j);
}

enum outcome act_ssh_bastion(struct request *r)
{
    struct buf b = buf_new(r->work.arena, 64u << 10);
    struct json_writer j = json_writer(&b);
    struct question body = {0};

    if (!body_read(r, &BASTION_SHAPE, &body))
        return ACT_FAILED;
    if (body.hostname.n == 0 || body.hostname.n > NAME_MAX_BYTES) {
        err_set(&r->work.err, ERR_MALFORMED, "hostname is %s",
                body.hostname.n == 0 ? "missing" : "too long");
        return ACT_FAILED;
    }
    if (!ssh_of(r))
        return not_found(r, "SSH certificates are not configured");
    const struct ssh_bastion *bastion = &ssh_of(r)->bastion;
    json_open(&j, NULL);
    json_member_text(&j, "hostname", body.hostname);
    if (bastion->hostname.n > 0 && !slice_eq_case(bastion->hostname, body.hostname))
        put_bastion(&j, bastion);
    json_close(&j);
    buf_byte(&b, '\n');
    if (!buf_done(&b, "bastion", &r->work.err))
        return ACT_FAILED;
    respond_json(r, 200, buf_slice(&b));
    return ACT_DONE;
}
