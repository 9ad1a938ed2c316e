/*
 * contexts.json, current-context.json and defaults.json.  Names of contexts are data and compare
 * exactly; names of authorities and profiles become directories, so they must be usable as one
 * path component.  A file that is there and wrong stops every command: which CA a command talks to
 * is nothing to guess.
 */
#include "client/contexts.h"

#include <stdlib.h>

#include "base/file.h"

#define CONTEXTS_MAX (1u << 20) /* bytes of one file */

/* --- Reading --------------------------------------------------------------------------------- */

/* *object stays NULL when the file is absent. */
static bool read_object(struct arena *a, const char *path, struct json **object, struct err *e)
{
    struct slice text;

    struct err why = {0};

    *object = NULL;
    if (!file_read(a, path, false, CONTEXTS_MAX, &text, &why)) {
        if (why.kind == ERR_NOT_FOUND)
            return true;
        err_move(e, &why);
        return false;
    }
    *object = json_read(a, text, &JSON_STRICT, NULL, e);
    if (!*object)
        return err_wrap(e, "%s", path);
    if ((*object)->kind != JSON_OBJECT)
        return err_set(e, ERR_MALFORMED, "%s: expected a JSON object", path);
    return true;
}

static char *contexts_path(struct arena *a, const struct steppath *base)
{
    return path_join(a, base->base, "contexts.json");
}

static char *current_path(struct arena *a, const struct steppath *base)
{
    return path_join(a, base->base, "current-context.json");
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct context *)a)->name, ((const struct context *)b)->name);
}

static bool component(const struct json *entry, const char *name, struct slice *out)
{
    *out = json_text(json_get(entry, name));
    return out->p && steppath_component(*out);
}

static bool read_entry(const char *path, const struct json *member, struct context *out,
                       struct err *e)
{
    out->name = member->name;
    if (!steppath_component(out->name))
        return err_set(e, ERR_MALFORMED, "%s: \"%.*s\" cannot be the name of a context", path,
                       SLICE_ARG(out->name));
    if (!component(member, "profile", &out->profile))
        return err_set(e, ERR_MALFORMED,
                       "%s: context '%.*s': \"profile\" must be the name of a directory", path,
                       SLICE_ARG(out->name));
    if (!component(member, "authority", &out->authority))
        return err_set(e, ERR_MALFORMED,
                       "%s: context '%.*s': \"authority\" must be the name of a directory", path,
                       SLICE_ARG(out->name));
    return true;
}

/* Keeps one of each name: the last, as lookups in JSON do. */
static void put_entry(struct contexts *c, const struct context *entry)
{
    for (size_t i = 0; i < c->n; i++)
        if (slice_eq(c->v[i].name, entry->name)) {
            c->v[i] = *entry;
            return;
        }
    c->v[c->n++] = *entry;
}

static void sort_entries(struct contexts *c)
{
    if (c->n)
        qsort(c->v, c->n, sizeof(*c->v), by_name);
}

static bool read_entries(struct arena *a, const char *path, struct contexts *c, struct err *e)
{
    struct json *object;
    struct context entry;

    if (!read_object(a, path, &object, e))
        return false;
    c->v = arena_array(a, object ? object->n + 1 : 1, sizeof(*c->v));
    for (const struct json *m = object ? object->first : NULL; m; m = m->next) {
        if (!read_entry(path, m, &entry, e))
            return false;
        put_entry(c, &entry);
    }
    sort_entries(c);
    return true;
}

static bool read_current(struct arena *a, const char *path, struct contexts *c, struct err *e)
{
    struct json *object;

    if (!read_object(a, path, &object, e))
        return false;
    const struct json *name = json_get(object, "context");
    if (!name || name->kind == JSON_NULL)
        return true;
    c->current = json_text(name);
    if (!c->current.p)
        return err_set(e, ERR_MALFORMED, "%s: \"context\" must be a text", path);
    if (slice_empty(c->current) || contexts_find(c, c->current))
        return true;
    return err_set(e, ERR_NOT_FOUND,
                   "%s: the selected context '%.*s' is not in contexts.json; remove this file or "
                   "name a context that is",
                   path, SLICE_ARG(c->current));
}

bool contexts_load(struct arena *a, const struct steppath *base, struct contexts *c, struct err *e)
{
    *c = (struct contexts){0};
    if (!read_entries(a, contexts_path(a, base), c, e) ||
        !read_current(a, current_path(a, base), c, e))
        return false;
    c->enabled = c->n > 0 || c->current.n > 0;
    return true;
}

const struct context *contexts_find(const struct contexts *c, struct slice name)
{
    for (size_t i = 0; i < c->n; i++)
        if (slice_eq(c->v[i].name, name))
            return &c->v[i];
    return NULL;
}

/* --- Writing --------------------------------------------------------------------------------- */

static bool write_entries(struct arena *a, const struct steppath *base, const struct contexts *c,
                          struct err *e)
{
    struct json *object = json_make_object(a);
    struct buf b = buf_new(a, CONTEXTS_MAX);
    const char *path = contexts_path(a, base);

    for (size_t i = 0; i < c->n; i++) {
        struct json *entry = json_make_object(a);
        json_set_exact(entry, a, "profile", json_make_text(a, c->v[i].profile));
        json_set_exact(entry, a, "authority", json_make_text(a, c->v[i].authority));
        json_set_exact(object, a, arena_cstr(a, c->v[i].name), entry);
    }
    json_print(&b, object, "    ");
    return buf_done(&b, path, e) && dir_make(base->base, 0700, e) &&
           file_write(path, buf_slice(&b), 0600, FILE_KEEP_MODE, e);
}

static bool valid_entry(const struct context *entry, struct err *e)
{
    if (!steppath_component(entry->name))
        return err_set(e, ERR_MALFORMED, "'%.*s' cannot be the name of a context",
                       SLICE_ARG(entry->name));
    if (!steppath_component(entry->authority))
        return err_set(e, ERR_MALFORMED, "the authority '%.*s' cannot name a directory",
                       SLICE_ARG(entry->authority));
    if (!steppath_component(entry->profile))
        return err_set(e, ERR_MALFORMED, "the profile '%.*s' cannot name a directory",
                       SLICE_ARG(entry->profile));
    return true;
}

bool contexts_put(struct arena *a, const struct steppath *base, struct contexts *c,
                  const struct context *entry, struct err *e)
{
    struct context *larger = arena_array(a, c->n + 1, sizeof(*larger));

    if (!valid_entry(entry, e))
        return false;
    if (c->n)
        memcpy(larger, c->v, c->n * sizeof(*larger));
    c->v = larger;
    put_entry(c, entry);
    sort_entries(c);
    c->enabled = true;
    return write_entries(a, base, c, e);
}

bool contexts_remove(struct arena *a, const struct steppath *base, struct contexts *c,
                     struct slice name, struct err *e)
{
    size_t kept = 0;

    if (!contexts_find(c, name))
        return err_set(e, ERR_NOT_FOUND, "context '%.*s' not found", SLICE_ARG(name));
    for (size_t i = 0; i < c->n; i++)
        if (!slice_eq(c->v[i].name, name))
            c->v[kept++] = c->v[i];
    c->n = kept;
    c->enabled = c->n > 0 || c->current.n > 0;
    return write_entries(a, base, c, e);
}

bool contexts_select(struct arena *a, const struct steppath *base, struct contexts *c,
                     struct slice name, struct err *e)
{
    struct buf b = buf_new(a, CONTEXTS_MAX);

    if (!contexts_find(c, name))
        return err_set(e, ERR_NOT_FOUND, "context '%.*s' not found", SLICE_ARG(name));
    buf_text(&b, "{\"context\":");
    json_put_text(&b, name);
    buf_text(&b, "}");
    if (!file_write(current_path(a, base), buf_slice(&b), 0644, FILE_KEEP_MODE, e))
        return false;
    c->current = arena_copy(a, name);
    c->enabled = true;
    return true;
}

/* --- In use ---------------------------------------------------------------------------------- */

bool steppath_load(struct arena *a, const char *context, struct steppath *sp, struct contexts *c,
                   struct err *e)
{
    struct slice name;

    if (!steppath_base(a, sp, e) || !contexts_load(a, sp, c, e))
        return false;
    name = context ? slice_text(context) : c->current;
    const struct context *found = contexts_find(c, name);
    if (context && !found)
        return err_set(e, ERR_NOT_FOUND, "context '%s' not found", context);
    if (!found)
        return true;
    return steppath_select(a, sp, arena_cstr(a, found->name), arena_cstr(a, found->authority),
                           arena_cstr(a, found->profile), e);
}

/* An absent file adds nothing. */
static bool overlay(struct arena *a, const char *path, struct json *defaults, struct err *e)
{
    struct json *object, *copy;

    if (!read_object(a, path, &object, e))
        return false;
    copy = object ? json_copy(a, object) : NULL;
    for (struct json *m = copy ? copy->first : NULL, *next; m; m = next) {
        next = m->next;
        m->next = NULL;
        json_set_exact(defaults, a, arena_cstr(a, m->name), m);
    }
    return true;
}

bool defaults_load(struct arena *a, const struct steppath *sp, const char *file,
                   struct json **defaults, struct err *e)
{
    *defaults = json_make_object(a);
    if (file && !file_exists(file))
        return err_set(e, ERR_NOT_FOUND, "open %s failed: no such file or directory", file);
    if (file)
        return overlay(a, file, *defaults, e);
    if (!overlay(a, path_join(a, sp->path, "config/defaults.json"), *defaults, e))
        return false;
    return strcmp(sp->path, sp->profile_path) == 0 ||
           overlay(a, path_join(a, sp->profile_path, "config/defaults.json"), *defaults, e);
}
