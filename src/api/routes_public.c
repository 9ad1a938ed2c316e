/* Routes that anybody may read: health, roots, provisioners. */
#include "api/routes.h"

#include "authority/metrics.h"
#include "base/uri.h"
#include "crypto/digest.h"

#define PAGE_USUAL 20
#define PAGE_MAX   100
#define KEY_DIGITS 40

#define METRICS_MAX  (4u << 20)
#define METRICS_BUSY "too many collectors read metrics at a time; try again later\n"

static const struct core *core_of(const struct request *r)
{
    return r->work.authority->core;
}

enum outcome act_health(struct request *r)
{
    respond_json(r, 200, SLICE("{\"status\":\"ok\"}\n"));
    return ACT_DONE;
}

/* Without the path in front: "store /var/…: database or disk is full". */
static struct slice public_reason(const struct err *e)
{
    struct slice text = slice_text(e->text);
    size_t end = slice_search(text, SLICE(": "));

    return slice_starts(text, "store ") && end < text.n ? slice_from(text, end + 2) : text;
}

/* Can what is issued be recorded?  Health says only that the service answers. */
enum outcome act_ready(struct request *r)
{
    struct store *store = r->work.services->store;
    struct err why = {0};

    if (!store->ops->probe || store->ops->probe(store, r->work.deadline, &why)) {
        respond_json(r, 200, SLICE("{\"status\":\"ok\"}\n"));
        return ACT_DONE;
    }
    struct buf b = buf_new(r->work.arena, 4096);
    struct json_writer j = json_writer(&b);
    json_open(&j, NULL);
    json_member_text(&j, "status", SLICE("unavailable"));
    json_member_text(&j, "reason", public_reason(&why));
    json_close(&j);
    buf_byte(&b, '\n');
    respond_json(r, 503, buf_slice(&b));
    return ACT_DONE;
}

enum outcome act_version(struct request *r)
{
    respond_json(r, 200, core_of(r)->version_json);
    return ACT_DONE;
}

/* Lower case, without '-'. */
static struct slice plain_fingerprint(struct arena *a, struct slice text)
{
    struct buf b = buf_new(a, text.n + 1);

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c != '-')
            buf_byte(&b, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
    }
    return buf_slice(&b);
}

static const struct cert *find_root(struct request *r, struct slice fingerprint)
{
    const struct core *core = core_of(r);

    for (size_t i = 0; i < core->roots.n; i++) {
        if (slice_eq(core->root_fingerprints[i], fingerprint))
            return core->roots.v[i];
    }
    for (size_t i = 0; i < core->federated.n; i++) {
        struct slice own = cert_fingerprint(r->work.arena, core->federated.v[i]->der);
        if (slice_eq(own, fingerprint))
            return core->federated.v[i];
    }
    return NULL;
}

enum outcome act_root(struct request *r)
{
    struct slice fingerprint = plain_fingerprint(r->work.arena, r->args[0]);
    const struct cert *root = find_root(r, fingerprint);
    struct buf b = buf_new(r->work.arena, CERT_MAX * 2);
    struct json_writer j = json_writer(&b);

    if (!root) {
        err_set(&r->work.err, ERR_NOT_FOUND, "there is no root certificate with fingerprint %.*s",
                SLICE_ARG(slice_sub(fingerprint, 0, 128)));
        return ACT_FAILED;
    }
    json_open(&j, NULL);
    json_member_text(&j, "ca", cert_pem(r->work.arena, root->der));
    json_close(&j);
    buf_byte(&b, '\n');
    respond_json(r, 200, buf_slice(&b));
    return ACT_DONE;
}

enum outcome act_roots(struct request *r)
{
    respond_json(r, 201, core_of(r)->roots_json);
    return ACT_DONE;
}

enum outcome act_intermediates(struct request *r)
{
    respond_json(r, 201, core_of(r)->intermediates_json);
    return ACT_DONE;
}

enum outcome act_federation(struct request *r)
{
    respond_json(r, 201, core_of(r)->federation_json);
    return ACT_DONE;
}

enum outcome act_roots_pem(struct request *r)
{
    respond_bytes(r, 200, "application/x-pem-file", core_of(r)->roots_pem);
    return ACT_DONE;
}

enum outcome act_intermediates_pem(struct request *r)
{
    respond_bytes(r, 200, "application/x-pem-file", core_of(r)->intermediates_pem);
    return ACT_DONE;
}

/* Key of the provisioner at place i: SHA-1 of its id, the first four bytes replaced by i. */
static struct slice page_key(struct arena *a, const struct provisioner *p, size_t i)
{
    uint8_t sum[DIGEST_MAX];
    static const char DIGITS[] = "0123456789abcdef";
    char *key = arena_alloc(a, KEY_DIGITS + 1);

    digest_of(DIGEST_SHA1, p->id, sum);
    for (int k = 0; k < 4; k++)
        sum[k] = (uint8_t)((uint32_t)i >> (24 - 8 * k));
    for (int k = 0; k < KEY_DIGITS / 2; k++) {
        key[2 * k] = DIGITS[sum[k] >> 4];
        key[2 * k + 1] = DIGITS[sum[k] & 15];
    }
    return slice_of(key, KEY_DIGITS);
}

static bool page_query(struct request *r, struct slice *cursor, size_t *limit)
{
    struct slice query = r->x->in.query, text;

    *limit = PAGE_USUAL;
    *cursor = SLICE("");
    if (!query.p)
        return true;
    if (uri_query_get(r->work.arena, query, "limit", &text) && text.n > 0) {
        bool negative = text.p[0] == '-';
        uint64_t n;
        if (!slice_to_u64(slice_from(text, negative || text.p[0] == '+' ? 1 : 0), &n))
            return err_set(&r->work.err, ERR_MALFORMED, "limit \"%.*s\" is not a whole number",
                           SLICE_ARG(slice_sub(text, 0, 64)));
        if (!negative && n > 0)
            *limit = n > PAGE_MAX ? PAGE_MAX : (size_t)n;
    }
    if (uri_query_get(r->work.arena, query, "cursor", &text))
        *cursor = text;
    return true;
}

static struct slice pad_cursor(struct arena *a, struct slice cursor)
{
    if (cursor.n >= KEY_DIGITS)
        return cursor;
    struct buf b = buf_new(a, KEY_DIGITS);
    for (size_t i = cursor.n; i < KEY_DIGITS; i++)
        buf_byte(&b, '0');
    buf_put(&b, cursor);
    return buf_slice(&b);
}

static struct slice strip_zeros(struct slice key)
{
    size_t i = 0;

    while (i < key.n && key.p[i] == '0')
        i++;
    return slice_from(key, i);
}

enum outcome act_provisioners(struct request *r)
{
    const struct registry *registry = r->work.authority->registry;
    struct arena *a = r->work.arena;
    struct buf b = buf_new(a, 64u << 20);
    struct slice cursor, next = SLICE("");
    size_t limit, written = 0, i = 0;

    if (!page_query(r, &cursor, &limit))
        return ACT_FAILED;
    cursor = pad_cursor(a, cursor);
    while (i < registry->n && slice_cmp(page_key(a, registry->all[i], i), cursor) < 0)
        i++;
    buf_text(&b, "{\"provisioners\":[");
    for (; i < registry->n && written < limit; i++, written++) {
        if (written > 0)
            buf_byte(&b, ',');
        buf_put(&b, registry->all[i]->listing);
    }
    if (i < registry->n)
        next = strip_zeros(page_key(a, registry->all[i], i));
    buf_text(&b, "],\"nextCursor\":");
    json_put_text(&b, next);
    buf_text(&b, "}\n");
    if (!buf_done(&b, "provisioner list", &r->work.err))
        return ACT_FAILED;
    respond_json(r, 200, buf_slice(&b));
    return ACT_DONE;
}

enum outcome act_encrypted_key(struct request *r)
{
    const struct provisioner *p = registry_by_kid(r->work.authority->registry, r->args[0]);
    struct buf b = buf_new(r->work.arena, 64u << 10);
    struct json_writer j = json_writer(&b);

    if (!p) {
        err_set(&r->work.err, ERR_NOT_FOUND, "there is no encrypted key with key id %.*s",
                SLICE_ARG(slice_sub(r->args[0], 0, 128)));
        return ACT_FAILED;
    }
    json_open(&j, NULL);
    json_member_text(&j, "key", p->encrypted_key);
    json_close(&j);
    buf_byte(&b, '\n');
    respond_json(r, 200, buf_slice(&b));
    return ACT_DONE;
}

/* The place is given back when the answer has left, or its reader is given up. */
enum outcome act_metrics(struct request *r)
{
    struct ref *place = metrics_scrape(r->work.services->metrics);
    struct buf b = buf_new(r->work.arena, METRICS_MAX);

    r->x->out.write_ns = METRICS_SECONDS * NS_PER_SEC;
    if (!place) {
        respond_bytes(r, 503, "text/plain; charset=utf-8", SLICE(METRICS_BUSY));
        http_fields_set(&r->x->out.fields, r->x->arena, "Retry-After", SLICE("1"));
        return ACT_DONE;
    }
    r->x->out.keep = place;
    if (!deadline_ok(r->work.deadline, &r->work.err))
        return ACT_FAILED;
    metrics_write(r->work.services->metrics, &b);
    if (!buf_done(&b, "metrics", &r->work.err))
        return ACT_FAILED;
    respond_bytes(r, 200, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&b));
    return ACT_DONE;
}
