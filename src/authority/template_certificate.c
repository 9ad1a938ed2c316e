/*
 * .AuthorizationCrt: a certificate with the fields that templates know by their names in Go's
 * x509.Certificate, in that order.  What stands in extensions is read when it is asked for; a
 * malformed one says nothing.
 */
#include "authority/template_objects.h"

#include "base/encode.h"
#include "x509/chain.h"
#include "x509/leaf_json.h"

#define TEXT_MAX (64u << 10)

/* --- Names ----------------------------------------------------------------------------------- */

struct name {
    const struct dn *dn;
    const struct subject *subject;
    struct slice text;
};

struct text_of {
    struct arena *a;
    struct buf out;
    bool more; /* an RDN stands there already */
};

static void put_escaped(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool edge = i == 0 || i + 1 == s.n;
        if ((c && strchr(",+\"\\<>;", c)) || (c == ' ' && edge) || (c == '#' && i == 0))
            buf_byte(out, '\\');
        buf_byte(out, c);
    }
}

/* "CN=a", several values of one type as "OU=a+OU=b". */
static void put_rdn(struct text_of *t, const char *type, const struct slice *v, size_t n)
{
    if (n == 0)
        return;
    buf_text(&t->out, t->more ? "," : "");
    t->more = true;
    for (size_t i = 0; i < n; i++) {
        buf_printf(&t->out, "%s%s=", i ? "+" : "", type);
        put_escaped(&t->out, v[i]);
    }
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (c == 0 || !strchr(" '()+,-./:=?*&", c)))
            return false;
    }
    return true;
}

/* A type without a short name: its OID, and the value in DER as hexadecimal. */
static void put_other(struct text_of *t, const struct dn_attribute *x)
{
    struct buf der = buf_new(t->a, TEXT_MAX);

    der_put(&der, is_printable(x->value) ? DER_PRINTABLE_STRING : DER_UTF8_STRING, x->value);
    buf_text(&t->out, t->more ? "," : "");
    t->more = true;
    buf_printf(&t->out, "%.*s=#", SLICE_ARG(oid_text(t->a, x->type)));
    hex_put(&t->out, buf_slice(&der));
}

/* RFC 2253: the last RDN first. */
static struct slice name_text(struct arena *a, const struct subject *s)
{
    struct text_of t = {.a = a, .out = buf_new(a, TEXT_MAX)};

    put_rdn(&t, "SERIALNUMBER", &s->serial_number, s->serial_number.n > 0);
    put_rdn(&t, "CN", &s->common_name, s->common_name.n > 0);
    put_rdn(&t, "OU", s->unit, s->n_unit);
    put_rdn(&t, "O", s->organization, s->n_organization);
    put_rdn(&t, "POSTALCODE", s->postal_code, s->n_postal_code);
    put_rdn(&t, "STREET", s->street, s->n_street);
    put_rdn(&t, "L", s->locality, s->n_locality);
    put_rdn(&t, "ST", s->province, s->n_province);
    put_rdn(&t, "C", s->country, s->n_country);
    for (size_t i = s->n_extra; i > 0; i--)
        put_other(&t, &s->extra[i - 1]);
    return buf_slice(&t.out);
}

static bool name_own_text(const struct tvalue *v, struct buf *out)
{
    buf_put(out, ((const struct name *)v->self)->text);
    return true;
}

static bool name_string(struct trun *run UNUSED, const struct tvalue *self,
                        const struct tvalue *args UNUSED, struct tvalue *out)
{
    *out = tvalue_text(((const struct name *)self->self)->text);
    return true;
}

#define NAME_LIST(function, member)                                                                \
    GET(function)                                                                                  \
    {                                                                                              \
        const struct subject *s = ((const struct name *)self)->subject;                            \
        *out = tobject_texts(run, s->member, s->n_##member);                                       \
        return true;                                                                               \
    }
NAME_LIST(name_country, country)
NAME_LIST(name_organization, organization)
NAME_LIST(name_unit, unit)
NAME_LIST(name_locality, locality)
NAME_LIST(name_province, province)
NAME_LIST(name_street, street)
NAME_LIST(name_postal_code, postal_code)

GET(name_serial)
{
    *out = tvalue_text(((const struct name *)self)->subject->serial_number);
    return true;
}

GET(name_common_name)
{
    *out = tvalue_text(((const struct name *)self)->subject->common_name);
    return true;
}

GET(attribute_type)
{
    *out = tobject_oid(trun_arena(run), ((const struct dn_attribute *)self)->type);
    return true;
}

GET(attribute_value)
{
    *out = tvalue_text(((const struct dn_attribute *)self)->value);
    return true;
}

static const struct tfield ATTRIBUTE_FIELDS[] = {FIELD("Type", "Type", false, attribute_type),
                                                 FIELD("Value", "Value", false, attribute_value)};
static const struct ttype ATTRIBUTE_TYPE = {.name = "pkix.AttributeTypeAndValue",
                                            .kind = "struct",
                                            .is = T_OBJECT,
                                            .fields = ATTRIBUTE_FIELDS,
                                            .n_fields = COUNT_OF(ATTRIBUTE_FIELDS)};
static const struct ttype ATTRIBUTES_TYPE = {
    .name = "[]pkix.AttributeTypeAndValue", .kind = "slice", .is = T_LIST, .elem = &ATTRIBUTE_TYPE};

GET(name_names)
{
    const struct dn *dn = ((const struct name *)self)->dn;

    *out = (struct tvalue){.kind = T_LIST, .type = &ATTRIBUTES_TYPE};
    if (dn->n == 0)
        return true;
    *out = tvalue_list(trun_arena(run), &ATTRIBUTES_TYPE, dn->n);
    for (size_t i = 0; i < dn->n; i++)
        out->list->items[i] = tvalue_object(&ATTRIBUTE_TYPE, &dn->v[i]);
    return true;
}

GET(name_extra)
{
    (void)self;
    *out = (struct tvalue){.kind = T_LIST, .type = &ATTRIBUTES_TYPE};
    return true;
}

static const struct tfield NAME_FIELDS[] = {
    FIELD("Country", "Country", false, name_country),
    FIELD("Organization", "Organization", false, name_organization),
    FIELD("OrganizationalUnit", "OrganizationalUnit", false, name_unit),
    FIELD("Locality", "Locality", false, name_locality),
    FIELD("Province", "Province", false, name_province),
    FIELD("StreetAddress", "StreetAddress", false, name_street),
    FIELD("PostalCode", "PostalCode", false, name_postal_code),
    FIELD("SerialNumber", "SerialNumber", false, name_serial),
    FIELD("CommonName", "CommonName", false, name_common_name),
    FIELD("Names", "Names", false, name_names),
    FIELD("ExtraNames", "ExtraNames", false, name_extra),
};
static const struct tmethod NAME_METHODS[] = {{"String", "", name_string}};
static const struct ttype NAME_TYPE = {.name = "pkix.Name",
                                       .kind = "struct",
                                       .is = T_OBJECT,
                                       .fields = NAME_FIELDS,
                                       .n_fields = COUNT_OF(NAME_FIELDS),
                                       .methods = NAME_METHODS,
                                       .n_methods = COUNT_OF(NAME_METHODS),
                                       .text = name_own_text};

static struct tvalue name_object(struct arena *a, const struct dn *dn)
{
    struct name *n = arena_alloc(a, sizeof(*n));

    n->dn = dn;
    n->subject = subject_of_dn(a, dn);
    n->text = name_text(a, n->subject);
    return tvalue_object(&NAME_TYPE, n);
}

/* --- Extensions ------------------------------------------------------------------------------ */

GET(extension_id)
{
    *out = tobject_oid(trun_arena(run), ((const struct extension *)self)->oid);
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
    FIELD("Id", "Id", false, extension_id),
    FIELD("Critical", "Critical", false, extension_critical),
    FIELD("Value", "Value", false, extension_value)};
static const struct ttype EXTENSION_TYPE = {.name = "pkix.Extension",
                                            .kind = "struct",
                                            .is = T_OBJECT,
                                            .fields = EXTENSION_FIELDS,
                                            .n_fields = COUNT_OF(EXTENSION_FIELDS)};
static const struct ttype EXTENSIONS_TYPE = {
    .name = "[]pkix.Extension", .kind = "slice", .is = T_LIST, .elem = &EXTENSION_TYPE};

static struct tvalue extensions_of(struct trun *run, const struct extensions *x)
{
    if (x->n == 0)
        return (struct tvalue){.kind = T_LIST, .type = &EXTENSIONS_TYPE};
    struct tvalue list = tvalue_list(trun_arena(run), &EXTENSIONS_TYPE, x->n);
    for (size_t i = 0; i < x->n; i++)
        list.list->items[i] = tvalue_object(&EXTENSION_TYPE, &x->v[i]);
    return list;
}

/* Critical ones of a kind that Go's reader does not know. */
static struct tvalue unhandled(struct trun *run, const struct extensions *x)
{
    static const uint8_t KNOWN[] = {14, 15, 17, 19, 30, 31, 32, 33, 35, 36, 37, 54};
    struct slice *v = arena_array(trun_arena(run), x->n + 1, sizeof(*v));
    size_t n = 0;

    for (size_t i = 0; i < x->n; i++) {
        struct slice oid = x->v[i].oid;
        bool ce = oid.n == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d; /* 2.5.29 */
        if (x->v[i].critical && !(ce && memchr(KNOWN, oid.p[2], sizeof(KNOWN))))
            v[n++] = oid;
    }
    return tobject_oids(trun_arena(run), v, n);
}

/* --- Usages ---------------------------------------------------------------------------------- */

/* One usage by its name, several as the number of their bits. */
static bool usage_text(const struct tvalue *v, struct buf *out)
{
    static const char *const NAMES[] = {"digitalSignature", "contentCommitment", "keyEncipherment",
                                        "dataEncipherment", "keyAgreement",      "keyCertSign",
                                        "cRLSign",          "encipherOnly",      "decipherOnly"};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (v->i == 1 << i)
            return buf_text(out, NAMES[i]), true;
    buf_printf(out, "KeyUsage(%lld)", (long long)v->i);
    return true;
}

static bool ext_usage_text(const struct tvalue *v, struct buf *out)
{
    static const char *const NAMES[] = {"anyExtendedKeyUsage", "serverAuth",      "clientAuth",
                                        "codeSigning",         "emailProtection", "ipsecEndSystem",
                                        "ipsecTunnel",         "ipsecUser",       "timeStamping",
                                        "OCSPSigning",         "msSGC",           "nsSGC",
                                        "msCodeCom",           "msKernelCode"};

    if (v->i >= 0 && (uint64_t)v->i < COUNT_OF(NAMES))
        buf_text(out, NAMES[v->i]);
    return true;
}

static const struct ttype USAGE_TYPE = {
    .name = "x509.KeyUsage", .kind = "int", .is = T_INT, .text = usage_text};
static const struct ttype EXT_USAGE_TYPE = {
    .name = "x509.ExtKeyUsage", .kind = "int", .is = T_INT, .text = ext_usage_text};
static const struct ttype EXT_USAGES_TYPE = {
    .name = "[]x509.ExtKeyUsage", .kind = "slice", .is = T_LIST, .elem = &EXT_USAGE_TYPE};

/* Their numbers in Go: the places in TOBJECT_EXT_USAGES, then these. */
static const char *const MORE_EXT_USAGES[] = {
    "microsoftServerGatedCrypto", "netscapeServerGatedCrypto", "microsoftCommercialCodeSigning",
    "microsoftKernelCodeSigning"};

static bool ext_usage_number(struct slice content, int64_t *number)
{
    for (size_t i = 0; i < TOBJECT_N_EXT_USAGES + COUNT_OF(MORE_EXT_USAGES); i++) {
        const char *name = i < TOBJECT_N_EXT_USAGES ? TOBJECT_EXT_USAGES[i]
                                                    : MORE_EXT_USAGES[i - TOBJECT_N_EXT_USAGES];
        struct oid oid;
        *number = (int64_t)i;
        if (ext_usage_find(slice_text(name), &oid) && oid_eq(&oid, content))
            return true;
    }
    return false;
}

static struct tvalue ext_usages(struct trun *run, const struct cert *c)
{
    struct tvalue list = tvalue_list(trun_arena(run), &EXT_USAGES_TYPE, c->n_eku + 1);
    size_t n = 0;
    int64_t number;

    for (size_t i = 0; i < c->n_eku; i++)
        if (ext_usage_number(c->eku[i], &number))
            list.list->items[n++] =
                (struct tvalue){.kind = T_INT, .type = &EXT_USAGE_TYPE, .i = number};
    list.list->n = n;
    return n ? list : (struct tvalue){.kind = T_LIST, .type = &EXT_USAGES_TYPE};
}

static struct tvalue other_usages(struct trun *run, const struct cert *c)
{
    struct slice *v = arena_array(trun_arena(run), c->n_eku + 1, sizeof(*v));
    size_t n = 0;
    int64_t number;

    for (size_t i = 0; i < c->n_eku; i++)
        if (!ext_usage_number(c->eku[i], &number))
            v[n++] = c->eku[i];
    return tobject_oids(trun_arena(run), v, n);
}

/* --- Values of extensions -------------------------------------------------------------------- */

static struct slice value_of(const struct cert *c, const struct oid *oid)
{
    const struct extension *x = extensions_get(&c->extensions, oid);

    return x ? x->value : SLICE_NONE;
}

static struct tvalue access_urls(struct trun *run, const struct cert *c, bool ocsp)
{
    struct urls responders = {0}, issuers = {0};
    bool good = aia_read(trun_arena(run), value_of(c, &OID_EXT_AIA), &responders, &issuers);
    const struct urls *u = ocsp ? &responders : &issuers;

    return tobject_texts(run, u->v, good ? u->n : 0);
}

static struct tvalue crl_points(struct trun *run, const struct cert *c)
{
    struct urls u = {0};
    bool good = crl_points_read(trun_arena(run), value_of(c, &OID_EXT_CRL_POINTS), &u);

    return tobject_texts(run, u.v, good ? u.n : 0);
}

/* As lists of arcs, or as texts. */
static struct tvalue policy_ids(struct trun *run, const struct cert *c, bool arcs)
{
    struct arena *a = trun_arena(run);
    struct policies p = {0};
    bool good = policies_read(a, value_of(c, &OID_EXT_POLICIES), &p);
    struct slice *v = arena_array(a, p.n + 1, sizeof(*v));

    for (size_t i = 0; i < p.n; i++)
        v[i] = arcs ? p.v[i].oid : oid_text(a, p.v[i].oid);
    return arcs ? tobject_oids(a, v, good ? p.n : 0) : tobject_texts(run, v, good ? p.n : 0);
}

static struct tvalue subtrees(struct trun *run, const struct cert *c, enum san_kind kind,
                              bool permitted)
{
    struct sans in = {0}, not_in = {0};
    const struct sans *all = permitted ? &in : &not_in;
    struct slice *v;
    size_t n = 0;

    if (!name_constraints_read(trun_arena(run), value_of(c, &OID_EXT_NAME_CONSTRAINTS), &in,
                               &not_in))
        return tobject_texts(run, NULL, 0);
    v = arena_array(trun_arena(run), all->n + 1, sizeof(*v));
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].kind == kind)
            v[n++] = all->v[i].text;
    return tobject_texts(run, v, n);
}

static bool constraints_critical(const struct cert *c)
{
    const struct extension *x = extensions_get(&c->extensions, &OID_EXT_NAME_CONSTRAINTS);

    return x && x->critical;
}

static int path_length(const struct cert *c)
{
    return c->has_basic ? c->basic.path_len : 0;
}

/* --- The certificate ------------------------------------------------------------------------- */

#define CERT(function, expression)                                                                 \
    GET(function)                                                                                  \
    {                                                                                              \
        const struct cert *c = self;                                                               \
        *out = (expression);                                                                       \
        return true;                                                                               \
    }
CERT(crt_raw, tvalue_bytes(c->der))
CERT(crt_tbs, tvalue_bytes(c->tbs))
CERT(crt_spki, tvalue_bytes(c->spki))
CERT(crt_raw_subject, tvalue_bytes(c->subject.raw))
CERT(crt_raw_issuer, tvalue_bytes(c->issuer.raw))
CERT(crt_signature, tvalue_bytes(c->signature))
CERT(crt_signature_algorithm, tobject_signature_algorithm(c->sig_alg))
CERT(crt_key_algorithm, tobject_key_algorithm(c->key))
CERT(crt_key, tobject_key(c->key))
CERT(crt_version, tvalue_int(c->version))
CERT(crt_serial, tobject_big(&c->serial))
CERT(crt_issuer, name_object(trun_arena(run), &c->issuer))
CERT(crt_subject, name_object(trun_arena(run), &c->subject))
CERT(crt_not_before, tvalue_time(trun_arena(run), c->not_before))
CERT(crt_not_after, tvalue_time(trun_arena(run), c->not_after))
CERT(crt_key_usage,
     ((struct tvalue){.kind = T_INT, .type = &USAGE_TYPE, .i = (int64_t)c->key_usage}))
CERT(crt_extensions, extensions_of(run, &c->extensions))
CERT(crt_unhandled, unhandled(run, &c->extensions))
CERT(crt_ext_usage, ext_usages(run, c))
CERT(crt_other_usage, other_usages(run, c))
CERT(crt_basic, tvalue_bool(c->has_basic))
CERT(crt_is_ca, tvalue_bool(c->has_basic && c->basic.ca))
CERT(crt_path_len, tvalue_int(path_length(c)))
CERT(crt_path_len_zero, tvalue_bool(c->has_basic && c->basic.path_len == 0))
CERT(crt_ski, tvalue_bytes(c->ski))
CERT(crt_aki, tvalue_bytes(c->aki))
CERT(crt_ocsp, access_urls(run, c, true))
CERT(crt_issuers, access_urls(run, c, false))
CERT(crt_dns, tobject_names_of(run, &c->sans, SAN_DNS))
CERT(crt_email, tobject_names_of(run, &c->sans, SAN_EMAIL))
CERT(crt_ip, tobject_names_of(run, &c->sans, SAN_IP))
CERT(crt_uri, tobject_names_of(run, &c->sans, SAN_URI))
CERT(crt_constraints_critical, tvalue_bool(constraints_critical(c)))
CERT(crt_in_dns, subtrees(run, c, SAN_DNS, true))
CERT(crt_out_dns, subtrees(run, c, SAN_DNS, false))
CERT(crt_in_ip, subtrees(run, c, SAN_IP, true))
CERT(crt_out_ip, subtrees(run, c, SAN_IP, false))
CERT(crt_in_email, subtrees(run, c, SAN_EMAIL, true))
CERT(crt_out_email, subtrees(run, c, SAN_EMAIL, false))
CERT(crt_in_uri, subtrees(run, c, SAN_URI, true))
CERT(crt_out_uri, subtrees(run, c, SAN_URI, false))
CERT(crt_crl_points, crl_points(run, c))
CERT(crt_policy_ids, policy_ids(run, c, true))
CERT(crt_policies, policy_ids(run, c, false))

GET(crt_extra) /* only of certificates to be */
{
    (void)self;
    *out = (struct tvalue){.kind = T_LIST, .type = &EXTENSIONS_TYPE};
    return true;
}

#define SAME(name, function) FIELD(name, name, false, function)
static const struct tfield CERT_FIELDS[] = {
    SAME("Raw", crt_raw),
    SAME("RawTBSCertificate", crt_tbs),
    SAME("RawSubjectPublicKeyInfo", crt_spki),
    SAME("RawSubject", crt_raw_subject),
    SAME("RawIssuer", crt_raw_issuer),
    SAME("Signature", crt_signature),
    SAME("SignatureAlgorithm", crt_signature_algorithm),
    SAME("PublicKeyAlgorithm", crt_key_algorithm),
    FIELD("PublicKey", NULL, false, crt_key),
    SAME("Version", crt_version),
    SAME("SerialNumber", crt_serial),
    SAME("Issuer", crt_issuer),
    SAME("Subject", crt_subject),
    SAME("NotBefore", crt_not_before),
    SAME("NotAfter", crt_not_after),
    SAME("KeyUsage", crt_key_usage),
    SAME("Extensions", crt_extensions),
    SAME("ExtraExtensions", crt_extra),
    SAME("UnhandledCriticalExtensions", crt_unhandled),
    SAME("ExtKeyUsage", crt_ext_usage),
    SAME("UnknownExtKeyUsage", crt_other_usage),
    SAME("BasicConstraintsValid", crt_basic),
    SAME("IsCA", crt_is_ca),
    SAME("MaxPathLen", crt_path_len),
    SAME("MaxPathLenZero", crt_path_len_zero),
    SAME("SubjectKeyId", crt_ski),
    SAME("AuthorityKeyId", crt_aki),
    SAME("OCSPServer", crt_ocsp),
    SAME("IssuingCertificateURL", crt_issuers),
    SAME("DNSNames", crt_dns),
    SAME("EmailAddresses", crt_email),
    SAME("IPAddresses", crt_ip),
    SAME("URIs", crt_uri),
    SAME("PermittedDNSDomainsCritical", crt_constraints_critical),
    SAME("PermittedDNSDomains", crt_in_dns),
    SAME("ExcludedDNSDomains", crt_out_dns),
    SAME("PermittedIPRanges", crt_in_ip),
    SAME("ExcludedIPRanges", crt_out_ip),
    SAME("PermittedEmailAddresses", crt_in_email),
    SAME("ExcludedEmailAddresses", crt_out_email),
    SAME("PermittedURIDomains", crt_in_uri),
    SAME("ExcludedURIDomains", crt_out_uri),
    SAME("CRLDistributionPoints", crt_crl_points),
    SAME("PolicyIdentifiers", crt_policy_ids),
    SAME("Policies", crt_policies),
};
static const struct ttype CERT_TYPE = {.name = "*x509.Certificate",
                                       .kind = "ptr",
                                       .is = T_OBJECT,
                                       .fields = CERT_FIELDS,
                                       .n_fields = COUNT_OF(CERT_FIELDS)};

struct tvalue tobject_certificate(const struct cert *c)
{
    return tvalue_object(&CERT_TYPE, c);
}
