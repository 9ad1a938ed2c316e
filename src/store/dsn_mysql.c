/*
 * The Go driver's data source string, read from the right as that driver does: the last slash
 * begins the database name, the last '@' before it ends the password.  So a password may hold any
 * character, and a slash in a parameter's value must be written %2F.
 */
#include "base/duration.h"
#include "base/uri.h"
#include "store/dsn.h"

#define FORM "user:password@tcp(127.0.0.1:3306)/database"

static bool wrong(struct err *e, const char *what)
{
    return err_set(e, ERR_MALFORMED, "%s; the form is " FORM, what);
}

/* --- Values ---------------------------------------------------------------------------------- */

static bool read_bool(struct slice s, bool *out)
{
    static const char *const YES[] = {"1", "true", "TRUE", "True"};
    static const char *const NO[] = {"0", "false", "FALSE", "False"};

    for (size_t i = 0; i < COUNT_OF(YES); i++) {
        if (!slice_is(s, YES[i]) && !slice_is(s, NO[i]))
            continue;
        *out = slice_is(s, YES[i]);
        return true;
    }
    return false;
}

/* The client library counts whole seconds: round up, so that a short limit stays a limit. */
static bool read_seconds(struct slice s, unsigned *out)
{
    int64_t ns;

    if (!duration_read(s, &ns, NULL) || ns < 0 || ns > 24 * 3600 * NS_PER_SEC)
        return false;
    *out = (unsigned)((ns + NS_PER_SEC - 1) / NS_PER_SEC);
    return true;
}

static bool read_tls(struct slice s, enum dsn_tls *out)
{
    bool verified;

    if (slice_is_case(s, "skip-verify"))
        *out = DSN_TLS_UNVERIFIED;
    else if (slice_is_case(s, "preferred"))
        *out = DSN_TLS_PREFERRED;
    else if (read_bool(s, &verified))
        *out = verified ? DSN_TLS_VERIFIED : DSN_TLS_OFF;
    else
        return false;
    return true;
}

/* "name:value,name:value" */
static bool read_attributes(struct arena *a, struct slice s, struct dsn_pairs *out)
{
    const char *text = dsn_unescape(a, s, true);
    struct slice rest = slice_text(text), part;

    while (text && slice_split(&rest, ',', &part)) {
        size_t colon = slice_find(part, ':');
        if (colon == part.n)
            continue;
        dsn_pairs_add(a, out, arena_cstr(a, slice_sub(part, 0, colon)),
                      arena_cstr(a, slice_from(part, colon + 1)));
    }
    return text != NULL;
}

/* --- Parameters ------------------------------------------------------------------------------ */

enum kind { BOOL, SECONDS, NUMBER, TEXT, TLS, ATTRIBUTES, CHECKED_BOOL, ACCEPTED, REFUSED };
static const struct parameter {
    const char *name;
    enum kind kind;
    size_t at;
} PARAMETERS[] = {
#define AT(member) offsetof(struct dsn_mysql, member)
    {"tls", TLS, AT(tls)},
    {"tls-ca", TEXT, AT(tls_ca)},
    {"tls-cert", TEXT, AT(tls_cert)},
    {"tls-key", TEXT, AT(tls_key)},
    {"allowFallbackToPlaintext", BOOL, AT(plaintext_too)},
    {"timeout", SECONDS, AT(connect_seconds)},
    {"readTimeout", SECONDS, AT(read_seconds)},
    {"writeTimeout", SECONDS, AT(write_seconds)},
    {"maxAllowedPacket", NUMBER, AT(max_packet)},
    {"charset", TEXT, AT(charset)},
    {"collation", TEXT, AT(collation)},
    {"allowCleartextPasswords", BOOL, AT(cleartext_passwords)},
    {"allowNativePasswords", BOOL, AT(native_passwords)},
    {"allowOldPasswords", BOOL, AT(old_passwords)},
    {"compress", BOOL, AT(compress)},
    {"checkConnLiveness", BOOL, AT(check_liveness)},
    {"rejectReadOnly", BOOL, AT(reject_read_only)},
    {"connectionAttributes", ATTRIBUTES, AT(attributes)},
#undef AT
    /* They say how values appear in Go; here they have nothing to do. */
    {"allowAllFiles", CHECKED_BOOL, 0},
    {"clientFoundRows", CHECKED_BOOL, 0},
    {"columnsWithAlias", CHECKED_BOOL, 0},
    {"interpolateParams", CHECKED_BOOL, 0},
    {"multiStatements", CHECKED_BOOL, 0},
    {"parseTime", CHECKED_BOOL, 0},
    {"tinyInt1IsBool", CHECKED_BOOL, 0},
    {"loc", ACCEPTED, 0},
    {"timeTruncate", ACCEPTED, 0},
    {"strict", REFUSED, 0},
    {"serverPubKey", REFUSED, 0},
};

static bool read_text(struct arena *a, struct slice value, const char **out)
{
    *out = dsn_unescape(a, value, true);
    return *out != NULL;
}

static bool set_parameter(struct arena *a, const struct parameter *p, struct slice value,
                          struct dsn_mysql *out)
{
    void *at = (char *)out + p->at;
    bool ignored;

    switch (p->kind) {
    case BOOL:
        return read_bool(value, at);
    case SECONDS:
        return read_seconds(value, at);
    case NUMBER:
        return slice_to_u64(value, at) && *(uint64_t *)at <= 1u << 30;
    case TEXT:
        return read_text(a, value, at);
    case TLS:
        return read_tls(value, at);
    case ATTRIBUTES:
        return read_attributes(a, value, at);
    case CHECKED_BOOL:
        return read_bool(value, &ignored);
    case ACCEPTED:
        return true;
    case REFUSED:
        return false;
    }
    return false;
}

static bool is_variable(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '@';
        if (!ok)
            return false;
    }
    return name.n > 0 && name.n <= 64;
}

static bool add_variable(struct arena *a, struct slice name, struct slice value,
                         struct dsn_mysql *out, struct err *e)
{
    const char *text = dsn_unescape(a, value, true);

    if (!is_variable(name))
        return wrong(e, "a parameter has a name that is no name");
    if (!text)
        return err_set(e, ERR_MALFORMED, "parameter %.*s: a bad %%-escape", SLICE_ARG(name));
    dsn_pairs_add(a, &out->variables, arena_cstr(a, name), text);
    return true;
}

static bool read_parameter(struct arena *a, struct slice name, struct slice value,
                           struct dsn_mysql *out, struct err *e)
{
    for (size_t i = 0; i < COUNT_OF(PARAMETERS); i++) {
        const struct parameter *p = &PARAMETERS[i];
        if (!slice_is(name, p->name))
            continue;
        if (set_parameter(a, p, value, out))
            return true;
        if (p->kind == REFUSED)
            return err_set(e, ERR_MALFORMED, "parameter %s is not supported", p->name);
        if (p->kind == TLS)
            return err_set(e, ERR_MALFORMED,
                           "parameter tls: expected true, false, skip-verify or preferred");
        return err_set(e, ERR_MALFORMED, "parameter %s: the value cannot be read", p->name);
    }
    return add_variable(a, name, value, out, e);
}

static bool read_parameters(struct arena *a, struct slice text, struct dsn_mysql *out,
                            struct err *e)
{
    struct slice item;

    while (slice_split(&text, '&', &item)) {
        size_t equals = slice_find(item, '=');
        if (equals == item.n)
            continue;
        if (!read_parameter(a, slice_sub(item, 0, equals), slice_from(item, equals + 1), out, e))
            return false;
    }
    return true;
}

/* --- The parts in front ---------------------------------------------------------------------- */

static void read_user(struct arena *a, struct slice text, struct dsn_mysql *out)
{
    size_t colon = slice_find(text, ':');

    out->user = arena_cstr(a, slice_sub(text, 0, colon));
    if (colon < text.n)
        out->password = arena_cstr(a, slice_from(text, colon + 1));
}

static struct slice without_brackets(struct slice host)
{
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        return slice_sub(host, 1, host.n - 2);
    return host;
}

static bool read_tcp(struct arena *a, struct slice address, struct dsn_mysql *out, struct err *e)
{
    struct slice host = address, port = SLICE_NONE;
    uint64_t number = 3306;

    if (address.n == 0)
        return true;
    if (!host_port_split(address, &host, &port, NULL))
        host = without_brackets(address); /* without a port */
    else if (!slice_to_u64(port, &number) || number == 0 || number > 65535)
        return wrong(e, "the port in the address is no number from 1 to 65535");
    if (host.n > 0)
        out->host = arena_cstr(a, host);
    out->port = (unsigned)number;
    return true;
}

static bool read_network(struct arena *a, struct slice text, struct dsn_mysql *out, struct err *e)
{
    size_t open = slice_find(text, '(');
    struct slice net = slice_sub(text, 0, open), address = SLICE_NONE;

    if (open < text.n) {
        address = slice_from(text, open + 1);
        if (address.n == 0 || address.p[address.n - 1] != ')')
            return slice_find(address, ')') < address.n
                       ? wrong(e, "something stands between the address and the slash; a slash in "
                                  "a parameter's value is written %2F")
                       : wrong(e, "the network address is not closed with ')'");
        address.n--;
    }
    if (net.n == 0 || slice_is(net, "tcp"))
        return read_tcp(a, address, out, e);
    if (!slice_is(net, "unix"))
        return wrong(e, "the network is neither tcp nor unix");
    out->host = NULL;
    out->socket = address.n > 0 ? arena_cstr(a, address) : "/tmp/mysql.sock";
    return true;
}

static bool read_database(struct arena *a, struct slice text, struct dsn_mysql *out, struct err *e)
{
    out->database = dsn_unescape(a, text, false);
    return out->database || wrong(e, "the database name has a bad %-escape");
}

bool dsn_mysql_read(struct arena *a, struct slice text, struct dsn_mysql *out, struct err *e)
{
    size_t slash = slice_rfind(text, '/');
    struct slice front = slice_sub(text, 0, slash), back = slice_from(text, slash + 1);
    size_t at = slice_rfind(front, '@'), question = slice_find(back, '?');

    *out = (struct dsn_mysql){.user = "",
                              .password = "",
                              .host = "127.0.0.1",
                              .port = 3306,
                              .database = "",
                              .max_packet = 64u << 20,
                              .native_passwords = true,
                              .check_liveness = true};
    if (text.n > DSN_MAX || slice_has_nul(text))
        return wrong(e, "it is too long, or has a NUL byte");
    if (text.n == 0)
        return true;
    if (slash == text.n)
        return wrong(e, "the slash before the database name is missing");
    if (at < front.n)
        read_user(a, slice_sub(front, 0, at), out);
    return read_network(a, at < front.n ? slice_from(front, at + 1) : front, out, e) &&
           read_database(a, slice_sub(back, 0, question), out, e) &&
           read_parameters(a, slice_from(back, question + 1), out, e);
}
