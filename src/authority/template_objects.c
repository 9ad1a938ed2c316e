/* Object types: a table of fields each, read lazily from our own structures. */
#include "authority/template_objects.h"
#include "x509/leaf_json.h"

/* --- Subject -------------------------------------------------------------------------------------
 */

struct tvalue tobject_texts(struct trun *run, const struct slice *v, size_t n)
{
    if (n == 0)
        return (struct tvalue){.kind = T_LIST, .type = &TTYPE_TEXTS};
    return tvalue_texts(trun_arena(run), &TTYPE_TEXTS, v, n);
}

#define SUBJECT_LIST(function, member)                                                             \
    GET(function)                                                                                  \
    {                                                                                              \
        const struct subject *s = self;                                                            \
        *out = tobject_texts(run, s->member, s->n_##member);                                       \
        return true;                                                                               \
    }
SUBJECT_LIST(subject_country, country)
SUBJECT_LIST(subject_organization, organization)
SUBJECT_LIST(subject_unit, unit)
SUBJECT_LIST(subject_locality, locality)
SUBJECT_LIST(subject_province, province)
SUBJECT_LIST(subject_street, street)
SUBJECT_LIST(subject_postal_code, postal_code)

GET(subject_serial)
{
    *out = tvalue_text(((const struct subject *)self)->serial_number);
    return true;
}

GET(subject_common_name)
{
    *out = tvalue_text(((const struct subject *)self)->common_name);
    return true;
}

GET(extra_type)
{
    *out = tvalue_text(oid_text(trun_arena(run), ((const struct dn_attribute *)self)->type));
    return true;
}

GET(extra_value)
{
    *out = tvalue_text(((const struct dn_attribute *)self)->value);
    return true;
}

static const struct tfield EXTRA_FIELDS[] = {FIELD("Type", "type", false, extra_type),
                                             FIELD("Value", "value", false, extra_value)};
static const struct ttype EXTRA_TYPE = {.name = "x509util.DistinguishedName",
                                        .kind = "struct",
                                        .is = T_OBJECT,
                                        .fields = EXTRA_FIELDS,
                                        .n_fields = COUNT_OF(EXTRA_FIELDS)};

GET(subject_extra)
{
    const struct subject *s = self;

    if (s->n_extra == 0) {
        *out = (struct tvalue){.kind = T_LIST, .type = &TTYPE_LIST};
        return true;
    }
    *out = tvalue_list(trun_arena(run), &TTYPE_LIST, s->n_extra);
    for (size_t i = 0; i < s->n_extra; i++)
        out->list->items[i] = tvalue_object(&EXTRA_TYPE, &s->extra[i]);
    return true;
}

static const struct tfield SUBJECT_FIELDS[] = {
    FIELD("Country", "country", true, subject_country),
    FIELD("Organization", "organization", true, subject_organization),
    FIELD("OrganizationalUnit", "organizationalUnit", true, subject_unit),
    FIELD("Locality", "locality", true, subject_locality),
    FIELD("Province", "province", true, subject_province),
    FIELD("StreetAddress", "streetAddress", true, subject_street),
    FIELD("PostalCode", "postalCode", true, subject_postal_code),
    FIELD("SerialNumber", "serialNumber", true, subject_serial),
    FIELD("CommonName", "commonName", true, subject_common_name),
    FIELD("ExtraNames", "extraNames", true, subject_extra),
};
static const struct ttype SUBJECT_TYPE = {.name = "x509util.Subject",
                                          .kind = "struct",
                                          .is = T_OBJECT,
                                          .fields = SUBJECT_FIELDS,
                                          .n_fields = COUNT_OF(SUBJECT_FIELDS)};

struct tvalue tobject_subject(const struct subject *s)
{
    return tvalue_object(&SUBJECT_TYPE, s);
}

/* A distinguished name as a subject: known attributes in their members, the rest extra. */
struct subject *subject_of_dn(struct arena *a, const struct dn *dn)
{
    struct subject *s = arena_alloc(a, sizeof(*s));
    const struct {
        const struct oid *type;
        struct slice **v;
        size_t *n;
    } lists[] = {{&OID_C, &s->country, &s->n_country},
                 {&OID_O, &s->organization, &s->n_organization},
                 {&OID_OU, &s->unit, &s->n_unit},
                 {&OID_L, &s->locality, &s->n_locality},
                 {&OID_ST, &s->province, &s->n_province},
                 {&OID_STREET, &s->street, &s->n_street},
                 {&OID_POSTAL_CODE, &s->postal_code, &s->n_postal_code}};

    s->extra = arena_array(a, dn->n + 1, sizeof(*s->extra));
    for (size_t k = 0; k < COUNT_OF(lists); k++)
        *lists[k].v = arena_array(a, dn->n + 1, sizeof(struct slice));
    for (size_t i = 0; i < dn->n; i++) {
        const struct dn_attribute *x = &dn->v[i];
        size_t k = 0;
        while (k < COUNT_OF(lists) && !oid_eq(lists[k].type, x->type))
            k++;
        if (k < COUNT_OF(lists))
            (*lists[k].v)[(*lists[k].n)++] = x->value;
        else if (oid_eq(&OID_CN, x->type))
            s->common_name = x->value;
        else if (oid_eq(&OID_SERIAL_NUMBER, x->type))
            s->serial_number = x->value;
        else
            s->extra[s->n_extra++] = *x;
    }
    return s;
}

/* --- Names
 * ---------------------------------------------------------------------------------------- */

static const char *const SAN_TYPES[SAN_KINDS] = {
    [SAN_DNS] = "dns", [SAN_EMAIL] = "email", [SAN_IP] = "ip", [SAN_URI] = "uri"};

GET(san_type)
{
    const char *name = SAN_TYPES[((const struct san *)self)->kind];

    *out = tvalue_text(slice_text(name ? name : ""));
    return true;
}

GET(san_value)
{
    const struct san *s = self;

    *out = tvalue_text(s->kind == SAN_IP ? ip_text(trun_arena(run), &s->ip) : s->text);
    return true;
}

GET(san_asn1)
{
    (void)self;
    *out = tvalue_nil();
    return true;
}

static const struct tfield SAN_FIELDS[] = {FIELD("Type", "type", false, san_type),
                                           FIELD("Value", "value", false, san_value),
                                           FIELD("ASN1Value", "asn1Value", true, san_asn1)};
static const struct ttype SAN_TYPE = {.name = "x509util.SubjectAlternativeName",
                                      .kind = "struct",
                                      .is = T_OBJECT,
                                      .fields = SAN_FIELDS,
                                      .n_fields = COUNT_OF(SAN_FIELDS)};

/* The permanent identifier of a device (RFC 4043) is the one other name that we grant. */
static struct slice permanent_identifier(struct slice der)
{
    struct der outer = der_reader(der), name, explicit, sequence;
    struct slice oid, value;

    if (der_enter(&outer, DER_CONTEXT_CONSTRUCTED(0), &name) && der_take_oid(&name, &oid) &&
        der_enter(&name, DER_CONTEXT_CONSTRUCTED(0), &explicit) &&
        der_enter(&explicit, DER_SEQUENCE, &sequence) &&
        der_take(&sequence, DER_UTF8_STRING, &value))
        return value;
    return SLICE_NONE;
}

GET(device_type)
{
    (void)self;
    *out = tvalue_text(SLICE("permanentIdentifier"));
    return true;
}

GET(device_value)
{
    *out = tvalue_text(permanent_identifier(((const struct san *)self)->text));
    return true;
}

static const struct tfield DEVICE_FIELDS[] = {FIELD("Type", "type", false, device_type),
                                              FIELD("Value", "value", false, device_value),
                                              FIELD("ASN1Value", "asn1Value", true, san_asn1)};
static const struct ttype DEVICE_TYPE = {.name = "x509util.SubjectAlternativeName",
                                         .kind = "struct",
                                         .is = T_OBJECT,
                                         .fields = DEVICE_FIELDS,
                                         .n_fields = COUNT_OF(DEVICE_FIELDS)};

struct tvalue tobject_sans(struct arena *a, const struct sans *s)
{
    struct tvalue list = tvalue_list(a, &TTYPE_LIST, s->n);

    for (size_t i = 0; i < s->n; i++)
        list.list->items[i] =
            tvalue_object(s->v[i].kind == SAN_OTHER ? &DEVICE_TYPE : &SAN_TYPE, &s->v[i]);
    return list;
}

struct tvalue tobject_names_of(struct trun *run, const struct sans *s, enum san_kind kind)
{
    struct arena *a = trun_arena(run);
    struct slice *v = arena_array(a, s->n + 1, sizeof(*v));
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].kind == kind)
            v[n++] = kind == SAN_IP ? ip_text(a, &s->v[i].ip) : s->v[i].text;
    }
    return kind == SAN_IP    ? tobject_addresses(a, v, n)
           : kind == SAN_URI ? tobject_urls(a, v, n)
                             : tobject_texts(run, v, n);
}

/* --- Extensions
 * ----------------------------------------------------------------------------- */

GET(extension_id)
{
    *out = tvalue_text(oid_text(trun_arena(run), ((const struct extension *)self)->oid));
    return true;
}

GET(extension_critical)
{
    *out = tvalue_bool(((const struct extension *)self)->critical);
    return true;
}

GET(extension_value)
{
    *out = tvalue_bytes(((const struct extension *)self)->value);
    return true;
}

static const struct tfield EXTENSION_FIELDS[] = {
    FIELD("ID", "id", false, extension_id),
    FIELD("Critical", "critical", false, extension_critical),
    FIELD("Value", "value", false, extension_value)};
static const struct ttype EXTENSION_TYPE = {.name = "x509util.Extension",
                                            .kind = "struct",
                                            .is = T_OBJECT,
                                            .fields = EXTENSION_FIELDS,
                                            .n_fields = COUNT_OF(EXTENSION_FIELDS)};

static struct tvalue extensions_of(struct trun *run, const struct extensions *x)
{
    if (x->n == 0)
        return (struct tvalue){.kind = T_LIST, .type = &TTYPE_LIST};
    struct tvalue list = tvalue_list(trun_arena(run), &TTYPE_LIST, x->n);
    for (size_t i = 0; i < x->n; i++)
        list.list->items[i] = tvalue_object(&EXTENSION_TYPE, &x->v[i]);
    return list;
}

/* --- Usages
 * --------------------------------------------------------------------------------------------- */

const char *const TOBJECT_KEY_USAGES[TOBJECT_N_KEY_USAGES] = {
    "digitalSignature", "contentCommitment", "keyEncipherment", "dataEncipherment", "keyAgreement",
    "certSign",         "crlSign",           "encipherOnly",    "decipherOnly"};
const char *const TOBJECT_EXT_USAGES[TOBJECT_N_EXT_USAGES] = {
    "any",         "serverAuth", "clientAuth",   "codeSigning", "emailProtection", "ipsecEndSystem",
    "ipsecTunnel", "ipsecUser",  "timeStamping", "ocspSigning"};

static struct tvalue key_usages(struct trun *run, uint32_t bits)
{
    struct slice *v = arena_array(trun_arena(run), TOBJECT_N_KEY_USAGES, sizeof(*v));
    size_t n = 0;

    for (size_t i = 0; i < TOBJECT_N_KEY_USAGES; i++) {
        if (bits & (1u << i))
            v[n++] = slice_text(TOBJECT_KEY_USAGES[i]);
    }
    return tobject_texts(run, v, n);
}

/* known: those with a name; else the others as OIDs. */
static struct tvalue ext_usages(struct trun *run, const struct slice *eku, size_t n_eku, bool known)
{
    struct slice *v = arena_array(trun_arena(run), n_eku + 1, sizeof(*v));
    size_t n = 0;

    for (size_t i = 0; i < n_eku; i++) {
        const char *name = NULL;
        for (size_t k = 0; k < TOBJECT_N_EXT_USAGES; k++) {
            struct oid oid;
            if (ext_usage_find(slice_text(TOBJECT_EXT_USAGES[k]), &oid) && oid_eq(&oid, eku[i]))
                name = TOBJECT_EXT_USAGES[k];
        }
        if (known && name)
            v[n++] = slice_text(name);
        else if (!known && !name)
            v[n++] = oid_text(trun_arena(run), eku[i]);
    }
    if (known)
        return tvalue_texts(trun_arena(run), &TTYPE_TEXTS, v, n);
    return tobject_texts(run, v, n);
}

/* --- Certificate request
 * ------------------------------------------------------------------------------------ */

#define CSR(function, expression)                                                                  \
    GET(function)                                                                                  \
    {                                                                                              \
        const struct csr *csr = self;                                                              \
        *out = (expression);                                                                       \
        return true;                                                                               \
    }
CSR(cr_subject, tobject_subject(subject_of_dn(trun_arena(run), &csr->subject)))
CSR(cr_raw_subject, tvalue_bytes(csr->subject.raw))
CSR(cr_dns, tobject_names_of(run, &csr->sans, SAN_DNS))
CSR(cr_email, tobject_names_of(run, &csr->sans, SAN_EMAIL))
CSR(cr_ip, tobject_names_of(run, &csr->sans, SAN_IP))
CSR(cr_uri, tobject_names_of(run, &csr->sans, SAN_URI))
CSR(cr_extensions, extensions_of(run, &csr->extensions))
CSR(cr_key, tobject_key(csr->key))
CSR(cr_key_algorithm, tobject_key_algorithm(csr->key))
CSR(cr_signature, tvalue_bytes(csr->signature))

GET(cr_version)
{
    (void)self;
    *out = tvalue_int(0);
    return true;
}

GET(cr_sans)
{
    (void)self;
    *out = (struct tvalue){.kind = T_LIST, .type = &TTYPE_LIST};
    return true;
}

GET(cr_signature_algorithm)
{
    (void)self;
    *out = tvalue_text(SLICE(""));
    return true;
}

GET(cr_challenge_password)
{
    static const uint8_t BYTES[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07};
    static const struct oid CHALLENGE = {BYTES, sizeof(BYTES)};
    struct slice value, text = SLICE("");

    if (csr_attribute(self, &CHALLENGE, &value)) {
        struct der d = der_reader(value);
        if (!der_take_string(&d, trun_arena(run), &text))
            text = SLICE("");
    }
    *out = tvalue_text(text);
    return true;
}

/* What the request's extensions say; a malformed one says nothing. */
static bool usage_of(const struct csr *csr, uint32_t *bits)
{
    const struct extension *x = extensions_get(&csr->extensions, &OID_EXT_KEY_USAGE);
    struct der d = der_reader(x ? x->value : SLICE_NONE);

    *bits = 0;
    return x && der_take_named_bits(&d, bits);
}

GET(cr_key_usage)
{
    uint32_t bits;

    *out = usage_of(self, &bits) ? key_usages(run, bits) : tobject_texts(run, NULL, 0);
    return true;
}

static size_t ekus_of(struct arena *a, const struct csr *csr, struct slice **eku)
{
    const struct extension *x = extensions_get(&csr->extensions, &OID_EXT_EKU);
    struct der d = der_reader(x ? x->value : SLICE_NONE), list;
    size_t n = 0;

    *eku = arena_array(a, (x ? x->value.n : 0) / 3 + 1, sizeof(**eku));
    if (!x || !der_enter(&d, DER_SEQUENCE, &list))
        return 0;
    while (!der_done(&list) && der_take_oid(&list, &(*eku)[n]))
        n++;
    return n;
}

GET(cr_ext_usage)
{
    struct slice *eku;
    size_t n = ekus_of(trun_arena(run), self, &eku);

    *out = ext_usages(run, eku, n, true);
    return true;
}

GET(cr_unknown_usage)
{
    struct slice *eku;
    size_t n = ekus_of(trun_arena(run), self, &eku);

    *out = ext_usages(run, eku, n, false);
    return true;
}

GET(basic_ca)
{
    *out = tvalue_bool(((const struct basic_constraints *)self)->ca);
    return true;
}

GET(basic_path_len)
{
    *out = tvalue_int(((const struct basic_constraints *)self)->path_len);
    return true;
}

static const struct tfield BASIC_FIELDS[] = {
    FIELD("IsCA", "isCA", false, basic_ca),
    FIELD("MaxPathLen", "maxPathLen", false, basic_path_len)};
static const struct ttype BASIC_TYPE = {.name = "*x509util.BasicConstraints",
                                        .kind = "ptr",
                                        .is = T_OBJECT,
                                        .fields = BASIC_FIELDS,
                                        .n_fields = COUNT_OF(BASIC_FIELDS)};

GET(cr_basic)
{
    const struct csr *csr = self;
    const struct extension *x = extensions_get(&csr->extensions, &OID_EXT_BASIC);
    struct der d = der_reader(x ? x->value : SLICE_NONE), inside;
    int64_t length = -1;
    bool ca = false;

    *out = tvalue_object(&BASIC_TYPE, NULL);
    if (!x || !der_enter(&d, DER_SEQUENCE, &inside) ||
        (der_is(&inside, DER_BOOLEAN) && !der_take_bool(&inside, &ca)) ||
        (der_is(&inside, DER_INTEGER) && !der_take_int(&inside, &length)))
        return true;
    struct basic_constraints *b = arena_alloc(trun_arena(run), sizeof(*b));
    *b = (struct basic_constraints){ca, (int)length};
    out->self = b;
    return true;
}

static const struct tfield CR_FIELDS[] = {
    FIELD("Version", "version", false, cr_version),
    FIELD("Subject", "subject", false, cr_subject),
    FIELD("RawSubject", "rawSubject", false, cr_raw_subject),
    FIELD("DNSNames", "dnsNames", false, cr_dns),
    FIELD("EmailAddresses", "emailAddresses", false, cr_email),
    FIELD("IPAddresses", "ipAddresses", false, cr_ip),
    FIELD("URIs", "uris", false, cr_uri),
    FIELD("SANs", "sans", false, cr_sans),
    FIELD("Extensions", "extensions", false, cr_extensions),
    FIELD("KeyUsage", "keyUsage", false, cr_key_usage),
    FIELD("ExtKeyUsage", "extKeyUsage", false, cr_ext_usage),
    FIELD("UnknownExtKeyUsage", "unknownExtKeyUsage", false, cr_unknown_usage),
    FIELD("BasicConstraints", "basicConstraints", false, cr_basic),
    FIELD("SignatureAlgorithm", "signatureAlgorithm", false, cr_signature_algorithm),
    FIELD("PublicKey", NULL, false, cr_key),
    FIELD("PublicKeyAlgorithm", NULL, false, cr_key_algorithm),
    FIELD("Signature", NULL, false, cr_signature),
    FIELD("ChallengePassword", NULL, false, cr_challenge_password),
};
static const struct ttype CR_TYPE = {.name = "*x509util.CertificateRequest",
                                     .kind = "ptr",
                                     .is = T_OBJECT,
                                     .fields = CR_FIELDS,
                                     .n_fields = COUNT_OF(CR_FIELDS)};

struct tvalue tobject_request(const struct csr *csr)
{
    return tvalue_object(&CR_TYPE, csr);
}
