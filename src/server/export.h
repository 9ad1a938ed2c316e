/* `step-ca export`: the configuration with the files it names, as one JSON object. */
#pragma once

#include "authority/services.h"
#include "base/steppath.h"
#include "server/options.h"

/* Shape: docs/reference/step-ca.md "Export".  No password is in it; keys are as they stand in
 * their files (encrypted ones stay encrypted). */
bool export_configuration(struct arena *a, const struct core *core, const struct registry *registry,
                          const struct steppath *sp, struct buf *out, struct err *e) CHECKED;
/* The command: loads the configuration as the server would (keys and their passwords too) and
 * prints the object; an exit code. */
int export_command(const struct options *o, const struct steppath *sp, const char *config);
