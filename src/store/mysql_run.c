/*
 * Statements on one MySQL connection: prepared once, keys and values as binary parameters.  The
 * library's own read and write limits end a wait; after such an end the connection is closed.
 *
 * Row counts are those of changed rows: that is what tells an INSERT that found an empty row (2)
 * or none (1) from one that found a row with a value (0).  Without ON DUPLICATE KEY an INSERT that
 * meets another's takes a shared lock, and those who wait together deadlock.
 */
#include <stdlib.h>

#include "store/mysql_driver.h"

#define EMPTY "(nvalue IS NULL OR nvalue='')"

static const struct sql_text TEXTS[SQL_STMTS] = {
    [SQL_GET] = {"SELECT nvalue FROM @ WHERE nkey=?", "k"},
    [SQL_LOCK] = {"SELECT nvalue FROM @ WHERE nkey=? FOR UPDATE", "k"},
    [SQL_SCAN_FIRST] = {"SELECT nkey,nvalue FROM @ ORDER BY nkey LIMIT ?", "l"},
    [SQL_SCAN] = {"SELECT nkey,nvalue FROM @ WHERE nkey>? ORDER BY nkey LIMIT ?", "kl"},
    [SQL_PUT] = {"INSERT INTO @(nkey,nvalue) VALUES(?,?) ON DUPLICATE KEY UPDATE nvalue=?", "kvv"},
    [SQL_INSERT] = {"INSERT INTO @(nkey,nvalue) VALUES(?,?)"
                    " ON DUPLICATE KEY UPDATE nvalue=IF(nvalue IS NULL OR nvalue='',?,nvalue)",
                    "kvv"},
    [SQL_REPLACE] = {"UPDATE @ SET nvalue=? WHERE nkey=? AND LENGTH(nvalue)>0", "vk"},
    [SQL_SWAP] = {"UPDATE @ SET nvalue=? WHERE nkey=? AND nvalue=?", "vko"},
    [SQL_REMOVE] = {"DELETE FROM @ WHERE nkey=?", "k"},
    [SQL_REMOVE_PRESENT] = {"DELETE FROM @ WHERE nkey=? AND LENGTH(nvalue)>0", "k"},
    [SQL_REMOVE_OLD] = {"DELETE FROM @ WHERE nkey=? AND nvalue=?", "ko"},
    [SQL_REMOVE_EMPTY] = {"DELETE FROM @ WHERE nkey=? AND " EMPTY, "k"},
    [SQL_CLAIM] = {"INSERT INTO @(nkey,nvalue) VALUES(?,'') ON DUPLICATE KEY UPDATE nkey=nkey",
                   "k"},
};

/* --- Errors ---------------------------------------------------------------------------------- */

static const struct meaning {
    unsigned number;
    enum sql_result result;
    enum err_kind kind;
    bool retire;
} MEANINGS[] = {
    {1213, SQL_AGAIN, ERR_UNAVAILABLE, false},  /* deadlock */
    {1205, SQL_AGAIN, ERR_UNAVAILABLE, false},  /* lock wait timeout */
    {1020, SQL_AGAIN, ERR_UNAVAILABLE, false},  /* changed since the snapshot */
    {1615, SQL_AGAIN, ERR_UNAVAILABLE, true},   /* prepare again */
    {1243, SQL_AGAIN, ERR_UNAVAILABLE, true},   /* a proxy lost the prepared statement */
    {1053, SQL_BROKEN, ERR_UNAVAILABLE, true},  /* the server stops */
    {1927, SQL_BROKEN, ERR_UNAVAILABLE, true},  /* connection killed */
    {1047, SQL_FAILED, ERR_UNAVAILABLE, true},  /* a cluster's node that is not ready */
    {1290, SQL_FAILED, ERR_UNAVAILABLE, true},  /* read-only: this server is no primary now */
    {1792, SQL_FAILED, ERR_UNAVAILABLE, true},  /* the same */
    {1836, SQL_FAILED, ERR_UNAVAILABLE, true},  /* the same */
    {1021, SQL_FAILED, ERR_UNAVAILABLE, false}, /* disk full */
    {1114, SQL_FAILED, ERR_UNAVAILABLE, false}, /* table full */
    {1040, SQL_FAILED, ERR_UNAVAILABLE, false}, /* too many connections */
    {1317, SQL_FAILED, ERR_UNAVAILABLE, false}, /* interrupted */
    {1969, SQL_FAILED, ERR_UNAVAILABLE, false}, /* max_statement_time */
    {1406, SQL_FAILED, ERR_TOO_LARGE, false},   /* longer than the column */
    {1153, SQL_FAILED, ERR_TOO_LARGE, true},    /* max_allowed_packet */
};

#define CLIENT_ERRORS     2000 /* the library's own numbers: no connection, no answer */
#define CLIENT_ERRORS_END 2100

enum sql_result my_judge(struct my_conn *c, unsigned number, const char *text, struct err *e)
{
    static const struct meaning CLIENT = {0, SQL_BROKEN, ERR_UNAVAILABLE, true};
    static const struct meaning OTHER = {0, SQL_FAILED, ERR_INTERNAL, false};
    bool client = number >= CLIENT_ERRORS && number < CLIENT_ERRORS_END;
    const struct meaning *m = client ? &CLIENT : &OTHER;

    for (size_t i = 0; i < COUNT_OF(MEANINGS); i++) {
        if (MEANINGS[i].number == number)
            m = &MEANINGS[i];
    }
    c->base.retire = c->base.retire || m->retire;
    err_set(e, m->kind, "mysql: %s", *text ? text : "no answer");
    return m->result;
}

enum sql_result my_plain(struct my_conn *c, const char *sql, unsigned *number, MYSQL_RES **out,
                         struct err *e)
{
    MYSQL_RES *rows = NULL;

    *number = 0;
    if (mysql_real_query(c->my, sql, strlen(sql)) == 0)
        rows = mysql_store_result(c->my);
    *number = mysql_errno(c->my);
    if (*number)
        return my_judge(c, *number, mysql_error(c->my), e);
    if (out)
        *out = rows;
    else
        mysql_free_result(rows);
    return SQL_DONE;
}

/* --- Transactions ---------------------------------------------------------------------------- */

enum sql_result my_begin(struct sql_conn *base, struct deadline d UNUSED, struct err *e)
{
    unsigned number;

    return my_plain((struct my_conn *)base, "START TRANSACTION", &number, NULL, e);
}

/* A cluster may find the deadlock only here.  Any other error of a commit leaves it open whether
 * it happened. */
enum sql_result my_commit(struct sql_conn *base, struct deadline d UNUSED, struct err *e)
{
    unsigned number;
    enum sql_result result = my_plain((struct my_conn *)base, "COMMIT", &number, NULL, e);

    return result == SQL_FAILED ? SQL_BROKEN : result;
}

void my_rollback(struct sql_conn *base)
{
    unsigned number;

    if (my_plain((struct my_conn *)base, "ROLLBACK", &number, NULL, NULL) != SQL_DONE)
        base->retire = true;
}

/* --- Statements ------------------------------------------------------------------------------ */

static enum sql_result judge_stmt(struct my_conn *c, MYSQL_STMT *st, const char *table,
                                  struct err *e)
{
    enum sql_result result = my_judge(c, mysql_stmt_errno(st), mysql_stmt_error(st), e);

    err_wrap(e, "table %s", table);
    return result;
}

/* Of the tables that are known; a statement on another one lives for one use. */
static MYSQL_STMT **cached(struct my_conn *c, enum sql_stmt which, enum table t)
{
    return t < TABLES ? &c->stmts[which][t] : &c->passing;
}

static void forget_passing(struct my_conn *c)
{
    if (c->passing)
        mysql_stmt_close(c->passing);
    c->passing = NULL;
}

static enum sql_result statement(struct my_conn *c, enum sql_stmt which, enum table t,
                                 const char *table, MYSQL_STMT **out, struct err *e)
{
    char sql[SQL_TEXT_MAX];
    MYSQL_STMT **keep = cached(c, which, t), *st;

    forget_passing(c);
    *out = *keep;
    if (*keep)
        return SQL_DONE;
    st = mysql_stmt_init(c->my);
    if (!st) {
        err_set(e, ERR_UNAVAILABLE, "mysql: out of memory");
        return SQL_FAILED;
    }
    sql_text_put(sql, TEXTS[which].sql, '`', table);
    if (mysql_stmt_prepare(st, sql, strlen(sql)) == 0) {
        *out = *keep = st;
        return SQL_DONE;
    }
    enum sql_result result = judge_stmt(c, st, table, e);
    mysql_stmt_close(st);
    return result;
}

#define PARAMS_MAX 3

static void bind_bytes(MYSQL_BIND *b, struct slice s)
{
    b->buffer_type = MYSQL_TYPE_BLOB;
    b->buffer = s.n > 0 ? (void *)(uintptr_t)s.p : (void *)(uintptr_t) "";
    b->buffer_length = s.n;
}

static void bind(MYSQL_BIND b[PARAMS_MAX], const char *order, const struct sql_args *args)
{
    for (size_t i = 0; order[i]; i++) {
        b[i] = (MYSQL_BIND){0};
        switch (order[i]) {
        case 'l':
            b[i].buffer_type = MYSQL_TYPE_LONGLONG;
            b[i].is_unsigned = 1;
            b[i].buffer = (void *)(uintptr_t)&args->limit;
            break;
        case 'k':
            bind_bytes(&b[i], args->key);
            break;
        case 'v':
            bind_bytes(&b[i], args->value);
            break;
        default:
            bind_bytes(&b[i], args->old);
        }
    }
}

static enum sql_result execute(struct my_conn *c, enum sql_stmt which, enum table t,
                               const struct sql_args *args, MYSQL_STMT **st, struct err *e)
{
    MYSQL_BIND b[PARAMS_MAX];
    const char *table = sql_table_name(t, args);
    enum sql_result result = statement(c, which, args->table ? TABLES : t, table, st, e);

    if (result != SQL_DONE)
        return result;
    bind(b, TEXTS[which].params, args);
    if (mysql_stmt_bind_param(*st, b) == 0 && mysql_stmt_execute(*st) == 0)
        return SQL_DONE;
    return judge_stmt(c, *st, table, e);
}

enum sql_result my_write(struct sql_conn *base, enum sql_stmt which, enum table t,
                         const struct sql_args *args, struct deadline d UNUSED, uint64_t *rows,
                         struct err *e)
{
    MYSQL_STMT *st;
    enum sql_result result = execute((struct my_conn *)base, which, t, args, &st, e);

    *rows = 0;
    if (result == SQL_DONE)
        *rows = mysql_stmt_affected_rows(st);
    return result;
}

/* --- Rows ------------------------------------------------------------------------------------ */

struct column {
    unsigned long length;
    my_bool null, error;
};

/* First the lengths, with buffers of no size; then the bytes. */
static bool fetch_column(MYSQL_STMT *st, unsigned at, const struct column *col, struct arena *a,
                         struct slice *out)
{
    *out = SLICE("");
    if (col->null || col->length == 0)
        return true;
    uint8_t *p = arena_alloc(a, col->length + 1);
    unsigned long length = 0;
    my_bool null = 0, error = 0;
    MYSQL_BIND b = {.buffer_type = MYSQL_TYPE_BLOB,
                    .buffer = p,
                    .buffer_length = col->length,
                    .length = &length,
                    .is_null = &null,
                    .error = &error};
    if (mysql_stmt_fetch_column(st, &b, at, 0) != 0)
        return false;
    *out = slice_of(p, col->length);
    return true;
}

static bool fetch_row(MYSQL_STMT *st, unsigned columns, const struct column *cols, struct arena *a,
                      struct sql_row *row)
{
    struct slice key = SLICE_NONE;

    if (columns > 1 && !fetch_column(st, 0, &cols[0], a, &key))
        return false;
    row->key = key;
    return fetch_column(st, columns - 1, &cols[columns - 1], a, &row->value);
}

static bool fetch_all(MYSQL_STMT *st, struct arena *a, struct sql_rows *rows)
{
    struct column cols[2] = {0};
    MYSQL_BIND b[2] = {0};
    unsigned columns = mysql_stmt_field_count(st);
    int code;

    for (unsigned i = 0; i < 2; i++) {
        b[i].buffer_type = MYSQL_TYPE_BLOB;
        b[i].length = &cols[i].length;
        b[i].is_null = &cols[i].null;
        b[i].error = &cols[i].error;
    }
    if (columns < 1 || columns > 2 || mysql_stmt_store_result(st) != 0 ||
        mysql_stmt_bind_result(st, b) != 0)
        return false;
    size_t n = (size_t)mysql_stmt_num_rows(st);
    rows->v = arena_array(a, n + 1, sizeof(*rows->v));
    for (; rows->n < n; rows->n++) {
        code = mysql_stmt_fetch(st);
        if (code != 0 && code != MYSQL_DATA_TRUNCATED)
            return false;
        if (!fetch_row(st, columns, cols, a, &rows->v[rows->n]))
            return false;
    }
    return true;
}

enum sql_result my_read(struct sql_conn *base, enum sql_stmt which, enum table t,
                        const struct sql_args *args, struct deadline d UNUSED, struct arena *a,
                        struct sql_rows *rows, struct err *e)
{
    struct my_conn *c = (struct my_conn *)base;
    MYSQL_STMT *st;
    enum sql_result result = execute(c, which, t, args, &st, e);

    *rows = (struct sql_rows){0};
    if (result != SQL_DONE)
        return result;
    if (!fetch_all(st, a, rows))
        result = judge_stmt(c, st, sql_table_name(t, args), e);
    mysql_stmt_free_result(st);
    return result;
}
