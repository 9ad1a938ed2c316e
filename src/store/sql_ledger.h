/*
 * The inventory on a server, where it was asked for: two tables of ours beside the reference's,
 * written in the transaction of the certificate (sql_ledger.c, sql_ledger_mend.c), and read
 * (sql_inventory.c).
 */
#pragma once

#include "store/sql.h"

#define SQL_LEDGER       "newel_certificates"
#define SQL_LEDGER_NAMES "newel_certificate_names"

/* The tables are made when that is wanted.  s->base.caps then says whether they are there. */
bool sql_ledger_ready(struct sql_store *s, struct sql_conn *c, struct err *e) CHECKED;
/* Are they there?  May we write to them? */
bool sql_ledger_look(struct sql_store *s, bool *there, struct deadline d, struct err *e) CHECKED;
bool sql_ledger_writable(struct sql_store *s, struct err *e) CHECKED;
/* Not: from here on nothing is written to them.  Says in the log why, when it is news. */
void sql_ledger_forget(struct sql_store *s, const char *why);
/* Would this batch change them? */
bool sql_ledger_concerned(const struct store_batch *b);
/* For one run of such a batch: true when they are written.  Else it is counted until `end`, so that
 * whoever notices the tables can wait for those who have not. */
bool sql_ledger_begin(struct sql_store *s);
void sql_ledger_end(struct sql_store *s);
/* After a statement on them failed and was rolled back: true when they are not there any more, or
 * not ours to write, so that the batch goes on without them. */
bool sql_ledger_lost(struct sql_store *s, struct sql_conn *c);
/* Within the batch's transaction. */
enum sql_result sql_ledger_apply(struct sql_store *s, struct sql_conn *c,
                                 const struct store_batch *b, struct deadline d, struct err *e);
/* One certificate, whose row may be there: what only an issue knows stays. */
enum sql_result sql_ledger_describe(struct sql_store *s, struct sql_conn *c, const struct issued *i,
                                    struct deadline d, struct err *e);
/* Who issued it, as its data record says. */
enum sql_result sql_ledger_provisioner(struct sql_store *s, struct sql_conn *c, struct slice serial,
                                       struct slice data, struct deadline d, struct err *e);
enum sql_result sql_ledger_remove(struct sql_store *s, struct sql_conn *c, bool ssh,
                                  struct slice serial, struct deadline d, struct err *e);
/* The name as it stands in the table: lower case, not longer than a key. */
struct slice sql_ledger_name(uint8_t out[SQL_KEY_MAX], struct slice name);

/* With retries, on a connection of the pool; for questions. */
bool sql_query(struct sql_store *s, const char *sql, const struct sql_value *values, size_t n,
               struct deadline d, struct arena *a, struct sql_cells *out, struct err *e) CHECKED;
int64_t sql_cell_number(struct slice text);

/* A walk through the certificates for those that are missing in the inventory. */
struct sql_walk {
    size_t table;
    uint8_t after[SQL_KEY_MAX]; /* the key to go on behind */
    size_t after_n;
    uint64_t added;
};
/* One piece of it; *end: that was the last.  After an error the piece is not done. */
bool sql_walk_on(struct sql_store *s, struct sql_walk *w, const atomic_bool *cancelled, bool *end,
                 struct err *e) CHECKED;
/* The thread that does so for a service, from its start on. */
bool sql_tend_start(struct sql_store *s, struct err *e) CHECKED;
void sql_tend_stop(struct sql_store *s);

bool sql_inventory(struct store *s, const struct inventory_query *q, inventory_fn *visit, void *arg,
                   struct deadline d, struct err *e) CHECKED;
bool sql_reindex(struct store *s, describe_fn *describe, uint64_t *certificates,
                 struct err *e) CHECKED;
bool sql_annotate(struct store *s, const struct inventory_row *rows, size_t n,
                  struct err *e) CHECKED;
bool sql_check(struct store *s, describe_fn *describe, problem_fn *tell, void *arg,
               struct err *e) CHECKED;
