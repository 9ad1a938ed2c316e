/* Revocation lists. */
#include "ssh/krl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t SERIALS[] = {0, 1, 7, 1u << 20, UINT64_MAX - 1, UINT64_MAX};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct ssh_krl_read *k;

    if (!ssh_krl_read(a, slice_of(data, size), &k, NULL))
        return 0;
    (void)ssh_krl_version(k);
    for (size_t i = 0; i < COUNT_OF(SERIALS); i++)
        (void)ssh_krl_has(k, SLICE("ca"), SERIALS[i]);
    return 0;
}
