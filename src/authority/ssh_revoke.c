/* Revocation of SSH certificates: no renewal any more, and a place in the list of revoked ones. */
#include "authority/revocations.h"
#include "authority/ssh_internal.h"

/* validBefore of a certificate that we know; the zero time else. */
static bool known_end(struct work *w, struct slice serial, struct instant *end)
{
    struct slice blob;
    struct ssh_cert c;

    *end = INSTANT_ZERO_GO;
    if (!store_get(w->services->store, TABLE_SSH_CERTS, serial, w->arena, &blob, w->deadline,
                   &w->err))
        return err_wrap(&w->err, "looking up SSH certificate %.*s", SLICE_ARG(serial));
    if (blob.n > 0 && ssh_cert_read(w->arena, blob, &c, NULL) &&
        c.valid_before <= (uint64_t)CERT_NO_END)
        *end = instant_sec((int64_t)c.valid_before);
    return true;
}

bool ssh_revoke(struct work *w, const struct ssh_revocation *r)
{
    struct revocation_record record = {
        .serial = r->serial,
        .provisioner = r->grant->by->id,
        .code = r->reason_code,
        .reason = r->reason,
        .token = revocation_token(r->grant),
        .at = w->services->clock->now(w->services->clock),
    };

    if (!slice_eq(r->grant->subject, r->serial))
        return err_set(&w->err, ERR_FORBIDDEN,
                       "the token's subject \"%.*s\" is not the serial number %.*s",
                       SLICE_ARG(slice_sub(r->grant->subject, 0, 128)),
                       SLICE_ARG(slice_sub(r->serial, 0, 128)));
    if (!services_durable(w->services))
        return err_set(&w->err, ERR_NOT_IMPLEMENTED, "revocation needs a database: configure db");
    if (!known_end(w, r->serial, &record.expires) || !revocation_put(w, true, &record))
        return false;
    ssh_krl_revoked(w->services);
    return true;
}
