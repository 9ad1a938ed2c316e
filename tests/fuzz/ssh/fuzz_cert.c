/* Certificates: what is read is written again byte for byte, up to who signed it. */
#include "ssh/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        __builtin_trap();
}

static struct signer *signer(struct arena *a)
{
    static const uint8_t SEED[32] = {1};
    const struct key_numbers n = {.d = {SEED, sizeof(SEED)}};
    struct private_key *k;

    check(private_key_from_numbers(a, KEY_ED25519, &n, &k, NULL));
    return signer_local(a, k, "fuzz");
}

/* What stands before the key of the CA. */
static struct slice before_ca(const struct ssh_cert *c)
{
    return slice_sub(c->signed_part, 0, c->signed_part.n - 4 - c->ca.blob.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct buf b = buf_new(a, SSH_BLOB_MAX);
    struct ssh_cert c, again;

    if (!ssh_cert_read(a, slice_of(data, size), &c, NULL))
        return 0;
    check(ssh_blob_is_cert(c.blob) && c.signed_part.n + 4 + c.signature.n == size);
    (void)!ssh_cert_verify(a, &c, NULL);
    (void)ssh_cert_is_valid_at(&c, 1700000000);
    if (!ssh_cert_sign(&c, signer(a), a, &b, DEADLINE_NONE, NULL))
        return 0;
    check(ssh_cert_read(a, buf_slice(&b), &again, NULL));
    check(ssh_cert_verify(a, &again, NULL));
    check(slice_eq(before_ca(&c), before_ca(&again)));
    return 0;
}
