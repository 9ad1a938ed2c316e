/* Trust stores: where certificates stand that every program believes.  The system's, Java's, and
 * those of NSS (Firefox, Chrome). */
#pragma once

#include "cli/cli.h"
#include "x509/cert.h"

/* Installs a root certificate in the system's store; must be a CA that signed itself.  Directly as
 * root, else through sudo.  Progress on standard error; the error stays in inv->err. */
bool truststore_install(struct invocation *inv, const struct cert *root);
/* "<CN> <serial>" as a file name: other bytes than letters, digits, '.', '-' become '_'. */
struct slice truststore_file_name(struct arena *a, const struct cert *root);

enum truststore_kind { STORE_SYSTEM = 1, STORE_JAVA = 2, STORE_NSS = 4 };
struct truststore_change {
    const struct cert *root;
    const char *name; /* by which it is shown and found again; see truststore_name */
    bool remove;
};
/* prefix and decimal serial; prefix NULL: "<CN> ". */
const char *truststore_name(struct arena *a, const struct cert *root, const char *prefix);
/* Changes the stores of the set (enum truststore_kind).  One whose tools are not there is passed
 * over with a note; when that leaves none it is an error. */
bool truststore_apply(struct invocation *inv, const struct truststore_change *change,
                      unsigned stores);
