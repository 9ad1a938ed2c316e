/*
 * The JSON of certificate inspect: the members of the ZCrypto schema that scripts read
 * (docs/reference/inspect.md).  It is built as a tree and printed once.
 */
#include "x509/show_json.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "x509/sigalg.h"

void show_member(struct show *s, struct json *object, const char *name, struct json *value)
{
    json_set(object, s->a, name, value);
}

void show_member_text(struct show *s, struct json *object, const char *name, struct slice text)
{
    show_member(s, object, name, json_make_text(s->a, text));
}

static void member_int(struct show *s, struct json *object, const char *name, int64_t v)
{
    show_member(s, object, name, json_make_int(s->a, v));
}

static void member_true(struct show *s, struct json *object, const char *name)
{
    show_member(s, object, name, json_make_bool(s->a, true));
}

struct json *show_base64(struct show *s, struct slice bytes)
{
    return json_make_text(s->a, base64_text(s->a, BASE64_STD, bytes));
}

static struct slice digest_hex(struct show *s, enum digest d, struct slice bytes)
{
    return hex_text(s->a, digest_bytes(s->a, d, bytes));
}

struct json *show_algorithm(struct show *s, struct sig_alg alg, struct slice oid)
{
    struct json *o = json_make_object(s->a);

    show_member_text(s, o, "name", alg_text(s->a, alg, oid));
    show_member_text(s, o, "oid", oid_text(s->a, oid));
    return o;
}

/* --- The public key ----------------------------------------------------------------------- */

static void rsa_member(struct show *s, struct json *o, const struct key *key,
                       const struct key_numbers *n)
{
    struct json *rsa = json_make_object(s->a);
    int64_t exponent = 0;

    for (size_t i = 0; i < n->e.n && n->e.n < 8; i++)
        exponent = exponent << 8 | n->e.p[i];
    member_int(s, rsa, "exponent", exponent);
    show_member(s, rsa, "modulus", show_base64(s, n->n));
    member_int(s, rsa, "length", key->bits);
    show_member(s, o, "rsa_public_key", rsa);
}

static void ec_member(struct show *s, struct json *o, const struct key *key,
                      const struct key_numbers *n)
{
    struct json *ec = json_make_object(s->a);

    show_member_text(s, ec, "curve", slice_text(key_curve_name(key->type)));
    member_int(s, ec, "length", key->bits);
    show_member(s, ec, "pub", show_base64(s, key->point));
    show_member(s, ec, "x", show_base64(s, n->x));
    show_member(s, ec, "y", show_base64(s, n->y));
    show_member(s, o, "ecdsa_public_key", ec);
}

static void raw_key_member(struct show *s, struct json *o, const struct key *key, struct slice spki)
{
    struct json *raw = json_make_object(s->a);
    struct slice bits;

    if (!spki_shape(spki, NULL, &bits))
        return;
    member_int(s, raw, "length", (int64_t)bits.n * 8);
    show_member(s, raw, "pub", show_base64(s, bits));
    show_member(s, o, key && key->type == KEY_ED25519 ? "ed25519_public_key" : "public_key", raw);
}

static struct json *key_info(struct show *s, const struct key *key, struct slice spki)
{
    struct json *o = json_make_object(s->a), *algorithm = json_make_object(s->a);
    struct key_numbers n;

    show_member_text(s, algorithm, "name", key_algorithm_text(s->a, key, spki));
    show_member(s, o, "key_algorithm", algorithm);
    if (key && key->type == KEY_RSA && key_numbers(s->a, key, &n, NULL))
        rsa_member(s, o, key, &n);
    else if (key && key_is_ec(key) && key_numbers(s->a, key, &n, NULL))
        ec_member(s, o, key, &n);
    else
        raw_key_member(s, o, key, spki);
    show_member_text(s, o, "fingerprint_sha256", digest_hex(s, DIGEST_SHA256, spki));
    return o;
}

/* --- Extensions: false when the value does not decode --------------------------------------- */

static struct json *key_usage(struct show *s, const struct extension *x)
{
    struct der d = der_reader(x->value);
    struct json *o = json_make_object(s->a);
    uint32_t bits;

    if (!der_take_named_bits(&d, &bits))
        return NULL;
    for (unsigned i = 0; i < KEY_USAGES; i++) {
        if (bits >> i & 1)
            member_true(s, o, KEY_USAGE_NAMES[i].json);
    }
    member_int(s, o, "value", bits);
    return o;
}

static struct json *basic(struct show *s, const struct extension *x)
{
    struct der outer = der_reader(x->value), in;
    struct json *o = json_make_object(s->a);
    bool ca = false;
    int64_t path_len;

    if (!der_enter(&outer, DER_SEQUENCE, &in) ||
        (der_is(&in, DER_BOOLEAN) && !der_take_bool(&in, &ca)))
        return NULL;
    show_member(s, o, "is_ca", json_make_bool(s->a, ca));
    if (der_take_int(&in, &path_len))
        member_int(s, o, "max_path_len", path_len);
    return o;
}

static struct json *alt_names(struct show *s, const struct extension *x)
{
    struct sans sans;

    return sans_read(s->a, x->value, &sans, NULL) ? show_sans(s, &sans) : NULL;
}

static struct json *ext_usage(struct show *s, const struct extension *x)
{
    struct der outer = der_reader(x->value), list;
    struct json *o = json_make_object(s->a), *unknown = json_make_list(s->a);
    struct slice oid;

    if (!der_enter(&outer, DER_SEQUENCE, &list))
        return NULL;
    while (der_take_oid(&list, &oid)) {
        const struct eku_name *known = eku_name(oid);
        if (known)
            member_true(s, o, known->json);
        else
            json_append(unknown, json_make_text(s->a, oid_text(s->a, oid)));
    }
    if (unknown->n)
        show_member(s, o, "unknown", unknown);
    return der_done(&list) ? o : NULL;
}

static struct json *subject_key_id(struct show *s, const struct extension *x)
{
    struct der d = der_reader(x->value);
    struct slice id;

    return der_take(&d, DER_OCTET_STRING, &id) ? json_make_text(s->a, hex_text(s->a, id)) : NULL;
}

static struct json *authority_key_id(struct show *s, const struct extension *x)
{
    struct der d = der_reader(x->value), in;
    struct slice id;

    if (!der_enter(&d, DER_SEQUENCE, &in) || !der_take(&in, DER_CONTEXT(0), &id))
        return NULL;
    return json_make_text(s->a, hex_text(s->a, id));
}

static struct json *urls_list(struct show *s, const struct urls *urls)
{
    struct json *list = json_make_list(s->a);

    for (size_t i = 0; i < urls->n; i++)
        json_append(list, json_make_text(s->a, urls->v[i]));
    return list;
}

static struct json *crl_points(struct show *s, const struct extension *x)
{
    struct urls urls;

    return crl_points_read(s->a, x->value, &urls) ? urls_list(s, &urls) : NULL;
}

static struct json *authority_info(struct show *s, const struct extension *x)
{
    struct urls ocsp, issuers;
    struct json *o = json_make_object(s->a);

    if (!aia_read(s->a, x->value, &ocsp, &issuers))
        return NULL;
    if (ocsp.n)
        show_member(s, o, "ocsp_urls", urls_list(s, &ocsp));
    if (issuers.n)
        show_member(s, o, "issuer_urls", urls_list(s, &issuers));
    return o;
}

/* RFC 6962 3.1: never a certificate to be believed. */
static struct json *ct_poison(struct show *s, const struct extension *x)
{
    (void)x;
    return json_make_bool(s->a, true);
}

static const struct oid OID_ISSUER_ALT_NAME = {(const uint8_t[]){0x55, 0x1d, 18}, 3},
                        OID_CT_POISON = {(const uint8_t[]){0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 3},
                                         10};

static const struct {
    const struct oid *oid;
    const char *name;
    extension_json_fn *make;
} EXTENSIONS[] = {
    {&OID_EXT_KEY_USAGE, "key_usage", key_usage},
    {&OID_EXT_BASIC, "basic_constraints", basic},
    {&OID_EXT_SAN, "subject_alt_name", alt_names},
    {&OID_EXT_EKU, "extended_key_usage", ext_usage},
    {&OID_EXT_AKI, "authority_key_id", authority_key_id},
    {&OID_EXT_SKI, "subject_key_id", subject_key_id},
    {&OID_EXT_CRL_POINTS, "crl_distribution_points", crl_points},
    {&OID_EXT_AIA, "authority_info_access", authority_info},
    {&OID_EXT_POLICIES, "certificate_policies", show_policies},
    {&OID_EXT_NAME_CONSTRAINTS, "name_constraints", show_constraints},
    {&OID_ISSUER_ALT_NAME, "issuer_alt_name", alt_names},
    {&OID_CT_POISON, "ct_poison", ct_poison},
};

/* Puts it into the object of known ones; false: unknown, or not decodable. */
static bool extension_known(struct show *s, struct json *known, const struct extension *x)
{
    for (size_t i = 0; i < COUNT_OF(EXTENSIONS); i++) {
        if (!oid_eq(EXTENSIONS[i].oid, x->oid))
            continue;
        struct json *value = EXTENSIONS[i].make(s, x);
        if (value)
            show_member(s, known, EXTENSIONS[i].name, value);
        return value != NULL;
    }
    return false;
}

static void extension_members(struct show *s, struct json *o, const struct extensions *x)
{
    struct json *known = json_make_object(s->a), *unknown = json_make_list(s->a);

    for (size_t i = 0; i < x->n; i++) {
        if (extension_known(s, known, &x->v[i]))
            continue;
        struct json *one = json_make_object(s->a);
        show_member_text(s, one, "id", oid_text(s->a, x->v[i].oid));
        show_member(s, one, "critical", json_make_bool(s->a, x->v[i].critical));
        show_member(s, one, "value", show_base64(s, x->v[i].value));
        json_append(unknown, one);
    }
    show_member(s, o, "extensions", known);
    if (unknown->n)
        show_member(s, o, "unknown_extensions", unknown);
}

/* --- Whole objects ------------------------------------------------------------------------ */

/* Common name and alternative names, each once. */
static struct json *names_list(struct show *s, const struct cert *c)
{
    static const enum san_kind ORDER[] = {SAN_DNS, SAN_IP, SAN_URI};
    struct json *list = json_make_list(s->a);
    struct slice cn = dn_common_name(&c->subject);

    if (cn.n && slice_find(cn, ' ') == cn.n)
        json_append(list, json_make_text(s->a, cn));
    for (size_t k = 0; k < COUNT_OF(ORDER); k++) {
        for (size_t i = 0; i < c->sans.n; i++) {
            const struct san *n = &c->sans.v[i];
            if (n->kind == ORDER[k] && !slice_eq(n->text, cn))
                json_append(list, json_make_text(s->a, n->text));
        }
    }
    return list;
}

static struct json *validity(struct show *s, const struct cert *c)
{
    struct json *o = json_make_object(s->a);

    show_member_text(s, o, "start", rfc3339(s->a, c->not_before));
    show_member_text(s, o, "end", rfc3339(s->a, c->not_after));
    member_int(s, o, "length", c->not_after.sec - c->not_before.sec);
    return o;
}

static struct json *signature(struct show *s, const struct cert *c)
{
    struct json *o = json_make_object(s->a);
    bool self = cert_self_signed(c);

    show_member(s, o, "signature_algorithm", show_algorithm(s, c->sig_alg, c->sig_oid));
    show_member(s, o, "value", show_base64(s, c->signature));
    show_member(s, o, "valid", json_make_bool(s->a, self));
    show_member(s, o, "self_signed", json_make_bool(s->a, self));
    return o;
}

void cert_show_json(struct buf *b, const struct cert *c, const char *indent)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct show *s = &(struct show){b, a};
    struct json *o = json_make_object(a);

    member_int(s, o, "version", c->version);
    show_member_text(s, o, "serial_number", serial_decimal(a, c->serial));
    show_member(s, o, "signature_algorithm", show_algorithm(s, c->sig_alg, c->sig_oid));
    show_member(s, o, "issuer", show_dn(s, &c->issuer));
    show_member_text(s, o, "issuer_dn", show_dn_text(s, &c->issuer));
    show_member(s, o, "validity", validity(s, c));
    show_member(s, o, "subject", show_dn(s, &c->subject));
    show_member_text(s, o, "subject_dn", show_dn_text(s, &c->subject));
    show_member(s, o, "subject_key_info", key_info(s, c->key, c->spki));
    extension_members(s, o, &c->extensions);
    show_member(s, o, "signature", signature(s, c));
    show_member_text(s, o, "fingerprint_md5", digest_hex(s, DIGEST_MD5, c->der));
    show_member_text(s, o, "fingerprint_sha1", digest_hex(s, DIGEST_SHA1, c->der));
    show_member_text(s, o, "fingerprint_sha256", digest_hex(s, DIGEST_SHA256, c->der));
    show_member_text(s, o, "tbs_fingerprint", digest_hex(s, DIGEST_SHA256, c->tbs));
    show_member(s, o, "names", names_list(s, c));
    show_member(s, o, "redacted", json_make_bool(a, false));
    json_print(b, o, indent);
}

void csr_show_json(struct buf *b, const struct csr *c, const char *indent)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct show *s = &(struct show){b, a};
    struct json *o = json_make_object(a), *sig = json_make_object(a);

    member_int(s, o, "version", 0);
    show_member(s, o, "signature_algorithm", show_algorithm(s, c->sig_alg, c->sig_oid));
    show_member(s, o, "subject", show_dn(s, &c->subject));
    show_member_text(s, o, "subject_dn", show_dn_text(s, &c->subject));
    show_member(s, o, "subject_key_info", key_info(s, c->key, c->spki));
    show_member(s, o, "subject_alt_name", show_sans(s, &c->sans));
    extension_members(s, o, &c->extensions);
    show_member(s, sig, "signature_algorithm", show_algorithm(s, c->sig_alg, c->sig_oid));
    show_member(s, sig, "value", show_base64(s, c->signature));
    show_member(s, sig, "valid", json_make_bool(a, csr_verify(c, NULL)));
    show_member(s, o, "signature", sig);
    show_member_text(s, o, "fingerprint_sha256", digest_hex(s, DIGEST_SHA256, c->der));
    json_print(b, o, indent);
}
