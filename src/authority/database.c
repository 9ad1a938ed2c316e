/* Which database a configuration means, and where it stands. */
#include "authority/config.h"
#include "authority/inventory.h"
#include "base/file.h"
#include "store/legacy.h"
#include "store/store.h"

enum db_kind db_kind_of(struct slice type)
{
    static const struct {
        const char *type;
        enum db_kind kind;
    } KINDS[] = {{"sqlite", DB_SQLITE},        {"badger", DB_BADGER}, {"badgerv1", DB_BADGER},
                 {"badgerv2", DB_BADGER},      {"bbolt", DB_BBOLT},   {"mysql", DB_MYSQL},
                 {"postgresql", DB_POSTGRESQL}};

    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        if (slice_is_case(type, KINDS[i].type))
            return KINDS[i].kind;
    }
    return DB_UNKNOWN;
}

const char *db_file(struct arena *a, enum db_kind kind, struct slice data_source)
{
    const char *path = arena_cstr(a, data_source);

    if (kind == DB_SQLITE)
        return path;
    if (kind == DB_BADGER)
        return path_join(a, path, "newel.sqlite");
    return kind == DB_BBOLT ? arena_printf(a, "%s.sqlite", path) : NULL;
}

const char *db_file_ready(struct arena *a, const struct config *c, bool import, struct err *e)
{
    enum db_kind kind = db_kind_of(c->db->type);
    const char *path = db_file(a, kind, c->db->data_source);
    const char *old = arena_cstr(a, c->db->data_source);

    if (!path) {
        err_set(e, ERR_NOT_IMPLEMENTED, "%s: \"%.*s\" is not supported here",
                config_where(a, c, "db.type"), SLICE_ARG(c->db->type));
        return NULL;
    }
    if (import || kind == DB_SQLITE || file_exists(path) ||
        !legacy_exists(kind == DB_BADGER ? LEGACY_BADGER : LEGACY_BBOLT, old))
        return path;
    err_set(e, ERR_NOT_FOUND,
            "%s has not been imported yet: the service does so when it starts; `step-ca db dump "
            "%.*s:%s` shows what is in it",
            old, SLICE_ARG(c->db->type), old);
    return NULL;
}

static struct store *open_server(const struct config_db *db, bool make, describe_fn *describe,
                                 struct clock *clock, struct err *e)
{
    struct store_source_options o = {
        .make = make,
        .inventory = db->inventory,
        .connections = (unsigned)db->max_open,
        .idle = (unsigned)db->max_idle,
        .lifetime = db->lifetime.set ? db->lifetime.ns : 0,
        .describe = describe,
    };

    return store_source_open_with(db->type, db->data_source, db->database, &o, clock, e);
}

struct store *db_server_open(const struct config_db *db, bool make, struct clock *clock,
                             struct err *e)
{
    return open_server(db, make, NULL, clock, e);
}

struct store *db_server_serve(const struct config_db *db, struct clock *clock, struct err *e)
{
    return open_server(db, true, inventory_describe, clock, e);
}

struct store *db_open_beside(const struct config *c, struct clock *clock, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    const struct config_db *db = c->db;
    enum db_kind kind = db_kind_of(db->type);
    struct store *s;

    if (kind == DB_MYSQL || kind == DB_POSTGRESQL) {
        s = db_server_open(db, true, clock, e);
    } else {
        const char *path = db_file_ready(a, c, false, e);
        s = path ? store_sqlite_open(path, clock, e) : NULL;
    }
    if (!s)
        err_wrap(e, "%s", config_where(a, c, "db"));
    return s;
}
