/*
 * Certificates from files and servers.  Trust is never widened: roots that were named and cannot be
 * used are an error, the system's certificates stand in only where nothing was named.
 */
#include "cli/certificate_common.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/uri.h"
#include "crypto/pem.h"

#define HANDSHAKE_NS (30 * NS_PER_SEC)
#define DIR_FILES    10000u

const struct flag FLAGS_PEER[] = {
    {"servername", FLAG_TEXT, "<name>",
     "The TLS server <name> to ask for. Default: the host of the URL.", NULL, 0},
    {"roots", FLAG_FILE, "<roots>",
     "The certificates to trust: a PEM file, a comma-separated list of files, or a directory. "
     "Default: those that this system trusts.",
     NULL, 0},
    {0}};

/* --- URLs --------------------------------------------------------------------------------- */

static const struct {
    const char *begin, *scheme, *port;
} SCHEMES[] = {
    {"tcp://", "tcp", "443"},     {"tls://", "tls", "443"},     {"https://", "https", "443"},
    {"smtps://", "smtps", "465"}, {"ldaps://", "ldaps", "636"},
};

bool cert_url_looks_like(struct slice text)
{
    for (size_t i = 0; i < COUNT_OF(SCHEMES); i++) {
        if (slice_is_case(slice_sub(text, 0, strlen(SCHEMES[i].begin)), SCHEMES[i].begin))
            return true;
    }
    return false;
}

static bool port_ok(struct slice port)
{
    uint64_t n;

    return slice_to_u64(port, &n) && n > 0 && n < 65536;
}

bool cert_url_read(struct arena *a, struct slice text, struct cert_url *url, struct err *e)
{
    struct uri u;

    if (!uri_read(a, text, &u, e))
        return err_wrap(e, "error parsing '%.*s'", SLICE_ARG(text));
    if (!u.host.n || slice_has_nul(u.host))
        return err_set(e, ERR_MALFORMED, "error parsing '%.*s': expected a host", SLICE_ARG(text));
    if (u.port.n && !port_ok(u.port))
        return err_set(e, ERR_MALFORMED, "error parsing '%.*s': expected a port from 1 to 65535",
                       SLICE_ARG(text));
    *url = (struct cert_url){arena_cstr(a, u.host), "443"};
    for (size_t i = 0; i < COUNT_OF(SCHEMES); i++) {
        if (slice_is(u.scheme, SCHEMES[i].scheme))
            url->port = SCHEMES[i].port;
    }
    if (u.port.n)
        url->port = arena_cstr(a, u.port);
    return true;
}

/* --- Trust -------------------------------------------------------------------------------- */

struct roots {
    struct arena *a;
    struct cert **v;
    size_t n, cap;
};

static void roots_add(struct roots *r, struct cert *c)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct cert **v = arena_array(r->a, cap, sizeof(*v));
        if (r->n)
            memcpy(v, r->v, r->n * sizeof(*v));
        r->v = v;
        r->cap = cap;
    }
    r->v[r->n++] = c;
}

static bool add_file(struct roots *r, const char *path, struct err *e)
{
    struct cert_list list;

    if (!cert_list_load(r->a, path, &list, e))
        return false;
    for (size_t i = 0; i < list.n; i++)
        roots_add(r, list.v[i]);
    return true;
}

/* What is no certificate of ours is passed over: a store of many hands has odd things in it. */
static bool add_usable(struct roots *r, const char *path, struct err *e)
{
    struct slice text;
    struct cert *c;
    struct pem block;
    struct err broken = {0};

    if (!file_read(r->a, path, false, FILE_MAX_USUAL, &text, e))
        return false;
    text = bom_skip(text);
    while (pem_next(r->a, &text, &block, &broken)) {
        if (slice_is(block.label, "CERTIFICATE") && cert_read(r->a, block.der, &c, NULL))
            roots_add(r, c);
    }
    return true;
}

static bool add_dir(struct roots *r, const char *path, struct err *e)
{
    DIR *dir = opendir(path);
    unsigned files = 0;
    bool ok = true;

    if (!dir)
        return err_errno(e, errno, "open", path);
    for (struct dirent *d = readdir(dir); ok && d; d = readdir(dir)) {
        const char *file = path_join(r->a, path, d->d_name);
        if (!file_is_regular(file))
            continue;
        ok = ++files <= DIR_FILES
                 ? add_usable(r, file, e)
                 : err_set(e, ERR_TOO_LARGE, "%s: more than %u files", path, DIR_FILES);
    }
    closedir(dir);
    return ok;
}

static bool add_named(struct roots *r, const char *value, struct err *e)
{
    struct slice rest = slice_text(value), part;

    if (file_is_dir(value))
        return add_dir(r, value, e);
    while (rest.n && slice_split(&rest, ',', &part)) {
        part = slice_trim(part);
        if (part.n && !add_file(r, arena_cstr(r->a, part), e))
            return false;
    }
    return true;
}

bool cert_roots_load(struct arena *a, const char *value, struct cert_list *roots, struct err *e)
{
    struct roots r = {.a = a};

    if (!add_named(&r, value, e))
        return err_wrap(e, "failure to load root certificates from '%s'", value);
    if (!r.n)
        return err_set(e, ERR_MALFORMED,
                       "failure to load root certificates from '%s': no certificate there", value);
    *roots = (struct cert_list){r.v, r.n};
    return true;
}

/* The places where distributions keep them. */
static const char *system_bundle(void)
{
    static const char *const PLACES[] = {
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    };
    const char *named = getenv("SSL_CERT_FILE");

    if (named && *named)
        return named;
    for (size_t i = 0; i < COUNT_OF(PLACES); i++) {
        if (file_exists(PLACES[i]))
            return PLACES[i];
    }
    return NULL;
}

static bool system_roots(struct arena *a, struct cert_list *roots, struct err *e)
{
    struct roots r = {.a = a};
    const char *bundle = system_bundle(), *dir = getenv("SSL_CERT_DIR");

    if ((bundle && !add_usable(&r, bundle, e)) || (dir && *dir && !add_dir(&r, dir, e)))
        return err_wrap(e, "this system's root certificates");
    *roots = (struct cert_list){r.v, r.n};
    return r.n || err_set(e, ERR_NOT_FOUND,
                          "this system has no root certificates; use the '--roots' flag");
}

bool cert_roots(struct invocation *inv, struct cert_list *roots)
{
    const char *value = flag_text(inv, "roots");

    return value && *value ? cert_roots_load(inv->arena, value, roots, &inv->err)
                           : system_roots(inv->arena, roots, &inv->err);
}

/* --- Certificates ------------------------------------------------------------------------- */

static bool peer_trust(struct invocation *inv, bool insecure, struct trust *trust)
{
    struct cert_list roots;

    *trust = (struct trust){.kind = TRUST_ANYBODY};
    if (insecure)
        return true;
    if (!cert_roots(inv, &roots))
        return false;
    trust->kind = TRUST_ANCHORS;
    trust->anchors = arena_array(inv->arena, roots.n, sizeof(*trust->anchors));
    for (; trust->n < roots.n; trust->n++)
        trust->anchors[trust->n] = roots.v[trust->n]->der;
    return true;
}

static bool peer(struct invocation *inv, const char *text, bool insecure, cert_read_fn *read,
                 struct cert_list *list)
{
    const char *name = flag_text(inv, "servername");
    struct cert_url url;
    struct trust trust;
    struct slice *chain;
    size_t n;

    *list = (struct cert_list){0};
    if (!cert_url_read(inv->arena, slice_text(text), &url, &inv->err) ||
        !peer_trust(inv, insecure, &trust) ||
        !tls_peer_chain(inv->arena, url.host, url.port, name && *name ? name : url.host, &trust,
                        &chain, &n, deadline_in(inv->clock, HANDSHAKE_NS), &inv->err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct cert *c;
        if (!read(inv->arena, chain[i], &c, &inv->err))
            return err_wrap(&inv->err, "%s: certificate %zu", text, i + 1);
        cert_list_add(inv->arena, list, c);
    }
    return list->n || err_set(&inv->err, ERR_MALFORMED, "%s: the server has no certificate", text);
}

bool cert_peer(struct invocation *inv, const char *text, bool insecure, struct cert_list *list)
{
    return peer(inv, text, insecure, cert_read, list);
}

static bool source(struct invocation *inv, const char *place, bool insecure, bool look,
                   struct cert_list *list, struct csr **csr)
{
    const char *name = strcmp(place, "-") == 0 ? "standard input" : place;
    struct slice text;

    if (csr)
        *csr = NULL;
    if (cert_url_looks_like(slice_text(place)))
        return peer(inv, place, insecure, look ? cert_look : cert_read, list);
    if (!file_read(inv->arena, place, true, FILE_MAX_USUAL, &text, &inv->err))
        return false;
    if ((look ? cert_list_look : cert_list_read)(inv->arena, text, name, list, &inv->err))
        return true;
    /* A certificate that is broken is not to be hidden behind a request in the same file. */
    bool has_cert = slice_search(text, SLICE("-----BEGIN CERTIFICATE-----")) < text.n;
    if (!csr || has_cert || !csr_read_text(inv->arena, text, name, true, csr, NULL))
        return false;
    err_clear(&inv->err);
    *list = (struct cert_list){0};
    return true;
}

bool cert_source(struct invocation *inv, const char *place, bool insecure, struct cert_list *list,
                 struct csr **csr)
{
    return source(inv, place, insecure, false, list, csr);
}

bool cert_source_look(struct invocation *inv, const char *place, bool insecure,
                      struct cert_list *list, struct csr **csr)
{
    return source(inv, place, insecure, true, list, csr);
}

/* --- Expiry ------------------------------------------------------------------------------- */

bool expires_in_read(struct slice text, struct expires_in *x, struct err *e)
{
    bool percent = slice_ends(text, "%");
    struct slice number = slice_from(text, percent && slice_starts(text, "+") ? 1 : 0);
    uint64_t n;

    *x = (struct expires_in){.relative = percent};
    if (!percent)
        return duration_read(text, &x->ns, e);
    if (!slice_to_u64(slice_sub(number, 0, number.n - 1), &n) || n > 100)
        return err_set(e, ERR_MALFORMED, "expected a whole percentage from 0%% to 100%%");
    x->percent = (int64_t)n;
    return true;
}

bool expires_in_flag(struct invocation *inv, struct expires_in *x)
{
    const char *text = flag_text(inv, "expires-in");

    if (!*text)
        text = EXPIRES_IN_USUAL;
    if (expires_in_read(slice_text(text), x, &inv->err))
        return true;
    fail_value(inv, "expires-in", text, "a percentage such as 75%, a duration such as 24h");
    return false;
}

int renewal_answer(struct invocation *inv, bool needed)
{
    if (flag_bool(inv, "verbose") && needed)
        out_line(inv, "certificate needs renewal");
    else if (flag_bool(inv, "verbose"))
        note(inv, "certificate does not need renewal");
    return needed ? RENEWAL_DUE : RENEWAL_NOT_DUE;
}

bool expires_in_reached(const struct expires_in *x, struct instant not_before,
                        struct instant not_after, struct instant now)
{
    int64_t total = not_after.sec - not_before.sec, used = now.sec - not_before.sec;

    if (!x->relative)
        return instant_cmp(not_after, instant_add(now, x->ns)) <= 0;
    if (total <= 0)
        return instant_cmp(now, not_after) >= 0;
    /* Not more than 10 000 years of seconds: no overflow. */
    return used * 100 / total >= x->percent;
}
