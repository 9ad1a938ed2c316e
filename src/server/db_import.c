/*
 * Rows from one database to another, and onto the screen.
 *
 * An import works in batches.  Before the first stands in the target what is imported, and behind
 * each how far it came; run again it goes on from there.  The same rows twice are the same rows, so
 * an interruption between the two does no harm.  At the end both sides are read again and compared.
 */
#include <stdio.h>
#include <stdlib.h>

#include "authority/inventory.h"
#include "base/encode.h"
#include "base/file.h"
#include "server/db.h"
#include "store/import.h"
#include "json/json.h"

#define BATCH_ROWS  1000
#define BATCH_BYTES (4u << 20)
#define ROW_MAX     (UINT64_C(4) << 30)

/* --- dump ---------------------------------------------------------------------------------- */

void db_dump_row(struct db_dump *d, struct slice table, struct slice key, struct slice value)
{
    if (!key.p) {
        buf_text(&d->text, d->any_row ? "\n    ]" : d->any_table ? "]" : "");
        buf_text(&d->text, d->any_table ? ",\n    " : "\n    ");
        json_put_text_plain(&d->text, table);
        buf_text(&d->text, ": [");
        d->any_table = true;
        d->any_row = false;
    } else {
        buf_text(&d->text, d->any_row ? ",\n      {\"k\": \"" : "\n      {\"k\": \"");
        base64_put(&d->text, BASE64_STD, key);
        buf_text(&d->text, "\", \"v\": \"");
        base64_put(&d->text, BASE64_STD, value);
        buf_text(&d->text, "\"}");
        d->any_row = true;
    }
}

void db_dump_begin(struct db_dump *d, const char *note, const char *type)
{
    buf_text(&d->text, "{\n  \"note\": \"");
    buf_text(&d->text, note);
    buf_text(&d->text, type);
    buf_text(&d->text, "\",\n  \"tables\": {");
}

void db_dump_end(struct db_dump *d)
{
    buf_text(&d->text, d->any_row ? "\n    ]" : d->any_table ? "]" : "");
    buf_text(&d->text, "\n  }\n}\n");
}

static bool print(struct db_dump *d, struct err *e)
{
    if (!buf_done(&d->text, "row", e))
        return false;
    fwrite(d->text.p, 1, d->text.n, stdout);
    buf_reset(&d->text);
    return !ferror(stdout) || err_set(e, ERR_UNAVAILABLE, "standard output is closed");
}

static bool print_row(struct slice table, struct slice key, struct slice value, void *arg,
                      struct err *e)
{
    db_dump_row(arg, table, key, value);
    return print(arg, e);
}

static bool dump(struct db_call *c, struct db_source *s, struct db_dump *d)
{
    db_dump_begin(d, "content of a database of type ", s->type);
    if (!print(d, &c->e) || !db_source_visit(s, print_row, d, &c->e))
        return false;
    db_dump_end(d);
    return print(d, &c->e);
}

bool db_dump(struct db_call *c)
{
    struct db_dump d = {.text = buf_new(NULL, ROW_MAX)};
    struct db_source s;
    bool ok = (c->n_words ? db_source_open(c, c->words[0], &s) : db_source_configured(c, &s)) &&
              dump(c, &s, &d);

    buf_free(&d.text);
    db_source_close(&s);
    return ok;
}

/* --- import: where it stands ------------------------------------------------------------------ */

struct progress {
    struct slice source, state; /* as the record has them */
    struct slice table, key;    /* of the last row that is there */
    bool any;
};

static bool progress_read(struct db_call *c, struct store *target, struct progress *p)
{
    const struct json *v;
    struct slice record;

    *p = (struct progress){0};
    if (!store_get(target, TABLE_IMPORTS, SLICE("current"), c->a, &record, DEADLINE_NONE, &c->e))
        return false;
    if (record.n == 0)
        return true;
    v = json_read(c->a, record, &JSON_RECORD, NULL, &c->e);
    p->source = json_text(json_get_exact(v, "source"));
    p->state = json_text(json_get_exact(v, "state"));
    p->any = v && base64_read(c->a, BASE64_STD, json_text(json_get_exact(v, "table")), &p->table) &&
             base64_read(c->a, BASE64_STD, json_text(json_get_exact(v, "key")), &p->key);
    return p->any || err_set(&c->e, ERR_INTERNAL,
                             "the record of an import that was interrupted is not readable");
}

static struct slice progress_record(struct arena *a, struct slice source, struct slice state,
                                    struct slice table, struct slice key)
{
    struct buf b = buf_new(a, 1u << 20);
    struct json_writer j = json_writer(&b);

    json_open(&j, NULL);
    json_member_text(&j, "source", source);
    json_member_text(&j, "state", state);
    json_member_text(&j, "table", base64_text(a, BASE64_STD, table));
    json_member_text(&j, "key", base64_text(a, BASE64_STD, key));
    json_close(&j);
    return buf_slice(&b);
}

static bool put_record(struct store *target, struct arena *a, const char *key, struct slice record,
                       struct err *e)
{
    struct store_batch b = {.arena = a};

    if (record.n)
        batch_put(&b, TABLE_IMPORTS, slice_text(key), record);
    else
        batch_remove(&b, TABLE_IMPORTS, slice_text(key), NULL);
    return store_commit(target, &b, DEADLINE_NONE, e);
}

/* --- import: rows ---------------------------------------------------------------------------- */

struct importer {
    struct db_call *c;
    struct store *target; /* NULL: nothing is written */
    struct slice source, state;
    struct progress from;
    struct content_sum sum;

    struct arena *a; /* of the batch */
    struct slice table;
    struct pair rows[BATCH_ROWS];
    size_t n, bytes;
    uint64_t table_rows, skipped;
    size_t key_max; /* 0: any */
    uint64_t left_out;
};

static bool commit_rows(struct importer *i, struct err *e)
{
    if (!i->target || !i->table.p)
        return true;
    if (!i->target->ops->import(i->target, i->table, i->rows, i->n, inventory_describe, e))
        return err_wrap(e, "table %.*s", SLICE_ARG(slice_sub(i->table, 0, 100)));
    if (i->n == 0)
        return true;
    struct slice record =
        progress_record(i->a, i->source, i->state, i->table, i->rows[i->n - 1].key);
    return put_record(i->target, i->a, "current", record, e);
}

static bool flush(struct importer *i, struct err *e)
{
    struct slice table = i->table;
    bool ok = commit_rows(i, e);
    struct arena *a = arena_new(&HEAP_USUAL);

    i->table = table.p ? arena_copy(a, table) : SLICE_NONE;
    arena_free(i->a);
    i->a = a;
    i->n = i->bytes = 0;
    return ok;
}

static void say_table(struct importer *i)
{
    if (i->table.p)
        printf("%-50.*s %12llu\n", SLICE_ARG(i->table), (unsigned long long)i->table_rows);
}

static bool next_table(struct importer *i, struct slice table, struct err *e)
{
    if (!flush(i, e))
        return false;
    say_table(i);
    i->table = arena_copy(i->a, table);
    i->table_rows = 0;
    i->sum.tables++;
    return flush(i, e); /* the table itself */
}

static bool is_there(const struct importer *i, struct slice table, struct slice key)
{
    if (!i->from.any)
        return false;
    int order = slice_cmp(table, i->from.table);
    return order < 0 || (order == 0 && slice_cmp(key, i->from.key) <= 0);
}

/* Nothing of ours has such a key; an old principal of SSH may. */
static void leave_out(struct importer *i, struct slice table, struct slice key)
{
    fprintf(stderr, "WARNING: table %.*s: a row is left out: its key has %zu bytes, and %zu fit\n",
            SLICE_ARG(slice_sub(table, 0, 100)), key.n, i->key_max);
    i->left_out++;
}

static bool import_row(struct slice table, struct slice key, struct slice value, void *arg,
                       struct err *e)
{
    struct importer *i = arg;

    if (!key.p)
        return next_table(i, table, e);
    if (i->key_max && key.n > i->key_max) {
        leave_out(i, table, key);
        return true;
    }
    content_sum_row(&i->sum, table, key, value);
    i->table_rows++;
    if (is_there(i, table, key)) {
        i->skipped++;
        return true;
    }
    if (i->target)
        i->rows[i->n++] = (struct pair){arena_copy(i->a, key), arena_copy(i->a, value)};
    i->bytes += key.n + value.n;
    return (i->n < BATCH_ROWS && i->bytes < BATCH_BYTES) || flush(i, e);
}

/* --- import: before and after ------------------------------------------------------------------
 */

static bool any_row(struct slice table UNUSED, struct slice key, struct slice value UNUSED,
                    void *arg, struct err *e UNUSED)
{
    bool *any = arg;

    *any = key.p != NULL;
    return !*any;
}

static bool target_is_fit(struct db_call *c, struct db_source *target, struct importer *i)
{
    bool any = false;

    if (!db_can(c, target, target->store && target->store->ops->import != NULL,
                "cannot be the target of an import") ||
        !progress_read(c, target->store, &i->from))
        return false;
    if (i->from.any && (!slice_eq(i->from.source, i->source) || !slice_eq(i->from.state, i->state)))
        return err_set(
            &c->e, ERR_EXISTS,
            "%s: an import of %.*s was interrupted there, and this source is another one "
            "or has changed; start again with an empty database",
            target->name, SLICE_ARG(i->from.source));
    if (i->from.any)
        return true;
    if (!db_source_visit(target, any_row, &any, &c->e) && !any)
        return false;
    if (any)
        return err_set(&c->e, ERR_EXISTS,
                       "%s: there are rows in it already; import into an empty database",
                       target->name);
    struct slice begun = progress_record(c->a, i->source, i->state, SLICE(""), SLICE(""));
    return put_record(target->store, c->a, "current", begun, &c->e);
}

static bool sum_row(struct slice table, struct slice key, struct slice value, void *arg,
                    struct err *e UNUSED)
{
    if (key.p)
        content_sum_row(arg, table, key, value);
    return true;
}

static bool compare(struct db_call *c, struct db_source *target, struct importer *i,
                    struct import_report *r)
{
    struct content_sum back;

    content_sum_begin(&back);
    bool ok = db_source_visit(target, sum_row, &back, &c->e);
    struct slice sha256 = content_sum_end(&back, c->a);
    if (!ok)
        return false;
    if (back.rows == i->sum.rows && slice_eq(sha256, r->sha256))
        return true;
    return err_set(&c->e, ERR_INTERNAL,
                   "%s differs from its source: %llu rows instead of %llu, SHA-256 %.*s instead of "
                   "%.*s; was it used meanwhile?",
                   target->name, (unsigned long long)back.rows, (unsigned long long)i->sum.rows,
                   SLICE_ARG(sha256), SLICE_ARG(r->sha256));
}

static bool finish(struct db_call *c, struct db_source *target, struct importer *i,
                   const char *format)
{
    struct import_report r = {.format = format,
                              .tables = i->sum.tables,
                              .rows = i->sum.rows,
                              .sha256 = content_sum_end(&i->sum, c->a)};

    say_table(i);
    if (target->store && !compare(c, target, i, &r))
        return false;
    if (target->store) {
        struct slice record = import_record(c->a, &r, i->source, i->state, c->clock->now(c->clock));
        if (!put_record(target->store, c->a, "last", record, &c->e) ||
            !put_record(target->store, c->a, "current", SLICE_NONE, &c->e))
            return false;
    }
    printf("%s %llu tables with %llu rows (%s, SHA-256 %.*s)\n",
           target->store ? "Imported" : "Would import", (unsigned long long)r.tables,
           (unsigned long long)r.rows, format, SLICE_ARG(r.sha256));
    if (i->skipped)
        printf("%llu of them were there from an import that was interrupted\n",
               (unsigned long long)i->skipped);
    return i->left_out == 0 ||
           err_set(&c->e, ERR_TOO_LARGE,
                   "%llu rows were left out, whose keys are longer than %zu bytes; everything else "
                   "is there",
                   (unsigned long long)i->left_out, i->key_max);
}

/* The same however a file is named from wherever; a server is only its type. */
static struct slice place_of(struct db_call *c, const struct db_source *source)
{
    bool file = source->legacy || strcmp(source->type, "sqlite") == 0;
    char *path = NULL;

    if (!file || !path_absolute(c->a, source->name, &path, NULL))
        return arena_format(c->a, "%s:%s", source->type, source->name);
    return arena_format(c->a, "%s:%s", source->type, path);
}

static bool import_from(struct db_call *c, struct db_source *source, struct db_source *target)
{
    struct importer *i = xcalloc(1, sizeof(*i));

    i->c = c;
    i->target = target->store;
    i->key_max = target->store ? store_key_max(target->store) : 0;
    i->source = place_of(c, source);
    i->state = source->state.p ? source->state : SLICE("");
    i->a = arena_new(&HEAP_USUAL);
    content_sum_begin(&i->sum);
    bool ok = (c->flags.dry_run || target_is_fit(c, target, i)) &&
              db_source_visit(source, import_row, i, &c->e) && flush(i, &c->e) &&
              db_lineage_carry(source->store, target->store, &c->e) &&
              finish(c, target, i, source->type);
    content_sum_end(&i->sum, c->a);
    arena_free(i->a);
    free(i);
    return ok;
}

bool db_import(struct db_call *c)
{
    struct db_source source = {0}, target = {0};

    if (!c->flags.from)
        return err_set(&c->e, ERR_MALFORMED, "db import needs --from <type>:<source>");
    bool ok = db_source_open(c, c->flags.from, &source) &&
              (c->flags.dry_run || db_target_open(c, &target)) && import_from(c, &source, &target);
    db_source_close(&source);
    db_source_close(&target);
    return ok;
}
