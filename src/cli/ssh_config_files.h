/* The files of `step ssh config`: a CA's answer on disk. */
#pragma once

#include "cli/cli.h"
#include "client/ssh.h"

/* Writes one of them, or with dry_run only shows what would be written.  Errors stay in inv->err,
 * with the path. */
bool ssh_config_file(struct invocation *inv, const struct ca_ssh_file *f, bool dry_run);
/* A revocation list for sshd: replaced as a whole, never by an older one unless --force says so,
 * and not touched when it would stay as it is. */
bool ssh_config_krl(struct invocation *inv, const char *path, struct slice krl, bool dry_run);

/* --- ssh_config_merge.c ---------------------------------------------------------------------- */

/* *text, and the lines of more that it has not. */
bool ssh_config_merge(struct arena *a, struct slice *text, struct slice more,
                      struct err *e) CHECKED;
/* The same files for another pair of key and certificate. */
bool ssh_config_merge_all(struct arena *a, struct ca_ssh_file *files, size_t n,
                          const struct ca_ssh_file *more, size_t n_more, struct err *e) CHECKED;
