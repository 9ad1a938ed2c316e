/* The commands below `step certificate`. */
#pragma once

#include "cli/cli.h"

extern const struct command CMD_CERTIFICATE_CREATE, CMD_CERTIFICATE_FINGERPRINT,
    CMD_CERTIFICATE_INSPECT, CMD_CERTIFICATE_NEEDS_RENEWAL, CMD_CERTIFICATE_VERIFY;
