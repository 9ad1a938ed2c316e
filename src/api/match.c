/* Route tables are short, so they are walked: most patterns differ from a path within a few
 * letters. */
#include "api/match.h"

/* "{name}" stands for one segment that is not empty. */
static bool match_path(const char *pattern, struct slice path, struct slice args[4])
{
    size_t at = 0, n = 0;

    for (const char *p = pattern; *p;) {
        if (*p != '{') {
            if (at == path.n || path.p[at] != (uint8_t)*p)
                return false;
            at++;
            p++;
            continue;
        }
        size_t end = at + slice_find(slice_from(path, at), '/');
        if (end == at || n >= 4)
            return false;
        args[n++] = slice_sub(path, at, end - at);
        at = end;
        p = strchr(p, '}') + 1;
    }
    return at == path.n;
}

static bool matches(const struct route *r, struct slice path, struct slice args[4])
{
    static const char PREFIX[] = "/1.0";

    if (match_path(r->path, path, args))
        return true;
    return (r->flags & ROUTE_ALIAS_1_0) && slice_starts(path, "/1.0/") &&
           match_path(r->path, slice_from(path, sizeof(PREFIX) - 1), args);
}

static bool serves(const struct route *r, struct slice method)
{
    return slice_is(method, r->method) ||
           (slice_is(method, "HEAD") && slice_is(slice_text(r->method), "GET"));
}

static void allow_method(struct buf *b, const char *method)
{
    if (b->n > 0)
        buf_text(b, ", ");
    buf_text(b, method);
    if (slice_is(slice_text(method), "GET"))
        buf_text(b, ", HEAD");
}

struct match route_match(struct arena *a, const struct route *const *tables, bool insecure,
                         struct slice method, struct slice path)
{
    struct match m = {0};
    struct buf allow = buf_new(a, 256);

    for (size_t t = 0; tables[t]; t++) {
        for (const struct route *r = tables[t]; r->path; r++) {
            if (insecure && !(r->flags & ROUTE_INSECURE_TOO))
                continue;
            if (!matches(r, path, m.args))
                continue;
            if (serves(r, method)) {
                m.route = r;
                return m;
            }
            if (a)
                allow_method(&allow, r->method);
        }
    }
    if (allow.n > 0)
        m.allow = arena_cstr(a, buf_slice(&allow));
    return m;
}
