/* ca.json from file to struct: reading, warnings about what is tolerated, defaults, rewriting. */
#include "authority/config.h"

#include "base/duration.h"
#include "base/file.h"

#define CONFIG_MAX (16u << 20)

struct warner {
    config_warn_fn *warn;
    void *arg;
    struct arena *arena;
    const char *path;
};

static void warn_unknown(const char *path, const struct json *member, void *arg)
{
    const struct warner *w = arg;
    struct slice name = member->name;

    if (name.n > 0 && (name.p[0] == '_' || name.p[0] == '/' || name.p[0] == '#'))
        return; /* renamed on purpose: how operators switch a member off or keep a note */
    if (w->warn)
        w->warn(w->arg, arena_printf(w->arena, "%s:%u:%u: unknown key \"%s\" is ignored", w->path,
                                     member->line, member->column, path));
}

static void warn_text(const struct warner *w, const char *text)
{
    if (w->warn)
        w->warn(w->arg, text);
}

static void warn_notes(const struct warner *w, const struct json_notes *notes)
{
    if (notes->trailing_commas > 0)
        warn_text(w, arena_printf(w->arena,
                                  "%s:%u:%u: %u trailing comma%s tolerated; other programs (jq, "
                                  "clients written in Go) refuse the file",
                                  w->path, notes->comma_line, notes->comma_column,
                                  notes->trailing_commas, notes->trailing_commas > 1 ? "s" : ""));
    if (notes->rest)
        warn_text(
            w, arena_printf(w->arena, "%s: text after the first JSON value is ignored", w->path));
}

/* A lone text is split like `--dns` of init: at commas and blanks. */
static void split_names(struct arena *a, struct slice text, struct texts *out)
{
    out->v = arena_array(a, text.n + 1, sizeof(*out->v));
    out->n = 0;
    for (size_t i = 0; i < text.n;) {
        size_t start = i;
        while (i < text.n && text.p[i] != ',' && text.p[i] != ' ' && text.p[i] != '\t')
            i++;
        if (i > start)
            out->v[out->n++] = slice_sub(text, start, i - start);
        i++;
    }
}

static void read_dns_names(struct arena *a, struct config *c, const struct warner *w)
{
    static const char *const USUAL[] = {"localhost", "127.0.0.1", "::1"};
    const struct json *member = json_get(c->tree, "dnsNames");
    size_t kept = 0, given = c->dns_names.n;

    c->dns_names_given = member && member->kind != JSON_NULL;
    if (c->dns_names_given && member->kind == JSON_LIST && member->n == 0)
        return; /* refused by config_validate */
    if (member && member->kind == JSON_TEXT)
        split_names(a, member->text, &c->dns_names);
    for (size_t i = 0; i < c->dns_names.n; i++) {
        struct slice name = c->dns_names.v[i];
        if (name.n == 0)
            continue;
        if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
            name = slice_sub(name, 1, name.n - 2);
        c->dns_names.v[kept++] = name;
    }
    if (member && member->kind == JSON_LIST && kept < given)
        warn_text(w, arena_printf(a, "%s: empty elements of dnsNames are skipped",
                                  config_where(a, c, "dnsNames")));
    c->dns_names.n = kept;
    if (kept > 0)
        return;
    c->dns_names_given = false;
    c->dns_names.v = arena_array(a, COUNT_OF(USUAL), sizeof(*c->dns_names.v));
    for (size_t i = 0; i < COUNT_OF(USUAL); i++)
        c->dns_names.v[c->dns_names.n++] = slice_text(USUAL[i]);
}

static void apply_tls_defaults(struct arena *a, struct config_tls *t)
{
    static const char *const SUITES[] = {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                                         "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"};

    if (t->cipher_suites.n == 0) {
        t->cipher_suites.v = arena_array(a, COUNT_OF(SUITES), sizeof(*t->cipher_suites.v));
        for (size_t i = 0; i < COUNT_OF(SUITES); i++)
            t->cipher_suites.v[t->cipher_suites.n++] = slice_text(SUITES[i]);
    }
    if (t->min_version == 0)
        t->min_version = 1.2;
    if (t->max_version == 0)
        t->max_version = 1.3;
}

static void apply_defaults(struct arena *a, struct config *c, const struct warner *w)
{
    read_dns_names(a, c, w);
    apply_tls_defaults(a, &c->tls);
    if (c->common_name.n == 0)
        c->common_name = SLICE("Step Online CA");
    c->backdate = c->authority.backdate.set ? c->authority.backdate.ns : 60 * NS_PER_SEC;
    if (c->password.n == 0 && c->authority.password.n > 0) {
        c->password = c->authority.password;
        warn_text(w, arena_printf(a, "%s belongs at the top level of the file; it is used",
                                  config_where(a, c, "authority.password")));
    }
    if (c->crl) {
        int64_t cache = c->crl->cache_duration.set ? c->crl->cache_duration.ns : 0;
        c->crl_cache = cache == 0 ? 24 * 3600 * NS_PER_SEC : cache;
        c->crl_renew = c->crl->renew_period.set && c->crl->renew_period.ns != 0
                           ? c->crl->renew_period.ns
                           : c->crl_cache / 3 * 2;
    }
    if (c->db) {
        struct buf b = buf_new(a, 64u << 10);
        shape_write(CONFIG_DB_SHAPE, c->db, &b);
        c->db_text = buf_slice(&b);
    }
}

bool config_read(struct arena *a, struct slice text, const char *path, struct config **config,
                 config_warn_fn *warn, void *arg, struct err *e)
{
    struct warner w = {warn, arg, a, path};
    struct config *c = arena_alloc(a, sizeof(*c));
    struct json_notes notes = {0};

    c->path = arena_cstr(a, slice_text(path));
    w.path = c->path;
    c->tree = json_read(a, text, &JSON_CONFIG, &notes, e);
    if (!c->tree) {
        if (e && e->kind == ERR_MALFORMED) {
            struct err why = *e;
            return err_set(e, ERR_MALFORMED, "%s:%s", path, why.text);
        }
        return err_wrap(e, "%s", path);
    }
    if (c->tree->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "%s:%u:%u: expected an object", path, c->tree->line,
                       c->tree->column);
    warn_notes(&w, &notes);
    if (!shape_read_noting(&CONFIG_SHAPE, c->tree, c, a, warn_unknown, &w, e))
        return err_wrap(e, "%s", path);
    if (warn)
        config_unknown_members(c, warn_unknown, &w);
    apply_defaults(a, c, &w);
    *config = c;
    return true;
}

bool config_load(struct arena *a, const char *path, struct config **config, config_warn_fn *warn,
                 void *arg, struct err *e)
{
    struct slice text;

    if (!file_read(a, path, false, CONFIG_MAX, &text, e))
        return false;
    return config_read(a, text, path, config, warn, arg, e);
}

const char *config_where(struct arena *a, const struct config *c, const char *key)
{
    const struct json *at = c->tree;
    struct slice rest = slice_text(key), part;

    while (at && slice_split(&rest, '.', &part)) {
        size_t bracket = slice_find(part, '[');
        uint64_t index;
        at = json_get(at, arena_cstr(a, slice_sub(part, 0, bracket)));
        if (at && bracket < part.n &&
            slice_to_u64(slice_sub(part, bracket + 1, part.n - bracket - 2), &index)) {
            at = at->first;
            for (uint64_t i = 0; at && i < index; i++)
                at = at->next;
        }
    }
    if (!at)
        return arena_printf(a, "%s: %s", c->path, key);
    return arena_printf(a, "%s:%u:%u: %s", c->path, at->line, at->column, key);
}

static void set_default(struct json *object, struct arena *a, const char *name, struct json *value)
{
    const struct json *there = json_get(object, name);

    if (!there || there->kind == JSON_NULL)
        json_set(object, a, name, value);
}

/* Lists that a lone text may stand for are written as what they mean; what is absent shows the
 * value that is in force. */
static void set_texts(struct json *object, struct arena *a, const char *name,
                      const struct texts *texts)
{
    const struct json *there = json_get(object, name);
    struct json *list = json_make_list(a);

    if (there && there->kind == JSON_LIST)
        return;
    for (size_t i = 0; i < texts->n; i++) {
        if (texts->v[i].n > 0)
            json_append(list, json_make_text(a, texts->v[i]));
    }
    json_set(object, a, name, list->n > 0 ? list : json_make_null(a));
}

static void set_files_and_names(struct json *tree, struct arena *a, const struct config *c)
{
    static const char *const TEXTS[] = {"root", "crt", "key", "address", "insecureAddress"};

    if (c->root.n == 1)
        json_set(tree, a, "root", json_make_text(a, c->root.v[0]));
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++)
        set_default(tree, a, TEXTS[i], json_make_text(a, SLICE("")));
    set_texts(tree, a, "federatedRoots", &c->federated_roots);
    set_texts(tree, a, "dnsNames", &c->dns_names);
}

bool config_save(struct arena *a, const struct config *c, struct json *tree, struct err *e)
{
    static const char *const TOP[] = {"root",
                                      "federatedRoots",
                                      "crt",
                                      "key",
                                      "address",
                                      "insecureAddress",
                                      "dnsNames",
                                      "kms",
                                      "ssh",
                                      "logger",
                                      "db",
                                      "monitoring",
                                      "authority",
                                      "tls",
                                      "password",
                                      "templates",
                                      "commonName",
                                      "crl",
                                      "metricsAddress",
                                      NULL};
    static const char *const AUTHORITY[] = {"type",
                                            "certificateAuthority",
                                            "certificateAuthorityFingerprint",
                                            "certificateIssuer",
                                            "credentialsFile",
                                            "config",
                                            "authorityId",
                                            "deploymentType",
                                            "provisioners",
                                            "template",
                                            "claims",
                                            "policy",
                                            "disableIssuedAtCheck",
                                            "backdate",
                                            "enableAdmin",
                                            "disableGetSSHHosts",
                                            NULL};
    struct json *authority = (struct json *)json_get(tree, "authority");
    struct buf b = buf_new(a, CONFIG_MAX);

    if (!authority || authority->kind != JSON_OBJECT) {
        authority = json_make_object(a);
        json_set(tree, a, "authority", authority);
    }
    set_files_and_names(tree, a, c);
    set_default(tree, a, "commonName", json_make_text(a, c->common_name));
    set_default(tree, a, "tls", shape_tree(&CONFIG_TLS_SHAPE, &c->tls, a));
    set_default(authority, a, "template", json_make_object(a));
    set_default(authority, a, "backdate", json_make_text(a, duration_text(a, c->backdate)));
    json_order(tree, TOP);
    json_order(authority, AUTHORITY);
    json_print(&b, tree, "\t");
    buf_byte(&b, '\n');
    if (!buf_done(&b, c->path, e))
        return false;
    return file_write(c->path, buf_slice(&b), 0600, FILE_KEEP_MODE, e);
}

bool config_policies_read(struct arena *a, const struct config *c, struct policy_set *out,
                          struct err *e)
{
    return policy_set_read(a, c->authority.policy, "", out, e);
}
