/*
 * What people write for the address of a CA, and what we make of it: "https://host[:port]".
 */
#include "base/ip.h"
#include "client/ca.h"

#define URL_MAX 2048

static bool bad_url(const char *why, struct err *e)
{
    return err_set(e, ERR_MALFORMED, "%s", why);
}

static bool port_ok(struct slice port)
{
    uint64_t v;

    return slice_to_u64(port, &v) && v >= 1 && v <= 65535;
}

static bool host_ok(struct slice host)
{
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && c != '-' && c != '.' && c != '_')
            return false;
    }
    return host.n > 0;
}

static bool is_v6(struct slice text)
{
    struct ip ip;

    return slice_find(text, ':') < text.n && ip_read(text, &ip);
}

/* "::1" and "::1:9000": what follows the last colon is a port when the rest is an address, since
 * people who leave the brackets out mean that. */
static void split_bare_v6(struct slice text, struct slice *host, struct slice *port)
{
    size_t colon = slice_rfind(text, ':');
    struct slice before = slice_sub(text, 0, colon), after = slice_from(text, colon + 1);

    *host = text;
    *port = SLICE_NONE;
    if (!is_v6(before) || !port_ok(after))
        return;
    *host = before;
    *port = after;
}

static bool split_authority(struct slice text, struct slice *host, struct slice *port)
{
    size_t close = slice_find(text, ']'), colon = slice_find(text, ':');

    *port = SLICE_NONE;
    if (text.n && text.p[0] == '[') {
        struct slice rest = slice_from(text, close + 1);
        *host = slice_sub(text, 1, close - 1);
        *port = rest.n ? slice_from(rest, 1) : SLICE_NONE;
        return close < text.n && is_v6(*host) && (rest.n == 0 || (rest.p[0] == ':' && rest.n > 1));
    }
    if (colon < text.n && colon != slice_rfind(text, ':')) {
        split_bare_v6(text, host, port);
        return true;
    }
    *host = slice_sub(text, 0, colon);
    *port = colon < text.n ? slice_from(text, colon + 1) : SLICE_NONE;
    return colon == text.n || port->n > 0;
}

/* Host and port end at the first '/', '?' or '#'. */
static struct slice authority_of(struct slice s)
{
    size_t i = 0;

    while (i < s.n && s.p[i] != '/' && s.p[i] != '?' && s.p[i] != '#')
        i++;
    return slice_sub(s, 0, i);
}

bool ca_url_read(struct arena *a, struct slice text, struct slice *url, struct err *e)
{
    struct slice given = slice_trim(text), host, port;
    size_t mark = slice_search(given, SLICE("://"));
    struct slice scheme = mark < given.n ? slice_sub(given, 0, mark) : SLICE("https");
    struct slice rest = mark < given.n ? slice_from(given, mark + 3) : given;

    if (given.n == 0 || given.n > URL_MAX)
        return bad_url("expected \"https://host:port\"", e);
    if (!slice_is_case(scheme, "https"))
        return bad_url("must have https scheme", e);
    if (!split_authority(authority_of(rest), &host, &port) || (port.n && !port_ok(port)))
        return bad_url("expected \"https://host:port\"", e);
    bool v6 = is_v6(host);
    if (!v6 && !host_ok(host))
        return bad_url("the host is neither a name nor an IP address", e);
    *url = arena_format(a, "https://%s%.*s%s%s%.*s", v6 ? "[" : "", SLICE_ARG(host), v6 ? "]" : "",
                        port.n ? ":" : "", SLICE_ARG(port));
    return true;
}
