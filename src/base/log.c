/*
 * Log lines and the sink that lines and records share.  A line is formatted first and then handed
 * over in one write(2) under a lock, so that lines of several threads never mix, and so that
 * nothing formats while others wait.
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log_sink.h"
#include "base/rune.h"

#define LINE_MAX_BYTES 65536u

static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*sink)(const char *line, size_t n, void *arg);
static void *sink_arg;
static atomic_bool quiet_lines;

/* Standard error may be a pipe that takes a part; what it refuses is lost: where would we tell? */
static void write_stderr(const char *line, size_t n)
{
    while (n) {
        ssize_t done = write(STDERR_FILENO, line, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        line += done;
        n -= (size_t)done;
    }
}

void log_emit(struct slice line)
{
    int saved = errno;

    pthread_mutex_lock(&sink_lock);
    if (sink)
        sink((const char *)line.p, line.n, sink_arg);
    else
        write_stderr((const char *)line.p, line.n);
    pthread_mutex_unlock(&sink_lock);
    errno = saved;
}

void log_sink(void (*write)(const char *line, size_t n, void *arg), void *arg)
{
    pthread_mutex_lock(&sink_lock);
    sink = write;
    sink_arg = arg;
    pthread_mutex_unlock(&sink_lock);
}

void log_quiet(bool quiet)
{
    atomic_store(&quiet_lines, quiet);
}

static pthread_once_t debug_once = PTHREAD_ONCE_INIT;
static bool debug_enabled;

static void read_debug(void)
{
    const char *value = getenv("STEPDEBUG");

    debug_enabled = value && strcmp(value, "1") == 0;
}

bool log_debug_enabled(void)
{
    pthread_once(&debug_once, read_debug);
    return debug_enabled;
}

static void put_stamp(struct buf *b)
{
    time_t now = time(NULL);
    struct tm tm;

    if (!localtime_r(&now, &tm))
        memset(&tm, 0, sizeof(tm));
    buf_printf(b, "%04d/%02d/%02d %02d:%02d:%02d ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static PRINTF(2, 0) void line(const char *front, const char *fmt, va_list args)
{
    int saved = errno;
    va_list again;

    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        n = 0;
    if ((unsigned)n > LINE_MAX_BYTES)
        n = LINE_MAX_BYTES;
    CLEANUP(buf_free) struct buf b = buf_new(NULL, LINE_MAX_BYTES + 256);
    put_stamp(&b);
    buf_text(&b, front);
    size_t from = b.n;
    errno = saved; /* for %m */
    uint8_t *room = buf_room(&b, (size_t)n + 1);
    if (!room)
        return;
    vsnprintf((char *)room, (size_t)n + 1, fmt, args);
    buf_used(&b, (size_t)n);
    while (b.n > from && b.p[b.n - 1] == '\n') /* callers who end their text themselves */
        b.n--;
    text_clean(b.p + from, b.n - from); /* one line, whatever a client made us say */
    buf_byte(&b, '\n');
    log_emit(buf_slice(&b));
    errno = saved;
}

void log_line(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    line("", fmt, args);
    va_end(args);
}

void log_info(const char *fmt, ...)
{
    va_list args;

    if (atomic_load(&quiet_lines))
        return;
    va_start(args, fmt);
    line("", fmt, args);
    va_end(args);
}

void log_warn(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    line("WARNING: ", fmt, args);
    va_end(args);
}

void log_error(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    line("ERROR: ", fmt, args);
    va_end(args);
}
