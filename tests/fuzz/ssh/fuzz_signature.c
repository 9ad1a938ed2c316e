/* Signature blobs under a key of each kind: none but ours verifies. */
#include "ssh/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum key_type TYPES[] = {KEY_P256, KEY_P384, KEY_P521, KEY_ED25519, KEY_RSA};
    static struct ssh_key keys[COUNT_OF(TYPES)];
    static struct arena *kept;
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    for (size_t i = 0; !kept || i < COUNT_OF(TYPES); i++) {
        struct private_key *secret;
        if (!kept)
            kept = arena_new(&HEAP_USUAL);
        if (!keys[i].key && (!private_key_generate(kept, TYPES[i], 2048, &secret, NULL) ||
                             !ssh_key_from(kept, secret->public_key, &keys[i], NULL)))
            __builtin_trap();
        if (ssh_signature_verify(a, &keys[i], SLICE("message"), slice_of(data, size), NULL))
            __builtin_trap();
    }
    return 0;
}
