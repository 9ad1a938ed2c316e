/*
 * Policies of external account keys: what an account that was bound with a key may order.
 *
 * A key does not say where its account's requests can find it, so a row beside the lists of keys
 * does: "account/<id>" -> ["<key id>"].  It comes with the binding, or with the first policy of a
 * key that was bound before there were such rows; a key that has a policy is never without it.
 */
#include "acme/acme.h"

static struct slice account_key(struct arena *a, struct slice account)
{
    return arena_format(a, "account/%.*s", SLICE_ARG(account));
}

bool acme_eab_link(struct work *w, const struct acme_eab_key *key)
{
    struct slice at = account_key(w->arena, key->account), id = key->id, raw;
    struct texts list;

    if (!acme_load_list(w, TABLE_ACME_EAB_PROVISIONER_INDEX, at, &list, &raw))
        return false;
    if (list.n != 1 || !slice_eq(list.v[0], id))
        acme_swap_list(w, TABLE_ACME_EAB_PROVISIONER_INDEX, at, raw, &(struct texts){&id, 1});
    return true;
}

bool acme_eab_unlink(struct work *w, const struct acme_eab_key *key)
{
    struct slice at = account_key(w->arena, key->account), raw;
    struct texts list;

    if (!acme_load_list(w, TABLE_ACME_EAB_PROVISIONER_INDEX, at, &list, &raw))
        return false;
    acme_swap_list(w, TABLE_ACME_EAB_PROVISIONER_INDEX, at, raw, &(struct texts){0});
    return true;
}

bool acme_eab_has_policy(const struct acme_eab_key *key)
{
    return key->policy && key->policy->kind != JSON_NULL;
}

bool acme_eab_policy_read(struct arena *a, const struct acme_eab_key *key,
                          const struct policy **policy, struct err *e)
{
    return policy_read(
        a, json_get(key->policy, "x509"), POLICY_X509,
        arena_printf(a, "external account key %.*s: policy.x509", SLICE_ARG(key->id)), policy, e);
}

bool acme_eab_set_policy(struct work *w, struct acme_eab_key *key, const struct json *policy)
{
    key->policy = policy;
    if (key->account.n > 0 && !acme_eab_link(w, key))
        return false;
    batch_swap(&w->batch, TABLE_ACME_EAB_KEYS, key->id, key->raw,
               acme_record(w->arena, &ACME_EAB_SHAPE, key));
    return work_commit(w);
}

bool acme_eab_policy(struct request *r, const struct policy **policy)
{
    struct work *w = &r->work;
    struct acme_eab_key key;
    struct slice raw;
    struct texts list;
    bool found;

    *policy = NULL;
    if (!acme_load_list(w, TABLE_ACME_EAB_PROVISIONER_INDEX,
                        account_key(w->arena, acme_of(r)->account->id), &list, &raw))
        return false;
    if (list.n == 0)
        return true;
    if (!ACME_LOAD(w, TABLE_ACME_EAB_KEYS, ACME_EAB_SHAPE, list.v[0], &key, &found))
        return false;
    if (!found || !slice_eq(key.account, acme_of(r)->account->id))
        return true;
    return acme_eab_policy_read(w->arena, &key, policy, &w->err) ||
           err_classify(&w->err, ERR_INTERNAL);
}
