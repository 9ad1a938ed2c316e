/*
 * Everything of an attestation that a client writes: the first byte says which reader the rest goes
 * to.  What they accept must hold what they promise.
 */
#include <stdlib.h>

#include "acme/attest_internal.h"
#include "acme/attest_tpm_structures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void whole(struct arena *a, struct slice in)
{
    struct acme_attestation_order order = {.object = in,
                                           .identifier = SLICE("SN-0001"),
                                           .token = SLICE("token"),
                                           .key_authorization = SLICE("token.thumbprint"),
                                           .formats = (1u << ACME_ATTESTS) - 1,
                                           .now = {1790000000, 0}};
    struct acme_attestation out;
    struct slice mismatch;

    if (acme_attest(a, &order, &out, &mismatch).verdict != ACME_INVALID)
        abort(); /* without roots nothing is believed */
}

/* A statement whose chain somebody has verified: the formats read the rest of the map. */
static void formats(struct arena *a, struct slice in)
{
    static attest_format_fn *const CHECKS[] = {attest_apple, attest_step, attest_tpm};
    static const struct cert NOBODY = {.version = 3};
    struct cert *v[] = {(struct cert *)(uintptr_t)&NOBODY};
    struct acme_attestation_order order = {.identifier = SLICE("SN-0001"),
                                           .key_authorization = SLICE("token.thumbprint")};
    struct cbor_item_t *map;

    if (!attest_cbor_open(a, in, &map, NULL))
        return;
    for (size_t i = 0; i < COUNT_OF(CHECKS); i++) {
        struct statement s = {.arena = a, .order = &order, .map = map, .x5c = {v, 1}};
        if (CHECKS[i](&s, NULL))
            abort(); /* a certificate without a key attests nothing */
    }
}

static void public_area(struct arena *a, struct slice in)
{
    struct tpm_public out;

    if (tpm_public_read(a, in, &out, NULL) && (!out.key || !out.key->point.n))
        abort();
}

static void certification(struct arena *a, struct slice in)
{
    struct tpm_certification out;

    (void)a;
    if (tpm_certification_read(in, &out, NULL) && out.extra_data.n + out.name.n > in.n)
        abort();
}

static void signature(struct arena *a, struct slice in)
{
    struct tpm_signature out;

    if (tpm_signature_read(a, in, &out, NULL) && out.alg.digest == DIGEST_NONE)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static void (*const READERS[])(struct arena *, struct slice) = {whole, formats, public_area,
                                                                    certification, signature};

    if (!n || n > CBOR_BYTES_MAX + 2)
        return 0;
    struct arena *a = arena_new(&HEAP_USUAL);
    READERS[data[0] % COUNT_OF(READERS)](a, slice_of(data + 1, n - 1));
    arena_free(a);
    return 0;
}
