/* PEM (RFC 7468) with RFC 1421 headers. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct pem_header {
    struct slice name, value;
};
struct pem {
    struct slice label; /* "CERTIFICATE" */
    struct slice der;   /* decoded body, in the arena */
    struct pem_header headers[8];
    size_t n_headers;
    struct slice text; /* the whole block as it stands in the input */
};
/* Takes the next block out of *rest (text before it is skipped).  False with e->kind == ERR_NONE:
 * there is none.  False with ERR_MALFORMED: a block that is broken. */
bool pem_next(struct arena *a, struct slice *rest, struct pem *block, struct err *e) CHECKED;
struct slice pem_header_get(const struct pem *block, const char *name);
/* 64 columns, LF, final LF. */
void pem_put(struct buf *b, const char *label, struct slice der);
struct slice pem_text(struct arena *a, const char *label, struct slice der);
/* The text contains "-----BEGIN ". */
bool pem_looks_like(struct slice text);
/* Skips a UTF-8 or UTF-16 byte order mark. */
struct slice bom_skip(struct slice text);
