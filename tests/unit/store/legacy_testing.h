/* What the tests of old databases share: unpacking a sample, and its true content. */
#pragma once

#include "store_testing.h"

#include <sys/stat.h>

#include "base/encode.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "store/legacy.h"
#include "json/json.h"

struct sample {
    char *dir; /* scratch */
    char path[600];
    char warnings[4000];
    struct arena *a;
    struct err e;
};

static UNUSED void run_shell(const char *fmt, ...) PRINTF(1, 2);
static UNUSED void run_shell(const char *fmt, ...)
{
    char line[3000];
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (system(line) != 0)
        fail_msg("failed: %s", line);
}

static inline void sample_warn(void *arg, const char *text)
{
    struct sample *s = arg;
    size_t n = strlen(s->warnings);

    snprintf(s->warnings + n, sizeof(s->warnings) - n, "%s\n", text);
}

static inline bool is_bbolt(const char *name)
{
    return strstr(name, "bbolt") != NULL;
}

/* The directory, or the file of bbolt, in s->path. */
static inline void sample_open(struct sample *s, const char *name)
{
    *s = (struct sample){.dir = scratch_make(), .a = arena_new(&HEAP_USUAL)};
    run_shell("tar xzf " FIXTURES "/%s.tar.gz -C %s", name, s->dir);
    if (is_bbolt(name))
        snprintf(s->path, sizeof(s->path), "%s/%s/step.db", s->dir, name);
    else
        snprintf(s->path, sizeof(s->path), "%s/%s", s->dir, name);
}

static inline void sample_close(struct sample *s)
{
    run_shell("rm -rf %s", s->dir);
    free(s->dir);
    arena_free(s->a);
}

static inline struct legacy_place place_of(struct sample *s, const char *name)
{
    struct legacy_place p = {.kind = is_bbolt(name) ? LEGACY_BBOLT : LEGACY_BADGER,
                             .path = s->path,
                             .now = 1800000000,
                             .warn = sample_warn,
                             .arg = s};
    if (strstr(name, "valuedir"))
        p.value_dir = path_join(s->a, s->path, "value");
    return p;
}

static inline const struct json *sample_content(struct sample *s, const char *name)
{
    static const struct json_rules RULES = {.depth = 8, .values = 1000000, .reject_rest = true};
    struct slice text;
    const char *path = arena_printf(s->a, FIXTURES "/%s.json", name);

    assert_true(file_read(s->a, path, false, 16u << 20, &text, &s->e));
    const struct json *tables = json_get(json_read(s->a, text, &RULES, NULL, &s->e), "tables");
    assert_non_null(tables);
    return tables;
}

static inline struct slice decoded(struct arena *a, const struct json *row, const char *name)
{
    struct slice bytes;

    assert_true(base64_read(a, BASE64_STD, json_text(json_get_exact(row, name)), &bytes));
    return bytes;
}

/* True when the value is what the row says. */
static inline bool value_is(struct arena *a, const struct json *row, struct slice value)
{
    uint64_t n;

    if (json_get_exact(row, "v"))
        return slice_eq(decoded(a, row, "v"), value);
    return json_uint(json_get_exact(row, "len"), &n) && n == value.n &&
           slice_eq(json_text(json_get_exact(row, "sha256")), sha256_hex(a, value));
}
