/*
 * Which provisioner makes the token: flags narrow the CA's list down, one that is left is taken,
 * of several a human chooses.
 */
#include "cli/ca_common.h"

/* Names as people know them, and what else tells two of one type apart. */
static const struct kind {
    const char *name;
    const char *member, *label; /* NULL: nothing */
} KINDS[] = {
    {"JWK", "key", "kid"}, {"OIDC", "clientID", "client"},  {"GCP", NULL, NULL},
    {"AWS", NULL, NULL},   {"Azure", "tenantID", "tenant"}, {"ACME", NULL, NULL},
    {"X5C", NULL, NULL},   {"K8sSA", NULL, NULL},           {"SSHPOP", NULL, NULL},
    {"SCEP", NULL, NULL},  {"Nebula", NULL, NULL},
};

static const struct kind *kind_of(const struct json *provisioner)
{
    struct slice type = json_text(json_get(provisioner, "type"));

    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        if (slice_is_case(type, KINDS[i].name))
            return &KINDS[i];
    return NULL;
}

const char *provisioner_type_name(const struct json *provisioner)
{
    const struct kind *k = kind_of(provisioner);

    return k ? k->name : NULL;
}

/* The kid of a JWK, the client of OIDC: what --kid means. */
static struct slice detail_of(const struct json *provisioner)
{
    const struct kind *k = kind_of(provisioner);
    const struct json *v = k && k->member ? json_get(provisioner, k->member) : NULL;

    return v && v->kind == JSON_OBJECT ? json_text(json_get_exact(v, "kid")) : json_text(v);
}

struct slice provisioner_label(struct arena *a, const struct json *provisioner)
{
    const struct kind *k = kind_of(provisioner);
    struct slice name = json_text(json_get(provisioner, "name")), detail = detail_of(provisioner);

    if (!k || !k->label || !detail.n)
        return arena_format(a, "%.*s (%s)", SLICE_ARG(name), k ? k->name : "unknown type");
    return arena_format(a, "%.*s (%s) [%s: %.*s]", SLICE_ARG(name), k->name, k->label,
                        SLICE_ARG(detail));
}

/* --- Narrowing down -------------------------------------------------------------------------- */

struct sieve {
    struct invocation *inv;
    const struct json **v;
    size_t n;
};

static bool is_known(const struct json *p, const char *unused)
{
    (void)unused;
    return kind_of(p) != NULL;
}

static bool is_type(const struct json *p, const char *type)
{
    return strcmp(provisioner_type_name(p), type) == 0;
}

static bool has_kid(const struct json *p, const char *kid)
{
    return slice_is(detail_of(p), kid) && (is_type(p, "JWK") || is_type(p, "OIDC"));
}

static bool has_name(const struct json *p, const char *name)
{
    return slice_is(json_text(json_get(p, "name")), name);
}

static void keep(struct sieve *s, bool (*fits)(const struct json *, const char *),
                 const char *wanted)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->n; i++)
        if (fits(s->v[i], wanted))
            s->v[kept++] = s->v[i];
    s->n = kept;
}

/* The credential that is given says which type is meant. */
static bool by_credential(struct sieve *s)
{
    static const struct {
        const char *flag, *type;
    } CREDENTIALS[] = {{"x5c-cert", "X5C"},
                       {"x5c-key", "X5C"},
                       {"sshpop-cert", "SSHPOP"},
                       {"sshpop-key", "SSHPOP"},
                       {"k8ssa-token-path", "K8sSA"}};

    for (size_t i = 0; i < COUNT_OF(CREDENTIALS); i++) {
        if (!ca_cmd_text(s->inv, CREDENTIALS[i].flag))
            continue;
        keep(s, is_type, CREDENTIALS[i].type);
        return s->n > 0 ||
               err_set(&s->inv->err, ERR_NOT_FOUND,
                       "flag '--%s' needs a provisioner of type %s, and the CA has none",
                       CREDENTIALS[i].flag, CREDENTIALS[i].type);
    }
    return true;
}

static bool by_flag(struct sieve *s, const char *flag,
                    bool (*fits)(const struct json *, const char *))
{
    const char *wanted = ca_cmd_text(s->inv, flag);

    if (!wanted)
        return true;
    keep(s, fits, wanted);
    return s->n > 0 ||
           ca_cmd_bad_value(s->inv, flag, wanted, "the CA has no such provisioner here");
}

static bool ask(struct sieve *s, size_t *chosen)
{
    struct terminal *t = s->inv->terminal;
    struct slice *items = arena_array(s->inv->arena, s->n, sizeof(*items));

    for (size_t i = 0; i < s->n; i++)
        items[i] = provisioner_label(s->inv->arena, s->v[i]);
    return t->choose(t, "What provisioner do you want to use?\tProvisioner", items, s->n,
                     "--provisioner", chosen, &s->inv->err);
}

bool provisioner_select(struct invocation *inv, const struct json *const *list, size_t n,
                        const struct json **chosen)
{
    struct sieve s = {inv, arena_array(inv->arena, n + 1, sizeof(*s.v)), n};
    size_t i = 0;

    if (n)
        memcpy(s.v, list, n * sizeof(*s.v));
    keep(&s, is_known, NULL);
    if (s.n == 0)
        return err_set(&inv->err, ERR_NOT_FOUND,
                       "the CA has no provisioner that this version knows");
    if (!by_credential(&s) || !by_flag(&s, "kid", has_kid) || !by_flag(&s, "provisioner", has_name))
        return false;
    if (s.n > 1 && !ask(&s, &i))
        return false;
    *chosen = s.v[i];
    if (s.n == 1)
        note_selected(inv, "Provisioner",
                      arena_cstr(inv->arena, provisioner_label(inv->arena, s.v[0])));
    return true;
}
