/* The JSON of a certificate template, with a requester's data in it: what is read can be signed or
 * is refused, and what was signed can be read again. */
#include "crypto/secret.h"
#include "x509/leaf_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct private_key *signing_key(void)
{
    static struct private_key *key;

    if (!key && !private_key_generate(arena_new(&HEAP_SECRET), KEY_P256, 0, &key, NULL))
        __builtin_trap();
    return key;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct private_key *key = signing_key();
    const struct json *v = json_read(a, slice_of(data, size), &JSON_API, NULL, NULL);
    struct issuer issuer = {.key = key->public_key, .signer = signer_local(a, key, "fuzz")};
    struct buf der = buf_new(a, CERT_MAX);
    struct leaf_json read;
    struct sans names;
    struct cert *c;

    if (!v || !leaf_json_read(a, v, &read, NULL))
        return 0;
    struct x509_leaf *leaf = &read.leaf;
    leaf->key = key->public_key;
    if (!read.has_before)
        leaf->not_before = (struct instant){.sec = 1700000000};
    if (!read.has_after)
        leaf->not_after = instant_add(leaf->not_before, 3600 * NS_PER_SEC);
    bool named = x509_leaf_names(a, leaf, &names, NULL);
    if (!x509_leaf_sign(leaf, &issuer, &RNG_SYSTEM, &der, DEADLINE_NONE, NULL) || !named)
        return 0;
    if (cert_read(a, buf_slice(&der), &c, NULL) && c->sans.n != names.n)
        __builtin_trap(); /* policies judge these names */
    return 0;
}
