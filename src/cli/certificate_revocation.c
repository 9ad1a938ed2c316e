/*
 * Has the issuer revoked the certificate?  Its revocation list (RFC 5280 6.3) or its OCSP responder
 * (RFC 6960) say so.
 *
 * The issuer is the one that the path found, so that nothing has to be downloaded to learn who it
 * is.  An answer that cannot be had, that somebody else signed or that is stale is a failure and
 * never a success.
 */
#include "cli/certificate_verify.h"
#include "cli/download.h"
#include "x509/crl.h"
#include "x509/ocsp.h"

/* --- The issuer ---------------------------------------------------------------------------- */

/* The same key may belong to two authorities; a list or an answer speaks for one name. */
static bool is_issuer(const struct cert *leaf, const struct cert *c, struct err *e)
{
    if (!slice_eq(leaf->issuer.raw, c->subject.raw))
        return err_set(e, ERR_MALFORMED, "its subject is another name (RFC 5280 6.1.3)");
    return cert_signed_by(leaf, c, e);
}

static bool issuer_of_flag(struct verifying *v, const char *path, const struct cert **issuer)
{
    struct invocation *inv = v->inv;
    struct cert_list list;

    if (!cert_list_load(inv->arena, path, &list, &inv->err))
        return false;
    *issuer = list.v[0];
    return is_issuer(v->leaf, *issuer, &inv->err) ||
           err_wrap(&inv->err, "%s is not the issuer of %s", path, v->place);
}

/* RFC 5280 4.2.2.1: where the certificate says that its issuer's can be had. */
static bool issuer_of_url(struct verifying *v, struct slice url, const struct cert **issuer)
{
    struct invocation *inv = v->inv;
    const struct trust trust = download_trust(inv->arena, &v->roots);
    struct slice body, der;
    struct cert *c;

    if (!download(inv, &trust, url, &body, &inv->err) ||
        !download_der(inv->arena, body, &der, &inv->err) ||
        !cert_read(inv->arena, der, &c, &inv->err) || !is_issuer(v->leaf, c, &inv->err))
        return err_wrap(&inv->err, "the issuer of %s, from %.*s", v->place, SLICE_ARG(url));
    *issuer = c;
    return true;
}

static bool issuer_of(struct verifying *v, const struct cert **issuer)
{
    const char *path = flag_text(v->inv, "issuing-ca");
    const struct extension *x = extensions_get(&v->leaf->extensions, &OID_EXT_AIA);
    struct urls ocsp = {0}, issuers = {0};

    if (path && *path)
        return issuer_of_flag(v, path, issuer);
    if (v->path.n >= 2 || cert_self_signed(v->leaf)) {
        *issuer = v->path.v[v->path.n < 2 ? 0 : 1];
        return true;
    }
    if (x && aia_read(v->inv->arena, x->value, &ocsp, &issuers) && issuers.n)
        return issuer_of_url(v, issuers.v[0], issuer);
    return err_set(&v->inv->err, ERR_MALFORMED,
                   "the issuer of %s is not known; use the '--issuing-ca' flag", v->place);
}

/* --- Places -------------------------------------------------------------------------------- */

static bool place_of_flag(struct invocation *inv, const char *flag, struct urls *places)
{
    const char *text = flag_text(inv, flag);

    *places = (struct urls){0};
    if (!text || !*text)
        return false;
    places->v = arena_alloc(inv->arena, sizeof(*places->v));
    places->v[places->n++] = slice_text(text);
    return true;
}

static bool crl_places(struct verifying *v, struct urls *places)
{
    struct invocation *inv = v->inv;
    const struct extension *x = extensions_get(&v->leaf->extensions, &OID_EXT_CRL_POINTS);

    if (place_of_flag(inv, "crl-endpoint", places))
        return true;
    if (x && !crl_points_read(inv->arena, x->value, places))
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: the CRL distribution points cannot be read (RFC 5280 4.2.1.13)",
                       v->place);
    return places->n ||
           err_set(&inv->err, ERR_MALFORMED,
                   "%s names no CRL distribution point; use the '--crl-endpoint' flag", v->place);
}

static bool ocsp_places(struct verifying *v, struct urls *places)
{
    struct invocation *inv = v->inv;
    const struct extension *x = extensions_get(&v->leaf->extensions, &OID_EXT_AIA);
    struct urls issuers = {0};

    if (place_of_flag(inv, "ocsp-endpoint", places))
        return true;
    if (x && !aia_read(inv->arena, x->value, places, &issuers))
        return err_set(&inv->err, ERR_MALFORMED,
                       "%s: the authority information access cannot be read (RFC 5280 4.2.2.1)",
                       v->place);
    return places->n ||
           err_set(&inv->err, ERR_MALFORMED,
                   "%s names no OCSP responder; use the '--ocsp-endpoint' flag", v->place);
}

/* --- Revocation list ----------------------------------------------------------------------- */

static bool crl_fetch(struct verifying *v, struct slice url, struct slice *der, struct err *e)
{
    const struct trust trust = download_trust(v->inv->arena, &v->roots);
    struct slice body;

    return download(v->inv, &trust, url, &body, e) && download_der(v->inv->arena, body, der, e);
}

static bool crl_is_current(const struct crl *crl, struct instant now, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);

    if (instant_cmp(crl->this_update, instant_add(now, VERIFY_SKEW_NS)) > 0)
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

/* --- Responder ----------------------------------------------------------------------------- */

static bool ocsp_fetch(struct verifying *v, struct slice url, const struct ocsp_id *id,
                       struct ocsp_response *r, struct err *e)
{
    const struct trust trust = download_trust(v->inv->arena, &v->roots);
    struct buf request = buf_new(v->inv->arena, OCSP_REQUEST_MAX);
    struct slice body;

    ocsp_request_put(&request, id, 1, SLICE_NONE);
    if (!buf_done(&request, "OCSP request", e) ||
        !download_post(v->inv, &trust, url, "application/ocsp-request", buf_slice(&request), &body,
                       e) ||
        !ocsp_response_read(v->inv->arena, body, r, e))
        return false;
    return r->outcome == OCSP_SUCCESSFUL ||
           err_set(e, ERR_UNAVAILABLE, "the responder answered \"%s\" (RFC 6960 4.2.1)",
                   ocsp_outcome_name(r->outcome));
}

/* e: why there is no answer, or that it is revoked. */
static enum answer ocsp_ask(struct verifying *v, const struct cert *issuer, struct slice url,
                            struct err *e)
{
    struct arena *a = v->inv->arena;
    bool believe = flag_bool(v->inv, "insecure");
    struct instant now = v->inv->clock->now(v->inv->clock);
    struct ocsp_id id = ocsp_id_of(a, DIGEST_SHA1, issuer, v->leaf->serial);
    struct ocsp_response r;

    if (!ocsp_fetch(v, url, &id, &r, e) || (!believe && !ocsp_signed_for(&r, issuer, now, e)))
        return NO_ANSWER;
    const struct ocsp_single *s = ocsp_find(&r, &id);
    if (!s) {
        err_set(e, ERR_UNAVAILABLE, "the OCSP answer is about other certificates");
        return NO_ANSWER;
    }
    if (!ocsp_is_current(&r, s, now, VERIFY_SKEW_NS, e))
        return NO_ANSWER;
    if (s->status == OCSP_GOOD)
        return GOOD;
    if (s->status == OCSP_REVOKED)
        err_set(e, ERR_FORBIDDEN, "certificate %.*s was revoked at %.*s (reason %d)",
                SLICE_ARG(serial_decimal(a, v->leaf->serial)), SLICE_ARG(rfc3339(a, s->revoked_at)),
                s->reason < 0 ? 0 : s->reason);
    else
        err_set(e, ERR_FORBIDDEN, "certificate %.*s is unknown to the OCSP responder",
                SLICE_ARG(serial_decimal(a, v->leaf->serial)));
    return REVOKED;
}

/* --- One place after the other -------------------------------------------------------------- */

static const struct source {
    const char *name, *good;
    bool (*places)(struct verifying *, struct urls *);
    enum answer (*ask)(struct verifying *, const struct cert *, struct slice, struct err *);
} CRL = {"CRL", "certificate is not on the CRL of", crl_places, crl_ask},
  OCSP = {"OCSP", "certificate is good, says", ocsp_places, ocsp_ask};

static bool ask_all(struct verifying *v, const struct source *source)
{
    struct invocation *inv = v->inv;
    const struct cert *issuer = NULL;
    struct urls places;

    if (!issuer_of(v, &issuer) || !source->places(v, &places))
        return false;
    for (size_t i = 0; i < places.n; i++) {
        enum answer answer = source->ask(v, issuer, places.v[i], &inv->err);
        if (answer == REVOKED)
            return false;
        if (answer == GOOD) {
            err_clear(&inv->err);
            if (flag_bool(inv, "verbose"))
                out_line(inv, "%s %.*s", source->good, SLICE_ARG(places.v[i]));
            return true;
        }
        err_wrap(&inv->err, "%s of %.*s", source->name, SLICE_ARG(places.v[i]));
    }
    return false;
}

bool verify_crl(struct verifying *v)
{
    return ask_all(v, &CRL);
}

bool verify_ocsp(struct verifying *v)
{
    return ask_all(v, &OCSP);
}
