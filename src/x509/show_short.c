/*
 * The short text of certificate inspect: what a person wants to know at a glance.
 */
#include "x509/show_internal.h"

#define ABBREVIATE_FROM 9u

/* "8198...6895" */
static void abbreviated(struct buf *b, struct slice s)
{
    if (s.n < ABBREVIATE_FROM) {
        show_clean(b, s);
        return;
    }
    show_clean(b, slice_sub(s, 0, 4));
    buf_text(b, "...");
    show_clean(b, slice_from(s, s.n - 4));
}

static void key_put(struct show *s, const struct key *key, struct slice spki)
{
    struct slice algorithm = key_algorithm_text(s->a, key, spki);

    buf_put(s->b, algorithm);
    if (!key)
        return;
    if (key_is_ec(key))
        buf_printf(s->b, " %s", key_curve_name(key->type));
    else
        buf_printf(s->b, " %u", key->type == KEY_RSA ? key->bits : 256);
}

struct lines {
    struct show *s;
    bool any;
};

static void subject_line(struct lines *l, struct slice text)
{
    show_at(l->s->b, l->any ? 15 : 2, "%s", l->any ? "" : "Subject:     ");
    show_clean(l->s->b, text);
    buf_byte(l->s->b, '\n');
    l->any = true;
}

static void subject_lines(struct show *s, const struct dn *subject, const struct sans *sans)
{
    static const enum san_kind ORDER[] = {SAN_DNS, SAN_IP, SAN_EMAIL, SAN_URI};
    struct slice cn = dn_common_name(subject);
    struct lines l = {s, false};

    if (cn.n)
        subject_line(&l, cn);
    for (size_t k = 0; k < COUNT_OF(ORDER); k++) {
        for (size_t i = 0; i < sans->n; i++) {
            if (sans->v[i].kind == ORDER[k] && !slice_eq(sans->v[i].text, cn))
                subject_line(&l, sans->v[i].text);
        }
    }
    if (!l.any)
        show_at(s->b, 2, "Subject: \n");
}

static void provisioner_line(struct show *s, const struct cert *c)
{
    const struct extension *x = extensions_get(&c->extensions, &OID_EXT_PROVISIONER);
    struct provisioner_extension p;

    if (!x || !provisioner_extension_read(s->a, x->value, &p, NULL))
        return;
    show_at(s->b, 2, "Provisioner: ");
    show_clean(s->b, p.name);
    if (p.credential_id.n) {
        buf_text(s->b, " [ID: ");
        abbreviated(s->b, p.credential_id);
        buf_byte(s->b, ']');
    }
    buf_byte(s->b, '\n');
}

static const char *kind_of(const struct cert *c)
{
    if (!c->has_basic || !c->basic.ca)
        return "TLS";
    return cert_self_signed(c) ? "Root CA" : "Intermediate CA";
}

void cert_show_short(struct buf *b, const struct cert *c)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct show s = {b, a};
    struct slice from = rfc3339(a, c->not_before), to = rfc3339(a, c->not_after);

    buf_printf(b, "X.509v%d %s Certificate (", c->version, kind_of(c));
    key_put(&s, c->key, c->spki);
    buf_text(b, ") [Serial: ");
    abbreviated(b, serial_decimal(a, c->serial));
    buf_text(b, "]\n");
    subject_lines(&s, &c->subject, &c->sans);
    show_at(b, 2, "Issuer:      ");
    show_clean(b, dn_common_name(&c->issuer));
    buf_byte(b, '\n');
    provisioner_line(&s, c);
    show_at(b, 2, "Valid from:  %.*s\n", SLICE_ARG(from));
    show_at(b, 10, "to:  %.*s\n", SLICE_ARG(to));
}

void csr_show_short(struct buf *b, const struct csr *c)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct show s = {b, a};

    buf_text(b, "X.509v3 Certificate Signing Request (");
    key_put(&s, c->key, c->spki);
    buf_text(b, ")\n");
    subject_lines(&s, &c->subject, &c->sans);
}
