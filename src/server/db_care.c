/* Check, backup, reindex, prune: the database while the service uses it. */
#include <stdio.h>
#include <stdlib.h>

#include "authority/inventory.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "server/db.h"
#include "json/json.h"

#define PIECE     500
#define NONCE_AGE 86400
#define TOKEN_AGE 3600

/* --- check --------------------------------------------------------------------------------- */

static void say_problem(const char *text, void *arg)
{
    uint64_t *n = arg;

    *n += !slice_starts(slice_text(text), "note: ");
    printf("%s\n", text);
}

bool db_check(struct db_call *c)
{
    struct db_source s = {0};
    uint64_t problems = 0;
    bool ok = db_source_configured(c, &s) &&
              db_can(c, &s, s.store && s.store->ops->check != NULL, "cannot be checked") &&
              s.store->ops->check(s.store, inventory_describe, say_problem, &problems, &c->e);

    if (ok && problems == 0)
        printf("%s: sound\n", s.name);
    if (ok && problems > 0)
        printf("%s: %llu problem%s\n", s.name, (unsigned long long)problems,
               problems > 1 ? "s" : "");
    db_source_close(&s);
    return ok && problems == 0;
}

/* --- backup -------------------------------------------------------------------------------- */

bool db_backup(struct db_call *c)
{
    struct db_source s = {0};
    bool ok =
        db_source_configured(c, &s) &&
        db_can(c, &s, s.store && s.store->ops->backup != NULL, "is backed up with its own tools") &&
        s.store->ops->backup(s.store, c->words[0], &c->e);

    if (ok)
        printf("%s: copied to %s\n", s.name, c->words[0]);
    db_source_close(&s);
    return ok;
}

/* --- reindex ------------------------------------------------------------------------------- */

bool db_reindex(struct db_call *c)
{
    struct db_source s = {0};
    uint64_t n = 0;
    bool ok = db_source_configured(c, &s) &&
              db_can(c, &s, s.store && s.store->ops->reindex != NULL, "has no inventory") &&
              s.store->ops->reindex(s.store, inventory_describe, &n, &c->e);

    if (ok)
        printf("%llu certificates in the inventory\n", (unsigned long long)n);
    db_source_close(&s);
    return ok;
}

/* --- prune: tokens and nonces ------------------------------------------------------------------
 */

struct pruner {
    struct db_call *c;
    struct store *store;
    int64_t now;
    bool (*is_over)(const struct pruner *p, struct arena *a, struct slice key, struct slice value);
    struct arena *a; /* of one piece */
    struct slice keys[PIECE];
    size_t n, seen;
    struct slice last;
    uint64_t removed;
};

static bool nonce_is_over(const struct pruner *p, struct arena *a, struct slice key UNUSED,
                          struct slice value)
{
    const struct json *v = json_read(a, value, &JSON_RECORD, NULL, NULL);
    struct instant at;

    return rfc3339_read(json_text(json_get(v, "CreatedAt")), &at) && at.sec + NONCE_AGE < p->now;
}

/* Only what is the use of this very token.  A cloud instance that was seen once is kept under a
 * key of another form, and must never be seen a second time. */
static bool token_is_over(const struct pruner *p, struct arena *a, struct slice key,
                          struct slice value)
{
    struct slice rest = value, head, body, payload;
    int64_t end;

    if (!slice_split(&rest, '.', &head) || !slice_split(&rest, '.', &body) ||
        !base64_read(a, BASE64_URL_RAW, body, &payload))
        return false;
    const struct json *claims = json_read(a, payload, &JSON_RECORD, NULL, NULL);
    if (!slice_eq(key, json_text(json_get_exact(claims, "jti"))) &&
        !slice_eq(key, sha256_hex(a, value)))
        return false;
    return json_int(json_get_exact(claims, "exp"), &end) && end > 0 &&
           end < INT64_MAX - TOKEN_AGE && end + TOKEN_AGE < p->now;
}

static bool look_at(struct slice key, struct slice value, void *arg)
{
    struct pruner *p = arg;
    struct arena *a = arena_new(&HEAP_USUAL);

    if (p->is_over(p, a, key, value))
        p->keys[p->n++] = arena_copy(p->a, key);
    arena_free(a);
    p->last = arena_copy(p->a, key);
    p->seen++;
    return true;
}

static bool remove_piece(struct pruner *p, enum table t)
{
    struct store_batch b = {.arena = p->a};

    for (size_t i = 0; i < p->n; i++)
        batch_remove(&b, t, p->keys[i], NULL);
    if (b.n && !store_commit(p->store, &b, DEADLINE_NONE, &p->c->e))
        return false;
    p->removed += b.n;
    return true;
}

static bool prune_table(struct pruner *p, enum table t)
{
    struct arena *kept = arena_new(&HEAP_USUAL);
    struct slice after = SLICE_NONE;
    bool ok = true;

    for (p->seen = PIECE; ok && p->seen == PIECE;) {
        p->a = arena_new(&HEAP_USUAL);
        p->n = p->seen = 0;
        ok = p->store->ops->scan(p->store, t, after, PIECE, look_at, p, DEADLINE_NONE, &p->c->e) &&
             remove_piece(p, t);
        struct arena *next = arena_new(&HEAP_USUAL);
        after = p->seen ? arena_copy(next, p->last) : SLICE_NONE;
        arena_free(kept);
        kept = next;
        arena_free(p->a);
    }
    arena_free(kept);
    return ok;
}

/* --- prune: certificates ------------------------------------------------------------------------
 */

static bool collect_ended(const struct inventory_row *row, void *arg)
{
    struct pruner *p = arg;

    p->keys[p->n++] = arena_copy(p->a, row->serial);
    return p->n < PIECE;
}

/* With its data record, and its revocation: nothing is left that could be renewed. */
static bool prune_certificates(struct pruner *p, int64_t before)
{
    struct inventory_query q = {.expiring_before = before, .limit = PIECE};
    bool ok = true;

    for (p->n = PIECE; ok && p->n == PIECE;) {
        p->a = arena_new(&HEAP_USUAL);
        p->n = 0;
        ok = p->store->ops->inventory(p->store, &q, collect_ended, p, DEADLINE_NONE, &p->c->e);
        struct store_batch b = {.arena = p->a};
        for (size_t i = 0; ok && i < p->n; i++) {
            batch_remove(&b, TABLE_X509_CERTS_DATA, p->keys[i], NULL);
            batch_remove(&b, TABLE_X509_CERTS, p->keys[i], NULL);
            batch_remove(&b, TABLE_REVOKED_X509_CERTS, p->keys[i], NULL);
        }
        ok = ok && (b.n == 0 || store_commit(p->store, &b, DEADLINE_NONE, &p->c->e));
        p->removed += ok ? p->n : 0;
        arena_free(p->a);
    }
    return ok;
}

static bool prune_ended_rows(struct pruner *p)
{
    uint64_t n = 1;

    while (n > 0) {
        if (!p->store->ops->prune(p->store, p->now, &n, &p->c->e))
            return false;
        p->removed += n;
    }
    return true;
}

static bool prune(struct pruner *p, int64_t keep)
{
    if (p->store->ops->prune && !prune_ended_rows(p))
        return false;
    p->is_over = nonce_is_over;
    if (!prune_table(p, TABLE_NONCES))
        return false;
    p->is_over = token_is_over;
    if (!prune_table(p, TABLE_USED_OTT))
        return false;
    printf("%llu tokens, nonces and other ended rows removed\n", (unsigned long long)p->removed);
    if (!p->c->flags.certificates)
        return true;
    p->removed = 0;
    if (!prune_certificates(p, p->now - keep / NS_PER_SEC))
        return false;
    printf("%llu ended certificates removed\n", (unsigned long long)p->removed);
    return true;
}

bool db_prune(struct db_call *c)
{
    struct pruner *p = arena_alloc(c->a, sizeof(*p));
    struct db_source s = {0};
    int64_t keep = 0;

    if (c->flags.certificates && !db_duration("certificates", c->flags.certificates, &keep, &c->e))
        return false;
    bool ok = db_source_configured(c, &s) && db_can(c, &s, s.store != NULL, "cannot be changed");
    if (ok && c->flags.certificates)
        ok = db_can(c, &s, s.store->ops->inventory != NULL, "has no inventory");
    *p = (struct pruner){.c = c, .store = s.store, .now = c->clock->now(c->clock).sec};
    ok = ok && prune(p, keep);
    db_source_close(&s);
    return ok;
}
