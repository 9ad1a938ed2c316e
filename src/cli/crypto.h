/* The commands below `step crypto`. */
#pragma once

#include "cli/cli.h"

extern const struct command CMD_CRYPTO_KEYPAIR, CMD_CRYPTO_CHANGE_PASS, CMD_CRYPTO_KEY,
    CMD_CRYPTO_JWK;
