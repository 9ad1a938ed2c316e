/* Private to this folder: the formats inside key files.  Secrets go to the arena `secrets`. */
#pragma once

#include "crypto/key_internal.h"
#include "crypto/keyfile.h"

#define KEYFILE_DER_MAX (64u << 10)

/* Opening an encrypted form: ERR_UNAUTHORIZED "password incorrect" when the padding or a check
 * value does not fit, ERR_MALFORMED when no password would help. */

/* PKCS#8 EncryptedPrivateKeyInfo (RFC 5958 3) with PBES2 (RFC 8018 6.2). */
bool pbes2_open(struct arena *secrets, struct slice in, struct slice password, struct slice *der,
                struct err *e) CHECKED;
bool pbes2_seal(struct arena *secrets, struct slice der, struct slice password, struct slice *out,
                struct err *e) CHECKED;
/* A body under "DEK-Info: cipher,IV" (RFC 1421 4.6.1.3, keys as OpenSSL derives them). */
bool dek_open(struct arena *secrets, struct slice dek_info, struct slice in, struct slice password,
              struct slice *der, struct err *e) CHECKED;

/* The body of an OPENSSH PRIVATE KEY. */
bool openssh_is_encrypted(struct slice body);
/* password is ignored when the key is not encrypted. */
bool openssh_open(struct arena *a, struct slice body, struct slice password,
                  struct private_key **key, struct err *e) CHECKED;
