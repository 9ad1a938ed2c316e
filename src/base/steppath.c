/*
 * Where things are: STEPPATH and the directories of contexts.  Nothing here reads a file; the
 * names of a context come from whoever read contexts.json, and are checked here again, because
 * they become path components.
 */
#include "base/steppath.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

#define PASSWD_BYTES 16384

static bool home_of_user(struct arena *a, const char **home, struct err *e)
{
    char *space = arena_alloc(a, PASSWD_BYTES);
    struct passwd entry, *found = NULL;
    int why = getpwuid_r(getuid(), &entry, space, PASSWD_BYTES, &found);

    if (!found || !found->pw_dir || !*found->pw_dir)
        return err_set(e, ERR_INTERNAL,
                       "home directory unknown: HOME is not set and user %u has no passwd entry%s",
                       (unsigned)getuid(), why ? " (lookup failed)" : "");
    *home = found->pw_dir;
    return true;
}

bool steppath_base(struct arena *a, struct steppath *sp, struct err *e)
{
    const char *home = getenv("HOME"), *steppath = getenv("STEPPATH");

    *sp = (struct steppath){0};
    if (home && *home)
        sp->home = path_clean(a, home);
    else if (!home_of_user(a, &sp->home, e))
        return false;
    sp->base = steppath && *steppath ? path_clean(a, steppath) : path_join(a, sp->home, ".step");
    sp->path = sp->profile_path = sp->base;
    return true;
}

bool steppath_component(struct slice name)
{
    return name.n > 0 && !slice_is(name, ".") && !slice_is(name, "..") &&
           slice_find(name, '/') == name.n && !slice_has_nul(name);
}

static bool check_name(const char *what, const char *name, struct err *e)
{
    if (!name || steppath_component(slice_text(name)))
        return true;
    return err_set(e, ERR_MALFORMED, "%s \"%.100s\" cannot be the name of a directory", what, name);
}

static const char *copy(struct arena *a, const char *name)
{
    return name ? arena_cstr(a, slice_text(name)) : NULL;
}

bool steppath_select(struct arena *a, struct steppath *sp, const char *context,
                     const char *authority, const char *profile, struct err *e)
{
    if (!check_name("context", context, e) || !check_name("authority", authority, e) ||
        !check_name("profile", profile, e))
        return false;
    sp->context = copy(a, context);
    sp->authority = copy(a, authority);
    sp->profile = copy(a, profile);
    sp->path =
        authority ? path_join(a, path_join(a, sp->base, "authorities"), authority) : sp->base;
    sp->profile_path =
        profile ? path_join(a, path_join(a, sp->base, "profiles"), profile) : sp->base;
    return true;
}

char *steppath_abs(struct arena *a, const struct steppath *sp, const char *path)
{
    struct slice s = slice_text(path);
    char *absolute;

    if (slice_starts(s, "/"))
        return path_clean(a, path);
    if (slice_starts(s, "~/"))
        return path_join(a, sp->home, path + 2);
    if (!slice_starts(s, "./") && !slice_starts(s, "../"))
        return path_join(a, sp->path, path);
    /* Without a current directory the relative name is the best there is; opening it will tell. */
    return path_absolute(a, path, &absolute, NULL) ? absolute : path_clean(a, path);
}
