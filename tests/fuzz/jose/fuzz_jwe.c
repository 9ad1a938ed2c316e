/* Encrypted keys of strangers: read, and opened with a fixed password, shared key and key pair.
 * Texts that ask for many rounds are left out: they are slow, not interesting. */
#include <stdlib.h>

#include "jose/jwe.h"

#define ROUNDS_MAX 1000u

static struct arena *keep;
static struct private_key *ec, *rsa;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    keep = arena_new(&HEAP_USUAL);
    if (!private_key_generate(keep, KEY_P256, 0, &ec, NULL) ||
        !private_key_generate(keep, KEY_RSA, 1024, &rsa, NULL))
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice OCTETS[] = {
        {(const uint8_t *)"0123456789abcdef", 16},
        {(const uint8_t *)"0123456789abcdef01234567", 24},
        {(const uint8_t *)"0123456789abcdef0123456789abcdef", 32}};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct err e = {0};
    struct slice plain;
    struct jwe jwe;
    uint64_t rounds = 0;

    (void)jwe_looks_like(slice_of(data, size));
    if (!jwe_read(a, slice_of(data, size), &jwe, &e))
        return 0;
    if (json_uint(json_get_exact(jwe.header, "p2c"), &rounds) && rounds > ROUNDS_MAX)
        return 0;
    for (size_t i = 0; i < COUNT_OF(OCTETS); i++) {
        struct jwe_key key = {.password = SLICE("p"),
                              .octets = OCTETS[i],
                              .secret = slice_starts(jwe.alg, "RSA") ? rsa : ec};
        if (!jwe_open(a, &jwe, &key, &plain, &e) && e.kind != ERR_MALFORMED &&
            e.kind != ERR_UNAUTHORIZED)
            abort();
    }
    return 0;
}
