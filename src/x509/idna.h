/* International domain names (RFC 5891, UTS #46) by libidn2. */
#pragma once

#include "base/arena.h"

/* A name as a look-up wants it: A-labels, lower case; non-transitional, STD3 rules ('_' and blanks
 * are refused).  False: it cannot be converted. */
bool idna_lookup(struct arena *a, struct slice name, struct slice *ascii) CHECKED;
