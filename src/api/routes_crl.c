/* The CRL, as it stands in the store. */
#include "api/routes.h"
#include "base/uri.h"
#include "crypto/pem.h"

/* The query has a member `pem`, with or without a value. */
static bool wants_pem(struct slice query)
{
    struct slice rest = query, part;

    while (query.p && slice_split(&rest, '&', &part)) {
        if (slice_is(slice_sub(part, 0, slice_find(part, '=')), "pem"))
            return true;
    }
    return false;
}

static bool load(struct request *r, struct slice *der, struct instant *next_update)
{
    if (!r->work.authority->core->crl.enabled)
        return err_set(&r->work.err, ERR_NOT_FOUND, "no CRL is configured");
    if (!services_durable(r->work.services))
        return err_set(&r->work.err, ERR_NOT_IMPLEMENTED, "a CRL needs a database");
    if (!crl_load(&r->work, der, next_update))
        return false;
    if (!der->p)
        return err_set(&r->work.err, ERR_NOT_FOUND, "there is no CRL yet");
    return true;
}

enum outcome act_crl(struct request *r)
{
    struct arena *a = r->work.arena;
    struct instant next_update;
    struct slice der;

    if (!load(r, &der, &next_update))
        return ACT_FAILED;
    bool pem = wants_pem(r->x->in.query);
    http_fields_set(&r->x->out.fields, a, "Expires", http_date(a, next_update));
    http_fields_set(&r->x->out.fields, a, "Content-Disposition",
                    pem ? SLICE("attachment; filename=\"crl.pem\"")
                        : SLICE("attachment; filename=\"crl.crl\""));
    if (pem)
        respond_bytes(r, 200, "application/x-pem-file", pem_text(a, "X509 CRL", der));
    else
        respond_bytes(r, 200, "application/pkix-crl", der);
    return ACT_DONE;
}
