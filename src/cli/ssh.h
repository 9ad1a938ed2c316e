/* The commands below `step ssh`, and what several of them share. */
#pragma once

#include "cli/cli.h"
#include "ssh/cert.h"

extern const struct command CMD_SSH_CERTIFICATE, CMD_SSH_CHECK_HOST, CMD_SSH_CONFIG,
    CMD_SSH_FINGERPRINT, CMD_SSH_HOSTS, CMD_SSH_INSPECT, CMD_SSH_LIST, CMD_SSH_LOGIN,
    CMD_SSH_LOGOUT, CMD_SSH_NEEDS_RENEWAL, CMD_SSH_PROXYCOMMAND, CMD_SSH_REKEY, CMD_SSH_RENEW,
    CMD_SSH_REVOKE;

/* --- ssh_input.c: keys and certificates in files ---------------------------------------------- */

/* A file of OpenSSH, or "-": its first line with a key or certificate. */
bool ssh_input_line(struct invocation *inv, const char *path, struct ssh_line *line,
                    struct err *e) CHECKED;
/* The same, which must be a certificate; base64 alone will do, too.  The signature is not checked.
 * comment may be NULL. */
bool ssh_input_cert(struct invocation *inv, const char *path, struct ssh_cert *cert,
                    struct slice *comment, struct err *e) CHECKED;
