/*
 * What the small tools read: a file, standard input, or an answer that is not shown.
 *
 * Functions that return bool leave their error in inv->err.  All texts are in the arena of secrets.
 */
#pragma once

#include "cli/cli.h"
#include "crypto/digest.h"

#define TOOL_INPUT_MAX (16u << 20)
#define TOOL_TOKEN_MAX (1u << 20)

/* A file; path NULL or "-": standard input. */
bool tool_read(struct invocation *inv, const char *path, size_t max, struct slice *text);
/* Something waits on standard input: a pipe, a socket, or a file with something in it. */
bool tool_piped(void);
/* Standard input when tool_piped, else the answer to a question. */
bool tool_input(struct invocation *inv, const char *label, struct slice *text);
/* argument i, which needs --insecure since others can see it; else tool_input.
 * name: "INPUT". */
bool tool_secret_argument(struct invocation *inv, int i, const char *name, const char *label,
                          struct slice *text);

/* sha1 (sha), sha224, sha256, sha384, sha512, sha512-224, sha512-256, md5. */
#define TOOL_DIGESTS "sha1, sha224, sha256, sha384, sha512, sha512-224, sha512-256, md5"
bool tool_digest_named(const char *name, enum digest *d);
