/*
 * OpenSSH certificates (PROTOCOL.certkeys of OpenSSH): an encoder and a strict decoder.
 */
#pragma once

#include "ssh/key.h"

enum ssh_cert_type { SSH_USER = 1, SSH_HOST = 2 };
#define SSH_FOREVER        UINT64_MAX
#define SSH_PRINCIPALS_MAX 256         /* what OpenSSH accepts */
#define SSH_OPTIONS_MAX    256         /* of one kind */
#define SSH_CERT_TEXT_MAX  (64u << 10) /* key id and every single option */

struct ssh_option {
    struct slice name, value; /* value empty: a flag */
};
struct ssh_options {
    struct ssh_option *v;
    size_t n;
};
/* The five extensions that a user's certificate has unless something else is said, in order. */
extern const struct ssh_options SSH_USER_EXTENSIONS;

struct ssh_cert {
    struct slice nonce;
    struct ssh_key key; /* the subject's, plain */
    uint64_t serial;
    uint32_t type; /* enum ssh_cert_type */
    struct slice key_id;
    struct slice *principals;
    size_t n_principals;
    uint64_t valid_after, valid_before; /* Unix seconds; SSH_FOREVER */
    struct ssh_options critical, extensions;
    struct slice reserved;
    bool rsa_512; /* an RSA key of the CA signs with SHA-512; not in the certificate */
    /* Only of certificates that were read: */
    struct ssh_key ca;
    struct slice signature;   /* its blob */
    struct slice signed_part; /* what the signature is over */
    struct slice blob;        /* the whole */
};
const char *ssh_cert_type_text(uint32_t type); /* "user", "host"; "unknown" */

/* Sorts options by name (a name twice: ERR_MALFORMED), writes, signs, appends.  nonce, serial and
 * everything else are taken as they are; the ca member is ignored.  Refuses (ERR_MALFORMED) type
 * not 1 or 2, more than SSH_PRINCIPALS_MAX principals or SSH_OPTIONS_MAX options, texts beyond
 * SSH_CERT_TEXT_MAX. */
bool ssh_cert_sign(const struct ssh_cert *c, struct signer *ca, struct arena *a, struct buf *blob,
                   struct deadline d, struct err *e) CHECKED;
/* Structure only: bounds, options strictly ascending, an option's data empty or one string, a CA
 * key that is a key and no certificate, type 1 or 2, nothing left over.  Slices point into blob.
 * ERR_MALFORMED. */
bool ssh_cert_read(struct arena *a, struct slice blob, struct ssh_cert *c, struct err *e) CHECKED;
/* The signature is by the key that the certificate names.  Who that is: ssh_keys_have(). */
bool ssh_cert_verify(struct arena *a, const struct ssh_cert *c, struct err *e) CHECKED;
/* The blob begins with the type name of a certificate. */
bool ssh_blob_is_cert(struct slice blob);
/* validAfter <= now < validBefore; values of 2^63 and more other than SSH_FOREVER never are. */
bool ssh_cert_is_valid_at(const struct ssh_cert *c, int64_t now);
/* The decimal text that tables and tokens use. */
struct slice ssh_serial_text(struct arena *a, uint64_t serial);

struct ssh_keys {
    struct ssh_key *v;
    size_t n;
};
static inline bool ssh_keys_have(const struct ssh_keys *list, struct slice blob)
{
    for (size_t i = 0; i < list->n; i++) {
        if (slice_eq(list->v[i].blob, blob))
            return true;
    }
    return false;
}
/* Keys that sign certificates of users and of hosts. */
struct ssh_trust {
    struct ssh_keys user, host;
};
