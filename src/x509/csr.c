/*
 * Certification requests (RFC 2986), read by our own reader: it costs little next to the one
 * signature that has to be verified.  What it accepts is a subset of what libcrypto accepts; a
 * fuzz target holds the two against each other.
 */
#include "x509/csr.h"

#include "crypto/pem.h"
#include "x509/sigalg.h"

#define ATTRIBUTES_MAX 64

/* PKCS #9 extensionRequest, RFC 2985 5.4.2. */
static const struct oid OID_EXTENSION_REQUEST = {
    (const uint8_t[]){0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e}, 9};

static bool bad(struct err *e, const char *field, const char *expected)
{
    return err_set(e, ERR_MALFORMED, "CSR: %s: expected %s (RFC 2986 4)", field, expected);
}

/* --- Fields of CertificationRequestInfo ----------------------------------------------------- */

static bool version_take(struct der *info, struct err *e)
{
    int64_t v;

    /* v1 is 0, but 2 is met and nobody has ever minded. */
    return (der_take_int(info, &v) && v >= 0 && v <= 2) || bad(e, "version", "v1 (0)");
}

static bool subject_take(struct arena *a, struct der *info, struct csr *c, struct err *e)
{
    struct slice whole;

    if (!der_is(info, DER_SEQUENCE) || !der_next(info, NULL, NULL, &whole))
        return bad(e, "subject", "a Name");
    return dn_read(a, whole, &c->subject, e) || err_wrap(e, "CSR: subject");
}

static bool key_take(struct arena *a, struct der *info, struct csr *c, struct err *e)
{
    if (!der_is(info, DER_SEQUENCE) || !der_next(info, NULL, NULL, &c->spki) ||
        !spki_shape(c->spki, NULL, NULL))
        return bad(e, "subjectPKInfo", "an algorithm and a key");
    if (!key_from_spki(a, c->spki, &c->key, &c->key_error))
        c->key = NULL;
    return true;
}

/* Attribute: type, SET OF values. */
static bool attribute_take(struct der *list, struct slice *type, struct der *values)
{
    struct der inside, check;

    if (!der_enter(list, DER_SEQUENCE, &inside) || !der_take_oid(&inside, type) ||
        !der_enter(&inside, DER_SET, values) || !der_done(&inside))
        return false;
    for (check = *values; !der_done(&check);) {
        if (!der_take_any(&check, NULL, NULL, NULL))
            return false;
    }
    return true;
}

static bool requested_extensions_read(struct arena *a, struct der values, struct csr *c,
                                      struct err *e)
{
    struct slice whole;
    const struct extension *san;

    if (c->extensions.v || !der_next(&values, NULL, NULL, &whole) || !der_done(&values))
        return bad(e, "extensionRequest", "one list of extensions");
    if (!extensions_read(a, whole, &c->extensions, e))
        return err_wrap(e, "CSR");
    san = extensions_get(&c->extensions, &OID_EXT_SAN);
    return !san || sans_read(a, san->value, &c->sans, e) ||
           err_wrap(e, "CSR: subject alternative name");
}

static bool attributes_read(struct arena *a, struct csr *c, struct err *e)
{
    struct der list = der_reader(c->attributes), values;
    struct slice type;

    for (size_t n = 0; !der_done(&list); n++) {
        if (n == ATTRIBUTES_MAX || !attribute_take(&list, &type, &values))
            return bad(e, "attributes", "at most 64, each a type and a SET of values");
        if (oid_eq(&OID_EXTENSION_REQUEST, type) && !requested_extensions_read(a, values, c, e))
            return false;
    }
    return true;
}

static bool info_read(struct arena *a, struct csr *c, struct err *e)
{
    struct der outer = der_reader(c->info), info;
    bool there;

    if (!der_enter(&outer, DER_SEQUENCE, &info))
        return bad(e, "DER", "a CertificationRequestInfo");
    if (!version_take(&info, e) || !subject_take(a, &info, c, e) || !key_take(a, &info, c, e))
        return false;
    /* Without any some leave the [0] out. */
    if (!der_optional(&info, DER_CONTEXT_CONSTRUCTED(0), &there, &c->attributes))
        return bad(e, "attributes", "[0] and a SET");
    if (!there)
        c->attributes = SLICE_NONE;
    if (!der_done(&info))
        return bad(e, "DER", "nothing after the attributes");
    return attributes_read(a, c, e);
}

bool csr_read(struct arena *a, struct slice der, struct csr **csr, struct err *e)
{
    struct signed_object o;

    if (der.n > CSR_MAX)
        return err_set(e, ERR_MALFORMED, "CSR: %zu bytes, at most %u are read", der.n, CSR_MAX);
    struct csr *c = arena_alloc(a, sizeof(*c));
    c->der = arena_copy(a, der);
    if (!signed_object_read(c->der, &o))
        return bad(e, "DER", "a SEQUENCE, an AlgorithmIdentifier and a BIT STRING");
    c->info = o.body;
    c->sig_oid = o.oid;
    c->sig_alg = o.alg;
    c->signature = o.signature;
    if (!info_read(a, c, e))
        return false;
    *csr = c;
    return true;
}

bool csr_attribute(const struct csr *csr, const struct oid *type, struct slice *value)
{
    struct der list = der_reader(csr->attributes), values;
    struct slice t;

    while (!der_done(&list) && attribute_take(&list, &t, &values)) {
        if (oid_eq(type, t))
            return der_next(&values, NULL, NULL, value);
    }
    return false;
}

bool csr_read_text(struct arena *a, struct slice text, const char *name, bool exact_label,
                   struct csr **csr, struct err *e)
{
    struct err local = {0}, *why = e ? e : &local;
    struct pem block;

    text = bom_skip(text);
    if (!pem_looks_like(text))
        return csr_read(a, text, csr, e) || err_wrap(e, "error parsing %s", name);
    err_clear(why);
    while (pem_next(a, &text, &block, why)) {
        if (exact_label && !slice_ends(block.label, "CERTIFICATE REQUEST"))
            continue;
        return csr_read(a, block.der, csr, why) || err_wrap(why, "error parsing %s", name);
    }
    if (why->kind != ERR_NONE)
        return err_wrap(why, "error decoding %s", name);
    return err_set(why, ERR_MALFORMED, "%s contains no certificate request", name);
}

/* --- Judging ------------------------------------------------------------------------------ */

/* Old requests are signed with SHA-1; nothing depends on that signature but that the key is
 * theirs. */
static bool csr_alg_ok(struct sig_alg alg)
{
    switch (alg.scheme) {
    case SIG_ED25519:
        return true;
    case SIG_ECDSA:
    case SIG_RSA_PKCS1:
    case SIG_RSA_PSS:
        return alg.digest == DIGEST_SHA256 || alg.digest == DIGEST_SHA384 ||
               alg.digest == DIGEST_SHA512 ||
               (alg.digest == DIGEST_SHA1 && alg.scheme != SIG_RSA_PSS);
    case SIG_ANY:
        break;
    }
    return false;
}

bool csr_verify(const struct csr *csr, struct err *e)
{
    if (!csr->key) {
        if (e)
            err_move(e, &csr->key_error);
        return err_wrap(e, "CSR: RFC 2986 4.1: key");
    }
    if (!csr_alg_ok(csr->sig_alg))
        return err_set(
            e, ERR_MALFORMED,
            "CSR: RFC 2986 4.2: expected a signature by RSA, ECDSA or Ed25519 with SHA-1, "
            "SHA-256, SHA-384 or SHA-512");
    if (!sig_alg_fits(csr->key, csr->sig_alg))
        return err_set(e, ERR_MALFORMED,
                       "CSR: RFC 2986 4.2: the signature algorithm does not belong to the key");
    if (!key_verify(csr->key, csr->sig_alg, csr->info, csr->signature, e))
        return err_set(e, ERR_MALFORMED,
                       "CSR: RFC 2986 4.2: signature does not verify under its own key");
    return true;
}

bool key_check_strength(const struct key *key, unsigned rsa_bits, struct err *e)
{
    if (key && key->type == KEY_ED25519)
        return true;
    if (key && key_is_ec(key))
        return true;
    if (!key || key->type != KEY_RSA)
        return err_set(e, ERR_MALFORMED,
                       "key: expected RSA, ECDSA on P-224, P-256, P-384 or P-521, or Ed25519");
    if (key->bits < rsa_bits)
        return err_set(e, ERR_FORBIDDEN, "key: RSA of %u bits, at least %u are needed", key->bits,
                       rsa_bits);
    return key->bits <= 16384 ||
           err_set(e, ERR_FORBIDDEN, "key: RSA of %u bits, at most 16384 are allowed", key->bits);
}

/* --- Making ------------------------------------------------------------------------------- */

static bool san_extension_put(struct buf *b, const struct csr_wish *wish, struct err *e)
{
    CLEANUP(buf_free) struct buf value = buf_new(NULL, CSR_MAX);
    struct extension x = {.oid = slice_of(OID_EXT_SAN.p, OID_EXT_SAN.n)};

    if (!wish->sans.n || extensions_get(&wish->extra, &OID_EXT_SAN))
        return true;
    if (!sans_put(&value, &wish->sans, e) || !buf_done(&value, "CSR: names", e))
        return err_wrap(e, "CSR");
    x.value = buf_slice(&value);
    extension_put(b, &x);
    return true;
}

static bool request_attribute_put(struct buf *b, const struct csr_wish *wish, struct err *e)
{
    size_t attribute, values, list;

    if (!wish->sans.n && !wish->extra.n)
        return true;
    der_open(b, DER_SEQUENCE, &attribute);
    der_oid(b, &OID_EXTENSION_REQUEST);
    der_open(b, DER_SET, &values);
    der_open(b, DER_SEQUENCE, &list);
    if (!san_extension_put(b, wish, e))
        return false;
    for (size_t i = 0; i < wish->extra.n; i++)
        extension_put(b, &wish->extra.v[i]);
    der_close(b, list);
    der_close(b, values);
    der_close(b, attribute);
    return true;
}

static bool info_put(struct buf *b, const struct csr_wish *wish, const struct key *key,
                     struct err *e)
{
    struct subject plain = {.common_name = wish->common_name};
    const struct subject *subject = wish->subject ? wish->subject : &plain;
    size_t info, attributes;

    if (!subject_ok(subject, e))
        return err_wrap(e, "CSR");
    der_open(b, DER_SEQUENCE, &info);
    der_int(b, 0);
    if (wish->raw_subject.n)
        der_raw(b, wish->raw_subject);
    else
        subject_put(b, subject);
    der_raw(b, key->spki);
    der_open(b, DER_CONTEXT_CONSTRUCTED(0), &attributes);
    if (!request_attribute_put(b, wish, e))
        return false;
    der_close(b, attributes);
    der_close(b, info);
    return buf_done(b, "CSR", e);
}

bool csr_make(struct arena *a, const struct csr_wish *wish, struct signer *signer,
              struct slice *der, struct err *e)
{
    CLEANUP(buf_free) struct buf info = buf_new(NULL, CSR_MAX);
    struct buf out = buf_new(a, CSR_MAX);
    struct sig_alg alg = wish->alg.scheme != SIG_ANY      ? wish->alg
                         : signer->only.scheme != SIG_ANY ? signer->only
                                                          : sig_alg_usual(signer->public_key);

    if (!sig_alg_fits(signer->public_key, alg))
        return err_set(e, ERR_MALFORMED, "CSR: the signature algorithm does not fit the key");
    if (!info_put(&info, wish, signer->public_key, e) ||
        !signed_object_put(&out, buf_slice(&info), alg, signer, DEADLINE_NONE, e))
        return false;
    *der = buf_slice(&out);
    return true;
}
