/* A signing key that ca.json names: a file, or a URI that stands for one. */
#pragma once

#include "authority/config.h"
#include "crypto/keyfile.h"

struct key_source {
    const struct config *config;
    const char *member; /* of ca.json, for messages: "ssh.hostKey" */
    struct slice name;  /* its value */
    struct slice password;
    struct password_source *prompt; /* asked when there is no password; may be NULL */
};
/* "softkms:path=/x", "softkms:/x" and plain paths.  *path: the file, as signers are called. */
bool signing_key_load(struct arena *a, struct arena *secrets, const struct key_source *from,
                      struct private_key **key, const char **path, struct err *e) CHECKED;
