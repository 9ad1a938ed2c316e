/* Private to this folder: what a key type is, as a table, and making keys of parts. */
#pragma once

#include "crypto/der.h"
#include "crypto/key.h"
#include "crypto/ossl.h"

/* What a public or private key of a type is called, and how it stands in DER. */
struct key_info {
    const char *family;     /* "ECDSA", "RSA", "Ed25519" */
    const char *curve;      /* "P-256"; NULL for RSA */
    const char *ossl_name;  /* key management: "EC", "RSA", "ED25519" */
    const char *ossl_group; /* EC: group name */
    unsigned bits;          /* 0 for RSA: of the modulus */
    unsigned field;         /* bytes of a coordinate or of an Edwards/Montgomery key */
    struct oid algorithm;   /* SubjectPublicKeyInfo, PKCS#8 */
    struct oid named_curve; /* EC: the parameters */
    struct slice order;     /* EC: group order, big-endian */
    struct sig_alg usual;
};
const struct key_info *key_info(enum key_type t);
/* KEY_NONE when there is no such curve. */
enum key_type key_type_of_curve(struct slice named_curve_oid);
/* RSA, 25519 by the algorithm's OID; KEY_P256 stands for every curve. */
enum key_type key_type_of_algorithm(struct slice oid);

#define RSA_BITS_MIN        512u
#define RSA_BITS_MAX        16384u
#define RSA_BYTES_MAX       (RSA_BITS_MAX / 8)
#define RSA_EXPONENT_MAX    8u /* bytes */
#define EC_FIELD_MAX        66u
#define SIGNATURE_BYTES_MAX RSA_BYTES_MAX

/* AlgorithmIdentifier as it stands in a SubjectPublicKeyInfo and in PKCS#8. */
void key_put_algorithm(struct buf *b, enum key_type t);
/* SubjectPublicKeyInfo around the content of a subjectPublicKey. */
struct slice key_spki_of_point(struct arena *a, enum key_type t, struct slice point);
/* Removes leading zero octets. */
struct slice number_trim(struct slice s);
/* n octets, filled up with zeros in front; false when s has more. */
bool number_pad(struct arena *a, struct slice s, size_t n, struct slice *out) CHECKED;
/* EVP_PKEY_free at the arena's end. */
void key_keep(struct arena *a, EVP_PKEY *evp);
/* For a key of an elliptic curve, whose contexts hold nothing of one use: the last one is kept for
 * the next use, on whatever thread.  NULL for other types. */
struct key_spare *key_spare_new(struct arena *a, enum key_type t);
/* The pair for an EVP_PKEY that has private parts; takes evp over, also on failure. */
bool private_key_of_evp(struct arena *a, enum key_type t, EVP_PKEY *evp, struct private_key **key,
                        struct err *e) CHECKED;
/* private_key_sign with the digest of the message; not for Ed25519.  alg fits. */
bool private_key_sign_digest(const struct private_key *k, struct sig_alg alg, struct slice digest,
                             struct buf *sig, struct err *e) CHECKED;
