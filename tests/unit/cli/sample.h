/* A small tree of commands for tests of the framework: `step make` writes down what it was given.
 */
#pragma once

#include "cli/cli.h"

static char made[4096];

static void made_flag(const struct invocation *inv, const char *name)
{
    size_t n = strlen(made);
    const char *text = flag_text(inv, name);

    snprintf(made + n, sizeof(made) - n, "%s=%s/%d ", name, text ? text : "-",
             flag_source(inv, name));
}

static int run_make(struct invocation *inv)
{
    size_t n_san;
    const struct slice *san = flag_texts(inv, "san", &n_san);

    made[0] = 0;
    for (int i = 0; i < inv->n_args; i++)
        snprintf(made + strlen(made), sizeof(made) - strlen(made), "[%s] ", arg_text(inv, i));
    made_flag(inv, "ca-url");
    made_flag(inv, "out");
    made_flag(inv, "size");
    snprintf(made + strlen(made), sizeof(made) - strlen(made), "%lld ",
             (long long)flag_int(inv, "size"));
    snprintf(made + strlen(made), sizeof(made) - strlen(made),
             "force=%d mtls=%d offline=%d san=", flag_bool(inv, "f"), flag_bool(inv, "mtls"),
             flag_bool(inv, "offline"));
    for (size_t i = 0; i < n_san; i++)
        snprintf(made + strlen(made), sizeof(made) - strlen(made), "<%.*s>", SLICE_ARG(san[i]));
    return 0;
}

static const struct flag MAKE_FLAGS[] = {
    {"out,output-file", FLAG_FILE, "<file>", "Write the result to <file>.", NULL, 0},
    {"size", FLAG_INT, NULL, "The size in <bits>.", "7", 0},
    {"san", FLAG_TEXTS, NULL, "A further <name>. Can be given several times.", NULL, 0},
    {"mtls", FLAG_BOOL, NULL, "Use the client certificate.", NULL, FLAG_TRUE},
    {"expires-in", FLAG_DURATION, "<duration>", "How long.", NULL, 0},
    {"profile", FLAG_TEXT, "<name>", "The profile.", "leaf", 0},
    {"token", FLAG_TEXT, "<token>", "The token.", NULL, FLAG_NO_ENV},
    {"subtle", FLAG_BOOL, NULL, "Confirm.", NULL, FLAG_HIDDEN},
    {0}};
static const struct flag *const MAKE_SETS[] = {MAKE_FLAGS,     FLAGS_CA,       FLAGS_FORCE,
                                               FLAGS_OFFLINE,  FLAGS_KEY,      FLAGS_VALIDITY,
                                               FLAGS_INSECURE, FLAGS_PASSWORD, NULL};

static struct flag_rule make_rules[4];

static const struct command MAKE = {
    .name = "make",
    .summary = "make a thing",
    .synopsis = "<subject> [<file>]",
    .description = "First line\nof a paragraph that is quite long and has to be wrapped somewhere "
                   "near the eightieth column.\n\n- one\n- two\n\n    kept   as it is",
    .arguments = "subject\tWhat it is for.\nfile\tWhere it goes.",
    .examples = "Make one:\n$ step make a \\\n    --force\n\nAnother:\n$ step make b",
    .exit_codes = "0 always.",
    .flag_sets = MAKE_SETS,
    .rules = make_rules,
    .least = 1,
    .most = 2,
    .run = run_make,
};
static const struct command DEEP_MAKE = {
    .name = "make",
    .summary = "make a deep thing",
    .synopsis = "",
    .flag_sets = MAKE_SETS,
    .run = run_make,
};
static const struct command HIDDEN = {
    .name = "secret", .summary = "not shown", .synopsis = "", .run = run_make, .hidden = true};
static const struct command *const DEEP_SUB[] = {&DEEP_MAKE, &HIDDEN, NULL};
static const struct command DEEP = {
    .name = "deep", .summary = "a group of commands", .sub = DEEP_SUB};
static const struct command *const ROOT_SUB[] = {&MAKE, &DEEP, NULL};
static const struct command SAMPLE = {.name = "step", .summary = "a sample", .sub = ROOT_SUB};
