/* What reading and judging share. */
#pragma once

#include "policy/policy.h"

struct policy_rule {
    struct slice text;  /* cn, principal: as is; dns, uri: name or ".name"; email: domain */
    struct slice local; /* email with a mailbox; absent: any mailbox of the domain */
    struct ip ip;
    unsigned bits;
};
struct policy_rules {
    struct policy_rule *v;
    size_t n;
};
struct policy {
    enum policy_use use;
    bool wildcards, any_allow;
    struct policy_rules allow[POLICY_KINDS], deny[POLICY_KINDS];
};
const char *policy_kind_name(enum policy_kind kind);
struct slice policy_lower(struct arena *a, struct slice s);
/* A host's name in A-labels and lower case.  No label is empty, so there is no dot at its end. */
bool policy_domain(struct arena *a, struct slice name, struct slice *ascii) CHECKED;
/* A mailbox (RFC 5321 section 4.1.2): its local part without quotes and escapes, its domain. */
bool policy_mailbox(struct arena *a, struct slice text, struct slice *local,
                    struct slice *domain) CHECKED;
