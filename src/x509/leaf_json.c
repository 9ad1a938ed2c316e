/* Members of the certificate JSON, one reader each; a table says which is which. */
#include "x509/leaf_json.h"

#include "base/encode.h"
#include "x509/leaf_json_sans.h"

struct reader {
    struct arena *a;
    struct leaf_json *out;
    const char *name; /* of the member being read */
    struct err *e;
};

static bool wrong(const struct reader *r, const char *expected)
{
    return err_set(r->e, ERR_MALFORMED, "certificate JSON: %s: expected %s", r->name, expected);
}

/* A text, a list of texts, or null. */
static bool multi(const struct reader *r, const struct json *v, struct slice **texts, size_t *n)
{
    *n = 0;
    *texts = arena_array(r->a, v->n + 1, sizeof(**texts));
    if (v->kind == JSON_NULL)
        return true;
    if (v->kind == JSON_TEXT) {
        (*texts)[(*n)++] = v->text;
        return true;
    }
    if (v->kind != JSON_LIST)
        return wrong(r, "a text or a list of texts");
    for (const struct json *one = v->first; one; one = one->next) {
        if (one->kind != JSON_TEXT)
            return wrong(r, "a list of texts only");
        (*texts)[(*n)++] = one->text;
    }
    return true;
}

static bool bytes(const struct reader *r, const struct json *v, struct slice *out)
{
    if (v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_TEXT || !base64_read(r->a, BASE64_STD, v->text, out))
        return wrong(r, "base64 text");
    return true;
}

/* --- Subject -------------------------------------------------------------------------------------
 */

static bool read_extra(const struct reader *r, const struct json *list, struct subject *out)
{
    if (list->kind == JSON_NULL)
        return true;
    if (list->kind != JSON_LIST)
        return wrong(r, "extraNames to be a list of objects");
    out->extra = arena_array(r->a, list->n + 1, sizeof(*out->extra));
    for (const struct json *one = list->first; one; one = one->next) {
        struct dn_attribute *x = &out->extra[out->n_extra];
        const struct json *value = json_get(one, "value");
        if (!oid_read(r->a, json_text(json_get(one, "type")), &x->type))
            return wrong(r, "extraNames with an OID as type");
        if (!value || value->kind != JSON_TEXT)
            return wrong(r, "extraNames with a text as value");
        x->value = value->text;
        x->tag = oid_eq(&OID_EMAIL_ADDRESS, x->type) ? DER_IA5_STRING : 0;
        out->n_extra++;
        /* It stands for the member (subject_put); what judges the member is to see it. */
        if (oid_eq(&OID_CN, x->type))
            out->common_name = x->value;
    }
    return true;
}

bool subject_json_read(struct arena *a, const struct json *v, const char *path, struct subject *out,
                       struct err *e)
{
    struct reader r = {a, NULL, path, e};
    const struct {
        const char *name;
        struct slice **v;
        size_t *n;
    } lists[] = {{"country", &out->country, &out->n_country},
                 {"organization", &out->organization, &out->n_organization},
                 {"organizationalUnit", &out->unit, &out->n_unit},
                 {"locality", &out->locality, &out->n_locality},
                 {"province", &out->province, &out->n_province},
                 {"streetAddress", &out->street, &out->n_street},
                 {"postalCode", &out->postal_code, &out->n_postal_code}};

    *out = (struct subject){0};
    if (v->kind == JSON_TEXT) {
        out->common_name = v->text;
        return true;
    }
    if (v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_OBJECT)
        return wrong(&r, "a text or an object");
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        const struct json *member = json_get(v, lists[i].name);
        if (member && !multi(&r, member, lists[i].v, lists[i].n))
            return err_wrap(e, "%s", lists[i].name);
    }
    const struct json *cn = json_get(v, "commonName"), *serial = json_get(v, "serialNumber"),
                      *extra = json_get(v, "extraNames");
    if ((cn && cn->kind != JSON_TEXT && cn->kind != JSON_NULL) ||
        (serial && serial->kind != JSON_TEXT && serial->kind != JSON_NULL))
        return wrong(&r, "commonName and serialNumber to be texts");
    out->common_name = json_text(cn);
    out->serial_number = json_text(serial);
    return !extra || read_extra(&r, extra, out);
}

static bool read_subject(const struct reader *r, const struct json *v)
{
    return subject_json_read(r->a, v, "certificate JSON: subject", &r->out->leaf.subject, r->e);
}

/* The CA decides about these: only their types are looked at. */
static bool read_issuer(const struct reader *r, const struct json *v)
{
    struct subject unused;

    return subject_json_read(r->a, v, "certificate JSON: issuer", &unused, r->e);
}

static bool read_version(const struct reader *r, const struct json *v)
{
    int64_t unused;

    return v->kind == JSON_NULL || json_int(v, &unused) || wrong(r, "a whole number");
}

static bool read_aki(const struct reader *r, const struct json *v)
{
    return bytes(r, v, &r->out->leaf.aki);
}

static bool read_raw_subject(const struct reader *r, const struct json *v)
{
    struct slice raw = SLICE_NONE;
    struct dn dn;

    if (!bytes(r, v, &raw))
        return false;
    if (raw.n > 0 && !dn_read(r->a, raw, &dn, r->e))
        return err_wrap(r->e, "certificate JSON: rawSubject");
    if (raw.n > 0)
        r->out->leaf.raw_subject = raw;
    return true;
}

/* --- Numbers and times
 * ---------------------------------------------------------------------------- */

static bool read_serial(const struct reader *r, const struct json *v)
{
    int64_t n;

    if (v->kind == JSON_NULL)
        return true;
    if (v->kind == JSON_NUMBER && (!json_int(v, &n) || n < 0))
        return wrong(r, "a whole number that is not negative");
    if (v->kind != JSON_NUMBER && v->kind != JSON_TEXT)
        return wrong(r, "a number or a text");
    if (!serial_read(r->a, v->text, &r->out->leaf.serial, r->e))
        return err_wrap(r->e, "certificate JSON: serialNumber");
    return true;
}

static bool read_time(const struct reader *r, const struct json *v, bool *has, struct instant *t)
{
    if (v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_TEXT || !rfc3339_read(v->text, t))
        return wrong(r, "an RFC 3339 time");
    *has = !instant_is_zero(*t);
    return true;
}

static bool read_before(const struct reader *r, const struct json *v)
{
    return read_time(r, v, &r->out->has_before, &r->out->leaf.not_before);
}

static bool read_after(const struct reader *r, const struct json *v)
{
    return read_time(r, v, &r->out->has_after, &r->out->leaf.not_after);
}

/* --- Usages
 * ------------------------------------------------------------------------------------------ */

static bool same_usage(struct slice text, const char *name)
{
    size_t k = 0;

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == '_')
            continue;
        if (name[k] == '\0' || (c | 32) != (name[k] | 32))
            return false;
        k++;
    }
    return name[k] == '\0';
}

bool key_usage_find(struct slice text, uint32_t *bit)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } NAMES[] = {{"digitalSignature", KU_DIGITAL_SIGNATURE},
                 {"contentCommitment", KU_CONTENT_COMMITMENT},
                 {"nonRepudiation", KU_CONTENT_COMMITMENT},
                 {"keyEncipherment", KU_KEY_ENCIPHERMENT},
                 {"dataEncipherment", KU_DATA_ENCIPHERMENT},
                 {"keyAgreement", KU_KEY_AGREEMENT},
                 {"certSign", KU_CERT_SIGN},
                 {"crlSign", KU_CRL_SIGN},
                 {"encipherOnly", KU_ENCIPHER_ONLY},
                 {"decipherOnly", KU_DECIPHER_ONLY}};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (same_usage(text, NAMES[i].name)) {
            *bit = NAMES[i].bit;
            return true;
        }
    }
    return false;
}

#define PKIX_KP(n)                                                                                 \
    {                                                                                              \
        0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, n                                                \
    }
static const uint8_t KP[][8] = {PKIX_KP(1), PKIX_KP(2), PKIX_KP(3), PKIX_KP(4), PKIX_KP(5),
                                PKIX_KP(6), PKIX_KP(7), PKIX_KP(8), PKIX_KP(9)};
static const uint8_t ANY[] = {0x55, 0x1d, 0x25, 0x00};
static const uint8_t MS_SGC[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x0a, 0x03, 0x03};
static const uint8_t NS_SGC[] = {0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 0x04, 0x01};
static const uint8_t MS_CODE[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x16};
static const uint8_t MS_KERNEL[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x3d, 0x01, 0x01};

bool ext_usage_find(struct slice text, struct oid *oid)
{
    static const struct {
        const char *name;
        struct oid oid;
    } NAMES[] = {{"any", {ANY, sizeof(ANY)}},
                 {"serverAuth", {KP[0], 8}},
                 {"clientAuth", {KP[1], 8}},
                 {"codeSigning", {KP[2], 8}},
                 {"emailProtection", {KP[3], 8}},
                 {"ipsecEndSystem", {KP[4], 8}},
                 {"ipsecTunnel", {KP[5], 8}},
                 {"ipsecUser", {KP[6], 8}},
                 {"timeStamping", {KP[7], 8}},
                 {"ocspSigning", {KP[8], 8}},
                 {"microsoftServerGatedCrypto", {MS_SGC, sizeof(MS_SGC)}},
                 {"netscapeServerGatedCrypto", {NS_SGC, sizeof(NS_SGC)}},
                 {"microsoftCommercialCodeSigning", {MS_CODE, sizeof(MS_CODE)}},
                 {"microsoftKernelCodeSigning", {MS_KERNEL, sizeof(MS_KERNEL)}}};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (same_usage(text, NAMES[i].name)) {
            *oid = NAMES[i].oid;
            return true;
        }
    }
    return false;
}

static bool read_key_usage(const struct reader *r, const struct json *v)
{
    struct slice *texts;
    uint32_t bit;
    size_t n;

    if (!multi(r, v, &texts, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!key_usage_find(texts[i], &bit))
            return err_set(r->e, ERR_MALFORMED,
                           "certificate JSON: keyUsage: unknown usage \"%.*s\"",
                           SLICE_ARG(texts[i]));
        r->out->leaf.key_usage |= bit;
    }
    return true;
}

static void add_eku(const struct reader *r, struct slice oid)
{
    struct x509_leaf *leaf = &r->out->leaf;
    struct slice *longer = arena_array(r->a, leaf->n_eku + 1, sizeof(*longer));

    if (leaf->n_eku > 0)
        memcpy(longer, leaf->eku, leaf->n_eku * sizeof(*longer));
    longer[leaf->n_eku++] = oid;
    leaf->eku = longer;
}

static bool read_ext_usage(const struct reader *r, const struct json *v)
{
    struct slice *texts;
    struct oid oid;
    size_t n;

    if (!multi(r, v, &texts, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!ext_usage_find(texts[i], &oid))
            return err_set(r->e, ERR_MALFORMED,
                           "certificate JSON: extKeyUsage: unknown usage \"%.*s\"",
                           SLICE_ARG(texts[i]));
        add_eku(r, slice_of(oid.p, oid.n));
    }
    return true;
}

static bool read_oids(const struct reader *r, const struct json *v, struct slice **oids, size_t *n)
{
    struct slice *texts;

    if (!multi(r, v, &texts, n))
        return false;
    *oids = arena_array(r->a, *n + 1, sizeof(**oids));
    for (size_t i = 0; i < *n; i++) {
        if (!oid_read(r->a, texts[i], &(*oids)[i]))
            return wrong(r, "object identifiers such as 1.2.3");
    }
    return true;
}

static bool read_unknown_usage(const struct reader *r, const struct json *v)
{
    struct slice *oids;
    size_t n;

    if (!read_oids(r, v, &oids, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        add_eku(r, oids[i]);
    return true;
}

static bool read_policies(const struct reader *r, const struct json *v)
{
    return read_oids(r, v, &r->out->leaf.policies, &r->out->leaf.n_policies);
}

/* --- The rest
 * ----------------------------------------------------------------------------------------- */

static bool read_ski(const struct reader *r, const struct json *v)
{
    r->out->leaf.no_ski = v->kind == JSON_TEXT && v->text.n == 0;
    return bytes(r, v, &r->out->leaf.ski);
}

static bool read_ocsp(const struct reader *r, const struct json *v)
{
    return multi(r, v, &r->out->leaf.ocsp, &r->out->leaf.n_ocsp);
}

static bool read_issuers(const struct reader *r, const struct json *v)
{
    return multi(r, v, &r->out->leaf.ca_issuers, &r->out->leaf.n_ca_issuers);
}

static bool read_crl_points(const struct reader *r, const struct json *v)
{
    return multi(r, v, &r->out->leaf.crl_points, &r->out->leaf.n_crl_points);
}

static bool read_basic(const struct reader *r, const struct json *v)
{
    const struct json *ca = json_get(v, "isCA"), *length = json_get(v, "maxPathLen");
    struct x509_leaf *leaf = &r->out->leaf;
    int64_t n = 0;

    if (v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_OBJECT)
        return wrong(r, "an object");
    if ((ca && ca->kind != JSON_BOOL && ca->kind != JSON_NULL) ||
        (length && length->kind != JSON_NULL && (!json_int(length, &n) || n > INT32_MAX)))
        return wrong(r, "isCA to be true or false and maxPathLen a whole number");
    leaf->has_basic = true;
    leaf->basic.ca = ca && ca->truth;
    leaf->basic.path_len = leaf->basic.ca && n >= 0 ? (int)n : -1;
    return true;
}

static bool read_extensions(const struct reader *r, const struct json *v)
{
    struct extensions *raw = &r->out->leaf.raw;

    if (v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_LIST || v->n > EXTENSIONS_MAX)
        return wrong(r, "a list of at most 64 objects");
    raw->v = arena_array(r->a, v->n + 1, sizeof(*raw->v));
    for (const struct json *one = v->first; one; one = one->next) {
        struct extension *x = &raw->v[raw->n];
        struct slice id = json_text(json_get(one, "id"));
        const struct json *value = json_get(one, "value"), *critical = json_get(one, "critical");
        if (one->kind == JSON_NULL)
            continue;
        if (one->kind != JSON_OBJECT ||
            (critical && critical->kind != JSON_BOOL && critical->kind != JSON_NULL))
            return wrong(r, "objects with id, critical and value");
        if (id.n == 0)
            continue;
        if (!oid_read(r->a, id, &x->oid) || (value && !bytes(r, value, &x->value)))
            return wrong(r, "an OID as id and base64 as value");
        x->critical = critical && critical->kind == JSON_BOOL && critical->truth;
        raw->n++;
    }
    return true;
}

bool sig_alg_find(struct slice name, struct sig_alg *alg)
{
    static const struct {
        const char *name;
        struct sig_alg alg;
    } NAMES[] = {{"SHA256-RSA", {SIG_RSA_PKCS1, DIGEST_SHA256}},
                 {"SHA384-RSA", {SIG_RSA_PKCS1, DIGEST_SHA384}},
                 {"SHA512-RSA", {SIG_RSA_PKCS1, DIGEST_SHA512}},
                 {"SHA256-RSAPSS", {SIG_RSA_PSS, DIGEST_SHA256}},
                 {"SHA384-RSAPSS", {SIG_RSA_PSS, DIGEST_SHA384}},
                 {"SHA512-RSAPSS", {SIG_RSA_PSS, DIGEST_SHA512}},
                 {"ECDSA-SHA256", {SIG_ECDSA, DIGEST_SHA256}},
                 {"ECDSA-SHA384", {SIG_ECDSA, DIGEST_SHA384}},
                 {"ECDSA-SHA512", {SIG_ECDSA, DIGEST_SHA512}},
                 {"Ed25519", {SIG_ED25519, DIGEST_NONE}}};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (slice_is_case(name, NAMES[i].name)) {
            *alg = NAMES[i].alg;
            return true;
        }
    }
    return false;
}

static bool read_alg(const struct reader *r, const struct json *v)
{
    if (v->kind == JSON_NULL || (v->kind == JSON_TEXT && v->text.n == 0))
        return true;
    if (v->kind != JSON_TEXT || !sig_alg_find(v->text, &r->out->leaf.alg))
        return wrong(r, "a signature algorithm such as ECDSA-SHA256 (MD5, SHA-1 and DSA are not "
                        "signed with)");
    return true;
}

/* --- Name constraints (RFC 5280 4.2.1.10)
 * ---------------------------------------------------------------- */

static bool put_range(const struct reader *r, struct buf *b, struct slice text)
{
    size_t slash = slice_find(text, '/');
    uint8_t both[32] = {0};
    struct ip ip;
    uint64_t bits;

    if (!ip_read(slice_sub(text, 0, slash), &ip) || slash == text.n ||
        !slice_to_u64(slice_from(text, slash + 1), &bits) || bits > ip.n * 8u)
        return wrong(r, "address ranges such as 10.1.0.0/16");
    for (unsigned i = 0; i < ip.n; i++) {
        unsigned keep = bits > 8 * i ? (unsigned)bits - 8 * i : 0;
        both[ip.n + i] = (uint8_t)(keep >= 8 ? 0xffu : 0xff00u >> keep);
        both[i] = ip.bytes[i] & both[ip.n + i];
    }
    der_put(b, DER_CONTEXT(7), slice_of(both, 2u * ip.n));
    return true;
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= 0x80)
            return false;
    return true;
}

static bool put_trees(const struct reader *r, struct buf *b, const struct json *v,
                      const char *const members[4], uint8_t tag)
{
    static const uint8_t TAGS[] = {DER_CONTEXT(2), 0, DER_CONTEXT(1), DER_CONTEXT(6)};
    size_t list, tree, total = 0;
    struct buf inside = buf_new(r->a, 64u << 10);

    for (int k = 0; k < 4; k++) {
        const struct json *member = json_get(v, members[k]);
        struct slice *texts;
        size_t n = 0;
        if (member && !multi(r, member, &texts, &n))
            return false;
        for (size_t i = 0; i < n; i++, total++) {
            if (!is_ascii(texts[i]))
                return wrong(r, "ASCII texts");
            der_open(&inside, DER_SEQUENCE, &tree);
            if (TAGS[k] != 0)
                der_put(&inside, TAGS[k], texts[i]);
            else if (!put_range(r, &inside, texts[i]))
                return false;
            der_close(&inside, tree);
        }
    }
    if (total == 0)
        return true;
    der_open(b, tag, &list);
    der_raw(b, buf_slice(&inside));
    der_close(b, list);
    return buf_done(&inside, "name constraints", r->e);
}

static bool read_name_constraints(const struct reader *r, const struct json *v)
{
    static const char *const PERMITTED[] = {"permittedDNSDomains", "permittedIPRanges",
                                            "permittedEmailAddresses", "permittedURIDomains"};
    static const char *const EXCLUDED[] = {"excludedDNSDomains", "excludedIPRanges",
                                           "excludedEmailAddresses", "excludedURIDomains"};
    const struct json *critical = json_get(v, "critical");
    struct buf b = buf_new(r->a, 128u << 10);
    size_t at;

    if (v->kind == JSON_NULL)
        return true;
    if (v->kind != JSON_OBJECT || (critical && critical->kind != JSON_BOOL))
        return wrong(r, "an object");
    der_open(&b, DER_SEQUENCE, &at);
    if (!put_trees(r, &b, v, PERMITTED, DER_CONTEXT_CONSTRUCTED(0)) ||
        !put_trees(r, &b, v, EXCLUDED, DER_CONTEXT_CONSTRUCTED(1)))
        return false;
    der_close(&b, at);
    if (!buf_done(&b, "name constraints", r->e))
        return false;
    if (b.n > 2) {
        r->out->leaf.name_constraints = buf_slice(&b);
        r->out->leaf.name_constraints_critical = critical && critical->truth;
    }
    return true;
}

/* --- All of it
 * --------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool (*read)(const struct reader *r, const struct json *v);
} MEMBERS[] = {
    {"version", read_version},
    {"subject", read_subject},
    {"issuer", read_issuer},
    {"authorityKeyId", read_aki},
    {"rawSubject", read_raw_subject},
    {"serialNumber", read_serial},
    {"notBefore", read_before},
    {"notAfter", read_after},
    {"extensions", read_extensions},
    {"keyUsage", read_key_usage},
    {"extKeyUsage", read_ext_usage},
    {"unknownExtKeyUsage", read_unknown_usage},
    {"subjectKeyId", read_ski},
    {"ocspServer", read_ocsp},
    {"issuingCertificateURL", read_issuers},
    {"crlDistributionPoints", read_crl_points},
    {"policyIdentifiers", read_policies},
    {"basicConstraints", read_basic},
    {"nameConstraints", read_name_constraints},
    {"signatureAlgorithm", read_alg},
};

bool leaf_json_read(struct arena *a, const struct json *v, struct leaf_json *out, struct err *e)
{
    struct reader r = {a, out, NULL, e};

    *out = (struct leaf_json){0};
    if (v->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "certificate JSON: expected an object");
    for (size_t i = 0; i < COUNT_OF(MEMBERS); i++) {
        const struct json *member = json_get(v, MEMBERS[i].name);
        r.name = MEMBERS[i].name;
        if (member && !MEMBERS[i].read(&r, member))
            return false;
    }
    return leaf_json_sans(a, v, &out->leaf, e);
}
