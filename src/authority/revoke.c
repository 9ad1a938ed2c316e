/* Revocation: passive (no renewal any more), and in the CRL where there is one. */
#include "authority/revocations.h"

#define AT(member) offsetof(struct revocation_record, member)
static const struct field FIELDS[] = {
    {"Serial", FIELD_TEXT, AT(serial), 0, NULL},
    {"ProvisionerID", FIELD_TEXT, AT(provisioner), 0, NULL},
    {"ReasonCode", FIELD_INT, AT(code), 0, NULL},
    {"Reason", FIELD_TEXT, AT(reason), 0, NULL},
    {"RevokedAt", FIELD_TIME_NANO, AT(at), 0, NULL},
    {"ExpiresAt", FIELD_TIME, AT(expires), 0, NULL},
    {"TokenID", FIELD_TEXT, AT(token), 0, NULL},
    {"MTLS", FIELD_BOOL, AT(mtls), 0, NULL},
    {"ACME", FIELD_BOOL, AT(acme), 0, NULL},
};
#undef AT
static const struct shape REVOCATION_SHAPE = {"revocation", sizeof(struct revocation_record),
                                              FIELDS, COUNT_OF(FIELDS), false};

static const struct refusal ALREADY_REVOKED = {ERR_MALFORMED, "alreadyRevoked",
                                               "the certificate was already revoked"};

/* notAfter of a certificate that we know; the zero time else. */
static bool known_end(struct work *w, const struct revocation *r, struct instant *end)
{
    struct slice der;
    struct cert *c = r->cert;

    *end = INSTANT_ZERO_GO;
    if (!c) {
        if (!store_get(w->services->store, TABLE_X509_CERTS, r->serial, w->arena, &der, w->deadline,
                       &w->err))
            return err_wrap(&w->err, "looking up certificate %.*s", SLICE_ARG(r->serial));
        if (der.n == 0 || !cert_read(w->arena, der, &c, NULL))
            return true;
    }
    *end = c->not_after;
    return true;
}

static struct slice provisioner_id(struct work *w, const struct revocation *r)
{
    struct provisioner_extension x;
    bool present;

    if (r->grant)
        return r->grant->by->id;
    if (!cert_provisioner(w->arena, r->cert, &x, &present))
        return SLICE("");
    const struct provisioner *p = registry_by_name(w->authority->registry, x.name);
    return p ? p->id : SLICE("");
}

struct slice revocation_token(const struct grant *g)
{
    return g && g->token->jti.n > 0 ? g->use_key : SLICE("");
}

bool revocation_put(struct work *w, bool ssh, const struct revocation_record *record)
{
    struct revoked *row = arena_alloc(w->arena, sizeof(*row));
    struct buf b = buf_new(w->arena, 2u << 20);

    shape_write(&REVOCATION_SHAPE, record, &b);
    if (!buf_done(&b, "revocation record", &w->err))
        return false;
    *row = (struct revoked){.ssh = ssh,
                            .serial = record->serial,
                            .record = buf_slice(&b),
                            .at = record->at.sec,
                            .reason_code = (int)record->code,
                            .reason = record->reason};
    batch_revoke(&w->batch, row, &ALREADY_REVOKED);
    return true;
}

static enum table revocations(bool ssh)
{
    return ssh ? TABLE_REVOKED_SSH_CERTS : TABLE_REVOKED_X509_CERTS;
}

static const char *certificate_name(struct arena *a, bool ssh, struct slice serial)
{
    return arena_printf(a, "%scertificate %.*s", ssh ? "SSH " : "", SLICE_ARG(serial));
}

bool revocation_none(struct work *w, bool ssh, struct slice serial)
{
    const char *name = certificate_name(w->arena, ssh, serial);
    struct slice value;

    if (!services_durable(w->services))
        return true;
    if (!store_get(w->services->store, revocations(ssh), serial, w->arena, &value, w->deadline,
                   &w->err))
        return err_wrap(&w->err, "checking whether %s is revoked", name);
    return !value.p || err_set(&w->err, ERR_UNAUTHORIZED, "%s is revoked", name);
}

void revocation_none_at_commit(struct work *w, bool ssh, struct slice serial)
{
    struct refusal *refusal = arena_alloc(w->arena, sizeof(*refusal));
    const char *name = certificate_name(w->arena, ssh, serial);

    if (!services_durable(w->services))
        return;
    *refusal =
        (struct refusal){ERR_UNAUTHORIZED, NULL, arena_printf(w->arena, "%s is revoked", name)};
    batch_absent(&w->batch, revocations(ssh), serial, refusal);
}

bool revoke_x509(struct work *w, const struct revocation *r)
{
    struct revocation_record record = {
        .serial = r->serial,
        .code = r->reason_code,
        .reason = r->reason,
        .at = w->services->clock->now(w->services->clock),
        .mtls = r->cert != NULL && !r->acme,
        .acme = r->acme,
    };

    if (!services_durable(w->services))
        return err_set(&w->err, ERR_NOT_IMPLEMENTED, "revocation needs a database: configure db");
    if (!known_end(w, r, &record.expires))
        return false;
    record.provisioner = provisioner_id(w, r);
    record.token = revocation_token(r->grant);
    return revocation_put(w, false, &record);
}

bool revocation_read(struct arena *a, struct slice text, struct revocation_entry *out)
{
    struct revocation_record record = {0};
    const struct json *v = json_read(a, text, &JSON_RECORD, NULL, NULL);

    if (!v || v->kind != JSON_OBJECT || !shape_read(&REVOCATION_SHAPE, v, &record, a, NULL))
        return false;
    *out = (struct revocation_entry){record.code, record.at, record.expires};
    return true;
}
