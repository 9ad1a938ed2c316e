/*
 * Rows of a server's tables whose time has passed: unused nonces, and tokens that were used.  The
 * tables have no column for an end, so it is read out of the value: a nonce says when it was made;
 * a used token of ours says until when it matters (the reference looks at the key alone).  A table
 * is gone through piece by piece, call by call.
 */
#include "store/sql.h"
#include "json/json.h"

#define PAGE_ROWS    256
#define PRUNE_ROWS   20000       /* looked at in one call */
#define NONCE_KEPT_S (24 * 3600) /* unused ones */
#define PRUNE_NS     (60 * NS_PER_SEC)

#define USED_UNTIL "used until "

struct slice sql_used_until(struct arena *a, struct slice value, int64_t end)
{
    return slice_is(value, "used") ? arena_format(a, USED_UNTIL "%lld", (long long)end) : value;
}

static bool token_ended(struct arena *a UNUSED, struct slice value, int64_t now)
{
    uint64_t end;

    return slice_starts(value, USED_UNTIL) &&
           slice_to_u64(slice_from(value, strlen(USED_UNTIL)), &end) && end < (uint64_t)now;
}

static bool nonce_ended(struct arena *a, struct slice value, int64_t now)
{
    const struct json *object = json_read(a, value, &JSON_RECORD, NULL, NULL);
    struct instant created;

    return rfc3339_read(json_text(json_get(object, "CreatedAt")), &created) &&
           created.sec < now - NONCE_KEPT_S;
}

static const struct rule {
    enum table t;
    bool (*ended)(struct arena *a, struct slice value, int64_t now);
} RULES[] = {{TABLE_NONCES, nonce_ended}, {TABLE_USED_OTT, token_ended}};

struct pruning {
    struct arena *a;
    struct store_batch batch;
    struct sql_store *s;
    const struct rule *rule;
    int64_t now;
    uint64_t looked_at;
};

static bool look_at(struct slice key, struct slice value, void *arg)
{
    struct pruning *p = arg;

    p->looked_at++;
    if (key.n == 0 || key.n > SQL_KEY_MAX)
        return true;
    memcpy(p->s->pruned_key, key.p, key.n);
    p->s->pruned_n = key.n;
    if (p->rule->ended(p->a, value, p->now))
        batch_remove(&p->batch, p->rule->t, arena_copy(p->a, key), NULL);
    return true;
}

/* *more: the table goes on behind these. */
static bool prune_page(struct pruning *p, struct deadline d, bool *more, uint64_t *removed,
                       struct err *e)
{
    struct arena_mark mark = arena_mark(p->a);
    struct slice after = arena_copy(p->a, slice_of(p->s->pruned_key, p->s->pruned_n));
    uint64_t before = p->looked_at;

    batch_clear(&p->batch);
    if (!p->s->base.ops->scan(&p->s->base, p->rule->t, after, PAGE_ROWS, look_at, p, d, e))
        return false;
    *more = p->looked_at - before == PAGE_ROWS;
    size_t ended = p->batch.n;
    if (ended > 0 && !store_commit(&p->s->base, &p->batch, d, e))
        return false;
    *removed += ended;
    arena_rewind(p->a, mark);
    return true;
}

/* One table a call, or what there is time for. */
static bool prune_rule(struct pruning *p, struct deadline d, uint64_t *removed, struct err *e)
{
    bool more = true;

    while (more && p->looked_at < PRUNE_ROWS) {
        if (!prune_page(p, d, &more, removed, e))
            return false;
    }
    if (more)
        return true;
    p->s->pruned_n = 0;
    p->s->pruned_rule = (p->s->pruned_rule + 1) % COUNT_OF(RULES);
    return true;
}

bool sql_prune(struct store *base, int64_t now, uint64_t *removed, struct err *e)
{
    struct sql_store *s = (struct sql_store *)base;
    CLEANUP(arena_cleanup) struct arena *a = arena_new(&HEAP_USUAL);
    struct pruning p = {.a = a, .batch = {.arena = a}, .s = s, .now = now};
    struct deadline d = deadline_in(&CLOCK_SYSTEM, PRUNE_NS);
    bool ok = true;

    *removed = 0;
    sql_pool_trim(s);
    pthread_mutex_lock(&s->pruning);
    for (size_t n = 0; ok && n < COUNT_OF(RULES) && p.looked_at < PRUNE_ROWS; n++) {
        p.rule = &RULES[s->pruned_rule];
        ok = prune_rule(&p, d, removed, e);
    }
    pthread_mutex_unlock(&s->pruning);
    return ok;
}
