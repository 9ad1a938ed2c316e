/* step crypto: keys, tokens and the small tools around them. */
#include "cli/crypto.h"
#include "cli/tree.h"

static const struct command *const COMMANDS[] = {
    &CMD_CRYPTO_CHANGE_PASS, &CMD_CRYPTO_HASH,  &CMD_CRYPTO_JOSE,
    &CMD_CRYPTO_JWE,         &CMD_CRYPTO_JWK,   &CMD_CRYPTO_JWS,
    &CMD_CRYPTO_JWT,         &CMD_CRYPTO_KDF,   &CMD_CRYPTO_KEY,
    &CMD_CRYPTO_KEYPAIR,     &CMD_CRYPTO_NACL,  &CMD_CRYPTO_OTP,
    &CMD_CRYPTO_RAND,        &CMD_CRYPTO_WINPE, NULL,
};

const struct command CMD_CRYPTO = {
    .name = "crypto",
    .summary = "make and use keys, tokens, digests and passwords",
    .description = "Makes keys, converts them between formats and changes their passwords; signs, "
                   "verifies, encrypts and decrypts; hashes files and passwords. Nothing leaves "
                   "this machine.\n\n"
                   "Private keys are written encrypted. A choice that is not safe has to be "
                   "confirmed with --insecure, one that is easily made wrong with --subtle.",
    .sub = COMMANDS,
};
