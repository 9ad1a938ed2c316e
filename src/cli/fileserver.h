/* What `step fileserver` answers: files of one directory, and never one outside of it. */
#pragma once

#include "base/err.h"
#include "net/http.h"

struct files {
    int dir;          /* open directory */
    bool need_client; /* only to clients with a certificate that was verified */
};
/* Fills x->out from the request.  Does not finish it. */
void files_answer(const struct files *f, struct http_exchange *x);

/* One range of a file (RFC 9110 14.2).  False: the header is to be ignored; n 0: it lies behind
 * the end (416). */
bool files_range(struct slice header, uint64_t size, uint64_t *from, uint64_t *n) CHECKED;
/* By the name's extension. */
const char *files_type(const char *name);
/* Opens a path below dir; nothing leads out of it, neither ".." nor a symbolic link.  -1 with
 * errno. */
int files_open(int dir, const char *path);
