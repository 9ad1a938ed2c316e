/* What a self-made token (JWK, X5C) grants of SSH: its claim step.ssh.  Names of members are exact,
 * as everywhere in tokens. */
#include "provisioner/internal.h"

static bool bad_claim(struct err *e, const char *name, const char *wanted)
{
    return err_set(e, ERR_UNAUTHORIZED, "token claim step.ssh: %s: expected %s", name, wanted);
}

static bool read_text(const struct json *ssh, const char *name, struct slice *out, struct err *e)
{
    const struct json *v = json_get_exact(ssh, name);

    *out = SLICE_NONE;
    if (!v || v->kind == JSON_NULL)
        return true;
    *out = json_text(v);
    return v->kind == JSON_TEXT || bad_claim(e, name, "a text");
}

static bool read_time(const struct json *ssh, const char *name, struct time_or_duration *out,
                      struct err *e)
{
    struct slice text;

    *out = (struct time_or_duration){0};
    if (!read_text(ssh, name, &text, e))
        return false;
    if (!time_or_duration_read(text, out, NULL))
        return bad_claim(e, name, "an RFC 3339 time or a duration");
    if (out->relative && out->ns == 0)
        out->set = false; /* "0s" asks for nothing */
    return true;
}

/* Without any is null, [] or absent. */
static bool read_principals(struct arena *a, const struct json *ssh, struct ssh_wish *out,
                            struct err *e)
{
    static const char NAME[] = "principals";
    const struct json *v = json_get_exact(ssh, NAME);

    if (!v || v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_LIST || v->n > SSH_PRINCIPALS_MAX)
        return bad_claim(e, NAME, "a list of at most 256 texts");
    struct slice *list = arena_array(a, v->n + 1, sizeof(*list));
    for (const struct json *p = v->first; p; p = p->next) {
        if (p->kind != JSON_TEXT || json_text(p).n == 0)
            return bad_claim(e, NAME, "texts that are not empty");
        list[out->n_principals++] = json_text(p);
    }
    out->principals = list;
    return true;
}

static bool read_type(const struct json *ssh, struct slice *type, struct err *e)
{
    if (!read_text(ssh, "certType", type, e))
        return false;
    if (type->n == 0 || slice_is_case(*type, "user"))
        *type = type->n > 0 ? SLICE("user") : SLICE_NONE;
    else if (slice_is_case(*type, "host"))
        *type = SLICE("host");
    else {
        err_set(e, ERR_MALFORMED, "token claim step.ssh: certType \"%.*s\" is not user or host",
                SLICE_ARG(slice_sub(*type, 0, 64)));
        e->tell = true; /* meant as it is: 400 */
        return false;
    }
    return true;
}

static bool read_wish(struct arena *a, const struct json *ssh, struct ssh_wish *out, struct err *e)
{
    return read_type(ssh, &out->type, e) && read_text(ssh, "keyID", &out->key_id, e) &&
           read_principals(a, ssh, out, e) && read_time(ssh, "validAfter", &out->valid_after, e) &&
           read_time(ssh, "validBefore", &out->valid_before, e);
}

bool ssh_enabled_check(const struct provisioner *p, struct err *e)
{
    return p->claims.enable_ssh_ca ||
           err_set(e, ERR_UNAUTHORIZED, "SSH certificates are disabled: claim enableSSHCA");
}

bool token_grant_ssh(const struct token *t, const struct asking *ask, struct grant *g,
                     struct err *e)
{
    const struct json *ssh = json_get_exact(json_get_exact(t->claims, "step"), "ssh");
    struct ssh_wish *wish = arena_alloc(ask->arena, sizeof(*wish));
    struct slice *subject = arena_alloc(ask->arena, sizeof(*subject));

    if (!ssh || ssh->kind != JSON_OBJECT)
        return err_set(e, ERR_UNAUTHORIZED, "token has no claim step.ssh");
    if (!read_wish(ask->arena, ssh, wish, e) || !token_confirmation(t, &g->ssh.confirmed, e))
        return false;
    *subject = t->sub;
    g->subject = t->sub;
    g->use_key = t->jti;
    g->ssh.match = wish;
    g->ssh.fallback = SSH_AS_GRANTED;
    g->ssh.valid_after = wish->valid_after;
    g->ssh.valid_before = wish->valid_before;
    g->ssh.data = *wish;
    if (g->ssh.data.type.n == 0)
        g->ssh.data.type = SLICE("user");
    if (g->ssh.data.key_id.n == 0)
        g->ssh.data.key_id = t->sub;
    if (g->ssh.data.n_principals == 0) {
        g->ssh.data.principals = subject;
        g->ssh.data.n_principals = 1;
    }
    return true;
}
