/* The service: everything between a checked command line and the last answered request. */
#pragma once

#include "base/steppath.h"
#include "server/options.h"

/* Exit codes of docs/reference/step-ca.md. */
enum { EXIT_OK = 0, EXIT_USAGE = 1, EXIT_FATAL = 2 };

/* Serves until SIGINT or SIGTERM.  config: the path. */
int serve(const struct options *o, const struct steppath *sp, const char *config);
