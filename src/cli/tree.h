/* The commands and groups that stand directly below `step`. */
#pragma once

#include "cli/cli.h"

extern const struct command CMD_HELP, CMD_VERSION, CMD_PATH, CMD_CONTEXT, CMD_COMPLETION;
extern const struct command CMD_CERTIFICATE, CMD_CRYPTO;
extern const struct command CMD_CA;
extern const struct command CMD_CRL, CMD_FILESERVER, CMD_OAUTH;
extern const struct command CMD_API, CMD_BETA;
extern const struct command CMD_BASE64, CMD_SSH;
