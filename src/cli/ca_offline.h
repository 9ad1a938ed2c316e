/*
 * --offline: this process is the CA.  The same steps as in the server, with the same checks of
 * tokens, provisioners and certificates, and the same database.
 */
#pragma once

#include "authority/work.h"
#include "cli/ca_common.h"

struct ca_offline {
    struct invocation *inv;
    const char *password_flag; /* whose file opens the CA's keys */
    struct services services;
    struct authority *authority;
    bool open;
};
/* --ca-config, else config/ca.json in the step path; keys opened with --password-file, the
 * configuration's password, or by prompt. */
bool ca_offline_open(struct invocation *inv, struct ca_offline *o);
/* The same with another flag's file. */
bool ca_offline_open_by(struct invocation *inv, const char *password_flag, struct ca_offline *o);
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

/* --- ca_offline_ssh.c ------------------------------------------------------------------------ */

bool ca_offline_ssh_sign(struct ca_offline *o, const struct ca_ssh_sign_wish *wish,
                         struct ca_ssh_reply *reply, struct err *e) CHECKED;
/* public_key absent: renewal, else rekey. */
bool ca_offline_ssh_renew(struct ca_offline *o, struct slice ott, struct slice public_key,
                          struct ca_ssh_reply *reply, struct err *e) CHECKED;
bool ca_offline_ssh_revoke(struct ca_offline *o, const struct ca_revoke_wish *wish,
                           struct err *e) CHECKED;
bool ca_offline_ssh_roots(struct ca_offline *o, struct ssh_trust *out, struct err *e) CHECKED;
bool ca_offline_ssh_bastion(struct ca_offline *o, struct slice host, struct ca_ssh_bastion *out,
                            struct err *e) CHECKED;

/* --- One request: between the two files ------------------------------------------------------ */

void ca_offline_begin(struct ca_offline *o, struct work *w);
bool ca_offline_failed(const struct work *w, struct err *e);
/* A token that was looked at counts as used, also when nothing came of it. */
bool ca_offline_give_up(struct work *w, struct err *e);
