/*
 * Log lines on standard error: start-up and operational messages ("YYYY/MM/DD HH:MM:SS text",
 * local time) and records of fields (the access log) as text, json or common.
 * The sink is process-wide; writing a line is one write(2) and safe from any thread.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

enum log_level { LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* "2026/11/24 10:20:30 message\n".  Control characters are replaced by '?'. */
void log_line(const char *fmt, ...) PRINTF(1, 2);
/* As log_line, suppressed after log_quiet(true): the start-up information lines. */
void log_info(const char *fmt, ...) PRINTF(1, 2);
/* "WARNING: " and "ERROR: " in front. */
void log_warn(const char *fmt, ...) PRINTF(1, 2);
void log_error(const char *fmt, ...) PRINTF(1, 2);
void log_quiet(bool quiet);
/* STEPDEBUG=1. */
bool log_debug_enabled(void);
/* For tests: lines go to write(line, n, arg) instead of standard error; NULL: back. */
void log_sink(void (*write)(const char *line, size_t n, void *arg), void *arg);

/* --- Records ----------------------------------------------------------------------------- */

enum log_format { LOG_TEXT, LOG_JSON, LOG_COMMON };
/* "", "text", "json", "common" in any case. */
bool log_format_read(struct slice name, enum log_format *format) CHECKED;

enum log_value_kind {
    LOG_VALUE_TEXT,
    LOG_VALUE_INT,
    LOG_VALUE_BOOL,
    LOG_VALUE_TEXTS,
    LOG_VALUE_GROUPS
};
struct log_field {
    const char *name; /* static */
    enum log_value_kind kind;
    struct slice text;
    int64_t number;
    /* TEXTS: a list.  GROUPS: named lists; JSON object of arrays, text "map[dns:[a b]]". */
    const struct slice *texts;
    size_t n_texts;
    const struct log_group *groups;
    size_t n_groups;
};
struct log_group {
    const char *name;
    const struct slice *texts;
    size_t n_texts;
};

#define LOG_FIELDS_MAX 48
struct log_fields {
    struct log_field fields[LOG_FIELDS_MAX];
    size_t n;
};
/* A field of the same name is replaced.  Values are borrowed until the record is written. */
void log_put_text(struct log_fields *f, const char *name, struct slice value);
void log_put_int(struct log_fields *f, const char *name, int64_t value);
void log_put_bool(struct log_fields *f, const char *name, bool value);
void log_put_texts(struct log_fields *f, const char *name, const struct slice *v, size_t n);
void log_put_groups(struct log_fields *f, const char *name, const struct log_group *g, size_t n);

/* One record line (docs/reference/logging.md): names sorted in byte order; the record's own
 * "time" and "level"; a field called "time" is written as "fields.time".  In text form colour
 * only when standard error is a terminal (NO_COLOR, CLICOLOR, CLICOLOR_FORCE).
 * LOG_COMMON prints request-id remote-address name user-id time duration "method path protocol"
 * status size, '-' for what is missing. */
void log_record(enum log_format format, enum log_level level, struct instant now,
                const struct log_fields *f);
/* The same into a buffer, without colour: for tests. */
void log_record_format(struct buf *out, enum log_format format, enum log_level level,
                       struct instant now, const struct log_fields *f);
