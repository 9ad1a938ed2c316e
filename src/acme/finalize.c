/* Finalize and certificate download (RFC 8555 7.4, 7.4.2). */
#include <stdlib.h>

#include "acme/handlers.h"
#include "acme/identifier.h"
#include "authority/metrics.h"
#include "authority/webhook.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "crypto/pem.h"
#include "crypto/secret.h"

/* --- Names
 * -------------------------------------------------------------------------------------------- */

struct name_set {
    struct slice *dns;
    size_t n_dns;
    struct ip *ips;
    size_t n_ips;
};

static struct slice lower(struct arena *a, struct slice s)
{
    uint8_t *out = arena_alloc(a, s.n + 1);

    for (size_t i = 0; i < s.n; i++)
        out[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (uint8_t)(s.p[i] + 32) : s.p[i];
    return slice_of(out, s.n);
}

static void add_dns(struct arena *a, struct name_set *s, struct slice name)
{
    name = lower(a, name);
    for (size_t i = 0; i < s->n_dns; i++) {
        if (slice_eq(s->dns[i], name))
            return;
    }
    if (name.n > 0)
        s->dns[s->n_dns++] = name;
}

static void add_ip(struct name_set *s, const struct ip *ip)
{
    for (size_t i = 0; i < s->n_ips; i++) {
        if (ip_eq(&s->ips[i], ip))
            return;
    }
    s->ips[s->n_ips++] = *ip;
}

static int compare_dns(const void *x, const void *y)
{
    return slice_cmp(*(const struct slice *)x, *(const struct slice *)y);
}

static int compare_ip(const void *x, const void *y)
{
    const struct ip *a = x, *b = y;

    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    return memcmp(a->bytes, b->bytes, a->n);
}

static struct name_set set_new(struct arena *a, size_t room)
{
    return (struct name_set){.dns = arena_array(a, room + 1, sizeof(struct slice)),
                             .ips = arena_array(a, room + 1, sizeof(struct ip))};
}

static void set_sort(struct name_set *s)
{
    qsort(s->dns, s->n_dns, sizeof(*s->dns), compare_dns);
    qsort(s->ips, s->n_ips, sizeof(*s->ips), compare_ip);
}

static bool sets_equal(const struct name_set *x, const struct name_set *y)
{
    if (x->n_dns != y->n_dns || x->n_ips != y->n_ips)
        return false;
    for (size_t i = 0; i < x->n_dns; i++) {
        if (!slice_eq(x->dns[i], y->dns[i]))
            return false;
    }
    for (size_t i = 0; i < x->n_ips; i++) {
        if (!ip_eq(&x->ips[i], &y->ips[i]))
            return false;
    }
    return true;
}

/* Common name and SANs of the request; false: kinds of names that no order can hold. */
static bool names_of_request(struct arena *a, const struct csr *csr, struct name_set *s)
{
    struct slice cn = dn_common_name(&csr->subject);
    struct ip ip;

    *s = set_new(a, csr->sans.n + 1);
    if (cn.n > 0 && ip_read(cn, &ip))
        add_ip(s, &ip);
    else if (cn.n > 0)
        add_dns(a, s, cn);
    for (size_t i = 0; i < csr->sans.n; i++) {
        const struct san *name = &csr->sans.v[i];
        if (name->kind == SAN_DNS)
            add_dns(a, s, name->text);
        else if (name->kind == SAN_IP)
            add_ip(s, &name->ip);
        else
            return false;
    }
    set_sort(s);
    return true;
}

static const struct acme_identifier *device_of(const struct acme_order *o)
{
    const struct acme_identifier *ids = o->identifiers.v;

    for (size_t i = 0; i < o->identifiers.n; i++) {
        if (slice_is(ids[i].type, "permanent-identifier"))
            return &ids[i];
    }
    return NULL;
}

static struct name_set names_of_order(struct arena *a, const struct acme_order *o)
{
    const struct acme_identifier *ids = o->identifiers.v;
    struct name_set s = set_new(a, o->identifiers.n);
    struct ip ip;

    for (size_t i = 0; i < o->identifiers.n; i++) {
        if (slice_is(ids[i].type, "dns"))
            add_dns(a, &s, ids[i].value);
        else if (slice_is(ids[i].type, "ip") && ip_read(ids[i].value, &ip))
            add_ip(&s, &ip);
    }
    set_sort(&s);
    return s;
}

static void sans_of_set(struct arena *a, const struct name_set *s, struct sans *out)
{
    out->v = arena_array(a, s->n_dns + s->n_ips, sizeof(*out->v));
    for (size_t i = 0; i < s->n_dns; i++)
        out->v[out->n++] = (struct san){.kind = SAN_DNS, .text = s->dns[i]};
    for (size_t i = 0; i < s->n_ips; i++)
        out->v[out->n++] =
            (struct san){.kind = SAN_IP, .ip = s->ips[i], .text = ip_text(a, &s->ips[i])};
}

/* otherName 1.3.6.1.5.5.7.8.3 PermanentIdentifier (RFC 4043 2). */
static void device_san(struct arena *a, struct slice value, struct sans *out)
{
    static const uint8_t OID[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x03};
    static const struct oid PERMANENT = {OID, sizeof(OID)};
    struct buf b = buf_new(a, 1024);
    size_t name, explicit, sequence;

    der_open(&b, DER_CONTEXT_CONSTRUCTED(0), &name);
    der_oid(&b, &PERMANENT);
    der_open(&b, DER_CONTEXT_CONSTRUCTED(0), &explicit);
    der_open(&b, DER_SEQUENCE, &sequence);
    der_put(&b, DER_UTF8_STRING, value);
    der_close(&b, sequence);
    der_close(&b, explicit);
    der_close(&b, name);
    out->v = arena_alloc(a, sizeof(*out->v));
    out->v[0] = (struct san){.kind = SAN_OTHER, .text = buf_slice(&b)};
    out->n = 1;
}

/* --- Checks
 * -------------------------------------------------------------------------------------------- */

static bool read_csr(struct request *r, struct csr **csr)
{
    struct err *e = &r->work.err;
    const struct json *v;
    struct slice text, der;

    if (!acme_payload(r, &v))
        return false;
    text = json_text(json_get(v, "csr"));
    while (text.n > 0 && text.p[text.n - 1] == '=')
        text.n--; /* some clients pad */
    if (text.n == 0 || !base64_read(r->work.arena, BASE64_URL_RAW, text, &der))
        return acme_error(r, ERR_MALFORMED, "malformed", "csr is missing or not base64url");
    if (csr_read(r->work.arena, der, csr, e) && csr_verify(*csr, e))
        return true;
    err_classify(e, ERR_MALFORMED);
    return err_wrap(e, "csr");
}

static bool check_key(struct request *r, const struct csr *csr)
{
    struct err why = {0};

    if (!csr->key)
        return acme_error(r, ERR_MALFORMED, "badPublicKey", "csr: %s", csr->key_error.text);
    if (!key_check_strength(csr->key, 2048, &why))
        return acme_error(r, ERR_MALFORMED, "badPublicKey", "csr: %s", why.text);
    if (key_eq(csr->key, acme_of(r)->account_key))
        return acme_error(r, ERR_MALFORMED, "badCSR",
                          "the request's key is the account's (RFC 8555 11.1)");
    return true;
}

/* A device's certificate is for the key that was attested. */
static bool check_attested(struct request *r, const struct csr *csr, const struct acme_order *o,
                           const struct acme_authz *authzs)
{
    uint8_t sum[DIGEST_MAX];

    for (size_t i = 0; i < o->authorizations.n; i++) {
        if (authzs[i].fingerprint.n == 0)
            continue;
        digest_of(DIGEST_SHA256, csr->key->point, sum);
        struct slice own =
            arena_format(r->work.arena, "SHA256:%.*s",
                         SLICE_ARG(base64_text(r->work.arena, BASE64_STD,
                                               slice_of(sum, digest_size(DIGEST_SHA256)))));
        if (secret_equal(own, authzs[i].fingerprint))
            return true;
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "the request's key is not the attested key");
    }
    return true;
}

static bool grant_names(struct request *r, const struct csr *csr, const struct acme_order *o,
                        struct grant *g)
{
    struct slice cn = dn_common_name(&csr->subject);
    const struct acme_identifier *device = device_of(o);
    struct arena *a = r->work.arena;

    g->x509.subject.common_name = cn;
    if (device) {
        if (cn.n > 0 && !slice_eq(cn, device->value))
            return acme_error(r, ERR_MALFORMED, "badCSR",
                              "the common name is not the permanent identifier");
        device_san(a, device->value, &g->x509.sans);
        g->x509.device = device->value;
        g->x509.fallback = LEAF_ATTESTED;
        return true;
    }
    struct name_set asked, ordered = names_of_order(a, o);
    if (!names_of_request(a, csr, &asked) || !sets_equal(&asked, &ordered))
        return acme_error(r, ERR_MALFORMED, "badCSR",
                          "the names of the request are not those of the order (RFC 8555 7.4)");
    sans_of_set(a, &ordered, &g->x509.sans);
    return true;
}

/* --- Issuing
 * ------------------------------------------------------------------------------------------- */

static bool record_certificate(struct request *r, struct acme_order *o,
                               const struct issued_cert *issued)
{
    struct work *w = &r->work;
    struct acme_cert c = {.id = acme_row_id(w),
                          .created = w->services->clock->now(w->services->clock),
                          .account = o->account,
                          .order = o->id,
                          .leaf = cert_pem(w->arena, issued->der),
                          .intermediates = w->authority->core->intermediates_pem};
    struct buf index = buf_new(w->arena, 512);
    struct json_writer j = json_writer(&index);

    json_open(&j, NULL);
    json_member_text(&j, "serial", issued->serial);
    json_member_text(&j, "certificateID", c.id);
    json_close(&j);
    batch_put(&w->batch, TABLE_ACME_CERTS, c.id, acme_record(w->arena, &ACME_CERT_SHAPE, &c));
    batch_expires(&w->batch, issued->not_after.sec + ACME_KEEP_ISSUED);
    batch_put(&w->batch, TABLE_ACME_SERIAL_CERTS_INDEX, issued->serial, buf_slice(&index));
    batch_expires(&w->batch, issued->not_after.sec + ACME_KEEP_ISSUED);
    o->status = SLICE("valid");
    o->certificate = c.id;
    batch_swap(&w->batch, TABLE_ACME_ORDERS, o->id, o->raw,
               acme_record(w->arena, &ACME_ORDER_SHAPE, o));
    batch_expires(&w->batch, issued->not_after.sec + ACME_KEEP_ISSUED);
    return true;
}

/* A deactivation or a rollover that was answered meanwhile counts: the account is as it was when
 * the request was let in, or is looked at anew when that made the batch fail. */
static bool find_account(struct request *r, const struct acme_account **account)
{
    struct acme_account *again;

    *account = acme_of(r)->account;
    if (!r->state) {
        r->state = r->who; /* not the first run any more */
        return true;
    }
    if (!acme_account_again(r, &again))
        return false;
    *account = again;
    return true;
}

static void expect_account(struct request *r, const struct acme_account *account)
{
    static const struct refusal CHANGED = {ERR_UNAUTHORIZED, "unauthorized",
                                           "the account was changed meanwhile"};
    struct work *w = &r->work;

    batch_swap(&w->batch, TABLE_ACME_ACCOUNTS, account->id, account->raw, account->raw);
    if (w->committed) /* a webhook was asked: there is no second run */
        w->batch.last->refusal = &CHANGED;
}

/* A webhook's refusal in ACME's words: what it said becomes a sub-problem of a type of its own. */
static bool refused_by_webhook(struct request *r)
{
    const struct err_note *note = r->work.err.notes;
    const char *code = r->work.err.code;

    if (!code || (strcmp(code, WEBHOOK_DENIED) != 0 && strcmp(code, WEBHOOK_FAILED) != 0))
        return false;
    if (strcmp(code, WEBHOOK_FAILED) == 0)
        return acme_error(r, ERR_INTERNAL, NULL, "a webhook failed");
    struct slice text = arena_copy(r->work.arena, slice_text(r->work.err.text));
    acme_error(r, ERR_UNAUTHORIZED, "unauthorized", "%.*s", SLICE_ARG(text));
    if (note && slice_starts(note->name, WEBHOOK_NOTE))
        acme_error_foreign(r, slice_from(note->name, sizeof(WEBHOOK_NOTE) - 1), note->text);
    return false;
}

static bool issue(struct request *r, const struct csr *csr, struct acme_order *o,
                  const struct acme_authz *authzs)
{
    struct acme_request *q = acme_of(r);
    struct validity_wish wish = {.not_before = {.set = true, .at = o->not_before},
                                 .not_after = {.set = true, .at = o->not_after}};
    struct grant *g = arena_alloc(r->work.arena, sizeof(*g));
    const struct acme_account *account;
    struct issued_cert issued;

    acme_grant(q->provisioner, g);
    if (!acme_order_may_begin(r, o) || !check_key(r, csr) || !check_attested(r, csr, o, authzs) ||
        !grant_names(r, csr, o, g) || !find_account(r, &account))
        return false;
    if (!sign_x509(&r->work, g, csr, &wish, NULL, &issued))
        return refused_by_webhook(r);
    log_issued(&r->work, &issued);
    expect_account(r, account);
    return record_certificate(r, o, &issued);
}

static bool check_ready(struct request *r, const struct acme_order *o)
{
    if (slice_is(o->status, "ready") || slice_is(o->status, "valid"))
        return true;
    return acme_error(r, ERR_FORBIDDEN, "orderNotReady", "the order is %.*s, not ready",
                      SLICE_ARG(o->status));
}

enum outcome acme_act_finalize(struct request *r)
{
    struct buf b = buf_new(r->work.arena, 1u << 20);
    struct acme_order *o;
    struct acme_authz *authzs;
    struct csr *csr;

    if (!read_csr(r, &csr) || !acme_order_own(r, &o, &authzs) || !check_ready(r, o))
        return ACT_FAILED;
    if (slice_is(o->status, "ready")) {
        /* acme_order_load may have put the change to "ready" into the batch: one swap will do. */
        batch_drop_unkept(&r->work.batch);
        r->counted = true;
        r->metric = METRIC_SIGNED;
        r->metric_provisioner = acme_of(r)->provisioner->name;
        if (!issue(r, csr, o, authzs))
            return ACT_FAILED;
    }
    acme_put_order(r, o, SLICE_NONE, &b);
    acme_location(r, acme_link(r, "/order/%.*s", SLICE_ARG(o->id)));
    acme_respond(r, 200, buf_slice(&b));
    return ACT_DONE;
}

/* --- Download
 * ------------------------------------------------------------------------------------------ */

static bool load_own(struct request *r, struct acme_cert *c)
{
    bool found;

    if (!acme_post_as_get(r) ||
        !ACME_LOAD(&r->work, TABLE_ACME_CERTS, ACME_CERT_SHAPE, r->args[1], c, &found))
        return false;
    if (!found)
        return acme_error(r, ERR_MALFORMED, "malformed", "there is no certificate \"%.*s\"",
                          SLICE_ARG(slice_sub(r->args[1], 0, 64)));
    if (!slice_eq(c->account, acme_of(r)->account->id))
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "the certificate belongs to another account");
    return true;
}

static bool wants_der(const struct request *r)
{
    return slice_is(http_fields_get(&r->x->in.fields, "Accept"), "application/pkix-cert");
}

enum outcome acme_act_certificate(struct request *r)
{
    struct buf b = buf_new(r->work.arena, 4u << 20);
    struct acme_cert c;
    struct pem block;

    if (!load_own(r, &c))
        return ACT_FAILED;
    struct slice rest = c.leaf;
    if (wants_der(r) && pem_next(r->work.arena, &rest, &block, NULL)) {
        respond_bytes(r, 200, "application/pkix-cert", block.der);
    } else {
        buf_put(&b, c.leaf);
        buf_put(&b, c.intermediates);
        respond_bytes(r, 200, "application/pem-certificate-chain", buf_slice(&b));
    }
    acme_headers(r);
    return ACT_DONE;
}
