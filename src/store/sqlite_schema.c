/*
 * What stands in the file.
 *
 * A certificate is one row of `certificates`; the reference's tables x509_certs and
 * x509_certs_data are views of it (docs/reference/storage.md).  Everything else is a key and a
 * value: short ones in `kv`, clustered by key; long ones in `kvbig`, because long rows make a
 * clustered tree deep.  Certificates that came from elsewhere (an import) stand in kvbig too, byte
 * for byte.
 *
 * An index costs at every issue.  So there are three: serial, notAfter, and what was revoked; the
 * index of names is filled behind the commits, meta.names_indexed says how far.
 */
#include "store/sqlite.h"

#define APPLICATION_ID 0x4e57454c /* "NWEL" */
#define VERSION        1

static const char SCHEMA[] =
    "CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE tables(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE kv(tbl INTEGER NOT NULL, k BLOB NOT NULL, v BLOB NOT NULL, expires INTEGER,"
    " PRIMARY KEY(tbl,k)) WITHOUT ROWID;"
    "CREATE INDEX kv_expires ON kv(expires) WHERE expires IS NOT NULL;"
    "CREATE TABLE kvbig(id INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, k BLOB NOT NULL,"
    " v BLOB NOT NULL, expires INTEGER, UNIQUE(tbl,k));"
    "CREATE INDEX kvbig_expires ON kvbig(expires) WHERE expires IS NOT NULL;"
    "CREATE TABLE certificates(id INTEGER PRIMARY KEY, serial TEXT NOT NULL UNIQUE,"
    " common_name TEXT, subject TEXT, names TEXT,"
    " not_before INTEGER NOT NULL, not_after INTEGER NOT NULL, issued_at INTEGER NOT NULL,"
    " provisioner_id TEXT, provisioner_name TEXT, provisioner_type TEXT,"
    " revoked_at INTEGER, reason_code INTEGER, reason TEXT,"
    " fingerprint TEXT, key_type TEXT, renewed_from TEXT, data BLOB, der BLOB NOT NULL);"
    "CREATE INDEX certificates_not_after ON certificates(not_after);"
    "CREATE INDEX certificates_revoked ON certificates(revoked_at) WHERE revoked_at IS NOT NULL;"
    "CREATE TABLE certificate_names(value TEXT NOT NULL COLLATE NOCASE, type TEXT NOT NULL,"
    " certificate INTEGER NOT NULL, PRIMARY KEY(value,type,certificate)) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('names_indexed',0);"

    "CREATE VIEW active AS SELECT serial, common_name, names, provisioner_name,"
    " datetime(not_before,'unixepoch') AS not_before, datetime(not_after,'unixepoch') AS not_after"
    " FROM certificates WHERE not_after>unixepoch() AND revoked_at IS NULL;"
    "CREATE VIEW expiring AS SELECT serial, common_name, names, provisioner_name,"
    " (not_after-unixepoch())/86400 AS days_left, datetime(not_after,'unixepoch') AS not_after"
    " FROM certificates WHERE not_after>unixepoch() AND not_after<unixepoch()+30*86400"
    " AND revoked_at IS NULL;"
    "CREATE VIEW revoked AS SELECT serial, common_name, names, provisioner_name,"
    " datetime(revoked_at,'unixepoch') AS revoked_at, reason_code, reason,"
    " datetime(not_after,'unixepoch') AS not_after FROM certificates WHERE revoked_at IS NOT NULL;"

    "CREATE VIEW x509_certs(nkey,nvalue) AS SELECT serial, der FROM certificates"
    " UNION ALL SELECT CAST(k AS TEXT), v FROM kvbig WHERE tbl=1"
    " AND CAST(k AS TEXT) NOT IN (SELECT serial FROM certificates);"
    "CREATE VIEW x509_certs_data(nkey,nvalue) AS SELECT serial, data FROM certificates"
    " WHERE data IS NOT NULL UNION ALL SELECT CAST(k AS TEXT), v FROM kv WHERE tbl=2"
    " AND CAST(k AS TEXT) NOT IN (SELECT serial FROM certificates WHERE data IS NOT NULL);";

/* The other tables of the reference, as views. */
static bool create_table(struct conn *c, enum table t, struct err *e)
{
    const struct table_info *info = &TABLE_INFO[t];
    bool own_view = t == TABLE_X509_CERTS || t == TABLE_X509_CERTS_DATA;
    char sql[400];

    sqlite3_snprintf(sizeof(sql), sql, "INSERT INTO tables VALUES(%d,%Q)", info->id, info->name);
    if (!sqlite_conn_exec(c, sql, e))
        return false;
    sqlite3_snprintf(
        sizeof(sql), sql,
        "CREATE VIEW %Q(nkey,nvalue) AS SELECT CAST(k AS TEXT), v FROM %s WHERE tbl=%d", info->name,
        info->big ? "kvbig" : "kv", info->id);
    return own_view || sqlite_conn_exec(c, sql, e);
}

static bool create_all(struct conn *c, struct err *e)
{
    char sql[100];

    if (!sqlite_conn_exec(c, SCHEMA, e))
        return false;
    for (size_t t = 0; t < TABLES; t++) {
        if (!create_table(c, (enum table)t, e))
            return false;
    }
    sqlite3_snprintf(sizeof(sql), sql, "PRAGMA application_id=%d; PRAGMA user_version=%d",
                     APPLICATION_ID, VERSION);
    return sqlite_conn_exec(c, sql, e);
}

/* *empty: a new file, or one whose creation did not get far. */
static bool look(struct conn *c, bool *empty, struct err *e)
{
    int64_t id, version, objects;

    if (!sqlite_conn_number(c, "PRAGMA application_id", &id, e) ||
        !sqlite_conn_number(c, "PRAGMA user_version", &version, e) ||
        !sqlite_conn_number(c, "SELECT count(*) FROM sqlite_schema", &objects, e))
        return false;
    *empty = id == 0 && version == 0 && objects == 0;
    if (*empty)
        return true;
    if (id != APPLICATION_ID)
        return err_set(e, ERR_INTERNAL,
                       "store %s: an SQLite file of another program (application id 0x%08x, "
                       "expected 0x%08x)",
                       c->path, (unsigned)id, APPLICATION_ID);
    if (version > VERSION)
        return err_set(e, ERR_INTERNAL,
                       "store %s: written by a newer release (schema %d, this one knows %d); "
                       "use that release, or restore a backup from before the upgrade",
                       c->path, (int)version, VERSION);
    if (version < 1)
        return err_set(e, ERR_INTERNAL, "store %s: schema version %d does not exist", c->path,
                       (int)version);
    return true;
}

/* Another process may have been faster: looked at again under the lock. */
static bool create(struct conn *c, struct err *e)
{
    bool empty;

    if (!sqlite_conn_exec(c, "BEGIN IMMEDIATE", e))
        return false;
    if (look(c, &empty, e) && (!empty || create_all(c, e)) && sqlite_conn_exec(c, "COMMIT", e))
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

/* Every statement fits: a table or a column that is missing shows now and not in a request. */
static bool prepare_all(struct conn *c, struct err *e)
{
    for (size_t i = 0; i < STMTS; i++) {
        if (!sqlite_conn_stmt(c, (enum stmt)i, e))
            return false;
    }
    return true;
}

bool sqlite_schema_ready(struct conn *c, struct err *e)
{
    bool empty;

    if (!look(c, &empty, e))
        return false;
    /* Only before the first table does this hold. */
    if (empty && !sqlite_conn_exec(c, "PRAGMA auto_vacuum=INCREMENTAL", e))
        return false;
    return write_ahead(c, e) && (!empty || create(c, e)) && prepare_all(c, e);
}
