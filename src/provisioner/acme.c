/* ACME: no tokens; the protocol in acme/ decides and asks for a grant here. */
#include "provisioner/acme.h"

#include "crypto/pem.h"
#include "provisioner/internal.h"

struct acme_config {
    struct common_config common;
    bool force_cn, require_eab;
    struct slice terms_of_service, website, attestation_roots;
    struct texts caa_identities, challenges, attestation_formats;
};
#define AT(member) offsetof(struct acme_config, member)
static const struct field ACME_FIELDS[] = {
    {"type", FIELD_TEXT, AT(common.type), 0, NULL},
    {"name", FIELD_TEXT, AT(common.name), 0, NULL},
    {"forceCN", FIELD_BOOL, AT(force_cn), FIELD_OMIT_EMPTY, NULL},
    {"termsOfService", FIELD_TEXT, AT(terms_of_service), FIELD_OMIT_EMPTY, NULL},
    {"website", FIELD_TEXT, AT(website), FIELD_OMIT_EMPTY, NULL},
    {"caaIdentities", FIELD_TEXTS, AT(caa_identities), FIELD_OMIT_EMPTY, NULL},
    {"requireEAB", FIELD_BOOL, AT(require_eab), FIELD_OMIT_EMPTY, NULL},
    {"challenges", FIELD_TEXTS, AT(challenges), FIELD_OMIT_EMPTY, NULL},
    {"attestationFormats", FIELD_TEXTS, AT(attestation_formats), FIELD_OMIT_EMPTY, NULL},
    {"attestationRoots", FIELD_BYTES, AT(attestation_roots), FIELD_OMIT_EMPTY, NULL},
    {"claims", FIELD_OBJECT, AT(common.claims), FIELD_OMIT_EMPTY, &CLAIMS_SHAPE},
    {"options", FIELD_OBJECT, AT(common.options), FIELD_OMIT_EMPTY, &OPTIONS_SHAPE},
};
#undef AT
const struct shape ACME_SHAPE = {"ACME provisioner", sizeof(struct acme_config), ACME_FIELDS,
                                 COUNT_OF(ACME_FIELDS), false};

struct choice {
    const char *name;
    bool usual;  /* on when the list is absent or empty */
    bool served; /* false: known, but not served by this version */
};
static const struct choice CHALLENGES[] = {
    {"http-01", true, true},        {"dns-01", true, true},
    {"tls-alpn-01", true, true},    {"device-attest-01", false, true},
    {"wire-oidc-01", false, false}, {"wire-dpop-01", false, false},
};
static const struct choice FORMATS[] = {
    {"apple", true, true}, {"step", true, true}, {"tpm", true, true}, {"android-key", true, false}};

static bool read_choices(const char *member, const struct texts *texts,
                         const struct choice *choices, size_t n, unsigned *bits, struct err *e)
{
    *bits = 0;
    for (size_t i = 0; texts->n == 0 && i < n; i++) {
        if (choices[i].usual && choices[i].served)
            *bits |= 1u << i;
    }
    for (size_t i = 0; i < texts->n; i++) {
        size_t k = 0;
        while (k < n && !slice_is_case(texts->v[i], choices[k].name))
            k++;
        if (k == n)
            return err_set(e, ERR_MALFORMED, "%s: unknown value \"%.*s\"", member,
                           SLICE_ARG(texts->v[i]));
        if (!choices[k].served)
            return err_set(e, ERR_NOT_IMPLEMENTED, "%s: \"%s\" is not supported by this version",
                           member, choices[k].name);
        *bits |= 1u << k;
    }
    return true;
}

static bool read_roots(struct arena *a, struct slice text, struct cert_list *roots, struct err *e)
{
    struct slice rest = text;
    struct err why = {0};
    struct pem block;

    if (!text.p)
        return true;
    while (pem_next(a, &rest, &block, &why)) {
        struct cert *c;
        if (!cert_read(a, block.der, &c, e))
            return err_wrap(e, "attestationRoots: certificate %zu", roots->n + 1);
        cert_list_add(a, roots, c);
    }
    if (why.kind != ERR_NONE) {
        err_move(e, &why);
        return err_wrap(e, "attestationRoots");
    }
    if (roots->n == 0)
        return err_set(e, ERR_MALFORMED, "attestationRoots: no certificate found");
    return true;
}

static bool init(struct provisioner *p, struct arena *a, const struct provisioner_env *env,
                 bool *fatal, struct err *e)
{
    struct acme_config *c = arena_alloc(a, sizeof(*c));
    struct acme_detail *d = arena_alloc(a, sizeof(*d));
    struct buf b = buf_new(a, 1u << 20);

    (void)env;
    *fatal = true;
    if (!shape_read(&ACME_SHAPE, p->config, c, a, e))
        return false;
    *fatal = false;
    p->token_id = arena_format(a, "acme/%.*s", SLICE_ARG(p->name));
    shape_write(&ACME_SHAPE, c, &b);
    p->listing = buf_slice(&b);
    d->force_cn = c->force_cn;
    d->require_eab = c->require_eab;
    d->terms_of_service = c->terms_of_service;
    d->website = c->website;
    d->caa_identities = c->caa_identities;
    if (!read_choices("challenges", &c->challenges, CHALLENGES, COUNT_OF(CHALLENGES),
                      &d->challenges, e) ||
        !read_choices("attestationFormats", &c->attestation_formats, FORMATS, COUNT_OF(FORMATS),
                      &d->formats, e) ||
        !read_roots(a, c->attestation_roots, &d->attestation_roots, e))
        return false;
    if (slice_find(p->name, '/') < p->name.n)
        return err_set(e, ERR_MALFORMED,
                       "name: a '/' cannot stand in the URLs of this provisioner");
    p->detail = d;
    return true;
}

const struct acme_detail *acme_detail_of(const struct provisioner *p)
{
    return p->type == &PROVISIONER_ACME && !p->trouble ? p->detail : NULL;
}

void acme_grant(const struct provisioner *p, struct grant *g)
{
    *g = (struct grant){.by = p};
    g->x509.fallback = LEAF_TOKEN;
    g->x509.force_cn = acme_detail_of(p)->force_cn;
    g->x509.rules[g->x509.n_rules++] = (struct csr_rule){.kind = CSR_RULE_KEY, .rsa_bits = 2048};
}

const struct provisioner_type PROVISIONER_ACME = {
    .name = "ACME",
    .written = "ACME",
    .data_name = "ACME",
    .number = 6,
    .served = true,
    .no_tokens = true,
    .members = &ACME_SHAPE,
    .init = init,
};
