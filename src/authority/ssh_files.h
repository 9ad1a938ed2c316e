/* The files for `step ssh config` of a snapshot (docs/reference/ssh-configuration.md "Files"). */
#pragma once

#include "authority/ssh.h"

/* templates.ssh of the configuration, else the built-in set.  Every template is parsed; those in
 * files are only tried, for they are read again at each request.  Errors name the key. */
bool ssh_files_build(struct arena *a, const struct config *config, const struct steppath *sp,
                     struct ssh_files *out, struct err *e) CHECKED;

/* A built-in file: what it is called, where it goes, and the source of its template. */
struct ssh_builtin {
    const char *name, *type, *path, *source;
    const char *const *requires; /* NULL-terminated, or NULL */
};
extern const struct ssh_builtin SSH_BUILTIN_USER[], SSH_BUILTIN_HOST[]; /* end with a NULL name */
