/*
 * The tree of commands: the one list of what `step` can do.  Each group has its table in a file of
 * its own; a new group is one line in each of the two lists below.
 */
#include "cli/tree.h"

static const struct command *const TOP[] = {
    &CMD_HELP,   &CMD_VERSION, &CMD_PATH,   &CMD_CONTEXT, &CMD_COMPLETION, &CMD_CERTIFICATE,
    &CMD_CRYPTO, &CMD_CA,      &CMD_BASE64, &CMD_CRL,     &CMD_FILESERVER, &CMD_OAUTH,
    &CMD_API,    &CMD_BETA,    &CMD_SSH,    NULL,
};

const struct command STEP = {
    .name = "step",
    .summary = "the command line of Newel, an online certificate authority",
    .description = "Newel CLI asks a certificate authority for certificates, renews and revokes "
                   "them, configures the authority, and works with keys, certificates and tokens "
                   "on this machine.\n\n"
                   "'step help <command>' and 'step <command> --help' show what a command does. "
                   "Flags can stand anywhere behind the command and begin with one dash or two.",
    .sub = TOP,
};
