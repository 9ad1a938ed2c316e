/* contexts.json, current-context.json and defaults.json below STEPPATH
 * (docs/reference/steppath.md); used by server and client alike. */
#pragma once

#include "base/steppath.h"
#include "json/json.h"

struct context {
    struct slice name, profile, authority;
};
struct contexts {
    struct context *v; /* sorted by name */
    size_t n;
    struct slice current; /* empty: none selected */
    bool enabled;         /* the map is not empty, or one is selected */
};
/* Missing files are fine; malformed ones, incomplete entries and a current context that is not in
 * the map are errors that name the file. */
bool contexts_load(struct arena *a, const struct steppath *base, struct contexts *c,
                   struct err *e) CHECKED;
const struct context *contexts_find(const struct contexts *c, struct slice name);
/* Adds or replaces and writes contexts.json (0600). */
bool contexts_put(struct arena *a, const struct steppath *base, struct contexts *c,
                  const struct context *entry, struct err *e) CHECKED;
bool contexts_remove(struct arena *a, const struct steppath *base, struct contexts *c,
                     struct slice name, struct err *e) CHECKED;
/* Writes current-context.json (0644). */
bool contexts_select(struct arena *a, const struct steppath *base, struct contexts *c,
                     struct slice name, struct err *e) CHECKED;
/* steppath_base, contexts and the selected (or named: NULL for the current) context in one. */
bool steppath_load(struct arena *a, const char *context, struct steppath *sp, struct contexts *c,
                   struct err *e) CHECKED;
/* Flat object of flag defaults: authority's config/defaults.json overlaid by the profile's.  An
 * absent file is an empty object.  file: another one instead (NULL: usual). */
bool defaults_load(struct arena *a, const struct steppath *sp, const char *file,
                   struct json **defaults, struct err *e) CHECKED;
