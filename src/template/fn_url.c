/* URLs and slash-separated paths. */
#include "base/uri.h"
#include "template/internal.h"

/* --- Paths ----------------------------------------------------------------------------------- */

/* Shortest equivalent: no ".", no "..", no double slash. */
static struct slice clean(struct trun *run, struct slice s)
{
    struct buf b = buf_new(run->a, s.n + 4);
    bool rooted = s.n && s.p[0] == '/';
    size_t floor = rooted, at = 0; /* floor: ".." does not go below */

    run->memory += s.n;
    if (rooted)
        buf_byte(&b, '/');
    while (at < s.n) {
        struct slice rest = slice_from(s, at);
        size_t n = slice_find(rest, '/');
        struct slice part = slice_sub(rest, 0, n);
        at += n + 1;
        if (!part.n || slice_is(part, "."))
            continue;
        if (slice_is(part, "..") && b.n > floor) {
            do
                b.n--;
            while (b.n > floor && b.p[b.n] != '/');
            continue;
        }
        if (slice_is(part, "..") && rooted)
            continue;
        if (b.n > (size_t)rooted)
            buf_byte(&b, '/');
        buf_put(&b, part);
        if (slice_is(part, ".."))
            floor = b.n;
    }
    return b.n ? buf_slice(&b) : SLICE(".");
}

static bool fn_clean(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)n;
    *out = tvalue_text(clean(run, args[0].text));
    return true;
}

static bool fn_base(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;

    (void)run, (void)n;
    if (!s.n) {
        *out = tvalue_text(SLICE("."));
        return true;
    }
    while (s.n && s.p[s.n - 1] == '/')
        s.n--;
    size_t slash = slice_rfind(s, '/');
    *out = tvalue_text(slash < s.n ? slice_from(s, slash + 1) : s.n ? s : SLICE("/"));
    return true;
}

static bool fn_dir(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    size_t slash = slice_rfind(s, '/');

    (void)n;
    *out = tvalue_text(clean(run, slice_sub(s, 0, slash < s.n ? slash + 1 : 0)));
    return true;
}

static bool fn_ext(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct slice s = args[0].text;
    size_t slash = slice_rfind(s, '/'), point = slice_rfind(s, '.');
    bool there = point < s.n && (slash == s.n || point > slash);

    (void)run, (void)n;
    *out = tvalue_text(there ? slice_from(s, point) : SLICE(""));
    return true;
}

static bool fn_is_abs(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    (void)run, (void)n;
    *out = tvalue_bool(slice_starts(args[0].text, "/"));
    return true;
}

/* --- URLs ------------------------------------------------------------------------------------ */

static void put_escaped(struct buf *b, struct slice s, const char *plain)
{
    static const char HEX[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool keep =
            c && c < 0x80 &&
            (rune_is_letter(c) || rune_is_digit(c) || strchr("-_.~", c) || strchr(plain, c));
        if (keep) {
            buf_byte(b, c);
            continue;
        }
        buf_byte(b, '%');
        buf_byte(b, (uint8_t)HEX[c >> 4]);
        buf_byte(b, (uint8_t)HEX[c & 15]);
    }
}

/* "user:password" decoded and encoded again. */
static bool put_userinfo(struct trun *run, struct buf *b, struct slice raw)
{
    size_t colon = slice_find(raw, ':');
    struct slice user, password;

    if (!uri_unescape(run->a, slice_sub(raw, 0, colon), &user) ||
        !uri_unescape(run->a, slice_from(raw, colon + (colon < raw.n)), &password))
        return false;
    put_escaped(b, user, "$&+,;=");
    if (colon == raw.n)
        return true;
    buf_byte(b, ':');
    put_escaped(b, password, "$&+,;=");
    return true;
}

/* "http://h:/": the colon before an empty port belongs to the host's text. */
static bool has_bare_colon(struct slice text)
{
    size_t at = slice_search(text, SLICE("//"));
    size_t n = 0;

    text = slice_from(text, at + 2);
    while (n < text.n && !(text.p[n] && strchr("/?#", text.p[n])))
        n++;
    return n && text.p[n - 1] == ':';
}

static struct slice host_of(struct trun *run, const struct uri *u, struct slice text, bool port)
{
    struct buf b = run_buf(run);

    if (!u->host.p)
        return SLICE("");
    buf_text(&b, u->host_is_v6 && port ? "[" : "");
    buf_put(&b, u->host);
    buf_text(&b, u->host_is_v6 && port ? "]" : "");
    if (port && (u->port.n || has_bare_colon(text)))
        buf_byte(&b, ':');
    if (port)
        buf_put(&b, u->port);
    return buf_slice(&b);
}

static bool fn_url_parse(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct uri u;
    struct err e = {0};
    struct buf user = run_buf(run);

    (void)n;
    run->memory += 512 + 4 * args[0].text.n;
    if (!uri_read(run->a, args[0].text, &u, &e))
        return run_fail(run, "unable to parse url: %s", e.text);
    if (u.userinfo.p && !put_userinfo(run, &user, u.userinfo))
        return run_fail(run, "unable to parse url: invalid userinfo");
    const struct {
        struct slice name, value;
    } MEMBERS[] = {
        {SLICE("scheme"), u.scheme},
        {SLICE("host"), host_of(run, &u, args[0].text, true)},
        {SLICE("hostname"), host_of(run, &u, args[0].text, false)},
        {SLICE("path"), u.path},
        {SLICE("query"), u.query},
        {SLICE("opaque"), u.opaque},
        {SLICE("fragment"), u.fragment},
        {SLICE("userinfo"), buf_slice(&user)},
    };
    *out = tvalue_map(run->a, &TTYPE_MAP);
    for (size_t i = 0; i < COUNT_OF(MEMBERS); i++)
        run_map_set(run, out->map, MEMBERS[i].name, tvalue_text(MEMBERS[i].value));
    return true;
}

static bool member(struct trun *run, const struct tvalue *m, const char *name, struct slice *s)
{
    const struct tvalue *v = m->map ? tmap_get(m->map, slice_text(name)) : NULL;

    *s = SLICE("");
    if (v && v->kind != T_TEXT)
        return run_fail(run, "unable to parse %s key, must be of type string, but %s found", name,
                        value_kind_name(v));
    if (v)
        *s = v->text;
    return true;
}

struct url {
    struct slice scheme, host, path, query, opaque, fragment, userinfo;
};

static bool is_userinfo(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool plain = c < 0x80 && (rune_is_letter(c) || rune_is_digit(c));
        if (!plain && !(c && strchr("-._:~!$&'()*+,;=%", c)))
            return false;
    }
    return true;
}

static bool put_authority(struct trun *run, struct buf *b, const struct url *u)
{
    if (!u->scheme.n && !u->host.n && !u->userinfo.n)
        return true;
    if (u->host.n || u->path.n || u->userinfo.n)
        buf_text(b, "//");
    if (u->userinfo.n) {
        if (!is_userinfo(u->userinfo) || !put_userinfo(run, b, u->userinfo))
            return run_fail(run, "unable to parse userinfo in dict");
        buf_byte(b, '@');
    }
    put_escaped(b, u->host, "!$&'()*+,;=:[]<>\"");
    return true;
}

static bool put_url(struct trun *run, struct buf *b, const struct url *u)
{
    if (u->scheme.n) {
        buf_put(b, u->scheme);
        buf_byte(b, ':');
    }
    if (u->opaque.n) {
        buf_put(b, u->opaque);
    } else {
        if (!put_authority(run, b, u))
            return false;
        if (u->path.n && u->path.p[0] != '/' && u->host.n)
            buf_byte(b, '/');
        struct slice first = slice_sub(u->path, 0, slice_find(u->path, '/'));
        if (!b->n && slice_find(first, ':') < first.n)
            buf_text(b, "./");
        put_escaped(b, u->path, slice_is(u->path, "*") ? "*" : "$&+,/:;=@");
    }
    if (u->query.n) {
        buf_byte(b, '?');
        buf_put(b, u->query);
    }
    if (u->fragment.n) {
        buf_byte(b, '#');
        put_escaped(b, u->fragment, "$&+,/:;=?@!()*");
    }
    return true;
}

static bool fn_url_join(struct trun *run, const struct tvalue *args, size_t n, struct tvalue *out)
{
    struct buf b = run_buf(run);
    struct url u;
    const struct {
        const char *name;
        struct slice *to;
    } MEMBERS[] = {
        {"scheme", &u.scheme},     {"host", &u.host},     {"path", &u.path},
        {"query", &u.query},       {"opaque", &u.opaque}, {"fragment", &u.fragment},
        {"userinfo", &u.userinfo},
    };

    (void)n;
    for (size_t i = 0; i < COUNT_OF(MEMBERS); i++)
        if (!member(run, &args[0], MEMBERS[i].name, MEMBERS[i].to))
            return false;
    return put_url(run, &b, &u) && run_text(run, &b, out);
}

static const struct tfunc FUNCTIONS[] = {
    {"urlParse", "s", fn_url_parse, 0},
    {"urlJoin", "m", fn_url_join, 0},
    {"base", "s", fn_base, 0},
    {"osBase", "s", fn_base, 0},
    {"dir", "s", fn_dir, 0},
    {"osDir", "s", fn_dir, 0},
    {"clean", "s", fn_clean, 0},
    {"osClean", "s", fn_clean, 0},
    {"ext", "s", fn_ext, 0},
    {"osExt", "s", fn_ext, 0},
    {"isAbs", "s", fn_is_abs, 0},
    {"osIsAbs", "s", fn_is_abs, 0},
};
const struct function_table FUNCTIONS_URL = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
