/* Certificates and keys of a new authority. */
#include "cli/pki.h"

#include "jose/jwe.h"

#define LIFETIME (INT64_C(87600) * 3600 * NS_PER_SEC)

static bool sign_ca(struct arena *a, struct x509_leaf *leaf, const struct issuer *issuer,
                    struct rng *rng, struct cert **out, struct err *e)
{
    struct buf der = buf_new(a, CERT_MAX);

    leaf->key_usage = KU_CERT_SIGN | KU_CRL_SIGN;
    leaf->has_basic = true;
    leaf->basic.ca = true;
    return x509_leaf_sign(leaf, issuer, rng, &der, DEADLINE_NONE, e) &&
           cert_read(a, buf_slice(&der), out, e);
}

static void name_ca(struct arena *a, struct x509_leaf *leaf, struct slice name, const char *kind)
{
    struct slice *organization = arena_alloc(a, sizeof(*organization));

    *organization = name;
    leaf->subject.organization = organization;
    leaf->subject.n_organization = 1;
    leaf->subject.common_name = arena_format(a, "%.*s %s CA", SLICE_ARG(name), kind);
}

bool pki_root(struct arena *a, struct arena *secrets, struct slice name, struct instant now,
              struct rng *rng, struct pki_pair *root, struct err *e)
{
    struct x509_leaf leaf = {0};
    struct issuer self = {0};

    if (!private_key_generate(secrets, KEY_P256, 0, &root->key, e))
        return false;
    name_ca(a, &leaf, name, "Root");
    leaf.key = root->key->public_key;
    leaf.not_before = instant_truncate(now);
    leaf.not_after = instant_truncate(instant_add(now, LIFETIME));
    leaf.basic.path_len = 1;
    self.key = leaf.key;
    self.signer = signer_local(secrets, root->key, "root key");
    return sign_ca(a, &leaf, &self, rng, &root->cert, e);
}

bool pki_intermediate(struct arena *a, struct arena *secrets, struct slice name,
                      const struct pki_pair *root, struct instant now, struct rng *rng,
                      struct pki_pair *intermediate, bool *cut, struct err *e)
{
    struct x509_leaf leaf = {0};
    struct issuer issuer = {0};

    if (!private_key_generate(secrets, KEY_P256, 0, &intermediate->key, e))
        return false;
    name_ca(a, &leaf, name, "Intermediate");
    leaf.key = intermediate->key->public_key;
    leaf.not_before = instant_truncate(now);
    leaf.not_after = instant_truncate(instant_add(now, LIFETIME));
    *cut = instant_cmp(leaf.not_after, root->cert->not_after) > 0;
    if (*cut)
        leaf.not_after = root->cert->not_after;
    leaf.basic.path_len = 0;
    issuer.key = root->key->public_key;
    issuer.signer = signer_local(secrets, root->key, "root key");
    cert_list_add(a, &issuer.chain, root->cert);
    return sign_ca(a, &leaf, &issuer, rng, &intermediate->cert, e);
}

struct json *pki_jwk_object(struct arena *a, struct slice name, const struct jwk *jwk,
                            struct slice encrypted_key)
{
    struct json *object = json_make_object(a);

    json_set(object, a, "type", json_make_text(a, SLICE("JWK")));
    json_set(object, a, "name", json_make_text(a, name));
    json_set(object, a, "key", jwk_json(a, jwk, false));
    if (encrypted_key.n > 0)
        json_set(object, a, "encryptedKey", json_make_text(a, encrypted_key));
    return object;
}

bool pki_jwk_provisioner(struct arena *a, struct arena *secrets, struct slice name,
                         struct slice password, struct json **object, struct err *e)
{
    struct private_key *key;
    struct slice sealed;
    struct jwk jwk;

    if (!private_key_generate(secrets, KEY_P256, 0, &key, e) ||
        !jwk_of_key(a, key->public_key, key, &jwk, e) ||
        !jwe_seal_jwk(secrets, &jwk, password, JWE_COMPACT, &sealed, e))
        return err_wrap(e, "making the provisioner's key");
    *object = pki_jwk_object(a, name, &jwk, arena_copy(a, sealed));
    return true;
}
