/*
 * `step ca`: the list of its commands.  Each is a file of its own; a new one is one line here.
 */
#include "cli/ca_common.h"
#include "cli/policy.h"
#include "cli/provisioner_edit.h"

extern const struct command CMD_CA_INIT, CMD_CA_ACME; /* ca_init.c, acme_eab.c */

static const struct command *const SUB[] = {
    &CMD_CA_HEALTH,      &CMD_CA_INIT, &CMD_CA_BOOTSTRAP, &CMD_CA_TOKEN,
    &CMD_CA_CERTIFICATE, &CMD_CA_SIGN, &CMD_CA_RENEW,     &CMD_CA_REKEY,
    &CMD_CA_REVOKE,      &CMD_CA_ROOT, &CMD_CA_ROOTS,     &CMD_CA_FEDERATION,
    &CMD_CA_PROVISIONER, &CMD_CA_ACME, &CMD_CA_POLICY,    NULL,
};

const struct command CMD_CA = {
    .name = "ca",
    .summary = "ask a certificate authority for certificates, and set one up",
    .description =
        "Commands that talk to a certificate authority: trust it ('bootstrap'), get certificates "
        "('certificate', 'sign'), keep them fresh ('renew', 'rekey'), give them up ('revoke'), "
        "and hand the right to get one to somebody else ('token').\n\n"
        "Where the authority is and which root to believe is what 'step ca bootstrap' keeps in "
        "the step path; '--ca-url' and '--root' say it for one command.",
    .examples = "Trust an authority once, then get a certificate and renew it:\n"
                "$ step ca bootstrap --ca-url https://ca.example.internal:9000 --fingerprint "
                "c8d3f2…\n"
                "$ step ca certificate web.example.internal web.crt web.key\n"
                "$ step ca renew --force web.crt web.key",
    .sub = SUB,
};
