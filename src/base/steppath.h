/*
 * STEPPATH, contexts and the directories below them: where server and client keep configuration,
 * certificates, secrets and data (docs/reference/steppath.md).
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct steppath {
    const char *home;         /* $HOME, else the passwd entry */
    const char *base;         /* $STEPPATH or <home>/.step, cleaned */
    const char *context;      /* selected context or NULL */
    const char *authority;    /* of the selected context or NULL */
    const char *profile;      /* of the selected context or NULL */
    const char *path;         /* base, or <base>/authorities/<authority> */
    const char *profile_path; /* base, or <base>/profiles/<profile> */
};

/* home and base only; no file is read. */
bool steppath_base(struct arena *a, struct steppath *sp, struct err *e) CHECKED;
/* Sets context, authority, profile and the two paths. Names must be path components (not empty,
 * ".", "..", no '/', no NUL). */
bool steppath_select(struct arena *a, struct steppath *sp, const char *context,
                     const char *authority, const char *profile, struct err *e) CHECKED;
/* Name is usable as one path component. */
bool steppath_component(struct slice name);
/* step-abs: absolute as is; "~/x" below home; "./x", "../x" below the current directory; anything
 * else below sp->path. */
char *steppath_abs(struct arena *a, const struct steppath *sp, const char *path);
