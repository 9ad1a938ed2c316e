/* Directory and new-nonce (RFC 8555 7.1.1, 7.2). */
#include "acme/handlers.h"

static void put_meta(struct json_writer *j, const struct acme_detail *d)
{
    if (d->terms_of_service.n == 0 && d->website.n == 0 && d->caa_identities.n == 0 &&
        !d->require_eab)
        return;
    json_open(j, "meta");
    if (d->terms_of_service.n > 0)
        json_member_text(j, "termsOfService", d->terms_of_service);
    if (d->website.n > 0)
        json_member_text(j, "website", d->website);
    if (d->caa_identities.n > 0) {
        json_open_list(j, "caaIdentities");
        for (size_t i = 0; i < d->caa_identities.n; i++)
            json_member_text(j, NULL, d->caa_identities.v[i]);
        json_close(j);
    }
    if (d->require_eab)
        json_member_bool(j, "externalAccountRequired", true);
    json_close(j);
}

enum outcome acme_act_directory(struct request *r)
{
    static const struct {
        const char *name, *path;
    } LINKS[] = {{"newNonce", "/new-nonce"},   {"newAccount", "/new-account"},
                 {"newOrder", "/new-order"},   {"revokeCert", "/revoke-cert"},
                 {"keyChange", "/key-change"}, {"renewalInfo", "/renewal-info"}};
    struct buf b = buf_new(r->work.arena, 256u << 10);
    struct json_writer j = json_writer(&b);

    json_open(&j, NULL);
    for (size_t i = 0; i < COUNT_OF(LINKS); i++)
        json_member_text(&j, LINKS[i].name, acme_link(r, "%s", LINKS[i].path));
    put_meta(&j, acme_of(r)->detail);
    json_close(&j);
    buf_byte(&b, '\n');
    respond_json(r, 200, buf_slice(&b));
    return ACT_DONE;
}

enum outcome acme_act_new_nonce(struct request *r)
{
    struct acme_request *q = acme_of(r);

    if (!acme_nonce_make(q->service->nonces, r->x->arena, r->work.deadline, &q->nonce,
                         &r->work.err))
        return ACT_FAILED;
    r->x->out.status = r->x->in.method == HTTP_HEAD ? 200 : 204;
    acme_headers(r);
    return ACT_DONE;
}
