/* Authorizations and challenges (RFC 8555 7.5). */
#include "acme/handlers.h"
#include "base/encode.h"

#define VERDICT_WAIT (5 * NS_PER_SEC)

static struct instant now_of(struct request *r)
{
    return instant_truncate(r->work.services->clock->now(r->work.services->clock));
}

bool acme_challenge_load(struct request *r, struct slice id, struct acme_challenge **challenge)
{
    struct acme_challenge *c = arena_alloc(r->work.arena, sizeof(*c));
    bool found;

    *challenge = NULL;
    if (!ACME_LOAD(&r->work, TABLE_ACME_CHALLENGES, ACME_CHALLENGE_SHAPE, id, c, &found))
        return false;
    if (found)
        *challenge = c;
    return true;
}

static bool busy(struct request *r, const struct acme_challenge *c)
{
    return slice_is(c->status, "pending") &&
           acme_validator_busy(acme_of(r)->service->validator, c->id);
}

void acme_put_challenge(struct request *r, struct json_writer *j, const struct acme_authz *authz,
                        const struct acme_challenge *c)
{
    json_member_text(j, "type", c->type);
    json_member_text(j, "status", busy(r, c) ? SLICE("processing") : c->status);
    json_member_text(j, "token", c->token);
    if (c->validated.n > 0)
        json_member_text(j, "validated", c->validated);
    json_member_text(j, "url",
                     acme_link(r, "/challenge/%.*s/%.*s", SLICE_ARG(authz->id), SLICE_ARG(c->id)));
    if (c->target.n > 0)
        json_member_text(j, "target", c->target);
    if (c->error)
        acme_put_problem(j, "error", c->error);
}

static void retry_after(struct request *r)
{
    http_fields_set(&r->x->out.fields, r->x->arena, "Retry-After", SLICE("2"));
}

static bool put_authz(struct request *r, const struct acme_authz *authz, struct buf *out)
{
    struct json_writer j = json_writer(out);

    json_open(&j, NULL);
    json_open(&j, "identifier");
    json_member_text(&j, "type", authz->identifier.type);
    json_member_text(&j, "value", authz->identifier.value);
    json_close(&j);
    json_member_text(&j, "status", authz->status);
    json_open_list(&j, "challenges");
    for (size_t i = 0; i < authz->challenges.n; i++) {
        struct acme_challenge *c;
        if (!acme_challenge_load(r, authz->challenges.v[i], &c))
            return false;
        if (!c)
            continue;
        if (busy(r, c))
            retry_after(r);
        json_open(&j, NULL);
        acme_put_challenge(r, &j, authz, c);
        json_close(&j);
    }
    json_close(&j);
    json_member_bool(&j, "wildcard", authz->wildcard);
    json_member_time(&j, "expires", authz->expires);
    if (authz->error)
        acme_put_problem(&j, "error", authz->error);
    json_close(&j);
    buf_byte(out, '\n');
    return true;
}

static bool load_own(struct request *r, struct acme_authz **authz)
{
    if (!acme_authz_load(r, r->args[1], authz))
        return false;
    if (!*authz)
        return acme_error(r, ERR_MALFORMED, "malformed", "there is no authorization \"%.*s\"",
                          SLICE_ARG(slice_sub(r->args[1], 0, 64)));
    if (!slice_eq((*authz)->account, acme_of(r)->account->id))
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "the authorization belongs to another account");
    return true;
}

static void store_authz(struct request *r, const struct acme_authz *authz)
{
    batch_swap(&r->work.batch, TABLE_ACME_AUTHZS, authz->id, authz->raw,
               acme_record(r->work.arena, &ACME_AUTHZ_SHAPE, authz));
    batch_expires(&r->work.batch, authz->expires.sec + ACME_KEEP_PENDING);
}

/* RFC 8555 7.5.2 */
static bool deactivate(struct request *r, struct acme_authz *authz)
{
    const struct json *v;

    if (!acme_payload(r, &v))
        return false;
    if (!slice_is(json_text(json_get(v, "status")), "deactivated"))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "expected an empty payload or status \"deactivated\"");
    if (!slice_is(authz->status, "pending") && !slice_is(authz->status, "valid"))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "only a pending or valid authorization can be deactivated");
    authz->status = SLICE("deactivated");
    store_authz(r, authz);
    return true;
}

enum outcome acme_act_authz(struct request *r)
{
    struct buf b = buf_new(r->work.arena, 1u << 20);
    struct acme_authz *authz;

    if (!load_own(r, &authz))
        return ACT_FAILED;
    if (acme_of(r)->payload.n > 0 && !deactivate(r, authz))
        return ACT_FAILED;
    if (!put_authz(r, authz, &b))
        return ACT_FAILED;
    acme_location(r, acme_link(r, "/authz/%.*s", SLICE_ARG(authz->id)));
    acme_respond(r, 200, buf_slice(&b));
    return ACT_DONE;
}

/* --- Challenges
 * ------------------------------------------------------------------------------------- */

static bool listed(const struct acme_authz *authz, struct slice challenge)
{
    for (size_t i = 0; i < authz->challenges.n; i++) {
        if (slice_eq(authz->challenges.v[i], challenge))
            return true;
    }
    return false;
}

static bool load_challenge(struct request *r, const struct acme_authz *authz,
                           struct acme_challenge **c)
{
    if (!acme_challenge_load(r, r->args[2], c))
        return false;
    if (!*c || !listed(authz, r->args[2]))
        return acme_error(r, ERR_MALFORMED, "malformed",
                          "the authorization has no challenge \"%.*s\"",
                          SLICE_ARG(slice_sub(r->args[2], 0, 64)));
    if (!slice_eq((*c)->account, acme_of(r)->account->id))
        return acme_error(r, ERR_UNAUTHORIZED, "unauthorized",
                          "the challenge belongs to another account");
    return true;
}

static struct slice key_authorization(struct request *r, const struct acme_challenge *c)
{
    struct slice thumbprint = jwk_thumbprint(r->work.arena, acme_of(r)->account_key);

    return arena_format(r->work.arena, "%.*s.%.*s", SLICE_ARG(c->token), SLICE_ARG(thumbprint));
}

/* Most verdicts come within a moment: who waits for it has nothing to poll. */
static enum outcome start_validation(struct request *r, const struct acme_authz *authz,
                                     const struct acme_challenge *c, enum acme_challenge_type type)
{
    struct acme_validation v = {.challenge = c->id,
                                .authorization = authz->id,
                                .account = authz->account,
                                .type = type,
                                .ip = slice_is(authz->identifier.type, "ip"),
                                .value = c->value,
                                .token = c->token,
                                .key_authorization = key_authorization(r, c),
                                .challenge_record = c->raw,
                                .authorization_record = authz->raw};

    r->wait = acme_validator_start(acme_of(r)->service->validator, &v);
    if (!r->wait) {
        acme_error(r, ERR_UNAVAILABLE, NULL, "too many validations are waiting");
        return ACT_FAILED;
    }
    r->wait_until = deadline_in(r->work.services->clock, VERDICT_WAIT);
    return ACT_WAIT;
}

static bool read_attestation(struct request *r, struct acme_result *refused, struct slice *object)
{
    const struct json *v;

    if (!acme_payload(r, &v))
        return false;
    struct slice error = json_text(json_get(v, "error")), text = json_text(json_get(v, "attObj"));
    *refused = (struct acme_result){.verdict = ACME_VALID};
    if (error.n > 0)
        *refused = (struct acme_result){ACME_INVALID, "rejectedIdentifier",
                                        arena_format(r->work.arena, "the client reports: %.*s",
                                                     SLICE_ARG(slice_sub(error, 0, 200)))};
    else if (text.n == 0 || !base64_read(r->work.arena, BASE64_URL_RAW, text, object))
        *refused = (struct acme_result){ACME_INVALID, "badAttestationStatement",
                                        SLICE("attObj is missing or not base64url")};
    return true;
}

static void add_mismatch(struct request *r, struct acme_challenge *c,
                         const struct acme_authz *authz, struct slice mismatch)
{
    struct acme_subproblem *sub = arena_alloc(r->work.arena, sizeof(*sub));

    sub->type = SLICE(ACME_ERROR_PREFIX "rejectedIdentifier");
    sub->detail = mismatch;
    sub->identifier = arena_alloc(r->work.arena, sizeof(*sub->identifier));
    *sub->identifier = authz->identifier;
    c->error->subproblems = (struct objects){sub, 1};
}

/* device-attest-01 needs nobody else: decided at once. */
static bool attest(struct request *r, struct acme_authz *authz, struct acme_challenge *c)
{
    struct acme_request *q = acme_of(r);
    struct acme_attestation_order order = {.identifier = authz->identifier.value,
                                           .token = c->token,
                                           .key_authorization = key_authorization(r, c),
                                           .formats = q->detail->formats,
                                           .roots = &q->detail->attestation_roots,
                                           .now = now_of(r)};
    struct acme_attestation found = {0};
    struct slice mismatch = SLICE_NONE;
    struct acme_result result;

    if (!read_attestation(r, &result, &order.object))
        return false;
    if (result.verdict == ACME_VALID)
        result = acme_attest(r->work.arena, &order, &found, &mismatch);
    if (result.verdict == ACME_RETRY)
        return acme_error(r, ERR_INTERNAL, NULL, "attestation: %.*s", SLICE_ARG(result.detail));
    acme_apply_result(r->work.arena, &result, now_of(r), c, authz);
    if (result.verdict == ACME_VALID)
        authz->fingerprint = found.fingerprint;
    if (mismatch.n > 0 && c->error)
        add_mismatch(r, c, authz, mismatch);
    batch_swap(&r->work.batch, TABLE_ACME_CHALLENGES, c->id, c->raw,
               acme_record(r->work.arena, &ACME_CHALLENGE_SHAPE, c));
    batch_expires(&r->work.batch, authz->expires.sec + ACME_KEEP_PENDING);
    store_authz(r, authz);
    return true;
}

/* A POST-as-GET shows; a payload answers the challenge, once while it is pending. */
static enum outcome answer(struct request *r, struct acme_authz *authz, struct acme_challenge *c)
{
    enum acme_challenge_type type;
    const struct json *payload;

    if (r->waited || acme_of(r)->payload.n == 0 || !slice_is(c->status, "pending") ||
        !slice_is(authz->status, "pending"))
        return ACT_DONE;
    if (!acme_challenge_find(c->type, &type)) {
        acme_error(r, ERR_NOT_IMPLEMENTED, NULL, "challenge type \"%.*s\"", SLICE_ARG(c->type));
        return ACT_FAILED;
    }
    if (type == ACME_DEVICE_ATTEST_01)
        return attest(r, authz, c) ? ACT_DONE : ACT_FAILED;
    return acme_payload(r, &payload) ? start_validation(r, authz, c, type) : ACT_FAILED;
}

enum outcome acme_act_challenge(struct request *r)
{
    struct buf b = buf_new(r->work.arena, 256u << 10);
    struct json_writer j = json_writer(&b);
    struct acme_authz *authz;
    struct acme_challenge *c;

    if (!load_own(r, &authz) || !load_challenge(r, authz, &c))
        return ACT_FAILED;
    enum outcome outcome = answer(r, authz, c);
    if (outcome != ACT_DONE)
        return outcome;
    if (busy(r, c))
        retry_after(r);
    json_open(&j, NULL);
    acme_put_challenge(r, &j, authz, c);
    json_close(&j);
    buf_byte(&b, '\n');
    http_fields_add(&r->x->out.fields, r->x->arena, "Link",
                    arena_format(r->x->arena, "<%.*s>;rel=\"up\"",
                                 SLICE_ARG(acme_link(r, "/authz/%.*s", SLICE_ARG(authz->id)))));
    acme_location(r, acme_link(r, "/challenge/%.*s/%.*s", SLICE_ARG(authz->id), SLICE_ARG(c->id)));
    acme_respond(r, 200, buf_slice(&b));
    return ACT_DONE;
}
