/* Running another program: a list of words, never a shell. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* Blanks separate words; '…' keeps everything, "…" everything but \" and \\, a backslash the next
 * character. */
bool program_split(struct arena *a, struct slice text, char ***argv, size_t *n,
                   struct err *e) CHECKED;
/* Found in PATH when the first word has no '/'; waits for it.  input: what it reads, and then its
 * output is dropped; p == NULL: streams are ours.  At most 32 KiB.  Signals are as usual in it. */
bool program_run(char *const *argv, struct slice input, struct err *e) CHECKED;
/* argv[0] is a path; output: what it prints, at most max bytes. */
bool program_ask(struct arena *a, char *const *argv, struct slice input, size_t max,
                 struct slice *output, struct err *e) CHECKED;
/* Starts it and does not wait: it reads nothing, and what it prints goes to standard error. */
bool program_start(char *const *argv, struct err *e) CHECKED;
/* Somewhere in PATH. */
bool program_exists(const char *name);
