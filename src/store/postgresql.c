/*
 * PostgreSQL: connections, and how a database begins.
 *
 * A database that is not there is made when the server says exactly that (SQLSTATE 3D000), and its
 * tables (postgresql_tables.c).  What is there is not made, so that a role without the right to
 * create can serve a database that was prepared for it.
 */
#include <poll.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "store/postgresql.h"

/* --- Connections ----------------------------------------------------------------------------- */

static void ignore_notice(void *arg UNUSED, const char *text UNUSED) {}

/* keywords and values of libpq, the last pair NULL; database: instead of what stands there. */
static void lists(const struct pg_store *s, struct arena *a, const char *database,
                  const char *const **keywords, const char *const **values)
{
    size_t n = s->keywords.n;
    const char **k = arena_array(a, n + 2, sizeof(*k)), **v = arena_array(a, n + 2, sizeof(*v));

    for (size_t i = 0; i < n; i++) {
        k[i] = s->keywords.v[i].name;
        v[i] = s->keywords.v[i].value;
    }
    if (database) { /* the later one counts */
        k[n] = "dbname";
        v[n] = database;
    }
    *keywords = k;
    *values = v;
}

static PGconn *dial(const struct pg_store *s, const char *database, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const char *const *keywords, *const *values;

    lists(s, a, database, &keywords, &values);
    PGconn *pg = PQconnectdbParams(keywords, values, 0);
    if (PQstatus(pg) == CONNECTION_OK) {
        PQsetNoticeProcessor(pg, ignore_notice, NULL);
        PQsetnonblocking(pg, 1);
        return pg;
    }
    pg_fail(pg_hide(a, &s->keywords, s->database, PQerrorMessage(pg)), ERR_UNAVAILABLE, e);
    PQfinish(pg);
    return NULL;
}

static void pg_close(struct sql_conn *base)
{
    struct pg_conn *c = (struct pg_conn *)base;

    PQfinish(c->pg);
    free(c);
}

static struct pg_conn *open_one(const struct pg_store *s, const char *database, struct err *e)
{
    char state[6];
    PGconn *pg = dial(s, database, e);

    if (!pg)
        return NULL;
    struct pg_conn *c = xcalloc(1, sizeof(*c));
    c->pg = pg;
    if (!s->commits_late ||
        pg_plain(c, "SET synchronous_commit=on", DEADLINE_NONE, state, NULL, e) == SQL_DONE)
        return c;
    pg_close(&c->base);
    return NULL;
}

static struct sql_conn *pg_connect(struct sql_store *base, struct err *e)
{
    const struct pg_store *s = (const struct pg_store *)base;
    struct pg_conn *c = open_one(s, s->database, e);

    return c ? &c->base : NULL;
}

static bool pg_alive(struct sql_conn *base)
{
    const struct pg_conn *c = (const struct pg_conn *)base;
    struct pollfd p = {PQsocket(c->pg), POLLIN, 0};

    return PQstatus(c->pg) == CONNECTION_OK && PQtransactionStatus(c->pg) == PQTRANS_IDLE &&
           poll(&p, 1, 0) == 0;
}

static bool pg_ensure_table(struct sql_store *s, struct sql_conn *c, const char *name,
                            struct err *e)
{
    return pg_tables_ready((const struct pg_store *)s, (struct pg_conn *)c, &name, 1, e);
}

/* Names that the search path finds. */
static enum sql_result pg_tables(struct sql_conn *base, struct deadline d, struct arena *a,
                                 struct sql_rows *rows, struct err *e)
{
    char state[6];
    PGresult *r = NULL;
    enum sql_result result =
        pg_plain((struct pg_conn *)base,
                 "SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relkind IN ('r','p')"
                 " AND pg_catalog.pg_table_is_visible(c.oid)"
                 " AND 2=(SELECT count(*) FROM pg_catalog.pg_attribute t WHERE t.attrelid=c.oid"
                 " AND t.attname IN ('nkey','nvalue') AND t.atttypid='bytea'::regtype)",
                 d, state, &r, e);

    *rows = (struct sql_rows){0};
    if (result != SQL_DONE)
        return result;
    rows->n = (size_t)PQntuples(r);
    rows->v = arena_array(a, rows->n + 1, sizeof(*rows->v));
    for (size_t i = 0; i < rows->n; i++)
        rows->v[i].key = arena_copy(a, slice_text(PQgetvalue(r, (int)i, 0)));
    PQclear(r);
    return SQL_DONE;
}

static void pg_free(struct sql_store *s)
{
    free(s);
}

static const struct sql_driver POSTGRESQL = {
    .name = "postgresql",
    .dialect = &PG_DIALECT,
    .name_bytes = 63, /* a longer one would be cut off */
    .connect = pg_connect,
    .close = pg_close,
    .alive = pg_alive,
    .begin = pg_begin,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .write = pg_write,
    .read = pg_read,
    .query = pg_query,
    .ensure_table = pg_ensure_table,
    .tables = pg_tables,
    .free = pg_free,
};

/* --- The database ---------------------------------------------------------------------------- */

/* A connection that fails has no SQLSTATE for us, except in the longer form of its message, whose
 * text may be in any language. */
static bool is_missing(const struct pg_store *s, char **name)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct deadline limit = deadline_in(&CLOCK_SYSTEM, SQL_CONNECT_SECONDS * NS_PER_SEC);
    const char *const *keywords, *const *values;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    lists(s, a, s->database, &keywords, &values);
    PGconn *pg = PQconnectStartParams(keywords, values, 0);
    PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    while (PQstatus(pg) != CONNECTION_BAD && deadline_ok(limit, NULL)) {
        struct pollfd p = {PQsocket(pg), status == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};
        poll(&p, 1, sql_poll_ms(limit, limit));
        status = PQconnectPoll(pg);
        if (status == PGRES_POLLING_OK || status == PGRES_POLLING_FAILED)
            break;
    }
    bool missing = strstr(PQerrorMessage(pg), " 3D000: ") && PQdb(pg);
    if (missing)
        *name = xstrdup(PQdb(pg));
    PQfinish(pg);
    return missing;
}

/* CREATE DATABASE copies template1, which nobody may use meanwhile: so we connect to another one.
 */
static struct pg_conn *beside(const struct pg_store *s, struct err *e)
{
    struct pg_conn *c = open_one(s, "postgres", NULL);

    return c ? c : open_one(s, "template1", e);
}

static bool create_database(const struct pg_store *s, const char *name, struct err *e)
{
    struct pg_conn *c = beside(s, e);
    char *quoted = c ? PQescapeIdentifier(c->pg, name, strlen(name)) : NULL;
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    bool ok = quoted && pg_try_often(c, arena_printf(a, "CREATE DATABASE %s", quoted), "42P04", e);

    PQfreemem(quoted);
    if (c)
        pg_close(&c->base);
    if (ok)
        log_line("postgresql: the database \"%s\" was created", name);
    return ok || err_wrap(e, "create database \"%s\"", name);
}

static bool reachable(const struct pg_store *s, struct err *e)
{
    PGconn *pg = dial(s, s->database, e);

    PQfinish(pg);
    return pg != NULL;
}

/* Asked why, it may be there: another server of ours has just made it. */
static bool ensure_database(const struct pg_store *s, struct err *e)
{
    char *name = NULL;

    if (reachable(s, NULL))
        return true;
    if (!is_missing(s, &name))
        return reachable(s, e);
    bool ok = create_database(s, name, e);
    free(name);
    return ok;
}

/* --- What is in it ---------------------------------------------------------------------------- */

static bool check_schema(const struct pg_store *s, struct pg_conn *c, struct err *e)
{
    char state[6];
    PGresult *r = NULL;

    if (pg_plain(c,
                 "SELECT convert_from(nvalue,'SQL_ASCII') FROM " SQL_META_TABLE
                 " WHERE nkey='" SQL_SCHEMA_KEY "'",
                 DEADLINE_NONE, state, &r, e) != SQL_DONE)
        return (!s->base.options.make && strcmp(state, "42P01") == 0) ||
               err_wrap(e, "table " SQL_META_TABLE);
    bool there = PQntuples(r) > 0;
    bool ok = sql_schema_check(&s->base, there ? slice_text(PQgetvalue(r, 0, 0)) : SLICE_NONE, e);
    PQclear(r);
    if (!ok || there || !s->base.options.make)
        return ok;
    return pg_plain(c,
                    "INSERT INTO " SQL_META_TABLE " VALUES('" SQL_SCHEMA_KEY
                    "','1') ON CONFLICT DO NOTHING",
                    DEADLINE_NONE, state, NULL, e) == SQL_DONE;
}

/* What was answered must survive a power cut. */
static bool check_server(struct pg_store *s, struct pg_conn *c, struct err *e)
{
    char state[6];
    PGresult *r = NULL;

    if (pg_plain(c,
                 "SELECT current_setting('synchronous_commit'), current_setting('fsync'),"
                 " current_setting('transaction_read_only')",
                 DEADLINE_NONE, state, &r, e) != SQL_DONE)
        return false;
    bool read_only = strcmp(PQgetvalue(r, 0, 2), "on") == 0;
    s->commits_late = strcmp(PQgetvalue(r, 0, 0), "off") == 0;
    if (strcmp(PQgetvalue(r, 0, 1), "off") == 0)
        log_warn("postgresql: fsync is off: used tokens and revocations may be lost in a crash");
    PQclear(r);
    if (read_only && s->base.options.make)
        return err_set(e, ERR_UNAVAILABLE,
                       "postgresql: the server takes no writes (a standby, or "
                       "default_transaction_read_only is on); name the primary");
    if (s->commits_late)
        return pg_plain(c, "SET synchronous_commit=on", DEADLINE_NONE, state, NULL, e) == SQL_DONE;
    return true;
}

static bool prepare(struct sql_store *base, struct sql_conn *conn, struct err *e)
{
    struct pg_store *s = (struct pg_store *)base;
    struct pg_conn *c = (struct pg_conn *)conn;
    const char *names[TABLES + 1] = {[TABLES] = SQL_META_TABLE};

    for (size_t i = 0; i < TABLES; i++)
        names[i] = TABLE_INFO[i].name;
    return check_server(s, c, e) && pg_tables_ready(s, c, names, COUNT_OF(names), e) &&
           check_schema(s, c, e);
}

/* --- Opening --------------------------------------------------------------------------------- */

static const char *setting(const struct pg_store *s, const char *keyword, const char *variable)
{
    const char *value = dsn_pairs_get(&s->keywords, keyword);

    return value ? value : getenv(variable);
}

/* The Go driver verifies against the system's roots when no file is named; this libpq does not. */
static void add_system_roots(struct pg_store *s)
{
    static const char *const FILES[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
    struct arena *a = s->base.arena;
    const char *mode = setting(s, "sslmode", "PGSSLMODE"), *home = getenv("HOME");

    if (!mode || strncmp(mode, "verify-", 7) != 0 || setting(s, "sslrootcert", "PGSSLROOTCERT"))
        return;
    if (home && file_exists(path_join(a, home, ".postgresql/root.crt")))
        return;
    for (size_t i = 0; i < COUNT_OF(FILES); i++) {
        if (!file_exists(FILES[i]))
            continue;
        dsn_pairs_add(a, &s->keywords, "sslrootcert", FILES[i]);
        return;
    }
}

static void add_defaults(struct pg_store *s)
{
    struct arena *a = s->base.arena;

    if (!setting(s, "connect_timeout", "PGCONNECT_TIMEOUT"))
        dsn_pairs_add(a, &s->keywords, "connect_timeout",
                      arena_printf(a, "%d", SQL_CONNECT_SECONDS));
    if (!setting(s, "application_name", "PGAPPNAME"))
        dsn_pairs_add(a, &s->keywords, "fallback_application_name", "step-ca");
    add_system_roots(s);
}

struct store *store_postgresql_open(const char *source, const char *database,
                                    const struct store_source_options *o, struct clock *clock,
                                    struct err *e)
{
    struct pg_store *s = xcalloc(1, sizeof(*s));
    struct dsn_postgresql dsn;

    sql_store_init(&s->base, &POSTGRESQL, o, clock);
    if (!dsn_postgresql_read(s->base.arena, arena_copy(s->base.arena, slice_text(source)), &dsn,
                             e)) {
        store_close(&s->base.base);
        return NULL;
    }
    s->keywords = dsn.keywords;
    if (database && *database)
        s->database = arena_printf(s->base.arena, "%s", database);
    add_defaults(s);
    if (!o->make || ensure_database(s, e))
        return sql_store_start(&s->base, prepare, e);
    store_close(&s->base.base);
    return NULL;
}

const bool STORE_HAS_POSTGRESQL = true;
