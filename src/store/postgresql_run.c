/*
 * Statements on one PostgreSQL connection.  libpq sends and receives without blocking, we wait, so
 * that an answer that does not come ends with our time limit or the request's deadline.  After that
 * nobody knows what the connection is about: it is closed.
 *
 * Keys and values are parameters in binary form.  Statements are not prepared: a proxy may give
 * each of them another session.
 */
#include <poll.h>
#include <stdio.h>

#include "store/postgresql.h"

#define EMPTY "(nvalue IS NULL OR octet_length(nvalue)=0)"

static const struct sql_text TEXTS[SQL_STMTS] = {
    [SQL_GET] = {"SELECT nvalue FROM @ WHERE nkey=$1", "k"},
    [SQL_LOCK] = {"SELECT nvalue FROM @ WHERE nkey=$1 FOR UPDATE", "k"},
    [SQL_SCAN_FIRST] = {"SELECT nkey,nvalue FROM @ ORDER BY nkey LIMIT $1", "l"},
    [SQL_SCAN] = {"SELECT nkey,nvalue FROM @ WHERE nkey>$1 ORDER BY nkey LIMIT $2", "kl"},
    [SQL_PUT] = {"INSERT INTO @(nkey,nvalue) VALUES($1,$2)"
                 " ON CONFLICT(nkey) DO UPDATE SET nvalue=excluded.nvalue",
                 "kv"},
    [SQL_INSERT] = {"INSERT INTO @ AS t(nkey,nvalue) VALUES($1,$2)"
                    " ON CONFLICT(nkey) DO UPDATE SET nvalue=excluded.nvalue"
                    " WHERE t.nvalue IS NULL OR octet_length(t.nvalue)=0",
                    "kv"},
    [SQL_REPLACE] = {"UPDATE @ SET nvalue=$2 WHERE nkey=$1 AND octet_length(nvalue)>0", "kv"},
    [SQL_SWAP] = {"UPDATE @ SET nvalue=$2 WHERE nkey=$1 AND nvalue=$3", "kvo"},
    [SQL_REMOVE] = {"DELETE FROM @ WHERE nkey=$1", "k"},
    [SQL_REMOVE_PRESENT] = {"DELETE FROM @ WHERE nkey=$1 AND octet_length(nvalue)>0", "k"},
    [SQL_REMOVE_OLD] = {"DELETE FROM @ WHERE nkey=$1 AND nvalue=$2", "ko"},
    [SQL_REMOVE_EMPTY] = {"DELETE FROM @ WHERE nkey=$1 AND " EMPTY, "k"},
    [SQL_CLAIM] = {"INSERT INTO @(nkey,nvalue) VALUES($1,'') ON CONFLICT DO NOTHING", "k"},
};

/* --- Errors ---------------------------------------------------------------------------------- */

/* By the beginning of SQLSTATE, the first that fits. */
static const struct meaning {
    const char *state;
    enum sql_result result;
    enum err_kind kind;
    bool retire;
} MEANINGS[] = {
    {"40003", SQL_BROKEN, ERR_UNAVAILABLE, true}, /* statement completion unknown */
    {"40", SQL_AGAIN, ERR_UNAVAILABLE, false},    /* deadlock, serialization failure */
    {"55P03", SQL_AGAIN, ERR_UNAVAILABLE, false}, /* lock_timeout */
    {"08", SQL_BROKEN, ERR_UNAVAILABLE, true},
    {"57P0", SQL_BROKEN, ERR_UNAVAILABLE, true},  /* the server stops, or has crashed */
    {"57", SQL_FAILED, ERR_UNAVAILABLE, false},   /* cancelled: statement_timeout */
    {"53", SQL_FAILED, ERR_UNAVAILABLE, false},   /* disk full, too many connections */
    {"58", SQL_FAILED, ERR_UNAVAILABLE, false},   /* input/output errors */
    {"25006", SQL_FAILED, ERR_UNAVAILABLE, true}, /* read-only: this server is no primary now */
    {"25P03", SQL_BROKEN, ERR_UNAVAILABLE, true},
    {"", SQL_FAILED, ERR_INTERNAL, false},
};

bool pg_fail(const char *text, enum err_kind kind, struct err *e)
{
    struct slice line = slice_text(text);

    line = slice_trim(slice_sub(line, 0, slice_find(line, '\n')));
    return err_set(e, kind, "postgresql: %.*s", SLICE_ARG(slice_sub(line, 0, 400)));
}

static enum sql_result judge(struct pg_conn *c, const PGresult *r, char state[6], struct err *e)
{
    ExecStatusType status = PQresultStatus(r);
    const char *found = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const struct meaning *m = MEANINGS;

    state[0] = 0;
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return SQL_DONE;
    if (PQstatus(c->pg) == CONNECTION_BAD) {
        pg_fail(found ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : PQresultErrorMessage(r),
                ERR_UNAVAILABLE, e);
        return SQL_BROKEN;
    }
    snprintf(state, 6, "%s", found ? found : "");
    while (strncmp(m->state, state, strlen(m->state)) != 0)
        m++;
    c->base.retire = c->base.retire || m->retire;
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    pg_fail(text ? text : PQresultErrorMessage(r), m->kind, e);
    return m->result;
}

/* --- Waiting --------------------------------------------------------------------------------- */

static bool wait_socket(struct pg_conn *c, short events, struct deadline d, struct deadline limit,
                        struct err *e)
{
    struct pollfd p = {PQsocket(c->pg), events, 0};

    for (int n = 0; n <= 0;) {
        if (!deadline_ok(d, e))
            return err_wrap(e, "postgresql");
        if (!deadline_ok(limit, NULL))
            return err_set(e, ERR_UNAVAILABLE, "postgresql: no answer within %d s",
                           SQL_ANSWER_SECONDS);
        n = poll(&p, 1, sql_poll_ms(d, limit));
    }
    return true;
}

static bool broke(struct pg_conn *c, struct err *e)
{
    return pg_fail(PQerrorMessage(c->pg), ERR_UNAVAILABLE, e);
}

static bool send_all(struct pg_conn *c, struct deadline d, struct deadline limit, struct err *e)
{
    int left;

    while ((left = PQflush(c->pg)) == 1) {
        if (!wait_socket(c, POLLIN | POLLOUT, d, limit, e))
            return false;
        if (PQconsumeInput(c->pg) == 0)
            return broke(c, e);
    }
    return left == 0 || broke(c, e);
}

static bool receive(struct pg_conn *c, struct deadline d, struct deadline limit, struct err *e)
{
    while (PQisBusy(c->pg)) {
        if (!wait_socket(c, POLLIN, d, limit, e))
            return false;
        if (PQconsumeInput(c->pg) == 0)
            return broke(c, e);
    }
    return true;
}

/* Of several statements the first error, else the last answer.  NULL: no answer. */
static PGresult *answer(struct pg_conn *c, struct deadline d, struct err *e)
{
    struct deadline limit = deadline_in(&CLOCK_SYSTEM, SQL_ANSWER_SECONDS * NS_PER_SEC);
    PGresult *kept = NULL;

    if (!send_all(c, d, limit, e))
        return NULL;
    while (receive(c, d, limit, e)) {
        PGresult *r = PQgetResult(c->pg);
        if (!r && kept)
            return kept;
        if (!r) {
            broke(c, e);
            return NULL;
        }
        bool keep = !kept || PQresultStatus(kept) != PGRES_FATAL_ERROR;
        PQclear(keep ? kept : r);
        kept = keep ? r : kept;
    }
    PQclear(kept);
    return NULL;
}

enum sql_result pg_finish(struct pg_conn *c, int sent, struct deadline d, char state[6],
                          PGresult **out, struct err *e)
{
    PGresult *r = sent ? answer(c, d, e) : NULL;

    state[0] = 0;
    if (!sent)
        broke(c, e);
    if (!r)
        return SQL_BROKEN;
    enum sql_result result = judge(c, r, state, e);
    if (result == SQL_DONE && out) {
        *out = r;
        return SQL_DONE;
    }
    PQclear(r);
    return result;
}

enum sql_result pg_plain(struct pg_conn *c, const char *sql, struct deadline d, char state[6],
                         PGresult **out, struct err *e)
{
    return pg_finish(c, PQsendQuery(c->pg, sql), d, state, out, e);
}

/* --- Transactions ---------------------------------------------------------------------------- */

#define STRING(x)  STRING_(x)
#define STRING_(x) #x
#define BEGIN                                                                                      \
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout='" STRING(SQL_LOCK_SECONDS) "s'"

enum sql_result pg_begin(struct sql_conn *base, struct deadline d, struct err *e)
{
    char state[6];

    return pg_plain((struct pg_conn *)base, BEGIN, d, state, NULL, e);
}

/* COMMIT of a transaction that has failed answers ROLLBACK, and that is no error. */
enum sql_result pg_commit(struct sql_conn *base, struct deadline d, struct err *e)
{
    PGresult *r = NULL;
    char state[6];
    enum sql_result result = pg_plain((struct pg_conn *)base, "COMMIT", d, state, &r, e);

    if (result != SQL_DONE)
        return result;
    bool committed = strcmp(PQcmdStatus(r), "COMMIT") == 0;
    PQclear(r);
    if (committed)
        return SQL_DONE;
    err_set(e, ERR_INTERNAL, "postgresql: the transaction was rolled back instead of committed");
    return SQL_FAILED;
}

void pg_rollback(struct sql_conn *base)
{
    struct pg_conn *c = (struct pg_conn *)base;
    char state[6];

    if (PQtransactionStatus(c->pg) == PQTRANS_IDLE)
        return;
    if (pg_plain(c, "ROLLBACK", DEADLINE_NONE, state, NULL, NULL) != SQL_DONE)
        base->retire = true;
}

/* --- Statements ------------------------------------------------------------------------------ */

#define PARAMS_MAX 3
#define INT8_OID   20

struct params {
    Oid types[PARAMS_MAX];
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX], formats[PARAMS_MAX];
    int n;
    uint8_t limit[8];
};

static void add_bytes(struct params *p, struct slice s)
{
    p->types[p->n] = PG_BYTEA;
    p->values[p->n] = s.n > 0 ? (const char *)s.p : "";
    p->lengths[p->n] = (int)s.n;
    p->formats[p->n++] = 1;
}

static void add_limit(struct params *p, uint64_t limit)
{
    for (int i = 0; i < 8; i++)
        p->limit[i] = (uint8_t)(limit >> (56 - 8 * i));
    add_bytes(p, slice_of(p->limit, sizeof(p->limit)));
    p->types[p->n - 1] = INT8_OID;
}

static void fill(struct params *p, const char *order, const struct sql_args *args)
{
    p->n = 0;
    for (; *order; order++) {
        if (*order == 'l')
            add_limit(p, args->limit);
        else
            add_bytes(p, *order == 'k' ? args->key : *order == 'v' ? args->value : args->old);
    }
}

static enum sql_result run(struct pg_conn *c, enum sql_stmt which, enum table t,
                           const struct sql_args *args, struct deadline d, PGresult **out,
                           struct err *e)
{
    char sql[SQL_TEXT_MAX], state[6];
    struct params p;

    if (args->value.n > (256u << 20)) {
        err_set(e, ERR_TOO_LARGE, "table %s: a value of %zu bytes", sql_table_name(t, args),
                args->value.n);
        return SQL_FAILED;
    }
    sql_text_put(sql, TEXTS[which].sql, '"', sql_table_name(t, args));
    fill(&p, TEXTS[which].params, args);
    int sent =
        PQsendQueryParams(c->pg, sql, p.n, p.types, p.values, p.lengths, p.formats, 1 /* binary */);
    enum sql_result result = pg_finish(c, sent, d, state, out, e);
    if (result != SQL_DONE)
        err_wrap(e, "table %s", sql_table_name(t, args));
    return result;
}

enum sql_result pg_write(struct sql_conn *base, enum sql_stmt which, enum table t,
                         const struct sql_args *args, struct deadline d, uint64_t *rows,
                         struct err *e)
{
    PGresult *r = NULL;
    enum sql_result result = run((struct pg_conn *)base, which, t, args, d, &r, e);

    *rows = 0;
    if (result != SQL_DONE)
        return result;
    if (!slice_to_u64(slice_text(PQcmdTuples(r)), rows))
        *rows = 0;
    PQclear(r);
    return SQL_DONE;
}

static struct slice column(struct arena *a, const PGresult *r, int row, int at)
{
    if (PQgetisnull(r, row, at))
        return SLICE("");
    return arena_copy(a, slice_of(PQgetvalue(r, row, at), (size_t)PQgetlength(r, row, at)));
}

enum sql_result pg_read(struct sql_conn *base, enum sql_stmt which, enum table t,
                        const struct sql_args *args, struct deadline d, struct arena *a,
                        struct sql_rows *rows, struct err *e)
{
    PGresult *r = NULL;
    enum sql_result result = run((struct pg_conn *)base, which, t, args, d, &r, e);

    *rows = (struct sql_rows){0};
    if (result != SQL_DONE)
        return result;
    int n = PQntuples(r), columns = PQnfields(r);
    rows->v = arena_array(a, (size_t)n + 1, sizeof(*rows->v));
    for (int i = 0; i < n; i++) {
        if (columns > 1)
            rows->v[i].key = column(a, r, i, 0);
        rows->v[i].value = column(a, r, i, columns - 1);
    }
    rows->n = (size_t)n;
    PQclear(r);
    return SQL_DONE;
}
