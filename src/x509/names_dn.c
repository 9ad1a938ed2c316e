/*
 * Distinguished names: read flat, attribute after attribute with a mark where an RDN has several,
 * because everything that looks at names (common name, text, policy) wants a list.  The DER of the
 * whole is kept: issuer and subject are copied byte for byte, never encoded again.
 */
#include "x509/names.h"
#include "x509/sigalg.h"

#define AT(last)                                                                                   \
    {                                                                                              \
        (const uint8_t[]){0x55, 0x04, last}, 3                                                     \
    }
const struct oid OID_CN = AT(3), OID_SERIAL_NUMBER = AT(5), OID_C = AT(6), OID_L = AT(7),
                 OID_ST = AT(8), OID_STREET = AT(9), OID_O = AT(10), OID_OU = AT(11),
                 OID_POSTAL_CODE = AT(17);
/* PKCS #9 (RFC 2985 5.2.1) and RFC 4519 2.4, 2.39. */
const struct oid OID_EMAIL_ADDRESS = {
    (const uint8_t[]){0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01}, 9};
const struct oid OID_UID = {
    (const uint8_t[]){0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01}, 10};
const struct oid OID_DC = {
    (const uint8_t[]){0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19}, 10};

/* What a value's tag means.  Types that are not here do not stand in a DirectoryString or any
 * other attribute syntax that libcrypto would read. */
enum value_form { FORM_REFUSED, FORM_STRING, FORM_ASCII, FORM_RAW };
static const struct {
    uint8_t tag;
    enum value_form form;
} VALUE_FORMS[] = {
    {DER_PRINTABLE_STRING, FORM_ASCII},
    {DER_UTF8_STRING, FORM_STRING},
    {DER_IA5_STRING, FORM_ASCII},
    {DER_NUMERIC_STRING, FORM_ASCII},
    {DER_T61_STRING, FORM_STRING},
    {DER_BMP_STRING, FORM_STRING},
    {DER_UNIVERSAL_STRING, FORM_STRING},
    {DER_BIT_STRING, FORM_RAW},
    {DER_SEQUENCE, FORM_RAW},
};

static enum value_form value_form(uint8_t tag)
{
    for (size_t i = 0; i < COUNT_OF(VALUE_FORMS); i++) {
        if (VALUE_FORMS[i].tag == tag)
            return VALUE_FORMS[i].form;
    }
    return FORM_REFUSED;
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= 0x80)
            return false;
    }
    return true;
}

static bool value_take(struct arena *a, struct der *d, struct dn_attribute *at)
{
    if (!der_peek(d, &at->tag))
        return false;
    switch (value_form(at->tag)) {
    case FORM_STRING:
        return der_take_string(d, a, &at->value);
    case FORM_ASCII:
        /* Much software puts '@' or '_' into a PrintableString; libcrypto reads them, and so do
         * we, as long as it is clear which characters are meant. */
        return der_take(d, at->tag, &at->value) && is_ascii(at->value);
    case FORM_RAW:
        return der_take_any(d, NULL, &at->value, NULL);
    case FORM_REFUSED:
        break;
    }
    return false;
}

/* AttributeTypeAndValue. */
static bool attribute_take(struct arena *a, struct der *rdn, struct dn_attribute *at)
{
    struct der inside;

    return der_enter(rdn, DER_SEQUENCE, &inside) && der_take_oid(&inside, &at->type) &&
           value_take(a, &inside, at) && der_done(&inside);
}

static bool attributes_count(struct der names, size_t *n)
{
    struct der rdn;

    for (*n = 0; !der_done(&names);) {
        if (!der_enter(&names, DER_SET, &rdn) || der_done(&rdn))
            return false;
        for (; !der_done(&rdn); ++*n) {
            if (!der_next(&rdn, NULL, NULL, NULL))
                return false;
        }
    }
    return true;
}

static bool rdn_take(struct arena *a, struct der *names, struct dn *dn)
{
    struct der rdn;

    if (!der_enter(names, DER_SET, &rdn))
        return false;
    for (bool joined = false; !der_done(&rdn); joined = true) {
        struct dn_attribute *at = &dn->v[dn->n++];
        at->joined = joined;
        if (!attribute_take(a, &rdn, at))
            return false;
    }
    return true;
}

bool dn_read(struct arena *a, struct slice der, struct dn *dn, struct err *e)
{
    struct der outer = der_reader(der), names;
    size_t n;

    *dn = (struct dn){.raw = der};
    if (!der_enter(&outer, DER_SEQUENCE, &names) || !der_done(&outer))
        return err_set(e, ERR_MALFORMED, "name: expected one SEQUENCE (RFC 5280 4.1.2.4)");
    if (!attributes_count(names, &n))
        return err_set(e, ERR_MALFORMED,
                       "name: expected a SEQUENCE of non-empty SETs (RFC 5280 4.1.2.4)");
    if (n > DN_ATTRIBUTES_MAX)
        return err_set(e, ERR_MALFORMED, "name: %zu attributes, at most %d are read", n,
                       DN_ATTRIBUTES_MAX);
    dn->v = arena_array(a, n ? n : 1, sizeof(*dn->v));
    while (!der_done(&names)) {
        if (!rdn_take(a, &names, dn))
            return err_set(e, ERR_MALFORMED,
                           "name: attribute %zu is not a type and a string (RFC 5280 4.1.2.4)",
                           dn->n);
    }
    return true;
}

struct slice dn_get(const struct dn *dn, const struct oid *type)
{
    for (size_t i = dn->n; i > 0; i--) {
        const struct dn_attribute *at = &dn->v[i - 1];
        if (oid_eq(type, at->type) && value_form(at->tag) != FORM_RAW)
            return at->value.p ? at->value : SLICE("");
    }
    return SLICE_NONE;
}

struct slice dn_common_name(const struct dn *dn)
{
    return dn_get(dn, &OID_CN);
}

/* --- Text --------------------------------------------------------------------------------- */

static const struct {
    const struct oid *oid;
    const char *label;
} LABELS[] = {
    {&OID_CN, "CN"},
    {&OID_SERIAL_NUMBER, "SERIALNUMBER"},
    {&OID_C, "C"},
    {&OID_L, "L"},
    {&OID_ST, "ST"},
    {&OID_STREET, "STREET"},
    {&OID_O, "O"},
    {&OID_OU, "OU"},
    {&OID_POSTAL_CODE, "POSTALCODE"},
    {&OID_EMAIL_ADDRESS, "emailAddress"},
    {&OID_DC, "DC"},
    {&OID_UID, "UID"},
};

static const char *label_of(struct slice type)
{
    for (size_t i = 0; i < COUNT_OF(LABELS); i++) {
        if (oid_eq(LABELS[i].oid, type))
            return LABELS[i].label;
    }
    return NULL;
}

/* A name is shown on terminals and in logs: no control characters, no line breaks. */
static void value_put(struct buf *b, struct slice value)
{
    for (size_t i = 0; i < value.n; i++)
        buf_byte(b, value.p[i] < 0x20 || value.p[i] == 0x7f ? '?' : value.p[i]);
}

static void attribute_text(struct arena *a, struct buf *b, const struct dn_attribute *at)
{
    const char *label = label_of(at->type);
    struct slice oid = oid_text(a, at->type);
    bool raw = value_form(at->tag) == FORM_RAW;

    if (raw || (!label && slice_starts(oid, "2.5.4."))) {
        buf_text(b, "UnknownOID=");
        buf_put(b, oid);
        return;
    }
    buf_put(b, label ? slice_text(label) : oid);
    buf_byte(b, '=');
    value_put(b, at->value);
}

struct slice dn_text(struct arena *a, const struct dn *dn)
{
    struct buf b = buf_new(a, 4 * dn->raw.n + 64 * dn->n + 64);

    for (size_t i = 0; i < dn->n; i++) {
        if (i)
            buf_byte(&b, ',');
        attribute_text(a, &b, &dn->v[i]);
    }
    return buf_slice(&b);
}

/* --- Writing ------------------------------------------------------------------------------ */

bool subject_is_empty(const struct subject *s)
{
    return !s->n_country && !s->n_province && !s->n_locality && !s->n_street && !s->n_postal_code &&
           !s->n_organization && !s->n_unit && slice_empty(s->common_name) &&
           slice_empty(s->serial_number) && !s->n_extra;
}

static bool texts_ok(const struct slice *v, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_has_nul(v[i]) || !slice_is_utf8(v[i]))
            return err_set(e, ERR_MALFORMED,
                           "subject: \"%.*s\" has a NUL or is not UTF-8 (RFC 5280 4.1.2.4)",
                           SLICE_ARG(v[i]));
    }
    return true;
}

bool subject_ok(const struct subject *s, struct err *e)
{
    const struct {
        const struct slice *v;
        size_t n;
    } lists[] = {
        {s->country, s->n_country},
        {s->province, s->n_province},
        {s->locality, s->n_locality},
        {s->street, s->n_street},
        {s->postal_code, s->n_postal_code},
        {s->organization, s->n_organization},
        {s->unit, s->n_unit},
        {&s->common_name, 1},
        {&s->serial_number, 1},
    };

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        if (!texts_ok(lists[i].v, lists[i].n, e))
            return false;
    }
    for (size_t i = 0; i < s->n_extra; i++) {
        const struct dn_attribute *x = &s->extra[i];
        bool binary = x->tag == DER_BIT_STRING || x->tag == DER_SEQUENCE;
        if (!binary && !texts_ok(&x->value, 1, e))
            return false;
    }
    return true;
}

/* Value of an attribute whose type has a syntax of its own: IA5String for these two (RFC 5280
 * A.1), DirectoryString for the rest. */
static void typed_value_put(struct buf *b, struct slice type, struct slice value)
{
    if ((oid_eq(&OID_EMAIL_ADDRESS, type) || oid_eq(&OID_DC, type)) && is_ascii(value))
        der_put(b, DER_IA5_STRING, value);
    else
        der_directory_string(b, value);
}

static void pair_put(struct buf *b, struct slice type, struct slice value)
{
    size_t at;

    der_open(b, DER_SEQUENCE, &at);
    der_oid_content(b, type);
    typed_value_put(b, type, value);
    der_close(b, at);
}

static bool has_extra(const struct subject *s, const struct oid *type)
{
    for (size_t i = 0; i < s->n_extra; i++)
        if (oid_eq(type, s->extra[i].type))
            return true;
    return false;
}

/* An extra attribute stands for those of its type. */
static void rdn_put(struct buf *b, const struct subject *s, const struct oid *type,
                    const struct slice *values, size_t n)
{
    size_t at;

    if (!n || has_extra(s, type))
        return;
    der_open(b, DER_SET, &at);
    for (size_t i = 0; i < n; i++)
        pair_put(b, slice_of(type->p, type->n), values[i]);
    der_close_set_of(b, at);
}

/* An attribute with a tag keeps it where its value is also its content. */
static void extra_put(struct buf *b, const struct dn_attribute *x)
{
    size_t set, at;
    bool content_is_value = x->tag == DER_UTF8_STRING || value_form(x->tag) == FORM_RAW ||
                            (value_form(x->tag) == FORM_ASCII && is_ascii(x->value));

    der_open(b, DER_SET, &set);
    if (content_is_value) {
        der_open(b, DER_SEQUENCE, &at);
        der_oid_content(b, x->type);
        der_put(b, x->tag, x->value);
        der_close(b, at);
    } else {
        pair_put(b, x->type, x->value);
    }
    der_close(b, set);
}

void subject_put(struct buf *b, const struct subject *s)
{
    size_t at;

    der_open(b, DER_SEQUENCE, &at);
    rdn_put(b, s, &OID_C, s->country, s->n_country);
    rdn_put(b, s, &OID_ST, s->province, s->n_province);
    rdn_put(b, s, &OID_L, s->locality, s->n_locality);
    rdn_put(b, s, &OID_STREET, s->street, s->n_street);
    rdn_put(b, s, &OID_POSTAL_CODE, s->postal_code, s->n_postal_code);
    rdn_put(b, s, &OID_O, s->organization, s->n_organization);
    rdn_put(b, s, &OID_OU, s->unit, s->n_unit);
    rdn_put(b, s, &OID_CN, &s->common_name, !slice_empty(s->common_name));
    rdn_put(b, s, &OID_SERIAL_NUMBER, &s->serial_number, !slice_empty(s->serial_number));
    for (size_t i = 0; i < s->n_extra; i++)
        extra_put(b, &s->extra[i]);
    der_close(b, at);
}
