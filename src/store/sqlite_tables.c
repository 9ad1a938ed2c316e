/*
 * Tables by name, those that nobody knows included, and rows as an import brings them: byte for
 * byte, except that a certificate becomes a row of the inventory, of which the reference's tables
 * are views.
 */
#include "store/sqlite.h"

#define BATCH_MAX 100000

/* --- Names --------------------------------------------------------------------------------- */

bool sqlite_table_id(struct conn *c, struct slice name, int *id, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_TABLE_FIND, e);
    bool row;

    *id = 0;
    if (!st)
        return false;
    sqlite_bind_text(st, 1, name);
    if (!sqlite_conn_step(c, st, &row, e))
        return false;
    if (!row)
        return true;
    *id = sqlite3_column_int(st, 0);
    sqlite3_reset(st);
    return true;
}

bool sqlite_conn_tables(struct conn *c, table_fn *visit, void *arg, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_TABLES, e);
    bool row;

    if (!st)
        return false;
    while (sqlite_conn_step(c, st, &row, e)) {
        if (!row)
            return true;
        if (visit(sqlite_column(st, 0), arg))
            continue;
        sqlite3_reset(st);
        return true;
    }
    return false;
}

static bool with_name(struct conn *c, enum stmt which, struct slice name, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, which, e);

    if (!st)
        return false;
    sqlite_bind_text(st, 1, name);
    return sqlite_conn_run(c, st, e);
}

bool sqlite_table_make(struct conn *c, struct slice name, struct err *e)
{
    int id;

    if (!sqlite_table_id(c, name, &id, e))
        return false;
    if (id != 0)
        return with_name(c, ST_TABLE_MADE, name, e);
    return with_name(c, ST_TABLE_ADD, name, e) && sqlite_table_id(c, name, &id, e) &&
           sqlite_table_view(c, id, name, true, e);
}

/* --- Rows ---------------------------------------------------------------------------------- */

static bool scan_unknown(struct conn *c, int id, struct slice after, unsigned limit,
                         visit_fn *visit, void *arg, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_BIG_SCAN, e);
    bool row;

    if (!st)
        return false;
    sqlite3_bind_int(st, 1, id);
    sqlite_bind_after(st, 2, after);
    sqlite3_bind_int64(st, 3, limit ? (int64_t)limit : -1);
    while (sqlite_conn_step(c, st, &row, e)) {
        if (!row)
            return true;
        if (visit(sqlite_column(st, 0), sqlite_column(st, 1), arg))
            continue;
        sqlite3_reset(st);
        return true;
    }
    return false;
}

bool sqlite_conn_scan_named(struct conn *c, struct slice table, struct slice after, unsigned limit,
                            visit_fn *visit, void *arg, struct err *e)
{
    enum table t;
    int id;

    if (table_find(table, &t))
        return sqlite_conn_scan(c, t, after, limit, visit, arg, e);
    if (!sqlite_table_id(c, table, &id, e))
        return false;
    return id == 0 || scan_unknown(c, id, after, limit, visit, arg, e);
}

static bool put_unknown(struct conn *c, struct slice table, struct slice key, struct slice value,
                        struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_BIG_PUT, e);
    int id;

    if (!st || !sqlite_table_id(c, table, &id, e))
        return false;
    sqlite3_bind_int(st, 1, id);
    sqlite_bind_blob(st, 2, key);
    sqlite_bind_blob(st, 3, value);
    sqlite3_bind_null(st, 4);
    return sqlite_conn_run(c, st, e);
}

static bool has_row(struct conn *c, enum table t, struct slice serial, bool *there, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, ST_CERT_GET, e);

    if (!st)
        return false;
    sqlite_bind_text(st, 1, serial);
    sqlite3_bind_int(st, 2, sqlite_is_ssh(t));
    if (!sqlite_conn_step(c, st, there, e))
        return false;
    if (*there)
        sqlite3_reset(st);
    return true;
}

static bool import_certificate(struct conn *c, enum table t, struct slice key, struct slice der,
                               describe_fn *describe, struct clock *clock, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct issued i = {0};
    bool there;

    if (!has_row(c, t, key, &there, e))
        return false;
    if (there || !describe || !describe(a, t, key, der, &i))
        return sqlite_put(c, t, key, der, clock, e);
    i.serial = key;
    i.der = der;
    return sqlite_key_remove(c, t, key, e) && sqlite_issue_late(c, &i, clock, e);
}

bool sqlite_row_import(struct conn *c, struct slice table, struct slice key, struct slice value,
                       describe_fn *describe, struct clock *clock, struct err *e)
{
    enum table t;

    if (!table_find(table, &t))
        return put_unknown(c, table, key, value, e);
    if (t == TABLE_X509_CERTS || t == TABLE_SSH_CERTS)
        return import_certificate(c, t, key, value, describe, clock, e);
    return sqlite_put(c, t, key, value, clock, e);
}

/* --- As operations of the store --------------------------------------------------------------- */

bool sqlite_tables(struct store *s, table_fn *visit, void *arg, struct err *e)
{
    struct sqlite_store *q = (struct sqlite_store *)s;
    struct conn *c = sqlite_reader_take(&q->readers, DEADLINE_NONE, e);

    if (!c)
        return false;
    bool ok = sqlite_conn_tables(c, visit, arg, e);
    sqlite_reader_give(&q->readers, c);
    return ok;
}

bool sqlite_scan_named(struct store *s, struct slice table, struct slice after, unsigned limit,
                       visit_fn *visit, void *arg, struct deadline d, struct err *e)
{
    struct sqlite_store *q = (struct sqlite_store *)s;
    struct conn *c = sqlite_reader_take(&q->readers, d, e);

    if (!c)
        return false;
    sqlite_conn_deadline(c, d);
    bool ok = sqlite_conn_scan_named(c, table, after, limit, visit, arg, e);
    sqlite_conn_deadline(c, DEADLINE_NONE);
    sqlite_reader_give(&q->readers, c);
    return ok;
}

struct import_call {
    struct slice table;
    const struct pair *rows;
    size_t n;
    describe_fn *describe;
    struct clock *clock;
};

static bool import_call(struct conn *c, void *arg, struct err *e)
{
    const struct import_call *call = arg;

    if (!sqlite_table_make(c, call->table, e))
        return false;
    for (size_t i = 0; i < call->n; i++) {
        if (!sqlite_row_import(c, call->table, call->rows[i].key, call->rows[i].value,
                               call->describe, call->clock, e))
            return false;
    }
    return true;
}

bool sqlite_import(struct store *s, struct slice table, const struct pair *rows, size_t n,
                   describe_fn *describe, struct err *e)
{
    struct sqlite_store *q = (struct sqlite_store *)s;
    struct import_call call = {table, rows, n, describe, q->clock};

    if (n > BATCH_MAX)
        return err_set(e, ERR_INTERNAL, "an import of %zu rows at once, at most %d", n, BATCH_MAX);
    return sqlite_writer_call(q->writer, import_call, &call, DEADLINE_NONE, e);
}
