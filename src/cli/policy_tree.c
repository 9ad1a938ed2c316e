/* A policy as JSON: lists of rules edited and shown. */
#include "cli/policy.h"

static const char *const KIND[POLICY_KINDS] = {
    [POLICY_CN] = "cn",       [POLICY_DNS] = "dns", [POLICY_IP] = "ip",
    [POLICY_EMAIL] = "email", [POLICY_URI] = "uri", [POLICY_PRINCIPAL] = "principal"};
static const char *const SHOWN[POLICY_KINDS] = {
    [POLICY_CN] = "commonNames", [POLICY_DNS] = "dns",  [POLICY_IP] = "ips",
    [POLICY_EMAIL] = "emails",   [POLICY_URI] = "uris", [POLICY_PRINCIPAL] = "principals"};
static const enum policy_kind SHOWN_ORDER[] = {POLICY_DNS, POLICY_IP, POLICY_EMAIL,
                                               POLICY_URI, POLICY_CN, POLICY_PRINCIPAL};
static const char *const SIDES[] = {"allow", "deny"};

/* --- Finding -------------------------------------------------------------------------------- */

const struct json *policy_tree_engine(const struct json *policy, enum policy_use use)
{
    if (use == POLICY_X509)
        return json_get(policy, "x509");
    return json_get(json_get(policy, "ssh"), use == POLICY_SSH_USER ? "user" : "host");
}

/* The member, made when it is not there or of another kind (null). */
static struct json *member(struct json *object, struct arena *a, const char *name,
                           enum json_kind kind)
{
    struct json *v = (struct json *)json_get(object, name);

    if (v && v->kind == kind)
        return v;
    json_set(object, a, name, kind == JSON_LIST ? json_make_list(a) : json_make_object(a));
    return (struct json *)json_get(object, name);
}

static struct json *engine_made(struct json *policy, struct arena *a, enum policy_use use)
{
    if (use == POLICY_X509)
        return member(policy, a, "x509", JSON_OBJECT);
    return member(member(policy, a, "ssh", JSON_OBJECT), a,
                  use == POLICY_SSH_USER ? "user" : "host", JSON_OBJECT);
}

static const struct json *list_of(const struct json *engine, const char *side,
                                  enum policy_kind kind)
{
    const struct json *list = json_get(json_get(engine, side), KIND[kind]);

    return list && list->kind == JSON_LIST && list->n > 0 ? list : NULL;
}

/* --- Changing ------------------------------------------------------------------------------- */

static bool same(enum policy_kind kind, struct slice x, struct slice y)
{
    x = slice_trim(x);
    y = slice_trim(y);
    return kind == POLICY_PRINCIPAL ? slice_eq(x, y) : slice_eq_case(x, y);
}

static const struct json *find(const struct json *list, enum policy_kind kind, struct slice rule)
{
    for (const struct json *v = list ? list->first : NULL; v; v = v->next)
        if (same(kind, json_text(v), rule))
            return v;
    return NULL;
}

static struct json *list_made(struct json *policy, struct arena *a, const struct policy_words *w)
{
    struct json *engine = engine_made(policy, a, w->use);

    return member(member(engine, a, w->allow ? "allow" : "deny", JSON_OBJECT), a, KIND[w->kind],
                  JSON_LIST);
}

bool policy_tree_add(struct json *policy, struct arena *a, const struct policy_words *w,
                     struct slice rule)
{
    struct json *list = list_made(policy, a, w);

    if (find(list, w->kind, rule))
        return false;
    json_append(list, json_make_text(a, rule));
    return true;
}

bool policy_tree_drop(struct json *policy, struct arena *a, const struct policy_words *w,
                      struct slice rule)
{
    struct json *list = list_made(policy, a, w);
    const struct json *v;
    bool changed = false;

    while ((v = find(list, w->kind, rule)))
        changed |= json_remove_item(list, v);
    return changed;
}

void policy_tree_wildcards(struct json *policy, struct arena *a, bool allow)
{
    struct json *engine = engine_made(policy, a, POLICY_X509);

    if (allow)
        json_set(engine, a, "allowWildcardNames", json_make_bool(a, true));
    else
        json_remove(engine, "allowWildcardNames");
}

static bool is_husk(const struct json *v)
{
    return v && (v->kind == JSON_NULL ||
                 ((v->kind == JSON_OBJECT || v->kind == JSON_LIST) && v->n == 0));
}

static void prune_member(struct json *object, const char *name)
{
    if (is_husk(json_get(object, name)))
        json_remove(object, name);
}

static void prune_engine(const struct json *engine)
{
    for (size_t s = 0; s < COUNT_OF(SIDES); s++) {
        struct json *side = (struct json *)json_get(engine, SIDES[s]);
        for (size_t k = 0; side && k < POLICY_KINDS; k++)
            prune_member(side, KIND[k]);
        prune_member((struct json *)engine, SIDES[s]);
    }
}

bool policy_tree_prune(struct json *policy)
{
    struct json *ssh = (struct json *)json_get(policy, "ssh");

    prune_engine(policy_tree_engine(policy, POLICY_X509));
    prune_engine(policy_tree_engine(policy, POLICY_SSH_USER));
    prune_engine(policy_tree_engine(policy, POLICY_SSH_HOST));
    prune_member(ssh, "user");
    prune_member(ssh, "host");
    prune_member(policy, "ssh");
    prune_member(policy, "x509");
    return policy->n == 0;
}

/* --- Showing -------------------------------------------------------------------------------- */

static struct json *shown_side(const struct json *engine, struct arena *a, const char *side)
{
    struct json *out = json_make_object(a);

    for (size_t i = 0; i < COUNT_OF(SHOWN_ORDER); i++) {
        enum policy_kind kind = SHOWN_ORDER[i];
        const struct json *list = list_of(engine, side, kind);
        if (list)
            json_set(out, a, SHOWN[kind], json_copy(a, list));
    }
    return out;
}

static struct json *shown_engine(const struct json *policy, struct arena *a, enum policy_use use)
{
    const struct json *engine = policy_tree_engine(policy, use);
    const struct json *wildcards = json_get(engine, "allowWildcardNames");
    struct json *out = json_make_object(a);

    for (size_t s = 0; s < COUNT_OF(SIDES); s++)
        json_set(out, a, SIDES[s], shown_side(engine, a, SIDES[s]));
    if (use == POLICY_X509 && wildcards && wildcards->kind == JSON_BOOL && wildcards->truth)
        json_set(out, a, "allowWildcardNames", json_make_bool(a, true));
    return out;
}

struct json *policy_tree_shown(const struct json *policy, struct arena *a, bool ssh)
{
    struct json *out = json_make_object(a), *both;

    json_set(out, a, "x509", shown_engine(policy, a, POLICY_X509));
    if (!ssh)
        return out;
    both = json_make_object(a);
    json_set(both, a, "host", shown_engine(policy, a, POLICY_SSH_HOST));
    json_set(both, a, "user", shown_engine(policy, a, POLICY_SSH_USER));
    json_set(out, a, "ssh", both);
    return out;
}

/* --- Doubts --------------------------------------------------------------------------------- */

/* A rule that is allowed and denied: deny wins. */
static const char *contradiction(const struct json *engine, struct arena *a)
{
    for (size_t k = 0; k < POLICY_KINDS; k++) {
        const struct json *allow = list_of(engine, "allow", (enum policy_kind)k);
        const struct json *deny = list_of(engine, "deny", (enum policy_kind)k);
        for (const struct json *v = allow ? allow->first : NULL; v; v = v->next)
            if (find(deny, (enum policy_kind)k, json_text(v)))
                return arena_printf(a, "%s '%.*s' is allowed and denied: it is denied", KIND[k],
                                    SLICE_ARG(json_text(v)));
    }
    return NULL;
}

static bool has_rules(const struct json *engine, enum policy_kind kind)
{
    return list_of(engine, "allow", kind) || list_of(engine, "deny", kind);
}

static bool allows_something(const struct json *engine)
{
    for (size_t k = 0; k < POLICY_KINDS; k++)
        if (list_of(engine, "allow", (enum policy_kind)k))
            return true;
    return false;
}

/* Where something is allowed, names of a kind without a rule are refused. */
static const char *shut_out(const struct json *engine, struct arena *a, unsigned kinds)
{
    const char *list = "";

    for (size_t k = 0; k < POLICY_KINDS; k++)
        if (kinds & (1u << k) && !has_rules(engine, (enum policy_kind)k))
            list = arena_printf(a, "%s%s%s", list, *list ? ", " : "", KIND[k]);
    return list;
}

/* The kinds of names that are asked for; what a host's principal is called decides its kind. */
static unsigned kinds_of(const struct json *engine, const struct policy_words *w)
{
    static const unsigned NAMES = 1u << POLICY_DNS | 1u << POLICY_IP;

    if (w->use == POLICY_SSH_USER)
        return 1u << POLICY_EMAIL | 1u << POLICY_PRINCIPAL;
    if (w->use == POLICY_SSH_HOST)
        return list_of(engine, "allow", POLICY_PRINCIPAL) ? 0 : NAMES;
    return w->level == LEVEL_ACME ? NAMES : NAMES | 1u << POLICY_EMAIL | 1u << POLICY_URI;
}

const char *policy_tree_doubt(const struct json *policy, struct arena *a,
                              const struct policy_words *w)
{
    const struct json *engine = policy_tree_engine(policy, w->use);
    const char *clash = contradiction(engine, a), *list;

    if (clash || !allows_something(engine))
        return clash;
    list = shut_out(engine, a, kinds_of(engine, w));
    if (!*list)
        return NULL;
    if (w->use != POLICY_X509 || w->level == LEVEL_ACME || list_of(engine, "allow", POLICY_CN))
        return arena_printf(a, "names without an allow rule of their kind are refused: %s", list);
    return arena_printf(a,
                        "names without an allow rule of their kind are refused: %s; and every "
                        "common name that is not itself an allowed name",
                        list);
}
