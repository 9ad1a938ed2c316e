/*
 * The normal form of a URI is a fixed point: what was printed reads again and prints the same.
 * (Not when the host itself has a colon, as lists of hosts do: the printer drops an empty port.)
 */
#include <stdlib.h>

#include "base/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_members(struct arena *a, const struct uri *u)
{
    struct slice value;

    uri_attribute(a, u, "id");
    uri_attribute(a, u, "");
    if (uri_query_get(a, u->query, "a", &value) && !value.p)
        abort();
}

static void read_address(struct slice text)
{
    struct slice host, port;

    if (!host_port_split(text, &host, &port, NULL))
        return;
    if (host.n + port.n >= text.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice text = slice_of(data, size), once, twice, decoded;
    struct uri u, v;
    struct err e = {0};

    read_address(text);
    if (!uri_unescape(a, uri_escape_segment(a, text), &decoded) || !slice_eq(decoded, text))
        abort();
    if (!uri_read(a, text, &u, &e)) {
        if (e.kind != ERR_MALFORMED)
            abort();
        return 0;
    }
    read_members(a, &u);
    if (!u.host_is_v6 && slice_find(u.host, ':') < u.host.n)
        return 0;
    once = uri_text(a, &u);
    if (once.n > 8192) /* escapes made it too long to be read again */
        return 0;
    if (!uri_read(a, once, &v, &e))
        abort();
    twice = uri_text(a, &v);
    if (!slice_eq(once, twice))
        abort();
    return 0;
}
