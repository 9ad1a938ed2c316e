/* Rules from JSON: trimmed, lower-cased, checked, without duplicates. */
#include "policy/internal.h"

#define RULES_MAX 10000

static const char *const KIND_NAMES[POLICY_KINDS] = {
    [POLICY_CN] = "cn",       [POLICY_DNS] = "dns", [POLICY_IP] = "ip",
    [POLICY_EMAIL] = "email", [POLICY_URI] = "uri", [POLICY_PRINCIPAL] = "principal"};

const char *policy_kind_name(enum policy_kind kind)
{
    return KIND_NAMES[kind];
}

/* Which kinds an engine knows. */
static const unsigned KINDS_OF[] = {
    [POLICY_X509] = 1u << POLICY_CN | 1u << POLICY_DNS | 1u << POLICY_IP | 1u << POLICY_EMAIL |
                    1u << POLICY_URI,
    [POLICY_SSH_USER] = 1u << POLICY_EMAIL | 1u << POLICY_PRINCIPAL,
    [POLICY_SSH_HOST] =
        1u << POLICY_DNS | 1u << POLICY_IP | 1u << POLICY_EMAIL | 1u << POLICY_PRINCIPAL,
};

struct slice policy_lower(struct arena *a, struct slice s)
{
    uint8_t *out = arena_alloc(a, s.n + 1);

    for (size_t i = 0; i < s.n; i++)
        out[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (uint8_t)(s.p[i] + 32) : s.p[i];
    return slice_of(out, s.n);
}

static bool bad(struct err *e, const char *why)
{
    return err_set(e, ERR_MALFORMED, "%s", why);
}

/* "name" or "*.name", stored as ".name". */
static bool read_dns(struct arena *a, struct slice text, struct policy_rule *out, struct err *e)
{
    bool wildcard = slice_starts(text, "*.");
    struct slice name = wildcard ? slice_from(text, 2) : text;

    if (name.n == 0 || slice_search(name, SLICE("..")) < name.n || name.p[0] == '.')
        return bad(e, "expected a DNS name or *.name");
    if (slice_find(name, '*') < name.n)
        return bad(e, "a '*' stands only in front, followed by a dot");
    if (name.p[name.n - 1] == '.')
        return bad(e, "a DNS name is written without a dot at its end here");
    if (!policy_domain(a, name, &name))
        return bad(e, "it cannot be converted to a DNS name (RFC 5891)");
    out->text = wildcard ? arena_format(a, ".%.*s", SLICE_ARG(name)) : name;
    return true;
}

static void clear_host_bits(struct policy_rule *rule)
{
    for (unsigned i = 0; i < rule->ip.n; i++) {
        unsigned keep = rule->bits > 8 * i ? rule->bits - 8 * i : 0;
        if (keep < 8)
            rule->ip.bytes[i] &= (uint8_t)(0xff00u >> keep);
    }
}

static bool read_ip(struct slice text, struct policy_rule *out, struct err *e)
{
    size_t slash = slice_find(text, '/');
    uint64_t bits;

    if (!ip_read(slice_sub(text, 0, slash), &out->ip))
        return bad(e, "expected an IP address or a range such as 10.1.0.0/16");
    out->bits = out->ip.n * 8u;
    if (slash < text.n) {
        if (!slice_to_u64(slice_from(text, slash + 1), &bits) || bits > out->bits)
            return bad(e, "the range's length is not acceptable");
        out->bits = (unsigned)bits;
    }
    clear_host_bits(out);
    return true;
}

static bool read_email(struct arena *a, struct slice text, struct policy_rule *out, struct err *e)
{
    size_t at = slice_find(text, '@');
    struct slice domain = at < text.n ? slice_from(text, at + 1) : text;

    if (slice_find(text, '*') < text.n)
        return bad(e, "a '*' has no meaning in rules for email: @domain is every mailbox of it");
    if (domain.n == 0 || slice_find(domain, '@') < domain.n || domain.p[0] == '.')
        return bad(e, "expected user@domain, @domain or domain");
    if (at > 0 && at < text.n && !policy_mailbox(a, text, &out->local, &out->text))
        return bad(e, "it is no mailbox (RFC 5321)");
    return policy_domain(a, domain, &out->text) ||
           bad(e, "its domain cannot be converted (RFC 5891)");
}

static bool read_uri(struct arena *a, struct slice text, struct policy_rule *out, struct err *e)
{
    struct slice host = slice_starts(text, "*.") ? slice_from(text, 2) : text;
    struct ip ip;

    if (slice_search(text, SLICE("://")) < text.n || slice_find(text, ':') < text.n ||
        slice_find(text, '[') < text.n || slice_find(text, '/') < text.n || ip_read(host, &ip))
        return bad(e, "expected a host name or *.host, without scheme, port or path");
    return read_dns(a, text, out, e);
}

static bool read_rule(struct arena *a, enum policy_kind kind, struct slice text,
                      struct policy_rule *out, struct err *e)
{
    text = slice_trim(text);
    if (kind != POLICY_PRINCIPAL)
        text = policy_lower(a, text);
    *out = (struct policy_rule){.text = text};
    if (text.n == 0)
        return bad(e, "an empty rule");
    switch (kind) {
    case POLICY_CN:
        return !slice_is(text, "*") || bad(e, "a lone '*' is no rule for common names");
    case POLICY_DNS:
        return read_dns(a, text, out, e);
    case POLICY_IP:
        return read_ip(text, out, e);
    case POLICY_EMAIL:
        return read_email(a, text, out, e);
    case POLICY_URI:
        return read_uri(a, text, out, e);
    default:
        return true;
    }
}

static bool read_kind(struct arena *a, enum policy_kind kind, const struct json *list,
                      const char *path, struct policy_rules *out, struct err *e)
{
    if (!list || list->kind == JSON_NULL)
        return true;
    if (list->kind != JSON_LIST || list->n > RULES_MAX)
        return err_set(e, ERR_MALFORMED, "%s.%s: expected a list of at most %d texts", path,
                       KIND_NAMES[kind], RULES_MAX);
    out->v = arena_array(a, list->n, sizeof(*out->v));
    for (const struct json *one = list->first; one; one = one->next) {
        if (one->kind != JSON_TEXT)
            return err_set(e, ERR_MALFORMED, "%s.%s: expected texts", path, KIND_NAMES[kind]);
        if (!read_rule(a, kind, one->text, &out->v[out->n], e))
            return err_wrap(e, "%s.%s: rule \"%.*s\"", path, KIND_NAMES[kind],
                            SLICE_ARG(slice_sub(one->text, 0, 128)));
        out->n++;
    }
    return true;
}

/* The admin API, and what `step ca policy` prints, call some kinds otherwise.  Copied into ca.json
 * such a list would hold for nothing, so it is refused. */
static bool check_names(const struct json *v, const char *path, struct err *e)
{
    static const char *const OTHERWISE[POLICY_KINDS] = {[POLICY_CN] = "commonNames",
                                                        [POLICY_IP] = "ips",
                                                        [POLICY_EMAIL] = "emails",
                                                        [POLICY_URI] = "uris",
                                                        [POLICY_PRINCIPAL] = "principals"};

    for (size_t k = 0; k < POLICY_KINDS; k++)
        if (OTHERWISE[k] && json_get(v, OTHERWISE[k]))
            return err_set(e, ERR_MALFORMED, "%s.%s: is called \"%s\" here", path, OTHERWISE[k],
                           KIND_NAMES[k]);
    return true;
}

static bool read_side(struct arena *a, const struct json *v, unsigned kinds, const char *path,
                      struct policy_rules out[POLICY_KINDS], size_t *total, struct err *e)
{
    if (v && v->kind != JSON_NULL && v->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "%s: expected an object", path);
    if (!check_names(v, path, e))
        return false;
    for (int k = 0; k < POLICY_KINDS; k++) {
        const struct json *list = json_get(v, KIND_NAMES[k]);
        if (list && !(kinds & (1u << k)))
            return err_set(e, ERR_MALFORMED, "%s: rules of kind \"%s\" do not belong here", path,
                           KIND_NAMES[k]);
        if (!read_kind(a, (enum policy_kind)k, list, path, &out[k], e))
            return false;
        *total += out[k].n;
    }
    return true;
}

bool policy_read(struct arena *a, const struct json *v, enum policy_use use, const char *path,
                 const struct policy **policy, struct err *e)
{
    struct policy *p = arena_alloc(a, sizeof(*p));
    const struct json *wildcards = json_get(v, "allowWildcardNames");
    size_t allowed = 0, denied = 0;

    *policy = NULL;
    if (!v || v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "%s: expected an object", path);
    if (wildcards && wildcards->kind != JSON_BOOL && wildcards->kind != JSON_NULL)
        return err_set(e, ERR_MALFORMED, "%s.allowWildcardNames: expected true or false", path);
    p->use = use;
    p->wildcards = wildcards && wildcards->truth;
    if (!read_side(a, json_get(v, "allow"), KINDS_OF[use], arena_printf(a, "%s.allow", path),
                   p->allow, &allowed, e) ||
        !read_side(a, json_get(v, "deny"), KINDS_OF[use], arena_printf(a, "%s.deny", path), p->deny,
                   &denied, e))
        return false;
    p->any_allow = allowed > 0;
    if (allowed + denied > 0)
        *policy = p;
    return true;
}

static bool is_object(const struct json *v, const char *path, struct err *e)
{
    return !v || v->kind == JSON_NULL || v->kind == JSON_OBJECT ||
           err_set(e, ERR_MALFORMED, "%s%sexpected an object", path, *path ? ": " : "");
}

bool policy_set_read(struct arena *a, const struct json *v, const char *path,
                     struct policy_set *out, struct err *e)
{
    const struct json *ssh = json_get(v, "ssh");
    const char *in = *path ? arena_printf(a, "%s.", path) : "";
    const char *ssh_path = arena_printf(a, "%sssh", in);

    *out = (struct policy_set){0};
    return is_object(v, path, e) && is_object(ssh, ssh_path, e) &&
           policy_read(a, json_get(v, "x509"), POLICY_X509, arena_printf(a, "%sx509", in),
                       &out->x509, e) &&
           policy_read(a, json_get(ssh, "user"), POLICY_SSH_USER,
                       arena_printf(a, "%s.user", ssh_path), &out->ssh_user, e) &&
           policy_read(a, json_get(ssh, "host"), POLICY_SSH_HOST,
                       arena_printf(a, "%s.host", ssh_path), &out->ssh_host, e);
}
