/* Keys and key sets of strangers.  What is read must be writable, and read again as the same
 * key. */
#include <stdlib.h>

#include "jose/jwk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_survive(struct arena *a, const struct jwk *jwk)
{
    struct jwk again;
    struct err e = {0};

    if (!jwk_read(a, jwk_text(a, jwk, true), &again, &e) || again.kty != jwk->kty ||
        !again.secret != !jwk->secret || !slice_eq(again.octets, jwk->octets) ||
        !slice_eq(again.kid, jwk->kid))
        abort();
    if (jwk->key && (!key_eq(jwk->key, again.key) || jwk_thumbprint(a, jwk->key).n != 43))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct err e = {0};
    struct jwk jwk, *keys;
    size_t n;

    if (jwk_read(a, slice_of(data, size), &jwk, &e))
        must_survive(a, &jwk);
    if (jwk_set_read(a, slice_of(data, size), &keys, &n, &e))
        for (size_t i = 0; i < n; i++)
            must_survive(a, &keys[i]);
    return 0;
}
