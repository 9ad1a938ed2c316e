/*
 * The SQL engines as a store.  Everything happens on the caller's thread, on a connection of the
 * pool, and the wait is declared; so `done` is always called before submit returns.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/sql.h"
#include "json/json.h"

#define READ_TRIES   3
#define PAGE_ROWS    256
#define PRUNE_ROWS   20000       /* nonces looked at in one call */
#define NONCE_KEPT_S (24 * 3600) /* unused ones */
#define PRUNE_NS     (60 * NS_PER_SEC)

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

static bool sql_inventory(struct store *base, const struct inventory_query *q UNUSED,
                          inventory_fn *visit UNUSED, void *arg UNUSED, struct deadline d UNUSED,
                          struct err *e)
{
    return err_set(e, ERR_NOT_IMPLEMENTED,
                   "%s: this database has the tables of keys and values only, and no inventory of "
                   "certificates; import it into SQLite for one",
                   base->name);
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

/* --- Pruning: unused nonces; the reference's tables do not say when other rows end --------------
 */

struct nonces {
    struct arena *a;
    struct store_batch batch;
    struct sql_store *s;
    int64_t before;
    uint64_t looked_at;
};

static bool has_ended(struct arena *a, struct slice record, int64_t before)
{
    const struct json *object = json_read(a, record, &JSON_RECORD, NULL, NULL);
    struct instant created;

    return rfc3339_read(json_text(json_get(object, "CreatedAt")), &created) && created.sec < before;
}

static bool look_at_nonce(struct slice key, struct slice value, void *arg)
{
    struct nonces *n = arg;

    n->looked_at++;
    if (key.n <= SQL_KEY_MAX) {
        memcpy(n->s->pruned_key, key.p, key.n);
        n->s->pruned_n = key.n;
    }
    if (key.n > 0 && key.n <= SQL_KEY_MAX && has_ended(n->a, value, n->before))
        batch_remove(&n->batch, TABLE_NONCES, arena_copy(n->a, key), NULL);
    return true;
}

/* *more: the table goes on behind these. */
static bool prune_page(struct sql_store *s, struct nonces *n, struct deadline d, bool *more,
                       uint64_t *removed, struct err *e)
{
    struct arena_mark mark = arena_mark(n->a);
    struct slice after = slice_of(s->pruned_key, s->pruned_n);
    uint64_t before = n->looked_at;
    uint8_t copy[SQL_KEY_MAX];

    memcpy(copy, after.p, after.n);
    batch_clear(&n->batch);
    if (!sql_scan(&s->base, TABLE_NONCES, slice_of(copy, after.n), PAGE_ROWS, look_at_nonce, n, d,
                  e))
        return false;
    *more = n->looked_at - before == PAGE_ROWS;
    size_t ended = n->batch.n;
    if (ended > 0 && !store_commit(&s->base, &n->batch, d, e))
        return false;
    *removed += ended;
    arena_rewind(n->a, mark);
    return true;
}

static bool sql_prune(struct store *base, int64_t now, uint64_t *removed, struct err *e)
{
    struct sql_store *s = (struct sql_store *)base;
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct nonces n = {.a = a, .batch = {.arena = a}, .s = s, .before = now - NONCE_KEPT_S};
    struct deadline d = deadline_in(&CLOCK_SYSTEM, PRUNE_NS);
    bool more = true, ok = true;

    *removed = 0;
    sql_pool_trim(s);
    pthread_mutex_lock(&s->pruning);
    while (ok && more && n.looked_at < PRUNE_ROWS)
        ok = prune_page(s, &n, d, &more, removed, e);
    if (!more)
        s->pruned_n = 0;
    pthread_mutex_unlock(&s->pruning);
    return ok;
}

/* --- Opening and closing --------------------------------------------------------------------- */

static void sql_close(struct store *base)
{
    struct sql_store *s = (struct sql_store *)base;

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
    .probe = sql_probe,
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

void sql_store_init(struct sql_store *s, const struct sql_driver *driver, bool make,
                    struct clock *clock)
{
    s->base = (struct store){&SQL, STORE_DURABLE | STORE_SHARED, driver->name};
    s->driver = driver;
    s->make = make;
    s->clock = clock;
    s->arena = arena_new(&SQL_HEAP_WIPED);
    sql_pool_init(&s->pool);
    pthread_mutex_init(&s->pruning, NULL);
    pthread_mutex_init(&s->probing, NULL);
}

struct store *sql_store_start(struct sql_store *s,
                              bool (*prepare)(struct sql_store *, struct sql_conn *, struct err *),
                              struct err *e)
{
    struct sql_conn *c = sql_pool_take(s, DEADLINE_NONE, e);
    bool ready = c && prepare(s, c, e);

    if (c)
        sql_pool_give(s, c, !ready);
    s->pool.started = true;
    if (ready)
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
