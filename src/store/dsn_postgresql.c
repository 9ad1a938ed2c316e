/*
 * PostgreSQL's two notations, a URL and keywords with values, read by us because libpq refuses
 * what the Go driver takes: a keyword that nobody knows is a parameter of the session there, and
 * goes into "options" here.  What only that driver understands is dropped.
 */
#include "base/buf.h"
#include "store/dsn.h"

#define FORM "postgresql://user:password@host:5432/database"

/* A password that ends the authority too early makes its own beginning the port. */
#define ESCAPES "in a password / ? # are written %2F %3F %23, in the database's name @ is %40"

static bool wrong(struct err *e, const char *what)
{
    return err_set(e, ERR_MALFORMED, "%s; the form is " FORM " or keyword=value ...", what);
}

/* --- Keywords -------------------------------------------------------------------------------- */

static const char *const LIBPQ[] = {
    "service",
    "user",
    "password",
    "passfile",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "port",
    "client_encoding",
    "options",
    "application_name",
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "sslmode",
    "sslcompression",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslrootcert",
    "sslcrl",
    "sslcrldir",
    "sslsni",
    "requirepeer",
    "require_auth",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "gssencmode",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "target_session_attrs",
    "load_balance_hosts",
    "replication",
};
static const char *const DRIVER[] = {
    "default_query_exec_mode",    "statement_cache_capacity",
    "description_cache_capacity", "statement_cache_mode",
    "connect_recover_timeout",    "krbspn",
    "min_read_buffer_size",       "sslinline",
};
static const char *const NUMBERS[] = {
    "connect_timeout",     "keepalives",       "keepalives_idle",
    "keepalives_interval", "keepalives_count", "tcp_user_timeout",
};
/* Of a few words that libpq knows. */
static const char *const WORDS[] = {
    "channel_binding",
    "sslcompression",
    "sslsni",
    "require_auth",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "gssencmode",
    "gssdelegation",
    "target_session_attrs",
    "replication",
    "load_balance_hosts",
    "client_encoding",
};
static const char *const SSLMODES[] = {"disable", "allow",     "prefer",
                                       "require", "verify-ca", "verify-full"};

static bool among(const char *const *list, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], text) == 0)
            return true;
    }
    return false;
}

static bool is_parameter(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n <= 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == n;
}

/* A list, as libpq takes it for several hosts. */
static bool are_ports(struct slice list)
{
    struct slice one;
    uint64_t port;

    while (slice_split(&list, ',', &one)) {
        if (one.n > 0 && (!slice_to_u64(one, &port) || port == 0 || port > 65535))
            return false;
    }
    return true;
}

static bool is_number(const char *text)
{
    uint64_t n;

    return !*text || slice_to_u64(slice_text(text + (*text == '-')), &n);
}

static bool is_word(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,!-") ==
           strlen(text);
}

/* What libpq would refuse with the value in its message. */
static bool is_sensible(const char *name, const char *value)
{
    if (strcmp(name, "port") == 0)
        return are_ports(slice_text(value));
    if (among(NUMBERS, COUNT_OF(NUMBERS), name))
        return is_number(value);
    return !among(WORDS, COUNT_OF(WORDS), name) || is_word(value);
}

/* For the server's splitting of "options": blanks and backslashes are escaped. */
static void put_option(struct buf *options, const char *name, const char *value)
{
    buf_text(options, options->n ? " -c " : "-c ");
    buf_printf(options, "%s=", name);
    for (const char *c = value; *c; c++) {
        if (strchr(" \t\n\v\f\r\\", *c))
            buf_byte(options, '\\');
        buf_byte(options, (uint8_t)*c);
    }
}

static bool add(struct arena *a, const char *name, const char *value, struct dsn_postgresql *out,
                struct buf *options, struct err *e)
{
    if (among(DRIVER, COUNT_OF(DRIVER), name) || strncmp(name, "pool_", 5) == 0)
        return true;
    if (strcmp(name, "servicefile") == 0)
        return err_set(e, ERR_MALFORMED,
                       "servicefile: name the file in the environment, as PGSERVICEFILE");
    if (strcmp(name, "sslmode") == 0 && *value && !among(SSLMODES, COUNT_OF(SSLMODES), value))
        return err_set(e, ERR_MALFORMED,
                       "sslmode: expected disable, allow, prefer, require, verify-ca or "
                       "verify-full");
    if (strcmp(name, "options") == 0) {
        buf_printf(options, "%s%s", options->n ? " " : "", value);
        return true;
    }
    if (!is_sensible(name, value))
        return err_set(e, ERR_MALFORMED, "%s: the value cannot be read", name);
    if (among(LIBPQ, COUNT_OF(LIBPQ), name)) {
        dsn_pairs_add(a, &out->keywords, name, value);
        return true;
    }
    if (!is_parameter(name))
        return wrong(e, "a keyword has a name that is no name");
    put_option(options, name, value);
    return true;
}

/* --- keyword=value ... ----------------------------------------------------------------------- */

struct reader {
    struct slice text;
    size_t at;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->text.n && is_blank(r->text.p[r->at]))
        r->at++;
}

static const char *read_name(struct arena *a, struct reader *r, struct err *e)
{
    size_t from = r->at;

    while (r->at < r->text.n && r->text.p[r->at] != '=' && !is_blank(r->text.p[r->at]))
        r->at++;
    struct slice name = slice_sub(r->text, from, r->at - from);
    skip_blanks(r);
    if (r->at < r->text.n && r->text.p[r->at] == '=' && name.n > 0) {
        r->at++;
        skip_blanks(r);
        return arena_cstr(a, name);
    }
    err_set(e, ERR_MALFORMED,
            "at byte %zu: expected keyword=value (a value with blanks is quoted with ')", from + 1);
    return NULL;
}

/* Quoted or not, a backslash makes the next byte an ordinary one. */
static const char *read_value(struct arena *a, struct reader *r, struct err *e)
{
    char *out = arena_alloc(a, r->text.n - r->at + 1);
    bool quoted = r->at < r->text.n && r->text.p[r->at] == '\'';
    size_t n = 0;

    for (r->at += quoted; r->at < r->text.n; r->at++) {
        uint8_t c = r->text.p[r->at];
        if (quoted ? c == '\'' : is_blank(c))
            break;
        if (c == '\\' && ++r->at == r->text.n)
            break;
        out[n++] = (char)r->text.p[r->at];
    }
    if (quoted && r->at >= r->text.n) {
        err_set(e, ERR_MALFORMED, "a quoted value is not closed");
        return NULL;
    }
    r->at += quoted;
    out[n] = 0;
    return out;
}

static bool read_keywords(struct arena *a, struct slice text, struct dsn_postgresql *out,
                          struct buf *options, struct err *e)
{
    struct reader r = {text, 0};

    for (skip_blanks(&r); r.at < text.n; skip_blanks(&r)) {
        const char *name = read_name(a, &r, e);
        const char *value = name ? read_value(a, &r, e) : NULL;
        if (!value || !add(a, name, value, out, options, e))
            return false;
    }
    return true;
}

/* --- The URL --------------------------------------------------------------------------------- */

static bool part(struct arena *a, struct slice s, const char **out, struct err *e)
{
    *out = dsn_unescape(a, s, false);
    return *out || wrong(e, "a bad %-escape in the URL");
}

static bool read_userinfo(struct arena *a, struct slice text, struct dsn_postgresql *out,
                          struct err *e)
{
    size_t colon = slice_find(text, ':');
    const char *user, *password;

    if (!part(a, slice_sub(text, 0, colon), &user, e) ||
        !part(a, slice_from(text, colon + 1), &password, e))
        return false;
    if (*user)
        dsn_pairs_add(a, &out->keywords, "user", user);
    if (colon < text.n)
        dsn_pairs_add(a, &out->keywords, "password", password);
    return true;
}

/* "host", "host:port", "[v6]:port" */
static bool split_host(struct slice text, struct slice *host, struct slice *port)
{
    size_t end = text.n > 0 && text.p[0] == '[' ? slice_find(text, ']') : 0;

    if (end == text.n && end > 0)
        return false;
    struct slice rest = end > 0 ? slice_from(text, end + 1) : text;
    size_t colon = slice_find(rest, ':');
    if (end > 0 && colon > 0 && rest.n > 0)
        return false;
    *host = end > 0 ? slice_sub(text, 1, end - 1) : slice_sub(rest, 0, colon);
    *port = slice_from(rest, colon + 1);
    return slice_find(*port, ':') == port->n;
}

/* Lists with commas, as libpq takes them in "host" and "port". */
static bool read_hosts(struct arena *a, struct slice text, struct dsn_postgresql *out,
                       struct err *e)
{
    struct buf hosts = buf_new(a, DSN_MAX), ports = buf_new(a, DSN_MAX);
    struct slice one, host, port;
    bool any_port = false;
    const char *name;

    for (size_t n = 0; slice_split(&text, ',', &one); n++) {
        if (!split_host(one, &host, &port))
            return wrong(e, "a host in the URL cannot be read");
        if (!are_ports(port))
            return wrong(e, "a port in the URL is no number from 1 to 65535; " ESCAPES);
        if (!part(a, host, &name, e))
            return false;
        buf_printf(&hosts, "%s%s", n ? "," : "", name);
        buf_printf(&ports, "%s%.*s", n ? "," : "", SLICE_ARG(port));
        any_port = any_port || port.n > 0;
    }
    if (hosts.n > 0)
        dsn_pairs_add(a, &out->keywords, "host", arena_cstr(a, buf_slice(&hosts)));
    if (any_port)
        dsn_pairs_add(a, &out->keywords, "port", arena_cstr(a, buf_slice(&ports)));
    return true;
}

static bool read_query(struct arena *a, struct slice text, struct dsn_postgresql *out,
                       struct buf *options, struct err *e)
{
    struct slice item;

    while (slice_split(&text, '&', &item)) {
        size_t equals = slice_find(item, '=');
        if (item.n == 0)
            continue;
        const char *name = dsn_unescape(a, slice_sub(item, 0, equals), true);
        const char *value = dsn_unescape(a, slice_from(item, equals + 1), true);
        if (!name || !value)
            return wrong(e, "a bad %-escape in the URL");
        if (!add(a, name, value, out, options, e))
            return false;
    }
    return true;
}

static bool has_at(struct slice s)
{
    return slice_find(s, '@') < s.n;
}

static bool read_url(struct arena *a, struct slice text, struct dsn_postgresql *out,
                     struct buf *options, struct err *e)
{
    struct slice front = slice_sub(text, 0, slice_find(text, '#'));
    struct slice fragment = slice_from(text, slice_find(text, '#'));
    struct slice query = slice_from(front, slice_find(front, '?') + 1);
    const char *database;

    front = slice_sub(front, 0, slice_find(front, '?'));
    struct slice path = slice_from(front, slice_find(front, '/') + 1);
    struct slice authority = slice_sub(front, 0, slice_find(front, '/'));
    size_t at = slice_rfind(authority, '@');
    bool user = at < authority.n;
    if (authority.n > 0 && (has_at(path) || (!user && (has_at(query) || has_at(fragment)))))
        return wrong(e, "an @ stands behind the host; " ESCAPES);
    if ((user && !read_userinfo(a, slice_sub(authority, 0, at), out, e)) ||
        !read_hosts(a, user ? slice_from(authority, at + 1) : authority, out, e) ||
        !part(a, path, &database, e))
        return false;
    if (*database)
        dsn_pairs_add(a, &out->keywords, "dbname", database);
    return read_query(a, query, out, options, e);
}

bool dsn_postgresql_read(struct arena *a, struct slice text, struct dsn_postgresql *out,
                         struct err *e)
{
    struct buf options = buf_new(a, 2 * DSN_MAX + 64);
    bool ok;

    *out = (struct dsn_postgresql){0};
    if (text.n > DSN_MAX || slice_has_nul(text))
        return wrong(e, "it is too long, or has a NUL byte");
    if (slice_starts(text, "postgres://"))
        ok = read_url(a, slice_from(text, strlen("postgres://")), out, &options, e);
    else if (slice_starts(text, "postgresql://"))
        ok = read_url(a, slice_from(text, strlen("postgresql://")), out, &options, e);
    else
        ok = read_keywords(a, text, out, &options, e);
    if (!ok || !buf_done(&options, "options", e))
        return false;
    if (options.n > 0)
        dsn_pairs_add(a, &out->keywords, "options", arena_cstr(a, buf_slice(&options)));
    return true;
}
