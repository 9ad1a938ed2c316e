/*
 * The core of a snapshot: certificates and keys read and matched, everything that requests need
 * computed once.
 */
#include <stdlib.h>

#include "authority/key_load.h"
#include "authority/ssh.h"
#include "base/file.h"
#include "crypto/secret.h"
#include "x509/chain.h"

struct builder {
    struct services *s;
    struct core *core;
    struct arena *a;
    const struct config *config;
    struct err *e;
};

static void last_core(struct ref *ref)
{
    struct core *core = (struct core *)ref;
    struct arena *secrets = core->secrets;

    arena_free(core->arena);
    arena_free(secrets);
}

static bool load_list(struct builder *b, const char *key, const struct texts *paths,
                      struct cert_list *out)
{
    for (size_t i = 0; i < paths->n; i++) {
        struct cert_list found = {0};
        if (paths->v[i].n == 0)
            continue;
        if (!cert_list_load(b->a, arena_cstr(b->a, paths->v[i]), &found, b->e))
            return err_wrap(b->e, "%s", config_where(b->a, b->config, key));
        for (size_t k = 0; k < found.n; k++)
            cert_list_add(b->a, out, found.v[k]);
    }
    return true;
}

static bool load_key(struct builder *b, const struct core_passwords *passwords)
{
    struct key_source from = {b->config, "key", b->config->key,
                              passwords->ca.n > 0 ? passwords->ca : b->config->password,
                              passwords->prompt};
    struct private_key *key;
    const char *path;

    if (!signing_key_load(b->a, b->core->secrets, &from, &key, &path, b->e))
        return false;
    b->core->issuer.signer = signer_local(b->core->secrets, key, path);
    b->core->issuer.key = key->public_key;
    return true;
}

static bool check_issuer(struct builder *b)
{
    const struct cert *c = b->core->intermediates.v[0];
    const char *where = config_where(b->a, b->config, "crt");
    struct instant now = b->s->clock->now(b->s->clock);

    if (!c->key || !key_eq(c->key, b->core->issuer.key))
        return err_set(b->e, ERR_MALFORMED,
                       "%s: the private key of `key` does not belong to the first certificate of "
                       "\"%.*s\"",
                       where, SLICE_ARG(b->config->crt));
    if (!c->has_basic || !c->basic.ca)
        return err_set(b->e, ERR_MALFORMED,
                       "%s: the first certificate of \"%.*s\" is not a CA certificate (RFC 5280 "
                       "4.2.1.9)",
                       where, SLICE_ARG(b->config->crt));
    if (c->has_key_usage && !(c->key_usage & KU_CERT_SIGN))
        return err_set(b->e, ERR_MALFORMED,
                       "%s: the first certificate of \"%.*s\" lacks the key usage keyCertSign "
                       "(RFC 5280 4.2.1.3)",
                       where, SLICE_ARG(b->config->crt));
    if (instant_cmp(now, c->not_after) > 0)
        return err_set(b->e, ERR_MALFORMED, "%s: the first certificate of \"%.*s\" expired on %s",
                       where, SLICE_ARG(b->config->crt),
                       arena_cstr(b->a, rfc3339(b->a, c->not_after)));
    return true;
}

static bool is_parent(const struct cert *parent, const struct cert *child)
{
    if (!slice_eq(parent->subject.raw, child->issuer.raw))
        return false;
    return !parent->ski.p || !child->aki.p || slice_eq(parent->ski, child->aki);
}

/* The issuers whose name constraints hold, and when the chain ends. */
static void study_chain(struct builder *b)
{
    struct core *core = b->core;
    const struct cert *last = core->intermediates.v[core->intermediates.n - 1];

    core->issuer_ends = core->intermediates.v[0]->not_after;
    for (size_t i = 0; i < core->intermediates.n; i++) {
        if (extensions_get(&core->intermediates.v[i]->extensions, &OID_EXT_NAME_CONSTRAINTS))
            cert_list_add(b->a, &core->constrained, core->intermediates.v[i]);
    }
    for (size_t i = 0; i < core->roots.n; i++) {
        struct cert *root = core->roots.v[i];
        if (!is_parent(root, last))
            continue;
        if (instant_cmp(root->not_after, core->issuer_ends) < 0)
            core->issuer_ends = root->not_after;
        if (root != last && extensions_get(&root->extensions, &OID_EXT_NAME_CONSTRAINTS))
            cert_list_add(b->a, &core->constrained, root);
    }
}

static void put_pem_text(struct buf *out, struct arena *a, const struct cert *c)
{
    json_put_text(out, cert_pem(a, c->der));
}

/* {"crts":["…","…"]} and LF */
static struct slice certs_json(struct arena *a, const struct cert_list *list)
{
    struct buf b = buf_new(a, 16u << 20);

    buf_text(&b, "{\"crts\":[");
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            buf_byte(&b, ',');
        put_pem_text(&b, a, list->v[i]);
    }
    buf_text(&b, "]}\n");
    return buf_slice(&b);
}

static bool listed(const struct cert_list *list, const struct cert *c)
{
    for (size_t i = 0; i < list->n; i++) {
        if (slice_eq(list->v[i]->der, c->der))
            return true;
    }
    return false;
}

static void finish_bodies(struct builder *b)
{
    struct core *core = b->core;
    struct cert_list federation = {0};
    struct buf chain = buf_new(b->a, 16u << 20), issuer = buf_new(b->a, 1u << 20);
    struct buf tls = buf_new(b->a, 64u << 10), version = buf_new(b->a, 256);

    for (size_t i = 0; i < core->roots.n; i++) {
        if (!listed(&federation, core->roots.v[i]))
            cert_list_add(b->a, &federation, core->roots.v[i]);
    }
    for (size_t i = 0; i < core->federated.n; i++) {
        if (!listed(&federation, core->federated.v[i]))
            cert_list_add(b->a, &federation, core->federated.v[i]);
    }
    core->roots_json = certs_json(b->a, &core->roots);
    core->intermediates_json = certs_json(b->a, &core->intermediates);
    core->federation_json = certs_json(b->a, &federation);
    core->roots_pem = cert_list_pem(b->a, &core->roots);
    core->intermediates_pem = cert_list_pem(b->a, &core->intermediates);
    for (size_t i = 0; i < core->intermediates.n; i++) {
        buf_byte(&chain, ',');
        put_pem_text(&chain, b->a, core->intermediates.v[i]);
    }
    put_pem_text(&issuer, b->a, core->intermediates.v[0]);
    shape_write(&CONFIG_TLS_SHAPE, &b->config->tls, &tls);
    buf_text(&version, "{\"version\":");
    json_put_text(&version, SLICE(NEWEL_VERSION));
    buf_text(&version, "}\n");
    core->chain_json = buf_slice(&chain);
    core->issuer_json = buf_slice(&issuer);
    core->tls_json = buf_slice(&tls);
    core->version_json = buf_slice(&version);
}

static void settle_tls(struct builder *b)
{
    const struct config_tls *t = &b->config->tls;
    struct core *core = b->core;
    struct tls_settings *out = &core->tls;
    size_t n = 0;

    out->suites = t->cipher_suites.v;
    out->n_suites = t->cipher_suites.n;
    out->min_version = (int)(t->min_version * 10 + 0.5);
    out->max_version = (int)(t->max_version * 10 + 0.5);
    out->client_anchors =
        arena_array(b->a, core->roots.n + core->intermediates.n, sizeof(*out->client_anchors));
    for (size_t i = 0; i < core->roots.n; i++)
        out->client_anchors[n++] = core->roots.v[i]->der;
    for (size_t i = 0; i < core->intermediates.n; i++)
        out->client_anchors[n++] = core->intermediates.v[i]->der;
    out->n_client_anchors = n;
}

static void set_one(struct arena *a, struct slice **v, size_t *n, struct slice value)
{
    if (value.n == 0)
        return;
    *v = arena_alloc(a, sizeof(**v));
    **v = value;
    *n = 1;
}

static void settle_subject(struct builder *b)
{
    const struct config_subject *from = b->config->authority.subject;
    struct subject *to = &b->core->subject_defaults;

    if (!from)
        return;
    set_one(b->a, &to->country, &to->n_country, from->country);
    set_one(b->a, &to->province, &to->n_province, from->province);
    set_one(b->a, &to->locality, &to->n_locality, from->locality);
    set_one(b->a, &to->street, &to->n_street, from->street_address);
    set_one(b->a, &to->organization, &to->n_organization, from->organization);
    set_one(b->a, &to->unit, &to->n_unit, from->organizational_unit);
    to->serial_number = from->serial_number;
    to->common_name = from->common_name;
}

static void settle_names(struct builder *b)
{
    const struct texts *names = &b->config->dns_names;
    struct core *core = b->core;
    struct ip ip;

    core->dns_primary = names->v[0];
    if (ip_read(names->v[0], &ip) && slice_find(names->v[0], ':') < names->v[0].n)
        core->dns_primary = arena_format(b->a, "[%.*s]", SLICE_ARG(names->v[0]));
    sans_split(b->a, names->v, names->n, &core->own_names);
    audiences_build(b->a, names->v, names->n, &core->audiences);
}

static void settle_crl(struct builder *b)
{
    const struct config_crl *from = b->config->crl;
    struct crl_settings *to = &b->core->crl;

    if (!from)
        return;
    to->enabled = from->enabled;
    to->generate_on_revoke = from->generate_on_revoke;
    to->cache = b->config->crl_cache;
    to->renew = b->config->crl_renew;
    to->idp_url = from->idp_url;
    if (to->idp_url.n == 0)
        to->idp_url = arena_format(b->a, "https://%.*s/1.0/crl", SLICE_ARG(b->core->dns_primary));
}

static bool build(struct builder *b, const struct core_passwords *passwords)
{
    struct core *core = b->core;
    struct texts crt = {(struct slice *)&b->config->crt, 1};

    if (!load_list(b, "crt", &crt, &core->intermediates) || !load_key(b, passwords) ||
        !ssh_ca_build(b->a, core->secrets, b->config, passwords, b->s, &core->ssh, b->e) ||
        !check_issuer(b) || !load_list(b, "root", &b->config->root, &core->roots) ||
        !load_list(b, "federatedRoots", &b->config->federated_roots, &core->federated))
        return false;
    core->issuer.chain = core->intermediates;
    core->root_fingerprints = arena_array(b->a, core->roots.n, sizeof(struct slice));
    for (size_t i = 0; i < core->roots.n; i++)
        core->root_fingerprints[i] = cert_fingerprint(b->a, core->roots.v[i]->der);
    claims_resolve(&CLAIMS_BUILT_IN, b->config->authority.claims, &core->claims);
    core->backdate = b->config->backdate;
    study_chain(b);
    if (!config_policies_read(b->a, b->config, &core->policies, b->e))
        return err_wrap(b->e, "%s", config_where(b->a, b->config, "authority.policy"));
    settle_tls(b);
    settle_subject(b);
    settle_names(b);
    settle_crl(b);
    finish_bodies(b);
    if (core->constrained.n > 0 &&
        !name_constraints_check(b->a, &core->constrained, &core->own_names, b->e))
        return err_wrap(b->e, "%s: the CA's own names", config_where(b->a, b->config, "dnsNames"));
    return true;
}

struct core *core_build(struct services *s, struct arena *a, struct arena *secrets,
                        const struct config *config, const struct core_passwords *passwords,
                        struct err *e)
{
    struct core *core = arena_alloc(a, sizeof(*core));
    struct builder b = {s, core, a, config, e};

    ref_init(&core->ref, last_core);
    core->arena = a;
    core->secrets = secrets;
    core->config = config;
    if (build(&b, passwords))
        return core;
    arena_free(a);
    arena_free(secrets);
    return NULL;
}
