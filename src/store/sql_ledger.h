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
/* Does this batch change them? */
bool sql_ledger_concerned(const struct sql_store *s, const struct store_batch *b);
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

bool sql_inventory(struct store *s, const struct inventory_query *q, inventory_fn *visit, void *arg,
                   struct deadline d, struct err *e) CHECKED;
bool sql_reindex(struct store *s, describe_fn *describe, uint64_t *certificates,
                 struct err *e) CHECKED;
bool sql_check(struct store *s, describe_fn *describe, problem_fn *tell, void *arg,
               struct err *e) CHECKED;
