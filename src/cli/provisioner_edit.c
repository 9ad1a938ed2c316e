/*
 * The file with the provisioners: chosen, read, judged and replaced.
 */
#include "cli/provisioner_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define CONFIG_FILE "config/ca.json"
#define EDITED_MAX  (16u << 20)
#define TURN_POLLS  600 /* of TURN_PAUSE: half a minute */
#define TURN_PAUSE  (50 * 1000 * 1000)

const struct flag FLAGS_CA_CONFIG[] = {
    {"ca-config", FLAG_FILE, "<file>",
     "The authority's configuration <file> to change. Given here, nobody is contacted. Default: "
     "config/ca.json in the step path.",
     NULL, 0},
    {0}};

/* --- Where the change goes ----------------------------------------------------------------------
 */

/* defaults.json names the file of every authority that was made here; only a human means it. */
static bool file_is_meant(const struct invocation *inv)
{
    enum value_source source = flag_source(inv, "ca-config");

    return (source == SOURCE_LINE || source == SOURCE_ENV) && ca_cmd_text(inv, "ca-config");
}

static bool answered(const struct err *e)
{
    for (const struct err_note *n = e->notes; n; n = n->next)
        if (slice_is(n->name, "status"))
            return true;
    return false;
}

/* Administrators are asked for without credential: a CA that has some says 401. */
static bool ca_leaves_it_to_the_file(struct invocation *inv)
{
    struct http_reply reply;
    struct err why = {0};
    struct ca ca;

    if (!ca_cmd_connect(inv, &ca, NULL))
        return false;
    if (ca_call(&ca, inv->arena, HTTP_GET, "/admin/admins", SLICE_NONE, SLICE_NONE, &reply, &why))
        return err_set(&inv->err, ERR_UNAVAILABLE,
                       "GET %.*s/admin/admins: expected 401, 404 or 501 without a credential, "
                       "found status %d",
                       SLICE_ARG(ca.url), reply.status);
    if (!answered(&why) && (why.kind == ERR_UNAVAILABLE || why.kind == ERR_TIMEOUT))
        return true;
    if (answered(&why) && (why.kind == ERR_NOT_FOUND || why.kind == ERR_NOT_IMPLEMENTED))
        return true;
    if (answered(&why) && why.kind == ERR_UNAUTHORIZED)
        return err_set(&inv->err, ERR_NOT_IMPLEMENTED,
                       "%.*s manages its provisioners itself (remote management), which is not "
                       "supported by this version",
                       SLICE_ARG(ca.url));
    err_move(&inv->err, &why);
    return false;
}

/* A link stays one: what it points to is replaced. */
static const char *behind_links(struct arena *a, const char *path)
{
    char *real = realpath(path, NULL);
    const char *copy = real ? arena_cstr(a, slice_text(real)) : path;

    free(real);
    return copy;
}

/* --- Taking turns ----------------------------------------------------------------------------- */

/* Whoever changes the file holds a lock from before it is read until it is replaced.  The file is
 * another one afterwards, so the lock is on its directory, and goes with the process. */
struct turn {
    int fd; /* -1: none is held */
};

static void turn_end(void *arg)
{
    struct turn *t = arg;

    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

static bool lock_in_time(int fd)
{
    static const struct timespec PAUSE = {0, TURN_PAUSE};

    for (int i = 0; i < TURN_POLLS; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return true; /* a file system without locks: unchanged() is what is left */
        nanosleep(&PAUSE, NULL);
    }
    return false;
}

static bool turn_take(struct invocation *inv, struct provisioner_file *f)
{
    const char *dir = path_dir(inv->arena, f->path);

    f->turn = arena_alloc(inv->arena, sizeof(*f->turn));
    f->turn->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    arena_defer(inv->arena, turn_end, f->turn);
    if (f->turn->fd < 0 || lock_in_time(f->turn->fd))
        return true; /* without a directory there is no file either: reading it tells */
    return err_set(&inv->err, ERR_CHANGED,
                   "%s: another command has been changing it for half a minute; nothing was "
                   "written, try again",
                   f->path);
}

/* --- Opening ---------------------------------------------------------------------------------- */

static void warn_of_file(void *arg, const char *text)
{
    note(arg, "warning: %s", text);
}

/* The list inside the copy; an absent one is made. */
static void take_list(struct arena *a, struct provisioner_file *f)
{
    struct json *authority = (struct json *)json_get(f->tree, "authority");

    if (!authority || authority->kind != JSON_OBJECT) {
        authority = json_make_object(a);
        json_set(f->tree, a, "authority", authority);
    }
    f->list = (struct json *)json_get(authority, "provisioners");
    if (!f->list || f->list->kind != JSON_LIST) {
        f->list = json_make_list(a);
        json_set(authority, a, "provisioners", f->list);
    }
}

bool provisioner_file_open(struct invocation *inv, struct provisioner_file *f)
{
    const char *named = ca_cmd_text(inv, "ca-config");
    struct arena *a = inv->arena;

    *f = (struct provisioner_file){0};
    if (!file_is_meant(inv) && !ca_leaves_it_to_the_file(inv))
        return false;
    if (!named)
        named = path_join(inv->arena, inv->steppath.path, CONFIG_FILE);
    f->path = behind_links(inv->arena, named);
    if (!turn_take(inv, f) || !file_read(a, f->path, false, EDITED_MAX, &f->text, &inv->err) ||
        !config_read(a, f->text, f->path, &f->config, warn_of_file, inv, &inv->err) ||
        !config_validate(a, f->config, NULL, NULL, &inv->err))
        return false;
    f->tree = json_copy(a, f->config->tree);
    take_list(a, f);
    note_selected(inv, "CA Configuration", named);
    return true;
}

struct json *provisioner_file_find(struct invocation *inv, const struct provisioner_file *f,
                                   struct slice name)
{
    struct json *found = NULL;

    for (struct json *v = f->list->first; v; v = v->next) {
        struct slice text = json_text(json_get(v, "name"));
        if (!text.p || !slice_eq(text, name))
            continue;
        if (found) {
            err_set(&inv->err, ERR_EXISTS, "%s: several provisioners are called '%.*s'", f->path,
                    SLICE_ARG(name));
            return NULL;
        }
        found = v;
    }
    if (!found)
        err_set(&inv->err, ERR_NOT_FOUND, "%s: provisioner '%.*s' not found", f->path,
                SLICE_ARG(name));
    return found;
}

/* --- Judging -----------------------------------------------------------------------------------
 */

bool provisioner_claims(struct invocation *inv, const struct provisioner_file *f,
                        const struct json *entry, struct claims *claims)
{
    const struct json *own = json_get(entry, "claims");
    struct claims_config config = {0};
    struct claims global;

    claims_resolve(&CLAIMS_BUILT_IN, f->config->authority.claims, &global);
    *claims = global;
    if (!own || own->kind == JSON_NULL)
        return true;
    if (!shape_read(&CLAIMS_SHAPE, own, &config, inv->arena, &inv->err))
        return err_wrap(&inv->err, "%s", f->path);
    claims_resolve(&global, &config, claims);
    return true;
}

static bool same(struct slice x, struct slice y)
{
    return x.n > 0 && slice_eq(x, y);
}

static bool is_unique(struct invocation *inv, const char *path, const struct provisioner *p,
                      struct provisioner *const *before, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct provisioner *o = before[i];
        const char *what = same(p->name, o->name)           ? "name"
                           : same(p->id, o->id)             ? "id"
                           : same(p->token_id, o->token_id) ? "token identifier"
                                                            : NULL;
        if (what)
            return err_set(&inv->err, ERR_EXISTS,
                           "%s: provisioners '%.*s' and '%.*s' have the same %s", path,
                           SLICE_ARG(o->name), SLICE_ARG(p->name), what);
    }
    return true;
}

/* The entry that was asked for works, not only parses. */
static bool is_usable(struct invocation *inv, const struct provisioner *p)
{
    const char *ssh = claims_ssh_trouble(inv->arena, &p->claims);

    if (p->trouble && p->type->served)
        return err_set(&inv->err, ERR_MALFORMED, "%s provisioner '%.*s': %s", p->type->name,
                       SLICE_ARG(p->name), p->trouble);
    if (p->trouble)
        note(inv, "warning: %s provisioner '%.*s': %s", p->type->name, SLICE_ARG(p->name),
             p->trouble);
    if (p->warning)
        note(inv, "warning: %s provisioner '%.*s': %s", p->type->name, SLICE_ARG(p->name),
             p->warning);
    if (ssh)
        note(inv, "warning: %s provisioner '%.*s': %s", p->type->name, SLICE_ARG(p->name), ssh);
    return true;
}

/* Every entry becomes a provisioner as in the server. */
static bool judge_list(struct invocation *inv, const struct config *c, const struct json *list,
                       size_t edited)
{
    struct arena *a = inv->arena;
    struct provisioner **made = arena_array(a, list->n + 1, sizeof(struct provisioner *));
    struct audiences audiences;
    struct claims global;
    struct provisioner_env env = {inv->clock, &audiences, &global};
    size_t n = 0, index = 0;

    audiences_build(a, c->dns_names.v, c->dns_names.n, &audiences);
    claims_resolve(&CLAIMS_BUILT_IN, c->authority.claims, &global);
    for (const struct json *v = list->first; v; v = v->next, index++) {
        const char *path = arena_printf(a, "%s: authority.provisioners[%zu]", c->path, index);
        if (v->kind == JSON_NULL)
            continue;
        if (!provisioner_make(a, v, path, &env, &made[n], &inv->err) ||
            !is_unique(inv, path, made[n], made, n))
            return false;
        if (index == edited && !is_usable(inv, made[n]))
            return false;
        n++;
    }
    return true;
}

static bool unchanged(struct invocation *inv, const struct provisioner_file *f)
{
    struct slice now;

    if (!file_read(inv->arena, f->path, false, EDITED_MAX, &now, &inv->err))
        return false;
    return slice_eq(now, f->text) ||
           err_set(&inv->err, ERR_CHANGED,
                   "%s was changed by somebody else meanwhile; nothing was written, try again",
                   f->path);
}

bool provisioner_file_save(struct invocation *inv, const struct provisioner_file *f,
                           const struct json *edited)
{
    struct arena *a = inv->arena;
    struct buf b = buf_new(a, EDITED_MAX);
    size_t index = SIZE_MAX, at = 0;
    struct config *c;

    for (const struct json *v = f->list->first; v; v = v->next, at++)
        if (v == edited)
            index = at;
    /* What is judged is what will stand in the file: text, not the tree that was edited. */
    json_print(&b, f->tree, "\t");
    if (!buf_done(&b, f->path, &inv->err) ||
        !config_read(a, buf_slice(&b), f->path, &c, NULL, NULL, &inv->err) ||
        !config_validate(a, c, NULL, NULL, &inv->err) ||
        !judge_list(inv, c, c->authority.provisioners, index) || !unchanged(inv, f) ||
        !config_save(a, f->config, f->tree, &inv->err))
        return false;
    turn_end(f->turn);
    note(inv, "The CA configuration has been updated. It takes effect when the CA gets the signal "
              "SIGHUP or is restarted.");
    return true;
}
