/* step ssh: certificates of users and hosts for OpenSSH. */
#include "cli/ssh.h"
#include "cli/tree.h"

/* By name. */
static const struct command *const COMMANDS[] = {
    &CMD_SSH_CERTIFICATE,   &CMD_SSH_CHECK_HOST,   &CMD_SSH_CONFIG,
    &CMD_SSH_FINGERPRINT,   &CMD_SSH_HOSTS,        &CMD_SSH_INSPECT,
    &CMD_SSH_LIST,          &CMD_SSH_LOGIN,        &CMD_SSH_LOGOUT,
    &CMD_SSH_NEEDS_RENEWAL, &CMD_SSH_PROXYCOMMAND, &CMD_SSH_REKEY,
    &CMD_SSH_RENEW,         &CMD_SSH_REVOKE,       NULL,
};

const struct command CMD_SSH = {
    .name = "ssh",
    .summary = "get, show and use SSH certificates",
    .description =
        "Asks an authority for the certificates that OpenSSH takes instead of keys one by one: "
        "those of users, which servers let in, and those of hosts, which clients recognize. "
        "Shows what is in such certificates, and sets clients and servers up to use them.",
    .sub = COMMANDS,
};
