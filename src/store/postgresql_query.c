/* Statements of any text on a PostgreSQL connection, and the inventory in its dialect. */
#include <stdio.h>

#include "store/postgresql.h"
#include "store/sql_ledger.h"

#define COLUMNS                                                                                    \
    "(kind,ssh,serial,common_name,subject,names,provisioner_id,provisioner_name,provisioner_type," \
    "fingerprint,key_type,renewed_from,ca_key,not_before,not_after,issued_at)"                     \
    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(ssh,serial) DO UPDATE SET"               \
    " kind=excluded.kind,common_name=excluded.common_name,subject=excluded.subject,"               \
    "names=excluded.names,fingerprint=excluded.fingerprint,key_type=excluded.key_type,"            \
    "ca_key=excluded.ca_key,not_before=excluded.not_before,not_after=excluded.not_after,"

static const char *const TABLES_SQL[] = {
    "CREATE TABLE IF NOT EXISTS " SQL_LEDGER
    "(kind TEXT NOT NULL, ssh SMALLINT NOT NULL, serial TEXT COLLATE \"C\" NOT NULL,"
    " common_name TEXT, subject TEXT, names TEXT, not_before BIGINT NOT NULL,"
    " not_after BIGINT NOT NULL, issued_at BIGINT NOT NULL, provisioner_id TEXT,"
    " provisioner_name TEXT, provisioner_type TEXT, fingerprint TEXT, key_type TEXT,"
    " renewed_from TEXT, ca_key TEXT, PRIMARY KEY (ssh,serial))",
    "CREATE INDEX IF NOT EXISTS " SQL_LEDGER "_by_end ON " SQL_LEDGER "(not_after,serial,ssh)",
    "CREATE TABLE IF NOT EXISTS " SQL_LEDGER_NAMES
    "(value BYTEA NOT NULL, type TEXT NOT NULL, ssh SMALLINT NOT NULL,"
    " serial TEXT COLLATE \"C\" NOT NULL, PRIMARY KEY (value,type,ssh,serial))",
    "CREATE INDEX IF NOT EXISTS " SQL_LEDGER_NAMES "_by_serial ON " SQL_LEDGER_NAMES "(ssh,serial)",
    NULL,
};

const struct sql_dialect PG_DIALECT = {
    .key_of_text = {"convert_to(", ",'UTF8')"},
    .text_of_key = {"encode(", ",'escape')"},
    .text_out = {"", ""},
    .number_out = {"", "::text"},
    .names_insert = {"INSERT INTO " SQL_LEDGER_NAMES "(value,type,ssh,serial) VALUES ",
                     " ON CONFLICT DO NOTHING"},
    .ledger_insert =
        "INSERT INTO " SQL_LEDGER " AS t" COLUMNS
        "provisioner_id=excluded.provisioner_id,provisioner_name=excluded.provisioner_name,"
        "provisioner_type=excluded.provisioner_type,renewed_from=excluded.renewed_from,"
        "issued_at=excluded.issued_at",
    .ledger_describe = "INSERT INTO " SQL_LEDGER " AS t" COLUMNS
                       "provisioner_id=COALESCE(excluded.provisioner_id,t.provisioner_id),"
                       "provisioner_name=COALESCE(excluded.provisioner_name,t.provisioner_name),"
                       "provisioner_type=COALESCE(excluded.provisioner_type,t.provisioner_type)",
    .ledger_there = "SELECT '1'::text WHERE to_regclass('" SQL_LEDGER "') IS NOT NULL"
                    " AND to_regclass('" SQL_LEDGER_NAMES "') IS NOT NULL",
    .ledger_tables = TABLES_SQL,
};

/* --- Values ------------------------------------------------------------------------------------
 */

#define TEXT_OID 25
#define INT8_OID 20

struct params {
    Oid *types;
    const char **values;
    int *lengths, *formats;
};

static void fill(struct params *p, struct arena *a, const struct sql_value *v, size_t n)
{
    p->types = arena_array(a, n + 1, sizeof(*p->types));
    p->values = arena_array(a, n + 1, sizeof(*p->values));
    p->lengths = arena_array(a, n + 1, sizeof(*p->lengths));
    p->formats = arena_array(a, n + 1, sizeof(*p->formats));
    for (size_t i = 0; i < n; i++) {
        struct slice s = v[i].bytes;
        if (v[i].type == SQL_TYPE_NUMBER) {
            uint8_t *number = arena_alloc(a, 8);
            for (int k = 0; k < 8; k++)
                number[k] = (uint8_t)((uint64_t)v[i].number >> (56 - 8 * k));
            s = slice_of(number, 8);
        }
        p->types[i] = v[i].type == SQL_TYPE_NUMBER ? INT8_OID
                      : v[i].type == SQL_TYPE_TEXT ? TEXT_OID
                                                   : PG_BYTEA;
        p->values[i] = v[i].null ? NULL : s.n > 0 ? (const char *)s.p : "";
        p->lengths[i] = (int)s.n;
        p->formats[i] = 1;
    }
}

/* "?" becomes "$1", "$2", ….  No text of ours has one in quotes. */
static const char *numbered(struct arena *a, const char *sql)
{
    struct buf b = buf_new(a, 1u << 16);
    unsigned n = 0;

    for (; *sql; sql++) {
        if (*sql == '?')
            buf_printf(&b, "$%u", ++n);
        else
            buf_byte(&b, (uint8_t)*sql);
    }
    return arena_cstr(a, buf_slice(&b));
}

static void copy_rows(const PGresult *r, struct arena *a, struct sql_cells *out)
{
    *out = (struct sql_cells){.rows = (size_t)PQntuples(r), .columns = (size_t)PQnfields(r)};
    out->v = arena_array(a, out->rows * out->columns + 1, sizeof(*out->v));
    for (size_t i = 0; i < out->rows * out->columns; i++) {
        int row = (int)(i / out->columns), at = (int)(i % out->columns);
        out->v[i] =
            PQgetisnull(r, row, at)
                ? SLICE("")
                : arena_copy(a, slice_of(PQgetvalue(r, row, at), (size_t)PQgetlength(r, row, at)));
    }
}

enum sql_result pg_query(struct sql_conn *base, const char *sql, const struct sql_value *values,
                         size_t n, struct deadline d, struct arena *a, struct sql_cells *out,
                         struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *own = arena_new(&HEAP_USUAL);
    struct pg_conn *c = (struct pg_conn *)base;
    struct params p;
    PGresult *r = NULL;
    char state[6];

    fill(&p, own, values, n);
    int sent = PQsendQueryParams(c->pg, numbered(own, sql), (int)n, p.types, p.values, p.lengths,
                                 p.formats, 1 /* binary */);
    enum sql_result result = pg_finish(c, sent, d, state, &r, e);
    if (result != SQL_DONE)
        return result;
    if (out)
        copy_rows(r, a, out);
    PQclear(r);
    return SQL_DONE;
}
