/*
 * Key files (docs/reference/key-files.md): every private-key format that operators have, public
 * keys, and what we write: PKCS#8 with PBES2 (PBKDF2-HMAC-SHA256, 600 000 rounds, AES-256-CBC).
 */
#pragma once

#include "crypto/key.h"
#include "crypto/pem.h"

/* Asked when a key turns out to be encrypted.  Returns false (with e) when there is none; called
 * at most `tries` times: again after a wrong one (attempt counts from 0).  what: the name given to
 * the reader.  password: in secret memory. */
struct password_source {
    bool (*get)(struct password_source *, const char *what, unsigned attempt, struct arena *secrets,
                struct slice *password, struct err *e);
    unsigned tries;
};
struct password_fixed {
    struct password_source source;
    struct slice password;
};
struct password_source *password_fixed_init(struct password_fixed *p, struct slice password);

/* Exactly one PEM block (a leading EC PARAMETERS block is skipped), nothing but white space after
 * it; or OpenSSH.  EC PRIVATE KEY, RSA PRIVATE KEY, PRIVATE KEY, ENCRYPTED PRIVATE KEY (PBES2 with
 * PBKDF2-HMAC-SHA1/224/256/384/512 or scrypt; AES-CBC, DES, 3DES), Proc-Type: 4,ENCRYPTED,
 * OPENSSH PRIVATE KEY (bcrypt, aes256-ctr/cbc).  At most 10 000 000 PBKDF2 rounds.
 * name is for messages.  Errors: ERR_MALFORMED "error decoding NAME: contains more than one PEM
 * encoded block", "… contains an unexpected header 'FOO'", "… not a valid PEM encoded block";
 * ERR_UNAUTHORIZED "error decrypting NAME: … password incorrect"; a public key or certificate:
 * ERR_MALFORMED "NAME is not a signer: …".
 * source NULL: an encrypted key is ERR_UNAUTHORIZED "NAME is encrypted". */
bool private_key_read(struct arena *a, struct slice text, const char *name,
                      struct password_source *source, struct private_key **key,
                      struct err *e) CHECKED;
/* private_key_read of a file (at most 1 MiB; "-" is standard input).  The text is wiped. */
bool private_key_load(struct arena *a, const char *path, struct password_source *source,
                      struct private_key **key, struct err *e) CHECKED;
/* Some block of the text is an encrypted private key. */
bool private_key_is_encrypted(struct slice text);
/* Unencrypted DER: PKCS#1, SEC1 or PKCS#8 tried in turn. */
bool private_key_from_der(struct arena *a, struct slice der, struct private_key **key,
                          struct err *e) CHECKED;

enum key_encoding {
    KEY_TRADITIONAL, /* EC PRIVATE KEY, RSA PRIVATE KEY; Ed25519 and X25519 as PKCS#8 */
    KEY_PKCS8
};
/* DER of the private key, in a (make it a secret arena). */
bool private_key_der(struct arena *a, const struct private_key *k, enum key_encoding form,
                     struct slice *der, struct err *e) CHECKED;
/* PEM, plain. */
bool private_key_pem(struct arena *a, const struct private_key *k, enum key_encoding form,
                     struct slice *pem, struct err *e) CHECKED;
/* PEM "ENCRYPTED PRIVATE KEY".  password must not be empty. */
bool private_key_pem_encrypted(struct arena *a, const struct private_key *k, struct slice password,
                               struct slice *pem, struct err *e) CHECKED;
/* PEM "OPENSSH PRIVATE KEY"; password empty: plain, else bcrypt with aes256-ctr. */
bool private_key_openssh(struct arena *a, const struct private_key *k, struct slice password,
                         const char *comment, struct slice *pem, struct err *e) CHECKED;

/* PUBLIC KEY, RSA PUBLIC KEY; CERTIFICATE and CERTIFICATE REQUEST give their key; a private key
 * gives its public half.  First block of the text. */
bool public_key_read(struct arena *a, struct slice text, const char *name,
                     struct password_source *source, const struct key **key, struct err *e) CHECKED;
struct slice public_key_pem(struct arena *a, const struct key *k);
/* "ecdsa-sha2-nistp256 AAAA…" (no newline), and back (comment ignored).  Absent (p == NULL) for
 * P-224 and X25519, which have no such form. */
struct slice public_key_openssh(struct arena *a, const struct key *k);
bool public_key_from_openssh(struct arena *a, struct slice line, const struct key **key,
                             struct err *e) CHECKED;
