/*
 * How a MySQL database begins: made when it is missing and that is permitted, its tables too
 * (mysql_tables.c); and what of the server's settings matters.
 */
#include <stdlib.h>
#include <strings.h>

#include "base/log.h"
#include "store/mysql_driver.h"

/* --- The database ---------------------------------------------------------------------------- */

static char *quoted(struct arena *a, const char *name)
{
    struct buf b = buf_new(a, 2 * strlen(name) + 3);

    buf_byte(&b, '`');
    for (; *name; name++)
        buf_put(&b, *name == '`' ? SLICE("``") : slice_of(name, 1));
    buf_byte(&b, '`');
    return arena_cstr(a, buf_slice(&b));
}

static bool create_database(const struct my_store *s, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const char *name = s->dsn.database;
    unsigned number;
    struct my_conn *c = my_open(s, NULL, &number, e);
    const char *sql = arena_printf(a, "CREATE DATABASE IF NOT EXISTS %s", quoted(a, name));
    bool ok = c && my_plain(c, sql, &number, NULL, e) == SQL_DONE;

    if (c)
        my_close(&c->base);
    if (ok)
        log_line("mysql: the database \"%s\" was created", name);
    return ok || err_wrap(e, "create database \"%s\"", name);
}

bool my_ensure_database(const struct my_store *s, struct err *e)
{
    unsigned number;
    struct err why = {0};
    struct my_conn *c = my_open(s, s->dsn.database, &number, &why);

    if (c) {
        my_close(&c->base);
        return true;
    }
    if (number == MY_UNKNOWN_DATABASE)
        return create_database(s, e);
    if (e)
        err_move(e, &why);
    return false;
}

/* --- What we want to know of the server ------------------------------------------------------ */

static const char *text_of(MYSQL_ROW row, unsigned at)
{
    return row && row[at] ? row[at] : "";
}

/* With a log of statements the server refuses to write at READ COMMITTED. */
static void look_at_log(struct my_store *s, struct my_conn *c)
{
    unsigned number;
    MYSQL_RES *r = NULL;

    s->read_committed = true;
    if (my_plain(c, "SELECT @@log_bin, @@binlog_format", &number, &r, NULL) != SQL_DONE)
        return;
    MYSQL_ROW row = mysql_fetch_row(r);
    s->read_committed =
        strcmp(text_of(row, 0), "0") == 0 || strcasecmp(text_of(row, 1), "STATEMENT") != 0;
    mysql_free_result(r);
}

static void look_at_limits(struct my_store *s, struct my_conn *c)
{
    unsigned number;
    MYSQL_RES *r = NULL;

    if (my_plain(c, "SELECT @@max_allowed_packet, @@innodb_flush_log_at_trx_commit", &number, &r,
                 NULL) != SQL_DONE)
        return;
    MYSQL_ROW row = mysql_fetch_row(r);
    if (!slice_to_u64(slice_text(text_of(row, 0)), &s->max_packet))
        s->max_packet = 0;
    if (s->dsn.max_packet && s->dsn.max_packet < s->max_packet)
        s->max_packet = s->dsn.max_packet;
    if (strcmp(text_of(row, 1), "1") != 0)
        log_warn("mysql: innodb_flush_log_at_trx_commit is not 1: used tokens and revocations may "
                 "be lost in a crash");
    mysql_free_result(r);
}

static bool check_schema(const struct my_store *s, struct my_conn *c, struct err *e)
{
    unsigned number;
    MYSQL_RES *r = NULL;

    if (my_plain(c, "SELECT nvalue FROM " SQL_META_TABLE " WHERE nkey='" SQL_SCHEMA_KEY "'",
                 &number, &r, e) != SQL_DONE)
        return (!s->base.options.make && number == MY_NO_SUCH_TABLE) ||
               err_wrap(e, "table " SQL_META_TABLE);
    MYSQL_ROW row = mysql_fetch_row(r);
    bool there = row != NULL;
    bool ok = sql_schema_check(&s->base, there ? slice_text(text_of(row, 0)) : SLICE_NONE, e);
    mysql_free_result(r);
    if (!ok || there || !s->base.options.make)
        return ok;
    return my_plain(c, "INSERT IGNORE INTO " SQL_META_TABLE " VALUES('" SQL_SCHEMA_KEY "','1')",
                    &number, NULL, e) == SQL_DONE;
}

bool my_prepare(struct sql_store *base, struct sql_conn *conn, struct err *e)
{
    struct my_store *s = (struct my_store *)base;
    struct my_conn *c = (struct my_conn *)conn;
    const char *names[TABLES + 1] = {[TABLES] = SQL_META_TABLE};
    unsigned long room[TABLES + 1];

    for (size_t i = 0; i < TABLES; i++)
        names[i] = TABLE_INFO[i].name;
    if (!my_tables_ready(s, c, names, COUNT_OF(names), room, e))
        return false;
    for (size_t i = 0; i < TABLES; i++)
        atomic_store(&s->room[i], room[i]);
    look_at_log(s, c);
    look_at_limits(s, c);
    conn->retire = true; /* its session began before we knew */
    return check_schema(s, c, e);
}

/* --- Tables by name --------------------------------------------------------------------------- */

bool my_ensure_table(struct sql_store *s, struct sql_conn *c, const char *name, struct err *e)
{
    unsigned long room;

    return my_tables_ready((const struct my_store *)s, (struct my_conn *)c, &name, 1, &room, e);
}

/* A server may keep its names in lower case: ours are told as we write them. */
static struct slice as_written(struct arena *a, const char *name)
{
    for (size_t i = 0; i < TABLES; i++) {
        if (strcasecmp(TABLE_INFO[i].name, name) == 0)
            return slice_text(TABLE_INFO[i].name);
    }
    return arena_copy(a, slice_text(name));
}

enum sql_result my_tables(struct sql_conn *base, struct deadline d UNUSED, struct arena *a,
                          struct sql_rows *rows, struct err *e)
{
    unsigned number;
    MYSQL_RES *r = NULL;
    enum sql_result result =
        my_plain((struct my_conn *)base,
                 "SELECT table_name FROM information_schema.columns"
                 " WHERE table_schema=DATABASE() AND column_name IN ('nkey','nvalue')"
                 " GROUP BY table_name HAVING COUNT(*)=2",
                 &number, &r, e);

    *rows = (struct sql_rows){0};
    if (result != SQL_DONE)
        return result;
    rows->v = arena_array(a, (size_t)mysql_num_rows(r) + 1, sizeof(*rows->v));
    for (MYSQL_ROW row; (row = mysql_fetch_row(r));)
        rows->v[rows->n++].key = as_written(a, row[0] ? row[0] : "");
    mysql_free_result(r);
    return SQL_DONE;
}

/* --- Values that are longer than the column ----------------------------------------------------
 */

static bool widen(struct my_conn *c, const char *name, size_t n, struct err *e)
{
    char sql[SQL_TEXT_MAX];
    unsigned number;

    sql_text_put(sql, "ALTER TABLE @ MODIFY nvalue MEDIUMBLOB", '`', name);
    if (my_plain(c, sql, &number, NULL, e) != SQL_DONE)
        return err_wrap(e,
                        "table %s: a value of %zu bytes needs a wider column than BLOB (65535 "
                        "bytes), and %s failed",
                        name, n, sql);
    log_line("mysql: table %s: the column nvalue is a MEDIUMBLOB now", name);
    return true;
}

/* What is known of a table's column; of another table, what it has at least. */
static unsigned long room_of(struct my_store *s, enum table t)
{
    return t < TABLES ? atomic_load(&s->room[t]) : MYSQL_BLOB_MAX;
}

bool my_make_room(struct sql_store *base, struct sql_conn *conn, enum table t, const char *name,
                  size_t n, struct err *e)
{
    struct my_store *s = (struct my_store *)base;

    if (s->max_packet && 2 * (uint64_t)n + 1024 > s->max_packet)
        return err_set(e, ERR_TOO_LARGE,
                       "mysql: table %s: a value of %zu bytes; max_allowed_packet is %llu", name, n,
                       (unsigned long long)s->max_packet);
    if (n <= room_of(s, t))
        return true;
    if (n > MYSQL_MEDIUMBLOB_MAX)
        return err_set(e, ERR_TOO_LARGE, "mysql: table %s: a value of %zu bytes; at most %d fit",
                       name, n, MYSQL_MEDIUMBLOB_MAX);
    if (!widen((struct my_conn *)conn, name, n, e))
        return false;
    if (t < TABLES)
        atomic_store(&s->room[t], MYSQL_MEDIUMBLOB_MAX);
    return true;
}
