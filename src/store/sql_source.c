/*
 * What a configuration says about a SQL server, judged without connecting: the same readers that
 * the engines use, so that a mistake is found by whoever checks the file, with the same words.
 */
#include <stdlib.h>

#include "store/dsn.h"
#include "store/sql.h"

static const char UNVERIFIED[] =
    "the connection to the database is not protected against somebody in between: its server is "
    "not verified, or may do without TLS";

static bool is_near(const char *host)
{
    static const char *const NEAR[] = {"", "localhost", "127.0.0.1", "::1"};

    for (size_t i = 0; i < COUNT_OF(NEAR); i++) {
        if (strcmp(host, NEAR[i]) == 0)
            return true;
    }
    return host[0] == '/' || host[0] == '@'; /* a socket */
}

static bool check_mysql(struct arena *a, struct slice source, struct slice database,
                        struct store_source *out, struct err *e)
{
    struct dsn_mysql dsn;

    if (!dsn_mysql_read(a, source, &dsn, e))
        return false;
    if (!*dsn.database && database.n == 0)
        return err_set(e, ERR_MALFORMED,
                       "no database is named, neither behind the slash nor as \"database\"");
    bool verified = dsn.tls == DSN_TLS_VERIFIED && !dsn.plaintext_too;
    out->password = *dsn.password != 0;
    if (dsn.host && !is_near(dsn.host) && !verified)
        out->warning = UNVERIFIED;
    return true;
}

static bool check_postgresql(struct arena *a, struct slice source, struct slice database UNUSED,
                             struct store_source *out, struct err *e)
{
    struct dsn_postgresql dsn;

    if (!dsn_postgresql_read(a, source, &dsn, e))
        return false;
    const char *password = dsn_pairs_get(&dsn.keywords, "password");
    const char *host = dsn_pairs_get(&dsn.keywords, "host");
    const char *mode = dsn_pairs_get(&dsn.keywords, "sslmode");
    if (!host)
        host = getenv("PGHOST");
    if (!mode)
        mode = getenv("PGSSLMODE");
    out->password = password && *password;
    if (host && !is_near(host) && !(mode && strncmp(mode, "verify-", 7) == 0))
        out->warning = UNVERIFIED;
    return true;
}

static const struct source_type {
    const char *name, *label, *library;
    const bool *built;
    bool (*check)(struct arena *, struct slice, struct slice, struct store_source *, struct err *);
    struct store *(*open)(const char *, const char *, const struct store_source_options *,
                          struct clock *, struct err *);
} TYPES[] = {
    {"mysql", "MySQL", "libmariadb", &STORE_HAS_MYSQL, check_mysql, store_mysql_open},
    {"postgresql", "PostgreSQL", "libpq", &STORE_HAS_POSTGRESQL, check_postgresql,
     store_postgresql_open},
};

static const struct source_type *find(struct slice type, struct err *e)
{
    for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
        if (slice_is_case(type, TYPES[i].name))
            return &TYPES[i];
    }
    err_set(e, ERR_NOT_FOUND, "not a SQL server");
    return NULL;
}

bool store_source_check(struct slice type, struct slice source, struct slice database,
                        struct store_source *out, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&SQL_HEAP_WIPED);
    const struct source_type *t = find(type, e);

    *out = (struct store_source){0};
    if (!t)
        return false;
    if (!*t->built)
        return err_set(e, ERR_NOT_IMPLEMENTED,
                       "this build has no %s engine (it was built without "
                       "%s)",
                       t->label, t->library);
    if (slice_has_nul(database))
        return err_set(e, ERR_MALFORMED, "the database's name has a NUL byte");
    return t->check(a, source, database, out, e);
}

struct store *store_source_open(struct slice type, struct slice source, struct slice database,
                                bool make, struct clock *clock, struct err *e)
{
    struct store_source_options o = {.make = make};

    return store_source_open_with(type, source, database, &o, clock, e);
}

struct store *store_source_open_with(struct slice type, struct slice source, struct slice database,
                                     const struct store_source_options *o, struct clock *clock,
                                     struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&SQL_HEAP_WIPED);
    const struct source_type *t = find(type, e);

    return t ? t->open(arena_cstr(a, source), arena_cstr(a, database), o, clock, e) : NULL;
}
