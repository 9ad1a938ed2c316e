/*
 * What stands in the file.
 *
 * A certificate, X.509 or SSH, is one row of `certificates`; the reference's tables x509_certs,
 * x509_certs_data and ssh_certs are views of it (docs/reference/storage.md).  Everything else is a
 * key and a value: short ones in `kv`, clustered by key; long ones in `kvbig`, because long rows
 * make a clustered tree deep, and the orders of ACME with what belongs to them: new rows stand side
 * by side at its end, where a clustered tree would split pages at three places.  Certificates that
 * came from elsewhere (an import) stand in kvbig too, byte for byte.
 *
 * Other tables that an import brought are kept in kvbig as well, under numbers from 1000 on, with a
 * view each.  tables.made says which tables exist although they are empty.
 *
 * An index costs at every issue.  So there are three: serial number (two spaces of them, for X.509
 * and for SSH), notAfter, and what was revoked; the
 * index of names is filled behind the commits, meta.names_indexed says how far.
 */
#include <stdarg.h>

#include "base/log.h"
#include "store/sqlite.h"

#define APPLICATION_ID 0x4e57454c /* "NWEL" */
#define VERSION        4

#define CERTIFICATES                                                                               \
    "CREATE TABLE certificates(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, serial TEXT NOT NULL,"  \
    " common_name TEXT, subject TEXT, names TEXT,"                                                 \
    " not_before INTEGER NOT NULL, not_after INTEGER NOT NULL, issued_at INTEGER NOT NULL,"        \
    " provisioner_id TEXT, provisioner_name TEXT, provisioner_type TEXT,"                          \
    " revoked_at INTEGER, reason_code INTEGER, reason TEXT,"                                       \
    " fingerprint TEXT, key_type TEXT, renewed_from TEXT, ca_key TEXT, data BLOB,"                 \
    " der BLOB NOT NULL, ssh INTEGER AS (kind<>'x509'));"
#define CERTIFICATE_INDEXES                                                                        \
    "CREATE UNIQUE INDEX certificates_serial ON certificates(ssh,serial);"                         \
    "CREATE INDEX certificates_not_after ON certificates(not_after);"                              \
    "CREATE INDEX certificates_revoked ON certificates(revoked_at) WHERE revoked_at IS NOT NULL;"

static const char SCHEMA[] =
    "CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE tables(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " made INTEGER NOT NULL DEFAULT 1);"
    "CREATE TABLE kv(tbl INTEGER NOT NULL, k BLOB NOT NULL, v BLOB NOT NULL, expires INTEGER,"
    " PRIMARY KEY(tbl,k)) WITHOUT ROWID;"
    "CREATE INDEX kv_expires ON kv(expires) WHERE expires IS NOT NULL;"
    "CREATE TABLE kvbig(id INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, k BLOB NOT NULL,"
    " v BLOB NOT NULL, expires INTEGER, UNIQUE(tbl,k));"
    "CREATE INDEX kvbig_expires ON kvbig(expires) WHERE expires IS NOT NULL;" CERTIFICATES
        CERTIFICATE_INDEXES
    "CREATE TABLE certificate_names(value TEXT NOT NULL COLLATE NOCASE, type TEXT NOT NULL,"
    " certificate INTEGER NOT NULL, PRIMARY KEY(value,type,certificate)) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('names_indexed',0);";

/* For people who come with SQL. */
static const char PEOPLE_VIEWS[] =
    "CREATE VIEW active AS SELECT kind, serial, common_name, names, provisioner_name,"
    " datetime(not_before,'unixepoch') AS not_before, datetime(not_after,'unixepoch') AS not_after"
    " FROM certificates WHERE not_after>unixepoch() AND revoked_at IS NULL;"
    "CREATE VIEW expiring AS SELECT kind, serial, common_name, names, provisioner_name,"
    " (not_after-unixepoch())/86400 AS days_left, datetime(not_after,'unixepoch') AS not_after"
    " FROM certificates WHERE not_after>unixepoch() AND not_after<unixepoch()+30*86400"
    " AND revoked_at IS NULL;"
    "CREATE VIEW revoked AS SELECT kind, serial, common_name, names, provisioner_name,"
    " datetime(revoked_at,'unixepoch') AS revoked_at, reason_code, reason,"
    " datetime(not_after,'unixepoch') AS not_after FROM certificates WHERE revoked_at IS NOT NULL;";

/* Keys are texts but for a few that no client can have chosen. */
#define NKEY                                                                                       \
    "CASE WHEN instr(k,x'00')>0 OR CAST(k AS TEXT) GLOB '*[^ -~]*' THEN k"                         \
    " ELSE CAST(k AS TEXT) END"

/* Three of the reference's tables are mostly rows of certificates. */
static const char CERTIFICATE_VIEWS[] =
    "CREATE VIEW x509_certs(nkey,nvalue) AS SELECT serial, der FROM certificates WHERE ssh=0"
    " UNION ALL SELECT " NKEY ", v FROM kvbig WHERE tbl=1"
    " AND CAST(k AS TEXT) NOT IN (SELECT serial FROM certificates WHERE ssh=0);"
    "CREATE VIEW x509_certs_data(nkey,nvalue) AS SELECT serial, data FROM certificates"
    " WHERE data IS NOT NULL UNION ALL SELECT " NKEY ", v FROM kv WHERE tbl=2"
    " AND CAST(k AS TEXT) NOT IN"
    " (SELECT serial FROM certificates WHERE ssh=0 AND data IS NOT NULL);"
    "CREATE VIEW ssh_certs(nkey,nvalue) AS SELECT serial, der FROM certificates WHERE ssh=1"
    " UNION ALL SELECT " NKEY ", v FROM kvbig WHERE tbl=7"
    " AND CAST(k AS TEXT) NOT IN (SELECT serial FROM certificates WHERE ssh=1);";

static bool exec_format(struct conn *c, struct err *e, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    bool ok = sql ? sqlite_conn_exec(c, sql, e) : sqlite_conn_fail(c, SQLITE_NOMEM, e);
    sqlite3_free(sql);
    return ok;
}

/* A name that something of ours has, or that is no text, gets no view. */
static bool view_name_free(struct conn *c, struct slice name, bool *is_free, struct err *e)
{
    sqlite3_stmt *st = NULL;
    bool row;

    *is_free = false;
    if (slice_has_nul(name) || !slice_is_utf8(name) || name.n == 0)
        return true;
    int code = sqlite3_prepare_v2(c->db,
                                  "SELECT 1 FROM sqlite_schema WHERE name=?1 COLLATE NOCASE"
                                  " UNION ALL SELECT 1 WHERE lower(?1) GLOB 'sqlite_*'",
                                  -1, &st, NULL);
    if (code != SQLITE_OK)
        return sqlite_conn_fail(c, code, e);
    sqlite_bind_text(st, 1, name);
    bool ok = sqlite_conn_step(c, st, &row, e);
    *is_free = ok && !row;
    sqlite3_finalize(st);
    return ok;
}

bool sqlite_table_view(struct conn *c, int id, struct slice name, bool big, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    bool is_free;

    if (!view_name_free(c, name, &is_free, e))
        return false;
    return !is_free ||
           exec_format(c, e,
                       "CREATE VIEW \"%w\"(nkey,nvalue) AS SELECT " NKEY ", v FROM %s WHERE tbl=%d",
                       arena_cstr(a, name), big ? "kvbig" : "kv", id);
}

static bool create_views(struct conn *c, struct err *e)
{
    if (!sqlite_conn_exec(c, PEOPLE_VIEWS, e) || !sqlite_conn_exec(c, CERTIFICATE_VIEWS, e))
        return false;
    for (size_t t = 0; t < TABLES; t++) {
        const struct table_info *info = &TABLE_INFO[t];
        bool done = t == TABLE_X509_CERTS || t == TABLE_X509_CERTS_DATA || t == TABLE_SSH_CERTS;
        if (!done && !sqlite_table_view(c, info->id, slice_text(info->name), info->big, e))
            return false;
    }
    return true;
}

/* Tables that the reference makes only with remote management. */
static bool usually_made(size_t t)
{
    return t != TABLE_ADMINS && t != TABLE_PROVISIONERS && t != TABLE_POLICIES;
}

bool sqlite_schema_create(struct conn *c, bool bare, struct err *e)
{
    if (!sqlite_conn_exec(c, SCHEMA, e))
        return false;
    for (size_t t = 0; t < TABLES; t++) {
        if (!exec_format(c, e, "INSERT INTO tables VALUES(%d,%Q,%d)", TABLE_INFO[t].id,
                         TABLE_INFO[t].name, !bare && usually_made(t)))
            return false;
    }
    return create_views(c, e) &&
           exec_format(c, e, "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID,
                       VERSION);
}

/* --- Older files --------------------------------------------------------------------------- */

static bool drop_views(struct conn *c, struct err *e)
{
    for (size_t t = 0; t < TABLES; t++) {
        if (!exec_format(c, e, "DROP VIEW IF EXISTS \"%w\"", TABLE_INFO[t].name))
            return false;
    }
    return sqlite_conn_exec(c,
                            "DROP VIEW IF EXISTS active; DROP VIEW IF EXISTS expiring;"
                            "DROP VIEW IF EXISTS revoked",
                            e);
}

/* 1 -> 2: which tables exist; the table of imports. */
static bool from_1(struct conn *c, struct err *e)
{
    if (!sqlite_conn_exec(c, "ALTER TABLE tables ADD COLUMN made INTEGER NOT NULL DEFAULT 1", e))
        return false;
    for (size_t t = 0; t < TABLES; t++) {
        if (!exec_format(c, e, "INSERT OR IGNORE INTO tables VALUES(%d,%Q,1)", TABLE_INFO[t].id,
                         TABLE_INFO[t].name) ||
            !exec_format(c, e, "UPDATE tables SET made=%d WHERE id=%d", usually_made(t),
                         TABLE_INFO[t].id))
            return false;
    }
    return true;
}

/* 2 -> 3: SSH certificates are rows too.  Serial numbers were unique by themselves, and that cannot
 * be taken from a table: it is written anew.  Those SSH certificates that stand among the keys and
 * values stay there until `step-ca db reindex`. */
static bool from_2(struct conn *c, struct err *e)
{
#define KEPT                                                                                       \
    "id,serial,common_name,subject,names,not_before,not_after,issued_at,provisioner_id,"           \
    "provisioner_name,provisioner_type,revoked_at,reason_code,reason,fingerprint,key_type,"        \
    "renewed_from,data,der"
    static const char SQL[] = "DROP INDEX certificates_not_after; DROP INDEX certificates_revoked;"
                              "ALTER TABLE certificates RENAME TO certificates_2;" CERTIFICATES
                              "INSERT INTO certificates(kind," KEPT ") SELECT 'x509'," KEPT
                              " FROM certificates_2 ORDER BY id;"
                              "DROP TABLE certificates_2;" CERTIFICATE_INDEXES;
#undef KEPT

    return sqlite_conn_exec(c, SQL, e);
}

/* 3 -> 4: orders, authorizations and challenges of ACME stand in kvbig. */
static bool from_3(struct conn *c, struct err *e)
{
    return sqlite_conn_exec(c,
                            "INSERT INTO kvbig(tbl,k,v,expires) SELECT tbl,k,v,expires FROM kv"
                            " WHERE tbl IN (14,15,16) ORDER BY tbl,k;"
                            "DELETE FROM kv WHERE tbl IN (14,15,16)",
                            e);
}

typedef bool migration(struct conn *c, struct err *e);
static migration *const MIGRATIONS[VERSION] = {
    [1] = from_1, [2] = from_2, [3] = from_3}; /* from that version to the next */

static bool migrate(struct conn *c, int64_t version, struct err *e)
{
    if (version == VERSION)
        return true;
    log_line("store %s: its schema %d is brought to %d; with millions of certificates this takes "
             "minutes",
             c->path, (int)version, VERSION);
    if (!drop_views(c, e))
        return false;
    for (; version < VERSION; version++) {
        if (!MIGRATIONS[version](c, e))
            return err_wrap(e, "schema %d to %d", (int)version, (int)version + 1);
    }
    return create_views(c, e) && exec_format(c, e, "PRAGMA user_version=%d", VERSION);
}

/* --- Opening ------------------------------------------------------------------------------- */

/* *version 0: a new file, or one whose creation did not get far. */
static bool look(struct conn *c, int64_t *version, struct err *e)
{
    int64_t id, objects;

    if (!sqlite_conn_number(c, "PRAGMA application_id", &id, e) ||
        !sqlite_conn_number(c, "PRAGMA user_version", version, e) ||
        !sqlite_conn_number(c, "SELECT count(*) FROM sqlite_schema", &objects, e))
        return false;
    if (id == 0 && *version == 0 && objects == 0)
        return true;
    if (id != APPLICATION_ID)
        return err_set(e, ERR_INTERNAL,
                       "store %s: an SQLite file of another program (application id 0x%08x, "
                       "expected 0x%08x)",
                       c->path, (unsigned)id, APPLICATION_ID);
    if (*version > VERSION)
        return err_set(e, ERR_INTERNAL,
                       "store %s: written by a newer release (schema %d, this one knows %d); "
                       "use that release, or restore a backup from before the upgrade",
                       c->path, (int)*version, VERSION);
    if (*version < 1)
        return err_set(e, ERR_INTERNAL, "store %s: schema version %d does not exist", c->path,
                       (int)*version);
    return true;
}

static bool bring_up(struct conn *c, bool bare, struct err *e)
{
    int64_t version;

    if (!look(c, &version, e))
        return false;
    return version == 0 ? sqlite_schema_create(c, bare, e) : migrate(c, version, e);
}

/* Another process may have been faster: looked at again under the lock. */
static bool bring_up_locked(struct conn *c, bool bare, struct err *e)
{
    if (!sqlite_conn_exec(c, "BEGIN IMMEDIATE", e))
        return false;
    if (bring_up(c, bare, e) && sqlite_conn_exec(c, "COMMIT", e))
        return true;
    if (!sqlite3_get_autocommit(c->db))
        sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

static bool write_ahead(struct conn *c, struct err *e)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(c->db, "PRAGMA journal_mode=WAL", -1, &st, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(st);
    bool wal = code == SQLITE_ROW && slice_is(sqlite_column(st, 0), "wal");
    if (code != SQLITE_ROW)
        sqlite_conn_fail(c, code, e);
    else if (!wal)
        err_set(e, ERR_INTERNAL, "store %s: its file system does not support a write-ahead log",
                c->path);
    sqlite3_finalize(st);
    return wal;
}

/* What our statements name and an older file has not, for this connection alone. */
static bool dress(struct conn *c, struct err *e)
{
    static const struct {
        int before; /* that version */
        const char *sql;
    } VIEWS[] = {
        {2, "CREATE TEMP VIEW tables AS SELECT *, name NOT IN"
            " ('admins','provisioners','authority_policies') AS made FROM main.tables"},
        {3, "CREATE TEMP VIEW certificates AS SELECT *, 'x509' AS kind, 0 AS ssh, NULL AS ca_key"
            " FROM main.certificates"},
        {4, "CREATE TEMP VIEW kvbig AS SELECT id,tbl,k,v,expires FROM main.kvbig UNION ALL"
            " SELECT NULL,tbl,k,v,expires FROM main.kv WHERE tbl IN (14,15,16)"},
    };

    for (size_t i = 0; i < COUNT_OF(VIEWS); i++) {
        if (c->older < VIEWS[i].before && !sqlite_conn_exec(c, VIEWS[i].sql, e))
            return false;
    }
    return true;
}

bool sqlite_schema_read(struct conn *c, struct err *e)
{
    int64_t version;

    if (!look(c, &version, e))
        return false;
    if (version == 0)
        return err_set(e, ERR_NOT_FOUND, "store %s: there is no database in it yet", c->path);
    c->older = version < VERSION ? (int)version : 0;
    return c->older == 0 || dress(c, e);
}

/* Every statement fits: a table or a column that is missing shows now and not in a request. */
static bool prepare_all(struct conn *c, struct err *e)
{
    for (size_t i = 0; i < STMTS; i++) {
        if (!sqlite_conn_stmt(c, (enum stmt)i, e))
            return false;
    }
    return true;
}

bool sqlite_schema_ready(struct conn *c, bool bare, struct err *e)
{
    int64_t version;

    if (!look(c, &version, e))
        return false;
    /* Only before the first table does this hold. */
    if (version == 0 && !sqlite_conn_exec(c, "PRAGMA auto_vacuum=INCREMENTAL", e))
        return false;
    return write_ahead(c, e) && (version == VERSION || bring_up_locked(c, bare, e)) &&
           prepare_all(c, e);
}
