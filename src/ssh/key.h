/*
 * Public keys and signatures as OpenSSH has them (RFC 4253 6.6, RFC 5656 3.1, RFC 8709,
 * PROTOCOL.u2f of OpenSSH), and the lines of .pub files.  Values <-> bytes: no files, no sockets.
 */
#pragma once

#include "base/clock.h"
#include "crypto/signer.h"

#define SSH_BLOB_MAX (256u << 10) /* a key or certificate, as OpenSSH bounds packets */

enum ssh_key_kind {
    SSH_KEY_RSA,
    SSH_KEY_P256,
    SSH_KEY_P384,
    SSH_KEY_P521,
    SSH_KEY_ED25519,
    SSH_KEY_SK_P256,    /* sk-ecdsa-sha2-nistp256@openssh.com */
    SSH_KEY_SK_ED25519, /* sk-ssh-ed25519@openssh.com */
    SSH_KEY_KINDS
};
struct ssh_key {
    enum ssh_key_kind kind;
    const struct key *key;    /* of sk kinds: the P-256 or Ed25519 key on the token */
    struct slice application; /* sk kinds only: "ssh:" */
    struct slice blob;        /* string type name, then the fields */
};
const char *ssh_key_type_name(enum ssh_key_kind kind);  /* "ssh-ed25519" */
const char *ssh_cert_type_name(enum ssh_key_kind kind); /* "ssh-ed25519-cert-v01@openssh.com" */
/* "RSA", "ECDSA", "ED25519", "SK-ECDSA", "SK-ED25519" */
const char *ssh_key_label(enum ssh_key_kind kind);
unsigned ssh_key_bits(const struct ssh_key *k); /* RSA: modulus bytes times 8; 256, 384, 521 */

/* The whole blob, strictly: lengths, minimal non-negative numbers, the curve of the type, a point
 * on it, an odd RSA exponent 3 <= e < 2^24, RSA modulus 512..16384 bits, nothing left over.
 * ERR_MALFORMED; a certificate and ssh-dss are told by name.  The slices point into blob. */
bool ssh_key_read(struct arena *a, struct slice blob, struct ssh_key *k, struct err *e) CHECKED;
/* RSA, P-256, P-384, P-521, Ed25519; ERR_MALFORMED for keys that OpenSSH has not. */
bool ssh_key_from(struct arena *a, const struct key *key, struct ssh_key *k, struct err *e) CHECKED;
static inline bool ssh_key_is_sk(enum ssh_key_kind kind)
{
    return kind >= SSH_KEY_SK_P256;
}
/* "SHA256:" and base64 without padding of the SHA-256 of any blob. */
struct slice ssh_fingerprint(struct arena *a, struct slice blob);

/* --- Lines: sshd(8) "AUTHORIZED_KEYS FILE FORMAT" ------------------------------------------- */

struct ssh_line {
    struct slice type, blob, comment; /* type: the name that stands first in blob as well */
};
/* The first line of the text that holds a key or certificate: blank and '#' lines are skipped,
 * options before the type are tolerated (quotes respected).  The blob is decoded, not read.
 * ERR_MALFORMED. */
bool ssh_line_read(struct arena *a, struct slice text, struct ssh_line *line,
                   struct err *e) CHECKED;
/* "TYPE BASE64 COMMENT\n"; comment may be empty (and then there is no blank).  blob must begin with
 * its type name. */
struct slice ssh_line_make(struct arena *a, struct slice blob, struct slice comment);

/* --- Signatures: string format, string bytes ------------------------------------------------ */

/* RSA: rsa-sha2-256, or -512 with rsa_512 (unless the key store binds the key to another), never
 * ssh-rsa; ECDSA with the curve's digest; Ed25519. */
bool ssh_signature_make(struct signer *s, bool rsa_512, struct slice message, struct buf *blob,
                        struct deadline d, struct err *e) CHECKED;
/* RSA: rsa-sha2-256 and rsa-sha2-512; the others exactly their own format; sk kinds are refused
 * (they do not sign certificates).  Nothing may follow.  ERR_MALFORMED. */
bool ssh_signature_verify(struct arena *a, const struct ssh_key *k, struct slice message,
                          struct slice blob, struct err *e) CHECKED;
/* Its parts, for showing.  What follows those of a security key (flags, counter) is left out. */
bool ssh_signature_read(struct slice blob, struct slice *format, struct slice *bytes,
                        struct err *e) CHECKED;
