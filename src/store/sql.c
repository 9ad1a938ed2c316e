/*
 * The SQL engines as a store.  Everything happens on the caller's thread, on a connection of the
 * pool, and the wait is declared; so `done` is always called before submit returns.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/sql_ledger.h"

#define READ_TRIES 3
#define PAGE_ROWS  256

const char *sql_table_name(enum table t, const struct sql_args *args)
{
    return args->table ? args->table : table_name(t);
}

/* A quote in a name is doubled. */
void sql_text_put(char out[SQL_TEXT_MAX], const char *sql, char quote, const char *table)
{
    char name[2 * SQL_NAME_MAX + 3];
    const char *at = strchr(sql, '@');
    size_t n = 0;

    name[n++] = quote;
    for (size_t i = 0; table[i] && i < SQL_NAME_MAX; i++) {
        name[n++] = table[i];
        if (table[i] == quote)
            name[n++] = quote;
    }
    name[n++] = quote;
    if (at)
        snprintf(out, SQL_TEXT_MAX, "%.*s%.*s%s", (int)(at - sql), sql, (int)n, name, at + 1);
    else
        snprintf(out, SQL_TEXT_MAX, "%s", sql);
}

/* --- Reading --------------------------------------------------------------------------------- */

/* Reading twice does no harm: a connection that broke is replaced at once. */
bool sql_read(struct sql_store *s, enum sql_stmt stmt, enum table t, const struct sql_args *args,
              struct deadline d, struct arena *a, struct sql_rows *rows, struct err *e)
{
    enum sql_result result = SQL_FAILED;

    for (unsigned n = 0; n < READ_TRIES; n++) {
        struct sql_conn *c = sql_pool_take(s, d, e);
        if (!c)
            return false;
        pool_wait_begin();
        result = s->driver->read(c, stmt, t, args, d, a, rows, e);
        sql_pool_give(s, c, result == SQL_BROKEN);
        pool_wait_end();
        if (result == SQL_DONE)
            return true;
        if (result == SQL_FAILED || !deadline_ok(d, NULL))
            return false;
    }
    return false;
}

static bool sql_get(struct store *base, enum table t, struct slice key, struct arena *a,
                    struct slice *value, struct deadline d, struct err *e)
{
    struct sql_args args = {.key = key};
    struct sql_rows rows;

    *value = SLICE_NONE;
    if (!deadline_ok(d, e) ||
        !sql_read((struct sql_store *)base, SQL_GET, t, &args, d, a, &rows, e))
        return false;
    if (rows.n > 0)
        *value = rows.v[0].value;
    return true;
}

/* Page by page: between two pages no connection is held, so the visitor may use the store. */
bool sql_scan_table(struct sql_store *s, enum table t, const char *table, struct slice after,
                    unsigned limit, visit_fn *visit, void *arg, struct deadline d, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *keys = arena_new(&HEAP_USUAL);
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice last = arena_copy(keys, after);
    bool first = slice_empty(after);

    for (uint64_t seen = 0; limit == 0 || seen < limit;) {
        struct sql_rows rows;
        struct arena_mark mark = arena_mark(a);
        uint64_t page = limit && limit - seen < PAGE_ROWS ? limit - seen : PAGE_ROWS;
        struct sql_args args = {.table = table, .key = last, .limit = page};
        enum sql_stmt stmt = first ? SQL_SCAN_FIRST : SQL_SCAN;

        if (!deadline_ok(d, e) || !sql_read(s, stmt, t, &args, d, a, &rows, e))
            return false;
        for (size_t i = 0; i < rows.n; i++) {
            if (!visit(rows.v[i].key, rows.v[i].value, arg))
                return true;
        }
        if (rows.n < page)
            return true;
        arena_free(keys);
        keys = arena_new(&HEAP_USUAL);
        last = arena_copy(keys, rows.v[rows.n - 1].key);
        arena_rewind(a, mark);
        seen += rows.n;
        first = false;
    }
    return true;
}

static bool sql_scan(struct store *base, enum table t, struct slice after, unsigned limit,
                     visit_fn *visit, void *arg, struct deadline d, struct err *e)
{
    return sql_scan_table((struct sql_store *)base, t, NULL, after, limit, visit, arg, d, e);
}

/* --- Writing --------------------------------------------------------------------------------- */

static void sql_submit(struct store *base, struct store_batch *b, struct deadline d,
                       committed_fn *done, void *arg)
{
    const struct store_op *refused;
    struct err why = {0};
    enum committed how = sql_batch_run((struct sql_store *)base, b, d, &refused, &why);

    done(how, refused, how == STORE_LOST || how == STORE_UNKNOWN ? &why : NULL, arg);
}

/* --- Opening and closing --------------------------------------------------------------------- */

static void sql_close(struct store *base)
{
    struct sql_store *s = (struct sql_store *)base;

    sql_tend_stop(s);
    sql_pool_close(s);
    pthread_mutex_destroy(&s->pruning);
    pthread_mutex_destroy(&s->probing);
    arena_free(s->arena);
    s->driver->free(s);
}

static const struct store_ops SQL = {
    .get = sql_get,
    .scan = sql_scan,
    .inventory = sql_inventory,
    .submit = sql_submit,
    .close = sql_close,
    .prune = sql_prune,
    .tables = sql_tables,
    .scan_named = sql_scan_named,
    .import = sql_import,
    .reindex = sql_reindex,
    .check = sql_check,
    .probe = sql_probe,
    .annotate = sql_annotate,
};

static void *take(size_t n)
{
    return xmalloc(n);
}

static void give(void *p, size_t n UNUSED)
{
    free(p);
}

/* Wiped: the data source has a password. */
const struct heap SQL_HEAP_WIPED = {take, give, true};

void sql_store_init(struct sql_store *s, const struct sql_driver *driver,
                    const struct store_source_options *o, struct clock *clock)
{
    s->base = (struct store){&SQL, STORE_DURABLE | STORE_SHARED, driver->name};
    s->driver = driver;
    s->options = *o;
    if (s->options.connections == 0)
        s->options.connections = SQL_CONNECTIONS;
    if (s->options.idle == 0)
        s->options.idle = s->options.connections;
    if (s->options.lifetime == 0)
        s->options.lifetime = SQL_LIFETIME_NS;
    s->clock = clock;
    s->arena = arena_new(&SQL_HEAP_WIPED);
    sql_pool_init(&s->pool, s->options.connections);
    pthread_mutex_init(&s->pruning, NULL);
    pthread_mutex_init(&s->probing, NULL);
}

struct store *sql_store_start(struct sql_store *s,
                              bool (*prepare)(struct sql_store *, struct sql_conn *, struct err *),
                              struct err *e)
{
    struct sql_conn *c = sql_pool_take(s, DEADLINE_NONE, e);
    bool ready = c && prepare(s, c, e) && sql_ledger_ready(s, c, e);

    if (c)
        sql_pool_give(s, c, !ready);
    s->pool.started = true;
    if (ready && (!s->options.describe || sql_tend_start(s, e)))
        return &s->base;
    sql_close(&s->base);
    return NULL;
}

bool sql_schema_check(const struct sql_store *s, struct slice found, struct err *e)
{
    uint64_t version;

    if (!found.p)
        return true;
    if (!slice_to_u64(found, &version))
        return err_set(e, ERR_INTERNAL,
                       "%s: table " SQL_META_TABLE ": row \"" SQL_SCHEMA_KEY
                       "\" is no number; this database is not ours",
                       s->base.name);
    if (version > SQL_SCHEMA_OURS)
        return err_set(e, ERR_INTERNAL,
                       "%s: the database was written by a newer version (schema %llu; this one "
                       "knows %d)",
                       s->base.name, (unsigned long long)version, SQL_SCHEMA_OURS);
    return true;
}
