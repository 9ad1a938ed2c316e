/*
 * An old database becomes a file of ours.  It is filled under another name, in one transaction,
 * read back and compared, made durable, and gets its name last: who finds the file finds all of
 * it.  What an import that was killed leaves behind is removed by the next.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "store/import.h"
#include "store/sqlite.h"
#include "json/json.h"

/* --- Counting and summing -------------------------------------------------------------------- */

void content_sum_begin(struct content_sum *s)
{
    *s = (struct content_sum){.run = digest_begin(DIGEST_SHA256)};
}

static void add_part(struct content_sum *s, struct slice part)
{
    uint8_t length[8];

    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)part.n >> (56 - 8 * i));
    digest_add(&s->run, slice_of(length, sizeof(length)));
    digest_add(&s->run, part);
}

void content_sum_row(struct content_sum *s, struct slice table, struct slice key,
                     struct slice value)
{
    s->rows++;
    add_part(s, table);
    add_part(s, key);
    add_part(s, value);
}

struct slice content_sum_end(struct content_sum *s, struct arena *a)
{
    static const char DIGITS[] = "0123456789abcdef";
    uint8_t sum[DIGEST_MAX];
    char *hex = arena_alloc(a, 65);

    if (!s->run.ctx)
        return SLICE_NONE;
    digest_end(&s->run, sum);
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = DIGITS[sum[i] >> 4];
        hex[2 * i + 1] = DIGITS[sum[i] & 15];
    }
    return slice_of(hex, 64);
}

/* --- The record ---------------------------------------------------------------------------- */

struct slice import_record(struct arena *a, const struct import_report *r, struct slice source,
                           struct slice fingerprint, struct instant at)
{
    struct buf b = buf_new(a, 1u << 20);
    struct json_writer j = json_writer(&b);

    json_open(&j, NULL);
    json_member_text(&j, "format", slice_text(r->format));
    json_member_text(&j, "source", source);
    json_member_text(&j, "state", fingerprint);
    json_member_text(&j, "at", rfc3339(a, at));
    json_member_uint(&j, "tables", r->tables);
    json_member_uint(&j, "rows", r->rows);
    json_member_uint(&j, "certificates", r->certificates);
    json_member_text(&j, "sha256", r->sha256);
    json_close(&j);
    return buf_slice(&b);
}

struct slice import_record_fingerprint(struct arena *a, struct slice record)
{
    struct slice text =
        json_text(json_get_exact(json_read(a, record, &JSON_RECORD, NULL, NULL), "state"));

    return text.n ? text : SLICE_NONE;
}

/* --- Filling ------------------------------------------------------------------------------- */

struct filler {
    struct conn c;
    struct clock *clock;
    describe_fn *describe;
    struct content_sum sum, back;
    struct slice table; /* read back: the one being scanned */
    struct names {
        struct slice *v;
        size_t n, cap;
    } names;
    struct arena *a;
};

static bool fill_row(struct slice table, struct slice key, struct slice value, void *arg,
                     struct err *e)
{
    struct filler *f = arg;

    if (!key.p) {
        f->sum.tables++;
        return sqlite_table_make(&f->c, table, e);
    }
    content_sum_row(&f->sum, table, key, value);
    return sqlite_row_import(&f->c, table, key, value, f->describe, f->clock, e);
}

static bool name_back(struct slice name, void *arg)
{
    struct filler *f = arg;

    if (f->names.n == f->names.cap) {
        f->names.cap = f->names.cap ? f->names.cap * 2 : 64;
        f->names.v = xrealloc(f->names.v, f->names.cap * sizeof(*f->names.v));
    }
    f->names.v[f->names.n++] = arena_copy(f->a, name);
    return true;
}

static bool row_back(struct slice key, struct slice value, void *arg)
{
    struct filler *f = arg;

    content_sum_row(&f->back, f->table, key, value);
    return true;
}

static bool read_back(struct filler *f, struct err *e)
{
    if (!sqlite_conn_tables(&f->c, name_back, f, e))
        return false;
    f->back.tables = f->names.n;
    for (size_t i = 0; i < f->names.n; i++) {
        f->table = f->names.v[i];
        if (!sqlite_conn_scan_named(&f->c, f->table, SLICE_NONE, 0, row_back, f, e))
            return false;
    }
    return true;
}

static bool compare(struct filler *f, struct import_report *r, struct arena *a, struct err *e)
{
    r->tables = f->sum.tables;
    r->rows = f->sum.rows;
    r->sha256 = content_sum_end(&f->sum, a);
    struct slice back = content_sum_end(&f->back, a);
    if (f->back.tables != r->tables || f->back.rows != r->rows || !slice_eq(back, r->sha256))
        return err_set(e, ERR_INTERNAL,
                       "the copy differs from its source: %llu tables, %llu rows, SHA-256 %.*s "
                       "instead of %llu, %llu, %.*s",
                       (unsigned long long)f->back.tables, (unsigned long long)f->back.rows,
                       SLICE_ARG(back), (unsigned long long)r->tables, (unsigned long long)r->rows,
                       SLICE_ARG(r->sha256));
    int64_t n;
    if (!sqlite_conn_number(&f->c, "SELECT count(*) FROM certificates", &n, e))
        return false;
    r->certificates = (uint64_t)n;
    return true;
}

static bool fill(struct filler *f, struct legacy *l, const struct legacy_place *from,
                 struct arena *a, struct import_report *r, struct err *e)
{
    struct slice fingerprint;

    r->format = legacy_format(l);
    if (!legacy_fingerprint(from, a, &fingerprint, e) ||
        !sqlite_conn_exec(&f->c,
                          "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=MEMORY;"
                          "PRAGMA synchronous=OFF; PRAGMA cache_size=-32768; BEGIN IMMEDIATE",
                          e) ||
        !sqlite_schema_create(&f->c, true, e) || !legacy_visit(l, fill_row, f, e) ||
        !read_back(f, e) || !compare(f, r, a, e))
        return false;
    struct slice record =
        import_record(a, r, slice_text(from->path), fingerprint, f->clock->now(f->clock));
    return sqlite_put(&f->c, TABLE_IMPORTS, SLICE("last"), record, f->clock, e) &&
           sqlite_conn_exec(&f->c, "COMMIT", e);
}

static bool fill_file(const char *part, struct legacy *l, const struct legacy_place *from,
                      describe_fn *describe, struct clock *clock, struct arena *a,
                      struct import_report *r, struct err *e)
{
    struct filler *f = xcalloc(1, sizeof(*f));

    f->clock = clock;
    f->describe = describe;
    f->a = arena_new(&HEAP_USUAL);
    content_sum_begin(&f->sum);
    content_sum_begin(&f->back);
    bool ok = sqlite_conn_open(&f->c, part, e) && fill(f, l, from, a, r, e);
    if (!ok) { /* what the digests hold */
        content_sum_end(&f->sum, f->a);
        content_sum_end(&f->back, f->a);
    }
    sqlite_conn_close(&f->c);
    free(f->names.v);
    arena_free(f->a);
    free(f);
    return ok;
}

/* --- The file ------------------------------------------------------------------------------ */

/* "newel.sqlite.import-4711": of a process that is gone. */
static void remove_leftovers(struct arena *a, const char *path)
{
    const char *dir = path_dir(a, path);
    const char *begin = arena_printf(a, "%s.import-", path_base(path));
    DIR *d = opendir(dir);

    for (struct dirent *f; d && (f = readdir(d));) {
        struct slice name = slice_text(f->d_name);
        uint64_t pid;
        if (slice_starts(name, begin) && slice_to_u64(slice_from(name, strlen(begin)), &pid) &&
            pid < INT32_MAX && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
            unlinkat(dirfd(d), f->d_name, 0);
    }
    if (d)
        closedir(d);
}

static bool import_into(const char *path, struct legacy *l, const struct legacy_place *from,
                        describe_fn *describe, struct clock *clock, struct arena *a,
                        struct import_report *r, struct err *e)
{
    const char *part = arena_printf(a, "%s.import-%ld", path, (long)getpid());

    remove_leftovers(a, path);
    unlink(part); /* of a former process with our number */
    if (!sqlite_part_create(part, e))
        return false;
    bool ok = fill_file(part, l, from, describe, clock, a, r, e);
    return sqlite_part_end(part, path, ok, e);
}

bool store_sqlite_from_legacy(const char *path, const struct legacy_place *from,
                              describe_fn *describe, struct clock *clock, struct arena *a,
                              struct import_report *report, struct err *e)
{
    *report = (struct import_report){0};
    if (file_exists(path))
        return err_set(e, ERR_EXISTS, "%s exists", path);
    struct legacy *l = legacy_open(from, e);
    if (!l)
        return false;
    bool ok = import_into(path, l, from, describe, clock, a, report, e);
    legacy_close(l);
    return ok;
}
