/* The system's trust store: where certificates stand that every program believes. */
#pragma once

#include "cli/cli.h"
#include "x509/cert.h"

/* Installs a root certificate; must be a CA that signed itself.  Directly as root, else through
 * sudo.  Progress on standard error; the error stays in inv->err. */
bool truststore_install(struct invocation *inv, const struct cert *root);
/* "<CN> <serial>" as a file name: other bytes than letters, digits, '.', '-' become '_'. */
struct slice truststore_file_name(struct arena *a, const struct cert *root);
