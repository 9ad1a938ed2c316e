/*
 * Structures of the TPM (TPM 2.0 Library, Part 2), read from bytes within bounds: the public area
 * of a key, a certification, a signature.  Big-endian; nothing may follow.
 */
#pragma once

#include "base/err.h"
#include "crypto/key.h"

enum tpm_attribute { /* TPMA_OBJECT, Part 2 8.3 */
                     TPM_FIXED_TPM = 1u << 1,
                     TPM_FIXED_PARENT = 1u << 4,
                     TPM_SENSITIVE_DATA_ORIGIN = 1u << 5,
                     TPM_RESTRICTED = 1u << 16
};

/* TPMT_PUBLIC (12.2.4) of an RSA or ECC key. */
struct tpm_public {
    enum digest name_alg;
    uint16_t name_alg_id;
    uint32_t attributes;
    const struct key *key;
};
bool tpm_public_read(struct arena *a, struct slice in, struct tpm_public *out,
                     struct err *e) CHECKED;

/* TPMS_ATTEST (10.12.12) of TPM2_Certify. */
struct tpm_certification {
    struct slice extra_data, name;
};
bool tpm_certification_read(struct slice in, struct tpm_certification *out, struct err *e) CHECKED;

/* TPMT_SIGNATURE (11.3.4), RSASSA or ECDSA, in the house's form. */
struct tpm_signature {
    struct sig_alg alg;
    struct slice sig;
};
bool tpm_signature_read(struct arena *a, struct slice in, struct tpm_signature *out,
                        struct err *e) CHECKED;
