/* What `certificate create` and `certificate sign` share: may this CA sign that, and how long does
 * the certificate live? */
#pragma once

#include "cli/cli.h"
#include "x509/cert.h"

/* RFC 5280: a CA that may sign certificates and whose key is one of ours. */
bool issuing_ca_ok(const struct cert *ca, struct err *e) CHECKED;
/* May it stand above a CA with that path length (-1: none)? */
bool issuing_path_ok(const struct cert *ca, int path_len, struct err *e) CHECKED;
/* --not-before and --not-after, by default now and life_ns later.  The error stays in inv->err. */
bool issuing_times(struct invocation *inv, int64_t life_ns, struct instant *not_before,
                   struct instant *not_after);
/* Nobody accepts a certificate beyond the life of its issuer: cuts it unless the end was asked
 * for. */
void issuing_fit(struct invocation *inv, const struct cert *ca, struct instant not_before,
                 struct instant *not_after);
