/*
 * Issuance of SSH certificates: the list of docs/reference/ssh.md "Issuance", one function a step.
 * Nothing is changed here: the record goes into the batch of the work.
 */
#include "authority/ssh_template.h"
#include "authority/webhook.h"

#define ADD_USER_PRINCIPAL_MAX 64

/* Of the granted principals those that were asked for, in the grant's order and spelling: sshd's
 * principals have case.  What the grant has not is not given either. */
static struct ssh_wish narrow(struct arena *a, const struct grant_ssh *g,
                              const struct ssh_wish *asked)
{
    struct ssh_wish out = g->data;
    struct slice *kept = arena_array(a, out.n_principals + 1, sizeof(*kept));
    size_t n = 0;

    if (g->fallback != SSH_AS_GRANTED)
        return out;
    for (size_t i = 0; i < out.n_principals; i++) {
        for (size_t k = 0; k < asked->n_principals; k++) {
            if (!slice_eq_case(out.principals[i], asked->principals[k]))
                continue;
            kept[n++] = out.principals[i];
            break;
        }
    }
    if (n > 0) {
        out.principals = kept;
        out.n_principals = n;
    }
    return out;
}

static bool template_time(struct work *w, int64_t sec, uint64_t *out)
{
    *out = sec > 0 ? (uint64_t)sec : 0;
    return sec >= 0 ||
           err_set(&w->err, ERR_INTERNAL, "the certificate template sets a time before 1970");
}

/* Template, then request, then token; then what is usual. */
static bool apply_times(struct work *w, const struct grant *g, const struct ssh_wish *asked,
                        const struct ssh_cert_json *made, struct ssh_cert *c)
{
    struct instant now = w->services->clock->now(w->services->clock);
    const struct claims *claims = &g->by->claims;
    int64_t usual = c->type == SSH_HOST ? claims->host_ssh.usual : claims->user_ssh.usual;
    struct ssh_times_rules rules = {
        .now = (uint64_t)now.sec,
        .backdate = (uint64_t)(w->authority->core->backdate / NS_PER_SEC),
        .usual = (uint64_t)(usual / NS_PER_SEC),
        .limited = g->ssh.limited,
        .ceiling = g->ssh.ceiling.sec > 0 ? (uint64_t)g->ssh.ceiling.sec : 0,
    };
    struct ssh_times t;
    struct err *e = &w->err;

    if (!template_time(w, made->valid_after, &t.after) ||
        !template_time(w, made->valid_before, &t.before) ||
        !ssh_times_wish(&asked->valid_after, now, "validAfter", &t.after, e) ||
        !ssh_times_wish(&asked->valid_before, now, "validBefore", &t.before, e))
        return false;
    if (t.after > 0 && t.before > 0 && t.after > t.before)
        return err_set(e, ERR_MALFORMED, "validBefore is before validAfter");
    if (!ssh_times_wish(&g->ssh.valid_after, now, "the token's validAfter", &t.after, e) ||
        !ssh_times_wish(&g->ssh.valid_before, now, "the token's validBefore", &t.before, e) ||
        !ssh_times_settle(&rules, &t, e))
        return false;
    c->valid_after = t.after;
    c->valid_before = t.before;
    return true;
}

/* Where only the other type has rules, this one is refused as a whole. */
static bool check_policy(struct arena *a, const struct policy_set *set, const struct ssh_cert *c,
                         const char *whose, struct err *e)
{
    const struct policy *own = c->type == SSH_HOST ? set->ssh_host : set->ssh_user;
    const struct policy *other = c->type == SSH_HOST ? set->ssh_user : set->ssh_host;

    if (!own && other)
        return err_set(e, ERR_FORBIDDEN,
                       "%s certificates are not allowed: the policy of the %s has rules for the "
                       "other type only",
                       ssh_cert_type_text(c->type), whose);
    return policy_check_ssh(a, own, c->principals, c->n_principals, e);
}

static bool check_policies(struct work *w, const struct ssh_cert *c, const struct provisioner *by)
{
    return check_policy(w->arena, &by->policies, c, "provisioner", &w->err) &&
           check_policy(w->arena, &w->authority->core->policies, c, "authority", &w->err);
}

static const struct webhook_ssh_pair *pairs(struct arena *a, const struct ssh_options *o)
{
    struct webhook_ssh_pair *out = arena_array(a, o->n + 1, sizeof(*out));

    for (size_t i = 0; i < o->n; i++)
        out[i] = (struct webhook_ssh_pair){o->v[i].name, o->v[i].value};
    return out;
}

static bool authorize(struct work *w, const struct grant *g, const struct ssh_cert *c,
                      struct tvalue *data)
{
    struct webhook_ssh about = {
        .public_key = c->key.blob,
        .type = slice_text(ssh_cert_type_text(c->type)),
        .key_id = c->key_id,
        .principals = c->principals,
        .n_principals = c->n_principals,
        .nonce = c->nonce,
        .serial = c->serial,
        .valid_after = c->valid_after,
        .valid_before = c->valid_before,
        .n_critical_options = c->critical.n,
        .n_extensions = c->extensions.n,
    };

    if (g->by->webhooks.n == 0)
        return true;
    about.critical_options = pairs(w->arena, &c->critical);
    about.extensions = pairs(w->arena, &c->extensions);
    return webhooks_authorize(w, g, &(struct webhook_subject){.ssh = &about}, data);
}

bool ssh_sign(struct work *w, const struct grant *g, const struct ssh_request *r,
              struct ssh_issued *out)
{
    struct ssh_cert_json *made = arena_alloc(w->arena, sizeof(*made));
    struct ssh_cert *c = &made->cert;
    struct tvalue data = tvalue_none();
    struct ssh_wish granted = narrow(w->arena, &g->ssh, &r->wish);

    if (!ssh_rules_check(&g->ssh, &r->wish, &w->err) ||
        !ssh_confirmation_check(w->arena, &g->ssh, r->key.blob, &w->err) ||
        !ssh_key_check(&r->key, "publicKey", &w->err) || !ssh_shape(w, g, &granted, r, &data, made))
        return false;
    c->key = r->key;
    if (!made->has_serial)
        c->serial = 0;
    return apply_times(w, g, &r->wish, made, c) && ssh_signer_need(w, c->type) &&
           ssh_cert_check(w, c, g->by) && check_policies(w, c, g->by) &&
           authorize(w, g, c, &data) && ssh_issue(w, c, g->by, SLICE_NONE, out);
}

/* --- The certificate that makes an account -----------------------------------------------------
 */

/* One principal, or a name and its mailbox. */
static bool qualifies(const struct ssh_cert *c)
{
    if (c->type != SSH_USER || c->n_principals == 0 || c->n_principals > 2)
        return false;
    if (c->n_principals == 1)
        return true;
    size_t at = slice_find(c->principals[1], '@');
    return at > 0 && at < c->principals[1].n;
}

/* It enters a command that a shell on the host runs as root. */
static bool check_command_word(struct slice name, struct err *e)
{
    static const char GOOD[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@+-";
    bool good = name.n > 0 && name.n <= ADD_USER_PRINCIPAL_MAX && name.p[0] != '-';

    for (size_t i = 0; good && i < name.n; i++)
        good = name.p[i] != 0 && strchr(GOOD, name.p[i]);
    return good || err_set(e, ERR_FORBIDDEN,
                           "principal \"%.*s\" cannot stand in the command that adds a user: at "
                           "most %d of A-Z a-z 0-9 . _ @ + -, and no '-' at the start",
                           SLICE_ARG(slice_sub(name, 0, 128)), ADD_USER_PRINCIPAL_MAX);
}

static bool command(struct arena *a, struct slice text, struct slice principal, struct slice *out,
                    struct err *e)
{
    static const struct slice MARK = SLICE("<principal>");
    struct buf b = buf_new(a, SSH_CERT_TEXT_MAX);

    for (size_t at = slice_search(text, MARK); at < text.n; at = slice_search(text, MARK)) {
        buf_put(&b, slice_sub(text, 0, at));
        buf_put(&b, principal);
        text = slice_from(text, at + MARK.n);
    }
    buf_put(&b, text);
    *out = buf_slice(&b);
    return buf_done(&b, "ssh.addUserCommand", e);
}

bool ssh_add_user(struct work *w, const struct grant *g, const struct ssh_issued *user,
                  const struct ssh_key *key, struct ssh_issued *out, bool *made)
{
    const struct ssh_ca *ca = w->authority->core->ssh;
    const struct ssh_cert *of = &user->cert;
    struct ssh_cert *c = arena_alloc(w->arena, sizeof(*c));
    struct ssh_option *forced = arena_alloc(w->arena, sizeof(*forced));

    *made = false;
    if (!qualifies(of))
        return true;
    if (!ssh_key_check(key, "addUserPublicKey", &w->err) ||
        !check_command_word(of->principals[0], &w->err))
        return false;
    forced->name = SLICE("force-command");
    if (!command(w->arena, ca->add_user_command, of->principals[0], &forced->value, &w->err))
        return false;
    *c = (struct ssh_cert){
        .key = *key,
        .type = SSH_USER,
        .key_id = arena_format(w->arena, "%.*s-%.*s", SLICE_ARG(of->principals[0]),
                               SLICE_ARG(ca->add_user_principal)),
        .principals = (struct slice *)&ca->add_user_principal,
        .n_principals = 1,
        .valid_after = of->valid_after,
        .valid_before = of->valid_before,
        .critical = {forced, 1},
        .rsa_512 = true,
    };
    *made = true;
    return ssh_issue(w, c, g->by, SLICE_NONE, out);
}
