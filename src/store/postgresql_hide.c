/*
 * What libpq and the server say about a data source that does not work, without the parts that they
 * quote of it: a password may stand anywhere in it, also where a typing mistake put it.  Names of
 * hosts, users, databases and files stay, and what is not from the data source.
 */
#include "store/postgresql.h"

static const char *const SHOWN[] = {
    "host",    "hostaddr", "user",   "dbname",    "passfile", "sslrootcert",
    "sslcert", "sslkey",   "sslcrl", "sslcrldir", "sslmode",
};

static bool is_shown(const char *keyword)
{
    for (size_t i = 0; i < COUNT_OF(SHOWN); i++) {
        if (strcmp(SHOWN[i], keyword) == 0)
            return true;
    }
    return false;
}

static bool contains(struct slice text, struct slice part)
{
    for (size_t i = 0; part.n > 0 && i + part.n <= text.n; i++) {
        if (memcmp(text.p + i, part.p, part.n) == 0)
            return true;
    }
    return false;
}

/* A host may be one of several, or the folder of a socket. */
static bool is_value(struct slice piece, const char *value)
{
    struct slice rest = slice_text(value), one;

    if (slice_is(piece, value))
        return true;
    while (slice_split(&rest, ',', &one)) {
        bool folder = one.n > 1 && one.p[0] == '/' && piece.n > one.n && piece.p[one.n] == '/';
        if (slice_eq(folder ? slice_sub(piece, 0, one.n) : piece, one))
            return true;
    }
    return false;
}

static bool may_be_shown(const struct dsn_pairs *keywords, const char *database, struct slice piece)
{
    if (database && slice_is(piece, database))
        return true;
    for (size_t i = 0; i < keywords->n; i++) {
        const struct dsn_pair *p = &keywords->v[i];
        if (slice_is(piece, p->name) || (is_shown(p->name) && is_value(piece, p->value)))
            return true;
    }
    for (size_t i = 0; i < keywords->n; i++) {
        if (contains(slice_text(keywords->v[i].value), piece))
            return false;
    }
    return true;
}

/* The length of a quotation mark: a server may speak another language. */
static size_t mark(const char *text)
{
    static const char *const MARKS[] = {
        "\"", "\xc2\xab", "\xc2\xbb", "\xe2\x80\x9c", "\xe2\x80\x9d", "\xe2\x80\x9e",
    };

    for (size_t i = 0; i < COUNT_OF(MARKS); i++) {
        if (strncmp(text, MARKS[i], strlen(MARKS[i])) == 0)
            return strlen(MARKS[i]);
    }
    return 0;
}

const char *pg_hide(struct arena *a, const struct dsn_pairs *keywords, const char *database,
                    const char *text)
{
    struct buf out = buf_new(a, 1u << 16);
    const char *from = text;
    bool inside = false;

    for (const char *at = text;; at++) {
        size_t n = *at ? mark(at) : 0;
        if (*at && n == 0)
            continue;
        struct slice piece = slice_of(from, (size_t)(at - from));
        bool show = !inside || piece.n == 0 || may_be_shown(keywords, database, piece);
        buf_put(&out, show ? piece : SLICE("..."));
        if (!*at)
            return arena_cstr(a, buf_slice(&out));
        buf_put(&out, slice_of(at, n));
        from = at + n;
        at = from - 1;
        inside = !inside;
    }
}
