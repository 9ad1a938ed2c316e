/* Sign, renew, rekey, revoke: decode, call the authority, encode. */
#include "api/routes.h"
#include "authority/metrics.h"
#include "crypto/pem.h"

struct sign_body {
    struct slice csr, ott, not_before, not_after, serial, reason;
    const struct json *template_data;
    int64_t reason_code;
    bool passive;
};
#define AT(member) offsetof(struct sign_body, member)
static const struct field SIGN_FIELDS[] = {
    {"csr", FIELD_TEXT, AT(csr), 0, NULL},
    {"ott", FIELD_TEXT, AT(ott), 0, NULL},
    {"notBefore", FIELD_TEXT, AT(not_before), 0, NULL},
    {"notAfter", FIELD_TEXT, AT(not_after), 0, NULL},
    {"templateData", FIELD_RAW, AT(template_data), 0, NULL},
};
static const struct shape SIGN_SHAPE = {"sign request", sizeof(struct sign_body), SIGN_FIELDS,
                                        COUNT_OF(SIGN_FIELDS), false};
static const struct field REKEY_FIELDS[] = {{"csr", FIELD_TEXT, AT(csr), 0, NULL}};
static const struct shape REKEY_SHAPE = {"rekey request", sizeof(struct sign_body), REKEY_FIELDS,
                                         COUNT_OF(REKEY_FIELDS), false};
static const struct field REVOKE_FIELDS[] = {
    {"serial", FIELD_TEXT, AT(serial), 0, NULL},
    {"ott", FIELD_TEXT, AT(ott), 0, NULL},
    {"reasonCode", FIELD_INT, AT(reason_code), 0, NULL},
    {"reason", FIELD_TEXT, AT(reason), 0, NULL},
    {"passive", FIELD_BOOL, AT(passive), 0, NULL},
};
static const struct shape REVOKE_SHAPE = {"revoke request", sizeof(struct sign_body), REVOKE_FIELDS,
                                          COUNT_OF(REVOKE_FIELDS), false};
#undef AT

bool csr_member(struct request *r, struct slice text, struct csr **csr)
{
    struct err *e = &r->work.err;
    struct slice rest = text;
    struct pem block;

    if (text.n == 0 || slice_is(text, "null"))
        return err_set(e, ERR_MALFORMED, "csr is missing");
    if (!pem_next(r->work.arena, &rest, &block, e)) {
        if (e->kind == ERR_NONE)
            err_set(e, ERR_MALFORMED, "no PEM block");
        return err_wrap(e, "csr");
    }
    if (!csr_read(r->work.arena, block.der, csr, e) || !csr_verify(*csr, e)) {
        err_classify(e, ERR_MALFORMED);
        return err_wrap(e, "csr");
    }
    return true;
}

bool client_certificate(struct request *r, struct cert **leaf)
{
    const struct peer *peer = r->x->in.peer;

    *leaf = NULL;
    if (!peer || peer->n_chain == 0)
        return true;
    if (!peer->verified)
        return err_set(&r->work.err, ERR_UNAUTHORIZED,
                       "the client certificate could not be verified");
    if (!cert_read(r->work.arena, peer->chain[0], leaf, &r->work.err)) {
        err_classify(&r->work.err, ERR_UNAUTHORIZED);
        return err_wrap(&r->work.err, "client certificate");
    }
    return true;
}

static void respond_issued(struct request *r, const struct issued_cert *c)
{
    const struct core *core = r->work.authority->core;
    struct slice pem = cert_pem(r->work.arena, c->der);
    struct buf b = buf_new(r->work.arena, 4 * CERT_MAX + core->chain_json.n + core->issuer_json.n);

    buf_text(&b, "{\"crt\":");
    json_put_text(&b, pem);
    buf_text(&b, ",\"ca\":");
    buf_put(&b, core->issuer_json);
    buf_text(&b, ",\"certChain\":[");
    json_put_text(&b, pem);
    buf_put(&b, core->chain_json);
    buf_text(&b, "],\"tlsOptions\":");
    buf_put(&b, core->tls_json);
    buf_text(&b, "}\n");
    respond_json(r, 201, buf_slice(&b));
    log_issued(&r->work, c);
}

static void count(struct request *r, enum metric metric, const struct provisioner *by)
{
    r->counted = true;
    r->metric = metric;
    r->metric_provisioner = by ? by->name : SLICE("");
}

/* --- POST /sign ----------------------------------------------------------------------------- */

struct sign_state {
    struct csr *csr;
    struct grant *grant;
    struct validity_wish wish;
    const struct json *template_data;
};

static bool read_wish(struct request *r, const struct sign_body *body, struct validity_wish *wish)
{
    struct err *e = &r->work.err;

    if (!time_or_duration_read(body->not_before, &wish->not_before, e)) {
        err_classify(e, ERR_MALFORMED);
        return err_wrap(e, "notBefore");
    }
    if (!time_or_duration_read(body->not_after, &wish->not_after, e)) {
        err_classify(e, ERR_MALFORMED);
        return err_wrap(e, "notAfter");
    }
    /* "0s" asks for nothing. */
    if (wish->not_before.relative && wish->not_before.ns == 0)
        wish->not_before.set = false;
    if (wish->not_after.relative && wish->not_after.ns == 0)
        wish->not_after.set = false;
    return true;
}

bool authorize_sign(struct request *r)
{
    struct sign_state *s = arena_alloc(r->work.arena, sizeof(*s));
    struct sign_body body = {0};

    r->state = s;
    count(r, METRIC_SIGNED, NULL);
    if (!body_read(r, &SIGN_SHAPE, &body) || !read_wish(r, &body, &s->wish) ||
        !csr_member(r, body.csr, &s->csr))
        return false;
    s->template_data = body.template_data;
    if (body.ott.n == 0)
        return err_set(&r->work.err, ERR_MALFORMED, "ott is missing");
    if (!authorize_token(&r->work, body.ott, METHOD_SIGN, &s->grant))
        return false;
    count(r, METRIC_SIGNED, s->grant->by);
    return true;
}

enum outcome act_sign(struct request *r)
{
    struct sign_state *s = r->state;
    struct issued_cert issued;

    if (!sign_x509(&r->work, s->grant, s->csr, &s->wish, s->template_data, &issued))
        return ACT_FAILED;
    respond_issued(r, &issued);
    return ACT_DONE;
}

/* --- POST /renew, /rekey --------------------------------------------------------------------- */

struct renew_state {
    struct renewal renewal;
    struct csr *csr;
};

/* What follows the first "Bearer ". */
static struct slice bearer_token(const struct request *r)
{
    static const char SCHEME[] = "Bearer ";
    struct slice field = http_fields_get(&r->x->in.fields, "Authorization");
    size_t at = slice_search(field, slice_text(SCHEME));

    return at < field.n ? slice_from(field, at + sizeof(SCHEME) - 1) : SLICE_NONE;
}

bool authorize_renew(struct request *r)
{
    struct renew_state *s = arena_alloc(r->work.arena, sizeof(*s));
    struct slice bearer = bearer_token(r);
    struct cert *leaf;
    bool ok;

    r->state = s;
    count(r, METRIC_RENEWED, NULL);
    if (!client_certificate(r, &leaf))
        return false;
    if (!leaf && bearer.n == 0)
        return err_set(&r->work.err, ERR_MALFORMED,
                       "renewal needs a client certificate or a renew token");
    if (leaf)
        ok = authorize_renewal(&r->work, leaf, &s->renewal);
    else
        ok = authorize_renew_token(&r->work, bearer, &s->renewal);
    count(r, METRIC_RENEWED, s->renewal.by);
    return ok;
}

static enum outcome renew(struct request *r, const struct key *key)
{
    struct renew_state *s = r->state;
    struct issued_cert issued;

    if (!renew_x509(&r->work, &s->renewal, key, &issued))
        return ACT_FAILED;
    respond_issued(r, &issued);
    return ACT_DONE;
}

enum outcome act_renew(struct request *r)
{
    return renew(r, NULL);
}

bool authorize_rekey(struct request *r)
{
    struct renew_state *s = arena_alloc(r->work.arena, sizeof(*s));
    struct sign_body body = {0};
    struct cert *leaf;

    r->state = s;
    count(r, METRIC_REKEYED, NULL);
    if (!client_certificate(r, &leaf))
        return false;
    if (!leaf)
        return err_set(&r->work.err, ERR_MALFORMED, "rekey needs a client certificate");
    if (!body_read(r, &REKEY_SHAPE, &body) || !csr_member(r, body.csr, &s->csr))
        return false;
    if (!s->csr->key) {
        err_move(&r->work.err, &s->csr->key_error);
        return err_wrap(&r->work.err, "csr");
    }
    bool ok = authorize_renewal(&r->work, leaf, &s->renewal);
    count(r, METRIC_REKEYED, s->renewal.by);
    return ok;
}

enum outcome act_rekey(struct request *r)
{
    return renew(r, ((struct renew_state *)r->state)->csr->key);
}

/* --- POST /revoke ---------------------------------------------------------------------------- */

static bool read_revocation(struct request *r, struct sign_body *body, struct revocation *out)
{
    struct err *e = &r->work.err;
    struct slice magnitude;

    if (!body_read(r, &REVOKE_SHAPE, body))
        return false;
    if (body->serial.n == 0)
        return err_set(e, ERR_MALFORMED, "serial is missing");
    if (!serial_read(r->work.arena, body->serial, &magnitude, e)) {
        err_classify(e, ERR_MALFORMED);
        return err_wrap(e, "serial");
    }
    out->serial = serial_decimal(r->work.arena, magnitude);
    if (body->reason_code < 0 || body->reason_code > 10)
        return err_set(e, ERR_MALFORMED, "reasonCode %lld is not one of RFC 5280 5.3.1 (0 to 10)",
                       (long long)body->reason_code);
    if (body->reason_code == 7 || body->reason_code == 8)
        return err_set(e, ERR_MALFORMED,
                       "reasonCode %lld has no place in a complete CRL (RFC 5280 5.3.1)",
                       (long long)body->reason_code);
    if (!body->passive)
        return err_set(e, ERR_NOT_IMPLEMENTED, "only passive revocation is implemented");
    out->reason_code = (int)body->reason_code;
    out->reason = body->reason;
    return true;
}

static void log_revocation(struct request *r, const struct revocation *v)
{
    log_put_text(&r->work.log, "serial", v->serial);
    log_put_int(&r->work.log, "reasonCode", v->reason_code);
    log_put_text(&r->work.log, "reason", v->reason.p ? v->reason : SLICE(""));
    log_put_bool(&r->work.log, "passiveOnly", true);
    log_put_bool(&r->work.log, "mTLS", v->cert != NULL);
}

static bool authorize_by_token(struct request *r, struct slice ott, struct revocation *v)
{
    struct grant *g;

    if (!authorize_token(&r->work, ott, METHOD_REVOKE, &g))
        return false;
    v->grant = g;
    if (!slice_eq(g->subject, v->serial))
        return err_set(&r->work.err, ERR_FORBIDDEN,
                       "the token's subject \"%.*s\" is not the serial number %.*s",
                       SLICE_ARG(slice_sub(g->subject, 0, 128)), SLICE_ARG(v->serial));
    return true;
}

static bool authorize_by_certificate(struct request *r, struct revocation *v)
{
    struct cert *leaf;

    if (!client_certificate(r, &leaf))
        return false;
    if (!leaf)
        return err_set(&r->work.err, ERR_MALFORMED,
                       "revocation needs a token (ott) or a client certificate");
    v->cert = leaf;
    struct slice own = serial_decimal(r->work.arena, leaf->serial);
    if (!slice_eq(own, v->serial))
        return err_set(&r->work.err, ERR_FORBIDDEN,
                       "the client certificate's serial number %.*s is not %.*s", SLICE_ARG(own),
                       SLICE_ARG(v->serial));
    log_certificate(&r->work, leaf);
    return true;
}

bool authorize_revoke(struct request *r)
{
    struct revocation *v = arena_alloc(r->work.arena, sizeof(*v));
    struct sign_body body = {0};

    r->state = v;
    if (!read_revocation(r, &body, v))
        return false;
    bool ok = body.ott.n > 0 ? authorize_by_token(r, body.ott, v) : authorize_by_certificate(r, v);
    log_revocation(r, v);
    return ok;
}

enum outcome act_revoke(struct request *r)
{
    if (!revoke_x509(&r->work, r->state))
        return ACT_FAILED;
    respond_json(r, 200, SLICE("{\"status\":\"ok\"}\n"));
    return ACT_DONE;
}

bool then_revoke(struct request *r)
{
    const struct crl_settings *crl = &r->work.authority->core->crl;

    if (!crl->enabled || !crl->generate_on_revoke)
        return true;
    if (!crl_generate(&r->work))
        return err_wrap(&r->work.err, "the certificate is revoked, but the CRL could not be made");
    return true;
}
