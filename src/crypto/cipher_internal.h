/* Private to this folder: what key files need beyond cipher.h. */
#pragma once

#include "crypto/cipher.h"
#include "crypto/ossl.h"

#define CIPHER_BLOCK_MAX 16u

/* CBC with padding, or CTR, with a key and an IV of exactly the cipher's sizes (else
 * ERR_INTERNAL).  Opening: ERR_MALFORMED when the padding does not fit. */
bool cipher_seal(struct arena *a, const EVP_CIPHER *c, struct slice key, struct slice iv,
                 struct slice plain, struct slice *out, struct err *e) CHECKED;
bool cipher_open(struct arena *a, const EVP_CIPHER *c, struct slice key, struct slice iv,
                 struct slice in, struct slice *plain, struct err *e) CHECKED;
/* The same without padding: the input is whole blocks. */
bool cipher_open_unpadded(struct arena *a, const EVP_CIPHER *c, struct slice key, struct slice iv,
                          struct slice in, struct slice *plain, struct err *e) CHECKED;
