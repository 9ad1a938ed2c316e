/*
 * What the parts of the command-line framework share.  Commands include cli.h only.
 *
 * A word of the command line goes from parse.c (which flag?) to values.c (what value, from where?)
 * and comes out through the flag_* functions; run.c says in which order the sources are asked.
 */
#pragma once

#include "cli/cli.h"
#include "client/contexts.h"

#define CLI_DEPTH 10 /* words of a command's path */

/* One flag of a command and what it was set to. */
struct value {
    const struct flag *flag;
    enum value_source source;
    struct slice typed; /* the name that was used on the command line */
    const char *text;   /* as given; NULL: none */
    struct slice *texts;
    size_t n_texts, cap_texts;
    bool truth;
    int64_t number; /* FLAG_INT; FLAG_DURATION in nanoseconds */
    struct time_or_duration time;
};
struct value_set {
    struct value *v;
    size_t n;
};

/* The framework's part of an invocation (inv->values). */
struct run {
    const struct cli_environment *env;
    const struct command *path[CLI_DEPTH];
    size_t depth;
    struct value_set set;
    struct contexts contexts;
    struct consent *consents; /* files that may be overwritten */
    const char *config;       /* --config, or NULL */
    bool non_interactive;     /* given before the first command word */
    bool out_failed;          /* standard output did not take everything */
    int out_errno;            /* and why */
};
static inline struct run *run_of(const struct invocation *inv)
{
    return inv->values;
}

/* --- run.c ---------------------------------------------------------------------------------- */

/* Shows the help of the command that words name below the first depth words of the path; 3 when
 * there is none. */
int help_topic(struct invocation *inv, size_t depth, int n, const struct slice *words);
int print_version(struct invocation *inv);

/* --- values.c ------------------------------------------------------------------------------- */

/* All flags of the sets, built-in defaults in force. */
void values_init(struct value_set *set, struct arena *a, const struct flag *const *sets,
                 const struct flag *extra);
struct value *values_find(const struct value_set *set, struct slice name);
/* First of a flag's names. */
struct slice flag_first_name(const struct flag *f);
bool flag_has_name(const struct flag *f, struct slice name);
/* Takes one value; a repeatable flag appends (a better source replaces what a lesser one gave).
 * Errors: "invalid value 'V' for flag '--F'". */
bool value_put(struct value *v, struct arena *a, struct slice text, enum value_source source,
               struct err *e) CHECKED;
bool values_from_environment(struct value_set *set, struct arena *a, struct err *e) CHECKED;
/* file is for messages. */
bool values_from_defaults(struct value_set *set, struct arena *a, const struct json *defaults,
                          const char *file, struct err *e) CHECKED;
/* 1 t T TRUE true True 0 f F FALSE false False. */
bool read_bool(struct slice text, bool *value) CHECKED;
/* Decimal, 0x, 0o, 0b, leading 0 (octal), '_' between digits, sign. */
bool read_int(struct slice text, int64_t *value) CHECKED;

/* --- parse.c -------------------------------------------------------------------------------- */

struct parsed {
    struct slice *args; /* room for all words */
    int n_args;
    int used;    /* words that were looked at */
    bool syntax; /* the error is one of syntax: show the help */
};
/* Flags may stand anywhere; with to_first the first other word ends the walk. */
bool parse_words(struct value_set *set, struct arena *a, int n, char **words, bool to_first,
                 struct parsed *out, struct err *e) CHECKED;

/* --- rules.c -------------------------------------------------------------------------------- */

bool rules_check(const struct value_set *set, const char *path, const struct flag_rule *rules,
                 struct arena *a, struct err *e) CHECKED;

/* --- help.c, man.c, complete.c -------------------------------------------------------------------
 */

/* Flags that every command and every group understands, and those of `step` itself. */
extern const struct flag FLAGS_EVERYWHERE[];
extern const struct flag FLAGS_GLOBAL[];
/* "step ca token" */
const char *command_path(struct arena *a, const struct command *const *path, size_t depth);
/* First usage line, positional arguments only: "step ca token <subject>". */
const char *command_usage(struct arena *a, const struct command *const *path, size_t depth);
/* "<subject>", or "<file>" found in the text. */
struct slice flag_placeholder(const struct flag *f);
const struct command *command_find(const struct command *group, struct slice word);
/* One page for each command: step.1, step-ca-token.1 … */
bool man_pages(struct arena *a, const struct command *root, const char *dir, struct err *e) CHECKED;

/* help_export.c: one page for each command, in directories by the command's words. */
bool help_markdown(struct arena *a, const struct command *root, const char *dir,
                   struct err *e) CHECKED;
bool help_html(struct arena *a, const struct command *root, const char *dir, struct err *e) CHECKED;
/* The HTML pages by HTTP, until SIGINT or SIGTERM. */
bool help_serve(struct invocation *inv, const struct command *root, const char *address) CHECKED;

#define COMPLETION_WORD "--generate-bash-completion"
/* Candidates for the words typed so far (without the last, COMPLETION_WORD). */
void complete_words(struct buf *b, struct arena *a, const struct command *root, int n,
                    char *const *words, const struct contexts *contexts, bool describe);
/* False when the shell is unknown. */
bool complete_script(struct buf *b, struct arena *a, const struct command *root, const char *shell);

/* --- output.c ------------------------------------------------------------------------------- */

/* Everything, or false with errno. */
bool write_fd(int fd, struct slice text);
/* What is not printable UTF-8 (controls, stray bytes, marks that turn a line around) becomes "?".
 */
struct slice printable(struct arena *a, struct slice text);
/* Escape sequences are welcome there: a terminal, no NO_COLOR, TERM not dumb. */
bool colour_wanted(int fd);
/* One line on standard error, and with STEPDEBUG=1 what else the error knows. */
void error_print(struct arena *a, const struct err *e);

/* --- plugin.c ------------------------------------------------------------------------------- */

/* The path of step-<word>-plugin; NULL: there is none. */
const char *plugin_find(struct arena *a, const struct steppath *sp, const char *word);
/* Runs step-<word>-plugin when there is one; *status is then the exit code. */
bool plugin_run(struct arena *a, const struct steppath *sp, const char *word, int n, char **words,
                int *status);
