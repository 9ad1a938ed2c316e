/* The small commands: help, version, path, completion. */
#include "base/file.h"
#include "cli/internal.h"
#include "cli/tree.h"

/* --- help ------------------------------------------------------------------------------------ */

static int run_help(struct invocation *inv)
{
    static const struct {
        const char *flag;
        bool (*write)(struct arena *, const struct command *, const char *, struct err *);
    } FORMS[] = {{"man", man_pages}, {"markdown", help_markdown}, {"html", help_html}};
    const struct command *root = run_of(inv)->env->root;
    const char *address = flag_text(inv, "http");
    bool done = false;

    for (size_t i = 0; i < COUNT_OF(FORMS); i++) {
        const char *dir = flag_text(inv, FORMS[i].flag);
        if (dir && !FORMS[i].write(inv->arena, root, dir, &inv->err))
            return fail(inv);
        done |= dir != NULL;
    }
    if (address)
        return help_serve(inv, root, address) ? 0 : fail(inv);
    return done ? 0 : help_topic(inv, 1, inv->n_args, inv->args);
}

static const struct flag HELP_FLAGS[] = {
    {"man", FLAG_FILE, "<dir>", "Write the manual pages of all commands into <dir>.", NULL,
     FLAG_NO_ENV},
    {"markdown", FLAG_FILE, "<dir>",
     "Write the help of all commands into <dir> as Markdown, with a directory for each command.",
     NULL, FLAG_NO_ENV},
    {"html", FLAG_FILE, "<dir>", "The same as HTML.", NULL, FLAG_NO_ENV},
    {"http", FLAG_TEXT, "<address>",
     "Serve the help of all commands as HTML at <address>, such as localhost:8080. Without a host "
     "only this machine can read it.",
     NULL, FLAG_NO_ENV},
    {0}};
static const struct flag *const HELP_SETS[] = {HELP_FLAGS, NULL};

const struct command CMD_HELP = {
    .name = "help",
    .summary = "show the help of a command",
    .synopsis = "[command ...]",
    .description = "Shows what a command does, its arguments and its flags. Without a command: "
                   "the list of all commands.",
    .arguments = "command\tThe words of the command, without 'step'.",
    .examples = "The help of 'step context select', in two ways:\n"
                "$ step help context select\n"
                "$ step context select --help\n"
                "\n"
                "All of it in a browser:\n"
                "$ step help --http :8080",
    .exit_codes = "0 success, 3 there is no such command.",
    .flag_sets = HELP_SETS,
    .most = -1,
    .run = run_help,
    .no_defaults = true,
};

/* --- version --------------------------------------------------------------------------------- */

const struct command CMD_VERSION = {
    .name = "version",
    .summary = "show the version of this program",
    .synopsis = "",
    .description = "Shows name, version and platform on one line and the release date on the "
                   "next.",
    .run = print_version,
    .no_defaults = true,
};

/* --- path ------------------------------------------------------------------------------------ */

static int run_path(struct invocation *inv)
{
    const char *path = flag_bool(inv, "base")      ? inv->steppath.base
                       : flag_bool(inv, "profile") ? inv->steppath.profile_path
                                                   : inv->steppath.path;

    out_line(inv, "%s", path);
    return 0;
}

static const struct flag PATH_FLAGS[] = {
    {"base", FLAG_BOOL, NULL, "Show the base path, which all contexts share.", NULL, 0},
    {"profile", FLAG_BOOL, NULL, "Show the path of the selected context's profile.", NULL, 0},
    {0}};
static const struct flag *const PATH_SETS[] = {PATH_FLAGS, FLAGS_CONTEXT, NULL};

const struct command CMD_PATH = {
    .name = "path",
    .summary = "show where configuration and keys are kept",
    .synopsis = "",
    .description = "Shows the step path: the directory with configuration, certificates and keys. "
                   "It is $STEPPATH, else .step in the home directory; with a context selected, "
                   "the directory of the context's authority below it. The directory need not "
                   "exist.",
    .examples = "Where the root certificate is kept:\n"
                "$ ls $(step path)/certs/root_ca.crt",
    .flag_sets = PATH_SETS,
    .run = run_path,
};

/* --- completion ------------------------------------------------------------------------------ */

static int run_completion(struct invocation *inv)
{
    CLEANUP(buf_free) struct buf b = buf_new(NULL, 4u << 20);

    if (!complete_script(&b, inv->arena, run_of(inv)->env->root, arg_text(inv, 0)))
        return fail_with(inv, "unsupported shell '%s'; options are bash, zsh, fish",
                         arg_text(inv, 0));
    out_put(inv, buf_slice(&b));
    return 0;
}

const struct command CMD_COMPLETION = {
    .name = "completion",
    .summary = "print the completion script for a shell",
    .synopsis = "<shell>",
    .description = "Prints a script that makes the shell complete commands, flags and contexts of "
                   "step.",
    .arguments = "shell\tbash, zsh or fish.",
    .examples = "Load completion in this bash, and in every new one:\n"
                "$ source <(step completion bash)\n"
                "$ echo 'source <(step completion bash)' >> ~/.bashrc\n"
                "\n"
                "In zsh:\n"
                "$ step completion zsh > \"${fpath[1]}/_step\"\n"
                "\n"
                "In fish:\n"
                "$ step completion fish > ~/.config/fish/completions/step.fish",
    .least = 1,
    .most = 1,
    .run = run_completion,
    .no_defaults = true,
};
