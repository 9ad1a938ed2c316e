/*
 * The table of key types.  Whoever adds a type adds a line here; nothing else enumerates curves.
 */
#include "crypto/key_internal.h"

#define OID(literal)                                                                               \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }
#define ORDER(hex)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(hex), sizeof(hex) - 1                                                    \
    }

/* RFC 3279 2.3.1, RFC 5480 2.1.1, RFC 8410 3. */
#define RSA_ENCRYPTION OID("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
#define EC_PUBLIC_KEY  OID("\x2a\x86\x48\xce\x3d\x02\x01")

static const struct oid OID_EC_PUBLIC_KEY = EC_PUBLIC_KEY;

/* Orders: FIPS 186-4 D.1.2. */
static const struct key_info KEYS[KEY_TYPES] = {
    [KEY_NONE] = {.family = "none"},
    [KEY_RSA] = {.family = "RSA",
                 .ossl_name = "RSA",
                 .algorithm = RSA_ENCRYPTION,
                 .usual = {SIG_RSA_PKCS1, DIGEST_SHA256}},
    [KEY_P224] = {.family = "ECDSA",
                  .curve = "P-224",
                  .ossl_name = "EC",
                  .ossl_group = "P-224",
                  .bits = 224,
                  .field = 28,
                  .algorithm = EC_PUBLIC_KEY,
                  .named_curve = OID("\x2b\x81\x04\x00\x21"),
                  .order = ORDER("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x16\xa2"
                                 "\xe0\xb8\xf0\x3e\x13\xdd\x29\x45\x5c\x5c\x2a\x3d"),
                  .usual = {SIG_ECDSA, DIGEST_SHA256}},
    [KEY_P256] = {.family = "ECDSA",
                  .curve = "P-256",
                  .ossl_name = "EC",
                  .ossl_group = "P-256",
                  .bits = 256,
                  .field = 32,
                  .algorithm = EC_PUBLIC_KEY,
                  .named_curve = OID("\x2a\x86\x48\xce\x3d\x03\x01\x07"),
                  .order = ORDER("\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"
                                 "\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25"
                                 "\x51"),
                  .usual = {SIG_ECDSA, DIGEST_SHA256}},
    [KEY_P384] = {.family = "ECDSA",
                  .curve = "P-384",
                  .ossl_name = "EC",
                  .ossl_group = "P-384",
                  .bits = 384,
                  .field = 48,
                  .algorithm = EC_PUBLIC_KEY,
                  .named_curve = OID("\x2b\x81\x04\x00\x22"),
                  .order = ORDER("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                                 "\xff\xff\xff\xff\xff\xff\xff\xff\xc7\x63\x4d\x81\xf4\x37\x2d\xdf"
                                 "\x58\x1a\x0d\xb2\x48\xb0\xa7\x7a\xec\xec\x19\x6a\xcc\xc5\x29"
                                 "\x73"),
                  .usual = {SIG_ECDSA, DIGEST_SHA384}},
    [KEY_P521] = {.family = "ECDSA",
                  .curve = "P-521",
                  .ossl_name = "EC",
                  .ossl_group = "P-521",
                  .bits = 521,
                  .field = 66,
                  .algorithm = EC_PUBLIC_KEY,
                  .named_curve = OID("\x2b\x81\x04\x00\x23"),
                  .order = ORDER("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                                 "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                                 "\xff\xfa\x51\x86\x87\x83\xbf\x2f\x96\x6b\x7f\xcc\x01\x48\xf7\x09"
                                 "\xa5\xd0\x3b\xb5\xc9\xb8\x89\x9c\x47\xae\xbb\x6f\xb7\x1e\x91\x38"
                                 "\x64\x09"),
                  .usual = {SIG_ECDSA, DIGEST_SHA512}},
    [KEY_ED25519] = {.family = "Ed25519",
                     .curve = "Ed25519",
                     .ossl_name = "ED25519",
                     .bits = 256,
                     .field = 32,
                     .algorithm = OID("\x2b\x65\x70"),
                     .usual = {SIG_ED25519, DIGEST_NONE}},
    [KEY_X25519] = {.family = "X25519",
                    .curve = "X25519",
                    .ossl_name = "X25519",
                    .bits = 256,
                    .field = 32,
                    .algorithm = OID("\x2b\x65\x6e")},
};

const struct key_info *key_info(enum key_type t)
{
    return &KEYS[(unsigned)t < KEY_TYPES ? t : KEY_NONE];
}

enum key_type key_type_of_curve(struct slice named_curve_oid)
{
    for (unsigned t = 0; t < KEY_TYPES; t++) {
        if (KEYS[t].ossl_group && oid_eq(&KEYS[t].named_curve, named_curve_oid))
            return (enum key_type)t;
    }
    return KEY_NONE;
}

enum key_type key_type_of_algorithm(struct slice oid)
{
    if (oid_eq(&OID_EC_PUBLIC_KEY, oid))
        return KEY_P256;
    for (unsigned t = 0; t < KEY_TYPES; t++) {
        if (KEYS[t].algorithm.p && oid_eq(&KEYS[t].algorithm, oid))
            return (enum key_type)t;
    }
    return KEY_NONE;
}

struct slice key_describe(struct arena *a, const struct key *k)
{
    const struct key_info *info = key_info(k->type);

    if (k->type == KEY_RSA)
        return arena_format(a, "RSA %u", k->bits);
    if (key_is_ec(k))
        return arena_format(a, "ECDSA %s", info->curve);
    return slice_text(info->family);
}

const char *key_curve_name(enum key_type t)
{
    return key_info(t)->curve;
}

size_t key_field_size(enum key_type t)
{
    return key_info(t)->field;
}

struct sig_alg sig_alg_usual(const struct key *k)
{
    return key_info(k->type)->usual;
}

bool sig_alg_fits(const struct key *k, struct sig_alg alg)
{
    bool hashed = alg.digest >= DIGEST_SHA1 && alg.digest <= DIGEST_SHA512;

    switch (alg.scheme) {
    case SIG_ECDSA:
        return key_is_ec(k) && hashed;
    case SIG_RSA_PKCS1:
    case SIG_RSA_PSS:
        return k->type == KEY_RSA && hashed;
    case SIG_ED25519:
        return k->type == KEY_ED25519 && alg.digest == DIGEST_NONE;
    case SIG_ANY:
        break;
    }
    return false;
}
