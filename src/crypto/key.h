/*
 * Public and private keys and signatures.  A key is immutable once made; its EVP_PKEY has the
 * lifetime of the arena it was made in.
 *
 * Signatures have one form in the whole house: ECDSA as DER (RFC 3279 2.2.3), RSA at modulus
 * length, Ed25519 64 bytes.  jose and ssh convert.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "crypto/digest.h"

struct evp_pkey_st;

enum key_type {
    KEY_NONE,
    KEY_RSA,
    KEY_P224,
    KEY_P256,
    KEY_P384,
    KEY_P521,
    KEY_ED25519,
    KEY_X25519,
    KEY_TYPES
};

struct key {
    enum key_type type;
    unsigned bits;      /* modulus, field, or 255/256 for Ed25519 as 256 */
    struct slice spki;  /* SubjectPublicKeyInfo, DER */
    struct slice point; /* content of the subjectPublicKey BIT STRING */
    uint8_t ski[20];    /* SHA-1 of point: RFC 5280 4.2.1.2 method 1 */
    struct evp_pkey_st *evp;
    struct key_spare *spare; /* what the next use need not make anew; may be NULL */
};
struct private_key {
    const struct key *public_key;
    struct evp_pkey_st *evp;
    struct key_spare *spare;
};

static inline bool key_is_ec(const struct key *k)
{
    return k->type >= KEY_P224 && k->type <= KEY_P521;
}
/* "ECDSA P-256", "RSA 2048", "Ed25519": the form of the logs. */
struct slice key_describe(struct arena *a, const struct key *k);
const char *key_curve_name(enum key_type t); /* "P-256", "Ed25519"; NULL for RSA */
size_t key_field_size(enum key_type t);      /* bytes of a coordinate: 28 32 48 66; 32 for 25519 */

/* SubjectPublicKeyInfo -> key: rsaEncryption, ecPublicKey with a named curve, Ed25519, X25519.
 * EC points are checked to be on the curve (about 16 µs); RSA modulus 512..16384 bits, odd
 * exponent >= 3 and at most 64 bits.  ERR_MALFORMED otherwise. */
bool key_from_spki(struct arena *a, struct slice spki, const struct key **key,
                   struct err *e) CHECKED;
/* Equal public keys. */
bool key_eq(const struct key *a, const struct key *b);

enum sig_scheme { SIG_ANY, SIG_ECDSA, SIG_RSA_PKCS1, SIG_RSA_PSS, SIG_ED25519 };
struct sig_alg {
    enum sig_scheme scheme;
    enum digest digest; /* DIGEST_NONE for Ed25519 */
};
/* What a key signs with unless something else is asked: P-224/256 SHA256, P-384 SHA384, P-521
 * SHA512, RSA PKCS#1 SHA256, Ed25519. */
struct sig_alg sig_alg_usual(const struct key *k);
/* The scheme belongs to the key's type, the digest to the scheme.  SHA-1 fits (whether it is
 * wanted is the caller's question), MD5 and SIG_ANY never do. */
bool sig_alg_fits(const struct key *k, struct sig_alg alg);

/* PSS: salt length equals the digest's, MGF1 with the same digest.  ERR_MALFORMED "signature does
 * not verify" when it does not; the caller classifies. */
bool key_verify(const struct key *k, struct sig_alg alg, struct slice message, struct slice sig,
                struct err *e) CHECKED;
/* The same for an ECDSA signature of fixed length. */
bool key_verify_fixed(const struct key *k, struct sig_alg alg, struct slice message,
                      struct slice fixed, struct err *e) CHECKED;
bool private_key_sign(const struct private_key *k, struct sig_alg alg, struct slice message,
                      struct buf *sig, struct err *e) CHECKED;

/* kind: KEY_RSA (bits 1024..16384) or an EC/25519 type (bits ignored). */
bool private_key_generate(struct arena *a, enum key_type type, unsigned bits,
                          struct private_key **key, struct err *e) CHECKED;

/* --- Numbers: what a JWK or `key inspect` shows.  Big-endian; EC values padded to the field. */
struct key_numbers {
    struct slice x, y;                /* EC; OKP: x */
    struct slice n, e;                /* RSA, without leading zeros */
    struct slice d, p, q, dp, dq, qi; /* private: secret memory when the arena is */
};
bool key_numbers(struct arena *a, const struct key *k, struct key_numbers *out,
                 struct err *e) CHECKED;
bool private_key_numbers(struct arena *a, const struct private_key *k, struct key_numbers *out,
                         struct err *e) CHECKED;
/* bits ignored for RSA; missing CRT values of an RSA private key are computed. */
bool key_from_numbers(struct arena *a, enum key_type type, const struct key_numbers *in,
                      const struct key **key, struct err *e) CHECKED;
bool private_key_from_numbers(struct arena *a, enum key_type type, const struct key_numbers *in,
                              struct private_key **key, struct err *e) CHECKED;

/* --- ECDSA signature forms --------------------------------------------------------------- */
/* DER <-> fixed length r‖s (2 * key_field_size). */
bool sig_ecdsa_to_fixed(struct arena *a, const struct key *k, struct slice der, struct slice *fixed,
                        struct err *e) CHECKED;
bool sig_ecdsa_from_fixed(struct arena *a, const struct key *k, struct slice fixed,
                          struct slice *der, struct err *e) CHECKED;

/* --- Encryption with keys (JWE) ----------------------------------------------------------- */
enum rsa_padding { RSA_PADDING_PKCS1, RSA_PADDING_OAEP_SHA1, RSA_PADDING_OAEP_SHA256 };
bool key_rsa_encrypt(struct arena *a, const struct key *k, enum rsa_padding padding,
                     struct slice plain, struct slice *out, struct err *e) CHECKED;
bool private_key_rsa_decrypt(struct arena *a, const struct private_key *k, enum rsa_padding padding,
                             struct slice in, struct slice *plain, struct err *e) CHECKED;
/* ECDH, X25519: the shared secret Z (x coordinate). Same type on both sides. */
bool private_key_agree(struct arena *a, const struct private_key *mine, const struct key *theirs,
                       struct slice *z, struct err *e) CHECKED;
