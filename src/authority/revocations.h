/* The record of a revocation, for the CRL. */
#pragma once

#include "authority/work.h"

struct revocation_entry {
    int64_t code;
    struct instant at, expires;
};
/* False: the record cannot be decoded (its key still counts as revoked). */
bool revocation_read(struct arena *a, struct slice record, struct revocation_entry *out) CHECKED;
