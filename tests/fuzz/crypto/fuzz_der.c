/*
 * The DER reader: no call may read outside the input, and what the readers accept must come out of
 * the writer again octet by octet: then it was canonical.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "crypto/der.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool good)
{
    if (!good)
        abort();
}

static void same(struct buf *b, struct slice expected)
{
    must(buf_ok(b) && slice_eq(buf_slice(b), expected));
    buf_reset(b);
}

static void typed(struct arena *a, struct slice whole)
{
    struct buf b = buf_new(a, whole.n + 16);
    struct der d = der_reader(whole), at;
    struct slice s;
    struct instant t;
    uint32_t bits;
    unsigned unused;
    int64_t v;
    bool flag;

    if (at = d, der_take_bool(&at, &flag))
        der_bool(&b, flag), same(&b, whole);
    if (at = d, der_take_int(&at, &v))
        der_int(&b, v), same(&b, whole);
    if (at = d, der_take_integer(&at, &s, &flag) && !flag)
        der_uint(&b, s), same(&b, whole);
    if (at = d, der_take_bits(&at, &s, &unused) && !unused)
        der_bits(&b, s), same(&b, whole);
    if (at = d, der_take_named_bits(&at, &bits)) {
        der_named_bits(&b, bits);
        must(b.n <= whole.n);
        buf_reset(&b);
    }
    if (at = d, der_take_time(&at, &t)) {
        if (der_is(&d, DER_GENERALIZED_TIME))
            der_generalized_time(&b, t);
        else
            der_time(&b, t);
        same(&b, whole);
    }
    if (at = d, der_take_string(&at, a, &s))
        must(slice_is_utf8(s));
    if (at = d, der_take_oid(&at, &s)) {
        struct slice text = oid_text(a, s), content;
        if (text.n)
            must(oid_read(a, text, &content) && slice_eq(content, s));
    }
}

static void walk(struct arena *a, struct slice in, unsigned depth)
{
    struct der d = der_reader(in);
    struct slice content, whole;
    uint8_t tag;

    while (der_next(&d, &tag, &content, &whole)) {
        struct buf b = buf_new(a, whole.n + 16);
        must(content.p >= whole.p && content.p + content.n == whole.p + whole.n);
        der_put(&b, tag, content);
        same(&b, whole);
        typed(a, whole);
        if (tag & 0x20 && depth < 16)
            walk(a, content, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice content, in = slice_of(data, n);

    if (n > 4096)
        return 0;
    walk(a, in, 0);
    if (oid_read(a, in, &content))
        must(slice_eq(oid_text(a, content), in));
    return 0;
}
