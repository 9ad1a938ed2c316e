/*
 * step ssh needs-renewal: an answer in the exit code.  Only 0 and 1 are answers; everything that
 * goes wrong has a code of its own, so that a script never takes a mistake for "no".
 */
#include "cli/certificate_common.h"
#include "cli/ssh.h"

static struct instant cert_time(uint64_t sec)
{
    return instant_add(instant_sec(sec > INT64_MAX ? INT64_MAX : (int64_t)sec), 0);
}

static int run_needs_renewal(struct invocation *inv)
{
    const char *path = arg_text(inv, 0);
    struct expires_in x;
    struct ssh_cert c;

    if (!expires_in_flag(inv, &x))
        return RENEWAL_TROUBLE;
    if (!ssh_input_cert(inv, path, &c, NULL, &inv->err)) {
        fail(inv);
        return inv->err.kind == ERR_NOT_FOUND ? RENEWAL_NO_FILE : RENEWAL_TROUBLE;
    }
    bool needed = c.valid_before != SSH_FOREVER &&
                  expires_in_reached(&x, cert_time(c.valid_after), cert_time(c.valid_before),
                                     inv->clock->now(inv->clock));
    return renewal_answer(inv, needed);
}

static const struct flag RENEWAL_FLAGS[] = {
    {"expires-in", FLAG_TEXT, "<percent|duration>",
     "When renewal is due: as soon as <percent> of the lifetime is used (\"75%\"), or the rest is "
     "not longer than <duration> (\"24h\"; \"0s\": expired).",
     "66%", 0},
    {"verbose,v", FLAG_BOOL, NULL, "Say the answer in words, too.", NULL, 0},
    {0}};
static const struct flag *const RENEWAL_SETS[] = {RENEWAL_FLAGS, NULL};

const struct command CMD_SSH_NEEDS_RENEWAL = {
    .name = "needs-renewal",
    .summary = "check whether an SSH certificate is due for renewal",
    .synopsis = "<crt_file>",
    .description = "Tells by its exit code whether a certificate should be renewed: when two "
                   "thirds of its lifetime are over, or when --expires-in says. One that is valid "
                   "forever never needs to be.",
    .arguments = "crt_file\tA file with a certificate, or \"-\" for standard input.",
    .examples = "Renew the certificate of a host when it is time to:\n"
                "$ step ssh needs-renewal ssh_host_ecdsa_key-cert.pub && "
                "step ssh renew --force ssh_host_ecdsa_key-cert.pub ssh_host_ecdsa_key\n"
                "\n"
                "Is there less than a day left?\n"
                "$ step ssh needs-renewal ssh_host_ecdsa_key-cert.pub --expires-in 24h",
    .exit_codes = "0 the certificate needs renewal, 1 it does not, 2 the file does not exist, 255 "
                  "any other error.",
    .flag_sets = RENEWAL_SETS,
    .least = 1,
    .most = 1,
    .run = run_needs_renewal,
    .no_defaults = true,
    .error_status = RENEWAL_TROUBLE,
};
