/* Accounts: new-account, account, the orders list, key rollover (RFC 8555 7.3). */
#include "acme/handlers.h"

#define CONTACTS_MAX 20

static const struct refusal KEY_TAKEN = {ERR_CHANGED, NULL, "the key was registered meanwhile"};

/* The stored location, or for accounts of old releases that of this request. */
static struct slice location(struct request *r, const struct acme_account *a)
{
    if (a->location_prefix.n > 0)
        return arena_format(r->work.arena, "%.*s%.*s", SLICE_ARG(a->location_prefix),
                            SLICE_ARG(a->id));
    return acme_link(r, "/account/%.*s", SLICE_ARG(a->id));
}

void acme_put_account(struct request *r, const struct acme_account *account,
                      const struct json *binding, struct buf *out)
{
    struct json_writer j = json_writer(out);

    json_open(&j, NULL);
    if (account->contact.n > 0) {
        json_open_list(&j, "contact");
        for (size_t i = 0; i < account->contact.n; i++)
            json_member_text(&j, NULL, account->contact.v[i]);
        json_close(&j);
    }
    json_member_text(&j, "status", account->status);
    json_member_text(&j, "orders",
                     arena_format(r->work.arena, "%.*s/orders", SLICE_ARG(location(r, account))));
    if (binding)
        json_member_tree(&j, "externalAccountBinding", binding);
    json_close(&j);
    buf_byte(out, '\n');
}

static enum outcome respond_account(struct request *r, int status,
                                    const struct acme_account *account, const struct json *binding)
{
    struct buf b = buf_new(r->work.arena, 256u << 10);

    acme_put_account(r, account, binding, &b);
    acme_location(r, location(r, account));
    acme_respond(r, status, buf_slice(&b));
    return ACT_DONE;
}

struct account_payload {
    struct texts contact;
    bool only_existing, agreed;
    struct slice status;
    const struct json *binding, *contact_given;
};
#define AT(member) offsetof(struct account_payload, member)
static const struct field PAYLOAD_FIELDS[] = {
    {"contact", FIELD_TEXTS, AT(contact), 0, NULL},
    {"onlyReturnExisting", FIELD_BOOL, AT(only_existing), 0, NULL},
    {"termsOfServiceAgreed", FIELD_BOOL, AT(agreed), 0, NULL},
    {"status", FIELD_TEXT, AT(status), 0, NULL},
    {"externalAccountBinding", FIELD_RAW, AT(binding), 0, NULL},
};
#undef AT
static const struct shape PAYLOAD_SHAPE = {"account", sizeof(struct account_payload),
                                           PAYLOAD_FIELDS, COUNT_OF(PAYLOAD_FIELDS), false};

static bool read_payload(struct request *r, struct account_payload *p)
{
    const struct json *v;

    if (!acme_payload(r, &v))
        return false;
    if (!shape_read(&PAYLOAD_SHAPE, v, p, r->work.arena, &r->work.err))
        return err_classify(&r->work.err, ERR_MALFORMED);
    p->contact_given = json_get(v, "contact");
    if (p->contact.n > CONTACTS_MAX)
        return acme_error(r, ERR_MALFORMED, "malformed", "more than %d contacts", CONTACTS_MAX);
    for (size_t i = 0; i < p->contact.n; i++) {
        if (p->contact.v[i].n == 0)
            return acme_error(r, ERR_MALFORMED, "malformed", "contact %zu is empty", i);
    }
    return true;
}

/* --- new-account
 * -------------------------------------------------------------------------------------- */

/* The JWK as it is stored: public members and the thumbprint as kid. */
static const struct json *stored_key(struct request *r)
{
    struct jwk jwk = {
        .kty = acme_of(r)->jwk.kty, .key = acme_of(r)->jwk.key, .kid = acme_of(r)->key_id};

    return jwk_json(r->work.arena, &jwk, false);
}

static bool create(struct request *r, const struct account_payload *p, struct acme_account *a)
{
    struct acme_request *q = acme_of(r);
    struct work *w = &r->work;

    *a = (struct acme_account){
        .id = acme_random_id(w->arena, w->services->rng),
        .key = stored_key(r),
        .contact = p->contact,
        .status = SLICE("valid"),
        .location_prefix = acme_link(r, "/account/"),
        .provisioner_name = q->provisioner->name,
        .created = instant_truncate(w->services->clock->now(w->services->clock)),
        .deactivated = INSTANT_ZERO_GO,
    };
    if (!acme_account_index(r, q->key_id, a->id, &KEY_TAKEN))
        return false;
    batch_insert(&w->batch, TABLE_ACME_ACCOUNTS, a->id,
                 acme_record(w->arena, &ACME_ACCOUNT_SHAPE, a), NULL);
    return true;
}

enum outcome acme_act_new_account(struct request *r)
{
    struct acme_request *q = acme_of(r);
    struct account_payload p = {0};
    struct acme_account *account;
    struct acme_eab_key *eab = NULL;

    if (!read_payload(r, &p) || !acme_account_by_key(r, q->key_id, &account))
        return ACT_FAILED;
    if (p.only_existing && p.contact.n > 0) {
        acme_error(r, ERR_MALFORMED, "malformed", "onlyReturnExisting goes without contact");
        return ACT_FAILED;
    }
    if (account && !slice_is(account->status, "valid")) {
        acme_error(r, ERR_UNAUTHORIZED, "unauthorized", "the account is not active");
        return ACT_FAILED;
    }
    if (account)
        return respond_account(r, 200, account, NULL);
    if (p.only_existing) {
        acme_error(r, ERR_MALFORMED, "accountDoesNotExist", "no account has this key");
        return ACT_FAILED;
    }
    if (q->detail->require_eab && !acme_eab_verify(r, p.binding, &eab))
        return ACT_FAILED;
    account = arena_alloc(r->work.arena, sizeof(*account));
    if (!create(r, &p, account))
        return ACT_FAILED;
    if (eab && !acme_eab_bind(r, eab, account->id))
        return ACT_FAILED;
    return respond_account(r, 201, account, eab ? p.binding : NULL);
}

/* --- account
 * ---------------------------------------------------------------------------------------------- */

static bool check_own(struct request *r)
{
    if (slice_eq(r->args[1], acme_of(r)->account->id))
        return true;
    return acme_error(r, ERR_UNAUTHORIZED, "unauthorized", "the account of the URL is another one");
}

static void store_account(struct request *r, const struct acme_account *a)
{
    batch_swap(&r->work.batch, TABLE_ACME_ACCOUNTS, a->id, a->raw,
               acme_record(r->work.arena, &ACME_ACCOUNT_SHAPE, a));
}

enum outcome acme_act_account(struct request *r)
{
    struct account_payload p = {0};
    struct acme_account *account;

    if (!check_own(r) || !acme_account_again(r, &account))
        return ACT_FAILED;
    if (acme_of(r)->payload.n == 0)
        return respond_account(r, 200, account, NULL);
    if (!read_payload(r, &p))
        return ACT_FAILED;
    if (p.status.n > 0 && (!slice_is(p.status, "deactivated") || p.contact.n > 0)) {
        acme_error(r, ERR_MALFORMED, "malformed",
                   "status: expected \"deactivated\", and no contact beside it");
        return ACT_FAILED;
    }
    if (p.status.n > 0) {
        struct clock *clock = r->work.services->clock;
        account->status = SLICE("deactivated");
        account->deactivated = instant_truncate(clock->now(clock));
        store_account(r, account);
    } else if (p.contact_given && p.contact_given->kind == JSON_LIST) {
        account->contact = p.contact;
        store_account(r, account);
    }
    return respond_account(r, 200, account, NULL);
}

/* --- orders
 * --------------------------------------------------------------------------------------------------
 */

enum outcome acme_act_orders(struct request *r)
{
    struct slice id = acme_of(r)->account->id, raw;
    struct buf b = buf_new(r->work.arena, 4u << 20);
    struct texts list, pending = {0};

    if (!check_own(r) || !acme_post_as_get(r) ||
        !acme_load_list(&r->work, TABLE_ACME_ACCOUNT_ORDERS_INDEX, id, &list, &raw))
        return ACT_FAILED;
    pending.v = arena_array(r->work.arena, list.n + 1, sizeof(*pending.v));
    buf_byte(&b, '[');
    for (size_t i = 0; i < list.n; i++) {
        struct acme_order *order;
        struct acme_authz *authzs;
        if (!acme_order_load(r, list.v[i], &order, &authzs))
            return ACT_FAILED;
        if (!order || !slice_is(order->status, "pending"))
            continue;
        if (pending.n > 0)
            buf_byte(&b, ',');
        json_put_text(&b, acme_link(r, "/order/%.*s", SLICE_ARG(order->id)));
        pending.v[pending.n++] = list.v[i];
    }
    buf_text(&b, "]\n");
    if (pending.n < list.n)
        acme_swap_list(&r->work, TABLE_ACME_ACCOUNT_ORDERS_INDEX, id, raw, &pending);
    acme_respond(r, 200, buf_slice(&b));
    return ACT_DONE;
}

/* --- key-change (RFC 8555 7.3.5)
 * ------------------------------------------------------------------------------- */

struct rollover {
    struct jws inner;
    struct jwk key;
    struct slice thumbprint;
};

static bool read_inner(struct request *r, struct rollover *o)
{
    struct acme_request *q = acme_of(r);
    struct err *e = &r->work.err;
    struct slice outer_url = json_text(json_get_exact(q->jws.header, "url"));

    if (!jws_read_json(r->work.arena, q->payload, &o->inner, e)) {
        err_classify(e, ERR_MALFORMED);
        return err_wrap(e, "inner JWS");
    }
    if (json_get_exact(o->inner.header, "nonce") || json_get_exact(o->inner.header, "kid"))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "the inner JWS has neither nonce nor kid (RFC 8555 7.3.5)");
    if (!slice_eq(json_text(json_get_exact(o->inner.header, "url")), outer_url))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "the inner JWS's url is not the outer one's (RFC 8555 7.3.5)");
    if (!jwk_public_from_json(r->work.arena, json_get_exact(o->inner.header, "jwk"), &o->key, e) ||
        !jws_verify(&o->inner, o->key.key, e)) {
        err_set(e, ERR_MALFORMED, "inner JWS: %s", arena_cstr(r->work.arena, slice_text(e->text)));
        return false;
    }
    if (o->key.key->type == KEY_RSA && o->key.key->bits < 2048)
        return acme_error(r, ERR_MALFORMED, "badPublicKey", "the new RSA key is too short");
    o->thumbprint = jwk_thumbprint(r->work.arena, o->key.key);
    return true;
}

/* After acme_account_again: account_key is what the store has. */
static bool check_inner(struct request *r, const struct rollover *o)
{
    struct acme_request *q = acme_of(r);
    struct err *e = &r->work.err;
    const struct json *v = json_read(r->work.arena, o->inner.payload, &JSON_STRICT, NULL, e);
    struct jwk old;

    if (!v || v->kind != JSON_OBJECT)
        return acme_error(r, ERR_MALFORMED, "malformed", "the inner payload is no JSON object");
    if (!slice_eq(json_text(json_get(v, "account")),
                  json_text(json_get_exact(q->jws.header, "kid"))))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "account of the inner payload is not the outer JWS's kid");
    if (!jwk_public_from_json(r->work.arena, json_get(v, "oldKey"), &old, e) ||
        !key_eq(old.key, q->account_key))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "oldKey is not the account's key (RFC 8555 7.3.5)");
    return true;
}

static bool swap_key(struct request *r, const struct rollover *o, struct acme_account *account)
{
    struct work *w = &r->work;
    struct slice old = jwk_thumbprint(w->arena, acme_of(r)->account_key), at;
    struct jwk jwk = {.kty = o->key.kty, .key = o->key.key, .kid = o->thumbprint};

    account->key = jwk_json(w->arena, &jwk, false);
    store_account(r, account);
    if (!acme_account_index(r, o->thumbprint, account->id, &KEY_TAKEN))
        return false;
    for (int fallback = 0; fallback < 2; fallback++) {
        struct slice key = acme_index_key(r, old, fallback == 1);
        if (!store_get(w->services->store, TABLE_ACME_KEY_ACCOUNT_INDEX, key, w->arena, &at,
                       w->deadline, &w->err))
            return false;
        if (slice_eq(at, account->id))
            batch_swap(&w->batch, TABLE_ACME_KEY_ACCOUNT_INDEX, key, at, SLICE_NONE);
    }
    return true;
}

enum outcome acme_act_key_change(struct request *r)
{
    struct acme_account *account, *other;
    struct rollover o = {0};

    if (!acme_account_again(r, &account) || !read_inner(r, &o) || !check_inner(r, &o) ||
        !acme_account_by_key(r, o.thumbprint, &other))
        return ACT_FAILED;
    if (other && slice_eq(other->id, account->id))
        return respond_account(r, 200, account, NULL);
    if (other) {
        acme_location(r, location(r, other));
        acme_error(r, ERR_EXISTS, "malformed", "the new key belongs to another account");
        return ACT_FAILED;
    }
    if (!swap_key(r, &o, account))
        return ACT_FAILED;
    return respond_account(r, 200, account, NULL);
}
