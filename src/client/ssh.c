/* The SSH routes of a CA's API: bodies written, answers read. */
#include "client/ssh.h"

#include "base/encode.h"
#include "client/ca_internal.h"

#define KRL_MAX     (256u << 20)
#define KRL_TIMEOUT (10 * 60 * NS_PER_SEC)
#define BODY_MAX    (1u << 20)
#define FILES_MAX   256
#define HOSTS_MAX   (1u << 20)

static bool post(struct ca *ca, struct arena *a, const char *path, const struct buf *body,
                 struct json **reply, struct err *e)
{
    return buf_done(body, path, e) &&
           ca_call_json(ca, a, HTTP_POST, path, buf_slice(body), SLICE_NONE, reply, e);
}

static void put_bytes(struct json_writer *w, struct arena *a, const char *name, struct slice bytes)
{
    json_member_text(w, name, base64_text(a, BASE64_STD, bytes));
}

static bool answer_bytes(struct arena *a, const struct json *text, const char *name,
                         struct slice *bytes, struct err *e)
{
    if (base64_read(a, BASE64_PEM, json_text(text), bytes) && bytes->n > 0)
        return true;
    return err_set(e, ERR_MALFORMED, "%s in the CA's answer: expected base64", name);
}

/* --- Certificates ---------------------------------------------------------------------------- */

static bool read_reply(struct arena *a, const struct json *v, struct ca_ssh_reply *reply,
                       struct err *e)
{
    const struct json *add_user = json_get(v, "addUserCrt");

    memset(reply, 0, sizeof(*reply));
    if (!answer_bytes(a, json_get(v, "crt"), "crt", &reply->crt, e))
        return false;
    if (json_text(add_user).n && !answer_bytes(a, add_user, "addUserCrt", &reply->add_user_crt, e))
        return false;
    return ca_read_certs(a, json_get(v, "identityCrt"), &reply->identity, e) ||
           err_wrap(e, "identityCrt in the CA's answer");
}

bool ca_ssh_sign(struct ca *ca, struct arena *a, const struct ca_ssh_sign_wish *wish,
                 struct ca_ssh_reply *reply, struct err *e)
{
    struct buf b = buf_new(a, BODY_MAX);
    struct json_writer w = json_writer(&b);
    struct json *answer;

    json_open(&w, NULL);
    put_bytes(&w, a, "publicKey", wish->public_key);
    json_member_text(&w, "ott", wish->ott);
    json_member_text(&w, "certType", wish->type);
    json_member_text(&w, "keyID", wish->key_id);
    json_open_list(&w, "principals");
    for (size_t i = 0; i < wish->n_principals; i++)
        json_member_text(&w, NULL, wish->principals[i]);
    json_close(&w);
    json_member_text(&w, "validAfter", wish->valid_after);
    json_member_text(&w, "validBefore", wish->valid_before);
    if (wish->add_user_key.n)
        put_bytes(&w, a, "addUserPublicKey", wish->add_user_key);
    if (wish->identity_csr.n)
        json_member_text(&w, "identityCSR", wish->identity_csr);
    if (wish->template_data.n)
        json_member_raw(&w, "templateData", wish->template_data);
    json_close(&w);
    return post(ca, a, "/ssh/sign", &b, &answer, e) && read_reply(a, answer, reply, e);
}

/* Renewal with one key or another: public_key absent, the same one. */
static bool renew(struct ca *ca, struct arena *a, const char *path, struct slice ott,
                  struct slice public_key, struct ca_ssh_reply *reply, struct err *e)
{
    struct buf b = buf_new(a, BODY_MAX);
    struct json_writer w = json_writer(&b);
    struct json *answer;

    json_open(&w, NULL);
    json_member_text(&w, "ott", ott);
    if (public_key.n)
        put_bytes(&w, a, "publicKey", public_key);
    json_close(&w);
    return post(ca, a, path, &b, &answer, e) && read_reply(a, answer, reply, e);
}

bool ca_ssh_renew(struct ca *ca, struct arena *a, struct slice ott, struct ca_ssh_reply *reply,
                  struct err *e)
{
    return renew(ca, a, "/ssh/renew", ott, SLICE_NONE, reply, e);
}

bool ca_ssh_rekey(struct ca *ca, struct arena *a, struct slice ott, struct slice public_key,
                  struct ca_ssh_reply *reply, struct err *e)
{
    return renew(ca, a, "/ssh/rekey", ott, public_key, reply, e);
}

bool ca_ssh_revoke(struct ca *ca, struct arena *a, const struct ca_revoke_wish *wish, struct err *e)
{
    return ca_post_revoke(ca, a, "/ssh/revoke", wish, e);
}

/* --- What the CA publishes ------------------------------------------------------------------- */

static bool read_keys(struct arena *a, const struct json *list, const char *name,
                      struct ssh_keys *out, struct err *e)
{
    size_t n = list && list->kind == JSON_LIST ? list->n : 0;

    out->v = arena_array(a, n + 1, sizeof(*out->v));
    for (const struct json *v = n ? list->first : NULL; v; v = v->next) {
        struct slice blob;
        if (!answer_bytes(a, v, name, &blob, e))
            return false;
        if (!ssh_key_read(a, blob, &out->v[out->n], e))
            return err_wrap(e, "%s in the CA's answer", name);
        out->n++;
    }
    return true;
}

bool ca_ssh_roots(struct ca *ca, struct arena *a, bool federation, struct ssh_trust *out,
                  struct err *e)
{
    const char *path = federation ? "/ssh/federation" : "/ssh/roots";
    struct json *reply;

    memset(out, 0, sizeof(*out));
    return ca_call_json(ca, a, HTTP_GET, path, SLICE_NONE, SLICE_NONE, &reply, e) &&
           read_keys(a, json_get(reply, "userKey"), "userKey", &out->user, e) &&
           read_keys(a, json_get(reply, "hostKey"), "hostKey", &out->host, e);
}

static bool read_file(struct arena *a, const struct json *v, struct ca_ssh_file *f, struct err *e)
{
    const struct json *content = json_get(v, "content");

    f->name = json_text(json_get(v, "name"));
    f->type = json_text(json_get(v, "type"));
    f->path = json_text(json_get(v, "path"));
    f->comment = json_text(json_get(v, "comment"));
    f->content = SLICE("");
    if (f->path.n == 0 || slice_has_nul(f->path))
        return err_set(e, ERR_MALFORMED, "a template in the CA's answer has no path");
    return json_text(content).n == 0 || answer_bytes(a, content, "content", &f->content, e);
}

bool ca_ssh_files_read(struct arena *a, const struct json *reply, uint32_t type,
                       struct ca_ssh_file **files, size_t *n, struct err *e)
{
    const struct json *list = json_get(reply, type == SSH_HOST ? "hostTemplates" : "userTemplates");
    size_t count = list && list->kind == JSON_LIST ? list->n : 0;
    if (count > FILES_MAX)
        return err_set(e, ERR_TOO_LARGE, "the CA's answer names more than %d files", FILES_MAX);
    *files = arena_array(a, count + 1, sizeof(**files));
    *n = 0;
    for (const struct json *v = count ? list->first : NULL; v; v = v->next) {
        if (!read_file(a, v, &(*files)[*n], e))
            return false;
        ++*n;
    }
    return true;
}

bool ca_ssh_config(struct ca *ca, struct arena *a, uint32_t type, struct slice data,
                   struct ca_ssh_file **files, size_t *n, struct err *e)
{
    struct buf b = buf_new(a, BODY_MAX);
    struct json_writer w = json_writer(&b);
    struct json *reply;

    json_open(&w, NULL);
    json_member_text(&w, "type", slice_text(ssh_cert_type_text(type)));
    if (data.n)
        json_member_raw(&w, "data", data);
    json_close(&w);
    return post(ca, a, "/ssh/config", &b, &reply, e) &&
           ca_ssh_files_read(a, reply, type, files, n, e);
}

/* --- Hosts ----------------------------------------------------------------------------------- */

bool ca_ssh_check_host(struct ca *ca, struct arena *a, struct slice host, struct slice token,
                       bool *exists, struct err *e)
{
    struct buf b = buf_new(a, BODY_MAX);
    struct json_writer w = json_writer(&b);
    struct json *reply;

    json_open(&w, NULL);
    json_member_text(&w, "type", SLICE("host"));
    json_member_text(&w, "principal", host);
    if (token.n)
        json_member_text(&w, "token", token);
    json_close(&w);
    if (!post(ca, a, "/ssh/check-host", &b, &reply, e))
        return false;
    const struct json *v = json_get(reply, "exists");
    if (!v || v->kind != JSON_BOOL)
        return err_set(e, ERR_MALFORMED, "exists in the CA's answer: expected true or false");
    *exists = v->truth;
    return true;
}

static struct slice tags_text(struct arena *a, const struct json *list)
{
    struct buf b = buf_new(a, 64u << 10);

    for (const struct json *v = list && list->kind == JSON_LIST ? list->first : NULL; v;
         v = v->next) {
        if (b.n > 0)
            buf_byte(&b, ',');
        buf_put(&b, json_text(json_get(v, "Name")));
        buf_byte(&b, '=');
        buf_put(&b, json_text(json_get(v, "Value")));
    }
    return buf_slice(&b);
}

bool ca_ssh_hosts(struct ca *ca, struct arena *a, struct ca_ssh_host **out, size_t *n,
                  struct err *e)
{
    struct json *reply;

    if (!ca_call_json(ca, a, HTTP_GET, "/ssh/hosts", SLICE_NONE, SLICE_NONE, &reply, e))
        return false;
    const struct json *list = json_get(reply, "hosts");
    size_t count = list && list->kind == JSON_LIST ? list->n : 0;
    if (count > HOSTS_MAX)
        return err_set(e, ERR_TOO_LARGE, "the CA's answer names more than %u hosts", HOSTS_MAX);
    *out = arena_array(a, count + 1, sizeof(**out));
    *n = 0;
    for (const struct json *v = count ? list->first : NULL; v; v = v->next)
        (*out)[(*n)++] = (struct ca_ssh_host){.id = json_text(json_get(v, "hid")),
                                              .name = json_text(json_get(v, "hostname")),
                                              .tags = tags_text(a, json_get(v, "host_tags"))};
    return true;
}

bool ca_ssh_bastion(struct ca *ca, struct arena *a, struct slice user, struct slice host,
                    struct ca_ssh_bastion *out, struct err *e)
{
    struct buf b = buf_new(a, BODY_MAX);
    struct json_writer w = json_writer(&b);
    struct json *reply;

    json_open(&w, NULL);
    json_member_text(&w, "user", user);
    json_member_text(&w, "hostname", host);
    json_close(&w);
    if (!post(ca, a, "/ssh/bastion", &b, &reply, e))
        return false;
    const struct json *v = json_get(reply, "bastion");
    *out = (struct ca_ssh_bastion){.hostname = json_text(json_get(v, "hostname")),
                                   .user = json_text(json_get(v, "user")),
                                   .port = json_text(json_get(v, "port")),
                                   .cmd = json_text(json_get(v, "cmd")),
                                   .flags = json_text(json_get(v, "flags"))};
    return true;
}

/* As large as our server makes them: 32 million serial numbers under one key. */
bool ca_ssh_krl(struct ca *ca, struct arena *a, struct slice *krl, struct err *e)
{
    struct ca patient = *ca;
    struct http_reply reply;

    patient.reply_max = KRL_MAX;
    if (patient.timeout_ns <= 0)
        patient.timeout_ns = KRL_TIMEOUT;
    if (!ca_call(&patient, a, HTTP_GET, "/ssh/krl", SLICE_NONE, SLICE_NONE, &reply, e))
        return false;
    *krl = reply.body;
    return true;
}
