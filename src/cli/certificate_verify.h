/* What `certificate verify` knows while it works, and its two ways to ask about revocation. */
#pragma once

#include "cli/certificate_common.h"

#define VERIFY_SKEW_NS (5 * 60 * NS_PER_SEC) /* clocks of a CA and ours may differ */

struct verifying {
    struct invocation *inv;
    const char *place;
    const struct cert *leaf;
    struct cert_list others; /* what came with it */
    struct cert_list roots;
    struct cert_list path; /* leaf to anchor */
};

/* Not on its issuer's list.  The error stays in inv->err. */
bool verify_crl(struct verifying *v);
/* Its issuer's responder says good. */
bool verify_ocsp(struct verifying *v);
