/*
 * What a command says and writes.  Results go to standard output, everything else to standard
 * error; text from elsewhere never reaches a terminal with control characters in it.  Files that
 * exist are overwritten only with consent, which can be had before a CA is asked for anything.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rune.h"
#include "cli/internal.h"
#include "cli/terminal.h"
#include "crypto/secret.h"

#define LINE_MAX_BYTES (1u << 20)

struct consent {
    struct consent *next;
    const char *path;
    bool existed;
};

/* --- Text ------------------------------------------------------------------------------------ */

bool write_fd(int fd, struct slice text)
{
    while (text.n) {
        ssize_t done = write(fd, text.p, text.n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        text = slice_from(text, (size_t)done);
    }
    return true;
}

struct slice printable(struct arena *a, struct slice text)
{
    struct slice copy = arena_copy(a, text);

    text_clean((uint8_t *)copy.p, copy.n);
    return copy;
}

bool colour_wanted(int fd)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

    return isatty(fd) && !(no && *no) && term && *term && strcmp(term, "dumb") != 0;
}

static PRINTF(2, 0) struct slice format(struct arena *a, const char *fmt, va_list args)
{
    va_list again;

    if (!fmt)
        return SLICE("");
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        return SLICE("");
    char *text = arena_alloc(a, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    return slice_of(text, (size_t)n);
}

static void line_to(int fd, struct arena *a, const char *before, struct slice text)
{
    struct buf b = buf_new(a, text.n + LINE_MAX_BYTES);

    buf_text(&b, before);
    buf_put(&b, printable(a, text));
    buf_byte(&b, '\n');
    (void)!write_fd(fd, buf_slice(&b));
}

void out_put(struct invocation *inv, struct slice text)
{
    struct run *run = run_of(inv);

    if (run->out_failed || write_fd(inv->out_fd, text))
        return;
    run->out_failed = true;
    run->out_errno = errno;
}

void out_line(struct invocation *inv, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    struct slice text = format(inv->arena, fmt, args);
    va_end(args);
    struct buf b = buf_new(inv->arena, text.n + 1);
    buf_put(&b, text);
    buf_byte(&b, '\n');
    out_put(inv, buf_slice(&b));
}

void note(struct invocation *inv, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    line_to(STDERR_FILENO, inv->arena, "", format(inv->arena, fmt, args));
    va_end(args);
}

void note_selected(struct invocation *inv, const char *name, const char *value)
{
    if (!colour_wanted(STDERR_FILENO)) {
        note(inv, "✔ %s: %s", name, value);
        return;
    }
    line_to(STDERR_FILENO, inv->arena,
            arena_printf(inv->arena, "\033[32m✔\033[0m \033[1m%s:\033[0m ", name),
            slice_text(value));
}

/* --- Errors ---------------------------------------------------------------------------------- */

static bool debugging(void)
{
    const char *debug = getenv("STEPDEBUG");

    return debug && strcmp(debug, "1") == 0;
}

/* Trouble on the way to a server, of which there is more to tell than one line. */
static bool has_more_to_tell(const struct err *e)
{
    bool remote = e->kind == ERR_UNAVAILABLE || e->kind == ERR_TIMEOUT;

    return e->notes || (remote && !(e->code && strcmp(e->code, TERMINAL_MISSING) == 0));
}

static void print_details(struct arena *a, const struct err *e)
{
    line_to(STDERR_FILENO, a, "  kind: ", slice_text(err_kind_name(e->kind)));
    if (e->code)
        line_to(STDERR_FILENO, a, "  code: ", slice_text(e->code));
    for (const struct err_note *n = e->notes; n; n = n->next)
        line_to(STDERR_FILENO, a, arena_printf(a, "  %.*s: ", SLICE_ARG(printable(a, n->name))),
                n->text);
}

void error_print(struct arena *a, const struct err *e)
{
    line_to(STDERR_FILENO, a, "", slice_text(e->text[0] ? e->text : "the command failed"));
    if (debugging())
        print_details(a, e);
    else if (has_more_to_tell(e))
        line_to(STDERR_FILENO, a, "", SLICE("Re-run with STEPDEBUG=1 for more information."));
}

int fail(struct invocation *inv)
{
    error_print(inv->arena, &inv->err);
    return 1;
}

int fail_with(struct invocation *inv, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    struct slice text = format(inv->arena, fmt, args);
    va_end(args);
    err_set(&inv->err, ERR_MALFORMED, "%.*s", SLICE_ARG(text));
    return fail(inv);
}

int fail_value(struct invocation *inv, const char *flag, const char *value, const char *options)
{
    if (!options)
        return fail_with(inv, "invalid value '%s' for flag '--%s'", value, flag);
    return fail_with(inv, "invalid value '%s' for flag '--%s'; options are %s", value, flag,
                     options);
}

/* --- Files -------------------------------------------------------------------------------------
 */

static struct consent *find_consent(struct invocation *inv, const char *path)
{
    struct consent *c = run_of(inv)->consents;

    while (c && strcmp(c->path, path) != 0)
        c = c->next;
    return c;
}

static struct consent *add_consent(struct invocation *inv, const char *path, bool existed)
{
    struct consent *c = arena_alloc(inv->arena, sizeof(*c));

    *c = (struct consent){run_of(inv)->consents, arena_printf(inv->arena, "%s", path), existed};
    run_of(inv)->consents = c;
    return c;
}

static bool forced(const struct invocation *inv)
{
    return flag_listed(inv, "force") && flag_bool(inv, "force");
}

static bool ask_overwrite(struct invocation *inv, const char *path, struct err *e)
{
    bool yes = false;
    const char *question = arena_printf(inv->arena, "Would you like to overwrite %s [y/n]", path);
    const char *flag = flag_listed(inv, "force") ? "--force" : NULL;

    if (!inv->terminal->yes_no(inv->terminal, question, flag, &yes, e))
        return err_wrap(e, "file %s exists", path);
    return yes || err_set(e, ERR_EXISTS, "open %s failed: file exists", path);
}

/* NULL: it may not be written. */
static struct consent *consent_for(struct invocation *inv, const char *path, struct err *e)
{
    struct consent *given = find_consent(inv, path);

    if (given)
        return given;
    if (file_is_dir(path)) {
        err_set(e, ERR_EXISTS, "open %s failed: is a directory", path);
        return NULL;
    }
    bool exists = file_exists(path);
    /* A pipe or a device takes what it is given; there is nothing to lose. */
    if (exists && file_is_regular(path) && !forced(inv) && !ask_overwrite(inv, path, e))
        return NULL;
    return add_consent(inv, path, exists || forced(inv));
}

bool may_write(struct invocation *inv, const char *path, struct err *e)
{
    return consent_for(inv, path, e) != NULL;
}

bool may_replace(struct invocation *inv, const char *path)
{
    const struct consent *c = find_consent(inv, path);

    return c && c->existed;
}

bool write_result(struct invocation *inv, const char *path, struct slice content, unsigned mode,
                  struct err *e)
{
    struct consent *c = consent_for(inv, path, e);

    if (!c)
        return false;
    /* Nobody agreed to lose a file that came into being since. */
    unsigned flags = c->existed ? FILE_KEEP_MODE : FILE_EXCLUSIVE;
    if (!file_write(path, content, mode, flags, e))
        return false;
    c->existed = true;
    return true;
}

bool password_flag(struct invocation *inv, const char *flag, struct slice *password, struct err *e)
{
    const char *path = flag_text(inv, flag);

    *password = SLICE_NONE;
    if (!path || !*path)
        return true;
    if (!secret_read_file(inv->secrets, path, password, e))
        return false;
    if (slice_empty(*password))
        *password = SLICE_NONE;
    return true;
}
