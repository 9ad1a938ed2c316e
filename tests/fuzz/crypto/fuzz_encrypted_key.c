/* Encrypted private keys with the costs taken out: input is the DER or OpenSSH body of one. */
#include "crypto/keyfile_internal.h"
#include "crypto/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A large count would only make the fuzzer wait: input with INTEGERs of more than one octet is not
 * run as PBES2, and encrypted OpenSSH keys, whose bcrypt is always slow, are not run at all. */
static bool is_costly(struct slice in)
{
    for (size_t i = 0; i + 1 < in.n; i++) {
        if (in.p[i] == DER_INTEGER && in.p[i + 1] > 1)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice in = slice_of(data, n), der;
    struct private_key *k;
    struct err e = {0};

    if (n > 4096)
        return 0;
    if (!openssh_is_encrypted(in))
        (void)!openssh_open(a, in, SLICE_NONE, &k, &e);
    if (!is_costly(in))
        (void)!pbes2_open(a, in, SLICE("p"), &der, &e);
    size_t line = slice_find(in, '\n');
    (void)!dek_open(a, slice_sub(in, 0, line), slice_from(in, line + 1), SLICE("p"), &der, &e);
    return 0;
}
