/*
 * Tables by name, rows as an import brings them, and the question whether the server takes writes:
 * what the commands of `step-ca db` and the readiness of the CA need.  A table belongs here when it
 * has the columns nkey and nvalue; how the tables of ours began (SQL_META_TABLE) does not.
 */
#include <stdlib.h>

#include "store/import.h"
#include "store/sql_ledger.h"

#define TRIES 5

/* --- Which tables there are ------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct sql_row *)a)->key, ((const struct sql_row *)b)->key);
}

static bool list(struct sql_store *s, struct arena *a, struct sql_rows *rows, struct err *e)
{
    struct sql_conn *c = sql_pool_take(s, DEADLINE_NONE, e);

    if (!c)
        return false;
    enum sql_result result = s->driver->tables(c, DEADLINE_NONE, a, rows, e);
    sql_pool_give(s, c, result == SQL_BROKEN);
    if (result == SQL_DONE && rows->n > 0)
        qsort(rows->v, rows->n, sizeof(*rows->v), by_name);
    return result == SQL_DONE;
}

bool sql_tables(struct store *base, table_fn *visit, void *arg, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct sql_rows rows;

    if (!list((struct sql_store *)base, a, &rows, e))
        return false;
    for (size_t i = 0; i < rows.n; i++) {
        if (!slice_is(rows.v[i].key, SQL_META_TABLE) && !visit(rows.v[i].key, arg))
            break;
    }
    return true;
}

/* --- One of them ------------------------------------------------------------------------------ */

struct named {
    enum table t; /* TABLES: by its name */
    const char *name;
};

static size_t characters(struct slice utf8)
{
    size_t n = 0;

    for (size_t i = 0; i < utf8.n; i++)
        n += (utf8.p[i] & 0xc0) != 0x80;
    return n;
}

/* Where characters count (MySQL) there are none of four bytes. */
static bool name_fits(const struct sql_driver *d, struct slice name)
{
    if (name.n == 0 || name.n > d->name_bytes || slice_has_nul(name) || !slice_is_utf8(name))
        return false;
    for (size_t i = 0; d->name_characters && i < name.n; i++) {
        if (name.p[i] >= 0xf0)
            return false;
    }
    return !d->name_characters || characters(name) <= d->name_characters;
}

static bool name_of(const struct sql_store *s, struct arena *a, struct slice table,
                    struct named *out, struct err *e)
{
    const struct sql_driver *d = s->driver;

    *out = (struct named){.t = TABLES};
    if (table_find(table, &out->t)) {
        out->name = table_name(out->t);
        return true;
    }
    out->t = TABLES;
    if (!name_fits(d, table))
        return err_set(e, ERR_MALFORMED,
                       "the table's name \"%.*s\" (%zu bytes) cannot be kept here: %s takes from 1 "
                       "to %zu %s of UTF-8",
                       SLICE_ARG(slice_sub(table, 0, 200)), table.n, d->name,
                       d->name_characters ? d->name_characters : d->name_bytes,
                       d->name_characters ? "characters" : "bytes");
    out->name = arena_cstr(a, table);
    return true;
}

static bool is_there(struct sql_store *s, struct slice name, bool *there, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct sql_rows rows;

    if (!list(s, a, &rows, e))
        return false;
    *there = false;
    for (size_t i = 0; i < rows.n && !*there; i++)
        *there = slice_eq(rows.v[i].key, name);
    return true;
}

bool sql_scan_named(struct store *base, struct slice table, struct slice after, unsigned limit,
                    visit_fn *visit, void *arg, struct deadline d, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct sql_store *s = (struct sql_store *)base;
    struct named n;
    bool there;

    if (!name_of(s, a, table, &n, e) || !is_there(s, table, &there, e))
        return false;
    return !there ||
           sql_scan_table(s, n.t, n.t == TABLES ? n.name : NULL, after, limit, visit, arg, d, e);
}

/* --- An import ---------------------------------------------------------------------------------
 */

struct import {
    const struct named *table;
    const struct pair *rows;
    size_t n;
    describe_fn *describe; /* NULL: there is no inventory */
};

static bool make_ready(struct sql_store *s, struct sql_conn *c, const struct import *i,
                       struct err *e)
{
    size_t longest = 0;

    for (size_t k = 0; k < i->n; k++) {
        if (i->rows[k].key.n > SQL_KEY_MAX)
            return err_set(e, ERR_TOO_LARGE, "table %s: a key of %zu bytes; at most %d fit",
                           i->table->name, i->rows[k].key.n, SQL_KEY_MAX);
        longest = i->rows[k].value.n > longest ? i->rows[k].value.n : longest;
    }
    return (i->table->t < TABLES || s->driver->ensure_table(s, c, i->table->name, e)) &&
           (!s->driver->make_room ||
            s->driver->make_room(s, c, i->table->t, i->table->name, longest, e));
}

static enum sql_result describe_row(struct sql_store *s, struct sql_conn *c, const struct import *i,
                                    const struct pair *row, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    enum table t = i->table->t;
    struct issued found = {0};

    if (t == TABLE_X509_CERTS_DATA)
        return sql_ledger_provisioner(s, c, row->key, row->value, DEADLINE_NONE, e);
    if ((t != TABLE_X509_CERTS && t != TABLE_SSH_CERTS) ||
        !i->describe(a, t, row->key, row->value, &found))
        return SQL_DONE;
    return sql_ledger_describe(s, c, &found, DEADLINE_NONE, e);
}

static enum sql_result put_all(struct sql_store *s, struct sql_conn *c, const struct import *i,
                               struct err *e)
{
    enum sql_result result = s->driver->begin(c, DEADLINE_NONE, e);
    uint64_t rows;

    for (size_t k = 0; k < i->n && result == SQL_DONE; k++) {
        struct sql_args args = {.table = i->table->t == TABLES ? i->table->name : NULL,
                                .key = i->rows[k].key,
                                .value = i->rows[k].value};
        result = s->driver->write(c, SQL_PUT, i->table->t, &args, DEADLINE_NONE, &rows, e);
        if (result == SQL_DONE && i->describe)
            result = describe_row(s, c, i, &i->rows[k], e);
    }
    if (result == SQL_DONE)
        result = s->driver->commit(c, DEADLINE_NONE, e);
    if (result == SQL_AGAIN || result == SQL_FAILED)
        s->driver->rollback(c);
    return result;
}

size_t store_key_max(const struct store *s)
{
    return s->ops->import == sql_import ? SQL_KEY_MAX : 0;
}

/* The same rows put twice are the same: a connection that broke in the commit is no riddle. */
bool sql_import(struct store *base, struct slice table, const struct pair *rows, size_t n,
                describe_fn *describe, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct sql_store *s = (struct sql_store *)base;
    struct named name;
    bool inventory = (base->caps & STORE_INVENTORY) != 0;
    struct import i = {&name, rows, n, inventory ? describe : NULL};

    if (!name_of(s, a, table, &name, e))
        return false;
    for (int tries = 0; tries < TRIES; tries++) {
        struct sql_conn *c = sql_pool_take(s, DEADLINE_NONE, e);
        if (!c)
            return false;
        bool ready = make_ready(s, c, &i, e);
        enum sql_result result = ready ? put_all(s, c, &i, e) : SQL_FAILED;
        sql_pool_give(s, c, result == SQL_BROKEN);
        if (result == SQL_DONE || result == SQL_FAILED)
            return result == SQL_DONE;
    }
    return false;
}

/* --- Does it take writes? ----------------------------------------------------------------------
 */

static bool write_something(struct sql_store *s, struct deadline d, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct sql_args args = {.table = SQL_META_TABLE, .key = SLICE("probed")};
    struct sql_conn *c = sql_pool_take(s, d, e);
    uint64_t rows;

    if (!c)
        return false;
    args.value = rfc3339_nano(a, CLOCK_SYSTEM.now(&CLOCK_SYSTEM));
    pool_wait_begin();
    enum sql_result result = s->driver->write(c, SQL_PUT, TABLES, &args, d, &rows, e);
    sql_pool_give(s, c, result == SQL_BROKEN);
    pool_wait_end();
    return result == SQL_DONE;
}

bool sql_probe(struct store *base, struct deadline d, struct err *e)
{
    struct sql_store *s = (struct sql_store *)base;

    pool_wait_begin(); /* somebody else may be asking a server that is slow to answer */
    pthread_mutex_lock(&s->probing);
    pool_wait_end();
    int64_t now = CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM);
    if (s->probed_at == 0 || now - s->probed_at >= NS_PER_SEC) {
        err_clear(&s->probed);
        if (write_something(s, d, &s->probed))
            err_clear(&s->probed);
        s->probed_at = CLOCK_SYSTEM.mono_ns(&CLOCK_SYSTEM);
    }
    bool ok = s->probed.kind == ERR_NONE;
    if (!ok && e)
        err_move(e, &s->probed);
    pthread_mutex_unlock(&s->probing);
    return ok;
}
