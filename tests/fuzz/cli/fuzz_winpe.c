/* Programs for Windows, and the PKCS#7 inside alone. */
#include "cli/winpe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct slice text = slice_of(data, size);
    struct winpe_certs certs = {0};
    struct err e = {0};

    (void)!winpe_pkcs7(a, text, &certs, &e);
    if (winpe_read(a, text, &certs, &e)) {
        for (size_t i = 0; i < certs.n; i++) {
            /* Each lies inside the file. */
            if (certs.v[i].p < data || certs.v[i].p + certs.v[i].n > data + size)
                __builtin_trap();
        }
    }
    arena_free(a);
    return 0;
}
