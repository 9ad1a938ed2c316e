/* Handlers that the route table names. */
#pragma once

#include "acme/acme.h"

enum outcome acme_act_directory(struct request *r);
enum outcome acme_act_new_nonce(struct request *r);
enum outcome acme_act_new_account(struct request *r);
enum outcome acme_act_account(struct request *r);
enum outcome acme_act_orders(struct request *r);
enum outcome acme_act_key_change(struct request *r);
enum outcome acme_act_new_order(struct request *r);
enum outcome acme_act_order(struct request *r);
enum outcome acme_act_finalize(struct request *r);
enum outcome acme_act_authz(struct request *r);
enum outcome acme_act_challenge(struct request *r);
enum outcome acme_act_certificate(struct request *r);
enum outcome acme_act_revoke(struct request *r);
bool acme_then_revoke(struct request *r);
enum outcome acme_act_renewal_info(struct request *r);

/* What was issued by ACME under that serial number (decimal), revoke.c. */
bool acme_cert_of_serial(struct work *w, struct slice serial, struct acme_cert *out,
                         bool *found) CHECKED;
