/*
 * What has ended goes: rows that say themselves when they end are the store's to remove
 * (store_ops.prune); here are those whose value has to be understood, and certificates, when a
 * retention is configured (docs/operations.md).
 */
#pragma once

#include "store/store.h"

struct pruning {
    struct store *store;
    int64_t now;                 /* Unix seconds */
    int64_t retention;           /* of certificates, seconds after their end; negative: for ever */
    uint64_t rows, certificates; /* that went */

    /* Where it goes on: */
    size_t stage;
    struct slice after;
    struct arena *kept;
};
/* Looks at about so many rows.  *end: it has been through everything once, and would begin anew. */
bool prune_some(struct pruning *p, uint64_t rows, bool *end, struct err *e) CHECKED;
void prune_free(struct pruning *p);
