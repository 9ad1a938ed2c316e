/*
 * URIs (RFC 3986) as the reference reads and prints them: audiences of tokens are compared in
 * this normal form, key URIs ("pkcs11:id=01;object=k?pin-value=1") are read with it.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct uri {
    struct slice scheme;       /* lower case; empty when the text has none */
    struct slice opaque;       /* what follows "scheme:" when it does not start with '/' */
    struct slice userinfo;     /* raw; p == NULL: absent */
    struct slice host;         /* decoded, without port; an IPv6 literal without brackets.
                                  p == NULL: there is no authority ("file:/path") */
    bool host_is_v6;           /* was written in brackets */
    struct slice port;         /* digits or empty */
    struct slice path;         /* decoded */
    struct slice raw_path;     /* as written */
    struct slice query;        /* raw, p == NULL: absent */
    struct slice fragment;     /* decoded, p == NULL: absent */
    struct slice raw_fragment; /* as written */
};

/* Text up to 8 KiB; control characters and bad %-escapes are refused. */
bool uri_read(struct arena *a, struct slice text, struct uri *u, struct err *e) CHECKED;
/* Printed again: scheme in lower case, path and fragment escaped canonically, no ':' before an
 * empty port. */
struct slice uri_text(struct arena *a, const struct uri *u);
/* %-escapes everything but unreserved characters (RFC 3986 2.3): one path segment. */
struct slice uri_escape_segment(struct arena *a, struct slice s);
/* The same for a name or value of a query or form: a blank becomes '+'. */
struct slice uri_escape_query(struct arena *a, struct slice s);
/* Decodes %-escapes ('+' stays); false when one is bad. */
bool uri_unescape(struct arena *a, struct slice s, struct slice *out) CHECKED;
/* Value of the first query member `name` (decoded, '+' is a blank); false when it is not there.
 * Members with a bad escape or a ';' do not count. */
bool uri_query_get(struct arena *a, struct slice query, const char *name,
                   struct slice *value) CHECKED;

/* Key URIs: scheme:name=value;name=value?name=value.  Value decoded ('+' is a blank); p == NULL
 * when absent.  The opaque part comes first, the query is asked when it has nothing or "" there. */
struct slice uri_attribute(struct arena *a, const struct uri *u, const char *name);

/* "host:port" (host may be empty, IPv6 only in brackets, exactly one port separator). */
bool host_port_split(struct slice text, struct slice *host, struct slice *port,
                     struct err *e) CHECKED;
