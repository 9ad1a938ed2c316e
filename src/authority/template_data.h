/*
 * What certificate templates look into (docs/reference/templates.md "Variables"): requests,
 * subjects, names and certificates as objects of the template language.
 */
#pragma once

#include "provisioner/provisioner.h"
#include "template/template.h"

/* .Subject, .SANs, .Token, .AuthorizationCrt; over them the members of templateData; then
 * .Insecure.User (user: NULL or what the request carried) and .Insecure.CR. */
struct template_inputs {
    const struct grant *grant;
    const struct json *data; /* templateData or NULL */
    const struct json *user;
};
struct tvalue template_data_x509(struct arena *a, const struct template_inputs *in);
/* .Webhooks.<name> of enriching webhooks. */
void template_data_webhook(struct arena *a, struct tvalue *data, struct slice name,
                           const struct json *value);
/* Without .Insecure.CR: what webhook URLs see. */
void template_data_request(struct arena *a, struct tvalue *data, const struct csr *csr);

/* The attributes of a name by their members; others are extra names. */
struct subject *subject_of_dn(struct arena *a, const struct dn *dn);

/* The objects, for webhook bodies too. */
struct tvalue tobject_subject(const struct subject *s);
struct tvalue tobject_request(const struct csr *csr);
struct tvalue tobject_certificate(const struct cert *c);
struct tvalue tobject_sans(struct arena *a, const struct sans *s);

/* Bit i of a key usage; names that extended usages have. */
#define TOBJECT_N_KEY_USAGES 9
#define TOBJECT_N_EXT_USAGES 10
extern const char *const TOBJECT_KEY_USAGES[TOBJECT_N_KEY_USAGES];
extern const char *const TOBJECT_EXT_USAGES[TOBJECT_N_EXT_USAGES];
