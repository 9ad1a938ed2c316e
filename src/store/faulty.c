/*
 * A store that fails once, for tests of those who commit: the nth submit is refused, lost, or
 * committed without anybody being told.  Everything else goes to the store inside.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "store/engine.h"

struct faulty {
    struct store base;
    struct store *inner;
    atomic_uint submits;
    unsigned nth;
    enum committed how;
};

/* The op that is told to have failed: one that expects something, if there is any. */
static const struct store_op *scapegoat(const struct store_batch *b)
{
    static const struct store_op NOBODY = {.refusal = &STORE_RUN_AGAIN};

    for (const struct store_op *op = b->first; op; op = op->next) {
        if (op->expect != EXPECT_ANY)
            return op;
    }
    return b->first ? b->first : &NOBODY;
}

/* The connection breaks in commit: here the records are kept, but nobody knows. */
static void commit_unknown(struct faulty *f, struct store_batch *b, struct deadline d,
                           committed_fn *done, void *arg)
{
    struct err why = {0};

    /* Refused or lost inside is unknown all the same. */
    bool kept UNUSED = store_commit(f->inner, b, d, NULL);
    err_set(&why, ERR_UNAVAILABLE, "store: the connection broke in commit");
    done(STORE_UNKNOWN, NULL, &why, arg);
}

static void faulty_submit(struct store *s, struct store_batch *b, struct deadline d,
                          committed_fn *done, void *arg)
{
    struct faulty *f = (struct faulty *)s;
    struct err why = {0};

    if (atomic_fetch_add(&f->submits, 1) + 1 != f->nth || f->how == STORE_COMMITTED) {
        f->inner->ops->submit(f->inner, b, d, done, arg);
        return;
    }
    if (f->how == STORE_UNKNOWN) {
        commit_unknown(f, b, d, done, arg);
        return;
    }
    if (f->how == STORE_REFUSED) {
        done(STORE_REFUSED, scapegoat(b), NULL, arg);
        return;
    }
    err_set(&why, ERR_UNAVAILABLE, "store: the disk is full");
    done(STORE_LOST, NULL, &why, arg);
}

static bool faulty_get(struct store *s, enum table t, struct slice key, struct arena *a,
                       struct slice *value, struct deadline d, struct err *e)
{
    struct store *inner = ((struct faulty *)s)->inner;

    return inner->ops->get(inner, t, key, a, value, d, e);
}

static bool faulty_scan(struct store *s, enum table t, struct slice after, unsigned limit,
                        visit_fn *visit, void *arg, struct deadline d, struct err *e)
{
    struct store *inner = ((struct faulty *)s)->inner;

    return inner->ops->scan(inner, t, after, limit, visit, arg, d, e);
}

static bool faulty_inventory(struct store *s, const struct inventory_query *q, inventory_fn *visit,
                             void *arg, struct deadline d, struct err *e)
{
    struct store *inner = ((struct faulty *)s)->inner;

    return inner->ops->inventory(inner, q, visit, arg, d, e);
}

static bool faulty_prune(struct store *s, int64_t now, uint64_t *removed, struct err *e)
{
    struct store *inner = ((struct faulty *)s)->inner;

    return inner->ops->prune(inner, now, removed, e);
}

static void faulty_close(struct store *s)
{
    struct faulty *f = (struct faulty *)s;

    store_close(f->inner);
    free(f);
}

static const struct store_ops FAULTY = {
    .get = faulty_get,
    .scan = faulty_scan,
    .inventory = faulty_inventory,
    .submit = faulty_submit,
    .close = faulty_close,
    .prune = faulty_prune,
};

struct store *store_faulty(struct store *inner, unsigned nth, enum committed how)
{
    struct faulty *f = xcalloc(1, sizeof(*f));

    f->base = *inner;
    f->base.ops = &FAULTY;
    f->inner = inner;
    f->nth = nth;
    f->how = how;
    return &f->base;
}
