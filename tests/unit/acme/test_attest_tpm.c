/* Attestation objects of the format tpm, their structures built by hand. */
#include "attest_test.h"

#include "crypto/der.h"
#include "crypto/digest.h"

#define ATTRIBUTES                                                                                 \
    0x00060072u /* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, decrypt/sign */

/* --- The certificate of the attestation key -----------------------------------------------------
 */

struct ak_options {
    const char *cn, *eku;    /* eku NULL: 2.23.133.8.3 alone; "": none */
    const char *id, *second; /* permanent identifiers; NULL: none */
    unsigned without;        /* bit 0 manufacturer, 1 model, 2 version */
    bool ca, empty_model, no_san;
};

static void put_attribute(struct buf *b, unsigned last, const char *text)
{
    size_t set, sequence;
    uint8_t oid[] = {0x67, 0x81, 0x05, 2, (uint8_t)last};

    der_open(b, DER_SET, &set);
    der_open(b, DER_SEQUENCE, &sequence);
    der_oid_content(b, slice_of(oid, sizeof(oid)));
    der_put(b, DER_UTF8_STRING, slice_text(text));
    der_close(b, sequence);
    der_close(b, set);
}

static void put_directory(struct buf *b, const struct ak_options *o)
{
    static const char *const VALUES[] = {"id:49424D00", "swtpm", "id:20191023"};
    size_t name, sequence;

    der_open(b, DER_CONTEXT_CONSTRUCTED(4), &name);
    der_open(b, DER_SEQUENCE, &sequence);
    for (unsigned i = 0; i < 3; i++)
        if (!(o->without & 1u << i))
            put_attribute(b, i + 1, i == 1 && o->empty_model ? "" : VALUES[i]);
    der_close(b, sequence);
    der_close(b, name);
}

static void put_permanent(struct buf *b, const char *id)
{
    static const uint8_t OID[] = {0x2b, 6, 1, 5, 5, 7, 8, 3};
    size_t name, value, sequence;

    if (!id)
        return;
    der_open(b, DER_CONTEXT_CONSTRUCTED(0), &name);
    der_oid_content(b, slice_of(OID, sizeof(OID)));
    der_open(b, DER_CONTEXT_CONSTRUCTED(0), &value);
    der_open(b, DER_SEQUENCE, &sequence);
    der_put(b, DER_UTF8_STRING, slice_text(id));
    der_close(b, sequence);
    der_close(b, value);
    der_close(b, name);
}

static struct slice ak_certificate(const struct ak_options *o, EVP_PKEY *key)
{
    struct buf san = buf_new(A, 4096);
    size_t at;

    der_open(&san, DER_SEQUENCE, &at);
    put_directory(&san, o);
    put_permanent(&san, o->id);
    put_permanent(&san, o->second);
    der_close(&san, at);
    const char *eku = o->eku ? o->eku : "2.23.133.8.3";
    return leaf_make((struct cert_options){.cn = o->cn,
                                           .key = key,
                                           .ca = o->ca,
                                           .eku = *eku ? eku : NULL,
                                           .san = o->no_san ? SLICE_NONE : buf_slice(&san)});
}

/* --- pubArea ------------------------------------------------------------------------------------
 */

struct area_options {
    enum made key;
    uint16_t name_alg;    /* 0: SHA-256 */
    uint32_t attributes;  /* 0: ATTRIBUTES */
    uint16_t type, curve; /* 0: the key's */
    bool usual_exponent;  /* as 0 */
    bool with_schemes;    /* something else than TPM_ALG_NULL wherever it may stand */
    unsigned cut, junk;   /* bytes */
};

static void put_number(struct buf *b, EVP_PKEY *key, const char *name, size_t width)
{
    BIGNUM *n = NULL;
    uint8_t bytes[512];

    must(EVP_PKEY_get_bn_param(key, name, &n) == 1);
    size_t size = width ? width : (size_t)BN_num_bytes(n);
    must(BN_bn2binpad(n, bytes, (int)size) > 0);
    BN_free(n);
    buf_u16(b, (uint16_t)size);
    buf_put(b, slice_of(bytes, size));
}

static void put_rsa(struct buf *b, const struct area_options *o, EVP_PKEY *key)
{
    buf_u16(b, 0x0010);
    buf_u16(b, o->with_schemes ? 0x0014 : 0x0010);
    if (o->with_schemes)
        buf_u16(b, 0x000b);
    buf_u16(b, (uint16_t)EVP_PKEY_get_bits(key));
    buf_u32(b, o->usual_exponent ? 0 : 65537);
    put_number(b, key, "n", 0);
}

static void put_ecc(struct buf *b, const struct area_options *o, EVP_PKEY *key)
{
    bool p384 = EVP_PKEY_get_bits(key) == 384;

    buf_u16(b, o->with_schemes ? 0x0006 : 0x0010); /* AES: 128 bits, CFB */
    if (o->with_schemes) {
        buf_u16(b, 128);
        buf_u16(b, 0x0043);
    }
    buf_u16(b, o->with_schemes ? 0x001a : 0x0010); /* ECDAA: hash, count */
    if (o->with_schemes)
        buf_u32(b, 0x000b0001);
    buf_u16(b, o->curve ? o->curve : p384 ? 4 : 3);
    buf_u16(b, o->with_schemes ? 0x0020 : 0x0010); /* KDF1_SP800_56A: hash */
    if (o->with_schemes)
        buf_u16(b, 0x000b);
    put_number(b, key, "qx", 0);
    put_number(b, key, "qy", 0);
}

static struct slice pub_area(const struct area_options *o)
{
    struct buf b = buf_new(A, 4096);
    EVP_PKEY *key = make_key(o->key, 0);
    bool rsa = EVP_PKEY_is_a(key, "RSA");

    buf_u16(&b, o->type ? o->type : rsa ? 0x0001 : 0x0023);
    buf_u16(&b, o->name_alg ? o->name_alg : 0x000b);
    buf_u32(&b, o->attributes ? o->attributes : ATTRIBUTES);
    buf_u16(&b, o->with_schemes ? 4 : 0);
    buf_text(&b, o->with_schemes ? "auth" : "");
    if (rsa)
        put_rsa(&b, o, key);
    else
        put_ecc(&b, o, key);
    for (unsigned i = 0; i < o->junk; i++)
        buf_byte(&b, 0);
    struct slice s = buf_slice(&b);
    s.n -= o->cut;
    return s;
}

static struct slice name_of(const struct area_options *o, struct slice area)
{
    static const struct {
        uint16_t id;
        enum digest digest;
    } ALGS[] = {{0x0004, DIGEST_SHA1},
                {0x000b, DIGEST_SHA256},
                {0x000c, DIGEST_SHA384},
                {0x000d, DIGEST_SHA512}};
    struct buf b = buf_new(A, 128);
    uint16_t id = o->name_alg ? o->name_alg : 0x000b;

    buf_u16(&b, id);
    for (size_t i = 0; i < COUNT_OF(ALGS); i++)
        if (ALGS[i].id == id)
            buf_put(&b, digest_bytes(A, ALGS[i].digest, area));
    return buf_slice(&b);
}

/* --- The statement ------------------------------------------------------------------------------
 */

struct tpm_options {
    struct ak_options ak;
    struct area_options area;
    enum made ak_key;
    int64_t alg; /* 0: -257 */
    const char *ver, *extra;
    uint32_t magic;
    uint16_t attest_type, sig_alg, sig_hash;
    const EVP_MD *md;
    bool other_name, other_signer, junk_in_info, junk_in_sig;
    const char *without, *empty; /* a member of the statement */
};

static struct slice cert_info(const struct tpm_options *o, struct slice area)
{
    struct buf b = buf_new(A, 1024);
    struct slice name = name_of(&o->area, area);
    const char *extra = o->extra ? o->extra : KEY_AUTHORIZATION;

    buf_u32(&b, o->magic ? o->magic : 0xff544347u);
    buf_u16(&b, o->attest_type ? o->attest_type : 0x8017);
    buf_u16(&b, 6);
    buf_text(&b, "signer");
    buf_u16(&b, 32);
    buf_put(&b, digest_bytes(A, DIGEST_SHA256, slice_text(extra)));
    buf_u64(&b, 12345); /* clock */
    buf_u32(&b, 1);
    buf_u32(&b, 2);
    buf_byte(&b, 1);
    buf_u64(&b, 77); /* firmware */
    buf_u16(&b, (uint16_t)name.n);
    buf_put(&b, name);
    if (o->other_name)
        b.p[b.n - 1] ^= 1;
    buf_u16(&b, 0);
    if (o->junk_in_info)
        buf_byte(&b, 0);
    return buf_slice(&b);
}

static struct slice signature(const struct tpm_options *o, struct slice info, EVP_PKEY *key)
{
    struct buf b = buf_new(A, 1024);
    bool rsa = EVP_PKEY_is_a(key, "RSA");
    struct slice sig = sign(key, o->md ? o->md : EVP_sha256(), info), r, s;

    buf_u16(&b, o->sig_alg ? o->sig_alg : rsa ? 0x0014 : 0x0018);
    buf_u16(&b, o->sig_hash ? o->sig_hash : 0x000b);
    if (rsa) {
        buf_u16(&b, (uint16_t)sig.n);
        buf_put(&b, sig);
    } else {
        struct der in = der_reader(sig), inside;
        bool negative;
        must(der_enter(&in, DER_SEQUENCE, &inside) && der_take_integer(&inside, &r, &negative) &&
             der_take_integer(&inside, &s, &negative));
        buf_u16(&b, (uint16_t)r.n);
        buf_put(&b, r);
        buf_u16(&b, (uint16_t)s.n);
        buf_put(&b, s);
    }
    if (o->junk_in_sig)
        buf_byte(&b, 0);
    return buf_slice(&b);
}

static bool wanted(const struct tpm_options *o, const char *name, unsigned *members)
{
    if (o->without && !strcmp(o->without, name))
        return false;
    ++*members;
    return true;
}

static void put_member(struct buf *b, const struct tpm_options *o, const char *name,
                       struct slice value, unsigned *members)
{
    if (!wanted(o, name, members))
        return;
    cbor_put_text(b, name);
    cbor_put_bytes(b, o->empty && !strcmp(o->empty, name) ? SLICE("") : value);
}

static void put_alg(struct buf *b, int64_t alg)
{
    cbor_put_text(b, "alg");
    cbor_put_head(b, alg < 0 ? 1 : 0, (size_t)(alg < 0 ? -1 - alg : alg));
}

static struct slice tpm(const struct tpm_options *o)
{
    struct buf b = buf_new(A, 65536);
    EVP_PKEY *ak = make_key(o->ak_key, 0);
    struct slice area = pub_area(&o->area), info = cert_info(o, area);
    unsigned members = 0;

    if (wanted(o, "ver", &members)) {
        cbor_put_text(&b, "ver");
        cbor_put_text(&b, o->ver ? o->ver : "2.0");
    }
    if (wanted(o, "alg", &members))
        put_alg(&b, o->alg ? o->alg : -257);
    put_member(&b, o, "pubArea", area, &members);
    put_member(&b, o, "certInfo", info, &members);
    put_member(&b, o, "sig", signature(o, info, o->other_signer ? make_key(o->ak_key, 1) : ak),
               &members);
    if (wanted(o, "x5c", &members))
        cbor_put_x5c(&b, ak_certificate(&o->ak, ak));
    return cbor_object("tpm", members, &b);
}

#define DEVICE .ak = {.id = "device-7"}

static void keys_of_a_tpm_are_attested(void **state)
{
    static const struct tpm_options CASES[] = {
        {DEVICE, .ak_key = MADE_RSA, .area = {.key = MADE_P256}},
        {DEVICE, .ak_key = MADE_RSA, .area = {.key = MADE_P384}},
        {DEVICE, .ak_key = MADE_RSA, .area = {.key = MADE_RSA}},
        {DEVICE, .ak_key = MADE_RSA, .area = {.key = MADE_RSA, .usual_exponent = true}},
        {DEVICE, .ak_key = MADE_RSA, .area = {.key = MADE_RSA, .with_schemes = true}},
        {DEVICE, .ak_key = MADE_RSA, .area = {.key = MADE_P256, .with_schemes = true}},
        {DEVICE, .ak_key = MADE_P256, .alg = -7, .area = {.key = MADE_P256}},
        {DEVICE, .ak_key = MADE_P256, .alg = -7, .area = {.key = MADE_RSA}},
        {DEVICE, .ak_key = MADE_RSA, .area = {.key = MADE_P256, .name_alg = 0x0004}},
        {DEVICE, .ak_key = MADE_RSA, .area = {.key = MADE_P256, .name_alg = 0x000c}},
        {DEVICE, .ak_key = MADE_RSA, .area = {.key = MADE_P256, .name_alg = 0x000d}},
        {.ak = {.id = "device-7", .second = "device-8"}, .ak_key = MADE_RSA},
        {.ak = {.id = "device-6", .second = "device-7"}, .ak_key = MADE_RSA},
        {.ak = {.id = "device-7", .eku = "2.23.133.8.3,clientAuth"}, .ak_key = MADE_RSA},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct acme_attestation_order o = order_make(tpm(&CASES[i]), "device-7");
        assert_attested(&o, make_key(CASES[i].area.key, 0));
    }
    struct tpm_options rs1 = {DEVICE, .ak_key = MADE_RSA, .alg = -65535, .md = EVP_sha1(),
                              .sig_hash = 0x0004};
    struct acme_attestation_order o = order_make(tpm(&rs1), "device-7");
    assert_attested(&o, make_key(MADE_P256, 0));
}

static void statements_that_do_not_hold_are_refused(void **state)
{
    static const struct {
        struct tpm_options t;
        const char *detail;
    } CASES[] = {
        {{DEVICE, .ver = "1.2"}, "ver: expected"},
        {{DEVICE, .without = "ver"}, "ver: expected"},
        {{DEVICE, .without = "alg"}, "alg: expected"},
        {{DEVICE, .without = "x5c"}, "x5c: expected"},
        {{DEVICE, .without = "pubArea"}, "pubArea: expected"},
        {{DEVICE, .without = "certInfo"}, "certInfo: expected"},
        {{DEVICE, .without = "sig"}, "sig: expected"},
        {{DEVICE, .empty = "pubArea"}, "pubArea: expected"},
        {{DEVICE, .empty = "certInfo"}, "certInfo: expected"},
        {{DEVICE, .empty = "sig"}, "sig: expected"},
        {{DEVICE, .alg = -37}, "found -37"},
        {{DEVICE, .alg = 257}, "found 257"},
        /* the certificate */
        {{.ak = {.id = "device-7", .cn = "device-7"}}, "empty subject"},
        {{.ak = {.id = "device-7", .ca = true}}, "is a CA's"},
        {{.ak = {.id = "device-7", .eku = ""}}, "2.23.133.8.3"},
        {{.ak = {.id = "device-7", .eku = "clientAuth,2.23.133.8.3"}}, "2.23.133.8.3"},
        {{.ak = {.id = "device-7", .without = 1}}, "TPM manufacturer"},
        {{.ak = {.id = "device-7", .without = 2}}, "TPM model"},
        {{.ak = {.id = "device-7", .without = 4}}, "TPM version"},
        {{.ak = {.id = "device-7", .empty_model = true}}, "TPM model"},
        {{.ak = {.no_san = true}}, "TPM manufacturer"},
        {{.ak = {.id = NULL}}, "no permanent identifier"},
        {{.ak = {.id = ""}}, "no permanent identifier"},
        /* the key */
        {{DEVICE, .area = {.attributes = ATTRIBUTES & ~0x02u}}, "fixedTPM to be set"},
        {{DEVICE, .area = {.attributes = ATTRIBUTES & ~0x10u}}, "fixedParent to be set"},
        {{DEVICE, .area = {.attributes = ATTRIBUTES & ~0x20u}}, "sensitiveDataOrigin to be set"},
        {{DEVICE, .area = {.attributes = ATTRIBUTES | 0x10000u}}, "restricted to be clear"},
        {{DEVICE, .area = {.key = MADE_SMALL_RSA}}, "at least 2048 bits, found 1024"},
        {{DEVICE, .area = {.type = 0x0008}}, "found type 0x0008"},
        {{DEVICE, .area = {.type = 0x0001}}, "pubArea: "},
        {{DEVICE, .area = {.curve = 4}}, "pubArea: "},
        {{DEVICE, .area = {.curve = 0x0010}}, "0x0010"},
        {{DEVICE, .area = {.name_alg = 0x0012}}, "nameAlg 0x0012"},
        {{DEVICE, .area = {.junk = 1}}, "1 bytes too many"},
        {{DEVICE, .area = {.cut = 1}}, "ends too early"},
        {{DEVICE, .area = {.cut = 70}}, "ends too early"},
        /* the certification */
        {{DEVICE, .magic = 0xff544348u}, "magic 0xff544348"},
        {{DEVICE, .attest_type = 0x8018}, "type 0x8018"},
        {{DEVICE, .other_name = true}, "name is not that of pubArea"},
        {{DEVICE, .extra = TOKEN}, "extraData"},
        {{DEVICE, .junk_in_info = true}, "1 bytes too many"},
        /* the signature */
        {{DEVICE, .other_signer = true}, "does not verify"},
        {{DEVICE, .sig_alg = 0x0018}, "sig: "},
        {{DEVICE, .sig_alg = 0x0016}, "expected RSASSA or ECDSA, found 0x0016"},
        {{DEVICE, .sig_hash = 0x000c}, "hash is not the one of alg"},
        {{DEVICE, .sig_hash = 0x0012}, "unknown hash"},
        {{DEVICE, .alg = -65535}, "hash is not the one of alg"},
        {{DEVICE, .junk_in_sig = true}, "1 bytes too many"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct tpm_options t = CASES[i].t;
        t.ak_key = MADE_RSA;
        struct acme_attestation_order o = order_make(tpm(&t), "device-7");
        assert_refused(&o, CASES[i].detail, NULL);
    }
}

static void the_scheme_must_be_the_keys(void **state)
{
    struct tpm_options t = {DEVICE, .ak_key = MADE_P256, .sig_alg = 0x0014};

    (void)state;
    struct acme_attestation_order o = order_make(tpm(&t), "device-7");
    assert_refused(&o, "sig: ", NULL);
    t.sig_alg = 0;
    t.other_signer = true;
    o = order_make(tpm(&t), "device-7");
    assert_refused(&o, "does not verify", NULL);
}

static void only_names_in_the_certificate_are_attested(void **state)
{
    struct tpm_options t = {.ak = {.id = "device-6", .second = "device-8"}, .ak_key = MADE_RSA};
    struct acme_attestation_order o = order_make(tpm(&t), "device-7");

    (void)state;
    assert_refused(&o, "permanent identifier does not match",
                   "challenge identifier \"device-7\" doesn't match any of the attested hardware "
                   "identifiers [\"device-6\" \"device-8\"]");
    o.roots = NULL;
    assert_refused(&o, "attestationRoots", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_a_tpm_are_attested),
        cmocka_unit_test(statements_that_do_not_hold_are_refused),
        cmocka_unit_test(the_scheme_must_be_the_keys),
        cmocka_unit_test(only_names_in_the_certificate_are_attested),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
