/*
 * Snappy, for tables of Badger databases only: its library (and the C++ library behind it) is
 * loaded when the first such block is met, so that an authority that never imports one does not
 * carry it.
 */
#pragma once

#include "base/err.h"

/* How many bytes a block has when unpacked.  ERR_MALFORMED: damaged, or more than max;
 * ERR_UNAVAILABLE: libsnappy is not installed. */
bool snappy_size(struct slice packed, size_t max, size_t *n, struct err *e) CHECKED;
/* to: as many bytes as snappy_size said. */
bool snappy_unpack(struct slice packed, uint8_t *to, size_t n, struct err *e) CHECKED;
