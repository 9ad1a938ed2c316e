/*
 * --offline: this process is the CA.  The same steps as in the server, with the same checks of
 * tokens, provisioners and certificates, and the same database.
 */
#pragma once

#include "authority/work.h"
#include "cli/ca_common.h"

struct ca_offline {
    struct invocation *inv;
    struct services services;
    struct authority *authority;
    bool open;
};
/* --ca-config, else config/ca.json in the step path; keys opened with --password-file, the
 * configuration's password, or by prompt. */
bool ca_offline_open(struct invocation *inv, struct ca_offline *o);
void ca_offline_close(struct ca_offline *o); /* nothing when it is not open */
/* "https://" and the first of dnsNames. */
struct slice ca_offline_url(const struct ca_offline *o);

bool ca_offline_sign(struct ca_offline *o, const struct ca_sign_wish *wish, struct cert_list *chain,
                     struct err *e) CHECKED;
/* key: NULL for renewal, else rekey.  by_token: the certificate has expired, or must not be shown.
 */
bool ca_offline_renew(struct ca_offline *o, const struct ca_held *held, const struct key *key,
                      bool by_token, struct cert_list *chain, struct err *e) CHECKED;
/* cert: without a token. */
bool ca_offline_revoke(struct ca_offline *o, const struct ca_revoke_wish *wish,
                       const struct ca_held *held, struct err *e) CHECKED;
