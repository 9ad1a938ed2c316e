/*
 * Alternative names and name constraints as text: a line for each of the usual kinds, a line for
 * each name of the others.
 */
#include "base/encode.h"
#include "x509/chain.h"
#include "x509/show_internal.h"

static void permanent_identifier(struct show *s, struct der value)
{
    struct der in;
    struct slice text = SLICE(""), assigner;

    if (!der_enter(&value, DER_SEQUENCE, &in))
        return;
    if (der_is(&in, DER_UTF8_STRING) && !der_take(&in, DER_UTF8_STRING, &text))
        return;
    show_at(s->b, VALUE, "Permanent Identifier: ");
    show_clean(s->b, text);
    if (der_take_oid(&in, &assigner)) {
        struct slice oid = oid_text(s->a, assigner);
        buf_text(s->b, ", Assigner: ");
        buf_put(s->b, oid);
    }
    buf_byte(s->b, '\n');
}

static void hardware_module(struct show *s, struct der value)
{
    struct der in;
    struct slice type, serial;

    if (!der_enter(&value, DER_SEQUENCE, &in) || !der_take_oid(&in, &type) ||
        !der_take(&in, DER_OCTET_STRING, &serial))
        return;
    struct slice oid = oid_text(s->a, type);
    show_at(s->b, VALUE, "Hardware Module Name: Type: %.*s, Serial Number: ", SLICE_ARG(oid));
    show_clean(s->b, serial);
    buf_byte(s->b, '\n');
}

static void user_principal(struct show *s, struct der value)
{
    struct slice text;

    if (!der_take_string(&value, s->a, &text))
        return;
    show_labelled(s->b, VALUE, "UPN: ", text);
}

static const struct {
    struct oid type;
    void (*show)(struct show *, struct der value);
} OTHER_NAMES[] = {
    {{(const uint8_t[]){0x2b, 6, 1, 5, 5, 7, 8, 3}, 8}, permanent_identifier},
    {{(const uint8_t[]){0x2b, 6, 1, 5, 5, 7, 8, 4}, 8}, hardware_module},
    {{(const uint8_t[]){0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x14, 2, 3}, 10}, user_principal},
};

static void other_name(struct show *s, const struct san *name)
{
    struct der whole = der_reader(name->text), in, value;
    struct slice type;
    size_t before = s->b->n;

    if (!der_enter(&whole, DER_CONTEXT_CONSTRUCTED(0), &in) || !der_take_oid(&in, &type) ||
        !der_enter(&in, DER_CONTEXT_CONSTRUCTED(0), &value)) {
        struct slice hex = hex_text(s->a, name->text);
        show_at(s->b, VALUE, "Other: 0x%.*s\n", SLICE_ARG(hex));
        return;
    }
    for (size_t i = 0; i < COUNT_OF(OTHER_NAMES); i++) {
        if (oid_eq(&OTHER_NAMES[i].type, type))
            OTHER_NAMES[i].show(s, value);
    }
    if (s->b->n != before)
        return;
    struct slice oid = oid_text(s->a, type);
    struct slice hex = hex_text(s->a, slice_of(value.p, (size_t)(value.end - value.p)));
    show_at(s->b, VALUE, "OtherName: Type: %.*s, Value: 0x%.*s\n", SLICE_ARG(oid), SLICE_ARG(hex));
}

static const struct {
    struct oid type;
    const char *label;
} TPM[] = {
    {{(const uint8_t[]){0x67, 0x81, 5, 2, 1}, 5}, "TPM Manufacturer: "},
    {{(const uint8_t[]){0x67, 0x81, 5, 2, 2}, 5}, "TPM Model: "},
    {{(const uint8_t[]){0x67, 0x81, 5, 2, 3}, 5}, "TPM Version: "},
};

/* What a TPM's maker says about it (TCG EK credential profile 3.2.9), else the name as it is. */
static void directory_name(struct show *s, const struct san *name)
{
    struct der whole = der_reader(name->text);
    struct slice content;
    struct dn dn;
    bool any = false;

    if (!der_next(&whole, NULL, &content, NULL) || !dn_read(s->a, content, &dn, NULL))
        return;
    for (size_t i = 0; i < COUNT_OF(TPM); i++) {
        struct slice value = dn_get(&dn, &TPM[i].type);
        if (!value.p)
            continue;
        show_labelled(s->b, VALUE, TPM[i].label, value);
        any = true;
    }
    if (!any)
        show_labelled(s->b, VALUE, "DirName:", dn_text(s->a, &dn));
}

static void names_line(struct show *s, const struct sans *names, enum san_kind kind,
                       const char *prefix)
{
    bool any = false;

    for (size_t i = 0; i < names->n; i++) {
        if (names->v[i].kind != kind)
            continue;
        if (any)
            buf_text(s->b, ", ");
        else
            show_at(s->b, VALUE, "%s", "");
        any = true;
        buf_text(s->b, prefix);
        show_clean(s->b, names->v[i].text);
    }
    if (any)
        buf_byte(s->b, '\n');
}

static void registered_id(struct show *s, const struct san *name)
{
    struct der whole = der_reader(name->text);
    struct slice content;

    if (der_next(&whole, NULL, &content, NULL))
        show_labelled(s->b, VALUE, "Registered ID:", oid_text(s->a, content));
}

bool show_subject_alt_name(struct looking *l)
{
    static void (*const REST[SAN_KINDS])(struct show *, const struct san *) = {
        [SAN_OTHER] = other_name, [SAN_DIRECTORY] = directory_name, [SAN_RID] = registered_id};
    struct sans names;

    if (!sans_read(l->s->a, l->value, &names, NULL))
        return false;
    names_line(l->s, &names, SAN_DNS, "DNS:");
    names_line(l->s, &names, SAN_EMAIL, "email:");
    names_line(l->s, &names, SAN_IP, "IP Address:");
    names_line(l->s, &names, SAN_URI, "URI:");
    for (size_t i = 0; i < names.n; i++) {
        if (REST[names.v[i].kind])
            REST[names.v[i].kind](l->s, &names.v[i]);
    }
    return true;
}

static void subtrees(struct show *s, const char *title, const struct sans *trees)
{
    static const char *const LABELS[] = {
        [SAN_DNS] = "DNS: ", [SAN_EMAIL] = "Email: ", [SAN_IP] = "IP Range: ", [SAN_URI] = "URI: "};
    static const enum san_kind ORDER[] = {SAN_DNS, SAN_EMAIL, SAN_URI, SAN_IP};
    struct slice *v = arena_array(s->a, trees->n + 1, sizeof(*v));

    if (trees->n)
        show_at(s->b, VALUE, "%s:\n", title);
    for (size_t k = 0; k < COUNT_OF(ORDER); k++) {
        size_t n = 0;
        for (size_t i = 0; i < trees->n; i++) {
            if (trees->v[i].kind == ORDER[k])
                v[n++] = trees->v[i].text;
        }
        if (!n)
            continue;
        show_at(s->b, INNER, "%s", LABELS[ORDER[k]]);
        show_list(s->b, "", ", ", v, n);
        buf_byte(s->b, '\n');
    }
}

bool show_name_constraints(struct looking *l)
{
    struct sans permitted, excluded;

    if (!name_constraints_read(l->s->a, l->value, &permitted, &excluded))
        return false;
    subtrees(l->s, "Permitted", &permitted);
    subtrees(l->s, "Excluded", &excluded);
    return true;
}
