/*
 * Few random bytes at a time, without a system call for each: ids, nonces.  Not for keys, which
 * libcrypto makes.
 */
#pragma once

#include "base/clock.h"

void random_few(struct rng *rng, uint8_t *to, size_t n);
