/* A certificate to be, out of the provisioner's template (docs/reference/templates.md). */
#pragma once

#include "authority/template_data.h"
#include "authority/work.h"
#include "x509/leaf_json.h"

/* What every certificate without a template is: subject and names of the grant, usages by key.
 * The template that says the same, for provisioners that only replace its data. */
extern const char TEMPLATE_LEAF[], TEMPLATE_ATTESTED[];

/* Runs a template and reads the JSON that it made.  MALFORMED: it refused with `fail`; INTERNAL:
 * what it made is no certificate (told to the requester), or it could not run (not told). */
bool template_to_leaf(struct arena *a, const struct template *t, const struct tvalue *data,
                      struct leaf_json *out, struct err *e) CHECKED;
/* Does the grant's provisioner bring a template, or data that changes the usual one? */
bool template_wanted(const struct grant *g) CHECKED;
/* Runs it and reads what came out; the key is the request's.  user: templateData of the request or
 * NULL.  Enriching webhooks are asked before; *data is what the template saw, their answers in it.
 * *times: notBefore and notAfter that the template set (absent members stay unset).
 * MALFORMED: the template refused with `fail`; INTERNAL otherwise. */
bool template_leaf(struct work *w, const struct grant *g, const struct csr *csr,
                   const struct json *user, struct tvalue *data, struct x509_leaf *leaf,
                   struct validity_wish *times) CHECKED;
