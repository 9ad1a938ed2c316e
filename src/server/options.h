/* The command line of step-ca. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct options {
    const char *config; /* as given, or NULL */
    const char *password_file, *ssh_host_password_file, *ssh_user_password_file,
        *issuer_password_file, *resolver, *token, *context, *acme_http_port, *acme_tls_port,
        *pidfile;
    bool quiet, acme_strict_fqdn, insecure, help, version;
    const char *command; /* version, help, export, onboard, db, or NULL: serve */
    const char *argument;
    char **rest; /* db: what stands behind it */
    int n_rest;
};
/* Flags anywhere, one or two dashes, "=value" or the next word; "--" ends them; STEP_CA_TOKEN,
 * STEP_CA_QUIET, STEP_CA_CONTEXT.  ERR_MALFORMED: a usage error (exit 1). */
bool options_read(struct options *o, int argc, char **argv, struct err *e) CHECKED;
extern const char OPTIONS_HELP[];
