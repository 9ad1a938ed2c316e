/*
 * The linter's rules about names: subject and alternative names.
 */
#include "base/uri.h"
#include "x509/lint.h"

/* --- Subject and issuer ------------------------------------------------------------------- */

/* Asks about each attribute of subject and issuer. */
static bool any_attribute(const struct cert *c, bool (*broken)(const struct dn_attribute *))
{
    const struct dn *names[] = {&c->subject, &c->issuer};

    for (size_t k = 0; k < COUNT_OF(names); k++) {
        for (size_t i = 0; i < names[k]->n; i++) {
            if (broken(&names[k]->v[i]))
                return true;
        }
    }
    return false;
}

static bool is_old_string(const struct dn_attribute *at)
{
    return at->tag == DER_T61_STRING || at->tag == DER_BMP_STRING ||
           at->tag == DER_UNIVERSAL_STRING;
}

static bool old_string(const struct cert *c)
{
    return any_attribute(c, is_old_string);
}

static bool is_country_wrong(const struct dn_attribute *at)
{
    return oid_eq(&OID_C, at->type) && (at->tag != DER_PRINTABLE_STRING || at->value.n != 2);
}

static bool country_wrong(const struct cert *c)
{
    return any_attribute(c, is_country_wrong);
}

/* Attributes with a string type of their own (RFC 5280 A.1). */
static bool is_string_wrong(const struct dn_attribute *at)
{
    if (oid_eq(&OID_SERIAL_NUMBER, at->type))
        return at->tag != DER_PRINTABLE_STRING;
    if (oid_eq(&OID_EMAIL_ADDRESS, at->type) || oid_eq(&OID_DC, at->type))
        return at->tag != DER_IA5_STRING;
    return false;
}

static bool string_wrong(const struct cert *c)
{
    return any_attribute(c, is_string_wrong);
}

static size_t characters(struct slice utf8)
{
    size_t n = 0;

    for (size_t i = 0; i < utf8.n; i++)
        n += (utf8.p[i] & 0xc0) != 0x80;
    return n;
}

/* Upper bounds of RFC 5280 A.1. */
static bool is_too_long(const struct dn_attribute *at)
{
    static const struct {
        const struct oid *type;
        size_t most;
    } BOUNDS[] = {{&OID_CN, 64},
                  {&OID_O, 64},
                  {&OID_OU, 64},
                  {&OID_SERIAL_NUMBER, 64},
                  {&OID_L, 128},
                  {&OID_ST, 128},
                  {&OID_POSTAL_CODE, 16},
                  {&OID_STREET, 128},
                  {&OID_EMAIL_ADDRESS, 255}};

    for (size_t i = 0; i < COUNT_OF(BOUNDS); i++) {
        if (oid_eq(BOUNDS[i].type, at->type))
            return characters(at->value) > BOUNDS[i].most;
    }
    return false;
}

static bool attribute_long(const struct cert *c)
{
    return any_attribute(c, is_too_long);
}

static bool is_empty_value(const struct dn_attribute *at)
{
    return at->value.n == 0;
}

static bool attribute_empty(const struct cert *c)
{
    return any_attribute(c, is_empty_value);
}

static bool attribute_twice(const struct cert *c)
{
    for (size_t i = 0; i < c->subject.n; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct dn_attribute *x = &c->subject.v[i], *y = &c->subject.v[k];
            if (slice_eq(x->type, y->type) && slice_eq(x->value, y->value))
                return true;
        }
    }
    return false;
}

static bool ca_without_subject(const struct cert *c)
{
    return c->has_basic && c->basic.ca && c->subject.n == 0;
}

/* --- Alternative names -------------------------------------------------------------------- */

static const struct extension *san(const struct cert *c)
{
    return extensions_get(&c->extensions, &OID_EXT_SAN);
}

static bool is_leaf(const struct cert *c)
{
    return !(c->has_basic && c->basic.ca);
}

static bool san_empty(const struct cert *c)
{
    return san(c) && !c->sans.n;
}

static bool nameless(const struct cert *c)
{
    return !c->subject.n && !san(c);
}

static bool san_should_be_critical(const struct cert *c)
{
    return !c->subject.n && san(c) && !san(c)->critical;
}

static bool san_should_not_be_critical(const struct cert *c)
{
    return c->subject.n && san(c) && san(c)->critical;
}

static bool leaf_without_san(const struct cert *c)
{
    return is_leaf(c) && c->subject.n && !san(c);
}

static bool cn_not_in_san(const struct cert *c)
{
    struct slice cn = dn_common_name(&c->subject);

    if (!is_leaf(c) || !cn.n || !c->sans.n)
        return false;
    for (size_t i = 0; i < c->sans.n; i++) {
        if (slice_eq_case(c->sans.v[i].text, cn))
            return false;
    }
    return true;
}

static bool san_twice(const struct cert *c)
{
    for (size_t i = 0; i < c->sans.n; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct san *x = &c->sans.v[i], *y = &c->sans.v[k];
            if (x->kind == y->kind && slice_eq(x->text, y->text))
                return true;
        }
    }
    return false;
}

static bool any_san(const struct cert *c, enum san_kind kind, bool (*broken)(struct slice))
{
    for (size_t i = 0; i < c->sans.n; i++) {
        if (c->sans.v[i].kind == kind && broken(c->sans.v[i].text))
            return true;
    }
    return false;
}

static bool is_label(struct slice label)
{
    if (!label.n || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++) {
        uint8_t ch = label.p[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
        if (!letter && !(ch >= '0' && ch <= '9') && ch != '-' && ch != '_')
            return false;
    }
    return true;
}

/* RFC 1034 3.5 with underscores; '*' as the whole left-most label. */
static bool is_dns_wrong(struct slice name)
{
    struct slice label;

    if (!name.n || name.n > 253)
        return true;
    if (slice_starts(name, "*."))
        name = slice_from(name, 2);
    while (slice_split(&name, '.', &label)) {
        if (!is_label(label))
            return true;
    }
    return false;
}

static bool dns_wrong(const struct cert *c)
{
    return any_san(c, SAN_DNS, is_dns_wrong);
}

static bool has_underscore(struct slice name)
{
    return slice_find(name, '_') < name.n;
}

static bool dns_underscore(const struct cert *c)
{
    return any_san(c, SAN_DNS, has_underscore);
}

static bool is_email_wrong(struct slice text)
{
    size_t at = slice_rfind(text, '@');

    return at == text.n || at == 0 || at + 1 == text.n || slice_find(text, ' ') < text.n;
}

static bool email_wrong(const struct cert *c)
{
    return any_san(c, SAN_EMAIL, is_email_wrong);
}

static bool is_uri_wrong(struct slice text)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct uri u;

    return !uri_read(a, text, &u, NULL) || !u.scheme.n;
}

static bool uri_wrong(const struct cert *c)
{
    return any_san(c, SAN_URI, is_uri_wrong);
}

const struct lint_rule LINT_NAME_RULES[] = {
    {LINT_ERROR, "ca_without_subject", "RFC 5280 4.1.2.6: a CA without subject",
     ca_without_subject},
    {LINT_WARNING, "old_string",
     "RFC 5280 4.1.2.4: a name in TeletexString, BMPString or UniversalString", old_string},
    {LINT_ERROR, "country_wrong", "RFC 5280 A.1: a country is not a PrintableString of 2 letters",
     country_wrong},
    {LINT_ERROR, "string_wrong",
     "RFC 5280 A.1: serialNumber is a PrintableString, emailAddress and DC are IA5Strings",
     string_wrong},
    {LINT_WARNING, "attribute_long", "RFC 5280 A.1: an attribute is longer than its upper bound",
     attribute_long},
    {LINT_ERROR, "attribute_empty", "RFC 5280 A.1: an attribute of a name is empty",
     attribute_empty},
    {LINT_WARNING, "attribute_twice", "an attribute stands in the subject twice", attribute_twice},
    {LINT_ERROR, "san_empty", "RFC 5280 4.2.1.6: subject alternative name without names",
     san_empty},
    {LINT_ERROR, "nameless", "RFC 5280 4.1.2.6: neither a subject nor an alternative name",
     nameless},
    {LINT_ERROR, "san_not_critical",
     "RFC 5280 4.2.1.6: without a subject the alternative names are critical",
     san_should_be_critical},
    {LINT_WARNING, "san_critical",
     "RFC 5280 4.2.1.6: with a subject the alternative names should not be critical",
     san_should_not_be_critical},
    {LINT_NOTICE, "leaf_without_san", "RFC 6125 6.4.4: a leaf without alternative names",
     leaf_without_san},
    {LINT_NOTICE, "cn_not_in_san", "the common name is none of the alternative names",
     cn_not_in_san},
    {LINT_WARNING, "san_twice", "an alternative name is there twice", san_twice},
    {LINT_ERROR, "dns_wrong", "RFC 5280 4.2.1.6: a DNS name is not in preferred name syntax",
     dns_wrong},
    {LINT_WARNING, "dns_underscore", "a DNS name has an underscore", dns_underscore},
    {LINT_ERROR, "email_wrong", "RFC 5280 4.2.1.6: an email address is not local-part@domain",
     email_wrong},
    {LINT_ERROR, "uri_wrong", "RFC 5280 4.2.1.6: a URI is not absolute", uri_wrong},
};
const size_t LINT_NAME_RULES_N = COUNT_OF(LINT_NAME_RULES);
