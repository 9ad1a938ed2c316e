/*
 * Values that are not what their table holds are of no use to the service.  They are moved: first
 * into a file, durably, then out of the database.
 */
#include <stdio.h>

#include "base/file.h"
#include "server/db.h"

#define ASIDE_MAX  (256u << 20)
#define BATCH_ROWS 100

struct aside_row {
    enum table table;
    struct slice key, value;
    struct aside_row *next;
};
struct aside {
    struct arena *a;
    struct aside_row *first, *last;
    size_t n, bytes;
    bool more; /* than fit into memory */
};

/* What does not fit into memory is left for the next run. */
static bool take(enum table t, struct slice key, struct slice value, void *arg)
{
    struct aside *s = arg;
    struct aside_row *row = arena_alloc(s->a, sizeof(*row));

    s->more = s->n > 0 && s->bytes + key.n + value.n > ASIDE_MAX;
    if (s->more)
        return false;
    *row = (struct aside_row){t, arena_copy(s->a, key), arena_copy(s->a, value), NULL};
    *(s->last ? &s->last->next : &s->first) = row;
    s->last = row;
    s->bytes += key.n + value.n;
    s->n++;
    return true;
}

static bool write_rows(const struct aside *s, const char *path, struct err *e)
{
    struct db_dump d = {.text = buf_new(s->a, 4 * (size_t)ASIDE_MAX)};
    const struct aside_row *before = NULL;

    db_dump_begin(&d, "values that were not what their tables hold, taken out of the database", "");
    for (const struct aside_row *row = s->first; row; before = row, row = row->next) {
        struct slice table = slice_text(table_name(row->table));
        if (!before || before->table != row->table)
            db_dump_row(&d, table, SLICE_NONE, SLICE_NONE);
        db_dump_row(&d, table, row->key, row->value);
    }
    db_dump_end(&d);
    return buf_done(&d.text, "file", e) &&
           file_write(path, buf_slice(&d.text), 0600, FILE_EXCLUSIVE, e);
}

/* Only as it was read: a value that somebody mended meanwhile stays. */
static bool remove_rows(struct store *store, const struct aside *s, struct err *e)
{
    const struct aside_row *row = s->first;

    while (row) {
        struct store_batch b = {.arena = s->a};
        for (size_t n = 0; row && n < BATCH_ROWS; n++, row = row->next)
            batch_swap(&b, row->table, row->key, row->value, SLICE_NONE);
        if (!store_commit(store, &b, DEADLINE_NONE, e))
            return false;
    }
    return true;
}

static bool move_rows(struct db_call *c, struct store *store, struct aside *s)
{
    if (!store_misfits(store, 0, take, s, &c->e))
        return false;
    if (s->n == 0) {
        printf("every value is what its table holds; no file was written\n");
        return true;
    }
    if (!write_rows(s, c->words[0], &c->e))
        return false;
    if (!remove_rows(store, s, &c->e))
        return err_wrap(&c->e, "%s was written, but not everything in it left the database",
                        c->words[0]);
    printf("%zu value%s moved to %s\n", s->n, s->n > 1 ? "s" : "", c->words[0]);
    if (s->more)
        printf("there are more: run it again with another file\n");
    return true;
}

bool db_set_aside(struct db_call *c)
{
    struct aside rows = {.a = c->a};
    struct db_source s = {0};

    c->changes = true;
    bool ok = db_source_configured(c, &s) && db_can(c, &s, s.store != NULL, "cannot be changed") &&
              move_rows(c, s.store, &rows);

    db_source_close(&s);
    return ok;
}
