/*
 * Nonces: two generations of half an hour in open-addressed sets.  A nonce is 16 random bytes;
 * making one stores it, spending one removes it.  When a generation is full (a flood), the older
 * one is given up early: whose nonce that was gets badNonce and repeats with a fresh one.
 *
 * On a store that several servers share they live in its table instead: a client may get one here
 * and spend it there.  Spending is one removal that has to find the row, so that of two servers
 * one wins.
 */
#include <pthread.h>
#include <stdlib.h>

#include "acme/acme.h"
#include "base/encode.h"
#include "crypto/random.h"

#define NONCE_SIZE     16
#define GENERATION     (30 * 60 * NS_PER_SEC)
#define GENERATION_MAX (1u << 20) /* nonces */
#define SLOTS_FIRST    1024

struct generation {
    uint8_t (*slots)[NONCE_SIZE]; /* all zero: free; all ones: spent */
    size_t n_slots, used;
    int64_t begun;
};
struct acme_nonces {
    pthread_mutex_t lock;
    struct clock *clock;
    struct rng *rng;
    struct store *shared; /* NULL: they live here */
    struct generation now, before;
};

static const uint8_t FREE[NONCE_SIZE];

static size_t place(const uint8_t nonce[NONCE_SIZE], size_t n_slots)
{
    uint64_t h;

    memcpy(&h, nonce, sizeof(h)); /* random already */
    return (size_t)h & (n_slots - 1);
}

static uint8_t *find(struct generation *g, const uint8_t nonce[NONCE_SIZE])
{
    if (g->n_slots == 0)
        return NULL;
    for (size_t i = place(nonce, g->n_slots);; i = (i + 1) & (g->n_slots - 1)) {
        if (memcmp(g->slots[i], nonce, NONCE_SIZE) == 0)
            return g->slots[i];
        if (memcmp(g->slots[i], FREE, NONCE_SIZE) == 0)
            return NULL;
    }
}

static void insert(struct generation *g, const uint8_t nonce[NONCE_SIZE])
{
    size_t i = place(nonce, g->n_slots);

    while (memcmp(g->slots[i], FREE, NONCE_SIZE) != 0)
        i = (i + 1) & (g->n_slots - 1);
    memcpy(g->slots[i], nonce, NONCE_SIZE);
    g->used++;
}

static bool is_spent(const uint8_t slot[NONCE_SIZE])
{
    for (size_t i = 0; i < NONCE_SIZE; i++) {
        if (slot[i] != 0xff)
            return false;
    }
    return true;
}

static void grow(struct generation *g)
{
    struct generation wider = {.n_slots = g->n_slots ? g->n_slots * 2 : SLOTS_FIRST,
                               .begun = g->begun};

    wider.slots = xcalloc(wider.n_slots, NONCE_SIZE);
    for (size_t i = 0; i < g->n_slots; i++) {
        if (memcmp(g->slots[i], FREE, NONCE_SIZE) != 0 && !is_spent(g->slots[i]))
            insert(&wider, g->slots[i]);
    }
    free(g->slots);
    *g = wider;
}

static void turn(struct acme_nonces *n, int64_t now)
{
    free(n->before.slots);
    n->before = n->now;
    if (now - n->before.begun > 2 * GENERATION) { /* nobody came for an hour */
        free(n->before.slots);
        n->before = (struct generation){0};
    }
    n->now = (struct generation){.begun = now};
}

struct acme_nonces *acme_nonces_new(struct clock *clock, struct rng *rng, struct store *store)
{
    struct acme_nonces *n = xcalloc(1, sizeof(*n));

    pthread_mutex_init(&n->lock, NULL);
    n->clock = clock;
    n->rng = rng;
    n->shared = store && (store->caps & STORE_SHARED) ? store : NULL;
    n->now.begun = clock->mono_ns(clock);
    return n;
}

void acme_nonces_free(struct acme_nonces *n)
{
    free(n->now.slots);
    free(n->before.slots);
    pthread_mutex_destroy(&n->lock);
    free(n);
}

/* --- In this process -------------------------------------------------------------------------- */

static struct slice make_here(struct acme_nonces *n, struct arena *a)
{
    uint8_t nonce[NONCE_SIZE];
    int64_t now = n->clock->mono_ns(n->clock);

    random_few(n->rng, nonce, sizeof(nonce));
    nonce[0] &= 0x7f; /* neither mark of a slot */
    nonce[1] |= 1;
    pthread_mutex_lock(&n->lock);
    if (now - n->now.begun > GENERATION || n->now.used >= GENERATION_MAX)
        turn(n, now);
    if (2 * (n->now.used + 1) > n->now.n_slots)
        grow(&n->now);
    insert(&n->now, nonce);
    pthread_mutex_unlock(&n->lock);
    return base64_text(a, BASE64_URL_RAW, slice_of(nonce, sizeof(nonce)));
}

static bool spend_here(struct acme_nonces *n, struct arena *a, struct slice text)
{
    struct slice nonce;
    uint8_t *slot = NULL;

    if (text.n < 32 && base64_read(a, BASE64_URL_RAW, text, &nonce) && nonce.n == NONCE_SIZE) {
        pthread_mutex_lock(&n->lock);
        bool mark = is_spent(nonce.p) || memcmp(nonce.p, FREE, NONCE_SIZE) == 0;
        slot = mark ? NULL : find(&n->now, nonce.p);
        if (!slot && !mark)
            slot = find(&n->before, nonce.p);
        if (slot)
            memset(slot, 0xff, NONCE_SIZE);
        pthread_mutex_unlock(&n->lock);
    }
    return slot != NULL;
}

/* --- In the store -------------------------------------------------------------------------------
 */

#define NONCE_TEXT_MAX 128

static const struct refusal UNKNOWN = {ERR_NOT_FOUND, NULL, "no such nonce"};

/* The reference's record (docs/reference/storage.md). */
static struct slice record(struct arena *a, struct slice id, struct instant now)
{
    struct buf b = buf_new(a, 512);
    struct json_writer j = json_writer(&b);

    json_open(&j, NULL);
    json_member_text(&j, "ID", id);
    json_member_text(&j, "CreatedAt", rfc3339(a, instant_truncate(now)));
    json_member_text(&j, "DeletedAt", rfc3339(a, INSTANT_ZERO_GO));
    json_close(&j);
    return buf_slice(&b);
}

static bool make_shared(struct acme_nonces *n, struct arena *a, struct deadline d,
                        struct slice *nonce, struct err *e)
{
    struct store_batch b = {.arena = a};
    struct slice id = base64_text(a, BASE64_URL_RAW, acme_random_id(a, n->rng));

    batch_insert(&b, TABLE_NONCES, id, record(a, id, n->clock->now(n->clock)), NULL);
    if (!store_commit(n->shared, &b, d, e))
        return err_wrap(e, "new nonce");
    *nonce = id;
    return true;
}

static bool spend_shared(struct acme_nonces *n, struct arena *a, struct slice text,
                         struct deadline d, struct err *e)
{
    struct store_batch b = {.arena = a};

    if (text.n == 0 || text.n > NONCE_TEXT_MAX)
        return err_set(e, UNKNOWN.kind, "%s", UNKNOWN.text);
    batch_remove(&b, TABLE_NONCES, text, &UNKNOWN);
    return store_commit(n->shared, &b, d, e);
}

/* --- Either -------------------------------------------------------------------------------------
 */

bool acme_nonce_make(struct acme_nonces *n, struct arena *a, struct deadline d, struct slice *nonce,
                     struct err *e)
{
    if (n->shared)
        return make_shared(n, a, d, nonce, e);
    *nonce = make_here(n, a);
    return true;
}

bool acme_nonce_spend(struct acme_nonces *n, struct arena *a, struct slice text, struct deadline d,
                      struct err *e)
{
    if (n->shared)
        return spend_shared(n, a, text, d, e);
    return spend_here(n, a, text) || err_set(e, UNKNOWN.kind, "%s", UNKNOWN.text);
}
