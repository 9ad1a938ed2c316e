/*
 * `step ca health`: is the CA there, under the root that is believed?
 */
#include "cli/ca_common.h"

static int run_health(struct invocation *inv)
{
    struct ca ca;
    struct slice status;

    if (!ca_cmd_connect(inv, &ca, NULL) || !ca_health(&ca, inv->arena, &status, &inv->err))
        return fail(inv);
    out_line(inv, "%.*s", SLICE_ARG(status));
    return 0;
}

static const struct flag *const HEALTH_SETS[] = {FLAGS_CA, NULL};

const struct command CMD_CA_HEALTH = {
    .name = "health",
    .summary = "ask whether the CA is up",
    .synopsis = "",
    .description = "Asks the authority for its state and prints it: \"ok\". A CA that does not "
                   "answer, or whose certificate does not lead to the root, is an error.",
    .examples = "Check a CA that was not bootstrapped:\n"
                "$ step ca health --ca-url https://ca.example.internal:9000 --root root_ca.crt",
    .exit_codes = "0 the CA answers, 1 it does not.",
    .flag_sets = HEALTH_SETS,
    .run = run_health,
};
