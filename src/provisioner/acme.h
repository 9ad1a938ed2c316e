/* The ACME provisioner: what it offers (docs/reference/acme.md). */
#pragma once

#include "provisioner/provisioner.h"

/* Bits by the order of acme/validate.h's challenge types and acme/attest.h's formats. */
struct acme_detail {
    bool force_cn, require_eab;
    struct slice terms_of_service, website;
    struct texts caa_identities;
    unsigned challenges; /* 1 << http-01, dns-01, tls-alpn-01, device-attest-01 */
    unsigned formats;    /* 1 << apple, step, tpm */
    struct cert_list attestation_roots;
};
/* NULL unless p is an ACME provisioner that is ready. */
const struct acme_detail *acme_detail_of(const struct provisioner *p);
/* The grant of a finalized order: subject and names come from the caller. */
void acme_grant(const struct provisioner *p, struct grant *g);
