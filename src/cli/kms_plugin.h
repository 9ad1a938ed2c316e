/*
 * Keys in devices and clouds, by way of the program step-kms-plugin: what it is asked for, and a
 * signer that asks it.
 */
#pragma once

#include "cli/cli.h"
#include "crypto/signer.h"

struct kms_plugin {
    struct invocation *inv;
    const char *program;
    const char *uri; /* of the key */
};
/* False: the program is not installed, or uri is none. */
bool kms_plugin_open(struct invocation *inv, const char *uri, struct kms_plugin *k,
                     struct err *e) CHECKED;
/* The key's public half, and who signs with it; lives in the invocation's arena. */
bool kms_plugin_signer(struct kms_plugin *k, struct signer **signer, struct err *e) CHECKED;
/* An attestation object of format `step` (docs/reference/acme.md) for a key authorization, as
 * base64url. */
bool kms_plugin_attest(struct kms_plugin *k, struct slice key_authorization, struct slice *object,
                       struct err *e) CHECKED;
