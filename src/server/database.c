/*
 * The database of the service.  A configuration that names Badger or bbolt keeps working: the data
 * lives in a SQLite file beside what stands there, which is imported when that file is made, and
 * never written to.
 */
#include "server/database.h"

#include "authority/inventory.h"
#include "base/file.h"
#include "base/log.h"
#include "store/import.h"

struct opening {
    const struct config *config;
    struct arena *a;
    struct clock *clock;
    enum db_kind kind;
    const char *source, *path; /* as configured; our file */
};

static void say(void *arg, const char *text)
{
    (void)arg;
    log_warn("%s", text);
}

static struct legacy_place place_of(const struct opening *o)
{
    const struct config_db *db = o->config->db;
    bool badger = o->kind == DB_BADGER;

    return (struct legacy_place){
        .kind = badger ? LEGACY_BADGER : LEGACY_BBOLT,
        .path = o->source,
        .value_dir = badger && db->value_dir.n ? arena_cstr(o->a, db->value_dir) : NULL,
        .now = o->clock->now(o->clock).sec,
        .warn = say,
    };
}

/* "badger" has meant v1 for ever, but what counts is what is there. */
static void warn_other_format(const struct opening *o, const char *format)
{
    struct slice type = o->config->db->type;
    bool one = slice_is_case(type, "badger") || slice_is_case(type, "badgerv1");
    bool found_one = strcmp(format, "badgerv1") == 0;

    if (o->kind == DB_BADGER && one != found_one)
        log_warn("db.type is \"%.*s\", but %s is of format %s", SLICE_ARG(type), o->source, format);
}

static bool take_over(const struct opening *o, struct err *e)
{
    struct legacy_place from = place_of(o);
    struct import_report r;

    log_line("importing the database %s into %s ...", o->source, o->path);
    if (!store_sqlite_from_legacy(o->path, &from, inventory_describe, o->clock, o->a, &r, e))
        return err_wrap(e, "the database could not be imported, and nothing was changed");
    warn_other_format(o, r.format);
    log_line("imported %llu tables with %llu rows, %llu of them certificates (%s, SHA-256 %.*s); "
             "%s is left as it was and not used any more",
             (unsigned long long)r.tables, (unsigned long long)r.rows,
             (unsigned long long)r.certificates, r.format, SLICE_ARG(r.sha256), o->source);
    return true;
}

/* Did somebody go on with the old database after it was imported? */
static bool old_is_unchanged(const struct opening *o, struct store *s, struct err *e)
{
    struct legacy_place from = place_of(o);
    struct slice record, now, then;
    struct err why = {0};

    if (!legacy_exists(from.kind, o->source))
        return true;
    if (!store_get(s, TABLE_IMPORTS, SLICE("last"), o->a, &record, DEADLINE_NONE, e))
        return false;
    then = record.p ? import_record_fingerprint(o->a, record) : SLICE_NONE;
    from.warn = NULL;
    if (!legacy_fingerprint(&from, o->a, &now, &why)) {
        if (why.kind == ERR_UNAVAILABLE) {
            err_move(e, &why);
            return false;
        }
        log_warn("%s: the old database is not readable any more (%s); %s is used", o->source,
                 why.text, o->path);
        return true;
    }
    if (then.p && slice_eq(now, then))
        return true;
    return err_set(
        e, ERR_INTERNAL,
        "there are two databases: %s, and %s, which %s. To continue with the first, move "
        "the files of the second elsewhere; to import the second, move the first elsewhere",
        o->path, o->source,
        then.p ? "was written to after it had been imported" : "was not imported");
}

/* The target of an import that did not come to its end lacks revocations, among others. */
static bool is_whole(struct store *s, struct arena *a, struct err *e)
{
    struct slice note;

    if (!store_get(s, TABLE_IMPORTS, SLICE("current"), a, &note, DEADLINE_NONE, e))
        return false;
    return note.n == 0 || err_set(e, ERR_INTERNAL,
                                  "an import into this database was interrupted: run `step-ca db "
                                  "import` once more, it goes on where it was; or start again "
                                  "with an empty database");
}

static struct store *open_embedded(const struct opening *o, struct err *e)
{
    bool old = o->kind == DB_BADGER || o->kind == DB_BBOLT;
    struct legacy_place from = place_of(o);
    struct store *s;

    if (old && !file_exists(o->path) && legacy_exists(from.kind, o->source) && !take_over(o, e))
        return NULL;
    s = store_sqlite_open(o->path, o->clock, e);
    if (!s || !old || old_is_unchanged(o, s, e))
        return s;
    store_close(s);
    return NULL;
}

/* A few of each table: enough to see that it is another program's, or was tampered with. */
#define ROWS_LOOKED_AT 100

struct misfits {
    enum table table;
    struct slice key; /* of the first */
    size_t n;
    struct arena *a;
};

static bool count_misfit(enum table t, struct slice key, struct slice value UNUSED, void *arg)
{
    struct misfits *m = arg;

    if (m->n++ == 0) {
        m->table = t;
        m->key = arena_copy(m->a, slice_sub(key, 0, 100));
    }
    return true;
}

/* An import keeps everything, so such values are no reason to stay away: only who needs one fails.
 */
static bool say_misfits(struct store *s, struct arena *a, struct err *e)
{
    struct misfits m = {.a = a};

    if (!store_misfits(s, ROWS_LOOKED_AT, count_misfit, &m, e))
        return false;
    if (m.n > 0)
        log_error("the database holds %zu value%s that %s not what the table%s; requests that need "
                  "one will fail. The first is that of \"%.*s\" in table %s, which is not JSON. "
                  "`step-ca db check` names all, `step-ca db set-aside <file>` moves them into a "
                  "file",
                  m.n, m.n > 1 ? "s" : "", m.n > 1 ? "are" : "is", m.n > 1 ? "s hold" : " holds",
                  SLICE_ARG(m.key), table_name(m.table));
    return true;
}

struct store *database_open(const struct config *c, struct clock *clock, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct opening o = {.config = c, .a = a, .clock = clock};

    if (!c->db)
        return store_memory_open(false, clock);
    o.kind = db_kind_of(c->db->type);
    o.source = arena_cstr(a, c->db->data_source);
    o.path = db_file(a, o.kind, c->db->data_source);
    bool server = o.kind == DB_MYSQL || o.kind == DB_POSTGRESQL;
    struct store *s = server ? db_server_serve(c->db, clock, e) : open_embedded(&o, e);
    if (s && is_whole(s, a, e) && say_misfits(s, a, e))
        return s;
    store_close(s);
    err_wrap(e, "%s", config_where(a, c, "db.dataSource"));
    return NULL;
}
