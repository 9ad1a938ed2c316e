/* The record of a revocation, for the CRL, and the question whether there is one. */
#pragma once

#include "authority/work.h"

struct revocation_entry {
    int64_t code;
    struct instant at, expires;
};
struct revocation_record {
    struct slice serial, provisioner, reason, token;
    int64_t code;
    struct instant at, expires;
    bool mtls, acme;
};
/* Writes the record and puts the revocation into the batch; a serial number that is revoked already
 * is refused with MALFORMED at the commit.  ssh: of revoked_ssh_certs. */
bool revocation_put(struct work *w, bool ssh, const struct revocation_record *record) CHECKED;
/* UNAUTHORIZED when there is one; without a database there is none.  ssh: as above. */
bool revocation_none(struct work *w, bool ssh, struct slice serial) CHECKED;
/* The same in the moment of the commit, for what the batch issues in that certificate's place: a
 * revocation that comes in between is not overtaken. */
void revocation_none_at_commit(struct work *w, bool ssh, struct slice serial);
/* The id under which its use was recorded, where it has a jti; else empty. */
struct slice revocation_token(const struct grant *g);
/* False: the record cannot be decoded (its key still counts as revoked). */
bool revocation_read(struct arena *a, struct slice record, struct revocation_entry *out) CHECKED;
