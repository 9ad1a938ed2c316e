/*
 * Format "tpm" (WebAuthn 8.3 without authenticator data): an attestation key in a TPM certified
 * another key of the same TPM.  The attestation key has a certificate that says which device it
 * sits in; the certification says what kind of key the other one is, and holds the digest of the
 * key authorization.
 */
#include "acme/attest_internal.h"
#include "acme/attest_tpm_structures.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

/* COSE algorithms (RFC 8812 2, RFC 9053 2.1). */
#define COSE_ES256 (-7)
#define COSE_RS256 (-257)
#define COSE_RS1   (-65535)

/* 2.23.133.2.1 to .3: manufacturer, model, version; 2.23.133.8.3: tcg-kp-AIKCertificate;
 * 1.3.6.1.5.5.7.8.3: PermanentIdentifier (RFC 4043 2) */
static const uint8_t MANUFACTURER[] = {0x67, 0x81, 0x05, 2, 1};
static const uint8_t MODEL[] = {0x67, 0x81, 0x05, 2, 2};
static const uint8_t VERSION[] = {0x67, 0x81, 0x05, 2, 3};
static const uint8_t AIK_PURPOSE[] = {0x67, 0x81, 0x05, 8, 3};
static const uint8_t PERMANENT[] = {0x2b, 6, 1, 5, 5, 7, 8, 3};
static const struct oid OID_AIK_PURPOSE = {AIK_PURPOSE, sizeof(AIK_PURPOSE)};
static const struct oid OID_PERMANENT = {PERMANENT, sizeof(PERMANENT)};

/* --- The attestation key's certificate ----------------------------------------------------------
 */

static bool directory_has(struct statement *s, const struct cert *c, const struct oid *type)
{
    struct dn dn;
    struct slice name;

    for (size_t i = 0; i < c->sans.n; i++) {
        struct der in = der_reader(c->sans.v[i].text);
        if (c->sans.v[i].kind != SAN_DIRECTORY)
            continue;
        if (der_take(&in, DER_CONTEXT_CONSTRUCTED(4), &name) &&
            dn_read(s->arena, name, &dn, NULL) && dn_get(&dn, type).n)
            return true;
    }
    return false;
}

static bool check_tpm_names(struct statement *s, const struct cert *c, struct err *e)
{
    static const struct {
        struct oid oid;
        const char *what;
    } NAMES[] = {
        {{MANUFACTURER, sizeof(MANUFACTURER)}, "manufacturer (2.23.133.2.1)"},
        {{MODEL, sizeof(MODEL)}, "model (2.23.133.2.2)"},
        {{VERSION, sizeof(VERSION)}, "version (2.23.133.2.3)"},
    };

    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (!directory_has(s, c, &NAMES[i].oid))
            return err_set(e, ERR_MALFORMED,
                           "AK certificate: no TPM %s in the subject alternative names",
                           NAMES[i].what);
    return true;
}

/* WebAuthn 8.3.1 */
static bool check_ak(struct statement *s, const struct cert *c, struct err *e)
{
    if (c->version != 3)
        return err_set(e, ERR_MALFORMED, "AK certificate: expected version 3, found %d",
                       c->version);
    if (c->subject.n)
        return err_set(e, ERR_MALFORMED, "AK certificate: expected an empty subject");
    if (c->has_basic && c->basic.ca)
        return err_set(e, ERR_MALFORMED, "AK certificate: is a CA's");
    if (!c->has_eku || !c->n_eku || !oid_eq(&OID_AIK_PURPOSE, c->eku[0]))
        return err_set(e, ERR_MALFORMED,
                       "AK certificate: expected the extended key usage 2.23.133.8.3 in front");
    if (!c->key)
        return err_set(e, ERR_MALFORMED, "AK certificate: a type of key that we do not know");
    return check_tpm_names(s, c, e);
}

/* PermanentIdentifier in an OtherName; false: not that, or without a value. */
static bool permanent_identifier(struct statement *s, const struct san *san, struct slice *id)
{
    struct der in = der_reader(san->text), name, value, inside;
    struct slice type;

    return der_enter(&in, DER_CONTEXT_CONSTRUCTED(0), &name) && der_take_oid(&name, &type) &&
           oid_eq(&OID_PERMANENT, type) && der_enter(&name, DER_CONTEXT_CONSTRUCTED(0), &value) &&
           der_enter(&value, DER_SEQUENCE, &inside) && der_is(&inside, DER_UTF8_STRING) &&
           der_take_string(&inside, s->arena, id);
}

/* Without one any device of that maker could have any name. */
static bool find_identifiers(struct statement *s, const struct cert *c, struct err *e)
{
    struct slice id;

    for (size_t i = 0; i < c->sans.n; i++)
        if (c->sans.v[i].kind == SAN_OTHER && permanent_identifier(s, &c->sans.v[i], &id))
            statement_id(s, id);
    return s->n_ids > 0 ||
           err_set(e, ERR_MALFORMED, "AK certificate: no permanent identifier (RFC 4043 2)");
}

/* --- What it says -------------------------------------------------------------------------------
 */

static bool check_version(struct statement *s, struct err *e)
{
    struct cbor_item_t *item;
    struct slice version;

    return (attest_cbor_member(s->arena, s->map, "ver", &item) &&
            attest_cbor_text(s->arena, item, &version) && slice_is(version, "2.0")) ||
           err_set(e, ERR_MALFORMED, "ver: expected \"2.0\"");
}

static bool read_digest(struct statement *s, enum digest *digest, struct err *e)
{
    struct cbor_item_t *item;
    int64_t alg;

    if (!attest_cbor_member(s->arena, s->map, "alg", &item) || !attest_cbor_number(item, &alg))
        return err_set(e, ERR_MALFORMED, "alg: expected one integer");
    if (alg == COSE_RS256 || alg == COSE_ES256)
        *digest = DIGEST_SHA256;
    else if (alg == COSE_RS1)
        *digest = DIGEST_SHA1;
    else
        return err_set(e, ERR_MALFORMED, "alg: expected -257, -7 or -65535, found %lld",
                       (long long)alg);
    return true;
}

static bool check_attributes(uint32_t attributes, struct err *e)
{
    static const struct {
        uint32_t bit;
        bool set;
        const char *name;
    } WANTED[] = {
        {TPM_FIXED_TPM, true, "fixedTPM"},
        {TPM_FIXED_PARENT, true, "fixedParent"},
        {TPM_SENSITIVE_DATA_ORIGIN, true, "sensitiveDataOrigin"},
        {TPM_RESTRICTED, false, "restricted"},
    };

    for (size_t i = 0; i < COUNT_OF(WANTED); i++)
        if (((attributes & WANTED[i].bit) != 0) != WANTED[i].set)
            return err_set(e, ERR_MALFORMED, "pubArea: expected %s to be %s", WANTED[i].name,
                           WANTED[i].set ? "set" : "clear");
    return true;
}

/* TPM 2.0 Library, Part 1 16: a name is the algorithm and the digest of the public area. */
static bool check_name(const struct tpm_public *key, struct slice area, struct slice name,
                       struct err *e)
{
    uint8_t expected[2 + DIGEST_MAX] = {(uint8_t)(key->name_alg_id >> 8),
                                        (uint8_t)key->name_alg_id};

    digest_of(key->name_alg, area, expected + 2);
    return slice_eq(name, slice_of(expected, 2 + digest_size(key->name_alg))) ||
           err_set(e, ERR_MALFORMED, "certInfo: its name is not that of pubArea");
}

static bool check_signature(struct statement *s, const struct key *ak, struct slice cert_info,
                            struct slice sig, enum digest digest, struct err *e)
{
    struct tpm_signature found;

    if (!tpm_signature_read(s->arena, sig, &found, e))
        return false;
    if (found.alg.digest != digest)
        return err_set(e, ERR_MALFORMED, "sig: its hash is not the one of alg");
    if (!sig_alg_fits(ak, found.alg))
        return err_set(e, ERR_MALFORMED, "sig: its scheme does not fit the AK certificate's key");
    return key_verify(ak, found.alg, cert_info, found.sig, e) || err_wrap(e, "sig");
}

static bool check_extra_data(const struct statement *s, struct slice found, struct err *e)
{
    uint8_t digest[DIGEST_MAX];

    digest_of(DIGEST_SHA256, s->order->key_authorization, digest);
    return secret_equal(found, slice_of(digest, digest_size(DIGEST_SHA256))) ||
           err_set(e, ERR_MALFORMED,
                   "certInfo: extraData is not the digest of the key authorization");
}

bool attest_tpm(struct statement *s, struct err *e)
{
    const struct cert *ak = s->x5c.v[0];
    struct slice area, sig, cert_info;
    enum digest digest = DIGEST_NONE;
    struct tpm_public key;
    struct tpm_certification certification;

    if (!check_version(s, e) || !check_ak(s, ak, e) || !find_identifiers(s, ak, e))
        return false;
    if (!statement_bytes(s, "pubArea", &area, e) || !statement_bytes(s, "sig", &sig, e) ||
        !statement_bytes(s, "certInfo", &cert_info, e) || !read_digest(s, &digest, e))
        return false;
    if (!tpm_public_read(s->arena, area, &key, e) || !check_attributes(key.attributes, e))
        return false;
    if (!tpm_certification_read(cert_info, &certification, e) ||
        !check_name(&key, area, certification.name, e) ||
        !check_signature(s, ak->key, cert_info, sig, digest, e) ||
        !check_extra_data(s, certification.extra_data, e))
        return false;
    s->attested = key.key;
    return true;
}
