/* What an operator should know about a policy that can be read: settings without effect. */
#include "policy/internal.h"

struct noting {
    struct arena *a;
    policy_note_fn *note;
    void *arg;
};

static void say(const struct noting *n, const char *path, const char *what)
{
    n->note(n->arg, *path ? arena_printf(n->a, "%s: %s", path, what) : what);
}

/* --- One engine ------------------------------------------------------------------------------ */

static size_t count_rules(const struct json *side)
{
    size_t total = 0;

    if (!side || side->kind != JSON_OBJECT)
        return 0;
    for (const struct json *m = side->first; m; m = m->next)
        total += m->kind == JSON_LIST ? m->n : m->kind == JSON_TEXT;
    return total;
}

static bool allows_a_wildcard(const struct json *allow)
{
    const struct json *dns = json_get(allow, "dns");

    if (dns && dns->kind == JSON_TEXT)
        return slice_starts(slice_trim(dns->text), "*.");
    for (const struct json *v = dns && dns->kind == JSON_LIST ? dns->first : NULL; v; v = v->next)
        if (slice_starts(slice_trim(json_text(v)), "*."))
            return true;
    return false;
}

static bool has_rules(const struct json *side, const char *kind)
{
    const struct json *list = json_get(side, kind);

    return list && list->kind == JSON_LIST && list->n > 0;
}

static void note_engine(const struct noting *n, const struct json *v, enum policy_use use,
                        const char *path)
{
    const struct json *allow = json_get(v, "allow"), *deny = json_get(v, "deny");
    const struct json *wildcards = json_get(v, "allowWildcardNames");

    if (!v || v->kind != JSON_OBJECT)
        return;
    if (count_rules(allow) + count_rules(deny) == 0)
        say(n, path, "it has no rule: every name is allowed");
    else if (use == POLICY_X509 && wildcards && wildcards->truth && count_rules(allow) &&
             !allows_a_wildcard(allow))
        say(n, path, "allowWildcardNames has no effect: no rule of allow.dns begins with \"*.\"");
    if (use == POLICY_SSH_HOST && (has_rules(allow, "principal") || has_rules(deny, "principal")))
        say(n, path, "rules of kind \"principal\" match no host: use dns, ip and email");
}

void policy_notes(struct arena *a, const struct json *v, const char *path, policy_note_fn *note,
                  void *arg)
{
    const struct noting n = {a, note, arg};
    const struct json *ssh = json_get(v, "ssh");
    const char *in = *path ? arena_printf(a, "%s.", path) : "";

    if (!v || v->kind != JSON_OBJECT)
        return;
    note_engine(&n, json_get(v, "x509"), POLICY_X509, arena_printf(a, "%sx509", in));
    note_engine(&n, json_get(ssh, "user"), POLICY_SSH_USER, arena_printf(a, "%sssh.user", in));
    note_engine(&n, json_get(ssh, "host"), POLICY_SSH_HOST, arena_printf(a, "%sssh.host", in));
}
