/*
 * Certificates that the inventory lacks are added to it: what was there before its tables were,
 * what a server of ours issued before it noticed them, and what the reference issues.
 *
 * The keys are walked through in order, some hundred at a time; only what is missing is read, a few
 * in one transaction.  They are locked meanwhile: somebody who removes a certificate at this moment
 * waits, and then removes its new row as well.  Certificates come before the inventory in every
 * transaction, and both in the order of their keys, so nobody waits crosswise; that several servers
 * do the same at once means that some rows are written twice.
 */
#include "store/sql_ledger.h"

#define PAGE_KEYS 500
#define AT_ONCE   50
#define TRIES     5

static const enum table CERTIFICATES[] = {TABLE_X509_CERTS, TABLE_SSH_CERTS};

struct missing {
    enum table t;
    const struct slice *keys;
    size_t n;
};

/* Key after key, and whether the inventory has it. */
static bool read_keys(struct sql_store *s, enum table t, struct slice after, struct deadline d,
                      struct arena *a, struct sql_cells *out, struct err *e)
{
    const struct sql_dialect *dialect = s->driver->dialect;
    struct sql_value v[] = {sql_bytes(after)};
    const char *sql = arena_printf(
        a,
        "SELECT k.nkey,CASE WHEN c.serial IS NULL THEN '0' ELSE '1' END FROM (SELECT nkey FROM %s"
        " WHERE nkey>? ORDER BY nkey LIMIT %d) k LEFT JOIN " SQL_LEDGER
        " c ON c.ssh=%d AND c.serial=%sk.nkey%s ORDER BY k.nkey",
        table_name(t), PAGE_KEYS, t == TABLE_SSH_CERTS, dialect->text_of_key[0],
        dialect->text_of_key[1]);

    return sql_query(s, sql, v, COUNT_OF(v), d, a, out, e);
}

/* --- Some of them ------------------------------------------------------------------------------
 */

static enum sql_result read_rows(struct sql_store *s, struct sql_conn *c, const char *table,
                                 const struct missing *m, const char *end, struct deadline d,
                                 struct arena *a, struct sql_cells *out, struct err *e)
{
    struct sql_value v[AT_ONCE];
    struct buf sql = buf_new(a, 1024);

    buf_printf(&sql, "SELECT nkey,nvalue FROM %s WHERE nkey IN (", table);
    for (size_t i = 0; i < m->n; i++) {
        buf_text(&sql, i > 0 ? ",?" : "?");
        v[i] = sql_bytes(m->keys[i]);
    }
    buf_printf(&sql, ") ORDER BY nkey%s", end);
    buf_byte(&sql, '\0');
    return s->driver->query(c, (const char *)sql.p, v, m->n, d, a, out, e);
}

static void put_provisioner(struct issued *i, const struct sql_cells *data, struct arena *a)
{
    for (size_t k = 0; k < data->rows; k++) {
        if (slice_eq(data->v[2 * k], i->serial) &&
            store_provisioner_from_data(i, a, data->v[2 * k + 1]))
            return;
    }
}

/* What is no certificate stays out. */
static enum sql_result describe_all(struct sql_store *s, struct sql_conn *c,
                                    const struct missing *m, struct deadline d, struct arena *a,
                                    uint64_t *added, struct err *e)
{
    struct sql_cells rows, data = {0};
    enum sql_result result = read_rows(s, c, table_name(m->t), m, " FOR UPDATE", d, a, &rows, e);

    if (result == SQL_DONE && m->t == TABLE_X509_CERTS)
        result = read_rows(s, c, table_name(TABLE_X509_CERTS_DATA), m, "", d, a, &data, e);
    for (size_t i = 0; result == SQL_DONE && i < rows.rows; i++) {
        struct issued found = {0};
        if (!s->options.describe(a, m->t, rows.v[2 * i], rows.v[2 * i + 1], &found))
            continue;
        put_provisioner(&found, &data, a);
        result = sql_ledger_describe(s, c, &found, d, e);
        ++*added;
    }
    return result;
}

static enum sql_result add_once(struct sql_store *s, struct sql_conn *c, const struct missing *m,
                                struct deadline d, uint64_t *added, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    enum sql_result result = s->driver->begin(c, d, e);

    *added = 0;
    if (result == SQL_DONE)
        result = describe_all(s, c, m, d, a, added, e);
    if (result == SQL_DONE)
        result = s->driver->commit(c, d, e);
    if (result == SQL_AGAIN || result == SQL_FAILED)
        s->driver->rollback(c);
    return result;
}

/* Doing it twice does no harm. */
static bool add(struct sql_store *s, const struct missing *m, struct deadline d, uint64_t *added,
                struct err *e)
{
    for (unsigned tries = 0; tries < TRIES && deadline_ok(d, e); tries++) {
        struct sql_conn *c = sql_pool_take(s, d, e);
        if (!c)
            return false;
        pool_wait_begin();
        enum sql_result result = add_once(s, c, m, d, added, e);
        sql_pool_give(s, c, result == SQL_BROKEN);
        pool_wait_end();
        if (result == SQL_DONE || result == SQL_FAILED)
            return result == SQL_DONE;
    }
    return false;
}

/* --- One piece ---------------------------------------------------------------------------------
 */

static bool add_missing(struct sql_store *s, struct sql_walk *w, enum table t,
                        const struct sql_cells *page, struct deadline d, struct err *e)
{
    struct slice keys[AT_ONCE];
    struct missing m = {.t = t, .keys = keys};
    uint64_t added;

    for (size_t i = 0; i < page->rows; i++) {
        if (slice_is(page->v[2 * i + 1], "0"))
            keys[m.n++] = page->v[2 * i];
        if (m.n == 0 || (m.n < AT_ONCE && i + 1 < page->rows))
            continue;
        if (!add(s, &m, d, &added, e))
            return false;
        w->added += added;
        m.n = 0;
    }
    return true;
}

bool sql_walk_on(struct sql_store *s, struct sql_walk *w, const atomic_bool *cancelled, bool *end,
                 struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct deadline d = deadline_in(&CLOCK_SYSTEM, 60 * NS_PER_SEC);
    enum table t = CERTIFICATES[w->table];
    struct sql_cells page;

    d.cancelled = cancelled;
    if (!read_keys(s, t, slice_of(w->after, w->after_n), d, a, &page, e) ||
        !add_missing(s, w, t, &page, d, e))
        return false;
    if (page.rows == PAGE_KEYS) {
        struct slice last = page.v[2 * (page.rows - 1)];
        w->after_n = last.n < SQL_KEY_MAX ? last.n : SQL_KEY_MAX;
        memcpy(w->after, last.p, w->after_n);
    } else {
        w->after_n = 0;
        w->table++;
    }
    *end = w->table == COUNT_OF(CERTIFICATES);
    return true;
}
