/* An SSH certificate to be: by the provisioner's template, or filled in directly where there is
 * none (docs/reference/templates.md "SSH"). */
#pragma once

#include "authority/ssh_internal.h"
#include "authority/template_data.h"

/* What certificates without a template are, as templates that say the same. */
extern const char *const SSH_TEMPLATES[]; /* by enum ssh_fallback */

/* .Type and .Marshal of a public key. */
struct tvalue tobject_ssh_key(const struct ssh_key *k);
/* .Type, .KeyID, .Principals, .Extensions, .Token, .AuthorizationCrt, then templateData over them,
 * then .Insecure.User. */
struct tvalue template_data_ssh(struct arena *a, const struct template_inputs *in,
                                const struct ssh_wish *granted);
/* .Insecure.CR: what the request says. */
void template_data_ssh_request(struct arena *a, struct tvalue *data, const struct ssh_request *r);

/* Does the grant's provisioner bring a template, or data that changes the usual one? */
bool ssh_template_wanted(const struct grant *g) CHECKED;
/* The certificate that the grant has without a template. */
void ssh_from_grant(const struct grant *g, const struct ssh_wish *granted,
                    const struct ssh_request *r, struct ssh_cert_json *out);
/* Runs a template and reads the JSON that it made.  MALFORMED: it refused with `fail`; INTERNAL:
 * what it made is no certificate (told to the requester), or it could not run (not told). */
bool ssh_template_run(struct arena *a, const struct template *t, const struct tvalue *data,
                      struct ssh_cert_json *out, struct err *e) CHECKED;
/* Either of them, enriching webhooks asked before.  *data: what the template saw. */
bool ssh_shape(struct work *w, const struct grant *g, const struct ssh_wish *granted,
               const struct ssh_request *r, struct tvalue *data, struct ssh_cert_json *out) CHECKED;
