/*
 * The PostgreSQL driver among its own files: postgresql.c (connections, how a database begins),
 * postgresql_tables.c (its tables) and postgresql_run.c (statements).
 */
#pragma once

#include <libpq-fe.h>

#include "store/dsn.h"
#include "store/sql.h"

#define PG_BYTEA 17

struct pg_conn {
    struct sql_conn base;
    PGconn *pg;
};
struct pg_store {
    struct sql_store base;
    struct dsn_pairs keywords; /* with our defaults */
    const char *database;      /* NULL: libpq's rules */
    bool commits_late;
};

/* Text without parameters, maybe several statements.  *state: the five characters, or "".
 * *out may be NULL; else PQclear it when DONE. */
enum sql_result pg_plain(struct pg_conn *c, const char *sql, struct deadline d, char state[6],
                         PGresult **out, struct err *e);
enum sql_result pg_begin(struct sql_conn *c, struct deadline d, struct err *e);
enum sql_result pg_commit(struct sql_conn *c, struct deadline d, struct err *e);
void pg_rollback(struct sql_conn *c);
enum sql_result pg_write(struct sql_conn *c, enum sql_stmt which, enum table t,
                         const struct sql_args *args, struct deadline d, uint64_t *rows,
                         struct err *e);
enum sql_result pg_read(struct sql_conn *c, enum sql_stmt which, enum table t,
                        const struct sql_args *args, struct deadline d, struct arena *a,
                        struct sql_rows *rows, struct err *e);
/* Waits for what was sent. */
enum sql_result pg_finish(struct pg_conn *c, int sent, struct deadline d, char state[6],
                          PGresult **out, struct err *e);
enum sql_result pg_query(struct sql_conn *c, const char *sql, const struct sql_value *values,
                         size_t n, struct deadline d, struct arena *a, struct sql_cells *out,
                         struct err *e);
extern const struct sql_dialect PG_DIALECT;
/* A statement that makes something, again while others are in its way; there: the SQLSTATE that
 * says it was there, or NULL. */
bool pg_try_often(struct pg_conn *c, const char *sql, const char *there, struct err *e) CHECKED;
/* They are there, or made when that is asked for, and fit for what is wanted of them. */
bool pg_tables_ready(const struct pg_store *s, struct pg_conn *c, const char *const *names,
                     size_t n, struct err *e) CHECKED;
/* The text without what it quotes of the data source, names of hosts, users, databases and files
 * excepted. */
const char *pg_hide(struct arena *a, const struct dsn_pairs *keywords, const char *database,
                    const char *text);
/* "postgresql: ..." with the first line of what libpq said. */
bool pg_fail(const char *text, enum err_kind kind, struct err *e);
