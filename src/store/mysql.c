/* The MySQL and MariaDB engine: its table of functions, and how it is opened. */
#include <poll.h>
#include <stdlib.h>

#include "store/mysql_driver.h"

static struct sql_conn *my_connect(struct sql_store *base, struct err *e)
{
    const struct my_store *s = (const struct my_store *)base;
    unsigned number;
    struct my_conn *c = my_open(s, s->dsn.database, &number, e);

    return c ? &c->base : NULL;
}

static bool my_alive(struct sql_conn *base)
{
    struct pollfd p = {mysql_get_socket(((struct my_conn *)base)->my), POLLIN, 0};

    return p.fd >= 0 && poll(&p, 1, 0) == 0;
}

static void my_free(struct sql_store *s)
{
    free(s);
}

static const struct sql_driver MARIADB = {
    .name = "mysql",
    .dialect = &MY_DIALECT,
    .counts_changes = true,
    .name_bytes = SQL_NAME_MAX,
    .name_characters = 64,
    .connect = my_connect,
    .close = my_close,
    .alive = my_alive,
    .begin = my_begin,
    .commit = my_commit,
    .rollback = my_rollback,
    .write = my_write,
    .read = my_read,
    .query = my_query,
    .make_room = my_make_room,
    .ensure_table = my_ensure_table,
    .tables = my_tables,
    .free = my_free,
};

static void library_once(void)
{
    mysql_library_init(0, NULL, NULL);
}

static bool read_source(struct my_store *s, const char *source, const char *database, struct err *e)
{
    struct arena *a = s->base.arena;

    if (!dsn_mysql_read(a, arena_copy(a, slice_text(source)), &s->dsn, e))
        return false;
    if (database && *database)
        s->dsn.database = arena_printf(a, "%s", database);
    if (!*s->dsn.database)
        return err_set(e, ERR_MALFORMED,
                       "no database is named, neither behind the slash nor as \"database\"");
    return true;
}

struct store *store_mysql_open(const char *source, const char *database,
                               const struct store_source_options *o, struct clock *clock,
                               struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct my_store *s = xcalloc(1, sizeof(*s));

    pthread_once(&once, library_once);
    sql_store_init(&s->base, &MARIADB, o, clock);
    if (read_source(s, source, database, e) && (!o->make || my_ensure_database(s, e)))
        return sql_store_start(&s->base, my_prepare, e);
    store_close(&s->base.base);
    return NULL;
}

const bool STORE_HAS_MYSQL = true;
