/* Renewal information (RFC 9773). */
#include "acme/handlers.h"
#include "base/encode.h"

#define RETRY_MOST  (6 * 3600)
#define RETRY_LEAST 60

static struct slice serial_octets(struct arena *a, struct slice magnitude)
{
    if (magnitude.n == 0 || !(magnitude.p[0] & 0x80))
        return magnitude;
    uint8_t *p = arena_alloc(a, magnitude.n + 1);
    memcpy(p + 1, magnitude.p, magnitude.n);
    return slice_of(p, magnitude.n + 1);
}

struct slice acme_cert_id(struct arena *a, const struct cert *c)
{
    return arena_format(a, "%.*s.%.*s", SLICE_ARG(base64_text(a, BASE64_URL_RAW, c->aki)),
                        SLICE_ARG(base64_text(a, BASE64_URL_RAW, serial_octets(a, c->serial))));
}

/* The octet 00 that RFC 9773 4.1 puts in front of a serial number whose first bit is set is left
 * out by clients that encode the number and not its DER (mod_md): both are taken. */
bool acme_cert_by_id(struct work *w, struct slice id, struct cert **cert)
{
    size_t dot = slice_find(id, '.');
    struct slice octets, aki, der;

    *cert = NULL;
    if (dot == id.n || !base64_read(w->arena, BASE64_URL_RAW, slice_sub(id, 0, dot), &aki) ||
        !base64_read(w->arena, BASE64_URL_RAW, slice_from(id, dot + 1), &octets) || octets.n == 0 ||
        octets.n > 33)
        return true;
    while (octets.n > 1 && octets.p[0] == 0)
        octets = slice_from(octets, 1);
    struct slice serial = serial_decimal(w->arena, octets);
    if (!store_get(w->services->store, TABLE_X509_CERTS, serial, w->arena, &der, w->deadline,
                   &w->err))
        return false;
    if (der.n == 0 || !cert_read(w->arena, der, cert, NULL)) {
        *cert = NULL;
        return true;
    }
    if (aki.n == 0 || !slice_eq((*cert)->aki, aki))
        *cert = NULL;
    return true;
}

/* A window in the past tells the client to renew at once. */
static bool due_now(struct request *r, const struct cert *c, bool *due)
{
    const struct cert *issuer = r->work.authority->core->intermediates.v[0];
    struct slice revoked;

    *due = issuer->ski.p && !slice_eq(issuer->ski, c->aki);
    if (!store_get(r->work.services->store, TABLE_REVOKED_X509_CERTS,
                   serial_decimal(r->work.arena, c->serial), r->work.arena, &revoked,
                   r->work.deadline, &r->work.err))
        return false;
    *due = *due || revoked.p;
    return true;
}

static void put_window(struct request *r, const struct cert *c, bool due, struct buf *out)
{
    int64_t length = c->not_after.sec - c->not_before.sec;
    struct instant start = instant_sec(c->not_before.sec + length * 2 / 3);
    struct clock *clock = r->work.services->clock;
    struct json_writer j = json_writer(out);

    if (due)
        start = instant_sec(clock->now(clock).sec - length / 12 - 60);
    json_open(&j, NULL);
    json_open(&j, "suggestedWindow");
    json_member_text(&j, "start", rfc3339(r->work.arena, start));
    json_member_text(&j, "end", rfc3339(r->work.arena, instant_sec(start.sec + length / 12)));
    json_close(&j);
    json_close(&j);
    buf_byte(out, '\n');
}

enum outcome acme_act_renewal_info(struct request *r)
{
    struct buf b = buf_new(r->work.arena, 1024);
    struct cert *cert;
    bool due;

    if (!acme_cert_by_id(&r->work, slice_sub(r->args[1], 0, 256), &cert))
        return ACT_FAILED;
    if (!cert) {
        acme_error(r, ERR_NOT_FOUND, NULL, "there is no such certificate (RFC 9773 4.1)");
        return ACT_FAILED;
    }
    if (!due_now(r, cert, &due))
        return ACT_FAILED;
    int64_t retry = (cert->not_after.sec - cert->not_before.sec) / 24;
    retry = retry > RETRY_MOST ? RETRY_MOST : retry < RETRY_LEAST ? RETRY_LEAST : retry;
    put_window(r, cert, due, &b);
    http_fields_set(&r->x->out.fields, r->x->arena, "Retry-After",
                    arena_format(r->x->arena, "%lld", (long long)retry));
    respond_json(r, 200, buf_slice(&b));
    return ACT_DONE;
}
