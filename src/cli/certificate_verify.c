/*
 * step certificate verify: path validation (RFC 5280 6) of a file or a server, and on demand
 * whether the certificate stands on its issuer's revocation list.
 *
 * The issuer that a list must be signed by is the one that the path found, so that nothing has to
 * be downloaded to learn who it is.  A list that cannot be had, or that is stale, is a failure and
 * never a success.
 */
#include "base/file.h"
#include "base/version.h"
#include "cli/certificate.h"
#include "cli/certificate_common.h"
#include "cli/internal.h"
#include "crypto/pem.h"
#include "x509/chain.h"
#include "x509/crl.h"
#include "x509/show.h"

#define DOWNLOAD_NS   (60 * NS_PER_SEC)
#define DOWNLOAD_MAX  (64u << 20)
#define REDIRECTS_MAX 5u
#define SKEW_NS       (5 * 60 * NS_PER_SEC) /* clocks of a CA and ours may differ */

struct verifying {
    struct invocation *inv;
    const char *place;
    const struct cert *leaf;
    struct cert_list others; /* what came with it */
    struct cert_list roots;
    struct cert_list path; /* leaf to anchor */
};

/* --- The certificate ---------------------------------------------------------------------- */

/* Stricter than other readers of bundles: who verifies a file wants to know that it is whole. */
static bool read_file(struct verifying *v)
{
    struct invocation *inv = v->inv;
    struct err *e = &inv->err;
    struct slice rest;
    struct pem block;
    struct cert *c;

    if (!file_read(inv->arena, v->place, true, FILE_MAX_USUAL, &rest, e))
        return false;
    rest = bom_skip(rest);
    do {
        if (!pem_next(inv->arena, &rest, &block, e))
            return err_set(e, ERR_MALFORMED, "%s contains an invalid PEM block", v->place);
        if (!slice_is(block.label, "CERTIFICATE"))
            continue;
        if (!cert_read(inv->arena, block.der, &c, e))
            return err_wrap(e, "error parsing %s", v->place);
        if (v->leaf)
            cert_list_add(inv->arena, &v->others, c);
        else
            v->leaf = c;
    } while (slice_trim(rest).n);
    return v->leaf || err_set(e, ERR_MALFORMED, "%s contains no certificate", v->place);
}

static bool read_peer(struct verifying *v)
{
    struct cert_list list;

    if (!cert_peer(v->inv, v->place, false, &list))
        return false;
    v->leaf = list.v[0];
    v->others = (struct cert_list){list.v + 1, list.n - 1};
    return true;
}

static bool find_path(struct verifying *v)
{
    struct invocation *inv = v->inv;
    const struct chain_rules rules = {
        .anchors = v->roots,
        .intermediates = v->others,
        .at = inv->clock->now(inv->clock),
        .use = CHAIN_ANY,
        .host = slice_text(flag_text(inv, "host")),
    };

    return chain_verify(inv->arena, v->leaf, &rules, &v->path, &inv->err) ||
           err_wrap(&inv->err, "failed to verify certificate");
}

/* --- Revocation list ---------------------------------------------------------------------- */

static bool issuer_of_flag(struct verifying *v, const char *path, const struct cert **issuer)
{
    struct invocation *inv = v->inv;
    struct cert_list list;

    if (!cert_list_load(inv->arena, path, &list, &inv->err))
        return false;
    *issuer = list.v[0];
    return cert_signed_by(v->leaf, *issuer, &inv->err) ||
           err_wrap(&inv->err, "%s is not the issuer of %s", path, v->place);
}

static bool issuer_of(struct verifying *v, const struct cert **issuer)
{
    const char *path = flag_text(v->inv, "issuing-ca");

    if (path && *path)
        return issuer_of_flag(v, path, issuer);
    if (v->path.n < 2 && !cert_self_signed(v->leaf))
        return err_set(&v->inv->err, ERR_MALFORMED,
                       "the issuer of %s is not known; use the '--issuing-ca' flag", v->place);
    *issuer = v->path.v[v->path.n < 2 ? 0 : 1];
    return true;
}

static bool crl_places(struct verifying *v, struct urls *places)
{
    struct invocation *inv = v->inv;
    const char *flag = flag_text(inv, "crl-endpoint");
    const struct extension *x = extensions_get(&v->leaf->extensions, &OID_EXT_CRL_POINTS);

    *places = (struct urls){0};
    if (flag && *flag) {
        places->v = arena_alloc(inv->arena, sizeof(*places->v));
        places->v[places->n++] = slice_text(flag);
        return true;
    }
    if (x && !crl_points_read(inv->arena, x->value, places))
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: the CRL distribution points cannot be read (RFC 5280 4.2.1.13)",
                       v->place);
    return places->n ||
           err_set(&inv->err, ERR_MALFORMED,
                   "%s names no CRL distribution point; use the '--crl-endpoint' flag", v->place);
}

static struct trust roots_trust(struct verifying *v)
{
    struct trust t = {.kind = TRUST_ANCHORS,
                      .anchors = arena_array(v->inv->arena, v->roots.n, sizeof(*t.anchors))};

    for (; t.n < v->roots.n; t.n++)
        t.anchors[t.n] = v->roots.v[t.n]->der;
    return t;
}

static void http_gone(void *client)
{
    http_client_free(client);
}

static bool crl_fetch(struct verifying *v, struct slice url, struct slice *der, struct err *e)
{
    struct arena *a = v->inv->arena;
    struct http_client *http = http_client_new(version_line(a, "Newel CLI"));
    const struct trust trust = roots_trust(v);
    const struct http_call call = {
        .method = HTTP_GET,
        .url = url,
        .trust = &trust,
        .max_reply = DOWNLOAD_MAX,
        .redirects = REDIRECTS_MAX,
    };
    struct http_reply reply;
    struct pem block;

    arena_defer(a, http_gone, http);
    if (!http->call(http, &call, a, &reply, deadline_in(v->inv->clock, DOWNLOAD_NS), e))
        return false;
    if (reply.status != 200)
        return err_set(e, ERR_UNAVAILABLE, "the server answered with status %d", reply.status);
    *der = reply.body;
    if (pem_looks_like(reply.body)) {
        if (!pem_next(a, &reply.body, &block, e))
            return err_set(e, ERR_MALFORMED, "not a valid PEM encoded block");
        *der = block.der;
    }
    return true;
}

static bool crl_is_current(const struct crl *crl, struct instant now, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    if (instant_cmp(crl->this_update, instant_add(now, SKEW_NS)) > 0)
        return err_set(e, ERR_UNAUTHORIZED, "the CRL is not valid before %.*s (RFC 5280 5.1.2.4)",
                       SLICE_ARG(rfc3339(a, crl->this_update)));
    if (instant_is_zero(crl->next_update))
        return err_set(e, ERR_UNAUTHORIZED,
                       "the CRL does not say until when it is valid (RFC 5280 5.1.2.5)");
    return instant_cmp(now, crl->next_update) <= 0 ||
           err_set(e, ERR_UNAUTHORIZED, "the CRL is out of date since %.*s (RFC 5280 5.1.2.5)",
                   SLICE_ARG(rfc3339(a, crl->next_update)));
}

static const struct crl_entry *crl_find(const struct crl *crl, struct slice serial)
{
    for (size_t i = 0; i < crl->n; i++) {
        if (slice_eq(crl->entries[i].serial, serial))
            return &crl->entries[i];
    }
    return NULL;
}

enum answer { GOOD, REVOKED, NO_ANSWER };

/* e: why there is no answer, or that it is revoked. */
static enum answer crl_ask(struct verifying *v, const struct cert *issuer, struct slice url,
                           struct err *e)
{
    struct arena *a = v->inv->arena;
    bool believe = flag_bool(v->inv, "insecure");
    struct instant now = v->inv->clock->now(v->inv->clock);
    struct slice der;
    struct crl crl;

    if (!crl_fetch(v, url, &der, e) || !crl_read(a, der, &crl, e) ||
        (!believe && !crl_signed_by(&crl, issuer, e)) || !crl_is_current(&crl, now, e))
        return NO_ANSWER;
    const struct crl_entry *entry = crl_find(&crl, v->leaf->serial);
    if (entry) {
        err_set(e, ERR_FORBIDDEN, "certificate %.*s was revoked at %.*s (reason %d)",
                SLICE_ARG(serial_decimal(a, v->leaf->serial)), SLICE_ARG(rfc3339(a, entry->at)),
                entry->reason);
        return REVOKED;
    }
    if (crl.not_understood && !believe) {
        err_set(e, ERR_UNAUTHORIZED,
                "the CRL has a critical extension that is not understood (RFC 5280 5.2)");
        return NO_ANSWER;
    }
    return GOOD;
}

static bool check_crl(struct verifying *v)
{
    struct invocation *inv = v->inv;
    const struct cert *issuer = NULL;
    struct urls places;

    if (!issuer_of(v, &issuer) || !crl_places(v, &places))
        return false;
    for (size_t i = 0; i < places.n; i++) {
        enum answer answer = crl_ask(v, issuer, places.v[i], &inv->err);
        if (answer == REVOKED)
            return false;
        if (answer == GOOD) {
            err_clear(&inv->err);
            if (flag_bool(inv, "verbose"))
                out_line(inv, "certificate is not on the CRL of %.*s", SLICE_ARG(places.v[i]));
            return true;
        }
        err_wrap(&inv->err, "CRL of %.*s", SLICE_ARG(places.v[i]));
    }
    return false;
}

/* --- The command -------------------------------------------------------------------------- */

static void tell_path(struct verifying *v)
{
    const char *host = flag_text(v->inv, "host");
    struct arena *a = v->inv->arena;

    for (size_t i = 0; i < v->path.n; i++)
        out_line(v->inv, "%zu: %.*s", i,
                 SLICE_ARG(printable(a, dn_text(a, &v->path.v[i]->subject))));
    out_line(v->inv, "certificate chain is valid");
    if (host && *host)
        out_line(v->inv, "certificate is for %s", host);
}

static int run_verify(struct invocation *inv)
{
    struct verifying v = {.inv = inv, .place = arg_text(inv, 0)};
    bool url = cert_url_looks_like(slice_text(v.place));

    if (!(url ? read_peer(&v) : read_file(&v)) || !cert_roots(inv, &v.roots) || !find_path(&v))
        return fail(inv);
    if (flag_bool(inv, "verbose"))
        tell_path(&v);
    if (flag_bool(inv, "verify-crl") && !check_crl(&v))
        return fail(inv);
    return 0;
}

static const struct flag VERIFY_FLAGS[] = {
    {"host", FLAG_TEXT, "<host>",
     "The certificate must be for this <host>: a DNS name or an IP address.", NULL, 0},
    {"verify-crl", FLAG_BOOL, NULL,
     "Also check that the certificate is not on its issuer's revocation list.", NULL, 0},
    {"crl-endpoint", FLAG_TEXT, "<url>",
     "The <url> of the revocation list. Default: the distribution points in the certificate.", NULL,
     0},
    {"issuing-ca", FLAG_FILE, "<file>",
     "The <file> with the certificate of the issuer, whose revocation list is checked. Default: "
     "the issuer in the verified chain.",
     NULL, 0},
    {"verbose,v", FLAG_BOOL, NULL, "Say what was checked.", NULL, 0},
    {"insecure", FLAG_BOOL, NULL, "Do not verify the signature of the revocation list.", NULL,
     FLAG_HIDDEN | FLAG_NO_DEFAULTS},
    {0}};
static const struct flag *const VERIFY_SETS[] = {VERIFY_FLAGS, FLAGS_PEER, NULL};
static const struct flag_rule VERIFY_RULES[] = {
    {RULE_NEEDS, "crl-endpoint", "verify-crl"}, {RULE_NEEDS, "issuing-ca", "verify-crl"}, {0}};

const struct command CMD_CERTIFICATE_VERIFY = {
    .name = "verify",
    .summary = "verify a certificate",
    .synopsis = "<crt_file>",
    .description = "Verifies that a certificate is valid now and that a chain leads from it to a "
                   "certificate that is trusted (RFC 5280). The other certificates in the file "
                   "help to find the chain. Every certificate of --roots is trusted, also one that "
                   "is not self-signed.\n\n"
                   "Success is silent.",
    .arguments = "crt_file\tA PEM file with the certificate first, or a URL.",
    .examples = "A certificate of one's own authority:\n"
                "$ step certificate verify web.crt --roots $(step path)/certs/root_ca.crt\n"
                "\n"
                "What a server shows, for another name:\n"
                "$ step certificate verify https://10.0.0.7 --servername web.internal \\\n"
                "    --host web.internal --roots root_ca.crt\n"
                "\n"
                "Valid and not revoked:\n"
                "$ step certificate verify web.crt --roots root_ca.crt --verify-crl",
    .exit_codes = "0 the certificate is valid, 1 it is not or cannot be checked.",
    .flag_sets = VERIFY_SETS,
    .rules = VERIFY_RULES,
    .least = 1,
    .most = 1,
    .run = run_verify,
};
