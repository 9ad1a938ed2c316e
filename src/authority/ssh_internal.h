/* What the SSH files of this folder share. */
#pragma once

#include "authority/ssh.h"
#include "ssh/json.h"

/* --- Times (ssh_times.c): Unix seconds, 0 is "not set" ---------------------------------------- */

struct ssh_times {
    uint64_t after, before;
};
struct ssh_times_rules {
    uint64_t now, backdate, usual; /* usual: seconds of the default duration */
    bool limited;                  /* not beyond the credential's end */
    uint64_t ceiling;
};
/* A time that was asked for replaces *sec; one before 1970 is MALFORMED. */
bool ssh_times_wish(const struct time_or_duration *wish, struct instant now, const char *name,
                    uint64_t *sec, struct err *e) CHECKED;
/* Fills what is not set; a start that was not asked for is backdated.  FORBIDDEN beyond the
 * ceiling. */
bool ssh_times_settle(const struct ssh_times_rules *rules, struct ssh_times *t,
                      struct err *e) CHECKED;
/* MALFORMED: not set, over, ends before it begins; FORBIDDEN: shorter or longer than allowed.
 * limits in nanoseconds. */
bool ssh_times_check(const struct ssh_times *t, uint64_t now, const struct duration_limits *limits,
                     int64_t backdate_ns, struct err *e) CHECKED;

/* --- Checks and issuance (ssh_issue.c) ---------------------------------------------------------
 */

/* RSA from 2048 bits: FORBIDDEN below. */
bool ssh_key_check(const struct ssh_key *k, const char *member, struct err *e) CHECKED;
/* Key id, principals, times of the certificate to be, under the provisioner's claims. */
bool ssh_cert_check(struct work *w, const struct ssh_cert *c, const struct provisioner *by) CHECKED;
/* NOT_IMPLEMENTED when the key for this type is missing. */
const struct ssh_signer *ssh_signer_need(struct work *w, uint32_t type) CHECKED;
/* Nonce and serial number where there is none, signature, record into the batch. */
bool ssh_issue(struct work *w, struct ssh_cert *c, const struct provisioner *by,
               struct slice renewed_from, struct ssh_issued *out) CHECKED;
/* What the inventory shows; provisioner and renewed_from are the caller's. */
void ssh_inventory(struct arena *a, const struct ssh_cert *c, struct issued *out);
/* The key under which tables hold a principal: lower case. */
struct slice ssh_name_key(struct arena *a, struct slice principal);
