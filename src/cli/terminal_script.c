/*
 * Terminals without a human: a script of answers for tests, and nobody at all.
 */
#include <stdlib.h>

#include "cli/tty.h"

/* --- A script -------------------------------------------------------------------------------- */

struct script {
    const char *const *answers;
    size_t at;
};

/* The next answer, if it is one to this question. */
static bool next_answer(struct terminal *t, const char *label, const char *flag,
                        struct slice *answer, struct err *e)
{
    struct script *s = t->state;
    const char *line = s->answers ? s->answers[s->at] : NULL;

    if (!line)
        return terminal_missing(label, flag, "the script has no more answers", e);
    struct slice all = slice_text(line);
    size_t equals = slice_find(all, '=');
    struct slice prefix = slice_sub(all, 0, equals);
    if (strncmp(label, (const char *)prefix.p, prefix.n) != 0)
        return err_set(e, ERR_INTERNAL, "asked '%s' where the script answers '%.*s'", label,
                       SLICE_ARG(prefix));
    s->at++;
    *answer = slice_from(all, equals + 1);
    return true;
}

static bool script_text(struct terminal *t, struct arena *a, const char *label,
                        const char *fallback, const char *flag,
                        bool (*valid)(struct slice, struct err *), struct slice *answer,
                        struct err *e)
{
    if (!next_answer(t, label, flag, answer, e))
        return false;
    if (slice_empty(*answer) && fallback)
        *answer = slice_text(fallback);
    *answer = arena_copy(a, *answer);
    return !valid || valid(*answer, e);
}

static bool script_password(struct terminal *t, struct arena *secrets, const char *label,
                            const char *flag, struct slice *answer, struct err *e)
{
    if (!next_answer(t, label, flag, answer, e))
        return false;
    *answer = arena_copy(secrets, slice_trim_end_unicode(*answer));
    return true;
}

static bool script_yes_no(struct terminal *t, const char *question, const char *flag, bool *yes,
                          struct err *e)
{
    struct slice answer;

    if (!next_answer(t, question, flag, &answer, e))
        return false;
    *yes = slice_is_case(answer, "y") || slice_is_case(answer, "yes");
    if (*yes || slice_is_case(answer, "n") || slice_is_case(answer, "no"))
        return true;
    return err_set(e, ERR_INTERNAL, "the script answers '%.*s' to '%s'", SLICE_ARG(answer),
                   question);
}

static bool script_choose(struct terminal *t, const char *label, const struct slice *items,
                          size_t n, const char *flag, size_t *chosen, struct err *e)
{
    struct slice answer;

    *chosen = 0;
    if (n == 0)
        return err_set(e, ERR_NOT_FOUND, "%s: there is nothing to choose from",
                       terminal_label_name(label));
    if (n == 1)
        return true;
    if (!next_answer(t, label, flag, &answer, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        *chosen = i;
        if (slice_eq(items[i], answer))
            return true;
    }
    char *end = NULL;
    unsigned long number = strtoul((const char *)answer.p, &end, 10);
    *chosen = number;
    if (answer.n && !*end && number < n)
        return true;
    return err_set(e, ERR_INTERNAL, "the script answers '%.*s' to '%s'", SLICE_ARG(answer), label);
}

static bool script_available(struct terminal *t)
{
    (void)t;
    return true;
}

struct terminal *terminal_script(struct arena *a, const char *const *answers)
{
    struct terminal *t = arena_alloc(a, sizeof(*t));
    struct script *s = arena_alloc(a, sizeof(*s));

    s->answers = answers;
    *t = (struct terminal){script_text,   script_password,  script_yes_no,
                           script_choose, script_available, s};
    return t;
}

size_t terminal_script_left(const struct terminal *t)
{
    const struct script *s = t->state;
    size_t n = 0;

    while (s->answers && s->answers[s->at + n])
        n++;
    return n;
}

/* --- Nobody ---------------------------------------------------------------------------------- */

static bool none_text(struct terminal *t, struct arena *a, const char *label, const char *fallback,
                      const char *flag, bool (*valid)(struct slice, struct err *),
                      struct slice *answer, struct err *e)
{
    (void)a, (void)fallback, (void)valid, (void)answer;
    return terminal_missing(label, flag, t->state, e);
}

static bool none_password(struct terminal *t, struct arena *secrets, const char *label,
                          const char *flag, struct slice *answer, struct err *e)
{
    (void)secrets, (void)answer;
    return terminal_missing(label, flag, t->state, e);
}

static bool none_yes_no(struct terminal *t, const char *question, const char *flag, bool *yes,
                        struct err *e)
{
    (void)yes;
    return terminal_missing(question, flag, t->state, e);
}

static bool none_choose(struct terminal *t, const char *label, const struct slice *items, size_t n,
                        const char *flag, size_t *chosen, struct err *e)
{
    if (n < 2) /* nothing is asked then */
        return menu_choose(t, label, items, n, flag, chosen, e);
    return terminal_missing(label, flag, t->state, e);
}

static bool none_available(struct terminal *t)
{
    (void)t;
    return false;
}

struct terminal *terminal_none(struct arena *a, const char *why)
{
    struct terminal *t = arena_alloc(a, sizeof(*t));

    *t = (struct terminal){none_text,   none_password,  none_yes_no,
                           none_choose, none_available, arena_printf(a, "%s", why)};
    return t;
}
