/*
 * getHostByName and the functions that make certificates.  Those certificates are nobody's but the
 * template's: their keys have nothing to do with the authority's, and nothing of them is recorded.
 *
 * Every function is a row that says where its arguments stand; what it yields follows from that.
 */
#include "authority/template_hooks.h"

#include "base/encode.h"
#include "crypto/keyfile.h"
#include "crypto/pem.h"
#include "net/resolver.h"
#include "x509/cert.h"

#define LOOKUP_NS (5 * NS_PER_SEC)
#define DAY_NS    (24 * 3600 * NS_PER_SEC)
#define DAYS_MAX  36500
#define RSA_BITS  2048

/* --- Names ----------------------------------------------------------------------------------- */

static bool host_by_name(void *user, struct arena *a, struct slice name, struct slice *address,
                         struct err *e)
{
    struct resolver *r = resolver_new(NULL, e);
    struct ip_list found = {0};
    uint8_t byte;

    (void)user;
    if (!r)
        return false;
    bool good = r->addresses(r, name, a, &found, deadline_in(&CLOCK_SYSTEM, LOOKUP_NS), e);
    resolver_free(r);
    if (!good)
        return false;
    if (!found.n)
        return err_set(e, ERR_NOT_FOUND, "%.*s: no such name", SLICE_ARG(name));
    RNG_SYSTEM.fill(&RNG_SYSTEM, &byte, 1);
    *address = ip_text(a, &found.v[byte % found.n]);
    return true;
}

/* --- Certificates ---------------------------------------------------------------------------- */

struct making {
    struct arena *a;
    struct x509_leaf leaf;
    struct private_key *key;
    struct cert *ca; /* NULL: signs itself */
    struct private_key *ca_key;
    struct slice eku[2];
    struct err *e;
};

static const struct maker {
    const char *name;
    int names, days, ca, key; /* places of arguments; -1: none.  Two at names: addresses, hosts */
    bool is_ca;
} MAKERS[] = {
    {"genCA", -1, 1, -1, -1, true},
    {"genCAWithKey", -1, 1, -1, 2, true},
    {"genSelfSignedCert", 1, 3, -1, -1, false},
    {"genSelfSignedCertWithKey", 1, 3, -1, 4, false},
    {"genSignedCert", 1, 3, 4, -1, false},
    {"genSignedCertWithKey", 1, 3, 4, 5, false},
};

/* nil or a list of texts. */
static bool add_names(struct making *m, const struct tvalue *v, enum san_kind kind)
{
    struct sans *sans = &m->leaf.sans;
    size_t n = v->kind == T_LIST && v->list ? v->list->n : 0;
    struct san *all = arena_array(m->a, sans->n + n + 1, sizeof(*all));

    if (sans->n)
        memcpy(all, sans->v, sans->n * sizeof(*all));
    sans->v = all;
    for (size_t i = 0; i < n; i++) {
        const struct tvalue *item = &v->list->items[i];
        struct san *s = &sans->v[sans->n];
        if (item->kind != T_TEXT)
            return err_set(m->e, ERR_MALFORMED, "expected a list of texts");
        *s = (struct san){.kind = kind, .text = item->text};
        if (kind == SAN_IP && !ip_read(item->text, &s->ip))
            return err_set(m->e, ERR_MALFORMED, "\"%.*s\" is no IP address", SLICE_ARG(item->text));
        sans->n++;
    }
    return true;
}

static bool read_key(struct making *m, struct slice pem, struct private_key **key)
{
    return private_key_read(m->a, pem, "the key", NULL, key, m->e);
}

static bool read_ca(struct making *m, const struct tvalue *v)
{
    const struct tvalue *cert = v->kind == T_MAP ? tmap_get(v->map, SLICE("Cert")) : NULL;
    const struct tvalue *key = v->kind == T_MAP ? tmap_get(v->map, SLICE("Key")) : NULL;
    struct cert_list list = {0};

    if (!cert || cert->kind != T_TEXT || !key || key->kind != T_TEXT)
        return err_set(m->e, ERR_MALFORMED, "expected a certificate with its key");
    if (!cert_list_read(m->a, cert->text, "the CA", &list, m->e) ||
        !read_key(m, key->text, &m->ca_key))
        return false;
    m->ca = list.v[0];
    return (m->ca->key && key_eq(m->ca->key, m->ca_key->public_key)) ||
           err_set(m->e, ERR_MALFORMED, "the CA's key is not that of its certificate");
}

static bool fill(struct making *m, const struct maker *k, const struct tvalue *args)
{
    struct x509_leaf *leaf = &m->leaf;
    int64_t days = args[k->days].i;

    if (days < 0 || days > DAYS_MAX)
        return err_set(m->e, ERR_MALFORMED, "expected 0 to %d days", DAYS_MAX);
    m->eku[0] = slice_of(OID_EKU_SERVER.p, OID_EKU_SERVER.n);
    m->eku[1] = slice_of(OID_EKU_CLIENT.p, OID_EKU_CLIENT.n);
    leaf->subject.common_name = args[0].text;
    leaf->not_before = instant_truncate(CLOCK_SYSTEM.now(&CLOCK_SYSTEM));
    leaf->not_after = instant_add(leaf->not_before, days * DAY_NS);
    leaf->key_usage =
        KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT | (k->is_ca ? (uint32_t)KU_CERT_SIGN : 0u);
    leaf->eku = m->eku;
    leaf->n_eku = COUNT_OF(m->eku);
    leaf->has_basic = true;
    leaf->basic = (struct basic_constraints){k->is_ca, -1};
    return k->names < 0 ||
           (add_names(m, &args[k->names], SAN_IP) && add_names(m, &args[k->names + 1], SAN_DNS));
}

static bool sign(struct making *m, struct slice *cert_pem, struct slice *key_pem)
{
    const struct private_key *by = m->ca ? m->ca_key : m->key;
    struct issuer issuer = {.key = by->public_key,
                            .signer = signer_local(m->a, by, "the CA's key")};
    struct buf der = buf_new(m->a, CERT_MAX);

    m->leaf.key = m->key->public_key;
    if (m->ca)
        cert_list_add(m->a, &issuer.chain, m->ca);
    if (!x509_leaf_sign(&m->leaf, &issuer, &RNG_SYSTEM, &der, DEADLINE_NONE, m->e) ||
        !private_key_pem(m->a, m->key, KEY_TRADITIONAL, key_pem, m->e))
        return false;
    *cert_pem = pem_text(m->a, "CERTIFICATE", buf_slice(&der));
    return true;
}

static bool make(struct making *m, const struct maker *k, const struct tvalue *args,
                 struct slice *cert_pem, struct slice *key_pem)
{
    if (!fill(m, k, args) || (k->ca >= 0 && !read_ca(m, &args[k->ca])))
        return false;
    return (k->key >= 0 ? read_key(m, args[k->key].text, &m->key)
                        : private_key_generate(m->a, KEY_RSA, RSA_BITS, &m->key, m->e)) &&
           sign(m, cert_pem, key_pem);
}

/* What is there already, in base64: checked and passed on. */
static bool take(struct making *m, const struct tvalue *args, struct slice *cert_pem,
                 struct slice *key_pem)
{
    struct cert_list list = {0};

    if (!base64_read(m->a, BASE64_STD, args[0].text, cert_pem) ||
        !base64_read(m->a, BASE64_STD, args[1].text, key_pem))
        return err_set(m->e, ERR_MALFORMED, "expected certificate and key in base64");
    return cert_list_read(m->a, *cert_pem, "the certificate", &list, m->e) &&
           read_key(m, *key_pem, &m->key);
}

static bool certificate(void *user, struct arena *a, const char *name, const struct tvalue *args,
                        size_t n, struct slice *cert_pem, struct slice *key_pem, struct err *e)
{
    struct making m = {.a = a, .e = e};

    (void)user;
    (void)n; /* the language has counted them */
    for (size_t i = 0; i < COUNT_OF(MAKERS); i++)
        if (strcmp(name, MAKERS[i].name) == 0)
            return make(&m, &MAKERS[i], args, cert_pem, key_pem);
    return take(&m, args, cert_pem, key_pem);
}

const struct template_hooks TEMPLATE_HOOKS = {
    .host_by_name = host_by_name,
    .certificate = certificate,
};
