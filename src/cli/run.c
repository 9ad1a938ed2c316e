/*
 * From argv to an exit code: the words lead through the tree of commands; then the sources of
 * values are asked in turn (command line, environment, defaults.json), rules are checked, and the
 * command runs.  Help, completion and plugins branch off on the way.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/version.h"
#include "cli/internal.h"
#include "cli/terminal.h"
#include "crypto/secret.h"

#define HELP_MAX     (4u << 20)
#define EXIT_UNKNOWN 3

static const struct flag *const EVERYWHERE[] = {FLAGS_EVERYWHERE, NULL};
static const struct flag *const GLOBAL[] = {FLAGS_GLOBAL, NULL};

/* --- Help and errors of syntax -------------------------------------------------------------- */

static int show_help(struct invocation *inv, const struct command *const *path, size_t depth)
{
    CLEANUP(buf_free) struct buf b = buf_new(NULL, HELP_MAX);

    help_text(&b, path, depth, colour_wanted(inv->out_fd));
    out_put(inv, buf_slice(&b));
    return 0;
}

static int no_topic(struct invocation *inv, struct slice word)
{
    note(inv, "No help topic for '%.*s'", SLICE_ARG(word));
    return EXIT_UNKNOWN;
}

int help_topic(struct invocation *inv, size_t depth, int n, const struct slice *words)
{
    struct run *run = run_of(inv);
    const struct command *path[CLI_DEPTH];

    for (size_t i = 0; i < depth; i++)
        path[i] = run->path[i];
    for (int i = 0; i < n; i++) {
        if (slice_starts(words[i], "-"))
            continue;
        const struct command *next =
            depth < CLI_DEPTH ? command_find(path[depth - 1], words[i]) : NULL;
        if (!next)
            return no_topic(inv, words[i]);
        path[depth++] = next;
    }
    return show_help(inv, path, depth);
}

/* An error of the framework: the command says with which exit code it ends. */
static int fail_early(struct invocation *inv)
{
    int status = fail(inv);

    return inv->command->error_status ? inv->command->error_status : status;
}

static int incorrect_usage(struct invocation *inv)
{
    struct run *run = run_of(inv);

    out_put(inv, SLICE("Incorrect Usage: "));
    out_put(inv, printable(inv->arena, slice_text(inv->err.text)));
    out_put(inv, SLICE("\n\n"));
    show_help(inv, run->path, run->depth);
    return fail_early(inv);
}

int print_version(struct invocation *inv)
{
    out_line(inv, "%s", version_line(inv->arena, "Newel CLI"));
    out_line(inv, "%s", version_date(inv->arena));
    return 0;
}

/* --- Before a command runs ------------------------------------------------------------------ */

static bool check_count(struct invocation *inv)
{
    const struct command *c = inv->command;
    struct run *run = run_of(inv);
    const char *usage = command_usage(inv->arena, run->path, run->depth);

    if (inv->n_args < c->least)
        return err_set(&inv->err, ERR_MALFORMED,
                       "not enough positional arguments were provided in '%s'", usage);
    if (c->most >= 0 && inv->n_args > c->most)
        return err_set(&inv->err, ERR_MALFORMED,
                       "too many positional arguments were provided in '%s'", usage);
    return true;
}

static void forbid_questions(struct invocation *inv)
{
    if (run_of(inv)->non_interactive || flag_bool(inv, "non-interactive"))
        inv->terminal = terminal_none(inv->arena, "--non-interactive is in force");
}

/* The context for this run only; commands without defaults give the flag another meaning. */
static const char *wished_context(const struct invocation *inv)
{
    if (inv->command->no_defaults || !flag_listed(inv, "context"))
        return NULL;
    const char *name = flag_text(inv, "context");
    return name && *name ? name : NULL;
}

/* Contexts exist, none is selected: one must be, once.  Where nobody can be asked, only commands
 * that would talk to the wrong CA are stopped. */
static bool choose_context(struct invocation *inv)
{
    struct contexts *c = &run_of(inv)->contexts;
    struct slice *names = arena_array(inv->arena, c->n + 1, sizeof(*names));
    size_t chosen = 0;

    if (inv->command->no_defaults || inv->steppath.context || c->n == 0)
        return true;
    if (c->n > 1 && !flag_listed(inv, "context") && !inv->terminal->available(inv->terminal))
        return true;
    for (size_t i = 0; i < c->n; i++)
        names[i] = c->v[i].name;
    if (!inv->terminal->choose(inv->terminal, "Select a context for the step command\tContext",
                               names, c->n, "--context", &chosen, &inv->err))
        return err_wrap(&inv->err, "no context is selected (see 'step context select')");
    return contexts_select(inv->arena, &inv->steppath, c, names[chosen], &inv->err) &&
           steppath_load(inv->arena, NULL, &inv->steppath, c, &inv->err);
}

/* Which context a command runs in cannot depend on what that context says. */
static void drop_context_names(struct invocation *inv, struct json *defaults)
{
    static const char *const NAMES[] = {"context", "profile", "authority"};

    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (json_remove_exact(defaults, NAMES[i]) && inv->steppath.context)
            note(inv, "'%s' in the defaults of context '%s' is ignored", NAMES[i],
                 inv->steppath.context);
}

static const char *defaults_name(const struct invocation *inv, const char *file)
{
    if (file)
        return file;
    if (inv->steppath.context)
        return arena_printf(inv->arena, "defaults of context '%s'", inv->steppath.context);
    return path_join(inv->arena, inv->steppath.path, "config/defaults.json");
}

static bool read_defaults(struct invocation *inv)
{
    struct run *run = run_of(inv);
    const char *file = run->config;
    struct json *defaults;

    if (inv->command->no_defaults)
        return true;
    if (file && inv->steppath.context) {
        note(inv, "'--config' is not used: the context '%s' has its own defaults",
             inv->steppath.context);
        file = NULL;
    }
    if (!defaults_load(inv->arena, &inv->steppath, file, &defaults, &inv->err))
        return false;
    drop_context_names(inv, defaults);
    return values_from_defaults(&run->set, inv->arena, defaults, defaults_name(inv, file),
                                &inv->err);
}

static bool prepare(struct invocation *inv)
{
    struct run *run = run_of(inv);

    if (!values_from_environment(&run->set, inv->arena, &inv->err) || !check_count(inv))
        return false;
    forbid_questions(inv);
    if (!steppath_load(inv->arena, wished_context(inv), &inv->steppath, &run->contexts, &inv->err))
        return false;
    if (!choose_context(inv) || !read_defaults(inv))
        return false;
    forbid_questions(inv);
    return rules_check(&run->set, inv->path, inv->command->rules, inv->arena, &inv->err);
}

/* A pipe whose reader went away ("| head") is not worth a message. */
static int check_output(struct invocation *inv, int status)
{
    struct run *run = run_of(inv);

    if (!run->out_failed)
        return status;
    if (run->out_errno == EPIPE)
        return status ? status : 1;
    err_errno(&inv->err, run->out_errno, "write", "standard output");
    return fail_early(inv);
}

static int run_command(struct invocation *inv, int n, char **words)
{
    struct run *run = run_of(inv);
    struct parsed parsed;

    inv->command = run->path[run->depth - 1];
    inv->path = command_path(inv->arena, run->path, run->depth);
    values_init(&run->set, inv->arena, inv->command->flag_sets, FLAGS_EVERYWHERE);
    bool ok = parse_words(&run->set, inv->arena, n, words, false, &parsed, &inv->err);
    if (flag_bool(inv, "help"))
        return show_help(inv, run->path, run->depth);
    if (!ok)
        return parsed.syntax ? incorrect_usage(inv) : fail_early(inv);
    inv->args = parsed.args;
    inv->n_args = parsed.n_args;
    if (!prepare(inv))
        return fail_early(inv);
    return inv->command->run(inv);
}

/* --- Through the tree ------------------------------------------------------------------------ */

/* A first word that is none of ours. */
static int run_other(struct invocation *inv, int n, char **words)
{
    int status;

    if (!steppath_base(inv->arena, &inv->steppath, &inv->err))
        return fail(inv);
    if (plugin_run(inv->arena, &inv->steppath, words[0], n - 1, words + 1, &status))
        return status;
    if (strcmp(words[0], "kms") != 0)
        return no_topic(inv, slice_text(words[0]));
    return fail_with(inv,
                     "'step kms' is a plugin that is not installed: put the program "
                     "step-kms-plugin into %s/plugins or a directory of PATH",
                     inv->steppath.base);
}

/* --config, --version and so on, before the first word.  True: there is an exit code. */
static bool global_flags(struct invocation *inv, int *status)
{
    struct run *run = run_of(inv);

    if (flag_bool(inv, "version")) {
        *status = print_version(inv);
        return true;
    }
    run->config = flag_text(inv, "config");
    return false;
}

static int walk_group(struct invocation *inv, int *n, char ***words, bool *done)
{
    struct run *run = run_of(inv);
    const struct command *group = run->path[run->depth - 1];
    bool top = run->depth == 1;
    struct parsed parsed;
    int status = 0;

    *done = true;
    values_init(&run->set, inv->arena, top ? GLOBAL : EVERYWHERE, NULL);
    bool ok = parse_words(&run->set, inv->arena, *n, *words, true, &parsed, &inv->err);
    if (flag_bool(inv, "help"))
        return show_help(inv, run->path, run->depth);
    if (!ok)
        return incorrect_usage(inv);
    if (top && global_flags(inv, &status))
        return status;
    run->non_interactive |= flag_bool(inv, "non-interactive");
    *words += parsed.used;
    *n -= parsed.used;
    if (*n == 0)
        return show_help(inv, run->path, run->depth);

    struct slice word = slice_text(**words);
    const struct command *next = command_find(group, slice_is(word, "h") ? SLICE("help") : word);
    if (!next && (slice_is(word, "help") || slice_is(word, "h"))) {
        struct slice *rest = arena_array(inv->arena, (size_t)*n, sizeof(*rest));
        for (int i = 1; i < *n; i++)
            rest[i - 1] = slice_text((*words)[i]);
        return help_topic(inv, run->depth, *n - 1, rest);
    }
    if (!next || run->depth == CLI_DEPTH)
        return top ? run_other(inv, *n, *words) : no_topic(inv, word);
    run->path[run->depth++] = next;
    ++*words, --*n;
    *done = false;
    return 0;
}

static int walk(struct invocation *inv, int n, char **words)
{
    struct run *run = run_of(inv);
    bool done = false;

    run->path[0] = run->env->root;
    run->depth = 1;
    inv->command = run->env->root;
    inv->path = run->env->root->name;
    while (run->path[run->depth - 1]->sub) {
        int status = walk_group(inv, &n, &words, &done);
        if (done)
            return status;
    }
    return run_command(inv, n, words);
}

static int complete(struct invocation *inv, int n, char **words)
{
    const char *zsh = getenv("_CLI_ZSH_AUTOCOMPLETE_HACK");
    struct run *run = run_of(inv);
    struct buf b = buf_new(inv->arena, HELP_MAX);

    /* Names of contexts are a convenience: a broken file must not break the shell's line. */
    if (!steppath_load(inv->arena, NULL, &inv->steppath, &run->contexts, &inv->err))
        run->contexts = (struct contexts){0};
    complete_words(&b, inv->arena, run->env->root, n, words, &run->contexts,
                   zsh && strcmp(zsh, "1") == 0);
    out_put(inv, buf_slice(&b));
    return 0;
}

int cli_run(const struct cli_environment *env, int argc, char **argv)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    CLEANUP(arena_cleanup) struct arena *secrets = arena_new(&HEAP_SECRET);
    struct run run = {.env = env};
    struct invocation inv = {
        .arena = a,
        .secrets = secrets,
        .terminal = env->terminal ? env->terminal : terminal_real(),
        .clock = env->clock ? env->clock : &CLOCK_SYSTEM,
        .rng = env->rng ? env->rng : &RNG_SYSTEM,
        .values = &run,
        .out_fd = STDOUT_FILENO,
    };
    int n = argc > 0 ? argc - 1 : 0;
    char **words = argv + 1;

    int status = n && strcmp(words[n - 1], COMPLETION_WORD) == 0 ? complete(&inv, n - 1, words)
                                                                 : walk(&inv, n, words);
    return check_output(&inv, status);
}
