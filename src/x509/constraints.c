/*
 * Name constraints (RFC 5280 4.2.1.10): may this CA certify these names?  Asked before signing,
 * because a certificate that its own chain forbids is worth nothing.  A constraint or a name that
 * cannot be understood forbids: silence would be a way around.
 *
 * Each certificate judges on its own: a name must not match any excluded subtree and, where there
 * are permitted subtrees of its kind, must match one.
 */
#include "base/uri.h"
#include "x509/chain.h"

enum verdict { APART, WITHIN, UNCLEAR };

struct subtree {
    enum san_kind kind;
    struct slice base; /* text; IP: address and mask */
};

/* --- Texts -------------------------------------------------------------------------------- */

/* Labels are there and none is empty: "a.b", not "a..b", ".a", "a.". */
static bool is_domain(struct slice s)
{
    struct slice label;

    if (slice_empty(s))
        return false;
    while (slice_split(&s, '.', &label)) {
        if (slice_empty(label))
            return false;
    }
    return true;
}

static bool ends_with(struct slice s, struct slice end)
{
    return s.n >= end.n && slice_eq_case(slice_from(s, s.n - end.n), end);
}

/* name is below domain: at least one more label. */
static bool is_below(struct slice name, struct slice domain)
{
    return name.n > domain.n + 1 && ends_with(name, domain) && name.p[name.n - domain.n - 1] == '.';
}

/* --- One kind each ------------------------------------------------------------------------ */

static enum verdict verdict_of(bool within)
{
    return within ? WITHIN : APART;
}

/* "" holds every name, "x" x and what is below it, ".x" what is below it. */
static enum verdict dns_match(const struct san *name, struct slice base, bool excluded)
{
    struct slice text = name->text;

    if (!is_domain(text))
        return UNCLEAR;
    if (slice_empty(base))
        return WITHIN;
    if (base.p[0] == '.')
        return verdict_of(is_below(text, slice_from(base, 1)));
    if (slice_eq_case(text, base) || is_below(text, base))
        return WITHIN;
    /* "*.x" stands for each label below x, so it reaches an excluded "y.x". */
    if (!excluded || !slice_starts(text, "*."))
        return APART;
    size_t dot = slice_find(base, '.');
    return verdict_of(dot < base.n && slice_eq_case(slice_from(base, dot), slice_from(text, 1)));
}

/* "user@host" is a mailbox, "host" all on it, ".domain" all on hosts below it. */
static enum verdict host_match(struct slice host, struct slice base)
{
    if (slice_empty(base))
        return WITHIN;
    if (base.p[0] == '.')
        return verdict_of(is_below(host, slice_from(base, 1)));
    return verdict_of(slice_eq_case(host, base));
}

static enum verdict email_match(const struct san *name, struct slice base, bool excluded)
{
    size_t at = slice_rfind(name->text, '@'), base_at = slice_rfind(base, '@');
    struct slice host = slice_from(name->text, at + 1);

    (void)excluded;
    if (at == name->text.n || at == 0 || !is_domain(host))
        return UNCLEAR;
    if (base_at == base.n)
        return host_match(host, base);
    return verdict_of(slice_eq_case(host, slice_from(base, base_at + 1)) &&
                      slice_eq(slice_sub(name->text, 0, at), slice_sub(base, 0, base_at)));
}

/* The host decides; a URI without one, or with an address, cannot be judged. */
static enum verdict uri_match(const struct san *name, struct slice base, bool excluded)
{
    CLEANUP(arena_cleanup) struct arena *work = arena_new(&HEAP_USUAL);
    struct uri u;
    struct ip ip;

    (void)excluded;
    if (!uri_read(work, name->text, &u, NULL) || u.host_is_v6 || !is_domain(u.host) ||
        ip_read(u.host, &ip))
        return UNCLEAR;
    return host_match(u.host, base);
}

static enum verdict ip_match(const struct san *name, struct slice base, bool excluded)
{
    size_t n = name->ip.n;

    (void)excluded;
    if (base.n != 2 * n)
        return APART;
    for (size_t i = 0; i < n; i++) {
        if ((name->ip.bytes[i] ^ base.p[i]) & base.p[n + i])
            return APART;
    }
    return WITHIN;
}

static const struct {
    enum verdict (*match)(const struct san *, struct slice base, bool excluded);
    const char *what;
} KINDS[SAN_OTHER] = {
    [SAN_DNS] = {dns_match, "DNS name"},
    [SAN_EMAIL] = {email_match, "email address"},
    [SAN_IP] = {ip_match, "IP address"},
    [SAN_URI] = {uri_match, "URI"},
};

/* --- Subtrees ----------------------------------------------------------------------------- */

static bool mask_ok(struct slice base)
{
    size_t n = base.n / 2;
    bool ended = false;

    for (size_t i = 0; i < 8 * n; i++) {
        bool bit = base.p[n + i / 8] & 0x80 >> (i % 8);
        if (bit && ended)
            return false;
        ended |= !bit;
    }
    return base.n == 8 || base.n == 32;
}

static bool text_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
            return false;
    }
    return true;
}

/* GeneralSubtree: base, minimum [0] DEFAULT 0, maximum [1] absent. */
static bool subtree_take(struct der *list, struct subtree *t)
{
    static const enum san_kind KIND_OF[] = {SAN_OTHER, SAN_EMAIL, SAN_DNS, SAN_OTHER, SAN_DIRECTORY,
                                            SAN_OTHER, SAN_URI,   SAN_IP,  SAN_RID};
    struct der in;
    struct slice minimum;
    uint8_t tag;
    bool there;

    if (!der_enter(list, DER_SEQUENCE, &in) || !der_next(&in, &tag, &t->base, NULL))
        return false;
    if (!der_optional(&in, DER_CONTEXT(0), &there, &minimum) || !der_done(&in))
        return false;
    if (there && !(minimum.n == 1 && minimum.p[0] == 0))
        return false;
    if ((tag & 0xc0) != 0x80 || (tag & 0x1f) >= COUNT_OF(KIND_OF))
        return false;
    t->kind = KIND_OF[tag & 0x1f];
    if (t->kind == SAN_IP)
        return mask_ok(t->base);
    return t->kind >= SAN_OTHER || text_ok(t->base);
}

static void constraint_text(struct arena *a, const struct subtree *t, struct slice *text)
{
    struct ip ip = {.n = (uint8_t)(t->base.n / 2)};
    unsigned bits = 0;

    *text = t->base;
    if (t->kind != SAN_IP)
        return;
    memcpy(ip.bytes, t->base.p, ip.n);
    for (size_t i = ip.n; i < t->base.n; i++)
        bits += (unsigned)__builtin_popcount(t->base.p[i]);
    struct slice address = ip_text(a, &ip);
    *text = arena_format(a, "%.*s/%u", SLICE_ARG(address), bits);
}

static bool name_check(struct arena *a, struct der permitted, struct der excluded,
                       const struct san *name, struct err *e)
{
    struct subtree t;
    struct slice text;
    bool any = false, within = false;

    while (!der_done(&excluded) && subtree_take(&excluded, &t)) {
        if (t.kind != name->kind)
            continue;
        constraint_text(a, &t, &text);
        if (KINDS[t.kind].match(name, t.base, true) != APART)
            return err_set(e, ERR_FORBIDDEN,
                           "%s \"%.*s\" is excluded by the CA's name constraint \"%.*s\" (RFC 5280 "
                           "4.2.1.10)",
                           KINDS[t.kind].what, SLICE_ARG(name->text), SLICE_ARG(text));
    }
    while (!der_done(&permitted) && subtree_take(&permitted, &t)) {
        if (t.kind != name->kind)
            continue;
        any = true;
        within |= KINDS[t.kind].match(name, t.base, false) == WITHIN;
        constraint_text(a, &t, &text);
    }
    if (!any || within)
        return true;
    return err_set(
        e, ERR_FORBIDDEN,
        "%s \"%.*s\" is not permitted by the CA's name constraints such as \"%.*s\" (RFC "
        "5280 4.2.1.10)",
        KINDS[name->kind].what, SLICE_ARG(name->text), SLICE_ARG(text));
}

static bool subtrees_ok(struct der list)
{
    struct subtree t;

    while (!der_done(&list)) {
        if (!subtree_take(&list, &t))
            return false;
    }
    return true;
}

static bool constraints_read(struct slice value, struct der *permitted, struct der *excluded)
{
    struct der outer = der_reader(value), in;

    *permitted = *excluded = der_reader(SLICE(""));
    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_done(&outer))
        return false;
    if (der_is(&in, DER_CONTEXT_CONSTRUCTED(0)) &&
        !der_enter(&in, DER_CONTEXT_CONSTRUCTED(0), permitted))
        return false;
    if (der_is(&in, DER_CONTEXT_CONSTRUCTED(1)) &&
        !der_enter(&in, DER_CONTEXT_CONSTRUCTED(1), excluded))
        return false;
    return der_done(&in) && subtrees_ok(*permitted) && subtrees_ok(*excluded);
}

static void subtrees_list(struct arena *a, struct der list, struct sans *out)
{
    struct subtree t;
    struct der count = list;
    size_t n = 0;

    while (der_next(&count, NULL, NULL, NULL))
        n++;
    *out = (struct sans){.v = arena_array(a, n ? n : 1, sizeof(*out->v))};
    while (out->n < n && subtree_take(&list, &t)) {
        out->v[out->n].kind = t.kind;
        constraint_text(a, &t, &out->v[out->n++].text);
    }
}

bool name_constraints_read(struct arena *a, struct slice value, struct sans *permitted,
                           struct sans *excluded)
{
    struct der in, out;

    if (!constraints_read(value, &in, &out))
        return false;
    subtrees_list(a, in, permitted);
    subtrees_list(a, out, excluded);
    return true;
}

static bool issuer_check(struct arena *a, const struct cert *issuer, const struct sans *names,
                         struct err *e)
{
    const struct extension *x = extensions_get(&issuer->extensions, &OID_EXT_NAME_CONSTRAINTS);
    struct der permitted, excluded;

    if (!x)
        return true;
    if (!constraints_read(x->value, &permitted, &excluded))
        return err_set(e, ERR_FORBIDDEN,
                       "the CA's name constraints cannot be understood (RFC 5280 4.2.1.10)");
    for (size_t i = 0; i < names->n; i++) {
        if (names->v[i].kind < SAN_OTHER && !name_check(a, permitted, excluded, &names->v[i], e))
            return false;
    }
    return true;
}

bool name_constraints_check(struct arena *a, const struct cert_list *issuers,
                            const struct sans *names, struct err *e)
{
    for (size_t i = 0; i < issuers->n; i++) {
        if (!issuer_check(a, issuers->v[i], names, e))
            return false;
    }
    return true;
}
