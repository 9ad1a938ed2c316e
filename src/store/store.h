/*
 * Storage: tables, keys and values are bytes, as the reference has them.  A missing row, NULL and
 * the empty value all satisfy "absent"; get still tells a missing row (p == NULL) from an empty
 * value, because a revocation counts by its key alone.  We never write an empty value.
 *
 * A transaction is a value: all expectations of a batch hold and all its operations happen, or
 * nothing does.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

enum table {
    TABLE_X509_CERTS,
    TABLE_X509_CERTS_DATA,
    TABLE_REVOKED_X509_CERTS,
    TABLE_X509_CRL,
    TABLE_REVOKED_SSH_CERTS,
    TABLE_USED_OTT,
    TABLE_SSH_CERTS,
    TABLE_SSH_HOSTS,
    TABLE_SSH_USERS,
    TABLE_SSH_HOST_PRINCIPALS,
    TABLE_ACME_ACCOUNTS,
    TABLE_ACME_KEY_ACCOUNT_INDEX,
    TABLE_ACME_ACCOUNT_ORDERS_INDEX,
    TABLE_ACME_ORDERS,
    TABLE_ACME_AUTHZS,
    TABLE_ACME_CHALLENGES,
    TABLE_ACME_CERTS,
    TABLE_ACME_SERIAL_CERTS_INDEX,
    TABLE_NONCES,
    TABLE_ACME_EAB_KEYS,
    TABLE_ACME_EAB_REFERENCE_INDEX,
    TABLE_ACME_EAB_PROVISIONER_INDEX,
    TABLE_WIRE_DPOP,
    TABLE_WIRE_OIDC,
    TABLE_ADMINS,
    TABLE_PROVISIONERS,
    TABLE_POLICIES,
    TABLE_ACME_REPLACES, /* ours: certID of RFC 9773 -> order that replaces it */
    TABLE_IMPORTS,       /* ours: "last", "current" -> what came from another database */
    TABLES
};
const char *table_name(enum table t); /* "x509_certs" */
bool table_find(struct slice name, enum table *t) CHECKED;

/* NO_ROW: not even one with an empty value, as a revocation counts. */
enum expect { EXPECT_ANY, EXPECT_ABSENT, EXPECT_PRESENT, EXPECT_VALUE, EXPECT_NO_ROW };

/* What a failed expectation means to the requester; lives as long as the batch. */
struct refusal {
    enum err_kind kind;
    const char *code, *text;
};
extern const struct refusal STORE_RUN_AGAIN; /* kind ERR_CHANGED */

/* X.509 and SSH serial numbers are two spaces: the same number may stand in both. */
enum cert_kind { CERT_X509, CERT_SSH_USER, CERT_SSH_HOST, CERT_KINDS };
const char *cert_kind_text(enum cert_kind k); /* "x509", "ssh-user", "ssh-host" */

/*
 * A certificate that was issued: one row.  Of SSH: der is the blob of the certificate, subject its
 * key id, common_name and data are empty, names the principals ("principal:root\nprincipal:…"),
 * fingerprint that of the subject's key and ca_key that of the key that signed, both as ssh-keygen
 * shows them ("SHA256:…"); not_after at most CERT_NO_END.
 */
#define CERT_NO_END INT64_C(253402300799) /* 9999-12-31T23:59:59Z, as RFC 5280 4.1.2.5 says it */
struct issued {
    enum cert_kind kind; /* 0: X.509 */
    struct slice serial; /* decimal */
    struct slice der;
    struct slice data;                 /* x509_certs_data record; n == 0: none */
    struct slice subject, common_name; /* for the inventory */
    struct slice fingerprint;          /* SHA-256 hex */
    struct slice key_type;             /* "ECDSA P-256" */
    struct slice names;                /* "dns:a.example\nip:10.0.0.1\n…": SANs, one a line */
    struct slice provisioner_id, provisioner_name, provisioner_type;
    struct slice renewed_from;                /* decimal serial or empty */
    struct slice ca_key;                      /* SSH only */
    int64_t not_before, not_after, issued_at; /* Unix seconds */
};
struct revoked {
    bool ssh; /* of revoked_ssh_certs; else of revoked_x509_certs */
    struct slice serial;
    struct slice record; /* the JSON that stands there */
    int64_t at;
    int reason_code;
    struct slice reason;
};

enum op_kind { OP_PUT, OP_REMOVE, OP_ISSUE, OP_REVOKE, OP_ABSENT };
struct store_op {
    enum op_kind kind;
    enum table table;
    enum expect expect;
    struct slice key, value, old;
    const struct issued *issued;
    const struct revoked *revoked;
    const struct refusal *refusal;
    int64_t expires; /* Unix seconds after which the row may be pruned; 0: never */
    bool keep;       /* stands even if the request fails later or is run again */
    struct store_op *next;
};
struct store_batch {
    struct store_op *first, *last;
    size_t n;
    struct arena *arena;
};
/* Keys and values are borrowed until the commit has ended.  A key is never empty; a batch names a
 * (table, key) once, else it is lost with ERR_INTERNAL.  if_there, if_missing NULL: insert and
 * swap are refused with STORE_RUN_AGAIN, remove and revoke expect nothing. */
void batch_put(struct store_batch *b, enum table t, struct slice key, struct slice value);
void batch_insert(struct store_batch *b, enum table t, struct slice key, struct slice value,
                  const struct refusal *if_there);
/* old: the raw bytes that were read (empty: absent).  An empty new value removes the row. */
void batch_swap(struct store_batch *b, enum table t, struct slice key, struct slice old,
                struct slice value);
void batch_remove(struct store_batch *b, enum table t, struct slice key,
                  const struct refusal *if_missing);
/* X.509 into x509_certs (and x509_certs_data), SSH into ssh_certs, by i->kind.  A serial that is
 * taken there is refused with STORE_RUN_AGAIN: the next run draws another one. */
void batch_issue(struct store_batch *b, const struct issued *i);
void batch_revoke(struct store_batch *b, const struct revoked *r, const struct refusal *if_there);
/* Writes nothing: there is no row of this key, whatever its value, and none comes before the batch
 * is committed.  if_there NULL: STORE_RUN_AGAIN. */
void batch_absent(struct store_batch *b, enum table t, struct slice key,
                  const struct refusal *if_there);
/* Of the last op; every put says anew whether and when its row may go.  Certificates stay.  On a
 * server only tokens keep their end: a value "used" becomes "used until <Unix seconds>". */
void batch_expires(struct store_batch *b, int64_t unix_seconds);
void batch_keep(struct store_batch *b); /* the last op */
/* Drops all ops but the kept ones. */
void batch_drop_unkept(struct store_batch *b);
void batch_clear(struct store_batch *b);

enum committed {
    STORE_COMMITTED,
    STORE_REFUSED, /* `refused` is the op whose expectation failed; its refusal is never NULL */
    STORE_LOST,    /* not committed (disk full, locked, I/O) */
    STORE_UNKNOWN  /* the connection broke in commit */
};
/* On the writer's thread: short, must not wait for this store and not close it; may submit.
 * why: with LOST and UNKNOWN. */
typedef void committed_fn(enum committed, const struct store_op *refused, const struct err *why,
                          void *arg);

/* Rows in key order after `after` (n == 0: from the start), at most limit (0: all).  Return false
 * to stop.  Key and value are valid during the call. */
typedef bool visit_fn(struct slice key, struct slice value, void *arg);

struct inventory_query {
    int64_t expiring_before;                        /* 0: any */
    int64_t issued_since;                           /* 0: any */
    struct slice provisioner, san, subject, serial; /* empty: any */
    bool only_revoked, only_active, only_x509, only_ssh;
    struct slice after; /* serial to continue behind, in the order of not_after, serial, ssh */
    bool after_ssh;
    int64_t after_not_after;
    unsigned limit; /* 0: all */
};
/* Revoked, and nobody knows when: the record does not say it. */
#define INVENTORY_REVOKED_SOMETIME 1
struct inventory_row {
    enum cert_kind kind;
    struct slice serial, subject, common_name, names, fingerprint, key_type;
    struct slice provisioner_id, provisioner_name, provisioner_type, renewed_from, reason;
    struct slice ca_key;
    int64_t not_before, not_after, issued_at;
    int64_t revoked_at; /* 0: not */
    int reason_code;
    struct slice der;
};
typedef bool inventory_fn(const struct inventory_row *row, void *arg);

/* --- For moving and mending ---------------------------------------------------------------------
 */

struct pair {
    struct slice key, value;
};
typedef bool table_fn(struct slice name, void *arg);
typedef void problem_fn(const char *text, void *arg);
/* Fills what the inventory shows of the certificate that stands under this key of x509_certs or
 * ssh_certs.  False: it is none, or another one's. */
typedef bool describe_fn(struct arena *a, enum table t, struct slice key, struct slice der,
                         struct issued *out);

enum store_caps { STORE_DURABLE = 1, STORE_SHARED = 2, STORE_INVENTORY = 4 };
struct store;
struct store_ops {
    /* *value.p == NULL: no such row. */
    bool (*get)(struct store *, enum table, struct slice key, struct arena *, struct slice *value,
                struct deadline, struct err *);
    bool (*scan)(struct store *, enum table, struct slice after, unsigned limit, visit_fn *, void *,
                 struct deadline, struct err *);
    bool (*inventory)(struct store *, const struct inventory_query *, inventory_fn *, void *,
                      struct deadline, struct err *);
    /* done is called exactly once, maybe on another thread, maybe before submit returns. */
    void (*submit)(struct store *, struct store_batch *, struct deadline, committed_fn *done,
                   void *arg);
    void (*close)(struct store *);
    /* Removes rows whose `expires` passed before now; how many.  Bounded work: to be called again
     * and again.  SQLite also goes on with its index of names here. */
    bool (*prune)(struct store *, int64_t now, uint64_t *removed, struct err *);

    /* For the commands of `step-ca db` (docs/operations.md); NULL where an engine cannot. */

    /* Names of the tables that exist or hold rows, in byte order; ours, and such that nobody
     * knows. */
    bool (*tables)(struct store *, table_fn *, void *, struct err *);
    /* scan of a table by name.  A table that does not exist has no rows. */
    bool (*scan_named)(struct store *, struct slice table, struct slice after, unsigned limit,
                       visit_fn *, void *, struct deadline, struct err *);
    /* Makes the table if need be and puts the rows, byte for byte, in one transaction.  What
     * describe knows as a certificate becomes a row of the inventory. */
    bool (*import)(struct store *, struct slice table, const struct pair *rows, size_t n,
                   describe_fn *describe, struct err *);
    /* The inventory anew from the certificates that are there; how many they are. */
    bool (*reindex)(struct store *, describe_fn *describe, uint64_t *certificates, struct err *);
    /* Every problem that is found is told; false only when the check itself fails.  "note: …":
     * worth knowing, no problem. */
    bool (*check)(struct store *, describe_fn *describe, problem_fn *, void *, struct err *);
    /* A consistent copy into a new file while others write. */
    bool (*backup)(struct store *, const char *path, struct err *);
    /* Can it write?  Asks at most once a second. */
    bool (*probe)(struct store *, struct deadline, struct err *);
    /* What the inventory of another store knows of certificates and they do not say themselves:
     * renewed_from, issued_at, provisioner_*; where a row says nothing what stands here stays.
     * A certificate that is not here is left out.  The same rows twice do no harm.  In one
     * transaction. */
    bool (*annotate)(struct store *, const struct inventory_row *rows, size_t n, struct err *);
};
struct store {
    const struct store_ops *ops;
    atomic_uint caps; /* INVENTORY comes and goes while a server runs */
    const char *name; /* "sqlite", "memory" */
};
bool store_get(struct store *s, enum table t, struct slice key, struct arena *a,
               struct slice *value, struct deadline d, struct err *e) CHECKED;
/* submit and wait; the refusal becomes the error. For those without a frame. */
bool store_commit(struct store *s, struct store_batch *b, struct deadline d, struct err *e) CHECKED;
void store_close(struct store *s);
/* Rows whose value is not what their table holds, of the tables where the CA cannot do without (a
 * revocation counts whatever its value; certificates and tables that nobody knows are kept as they
 * are).  rows: so many of each table are looked at, 0: all.  found returns false to stop. */
typedef bool misfit_fn(enum table t, struct slice key, struct slice value, void *arg);
bool store_misfits(struct store *s, unsigned rows, misfit_fn *found, void *arg,
                   struct err *e) CHECKED;

/* Also the engine of a CA without `db`: keeps used tokens (until they expire) and drops
 * certificates; no caps.  keep_everything: for tests, every table, DURABLE (in name only) and
 * INVENTORY. */
struct store *store_memory_open(bool keep_everything, struct clock *clock);
/* path: file; its directory must exist (created 0700 when the parent exists).  File 0600.
 * WAL, synchronous=FULL, one writer thread with group commit. */
struct store *store_sqlite_open(const char *path, struct clock *clock, struct err *e) CHECKED;
/* The same for the target of an import: in a file that it makes no table exists until rows or the
 * table itself are put. */
struct store *store_sqlite_open_bare(const char *path, struct clock *clock, struct err *e) CHECKED;
/* To read it, without a change to the file or its directory: nothing is made, no schema brought up,
 * submit is lost.  A file that nobody has open may be read-only and in a directory that is; when it
 * is written meanwhile, what was asked fails. */
struct store *store_sqlite_open_read(const char *path, struct clock *clock, struct err *e) CHECKED;
/*
 * Servers that several of our processes, and the reference, may share: its tables, keys and values.
 * STORE_DURABLE | STORE_SHARED.  make: a database or table that is missing is made, when that is
 * permitted; else the database has to be there, and a table that is missing has no rows.
 * inventory: with make, the tables of the inventory are made too.  Whoever finds them keeps them in
 * step and has STORE_INVENTORY.
 * describe: for a service.  A thread of the store then adds certificates that the inventory lacks,
 * and notices when its tables appear or disappear.
 * source: docs/reference/storage.md; database: NULL or "", or instead of the one in source.
 * No error text repeats the source: there is a password in it.  A build without the client library
 * refuses with ERR_NOT_IMPLEMENTED.
 */
struct store_source_options {
    bool make, inventory;
    unsigned connections, idle; /* at most; 0: 16; idle 0: as many as connections */
    int64_t lifetime;           /* of a connection, ns; 0: half an hour */
    describe_fn *describe;      /* or NULL */
};
struct store *store_mysql_open(const char *source, const char *database,
                               const struct store_source_options *o, struct clock *clock,
                               struct err *e) CHECKED;
struct store *store_postgresql_open(const char *source, const char *database,
                                    const struct store_source_options *o, struct clock *clock,
                                    struct err *e) CHECKED;
/* What a configuration says about such a source, judged without connecting. */
struct store_source {
    bool password;       /* one stands in it */
    const char *warning; /* static, or NULL: the way to the server is not safe */
};
/* type: "mysql" or "postgresql" in any case; else ERR_NOT_FOUND. */
bool store_source_check(struct slice type, struct slice source, struct slice database,
                        struct store_source *out, struct err *e) CHECKED;
/* store_mysql_open or store_postgresql_open, by type as above. */
struct store *store_source_open(struct slice type, struct slice source, struct slice database,
                                bool make, struct clock *clock, struct err *e) CHECKED;
struct store *store_source_open_with(struct slice type, struct slice source, struct slice database,
                                     const struct store_source_options *o, struct clock *clock,
                                     struct err *e) CHECKED;
/* A wrapper for tests: fails the nth submit (from 1) in the way given, then passes through.
 * REFUSED: the first op that expects something; UNKNOWN: committed inside, but nobody knows.
 * Closes the inner store. */
struct store *store_faulty(struct store *inner, unsigned nth, enum committed how);
