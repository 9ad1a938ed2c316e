/*
 * A choice from a list: arrows or j and k move, Enter takes.  Where escape sequences are not
 * understood the items are numbered instead.
 */
#include <stdio.h>

#include "cli/tty.h"

#define PAGE 10u /* items shown at a time */

struct menu {
    struct tty *t;
    const char *label;
    const struct slice *items;
    size_t n, at, top; /* top: first item shown */
};

static size_t rows(const struct menu *m)
{
    return m->n < PAGE ? m->n : PAGE;
}

/* At most so many columns, counting a code point as one, never inside a character. */
static struct slice fit(struct slice text, size_t columns)
{
    size_t i = 0;

    while (i < text.n && ((text.p[i] & 0xc0) == 0x80 || columns > 0)) {
        columns -= (text.p[i] & 0xc0) != 0x80;
        i++;
    }
    return slice_sub(text, 0, i);
}

static void scroll(struct menu *m)
{
    if (m->at < m->top)
        m->top = m->at;
    if (m->at >= m->top + rows(m))
        m->top = m->at + 1 - rows(m);
}

static void draw(const struct menu *m)
{
    size_t width = tty_columns(m->t) - 3;

    for (size_t i = m->top; i < m->top + rows(m); i++) {
        bool here = i == m->at;
        tty_put("\r\033[K");
        tty_put(here ? (m->t->colour ? "\033[36m▸ " : "▸ ") : "  ");
        tty_safe(fit(m->items[i], width));
        tty_put(here && m->t->colour ? "\033[0m\n" : "\n");
    }
}

static void go_up(size_t lines)
{
    tty_printf("\033[%zuA", lines);
}

static void move(struct menu *m, uint32_t key)
{
    size_t page = rows(m);

    if ((key == PRESS_UP || key == 'k') && m->at > 0)
        m->at--;
    else if ((key == PRESS_DOWN || key == 'j') && m->at + 1 < m->n)
        m->at++;
    else if (key == PRESS_LEFT || key == 'h')
        m->at = m->at > page ? m->at - page : 0;
    else if (key == PRESS_RIGHT || key == 'l')
        m->at = m->at + page < m->n ? m->at + page : m->n - 1;
    scroll(m);
}

static void put_question(const struct menu *m)
{
    tty_put("Use the arrow keys to navigate: ↓ ↑ → ←\n");
    tty_put(m->t->colour ? "\033[34m?\033[0m " : "? ");
    tty_safe(slice_of(m->label, (size_t)terminal_label_question(m->label)));
    tty_put(":\n");
}

static bool run_menu(struct menu *m)
{
    put_question(m);
    draw(m);
    for (;;) {
        uint32_t key = tty_key(m->t);
        if (key == PRESS_INTERRUPT || key == PRESS_END || key == PRESS_GONE)
            return false;
        if (key == PRESS_ENTER)
            break;
        move(m, key);
        go_up(rows(m));
        draw(m);
    }
    go_up(rows(m) + 2);
    tty_put("\r\033[J");
    return true;
}

/* One line of digits; anything else asks again. */
static bool run_numbers(struct menu *m)
{
    tty_safe(slice_of(m->label, (size_t)terminal_label_question(m->label)));
    tty_put(":\n");
    for (size_t i = 0; i < m->n; i++) {
        tty_printf("  %zu) ", i + 1);
        tty_safe(m->items[i]);
        tty_put("\n");
    }
    for (size_t number = 0;;) {
        if (number == 0)
            tty_printf("Number (1-%zu): ", m->n);
        uint32_t key = tty_key(m->t);
        if (key == PRESS_INTERRUPT || key == PRESS_END || key == PRESS_GONE)
            return false;
        if (key >= '0' && key <= '9' && number <= m->n) {
            number = number * 10 + (key - '0');
            tty_printf("%c", (char)key);
        } else if (key == PRESS_ENTER) {
            tty_put("\n");
            m->at = number - 1;
            if (number >= 1 && number <= m->n)
                return true;
            number = 0;
        }
    }
}

bool menu_choose(struct terminal *terminal, const char *label, const struct slice *items, size_t n,
                 const char *flag, size_t *chosen, struct err *e)
{
    struct tty t = {0};
    struct menu m = {&t, label, items, n, 0, 0};

    (void)terminal;
    *chosen = 0;
    if (n == 0)
        return err_set(e, ERR_NOT_FOUND, "%s: there is nothing to choose from",
                       terminal_label_name(label));
    if (n == 1) {
        terminal_result(&t, label, items[0]);
        return true;
    }
    if (!tty_begin(&t, label, flag, e))
        return false;
    bool ok = t.fancy ? run_menu(&m) : run_numbers(&m);
    if (ok)
        terminal_result(&t, label, items[m.at]);
    else
        tty_put("\n");
    tty_end(&t);
    *chosen = m.at;
    return ok || terminal_interrupted(e);
}
