/* Built the same way at start, at a reload and for `step-ca export`. */
#include "server/candidate.h"

#include "base/log.h"
#include "crypto/secret.h"

void candidate_warn(void *arg, const char *text)
{
    (void)arg;
    log_warn("%s", text);
}

void candidate_drop(struct candidate *c)
{
    if (c->registry)
        ref_drop(&c->registry->ref);
    if (c->core)
        ref_drop(&c->core->ref);
    *c = (struct candidate){0};
}

bool candidate_build(struct candidate *c, struct services *s, struct passwords *p, struct arena *a,
                     const struct config *config, struct err *e)
{
    struct core_passwords passwords = passwords_for_core(p);

    *c = (struct candidate){0};
    c->core = core_build(s, a, arena_new(&HEAP_SECRET), config, &passwords, e);
    if (!c->core)
        return false;
    c->registry = registry_build(s, c->core, e);
    if (c->registry)
        return true;
    candidate_drop(c);
    return false;
}
