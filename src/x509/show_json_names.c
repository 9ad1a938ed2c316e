/*
 * JSON of names: distinguished and alternative ones, and constraints on them
 * (docs/reference/inspect.md).
 */
#include "base/encode.h"
#include "x509/chain.h"
#include "x509/show_json.h"

#define AT(last)                                                                                   \
    {                                                                                              \
        (const uint8_t[]){0x55, 4, last}, 3                                                        \
    }
#define JURISDICTION(last)                                                                         \
    {                                                                                              \
        (const uint8_t[]){0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, last}, 11                        \
    }

/* --- Names -------------------------------------------------------------------------------- */

static const struct oid OID_GIVEN_NAME = AT(42), OID_SURNAME = AT(4),
                        OID_JURISDICTION_L = JURISDICTION(1), OID_JURISDICTION_ST = JURISDICTION(2),
                        OID_JURISDICTION_C = JURISDICTION(3);

static const struct dn_member {
    const struct oid *oid;
    const char *name;
} DN_MEMBERS[] = {
    {&OID_CN, "common_name"},
    {&OID_SERIAL_NUMBER, "serial_number"},
    {&OID_C, "country"},
    {&OID_L, "locality"},
    {&OID_ST, "province"},
    {&OID_STREET, "street_address"},
    {&OID_O, "organization"},
    {&OID_OU, "organizational_unit"},
    {&OID_POSTAL_CODE, "postal_code"},
    {&OID_DC, "domain_component"},
    {&OID_EMAIL_ADDRESS, "email_address"},
    {&OID_UID, "user_id"},
    {&OID_GIVEN_NAME, "given_name"},
    {&OID_SURNAME, "surname"},
    {&OID_JURISDICTION_C, "jurisdiction_country"},
    {&OID_JURISDICTION_L, "jurisdiction_locality"},
    {&OID_JURISDICTION_ST, "jurisdiction_province"},
};

struct json *show_dn(struct show *s, const struct dn *dn)
{
    struct json *o = json_make_object(s->a);

    for (size_t k = 0; k < COUNT_OF(DN_MEMBERS); k++) {
        struct json *list = json_make_list(s->a);
        for (size_t i = 0; i < dn->n; i++) {
            if (oid_eq(DN_MEMBERS[k].oid, dn->v[i].type))
                json_append(list, json_make_text(s->a, dn->v[i].value));
        }
        if (list->n)
            show_member(s, o, DN_MEMBERS[k].name, list);
    }
    return o;
}

/* Other names than those of the text, and more of them. */
static const struct dn_label {
    struct oid oid;
    const char *label;
} DN_LABELS[] = {
    {AT(3), "CN"},
    {AT(4), "SN"},
    {AT(5), "serialNumber"},
    {AT(6), "C"},
    {AT(7), "L"},
    {AT(8), "ST"},
    {AT(9), "street"},
    {AT(10), "O"},
    {AT(11), "OU"},
    {AT(12), "title"},
    {AT(13), "description"},
    {AT(15), "businessCategory"},
    {AT(17), "postalCode"},
    {AT(41), "name"},
    {AT(42), "GN"},
    {AT(43), "initials"},
    {AT(44), "generationQualifier"},
    {AT(45), "x500UniqueIdentifier"},
    {AT(46), "dnQualifier"},
    {AT(65), "pseudonym"},
    {JURISDICTION(1), "jurisdictionLocality"},
    {JURISDICTION(2), "jurisdictionStateOrProvince"},
    {JURISDICTION(3), "jurisdictionCountry"},
    {{(const uint8_t[]){0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1}, 9}, "emailAddress"},
    {{(const uint8_t[]){0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1}, 10}, "UID"},
    {{(const uint8_t[]){0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25}, 10}, "DC"},
};

static struct slice dn_label(struct show *s, struct slice type)
{
    for (size_t i = 0; i < COUNT_OF(DN_LABELS); i++) {
        if (oid_eq(&DN_LABELS[i].oid, type))
            return slice_text(DN_LABELS[i].label);
    }
    return oid_text(s->a, type);
}

/* RFC 4514 2.4, for what is no string. */
static struct slice encoded(struct show *s, const struct dn_attribute *at)
{
    struct buf der = buf_new(s->a, at->value.n + 16);

    der_put(&der, at->tag, at->value);
    return hex_text(s->a, buf_slice(&der));
}

/* "CN=a, O=b" */
struct slice show_dn_text(struct show *s, const struct dn *dn)
{
    struct buf b = buf_new(s->a, 8 * dn->raw.n + 64 * dn->n + 256);

    for (size_t i = 0; i < dn->n; i++) {
        const struct dn_attribute *at = &dn->v[i];
        bool text =
            dn_get(&(struct dn){.v = &dn->v[i], .n = 1}, &(struct oid){at->type.p, at->type.n}).p;
        buf_text(&b, i ? ", " : "");
        buf_put(&b, dn_label(s, at->type));
        buf_text(&b, text ? "=" : "=#");
        buf_put(&b, text ? at->value : encoded(s, at));
    }
    return buf_slice(&b);
}

static struct json *sans_of_kind(struct show *s, const struct sans *sans, enum san_kind kind)
{
    struct json *list = json_make_list(s->a);

    for (size_t i = 0; i < sans->n; i++) {
        if (sans->v[i].kind == kind)
            json_append(list, json_make_text(s->a, sans->v[i].text));
    }
    return list;
}

/* OtherName: { id, value }. */
static void other_name(struct show *s, struct json *list, struct slice der)
{
    struct der whole = der_reader(der), in, value;
    struct slice type;
    struct json *o = json_make_object(s->a);

    if (!der_enter(&whole, DER_CONTEXT_CONSTRUCTED(0), &in) || !der_take_oid(&in, &type) ||
        !der_enter(&in, DER_CONTEXT_CONSTRUCTED(0), &value))
        return;
    show_member_text(s, o, "id", oid_text(s->a, type));
    show_member(s, o, "value", show_base64(s, slice_of(value.p, (size_t)(value.end - value.p))));
    json_append(list, o);
}

struct json *show_sans(struct show *s, const struct sans *sans)
{
    static const struct {
        enum san_kind kind;
        const char *name;
    } TEXTS[] = {{SAN_DNS, "dns_names"},
                 {SAN_EMAIL, "email_addresses"},
                 {SAN_IP, "ip_addresses"},
                 {SAN_URI, "uniform_resource_identifiers"}};
    struct json *o = json_make_object(s->a), *others = json_make_list(s->a),
                *directories = json_make_list(s->a), *ids = json_make_list(s->a);
    struct slice content;
    struct dn dn;

    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        struct json *list = sans_of_kind(s, sans, TEXTS[i].kind);
        if (list->n)
            show_member(s, o, TEXTS[i].name, list);
    }
    for (size_t i = 0; i < sans->n; i++) {
        struct der whole = der_reader(sans->v[i].text);
        if (sans->v[i].kind == SAN_OTHER)
            other_name(s, others, sans->v[i].text);
        if (sans->v[i].kind == SAN_DIRECTORY && der_next(&whole, NULL, &content, NULL) &&
            dn_read(s->a, content, &dn, NULL))
            json_append(directories, show_dn(s, &dn));
        if (sans->v[i].kind == SAN_RID && der_next(&whole, NULL, &content, NULL))
            json_append(ids, json_make_text(s->a, oid_text(s->a, content)));
    }
    if (others->n)
        show_member(s, o, "other_names", others);
    if (directories->n)
        show_member(s, o, "directory_names", directories);
    if (ids->n)
        show_member(s, o, "registered_ids", ids);
    return o;
}

/* --- Constraints -------------------------------------------------------------------------- */

static void subtree_members(struct show *s, struct json *o, const struct sans *trees,
                            const char *const names[SAN_OTHER])
{
    for (int kind = 0; kind < SAN_OTHER; kind++) {
        struct json *list = sans_of_kind(s, trees, (enum san_kind)kind);
        if (list->n)
            show_member(s, o, names[kind], list);
    }
}

static void subtree_directories(struct show *s, struct json *o, const struct sans *trees,
                                const char *name)
{
    struct json *list = json_make_list(s->a);
    struct dn dn;

    for (size_t i = 0; i < trees->n; i++) {
        if (trees->v[i].kind == SAN_DIRECTORY && dn_read(s->a, trees->v[i].text, &dn, NULL))
            json_append(list, show_dn(s, &dn));
    }
    if (list->n)
        show_member(s, o, name, list);
}

struct json *show_constraints(struct show *s, const struct extension *x)
{
    static const char *const PERMITTED[SAN_OTHER] = {[SAN_DNS] = "permitted_names",
                                                     [SAN_EMAIL] = "permitted_email_addresses",
                                                     [SAN_IP] = "permitted_ip_addresses",
                                                     [SAN_URI] = "permitted_uris"};
    static const char *const EXCLUDED[SAN_OTHER] = {[SAN_DNS] = "excluded_names",
                                                    [SAN_EMAIL] = "excluded_email_addresses",
                                                    [SAN_IP] = "excluded_ip_addresses",
                                                    [SAN_URI] = "excluded_uris"};
    struct json *o = json_make_object(s->a);
    struct sans permitted, excluded;

    if (!name_constraints_read(s->a, x->value, &permitted, &excluded))
        return NULL;
    show_member(s, o, "critical", json_make_bool(s->a, x->critical));
    subtree_members(s, o, &permitted, PERMITTED);
    subtree_directories(s, o, &permitted, "permitted_directory_names");
    subtree_members(s, o, &excluded, EXCLUDED);
    subtree_directories(s, o, &excluded, "excluded_directory_names");
    return o;
}
