/* A core and a registry made from a configuration, not published yet. */
#pragma once

#include "authority/services.h"
#include "server/passwords.h"

/* Memory of a configuration holds its passwords: wiped when it goes, though not locked (a
 * configuration may be larger than the locked heap). */
extern const struct heap HEAP_WIPED;

struct candidate {
    struct core *core;
    struct registry *registry;
};
/* The arena goes to the core, also when it cannot be made.  On failure nothing is left. */
bool candidate_build(struct candidate *c, struct services *s, struct passwords *p, struct arena *a,
                     const struct config *config, struct err *e) CHECKED;
void candidate_drop(struct candidate *c);
/* What config_load and config_validate are given: a warning line in the log. */
void candidate_warn(void *arg, const char *text);
