/*
 * Heads and chunked bodies.  The first byte tells how large the pieces are in which the rest
 * arrives; cutting must never change what is read.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "net/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static enum http1_step scan(struct slice rest, size_t piece, size_t *end)
{
    struct http1_scan s = {0};
    enum http1_step step = HTTP1_MORE;
    const char *why = NULL;

    while (step == HTTP1_MORE && rest.n) {
        size_t before = s.n;
        step = http1_scan(&s, slice_sub(rest, 0, piece), &why);
        must(s.n > before);
        rest = slice_from(rest, s.n - before);
    }
    must((step == HTTP1_BAD) == (why != NULL));
    *end = s.n;
    return step;
}

static enum http1_step unchunk(struct slice rest, size_t piece, struct buf *out, size_t *used_all)
{
    struct http1_chunks c = {0};
    enum http1_step step = HTTP1_MORE;
    struct slice piece_out;
    const char *why;
    size_t used;

    *used_all = 0;
    while (step == HTTP1_MORE && rest.n) {
        struct slice in = slice_sub(rest, 0, piece);
        step = http1_chunks(&c, in, &used, &piece_out, &why);
        must(used > 0 && used <= in.n && piece_out.n <= used);
        must((step == HTTP1_BAD) == (why != NULL));
        buf_put(out, piece_out);
        rest = slice_from(rest, used);
        *used_all += used;
    }
    return step;
}

static void check_head(struct arena *a, struct slice head)
{
    struct http_request in = {0};
    struct http1_framing framing;
    struct err e = {0};
    int status = http1_head(a, head, &in, &framing, &e);

    must((status != 0) == (e.kind != ERR_NONE));
    if (status)
        return;
    must(in.path.n > 0 && !slice_has_nul(in.path) && in.raw_path.n >= in.path.n);
    must(in.method_text.n > 0 && in.target.n > 0);
    must(!(framing.chunked && framing.length));
    must(in.fields.n <= HTTP1_FIELDS_MAX);
    for (size_t i = 0; i < in.fields.n; i++) {
        must(in.fields.v[i].name.n > 0);
        must(slice_find(in.fields.v[i].value, '\r') == in.fields.v[i].value.n);
        must(slice_find(in.fields.v[i].value, '\n') == in.fields.v[i].value.n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    size_t piece = data[0] ? data[0] : 1, end_whole, end_cut;
    struct slice rest = slice_of(data + 1, n - 1);
    struct arena *a = arena_new(&HEAP_USUAL);

    enum http1_step whole = scan(rest, n, &end_whole), cut = scan(rest, piece, &end_cut);
    must(whole == cut && end_whole == end_cut);
    check_head(a, rest);
    if (whole == HTTP1_DONE)
        check_head(a, slice_sub(rest, 0, end_whole));
    struct buf one = buf_new(a, n), two = buf_new(a, n);
    whole = unchunk(rest, n, &one, &end_whole);
    cut = unchunk(rest, piece, &two, &end_cut);
    must(whole == cut && end_whole == end_cut && buf_ok(&one) && buf_ok(&two));
    must(slice_eq(buf_slice(&one), buf_slice(&two)));
    arena_free(a);
    return 0;
}
