/* What both kinds of data source strings need. */
#include "store/dsn.h"

void dsn_pairs_add(struct arena *a, struct dsn_pairs *p, const char *name, const char *value)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 8;
        struct dsn_pair *wider = arena_array(a, cap, sizeof(*wider));
        for (size_t i = 0; i < p->n; i++)
            wider[i] = p->v[i];
        p->v = wider;
        p->cap = cap;
    }
    p->v[p->n++] = (struct dsn_pair){name, value};
}

const char *dsn_pairs_get(const struct dsn_pairs *p, const char *name)
{
    for (size_t i = p->n; i-- > 0;) {
        if (strcmp(p->v[i].name, name) == 0)
            return p->v[i].value;
    }
    return NULL;
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *dsn_unescape(struct arena *a, struct slice s, bool plus)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '%') {
            bool room = s.n - i > 2;
            int high = room ? hex(s.p[i + 1]) : -1, low = room ? hex(s.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return NULL;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == 0)
            return NULL;
        out[n++] = (char)c;
    }
    out[n] = 0;
    return out;
}
