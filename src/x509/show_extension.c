/*
 * Extensions as text, one function a kind, each of which prints its lines or gives up.  What was
 * printed by one that gives up is taken back and the value is shown raw: a strange extension is
 * the very thing somebody may be looking for.
 */
#include <inttypes.h>

#include "x509/show_internal.h"

void show_list(struct buf *b, const char *prefix, const char *between, const struct slice *v,
               size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_text(b, i ? between : "");
        buf_text(b, prefix);
        show_clean(b, v[i]);
    }
}

void show_labelled(struct buf *b, unsigned indent, const char *label, struct slice value)
{
    show_at(b, indent, "%s", label);
    show_clean(b, value);
    buf_byte(b, '\n');
}

/* --- RFC 5280 ----------------------------------------------------------------------------- */

static bool key_usage(struct looking *l)
{
    struct der d = der_reader(l->value);
    struct buf *b = l->s->b;
    uint32_t bits;
    bool any = false;

    if (!der_take_named_bits(&d, &bits) || !der_done(&d))
        return false;
    show_at(b, VALUE, "%s", "");
    for (unsigned i = 0; i < KEY_USAGES; i++) {
        if (!(bits >> i & 1))
            continue;
        buf_text(b, any ? ", " : "");
        buf_text(b, KEY_USAGE_NAMES[i].text);
        any = true;
    }
    buf_text(b, any ? "\n" : "None\n");
    return true;
}

static bool extended_key_usage(struct looking *l)
{
    struct der outer = der_reader(l->value), list;
    struct buf *b = l->s->b;
    struct slice oid;

    if (!der_enter(&outer, DER_SEQUENCE, &list) || !der_done(&outer))
        return false;
    show_at(b, VALUE, "%s", "");
    for (bool first = true; !der_done(&list); first = false) {
        if (!der_take_oid(&list, &oid))
            return false;
        const struct eku_name *known = eku_name(oid);
        struct slice text = known ? slice_text(known->text) : oid_text(l->s->a, oid);
        bool unknown = l->in_request && !known;
        buf_text(b, first ? "" : ", ");
        buf_text(b, unknown ? "UNKNOWN(" : "");
        buf_put(b, text);
        buf_text(b, unknown ? ")" : "");
    }
    buf_byte(b, '\n');
    return true;
}

static bool basic_constraints(struct looking *l)
{
    struct der outer = der_reader(l->value), in;
    bool ca = false;
    int64_t path_len = -1;

    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_done(&outer) ||
        (der_is(&in, DER_BOOLEAN) && !der_take_bool(&in, &ca)) ||
        (!der_done(&in) && !der_take_int(&in, &path_len)) || !der_done(&in))
        return false;
    show_at(l->s->b, VALUE, "CA:%s", ca ? "TRUE" : "FALSE");
    if (path_len >= 0)
        buf_printf(l->s->b, ", pathlen:%" PRId64, path_len);
    buf_byte(l->s->b, '\n');
    return true;
}

static bool subject_key_id(struct looking *l)
{
    struct der d = der_reader(l->value);
    struct slice id;

    if (!der_take(&d, DER_OCTET_STRING, &id) || !der_done(&d))
        return false;
    show_at(l->s->b, VALUE, "%s", "");
    show_hex(l->s->b, id, true);
    buf_byte(l->s->b, '\n');
    return true;
}

static bool authority_key_id(struct looking *l)
{
    struct der outer = der_reader(l->value), in;
    struct slice id;

    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_take(&in, DER_CONTEXT(0), &id))
        return false;
    show_at(l->s->b, VALUE, "%s", "");
    show_hex(l->s->b, id, true);
    buf_byte(l->s->b, '\n');
    return true;
}

/* --- Places and policies ------------------------------------------------------------------ */

static bool crl_points(struct looking *l)
{
    struct urls urls;

    if (!crl_points_read(l->s->a, l->value, &urls))
        return false;
    show_at(l->s->b, VALUE, "Full Name:\n");
    show_at(l->s->b, INNER, "%s", "");
    show_list(l->s->b, "URI:", ", ", urls.v, urls.n);
    buf_byte(l->s->b, '\n');
    return true;
}

static bool policies(struct looking *l)
{
    struct policies p;

    if (!policies_read(l->s->a, l->value, &p))
        return false;
    for (size_t i = 0; i < p.n; i++)
        show_labelled(l->s->b, VALUE, "Policy: ", oid_text(l->s->a, p.v[i].oid));
    return true;
}

static bool authority_info(struct looking *l)
{
    struct urls ocsp, issuers;
    struct buf *b = l->s->b;

    if (!aia_read(l->s->a, l->value, &ocsp, &issuers))
        return false;
    if (ocsp.n) {
        show_at(b, VALUE, "OCSP - ");
        show_list(b, "URI:", ",", ocsp.v, ocsp.n);
        buf_byte(b, '\n');
    }
    if (issuers.n) {
        show_at(b, VALUE, "CA Issuers - ");
        show_list(b, "URI:", ",", issuers.v, issuers.n);
        buf_byte(b, '\n');
    }
    return true;
}

static bool ia5_comment(struct looking *l)
{
    struct der d = der_reader(l->value);
    struct slice text;

    if (!der_take(&d, DER_IA5_STRING, &text) || !der_done(&d))
        return false;
    show_labelled(l->s->b, VALUE, "", text);
    return true;
}

/* --- The table ---------------------------------------------------------------------------- */

#define CE(last)                                                                                   \
    {                                                                                              \
        (const uint8_t[]){0x55, 0x1d, last}, 3                                                     \
    }
#define SMALLSTEP(x)                                                                               \
    {                                                                                              \
        (const uint8_t[]){0x2b, 6, 1, 4, 1, 0x82, 0xa4, 0x64, 0xc6, 0x28, 0x40, x}, 12             \
    }
#define YUBICO(last)                                                                               \
    {                                                                                              \
        (const uint8_t[]){0x2b, 6, 1, 4, 1, 0x82, 0xc4, 0x0a, 3, last}, 10                         \
    }

static const struct shown {
    struct oid oid;
    const char *title;
    show_fn *show;
} SHOWN[] = {
    {CE(15), "X509v3 Key Usage", key_usage},
    {CE(37), "X509v3 Extended Key Usage", extended_key_usage},
    {CE(19), "X509v3 Basic Constraints", basic_constraints},
    {CE(14), "X509v3 Subject Key Identifier", subject_key_id},
    {CE(35), "X509v3 Authority Key Identifier", authority_key_id},
    {CE(17), "X509v3 Subject Alternative Name", show_subject_alt_name},
    {CE(30), "X509v3 Name Constraints", show_name_constraints},
    {CE(31), "X509v3 CRL Distribution Points", crl_points},
    {CE(32), "X509v3 Certificate Policies", policies},
    {{(const uint8_t[]){0x2b, 6, 1, 5, 5, 7, 1, 1}, 8},
     "Authority Information Access",
     authority_info},
    {SMALLSTEP(1), "X509v3 Step Provisioner", show_provisioner},
    {SMALLSTEP(2), "X509v3 Step Registration Authority", show_registration_authority},
    {SMALLSTEP(3), "X509v3 Step Managed Endpoint", show_managed_endpoint},
    {SMALLSTEP(4), "X509v3 Step Managed Device", show_managed_device},
    {{(const uint8_t[]){0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 13}, 9},
     "Netscape Comment",
     ia5_comment},
    {{(const uint8_t[]){0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2}, 10},
     "RFC6962 Certificate Transparency SCT",
     show_sct_list},
    {YUBICO(3), "X509v3 YubiKey Firmware Version", show_yubikey_firmware},
    {YUBICO(7), "X509v3 YubiKey Serial Number", show_yubikey_serial},
    {YUBICO(8), "X509v3 YubiKey Policy", show_yubikey_policy},
    {YUBICO(9), "X509v3 YubiKey Form Factor", show_yubikey_form},
};

static const struct shown *shown_find(struct slice oid)
{
    for (size_t i = 0; i < COUNT_OF(SHOWN); i++) {
        if (oid_eq(&SHOWN[i].oid, oid))
            return &SHOWN[i];
    }
    return NULL;
}

bool show_extension_known(const struct extension *x)
{
    return shown_find(x->oid) != NULL;
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x20 || s.p[i] >= 0x7f)
            return false;
    }
    return true;
}

static void raw_put(struct show *s, struct slice value, bool in_request)
{
    show_at(s->b, VALUE, "%s", "");
    for (size_t i = 0; i < value.n; i++)
        buf_byte(s->b, value.p[i] < 0x20 || value.p[i] >= 0x7f ? '.' : value.p[i]);
    buf_byte(s->b, '\n');
    if (!in_request || is_printable(value))
        return;
    show_at(s->b, VALUE, "%s", "");
    for (size_t i = 0; i < value.n; i++)
        buf_printf(s->b, "%02X", value.p[i]);
    buf_byte(s->b, '\n');
}

void show_extension(struct show *s, const struct extension *x, bool in_request)
{
    const struct shown *shown = shown_find(x->oid);
    struct looking l = {s, x->value, in_request};
    struct slice oid = oid_text(s->a, x->oid);
    const char *critical = x->critical ? " critical" : "";

    if (shown)
        show_at(s->b, 12, "%s:%s\n", shown->title, critical);
    else if (slice_starts(oid, "2.5.29.") && !in_request)
        show_at(s->b, 12, "Unknown extension %.*s:%s\n", SLICE_ARG(oid), critical);
    else
        show_at(s->b, 12, "%.*s:%s\n", SLICE_ARG(oid), critical);
    size_t before = s->b->n;
    if (shown && shown->show(&l))
        return;
    if (buf_ok(s->b))
        s->b->n = before;
    raw_put(s, x->value, in_request);
}
