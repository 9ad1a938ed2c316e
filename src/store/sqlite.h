/*
 * The SQLite engine among its own files.
 *
 *   sqlite.c            the store as the rest of the house sees it; opening the file
 *   sqlite_conn.c       one connection: pragmas, prepared statements, errors
 *   sqlite_schema.c     what stands in the file; views for people who come with SQL
 *   sqlite_write.c      one batch on one connection
 *   sqlite_writer.c     the queue and the thread that commits it in groups
 *   sqlite_checkpoint.c the log goes back into the file
 *   sqlite_read.c       reading connections; get and scan
 *   sqlite_inventory.c  questions about certificates
 *   sqlite_keep.c       work behind the commits: the index of names, pruning
 *   sqlite_tables.c     tables by name, also such that nobody knows; rows of an import
 *   sqlite_mend.c       the inventory made anew, the check, backup, the probe
 *   sqlite_import.c     an old database becomes a file of ours
 *   sqlite_place.c      the file as the system has it: is it still there, who may read it
 *   sqlite_alone.c      a file that is read and not changed
 */
#pragma once

#include <pthread.h>
#include <sqlite3.h>
#include <sys/types.h>

#include "store/engine.h"

enum stmt {
    ST_BEGIN,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_KV_GET,
    ST_KV_PUT,
    ST_KV_REMOVE,
    ST_KV_SCAN,
    ST_BIG_GET,
    ST_BIG_PUT,
    ST_BIG_REMOVE,
    ST_BIG_SCAN,
    ST_CERT_GET,
    ST_CERT_SCAN,
    ST_CERT_ISSUE,
    ST_CERT_SET_DER,
    ST_CERT_SAVE_DATA,
    ST_CERT_NAMES,
    ST_CERT_REMOVE,
    ST_CERT_REVOKE,
    ST_CERT_UNREVOKE,
    ST_DATA_GET,
    ST_DATA_SCAN,
    ST_DATA_SET,
    ST_NAMES_BEHIND,
    ST_NAMES_NEXT,
    ST_NAME_ADD,
    ST_NAME_REMOVE,
    ST_NAMES_DONE,
    ST_NAMES_STEP_BACK,
    ST_KV_EXPIRED,
    ST_BIG_PRUNE,
    ST_TABLE_FIND,
    ST_TABLE_ADD,
    ST_TABLE_MADE,
    ST_TABLES,
    ST_CERT_SET_PROVISIONER,
    ST_CERT_DESCRIBE,
    ST_CERT_WALK,
    ST_PROBE,
    ST_CERT_ANNOTATE,
    STMTS
};

/* --- Files that get their name when they are whole -------------------------------------------- */

/* A new file, mode 0600. */
bool sqlite_part_create(const char *part, struct err *e) CHECKED;
/* ok: made durable, and called `path` unless somebody has that name; else removed.  False unless
 * all went well. */
bool sqlite_part_end(const char *part, const char *path, bool ok, struct err *e) CHECKED;

/* --- The file as the system has it ------------------------------------------------------------ */

struct sqlite_place {
    const char *path; /* the store's */
    dev_t device;
    ino_t inode, log; /* log: of the -wal, 0: none */
};
bool sqlite_place_note(struct sqlite_place *p, const char *path, struct err *e) CHECKED;
/* Is the file of that name still the one that was noted? */
bool sqlite_place_same(const struct sqlite_place *p, struct err *e) CHECKED;
/* The writing connection is open, and with it the log. */
void sqlite_place_note_log(struct sqlite_place *p);
/* The file is another one, and the log of that name ours; and it goes. */
bool sqlite_place_log_is_astray(const struct sqlite_place *p);
void sqlite_place_remove_log(const struct sqlite_place *p);
/* The file, its log and the log's index get mode 0600; what was changed, or cannot be, is said in
 * the log. */
void sqlite_place_private(const char *path);
/* So much is free on its file system. */
bool sqlite_place_room(const char *path, uint64_t bytes, struct err *e) CHECKED;
/* "-wal", "-shm" of a file. */
const char *sqlite_beside(struct arena *a, const char *path, const char *suffix);

/* --- One connection: one thread at a time ---------------------------------------------------- */

struct conn {
    sqlite3 *db;
    const char *path; /* absolute; the store's */
    struct conn *next;
    struct deadline deadline; /* of the long query that runs */
    int broken;               /* the SQLite code after which the connection should be made anew */
    bool full;                /* there was no room; the writer clears it */
    int older;                /* that version of the schema, of a file that is only read; 0: ours */
    sqlite3_stmt *stmts[STMTS];
};
/* Of an existing file, without looking at what is in it. */
bool sqlite_conn_open(struct conn *c, const char *path, struct err *e) CHECKED;
/* From here on it reads, and answers questions of the inventory. */
bool sqlite_conn_reads(struct conn *c, struct err *e) CHECKED;
/* Of a file that shall not change, ready to read.  On failure c->broken says the code.  immutable:
 * nobody else uses it, so there are no locks. */
bool sqlite_conn_open_read(struct conn *c, const char *path, bool immutable, struct err *e) CHECKED;
void sqlite_conn_close(struct conn *c);
/* SQL without result that takes no values. */
bool sqlite_conn_exec(struct conn *c, const char *sql, struct err *e) CHECKED;
bool sqlite_conn_number(struct conn *c, const char *sql, int64_t *value, struct err *e) CHECKED;
/* The cached statement, reset; prepared when it is first wanted. */
sqlite3_stmt *sqlite_conn_stmt(struct conn *c, enum stmt which, struct err *e) CHECKED;
/* Steps a statement that yields no row, and resets it. */
bool sqlite_conn_run(struct conn *c, sqlite3_stmt *st, struct err *e) CHECKED;
bool sqlite_conn_do(struct conn *c, enum stmt which, struct err *e) CHECKED;
/* One step.  *row: there is one, and the caller resets.  Else it is reset. */
bool sqlite_conn_step(struct conn *c, sqlite3_stmt *st, bool *row, struct err *e) CHECKED;
/* Turns what SQLite said last into the error; returns false. */
bool sqlite_conn_fail(struct conn *c, int code, struct err *e);
/* While it runs the query gives up when the deadline passes.  DEADLINE_NONE: no more. */
void sqlite_conn_deadline(struct conn *c, struct deadline d);

/* Borrowed until the statement is bound or reset again. */
void sqlite_bind_blob(sqlite3_stmt *st, int at, struct slice value);
void sqlite_bind_text(sqlite3_stmt *st, int at, struct slice value);
void sqlite_bind_text_or_null(sqlite3_stmt *st, int at, struct slice value);
/* Valid until the next step; never NULL, so that an empty value differs from no row. */
struct slice sqlite_column(sqlite3_stmt *st, int at);

/* Refuses what is not ours or newer; changes what is older; fills a new file.  bare: no table
 * exists in a new one yet. */
bool sqlite_schema_ready(struct conn *c, bool bare, struct err *e) CHECKED;
/* The same for a connection that only reads: an older schema is read as it is. */
bool sqlite_schema_read(struct conn *c, struct err *e) CHECKED;
/* What stands in a new file; within a transaction. */
bool sqlite_schema_create(struct conn *c, bool bare, struct err *e) CHECKED;
/* A table of a name that we do not know gets a number and a view; *id 0 on the way in. */
bool sqlite_table_view(struct conn *c, int id, struct slice name, bool big, struct err *e) CHECKED;

/* --- Writing ------------------------------------------------------------------------------- */

enum applied { APPLIED, APPLIED_REFUSED, APPLIED_FAILED };
/* Within a transaction.  REFUSED: nothing of it was written. */
enum applied batch_apply(struct conn *c, const struct store_batch *b, struct clock *clock,
                         const struct store_op **refused, struct err *e) CHECKED;
/* Of ssh_certs or revoked_ssh_certs: the other space of serial numbers. */
bool sqlite_is_ssh(enum table t);
/* *found.p == NULL: no row.  Valid until *st is reset, which the caller does when *st is set. */
bool sqlite_find(struct conn *c, enum table t, struct slice key, sqlite3_stmt **st,
                 struct slice *found, struct err *e) CHECKED;
/* Into the row of that serial if there is one, else as it came. */
bool sqlite_put(struct conn *c, enum table t, struct slice key, struct slice value,
                struct clock *clock, struct err *e) CHECKED;
/* A new certificate whose revocation and data record may be there already. */
bool sqlite_issue_late(struct conn *c, struct issued *i, struct clock *clock,
                       struct err *e) CHECKED;
bool sqlite_key_remove(struct conn *c, enum table t, struct slice key, struct err *e) CHECKED;
/* The names of certificate `id`, with its common name and subject, into the index or out of it. */
bool sqlite_names_write(struct conn *c, enum stmt how, int64_t id, struct slice names,
                        struct slice common_name, struct slice subject, struct err *e) CHECKED;

/* Work for the writing connection, within a transaction; may run again after a rollback. */
typedef bool write_call(struct conn *c, void *arg, struct err *e);
struct checkpoint;
struct checkpoint *sqlite_checkpoint_start(const struct sqlite_place *p);
/* The writing connection, also when it was made anew. */
void sqlite_checkpoint_watch(struct checkpoint *k, struct conn *c);
void sqlite_checkpoint_stop(struct checkpoint *k);

struct writer;
struct writer *sqlite_writer_start(struct conn *c, struct sqlite_place *p, struct checkpoint *k,
                                   struct clock *clock);
/* False: a commit failed, and since then it was not shown that there is room for another one. */
bool sqlite_writer_works(struct writer *w, struct err *e) CHECKED;
void sqlite_writer_submit(struct writer *w, struct store_batch *b, struct deadline d,
                          committed_fn *done, void *arg);
/* Waits. */
bool sqlite_writer_call(struct writer *w, write_call *call, void *arg, struct deadline d,
                        struct err *e) CHECKED;
/* Commits what is queued and ends the thread.  The connection stays the caller's. */
void sqlite_writer_stop(struct writer *w);

/* --- Reading ------------------------------------------------------------------------------- */

#define READERS_MAX 16
struct readers {
    pthread_mutex_t lock;
    pthread_cond_t given;
    const struct sqlite_place *place;
    bool alone, immutable; /* the file is only read, see sqlite_conn_open_read */
    struct conn *idle;
    unsigned open;
};
void sqlite_readers_init(struct readers *r, const struct sqlite_place *p);
struct conn *sqlite_reader_take(struct readers *r, struct deadline d, struct err *e) CHECKED;
void sqlite_reader_give(struct readers *r, struct conn *c);
void sqlite_readers_close(struct readers *r);

/* "behind this key"; empty: from the start. */
void sqlite_bind_after(sqlite3_stmt *st, int at, struct slice after);
/* Rows of a table on one connection. */
bool sqlite_conn_scan(struct conn *c, enum table t, struct slice after, unsigned limit,
                      visit_fn *visit, void *arg, struct err *e) CHECKED;

struct sqlite_store {
    struct store base;
    char *path;
    struct sqlite_place place;
    struct clock *clock;
    struct conn first; /* the writing connection */
    struct checkpoint *checkpoint;
    struct writer *writer;
    struct readers readers;
    pthread_mutex_t probe_lock;
    int64_t probed_ns; /* monotonic, of the last answer; 0: never */
    struct err probed; /* ERR_NONE: it can write */
    /* A file that is read alone: no writer, no checkpoint.  Of an immutable one: as it was. */
    int64_t size, changed_ns;
};
bool sqlite_get(struct store *s, enum table t, struct slice key, struct arena *a,
                struct slice *value, struct deadline d, struct err *e) CHECKED;
bool sqlite_scan(struct store *s, enum table t, struct slice after, unsigned limit, visit_fn *visit,
                 void *arg, struct deadline d, struct err *e) CHECKED;
bool sqlite_inventory(struct store *s, const struct inventory_query *q, inventory_fn *visit,
                      void *arg, struct deadline d, struct err *e) CHECKED;
enum cert_kind sqlite_kind(sqlite3_stmt *st, int at); /* of the text in that column */
bool sqlite_prune(struct store *s, int64_t now, uint64_t *removed, struct err *e) CHECKED;
/* --- Tables by name, imports, mending ------------------------------------------------------- */

/* 0: there is none of that name. */
bool sqlite_table_id(struct conn *c, struct slice name, int *id, struct err *e) CHECKED;
bool sqlite_conn_tables(struct conn *c, table_fn *visit, void *arg, struct err *e) CHECKED;
bool sqlite_conn_scan_named(struct conn *c, struct slice table, struct slice after, unsigned limit,
                            visit_fn *visit, void *arg, struct err *e) CHECKED;
/* Within a transaction. */
bool sqlite_table_make(struct conn *c, struct slice name, struct err *e) CHECKED;
bool sqlite_row_import(struct conn *c, struct slice table, struct slice key, struct slice value,
                       describe_fn *describe, struct clock *clock, struct err *e) CHECKED;

bool sqlite_tables(struct store *s, table_fn *visit, void *arg, struct err *e) CHECKED;
bool sqlite_scan_named(struct store *s, struct slice table, struct slice after, unsigned limit,
                       visit_fn *visit, void *arg, struct deadline d, struct err *e) CHECKED;
bool sqlite_import(struct store *s, struct slice table, const struct pair *rows, size_t n,
                   describe_fn *describe, struct err *e) CHECKED;
bool sqlite_reindex(struct store *s, describe_fn *describe, uint64_t *certificates,
                    struct err *e) CHECKED;
bool sqlite_check(struct store *s, describe_fn *describe, problem_fn *tell, void *arg,
                  struct err *e) CHECKED;
bool sqlite_backup(struct store *s, const char *path, struct err *e) CHECKED;
bool sqlite_probe(struct store *s, struct deadline d, struct err *e) CHECKED;
bool sqlite_annotate(struct store *s, const struct inventory_row *rows, size_t n,
                     struct err *e) CHECKED;
/* An immutable file is still what it was; true of every other. */
bool sqlite_unchanged(const struct sqlite_store *s, struct err *e) CHECKED;
/* Before anything else of SQLite. */
void sqlite_configure(void);
/* Until no certificate is missing in the index of names. */
bool sqlite_names_catch_up(struct sqlite_store *s, struct deadline d, struct err *e) CHECKED;
