/*
 * step context: which of several authorities the commands are for.  A context joins an authority
 * (its directory below <base>/authorities) and a profile (<base>/profiles).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/internal.h"
#include "cli/terminal.h"
#include "cli/tree.h"

#define INCLUDES_MAX (1u << 20)
#define DEEPEST      32u /* directories in directories */

/* --- current --------------------------------------------------------------------------------- */

static int run_current(struct invocation *inv)
{
    struct contexts *c = &run_of(inv)->contexts;
    const struct context *current = contexts_find(c, c->current);

    if (!current)
        return fail_with(inv, "no context is selected; see 'step context select'");
    if (!flag_bool(inv, "json")) {
        out_line(inv, "%.*s", SLICE_ARG(current->name));
        return 0;
    }
    struct buf b = buf_new(inv->arena, 1u << 16);
    struct json_writer w = json_writer(&b);
    json_open(&w, NULL);
    json_member_text(&w, "name", current->name);
    json_member_text(&w, "authority", current->authority);
    json_member_text(&w, "profile", current->profile);
    json_close(&w);
    buf_byte(&b, '\n');
    out_put(inv, buf_slice(&b));
    return 0;
}

static const struct flag CURRENT_FLAGS[] = {
    {"json", FLAG_BOOL, NULL, "Show name, authority and profile as JSON.", NULL, 0}, {0}};
static const struct flag *const CURRENT_SETS[] = {CURRENT_FLAGS, NULL};

static const struct command CURRENT = {
    .name = "current",
    .summary = "show the selected context",
    .synopsis = "",
    .description = "Shows the name of the selected context. It is an error when none is.",
    .flag_sets = CURRENT_SETS,
    .run = run_current,
    .no_defaults = true,
};

/* --- list ------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    const struct context *x = *(const struct context *const *)a;
    const struct context *y = *(const struct context *const *)b;
    size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;

    for (size_t i = 0; i < n; i++) {
        int p = x->name.p[i], q = y->name.p[i];
        p += p >= 'A' && p <= 'Z' ? 32 : 0;
        q += q >= 'A' && q <= 'Z' ? 32 : 0;
        if (p != q)
            return p - q;
    }
    return slice_cmp(x->name, y->name);
}

static int run_list(struct invocation *inv)
{
    struct contexts *c = &run_of(inv)->contexts;
    const struct context **sorted = arena_array(inv->arena, c->n + 1, sizeof(*sorted));
    struct buf b = buf_new(inv->arena, FILE_MAX_USUAL);

    for (size_t i = 0; i < c->n; i++)
        sorted[i] = &c->v[i];
    if (c->n)
        qsort(sorted, c->n, sizeof(*sorted), by_name);
    if (contexts_find(c, c->current))
        buf_printf(&b, "▶ %.*s\n", SLICE_ARG(c->current));
    for (size_t i = 0; i < c->n; i++)
        if (!slice_eq(sorted[i]->name, c->current))
            buf_printf(&b, "%.*s\n", SLICE_ARG(sorted[i]->name));
    out_put(inv, buf_slice(&b));
    return 0;
}

static const struct command LIST = {
    .name = "list",
    .summary = "list the contexts",
    .synopsis = "",
    .description = "Lists the names of all contexts, the selected one first and marked.",
    .run = run_list,
    .no_defaults = true,
};

/* --- select ---------------------------------------------------------------------------------- */

static int run_select(struct invocation *inv)
{
    struct slice name = inv->args[0];
    struct contexts *c = &run_of(inv)->contexts;

    if (!contexts_select(inv->arena, &inv->steppath, c, name, &inv->err))
        return fail(inv);
    note_selected(inv, "Context", arg_text(inv, 0));
    return 0;
}

static const struct command SELECT = {
    .name = "select",
    .summary = "select the context that commands are for",
    .synopsis = "<name>",
    .description = "Makes <name> the context of all following commands.",
    .arguments = "name\tThe name of the context; see 'step context list'.",
    .examples = "Work with the authority of the context 'alpha':\n"
                "$ step context select alpha",
    .least = 1,
    .most = 1,
    .run = run_select,
    .no_defaults = true,
};

/* --- remove ---------------------------------------------------------------------------------- */

/* Empties and removes a directory; symbolic links in it are removed, never followed. */
static bool remove_tree(int parent, const char *name, unsigned depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    bool ok = dir != NULL && depth > 0;

    if (!dir) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        errno = why;
        return why == ENOENT;
    }
    for (struct dirent *d = readdir(dir); ok && d; d = readdir(dir)) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        struct stat st;
        ok = fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
             (S_ISDIR(st.st_mode) ? remove_tree(fd, d->d_name, depth - 1)
                                  : unlinkat(fd, d->d_name, 0) == 0);
    }
    int why = errno;
    closedir(dir);
    errno = why;
    return ok && unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

static bool remove_dir(struct invocation *inv, const char *kind, struct slice name)
{
    const char *path = path_join(inv->arena, path_join(inv->arena, inv->steppath.base, kind),
                                 arena_cstr(inv->arena, name));

    return remove_tree(AT_FDCWD, path, DEEPEST) || err_errno(&inv->err, errno, "remove", path);
}

/* Drops the line that includes the authority's SSH configuration. */
static bool remove_include(struct invocation *inv, struct slice authority)
{
    const char *path = path_join(inv->arena, inv->steppath.base, "ssh/includes");
    struct slice needle = arena_format(inv->arena, "/authorities/%.*s/", SLICE_ARG(authority));
    struct slice text, line;
    struct buf b = buf_new(inv->arena, INCLUDES_MAX + 1);

    if (!file_exists(path))
        return true;
    if (!file_read(inv->arena, path, false, INCLUDES_MAX, &text, &inv->err))
        return false;
    while (text.n && slice_split(&text, '\n', &line)) {
        if (slice_search(line, needle) < line.n)
            continue;
        buf_put(&b, line);
        buf_byte(&b, '\n');
    }
    return file_write(path, buf_slice(&b), 0600, FILE_KEEP_MODE, &inv->err);
}

static bool used_elsewhere(const struct contexts *c, const struct context *gone, bool profile)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct context *other = &c->v[i];
        bool same = profile ? slice_eq(other->profile, gone->profile)
                            : slice_eq(other->authority, gone->authority);
        if (same && !slice_eq(other->name, gone->name))
            return true;
    }
    return false;
}

static bool agreed(struct invocation *inv, bool *yes)
{
    const char *question =
        arena_printf(inv->arena, "Remove the context '%s' and its files [y/n]", arg_text(inv, 0));

    *yes = flag_bool(inv, "force");
    return *yes || inv->terminal->yes_no(inv->terminal, question, "--force", yes, &inv->err);
}

/* The entry goes last: when something fails the command can be given again. */
static bool remove_context(struct invocation *inv, const struct context *gone)
{
    struct contexts *c = &run_of(inv)->contexts;

    if (!used_elsewhere(c, gone, false) &&
        (!remove_dir(inv, "authorities", gone->authority) || !remove_include(inv, gone->authority)))
        return false;
    if (!used_elsewhere(c, gone, true) && !remove_dir(inv, "profiles", gone->profile))
        return false;
    return contexts_remove(inv->arena, &inv->steppath, c, gone->name, &inv->err);
}

static int run_remove(struct invocation *inv)
{
    struct contexts *c = &run_of(inv)->contexts;
    const struct context *found = contexts_find(c, inv->args[0]);
    bool yes;

    if (!found)
        return fail_with(inv, "context '%s' not found", arg_text(inv, 0));
    if (slice_eq(found->name, c->current))
        return fail_with(inv,
                         "context '%s' is the selected one and cannot be removed; select another "
                         "first",
                         arg_text(inv, 0));
    struct context gone = *found;
    if (!agreed(inv, &yes))
        return fail(inv);
    if (!yes)
        return fail_with(inv, "context '%s' was not removed", arg_text(inv, 0));
    if (!remove_context(inv, &gone))
        return fail(inv);
    note(inv, "The context '%s' has been removed.", arg_text(inv, 0));
    return 0;
}

static const struct flag REMOVE_FLAGS[] = {
    {"force,f", FLAG_BOOL, NULL, "Remove without asking.", NULL, 0}, {0}};
static const struct flag *const REMOVE_SETS[] = {REMOVE_FLAGS, NULL};

static const struct command REMOVE = {
    .name = "remove",
    .summary = "remove a context and its files",
    .synopsis = "<name>",
    .description = "Removes the context <name>, and the directories of its authority and profile "
                   "unless another context uses them. The selected context cannot be removed.",
    .arguments = "name\tThe name of the context.",
    .examples = "Remove a context without being asked:\n"
                "$ step context remove alpha --force",
    .flag_sets = REMOVE_SETS,
    .least = 1,
    .most = 1,
    .run = run_remove,
    .no_defaults = true,
};

/* --- The group ------------------------------------------------------------------------------- */

static const struct command *const SUB[] = {&CURRENT, &LIST, &REMOVE, &SELECT, NULL};

const struct command CMD_CONTEXT = {
    .name = "context",
    .summary = "manage contexts: which authority commands are for",
    .description = "A context is a name for an authority and a profile. With contexts, one "
                   "installation works with several authorities: each has its own directory for "
                   "configuration and certificates, and a profile holds defaults of flags that "
                   "belong to the user.",
    .sub = SUB,
};
