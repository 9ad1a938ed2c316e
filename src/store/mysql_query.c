/*
 * Statements of any text on a MySQL connection, and how the inventory is said in its dialect.
 * They are prepared for one use: values never become part of the text.
 *
 * Text goes as bytes, which the server takes for the column's character set as they are, whatever
 * the session's is; serial numbers are VARBINARY, so that a value finds its index.
 */
#include <stdlib.h>

#include "store/mysql_driver.h"
#include "store/sql_ledger.h"

#define COLUMNS                                                                                    \
    "(kind,ssh,serial,common_name,subject,names,provisioner_id,provisioner_name,provisioner_type," \
    "fingerprint,key_type,renewed_from,ca_key,not_before,not_after,issued_at)"                     \
    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
#define TEXT " TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

#define THERE(table)                                                                               \
    " EXISTS(SELECT 1 FROM information_schema.tables WHERE table_schema=DATABASE()"                \
    " AND table_name='" table "')"

static const char *const TABLES_SQL[] = {
    "CREATE TABLE IF NOT EXISTS " SQL_LEDGER
    "(kind VARCHAR(10) NOT NULL, ssh TINYINT NOT NULL, serial VARBINARY(64) NOT NULL,"
    " common_name" TEXT ", subject" TEXT ", names MEDIUMTEXT CHARACTER SET utf8mb4"
    " COLLATE utf8mb4_bin, not_before BIGINT NOT NULL, not_after BIGINT NOT NULL,"
    " issued_at BIGINT NOT NULL, provisioner_id" TEXT ", provisioner_name" TEXT
    ", provisioner_type" TEXT ", fingerprint" TEXT ", key_type" TEXT
    ", renewed_from VARBINARY(64), ca_key" TEXT ", PRIMARY KEY (ssh,serial),"
    " KEY by_end (not_after,serial,ssh)) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS " SQL_LEDGER_NAMES
    "(value VARBINARY(255) NOT NULL, type VARBINARY(16) NOT NULL, ssh TINYINT NOT NULL,"
    " serial VARBINARY(64) NOT NULL, PRIMARY KEY (value,type,ssh,serial),"
    " KEY by_serial (ssh,serial)) ENGINE=InnoDB",
    NULL,
};

const struct sql_dialect MY_DIALECT = {
    .key_of_text = {"", ""},
    .text_of_key = {"", ""},
    .text_out = {"CAST(", " AS BINARY)"},
    .number_out = {"CAST(", " AS CHAR)"},
    .names_insert = {"INSERT IGNORE INTO " SQL_LEDGER_NAMES "(value,type,ssh,serial) VALUES ", ""},
    .ledger_insert = "REPLACE INTO " SQL_LEDGER COLUMNS,
    .ledger_describe = "INSERT INTO " SQL_LEDGER COLUMNS
                       " ON DUPLICATE KEY UPDATE kind=VALUES(kind),common_name=VALUES(common_name),"
                       "subject=VALUES(subject),names=VALUES(names),"
                       "fingerprint=VALUES(fingerprint),key_type=VALUES(key_type),"
                       "ca_key=VALUES(ca_key),not_before=VALUES(not_before),"
                       "not_after=VALUES(not_after),"
                       "provisioner_id=COALESCE(VALUES(provisioner_id),provisioner_id),"
                       "provisioner_name=COALESCE(VALUES(provisioner_name),provisioner_name),"
                       "provisioner_type=COALESCE(VALUES(provisioner_type),provisioner_type)",
    .ledger_there = "SELECT '1' FROM DUAL WHERE" THERE(SQL_LEDGER) " AND" THERE(SQL_LEDGER_NAMES),
    .ledger_tables = TABLES_SQL,
};

/* --- Values ---------------------------------------------------------------------------------- */

#define VALUES_MAX 256

static void bind_values(MYSQL_BIND *b, const struct sql_value *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        b[i] = (MYSQL_BIND){0};
        if (v[i].null) {
            b[i].buffer_type = MYSQL_TYPE_NULL;
        } else if (v[i].type == SQL_TYPE_NUMBER) {
            b[i].buffer_type = MYSQL_TYPE_LONGLONG;
            b[i].buffer = (void *)(uintptr_t)&v[i].number;
        } else {
            b[i].buffer_type = MYSQL_TYPE_BLOB;
            b[i].buffer =
                v[i].bytes.n > 0 ? (void *)(uintptr_t)v[i].bytes.p : (void *)(uintptr_t) "";
            b[i].buffer_length = v[i].bytes.n;
        }
    }
}

/* --- Rows ------------------------------------------------------------------------------------ */

struct cell {
    unsigned long length;
    my_bool null, error;
};

static bool fetch_cell(MYSQL_STMT *st, unsigned at, const struct cell *cell, struct arena *a,
                       struct slice *out)
{
    my_bool null = 0, error = 0;
    unsigned long length = 0;

    *out = SLICE("");
    if (cell->null || cell->length == 0)
        return true;
    uint8_t *p = arena_alloc(a, cell->length + 1);
    MYSQL_BIND b = {.buffer_type = MYSQL_TYPE_BLOB,
                    .buffer = p,
                    .buffer_length = cell->length,
                    .length = &length,
                    .is_null = &null,
                    .error = &error};
    if (mysql_stmt_fetch_column(st, &b, at, 0) != 0)
        return false;
    *out = slice_of(p, cell->length);
    return true;
}

static bool fetch_rows(MYSQL_STMT *st, struct arena *a, struct sql_cells *out)
{
    unsigned columns = mysql_stmt_field_count(st);
    struct cell *cells = arena_array(a, columns, sizeof(*cells));
    MYSQL_BIND *b = arena_array(a, columns, sizeof(*b));

    for (unsigned i = 0; i < columns; i++) {
        b[i].buffer_type = MYSQL_TYPE_BLOB;
        b[i].length = &cells[i].length;
        b[i].is_null = &cells[i].null;
        b[i].error = &cells[i].error;
    }
    if (mysql_stmt_store_result(st) != 0 || mysql_stmt_bind_result(st, b) != 0)
        return false;
    size_t n = (size_t)mysql_stmt_num_rows(st);
    *out = (struct sql_cells){arena_array(a, n * columns + 1, sizeof(*out->v)), 0, columns};
    for (; out->rows < n; out->rows++) {
        int code = mysql_stmt_fetch(st);
        if (code != 0 && code != MYSQL_DATA_TRUNCATED)
            return false;
        for (unsigned i = 0; i < columns; i++) {
            if (!fetch_cell(st, i, &cells[i], a, &out->v[out->rows * columns + i]))
                return false;
        }
    }
    return true;
}

/* --- One statement -----------------------------------------------------------------------------
 */

enum sql_result my_query(struct sql_conn *base, const char *sql, const struct sql_value *values,
                         size_t n, struct deadline d UNUSED, struct arena *a, struct sql_cells *out,
                         struct err *e)
{
    struct my_conn *c = (struct my_conn *)base;
    MYSQL_BIND b[VALUES_MAX];
    MYSQL_STMT *st = n <= VALUES_MAX ? mysql_stmt_init(c->my) : NULL;

    if (!st) {
        err_set(e, ERR_INTERNAL, "mysql: a statement with %zu values", n);
        return SQL_FAILED;
    }
    bind_values(b, values, n);
    bool ok = mysql_stmt_prepare(st, sql, strlen(sql)) == 0 &&
              (n == 0 || mysql_stmt_bind_param(st, b) == 0) && mysql_stmt_execute(st) == 0 &&
              (!out || fetch_rows(st, a, out));
    enum sql_result result =
        ok ? SQL_DONE : my_judge(c, mysql_stmt_errno(st), mysql_stmt_error(st), e);
    mysql_stmt_close(st);
    return result;
}
