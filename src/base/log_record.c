/*
 * Log records: the access log in its three forms (docs/reference/logging.md).
 *
 * A record is a flat list of fields.  The forms differ in how a value is written, so there is one
 * table of writers by form; what is common (order, the record's own members, names that collide
 * with them) is done once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_sink.h"
#include "base/rune.h"

#define RECORD_MAX (1u << 20)

/* --- Fields ---------------------------------------------------------------------------------- */

static void put_field(struct log_fields *f, struct log_field field)
{
    size_t i = 0;

    while (i < f->n && strcmp(f->fields[i].name, field.name) != 0)
        i++;
    if (i == LOG_FIELDS_MAX) /* more than any handler has; a log line is not worth a failure */
        return;
    f->fields[i] = field;
    if (i == f->n)
        f->n++;
}

void log_put_text(struct log_fields *f, const char *name, struct slice value)
{
    put_field(f, (struct log_field){.name = name, .kind = LOG_VALUE_TEXT, .text = value});
}

void log_put_int(struct log_fields *f, const char *name, int64_t value)
{
    put_field(f, (struct log_field){.name = name, .kind = LOG_VALUE_INT, .number = value});
}

void log_put_bool(struct log_fields *f, const char *name, bool value)
{
    put_field(f, (struct log_field){.name = name, .kind = LOG_VALUE_BOOL, .number = value});
}

void log_put_texts(struct log_fields *f, const char *name, const struct slice *v, size_t n)
{
    put_field(f,
              (struct log_field){.name = name, .kind = LOG_VALUE_TEXTS, .texts = v, .n_texts = n});
}

void log_put_groups(struct log_fields *f, const char *name, const struct log_group *g, size_t n)
{
    put_field(
        f, (struct log_field){.name = name, .kind = LOG_VALUE_GROUPS, .groups = g, .n_groups = n});
}

bool log_format_read(struct slice name, enum log_format *format)
{
    static const struct {
        const char *name;
        enum log_format format;
    } FORMATS[] = {{"", LOG_TEXT}, {"text", LOG_TEXT}, {"json", LOG_JSON}, {"common", LOG_COMMON}};

    for (size_t i = 0; i < COUNT_OF(FORMATS); i++) {
        if (!slice_is_case(name, FORMATS[i].name))
            continue;
        *format = FORMATS[i].format;
        return true;
    }
    return false;
}

/* --- Text form ------------------------------------------------------------------------------- */

static bool is_bare(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '-' && c <= '9') || c == '_' ||
           c == '@' || c == '^' || c == '+';
}

static void put_text_value(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_bare(s.p[i]))
            continue;
        text_quote(b, s);
        return;
    }
    buf_put(b, s);
}

static void put_number(struct buf *b, int64_t number)
{
    char text[24], *p = text + sizeof(text);
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do
        *--p = (char)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        *--p = '-';
    buf_put(b, slice_of(p, (size_t)(text + sizeof(text) - p)));
}

static void put_bracketed(struct buf *b, const struct slice *texts, size_t n)
{
    buf_byte(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_byte(b, ' ');
        buf_put(b, texts[i]);
    }
    buf_byte(b, ']');
}

/* The i-th group in the order of names: there are four kinds at most, so looking again for each
 * is cheaper than a sorted copy. */
static const struct log_group *group_at(const struct log_field *f, size_t i)
{
    for (size_t k = 0; k < f->n_groups; k++) {
        size_t before = 0;
        for (size_t m = 0; m < f->n_groups; m++) {
            int order = strcmp(f->groups[m].name, f->groups[k].name);
            before += order < 0 || (order == 0 && m < k);
        }
        if (before == i)
            return &f->groups[k];
    }
    return NULL;
}

static void put_map(struct buf *b, const struct log_field *f)
{
    const struct log_group *g;

    buf_text(b, "map[");
    for (size_t i = 0; (g = group_at(f, i)) != NULL; i++) {
        buf_printf(b, "%s%s:", i ? " " : "", g->name);
        put_bracketed(b, g->texts, g->n_texts);
    }
    buf_byte(b, ']');
}

static void put_text_field(struct buf *b, const struct log_field *f)
{
    CLEANUP(buf_free) struct buf list = buf_new(NULL, RECORD_MAX);

    switch (f->kind) {
    case LOG_VALUE_TEXT:
        put_text_value(b, f->text);
        return;
    case LOG_VALUE_INT:
        put_number(b, f->number);
        return;
    case LOG_VALUE_BOOL:
        buf_text(b, f->number ? "true" : "false");
        return;
    case LOG_VALUE_TEXTS:
        put_bracketed(&list, f->texts, f->n_texts);
        break;
    case LOG_VALUE_GROUPS:
        put_map(&list, f);
        break;
    }
    put_text_value(b, buf_slice(&list));
}

/* --- JSON form ------------------------------------------------------------------------------- */

static void put_json_text(struct buf *b, struct slice s)
{
    uint32_t rune;

    buf_byte(b, '"');
    for (size_t n; s.n; s = slice_from(s, n)) {
        n = rune_plain_run(s, true);
        if (n) {
            buf_put(b, slice_sub(s, 0, n));
            continue;
        }
        bool valid = rune_read(s, &rune, &n);
        char letter = valid ? rune_escape(rune, true) : 0;
        if (!valid)
            buf_text(b, "\\ufffd");
        else if (letter)
            buf_printf(b, "\\%c", letter);
        else if (rune < 0x20 || (rune >= 0x7f && rune < 0xa0) || rune == '<' || rune == '>' ||
                 rune == '&' || rune == 0x2028 || rune == 0x2029)
            buf_printf(b, "\\u%04x", rune);
        else
            buf_put(b, slice_sub(s, 0, n));
    }
    buf_byte(b, '"');
}

static void put_json_list(struct buf *b, const struct slice *texts, size_t n)
{
    buf_byte(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_byte(b, ',');
        put_json_text(b, texts[i]);
    }
    buf_byte(b, ']');
}

static void put_json_object(struct buf *b, const struct log_field *f)
{
    const struct log_group *g;

    buf_byte(b, '{');
    for (size_t i = 0; (g = group_at(f, i)) != NULL; i++) {
        if (i)
            buf_byte(b, ',');
        put_json_text(b, slice_text(g->name));
        buf_byte(b, ':');
        put_json_list(b, g->texts, g->n_texts);
    }
    buf_byte(b, '}');
}

static void put_json_field(struct buf *b, const struct log_field *f)
{
    switch (f->kind) {
    case LOG_VALUE_TEXT:
        put_json_text(b, f->text);
        return;
    case LOG_VALUE_INT:
        put_number(b, f->number);
        return;
    case LOG_VALUE_BOOL:
        buf_text(b, f->number ? "true" : "false");
        return;
    case LOG_VALUE_TEXTS:
        put_json_list(b, f->texts, f->n_texts);
        return;
    case LOG_VALUE_GROUPS:
        put_json_object(b, f);
        return;
    }
}

/* --- The record ------------------------------------------------------------------------------ */

static const struct {
    const char *name, *four;
    int colour;
} LEVELS[] = {
    [LOG_LEVEL_INFO] = {"info", "INFO", 36},
    [LOG_LEVEL_WARNING] = {"warning", "WARN", 33},
    [LOG_LEVEL_ERROR] = {"error", "ERRO", 31},
};

/* Local time, RFC 3339, whole seconds. */
static void stamp(char out[48], struct instant now)
{
    time_t sec = (time_t)now.sec;
    struct tm tm;

    if (!localtime_r(&sec, &tm))
        memset(&tm, 0, sizeof(tm));
    size_t n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    long offset = tm.tm_gmtoff / 60;
    long size = offset < 0 ? -offset : offset;
    if (offset == 0)
        snprintf(out + n, 48 - n, "Z");
    else
        snprintf(out + n, 48 - n, "%c%02d:%02d", offset < 0 ? '-' : '+', (int)(size / 60) % 24,
                 (int)(size % 60));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct log_field *)a)->name, ((const struct log_field *)b)->name);
}

/* A copy in the order of names.  Fields with the names of the record's own members step aside. */
static void sorted(const struct log_fields *f, struct log_fields *out)
{
    static const char *const OWN[][2] = {
        {"time", "fields.time"}, {"level", "fields.level"}, {"msg", "fields.msg"}};

    *out = *f;
    for (size_t i = 0; i < out->n; i++)
        for (size_t k = 0; k < COUNT_OF(OWN); k++)
            if (strcmp(out->fields[i].name, OWN[k][0]) == 0)
                out->fields[i].name = OWN[k][1];
    qsort(out->fields, out->n, sizeof(out->fields[0]), by_name);
}

static void format_text(struct buf *b, enum log_level level, struct instant now,
                        const struct log_fields *f)
{
    char time[48];

    stamp(time, now);
    buf_text(b, "time=");
    put_text_value(b, slice_text(time));
    buf_text(b, " level=");
    buf_text(b, LEVELS[level].name);
    for (size_t i = 0; i < f->n; i++) {
        buf_byte(b, ' ');
        buf_text(b, f->fields[i].name);
        buf_byte(b, '=');
        put_text_field(b, &f->fields[i]);
    }
}

static void format_json(struct buf *b, enum log_level level, struct instant now,
                        const struct log_fields *f)
{
    struct log_fields all = *f;
    char time[48];

    stamp(time, now);
    /* The record's own members are fields like the others; room is made by dropping the last. */
    if (all.n > LOG_FIELDS_MAX - 3)
        all.n = LOG_FIELDS_MAX - 3;
    log_put_text(&all, "level", slice_text(LEVELS[level].name));
    log_put_text(&all, "msg", SLICE(""));
    log_put_text(&all, "time", slice_text(time));
    qsort(all.fields, all.n, sizeof(all.fields[0]), by_name);
    for (size_t i = 0; i < all.n; i++) {
        buf_byte(b, i ? ',' : '{');
        put_json_text(b, slice_text(all.fields[i].name));
        buf_byte(b, ':');
        put_json_field(b, &all.fields[i]);
    }
    buf_byte(b, '}');
}

/* A blank or a quote in a value would shift the columns for whoever reads them. */
static void put_column(struct buf *b, const struct log_fields *f, const char *name)
{
    CLEANUP(buf_free) struct buf value = buf_new(NULL, RECORD_MAX);

    for (size_t i = 0; i < f->n; i++) {
        const struct log_field *field = &f->fields[i];
        if (strcmp(field->name, name) != 0)
            continue;
        if (field->kind == LOG_VALUE_TEXT)
            buf_put(&value, field->text);
        else
            put_text_field(&value, field);
    }
    if (value.n == 0)
        buf_byte(&value, '-');
    uint32_t rune;
    for (struct slice rest = buf_slice(&value); rest.n;) {
        size_t n;
        bool shown = rune_read(rest, &rune, &n) && rune_visible(rune) && rune != ' ' && rune != '"';
        buf_put(b, shown ? slice_sub(rest, 0, n) : SLICE("?"));
        rest = slice_from(rest, n);
    }
}

/* Takes the record's fields under their own names. */
static void format_common(struct buf *b, const struct log_fields *f)
{
    static const struct {
        const char *name, *before;
    } COLUMNS[] = {{"request-id", ""}, {"remote-address", " "}, {"name", " "},     {"user-id", " "},
                   {"time", " "},      {"duration", " "},       {"method", " \""}, {"path", " "},
                   {"protocol", " "},  {"status", "\" "},       {"size", " "}};

    for (size_t i = 0; i < COUNT_OF(COLUMNS); i++) {
        buf_text(b, COLUMNS[i].before);
        put_column(b, f, COLUMNS[i].name);
    }
}

void log_record_format(struct buf *out, enum log_format format, enum log_level level,
                       struct instant now, const struct log_fields *f)
{
    struct log_fields in_order;

    sorted(f, &in_order);
    if (format == LOG_COMMON)
        format_common(out, f);
    else if (format == LOG_JSON)
        format_json(out, level, now, &in_order);
    else
        format_text(out, level, now, &in_order);
    buf_byte(out, '\n');
}

/* --- Colour ---------------------------------------------------------------------------------- */

static int64_t started_ns;

/* Before main: seconds on the terminal are counted from the start of the program. */
static __attribute__((constructor)) void note_start(void)
{
    started_ns = CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM);
}

static bool colour_wanted(void)
{
    const char *force = getenv("CLICOLOR_FORCE"), *colour = getenv("CLICOLOR");

    if (getenv("NO_COLOR"))
        return false;
    if (force)
        return strcmp(force, "0") != 0;
    if (colour && strcmp(colour, "0") == 0)
        return false;
    return isatty(STDERR_FILENO) == 1;
}

static void format_coloured(struct buf *b, enum log_level level, const struct log_fields *f)
{
    int64_t seconds = (CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM) - started_ns) / NS_PER_SEC;
    struct log_fields in_order;
    int c = LEVELS[level].colour;

    sorted(f, &in_order);
    buf_printf(b, "\x1b[%dm%s\x1b[0m[%04lld] %-44s ", c, LEVELS[level].four, (long long)seconds,
               "");
    for (size_t i = 0; i < in_order.n; i++) {
        buf_printf(b, " \x1b[%dm%s\x1b[0m=", c, in_order.fields[i].name);
        put_text_field(b, &in_order.fields[i]);
    }
    buf_byte(b, '\n');
}

void log_record(enum log_format format, enum log_level level, struct instant now,
                const struct log_fields *f)
{
    CLEANUP(buf_free) struct buf b = buf_new(NULL, RECORD_MAX);

    if (format == LOG_TEXT && colour_wanted())
        format_coloured(&b, level, f);
    else
        log_record_format(&b, format, level, now, f);
    if (b.failed) /* cut short; the line still ends */
        b.p[b.n - 1] = '\n';
    log_emit(buf_slice(&b));
}
