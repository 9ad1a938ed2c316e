/*
 * Batches: a transaction as a value.  Here they are built, checked before an engine sees them, and
 * committed by those who may wait; also the few things about certificates that all engines know.
 */
#include <stddef.h>
#include <stdlib.h>

#include "base/pool.h"
#include "store/engine.h"
#include "json/json.h"

const struct refusal STORE_RUN_AGAIN = {ERR_CHANGED, NULL,
                                        "the record was changed by somebody else meanwhile"};

const size_t ISSUED_TEXT_AT[ISSUED_TEXTS] = {
    offsetof(struct issued, serial),
    offsetof(struct issued, der),
    offsetof(struct issued, data),
    offsetof(struct issued, subject),
    offsetof(struct issued, common_name),
    offsetof(struct issued, names),
    offsetof(struct issued, fingerprint),
    offsetof(struct issued, key_type),
    offsetof(struct issued, provisioner_id),
    offsetof(struct issued, provisioner_name),
    offsetof(struct issued, provisioner_type),
    offsetof(struct issued, renewed_from),
    offsetof(struct issued, ca_key),
};

const char *cert_kind_text(enum cert_kind k)
{
    static const char *const TEXTS[CERT_KINDS] = {
        [CERT_X509] = "x509", [CERT_SSH_USER] = "ssh-user", [CERT_SSH_HOST] = "ssh-host"};

    return k < CERT_KINDS ? TEXTS[k] : "?";
}

/* --- Building ------------------------------------------------------------------------------ */

static struct store_op *add(struct store_batch *b, enum op_kind kind, enum table t,
                            struct slice key)
{
    struct store_op *op = arena_alloc(b->arena, sizeof(*op));

    op->kind = kind;
    op->table = t;
    op->key = key;
    op->refusal = &STORE_RUN_AGAIN;
    *(b->last ? &b->last->next : &b->first) = op;
    b->last = op;
    b->n++;
    return op;
}

void batch_put(struct store_batch *b, enum table t, struct slice key, struct slice value)
{
    add(b, OP_PUT, t, key)->value = value;
}

void batch_insert(struct store_batch *b, enum table t, struct slice key, struct slice value,
                  const struct refusal *if_there)
{
    struct store_op *op = add(b, OP_PUT, t, key);

    op->value = value;
    op->expect = EXPECT_ABSENT;
    if (if_there)
        op->refusal = if_there;
}

void batch_swap(struct store_batch *b, enum table t, struct slice key, struct slice old,
                struct slice value)
{
    struct store_op *op = add(b, value.n ? OP_PUT : OP_REMOVE, t, key);

    op->value = value;
    op->expect = EXPECT_VALUE;
    op->old = old;
}

void batch_remove(struct store_batch *b, enum table t, struct slice key,
                  const struct refusal *if_missing)
{
    struct store_op *op = add(b, OP_REMOVE, t, key);

    if (!if_missing)
        return;
    op->expect = EXPECT_PRESENT;
    op->refusal = if_missing;
}

void batch_issue(struct store_batch *b, const struct issued *i)
{
    enum table t = i->kind == CERT_X509 ? TABLE_X509_CERTS : TABLE_SSH_CERTS;
    struct store_op *op = add(b, OP_ISSUE, t, i->serial);

    op->value = i->der;
    op->issued = i;
    op->expect = EXPECT_ABSENT; /* a serial names one certificate (RFC 5280 4.1.2.2) */
}

void batch_revoke(struct store_batch *b, const struct revoked *r, const struct refusal *if_there)
{
    enum table t = r->ssh ? TABLE_REVOKED_SSH_CERTS : TABLE_REVOKED_X509_CERTS;
    struct store_op *op = add(b, OP_REVOKE, t, r->serial);

    op->value = r->record;
    op->revoked = r;
    if (!if_there)
        return;
    op->expect = EXPECT_ABSENT;
    op->refusal = if_there;
}

void batch_absent(struct store_batch *b, enum table t, struct slice key,
                  const struct refusal *if_there)
{
    struct store_op *op = add(b, OP_ABSENT, t, key);

    op->expect = EXPECT_NO_ROW;
    if (if_there)
        op->refusal = if_there;
}

void batch_expires(struct store_batch *b, int64_t unix_seconds)
{
    if (b->last)
        b->last->expires = unix_seconds;
}

void batch_keep(struct store_batch *b)
{
    if (b->last)
        b->last->keep = true;
}

void batch_drop_unkept(struct store_batch *b)
{
    struct store_op *op = b->first;

    batch_clear(b);
    for (struct store_op *next; op; op = next) {
        next = op->next;
        if (!op->keep)
            continue;
        op->next = NULL;
        *(b->last ? &b->last->next : &b->first) = op;
        b->last = op;
        b->n++;
    }
}

void batch_clear(struct store_batch *b)
{
    b->first = b->last = NULL;
    b->n = 0;
}

/* --- Checking ------------------------------------------------------------------------------ */

static int op_cmp(const void *a, const void *b)
{
    const struct store_op *x = *(const struct store_op *const *)a;
    const struct store_op *y = *(const struct store_op *const *)b;

    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return slice_cmp(x->key, y->key);
}

static bool twice(const struct store_op *op, struct err *e)
{
    return err_set(e, ERR_INTERNAL,
                   "a batch may name a key once, \"%.*s\" of %s stands in it twice",
                   SLICE_ARG(slice_sub(op->key, 0, 80)), table_name(op->table));
}

/* Import batches are long; those of requests have two or three ops. */
static bool check_long(const struct store_batch *b, struct err *e)
{
    const struct store_op **ops = xcalloc(b->n, sizeof(const struct store_op *));
    const struct store_op *same = NULL;
    size_t n = 0;

    for (const struct store_op *op = b->first; op && n < b->n; op = op->next)
        ops[n++] = op;
    qsort(ops, n, sizeof(const struct store_op *), op_cmp);
    for (size_t i = 1; i < n && !same; i++) {
        if (op_cmp(&ops[i - 1], &ops[i]) == 0)
            same = ops[i];
    }
    free(ops);
    return same ? twice(same, e) : true;
}

static bool check_short(const struct store_batch *b, struct err *e)
{
    for (const struct store_op *op = b->first; op; op = op->next) {
        for (const struct store_op *other = op->next; other; other = other->next) {
            if (op_cmp(&op, &other) == 0)
                return twice(op, e);
        }
    }
    return true;
}

static bool check_op(const struct store_op *op, struct err *e)
{
    if (op->table >= TABLES)
        return err_set(e, ERR_INTERNAL, "a batch names table %d, which does not exist", op->table);
    if (slice_empty(op->key))
        return err_set(e, ERR_INTERNAL, "a batch has an empty key for %s", table_name(op->table));
    if (op->kind == OP_ISSUE && (!op->issued || slice_empty(op->issued->der)))
        return err_set(e, ERR_INTERNAL, "a batch issues nothing");
    if (op->kind == OP_REVOKE && !op->revoked)
        return err_set(e, ERR_INTERNAL, "a batch revokes nothing");
    return true;
}

bool batch_check(const struct store_batch *b, struct err *e)
{
    for (const struct store_op *op = b->first; op; op = op->next) {
        if (!check_op(op, e))
            return false;
    }
    return b->n > 32 ? check_long(b, e) : check_short(b, e);
}

bool batch_op_holds(const struct store_op *op, struct slice found)
{
    switch (op->expect) {
    case EXPECT_ANY:
        return true;
    case EXPECT_ABSENT:
        return slice_empty(found);
    case EXPECT_PRESENT:
        return !slice_empty(found);
    case EXPECT_VALUE:
        return slice_eq(op->old, found) || (slice_empty(op->old) && slice_empty(found));
    case EXPECT_NO_ROW:
        return !found.p;
    }
    return false;
}

/* --- Certificates -------------------------------------------------------------------------- */

bool issued_name_next(struct slice *rest, struct slice *type, struct slice *value)
{
    struct slice line = SLICE_NONE;

    while (slice_empty(line)) {
        if (!slice_split(rest, '\n', &line))
            return false;
    }
    size_t colon = slice_find(line, ':');
    bool typed = colon < line.n;
    *type = typed ? slice_sub(line, 0, colon) : SLICE("");
    *value = typed ? slice_from(line, colon + 1) : line;
    return true;
}

bool inventory_has_name(struct slice names, struct slice san)
{
    struct slice type, value;
    size_t colon = slice_find(san, ':');

    while (issued_name_next(&names, &type, &value)) {
        if (slice_eq_case(value, san))
            return true;
        if (colon < san.n && slice_eq(type, slice_sub(san, 0, colon)) &&
            slice_eq_case(value, slice_from(san, colon + 1)))
            return true;
    }
    return false;
}

void store_revoked_from_record(struct revoked *r, struct arena *a, struct slice record, int64_t now)
{
    const struct json *object = json_read(a, record, &JSON_RECORD, NULL, NULL);
    struct instant at;
    int64_t code = 0;

    *r = (struct revoked){.serial = r->serial, .record = record, .at = now};
    if (rfc3339_read(json_text(json_get(object, "RevokedAt")), &at) && at.sec > 0)
        r->at = at.sec;
    if (json_int(json_get(object, "ReasonCode"), &code) && code >= 0 && code <= 10)
        r->reason_code = (int)code;
    r->reason = json_text(json_get(object, "Reason"));
}

bool store_provisioner_from_data(struct issued *i, struct arena *a, struct slice data)
{
    const struct json *object = json_read(a, data, &JSON_RECORD, NULL, NULL);
    const struct json *by = json_get(object, "provisioner");

    if (!by || by->kind != JSON_OBJECT)
        return false;
    i->provisioner_id = json_text(json_get(by, "id"));
    i->provisioner_name = json_text(json_get(by, "name"));
    i->provisioner_type = json_text(json_get(by, "type"));
    return true;
}

/* --- Waiting ------------------------------------------------------------------------------- */

void commit_wait_begin(struct commit_wait *w)
{
    *w = (struct commit_wait){.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
}

/* The waiter's struct is gone as soon as it has seen `done`: everything happens under the lock. */
void commit_wait_done(enum committed how, const struct store_op *refused, const struct err *why,
                      void *wait)
{
    struct commit_wait *w = wait;

    pthread_mutex_lock(&w->lock);
    w->outcome = how;
    w->refused = refused;
    if (why)
        err_move(&w->why, why);
    w->done = true;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->lock);
}

static bool wait_verdict(const struct commit_wait *w, struct err *e)
{
    if (w->outcome == STORE_COMMITTED)
        return true;
    if (w->outcome == STORE_REFUSED) {
        const struct refusal *refusal =
            w->refused && w->refused->refusal ? w->refused->refusal : &STORE_RUN_AGAIN;
        err_set(e, refusal->kind, "%s", refusal->text);
        if (e)
            e->code = refusal->code;
        return false;
    }
    if (w->why.kind == ERR_NONE)
        return err_set(e, ERR_UNAVAILABLE, "the store did not say whether it kept the records");
    if (e)
        err_move(e, &w->why);
    return false;
}

bool commit_wait_end(struct commit_wait *w, struct err *e)
{
    pthread_mutex_lock(&w->lock);
    if (!w->done) {
        pthread_mutex_unlock(&w->lock);
        pool_wait_begin();
        pthread_mutex_lock(&w->lock);
        while (!w->done)
            pthread_cond_wait(&w->ended, &w->lock);
        pthread_mutex_unlock(&w->lock);
        pool_wait_end();
    } else {
        pthread_mutex_unlock(&w->lock);
    }
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->ended);
    return wait_verdict(w, e);
}

bool store_get(struct store *s, enum table t, struct slice key, struct arena *a,
               struct slice *value, struct deadline d, struct err *e)
{
    *value = SLICE_NONE;
    return s->ops->get(s, t, key, a, value, d, e);
}

bool store_commit(struct store *s, struct store_batch *b, struct deadline d, struct err *e)
{
    struct commit_wait w;

    commit_wait_begin(&w);
    s->ops->submit(s, b, d, commit_wait_done, &w);
    return commit_wait_end(&w, e);
}

void store_close(struct store *s)
{
    if (s)
        s->ops->close(s);
}
