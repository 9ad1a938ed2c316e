/*
 * Who signs: a public key and sign(message).  Declared here because x509, ssh and jose sign with
 * it; a key in this process, a token or a cloud make them.  Callers cannot tell which.
 */
#pragma once

#include "base/buf.h"
#include "base/pool.h"
#include "crypto/key.h"

struct signer;
struct signer_ops {
    /* Called inside the gate, on any thread.  digest is that of message (absent for Ed25519). */
    bool (*sign)(struct signer *, struct sig_alg, struct slice message, struct slice digest,
                 struct buf *sig, struct deadline, struct err *);
    void (*release)(struct signer *);
};
enum signer_flags { SIGNER_LOCAL = 1 }; /* signing never leaves this process */

struct signer {
    const struct signer_ops *ops;
    const struct key *public_key;
    const char *name;    /* printable: PINs starred */
    struct sig_alg only; /* SIG_ANY, or the one algorithm its key store binds it to */
    unsigned flags;
    unsigned gate_limit; /* 0: no gate */
    struct gate gate;
    void *state;
};

/* Hashes once, signs inside the gate, checks length and range; verifies the result under the
 * public key unless it is an ECDSA or RSA key in this process (a fault in a deterministic Ed25519
 * signature gives the key away).  UNAVAILABLE or TIMEOUT or INTERNAL, never a client's fault. */
bool signer_sign(struct signer *s, struct sig_alg alg, struct slice message, struct buf *sig,
                 struct deadline d, struct err *e) CHECKED;
/* A key in this process.  Lives in a (released with it). */
struct signer *signer_local(struct arena *a, const struct private_key *key, const char *name);
/* Signatures made since start by all signers, and failures: for the metrics. */
void signer_counts(uint64_t *made, uint64_t *failed);
