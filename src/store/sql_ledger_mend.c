/*
 * Care of a database on a server: the inventory made anew from the certificates that are there, and
 * the check of what stands in the tables.  Page by page, each in a transaction of its own: others
 * go on meanwhile.  The files themselves are the server's to check.
 */
#include <stdarg.h>
#include <stdio.h>

#include "store/sql_ledger.h"

#define PAGE_ROWS 200
#define TRIES     5

static const enum table CERTIFICATES[] = {TABLE_X509_CERTS, TABLE_SSH_CERTS};

struct page {
    struct arena *a;
    struct sql_rows rows;
    struct issued *issued; /* those rows that are certificates */
    size_t n;
};

/* The rows behind `after`. */
static bool read_page(struct sql_store *s, enum table t, struct slice after, describe_fn *describe,
                      struct page *p, struct err *e)
{
    struct sql_args args = {.key = after, .limit = PAGE_ROWS};
    enum sql_stmt which = slice_empty(after) ? SQL_SCAN_FIRST : SQL_SCAN;

    if (!sql_read(s, which, t, &args, DEADLINE_NONE, p->a, &p->rows, e))
        return false;
    p->issued = arena_array(p->a, p->rows.n + 1, sizeof(*p->issued));
    p->n = 0;
    for (size_t i = 0; i < p->rows.n; i++) {
        struct issued *c = &p->issued[p->n];
        *c = (struct issued){0};
        p->n += describe(p->a, t, p->rows.v[i].key, p->rows.v[i].value, c);
    }
    return true;
}

typedef bool page_fn(struct sql_store *s, enum table t, struct page *p, void *arg, struct err *e);

static bool each_page(struct sql_store *s, enum table t, describe_fn *describe, page_fn *call,
                      void *arg, struct err *e)
{
    struct arena *kept = arena_new(&HEAP_USUAL);
    struct slice after = SLICE_NONE;
    bool ok = true, more = true;

    while (ok && more) {
        struct page p = {.a = arena_new(&HEAP_USUAL)};
        ok = read_page(s, t, after, describe, &p, e) && call(s, t, &p, arg, e);
        more = p.rows.n == PAGE_ROWS;
        struct arena *next = arena_new(&HEAP_USUAL);
        after = ok && more ? arena_copy(next, p.rows.v[p.rows.n - 1].key) : SLICE_NONE;
        arena_free(kept);
        kept = next;
        arena_free(p.a);
    }
    arena_free(kept);
    return ok;
}

/* --- The inventory anew --------------------------------------------------------------------------
 */

/* Of those between the first and the last of the page. */
static bool add_provisioners(struct sql_store *s, struct page *p, struct err *e)
{
    struct sql_cells cells;

    if (p->n == 0)
        return true;
    struct sql_value v[] = {sql_bytes(p->issued[0].serial), sql_bytes(p->issued[p->n - 1].serial)};
    if (!sql_query(s,
                   "SELECT nkey,nvalue FROM x509_certs_data WHERE nkey>=? AND nkey<=?"
                   " ORDER BY nkey",
                   v, 2, DEADLINE_NONE, p->a, &cells, e))
        return false;
    for (size_t i = 0, k = 0; i < p->n; i++) {
        while (k < cells.rows && slice_cmp(cells.v[2 * k], p->issued[i].serial) < 0)
            k++;
        if (k < cells.rows && slice_eq(cells.v[2 * k], p->issued[i].serial) &&
            !store_provisioner_from_data(&p->issued[i], p->a, cells.v[2 * k + 1]))
            continue;
    }
    return true;
}

static enum sql_result describe_all(struct sql_store *s, struct sql_conn *c, const struct page *p,
                                    struct err *e)
{
    enum sql_result result = s->driver->begin(c, DEADLINE_NONE, e);

    for (size_t i = 0; i < p->n && result == SQL_DONE; i++)
        result = sql_ledger_describe(s, c, &p->issued[i], DEADLINE_NONE, e);
    if (result == SQL_DONE)
        result = s->driver->commit(c, DEADLINE_NONE, e);
    if (result == SQL_AGAIN || result == SQL_FAILED)
        s->driver->rollback(c);
    return result;
}

static bool reindex_page(struct sql_store *s, enum table t, struct page *p, void *arg,
                         struct err *e)
{
    uint64_t *count = arg;

    if (t == TABLE_X509_CERTS && !add_provisioners(s, p, e))
        return false;
    *count += p->n;
    for (unsigned tries = 0; tries < TRIES; tries++) {
        struct sql_conn *c = sql_pool_take(s, DEADLINE_NONE, e);
        if (!c)
            return false;
        enum sql_result result = describe_all(s, c, p, e);
        sql_pool_give(s, c, result == SQL_BROKEN);
        if (result == SQL_DONE || result == SQL_FAILED)
            return result == SQL_DONE;
    }
    return false;
}

static bool find_orphans(struct sql_store *s, struct arena *a, struct sql_cells *out, struct err *e)
{
    const struct sql_dialect *d = s->driver->dialect;
    const char *open = d->key_of_text[0], *close = d->key_of_text[1];
    const char *sql = arena_printf(a,
                                   "SELECT %sc.ssh%s,%sc.serial%s FROM " SQL_LEDGER " c"
                                   " LEFT JOIN x509_certs x ON c.ssh=0 AND x.nkey=%sc.serial%s"
                                   " LEFT JOIN ssh_certs s ON c.ssh=1 AND s.nkey=%sc.serial%s"
                                   " WHERE x.nkey IS NULL AND s.nkey IS NULL LIMIT %d",
                                   d->number_out[0], d->number_out[1], d->text_out[0],
                                   d->text_out[1], open, close, open, close, PAGE_ROWS);

    return sql_query(s, sql, NULL, 0, DEADLINE_NONE, a, out, e);
}

static bool remove_some(struct sql_store *s, const struct sql_cells *cells, struct err *e)
{
    enum sql_result result = SQL_DONE;
    struct sql_conn *c = sql_pool_take(s, DEADLINE_NONE, e);

    if (!c)
        return false;
    for (size_t i = 0; i < cells->rows && result == SQL_DONE; i++)
        result = sql_ledger_remove(s, c, slice_is(cells->v[2 * i], "1"), cells->v[2 * i + 1],
                                   DEADLINE_NONE, e);
    sql_pool_give(s, c, result == SQL_BROKEN);
    return result == SQL_DONE;
}

static bool remove_orphans(struct sql_store *s, struct err *e)
{
    for (;;) {
        CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
        struct sql_cells cells;
        if (!find_orphans(s, a, &cells, e))
            return false;
        if (cells.rows == 0)
            return true;
        if (!remove_some(s, &cells, e))
            return false;
    }
}

static bool has_inventory(const struct sql_store *s, struct err *e)
{
    return (s->base.caps & STORE_INVENTORY) ||
           err_set(e, ERR_NOT_IMPLEMENTED,
                   "%s: this database has no inventory: set db.inventory in the configuration and "
                   "start the service once",
                   s->base.name);
}

bool sql_reindex(struct store *base, describe_fn *describe, uint64_t *certificates, struct err *e)
{
    struct sql_store *s = (struct sql_store *)base;

    *certificates = 0;
    if (!has_inventory(s, e))
        return false;
    for (size_t i = 0; i < COUNT_OF(CERTIFICATES); i++) {
        if (!each_page(s, CERTIFICATES[i], describe, reindex_page, certificates, e))
            return false;
    }
    return remove_orphans(s, e);
}

/* --- The check
 * ------------------------------------------------------------------------------------ */

struct check {
    problem_fn *tell;
    void *arg;
};

static void problem(const struct check *k, const char *fmt, ...) PRINTF(2, 3);
static void problem(const struct check *k, const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    k->tell(text, k->arg);
}

/* Rows of the inventory from the first to the last certificate of a page. */
static bool read_ledger(struct sql_store *s, bool ssh, struct page *p, struct sql_cells *out,
                        struct err *e)
{
    const struct sql_dialect *d = s->driver->dialect;
    struct sql_value v[] = {sql_number(ssh), sql_text(p->issued[0].serial),
                            sql_text(p->issued[p->n - 1].serial)};
    const char *sql =
        arena_printf(p->a,
                     "SELECT %sserial%s,%sfingerprint%s,%snames%s,%snot_after%s FROM " SQL_LEDGER
                     " WHERE ssh=? AND serial>=? AND serial<=? ORDER BY serial",
                     d->text_out[0], d->text_out[1], d->text_out[0], d->text_out[1], d->text_out[0],
                     d->text_out[1], d->number_out[0], d->number_out[1]);

    return sql_query(s, sql, v, 3, DEADLINE_NONE, p->a, out, e);
}

static void compare(const struct check *k, const struct issued *c, const struct slice *row)
{
    const char *what = c->kind == CERT_X509 ? "certificate" : "SSH certificate";

    if (!row)
        problem(k, "%s %.*s is missing in the inventory; run reindex", what, SLICE_ARG(c->serial));
    else if (!slice_eq(row[1], c->fingerprint) || !slice_eq(row[2], c->names) ||
             sql_cell_number(row[3]) != c->not_after)
        problem(k, "%s %.*s: the inventory says something else; run reindex", what,
                SLICE_ARG(c->serial));
}

/* A row that is no certificate may have come from elsewhere: it is kept, and no harm. */
static bool check_page(struct sql_store *s, enum table t, struct page *p, void *arg, struct err *e)
{
    const struct check *k = arg;
    struct sql_cells cells;

    for (size_t i = 0, c = 0; i < p->rows.n; i++) {
        struct slice key = p->rows.v[i].key;
        if (c < p->n && slice_eq(p->issued[c].serial, key))
            c++;
        else
            problem(k, "note: %s: the row of \"%.*s\" is no certificate", table_name(t),
                    SLICE_ARG(slice_sub(key, 0, 100)));
    }
    if (p->n == 0 || !(s->base.caps & STORE_INVENTORY))
        return true;
    if (!read_ledger(s, t == TABLE_SSH_CERTS, p, &cells, e))
        return false;
    for (size_t i = 0, row = 0; i < p->n; i++) {
        while (row < cells.rows && slice_cmp(cells.v[4 * row], p->issued[i].serial) < 0)
            row++;
        bool there = row < cells.rows && slice_eq(cells.v[4 * row], p->issued[i].serial);
        compare(k, &p->issued[i], there ? &cells.v[4 * row] : NULL);
    }
    return true;
}

static bool check_orphans(struct sql_store *s, const struct check *k, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct sql_cells cells;

    if (!(s->base.caps & STORE_INVENTORY))
        return true;
    if (!find_orphans(s, a, &cells, e))
        return false;
    for (size_t i = 0; i < cells.rows; i++)
        problem(k,
                "the inventory has the serial number %.*s, but there is no certificate; run "
                "reindex",
                SLICE_ARG(cells.v[2 * i + 1]));
    return true;
}

bool sql_check(struct store *base, describe_fn *describe, problem_fn *tell, void *arg,
               struct err *e)
{
    struct sql_store *s = (struct sql_store *)base;
    struct check k = {tell, arg};

    for (size_t i = 0; i < COUNT_OF(CERTIFICATES); i++) {
        if (!each_page(s, CERTIFICATES[i], describe, check_page, &k, e))
            return false;
    }
    return check_orphans(s, &k, e) && store_check_records(base, tell, arg, e);
}
