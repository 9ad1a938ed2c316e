/* The `step` program. */
#include <signal.h>

#include "cli/cli.h"
#include "crypto/secret.h"

int main(int argc, char **argv)
{
    const struct cli_environment env = {.root = &STEP};

    secret_init();
    /* A server or a reader that hangs up is an error to report, not the end of the process. */
    signal(SIGPIPE, SIG_IGN);
    return cli_run(&env, argc, argv);
}
