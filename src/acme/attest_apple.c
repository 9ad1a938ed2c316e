/*
 * Format "apple": Apple vouches in one certificate for a key in the Secure Enclave, the device's
 * serial number and UDID, and the nonce that the device was given.  The values are the bytes of the
 * extensions, without ASN.1 inside.  Nothing is signed by the attested key here: that it is there
 * shows with the certificate request.
 */
#include "acme/attest_internal.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

/* 1.2.840.113635.100.8.9.1, .9.2, .11.1 */
static const uint8_t SERIAL[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x63, 0x64, 8, 9, 1};
static const uint8_t UDID[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x63, 0x64, 8, 9, 2};
static const uint8_t NONCE[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x63, 0x64, 8, 11, 1};
static const struct oid OID_SERIAL = {SERIAL, sizeof(SERIAL)};
static const struct oid OID_UDID = {UDID, sizeof(UDID)};
static const struct oid OID_NONCE = {NONCE, sizeof(NONCE)};

/* Without the nonce any old statement of the device would do. */
static bool check_nonce(const struct statement *s, const struct cert *leaf, struct err *e)
{
    const struct extension *x = extensions_get(&leaf->extensions, &OID_NONCE);
    uint8_t digest[DIGEST_MAX];

    if (!x)
        return err_set(e, ERR_MALFORMED,
                       "certificate: no nonce (extension 1.2.840.113635.100.8.11.1)");
    digest_of(DIGEST_SHA256, s->order->token, digest);
    return secret_equal(x->value, slice_of(digest, digest_size(DIGEST_SHA256))) ||
           err_set(e, ERR_MALFORMED, "certificate: the nonce is not the digest of the token");
}

bool attest_apple(struct statement *s, struct err *e)
{
    static const struct oid *const NAMES[] = {&OID_UDID, &OID_SERIAL};
    const struct cert *leaf = s->x5c.v[0];

    if (!check_nonce(s, leaf, e))
        return false;
    if (!leaf->key)
        return err_set(e, ERR_MALFORMED, "certificate: a type of key that we do not know");
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        const struct extension *x = extensions_get(&leaf->extensions, NAMES[i]);
        if (x)
            statement_id(s, x->value);
    }
    s->attested = leaf->key;
    return true;
}
