/*
 * One SQLite connection: how it is opened, its prepared statements, and what its error codes mean
 * to us.  A connection belongs to one thread at a time, so SQLite's own mutexes are off.
 *
 * synchronous=FULL in WAL mode: a commit has been fsynced when it returns.  That is the promise
 * behind every answer: a used token or a revocation survives a power cut.
 */
#include <errno.h>
#include <stdlib.h>

#include "store/sqlite.h"

static const char *const SQL[STMTS] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",

    [ST_KV_GET] = "SELECT v FROM kv WHERE tbl=?1 AND k=?2",
    [ST_KV_PUT] = "INSERT INTO kv(tbl,k,v,expires) VALUES(?1,?2,?3,?4)"
                  " ON CONFLICT(tbl,k) DO UPDATE SET v=excluded.v, expires=excluded.expires",
    [ST_KV_REMOVE] = "DELETE FROM kv WHERE tbl=?1 AND k=?2",
    [ST_KV_SCAN] = "SELECT k,v FROM kv WHERE tbl=?1 AND k>?2 ORDER BY k LIMIT ?3",
    [ST_BIG_GET] = "SELECT v FROM kvbig WHERE tbl=?1 AND k=?2",
    [ST_BIG_PUT] = "INSERT INTO kvbig(tbl,k,v,expires) VALUES(?1,?2,?3,?4)"
                   " ON CONFLICT(tbl,k) DO UPDATE SET v=excluded.v, expires=excluded.expires",
    [ST_BIG_REMOVE] = "DELETE FROM kvbig WHERE tbl=?1 AND k=?2",
    [ST_BIG_SCAN] = "SELECT k,v FROM kvbig WHERE tbl=?1 AND k>?2 ORDER BY k LIMIT ?3",

    /* Of one space of serial numbers: ?2 is 0 for X.509 and 1 for SSH. */
    [ST_CERT_GET] = "SELECT der FROM certificates WHERE serial=?1 AND ssh=?2",
    [ST_CERT_SCAN] =
        "SELECT serial,der FROM certificates WHERE serial>?1 AND ssh=?2 ORDER BY serial LIMIT ?3",
    /* The texts in the order of ISSUED_TEXT_AT. */
    [ST_CERT_ISSUE] =
        "INSERT INTO certificates(serial,der,data,subject,common_name,names,fingerprint,key_type,"
        "provisioner_id,provisioner_name,provisioner_type,renewed_from,ca_key,"
        "not_before,not_after,issued_at,kind) "
        "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)",
    [ST_CERT_SET_DER] = "UPDATE certificates SET der=?3 WHERE serial=?1 AND ssh=?2",
    [ST_CERT_SAVE_DATA] = "INSERT INTO kv(tbl,k,v) SELECT ?2,CAST(serial AS BLOB),data"
                          " FROM certificates WHERE serial=?1 AND ssh=0 AND data IS NOT NULL"
                          " ON CONFLICT(tbl,k) DO UPDATE SET v=excluded.v",
    [ST_CERT_NAMES] = "SELECT id,names,common_name,subject FROM certificates"
                      " WHERE serial=?1 AND ssh=?2",
    [ST_CERT_REMOVE] = "DELETE FROM certificates WHERE serial=?1 AND ssh=?2",
    [ST_CERT_REVOKE] = "UPDATE certificates SET revoked_at=?3,reason_code=?4,reason=?5"
                       " WHERE serial=?1 AND ssh=?2",
    [ST_CERT_UNREVOKE] = "UPDATE certificates SET revoked_at=NULL,reason_code=NULL,reason=NULL"
                         " WHERE serial=?1 AND ssh=?2",
    [ST_DATA_GET] = "SELECT data FROM certificates WHERE serial=?1 AND ssh=0 AND data IS NOT NULL",
    [ST_DATA_SCAN] = "SELECT serial,data FROM certificates"
                     " WHERE serial>?1 AND ssh=0 AND data IS NOT NULL ORDER BY serial LIMIT ?2",
    [ST_DATA_SET] = "UPDATE certificates SET data=?2 WHERE serial=?1 AND ssh=0",

    [ST_NAMES_BEHIND] = "SELECT coalesce((SELECT max(id) FROM certificates),0) >"
                        " (SELECT value FROM meta WHERE name='names_indexed')",
    [ST_NAMES_NEXT] = "SELECT id,names,common_name,subject FROM certificates"
                      " WHERE id>(SELECT value FROM meta WHERE name='names_indexed')"
                      " ORDER BY id LIMIT ?1",
    [ST_NAME_ADD] = "INSERT OR IGNORE INTO certificate_names(value,type,certificate)"
                    " VALUES(?1,?2,?3)",
    [ST_NAME_REMOVE] =
        "DELETE FROM certificate_names WHERE value=?1 AND type=?2 AND certificate=?3",
    [ST_NAMES_DONE] = "UPDATE meta SET value=?1 WHERE name='names_indexed'",
    /* A row id may be given again when the newest certificate goes. */
    [ST_NAMES_STEP_BACK] = "UPDATE meta SET value=min(value,"
                           "coalesce((SELECT max(id) FROM certificates),0))"
                           " WHERE name='names_indexed'",

    [ST_KV_EXPIRED] = "SELECT tbl,k FROM kv WHERE expires IS NOT NULL AND expires<?1 LIMIT ?2",
    [ST_TABLE_FIND] = "SELECT id FROM tables WHERE name=?1",
    [ST_TABLE_ADD] = "INSERT INTO tables(id,name,made)"
                     " SELECT max(1000,max(id)+1),?1,1 FROM tables",
    [ST_TABLE_MADE] = "UPDATE tables SET made=1 WHERE name=?1 AND made=0",
    [ST_TABLES] =
        "SELECT name FROM tables AS t WHERE made=1 OR EXISTS(SELECT 1 FROM kv WHERE tbl=t.id)"
        " OR EXISTS(SELECT 1 FROM kvbig WHERE tbl=t.id)"
        " OR (t.id=1 AND EXISTS(SELECT 1 FROM certificates WHERE ssh=0))"
        " OR (t.id=7 AND EXISTS(SELECT 1 FROM certificates WHERE ssh=1))"
        " OR (t.id=2 AND EXISTS(SELECT 1 FROM certificates WHERE data IS NOT NULL))"
        " ORDER BY CAST(name AS BLOB)",
    [ST_CERT_SET_PROVISIONER] = "UPDATE certificates SET provisioner_id=?2,provisioner_name=?3,"
                                "provisioner_type=?4 WHERE serial=?1 AND ssh=0",
    [ST_CERT_DESCRIBE] =
        "UPDATE certificates SET subject=?2,common_name=?3,names=?4,fingerprint=?5,key_type=?6,"
        "not_before=?7,not_after=?8,ca_key=?9,kind=?10 WHERE id=?1",
    [ST_CERT_WALK] =
        "SELECT id,serial,der,subject,common_name,names,fingerprint,key_type,"
        "not_before,not_after,data,revoked_at,provisioner_name,kind,ca_key FROM certificates"
        " WHERE id>?1 ORDER BY id LIMIT ?2",
    [ST_PROBE] = "INSERT INTO meta(name,value) VALUES('probed',?1)"
                 " ON CONFLICT(name) DO UPDATE SET value=excluded.value",

    /* What only an issue knows; what is not known here says nothing. */
    [ST_CERT_ANNOTATE] =
        "UPDATE certificates SET renewed_from=coalesce(?3,renewed_from),"
        "issued_at=coalesce(?4,issued_at),provisioner_id=coalesce(?5,provisioner_id),"
        "provisioner_name=coalesce(?6,provisioner_name),"
        "provisioner_type=coalesce(?7,provisioner_type) WHERE serial=?1 AND ssh=?2",

    [ST_BIG_PRUNE] = "DELETE FROM kvbig WHERE id IN (SELECT id FROM kvbig"
                     " WHERE expires IS NOT NULL AND expires<?1 LIMIT ?2)",
};

/* --- Errors -------------------------------------------------------------------------------- */

/* What a code says about us: is it worth trying again later, is the connection still good? */
static const struct meaning {
    int code; /* primary */
    enum err_kind kind;
    bool broken;
} MEANINGS[] = {
    {SQLITE_FULL, ERR_UNAVAILABLE, false},    {SQLITE_BUSY, ERR_UNAVAILABLE, false},
    {SQLITE_LOCKED, ERR_UNAVAILABLE, false},  {SQLITE_NOMEM, ERR_UNAVAILABLE, false},
    {SQLITE_TOOBIG, ERR_TOO_LARGE, false},    {SQLITE_CONSTRAINT, ERR_INTERNAL, false},
    {SQLITE_IOERR, ERR_UNAVAILABLE, true},    {SQLITE_READONLY, ERR_UNAVAILABLE, true},
    {SQLITE_CANTOPEN, ERR_UNAVAILABLE, true}, {SQLITE_PROTOCOL, ERR_UNAVAILABLE, true},
    {SQLITE_PERM, ERR_UNAVAILABLE, true},     {SQLITE_CORRUPT, ERR_INTERNAL, true},
    {SQLITE_NOTADB, ERR_INTERNAL, true},
};

static const struct meaning *meaning_of(int code)
{
    static const struct meaning OTHER = {0, ERR_INTERNAL, false};

    for (size_t i = 0; i < COUNT_OF(MEANINGS); i++) {
        if (MEANINGS[i].code == (code & 0xff))
            return &MEANINGS[i];
    }
    return &OTHER;
}

/* errno behind "disk I/O error": SQLite tells it for the connection, or only for the file. */
static int system_error(struct conn *c)
{
    sqlite3_file *file = NULL;
    int number = sqlite3_system_errno(c->db);

    if (number)
        return number;
    sqlite3_file_control(c->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
    if (file && file->pMethods) /* the write-ahead log */
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number);
    if (!number)
        sqlite3_file_control(c->db, "main", SQLITE_FCNTL_LAST_ERRNO, &number);
    return number;
}

bool sqlite_conn_fail(struct conn *c, int code, struct err *e)
{
    const struct meaning *meaning = meaning_of(code);
    const char *text = c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(code);

    if (meaning->broken)
        c->broken = code;
    if ((code & 0xff) == SQLITE_FULL)
        c->full = true;
    if ((code & 0xff) == SQLITE_INTERRUPT && !deadline_ok(c->deadline, e))
        return err_wrap(e, "store %s", c->path);
    bool input_output = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
    int system = input_output && c->db ? system_error(c) : 0;
    if (system == ENOSPC || system == EDQUOT)
        c->full = true;
    if (system)
        return err_set(e, meaning->kind, "store %s: %s (%s)", c->path, text, strerror(system));
    return err_set(e, meaning->kind, "store %s: %s", c->path, text);
}

/* --- Statements ---------------------------------------------------------------------------- */

bool sqlite_conn_exec(struct conn *c, const char *sql, struct err *e)
{
    int code = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? true : sqlite_conn_fail(c, code, e);
}

bool sqlite_conn_number(struct conn *c, const char *sql, int64_t *value, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(c->db, sql, -1, &st, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(st);
    if (code != SQLITE_ROW) {
        sqlite_conn_fail(c, code, e);
        sqlite3_finalize(st);
        return false;
    }
    *value = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return true;
}

sqlite3_stmt *sqlite_conn_stmt(struct conn *c, enum stmt which, struct err *e)
{
    if (c->stmts[which])
        return c->stmts[which];
    int code = sqlite3_prepare_v3(c->db, SQL[which], -1, SQLITE_PREPARE_PERSISTENT,
                                  &c->stmts[which], NULL);
    if (code == SQLITE_OK)
        return c->stmts[which];
    sqlite_conn_fail(c, code, e);
    return NULL;
}

bool sqlite_conn_step(struct conn *c, sqlite3_stmt *st, bool *row, struct err *e)
{
    int code = sqlite3_step(st);

    *row = code == SQLITE_ROW;
    if (*row)
        return true;
    if (code != SQLITE_DONE)
        sqlite_conn_fail(c, code, e);
    sqlite3_reset(st);
    return code == SQLITE_DONE;
}

bool sqlite_conn_run(struct conn *c, sqlite3_stmt *st, struct err *e)
{
    bool row;

    if (!sqlite_conn_step(c, st, &row, e))
        return false;
    if (row)
        sqlite3_reset(st);
    return true;
}

bool sqlite_conn_do(struct conn *c, enum stmt which, struct err *e)
{
    sqlite3_stmt *st = sqlite_conn_stmt(c, which, e);

    return st && sqlite_conn_run(c, st, e);
}

void sqlite_bind_blob(sqlite3_stmt *st, int at, struct slice value)
{
    sqlite3_bind_blob64(st, at, value.n ? (const void *)value.p : "", value.n, SQLITE_STATIC);
}

void sqlite_bind_text(sqlite3_stmt *st, int at, struct slice value)
{
    sqlite3_bind_text64(st, at, value.n ? (const char *)value.p : "", value.n, SQLITE_STATIC,
                        SQLITE_UTF8);
}

void sqlite_bind_text_or_null(sqlite3_stmt *st, int at, struct slice value)
{
    if (value.n)
        sqlite_bind_text(st, at, value);
    else
        sqlite3_bind_null(st, at);
}

struct slice sqlite_column(sqlite3_stmt *st, int at)
{
    const void *p = sqlite3_column_blob(st, at);
    int n = sqlite3_column_bytes(st, at);

    return p && n > 0 ? slice_of(p, (size_t)n) : SLICE("");
}

/* --- Opening ------------------------------------------------------------------------------- */

/* Called by SQLite every few thousand steps; non-zero ends the query. */
static int too_late(void *arg)
{
    const struct conn *c = arg;

    return deadline_ok(c->deadline, NULL) ? 0 : 1;
}

void sqlite_conn_deadline(struct conn *c, struct deadline d)
{
    bool any = d.clock || d.cancelled;

    c->deadline = d;
    sqlite3_progress_handler(c->db, any ? 10000 : 0, any ? too_late : NULL, c);
}

/* SQLite opens what may not be written for reading, without a word. */
static bool open_file(struct conn *c, struct err *e)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int code = sqlite3_open_v2(c->path, &c->db, flags, NULL);

    if (code != SQLITE_OK)
        return sqlite_conn_fail(c, code, e);
    if (sqlite3_db_readonly(c->db, "main") != 0)
        return err_set(e, ERR_FORBIDDEN, "store %s: not writable", c->path);
    return true;
}

static bool settle(struct conn *c, struct err *e)
{
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_busy_timeout(c->db, 5000);
    /* A small cache of pages: the system has them too, and for less memory of ours. */
    return sqlite_conn_exec(c,
                            "PRAGMA trusted_schema=OFF; PRAGMA foreign_keys=ON;"
                            "PRAGMA cell_size_check=ON; PRAGMA synchronous=FULL;"
                            "PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864;"
                            "PRAGMA cache_size=-1024",
                            e);
}

bool sqlite_conn_open(struct conn *c, const char *path, struct err *e)
{
    *c = (struct conn){.path = path};
    if (open_file(c, e) && settle(c, e))
        return true;
    sqlite_conn_close(c);
    return false;
}

/* A file name as SQLite reads it behind "file:" (https://www.sqlite.org/uri.html). */
static const char *uri_of(struct arena *a, const char *path, bool immutable)
{
    struct buf b = buf_new(a, 1u << 16);

    buf_text(&b, "file:");
    for (; *path; path++) {
        unsigned char ch = (unsigned char)*path;
        if (ch <= ' ' || ch >= 0x7f || strchr("%?#", ch))
            buf_printf(&b, "%%%02X", ch);
        else
            buf_byte(&b, ch);
    }
    buf_text(&b, immutable ? "?immutable=1" : "");
    buf_byte(&b, '\0');
    return buf_done(&b, "name of a file", NULL) ? (const char *)b.p : "";
}

/* SELECT newel_has_name(names, san): of certificates that the index of names has not yet. */
static void has_name(sqlite3_context *ctx, int n UNUSED, sqlite3_value **v)
{
    struct slice part[2];

    for (int i = 0; i < 2; i++) {
        const void *p = sqlite3_value_blob(v[i]);
        part[i] = p ? slice_of(p, (size_t)sqlite3_value_bytes(v[i])) : SLICE("");
    }
    sqlite3_result_int(ctx, inventory_has_name(part[0], part[1]));
}

bool sqlite_conn_reads(struct conn *c, struct err *e)
{
    int code = sqlite3_create_function(c->db, "newel_has_name", 2,
                                       SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
                                       has_name, NULL, NULL);

    return (code == SQLITE_OK || sqlite_conn_fail(c, code, e)) &&
           sqlite_conn_exec(c, "PRAGMA query_only=ON", e);
}

bool sqlite_conn_open_read(struct conn *c, const char *path, bool immutable, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    int flags =
        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_URI;

    *c = (struct conn){.path = path};
    int code = sqlite3_open_v2(uri_of(a, path, immutable), &c->db, flags, NULL);
    if ((code == SQLITE_OK || sqlite_conn_fail(c, code, e)) && settle(c, e) &&
        sqlite_schema_read(c, e) && sqlite_conn_reads(c, e))
        return true;
    code = c->broken;
    sqlite_conn_close(c);
    c->broken = code;
    return false;
}

void sqlite_conn_close(struct conn *c)
{
    for (size_t i = 0; i < STMTS; i++)
        sqlite3_finalize(c->stmts[i]);
    sqlite3_close_v2(c->db);
    *c = (struct conn){.path = c->path};
}
