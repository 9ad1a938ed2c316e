/* step ssh check-host: has the CA given a certificate to a host?  ssh asks with `Match exec`. */
#include "cli/ssh.h"
#include "cli/ssh_published.h"

/* ssh waits for the answer, also on the way to hosts that have nothing to do with the CA. */
#define PATIENCE (10 * NS_PER_SEC)

static int run_check_host(struct invocation *inv)
{
    struct ssh_desk desk;
    bool exists;

    if (!ssh_published_open(inv, &desk))
        return fail(inv);
    if (!flag_set(inv, "timeout"))
        desk.ca.timeout_ns = PATIENCE;
    bool ok = ssh_published_host(&desk, slice_text(arg_text(inv, 0)), &exists);
    ssh_desk_close(&desk);
    if (!ok)
        return fail(inv);
    if (flag_bool(inv, "verbose"))
        out_line(inv, "%s", exists ? "true" : "false");
    return exists ? 0 : 1;
}

static const struct flag CHECK_HOST_FLAGS[] = {
    {"verbose,v", FLAG_BOOL, NULL, "Print the answer, \"true\" or \"false\".", NULL, 0}, {0}};
static const struct flag *const CHECK_HOST_SETS[] = {CHECK_HOST_FLAGS, FLAGS_OFFLINE,
                                                     FLAGS_PASSWORD, FLAGS_CA, NULL};

const struct command CMD_SSH_CHECK_HOST = {
    .name = "check-host",
    .summary = "ask whether a host has got a certificate",
    .synopsis = "<hostname>",
    .description =
        "Asks the authority whether it has issued a certificate for a host, and "
        "answers with the exit code. The configuration that 'step ssh config' makes "
        "asks in this way which hosts are to be reached with certificates. Without --timeout "
        "it waits for 10 seconds at most.",
    .arguments = "hostname\tThe name of the host, as it stands among the principals of its "
                 "certificate; case does not matter.",
    .examples = "Is it one of ours?\n"
                "$ step ssh check-host internal.example.com && echo yes\n"
                "\n"
                "In words:\n"
                "$ step ssh check-host --verbose internal.example.com",
    .exit_codes = "0 the host has got a certificate, 1 it has not, or the authority could not be "
                  "asked.",
    .flag_sets = CHECK_HOST_SETS,
    .least = 1,
    .most = 1,
    .run = run_check_host,
};
