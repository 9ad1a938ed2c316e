/*
 * The MySQL and MariaDB driver among its own files: mysql.c (the store), mysql_connect.c
 * (connections), mysql_run.c (statements), mysql_schema.c (how a database begins), mysql_tables.c
 * (its tables).
 */
#pragma once

#include <stdatomic.h>

#include <mysql.h>

#include "store/dsn.h"
#include "store/sql.h"

#define MYSQL_BLOB_MAX       65535
#define MYSQL_MEDIUMBLOB_MAX 16777215

/* Error numbers of the server that we tell apart. */
enum {
    MY_TABLE_EXISTS = 1050,
    MY_ACCESS_DENIED_DB = 1044,
    MY_UNKNOWN_DATABASE = 1049,
    MY_UNKNOWN_COLUMN = 1054,
    MY_NO_SUCH_TABLE = 1146,
    MY_SYNTAX = 1064,
    MY_UNKNOWN_VARIABLE = 1193,
};

struct my_conn {
    struct sql_conn base;
    MYSQL *my;
    MYSQL_STMT *stmts[SQL_STMTS][TABLES]; /* prepared when first wanted */
    MYSQL_STMT *passing;                  /* on a table that is no enum table */
};
struct my_store {
    struct sql_store base;
    struct dsn_mysql dsn;
    bool read_committed;       /* the isolation level that we may ask for */
    uint64_t max_packet;       /* the server's; 0: not known */
    atomic_ulong room[TABLES]; /* what nvalue can hold; 0: not known */
};

/* database NULL: none.  *number: the server's error, 0 when it came to none. */
struct my_conn *my_open(const struct my_store *s, const char *database, unsigned *number,
                        struct err *e);
void my_close(struct sql_conn *c);
/* Text without parameters.  *number: the error, or 0.  *out may be NULL; else mysql_free_result it
 * when DONE (NULL: no rows). */
enum sql_result my_plain(struct my_conn *c, const char *sql, unsigned *number, MYSQL_RES **out,
                         struct err *e);
enum sql_result my_begin(struct sql_conn *c, struct deadline d, struct err *e);
enum sql_result my_commit(struct sql_conn *c, struct deadline d, struct err *e);
void my_rollback(struct sql_conn *c);
enum sql_result my_write(struct sql_conn *c, enum sql_stmt which, enum table t,
                         const struct sql_args *args, struct deadline d, uint64_t *rows,
                         struct err *e);
enum sql_result my_read(struct sql_conn *c, enum sql_stmt which, enum table t,
                        const struct sql_args *args, struct deadline d, struct arena *a,
                        struct sql_rows *rows, struct err *e);

/* What an error of the server means. */
enum sql_result my_judge(struct my_conn *c, unsigned number, const char *text, struct err *e);
enum sql_result my_query(struct sql_conn *c, const char *sql, const struct sql_value *values,
                         size_t n, struct deadline d, struct arena *a, struct sql_cells *out,
                         struct err *e);
extern const struct sql_dialect MY_DIALECT;

bool my_ensure_database(const struct my_store *s, struct err *e) CHECKED;
/* They are there, or made when that is asked for, and fit for what is wanted of them.
 * room[n]: what nvalue can hold. */
bool my_tables_ready(const struct my_store *s, struct my_conn *c, const char *const *names,
                     size_t n, unsigned long *room, struct err *e) CHECKED;
bool my_prepare(struct sql_store *s, struct sql_conn *c, struct err *e) CHECKED;
bool my_make_room(struct sql_store *s, struct sql_conn *c, enum table t, const char *name, size_t n,
                  struct err *e) CHECKED;
bool my_ensure_table(struct sql_store *s, struct sql_conn *c, const char *name,
                     struct err *e) CHECKED;
enum sql_result my_tables(struct sql_conn *c, struct deadline d, struct arena *a,
                          struct sql_rows *rows, struct err *e);
