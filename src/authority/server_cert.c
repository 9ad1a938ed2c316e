/*
 * The server's own certificate: a fresh P-256 key that never leaves memory, signed by the CA's
 * own issuer, put into the TLS slot; and when it is due again.
 */
#include "authority/work.h"
#include "base/log.h"
#include "crypto/secret.h"
#include "x509/chain.h"

#define LIFETIME (24 * 3600 * NS_PER_SEC)
#define BACKDATE (60 * NS_PER_SEC)

static bool sign_own(struct services *s, const struct core *core, struct arena *a,
                     const struct key *key, struct x509_leaf *leaf, struct slice *der,
                     struct err *e)
{
    static const struct oid *const USES[] = {&OID_EKU_SERVER, &OID_EKU_CLIENT};
    struct slice uses[COUNT_OF(USES)];
    struct buf b = buf_new(a, CERT_MAX);
    struct instant now = s->clock->now(s->clock);

    for (size_t i = 0; i < COUNT_OF(USES); i++)
        uses[i] = slice_of(USES[i]->p, USES[i]->n);
    leaf->subject.common_name = core->config->common_name;
    leaf->sans = core->own_names;
    leaf->key = key;
    leaf->key_usage = KU_DIGITAL_SIGNATURE;
    leaf->eku = uses;
    leaf->n_eku = COUNT_OF(USES);
    leaf->not_before = instant_truncate(instant_add(now, -BACKDATE));
    leaf->not_after = instant_truncate(instant_add(now, LIFETIME));
    if (instant_cmp(leaf->not_after, core->issuer_ends) > 0)
        leaf->not_after = core->issuer_ends;
    if (core->constrained.n > 0 &&
        !name_constraints_check(a, &core->constrained, &core->own_names, e))
        return false;
    struct deadline d = deadline_in(s->clock, 30 * NS_PER_SEC);
    if (!x509_leaf_sign(leaf, &core->issuer, s->rng, &b, d, e))
        return false;
    *der = buf_slice(&b);
    return true;
}

/* Two thirds of the period, up to a twentieth of it earlier. */
static int64_t next_renewal(struct services *s, int64_t period)
{
    uint64_t dice;
    int64_t jitter = period / 20;

    s->rng->fill(s->rng, &dice, sizeof(dice));
    int64_t in = period - period / 3 - (int64_t)(dice % (uint64_t)(jitter > 0 ? jitter : 1));
    return in > 0 ? in : 0;
}

/* A wrong `root`, or a path that is longer than the root allows, shows first at the clients. */
static void warn_untrusted(struct services *s, const struct core *core, struct arena *a,
                           struct slice der)
{
    struct chain_rules rules = {.anchors = core->roots,
                                .intermediates = core->intermediates,
                                .at = s->clock->now(s->clock),
                                .use = CHAIN_SERVER};
    struct err why = {0};
    struct cert *leaf;

    if (cert_read(a, der, &leaf, &why) && chain_verify(a, leaf, &rules, NULL, &why))
        return;
    log_warn("clients will not trust this CA's certificates: they do not verify against `root`: %s",
             why.text);
}

static bool issue_own(struct services *s, const struct core *core, struct arena *a,
                      struct arena *secrets, int64_t *renew_in, struct instant *not_after,
                      struct err *e)
{
    size_t n = 1 + core->intermediates.n;
    struct slice *chain = arena_array(a, n, sizeof(*chain));
    struct x509_leaf leaf = {0};
    struct private_key *key;

    if (!private_key_generate(secrets, KEY_P256, 0, &key, e) ||
        !sign_own(s, core, a, key->public_key, &leaf, &chain[0], e))
        return false;
    for (size_t i = 0; i < core->intermediates.n; i++)
        chain[i + 1] = core->intermediates.v[i]->der;
    warn_untrusted(s, core, a, chain[0]);
    struct tls_credentials credentials = {chain, n, key};
    int64_t period = instant_sub(leaf.not_after, s->clock->now(s->clock));
    if (period < 60 * NS_PER_SEC)
        return err_set(e, ERR_INTERNAL, "the issuing chain lasts less than a minute");
    if (s->tls && !tls_slot_set(s->tls, &core->tls, &credentials, leaf.not_after, e))
        return false;
    *renew_in = next_renewal(s, period);
    *not_after = leaf.not_after;
    return true;
}

bool server_cert_issue(struct services *s, const struct core *core, int64_t *renew_in,
                       struct instant *not_after, struct err *e)
{
    struct arena *a = arena_new(&HEAP_USUAL), *secrets = arena_new(&HEAP_SECRET);
    bool ok = issue_own(s, core, a, secrets, renew_in, not_after, e);

    arena_free(secrets);
    arena_free(a);
    if (!ok)
        err_wrap(e, "issuing the server's own certificate");
    return ok;
}
