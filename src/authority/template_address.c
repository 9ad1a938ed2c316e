/* IP addresses and URLs of requests and certificates: they print, and stand in JSON, as the texts
 * that they are, and answer what templates ask them. */
#include "authority/template_objects.h"

#include "base/uri.h"

#define METHOD(name)                                                                               \
    static bool name(struct trun *run UNUSED, const struct tvalue *self,                           \
                     const struct tvalue *args UNUSED, struct tvalue *out)

/* --- Addresses ------------------------------------------------------------------------------- */

METHOD(address_string)
{
    *out = tvalue_text(self->text);
    return true;
}

METHOD(address_to4)
{
    struct ip ip;

    *out = ip_read(self->text, &ip) && ip.n == 4 ? *self : tvalue_nil();
    return true;
}

METHOD(address_is_loopback)
{
    static const uint8_t ONE[16] = {[15] = 1};
    struct ip ip;

    *out = tvalue_bool(ip_read(self->text, &ip) &&
                       (ip.n == 4 ? ip.bytes[0] == 127 : memcmp(ip.bytes, ONE, 16) == 0));
    return true;
}

/* RFC 1918, RFC 4193 */
METHOD(address_is_private)
{
    struct ip ip = {0};
    const uint8_t *b = ip.bytes;
    bool good = ip_read(self->text, &ip);

    *out = tvalue_bool(good && (ip.n == 4 ? b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) ||
                                                (b[0] == 192 && b[1] == 168)
                                          : (b[0] & 0xfe) == 0xfc));
    return true;
}

static const struct tmethod ADDRESS_METHODS[] = {{"IsLoopback", "", address_is_loopback},
                                                 {"IsPrivate", "", address_is_private},
                                                 {"String", "", address_string},
                                                 {"To4", "", address_to4}};
static const struct ttype ADDRESS_TYPE = {.name = "net.IP",
                                          .kind = "slice",
                                          .is = T_TEXT,
                                          .methods = ADDRESS_METHODS,
                                          .n_methods = COUNT_OF(ADDRESS_METHODS)};
static const struct ttype ADDRESSES_TYPE = {
    .name = "[]net.IP", .kind = "slice", .is = T_LIST, .elem = &ADDRESS_TYPE};

struct tvalue tobject_addresses(struct arena *a, const struct slice *v, size_t n)
{
    if (n == 0)
        return (struct tvalue){.kind = T_LIST, .type = &ADDRESSES_TYPE};
    struct tvalue list = tvalue_list(a, &ADDRESSES_TYPE, n);
    for (size_t i = 0; i < n; i++)
        list.list->items[i] = (struct tvalue){.kind = T_TEXT, .type = &ADDRESS_TYPE, .text = v[i]};
    return list;
}

/* --- URLs ------------------------------------------------------------------------------------ */

struct url {
    struct slice text;
    struct uri parts; /* empty where the text cannot be read */
};

#define PART(function, expression)                                                                 \
    GET(function)                                                                                  \
    {                                                                                              \
        const struct uri *u = &((const struct url *)self)->parts;                                  \
        *out = tvalue_text(expression);                                                            \
        return true;                                                                               \
    }
/* With its port, and an IPv6 address in brackets. */
static struct slice whole_host(struct arena *a, const struct uri *u)
{
    return arena_format(a, "%s%.*s%s%s%.*s", u->host_is_v6 ? "[" : "", SLICE_ARG(u->host),
                        u->host_is_v6 ? "]" : "", u->port.n ? ":" : "", SLICE_ARG(u->port));
}
PART(url_scheme, u->scheme)
PART(url_opaque, u->opaque)
PART(url_host, whole_host(trun_arena(run), u))
PART(url_path, u->path)
PART(url_query, u->query)
PART(url_fragment, u->fragment)

static const struct tfield URL_FIELDS[] = {
    FIELD("Scheme", NULL, false, url_scheme),     FIELD("Opaque", NULL, false, url_opaque),
    FIELD("Host", NULL, false, url_host),         FIELD("Path", NULL, false, url_path),
    FIELD("Fragment", NULL, false, url_fragment), FIELD("RawQuery", NULL, false, url_query)};

METHOD(url_string)
{
    *out = tvalue_text(((const struct url *)self->self)->text);
    return true;
}

METHOD(url_hostname)
{
    *out = tvalue_text(((const struct url *)self->self)->parts.host);
    return true;
}

METHOD(url_port)
{
    *out = tvalue_text(((const struct url *)self->self)->parts.port);
    return true;
}

static const struct tmethod URL_METHODS[] = {
    {"Hostname", "", url_hostname}, {"Port", "", url_port}, {"String", "", url_string}};

static bool url_own_text(const struct tvalue *v, struct buf *out)
{
    buf_put(out, ((const struct url *)v->self)->text);
    return true;
}

static bool url_json(const struct tvalue *v, struct buf *out)
{
    json_put_text(out, ((const struct url *)v->self)->text);
    return true;
}

static const struct ttype URL_TYPE = {.name = "*url.URL",
                                      .kind = "ptr",
                                      .is = T_OBJECT,
                                      .fields = URL_FIELDS,
                                      .n_fields = COUNT_OF(URL_FIELDS),
                                      .methods = URL_METHODS,
                                      .n_methods = COUNT_OF(URL_METHODS),
                                      .text = url_own_text,
                                      .json = url_json};
static const struct ttype URLS_TYPE = {
    .name = "[]*url.URL", .kind = "slice", .is = T_LIST, .elem = &URL_TYPE};

struct tvalue tobject_urls(struct arena *a, const struct slice *v, size_t n)
{
    if (n == 0)
        return (struct tvalue){.kind = T_LIST, .type = &URLS_TYPE};
    struct url *urls = arena_array(a, n, sizeof(*urls));
    struct tvalue list = tvalue_list(a, &URLS_TYPE, n);
    for (size_t i = 0; i < n; i++) {
        urls[i].text = v[i];
        if (!uri_read(a, v[i], &urls[i].parts, NULL))
            urls[i].parts = (struct uri){0};
        list.list->items[i] = tvalue_object(&URL_TYPE, &urls[i]);
    }
    return list;
}
