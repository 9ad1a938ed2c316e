/* External account binding (RFC 8555 7.3.4): verified, bound once; and the keys' management. */
#include "acme/acme.h"
#include "crypto/secret.h"

#define SECRET_SIZE   32
#define REFERENCE_MAX 256

static const struct refusal BOUND_MEANWHILE = {ERR_UNAUTHORIZED, "unauthorized",
                                               "the external account key was bound meanwhile"};
static const struct refusal REFERENCE_TAKEN = {
    ERR_EXISTS, "referenceTaken", "the provisioner has a key with this reference already"};

/* --- Verifying
 * ------------------------------------------------------------------------------------------- */

static bool check_header(struct request *r, const struct jws *jws)
{
    struct slice outer = json_text(json_get_exact(acme_of(r)->jws.header, "url"));

    if (jws->alg < JWS_HS256 || jws->alg > JWS_HS512)
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "externalAccountBinding: expected a MAC algorithm (RFC 8555 7.3.4)");
    if (jws->kid.n == 0)
        return acme_error(r, ERR_MALFORMED, "malformed", "externalAccountBinding: kid is missing");
    if (json_get_exact(jws->header, "nonce"))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "externalAccountBinding: a nonce must not stand in it");
    if (!slice_eq(json_text(json_get_exact(jws->header, "url")), outer))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "externalAccountBinding: url is not that of the request");
    return true;
}

/* Keys of ca.json's provisioners have no provisioner id; the reference list knows whose they are.
 */
static bool belongs(struct work *w, const struct provisioner *p, const struct acme_eab_key *key,
                    bool *mine)
{
    struct slice raw;
    struct texts list;

    if (!acme_load_list(w, TABLE_ACME_EAB_PROVISIONER_INDEX, p->id, &list, &raw))
        return false;
    *mine = false;
    for (size_t i = 0; i < list.n; i++)
        *mine = *mine || slice_eq(list.v[i], key->id);
    return true;
}

static bool check_payload(struct request *r, const struct jws *jws)
{
    struct jwk jwk;

    const struct json *v = json_read(r->work.arena, jws->payload, &JSON_JOSE, NULL, &r->work.err);
    if (!v || !jwk_public_from_json(r->work.arena, v, &jwk, &r->work.err))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "externalAccountBinding: the payload is no public JWK");
    if (!secret_equal(jwk_thumbprint(r->work.arena, jwk.key), acme_of(r)->key_id))
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "externalAccountBinding: it is about another key");
    return true;
}

static bool check_key(struct request *r, const struct jws *jws, struct acme_eab_key *key)
{
    struct acme_request *q = acme_of(r);
    bool found, mine;

    if (jws->kid.n > 128 ||
        !ACME_LOAD(&r->work, TABLE_ACME_EAB_KEYS, ACME_EAB_SHAPE, jws->kid, key, &found))
        return r->work.err.kind != ERR_NONE ? false
                                            : acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                                                         "no such external account key");
    if (!found || !belongs(&r->work, q->provisioner, key, &mine))
        return r->work.err.kind != ERR_NONE ? false
                                            : acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                                                         "there is no such external account key");
    if (!mine)
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "there is no such external account key");
    if (key->account.n > 0 || key->key.n == 0)
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "the external account key is bound to an account");
    if (!jws_verify_hmac(jws, key->key, NULL))
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "externalAccountBinding: the MAC does not verify");
    return true;
}

bool acme_eab_verify(struct request *r, const struct json *binding, struct acme_eab_key **out)
{
    struct acme_eab_key *key = arena_alloc(r->work.arena, sizeof(*key));
    struct err why = {0};
    struct jws jws;

    if (!binding || binding->kind != JSON_OBJECT)
        return acme_error(r, ERR_MALFORMED, "externalAccountRequired",
                          "this provisioner needs an external account binding (RFC 8555 7.3.4)");
    if (!jws_read_json(r->work.arena, binding->raw, &jws, &why))
        return acme_error(r, ERR_MALFORMED, "malformed", "externalAccountBinding: %s", why.text);
    if (!check_header(r, &jws) || !check_key(r, &jws, key) || !check_payload(r, &jws))
        return false;
    *out = key;
    return true;
}

bool acme_eab_bind(struct request *r, struct acme_eab_key *key, struct slice account)
{
    struct clock *clock = r->work.services->clock;

    key->account = account;
    key->key = SLICE(""); /* it has done its work */
    key->bound = instant_truncate(clock->now(clock));
    batch_swap(&r->work.batch, TABLE_ACME_EAB_KEYS, key->id, key->raw,
               acme_record(r->work.arena, &ACME_EAB_SHAPE, key));
    r->work.batch.last->refusal = &BOUND_MEANWHILE;
    return acme_eab_link(&r->work, key);
}

/* --- Management
 * -------------------------------------------------------------------------------------------- */

static struct slice reference_key(struct arena *a, const struct provisioner *p,
                                  struct slice reference)
{
    return arena_format(a, "%.*s.%.*s", SLICE_ARG(p->id), SLICE_ARG(reference));
}

static bool check_provisioner(struct work *w, const struct provisioner *p)
{
    const struct acme_detail *d = acme_detail_of(p);

    if (!d)
        return err_set(&w->err, ERR_MALFORMED,
                       "provisioner \"%.*s\" is not a usable ACME provisioner", SLICE_ARG(p->name));
    if (!d->require_eab)
        return err_set(&w->err, ERR_MALFORMED,
                       "provisioner \"%.*s\" does not require external account binding "
                       "(requireEAB)",
                       SLICE_ARG(p->name));
    return true;
}

static struct slice reference_record(struct arena *a, const struct acme_eab_key *key)
{
    struct buf b = buf_new(a, 4096);
    struct json_writer j = json_writer(&b);

    json_open(&j, NULL);
    json_member_text(&j, "reference", key->reference);
    json_member_text(&j, "externalAccountKeyID", key->id);
    json_close(&j);
    return buf_slice(&b);
}

bool acme_eab_add(struct work *w, const struct provisioner *p, struct slice reference,
                  struct acme_eab_key *out)
{
    uint8_t *secret = arena_alloc(w->arena, SECRET_SIZE);
    struct slice raw;
    struct texts list;

    if (!check_provisioner(w, p))
        return false;
    if (reference.n > REFERENCE_MAX)
        return err_set(&w->err, ERR_MALFORMED, "the reference is longer than %d octets",
                       REFERENCE_MAX);
    w->services->rng->fill(w->services->rng, secret, SECRET_SIZE);
    *out = (struct acme_eab_key){
        .id = acme_random_id(w->arena, w->services->rng),
        .reference = reference,
        .key = slice_of(secret, SECRET_SIZE),
        .created = instant_truncate(w->services->clock->now(w->services->clock)),
        .bound = INSTANT_ZERO_GO,
    };
    if (!acme_load_list(w, TABLE_ACME_EAB_PROVISIONER_INDEX, p->id, &list, &raw))
        return false;
    struct slice *longer = arena_array(w->arena, list.n + 1, sizeof(*longer));
    if (list.n > 0)
        memcpy(longer, list.v, list.n * sizeof(*longer));
    longer[list.n++] = out->id;
    list.v = longer;
    acme_swap_list(w, TABLE_ACME_EAB_PROVISIONER_INDEX, p->id, raw, &list);
    batch_insert(&w->batch, TABLE_ACME_EAB_KEYS, out->id,
                 acme_record(w->arena, &ACME_EAB_SHAPE, out), NULL);
    if (reference.n > 0)
        batch_insert(&w->batch, TABLE_ACME_EAB_REFERENCE_INDEX,
                     reference_key(w->arena, p, reference), reference_record(w->arena, out),
                     &REFERENCE_TAKEN);
    return work_commit(w);
}

bool acme_eab_list(struct work *w, const struct provisioner *p, struct acme_eab_key **keys,
                   size_t *n)
{
    struct slice raw;
    struct texts list;
    bool found;

    *n = 0;
    if (!acme_load_list(w, TABLE_ACME_EAB_PROVISIONER_INDEX, p->id, &list, &raw))
        return false;
    *keys = arena_array(w->arena, list.n + 1, sizeof(**keys));
    for (size_t i = 0; i < list.n; i++) {
        if (!ACME_LOAD(w, TABLE_ACME_EAB_KEYS, ACME_EAB_SHAPE, list.v[i], &(*keys)[*n], &found))
            return false;
        if (found)
            (*n)++;
    }
    return true;
}

/* The provisioner's own key with that id. */
static bool load_own(struct work *w, const struct provisioner *p, struct slice id,
                     struct acme_eab_key *key)
{
    bool found, mine = false;

    if (!ACME_LOAD(w, TABLE_ACME_EAB_KEYS, ACME_EAB_SHAPE, id, key, &found) ||
        (found && !belongs(w, p, key, &mine)))
        return false;
    return mine || err_set(&w->err, ERR_NOT_FOUND,
                           "provisioner \"%.*s\" has no external account key \"%.*s\"",
                           SLICE_ARG(p->name), SLICE_ARG(slice_sub(id, 0, 64)));
}

bool acme_eab_find(struct work *w, const struct provisioner *p, struct slice id,
                   struct slice reference, struct acme_eab_key *key)
{
    const struct json *v;
    struct slice raw;

    if (!check_provisioner(w, p))
        return false;
    if (id.n > 0)
        return load_own(w, p, id, key);
    if (!store_get(w->services->store, TABLE_ACME_EAB_REFERENCE_INDEX,
                   reference_key(w->arena, p, reference), w->arena, &raw, w->deadline, &w->err))
        return err_wrap(&w->err, "reading %s", table_name(TABLE_ACME_EAB_REFERENCE_INDEX));
    v = raw.n > 0 ? json_read(w->arena, raw, &JSON_RECORD, NULL, NULL) : NULL;
    id = json_text(json_get(v, "externalAccountKeyID"));
    if (id.n == 0)
        return err_set(&w->err, ERR_NOT_FOUND,
                       "provisioner \"%.*s\" has no external account key with the reference "
                       "\"%.*s\"",
                       SLICE_ARG(p->name), SLICE_ARG(slice_sub(reference, 0, 64)));
    return load_own(w, p, id, key);
}

bool acme_eab_remove(struct work *w, const struct provisioner *p, struct slice id)
{
    struct acme_eab_key key;
    struct texts list, kept = {0};
    struct slice raw;

    if (!load_own(w, p, id, &key))
        return false;
    if (key.account.n > 0 && acme_eab_has_policy(&key))
        return err_set(&w->err, ERR_EXISTS,
                       "key \"%.*s\" carries a policy that restricts the account %.*s; without "
                       "the key the account could order everything: remove the policy first",
                       SLICE_ARG(key.id), SLICE_ARG(key.account));
    if (key.account.n > 0 && !acme_eab_unlink(w, &key))
        return false;
    if (!acme_load_list(w, TABLE_ACME_EAB_PROVISIONER_INDEX, p->id, &list, &raw))
        return false;
    kept.v = arena_array(w->arena, list.n + 1, sizeof(*kept.v));
    for (size_t i = 0; i < list.n; i++) {
        if (!slice_eq(list.v[i], id))
            kept.v[kept.n++] = list.v[i];
    }
    acme_swap_list(w, TABLE_ACME_EAB_PROVISIONER_INDEX, p->id, raw, &kept);
    /* Who binds it or gives it a policy meanwhile is not undone by what stood there before. */
    batch_swap(&w->batch, TABLE_ACME_EAB_KEYS, id, key.raw, SLICE_NONE);
    if (key.reference.n > 0)
        batch_remove(&w->batch, TABLE_ACME_EAB_REFERENCE_INDEX,
                     reference_key(w->arena, p, key.reference), NULL);
    return work_commit(w);
}
