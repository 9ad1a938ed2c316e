/* What `ca init` makes: root, intermediate, and the first JWK provisioner
 * (docs/reference/pki.md). */
#pragma once

#include "base/clock.h"
#include "jose/jwk.h"
#include "x509/cert.h"

struct pki_pair {
    struct cert *cert;
    struct private_key *key;
};
/* Fresh P-256 key; O=name, CN="name Root CA"; path length 1; 3650 days. */
bool pki_root(struct arena *a, struct arena *secrets, struct slice name, struct instant now,
              struct rng *rng, struct pki_pair *root, struct err *e) CHECKED;
/* Signed by root; path length 0; never outlives it (*cut says that it was cut). */
bool pki_intermediate(struct arena *a, struct arena *secrets, struct slice name,
                      const struct pki_pair *root, struct instant now, struct rng *rng,
                      struct pki_pair *intermediate, bool *cut, struct err *e) CHECKED;
/* {"type":"JWK","name":…,"key":{…},"encryptedKey":…} with a fresh P-256 key. */
bool pki_jwk_provisioner(struct arena *a, struct arena *secrets, struct slice name,
                         struct slice password, struct json **object, struct err *e) CHECKED;
/* The same from a key that is there. */
struct json *pki_jwk_object(struct arena *a, struct slice name, const struct jwk *jwk,
                            struct slice encrypted_key);
