/* Who may have a certificate renewed: by mTLS, or by a renew token after (or before) its end. */
#include "authority/revocations.h"
#include "crypto/digest.h"
#include "x509/chain.h"

#define RENEW_LEEWAY  60
#define CLIENT_ISSUER "step-ca-client/1.0"

static const struct refusal RENEW_TOKEN_USED = {ERR_UNAUTHORIZED, "tokenUsed",
                                                "the renew token was already used"};

bool cert_provisioner(struct arena *a, const struct cert *c, struct provisioner_extension *p,
                      bool *present)
{
    const struct extension *x = extensions_get(&c->extensions, &OID_EXT_PROVISIONER);

    *present = x != NULL;
    return x && provisioner_extension_read(a, x->value, p, NULL);
}

/* By the record's provisioner id, else by the extension's name. */
static bool find_provisioner(struct work *w, struct slice serial, struct renewal *r)
{
    const struct registry *registry = w->authority->registry;
    struct provisioner_extension x;
    bool present;

    if (services_durable(w->services)) {
        if (!store_get(w->services->store, TABLE_X509_CERTS_DATA, serial, w->arena, &r->data,
                       w->deadline, &w->err))
            return err_wrap(&w->err, "looking up certificate %.*s", SLICE_ARG(serial));
        const struct json *data =
            r->data.n > 0 ? json_read(w->arena, r->data, &JSON_RECORD, NULL, NULL) : NULL;
        r->by = registry_by_id(registry, json_text(json_get(json_get(data, "provisioner"), "id")));
        if (r->by)
            return true;
    }
    bool readable = cert_provisioner(w->arena, r->cert, &x, &present);
    if (!present)
        return true;
    if (readable)
        r->by = registry_by_name(registry, x.name);
    if (!r->by)
        return err_set(&w->err, ERR_UNAUTHORIZED,
                       "the provisioner of certificate %.*s is not configured any more",
                       SLICE_ARG(serial));
    return true;
}

static bool refuse_aloud(struct work *w)
{
    w->err.tell = true;
    return false;
}

static bool check_claims(struct work *w, const struct renewal *r)
{
    const struct claims *claims = r->by ? &r->by->claims : &w->authority->core->claims;
    struct instant now = w->services->clock->now(w->services->clock);
    const struct cert *c = r->cert;

    if (r->by && r->by->trouble) {
        err_set(&w->err, ERR_UNAUTHORIZED,
                "provisioner \"%.*s\" is disabled because of an initialization error",
                SLICE_ARG(r->by->name));
        return refuse_aloud(w);
    }
    if (claims->disable_renewal)
        return err_set(&w->err, ERR_UNAUTHORIZED, "renewal is disabled%s%.*s",
                       r->by ? " for provisioner " : "",
                       SLICE_ARG(r->by ? r->by->name : SLICE("")));
    if (instant_cmp(now, c->not_before) < 0) {
        err_set(&w->err, ERR_UNAUTHORIZED, "the certificate is not valid before %.*s",
                SLICE_ARG(rfc3339(w->arena, c->not_before)));
        return false;
    }
    if (instant_cmp(now, c->not_after) > 0 && !claims->allow_renewal_after_expiry) {
        err_set(&w->err, ERR_UNAUTHORIZED, "the certificate expired on %.*s",
                SLICE_ARG(rfc3339(w->arena, c->not_after)));
        return refuse_aloud(w);
    }
    return true;
}

bool authorize_renewal(struct work *w, struct cert *cert, struct renewal *r)
{
    struct slice serial = serial_decimal(w->arena, cert->serial);

    *r = (struct renewal){.cert = cert};
    log_put_text(&w->log, "serial", serial);
    if (cert->has_basic && cert->basic.ca)
        return err_set(&w->err, ERR_UNAUTHORIZED, "a CA certificate cannot be renewed here");
    return revocation_none(w, false, serial) && find_provisioner(w, serial, r) &&
           check_claims(w, r);
}

/* Leaf first; the leaf's chain is judged one minute before its end, so that an expired leaf
 * passes when its issuer was good then. */
static bool read_chain(struct work *w, const struct token *t, struct cert **leaf)
{
    struct chain_rules rules = {.anchors = w->authority->core->roots, .use = CHAIN_CLIENT};
    struct err *e = &w->err;
    struct slice *ders;
    size_t n;

    *leaf = NULL;
    if (!token_chain(w->arena, t->jws.header, "x5cInsecure", &ders, &n, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct cert *c;
        if (!cert_read(w->arena, ders[i], &c, e))
            return err_wrap(e, "header x5cInsecure: certificate %zu", i + 1);
        if (i == 0)
            *leaf = c;
        else
            cert_list_add(w->arena, &rules.intermediates, c);
    }
    if (!*leaf)
        return err_set(e, ERR_UNAUTHORIZED, "header x5cInsecure: no certificate");
    rules.at = instant_add((*leaf)->not_after, -60 * NS_PER_SEC);
    if (instant_cmp(rules.at, (*leaf)->not_before) < 0)
        rules.at = (*leaf)->not_before; /* a life of less than a minute */
    if (!chain_verify(w->arena, *leaf, &rules, NULL, e))
        return false;
    if (!(*leaf)->has_key_usage || !((*leaf)->key_usage & KU_DIGITAL_SIGNATURE))
        return err_set(e, ERR_UNAUTHORIZED, "the certificate lacks the key usage digitalSignature");
    if (!(*leaf)->key)
        return err_set(e, ERR_UNAUTHORIZED, "the certificate's key is of no supported type");
    return true;
}

static bool issued_through_ra(struct work *w, const struct renewal *r)
{
    const struct json *data =
        r->data.n > 0 ? json_read(w->arena, r->data, &JSON_RECORD, NULL, NULL) : NULL;

    return json_get(data, "ra") != NULL;
}

static bool check_claims_of_token(struct work *w, const struct token *t, const struct renewal *r)
{
    struct instant now = w->services->clock->now(w->services->clock);
    struct slice cn = dn_common_name(&r->cert->subject);
    struct err *e = &w->err;

    if (!slice_eq(t->sub, cn))
        return err_set(e, ERR_UNAUTHORIZED,
                       "subject \"%.*s\" is not the certificate's common name \"%.*s\"",
                       SLICE_ARG(t->sub), SLICE_ARG(cn));
    if (!token_times(t, now, RENEW_LEEWAY, e))
        return false;
    if (!issued_through_ra(w, r) &&
        !audience_match(w->arena, t->aud, t->n_aud,
                        &w->authority->core->audiences.by_method[METHOD_RENEW], SLICE_NONE))
        return err_set(e, ERR_UNAUTHORIZED, "audience is not this CA's for renewal");
    if (!slice_is(t->iss, CLIENT_ISSUER) && !slice_eq(t->iss, r->by->name))
        return err_set(e, ERR_UNAUTHORIZED, "issuer \"%.*s\" is not allowed", SLICE_ARG(t->iss));
    return true;
}

static bool check_renew_token(struct work *w, struct slice text, struct token *t, struct renewal *r)
{
    struct cert *leaf;

    if (!token_read(w->arena, text, t, &w->err) || !read_chain(w, t, &leaf) ||
        !jws_verify(&t->jws, leaf->key, &w->err) || !authorize_renewal(w, leaf, r))
        return false;
    if (!r->by)
        return err_set(&w->err, ERR_UNAUTHORIZED, "the certificate names no provisioner");
    return check_claims_of_token(w, t, r);
}

bool authorize_renew_token(struct work *w, struct slice text, struct renewal *r)
{
    struct token *t = arena_alloc(w->arena, sizeof(*t));

    if (!check_renew_token(w, text, t, r)) {
        bool aloud = w->err.tell;
        err_classify(&w->err, ERR_UNAUTHORIZED);
        err_wrap(&w->err, "renew token");
        w->err.tell = aloud;
        return false;
    }
    token_spend(w, t, token_identity(w->arena, t), &RENEW_TOKEN_USED);
    return true;
}
