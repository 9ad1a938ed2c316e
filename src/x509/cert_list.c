/*
 * Certificates as people handle them: bundles in files, PEM, fingerprints, and serial numbers as
 * text.
 */
#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/pem.h"
#include "x509/cert.h"

#define SERIAL_OCTETS_MAX 64

/* --- Serial numbers ----------------------------------------------------------------------- */

struct slice serial_decimal(struct arena *a, struct slice magnitude)
{
    size_t room = magnitude.n * 5 / 2 + 2, at = room;
    uint8_t *text = arena_alloc(a, room);
    uint8_t *left = arena_alloc(a, magnitude.n + 1);

    if (magnitude.n)
        memcpy(left, magnitude.p, magnitude.n);
    do {
        unsigned rest = 0, any = 0;
        for (size_t i = 0; i < magnitude.n; i++) {
            unsigned v = rest << 8 | left[i];
            left[i] = (uint8_t)(v / 10);
            rest = v % 10;
            any |= left[i];
        }
        text[--at] = (uint8_t)('0' + rest);
        if (!any)
            break;
    } while (at > 0);
    return slice_of(text + at, room - at);
}

/* Base of the text, and how many characters say so. */
static unsigned serial_base(struct slice text, size_t *prefix)
{
    static const struct {
        char letter;
        unsigned base;
    } PREFIXES[] = {{'x', 16}, {'b', 2}, {'o', 8}};

    *prefix = 0;
    if (text.n < 2 || text.p[0] != '0')
        return 10;
    *prefix = 2;
    for (size_t i = 0; i < COUNT_OF(PREFIXES); i++) {
        if ((text.p[1] | 0x20) == PREFIXES[i].letter)
            return PREFIXES[i].base;
    }
    *prefix = 1;
    return 8;
}

static unsigned digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? 10u + (unsigned)(c - 'a') : 99;
}

/* number = number * base + digit; false when it does not fit. */
static bool number_add(uint8_t number[SERIAL_OCTETS_MAX], unsigned base, unsigned digit)
{
    unsigned carry = digit;

    for (size_t i = SERIAL_OCTETS_MAX; i > 0; i--) {
        carry += number[i - 1] * base;
        number[i - 1] = (uint8_t)carry;
        carry >>= 8;
    }
    return carry == 0;
}

bool serial_read(struct arena *a, struct slice text, struct slice *magnitude, struct err *e)
{
    uint8_t number[SERIAL_OCTETS_MAX] = {0};
    size_t prefix, skip = 0;
    unsigned base = serial_base(text, &prefix);
    bool digit = prefix > 0; /* what stood before: '_' is allowed between digits only */

    if (prefix == text.n)
        digit = false;
    for (size_t i = prefix; i < text.n; i++) {
        if (text.p[i] == '_' && digit) {
            digit = false;
            continue;
        }
        unsigned v = digit_value(text.p[i]);
        if (v >= base)
            return err_set(e, ERR_MALFORMED,
                           "serial number: expected decimal digits, or digits after 0x, 0b, 0o");
        if (!number_add(number, base, v))
            return err_set(e, ERR_MALFORMED, "serial number: more than %d octets",
                           SERIAL_OCTETS_MAX);
        digit = true;
    }
    if (!digit)
        return err_set(e, ERR_MALFORMED, "serial number: expected a digit at the end");
    while (skip < SERIAL_OCTETS_MAX - 1 && number[skip] == 0)
        skip++;
    *magnitude = arena_copy(a, slice_of(number + skip, SERIAL_OCTETS_MAX - skip));
    return true;
}

/* --- Fingerprint, PEM --------------------------------------------------------------------- */

struct slice cert_fingerprint(struct arena *a, struct slice der)
{
    return sha256_hex(a, der);
}

struct slice cert_pem(struct arena *a, struct slice der)
{
    return pem_text(a, "CERTIFICATE", der);
}

struct slice cert_list_pem(struct arena *a, const struct cert_list *list)
{
    size_t room = 1;

    for (size_t i = 0; i < list->n; i++)
        room += 2 * list->v[i]->der.n + 128;
    struct buf b = buf_new(a, room);
    for (size_t i = 0; i < list->n; i++)
        pem_put(&b, "CERTIFICATE", list->v[i]->der);
    return buf_slice(&b);
}

/* --- Bundles ------------------------------------------------------------------------------ */

void cert_list_add(struct arena *a, struct cert_list *list, struct cert *c)
{
    /* A new array each time: whoever made the old one may have made it exactly as long. */
    struct cert **v = arena_array(a, list->n + 1, sizeof(*v));

    if (list->n)
        memcpy(v, list->v, list->n * sizeof(*v));
    v[list->n++] = c;
    list->v = v;
}

static bool bundle_read(struct arena *a, struct slice text, const char *name, cert_read_fn *read,
                        struct cert_list *list, struct err *e)
{
    struct err local = {0}, *why = e ? e : &local;
    struct cert *c;
    struct pem block;

    err_clear(why);
    while (pem_next(a, &text, &block, why)) {
        if (!slice_is(block.label, "CERTIFICATE") || block.n_headers)
            continue;
        if (!read(a, block.der, &c, why))
            return err_wrap(why, "error parsing %s: certificate %zu", name, list->n + 1);
        cert_list_add(a, list, c);
    }
    if (why->kind != ERR_NONE)
        return err_wrap(why, "error decoding %s", name);
    return list->n || err_set(why, ERR_MALFORMED, "%s contains no certificate", name);
}

static bool list_read(struct arena *a, struct slice text, const char *name, cert_read_fn *read,
                      struct cert_list *list, struct err *e)
{
    struct cert *c;

    *list = (struct cert_list){0};
    text = bom_skip(text);
    if (pem_looks_like(text))
        return bundle_read(a, text, name, read, list, e);
    if (slice_empty(slice_trim(text)))
        return err_set(e, ERR_MALFORMED, "%s contains no certificate", name);
    if (!read(a, text, &c, e))
        return err_wrap(e, "error parsing %s", name);
    cert_list_add(a, list, c);
    return true;
}

bool cert_list_read(struct arena *a, struct slice text, const char *name, struct cert_list *list,
                    struct err *e)
{
    return list_read(a, text, name, cert_read, list, e);
}

bool cert_list_look(struct arena *a, struct slice text, const char *name, struct cert_list *list,
                    struct err *e)
{
    return list_read(a, text, name, cert_look, list, e);
}

bool cert_list_load(struct arena *a, const char *path, struct cert_list *list, struct err *e)
{
    struct slice text;

    return file_read(a, path, true, FILE_MAX_USUAL, &text, e) &&
           cert_list_read(a, text, path, list, e);
}
