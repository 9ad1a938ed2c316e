/* Certificates: read by our own bounded DER reader, written around signer_sign. */
#pragma once

#include "base/clock.h"
#include "crypto/signer.h"
#include "x509/extension.h"

struct cert {
    struct slice der, tbs;
    int version;            /* 1..3 */
    struct slice serial;    /* magnitude, big-endian, no leading zeros (one 0 octet for zero) */
    struct slice sig_oid;   /* signature algorithm OID content */
    struct sig_alg sig_alg; /* SIG_ANY when we do not know it */
    struct slice signature;
    struct dn issuer, subject;
    struct instant not_before, not_after;
    struct slice spki;
    const struct key *key; /* NULL when the key type is not one of ours */
    struct extensions extensions;
    /* Decoded when present: */
    bool has_key_usage, has_eku, has_basic;
    uint32_t key_usage;
    struct slice *eku; /* OID contents */
    size_t n_eku;
    struct basic_constraints basic;
    struct slice ski, aki; /* key identifiers; NULL when absent */
    struct sans sans;
};
#define CERT_MAX (256u << 10)
/* Exactly one DER certificate, copied into a.  ERR_MALFORMED names the field and RFC 5280's
 * section. */
bool cert_read(struct arena *a, struct slice der, struct cert **cert, struct err *e) CHECKED;
/* The same for who only shows it: an extension that decides something and does not decode is in
 * the list of extensions, and nothing else knows of it.  Nothing may be decided by what is read
 * this way. */
bool cert_look(struct arena *a, struct slice der, struct cert **cert, struct err *e) CHECKED;
typedef bool cert_read_fn(struct arena *a, struct slice der, struct cert **cert, struct err *e);
/* Decimal serial: the form of the API and of the store. */
struct slice serial_decimal(struct arena *a, struct slice magnitude);
/* Decimal, or with prefix 0x, 0b, 0o, or a leading 0 (octal); '_' between digits.  magnitude as
 * in struct cert; at most 64 octets. */
bool serial_read(struct arena *a, struct slice text, struct slice *magnitude,
                 struct err *e) CHECKED;
struct slice cert_fingerprint(struct arena *a, struct slice der); /* SHA-256, lower-case hex */
/* The signature of child verifies under issuer's key (names are not compared). */
bool cert_signed_by(const struct cert *child, const struct cert *issuer, struct err *e) CHECKED;
bool cert_self_signed(const struct cert *c);

struct cert_list {
    struct cert **v;
    size_t n;
};
/* Bundle: every CERTIFICATE block without PEM headers, other blocks and junk skipped; or exactly
 * one DER certificate.  One bad certificate, or none at all, is an error naming `name`. */
bool cert_list_read(struct arena *a, struct slice text, const char *name, struct cert_list *list,
                    struct err *e) CHECKED;
/* With cert_look. */
bool cert_list_look(struct arena *a, struct slice text, const char *name, struct cert_list *list,
                    struct err *e) CHECKED;
bool cert_list_load(struct arena *a, const char *path, struct cert_list *list,
                    struct err *e) CHECKED;
void cert_list_add(struct arena *a, struct cert_list *list, struct cert *c);
/* PEM blocks one after the other. */
struct slice cert_list_pem(struct arena *a, const struct cert_list *list);
struct slice cert_pem(struct arena *a, struct slice der);

/* --- Making ------------------------------------------------------------------------------ */

/* The certificate to be: what a template yields and modifiers change. */
struct x509_leaf {
    struct subject subject;
    struct slice raw_subject; /* a whole Name, DER: wins over subject */
    struct sans sans;
    bool san_critical; /* also made critical when the subject is empty */
    struct instant not_before, not_after;
    uint32_t key_usage; /* 0: no extension */
    struct slice *eku;  /* OID contents */
    size_t n_eku;
    bool has_basic;
    struct basic_constraints basic;
    struct slice *ocsp, *ca_issuers; /* AIA URLs */
    size_t n_ocsp, n_ca_issuers;
    struct slice *policies; /* OID contents */
    size_t n_policies;
    struct slice *crl_points; /* URLs */
    size_t n_crl_points;
    struct slice name_constraints; /* finished value with raw_name_constraints_critical */
    bool name_constraints_critical;
    struct extensions raw; /* appended in order; one with the OID of a generated one replaces it */
    struct slice provisioner; /* value of the provisioner extension; replaces one in raw in place;
                                 p == NULL: none, and one found in raw is dropped */
    const struct key *key;
    struct slice ski;    /* empty: SHA-1 of the key bits */
    bool no_ski;         /* none at all, unless it is a CA (RFC 5280 4.2.1.2) */
    struct slice aki;    /* of a self-signed certificate; otherwise the issuer's key says it */
    struct sig_alg alg;  /* SIG_ANY: the issuer's choice */
    struct slice serial; /* magnitude; empty: 128 random bits */
    /* Renew, rekey: only AKI (and ski when set) are made, raw follows without those two.  A
     * provisioner extension in raw is then kept even when provisioner.p == NULL. */
    bool copy_extensions;
};
struct issuer {
    const struct key *key;
    struct signer *signer;
    struct cert_list chain; /* issuer first; empty for a self-signed root */
    struct sig_alg alg;     /* SIG_ANY: issuer_alg_usual */
};
/* The algorithm rule of docs/reference/x509.md: what the key store fixes, else for RSA issuers
 * the algorithm of the issuer's own certificate, else by key. */
struct sig_alg issuer_alg(const struct issuer *i);
/* Extension order: keyUsage, extKeyUsage, basicConstraints, SKI, AKI, AIA, SAN, policies, name
 * constraints, CRL points, raw, provisioner.  issuer->chain empty: self-signed, no AKI. */
bool x509_leaf_sign(const struct x509_leaf *leaf, const struct issuer *issuer, struct rng *rng,
                    struct buf *der, struct deadline d, struct err *e) CHECKED;
/* Names from the SAN extension that will be signed, raw ones included. */
bool x509_leaf_names(struct arena *a, const struct x509_leaf *leaf, struct sans *names,
                     struct err *e) CHECKED;
/* What a request for such a certificate asks for: usages, basic constraints, names, and the raw
 * ones. */
bool x509_leaf_wishes(struct arena *a, const struct x509_leaf *leaf, struct extensions *out,
                      struct err *e) CHECKED;
