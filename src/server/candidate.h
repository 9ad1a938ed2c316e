/* A core and a registry made from a configuration, not published yet. */
#pragma once

#include "authority/services.h"
#include "crypto/secret.h" /* HEAP_WIPED: a configuration holds passwords */
#include "server/passwords.h"

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
