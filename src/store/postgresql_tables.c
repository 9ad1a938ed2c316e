/*
 * The tables of a PostgreSQL database as we find them when we begin, all in one question to the
 * catalog.  A service relies on more than the two columns: ON CONFLICT wants a key on nkey alone,
 * a rule or row security would show us less than there is, an unlogged table is empty after a
 * crash.  So whatever is not as we need it is refused by name; the server finds the words.
 *
 * What is missing is made in one transaction, under a lock that all of us take, so servers that
 * start at the same moment wait for each other.  The reference does not, therefore it is tried
 * again.
 */
#include <poll.h>

#include "base/clock.h"
#include "store/postgresql.h"

#define TRIES 10

/* --- What is wrong with a table ----------------------------------------------------------------
 */

/* n.name asked for; c its pg_class row, maybe none; k and v the columns nkey and nvalue, maybe
 * none.  Each is NULL when all is well. */
#define HAS_COLUMNS                                                                                \
    "CASE WHEN k.atttypid='pg_catalog.bytea'::regtype AND v.atttypid='pg_catalog.bytea'::regtype"  \
    " THEN NULL ELSE 'has not the columns nkey and nvalue (bytea): it belongs to something else;"  \
    " name another database' END"
#define IS_TABLE                                                                                   \
    "CASE WHEN c.relkind IN ('r','p') THEN NULL ELSE 'is ' || CASE c.relkind WHEN 'v' THEN"        \
    " 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table' WHEN 'S' THEN"  \
    " 'a sequence' WHEN 'c' THEN 'a type' ELSE 'an index' END || ' where a table is needed;"       \
    " name another database' END"
#define IS_LOGGED                                                                                  \
    "CASE WHEN c.relpersistence='t' THEN 'is TEMPORARY; another one is needed' WHEN"               \
    " c.relpersistence='u' OR EXISTS(SELECT 1 FROM pg_catalog.pg_inherits h JOIN"                  \
    " pg_catalog.pg_class p ON p.oid=h.inhrelid WHERE h.inhparent=c.oid AND"                       \
    " p.relpersistence<>'p') THEN 'is UNLOGGED: it would be empty after a crash, and used tokens"  \
    " and revocations with it; ALTER TABLE ' || quote_ident(n.name) || ' SET LOGGED' END"
/* indnkeyatts is new in version 11. */
#define IS_UNIQUE                                                                                  \
    "CASE WHEN EXISTS(SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid=c.oid AND"              \
    " i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND"                 \
    " i.indkey[0]=k.attnum AND COALESCE((to_jsonb(i)->>'indnkeyatts')::int,i.indnatts)=1) THEN"    \
    " NULL ELSE 'has no primary key or unique constraint (not deferrable) on nkey alone, so a"     \
    " one-time token would be good more than once; ALTER TABLE ' || quote_ident(n.name) ||"        \
    " ' ADD PRIMARY KEY (nkey)' END"
#define IS_ALONE                                                                                   \
    "CASE WHEN c.relkind='r' AND EXISTS(SELECT 1 FROM pg_catalog.pg_inherits h WHERE"              \
    " h.inhparent=c.oid) THEN 'has tables that inherit from it, whose rows its key does not "      \
    "count'"                                                                                       \
    " END"
#define HAS_NO_RULE                                                                                \
    "CASE WHEN EXISTS(SELECT 1 FROM pg_catalog.pg_rewrite w WHERE w.ev_class=c.oid AND"            \
    " w.ev_type<>'1') THEN 'has a rule, which changes what is written; DROP RULE' END"
#define SHOWS_ALL                                                                                  \
    "CASE WHEN row_security_active(c.oid) THEN 'hides rows from this role by row security;"        \
    " ALTER TABLE ' || quote_ident(n.name) || ' DISABLE ROW LEVEL SECURITY' END"
#define NEEDS_NOTHING                                                                              \
    "(SELECT 'has a column ' || quote_ident(x.attname) || ' that is NOT NULL and has no default,"  \
    " so nothing can be written; give it a default or drop it' FROM pg_catalog.pg_attribute x"     \
    " WHERE x.attrelid=c.oid AND x.attnum>0 AND NOT x.attisdropped AND x.attnotnull AND NOT"       \
    " x.atthasdef AND x.attname NOT IN ('nkey','nvalue') AND"                                      \
    " COALESCE(to_jsonb(x)->>'attidentity','')='' LIMIT 1)"
#define MAY(privilege)                                                                             \
    "CASE WHEN NOT (has_column_privilege(c.oid,k.attnum,'" privilege "') AND"                      \
    " has_column_privilege(c.oid,v.attnum,'" privilege "')) THEN 'may not be used by this role:"   \
    " it lacks " privilege " on it' END"
#define MAY_DELETE                                                                                 \
    "CASE WHEN NOT has_table_privilege(c.oid,'DELETE') THEN 'may not be used by this role:"        \
    " it lacks DELETE on it' END"

#define TO_READ HAS_COLUMNS "," MAY("SELECT")
#define TO_SERVE                                                                                   \
    IS_TABLE "," HAS_COLUMNS "," IS_LOGGED "," IS_UNIQUE "," IS_ALONE "," HAS_NO_RULE              \
             "," SHOWS_ALL "," NEEDS_NOTHING                                                       \
             "," MAY("SELECT") "," MAY("INSERT") "," MAY("UPDATE") "," MAY_DELETE

#define SELECT(faults)                                                                             \
    "SELECT c.oid IS NOT NULL, CASE WHEN c.oid IS NULL THEN NULL ELSE COALESCE(" faults            \
    ") END FROM unnest(ARRAY["
#define FROM                                                                                       \
    "]::text[]) WITH ORDINALITY n(name,at)"                                                        \
    " LEFT JOIN pg_catalog.pg_class c ON c.oid=to_regclass(quote_ident(n.name))"                   \
    " LEFT JOIN pg_catalog.pg_attribute k ON k.attrelid=c.oid AND k.attname='nkey'"                \
    " LEFT JOIN pg_catalog.pg_attribute v ON v.attrelid=c.oid AND v.attname='nvalue'"              \
    " ORDER BY n.at"

struct inspection {
    struct arena *a;
    struct pg_conn *c;
    const char *const *names;
    size_t n;
    bool make;
    bool *missing;
};

static const char *question(const struct inspection *i)
{
    struct buf sql = buf_new(i->a, 1u << 17);

    buf_text(&sql, i->make ? SELECT(TO_SERVE) : SELECT(TO_READ));
    for (size_t k = 0; k < i->n; k++) {
        char *quoted = PQescapeLiteral(i->c->pg, i->names[k], strlen(i->names[k]));
        buf_printf(&sql, "%s%s", k ? "," : "", quoted ? quoted : "NULL");
        PQfreemem(quoted);
    }
    buf_text(&sql, FROM);
    return arena_cstr(i->a, buf_slice(&sql));
}

static bool inspect(struct inspection *i, struct err *e)
{
    char state[6];
    PGresult *r = NULL;
    bool ok = true;

    if (pg_plain(i->c, question(i), DEADLINE_NONE, state, &r, e) != SQL_DONE)
        return err_wrap(e, "what tables there are");
    for (size_t k = 0; ok && k < i->n && k < (size_t)PQntuples(r); k++) {
        i->missing[k] = strcmp(PQgetvalue(r, (int)k, 0), "t") != 0;
        if (!PQgetisnull(r, (int)k, 1))
            ok = err_set(e, ERR_INTERNAL, "postgresql: table \"%s\" %s", i->names[k],
                         PQgetvalue(r, (int)k, 1));
    }
    PQclear(r);
    return ok;
}

/* --- Making what is missing ---------------------------------------------------------------------
 */

static bool among(const char *state, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(state, list[i]) == 0)
            return true;
    }
    return false;
}

/* Several that were in each other's way should not meet again. */
static void pause_ms(int least, int range)
{
    uint16_t r = 0;

    RNG_SYSTEM.fill(&RNG_SYSTEM, &r, sizeof(r));
    poll(NULL, 0, least + r % range);
}

bool pg_try_often(struct pg_conn *c, const char *sql, const char *there, struct err *e)
{
    static const char *const AGAIN[] = {
        "23505", "42P07", "42710", /* somebody else made it at this moment */
        "55006",                   /* the template is in use */
        "55P03", "40P01", "40001", /* locks */
        "XX000",                   /* "tuple concurrently updated" */
    };
    char state[6];

    for (int n = 0; n < TRIES; n++) {
        enum sql_result result = pg_plain(c, sql, DEADLINE_NONE, state, NULL, e);
        if (result == SQL_DONE || (there && strcmp(state, there) == 0))
            return true;
        if (result == SQL_BROKEN || !among(state, AGAIN, COUNT_OF(AGAIN)))
            return false;
        pause_ms(20, 50 + 50 * n);
    }
    return false;
}

#define LOCK  "SELECT pg_advisory_xact_lock(x'6e6577656c'::bigint);"
#define SHAPE "(nkey BYTEA CHECK (octet_length(nkey) <= 255), nvalue BYTEA, PRIMARY KEY (nkey));"

/* Several statements sent at once are one transaction. */
static bool make_missing(const struct inspection *i, struct err *e)
{
    struct buf sql = buf_new(i->a, 1u << 17);
    char one[SQL_TEXT_MAX];
    const char *first = NULL;
    size_t n = 0;

    buf_text(&sql, LOCK);
    for (size_t k = 0; k < i->n; k++) {
        if (!i->missing[k])
            continue;
        sql_text_put(one, "CREATE TABLE IF NOT EXISTS @ " SHAPE, '"', i->names[k]);
        buf_text(&sql, one);
        first = first ? first : i->names[k];
        n++;
    }
    if (n == 0 || pg_try_often(i->c, arena_cstr(i->a, buf_slice(&sql)), NULL, e))
        return true;
    return n == 1 ? err_wrap(e, "create table %s", first)
                  : err_wrap(e, "create table %s and %zu others", first, n - 1);
}

static bool all_there(const struct inspection *i, struct err *e)
{
    for (size_t k = 0; k < i->n; k++) {
        if (i->missing[k])
            return err_set(e, ERR_INTERNAL,
                           "postgresql: table \"%s\" was made and cannot be seen: what does "
                           "search_path say?",
                           i->names[k]);
    }
    return true;
}

bool pg_tables_ready(const struct pg_store *s, struct pg_conn *c, const char *const *names,
                     size_t n, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct inspection i = {.a = a,
                           .c = c,
                           .names = names,
                           .n = n,
                           .make = s->base.options.make,
                           .missing = arena_array(a, n, sizeof(bool))};
    bool any = false;

    if (!inspect(&i, e))
        return false;
    for (size_t k = 0; k < n; k++)
        any = any || i.missing[k];
    if (!any || !i.make)
        return true;
    return make_missing(&i, e) && inspect(&i, e) && all_there(&i, e);
}
