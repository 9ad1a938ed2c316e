/*
 * The tables of a MySQL database as we find them when we begin.  A service relies on more than the
 * two columns: without a key on nkey alone every token would be good for ever, a short column cuts
 * keys or values, an engine without transactions parts a token from its certificate.  So whatever
 * is not as we need it is refused by name, and the right to write is tried with statements that
 * find no row.
 *
 * Who only reads (make is false) needs the two columns and SELECT.
 */
#include <limits.h>
#include <strings.h>

#include "store/mysql_driver.h"

#define BINARY_CHARSET 63

enum {
    MY_TABLE_DENIED = 1142,
    MY_COLUMN_DENIED = 1143,
    MY_OPTION_PREVENTS = 1290,
    MY_READ_ONLY_TRANSACTION = 1792,
    MY_READ_ONLY_MODE = 1836,
};

/* --- What there is ---------------------------------------------------------------------------- */

struct shape {
    bool there, columns; /* nkey and nvalue of the right kinds */
    const char *kind, *engine;
    bool transactions;
    unsigned long key_room, room;
    bool padded;              /* BINARY: keys become longer than they are */
    bool unique;              /* a key on nkey and nothing else */
    const char *needs;        /* another column that wants a value */
    const char *other_unique; /* a key that two rows with one value would break */
};
struct inspection {
    struct arena *a;
    struct my_conn *c;
    const char *const *names;
    size_t n;
    struct shape *shapes;
    struct slice list; /* the names, for IN(...) */
    bool any_case;     /* of the names of tables */
};

static struct slice name_list(const struct inspection *i)
{
    struct buf b = buf_new(i->a, 1u << 16);

    for (size_t k = 0; k < i->n; k++) {
        buf_text(&b, k ? ",_utf8mb4 x'" : "_utf8mb4 x'");
        for (const char *p = i->names[k]; *p; p++)
            buf_printf(&b, "%02x", (unsigned)(uint8_t)*p);
        buf_byte(&b, '\'');
    }
    return buf_slice(&b);
}

/* A server may keep its names in lower case; on another one NONCES is not nonces. */
static struct shape *shape_of(const struct inspection *i, const char *name)
{
    int (*compare)(const char *, const char *) = i->any_case ? strcasecmp : strcmp;

    for (size_t k = 0; name && k < i->n; k++) {
        if (compare(i->names[k], name) == 0)
            return &i->shapes[k];
    }
    return NULL;
}

static const char *kept(const struct inspection *i, const char *text)
{
    return text ? arena_printf(i->a, "%s", text) : "";
}

static unsigned long number(const char *text)
{
    uint64_t n;

    return text && slice_to_u64(slice_text(text), &n) && n < ULONG_MAX ? (unsigned long)n : 0;
}

static void see_table(struct inspection *i, MYSQL_ROW row)
{
    i->any_case = number(row[4]) != 0;
    struct shape *s = shape_of(i, row[0]);

    if (!s)
        return;
    *s = (struct shape){.there = true,
                        .kind = kept(i, row[1]),
                        .engine = kept(i, row[2]),
                        .transactions = row[3] && strcmp(row[3], "YES") == 0};
}

static bool is_blob(const char *type)
{
    size_t n = strlen(type);

    return n >= 4 && strcmp(type + n - 4, "blob") == 0;
}

static void see_column(struct inspection *i, MYSQL_ROW row)
{
    struct shape *s = shape_of(i, row[0]);
    const char *type = row[2] ? row[2] : "";

    if (!s || !row[1])
        return;
    if (strcasecmp(row[1], "nkey") == 0) {
        s->padded = strcmp(type, "binary") == 0;
        s->key_room = s->padded || strcmp(type, "varbinary") == 0 ? number(row[3]) : 0;
    } else if (strcasecmp(row[1], "nvalue") == 0) {
        s->room = is_blob(type) ? number(row[3]) : 0;
    } else if (number(row[4])) {
        s->needs = kept(i, row[1]);
    }
    s->columns = s->key_room > 0 && s->room > 0;
}

static void see_key(struct inspection *i, MYSQL_ROW row)
{
    struct shape *s = shape_of(i, row[0]);

    if (!s)
        return;
    s->unique = s->unique || (number(row[2]) == 1 && number(row[3]) == 1);
    if (number(row[4]) > 0 && number(row[5]) == 0)
        s->other_unique = kept(i, row[1]);
}

#define OF_OURS " WHERE %s.table_schema=DATABASE() AND %s.table_name IN (%.*s)"

static const struct question {
    const char *select, *alias, *end;
    void (*see)(struct inspection *, MYSQL_ROW);
} QUESTIONS[] = {
    {"SELECT t.table_name,t.table_type,t.engine,e.transactions,@@lower_case_table_names"
     " FROM information_schema.tables t"
     " LEFT JOIN information_schema.engines e ON e.engine=t.engine",
     "t", "", see_table},
    {"SELECT c.table_name,c.column_name,c.data_type,c.character_maximum_length,"
     "c.is_nullable='NO' AND c.column_default IS NULL AND c.extra NOT LIKE '%auto_increment%'"
     " AND c.extra NOT LIKE '%GENERATED%' FROM information_schema.columns c",
     "c", "", see_column},
    {"SELECT k.table_name,k.index_name,COUNT(*),"
     "SUM(k.column_name='nkey' AND k.sub_part IS NULL),SUM(k.column_name='nvalue'),"
     "SUM(k.column_name='nkey') FROM information_schema.statistics k",
     "k", " AND k.non_unique=0 GROUP BY k.table_name,k.index_name", see_key},
};

static bool ask(struct inspection *i, const struct question *q, struct err *e)
{
    struct buf sql = buf_new(i->a, 1u << 17);
    unsigned code;
    MYSQL_RES *r = NULL;

    buf_text(&sql, q->select);
    buf_printf(&sql, OF_OURS "%s", q->alias, q->alias, SLICE_ARG(i->list), q->end);
    const char *text = arena_cstr(i->a, buf_slice(&sql));
    if (my_plain(i->c, text, &code, &r, e) != SQL_DONE)
        return err_wrap(e, "what tables there are");
    for (MYSQL_ROW row; r && (row = mysql_fetch_row(r));)
        q->see(i, row);
    mysql_free_result(r);
    return true;
}

static bool inspect(struct inspection *i, struct err *e)
{
    i->shapes = arena_array(i->a, i->n, sizeof(*i->shapes));
    i->list = name_list(i);
    for (size_t k = 0; k < i->n; k++)
        i->shapes[k] = (struct shape){0};
    for (size_t k = 0; k < COUNT_OF(QUESTIONS); k++) {
        if (!ask(i, &QUESTIONS[k], e))
            return false;
    }
    return true;
}

/* --- What is wrong with it -------------------------------------------------------------------- */

static bool foreign(const char *name, struct err *e)
{
    return err_set(e, ERR_INTERNAL,
                   "mysql: table \"%s\" has not the columns nkey (VARBINARY) and nvalue "
                   "(BLOB): it belongs to something else; name another database",
                   name);
}

static bool is_table(const struct shape *s)
{
    return strcmp(s->kind, "BASE TABLE") == 0 || strcmp(s->kind, "SYSTEM VERSIONED") == 0;
}

static bool judge(const struct shape *s, const char *name, struct err *e)
{
    if (!is_table(s))
        return err_set(e, ERR_INTERNAL,
                       "mysql: \"%s\" is a %s where a table is needed; name another database", name,
                       s->kind);
    if (!s->columns)
        return foreign(name, e);
    if (!s->transactions)
        return err_set(e, ERR_INTERNAL,
                       "mysql: table \"%s\" is kept by the engine %s, which has no "
                       "transactions; ALTER TABLE `%s` ENGINE=InnoDB",
                       name, *s->engine ? s->engine : "?", name);
    if (s->padded || s->key_room < SQL_KEY_MAX)
        return err_set(e, ERR_INTERNAL,
                       "mysql: table \"%s\": the column nkey is %s(%lu) where VARBINARY(%d) is "
                       "needed; ALTER TABLE `%s` MODIFY nkey VARBINARY(%d) NOT NULL",
                       name, s->padded ? "BINARY" : "VARBINARY", s->key_room, SQL_KEY_MAX, name,
                       SQL_KEY_MAX);
    if (s->room < MYSQL_BLOB_MAX)
        return err_set(e, ERR_INTERNAL,
                       "mysql: table \"%s\": the column nvalue holds %lu bytes where a BLOB is "
                       "needed; ALTER TABLE `%s` MODIFY nvalue BLOB",
                       name, s->room, name);
    if (!s->unique)
        return err_set(e, ERR_INTERNAL,
                       "mysql: table \"%s\" has no primary or unique key on nkey alone, so a "
                       "one-time token would be good more than once; ALTER TABLE `%s` ADD PRIMARY "
                       "KEY (nkey)",
                       name, name);
    if (s->other_unique)
        return err_set(e, ERR_INTERNAL,
                       "mysql: table \"%s\" has a unique key \"%s\" on nvalue, and two rows may "
                       "have the same value; ALTER TABLE `%s` DROP KEY `%s`",
                       name, s->other_unique, name, s->other_unique);
    if (s->needs)
        return err_set(e, ERR_INTERNAL,
                       "mysql: table \"%s\" has a column \"%s\" that is NOT NULL and has no "
                       "default, so nothing can be written; give it a default or drop it",
                       name, s->needs);
    return true;
}

/* --- Making what is missing ------------------------------------------------------------------- */

static bool create_table(struct my_conn *c, const char *name, struct err *e)
{
    char sql[SQL_TEXT_MAX];
    unsigned code;

    sql_text_put(sql,
                 "CREATE TABLE IF NOT EXISTS @"
                 "(nkey VARBINARY(255), nvalue BLOB, PRIMARY KEY (nkey))",
                 '`', name);
    return my_plain(c, sql, &code, NULL, e) == SQL_DONE || code == MY_TABLE_EXISTS ||
           err_wrap(e, "create table %s", name);
}

/* Twice: what was made is looked at like the rest.  What is hidden from this user counts as
 * missing, and CREATE ... IF NOT EXISTS does not tell. */
static bool make_missing(struct inspection *i, struct err *e)
{
    bool any = false;

    for (size_t k = 0; k < i->n; k++) {
        if (i->shapes[k].there)
            continue;
        any = true;
        if (!create_table(i->c, i->names[k], e))
            return false;
    }
    if (any && !inspect(i, e))
        return false;
    for (size_t k = 0; any && k < i->n; k++) {
        if (!i->shapes[k].there)
            return err_set(e, ERR_INTERNAL,
                           "mysql: table \"%s\" is there, and the user has no privilege on it; "
                           "SELECT, INSERT, UPDATE and DELETE are needed",
                           i->names[k]);
    }
    return true;
}

/* --- May we write? ---------------------------------------------------------------------------- */

static bool refuse_write(unsigned code, const char *name, struct err *e)
{
    if (code == MY_TABLE_DENIED || code == MY_COLUMN_DENIED)
        return err_wrap(e, "table \"%s\": the user needs SELECT, INSERT, UPDATE and DELETE on it",
                        name);
    if (code == MY_OPTION_PREVENTS || code == MY_READ_ONLY_TRANSACTION || code == MY_READ_ONLY_MODE)
        return err_wrap(e, "the server takes no writes (read_only, or a replica); name the one "
                           "that does");
    return err_wrap(e, "table \"%s\"", name);
}

#define TOGETHER 16 /* a join takes 61 at most */

/* "UPDATE a,b SET a.nvalue=a.nvalue,b.nvalue=b.nvalue WHERE 1=0", "DELETE a,b FROM a,b WHERE 1=0"
 */
static const char *attempt(struct arena *a, bool update, const char *const *names, size_t n)
{
    struct buf b = buf_new(a, 1u << 16);
    char quoted[SQL_TEXT_MAX];

    buf_text(&b, update ? "UPDATE " : "DELETE ");
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t k = 0; k < n; k++) {
            bool set = pass == 1 && update;
            sql_text_put(quoted, "@", '`', names[k]);
            buf_printf(&b, "%s%s", k ? "," : "", quoted);
            if (set)
                buf_printf(&b, ".nvalue=%s.nvalue", quoted);
        }
        buf_text(&b, pass == 1 ? " WHERE 1=0" : update ? " SET " : " FROM ");
    }
    return arena_cstr(a, buf_slice(&b));
}

static bool try_together(const struct inspection *i, bool update, struct err *e)
{
    unsigned code = 0;

    for (size_t from = 0; from < i->n; from += TOGETHER) {
        size_t n = i->n - from < TOGETHER ? i->n - from : TOGETHER;
        const char *const *names = i->names + from;
        if (my_plain(i->c, attempt(i->a, update, names, n), &code, NULL, e) == SQL_DONE)
            continue;
        for (size_t k = 0; k < n; k++) { /* which of them? */
            if (my_plain(i->c, attempt(i->a, update, names + k, 1), &code, NULL, e) != SQL_DONE)
                return refuse_write(code, names[k], e);
        }
    }
    return true;
}

static bool may_write(const struct inspection *i, struct err *e)
{
    char name[SQL_TEXT_MAX];
    unsigned code;

    for (size_t k = 0; k < i->n; k++) {
        sql_text_put(name, "@", '`', i->names[k]);
        const char *sql = arena_printf(
            i->a, "INSERT INTO %s(nkey,nvalue) SELECT nkey,nvalue FROM %s WHERE 1=0", name, name);
        if (my_plain(i->c, sql, &code, NULL, e) != SQL_DONE)
            return refuse_write(code, i->names[k], e);
    }
    return try_together(i, true, e) && try_together(i, false, e);
}

/* --- All of it -------------------------------------------------------------------------------- */

static bool right_columns(MYSQL_RES *r)
{
    const MYSQL_FIELD *f = mysql_fetch_fields(r);

    return mysql_num_fields(r) == 2 &&
           (f[0].type == MYSQL_TYPE_VAR_STRING || f[0].type == MYSQL_TYPE_STRING) &&
           f[0].charsetnr == BINARY_CHARSET && f[1].charsetnr == BINARY_CHARSET &&
           f[1].type >= MYSQL_TYPE_TINY_BLOB && f[1].type <= MYSQL_TYPE_BLOB;
}

static bool readable(struct my_conn *c, const char *name, unsigned long *room, struct err *e)
{
    char sql[SQL_TEXT_MAX];
    unsigned code;
    MYSQL_RES *r = NULL;

    sql_text_put(sql, "SELECT nkey,nvalue FROM @ LIMIT 0", '`', name);
    enum sql_result result = my_plain(c, sql, &code, &r, e);
    if (code == MY_NO_SUCH_TABLE)
        return true;
    if (result == SQL_DONE && mysql_num_fields(r) == 2)
        *room = mysql_fetch_fields(r)[1].length;
    bool strange = result == SQL_DONE ? !right_columns(r) : code == MY_UNKNOWN_COLUMN;
    mysql_free_result(r);
    if (strange)
        return foreign(name, e);
    return result == SQL_DONE || err_wrap(e, "table %s", name);
}

bool my_tables_ready(const struct my_store *s, struct my_conn *c, const char *const *names,
                     size_t n, unsigned long *room, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct inspection i = {.a = a, .c = c, .names = names, .n = n};

    for (size_t k = 0; k < n && !s->base.options.make; k++) {
        room[k] = MYSQL_BLOB_MAX;
        if (!readable(c, names[k], &room[k], e))
            return false;
    }
    if (!s->base.options.make)
        return true;
    if (!inspect(&i, e) || !make_missing(&i, e))
        return false;
    for (size_t k = 0; k < n; k++) {
        if (!judge(&i.shapes[k], names[k], e))
            return false;
        room[k] = i.shapes[k].room;
    }
    return may_write(&i, e);
}
