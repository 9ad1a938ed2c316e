/*
 * The terminal device: opened, put into a mode where keys come one by one, and put back, whatever
 * happens.  Only terminal*.c use it.
 */
#pragma once

#include "base/err.h"
#include "cli/terminal.h"

struct tty {
    int fd;
    bool opened; /* /dev/tty, to be closed */
    bool fancy;  /* standard error understands escape sequences */
    bool colour;
};

enum press {
    PRESS_NONE = 0,
    PRESS_ENTER = 0x110000, /* above every code point */
    PRESS_ERASE,
    PRESS_ERASE_WORD,
    PRESS_ERASE_LINE,
    PRESS_UP,
    PRESS_DOWN,
    PRESS_LEFT,
    PRESS_RIGHT,
    PRESS_INTERRUPT,
    PRESS_END,    /* Ctrl-D */
    PRESS_GONE,   /* nothing more will come */
    PRESS_IGNORED /* some other key */
};

bool tty_exists(void);
/* Opens and turns echo off; label and flag are for the error without a terminal. */
bool tty_begin(struct tty *t, const char *label, const char *flag, struct err *e) CHECKED;
void tty_end(struct tty *t);
/* A code point or one of enum press. */
uint32_t tty_key(struct tty *t);
/* To standard error, where prompts go. */
void tty_put(const char *text);
void tty_putn(struct slice text);
void tty_printf(const char *fmt, ...) PRINTF(1, 2);
/* Columns of the terminal; 80 when unknown. */
size_t tty_columns(const struct tty *t);
/* Control characters as '?'. */
void tty_safe(struct slice text);

/* ERR_UNAVAILABLE "cannot ask for 'LABEL': WHY; use the 'FLAG' flag". */
bool terminal_missing(const char *label, const char *flag, const char *why, struct err *e);
/* Behind the last '\t', else all of it; the question is what stands before. */
const char *terminal_label_name(const char *label);
int terminal_label_question(const char *label); /* its length */

/* terminal_menu.c */
bool menu_choose(struct terminal *t, const char *label, const struct slice *items, size_t n,
                 const char *flag, size_t *chosen, struct err *e);
/* "✔ Name: value" */
void terminal_result(const struct tty *t, const char *label, struct slice value);
/* ERR_FORBIDDEN "interrupted". */
bool terminal_interrupted(struct err *e);
