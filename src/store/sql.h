/*
 * The engines that speak SQL to a server, MySQL's and PostgreSQL's, among their own files.
 *
 *   dsn*.c               data source strings
 *   sql_source.c         what a configuration may say; nothing is connected
 *   sql.c                the store as the rest of the house sees it
 *   sql_pool.c           connections: how many, how old, alive or not
 *   sql_tables.c         tables by name, rows of an import
 *   sql_ledger*.c        the inventory: written beside the reference's tables, made anew, checked
 *   sql_tend.c           the same while a service runs: tables that come or go
 *   sql_walk.c           rows that are missing in it are added
 *   sql_inventory.c      questions to it
 *   sql_annotate.c       what another inventory knows, written into it
 *   sql_prune.c          rows whose time has passed
 *   sql_batch.c          one batch: statements whose row count is the expectation; retries
 *   mysql*.c, postgresql*.c   a driver each: connect, run a statement, make the tables
 *
 * The tables are the reference's: nkey, nvalue.  Nothing relies on a session: everything works
 * behind a proxy that gives each transaction another connection.
 */
#pragma once

#include <pthread.h>

#include "base/pool.h"
#include "store/engine.h"

#define SQL_KEY_MAX         255
#define SQL_CONNECT_SECONDS 5
#define SQL_ANSWER_SECONDS  10 /* a statement's answer */
#define SQL_LOCK_SECONDS    5  /* for a row that somebody else holds */

/* Also tables of ours that are no enum table: what version of us wrote here. */
#define SQL_META_TABLE  "newel_meta"
#define SQL_SCHEMA_KEY  "schema"
#define SQL_SCHEMA_OURS 1

enum sql_stmt {
    SQL_GET,
    SQL_LOCK,       /* as GET, and nobody changes the row before we end */
    SQL_SCAN_FIRST, /* from the start: the empty key, too */
    SQL_SCAN,       /* behind a key */
    SQL_PUT,
    SQL_INSERT,  /* when there is no row, or an empty one */
    SQL_REPLACE, /* when there is a row that is not empty */
    SQL_SWAP,    /* when the row is `old` */
    SQL_REMOVE,
    SQL_REMOVE_PRESENT,
    SQL_REMOVE_OLD,
    SQL_REMOVE_EMPTY, /* an empty row */
    SQL_CLAIM,        /* an empty row, when there is none of whatever value */
    SQL_STMTS
};
/* '@' stands for the quoted table; params: k key, v value, o old, l limit, in order. */
struct sql_text {
    const char *sql, *params;
};
struct sql_args {
    const char *table; /* NULL, or by name: one that is no enum table */
    struct slice key, value, old;
    uint64_t limit;
};
const char *sql_table_name(enum table t, const struct sql_args *args);

#define SQL_TEXT_MAX 768
#define SQL_NAME_MAX 192 /* of any of the servers, in bytes */
/* The text with the quoted table in it; table: at most SQL_NAME_MAX bytes. */
void sql_text_put(char out[SQL_TEXT_MAX], const char *sql, char quote, const char *table);

struct sql_row {
    struct slice key, value; /* value.p is never NULL */
};
struct sql_rows {
    struct sql_row *v;
    size_t n;
};

/* Of statements of any text: '?' stands for the next value. */
enum sql_type { SQL_TYPE_BYTES, SQL_TYPE_TEXT, SQL_TYPE_NUMBER };
struct sql_value {
    enum sql_type type;
    bool null;
    struct slice bytes;
    int64_t number;
};
struct sql_value sql_bytes(struct slice s);
struct sql_value sql_text(struct slice s);
struct sql_value sql_number(int64_t n);
struct sql_cells {
    struct slice *v; /* row by row; NULL of the server: empty */
    size_t rows, columns;
};
/* What the two say differently; pairs stand around what they are for. */
struct sql_dialect {
    const char *key_of_text[2], *text_of_key[2]; /* a serial number as nkey, and back */
    const char *text_out[2], *number_out[2];     /* a column of a result, as text */
    const char *names_insert[2];                 /* around "(?,?,?,?),…" */
    const char *ledger_insert, *ledger_describe;
    const char *ledger_there;         /* one row when both tables are */
    const char *const *ledger_tables; /* statements that make them; NULL at the end */
};

enum sql_result {
    SQL_DONE,
    SQL_AGAIN,  /* deadlock or the like: nothing of the transaction will stand, run it again */
    SQL_BROKEN, /* the connection is gone; what became of the statement is not known */
    SQL_FAILED, /* the server refused */
};

/* --- Drivers ------------------------------------------------------------------------------- */

struct sql_conn {
    struct sql_conn *next;
    int64_t opened, given; /* monotonic */
    bool retire;           /* not to be used again, though it answers */
};
struct sql_store;
struct sql_driver {
    const char *name;
    const struct sql_dialect *dialect;
    /* UPDATE counts the rows that changed, not those that were found. */
    bool counts_changes;
    size_t name_bytes, name_characters; /* of a table's name, at most; 0: no limit of that kind */
    struct sql_conn *(*connect)(struct sql_store *, struct err *);
    void (*close)(struct sql_conn *);
    /* Without asking the server. */
    bool (*alive)(struct sql_conn *);
    enum sql_result (*begin)(struct sql_conn *, struct deadline, struct err *);
    /* FAILED: not committed, for certain. */
    enum sql_result (*commit)(struct sql_conn *, struct deadline, struct err *);
    void (*rollback)(struct sql_conn *); /* retires the connection when it cannot */
    enum sql_result (*write)(struct sql_conn *, enum sql_stmt, enum table, const struct sql_args *,
                             struct deadline, uint64_t *rows, struct err *);
    enum sql_result (*read)(struct sql_conn *, enum sql_stmt, enum table, const struct sql_args *,
                            struct deadline, struct arena *, struct sql_rows *, struct err *);
    /* Any statement; out NULL: its rows do not matter.  Results are text and bytes. */
    enum sql_result (*query)(struct sql_conn *, const char *sql, const struct sql_value *, size_t n,
                             struct deadline, struct arena *, struct sql_cells *out, struct err *);
    /* Outside a transaction: a value of n bytes will fit into the table (a name: TABLES).  May be
     * NULL. */
    bool (*make_room)(struct sql_store *, struct sql_conn *, enum table, const char *name, size_t n,
                      struct err *) CHECKED;
    /* The table is there and has the right columns. */
    bool (*ensure_table)(struct sql_store *, struct sql_conn *, const char *name,
                         struct err *) CHECKED;
    /* Those with the columns nkey and nvalue, in any order; the keys are the names. */
    enum sql_result (*tables)(struct sql_conn *, struct deadline, struct arena *, struct sql_rows *,
                              struct err *);
    void (*free)(struct sql_store *); /* the driver's part of the store */
};

/* --- Connections --------------------------------------------------------------------------- */

#define SQL_CONNECTIONS 16 /* unless something else is asked for */
#define SQL_LIFETIME_NS (30 * 60 * NS_PER_SEC)
struct sql_pool {
    struct gate gate;
    pthread_mutex_t lock;
    struct sql_conn *idle;
    unsigned n_idle;
    bool started;     /* before that a failure is the caller's to tell */
    bool unreachable; /* said once in the log, and once when it works again */
};
void sql_pool_init(struct sql_pool *p, unsigned connections);
void sql_pool_close(struct sql_store *s);
/* An idle one that seems alive, or a new one; waits for at most 5 s. */
struct sql_conn *sql_pool_take(struct sql_store *s, struct deadline d, struct err *e) CHECKED;
void sql_pool_give(struct sql_store *s, struct sql_conn *c, bool broken);
/* Closes those that nobody has needed for long. */
void sql_pool_trim(struct sql_store *s);

/* d, or ns from now if that is sooner. */
struct deadline sql_sooner(struct deadline d, int64_t ns);
/* Milliseconds for poll(2) until the first of both, at most 200 when d can be cancelled. */
int sql_poll_ms(struct deadline d, struct deadline limit);

/* --- The store ----------------------------------------------------------------------------- */

struct sql_store {
    struct store base;
    const struct sql_driver *driver;
    struct clock *clock;
    struct store_source_options options;
    struct arena *arena; /* the data source: wiped when it goes */
    struct sql_pool pool;
    pthread_mutex_t pruning;
    size_t pruned_rule; /* where the next prune goes on */
    uint8_t pruned_key[SQL_KEY_MAX];
    size_t pruned_n;
    pthread_mutex_t probing;
    int64_t probed_at; /* monotonic; 0: never */
    struct err probed;
    atomic_uint unaware; /* batches with certificates that leave the inventory out, under way */
    bool ledger_made;    /* we made the tables when we started */
    struct sql_tender *tender; /* NULL: there is none */
};
extern const struct heap SQL_HEAP_WIPED;
/* Shared by the drivers' open functions. */
void sql_store_init(struct sql_store *s, const struct sql_driver *driver,
                    const struct store_source_options *o, struct clock *clock);
/* Connects once, makes what is missing (prepare), gives the connection to the pool.  When it
 * fails the store is freed. */
struct store *sql_store_start(struct sql_store *s,
                              bool (*prepare)(struct sql_store *, struct sql_conn *, struct err *),
                              struct err *e) CHECKED;
/* With retries, on a connection of the pool. */
bool sql_read(struct sql_store *s, enum sql_stmt stmt, enum table t, const struct sql_args *args,
              struct deadline d, struct arena *a, struct sql_rows *rows, struct err *e) CHECKED;
/* table NULL: t. */
bool sql_scan_table(struct sql_store *s, enum table t, const char *table, struct slice after,
                    unsigned limit, visit_fn *visit, void *arg, struct deadline d,
                    struct err *e) CHECKED;
/* The operations behind `step-ca db`. */
bool sql_tables(struct store *s, table_fn *visit, void *arg, struct err *e) CHECKED;
bool sql_scan_named(struct store *s, struct slice table, struct slice after, unsigned limit,
                    visit_fn *visit, void *arg, struct deadline d, struct err *e) CHECKED;
bool sql_import(struct store *s, struct slice table, const struct pair *rows, size_t n,
                describe_fn *describe, struct err *e) CHECKED;
bool sql_probe(struct store *s, struct deadline d, struct err *e) CHECKED;
bool sql_prune(struct store *s, int64_t now, uint64_t *removed, struct err *e) CHECKED;
/* The value of a used token with its end in it: "used" has none. */
struct slice sql_used_until(struct arena *a, struct slice value, int64_t end);
/* The row of SQL_META_TABLE; SLICE_NONE: there was none.  Refuses a newer one. */
bool sql_schema_check(const struct sql_store *s, struct slice found, struct err *e) CHECKED;

extern const bool STORE_HAS_MYSQL, STORE_HAS_POSTGRESQL; /* in this build */

/* Runs a batch until it is decided. */
enum committed sql_batch_run(struct sql_store *s, const struct store_batch *b, struct deadline d,
                             const struct store_op **refused, struct err *why);
