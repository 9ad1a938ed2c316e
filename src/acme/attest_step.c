/*
 * Format "step": a PIV token (YubiKey) has a certificate for the key in a slot, and the key signed
 * the key authorization.  WebAuthn's "packed" without authenticator data.
 */
#include "acme/attest_internal.h"

/* 1.3.6.1.4.1.41482.3.7: INTEGER; 1.3.6.1.4.1.37476.9000.64.4: SEQUENCE with a string in front. */
static const uint8_t YUBICO[] = {0x2b, 6, 1, 4, 1, 0x82, 0xc4, 0x0a, 3, 7};
static const uint8_t MANAGED[] = {0x2b, 6, 1, 4, 1, 0x82, 0xa4, 0x64, 0xc6, 0x28, 64, 4};

/* --- The signature ------------------------------------------------------------------------------
 */

static bool choose_alg(const struct key *k, struct sig_alg *alg)
{
    static const struct {
        enum key_type type;
        struct sig_alg alg;
    } ALGS[] = {
        {KEY_P256, {SIG_ECDSA, DIGEST_SHA256}},
        {KEY_RSA, {SIG_RSA_PKCS1, DIGEST_SHA256}},
        {KEY_ED25519, {SIG_ED25519, DIGEST_NONE}},
    };

    for (size_t i = 0; k && i < COUNT_OF(ALGS); i++) {
        if (k->type == ALGS[i].type) {
            *alg = ALGS[i].alg;
            return true;
        }
    }
    return false;
}

/* The byte string holds a CBOR byte string: a client encoded it twice, and it stayed so. */
static bool unwrap(struct statement *s, struct slice outer, struct slice *sig, struct err *e)
{
    struct cbor_item_t *item;

    if (!attest_cbor_open(s->arena, outer, &item, e))
        return err_wrap(e, "sig");
    if (!attest_cbor_bytes(s->arena, item, sig) || !sig->n)
        return err_set(e, ERR_MALFORMED, "sig: expected a CBOR byte string within the byte string");
    return true;
}

static bool check_signature(struct statement *s, const struct cert *leaf, struct err *e)
{
    struct slice outer, sig;
    struct sig_alg alg;

    if (!statement_bytes(s, "sig", &outer, e) || !unwrap(s, outer, &sig, e))
        return false;
    if (!choose_alg(leaf->key, &alg))
        return err_set(e, ERR_MALFORMED,
                       "certificate: expected a P-256, RSA or Ed25519 key to sign with");
    return key_verify(leaf->key, alg, s->order->key_authorization, sig, e) || err_wrap(e, "sig");
}

/* --- The serial number --------------------------------------------------------------------------
 */

static bool decimal(struct statement *s, struct slice value, struct slice *text)
{
    struct der in = der_reader(value);
    struct slice magnitude;
    bool negative;

    if (!der_take_integer(&in, &magnitude, &negative) || !der_done(&in) || negative ||
        magnitude.n > 20)
        return false;
    *text = serial_decimal(s->arena, magnitude.n ? magnitude : slice_of("", 1));
    return true;
}

static bool first_string(struct statement *s, struct slice value, struct slice *text)
{
    struct der in = der_reader(value), inside;

    return der_enter(&in, DER_SEQUENCE, &inside) && der_done(&in) &&
           der_take_string(&inside, s->arena, text);
}

static bool find_serial(struct statement *s, const struct cert *leaf, struct err *e)
{
    static const struct {
        struct oid oid;
        bool (*read)(struct statement *, struct slice, struct slice *);
    } SERIALS[] = {
        {{YUBICO, sizeof(YUBICO)}, decimal},
        {{MANAGED, sizeof(MANAGED)}, first_string},
    };
    struct slice text;

    for (size_t i = 0; i < leaf->extensions.n; i++) {
        const struct extension *x = &leaf->extensions.v[i];
        for (size_t k = 0; k < COUNT_OF(SERIALS); k++) {
            if (!oid_eq(&SERIALS[k].oid, x->oid))
                continue;
            if (!SERIALS[k].read(s, x->value, &text))
                return err_set(e, ERR_MALFORMED,
                               "certificate: the serial number's extension %.*s cannot be read",
                               SLICE_ARG(oid_text(s->arena, x->oid)));
            statement_id(s, text);
            return true;
        }
    }
    return true; /* then no identifier matches */
}

bool attest_step(struct statement *s, struct err *e)
{
    const struct cert *leaf = s->x5c.v[0];

    if (!check_signature(s, leaf, e) || !find_serial(s, leaf, e))
        return false;
    s->attested = leaf->key;
    return true;
}
