/*
 * The memory engine: one ordered tree of rows under one mutex.  A commit checks every expectation
 * and then applies, so all or nothing comes for free.  It serves tests (every table), and a CA
 * without a database: then only used tokens stay, until they expire, and everything else is
 * accepted and dropped.
 *
 * The tree is a treap: ordered by (table, key), heap-ordered by random priorities, so that its
 * depth does not depend on the keys that clients choose.
 */
#include <pthread.h>
#include <stdlib.h>

#include "store/engine.h"

struct row {
    struct row *left, *right;
    uint32_t priority;
    enum table table;
    int64_t expires;
    struct slice key, value; /* both ours */
    struct issued *issued;   /* a certificate of OP_ISSUE: its inventory row, one block */
    int64_t revoked_at;      /* a revocation: what the inventory shows */
    int reason_code;
    struct slice reason;
};

struct memory {
    struct store base;
    pthread_mutex_t lock;
    bool everything;
    struct clock *clock;
    struct row *root;
    enum table pruned_table; /* the row that prune looked at last */
    struct slice pruned_key;
};

static const uint8_t EMPTY[1];

static struct slice own(struct slice s)
{
    uint8_t *p = xmalloc(s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

static void disown(struct slice s)
{
    free((void *)(uintptr_t)s.p);
}

/* --- The tree ------------------------------------------------------------------------------ */

static int order(enum table t, struct slice key, const struct row *row)
{
    if (t != row->table)
        return t < row->table ? -1 : 1;
    return slice_cmp(key, row->key);
}

static struct row *find(const struct memory *m, enum table t, struct slice key)
{
    struct row *row = m->root;

    for (int c; row && (c = order(t, key, row)) != 0;)
        row = c < 0 ? row->left : row->right;
    return row;
}

static struct row *turn_right(struct row *row)
{
    struct row *up = row->left;

    row->left = up->right;
    up->right = row;
    return up;
}

static struct row *turn_left(struct row *row)
{
    struct row *up = row->right;

    row->right = up->left;
    up->left = row;
    return up;
}

static struct row *insert(struct row *root, struct row *row)
{
    if (!root)
        return row;
    if (order(row->table, row->key, root) < 0) {
        root->left = insert(root->left, row);
        return root->left->priority > root->priority ? turn_right(root) : root;
    }
    root->right = insert(root->right, row);
    return root->right->priority > root->priority ? turn_left(root) : root;
}

static struct row *join(struct row *left, struct row *right)
{
    if (!left || !right)
        return left ? left : right;
    if (left->priority > right->priority) {
        left->right = join(left->right, right);
        return left;
    }
    right->left = join(left, right->left);
    return right;
}

static void row_free(struct row *row)
{
    disown(row->key);
    disown(row->value);
    disown(row->reason);
    free(row->issued);
    free(row);
}

static void drop(struct memory *m, enum table t, struct slice key)
{
    struct row **at = &m->root;

    for (int c; *at && (c = order(t, key, *at)) != 0;)
        at = c < 0 ? &(*at)->left : &(*at)->right;
    struct row *row = *at;
    if (!row)
        return;
    *at = join(row->left, row->right);
    row_free(row);
}

static void tree_free(struct row *row)
{
    if (!row)
        return;
    tree_free(row->left);
    tree_free(row->right);
    row_free(row);
}

/* The first row behind (t, key), in whatever table. */
static struct row *behind(const struct memory *m, enum table t, struct slice key)
{
    struct row *best = NULL;

    for (struct row *row = m->root; row;) {
        bool later = order(t, key, row) < 0;
        if (later)
            best = row;
        row = later ? row->left : row->right;
    }
    return best;
}

/* --- Commit -------------------------------------------------------------------------------- */

static struct row *row_for(struct memory *m, enum table t, struct slice key)
{
    struct row *row = find(m, t, key);

    if (row)
        return row;
    row = xcalloc(1, sizeof(*row));
    RNG_SYSTEM.fill(&RNG_SYSTEM, &row->priority, sizeof(row->priority));
    row->table = t;
    row->key = own(key);
    m->root = insert(m->root, row);
    return row;
}

static struct row *put(struct memory *m, enum table t, struct slice key, struct slice value,
                       int64_t expires)
{
    struct row *row = row_for(m, t, key);

    disown(row->value);
    row->value = own(value);
    row->expires = expires;
    return row;
}

/* The struct and all its texts in one block. */
static struct issued *issued_copy(const struct issued *from)
{
    size_t n = sizeof(*from);

    for (size_t i = 0; i < ISSUED_TEXTS; i++)
        n += issued_text(from, i)->n;
    struct issued *copy = xmalloc(n);
    *copy = *from;
    uint8_t *p = (uint8_t *)(copy + 1);
    for (size_t i = 0; i < ISSUED_TEXTS; i++) {
        struct slice *text = issued_text(copy, i);
        if (text->n)
            memcpy(p, text->p, text->n);
        text->p = p;
        p += text->n;
    }
    return copy;
}

static void mark_revoked(struct row *row, const struct revoked *r)
{
    disown(row->reason);
    row->revoked_at = r->at > 0 ? r->at : 1; /* 0 would mean: not */
    row->reason_code = r->reason_code;
    row->reason = own(r->reason);
}

static void put_plain(struct memory *m, const struct store_op *op)
{
    struct row *row = put(m, op->table, op->key, op->value, op->expires);

    if (op->table != TABLE_REVOKED_X509_CERTS && op->table != TABLE_REVOKED_SSH_CERTS)
        return;
    struct arena *a = arena_new(&HEAP_USUAL);
    struct revoked r = {.serial = op->key};
    store_revoked_from_record(&r, a, op->value, m->clock->now(m->clock).sec);
    mark_revoked(row, &r);
    arena_free(a);
}

static void apply(struct memory *m, const struct store_op *op)
{
    struct row *row;

    if (!m->everything && op->table != TABLE_USED_OTT)
        return;
    switch (op->kind) {
    case OP_PUT:
        put_plain(m, op);
        break;
    case OP_REMOVE:
        drop(m, op->table, op->key);
        break;
    case OP_ISSUE:
        row = put(m, op->table, op->key, op->value, 0);
        free(row->issued);
        row->issued = issued_copy(op->issued);
        if (op->issued->data.n)
            put(m, TABLE_X509_CERTS_DATA, op->key, op->issued->data, 0);
        break;
    case OP_REVOKE:
        mark_revoked(put(m, op->table, op->key, op->value, op->expires), op->revoked);
        break;
    case OP_ABSENT:
        break;
    }
}

static const struct store_op *broken(const struct memory *m, const struct store_batch *b)
{
    for (const struct store_op *op = b->first; op; op = op->next) {
        const struct row *row = find(m, op->table, op->key);
        if (!batch_op_holds(op, row ? row->value : SLICE_NONE))
            return op;
    }
    return NULL;
}

static void memory_submit(struct store *s, struct store_batch *b, struct deadline d,
                          committed_fn *done, void *arg)
{
    struct memory *m = (struct memory *)s;
    struct err why = {0};

    if (!batch_check(b, &why) || !deadline_ok(d, &why)) {
        done(STORE_LOST, NULL, &why, arg);
        return;
    }
    pthread_mutex_lock(&m->lock);
    const struct store_op *refused = broken(m, b);
    for (const struct store_op *op = refused ? NULL : b->first; op; op = op->next)
        apply(m, op);
    pthread_mutex_unlock(&m->lock);
    done(refused ? STORE_REFUSED : STORE_COMMITTED, refused, NULL, arg);
}

/* --- Reading ------------------------------------------------------------------------------- */

static bool memory_get(struct store *s, enum table t, struct slice key, struct arena *a,
                       struct slice *value, struct deadline d, struct err *e)
{
    struct memory *m = (struct memory *)s;

    *value = SLICE_NONE;
    if (!deadline_ok(d, e))
        return false;
    pthread_mutex_lock(&m->lock);
    const struct row *row = find(m, t, key);
    if (row)
        *value = arena_copy(a, row->value);
    pthread_mutex_unlock(&m->lock);
    return true;
}

/* One row at a time, so that the visitor may use the store. */
static bool memory_scan(struct store *s, enum table t, struct slice after, unsigned limit,
                        visit_fn *visit, void *arg, struct deadline d, struct err *e)
{
    struct memory *m = (struct memory *)s;
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct slice last = own(after);
    bool ok = true;

    for (unsigned n = 0; limit == 0 || n < limit; n++) {
        ok = deadline_ok(d, e);
        if (!ok)
            break;
        struct arena_mark mark = arena_mark(a);
        pthread_mutex_lock(&m->lock);
        const struct row *row = behind(m, t, last);
        bool more = row && row->table == t;
        struct slice value = more ? arena_copy(a, row->value) : SLICE_NONE;
        if (more) {
            disown(last);
            last = own(row->key);
        }
        pthread_mutex_unlock(&m->lock);
        if (!more || !visit(last, value, arg))
            break;
        arena_rewind(a, mark);
    }
    disown(last);
    return ok;
}

/* --- Inventory: every certificate against the query, then sorted ---------------------------- */

struct found {
    struct inventory_row *rows;
    size_t n, cap;
};

static bool behind_cursor(const struct issued *i, const struct inventory_query *q)
{
    if (slice_empty(q->after) || i->not_after > q->after_not_after)
        return true;
    int order = slice_cmp(i->serial, q->after);
    return i->not_after == q->after_not_after &&
           (order > 0 || (order == 0 && i->kind != CERT_X509 && !q->after_ssh));
}

static bool names_match(const struct issued *i, const struct inventory_query *q)
{
    if (q->provisioner.n && !slice_eq(q->provisioner, i->provisioner_id) &&
        !slice_eq(q->provisioner, i->provisioner_name))
        return false;
    if (q->san.n && !inventory_has_name(i->names, q->san))
        return false;
    if (q->subject.n && !slice_eq_case(q->subject, i->subject) &&
        !slice_eq_case(q->subject, i->common_name))
        return false;
    return !q->serial.n || slice_eq(q->serial, i->serial);
}

static bool matches(const struct issued *i, bool revoked, const struct inventory_query *q,
                    int64_t now)
{
    if (q->expiring_before && i->not_after >= q->expiring_before)
        return false;
    if (q->issued_since && i->issued_at < q->issued_since)
        return false;
    if (q->only_revoked && !revoked)
        return false;
    if (q->only_active && (revoked || i->not_after <= now))
        return false;
    if (i->kind == CERT_X509 ? q->only_ssh : q->only_x509)
        return false;
    return names_match(i, q) && behind_cursor(i, q);
}

static struct inventory_row *found_room(struct found *f)
{
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->rows = xrealloc(f->rows, f->cap * sizeof(*f->rows));
    }
    return &f->rows[f->n++];
}

static void take(struct found *f, const struct issued *i, const struct row *revoked,
                 struct arena *a)
{
    *found_room(f) = (struct inventory_row){
        .kind = i->kind,
        .ca_key = arena_copy(a, i->ca_key),
        .serial = arena_copy(a, i->serial),
        .subject = arena_copy(a, i->subject),
        .common_name = arena_copy(a, i->common_name),
        .names = arena_copy(a, i->names),
        .fingerprint = arena_copy(a, i->fingerprint),
        .key_type = arena_copy(a, i->key_type),
        .provisioner_id = arena_copy(a, i->provisioner_id),
        .provisioner_name = arena_copy(a, i->provisioner_name),
        .provisioner_type = arena_copy(a, i->provisioner_type),
        .renewed_from = arena_copy(a, i->renewed_from),
        .reason = revoked ? arena_copy(a, revoked->reason) : slice_of(EMPTY, 0),
        .not_before = i->not_before,
        .not_after = i->not_after,
        .issued_at = i->issued_at,
        .revoked_at = revoked ? revoked->revoked_at : 0,
        .reason_code = revoked ? revoked->reason_code : 0,
        .der = arena_copy(a, i->der),
    };
}

static void collect(struct memory *m, enum table t, enum table revocations,
                    const struct inventory_query *q, struct found *f, struct arena *a)
{
    int64_t now = m->clock->now(m->clock).sec;
    struct row *row = behind(m, t, SLICE_NONE);

    for (; row && row->table == t; row = behind(m, row->table, row->key)) {
        const struct row *revoked = find(m, revocations, row->key);
        if (row->issued && matches(row->issued, revoked != NULL, q, now))
            take(f, row->issued, revoked, a);
    }
}

static int by_not_after(const void *a, const void *b)
{
    const struct inventory_row *x = a, *y = b;

    if (x->not_after != y->not_after)
        return x->not_after < y->not_after ? -1 : 1;
    int order = slice_cmp(x->serial, y->serial);
    return order ? order : (x->kind != CERT_X509) - (y->kind != CERT_X509);
}

static bool memory_inventory(struct store *s, const struct inventory_query *q, inventory_fn *visit,
                             void *arg, struct deadline d, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct memory *m = (struct memory *)s;
    struct found f = {0};

    if (!deadline_ok(d, e))
        return false;
    pthread_mutex_lock(&m->lock);
    collect(m, TABLE_X509_CERTS, TABLE_REVOKED_X509_CERTS, q, &f, a);
    collect(m, TABLE_SSH_CERTS, TABLE_REVOKED_SSH_CERTS, q, &f, a);
    pthread_mutex_unlock(&m->lock);
    if (f.n)
        qsort(f.rows, f.n, sizeof(*f.rows), by_not_after);
    for (size_t i = 0; i < f.n && (q->limit == 0 || i < q->limit); i++) {
        if (!visit(&f.rows[i], arg))
            break;
    }
    free(f.rows);
    return true;
}

/* --- The rest ------------------------------------------------------------------------------ */

#define PRUNE_ROWS 20000 /* looked at in one call: some milliseconds */

/* Under the lock.  Goes round the tree: the next call starts where this one ended. */
static uint64_t prune_some(struct memory *m, int64_t now)
{
    uint64_t removed = 0;

    for (unsigned n = 0; n < PRUNE_ROWS; n++) {
        struct row *row = behind(m, m->pruned_table, m->pruned_key);
        disown(m->pruned_key);
        m->pruned_table = row ? row->table : 0;
        m->pruned_key = row ? own(row->key) : SLICE_NONE;
        if (!row)
            break;
        if (row->expires == 0 || row->expires >= now)
            continue;
        drop(m, m->pruned_table, m->pruned_key);
        removed++;
    }
    return removed;
}

static bool memory_prune(struct store *s, int64_t now, uint64_t *removed, struct err *e UNUSED)
{
    struct memory *m = (struct memory *)s;

    pthread_mutex_lock(&m->lock);
    *removed = prune_some(m, now);
    pthread_mutex_unlock(&m->lock);
    return true;
}

static void memory_close(struct store *s)
{
    struct memory *m = (struct memory *)s;

    tree_free(m->root);
    disown(m->pruned_key);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static const struct store_ops MEMORY = {
    .get = memory_get,
    .scan = memory_scan,
    .inventory = memory_inventory,
    .submit = memory_submit,
    .close = memory_close,
    .prune = memory_prune,
};

struct store *store_memory_open(bool keep_everything, struct clock *clock)
{
    struct memory *m = xcalloc(1, sizeof(*m));

    m->base.ops = &MEMORY;
    m->base.caps = keep_everything ? STORE_DURABLE | STORE_INVENTORY : 0;
    m->base.name = "memory";
    m->everything = keep_everything;
    m->clock = clock;
    pthread_mutex_init(&m->lock, NULL);
    return &m->base;
}
