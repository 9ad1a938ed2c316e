/*
 * The terminal device.  While keys are read one by one, echo, line editing and signals of the
 * terminal are off: Ctrl-C arrives as a key.  Signals from outside put the terminal back before
 * they take their course, and so does every way out of a prompt.
 */
#include "cli/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "json/utf8.h"

/* For the signal handler.  One prompt at a time. */
static struct termios saved;
static volatile sig_atomic_t saved_fd = -1;

static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static struct sigaction usual[COUNT_OF(SIGNALS)];

static void put_back(int signal)
{
    if (saved_fd >= 0)
        tcsetattr(saved_fd, TCSANOW, &saved);
    /* SA_RESETHAND: the second time it is the usual action's turn. */
    raise(signal);
}

static void guard_signals(void)
{
    struct sigaction act = {.sa_handler = put_back, .sa_flags = SA_RESETHAND | SA_NODEFER};

    for (size_t i = 0; i < COUNT_OF(SIGNALS); i++) {
        sigaction(SIGNALS[i], NULL, &usual[i]);
        if (usual[i].sa_handler != SIG_IGN)
            sigaction(SIGNALS[i], &act, NULL);
    }
}

static void release_signals(void)
{
    for (size_t i = 0; i < COUNT_OF(SIGNALS); i++)
        sigaction(SIGNALS[i], &usual[i], NULL);
}

static int open_terminal(bool *opened)
{
    *opened = !isatty(STDIN_FILENO);
    if (!*opened)
        return STDIN_FILENO;
    return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

bool tty_exists(void)
{
    bool opened;
    int fd = open_terminal(&opened);

    if (fd >= 0 && opened)
        close(fd);
    return fd >= 0;
}

static bool is_fancy(void)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

bool tty_begin(struct tty *t, const char *label, const char *flag, struct err *e)
{
    const char *no_colour = getenv("NO_COLOR");
    struct termios raw;

    t->fd = open_terminal(&t->opened);
    if (t->fd < 0)
        return terminal_missing(label, flag, "there is no terminal", e);
    t->fancy = is_fancy();
    t->colour = t->fancy && !(no_colour && *no_colour);
    if (tcgetattr(t->fd, &saved) != 0) {
        int why = errno;
        if (t->opened)
            close(t->fd);
        return err_errno(e, why, "read the settings of", "the terminal");
    }
    raw = saved;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    saved_fd = t->fd;
    guard_signals();
    tcsetattr(t->fd, TCSAFLUSH, &raw);
    return true;
}

void tty_end(struct tty *t)
{
    tcsetattr(t->fd, TCSADRAIN, &saved);
    release_signals();
    saved_fd = -1;
    if (t->opened)
        close(t->fd);
}

size_t tty_columns(const struct tty *t)
{
    struct winsize size;

    if (ioctl(t->fd, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return 80;
    return size.ws_col;
}

/* --- Keys ------------------------------------------------------------------------------------ */

static bool read_byte(struct tty *t, uint8_t *byte)
{
    ssize_t got;

    do
        got = read(t->fd, byte, 1);
    while (got < 0 && errno == EINTR);
    return got == 1;
}

/* What comes behind ESC is there at once, or ESC was typed by itself. */
static bool more_follows(const struct tty *t)
{
    fd_set set;
    struct timeval soon = {0, 50000};

    if (t->fd >= FD_SETSIZE)
        return false;
    FD_ZERO(&set);
    FD_SET(t->fd, &set);
    return select(t->fd + 1, &set, NULL, NULL, &soon) > 0;
}

/* ESC [ A and ESC O A; parameters are skipped. */
static uint32_t escape_key(struct tty *t)
{
    static const uint32_t ARROWS[] = {PRESS_UP, PRESS_DOWN, PRESS_RIGHT, PRESS_LEFT};
    uint8_t byte;

    if (!more_follows(t) || !read_byte(t, &byte))
        return PRESS_IGNORED;
    if (byte != '[' && byte != 'O')
        return PRESS_IGNORED;
    do
        if (!read_byte(t, &byte))
            return PRESS_GONE;
    while ((byte >= '0' && byte <= '9') || byte == ';');
    return byte >= 'A' && byte <= 'D' ? ARROWS[byte - 'A'] : PRESS_IGNORED;
}

static uint32_t control_key(uint8_t byte)
{
    static const struct {
        uint8_t byte;
        uint32_t key;
    } KEYS[] = {
        {'\r', PRESS_ENTER},     {'\n', PRESS_ENTER},      {0x7f, PRESS_ERASE},
        {0x08, PRESS_ERASE},     {0x15, PRESS_ERASE_LINE}, {0x17, PRESS_ERASE_WORD},
        {0x03, PRESS_INTERRUPT}, {0x1c, PRESS_INTERRUPT},  {0x04, PRESS_END},
        {0x10, PRESS_UP},        {0x0e, PRESS_DOWN},
    };

    for (size_t i = 0; i < COUNT_OF(KEYS); i++)
        if (KEYS[i].byte == byte)
            return KEYS[i].key;
    return PRESS_IGNORED;
}

static uint32_t utf8_key(struct tty *t, uint8_t first)
{
    uint8_t bytes[4] = {first};
    size_t want = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2, n = 1;
    uint32_t rune;

    if (first < 0xc2 || first > 0xf4)
        return PRESS_IGNORED;
    while (n < want)
        if (!read_byte(t, &bytes[n++]))
            return PRESS_GONE;
    return json_utf8_step(slice_of(bytes, n), 0, &rune) == n && rune != RUNE_BAD ? rune
                                                                                 : PRESS_IGNORED;
}

uint32_t tty_key(struct tty *t)
{
    uint8_t byte;

    if (!read_byte(t, &byte))
        return PRESS_GONE;
    if (byte == 0x1b)
        return escape_key(t);
    if (byte < 0x20 || byte == 0x7f)
        return control_key(byte);
    return byte < 0x80 ? byte : utf8_key(t, byte);
}

/* --- Output ---------------------------------------------------------------------------------- */

void tty_putn(struct slice text)
{
    while (text.n) {
        ssize_t done = write(STDERR_FILENO, text.p, text.n);
        if (done < 0 && errno != EINTR)
            return;
        text = slice_from(text, done > 0 ? (size_t)done : 0);
    }
}

void tty_put(const char *text)
{
    tty_putn(slice_text(text));
}

void tty_printf(const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    tty_put(text);
}

void tty_safe(struct slice text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.n; i++) {
        bool c1 = text.p[i] == 0xc2 && i + 1 < text.n && text.p[i + 1] < 0xa0;
        if (!c1 && text.p[i] >= 0x20 && text.p[i] != 0x7f)
            continue;
        tty_putn(slice_sub(text, from, i - from));
        tty_put("?");
        i += c1;
        from = i + 1;
    }
    tty_putn(slice_from(text, from));
}
