/* The commands below `step crypto`. */
#pragma once

#include "cli/cli.h"

extern const struct command CMD_CRYPTO_KEYPAIR, CMD_CRYPTO_CHANGE_PASS, CMD_CRYPTO_KEY,
    CMD_CRYPTO_JWK;
extern const struct command CMD_CRYPTO_JWT, CMD_CRYPTO_JWS, CMD_CRYPTO_JWE, CMD_CRYPTO_JOSE,
    CMD_CRYPTO_HASH, CMD_CRYPTO_KDF, CMD_CRYPTO_NACL, CMD_CRYPTO_OTP, CMD_CRYPTO_RAND,
    CMD_CRYPTO_WINPE;
/* Members of the groups that stand in other files. */
extern const struct command CMD_CRYPTO_KEY_PUBLIC, CMD_CRYPTO_KEY_INSPECT,
    CMD_CRYPTO_KEY_FINGERPRINT, CMD_CRYPTO_KEY_SIGN, CMD_CRYPTO_KEY_VERIFY, CMD_CRYPTO_KEYSET;
