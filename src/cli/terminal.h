/*
 * Asking a human.  The terminal is standard input when it is one, else /dev/tty; prompts go to
 * standard error.  In tests a terminal is a script of answers.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "crypto/keyfile.h"

struct terminal {
    /* flag: the flag that would have answered ("--password-file"), for the error without a
     * terminal; NULL when there is none.  All set e: ERR_UNAVAILABLE without terminal or with
     * --non-interactive / STEP_NON_INTERACTIVE, ERR_FORBIDDEN on interrupt. */
    bool (*text)(struct terminal *, struct arena *, const char *label, const char *fallback,
                 const char *flag, bool (*valid)(struct slice, struct err *), struct slice *answer,
                 struct err *);
    bool (*password)(struct terminal *, struct arena *secrets, const char *label, const char *flag,
                     struct slice *answer, struct err *);
    bool (*yes_no)(struct terminal *, const char *question, const char *flag, bool *yes,
                   struct err *);
    /* A one-item list is never asked: it is the answer.  label "Question?\tName": the line that
     * shows the choice then reads "✔ Name: item"; without a tab the label stands there. */
    bool (*choose)(struct terminal *, const char *label, const struct slice *items, size_t n,
                   const char *flag, size_t *chosen, struct err *);
    bool (*available)(struct terminal *);
    void *state;
};
struct terminal *terminal_real(void);
/* Nobody is there: every question is an error.  why: "--non-interactive is in force". */
struct terminal *terminal_none(struct arena *a, const char *why);
/* Code of errors because there is nobody to ask. */
#define TERMINAL_MISSING "terminal"
/* Answers in order (NULL-terminated), each "label-prefix=answer"; for tests.  An empty answer to a
 * text is its default; a choice is answered by the item or its number from 0.  A question that the
 * next answer's prefix does not fit is an error that shows both. */
struct terminal *terminal_script(struct arena *a, const char *const *answers);
/* How many answers were not asked for. */
size_t terminal_script_left(const struct terminal *t);

/* Empty answer → 32 alphanumeric characters, shown in an editable text prompt. */
bool terminal_password_or_generate(struct terminal *t, struct arena *secrets, const char *label,
                                   const char *flag, struct slice *answer, struct err *e) CHECKED;
/* A password source for key files: from fixed when not empty (one try), else prompts (3 tries for
 * JWE when tries is 3; 1 for PEM). */
struct password_source *terminal_password_source(struct arena *a, struct terminal *t,
                                                 struct slice fixed, const char *flag,
                                                 unsigned tries);
