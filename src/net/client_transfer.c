/*
 * A transfer: the options that are always the same, and what went wrong in words.
 *
 * libcurl does names, sockets, proxies and HTTP.  Whom to believe and who we are is set on its
 * SSL_CTX: anchors that need not be self-signed, and a key that stays in libcrypto.
 */
#include "net/client_internal.h"

#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/pool.h"

#define CONNECT_MS 10000L
#define TRIED_MAX  4u /* addresses in a message */

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void curl_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, global_init);
}

/* --- Callbacks ------------------------------------------------------------------------------- */

/* For each new TLS connection, a proxy's as well. */
static CURLcode set_context(CURL *curl UNUSED, void *ctx, void *arg)
{
    struct transfer *t = arg;

    if (!tls_believe(ctx, t->trust, &t->local))
        return CURLE_SSL_CACERT_BADFILE;
    if (t->tls && !tls_limit_client(ctx, t->tls, &t->local))
        return CURLE_SSL_CIPHER;
    if (t->identity &&
        !tls_use_chain(ctx, t->identity->chain, t->identity->n, t->identity->key, &t->local))
        return CURLE_SSL_CERTPROBLEM;
    return CURLE_OK;
}

/* The connection stands (a new one or a kept one), nothing was sent on it yet. */
static int before_request(void *arg, char *peer UNUSED, char *local UNUSED, int peer_port UNUSED,
                          int local_port UNUSED)
{
    struct transfer *t = arg;
    struct curl_tlssessioninfo *tls = NULL;

    t->connected = true;
    if (t->chain && curl_easy_getinfo(t->curl, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls &&
        tls->backend == CURLSSLBACKEND_OPENSSL && tls->internals)
        tls_peer_certificates(tls->internals, t->arena, t->chain, t->n_chain);
    return CURL_PREREQFUNC_OK;
}

/* Each address that curl tries, a proxy's as well. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose UNUSED, struct curl_sockaddr *to)
{
    struct transfer *t = arg;
    struct ip ip = ip_of_sockaddr(&to->addr);

    if (ip.n && ++t->n_tried <= TRIED_MAX)
        t->tried = arena_format(t->arena, "%.*s%s%.*s", SLICE_ARG(t->tried), t->tried.n ? ", " : "",
                                SLICE_ARG(ip_text(t->arena, &ip)));
    else if (t->n_tried == TRIED_MAX + 1)
        t->tried = arena_format(t->arena, "%.*s, ...", SLICE_ARG(t->tried));
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

struct slice transfer_peer(struct transfer *t)
{
    char *address = NULL;

    if (t->connected && curl_easy_getinfo(t->curl, CURLINFO_PRIMARY_IP, &address) == CURLE_OK &&
        address && *address)
        return arena_copy(t->arena, slice_text(address));
    return t->tried;
}

/* Once a second or more often: somebody may have cancelled. */
static int watch(void *arg, curl_off_t dn UNUSED, curl_off_t d UNUSED, curl_off_t un UNUSED,
                 curl_off_t u UNUSED)
{
    struct transfer *t = arg;

    return !deadline_ok(t->deadline, NULL);
}

void transfer_set(struct transfer *t)
{
    CURL *c = t->curl;
    int64_t left = deadline_left(t->deadline);
    bool anybody = t->trust && t->trust->kind == TRUST_ANYBODY;

    if (t->n_chain)
        *t->n_chain = 0;
    t->text[0] = 0;
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* a name server that is slow holds up nobody */
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->text);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    if (left != INT64_MAX)
        curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(left / NS_PER_MS) + 1);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, before_request);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, anybody ? 0L : 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, anybody ? 0L : 2L);
    curl_easy_setopt(c, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(c, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    /* Or curl would keep the store of anchors, with ours in it, for the next connection. */
    curl_easy_setopt(c, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, set_context);
    curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, t);
}

/* --- Errors ---------------------------------------------------------------------------------- */

/* What a name led to. */
static const char *addresses(struct transfer *t)
{
    struct slice peer = transfer_peer(t);
    struct ip literal;

    if (!peer.n || ip_read(slice_text(t->host), &literal))
        return "";
    return arena_printf(t->arena, " (%.*s)", SLICE_ARG(peer));
}

static bool connecting(struct err *e, enum err_kind kind, struct transfer *t, const char *cause)
{
    char text[CURL_ERROR_SIZE];

    snprintf(text, sizeof(text), "%s", cause);
    if (!isupper((unsigned char)text[0]) || !isupper((unsigned char)text[1])) /* not "SSL …" */
        text[0] = (char)tolower((unsigned char)text[0]);
    const char *open = strchr(t->host, ':') ? "[" : "", *close = *open ? "]" : "";
    return err_set(e, kind, "connecting to %s%s%s:%s%s: %s", open, t->host, close, t->port,
                   addresses(t), text);
}

static bool verification_failed(struct err *e, struct transfer *t)
{
    long verdict = 0;
    char text[2 * CURL_ERROR_SIZE];

    /* The name is checked before the verdict is filled in; until then it is "unspecified". */
    curl_easy_getinfo(t->curl, CURLINFO_SSL_VERIFYRESULT, &verdict);
    if (strstr(t->text, "subject name"))
        snprintf(text, sizeof(text), "certificate: name mismatch: it is not for %.200s",
                 t->name ? t->name : t->host);
    else if (verdict != X509_V_OK && verdict != X509_V_ERR_UNSPECIFIED)
        snprintf(text, sizeof(text), "certificate: %s", X509_verify_cert_error_string(verdict));
    else
        snprintf(text, sizeof(text), "certificate: %s", t->text);
    return connecting(e, ERR_UNAVAILABLE, t, text);
}

static bool timed_out(struct err *e, struct transfer *t)
{
    return connecting(e, ERR_TIMEOUT, t, t->connected ? "no complete answer in time" : "timed out");
}

static bool bad_url(struct err *e)
{
    return err_set(e, ERR_MALFORMED, "URL: expected http:// or https:// and a host");
}

static bool explain(struct err *e, struct transfer *t, CURLcode code)
{
    const char *text = t->text[0] ? t->text : curl_easy_strerror(code);
    long error = 0;

    switch ((int)code) {
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_ABORTED_BY_CALLBACK:
        return timed_out(e, t);
    case CURLE_FILESIZE_EXCEEDED:
        return connecting(e, ERR_TOO_LARGE, t, "the answer is too large");
    case CURLE_PEER_FAILED_VERIFICATION:
        return verification_failed(e, t);
    case CURLE_COULDNT_RESOLVE_HOST:
        return connecting(e, ERR_UNAVAILABLE, t, "no such host");
    case CURLE_COULDNT_CONNECT:
        curl_easy_getinfo(t->curl, CURLINFO_OS_ERRNO, &error);
        return connecting(e, ERR_UNAVAILABLE, t, error ? strerror((int)error) : text);
    case CURLE_GOT_NOTHING:
        return connecting(e, ERR_UNAVAILABLE, t, "the connection ended without an answer");
    case CURLE_OUT_OF_MEMORY: /* is what curl says of a header line beyond its limit */
        return connecting(e, ERR_UNAVAILABLE, t,
                          t->connected ? "a header of the answer is too large" : text);
    case CURLE_UNSUPPORTED_PROTOCOL:
        return t->connected ? connecting(e, ERR_UNAVAILABLE, t, "the answer is not HTTP")
                            : bad_url(e);
    case CURLE_URL_MALFORMAT:
        return bad_url(e);
    default:
        return connecting(e, ERR_UNAVAILABLE, t, text);
    }
}

/* --- Running ---------------------------------------------------------------------------------- */

/* A write to a connection that the peer has closed must not end the process, and a library must
 * not change what the process does with the signal either. */
static CURLcode perform_without_sigpipe(CURL *curl)
{
    sigset_t pipe, old, pending;
    const struct timespec now = {0};

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &old);
    CURLcode code = curl_easy_perform(curl);
    if (!sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&pipe, NULL, &now) > 0) {}
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return code;
}

bool transfer_run(struct transfer *t, struct err *e)
{
    if (!deadline_ok(t->deadline, NULL))
        return timed_out(e, t);
    pool_wait_begin();
    CURLcode code = perform_without_sigpipe(t->curl);
    pool_wait_end();
    if (t->too_large)
        return connecting(e, ERR_TOO_LARGE, t, "the answer is too large");
    if (t->local.kind != ERR_NONE) {
        err_move(e, &t->local);
        return false;
    }
    return code == CURLE_OK || explain(e, t, code);
}
