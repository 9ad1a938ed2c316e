/*
 * URIs.  Audiences of tokens are compared after a round through reader and printer, so both follow
 * the reference's rules to the letter, the odd ones included: what is written as a valid encoding
 * is printed as written ("%2F" and "%41" stay), and one byte that needed escaping makes the whole
 * path be escaped anew from its decoded form.
 *
 * The reader cuts from the outside in: fragment, scheme, query, authority, path.
 */
#include "base/uri.h"

#include "base/buf.h"
#include "base/ip.h"

#define URI_MAX 8192u

/* --- Escapes --------------------------------------------------------------------------------- */

enum part { PART_PATH, PART_HOST, PART_ZONE, PART_USERINFO, PART_FRAGMENT, PART_COMPONENT };

/* What stands unescaped in a part, besides letters, digits and "-_.~". */
static const char *const PLAIN[] = {
    [PART_PATH] = "$&+,/:;=@",          [PART_HOST] = "!$&'()*+,;=:[]<>\"",
    [PART_ZONE] = "!$&'()*+,;=:[]<>\"", [PART_USERINFO] = "$&+,;=",
    [PART_FRAGMENT] = "$&+,/:;=?@!()*", [PART_COMPONENT] = "",
};

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool one_of(uint8_t c, const char *set)
{
    return c && strchr(set, c);
}

static bool is_plain(uint8_t c, enum part part)
{
    return is_letter(c) || is_digit(c) || one_of(c, "-_.~") || one_of(c, PLAIN[part]);
}

static struct slice escape(struct arena *a, struct slice s, enum part part, bool plus)
{
    static const char HEX[] = "0123456789ABCDEF";
    uint8_t *out = arena_array(a, s.n + 1, 3);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (is_plain(c, part)) {
            out[n++] = c;
        } else if (c == ' ' && plus) {
            out[n++] = '+';
        } else {
            out[n++] = '%';
            out[n++] = (uint8_t)HEX[c >> 4];
            out[n++] = (uint8_t)HEX[c & 15];
        }
    }
    return slice_of(out, n);
}

static int hex_digit(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* May this escape stand in this part?  A host may only escape bytes that are not ASCII, and '%'
 * itself for zones (RFC 6874); a zone may not bring in what it could not write plainly. */
static bool escape_allowed(uint8_t c, enum part part)
{
    if (part == PART_HOST)
        return c >= 0x80 || c == '%';
    if (part == PART_ZONE)
        return c == '%' || c == ' ' || is_plain(c, PART_HOST);
    return true;
}

static bool unescape(struct arena *a, struct slice s, enum part part, bool plus, struct slice *out)
{
    uint8_t *to = arena_alloc(a, s.n + 1);
    bool host = part == PART_HOST || part == PART_ZONE;
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c != '%') {
            /* A zone in other letters could not be printed so that it reads again. */
            if (host && (c < 0x80 || part == PART_ZONE) && !is_plain(c, part))
                return false;
            to[n++] = c == '+' && plus ? ' ' : c;
            continue;
        }
        int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
        int low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
        if (high < 0 || low < 0 || !escape_allowed((uint8_t)(high << 4 | low), part))
            return false;
        to[n++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    *out = slice_of(to, n);
    return true;
}

struct slice uri_escape_segment(struct arena *a, struct slice s)
{
    return escape(a, s, PART_COMPONENT, false);
}

struct slice uri_escape_query(struct arena *a, struct slice s)
{
    return escape(a, s, PART_COMPONENT, true);
}

bool uri_unescape(struct arena *a, struct slice s, struct slice *out)
{
    return unescape(a, s, PART_COMPONENT, false, out);
}

/* --- Reading --------------------------------------------------------------------------------- */

static bool bad(struct err *e, const char *why)
{
    return err_set(e, ERR_MALFORMED, "URI (RFC 3986): %s", why);
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

/* Takes "scheme:" off *rest; without one everything stays. */
static bool read_scheme(struct arena *a, struct slice *rest, struct slice *scheme, struct err *e)
{
    size_t i = 0;

    while (i < rest->n && (is_letter(rest->p[i]) ||
                           (i > 0 && (is_digit(rest->p[i]) || one_of(rest->p[i], "+-.")))))
        i++;
    if (i == rest->n || rest->p[i] != ':')
        return true;
    if (i == 0)
        return bad(e, "nothing before the first ':'");
    uint8_t *lower = arena_alloc(a, i);
    for (size_t k = 0; k < i; k++)
        lower[k] = is_letter(rest->p[k]) ? rest->p[k] | 0x20 : rest->p[k];
    *scheme = slice_of(lower, i);
    *rest = slice_from(*rest, i + 1);
    return true;
}

/* "" or ":" digits. */
static bool read_port(struct slice text, struct slice *port, struct err *e)
{
    if (text.n && text.p[0] != ':')
        return bad(e, "unexpected text behind the host");
    *port = slice_from(text, 1);
    for (size_t i = 0; i < port->n; i++)
        if (!is_digit(port->p[i]))
            return bad(e, "port is not a number");
    return true;
}

/* "%25" zone, decoded to "%" zone.  Brackets in it would make the text unreadable when printed. */
static bool read_zone(struct arena *a, struct slice text, struct slice *zone)
{
    return unescape(a, text, PART_ZONE, false, zone) && zone->n > 1 &&
           slice_find(*zone, '[') == zone->n && slice_find(*zone, ']') == zone->n;
}

/* "[" IPv6address [ "%25" zone ] "]" [ ":" port ] (RFC 3986 3.2.2, RFC 6874). */
static bool read_literal(struct arena *a, struct slice text, struct uri *u, struct err *e)
{
    size_t end = slice_rfind(text, ']');
    struct slice address, zone = SLICE_NONE;
    struct ip ip;

    if (end == text.n)
        return bad(e, "missing ']' in host");
    if (!read_port(slice_from(text, end + 1), &u->port, e))
        return false;
    struct slice inside = slice_sub(text, 1, end - 1);
    size_t at = slice_search(inside, SLICE("%25"));
    address = slice_sub(inside, 0, at);
    if (slice_find(address, ':') == address.n || !ip_read(address, &ip))
        return bad(e, "expected an IPv6 address between '[' and ']'");
    if (at < inside.n && !read_zone(a, slice_from(inside, at), &zone))
        return bad(e, "bad zone of an IPv6 address (RFC 6874)");
    u->host = arena_format(a, "%.*s%.*s", SLICE_ARG(address), SLICE_ARG(zone));
    u->host_is_v6 = true;
    return true;
}

static bool read_host(struct arena *a, struct slice text, struct uri *u, struct err *e)
{
    size_t bracket = slice_rfind(text, '['), colon = slice_rfind(text, ':');
    bool web = slice_is(u->scheme, "http") || slice_is(u->scheme, "https");

    if (bracket == 0 && text.n)
        return read_literal(a, text, u, e);
    if (bracket < text.n)
        return bad(e, "unexpected '[' in host");
    /* Lists of hosts with ports are in use elsewhere; on the web one colon is all there is. */
    if (web && slice_find(text, ':') != colon)
        return bad(e, "more than one ':' in host");
    if (!read_port(slice_from(text, colon), &u->port, e))
        return false;
    if (!unescape(a, slice_sub(text, 0, colon), PART_HOST, false, &u->host))
        return bad(e, "character or escape that a host may not have");
    return true;
}

static bool userinfo_ok(struct arena *a, struct slice s)
{
    struct slice decoded;

    for (size_t i = 0; i < s.n; i++)
        if (!is_letter(s.p[i]) && !is_digit(s.p[i]) && !one_of(s.p[i], "-._:~!$&'()*+,;=%@"))
            return false;
    return unescape(a, s, PART_USERINFO, false, &decoded);
}

/* [ userinfo "@" ] host [ ":" port ] */
static bool read_authority(struct arena *a, struct slice text, struct uri *u, struct err *e)
{
    size_t at = slice_rfind(text, '@');

    if (at == text.n)
        return read_host(a, text, u, e);
    u->userinfo = slice_sub(text, 0, at);
    if (!userinfo_ok(a, u->userinfo))
        return bad(e, "bad user information before '@'");
    return read_host(a, slice_from(text, at + 1), u, e);
}

static bool read_path(struct arena *a, struct slice text, struct uri *u, struct err *e)
{
    u->raw_path = text;
    if (!unescape(a, text, PART_PATH, false, &u->path))
        return bad(e, "bad %-escape in the path");
    return true;
}

/* What is left when scheme, query and fragment are off. */
static bool read_hierarchy(struct arena *a, struct slice rest, struct uri *u, struct err *e)
{
    bool has_scheme = u->scheme.n > 0;

    if (!slice_starts(rest, "/") && has_scheme) {
        u->opaque = rest;
        return true;
    }
    size_t slash = slice_find(rest, '/');
    if (slash > 0 && slice_find(rest, ':') < slash)
        return bad(e, "':' in the first path segment (4.2)");
    if (!slice_starts(rest, "//") || (!has_scheme && slice_starts(rest, "///")))
        return read_path(a, rest, u, e);
    rest = slice_from(rest, 2);
    slash = slice_find(rest, '/');
    return read_authority(a, slice_sub(rest, 0, slash), u, e) &&
           read_path(a, slice_from(rest, slash), u, e);
}

bool uri_read(struct arena *a, struct slice text, struct uri *u, struct err *e)
{
    *u = (struct uri){0};
    if (text.n > URI_MAX)
        return err_set(e, ERR_MALFORMED, "URI: longer than %u bytes", URI_MAX);
    if (has_control(text))
        return bad(e, "control character");
    struct slice rest = arena_copy(a, text);
    size_t hash = slice_find(rest, '#');
    if (hash + 1 < rest.n) { /* an empty fragment is as none */
        u->raw_fragment = slice_from(rest, hash + 1);
        if (!unescape(a, u->raw_fragment, PART_FRAGMENT, false, &u->fragment))
            return bad(e, "bad %-escape in the fragment");
    }
    rest = slice_sub(rest, 0, hash);
    if (!read_scheme(a, &rest, &u->scheme, e))
        return false;
    size_t mark = slice_find(rest, '?');
    if (mark < rest.n)
        u->query = slice_from(rest, mark + 1);
    return read_hierarchy(a, slice_sub(rest, 0, mark), u, e);
}

/* --- Printing -------------------------------------------------------------------------------- */

/* The raw form when it is a valid encoding of the value, else the value escaped. */
static struct slice encoded(struct arena *a, struct slice raw, struct slice value, enum part part)
{
    struct slice decoded;
    bool valid = raw.n > 0;

    for (size_t i = 0; valid && i < raw.n; i++)
        valid = is_plain(raw.p[i], part) || one_of(raw.p[i], "!$&'()*+,;=:@[]%");
    if (valid && unescape(a, raw, part, false, &decoded) && slice_eq(decoded, value))
        return raw;
    if (part == PART_PATH && slice_is(value, "*")) /* the asterisk form of HTTP */
        return value;
    return escape(a, value, part, false);
}

static void put_userinfo(struct arena *a, struct buf *b, struct slice raw)
{
    size_t colon = slice_find(raw, ':');
    struct slice part;

    if (unescape(a, slice_sub(raw, 0, colon), PART_USERINFO, false, &part))
        buf_put(b, escape(a, part, PART_USERINFO, false));
    if (colon < raw.n)
        buf_byte(b, ':');
    if (colon < raw.n && unescape(a, slice_from(raw, colon + 1), PART_USERINFO, false, &part))
        buf_put(b, escape(a, part, PART_USERINFO, false));
    buf_byte(b, '@');
}

/* Would this path be read as an authority (RFC 3986 3.3)? */
static bool like_authority(const struct uri *u, struct slice path)
{
    return slice_starts(path, "//") && (u->scheme.n || !slice_starts(path, "///"));
}

static void put_authority(struct arena *a, struct buf *b, const struct uri *u, struct slice path)
{
    bool host = u->host.n || u->host_is_v6 || u->port.n;
    bool empty = (u->scheme.n && u->host.p && path.n) || like_authority(u, path);

    if (!host && !u->userinfo.p && !empty)
        return;
    buf_text(b, "//");
    if (u->userinfo.p)
        put_userinfo(a, b, u->userinfo);
    if (u->host_is_v6)
        buf_byte(b, '[');
    buf_put(b, escape(a, u->host, PART_HOST, false));
    if (u->host_is_v6)
        buf_byte(b, ']');
    if (u->port.n) {
        buf_byte(b, ':');
        buf_put(b, u->port);
    }
    if (host && path.n && path.p[0] != '/')
        buf_byte(b, '/');
}

struct slice uri_text(struct arena *a, const struct uri *u)
{
    struct buf b = buf_new(a, 16 * URI_MAX);

    if (u->scheme.n) {
        buf_put(&b, u->scheme);
        buf_byte(&b, ':');
    }
    if (u->opaque.n) {
        buf_put(&b, u->opaque);
    } else {
        struct slice path = encoded(a, u->raw_path, u->path, PART_PATH);
        put_authority(a, &b, u, path);
        /* What would read as a scheme (RFC 3986 4.2). */
        if (!b.n && slice_find(path, ':') < slice_find(path, '/'))
            buf_text(&b, "./");
        buf_put(&b, path);
    }
    if (u->query.p) {
        buf_byte(&b, '?');
        buf_put(&b, u->query);
    }
    if (u->fragment.n) {
        buf_byte(&b, '#');
        buf_put(&b, encoded(a, u->raw_fragment, u->fragment, PART_FRAGMENT));
    }
    return buf_slice(&b);
}

/* --- Members --------------------------------------------------------------------------------- */

/* Is this "name=value" (both decoded) the one we look for? */
static bool member(struct arena *a, struct slice pair, const char *name, struct slice *value)
{
    size_t equals = slice_find(pair, '=');
    struct slice key, decoded;

    if (!pair.n || !unescape(a, slice_sub(pair, 0, equals), PART_COMPONENT, true, &key) ||
        !slice_is(key, name))
        return false;
    if (!unescape(a, slice_from(pair, equals + 1), PART_COMPONENT, true, &decoded))
        return false;
    *value = decoded;
    return true;
}

bool uri_query_get(struct arena *a, struct slice query, const char *name, struct slice *value)
{
    for (struct slice pair; slice_split(&query, '&', &pair);)
        if (slice_find(pair, ';') == pair.n && member(a, pair, name, value))
            return true;
    return false;
}

struct slice uri_attribute(struct arena *a, const struct uri *u, const char *name)
{
    struct slice rest = u->opaque, part, pair, value = SLICE_NONE, late;
    bool found = false;

    while (!found && slice_split(&rest, ';', &part))
        while (!found && slice_split(&part, '&', &pair))
            found = member(a, pair, name, &value);
    if (value.n == 0 && uri_query_get(a, u->query, name, &late))
        return late;
    return value;
}

/* --- host:port ------------------------------------------------------------------------------- */

static bool bad_address(struct slice text, const char *why, struct err *e)
{
    return err_set(e, ERR_MALFORMED, "address \"%.*s\": %s", (int)(text.n < 80 ? text.n : 80),
                   text.p ? (const char *)text.p : "", why);
}

bool host_port_split(struct slice text, struct slice *host, struct slice *port, struct err *e)
{
    size_t colon = slice_rfind(text, ':');
    bool literal = slice_starts(text, "[");
    size_t end = literal ? slice_find(text, ']') : 0;

    if (colon == text.n)
        return bad_address(text, "missing port", e);
    if (literal && end == text.n)
        return bad_address(text, "missing ']'", e);
    if (literal && end + 1 != colon)
        return bad_address(text, "expected one ':' and a port behind ']'", e);
    struct slice name = literal ? slice_sub(text, 1, end - 1) : slice_sub(text, 0, colon);
    if (!literal && slice_find(name, ':') < name.n)
        return bad_address(text, "too many colons (an IPv6 address needs brackets)", e);
    struct slice behind = slice_from(text, colon + 1);
    if (slice_find(name, '[') < name.n || slice_find(name, ']') < name.n ||
        slice_find(behind, '[') < behind.n || slice_find(behind, ']') < behind.n)
        return bad_address(text, "unexpected bracket", e);
    *host = name;
    *port = behind;
    return true;
}
