/* PEM: blocks lie inside the text, and what was decoded reads the same after it was written. */
#include <stdlib.h>

#include "crypto/pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice text = slice_of(data, n), rest = bom_skip(text);
    struct pem block, again;
    struct err e = {0};

    while (pem_next(a, &rest, &block, &e)) {
        const char *label = arena_cstr(a, block.label);
        struct slice written = pem_text(a, label, block.der);
        if (block.text.p < text.p || block.text.p + block.text.n > text.p + text.n)
            abort();
        if (!pem_next(a, &written, &again, &e) || !slice_eq(again.der, block.der) ||
            !slice_eq(again.label, block.label) || written.n)
            abort();
        if (!pem_looks_like(text))
            abort();
    }
    if (e.kind != ERR_NONE && e.kind != ERR_MALFORMED)
        abort();
    return 0;
}
