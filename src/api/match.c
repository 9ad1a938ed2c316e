/* Route tables are short, so they are walked; patterns are compared segment by segment, where the
 * first letter leaves any doubt. */
#include "api/match.h"

/* Most patterns differ from most paths in the letter behind the first '/'. */
static bool may_match(const char *pattern, struct slice path)
{
    return path.n < 2 || pattern[0] != '/' || pattern[1] == '{' || (uint8_t)pattern[1] == path.p[1];
}

static bool match_path(const char *pattern, struct slice path, struct slice args[4])
{
    struct slice want, have = path, w, h;
    size_t n = 0;

    if (!may_match(pattern, path))
        return false;
    want = slice_text(pattern);
    for (;;) {
        bool more_want = slice_split(&want, '/', &w);
        bool more_have = slice_split(&have, '/', &h);
        if (!more_want || !more_have)
            return more_want == more_have;
        if (w.n > 1 && w.p[0] == '{') {
            if (h.n == 0 || n >= 4)
                return false;
            args[n++] = h;
        } else if (!slice_eq(w, h)) {
            return false;
        }
    }
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
            allow_method(&allow, r->method);
        }
    }
    if (allow.n > 0)
        m.allow = arena_cstr(a, buf_slice(&allow));
    return m;
}
