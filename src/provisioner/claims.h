/* Claims: limits and switches that the authority gives and a provisioner overrides
 * (docs/reference/claims.md). */
#pragma once

#include "json/shape.h"

/* As written in ca.json. */
struct claims_config {
    struct opt_duration min_tls, max_tls, default_tls;
    struct opt_duration min_user_ssh, max_user_ssh, default_user_ssh;
    struct opt_duration min_host_ssh, max_host_ssh, default_host_ssh;
    int8_t enable_ssh_ca, disable_renewal, allow_renewal_after_expiry, disable_smallstep_extensions;
};
extern const struct shape CLAIMS_SHAPE;

struct duration_limits {
    int64_t least, most, usual; /* ns */
};
struct claims {
    struct duration_limits tls, user_ssh, host_ssh;
    bool enable_ssh_ca, disable_renewal, allow_renewal_after_expiry, disable_smallstep_extensions;
};
extern const struct claims CLAIMS_BUILT_IN;

/* child may be NULL.  An own default outside the inherited limits widens them. */
void claims_resolve(const struct claims *parent, const struct claims_config *child,
                    struct claims *out);
/* TLS family: each > 0, least <= usual <= most.  The message names both members and values. */
bool claims_check(const struct claims *c, struct err *e) CHECKED;
/* The SSH families by the same rule: a text for a warning, or NULL. */
const char *claims_ssh_trouble(struct arena *a, const struct claims *c);
