/*
 * The HTTP/1.1 reader.  Strict where leniency lets two readers disagree about where a request
 * ends: every line ends with CR LF, no folding, no blank before a colon, one Content-Length or one
 * "chunked" and never both.  A client that is refused here can always be mended; a proxy in front
 * of us that reads the same bytes differently cannot.
 */
#include "net/http1.h"

/* --- Characters ---------------------------------------------------------------------------- */

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_token_char(uint8_t c) /* RFC 9110 5.6.2 */
{
    return is_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char(s.p[i]))
            return false;
    return s.n > 0;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim_blank(struct slice s)
{
    while (s.n && is_blank(s.p[0]))
        s = slice_from(s, 1);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* --- Where the head ends -------------------------------------------------------------------- */

enum http1_step http1_scan(struct http1_scan *s, struct slice in, const char **why)
{
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i];
        s->n++;
        if (s->cr != (c == '\n')) {
            *why = s->cr ? "RFC 9112 2.2: CR without LF" : "RFC 9112 2.2: line ends without CR";
            return HTTP1_BAD;
        }
        if (c == '\n') {
            if (s->begun && s->line == 0)
                return HTTP1_DONE;
            s->line = 0;
            s->cr = false;
            continue;
        }
        if (c == '\r') {
            s->cr = true;
            continue;
        }
        if (c < 0x20 && c != '\t') {
            *why = "RFC 9112 2.2: control character in the head";
            return HTTP1_BAD;
        }
        s->begun = true;
        s->line++;
    }
    return HTTP1_MORE;
}

/* The next line without its CR LF; false when no complete line is left. */
static bool next_line(struct slice *rest, struct slice *line)
{
    size_t end = slice_find(*rest, '\n');

    if (end == rest->n || end == 0 || rest->p[end - 1] != '\r')
        return false;
    *line = slice_sub(*rest, 0, end - 1);
    *rest = slice_from(*rest, end + 1);
    return true;
}

/* --- Request line --------------------------------------------------------------------------- */

bool http1_unescape(struct arena *a, struct slice in, struct slice *out)
{
    if (slice_find(in, '%') == in.n) {
        *out = in;
        return !slice_has_nul(in);
    }
    uint8_t *p = arena_alloc(a, in.n);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '%') {
            p[n++] = in.p[i];
            continue;
        }
        if (in.n - i < 3)
            return false;
        int high = hex_value(in.p[i + 1]), low = hex_value(in.p[i + 2]);
        if (high < 0 || low < 0)
            return false;
        p[n++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    *out = slice_of(p, n);
    return !slice_has_nul(*out);
}

/* uri-host [ ":" port ], RFC 9110 7.2; loosely: only characters that a host can have. */
bool http1_host_acceptable(struct slice host)
{
    for (size_t i = 0; i < host.n; i++)
        if (!is_alnum(host.p[i]) && !(host.p[i] && strchr("-._~!$&'()*+,;=:[]%", host.p[i])))
            return false;
    return true;
}

enum http_method http1_method(struct slice text)
{
    for (int m = HTTP_GET; m < HTTP_OTHER; m++)
        if (slice_is(text, http_method_name((enum http_method)m)))
            return (enum http_method)m;
    return HTTP_OTHER;
}

static int bad(struct err *e, int status, const char *text)
{
    err_set(e, ERR_MALFORMED, "%s", text);
    return status;
}

/* Cuts scheme and authority off an absolute-form target (RFC 9112 3.2.2). */
static bool cut_authority(struct slice *rest, struct slice *host)
{
    size_t colon = slice_search(*rest, SLICE("://"));
    struct slice scheme = slice_sub(*rest, 0, colon);

    if (colon == rest->n || (!slice_is_case(scheme, "http") && !slice_is_case(scheme, "https")))
        return false;
    *rest = slice_from(*rest, colon + 3);
    size_t end = 0;
    while (end < rest->n && rest->p[end] != '/' && rest->p[end] != '?')
        end++;
    *host = slice_sub(*rest, 0, end);
    *rest = slice_from(*rest, end);
    return host->n > 0 && http1_host_acceptable(*host);
}

int http1_target(struct arena *a, struct http_request *out, struct err *e)
{
    struct slice rest = out->target;

    if (rest.n > HTTP1_TARGET_MAX)
        return bad(e, 414, "request target: more than 64 KiB");
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] == 0x7f || rest.p[i] == '#')
            return bad(e, 400, "RFC 9112 3.2: request target: a character that must be escaped");
    if (slice_is(rest, "*") && out->method == HTTP_OPTIONS) {
        out->path = out->raw_path = rest;
        return 0;
    }
    if (!slice_starts(rest, "/") && !cut_authority(&rest, &out->host))
        return bad(e, 400, "RFC 9112 3.2: request target: expected a path or an http URL");
    size_t mark = slice_find(rest, '?');
    out->raw_path = slice_sub(rest, 0, mark);
    if (mark < rest.n)
        out->query = slice_from(rest, mark + 1);
    if (!out->raw_path.n)
        out->raw_path = SLICE("/");
    if (!http1_unescape(a, out->raw_path, &out->path))
        return bad(e, 400, "RFC 3986 2.1: request target: bad percent escape");
    return 0;
}

static bool is_version(struct slice s)
{
    return s.n == 8 && slice_starts(s, "HTTP/") && s.p[5] >= '0' && s.p[5] <= '9' &&
           s.p[6] == '.' && s.p[7] >= '0' && s.p[7] <= '9';
}

static int read_request_line(struct arena *a, struct slice line, struct http_request *out,
                             struct err *e)
{
    size_t first = slice_find(line, ' '), last = slice_rfind(line, ' ');

    if (first == line.n || first == last)
        return bad(e, 400, "RFC 9112 3: request line: expected METHOD TARGET HTTP/1.1");
    struct slice version = slice_from(line, last + 1);
    out->method_text = slice_sub(line, 0, first);
    if (!is_token(out->method_text) || out->method_text.n > 32)
        return bad(e, 400, "RFC 9110 9.1: request line: bad method");
    out->method = http1_method(out->method_text);
    out->target = slice_sub(line, first + 1, last - first - 1);
    if (!is_version(version))
        return bad(e, 400, "RFC 9112 2.3: request line: expected HTTP/1.1 at its end");
    if (!slice_is(version, "HTTP/1.1") && !slice_is(version, "HTTP/1.0"))
        return bad(e, 505, "RFC 9110 15.6.6: HTTP version: only 1.1 and 1.0 are spoken here");
    out->protocol = slice_is(version, "HTTP/1.1") ? "HTTP/1.1" : "HTTP/1.0";
    return http1_target(a, out, e);
}

/* --- Fields --------------------------------------------------------------------------------- */

static int read_field(struct slice line, struct http_field *field, struct err *e)
{
    if (is_blank(line.p[0]))
        return bad(e, 400, "RFC 9112 5.2: header: folded line");
    size_t colon = slice_find(line, ':');
    field->name = slice_sub(line, 0, colon);
    if (colon == line.n || !is_token(field->name))
        return bad(e, 400, "RFC 9112 5: header: expected NAME: VALUE");
    field->value = trim_blank(slice_from(line, colon + 1));
    for (size_t i = 0; i < field->value.n; i++) {
        uint8_t c = field->value.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return bad(e, 400, "RFC 9110 5.5: header: control character in a value");
    }
    return 0;
}

static int read_fields(struct arena *a, struct slice rest, struct http_fields *out, struct err *e)
{
    struct slice line;

    out->arena = a;
    out->cap = 16;
    out->v = arena_array(a, out->cap, sizeof(*out->v));
    while (next_line(&rest, &line)) {
        if (!line.n)
            return rest.n ? bad(e, 400, "RFC 9112 2.1: head: text behind its end") : 0;
        if (out->n == HTTP1_FIELDS_MAX)
            return bad(e, 431, "header: more than 256 fields");
        if (out->n == out->cap) {
            struct http_field *v = arena_array(a, HTTP1_FIELDS_MAX, sizeof(*v));
            memcpy(v, out->v, out->n * sizeof(*v));
            out->v = v;
            out->cap = HTTP1_FIELDS_MAX;
        }
        int status = read_field(line, &out->v[out->n], e);
        if (status)
            return status;
        out->n++;
    }
    return bad(e, 400, "RFC 9112 2.1: head: does not end with an empty line");
}

/* --- What the fields mean for the connection ------------------------------------------------- */

/* How many fields of that name; *value is the first one's. */
static size_t count_fields(const struct http_fields *f, const char *name, struct slice *value)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        if (slice_is_case(f->v[i].name, name) && n++ == 0)
            *value = f->v[i].value;
    return n;
}

static bool list_has(const struct http_fields *f, const char *name, const char *token)
{
    for (size_t i = 0; i < f->n; i++) {
        if (!slice_is_case(f->v[i].name, name))
            continue;
        struct slice rest = f->v[i].value, part;
        while (slice_split(&rest, ',', &part))
            if (slice_is_case(trim_blank(part), token))
                return true;
    }
    return false;
}

static int read_host(struct http_request *out, bool old, struct err *e)
{
    struct slice host = SLICE_NONE;
    size_t n = count_fields(&out->fields, "Host", &host);

    if (n > 1)
        return bad(e, 400, "RFC 9112 3.2: more than one Host");
    if (n == 0 && !old)
        return bad(e, 400, "RFC 9112 3.2: Host is missing");
    if (!http1_host_acceptable(host))
        return bad(e, 400, "RFC 9112 3.2: Host: bad character");
    if (!out->host.p) /* an absolute target's authority wins */
        out->host = host;
    return 0;
}

static int read_framing(const struct http_request *in, bool old, struct http1_framing *out,
                        struct err *e)
{
    struct slice length = SLICE_NONE, coding = SLICE_NONE;
    size_t n_length = count_fields(&in->fields, "Content-Length", &length);
    size_t n_coding = count_fields(&in->fields, "Transfer-Encoding", &coding);

    if (n_length && n_coding)
        return bad(e, 400, "RFC 9112 6.1: Content-Length beside Transfer-Encoding");
    if (n_length > 1)
        return bad(e, 400, "RFC 9112 6.3: more than one Content-Length");
    if (n_length && (length.n > 19 || !slice_to_u64(length, &out->length)))
        return bad(e, 400, "RFC 9110 8.6: Content-Length: expected a decimal number");
    if (!n_coding)
        return 0;
    if (old)
        return bad(e, 400, "RFC 9112 6.1: Transfer-Encoding in an HTTP/1.0 request");
    if (n_coding > 1 || !slice_is_case(coding, "chunked"))
        return bad(e, 501, "RFC 9112 6.1: Transfer-Encoding: only chunked is understood");
    out->chunked = true;
    return 0;
}

static int read_expect(const struct http_request *in, bool old, struct http1_framing *out,
                       struct err *e)
{
    struct slice expect = SLICE_NONE;

    if (!count_fields(&in->fields, "Expect", &expect) || old)
        return 0; /* RFC 9110 10.1.1: a 1.0 client's is ignored */
    if (!slice_is_case(expect, "100-continue"))
        return bad(e, 417, "RFC 9110 10.1.1: Expect: only 100-continue is understood");
    out->expect_continue = true;
    return 0;
}

int http1_head(struct arena *a, struct slice head, struct http_request *out,
               struct http1_framing *framing, struct err *e)
{
    struct slice line, rest = head;
    int status;

    *framing = (struct http1_framing){.close = true};
    out->method = HTTP_OTHER;
    out->protocol = "HTTP/1.1";
    while (slice_starts(rest, "\r\n")) /* RFC 9112 2.2: empty lines in front are ignored */
        rest = slice_from(rest, 2);
    if (!next_line(&rest, &line))
        return bad(e, 400, "RFC 9112 2.1: head: no complete line");
    if ((status = read_request_line(a, line, out, e)) != 0)
        return status;
    bool old = slice_is(slice_text(out->protocol), "HTTP/1.0");
    if ((status = read_fields(a, rest, &out->fields, e)) != 0 ||
        (status = read_host(out, old, e)) != 0 ||
        (status = read_framing(out, old, framing, e)) != 0 ||
        (status = read_expect(out, old, framing, e)) != 0)
        return status;
    framing->close = old || list_has(&out->fields, "Connection", "close");
    return 0;
}
