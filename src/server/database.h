/* The database that a configuration means: opened, made, or taken over from an older one. */
#pragma once

#include "authority/config.h"
#include "store/store.h"

/* Also imports, once, what stands where the configuration says, and says so in the log; refuses
 * when the old database was written to after that. */
struct store *database_open(const struct config *c, struct clock *clock, struct err *e) CHECKED;
