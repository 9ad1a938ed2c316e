/*
 * PKCS #12 files through libcrypto.  The bags are put together here because the attributes that
 * Java wants cannot be said to PKCS12_create of OpenSSL 3.0.
 *
 * The old ciphers are of the legacy provider; it is loaded into a library context of its own that
 * is gone when the file is made, so that nothing else ever sees it.
 */
#include "crypto/pkcs12.h"

#include <openssl/pkcs12.h>
#include <openssl/provider.h>

#include "crypto/ossl.h"

#define TRUSTED_KEY_USAGE "2.16.840.1.113894.746875.1.1" /* Oracle's, for key stores of Java */
#define ANY_USAGE         "2.5.29.37.0"
#define SALT_BYTES        16
#define PASSWORD_MAX      1024u
#define WHAT              "PKCS #12"

struct form {
    int cert_pbe, key_pbe;
    int iterations, mac_iterations;
    enum digest mac;
};
static const struct form MODERN = {NID_aes_256_cbc, NID_aes_256_cbc, 2048, 2048, DIGEST_SHA256};
static const struct form LEGACY = {NID_pbe_WithSHA1And40BitRC2_CBC,
                                   NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 2048, 1, DIGEST_SHA1};

struct making {
    const struct pkcs12_order *o;
    const struct form *form;
    const char *password;
    int password_n;
    OSSL_LIB_CTX *ctx; /* NULL: the usual one */
    OSSL_PROVIDER *usual, *old;
};

static void bags_free(STACK_OF(PKCS12_SAFEBAG) * *bags)
{
    sk_PKCS12_SAFEBAG_pop_free(*bags, PKCS12_SAFEBAG_free);
}
static void safes_free(STACK_OF(PKCS7) * *safes)
{
    sk_PKCS7_pop_free(*safes, PKCS7_free);
}
static void x509_free(X509 **x)
{
    X509_free(*x);
}
static void object_free(ASN1_OBJECT **o)
{
    ASN1_OBJECT_free(*o);
}
static void p12_free(PKCS12 **p)
{
    PKCS12_free(*p);
}
static void info_free(PKCS8_PRIV_KEY_INFO **p)
{
    PKCS8_PRIV_KEY_INFO_free(*p);
}

/* --- Bags --------------------------------------------------------------------------------- */

static bool add_trust(PKCS12_SAFEBAG *bag)
{
    CLEANUP(object_free) ASN1_OBJECT *any = OBJ_txt2obj(ANY_USAGE, 1);

    return any && PKCS12_add1_attr_by_txt(bag, TRUSTED_KEY_USAGE, V_ASN1_OBJECT, (void *)any, -1);
}

/* Key and certificate find each other by the digest of the certificate. */
static bool add_local_id(PKCS12_SAFEBAG *bag, struct slice cert)
{
    uint8_t id[DIGEST_MAX];

    digest_of(DIGEST_SHA1, cert, id);
    return PKCS12_add_localkeyid(bag, id, (int)digest_size(DIGEST_SHA1)) == 1;
}

static bool add_attributes(PKCS12_SAFEBAG *bag, const struct pkcs12_cert *c, bool of_key)
{
    return (!of_key || add_local_id(bag, c->der)) &&
           (!c->name.n ||
            PKCS12_add_friendlyname_utf8(bag, (const char *)c->name.p, (int)c->name.n) == 1) &&
           (!c->trusted || add_trust(bag));
}

static bool add_cert(STACK_OF(PKCS12_SAFEBAG) * bags, const struct pkcs12_cert *c, bool of_key)
{
    const unsigned char *p = c->der.p;
    CLEANUP(x509_free) X509 *x = d2i_X509(NULL, &p, (long)c->der.n);
    PKCS12_SAFEBAG *bag = x ? PKCS12_SAFEBAG_create_cert(x) : NULL;

    if (bag && add_attributes(bag, c, of_key) && sk_PKCS12_SAFEBAG_push(bags, bag) > 0)
        return true;
    PKCS12_SAFEBAG_free(bag);
    return false;
}

static bool add_key(const struct making *m, STACK_OF(PKCS12_SAFEBAG) * bags)
{
    CLEANUP(info_free) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(m->o->key->evp);
    unsigned char *salt = NULL; /* random */

    if (!info)
        return false;
    PKCS12_SAFEBAG *bag =
        PKCS12_SAFEBAG_create_pkcs8_encrypt_ex(m->form->key_pbe, m->password, m->password_n, salt,
                                               SALT_BYTES, m->form->iterations, info, m->ctx, NULL);
    if (bag && add_local_id(bag, m->o->certs[0].der) && sk_PKCS12_SAFEBAG_push(bags, bag) > 0)
        return true;
    PKCS12_SAFEBAG_free(bag);
    return false;
}

/* --- The file ----------------------------------------------------------------------------- */

static bool push_safe(STACK_OF(PKCS7) * safes, PKCS7 *safe)
{
    if (safe && sk_PKCS7_push(safes, safe) > 0)
        return true;
    PKCS7_free(safe);
    return false;
}

static bool put_certs(const struct making *m, STACK_OF(PKCS7) * safes)
{
    CLEANUP(bags_free) STACK_OF(PKCS12_SAFEBAG) *bags = sk_PKCS12_SAFEBAG_new_null();

    for (size_t i = 0; i < m->o->n; i++) {
        if (!bags || !add_cert(bags, &m->o->certs[i], m->o->key && i == 0))
            return false;
    }
    return push_safe(safes,
                     PKCS12_pack_p7encdata_ex(m->form->cert_pbe, m->password, m->password_n, NULL,
                                              SALT_BYTES, m->form->iterations, bags, m->ctx, NULL));
}

static bool put_key(const struct making *m, STACK_OF(PKCS7) * safes)
{
    CLEANUP(bags_free) STACK_OF(PKCS12_SAFEBAG) *bags = sk_PKCS12_SAFEBAG_new_null();

    if (!m->o->key)
        return true;
    return bags && add_key(m, bags) && push_safe(safes, PKCS12_pack_p7data(bags));
}

static PKCS12 *put_all(const struct making *m)
{
    CLEANUP(safes_free) STACK_OF(PKCS7) *safes = sk_PKCS7_new_null();

    if (!safes || !put_certs(m, safes) || !put_key(m, safes))
        return NULL;
    PKCS12 *p = PKCS12_init_ex(NID_pkcs7_data, m->ctx, NULL);
    if (p && PKCS12_pack_authsafes(p, safes) == 1 &&
        PKCS12_set_mac(p, m->password, m->password_n, NULL, SALT_BYTES, m->form->mac_iterations,
                       ossl_digest(m->form->mac)) == 1)
        return p;
    PKCS12_free(p);
    return NULL;
}

static bool write_all(struct arena *a, const struct making *m, struct slice *der, struct err *e)
{
    CLEANUP(p12_free) PKCS12 *p = put_all(m);
    int n = p ? i2d_PKCS12(p, NULL) : -1;

    if (n <= 0)
        return ossl_fail(e, ERR_INTERNAL, WHAT);
    uint8_t *out = arena_alloc(a, (size_t)n), *at = out;
    if (i2d_PKCS12(p, &at) != n)
        return ossl_fail(e, ERR_INTERNAL, WHAT);
    *der = slice_of(out, (size_t)n);
    return true;
}

/* --- Ciphers of old times ----------------------------------------------------------------- */

static bool legacy_open(struct making *m, struct err *e)
{
    m->ctx = OSSL_LIB_CTX_new();
    if (m->ctx) {
        m->usual = OSSL_PROVIDER_load(m->ctx, "default");
        m->old = OSSL_PROVIDER_load(m->ctx, "legacy");
    }
    return (m->usual && m->old) ||
           ossl_fail(e, ERR_NOT_IMPLEMENTED,
                     WHAT ": the old ciphers are not there (OpenSSL's legacy provider)");
}

static void legacy_close(const struct making *m)
{
    if (m->old)
        OSSL_PROVIDER_unload(m->old);
    if (m->usual)
        OSSL_PROVIDER_unload(m->usual);
    OSSL_LIB_CTX_free(m->ctx);
}

static bool order_ok(const struct pkcs12_order *o, struct err *e)
{
    if (!o->n)
        return err_set(e, ERR_MALFORMED, WHAT ": there is nothing to put into the file");
    if (slice_has_nul(o->password) || !slice_is_utf8(o->password) || o->password.n > PASSWORD_MAX)
        return err_set(e, ERR_MALFORMED,
                       WHAT ": expected a password of at most %u bytes of UTF-8 without NUL",
                       PASSWORD_MAX);
    return true;
}

bool pkcs12_make(struct arena *a, const struct pkcs12_order *o, struct slice *der, struct err *e)
{
    struct making m = {
        .o = o,
        .form = o->legacy ? &LEGACY : &MODERN,
        .password_n = (int)o->password.n,
    };

    if (!order_ok(o, e))
        return false;
    m.password = arena_cstr(a, o->password);
    bool ok = (!o->legacy || legacy_open(&m, e)) && write_all(a, &m, der, e);
    legacy_close(&m);
    return ok;
}
