/*
 * Names of the HTTP client: who needs no proxy, and the addresses that curl is told when the names
 * are looked up by a resolver of ours (Debian's libcurl cannot be given a name server).
 */
#include "net/client_internal.h"

#include "base/uri.h"

#define ADDRESSES_MAX 32u
#define ENTRY_MAX     (4u << 10)

/* --- NO_PROXY -----------------------------------------------------------------------------------
 */

struct target {
    struct slice host;
    const char *port;
    bool is_ip;
    struct ip ip;
};

static bool in_block(struct slice entry, size_t slash, const struct target *t)
{
    uint64_t bits;
    struct ip net;

    if (!t->is_ip || !ip_read(slice_sub(entry, 0, slash), &net) || net.n != t->ip.n ||
        !slice_to_u64(slice_from(entry, slash + 1), &bits) || bits > net.n * 8u)
        return false;
    for (size_t i = 0; i < bits; i++)
        if ((net.bytes[i / 8] ^ t->ip.bytes[i / 8]) & (0x80 >> i % 8))
            return false;
    return true;
}

/* "*.example.org" is written by those who mean ".example.org". */
static bool is_below(struct slice entry, struct slice host)
{
    bool only_below = slice_starts(entry, ".");

    if (!only_below && slice_eq_case(entry, host))
        return true;
    struct slice domain = only_below ? slice_from(entry, 1) : entry;
    if (!domain.n || host.n <= domain.n + 1)
        return false;
    size_t at = host.n - domain.n;
    return host.p[at - 1] == '.' && slice_eq_case(slice_from(host, at), domain);
}

static bool entry_covers(struct slice entry, const struct target *t)
{
    struct slice host, port;
    size_t slash = slice_find(entry, '/');
    struct ip ip;

    if (slice_is(entry, "*"))
        return true;
    if (slash < entry.n)
        return in_block(entry, slash, t);
    if (!ip_read(entry, &ip) && host_port_split(entry, &host, &port, NULL)) {
        if (!slice_is(port, t->port))
            return false;
        entry = host;
    }
    if (slice_starts(entry, "[") && slice_ends(entry, "]"))
        entry = slice_sub(entry, 1, entry.n - 2);
    if (ip_read(entry, &ip))
        return t->is_ip && ip_eq(&ip, &t->ip);
    if (slice_starts(entry, "*."))
        entry = slice_from(entry, 1);
    return entry.n && !t->is_ip && is_below(entry, t->host);
}

bool names_bypass_proxy(const char *list, const char *host, const char *port)
{
    struct target t = {.host = slice_text(host), .port = port};
    struct slice rest = slice_text(list), entry;

    if (t.host.n > 1 && slice_ends(t.host, "."))
        t.host.n--;
    t.is_ip = ip_read(t.host, &t.ip);
    while (slice_split(&rest, ',', &entry))
        if (entry_covers(slice_trim(entry), &t))
            return true;
    return false;
}

/* --- Looking up ---------------------------------------------------------------------------------
 */

static void put_address(struct buf *b, struct arena *a, const struct ip *ip, bool first)
{
    buf_printf(b, ip->n == 16 ? "%s[%.*s]" : "%s%.*s", first ? "" : ",", SLICE_ARG(ip_text(a, ip)));
}

static bool look_up(struct arena *a, struct resolver *r, const char *host, const char *port,
                    bool rooted, struct curl_slist **list, struct deadline d, struct err *e)
{
    struct ip_list found;
    struct slice name = slice_text(host);
    struct ip literal;
    struct err why = {0};

    if (ip_read(name, &literal) || strchr(host, ':')) /* a literal, perhaps with a zone */
        return true;
    if (rooted && !slice_ends(name, "."))
        name = arena_format(a, "%s.", host);
    if (!r->addresses(r, name, a, &found, d, &why)) {
        enum err_kind kind = why.kind == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE;
        return err_set(e, kind, "connecting to %s:%s: %s", host, port, why.text);
    }
    struct buf b = buf_new(a, ENTRY_MAX);
    buf_printf(&b, "%s:%s:", host, port);
    for (size_t i = 0; i < found.n && i < ADDRESSES_MAX; i++)
        put_address(&b, a, &found.v[i], i == 0);
    if (!buf_done(&b, "addresses of a host", e))
        return false;
    struct curl_slist *longer = curl_slist_append(*list, arena_cstr(a, buf_slice(&b)));
    if (!longer)
        return err_set(e, ERR_INTERNAL, "HTTP client: out of memory");
    *list = longer;
    return true;
}

/* What curl takes for a proxy: a URL that may lack its scheme, and the port of old. */
static bool look_up_proxy(struct arena *a, struct resolver *r, CURLU *url, const char *proxy,
                          struct curl_slist **list, bool *socks, struct deadline d, struct err *e)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    bool ok = true;

    if (curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) ==
            CURLUE_OK &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, CURLU_PUNYCODE) == CURLUE_OK) {
        bool https = slice_is_case(slice_text(scheme), "https");
        *socks = slice_starts(slice_text(scheme), "socks");
        if (curl_url_get(url, CURLUPART_PORT, &port, 0) != CURLUE_OK)
            port = NULL;
        const char *usual = https ? "443" : "1080";
        ok = look_up(a, r, host, port ? port : usual, false, list, d, e) || err_wrap(e, "proxy");
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return ok;
}

bool names_look_up(struct arena *a, struct resolver *r, const struct names_wanted *w,
                   struct curl_slist **list, struct deadline d, struct err *e)
{
    bool socks = false;

    if (!*w->proxy)
        return look_up(a, r, w->host, w->port, w->rooted, list, d, e);
    CURLU *url = curl_url();
    bool ok = url && look_up_proxy(a, r, url, w->proxy, list, &socks, d, e);
    curl_url_cleanup(url);
    /* An old SOCKS proxy is given an address. */
    return ok && (!socks || look_up(a, r, w->host, w->port, w->rooted, list, d, e));
}
