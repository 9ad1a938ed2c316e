/* The CRL: everything revoked that has not ended, signed by the issuer, kept in the store. */
#include "x509/crl.h"

#include "authority/revocations.h"
#include "base/log.h"

#define CRL_KEY    SLICE("crl")
#define CRL_MAX    (256u << 20)
#define CRL_TRIES  10
#define PAGE       1000
#define KEPT_AFTER (3600 * NS_PER_SEC) /* an ended certificate stays listed so long */

struct crl_record {
    uint64_t number;
    struct instant expires;
    int64_t duration;
    struct slice der;
};
#define AT(member) offsetof(struct crl_record, member)
static const struct field FIELDS[] = {
    {"Number", FIELD_UINT, AT(number), 0, NULL},
    {"ExpiresAt", FIELD_TIME, AT(expires), 0, NULL},
    {"Duration", FIELD_INT, AT(duration), 0, NULL},
    {"DER", FIELD_BYTES, AT(der), FIELD_NULL_WHEN_NONE, NULL},
};
#undef AT
static const struct shape CRL_RECORD_SHAPE = {"CRL record", sizeof(struct crl_record), FIELDS,
                                              COUNT_OF(FIELDS), false};

static bool load(struct work *w, struct slice *raw, struct crl_record *record)
{
    *record = (struct crl_record){0};
    if (!store_get(w->services->store, TABLE_X509_CRL, CRL_KEY, w->arena, raw, w->deadline,
                   &w->err))
        return err_wrap(&w->err, "reading the CRL");
    if (raw->n == 0)
        return true;
    const struct json *v = json_read(w->arena, *raw, &JSON_RECORD, NULL, &w->err);
    if (!v || !shape_read(&CRL_RECORD_SHAPE, v, record, w->arena, &w->err)) {
        err_classify(&w->err, ERR_INTERNAL);
        return err_wrap(&w->err, "the stored CRL");
    }
    return true;
}

bool crl_load(struct work *w, struct slice *der, struct instant *next_update)
{
    struct crl_record record;
    struct slice raw;

    if (!load(w, &raw, &record))
        return false;
    *der = raw.n > 0 ? record.der : SLICE_NONE;
    *next_update = record.expires;
    return true;
}

struct collector {
    struct work *w;
    struct crl_entry *v;
    size_t n, cap;
    struct instant floor; /* entries that ended before it are left out */
    struct slice last;
    size_t seen;
    struct arena *a;
};

static void collect_one(struct collector *c, struct slice key, struct slice value)
{
    struct revocation_entry entry = {.at = c->floor, .expires = INSTANT_ZERO_GO};
    struct crl_entry out = {0};

    if (!serial_read(c->a, key, &out.serial, NULL)) {
        log_error("revoked certificate \"%.*s\": the key is no serial number; it is not in the CRL",
                  SLICE_ARG(slice_sub(key, 0, 64)));
        return;
    }
    if (!revocation_read(c->a, value, &entry))
        log_error("revoked certificate %.*s: its record cannot be read; it stays in the CRL",
                  SLICE_ARG(slice_sub(key, 0, 64)));
    if (!instant_is_zero(entry.expires) && instant_cmp(entry.expires, c->floor) < 0)
        return;
    out.at = instant_truncate(entry.at);
    out.reason = entry.code > 0 && entry.code <= 10 && entry.code != 7 && entry.code != 8
                     ? (int)entry.code
                     : 0;
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 256;
        struct crl_entry *v = arena_array(c->a, cap, sizeof(*v));
        if (c->n > 0)
            memcpy(v, c->v, c->n * sizeof(*v));
        c->v = v;
        c->cap = cap;
    }
    c->v[c->n++] = out;
}

static bool visit(struct slice key, struct slice value, void *arg)
{
    struct collector *c = arg;

    c->seen++;
    c->last = arena_copy(c->a, key);
    collect_one(c, key, value);
    return true;
}

static bool collect(struct collector *c)
{
    struct work *w = c->w;

    do {
        c->seen = 0;
        if (!w->services->store->ops->scan(w->services->store, TABLE_REVOKED_X509_CERTS, c->last,
                                           PAGE, visit, c, w->deadline, &w->err))
            return err_wrap(&w->err, "listing revoked certificates");
    } while (c->seen == PAGE);
    return true;
}

static bool build(struct work *w, struct slice raw, const struct crl_record *before,
                  struct slice *value)
{
    const struct core *core = w->authority->core;
    struct instant now = instant_truncate(w->services->clock->now(w->services->clock));
    struct collector c = {.w = w, .a = w->arena, .floor = instant_add(now, -KEPT_AFTER)};
    struct buf der = buf_new(w->arena, CRL_MAX), record = buf_new(w->arena, CRL_MAX);

    if (!collect(&c))
        return false;
    struct crl_order order = {.number = raw.n > 0 ? before->number + 1 : 0,
                              .this_update = now,
                              .next_update = instant_add(now, core->crl.cache),
                              .entries = c.v,
                              .n = c.n,
                              .idp_url = core->crl.idp_url};
    if (!crl_make(&order, &core->issuer, &der, w->deadline, &w->err)) {
        err_classify(&w->err, ERR_INTERNAL);
        return err_wrap(&w->err, "making the CRL");
    }
    struct crl_record next = {order.number, order.next_update, core->crl.cache, buf_slice(&der)};
    shape_write(&CRL_RECORD_SHAPE, &next, &record);
    *value = buf_slice(&record);
    return buf_done(&record, "CRL record", &w->err);
}

static bool generate_once(struct work *w)
{
    struct crl_record before;
    struct slice raw, value;

    if (!load(w, &raw, &before) || !build(w, raw, &before, &value))
        return false;
    struct store_batch batch = {.arena = w->arena};
    batch_swap(&batch, TABLE_X509_CRL, CRL_KEY, raw, value);
    return store_commit(w->services->store, &batch, w->deadline, &w->err);
}

bool crl_generate(struct work *w)
{
    struct services *s = w->services;
    bool ok = false;

    if (!w->authority->core->crl.enabled)
        return true;
    if (!gate_enter(&s->crl_gate, w->deadline, &w->err))
        return false;
    for (int i = 0; i < CRL_TRIES && !ok; i++) {
        struct arena_mark mark = arena_mark(w->arena);
        err_clear(&w->err);
        ok = generate_once(w);
        arena_rewind(w->arena, mark);
        if (!ok && w->err.kind != ERR_CHANGED)
            break;
    }
    gate_leave(&s->crl_gate);
    return ok;
}
