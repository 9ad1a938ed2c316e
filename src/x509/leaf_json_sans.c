/*
 * Subject alternative names of the certificate JSON.  As long as every entry of `sans` is of a
 * plain kind the names go into leaf->sans; one entry of another kind makes the whole extension
 * be built here, strictly, and stand first among the raw ones.
 */
#include "x509/leaf_json_sans.h"

#include "base/encode.h"
#include "base/uri.h"
#include "x509/asn1_text.h"
#include "x509/idna.h"
#include "x509/leaf_json.h"

struct names {
    struct arena *a;
    struct sans *out;
    size_t cap;
    struct err *e;
};

static bool wrong(const struct names *n, const char *member, const char *expected)
{
    return err_set(n->e, ERR_MALFORMED, "certificate JSON: %s: expected %s", member, expected);
}

static bool add(struct names *n, struct san name)
{
    if (n->out->n >= SANS_MAX)
        return err_set(n->e, ERR_MALFORMED, "certificate JSON: more than %d names", SANS_MAX);
    if (n->out->n == n->cap) {
        size_t cap = n->cap ? 2 * n->cap : 16;
        struct san *v = arena_array(n->a, cap, sizeof(*v));
        if (n->out->n > 0)
            memcpy(v, n->out->v, n->out->n * sizeof(*v));
        n->out->v = v;
        n->cap = cap;
    }
    n->out->v[n->out->n++] = name;
    return true;
}

static bool add_ip(struct names *n, struct slice text, const char *member)
{
    struct san name = {.kind = SAN_IP, .text = text};

    if (!ip_read(text, &name.ip))
        return wrong(n, member, "IP addresses");
    return add(n, name);
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= 0x80)
            return false;
    return true;
}

/* Escaped where it has to be; a host's name has another form for signs beyond ASCII (RFC 5891). */
static bool add_uri(struct names *n, struct slice text, const char *member)
{
    struct uri u;

    if (!uri_read(n->a, text, &u, NULL) || !is_ascii(u.host))
        return wrong(n, member, "URIs");
    return add(n, (struct san){.kind = SAN_URI, .text = uri_text(n->a, &u)});
}

/* --- The four lists
 * ------------------------------------------------------------------------------- */

static bool add_listed(struct names *n, enum san_kind kind, struct slice text, const char *member)
{
    if (kind == SAN_IP)
        return add_ip(n, text, member);
    if (kind == SAN_URI)
        return add_uri(n, text, member);
    return add(n, (struct san){.kind = kind, .text = text});
}

static bool add_lists(struct names *n, const struct json *v)
{
    static const struct {
        const char *name;
        enum san_kind kind;
    } LISTS[] = {{"dnsNames", SAN_DNS},
                 {"emailAddresses", SAN_EMAIL},
                 {"ipAddresses", SAN_IP},
                 {"uris", SAN_URI}};

    for (size_t i = 0; i < COUNT_OF(LISTS); i++) {
        const struct json *list = json_get(v, LISTS[i].name);
        if (!list || list->kind == JSON_NULL)
            continue;
        if (list->kind == JSON_TEXT) {
            if (!add_listed(n, LISTS[i].kind, list->text, LISTS[i].name))
                return false;
            continue;
        }
        if (list->kind != JSON_LIST)
            return wrong(n, LISTS[i].name, "a text or a list of texts");
        for (const struct json *one = list->first; one; one = one->next) {
            if (one->kind != JSON_TEXT)
                return wrong(n, LISTS[i].name, "a list of texts only");
            if (!add_listed(n, LISTS[i].kind, one->text, LISTS[i].name))
                return false;
        }
    }
    return true;
}

/* --- Plain entries of `sans`
 * ------------------------------------------------------------------------ */

static bool is_plain(struct slice type)
{
    static const char *const PLAIN[] = {"", "auto", "dns", "email", "ip", "uri"};

    for (size_t i = 0; i < COUNT_OF(PLAIN); i++) {
        if (slice_is(type, PLAIN[i]) || (!type.p && PLAIN[i][0] == '\0'))
            return true;
    }
    return false;
}

static bool add_plain(struct names *n, struct slice type, struct slice value)
{
    struct uri u;
    struct ip ip;

    if (value.n == 0)
        return true;
    if (slice_is(type, "dns"))
        return add(n, (struct san){.kind = SAN_DNS, .text = value});
    if (slice_is(type, "email"))
        return add(n, (struct san){.kind = SAN_EMAIL, .text = value});
    if (slice_is(type, "ip"))
        return !ip_read(value, &ip) || add(n, (struct san){SAN_IP, value, ip});
    if (slice_is(type, "uri"))
        return !uri_read(n->a, value, &u, NULL) || add_uri(n, value, "sans");
    return add_listed(n, san_kind_of(value), value, "sans");
}

/* --- Strict entries
 * ------------------------------------------------------------------------------------ */

static const uint8_t OID_PERMANENT[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x03};
static const uint8_t OID_HARDWARE[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x04};
static const uint8_t OID_UPN[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03};

/* [0] SEQUENCE { type-id, value }; the value has its tag [0] EXPLICIT. */
static bool add_tagged(struct names *n, struct slice type, struct slice value)
{
    struct buf b = buf_new(n->a, 64u << 10);
    size_t name;

    der_open(&b, DER_CONTEXT_CONSTRUCTED(0), &name);
    der_oid_content(&b, type);
    der_raw(&b, value);
    der_close(&b, name);
    return buf_done(&b, "name", n->e) &&
           add(n, (struct san){.kind = SAN_OTHER, .text = buf_slice(&b)});
}

static bool add_other(struct names *n, struct slice type, struct slice value)
{
    struct buf b = buf_new(n->a, 64u << 10);
    size_t at;

    der_open(&b, DER_CONTEXT_CONSTRUCTED(0), &at);
    der_raw(&b, value);
    der_close(&b, at);
    return buf_done(&b, "name", n->e) && add_tagged(n, type, buf_slice(&b));
}

/* asn1Value, or the value read as JSON; NULL when it is neither. */
static const struct json *structured(struct names *n, const struct json *entry)
{
    const struct json *given = json_get(entry, "asn1Value");
    struct slice value = json_text(json_get(entry, "value"));

    if (given && given->kind != JSON_NULL)
        return given;
    return json_read(n->a, value, &JSON_STRICT, NULL, NULL);
}

static bool add_permanent(struct names *n, const struct json *entry, struct slice value)
{
    const struct json *given = json_get(entry, "asn1Value");
    struct slice identifier = value, assigner = SLICE_NONE, oid;
    struct buf b = buf_new(n->a, 8u << 10);
    size_t at;

    if (given && given->kind != JSON_NULL && given->kind != JSON_OBJECT)
        return wrong(n, "sans", "an object as asn1Value of a permanentIdentifier");
    if (given && given->kind == JSON_OBJECT) {
        identifier = json_text(json_get(given, "identifier"));
        assigner = json_text(json_get(given, "assigner"));
    }
    der_open(&b, DER_SEQUENCE, &at);
    if (identifier.n > 0)
        der_put(&b, DER_UTF8_STRING, identifier);
    if (assigner.n > 0) {
        if (!oid_read(n->a, assigner, &oid))
            return wrong(n, "sans", "an OID as assigner");
        der_oid_content(&b, oid);
    }
    der_close(&b, at);
    return buf_done(&b, "permanent identifier", n->e) &&
           add_other(n, slice_of(OID_PERMANENT, sizeof(OID_PERMANENT)), buf_slice(&b));
}

static bool add_hardware(struct names *n, const struct json *entry)
{
    const struct json *given = structured(n, entry);
    struct slice type, serial;
    struct buf b = buf_new(n->a, 8u << 10);
    size_t at;

    if (!given || !oid_read(n->a, json_text(json_get(given, "type")), &type) ||
        !base64_read(n->a, BASE64_STD, json_text(json_get(given, "serialNumber")), &serial))
        return wrong(n, "sans", "hardwareModuleName with type and serialNumber");
    der_open(&b, DER_SEQUENCE, &at);
    der_oid_content(&b, type);
    der_put(&b, DER_CONTEXT(4), serial);
    der_close(&b, at);
    return buf_done(&b, "hardware module name", n->e) &&
           add_other(n, slice_of(OID_HARDWARE, sizeof(OID_HARDWARE)), buf_slice(&b));
}

static bool add_directory(struct names *n, const struct json *entry)
{
    const struct json *given = structured(n, entry);
    struct subject subject;
    struct buf b = buf_new(n->a, 64u << 10);
    size_t at;

    if (!given || !subject_json_read(n->a, given, "certificate JSON: sans: dn", &subject, n->e))
        return given ? false : wrong(n, "sans", "a subject for dn");
    if (subject_is_empty(&subject))
        return wrong(n, "sans", "a dn that is not empty");
    der_open(&b, DER_CONTEXT_CONSTRUCTED(4), &at);
    subject_put(&b, &subject);
    der_close(&b, at);
    return buf_done(&b, "directory name", n->e) &&
           add(n, (struct san){.kind = SAN_DIRECTORY, .text = buf_slice(&b)});
}

static bool encode_value(struct names *n, struct slice text, struct slice *der)
{
    struct buf b = buf_new(n->a, 64u << 10);

    if (!asn1_text_put(n->a, &b, text, n->e))
        return err_wrap(n->e, "certificate JSON: sans");
    *der = buf_slice(&b);
    return buf_done(&b, "name", n->e);
}

static bool add_registered_id(struct names *n, struct slice value)
{
    struct buf b = buf_new(n->a, 256);
    struct slice oid;

    if (!oid_read(n->a, value, &oid))
        return wrong(n, "sans", "an OID as registeredID");
    der_put(&b, DER_CONTEXT(8), oid);
    return add(n, (struct san){.kind = SAN_RID, .text = buf_slice(&b)});
}

static bool add_upn(struct names *n, struct slice value)
{
    struct buf b = buf_new(n->a, 8u << 10);

    if (value.n == 0)
        return wrong(n, "sans", "a value of userPrincipalName that is not empty");
    der_put(&b, DER_UTF8_STRING, value);
    return buf_done(&b, "user principal name", n->e) &&
           add_other(n, slice_of(OID_UPN, sizeof(OID_UPN)), buf_slice(&b));
}

static bool add_strict_dns(struct names *n, struct slice value)
{
    bool star = slice_starts(value, "*.");
    struct slice ascii;

    if (!idna_lookup(n->a, star ? slice_from(value, 2) : value, &ascii))
        return wrong(n, "sans", "DNS names (RFC 5891)");
    if (star)
        ascii = arena_format(n->a, "*.%.*s", SLICE_ARG(ascii));
    return add(n, (struct san){.kind = SAN_DNS, .text = ascii});
}

static bool add_strict(struct names *n, const struct json *entry)
{
    struct slice type = json_text(json_get(entry, "type")),
                 value = json_text(json_get(entry, "value")), oid, der;
    const struct json *given = json_get(entry, "asn1Value");

    if (value.n == 0 && (!given || given->kind == JSON_NULL))
        return true;
    if (value.n == 0 && is_plain(type))
        return wrong(n, "sans", "a value: asn1Value says nothing for names of this type");
    if (slice_is(type, "dns"))
        return add_strict_dns(n, value);
    if (slice_is(type, "ip"))
        return add_ip(n, value, "sans");
    if (is_plain(type))
        return add_plain(n, type, value);
    if (slice_is(type, "registeredID"))
        return add_registered_id(n, value);
    if (slice_is(type, "permanentIdentifier"))
        return add_permanent(n, entry, value);
    if (slice_is(type, "hardwareModuleName"))
        return add_hardware(n, entry);
    if (slice_is(type, "dn"))
        return add_directory(n, entry);
    if (slice_is(type, "userPrincipalName"))
        return add_upn(n, value);
    if (!oid_read(n->a, type, &oid))
        return err_set(n->e, ERR_MALFORMED, "certificate JSON: sans: unsupported SAN type \"%.*s\"",
                       SLICE_ARG(slice_sub(type, 0, 64)));
    return encode_value(n, value, &der) && add_tagged(n, oid, der);
}

/* --- Both
 * ------------------------------------------------------------------------------------------------
 */

static bool is_text(const struct json *entry, const char *member)
{
    const struct json *v = json_get(entry, member);

    return !v || v->kind == JSON_TEXT || v->kind == JSON_NULL;
}

static bool needs_strict(const struct json *list)
{
    for (const struct json *one = list->first; one; one = one->next) {
        if (!is_plain(json_text(json_get(one, "type"))))
            return true;
    }
    return false;
}

/* The finished extension in front of the raw ones. */
static bool prepend_extension(struct names *n, struct x509_leaf *leaf)
{
    struct extension *v = arena_array(n->a, leaf->raw.n + 1, sizeof(*v));
    struct buf b = buf_new(n->a, 256u << 10);

    if (n->out->n == 0)
        return true;
    if (!sans_put(&b, n->out, n->e) || !buf_done(&b, "subject alternative names", n->e))
        return false;
    v[0] =
        (struct extension){.oid = slice_of(OID_EXT_SAN.p, OID_EXT_SAN.n),
                           .critical = subject_is_empty(&leaf->subject) && leaf->raw_subject.n == 0,
                           .value = buf_slice(&b)};
    if (leaf->raw.n > 0)
        memcpy(v + 1, leaf->raw.v, leaf->raw.n * sizeof(*v));
    leaf->raw.v = v;
    leaf->raw.n++;
    *n->out = (struct sans){0};
    return true;
}

bool leaf_json_sans(struct arena *a, const struct json *v, struct x509_leaf *leaf, struct err *e)
{
    struct names n = {.a = a, .out = &leaf->sans, .e = e};
    const struct json *list = json_get(v, "sans");
    bool strict;

    if (extensions_get(&leaf->raw, &OID_EXT_SAN))
        return true; /* given whole: the rest is ignored */
    if (list && list->kind != JSON_LIST && list->kind != JSON_NULL)
        return wrong(&n, "sans", "a list of objects");
    if (!add_lists(&n, v))
        return false;
    strict = list && needs_strict(list);
    for (const struct json *one = list ? list->first : NULL; one; one = one->next) {
        if (one->kind == JSON_NULL)
            continue;
        if (one->kind != JSON_OBJECT || !is_text(one, "type") || !is_text(one, "value"))
            return wrong(&n, "sans", "a list of objects with texts as type and value");
        if (strict ? !add_strict(&n, one)
                   : !add_plain(&n, json_text(json_get(one, "type")),
                                json_text(json_get(one, "value"))))
            return false;
    }
    return !strict || prepend_extension(&n, leaf);
}
