/* What the files of this folder share. */
#pragma once

#include "provisioner/provisioner.h"

extern const struct provisioner_type PROVISIONER_JWK, PROVISIONER_X5C;
extern const struct provisioner_type PROVISIONER_ACME, PROVISIONER_OIDC, PROVISIONER_GCP,
    PROVISIONER_AWS, PROVISIONER_AZURE, PROVISIONER_K8SSA, PROVISIONER_SSHPOP, PROVISIONER_SCEP,
    PROVISIONER_NEBULA;

/* Members that every type has. */
struct options_template {
    struct slice text, file;
    const struct json *data;
};
/* options.wire and the objects in it: listed, not served. */
struct wire_config {
    struct wire_config *oidc, *provider, *config, *dpop;
    struct slice discovery_base_url, issuer_url, authorization_url, token_url, jwks_url,
        user_info_url, client_id, transform, key, target;
    struct texts algorithms;
};
struct options_config {
    struct options_template *x509, *ssh;
    struct objects webhooks; /* of WEBHOOK_SHAPE */
    struct wire_config *wire;
    const struct json *policy;
};
struct common_config {
    struct slice type, name;
    struct claims_config *claims;
    struct options_config *options;
};
extern const struct shape OPTIONS_SHAPE;

/* Claims of a token that every self-made one carries, checked in the usual order after its
 * signature: issuer, times, audience (with fragment when given), subject.  ERR_UNAUTHORIZED. */
bool token_claims_check(const struct provisioner *p, const struct token *t, enum method m,
                        struct slice fragment, const struct asking *ask, struct err *e) CHECKED;
/* claim enableSSHCA.  ERR_UNAUTHORIZED. */
bool ssh_enabled_check(const struct provisioner *p, struct err *e) CHECKED;
/* What the claim step.ssh grants.  ERR_UNAUTHORIZED; MALFORMED (told) for an unknown certType. */
/* cnf."x5rt#S256" (RFC 7800) as it is written; empty when the token has none. */
bool token_confirmation(const struct token *t, struct slice *text, struct err *e) CHECKED;
bool token_grant_ssh(const struct token *t, const struct asking *ask, struct grant *g,
                     struct err *e) CHECKED;
/* What a self-made sign token grants: subject, names, rules; common-name rule by cn_any. */
bool token_grant(const struct token *t, const struct asking *ask, bool cn_any, struct grant *g,
                 struct err *e) CHECKED;
