/*
 * Files that belong together, replaced so that a crash leaves the old ones, the new ones, or
 * something that can be put together again (ca_pair.c).
 */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

struct joint_file {
    const char *path;
    struct slice content;
    mode_t mode; /* of a file that was not there; one that was leaves its mode and owner */
    bool secret; /* others lose what the old mode gave them */
    bool fresh;  /* must not be there: ERR_EXISTS */
};
/* v[0], a private key, takes its place first, the others in their order.  On an error before that
 * nothing has changed. */
bool joint_write(struct arena *a, const struct joint_file *v, size_t n, struct err *e) CHECKED;
/* "<path>.rekey": where what has not taken its place yet waits. */
const char *joint_waiting(struct arena *a, const char *path);
/* Puts it in place. */
bool joint_mend(struct arena *a, const char *path, struct err *e) CHECKED;
