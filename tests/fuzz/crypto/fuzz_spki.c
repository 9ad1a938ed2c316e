/*
 * Public keys, against OpenSSL: whatever key_from_spki accepts, d2i_PUBKEY accepts as well, as the
 * same key.  The other way round we may refuse more.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "crypto/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct key *k, *again;
    struct key_numbers numbers;
    struct err e = {0};
    const uint8_t *p = data;

    if (!key_from_spki(a, slice_of(data, n), &k, &e)) {
        if (e.kind != ERR_MALFORMED || ERR_peek_error())
            abort();
        return 0;
    }
    EVP_PKEY *theirs = d2i_PUBKEY(NULL, &p, (long)n);
    if (!theirs || p != data + n || EVP_PKEY_eq(theirs, k->evp) != 1)
        abort();
    EVP_PKEY_free(theirs);
    if (!key_numbers(a, k, &numbers, &e) || !key_from_numbers(a, k->type, &numbers, &again, &e) ||
        !slice_eq(again->spki, k->spki))
        abort();
    ERR_clear_error();
    return 0;
}
