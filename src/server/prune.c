/*
 * Each table has a rule that puts what shall go into a batch.  Nothing goes that a client may still
 * come back for, and when a value cannot be understood its row stays.  A table is gone through page
 * by page; between two pages nothing is held.
 *
 * Revocations stay: where certificates may be renewed after their end, they are what stops it.
 */
#include "server/prune.h"

#include "authority/inventory.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "crypto/pem.h"
#include "json/json.h"

#define PAGE          256
#define DAY           86400
#define NONCE_KEPT    DAY
#define TOKEN_KEPT    3600
#define PENDING_KEPT  (7 * DAY)  /* after the end of an order or an authorization */
#define ISSUED_KEPT   (30 * DAY) /* after the end of the certificate */
#define CHALLENGE_AGE (60 * DAY) /* an authorization lives for days at most */

struct page;
typedef bool rule_fn(struct page *p, struct slice key, struct slice value);
struct page {
    struct pruning *p;
    struct arena *a, *row; /* of the page, of one row */
    struct store_batch batch;
    rule_fn *rule;
    uint64_t n, gone, certificates;
    struct slice last;
};

static const struct json *record(struct page *p, struct slice value)
{
    return json_read(p->row, value, &JSON_RECORD, NULL, NULL);
}

#define NO_TIME INT64_MIN

/* NO_TIME: it does not say; Go writes the first second of the year 1 then. */
static int64_t time_of(const struct json *object, const char *member)
{
    struct instant at;

    if (!rfc3339_read(json_text(json_get(object, member)), &at) || at.sec <= INSTANT_ZERO_GO.sec)
        return NO_TIME;
    return at.sec;
}

static bool passed(const struct page *p, int64_t at, int64_t kept)
{
    return at != NO_TIME && at < INT64_MAX - kept && at + kept < p->p->now;
}

/* --- Rules ------------------------------------------------------------------------------------ */

static bool nonce_is_over(struct page *p, struct slice key UNUSED, struct slice value)
{
    return passed(p, time_of(record(p, value), "CreatedAt"), NONCE_KEPT);
}

/* As the reference records it: the token itself.  Only what is the use of this very token: a cloud
 * instance that was seen once is kept under a key of another form, and must never be seen a second
 * time. */
static bool token_is_over(struct page *p, struct slice key, struct slice value)
{
    struct slice rest = value, head, body, payload;
    int64_t end;

    if (!slice_split(&rest, '.', &head) || !slice_split(&rest, '.', &body) ||
        !base64_read(p->row, BASE64_URL_RAW, body, &payload))
        return false;
    const struct json *claims = record(p, payload);
    if (!slice_eq(key, json_text(json_get_exact(claims, "jti"))) &&
        !slice_eq(key, sha256_hex(p->row, value)))
        return false;
    return json_int(json_get_exact(claims, "exp"), &end) && passed(p, end, TOKEN_KEPT);
}

static bool order_is_over(struct page *p, struct slice key UNUSED, struct slice value)
{
    const struct json *order = record(p, value);
    int64_t expires = time_of(order, "expiresAt"), end = time_of(order, "notAfter");

    if (!slice_is(json_text(json_get(order, "status")), "valid"))
        return passed(p, expires, PENDING_KEPT);
    return expires != NO_TIME && passed(p, end > expires ? end : expires, ISSUED_KEPT);
}

static bool authorization_is_over(struct page *p, struct slice key UNUSED, struct slice value)
{
    return passed(p, time_of(record(p, value), "expiresAt"), PENDING_KEPT);
}

static bool challenge_is_over(struct page *p, struct slice key UNUSED, struct slice value)
{
    return passed(p, time_of(record(p, value), "createdAt"), CHALLENGE_AGE);
}

static bool leaf_of(struct page *p, struct slice value, struct cert **leaf)
{
    struct slice text;
    struct pem block;

    return base64_read(p->row, BASE64_STD, json_text(json_get(record(p, value), "leaf")), &text) &&
           pem_next(p->row, &text, &block, NULL) && cert_read(p->row, block.der, leaf, NULL);
}

static bool acme_certificate_is_over(struct page *p, struct slice key UNUSED, struct slice value)
{
    struct cert *leaf;

    if (!leaf_of(p, value, &leaf) || !passed(p, leaf->not_after.sec, ISSUED_KEPT))
        return false;
    batch_remove(&p->batch, TABLE_ACME_SERIAL_CERTS_INDEX, serial_decimal(p->a, leaf->serial),
                 NULL);
    return true;
}

/* "This order replaces that certificate": of no use without the order. */
static bool replacement_is_over(struct page *p, struct slice key UNUSED, struct slice value)
{
    struct store *s = p->p->store;
    struct slice order;

    return value.n > 0 &&
           store_get(s, TABLE_ACME_ORDERS, value, p->row, &order, DEADLINE_NONE, NULL) && !order.p;
}

static bool certificate_is_over(struct page *p, enum table t, struct slice key, struct slice value)
{
    struct issued i = {0};

    if (!inventory_describe(p->row, t, key, value, &i) || !passed(p, i.not_after, p->p->retention))
        return false;
    p->certificates++;
    if (t == TABLE_X509_CERTS)
        batch_remove(&p->batch, TABLE_X509_CERTS_DATA, arena_copy(p->a, key), NULL);
    return true;
}

static bool x509_is_over(struct page *p, struct slice key, struct slice value)
{
    return certificate_is_over(p, TABLE_X509_CERTS, key, value);
}

static bool ssh_is_over(struct page *p, struct slice key, struct slice value)
{
    return certificate_is_over(p, TABLE_SSH_CERTS, key, value);
}

enum when { ALWAYS, WITH_RETENTION };
static const struct stage {
    enum table t;
    rule_fn *rule;
    enum when when;
} STAGES[] = {
    {TABLE_NONCES, nonce_is_over, ALWAYS},
    {TABLE_USED_OTT, token_is_over, ALWAYS},
    {TABLE_ACME_ORDERS, order_is_over, ALWAYS},
    {TABLE_ACME_AUTHZS, authorization_is_over, ALWAYS},
    {TABLE_ACME_CHALLENGES, challenge_is_over, ALWAYS},
    {TABLE_ACME_CERTS, acme_certificate_is_over, ALWAYS},
    {TABLE_ACME_REPLACES, replacement_is_over, ALWAYS},
    {TABLE_X509_CERTS, x509_is_over, WITH_RETENTION},
    {TABLE_SSH_CERTS, ssh_is_over, WITH_RETENTION},
};

/* --- A table ---------------------------------------------------------------------------------- */

static bool look_at(struct slice key, struct slice value, void *arg)
{
    struct page *p = arg;
    enum table t = STAGES[p->p->stage].t;
    struct arena_mark mark = arena_mark(p->row);

    p->n++;
    p->last = arena_copy(p->a, key);
    if (key.n > 0 && p->rule(p, key, value)) {
        batch_remove(&p->batch, t, p->last, NULL);
        p->gone++;
    }
    arena_rewind(p->row, mark);
    return true;
}

static void go_on_behind(struct pruning *p, struct slice key)
{
    struct arena *next = arena_new(&HEAP_USUAL);

    p->after = key.n ? arena_copy(next, key) : SLICE_NONE;
    if (p->kept)
        arena_free(p->kept);
    p->kept = next;
}

static void next_stage(struct pruning *p)
{
    p->stage++;
    go_on_behind(p, SLICE_NONE);
}

static bool stop_at_once(struct slice key UNUSED, struct slice value UNUSED, void *arg)
{
    bool *any = arg;

    *any = true;
    return false;
}

/* A table of ours that nobody made yet, in a database that is only looked after, has no rows. */
static bool has_rows(struct pruning *p, enum table t, bool *any, struct err *e)
{
    const struct store_ops *ops = p->store->ops;

    *any = !ops->scan_named || p->after.n > 0;
    return *any || ops->scan_named(p->store, slice_text(table_name(t)), SLICE_NONE, 1, stop_at_once,
                                   any, DEADLINE_NONE, e);
}

static bool run_page(struct page *page, struct err *e)
{
    struct pruning *p = page->p;
    const struct stage *stage = &STAGES[p->stage];
    bool any;

    if (!has_rows(p, stage->t, &any, e))
        return false;
    if (!any) {
        next_stage(p);
        return true;
    }
    page->rule = stage->rule;
    page->batch.arena = page->a;
    if (!p->store->ops->scan(p->store, stage->t, p->after, PAGE, look_at, page, DEADLINE_NONE, e))
        return false;
    if (page->batch.n > 0 && !store_commit(p->store, &page->batch, DEADLINE_NONE, e))
        return false;
    p->rows += page->gone - page->certificates;
    p->certificates += page->certificates;
    if (page->n < PAGE)
        next_stage(p);
    else
        go_on_behind(p, page->last);
    return true;
}

static bool prune_page(struct pruning *p, uint64_t *looked_at, struct err *e)
{
    struct page page = {.p = p, .a = arena_new(&HEAP_USUAL), .row = arena_new(&HEAP_USUAL)};
    bool ok = run_page(&page, e);

    *looked_at += page.n + 1;
    arena_free(page.a);
    arena_free(page.row);
    return ok;
}

/* --- Certificates, where there is an inventory: the oldest first -------------------------------
 */

static bool collect(const struct inventory_row *row, void *arg)
{
    struct page *p = arg;
    struct slice serial = arena_copy(p->a, row->serial);

    p->n++;
    if (row->kind != CERT_X509) {
        batch_remove(&p->batch, TABLE_SSH_CERTS, serial, NULL);
        return true;
    }
    batch_remove(&p->batch, TABLE_X509_CERTS_DATA, serial, NULL);
    batch_remove(&p->batch, TABLE_X509_CERTS, serial, NULL);
    return true;
}

static bool prune_inventory(struct pruning *p, uint64_t *looked_at, struct err *e)
{
    struct page page = {.p = p, .a = arena_new(&HEAP_USUAL)};
    struct inventory_query q = {.expiring_before = p->now - p->retention, .limit = PAGE};

    page.batch.arena = page.a;
    bool ok = q.expiring_before <= 0 ||
              p->store->ops->inventory(p->store, &q, collect, &page, DEADLINE_NONE, e);
    ok = ok && (page.batch.n == 0 || store_commit(p->store, &page.batch, DEADLINE_NONE, e));
    if (ok)
        p->certificates += page.n;
    if (ok && page.n < PAGE)
        p->stage = COUNT_OF(STAGES);
    *looked_at += page.n + 1;
    arena_free(page.a);
    return ok;
}

/* --- All of it ---------------------------------------------------------------------------------
 */

static bool step(struct pruning *p, uint64_t *looked_at, struct err *e)
{
    if (STAGES[p->stage].when == ALWAYS)
        return prune_page(p, looked_at, e);
    if (p->retention < 0) {
        p->stage = COUNT_OF(STAGES);
        return true;
    }
    return p->store->caps & STORE_INVENTORY ? prune_inventory(p, looked_at, e)
                                            : prune_page(p, looked_at, e);
}

bool prune_some(struct pruning *p, uint64_t rows, bool *end, struct err *e)
{
    uint64_t looked_at = 0;

    *end = false;
    if (!(p->store->caps & STORE_DURABLE)) {
        *end = true;
        return true;
    }
    while (p->stage < COUNT_OF(STAGES) && looked_at < rows) {
        if (!step(p, &looked_at, e))
            return false;
    }
    if (p->stage < COUNT_OF(STAGES))
        return true;
    *end = true;
    prune_free(p);
    return true;
}

void prune_free(struct pruning *p)
{
    if (p->kept)
        arena_free(p->kept);
    p->kept = NULL;
    p->after = SLICE_NONE;
    p->stage = 0;
}
