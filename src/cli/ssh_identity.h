/*
 * The identity of whoever holds SSH certificates of a CA that wants client certificates: an X.509
 * certificate that comes with the SSH certificate and is shown in later connections
 * (docs/reference/ssh-client.md "Identity").
 */
#pragma once

#include "cli/ssh_common.h"

#define SSH_UUID_BYTES 16

/* identity.json, when it is there and its certificate is valid now; else NULL. */
const struct identity *ssh_identity_load(struct invocation *inv);
/* The CA wants client certificates, and it is no --offline. */
bool ssh_identity_wanted(struct ssh_desk *d);
/* When the CA wants client certificates: a key, and a request for it in wish->identity_csr.  *key
 * is NULL when it does not. */
bool ssh_identity_request(struct ssh_desk *d, const struct token *t, struct ca_ssh_sign_wish *wish,
                          struct private_key **key);
/* identity/identity.crt and, with a key, identity/identity_key and config/identity.json. */
bool ssh_identity_write(struct invocation *inv, struct private_key *key,
                        const struct cert_list *chain);
/* The token by which the identity asks for a host; absent without an identity. */
bool ssh_identity_token(struct invocation *inv, const struct identity *identity, struct slice host,
                        struct slice *token);

/* --- ssh_machine.c --------------------------------------------------------------------------- */

/* Version 4, variant 1 (RFC 9562 5.4): the bits for them are set. */
struct slice ssh_uuid_text(struct arena *a, const uint8_t bytes[SSH_UUID_BYTES]);
/* Out of the content of /etc/machine-id. */
struct slice ssh_machine_uuid(struct arena *a, struct slice machine_id);

/* --- ssh_again.c ----------------------------------------------------------------------------- */

/* What was asked for failed (inv->err).  True: that was a 401 of a CA that wants client
 * certificates, and somebody has logged in and has one now: ask once more. */
bool ssh_again(struct ssh_desk *d);
