/*
 * One batch on a server: each operation is a statement that does its work only when the expectation
 * holds, and whose row count says whether it did.  So nothing is read and decided here, and two
 * servers cannot both win.  The operations go in (table, key) order: batches do not wait for each
 * other crosswise.
 *
 * That a row is absent and stays so until the commit cannot be had by looking: somebody may insert
 * it in between.  So an empty row of that key is inserted and removed again.  Nobody ever sees it,
 * but whoever inserts the same key, the reference included, waits for our end.
 *
 * A deadlock, a serialization failure, a connection that broke before the commit: nothing stands,
 * and the whole batch runs again, up to five times.  A connection that breaks in the commit leaves
 * us not knowing; so we say that, and nothing is run again.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "store/sql_ledger.h"

#define TRIES 5

struct step {
    bool remove, absent;
    enum expect expect;
    enum table table;
    struct slice key, value, old;
    const struct store_op *op;
};
struct steps {
    struct step *v;
    size_t n;
    const struct store_batch *batch;
    bool certificates; /* some come or go */
    bool ledger;       /* the inventory changes, too */
};

/* --- From operations to steps ---------------------------------------------------------------- */

static int by_table_and_key(const void *a, const void *b)
{
    const struct step *x = a, *y = b;

    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return slice_cmp(x->key, y->key);
}

static enum expect expectation(const struct store_op *op)
{
    return op->expect == EXPECT_VALUE && slice_empty(op->old) ? EXPECT_ABSENT : op->expect;
}

static void add_step(struct arena *a, struct steps *s, const struct store_op *op)
{
    bool ends = op->kind == OP_PUT && op->table == TABLE_USED_OTT && op->expires > 0;

    s->v[s->n++] =
        (struct step){.remove = op->kind == OP_REMOVE,
                      .absent = op->kind == OP_ABSENT,
                      .expect = expectation(op),
                      .table = op->table,
                      .key = op->key,
                      .value = ends ? sql_used_until(a, op->value, op->expires) : op->value,
                      .old = op->old,
                      .op = op};
    if (op->kind == OP_ISSUE && op->issued->data.n > 0)
        s->v[s->n++] = (struct step){.expect = EXPECT_ANY,
                                     .table = TABLE_X509_CERTS_DATA,
                                     .key = op->key,
                                     .value = op->issued->data,
                                     .op = op};
}

static bool check_step(const struct step *s, struct err *e)
{
    if (s->key.n > SQL_KEY_MAX)
        return err_set(e, ERR_TOO_LARGE, "table %s: a key of %zu bytes; at most %d fit",
                       table_name(s->table), s->key.n, SQL_KEY_MAX);
    return true;
}

static bool steps_of(struct arena *a, const struct store_batch *b, struct steps *out, struct err *e)
{
    out->v = arena_array(a, 2 * b->n + 1, sizeof(*out->v));
    out->n = 0;
    out->batch = b;
    for (const struct store_op *op = b->first; op; op = op->next)
        add_step(a, out, op);
    qsort(out->v, out->n, sizeof(*out->v), by_table_and_key);
    for (size_t i = 0; i < out->n; i++) {
        if (!check_step(&out->v[i], e))
            return false;
    }
    return true;
}

/* --- One step -------------------------------------------------------------------------------- */

static const enum sql_stmt PUTS[] = {[EXPECT_ANY] = SQL_PUT,
                                     [EXPECT_ABSENT] = SQL_INSERT,
                                     [EXPECT_PRESENT] = SQL_REPLACE,
                                     [EXPECT_VALUE] = SQL_SWAP};
static const enum sql_stmt REMOVES[] = {[EXPECT_ANY] = SQL_REMOVE,
                                        [EXPECT_ABSENT] = SQL_REMOVE_EMPTY,
                                        [EXPECT_PRESENT] = SQL_REMOVE_PRESENT,
                                        [EXPECT_VALUE] = SQL_REMOVE_OLD};

/* No row counted may also mean: it had this value already. */
static bool may_change_nothing(const struct sql_driver *d, const struct step *s)
{
    if (s->remove || !d->counts_changes)
        return false;
    return s->expect == EXPECT_PRESENT ||
           (s->expect == EXPECT_VALUE && slice_eq(s->old, s->value)) ||
           (s->expect == EXPECT_ABSENT && slice_empty(s->value));
}

static bool is_one_statement(const struct sql_driver *d, const struct step *s)
{
    return !s->absent && !(s->remove && s->expect == EXPECT_ABSENT) && !may_change_nothing(d, s);
}

/* Looks at the row, and holds it. */
static enum sql_result look(const struct sql_driver *driver, struct sql_conn *c,
                            const struct step *s, struct deadline d, bool *holds, struct err *e)
{
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct sql_args args = {.key = s->key};
    struct sql_rows rows;
    enum sql_result result = driver->read(c, SQL_LOCK, s->table, &args, d, a, &rows, e);

    if (result != SQL_DONE)
        return result;
    struct slice found = rows.n > 0 ? rows.v[0].value : SLICE_NONE;
    if (s->remove)
        *holds = slice_empty(found);
    else
        *holds = rows.n > 0 && slice_eq(found, s->value) && batch_op_holds(s->op, found);
    return SQL_DONE;
}

static enum sql_result claim(const struct sql_driver *driver, struct sql_conn *c,
                             const struct step *s, struct deadline d, bool *holds, struct err *e)
{
    struct sql_args args = {.key = s->key};
    uint64_t rows = 0;
    enum sql_result result = driver->write(c, SQL_CLAIM, s->table, &args, d, &rows, e);

    *holds = rows > 0;
    if (result != SQL_DONE || !*holds)
        return result;
    return driver->write(c, SQL_REMOVE, s->table, &args, d, &rows, e);
}

static enum sql_result apply(const struct sql_driver *driver, struct sql_conn *c,
                             const struct step *s, struct deadline d, bool *holds, struct err *e)
{
    struct sql_args args = {.key = s->key, .value = s->value, .old = s->old};
    uint64_t rows = 0;

    if (s->absent)
        return claim(driver, c, s, d, holds, e);
    enum sql_stmt stmt = (s->remove ? REMOVES : PUTS)[s->expect];
    enum sql_result result = driver->write(c, stmt, s->table, &args, d, &rows, e);

    *holds = s->expect == EXPECT_ANY || rows > 0;
    if (result != SQL_DONE || *holds || is_one_statement(driver, s))
        return result;
    return look(driver, c, s, d, holds, e);
}

/* --- One run --------------------------------------------------------------------------------- */

enum run { RUN_COMMITTED, RUN_REFUSED, RUN_AGAIN, RUN_LOST, RUN_UNKNOWN };

static enum run run_of(enum sql_result result)
{
    static const enum run RUNS[] = {[SQL_DONE] = RUN_COMMITTED,
                                    [SQL_AGAIN] = RUN_AGAIN,
                                    [SQL_BROKEN] = RUN_AGAIN,
                                    [SQL_FAILED] = RUN_LOST};

    return RUNS[result];
}

/* Its own transaction: when the answer does not come, it may have happened. */
static enum run run_single(struct sql_store *s, struct sql_conn *c, const struct step *step,
                           struct deadline d, bool *broken, const struct store_op **refused,
                           struct err *e)
{
    bool holds;
    enum sql_result result = apply(s->driver, c, step, d, &holds, e);

    *broken = result == SQL_BROKEN;
    if (*broken)
        return RUN_UNKNOWN;
    if (result != SQL_DONE || holds)
        return run_of(result);
    *refused = step->op;
    return RUN_REFUSED;
}

static enum sql_result apply_all(struct sql_store *s, struct sql_conn *c, const struct steps *steps,
                                 struct deadline d, const struct store_op **refused, struct err *e)
{
    enum sql_result result = SQL_DONE;
    bool holds;

    for (size_t i = 0; i < steps->n && result == SQL_DONE; i++) {
        if (!deadline_ok(d, e))
            return SQL_FAILED;
        result = apply(s->driver, c, &steps->v[i], d, &holds, e);
        if (result != SQL_DONE || holds)
            continue;
        *refused = steps->v[i].op;
        return SQL_DONE;
    }
    return result;
}

static enum run run_all(struct sql_store *s, struct sql_conn *c, const struct steps *steps,
                        struct deadline d, bool *broken, const struct store_op **refused,
                        struct err *e)
{
    enum sql_result result = s->driver->begin(c, d, e);
    bool in_ledger = false;

    if (result == SQL_DONE)
        result = apply_all(s, c, steps, d, refused, e);
    if (result == SQL_DONE && !*refused && steps->ledger) {
        in_ledger = true;
        result = sql_ledger_apply(s, c, steps->batch, d, e);
    }
    *broken = result == SQL_BROKEN;
    if (*broken)
        return RUN_AGAIN;
    if (result != SQL_DONE || *refused) {
        s->driver->rollback(c);
        if (in_ledger && result == SQL_FAILED && sql_ledger_lost(s, c))
            return RUN_AGAIN;
        return *refused ? RUN_REFUSED : run_of(result);
    }
    result = s->driver->commit(c, d, e);
    *broken = result == SQL_BROKEN;
    if (*broken)
        return RUN_UNKNOWN;
    if (result != SQL_DONE)
        s->driver->rollback(c);
    return run_of(result);
}

static bool make_room(struct sql_store *s, struct sql_conn *c, const struct steps *steps,
                      struct err *e)
{
    for (size_t i = 0; s->driver->make_room && i < steps->n; i++) {
        const struct step *step = &steps->v[i];
        if (!step->remove &&
            !s->driver->make_room(s, c, step->table, table_name(step->table), step->value.n, e))
            return false;
    }
    return true;
}

static enum run run_once(struct sql_store *s, struct steps *steps, struct deadline d,
                         const struct store_op **refused, struct err *e)
{
    bool broken = false;
    struct sql_conn *c = sql_pool_take(s, d, e);
    enum run run;

    if (!c)
        return RUN_LOST;
    *refused = NULL;
    steps->ledger = steps->certificates && sql_ledger_begin(s);
    pool_wait_begin();
    if (!make_room(s, c, steps, e))
        run = RUN_LOST;
    else if (steps->n == 1 && !steps->ledger && is_one_statement(s->driver, &steps->v[0]))
        run = run_single(s, c, &steps->v[0], d, &broken, refused, e);
    else
        run = run_all(s, c, steps, d, &broken, refused, e);
    sql_pool_give(s, c, broken);
    pool_wait_end();
    if (steps->certificates && !steps->ledger)
        sql_ledger_end(s);
    return run;
}

/* --- Until it is decided --------------------------------------------------------------------- */

/* 5 to 100 ms, so that those who met do not meet again. */
static void pause_briefly(void)
{
    uint32_t dice;

    RNG_SYSTEM.fill(&RNG_SYSTEM, &dice, sizeof(dice));
    struct timespec ts = {0, (long)((5 + dice % 96) * NS_PER_MS)};
    pool_wait_begin();
    while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
        ;
    pool_wait_end();
}

static enum run run_with_retries(struct sql_store *s, struct steps *steps, struct deadline d,
                                 const struct store_op **refused, struct err *e)
{
    enum run run = RUN_AGAIN;

    for (unsigned n = 0; n < TRIES; n++) {
        if (n > 0)
            pause_briefly();
        err_clear(e);
        run = run_once(s, steps, d, refused, e);
        if (run != RUN_AGAIN || !deadline_ok(d, NULL))
            break;
    }
    return run;
}

enum committed sql_batch_run(struct sql_store *s, const struct store_batch *b, struct deadline d,
                             const struct store_op **refused, struct err *why)
{
    static const enum committed MEANS[] = {[RUN_COMMITTED] = STORE_COMMITTED,
                                           [RUN_REFUSED] = STORE_REFUSED,
                                           [RUN_AGAIN] = STORE_LOST,
                                           [RUN_LOST] = STORE_LOST,
                                           [RUN_UNKNOWN] = STORE_UNKNOWN};
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct steps steps;

    *refused = NULL;
    if (!batch_check(b, why) || !deadline_ok(d, why) || !steps_of(a, b, &steps, why))
        return STORE_LOST;
    if (steps.n == 0)
        return STORE_COMMITTED;
    steps.certificates = sql_ledger_concerned(b);
    enum run run = run_with_retries(s, &steps, d, refused, why);
    if (run == RUN_AGAIN) {
        why->kind = ERR_UNAVAILABLE;
        err_wrap(why, "given up after %d attempts", TRIES);
    }
    return MEANS[run];
}
