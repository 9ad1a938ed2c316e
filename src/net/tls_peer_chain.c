/*
 * Only a handshake: what certificates does that server show?  libcurl connects (names, timeouts,
 * several addresses) and is told to stop there; nothing is sent inside the TLS connection.
 */
#include "net/client_internal.h"

static bool is_v6(const char *host)
{
    return strchr(host, ':') && host[0] != '[';
}

static const char *bracketed(struct arena *a, const char *host)
{
    return is_v6(host) ? arena_printf(a, "[%s]", host) : host;
}

static bool set_url(CURLU *url, struct arena *a, const char *name, const char *port, struct err *e)
{
    if (curl_url_set(url, CURLUPART_SCHEME, "https", 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_HOST, bracketed(a, name), 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_PORT, port, 0) != CURLUE_OK)
        return err_set(e, ERR_MALFORMED, "TLS server: expected a host and a port");
    return true;
}

static bool shake_hands(struct transfer *t, CURLU *url, const char *name, const char *port,
                        struct err *e)
{
    struct curl_slist *to =
        curl_slist_append(NULL, arena_printf(t->arena, "%s:%s:%s:%s", bracketed(t->arena, name),
                                             port, bracketed(t->arena, t->host), t->port));

    transfer_set(t);
    curl_easy_setopt(t->curl, CURLOPT_CURLU, url);
    curl_easy_setopt(t->curl, CURLOPT_CONNECT_TO, to);
    curl_easy_setopt(t->curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(t->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(t->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(t->curl, CURLOPT_SSL_ENABLE_ALPN, 0L); /* it may speak something else */
    bool ok = transfer_run(t, e);
    curl_slist_free_all(to);
    if (ok && !*t->n_chain)
        return err_set(e, ERR_UNAVAILABLE, "%s:%s: showed no certificate", t->host, t->port);
    return ok;
}

bool tls_peer_chain(struct arena *a, const char *host, const char *port, const char *servername,
                    const struct trust *trust, struct slice **chain, size_t *n, struct deadline d,
                    struct err *e)
{
    const char *name = servername && *servername ? servername : host;

    curl_begin();
    CURL *curl = curl_easy_init();
    CURLU *url = curl_url();
    struct transfer t = {.curl = curl,
                         .arena = a,
                         .deadline = d,
                         .trust = trust,
                         .chain = chain,
                         .n_chain = n,
                         .host = host,
                         .port = port,
                         .name = name};
    bool ok = curl && url ? set_url(url, a, name, port, e) && shake_hands(&t, url, name, port, e)
                          : err_set(e, ERR_INTERNAL, "TLS client: out of memory");
    curl_easy_cleanup(curl);
    curl_url_cleanup(url);
    return ok;
}
