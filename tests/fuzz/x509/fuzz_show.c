/* Everything that can be read can be shown: as text without control characters, as JSON. */
#include "x509/show.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        __builtin_trap();
}

static void check_text(const struct buf *b)
{
    check(buf_ok(b) && b->n > 0);
    for (size_t i = 0; i < b->n; i++)
        check((b->p[i] >= 0x20 && b->p[i] != 0x7f) || b->p[i] == '\n');
    check(slice_is_utf8(buf_slice(b)));
}

static void check_json(struct arena *a, const struct buf *b)
{
    check(json_read(a, buf_slice(b), &JSON_STRICT, NULL, NULL));
}

static void show_cert(struct arena *a, struct buf *b, const struct cert *c)
{
    cert_show_text(b, c);
    check_text(b);
    buf_reset(b);
    cert_show_short(b, c);
    check_text(b);
    buf_reset(b);
    cert_show_json(b, c, "  ");
    check_json(a, b);
}

static void show_csr(struct arena *a, struct buf *b, const struct csr *c)
{
    csr_show_text(b, c);
    check_text(b);
    buf_reset(b);
    csr_show_short(b, c);
    check_text(b);
    buf_reset(b);
    csr_show_json(b, c, "  ");
    check_json(a, b);
}

static void show_crl(struct arena *a, struct buf *b, const struct crl *crl)
{
    crl_show_text(b, crl, NULL);
    check_text(b);
    buf_reset(b);
    crl_show_json(b, crl, "reason", "  ");
    check_json(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct buf b = buf_new(a, 16u << 20);
    struct cert *c;
    struct csr *r;

    struct crl crl;

    if (cert_look(a, slice_of(data, size), &c, NULL))
        show_cert(a, &b, c);
    else if (crl_read(a, slice_of(data, size), &crl, NULL))
        show_crl(a, &b, &crl);
    else if (csr_read(a, slice_of(data, size), &r, NULL))
        show_csr(a, &b, r);
    return 0;
}
