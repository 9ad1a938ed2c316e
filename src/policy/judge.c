/*
 * Names against rules.  For each kind: a deny match is final; where a rule of any kind allows,
 * something must allow this name too.
 */
#include "base/uri.h"
#include "crypto/der.h"
#include "policy/internal.h"

/* A name in the form that rules are compared with. */
struct candidate {
    struct slice text, local;
    struct ip ip;
};

static bool not_allowed(struct err *e, enum policy_kind kind, struct slice name)
{
    return err_set(e, ERR_FORBIDDEN, "%s name \"%.*s\" is not allowed by policy",
                   policy_kind_name(kind), SLICE_ARG(slice_sub(name, 0, 256)));
}

static bool unreadable(struct err *e, enum policy_kind kind, struct slice name, const char *why)
{
    return err_set(e, ERR_FORBIDDEN, "%s name \"%.*s\" cannot be judged by policy: %s",
                   policy_kind_name(kind), SLICE_ARG(slice_sub(name, 0, 256)), why);
}

/* --- Into comparable form
 * ------------------------------------------------------------------------- */

static bool prepare_dns(struct arena *a, struct slice name, struct candidate *c, struct err *e)
{
    bool wildcard = slice_starts(name, "*.");

    if (!policy_domain(a, wildcard ? slice_from(name, 2) : name, &c->text))
        return unreadable(e, POLICY_DNS, name, "it is no DNS name (RFC 5891)");
    if (wildcard)
        c->text = arena_format(a, "*.%.*s", SLICE_ARG(c->text));
    return true;
}

static bool prepare_uri(struct arena *a, struct slice name, struct candidate *c, struct err *e)
{
    struct uri u;
    struct ip ip;

    if (!uri_read(a, name, &u, NULL) || u.host.n == 0)
        return unreadable(e, POLICY_URI, name, "it has no host");
    return (!u.host_is_v6 && !ip_read(u.host, &ip) && policy_domain(a, u.host, &c->text)) ||
           unreadable(e, POLICY_URI, name, "its host is no DNS name");
}

static bool prepare(struct arena *a, enum policy_kind kind, struct slice name, struct candidate *c,
                    struct err *e)
{
    *c = (struct candidate){.text = name};
    switch (kind) {
    case POLICY_DNS:
        return prepare_dns(a, name, c, e);
    case POLICY_IP:
        return ip_read(name, &c->ip) || unreadable(e, kind, name, "it is no IP address");
    case POLICY_EMAIL:
        return policy_mailbox(a, name, &c->local, &c->text) ||
               unreadable(e, kind, name, "it is no mailbox (RFC 5321)");
    case POLICY_URI:
        return prepare_uri(a, name, c, e);
    default:
        return true;
    }
}

/* --- Matching
 * --------------------------------------------------------------------------------------- */

static size_t labels(struct slice name)
{
    size_t n = name.n > 0 ? 1 : 0;

    for (size_t i = 0; i < name.n; i++)
        n += name.p[i] == '.';
    return n;
}

static bool match_dns(const struct policy *p, const struct policy_rule *rule, struct slice name)
{
    struct slice want = rule->text;
    size_t star = slice_find(name, '*');
    bool wildcard = slice_starts(name, "*.");

    if (name.n == 0 || name.p[0] == '.' || (star < name.n && !wildcard) ||
        (wildcard && (!p->wildcards || slice_find(slice_from(name, 1), '*') < name.n - 1)))
        return false;
    if (!slice_starts(want, "."))
        return slice_eq(want, name);
    /* ".x.y" takes exactly one more label than x.y. */
    return name.n > want.n && slice_eq(slice_from(name, name.n - want.n), want) &&
           labels(name) == labels(want);
}

static bool match_ip(const struct policy_rule *rule, const struct ip *ip)
{
    if (rule->ip.n != ip->n)
        return false;
    for (unsigned i = 0; i < ip->n; i++) {
        unsigned keep = rule->bits > 8 * i ? rule->bits - 8 * i : 0;
        uint8_t mask = (uint8_t)(keep >= 8 ? 0xffu : 0xff00u >> keep);
        if ((ip->bytes[i] & mask) != rule->ip.bytes[i])
            return false;
    }
    return true;
}

static bool match(const struct policy *p, enum policy_kind kind, const struct policy_rule *rule,
                  const struct candidate *c)
{
    switch (kind) {
    case POLICY_DNS:
    case POLICY_URI:
        return match_dns(p, rule, c->text);
    case POLICY_IP:
        return match_ip(rule, &c->ip);
    case POLICY_EMAIL:
        return (!rule->local.p || slice_eq(rule->local, c->local)) && slice_eq(rule->text, c->text);
    case POLICY_PRINCIPAL:
        return slice_is(rule->text, "*") || slice_eq_case(rule->text, c->text);
    default:
        return slice_eq_case(rule->text, c->text);
    }
}

static bool any_match(const struct policy *p, enum policy_kind kind,
                      const struct policy_rules *rules, const struct candidate *c)
{
    for (size_t i = 0; i < rules->n; i++) {
        if (match(p, kind, &rules->v[i], c))
            return true;
    }
    return false;
}

/* Names that no rule is about are read all the same where readable is set: what looks like a name
 * of its kind, and is none, could be meant for another kind.  Not so URIs, which need no host. */
static bool judge(struct arena *a, const struct policy *p, enum policy_kind kind, struct slice name,
                  bool readable, struct err *e)
{
    bool ruled = p->allow[kind].n + p->deny[kind].n > 0;
    struct candidate c;

    if (!ruled && p->any_allow)
        return not_allowed(e, kind, name);
    if (!ruled && (!readable || kind == POLICY_URI))
        return true;
    if (!prepare(a, kind, name, &c, e))
        return false;
    if (any_match(p, kind, &p->deny[kind], &c))
        return not_allowed(e, kind, name);
    return p->allow[kind].n == 0 || any_match(p, kind, &p->allow[kind], &c) ||
           not_allowed(e, kind, name);
}

bool policy_check_name(struct arena *a, const struct policy *p, enum policy_kind kind,
                       struct slice name, struct err *e)
{
    return !p || judge(a, p, kind, name, true, e);
}

/* --- Certificates
 * ------------------------------------------------------------------------------------- */

static const enum policy_kind KIND_OF_SAN[] = {[SAN_DNS] = POLICY_DNS,
                                               [SAN_EMAIL] = POLICY_EMAIL,
                                               [SAN_IP] = POLICY_IP,
                                               [SAN_URI] = POLICY_URI};

/* A denied common name is final; allowed by its own rules it is accepted; else it is judged as the
 * kind of name that it looks like. */
static bool check_common_name(struct arena *a, const struct policy *p, struct slice cn,
                              struct err *e)
{
    struct candidate c = {.text = cn};
    /* Rules that only deny common names are for names that are plain text, too. */
    bool readable = p->deny[POLICY_CN].n == 0 || p->any_allow;

    if (cn.n == 0)
        return true;
    if (any_match(p, POLICY_CN, &p->deny[POLICY_CN], &c))
        return not_allowed(e, POLICY_CN, cn);
    if (any_match(p, POLICY_CN, &p->allow[POLICY_CN], &c))
        return true;
    return judge(a, p, KIND_OF_SAN[san_kind_of(cn)], cn, readable, NULL) ||
           not_allowed(e, POLICY_CN, cn);
}

/* --- Names that no rule has a kind for ------------------------------------------------------- */

static const uint8_t UPN[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03};
static const uint8_t DEVICE[][8] = {
    {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x03},  /* RFC 4043 */
    {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x04}}; /* RFC 4108 */

/* [0] { type-id, [0] value } */
static bool read_other(struct slice name, struct slice *type, struct der *value)
{
    struct der d = der_reader(name), in;

    return der_enter(&d, DER_CONTEXT_CONSTRUCTED(0), &in) && der_take_oid(&in, type) &&
           der_enter(&in, DER_CONTEXT_CONSTRUCTED(0), value);
}

static bool check_other(struct arena *a, const struct policy *p, const struct san *name,
                        struct err *e)
{
    static const char *const KINDS[SAN_KINDS] = {
        [SAN_OTHER] = "other", [SAN_DIRECTORY] = "directory", [SAN_RID] = "registered"};
    struct slice type, text;
    struct der value;

    if (name->kind == SAN_OTHER && read_other(name->text, &type, &value)) {
        for (size_t i = 0; i < COUNT_OF(DEVICE); i++)
            if (slice_eq(type, slice_of(DEVICE[i], sizeof(DEVICE[i]))))
                return true;
        if (slice_eq(type, slice_of(UPN, sizeof(UPN))) && der_take_string(&value, a, &text))
            return judge(a, p, POLICY_EMAIL, text, false, e);
    }
    return !p->any_allow ||
           err_set(e, ERR_FORBIDDEN, "a name of the kind \"%s name\" is not allowed by policy",
                   KINDS[name->kind]);
}

bool policy_check_x509(struct arena *a, const struct policy *p, const struct sans *names,
                       struct slice common_name, struct err *e)
{
    static const enum san_kind ORDER[] = {SAN_DNS, SAN_IP, SAN_EMAIL, SAN_URI};

    if (!p)
        return true;
    for (size_t k = 0; k < COUNT_OF(ORDER); k++) {
        for (size_t i = 0; i < names->n; i++) {
            const struct san *name = &names->v[i];
            if (name->kind != ORDER[k])
                continue;
            struct slice text = name->kind == SAN_IP ? ip_text(a, &name->ip) : name->text;
            if (!policy_check_name(a, p, KIND_OF_SAN[name->kind], text, e))
                return false;
        }
    }
    for (size_t i = 0; i < names->n; i++)
        if (names->v[i].kind > SAN_URI && !check_other(a, p, &names->v[i], e))
            return false;
    return check_common_name(a, p, common_name, e);
}

bool policy_check_ssh(struct arena *a, const struct policy *p, const struct slice *principals,
                      size_t n, struct err *e)
{
    for (size_t i = 0; p && i < n; i++) {
        enum san_kind kind = san_kind_of(principals[i]);
        bool user = p->use == POLICY_SSH_USER;
        enum policy_kind as;
        if (kind == SAN_URI || (user && kind == SAN_IP))
            return unreadable(e, POLICY_PRINCIPAL, principals[i],
                              "URIs, and IP addresses of users, are no principals");
        if (user)
            as = kind == SAN_EMAIL ? POLICY_EMAIL : POLICY_PRINCIPAL;
        else
            as = KIND_OF_SAN[kind];
        /* Rules for principals match no host: a "*" among them would undo those for names. */
        if (!policy_check_name(a, p, as, principals[i], e))
            return false;
    }
    return true;
}
