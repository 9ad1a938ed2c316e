/* Bodies of requests: a JSON object by its shape. */
#include "api/routes.h"

bool body_read(struct request *r, const struct shape *shape, void *out)
{
    struct err *e = &r->work.err;
    const struct json *v;

    if (slice_trim(r->x->in.body).n == 0)
        return err_set(e, ERR_MALFORMED, "the body is empty; expected a JSON object");
    v = json_read(r->work.arena, r->x->in.body, &JSON_API, NULL, e);
    if (v && shape_read(shape, v, out, r->work.arena, e))
        return true;
    err_classify(e, ERR_MALFORMED);
    return err_wrap(e, "reading the body");
}
