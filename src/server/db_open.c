/* Databases of all kinds as sources and targets of the commands. */
#include "server/db.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "server/database.h"

/* --- Opening ------------------------------------------------------------------------------- */

static void warn_stderr(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "WARNING: %s\n", text);
}

static void warn_other_format(struct slice named, const char *path, const char *format)
{
    bool one = slice_is_case(named, "badgerv1"), two = slice_is_case(named, "badgerv2");

    if ((one || two) && !slice_is_case(named, format))
        fprintf(stderr, "WARNING: %s is of format %s\n", path, format);
}

static bool open_legacy(struct db_call *c, struct slice type, const char *path, struct db_source *s)
{
    enum db_kind kind = db_kind_of(type);
    struct legacy_place place = {
        .kind = kind == DB_BADGER ? LEGACY_BADGER : LEGACY_BBOLT,
        .path = path,
        .value_dir = kind == DB_BADGER ? c->flags.value_dir : NULL,
        .now = c->clock->now(c->clock).sec,
        .warn = warn_stderr,
    };

    s->legacy = legacy_open(&place, &c->e);
    if (!s->legacy)
        return false;
    s->type = legacy_format(s->legacy);
    s->name = path;
    warn_other_format(type, path, s->type);
    return legacy_fingerprint(&place, c->a, &s->state, &c->e);
}

static bool open_sqlite(struct db_call *c, const char *path, bool make, struct db_source *s)
{
    if (!make && !file_exists(path))
        return err_set(&c->e, ERR_NOT_FOUND, "%s: no such database", path);
    s->type = "sqlite";
    s->name = path;
    if (make)
        s->store = store_sqlite_open_bare(path, c->clock, &c->e);
    else
        s->store = c->changes ? store_sqlite_open(path, c->clock, &c->e)
                              : store_sqlite_open_read(path, c->clock, &c->e);
    return s->store != NULL;
}

/* Its source has a password in it: only the type is ever shown. */
static bool open_server(struct db_call *c, enum db_kind kind, struct slice source,
                        const struct config_db *config, bool make, struct db_source *s)
{
    s->type = s->name = kind == DB_MYSQL ? "mysql" : "postgresql";
    s->store =
        config ? db_server_open(config, make, c->clock, &c->e)
               : store_source_open(slice_text(s->type), source, SLICE_NONE, make, c->clock, &c->e);
    return s->store != NULL;
}

static bool split_spec(struct db_call *c, const char *spec, enum db_kind *kind, const char **source)
{
    struct slice text = slice_text(spec);
    size_t colon = slice_find(text, ':');

    *kind = db_kind_of(slice_sub(text, 0, colon));
    /* What was found is not repeated: there may be a password in it. */
    if (colon == text.n || *kind == DB_UNKNOWN)
        return err_set(&c->e, ERR_MALFORMED,
                       "expected <type>:<source> with sqlite, bbolt, badger, badgerv1, badgerv2, "
                       "mysql or postgresql in front");
    if (colon + 1 == text.n)
        return err_set(&c->e, ERR_MALFORMED, "expected <type>:<source>: there is nothing behind %s",
                       spec);
    *source = spec + colon + 1;
    return true;
}

static bool open_spec(struct db_call *c, const char *spec, bool make, struct db_source *s)
{
    enum db_kind kind;
    const char *source = NULL;

    *s = (struct db_source){0};
    if (!split_spec(c, spec, &kind, &source))
        return false;
    if (make && (kind == DB_BADGER || kind == DB_BBOLT))
        return err_set(&c->e, ERR_MALFORMED,
                       "an old database can only be read: expected sqlite:<file>, mysql:<source> "
                       "or postgresql:<source> as the target");
    c->understood = true;
    if (kind == DB_SQLITE)
        return open_sqlite(c, source, make, s);
    if (kind == DB_MYSQL || kind == DB_POSTGRESQL)
        return open_server(c, kind, slice_text(source), NULL, make, s);
    return open_legacy(c, slice_sub(slice_text(spec), 0, slice_find(slice_text(spec), ':')), source,
                       s);
}

bool db_source_open(struct db_call *c, const char *spec, struct db_source *s)
{
    return open_spec(c, spec, false, s);
}

static bool load_config(struct db_call *c, struct config **config)
{
    c->understood = true;
    if (!config_load(c->a, c->config_path, config, NULL, NULL, &c->e))
        return false;
    if ((*config)->db)
        return true;
    return err_set(&c->e, ERR_MALFORMED, "%s: there is no database: db is not configured",
                   c->config_path);
}

static bool open_configured(struct db_call *c, bool make, struct db_source *s)
{
    struct config *config;

    *s = (struct db_source){0};
    if (!load_config(c, &config))
        return false;
    enum db_kind kind = db_kind_of(config->db->type);
    if (kind == DB_MYSQL || kind == DB_POSTGRESQL)
        return open_server(c, kind, SLICE_NONE, config->db, make, s);
    const char *path = db_file_ready(c->a, config, make, &c->e);
    return path && open_sqlite(c, path, make, s);
}

bool db_source_configured(struct db_call *c, struct db_source *s)
{
    return c->flags.db ? open_spec(c, c->flags.db, false, s) : open_configured(c, false, s);
}

bool db_target_open(struct db_call *c, struct db_source *s)
{
    const char *spec = c->flags.to ? c->flags.to : c->flags.db;

    return spec ? open_spec(c, spec, true, s) : open_configured(c, true, s);
}

void db_source_close(struct db_source *s)
{
    store_close(s->store);
    if (s->legacy)
        legacy_close(s->legacy);
    *s = (struct db_source){0};
}

bool db_can(struct db_call *c, const struct db_source *s, bool op, const char *what)
{
    if (s->store && op)
        return true;
    return err_set(&c->e, ERR_NOT_IMPLEMENTED, "a database of type %s %s", s->type, what);
}

/* --- Visiting ------------------------------------------------------------------------------ */

struct visiting {
    struct store *store;
    legacy_row_fn *visit;
    void *arg;
    struct slice table;
    struct err *e;
    bool failed;
};

static bool visit_row(struct slice key, struct slice value, void *arg)
{
    struct visiting *v = arg;

    v->failed = !v->visit(v->table, key, value, v->arg, v->e);
    return !v->failed;
}

static bool visit_table(struct slice name, void *arg)
{
    struct visiting *v = arg;

    if (slice_starts(name, "newel_"))
        return true;
    v->table = name;
    /* A visitor that stops ends the scan without an error: only visit_row knows. */
    bool ok =
        v->visit(name, SLICE_NONE, SLICE_NONE, v->arg, v->e) &&
        v->store->ops->scan_named(v->store, name, SLICE_NONE, 0, visit_row, v, DEADLINE_NONE, v->e);
    v->failed |= !ok;
    return !v->failed;
}

bool db_source_visit(struct db_source *s, legacy_row_fn *visit, void *arg, struct err *e)
{
    struct visiting v = {.store = s->store, .visit = visit, .arg = arg, .e = e};

    if (s->legacy)
        return legacy_visit(s->legacy, visit, arg, e);
    if (!s->store->ops->tables || !s->store->ops->scan_named)
        return err_set(e, ERR_NOT_IMPLEMENTED, "a database of type %s cannot be read so", s->type);
    return s->store->ops->tables(s->store, visit_table, &v, e) && !v.failed;
}
