/*
 * Data source strings of the SQL engines, read into values (docs/reference/storage.md).  Pure: no
 * connection, no file.  No error text repeats what stands in the string: a password may be
 * anywhere in it, also where a typing mistake put it.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define DSN_MAX (16u << 10)

struct dsn_pair {
    const char *name, *value;
};
struct dsn_pairs {
    struct dsn_pair *v;
    size_t n, cap;
};
void dsn_pairs_add(struct arena *a, struct dsn_pairs *p, const char *name, const char *value);
/* The last one of that name; NULL: none. */
const char *dsn_pairs_get(const struct dsn_pairs *p, const char *name);
/* %-escapes, and '+' as a blank when plus; NULL when one is bad or stands for a NUL byte. */
const char *dsn_unescape(struct arena *a, struct slice s, bool plus);

/* --- MySQL: [user[:password]@][net[(addr)]]/dbname[?name=value&...] ------------------------- */

enum dsn_tls { DSN_TLS_OFF, DSN_TLS_PREFERRED, DSN_TLS_UNVERIFIED, DSN_TLS_VERIFIED };
struct dsn_mysql {
    const char *user, *password; /* "" when absent */
    const char *host;            /* NULL: a socket */
    const char *socket;
    unsigned port;
    const char *database; /* "" when absent */

    enum dsn_tls tls;
    bool plaintext_too; /* allowFallbackToPlaintext */
    const char *tls_ca, *tls_cert, *tls_key;

    unsigned connect_seconds, read_seconds, write_seconds; /* 0: not given */
    uint64_t max_packet;
    const char *charset, *collation; /* NULL: not given */
    bool cleartext_passwords, native_passwords, old_passwords;
    bool compress, check_liveness, reject_read_only;
    struct dsn_pairs attributes; /* of the connection */
    struct dsn_pairs variables;  /* SET name = value, in order */
};
bool dsn_mysql_read(struct arena *a, struct slice text, struct dsn_mysql *out,
                    struct err *e) CHECKED;

/* --- PostgreSQL: URL or keywords ------------------------------------------------------------- */

struct dsn_postgresql {
    struct dsn_pairs keywords; /* for libpq; what it does not know stands in "options" */
};
bool dsn_postgresql_read(struct arena *a, struct slice text, struct dsn_postgresql *out,
                         struct err *e) CHECKED;
