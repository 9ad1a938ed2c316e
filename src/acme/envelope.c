/*
 * Who asks: the provisioner of the path, the JWS around the body, the nonce, the key.  The order
 * of the checks is that of docs/reference/acme.md "Requests"; each is its own function.
 */
#include <stdarg.h>
#include <stdio.h>

#include "acme/acme.h"
#include "base/uri.h"

/* --- URLs
 * ----------------------------------------------------------------------------------------- */

/* Letters, digits and -_.~$&+,/:;=@ stand for themselves. */
static bool is_plain(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("-_.~$&+,/:;=@", c));
}

static struct slice escape_path(struct arena *a, struct slice path)
{
    size_t first = 0;

    while (first < path.n && is_plain(path.p[first]))
        first++;
    if (first == path.n)
        return path;
    struct buf b = buf_new(a, 3 * path.n + 1);
    for (size_t i = 0; i < path.n; i++) {
        if (is_plain(path.p[i]))
            buf_byte(&b, path.p[i]);
        else
            buf_printf(&b, "%%%02X", path.p[i]);
    }
    return buf_slice(&b);
}

static struct slice host_of(struct request *r)
{
    const struct core *core = r->work.authority->core;
    struct slice address = core->config->address;
    struct slice port = slice_from(address, slice_rfind(address, ':') + 1);

    if (r->x->in.host.n > 0)
        return r->x->in.host;
    if (port.n == 0 || slice_is(port, "443"))
        return core->dns_primary;
    return arena_format(r->work.arena, "%.*s:%.*s", SLICE_ARG(core->dns_primary), SLICE_ARG(port));
}

struct slice acme_join(struct arena *a, struct slice first, struct slice second, struct slice third)
{
    const struct slice parts[] = {first, second, third};
    uint8_t *text = arena_alloc(a, first.n + second.n + third.n + 1), *to = text;

    for (size_t i = 0; i < COUNT_OF(parts); to += parts[i++].n) {
        if (parts[i].n)
            memcpy(to, parts[i].p, parts[i].n);
    }
    return slice_of(text, (size_t)(to - text));
}

struct slice acme_link(struct request *r, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return acme_join(r->work.arena, acme_of(r)->base, slice_text(text), SLICE_NONE);
}

/* --- The provisioner
 * -------------------------------------------------------------------------------- */

static bool find_provisioner(struct request *r, struct acme_request *q)
{
    struct slice name = r->args[0];
    struct provisioner *p = registry_by_name(r->work.authority->registry, name);

    if (!p)
        return err_set(&r->work.err, ERR_NOT_FOUND, "there is no provisioner \"%.*s\"",
                       SLICE_ARG(slice_sub(name, 0, 128)));
    if (p->type->number != 6)
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized", "provisioner \"%.*s\" is not ACME",
                          SLICE_ARG(p->name));
    q->provisioner = p;
    q->detail = acme_detail_of(p);
    if (!q->detail)
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "provisioner \"%.*s\" is disabled because of an initialization error",
                          SLICE_ARG(p->name));
    struct slice host = acme_join(r->work.arena, SLICE("https://"), host_of(r), SLICE("/acme/"));
    q->base = acme_join(r->work.arena, host, escape_path(r->work.arena, p->name), SLICE_NONE);
    return true;
}

bool acme_authorize_public(struct request *r)
{
    struct acme_request *q = arena_alloc(r->work.arena, sizeof(*q));

    q->service = r->work.services->acme;
    r->who = q;
    return find_provisioner(r, q);
}

/* --- The JWS
 * ---------------------------------------------------------------------------------------- */

static bool check_content_type(struct request *r)
{
    static const char *const FOR_CERTIFICATES[] = {"application/pkix-cert",
                                                   "application/pkcs7-mime"};
    struct slice type = http_fields_get(&r->x->in.fields, "Content-Type");
    bool certificate = slice_search(r->x->in.path, SLICE("/certificate/")) < r->x->in.path.n;

    if (slice_is(type, "application/jose+json"))
        return true;
    for (size_t i = 0; certificate && i < COUNT_OF(FOR_CERTIFICATES); i++) {
        if (slice_is(type, FOR_CERTIFICATES[i]))
            return true;
    }
    return acme_error(r, ERR_MALFORMED, "malformed",
                      "Content-Type: expected application/jose+json (RFC 8555 6.2)");
}

static bool read_jws(struct request *r, struct acme_request *q)
{
    struct err *e = &r->work.err;

    if (!jws_read_json(r->work.arena, r->x->in.body, &q->jws, e)) {
        if (q->jws.header && !json_get_exact(q->jws.header, "alg"))
            return acme_error(r, ERR_MALFORMED, "badSignatureAlgorithm",
                              "JWS header: 'alg' is missing (RFC 8555 6.2)");
        err_classify(e, ERR_MALFORMED);
        return err_wrap(e, "JWS");
    }
    if (q->jws.alg == JWS_NONE || (q->jws.alg >= JWS_HS256 && q->jws.alg <= JWS_HS512))
        return acme_error(r, ERR_MALFORMED, "badSignatureAlgorithm",
                          "the JWS algorithm is not one of those that ACME allows (RFC 8555 6.2)");
    q->payload = q->jws.payload;
    return true;
}

static bool spend_nonce(struct request *r, struct acme_request *q)
{
    struct slice nonce = json_text(json_get_exact(q->jws.header, "nonce"));

    if (acme_nonce_spend(q->service->nonces, r->work.arena, nonce, r->work.deadline, &r->work.err))
        return true;
    if (r->work.err.kind != ERR_NOT_FOUND)
        return err_wrap(&r->work.err, "nonce");
    return acme_error(r, ERR_MALFORMED, "badNonce",
                      "the anti-replay nonce is unknown or was used (RFC 8555 6.5)");
}

static bool check_url(struct request *r, struct acme_request *q)
{
    struct slice url = json_text(json_get_exact(q->jws.header, "url"));
    struct slice path = escape_path(r->work.arena, r->x->in.path);
    struct slice expected = acme_join(r->work.arena, SLICE("https://"), host_of(r), path);

    if (slice_eq(url, expected))
        return true;
    return acme_error(r, ERR_MALFORMED, "malformed",
                      "JWS header url \"%.*s\" is not the request's URL \"%.*s\" (RFC 8555 6.4)",
                      SLICE_ARG(slice_sub(url, 0, 160)), SLICE_ARG(slice_sub(expected, 0, 160)));
}

static bool begin(struct request *r)
{
    if (!acme_authorize_public(r))
        return false;
    struct acme_request *q = acme_of(r);
    if (!acme_nonce_make(q->service->nonces, r->x->arena, r->work.deadline, &q->nonce,
                         &r->work.err))
        return false;
    if (!check_content_type(r) || !read_jws(r, q) || !spend_nonce(r, q) || !check_url(r, q))
        return false;
    bool jwk = json_get_exact(q->jws.header, "jwk") != NULL;
    bool kid = json_get_exact(q->jws.header, "kid") != NULL;
    if (jwk == kid)
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "a JWS has either jwk or kid (RFC 8555 6.2)");
    return true;
}

/* --- Signatures
 * -------------------------------------------------------------------------------------- */

/* Some devices drop a leading zero octet of R or S: put back what may be missing, and try. */
static bool verify_repaired(const struct jws *jws, const struct key *key)
{
    size_t full = 2 * key_field_size(key->type), half = full / 2, n = jws->signature.n;
    uint8_t bytes[2 * 66] = {0};
    struct jws repaired = *jws;

    if (!key_is_ec(key) || full > sizeof(bytes) || (n != full - 1 && n != full - 2))
        return false;
    repaired.signature = slice_of(bytes, full);
    if (n == full - 2) {
        memcpy(bytes + 1, jws->signature.p, half - 1);
        memcpy(bytes + half + 1, jws->signature.p + half - 1, half - 1);
        return jws_verify(&repaired, key, NULL);
    }
    memcpy(bytes + 1, jws->signature.p, n);
    if (jws_verify(&repaired, key, NULL))
        return true;
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, jws->signature.p, half);
    memcpy(bytes + half + 1, jws->signature.p + half, n - half);
    return jws_verify(&repaired, key, NULL);
}

static bool verify(struct request *r, const struct key *key)
{
    const struct jws *jws = &acme_of(r)->jws;
    struct err why = {0};

    if (!jws_alg_fits(jws->alg, key))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "the JWS algorithm does not fit the key's type and curve");
    if (jws_verify(jws, key, &why) || verify_repaired(jws, key))
        return true;
    return acme_error(r, ERR_MALFORMED, "malformed", "the JWS signature does not verify: %s",
                      why.text);
}

/* --- Keys and accounts
 * ---------------------------------------------------------------------------------- */

struct slice acme_index_key(struct request *r, struct slice thumbprint, bool fallback)
{
    if (!fallback)
        return thumbprint;
    return arena_format(r->work.arena, "%.*s:%.*s", SLICE_ARG(acme_of(r)->provisioner->id),
                        SLICE_ARG(thumbprint));
}

static bool belongs_here(struct request *r, const struct acme_account *account)
{
    const struct provisioner *p = acme_of(r)->provisioner;

    if (account->provisioner_id.n > 0)
        return slice_eq(account->provisioner_id, p->id);
    return account->provisioner_name.n == 0 || slice_eq(account->provisioner_name, p->name);
}

/* What the index says, and that account; its key decides whether the entry is true. */
static bool read_index(struct request *r, struct slice index_key, struct slice *id,
                       struct acme_account **account, const struct key **key)
{
    *account = NULL;
    return store_get(r->work.services->store, TABLE_ACME_KEY_ACCOUNT_INDEX, index_key,
                     r->work.arena, id, r->work.deadline, &r->work.err) &&
           (id->n == 0 || acme_account_known(r, *id, account, key));
}

bool acme_account_by_key(struct request *r, struct slice thumbprint, struct acme_account **account)
{
    for (int fallback = 0; fallback < 2; fallback++) {
        const struct key *key;
        struct slice id;
        if (!read_index(r, acme_index_key(r, thumbprint, fallback == 1), &id, account, &key))
            return false;
        if (*account && belongs_here(r, *account) &&
            slice_eq(jwk_thumbprint(r->work.arena, key), thumbprint))
            return true;
    }
    *account = NULL;
    return true;
}

bool acme_account_index(struct request *r, struct slice thumbprint, struct slice account,
                        const struct refusal *taken)
{
    for (int fallback = 0; fallback < 2; fallback++) {
        struct slice at = acme_index_key(r, thumbprint, fallback == 1), id;
        const struct key *key;
        struct acme_account *other;
        if (!read_index(r, at, &id, &other, &key))
            return false;
        if (other && !belongs_here(r, other))
            continue;
        /* An entry that is true came after the caller looked: then nothing is taken over. */
        bool held = other && slice_eq(jwk_thumbprint(r->work.arena, key), thumbprint);
        batch_swap(&r->work.batch, TABLE_ACME_KEY_ACCOUNT_INDEX, at, held ? SLICE_NONE : id,
                   account);
        r->work.batch.last->refusal = taken;
        return true;
    }
    return err_set(&r->work.err, ERR_INTERNAL,
                   "the key's own index entry is another provisioner's");
}

static bool check_active(struct request *r, const struct acme_account *account)
{
    if (slice_is(account->status, "valid"))
        return true;
    return acme_error(r, ERR_UNAUTHORIZED, "unauthorized", "the account is not active");
}

/* authorize ran once; a second run needs the account as it stands now, and the signature counts
 * only as long as its key is the account's. */
bool acme_account_again(struct request *r, struct acme_account **account)
{
    struct acme_request *q = acme_of(r);
    const struct key *key;

    if (!acme_account_known(r, q->account->id, account, &key))
        return false;
    if (!*account)
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized", "the account is gone");
    if (!check_active(r, *account))
        return false;
    if (key_eq(key, q->account_key))
        return true;
    return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                      "the account has another key meanwhile than the one that signed");
}

static bool by_jwk(struct request *r)
{
    struct acme_request *q = acme_of(r);
    struct err *e = &r->work.err;

    if (!jwk_public_from_json(r->work.arena, json_get_exact(q->jws.header, "jwk"), &q->jwk, e)) {
        err_set(e, ERR_MALFORMED, "JWS header jwk: %s",
                arena_cstr(r->work.arena, slice_text(e->text)));
        return false;
    }
    if (q->jwk.key->type == KEY_RSA && q->jwk.key->bits < 2048)
        return acme_error(r, ERR_MALFORMED, "badPublicKey",
                          "an RSA account key of %u bits is too short; expected 2048 or more",
                          q->jwk.key->bits);
    if (q->jwk.alg.n > 0 && jws_alg_of(q->jwk.alg) != q->jws.alg)
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "the key's alg is not the JWS header's (RFC 7517 4.4)");
    q->key_id = jwk_thumbprint(r->work.arena, q->jwk.key);
    return verify(r, q->jwk.key);
}

static struct slice last_segment(struct slice url)
{
    while (url.n > 0 && url.p[url.n - 1] == '/')
        url.n--;
    return slice_from(url, slice_rfind(url, '/') + 1);
}

static bool check_location(struct request *r, struct slice kid, const struct acme_account *account)
{
    struct slice prefix = account->location_prefix;
    struct slice expected = acme_join(r->work.arena, prefix, account->id, SLICE_NONE);

    if (prefix.n == 0) { /* accounts of old releases: the link of this request */
        struct slice here = acme_link(r, "/account/");
        if (kid.n > here.n && slice_eq(slice_sub(kid, 0, here.n), here))
            return true;
        return acme_error(r, ERR_MALFORMED, "malformed", "kid does not begin with \"%.*s\"",
                          SLICE_ARG(here));
    }
    if (!slice_eq(kid, expected))
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "kid \"%.*s\" is not the account's location \"%.*s\"",
                          SLICE_ARG(slice_sub(kid, 0, 160)), SLICE_ARG(expected));
    if (!belongs_here(r, account))
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "the account belongs to another provisioner");
    return true;
}

static bool by_kid(struct request *r)
{
    struct acme_request *q = acme_of(r);
    struct slice kid = json_text(json_get_exact(q->jws.header, "kid"));

    if (kid.n == 0)
        return acme_error(r, ERR_MALFORMED, "malformed", "kid is empty or no text");
    struct slice id = last_segment(kid);
    if (id.n == 0 || id.n > 128)
        return acme_error(r, ERR_MALFORMED, "accountDoesNotExist", "no such account");
    if (!acme_account_known(r, id, &q->account, &q->account_key))
        return false;
    if (!q->account)
        return acme_error(r, ERR_MALFORMED, "accountDoesNotExist", "there is no account \"%.*s\"",
                          SLICE_ARG(id));
    if (!check_active(r, q->account) || !check_location(r, kid, q->account))
        return false;
    return verify(r, q->account_key);
}

bool acme_authorize_jwk(struct request *r)
{
    if (!begin(r))
        return false;
    if (!json_get_exact(acme_of(r)->jws.header, "jwk"))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "this request is signed with jwk, not kid (RFC 8555 6.2)");
    return by_jwk(r);
}

bool acme_authorize_kid(struct request *r)
{
    if (!begin(r))
        return false;
    if (!json_get_exact(acme_of(r)->jws.header, "kid"))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "this request is signed with kid, not jwk (RFC 8555 6.2)");
    return by_kid(r);
}

bool acme_authorize_either(struct request *r)
{
    if (!begin(r))
        return false;
    return json_get_exact(acme_of(r)->jws.header, "jwk") ? by_jwk(r) : by_kid(r);
}

/* --- Payloads
 * ------------------------------------------------------------------------------------------ */

bool acme_post_as_get(struct request *r)
{
    if (acme_of(r)->payload.n == 0)
        return true;
    return acme_error(r, ERR_MALFORMED, "malformed",
                      "expected POST-as-GET: an empty payload (RFC 8555 6.3)");
}

bool acme_payload(struct request *r, const struct json **object)
{
    struct err *e = &r->work.err;

    *object = json_read(r->work.arena, acme_of(r)->payload, &JSON_STRICT, NULL, e);
    if (*object && (*object)->kind == JSON_OBJECT)
        return true;
    if (*object)
        err_set(e, ERR_MALFORMED, "expected a JSON object");
    err_classify(e, ERR_MALFORMED);
    err_wrap(e, "payload");
    return false;
}
