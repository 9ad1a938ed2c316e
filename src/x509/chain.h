/* Path validation (RFC 5280 6) by libcrypto, and the rules around it. */
#pragma once

#include "x509/cert.h"

enum chain_use { CHAIN_ANY, CHAIN_CLIENT, CHAIN_SERVER };
struct chain_rules {
    struct cert_list anchors; /* each is an anchor even when not self-signed */
    struct cert_list intermediates;
    struct instant at;
    enum chain_use use; /* EKU must allow it through the chain, or be absent */
    struct slice host;  /* DNS name or IP text to match; empty: not checked */
};
/* ERR_UNAUTHORIZED with libcrypto's reason and the depth.  chain (may be NULL): leaf … anchor. */
bool chain_verify(struct arena *a, const struct cert *leaf, const struct chain_rules *rules,
                  struct cert_list *chain, struct err *e) CHECKED;
/* DNS/IP/email/URI names against the NameConstraints of all certificates in the list (RFC 5280
 * 4.2.1.10).  ERR_FORBIDDEN names the name and the constraint. */
bool name_constraints_check(struct arena *a, const struct cert_list *issuers,
                            const struct sans *names, struct err *e) CHECKED;
/* The subtrees of a NameConstraints value, as text (IP: "10.0.0.0/8").  False when it cannot be
 * understood. */
bool name_constraints_read(struct arena *a, struct slice value, struct sans *permitted,
                           struct sans *excluded) CHECKED;
