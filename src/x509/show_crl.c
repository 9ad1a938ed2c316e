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

/* URI of the distribution point; p == NULL when there is none. */
static struct slice idp_url(struct slice value)
{
    struct der outer = der_reader(value), in, name, full;
    struct slice url;
    uint8_t tag;

    if (!der_enter(&outer, DER_SEQUENCE, &in) ||
        !der_enter(&in, DER_CONTEXT_CONSTRUCTED(0), &name) ||
        !der_enter(&name, DER_CONTEXT_CONSTRUCTED(0), &full))
        return SLICE_NONE;
    while (der_next(&full, &tag, &url, NULL)) {
        if (tag == DER_CONTEXT(6))
            return url;
    }
    return SLICE_NONE;
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
    struct slice url = idp_url(x->value), number = number_text(s->a, x->value);

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
    if (oid_eq(&OID_EXT_IDP, x->oid) && url.p) {
        show_at(s->b, 12, "X509v3 Issuing Distribution Point:%s\n", critical);
        show_at(s->b, 16, "Full Name:\n");
        show_labelled(s->b, 20, "URI:", url);
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

static void entry_text(struct show *s, const struct crl_entry *entry)
{
    struct arena_mark mark = arena_mark(s->a);
    struct slice serial = serial_decimal(s->a, entry->serial), at = time_text(s->a, entry->at);

    show_at(s->b, 12, "Serial Number: %.*s (0x", SLICE_ARG(serial));
    hex_upper(s->b, entry->serial);
    buf_text(s->b, ")\n");
    show_at(s->b, 16, "Revocation Date: %.*s\n", SLICE_ARG(at));
    if (entry->reason) {
        show_at(s->b, 16, "CRL Entry Extensions:\n");
        show_at(s->b, 20, "X509v3 CRL Reason Code:\n");
        show_at(s->b, 24, "%s\n", crl_reason_text(entry->reason));
    }
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
    struct slice url = idp_url(x->value), number = number_text(s->a, x->value);

    if (oid_eq(&OID_EXT_AKI, x->oid) && crl->aki.n)
        show_member_text(s, o, "authority_key_id", hex_text(s->a, crl->aki));
    else if (oid_eq(&OID_EXT_CRL_NUMBER, x->oid) && crl->number < INT64_MAX && crl->number >= 0)
        show_member(s, o, "crl_number", json_make_int(s->a, crl->number));
    else if (oid_eq(&OID_EXT_CRL_NUMBER, x->oid) && number.p)
        show_member_text(s, o, "crl_number", number);
    else if (oid_eq(&OID_EXT_IDP, x->oid) && url.p)
        show_member_text(s, o, "issuing_distribution_point", url);
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

static struct json *entry_json(struct show *s, const struct crl_entry *entry)
{
    struct json *o = json_make_object(s->a);

    show_member_text(s, o, "serial_number", serial_decimal(s->a, entry->serial));
    show_member_text(s, o, "revocation_time", rfc3339(s->a, entry->at));
    if (!entry->reason)
        return o;
    struct json *list = json_make_list(s->a), *reason = json_make_object(s->a);
    show_member_text(s, reason, "crl_reason_code", slice_text(crl_reason_text(entry->reason)));
    json_append(list, reason);
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
