/* Where policies stand: in ca.json for the authority and its provisioners, in the database for
 * external account keys. */
#include "cli/policy.h"

static bool take_policy(struct policy_target *t, const struct json *v)
{
    struct arena *a = t->inv->arena;

    if (v && v->kind != JSON_NULL && v->kind != JSON_OBJECT)
        return err_set(&t->inv->err, ERR_MALFORMED, "the policy that is there is no object");
    t->there = v && v->kind == JSON_OBJECT;
    t->policy = t->there ? json_copy(a, v) : json_make_object(a);
    return true;
}

/* --- ca.json -------------------------------------------------------------------------------- */

static bool open_authority(struct policy_target *t)
{
    return provisioner_file_open(t->inv, &t->file) &&
           take_policy(t, json_get(json_get(t->file.tree, "authority"), "policy"));
}

static bool open_provisioner(struct policy_target *t)
{
    struct slice name = slice_text(flag_text(t->inv, "provisioner"));

    if (!provisioner_file_open(t->inv, &t->file))
        return false;
    t->entry = provisioner_file_find(t->inv, &t->file, name);
    return t->entry && take_policy(t, json_get(json_get(t->entry, "options"), "policy"));
}

/* The object that the policy is a member of. */
static struct json *holder(struct policy_target *t)
{
    struct arena *a = t->inv->arena;
    struct json *options;

    if (t->level == LEVEL_AUTHORITY)
        return (struct json *)json_get(t->file.tree, "authority");
    options = (struct json *)json_get(t->entry, "options");
    if (options && options->kind == JSON_OBJECT)
        return options;
    json_set(t->entry, a, "options", json_make_object(a));
    provisioner_order(t->entry);
    return (struct json *)json_get(t->entry, "options");
}

/* A bad rule is found here, where it can be named without the file's lines. */
static bool judge(struct policy_target *t, const struct json *policy)
{
    struct policy_set set;

    return policy_set_read(t->inv->arena, policy, "policy", &set, &t->inv->err);
}

static bool save_file(struct policy_target *t, struct json *policy)
{
    struct json *in = holder(t);

    if (policy)
        json_set(in, t->inv->arena, "policy", policy);
    else
        json_remove(in, "policy");
    return provisioner_file_save(t->inv, &t->file, t->entry);
}

/* --- The database ---------------------------------------------------------------------------- */

static struct slice flag_slice(const struct invocation *inv, const char *name)
{
    const char *text = ca_cmd_text(inv, name);

    return text ? slice_text(text) : SLICE("");
}

static bool run_work(struct policy_target *t, struct work *w, bool ok)
{
    if (!ok)
        err_move(&t->inv->err, &w->err);
    return ok;
}

static bool open_key(struct policy_target *t)
{
    struct invocation *inv = t->inv;
    struct work w;

    if (!desk_open(inv, slice_text(flag_text(inv, "provisioner")), &t->desk))
        return false;
    t->desk_is_open = true;
    work_init(&w, &t->desk.services, NULL, t->desk.secrets, deadline_in(inv->clock, DESK_TIME));
    return run_work(t, &w,
                    acme_eab_find(&w, t->desk.provisioner, flag_slice(inv, "eab-key-id"),
                                  flag_slice(inv, "eab-key-reference"), &t->key)) &&
           take_policy(t, t->key.policy);
}

static bool save_key(struct policy_target *t, struct json *policy)
{
    struct work w;

    work_init(&w, &t->desk.services, NULL, t->desk.secrets, deadline_in(t->inv->clock, DESK_TIME));
    return run_work(t, &w, acme_eab_set_policy(&w, &t->key, policy));
}

/* --------------------------------------------------------------------------------------------- */

bool policy_target_open(struct invocation *inv, enum policy_level level, struct policy_target *t)
{
    static bool (*const OPEN[])(struct policy_target *) = {[LEVEL_AUTHORITY] = open_authority,
                                                           [LEVEL_PROVISIONER] = open_provisioner,
                                                           [LEVEL_ACME] = open_key};

    *t = (struct policy_target){.inv = inv, .level = level};
    return OPEN[level](t);
}

bool policy_target_save(struct policy_target *t, struct json *policy)
{
    if (!judge(t, policy))
        return false;
    return t->level == LEVEL_ACME ? save_key(t, policy) : save_file(t, policy);
}

void policy_target_close(struct policy_target *t)
{
    if (t->desk_is_open)
        desk_close(&t->desk);
    t->desk_is_open = false;
}
