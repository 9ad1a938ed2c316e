/*
 * The CA without a server: configuration, store and keys are opened for one request.
 *
 * What TLS proves to the server (that who asks holds the key of a certificate under our roots) is
 * proven here by the files: the chain is verified as the server would, and the key was matched to
 * the certificate when it was loaded.
 */
#include "cli/ca_offline.h"

#include "base/file.h"
#include "base/version.h"
#include "crypto/secret.h"
#include "x509/chain.h"

#define OFFLINE_TIME (60 * NS_PER_SEC)

/* --- Opening --------------------------------------------------------------------------------- */

static void warn(void *arg, const char *text)
{
    note(arg, "%s", text);
}

static const char *config_path(struct invocation *inv)
{
    const char *given = ca_cmd_text(inv, "ca-config");

    return given ? given : path_join(inv->arena, inv->steppath.path, "config/ca.json");
}

static bool open_store(struct ca_offline *o, const struct config *c)
{
    struct invocation *inv = o->inv;

    if (!c->db) {
        o->services.store = store_memory_open(false, inv->clock);
        return true;
    }
    o->services.store = db_open_beside(c, inv->clock, &inv->err);
    return o->services.store != NULL;
}

/* The arena is the core's from here on. */
static bool build(struct ca_offline *o, struct arena *a, const struct config *c)
{
    struct invocation *inv = o->inv;
    struct core_passwords passwords = {
        .prompt = terminal_password_source(inv->arena, inv->terminal, SLICE_NONE,
                                           arena_printf(inv->arena, "--%s", o->password_flag), 1)};
    struct core *core;
    struct registry *registry;

    if (ca_cmd_text(inv, o->password_flag) &&
        !password_flag(inv, o->password_flag, &passwords.ca, &inv->err)) {
        arena_free(a);
        return false;
    }
    core = core_build(&o->services, a, arena_new(&HEAP_SECRET), c, &passwords, &inv->err);
    if (!core)
        return false;
    registry = registry_build(&o->services, core, &inv->err);
    if (!registry) {
        ref_drop(&core->ref);
        return false;
    }
    authority_publish(&o->services, core, registry);
    o->authority = authority_take(&o->services);
    return true;
}

bool ca_offline_open(struct invocation *inv, struct ca_offline *o)
{
    return ca_offline_open_by(inv, "password-file", o);
}

bool ca_offline_open_by(struct invocation *inv, const char *password_flag, struct ca_offline *o)
{
    struct arena *a = arena_new(&HEAP_SECRET);
    struct config *c;

    *o = (struct ca_offline){.inv = inv, .password_flag = password_flag, .open = true};
    services_init(&o->services, inv->clock, inv->rng);
    o->services.sp = &inv->steppath;
    o->services.http = http_client_new(version_line(inv->arena, "Newel CLI")); /* webhooks */
    if (!config_load(a, config_path(inv), &c, warn, inv, &inv->err) ||
        !config_validate(a, c, warn, inv, &inv->err) || !open_store(o, c)) {
        arena_free(a);
        ca_offline_close(o);
        return false;
    }
    if (build(o, a, c))
        return true;
    ca_offline_close(o);
    return false;
}

void ca_offline_close(struct ca_offline *o)
{
    if (!o->open)
        return;
    o->open = false;
    if (o->authority)
        authority_drop(o->authority);
    if (o->services.store)
        store_close(o->services.store);
    http_client_free(o->services.http);
    services_end(&o->services);
}

struct slice ca_offline_url(const struct ca_offline *o)
{
    return arena_format(o->inv->arena, "https://%.*s", SLICE_ARG(o->authority->core->dns_primary));
}

/* --- One request -------------------------------------------------------------------------------
 */

void ca_offline_begin(struct ca_offline *o, struct work *w)
{
    work_init(w, &o->services, o->authority, o->inv->arena,
              deadline_in(o->inv->clock, OFFLINE_TIME));
}

bool ca_offline_failed(const struct work *w, struct err *e)
{
    if (e)
        err_move(e, &w->err);
    return false;
}

/* What was decided is stored before anybody sees it. */
static bool hand_over(struct ca_offline *o, struct work *w, const struct issued_cert *issued,
                      struct cert_list *chain, struct err *e)
{
    const struct cert_list *ours = &o->authority->core->intermediates;
    struct cert *leaf;

    if (!work_commit(w))
        return ca_offline_failed(w, e);
    if (!cert_read(o->inv->arena, issued->der, &leaf, e))
        return false;
    *chain = (struct cert_list){0};
    cert_list_add(o->inv->arena, chain, leaf);
    for (size_t i = 0; i < ours->n; i++) {
        struct cert *copy; /* the core goes away before the chain is written */
        if (!cert_read(o->inv->arena, ours->v[i]->der, &copy, e))
            return false;
        cert_list_add(o->inv->arena, chain, copy);
    }
    return true;
}

bool ca_offline_give_up(struct work *w, struct err *e)
{
    struct err why;

    err_move(&why, &w->err);
    batch_drop_unkept(&w->batch);
    (void)!work_commit(w);
    if (e)
        err_move(e, &why);
    return false;
}

bool ca_offline_sign(struct ca_offline *o, const struct ca_sign_wish *wish, struct cert_list *chain,
                     struct err *e)
{
    struct validity_wish validity = {0};
    struct issued_cert issued;
    struct grant *grant;
    struct csr *csr;
    const struct json *user = NULL;
    struct work w;

    ca_offline_begin(o, &w);
    if (wish->template_data.n > 0) {
        user = json_read(w.arena, wish->template_data, &JSON_API, NULL, e);
        if (!user)
            return false;
    }
    if (!time_or_duration_read(wish->not_before, &validity.not_before, e) ||
        !time_or_duration_read(wish->not_after, &validity.not_after, e) ||
        !csr_read_text(w.arena, wish->csr_pem, "request", true, &csr, e) || !csr_verify(csr, e))
        return false;
    if (!authorize_token(&w, wish->ott, METHOD_SIGN, &grant))
        return ca_offline_failed(&w, e);
    if (!sign_x509(&w, grant, csr, &validity, user, &issued))
        return ca_offline_give_up(&w, e);
    return hand_over(o, &w, &issued, chain, e);
}

/* As the TLS handshake would: under our roots, valid now, good for a client. */
static bool show_certificate(struct ca_offline *o, const struct ca_held *held, struct err *e)
{
    struct chain_rules rules = {.anchors = o->authority->core->roots,
                                .at = o->inv->clock->now(o->inv->clock),
                                .use = CHAIN_CLIENT};
    const struct cert_list *ours = &o->authority->core->intermediates;

    for (size_t i = 1; i < held->chain.n; i++)
        cert_list_add(o->inv->arena, &rules.intermediates, held->chain.v[i]);
    for (size_t i = 0; i < ours->n; i++)
        cert_list_add(o->inv->arena, &rules.intermediates, ours->v[i]);
    return chain_verify(o->inv->arena, held->chain.v[0], &rules, NULL, e);
}

static bool authorize(struct ca_offline *o, struct work *w, const struct ca_held *held,
                      bool by_token, struct renewal *renewal)
{
    struct invocation *inv = o->inv;
    struct slice token;

    if (!by_token)
        return show_certificate(o, held, &w->err) &&
               authorize_renewal(w, held->chain.v[0], renewal);
    return renew_token_make(
               inv->arena, token_audience(inv->arena, ca_offline_url(o), TOKEN_RENEW, SLICE_NONE),
               &held->chain, held->key, inv->clock->now(inv->clock), inv->rng, &token, &w->err) &&
           authorize_renew_token(w, token, renewal);
}

bool ca_offline_renew(struct ca_offline *o, const struct ca_held *held, const struct key *key,
                      bool by_token, struct cert_list *chain, struct err *e)
{
    struct renewal renewal = {0};
    struct issued_cert issued;
    struct work w;

    ca_offline_begin(o, &w);
    if (!authorize(o, &w, held, by_token, &renewal))
        return ca_offline_failed(&w, e);
    if (!renew_x509(&w, &renewal, key, &issued))
        return ca_offline_give_up(&w, e);
    return hand_over(o, &w, &issued, chain, e);
}

static bool authorize_revocation(struct ca_offline *o, struct work *w,
                                 const struct ca_revoke_wish *wish, const struct ca_held *held,
                                 struct revocation *r)
{
    struct grant *grant;

    if (wish->reason_code == 7 || wish->reason_code == 8)
        return err_set(&w->err, ERR_MALFORMED,
                       "reasonCode %d has no place in a complete CRL (RFC 5280 5.3.1)",
                       wish->reason_code);
    if (held) {
        r->cert = held->chain.v[0];
        return show_certificate(o, held, &w->err);
    }
    if (!authorize_token(w, wish->ott, METHOD_REVOKE, &grant))
        return false;
    r->grant = grant;
    return slice_eq(grant->subject, wish->serial) ||
           err_set(&w->err, ERR_FORBIDDEN,
                   "the token's subject '%.*s' is not the serial number %.*s",
                   SLICE_ARG(grant->subject), SLICE_ARG(wish->serial));
}

bool ca_offline_revoke(struct ca_offline *o, const struct ca_revoke_wish *wish,
                       const struct ca_held *held, struct err *e)
{
    const struct crl_settings *crl = &o->authority->core->crl;
    struct revocation r = {
        .serial = wish->serial, .reason_code = wish->reason_code, .reason = wish->reason};
    struct work w;

    ca_offline_begin(o, &w);
    if (!authorize_revocation(o, &w, wish, held, &r))
        return ca_offline_failed(&w, e);
    if (!revoke_x509(&w, &r))
        return ca_offline_give_up(&w, e);
    if (!work_commit(&w))
        return ca_offline_failed(&w, e);
    if (!crl->enabled || !crl->generate_on_revoke || crl_generate(&w))
        return true;
    err_wrap(&w.err, "the certificate is revoked, but the CRL could not be made");
    return ca_offline_failed(&w, e);
}
