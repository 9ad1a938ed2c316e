/* The checksums of the old file formats: none of them protects against anybody. */
#pragma once

#include "base/slice.h"

/* Castagnoli (RFC 3720 B.4); start with 0 and go on with what came back. */
uint32_t crc32c(uint32_t so_far, struct slice s);
uint64_t fnv1a64(struct slice s);
uint64_t xxhash64(struct slice s); /* seed 0 */
