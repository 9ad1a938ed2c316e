/* step certificate: certificates on this machine, without an authority. */
#include "cli/certificate.h"
#include "cli/tree.h"

static const struct command *const COMMANDS[] = {
    &CMD_CERTIFICATE_BUNDLE,        &CMD_CERTIFICATE_CREATE,
    &CMD_CERTIFICATE_FINGERPRINT,   &CMD_CERTIFICATE_FORMAT,
    &CMD_CERTIFICATE_INSPECT,       &CMD_CERTIFICATE_INSTALL,
    &CMD_CERTIFICATE_KEY,           &CMD_CERTIFICATE_LINT,
    &CMD_CERTIFICATE_NEEDS_RENEWAL, &CMD_CERTIFICATE_P12,
    &CMD_CERTIFICATE_SIGN,          &CMD_CERTIFICATE_UNINSTALL,
    &CMD_CERTIFICATE_VERIFY,        NULL,
};

const struct command CMD_CERTIFICATE = {
    .name = "certificate",
    .summary = "make, show and check X.509 certificates",
    .description =
        "Makes certificates and requests, shows what is in them, checks and converts them. No "
        "authority is asked; 'step ca' has the commands for that.\n\n"
        "Where a certificate is looked at, its place can be a file or the address of a "
        "TLS server: https://, tls:// or tcp:// (port 443), smtps:// (465), ldaps:// "
        "(636).",
    .sub = COMMANDS,
};
