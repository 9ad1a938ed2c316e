/*
 * What only an inventory knows of a certificate: which one it was renewed from, when and through
 * whom it was issued.  Rows and their values do not say it, so it is carried over by itself, in
 * pieces, at the end of an import; run again it does the same again.
 */
#include <stdlib.h>

#include "server/db.h"

#define PIECE 500

struct carrying {
    struct store *target;
    struct arena *a; /* of the piece */
    struct inventory_row rows[PIECE];
    size_t n;
    struct err *e;
    bool failed;
};

static bool hand_over(struct carrying *k)
{
    bool ok = k->n == 0 || k->target->ops->annotate(k->target, k->rows, k->n, k->e);

    arena_free(k->a);
    k->a = arena_new(&HEAP_USUAL);
    k->n = 0;
    k->failed |= !ok;
    return ok;
}

static bool carry(const struct inventory_row *row, void *arg)
{
    struct carrying *k = arg;

    k->rows[k->n++] = (struct inventory_row){
        .kind = row->kind,
        .serial = arena_copy(k->a, row->serial),
        .renewed_from = arena_copy(k->a, row->renewed_from),
        .issued_at = row->issued_at,
        .provisioner_id = arena_copy(k->a, row->provisioner_id),
        .provisioner_name = arena_copy(k->a, row->provisioner_name),
        .provisioner_type = arena_copy(k->a, row->provisioner_type),
    };
    return k->n < PIECE || hand_over(k);
}

bool db_lineage_carry(struct store *from, struct store *to, struct err *e)
{
    struct inventory_query all = {0};

    if (!from || !from->ops->inventory || !(from->caps & STORE_INVENTORY) || !to ||
        !to->ops->annotate || !(to->caps & STORE_INVENTORY))
        return true;
    struct carrying *k = xcalloc(1, sizeof(*k));
    k->target = to;
    k->e = e;
    k->a = arena_new(&HEAP_USUAL);
    bool ok =
        from->ops->inventory(from, &all, carry, k, DEADLINE_NONE, e) && !k->failed && hand_over(k);
    arena_free(k->a);
    free(k);
    return ok;
}
