/*
 * `step ca certificate` and `step ca sign` by ACME: what the flags say, one order, the chain.
 */
#pragma once

#include "cli/ca_common.h"
#include "cli/kms_plugin.h"

/* acme, standalone, webroot, contact, http-listen, tls-alpn-listen; and how they go together. */
extern const struct flag FLAGS_ACME[];
#define RULES_ACME                                                                                 \
    {RULE_EXCLUSIVE, "standalone", "webroot"}, {RULE_EXCLUSIVE, "standalone", "tls-alpn-listen"},  \
        {RULE_EXCLUSIVE, "webroot", "tls-alpn-listen"}, {RULE_EXCLUDES, "offline", "acme"},        \
    {                                                                                              \
        RULE_EXCLUDES, "token", "acme"                                                             \
    }

/* The names of an order: names, split by kind, and the common name when it is not among them. */
struct sans ca_acme_names(struct arena *a, const struct slice *names, size_t n,
                          struct slice common_name);
/* "ops@example.test" -> "mailto:ops@example.test"; what has a scheme stays. */
struct slice ca_acme_contact(struct arena *a, struct slice text);
/* A certificate for a key in a device that vouches for it (device-attest-01): one identifier. */
struct ca_acme_device {
    struct slice identifier;
    struct kms_plugin *key;
};
/* provisioner: its name at ca; empty: the directory of --acme, and ca is not looked at. */
bool ca_acme_order(struct invocation *inv, const struct ca *ca, struct slice provisioner,
                   const struct sans *names, struct slice csr_der, struct cert_list *chain);
bool ca_acme_order_for_device(struct invocation *inv, const struct ca *ca, struct slice provisioner,
                              const struct ca_acme_device *device, struct slice csr_der,
                              struct cert_list *chain);
