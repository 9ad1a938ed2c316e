/*
 * Accounts that were read lately: their records taken apart, and their keys made.
 *
 * The record is read from the store for every request all the same, and an entry counts only when
 * its bytes are those that were read: so nothing has to be told when an account changes, here or by
 * another server on the same database.  What is saved is the work of reading it, of which making
 * the key is the larger part.
 *
 * A table with WAYS places for each hash, the latest first; who comes new pushes the last one out.
 * Entries are counted, since a request that uses one may outlive its place.
 */
#include <pthread.h>
#include <stdlib.h>

#include "acme/acme.h"

#define SETS 256u
#define WAYS 4u

struct known {
    struct ref ref; /* first */
    struct arena *arena;
    struct acme_account account;
    const struct key *key;
};

struct acme_account_cache {
    pthread_mutex_t lock;
    struct known *sets[SETS][WAYS];
};

static void known_last(struct ref *ref)
{
    struct known *k = (struct known *)ref;

    arena_free(k->arena); /* k lives in it */
}

static void known_drop(void *p)
{
    ref_drop(&((struct known *)p)->ref);
}

struct acme_account_cache *acme_account_cache_new(void)
{
    struct acme_account_cache *c = xcalloc(1, sizeof(*c));

    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void acme_account_cache_free(struct acme_account_cache *c)
{
    for (size_t i = 0; i < SETS * WAYS; i++) {
        struct known *k = c->sets[i / WAYS][i % WAYS];
        if (k)
            known_drop(k);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* FNV-1a: nobody can choose the id of an account. */
static size_t set_of(struct slice id)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < id.n; i++)
        h = (h ^ id.p[i]) * 16777619u;
    return h % SETS;
}

/* The one at `way` becomes the first; those before it move back. */
static void to_front(struct known *set[WAYS], size_t way)
{
    struct known *k = set[way];

    memmove(set + 1, set, way * sizeof(*set));
    set[0] = k;
}

/* With a reference for the caller. */
static struct known *find(struct acme_account_cache *c, struct slice id, struct slice raw)
{
    struct known **set = c->sets[set_of(id)], *found = NULL;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < WAYS && set[i] && !found; i++) {
        if (!slice_eq(set[i]->account.raw, raw) || !slice_eq(set[i]->account.id, id))
            continue;
        to_front(set, i);
        found = set[0];
        ref_take(&found->ref);
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

static void remember(struct acme_account_cache *c, struct known *k)
{
    struct known **set = c->sets[set_of(k->account.id)], *last;

    ref_take(&k->ref);
    pthread_mutex_lock(&c->lock);
    last = set[WAYS - 1];
    set[WAYS - 1] = k;
    to_front(set, WAYS - 1);
    pthread_mutex_unlock(&c->lock);
    if (last)
        known_drop(last);
}

static bool read_key(struct known *k, struct err *e)
{
    struct jwk jwk;

    if (!k->account.key || !jwk_public_from_json(k->arena, k->account.key, &jwk, e)) {
        err_classify(e, ERR_INTERNAL);
        return err_wrap(e, "key of account %.*s", SLICE_ARG(k->account.id));
    }
    k->key = jwk.key;
    return true;
}

static struct known *read_known(struct slice id, struct slice raw, struct err *e)
{
    struct arena *a = arena_new(&HEAP_USUAL);
    struct known *k = arena_alloc(a, sizeof(*k));

    k->arena = a;
    ref_init(&k->ref, known_last);
    raw = arena_copy(a, raw);
    if (!acme_record_read(a, &ACME_ACCOUNT_SHAPE, id, raw, &k->account, e) || !read_key(k, e)) {
        arena_free(a);
        return NULL;
    }
    k->account.raw = raw;
    return k;
}

bool acme_account_known(struct request *r, struct slice id, struct acme_account **account,
                        const struct key **key)
{
    struct acme_account_cache *c = acme_of(r)->service->accounts;
    struct work *w = &r->work;
    struct slice raw;

    *account = NULL;
    if (!store_get(w->services->store, TABLE_ACME_ACCOUNTS, id, w->arena, &raw, w->deadline,
                   &w->err))
        return err_wrap(&w->err, "reading %s", ACME_ACCOUNT_SHAPE.what);
    if (raw.n == 0)
        return true;
    struct known *k = find(c, id, raw);
    if (!k) {
        k = read_known(id, raw, &w->err);
        if (!k)
            return false;
        /* A record that names another account than its row is not for the table. */
        if (slice_eq(k->account.id, id))
            remember(c, k);
    }
    arena_defer(r->x->arena, known_drop, k);
    *account = arena_alloc(r->x->arena, sizeof(**account));
    **account = k->account;
    *key = k->key;
    return true;
}
