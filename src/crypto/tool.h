/*
 * What people do with keys and numbers on a command line, and nothing else in the house may:
 * signatures over files with any digest, and primes.
 */
#pragma once

#include "crypto/key.h"

/* ECDSA hashes with the digest of the curve's size and Ed25519 signs the message itself: d and pss
 * then do not count.  RSA takes d, MD5 included, with PKCS#1 v1.5, or PSS with the longest salt
 * that fits (what many tools write without being asked). */
bool tool_sign(const struct private_key *k, enum digest d, bool pss, struct slice message,
               struct buf *sig, struct err *e) CHECKED;
/* A salt of any length.  ERR_UNAUTHORIZED when it does not verify. */
bool tool_verify(const struct key *k, enum digest d, bool pss, struct slice message,
                 struct slice sig, struct err *e) CHECKED;

#define TOOL_PRIME_MAX 8192u
/* A random prime of exactly that many bits (2 to TOOL_PRIME_MAX), decimal, in a. */
bool tool_prime(struct arena *a, unsigned bits, struct slice *decimal, struct err *e) CHECKED;
