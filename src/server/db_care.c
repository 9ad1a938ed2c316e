/* Check, backup, reindex, prune: the database while the service uses it. */
#include <stdio.h>
#include <stdlib.h>

#include "authority/inventory.h"
#include "server/db.h"
#include "server/prune.h"

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

    c->changes = true;
    bool ok = db_source_configured(c, &s) &&
              db_can(c, &s, s.store && s.store->ops->reindex != NULL, "has no inventory") &&
              s.store->ops->reindex(s.store, inventory_describe, &n, &c->e);

    if (ok)
        printf("%llu certificates in the inventory\n", (unsigned long long)n);
    db_source_close(&s);
    return ok;
}

/* --- prune --------------------------------------------------------------------------------- */

static bool prune_ended_rows(struct pruning *p, struct err *e)
{
    uint64_t n = 1;

    while (n > 0) {
        if (!p->store->ops->prune(p->store, p->now, &n, e))
            return false;
        p->rows += n;
    }
    return true;
}

static bool prune(struct pruning *p, struct err *e)
{
    bool end = false;

    if (p->store->ops->prune && !prune_ended_rows(p, e))
        return false;
    while (!end) {
        if (!prune_some(p, UINT64_MAX, &end, e))
            return false;
    }
    printf("%llu tokens, nonces and other ended rows removed\n", (unsigned long long)p->rows);
    if (p->retention >= 0)
        printf("%llu ended certificates removed\n", (unsigned long long)p->certificates);
    return true;
}

bool db_prune(struct db_call *c)
{
    struct pruning p = {.now = c->clock->now(c->clock).sec, .retention = -1};
    struct db_source s = {0};
    int64_t keep = 0;

    if (c->flags.certificates) {
        if (!db_duration("certificates", c->flags.certificates, &keep, &c->e))
            return false;
        p.retention = keep / NS_PER_SEC;
    }
    c->changes = true;
    bool ok = db_source_configured(c, &s) && db_can(c, &s, s.store != NULL, "cannot be changed");
    p.store = s.store;
    ok = ok && prune(&p, &c->e);
    prune_free(&p);
    db_source_close(&s);
    return ok;
}
