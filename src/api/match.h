/* From method and path to a route. */
#pragma once

#include "api/route.h"

struct match {
    const struct route *route; /* NULL: none */
    struct slice args[4];
    const char *allow; /* the path is known under other methods: the value of Allow */
};
/* Exact segments; {name} is one non-empty segment; HEAD is served by GET.  a NULL: who does not ask
 * for `allow`. */
struct match route_match(struct arena *a, const struct route *const *tables, bool insecure,
                         struct slice method, struct slice path);
