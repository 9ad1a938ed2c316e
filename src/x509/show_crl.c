/*
 * Certificate revocation lists as text and JSON (docs/reference/inspect.md).
 */
#include "base/encode.h"
#include "x509/show_json.h"

/* "2026-02-03 10:00:00 +0000 UTC" */
static struct slice time_text(struct arena *a, struct instant t)
{
    struct civil c = instant_civil(t);

    return arena_format(a, "%04d-%02d-%02d %02d:%02d:%02d +0000 UTC", c.year, c.month, c.day,
                        c.hour, c.minute, c.second);
}

/* --- Extensions --------------------------------------------------------------------------- */

/* IssuingDistributionPoint (RFC 5280 5.2.5).  One whose point is named relative to the CRL's issuer
 * is shown raw: nobody writes them. */
struct idp {
    struct slice *names; /* "URI:http://…" */
    size_t n;
    bool only[6]; /* by number of the member; 4: indirect */
    bool some_reasons;
    uint32_t reasons;
};

static const struct {
    unsigned member;
    const char *text, *json;
} IDP_FLAGS[] = {
    {1, "Only User Certificates", "only_user_certificates"},
    {2, "Only CA Certificates", "only_ca_certificates"},
    {5, "Only Attribute Certificates", "only_attribute_certificates"},
    {4, "Indirect CRL", "indirect_crl"},
};

static struct slice general_name(struct arena *a, uint8_t tag, struct slice content)
{
    static const struct {
        uint8_t tag;
        const char *label;
    } TEXTS[] = {{DER_CONTEXT(1), "email:"}, {DER_CONTEXT(2), "DNS:"}, {DER_CONTEXT(6), "URI:"}};
    struct dn dn;

    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        if (TEXTS[i].tag == tag)
            return arena_format(a, "%s%.*s", TEXTS[i].label, SLICE_ARG(content));
    }
    if (tag == DER_CONTEXT_CONSTRUCTED(4) && dn_read(a, content, &dn, NULL))
        return arena_format(a, "DirName:%.*s", SLICE_ARG(dn_text(a, &dn)));
    return arena_format(a, "Other:0x%.*s", SLICE_ARG(hex_text(a, content)));
}

static bool idp_names(struct arena *a, struct der *in, struct idp *p)
{
    struct der point, full, count;
    struct slice content;
    uint8_t tag;
    size_t n = 0;

    if (!der_enter(in, DER_CONTEXT_CONSTRUCTED(0), &point) ||
        !der_enter(&point, DER_CONTEXT_CONSTRUCTED(0), &full) || !der_done(&point))
        return false;
    for (count = full; der_next(&count, NULL, NULL, NULL); n++)
        ;
    p->names = arena_array(a, n ? n : 1, sizeof(*p->names));
    while (p->n < n && der_next(&full, &tag, &content, NULL))
        p->names[p->n++] = general_name(a, tag, content);
    return der_done(&full);
}

/* The content of a BIT STRING under another tag. */
static bool reasons_read(struct slice content, uint32_t *reasons)
{
    if (content.n < 2 || content.n > 3)
        return false;
    for (size_t i = 0; i < 8 * (content.n - 1); i++)
        *reasons |= content.p[1 + i / 8] & 0x80 >> i % 8 ? 1u << i : 0;
    return true;
}

static bool idp_read(struct arena *a, struct slice value, struct idp *p)
{
    struct der outer = der_reader(value), in;
    struct slice content;
    uint8_t tag;

    *p = (struct idp){0};
    if (!der_enter(&outer, DER_SEQUENCE, &in) || !der_done(&outer) ||
        (der_is(&in, DER_CONTEXT_CONSTRUCTED(0)) && !idp_names(a, &in, p)))
        return false;
    while (der_next(&in, &tag, &content, NULL)) {
        unsigned member = tag & 0x1f;
        if (tag != DER_CONTEXT(member) || member < 1 || member > 5)
            return false;
        if (member == 3 && !reasons_read(content, &p->reasons))
            return false;
        if (member != 3 && content.n != 1)
            return false;
        p->some_reasons |= member == 3;
        p->only[member] = member != 3 && content.p[0];
    }
    return der_done(&in);
}

/* RFC 5280 4.2.1.13 numbers reasons otherwise than 5.3.1. */
static struct slice *idp_reasons(struct arena *a, const struct idp *p, size_t *n)
{
    static const int CODES[] = {0, 1, 2, 3, 4, 5, 6, 9, 10};
    struct slice *v = arena_array(a, COUNT_OF(CODES), sizeof(*v));

    *n = 0;
    for (size_t i = 0; i < COUNT_OF(CODES); i++) {
        if (p->reasons >> i & 1)
            v[(*n)++] = slice_text(crl_reason_text(CODES[i]));
    }
    return v;
}

static void idp_text(struct show *s, const struct idp *p)
{
    size_t n;
    struct slice *reasons = idp_reasons(s->a, p, &n);

    if (p->n)
        show_at(s->b, 16, "Full Name:\n");
    for (size_t i = 0; i < p->n; i++)
        show_labelled(s->b, 20, "", p->names[i]);
    for (size_t i = 0; i < COUNT_OF(IDP_FLAGS); i++) {
        if (p->only[IDP_FLAGS[i].member])
            show_at(s->b, 16, "%s\n", IDP_FLAGS[i].text);
    }
    if (!p->some_reasons)
        return;
    show_at(s->b, 16, "Only Some Reasons: ");
    show_list(s->b, "", ", ", reasons, n);
    buf_byte(s->b, '\n');
}

static struct json *texts_json(struct show *s, const struct slice *v, size_t n)
{
    struct json *list = json_make_list(s->a);

    for (size_t i = 0; i < n; i++)
        json_append(list, json_make_text(s->a, v[i]));
    return list;
}

static struct json *idp_json(struct show *s, const struct idp *p)
{
    struct json *o = json_make_object(s->a);
    size_t n;
    struct slice *reasons = idp_reasons(s->a, p, &n);

    if (p->n)
        show_member(s, o, "full_names", texts_json(s, p->names, p->n));
    for (size_t i = 0; i < COUNT_OF(IDP_FLAGS); i++) {
        if (p->only[IDP_FLAGS[i].member])
            show_member(s, o, IDP_FLAGS[i].json, json_make_bool(s->a, true));
    }
    if (p->some_reasons)
        show_member(s, o, "only_some_reasons", texts_json(s, reasons, n));
    return o;
}

/* Any size: RFC 5280 allows 20 octets. */
static struct slice number_text(struct arena *a, struct slice value)
{
    struct der d = der_reader(value);
    struct slice magnitude;
    bool negative;

    if (!der_take_integer(&d, &magnitude, &negative) || negative || magnitude.n > 64)
        return SLICE_NONE;
    return serial_decimal(a, magnitude);
}

static void extension_text(struct show *s, const struct crl *crl, const struct extension *x)
{
    const char *critical = x->critical ? " critical" : "";
    struct slice number = number_text(s->a, x->value);
    struct idp idp;

    if (oid_eq(&OID_EXT_AKI, x->oid) && crl->aki.n) {
        show_at(s->b, 12, "X509v3 Authority Key Identifier:%s\n", critical);
        show_at(s->b, 16, "keyid:");
        show_hex(s->b, crl->aki, true);
        buf_byte(s->b, '\n');
        return;
    }
    if (oid_eq(&OID_EXT_CRL_NUMBER, x->oid) && number.p) {
        show_at(s->b, 12, "X509v3 CRL Number:%s\n", critical);
        show_at(s->b, 16, "%.*s\n", SLICE_ARG(number));
        return;
    }
    if (oid_eq(&OID_EXT_IDP, x->oid) && idp_read(s->a, x->value, &idp)) {
        show_at(s->b, 12, "X509v3 Issuing Distribution Point:%s\n", critical);
        idp_text(s, &idp);
        return;
    }
    show_extension(s, x, false);
}

/* --- Text --------------------------------------------------------------------------------- */

static void hex_upper(struct buf *b, struct slice bytes)
{
    for (size_t i = 0; i < bytes.n; i++)
        buf_printf(b, "%02X", bytes.p[i]);
}

static void entry_extensions(struct show *s, const struct crl_entry *entry, struct extensions *x)
{
    *x = (struct extensions){0};
    if (entry->extensions.n && !extensions_read(s->a, entry->extensions, x, NULL))
        *x = (struct extensions){0}; /* never: it has been read before */
}

static void entry_extension_text(struct show *s, const struct crl_entry *entry,
                                 const struct extension *x)
{
    struct slice oid = oid_text(s->a, x->oid);

    if (oid_eq(&OID_EXT_REASON, x->oid)) {
        show_at(s->b, 20, "X509v3 CRL Reason Code:\n");
        show_at(s->b, 24, "%s\n", crl_reason_text(entry->reason));
        return;
    }
    show_at(s->b, 20, "%.*s%s\n", SLICE_ARG(oid), x->critical ? ": critical" : "");
    show_at(s->b, 24, "%s", "");
    for (size_t i = 0; i < x->value.n; i++)
        buf_byte(s->b, x->value.p[i] < 0x20 || x->value.p[i] >= 0x7f ? '.' : x->value.p[i]);
    buf_byte(s->b, '\n');
}

static void entry_text(struct show *s, const struct crl_entry *entry)
{
    struct arena_mark mark = arena_mark(s->a);
    struct slice serial = serial_decimal(s->a, entry->serial), at = time_text(s->a, entry->at);
    struct extensions x;

    show_at(s->b, 12, "Serial Number: %.*s (0x", SLICE_ARG(serial));
    hex_upper(s->b, entry->serial);
    buf_text(s->b, ")\n");
    show_at(s->b, 16, "Revocation Date: %.*s\n", SLICE_ARG(at));
    entry_extensions(s, entry, &x);
    if (x.n)
        show_at(s->b, 16, "CRL Entry Extensions:\n");
    for (size_t i = 0; i < x.n; i++)
        entry_extension_text(s, entry, &x.v[i]);
    arena_rewind(s->a, mark);
}

static void head_text(struct show *s, const struct crl *crl, const char *reason)
{
    struct buf *b = s->b;
    struct slice issuer = dn_text(s->a, &crl->issuer), last = time_text(s->a, crl->this_update),
                 next = time_text(s->a, crl->next_update),
                 algorithm = alg_text(s->a, crl->sig_alg, crl->sig_oid);

    show_at(b, 0, "Certificate Revocation List (CRL):\n");
    show_at(b, 4, "Data:\n");
    show_at(b, 8, "Valid: %s\n", reason ? "false" : "true");
    if (reason)
        show_at(b, 8, "Reason: %s\n", reason);
    show_at(b, 8, "Version: %d (0x%x)\n", crl->version, (unsigned)crl->version - 1);
    show_at(b, 4, "Signature algorithm: %.*s\n", SLICE_ARG(algorithm));
    show_labelled(b, 8, "Issuer: ", issuer);
    show_at(b, 8, "Last Update: %.*s\n", SLICE_ARG(last));
    if (!instant_is_zero(crl->next_update))
        show_at(b, 8, "Next Update: %.*s\n", SLICE_ARG(next));
}

void crl_show_text(struct buf *b, const struct crl *crl, const char *reason)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct show s = {b, a};
    struct slice algorithm = alg_text(a, crl->sig_alg, crl->sig_oid);

    head_text(&s, crl, reason);
    if (crl->extensions.n)
        show_at(b, 8, "CRL Extensions:\n");
    for (size_t i = 0; i < crl->extensions.n; i++)
        extension_text(&s, crl, &crl->extensions.v[i]);
    show_at(b, 8, crl->n ? "Revoked Certificates:\n" : "No Revoked Certificates.\n");
    for (size_t i = 0; i < crl->n; i++)
        entry_text(&s, &crl->entries[i]);
    show_at(b, 4, "Signature Algorithm: %.*s\n", SLICE_ARG(algorithm));
    show_hex_lines(b, 8, 16, crl->signature);
}

/* --- JSON --------------------------------------------------------------------------------- */

static void extension_value(struct show *s, struct json *o, const struct crl *crl,
                            const struct extension *x)
{
    struct slice number = number_text(s->a, x->value);
    struct idp idp;

    if (oid_eq(&OID_EXT_AKI, x->oid) && crl->aki.n)
        show_member_text(s, o, "authority_key_id", hex_text(s->a, crl->aki));
    else if (oid_eq(&OID_EXT_CRL_NUMBER, x->oid) && number.p)
        show_member_text(s, o, "crl_number", number);
    else if (oid_eq(&OID_EXT_IDP, x->oid) && idp_read(s->a, x->value, &idp))
        show_member(s, o, "issuing_distribution_point", idp_json(s, &idp));
    else
        show_member(s, o, arena_cstr(s->a, oid_text(s->a, x->oid)), show_base64(s, x->value));
}

static struct json *extension_json(struct show *s, const struct crl *crl, const struct extension *x)
{
    struct json *o = json_make_object(s->a);

    extension_value(s, o, crl, x);
    if (x->critical)
        show_member(s, o, "critical", json_make_bool(s->a, true));
    return o;
}

static struct json *entry_extension_json(struct show *s, const struct crl_entry *entry,
                                         const struct extension *x)
{
    struct json *o = json_make_object(s->a);

    if (oid_eq(&OID_EXT_REASON, x->oid))
        show_member_text(s, o, "crl_reason_code", slice_text(crl_reason_text(entry->reason)));
    else
        show_member(s, o, arena_cstr(s->a, oid_text(s->a, x->oid)), show_base64(s, x->value));
    if (x->critical)
        show_member(s, o, "critical", json_make_bool(s->a, true));
    return o;
}

static struct json *entry_json(struct show *s, const struct crl_entry *entry)
{
    struct json *o = json_make_object(s->a);
    struct extensions x;

    show_member_text(s, o, "serial_number", serial_decimal(s->a, entry->serial));
    show_member_text(s, o, "revocation_time", rfc3339(s->a, entry->at));
    entry_extensions(s, entry, &x);
    if (!x.n)
        return o;
    struct json *list = json_make_list(s->a);
    for (size_t i = 0; i < x.n; i++)
        json_append(list, entry_extension_json(s, entry, &x.v[i]));
    show_member(s, o, "extensions", list);
    return o;
}

/* As of a certificate, but the two that occur once are texts. */
static struct json *issuer_json(struct show *s, const struct dn *dn)
{
    static const char *const ONCE[] = {"common_name", "serial_number"};
    struct json *o = show_dn(s, dn);

    for (size_t i = 0; i < COUNT_OF(ONCE); i++) {
        const struct json *list = json_get(o, ONCE[i]);
        if (list)
            show_member_text(s, o, ONCE[i], json_text(list->last));
    }
    return o;
}

void crl_show_json(struct buf *b, const struct crl *crl, const char *reason, const char *indent)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct show *s = &(struct show){b, a};
    struct json *o = json_make_object(a), *entries = json_make_list(a),
                *extensions = json_make_list(a), *signature = json_make_object(a);

    for (size_t i = 0; i < crl->n; i++)
        json_append(entries, entry_json(s, &crl->entries[i]));
    for (size_t i = 0; i < crl->extensions.n; i++)
        json_append(extensions, extension_json(s, crl, &crl->extensions.v[i]));
    show_member(s, signature, "signature_algorithm", show_algorithm(s, crl->sig_alg, crl->sig_oid));
    show_member(s, signature, "value", show_base64(s, crl->signature));
    show_member(s, signature, "valid", json_make_bool(a, !reason));
    if (reason)
        show_member_text(s, signature, "reason", slice_text(reason));

    show_member(s, o, "version", json_make_int(a, crl->version));
    show_member(s, o, "signature_algorithm", show_algorithm(s, crl->sig_alg, crl->sig_oid));
    show_member(s, o, "issuer", issuer_json(s, &crl->issuer));
    show_member_text(s, o, "this_update", rfc3339(a, crl->this_update));
    if (!instant_is_zero(crl->next_update))
        show_member_text(s, o, "next_update", rfc3339(a, crl->next_update));
    show_member(s, o, "revoked_certificates", entries);
    show_member(s, o, "extensions", extensions);
    show_member(s, o, "signature", signature);
    json_print(b, o, indent);
}
