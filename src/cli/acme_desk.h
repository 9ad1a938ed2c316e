/*
 * The authority's own database, opened by a command that manages what its ACME provisioners need.
 *
 * Whoever can write the database is the authority's administrator, so nothing else is asked for;
 * the authority's keys stay closed.
 */
#pragma once

#include "acme/acme.h"
#include "cli/ca_common.h"

#define DESK_TIME (30 * NS_PER_SEC) /* for one transaction */

struct desk {
    struct invocation *inv;
    struct services services;
    struct provisioner *provisioner;
    struct arena *secrets;
};
/* By --ca-config, for the ACME provisioner with that name; then desk_close.  False: inv->err. */
bool desk_open(struct invocation *inv, struct slice provisioner, struct desk *d);
void desk_close(struct desk *d);
