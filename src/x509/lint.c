/*
 * A linter for RFC 5280: what a certificate says that it must not, or leaves out.  One table; each
 * rule is a function that answers whether the certificate breaks it.  Rules about names stand in
 * lint_names.c.
 */
#include "x509/lint.h"
#include "x509/chain.h"

static const struct extension *ext(const struct cert *c, const struct oid *oid)
{
    return extensions_get(&c->extensions, oid);
}

static bool critical(const struct cert *c, const struct oid *oid)
{
    const struct extension *x = ext(c, oid);

    return x && x->critical;
}

static bool not_critical(const struct cert *c, const struct oid *oid)
{
    const struct extension *x = ext(c, oid);

    return x && !x->critical;
}

static bool is_ca(const struct cert *c)
{
    return c->has_basic && c->basic.ca;
}

static bool self_issued(const struct cert *c)
{
    return slice_eq(c->subject.raw, c->issuer.raw);
}

static bool uses(const struct cert *c, uint32_t usages)
{
    return c->key_usage & usages;
}

/* --- Basic fields ------------------------------------------------------------------------- */

static bool version_old(const struct cert *c)
{
    return c->version < 3;
}

static bool serial_zero(const struct cert *c)
{
    return c->serial.n == 1 && c->serial.p[0] == 0;
}

static bool serial_long(const struct cert *c)
{
    return c->serial.n + (c->serial.p[0] >> 7) > 20;
}

static bool serial_guessable(const struct cert *c)
{
    return !is_ca(c) && c->serial.n < 8;
}

static bool issuer_empty(const struct cert *c)
{
    return c->issuer.n == 0;
}

static bool validity_reversed(const struct cert *c)
{
    return instant_cmp(c->not_after, c->not_before) < 0;
}

/* The rest of TBSCertificate from its validity on. */
static bool tbs_from_validity(const struct cert *c, struct der *rest)
{
    struct der outer = der_reader(c->tbs);
    size_t before = 3; /* serialNumber, signature, issuer */

    if (!der_enter(&outer, DER_SEQUENCE, rest))
        return false;
    if (der_is(rest, DER_CONTEXT_CONSTRUCTED(0)))
        before++;
    for (; before; before--) {
        if (!der_next(rest, NULL, NULL, NULL))
            return false;
    }
    return true;
}

static bool time_form_wrong(const struct cert *c)
{
    const struct instant times[] = {c->not_before, c->not_after};
    struct der rest, validity;
    uint8_t tag;

    if (!tbs_from_validity(c, &rest) || !der_enter(&rest, DER_SEQUENCE, &validity))
        return true;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        bool late = instant_civil(times[i]).year >= 2050;
        if (!der_next(&validity, &tag, NULL, NULL) ||
            tag != (late ? DER_GENERALIZED_TIME : DER_UTC_TIME))
            return true;
    }
    return false;
}

static bool extensions_empty(const struct cert *c)
{
    struct der rest;
    uint8_t tag;

    if (c->extensions.n || !tbs_from_validity(c, &rest))
        return false;
    while (der_next(&rest, &tag, NULL, NULL)) {
        if (tag == DER_CONTEXT_CONSTRUCTED(3))
            return true;
    }
    return false;
}

static bool signature_weak(const struct cert *c)
{
    return c->sig_alg.digest == DIGEST_SHA1 || c->sig_alg.digest == DIGEST_MD5;
}

static bool signature_unknown(const struct cert *c)
{
    return c->sig_alg.scheme == SIG_ANY;
}

static bool key_unknown(const struct cert *c)
{
    return !c->key;
}

static bool rsa_short(const struct cert *c)
{
    return c->key && c->key->type == KEY_RSA && c->key->bits < 2048;
}

/* --- Key usage, basic constraints ----------------------------------------------------------- */

static bool usage_empty(const struct cert *c)
{
    return c->has_key_usage && !c->key_usage;
}

static bool usage_not_critical(const struct cert *c)
{
    return not_critical(c, &OID_EXT_KEY_USAGE);
}

static bool ca_without_usage(const struct cert *c)
{
    return is_ca(c) && !uses(c, KU_CERT_SIGN);
}

static bool sign_without_ca(const struct cert *c)
{
    return uses(c, KU_CERT_SIGN) && !is_ca(c);
}

/* RFC 8813 3, RFC 8410 5: keys that sign encipher nothing. */
static bool usage_unfit(const struct cert *c)
{
    uint32_t enciphers = KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT;
    uint32_t signs = KU_DIGITAL_SIGNATURE | KU_CONTENT_COMMITMENT | KU_CERT_SIGN | KU_CRL_SIGN;

    if (!c->key || c->key->type == KEY_RSA)
        return false;
    if (c->key->type == KEY_X25519)
        return uses(c, enciphers | signs);
    return uses(c, enciphers) || (c->key->type == KEY_ED25519 && uses(c, KU_KEY_AGREEMENT));
}

static bool only_without_agreement(const struct cert *c)
{
    return uses(c, KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY) && !uses(c, KU_KEY_AGREEMENT);
}

static bool basic_not_critical(const struct cert *c)
{
    return is_ca(c) && not_critical(c, &OID_EXT_BASIC);
}

static bool path_len_of_leaf(const struct cert *c)
{
    return c->has_basic && !c->basic.ca && c->basic.path_len >= 0;
}

/* --- Key identifiers ---------------------------------------------------------------------- */

static bool ca_without_ski(const struct cert *c)
{
    return is_ca(c) && !ext(c, &OID_EXT_SKI);
}

static bool leaf_without_ski(const struct cert *c)
{
    return c->version == 3 && !is_ca(c) && !ext(c, &OID_EXT_SKI);
}

static bool ski_critical(const struct cert *c)
{
    return critical(c, &OID_EXT_SKI);
}

static bool aki_missing(const struct cert *c)
{
    return c->version == 3 && !self_issued(c) && !ext(c, &OID_EXT_AKI);
}

static bool aki_critical(const struct cert *c)
{
    return critical(c, &OID_EXT_AKI);
}

static bool aki_without_id(const struct cert *c)
{
    return ext(c, &OID_EXT_AKI) && !c->aki.n;
}

/* --- Other extensions --------------------------------------------------------------------- */

static bool any_purpose_critical(const struct cert *c)
{
    for (size_t i = 0; critical(c, &OID_EXT_EKU) && i < c->n_eku; i++) {
        if (oid_eq(&OID_EKU_ANY, c->eku[i]))
            return true;
    }
    return false;
}

static bool constraints_not_critical(const struct cert *c)
{
    return not_critical(c, &OID_EXT_NAME_CONSTRAINTS);
}

static bool constraints_of_leaf(const struct cert *c)
{
    return ext(c, &OID_EXT_NAME_CONSTRAINTS) && !is_ca(c);
}

static bool constraints_broken(const struct cert *c)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct extension *x = ext(c, &OID_EXT_NAME_CONSTRAINTS);
    struct sans permitted, excluded;

    if (!x)
        return false;
    return !name_constraints_read(a, x->value, &permitted, &excluded) ||
           permitted.n + excluded.n == 0;
}

static bool aia_critical(const struct cert *c)
{
    return critical(c, &OID_EXT_AIA);
}

static bool aia_broken(const struct cert *c)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct extension *x = ext(c, &OID_EXT_AIA);
    struct urls ocsp, issuers;

    return x && !aia_read(a, x->value, &ocsp, &issuers);
}

static bool crl_points_broken(const struct cert *c)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct extension *x = ext(c, &OID_EXT_CRL_POINTS);
    struct urls urls;

    return x && !crl_points_read(a, x->value, &urls);
}

static bool crl_points_critical(const struct cert *c)
{
    return critical(c, &OID_EXT_CRL_POINTS);
}

static bool policies_broken(const struct cert *c)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct extension *x = ext(c, &OID_EXT_POLICIES);
    struct policies p;

    return x && !policies_read(a, x->value, &p);
}

static bool policy_twice(const struct cert *c)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct extension *x = ext(c, &OID_EXT_POLICIES);
    struct policies p;

    if (!x || !policies_read(a, x->value, &p))
        return false;
    for (size_t i = 0; i < p.n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (slice_eq(p.v[i].oid, p.v[k].oid))
                return true;
        }
    }
    return false;
}

/* Outside 2.5.29 relying parties know none that must be processed. */
static bool unknown_critical(const struct cert *c)
{
    for (size_t i = 0; i < c->extensions.n; i++) {
        const struct extension *x = &c->extensions.v[i];
        if (x->critical && !(x->oid.n == 3 && x->oid.p[0] == 0x55 && x->oid.p[1] == 0x1d))
            return true;
    }
    return false;
}

static const struct lint_rule RULES[] = {
    {LINT_WARNING, "version_not_3", "RFC 5280 4.1.2.1: the version is not 3", version_old},
    {LINT_ERROR, "serial_zero", "RFC 5280 4.1.2.2: the serial number is not positive", serial_zero},
    {LINT_ERROR, "serial_too_long", "RFC 5280 4.1.2.2: the serial number has more than 20 octets",
     serial_long},
    {LINT_NOTICE, "serial_guessable", "the serial number of a leaf has fewer than 64 bits",
     serial_guessable},
    {LINT_ERROR, "issuer_empty", "RFC 5280 4.1.2.4: the issuer is empty", issuer_empty},
    {LINT_ERROR, "validity_reversed", "RFC 5280 4.1.2.5: the validity ends before it begins",
     validity_reversed},
    {LINT_ERROR, "time_form", "RFC 5280 4.1.2.5: UTCTime to 2049, GeneralizedTime from 2050",
     time_form_wrong},
    {LINT_ERROR, "extensions_empty", "RFC 5280 4.1: the list of extensions is empty",
     extensions_empty},
    {LINT_WARNING, "signature_weak", "the signature uses SHA-1 or MD5", signature_weak},
    {LINT_NOTICE, "signature_unknown", "the signature algorithm is not one that is known here",
     signature_unknown},
    {LINT_NOTICE, "key_unknown", "the public key is not of a type that is known here", key_unknown},
    {LINT_WARNING, "rsa_short", "the RSA key has fewer than 2048 bits", rsa_short},
    {LINT_ERROR, "key_usage_empty", "RFC 5280 4.2.1.3: key usage has no bit set", usage_empty},
    {LINT_WARNING, "key_usage_not_critical", "RFC 5280 4.2.1.3: key usage should be critical",
     usage_not_critical},
    {LINT_ERROR, "ca_without_cert_sign", "RFC 5280 4.2.1.3: a CA without keyCertSign",
     ca_without_usage},
    {LINT_ERROR, "cert_sign_without_ca",
     "RFC 5280 4.2.1.9: keyCertSign without basic constraints that say CA", sign_without_ca},
    {LINT_ERROR, "key_usage_unfit",
     "RFC 8813 3, RFC 8410 5: a key usage that its key type cannot do", usage_unfit},
    {LINT_WARNING, "only_without_agreement",
     "RFC 5280 4.2.1.3: encipherOnly or decipherOnly without keyAgreement", only_without_agreement},
    {LINT_ERROR, "basic_not_critical",
     "RFC 5280 4.2.1.9: basic constraints of a CA are not critical", basic_not_critical},
    {LINT_ERROR, "path_len_of_leaf", "RFC 5280 4.2.1.9: a path length, but no CA",
     path_len_of_leaf},
    {LINT_ERROR, "ca_without_ski", "RFC 5280 4.2.1.2: a CA without subject key identifier",
     ca_without_ski},
    {LINT_WARNING, "leaf_without_ski",
     "RFC 5280 4.2.1.2: a leaf should have a subject key identifier", leaf_without_ski},
    {LINT_ERROR, "ski_critical", "RFC 5280 4.2.1.2: the subject key identifier is critical",
     ski_critical},
    {LINT_ERROR, "aki_missing", "RFC 5280 4.2.1.1: no authority key identifier", aki_missing},
    {LINT_ERROR, "aki_critical", "RFC 5280 4.2.1.1: the authority key identifier is critical",
     aki_critical},
    {LINT_ERROR, "aki_without_id",
     "RFC 5280 4.2.1.1: the authority key identifier has no key identifier", aki_without_id},
    {LINT_WARNING, "any_purpose_critical",
     "RFC 5280 4.2.1.12: anyExtendedKeyUsage in a critical extension", any_purpose_critical},
    {LINT_ERROR, "constraints_not_critical", "RFC 5280 4.2.1.10: name constraints are not critical",
     constraints_not_critical},
    {LINT_ERROR, "constraints_of_leaf", "RFC 5280 4.2.1.10: name constraints, but no CA",
     constraints_of_leaf},
    {LINT_ERROR, "constraints_broken",
     "RFC 5280 4.2.1.10: name constraints are empty or cannot be understood", constraints_broken},
    {LINT_ERROR, "aia_critical", "RFC 5280 4.2.2.1: authority information access is critical",
     aia_critical},
    {LINT_ERROR, "aia_broken", "RFC 5280 4.2.2.1: authority information access is malformed",
     aia_broken},
    {LINT_ERROR, "crl_points_broken", "RFC 5280 4.2.1.13: CRL distribution points are malformed",
     crl_points_broken},
    {LINT_WARNING, "crl_points_critical",
     "RFC 5280 4.2.1.13: CRL distribution points should not be critical", crl_points_critical},
    {LINT_ERROR, "policies_broken", "RFC 5280 4.2.1.4: certificate policies are malformed",
     policies_broken},
    {LINT_ERROR, "policy_twice", "RFC 5280 4.2.1.4: a certificate policy is there twice",
     policy_twice},
    {LINT_WARNING, "unknown_critical", "a critical extension that is not one of RFC 5280",
     unknown_critical},
};

static unsigned rules_run(const struct lint_rule *rules, size_t n, const struct cert *c,
                          lint_fn *found, void *arg)
{
    unsigned errors = 0;

    for (size_t i = 0; i < n; i++) {
        if (!rules[i].broken(c))
            continue;
        found(arg, rules[i].level, rules[i].rule, rules[i].text);
        errors += rules[i].level == LINT_ERROR;
    }
    return errors;
}

unsigned cert_lint(const struct cert *c, lint_fn *found, void *arg)
{
    return rules_run(RULES, COUNT_OF(RULES), c, found, arg) +
           rules_run(LINT_NAME_RULES, LINT_NAME_RULES_N, c, found, arg);
}
