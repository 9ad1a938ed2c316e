/*
 * Prompts on a real terminal: text, password, yes or no.  Each reads keys with echo off and shows
 * what it wants shown, so a password never appears and a default can be edited.
 */
#include <stdio.h>

#include "cli/tty.h"
#include "crypto/secret.h"
#include "json/utf8.h"

#define ANSWER_MAX 4096u

/* --- Errors and labels ----------------------------------------------------------------------- */

bool terminal_missing(const char *label, const char *flag, const char *why, struct err *e)
{
    int n = terminal_label_question(label);

    if (!flag)
        err_set(e, ERR_UNAVAILABLE, "cannot ask '%.*s': %s", n, label, why);
    else
        err_set(e, ERR_UNAVAILABLE, "cannot ask '%.*s': %s; use the '%s' flag", n, label, why,
                flag);
    if (e)
        e->code = TERMINAL_MISSING;
    return false;
}

bool terminal_interrupted(struct err *e)
{
    return err_set(e, ERR_FORBIDDEN, "interrupted");
}

const char *terminal_label_name(const char *label)
{
    const char *tab = strrchr(label, '\t');

    return tab ? tab + 1 : label;
}

int terminal_label_question(const char *label)
{
    return (int)strcspn(label, "\t");
}

void terminal_result(const struct tty *t, const char *label, struct slice value)
{
    const char *name = terminal_label_name(label);

    tty_put(t->colour ? "\033[32m✔\033[0m \033[1m" : "✔ ");
    tty_safe(slice_text(name));
    tty_put(t->colour ? ":\033[0m " : ": ");
    tty_safe(value);
    tty_put("\n");
}

/* --- A line ------------------------------------------------------------------------------------
 */

struct line {
    uint8_t *text; /* ANSWER_MAX bytes */
    size_t n;
    bool shown;
};

static void erase_one(struct line *l)
{
    if (!l->n)
        return;
    do
        l->n--;
    while (l->n && (l->text[l->n] & 0xc0) == 0x80);
    if (l->shown)
        tty_put("\b \b");
}

static void erase_word(struct line *l)
{
    while (l->n && l->text[l->n - 1] == ' ')
        erase_one(l);
    while (l->n && l->text[l->n - 1] != ' ')
        erase_one(l);
}

static void add_rune(struct line *l, uint32_t rune)
{
    uint8_t bytes[4];
    size_t n = json_utf8_put(bytes, rune);

    if (l->n + n >= ANSWER_MAX)
        return;
    memcpy(l->text + l->n, bytes, n);
    l->n += n;
    if (l->shown)
        tty_safe(slice_of(bytes, n));
}

/* Until Enter (true), or interrupt and end of input (false). */
static bool read_line(struct tty *t, struct line *l)
{
    for (;;) {
        uint32_t key = tty_key(t);
        if (key == PRESS_ENTER)
            return true;
        if (key == PRESS_INTERRUPT || key == PRESS_GONE || (key == PRESS_END && l->n == 0))
            return false;
        if (key == PRESS_ERASE)
            erase_one(l);
        else if (key == PRESS_ERASE_WORD)
            erase_word(l);
        else if (key == PRESS_ERASE_LINE)
            while (l->n)
                erase_one(l);
        else if (key < PRESS_ENTER)
            add_rune(l, key);
    }
}

/* --- Text ------------------------------------------------------------------------------------ */

static void put_prompt(const struct tty *t, const char *label)
{
    tty_put(t->colour ? "\033[34m?\033[0m \033[1m" : "? ");
    tty_safe(slice_of(label, (size_t)terminal_label_question(label)));
    tty_put(t->colour ? ":\033[0m " : ": ");
}

static void put_refusal(const struct tty *t, const struct err *why)
{
    tty_put(t->colour ? "\r\033[K\033[31m✗\033[0m " : t->fancy ? "\r\033[K✗ " : "\n✗ ");
    tty_safe(slice_text(why->text));
    tty_put("\n");
}

static bool is_yes_or_no(struct slice text, struct err *e)
{
    static const char *const WORDS[] = {"y", "yes", "n", "no"};

    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (slice_is_case(slice_trim(text), WORDS[i]))
            return true;
    return err_set(e, ERR_MALFORMED, "please answer y or n");
}

/* Asks again, with the refused text to be corrected, until the answer is valid. */
static bool ask_line(struct tty *t, const char *label, struct line *l,
                     bool (*valid)(struct slice, struct err *), struct err *e)
{
    struct err why = {0};

    for (;;) {
        put_prompt(t, label);
        tty_safe(slice_of(l->text, l->n));
        if (!read_line(t, l)) {
            tty_put("\n");
            return terminal_interrupted(e);
        }
        if (!valid || valid(slice_of(l->text, l->n), &why))
            break;
        put_refusal(t, &why);
        if (valid == is_yes_or_no)
            l->n = 0; /* nothing worth correcting */
    }
    tty_put(t->fancy ? "\r\033[K" : "\n");
    terminal_result(t, label, slice_of(l->text, l->n));
    return true;
}

static bool real_text(struct terminal *terminal, struct arena *a, const char *label,
                      const char *fallback, const char *flag,
                      bool (*valid)(struct slice, struct err *), struct slice *answer,
                      struct err *e)
{
    struct line l = {arena_alloc(a, ANSWER_MAX), 0, true};
    struct slice first = slice_text(fallback ? fallback : "");
    struct tty t;

    (void)terminal;
    if (!tty_begin(&t, label, flag, e))
        return false;
    l.n = first.n < ANSWER_MAX ? first.n : 0;
    if (l.n)
        memcpy(l.text, first.p, l.n);
    bool ok = ask_line(&t, label, &l, valid, e);
    tty_end(&t);
    l.text[l.n] = 0; /* ANSWER_MAX leaves room: for those who want a C string */
    *answer = slice_of(l.text, l.n);
    return ok;
}

/* --- Password -------------------------------------------------------------------------------- */

static bool real_password(struct terminal *terminal, struct arena *secrets, const char *label,
                          const char *flag, struct slice *answer, struct err *e)
{
    struct line l = {arena_alloc(secrets, ANSWER_MAX), 0, false};
    struct tty t;

    (void)terminal;
    if (!tty_begin(&t, label, flag, e))
        return false;
    tty_put(t.colour ? "\033[1m" : "");
    tty_safe(slice_of(label, (size_t)terminal_label_question(label)));
    tty_put(t.colour ? ":\033[0m " : ": ");
    bool ok = read_line(&t, &l);
    tty_put("\n");
    tty_end(&t);
    *answer = slice_trim_end_unicode(slice_of(l.text, l.n));
    l.text[answer->n] = 0;
    return ok || terminal_interrupted(e);
}

/* --- Yes or no ------------------------------------------------------------------------------- */

static bool real_yes_no(struct terminal *terminal, const char *question, const char *flag,
                        bool *yes, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice answer;

    if (!slice_ends(slice_text(question), "[y/n]"))
        question = arena_printf(a, "%s [y/n]", question);
    if (!real_text(terminal, a, question, NULL, flag, is_yes_or_no, &answer, e))
        return false;
    answer = slice_trim(answer);
    *yes = (answer.p[0] | 0x20) == 'y';
    return true;
}

static bool real_available(struct terminal *terminal)
{
    (void)terminal;
    return tty_exists();
}

struct terminal *terminal_real(void)
{
    static struct terminal real = {
        real_text, real_password, real_yes_no, menu_choose, real_available, NULL,
    };

    return &real;
}
