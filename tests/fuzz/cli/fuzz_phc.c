/* Hashes of passwords as text: what is read is written and read again as the same. */
#include <stdlib.h>

#include "cli/phc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct phc first, second;
    struct err e = {0};

    if (phc_read(a, slice_of(data, size), &first, &e) && first.alg != PHC_BCRYPT) {
        if (!phc_read(a, phc_text(a, &first), &second, &e) || !slice_eq(first.salt, second.salt) ||
            !slice_eq(first.hash, second.hash) || first.ln != second.ln || first.m != second.m ||
            first.p != second.p)
            abort();
    }
    arena_free(a);
    return 0;
}
