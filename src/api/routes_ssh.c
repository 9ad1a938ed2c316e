/* The SSH certificate authority's routes: decode, call the authority, encode
 * (docs/reference/ssh.md). */
#include "api/routes.h"
#include "authority/metrics.h"
#include "authority/ssh.h"

struct ssh_body {
    struct slice public_key, ott, cert_type, key_id, valid_after, valid_before, add_user_key, csr;
    struct texts principals;
    const struct json *template_data;
    struct slice serial, reason;
    int64_t reason_code;
    bool passive;
};
#define AT(member) offsetof(struct ssh_body, member)
#define SHAPE_OF(variable, fields, text)                                                           \
    static const struct shape variable = {text, sizeof(struct ssh_body), fields, COUNT_OF(fields), \
                                          false}
static const struct field SIGN_FIELDS[] = {
    {"publicKey", FIELD_BYTES, AT(public_key), 0, NULL},
    {"ott", FIELD_TEXT, AT(ott), 0, NULL},
    {"certType", FIELD_TEXT, AT(cert_type), 0, NULL},
    {"keyID", FIELD_TEXT, AT(key_id), 0, NULL},
    {"principals", FIELD_TEXTS, AT(principals), 0, NULL},
    {"validAfter", FIELD_TEXT, AT(valid_after), 0, NULL},
    {"validBefore", FIELD_TEXT, AT(valid_before), 0, NULL},
    {"addUserPublicKey", FIELD_BYTES, AT(add_user_key), 0, NULL},
    {"identityCSR", FIELD_TEXT, AT(csr), 0, NULL},
    {"templateData", FIELD_RAW, AT(template_data), 0, NULL},
};
SHAPE_OF(SIGN_SHAPE, SIGN_FIELDS, "SSH sign request");
static const struct field REKEY_FIELDS[] = {
    {"ott", FIELD_TEXT, AT(ott), 0, NULL},
    {"publicKey", FIELD_BYTES, AT(public_key), 0, NULL},
};
SHAPE_OF(REKEY_SHAPE, REKEY_FIELDS, "SSH rekey request");
static const struct field RENEW_FIELDS[] = {{"ott", FIELD_TEXT, AT(ott), 0, NULL}};
SHAPE_OF(RENEW_SHAPE, RENEW_FIELDS, "SSH renew request");
static const struct field REVOKE_FIELDS[] = {
    {"serial", FIELD_TEXT, AT(serial), 0, NULL},
    {"ott", FIELD_TEXT, AT(ott), 0, NULL},
    {"reasonCode", FIELD_INT, AT(reason_code), 0, NULL},
    {"reason", FIELD_TEXT, AT(reason), 0, NULL},
    {"passive", FIELD_BOOL, AT(passive), 0, NULL},
};
SHAPE_OF(REVOKE_SHAPE, REVOKE_FIELDS, "SSH revoke request");
#undef AT

static const struct ssh_ca *ssh_of(const struct request *r)
{
    return r->work.authority->core->ssh;
}

/* SSH is not configured at all. */
static bool need_keys(struct request *r)
{
    const struct ssh_ca *ca = ssh_of(r);

    if (ca && (ca->user.signer || ca->host.signer))
        return true;
    err_set(&r->work.err, ERR_NOT_IMPLEMENTED, "SSH certificates are not configured");
    r->work.err.tell = true;
    return false;
}

static bool need_token(struct request *r, struct slice ott)
{
    return ott.n > 0 || err_set(&r->work.err, ERR_MALFORMED, "ott is missing");
}

static bool read_key(struct request *r, const char *member, struct slice blob, struct ssh_key *key)
{
    struct err *e = &r->work.err;

    if (blob.n == 0)
        return err_set(e, ERR_MALFORMED, "%s is missing", member);
    if (ssh_blob_is_cert(blob))
        return err_set(e, ERR_MALFORMED, "%s: is a certificate; expected a public key", member);
    if (ssh_key_read(r->work.arena, blob, key, e))
        return true;
    err_classify(e, ERR_MALFORMED);
    return err_wrap(e, "%s", member);
}

static void count(struct request *r, enum metric metric, const struct provisioner *by)
{
    r->counted = true;
    r->metric = metric;
    r->metric_provisioner = by ? by->name : SLICE("");
}

/* --- What is issued -------------------------------------------------------------------------- */

struct answer {
    const struct ssh_issued *cert, *add_user;
    const struct issued_cert *identity;
};

static void put_certificate(struct json_writer *j, struct arena *a, const char *name,
                            const struct ssh_issued *i)
{
    struct buf text = buf_new(a, 2 * SSH_BLOB_MAX);

    json_put_bytes(&text, i->cert.blob);
    json_member_raw(j, name, buf_slice(&text));
}

/* [leaf, issuer, …] */
static void put_identity(struct json_writer *j, struct request *r, const struct issued_cert *c)
{
    const struct core *core = r->work.authority->core;
    struct buf list = buf_new(r->work.arena, 4 * CERT_MAX + core->chain_json.n);

    buf_byte(&list, '[');
    json_put_text(&list, cert_pem(r->work.arena, c->der));
    buf_put(&list, core->chain_json);
    buf_byte(&list, ']');
    json_member_raw(j, "identityCrt", buf_slice(&list));
}

static void respond_issued(struct request *r, const struct answer *a)
{
    struct buf b = buf_new(r->work.arena, 8u << 20);
    struct json_writer j = json_writer(&b);

    json_open(&j, NULL);
    put_certificate(&j, r->work.arena, "crt", a->cert);
    if (a->add_user)
        put_certificate(&j, r->work.arena, "addUserCrt", a->add_user);
    if (a->identity)
        put_identity(&j, r, a->identity);
    json_close(&j);
    buf_byte(&b, '\n');
    respond_json(r, 201, buf_slice(&b));
    log_ssh_issued(&r->work, a->cert);
}

/* --- POST /ssh/sign -------------------------------------------------------------------------- */

struct ssh_sign_state {
    struct ssh_request request;
    bool add_user;
    struct ssh_key add_user_key;
    struct csr *csr; /* of an identity certificate, or NULL */
    struct grant *grant, *identity;
};

static bool read_time(struct request *r, const char *name, struct slice text,
                      struct time_or_duration *out)
{
    if (!time_or_duration_read(text, out, &r->work.err)) {
        err_classify(&r->work.err, ERR_MALFORMED);
        return err_wrap(&r->work.err, "%s", name);
    }
    if (out->relative && out->ns == 0)
        out->set = false; /* "0s" asks for nothing */
    return true;
}

static bool read_wish(struct request *r, const struct ssh_body *body, struct ssh_wish *wish)
{
    struct err *e = &r->work.err;

    if (body->cert_type.n > 0 && !slice_is(body->cert_type, "user") &&
        !slice_is(body->cert_type, "host"))
        return err_set(e, ERR_MALFORMED, "certType \"%.*s\": expected user or host",
                       SLICE_ARG(slice_sub(body->cert_type, 0, 64)));
    if (body->principals.n > SSH_PRINCIPALS_MAX)
        return err_set(e, ERR_MALFORMED, "principals: at most %d are possible", SSH_PRINCIPALS_MAX);
    for (size_t i = 0; i < body->principals.n; i++) {
        if (body->principals.v[i].n == 0)
            return err_set(e, ERR_MALFORMED, "principals: one is empty");
    }
    wish->type = body->cert_type;
    wish->key_id = body->key_id;
    wish->principals = body->principals.v;
    wish->n_principals = body->principals.n;
    return read_time(r, "validAfter", body->valid_after, &wish->valid_after) &&
           read_time(r, "validBefore", body->valid_before, &wish->valid_before);
}

static bool read_sign(struct request *r, struct ssh_sign_state *s, struct slice *ott)
{
    struct ssh_body body = {0};

    if (!body_read(r, &SIGN_SHAPE, &body) ||
        !read_key(r, "publicKey", body.public_key, &s->request.key) || !need_token(r, body.ott) ||
        !read_wish(r, &body, &s->request.wish))
        return false;
    s->add_user = body.add_user_key.n > 0;
    if (s->add_user && !read_key(r, "addUserPublicKey", body.add_user_key, &s->add_user_key))
        return false;
    if (body.csr.n > 0 && !csr_member(r, body.csr, &s->csr))
        return err_wrap(&r->work.err, "identityCSR");
    s->request.user = body.template_data;
    *ott = body.ott;
    return true;
}

/* The first URI of the request that names a machine: "urn:uuid:" and 36 characters. */
static struct slice machine_uri(const struct csr *csr)
{
    static const char PREFIX[] = "urn:uuid:";

    for (size_t i = 0; i < csr->sans.n; i++) {
        struct slice text = csr->sans.v[i].text;
        if (csr->sans.v[i].kind == SAN_URI && text.n == sizeof(PREFIX) - 1 + 36 &&
            slice_is_case(slice_sub(text, 0, sizeof(PREFIX) - 1), PREFIX))
            return text;
    }
    return SLICE_NONE;
}

static void add_machine(struct arena *a, struct sans *names, struct slice uri)
{
    struct san *v = arena_array(a, names->n + 1, sizeof(*v));

    if (uri.n == 0)
        return;
    for (size_t i = 0; i < names->n; i++) {
        v[i] = names->v[i];
        if (v[i].kind == SAN_URI && slice_eq(v[i].text, uri))
            return;
    }
    v[names->n] = (struct san){.kind = SAN_URI, .text = uri};
    names->v = v;
    names->n++;
}

/* The same token, for X.509: the request's URIs are its own affair, and cnf is about the SSH key.
 */
static bool authorize_identity(struct request *r, struct slice ott, struct ssh_sign_state *s)
{
    if (!authorize_token_again(&r->work, ott, METHOD_SIGN, &s->identity))
        return err_wrap(&r->work.err, "identityCSR");
    struct grant_x509 *x = &s->identity->x509;
    size_t n = 0;
    for (size_t i = 0; i < x->n_rules; i++) {
        if (x->rules[i].kind == CSR_RULE_FINGERPRINT)
            continue;
        x->rules[n] = x->rules[i];
        x->rules[n++].uris_free = true;
    }
    x->n_rules = n;
    add_machine(r->work.arena, &x->sans, machine_uri(s->csr));
    return true;
}

bool authorize_ssh_sign(struct request *r)
{
    struct ssh_sign_state *s = arena_alloc(r->work.arena, sizeof(*s));
    struct slice ott;

    r->state = s;
    count(r, METRIC_SSH_SIGNED, NULL);
    if (!read_sign(r, s, &ott) || !need_keys(r) ||
        !authorize_token(&r->work, ott, METHOD_SSH_SIGN, &s->grant))
        return false;
    count(r, METRIC_SSH_SIGNED, s->grant->by);
    return !s->csr || authorize_identity(r, ott, s);
}

/* As long as the SSH certificate, whatever the claims for TLS say. */
static bool sign_identity(struct request *r, const struct ssh_sign_state *s,
                          const struct ssh_cert *c, struct issued_cert *out)
{
    struct validity_wish wish = {.forced = true,
                                 .forced_before = instant_sec((int64_t)c->valid_after),
                                 .forced_after = instant_sec((int64_t)c->valid_before)};

    if (sign_x509(&r->work, s->identity, s->csr, &wish, NULL, out))
        return true;
    err_classify(&r->work.err, ERR_FORBIDDEN);
    return err_wrap(&r->work.err, "identityCSR");
}

enum outcome act_ssh_sign(struct request *r)
{
    struct ssh_sign_state *s = r->state;
    struct ssh_issued cert, add_user;
    struct issued_cert identity;
    struct answer answer = {.cert = &cert};
    bool made = false;

    if (!ssh_sign(&r->work, s->grant, &s->request, &cert))
        return ACT_FAILED;
    r->metric = METRIC_SSH_SIGNED + (int)cert.cert.type;
    if (s->add_user && !ssh_add_user(&r->work, s->grant, &cert, &s->add_user_key, &add_user, &made))
        return ACT_FAILED;
    if (s->csr && !sign_identity(r, s, &cert.cert, &identity))
        return ACT_FAILED;
    if (made)
        answer.add_user = &add_user;
    if (s->csr)
        answer.identity = &identity;
    respond_issued(r, &answer);
    return ACT_DONE;
}

/* --- POST /ssh/renew, /ssh/rekey ---------------------------------------------------------------
 */

struct ssh_renew_state {
    struct ssh_key key;
    struct grant *grant;
    bool has_identity;
    struct renewal identity; /* of the client's certificate */
};

/* Who comes with a client certificate gets it renewed too, for as long. */
static bool authorize_client(struct request *r, struct ssh_renew_state *s)
{
    const struct ssh_cert *held = s->grant->ssh.held;
    struct cert *leaf;

    if (!client_certificate(r, &leaf))
        return false;
    if (!leaf)
        return true;
    if (!authorize_renewal(&r->work, leaf, &s->identity)) {
        err_classify(&r->work.err, ERR_FORBIDDEN);
        return err_wrap(&r->work.err, "client certificate");
    }
    s->has_identity = true;
    s->identity.length = instant_sub(instant_sec((int64_t)(held->valid_before & INT64_MAX)),
                                     instant_sec((int64_t)(held->valid_after & INT64_MAX)));
    return true;
}

static bool authorize_pop(struct request *r, struct slice ott, enum method method,
                          enum metric metric, struct ssh_renew_state *s)
{
    if (!need_keys(r) || !authorize_token(&r->work, ott, method, &s->grant))
        return false;
    count(r, metric, s->grant->by);
    return authorize_client(r, s);
}

bool authorize_ssh_renew(struct request *r)
{
    struct ssh_renew_state *s = arena_alloc(r->work.arena, sizeof(*s));
    struct ssh_body body = {0};

    r->state = s;
    count(r, METRIC_SSH_RENEWED, NULL);
    return body_read(r, &RENEW_SHAPE, &body) && need_token(r, body.ott) &&
           authorize_pop(r, body.ott, METHOD_SSH_RENEW, METRIC_SSH_RENEWED, s);
}

bool authorize_ssh_rekey(struct request *r)
{
    struct ssh_renew_state *s = arena_alloc(r->work.arena, sizeof(*s));
    struct ssh_body body = {0};

    r->state = s;
    count(r, METRIC_SSH_REKEYED, NULL);
    return body_read(r, &REKEY_SHAPE, &body) && need_token(r, body.ott) &&
           read_key(r, "publicKey", body.public_key, &s->key) &&
           authorize_pop(r, body.ott, METHOD_SSH_REKEY, METRIC_SSH_REKEYED, s);
}

static enum outcome renew(struct request *r, const struct ssh_key *key, enum metric metric)
{
    struct ssh_renew_state *s = r->state;
    struct ssh_issued cert;
    struct issued_cert identity;
    struct answer answer = {.cert = &cert};

    if (!ssh_renew(&r->work, s->grant, key, &cert))
        return ACT_FAILED;
    r->metric = (int)metric + (int)cert.cert.type;
    if (s->has_identity) {
        if (!renew_x509(&r->work, &s->identity, NULL, &identity)) {
            err_classify(&r->work.err, ERR_FORBIDDEN);
            (void)err_wrap(&r->work.err, "client certificate");
            return ACT_FAILED;
        }
        answer.identity = &identity;
    }
    respond_issued(r, &answer);
    return ACT_DONE;
}

enum outcome act_ssh_renew(struct request *r)
{
    return renew(r, NULL, METRIC_SSH_RENEWED);
}

enum outcome act_ssh_rekey(struct request *r)
{
    return renew(r, &((struct ssh_renew_state *)r->state)->key, METRIC_SSH_REKEYED);
}

/* --- POST /ssh/revoke ------------------------------------------------------------------------ */

static bool read_revocation(struct request *r, struct ssh_body *body, struct ssh_revocation *out)
{
    struct err *e = &r->work.err;
    uint64_t serial;

    if (!body_read(r, &REVOKE_SHAPE, body))
        return false;
    if (body->serial.n == 0)
        return err_set(e, ERR_MALFORMED, "serial is missing");
    if (!slice_to_u64(body->serial, &serial) || serial == 0)
        return err_set(e, ERR_MALFORMED, "serial: expected a decimal number of 1 to 2^64-1");
    if (body->reason_code < 0 || body->reason_code > 10)
        return err_set(e, ERR_MALFORMED, "reasonCode %lld is not one of RFC 5280 5.3.1 (0 to 10)",
                       (long long)body->reason_code);
    if (!body->passive)
        return err_set(e, ERR_NOT_IMPLEMENTED, "only passive revocation is implemented");
    out->serial = ssh_serial_text(r->work.arena, serial);
    out->reason_code = (int)body->reason_code;
    out->reason = body->reason;
    return need_token(r, body->ott);
}

static void log_revocation(struct request *r, const struct ssh_revocation *v)
{
    log_put_text(&r->work.log, "serial", v->serial);
    log_put_int(&r->work.log, "reasonCode", v->reason_code);
    log_put_text(&r->work.log, "reason", v->reason.p ? v->reason : SLICE(""));
    log_put_bool(&r->work.log, "passiveOnly", true);
    log_put_bool(&r->work.log, "mTLS", false);
    log_put_bool(&r->work.log, "ssh", true);
}

bool authorize_ssh_revoke(struct request *r)
{
    struct ssh_revocation *v = arena_alloc(r->work.arena, sizeof(*v));
    struct ssh_body body = {0};
    struct grant *g;

    r->state = v;
    if (!read_revocation(r, &body, v))
        return false;
    bool ok = authorize_token(&r->work, body.ott, METHOD_SSH_REVOKE, &g);
    log_revocation(r, v);
    if (ok)
        v->grant = g;
    return ok;
}

enum outcome act_ssh_revoke(struct request *r)
{
    if (!ssh_revoke(&r->work, r->state))
        return ACT_FAILED;
    respond_json(r, 200, SLICE("{\"status\":\"ok\"}\n"));
    return ACT_DONE;
}
