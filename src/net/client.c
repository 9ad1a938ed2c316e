/*
 * The HTTP client.  A curl handle keeps its connections; handles that have nothing to do wait in a
 * list, each for one combination of origin, trust, identity and proxy, so that a connection that
 * was verified under one trust never serves a call under another.  Calls that want a connection of
 * their own share handles that keep none.  A handle is one thread's at a time.
 *
 * Redirects are followed here, hop by hop, never with a certificate or an Authorization of ours,
 * and from https to https only unless the call says otherwise.  With a resolver of ours curl is
 * told the addresses of every hop.
 */
#include "net/client_internal.h"

#include <pthread.h>
#include <stdlib.h>

#include "crypto/digest.h"

#define IDLE_MAX       32u
#define FRESH_USES     200u /* then a handle has seen enough names */
#define REPLY_USUAL    (1u << 20)
#define REPLY_HEAD_MAX (256u << 10)

struct handle {
    struct handle *next;
    CURL *curl;
    uint8_t key[DIGEST_MAX];
    unsigned uses;
};

struct client {
    struct http_client base; /* first */
    char *user_agent;
    pthread_mutex_t lock;
    struct handle *idle; /* most recently used first */
    unsigned n_idle;
    struct resolver *resolver; /* NULL: the system's */
};

/* --- Where to --------------------------------------------------------------------------------- */

struct origin {
    CURLU *url;
    char *scheme, *host, *port; /* curl's */
    const char *name;           /* host without brackets, in the arena */
    const char *proxy, *no_proxy;
    bool https;
    bool ours;   /* names are ours to look up */
    bool rooted; /* written with a final dot */
};

static void origin_free(struct origin *o)
{
    curl_free(o->scheme);
    curl_free(o->host);
    curl_free(o->port);
    curl_url_cleanup(o->url);
    *o = (struct origin){0};
}

static const char *env(const char *upper, const char *lower)
{
    const char *value = getenv(upper);

    if (!value || !*value)
        value = getenv(lower);
    return value ? value : "";
}

static bool is_loopback(const char *name)
{
    struct ip ip;

    if (slice_is_case(slice_text(name), "localhost"))
        return true;
    if (!ip_read(slice_text(name), &ip))
        return false;
    static const uint8_t V6[16] = {[15] = 1};
    return ip.n == 4 ? ip.bytes[0] == 127 : memcmp(ip.bytes, V6, 16) == 0;
}

/* As operators know it from other tools: upper case first, never for this machine itself; and
 * HTTP_PROXY does not count in a CGI process, where a client's header would set it. */
static void choose_proxy(struct origin *o, bool no_proxy)
{
    o->proxy = "";
    o->no_proxy = "*";
    if (no_proxy || is_loopback(o->name))
        return;
    if (names_bypass_proxy(env("NO_PROXY", "no_proxy"), o->name, o->port))
        return;
    o->no_proxy = "";
    if (o->https)
        o->proxy = env("HTTPS_PROXY", "https_proxy");
    else
        o->proxy = getenv("REQUEST_METHOD") ? env("http_proxy", "http_proxy")
                                            : env("HTTP_PROXY", "http_proxy");
}

/* "host." is an absolute name.  The dot is for the name service; Host (RFC 9110 7.2) and the name
 * in a certificate go without. */
static bool drop_final_dot(struct origin *o)
{
    char *host = NULL;

    if (!o->ours)
        return true;
    if (curl_url_get(o->url, CURLUPART_HOST, &host, CURLU_PUNYCODE) != CURLUE_OK)
        return false;
    size_t n = strlen(host);
    bool dropped = true;
    if (n > 1 && host[n - 1] == '.') {
        host[n - 1] = 0;
        o->rooted = true;
        dropped = curl_url_set(o->url, CURLUPART_HOST, host, 0) == CURLUE_OK;
    }
    curl_free(host);
    return dropped;
}

/* Reads scheme, host and port of o->url. */
static bool origin_read(struct arena *a, struct origin *o, bool no_proxy, struct err *e)
{
    if (!drop_final_dot(o) || curl_url_get(o->url, CURLUPART_SCHEME, &o->scheme, 0) != CURLUE_OK ||
        curl_url_get(o->url, CURLUPART_HOST, &o->host, CURLU_PUNYCODE) != CURLUE_OK ||
        curl_url_get(o->url, CURLUPART_PORT, &o->port, CURLU_DEFAULT_PORT) != CURLUE_OK)
        return err_set(e, ERR_MALFORMED, "URL: expected http:// or https:// and a host");
    o->https = slice_is_case(slice_text(o->scheme), "https");
    if (!o->https && !slice_is_case(slice_text(o->scheme), "http"))
        return err_set(e, ERR_MALFORMED, "URL: expected http:// or https://");
    struct slice name = slice_text(o->host);
    if (slice_starts(name, "[") && slice_ends(name, "]"))
        name = slice_sub(name, 1, name.n - 2);
    o->name = arena_cstr(a, name);
    choose_proxy(o, no_proxy);
    return true;
}

static bool origin_first(struct arena *a, const struct http_call *call, struct origin *o,
                         struct err *e)
{
    if (slice_has_nul(call->url) || !(o->url = curl_url()))
        return err_set(e, ERR_MALFORMED, "URL: holds a NUL byte");
    CURLUcode code =
        curl_url_set(o->url, CURLUPART_URL, arena_cstr(a, call->url), CURLU_PATH_AS_IS);
    if (code != CURLUE_OK)
        return err_set(e, ERR_MALFORMED, "URL: %s", curl_url_strerror(code));
    return origin_read(a, o, call->no_proxy, e);
}

/* --- Handles ---------------------------------------------------------------------------------- */

static void add_counted(struct digest_run *run, struct slice s)
{
    uint64_t n = s.n;

    digest_add(run, slice_of(&n, sizeof(n)));
    digest_add(run, s);
}

static void add_limits(struct digest_run *run, const struct tls_settings *s)
{
    const int versions[] = {s->min_version, s->max_version};

    add_counted(run, SLICE("limits"));
    add_counted(run, slice_of(versions, sizeof(versions)));
    for (size_t i = 0; i < s->n_suites; i++)
        add_counted(run, s->suites[i]);
}

/* A fresh call leaves no connection in its handle, so where it went does not matter. */
static void make_key(const struct http_call *call, const struct origin *o, uint8_t key[DIGEST_MAX])
{
    struct digest_run run = digest_begin(DIGEST_SHA256);
    const char *texts[] = {o->scheme, o->host, o->port, o->proxy, o->no_proxy};
    int kind = call->trust ? (int)call->trust->kind : TRUST_SYSTEM;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        add_counted(&run, call->fresh ? SLICE("") : slice_text(texts[i]));
    add_counted(&run, slice_of(&kind, sizeof(kind)));
    for (size_t i = 0; call->trust && i < call->trust->n; i++)
        add_counted(&run, call->trust->anchors[i]);
    add_counted(&run, SLICE("identity"));
    for (size_t i = 0; call->identity && i < call->identity->n; i++)
        add_counted(&run, call->identity->chain[i]);
    if (call->tls)
        add_limits(&run, call->tls);
    memset(key, 0, DIGEST_MAX);
    digest_end(&run, key);
}

static struct handle *handle_new(const uint8_t key[DIGEST_MAX])
{
    struct handle *h = xcalloc(1, sizeof(*h));

    memcpy(h->key, key, DIGEST_MAX);
    h->curl = curl_easy_init();
    if (!h->curl)
        abort(); /* out of memory */
    return h;
}

static struct handle *handle_take(struct client *c, const uint8_t key[DIGEST_MAX])
{
    pthread_mutex_lock(&c->lock);
    struct handle **p = &c->idle, *h = NULL;
    while (*p && memcmp((*p)->key, key, DIGEST_MAX) != 0)
        p = &(*p)->next;
    if (*p) {
        h = *p;
        *p = h->next;
        c->n_idle--;
    }
    pthread_mutex_unlock(&c->lock);
    return h ? h : handle_new(key);
}

static void handle_free(struct handle *h)
{
    curl_easy_cleanup(h->curl);
    free(h);
}

static void handle_give(struct client *c, struct handle *h)
{
    struct handle *oldest = NULL;

    curl_easy_reset(h->curl); /* options point into the caller's arena; connections stay */
    pthread_mutex_lock(&c->lock);
    h->next = c->idle;
    c->idle = h;
    if (++c->n_idle > IDLE_MAX) {
        struct handle **p = &c->idle;
        while ((*p)->next)
            p = &(*p)->next;
        oldest = *p;
        *p = NULL;
        c->n_idle--;
    }
    pthread_mutex_unlock(&c->lock);
    if (oldest)
        handle_free(oldest);
}

/* --- Request and reply --------------------------------------------------------------------------
 */

static size_t take_header(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct slice line = slice_trim(slice_of(p, size * n));

    t->head_bytes += size * n;
    if (t->head_bytes > REPLY_HEAD_MAX) {
        t->too_large = true;
        return 0;
    }
    if (slice_starts(line, "HTTP/")) { /* the final response follows an informational one */
        t->reply->fields = (struct http_fields){.arena = t->arena};
        return size * n;
    }
    size_t colon = slice_find(line, ':');
    if (colon == line.n)
        return size * n;
    const char *name = arena_cstr(t->arena, slice_sub(line, 0, colon));
    struct slice value = arena_copy(t->arena, slice_trim(slice_from(line, colon + 1)));
    /* A peer's header is not ours to abort over: http_fields_add wants one line. */
    if (!slice_has_nul(value) && slice_find(value, '\r') == value.n)
        http_fields_add(&t->reply->fields, t->arena, name, value);
    return size * n;
}

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;

    buf_put(&t->body, slice_of(p, size * n));
    t->too_large |= !buf_ok(&t->body);
    return t->too_large ? 0 : size * n;
}

static bool is_one_line(struct slice s)
{
    return slice_find(s, '\r') == s.n && slice_find(s, '\n') == s.n && !slice_has_nul(s);
}

static bool add_headers(struct transfer *t, const struct http_call *call, struct curl_slist **list,
                        struct err *e)
{
    bool typed = false;

    *list = curl_slist_append(NULL, "Expect:"); /* one round trip less for large bodies */
    for (size_t i = 0; i < call->fields.n; i++) {
        const struct http_field *f = &call->fields.v[i];
        if (!is_one_line(f->name) || !is_one_line(f->value) || !f->name.n)
            return err_set(e, ERR_MALFORMED, "HTTP header: not one line");
        typed |= slice_is_case(f->name, "Content-Type");
        *list =
            curl_slist_append(*list, arena_printf(t->arena, f->value.n ? "%.*s: %.*s" : "%.*s;%.*s",
                                                  SLICE_ARG(f->name), SLICE_ARG(f->value)));
    }
    if (!typed)
        *list = curl_slist_append(*list, "Content-Type:");
    curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, *list);
    return true;
}

static void set_request(struct transfer *t, const struct http_call *call, const struct origin *o,
                        const char *user_agent, size_t max)
{
    CURL *c = t->curl;

    curl_easy_setopt(c, CURLOPT_CURLU, o->url);
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c, CURLOPT_PROXY, o->proxy);
    curl_easy_setopt(c, CURLOPT_NOPROXY, o->no_proxy);
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, user_agent);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)max);
    if (call->method == HTTP_HEAD) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
        return;
    }
    if (call->body.n || call->method == HTTP_POST || call->method == HTTP_PUT ||
        call->method == HTTP_PATCH) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, call->body.n ? (const char *)call->body.p : "");
    }
    if (call->method != HTTP_POST && (call->method != HTTP_GET || call->body.n))
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, http_method_name(call->method));
}

static bool look_up(struct arena *a, struct client *c, const struct http_call *call,
                    const struct origin *o, struct curl_slist **names, struct deadline d,
                    struct err *e)
{
    struct names_wanted wanted = {o->name, o->port, o->proxy, o->rooted || call->rooted};

    return !c->resolver || names_look_up(a, c->resolver, &wanted, names, d, e);
}

static bool one_hop(struct client *c, const struct http_call *call, const struct origin *o,
                    struct arena *a, struct http_reply *reply, struct deadline d, struct err *e)
{
    uint8_t key[DIGEST_MAX];
    size_t max = call->max_reply ? call->max_reply : REPLY_USUAL;
    struct curl_slist *headers = NULL, *names = NULL;
    long status = 0;

    reply->peer = SLICE_NONE;
    if (!look_up(a, c, call, o, &names, d, e)) {
        curl_slist_free_all(names);
        return false;
    }
    make_key(call, o, key);
    struct handle *h = handle_take(c, key);
    struct transfer t = {.curl = h->curl,
                         .arena = a,
                         .deadline = d,
                         .trust = call->trust,
                         .identity = call->identity,
                         .tls = call->tls,
                         .chain = call->n_peer_chain ? call->peer_chain : NULL,
                         .n_chain = call->n_peer_chain,
                         .host = o->name,
                         .port = o->port,
                         .reply = reply,
                         .body = buf_new(a, max)};
    reply->fields = (struct http_fields){.arena = a};
    transfer_set(&t);
    set_request(&t, call, o, c->user_agent, max);
    curl_easy_setopt(t.curl, CURLOPT_RESOLVE, names);
    curl_easy_setopt(t.curl, CURLOPT_FRESH_CONNECT, (long)call->fresh);
    curl_easy_setopt(t.curl, CURLOPT_FORBID_REUSE, (long)call->fresh);
    bool ok = add_headers(&t, call, &headers, e) && transfer_run(&t, e);
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (int)status;
    reply->body = buf_slice(&t.body);
    reply->peer = transfer_peer(&t);
    if (ok && !(call->fresh && ++h->uses == FRESH_USES))
        handle_give(c, h);
    else
        handle_free(h); /* whatever state its connection is in */
    curl_slist_free_all(headers);
    curl_slist_free_all(names);
    return ok;
}

/* --- Redirects ----------------------------------------------------------------------------------
 */

static bool is_redirect(const struct http_call *call, const struct http_reply *reply)
{
    static const int STATUS[] = {301, 302, 303, 307, 308};
    bool status = false;

    if (!call->redirects || call->identity || http_fields_get(&call->fields, "Authorization").p)
        return false;
    if (call->method != HTTP_GET && call->method != HTTP_HEAD)
        return false;
    for (size_t i = 0; i < COUNT_OF(STATUS); i++)
        status |= reply->status == STATUS[i];
    return status && http_fields_get(&reply->fields, "Location").n;
}

static bool follow(struct arena *a, const struct http_call *call, struct origin *o,
                   struct slice location, struct err *e)
{
    struct origin next = {.url = curl_url_dup(o->url), .ours = o->ours};

    if (!next.url || slice_has_nul(location) ||
        curl_url_set(next.url, CURLUPART_URL, arena_cstr(a, location), CURLU_DISALLOW_USER) !=
            CURLUE_OK) {
        curl_url_cleanup(next.url);
        return err_set(e, ERR_UNAVAILABLE, "%s: redirected to a URL that cannot be read", o->name);
    }
    if (!origin_read(a, &next, call->no_proxy, e)) {
        origin_free(&next);
        return err_set(e, ERR_UNAVAILABLE, "%s: redirected to something that is not https or http",
                       o->name);
    }
    if (!call->redirects_anywhere && (!o->https || !next.https)) {
        origin_free(&next);
        return err_set(e, ERR_UNAVAILABLE,
                       "%s: redirected; only redirects from https to https are followed", o->name);
    }
    origin_free(o);
    *o = next;
    return true;
}

static bool client_call(struct http_client *base, const struct http_call *call, struct arena *a,
                        struct http_reply *reply, struct deadline d, struct err *e)
{
    struct client *c = (struct client *)base; /* its first member */
    struct origin o CLEANUP(origin_free) = {.ours = c->resolver != NULL};

    *reply = (struct http_reply){0};
    if (!origin_first(a, call, &o, e))
        return false;
    for (unsigned hop = 0; one_hop(c, call, &o, a, reply, d, e); hop++) {
        if (!is_redirect(call, reply))
            return true;
        if (hop == call->redirects)
            return err_set(e, ERR_UNAVAILABLE, "%s: more than %u redirects", o.name,
                           call->redirects);
        if (!follow(a, call, &o, http_fields_get(&reply->fields, "Location"), e))
            return false;
    }
    return false;
}

struct http_client *http_client_new(const char *user_agent)
{
    struct client *c = xcalloc(1, sizeof(*c));

    curl_begin();
    c->base.call = client_call;
    c->user_agent = xstrdup(user_agent);
    pthread_mutex_init(&c->lock, NULL);
    return &c->base;
}

void http_client_set_resolver(struct http_client *base, struct resolver *r)
{
    struct client *c = (struct client *)base;

    c->resolver = r;
}

void http_client_free(struct http_client *base)
{
    struct client *c = (struct client *)base;

    if (!c)
        return;
    for (struct handle *h = c->idle, *next; h; h = next) {
        next = h->next;
        handle_free(h);
    }
    pthread_mutex_destroy(&c->lock);
    free(c->user_agent);
    free(c);
}
