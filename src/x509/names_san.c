/*
 * Subject alternative names: GeneralNames (RFC 5280 4.2.1.6) as a list of typed texts, and the
 * rule by which a plain text from a token or a command line becomes one of them.  An IPv4 address
 * that is written as an IPv6 one is judged as what it is, so it reads as 4 bytes.
 */
#include "base/uri.h"
#include "x509/names.h"
#include "x509/sigalg.h"

/* --- Plain texts -------------------------------------------------------------------------- */

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 3986 3.1, with the colon. */
static bool has_scheme(struct slice s)
{
    if (!s.n || !is_letter(s.p[0]))
        return false;
    for (size_t i = 1; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == ':')
            return true;
        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '+' && c != '-' && c != '.')
            return false;
    }
    return false;
}

static bool is_uri(struct slice text)
{
    struct uri u;

    if (!has_scheme(text))
        return false;
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    return uri_read(a, text, &u, NULL) && !slice_empty(u.scheme);
}

enum san_kind san_kind_of(struct slice text)
{
    struct ip ip;

    if (ip_read(text, &ip))
        return SAN_IP;
    if (is_uri(text))
        return SAN_URI;
    return slice_find(text, '@') < text.n ? SAN_EMAIL : SAN_DNS;
}

static struct san san_of_text(struct arena *a, enum san_kind kind, struct slice text)
{
    struct san s = {.kind = kind, .text = text};

    if (kind == SAN_IP && ip_read(text, &s.ip))
        s.text = ip_text(a, &s.ip);
    return s;
}

void sans_split(struct arena *a, const struct slice *texts, size_t n, struct sans *out)
{
    static const enum san_kind ORDER[] = {SAN_DNS, SAN_IP, SAN_EMAIL, SAN_URI};
    enum san_kind *kinds = arena_array(a, n ? n : 1, sizeof(*kinds));

    *out = (struct sans){.v = arena_array(a, n ? n : 1, sizeof(*out->v))};
    for (size_t i = 0; i < n; i++)
        kinds[i] = slice_empty(texts[i]) ? SAN_KINDS : san_kind_of(texts[i]);
    for (size_t k = 0; k < COUNT_OF(ORDER); k++) {
        for (size_t i = 0; i < n; i++) {
            if (kinds[i] == ORDER[k])
                out->v[out->n++] = san_of_text(a, ORDER[k], texts[i]);
        }
    }
}

/* --- GeneralNames ------------------------------------------------------------------------- */

/* GeneralName's tags (RFC 5280 4.2.1.6); x400Address and ediPartyName are kept like otherName. */
static const struct general_name {
    uint8_t tag;
    enum san_kind kind;
    const char *what;
} GENERAL_NAMES[] = {
    {DER_CONTEXT(2), SAN_DNS, "DNS name"},
    {DER_CONTEXT(1), SAN_EMAIL, "email address"},
    {DER_CONTEXT(7), SAN_IP, "IP address"},
    {DER_CONTEXT(6), SAN_URI, "URI"},
    {DER_CONTEXT_CONSTRUCTED(0), SAN_OTHER, "otherName"},
    {DER_CONTEXT_CONSTRUCTED(3), SAN_OTHER, "x400Address"},
    {DER_CONTEXT_CONSTRUCTED(4), SAN_DIRECTORY, "directoryName"},
    {DER_CONTEXT_CONSTRUCTED(5), SAN_OTHER, "ediPartyName"},
    {DER_CONTEXT(8), SAN_RID, "registeredID"},
};

static const struct general_name *general_name_of_tag(uint8_t tag)
{
    for (size_t i = 0; i < COUNT_OF(GENERAL_NAMES); i++) {
        if (GENERAL_NAMES[i].tag == tag)
            return &GENERAL_NAMES[i];
    }
    return NULL;
}

static bool is_ia5_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == 0 || s.p[i] >= 0x80)
            return false;
    }
    return true;
}

/* ::ffff:a.b.c.d */
static bool is_mapped(struct slice bytes)
{
    static const uint8_t PREFIX[12] = {[10] = 0xff, [11] = 0xff};

    return bytes.n == 16 && memcmp(bytes.p, PREFIX, sizeof(PREFIX)) == 0;
}

static bool ip_san(struct arena *a, struct slice bytes, struct san *s)
{
    if (bytes.n != 4 && bytes.n != 16)
        return false;
    if (is_mapped(bytes))
        bytes = slice_from(bytes, 12);
    memcpy(s->ip.bytes, bytes.p, bytes.n);
    s->ip.n = (uint8_t)bytes.n;
    s->text = ip_text(a, &s->ip);
    return true;
}

/* OtherName: type-id, [0] EXPLICIT value. */
static bool other_name_ok(struct slice content)
{
    struct der in = der_reader(content), value;
    struct slice type;

    return der_take_oid(&in, &type) && der_enter(&in, DER_CONTEXT_CONSTRUCTED(0), &value) &&
           der_done(&in) && der_take_any(&value, NULL, NULL, NULL) && der_done(&value);
}

static bool general_name_read(struct arena *a, uint8_t tag, struct slice content,
                              struct slice whole, struct san *s, struct err *e)
{
    const struct general_name *g = general_name_of_tag(tag);
    struct dn dn;

    if (!g)
        return err_set(e, ERR_MALFORMED, "tag 0x%02x is no GeneralName (RFC 5280 4.2.1.6)", tag);
    s->kind = g->kind;
    if (g->kind == SAN_IP)
        return ip_san(a, content, s) ||
               err_set(e, ERR_MALFORMED, "IP address of %zu bytes, not 4 or 16 (RFC 5280 4.2.1.6)",
                       content.n);
    if (g->kind < SAN_OTHER) {
        s->text = content;
        return is_ia5_text(content) ||
               err_set(e, ERR_MALFORMED, "%s with a NUL or non-ASCII byte (RFC 5280 4.2.1.6)",
                       g->what);
    }
    s->text = whole;
    if (tag == DER_CONTEXT_CONSTRUCTED(0) && !other_name_ok(content))
        return err_set(e, ERR_MALFORMED, "otherName is not a type and a value (RFC 5280 4.2.1.6)");
    return g->kind != SAN_DIRECTORY || dn_read(a, content, &dn, e);
}

bool sans_read(struct arena *a, struct slice der, struct sans *out, struct err *e)
{
    struct der outer = der_reader(der), names, count;
    struct slice content, whole;
    size_t n = 0;
    uint8_t tag;

    *out = (struct sans){0};
    if (!der_enter(&outer, DER_SEQUENCE, &names) || !der_done(&outer))
        return err_set(e, ERR_MALFORMED, "names: expected one SEQUENCE (RFC 5280 4.2.1.6)");
    for (count = names; !der_done(&count); n++) {
        if (!der_next(&count, NULL, NULL, NULL))
            return err_set(e, ERR_MALFORMED, "name %zu is not DER (RFC 5280 4.2.1.6)", n + 1);
    }
    if (n > SANS_MAX)
        return err_set(e, ERR_MALFORMED, "%zu names, at most %d are read", n, SANS_MAX);
    out->v = arena_array(a, n ? n : 1, sizeof(*out->v));
    while (der_next(&names, &tag, &content, &whole)) {
        if (!general_name_read(a, tag, content, whole, &out->v[out->n], e))
            return err_wrap(e, "name %zu", out->n + 1);
        out->n++;
    }
    return true;
}

static bool san_put(struct buf *b, const struct san *s, struct err *e)
{
    static const uint8_t TAGS[SAN_OTHER] = {
        [SAN_DNS] = DER_CONTEXT(2),
        [SAN_EMAIL] = DER_CONTEXT(1),
        [SAN_IP] = DER_CONTEXT(7),
        [SAN_URI] = DER_CONTEXT(6),
    };
    static const char *const WHAT[SAN_OTHER] = {"DNS name", "email address", "IP address", "URI"};
    struct ip ip = s->ip;

    if (s->kind >= SAN_OTHER) {
        der_raw(b, s->text);
        return true;
    }
    if (s->kind == SAN_IP) {
        if (!ip.n && !ip_read(s->text, &ip))
            return err_set(e, ERR_MALFORMED, "\"%.*s\" is not an IP address", SLICE_ARG(s->text));
        der_put(b, TAGS[SAN_IP], slice_of(ip.bytes, ip.n));
        return true;
    }
    if (slice_empty(s->text) || !is_ia5_text(s->text))
        return err_set(e, ERR_MALFORMED, "%s \"%.*s\" is %s (RFC 5280 4.2.1.6)", WHAT[s->kind],
                       SLICE_ARG(s->text), slice_empty(s->text) ? "empty" : "not ASCII");
    der_put(b, TAGS[s->kind], s->text);
    return true;
}

bool sans_put(struct buf *b, const struct sans *s, struct err *e)
{
    size_t at;

    if (s->n > SANS_MAX)
        return err_set(e, ERR_MALFORMED, "%zu names, at most %d are written", s->n, SANS_MAX);
    der_open(b, DER_SEQUENCE, &at);
    for (int kind = SAN_DNS; kind <= SAN_OTHER; kind++) {
        for (size_t i = 0; i < s->n; i++) {
            bool now = kind == SAN_OTHER ? s->v[i].kind >= SAN_OTHER : (int)s->v[i].kind == kind;
            if (now && !san_put(b, &s->v[i], e))
                return false;
        }
    }
    der_close(b, at);
    return true;
}
