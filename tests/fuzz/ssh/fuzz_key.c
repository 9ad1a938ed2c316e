/* Public keys: what is read has one form only, which we write as well. */
#include "ssh/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice blob = slice_of(data, size);
    struct ssh_key k, again;

    if (!ssh_key_read(a, blob, &k, NULL))
        return 0;
    check(ssh_key_bits(&k) > 0 && ssh_fingerprint(a, blob).n == 50);
    if (ssh_key_is_sk(k.kind))
        return 0;
    check(ssh_key_from(a, k.key, &again, NULL) && slice_eq(again.blob, blob));
    return 0;
}
