/*
 * Path validation.  libcrypto builds the path and judges signatures, dates, path lengths, name
 * constraints and unknown critical extensions (RFC 5280 6); what it decides by purposes that are
 * narrower than the RFC (extended key usage) we decide on the path it found.
 *
 * The X509 objects live as long as one call: an arena owns them.
 */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "x509/chain.h"

#define SECURITY_LEVEL 1 /* 80 bits: RSA from 1024, no SHA-1 and MD5 between leaf and anchor */

/* A certificate in both worlds. */
struct pair {
    X509 *x;
    struct cert *c;
};
struct path {
    struct arena *work;
    struct pair *pairs; /* all we handed over */
    size_t n;
    X509_STORE *store;
    X509_STORE_CTX *ctx;
    STACK_OF(X509) * untrusted;
};

static void x509_undo(void *p)
{
    X509_free(p);
}

static void store_undo(void *p)
{
    X509_STORE_free(p);
}

static void ctx_undo(void *p)
{
    X509_STORE_CTX_free(p);
}

static void stack_undo(void *p)
{
    sk_X509_free(p);
}

static X509 *pair_add(struct path *p, const struct cert *c, struct err *e)
{
    const unsigned char *at = c->der.p;
    X509 *x = d2i_X509(NULL, &at, (long)c->der.n);

    if (!x) {
        ERR_clear_error();
        err_set(e, ERR_UNAUTHORIZED, "certificate chain: libcrypto cannot read a certificate");
        return NULL;
    }
    arena_defer(p->work, x509_undo, x);
    p->pairs[p->n++] = (struct pair){x, (struct cert *)(uintptr_t)c};
    return x;
}

static bool path_open(struct path *p, size_t certs, struct err *e)
{
    p->pairs = arena_array(p->work, certs, sizeof(*p->pairs));
    p->store = X509_STORE_new();
    if (!p->store)
        return err_set(e, ERR_INTERNAL, "certificate chain: out of memory");
    arena_defer(p->work, store_undo, p->store);
    p->untrusted = sk_X509_new_null();
    if (!p->untrusted)
        return err_set(e, ERR_INTERNAL, "certificate chain: out of memory");
    arena_defer(p->work, stack_undo, p->untrusted);
    p->ctx = X509_STORE_CTX_new();
    if (!p->ctx)
        return err_set(e, ERR_INTERNAL, "certificate chain: out of memory");
    arena_defer(p->work, ctx_undo, p->ctx);
    return true;
}

static bool path_fill(struct path *p, const struct chain_rules *rules, struct err *e)
{
    for (size_t i = 0; i < rules->anchors.n; i++) {
        X509 *x = pair_add(p, rules->anchors.v[i], e);
        if (!x)
            return false;
        if (!X509_STORE_add_cert(p->store, x))
            return err_set(e, ERR_INTERNAL, "certificate chain: an anchor is not usable");
    }
    for (size_t i = 0; i < rules->intermediates.n; i++) {
        X509 *x = pair_add(p, rules->intermediates.v[i], e);
        if (!x)
            return false;
        if (!sk_X509_push(p->untrusted, x))
            return err_set(e, ERR_INTERNAL, "certificate chain: out of memory");
    }
    return true;
}

static bool path_find(struct path *p, X509 *leaf, const struct chain_rules *rules, struct err *e)
{
    if (!X509_STORE_CTX_init(p->ctx, p->store, leaf, p->untrusted)) {
        ERR_clear_error();
        return err_set(e, ERR_INTERNAL, "certificate chain: libcrypto is not ready");
    }
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(p->ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    X509_VERIFY_PARAM_set_time(param, (time_t)rules->at.sec);
    X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
    int ok = X509_verify_cert(p->ctx);
    ERR_clear_error();
    if (ok > 0)
        return true;
    int why = X509_STORE_CTX_get_error(p->ctx);
    return err_set(e, ERR_UNAUTHORIZED, "certificate chain: %s at depth %d (RFC 5280 6)",
                   X509_verify_cert_error_string(why), X509_STORE_CTX_get_error_depth(p->ctx));
}

static bool path_list(struct arena *a, const struct path *p, struct cert_list *list, struct err *e)
{
    STACK_OF(X509) *found = X509_STORE_CTX_get0_chain(p->ctx);
    size_t n = found ? (size_t)sk_X509_num(found) : 0;

    *list = (struct cert_list){.v = arena_array(a, n ? n : 1, sizeof(struct cert *))};
    for (; list->n < n; list->n++) {
        X509 *x = sk_X509_value(found, (int)list->n);
        for (size_t i = 0; i < p->n; i++) {
            if (p->pairs[i].x == x)
                list->v[list->n] = p->pairs[i].c;
        }
        if (!list->v[list->n])
            return err_set(e, ERR_INTERNAL, "certificate chain: an unknown certificate in it");
    }
    return true;
}

/* --- Rules of ours ------------------------------------------------------------------------ */

/* RFC 5280 6.1.4 (k), (n).  A v1 certificate cannot say that it is a CA: as an anchor it is what
 * the operator says. */
static bool is_issuer(const struct cert *c, bool anchor)
{
    if (c->has_key_usage && !(c->key_usage & KU_CERT_SIGN))
        return false;
    if (c->has_basic)
        return c->basic.ca;
    return anchor && c->version < 3;
}

static bool allows(const struct cert *c, const struct oid *purpose)
{
    if (!c->has_eku)
        return true;
    for (size_t i = 0; i < c->n_eku; i++) {
        if (oid_eq(purpose, c->eku[i]) || oid_eq(&OID_EKU_ANY, c->eku[i]))
            return true;
    }
    return false;
}

static bool path_check(const struct cert_list *path, enum chain_use use, struct err *e)
{
    static const struct {
        const struct oid *purpose;
        const char *what;
    } USES[] = {
        [CHAIN_ANY] = {NULL, ""},
        [CHAIN_CLIENT] = {&OID_EKU_CLIENT, "client authentication"},
        [CHAIN_SERVER] = {&OID_EKU_SERVER, "server authentication"},
    };

    for (size_t i = 0; i < path->n; i++) {
        if (i && !is_issuer(path->v[i], i + 1 == path->n))
            return err_set(e, ERR_UNAUTHORIZED,
                           "certificate chain: not a CA that signs certificates at depth %zu (RFC "
                           "5280 6.1.4)",
                           i);
        if (USES[use].purpose && !allows(path->v[i], USES[use].purpose))
            return err_set(e, ERR_UNAUTHORIZED,
                           "certificate chain: extended key usage does not allow %s at depth %zu "
                           "(RFC 5280 4.2.1.12)",
                           USES[use].what, i);
    }
    return true;
}

/* RFC 6125: subject alternative names only, '*' as the whole left-most label. */
static bool host_check(X509 *leaf, struct slice host, struct err *e)
{
    unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    struct ip ip;
    int ok;

    if (slice_empty(host))
        return true;
    if (ip_read(host, &ip))
        ok = X509_check_ip(leaf, ip.bytes, ip.n, 0);
    else
        ok = slice_has_nul(host) ? 0
                                 : X509_check_host(leaf, (const char *)host.p, host.n, flags, NULL);
    ERR_clear_error();
    return ok == 1 || err_set(e, ERR_UNAUTHORIZED, "certificate is not for \"%.*s\" (RFC 6125 6.4)",
                              SLICE_ARG(host));
}

bool chain_verify(struct arena *a, const struct cert *leaf, const struct chain_rules *rules,
                  struct cert_list *chain, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *work = arena_new(&HEAP_USUAL);
    struct path p = {.work = work};
    struct cert_list found;

    if (!path_open(&p, rules->anchors.n + rules->intermediates.n + 1, e))
        return false;
    X509 *x = pair_add(&p, leaf, e);
    if (!x || !path_fill(&p, rules, e) || !path_find(&p, x, rules, e))
        return false;
    if (!path_list(chain ? a : work, &p, &found, e) || !path_check(&found, rules->use, e) ||
        !host_check(x, rules->host, e))
        return false;
    if (chain)
        *chain = found;
    return true;
}
