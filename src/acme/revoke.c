/* Revocation (RFC 8555 7.6): by the account, by whoever holds the names, or by the key itself. */
#include "acme/handlers.h"
#include "base/encode.h"

static const char *const REASONS[] = {
    "unspecified",     "key compromise",         "CA compromise",    "affiliation changed",
    "superseded",      "cessation of operation", "certificate hold", "",
    "remove from CRL", "privilege withdrawn",    "AA compromise"};

struct serial_index {
    struct slice serial, certificate;
};
#define AT(member) offsetof(struct serial_index, member)
static const struct field INDEX_FIELDS[] = {
    {"serial", FIELD_TEXT, AT(serial), 0, NULL},
    {"certificateID", FIELD_TEXT, AT(certificate), 0, NULL},
};
#undef AT
static const struct shape INDEX_SHAPE = {"serial index", sizeof(struct serial_index), INDEX_FIELDS,
                                         COUNT_OF(INDEX_FIELDS), false};

static bool read_payload(struct request *r, struct cert **cert, int *reason)
{
    struct err *e = &r->work.err;
    const struct json *v, *code;
    struct slice der;
    int64_t n = 0;

    if (!acme_payload(r, &v))
        return false;
    if (!base64_read(r->work.arena, BASE64_URL_RAW, json_text(json_get(v, "certificate")), &der) ||
        der.n == 0)
        return acme_error(r, ERR_MALFORMED, "malformed", "certificate is missing or not base64url");
    if (!cert_read(r->work.arena, der, cert, e)) {
        err_classify(e, ERR_MALFORMED);
        return err_wrap(e, "certificate");
    }
    code = json_get(v, "reason");
    if (code && code->kind != JSON_NULL &&
        (!json_int(code, &n) || n < 0 || n > 10 || n == 7 || n == 8))
        return acme_error(r, ERR_MALFORMED, "badRevocationReason",
                          "reason is not one that can be given (RFC 5280 5.3.1)");
    *reason = (int)n;
    return true;
}

bool acme_cert_of_serial(struct work *w, struct slice serial, struct acme_cert *out, bool *found)
{
    struct serial_index index = {0};
    struct slice raw;

    *found = false;
    if (!store_get(w->services->store, TABLE_ACME_SERIAL_CERTS_INDEX, serial, w->arena, &raw,
                   w->deadline, &w->err))
        return false;
    const struct json *v = raw.n > 0 ? json_read(w->arena, raw, &JSON_RECORD, NULL, NULL) : NULL;
    return !v || !shape_read(&INDEX_SHAPE, v, &index, w->arena, NULL) ||
           ACME_LOAD(w, TABLE_ACME_CERTS, ACME_CERT_SHAPE, index.certificate, out, found);
}

/* The certificate as we issued it by ACME. */
static bool find_issued(struct request *r, const struct cert *cert, struct slice serial,
                        struct acme_cert *out)
{
    struct slice stored;
    bool found;

    if (!acme_cert_of_serial(&r->work, serial, out, &found) ||
        !store_get(r->work.services->store, TABLE_X509_CERTS, serial, r->work.arena, &stored,
                   r->work.deadline, &r->work.err))
        return false;
    if (!found || !slice_eq(stored, cert->der))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "the certificate was not issued by ACME here");
    return true;
}

/* Valid, unexpired authorizations of the account for every name of the certificate. */
static bool covers(const struct acme_authz *authz, const struct san *name)
{
    const struct acme_identifier *id = &authz->identifier;
    struct ip ip;

    if (!slice_is(authz->status, "valid"))
        return false;
    if (name->kind == SAN_IP)
        return slice_is(id->type, "ip") && ip_read(id->value, &ip) && ip_eq(&ip, &name->ip);
    if (name->kind != SAN_DNS || !slice_is(id->type, "dns"))
        return false;
    bool wildcard = slice_starts(name->text, "*.");
    return wildcard == authz->wildcard &&
           slice_eq_case(wildcard ? slice_from(name->text, 2) : name->text, id->value);
}

struct holder {
    struct request *r;
    const struct cert *cert;
    bool *held;
    struct instant now;
    struct slice last;
    size_t seen;
};

static bool visit_authz(struct slice key, struct slice value, void *arg)
{
    struct holder *h = arg;
    struct arena *a = h->r->work.arena;
    struct arena_mark mark;
    struct acme_authz authz = {0};

    h->seen++;
    h->last = arena_copy(a, key);
    mark = arena_mark(a);
    const struct json *v = json_read(a, value, &JSON_RECORD, NULL, NULL);
    if (v && shape_read(&ACME_AUTHZ_SHAPE, v, &authz, a, NULL) &&
        slice_eq(authz.account, acme_of(h->r)->account->id) &&
        instant_cmp(h->now, authz.expires) <= 0) {
        for (size_t i = 0; i < h->cert->sans.n; i++)
            h->held[i] = h->held[i] || covers(&authz, &h->cert->sans.v[i]);
    }
    arena_rewind(a, mark);
    return true;
}

/* Rare, so the authorizations are walked; at most 100 000 of them. */
static bool holds_names(struct request *r, const struct cert *cert, bool *holds)
{
    struct store *s = r->work.services->store;
    struct clock *clock = r->work.services->clock;
    struct holder h = {.r = r,
                       .cert = cert,
                       .held = arena_array(r->work.arena, cert->sans.n + 1, sizeof(bool)),
                       .now = clock->now(clock)};

    *holds = false;
    for (int page = 0; page < 100; page++) {
        h.seen = 0;
        if (!s->ops->scan(s, TABLE_ACME_AUTHZS, h.last, 1000, visit_authz, &h, r->work.deadline,
                          &r->work.err))
            return false;
        if (h.seen < 1000)
            break;
    }
    *holds = cert->sans.n > 0;
    for (size_t i = 0; i < cert->sans.n; i++)
        *holds = *holds && h.held[i];
    return true;
}

static bool authorize(struct request *r, const struct cert *cert, const struct acme_cert *issued)
{
    struct acme_request *q = acme_of(r);
    struct slice cn = dn_common_name(&cert->subject);
    bool holds = false;

    if (!q->account) { /* signed with jwk */
        if (cert->key && key_eq(cert->key, q->jwk.key))
            return true;
        return acme_error(r, ERR_FORBIDDEN, "unauthorized",
                          "the request is not signed with the certificate's key");
    }
    if (slice_eq(issued->account, q->account->id))
        return true;
    if (!holds_names(r, cert, &holds))
        return false;
    if (holds)
        return true;
    return acme_error(r, ERR_FORBIDDEN, "unauthorized",
                      cn.n > 0 ? "No authorization provided for name %.*s"
                               : "No authorization provided%.*s",
                      SLICE_ARG(cn));
}

enum outcome acme_act_revoke(struct request *r)
{
    struct revocation v = {.acme = true};
    struct acme_cert issued;
    struct cert *cert;

    if (!read_payload(r, &cert, &v.reason_code))
        return ACT_FAILED;
    v.serial = serial_decimal(r->work.arena, cert->serial);
    v.reason = slice_text(REASONS[v.reason_code]);
    v.cert = cert;
    log_put_text(&r->work.log, "serial", v.serial);
    log_put_int(&r->work.log, "reasonCode", v.reason_code);
    log_put_text(&r->work.log, "reason", v.reason);
    log_put_bool(&r->work.log, "passiveOnly", true);
    log_put_bool(&r->work.log, "ACME", true);
    if (!find_issued(r, cert, v.serial, &issued) || !authorize(r, cert, &issued) ||
        !revoke_x509(&r->work, &v))
        return ACT_FAILED;
    r->x->out.status = 200;
    acme_headers(r);
    return ACT_DONE;
}

bool acme_then_revoke(struct request *r)
{
    const struct crl_settings *crl = &r->work.authority->core->crl;

    if (!crl->enabled || !crl->generate_on_revoke || crl_generate(&r->work))
        return true;
    return err_wrap(&r->work.err, "the certificate is revoked, but the CRL could not be made");
}
