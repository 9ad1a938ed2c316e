/* Identifiers of orders (RFC 8555 7.1.4, RFC 8738): their syntax and what can prove them. */
#pragma once

#include "acme/acme.h"

/* The error's code is the problem type.  dns: letters, digits and hyphens in labels of 1 to 63
 * octets, A-labels that decode, at most one leading "*."; ip: a literal; permanent-identifier: not
 * empty. */
bool acme_identifier_check(struct arena *a, const struct acme_identifier *id,
                           struct err *e) CHECKED;
/* Bits of enum acme_challenge_type. */
unsigned acme_identifier_challenges(const struct acme_identifier *id);
/* Loads r->args[1] and checks that it is the account's own. */
bool acme_order_own(struct request *r, struct acme_order **order,
                    struct acme_authz **authzs) CHECKED;
