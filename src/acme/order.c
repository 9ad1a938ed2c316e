/* Orders: new-order and order (RFC 8555 7.4), with `replaces` of RFC 9773. */
#include "acme/handlers.h"
#include "acme/identifier.h"

#define LIFETIME        (24 * 3600 * NS_PER_SEC)
#define IDENTIFIERS_MAX 100
#define PENDING_MAX     1000
#define PRUNE_EVERY     16

static const struct refusal ALREADY_REPLACED = {ERR_EXISTS, "alreadyReplaced",
                                                "the certificate is being replaced already"};

/* --- Loading
 * --------------------------------------------------------------------------------------- */

static struct instant now_of(struct request *r)
{
    return instant_truncate(r->work.services->clock->now(r->work.services->clock));
}

bool acme_authz_load(struct request *r, struct slice id, struct acme_authz **authz)
{
    struct acme_authz *a = arena_alloc(r->work.arena, sizeof(*a));
    bool found;

    *authz = NULL;
    if (!ACME_LOAD(&r->work, TABLE_ACME_AUTHZS, ACME_AUTHZ_SHAPE, id, a, &found))
        return false;
    if (!found)
        return true;
    acme_authz_refresh(r->work.arena, a, now_of(r));
    *authz = a;
    return true;
}

static int64_t keep_until(const struct acme_order *o)
{
    if (slice_is(o->status, "valid"))
        return o->not_after.sec + ACME_KEEP_ISSUED;
    return o->expires.sec + ACME_KEEP_PENDING;
}

static void store_order(struct request *r, const struct acme_order *o)
{
    batch_swap(&r->work.batch, TABLE_ACME_ORDERS, o->id, o->raw,
               acme_record(r->work.arena, &ACME_ORDER_SHAPE, o));
    batch_expires(&r->work.batch, keep_until(o));
}

/* Else its authorizations say nothing any more: they go earlier than a certificate's order. */
static bool may_become_valid(const struct acme_order *o, struct instant now)
{
    bool open = slice_is(o->status, "pending") || slice_is(o->status, "ready");

    return open && instant_cmp(now, o->expires) <= 0;
}

bool acme_order_load(struct request *r, struct slice id, struct acme_order **order,
                     struct acme_authz **authzs)
{
    struct acme_order *o = arena_alloc(r->work.arena, sizeof(*o));
    struct acme_authz *list;
    bool found;

    *order = NULL;
    if (!ACME_LOAD(&r->work, TABLE_ACME_ORDERS, ACME_ORDER_SHAPE, id, o, &found))
        return false;
    if (!found)
        return true;
    list = arena_array(r->work.arena, o->authorizations.n + 1, sizeof(*list));
    for (size_t i = 0; i < o->authorizations.n; i++) {
        struct acme_authz *one;
        if (!acme_authz_load(r, o->authorizations.v[i], &one))
            return false;
        if (one)
            list[i] = *one;
        else if (may_become_valid(o, now_of(r)))
            return acme_error(r, ERR_INTERNAL, NULL, "order %.*s: authorization %.*s is missing",
                              SLICE_ARG(o->id), SLICE_ARG(o->authorizations.v[i]));
    }
    /* "ready" follows from the authorizations at any time: not worth a commit. */
    if (acme_order_refresh(r->work.arena, o, list, o->authorizations.n, now_of(r)) &&
        !slice_is(o->status, "ready"))
        store_order(r, o);
    *order = o;
    *authzs = list;
    return true;
}

/* --- Showing
 * --------------------------------------------------------------------------------------- */

void acme_put_order(struct request *r, const struct acme_order *o, struct slice replaces,
                    struct buf *out)
{
    const struct acme_identifier *ids = o->identifiers.v;
    struct json_writer j = json_writer(out);

    json_open(&j, NULL);
    json_member_text(&j, "id", o->id);
    json_member_text(&j, "status", o->status);
    json_member_time(&j, "expires", o->expires);
    json_open_list(&j, "identifiers");
    for (size_t i = 0; i < o->identifiers.n; i++) {
        json_open(&j, NULL);
        json_member_text(&j, "type", ids[i].type);
        json_member_text(&j, "value", ids[i].value);
        json_close(&j);
    }
    json_close(&j);
    json_member_time(&j, "notBefore", o->not_before);
    json_member_time(&j, "notAfter", o->not_after);
    if (o->error)
        acme_put_problem(&j, "error", o->error);
    json_open_list(&j, "authorizations");
    for (size_t i = 0; i < o->authorizations.n; i++)
        json_member_text(&j, NULL, acme_link(r, "/authz/%.*s", SLICE_ARG(o->authorizations.v[i])));
    json_close(&j);
    json_member_text(&j, "finalize", acme_link(r, "/order/%.*s/finalize", SLICE_ARG(o->id)));
    if (o->certificate.n > 0)
        json_member_text(&j, "certificate",
                         acme_link(r, "/certificate/%.*s", SLICE_ARG(o->certificate)));
    if (replaces.n > 0)
        json_member_text(&j, "replaces", replaces);
    json_close(&j);
    buf_byte(out, '\n');
}

static enum outcome respond_order(struct request *r, int status, const struct acme_order *o,
                                  struct slice replaces)
{
    struct buf b = buf_new(r->work.arena, 1u << 20);

    acme_put_order(r, o, replaces, &b);
    acme_location(r, acme_link(r, "/order/%.*s", SLICE_ARG(o->id)));
    acme_respond(r, status, buf_slice(&b));
    return ACT_DONE;
}

bool acme_order_own(struct request *r, struct acme_order **order, struct acme_authz **authzs)
{
    struct acme_request *q = acme_of(r);

    if (!acme_order_load(r, r->args[1], order, authzs))
        return false;
    if (!*order)
        return acme_error(r, ERR_MALFORMED, "malformed", "there is no order \"%.*s\"",
                          SLICE_ARG(slice_sub(r->args[1], 0, 64)));
    if (!slice_eq((*order)->account, q->account->id))
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "the order belongs to another account");
    if (!slice_eq((*order)->provisioner_id, q->provisioner->id))
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "the order belongs to another provisioner");
    return true;
}

static bool validation_runs(struct request *r, const struct acme_order *o,
                            const struct acme_authz *authzs)
{
    if (!slice_is(o->status, "pending"))
        return false;
    for (size_t i = 0; i < o->authorizations.n; i++) {
        for (size_t k = 0; k < authzs[i].challenges.n; k++) {
            if (acme_validator_busy(acme_of(r)->service->validator, authzs[i].challenges.v[k]))
                return true;
        }
    }
    return false;
}

enum outcome acme_act_order(struct request *r)
{
    struct acme_order *order;
    struct acme_authz *authzs;

    if (!acme_post_as_get(r) || !acme_order_own(r, &order, &authzs))
        return ACT_FAILED;
    if (validation_runs(r, order, authzs))
        http_fields_set(&r->x->out.fields, r->x->arena, "Retry-After", SLICE("2"));
    return respond_order(r, 200, order, SLICE_NONE);
}

/* --- new-order
 * ------------------------------------------------------------------------------------- */

struct order_wish {
    struct acme_identifier *v;
    size_t n;
    bool has_before, has_after;
    struct instant not_before, not_after;
    struct slice replaces;
};

static bool read_time(struct request *r, const struct json *v, const char *name, bool *has,
                      struct instant *t)
{
    const struct json *member = json_get(v, name);

    if (!member || member->kind == JSON_NULL || (member->kind == JSON_TEXT && member->text.n == 0))
        return true;
    if (!rfc3339_read(json_text(member), t))
        return acme_error(r, ERR_MALFORMED, "malformed", "%s is no RFC 3339 time", name);
    *has = !instant_is_zero(*t);
    return true;
}

static bool known_already(const struct order_wish *w, const struct acme_identifier *id)
{
    for (size_t i = 0; i < w->n; i++) {
        if (slice_eq(w->v[i].type, id->type) && slice_eq_case(w->v[i].value, id->value))
            return true;
    }
    return false;
}

static bool read_identifiers(struct request *r, const struct json *list, struct order_wish *w)
{
    bool good = true;

    if (!list || list->kind != JSON_LIST || list->n == 0)
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "identifiers: expected a list that is not empty");
    if (list->n > IDENTIFIERS_MAX)
        return acme_error(r, ERR_MALFORMED, "malformed", "more than %d identifiers",
                          IDENTIFIERS_MAX);
    w->v = arena_array(r->work.arena, list->n, sizeof(*w->v));
    for (const struct json *one = list->first; one; one = one->next) {
        struct acme_identifier id = {json_text(json_get(one, "type")),
                                     json_text(json_get(one, "value"))};
        struct err why = {0};
        if (!id.type.p || !id.value.p)
            return acme_error(r, ERR_MALFORMED, "malformed",
                              "identifiers: expected objects with \"type\" and \"value\" "
                              "(RFC 8555 7.1.4)");
        if (known_already(w, &id))
            continue;
        if (!acme_identifier_check(r->work.arena, &id, &why)) {
            if (good)
                acme_error(r, ERR_MALFORMED, why.code ? why.code : "malformed", "%s", why.text);
            acme_error_about(r, why.code ? why.code : "malformed", &id, why.text);
            good = false;
            continue;
        }
        w->v[w->n++] = id;
    }
    return good;
}

static bool read_wish(struct request *r, struct order_wish *w)
{
    const struct json *v;

    *w = (struct order_wish){0};
    if (!acme_payload(r, &v) || !read_identifiers(r, json_get(v, "identifiers"), w) ||
        !read_time(r, v, "notBefore", &w->has_before, &w->not_before) ||
        !read_time(r, v, "notAfter", &w->has_after, &w->not_after))
        return false;
    w->replaces = json_text(json_get(v, "replaces"));
    return true;
}

bool acme_order_may_begin(struct request *r, const struct acme_order *o)
{
    struct instant end = r->work.authority->core->issuer_ends;

    if (instant_cmp(o->not_before, end) < 0)
        return true;
    return acme_error(r, ERR_MALFORMED, "malformed",
                      "notBefore %.*s is not before the end of the issuing chain, %.*s",
                      SLICE_ARG(rfc3339(r->work.arena, o->not_before)),
                      SLICE_ARG(rfc3339(r->work.arena, end)));
}

/* Default length counts from the start before it is backdated, and is fixed now. */
static bool settle_times(struct request *r, const struct order_wish *w, struct acme_order *o)
{
    const struct duration_limits *tls = &acme_of(r)->provisioner->claims.tls;
    int64_t backdate = r->work.authority->core->backdate;
    struct instant now = now_of(r);

    o->created = now;
    o->expires = instant_add(now, LIFETIME);
    o->not_before = w->has_before ? w->not_before : instant_add(now, -backdate);
    o->not_after =
        w->has_after ? w->not_after : instant_add(w->has_before ? w->not_before : now, tls->usual);
    int64_t length = instant_sub(o->not_after, o->not_before);
    if (instant_cmp(o->not_after, now) < 0 || length < 0)
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "notAfter is in the past or before notBefore");
    if (w->has_before && !acme_order_may_begin(r, o))
        return false;
    if (length < tls->least || length > tls->most + backdate)
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "the requested lifetime is outside what this provisioner allows");
    return true;
}

/* Who has a say, in the order in which they are asked. */
struct order_policies {
    const struct policy *v[3];
};

static bool load_policies(struct request *r, struct order_policies *p)
{
    const struct acme_request *q = acme_of(r);

    *p = (struct order_policies){
        {NULL, q->provisioner->policies.x509, r->work.authority->core->policies.x509}};
    return !q->detail->require_eab || acme_eab_policy(r, &p->v[0]);
}

/* Those of provisioner and authority are judged once more at signing. */
static bool check_policy(struct request *r, const struct order_policies *p,
                         const struct acme_identifier *id)
{
    bool ip = slice_is(id->type, "ip");
    struct err why = {0};

    if (slice_is(id->type, "permanent-identifier"))
        return true;
    for (size_t i = 0; i < COUNT_OF(p->v); i++) {
        if (policy_check_name(r->work.arena, p->v[i], ip ? POLICY_IP : POLICY_DNS, id->value, &why))
            continue;
        acme_error(r, ERR_FORBIDDEN, "rejectedIdentifier", "%s", why.text);
        acme_error_about(r, "rejectedIdentifier", id, why.text);
        return false;
    }
    return true;
}

static void make_challenges(struct request *r, struct acme_authz *a, unsigned types)
{
    struct work *w = &r->work;

    a->challenges.v = arena_array(w->arena, ACME_CHALLENGE_TYPES, sizeof(struct slice));
    for (int t = 0; t < ACME_CHALLENGE_TYPES; t++) {
        struct acme_challenge c = {.created = a->created};
        if (!(types & (1u << t)))
            continue;
        c.id = acme_row_id(w);
        c.account = a->account;
        c.type = slice_text(acme_challenge_name((enum acme_challenge_type)t));
        c.status = SLICE("pending");
        c.token = a->token;
        c.value = a->identifier.value;
        batch_put(&w->batch, TABLE_ACME_CHALLENGES, c.id,
                  acme_record(w->arena, &ACME_CHALLENGE_SHAPE, &c));
        batch_expires(&w->batch, a->expires.sec + ACME_KEEP_PENDING);
        a->challenges.v[a->challenges.n++] = c.id;
    }
}

static bool make_authz(struct request *r, const struct acme_order *o,
                       const struct acme_identifier *id, struct slice *authz_id)
{
    struct work *w = &r->work;
    bool wildcard = slice_is(id->type, "dns") && slice_starts(id->value, "*.");
    unsigned types = acme_identifier_challenges(id) & acme_of(r)->detail->challenges;
    struct acme_authz a = {
        .id = acme_row_id(w),
        .account = o->account,
        .identifier = {id->type, wildcard ? slice_from(id->value, 2) : id->value},
        .status = SLICE("pending"),
        .token = acme_random_id(w->arena, w->services->rng),
        .wildcard = wildcard,
        .created = o->created,
        .expires = o->expires};

    if (types == 0) {
        acme_error(r, ERR_FORBIDDEN, "rejectedIdentifier",
                   "no challenge that is enabled here can prove \"%.*s\"", SLICE_ARG(id->value));
        acme_error_about(r, "rejectedIdentifier", id, "no enabled challenge fits it");
        return false;
    }
    make_challenges(r, &a, types);
    batch_put(&w->batch, TABLE_ACME_AUTHZS, a.id, acme_record(w->arena, &ACME_AUTHZ_SHAPE, &a));
    batch_expires(&w->batch, a.expires.sec + ACME_KEEP_PENDING);
    *authz_id = a.id;
    return true;
}

/* What is not pending any more goes. */
static bool prune_index(struct request *r, const struct acme_order *fresh, struct texts *list)
{
    struct work *w = &r->work;
    size_t n = list->n;

    list->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct acme_order o;
        bool found;
        if (!ACME_LOAD(w, TABLE_ACME_ORDERS, ACME_ORDER_SHAPE, list->v[i], &o, &found)) {
            if (w->err.kind != ERR_INTERNAL)
                return false;
            err_clear(&w->err); /* an unreadable old order must not fail a new one */
            continue;
        }
        if (found && slice_is(o.status, "pending") && instant_cmp(fresh->created, o.expires) <= 0)
            list->v[list->n++] = list->v[i];
    }
    if (list->n < PENDING_MAX)
        return true;
    return acme_error(r, ERR_RATE, "rateLimited",
                      "the account has %zu pending orders; finish or let expire some", list->n);
}

/* The account's index holds what is pending, and a few orders that were so not long ago: looking at
 * all of them each time would make an account's orders dearer the more it has. */
static bool index_order(struct request *r, const struct acme_order *fresh)
{
    struct work *w = &r->work;
    struct slice raw;
    struct texts list;

    if (!acme_load_list(w, TABLE_ACME_ACCOUNT_ORDERS_INDEX, fresh->account, &list, &raw))
        return false;
    bool prune = list.n >= PENDING_MAX || (list.n && list.n % PRUNE_EVERY == 0);
    if (prune && !prune_index(r, fresh, &list))
        return false;
    struct texts longer = {arena_array(w->arena, list.n + 1, sizeof(*list.v)), list.n + 1};
    for (size_t i = 0; i < list.n; i++)
        longer.v[i] = list.v[i];
    longer.v[list.n] = fresh->id;
    acme_swap_list(w, TABLE_ACME_ACCOUNT_ORDERS_INDEX, fresh->account, raw, &longer);
    return true;
}

static bool names(const struct acme_order *o, const struct san *san)
{
    const struct acme_identifier *ids = o->identifiers.v;
    struct ip ip;

    for (size_t i = 0; i < o->identifiers.n; i++) {
        if (san->kind == SAN_DNS && slice_is(ids[i].type, "dns") &&
            slice_eq_case(san->text, ids[i].value))
            return true;
        if (san->kind == SAN_IP && slice_is(ids[i].type, "ip") && ip_read(ids[i].value, &ip) &&
            ip_eq(&ip, &san->ip))
            return true;
    }
    return false;
}

/* Of the same account, and for a name that is ordered again; a device's names are no SANs that
 * could be compared. */
static bool predecessor(struct request *r, const struct cert *cert, const struct acme_order *o)
{
    struct acme_cert issued;
    bool found, shared = false, device = false;

    if (!acme_cert_of_serial(&r->work, serial_decimal(r->work.arena, cert->serial), &issued,
                             &found))
        return false;
    for (size_t i = 0; i < cert->sans.n; i++) {
        shared = shared || names(o, &cert->sans.v[i]);
        device = device || cert->sans.v[i].kind == SAN_OTHER;
    }
    if (found && slice_eq(issued.account, o->account) && (shared || device))
        return true;
    return acme_error(r, ERR_MALFORMED, "malformed",
                      "replaces names a certificate of another account or for other names "
                      "(RFC 9773 5)");
}

/* RFC 9773 5: known, of the same account, not replaced by an order that still counts. */
static bool check_replaces(struct request *r, const struct order_wish *w,
                           const struct acme_order *o)
{
    struct work *k = &r->work;
    struct slice raw, id;
    struct cert *cert;
    struct acme_order other;
    bool found;

    if (w->replaces.n == 0)
        return true;
    if (w->replaces.n > 256 || !acme_cert_by_id(k, w->replaces, &cert))
        return k->err.kind != ERR_NONE
                   ? false
                   : acme_error(r, ERR_MALFORMED, "malformed", "replaces names no certificate");
    if (!cert)
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "replaces names no certificate of this authority (RFC 9773 5)");
    if (!predecessor(r, cert, o))
        return false;
    id = acme_cert_id(k->arena, cert); /* however it was written */
    if (!store_get(k->services->store, TABLE_ACME_REPLACES, id, k->arena, &raw, k->deadline,
                   &k->err) ||
        !ACME_LOAD(k, TABLE_ACME_ORDERS, ACME_ORDER_SHAPE, raw, &other, &found))
        return false;
    if (found && !slice_is(other.status, "invalid"))
        return acme_error(r, ERR_EXISTS, "alreadyReplaced",
                          "the certificate is replaced by another order (RFC 9773 5)");
    if (raw.n > 0)
        batch_swap(&k->batch, TABLE_ACME_REPLACES, id, raw, o->id);
    else
        batch_insert(&k->batch, TABLE_ACME_REPLACES, id, o->id, &ALREADY_REPLACED);
    batch_expires(&k->batch, cert->not_after.sec + ACME_KEEP_ISSUED);
    return true;
}

enum outcome acme_act_new_order(struct request *r)
{
    struct acme_request *q = acme_of(r);
    struct work *w = &r->work;
    struct acme_order o = {.status = SLICE("pending")};
    struct order_policies policies;
    struct order_wish wish;

    if (!read_wish(r, &wish) || !settle_times(r, &wish, &o) || !load_policies(r, &policies))
        return ACT_FAILED;
    o.id = acme_row_id(w);
    o.account = q->account->id;
    o.provisioner_id = q->provisioner->id;
    o.identifiers = (struct objects){wish.v, wish.n};
    o.authorizations.v = arena_array(w->arena, wish.n, sizeof(struct slice));
    for (size_t i = 0; i < wish.n; i++) {
        if (!check_policy(r, &policies, &wish.v[i]) ||
            !make_authz(r, &o, &wish.v[i], &o.authorizations.v[o.authorizations.n++]))
            return ACT_FAILED;
    }
    if (!check_replaces(r, &wish, &o) || !index_order(r, &o))
        return ACT_FAILED;
    batch_put(&w->batch, TABLE_ACME_ORDERS, o.id, acme_record(w->arena, &ACME_ORDER_SHAPE, &o));
    batch_expires(&w->batch, keep_until(&o));
    return respond_order(r, 201, &o, wish.replaces);
}
