/* The unit of work. */
#include "authority/work.h"

void work_init(struct work *w, struct services *s, struct authority *a, struct arena *arena,
               struct deadline d)
{
    *w = (struct work){.authority = a, .services = s, .arena = arena, .deadline = d};
    w->batch.arena = arena;
}

bool work_commit(struct work *w)
{
    if (w->batch.n == 0)
        return true;
    w->committed = true;
    bool ok = store_commit(w->services->store, &w->batch, w->deadline, &w->err);
    batch_clear(&w->batch);
    return ok;
}
