/* What webhooks are sent: JSON of a request or of a certificate to be.  Never the token. */
#include "authority/webhook.h"

#include "x509/leaf_json.h"

#define BODY_MAX (4u << 20)

struct body {
    struct arena *a;
    struct json_writer j;
};

/* --- Members --------------------------------------------------------------------------------- */

static void put_bytes(struct body *b, const char *name, struct slice bytes)
{
    struct buf text = buf_new(b->a, BODY_MAX);

    json_put_bytes(&text, bytes);
    json_member_raw(&b->j, name, buf_slice(&text));
}

static void put_time(struct body *b, const char *name, struct instant t)
{
    json_member_text(&b->j, name, rfc3339_nano(b->a, t));
}

static void put_texts(struct body *b, const char *name, const struct slice *v, size_t n)
{
    if (n == 0) {
        json_member_null(&b->j, name);
        return;
    }
    json_open_list(&b->j, name);
    for (size_t i = 0; i < n; i++)
        json_member_text(&b->j, NULL, v[i]);
    json_close(&b->j);
}

static void put_oids(struct body *b, const char *name, const struct slice *v, size_t n)
{
    struct slice *texts = arena_array(b->a, n + 1, sizeof(*texts));

    for (size_t i = 0; i < n; i++)
        texts[i] = oid_text(b->a, v[i]);
    put_texts(b, name, texts, n);
}

/* A value of the template language as it stands in `toJson`. */
static bool put_value(struct body *b, const char *name, struct tvalue value, struct err *e)
{
    struct buf text = buf_new(b->a, BODY_MAX);

    if (!tvalue_put_json(&text, &value, b->a, e) || !buf_done(&text, "webhook body", e))
        return false;
    json_member_raw(&b->j, name, buf_slice(&text));
    return true;
}

static void put_key(struct body *b, struct slice spki, const struct key *k)
{
    const char *algorithm = !k                   ? ""
                            : k->type == KEY_RSA ? "RSA"
                            : key_is_ec(k)       ? "ECDSA"
                                                 : "Ed25519";

    put_bytes(b, "publicKey", spki);
    json_member_text(&b->j, "publicKeyAlgorithm", slice_text(algorithm));
}

/* --- The request ----------------------------------------------------------------------------- */

/* What templates see as .Insecure.CR, and the request itself. */
static bool put_request(struct body *b, const struct csr *csr, struct err *e)
{
    struct buf seen = buf_new(b->a, BODY_MAX), rest = buf_new(b->a, BODY_MAX);
    struct tvalue request = tobject_request(csr);
    struct body more = {b->a, json_writer(&rest)};

    if (!tvalue_put_json(&seen, &request, b->a, e) || !buf_done(&seen, "webhook body", e))
        return false;
    json_open(&more.j, NULL);
    put_key(&more, csr->spki, csr->key);
    put_bytes(&more, "raw", csr->der);
    json_close(&more.j);
    struct slice head = buf_slice(&seen);
    json_member_raw(&b->j, "x509CertificateRequest",
                    arena_format(b->a, "%.*s,%.*s", SLICE_ARG(slice_sub(head, 0, head.n - 1)),
                                 SLICE_ARG(slice_from(buf_slice(&rest), 1))));
    return buf_done(&rest, "webhook body", e);
}

/* --- The certificate to be ------------------------------------------------------------------- */

static void put_names(struct body *b, const char *name, const struct sans *s, enum san_kind kind)
{
    struct slice *v = arena_array(b->a, s->n + 1, sizeof(*v));
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].kind == kind)
            v[n++] = kind == SAN_IP ? ip_text(b->a, &s->v[i].ip) : s->v[i].text;
    }
    put_texts(b, name, v, n);
}

static bool put_all_names(struct body *b, const struct x509_leaf *leaf, struct err *e)
{
    static const struct {
        const char *name;
        enum san_kind kind;
    } KINDS[] = {{"dnsNames", SAN_DNS},
                 {"emailAddresses", SAN_EMAIL},
                 {"ipAddresses", SAN_IP},
                 {"uris", SAN_URI}};
    struct sans names;

    if (!x509_leaf_names(b->a, leaf, &names, e)) /* raw extensions included */
        return false;
    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        put_names(b, KINDS[i].name, &names, KINDS[i].kind);
    if (names.n == 0) {
        json_member_null(&b->j, "sans");
        return true;
    }
    return put_value(b, "sans", tobject_sans(b->a, &names), e);
}

static void put_extensions(struct body *b, const struct extensions *x)
{
    if (x->n == 0) {
        json_member_null(&b->j, "extensions");
        return;
    }
    json_open_list(&b->j, "extensions");
    for (size_t i = 0; i < x->n; i++) {
        json_open(&b->j, NULL);
        json_member_text(&b->j, "id", oid_text(b->a, x->v[i].oid));
        json_member_bool(&b->j, "critical", x->v[i].critical);
        put_bytes(b, "value", x->v[i].value);
        json_close(&b->j);
    }
    json_close(&b->j);
}

static struct slice ext_usage_name(struct slice oid)
{
    struct oid known;

    for (size_t i = 0; i < TOBJECT_N_EXT_USAGES; i++) {
        struct slice name = slice_text(TOBJECT_EXT_USAGES[i]);
        if (ext_usage_find(name, &known) && oid_eq(&known, oid))
            return name;
    }
    return SLICE_NONE;
}

static void put_usages(struct body *b, const struct x509_leaf *leaf)
{
    struct slice names[TOBJECT_N_KEY_USAGES];
    struct slice *unknown = arena_array(b->a, leaf->n_eku + 1, sizeof(*unknown));
    size_t n = 0, n_unknown = 0;

    for (size_t i = 0; i < TOBJECT_N_KEY_USAGES; i++) {
        if (leaf->key_usage & (1u << i))
            names[n++] = slice_text(TOBJECT_KEY_USAGES[i]);
    }
    put_texts(b, "keyUsage", names, n);
    json_open_list(&b->j, "extKeyUsage");
    for (size_t i = 0; i < leaf->n_eku; i++) {
        struct slice name = ext_usage_name(leaf->eku[i]);
        if (name.p)
            json_member_text(&b->j, NULL, name);
        else
            unknown[n_unknown++] = leaf->eku[i];
    }
    json_close(&b->j);
    put_oids(b, "unknownExtKeyUsage", unknown, n_unknown);
}

/* --- Name constraints (RFC 5280 4.2.1.10) ---------------------------------------------------- */

/* Address and mask as "10.1.0.0/16"; a mask with holes has no such form. */
static struct slice range_text(struct arena *a, struct slice both)
{
    struct ip ip = {.n = (uint8_t)(both.n / 2)};
    unsigned bits = 0;

    if (both.n != 8 && both.n != 32)
        return SLICE_NONE;
    memcpy(ip.bytes, both.p, ip.n);
    for (size_t i = 0; i < ip.n; i++)
        for (int bit = 7; bit >= 0; bit--)
            bits += both.p[ip.n + i] >> bit & 1;
    return arena_format(a, "%.*s/%u", SLICE_ARG(ip_text(a, &ip)), bits);
}

/* Bases of one kind among the GeneralSubtrees. */
static void put_trees(struct body *b, const char *name, struct slice subtrees, uint8_t tag)
{
    struct der list = der_reader(subtrees), tree;
    struct slice base;
    bool any = false;

    while (!der_done(&list) && der_enter(&list, DER_SEQUENCE, &tree)) {
        if (!der_is(&tree, tag) || !der_take(&tree, tag, &base))
            continue;
        if (!any)
            json_open_list(&b->j, name);
        any = true;
        json_member_text(&b->j, NULL, tag == DER_CONTEXT(7) ? range_text(b->a, base) : base);
    }
    if (any)
        json_close(&b->j);
    else
        json_member_null(&b->j, name);
}

static void put_name_constraints(struct body *b, const struct x509_leaf *leaf)
{
    static const struct {
        const char *permitted, *excluded;
        uint8_t tag;
    } KINDS[] = {
        {"permittedDNSDomains", "excludedDNSDomains", DER_CONTEXT(2)},
        {"permittedIPRanges", "excludedIPRanges", DER_CONTEXT(7)},
        {"permittedEmailAddresses", "excludedEmailAddresses", DER_CONTEXT(1)},
        {"permittedURIDomains", "excludedURIDomains", DER_CONTEXT(6)},
    };
    struct der outer = der_reader(leaf->name_constraints), in;
    struct slice permitted = SLICE_NONE, excluded = SLICE_NONE;
    bool there;

    json_open(&b->j, "nameConstraints");
    json_member_bool(&b->j, "critical", leaf->name_constraints_critical);
    /* What leaf_json wrote: it can be read. */
    if (der_enter(&outer, DER_SEQUENCE, &in) &&
        der_optional(&in, DER_CONTEXT_CONSTRUCTED(0), &there, &permitted) &&
        der_optional(&in, DER_CONTEXT_CONSTRUCTED(1), &there, &excluded)) {
        for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
            put_trees(b, KINDS[i].permitted, permitted, KINDS[i].tag);
            put_trees(b, KINDS[i].excluded, excluded, KINDS[i].tag);
        }
    }
    json_close(&b->j);
}

static void put_constraints(struct body *b, const struct x509_leaf *leaf)
{
    put_oids(b, "policyIdentifiers", leaf->policies, leaf->n_policies);
    if (leaf->has_basic) {
        json_open(&b->j, "basicConstraints");
        json_member_bool(&b->j, "isCA", leaf->basic.ca);
        json_member_int(&b->j, "maxPathLen", leaf->basic.path_len);
        json_close(&b->j);
    } else {
        json_member_null(&b->j, "basicConstraints");
    }
    if (leaf->name_constraints.n == 0)
        json_member_null(&b->j, "nameConstraints");
    else
        put_name_constraints(b, leaf);
}

static struct slice algorithm_name(struct sig_alg alg)
{
    static const char *const NAMES[] = {
        "SHA256-RSA",    "SHA384-RSA",   "SHA512-RSA",   "SHA256-RSAPSS", "SHA384-RSAPSS",
        "SHA512-RSAPSS", "ECDSA-SHA256", "ECDSA-SHA384", "ECDSA-SHA512",  "Ed25519"};
    struct sig_alg known;

    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (sig_alg_find(slice_text(NAMES[i]), &known) && known.scheme == alg.scheme &&
            known.digest == alg.digest)
            return slice_text(NAMES[i]);
    }
    return SLICE("");
}

static bool put_leaf(struct body *b, const struct x509_leaf *leaf, struct err *e)
{
    json_open(&b->j, "x509Certificate");
    json_member_int(&b->j, "version", 3);
    if (!put_value(b, "subject", tobject_subject(&leaf->subject), e))
        return false;
    put_bytes(b, "rawSubject", leaf->raw_subject);
    json_open(&b->j, "issuer");
    json_close(&b->j);
    if (leaf->serial.n > 0)
        json_member_text(&b->j, "serialNumber", serial_decimal(b->a, leaf->serial));
    else
        json_member_null(&b->j, "serialNumber"); /* chosen when it is signed */
    if (!put_all_names(b, leaf, e))
        return false;
    put_extensions(b, &leaf->raw);
    put_usages(b, leaf);
    put_bytes(b, "subjectKeyId", leaf->ski.n > 0 ? leaf->ski : SLICE_NONE);
    json_member_null(&b->j, "authorityKeyId");
    put_texts(b, "ocspServer", leaf->ocsp, leaf->n_ocsp);
    put_texts(b, "issuingCertificateURL", leaf->ca_issuers, leaf->n_ca_issuers);
    put_texts(b, "crlDistributionPoints", leaf->crl_points, leaf->n_crl_points);
    put_constraints(b, leaf);
    json_member_text(&b->j, "signatureAlgorithm", algorithm_name(leaf->alg));
    put_key(b, leaf->key->spki, leaf->key);
    put_time(b, "notBefore", leaf->not_before);
    put_time(b, "notAfter", leaf->not_after);
    json_member_null(&b->j, "raw");
    json_close(&b->j);
    return true;
}

/* --- SSH ------------------------------------------------------------------------------------- */

static void put_pairs(struct body *b, const char *name, const struct webhook_ssh_pair *v, size_t n)
{
    if (n == 0) {
        json_member_null(&b->j, name);
        return;
    }
    json_open(&b->j, name);
    for (size_t i = 0; i < n; i++)
        json_member_text(&b->j, arena_cstr(b->a, v[i].name), v[i].value);
    json_close(&b->j);
}

static void put_ssh_request(struct body *b, const struct webhook_ssh *s)
{
    json_open(&b->j, "sshCertificateRequest");
    put_bytes(b, "publicKey", s->public_key);
    json_member_text(&b->j, "type", s->type);
    json_member_text(&b->j, "keyID", s->key_id);
    put_texts(b, "principals", s->principals, s->n_principals);
    json_close(&b->j);
}

static void put_ssh_certificate(struct body *b, const struct webhook_ssh *s)
{
    json_open(&b->j, "sshCertificate");
    put_bytes(b, "nonce", s->nonce.n > 0 ? s->nonce : SLICE_NONE);
    json_member_uint(&b->j, "serial", s->serial);
    json_member_text(&b->j, "type", s->type);
    json_member_text(&b->j, "keyId", s->key_id);
    put_texts(b, "principals", s->principals, s->n_principals);
    put_pairs(b, "criticalOptions", s->critical_options, s->n_critical_options);
    put_pairs(b, "extensions", s->extensions, s->n_extensions);
    json_member_null(&b->j, "reserved");
    put_bytes(b, "publicKey", s->public_key);
    json_member_null(&b->j, "signatureKey");
    json_member_uint(&b->j, "validBefore", s->valid_before);
    json_member_uint(&b->j, "validAfter", s->valid_after);
    json_close(&b->j);
}

/* --- Who asks -------------------------------------------------------------------------------- */

static void put_requester(struct body *b, const struct grant *g)
{
    const struct cert *c = g->credential;
    struct slice principal = g->principal;

    if (principal.n == 0 && c)
        principal = dn_common_name(&c->subject);
    if (g->x509.device.n > 0) {
        json_open(&b->j, "attestationData");
        json_member_text(&b->j, "permanentIdentifier", g->x509.device);
        json_close(&b->j);
    }
    if (principal.n > 0)
        json_member_text(&b->j, "authorizationPrincipal", principal);
    if (!c)
        return;
    json_open(&b->j, "x5cCertificate");
    put_bytes(b, "raw", c->der);
    put_key(b, c->spki, c->key);
    put_time(b, "notBefore", c->not_before);
    put_time(b, "notAfter", c->not_after);
    json_close(&b->j);
}

static bool put_subject(struct body *b, const struct webhook_subject *about, struct err *e)
{
    if (about->csr)
        return put_request(b, about->csr, e);
    if (about->leaf)
        return put_leaf(b, about->leaf, e);
    if (about->ssh->request)
        put_ssh_request(b, about->ssh);
    else
        put_ssh_certificate(b, about->ssh);
    return true;
}

bool webhook_body(struct arena *a, struct instant now, const struct grant *g,
                  const struct webhook_subject *about, struct slice *body, struct err *e)
{
    struct buf out = buf_new(a, BODY_MAX);
    struct body b = {a, json_writer(&out)};

    json_open(&b.j, NULL);
    put_time(&b, "timestamp", now);
    if (g->by->name.n > 0)
        json_member_text(&b.j, "provisionerName", g->by->name);
    put_requester(&b, g);
    if (!put_subject(&b, about, e))
        return false;
    json_close(&b.j);
    *body = buf_slice(&out);
    return buf_done(&out, "webhook body", e);
}
