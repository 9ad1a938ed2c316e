/*
 * The command line of `step`: a tree of commands as tables.  Help, completion, environment names
 * and defaults.json come from the table; run gets checked values (docs/reference/command-line.md).
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/err.h"
#include "base/steppath.h"
#include "json/json.h"

enum flag_kind {
    FLAG_BOOL,
    FLAG_TEXT,
    FLAG_TEXTS, /* repeatable */
    FLAG_INT,
    FLAG_DURATION, /* Go duration */
    FLAG_TIME,     /* RFC 3339 time or duration */
    FLAG_FILE      /* text, completed as a file name */
};
enum flag_bits {
    FLAG_NO_ENV = 1,      /* never from environment or defaults.json */
    FLAG_HIDDEN = 2,      /* not in help, not completed */
    FLAG_NO_DEFAULTS = 4, /* not from defaults.json (guards such as insecure) */
    FLAG_TRUE = 8         /* a boolean whose default is true */
};
struct flag {
    const char *names; /* "out,output-file": the first names the variable STEP_OUT */
    enum flag_kind kind;
    const char *placeholder; /* "<file>"; NULL: "<value>" */
    const char *help;
    const char *fallback; /* built-in default as text, or NULL */
    unsigned bits;
};

/* Checked in order after all values are known; messages as docs/reference/command-line.md.
 * A flag counts as given when its value is not the built-in default and not empty or false.
 * Both names may carry a value, "profile=leaf": then the rule looks at the value in force (the
 * default included) and the message shows it: '--profile leaf' requires the '--ca' flag. */
enum rule_kind {
    RULE_REQUIRED,  /* a: 'step … requires the '--a' flag */
    RULE_NEEDS,     /* flag '--a' requires the '--b' flag */
    RULE_EXCLUDES,  /* flag '--a' is incompatible with '--b' */
    RULE_EXCLUSIVE, /* flag '--a' and flag '--b' are mutually exclusive */
    RULE_INSECURE,  /* flag '--a' requires the '--insecure' flag */
    RULE_SUBTLE,    /* flag '--a' requires the '--subtle' flag */
    RULE_ONE_OF     /* one of flag --a or --b is required */
};
struct flag_rule {
    enum rule_kind kind;
    const char *a, *b;
};

struct invocation;
struct command {
    const char *name;
    const char *summary; /* "generate an OTT granting access to the CA" */
    /* Usage line(s) after the command path: "<subject>".  Only the positional arguments: the first
     * line stands in the messages about their number, and help appends the flags when no line
     * mentions one.  A line that begins with "[-" continues the one before; any other is a
     * further form of the command. */
    const char *synopsis;
    /* Paragraphs separated by empty lines; a line that begins with a blank is kept as it is, one
     * that begins with "- " is an item of a list. */
    const char *description;
    const char *arguments;               /* "subject\tThe Common Name …\nfile\t…" or NULL */
    const char *examples;                /* "Text:\n$ command\n\n…" */
    const char *exit_codes;              /* or NULL */
    const struct flag *const *flag_sets; /* NULL-terminated list of arrays, each ended by {0} */
    const struct flag_rule *rules;       /* ended by {0}, or NULL */
    int least, most;                     /* positional arguments; most -1: any number */
    const struct command *const *sub;    /* NULL-terminated; a group has no run */
    int (*run)(struct invocation *);
    bool no_defaults; /* defaults.json, contexts and prompts for them do not apply */
    bool hidden;
    int error_status; /* exit code of errors that are found before run; 0 stands for 1 */
};

enum value_source { SOURCE_NONE, SOURCE_FALLBACK, SOURCE_DEFAULTS, SOURCE_ENV, SOURCE_LINE };

struct terminal; /* the only way to ask a human; terminal.h */

struct invocation {
    const struct command *command;
    const char *path;      /* "step ca token" */
    struct arena *arena;   /* everything of this run */
    struct arena *secrets; /* on the locked heap */
    struct slice *args;
    int n_args;
    struct steppath steppath;
    struct terminal *terminal;
    struct clock *clock;
    struct rng *rng;
    struct err err;
    void *values; /* framework's */
    int out_fd;   /* standard output */
};

/* Values by the flag's first or any other name.  Asking for a flag that the command does not list
 * ends the process in tests: a mistake of the programmer. */
bool flag_set(const struct invocation *inv, const char *name); /* any source but fallback */
/* The command lists it: for code that several commands share. */
bool flag_listed(const struct invocation *inv, const char *name);
enum value_source flag_source(const struct invocation *inv, const char *name);
bool flag_bool(const struct invocation *inv, const char *name);
const char *flag_text(const struct invocation *inv, const char *name); /* NULL when there is none */
const struct slice *flag_texts(const struct invocation *inv, const char *name, size_t *n);
int64_t flag_int(const struct invocation *inv, const char *name);
int64_t flag_duration(const struct invocation *inv, const char *name); /* ns; 0 when unset */
struct time_or_duration flag_time(const struct invocation *inv, const char *name);
/* Argument i as a C string; NULL when there are fewer. */
const char *arg_text(const struct invocation *inv, int i);

/* Results: what a script consumes goes to standard output in one piece. */
void out_put(struct invocation *inv, struct slice text);
void out_line(struct invocation *inv, const char *fmt, ...) PRINTF(2, 3);
/* Everything else goes to standard error.  Control characters are replaced. */
void note(struct invocation *inv, const char *fmt, ...) PRINTF(2, 3); /* + newline */
/* "✔ Name: value"; colour only on a terminal. */
void note_selected(struct invocation *inv, const char *name, const char *value);
/* Error of the command: one line; exit code 1.  `return fail(inv)` prints inv->err.  Errors of kind
 * UNAVAILABLE or TIMEOUT, or with notes (status, url, request id of an HTTP exchange), get a second
 * line that tells to run again with STEPDEBUG=1, which shows kind, code and notes. */
int fail(struct invocation *inv);
/* Fills inv->err and prints it: `return usage_error(inv, "…")`. */
int fail_with(struct invocation *inv, const char *fmt, ...) PRINTF(2, 3);
/* invalid value 'V' for flag '--F'[; options are A, B].  flag without dashes; options or NULL. */
int fail_value(struct invocation *inv, const char *flag, const char *value, const char *options);

/* Writes a result file: absent → created with mode; there → asks "Would you like to overwrite F
 * [y/n]" unless --force; through a temporary file and rename.  Without a terminal and without
 * --force an existing file is an error that names --force. */
bool write_result(struct invocation *inv, const char *path, struct slice content, unsigned mode,
                  struct err *e) CHECKED;
/* Asks now for every path that exists, so that nothing is requested from a CA in vain; the answer
 * holds for write_result. */
bool may_write(struct invocation *inv, const char *path, struct err *e) CHECKED;
/* May a file that stands at a path which may_write agreed to be lost?  Not one that came into being
 * since. */
bool may_replace(struct invocation *inv, const char *path);
/* Reads a password file flag; absent when the flag is not set or the file is empty. */
bool password_flag(struct invocation *inv, const char *flag, struct slice *password,
                   struct err *e) CHECKED;

/* Runs the tree: parses, resolves help, completion, plugins, defaults; returns the exit code. */
struct cli_environment {
    const struct command *root;
    struct terminal *terminal; /* NULL: the real one */
    struct clock *clock;
    struct rng *rng;
};
int cli_run(const struct cli_environment *env, int argc, char **argv);
/* The root of `step`. */
extern const struct command STEP;
/* Help of a command as text (for help, man pages and tests).  colour: bold headings. */
void help_text(struct buf *b, const struct command *const *path, size_t depth, bool colour);

/* Flag sets that many commands share (flags.c). */
extern const struct flag FLAGS_CA[];       /* ca-url, root, context, timeout */
extern const struct flag FLAGS_CONTEXT[];  /* context */
extern const struct flag FLAGS_FORCE[];    /* force, f */
extern const struct flag FLAGS_KEY[];      /* kty, size, curve(crv) */
extern const struct flag FLAGS_OFFLINE[];  /* offline, ca-config */
extern const struct flag FLAGS_TEMPLATE[]; /* set, set-file */
extern const struct flag FLAGS_X5C[];      /* x5c-cert, x5c-key, x5c-chain, x5c-insecure */
extern const struct flag FLAGS_PASSWORD[]; /* password-file */
extern const struct flag FLAGS_LOGIN[],    /* console */
    FLAGS_PROVISIONER[]; /* provisioner(issuer), provisioner-password-file, password-file */
extern const struct flag FLAGS_VALIDITY[]; /* not-before, not-after */
extern const struct flag FLAGS_INSECURE[]; /* insecure (hidden in help where it only guards) */
