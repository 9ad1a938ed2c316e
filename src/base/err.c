/*
 * Errors as values.  Text is always one line of printable bytes: whatever a client put into a name
 * ends up in logs and on terminals.  Everything works on the caller's struct; errno is kept,
 * because errors are often told between a failed call and the look at its errno.
 */
#include "base/err.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/rune.h"

/* A cut in the middle of a character would make the text invalid UTF-8. */
static void cut(struct err *e)
{
    size_t n = sizeof(e->text) - sizeof("...");

    while (n > 0 && ((unsigned char)e->text[n] & 0xc0) == 0x80)
        n--;
    memcpy(e->text + n, "...", sizeof("..."));
}

bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    if (!e)
        return false;
    int saved = errno;
    char text[sizeof(e->text)];
    va_list args;
    va_start(args, fmt);
    /* Into a copy first: an argument may be the error's own old text. */
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    *e = (struct err){.kind = kind};
    if (n > 0)
        memcpy(e->text, text, sizeof(text));
    if (n >= (int)sizeof(text))
        cut(e);
    text_clean((uint8_t *)e->text, strlen(e->text));
    errno = saved;
    return false;
}

bool err_wrap(struct err *e, const char *fmt, ...)
{
    if (!e)
        return false;
    int saved = errno;
    char text[sizeof(e->text)];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    bool full = n >= (int)sizeof(text);
    if (n < 0)
        n = 0;
    if (!full && e->text[0]) {
        int more = snprintf(text + n, sizeof(text) - (size_t)n, ": %s", e->text);
        full = more >= (int)(sizeof(text) - (size_t)n);
    }
    memcpy(e->text, text, sizeof(text));
    if (full)
        cut(e);
    text_clean((uint8_t *)e->text, strlen(e->text));
    errno = saved;
    return false;
}

bool err_classify(struct err *e, enum err_kind kind)
{
    if (e && (e->kind == ERR_MALFORMED || e->kind == ERR_INTERNAL))
        e->kind = kind;
    return false;
}

static enum err_kind kind_of_errno(int value)
{
    switch (value) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return ERR_FORBIDDEN;
    case EEXIST:
        return ERR_EXISTS;
    default:
        return ERR_INTERNAL;
    }
}

bool err_errno(struct err *e, int errno_value, const char *op, const char *path)
{
    char space[128], why[128];
    const char *text = strerror_r(errno_value, space, sizeof(space));

    /* Inside a sentence, but "I/O error" and the like stay as they are. */
    snprintf(why, sizeof(why), "%s", text);
    if (why[0] && islower((unsigned char)why[1]))
        why[0] = (char)tolower((unsigned char)why[0]);
    if (!path || !*path)
        return err_set(e, kind_of_errno(errno_value), "%s failed: %s", op, why);
    return err_set(e, kind_of_errno(errno_value), "%s %s failed: %s", op, path, why);
}

void err_clear(struct err *e)
{
    if (e)
        *e = (struct err){0};
}

void err_move(struct err *to, const struct err *from)
{
    if (to && from && to != from)
        *to = *from;
}

static const struct {
    const char *name;
    int status;
} KINDS[ERR_KINDS] = {
    [ERR_NONE] = {"none", 200},
    [ERR_MALFORMED] = {"malformed", 400},
    [ERR_UNAUTHORIZED] = {"unauthorized", 401},
    [ERR_FORBIDDEN] = {"forbidden", 403},
    [ERR_NOT_FOUND] = {"not found", 404},
    [ERR_EXISTS] = {"exists", 409},
    [ERR_CHANGED] = {"changed", 409},
    [ERR_TOO_LARGE] = {"too large", 413},
    [ERR_RATE] = {"rate limited", 429},
    [ERR_NOT_IMPLEMENTED] = {"not implemented", 501},
    [ERR_UNAVAILABLE] = {"unavailable", 503},
    [ERR_TIMEOUT] = {"timeout", 503},
    [ERR_INTERNAL] = {"internal", 500},
};

int err_status(enum err_kind kind)
{
    return (unsigned)kind < ERR_KINDS ? KINDS[kind].status : 500;
}

enum err_kind err_kind_of_status(int status)
{
    for (unsigned kind = 0; kind < ERR_KINDS; kind++)
        if (KINDS[kind].status == status)
            return (enum err_kind)kind;
    if (status >= 200 && status < 300)
        return ERR_NONE;
    if (status == 408 || status == 504)
        return ERR_TIMEOUT;
    if (status == 502)
        return ERR_UNAVAILABLE;
    return status >= 400 && status < 500 ? ERR_MALFORMED : ERR_INTERNAL;
}

const char *err_kind_name(enum err_kind kind)
{
    return (unsigned)kind < ERR_KINDS ? KINDS[kind].name : "unknown";
}
