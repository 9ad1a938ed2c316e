/*
 * The long text of certificate inspect (docs/reference/inspect.md): a certificate or a request,
 * line by line in its own order.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "x509/show_internal.h"
#include "x509/sigalg.h"

/* --- Pieces ------------------------------------------------------------------------------- */

void show_at(struct buf *b, unsigned indent, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    for (unsigned i = 0; i < indent; i++)
        buf_byte(b, ' ');
    if (n < 0)
        return;
    if ((size_t)n < sizeof(text)) {
        buf_put(b, slice_of(text, (size_t)n));
        return;
    }
    char *all = xmalloc((size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(all, (size_t)n + 1, fmt, args);
    va_end(args);
    buf_put(b, slice_of(all, (size_t)n));
    free(all);
}

void show_clean(struct buf *b, struct slice s)
{
    bool utf8 = slice_is_utf8(s);

    for (size_t i = 0; i < s.n; i++) {
        bool control = s.p[i] < 0x20 || s.p[i] == 0x7f || (s.p[i] >= 0x80 && !utf8);
        buf_byte(b, control ? '.' : s.p[i]);
    }
}

void show_hex_lines(struct buf *b, unsigned indent, unsigned per_line, struct slice bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        if (i % per_line == 0)
            show_at(b, indent, "%s", "");
        buf_printf(b, "%02x", bytes.p[i]);
        if (i + 1 < bytes.n)
            buf_byte(b, ':');
        if ((i + 1) % per_line == 0 || i + 1 == bytes.n)
            buf_byte(b, '\n');
    }
}

void show_hex(struct buf *b, struct slice bytes, bool upper)
{
    for (size_t i = 0; i < bytes.n; i++)
        buf_printf(b, upper ? "%s%02X" : "%s%02x", i ? ":" : "", bytes.p[i]);
}

static void dn_line(struct show *s, const char *label, const struct dn *dn)
{
    struct slice text = dn_text(s->a, dn);

    show_at(s->b, 8, "%s:%s", label, text.n ? " " : "");
    show_clean(s->b, text);
    buf_byte(s->b, '\n');
}

static void time_line(struct buf *b, const char *label, struct instant t)
{
    static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil c = instant_civil(t);

    show_at(b, 12, "%s: %s %d %02d:%02d:%02d %d UTC\n", label, MONTHS[c.month - 1], c.day, c.hour,
            c.minute, c.second, c.year);
}

/* --- The public key ----------------------------------------------------------------------- */

static struct slice without_zeros(struct slice s)
{
    while (s.n && s.p[0] == 0)
        s = slice_from(s, 1);
    return s;
}

static void rsa_put(struct show *s, const struct key *key, const struct key_numbers *n)
{
    uint64_t exponent = 0;

    for (size_t i = 0; i < n->e.n && n->e.n <= 8; i++)
        exponent = exponent << 8 | n->e.p[i];
    show_at(s->b, 16, "Public-Key: (%u bit)\n", key->bits);
    show_at(s->b, 16, "Modulus:\n");
    show_hex_lines(s->b, 20, 15, n->n);
    show_at(s->b, 16, "Exponent: %llu (0x%llx)\n", (unsigned long long)exponent,
            (unsigned long long)exponent);
}

static void ec_put(struct show *s, const struct key *key, const struct key_numbers *n)
{
    show_at(s->b, 16, "Public-Key: (%u bit)\n", key->bits);
    show_at(s->b, 16, "X:\n");
    show_hex_lines(s->b, 20, 15, without_zeros(n->x));
    show_at(s->b, 16, "Y:\n");
    show_hex_lines(s->b, 20, 15, without_zeros(n->y));
    show_at(s->b, 16, "Curve: %s\n", key_curve_name(key->type));
}

static void key_put(struct show *s, const struct key *key, struct slice spki)
{
    struct slice algorithm = key_algorithm_text(s->a, key, spki), bits;
    struct key_numbers n = {0};

    show_at(s->b, 8, "Subject Public Key Info:\n");
    show_at(s->b, 12, "Public Key Algorithm: %.*s\n", SLICE_ARG(algorithm));
    if (!key || !key_numbers(s->a, key, &n, NULL)) {
        show_at(s->b, 16, "Raw Bytes:\n");
        if (spki_shape(spki, NULL, &bits))
            show_hex_lines(s->b, 20, 15, bits);
        return;
    }
    if (key->type == KEY_RSA) {
        rsa_put(s, key, &n);
    } else if (key_is_ec(key)) {
        ec_put(s, key, &n);
    } else {
        /* The reference counts octets here and calls them bits. */
        show_at(s->b, 16, "Public-Key: (%zu bit)\n", n.x.n);
        show_hex_lines(s->b, 20, 15, n.x);
    }
}

static void signature_put(struct show *s, struct slice algorithm, struct slice signature)
{
    show_at(s->b, 4, "Signature Algorithm: %.*s\n", SLICE_ARG(algorithm));
    show_hex_lines(s->b, 9, 18, signature);
}

/* --- Whole objects ------------------------------------------------------------------------ */

void cert_show_text(struct buf *b, const struct cert *c)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct show s = {b, a};
    struct slice algorithm = alg_text(a, c->sig_alg, c->sig_oid);
    struct slice serial = serial_decimal(a, c->serial), serial_hex = hex_text(a, c->serial);

    show_at(b, 0, "Certificate:\n");
    show_at(b, 4, "Data:\n");
    show_at(b, 8, "Version: %d (0x%x)\n", c->version, (unsigned)c->version - 1);
    show_at(b, 8, "Serial Number: %.*s (0x%.*s)\n", SLICE_ARG(serial), SLICE_ARG(serial_hex));
    show_at(b, 8, "Signature Algorithm: %.*s\n", SLICE_ARG(algorithm));
    dn_line(&s, "Issuer", &c->issuer);
    show_at(b, 8, "Validity\n");
    time_line(b, "Not Before", c->not_before);
    time_line(b, "Not After ", c->not_after);
    dn_line(&s, "Subject", &c->subject);
    key_put(&s, c->key, c->spki);
    if (c->extensions.n)
        show_at(b, 8, "X509v3 extensions:\n");
    for (size_t i = 0; i < c->extensions.n; i++)
        show_extension(&s, &c->extensions.v[i], false);
    signature_put(&s, algorithm, c->signature);
}

/* Extensions that we know come first, all others below "Attributes". */
static void requested_put(struct show *s, const struct csr *c, bool known, const char *title)
{
    bool any = false;

    for (size_t i = 0; i < c->extensions.n; i++) {
        if (show_extension_known(&c->extensions.v[i]) != known)
            continue;
        if (!any)
            show_at(s->b, 8, "%s:\n", title);
        any = true;
        show_extension(s, &c->extensions.v[i], true);
    }
}

void csr_show_text(struct buf *b, const struct csr *c)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct show s = {b, a};
    struct slice algorithm = alg_text(a, c->sig_alg, c->sig_oid);

    show_at(b, 0, "Certificate Request:\n");
    show_at(b, 4, "Data:\n");
    show_at(b, 8, "Version: 0 (0x0)\n");
    dn_line(&s, "Subject", &c->subject);
    key_put(&s, c->key, c->spki);
    requested_put(&s, c, true, "Requested Extensions");
    requested_put(&s, c, false, "Attributes");
    signature_put(&s, algorithm, c->signature);
}
