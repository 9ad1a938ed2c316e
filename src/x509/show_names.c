/*
 * Names by which people know algorithms, usages and purposes; the tables behind the texts and the
 * JSON of certificate inspect.
 */
#include "x509/show_internal.h"
#include "x509/sigalg.h"

#define OID_OF(...)                                                                                \
    {                                                                                              \
        (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})                     \
    }
#define KP(last)   OID_OF(0x2b, 6, 1, 5, 5, 7, 3, last)
#define NIST(last) OID_OF(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, last)

static const struct {
    struct sig_alg alg;
    const char *name;
} ALG_NAMES[] = {
    {{SIG_RSA_PKCS1, DIGEST_MD5}, "MD5-RSA"},
    {{SIG_RSA_PKCS1, DIGEST_SHA1}, "SHA1-RSA"},
    {{SIG_RSA_PKCS1, DIGEST_SHA224}, "SHA224-RSA"},
    {{SIG_RSA_PKCS1, DIGEST_SHA256}, "SHA256-RSA"},
    {{SIG_RSA_PKCS1, DIGEST_SHA384}, "SHA384-RSA"},
    {{SIG_RSA_PKCS1, DIGEST_SHA512}, "SHA512-RSA"},
    {{SIG_RSA_PSS, DIGEST_SHA256}, "SHA256-RSAPSS"},
    {{SIG_RSA_PSS, DIGEST_SHA384}, "SHA384-RSAPSS"},
    {{SIG_RSA_PSS, DIGEST_SHA512}, "SHA512-RSAPSS"},
    {{SIG_ECDSA, DIGEST_SHA1}, "ECDSA-SHA1"},
    {{SIG_ECDSA, DIGEST_SHA224}, "ECDSA-SHA224"},
    {{SIG_ECDSA, DIGEST_SHA256}, "ECDSA-SHA256"},
    {{SIG_ECDSA, DIGEST_SHA384}, "ECDSA-SHA384"},
    {{SIG_ECDSA, DIGEST_SHA512}, "ECDSA-SHA512"},
    {{SIG_ED25519, DIGEST_NONE}, "Ed25519"},
};

const char *sig_alg_name(struct sig_alg alg)
{
    for (size_t i = 0; i < COUNT_OF(ALG_NAMES); i++) {
        if (ALG_NAMES[i].alg.scheme == alg.scheme && ALG_NAMES[i].alg.digest == alg.digest)
            return ALG_NAMES[i].name;
    }
    return NULL;
}

/* Algorithms that we only know by name. */
static const struct {
    struct oid oid;
    const char *name;
} FOREIGN[] = {
    {NIST(17), "ML-DSA-44"},
    {NIST(18), "ML-DSA-65"},
    {NIST(19), "ML-DSA-87"},
    {NIST(20), "SLH-DSA-SHA2-128s"},
    {NIST(21), "SLH-DSA-SHA2-128f"},
    {NIST(22), "SLH-DSA-SHA2-192s"},
    {NIST(23), "SLH-DSA-SHA2-192f"},
    {NIST(24), "SLH-DSA-SHA2-256s"},
    {NIST(25), "SLH-DSA-SHA2-256f"},
    {NIST(26), "SLH-DSA-SHAKE-128s"},
    {NIST(27), "SLH-DSA-SHAKE-128f"},
    {NIST(28), "SLH-DSA-SHAKE-192s"},
    {NIST(29), "SLH-DSA-SHAKE-192f"},
    {NIST(30), "SLH-DSA-SHAKE-256s"},
    {NIST(31), "SLH-DSA-SHAKE-256f"},
    {OID_OF(0x2b, 0x65, 0x6e), "X25519"},
    {OID_OF(0x2b, 0x65, 0x6f), "X448"},
    {OID_OF(0x2b, 0x65, 0x71), "Ed448"},
    {OID_OF(0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1), "ECDSA"},
    {OID_OF(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1), "RSA"},
    {OID_OF(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10), "RSASSA-PSS"},
    {OID_OF(0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1), "DSA"},
    {OID_OF(0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3), "DSA-SHA1"},
    {OID_OF(0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2), "DSA-SHA256"},
};

static struct slice foreign_text(struct arena *a, struct slice oid)
{
    for (size_t i = 0; i < COUNT_OF(FOREIGN); i++) {
        if (oid_eq(&FOREIGN[i].oid, oid))
            return slice_text(FOREIGN[i].name);
    }
    return oid_text(a, oid);
}

struct slice alg_text(struct arena *a, struct sig_alg alg, struct slice oid)
{
    const char *name = sig_alg_name(alg);

    return name ? slice_text(name) : foreign_text(a, oid);
}

struct slice key_algorithm_text(struct arena *a, const struct key *key, struct slice spki)
{
    struct slice oid;

    if (key && key->type == KEY_RSA)
        return SLICE("RSA");
    if (key && key_is_ec(key))
        return SLICE("ECDSA");
    if (key)
        return slice_text(key_curve_name(key->type));
    return spki_shape(spki, &oid, NULL) ? foreign_text(a, oid) : SLICE("unknown");
}

/* --- Usages ------------------------------------------------------------------------------- */

const struct key_usage_name KEY_USAGE_NAMES[KEY_USAGES] = {
    {"Digital Signature", "digital_signature"},
    {"Content Commitment", "content_commitment"},
    {"Key Encipherment", "key_encipherment"},
    {"Data Encipherment", "data_encipherment"},
    {"Key Agreement", "key_agreement"},
    {"Certificate Sign", "certificate_sign"},
    {"CRL Sign", "crl_sign"},
    {"Encipher Only", "encipher_only"},
    {"Decipher Only", "decipher_only"},
};

const struct eku_name EKU_NAMES[] = {
    {OID_OF(0x55, 0x1d, 37, 0), "Any Usage", "any"},
    {KP(1), "Server Authentication", "server_auth"},
    {KP(2), "Client Authentication", "client_auth"},
    {KP(3), "Code Signing", "code_signing"},
    {KP(4), "E-mail Protection", "email_protection"},
    {KP(5), "IPSec End System", "ipsec_end_system"},
    {KP(6), "IPSec Tunnel", "ipsec_tunnel"},
    {KP(7), "IPSec User", "ipsec_user"},
    {KP(8), "Time Stamping", "time_stamping"},
    {KP(9), "OCSP Signing", "ocsp_signing"},
    {OID_OF(0x67, 0x81, 5, 8, 1), "EK Certificate", "ek_certificate"},
};
const size_t EKU_NAMES_N = COUNT_OF(EKU_NAMES);

const struct eku_name *eku_name(struct slice oid)
{
    for (size_t i = 0; i < COUNT_OF(EKU_NAMES); i++) {
        if (oid_eq(&EKU_NAMES[i].oid, oid))
            return &EKU_NAMES[i];
    }
    return NULL;
}

const char *provisioner_type_text(int64_t type)
{
    static const char *const NAMES[] = {"noop", "JWK", "OIDC",  "GCP",    "AWS",  "Azure",
                                        "ACME", "X5C", "K8sSA", "SSHPOP", "SCEP", "Nebula"};

    return type >= 0 && type < (int64_t)COUNT_OF(NAMES) ? NAMES[type] : NULL;
}

/* RFC 5280 5.3.1; 7 is not used. */
const char *crl_reason_text(int reason)
{
    static const char *const NAMES[] = {
        "Unspecified",     "Key Compromise",         "CA Compromise",    "Affiliation Changed",
        "Superseded",      "Cessation Of Operation", "Certificate Hold", "Unused",
        "Remove From CRL", "Privilege Withdrawn",    "AA Compromise",
    };

    return reason >= 0 && reason < (int)COUNT_OF(NAMES) ? NAMES[reason] : "Unknown";
}
