/*
 * Key revocation lists (PROTOCOL.krl of OpenSSH): what sshd's RevokedKeys and `ssh-keygen -Q` read.
 */
#pragma once

#include "ssh/cert.h"

struct ssh_krl {
    uint64_t version;   /* never goes down */
    uint64_t generated; /* Unix seconds */
    struct slice comment;
    const struct ssh_key *cas; /* the serials are revoked under each of them */
    size_t n_cas;
    const uint64_t *serials; /* ascending, none twice, none 0 */
    size_t n_serials;
};
/* One certificate section for each CA key, serials in lists, neighbours in ranges.  Unsigned. */
bool ssh_krl_write(const struct ssh_krl *krl, struct buf *out, struct err *e) CHECKED;
/* Strictly; for the client and for tests.  Sections of explicit keys and hashes are skipped, and so
 * are extensions that are not critical; critical ones and signatures are refused.  revoked: is this
 * serial under this CA key revoked? */
struct ssh_krl_read;
bool ssh_krl_read(struct arena *a, struct slice text, struct ssh_krl_read **out,
                  struct err *e) CHECKED;
bool ssh_krl_has(const struct ssh_krl_read *krl, struct slice ca_blob, uint64_t serial);
uint64_t ssh_krl_version(const struct ssh_krl_read *krl);
