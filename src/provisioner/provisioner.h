/*
 * A provisioner says who may have what: token -> grant.  A grant is data; the pipeline in
 * authority/ gives it meaning; it never signs.
 *
 * To add a type: one file with a `struct provisioner_type`, one line in types.c.
 */
#pragma once

#include "base/clock.h"
#include "base/duration.h"
#include "jose/jws.h"
#include "policy/policy.h"
#include "provisioner/audience.h"
#include "provisioner/cert_template.h"
#include "provisioner/claims.h"
#include "provisioner/webhook.h"
#include "ssh/cert.h"
#include "x509/csr.h"
#include "json/shape.h"

struct provisioner;
struct grant;

struct asking {
    struct arena *arena;
    struct instant now;
    struct deadline deadline;
};

/* Where a provisioner is made. */
struct provisioner_env {
    struct clock *clock;
    const struct audiences *audiences;
    const struct claims *global;
    const struct template_env *templates; /* NULL: certificate templates are not looked at */
    const struct ssh_trust *ssh_roots; /* whose SSH certificates SSHPOP believes; NULL: nobody's */
};

struct provisioner_type {
    const char *name;            /* canonical: "JWK" */
    const char *written;         /* as `provisioner add` writes it: "JWK", "K8SSA" */
    const char *data_name;       /* in records: "K8sSA" */
    int number;                  /* in the provisioner extension */
    bool served;                 /* false: known, listed, kept disabled */
    bool no_tokens;              /* acme, scep: the token flow is refused with 400 */
    const struct shape *members; /* of its object in ca.json: any other is ignored, never listed */
    /* Reads the type's members: sets token_id, detail and listing.  False: the provisioner stays
     * uninitialized with the reason; `fatal` set: so broken that its ids cannot be computed. */
    bool (*init)(struct provisioner *p, struct arena *a, const struct provisioner_env *env,
                 bool *fatal, struct err *e);
    /* Verifies everything before it returns.  ERR_UNAUTHORIZED unless something inside knows
     * better.  NULL: this type does not support the method. */
    bool (*authorize[METHODS])(const struct provisioner *p, const struct token *t,
                               const struct asking *ask, struct grant *g, struct err *e);
};
extern const struct provisioner_type *const PROVISIONER_TYPES[];         /* NULL-terminated */
const struct provisioner_type *provisioner_type_find(struct slice name); /* ignoring case */
const struct provisioner_type *provisioner_type_numbered(int64_t number);

struct provisioner {
    const struct provisioner_type *type;
    struct slice type_text; /* as written */
    struct slice name, id, token_id;
    struct claims claims;
    const struct audiences *audiences;
    const struct json *config;       /* the object of ca.json */
    void *detail;                    /* the type's own, e.g. struct jwk_detail */
    const char *trouble;             /* why it cannot be used, or NULL */
    const char *warning;             /* what an operator should mend, or NULL */
    struct cert_template *x509;      /* options.x509, or NULL */
    struct cert_template *ssh;       /* options.ssh, or NULL */
    struct policy_set policies;      /* options.policy */
    struct webhooks webhooks;        /* options.webhooks */
    struct slice listing;            /* its object in GET /provisioners, compact JSON */
    struct slice kid, encrypted_key; /* JWK only */
};
/* Reads one element of authority.provisioners.  path: "authority.provisioners[3]".  False: a
 * configuration error (unknown type, wrong JSON types, broken beyond ids).  A provisioner that
 * cannot be initialized is returned with `trouble`. */
bool provisioner_make(struct arena *a, const struct json *config, const char *path,
                      const struct provisioner_env *env, struct provisioner **p,
                      struct err *e) CHECKED;
/* The type's default object for ca.json as `step ca provisioner add` writes it is made in cli/;
 * here only the shapes: */
extern const struct shape JWK_SHAPE, X5C_SHAPE, ACME_SHAPE;

/* --- Grants ------------------------------------------------------------------------------- */

enum csr_rule_kind {
    CSR_RULE_FINGERPRINT, /* cnf: SHA-256 of the CSR, base64url */
    CSR_RULE_CN_IN,       /* common name empty or one of texts */
    CSR_RULE_SANS_EQUAL,  /* per kind: none in the CSR, or the same set */
    CSR_RULE_DNS_SUBSET,
    CSR_RULE_KEY /* key strength; rsa_bits */
};
struct csr_rule {
    enum csr_rule_kind kind;
    const struct slice *texts;
    size_t n_texts;
    const struct sans *sans;
    unsigned rsa_bits;
    bool uris_free; /* SANS_EQUAL: URIs are not compared (identity certificates) */
};
#define GRANT_RULES_MAX 8
/* Rules in order; ERR_FORBIDDEN (or MALFORMED for key types). */
bool csr_rules_check(struct arena *a, const struct csr_rule *rules, size_t n, const struct csr *csr,
                     struct err *e) CHECKED;

enum leaf_kind {
    LEAF_TOKEN,
    LEAF_ATTESTED /* a device: client authentication only */
};                /* default certificate without a template */

struct grant_x509 {
    struct csr_rule rules[GRANT_RULES_MAX];
    size_t n_rules;
    struct subject subject;
    struct sans sans;
    enum leaf_kind fallback;
    struct slice credential_id;
    struct slice device; /* ACME: the permanent identifier that was attested */
    struct slice *pairs; /* provisioner extension key/value pairs */
    size_t n_pairs;
    bool limited; /* X5C: validity inside the credential's */
    struct instant not_before_floor, not_after_ceiling;
    bool force_cn;
};
/* What a request for an SSH certificate says, or the claim step.ssh of a token. */
struct ssh_wish {
    struct slice type; /* "user", "host", or empty */
    struct slice key_id;
    const struct slice *principals;
    size_t n_principals;
    struct time_or_duration valid_after, valid_before;
};
enum ssh_fallback {
    SSH_AS_GRANTED,      /* type, key id, principals of the grant; the extensions of a user */
    SSH_AS_ASKED,        /* everything of the request; a user gets the extensions of a user */
    SSH_PRINCIPALS_ASKED /* the grant's, but the principals of the request if it names some */
};                       /* the certificate without a template */
struct grant_ssh {
    struct ssh_wish data; /* what templates and the fallback see */
    const struct ssh_wish
        *match;    /* the request must agree with it where both speak; NULL: no rule */
    bool required; /* the request must have type, key id and principals */
    enum ssh_fallback fallback;
    /* Of the token; they win over the request's. */
    struct time_or_duration valid_after, valid_before;
    struct slice confirmed; /* cnf: base64url of the key's SHA-256; empty: any key */
    bool limited;           /* X5C: not beyond the credential */
    struct instant ceiling;
    const struct ssh_cert *held; /* SSHPOP: the certificate that was presented */
};
/* A request against the rules of its grant: FORBIDDEN names field, wanted and got; MALFORMED when
 * something required is missing.  Principals compare without case. */
bool ssh_rules_check(const struct grant_ssh *g, const struct ssh_wish *asked,
                     struct err *e) CHECKED;
/* The public key, as its blob, against the token's cnf: FORBIDDEN. */
bool ssh_confirmation_check(struct arena *a, const struct grant_ssh *g, struct slice blob,
                            struct err *e) CHECKED;
struct grant {
    const struct provisioner *by;
    struct slice subject;
    struct slice use_key; /* what makes the token one-time; empty: SHA-256 of the token */
    bool reusable;
    const struct token *token;
    const struct json *ra;         /* step.ra of the token, or NULL */
    const struct cert *credential; /* X5C: the certificate that authorized the token, or NULL */
    struct slice principal; /* who stands behind it, as webhooks are told; empty: credential says */
    struct grant_x509 x509;
    struct grant_ssh ssh;
};
