/*
 * Private keys, as text (with a password) and as DER: an accepted key must sign what its public
 * half verifies, and survive being written.
 */
#include <stdlib.h>

#include "crypto/keyfile.h"
#include "crypto/pem.h"
#include "crypto/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Old key files may ask for minutes of work; here it is the parser that is tested. */
static bool is_costly(struct slice text)
{
    return private_key_is_encrypted(text);
}

static void check(struct arena *a, const struct private_key *k)
{
    struct sig_alg alg = sig_alg_usual(k->public_key);
    struct buf sig = buf_new(a, 4096);
    struct private_key *again;
    struct slice der;
    struct err e = {0};

    if (k->public_key->bits > 4096)
        return;
    /* Factors that are not prime make keys that cannot sign, and say so. */
    if (sig_alg_fits(k->public_key, alg) && private_key_sign(k, alg, SLICE("m"), &sig, &e) &&
        !key_verify(k->public_key, alg, SLICE("m"), buf_slice(&sig), &e) &&
        k->public_key->type != KEY_RSA)
        abort();
    if (!private_key_der(a, k, KEY_PKCS8, &der, &e) || !private_key_from_der(a, der, &again, &e) ||
        !key_eq(k->public_key, again->public_key))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice in = slice_of(data, n);
    struct password_fixed fixed;
    struct private_key *k;
    const struct key *pub;
    struct err e = {0};

    if (n > 8192)
        return 0;
    if (private_key_from_der(a, in, &k, &e))
        check(a, k);
    if (is_costly(in))
        return 0;
    struct password_source *source = password_fixed_init(&fixed, SLICE("correct horse"));
    if (private_key_read(a, in, "fuzz", source, &k, &e))
        check(a, k);
    if (public_key_read(a, in, "fuzz", source, &pub, &e) && !pub->evp)
        abort();
    if (public_key_from_openssh(a, in, &pub, &e) && !public_key_openssh(a, pub).n)
        abort();
    return 0;
}
