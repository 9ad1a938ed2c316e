/*
 * What the tests of attestation share: a manufacturer's CA made on the spot, keys, certificates
 * with any extensions, CBOR.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "acme/attest.h"
#include "base/encode.h"

#define TOKEN             "b7QmV2cXoK0tS9wEzN4yLgP1hRjD6uFa"
#define KEY_AUTHORIZATION TOKEN ".MFxT_XxYjKTpO-jRdcfdtbaX6IaRxvm-jpk5t-Jv7Bo"
#define ALL_FORMATS       ((1u << ACME_ATTESTS) - 1)

static struct arena *A;

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* --- Keys and certificates ----------------------------------------------------------------------
 */

static void evp_undo(void *p)
{
    EVP_PKEY_free(p);
}

static void x509_undo(void *p)
{
    X509_free(p);
}

enum made { MADE_P256, MADE_P384, MADE_RSA, MADE_ED25519, MADE_SMALL_RSA, MADE_KINDS };

/* One key of a kind for the whole run, and a second one. */
UNUSED static EVP_PKEY *make_key(enum made kind, unsigned which)
{
    static EVP_PKEY *made[MADE_KINDS][2];
    EVP_PKEY **k = &made[kind][which];

    if (*k)
        return *k;
    if (kind == MADE_P256 || kind == MADE_P384)
        *k = EVP_EC_gen(kind == MADE_P256 ? "P-256" : "P-384");
    else if (kind == MADE_ED25519)
        *k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else
        *k = EVP_RSA_gen(kind == MADE_RSA ? 2048u : 1024u);
    must(*k);
    arena_defer(A, evp_undo, *k);
    return *k;
}

struct raw_extension {
    const char *oid;
    struct slice value;
};
struct cert_options {
    const char *cn; /* NULL: an empty subject */
    EVP_PKEY *key;
    X509 *issuer; /* NULL: self-signed */
    EVP_PKEY *issuer_key;
    bool ca, v1;
    long from, until; /* seconds from now; 0, 0: an hour ago to in an hour */
    const char *eku;
    struct slice san; /* DER of the extension's value; critical */
    struct raw_extension raw[5];
};

static void add_raw(X509 *x, const char *oid, bool critical, struct slice value)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();

    ASN1_OCTET_STRING_set(content, value.p, (int)value.n);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, critical, content);
    must(extension && X509_add_ext(x, extension, -1) == 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(content);
    ASN1_OBJECT_free(object);
}

static void add_named(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    must(extension && X509_add_ext(x, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *x, const struct cert_options *o)
{
    if (o->ca)
        add_named(x, NID_basic_constraints, "critical,CA:TRUE");
    if (o->eku)
        add_named(x, NID_ext_key_usage, o->eku);
    if (o->san.n)
        add_raw(x, "2.5.29.17", true, o->san);
    for (size_t i = 0; i < COUNT_OF(o->raw) && o->raw[i].oid; i++)
        add_raw(x, o->raw[i].oid, false, o->raw[i].value);
}

static X509 *make_cert(const struct cert_options *o)
{
    static uint64_t serial = 100;
    X509 *x = X509_new();
    EVP_PKEY *signer = o->issuer ? o->issuer_key : o->key;

    X509_set_version(x, o->v1 ? 0 : 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), o->from || o->until ? o->from : -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), o->from || o->until ? o->until : 3600);
    if (o->cn)
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                   (const unsigned char *)o->cn, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(o->issuer ? o->issuer : x));
    X509_set_pubkey(x, o->key);
    if (!o->v1)
        add_extensions(x, o);
    must(X509_sign(x, signer, EVP_PKEY_is_a(signer, "ED25519") ? NULL : EVP_sha256()) > 0);
    arena_defer(A, x509_undo, x);
    return x;
}

static struct slice der_of(X509 *x)
{
    int n = i2d_X509(x, NULL);
    uint8_t *der = arena_alloc(A, (size_t)n), *p = der;

    i2d_X509(x, &p);
    return slice_of(der, (size_t)n);
}

/* Of the message, as libcrypto makes it. */
UNUSED static struct slice sign(EVP_PKEY *key, const EVP_MD *md, struct slice message)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t *sig = arena_alloc(A, 1024);
    size_t n = 1024;

    must(EVP_DigestSignInit(ctx, NULL, md, NULL, key) == 1 &&
         EVP_DigestSign(ctx, sig, &n, message.p, message.n) == 1);
    EVP_MD_CTX_free(ctx);
    return slice_of(sig, n);
}

/* The fingerprint by another way than the one that is tested: libcrypto's SubjectPublicKeyInfo. */
UNUSED static const char *fingerprint_of(EVP_PKEY *key)
{
    X509_PUBKEY *info = NULL;
    const unsigned char *bits;
    unsigned char digest[32];
    int n = 0;

    must(X509_PUBKEY_set(&info, key) == 1 &&
         X509_PUBKEY_get0_param(NULL, &bits, &n, NULL, info) == 1);
    must(EVP_Digest(bits, (size_t)n, digest, NULL, EVP_sha256(), NULL) == 1);
    X509_PUBKEY_free(info);
    return arena_printf(A, "SHA256:%.*s",
                        SLICE_ARG(base64_text(A, BASE64_STD, slice_of(digest, 32))));
}

/* The manufacturer: root and intermediate; and another one. */
static struct {
    X509 *root, *middle, *stranger;
    struct cert_list roots, strangers;
} MAKER;

static void maker_make(void)
{
    struct cert *c;
    EVP_PKEY *key = make_key(MADE_P256, 1);

    if (MAKER.root)
        return;
    MAKER.root = make_cert(&(struct cert_options){.cn = "Maker Root", .key = key, .ca = true});
    MAKER.middle = make_cert(&(struct cert_options){
        .cn = "Maker Middle", .key = key, .ca = true, .issuer = MAKER.root, .issuer_key = key});
    MAKER.stranger = make_cert(&(struct cert_options){.cn = "Stranger", .key = key, .ca = true});
    must(cert_read(A, der_of(MAKER.root), &c, NULL));
    cert_list_add(A, &MAKER.roots, c);
    must(cert_read(A, der_of(MAKER.stranger), &c, NULL));
    cert_list_add(A, &MAKER.strangers, c);
}

/* o's issuer is filled in: the intermediate. */
UNUSED static struct slice leaf_make(struct cert_options o)
{
    maker_make();
    o.issuer = MAKER.middle;
    o.issuer_key = make_key(MADE_P256, 1);
    return der_of(make_cert(&o));
}

/* --- CBOR ---------------------------------------------------------------------------------------
 */

static void cbor_put_head(struct buf *b, unsigned major, size_t n)
{
    if (n < 24) {
        buf_byte(b, (uint8_t)(major << 5 | n));
        return;
    }
    buf_byte(b, (uint8_t)(major << 5 | 25));
    buf_u16(b, (uint16_t)n);
}

static void cbor_put_text(struct buf *b, const char *text)
{
    cbor_put_head(b, 3, strlen(text));
    buf_text(b, text);
}

static void cbor_put_bytes(struct buf *b, struct slice s)
{
    cbor_put_head(b, 2, s.n);
    buf_put(b, s);
}

/* x5c: the leaf and the intermediate. */
UNUSED static void cbor_put_x5c(struct buf *b, struct slice leaf)
{
    maker_make();
    cbor_put_text(b, "x5c");
    cbor_put_head(b, 4, 2);
    cbor_put_bytes(b, leaf);
    cbor_put_bytes(b, der_of(MAKER.middle));
}

/* {"fmt": format, "attStmt": {members}, "authData": h'00'} */
UNUSED static struct slice cbor_object(const char *format, unsigned members, const struct buf *in)
{
    struct buf b = buf_new(A, 65536);

    cbor_put_head(&b, 5, 3);
    cbor_put_text(&b, "fmt");
    cbor_put_text(&b, format);
    cbor_put_text(&b, "attStmt");
    cbor_put_head(&b, 5, members);
    buf_put(&b, buf_slice(in));
    cbor_put_text(&b, "authData");
    cbor_put_bytes(&b, slice_of("", 1));
    must(buf_ok(&b));
    return buf_slice(&b);
}

/* --- Verdicts -----------------------------------------------------------------------------------
 */

UNUSED static struct acme_attestation_order order_make(struct slice object, const char *identifier)
{
    maker_make();
    return (struct acme_attestation_order){.object = object,
                                           .identifier = slice_text(identifier),
                                           .token = SLICE(TOKEN),
                                           .key_authorization = SLICE(KEY_AUTHORIZATION),
                                           .formats = ALL_FORMATS,
                                           .roots = &MAKER.roots,
                                           .now = CLOCK_SYSTEM.now(&CLOCK_SYSTEM)};
}

UNUSED static void assert_attested(const struct acme_attestation_order *o, EVP_PKEY *key)
{
    struct acme_attestation out;
    struct slice mismatch;
    struct acme_result r = acme_attest(A, o, &out, &mismatch);

    if (r.verdict != ACME_VALID)
        fail_msg("%.*s", SLICE_ARG(r.detail));
    assert_null(mismatch.p);
    assert_string_equal(arena_cstr(A, out.fingerprint), fingerprint_of(key));
}

UNUSED static void assert_refused(const struct acme_attestation_order *o, const char *detail,
                                  const char *mismatch_text)
{
    struct acme_attestation out;
    struct slice mismatch;
    struct acme_result r = acme_attest(A, o, &out, &mismatch);

    if (r.verdict != ACME_INVALID || !r.problem ||
        strcmp(r.problem, "badAttestationStatement") != 0 ||
        slice_search(r.detail, slice_text(detail)) == r.detail.n)
        fail_msg("expected \"%s\", found %d: %.*s", detail, r.verdict, SLICE_ARG(r.detail));
    assert_null(out.fingerprint.p);
    if (!mismatch_text)
        assert_null(mismatch.p);
    else
        assert_string_equal(arena_cstr(A, mismatch), mismatch_text);
}

UNUSED static int arena_up(void **state)
{
    (void)state;
    A = arena_new(&HEAP_USUAL);
    return 0;
}

UNUSED static int arena_down(void **state)
{
    (void)state;
    arena_free(A);
    return 0;
}
