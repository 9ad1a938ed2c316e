/* step crypto: keys on this machine. */
#include "cli/crypto.h"
#include "cli/tree.h"

static const struct command *const COMMANDS[] = {
    &CMD_CRYPTO_CHANGE_PASS, &CMD_CRYPTO_JWK, &CMD_CRYPTO_KEY, &CMD_CRYPTO_KEYPAIR, NULL,
};

const struct command CMD_CRYPTO = {
    .name = "crypto",
    .summary = "make and convert keys",
    .description = "Makes keys, converts them between formats and changes their passwords. Nothing "
                   "leaves this machine.\n\n"
                   "Private keys are written encrypted. A choice that is not safe has to be "
                   "confirmed with --insecure, one that is easily made wrong with --subtle.",
    .sub = COMMANDS,
};
